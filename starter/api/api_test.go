package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/health"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	clinicID   = "0198c0de-0000-7000-8000-00000000c111"
	dialogueID = "0198c0de-0000-7000-8000-0000000d1a10"
	fileID     = "0198c0de-0000-7000-8000-00000000f11e"
	key        = "0198c0de-0000-7000-8000-000000000a05"
	nationalID = "17858012345" // what a caller sends; the fake service checks nothing
)

// service is the clinic in memory. It checks no right: what the API lets through
// is what the test sees in calls. err, where set, is every answer.
type service struct {
	mu    sync.Mutex
	calls int
	err   error
	last  any
	rules map[contract.Process]routing.Rule
	file  pg.File
	// next is the cursor of every page, refused who was refused what.
	next    string
	refused []string
	// held is whose which key became, holdErr that it is another's.
	held    []string
	holdErr error
	// begun, where set, is closed when the first bytes of a file have come.
	begun chan struct{}
}

func (s *service) call(last any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.last = last
	return s.err
}

func (s *service) Inbox(_ context.Context, _ identity.Principal, _ string, q pg.DialogueQuery) (pg.Page[pg.InboxItem], error) {
	return pg.Page[pg.InboxItem]{Next: s.next}, s.call(q)
}

func (s *service) Inboxes(context.Context, identity.Principal, string) ([]pg.InboxCount, error) {
	return nil, s.call(nil)
}

func (s *service) Dialogues(_ context.Context, _ identity.Principal, _ string, q pg.DialogueQuery) (pg.Page[pg.DialogueItem], error) {
	return pg.Page[pg.DialogueItem]{Next: s.next}, s.call(q)
}

// Alone is no call.
func (s *service) Alone(_ context.Context, _ string, do func()) error { do(); return nil }

// HoldKey is no call either.
func (s *service) HoldKey(_ context.Context, by identity.Principal, clinicID, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, by.ClientID+" "+clinicID+" "+key)
	return s.holdErr
}

// Refused counts what is refused, and not as a call: nothing was asked of the service.
func (s *service) Refused(_ context.Context, by identity.Principal, what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, string(by.Role)+" "+what)
	return s.err
}

func (s *service) Dialogue(_ context.Context, _ identity.Principal, _, id string) (pg.Dialogue, error) {
	if id != dialogueID {
		return pg.Dialogue{}, apperr.New(apperr.NotFound, "the clinic has no such dialogue")
	}
	return pg.Dialogue{ID: id, Title: "helsenorge.no: Attest", Messages: []pg.Message{{ID: "m", Content: pg.Content{Text: "Hei"}}}}, s.call(id)
}

func (s *service) Answer(_ context.Context, _ identity.Principal, _, _ string, a client.Answer) (contract.AnswerAccepted, error) {
	return contract.AnswerAccepted{AnswerID: a.ID, Status: contract.StatusSending}, s.call(a)
}

func (s *service) Explain(_ context.Context, _ identity.Principal, _, id string) (client.Explanation, error) {
	return client.Explanation{DialogueID: id, Lifecycle: client.Lifecycle{Status: client.LifecycleUnavailable, Note: "no worker"}}, s.call(id)
}

func (s *service) Cases(_ context.Context, _ identity.Principal, _ string, q pg.CaseQuery) (pg.Page[client.Case], error) {
	return pg.Page[client.Case]{Next: s.next}, s.call(q)
}

func (s *service) Routing(context.Context, identity.Principal, string) (map[contract.Process]routing.Rule, error) {
	return s.rules, s.call(nil)
}

func (s *service) PutRouting(_ context.Context, _ identity.Principal, _ string, p contract.Process, r routing.Rule) error {
	return s.call(r)
}

func (s *service) PutClinic(_ context.Context, _ identity.Principal, c pg.Clinic) error {
	return s.call(c)
}

func (s *service) PutPatient(_ context.Context, _ identity.Principal, _ string, p client.Patient) (string, error) {
	return "patient", s.call(p)
}

func (s *service) FindPatient(_ context.Context, _ identity.Principal, _, id string) (string, error) {
	return "patient", s.call(id)
}

func (s *service) ErasePatient(_ context.Context, _ identity.Principal, _, id string) error {
	return s.call(id)
}

