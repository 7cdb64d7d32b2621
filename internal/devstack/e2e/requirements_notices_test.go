package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/client"
)

// delegated demands that Helsenorge gives the notice, and that the clinic's channels
// were not touched.
func (c *clinic) delegated(id string, purpose contract.Purpose, p patient) pg.NoticeExplained {
	c.Helper()
	n := c.notice(id, purpose)
	require.Equal(c, contract.OwnerHelsenorge, n.Owner, n.Reason)
	require.Equal(c, "delegated", n.Reason)
	require.Equal(c, contract.OutcomeDelegated, n.Outcome)
	require.Empty(c, n.Attempts)
	require.Empty(c, c.sent(p))
	return n
}

// given demands that the clinic has given the notice, once, and returns the message: it
// shows the start by the Norwegian clock.
func (c *clinic) given(id string, purpose contract.Purpose, p patient, start time.Time) (pg.NoticeExplained, sink.Message) {
	c.Helper()
	n := c.notice(id, purpose)
	require.Equal(c, contract.OwnerClinic, n.Owner, n.Reason)
	require.Contains(c, []contract.Outcome{contract.OutcomeSent, contract.OutcomeDelivered}, n.Outcome)
	var all []sink.Message
	for _, m := range c.sent(p) {
		if strings.HasPrefix(m.Key, n.ID) {
			all = append(all, m)
		}
	}
	require.Len(c, all, 1, "once, and on one channel")
	requireShows(c, all[0], start)
	return n, all[0]
}

// whyClinic is why the clinic and not Helsenorge was to give a notice.
func (c *clinic) whyClinic(id string, purpose contract.Purpose) string {
	c.Helper()
	for _, d := range c.explain(id).Decisions {
		if d.About == string(purpose) && d.Decided == string(contract.OwnerClinic) {
			return d.Rule
		}
	}
	require.Failf(c, "the clinic was not to give it", "%s of %s", purpose, id)
	return ""
}

// requireShows demands that a message shows the start, the clinic's name and nothing
// that reveals health.
func requireShows(c *clinic, m sink.Message, start time.Time) {
	c.Helper()
	text := m.Subject + "\n" + m.Text
	require.Contains(c, text, oslo.In(start).Format("15:04"))
	require.Contains(c, text, oslo.Date(start, "nb"))
	for _, secret := range []string{"Konsultasjon", "Kontroll", "fastlege", "lege", "Frida"} {
		require.NotContains(c, strings.ToLower(text), strings.ToLower(secret))
	}
}

// suppressed demands that nobody gives the notice, for the reason.
func (c *clinic) suppressed(id string, purpose contract.Purpose, reason string) pg.NoticeExplained {
	c.Helper()
	n := c.notice(id, purpose)
	require.Equal(c, contract.OwnerNobody, n.Owner)
	require.Equal(c, reason, n.Reason)
	require.Equal(c, contract.OutcomeSuppressed, n.Outcome)
	require.Empty(c, n.Attempts)
	return n
}

// requireWindow demands that an instant is in [start-48h, start-24h], hours that pass
// (A5).
func requireWindow(c *clinic, start, at time.Time) {
	c.Helper()
	before := start.Sub(at)
	require.LessOrEqual(c, before, 48*time.Hour)
	require.GreaterOrEqual(c, before, 24*time.Hour)
}

// toReminder lets time pass until the last instant of the appointments' reminders.
func (c *clinic) toReminder(ids ...string) {
	c.Helper()
	var passed []func()
	for _, id := range ids {
		passed = append(passed, c.passingTo(id, c.appointment(id).StartsAt.Add(-24*time.Hour)))
	}
	for i, id := range ids {
		passed[i]()
		c.settled(id)
	}
}

