package helsenorge

import (
	"testing"

	"github.com/helsebro/helsebro/internal/xsdtest"
)

func shared(t testing.TB, path string) string { t.Helper(); return xsdtest.Shared(t, path) }

func samples(t testing.TB, part string) map[string][]byte {
	t.Helper()
	return xsdtest.Samples(t, part)
}

func xsdVerdicts(t *testing.T, documents [][]byte) []string {
	t.Helper()
	return xsdtest.Verdicts(t, documents)
}

func requireValid(t *testing.T, documents ...[]byte) {
	t.Helper()
	xsdtest.RequireValid(t, documents...)
}
