package pg

import (
	"context"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Alone does something while nobody else does what has the same name, in any process. It is
// apperr.Unavailable, with nothing done, where that cannot be known. What is done uses
// connections of its own, and may not itself be Alone: few wait at once, so that there are
// some.
func (s *Store) Alone(ctx context.Context, name string, do func()) error {
	select {
	case s.alone <- struct{}{}:
		defer func() { <-s.alone }()
	case <-ctx.Done():
		return apperr.New(apperr.Unavailable, "others write the same: try again")
	}
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return failure(err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written with it
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name); err != nil {
		return failure(err)
	}
	do()
	return nil
}
