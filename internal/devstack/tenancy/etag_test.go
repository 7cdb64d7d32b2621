package tenancy_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/devstack/apiworld"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/starter/api"
)

// edit makes a request with If-Match, where seen says one; it tells the answer's ETag.
func (w *world) edit(p identity.Principal, method, target, body, seen string) (status int, tag, answer string) {
	w.Helper()
	token, err := w.issuer.Issue(p, time.Hour)
	require.NoError(w, err)
	req, err := http.NewRequestWithContext(w.Context(), method, w.server.URL+target, strings.NewReader(body))
	require.NoError(w, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if seen != "" {
		req.Header.Set("If-Match", seen)
	}
	res, err := w.server.Client().Do(req)
	require.NoError(w, err)
	defer res.Body.Close() //nolint:errcheck // it is read whole
	said, err := io.ReadAll(res.Body)
	require.NoError(w, err)
	return res.StatusCode, res.Header.Get("ETag"), string(said)
}

// unaudited is rows without those of the audit: to compare is to read.
func unaudited(rows string) string {
	return regexp.MustCompile(`(?m)^audit\|.*$`).ReplaceAllString(rows, "")
}

// TestWhatIsEditedTogether: of everything that is both read and written whole, who says which
// version he has seen writes over no other; who says nothing writes as ever.
func TestWhatIsEditedTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	read := map[string]api.Route{}
	for _, route := range w.routes() {
		if route.Method == http.MethodGet {
			read[route.Path] = route
		}
	}
	var edited []string
	for _, route := range w.routes() {
		reader, ok := read[route.Path]
		if route.Method != http.MethodPut || !ok {
			continue
		}
		if strings.HasSuffix(route.Path, "/slots") {
			continue // what is read is a stretch of a calendar, and not what was written
		}
		var by identity.Principal
		for _, role := range roles {
			if p := w.a.Who(role); p.May(route.Right) && p.May(reader.Right) {
				by = p
			}
		}
		if by.Subject == "" {
			t.Logf("%s: nobody both reads and writes it", route.Path)
			continue
		}
		edited = append(edited, route.Path)
		reading, _ := apiworld.Request(t, reader, w.a, w.a.IDs, now)
		target, body := apiworld.Request(t, route, w.a, w.a.IDs, now)
		about := fmt.Sprintf("%s as %s", route.Path, by.Role)

		status, first, _ := w.edit(by, http.MethodGet, reading, "", "")
		require.Equal(t, http.StatusOK, status, about)
		require.Regexp(t, `^"[\w-]{24}"$`, first, about)
		for _, stale := range []string{`"another"`, `W/` + first, strings.Trim(first, `"`)} {
			before := unaudited(w.rows(w.a))
			status, _, answer := w.edit(by, http.MethodPut, target, body, stale)
			require.Equal(t, http.StatusPreconditionFailed, status, "%s: %s", about, answer)
			require.Contains(t, answer, "problems/stale", about)
			require.Equal(t, before, unaudited(w.rows(w.a)), about)
		}
		status, _, answer := w.edit(by, http.MethodPut, target, body, `"another", `+first)
		require.Less(t, status, 300, "%s: %s", about, answer)
		status, _, answer = w.edit(by, http.MethodPut, target, body, "*")
		require.Less(t, status, 300, "%s: %s", about, answer)
		status, _, answer = w.edit(by, http.MethodPut, target, body, "")
		require.Less(t, status, 300, "%s: %s", about, answer)
	}
	require.Greater(t, len(edited), 5, edited)
}

// TestOfTwoWhoHaveSeenTheSameOneWrites: also when they come at the same time.
func TestOfTwoWhoHaveSeenTheSameOneWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.a.Who(identity.RoleClinicAdministrator)
	target := "/v1/clinics/" + w.a.ID + "/settings"
	for round := range 5 {
		_, seen, _ := w.edit(admin, http.MethodGet, target, "", "")
		var mu sync.Mutex
		var all sync.WaitGroup
		said := map[int]int{}
		for writer := range 8 {
			all.Go(func() {
				status, _, _ := w.edit(admin, http.MethodPut, target, fmt.Sprintf(`{"onlineBooking": true, "notify": false, "deadlineMinutes": %d}`, 100+8*round+writer), seen)
				mu.Lock()
				defer mu.Unlock()
				said[status]++
			})
		}
		all.Wait()
		require.Equal(t, map[int]int{http.StatusNoContent: 1, http.StatusPreconditionFailed: 7}, said)
		_, after, _ := w.edit(admin, http.MethodGet, target, "", "")
		require.NotEqual(t, seen, after)
	}
}
