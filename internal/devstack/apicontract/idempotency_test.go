package apicontract

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/devstack/apiworld"
	"github.com/helsebro/helsebro/internal/identity"
)

// natural are the operations of POST that do nothing more the second time, and need no key.
var natural = []string{"find-patient", "refresh-activity", "resolve-case", "decide-quarantined"}

// done is how much a clinic has been asked for: what a second effect would add to.
func done(t *testing.T, c apiworld.Clinic) string {
	t.Helper()
	var counts []string
	for _, table := range []string{"dialogue", "inbound_message", "outbound_message", "dialogue_command", "appointment", "appointment_command", "activation_command", "attachment", "quarantine"} {
		counts = append(counts, "SELECT '"+table+"', count(*) FROM "+table+" WHERE clinic_id = '"+c.ID+"'")
	}
	out, err := exec.CommandContext(t.Context(), "psql", "--dbname", installation.Owner, "-XAtc", strings.Join(counts, " UNION ALL ")+" ORDER BY 1").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// TestEveryPostIsIdempotent sends every POST twice, then with another body, and then as
// somebody else, under one key.
func TestEveryPostIsIdempotent(t *testing.T) {
	for _, op := range installation.document.Operations() {
		if op.Method != http.MethodPost {
			continue
		}
		t.Run(op.ID, func(t *testing.T) {
			c, other := newClinic(t), newClinic(t)
			prepare(t, c, op)
			keyed := slices.ContainsFunc(op.Parameters, func(p Parameter) bool { return p.In == "header" && p.Name == "Idempotency-Key" })
			require.NotEqual(t, slices.Contains(natural, op.ID), keyed)

			asked := valid(t, c, op)
			body, err := io.ReadAll(asked.body)
			require.NoError(t, err)
			again := func(change func(*call)) Answer {
				r := call{asked.method, asked.target, asked.header.Clone(), strings.NewReader(string(body))}
				change(&r)
				return r.do(t)
			}
			same := func(*call) {}
			first := again(same)
			after := done(t, c)
			second := again(same)
			require.Equal(t, first.Status, second.Status, "%s", second.Body)
			require.Equal(t, outcome(first), outcome(second))
			require.Equal(t, after, done(t, c), "the second call has no effect of its own")
			if !keyed || stands[op.ID] != "" {
				return // a refused request leaves nothing behind, its key neither
			}

			refused := func(a Answer) {
				t.Helper()
				require.Contains(t, []int{http.StatusConflict, http.StatusNotFound}, a.Status, "%s", a.Body)
				require.Contains(t, []apperr.Kind{apperr.Duplicate, apperr.NotFound, apperr.Conflict}, kindOf(t, a), "%s", a.Body)
				require.Equal(t, after, done(t, c))
			}
			changed := again(func(r *call) { r.body = strings.NewReader(another(t, op, string(body))) })
			refused(changed)
			require.Equal(t, apperr.Duplicate, kindOf(t, changed), "%s", changed.Body)
			for _, role := range []identity.Role{identity.RolePractitioner, identity.RoleStaff, identity.RoleClinicAdministrator, identity.RoleService, identity.RolePortal} {
				if p := c.Who(role); p.May(identity.Right(op.Right)) && p.Subject != somebody(t, c, op).Subject {
					refused(again(func(r *call) { r.header.Set("Authorization", as(t, p)) }))
				}
			}
			before := done(t, other)
			refused(func() Answer {
				r := valid(t, other, op)
				r.header.Set("Idempotency-Key", asked.header.Get("Idempotency-Key"))
				return r.do(t)
			}())
			require.Equal(t, before, done(t, other))

			broken := again(func(r *call) { r.header.Set("Idempotency-Key", "1") })
			require.Equal(t, http.StatusUnprocessableEntity, broken.Status)
			require.Equal(t, "header.Idempotency-Key", problemOf(t, broken).Errors[0].Path)
			require.Equal(t, first.Status, again(func(r *call) {
				r.header.Set("Idempotency-Key", strings.ToUpper(r.header.Get("Idempotency-Key")))
			}).Status, "a UUID is the same in capitals")
		})
	}
}

// since is what of an answer goes on by itself: how a thing stands, and when it was last
// looked at.
var since = regexp.MustCompile(`"(status|checkedAt)":"[^"]*"`)

// outcome is an answer without how things have gone on since.
func outcome(a Answer) string { return since.ReplaceAllString(string(a.Body), "") }

// another is a body that asks for something else.
func another(t *testing.T, op Operation, body string) string {
	t.Helper()
	if !strings.HasPrefix(body, "{") {
		return body + "%%EOF\n"
	}
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &v))
	shape := installation.document.Resolve(op.RequestBody.Content["application/json"].Schema)
	for _, change := range []struct {
		field string
		value any
	}{{"text", "Noe annet"}, {"note", "Noe annet"}, {"comment", "Noe annet"}, {"place", "Rom 9"}, {"reason", "Noe annet"}, {"revision", 9}, {"viewerId", uuid.NewString()}} {
		if shape.Properties[change.field] != nil {
			v[change.field] = change.value
			b, err := json.Marshal(v)
			require.NoError(t, err)
			return string(b)
		}
	}
	require.Fail(t, "nothing of the body can be changed", op.ID)
	return ""
}
