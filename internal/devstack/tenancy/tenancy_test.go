// Package tenancy_test holds the API's route table against the table of rights, for every
// role of two clinics: tokens, HTTP API, client and PostgreSQL are the real ones.
package tenancy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

var roles = []identity.Role{
	identity.RoleClinicAdministrator, identity.RolePractitioner, identity.RoleStaff,
	identity.RolePortal, identity.RoleOperator, identity.RoleAuditor, identity.RoleService,
}

// now is the store's clock: a Monday morning.
var now = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

// away is a Temporal that is down: what gets as far as a command is answered 503, and no
// route gets that far with what is another clinic's.
type away struct{}

var errAway = serviceerror.NewUnavailable("no server")

func (away) NewWithStartWorkflowOperation(sdkclient.StartWorkflowOptions, any, ...any) sdkclient.WithStartWorkflowOperation {
	return nil
}

func (away) UpdateWorkflow(context.Context, sdkclient.UpdateWorkflowOptions) (sdkclient.WorkflowUpdateHandle, error) {
	return nil, errAway
}

func (away) UpdateWithStartWorkflow(context.Context, sdkclient.UpdateWithStartWorkflowOptions) (sdkclient.WorkflowUpdateHandle, error) {
	return nil, errAway
}
func (away) SignalWorkflow(context.Context, string, string, string, any) error { return errAway }
func (away) SignalWithStartWorkflow(context.Context, string, string, any, sdkclient.StartWorkflowOptions, any, ...any) (sdkclient.WorkflowRun, error) {
	return nil, errAway
}

func (away) QueryWorkflowWithOptions(context.Context, *sdkclient.QueryWorkflowWithOptionsRequest) (*sdkclient.QueryWorkflowWithOptionsResponse, error) {
	return nil, errAway
}

// nobody is a Helsenorge where nobody is active.
type nobody struct{}

func (nobody) Check(_ context.Context, ids []string) (map[string]registry.Activity, error) {
	said := make(map[string]registry.Activity, len(ids))
	for _, id := range ids {
		said[id] = registry.Activity{}
	}
	return said, nil
}

// clinic is one of the two, with one of everything that has an id.
type clinic struct {
	pg.Clinic
	// ids are by the names of path parameters, and by words of place.
	ids map[string]string
}

func (c clinic) who(role identity.Role) identity.Principal {
	p := identity.Principal{Subject: string(role), ClinicID: c.ID, Role: role}
	if role == identity.RolePractitioner {
		p.HPR = "9144889"
	}
	return p
}

