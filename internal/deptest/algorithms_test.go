package deptest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// cryptographic says whether a package is one of algorithms or of chance.
func cryptographic(path string) bool {
	return strings.HasPrefix(path, "crypto/") || strings.HasPrefix(path, "golang.org/x/crypto/") || strings.HasPrefix(path, "math/rand") ||
		strings.HasPrefix(path, "github.com/go-jose/") || strings.HasSuffix(path, "/go-pkcs12")
}

// TestAlgorithms: algorithms.txt is every use that shipped code makes of cryptography, by the
// package that makes it: nothing is added, or left behind, unseen.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	uses := map[string]bool{}
	for _, dir := range []string{"activities", "internal", "starter", "worker", "workflows"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				switch d.Name() {
				case "devstack", "testdata", "testca", "registrytest", "sink": // of tests and the development stack
					return fs.SkipDir
				}
				return nil
			}
			if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, i := range file.Imports {
				imported, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					return err
				}
				if !cryptographic(imported) {
					continue
				}
				name := strings.TrimPrefix(filepath.Base(imported), "go-")
				if strings.HasPrefix(name, "v") && len(name) == 2 {
					name = strings.TrimPrefix(filepath.Base(filepath.Dir(imported)), "go-")
				}
				if i.Name != nil {
					name = i.Name.Name
				}
				pkg, err := filepath.Rel(root, filepath.Dir(path))
				if err != nil {
					return err
				}
				ast.Inspect(file, func(n ast.Node) bool {
					if s, ok := n.(*ast.SelectorExpr); ok {
						if x, ok := s.X.(*ast.Ident); ok && x.Name == name {
							uses[pkg+" "+imported+"."+s.Sel.Name] = true
						}
					}
					return true
				})
			}
			return nil
		}))
	}
	var found []string
	for use := range uses {
		found = append(found, use)
	}
	slices.Sort(found)
	text, err := os.ReadFile("algorithms.txt")
	require.NoError(t, err)
	require.Equal(t, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), found, "look at what is new, and write it into algorithms.txt")
}
