package e2e_test

import (
	"bytes"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/client"
)

// bookingOpen demands that the patient is offered the slots of the calendar, and their
// practitioner among those whom he can book with.
func (c *clinic) bookingOpen(p patient, slots ...pg.Slot) {
	c.Helper()
	a := c.offered(p, c.GPHerID)
	require.Equal(c, codes.SlotsFound, a.Code)
	var want, got []string
	for _, s := range slots {
		want = append(want, s.ID)
	}
	for _, s := range a.Slots {
		got = append(got, s.UID)
		require.Equal(c, c.GPHerID, s.Contact)
	}
	require.Equal(c, want, got)
	who := c.practitioners(p)
	require.Equal(c, codes.PractitionersFound, who.Code)
	require.Equal(c, []simulator.Practitioner{{Name: "Frida Fastlege", HPR: c.GP.HPR}}, who.Practitioners)
	k := c.calendarState()
	require.True(c, k.BookingOpen)
	require.Empty(c, k.Reason)
}

// bookingClosed demands that the patient is offered nothing, with the reason that staff
// are told, and that he does not get a slot that he saw before.
func (c *clinic) bookingClosed(p patient, reason string, slot pg.Slot) {
	c.Helper()
	a := c.offered(p, c.GPHerID)
	require.Equal(c, codes.RequestRefused, a.Code)
	require.Empty(c, a.Slots)
	require.NotEmpty(c, a.Text, "the citizen is told what to do")
	who := c.practitioners(p)
	require.Equal(c, codes.NoPractitioners, who.Code)
	require.Empty(c, who.Practitioners)
	k := c.calendarState()
	require.False(c, k.BookingOpen)
	require.Equal(c, reason, k.Reason)

	refused := c.answerTo(c.reserve(p, slot, nil))
	require.Equal(c, contract.AppointmentNotAvailable, refused.Function)
	require.NotEmpty(c, refused.Text)
	require.Empty(c, c.entries(slot.CalendarID, slot.StartsAt))
	require.True(c, c.free(slot))
}

// bookingCase is the operator's case of the practitioner's closed booking, nil while
// there is none to look at.
func (c *clinic) bookingCase() *pg.Case {
	c.Helper()
	for _, k := range c.cases(contract.CaseBookingClosed) {
		if k.MessageID == c.GPID && k.ResolvedAt == nil {
			return &k
		}
	}
	return nil
}

func (c *clinic) practitioners(p patient) simulator.Answer {
	c.Helper()
	a, err := c.Simulator.Ask(c.Context(), simulator.Question{Kind: simulator.Practitioners, To: c.GPHerID, Citizen: p.Citizen})
	require.NoError(c, err)
	require.Empty(c, a.Problems)
	return a
}

// onlineBookingSwitch: off is no slots and no booking, on is both (S69).
func onlineBookingSwitch(c *clinic) {
	p, slots := c.patient(nil), c.slots(day(3, 9), 2, nil)
	c.bookingOpen(p, slots...)
	c.settings(func(s *pg.Settings) { s.OnlineBooking = false })
	c.bookingClosed(p, pg.BookingSwitchedOff, slots[0])
	c.settings(nil)
	c.bookingOpen(p, slots...)
	c.reserved(p, slots[0])
	c.bookingOpen(p, slots[1])
}

// onlyTheOwnPractitionersCalendar: whatever way leads to another practitioner's
// calendar is closed, for asking and for booking (S70).
func onlyTheOwnPractitionersCalendar(c *clinic) {
	mine := c.patient(nil)
	hers := c.patient(func(r *client.PatientRecord) { r.PractitionerID = c.ColleagueID })
	nobodys := c.patient(func(r *client.PatientRecord) { r.PractitionerID = "" })
	own := c.slots(day(3, 9), 1, nil)[0]
	other := c.slots(day(3, 9), 1, func(s *pg.Slot) { s.CalendarID = c.ColleagueCalendarID })[0]

	c.bookingOpen(mine, own)
	theirs := c.offered(hers, c.ColleagueHerID)
	require.Equal(c, codes.SlotsFound, theirs.Code)
	require.Len(c, theirs.Slots, 1)
	require.Equal(c, other.ID, theirs.Slots[0].UID)
	for _, q := range []simulator.Question{
		{To: c.ColleagueHerID, Citizen: mine.Citizen},
		{To: c.GPHerID, Citizen: hers.Citizen},
		{To: c.GPHerID, Citizen: nobodys.Citizen},
		{To: c.GPHerID, Citizen: mine.Citizen, HPR: c.Colleague.HPR},
	} {
		q.Kind = simulator.FreeSlots
		a, err := c.Simulator.Ask(c.Context(), q)
		require.NoError(c, err)
		require.Equal(c, codes.RequestRefused, a.Code)
		require.Empty(c, a.Slots)
	}
	named, err := c.Simulator.Ask(c.Context(), simulator.Question{Kind: simulator.FreeSlots, To: c.GPHerID, Citizen: mine.Citizen, HPR: c.GP.HPR})
	require.NoError(c, err)
	require.Equal(c, codes.SlotsFound, named.Code, "his own practitioner may be named")

	for _, to := range []int{c.ColleagueHerID, c.GPHerID} { // as the calendar's contact, and smuggled to his own
		a := c.answerTo(c.reserve(mine, other, func(a *simulator.Action) { a.To, a.Slot.Contact = to, c.ColleagueHerID }))
		require.Equal(c, contract.AnswerRefused, a.Function)
	}
	a := c.answerTo(c.reserve(mine, other, func(a *simulator.Action) { a.HPR, a.AcceptsOther = c.Colleague.HPR, true }))
	require.Equal(c, contract.AnswerRefused, a.Function)
	require.Empty(c, c.entries(c.ColleagueCalendarID, other.StartsAt))
	require.True(c, c.free(other))
	c.reserved(mine, own)
	a = c.answerTo(c.reserve(hers, other, func(a *simulator.Action) { a.To, a.Slot.Contact = c.ColleagueHerID, c.ColleagueHerID }))
	require.Equal(c, contract.AppointmentConfirmed, a.Function)
	require.Len(c, c.entries(c.ColleagueCalendarID, other.StartsAt), 1)
}

