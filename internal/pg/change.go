package pg

import (
	"context"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
)

// DraftChange stores a change before the command that applies it.
func (s *Store) DraftChange(ctx context.Context, by identity.Principal, clinicID string, c Change) (DraftedChange, error) {
	return DraftedChange{}, apperr.New(apperr.Unsupported, "not yet")
}

// DropChange removes a change that was not applied.
func (s *Store) DropChange(ctx context.Context, clinicID, id string, attempt int) error {
	return apperr.New(apperr.Unsupported, "not yet")
}

// ApplyChange applies a stored change to the calendar.
func (s *Store) ApplyChange(ctx context.Context, in contract.ApplyChangeInput) (contract.ApplyChangeOutput, error) {
	return contract.ApplyChangeOutput{}, apperr.New(apperr.Unsupported, "not yet")
}
