package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	historypb "go.temporal.io/api/history/v1"

	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/devstack/progress"
	"github.com/helsebro/helsebro/internal/pg"
)

// headStart is how long the bench has to bring all reminders to the same instant, and
// headStartEach how much longer for each of them.
const (
	headStart     = 3 * time.Second
	headStartEach = 10 * time.Millisecond
)

// burstReport is what becomes of many reminders that are due at once.
type burstReport struct {
	Bare      burstSeries `json:"bare"`
	Delegated burstSeries `json:"delegated"`
	SMS       burstSeries `json:"sms"`
	// PerS are all of the appointments' reminders by the time from the first due
	// instant to the last done.
	PerS float64 `json:"perSecond"`
	// Spread is how far apart they were due, in milliseconds.
	Spread float64 `json:"spread"`
	// TimedOut counts the workflow tasks that timed out, in every history of the
	// appointments and their notices, Histories how many those are.
	TimedOut  int `json:"timedOutWorkflowTasks"`
	Histories int `json:"histories"`
}

// burstSeries is how late, in milliseconds, reminders of one kind were done.
type burstSeries struct {
	Reminders int     `json:"reminders"`
	PerS      float64 `json:"perSecond"`
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
	Max       float64 `json:"max"`
	TimedOut  int     `json:"timedOutWorkflowTasks"`
}

// moment is a reminder's due instant and the one when it was done.
type moment struct{ due, done time.Time }

func newBurstSeries(all []moment, timedOut int) burstSeries {
	if len(all) == 0 {
		return burstSeries{}
	}
	var late []time.Duration
	for _, m := range all {
		late = append(late, m.done.Sub(m.due))
	}
	slices.Sort(late)
	return burstSeries{
		Reminders: len(all), PerS: perSecond(all), P50: quantile(late, 0.5), P99: quantile(late, 0.99), Max: quantile(late, 1), TimedOut: timedOut,
	}
}

func firstDue(all []moment) time.Time {
	return slices.MinFunc(all, func(a, b moment) int { return a.due.Compare(b.due) }).due
}

func lastDue(all []moment) time.Time {
	return slices.MaxFunc(all, func(a, b moment) int { return a.due.Compare(b.due) }).due
}

func perSecond(all []moment) float64 {
	last := slices.MaxFunc(all, func(a, b moment) int { return a.done.Compare(b.done) }).done
	return float64(len(all)) / last.Sub(firstDue(all)).Seconds()
}

// measureBurst lets many sleeping reminders be due in the same second: bare ones
// first, then those of appointments.
func (b *bench) measureBurst(ctx context.Context, cfg config, steps *progress.Steps, r *report) error {
	r.Burst = &burstReport{}
	if missing := cfg.burst - len(b.bareOpen); missing > 0 {
		if _, err := b.openBare(ctx, missing, cfg, steps); err != nil {
			return err
		}
	}
	if err := steps.Do(fmt.Sprintf("%d bare reminders in one second", cfg.burst), func() error { return b.burstBare(ctx, b.bareOpen[:cfg.burst], r.Burst) }); err != nil {
		return err
	}
	b.bareOpen = b.bareOpen[cfg.burst:]
	if missing := cfg.burst - len(b.open); missing > 0 {
		if _, err := b.openAppointments(ctx, missing, cfg, steps); err != nil {
			return err
		}
	}
	all := b.open[:cfg.burst]
	b.open = b.open[cfg.burst:]
	return steps.Do(fmt.Sprintf("%d reminders of appointments in one second", cfg.burst), func() error { return b.burst(ctx, all, r.Burst) })
}

// together skips time so that all n are due at the same instant, which is still to
// come when it returns. skip moves one of them so that it is due then.
func (b *bench) together(ctx context.Context, n int, skip func(ctx context.Context, i int, due time.Time) error) error {
	due := time.Now().Add(headStart + time.Duration(n)*headStartEach)
	if err := inTurns(ctx, n, func(ctx context.Context, i int) error { return skip(ctx, i, due) }); err != nil {
		return err
	}
	if time.Now().After(due) {
		return errors.New("time could not be skipped fast enough to let all reminders be due at once: measure fewer")
	}
	return nil
}

func (b *bench) burstBare(ctx context.Context, ids []string, r *burstReport) error {
	// The bare reminders are due asleep after the instant in their input, which the
	// timer of each has as its due time.
	due := make([]time.Time, len(ids))
	if err := inTurns(ctx, len(ids), func(ctx context.Context, i int) error {
		return b.events(ctx, ids[i], func(e *historypb.HistoryEvent) {
			if t := e.GetTimerStartedEventAttributes(); t != nil {
				due[i] = e.EventTime.AsTime().Add(t.StartToFireTimeout.AsDuration())
			}
		})
	}); err != nil {
		return err
	}
	if err := b.together(ctx, len(ids), func(ctx context.Context, i int, at time.Time) error { return b.skip(ctx, ids[i], due[i].Sub(at)) }); err != nil {
		return err
	}
	if err := inTurns(ctx, len(ids), func(ctx context.Context, i int) error { return b.closed(ctx, ids[i]) }); err != nil {
		return err
	}
	moments := make([]moment, len(ids))
	var timedOut atomic.Int64
	err := inTurns(ctx, len(ids), func(ctx context.Context, i int) error {
		var by time.Duration
		err := b.events(ctx, ids[i], func(e *historypb.HistoryEvent) {
			by += skipped(e)
			if e.GetActivityTaskStartedEventAttributes() != nil {
				moments[i].done = e.EventTime.AsTime()
			}
			if e.GetWorkflowTaskTimedOutEventAttributes() != nil {
				timedOut.Add(1)
			}
		})
		moments[i].due, moments[i].done = due[i].Add(-by), moments[i].done.Add(-by)
		return err
	})
	r.Bare = newBurstSeries(moments, int(timedOut.Load()))
	return err
}

