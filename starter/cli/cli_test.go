package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
	"github.com/helsebro/helsebro/starter/doctor"
)

const (
	clinicID   = "0198c0de-0000-7000-8000-00000000c111"
	dialogueID = "0198c0de-0000-7000-8000-0000000d1a10"
	patientID  = "0198c0de-0000-7000-8000-000000009a71"
	nationalID = "17858012345"
)

var noon = time.Date(2026, 11, 23, 12, 0, 1, 0, time.UTC)

// call is what the API was asked.
type call struct {
	method, path, key, token string
	body                     string
}

// remote is the API as the CLI sees it: one answer per method and path.
type remote struct {
	*httptest.Server
	answers map[string]answer
	calls   []call
}

type answer struct {
	status int
	body   any
}

func serve(t *testing.T, answers map[string]answer) *remote {
	t.Helper()
	r := &remote{answers: answers}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		path := strings.TrimPrefix(req.URL.RequestURI(), "/v1/clinics/"+clinicID)
		r.calls = append(r.calls, call{req.Method, path, req.Header.Get("Idempotency-Key"), req.Header.Get("Authorization"), string(body)})
		a, ok := r.answers[req.Method+" "+path]
		if !ok {
			t.Errorf("unexpected call %s %s", req.Method, path)
		}
		w.WriteHeader(a.status)
		if a.body != nil {
			if err := json.NewEncoder(w).Encode(a.body); err != nil {
				t.Error(err)
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// outcome is what a run left behind.
type outcome struct {
	code     int
	out, err string
}

func run(t testing.TB, env map[string]string, in string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(t.Context(), args, cli.Environment{
		In: strings.NewReader(in), Out: &out, Err: &errs, Getenv: func(name string) string { return env[name] },
	}, cli.Processes{})
	return outcome{code, out.String(), errs.String()}
}

func (r *remote) env() map[string]string {
	return map[string]string{"HELSEBRO_API_URL": r.URL, "HELSEBRO_TOKEN": "secret", "HELSEBRO_CLINIC": clinicID}
}

// told are ledger lines as the API explains them.
func told(lines []pg.LedgerLine) (all []client.ExplainedLine) {
	for _, l := range lines {
		all = append(all, client.ExplainedLine{LedgerLine: l, Words: client.Effect(l)})
	}
	return all
}

func TestReadingCommands(t *testing.T) {
	t.Parallel()
	later := noon.Add(2 * time.Second)
	for name, c := range map[string]struct {
		args []string
		path string
		body any
		out  []string
		not  []string
	}{
		"inbox": {
			[]string{"inbox", "--limit", "5"}, "/inbox?limit=5",
			api.List[pg.InboxItem]{NextCursor: "abc", Items: []pg.InboxItem{{
				DialogueItem: pg.DialogueItem{
					DialogueID: dialogueID, Process: contract.ProcessEContact, Title: "helsenorge.no: Attest\x1b[2J\u202e", Patient: "Kari Nordmann",
					Status: contract.StatusAwaitingClinic, LatestAt: noon,
					Handling: pg.Handling{Owner: "Ola Lege", AnswerDue: &later, Escalated: contract.StepWarn},
				},
				Recipient: "unit:clinic", Unread: true,
			}}},
			[]string{
				"DIALOGUE", dialogueID, "e-contact", "awaiting-clinic", "new", "Mon 2026-11-23 13:00 (soon)", "Ola Lege", "unit:clinic", "Kari Nordmann", "helsenorge.no: Attest",
				"There is more: repeat the command with --cursor abc",
			},
			[]string{"\x1b", "\u202e"},
		},
		"one inbox": {
			[]string{"inbox", "--unread", "--recipient", "group:nurses", "--owner", "me", "--sort", "due", "--cursor", "abc"},
			"/inbox?cursor=abc&limit=100&owner=me&recipient=group%3Anurses&sort=due&unread=true",
			api.List[pg.InboxItem]{Items: []pg.InboxItem{{DialogueItem: pg.DialogueItem{DialogueID: dialogueID, Participants: []routing.Recipient{{Kind: routing.Role, ID: "staff"}}, LatestAt: noon}}}},
			[]string{"role:staff"}, []string{"There is more"},
		},
		"inboxes": {
			[]string{"inbox", "counts"}, "/inboxes",
			api.List[pg.InboxCount]{Items: []pg.InboxCount{{Recipient: "practitioner:gp", Name: "Ola Lege", Covered: true, Total: 12, Unread: 3, Owed: 4}, {Recipient: "unit:clinic"}}},
			[]string{"practitioner:gp  Ola Lege (away)  3       4            12"}, nil,
		},
		"no inboxes": {[]string{"inbox", "counts"}, "/inboxes", api.List[pg.InboxCount]{Items: []pg.InboxCount{}}, []string{"You have no inboxes"}, nil},
		"dialogues": {
			[]string{"dialogue", "list", "--patient", patientID, "--origin", "helsenorge", "--status", "closed", "--limit", "2"},
			"/dialogues?limit=2&origin=helsenorge&patient=" + patientID + "&status=closed",
			api.List[pg.DialogueItem]{Items: []pg.DialogueItem{{
				DialogueID: dialogueID, Process: contract.ProcessEConsultation, Status: contract.StatusClosed, Title: "helsenorge.no: Attest", Patient: "Kari Nordmann",
				Handling: pg.Handling{Origin: "helsenorge"}, Inboxes: []string{"unit:clinic", "group:nurses"}, LatestAt: noon,
			}}},
			[]string{"e-consultation  helsenorge  closed", "unit:clinic, group:nurses", "Kari Nordmann"}, nil,
		},
		"empty inbox": {[]string{"inbox"}, "/inbox?limit=100", api.List[pg.InboxItem]{Items: []pg.InboxItem{}}, []string{"Nothing is in your inboxes."}, nil},
		"dialogue": {
			[]string{"dialogue", "show", dialogueID}, "/dialogues/" + dialogueID,
			pg.Dialogue{
				ID: dialogueID, Process: contract.ProcessEConsultation, Status: contract.StatusAnswered, Title: "helsenorge.no: Prøvesvar", Patient: "Kari Nordmann",
				Messages: []pg.Message{{
					ID: "m1", Function: "SB", ReceivedAt: noon, Content: pg.Content{Subject: "Prøvesvar", Text: "Hei\nNår?\x1b[31m"},
					Attachments: []pg.File{{ID: "f1", MIME: "application/pdf", Size: 12, Description: "svar.pdf"}},
				}},
				Answers: []pg.Answer{{ID: "a1", Code: "12", Author: "Ola Lege", Text: "I morgen", State: "acknowledged", CreatedAt: later}},
				Inboxes: []string{"practitioner:gp"},
				Journal: []pg.JournalID{{ID: "j"}},
			},
			[]string{"helsenorge.no: Prøvesvar", "  | Hei\n  | Når?", "file f1  application/pdf, 12 bytes  svar.pdf", "Ola Lege (12 Svar på spørsmål, fra behandler)  answer a1, acknowledged", "  | I morgen", "1 of these are in the journal"},
			[]string{"\x1b"},
		},
		"explain": {
			[]string{"explain", dialogueID}, "/dialogues/" + dialogueID + "/explain",
			client.Explanation{
				DialogueID: dialogueID,
				Lines: told([]pg.LedgerLine{
					{Effect: pg.EffectReceipt, IntendedAt: noon, Outcome: contract.OutcomeSent, OutcomeAt: &noon},
					{Effect: pg.EffectInbox, IntendedAt: noon, Outcome: contract.OutcomeDone, OutcomeAt: &later, Result: json.RawMessage(
						`{"rule":{"format":"practitioner"},"fallback":"practitioner-unknown-or-absent","places":[{"kind":"unit","id":"clinic","via":"fallback"}]}`)},
					{Effect: pg.EffectAnswer, IntendedAt: later, Why: json.RawMessage(`{"code":"12"}`), Outcome: contract.OutcomeRejected, OutcomeAt: &later, Result: json.RawMessage(`{"codes":["T02","E10"]}`)},
					{Effect: pg.EffectInbox, IntendedAt: later, Outcome: contract.OutcomeDone, OutcomeAt: &later, Result: json.RawMessage(
						`{"rule":{"format":"selected"},"fallback":"","places":[{"kind":"group","id":"nurses","via":"forward"},{"kind":"practitioner","id":"gp","via":"owner"}]}`)},
					{Effect: pg.EffectJournal, IntendedAt: later.AddDate(0, 0, 1)},
				}),
				Lifecycle: client.Lifecycle{
					WorkflowID: contract.DialogueWorkflowID(dialogueID), Status: client.LifecycleRunning, Note: "the workflow is running",
					Dialogue: &contract.DialogueState{Status: contract.StatusAwaitingReceipt, Messages: 1, Open: []contract.Delivery{{Code: "12", SentAt: noon, ReceiptDue: later}}},
				},
			},
			[]string{
				"Mon 2026-11-23\n", "receipt  intended 13:00:01  sent 13:00:01",
				"inbox    intended 13:00:01  done 13:00:03", "in unit:clinic (since nobody else reads); by the rule practitioner; left because the practitioner is unknown or away",
				"in group:nurses (where it was forwarded to), practitioner:gp (who has taken it)\n",
				"rejected 13:00:03", "a message of the clinic, 12 Svar på spørsmål, fra behandler; Helsenorge refused it: see to the reason", "T02 XML validerer ikke; E10 Ugyldig meldingsidentifikator",
				"Tue 2026-11-24\n", "journal  intended 13:00:03  open", "it is under way",
				"running; awaiting-receipt; 1 messages, 0 answers, 0 cases; receipt of message 12 expected before Mon 2026-11-23 13:00:03; dialogue/" + dialogueID,
			}, nil,
		},
		"explain without Temporal": {
			[]string{"explain", dialogueID}, "/dialogues/" + dialogueID + "/explain",
			client.Explanation{DialogueID: dialogueID, Lifecycle: client.Lifecycle{Status: client.LifecycleUnavailable, Note: "no worker has told the state; the ledger stands"}},
			[]string{"Nothing has been intended", "unavailable; no worker has told the state; the ledger stands"}, nil,
		},
		"cases": {
			[]string{"case", "list"}, "/cases?limit=100",
			api.List[client.Case]{NextCursor: "abc", Items: []client.Case{
				{Case: pg.Case{ID: "c1", Kind: contract.CaseAnswerOverdue, OpenedAt: noon, DialogueID: dialogueID, Reason: "e-contact"}, Runbook: client.Runbook{What: "the limit has passed", Look: "look", ToDo: "have somebody answer", Ends: "with it"}},
				{Case: pg.Case{ID: "c2", Kind: contract.CaseNotSent, OpenedAt: noon, ResolvedAt: &later}, Runbook: client.Runbook{What: "it could not be sent", ToDo: "mend it"}},
			}},
			[]string{
				"answer-overdue, open since Mon 2026-11-23 13:00, dialogue " + dialogueID + ", reason e-contact\n  the limit has passed\n  Look: look\n  To do: have somebody answer\n  Ends: with it\n  case c1\n",
				"not-sent, resolved Mon 2026-11-23 13:00\n  it could not be sent\n  case c2\n", "--cursor abc",
			},
			[]string{"mend it"},
		},
		"open cases": {
			[]string{"case", "list", "--open", "--kind", "answer-overdue"}, "/cases?kind=answer-overdue&limit=100&open=true", api.List[client.Case]{Items: []client.Case{}},
			[]string{"There are no cases."}, nil,
		},
		"routing": {
			[]string{"routing", "show"}, "/routing",
			api.Rules{Rules: map[contract.Process]routing.Rule{contract.ProcessEContact: routing.Default(routing.EContact), contract.ProcessEConsultation: routing.Default(routing.EConsultation)}},
			[]string{"e-consultation  practitioner", "e-contact       selected      unit:clinic"}, nil,
		},
		"one rule": {
			[]string{"routing", "show", "e-contact"}, "/routing/e-contact", routing.Default(routing.EContact),
			[]string{"e-contact  selected  unit:clinic"}, []string{"e-consultation"},
		},
		"audit": {
			[]string{"audit", "list"}, "/audit?limit=100",
			api.List[pg.AuditRow]{Items: []pg.AuditRow{{At: noon, Subject: "gp-1", Role: "practitioner", Action: "dialogue.read", Object: "dialogue/1"}}},
			[]string{"gp-1", "dialogue.read"}, nil,
		},
		"quarantine": {
			[]string{"quarantine", "list", "--state", "kept"}, "/quarantine?limit=100&state=kept",
			api.List[pg.Quarantine]{Items: []pg.Quarantine{{ID: "q", FromHerID: 1, ToHerID: 2, Reason: "same-id-other-content", State: pg.QuarantineKept, Wanted: "retry", StoredAt: noon}}},
			[]string{"same-id-other-content", "kept, retry"}, nil,
		},
		"one of the quarantine": {
			[]string{"quarantine", "show", dialogueID}, "/quarantine/" + dialogueID,
			pg.Quarantine{ID: dialogueID, FromHerID: 1, ToHerID: 2, Reason: "too-large", State: pg.QuarantineDiscarded, Size: 7, StoredAt: noon, DecidedAt: &noon, DecidedBy: "op-1", Note: "sent twice"},
			[]string{"7 bytes, not shown", "too-large", "by op-1: sent twice"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, map[string]answer{
				"GET " + c.path: {200, c.body},
				"GET /appointments/" + dialogueID + "/explain": {404, api.Problem{Status: 404, Detail: "the clinic has no such appointment"}},
			})
			got := run(t, r.env(), "", c.args...)
			require.Equal(t, outcome{cli.ExitDone, got.out, ""}, got)
			for _, want := range c.out {
				require.Contains(t, got.out, want)
			}
			for _, not := range c.not {
				require.NotContains(t, got.out, not)
			}
			require.Equal(t, "Bearer secret", r.calls[0].token)

			got = run(t, r.env(), "", append(c.args, "--json")...)
			require.Equal(t, cli.ExitDone, got.code)
			want, err := json.Marshal(c.body)
			require.NoError(t, err)
			require.JSONEq(t, string(want), got.out)
		})
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	const path = "/dialogues/" + dialogueID + "/answers"
	key := uuid.NewString()
	r := serve(t, map[string]answer{"POST " + path: {202, contract.AnswerAccepted{AnswerID: key, Status: contract.StatusSending}}})
	file := filepath.Join(t.TempDir(), "answer.txt")
	require.NoError(t, os.WriteFile(file, []byte("fra fil"), 0o600))

	got := run(t, r.env(), "", "dialogue", "answer", dialogueID, "--code", "12", "--text", "Hei", "--subject", "S", "--in-reply-to", "m", "--follow-up", "--id", key)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Contains(t, got.out, "Answer "+key+" is accepted (sending)")
	got = run(t, r.env(), "fra inn\n", "dialogue", "answer", dialogueID, "--code", "12", "--text-file", "-")
	require.Equal(t, cli.ExitDone, got.code, got.err)
	got = run(t, r.env(), "", "dialogue", "answer", dialogueID, "--code", "12", "--text-file", file)
	require.Equal(t, cli.ExitDone, got.code, got.err)

	require.Equal(t, key, r.calls[0].key)
	require.JSONEq(t, `{"code":"12","text":"Hei","subject":"S","inReplyTo":"m","followUp":true}`, r.calls[0].body)
	require.JSONEq(t, `{"code":"12","text":"fra inn\n"}`, r.calls[1].body)
	require.JSONEq(t, `{"code":"12","text":"fra fil"}`, r.calls[2].body)
	require.NoError(t, uuid.Validate(r.calls[1].key))
	require.NotEqual(t, r.calls[1].key, r.calls[2].key)
}

func TestAnAnswerOfUnknownFateSaysHowToRepeatIt(t *testing.T) {
	t.Parallel()
	key := uuid.NewString()
	r := serve(t, map[string]answer{"POST /dialogues/" + dialogueID + "/answers": {503, api.Problem{Status: 503, Detail: "the lifecycle has not taken it on yet"}}})
	got := run(t, r.env(), "", "dialogue", "answer", dialogueID, "--code", "12", "--text", "Hei", "--id", key)
	require.Equal(t, cli.ExitUnavailable, got.code)
	require.Contains(t, got.err, "repeat the command with --id "+key)
}

func TestWritingCommands(t *testing.T) {
	t.Parallel()
	clinic := `id: ` + clinicID + `
name: Legesenteret
herId: 8000001
staff:
  - {id: ` + patientID + `, subject: gp-1, name: Ola Lege, role: practitioner, hpr: "1234567", groups: [doctors]}
parties:
  - {herId: 8000002, name: Ola Lege, staffId: ` + patientID + `, processes: [DIALOG_INNBYGGER_EKONSULTASJON]}
`
	r := serve(t, map[string]answer{
		"PUT ":                          {204, nil},
		"PUT /routing/e-contact":        {204, nil},
		"POST /cases/c1/resolve":        {204, nil},
		"POST /patients/find":           {200, api.PatientID{PatientID: patientID}},
		"DELETE /patients/" + patientID: {204, nil},
	})
	env := r.env()
	delete(env, "HELSEBRO_CLINIC")
	got := run(t, env, clinic, "clinic", "put", "-f", "-")
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Contains(t, got.out, "Clinic "+clinicID+" is written: 1 staff, 1 parties.")
	var sent pg.Clinic
	require.NoError(t, json.Unmarshal([]byte(r.calls[0].body), &sent))
	require.Equal(t, "1234567", sent.Staff[0].HPR)
	require.Equal(t, identity.RolePractitioner, sent.Staff[0].Role)
	require.Equal(t, []string{"DIALOG_INNBYGGER_EKONSULTASJON"}, sent.Parties[0].Processes)

	got = run(t, r.env(), "", "routing", "set", "e-contact", "--format", "selected", "--recipient", "group:nurses", "--recipient", "role:staff")
	require.Equal(t, outcome{cli.ExitDone, "Messages of e-contact go to selected group:nurses, role:staff from now on.\n", ""}, got)
	require.JSONEq(t, `{"format":"selected","recipients":[{"kind":"group","id":"nurses"},{"kind":"role","id":"staff"}]}`, r.calls[1].body)

	got = run(t, r.env(), "", "case", "resolve", "c1")
	require.Equal(t, outcome{cli.ExitDone, "Case c1 is resolved.\n", ""}, got)
	r.calls = r.calls[:2]

	got = run(t, r.env(), "178580 12345\n", "patient", "find")
	require.Equal(t, outcome{cli.ExitDone, patientID + "\n", ""}, got)
	require.JSONEq(t, `{"nationalId":"`+nationalID+`"}`, r.calls[2].body)

	got = run(t, r.env(), nationalID, "patient", "erase")
	require.Equal(t, outcome{cli.ExitDone, "Patient " + patientID + " is erased.\n", ""}, got)
	got = run(t, r.env(), "", "patient", "erase", patientID, "--json")
	require.JSONEq(t, `{"patientId":"`+patientID+`"}`, got.out)
	for _, c := range r.calls {
		require.NotContains(t, c.path, nationalID, "a national id is never in a URL")
	}
}

func TestHandlingCommands(t *testing.T) {
	t.Parallel()
	const path = "/dialogues/" + dialogueID + "/changes"
	key := uuid.NewString()
	r := serve(t, map[string]answer{"POST " + path: {200, client.DialogueChanged{DialogueID: dialogueID, ChangeID: key, Process: contract.ProcessEContact, Status: contract.StatusAwaitingClinic}}})
	for _, c := range []struct {
		args      []string
		body, out string
	}{
		{[]string{"take", dialogueID, "--id", key}, `{"kind":"take"}`, "You have taken dialogue " + dialogueID},
		{[]string{"assign", dialogueID, patientID, "--note", "Kan du?"}, `{"kind":"assign","staffId":"` + patientID + `","note":"Kan du?"}`, "is given to " + patientID},
		{[]string{"assign", dialogueID}, `{"kind":"assign"}`, "is given to nobody"},
		{
			[]string{"forward", dialogueID, "group:nurses", "practitioner:gp"}, `{"kind":"forward","to":[{"kind":"group","id":"nurses"},{"kind":"practitioner","id":"gp"}]}`,
			"lies with group:nurses, practitioner:gp from now on",
		},
		{[]string{"close", dialogueID}, `{"kind":"close"}`, "is closed"},
	} {
		got := run(t, r.env(), "", append([]string{"dialogue"}, c.args...)...)
		require.Equal(t, cli.ExitDone, got.code, got.err)
		require.Contains(t, got.out, c.out)
		require.JSONEq(t, c.body, r.calls[len(r.calls)-1].body)
	}
	require.Equal(t, key, r.calls[0].key)
	require.NoError(t, uuid.Validate(r.calls[1].key))
	got := run(t, r.env(), "", "dialogue", "forward", dialogueID, "nurses")
	require.Equal(t, cli.ExitUsage, got.code)
	require.Contains(t, got.err, "such as group:nurses")
}

func TestExitCodesAndWords(t *testing.T) {
	t.Parallel()
	refused := func(status int, p api.Problem) map[string]answer {
		p.Status = status
		return map[string]answer{"GET /inbox?limit=100": {status, p}}
	}
	for name, c := range map[string]struct {
		answers map[string]answer
		code    int
		words   []string
	}{
		"forbidden": {refused(403, api.Problem{Detail: "the right inbox:read is missing"}), cli.ExitRefused, []string{"inbox:read"}},
		"no token":  {refused(401, api.Problem{Detail: "the token has expired"}), cli.ExitRefused, []string{"expired", "helsebro token"}},
		"conflict":  {refused(409, api.Problem{Detail: "answered already", State: "answered"}), cli.ExitRefused, []string{"answered already (state: answered)"}},
		"invalid":   {refused(422, api.Problem{Detail: "invalid fields", Errors: []api.Invalid{{Path: "code", Rule: "one of 12, 13"}}}), cli.ExitRefused, []string{"code: one of 12, 13"}},
		"down":      {refused(503, api.Problem{Detail: "the database does not answer"}), cli.ExitUnavailable, []string{"database", "Try again"}},
		"fault":     {refused(500, api.Problem{Detail: "an unexpected fault"}), cli.ExitFailed, []string{"unexpected"}},
		"no API":    {map[string]answer{"GET /inbox?limit=100": {404, "nginx"}}, cli.ExitRefused, []string{"is http://", "a Helsebro API?"}},
		"not JSON":  {map[string]answer{"GET /inbox?limit=100": {200, nil}}, cli.ExitFailed, []string{"cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := run(t, serve(t, c.answers).env(), "", "inbox")
			require.Equal(t, c.code, got.code, got.err)
			require.Empty(t, got.out)
			for _, w := range c.words {
				require.Contains(t, got.err, w)
			}
			require.NotContains(t, got.err, "secret")
		})
	}
}

func TestNoAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	r := serve(t, nil)
	r.Close()
	got := run(t, r.env(), "", "inbox")
	require.Equal(t, cli.ExitUnavailable, got.code)
	require.Contains(t, got.err, "does not answer")
	require.NotContains(t, got.err, clinicID, "the words name the API, not the whole URL")
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	full := map[string]string{"HELSEBRO_TOKEN": "t", "HELSEBRO_CLINIC": clinicID}
	for name, c := range map[string]struct {
		env  map[string]string
		in   string
		args []string
		says string
	}{
		"unknown command":    {full, "", []string{"sing"}, "unknown command"},
		"unknown subcommand": {full, "", []string{"dialogue", "sing"}, "unknown command"},
		"no subcommand":      {full, "", []string{"routing"}, "set, show"},
		"unknown flag":       {full, "", []string{"inbox", "--loud"}, "unknown flag"},
		"argument missing":   {full, "", []string{"explain"}, "accepts 1 arg"},
		"flag missing":       {full, "", []string{"dialogue", "start", "--patient", patientID, "--text", "x"}, "kind"},
		"text missing":       {full, "", []string{"dialogue", "answer", dialogueID, "--code", "12"}, "text"},
		"two texts":          {full, "", []string{"dialogue", "answer", dialogueID, "--code", "12", "--text", "x", "--text-file", "-"}, "text"},
		"no file":            {full, "", []string{"dialogue", "answer", dialogueID, "--code", "12", "--text-file", "/nonexistent"}, "no such file"},
		"no token":           {nil, "", []string{"inbox"}, "HELSEBRO_TOKEN"},
		"no clinic":          {map[string]string{"HELSEBRO_TOKEN": "t"}, "", []string{"inbox"}, "HELSEBRO_CLINIC"},
		"no URL":             {full, "", []string{"inbox", "--api", "helsebro"}, "HELSEBRO_API_URL"},
		"national id":        {full, "", []string{"patient", "erase", nationalID}, "standard input"},
		"no national id":     {full, "\n", []string{"patient", "find"}, "standard input"},
		"recipient":          {full, "", []string{"routing", "set", "e-contact", "--format", "selected", "--recipient", "nurses"}, "kind:id"},
		"clinic file":        {full, "id: x\ncolour: y\n", []string{"clinic", "put", "-f", "-"}, "colour"},
		"token role":         {nil, "", []string{"token", "--key", filepath.Join(t.TempDir(), "k.pem"), "--role", "king", "--subject", "s", "--clinic", clinicID}, "scope names no role"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := run(t, c.env, c.in, c.args...)
			require.Equal(t, cli.ExitUsage, got.code, got.err)
			require.Contains(t, got.err, c.says)
			require.Contains(t, got.err, "--help")
			require.NotContains(t, got.err, nationalID)
			require.Empty(t, got.out)
		})
	}
}

func TestTokenFile(t *testing.T) {
	t.Parallel()
	r := serve(t, map[string]answer{"GET /inbox?limit=100": {200, api.List[pg.InboxItem]{}}})
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("from-file\n"), 0o600))
	got := run(t, r.env(), "", "inbox", "--token-file", file)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Equal(t, "Bearer from-file", r.calls[0].token)
}

