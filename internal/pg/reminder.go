package pg

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/notice"
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
	out.At, out.Skip, out.Rule = plan.At, plan.Skip, plan.Rule
	return struct {
		Input reminder.Input `json:"input"`
		Plan  reminder.Plan  `json:"plan"`
	}{in, plan}, nil
}

// toldAt is when the patient was, or is about to be, told last when the appointment
// is. What is not told yet will be at TellAt, unless it changes again, and then it is
// planned again too.
func (s *Store) toldAt(ctx context.Context, tx pgx.Tx, a standing) (time.Time, error) {
	if a.told < a.revision && !a.tellAt.IsZero() {
		return a.tellAt, nil
	}
	var at *time.Time
	err := tx.QueryRow(ctx, `SELECT max(at) FROM (
			SELECT p.at FROM publication p WHERE p.appointment_id = $1 AND p.code = ANY ($2)
			UNION ALL SELECT n.decided_at FROM notice n WHERE n.appointment_id = $1 AND n.purpose = ANY ($3) AND n.owner = ANY ($4)) told`,
		a.id, []string{contract.AppointmentConfirmed, contract.AppointmentWithOther, contract.AppointmentChanged},
		[]contract.Purpose{contract.PurposeConfirmation, contract.PurposeChange}, []contract.Owner{contract.OwnerClinic, contract.OwnerHelsenorge}).Scan(&at)
	return derefTime(at), err
}