// fourNoticesFromHelsenorge: an active patient gets all four there, and none from the
// clinic; one who is not active gets none there (S83).
func fourNoticesFromHelsenorge(c *clinic) {
	p, start := c.patient(nil), day(6, 12)
	id := c.book(p, day(5, 12), nil).AppointmentID
	c.settle(id)
	c.delegated(id, contract.PurposeConfirmation, p)
	c.move(id, start)
	c.settle(id)
	c.delegated(id, contract.PurposeChange, p)
	c.toReminder(id)
	requireWindow(c, start, c.delegated(id, contract.PurposeReminder, p).DecidedAt)
	c.step(id, "cancel")
	c.settle(id)
	c.delegated(id, contract.PurposeCancellation, p)
	seen := c.seen(p)
	require.Len(c, seen, 1)
	require.Equal(c, []string{simulator.NoticeConfirmation, simulator.NoticeChange, simulator.NoticeCancellation}, tells(seen[0]),
		"its reminder is between it and the citizen")
	require.Equal(c, []string{"05", "07", "08"}, codesOf(c.told(p)))

	absent := c.inactive(nil)
	id = c.book(absent, day(5, 13), nil).AppointmentID
	c.settle(id)
	c.given(id, contract.PurposeConfirmation, absent, day(5, 13))
	require.Empty(c, c.seen(absent))
	for _, m := range c.told(absent) {
		require.Equal(c, "E35", m.Refused)
	}
}

// confirmation is the first of the four notices (S84).
func confirmation(c *clinic) {
	p, slot := c.patient(nil), c.slots(day(4, 9), 1, nil)[0]
	booked := c.reserved(p, slot)
	c.settled(booked)
	c.delegated(booked, contract.PurposeConfirmation, p)
	require.Equal(c, []string{simulator.NoticeConfirmation}, tells(c.seen(p)[0]))
	atDesk := c.book(p, day(4, 10), nil).AppointmentID
	c.settle(atDesk)
	c.delegated(atDesk, contract.PurposeConfirmation, p)
	require.Equal(c, []string{simulator.NoticeConfirmation}, tells(c.seen(p)[1]))
	require.Equal(c, []string{"05", "05"}, codesOf(c.told(p)))

	here := c.inactive(nil)
	own := c.book(here, day(4, 11), func(b *client.Booking) { b.Place = "Storgata 1" }).AppointmentID
	require.Empty(c, c.sent(here))
	c.settle(own)
	_, mail := c.given(own, contract.PurposeConfirmation, here, day(4, 11))
	require.Equal(c, "refused-e35", c.whyClinic(own, contract.PurposeConfirmation), "Helsenorge itself has said that he is not there")
	require.Equal(c, []sink.Way{sink.Mail}, ways(c.sent(here)))
	require.Contains(c, mail.Subject, "bekreftet")
	require.Contains(c, mail.Text, "Storgata 1")
	require.Empty(c, c.seen(here))
	again := c.book(here, day(4, 12), nil).AppointmentID
	c.settle(again)
	c.given(again, contract.PurposeConfirmation, here, day(4, 12))
	require.Equal(c, "not-active", c.whyClinic(again, contract.PurposeConfirmation))
	require.Len(c, c.told(here), 1, "it is not sent there again")

	// What comes to nothing, or is so near that he is on his way, is not confirmed.
	never, near := c.inactive(nil), c.inactive(nil)
	short := c.book(never, day(4, 13), nil).AppointmentID
	c.step(short, "cancel")
	c.settle(short)
	soon := time.Now().UTC().Add(20 * time.Minute).Truncate(time.Minute)
	now := c.book(near, soon, nil).AppointmentID
	c.settle(now)
	c.suppressed(now, contract.PurposeConfirmation, "too-near")
	for _, p := range []patient{never, near} {
		require.Empty(c, c.sent(p))
	}
}

// change is the second: it tells of a new time, place or kind, and of nothing else
// (S85).
func change(c *clinic) {
	p, here := c.patient(nil), c.inactive(nil)
	a, b := c.book(p, day(4, 9), nil).AppointmentID, c.book(here, day(4, 10), nil).AppointmentID
	c.settle(a, b)
	c.move(a, day(5, 9))
	c.move(b, day(5, 10))
	c.move(b, day(5, 11)) // the last within the grace counts
	c.settle(a, b)
	c.delegated(a, contract.PurposeChange, p)
	require.Equal(c, []string{simulator.NoticeConfirmation, simulator.NoticeChange}, tells(c.seen(p)[0]))
	_, mail := c.given(b, contract.PurposeChange, here, day(5, 11))
	require.Contains(c, mail.Subject, "endret")
	require.Equal(c, []sink.Way{sink.Mail, sink.Mail}, ways(c.sent(here)))
	require.Empty(c, c.seen(here))

	place := "Storgata 1"
	for _, id := range []string{a, b} {
		c.amend(id, client.Amendment{Place: &place})
	}
	c.settle(a, b)
	c.delegated(a, contract.PurposeChange, p)
	_, mail = c.given(b, contract.PurposeChange, here, day(5, 11))
	require.Contains(c, mail.Text, place)
	require.Len(c, c.sent(here), 3)

	for _, id := range []string{a, b} { // to a type that is the same to the patient, and there and back
		c.amend(id, client.Amendment{TypeID: c.ControlID})
	}
	c.settle(a, b)
	for _, id := range []string{a, b} {
		start := c.appointment(id).StartsAt
		c.move(id, start.Add(24*time.Hour))
		c.move(id, start)
	}
	c.settle(a, b)
	require.Len(c, c.told(p), 3)
	require.Len(c, c.sent(here), 3)
	require.Equal(c, []string{simulator.NoticeConfirmation, simulator.NoticeChange, simulator.NoticeChange}, tells(c.seen(p)[0]))
}

