package e2e_test

import (
	"fmt"
	"github.com/helsebro/helsebro/internal/testsize"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// TestScenariosOfFailure are TestScenarios in which Helsenorge or a provider fails for
// everybody: one after the other.
func TestScenariosOfFailure(t *testing.T) {
	stories := []struct {
		name string
		play func(*clinic)
	}{
		{"D5 Helsenorge says first that he is gone", refusedAsInactive},
		{"D11 Helsenorge is silent over the window", silentOverTheWindow},
		{"D11 Helsenorge is down over two moves", downOverTwoMoves},
		{"D11 a backlog of reservations", backlogOfReservations},
		{"D12 late, twice and out of order", lateReports},
		{"F3 the check is down", checkDown},
	}
	w := clinics(t, len(stories), stack.Config{})
	for i, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Cleanup(func() {
				w.CutHelsenorge(false)
				w.Sink.SetFaults(sink.Faults{})
				require.NoError(t, w.Simulator.SetFaults(w.Context(), simulator.Faults{}))
			})
			s.play(w.clinic(t, i))
		})
	}
}

// refusedAsInactive is D5 with a status that lags: the clinic believes him active, and
// Helsenorge refuses the Avtale with E35. He is told once, by the clinic, and what was
// refused is not sent again.
func refusedAsInactive(c *clinic) {
	p, start := c.patient(nil), day(6, 10)
	first := c.book(p, start, nil).AppointmentID
	c.settle(first)
	c.outcome(first, contract.PurposeConfirmation, contract.OutcomeDelegated, "delegated")
	c.active(p, false, false)
	second := c.book(p, start.Add(time.Hour), nil).AppointmentID
	c.settle(second)
	require.Equal(c, "refused-e35", c.ownedBecause(second, contract.PurposeConfirmation))
	c.gets(p, start.Add(time.Hour))
	all := c.told(p)
	require.Equal(c, []string{"05", "05"}, codesOf(all))
	require.Equal(c, simulator.Received{}.Refused, all[0].Refused)
	require.Equal(c, "E35", all[1].Refused)
	require.Equal(c, 1, all[1].Deliveries)

	c.move(second, start.Add(3*time.Hour))
	c.settle(second)
	c.gets(p, start.Add(time.Hour), start.Add(3*time.Hour))
	require.Len(c, c.told(p), 2, "who is known to be gone is not told there")
	// The clinic reminds him of both: Helsenorge has the first, and no longer him.
	c.reminded(first)
	c.reminded(second)
	c.gets(p, start.Add(time.Hour), start.Add(3*time.Hour), start, start.Add(3*time.Hour))
	c.quiet(first, p)
	c.quiet(second, p)
}

