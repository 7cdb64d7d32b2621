// Package registry looks at the address registry for what an integration with
// Helsenorge needs, and keeps how it stands (S1-S13).
package registry

import (
	"context"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
)

// Store is what the group needs of the database.
type Store interface {
	ActivationFacts(ctx context.Context, clinicID, staffID string) (activation.Facts, error)
	CheckPreconditions(ctx context.Context, in contract.CheckPreconditionsInput, said pg.Answers) (contract.CheckPreconditionsOutput, error)
	ApplyActivation(ctx context.Context, in contract.ApplyActivationInput, said pg.Answers) (contract.ApplyActivationOutput, error)
}

// Activities implements contract.ActivationActivities.
type Activities struct {
	store    Store
	registry registry.Registry
}

var _ contract.ActivationActivities = (*Activities)(nil)

// New makes the group.
func New(store Store, r registry.Registry) *Activities { return &Activities{store: store, registry: r} }

// CheckPreconditions implements contract.ActivationActivities.
func (a *Activities) CheckPreconditions(ctx context.Context, in contract.CheckPreconditionsInput) (contract.CheckPreconditionsOutput, error) {
	said, err := a.ask(ctx, in.ClinicID, in.StaffID)
	if err != nil {
		return contract.CheckPreconditionsOutput{}, apperr.ToTemporal(err)
	}
	out, err := a.store.CheckPreconditions(ctx, in, said)
	return out, apperr.ToTemporal(err)
}

// ApplyActivation implements contract.ActivationActivities.
func (a *Activities) ApplyActivation(ctx context.Context, in contract.ApplyActivationInput) (contract.ApplyActivationOutput, error) {
	said, err := a.ask(ctx, in.ClinicID, in.StaffID)
	if err != nil {
		return contract.ApplyActivationOutput{}, apperr.ToTemporal(err)
	}
	out, err := a.store.ApplyActivation(ctx, in, said)
	return out, apperr.ToTemporal(err)
}

// ask asks the registry about everybody whom the integration depends on.
func (a *Activities) ask(ctx context.Context, clinicID, staffID string) (pg.Answers, error) {
	facts, err := a.store.ActivationFacts(ctx, clinicID, staffID)
	if err != nil {
		return nil, err
	}
	return registry.Look(ctx, a.registry, facts.HerIDs())
}
