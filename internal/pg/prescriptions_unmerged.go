package pg

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
)

func (s *Store) applySplit(context.Context, pgx.Tx, storedChange, *contract.ApplyDialogueChangeOutput) error {
	return errUnmerged
}