// cancellation is the third (S86).
func cancellation(c *clinic) {
	p, here := c.patient(nil), c.inactive(nil)
	a, b := c.book(p, day(4, 9), nil).AppointmentID, c.book(here, day(4, 10), nil).AppointmentID
	c.settle(a, b)
	for _, id := range []string{a, b} { // taken back before anybody was told
		c.step(id, "cancel")
		c.step(id, "restore")
	}
	c.settle(a, b)
	require.Equal(c, []string{"05"}, codesOf(c.told(p)))
	require.Len(c, c.sent(here), 1)

	for _, id := range []string{a, b} {
		c.step(id, "cancel")
	}
	c.settle(a, b)
	c.over(a)
	c.over(b)
	c.delegated(a, contract.PurposeCancellation, p)
	require.Equal(c, []string{simulator.NoticeConfirmation, simulator.NoticeCancellation}, tells(c.seen(p)[0]))
	_, mail := c.given(b, contract.PurposeCancellation, here, day(4, 10))
	require.Contains(c, mail.Subject, "avlyst")
	require.Equal(c, []sink.Way{sink.Mail, sink.Mail}, ways(c.sent(here)))
	require.Empty(c, c.seen(here))
	for _, id := range []string{a, b} {
		for _, n := range c.explain(id).Notices {
			require.NotEqual(c, contract.PurposeReminder, n.Purpose, "who need not come is not reminded")
		}
	}

	// The citizen's own cancellation is told by its answer.
	q, slot := c.patient(nil), c.slots(day(4, 11), 1, nil)[0]
	id := c.reserved(q, slot)
	sent, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.Cancel, Citizen: q.Citizen, Appointment: id})
	require.NoError(c, err)
	require.Equal(c, contract.AppointmentCancelled, c.answerTo(sent).Function)
	c.settled(id)
	c.delegated(id, contract.PurposeCancellation, q)
	require.Equal(c, []string{"05", "08"}, codesOf(c.told(q)))
}

