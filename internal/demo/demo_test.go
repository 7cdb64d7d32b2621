package demo_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
)

// Whoever changes his demonstration clinic changes nobody else's.
func TestClinicIsTheCallersOwn(t *testing.T) {
	first := demo.Clinic()
	for i := range first.Parties {
		first.Parties[i].Processes = append(first.Parties[i].Processes, "another")
		first.Parties[i].Processes[0] = "another"
	}
	for _, p := range demo.Clinic().Parties {
		require.NotContains(t, p.Processes, "another")
	}
}
