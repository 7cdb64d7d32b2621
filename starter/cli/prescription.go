package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/domain/prescription"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

func prescriptionCommand(env Environment) *cobra.Command {
	return parent("prescription", "Prescription renewal requests", prescriptionShowCommand(env), prescriptionSplitCommand(env), prescriptionAnswerCommand(env))
}

func prescriptionShowCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show REQUEST",
		Short:   "List what a renewal request asks for, with what was decided; marks it read",
		Example: "  helsebro prescription show 0198c0de-0000-7000-8000-0000000d1a10",
		Args:    cobra.ExactArgs(1),
	}
	r := callsAPI(cmd, env)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		d, raw, err := readRequest(cmd.Context(), r, args[0])
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			var b strings.Builder
			fmt.Fprintf(&b, "%s\n%s, %s\n", oneLine(d.Title), oneLine(d.Patient), d.Status)
			printPrescriptions(&b, d)
			_, err := io.WriteString(w, b.String())
			return err
		})
	})
	return cmd
}

// readRequest reads a renewal request.
func readRequest(ctx context.Context, r *remote, id string) (pg.Dialogue, []byte, error) {
	var d pg.Dialogue
	raw, err := r.get(ctx, "/dialogues/"+url.PathEscape(id), &d)
	if err == nil && len(d.Prescriptions) == 0 {
		err = usage("%s is no renewal request: read it with dialogue show", oneLine(id))
	}
	return d, raw, err
}

// decided are the decisions as staff read them.
var decided = map[prescription.Decision]string{
	"": "not decided", prescription.Renewed: "renewed", prescription.Cannot: "cannot be renewed", prescription.Rejected: "rejected",
}

// printPrescriptions lists what a renewal request asks for, and how it is to be
// delivered (8324).
func printPrescriptions(b *strings.Builder, d pg.Dialogue) {
	for _, m := range d.Messages {
		if m.DeliveryMode != "" {
			fmt.Fprintf(b, "delivery: %s\n", oneLine(strings.TrimSpace(m.DeliveryMode+" "+codes.Name(codes.Delivery, m.DeliveryMode))))
		}
	}
	for _, p := range d.Prescriptions {
		fmt.Fprintf(b, "%d  %s: %s", p.Position, oneLine(p.Name()), decided[p.Decision])
		if p.Reason != "" {
			fmt.Fprintf(b, ". %s", oneLine(p.Reason))
		}
		if p.Reserved {
			b.WriteString(" (guardians may not see it)")
		}
		b.WriteString("\n")
	}
}

func prescriptionSplitCommand(env Environment) *cobra.Command {
	var items []string
	cmd := &cobra.Command{
		Use:   "split REQUEST --item NAME --item NAME",
		Short: "List the prescriptions that a citizen asked for in words",
		Long: `List the prescriptions that a citizen asked for in words, so that each is answered
by itself. They take the place of the text, which the message keeps; it may be
done again until the request is answered. What the citizen chose from a list is
split already.`,
		Example: "  helsebro prescription split " + aDialogue + " --item 'Ibux 400 mg' --item Zyrtec",
		Args:    cobra.ExactArgs(1),
	}
	c := changesDialogue(cmd, env)
	cmd.Flags().StringArrayVar(&items, "item", nil, "what the prescription is of, may be repeated (required)")
	_ = cmd.MarkFlagRequired("item") // the flag is defined above
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		return c.change(cmd, changesOf(args[0]), api.DialogueChangeRequest{Kind: pg.SplitRequest, Items: items}, func(client.DialogueChanged) string {
			return fmt.Sprintf("The request lists %d prescriptions: helsebro prescription show %s", len(items), args[0])
		})
	})
	return cmd
}