func (s *service) VerifyAudit(_ context.Context, _ identity.Principal, _ string, number int64, hash string) (pg.AuditVerdict, error) {
	return pg.AuditVerdict{Intact: true, Broken: []string{}}, s.call([]any{number, hash})
}

func (s *service) Audit(_ context.Context, _ identity.Principal, _ string, q pg.AuditQuery) (pg.Page[pg.AuditRow], error) {
	return pg.Page[pg.AuditRow]{}, s.call(q)
}

func (s *service) Quarantine(_ context.Context, _ identity.Principal, _ string, q pg.QuarantineQuery) (pg.Page[pg.Quarantine], error) {
	return pg.Page[pg.Quarantine]{}, s.call(q)
}

func (s *service) QuarantinedMessage(_ context.Context, _ identity.Principal, _, id string) (pg.Quarantine, error) {
	return pg.Quarantine{}, s.call(id)
}

func (s *service) DecideQuarantine(_ context.Context, _ identity.Principal, _, id string, d pg.QuarantineDecision, note string) (pg.Quarantine, error) {
	return pg.Quarantine{ID: id, Wanted: string(d)}, s.call([]string{id, string(d), note})
}

// tokens verifies "role@clinic".
type tokens struct{ err error }

func (t tokens) Verify(_ context.Context, c identity.Credentials) (identity.Principal, error) {
	role, clinic, ok := strings.Cut(c.Token, "@")
	if t.err != nil {
		return identity.Principal{}, t.err
	}
	if !ok {
		return identity.Principal{}, apperr.New(apperr.Unauthenticated, "the token is refused: it has expired")
	}
	return identity.Principal{Subject: "subject-of-" + role, Role: identity.Role(role), ClinicID: clinic}, nil
}

// logs is the process log, in memory.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type fixture struct {
	*api.API
	service *service
	logs    *logs
}

func setup(t *testing.T, options ...api.Option) fixture {
	t.Helper()
	f := fixture{service: &service{}, logs: &logs{}}
	f.API = api.New(f.service, tokens{}, map[string]health.Check{
		"postgresql": func(context.Context) error { return nil },
		"temporal":   func(context.Context) error { return f.service.err },
	}, slog.New(slog.NewJSONHandler(f.logs, nil)), append(options, api.WithSMSReports(signature{}))...)
	return f
}

// request is one call; the zero token sends no Authorization.
type request struct {
	method, path, token, body string
	header                    http.Header
}

func (f fixture) do(t *testing.T, r request) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), r.method, r.path, strings.NewReader(r.body))
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, req)
	return w
}

func (f fixture) problem(t *testing.T, r request, status int) api.Problem {
	t.Helper()
	res := f.do(t, r)
	raw := res.Body.Bytes()
	require.Equal(t, status, res.Code, string(raw))
	require.Equal(t, "application/problem+json", res.Header().Get("Content-Type"))
	var p api.Problem
	require.NoError(t, json.Unmarshal(raw, &p), string(raw))
	require.Equal(t, status, p.Status)
	require.True(t, strings.HasPrefix(p.Type, api.ProblemPrefix), p.Type)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	return p
}

func path(p string) string {
	return strings.NewReplacer("{clinic}", clinicID, "{dialogue}", dialogueID, "{file}", fileID, "{case}", fileID, "{process}", "e-contact", "{patient}", fileID,
		"{calendar}", calendarID, "{type}", typeID, "{slot}", slotID, "{appointment}", appointmentID, "{message}", sentID).Replace(p)
}

var roles = []identity.Role{
	identity.RoleClinicAdministrator, identity.RolePractitioner, identity.RoleStaff,
	identity.RolePortal, identity.RoleOperator, identity.RoleAuditor, identity.RoleService,
}

func may(role identity.Role, right identity.Right) bool {
	return identity.Principal{Subject: "s", Role: role, ClinicID: clinicID}.May(right)
}

