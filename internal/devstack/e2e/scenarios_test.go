package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/scan/scantest"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/client"
)

// TestScenarios are the nasty stories, each in a clinic of its own in
// one world: what happens enters by wire and HTTP, the days pass on the real server, and
// what is asserted is what Helsenorge, the patient and staff see. Stories in which
// Helsenorge or a provider fails for all are TestScenariosOfFailure's.
func TestScenarios(t *testing.T) {
	stories := []struct {
		name string
		play func(*clinic)
	}{
		{"D1 moved twice within the grace, inside the reminder's window", movedTwiceInsideTheWindow},
		{"D1 moved for real inside the reminder's window", movedForRealInsideTheWindow},
		{"D2 booked less than a day ahead", bookedLate},
		{"D2 lead times", leadTimes},
		{"D4 turns 16 between booking and reminder", turnsSixteen},
		{"D5 withdraws before the reminder", withdraws},
		{"D6 three book one slot", threeBookOneSlot},
		{"D10 hidden after the confirmation", hiddenAfterTheConfirmation},
		{"D14 dies, by mistake", diesByMistake},
		{"D14 address code 6", protectedAddress},
		{"D15 a second calendar and a gate at once", secondCalendarAndGate},
		{"D16 files of every size", filesOfEverySize},
	}
	w := clinics(t, len(stories), stack.Config{ClamAVAddr: scantest.Start(t).Addr})
	for i, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.play(w.clinic(t, i))
		})
	}
}

// shows tells that a message shows the start by the Norwegian clock.
func shows(m sink.Message, start time.Time) bool {
	text := m.Subject + "\n" + m.Text
	return strings.Contains(text, oslo.Date(start, "nb")) && strings.Contains(text, oslo.In(start).Format("15:04"))
}

// gets demands that a patient got exactly so many messages of the clinic, and that they
// show these starts, in this order.
func (c *clinic) gets(p patient, starts ...time.Time) {
	c.Helper()
	all := c.sent(p)
	require.Lenf(c, all, len(starts), "%+v", all)
	for i, m := range all {
		require.Truef(c, shows(m, starts[i]), "message %d shows %s: %s", i, starts[i], m.Text)
		require.Equal(c, 1, m.Arrival, "never twice")
	}
}

// outcome demands how the newest revision's notice ended, and why.
func (c *clinic) outcome(id string, purpose contract.Purpose, want contract.Outcome, reason string) pg.NoticeExplained {
	c.Helper()
	n := c.notice(id, purpose)
	require.Equalf(c, want, n.Outcome, "%s, decided %s", n.Reason, n.DecidedAt)
	require.Equal(c, reason, n.Reason)
	return n
}

// reminded lets time pass until the appointment's reminder is given, and returns when
// that was planned.
func (c *clinic) reminded(id string) time.Time {
	c.Helper()
	at := c.appointment(id).RemindAt
	require.False(c, at.IsZero(), "a reminder is planned")
	c.passTo(id, at.Add(beyond))
	c.notice(id, contract.PurposeReminder)
	return at
}

// quiet demands that nothing more comes until the appointment is over.
func (c *clinic) quiet(id string, p patient) {
	c.Helper()
	got, told := len(c.sent(p)), len(c.told(p))
	c.over(id)
	require.Len(c, c.sent(p), got, "nothing more from the clinic")
	require.Len(c, c.told(p), told, "nothing more to Helsenorge")
}

// movedTwiceInsideTheWindow is D1: after its reminder the appointment is moved away and
// three minutes later to the afternoon of its own day.
func movedTwiceInsideTheWindow(c *clinic) {
	c.settings(func(s *pg.Settings) { s.GraceMinutes = 5 })
	p, start, away, back := c.inactive(nil), day(6, 10), day(11, 9), day(6, 14)
	id := c.book(p, start, nil).AppointmentID
	c.pass(id, 6*time.Minute)
	c.settled(id)
	c.reminded(id)
	c.gets(p, start, start) // confirmed and reminded

	c.passTo(id, start.Add(-26*time.Hour))
	c.move(id, away)
	c.pass(id, 3*time.Minute)
	c.move(id, back)
	c.pass(id, 6*time.Minute)
	c.settled(id)
	c.gets(p, start, start, back)
	plan := c.decided(id, contract.AboutReminderPlan)
	require.Equal(c, "skip", plan.Decided, string(plan.Inputs))
	require.Equal(c, "merged-with-confirmation", plan.Rule, "the change was told inside the new window: %s", plan.Inputs)
	c.outcome(id, contract.PurposeChange, contract.OutcomeSent, "taken-is-final")
	c.quiet(id, p)
}

