package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

const anAppointment = "0198c0de-0000-7000-8000-00000000a901"

func appointmentCommand(env Environment) *cobra.Command {
	c := parent("appointment", "Appointments",
		appointmentListCommand(env), appointmentShowCommand(env), appointmentBookCommand(env), appointmentMoveCommand(env),
		appointmentAmendCommand(env), appointmentHideCommand(env),
		stepCommand(env, "cancel", "Take an appointment out of the calendar", "cancelled"),
		stepCommand(env, "restore", "Put a cancelled or missed appointment back", "back in the calendar"),
		stepCommand(env, "missed", "Say that the patient did not come", "marked as missed"),
		wishAnswerCommand(env), appointmentExplainCommand(env))
	c.Long = `Appointments. Times are those of the wall clock in Norway; of an hour that it shows
twice, in autumn, the later one is meant: write an instant for the earlier.

Who tells the patient of a change, and when, is decided after it: Helsenorge, or the
clinic by e-mail, SMS or push, or nobody for a reason. appointment explain tells.

A command that ends with exit code 4 may have been taken: repeat it with the --id that
it prints, and it is done once.`
	return c
}

func appointmentListCommand(env Environment) *cobra.Command {
	var of days
	var patient, calendar string
	cmd := &cobra.Command{
		Use:   "list (--patient PATIENT | --calendar CALENDAR)",
		Short: "List the appointments of a patient, or those in a calendar",
		Example: `  helsebro appointment list --patient 0198c0de-0000-7000-8000-000000009a71
  helsebro appointment list --calendar 019ab000-0000-7000-8000-000000000021 --from 2026-05-04 --days 5`,
		Args: noNationalID(cobra.NoArgs),
	}
	r := callsAPI(cmd, env)
	cmd.Flags().StringVar(&patient, "patient", "", "the patient's id, as patient find prints it")
	cmd.Flags().StringVar(&calendar, "calendar", "", "the calendar's id, as calendar list prints it")
	of.flags(cmd, 1)
	cmd.MarkFlagsMutuallyExclusive("patient", "calendar")
	cmd.MarkFlagsMutuallyExclusive("patient", "from")
	cmd.MarkFlagsMutuallyExclusive("patient", "days")
	cmd.MarkFlagsOneRequired("patient", "calendar")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		if calendar != "" {
			return listEntries(cmd, r, calendar, of)
		}
		var l api.List[pg.CalendarEntry]
		raw, err := r.get(cmd.Context(), "/patients/"+url.PathEscape(patient)+"/appointments", &l)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error { return printEntries(w, "The patient has no appointments.", l.Items) })
	})
	return cmd
}

func appointmentShowCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show APPOINTMENT",
		Short:   "Show an appointment, and what was published of it",
		Example: "  helsebro appointment show " + anAppointment,
		Args:    cobra.ExactArgs(1),
	}
	r := callsAPI(cmd, env)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		var a pg.Appointment
		raw, err := r.get(cmd.Context(), "/appointments/"+url.PathEscape(args[0]), &a)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error { return printAppointment(w, a) })
	})
	return cmd
}

// placing is when, where and as what an appointment is to be, by flags.
type placing struct {
	calendar, kind, slot, at, until, place string
	length                                 time.Duration
}

func (p *placing) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.calendar, "calendar", "", "the calendar's id")
	f.StringVar(&p.kind, "type", "", "the type's id")
	f.StringVar(&p.slot, "slot", "", "a slot's id, in place of calendar, type and time")
	f.StringVar(&p.at, "at", "", "start: "+whenRule)
	f.StringVar(&p.until, "until", "", "end, in place of --for")
	f.DurationVar(&p.length, "for", 0, "length, such as 20m")
	f.StringVar(&p.place, "place", "", "place, at most 200 characters")
	cmd.MarkFlagsMutuallyExclusive("until", "for")
}