// reminder is the fourth: between 48 and 24 hours before the start, both ends included,
// in hours that pass (S87, A5, F4 to F6).
func reminder(c *clinic) {
	p, here, start := c.patient(nil), c.inactive(nil), day(6, 12)
	a, b := c.book(p, start, nil).AppointmentID, c.book(here, start.Add(time.Hour), nil).AppointmentID
	starts := map[string]time.Time{a: start, b: start.Add(time.Hour)}
	none := func(id string) {
		c.Helper()
		for _, n := range c.explain(id).Notices {
			require.NotEqual(c, contract.PurposeReminder, n.Purpose)
		}
	}
	c.settle(a, b)
	for id, start := range starts {
		at := c.appointment(id).RemindAt
		requireWindow(c, start, at)
		require.Equal(c, at.UTC().Format(time.RFC3339), c.decided(id, contract.AboutReminderPlan).Decided)
		c.passTo(id, start.Add(-48*time.Hour))
		none(id)
	}
	require.Len(c, c.sent(here), 1, "the confirmation")
	c.toReminder(a, b)
	requireWindow(c, start, c.delegated(a, contract.PurposeReminder, p).DecidedAt)
	n, mail := c.given(b, contract.PurposeReminder, here, starts[b])
	requireWindow(c, starts[b], n.DecidedAt)
	require.Len(c, n.Attempts, 1)
	requireWindow(c, starts[b], n.Attempts[0].ClaimedAt)
	require.Contains(c, mail.Subject, "Husk")
	require.Equal(c, []string{"05"}, codesOf(c.told(p)), "Helsenorge reminds by itself")
	c.over(a)
	c.over(b)
	require.Len(c, c.sent(here), 2, "one confirmation, one reminder")

	// Moved: the reminder is the new start's, and only its.
	moved, was, will := c.inactive(nil), day(5, 10), day(9, 10)
	id := c.book(moved, was, nil).AppointmentID
	c.settle(id)
	c.move(id, will)
	c.settle(id)
	requireWindow(c, will, c.appointment(id).RemindAt)
	c.passTo(id, was)
	none(id)
	c.toReminder(id)
	n, _ = c.given(id, contract.PurposeReminder, moved, will)
	requireWindow(c, will, n.DecidedAt)
	requireWindow(c, will, n.Attempts[0].ClaimedAt)
	require.Len(c, c.sent(moved), 3, "confirmation, change, reminder")

	// Booked inside the last 24 hours, or so late that the confirmation is reminder
	// enough: none (F6).
	for hours, rule := range map[int]string{20: "window-past", 30: "merged-with-confirmation"} {
		late := c.inactive(nil)
		start := time.Now().UTC().Add(time.Duration(hours) * time.Hour).Truncate(time.Minute)
		id := c.book(late, start, func(b *client.Booking) { b.CalendarID = c.ColleagueCalendarID }).AppointmentID
		c.settle(id)
		require.Equal(c, "skip", c.decided(id, contract.AboutReminderPlan).Decided)
		require.Equal(c, rule, c.decided(id, contract.AboutReminderPlan).Rule)
		c.over(id)
		c.outcome(id, contract.PurposeReminder, contract.OutcomeSuppressed, rule)
		require.Len(c, c.sent(late), 1, "the confirmation")
	}
}

// neitherActiveNorConsenting: no notice on Helsenorge at all, whichever of the two is
// missing; with both there is (S88).
func neitherActiveNorConsenting(c *clinic) {
	c.types(func() pg.AppointmentType { t := c.consult(); t.Notify = false; return t }()) // and none by the clinic
	dissenting := func(r *client.PatientRecord) { r.Status = &pg.PatientStatus{NoConsent: true} }
	all := []patient{c.inactive(nil), c.patient(dissenting), c.inactive(dissenting)}
	var ids []string
	for i, p := range all {
		ids = append(ids, c.book(p, day(6, 8+i), nil).AppointmentID)
	}
	each := func(do func(string)) {
		for _, id := range ids {
			do(id)
		}
	}
	c.settle(ids...)
	each(func(id string) {
		c.suppressed(id, contract.PurposeConfirmation, "gate-type")
		c.move(id, c.appointment(id).StartsAt.Add(24*time.Hour))
	})
	c.settle(ids...)
	c.toReminder(ids...)
	each(func(id string) {
		c.suppressed(id, contract.PurposeReminder, "gate-type")
		c.step(id, "cancel")
	})
	c.settle(ids...)
	each(func(id string) {
		require.Equal(c, "never-published", c.decided(id, contract.AboutPublication).Rule, "who was never told needs no cancellation")
	})
	for i, p := range all {
		require.Empty(c, c.seen(p))
		require.Empty(c, c.sent(p))
		for _, m := range c.told(p) {
			require.Equal(c, "E35", m.Refused)
		}
		if i > 0 {
			require.Empty(c, c.told(p), "who does not consent is not told of there")
		} else {
			require.Len(c, c.told(p), 1, "who is not there is asked about once")
		}
	}
	// What the clinic may tell by itself it tells.
	here := c.patient(dissenting)
	own := c.book(here, day(7, 9), func(b *client.Booking) { b.TypeID = c.ControlID }).AppointmentID
	c.settle(own)
	c.given(own, contract.PurposeConfirmation, here, day(7, 9))
	require.Equal(c, "no-consent", c.whyClinic(own, contract.PurposeConfirmation))
	require.Empty(c, c.told(here))

	// Active through another is active; and both make a notice.
	for i, p := range []patient{c.patient(nil), c.patient(nil)} {
		c.active(p, i == 0, i == 1)
		id := c.book(p, day(6, 14+i), nil).AppointmentID
		c.settle(id)
		c.delegated(id, contract.PurposeConfirmation, p)
		require.Equal(c, []string{simulator.NoticeConfirmation}, tells(c.seen(p)[0]))
		if i == 0 { // who leaves Helsenorge meanwhile is not reminded there (F2)
			c.active(p, false, false)
			c.toReminder(id)
			c.suppressed(id, contract.PurposeReminder, "gate-type")
		}
	}
}

