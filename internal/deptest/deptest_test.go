package deptest

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

const root = "../.."

func TestTreeKeepsTheDependencyRule(t *testing.T) {
	t.Parallel()
	refused, covered, err := Check(root, Rules())
	require.NoError(t, err)
	for _, v := range refused {
		t.Error(v)
	}
	for _, r := range Rules() {
		require.NotZerof(t, covered[r.Name], "rule %q covers no file: has %v been renamed?", r.Name, r.In)
	}
}

func TestTreeKeepsTheLayout(t *testing.T) {
	t.Parallel()
	wrong, err := CheckLayout(root)
	require.NoError(t, err)
	require.Empty(t, wrong)
}

// The imports are the rule; this holds go.mod to it as well, where a tool or an
// indirect need would bring the server in without an import.
func TestRootModuleNeverRequiresTheServer(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	for lines := bufio.NewScanner(file); lines.Scan(); {
		require.NotContains(t, lines.Text(), "go.temporal.io/server", "the Temporal server belongs to the nested module internal/devstack")
	}
}

func TestRulesRefuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, imported, rule string // rule "" means that the import is allowed
	}{
		{"workflows/dialogue/workflow.go", "os", "workflows"},
		{"workflows/dialogue/workflow.go", "math/rand/v2", "workflows"},
		{"workflows/dialogue/workflow.go", "log/slog", "workflows"},
		{"workflows/dialogue/workflow.go", Module + "/internal/contract", ""},
		{"workflows/dialogue/workflow.go", Module + "/internal/contracts", "workflows"},
		{"workflows/dialogue/workflow.go", "go.temporal.io/sdk/worker", "workflows"},
		{"workflows/dialogue/workflow.go", "go.temporal.io/sdk/activity", "workflows"},
		{"workflows/dialogue/workflow.go", Module + "/workflows/fakes", "workflows"},
		{"workflows/dialogue/workflow_test.go", Module + "/workflows/fakes", ""},
		{"workflows/fakes/fakes.go", "sync", ""},
		{"workflows/fakes/fakes.go", Module + "/activities/inbox", "workflow-tests"},
		{"workflows/dialogue/workflow_test.go", "os", ""},
		{"workflows/dialogue/workflow_test.go", Module + "/activities/inbox", "workflow-tests"},
		{"workflows/register.go", "go.temporal.io/sdk/worker", ""},
		{"workflows/register.go", "net/http", "workflow-registration"},
		{"internal/contract/contract.go", "github.com/google/uuid", "contract"},
		{"internal/domain/oslo/oslo.go", "time/tzdata", ""},
		{"internal/domain/oslo/oslo.go", "os", "domain"},
		{"internal/domain/routing/routing.go", "github.com/google/uuid", "domain"},
		{"internal/domain/routing/routing.go", Module + "/internal/domain/oslo", ""},
		{"internal/helsenorge/read.go", "net/http", "message-standard"},
		{"internal/helsenorge/read.go", "net/url", ""},
		{"activities/inbox/inbox.go", Module + "/workflows/flow", "activities"},
		{"activities/inbox/inbox_test.go", Module + "/workflows/flow", "activities"},
		{"activities/inbox/inbox.go", "go.uber.org/fx", "fx"},
		{"activities/inbox/fx.go", "go.uber.org/fx", ""},
		{"activities/inbox/fx.go", Module + "/worker/fleet", ""},
		{"activities/inbox/inbox.go", Module + "/worker/fleet", "activity-wiring"},
		{"worker/fleet/fleet.go", "go.uber.org/fx", ""},
		{"starter/api/api.go", Module + "/workflows", "starter"},
		{"starter/client/client.go", "go.temporal.io/sdk/client", ""},
		{"activities/inbox/inbox.go", "go.temporal.io/sdk/client", "temporal-client"},
		{"internal/vault/vault.go", Module + "/activities/inbox", "internal-is-below"},
		{"internal/vault/vault.go", "github.com/jackc/pgx/v5", "pgx"},
		{"internal/pg/store.go", "github.com/jackc/pgx/v5/pgxpool", ""},
		{"internal/devstack/stack.go", "github.com/jackc/pgx/v5", "pgx"},
		{"internal/devstack/stack.go", Module + "/worker/fleet", ""},
		{"internal/devstack/stack.go", "go.temporal.io/server/temporal", ""},
		{"worker/main.go", "go.temporal.io/server/temporal", "embedded-server"},
		{"internal/channel/smtp/smtp_test.go", "github.com/emersion/go-smtp", "mail-server"},
		{"internal/channel/sink/mail.go", "github.com/emersion/go-smtp", ""},
		{"starter/listen/listen.go", "github.com/Azure/go-amqp", "amqp"},
		{"internal/transport/amqp/client.go", "github.com/Azure/go-amqp", ""},
		{"internal/transport/cms/seal.go", Module + "/internal/testca", "thrown-away-authority"},
		{"internal/transport/cms/seal_test.go", Module + "/internal/testca", ""},
		{"internal/simulator/pki.go", Module + "/internal/testca", ""},
		{"worker/main_test.go", "github.com/stretchr/testify/assert", "tests"},
	} {
		t.Run(c.file+" "+c.imported, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			name := filepath.Join(dir, filepath.FromSlash(c.file))
			require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
			require.NoError(t, os.WriteFile(name, []byte("package p\n\nimport _ \""+c.imported+"\"\n"), 0o600))

			refused, _, err := Check(dir, Rules())
			require.NoError(t, err)
			if c.rule == "" {
				require.Empty(t, refused)
				return
			}
			require.Len(t, refused, 1)
			require.Equal(t, c.rule, refused[0].Rule.Name)
			require.Contains(t, refused[0].String(), c.file+":3: imports "+c.imported)
			require.Contains(t, refused[0].String(), refused[0].Rule.Reason)
		})
	}
}

func TestLayoutRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"pkg", "internal/util", "internal/pg", ".tools/common", "workflows/testdata/misc"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.FromSlash(name)), 0o755))
	}
	wrong, err := CheckLayout(dir)
	require.NoError(t, err)
	require.Len(t, wrong, 2)
	require.Contains(t, wrong[0], "pkg: the top level holds only")
	require.Contains(t, wrong[1], filepath.Join("internal", "util"))
}

// An editor shows what depguard refuses: it must be the same rule.
func TestLinterKnowsTheSameRules(t *testing.T) {
	t.Parallel()
	type depguard struct {
		ListMode string   `yaml:"list-mode"`
		Files    []string `yaml:"files"`
		Allow    []string `yaml:"allow"`
		Deny     []struct {
			Pkg  string `yaml:"pkg"`
			Desc string `yaml:"desc"`
		} `yaml:"deny"`
	}
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]depguard `yaml:"rules"`
				} `yaml:"depguard"`
			} `yaml:"settings"`
		} `yaml:"linters"`
	}
	raw, err := os.ReadFile(filepath.Join(root, ".golangci.yml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(raw, &config))
	guarded := config.Linters.Settings.Depguard.Rules

	require.Len(t, guarded, len(Rules()))
	for _, r := range Rules() {
		g, ok := guarded[r.Name]
		require.Truef(t, ok, "depguard has no rule %q", r.Name)
		mode := "lax"
		if len(r.Allow) > 0 {
			mode = "strict"
		}
		require.Equal(t, mode, g.ListMode, r.Name)
		require.ElementsMatch(t, depguardFiles(r), g.Files, r.Name)
		require.ElementsMatch(t, depguardImports(r.Allow), g.Allow, r.Name)
		denied := make([]string, 0, len(g.Deny))
		for _, d := range g.Deny {
			denied = append(denied, d.Pkg)
			require.NotEmpty(t, d.Desc, "%s: the reason of %s", r.Name, d.Pkg)
		}
		require.ElementsMatch(t, depguardImports(r.Deny), denied, r.Name)
	}
}

// depguardFiles writes a rule's files as depguard's globs over absolute paths.
func depguardFiles(r Rule) []string {
	const here = "${config-path}/" // of .golangci.yml: the repository
	glob := func(pattern string) string {
		if dir, ok := strings.CutSuffix(pattern, "..."); ok {
			return here + dir + "**"
		}
		if !strings.Contains(pattern, "/") {
			return "**/" + pattern
		}
		return here + pattern
	}
	var files []string
	for _, in := range r.In {
		if in == "..." {
			files = append(files, "$all")
			continue
		}
		files = append(files, glob(in))
	}
	for _, except := range r.Except {
		files = append(files, "!"+glob(except))
	}
	if !r.Tests {
		files = append(files, "!$test")
	}
	return files
}

// depguardImports writes imports in depguard's way: a prefix, or exact with a
// final dollar sign.
func depguardImports(patterns []string) []string {
	var imports []string
	for _, p := range slices.Clone(patterns) {
		if p == Std {
			imports = append(imports, "$gostd")
			continue
		}
		if strings.HasPrefix(p, "/") {
			p = Module + p
		}
		if tree, ok := strings.CutSuffix(p, "/..."); ok {
			imports = append(imports, tree)
			continue
		}
		imports = append(imports, p+"$")
	}
	return imports
}