// silentOverTheWindow is D11: no receipt comes. The reminder waits for one for as long as
// the clinic's channels still can, and then the clinic gives it, once; a patient whose
// gates are closed becomes a case.
func silentOverTheWindow(c *clinic) {
	require.NoError(c, c.Simulator.SetFaults(c.Context(), simulator.Faults{Receipt: "none"}))
	p, q, start := c.patient(nil), c.patient(nil), day(5, 10)
	open := c.book(p, start, nil).AppointmentID
	c.types(pg.AppointmentType{ID: c.VideoID, Name: "Videokonsultasjon", Category: "Video"})
	closed := c.book(q, start.Add(time.Hour), func(b *client.Booking) { b.TypeID = c.VideoID }).AppointmentID
	for _, id := range []string{open, closed} {
		c.pass(id, grace)
		c.eventually("the appointment is sent", func() error {
			if a := c.appointment(id); a.Published == nil || a.Published.SentAt.IsZero() {
				return errNotYet
			}
			return nil
		})
	}
	at := c.appointment(open).RemindAt
	last := start.Add(-26 * time.Hour)
	require.True(c, at.Before(last))
	c.passTo(open, at.Add(beyond))
	c.eventually("the reminder waits for Helsenorge", func() error {
		if d := c.decided(open, string(contract.PurposeReminder)); d.Decided != string(contract.OwnerPending) {
			return fmt.Errorf("%s %s", d.Decided, d.Rule)
		}
		return nil
	})
	c.passTo(open, last.Add(beyond))
	require.Equal(c, contract.OutcomeSent, c.notice(open, contract.PurposeReminder).Outcome)
	require.Equal(c, "receipt-overdue", c.ownedBecause(open, contract.PurposeReminder))
	reminders := 0
	for _, m := range c.sent(p) {
		require.True(c, shows(m, start))
		if n := c.notice(open, contract.PurposeReminder); m.Key == n.ID+"/"+string(contract.ChannelEmail) {
			reminders++
		}
	}
	require.Equal(c, 1, reminders)

	c.passTo(closed, start.Add(time.Hour-26*time.Hour+beyond))
	c.outcome(closed, contract.PurposeReminder, contract.OutcomeSuppressed, "gate-type")
	require.NotEmpty(c, c.cases(contract.CaseNoticeFailed), "the clinic counted on Helsenorge")
	c.gets(q)

	// Helsenorge is back: only what is new is sent.
	require.NoError(c, c.Simulator.SetFaults(c.Context(), simulator.Faults{}))
	before := len(c.told(p))
	c.step(open, "cancel")
	c.pass(open, grace)
	c.eventually("the cancellation is at Helsenorge", func() error {
		if got := codesOf(c.told(p)); len(got) != before+1 || got[before] != contract.AppointmentCancelled {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
}

// downOverTwoMoves is D11's and F17's "only the last state goes": an appointment that
// Helsenorge has is moved twice while its queue takes nothing.
func downOverTwoMoves(c *clinic) {
	p, start := c.patient(nil), day(8, 10)
	id := c.book(p, start, nil).AppointmentID
	c.settle(id)
	c.outcome(id, contract.PurposeConfirmation, contract.OutcomeDelegated, "delegated")
	c.CutHelsenorge(true)
	for _, hours := range []time.Duration{1, 2} {
		c.move(id, start.Add(hours*time.Hour))
		c.pass(id, grace)
		c.eventually("the move is stored for Helsenorge", func() error {
			if a := c.appointment(id); a.Published == nil || a.Published.Revision != a.Revision {
				return errNotYet
			}
			return nil
		})
	}
	require.Equal(c, []string{"05"}, codesOf(c.told(p)))
	c.CutHelsenorge(false)
	c.settled(id)
	c.outcome(id, contract.PurposeChange, contract.OutcomeDelegated, "delegated")
	require.Equal(c, []string{"05", "07"}, codesOf(c.told(p)))
	seen := c.sees(p, "the last state", func(a simulator.Appointment) bool { return a.StartsAt.Equal(start.Add(2 * time.Hour)) })
	require.Equal(c, []string{simulator.NoticeConfirmation, simulator.NoticeChange}, tells(seen))
	superseded := 0
	for _, o := range c.explain(id).Published {
		if o.Outcome == contract.OutcomeSuperseded {
			superseded++
		}
	}
	require.Equal(c, 1, superseded, "the ledger shows the one that never left")
	c.gets(p)
}

// backlogOfReservations is D11's return: reservations that waited are answered in their
// order, and what was taken meanwhile is 06.
func backlogOfReservations(c *clinic) {
	slots := c.slots(day(4, 9), 2, nil)
	desk := c.inactive(nil)
	first, second, third := c.patient(nil), c.patient(nil), c.patient(nil)
	require.NoError(c, c.Postgres.Stop(c.Context())) // nothing is taken in
	var sent []simulator.Sent
	for _, r := range []struct {
		p patient
		s pg.Slot
	}{{first, slots[0]}, {second, slots[0]}, {third, slots[1]}} {
		s, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.Reserve, Citizen: r.p.Citizen, To: c.GPHerID, Slot: c.slotOf(r.s)})
		require.NoError(c, err)
		sent = append(sent, s)
	}
	c.eventually("the listener notices", func() error { return c.logged("the database does not answer") })
	require.NoError(c, c.Postgres.Restart(c.Context()))
	var codes []string
	for _, s := range sent {
		codes = append(codes, c.answerTo(s).Function)
	}
	require.Equal(c, contract.AppointmentConfirmed, codes[2])
	require.ElementsMatch(c, []string{contract.AppointmentConfirmed, contract.AppointmentNotAvailable}, codes[:2])
	c.eventually("who comes later is refused", func() error {
		status, body, err := c.call(c.Desk, http.MethodPost, "/appointments", "", client.Booking{PatientID: desk.ID, SlotID: slots[1].ID})
		if err == nil && status != http.StatusConflict {
			// A connection from before the restart may still be in the pool: 503, try again.
			require.Equal(c, http.StatusServiceUnavailable, status, body)
			err = errNotYet
		}
		return err
	})
}

// lateReports is D12: no word comes of an SMS, so the e-mail goes; then the word comes
// after all, comes again, and is taken back.
func lateReports(c *clinic) {
	c.Sink.SetFaults(sink.Faults{Reports: []sink.Step{}})
	p := c.inactive(func(r *client.PatientRecord) {
		r.Preference = &pg.Preference{Channels: []contract.Channel{contract.ChannelSMS, contract.ChannelEmail}}
	})
	start := day(6, 10)
	id := c.book(p, start, nil).AppointmentID
	c.pass(id, grace)
	confirmation := func() pg.NoticeExplained {
		for _, n := range c.explain(id).Notices {
			if n.Purpose == contract.PurposeConfirmation {
				return n
			}
		}
		return pg.NoticeExplained{}
	}
	state := func(of contract.Channel) contract.AttemptState {
		for _, a := range confirmation().Attempts {
			if a.Channel == of {
				return a.State
			}
		}
		return ""
	}
	c.eventually("the SMS is with the gateway", func() error {
		if s := state(contract.ChannelSMS); s != contract.AttemptAccepted {
			return fmt.Errorf("%q", s)
		}
		return nil
	})
	n := confirmation()
	c.skip(contract.NoticeWorkflowID(n.ID), 31*time.Minute)
	c.settled(id)
	c.outcome(id, contract.PurposeConfirmation, contract.OutcomeSent, "taken-is-final")
	require.Equal(c, []sink.Way{sink.SMS, sink.Mail}, ways(c.sent(p)))
	key := n.ID + "/" + string(contract.ChannelSMS)
	for i, late := range []channel.State{channel.Delivered, channel.Delivered, channel.Failed, channel.Expired} {
		status, err := c.Sink.Report(c.Context(), key, late)
		require.NoError(c, err)
		require.Equalf(c, 2, status/100, "report %d: %d", i, status)
		c.outcome(id, contract.PurposeConfirmation, contract.OutcomeDelivered, "receipt")
		require.Equal(c, contract.AttemptDelivered, state(contract.ChannelSMS), "what is delivered stays delivered")
		require.Equal(c, contract.AttemptAccepted, state(contract.ChannelEmail), "reached by SMS and e-mail")
	}
	c.gets(p, start, start)
	c.Sink.SetFaults(sink.Faults{})
	c.reminded(id)
	c.gets(p, start, start, start)
	require.Equal(c, sink.SMS, c.sent(p)[2].Way)
	c.quiet(id, p)
}

// checkDown is F3's last known status: when nobody can say whether the patient is active,
// what was known decides, and the decision says how old it is.
func checkDown(c *clinic) {
	p, q, start := c.patient(nil), c.inactive(nil), day(5, 10)
	there := c.book(p, start, nil).AppointmentID
	gone := c.book(q, start.Add(time.Hour), nil).AppointmentID
	c.settle(there)
	c.settle(gone)
	c.gets(q, start.Add(time.Hour))
	require.NoError(c, c.Simulator.SetFaults(c.Context(), simulator.Faults{Activity: simulator.ActivityDown}))
	c.reminded(there)
	c.outcome(there, contract.PurposeReminder, contract.OutcomeDelegated, "delegated")
	c.reminded(gone)
	c.gets(q, start.Add(time.Hour), start.Add(time.Hour))
	for _, id := range []string{there, gone} {
		var inputs string
		for _, d := range c.explain(id).Decisions {
			if d.About == string(contract.PurposeReminder) && (d.Decided == string(contract.OwnerHelsenorge) || d.Decided == string(contract.OwnerClinic)) {
				inputs = string(d.Inputs)
			}
		}
		require.Contains(c, inputs, `"failure":"unavailable"`)
		require.Contains(c, inputs, `"age":`)
	}
	c.gets(p)
}

// TestFiveHundredReserveOneSlot is F11: five hundred citizens reserve one slot, some of
// them twice, in the same envelope or another, all at once and in any order. One gets
// 05, everybody else 06, each of them once, and there is one entry in the calendar.
func TestFiveHundredReserveOneSlot(t *testing.T) {
	w := clinics(t, 1, stack.Config{})
	c := w.clinic(t, 0)
	n := testsize.Scaled(500, 40)
	s := c.slots(day(4, 9), 1, nil)[0]
	var records []client.PatientRecord
	for i := range n {
		who := simulator.Citizen(5000 + i)
		records = append(records, client.PatientRecord{Patient: client.Patient{
			GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, PractitionerID: c.GPID,
		}})
	}
	c.must(c.Service, http.MethodPut, "/patients/bulk", api.PatientList{Patients: records}, nil)
	sent := make([]simulator.Sent, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			sent[i], errs[i] = w.Simulator.Act(t.Context(), simulator.Action{
				Kind: simulator.Reserve, Citizen: 5000 + i, To: c.GPHerID, Slot: c.slotOf(s), Times: 1 + i%4/3, NewEnvelope: i%8 == 7,
			})
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	// The book is long: it is read now and then, for as long as answers come.
	answers := map[string][]string{}
	read := func() {
		book, err := w.Simulator.Book(t.Context())
		require.NoError(t, err)
		clear(answers)
		for _, r := range book.Received {
			if r.Parent != "" {
				answers[r.Parent] = append(answers[r.Parent], r.Function)
			}
		}
	}
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for last := time.Now(); len(answers) < n; <-tick.C {
		before := len(answers)
		read()
		if len(answers) > before {
			last = time.Now()
		}
		require.Lessf(t, time.Since(last), patience, "%d of %d are answered", len(answers), n)
	}
	w.eventually("nothing is under way", func() error {
		open, err := w.store.OpenEffects(t.Context(), c.ID)
		if err == nil && open > 0 {
			err = fmt.Errorf("%d effects", open)
		}
		return err
	})
	read()
	codes := map[string]int{}
	for _, s := range sent {
		require.Len(t, answers[s.MsgID], 1, "one answer, however often it came")
		codes[answers[s.MsgID][0]]++
	}
	require.Equal(t, map[string]int{contract.AppointmentConfirmed: 1, contract.AppointmentNotAvailable: n - 1}, codes)
	c.inCalendar(s)
	require.Len(t, c.entries(c.CalendarID, s.StartsAt), 1)
	t.Logf("%d reservations of one slot", n)
}
