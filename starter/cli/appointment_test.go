package cli_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	appointmentID = "0198c0de-0000-7000-8000-00000000a901"
	calendarID    = "0198c0de-0000-7000-8000-00000000ca1e"
	typeID        = "0198c0de-0000-7000-8000-0000000074be"
	slotID        = "0198c0de-0000-7000-8000-000000005107"
)

// entry is an appointment at nine in the morning in Norway, in winter.
func entry() pg.CalendarEntry {
	at := time.Date(2026, time.November, 25, 8, 0, 0, 0, time.UTC)
	return pg.CalendarEntry{
		ID: appointmentID, CalendarID: calendarID, TypeID: typeID, PatientID: patientID, Status: contract.StatusBooked, Revision: 2,
		StartsAt: at, EndsAt: at.Add(20 * time.Minute), Patient: "Kari Nordmann", Comment: "Kneet\x1b[2J", Place: "Rom 4",
	}
}

func explanation() client.AppointmentExplanation {
	e := entry()
	confirmed, bounced, reminded := e.StartsAt.Add(-100*time.Hour), e.StartsAt.Add(-40*time.Hour), e.StartsAt.Add(-40*time.Hour+90*time.Second)
	return client.AppointmentExplanation{
		AppointmentExplanation: pg.AppointmentExplanation{
			AppointmentID: e.ID, Status: e.Status, Revision: e.Revision, StartsAt: e.StartsAt,
			Published: []pg.Published{{Code: "05", Revision: 1, At: confirmed, Outcome: contract.OutcomeRejected, Codes: []string{"E35"}}},
			Notices: []pg.NoticeExplained{
				{ID: "n1", Purpose: contract.PurposeConfirmation, Revision: 1, Owner: contract.OwnerNobody, Reason: "gate-calendar", DecidedAt: confirmed, Outcome: contract.OutcomeSuppressed, OutcomeAt: confirmed},
				{
					ID: "n2", Purpose: contract.PurposeReminder, Revision: 2, Owner: contract.OwnerClinic, Reason: "receipt", DecidedAt: bounced, Outcome: contract.OutcomeDelivered, OutcomeAt: reminded,
					Attempts: []pg.AttemptExplained{
						{Channel: contract.ChannelEmail, State: contract.AttemptFailed, Reason: "rcpt 550 5.1.1", Template: "reminder/e-mail/nb/1", ClaimedAt: bounced, StateAt: bounced},
						{Channel: contract.ChannelSMS, State: contract.AttemptDelivered, Template: "reminder/sms/nb/1", Segments: 1, ClaimedAt: bounced, StateAt: reminded},
					},
				},
			},
			Decisions: []pg.DecisionExplained{
				{Decision: contract.Decision{At: confirmed, Revision: 2, About: contract.AboutReminderPlan, Decided: bounced.Format(time.RFC3339), Rule: "window"}, Inputs: json.RawMessage(`{"quietFrom":"21:00"}`)},
				{Decision: contract.Decision{At: bounced, Revision: 2, About: "reminder", Decided: "clinic", Rule: "refused-e35"}, Inputs: json.RawMessage(`{"active":false}`)},
			},
		},
		Lifecycle: client.Lifecycle{
			WorkflowID: contract.AppointmentWorkflowID(e.ID), Status: client.LifecycleRunning, Note: "the workflow is running",
			Appointment: &contract.AppointmentState{Status: contract.StatusBooked, Facts: contract.AppointmentFacts{Revision: 2}},
		},
	}
}

