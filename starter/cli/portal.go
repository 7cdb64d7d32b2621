package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

func portalCommand(env Environment) *cobra.Command {
	c := parent("portal", "E-dialogues as a patient has them in the clinic's portal and app",
		portalDialoguesCommand(env), portalReadCommand(env), portalWriteCommand(env))
	c.Long = `E-dialogues as a patient, or who represents him, has them in the clinic's own portal
and app. Needs the role portal. The viewer is who is signed in there; a parent may act
until the sixteenth birthday.

Dialogues on Helsenorge are not among them, nor what colleagues write to each other.`
	return c
}

// viewed is whose dialogues are seen, and who sees them, by flags.
type viewed struct{ patient, viewer string }

func (v *viewed) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&v.patient, "patient", "", "the patient's id, as patient find prints it (required)")
	cmd.Flags().StringVar(&v.viewer, "viewer", "", "the id of who represents the patient (default the patient)")
	_ = cmd.MarkFlagRequired("patient") // the flag is defined above
}

// path is below the patient's dialogues.
func (v *viewed) path(rest ...string) string {
	path := "/portal/patients/" + url.PathEscape(v.patient) + "/dialogues"
	for _, r := range rest {
		path += "/" + url.PathEscape(r)
	}
	return path
}

// by is who is signed in.
func (v *viewed) by() string { return first(v.viewer, v.patient) }

const aPatient = "0198c0de-0000-7000-8000-000000009a71"

func portalDialoguesCommand(env Environment) *cobra.Command {
	var v viewed
	cmd := &cobra.Command{
		Use:     "dialogues --patient PATIENT",
		Short:   "List a patient's e-dialogues, the newest first",
		Example: "  helsebro portal dialogues --patient " + aPatient,
		Args:    noNationalID(cobra.NoArgs),
	}
	r := callsAPI(cmd, env)
	v.flags(cmd)
	of := lists(cmd)
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		var l api.List[pg.PortalDialogue]
		raw, err := r.get(cmd.Context(), of.path(v.path())+"&viewer="+url.QueryEscape(v.by()), &l)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			if err := table(w, "There are no e-dialogues.", len(l.Items), "DIALOGUE\tUNREAD\tLATEST\tTITLE", func(i int) []string {
				d := l.Items[i]
				return []string{d.ID, strconv.Itoa(d.Unread), stamp(d.LatestAt), d.Title}
			}); err != nil {
				return err
			}
			return more(w, l.NextCursor)
		})
	})
	return cmd
}

func portalReadCommand(env Environment) *cobra.Command {
	var v viewed
	cmd := &cobra.Command{
		Use:     "read DIALOGUE --patient PATIENT",
		Short:   "Read an e-dialogue; the clinic sees that it was read",
		Example: "  helsebro portal read 0198c0de-0000-7000-8000-0000000d1a10 --patient " + aPatient,
		Args:    noNationalID(cobra.ExactArgs(1)),
	}
	r := callsAPI(cmd, env)
	v.flags(cmd)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		var t pg.PortalThread
		raw, err := r.get(cmd.Context(), v.path(args[0])+"?viewer="+url.QueryEscape(v.by()), &t)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error { return printPortalThread(w, t) })
	})
	return cmd
}

func portalWriteCommand(env Environment) *cobra.Command {
	var v viewed
	var in client.PortalWriting
	var textFile string
	var files []string
	cmd := &cobra.Command{
		Use:   "write [DIALOGUE] --patient PATIENT",
		Short: "Write to the clinic in an e-dialogue, or start one",
		Long: `Write to the clinic in an e-dialogue; without DIALOGUE a new one is started.

A command that ends with exit code 4 may have been taken: repeat it with the --id that
it prints, and there is one message.`,
		Example: "  helsebro portal write --patient " + aPatient + " --subject Attest --text 'Kan jeg få en attest?'\n" +
			"  helsebro portal write 0198c0de-0000-7000-8000-0000000d1a10 --patient " + aPatient + " --text-file - < message.txt",
		Args: noNationalID(cobra.MaximumNArgs(1)),
	}
	c := changes(cmd, env)
	v.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&in.Subject, "subject", "", "subject, at most 50 characters; the title of a new dialogue")
	f.StringVar(&in.Text, "text", "", "what the clinic reads; others on this machine can see arguments, so rather a file")
	f.StringVar(&textFile, "text-file", "", "file that holds the text; - is standard input")
	f.StringArrayVar(&files, "attach", nil, "a file that goes with it, PDF, JPEG or PNG; may be repeated")
	f.BoolVar(&in.App, "app", false, "it comes from the app and not the portal")
	cmd.MarkFlagsMutuallyExclusive("text", "text-file")
	cmd.MarkFlagsOneRequired("text", "text-file")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		if textFile != "" {
			b, err := readInput(env, textFile)
			if err != nil {
				return err
			}
			in.Text = string(b)
		}
		in.ViewerID = v.by()
		path := v.path()
		if len(args) == 1 {
			path = v.path(args[0], "messages")
		}
		var err error
		if in.Attachments, err = c.attach(cmd.Context(), "/portal/patients/"+url.PathEscape(v.patient)+"/attachments?viewer="+url.QueryEscape(v.by()), files); err != nil {
			return err
		}
		raw, err := c.request(cmd.Context(), http.MethodPost, path, in)
		if err != nil {
			return err
		}
		var out client.PortalWritten
		if err := c.decode(raw, &out); err != nil {
			return err
		}
		return c.show(raw, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "The clinic has message %s in dialogue %s.\n", out.MessageID, out.DialogueID)
			return err
		})
	})
	return cmd
}

// printPortalThread writes an e-dialogue as one reads a conversation: oldest first.
func printPortalThread(w io.Writer, t pg.PortalThread) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\ndialogue %s\n", oneLine(t.Title), t.ID)
	for _, m := range t.Messages {
		who := m.From
		if m.Author != "" {
			who += ", " + strings.TrimSpace(m.Author+" "+m.Relation)
		}
		read := ""
		if !m.ReadAt.IsZero() {
			read = ", read " + stamp(m.ReadAt)
		}
		fmt.Fprintf(&b, "\n%s  %s  message %s%s\n", stamp(m.At), oneLine(who), m.ID, read)
		paragraph(&b, m.Subject, m.Text)
		printFiles(&b, m.Attachments)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