// found writes clinic n.
func found(t *testing.T, s *pg.Store, n int) clinic {
	t.Helper()
	ctx := t.Context()
	c := clinic{Clinic: demo.Clinic(), ids: map[string]string{"process": "e-contact"}}
	c.ID, c.Name, c.HerID = uuid.NewString(), fmt.Sprintf("Senter %d", n), c.HerID+1000*n
	for i, role := range []identity.Role{identity.RolePractitioner, identity.RoleStaff, identity.RoleClinicAdministrator} {
		c.Staff[i].ID, c.Staff[i].Subject = uuid.NewString(), string(role)
		if c.Staff[i].HerID != 0 {
			c.Staff[i].HerID += 1000 * n
		}
	}
	gp := c.Staff[0].ID
	c.Parties = c.Parties[:1]
	c.Parties[0].HerID, c.Parties[0].StaffID = c.Parties[0].HerID+1000*n, gp
	service, portal, doctor := c.who(identity.RoleService), c.who(identity.RolePortal), c.who(identity.RolePractitioner)
	require.NoError(t, s.PutClinic(ctx, service, c.Clinic))
	storetest.Activate(t, s, c.Clinic)
	id := func(name string) string {
		c.ids[name] = uuid.NewString()
		return c.ids[name]
	}
	var err error
	c.ids["gp"] = gp
	c.ids["patient"], err = s.PutPatient(ctx, service, c.ID, pg.Patient{GivenName: "Line", FamilyName: "Testperson", NationalID: "10915596784", IDType: "FNR", Phone: "41234567"}, gp, false)
	require.NoError(t, err)
	c.ids["erased"], err = s.PutPatient(ctx, service, c.ID, pg.Patient{GivenName: "Mor", FamilyName: "Testperson", NationalID: "12815597099", IDType: "FNR"}, gp, false)
	require.NoError(t, err)

	require.NoError(t, s.PutCalendars(ctx, service, c.ID, []pg.Calendar{{ID: id("calendar"), OwnerID: gp, Name: "Frida"}}))
	require.NoError(t, s.PutAppointmentTypes(ctx, service, c.ID, []pg.AppointmentType{{ID: id("type"), Name: "Vanlig time"}}))
	require.NoError(t, s.PutSettings(ctx, c.who(identity.RoleClinicAdministrator), c.ID, pg.Settings{OnlineBooking: true}))
	at := now.Add(72 * time.Hour)
	require.NoError(t, s.PutSlots(ctx, service, c.ID, []pg.Slot{
		{ID: id("slot"), CalendarID: c.ids["calendar"], TypeID: c.ids["type"], StartsAt: at, EndsAt: at.Add(20 * time.Minute), Online: true},
		{ID: id("deleted"), CalendarID: c.ids["calendar"], TypeID: c.ids["type"], StartsAt: at.Add(time.Hour), EndsAt: at.Add(2 * time.Hour)},
	}))
	booking := pg.Change{
		ID: uuid.NewString(), Kind: pg.ChangeBook, AppointmentID: id("appointment"), PatientID: c.ids["patient"],
		CalendarID: c.ids["calendar"], TypeID: c.ids["type"], StartsAt: at.Add(24 * time.Hour), EndsAt: at.Add(25 * time.Hour),
	}
	_, err = s.DraftChange(ctx, doctor, c.ID, booking)
	require.NoError(t, err)
	_, err = s.ApplyChange(ctx, contract.ApplyChangeInput{ClinicID: c.ID, AppointmentID: booking.AppointmentID, CommandID: booking.ID})
	require.NoError(t, err)

	file, err := s.StoreFile(ctx, portal, c.ID, pg.NewFile{PatientID: c.ids["patient"], ViewerID: c.ids["patient"], MIME: "image/png", Description: "kne.png"},
		strings.NewReader("a picture"), func(func() (io.Reader, error)) error { return nil })
	require.NoError(t, err)
	written, err := s.StorePortalMessage(ctx, portal, c.ID, pg.WrittenInPortal{
		ID: uuid.NewString(), PatientID: c.ids["patient"], ViewerID: c.ids["patient"], Text: "Hei", Attachments: []string{file.ID},
	})
	require.NoError(t, err)
	_, err = s.Place(ctx, contract.DeliverToInboxInput{ClinicID: c.ID, DialogueID: written.DialogueID, MessageID: written.ID})
	require.NoError(t, err)
	c.ids["file"], c.ids["dialogue"], c.ids["message"] = file.ID, written.DialogueID, written.ID
	_, err = s.DraftAnswer(ctx, doctor, c.ID, written.DialogueID, pg.Draft{ID: id("answer"), Text: "Hei"})
	require.NoError(t, err)
	_, err = s.PublishMessage(ctx, contract.PublishMessageInput{ClinicID: c.ID, DialogueID: written.DialogueID, OutboundID: c.ids["answer"], Now: now})
	require.NoError(t, err)
	renewal := pg.Arrival{
		TransportID: uuid.NewString(), Subject: "DIALOG_INNBYGGER_RESEPTFORNYELSE", FromHerID: 800001, ToHerID: c.Parties[0].HerID, Raw: []byte("<raw/>"), Verdict: pg.Taken,
		ProcessCode: "DIALOG_INNBYGGER_RESEPTFORNYELSE", Function: "RF", MsgID: uuid.NewString(), Process: contract.ProcessPrescription,
		Patient: &pg.Patient{GivenName: "Line", FamilyName: "Testperson", NationalID: "10915596784", IDType: "FNR"},
		Content: pg.Content{Subject: "Medisin", Text: "Hei", DeliveryMode: "AP"},
	}
	request, err := s.StoreArrival(ctx, renewal)
	require.NoError(t, err)
	renewal.Raw = []byte("<other/>")
	forged, err := s.StoreArrival(ctx, renewal)
	require.NoError(t, err)
	require.Equal(t, pg.Quarantined, forged.Verdict)
	c.ids["request"], c.ids["quarantined"] = request.DialogueID, forged.ID
	c.ids["case"], err = s.OpenCase(ctx, contract.OpenCaseInput{ClinicID: c.ID, DialogueID: written.DialogueID, MessageID: written.ID, Kind: contract.CaseAnswerOverdue})
	require.NoError(t, err)
	return c
}

var parameter = regexp.MustCompile(`\{(\w+)\}`)