func TestNoRouteIsOpenByAccident(t *testing.T) {
	t.Parallel()
	f := setup(t)
	allowed := []string{"GET /healthz", "GET /readyz", "GET /openapi.json", "GET /docs"}

	var declared, open, signed []string
	for _, r := range f.Routes() {
		declared = append(declared, r.Method+" "+r.Path)
		switch {
		case r.Signed:
			require.Empty(t, r.Right, "a signature is no caller with rights")
			signed = append(signed, r.Method+" "+r.Path)
		case r.Right == "":
			open = append(open, r.Method+" "+r.Path)
		}
	}
	require.ElementsMatch(t, allowed, open)
	require.Equal(t, []string{"POST /v1/callbacks/sms"}, signed)
	require.ElementsMatch(t, api.Patterns(f.API), declared, "the mux has no pattern that the route table does not have")

	for _, r := range f.Routes() {
		if r.Right == "" {
			continue
		}
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			call := request{method: r.Method, path: path(r.Path)}

			require.Equal(t, api.ProblemPrefix+"unauthenticated", f.problem(t, call, 401).Type)
			res := f.do(t, call)
			require.Contains(t, res.Header().Get("WWW-Authenticate"), "Bearer ")
			for _, header := range []string{"Bearer", "Bearer ", "Basic cm9sZTpjbGluaWM=", "practitioner@" + clinicID, "Bearer expired"} {
				f.problem(t, request{method: r.Method, path: path(r.Path), header: http.Header{"Authorization": {header}}}, 401)
			}

			holders := 0
			for _, role := range roles {
				call.token = string(role) + "@" + clinicID
				if !may(role, r.Right) {
					p := f.problem(t, call, 403)
					require.Equal(t, api.ProblemPrefix+"forbidden", p.Type)
					require.Contains(t, p.Detail, string(r.Right))
					continue
				}
				holders++
				call.token = string(role) + "@0198c0de-0000-7000-8000-00000000c112"
				p := f.problem(t, call, 404)
				require.Equal(t, api.ProblemPrefix+"not-found", p.Type)
				require.NotContains(t, p.Detail, clinicID)
			}
			require.Positive(t, holders, "somebody can use the route")
			require.Zero(t, f.service.calls, "none of these came through")
			require.Len(t, f.service.refused, len(roles)-holders, "who lacked the right is in the audit")
		})
	}
}

func TestOpenAPIDescribesEverySecuredRoute(t *testing.T) {
	t.Parallel()
	f := setup(t)
	res := f.do(t, request{method: "GET", path: "/openapi.json"})
	require.Equal(t, 200, res.Code)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Right    identity.Right        `json:"x-helsebro-right"`
			Security []map[string][]string `json:"security"`
		}
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&doc))
	require.Equal(t, "3.1.0", doc.OpenAPI)
	described := 0
	for _, r := range f.Routes() {
		if r.Right == "" {
			continue
		}
		op, ok := doc.Paths[r.Path][strings.ToLower(r.Method)]
		require.True(t, ok, r)
		require.Equal(t, r.Right, op.Right)
		require.NotEmpty(t, op.Security)
		described++
	}
	total := 0
	for _, methods := range doc.Paths {
		total += len(methods)
	}
	require.Equal(t, total, described, "every operation went through the one helper")
}

func TestNothingIsLoadedFromTheInternet(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, p := range []string{"/docs.js", "/openapi.yaml", "/schemas/Problem.json", "/"} {
		f.problem(t, request{method: "GET", path: p}, 404)
	}
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.Equal(t, api.ProblemPrefix+"not-found", f.problem(t, request{method: "GET", path: "/v2/clinics"}, 404).Type)
	call := request{method: "PATCH", path: path("/v1/clinics/{clinic}/inbox")}
	require.Contains(t, f.problem(t, call, 405).Detail, "GET")
	require.Contains(t, f.do(t, call).Header().Get("Allow"), "GET")
}