// burst lets the reminders of all appointments be due at once. Every other patient
// does not want to be contacted through Helsenorge any more: his reminder is an SMS,
// and the others are delegated.
func (b *bench) burst(ctx context.Context, all []appointment, r *burstReport) error {
	bySMS := func(i int) bool { return i%2 == 1 }
	if err := b.noConsent(ctx, all, bySMS); err != nil {
		return err
	}
	began := time.Now()
	before, err := b.store.ClosedNotices(ctx, practiceID, contract.PurposeReminder)
	if err != nil {
		return err
	}
	if err := b.together(ctx, len(all), func(ctx context.Context, i int, due time.Time) error {
		return b.skip(ctx, all[i].workflowID(), all[i].remindAt.Sub(due)-all[i].ahead)
	}); err != nil {
		return err
	}
	if err := b.allClosed(ctx, before+len(all)); err != nil {
		return err
	}
	arrived := map[string]time.Time{} // by phone: each of them is another patient's
	for _, m := range b.stack.Sink.Messages() {
		if m.Way == sink.SMS && m.Outcome == sink.Taken && m.ReceivedAt.After(began) {
			arrived[m.To] = m.ReceivedAt
		}
	}
	var mu sync.Mutex
	var delegated, bySMSDone []moment
	err = inTurns(ctx, len(all), func(ctx context.Context, i int) error {
		look, err := b.lookAt(ctx, all[i])
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		r.TimedOut += look.timedOut
		r.Histories += look.histories
		switch at, sent := arrived[b.practice.phone(all[i].patient)]; {
		case !bySMS(i) && look.noticeID == "":
			delegated = append(delegated, look.moment)
		case bySMS(i) && look.noticeID != "" && sent:
			bySMSDone = append(bySMSDone, moment{look.due, at})
		default:
			return fmt.Errorf("the reminder of appointment %s went another way than expected (notice %q)", all[i].id, look.noticeID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Delegated, r.SMS = newBurstSeries(delegated, 0), newBurstSeries(bySMSDone, 0)
	both := slices.Concat(delegated, bySMSDone)
	r.PerS, r.Spread = perSecond(both), float64(lastDue(both).Sub(firstDue(both)).Microseconds())/1000
	return nil
}

// allClosed waits until so many reminders of the practice have their outcome.
func (b *bench) allClosed(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settling, fmt.Errorf("the reminders did not all get their outcome within %s", settling))
	defer cancel()
	return reason(ctx, untilEvery(ctx, leisure, func() (bool, error) {
		closed, err := b.store.ClosedNotices(ctx, practiceID, contract.PurposeReminder)
		return closed >= n, err
	}))
}

// noConsent records for the chosen patients that they do not want digital contact.
func (b *bench) noConsent(ctx context.Context, all []appointment, chosen func(int) bool) error {
	records := b.practice.records()
	for i, a := range all {
		records[a.patient].Status = &pg.PatientStatus{NoConsent: chosen(i)}
	}
	_, err := b.store.PutPatients(ctx, recordSystem, practiceID, records)
	return err
}

// look is what the histories of an appointment and its notice tell.
type look struct {
	moment
	noticeID            string
	timedOut, histories int
}

// lookAt reads when the appointment's reminder was due and decided, by the clock, and
// whether a workflow task of it timed out.
func (b *bench) lookAt(ctx context.Context, a appointment) (look, error) {
	var l look
	var by time.Duration
	var deciding int64
	count := func(e *historypb.HistoryEvent) {
		if e.GetWorkflowTaskTimedOutEventAttributes() != nil {
			l.timedOut++
		}
	}
	err := b.events(ctx, a.workflowID(), func(e *historypb.HistoryEvent) {
		count(e)
		by += skipped(e)
		if s := e.GetActivityTaskScheduledEventAttributes(); s != nil && s.ActivityType.Name == "DecideNotice" {
			deciding = e.EventId
		}
		if c := e.GetActivityTaskCompletedEventAttributes(); c != nil && c.ScheduledEventId == deciding {
			l.done = e.EventTime.AsTime()
		}
		if c := e.GetStartChildWorkflowExecutionInitiatedEventAttributes(); c != nil {
			l.noticeID = c.WorkflowId
		}
	})
	if err != nil {
		return l, err
	}
	l.due, l.done, l.histories = a.remindAt.Add(-by), l.done.Add(-by), 1
	if l.noticeID != "" {
		l.histories++
		if err := b.events(ctx, l.noticeID, count); err != nil {
			return l, err
		}
	}
	return l, nil
}