func TestTokensAreBelieved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keyFile, jwks := filepath.Join(dir, "dev.pem"), filepath.Join(dir, "jwks.json")
	env := map[string]string{"HELSEBRO_CLINIC": clinicID}
	for _, c := range []struct {
		role, clinic, hpr string
	}{{"practitioner", clinicID, "9144889"}, {"operator", "", ""}} {
		got := run(t, env, "", "token", "--key", keyFile, "--jwks", jwks, "--role", c.role, "--subject", "s-1", "--hpr", c.hpr, "--ttl", "5m")
		require.Equal(t, cli.ExitDone, got.code, got.err)
		v, err := identity.NewVerifier(config.Identity{Issuer: identity.DevIssuerName, Audience: identity.DevAudience, JWKSFile: jwks})
		require.NoError(t, err)
		p, err := v.Verify(t.Context(), identity.Bearer(strings.TrimSpace(got.out)))
		require.NoError(t, err)
		require.Equal(t, identity.Principal{Subject: "s-1", ClientID: identity.DevClientID, ClinicID: c.clinic, Role: identity.Role(c.role), HPR: c.hpr}, p)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer s.Close()
	require.Equal(t, outcome{cli.ExitDone, "ok\n", ""}, run(t, nil, "", "health", "--url", s.URL))
	status = http.StatusServiceUnavailable
	require.Equal(t, cli.ExitUnavailable, run(t, nil, "", "health", "--url", s.URL).code)
	s.Close()
	require.Equal(t, cli.ExitUnavailable, run(t, nil, "", "health", "--url", s.URL).code)
}

func TestInterruptedCommandSaysSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer s.Close()
	var errs bytes.Buffer
	code := cli.Run(ctx, []string{"inbox"}, cli.Environment{
		Out: io.Discard, Err: &errs,
		Getenv: func(name string) string {
			return map[string]string{"HELSEBRO_API_URL": s.URL, "HELSEBRO_TOKEN": "t", "HELSEBRO_CLINIC": clinicID}[name]
		},
	}, cli.Processes{})
	require.Equal(t, cli.ExitFailed, code)
	require.Equal(t, "helsebro: stopped before it was done\n", errs.String())
}

func TestSimulate(t *testing.T) {
	t.Parallel()
	const party = 8000002
	dir := t.TempDir()
	file := filepath.Join(dir, "registry.yaml")
	require.NoError(t, registry.Write(file, append(simulator.Parties(),
		registry.Party{HerID: 8000001, Name: "Legesenteret"},
		registry.Party{HerID: party, Name: "Ola Lege", ParentHerID: 8000001, AsyncQueue: "clinic_async", ErrorQueue: "clinic_error"})))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines, log := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(ctx, []string{"simulate", "serve", "--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--registry", file},
			cli.Environment{Out: io.Discard, Err: log, Getenv: func(string) string { return "" }}, cli.Processes{})
		_ = log.Close()
	}()
	var line struct{ Msg, Addr string }
	d := json.NewDecoder(lines)
	for line.Addr == "" {
		require.NoError(t, d.Decode(&line))
	}
	drained := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, lines)
		drained <- err
	}()
	env := map[string]string{"HELSEBRO_LOOPBACK_URL": "http://" + line.Addr}

	require.Equal(t, cli.ExitDone, run(t, nil, "", "health", "--url", "http://"+line.Addr+"/healthz").code)
	got := run(t, env, "", "simulate", "send", "--kind", "e-consultation", "--to", "8000002")
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Contains(t, got.out, "Sent e-consultation to 8000002: message ")
	got = run(t, env, "", "simulate", "received")
	require.Equal(t, outcome{cli.ExitDone, "No message has been received.\n\nNo receipt has been received.\n", ""}, got)
	got = run(t, env, "", "simulate", "send", "--kind", "telex", "--to", "8000002")
	require.Equal(t, cli.ExitRefused, got.code, got.err)
	var book simulator.Book
	require.NoError(t, json.Unmarshal([]byte(run(t, env, "", "simulate", "received", "--json").out), &book))
	require.Len(t, book.Sent, 1)

	cancel()
	require.Equal(t, cli.ExitDone, <-code)
	require.NoError(t, <-drained)
	require.Equal(t, cli.ExitUnavailable, run(t, env, "", "simulate", "received").code)
}

