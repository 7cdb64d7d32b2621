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
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	aDialogue = "0198c0de-0000-7000-8000-0000000d1a10"
	aMessage  = "0198c0de-0000-7000-8000-0000000a1150"
)

// starting are the flags of every command that starts a dialogue.
type starting struct {
	remote                   *remote
	kind, subject, text, key string
	textFile                 string
	files, uploaded          []string
}

// starts gives cmd the flags of a command that starts a dialogue of the kinds.
func starts(cmd *cobra.Command, env Environment, kinds string) *starting {
	const text, fromFile = "text", "text-file"
	s := &starting{remote: callsAPI(cmd, env)}
	f := cmd.Flags()
	f.StringVar(&s.kind, "kind", "", kinds+" (required)")
	f.StringVar(&s.subject, "subject", "", "subject, at most 50 characters")
	f.StringVar(&s.text, text, "", "what the receiver reads; others on this machine can see arguments, so rather a file")
	f.StringVar(&s.textFile, fromFile, "", "file that holds the text; - is standard input")
	f.StringVar(&s.key, "id", "", "UUID of the dialogue's first message, to repeat a command (default a new one)")
	attachFlags(cmd, &s.files, &s.uploaded)
	_ = cmd.MarkFlagRequired("kind") // the flag is defined above
	cmd.MarkFlagsMutuallyExclusive(text, fromFile)
	cmd.MarkFlagsOneRequired(text, fromFile)
	return s
}

// complete reads the text.
func (s *starting) complete() error {
	if s.textFile == "" {
		return nil
	}
	b, err := readInput(s.remote.env, s.textFile)
	s.text = string(b)
	return err
}

// start sends the request and tells what was started.
func (s *starting) start(cmd *cobra.Command, path string, in any, files []string) error {
	r := s.remote
	key := first(s.key, uuid.NewString())
	raw, err := r.call(cmd.Context(), http.MethodPost, path, in, "Idempotency-Key", key)
	if err != nil {
		if code := exitCode(ranError{err}); code == ExitUnavailable || code == ExitFailed {
			fmt.Fprintf(r.env.Err, "The dialogue may be stored: repeat the command with --id %s%s, and there will be one.\n", key, insteadOfFiles(files))
		}
		return err
	}
	var out client.Started
	if err := r.decode(raw, &out); err != nil {
		return err
	}
	return r.show(raw, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "Dialogue %s is started (%s). What becomes of its message: helsebro explain %s\n", out.DialogueID, out.Status, out.DialogueID)
		return err
	})
}

func dialogueStartCommand(env Environment) *cobra.Command {
	var in client.StartDialogue
	var with []string
	cmd := &cobra.Command{
		Use:   "start (--patient PATIENT | --with RECIPIENT ...)",
		Short: "Start a dialogue with a patient or with colleagues",
		Long: `Start a dialogue. e-contact is for what is general and e-consultation for what is
medical: both go to Helsenorge, which notifies the patient. An e-dialogue goes to
the clinic's own app and portal, or with --with to colleagues: it never leaves the
clinic. A recipient is kind:id, where kind is practitioner, position, group, role
or unit.

Whether the patient can be contacted is checked before anything is written: exit
code 3 names what stands in the way. See also: helsebro patient reachability.

A command that ends with exit code 4 may have stored the dialogue: repeat it with
the --id that it prints, and there will be one.`,
		Example: `  helsebro dialogue start --patient 0198c0de-0000-7000-8000-000000009a71 --kind e-consultation --subject 'Blodprøver' --text-file - < svar.txt
  helsebro dialogue start --patient 0198c0de-0000-7000-8000-000000009a71 --kind e-contact --subject 'Stengt fredag' --text 'Vi holder stengt fredag.' --one-way
  helsebro dialogue start --kind e-dialogue --with group:nurses --subject 'Vaktbytte' --text 'Kan noen ta onsdag?'`,
		Args: noNationalID(cobra.NoArgs),
	}
	s := starts(cmd, env, "e-contact, e-consultation or e-dialogue")
	cmd.Flags().StringVar(&in.PatientID, "patient", "", "the patient's id")
	cmd.Flags().StringArrayVar(&with, "with", nil, "colleagues, as kind:id, may be repeated")
	cmd.Flags().BoolVar(&in.OneWay, "one-way", false, "the citizen cannot reply")
	cmd.MarkFlagsMutuallyExclusive("patient", "with")
	cmd.MarkFlagsOneRequired("patient", "with")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		if err := s.complete(); err != nil {
			return err
		}
		for _, to := range with {
			kind, id, ok := strings.Cut(to, ":")
			if !ok {
				return usage("--with is kind:id, such as group:nurses")
			}
			in.Participants = append(in.Participants, routing.Recipient{Kind: routing.Kind(kind), ID: id})
		}
		files, err := s.remote.attach(cmd.Context(), forPatient(in.PatientID), s.files)
		if err != nil {
			return err
		}
		in.Kind, in.Subject, in.Text, in.Attachments = contract.Process(s.kind), s.subject, s.text, append(s.uploaded, files...)
		return s.start(cmd, "/dialogues", in, files)
	})
	return cmd
}

func dialogueTurnCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "turn REQUEST",
		Short: "Go on from the answer to a renewal request in a dialogue",
		Long: `Go on from the answer to a prescription renewal request in an e-contact or an
e-consultation with the patient. The request stays closed, and each names the
other; an e-consultation's journal entry begins with the request and its answer.
A request that is not answered is refused.`,
		Example: "  helsebro dialogue turn " + aDialogue + " --kind e-consultation --subject 'Om medisinen din' --text-file - < melding.txt",
		Args:    cobra.ExactArgs(1),
	}
	s := starts(cmd, env, "e-contact or e-consultation")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		if err := s.complete(); err != nil {
			return err
		}
		files, err := s.remote.attachToDialogue(cmd.Context(), args[0], s.files)
		if err != nil {
			return err
		}
		in := client.Turn{Kind: contract.Process(s.kind), Subject: s.subject, Text: s.text, Attachments: append(s.uploaded, files...)}
		return s.start(cmd, "/dialogues/"+url.PathEscape(args[0])+"/turn", in, files)
	})
	return cmd
}
