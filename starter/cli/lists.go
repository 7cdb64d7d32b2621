package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// listing are the flags of a list that is read in pages.
type listing struct {
	limit  int
	cursor string
	query  map[string]*string
}

// lists gives cmd the flags of a list, and one for each name in its query.
func lists(cmd *cobra.Command, query ...[2]string) *listing {
	l := &listing{query: map[string]*string{}}
	cmd.Flags().IntVar(&l.limit, "limit", client.DefaultLimit, "rows at most, up to "+strconv.Itoa(client.MaxLimit))
	cmd.Flags().StringVar(&l.cursor, "cursor", "", "where to read on: the page before names it")
	for _, q := range query {
		l.query[q[0]] = cmd.Flags().String(q[0], "", q[1])
	}
	return l
}

// path is the list's address with its query.
func (l *listing) path(path string, switches ...string) string {
	q := url.Values{"limit": {strconv.Itoa(l.limit)}}
	for name, value := range l.query {
		if *value != "" {
			q.Set(name, *value)
		}
	}
	if l.cursor != "" {
		q.Set("cursor", l.cursor)
	}
	for _, s := range switches {
		q.Set(s, "true")
	}
	return path + "?" + q.Encode()
}

// more says how to read on.
func more(w io.Writer, cursor string) error {
	if cursor == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "There is more: repeat the command with --cursor %s\n", oneLine(cursor))
	return err
}

// ofDialogues are the flags that select dialogues.
var ofDialogues = [][2]string{
	{"process", "e-contact, e-consultation, prescription, e-dialogue or appointment"},
	{"status", "received, awaiting-clinic, sending, awaiting-receipt, answered, closed or needs-operator"},
	{"owner", "who has taken it: a staff member's id, me or nobody"},
	{"sort", "latest, oldest, or due: by the limit of the answer that is owed"},
}

func inboxCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inbox",
		Short: "List the dialogues in your inboxes",
		Long: `List the dialogues in your inboxes: your own, those of your position, role, unit and
groups, and those of colleagues who are away and whom you stand in for. A dialogue
that lies in several inboxes is one, read by whoever opens it first.`,
		Example: "  helsebro inbox\n  helsebro inbox --unread --sort due\n  helsebro inbox --recipient group:nurses --owner nobody --limit 10 --json",
		Args:    cobra.NoArgs,
	}
	r := callsAPI(cmd, env)
	l := lists(cmd, append([][2]string{{"recipient", "one of your inboxes, as kind:id"}}, ofDialogues...)...)
	unread := cmd.Flags().Bool("unread", false, "only what nobody has opened")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		var switches []string
		if *unread {
			switches = []string{"unread"}
		}
		var found api.List[pg.InboxItem]
		raw, err := r.get(cmd.Context(), l.path("/inbox", switches...), &found)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			if err := table(w, "Nothing is in your inboxes.", len(found.Items), "DIALOGUE\tPROCESS\tSTATUS\tNEW\tDUE\tTAKEN BY\tINBOX\tLATEST\tPATIENT\tTITLE", func(i int) []string {
				d := found.Items[i]
				return []string{
					d.DialogueID, string(d.Process), string(d.Status), either(d.Unread, "new", ""), due(d.DialogueItem), d.Owner, d.Recipient,
					when(d.LatestAt), with(d.DialogueItem), d.Title,
				}
			}); err != nil {
				return err
			}
			return more(w, found.NextCursor)
		})
	})
	cmd.AddCommand(inboxCountsCommand(env))
	return cmd
}

func inboxCountsCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "counts",
		Short:   "Count what lies in each of your inboxes, is unread, and waits for an answer",
		Example: "  helsebro inbox counts",
		Args:    cobra.NoArgs,
	}
	r := callsAPI(cmd, env)
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		var found api.List[pg.InboxCount]
		raw, err := r.get(cmd.Context(), "/inboxes", &found)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			return table(w, "You have no inboxes: the record system has not written you as one of the clinic's staff.", len(found.Items),
				"INBOX\tOF\tUNREAD\tANSWER OWED\tIN ALL", func(i int) []string {
					c := found.Items[i]
					return []string{c.Recipient, strings.TrimSpace(c.Name + either(c.Covered, " (away)", "")), strconv.Itoa(c.Unread), strconv.Itoa(c.Owed), strconv.Itoa(c.Total)}
				})
		})
	})
	return cmd
}

func dialogueListCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the clinic's dialogues with patients, wherever they lie",
		Example: "  helsebro dialogue list --status awaiting-clinic --sort oldest\n  helsebro dialogue list --patient 0198c0de-0000-7000-8000-000000009a71",
		Args:    noNationalID(cobra.NoArgs),
	}
	r := callsAPI(cmd, env)
	l := lists(cmd, append([][2]string{
		{"patient", "the patient's id, as helsebro patient find prints it"},
		{"origin", "where it began: helsenorge, clinic, portal or app"},
	}, ofDialogues...)...)
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		var found api.List[pg.DialogueItem]
		raw, err := r.get(cmd.Context(), l.path("/dialogues"), &found)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			if err := table(w, "There are no such dialogues.", len(found.Items), "DIALOGUE\tPROCESS\tFROM\tSTATUS\tDUE\tTAKEN BY\tINBOXES\tLATEST\tPATIENT\tTITLE", func(i int) []string {
				d := found.Items[i]
				return []string{
					d.DialogueID, string(d.Process), d.Origin, string(d.Status), due(d), d.Owner, strings.Join(d.Inboxes, ", "), when(d.LatestAt), d.Patient, d.Title,
				}
			}); err != nil {
				return err
			}
			return more(w, found.NextCursor)
		})
	})
	return cmd
}

