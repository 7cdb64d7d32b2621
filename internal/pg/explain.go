package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/identity"
)

// Appointment opens an appointment for staff: all that they may know of it, which is
// not where it was booked (S92).
func (s *Store) Appointment(ctx context.Context, by identity.Principal, clinicID, id string) (Appointment, error) {
	var out Appointment
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		a, err := s.appointment(ctx, tx, clinicID, id)
		if err != nil {
			return err
		}
		entries, err := s.entries(ctx, tx, "a.id = $1", a.id)
		if err != nil {
			return err
		}
		out = Appointment{CalendarEntry: entries[0], TellAt: a.facts().TellAt, RemindAt: a.remindAt, MovedFrom: a.movedFrom, MovedTo: a.movedTo}
		wish, _, err := s.openWish(ctx, tx, a.id, "")
		if err != nil {
			return err
		}
		out.Wish = wish != ""
		known, err := s.known(ctx, tx, a)
		if err != nil {
			return err
		}
		if known.newest != nil {
			p := known.newest.published()
			out.Published = &p
		}
		return s.audit(ctx, tx, by, clinicID, "appointment.read", "appointment/"+id, a.patientID)
	})
	return out, err
}

// published is the message as staff see it.
func (m toldMessage) published() Published {
	return Published{Code: m.code, Revision: m.revision, At: m.at, SentAt: m.sentAt, Outcome: m.outcome, Codes: m.codes}
}

// ExplainAppointment tells why the patient did or did not get each notice: every
// decision with its inputs, every message, every attempt and every line of the ledger
// (F1). Where it was booked is for those who read the audit or run the installation.
func (s *Store) ExplainAppointment(ctx context.Context, by identity.Principal, clinicID, id string) (AppointmentExplanation, error) {
	var out AppointmentExplanation
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		a, err := s.appointment(ctx, tx, clinicID, id)
		if err != nil {
			return err
		}
		out = AppointmentExplanation{
			AppointmentID: a.id, Status: a.status, Revision: a.revision, StartsAt: a.startsAt, Published: []Published{}, Notices: []NoticeExplained{},
		}
		if by.May(identity.RightAuditRead) || by.Role == identity.RoleOperator {
			out.Origin = a.origin
		}
		messages, err := s.messages(ctx, tx, a.id)
		if err != nil {
			return err
		}
		for _, m := range messages {
			out.Published = append(out.Published, m.published())
		}
		if out.Notices, err = s.explainNotices(ctx, tx, a.id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT at, revision, about, decided, rule, inputs FROM decision WHERE appointment_id = $1 ORDER BY id", a.id)
		if err != nil {
			return err
		}
		if out.Decisions, err = pgx.AppendRows([]DecisionExplained{}, rows, func(row pgx.CollectableRow) (DecisionExplained, error) {
			var d DecisionExplained
			err := row.Scan(&d.At, &d.Revision, &d.About, &d.Decided, &d.Rule, &d.Inputs)
			d.At = d.At.UTC()
			return d, err
		}); err != nil {
			return err
		}
		if out.Lines, err = s.ledger(ctx, tx, a.id); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "appointment.explain", "appointment/"+id, a.patientID)
	})
	return out, err
}

func (s *Store) explainNotices(ctx context.Context, tx pgx.Tx, appointmentID string) ([]NoticeExplained, error) {
	rows, err := tx.Query(ctx, `SELECT id, purpose, revision, owner, reason, decided_at, coalesce(outcome, ''), outcome_at FROM notice
		WHERE appointment_id = $1 ORDER BY decided_at, id`, appointmentID)
	if err != nil {
		return nil, err
	}
	notices, err := pgx.AppendRows([]NoticeExplained{}, rows, func(row pgx.CollectableRow) (NoticeExplained, error) {
		n := NoticeExplained{Attempts: []AttemptExplained{}}
		var at *time.Time
		err := row.Scan(&n.ID, &n.Purpose, &n.Revision, &n.Owner, &n.Reason, &n.DecidedAt, &n.Outcome, &at)
		n.DecidedAt, n.OutcomeAt = n.DecidedAt.UTC(), derefTime(at)
		return n, err
	})
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i, n := range notices {
		at[n.ID] = i
	}
	rows, err = tx.Query(ctx, `SELECT x.notice_id, x.channel, x.state, x.reason, x.template, x.segments, x.claimed_at, x.state_at
		FROM notice_attempt x JOIN notice n ON n.id = x.notice_id WHERE n.appointment_id = $1 ORDER BY x.claimed_at, x.channel`, appointmentID)
	if err != nil {
		return nil, err
	}
	var id string
	var x AttemptExplained
	_, err = pgx.ForEachRow(rows, []any{&id, &x.Channel, &x.State, &x.Reason, &x.Template, &x.Segments, &x.ClaimedAt, &x.StateAt}, func() error {
		x.ClaimedAt, x.StateAt = x.ClaimedAt.UTC(), x.StateAt.UTC()
		i := at[id]
		notices[i].Attempts = append(notices[i].Attempts, x)
		return nil
	})
	return notices, err
}