// exactlyOneCalendar: none closes booking, one opens it, by itself (S71, A8, F16).
func exactlyOneCalendar(c *clinic) {
	p, slot := c.patient(nil), c.slots(day(3, 9), 1, nil)[0]
	c.bookingOpen(p, slot)
	require.Nil(c, c.bookingCase())

	none := c.calendar()
	none.Inactive = true
	c.calendars(none)
	c.bookingClosed(p, pg.BookingCalendarInactive, slot)
	require.NotNil(c, c.bookingCase())
	require.Equal(c, "owns-no-calendar", c.bookingCase().Reason)

	c.calendars(c.calendar())
	c.bookingOpen(p, slot)
	require.Nil(c, c.bookingCase(), "one calendar again opens booking and ends the case")
	c.reserved(p, slot)
}

// severalCalendars: two close booking for every patient of the practitioner, and only
// for them; the operator is told why (S72, F16).
func severalCalendars(c *clinic) {
	one, two := c.patient(nil), c.patient(nil)
	hers := c.patient(func(r *client.PatientRecord) { r.PractitionerID = c.ColleagueID })
	slot := c.slots(day(3, 9), 1, nil)[0]
	other := c.slots(day(3, 9), 1, func(s *pg.Slot) { s.CalendarID = c.ColleagueCalendarID })[0]
	c.bookingOpen(one, slot)

	second := pg.Calendar{ID: newID(), OwnerID: c.GPID, Name: "Frida Fastlege, ekstra", Notify: true}
	c.calendars(second)
	for _, p := range []patient{one, two} {
		c.bookingClosed(p, "owns-several-calendars", slot)
	}
	require.NotNil(c, c.bookingCase())
	require.Equal(c, "owns-several-calendars", c.bookingCase().Reason)
	a := c.answerTo(c.reserve(hers, other, func(a *simulator.Action) { a.To, a.Slot.Contact = c.ColleagueHerID, c.ColleagueHerID }))
	require.Equal(c, contract.AppointmentConfirmed, a.Function, "another practitioner's patients book on")
	c.book(one, day(4, 9), nil) // and the desk books as always

	second.Inactive = true
	c.calendars(second)
	c.bookingOpen(two, slot)
	require.Nil(c, c.bookingCase())
	c.reserved(two, slot)
}