// threeSwitches: clinic, calendar and type must all be on before the clinic itself
// tells: eight combinations, of which one does (S89).
func threeSwitches(c *clinic) {
	closed := pg.Calendar{ID: c.ColleagueCalendarID, OwnerID: c.ColleagueID, Name: "Kari Kollega"}
	c.calendars(closed)
	off := pg.AppointmentType{ID: c.ControlID, Name: "Kontroll", Summary: "Kontroll hos fastlegen"}
	c.types(off)
	hour := 8
	for _, onClinic := range []bool{true, false} {
		c.settings(func(s *pg.Settings) { s.Notify = onClinic })
		type combination struct {
			patient
			id, gates string
			start     time.Time
		}
		var all []combination
		var ids []string
		for _, onCalendar := range []bool{true, false} {
			for _, onType := range []bool{true, false} {
				hour++
				one := combination{patient: c.inactive(nil), start: day(6, hour), gates: closedGates(onClinic, onCalendar, onType)}
				one.id = c.book(one.patient, one.start, func(b *client.Booking) {
					if !onCalendar {
						b.CalendarID = c.ColleagueCalendarID
					}
					if !onType {
						b.TypeID = c.ControlID
					}
				}).AppointmentID
				all, ids = append(all, one), append(ids, one.id)
			}
		}
		c.settle(ids...)
		c.toReminder(ids...)
		for _, one := range all {
			if one.gates == "" {
				c.given(one.id, contract.PurposeConfirmation, one.patient, one.start)
				c.given(one.id, contract.PurposeReminder, one.patient, one.start)
				require.Len(c, c.sent(one.patient), 2)
				continue
			}
			c.suppressed(one.id, contract.PurposeConfirmation, one.gates)
			c.suppressed(one.id, contract.PurposeReminder, one.gates)
			require.Empty(c, c.sent(one.patient))
		}
	}
	// The switches are read when the notice is due, not when it was booked.
	c.settings(nil)
	p := c.inactive(nil)
	id := c.book(p, day(7, 9), nil).AppointmentID
	c.settle(id)
	require.Len(c, c.sent(p), 1)
	shut := c.calendar()
	shut.Notify = false
	c.calendars(shut)
	c.toReminder(id)
	c.suppressed(id, contract.PurposeReminder, "gate-calendar")
	require.Len(c, c.sent(p), 1)
	// And they are the clinic's own: Helsenorge's notices need none of them.
	active := c.patient(nil)
	id = c.book(active, day(7, 10), nil).AppointmentID
	c.settle(id)
	c.delegated(id, contract.PurposeConfirmation, active)
}

// closedGates names the switches that are off, as a decision does.
func closedGates(onClinic, onCalendar, onType bool) string {
	var off []string
	for _, g := range []struct {
		on   bool
		name string
	}{{onClinic, "gate-clinic"}, {onCalendar, "gate-calendar"}, {onType, "gate-type"}} {
		if !g.on {
			off = append(off, g.name)
		}
	}
	return strings.Join(off, "+")
}