func TestRequests(t *testing.T) {
	t.Parallel()
	practitioner, admin, service := "practitioner@"+clinicID, "clinic-administrator@"+clinicID, "service@"+clinicID
	for name, c := range map[string]struct {
		request
		status int
		last   any
		body   string
	}{
		"inbox":               {request{method: "GET", path: "/v1/clinics/{clinic}/inbox?limit=7", token: practitioner}, 200, pg.DialogueQuery{Limit: 7, Sort: pg.SortLatest}, `{"items":[]}`},
		"inbox without limit": {request{method: "GET", path: "/v1/clinics/{clinic}/inbox", token: practitioner}, 200, pg.DialogueQuery{Limit: 100, Sort: pg.SortLatest}, `{"items":[]}`},
		"one inbox": {
			request{method: "GET", path: "/v1/clinics/{clinic}/inbox?process=e-contact&status=awaiting-clinic&unread=true&owner=me&recipient=group:nurses&sort=due&limit=2&cursor=x", token: admin},
			200, pg.DialogueQuery{
				Process: contract.ProcessEContact, Status: contract.StatusAwaitingClinic, Unread: true, OwnerID: pg.OwnerMe,
				Recipient: routing.Recipient{Kind: routing.Group, ID: "nurses"}, Sort: pg.SortDue, Limit: 2, Cursor: "x",
			}, `{"items":[]}`,
		},
		"inboxes": {request{method: "GET", path: "/v1/clinics/{clinic}/inboxes", token: practitioner}, 200, nil, `{"items":[]}`},
		"dialogues": {
			request{method: "GET", path: "/v1/clinics/{clinic}/dialogues?patient={patient}&origin=clinic&sort=oldest", token: practitioner},
			200, pg.DialogueQuery{PatientID: fileID, Origin: "clinic", Sort: pg.SortOldest, Limit: 100}, `{"items":[]}`,
		},
		"dialogue": {request{method: "GET", path: "/v1/clinics/{clinic}/dialogues/{dialogue}", token: practitioner}, 200, dialogueID, `"title":"helsenorge.no: Attest"`},
		"answer": {
			request{
				method: "POST", path: "/v1/clinics/{clinic}/dialogues/{dialogue}/answers", token: practitioner,
				header: http.Header{"Idempotency-Key": {key}}, body: `{"code":"12","subject":"S","text":"Hei","inReplyTo":"m","followUp":true}`,
			},
			202, client.Answer{ID: key, Code: "12", Subject: "S", Text: "Hei", InReplyTo: "m", FollowUp: true}, `{"answerId":"` + key + `","status":"sending"}`,
		},
		"answer without key": {
			request{method: "POST", path: "/v1/clinics/{clinic}/dialogues/{dialogue}/answers", token: practitioner, body: `{"code":"12","text":"Hei"}`},
			202, client.Answer{Code: "12", Text: "Hei"}, `"status":"sending"`,
		},
		"answer with files": {
			request{
				method: "POST", path: "/v1/clinics/{clinic}/dialogues/{dialogue}/answers", token: practitioner,
				body: `{"code":"12","text":"Hei","attachments":["` + fileID + `"]}`,
			},
			202, client.Answer{Code: "12", Text: "Hei", Attachments: []string{fileID}}, `"status":"sending"`,
		},
		"prescriptions decided": {
			request{
				method: "POST", path: "/v1/clinics/{clinic}/dialogues/{dialogue}/answers", token: practitioner,
				body: `{"text":"Hei","items":[{"id":"1","decision":"renewed","medicine":{"kind":"pack","name":"Ibux"}},{"id":"2","decision":"cannot","reason":"Bestill time."}]}`,
			},
			202, client.Answer{Text: "Hei", Items: []pg.ItemDecision{
				{ID: "1", Decision: "renewed", Medicine: &pg.Medicine{Kind: pg.MedicinePack, Name: "Ibux"}},
				{ID: "2", Decision: "cannot", Reason: "Bestill time."},
			}}, `"status":"sending"`,
		},
		"explain":   {request{method: "GET", path: "/v1/clinics/{clinic}/dialogues/{dialogue}/explain", token: practitioner}, 200, dialogueID, `"lines":[]`},
		"routing":   {request{method: "GET", path: "/v1/clinics/{clinic}/routing/{process}", token: practitioner}, 200, nil, `{"format":"selected","recipients":[{"kind":"unit","id":"clinic"}]}`},
		"all rules": {request{method: "GET", path: "/v1/clinics/{clinic}/routing", token: practitioner}, 200, nil, `{"rules":{"e-contact":{`},
		"routing changed": {
			request{method: "PUT", path: "/v1/clinics/{clinic}/routing/{process}", token: admin, body: `{"format":"practitioner"}`},
			204, routing.Rule{Format: routing.Practitioner}, "",
		},
		"clinic": {
			request{method: "PUT", path: "/v1/clinics/{clinic}", token: "operator@", body: `{"id":"` + clinicID + `","name":"Legesenteret","herId":1,"staff":[],"parties":[]}`},
			204, pg.Clinic{ID: clinicID, Name: "Legesenteret", HerID: 1, Staff: []pg.Staff{}, Parties: []pg.Party{}}, "",
		},
		"patient": {
			request{method: "PUT", path: "/v1/clinics/{clinic}/patients", token: service, body: `{"givenName":"Kari","familyName":"Nordmann","nationalId":"` + nationalID + `","blocked":true}`},
			200, client.Patient{GivenName: "Kari", FamilyName: "Nordmann", NationalID: nationalID, Blocked: true}, `{"patientId":"patient"}`,
		},
		"patient found": {
			request{method: "POST", path: "/v1/clinics/{clinic}/patients/find", token: service, body: `{"nationalId":"` + nationalID + `"}`},
			200, nationalID, `{"patientId":"patient"}`,
		},
		"patient erased": {request{method: "DELETE", path: "/v1/clinics/{clinic}/patients/{patient}", token: admin}, 204, fileID, ""},
		"cases":          {request{method: "GET", path: "/v1/clinics/{clinic}/cases", token: admin}, 200, pg.CaseQuery{Limit: 100}, `{"items":[]}`},
		"case resolved":  {request{method: "POST", path: "/v1/clinics/{clinic}/cases/{case}/resolve", token: admin}, 204, fileID, ""},
		"open cases": {
			request{method: "GET", path: "/v1/clinics/{clinic}/cases?kind=answer-overdue&open=true&limit=1", token: "operator@"},
			200, pg.CaseQuery{Kind: contract.CaseAnswerOverdue, Open: true, Limit: 1}, `{"items":[]}`,
		},
		"audit":        {request{method: "GET", path: "/v1/clinics/{clinic}/audit?patient=" + dialogueID, token: "auditor@" + clinicID}, 200, pg.AuditQuery{PatientID: dialogueID, Limit: 100}, `{"items":[]}`},
		"verify-audit": {request{method: "GET", path: "/v1/clinics/{clinic}/audit/verification", token: "auditor@" + clinicID}, 200, []any{int64(0), ""}, `"intact":true`},
		"quarantine":   {request{method: "GET", path: "/v1/clinics/{clinic}/quarantine?state=kept&limit=7", token: "operator@"}, 200, pg.QuarantineQuery{State: pg.QuarantineKept, Limit: 7}, `{"items":[]}`},
		"decision":     {request{method: "POST", path: "/v1/clinics/{clinic}/quarantine/q/decisions", token: "operator@", body: `{"decision":"discard","note":"n"}`}, 200, []string{"q", "discard", "n"}, `{"id":"q","fromHerId":0,"toHerId":0,"transportId":"","size":0,"reason":"","state":"","wanted":"discard","attempts":0,"storedAt":"0001-01-01T00:00:00Z"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.service.rules = map[contract.Process]routing.Rule{contract.ProcessEContact: routing.Default(routing.EContact)}
			f.answers(t, c.request, c.status, c.last, c.body)
		})
	}
}

// answers makes a call that the service answers, and holds what it was asked.
func (f fixture) answers(t *testing.T, call request, status int, last any, body string) {
	t.Helper()
	call.path = path(call.path)
	res := f.do(t, call)
	raw := res.Body.String()
	require.Equal(t, status, res.Code, raw)
	require.Equal(t, last, f.service.last)
	require.Contains(t, raw, body)
	require.Equal(t, "no-store", res.Header().Get("Cache-Control"))
	require.Equal(t, "nosniff", res.Header().Get("X-Content-Type-Options"))
	require.NotContains(t, raw, "$schema")
}

func TestErrorsOfTheServiceBecomeProblems(t *testing.T) {
	t.Parallel()
	for kind, status := range map[apperr.Kind]int{
		apperr.Invalid: 422, apperr.NotFound: 404, apperr.Conflict: 409, apperr.Unauthenticated: 401, apperr.Forbidden: 403,
		apperr.TooLarge: 413, apperr.Unsupported: 422, apperr.Erased: 410, apperr.Duplicate: 409, apperr.Stale: 412, apperr.Busy: 429, apperr.Unavailable: 503, apperr.Internal: 500,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.service.err = &apperr.Error{Kind: kind, Message: "what happened", Cause: errors.New("what the driver said")}
			call := request{method: "GET", path: path("/v1/clinics/{clinic}/inbox"), token: "practitioner@" + clinicID}
			p := f.problem(t, call, status)
			require.Equal(t, api.ProblemPrefix+string(kind), p.Type)
			require.NotContains(t, p.Detail, "driver")
			require.Equal(t, kind == apperr.Unavailable || kind == apperr.Busy, f.do(t, call).Header().Get("Retry-After") != "")
			require.Equal(t, kind == apperr.Internal, strings.Contains(f.logs.String(), "what the driver said"))
		})
	}
}

func TestProblemsCarryStateFieldsAndTimes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	call := request{
		method: "POST", path: path("/v1/clinics/{clinic}/dialogues/{dialogue}/answers"),
		token: "practitioner@" + clinicID, body: `{"code":"12","text":"Hei"}`,
	}
	f.service.err = apperr.InState("answered", "the dialogue is answered already")
	require.Equal(t, "answered", f.problem(t, call, 409).State)

	f.service.err = apperr.InvalidFields("the answer has invalid fields", apperr.Field{Path: "id", Rule: "a UUID"}, apperr.Field{Path: "code", Rule: "one of 12, 13"})
	require.Equal(t, []api.Invalid{{Path: "header.Idempotency-Key", Rule: "a UUID"}, {Path: "code", Rule: "one of 12, 13"}}, f.problem(t, call, 422).Errors)

	f.service.err = &apperr.Error{Kind: apperr.Unavailable, Message: "later", After: 1500 * time.Millisecond}
	require.Equal(t, "2", f.do(t, call).Header().Get("Retry-After"))

	f.service.err = errors.New("a name that a library quotes")
	f.problem(t, call, 500)
	require.Contains(t, f.logs.String(), "*errors.errorString")
	require.NotContains(t, f.logs.String(), "a name that")
}

func TestTheFrameworksErrorsHaveTheSameShape(t *testing.T) {
	t.Parallel()
	const answers, inbox = "/v1/clinics/{clinic}/dialogues/{dialogue}/answers", "/v1/clinics/{clinic}/inbox"
	json8 := http.Header{"Content-Type": {"application/json"}}
	for name, c := range map[string]struct {
		request
		status int
		kind   apperr.Kind
		fields []api.Invalid
	}{
		"missing fields": {request{method: "POST", path: answers, body: `{}`}, 422, apperr.Invalid, []api.Invalid{{Path: "text", Rule: "required"}}},
		"unknown field":  {request{method: "POST", path: answers, body: `{"code":"12","text":"x","sms":1}`}, 422, apperr.Invalid, []api.Invalid{{Path: "sms", Rule: "unexpected property"}}},
		"wrong type":     {request{method: "POST", path: answers, body: `{"code":12,"text":"x"}`}, 422, apperr.Invalid, []api.Invalid{{Path: "code", Rule: "expected string"}}},
		"no JSON":        {request{method: "POST", path: answers, body: `{"nationalId:17858012345`}, 400, apperr.Invalid, []api.Invalid{{Path: "body", Rule: "valid JSON"}}},
		"no body":        {request{method: "POST", path: answers}, 400, apperr.Invalid, nil},
		"a form":         {request{method: "POST", path: answers, body: `a=b`, header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}, 415, apperr.Unsupported, []api.Invalid{{Path: "header.Content-Type", Rule: "application/json"}}},
		"too large":      {request{method: "POST", path: answers, header: json8, body: `{"text":"` + strings.Repeat("x", api.MaxBodyBytes) + `"}`}, 413, apperr.TooLarge, nil},
		"limit":          {request{method: "GET", path: inbox + "?limit=0"}, 422, apperr.Invalid, []api.Invalid{{Path: "query.limit", Rule: "expected number >= 1"}}},
		"not a number":   {request{method: "GET", path: inbox + "?limit=x"}, 422, apperr.Invalid, []api.Invalid{{Path: "query.limit", Rule: "invalid integer"}}},
		"no such sort":   {request{method: "GET", path: inbox + "?sort=random"}, 422, apperr.Invalid, []api.Invalid{{Path: "query.sort", Rule: "expected value to be one of \"latest, oldest, due\""}}},
		"no such inbox":  {request{method: "GET", path: inbox + "?recipient=planet:mars"}, 422, apperr.Invalid, []api.Invalid{{Path: "query.recipient", Rule: "kind:id, where kind is one of position, group, role, unit, practitioner"}}},
		"unknown query":  {request{method: "GET", path: inbox + "?nationalId=17858012345"}, 422, apperr.Invalid, []api.Invalid{{Path: "query.nationalId", Rule: "unknown query parameter"}}},
		"other process":  {request{method: "GET", path: "/v1/clinics/{clinic}/routing/telex"}, 404, apperr.NotFound, nil},
		"other dialogue": {request{method: "GET", path: "/v1/clinics/{clinic}/dialogues/1"}, 404, apperr.NotFound, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			c.path, c.token = path(c.path), "practitioner@"+clinicID
			p := f.problem(t, c.request, c.status)
			require.Equal(t, api.ProblemPrefix+string(c.kind), p.Type)
			require.Equal(t, c.fields, p.Errors)
			res := f.do(t, c.request)
			raw := res.Body.Bytes()
			require.NotContains(t, string(raw), nationalID[:6], "no value of the request is echoed")
			require.NotContains(t, f.logs.String(), nationalID[:6])
		})
	}
}

// A refusal stands whether or not it can be written down.
func TestARefusalThatCannotBeWrittenDownIsOne(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.service.err = errors.New("the database is away")
	call := request{method: "PUT", path: path("/v1/clinics/{clinic}/routing/{process}"), token: "staff@" + clinicID, body: `{"format":"practitioner"}`}
	require.Contains(t, f.problem(t, call, 403).Detail, "routing:write")
	require.Equal(t, []string{"staff write-routing-rule"}, f.service.refused)
	call.token = "staff@0198c0de-0000-7000-8000-00000000c112"
	f.problem(t, call, 403)
	require.Len(t, f.service.refused, 1, "another clinic's audit is not written to")
}

// TestAKeyIsOneSystems: what takes an Idempotency-Key holds it before it does anything.
func TestAKeyIsOneSystems(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const key = "0198c0de-0000-7000-8000-00000000c0de"
	f.service.holdErr = apperr.New(apperr.Duplicate, "another system has used this key")
	call := request{method: "POST", path: path("/v1/clinics/{clinic}/dialogues/d/answers"), token: "practitioner@" + clinicID, body: `{"text":"t"}`, header: http.Header{"Idempotency-Key": {key}}}
	f.problem(t, call, 409)
	require.Zero(t, f.service.calls)
	f.service.holdErr = nil
	require.Equal(t, 202, f.do(t, call).Code)
	require.Equal(t, 1, f.service.calls)
	require.Len(t, f.service.held, 2)
	require.Contains(t, f.service.held[0], clinicID+" "+key)
}

// TestWhoAsksTooOftenWaits: and nothing is asked of the service meanwhile.
func TestWhoAsksTooOftenWaits(t *testing.T) {
	t.Parallel()
	f := setup(t, api.WithLimit(0.1, 2))
	call := request{method: "GET", path: path("/v1/clinics/{clinic}/inbox"), token: "staff@" + clinicID}
	for range 2 {
		require.Equal(t, 200, f.do(t, call).Code)
	}
	res := f.do(t, call)
	require.Equal(t, 429, res.Code)
	require.Equal(t, "10", res.Header().Get("Retry-After"))
	require.Contains(t, res.Body.String(), "problems/busy")
	require.Equal(t, 2, f.service.calls)
	call.token = "practitioner@" + clinicID
	require.Equal(t, 200, f.do(t, call).Code, "another is not kept waiting")
}

func TestPagesSayWhereTheyGoOn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.service.next = "next"
	for route, token := range map[string]string{"inbox": "staff@" + clinicID, "dialogues": "staff@" + clinicID, "cases": "operator@"} {
		res := f.do(t, request{method: "GET", path: path("/v1/clinics/{clinic}/" + route), token: token})
		require.JSONEq(t, `{"items":[],"nextCursor":"next"}`, res.Body.String(), route)
	}
	f.service.err = apperr.InvalidFields("the list cannot go on there", apperr.Field{Path: "cursor", Rule: "the nextCursor of the page before"})
	p := f.problem(t, request{method: "GET", path: path("/v1/clinics/{clinic}/inbox?cursor=x"), token: "staff@" + clinicID}, 422)
	require.Equal(t, []api.Invalid{{Path: "query.cursor", Rule: "the nextCursor of the page before"}}, p.Errors)
}

