package failpoint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
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
	require.ElementsMatch(t, declared, slices.Concat(failpoint.Points(), failpoint.AppointmentPoints(), failpoint.DialoguePoints()))
}