func TestEveryCommandHasAnExample(t *testing.T) {
	t.Parallel()
	var leaves int
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, child := range c.Commands() {
			walk(child)
		}
		if !c.HasSubCommands() && c.Name() != "help" && c.Parent() != nil && c.Parent().Name() != "completion" {
			leaves++
			require.NotEmpty(t, c.Short, c.CommandPath())
			require.NotEmpty(t, c.Example, c.CommandPath())
		}
	}
	walk(cli.Command(cli.Environment{Getenv: func(string) string { return "" }}, cli.Processes{}))
	require.Greater(t, leaves, 12)
}

func TestHelpDocumentsExitCodes(t *testing.T) {
	t.Parallel()
	got := run(t, nil, "", "--help")
	require.Equal(t, cli.ExitDone, got.code)
	for _, want := range []string{"Exit codes", "HELSEBRO_API_URL", "serve", "listen", "migrate", "dialogue"} {
		require.Contains(t, got.out, want)
	}
}

// TestProcesses changes the environment of the process, so it is not parallel.
func TestProcesses(t *testing.T) {
	jwks := filepath.Join(t.TempDir(), "jwks.json")
	require.NoError(t, os.WriteFile(jwks, []byte("{}"), 0o600))
	for name, value := range map[string]string{
		"HELSEBRO_DATABASE_URL": "postgres://x", "HELSEBRO_VAULT_KEYS": "a:b", "HELSEBRO_VAULT_INDEX_KEY": "b",
		"HELSEBRO_CODEC_KEYS": "a:b", "HELSEBRO_JWKS_FILE": jwks, "HELSEBRO_REGISTRY_FILE": jwks,
		"HELSEBRO_HELSENORGE_HER_ID": "800001",
	} {
		t.Setenv(name, value)
	}
	env := cli.Environment{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Getenv: os.Getenv}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan string, 1)
	p := cli.Processes{
		Serve: func(ctx context.Context, cfg config.Serve, _ *slog.Logger) error {
			served <- cfg.Database.URL
			<-ctx.Done()
			return nil
		},
		Listen: func(context.Context, config.Listen, *slog.Logger) error { return errors.New("the queue is gone") },
	}
	code := make(chan int, 1)
	go func() { code <- cli.Run(ctx, []string{"serve"}, env, p) }()
	require.Equal(t, "postgres://x", <-served)
	cancel()
	require.Equal(t, cli.ExitDone, <-code, "being told to stop is no failure")
	require.Equal(t, cli.ExitFailed, cli.Run(t.Context(), []string{"listen"}, env, p))

	t.Setenv("HELSEBRO_DATABASE_URL", "")
	var errs bytes.Buffer
	env.Err = &errs
	for _, process := range []string{"serve", "listen", "migrate"} {
		errs.Reset()
		require.Equal(t, cli.ExitUsage, cli.Run(t.Context(), []string{process}, env, p), process)
		require.Contains(t, errs.String(), "HELSEBRO_DATABASE_URL")
	}
}

