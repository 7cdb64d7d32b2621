package apicontract

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/devstack/apiworld"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/starter/api"
)

// stands are the operations that a clinic which nobody has written to cannot carry out:
// what stands in the way is the documented answer.
var stands = map[string]string{
	"activate-integration": "active",          // it is
	"answer-wish":          "booked",          // no citizen wishes anything
	"resend-message":       "done",            // no receipt is overdue
	"turn-into-dialogue":   "awaiting-clinic", // the renewal request is not answered
	"resume-integration":   "suspended",       // its preconditions do not hold: no registry knows the clinic
}

// before is what makes an operation possible.
var before = map[string][]string{
	"restore-appointment": {"cancel-appointment"},
	"resume-integration":  {"suspend-integration"},
}

// prepare carries out what makes the operation possible.
func prepare(t *testing.T, c apiworld.Clinic, op Operation) {
	t.Helper()
	for _, step := range before[op.ID] {
		a := valid(t, c, operation(t, step)).do(t)
		require.Less(t, a.Status, 300, "%s: %s", step, a.Body)
	}
}

func operation(t *testing.T, id string) Operation {
	t.Helper()
	all := installation.document.Operations()
	i := slices.IndexFunc(all, func(op Operation) bool { return op.ID == id })
	require.GreaterOrEqual(t, i, 0, id)
	return all[i]
}

// problemOf reads a problem, and holds it to what every problem keeps.
func problemOf(t *testing.T, a Answer) api.Problem {
	t.Helper()
	require.Equal(t, "application/problem+json", a.Header.Get("Content-Type"), "%d %s", a.Status, a.Body)
	var p api.Problem
	require.NoError(t, json.Unmarshal(a.Body, &p))
	require.Equal(t, a.Status, p.Status)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	require.True(t, strings.HasPrefix(p.Type, api.ProblemPrefix), p.Type)
	require.NoError(t, discreet(a))
	return p
}

func kindOf(t *testing.T, a Answer) apperr.Kind {
	t.Helper()
	return apperr.Kind(strings.TrimPrefix(problemOf(t, a).Type, api.ProblemPrefix))
}

// indiscreet is what no problem may hold: how this is built, a number of a person, and the
// name of a file.
var indiscreet = regexp.MustCompile(`goroutine|\.go\b|panic|runtime|0x[0-9a-f]{6,}|pgx|SQLSTATE|(?i:\b(select|insert|update|delete)\b .*\b(from|into|set|where)\b)|\b\d{11}\b|kne\.png|json: |Go struct|/(usr|tmp|root|home|work)/`)

func discreet(a Answer) error {
	if found := indiscreet.Find(a.Body); found != nil {
		return fmt.Errorf("the problem says %q: %s", found, a.Body)
	}
	return nil
}

// TestEveryOperationAnswersAsDocumented asks every operation of the document for what a
// clinic has.
func TestEveryOperationAnswersAsDocumented(t *testing.T) {
	require.Equal(t, "3.1.0", installation.document.OpenAPI)
	for _, op := range installation.document.Operations() {
		t.Run(op.ID, func(t *testing.T) {
			c := newClinic(t)
			prepare(t, c, op)
			a := valid(t, c, op).do(t)
			require.NoError(t, installation.document.Keeps(op, a), "%d %s\n%s", a.Status, a.Body, installation.log.faults())
			if state := stands[op.ID]; state != "" {
				require.Equal(t, apperr.Conflict, kindOf(t, a))
				require.Equal(t, state, problemOf(t, a).State)
				return
			}
			require.Less(t, a.Status, http.StatusMultipleChoices, "%s", a.Body)
			require.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
			require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
			if strings.HasSuffix(op.ID, "read-attachment") {
				require.Regexp(t, `^attachment; filename=[0-9a-f-]{36}\.png$`, a.Header.Get("Content-Disposition"))
				require.Contains(t, a.Header["Content-Security-Policy"][len(a.Header["Content-Security-Policy"])-1], "sandbox")
			}
		})
	}
}

