package e2e_test

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

// command runs a command line as somebody and demands its exit code; it returns what
// is printed.
func (c *clinic) command(who identity.Principal, exit int, args ...string) string {
	c.Helper()
	token, err := c.Token(who)
	require.NoError(c, err)
	environment := map[string]string{"HELSEBRO_API_URL": c.APIURL(), "HELSEBRO_TOKEN": token, "HELSEBRO_CLINIC": who.ClinicID}
	var out, errs bytes.Buffer
	code := cli.Run(c.Context(), args, cli.Environment{
		In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(name string) string { return environment[name] },
	}, cli.Processes{})
	require.Equalf(c, exit, code, "helsebro %s: %s%s", strings.Join(args, " "), out.String(), errs.String())
	return out.String()
}

// clinicBooks: any time, with or without a slot, over HTTP and the command line; the
// calendar refuses what it cannot hold, and the same again is the same (S76, A12).
func clinicBooks(c *clinic) {
	p, start := c.patient(nil), day(3, 9)
	booking := client.Booking{PatientID: p.ID, CalendarID: c.CalendarID, TypeID: c.ConsultID, StartsAt: start, EndsAt: start.Add(slotLength), Place: "Rom 2"}
	key := newID()
	var first, again client.Changed
	c.keyed(c.Desk, http.MethodPost, "/appointments", key, booking, &first)
	c.keyed(c.Desk, http.MethodPost, "/appointments", key, booking, &again)
	require.Equal(c, first, again)
	require.Equal(c, contract.StatusBooked, first.Status)
	closed := c.slots(day(3, 10), 1, func(s *pg.Slot) { s.Online, s.Place = false, "Rom 4" })[0]
	c.book(p, time.Time{}, func(b *client.Booking) { *b = client.Booking{PatientID: p.ID, SlotID: closed.ID} })
	c.command(c.GP, cli.ExitDone, "appointment", "book", "--patient", p.ID, "--calendar", c.CalendarID, "--type", c.HiddenID,
		"--at", oslo.In(day(3, 11)).Format("2006-01-02 15:04"), "--for", "40m")

	entries := c.entries(c.CalendarID, start)
	require.Len(c, entries, 3)
	for i, want := range []pg.CalendarEntry{
		{TypeID: c.ConsultID, StartsAt: start, EndsAt: start.Add(slotLength), Place: "Rom 2"},
		{TypeID: c.ConsultID, StartsAt: closed.StartsAt, EndsAt: closed.EndsAt, Place: "Rom 4"},
		{TypeID: c.HiddenID, StartsAt: day(3, 11), EndsAt: day(3, 11).Add(40 * time.Minute), Hidden: true},
	} {
		got := entries[i]
		require.Equal(c, contract.StatusBooked, got.Status)
		require.Equal(c, p.GivenName+" "+p.FamilyName, got.Patient)
		want.ID, want.CalendarID, want.PatientID, want.Patient, want.Status, want.Revision = got.ID, c.CalendarID, p.ID, got.Patient, got.Status, got.Revision
		want.StartsAt, want.EndsAt = want.StartsAt.UTC(), want.EndsAt.UTC()
		require.Equal(c, want, got)
	}

	overlapping := booking
	overlapping.StartsAt, overlapping.EndsAt = start.Add(10*time.Minute), start.Add(30*time.Minute)
	c.refused(http.StatusConflict, c.Desk, http.MethodPost, "/appointments", overlapping)
	c.command(c.Desk, cli.ExitRefused, "appointment", "book", "--patient", p.ID, "--calendar", c.CalendarID, "--type", c.ConsultID,
		"--at", oslo.In(start).Format("2006-01-02 15:04"), "--for", "20m")
	other := overlapping
	other.PatientID, other.StartsAt, other.EndsAt = newID(), day(4, 9), day(4, 10)
	c.refused(http.StatusNotFound, c.Desk, http.MethodPost, "/appointments", other)
	backwards := booking
	backwards.StartsAt, backwards.EndsAt = day(4, 10), day(4, 9)
	c.refused(http.StatusUnprocessableEntity, c.Desk, http.MethodPost, "/appointments", backwards)
	c.refused(http.StatusForbidden, c.Portal, http.MethodPost, "/appointments", booking)
	c.refused(http.StatusForbidden, c.Admin, http.MethodPost, "/appointments", booking)
	require.Len(c, c.entries(c.CalendarID, start), 3, "what is refused leaves nothing behind")
	require.Empty(c, c.entries(c.CalendarID, day(4, 9).Add(12*time.Hour)))
}

