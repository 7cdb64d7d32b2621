// Package dialogue does to dialogues what staff ask and what time brings: commands, and the
// steps of the answer clock (F13). It shows what an e-dialogue has to say (S19, S20).
package dialogue

import (
	"context"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
)

// Store is what the group needs of the database.
type Store interface {
	ApplyDialogueChange(context.Context, contract.ApplyDialogueChangeInput) (contract.ApplyDialogueChangeOutput, error)
	Escalate(context.Context, contract.EscalateInput) (contract.EscalateOutput, error)
	PublishMessage(context.Context, contract.PublishMessageInput) (contract.PublishMessageOutput, error)
}

// Activities implements contract.DialogueActivities.
type Activities struct{ store Store }

var _ contract.DialogueActivities = (*Activities)(nil)

// New makes the group.
func New(store Store) *Activities { return &Activities{store: store} }

// ApplyDialogueChange implements contract.DialogueActivities.
func (a *Activities) ApplyDialogueChange(ctx context.Context, in contract.ApplyDialogueChangeInput) (contract.ApplyDialogueChangeOutput, error) {
	out, err := a.store.ApplyDialogueChange(ctx, in)
	failpoint.Hit(failpoint.DialogueChanged)
	return out, apperr.ToTemporal(err)
}

// Escalate implements contract.DialogueActivities.
func (a *Activities) Escalate(ctx context.Context, in contract.EscalateInput) (contract.EscalateOutput, error) {
	out, err := a.store.Escalate(ctx, in)
	failpoint.Hit(failpoint.Escalated)
	return out, apperr.ToTemporal(err)
}

// PublishMessage implements contract.DialogueActivities. In app and portal the patient's
// own feed tells of it; no channel outside them does.
func (a *Activities) PublishMessage(ctx context.Context, in contract.PublishMessageInput) (contract.PublishMessageOutput, error) {
	out, err := a.store.PublishMessage(ctx, in)
	failpoint.Hit(failpoint.MessagePublished)
	return out, apperr.ToTemporal(err)
}
