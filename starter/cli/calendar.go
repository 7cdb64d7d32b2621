package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/helsebro/helsebro/internal/domain/answerclock"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// days is a stretch of whole days in Norway, by flags.
type days struct {
	from string
	n    int
}

func (d *days) flags(cmd *cobra.Command, n int) {
	cmd.Flags().StringVar(&d.from, "from", "", "first day, such as 2026-05-04 (default today in Norway)")
	cmd.Flags().IntVar(&d.n, "days", n, fmt.Sprintf("how many days, at most %d", maxDays))
}

// maxDays is how many days the API reads at once.
const maxDays = 62

// query is the stretch as the API wants it.
func (d *days) query() (string, error) {
	if d.n < 1 || d.n > maxDays {
		return "", usage("--days must be 1 to %d", maxDays)
	}
	from := oslo.Midnight(time.Now())
	if d.from != "" {
		var err error
		if from, err = readDay("from", d.from); err != nil {
			return "", err
		}
	}
	year, month, day := oslo.In(from).Date()
	to := oslo.At(year, month, day+d.n, 0, 0, 0)
	return url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}.Encode(), nil
}

// decodeInput reads YAML, or JSON, which is YAML too, with the names of the API.
func decodeInput(env Environment, name, what string, into any) error {
	b, err := readInput(env, name)
	if err != nil {
		return err
	}
	var tree any
	if err := yaml.Unmarshal(b, &tree); err != nil {
		return usage("%s is neither YAML nor JSON: %v", name, err)
	}
	if b, err = json.Marshal(tree); err != nil {
		return usage("%s is not %s: its keys must be words", name, what)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		// What the decoder says may quote a value.
		return usage("%s is not %s: %s", name, what, unquoted(err))
	}
	return nil
}

// unquoted says what is wrong with a document without its values.
func unquoted(err error) string {
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "there is no field " + name
	}
	if wrong, ok := err.(*json.UnmarshalTypeError); ok && wrong.Field != "" { //nolint:errorlint // the decoder returns it as it is
		return wrong.Field + " has another type"
	}
	return "see the example in --help"
}

// fromFile makes a command that writes what a file holds.
func fromFile(env Environment, cmd *cobra.Command, write func(cmd *cobra.Command, r *remote, file string, args []string) error) *cobra.Command {
	var file string
	r := callsAPI(cmd, env)
	cmd.Flags().StringVarP(&file, "file", "f", "", "the file, YAML or JSON; - is standard input (required)")
	_ = cmd.MarkFlagRequired("file") // the flag is defined above
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error { return write(cmd, r, file, args) })
	return cmd
}

func calendarCommand(env Environment) *cobra.Command {
	list := &cobra.Command{
		Use:   "list",
		Short: "List the calendars, whether citizens can book them, and why not",
		Long: `List the calendars, whether citizens can book them on Helsenorge, and why not: a
practitioner must own exactly one calendar.`,
		Example: "  helsebro calendar list",
		Args:    cobra.NoArgs,
	}
	listed := callsAPI(list, env)
	list.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		var l api.List[pg.CalendarState]
		raw, err := listed.get(cmd.Context(), "/calendars", &l)
		if err != nil {
			return err
		}
		return listed.show(raw, func(w io.Writer) error {
			return table(w, "There are no calendars.", len(l.Items), "CALENDAR\tNAME\tONLINE BOOKING\tNOTICES\tTO COME\tWHY CLOSED", func(i int) []string {
				c := l.Items[i]
				return []string{c.ID, c.Name, either(c.BookingOpen, "open", "closed"), either(c.Notify, "on", "off"), strconv.Itoa(c.FutureAppointments), client.Sentence(c.Reason)}
			})
		})
	})

	var of days
	show := &cobra.Command{
		Use:     "show CALENDAR",
		Short:   "Show the appointments of a calendar",
		Example: "  helsebro calendar show 019ab000-0000-7000-8000-000000000021 --from 2026-05-04 --days 5",
		Args:    cobra.ExactArgs(1),
	}
	shown := callsAPI(show, env)
	of.flags(show, 1)
	show.RunE = runs(func(cmd *cobra.Command, args []string) error { return listEntries(cmd, shown, args[0], of) })

	put := fromFile(env, &cobra.Command{
		Use:   "put -f FILE",
		Short: "Write calendars; those that the file does not name stay",
		Long: `Write calendars from a YAML or JSON file, all or none; those that the file does not
name stay as they are. The same file again changes nothing.

  calendars:
    - {id: 019ab000-0000-7000-8000-000000000021, ownerId: 019ab000-0000-7000-8000-000000000011, name: Ola Lege, notify: true}

With inactive: true a calendar is taken out of use. Who owns two closes booking for
his patients until there is one again: calendar list says so.`,
		Example: "  helsebro calendar put -f calendars.yaml",
		Args:    cobra.NoArgs,
	}, func(cmd *cobra.Command, r *remote, file string, _ []string) error {
		var l api.CalendarList
		if err := decodeInput(env, file, "a list of calendars", &l); err != nil {
			return err
		}
		if _, err := r.call(cmd.Context(), http.MethodPut, "/calendars", l); err != nil {
			return err
		}
		return r.done(l, "%d calendars are written. Whether they can be booked: helsebro calendar list", len(l.Calendars))
	})
	return parent("calendar", "Calendars", list, show, put)
}

