package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// maxInputBytes bounds what is read from a file or standard input.
const maxInputBytes = api.MaxBodyBytes

func dialogueCommand(env Environment) *cobra.Command {
	return parent("dialogue", "Start, read, answer and handle dialogues", dialogueListCommand(env), dialogueShowCommand(env), dialogueStartCommand(env), dialogueAnswerCommand(env),
		dialogueTakeCommand(env), dialogueAssignCommand(env), dialogueForwardCommand(env), dialogueCloseCommand(env),
		dialogueConvertCommand(env), dialogueResendCommand(env), dialogueTurnCommand(env))
}

func dialogueShowCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show DIALOGUE",
		Short:   "Read a dialogue; marks it read",
		Example: "  helsebro dialogue show 0198c0de-0000-7000-8000-0000000d1a10",
		Args:    cobra.ExactArgs(1),
	}
	r := callsAPI(cmd, env)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		var d pg.Dialogue
		raw, err := r.get(cmd.Context(), "/dialogues/"+url.PathEscape(args[0]), &d)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error { return printDialogue(w, d) })
	})
	return cmd
}

func explainCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain (APPOINTMENT | DIALOGUE | MESSAGE)",
		Short: "Tell what was intended for an appointment, a dialogue or a message, what became of it and why",
		Long: `Tell what was intended for an appointment, a dialogue or one message, what became
of it and why. Of an appointment: why the patient did or did not get each notice,
one line each.`,
		Example: "  helsebro explain " + anAppointment + " --verbose\n  helsebro explain 0198c0de-0000-7000-8000-0000000d1a10",
		Args:    cobra.ExactArgs(1),
	}
	r := callsAPI(cmd, env)
	verbose := verboseFlag(cmd)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		err := explainAppointment(cmd.Context(), r, args[0], *verbose)
		var none *refusal
		if !errors.As(err, &none) || none.Status != http.StatusNotFound {
			return err
		}
		var e client.Explanation
		raw, err := r.get(cmd.Context(), "/dialogues/"+url.PathEscape(args[0])+"/explain", &e)
		if errors.As(err, &none) && none.Status == http.StatusNotFound {
			var m client.MessageExplanation
			if raw, err = r.get(cmd.Context(), "/messages/"+url.PathEscape(args[0])+"/explain", &m); err != nil {
				return err
			}
			return r.show(raw, func(w io.Writer) error { return printLines(w, "message "+m.MessageID, m.Lines) })
		}
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error { return printExplanation(w, e) })
	})
	return cmd
}

func routingCommand(env Environment) *cobra.Command {
	show := &cobra.Command{
		Use:     "show [PROCESS]",
		Short:   "Show where messages go",
		Example: "  helsebro routing show\n  helsebro routing show e-consultation",
		Args:    cobra.MaximumNArgs(1),
	}
	shown := callsAPI(show, env)
	show.RunE = runs(func(cmd *cobra.Command, args []string) error {
		var all api.Rules
		var raw []byte
		var err error
		if len(args) == 1 {
			var rule routing.Rule
			raw, err = shown.get(cmd.Context(), "/routing/"+url.PathEscape(args[0]), &rule)
			all.Rules = map[contract.Process]routing.Rule{contract.Process(args[0]): rule}
		} else {
			raw, err = shown.get(cmd.Context(), "/routing", &all)
		}
		if err != nil {
			return err
		}
		processes := slices.DeleteFunc(client.Processes(), func(p contract.Process) bool { _, ok := all.Rules[p]; return !ok })
		return shown.show(raw, func(w io.Writer) error {
			return table(w, "There are no rules.", len(processes), "PROCESS\tFORMAT\tRECIPIENTS", func(i int) []string {
				rule := all.Rules[processes[i]]
				return []string{string(processes[i]), string(rule.Format), recipients(rule.Recipients)}
			})
		})
	})

	var format string
	var to []string
	set := &cobra.Command{
		Use:   "set PROCESS",
		Short: "Change where the messages of a process go",
		Long: `Change where the messages of a process go: e-consultation, e-contact or
prescription. Format practitioner is the patient's own practitioner, selected the
recipients named, both is both. A recipient is kind:id, where kind is position,
group, role or unit; unit:clinic is everybody. It holds for messages to come.`,
		Example: `  helsebro routing set e-consultation --format practitioner
  helsebro routing set e-contact --format selected --recipient group:nurses --recipient role:staff`,
		Args: cobra.ExactArgs(1),
	}
	changed := callsAPI(set, env)
	set.Flags().StringVar(&format, "format", "", "practitioner, selected or both (required)")
	set.Flags().StringArrayVar(&to, "recipient", nil, "kind:id, may be repeated")
	_ = set.MarkFlagRequired("format") // the flag is defined above
	set.RunE = runs(func(cmd *cobra.Command, args []string) error {
		rule := routing.Rule{Format: routing.Format(format)}
		for _, t := range to {
			kind, id, ok := strings.Cut(t, ":")
			if !ok {
				return usage("--recipient is kind:id, such as group:nurses")
			}
			rule.Recipients = append(rule.Recipients, routing.Recipient{Kind: routing.Kind(kind), ID: id})
		}
		if _, err := changed.call(cmd.Context(), http.MethodPut, "/routing/"+url.PathEscape(args[0]), rule); err != nil {
			return err
		}
		return changed.done(rule, "Messages of %s go to %s from now on.", args[0], strings.TrimSpace(format+" "+recipients(rule.Recipients)))
	})
	return parent("routing", "Where messages go", show, set)
}

