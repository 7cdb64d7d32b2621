package cli_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/starter/cli"
)

// word is a word of a shell's command line, with or without single quotes.
var word = regexp.MustCompile(`'[^']*'|\S+`)

// words are the arguments of a command line, up to what a shell does with its streams.
func words(line string) (args []string) {
	for _, w := range word.FindAllString(line, -1) {
		if strings.HasPrefix(w, "#") || strings.ContainsAny(w[:1], "<>|&") {
			break
		}
		args = append(args, strings.Trim(w, "'"))
	}
	return args
}

// usedRightly runs a command line where nobody answers: what is written in a document
// may fail for that, and not because it is wrong.
func usedRightly(t *testing.T, args []string) {
	t.Helper()
	nobody := "http://127.0.0.1:1"
	env := map[string]string{"HELSEBRO_API_URL": nobody, "HELSEBRO_LOOPBACK_URL": nobody, "HELSEBRO_TOKEN": "secret", "HELSEBRO_CLINIC": clinicID}
	got := run(t, env, nationalID+"\n", args...)
	if args[0] == "message" { // it reads a file that is not there
		require.Equal(t, cli.ExitFailed, got.code, "%q: %s", args, got.err)
		return
	}
	require.Equal(t, cli.ExitUnavailable, got.code, "%q: %s", args, got.err)
}

func TestReadmeCommandsAreUsedRightly(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	commands := regexp.MustCompile(`go run ./starter ([^\n#&]*)`).FindAllStringSubmatch(string(readme), -1)
	require.Greater(t, len(commands), 8)
	for _, c := range commands {
		usedRightly(t, words(c[1]))
	}
}

// TestExamplesAreUsedRightly: but for those that read a file or run a process.
func TestExamplesAreUsedRightly(t *testing.T) {
	t.Parallel()
	var ran int
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, child := range c.Commands() {
			walk(child)
		}
		if c.HasSubCommands() || c.Flags().Lookup("api") == nil {
			return
		}
		for line := range strings.Lines(strings.ReplaceAll(c.Example, "\\\n", " ")) {
			args := words(line)
			if len(args) == 0 || strings.Contains(line, " -f ") || strings.Contains(line, "-file") || strings.Contains(line, "upload brev.pdf") || strings.Contains(line, "demo seed") {
				continue
			}
			require.Equal(t, "helsebro", args[0], line)
			usedRightly(t, args[1:])
			ran++
		}
	}
	walk(cli.Command(cli.Environment{Getenv: func(string) string { return "" }}, cli.Processes{}))
	require.Greater(t, ran, 20)
}

// TestHelpNamesCommandsThatThereAre: a command that a text sends its reader to.
func TestHelpNamesCommandsThatThereAre(t *testing.T) {
	t.Parallel()
	root := cli.Command(cli.Environment{Getenv: func(string) string { return "" }}, cli.Processes{})
	named := regexp.MustCompile(`(?:^|[\s"` + "`" + `])helsebro ([a-z-]+)(?: ([a-z-]+))?`)
	check := func(where, text string) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			c, _, err := root.Find(m[1:2])
			if err == nil && c.HasSubCommands() && c != root && m[2] != "" {
				c, _, err = root.Find(m[1:])
			}
			require.NoError(t, err, "%s: %s", where, m[0])
			require.NotEqual(t, root, c, "%s: there is no %s", where, m[0])
		}
	}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		check(c.CommandPath(), c.Long+"\n"+c.Example)
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			walk(c)
		}
	}
	for _, file := range []string{"../../README.md", "../client/runbooks.go", "../client/reachability.go", "../../internal/contract/titles.go"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		check(file, string(text))
	}
}

// TestFilesInHelpAreTaken: what help shows of a file is one that the command reads.
func TestFilesInHelpAreTaken(t *testing.T) {
	t.Parallel()
	shown := map[string]string{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, child := range c.Commands() {
			walk(child)
		}
		if f := c.Flags().Lookup("file"); f != nil && c.Flags().Lookup("api") != nil {
			var file strings.Builder
			for line := range strings.Lines(c.Long) {
				if strings.HasPrefix(line, "  ") {
					file.WriteString(line)
				}
			}
			if file.Len() > 0 {
				shown[strings.TrimPrefix(c.CommandPath(), "helsebro ")] = file.String() + "\n"
			}
		}
	}
	walk(cli.Command(cli.Environment{Getenv: func(string) string { return "" }}, cli.Processes{}))
	require.Greater(t, len(shown), 4)
	for command, file := range shown {
		nobody := map[string]string{"HELSEBRO_API_URL": "http://127.0.0.1:1", "HELSEBRO_TOKEN": "secret", "HELSEBRO_CLINIC": clinicID}
		args := strings.Fields(command)
		if command == "contact put" {
			args = append(args, patientID)
		}
		got := run(t, nobody, file, append(args, "-f", "-")...)
		require.Equal(t, cli.ExitUnavailable, got.code, "%s: %s", command, got.err)
		if command == "clinic put" {
			ids := map[string]bool{}
			for _, m := range regexp.MustCompile(`\{id: ([0-9a-f-]+)`).FindAllStringSubmatch(file, -1) {
				require.False(t, ids[m[1]], "two of the staff are %s", m[1])
				ids[m[1]] = true
			}
			require.Len(t, ids, 3)
		}
	}
}