func TestAcceptHeadersDoNotChangeTheFormat(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, accept := range []string{"text/html", "application/xml", "*/*", "application/json;q=0.1"} {
		res := f.do(t, request{method: "GET", path: path("/v1/clinics/{clinic}/inbox"), token: "practitioner@" + clinicID, header: http.Header{"Accept": {accept}}})
		require.Equal(t, 200, res.Code)
		require.Equal(t, "application/json", res.Header().Get("Content-Type"))
	}
}

func TestAClinicIsWrittenUnderItsOwnPath(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := f.problem(t, request{
		method: "PUT", path: path("/v1/clinics/{clinic}"), token: "operator@",
		body: `{"id":"0198c0de-0000-7000-8000-00000000c112","name":"x","herId":1,"staff":[],"parties":[]}`,
	}, 422)
	require.Equal(t, []api.Invalid{{Path: "id", Rule: "the clinic of the path"}}, p.Errors)
	require.Zero(t, f.service.calls)
}

func TestHealthNeedsNoTokenAndSaysWhichDependencyIsDown(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.Equal(t, 200, f.do(t, request{method: "GET", path: "/healthz"}).Code)
	require.Equal(t, 200, f.do(t, request{method: "GET", path: "/readyz"}).Code)
	f.service.err = errors.New("password in a connection string")
	require.Equal(t, 200, f.do(t, request{method: "GET", path: "/healthz"}).Code, "the process lives")
	res := f.do(t, request{method: "GET", path: "/readyz"})
	raw := res.Body.Bytes()
	require.Equal(t, 503, res.Code)
	var all map[string]string
	require.NoError(t, json.Unmarshal(raw, &all))
	require.Equal(t, "ok", all["postgresql"])
	require.NotEqual(t, "ok", all["temporal"])
	require.NotContains(t, string(raw), "password")
}