func recipients(all []routing.Recipient) string {
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = string(r.Kind) + ":" + r.ID
	}
	return strings.Join(names, ", ")
}

func clinicCommand(env Environment) *cobra.Command {
	var file string
	put := &cobra.Command{
		Use:   "put -f FILE",
		Short: "Write a clinic with its staff and parties, the whole of it",
		Long: `Write a clinic's master data from a YAML file, the whole of it: staff that the
file does not name become inactive. The same file again changes nothing.

  id: 0198c0de-0000-7000-8000-00000000c111
  name: Legesenteret
  organisationNumber: "999888777"
  herId: 8000001
  staff:
    - {id: 0198c0de-0000-7000-8000-00000000057a, subject: gp-1, name: Ola Lege, role: practitioner, hpr: "1234567",
       deputyId: 0198c0de-0000-7000-8000-00000000057b, absentFrom: 2026-12-21T07:00:00Z, absentUntil: 2027-01-04T07:00:00Z}
    - {id: 0198c0de-0000-7000-8000-00000000057b, subject: gp-2, name: Kari Vikar, role: practitioner}
    - {id: 0198c0de-0000-7000-8000-00000000057c, subject: desk, name: Siri Sekretær, role: staff, herId: 8000011}
  parties:
    - {herId: 8000002, name: Ola Lege, staffId: 0198c0de-0000-7000-8000-00000000057a, processes: [DIALOG_INNBYGGER_EKONSULTASJON]}`,
		Example: "  helsebro clinic put -f clinic.yaml",
		Args:    cobra.NoArgs,
	}
	r := callsAPI(put, env)
	put.Flags().StringVarP(&file, "file", "f", "", "the YAML file; - is standard input (required)")
	_ = put.MarkFlagRequired("file") // the flag is defined above
	put.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		b, err := readInput(env, file)
		if err != nil {
			return err
		}
		c := pg.Clinic{Staff: []pg.Staff{}, Parties: []pg.Party{}}
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		if err := d.Decode(&c); err != nil {
			return usage("%s is not a clinic: %v", file, err)
		}
		r.clinic = first(r.clinic, c.ID)
		if _, err := r.call(cmd.Context(), http.MethodPut, "", c); err != nil {
			return err
		}
		return r.done(c, "Clinic %s is written: %d staff, %d parties.", c.ID, len(c.Staff), len(c.Parties))
	})
	return parent("clinic", "Clinics, and their integration with Helsenorge", append([]*cobra.Command{put}, integrationCommands(env)...)...)
}

