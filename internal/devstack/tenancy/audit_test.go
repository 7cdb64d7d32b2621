package tenancy_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/devstack/apiworld"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/starter/api"
)

// everyCall calls each route of clinic a as each role that may use it.
func (w *world) everyCall(check func(p identity.Principal, route api.Route, status int, about string)) (calls int) {
	w.Helper()
	for _, route := range w.routes() {
		target, body := apiworld.Request(w.T, route, w.a, w.a.IDs, now)
		for _, role := range roles {
			p := w.a.Who(role)
			if !p.May(route.Right) {
				continue
			}
			status, answer := w.call(p, route, target, body)
			calls++
			check(p, route, status, fmt.Sprintf("%s %s as %s: %d %s", route.Method, target, role, status, answer))
		}
	}
	return calls
}

// newest is the id of the newest row of the audit.
func (w *world) newest() int64 {
	w.Helper()
	out, err := w.d.SQL(w.Context(), "SELECT coalesce(max(id), 0) FROM audit")
	require.NoError(w, err)
	id, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	require.NoError(w, err)
	return id
}

// TestEveryRouteLeavesARowOfTheAudit: whoever is let in is in the audit with his name, his
// role and his clinic; with the patient, where a path names one.
func TestEveryRouteLeavesARowOfTheAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.newest()
	calls := w.everyCall(func(p identity.Principal, route api.Route, status int, about string) {
		after := w.newest()
		whose := "true"
		if strings.Contains(route.Path, "{patient}") {
			whose = fmt.Sprintf("patient_id = '%s'", w.a.IDs[apiworld.Named(route, "patient")])
		}
		rows, err := w.d.SQL(t.Context(), fmt.Sprintf(`SELECT count(*) FROM audit WHERE id > %d AND subject = '%s' AND role = '%s' AND clinic_id = '%s' AND %s`,
			before, p.Subject, p.Role, w.a.ID, whose))
		require.NoError(t, err)
		before = after
		if status == http.StatusConflict {
			return // refused for what is there, and nothing of it is shown
		}
		require.NotEqual(t, "0", strings.TrimSpace(rows), about)
	})
	require.Greater(t, calls, len(w.routes()))
}

// TestWithoutTheAuditNoRouteAnswers: where no row can be written, nothing is read and
// nothing is changed, and the caller is told to come again.
func TestWithoutTheAuditNoRouteAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.d.SQL(t.Context(), "REVOKE INSERT ON audit FROM helsebro_app")
	require.NoError(t, err)
	before := w.rows(w.a)
	w.everyCall(func(_ identity.Principal, route api.Route, status int, about string) {
		want := http.StatusServiceUnavailable
		if strings.HasSuffix(route.Path, "/turn") {
			want = http.StatusConflict // its state does not allow it: nothing is read or changed
		}
		require.Equal(t, want, status, about)
	})
	require.Equal(t, before, w.rows(w.a))
}
