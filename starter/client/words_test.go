package client_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/starter/client"
)

// Every reason code that the source names has its sentence: a new rule fails here
// until its words are written.
func TestEveryReasonCodeHasASentence(t *testing.T) {
	t.Parallel()
	for dir, named := range map[string]string{
		"domain/booking":        `.*`,
		"domain/notice":         `^(Reason|Hop|Done)`,
		"domain/publication":    `^Reason`,
		"domain/reminder":       `.*`,
		"domain/representation": `^(Protected|SixteenOrOlder|UnderSixteen|UnknownRelation|Unverified|NotReconfirmed)$`,
		"pg":                    `^(Booking|Offer|rule)[A-Z]`,
	} {
		codes := constants(t, filepath.Join("..", "..", "internal", dir), regexp.MustCompile(named))
		require.NotEmpty(t, codes, dir)
		for name, code := range codes {
			words := client.Sentence(code)
			require.NotEqual(t, code, words, "%s.%s has no words", dir, name)
			require.False(t, strings.HasSuffix(words, "."), "a clause, not a sentence of its own: %s", words)
		}
	}
	require.Equal(t, "notices are switched off for the calendar and notices are switched off for the type of appointment", client.Sentence("gate-calendar+gate-type"))
	require.Equal(t, "a-code-of-tomorrow", client.Sentence("a-code-of-tomorrow"))
	require.Equal(t, "E35 Pasienten finnes ikke i mottakersystemet", client.Sentence("E35"))
	require.Empty(t, client.Sentence(""))
}

func TestEveryOutcomeOwnerAndCodeHasWords(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "internal", "contract")
	for name, code := range constants(t, dir, regexp.MustCompile(`^Outcome`)) {
		words := client.Outcome(contract.Outcome(code))
		require.NotEmpty(t, words, name)
		require.True(t, words != code || code == "done" || code == "sent" || code == "delivered", name)
	}
	for name, code := range constants(t, dir, regexp.MustCompile(`^Owner[A-Z]`)) {
		words := client.Teller(contract.Owner(code))
		require.True(t, words != code || code == "nobody", name)
	}
	for name, code := range constants(t, dir, regexp.MustCompile(`^Appointment(Confirmed|Not|Changed|Cancelled|With|Patient)`)) {
		require.NotEqual(t, code, client.Published(code), name)
	}
	require.Equal(t, "under way", client.Outcome(""))
}

// constants reads the string constants of a package whose names match.
func constants(t *testing.T, dir string, named *regexp.Regexp) map[string]string {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	found := map[string]string{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, f.Name()), nil, 0)
		require.NoError(t, err)
		for _, d := range parsed.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				v := spec.(*ast.ValueSpec) //nolint:forcetypeassert // a constant's spec is one
				for i, name := range v.Names {
					if i >= len(v.Values) || !named.MatchString(name.Name) {
						continue
					}
					literal, ok := v.Values[i].(*ast.BasicLit)
					if !ok || literal.Kind != token.STRING {
						continue
					}
					code, err := strconv.Unquote(literal.Value)
					require.NoError(t, err)
					found[name.Name] = code
				}
			}
		}
	}
	return found
}
