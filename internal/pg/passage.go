package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
)

// Passage is how far a citizen's message has come: ids and instants (UTC), and
// nothing of its content.
type Passage struct {
	MessageID, DialogueID string
	// ReceivedAt is when the listener began to store the message.
	ReceivedAt time.Time
	// PlacedAt is when its inbox row was written, a commit before anybody sees it.
	PlacedAt time.Time
}

// Passages finds, by MsgId, which of the clinic's messages are in an inbox; the
// others are left out. It opens nothing that is sealed, so it leaves no audit row.
func (s *Store) Passages(ctx context.Context, clinicID string, msgIDs []string) (map[string]Passage, error) {
	found := map[string]Passage{}
	rows, err := s.pool.Query(ctx, `SELECT m.msg_id, m.id, m.dialogue_id, m.received_at, max(i.placed_at)
		FROM inbound_message m JOIN inbox_item i ON i.message_id = m.id
		WHERE m.clinic_id = $1 AND m.msg_id = ANY($2) GROUP BY m.id`, clinicID, msgIDs)
	if err != nil {
		return nil, failure(err)
	}
	var msgID string
	var p Passage
	_, err = pgx.ForEachRow(rows, []any{&msgID, &p.MessageID, &p.DialogueID, &p.ReceivedAt, &p.PlacedAt}, func() error {
		p.ReceivedAt, p.PlacedAt = p.ReceivedAt.UTC(), p.PlacedAt.UTC()
		found[msgID] = p
		return nil
	})
	return found, failure(err)
}

// OpenEffects counts the clinic's intended effects that have no outcome yet.
func (s *Store) OpenEffects(ctx context.Context, clinicID string) (n int, err error) {
	err = s.pool.QueryRow(ctx, "SELECT count(*) FROM ledger WHERE clinic_id = $1 AND outcome IS NULL", clinicID).Scan(&n)
	return n, failure(err)
}

// ServerSettings returns the database server's values of settings such as
// server_version and fsync.
func (s *Store) ServerSettings(ctx context.Context, names ...string) (map[string]string, error) {
	values := map[string]string{}
	for _, name := range names {
		var value string
		if err := s.pool.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return nil, failure(err)
		}
		values[name] = value
	}
	return values, nil
}

// UntoldAppointments counts the clinic's booked appointments of whose newest revision
// Helsenorge has not been told yet, though it is to be.
func (s *Store) UntoldAppointments(ctx context.Context, clinicID string) (n int, err error) {
	err = s.pool.QueryRow(ctx, "SELECT count(*) FROM appointment WHERE clinic_id = $1 AND status = 'booked' AND told < revision", clinicID).Scan(&n)
	return n, failure(err)
}

// ClosedNotices counts the clinic's notices of a purpose that have their outcome.
func (s *Store) ClosedNotices(ctx context.Context, clinicID string, purpose contract.Purpose) (n int, err error) {
	err = s.pool.QueryRow(ctx, "SELECT count(*) FROM notice WHERE clinic_id = $1 AND purpose = $2 AND outcome IS NOT NULL", clinicID, purpose).Scan(&n)
	return n, failure(err)
}

// DatabaseBytes is what the database takes on the disk, its log not counted.
func (s *Store) DatabaseBytes(ctx context.Context) (n int64, err error) {
	err = s.pool.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&n)
	return n, failure(err)
}
