package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// readingKept is how long it is remembered that reading a message never came to an end: a
// message that has not come again by then never will.
const readingKept = 30 * 24 * time.Hour

// BeginReading notes that a message that came again is about to be read, and tells how often
// that was noted without EndReading: so many listeners may have died over it. The broker
// does not tell how often it brought a message.
func (s *Store) BeginReading(ctx context.Context, a Arrival) (died int, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `INSERT INTO reading AS r (from_her_id, transport_id, begun, begun_at) VALUES ($1, $2, 1, $3)
			ON CONFLICT (from_her_id, transport_id) DO UPDATE SET begun = r.begun + 1, begun_at = $3 RETURNING begun - 1`,
			a.FromHerID, a.TransportID, s.now()).Scan(&died); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DELETE FROM reading WHERE begun_at < $1", s.now().Add(-readingKept))
		return err
	})
	return died, err
}

// EndReading notes that reading it came to an end, whatever that was.
func (s *Store) EndReading(ctx context.Context, a Arrival) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM reading WHERE from_her_id = $1 AND transport_id = $2", a.FromHerID, a.TransportID)
		return err
	})
}