// What a secretary reads when a patient asks why no notice came.
func TestExplainAppointmentSaysWhyInPlainWords(t *testing.T) {
	t.Parallel()
	r := serve(t, map[string]answer{"GET /appointments/" + appointmentID + "/explain": {200, explanation()}})
	const short = `appointment 0198c0de-0000-7000-8000-00000000a901: booked, Wed 2026-11-25 09:00, revision 2 (times in Norway)

NOTICE        REVISION  WHO TELLS   OUTCOME    HOW                           WHEN                  WHY
confirmation  1         nobody      not given                                Sat 2026-11-21 05:00  notices are switched off for the calendar
reminder      2         the clinic  delivered  e-mail failed, sms delivered  Mon 2026-11-23 17:01  Helsenorge says that the patient is not active there; the provider says that the patient has it

Helsenorge was told: 05 booked, revision 1, Sat 2026-11-21 05:00, Helsenorge refused it, E35
decisions: 2; what they were made on: --verbose
workflow  running; booked; revision 2, 0 cases; appointment/0198c0de-0000-7000-8000-00000000a901
`
	require.Equal(t, outcome{cli.ExitDone, short, ""}, run(t, r.env(), "", "explain", appointmentID))
	require.Equal(t, outcome{cli.ExitDone, short, ""}, run(t, r.env(), "", "appointment", "explain", appointmentID))

	got := run(t, r.env(), "", "explain", appointmentID, "--verbose")
	for _, want := range []string{
		"reminder  e-mail   failed     Mon 2026-11-23 17:00", "rcpt 550 5.1.1", "reminder/sms/nb/1     1",
		"reminder-plan  2         Sat 2026-11-21 05:00  Mon 2026-11-23 17:00  between 48 and 24 hours before the start", `{"quietFrom":"21:00"}`, `{"active":false}`,
	} {
		require.Contains(t, got.out, want)
	}
	got = run(t, r.env(), "", "explain", appointmentID, "--json")
	require.Contains(t, got.out, `"startsAt": "2026-11-25T08:00:00Z"`, "JSON has instants")
}

func TestExplainTellsOfTheReminderToCome(t *testing.T) {
	t.Parallel()
	e := explanation()
	e.Notices = nil
	said := func() string {
		r := serve(t, map[string]answer{"GET /appointments/" + appointmentID + "/explain": {200, e}})
		return run(t, r.env(), "", "explain", appointmentID).out
	}
	require.Contains(t, said(), "reminder  2         decided then  planned       Mon 2026-11-23 17:00  between 48 and 24 hours")
	e.Decisions[0].Decided, e.Decisions[0].Rule = "skip", "window-past"
	require.Contains(t, said(), "reminder  2         nobody     none          Sat 2026-11-21 05:00  less than 24 hours were left")
	e.Decisions = nil
	require.Contains(t, said(), "No notice is due or has been decided.")
}

func TestExplainFindsADialogueWhereThereIsNoAppointment(t *testing.T) {
	t.Parallel()
	none := answer{404, api.Problem{Status: 404, Detail: "the clinic has no such thing"}}
	r := serve(t, map[string]answer{
		"GET /appointments/" + dialogueID + "/explain": none, "GET /dialogues/" + dialogueID + "/explain": none, "GET /messages/" + dialogueID + "/explain": none,
	})
	require.Equal(t, cli.ExitRefused, run(t, r.env(), "", "explain", dialogueID).code)
	require.Len(t, r.calls, 3)

	r = serve(t, map[string]answer{"GET /appointments/" + dialogueID + "/explain": {403, api.Problem{Status: 403, Detail: "the right ledger:read is missing"}}})
	require.Equal(t, cli.ExitRefused, run(t, r.env(), "", "explain", dialogueID).code)
	require.Len(t, r.calls, 1, "a refusal is no reason to look elsewhere")
}

