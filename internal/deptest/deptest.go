// Package deptest holds the dependency rule of the project: which part may import
// what, and why. A test checks every Go file of the tree against it, those of the
// nested module internal/devstack included, and prints the reason of what it
// refuses. The linter's depguard section repeats the rules, so that an editor
// shows them too; a test holds the two against each other.
package deptest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Module is the import path of the root module.
const Module = "github.com/helsebro/helsebro"

// Std stands for the whole standard library in Allow and Deny.
const Std = "std"

// Rule says what one part of the tree may import.
//
// Files are slash-separated paths relative to the repository: "workflows/..." is
// everything below that directory, "fx.go" without a directory is every file of
// that name, "..." is every file.
//
// Imports are exact import paths, or with a final "/..." the path and everything
// below it. Paths of this module are written from its root, such as "/internal/pg".
type Rule struct {
	// Name is the name of the same rule in .golangci.yml.
	Name string
	// In and Except select the files.
	In, Except []string
	// Tests says whether the rule holds in _test.go files too.
	Tests bool
	// Allow lists all that may be imported; empty allows everything.
	Allow []string
	// Deny lists what may not be imported, whatever Allow says.
	Deny []string
	// Reason is printed with every violation.
	Reason string
}

// Rules is the dependency rule.
func Rules() []Rule {
	workflowImports := []string{
		"cmp", "context", "encoding/json", "errors", "fmt", "maps", "slices", "strconv", "strings", "time",
		"go.temporal.io/sdk/workflow", "go.temporal.io/sdk/temporal", "go.temporal.io/sdk/log", "go.temporal.io/api/enums/v1",
		"/internal/contract", "/internal/apperr", "/workflows/...",
	}
	const replay = "a workflow is replayed from its history for months: it decides about its own state only, and whatever else it could reach (clock, zone, network, file, database, rule of the day) would break replay"
	return []Rule{
		{
			Name: "workflows", In: []string{"workflows/..."}, Except: []string{"workflows/register.go", "workflows/flow/when.go", "workflows/fakes/..."},
			Allow: workflowImports, Deny: []string{"/workflows/fakes/..."}, Reason: replay,
		},
		{
			Name: "workflow-registration", In: []string{"workflows/register.go"},
			Allow: append([]string{"go.temporal.io/sdk/worker"}, workflowImports...), Deny: []string{"/workflows/fakes/..."}, Reason: replay,
		},
		{
			Name: "workflow-words", In: []string{"workflows/flow/when.go"},
			Allow:  []string{"time", "/internal/domain/oslo"},
			Reason: "the zone of Norway words instants on cards and in summaries, which are no commands and are not replayed: nothing else of a workflow may reach it",
		},
		{
			Name: "workflow-tests", In: []string{"workflows/..."}, Except: []string{"workflows/flow/when.go"}, Tests: true,
			Deny:   []string{"/activities/...", "/starter/...", "/worker/...", "/internal/domain/...", "/internal/pg/..."},
			Reason: "workflows and activities meet in internal/contract only: tests of workflows register fakes that implement its interfaces",
		},
		{
			Name: "contract", In: []string{"internal/contract/..."},
			Allow:  []string{Std, "go.temporal.io/sdk/temporal", "go.temporal.io/api/enums/v1"},
			Reason: "internal/contract is what Temporal stores for months: plain data that depends on nothing that changes",
		},
		{
			Name: "domain", In: []string{"internal/domain/..."},
			Allow:  []string{Std, "/internal/domain/..."},
			Deny:   []string{"os/...", "net", "net/http/...", "database/sql/..."},
			Reason: "the clinic's rules are pure: standard library only, no input or output, everything they decide on is an argument",
		},
		{
			Name: "message-standard", In: []string{"internal/helsenorge/..."},
			Deny:   []string{"os/...", "net", "net/http/...", "database/sql/...", "go.temporal.io/..."},
			Reason: "internal/helsenorge is the message standard and does no input or output: bytes in, bytes out",
		},
		{
			Name: "activities", In: []string{"activities/..."}, Tests: true,
			Deny:   []string{"/workflows/...", "/starter/..."},
			Reason: "activities and workflows meet in internal/contract only, so that either can change alone",
		},
		{
			Name: "activity-wiring", In: []string{"activities/..."}, Except: []string{"fx.go"}, Tests: true,
			Deny:   []string{"/worker/..."},
			Reason: "an activity does not know who runs it: its fx.go alone registers it with worker/fleet",
		},
		{
			Name: "starter", In: []string{"starter/..."}, Tests: true,
			Deny:   []string{"/workflows/...", "/activities/...", "/worker/..."},
			Reason: "a starter knows workflows by the names and types of internal/contract, so that it is deployed apart from the worker",
		},
		{
			Name: "internal-is-below", In: []string{"internal/..."}, Except: []string{"internal/devstack/..."}, Tests: true,
			Deny:   []string{"/workflows/...", "/activities/...", "/starter/...", "/worker/..."},
			Reason: "internal packages are what workflows, activities, worker and starter are built on; only internal/devstack puts the whole together",
		},
		{
			Name: "fx", In: []string{"..."}, Except: []string{"worker/...", "starter/...", "fx.go", "fx_test.go"}, Tests: true,
			Deny:   []string{"go.uber.org/fx/...", "go.uber.org/dig/..."},
			Reason: "wiring is in worker/, starter/ and fx.go files: everything else is plain Go that a test builds by hand",
		},
		{
			Name: "pgx", In: []string{"..."}, Except: []string{"internal/pg/..."}, Tests: true,
			Deny:   []string{"github.com/jackc/...", "github.com/lib/pq/...", "github.com/pressly/goose/..."},
			Reason: "all SQL is in internal/pg, where tenancy, encryption and audit are kept in one place",
		},
		{
			Name: "temporal-client", In: []string{"..."}, Tests: true,
			// The replay test reads recorded histories with client.HistoryFromJSON.
			Except: []string{"starter/...", "worker/...", "internal/temporalx/...", "internal/devstack/...", "workflows/replay_test.go"},
			Deny:   []string{"go.temporal.io/sdk/client"},
			Reason: "a client is made by internal/temporalx (codec, failure converter) and used by starter, worker and devstack: nothing else talks to Temporal behind a workflow's back",
		},
		{
			Name: "embedded-server", In: []string{"..."}, Except: []string{"internal/devstack/..."}, Tests: true,
			Deny:   []string{"go.temporal.io/server/...", "github.com/temporalio/ui-server/..."},
			Reason: "the Temporal server is a dependency of the nested module internal/devstack, never of the product",
		},
		{
			Name: "mail-server", In: []string{"..."}, Except: []string{"internal/channel/sink/..."}, Tests: true,
			Deny:   []string{"github.com/emersion/..."},
			Reason: "the product sends mail and receives none: only internal/channel/sink is a mail server",
		},
		{
			Name: "amqp", In: []string{"..."}, Except: []string{"internal/transport/amqp/...", "internal/devstack/..."}, Tests: true,
			Deny:   []string{"github.com/Azure/go-amqp"},
			Reason: "a transport is a transport: only internal/transport/amqp knows what it goes over",
		},
		{
			Name: "thrown-away-authority", In: []string{"..."}, Except: []string{"internal/testca/...", "internal/simulator/...", "internal/devstack/..."},
			Deny:   []string{Module + "/internal/testca"},
			Reason: "its keys are for tests and for the simulator, and nobody else's",
		},
		{
			Name: "tests", In: []string{"..."}, Tests: true,
			Deny:   []string{"github.com/stretchr/testify/assert", "github.com/stretchr/testify/mock", "github.com/stretchr/testify/suite", "github.com/golang/mock/...", "go.uber.org/mock/..."},
			Reason: "tests use testify/require, which stops at the first failure, and fakes, which behave, instead of mocks, which recite",
		},
	}
}