// clinicAppointmentOnHelsenorge: it is told in one Avtale, by the process that the
// agreement has; what never came to be is not told (S77, T-18, T-22, T-25).
func clinicAppointmentOnHelsenorge(c *clinic) {
	p, start := c.patient(nil), day(3, 9)
	booked := c.book(p, start, func(b *client.Booking) { b.Place, b.Comment = "Rom 2", "Snakke om prøvesvar." })
	require.Empty(c, c.told(p), "the grace is waited for")
	c.settle(booked.AppointmentID)
	all := c.told(p)
	require.Len(c, all, 1)
	avtale := all[0]
	require.Empty(c, avtale.Problems)
	require.Equal(c, "05", avtale.Function)
	require.Equal(c, codes.Timereservasjon, avtale.Process)
	require.Equal(c, c.GPHerID, avtale.From)
	require.Empty(c, avtale.Parent)
	require.True(c, avtale.Message.Head.WantsReceipt)
	request := avtale.Message.Dialog.Request
	require.NotNil(c, request)
	require.Empty(c, request.Subject)
	require.Empty(c, request.Text.Plain, "an Avtale has no question")
	require.NotContains(c, string(avtale.XML), "prøvesvar")
	require.Len(c, avtale.Message.Events, 1)
	event := avtale.Message.Events[0]
	require.Equal(c, booked.AppointmentID, event.UID)
	require.Equal(c, "Rom 2", event.Location)
	require.Equal(c, "Time hos fastlegen", event.Summary)
	require.Equal(c, c.GPHerID, event.Contact)
	require.True(c, event.StartsAt.Equal(start) && event.EndsAt.Equal(start.Add(slotLength)))

	seen := c.sees(p, "the appointment", func(a simulator.Appointment) bool { return a.UID == booked.AppointmentID })
	require.Equal(c, simulator.Booked, seen.Status)
	require.Equal(c, "Frida Fastlege", seen.Practitioner)
	require.Equal(c, []string{simulator.NoticeConfirmation}, tells(seen))
	require.Equal(c, contract.OutcomeAcknowledged, c.appointment(booked.AppointmentID).Published.Outcome)

	// The agreement may have no more than AVTALEUTSENDING.
	only := []string{codes.EKontakt, codes.Avtaleutsending}
	c.registers(c.ColleagueHerID, func(p *registry.Party) { p.Processes = only })
	c.staff(func(m *pg.Clinic) { m.Parties[1].Processes = only })
	c.integrate(pg.CheckIntegration, c.ColleagueID)
	hers := c.patient(func(r *client.PatientRecord) { r.PractitionerID = c.ColleagueID })
	sentOut := c.book(hers, start, func(b *client.Booking) { b.CalendarID = c.ColleagueCalendarID })
	c.settle(sentOut.AppointmentID)
	all = c.told(hers)
	require.Equal(c, []string{"05"}, codesOf(all))
	require.Equal(c, codes.Avtaleutsending, all[0].Process)
	require.Empty(c, all[0].Problems)
	require.Equal(c, simulator.Booked, c.seen(hers)[0].Status)

	// Made and cancelled within the grace: nobody was told, and nobody needs to be.
	never := c.patient(nil)
	short := c.book(never, day(4, 9), nil)
	c.step(short.AppointmentID, "cancel")
	c.settle(short.AppointmentID)
	c.over(short.AppointmentID)
	require.Empty(c, c.told(never))
	require.Empty(c, c.seen(never))
	require.Empty(c, c.sent(never))
}