func TestReadingCalendarsAndAppointments(t *testing.T) {
	t.Parallel()
	e := entry()
	hidden := entry()
	hidden.Hidden = true
	at := e.StartsAt
	for name, c := range map[string]struct {
		args []string
		path string
		body any
		out  []string
	}{
		"calendars": {
			[]string{"calendar", "list"}, "/calendars",
			api.List[pg.CalendarState]{Items: []pg.CalendarState{
				{Calendar: pg.Calendar{ID: calendarID, Name: "Ola Lege", Notify: true}, BookingOpen: true, FutureAppointments: 7},
				{Calendar: pg.Calendar{ID: "c2", Name: "Vaksine"}, Reason: "owns-several-calendars"},
			}},
			[]string{"Ola Lege  open            on       7", "closed", "the practitioner owns several calendars: exactly one is needed"},
		},
		"calendar": {
			[]string{"calendar", "show", calendarID, "--from", "2026-11-25"}, "/calendars/" + calendarID + "/entries?from=2026-11-24T23%3A00%3A00Z&to=2026-11-25T23%3A00%3A00Z",
			api.List[pg.CalendarEntry]{Items: []pg.CalendarEntry{e, hidden}},
			[]string{"Wed 2026-11-25 09:00-09:20  booked          Kari Nordmann  Rom 4  Kneet\uFFFD[2J", "booked, hidden"},
		},
		"the day on which summer time begins": {
			[]string{"appointment", "list", "--calendar", calendarID, "--from", "2026-03-29"}, "/calendars/" + calendarID + "/entries?from=2026-03-28T23%3A00%3A00Z&to=2026-03-29T22%3A00%3A00Z",
			api.List[pg.CalendarEntry]{}, []string{"The calendar is empty then."},
		},
		"patient": {
			[]string{"appointment", "list", "--patient", patientID}, "/patients/" + patientID + "/appointments",
			api.List[pg.CalendarEntry]{Items: []pg.CalendarEntry{e}}, []string{"Wed 2026-11-25 09:00-09:20", appointmentID},
		},
		"appointment": {
			[]string{"appointment", "show", appointmentID}, "/appointments/" + appointmentID,
			pg.Appointment{CalendarEntry: e, RemindAt: at.Add(-40 * time.Hour), Wish: true, Published: &pg.Published{Code: "07", Revision: 2, At: at.Add(-99 * time.Hour), Outcome: contract.OutcomeAcknowledged}},
			[]string{
				"Wed 2026-11-25 09:00-09:20\nKari Nordmann, booked, a wish that you must answer", "reminder planned for: Mon 2026-11-23 17:00",
				"Helsenorge: 07 changed, revision 2, Sat 2026-11-21 06:00, Helsenorge has it", "  | Kneet\uFFFD[2J",
			},
		},
		"slots": {
			[]string{"slot", "list", calendarID, "--from", "2026-11-25", "--days", "1"}, "/slots?calendar=" + calendarID + "&from=2026-11-24T23%3A00%3A00Z&to=2026-11-25T23%3A00%3A00Z",
			api.List[pg.Slot]{Items: []pg.Slot{
				{ID: slotID, StartsAt: at, EndsAt: e.EndsAt, Online: true, Free: true}, {ID: "s2", StartsAt: at, EndsAt: e.EndsAt, MustCall: true}, {ID: "s3", StartsAt: at, EndsAt: e.EndsAt, AvailableAt: at},
			}},
			[]string{"Wed 2026-11-25 09:00-09:20  free   yes", "taken  by telephone", "taken  from Wed 2026-11-25 09:00"},
		},
		"types": {
			[]string{"type", "list"}, "/appointment-types",
			api.List[pg.AppointmentType]{Items: []pg.AppointmentType{{ID: typeID, Name: "Skjult time", Hidden: true, Inactive: true}, {ID: "t2", Name: "Video", Category: "Video", Notify: true}}},
			[]string{"Skjult time         off      hidden  no", "Video        Video  on       yes     yes"},
		},
		"settings": {
			[]string{"settings", "show"}, "/settings", pg.Settings{OnlineBooking: true, NoticeName: "Demo senter", Phone: "22000000", CancelHours: 24, CancelOnWorkingDay: true, QuietFrom: "21:00", QuietTo: "08:00"},
			[]string{"online booking on Helsenorge", "Demo senter, 22000000", "24 hours before the start, and on the last working day before", "21:00 to 08:00"},
		},
		"contacts": {
			[]string{"contact", "list", patientID}, "/patients/" + patientID + "/contacts",
			api.List[pg.Contact]{Items: []pg.Contact{
				{ID: "k1", Channel: contract.ChannelSMS, Address: "+4790000001"}, {ID: "k2", Channel: contract.ChannelPush, Address: strings.Repeat("x", 300), Relation: "FO", GoneAt: at},
			}},
			[]string{"+4790000001", "the patient's own", "(300 characters)", "FO", "gone since Wed 2026-11-25 09:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, map[string]answer{"GET " + c.path: {200, c.body}})
			got := run(t, r.env(), "", c.args...)
			require.Equal(t, outcome{cli.ExitDone, got.out, ""}, got)
			for _, want := range c.out {
				require.Contains(t, got.out, want)
			}
			require.NotContains(t, got.out, "\x1b")
			want, err := json.Marshal(c.body)
			require.NoError(t, err)
			require.JSONEq(t, string(want), run(t, r.env(), "", append(c.args, "--json")...).out)
		})
	}
}

