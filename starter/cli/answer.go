package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/starter/api"
)

// repeating is what every command says whose outcome may be unknown.
const repeating = `A command that ends with exit code 4 may have stored the answer: repeat it with
the --id that it prints, and there will be one answer.`

// answering are the flags of every command that answers.
type answering struct {
	remote *remote
	in     api.AnswerRequest
	key    string
	// textFile holds the text, files are sent with it.
	textFile string
	files    []string
}

// answers gives cmd the flags of a command that answers.
func answers(cmd *cobra.Command, env Environment) *answering {
	const text, fromFile = "text", "text-file"
	a := &answering{remote: callsAPI(cmd, env)}
	f := cmd.Flags()
	f.StringVar(&a.in.Text, text, "", "what the citizen reads; others on this machine can see arguments, so rather a file")
	f.StringVar(&a.textFile, fromFile, "", "file that holds the text; - is standard input")
	f.StringVar(&a.in.InReplyTo, "in-reply-to", "", "the message you have read: refused when the citizen has written since")
	f.StringVar(&a.key, "id", "", "UUID of the answer, to repeat a command (default a new one)")
	cmd.MarkFlagsMutuallyExclusive(text, fromFile)
	cmd.MarkFlagsOneRequired(text, fromFile)
	return a
}

// attachFlags lets a command send files with its message.
func attachFlags(cmd *cobra.Command, files, uploaded *[]string) {
	cmd.Flags().StringArrayVar(files, "attach", nil, "file to send with it (PDF, JPEG or PNG, at most 12 MB), may be repeated")
	cmd.Flags().StringArrayVar(uploaded, "attachment", nil, "id of a file that is uploaded already, may be repeated")
}

// give sends the answer and tells what becomes of it.
func (a *answering) give(cmd *cobra.Command, dialogueID string) error {
	r := a.remote
	if a.textFile != "" {
		b, err := readInput(r.env, a.textFile)
		if err != nil {
			return err
		}
		a.in.Text = string(b)
	}
	uploaded, err := r.attachToDialogue(cmd.Context(), dialogueID, a.files)
	if err != nil {
		return err
	}
	a.in.Attachments = append(a.in.Attachments, uploaded...)
	key := first(a.key, uuid.NewString())
	raw, err := r.call(cmd.Context(), http.MethodPost, "/dialogues/"+url.PathEscape(dialogueID)+"/answers", a.in, "Idempotency-Key", key)
	if err != nil {
		if code := exitCode(ranError{err}); code == ExitUnavailable || code == ExitFailed {
			// Files are uploaded: the same answer names the same ones.
			fmt.Fprintf(r.env.Err, "The answer may be stored: repeat the command with --id %s%s, and there will be one answer.\n", key, insteadOfFiles(uploaded))
		}
		return err
	}
	var out contract.AnswerAccepted
	if err := r.decode(raw, &out); err != nil {
		return err
	}
	return r.show(raw, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "Answer %s is accepted (%s). What becomes of it: helsebro explain %s\n", out.AnswerID, out.Status, oneLine(dialogueID))
		return err
	})
}

// insteadOfFiles is what a repeated command says in the place of --attach.
func insteadOfFiles(uploaded []string) string {
	if len(uploaded) == 0 {
		return ""
	}
	return ", and in the place of --attach with --attachment " + strings.Join(uploaded, " --attachment ")
}

func dialogueAnswerCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "answer DIALOGUE",
		Short: "Answer a dialogue",
		Long: `Answer a dialogue. When the command returns, the answer is durable; explain tells
what becomes of it.

Codes (kodeverk 7602): e-consultation 12 answer, 13 dialogue ended; e-contact 19
answer; both 26 refused, 30 no access. An e-dialogue has none. A renewal request has
its own command: prescription answer.

` + repeating,
		Example: `  helsebro dialogue answer 0198c0de-0000-7000-8000-0000000d1a10 --code 12 --text 'Du kan hente resepten i dag.'
  helsebro dialogue answer 0198c0de-0000-7000-8000-0000000d1a10 --code 12 --text-file - --attach brev.pdf < answer.txt
  helsebro dialogue answer 0198c0de-0000-7000-8000-0000000d1a10 --code 19 --close --text 'Attesten er klar.'`,
		Args: cobra.ExactArgs(1),
	}
	a := answers(cmd, env)
	cmd.Flags().StringVar(&a.in.Code, "code", "", "code of kodeverk 7602, required but for an e-dialogue")
	cmd.Flags().StringVar(&a.in.Subject, "subject", "", "subject, at most 50 characters")
	cmd.Flags().BoolVar(&a.in.FollowUp, "follow-up", false, "add to an answer already given")
	cmd.Flags().BoolVar(&a.in.Close, "close", false, "end the dialogue with it; the citizen may write again nevertheless")
	attachFlags(cmd, &a.files, &a.in.Attachments)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error { return a.give(cmd, args[0]) })
	return cmd
}
