package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// fromFourSources books the same kind of appointment for one patient each on
// Helsenorge, in the portal, in the app and at the desk. It returns their ids by origin.
func (c *clinic) fromFourSources() (map[string]string, []pg.Slot) {
	c.Helper()
	slots := c.slots(day(3, 9), 4, nil)
	one, two, three, four := c.patient(nil), c.patient(nil), c.patient(nil), c.patient(nil)
	return map[string]string{
		"helsenorge": c.reserved(one, slots[0]),
		"portal":     c.portalBook(two, two, slots[1], false).AppointmentID,
		"app":        c.portalBook(three, three, slots[2], true).AppointmentID,
		"clinic": c.book(four, slots[3].StartsAt, func(b *client.Booking) {
			*b = client.Booking{PatientID: four.ID, SlotID: slots[3].ID, Comment: "Kontroll."}
		}).AppointmentID,
	}, slots
}

// noOriginInTheCalendar: nothing in the calendar tells where an appointment was booked;
// the audit knows (S92, A6).
func noOriginInTheCalendar(c *clinic) {
	ids, slots := c.fromFourSources()
	plain := func(raw string) []map[string]any {
		c.Helper()
		for _, word := range []string{"origin", "source", "helsenorge", "portal"} {
			require.NotContains(c, strings.ToLower(raw), word)
		}
		var list struct{ Items []map[string]any }
		require.NoError(c, json.Unmarshal([]byte(raw), &list))
		for _, e := range list.Items { // what differs from one appointment to the next, wherever it was booked
			for _, field := range []string{"id", "patientId", "patient", "startsAt", "endsAt", "comment"} {
				require.Contains(c, e, field)
				delete(e, field)
			}
		}
		return list.Items
	}
	check := func() {
		c.Helper()
		for _, who := range []identity.Principal{c.GP, c.Desk, c.Service} {
			entries := plain(c.must(who, http.MethodGet, "/calendars/"+c.CalendarID+"/entries?"+stretch(slots[0].StartsAt), nil, nil))
			require.Len(c, entries, 4)
			for _, e := range entries {
				require.Equal(c, entries[0], e)
			}
		}
	}
	check() // at once
	for _, id := range ids {
		c.settle(id)
	}
	check() // and when everything is told
	for origin, id := range ids {
		var a map[string]any
		raw := c.must(c.Desk, http.MethodGet, "/appointments/"+id, nil, &a)
		require.NotContains(c, a, "origin")
		require.NotContains(c, strings.ToLower(raw), "origin")
		plain(c.must(c.Desk, http.MethodGet, "/patients/"+c.appointment(id).PatientID+"/appointments", nil, nil))
		require.Empty(c, c.explain(id).Origin)
		var audited client.AppointmentExplanation
		c.must(c.Auditor, http.MethodGet, "/appointments/"+id+"/explain", nil, &audited)
		require.Equal(c, origin, audited.Origin)
	}
}

// oneCalendarForFourSources: Helsenorge, portal, app and desk book in the same calendar,
// at once and never twice (S93).
func oneCalendarForFourSources(c *clinic) {
	ids, slots := c.fromFourSources()
	entries := c.entries(c.CalendarID, slots[0].StartsAt)
	require.Len(c, entries, 4)
	for i, origin := range []string{"helsenorge", "portal", "app", "clinic"} {
		require.Equal(c, ids[origin], entries[i].ID)
		require.Equal(c, contract.StatusBooked, entries[i].Status)
		require.True(c, entries[i].StartsAt.Equal(slots[i].StartsAt))
		require.False(c, c.free(slots[i]))
	}
	require.Empty(c, c.entries(c.ColleagueCalendarID, slots[0].StartsAt))

	// What one has booked no other can.
	late := c.patient(nil)
	for _, s := range slots {
		require.Equal(c, contract.AppointmentNotAvailable, c.answerTo(c.reserve(late, s, nil)).Function)
		for _, app := range []bool{false, true} {
			c.refused(http.StatusConflict, c.Portal, http.MethodPost, "/portal/patients/"+late.ID+"/appointments",
				client.PortalBooking{ViewerID: late.ID, SlotID: s.ID, App: app})
		}
		c.refused(http.StatusConflict, c.Desk, http.MethodPost, "/appointments", client.Booking{PatientID: late.ID, SlotID: s.ID})
	}
	require.Len(c, c.entries(c.CalendarID, slots[0].StartsAt), 4)
	require.Empty(c, c.portal(late, late))

	// The portal books by the rules of online booking: only the own practitioner's
	// online slots.
	closed := c.slots(day(4, 9), 1, func(s *pg.Slot) { s.Online = false })[0]
	other := c.slots(day(4, 10), 1, func(s *pg.Slot) { s.CalendarID = c.ColleagueCalendarID })[0]
	for _, s := range []pg.Slot{closed, other} {
		c.refused(http.StatusConflict, c.Portal, http.MethodPost, "/portal/patients/"+late.ID+"/appointments", client.PortalBooking{ViewerID: late.ID, SlotID: s.ID})
		require.True(c, c.free(s))
	}
}