func prescriptionAnswerCommand(env Environment) *cobra.Command {
	var (
		renew                    []int
		cannot, reject, medicine []string
	)
	cmd := &cobra.Command{
		Use:   "answer REQUEST",
		Short: "Answer a renewal request, prescription by prescription",
		Long: `Answer a renewal request. Every prescription that show lists is decided by its
number: renewed, cannot be renewed, or rejected, the last two with a reason that
the citizen reads. The code follows: 14 renewed, 32 partly renewed, 15 cannot be
renewed, 26 rejected. --code alone decides all of them alike.

What is renewed is a prescription of the record system. Where the citizen wrote in
words, --medicine says which: a JSON file, {"kind": "pack", "name": …}.

` + repeating,
		Example: `  helsebro prescription answer 0198c0de-0000-7000-8000-0000000d1a10 --renew 1,3 --cannot '2=Du må ha time først.' --text 'Hei.'
  helsebro prescription answer 0198c0de-0000-7000-8000-0000000d1a10 --renew 1 --medicine 1=ibux.json --text-file - < answer.txt
  helsebro prescription answer 0198c0de-0000-7000-8000-0000000d1a10 --code 15 --text 'Du må ha time først.'`,
		Args: cobra.ExactArgs(1),
	}
	a := answers(cmd, env)
	cmd.Flags().StringVar(&a.in.Code, "code", "", "14, 32, 15 or 26; with decisions it may be left out, and must not contradict them")
	cmd.Flags().IntSliceVar(&renew, "renew", nil, "numbers of what is renewed")
	cmd.Flags().StringArrayVar(&cannot, "cannot", nil, "NUMBER=REASON of what cannot be renewed, may be repeated")
	cmd.Flags().StringArrayVar(&reject, "reject", nil, "NUMBER=REASON of what is rejected, may be repeated")
	cmd.Flags().StringArrayVar(&medicine, "medicine", nil, "NUMBER=FILE of what was prescribed (JSON), may be repeated")
	cmd.MarkFlagsOneRequired("code", "renew", "cannot", "reject")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		all := decisions{}
		for _, n := range renew {
			all = append(all, decision{n, pg.ItemDecision{Decision: prescription.Renewed}})
		}
		if err := all.add(prescription.Cannot, cannot); err != nil {
			return err
		}
		if err := all.add(prescription.Rejected, reject); err != nil {
			return err
		}
		if err := all.prescribe(env, medicine); err != nil {
			return err
		}
		if len(all) > 0 {
			d, _, err := readRequest(cmd.Context(), a.remote, args[0])
			if err != nil {
				return err
			}
			if a.in.Items, err = all.of(d.Prescriptions); err != nil {
				return err
			}
			// What was read is what is answered.
			a.in.InReplyTo = first(a.in.InReplyTo, d.LatestMessageID)
		}
		return a.give(cmd, args[0])
	})
	return cmd
}

// decision is what a command line decides on the prescription with a number.
type decision struct {
	number int
	pg.ItemDecision
}

type decisions []decision

// add reads NUMBER=REASON arguments.
func (all *decisions) add(what prescription.Decision, args []string) error {
	for _, arg := range args {
		n, reason, err := numbered(arg)
		if err != nil {
			return err
		}
		*all = append(*all, decision{n, pg.ItemDecision{Decision: what, Reason: reason}})
	}
	return nil
}

// prescribe reads NUMBER=FILE arguments.
func (all decisions) prescribe(env Environment, args []string) error {
	for _, arg := range args {
		n, name, err := numbered(arg)
		if err != nil {
			return err
		}
		b, err := readInput(env, name)
		if err != nil {
			return err
		}
		var m pg.Medicine
		from := json.NewDecoder(bytes.NewReader(b))
		from.DisallowUnknownFields()
		if err := from.Decode(&m); err != nil {
			return usage("%s is no prescription: %v", name, err)
		}
		at := slices.IndexFunc(all, func(d decision) bool { return d.number == n && d.Decision == prescription.Renewed })
		if at < 0 {
			return usage("--medicine %d is of none that is renewed: add --renew %d", n, n)
		}
		all[at].Medicine = &m
	}
	return nil
}

// of names each prescription by its id.
func (all decisions) of(items []pg.PrescriptionItem) ([]pg.ItemDecision, error) {
	var out []pg.ItemDecision
	for _, d := range all {
		at := slices.IndexFunc(items, func(p pg.PrescriptionItem) bool { return p.Position == d.number })
		if at < 0 {
			return nil, usage("the request has no prescription %d: prescription show lists them", d.number)
		}
		d.ID = items[at].ID
		out = append(out, d.ItemDecision)
	}
	return out, nil
}

// numbered reads NUMBER=REST.
func numbered(arg string) (int, string, error) {
	number, rest, ok := strings.Cut(arg, "=")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if !ok || err != nil || strings.TrimSpace(rest) == "" {
		return 0, "", usage("write the prescription's number, = and what belongs to it, such as '2=Du må ha time først.'")
	}
	return n, strings.TrimSpace(rest), nil
}