func TestChangesOfAppointments(t *testing.T) {
	t.Parallel()
	changed := client.Changed{AppointmentID: appointmentID, ChangeID: "x", Revision: 3, Status: contract.StatusBooked}
	types := answer{200, api.List[pg.AppointmentType]{Items: []pg.AppointmentType{{ID: "t1"}, {ID: typeID, Hidden: true}, {ID: "t3", Hidden: true, Inactive: true}}}}
	for name, c := range map[string]struct {
		args         []string
		method, path string
		body         string
		says         string
	}{
		"book": {
			[]string{"book", "--patient", patientID, "--calendar", calendarID, "--type", typeID, "--at", "2026-11-25 09:00", "--for", "20m", "--place", "Rom 4", "--comment", "Kne"},
			"POST", "/appointments",
			`{"patientId":"` + patientID + `","calendarId":"` + calendarID + `","typeId":"` + typeID + `","startsAt":"2026-11-25T08:00:00Z","endsAt":"2026-11-25T08:20:00Z","place":"Rom 4","comment":"Kne"}`, "booked",
		},
		"book in summer": {
			[]string{"book", "--patient", patientID, "--calendar", calendarID, "--type", typeID, "--at", "2026-07-01T09:00", "--until", "2026-07-01 09:20", "--replaces", appointmentID},
			"POST", "/appointments",
			`{"patientId":"` + patientID + `","calendarId":"` + calendarID + `","typeId":"` + typeID + `","startsAt":"2026-07-01T07:00:00Z","endsAt":"2026-07-01T07:20:00Z","replaces":"` + appointmentID + `"}`, "booked",
		},
		"book a slot":                      {[]string{"book", "--patient", patientID, "--slot", slotID}, "POST", "/appointments", `{"patientId":"` + patientID + `","slotId":"` + slotID + `"}`, "booked"},
		"move":                             {[]string{"move", appointmentID, "--at", "2026-10-25T01:30:00Z", "--revision", "2"}, "PATCH", "/appointments/" + appointmentID, `{"revision":2,"startsAt":"2026-10-25T01:30:00Z"}`, "moved"},
		"move where the clock is put back": {[]string{"move", appointmentID, "--at", "2026-10-25 02:30"}, "PATCH", "/appointments/" + appointmentID, `{"startsAt":"2026-10-25T01:30:00Z"}`, "moved"},
		"amend":                            {[]string{"amend", appointmentID, "--place", "Rom 5", "--type", typeID, "--acknowledge"}, "PATCH", "/appointments/" + appointmentID, `{"typeId":"` + typeID + `","place":"Rom 5","acknowledged":true}`, "changed"},
		"no place":                         {[]string{"amend", appointmentID, "--no-place"}, "PATCH", "/appointments/" + appointmentID, `{"place":""}`, "changed"},
		"hide":                             {[]string{"hide", appointmentID}, "PATCH", "/appointments/" + appointmentID, `{"typeId":"` + typeID + `"}`, "hidden"},
		"hide by":                          {[]string{"hide", appointmentID, "--type", "t9", "--acknowledge"}, "PATCH", "/appointments/" + appointmentID, `{"typeId":"t9","acknowledged":true}`, "hidden"},
		"cancel":                           {[]string{"cancel", appointmentID, "--revision", "2"}, "POST", "/appointments/" + appointmentID + "/cancel", `{"revision":2}`, "cancelled"},
		"restore":                          {[]string{"restore", appointmentID}, "POST", "/appointments/" + appointmentID + "/restore", `{}`, "back in the calendar"},
		"missed":                           {[]string{"missed", appointmentID}, "POST", "/appointments/" + appointmentID + "/missed", `{}`, "marked as missed"},
		"answer":                           {[]string{"answer", appointmentID, "--code", "05", "--slot", slotID, "--text-file", "-"}, "POST", "/appointments/" + appointmentID + "/answer", `{"code":"05","slotId":"` + slotID + `","text":"Velkommen"}`, "answered with 05"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, map[string]answer{c.method + " " + c.path: {200, changed}, "GET /appointment-types": types})
			got := run(t, r.env(), "Velkommen", append([]string{"appointment"}, c.args...)...)
			require.Equal(t, cli.ExitDone, got.code, got.err)
			require.Contains(t, got.out, "Appointment "+appointmentID+" is "+c.says+" (booked, revision 3). Who tells the patient: helsebro explain "+appointmentID)
			last := r.calls[len(r.calls)-1]
			require.JSONEq(t, c.body, last.body)
			require.NoError(t, uuid.Validate(last.key))
		})
	}
}

func TestAChangeOfUnknownFateSaysHowToRepeatIt(t *testing.T) {
	t.Parallel()
	key := uuid.NewString()
	r := serve(t, map[string]answer{"POST /appointments/" + appointmentID + "/cancel": {503, api.Problem{Status: 503, Detail: "its lifecycle has not taken it on yet"}}})
	got := run(t, r.env(), "", "appointment", "cancel", appointmentID, "--id", key)
	require.Equal(t, cli.ExitUnavailable, got.code)
	require.Contains(t, got.err, "repeat the command with --id "+key)
	require.Equal(t, key, r.calls[0].key)
}