// named is the id that a parameter of a route stands for: what a route takes away is there
// for that alone.
func named(route api.Route, name string) string {
	switch {
	case route.Method == http.MethodDelete && name == "patient":
		return "erased"
	case route.Method == http.MethodDelete && name == "slot":
		return "deleted"
	case strings.HasSuffix(route.Path, "/resend") && name == "message":
		return "answer"
	case strings.HasSuffix(route.Path, "/turn") && name == "dialogue":
		return "request"
	case strings.Contains(route.Path, "/quarantine/"):
		return "quarantined"
	}
	return name
}

// filled is the path, query and body of a request that a route takes, with these ids.
func filled(t *testing.T, route api.Route, c clinic, ids map[string]string) (target, body string) {
	t.Helper()
	path := parameter.ReplaceAllStringFunc(route.Path, func(p string) string {
		if p == "{clinic}" {
			return c.ID
		}
		value := ids[named(route, p[1:len(p)-1])]
		require.NotEmpty(t, value, "%s: the test has no %s", route.Path, p)
		return value
	})
	at := func(hours int) string { return now.Add(time.Duration(hours) * time.Hour).Format(time.RFC3339) }
	query := url.Values{}
	if route.Method == http.MethodGet {
		if strings.HasSuffix(route.Path, "/slots") || strings.HasSuffix(route.Path, "/entries") {
			query.Set("from", at(0))
			query.Set("to", at(200))
		}
		if strings.HasSuffix(route.Path, "{clinic}/slots") {
			query.Set("calendar", ids["calendar"])
		}
		if strings.HasSuffix(route.Path, "/reachability") {
			query.Set("kind", "e-dialogue")
		}
	}
	if strings.Contains(route.Path, "/portal/") && (route.Method == http.MethodGet || strings.HasSuffix(route.Path, "/attachments")) {
		query.Set("viewer", c.ids["patient"])
	}
	type object map[string]any
	calendar := object{"id": ids["calendar"], "ownerId": c.ids["gp"], "name": "Frida"}
	kind := object{"id": ids["type"], "name": "Vanlig time"}
	slot := object{"id": ids["slot"], "calendarId": c.ids["calendar"], "typeId": c.ids["type"], "startsAt": at(72), "endsAt": at(73), "online": true}
	patient := object{"givenName": "Line", "familyName": "Testperson", "nationalId": "10915596784", "phone": "41234567"}
	bodies := map[string]any{
		"POST /dialogues/{dialogue}/answers":           object{"text": "Hei"},
		"PUT /routing/{process}":                       object{"format": "practitioner"},
		"PUT ":                                         c.Clinic,
		"PUT /patients":                                patient,
		"POST /patients/find":                          object{"nationalId": "10915596784"},
		"POST /dialogues":                              object{"kind": "e-dialogue", "patientId": c.ids["patient"], "text": "Hei"},
		"POST /dialogues/{dialogue}/changes":           object{"kind": "take"},
		"POST /dialogues/{dialogue}/turn":              object{"kind": "e-contact", "subject": "Svar", "text": "Hei"},
		"PUT /settings":                                pg.Settings{OnlineBooking: true},
		"PUT /calendars":                               object{"calendars": []object{calendar}},
		"PUT /calendars/{calendar}":                    calendar,
		"PUT /appointment-types":                       object{"types": []object{kind}},
		"PUT /appointment-types/{type}":                kind,
		"PUT /slots":                                   object{"slots": []object{slot}},
		"PUT /slots/{slot}":                            slot,
		"PUT /patients/bulk":                           object{"patients": []object{patient}},
		"PUT /patients/{patient}/status":               object{"bornOn": "1980-01-01"},
		"PUT /patients/{patient}/contacts":             object{"contacts": []object{}},
		"PUT /patients/{patient}/preference":           object{"channels": []string{"sms"}},
		"PUT /patients/{patient}/representations":      object{"representations": []object{}},
		"POST /appointments":                           object{"patientId": c.ids["patient"], "calendarId": c.ids["calendar"], "typeId": c.ids["type"], "startsAt": at(150), "endsAt": at(151)},
		"PATCH /appointments/{appointment}":            object{"place": "Rom 2"},
		"POST /appointments/{appointment}/answer":      object{"code": "06"},
		"POST /portal/patients/{patient}/appointments": object{"viewerId": c.ids["patient"], "slotId": c.ids["slot"]},
		"POST /portal/patients/{patient}/dialogues":    object{"viewerId": c.ids["patient"], "text": "Hei"},
		"POST /portal/patients/{patient}/dialogues/{dialogue}/messages":     object{"viewerId": c.ids["patient"], "text": "Hei"},
		"POST /portal/patients/{patient}/appointments/{appointment}/cancel": object{"viewerId": c.ids["patient"]},
		"POST /quarantine/{message}/decisions":                              object{"decision": "retry"},
		"POST /integration/suspend":                                         object{"reason": "Ferie"},
		"POST /integration/sign-off":                                        object{"key": "digital-dialogue-ordered"},
	}
	switch content, ok := bodies[route.Method+" "+strings.TrimPrefix(route.Path, "/v1/clinics/{clinic}")]; {
	case strings.HasSuffix(route.Path, "/attachments"):
		body = "%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
	case ok:
		raw, err := json.Marshal(content)
		require.NoError(t, err)
		body = string(raw)
	case route.Method == http.MethodPost && !strings.HasSuffix(route.Path, "/resend") && !strings.HasSuffix(route.Path, "/resolve") && !strings.HasSuffix(route.Path, "/activity"):
		body = "{}"
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, body
}

// world is two clinics on one installation.
type world struct {
	*testing.T
	d      *storetest.Database
	s      *pg.Store
	api    *api.API
	server *httptest.Server
	issuer *identity.DevIssuer
	a, b   clinic
	// key is the idempotency key of the last call: the id of its command.
	key string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d := storetest.New(t)
	s := d.Store.At(func() time.Time { return now })
	w := &world{T: t, d: d, s: s, a: found(t, s, 1), b: found(t, s, 2)}
	dir := t.TempDir()
	var err error
	w.issuer, err = identity.OpenDevIssuer(filepath.Join(dir, "key.pem"))
	require.NoError(t, err)
	keys := filepath.Join(dir, "jwks.json")
	require.NoError(t, w.issuer.WriteJWKS(keys))
	verifier, err := identity.NewVerifier(config.Identity{Issuer: identity.DevIssuerName, Audience: identity.DevAudience, JWKSFile: keys})
	require.NoError(t, err)
	w.api = api.New(client.New(s, away{}, client.WithActivity(nobody{})), verifier, nil, slog.New(slog.DiscardHandler))
	w.server = httptest.NewServer(w.api)
	t.Cleanup(w.server.Close)
	return w
}

// routes are those that need a right.
func (w *world) routes() []api.Route {
	return slices.DeleteFunc(w.api.Routes(), func(r api.Route) bool { return r.Right == "" })
}

func (w *world) call(p identity.Principal, route api.Route, target, body string) (int, string) {
	w.Helper()
	token, err := w.issuer.Issue(p, time.Hour)
	require.NoError(w, err)
	req, err := http.NewRequestWithContext(w.Context(), route.Method, w.server.URL+target, strings.NewReader(body))
	require.NoError(w, err)
	req.Header.Set("Authorization", "Bearer "+token)
	w.key = uuid.NewString()
	req.Header.Set("Idempotency-Key", w.key)
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(body, "%PDF") {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	res, err := w.server.Client().Do(req)
	require.NoError(w, err)
	defer res.Body.Close() //nolint:errcheck // it is read whole
	answer, err := io.ReadAll(res.Body)
	require.NoError(w, err)
	return res.StatusCode, string(answer)
}

// rows is all that the database has of a clinic, as a sum of each table.
func (w *world) rows(c clinic) string {
	w.Helper()
	tables, err := w.d.SQL(w.Context(), `SELECT table_name FROM information_schema.columns WHERE column_name = 'clinic_id' AND table_schema = 'public' ORDER BY 1`)
	require.NoError(w, err)
	names := strings.Fields(tables)
	require.Greater(w, len(names), 20)
	var sums []string
	for _, name := range names {
		sums = append(sums, fmt.Sprintf(`SELECT '%[1]s', count(*), md5(string_agg(x::text, '|' ORDER BY x::text)) FROM %[1]s x WHERE clinic_id::text = '%[2]s'`, name, c.ID))
	}
	out, err := w.d.SQL(w.Context(), strings.Join(sums, " UNION ALL "))
	require.NoError(w, err)
	return out
}

// TestEveryRouteForEveryRoleOfTwoClinics: 403 for who lacks the right that the route
// declares, 404 for another clinic's path, and neither for who has the right in his own.
func TestEveryRouteForEveryRoleOfTwoClinics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	installation := identity.Principal{Subject: "operator", Role: identity.RoleOperator}
	said, calls := map[string]map[int]int{"lacks the right": {}, "another's clinic": {}, "may": {}}, 0
	for _, route := range w.routes() {
		may := said["may"]
		said["may"] = map[int]int{}
		for _, of := range []clinic{w.a, w.b} {
			target, body := filled(t, route, of, of.ids)
			callers := []identity.Principal{installation}
			for _, role := range roles {
				callers = append(callers, w.a.who(role), w.b.who(role))
			}
			for _, p := range callers {
				status, answer := w.call(p, route, target, body)
				calls++
				about := fmt.Sprintf("%s %s as %s of %s: %d %s", route.Method, target, p.Role, p.ClinicID, status, answer)
				held := slices.ContainsFunc(identity.Rights(), func(g identity.Grant) bool { return g.Right == route.Right && slices.Contains(g.Roles, p.Role) })
				switch {
				case !held:
					require.Equal(t, http.StatusForbidden, status, about)
					require.Contains(t, answer, string(route.Right), about)
					said["lacks the right"][status]++
				case p.ClinicID != of.ID && p != installation:
					require.Equal(t, http.StatusNotFound, status, about)
					require.NotContains(t, answer, of.ID, about)
					said["another's clinic"][status]++
				default:
					require.Contains(t, []int{200, 201, 202, 204, 409, 503}, status, about)
					said["may"][status]++
				}
			}
		}
		require.NotEmpty(t, said["may"], "nobody can use %s %s", route.Method, route.Path)
		for status, n := range said["may"] {
			may[status] += n
		}
		said["may"] = may
	}
	t.Logf("%d routes, %d calls: %v", len(w.routes()), calls, said)
}

// chosen are the routes whose id the caller makes up: what is not there is written. The
// id of another clinic's is refused as taken, which does not say by whom.
var chosen = map[string]int{
	"PUT /v1/clinics/{clinic}/calendars/{calendar}":     http.StatusConflict,
	"PUT /v1/clinics/{clinic}/appointment-types/{type}": http.StatusConflict,
	"PUT /v1/clinics/{clinic}/slots/{slot}":             http.StatusConflict,
}

// TestAnotherClinicsThingsAreLikeNothing names, in turn, each id of a path that is another
// clinic's: the answer is word for word that for an id that was never given out, and
// nothing of the other clinic changes, not even its audit.
func TestAnotherClinicsThingsAreLikeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before, calls := w.rows(w.b), 0
	for _, route := range w.routes() {
		var names []string
		for _, p := range parameter.FindAllStringSubmatch(route.Path, -1) {
			if p[1] != "clinic" && p[1] != "process" {
				names = append(names, named(route, p[1]))
			}
		}
		for _, name := range names {
			for _, role := range roles {
				p := w.a.who(role)
				if !p.May(route.Right) {
					continue
				}
				asks := func(id string) (int, string) {
					ids := map[string]string{}
					for k, v := range w.a.ids {
						ids[k] = v
					}
					ids[name] = id
					target, body := filled(t, route, w.a, ids)
					calls++
					return w.call(p, route, target, body)
				}
				status, answer := asks(w.b.ids[name])
				about := fmt.Sprintf("%s %s, %s of another, as %s: %d %s", route.Method, route.Path, name, role, status, answer)
				if want, ok := chosen[route.Method+" "+route.Path]; ok {
					require.Equal(t, want, status, about)
					require.NotContains(t, answer, w.b.ID, about)
					continue
				}
				command := w.key
				unknown, nothing := asks(uuid.NewString())
				require.Equal(t, unknown, status, about)
				require.Equal(t, nothing, answer, about)
				if route.Method == http.MethodDelete && name == "deleted" {
					require.Equal(t, http.StatusNoContent, status, "what is not there is away: %s", about)
					continue
				}
				if strings.HasSuffix(route.Path, "/resend") && name == "answer" {
					// Whether the dialogue has such a message is decided when its lifecycle
					// applies the command.
					require.Equal(t, http.StatusServiceUnavailable, status, about)
					_, err := w.s.ApplyDialogueChange(w.Context(), contract.ApplyDialogueChangeInput{ClinicID: w.a.ID, DialogueID: w.a.ids["dialogue"], CommandID: command, Now: now})
					require.True(t, apperr.Is(err, apperr.NotFound), "%s: %v", about, err)
					continue
				}
				require.Equal(t, http.StatusNotFound, status, about)
				require.NotContains(t, answer, w.b.ids[name], about)
			}
		}
	}
	require.Equal(t, before, w.rows(w.b), "nothing of the other clinic has changed")
	t.Logf("%d calls", calls)
}
