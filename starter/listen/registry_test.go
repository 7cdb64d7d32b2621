package listen

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
)

// TestAnActivationHearsOfTheRegistryOnce: when it has not looked since, and again when the
// registry says yet something else (S12).
func TestAnActivationHearsOfTheRegistryOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	temporal := &fakeTemporal{}
	w.temporal = temporal
	clinic := pg.LookedAt{ClinicID: "c1", Facts: activation.Facts{HerID: 900000, Parties: []activation.Party{{HerID: gp, StaffID: "s1"}}}}
	own := pg.LookedAt{ClinicID: "c1", StaffID: "s1", Facts: activation.Facts{HerID: 900000, Parties: clinic.Facts.Parties, GP: &activation.GP{ID: "s1"}}}
	w.store.integrations = []pg.LookedAt{clinic, own}
	known := map[string]told{}
	look := func() []any {
		temporal.started = nil
		w.watchRegistry(t.Context(), known)
		return temporal.started
	}
	require.Equal(t, []any{
		"activation/c1", contract.SignalRegistryChanged, nil, contract.ActivationWorkflow, contract.ActivationInput{ClinicID: "c1"},
		"activation/c1/s1", contract.SignalRegistryChanged, nil, contract.ActivationWorkflow, contract.ActivationInput{ClinicID: "c1", StaffID: "s1"},
	}, look())
	require.Empty(t, look(), "it was told")

	// Both have looked.
	seen := func() {
		for i := range w.store.integrations {
			said, err := registry.Look(t.Context(), w.registry, w.store.integrations[i].Facts.HerIDs())
			require.NoError(t, err)
			w.store.integrations[i].Seen, _ = w.store.integrations[i].Stale(said)
		}
	}
	seen()
	require.Empty(t, look())
	require.Empty(t, known)

	// The clinic's own data changes for the GP alone.
	w.store.integrations[1].Facts.GP = &activation.GP{ID: "s1", ClinicActive: true}
	require.Len(t, look(), 5)
	require.Empty(t, look())
	seen()
	require.Empty(t, look())

	// A database that is down is waited for.
	w.store.integrationsErr = apperr.New(apperr.Unavailable, "down")
	require.Empty(t, look())
}

// TestARegistryThatCannotBeReadSaysNothing: nobody is taken for unregistered by it.
func TestARegistryThatCannotBeReadSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	temporal := &fakeTemporal{}
	path := t.TempDir() + "/registry.yaml"
	require.NoError(t, registry.Write(path, []registry.Party{{HerID: 900000, Name: "Legesenteret"}}))
	file, err := registry.Open(path)
	require.NoError(t, err)
	w.temporal, w.registry = temporal, file
	w.store.integrations = []pg.LookedAt{{ClinicID: "c1", Facts: activation.Facts{HerID: 900000}}}
	require.NoError(t, os.Remove(path))
	w.watchRegistry(t.Context(), map[string]told{})
	require.Empty(t, temporal.started)
	require.Contains(t, w.log.String(), "what is registered stays as it was")
}
