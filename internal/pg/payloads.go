package pg

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/identity"
)

// PayloadsRead writes down that somebody has read what lifecycles hold, of every clinic:
// what names the operation and how much it was of.
func (s *Store) PayloadsRead(ctx context.Context, by identity.Principal, what string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error { return s.audit(ctx, tx, by, "", "payload.read", what, "") })
}