// times are start and end; zero is what is not named.
func (p *placing) times() (from, to time.Time, err error) {
	if p.at != "" {
		if from, err = readWhen("at", p.at); err != nil {
			return from, to, err
		}
	}
	switch {
	case p.until != "":
		to, err = readWhen("until", p.until)
	case p.length < 0 || p.length > 0 && p.at == "":
		err = usage("--for is a length such as 20m, from --at on")
	case p.length > 0:
		to = from.Add(p.length)
	}
	return from, to, err
}

// change is a change that is being asked for, by flags.
type change struct {
	*remote
	key string
}

func changes(cmd *cobra.Command, env Environment) *change {
	c := &change{remote: callsAPI(cmd, env)}
	cmd.Flags().StringVar(&c.key, "id", "", "UUID of the change, to repeat a command (default a new one)")
	return c
}

// request sends what is asked for under its key, and says how to repeat it.
func (c *change) request(ctx context.Context, method, path string, in any) ([]byte, error) {
	if c.key == "" {
		c.key = uuid.NewString()
	}
	raw, err := c.call(ctx, method, path, in, "Idempotency-Key", c.key)
	if err != nil {
		if code := exitCode(ranError{err}); code == ExitUnavailable || code == ExitFailed {
			fmt.Fprintf(c.env.Err, "It may have been taken: repeat the command with --id %s, and it is done once.\n", c.key)
		}
	}
	return raw, err
}

// ask sends the change and tells what became of it.
func (c *change) ask(ctx context.Context, method, path string, in any, what string) error {
	raw, err := c.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	var out client.Changed
	if err := c.decode(raw, &out); err != nil {
		return err
	}
	return c.show(raw, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "Appointment %s is %s (%s, revision %d). Who tells the patient: helsebro explain %s\n",
			out.AppointmentID, what, out.Status, out.Revision, out.AppointmentID)
		return err
	})
}

func appointmentBookCommand(env Environment) *cobra.Command {
	var b client.Booking
	var p placing
	cmd := &cobra.Command{
		Use:   "book --patient PATIENT (--slot SLOT | --calendar CALENDAR --type TYPE --at TIME --for LENGTH)",
		Short: "Book an appointment for a patient",
		Example: `  helsebro appointment book --patient 0198c0de-0000-7000-8000-000000009a71 --slot 019ab000-0000-7000-8000-000000000051
  helsebro appointment book --patient 0198c0de-0000-7000-8000-000000009a71 --calendar 019ab000-0000-7000-8000-000000000021 \
    --type 019ab000-0000-7000-8000-000000000031 --at '2026-05-04 09:20' --for 20m`,
		Args: noNationalID(cobra.NoArgs),
	}
	c := changes(cmd, env)
	p.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&b.PatientID, "patient", "", "the patient's id, as patient find prints it (required)")
	f.StringVar(&b.Comment, "comment", "", "what it is about, for staff; others on this machine can see arguments")
	f.StringVar(&b.AppointmentID, "appointment", "", "the id that it is to have, a UUID of your own (default a new one)")
	f.StringVar(&b.Replaces, "replaces", "", "an appointment whose place it takes: the patient is told of one move")
	_ = cmd.MarkFlagRequired("patient") // the flag is defined above
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) (err error) {
		b.CalendarID, b.TypeID, b.SlotID, b.Place = p.calendar, p.kind, p.slot, p.place
		if b.StartsAt, b.EndsAt, err = p.times(); err != nil {
			return err
		}
		return c.ask(cmd.Context(), http.MethodPost, "/appointments", b, "booked")
	})
	return cmd
}

func appointmentMoveCommand(env Environment) *cobra.Command {
	var a client.Amendment
	var p placing
	cmd := &cobra.Command{
		Use:   "move APPOINTMENT (--at TIME | --slot SLOT)",
		Short: "Give an appointment another time; without --for it is as long as before",
		Example: "  helsebro appointment move " + anAppointment + " --at '2026-05-05 10:00'\n" +
			"  helsebro appointment move " + anAppointment + " --slot 019ab000-0000-7000-8000-000000000051",
		Args: cobra.ExactArgs(1),
	}
	c := changes(cmd, env)
	p.flags(cmd)
	cmd.Flags().IntVar(&a.Revision, "revision", 0, "the revision that you have seen: refused when there is a newer one")
	cmd.MarkFlagsOneRequired("at", "slot")
	cmd.MarkFlagsMutuallyExclusive("at", "slot")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		return amend(cmd, c, args[0], a, p, "moved")
	})
	return cmd
}