// appointmentInThePortal: wherever it was booked, the patient sees it there at once,
// and nobody else does (S78).
func appointmentInThePortal(c *clinic) {
	p, stranger := c.patient(nil), c.patient(nil)
	require.Empty(c, c.portal(p, p))
	booked := c.book(p, day(3, 9), func(b *client.Booking) { b.Place = "Rom 2" })
	require.Equal(c, []pg.PatientAppointment{{
		ID: booked.AppointmentID, Status: contract.StatusBooked, StartsAt: day(3, 9), EndsAt: day(3, 9).Add(slotLength),
		Place: "Rom 2", Summary: "Time hos fastlegen", Practitioner: "Frida Fastlege",
	}}, c.portal(p, p))
	slot := c.slots(day(4, 9), 1, nil)[0]
	onHelsenorge := c.reserved(p, slot)
	c.move(booked.AppointmentID, day(5, 9))
	mine := c.portal(p, p)
	require.Len(c, mine, 2)
	require.Equal(c, onHelsenorge, mine[0].ID)
	require.True(c, mine[1].StartsAt.Equal(day(5, 9)))
	c.step(booked.AppointmentID, "cancel")
	require.Equal(c, contract.StatusCancelled, c.portal(p, p)[1].Status)

	// What the clinic tells by itself is in the portal's feed in the same words.
	here := c.inactive(nil)
	own := c.book(here, day(3, 10), nil)
	c.settle(own.AppointmentID)
	feed, mail := c.feed(here), c.sent(here)
	require.Len(c, feed, 1)
	require.Len(c, mail, 1)
	require.Equal(c, own.AppointmentID, feed[0].AppointmentID)
	require.Equal(c, contract.PurposeConfirmation, feed[0].Purpose)
	require.Equal(c, mail[0].Subject, feed[0].Subject)

	require.Empty(c, c.portal(stranger, stranger))
	c.refused(http.StatusForbidden, c.Portal, http.MethodGet, "/portal/patients/"+p.ID+"/appointments?viewer="+stranger.ID, nil)
	c.refused(http.StatusForbidden, c.Portal, http.MethodGet, "/portal/patients/"+p.ID+"/feed?viewer="+stranger.ID, nil)
	c.refused(http.StatusForbidden, c.Portal, http.MethodGet, "/patients/"+p.ID+"/appointments", nil)
	c.refused(http.StatusForbidden, c.Desk, http.MethodGet, "/portal/patients/"+p.ID+"/appointments?viewer="+p.ID, nil)
}

