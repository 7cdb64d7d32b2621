package listen

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// A practitioner is wished for by number. The ledger keeps it, so that words of a
// counterpart's, which may name the patient, must not pass for one.
func TestAWishedPractitionerHasANumber(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{"7654321": "7654321", "Line Testperson": "", "13116900216": "", strings.Repeat("1", 1000): ""} {
		require.Equal(t, want, wished([]helsenorge.Role{{
			RoleToPatient: &helsenorge.Code{V: codes.WishedPractitioner},
			Professional:  &helsenorge.HealthcareProfessional{Idents: []helsenorge.Ident{{ID: id, Type: helsenorge.Code{V: codes.HPR}}}},
		}}))
	}
}
