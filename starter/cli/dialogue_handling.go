package cli

import (
	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// noteFlag lets a command leave a word to colleagues.
func noteFlag(cmd *cobra.Command, in *api.DialogueChangeRequest) {
	cmd.Flags().StringVar(&in.Note, "note", "", "a word to colleagues; it never leaves the clinic")
}

func dialogueTakeCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "take DIALOGUE",
		Short: "Take a dialogue: it is yours, and the others see that",
		Long: `Take a dialogue: it is yours, and everybody in whose inbox it lies sees that. The
first has it: of a colleague who is at work it cannot be taken, but he can give it
to you with assign. It lies in your own inbox then, wherever else it does.`,
		Example: "  helsebro dialogue take " + aDialogue,
		Args:    cobra.ExactArgs(1),
	}
	c := changesDialogue(cmd, env)
	in := api.DialogueChangeRequest{Kind: pg.TakeDialogue}
	noteFlag(cmd, &in)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		return c.change(cmd, changesOf(args[0]), in, func(out client.DialogueChanged) string { return "You have taken dialogue " + out.DialogueID + "." })
	})
	return cmd
}

func dialogueAssignCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "assign DIALOGUE [STAFF]",
		Short: "Give a dialogue to a colleague, or back to everybody",
		Long: `Give a dialogue to a colleague, who has it from now on and finds it unread in the
inbox of his own. Without STAFF nobody has it any more: whoever it lies with may
take it.`,
		Example: "  helsebro dialogue assign " + aDialogue + " 0198c0de-0000-7000-8000-00000000057a\n  helsebro dialogue assign " + aDialogue,
		Args:    cobra.RangeArgs(1, 2),
	}
	c := changesDialogue(cmd, env)
	in := api.DialogueChangeRequest{Kind: pg.AssignDialogue}
	noteFlag(cmd, &in)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		to := "nobody"
		if len(args) == 2 {
			in.StaffID, to = args[1], args[1]
		}
		return c.change(cmd, changesOf(args[0]), in, func(out client.DialogueChanged) string {
			return "Dialogue " + out.DialogueID + " is given to " + to + "."
		})
	})
	return cmd
}

func dialogueForwardCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forward DIALOGUE RECIPIENT...",
		Short: "Move a dialogue to other inboxes",
		Long: `Move a dialogue to other inboxes, where it lies unread from now on; what the citizen
writes later lies there, too. A recipient is kind:id, where kind is position, group,
role, unit or practitioner, a staff member's own inbox; unit:clinic is everybody.
Each must reach somebody who is at work. Nobody has taken it any more.`,
		Example: "  helsebro dialogue forward " + aDialogue + " group:nurses --note 'Kan dere ringe?'",
		Args:    cobra.MinimumNArgs(2),
	}
	c := changesDialogue(cmd, env)
	in := api.DialogueChangeRequest{Kind: pg.ForwardDialogue}
	noteFlag(cmd, &in)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		for _, arg := range args[1:] {
			r, err := routing.ParseRecipient(arg)
			if err != nil {
				return usage("a recipient is %v, such as group:nurses", err)
			}
			in.To = append(in.To, r)
		}
		return c.change(cmd, changesOf(args[0]), in, func(out client.DialogueChanged) string {
			return "Dialogue " + out.DialogueID + " lies with " + recipients(in.To) + " from now on."
		})
	})
	return cmd
}

func dialogueCloseCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "close DIALOGUE",
		Short: "End a dialogue without a message",
		Long: `End a dialogue on the clinic's side without a message. An e-consultation must be
answered first, and a renewal request is ended by its answer. What the citizen
writes later opens it again.`,
		Example: "  helsebro dialogue close " + aDialogue,
		Args:    cobra.ExactArgs(1),
	}
	c := changesDialogue(cmd, env)
	in := api.DialogueChangeRequest{Kind: pg.CloseDialogue}
	noteFlag(cmd, &in)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		return c.change(cmd, changesOf(args[0]), in, func(out client.DialogueChanged) string { return "Dialogue " + out.DialogueID + " is closed." })
	})
	return cmd
}
