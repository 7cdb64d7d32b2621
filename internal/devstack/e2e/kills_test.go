package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"github.com/helsebro/helsebro/internal/testsize"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/client"
)

// round is what is under way while one program dies at one point: a reservation from
// Helsenorge, which comes twice, and an appointment that the desk makes for a patient
// whom the clinic tells by SMS.
type round struct {
	point  failpoint.Point
	online patient
	slot   pg.Slot
	sent   simulator.Sent
	told   patient
	booked string
}

// TestKilledBetweenEachTwoStepsOfAnAppointment: worker, listener and API die at every
// instant between an effect of an appointment and its record. Each reservation has one
// 05 and one entry in the calendar, each booking one entry and one confirmation, and no
// channel is given a notice twice.
func TestKilledBetweenEachTwoStepsOfAnAppointment(t *testing.T) {
	w := newWorld(t, stack.Config{Parties: clinicParties(1)})
	n := newClinic(0)
	w.write(n.Service, n.masterData())
	p := w.spawn()
	var err error
	w.temporal, err = w.Client()
	require.NoError(t, err)
	t.Cleanup(w.temporal.Close)
	w.eventually("the API is up", func() error {
		status, body, err := w.call(n.Desk, http.MethodGet, "/calendars", "", nil)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
	c := w.clinic(t, 0)
	points := appointmentPoints()
	slots := c.slots(day(5, 8), len(points), nil)
	var rounds []round
	for i, point := range points {
		r := round{point: point, slot: slots[i], online: c.patient(nil)}
		r.told = c.inactive(func(r *client.PatientRecord) {
			r.Preference = &pg.Preference{Channels: []contract.Channel{contract.ChannelSMS, contract.ChannelEmail}}
		})
		rounds = append(rounds, r)
	}
	for i := range rounds {
		r := &rounds[i]
		victim := p.owner(r.point)
		before := victim.Died(r.point)
		victim.DieAt(r.point, 1)
		r.sent = c.reserve(r.online, r.slot, func(a *simulator.Action) { a.Times, a.Text = 2, "hemmelig-"+r.online.Mobile })
		r.booked = c.bookedAtLast(r.told, day(6, 8).Add(time.Duration(i)*slotLength))
		c.skip(contract.AppointmentWorkflowID(r.booked), grace)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		require.NoError(t, victim.AwaitDeath(ctx, r.point, before))
		cancel()
	}
	c.eventually("everything has its outcome", func() error { return c.auditRounds(rounds) })
	all := c.Sink.Messages()
	for _, m := range all {
		require.LessOrEqual(t, m.Arrival, 1, "%s came twice by %s", m.Key, m.Way)
	}
	for _, r := range rounds {
		var texts int
		for _, m := range all {
			if m.Way == sink.SMS && m.To == r.told.Mobile && m.Arrival > 0 {
				texts++
			}
		}
		require.LessOrEqualf(t, texts, 1, "died at %s", r.point)
	}
	var secrets []string
	for _, r := range rounds {
		secrets = append(secrets, c.secretsOf(r.online, r.told)...)
	}
	w.requireNobody(append(secrets, "hemmelig-"))
	t.Logf("%d deaths between two steps of an appointment, %d notices", len(rounds), len(all))
}

// appointmentPoints are where a program dies. The server notices only after a minute and
// a half that a worker has died in a conversation with a provider; these points are for
// the full size.
func appointmentPoints() []failpoint.Point {
	points := slices.Concat(failpoint.AppointmentPoints(), []failpoint.Point{
		failpoint.ListenReceived, failpoint.ListenStored, failpoint.ListenSignalled, failpoint.ListenRecorded, failpoint.ListenSettled,
		failpoint.AnswerPrepared, failpoint.AnswerSent, failpoint.AnswerRecorded,
	})
	slow := []failpoint.Point{failpoint.NoticeClaimed, failpoint.NoticeSent, failpoint.NoticeRecorded}
	points = slices.DeleteFunc(points, func(p failpoint.Point) bool { return slices.Contains(slow, p) })
	if testsize.Scaled(10, 1) < 10 {
		return points
	}
	return append(slow, points...)
}

// bookedAtLast books at the desk, and repeats the call with the same key until it is
// accepted: what a client does that meets a dying server.
func (c *clinic) bookedAtLast(p patient, start time.Time) string {
	c.Helper()
	key := newID()
	var done client.Changed
	c.eventually("the booking is accepted", func() error {
		status, body, err := c.call(c.Desk, http.MethodPost, "/appointments", key,
			client.Booking{
				PatientID: p.ID, CalendarID: c.CalendarID, TypeID: c.ConsultID, StartsAt: start, EndsAt: start.Add(slotLength), Comment: "hemmelig-" + p.Mobile,
			})
		if err != nil {
			return err
		}
		if status >= http.StatusMultipleChoices {
			return fmt.Errorf("%d %s", status, body)
		}
		return json.Unmarshal([]byte(body), &done)
	})
	return done.AppointmentID
}

// auditRounds compares what can be seen from outside with what must be. A claim that
// died with its worker is waited for in vain: that time is skipped.
func (c *clinic) auditRounds(rounds []round) error {
	book, err := c.Simulator.Book(c.Context())
	if err != nil {
		return err
	}
	for _, r := range rounds {
		var answers []string
		for _, got := range book.Received {
			if got.Parent == r.sent.MsgID {
				answers = append(answers, got.Function)
				if got.Changed > 0 {
					return fmt.Errorf("%s: a retry changed the answer's bytes", r.point)
				}
			}
		}
		if !slices.Equal(answers, []string{contract.AppointmentConfirmed}) {
			return fmt.Errorf("%s: answers %v", r.point, answers)
		}
		entries, err := c.store.CalendarEntries(c.Context(), c.Desk, c.ID, c.CalendarID, r.slot.StartsAt, r.slot.EndsAt)
		if err != nil {
			return err
		}
		if len(entries) != 1 {
			return fmt.Errorf("%s: %d entries", r.point, len(entries))
		}
		for _, id := range []string{entries[0].ID, r.booked} {
			if err := c.confirmedOnce(id); err != nil {
				return fmt.Errorf("%s: %w", r.point, err)
			}
		}
	}
	return nil
}

// confirmedOnce tells what is missing until the appointment has one confirmation that
// ended, and nothing open but the reminder that is to come.
func (c *clinic) confirmedOnce(id string) error {
	e, err := c.store.ExplainAppointment(c.Context(), c.Desk, c.ID, id)
	if err != nil {
		return err
	}
	if e.Revision != 1 || len(e.Notices) != 1 || e.Notices[0].Purpose != contract.PurposeConfirmation {
		return fmt.Errorf("revision %d, notices %+v", e.Revision, e.Notices)
	}
	n := e.Notices[0]
	if n.Outcome == "" {
		if slices.ContainsFunc(n.Attempts, func(a pg.AttemptExplained) bool { return a.State == contract.AttemptUnknown }) {
			c.skip(contract.NoticeWorkflowID(n.ID), 31*time.Minute)
		}
		return fmt.Errorf("the confirmation is under way: %+v", n)
	}
	if n.Outcome != contract.OutcomeDelegated && n.Outcome != contract.OutcomeDelivered && n.Outcome != contract.OutcomeSent {
		return fmt.Errorf("the confirmation is %s: %s", n.Outcome, n.Reason)
	}
	for _, l := range e.Lines {
		if l.Outcome == "" && !strings.HasPrefix(l.Effect, "inbox") {
			return fmt.Errorf("the ledger line %s has no outcome", l.Effect)
		}
	}
	return nil
}
