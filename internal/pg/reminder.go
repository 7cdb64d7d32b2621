package pg

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/notice"
	"github.com/helsebro/helsebro/internal/domain/publication"
	"github.com/helsebro/helsebro/internal/domain/reminder"
)

// PlanReminder chooses the instant of a revision's reminder (S87, F4, F6) and keeps
// it. It is idempotent by appointment and revision. An appointment that is not booked,
// is hidden, or is another revision by now has none.
func (s *Store) PlanReminder(ctx context.Context, in contract.PlanReminderInput) (contract.PlanReminderOutput, error) {
	s = s.notBefore(in.Now)
	var out contract.PlanReminderOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.PlanReminderOutput{}
		a, err := s.lockAppointment(ctx, tx, in.ClinicID, in.AppointmentID)
		if err != nil {
			return err
		}
		key := "reminder-plan/" + a.id + "/" + strconv.Itoa(in.Revision)
		again, err := s.decidedBefore(ctx, tx, key, &out)
		if err != nil || again {
			return err
		}
		var made any
		switch {
		case in.Revision != a.revision:
			out = contract.PlanReminderOutput{Skip: true, Rule: ruleSuperseded}
		case !a.booked():
			out = contract.PlanReminderOutput{Skip: true, Rule: ruleNotBooked}
		case a.hidden:
			out = contract.PlanReminderOutput{Skip: true, Rule: notice.ReasonHidden}
		default:
			if made, err = s.planReminder(ctx, tx, a, &out); err != nil {
				return err
			}
			if out.Skip {
				// A reminder that does not come has a line that says why (F1, D2).
				if err := s.keepNotice(ctx, tx, a, contract.DecideNoticeInput{Purpose: contract.PurposeReminder, Revision: in.Revision},
					contract.DecideNoticeOutput{NoticeID: newID(), Owner: contract.OwnerNobody, Reason: out.Rule}); err != nil {
					return err
				}
			}
		}
		if in.Revision == a.revision {
			if _, err := tx.Exec(ctx, "UPDATE appointment SET planned = revision, remind_at = $2 WHERE id = $1", a.id, nullableTime(out.At)); err != nil {
				return err
			}
		}
		decided := "skip"
		if !out.Skip {
			decided = out.At.Format(time.RFC3339)
		}
		return s.decide(ctx, tx, key, decision{a.id, in.Revision, contract.AboutReminderPlan, decided, out.Rule, made}, out)
	})
	return out, err
}

func (s *Store) planReminder(ctx context.Context, tx pgx.Tx, a standing, out *contract.PlanReminderOutput) (any, error) {
	settings, err := s.settings(ctx, tx, a.clinicID)
	if err != nil {
		return nil, err
	}
	told, err := s.toldAt(ctx, tx, a)
	if err != nil {
		return nil, err
	}
	in := reminder.Input{AppointmentID: a.id, StartsAt: a.startsAt, Now: s.now(), ToldAt: told, Rules: settings.ReminderRules()}
	plan := reminder.Make(in)
	reminded, err := s.reminded(ctx, tx, a, told)
	if err != nil {
		return nil, err
	}
	if reminded {
		plan = reminder.Plan{Skip: true, Rule: ruleReminded}
	}
	out.At, out.Skip, out.Rule = plan.At, plan.Skip, plan.Rule
	return struct {
		Input reminder.Input `json:"input"`
		Plan  reminder.Plan  `json:"plan"`
	}{in, plan}, nil
}

// ruleReminded: the patient was reminded of this start, and has been told nothing else
// since. The plan is a skip.
const ruleReminded = "reminded-before"

// toldAt is when the patient was, or is about to be, told last how the appointment is.
// What is not told yet will be at TellAt, if it says anything that he does not know,
// and unless it changes again: then it is planned again too.
func (s *Store) toldAt(ctx context.Context, tx pgx.Tx, a standing) (time.Time, error) {
	k, err := s.known(ctx, tx, a)
	if err != nil || a.told == a.revision || a.tellAt.IsZero() {
		return k.toldAt, err
	}
	if a.movedFrom == "" {
		// It may yet prove to be the new half of a move.
		other, err := s.otherHalf(ctx, tx, a)
		if err != nil {
			return time.Time{}, err
		}
		if other != "" {
			a.id = other
			if k, err = s.known(ctx, tx, a); err != nil {
				return time.Time{}, err
			}
		}
	}
	if code, _ := publication.Code(k.told, a.snapshot()); code == "" {
		return k.toldAt, nil
	}
	return a.tellAt, nil
}

// reminded tells whether the patient was reminded of the appointment's start, by
// whomever, and told nothing of it since.
func (s *Store) reminded(ctx context.Context, tx pgx.Tx, a standing, told time.Time) (yes bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM notice n JOIN appointment_revision r ON r.appointment_id = n.appointment_id AND r.revision = n.revision
		WHERE n.appointment_id = $1 AND n.purpose = $2 AND r.starts_at = $3 AND n.decided_at >= $4
			AND (n.outcome = $5 OR EXISTS (SELECT FROM notice_attempt x WHERE x.notice_id = n.id AND x.state = ANY ($6))))`,
		a.id, contract.PurposeReminder, a.startsAt, told, contract.OutcomeDelegated, mayHave).Scan(&yes)
	return yes, err
}