// movedForRealInsideTheWindow is D1's other end: moved for days, it is told and reminded
// of anew, and never again of the old start.
func movedForRealInsideTheWindow(c *clinic) {
	p, start, next := c.inactive(nil), day(6, 10), day(11, 9)
	id := c.book(p, start, nil).AppointmentID
	c.settle(id)
	c.reminded(id)
	c.passTo(id, start.Add(-26*time.Hour))
	c.move(id, next)
	c.settle(id)
	c.gets(p, start, start, next)
	at := c.reminded(id)
	require.False(c, at.Before(next.Add(-48*time.Hour)) || at.After(next.Add(-24*time.Hour)), at)
	c.gets(p, start, start, next, next)
	c.quiet(id, p)
}

// bookedLate is D2: what is booked when the window has passed is confirmed and never
// reminded of, and just before the start the clinic does not even confirm.
func bookedLate(c *clinic) {
	soon := time.Now().Add(16 * time.Hour).UTC().Truncate(time.Minute)
	online := c.patient(nil)
	id := c.reserved(online, c.slots(soon, 1, nil)[0])
	c.settled(id)
	c.outcome(id, contract.PurposeConfirmation, contract.OutcomeDelegated, "delegated")
	plan := c.decided(id, contract.AboutReminderPlan)
	require.Equal(c, []string{"skip", "window-past"}, []string{plan.Decided, plan.Rule})
	c.outcome(id, contract.PurposeReminder, contract.OutcomeSuppressed, "window-past")
	c.quiet(id, online)
	require.Equal(c, []string{"05"}, codesOf(c.told(online)), "the answer tells it, and nothing else does")

	late := c.inactive(nil)
	at := time.Now().Add(40 * time.Minute).UTC().Truncate(time.Minute)
	id = c.book(late, at, nil).AppointmentID
	c.settle(id)
	c.outcome(id, contract.PurposeConfirmation, contract.OutcomeSuppressed, "too-near")
	c.gets(late)
	require.Len(c, c.portal(late, late), 1, "and yet it is in the portal")
	require.Len(c, slices.DeleteFunc(c.entries(c.CalendarID, at), func(e pg.CalendarEntry) bool { return e.ID != id }), 1, "and in the calendar")
	c.quiet(id, late)
}

// leadTimes is F6: what a patient whom the clinic tells gets, by how long before the
// start the appointment is made.
func leadTimes(c *clinic) {
	begins := time.Now().UTC().Truncate(time.Second)
	for i, l := range []struct {
		lead      time.Duration
		confirmed bool
		rules     []string
	}{
		// Told inside 48 hours: twelve hours later and awake, or not at all.
		{47*time.Hour + 59*time.Minute, true, []string{"after-confirmation", "merged-with-confirmation"}},
		{24*time.Hour + time.Minute, true, []string{"window-past"}},
		{24 * time.Hour, true, []string{"window-past"}},
		{23*time.Hour + 59*time.Minute, true, []string{"window-past"}},
		{61*time.Minute + 2*time.Minute, true, []string{"window-past"}}, // the grace is part of the lead
		{44 * time.Minute, false, []string{"window-past"}},
	} {
		// Apart by some minutes, so that they do not meet in the calendar.
		p, start := c.inactive(nil), begins.Add(l.lead)
		calendar := c.CalendarID
		if i%2 == 1 {
			calendar = c.ColleagueCalendarID
		}
		id := c.book(p, start, func(b *client.Booking) {
			b.CalendarID, b.EndsAt = calendar, b.StartsAt.Add(30*time.Second)
		}).AppointmentID
		c.settle(id)
		want := []time.Time{}
		if l.confirmed {
			want = append(want, start)
		}
		c.gets(p, want...)
		plan := c.decided(id, contract.AboutReminderPlan)
		require.Containsf(c, l.rules, plan.Rule, "%s: %s", l.lead, plan.Inputs)
		if plan.Decided != "skip" {
			at := c.reminded(id)
			require.GreaterOrEqual(c, at.Sub(begins), 12*time.Hour)
			require.False(c, at.Before(start.Add(-48*time.Hour)) || at.After(start.Add(-24*time.Hour)), at)
			want = append(want, start)
			c.gets(p, want...)
		}
		c.quiet(id, p)
	}
}

