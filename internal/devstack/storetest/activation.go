package storetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	preconditions "github.com/helsebro/helsebro/activities/registry"
	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
)

// Registry is an address registry in memory, by HER-id.
type Registry map[int]registry.Party

// Party implements registry.Registry.
func (r Registry) Party(_ context.Context, herID int) (registry.Party, error) {
	p, ok := r[herID]
	if !ok {
		return p, apperr.New(apperr.NotFound, "HER-id %d is not in the address registry", herID)
	}
	return p, nil
}

// Registered is an address registry that has all that the clinic wishes for.
func Registered(c pg.Clinic) Registry {
	r := Registry{c.HerID: demo.Organisation(c)}
	for _, p := range c.Parties {
		r[p.HerID] = registry.Party{HerID: p.HerID, Name: p.Name, ParentHerID: c.HerID, Processes: p.Processes}
	}
	return r
}

// Activate activates a clinic that is written, and each of its GPs, as an operator does,
// with a registry that has all that it wishes for. Staff without a party must have a
// HER-id.
func Activate(t testing.TB, s *pg.Store, c pg.Clinic) {
	t.Helper()
	r := Registered(c)
	for _, change := range demo.Activation(c) {
		require.NoError(t, Change(t, s, r, c.ID, change))
		// What was activated before is looked at anew: the clinic may wish for more.
		Look(t, s, r, c.ID, change.StaffID)
	}
}

// Look looks at the preconditions of an integration, as its lifecycle does.
func Look(t testing.TB, s *pg.Store, r registry.Registry, clinicID, staffID string) contract.CheckPreconditionsOutput {
	t.Helper()
	out, err := preconditions.New(s, r).CheckPreconditions(t.Context(), contract.CheckPreconditionsInput{ClinicID: clinicID, StaffID: staffID})
	require.NoError(t, err)
	return out
}

// Change gives a command on an integration as an operator and has it applied, as the
// lifecycle does.
func Change(t testing.TB, s *pg.Store, r registry.Registry, clinicID string, change pg.ActivationChange) error {
	t.Helper()
	if _, err := s.DraftActivation(t.Context(), demo.Operator, clinicID, change); err != nil {
		return err
	}
	_, err := preconditions.New(s, r).ApplyActivation(t.Context(), contract.ApplyActivationInput{
		ClinicID: clinicID, StaffID: change.StaffID, CommandID: change.ID,
	})
	return apperr.FromTemporal(err)
}