// due is the limit of an answer that is owed, and what was done because of it.
func due(d pg.DialogueItem) string {
	words := late[d.Escalated]
	if d.AnswerDue == nil {
		return words
	}
	return strings.TrimSpace(when(*d.AnswerDue) + " " + words)
}

// late says what the last step of the answer clock means to who reads the list.
var late = map[contract.EscalationStep]string{
	contract.StepWarn: "(soon)", contract.StepDeputy: "(deputy told)", contract.StepAdministrator: "(administrators told)", contract.StepOverdue: "(OVERDUE)",
}

// with is whom a dialogue is with: a patient, or colleagues.
func with(d pg.DialogueItem) string {
	if len(d.Participants) > 0 {
		return recipients(d.Participants)
	}
	return d.Patient
}

func caseCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List what operators are asked to look at and what to do, open cases first",
		Example: "  helsebro case list --open\n  helsebro case list --kind answer-overdue --json",
		Args:    cobra.NoArgs,
	}
	r := callsAPI(cmd, env)
	l := lists(cmd, [2]string{"kind", "cases of one kind, as the list begins each"})
	open := cmd.Flags().Bool("open", false, "only what is not resolved")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		var switches []string
		if *open {
			switches = []string{"open"}
		}
		var found api.List[client.Case]
		raw, err := r.get(cmd.Context(), l.path("/cases", switches...), &found)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			if len(found.Items) == 0 {
				_, err := fmt.Fprintln(w, "There are no cases.")
				return err
			}
			for _, c := range found.Items {
				if _, err := io.WriteString(w, caseInWords(c)); err != nil {
					return err
				}
			}
			return more(w, found.NextCursor)
		})
	})
	return parent("case", "Operator cases", cmd, caseShowCommand(env), caseResolveCommand(env))
}

func caseShowCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show CASE",
		Short:   "Show a case with its runbook: what has happened, where to look, what to do, how it ends",
		Example: "  helsebro case show 0198c0de-0000-7000-8000-00000000ca5e",
		Args:    cobra.ExactArgs(1),
	}
	r := callsAPI(cmd, env)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		all := &listing{limit: client.MaxLimit}
		for {
			var found api.List[client.Case]
			if _, err := r.get(cmd.Context(), all.path("/cases"), &found); err != nil {
				return err
			}
			if i := slices.IndexFunc(found.Items, func(c client.Case) bool { return c.ID == args[0] }); i >= 0 {
				raw, err := json.Marshal(found.Items[i])
				if err != nil {
					return err
				}
				return r.show(raw, func(w io.Writer) error {
					_, err := io.WriteString(w, caseInWords(found.Items[i]))
					return err
				})
			}
			if all.cursor = found.NextCursor; all.cursor == "" {
				none := &refusal{}
				none.Status, none.Detail = http.StatusNotFound, "there is no such case: helsebro case list names them"
				return none
			}
		}
	})
	return cmd
}

func caseResolveCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "resolve CASE",
		Short:   "Say that you have seen to a case; what waits for it goes on, what is still so opens it again",
		Example: "  helsebro case resolve 0198c0de-0000-7000-8000-00000000ca5e",
		Args:    cobra.ExactArgs(1),
	}
	r := callsAPI(cmd, env)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		if _, err := r.call(cmd.Context(), http.MethodPost, "/cases/"+url.PathEscape(args[0])+"/resolve", nil); err != nil {
			return err
		}
		return r.done(map[string]string{"caseId": args[0]}, "Case %s is resolved.", args[0])
	})
	return cmd
}

// caseInWords is a case as who must act reads it.
func caseInWords(c client.Case) string {
	state := "open since " + when(c.OpenedAt)
	if c.ResolvedAt != nil {
		state = "resolved " + when(*c.ResolvedAt)
	}
	head := []string{oneLine(string(c.Kind)), state}
	if c.DialogueID != "" {
		head = append(head, "dialogue "+c.DialogueID)
	}
	if c.Reason != "" {
		head = append(head, "reason "+oneLine(client.Sentence(c.Reason)))
	}
	text := strings.Join(head, ", ") + "\n"
	if c.What != "" {
		text += "  " + oneLine(c.What) + "\n"
	}
	if c.ResolvedAt == nil {
		for _, line := range [][2]string{{"Look", c.Look}, {"To do", c.ToDo}, {"Ends", c.Ends}} {
			if line[1] != "" {
				text += "  " + line[0] + ": " + oneLine(line[1]) + "\n"
			}
		}
	}
	return text + "  case " + c.ID + "\n"
}
