// Package ledger keeps the book of intended effects and opens operator cases.
package ledger

import (
	"context"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
)

// Store is what the group needs of the database.
type Store interface {
	LoadDialogue(ctx context.Context, clinicID, dialogueID string) (contract.LoadDialogueOutput, error)
	CloseDelivery(context.Context, contract.CloseDeliveryInput) (contract.Outcome, error)
	OpenCase(context.Context, contract.OpenCaseInput) (caseID string, err error)
}

// Activities implements contract.LedgerActivities.
type Activities struct{ store Store }

var _ contract.LedgerActivities = (*Activities)(nil)

// New makes the group.
func New(store Store) *Activities { return &Activities{store: store} }

// LoadDialogue implements contract.LedgerActivities.
func (a *Activities) LoadDialogue(ctx context.Context, in contract.LoadDialogueInput) (contract.LoadDialogueOutput, error) {
	out, err := a.store.LoadDialogue(ctx, in.ClinicID, in.DialogueID)
	return out, apperr.ToTemporal(err)
}

// CloseDelivery implements contract.LedgerActivities.
func (a *Activities) CloseDelivery(ctx context.Context, in contract.CloseDeliveryInput) (contract.CloseDeliveryOutput, error) {
	outcome, err := a.store.CloseDelivery(ctx, in)
	return contract.CloseDeliveryOutput{Outcome: outcome}, apperr.ToTemporal(err)
}

// OpenCase implements contract.LedgerActivities.
func (a *Activities) OpenCase(ctx context.Context, in contract.OpenCaseInput) (contract.OpenCaseOutput, error) {
	id, err := a.store.OpenCase(ctx, in)
	return contract.OpenCaseOutput{CaseID: id}, apperr.ToTemporal(err)
}
