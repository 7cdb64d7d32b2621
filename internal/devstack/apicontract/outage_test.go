package apicontract

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
)

// patience bounds the wait for what was stopped to be back.
const patience = 2 * time.Minute

// away is a 503 that says when to come again.
func away(t *testing.T, op Operation, a Answer) {
	t.Helper()
	require.Equal(t, http.StatusServiceUnavailable, a.Status, "%s: %s", op.ID, a.Body)
	require.Equal(t, apperr.Unavailable, kindOf(t, a))
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
	require.NoError(t, installation.document.Keeps(op, a))
}

// health asks /healthz and /readyz: the first says that the process lives whatever is down.
func health(t *testing.T) (int, map[string]string) {
	t.Helper()
	require.Equal(t, http.StatusOK, call{http.MethodGet, "/healthz", http.Header{}, http.NoBody}.do(t).Status)
	a := call{http.MethodGet, "/readyz", http.Header{}, http.NoBody}.do(t)
	var said map[string]string
	require.NoError(t, json.Unmarshal(a.Body, &said), "%s", a.Body)
	return a.Status, said
}

func ready(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, _ := health(t)
		return status == http.StatusOK
	}, patience, 100*time.Millisecond)
}

// TestWithoutTemporal stops Temporal: what is read is there, a command says when to come
// again, and the same request then carries on.
func TestWithoutTemporal(t *testing.T) {
	c := newClinic(t)
	ready(t)
	require.NoError(t, installation.Temporal.Stop())
	commands := map[string]call{}
	bodies := map[string]string{}
	t.Run("away", func(t *testing.T) {
		status, said := health(t)
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, "ok", said["postgresql"])
		require.Equal(t, "does not answer", said["temporal"])
		for _, op := range installation.document.Operations() {
			if op.Method == http.MethodGet {
				a := valid(t, c, op).do(t)
				require.Equal(t, http.StatusOK, a.Status, "%s: %s", op.ID, a.Body)
			}
		}
		for _, id := range []string{"answer", "book-appointment", "start-dialogue", "change-dialogue", "suspend-integration", "portal-start-dialogue", "amend-appointment"} {
			op := operation(t, id)
			asked := valid(t, c, op)
			body, err := io.ReadAll(asked.body)
			require.NoError(t, err)
			commands[id], bodies[id] = asked, string(body)
			t.Run(id, func(t *testing.T) { // each waits for its lifecycle
				t.Parallel()
				asked.body = strings.NewReader(string(body))
				away(t, op, asked.do(t))
			})
		}
	})
	require.NoError(t, installation.RestartTemporal(t.Context()))
	ready(t)
	for id, asked := range commands {
		op := operation(t, id)
		var a Answer
		require.Eventually(t, func() bool {
			asked.body = strings.NewReader(bodies[id])
			a = asked.do(t)
			return a.Status != http.StatusServiceUnavailable
		}, patience, 200*time.Millisecond, id)
		require.Less(t, a.Status, 300, "%s: %s", id, a.Body)
		require.NoError(t, installation.document.Keeps(op, a))
	}
}

// TestWithoutPostgreSQL stops the database: every operation says so, and when to come
// again.
func TestWithoutPostgreSQL(t *testing.T) {
	c := newClinic(t)
	ready(t)
	require.NoError(t, installation.Postgres.Stop(t.Context()))
	defer func() {
		require.NoError(t, installation.Postgres.Restart(t.Context()))
		ready(t)
		require.Eventually(t, func() bool { // connections that were cut off are found out one by one
			return valid(t, c, operation(t, "read-settings")).do(t).Status == http.StatusOK
		}, patience, 10*time.Millisecond)
	}()
	status, said := health(t)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "does not answer", said["postgresql"])
	require.Equal(t, "ok", said["temporal"])
	for _, op := range installation.document.Operations() {
		away(t, op, valid(t, c, op).do(t))
	}
}
