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
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// aGP is a staff id for examples.
const aGP = "0198c0de-0000-7000-8000-00000000057a"

func clinicStatusCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the integrations with Helsenorge stand, and what they need",
		Long: `Show how the integration of the clinic with Helsenorge stands, and those of its GPs:
the status, who changed it and when, and every precondition with who sees to it and
why it does not hold. Nothing is offered or sent while an integration is not active.`,
		Example: "  helsebro clinic status\n  helsebro clinic status --gp " + aGP,
		Args:    cobra.NoArgs,
	}
	r := callsAPI(cmd, env)
	gp := cmd.Flags().String("gp", "", "one GP alone, by staff id")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		path := "/integration"
		if *gp != "" {
			path += "?staff=" + url.QueryEscape(*gp)
		}
		var l api.List[pg.Integration]
		raw, err := r.get(cmd.Context(), path, &l)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			for i, one := range l.Items {
				if i > 0 {
					fmt.Fprintln(w)
				}
				if err := printIntegration(w, one); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return cmd
}

// integrationCommand is one command on an integration.
func integrationCommand(env Environment, kind pg.ActivationKind, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use: string(kind), Short: short, Long: long,
		Example: "  helsebro clinic " + string(kind) + "\n  helsebro clinic " + string(kind) + " --gp " + aGP,
		Args:    cobra.NoArgs,
	}
	r := callsAPI(cmd, env)
	var in api.ActivationRequest
	var key string
	f := cmd.Flags()
	switch kind {
	case pg.SignOffPrecondition:
		cmd.Use += " PRECONDITION"
		cmd.Example = "  helsebro clinic sign-off " + string(activation.DigitalDialogueOrdered) + "\n  helsebro clinic sign-off " + string(activation.RegistrationSignedOff)
		cmd.Args = cobra.ExactArgs(1)
	case pg.SuspendIntegration:
		f.StringVar(&in.StaffID, "gp", "", "the GP whose integration it is, by staff id (default the clinic's own)")
		f.StringVar(&in.Reason, "reason", "", "why, for the clinic to read (required)")
		_ = cmd.MarkFlagRequired("reason") // the flag is defined above
		cmd.Example = "  helsebro clinic suspend --reason 'The clinic moves: ticket 4711'"
	default:
		f.StringVar(&in.StaffID, "gp", "", "the GP whose integration it is, by staff id (default the clinic's own)")
	}
	f.StringVar(&key, "id", "", "UUID of the command, to repeat it (default a new one)")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			in.Key = args[0]
		}
		raw, err := r.call(cmd.Context(), http.MethodPost, "/integration/"+string(kind), in, "Idempotency-Key", first(key, uuid.NewString()))
		if err != nil {
			return err
		}
		var out pg.Integration
		if err := r.decode(raw, &out); err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error { return printIntegration(w, out) })
	})
	return cmd
}

func integrationCommands(env Environment) []*cobra.Command {
	return []*cobra.Command{
		clinicStatusCommand(env),
		integrationCommand(env, pg.ActivateIntegration, "Activate an integration with Helsenorge",
			`Activate the integration of the clinic, or of one of its GPs, if every precondition
holds; clinic status says which does not. The clinic's own comes first. Operators only.`),
		integrationCommand(env, pg.SuspendIntegration, "Suspend an integration",
			`Suspend an integration: from now on nothing is offered on Helsenorge or sent there,
and what citizens send is answered with a refusal. Appointments and the clinic's own
notices go on. Operators only.`),
		integrationCommand(env, pg.ResumeIntegration, "Resume a suspended integration",
			`Resume a suspended integration, if every precondition holds. Operators only.`),
		integrationCommand(env, pg.SignOffPrecondition, "Sign off a precondition that no registry tells of",
			`Say that a precondition of the clinic holds which no registry tells of:
digital-dialogue-ordered (Digital Dialog is ordered from Norsk helsenett) or
registration-signed-off (the clinic has seen its registration and it is right).
Operators and clinic administrators.`),
		integrationCommand(env, pg.CheckIntegration, "Look at the preconditions of an integration now",
			`Look at the preconditions of an integration now. It is done every week by itself, and
when the address registry changes. Operators only.`),
	}
}