// turnsSixteen is D4: a child's contacts are the mother's, and the child turns 16 before
// the reminder. From then on she gets nothing, not even the cancellation.
func turnsSixteen(c *clinic) {
	y, m, d := oslo.In(day(7, 12)).Date()
	birthday := oslo.At(y, m, d, 0, 0, 0)
	mothers := func(r *client.PatientRecord) {
		r.Status = &pg.PatientStatus{BornOn: fmt.Sprintf("%04d-%02d-%02d", y-16, m, d)}
		for i := range *r.Contacts {
			(*r.Contacts)[i].Relation = "FO"
		}
	}
	p, start := c.inactive(mothers), day(10, 12)
	id := c.book(p, start, nil).AppointmentID
	c.settle(id)
	c.gets(p, start) // he is 15
	require.True(c, birthday.Before(start.Add(-48*time.Hour)))
	c.reminded(id)
	c.outcome(id, contract.PurposeReminder, contract.OutcomeSuppressed, "no-contact")
	require.Len(c, c.cases(contract.CaseNoContact), 1, "somebody at the clinic is asked")
	c.step(id, "cancel")
	c.settle(id)
	c.outcome(id, contract.PurposeCancellation, contract.OutcomeSuppressed, "no-contact")
	c.gets(p, start)

	// With a contact of the youth's own it is used, and with a profile of the youth's own
	// Helsenorge tells.
	own := c.inactive(func(r *client.PatientRecord) {
		mothers(r)
		(*r.Contacts)[1].Relation = ""
	})
	id = c.book(own, start.Add(time.Hour), nil).AppointmentID
	c.settle(id)
	c.reminded(id)
	all := c.sent(own)
	require.Equal(c, []sink.Way{sink.Mail, sink.SMS}, ways(all), "the mother's mail while he was 15, then the youth's own number")
	c.quiet(id, own)

	there := c.patient(mothers)
	id = c.book(there, start.Add(2*time.Hour), nil).AppointmentID
	c.settle(id)
	c.reminded(id)
	c.outcome(id, contract.PurposeReminder, contract.OutcomeDelegated, "delegated")
	c.gets(there)
}

// withdraws is D5: active when booked, and no more when the reminder is due. The clinic
// gives it where the gates are open, and staff see why nobody does where they are not.
func withdraws(c *clinic) {
	type change func(p patient)
	inactive := func(p patient) { c.active(p, false, false) }
	noConsent := func(p patient) {
		c.must(c.Service, http.MethodPut, "/patients/"+p.ID+"/status", pg.PatientStatus{NoConsent: true}, nil)
	}
	for i, how := range []struct {
		withdraw change
		reason   string
	}{{inactive, "not-active"}, {noConsent, "no-consent"}} {
		p, start := c.patient(nil), day(5, 9+i)
		id := c.book(p, start, nil).AppointmentID
		c.settle(id)
		c.outcome(id, contract.PurposeConfirmation, contract.OutcomeDelegated, "delegated")
		how.withdraw(p)
		c.reminded(id)
		c.gets(p, start)
		require.Equal(c, how.reason, c.ownedBecause(id, contract.PurposeReminder))
		c.quiet(id, p)
	}

	p, start := c.patient(nil), day(5, 12)
	id := c.book(p, start, nil).AppointmentID
	c.settle(id)
	inactive(p)
	c.calendars(pg.Calendar{ID: c.CalendarID, OwnerID: c.GPID, Name: "Frida Fastlege"})
	c.reminded(id)
	c.outcome(id, contract.PurposeReminder, contract.OutcomeSuppressed, "gate-calendar")
	c.gets(p)
}