// cancelledAndMovedIsTold: one message for each real change, none for what does not
// matter to the patient (S79, T-19 to T-22).
func cancelledAndMovedIsTold(c *clinic) {
	p := c.patient(nil)
	a := c.book(p, day(3, 9), nil).AppointmentID
	c.settle(a)
	latest := func(code string, n int) told {
		c.Helper()
		all := c.told(p)
		require.Len(c, all, n)
		require.Equal(c, code, all[n-1].Function)
		require.Empty(c, all[n-1].Problems)
		require.Len(c, all[n-1].Message.Events, 1)
		return all[n-1]
	}
	latest("05", 1)

	c.move(a, day(4, 9))
	c.move(a, day(4, 10)) // two within the grace are one
	c.settle(a)
	moved := latest("07", 2)
	require.Equal(c, a, moved.Message.Events[0].UID)
	require.True(c, moved.Message.Events[0].StartsAt.Equal(day(4, 10)))
	seen := c.seen(p)
	require.Len(c, seen, 1)
	require.True(c, seen[0].StartsAt.Equal(day(4, 10)))
	require.Equal(c, []string{simulator.NoticeConfirmation, simulator.NoticeChange}, tells(seen[0]))

	place := "Rom 7"
	c.amend(a, client.Amendment{Place: &place})
	c.settle(a)
	require.Equal(c, place, latest("07", 3).Message.Events[0].Location)
	c.amend(a, client.Amendment{TypeID: c.VideoID})
	c.settle(a)
	require.Equal(c, []string{"Video"}, latest("07", 4).Message.Events[0].Categories)

	c.amend(a, client.Amendment{TypeID: c.VideoID, Place: &place}) // as it is
	c.move(a, day(5, 9))
	c.move(a, day(4, 10)) // and back, before anybody knew
	c.settle(a)
	latest("07", 4)
	require.Equal(c, "no-change", c.decided(a, contract.AboutPublication).Rule)

	c.step(a, "cancel")
	c.settle(a)
	latest("08", 5)
	seen = c.seen(p)
	require.Equal(c, simulator.Cancelled, seen[0].Status)
	require.Equal(c, simulator.NoticeCancellation, tells(seen[0])[len(tells(seen[0]))-1])
	c.refused(http.StatusConflict, c.Desk, http.MethodPost, "/appointments/"+a+"/cancel", client.Step{})
	c.over(a)
	latest("08", 5)

	// Cancelled and made anew is a move, in whichever order, said or not: one message,
	// about the one that was.
	for i, move := range []func(was string, renew func(replaces string) string) string{
		func(was string, renew func(string) string) string { c.step(was, "cancel"); return renew("") },
		func(was string, renew func(string) string) string { id := renew(""); c.step(was, "cancel"); return id },
		func(was string, renew func(string) string) string { id := renew(was); c.step(was, "cancel"); return id },
	} {
		q, slot, start := c.patient(nil), c.slots(day(3, 13+i), 1, nil)[0], day(6, 13+i)
		was := c.reserved(q, slot)
		c.settled(was)
		is := move(was, func(replaces string) string {
			return c.book(q, start, func(b *client.Booking) { b.Replaces = replaces }).AppointmentID
		})
		c.settle(is, was)
		require.Equal(c, []string{"05", "07"}, codesOf(c.told(q)))
		event := c.told(q)[1].Message.Events[0]
		require.Equal(c, is, event.UID)
		require.Equal(c, was, event.RelatedTo)
		seen := c.seen(q)
		require.Len(c, seen, 1, "to the citizen it is one appointment")
		require.True(c, seen[0].StartsAt.Equal(start))
		require.Equal(c, simulator.Booked, seen[0].Status)
		require.Equal(c, []string{simulator.NoticeConfirmation, simulator.NoticeChange}, tells(seen[0]))
	}

	// Who does not come: told whatever the booking channel, and no sooner.
	absent, slot := c.patient(nil), c.slots(day(3, 12), 1, nil)[0]
	missed := c.reserved(absent, slot)
	c.refused(http.StatusConflict, c.Desk, http.MethodPost, "/appointments/"+missed+"/missed", client.Step{})
	c.settled(missed)
	c.passTo(missed, slot.StartsAt.Add(5*time.Minute))
	c.step(missed, "missed")
	c.settle(missed)
	require.Equal(c, []string{"05", "11"}, codesOf(c.told(absent)))
	require.Equal(c, simulator.Missed, c.seen(absent)[0].Status)
	require.Empty(c, c.sent(absent))
}

// overviewOfAll: the patient sees every appointment on Helsenorge, wherever it was
// booked and however it stands, but no hidden one (S80).
func overviewOfAll(c *clinic) {
	p, slots := c.patient(nil), c.slots(day(3, 9), 3, nil)
	onHelsenorge := c.reserved(p, slots[0])
	inPortal := c.portalBook(p, p, slots[1], false).AppointmentID
	inApp := c.portalBook(p, p, slots[2], true).AppointmentID
	atDesk := c.book(p, day(4, 9), nil).AppointmentID
	cancelled := c.book(p, day(4, 10), nil).AppointmentID
	hidden := c.book(p, day(4, 11), func(b *client.Booking) { b.TypeID = c.HiddenID }).AppointmentID
	c.settle(inPortal, inApp, atDesk, cancelled, hidden)
	c.step(cancelled, "cancel")
	c.settle(cancelled)

	type line struct {
		id, status string
		start      time.Time
	}
	var got []line
	for _, a := range c.seen(p) {
		got = append(got, line{a.UID, a.Status, a.StartsAt})
	}
	require.Equal(c, []line{
		{onHelsenorge, simulator.Booked, slots[0].StartsAt}, {inPortal, simulator.Booked, slots[1].StartsAt}, {inApp, simulator.Booked, slots[2].StartsAt},
		{atDesk, simulator.Booked, day(4, 9)}, {cancelled, simulator.Cancelled, day(4, 10)},
	}, got)

	var all api.List[pg.CalendarEntry]
	c.must(c.Desk, http.MethodGet, "/patients/"+p.ID+"/appointments", nil, &all)
	var ids []string
	for _, e := range all.Items {
		ids = append(ids, e.ID)
	}
	require.Equal(c, []string{hidden, cancelled, atDesk, inApp, inPortal, onHelsenorge}, ids, "staff see the hidden one too, the newest first")
	require.Len(c, c.portal(p, p), 5)
	require.Empty(c, c.seen(c.patient(nil)), "and nobody sees another's")
}