// listEntries prints the appointments of a calendar.
func listEntries(cmd *cobra.Command, r *remote, calendar string, of days) error {
	query, err := of.query()
	if err != nil {
		return err
	}
	var l api.List[pg.CalendarEntry]
	raw, err := r.get(cmd.Context(), "/calendars/"+url.PathEscape(calendar)+"/entries?"+query, &l)
	if err != nil {
		return err
	}
	return r.show(raw, func(w io.Writer) error { return printEntries(w, "The calendar is empty then.", l.Items) })
}

// printEntries lists appointments by the wall clock in Norway.
func printEntries(w io.Writer, empty string, entries []pg.CalendarEntry) error {
	return table(w, empty, len(entries), "WHEN\tSTATUS\tPATIENT\tPLACE\tCOMMENT\tAPPOINTMENT", func(i int) []string {
		e := entries[i]
		status := string(e.Status)
		if e.Hidden {
			status += ", hidden"
		}
		return []string{whenUntil(e.StartsAt, e.EndsAt), status, e.Patient, e.Place, e.Comment, e.ID}
	})
}

func typeCommand(env Environment) *cobra.Command {
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the types of appointment",
		Example: "  helsebro type list",
		Args:    cobra.NoArgs,
	}
	r := callsAPI(list, env)
	list.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		var l api.List[pg.AppointmentType]
		raw, err := r.get(cmd.Context(), "/appointment-types", &l)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			return table(w, "There are no types.", len(l.Items), "TYPE\tNAME\tKIND\tNOTICES\tSHOWN\tIN USE", func(i int) []string {
				t := l.Items[i]
				return []string{t.ID, t.Name, t.Category, either(t.Notify, "on", "off"), either(t.Hidden, "hidden", "yes"), either(t.Inactive, "no", "yes")}
			})
		})
	})
	put := fromFile(env, &cobra.Command{
		Use:   "put -f FILE",
		Short: "Write types of appointment; those that the file does not name stay",
		Long: `Write types of appointment from a YAML or JSON file, all or none; those that the
file does not name stay as they are.

  types:
    - {id: 019ab000-0000-7000-8000-000000000031, name: Konsultasjon, summary: Time hos fastlegen, notify: true}
    - {id: 019ab000-0000-7000-8000-000000000033, name: Skjult time, hidden: true}

Nothing of an appointment of a hidden type leaves the clinic.`,
		Example: "  helsebro type put -f types.yaml",
		Args:    cobra.NoArgs,
	}, func(cmd *cobra.Command, r *remote, file string, _ []string) error {
		var l api.TypeList
		if err := decodeInput(env, file, "a list of types", &l); err != nil {
			return err
		}
		if _, err := r.call(cmd.Context(), http.MethodPut, "/appointment-types", l); err != nil {
			return err
		}
		return r.done(l, "%d types are written.", len(l.Types))
	})
	return parent("type", "Types of appointment", list, put)
}