// ownedBecause is the reason for which the clinic gives the newest revision's notice.
func (c *clinic) ownedBecause(id string, purpose contract.Purpose) string {
	c.Helper()
	reason := ""
	for _, d := range c.explain(id).Decisions {
		if d.About == string(purpose) && d.Decided == string(contract.OwnerClinic) {
			reason = d.Rule
		}
	}
	return reason
}

// threeBookOneSlot is D6, some times over: Helsenorge, the portal and the desk take one
// slot at once, and what comes from Helsenorge comes twice, in one envelope or two.
func threeBookOneSlot(c *clinic) {
	won := map[string]int{}
	const rounds = 4
	slots := c.slots(day(4, 9), rounds, nil)
	for round, s := range slots {
		online, inPortal, atDesk := c.patient(nil), c.patient(nil), c.patient(nil)
		before := len(c.entries(c.CalendarID, s.StartsAt))
		var sent simulator.Sent
		var sentErr error
		var portal, desk int
		var portalErr, deskErr error
		var wg sync.WaitGroup
		wg.Go(func() {
			sent, sentErr = c.Simulator.Act(c.Context(), simulator.Action{
				Kind: simulator.Reserve, Citizen: online.Citizen, To: c.GPHerID, Slot: c.slotOf(s), Times: 2, NewEnvelope: round%2 == 1,
			})
		})
		wg.Go(func() {
			portal, _, portalErr = c.call(c.Portal, http.MethodPost, "/portal/patients/"+inPortal.ID+"/appointments", newID(),
				client.PortalBooking{ViewerID: inPortal.ID, SlotID: s.ID, Comment: "Kontroll."})
		})
		wg.Go(func() {
			desk, _, deskErr = c.call(c.Desk, http.MethodPost, "/appointments", newID(), client.Booking{PatientID: atDesk.ID, SlotID: s.ID})
		})
		wg.Wait()
		require.NoError(c, sentErr)
		require.NoError(c, portalErr)
		require.NoError(c, deskErr)
		winners := 0
		answer := c.answerTo(sent) // one answer to both deliveries
		require.Contains(c, []string{contract.AppointmentConfirmed, contract.AppointmentNotAvailable}, answer.Function)
		for who, got := range map[string]bool{"helsenorge": answer.Function == contract.AppointmentConfirmed, "portal": portal < 300, "desk": desk < 300} {
			if got {
				winners++
				won[who]++
			}
		}
		require.Equal(c, 1, winners, "portal %d, desk %d, Helsenorge %s", portal, desk, answer.Function)
		for _, status := range []int{portal, desk} {
			require.True(c, status < 300 || status == http.StatusConflict, status)
		}
		require.Len(c, c.entries(c.CalendarID, s.StartsAt), before+1, "one entry")
		require.False(c, c.free(s))
	}
	c.Logf("won: %v", won)
}