// freeAndOnline: what is shown is free, marked online and inside the clinic's limits;
// nothing else leaks, and nothing else can be booked (S73, T-01 to T-07, T-13).
func freeAndOnline(c *clinic) {
	p, parent := c.patient(nil), c.patient(nil)
	require.Equal(c, codes.NoSlots, c.offered(p, c.GPHerID).Code)

	online := c.slots(day(3, 9), 2, nil)
	video := c.slots(day(3, 10), 1, func(s *pg.Slot) { s.TypeID, s.Place = c.VideoID, "Rom 4" })[0]
	call := c.slots(day(3, 11), 1, func(s *pg.Slot) { s.MustCall = true })[0]
	later := c.slots(day(3, 12), 1, func(s *pg.Slot) { s.AvailableAt = day(1, 8) })[0]
	closed := c.slots(day(3, 13), 1, func(s *pg.Slot) { s.Online = false })[0]
	hidden := c.slots(day(3, 14), 1, func(s *pg.Slot) { s.TypeID = c.HiddenID })[0]
	taken := c.slots(day(3, 15), 1, nil)[0]
	near := c.slots(time.Now().UTC().Add(30*time.Minute).Truncate(time.Minute), 1, nil)[0]
	far := c.slots(day(40, 9), 1, nil)[0]
	c.book(c.patient(nil), taken.StartsAt.Add(10*time.Minute), nil) // half of it is enough

	a := c.offered(p, c.GPHerID)
	require.Equal(c, codes.SlotsFound, a.Code)
	shown := map[string]simulator.Slot{}
	for _, s := range a.Slots {
		shown[s.UID] = s
	}
	require.Len(c, a.Slots, 5)
	for _, s := range []pg.Slot{online[0], online[1], video, call, later} {
		got, ok := shown[s.ID]
		require.True(c, ok)
		require.True(c, got.StartsAt.Equal(s.StartsAt) && got.EndsAt.Equal(s.EndsAt))
		require.Equal(c, c.GPHerID, got.Contact)
		require.Equal(c, s.Place, got.Place)
	}
	require.Empty(c, shown[online[0].ID].Categories)
	require.Equal(c, []string{helsenorge.CategoryVideo}, shown[video.ID].Categories)
	require.Equal(c, []string{helsenorge.CategoryMustCall}, shown[call.ID].Categories)
	require.True(c, shown[later.ID].AvailableAt.Equal(later.AvailableAt))
	byParent, err := c.Simulator.Ask(c.Context(), simulator.Question{Kind: simulator.FreeSlots, To: c.GPHerID, Citizen: p.Citizen, By: parent.Citizen})
	require.NoError(c, err)
	require.Equal(c, a.Slots, byParent.Slots, "who acts for the patient is shown the same")

	for what, s := range map[string]pg.Slot{
		"by telephone only": call, "not yet": later, "not online": closed, "hidden": hidden, "taken": taken, "too near": near, "too far": far,
	} {
		refused := c.answerTo(c.reserve(p, s, nil))
		require.Equalf(c, contract.AppointmentNotAvailable, refused.Function, what)
	}
	require.Len(c, c.entries(c.CalendarID, day(3, 12)), 1, "what the desk booked is all that stands there")

	long, err := c.Simulator.Ask(c.Context(), simulator.Question{
		Kind: simulator.FreeSlots, To: c.GPHerID, Citizen: p.Citizen, From: day(1, 9).Format(time.DateOnly), Until: day(40, 9).Format(time.DateOnly),
	})
	if err == nil { // Helsenorge itself may refuse to ask
		require.Equal(c, codes.RequestRefused, long.Code, "more than four weeks are not answered")
	}
	blocked := c.patient(func(r *client.PatientRecord) { r.Blocked = true })
	none := c.offered(blocked, c.GPHerID)
	require.Equal(c, codes.NoAccess, none.Code)
	require.Empty(c, none.Slots)
	c.reserved(p, online[0])
	require.Len(c, c.offered(p, c.GPHerID).Slots, 4, "what is booked is free no longer")
}

// commentIsMandatory: no word, and blanks, are refused; the words are the staff's to
// read (S74, A12, T-12).
func commentIsMandatory(c *clinic) {
	p, slot := c.patient(nil), c.slots(day(3, 9), 1, nil)[0]
	for _, blank := range []string{" ", "\u00a0\n\t "} {
		refused := c.answerTo(c.reserve(p, slot, func(a *simulator.Action) { a.Text = blank }))
		require.Equal(c, contract.AnswerRefused, refused.Function)
		require.Contains(c, refused.Text, "Du må skrive hva timen gjelder")
	}
	// What Helsenorge's own page would not send: no question at all.
	valid := c.reserve(c.patient(func(r *client.PatientRecord) { r.PractitionerID = c.ColleagueID }), slot, nil)
	require.Equal(c, contract.AnswerRefused, c.answerTo(valid).Function)
	id := newID()
	silent := bytes.ReplaceAll(valid.XML, []byte(valid.MsgID), []byte(id))
	silent = bytes.ReplaceAll(silent, []byte(simulator.Citizen(valid.Citizen).NationalID), []byte(p.NationalID))
	question := regexp.MustCompile(`<(\w+:)?Sporsmal>[^<]*</(\w+:)?Sporsmal>`)
	require.Regexp(c, question, string(silent))
	silent = question.ReplaceAll(silent, nil)
	_, err := c.Simulator.SendRaw(c.Context(), simulator.Raw{Body: silent, Subject: codes.Timereservasjon, To: c.GPHerID})
	require.NoError(c, err)
	require.Equal(c, contract.AnswerRefused, c.answerTo(simulator.Sent{MsgID: id, Conversation: id, Kind: simulator.Reserve}).Function)
	require.Empty(c, c.entries(c.CalendarID, slot.StartsAt))
	require.True(c, c.free(slot))

	const comment = "Jeg har vondt i skulderen etter et fall, og vil ha den undersøkt."
	a := c.answerTo(c.reserve(p, slot, func(a *simulator.Action) { a.Text = comment }))
	require.Equal(c, contract.AppointmentConfirmed, a.Function)
	entries := c.entries(c.CalendarID, slot.StartsAt)
	require.Len(c, entries, 1)
	require.Equal(c, comment, entries[0].Comment)
	c.book(p, day(4, 9), nil) // the desk need not say (A12)
}