// Hiding what was seen shows what that was, and how to hide it nevertheless (D10).
func TestHidingWhatWasSeenListsItAndAsks(t *testing.T) {
	t.Parallel()
	seen := api.Problem{Status: http.StatusConflict, State: "booked", Detail: "the appointment was seen before: 05 shown on Helsenorge since 2026-11-20T09:05:00Z"}
	r := serve(t, map[string]answer{"PATCH /appointments/" + appointmentID: {409, seen}})
	got := run(t, r.env(), "", "appointment", "hide", appointmentID, "--type", typeID)
	require.Equal(t, cli.ExitRefused, got.code)
	require.Contains(t, got.err, "05 shown on Helsenorge since 2026-11-20T09:05:00Z")
	require.Contains(t, got.err, "--acknowledge")
	got = run(t, r.env(), "", "appointment", "hide", appointmentID, "--type", typeID, "--acknowledge")
	require.NotContains(t, got.err, "repeat the command")
}

func TestWritingCalendarsFromFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args       []string
		path, in   string
		body, says string
	}{
		"calendars": {
			[]string{"calendar", "put"}, "/calendars", "calendars:\n  - {id: a, ownerId: b, name: Ola Lege, notify: true}\n",
			`{"calendars":[{"id":"a","ownerId":"b","name":"Ola Lege","notify":true}]}`, "1 calendars are written",
		},
		"types": {[]string{"type", "put"}, "/appointment-types", `{"types":[{"id":"a","name":"Skjult time","hidden":true}]}`, `{"types":[{"id":"a","name":"Skjult time","hidden":true}]}`, "1 types"},
		"slots": {
			[]string{"slot", "put"}, "/slots", "slots:\n- id: a\n  calendarId: b\n  typeId: c\n  startsAt: 2026-05-04T07:20:00Z\n  endsAt: 2026-05-04T07:40:00Z\n  online: true\n",
			`{"slots":[{"id":"a","calendarId":"b","typeId":"c","startsAt":"2026-05-04T07:20:00Z","endsAt":"2026-05-04T07:40:00Z","online":true}]}`, "1 slots",
		},
		"settings": {[]string{"settings", "put"}, "/settings", "onlineBooking: true\nquietFrom: \"21:00\"\n", `{"onlineBooking":true,"notify":false,"quietFrom":"21:00"}`, "online booking is on, the clinic's own notices are off"},
		"contacts": {
			[]string{"contact", "put", patientID}, "/patients/" + patientID + "/contacts", "contacts:\n- {channel: sms, address: \"+4790000001\"}\n",
			`{"contacts":[{"channel":"sms","address":"+4790000001"}]}`, "1 contacts of patient " + patientID,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, map[string]answer{"PUT " + c.path: {204, nil}})
			got := run(t, r.env(), c.in, append(c.args, "-f", "-")...)
			require.Equal(t, cli.ExitDone, got.code, got.err)
			require.Contains(t, got.out, c.says)
			require.JSONEq(t, c.body, r.calls[0].body)
			require.NotContains(t, got.out, "+4790000001")

			for _, bad := range []string{"colour: hidden-value\n", "[", "hidden-value"} {
				got = run(t, r.env(), bad, append(c.args, "-f", "-")...)
				require.Equal(t, cli.ExitUsage, got.code, bad)
				require.NotContains(t, got.err, "hidden-value")
			}
		})
	}
	r := serve(t, map[string]answer{"DELETE /slots/a": {204, nil}, "DELETE /slots/b": {204, nil}})
	require.Equal(t, outcome{cli.ExitDone, "2 slots are taken away.\n", ""}, run(t, r.env(), "", "slot", "delete", "a", "b"))
}

