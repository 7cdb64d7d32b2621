package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// changing are the flags of every command that changes a dialogue.
type changing struct {
	remote *remote
	key    string
}

func changesDialogue(cmd *cobra.Command, env Environment) *changing {
	c := &changing{remote: callsAPI(cmd, env)}
	cmd.Flags().StringVar(&c.key, "id", "", "UUID of the change, to repeat a command (default a new one)")
	return c
}

// change asks for the change and prints what format says of it.
func (c *changing) change(cmd *cobra.Command, path string, in any, say func(client.DialogueChanged) string) error {
	r := c.remote
	key := first(c.key, uuid.NewString())
	raw, err := r.call(cmd.Context(), http.MethodPost, path, in, "Idempotency-Key", key)
	if err != nil {
		if code := exitCode(ranError{err}); code == ExitUnavailable || code == ExitFailed {
			fmt.Fprintf(r.env.Err, "The change may be stored: repeat the command with --id %s, and there will be one.\n", key)
		}
		return err
	}
	var out client.DialogueChanged
	if err := r.decode(raw, &out); err != nil {
		return err
	}
	return r.show(raw, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, oneLine(say(out)))
		return err
	})
}

func changesOf(dialogueID string) string {
	return "/dialogues/" + url.PathEscape(dialogueID) + "/changes"
}

func dialogueConvertCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "convert DIALOGUE",
		Short: "Make an e-contact an e-consultation",
		Long: `Make an e-contact an e-consultation: its whole thread goes into the patient's
journal, and the patient is told that a fee follows, or asked, as the clinic's
settings say (conversion: tell or ask). No fee may be taken before dialogue show
says since when the patient knows.`,
		Example: "  helsebro dialogue convert " + aDialogue,
		Args:    cobra.ExactArgs(1),
	}
	c := changesDialogue(cmd, env)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		return c.change(cmd, changesOf(args[0]), api.DialogueChangeRequest{Kind: pg.ConvertDialogue}, func(out client.DialogueChanged) string {
			return "The dialogue is an " + string(out.Process) + " and in the journal. The patient is told by message " + out.MessageID + ": helsebro explain " + out.DialogueID
		})
	})
	return cmd
}

func dialogueResendCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resend DIALOGUE MESSAGE",
		Short: "Send a message of the clinic once more",
		Long: `Send the identical message of the clinic once more, after its receipt was overdue
or it was reported on the error queue and the cause is seen to. It can be done once:
after that, or when a receipt refused it, write a new message.`,
		Example: "  helsebro dialogue resend " + aDialogue + " " + aMessage,
		Args:    cobra.ExactArgs(2),
	}
	c := changesDialogue(cmd, env)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		path := "/dialogues/" + url.PathEscape(args[0]) + "/messages/" + url.PathEscape(args[1]) + "/resend"
		return c.change(cmd, path, nil, func(out client.DialogueChanged) string {
			return "Message " + out.MessageID + " is sent again. What becomes of it: helsebro explain " + out.DialogueID
		})
	})
	return cmd
}