// TestDoctor: wrong use is told from what is found, being stopped from both.
func TestDoctor(t *testing.T) {
	t.Setenv("HELSEBRO_DATABASE_URL", "")
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	for _, args := range [][]string{{"doctor", "--process", "postman"}, {"doctor", "worker"}, {"doctor", "--quickly"}} {
		require.Equal(t, cli.ExitUsage, run(t, nil, "", args...).code, args)
	}
	got := run(t, nil, "", "doctor", "--process", "serve")
	require.Equal(t, cli.ExitFailed, got.code)
	require.Regexp(t, `(?m)^fail +database-connection +HELSEBRO_DATABASE_URL is not set\n +to do: set HELSEBRO_DATABASE_URL`, got.out)
	require.Regexp(t, `(?m)^skipped +configuration-worker`, got.out)
	require.Contains(t, got.err, "checks fail")

	var report doctor.Report
	require.NoError(t, json.Unmarshal([]byte(run(t, nil, "", "doctor", "--json").out), &report))
	require.NotZero(t, report.Count(doctor.Fail))

	stopped, stop := context.WithCancel(t.Context())
	stop()
	var errs bytes.Buffer
	require.Equal(t, cli.ExitFailed, cli.Run(stopped, []string{"doctor"}, cli.Environment{In: strings.NewReader(""), Out: io.Discard, Err: &errs, Getenv: os.Getenv}, cli.Processes{}))
	require.Contains(t, errs.String(), "stopped before it was done")
}