func patientCommand(env Environment) *cobra.Command {
	find := &cobra.Command{
		Use:     "find",
		Short:   "Find a patient's id by the national id on standard input",
		Example: "  helsebro patient find < national-id.txt",
		Args:    noNationalID(cobra.NoArgs),
	}
	found := callsAPI(find, env)
	find.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		id, raw, err := findPatient(cmd.Context(), found)
		if err != nil {
			return err
		}
		return found.show(raw, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, id)
			return err
		})
	})
	erase := &cobra.Command{
		Use:   "erase [PATIENT]",
		Short: "Make everything of a patient unreadable, for good",
		Long: `Make everything of a patient unreadable, for good: name, messages, answers, files
and journal entries. It cannot be undone. What stays names nobody.

The patient is named by the id that find prints; without it the national id is
read from standard input, and finding needs the right patient:read as well.`,
		Example: "  helsebro patient erase 0198c0de-0000-7000-8000-000000009a71\n  helsebro patient erase < national-id.txt",
		Args:    noNationalID(cobra.MaximumNArgs(1)),
	}
	erased := callsAPI(erase, env)
	erase.RunE = runs(func(cmd *cobra.Command, args []string) error {
		var id string
		if len(args) == 1 {
			id = args[0]
		} else {
			var err error
			if id, _, err = findPatient(cmd.Context(), erased); err != nil {
				return err
			}
		}
		if _, err := erased.call(cmd.Context(), http.MethodDelete, "/patients/"+url.PathEscape(id), nil); err != nil {
			return err
		}
		return erased.done(api.PatientID{PatientID: id}, "Patient %s is erased.", id)
	})
	return parent("patient", "Find and erase patients, and tell whether they can be reached", find, erase, reachabilityCommand(env), refreshActivityCommand(env))
}

// noNationalID refuses a national id among the arguments, and as --patient, where every
// user of the machine can read it, and whoever sees URLs.
func noNationalID(next cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for _, a := range args {
			if looksLikeNationalID(a) {
				return errors.New("a national id must not be an argument, where others can see it: give it on standard input")
			}
		}
		if f := cmd.Flags().Lookup("patient"); f != nil && looksLikeNationalID(f.Value.String()) {
			return errors.New("--patient is the id that helsebro patient find prints, and never a national id, which others can see")
		}
		return next(cmd, args)
	}
}

func looksLikeNationalID(s string) bool {
	digits := strings.ReplaceAll(s, " ", "")
	return len(digits) == 11 && strings.Trim(digits, "0123456789") == ""
}

// findPatient reads a national id from standard input and returns the patient's id
// with the answer as it came.
func findPatient(ctx context.Context, r *remote) (id string, raw []byte, err error) {
	if err := r.complete(); err != nil {
		return "", nil, err
	}
	if f, ok := r.env.In.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprint(r.env.Err, "national id: ")
		}
	}
	line, err := bufio.NewReader(io.LimitReader(r.env.In, 1<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", nil, errors.New("standard input cannot be read")
	}
	nationalID := strings.ReplaceAll(strings.TrimSpace(line), " ", "")
	if nationalID == "" {
		return "", nil, usage("give the national id on standard input")
	}
	if raw, err = r.call(ctx, http.MethodPost, "/patients/find", api.FindPatientRequest{NationalID: nationalID}); err != nil {
		return "", nil, err
	}
	var out api.PatientID
	if err := r.decode(raw, &out); err != nil {
		return "", nil, err
	}
	return out.PatientID, raw, nil
}

// done tells that something without an answer of its own was done.
func (r *remote) done(what any, format string, args ...any) error {
	raw, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return r.show(raw, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, oneLine(fmt.Sprintf(format, args...)))
		return err
	})
}

// table prints n rows below a heading, or empty when there are none.
func table(w io.Writer, empty string, n int, heading string, row func(int) []string) error {
	if n == 0 {
		_, err := fmt.Fprintln(w, empty)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, heading)
	for i := range n {
		cells := row(i)
		for j := range cells {
			cells[j] = oneLine(cells[j])
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// readInput reads a file, or standard input for "-".
func readInput(env Environment, name string) ([]byte, error) {
	in := env.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, usage("%v", err)
		}
		defer f.Close() //nolint:errcheck // read only
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxInputBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	if len(b) > maxInputBytes {
		return nil, usage("%s is larger than %d bytes", name, maxInputBytes)
	}
	return b, nil
}
