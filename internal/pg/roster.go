package pg

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/routing"
)

// lockRouting lets the transaction rely on the clinic's staff as roster reads it: nobody
// leaves until it ends. It comes before the lock of a dialogue: who changes the staff has
// this lock when he looks at the dialogues.
func (s *Store) lockRouting(ctx context.Context, tx pgx.Tx, clinicID string) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock_shared(hashtextextended('staff/' || lower($1), 0))", clinicID)
	return err
}

// lockStaff waits for everybody who relies on the clinic's staff, and keeps them out.
func (s *Store) lockStaff(ctx context.Context, tx pgx.Tx, clinicID string) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('staff/' || lower($1), 0))", clinicID)
	return err
}

// roster reads everybody who works at the clinic or has, and who of them is at work now.
func (s *Store) roster(ctx context.Context, tx pgx.Tx, clinicID string) (routing.Roster, error) {
	rows, err := tx.Query(ctx, `SELECT s.id, s.position, s.role, s.unit, s.hpr, coalesce(s.deputy_id::text, ''), s.active,
			s.active AND NOT coalesce(s.absent_from <= $2 AND (s.absent_until IS NULL OR s.absent_until > $2), false),
			ARRAY(SELECT g.group_id FROM staff_group_member g WHERE g.clinic_id = s.clinic_id AND g.staff_id = s.id ORDER BY g.group_id)
		FROM staff s WHERE s.clinic_id = $1 ORDER BY s.id`, clinicID, s.now())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (routing.Member, error) {
		var m routing.Member
		err := row.Scan(&m.ID, &m.Position, &m.Role, &m.Unit, &m.HPR, &m.DeputyID, &m.Active, &m.Present, &m.Groups)
		return m, err
	})
}

// staffNamed is the id of the active staff member with the token's subject.
func (s *Store) staffNamed(ctx context.Context, tx pgx.Tx, clinicID, subject string) (string, error) {
	var id string
	err := tx.QueryRow(ctx, "SELECT id FROM staff WHERE clinic_id = $1 AND subject = $2 AND active", clinicID, subject).Scan(&id)
	return id, notFound(err, "the caller is not one of the clinic's active staff: have the record system write him")
}

// putAbsences writes who stands in for whom and who is away, once everybody is written
// who may be named (F12).
func (s *Store) putAbsences(ctx context.Context, tx pgx.Tx, c Clinic) error {
	for _, p := range c.Staff {
		if err := owned(tx.Exec(ctx, `UPDATE staff SET deputy_id = $3, absent_from = $4, absent_until = $5 WHERE id = $1 AND clinic_id = $2
				AND ($3::uuid IS NULL OR EXISTS (SELECT FROM staff d WHERE d.id = $3 AND d.clinic_id = $2))`,
			p.ID, c.ID, nullable(p.DeputyID), nullableTime(p.AbsentFrom), nullableTime(p.AbsentUntil))); err != nil {
			return err
		}
	}
	return nil
}

// reachesNobody refuses a recipient behind whom nobody at work is.
func reachesNobody(path string, r routing.Recipient) error {
	return apperr.InvalidFields("nobody would read it: choose a recipient behind whom somebody is at work", apperr.Field{
		Path: path, Rule: string(r.Kind) + " " + r.ID + " has no member at work, and no deputy of one",
	})
}