func slotCommand(env Environment) *cobra.Command {
	var of days
	list := &cobra.Command{
		Use:     "list CALENDAR",
		Short:   "List the slots of a calendar, with whether each is free",
		Example: "  helsebro slot list 019ab000-0000-7000-8000-000000000021 --from 2026-05-04 --days 5",
		Args:    cobra.ExactArgs(1),
	}
	listed := callsAPI(list, env)
	of.flags(list, 7)
	list.RunE = runs(func(cmd *cobra.Command, args []string) error {
		query, err := of.query()
		if err != nil {
			return err
		}
		var l api.List[pg.Slot]
		raw, err := listed.get(cmd.Context(), "/slots?calendar="+url.QueryEscape(args[0])+"&"+query, &l)
		if err != nil {
			return err
		}
		return listed.show(raw, func(w io.Writer) error {
			return table(w, "There are no slots then.", len(l.Items), "WHEN\tFREE\tONLINE\tPLACE\tSLOT", func(i int) []string {
				s := l.Items[i]
				online := either(s.Online, "yes", "no")
				switch {
				case s.MustCall:
					online = "by telephone"
				case !s.AvailableAt.IsZero():
					online = "from " + when(s.AvailableAt)
				}
				return []string{whenUntil(s.StartsAt, s.EndsAt), either(s.Free, "free", "taken"), online, s.Place, s.ID}
			})
		})
	})
	put := fromFile(env, &cobra.Command{
		Use:   "put -f FILE",
		Short: "Write slots; those that the file does not name stay",
		Long: `Write slots from a YAML or JSON file, all or none; those that the file does not
name stay as they are. Times are instants. Citizens see what is online.

  slots:
    - id: 019ab000-0000-7000-8000-000000000051
      calendarId: 019ab000-0000-7000-8000-000000000021
      typeId: 019ab000-0000-7000-8000-000000000031
      startsAt: 2026-05-04T07:20:00Z
      endsAt: 2026-05-04T07:40:00Z
      online: true`,
		Example: "  helsebro slot put -f slots.yaml",
		Args:    cobra.NoArgs,
	}, func(cmd *cobra.Command, r *remote, file string, _ []string) error {
		var l api.SlotList
		if err := decodeInput(env, file, "a list of slots", &l); err != nil {
			return err
		}
		if _, err := r.call(cmd.Context(), http.MethodPut, "/slots", l); err != nil {
			return err
		}
		return r.done(l, "%d slots are written.", len(l.Slots))
	})
	remove := &cobra.Command{
		Use:     "delete SLOT...",
		Short:   "Take slots away; appointments booked in them stay",
		Example: "  helsebro slot delete 019ab000-0000-7000-8000-000000000051",
		Args:    cobra.MinimumNArgs(1),
	}
	removed := callsAPI(remove, env)
	remove.RunE = runs(func(cmd *cobra.Command, args []string) error {
		for _, id := range args {
			if _, err := removed.call(cmd.Context(), http.MethodDelete, "/slots/"+url.PathEscape(id), nil); err != nil {
				return err
			}
		}
		return removed.done(map[string][]string{"slotIds": args}, "%d slots are taken away.", len(args))
	})
	return parent("slot", "Slots of a calendar", list, put, remove)
}

