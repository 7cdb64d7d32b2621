package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
)

// aQuarantined is the id of the examples.
const aQuarantined = "0198c0de-0000-7000-8000-0000000a51de"

func quarantineCommand(env Environment) *cobra.Command {
	return parent("quarantine", "Messages kept aside: what could not be taken in, and what the broker gave up on",
		quarantineListCommand(env), quarantineShowCommand(env),
		quarantineDecideCommand(env, pg.QuarantineRetry, "Take a message in again, after its cause was mended"),
		quarantineDecideCommand(env, pg.QuarantineRelease, "Put a message back on the queue that it came from"),
		quarantineDecideCommand(env, pg.QuarantineDiscard, "Say that a message is not to be taken in, and why"))
}

func quarantineListCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the messages kept aside, newest first",
		Example: "  helsebro quarantine list --state kept",
		Args:    cobra.NoArgs,
	}
	r := callsAPI(cmd, env)
	l := lists(cmd, [2]string{"state", "only those in this state: kept, taken, released, discarded"})
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		var found api.List[pg.Quarantine]
		raw, err := r.get(cmd.Context(), l.path("/quarantine"), &found)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			if err := table(w, "Nothing is in quarantine.", len(found.Items), "ID\tSTATE\tSTORED\tFROM\tTO\tBYTES\tREASON", func(i int) []string {
				q := found.Items[i]
				return []string{q.ID, stateOf(q), stamp(q.StoredAt), strconv.Itoa(q.FromHerID), strconv.Itoa(q.ToHerID), strconv.Itoa(q.Size), q.Reason}
			}); err != nil {
				return err
			}
			return more(w, found.NextCursor)
		})
	})
	return cmd
}

// stateOf is the state with what is being done.
func stateOf(q pg.Quarantine) string {
	if q.Wanted != "" {
		return string(q.State) + ", " + q.Wanted
	}
	return string(q.State)
}

func quarantineShowCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show MESSAGE",
		Short:   "Show what is known of a message kept aside; its content is shown to nobody",
		Example: "  helsebro quarantine show " + aQuarantined,
		Args:    cobra.ExactArgs(1),
	}
	r := callsAPI(cmd, env)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		var q pg.Quarantine
		raw, err := r.get(cmd.Context(), "/quarantine/"+url.PathEscape(args[0]), &q)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s  %s\n  reason   %s\n  from     %d to %d, function %s\n  queue    %s, transport id %s\n  content  %d bytes, not shown\n  stored   %s, tried again %d times\n",
				q.ID, stateOf(q), oneLine(q.Reason), q.FromHerID, q.ToHerID, oneLine(q.Subject), oneLine(q.Queue), oneLine(q.TransportID), q.Size, stamp(q.StoredAt), q.Attempts)
			if err == nil && q.DecidedAt != nil {
				_, err = fmt.Fprintf(w, "  decided  %s by %s%s\n", stamp(*q.DecidedAt), oneLine(q.DecidedBy), because(q.Note))
			}
			return err
		})
	})
	return cmd
}

func because(note string) string {
	if note == "" {
		return ""
	}
	return ": " + oneLine(note)
}

func quarantineDecideCommand(env Environment, d pg.QuarantineDecision, short string) *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use:     string(d) + " MESSAGE",
		Short:   short,
		Example: "  helsebro quarantine " + string(d) + " " + aQuarantined,
		Args:    cobra.ExactArgs(1),
	}
	r := callsAPI(cmd, env)
	if d == pg.QuarantineDiscard {
		cmd.Flags().StringVar(&note, "reason", "", "why, in at most 500 characters, without naming anybody (required)")
		_ = cmd.MarkFlagRequired("reason") // the flag is defined above
		cmd.Example += " --reason 'sent twice by mistake, the sender says'"
	}
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		if _, err := r.call(cmd.Context(), http.MethodPost, "/quarantine/"+url.PathEscape(args[0])+"/decisions", api.QuarantineRequest{Decision: d, Note: note}); err != nil {
			return err
		}
		if d == pg.QuarantineDiscard {
			return r.done(map[string]string{"messageId": args[0]}, "Message %s is discarded.", args[0])
		}
		return r.done(map[string]string{"messageId": args[0]}, "The listener is asked. What becomes of it: helsebro quarantine show %s", args[0])
	})
	return cmd
}