// bookingIsInTheCalendar: what is confirmed is in the calendar with no manual step,
// once, whatever comes twice or at once; what is cancelled is out of it (S75, T-09,
// T-10, T-14 to T-16, T-25).
func bookingIsInTheCalendar(c *clinic) {
	p, slots := c.patient(nil), c.slots(day(3, 9), 2, nil)
	sent := c.reserve(p, slots[0], func(a *simulator.Action) { a.Times, a.NewEnvelope = 5, true })
	answer := c.answerTo(sent)
	require.Equal(c, contract.AppointmentConfirmed, answer.Function)
	entries := c.entries(c.CalendarID, slots[0].StartsAt)
	require.Len(c, entries, 1)
	e := entries[0]
	require.Equal(c, contract.StatusBooked, e.Status)
	require.Equal(c, p.ID, e.PatientID)
	require.Equal(c, p.GivenName+" "+p.FamilyName, e.Patient)
	require.Equal(c, c.ConsultID, e.TypeID)
	require.True(c, e.StartsAt.Equal(slots[0].StartsAt) && e.EndsAt.Equal(slots[0].EndsAt))
	require.False(c, c.free(slots[0]))

	require.Len(c, answer.Message.Events, 1)
	require.Equal(c, e.ID, answer.Message.Events[0].UID)
	require.Equal(c, slots[0].ID, answer.Message.Events[0].RelatedTo)
	seen := c.sees(p, "his booking", func(a simulator.Appointment) bool { return a.Status == simulator.Booked })
	require.Equal(c, "Frida Fastlege", seen.Practitioner)
	require.True(c, seen.StartsAt.Equal(e.StartsAt))
	c.settle(e.ID)
	require.Equal(c, []string{"05"}, codesOf(c.told(p)), "the answer tells it: no Avtale beside it")

	// Two at once for one slot: one gets it.
	rivals := []patient{c.patient(nil), c.patient(nil)}
	asked := make([]simulator.Sent, len(rivals))
	var both sync.WaitGroup
	for i, r := range rivals {
		both.Go(func() {
			asked[i], _ = c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.Reserve, Citizen: r.Citizen, To: c.GPHerID, Slot: c.slotOf(slots[1])})
		})
	}
	both.Wait()
	require.ElementsMatch(c, []string{contract.AppointmentConfirmed, contract.AppointmentNotAvailable},
		[]string{c.answerTo(asked[0]).Function, c.answerTo(asked[1]).Function})
	c.inCalendar(slots[1])

	// He cancels, by whichever identifier; the time is free again.
	for _, named := range []string{e.ID, slots[0].ID} {
		cancelled, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.Cancel, Citizen: p.Citizen, Appointment: named, Text: "Jeg er blitt frisk."})
		require.NoError(c, err)
		a := c.answerTo(cancelled)
		require.Equal(c, contract.AppointmentCancelled, a.Function)
		require.Len(c, a.Message.Events, 1)
		require.Equal(c, e.ID, a.Message.Events[0].UID)
		require.True(c, c.free(slots[0]))
	}
	require.Equal(c, contract.StatusCancelled, c.appointment(e.ID).Status)
	stranger := c.patient(nil)
	unknown, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.Cancel, Citizen: stranger.Citizen, To: c.GPHerID, Slot: c.slotOf(slots[1])})
	require.NoError(c, err)
	require.Equal(c, contract.AppointmentNotCancelled, c.answerTo(unknown).Function, "nobody cancels another patient's appointment")
	c.inCalendar(slots[1])
	require.Len(c, c.cases(contract.CaseUnknownAppointment), 1)

	// A booking is bounded by what the clinic allows.
	c.settings(func(s *pg.Settings) { s.MaxFutureBookings = 1 })
	many := c.slots(day(5, 9), 2, nil)
	c.reserved(p, many[0])
	a := c.answerTo(c.reserve(p, many[1], nil))
	require.Equal(c, contract.AnswerRefused, a.Function)
	require.True(c, c.free(many[1]))
	c.refused(http.StatusConflict, c.Desk, http.MethodPost, "/appointments", client.Booking{PatientID: p.ID, SlotID: many[0].ID})
}