// parentsUntilSixteen: a parent acts for the child until the sixteenth birthday begins
// in Norway, and from then on does not (S81).
func parentsUntilSixteen(c *clinic) {
	mother, stranger := c.patient(nil), c.patient(nil)
	born := func(days int) string { return oslo.In(today).AddDate(-16, 0, days).Format(time.DateOnly) }
	child := func(days int) patient {
		p := c.patient(func(r *client.PatientRecord) {
			r.Status = &pg.PatientStatus{BornOn: born(days)}
			r.Representations = &[]pg.Representation{{RepresentativeID: mother.ID, Relation: "FO"}}
		})
		c.active(p, false, true)
		return p
	}
	younger, older, soon := child(2), child(0), child(4) // sixteen in two days, since today, in four
	slots := c.slots(day(2, 9), 3, nil)

	// On Helsenorge, which judges by itself who acts.
	answer := c.answerTo(c.reserve(younger, slots[0], func(a *simulator.Action) { a.By = mother.Citizen }))
	require.Equal(c, contract.AppointmentConfirmed, answer.Function)
	require.Nil(c, answer.Message.Relation, "an answer goes to the patient alone")
	require.Equal(c, younger.ID, c.appointment(c.inCalendar(slots[0])).PatientID)
	require.Equal(c, simulator.Booked, c.sees(younger, "the booking", func(a simulator.Appointment) bool { return a.Status == simulator.Booked }).Status)

	// In the clinic's portal.
	require.Len(c, c.portal(younger, mother), 1)
	booked := c.portalBook(younger, mother, slots[1], false)
	require.Len(c, c.portal(younger, mother), 2)
	c.must(c.Portal, http.MethodPost, "/portal/patients/"+younger.ID+"/appointments/"+booked.AppointmentID+"/cancel", client.PortalStep{ViewerID: mother.ID}, nil)
	require.True(c, c.free(slots[1]))

	own := c.portalBook(older, older, slots[1], false)
	require.Len(c, c.portal(older, older), 1)
	no := func(p, viewer patient) {
		c.Helper()
		path := "/portal/patients/" + p.ID + "/appointments"
		c.refused(http.StatusForbidden, c.Portal, http.MethodGet, path+"?viewer="+viewer.ID, nil)
		c.refused(http.StatusForbidden, c.Portal, http.MethodGet, "/portal/patients/"+p.ID+"/feed?viewer="+viewer.ID, nil)
		c.refused(http.StatusForbidden, c.Portal, http.MethodPost, path, client.PortalBooking{ViewerID: viewer.ID, SlotID: slots[2].ID})
	}
	no(older, mother)
	no(younger, stranger)
	no(mother, younger) // a child is no representative
	refusal := c.refused(http.StatusForbidden, c.Portal, http.MethodPost, "/portal/patients/"+older.ID+"/appointments/"+own.AppointmentID+"/cancel", client.PortalStep{ViewerID: mother.ID})
	require.Contains(c, refusal.Detail, "sixteen-or-older")
	require.Equal(c, contract.StatusBooked, c.appointment(own.AppointmentID).Status)
	require.True(c, c.free(slots[2]))

	// The right ends by itself, at the instant of the act: what she booked in time she
	// cancels until the birthday begins, and no later.
	birthday := oslo.Midnight(day(4, 12))
	later := c.slots(day(6, 9), 2, nil)
	for i, at := range []time.Time{birthday.Add(-time.Minute), birthday} {
		id := c.portalBook(soon, mother, later[i], true).AppointmentID
		c.settle(id)
		c.passTo(id, at)
		status, body, err := c.call(c.Portal, http.MethodPost, "/portal/patients/"+soon.ID+"/appointments/"+id+"/cancel", newID(), client.PortalStep{ViewerID: mother.ID})
		require.NoError(c, err)
		if i == 0 {
			require.Equalf(c, http.StatusOK, status, "%s", body)
			require.Equal(c, contract.StatusCancelled, c.appointment(id).Status)
			continue
		}
		require.Equalf(c, http.StatusForbidden, status, "%s", body)
		require.Contains(c, body, "sixteen-or-older")
		require.Equal(c, contract.StatusBooked, c.appointment(id).Status)
	}
}

