package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/starter/doctor"
)

func doctorCommand(env Environment) *cobra.Command {
	var (
		asJSON    bool
		processes []string
	)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at what this installation needs, and say what to do",
		Long: `Look at everything that worker, listen and serve need, with the environment that they have: settings, database,
Temporal, keys and certificates, registries, broker, the clinic's channels, the clock. Nothing is changed or sent, nobody
is asked about, and no secret is shown. Each check takes 5 seconds at most, and waits for those that it needs.

It ends with 0 when all is well or only to be looked at (warn), with 1 when anything fails.`,
		Example: `  helsebro doctor
  helsebro doctor --process worker
  helsebro doctor --json | jq -r '.checks[] | select(.state == "fail") | .name + ": " + .toDo'`,
		Args: cobra.NoArgs,
		RunE: runs(func(cmd *cobra.Command, _ []string) error {
			for _, p := range processes {
				if !slices.Contains(doctor.Processes, p) {
					return usage("--process is %s, comma separated", strings.Join(doctor.Processes, ", "))
				}
			}
			report, err := doctor.Examine(cmd.Context(), processes)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeReport(env.Out, report)
			} else {
				err = printReport(env.Out, report)
			}
			if err != nil {
				return err
			}
			if n := report.Count(doctor.Fail); n > 0 {
				return fmt.Errorf("%d of %d checks fail", n, len(report.Checks))
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().StringSliceVar(&processes, "process", doctor.Processes, "look only at what these need, where processes have machines of their own")
	return cmd
}

func writeReport(w io.Writer, r doctor.Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// printReport writes a line for each check, and below it what to do.
func printReport(w io.Writer, r doctor.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.State, c.Name, oneLine(c.Found))
		if c.ToDo != "" {
			fmt.Fprintf(t, "\t\tto do: %s\n", oneLine(c.ToDo))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d ok, %d to be looked at, %d failed, %d skipped\n", r.Count(doctor.OK), r.Count(doctor.Warn), r.Count(doctor.Fail), r.Count(doctor.Skipped))
	return err
}