func appointmentAmendCommand(env Environment) *cobra.Command {
	var a client.Amendment
	var p placing
	var noPlace bool
	cmd := &cobra.Command{
		Use:   "amend APPOINTMENT",
		Short: "Give an appointment another time, calendar, type or place",
		Long: `Give an appointment another time, calendar, type or place; what is not named stays.

A type that is hidden hides it: see appointment hide.`,
		Example: "  helsebro appointment amend " + anAppointment + " --place 'Rom 4'\n" +
			"  helsebro appointment amend " + anAppointment + " --type 019ab000-0000-7000-8000-000000000032",
		Args: cobra.ExactArgs(1),
	}
	c := changes(cmd, env)
	p.flags(cmd)
	cmd.Flags().IntVar(&a.Revision, "revision", 0, "the revision that you have seen: refused when there is a newer one")
	cmd.Flags().BoolVar(&noPlace, "no-place", false, "take the place away")
	cmd.Flags().BoolVar(&a.Acknowledged, "acknowledge", false, "hide it although it was seen before")
	cmd.MarkFlagsMutuallyExclusive("place", "no-place")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		if noPlace {
			a.Place = new(string)
		}
		return amend(cmd, c, args[0], a, p, "changed")
	})
	return cmd
}

func amend(cmd *cobra.Command, c *change, id string, a client.Amendment, p placing, what string) (err error) {
	a.CalendarID, a.TypeID, a.SlotID = p.calendar, p.kind, p.slot
	if p.place != "" {
		a.Place = &p.place
	}
	if a.StartsAt, a.EndsAt, err = p.times(); err != nil {
		return err
	}
	return c.ask(cmd.Context(), http.MethodPatch, "/appointments/"+url.PathEscape(id), a, what)
}

func appointmentHideCommand(env Environment) *cobra.Command {
	var a client.Amendment
	cmd := &cobra.Command{
		Use:   "hide APPOINTMENT",
		Short: "Keep an appointment from Helsenorge and from every notice",
		Long: `Keep an appointment from Helsenorge and from every notice, by giving it a hidden
type: the clinic's own, where there is one, or the one of --type.

What was seen cannot be made unseen, and no cancellation is sent, since that would
tell of it too. So the command is refused with a list of what was shown or sent, and
when; --acknowledge hides it nevertheless, and a case asks somebody to look.`,
		Example: "  helsebro appointment hide " + anAppointment + "\n  helsebro appointment hide " + anAppointment + " --acknowledge",
		Args:    cobra.ExactArgs(1),
	}
	c := changes(cmd, env)
	cmd.Flags().StringVar(&a.TypeID, "type", "", "the hidden type's id (default the clinic's only one)")
	cmd.Flags().BoolVar(&a.Acknowledged, "acknowledge", false, "you have read what was shown or sent before")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) (err error) {
		if a.TypeID == "" {
			if a.TypeID, err = hiddenType(cmd.Context(), c.remote); err != nil {
				return err
			}
		}
		err = c.ask(cmd.Context(), http.MethodPatch, "/appointments/"+url.PathEscape(args[0]), a, "hidden")
		var refused *refusal
		if !a.Acknowledged && errors.As(err, &refused) && refused.State == string(contract.StatusBooked) {
			// What is booked is refused for one reason: it was seen (D10).
			fmt.Fprintln(env.Err, "To hide it nevertheless, repeat the command with --acknowledge.")
		}
		return err
	})
	return cmd
}