// printIntegration writes how an integration stands, with its checklist.
func printIntegration(w io.Writer, i pg.Integration) error {
	whose := "the clinic itself"
	if i.StaffID != "" {
		whose = "GP " + i.StaffID
	}
	fmt.Fprintf(w, "%s (%s): %s\n", oneLine(i.Name), whose, i.Status)
	if i.By != "" {
		fmt.Fprintf(w, "since %s, by %s%s\n", stamp(i.Since), oneLine(i.By), oneLine(prefixed(": ", i.Reason)))
	}
	if len(i.Preconditions) == 0 {
		_, err := fmt.Fprintln(w, "Nobody has looked at the preconditions yet: it is done within a minute, or at once by clinic check.")
		return err
	}
	return table(w, "", len(i.Preconditions), "HOLDS\tPRECONDITION\tWHO SEES TO IT\tLOOKED AT\tWHY NOT", func(n int) []string {
		p := i.Preconditions[n]
		return []string{either(p.OK, "yes", "NO"), string(p.Key), string(p.Owner), stamp(p.CheckedAt), whyNot(p)}
	})
}

// whyNot says what is wrong with a precondition, with whom; or who signed it off.
func whyNot(p pg.Precondition) string {
	if p.OK {
		if p.SignedBy != "" {
			return "signed off by " + p.SignedBy + " " + stamp(p.SignedAt)
		}
		return client.Requirement(p.Key)
	}
	about := p.About
	if len(p.Staff) > 0 {
		about = nil
		for _, s := range p.Staff {
			about = append(about, s.Name+" ("+s.ID+")")
		}
	}
	return client.Lacking(p.Reason) + prefixed(": ", strings.Join(about, ", "))
}

// prefixed is a text with what stands before it, and nothing for none.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func reachabilityCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reachability PATIENT",
		Short: "Tell whether a dialogue can be sent to a patient, and if not, why",
		Long: `Tell whether a dialogue can be sent to a patient, and if not, why and what to do
instead. Kinds are e-contact, e-consultation and e-dialogue; the last never goes to
Helsenorge.`,
		Example: "  helsebro patient reachability 0198c0de-0000-7000-8000-000000009a71 --kind e-contact",
		Args:    noNationalID(cobra.ExactArgs(1)),
	}
	r := callsAPI(cmd, env)
	kind := cmd.Flags().String("kind", string(contract.ProcessEContact), "e-contact, e-consultation or e-dialogue")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		var out client.Reachability
		raw, err := r.get(cmd.Context(), "/patients/"+url.PathEscape(args[0])+"/reachability?kind="+url.QueryEscape(*kind), &out)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error { return printReachability(w, out) })
	})
	return cmd
}

func printReachability(w io.Writer, r client.Reachability) error {
	if r.Reachable {
		fmt.Fprintf(w, "The patient can be contacted (%s).\n", r.Kind)
	} else {
		fmt.Fprintf(w, "The patient cannot be contacted (%s):\n", r.Kind)
	}
	for i, words := range r.Explained {
		fmt.Fprintf(w, "  %s  (%s)\n", oneLine(words), r.Reasons[i])
	}
	if !r.KnownAt.IsZero() {
		fmt.Fprintf(w, "On Helsenorge: %s, known %s (%s), from %s.\n",
			either(r.Active, "active"+either(r.Self, "", " through a representative"), "not active"), ago(r.AgeSeconds), stamp(r.KnownAt), first(knownBy[r.By], oneLine(r.By)))
	}
	if r.CheckFailed != "" {
		fmt.Fprintf(w, "Helsenorge could not be asked now (%s): what was known last counts.\n", r.CheckFailed)
	}
	return nil
}

// knownBy says what a patient's status on Helsenorge is known from.
var knownBy = map[string]string{
	pg.ActivityCheck: "a look-up", pg.ActivityMessage: "a message of Helsenorge's", pg.ActivityRefused: "a message that Helsenorge refused (E35)",
	pg.ActivityRecorded: "the record system", pg.ActivityReported: "what Helsenorge tells of changes",
}

// ago says how long ago something was, in the largest whole unit.
func ago(seconds int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"days", 24 * 60 * 60}, {"hours", 60 * 60}, {"minutes", 60}} {
		if n := seconds / unit.size; n > 1 {
			return fmt.Sprintf("%d %s ago", n, unit.name)
		}
	}
	return "just now"
}

func refreshActivityCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "refresh-activity",
		Short: "Ask Helsenorge which patients are active there",
		Long: `Ask Helsenorge about every patient of the clinic whose status there is older than the
clinic's setting (activityHours), 1000 at a time. A repetition asks about the rest.`,
		Example: "  helsebro patient refresh-activity",
		Args:    cobra.NoArgs,
	}
	r := callsAPI(cmd, env)
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		raw, err := r.call(cmd.Context(), http.MethodPost, "/patients/activity", nil)
		if err != nil {
			return err
		}
		var out client.ActivityRefresh
		if err := r.decode(raw, &out); err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Helsenorge was asked about %d patients and answered about %d: %d are active there.\n", out.Asked, out.Answered, out.Active)
			return err
		})
	})
	return cmd
}