// emailSMSOrPush: by e-mail, else by SMS, and by push in addition, as the patient has
// chosen; once each, from the clinic's system (S90).
func emailSMSOrPush(c *clinic) {
	confirmed := func(p patient) (string, pg.NoticeExplained) {
		c.Helper()
		hour := 6 + c.patients
		id := c.book(p, day(5, hour), nil).AppointmentID
		c.settle(id)
		return id, c.notice(id, contract.PurposeConfirmation)
	}
	contacts := func(all ...pg.Contact) func(*client.PatientRecord) {
		return func(r *client.PatientRecord) { r.Contacts = &all }
	}
	states := func(n pg.NoticeExplained) map[contract.Channel]contract.AttemptState {
		all := map[contract.Channel]contract.AttemptState{}
		for _, a := range n.Attempts {
			all[a.Channel] = a.State
		}
		return all
	}

	byMail := c.inactive(nil)
	_, n := confirmed(byMail)
	mail := c.sent(byMail)
	require.Equal(c, []sink.Way{sink.Mail}, ways(mail))
	require.Contains(c, mail[0].Header["From"], "ikke-svar@demo.example")
	require.Equal(c, "auto-generated", mail[0].Header["Auto-Submitted"])
	require.Equal(c, contract.OutcomeSent, n.Outcome, "a mail server says no more than that it has it")

	mobile := func(n int) string { return fmt.Sprintf("+479%07d", 1000+c.n*citizensPerClinic+n) }
	bySMS := c.inactive(contacts(pg.Contact{ID: newID(), Channel: contract.ChannelSMS, Address: mobile(2)}))
	require.Equal(c, mobile(2), bySMS.Mobile)
	_, n = confirmed(bySMS)
	text := c.sent(bySMS)
	require.Equal(c, []sink.Way{sink.SMS}, ways(text))
	require.Equal(c, "DemoSenter", text[0].Header["From"])
	require.Equal(c, contract.OutcomeDelivered, n.Outcome)
	require.Len(c, text[0].Reports, 1)
	require.Equal(c, http.StatusNoContent, text[0].Reports[0].Status)
	require.Equal(c, 1, n.Attempts[0].Segments)

	bouncing := c.inactive(contacts(
		pg.Contact{ID: newID(), Channel: contract.ChannelEmail, Address: "bounce@example.invalid"},
		pg.Contact{ID: newID(), Channel: contract.ChannelSMS, Address: mobile(3)}))
	_, n = confirmed(bouncing)
	require.Equal(c, []sink.Way{sink.SMS}, ways(c.sent(bouncing)), "the next channel when one fails")
	require.Equal(c, map[contract.Channel]contract.AttemptState{
		contract.ChannelEmail: contract.AttemptFailed, contract.ChannelSMS: contract.AttemptDelivered,
	}, states(n))

	preferring := c.inactive(func(r *client.PatientRecord) {
		r.Preference = &pg.Preference{Channels: []contract.Channel{contract.ChannelSMS, contract.ChannelEmail}, Language: "en"}
	})
	confirmed(preferring)
	text = c.sent(preferring)
	require.Equal(c, []sink.Way{sink.SMS}, ways(text))
	require.Contains(c, text[0].Text, "appointment")

	declining := c.inactive(func(r *client.PatientRecord) {
		r.Preference = &pg.Preference{OptedOut: []contract.Channel{contract.ChannelEmail}}
	})
	confirmed(declining)
	require.Equal(c, []sink.Way{sink.SMS}, ways(c.sent(declining)))
	silent := c.inactive(func(r *client.PatientRecord) {
		r.Preference = &pg.Preference{OptedOut: []contract.Channel{contract.ChannelEmail, contract.ChannelSMS, contract.ChannelPush}}
	})
	_, n = confirmed(silent)
	require.Equal(c, contract.OutcomeSuppressed, n.Outcome)
	require.Equal(c, "opted-out", n.Reason)
	require.Empty(c, c.sent(silent))

	subscription, err := c.Sink.Subscribe("")
	require.NoError(c, err)
	pushed := c.inactive(func(r *client.PatientRecord) {
		all := append(*r.Contacts, pg.Contact{ID: newID(), Channel: contract.ChannelPush, Address: subscription.String()})
		r.Contacts = &all
	})
	pushed.Browser = subscription.Endpoint[strings.LastIndex(subscription.Endpoint, "/")+1:]
	_, n = confirmed(pushed)
	both := ways(c.sent(pushed))
	slices.Sort(both)
	require.Equal(c, []sink.Way{sink.Mail, sink.Push}, both, "push is in addition")
	require.Equal(c, contract.AttemptAccepted, states(n)[contract.ChannelPush])
	feed := c.feed(pushed)
	require.Len(c, feed, 1)
	for _, m := range c.sent(pushed) {
		require.Equal(c, 1, m.Arrival)
		if m.Way == sink.Push {
			require.Equal(c, m.Text, feed[0].Body, "the feed has the words of the push message")
		}
	}

	unreachable := c.inactive(contacts())
	id, n := confirmed(unreachable)
	require.Equal(c, contract.OwnerNobody, n.Owner)
	require.Equal(c, "no-contact", n.Reason)
	open := c.cases(contract.CaseNoContact)
	require.Len(c, open, 1)
	require.Equal(c, id, open[0].DialogueID)
}
