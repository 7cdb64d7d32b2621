package failpoint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/failpoint"
)

// TestEveryPointIsListed: a point that no list has is one that nobody dies at.
func TestEveryPointIsListed(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "failpoint.go", nil, 0)
	require.NoError(t, err)
	var declared []failpoint.Point
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			declared = append(declared, failpoint.Point(name))
		}
		return true
	})
	require.NotEmpty(t, declared)
	listed := map[failpoint.Point]bool{} // a way may have steps of another's
	for _, point := range slices.Concat(failpoint.Points(), failpoint.AppointmentPoints(), failpoint.DialoguePoints(), failpoint.EDialoguePoints()) {
		listed[point] = true
	}
	require.ElementsMatch(t, declared, slices.Collect(maps.Keys(listed)))
}