func TestKeysThatCannotBeReadAreNoRefusalOfTheToken(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := api.New(f.service, tokens{err: apperr.New(apperr.Unavailable, "the issuer's keys cannot be read")}, nil, slog.New(slog.DiscardHandler))
	fixture{API: a}.problem(t, request{method: "GET", path: path("/v1/clinics/{clinic}/inbox"), token: "practitioner@" + clinicID}, 503)
}

func TestLogsHaveTheRouteAndNotTheURL(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.do(t, request{method: "GET", path: path("/v1/clinics/{clinic}/inbox?limit=3"), token: "practitioner@" + clinicID})
	f.do(t, request{method: "GET", path: "/17858012345"})
	f.do(t, request{method: "POST", path: path("/v1/clinics/{clinic}/patients/find"), token: "service@" + clinicID, body: `{"nationalId":"` + nationalID + `"}`})
	lines := strings.Split(strings.TrimSpace(f.logs.String()), "\n")
	require.Len(t, lines, 3)
	var first struct {
		Msg, Method, Route, Subject string
		Status                      int
	}
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	require.Equal(t, "request", first.Msg)
	require.Equal(t, "GET", first.Method)
	require.Equal(t, "/v1/clinics/{clinic}/inbox", first.Route)
	require.Equal(t, "subject-of-practitioner", first.Subject)
	require.Equal(t, 200, first.Status)
	require.NotContains(t, f.logs.String(), nationalID)
}

type panicking struct{ *service }

func (s *service) ResolveCase(_ context.Context, _ identity.Principal, _, id string) error {
	return s.call(id)
}

func (panicking) Cases(context.Context, identity.Principal, string, pg.CaseQuery) (pg.Page[client.Case], error) {
	panic("Kari Nordmann")
}

func TestAPanicIsAProblemAndALogLineWithoutItsText(t *testing.T) {
	t.Parallel()
	l := &logs{}
	f := fixture{API: api.New(panicking{&service{}}, tokens{}, nil, slog.New(slog.NewJSONHandler(l, nil)))}
	f.problem(t, request{method: "GET", path: path("/v1/clinics/{clinic}/cases"), token: "clinic-administrator@" + clinicID}, 500)
	require.Contains(t, l.String(), "a request panicked")
	require.NotContains(t, l.String(), "Kari")
}

func TestEveryRightOfARouteExists(t *testing.T) {
	t.Parallel()
	var known []identity.Right
	for _, g := range identity.Rights() {
		known = append(known, g.Right)
	}
	for _, r := range setup(t).Routes() {
		require.True(t, r.Right == "" || slices.Contains(known, r.Right), r)
	}
}