// Violation is one import that a rule refuses.
type Violation struct {
	Rule Rule
	// File is relative to the repository, Line counts from 1.
	File   string
	Line   int
	Import string
}

// String is file, line, import and reason.
func (v Violation) String() string {
	return fmt.Sprintf("%s:%d: imports %s (rule %q): %s", v.File, v.Line, v.Import, v.Rule.Name, v.Rule.Reason)
}

// Check reads the imports of every Go file below root and returns what the rules
// refuse, and how many files each rule has covered, by its name.
//
// Directories that the go command leaves out too are skipped: testdata and names
// with a leading dot or underscore.
func Check(root string, rules []Rule) (refused []Violation, covered map[string]int, err error) {
	covered = make(map[string]int, len(rules))
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if name != root && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file := filepath.ToSlash(rel)
		applying := slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return !r.covers(file) })
		for _, r := range applying {
			covered[r.Name]++
		}
		found, err := check(name, file, applying)
		refused = append(refused, found...)
		return err
	})
	return refused, covered, err
}

func check(name, file string, rules []Rule) ([]Violation, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, name, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var refused []Violation
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, r := range rules {
			if !r.allows(imported) {
				refused = append(refused, Violation{Rule: r, File: file, Line: set.Position(spec.Pos()).Line, Import: imported})
			}
		}
	}
	return refused, nil
}

func (r Rule) covers(file string) bool {
	if !r.Tests && strings.HasSuffix(file, "_test.go") {
		return false
	}
	selects := func(pattern string) bool {
		if dir, ok := strings.CutSuffix(pattern, "..."); ok {
			return strings.HasPrefix(file, dir)
		}
		return file == pattern || (!strings.Contains(pattern, "/") && path.Base(file) == pattern)
	}
	return slices.ContainsFunc(r.In, selects) && !slices.ContainsFunc(r.Except, selects)
}

func (r Rule) allows(imported string) bool {
	matches := func(pattern string) bool { return importMatches(pattern, imported) }
	if slices.ContainsFunc(r.Deny, matches) {
		return false
	}
	return len(r.Allow) == 0 || slices.ContainsFunc(r.Allow, matches)
}

func importMatches(pattern, imported string) bool {
	if pattern == Std {
		first, _, _ := strings.Cut(imported, "/")
		return !strings.Contains(first, ".")
	}
	if strings.HasPrefix(pattern, "/") {
		pattern = Module + pattern
	}
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return imported == tree || strings.HasPrefix(imported, tree+"/")
	}
	return imported == pattern
}

// topLevel is what the customer has fixed for the top level of the repository;
// names with a leading dot are free.
var topLevel = []string{
	"workflows", "activities", "worker", "starter", "internal",
	"go.mod", "go.sum", "docker-compose.yml", "Dockerfile", "Makefile", "README.md", "LICENSE",
}

// vague names say nothing about what a package is for.
var vague = []string{"util", "utils", "common", "helper", "helpers", "manager", "misc", "shared", "base"}

// CheckLayout returns what the tree below root holds and must not: other names at
// the top level than the fixed ones, and packages with a name that says nothing.
func CheckLayout(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var wrong []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(topLevel, e.Name()) {
			wrong = append(wrong, fmt.Sprintf("%s: the top level holds only %s and dot-files", e.Name(), strings.Join(topLevel, ", ")))
		}
	}
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		base := entry.Name()
		if name != root && (base == "testdata" || strings.HasPrefix(base, ".")) {
			return filepath.SkipDir
		}
		if slices.Contains(vague, base) {
			wrong = append(wrong, fmt.Sprintf("%s: a package is named after what it is for", name))
		}
		return nil
	})
	return wrong, err
}