// hiddenType is the clinic's only hidden type in use.
func hiddenType(ctx context.Context, r *remote) (string, error) {
	var l api.List[pg.AppointmentType]
	if _, err := r.get(ctx, "/appointment-types", &l); err != nil {
		return "", err
	}
	var hidden []string
	for _, t := range l.Items {
		if t.Hidden && !t.Inactive {
			hidden = append(hidden, t.ID)
		}
	}
	if len(hidden) != 1 {
		return "", usage("the clinic has %d hidden types: name one by --type (helsebro type list)", len(hidden))
	}
	return hidden[0], nil
}

func stepCommand(env Environment, name, short, what string) *cobra.Command {
	var s client.Step
	cmd := &cobra.Command{
		Use:     name + " APPOINTMENT",
		Short:   short,
		Example: "  helsebro appointment " + name + " " + anAppointment,
		Args:    cobra.ExactArgs(1),
	}
	c := changes(cmd, env)
	cmd.Flags().IntVar(&s.Revision, "revision", 0, "the revision that you have seen: refused when there is a newer one")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		return c.ask(cmd.Context(), http.MethodPost, "/appointments/"+url.PathEscape(args[0])+"/"+name, s, what)
	})
	return cmd
}

func wishAnswerCommand(env Environment) *cobra.Command {
	var a client.WishAnswer
	var p placing
	var textFile string
	cmd := &cobra.Command{
		Use:   "answer APPOINTMENT --code CODE",
		Short: "Answer a citizen's wish for an appointment or a cancellation",
		Long: `Answer a citizen's wish. Codes (kodeverk 7602): for an appointment 05 booked, 10 booked
with another practitioner, 06 not available; for a cancellation 08 cancelled, 09 not
cancelled; both 26 refused. With 05 and 10 say what is booked.`,
		Example: "  helsebro appointment answer " + anAppointment + " --code 05 --slot 019ab000-0000-7000-8000-000000000051\n" +
			"  helsebro appointment answer " + anAppointment + " --code 06 --text-file - < answer.txt",
		Args: cobra.ExactArgs(1),
	}
	c := changes(cmd, env)
	p.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&a.Code, "code", "", "code of kodeverk 7602 (required)")
	f.StringVar(&a.Text, "text", "", "what the citizen reads; others on this machine can see arguments, so rather a file")
	f.StringVar(&textFile, "text-file", "", "file that holds the text; - is standard input")
	f.IntVar(&a.Revision, "revision", 0, "the revision that you have seen: refused when there is a newer one")
	_ = cmd.MarkFlagRequired("code") // the flag is defined above
	cmd.MarkFlagsMutuallyExclusive("text", "text-file")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) (err error) {
		if textFile != "" {
			b, err := readInput(env, textFile)
			if err != nil {
				return err
			}
			a.Text = string(b)
		}
		a.CalendarID, a.TypeID, a.SlotID, a.Place = p.calendar, p.kind, p.slot, p.place
		if a.StartsAt, a.EndsAt, err = p.times(); err != nil {
			return err
		}
		return c.ask(cmd.Context(), http.MethodPost, "/appointments/"+url.PathEscape(args[0])+"/answer", a, "answered with "+a.Code)
	})
	return cmd
}

func appointmentExplainCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "explain APPOINTMENT",
		Short:   "Tell why the patient did or did not get each notice",
		Example: "  helsebro appointment explain " + anAppointment + " --verbose",
		Args:    cobra.ExactArgs(1),
	}
	r := callsAPI(cmd, env)
	verbose := verboseFlag(cmd)
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		return explainAppointment(cmd.Context(), r, args[0], *verbose)
	})
	return cmd
}

func verboseFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("verbose", false, "every attempt and every decision with what it was made on")
}

func explainAppointment(ctx context.Context, r *remote, id string, verbose bool) error {
	var e client.AppointmentExplanation
	raw, err := r.get(ctx, "/appointments/"+url.PathEscape(id)+"/explain", &e)
	if err != nil {
		return err
	}
	return r.show(raw, func(w io.Writer) error { return printNotices(w, e, verbose) })
}
