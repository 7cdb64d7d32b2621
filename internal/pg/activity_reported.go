package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// ReportedActivity is what Helsenorge tells of whether somebody can be reached there:
// unasked, when that changes (SDAB), or of whom it was asked about (28; HITS 1217 §3.9).
type ReportedActivity struct {
	NationalID string
	// Active is false when he has no profile any more, or has withdrawn his consent.
	Active bool
}

// activityReported keeps what a message tells of who can be reached on Helsenorge, as
// known when the message was written: an older one that comes later changes nothing.
// Of people whom the clinic does not know nothing is kept.
func (s *Store) activityReported(ctx context.Context, tx pgx.Tx, clinicID string, a Arrival) error {
	at := s.now()
	if !a.WrittenAt.IsZero() && a.WrittenAt.Before(at) {
		at = a.WrittenAt
	}
	for _, r := range a.Activity {
		if err := s.reported(ctx, tx, s.vault.BlindIndex(nationalIDIndex, clinicID, r.NationalID), clinicID, r.Active, at); err != nil {
			return err
		}
	}
	return nil
}

// reported keeps one person's. Who is not active is not reached through others either:
// that is what Helsenorge would refuse a message for (E35). Who became active says
// nothing of others. A message is dated in whole seconds: of what is known of the same
// second, it has the last word.
func (s *Store) reported(ctx context.Context, tx pgx.Tx, index []byte, clinicID string, active bool, at time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE patient SET active_self = $3, active_other = $3 AND coalesce(active_other, false), active_at = $4, active_by = $5
		WHERE clinic_id = $1 AND national_id_index = $2 AND erased_at IS NULL AND (active_at IS NULL OR date_trunc('second', active_at) <= $4)`,
		clinicID, index, active, at, ActivityReported)
	return err
}