func settingsCommand(env Environment) *cobra.Command {
	show := &cobra.Command{
		Use:     "show",
		Short:   "Show what the clinic has chosen about appointments, notices and dialogues",
		Example: "  helsebro settings show\n  helsebro settings show --json > settings.json",
		Args:    cobra.NoArgs,
	}
	r := callsAPI(show, env)
	show.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		var s pg.Settings
		raw, err := r.get(cmd.Context(), "/settings", &s)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error { return printSettings(w, s) })
	})
	put := fromFile(env, &cobra.Command{
		Use:   "put -f FILE",
		Short: "Change what the clinic has chosen, the whole of it",
		Long: `Change what the clinic has chosen about appointments, notices and dialogues, from a
YAML or JSON file, the whole of it: what the file leaves out goes back to its default.
Start from settings show --json.

  onlineBooking: true
  notify: true
  noticeName: Legesenteret   # shown in notices: must not reveal health
  phone: "22000000"
  language: nb               # nb, nn, en or se, for who has chosen none
  visibleDays: 28
  deadlineMinutes: 60
  maxFutureBookings: 3
  graceMinutes: 5
  minLeadMinutes: 45
  cancelHours: 24
  quietFrom: "21:00"
  quietTo: "08:00"
  mergeHours: 12
  fallbackMinutes: 120
  conversion: tell           # an e-contact becomes an e-consultation: tell the patient of the fee, or ask first
  activityHours: 24          # a patient's status on Helsenorge that is older is asked for again
  officeOpens: "08:00"
  officeCloses: "16:00"
  answerClock:               # working days until each step; overdue 0 switches it off
    e-consultation: {warn: 3, deputy: 4, administrator: 5, overdue: 5}`,
		Example: "  helsebro settings put -f settings.yaml",
		Args:    cobra.NoArgs,
	}, func(cmd *cobra.Command, r *remote, file string, _ []string) error {
		var s pg.Settings
		if err := decodeInput(env, file, "the clinic's settings", &s); err != nil {
			return err
		}
		if _, err := r.call(cmd.Context(), http.MethodPut, "/settings", s); err != nil {
			return err
		}
		return r.done(s, "The settings are written: online booking is %s, the clinic's own notices are %s.", either(s.OnlineBooking, "on", "off"), either(s.Notify, "on", "off"))
	})
	return parent("settings", "What the clinic has chosen about appointments, notices and dialogues", show, put)
}

func printSettings(w io.Writer, s pg.Settings) error {
	deadline := fmt.Sprintf("%d hours before the start", s.CancelHours)
	if s.CancelOnWorkingDay {
		deadline += ", and on the last working day before"
	}
	rows := [][2]string{
		{"online booking on Helsenorge", either(s.OnlineBooking, "on", "off")},
		{"the clinic's own notices", either(s.Notify, "on", "off")},
		{"name and phone in notices", s.NoticeName + ", " + s.Phone},
		{"language of notices", s.Language},
		{"days that free slots are shown ahead", strconv.Itoa(s.VisibleDays)},
		{"minutes before the start that booking ends", strconv.Itoa(s.DeadlineMinutes)},
		{"future bookings per patient", strconv.Itoa(s.MaxFutureBookings)},
		{"minutes that changes are collected", strconv.Itoa(s.GraceMinutes)},
		{"minutes before the start that nothing is confirmed any more", strconv.Itoa(s.MinLeadMinutes)},
		{"cancelling without a fee", deadline},
		{"nobody is reminded", s.QuietFrom + " to " + s.QuietTo},
		{"hours between confirmation and reminder", strconv.Itoa(s.MergeHours)},
		{"minutes for all channels together", strconv.Itoa(s.FallbackMinutes)},
		{"an e-contact that becomes an e-consultation", either(s.Conversion == "ask", "the patient is asked about the fee", "the patient is told of the fee")},
		{"hours that a patient's status on Helsenorge counts", strconv.Itoa(s.ActivityHours)},
		{"the office is open", s.OfficeOpens + " to " + s.OfficeCloses},
	}
	for _, p := range client.Processes() {
		rows = append(rows, [2]string{"time to answer, " + string(p), answerLimits(s.AnswerClock[p])})
	}
	return table(w, "", len(rows), "SETTING\tVALUE", func(i int) []string { return rows[i][:] })
}

// answerLimits says in words when an answer is due.
func answerLimits(l answerclock.Limits) string {
	if !l.Runs() {
		return "no limit"
	}
	words := fmt.Sprintf("within %d working days", l.Overdue)
	for _, step := range []struct {
		what string
		day  int
	}{{"a warning", l.Warn}, {"the deputy", l.Deputy}, {"the administrators", l.Administrator}} {
		if step.day > 0 {
			words += fmt.Sprintf(", %s on day %d", step.what, step.day)
		}
	}
	return words
}

func either(yes bool, one, other string) string {
	if yes {
		return one
	}
	return other
}
