package pg

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
)

var errUnmerged = apperr.New(apperr.Unsupported, "this version does not offer the command")

func (s *Store) applySplit(context.Context, pgx.Tx, storedChange, *contract.ApplyDialogueChangeOutput) error {
	return errUnmerged
}