// hiddenAfterTheConfirmation is D10. What was seen is said before it is hidden; then
// nothing more leaves, not even a cancellation, and shown again it is one change.
func hiddenAfterTheConfirmation(c *clinic) {
	y, m, d := oslo.In(time.Now()).Date()
	child := func(r *client.PatientRecord) {
		r.Status = &pg.PatientStatus{BornOn: fmt.Sprintf("%04d-%02d-%02d", y-15, m, d)}
		for i := range *r.Contacts {
			(*r.Contacts)[i].Relation = "FO"
		}
	}
	hide := func(id string) {
		problem := c.refused(http.StatusConflict, c.Desk, http.MethodPatch, "/appointments/"+id, client.Amendment{TypeID: c.HiddenID})
		require.Contains(c, problem.Detail, "05 shown on Helsenorge since ")
		require.Contains(c, problem.Detail, "acknowledged")
		c.amend(id, client.Amendment{TypeID: c.HiddenID, Acknowledged: true})
		c.settle(id)
	}
	p, slots := c.patient(child), c.slots(day(5, 10), 2, nil)
	c.active(p, false, true) // his father reads for him
	id := c.reserved(p, slots[0])
	c.settled(id)
	c.outcome(id, contract.PurposeConfirmation, contract.OutcomeDelegated, "delegated")
	c.sees(p, "the appointment", func(a simulator.Appointment) bool {
		return slices.Equal(tells(a), []string{simulator.NoticeConfirmation})
	})

	hide(id)
	require.Len(c, c.cases(contract.CaseHiddenAfterPublication), 1, "what cannot be called back is a person's to solve")
	plan := c.decided(id, contract.AboutReminderPlan)
	require.Equal(c, []string{"skip", "hidden"}, []string{plan.Decided, plan.Rule})
	require.Empty(c, c.portal(p, p))
	c.move(id, slots[0].StartsAt.Add(24*time.Hour))
	c.settle(id)
	require.Equal(c, []string{"05"}, codesOf(c.told(p)), "no change and no cancellation leaves")

	c.amend(id, client.Amendment{TypeID: c.ConsultID})
	c.settle(id)
	require.Equal(c, []string{"05", "07"}, codesOf(c.told(p)), "shown again, it is one change")
	c.sees(p, "one change", func(a simulator.Appointment) bool {
		return slices.Equal(tells(a), []string{simulator.NoticeConfirmation, simulator.NoticeChange})
	})

	// Hidden again and cancelled: the cancellation would itself tell.
	c.amend(id, client.Amendment{TypeID: c.HiddenID, Acknowledged: true})
	c.settle(id)
	c.step(id, "cancel")
	c.quiet(id, p)
	require.Equal(c, []string{"05", "07"}, codesOf(c.told(p)))
	c.gets(p)

	// By the clinic's own channels it is the same.
	q := c.inactive(child)
	id = c.book(q, slots[1].StartsAt.Add(2*time.Hour), nil).AppointmentID
	c.settle(id)
	c.gets(q, slots[1].StartsAt.Add(2*time.Hour))
	problem := c.refused(http.StatusConflict, c.Desk, http.MethodPatch, "/appointments/"+id, client.Amendment{TypeID: c.HiddenID})
	require.Contains(c, problem.Detail, "confirmation by e-mail accepted at ")
	c.amend(id, client.Amendment{TypeID: c.HiddenID, Acknowledged: true})
	c.settle(id)
	c.step(id, "cancel")
	c.quiet(id, q)
	c.gets(q, slots[1].StartsAt.Add(2*time.Hour))
}

// diesByMistake is D14: from the registration on nothing is sent, staff keep the
// appointment, and when the registry was wrong no old notice comes after all.
func diesByMistake(c *clinic) {
	status := func(p patient, s pg.PatientStatus) {
		c.must(c.Service, http.MethodPut, "/patients/"+p.ID+"/status", s, nil)
	}
	p, start := c.inactive(nil), day(6, 11)
	id := c.book(p, start, nil).AppointmentID
	c.settle(id)
	c.gets(p, start)
	status(p, pg.PatientStatus{Deceased: true})
	c.reminded(id)
	c.outcome(id, contract.PurposeReminder, contract.OutcomeSuppressed, "deceased")
	require.Equal(c, contract.StatusBooked, c.appointment(id).Status, "it stays for staff to release")
	c.move(id, start.Add(4*time.Hour))
	c.settle(id)
	c.outcome(id, contract.PurposeChange, contract.OutcomeSuppressed, "deceased")
	c.gets(p, start)

	status(p, pg.PatientStatus{})
	c.pass(id, time.Hour)
	c.settled(id)
	c.gets(p, start) // no burst
	next := start.Add(24 * time.Hour)
	c.move(id, next)
	c.settle(id)
	c.gets(p, start, next)
	c.reminded(id)
	c.gets(p, start, next, next)
	c.quiet(id, p)
}

