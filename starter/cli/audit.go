package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
)

func auditCommand(env Environment) *cobra.Command {
	return parent("audit", "Who did what: nobody gets at a patient without being noted",
		auditListCommand(env), auditPatientCommand(env), auditVerifyCommand(env))
}

func auditListCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List who did what in the clinic, newest first",
		Example: `  helsebro audit list --limit 20
  helsebro audit list --subject gp-1 --action dialogue.read --from 2026-11-01T00:00:00Z`,
		Args: cobra.NoArgs,
	}
	r := callsAPI(cmd, env)
	l := lists(cmd, ofAudit...)
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		return r.audit(cmd, l.path("/audit"), "Nobody has done anything.")
	})
	return cmd
}

// ofAudit are the flags that select rows of the audit.
var ofAudit = [][2]string{
	{"subject", "only what one did"},
	{"action", "only one kind, such as dialogue.read"},
	{"from", "only since this instant, such as 2026-11-01T00:00:00Z"},
	{"until", "only before this instant"},
}

func auditPatientCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "patient PATIENT",
		Short: "List who has had to do with what is kept of a patient",
		Long: `List who has had to do with what is kept of a patient, newest first: the extract of the log that he may ask for.
PATIENT is the id that helsebro patient find gives.`,
		Example: "  helsebro audit patient 0198c0de-0000-7000-8000-000000009a71 --limit 1000 --json",
		Args:    cobra.ExactArgs(1),
	}
	r := callsAPI(cmd, env)
	l := lists(cmd, ofAudit...)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		return r.audit(cmd, l.path("/audit")+"&patient="+url.QueryEscape(args[0]), "Nobody has had to do with it.")
	})
	return cmd
}

// audit shows rows of the audit.
func (r *remote) audit(cmd *cobra.Command, path, none string) error {
	var found api.List[pg.AuditRow]
	raw, err := r.get(cmd.Context(), path, &found)
	if err != nil {
		return err
	}
	return r.show(raw, func(w io.Writer) error {
		if err := table(w, none, len(found.Items), "AT\tSUBJECT\tNAME\tROLE\tORGANISATION\tACTION\tOBJECT\tPATIENT", func(i int) []string {
			a := found.Items[i]
			return []string{stamp(a.At), a.Subject, a.Name, a.Role, a.Organisation, a.Action, a.Object, a.PatientID}
		}); err != nil {
			return err
		}
		return more(w, found.NextCursor)
	})
}

func auditVerifyCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Show that nobody has changed, added or removed a row",
		Long: `Hold the audit of the whole installation against its seals: each covers the rows since the one before it, and
that one's hash. A worker makes one within seconds of an access, and its log has it. Give one that was kept elsewhere
to see that the chain was not made anew, or cut at its end. It fails (1) when something is wrong.`,
		Example: `  helsebro audit verify
  helsebro audit verify --seal 1047 --hash 5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9`,
		Args: cobra.NoArgs,
	}
	r := callsAPI(cmd, env)
	seal := cmd.Flags().Int64("seal", 0, "the number of a seal that was kept elsewhere")
	hash := cmd.Flags().String("hash", "", "its hash")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		q := url.Values{}
		if *seal != 0 {
			q.Set("seal", strconv.FormatInt(*seal, 10))
		}
		if *hash != "" {
			q.Set("hash", *hash)
		}
		var v pg.AuditVerdict
		raw, err := r.get(cmd.Context(), "/audit/verification?"+q.Encode(), &v)
		if err != nil {
			return err
		}
		if err := r.show(raw, func(w io.Writer) error {
			for _, b := range v.Broken {
				if _, err := fmt.Fprintln(w, "BROKEN:", oneLine(b)); err != nil {
					return err
				}
			}
			if v.Intact {
				if _, err := fmt.Fprintln(w, "The audit is intact."); err != nil {
					return err
				}
			}
			_, err := fmt.Fprintf(w, "%d rows under %d seals; %d are younger than the last seal, %d were removed because of their age.\n", v.Rows, v.Seals, v.Unsealed, v.Removed)
			if err == nil && v.Last.Number > 0 {
				_, err = fmt.Fprintf(w, "Keep elsewhere: --seal %d --hash %s\n", v.Last.Number, oneLine(v.Last.Hash))
			}
			return err
		}); err != nil {
			return err
		}
		if !v.Intact {
			return errors.New("somebody has changed the audit: do not mend it, and tell whoever is responsible for information security")
		}
		return nil
	})
	return cmd
}
