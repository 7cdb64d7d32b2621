// Package cli is the command line `helsebro`: the processes of the starter, and
// what staff and operators do, over the HTTP API.
//
// Exit codes: 0 done, 1 failed, 2 wrong use or incomplete configuration, 3 refused
// by the API (4xx), 4 unavailable (no answer, 503 or 429).
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/config"
)

// Exit codes of the program.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitRefused     = 3
	ExitUnavailable = 4
)

// Environment is what the program gets from whoever runs it.
type Environment struct {
	In       io.Reader
	Out, Err io.Writer
	// Getenv reads a variable; flags have their defaults from it.
	Getenv func(string) string
	// Interactive says that somebody looks at Err, who is told what takes longer than two
	// seconds.
	Interactive bool
}

// Processes are the long-running subcommands. Each runs until ctx ends.
type Processes struct {
	Serve  func(context.Context, config.Serve, *slog.Logger) error
	Listen func(context.Context, config.Listen, *slog.Logger) error
}

// Run runs one command line, without the program's name, and returns its exit
// code. Errors are on env.Err, in words that say what to do.
func Run(ctx context.Context, args []string, env Environment, p Processes) int {
	root := command(env, p)
	root.SetArgs(args)
	ran, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitDone
	}
	code := exitCode(err)
	if errors.Is(err, context.Canceled) {
		code, err = ExitFailed, errors.New("stopped before it was done")
	}
	fmt.Fprintf(env.Err, "helsebro: %s\n", printable(err.Error()))
	if code == ExitUsage {
		fmt.Fprintf(env.Err, "See %s --help\n", ran.CommandPath())
	}
	return code
}

func command(env Environment, p Processes) *cobra.Command {
	root := &cobra.Command{
		Use:   "helsebro",
		Short: "Integration engine between a clinic and Helsenorge",
		Long: `helsebro runs the processes of the starter, and does over the HTTP API what
staff, administrators and operators do.

Exit codes:
  0  done
  1  failed
  2  wrong use, or the configuration is not complete
  3  refused by the API: the message says why (4xx)
  4  unavailable: no answer, a dependency is down, or asked too often (429); try again

Environment of the commands that call the API:
  HELSEBRO_API_URL   the API (default ` + defaultAPI + `)
  HELSEBRO_TOKEN     the access token
  HELSEBRO_CLINIC    the clinic's id`,
		Example: `  helsebro serve
  helsebro inbox
  helsebro dialogue answer 0198c0de-0000-7000-8000-0000000d1a10 --code 12 --text 'Hei'`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.AddGroup(&cobra.Group{ID: groupProcess, Title: "Processes:"}, &cobra.Group{ID: groupData, Title: "Over the API:"})
	root.SetHelpCommandGroupID(groupProcess)
	root.SetCompletionCommandGroupID(groupProcess)
	for _, c := range []*cobra.Command{serveCommand(p), listenCommand(p), migrateCommand(), doctorCommand(env), healthCommand(), tokenCommand(env), messageCommand(env), simulateCommand(env), demoCommand(env)} {
		c.GroupID = groupProcess
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{
		inboxCommand(env), dialogueCommand(env), prescriptionCommand(env), attachmentCommand(env), appointmentCommand(env), explainCommand(env), caseCommand(env), routingCommand(env),
		calendarCommand(env), slotCommand(env), typeCommand(env), settingsCommand(env),
		clinicCommand(env), patientCommand(env), contactCommand(env), portalCommand(env), auditCommand(env), quarantineCommand(env),
	} {
		c.GroupID = groupData
		root.AddCommand(c)
	}
	return root
}

const groupProcess, groupData = "process", "data"

// ranError is the error of a command that was used rightly; every other error is
// cobra's about the use.
type ranError struct{ error }

// Unwrap returns the command's own error.
func (e ranError) Unwrap() error { return e.error }

// usageError is wrong use that only the command itself can see.
type usageError struct{ text string }

// Error implements error.
func (e usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// runs marks what fn returns as the outcome of a command that was used rightly.
func runs(fn func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := fn(cmd, args); err != nil {
			return ranError{err}
		}
		return nil
	}
}

func exitCode(err error) int {
	var (
		ran     ranError
		use     usageError
		refused *refusal
		down    *unreachable
	)
	switch {
	case !errors.As(err, &ran), errors.As(err, &use):
		return ExitUsage
	case errors.As(err, &down):
		return ExitUnavailable
	case errors.As(err, &refused) && refused.unavailable():
		return ExitUnavailable
	case errors.As(err, &refused) && refused.Status >= 400 && refused.Status < 500:
		return ExitRefused
	}
	return ExitFailed
}

// parent is a command that only has subcommands.
func parent(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fmt.Errorf("say what to do: %s", strings.Join(names(cmd), ", "))
		},
	}
	c.AddCommand(children...)
	return c
}

func names(cmd *cobra.Command) []string {
	var all []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			all = append(all, c.Name())
		}
	}
	return all
}

// printable keeps what a citizen wrote from steering the terminal: control and
// bidirectional formatting characters other than line feed are replaced.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// oneLine is printable without line feeds, for a cell of a table.
func oneLine(s string) string { return strings.ReplaceAll(printable(s), "\n", " ") }