// TestEveryOperationRefusesAsDocumented asks every operation wrongly, in every way that its
// description allows.
func TestEveryOperationRefusesAsDocumented(t *testing.T) {
	c := newClinic(t)
	for _, op := range installation.document.Operations() {
		t.Run(op.ID, func(t *testing.T) {
			refused := func(status int, kind apperr.Kind, change func(*call)) api.Problem {
				t.Helper()
				asked := valid(t, c, op)
				change(&asked)
				a := asked.do(t)
				require.Equal(t, status, a.Status, "%s", a.Body)
				require.Equal(t, kind, kindOf(t, a))
				if asked.method == op.Method {
					require.NoError(t, installation.document.Keeps(op, a))
				}
				if status == http.StatusUnauthorized {
					require.NotEmpty(t, a.Header.Get("WWW-Authenticate"))
				}
				if status == http.StatusMethodNotAllowed {
					require.Contains(t, a.Header.Get("Allow"), op.Method)
				}
				return problemOf(t, a)
			}
			refused(401, apperr.Unauthenticated, func(r *call) { r.header.Del("Authorization") })
			refused(401, apperr.Unauthenticated, func(r *call) { r.header.Set("Authorization", "Bearer a.b.c") })
			refused(400, apperr.Unauthenticated, func(r *call) { r.header.Add("Authorization", "Bearer a.b.c") })
			for _, role := range []identity.Role{identity.RolePortal, identity.RoleOperator, identity.RoleStaff, identity.RoleAuditor} {
				if p := c.Who(role); !p.May(identity.Right(op.Right)) {
					said := refused(403, apperr.Forbidden, func(r *call) { r.header.Set("Authorization", as(t, p)) })
					require.Contains(t, said.Detail, op.Right)
				}
			}
			refused(404, apperr.NotFound, func(r *call) { r.target = strings.Replace(r.target, c.ID, uuid.NewString(), 1) })
			refused(404, apperr.NotFound, func(r *call) { r.target = strings.Replace(r.target, c.ID, "x", 1) })
			said := refused(422, apperr.Invalid, func(r *call) {
				if strings.Contains(r.target, "?") {
					r.target += "&unknown=1"
				} else {
					r.target += "?unknown=1"
				}
			})
			require.Contains(t, fmt.Sprint(said.Errors), "unknown")
			for _, p := range op.Parameters {
				if p.In == "query" && p.Required {
					said := refused(422, apperr.Invalid, func(r *call) {
						path, _, _ := strings.Cut(r.target, "?")
						r.target = path
					})
					require.Contains(t, fmt.Sprint(said.Errors), "query."+p.Name)
				}
			}
			for _, method := range []string{http.MethodOptions, "BREW"} {
				refused(405, apperr.NotFound, func(r *call) { r.method, r.body = method, http.NoBody })
			}
			if op.RequestBody == nil {
				return
			}
			if _, file := op.RequestBody.Content["application/octet-stream"]; file {
				refused(422, apperr.Unsupported, func(r *call) { r.body = strings.NewReader("<svg onload='x'/>") })
				refused(422, apperr.Invalid, func(r *call) { r.body = http.NoBody })
				refused(422, apperr.Invalid, func(r *call) { r.header.Set("Content-Disposition", "attachment; filename*=UTF-8''%zz") })
				return
			}
			refused(400, apperr.Invalid, func(r *call) { r.body = http.NoBody })
			for _, broken := range []string{`{`, `{"a":`, "{\"a\": \"\xff", `{"text": "a"} x`, `{"a": 1e400}`, strings.Repeat(`{"a":`, 20_000)} {
				refused(400, apperr.Invalid, func(r *call) { r.body = strings.NewReader(broken) })
			}
			for _, other := range []string{`[]`, `"a"`, `1`, `{"aFieldThatThereIsNot": 1}`} {
				refused(422, apperr.Invalid, func(r *call) { r.body = strings.NewReader(other) })
			}
			for _, media := range []string{"text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"} {
				refused(415, apperr.Unsupported, func(r *call) { r.header.Set("Content-Type", media) })
			}
			for _, field := range installation.document.Resolve(op.RequestBody.Content["application/json"].Schema).Required {
				said := refused(422, apperr.Invalid, func(r *call) { r.body = strings.NewReader(`{}`) })
				require.Contains(t, fmt.Sprint(said.Errors), field)
			}
			refused(413, apperr.TooLarge, func(r *call) {
				r.body = struct{ *strings.Reader }{strings.NewReader(`{"a": "` + strings.Repeat("x", api.MaxBodyBytes) + `"}`)} // its length is not told
			})
			unread(t, valid(t, c, op), api.MaxBodyBytes+1)
		})
	}
}

// unread says that it sends so many bytes, sends none, and has its answer nevertheless.
func unread(t *testing.T, r call, length int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(installation.APIURL(), "http://"))
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // it is read whole
	r.header.Set("Content-Length", fmt.Sprint(length))
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: test\r\n", r.method, r.target)
	require.NoError(t, err)
	require.NoError(t, r.header.Write(conn))
	_, err = fmt.Fprint(conn, "\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err, "nothing is answered before the body has come")
	defer res.Body.Close() //nolint:errcheck // its status is what is wanted
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
}

// TestHeadAndUnknownRoutes: HEAD is GET without its body, and what is no route is a problem
// like any other.
func TestHeadAndUnknownRoutes(t *testing.T) {
	c := newClinic(t)
	for _, id := range []string{"read-settings", "list-dialogues", "read-attachment"} {
		whole := valid(t, c, operation(t, id)).do(t)
		asked := valid(t, c, operation(t, id))
		asked.method = http.MethodHead
		head := asked.do(t)
		require.Equal(t, http.StatusOK, head.Status)
		require.Empty(t, head.Body)
		require.Equal(t, whole.Header.Get("Content-Type"), head.Header.Get("Content-Type"))
	}
	for _, path := range []string{"/", "/v1", "/v1/clinics", "/v1/clinics/" + c.ID + "/nothing", "/V1/clinics/" + c.ID + "/settings", "/docs/x", "/healthz/x"} {
		a := call{http.MethodGet, path, http.Header{}, http.NoBody}.do(t)
		require.Equal(t, http.StatusNotFound, a.Status, path)
		require.Equal(t, apperr.NotFound, kindOf(t, a))
	}
}

// TestProblemsOfContent: what is erased is gone, and a key belongs to one request.
func TestProblemsOfContent(t *testing.T) {
	c := newClinic(t)
	status := operation(t, "read-patient-status")
	asked := valid(t, c, status)
	asked.target = strings.Replace(asked.target, c.IDs["patient"], c.IDs["erased"], 1)
	require.Equal(t, http.StatusOK, asked.do(t).Status)
	require.Equal(t, http.StatusNoContent, valid(t, c, operation(t, "erase-patient")).do(t).Status)
	a := asked.do(t)
	require.Equal(t, http.StatusGone, a.Status)
	require.Equal(t, apperr.Erased, kindOf(t, a))
	require.NoError(t, installation.document.Keeps(status, a))
}