// protectedAddress is D14's other half: a representative's number is not used any more,
// and neither text nor mail names a place.
func protectedAddress(c *clinic) {
	status := func(p patient, s pg.PatientStatus) {
		c.must(c.Service, http.MethodPut, "/patients/"+p.ID+"/status", s, nil)
	}
	relatives := c.inactive(func(r *client.PatientRecord) {
		for i := range *r.Contacts {
			(*r.Contacts)[i].Relation = "VE"
		}
	})
	own := c.inactive(nil)
	start := day(6, 11)
	place := func(b *client.Booking) { b.Place = "Storgata 1, 2. etasje" }
	first := c.book(relatives, start, place).AppointmentID
	second := c.book(own, start.Add(time.Hour), place).AppointmentID
	for _, id := range []string{first, second} {
		c.settle(id)
	}
	c.gets(relatives, start)
	require.Contains(c, c.sent(own)[0].Text, "Storgata 1")
	for _, p := range []patient{relatives, own} {
		status(p, pg.PatientStatus{Protected: true})
	}
	c.reminded(first)
	c.outcome(first, contract.PurposeReminder, contract.OutcomeSuppressed, "no-contact-protected")
	require.Len(c, c.cases(contract.CaseNoContact), 1)
	c.reminded(second)
	c.gets(own, start.Add(time.Hour), start.Add(time.Hour))
	require.NotContains(c, c.sent(own)[1].Text, "Storgata")

	status(relatives, pg.PatientStatus{})
	c.quiet(first, relatives)
	c.gets(relatives, start)
	c.quiet(second, own)
}

// secondCalendarAndGate is D15: while a reminder is due, the practitioner gets a second
// calendar and the calendar's gate is closed, and a reservation comes.
func secondCalendarAndGate(c *clinic) {
	p, other, start := c.inactive(nil), c.patient(nil), day(5, 10)
	slots := c.slots(day(4, 9), 2, nil)
	id := c.book(p, start, nil).AppointmentID
	c.settle(id)
	vaccination := pg.Calendar{ID: newID(), OwnerID: c.GPID, Name: "Vaksine", Notify: true}
	closed := c.calendar()
	closed.Notify = false
	var wg sync.WaitGroup
	wg.Go(func() { c.calendars(closed, vaccination) })
	at := c.appointment(id).RemindAt
	c.passTo(id, at.Add(beyond))
	wg.Wait()
	reminder := c.notice(id, contract.PurposeReminder)
	// Whichever came first, it is whole: read once, and recorded.
	decided := c.decided(id, string(contract.PurposeReminder))
	switch reminder.Outcome {
	case contract.OutcomeSuppressed:
		require.Equal(c, "gate-calendar", reminder.Reason)
		require.Contains(c, string(decided.Inputs), `"calendar":false`)
		c.gets(p, start)
	case contract.OutcomeSent:
		require.Contains(c, string(decided.Inputs), `"calendar":true`)
		c.gets(p, start, start)
	default:
		require.Fail(c, "half sent", "%+v", reminder)
	}

	answer := c.answerTo(c.reserve(other, slots[0], nil))
	require.Equal(c, contract.AppointmentNotAvailable, answer.Function)
	state := c.calendarState()
	require.False(c, state.BookingOpen)
	require.Equal(c, 2, state.Owned)
	require.NotEmpty(c, state.Reason)
	require.Equal(c, 1, state.FutureAppointments, "what is booked stays")
	open := slices.DeleteFunc(c.cases(contract.CaseBookingClosed), func(k pg.Case) bool { return k.ResolvedAt != nil })
	require.Len(c, open, 1)
	require.Equal(c, c.GPID, open[0].MessageID)

	vaccination.Inactive = true
	c.calendars(vaccination)
	require.True(c, c.calendarState().BookingOpen, "at once, with no other action")
	c.reserved(other, slots[1])
	c.quiet(id, p)
}
