// Package tenancy_test holds the API's route table against the table of rights, for every
// role of two clinics: tokens, HTTP API, client and PostgreSQL are the real ones.
package tenancy_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
	"github.com/helsebro/helsebro/internal/devstack/apiworld"
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

// parameter is a part of a path that names something.
var parameter = regexp.MustCompile(`\{(\w+)\}`)

// world is two clinics on one installation.
type world struct {
	*testing.T
	d      *storetest.Database
	s      *pg.Store
	api    *api.API
	server *httptest.Server
	issuer *identity.DevIssuer
	a, b   apiworld.Clinic
	// key is the idempotency key of the last call: the id of its command.
	key string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d := storetest.New(t)
	s := d.Store.At(func() time.Time { return now })
	w := &world{T: t, d: d, s: s, a: apiworld.Found(t, s, 1, now), b: apiworld.Found(t, s, 2, now)}
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
	w.key = uuid.NewString()
	return w.again(p, route, target, body)
}

// again makes a call with the key of the last one.
func (w *world) again(p identity.Principal, route api.Route, target, body string) (int, string) {
	w.Helper()
	token, err := w.issuer.Issue(p, time.Hour)
	require.NoError(w, err)
	req, err := http.NewRequestWithContext(w.Context(), route.Method, w.server.URL+target, strings.NewReader(body))
	require.NoError(w, err)
	req.Header.Set("Authorization", "Bearer "+token)
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
func (w *world) rows(c apiworld.Clinic) string {
	w.Helper()
	tables, err := w.d.SQL(w.Context(), `SELECT table_name FROM information_schema.columns WHERE column_name = 'clinic_id' AND table_schema = 'public'
		AND table_name <> 'request_key' /* a request has its key before it is known whether it changes anything */ ORDER BY 1`)
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
		for _, of := range []apiworld.Clinic{w.a, w.b} {
			target, body := apiworld.Request(t, route, of, of.IDs, now)
			callers := []identity.Principal{installation}
			for _, role := range roles {
				callers = append(callers, w.a.Who(role), w.b.Who(role))
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
				names = append(names, apiworld.Named(route, p[1]))
			}
		}
		for _, name := range names {
			for _, role := range roles {
				p := w.a.Who(role)
				if !p.May(route.Right) {
					continue
				}
				asks := func(id string) (int, string) {
					ids := map[string]string{}
					for k, v := range w.a.IDs {
						ids[k] = v
					}
					ids[name] = id
					target, body := apiworld.Request(t, route, w.a, ids, now)
					calls++
					return w.call(p, route, target, body)
				}
				status, answer := asks(w.b.IDs[name])
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
					_, err := w.s.ApplyDialogueChange(w.Context(), contract.ApplyDialogueChangeInput{ClinicID: w.a.ID, DialogueID: w.a.IDs["dialogue"], CommandID: command, Now: now})
					require.True(t, apperr.Is(err, apperr.NotFound), "%s: %v", about, err)
					continue
				}
				require.Equal(t, http.StatusNotFound, status, about)
				require.NotContains(t, answer, w.b.IDs[name], about)
			}
		}
	}
	require.Equal(t, before, w.rows(w.b), "nothing of the other clinic has changed")
	t.Logf("%d calls", calls)
}

// TestAKeyOfAnotherSystem: what one system has asked for, another does not get the answer to
// by the same key.
func TestAKeyOfAnotherSystem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keyed := 0
	for _, route := range w.routes() {
		if route.Method != http.MethodPost {
			continue
		}
		target, body := apiworld.Request(t, route, w.a, w.a.IDs, now)
		for _, role := range roles {
			p := w.a.Who(role)
			if !p.May(route.Right) {
				continue
			}
			w.call(p, route, target, body)
			if held, err := w.d.SQL(t.Context(), "SELECT client_id FROM request_key WHERE key = '"+w.key+"'"); err != nil || strings.TrimSpace(held) == "" {
				require.NoError(t, err)
				continue // the route has no key: it does nothing that could be done twice
			}
			keyed++
			p.ClientID = "another-system"
			status, answer := w.again(p, route, target, body)
			require.Equal(t, http.StatusConflict, status, "%s %s as %s: %s", route.Method, target, role, answer)
			require.Contains(t, answer, "another system", "%s %s as %s", route.Method, target, role)
		}
	}
	require.Greater(t, keyed, 20)
}
