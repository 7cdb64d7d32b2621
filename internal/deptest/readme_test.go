package deptest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A table of proofs is worth what its tests are: each that the README names exists.
func TestTheReadmesTestsExist(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "grep", "-rhoE", "--include=*_test.go", "^func (Test|Fuzz)[A-Za-z0-9]+", root).Output()
	require.NoError(t, err)
	have := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		have[strings.TrimPrefix(strings.TrimSpace(line), "func ")] = true
	}
	var named [][]string
	for line := range strings.Lines(string(readme)) {
		if !strings.Contains(line, "§") { // the standard's communication test has types of such names
			named = append(named, regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)(?:/[a-z]+)?`").FindAllStringSubmatch(line, -1)...)
		}
	}
	require.Greater(t, len(named), 40)
	for _, n := range named {
		require.Truef(t, have[n[1]], "the README names %s, which is no test", n[1])
	}
}