func TestWrongUseOfAppointments(t *testing.T) {
	t.Parallel()
	r := serve(t, map[string]answer{"GET /appointment-types": {200, api.List[pg.AppointmentType]{}}})
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no patient":       {[]string{"appointment", "book", "--slot", slotID}, "patient"},
		"a national id":    {[]string{"appointment", "book", nationalID, "--patient", patientID}, "standard input"},
		"one as a patient": {[]string{"appointment", "book", "--slot", slotID, "--patient", nationalID}, "helsebro patient find"},
		"one in a URL":     {[]string{"appointment", "list", "--patient", nationalID}, "helsebro patient find"},
		"no days":          {[]string{"slot", "list", calendarID, "--days", "0"}, "--days must be 1 to 62"},
		"days before":      {[]string{"calendar", "show", calendarID, "--days", "-3"}, "--days must be 1 to 62"},
		"a year":           {[]string{"appointment", "list", "--calendar", calendarID, "--days", "365"}, "--days must be 1 to 62"},
		"a time of nobody": {[]string{"appointment", "move", appointmentID, "--at", "soon"}, "2026-05-04 09:20"},
		"a skipped time":   {[]string{"appointment", "move", appointmentID, "--at", "2026-03-29 02:30"}, "skips"},
		"no new time":      {[]string{"appointment", "move", appointmentID}, "at"},
		"only a length":    {[]string{"appointment", "amend", appointmentID, "--for", "20m"}, "--at"},
		"two ends":         {[]string{"appointment", "move", appointmentID, "--at", "2026-05-04 09:20", "--for", "20m", "--until", "2026-05-04 09:40"}, "until"},
		"no list":          {[]string{"appointment", "list"}, "calendar"},
		"two lists":        {[]string{"appointment", "list", "--patient", patientID, "--calendar", calendarID}, "calendar"},
		"no day":           {[]string{"slot", "list", calendarID, "--from", "monday"}, "2026-05-04"},
		"nothing hidden":   {[]string{"appointment", "hide", appointmentID}, "0 hidden types"},
		"no code":          {[]string{"appointment", "answer", appointmentID}, "code"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, r.env(), "", c.args...)
			require.Equal(t, cli.ExitUsage, got.code, got.err)
			require.Contains(t, got.err, c.says)
			require.NotContains(t, got.err, nationalID)
		})
	}
}

func TestDemoSeed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.Equal(t, cli.ExitDone, run(t, nil, "", "demo", "init", dir).code)
	answers := map[string]answer{"PUT /v1/clinics/" + demo.ClinicID + "/patients/bulk": {200, api.PatientIDs{PatientIDs: []string{patientID}}}}
	for _, path := range []string{"", "/settings", "/calendars", "/appointment-types", "/slots"} {
		answers["PUT /v1/clinics/"+demo.ClinicID+path] = answer{204, nil}
	}
	integration := "/v1/clinics/" + demo.ClinicID + "/integration"
	answers["GET "+integration] = answer{200, api.List[pg.Integration]{Items: []pg.Integration{{Status: contract.StatusNotActivated}}}}
	for _, command := range []string{"/sign-off", "/activate"} {
		answers["POST "+integration+command] = answer{200, pg.Integration{Status: contract.StatusActive}}
	}
	r := serve(t, answers)
	got := run(t, r.env(), "", "demo", "seed", dir)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	for _, command := range []string{"simulate inactive --citizen 21", "appointment book --patient " + patientID + " --slot ", "appointment move ", "explain ", "simulate book --to 900001"} {
		require.Contains(t, got.out, "\n  go run ./starter "+command)
	}
	require.NotContains(t, got.out, demo.Patient().FamilyName)
	require.Len(t, r.calls, 11)
	var activated []string
	for i, c := range demo.Activation(demo.Clinic()) {
		require.Equal(t, c.ID, r.calls[6+i].key)
		activated = append(activated, strings.TrimPrefix(r.calls[6+i].path, integration)+" "+r.calls[6+i].body)
	}
	require.Equal(t, []string{
		`/sign-off {"key":"digital-dialogue-ordered"}`, `/sign-off {"key":"registration-signed-off"}`, "/activate {}", `/activate {"staffId":"` + demo.GPID + `"}`,
	}, activated)

	// What is active is left as it is.
	answers["GET "+integration] = answer{200, api.List[pg.Integration]{Items: []pg.Integration{
		{Status: contract.StatusActive}, {StaffID: demo.GPID, Status: contract.StatusActive},
	}}}
	again := serve(t, answers)
	require.Equal(t, cli.ExitDone, run(t, again.env(), "", "demo", "seed", dir).code)
	require.Len(t, again.calls, 7)
	require.NotEqual(t, r.calls[1].token, r.calls[2].token, "the record system writes calendars, the administrator settings")
	require.NotContains(t, r.calls[0].token, "secret", "it acts by tokens of its own")
	var slots api.SlotList
	require.NoError(t, json.Unmarshal([]byte(r.calls[4].body), &slots))
	require.NotEmpty(t, slots.Slots)
	require.Less(t, len(r.calls[4].body), api.MaxBodyBytes)

	require.Equal(t, cli.ExitUsage, run(t, nil, "", "demo", "seed").code)
}