// A case is shown with its runbook, wherever in the list it is.
func TestCaseShow(t *testing.T) {
	t.Parallel()
	opened := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	r := serve(t, map[string]answer{"GET /cases?limit=500": {200, api.List[client.Case]{Items: []client.Case{
		{Case: pg.Case{ID: "c0", Kind: contract.CaseNotSent, OpenedAt: opened}, Runbook: client.Runbook{What: "another"}},
		{Case: pg.Case{ID: "c1", Kind: contract.CaseAnswerOverdue, OpenedAt: opened}, Runbook: client.RunbookOf(contract.CaseAnswerOverdue)},
	}}}})
	got := run(t, r.env(), "", "case", "show", "c1")
	require.Equal(t, cli.ExitDone, got.code, got.err)
	for _, want := range []string{"answer-overdue, open since", "  Look: who has it", "  To do: have somebody answer now", "  Ends: by itself with the answer", "  case c1\n"} {
		require.Contains(t, got.out, want)
	}
	require.NotContains(t, got.out, "another")
	var shown client.Case
	require.NoError(t, json.Unmarshal([]byte(run(t, r.env(), "", "case", "show", "c1", "--json").out), &shown))
	require.Equal(t, "c1", shown.ID)
	got = run(t, r.env(), "", "case", "show", "c9")
	require.Equal(t, cli.ExitRefused, got.code)
	require.Contains(t, got.err, "helsebro case list")
}
