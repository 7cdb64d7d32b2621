package main

import (
	"context"
	"fmt"
	"time"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/pg"
)

// asleep is how far ahead a bare reminder is due: about as long as an appointment
// waits for its reminder.
const asleep = 30 * 24 * time.Hour

// remindedBare is the least that a reminder can be.
func (b *bench) remindedBare(ctx context.Context) (history, error) {
	id, err := b.bare.remind(ctx, time.Now().Add(asleep))
	if err != nil {
		return history{}, err
	}
	if err := b.hasTimer(ctx, id, 2*lookEvery); err != nil {
		return history{}, err
	}
	if err := b.skip(ctx, id, asleep); err != nil {
		return history{}, err
	}
	if err := b.closed(ctx, id); err != nil {
		return history{}, err
	}
	return b.read(ctx, id)
}

// hasTimer waits until a bare reminder sleeps: started, scheduled, its first task
// taken and completed, the timer.
func (b *bench) hasTimer(ctx context.Context, id string, every time.Duration) error {
	return untilEvery(ctx, every, func() (bool, error) {
		d, err := b.temporal.DescribeWorkflowExecution(ctx, id, "")
		return err == nil && d.PendingWorkflowTask == nil && d.WorkflowExecutionInfo.HistoryLength == 5, err
	})
}

// delegated is an appointment that a citizen books and Helsenorge reminds of.
func (b *bench) delegated(ctx context.Context) (history, error) {
	a, err := b.bookedByCitizen(ctx)
	if err != nil {
		return history{}, err
	}
	if _, err := b.liveToReminder(ctx, a, contract.OwnerHelsenorge); err != nil {
		return history{}, err
	}
	if err := b.liveToEnd(ctx, a); err != nil {
		return history{}, err
	}
	return b.read(ctx, a.workflowID())
}

// remindedBySMS is the same appointment of a patient who no longer wants digital
// contact through Helsenorge: the clinic's own notice, which is a child workflow,
// reminds him by SMS, and the gateway reports that he has it.
func (b *bench) remindedBySMS(ctx context.Context) (history, error) {
	a, err := b.bookedByCitizen(ctx)
	if err != nil {
		return history{}, err
	}
	if err := b.store.PutPatientStatus(ctx, recordSystem, practiceID, b.practice.patients[a.patient], pg.PatientStatus{NoConsent: true}); err != nil {
		return history{}, err
	}
	noticeID, err := b.liveToReminder(ctx, a, contract.OwnerClinic)
	if err != nil {
		return history{}, err
	}
	if err := b.closed(ctx, contract.NoticeWorkflowID(noticeID)); err != nil {
		return history{}, err
	}
	if err := b.liveToEnd(ctx, a); err != nil {
		return history{}, err
	}
	if err := b.store.PutPatientStatus(ctx, recordSystem, practiceID, b.practice.patients[a.patient], pg.PatientStatus{}); err != nil {
		return history{}, err
	}
	return b.read(ctx, a.workflowID(), contract.NoticeWorkflowID(noticeID))
}

// appointment is one of the practice's.
type appointment struct {
	id      string
	patient int
	// remindAt is the planned instant of its reminder, endsAt its end.
	remindAt, endsAt time.Time
	// ahead is how far its time was skipped before.
	ahead time.Duration
}

func (a appointment) workflowID() string { return contract.AppointmentWorkflowID(a.id) }

// settled waits until the appointment is told, confirmed and at rest: only its
// reminder and its end are still to come.
func (b *bench) settled(ctx context.Context, a *appointment, every time.Duration) error {
	return untilEvery(ctx, every, func() (bool, error) {
		s, err := stateOf[contract.AppointmentState](ctx, b, a.workflowID())
		if err != nil || s.Status == contract.StatusNeedsOperator || s.Cases > 0 {
			return false, orCase(err, a.id, s)
		}
		r := s.Facts.Revision
		if s.Status != contract.StatusBooked || s.Told < r || s.Planned < r || len(s.Open) > 0 || len(s.Notices) != 1 || s.Notices[0].Purpose != contract.PurposeReminder {
			return false, nil
		}
		a.remindAt, a.endsAt = s.Notices[0].At, s.Facts.EndsAt
		return b.idle(ctx, a.workflowID())
	})
}

// orCase is err, or what an operator would be asked: then the numbers would be about
// something else.
func orCase(err error, id string, s contract.AppointmentState) error {
	if err == nil {
		err = fmt.Errorf("appointment %s is %s with %d operator cases, decisions %v", id, s.Status, s.Cases, s.Decisions)
	}
	return err
}

// liveToReminder lets time pass until the reminder is decided, and returns its notice.
func (b *bench) liveToReminder(ctx context.Context, a appointment, want contract.Owner) (noticeID string, err error) {
	if err := b.skip(ctx, a.workflowID(), time.Until(a.remindAt)); err != nil {
		return "", err
	}
	return noticeID, until(ctx, func() (bool, error) {
		e, err := b.store.ExplainAppointment(ctx, recordSystem, practiceID, a.id)
		if err != nil {
			return false, err
		}
		for _, n := range e.Notices {
			switch {
			case n.Purpose != contract.PurposeReminder || n.Outcome == "":
			case n.Owner != want:
				return false, fmt.Errorf("the reminder of appointment %s is given by %s, %s: expected %s", a.id, n.Owner, n.Reason, want)
			default:
				noticeID = n.ID
				return b.idle(ctx, a.workflowID())
			}
		}
		return false, nil
	})
}

// liveToEnd lets time pass until the appointment is over.
func (b *bench) liveToEnd(ctx context.Context, a appointment) error {
	if err := b.skip(ctx, a.workflowID(), a.endsAt.Sub(a.remindAt)); err != nil {
		return err
	}
	return b.closed(ctx, a.workflowID())
}