// helsenorgeInTheTitle: what a citizen sent on Helsenorge says so in its title, a wish
// for an appointment too; what the clinic made does not (S94).
func helsenorgeInTheTitle(c *clinic) {
	inbox := func() []pg.InboxItem {
		c.Helper()
		var all []pg.InboxItem
		for _, who := range []identity.Principal{c.GP, c.Desk} {
			var l api.List[pg.InboxItem]
			c.must(who, http.MethodGet, "/inbox", nil, &l)
			all = append(all, l.Items...)
		}
		return all
	}
	find := func(title string, process contract.Process) pg.InboxItem {
		c.Helper()
		var found pg.InboxItem
		c.eventually(title+" in an inbox", func() error {
			for _, i := range inbox() {
				if i.Title == title && i.Process == process {
					found = i
					return nil
				}
			}
			return errNotYet
		})
		return found
	}
	p := c.patient(nil)
	for kind, process := range map[simulator.Kind]contract.Process{
		simulator.EContact: contract.ProcessEContact, simulator.EConsultation: contract.ProcessEConsultation, simulator.Renewal: contract.ProcessPrescription,
	} {
		_, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: kind, Citizen: p.Citizen, To: c.GPHerID, Subject: "Om " + string(kind)})
		require.NoError(c, err)
		find("helsenorge.no: Om "+string(kind), process)
	}

	// A wish is answered with an appointment, and a wish to cancel with that.
	wish, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.Wish, Citizen: p.Citizen, To: c.GPHerID, Subject: "Time neste uke"})
	require.NoError(c, err)
	id := find("helsenorge.no: Time neste uke", contract.ProcessAppointment).DialogueID
	require.Empty(c, c.entries(c.CalendarID, day(5, 9)))
	var granted client.Changed
	c.must(c.Desk, http.MethodPost, "/appointments/"+id+"/answer", client.WishAnswer{
		Code: contract.AppointmentConfirmed, Text: "Velkommen.", CalendarID: c.CalendarID, TypeID: c.ConsultID, StartsAt: day(5, 9), EndsAt: day(5, 9).Add(slotLength),
	}, &granted)
	answer := c.answerTo(wish)
	require.Equal(c, contract.AppointmentConfirmed, answer.Function)
	require.Equal(c, "Velkommen.", answer.Text)
	require.Equal(c, id, c.entries(c.CalendarID, day(5, 9))[0].ID)
	c.sees(p, "what he wished for", func(a simulator.Appointment) bool { return a.UID == id && a.Status == simulator.Booked })

	back, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.WishCancel, Citizen: p.Citizen, Appointment: id, Subject: "Kan ikke"})
	require.NoError(c, err)
	c.eventually("the wish to cancel is in the same thread", func() error {
		for _, i := range inbox() {
			if i.DialogueID == id && i.Unread {
				return nil
			}
		}
		return errNotYet
	})
	c.refused(http.StatusConflict, c.Desk, http.MethodPost, "/appointments/"+id+"/answer", client.WishAnswer{Code: contract.AppointmentNotAvailable})
	c.must(c.Desk, http.MethodPost, "/appointments/"+id+"/answer", client.WishAnswer{Code: contract.AppointmentCancelled}, nil)
	require.Equal(c, contract.AppointmentCancelled, c.answerTo(back).Function)
	require.Empty(c, c.entries(c.CalendarID, day(5, 9)))

	declined, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.Wish, Citizen: p.Citizen, To: c.GPHerID, Subject: "Time i dag"})
	require.NoError(c, err)
	no := find("helsenorge.no: Time i dag", contract.ProcessAppointment).DialogueID
	c.must(c.Desk, http.MethodPost, "/appointments/"+no+"/answer", client.WishAnswer{Code: contract.AppointmentNotAvailable, Text: "Dessverre."}, nil)
	require.Equal(c, contract.AppointmentNotAvailable, c.answerTo(declined).Function)

	// What nobody sent there is not marked, and a booking needs no reader.
	before := len(inbox())
	c.settle(c.book(p, day(6, 9), nil).AppointmentID)
	c.settled(c.reserved(p, c.slots(day(6, 10), 1, nil)[0]))
	require.Len(c, inbox(), before)
	for _, i := range inbox() {
		require.Truef(c, strings.HasPrefix(i.Title, "helsenorge.no: "), "%s", i.Title)
	}
}
