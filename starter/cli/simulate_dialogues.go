package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/simulator"
)

func simulateSendCommand(env Environment) *cobra.Command {
	var a simulator.Action
	var kind string
	var files []string
	kinds := []string{
		string(simulator.EConsultation), string(simulator.EContact), string(simulator.Renewal), string(simulator.RenewalByItem),
		string(simulator.Reply), string(simulator.Unread),
	}
	cmd := &cobra.Command{
		Use:   "send",
		Short: "Write to a clinic as an invented citizen",
		Long: `Write to a clinic as an invented citizen. A reply goes to any message of a conversation
that he sees (simulate threads), whoever began it; the party follows from it, and the
citizen too, unless the clinic began it. Kind unread is Helsenorge's notice that he has
not read a message of an e-contact.

Kind renewal asks in words, renewal-items by prescription: of those that every invented
citizen has (` + strings.Join(simulator.Medicines(), ", ") + `;
guardians may not see the last), or of any other name.`,
		Example: `  helsebro simulate send --kind e-consultation --to 8000002 --attach bilde.png
  helsebro simulate send --kind e-contact --to 8000003 --citizen 7 --subject Attest --text 'Hei'
  helsebro simulate send --kind renewal-items --to 8000002 --citizen 7 --medicine 'Allergex tab 10 mg' --delivery HE
  helsebro simulate send --kind e-consultation --to 8000002 --citizen 7 --by 8 --relation FU --practitioner 9144889
  helsebro simulate send --kind reply --in-reply-to 6f1c3a52-3a0b-4f5e-9d0e-1f5a7f0c7b11`,
		Args: cobra.NoArgs,
	}
	s := callsSimulator(cmd, env)
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "", "one of "+strings.Join(kinds, ", ")+" (required)")
	f.IntVar(&a.To, "to", 0, "HER-id of the party that is written to (required but for reply and unread)")
	f.IntVar(&a.Citizen, "citizen", 1, "who writes: the same number is the same invented person")
	f.IntVar(&a.By, "by", 0, "number of another citizen who acts for him")
	f.StringVar(&a.Relation, "relation", "", "by what right: FO, a parent; FU, a proxy; VE, a guardian (default FO)")
	f.StringVar(&a.HPR, "practitioner", "", "HPR number of the practitioner who is asked for; not of an e-contact")
	f.StringVar(&a.Subject, "subject", "", "subject (default an invented one)")
	f.StringVar(&a.Text, "text", "", "text (default an invented one)")
	f.StringVar(&a.InReplyTo, "in-reply-to", "", "MsgId that a reply answers, or that is unread")
	f.StringArrayVar(&files, "attach", nil, "a file that goes with it: PDF, JPEG or PNG; repeat for more")
	f.StringArrayVar(&a.Medicines, "medicine", nil, "a prescription that is to be renewed; repeat for more (default the first)")
	f.StringVar(&a.Delivery, "delivery", "", "how a renewed medicine is delivered: AP at a pharmacy, HE at the clinic, JA or AA by post (default AP)")
	f.IntVar(&a.Times, "times", 1, "how often the same message is delivered")
	_ = cmd.MarkFlagRequired("kind") // the flag is defined above
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		a.Kind = simulator.Kind(kind)
		joins := a.Kind == simulator.Reply || a.Kind == simulator.Unread
		switch {
		case joins && a.InReplyTo == "":
			return usage("a %s is to a message: set --in-reply-to", kind)
		case !joins && a.To == 0:
			return usage("the message goes to nobody: set --to")
		}
		for _, name := range files {
			content, err := os.ReadFile(name)
			if err != nil {
				return usage("%v", err)
			}
			a.Files = append(a.Files, simulator.File{Name: filepath.Base(name), Content: content})
		}
		return s.act(cmd.Context(), a)
	})
	return cmd
}

func simulateThreadsCommand(env Environment) *cobra.Command {
	var citizen int
	cmd := &cobra.Command{
		Use:   "threads",
		Short: "List what a citizen sees under Meldinger",
		Long: `List what a citizen sees under Meldinger: his conversations, the one that was last
written in first, with what he wrote and what Helsenorge accepted of the clinic's.`,
		Example: "  helsebro simulate threads --citizen 7\n  helsebro simulate threads --citizen 7 --json",
		Args:    cobra.NoArgs,
	}
	s := callsSimulator(cmd, env)
	cmd.Flags().IntVar(&citizen, "citizen", 1, "who looks")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		all, err := s.client().Threads(cmd.Context(), citizen)
		if err != nil {
			return s.failed(err)
		}
		return s.show(all, func(w io.Writer) error {
			if len(all) == 0 {
				_, err := fmt.Fprintln(w, "The citizen sees no conversation.")
				return err
			}
			for i, t := range all {
				if i > 0 {
					if _, err := fmt.Fprintln(w); err != nil {
						return err
					}
				}
				if err := writeThread(w, t); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return cmd
}

// writeThread shows one conversation as a citizen reads it.
func writeThread(w io.Writer, t simulator.Thread) error {
	words := []string{codes.Name(codes.Processes, t.Process), "with", strconv.Itoa(t.Party)}
	if t.Subject != "" {
		words = append(words, "-", oneLine(t.Subject))
	}
	switch {
	case t.Ended:
		words = append(words, "(ended)")
	case !t.Answerable:
		words = append(words, "(cannot be answered)")
	}
	if _, err := fmt.Fprintln(w, strings.Join(words, " ")); err != nil {
		return err
	}
	return table(w, "", len(t.Messages), "AT\tFROM\tCODE\tTEXT\tWITH\tMESSAGE", func(i int) []string {
		m := t.Messages[i]
		from := cmp.Or(m.Author, "clinic")
		if m.Own {
			from = "citizen"
			if m.By != "" {
				from = m.By + " (" + m.Relation + ")"
			}
		}
		var with []string
		for _, f := range m.Files {
			with = append(with, fmt.Sprintf("%s (%s, %d bytes)", f.Name, f.MIME, f.Size))
		}
		return []string{stamp(m.At), from, m.Function, m.Text, strings.Join(append(with, m.Medicines...), ", "), m.MsgID}
	})
}