// hiddenIsNowhere: nothing of a hidden appointment is on Helsenorge, on any channel or
// in the portal; what was seen before is hidden knowingly, and without a word (S82, A4,
// D10, T-32).
func hiddenIsNowhere(c *clinic) {
	mother := c.patient(nil)
	child := func() patient {
		return c.patient(func(r *client.PatientRecord) {
			r.Status = &pg.PatientStatus{BornOn: oslo.In(today).AddDate(-15, 0, 0).Format(time.DateOnly)}
			r.Representations = &[]pg.Representation{{RepresentativeID: mother.ID, Relation: "FO"}}
		})
	}
	nothing := func(p patient) {
		c.Helper()
		require.Empty(c, c.told(p))
		require.Empty(c, c.seen(p))
		require.Empty(c, c.sent(p))
		require.Empty(c, c.portal(p, p))
		require.Empty(c, c.portal(p, mother))
		require.Empty(c, c.feed(p))
	}

	// Hidden from the start, and moved, and cancelled: to its very end.
	first := child()
	c.active(first, false, true)
	a := c.book(first, day(5, 9), func(b *client.Booking) { b.TypeID = c.HiddenID }).AppointmentID
	c.settle(a)
	require.Equal(c, "hidden", c.decided(a, contract.AboutPublication).Rule)
	require.Equal(c, "hidden", c.decided(a, contract.AboutReminderPlan).Rule)
	c.move(a, day(6, 9))
	c.over(a)
	nothing(first)
	require.True(c, c.entries(c.CalendarID, day(6, 9))[0].Hidden, "staff see it")

	// For who is not on Helsenorge, with every gate of the clinic open.
	second := child()
	c.active(second, false, false)
	b := c.book(second, day(5, 10), func(b *client.Booking) { b.TypeID = c.HiddenID }).AppointmentID
	c.step(b, "cancel")
	c.over(b)
	nothing(second)

	// Hidden by changing the type, before anybody was told.
	third := child()
	c.active(third, false, true)
	d := c.book(third, day(5, 11), nil).AppointmentID
	c.amend(d, client.Amendment{TypeID: c.HiddenID})
	c.over(d)
	nothing(third)

	// After it was told: staff are asked first, and then nothing more leaves.
	fourth := child()
	c.active(fourth, false, true)
	e := c.book(fourth, day(5, 12), nil).AppointmentID
	c.settle(e)
	require.Equal(c, []string{"05"}, codesOf(c.told(fourth)))
	asked := c.refused(http.StatusConflict, c.Desk, http.MethodPatch, "/appointments/"+e, client.Amendment{TypeID: c.HiddenID})
	require.Contains(c, asked.Detail, "05 shown on Helsenorge since")
	require.False(c, c.appointment(e).Hidden)
	c.amend(e, client.Amendment{TypeID: c.HiddenID, Acknowledged: true})
	require.Len(c, c.cases(contract.CaseHiddenAfterPublication), 1)
	require.Empty(c, c.portal(fourth, fourth))
	require.Empty(c, c.portal(fourth, mother))
	c.move(e, day(5, 13))
	c.settle(e)
	answer, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.Cancel, Citizen: fourth.Citizen, Appointment: e, By: mother.Citizen})
	require.NoError(c, err)
	require.Equal(c, contract.AppointmentNotCancelled, c.answerTo(answer).Function)
	c.over(e)
	require.Equal(c, []string{"05", "09"}, codesOf(c.told(fourth)), "no change, no reminder, and no cancellation that would itself tell")
	require.Empty(c, c.sent(fourth))
	require.Equal(c, []string{simulator.NoticeConfirmation}, tells(c.seen(fourth)[0]))
}
