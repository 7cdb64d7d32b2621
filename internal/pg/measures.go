package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standing is how much is under way, in the whole installation: what is measured, and what
// alerts look at. Nothing in it is anybody's.
type Standing struct {
	// Unfinished are messages that are stored and that their lifecycle does not know of.
	Unfinished    int64
	UnfinishedAge time.Duration
	// Effects are intended effects without an outcome, by kind.
	Effects map[string]OpenEffects
	// ReceiptsOverdue are messages whose receipt is late, and of which nobody was told: the
	// clock that should have, does not run.
	ReceiptsOverdue int64
	// UnsentAge is the age of the oldest message that was accepted and has not left.
	UnsentAge time.Duration
	// NoticesWithoutOutcome should have gone out an hour ago or more.
	NoticesWithoutOutcome int64
	// Cases are those that nobody has seen to, by kind.
	Cases map[string]int64
	// Quarantined are kept aside and not decided about.
	Quarantined int64
	// AnswersOverdue are dialogues that the clinic is late with.
	AnswersOverdue int64
	// UnsealedAge is the age of the oldest row of the audit that no seal covers.
	UnsealedAge time.Duration
}

// OpenEffects are the intended effects of a kind that have no outcome.
type OpenEffects struct {
	Count int64
	// Age is the oldest's.
	Age time.Duration
}

// Standing measures how much is under way. It reads what is open only, which is little.
func (s *Store) Standing(ctx context.Context) (Standing, error) {
	now := Standing{Effects: map[string]OpenEffects{}, Cases: map[string]int64{}}
	at := s.now()
	age := func(since *time.Time) time.Duration {
		if since == nil {
			return 0
		}
		return max(at.Sub(*since), 0)
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var unfinished, unsent, unsealed *time.Time
		if err := tx.QueryRow(ctx, `SELECT
			(SELECT count(*) FROM inbound_message WHERE handed_over_at IS NULL),
			(SELECT min(received_at) FROM inbound_message WHERE handed_over_at IS NULL),
			(SELECT count(*) FROM outbound_message WHERE outcome IS NULL AND sent_at IS NOT NULL AND receipt_due < $1),
			(SELECT min(created_at) FROM outbound_message WHERE outcome IS NULL AND sent_at IS NULL),
			(SELECT count(*) FROM notice WHERE outcome IS NULL AND latest_at < $1::timestamptz - interval '1 hour'),
			(SELECT count(*) FROM quarantine WHERE state = 'kept'),
			(SELECT count(*) FROM dialogue WHERE answer_due < $1),
			(SELECT at FROM audit WHERE id > (SELECT coalesce(max(until_id), 0) FROM audit_seal) ORDER BY id LIMIT 1)`, at).
			Scan(&now.Unfinished, &unfinished, &now.ReceiptsOverdue, &unsent, &now.NoticesWithoutOutcome, &now.Quarantined, &now.AnswersOverdue, &unsealed); err != nil {
			return err
		}
		now.UnfinishedAge, now.UnsentAge, now.UnsealedAge = age(unfinished), age(unsent), age(unsealed)
		rows, err := tx.Query(ctx, "SELECT effect, count(*), min(intended_at) FROM ledger WHERE outcome IS NULL GROUP BY effect")
		if err != nil {
			return err
		}
		var kind string
		var n int64
		var oldest time.Time
		if _, err := pgx.ForEachRow(rows, []any{&kind, &n, &oldest}, func() error {
			now.Effects[kind] = OpenEffects{n, age(&oldest)}
			return nil
		}); err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, "SELECT kind, count(*) FROM operator_case WHERE resolved_at IS NULL GROUP BY kind"); err != nil {
			return err
		}
		_, err = pgx.ForEachRow(rows, []any{&kind, &n}, func() error {
			now.Cases[kind] = n
			return nil
		})
		return err
	})
	return now, err
}
