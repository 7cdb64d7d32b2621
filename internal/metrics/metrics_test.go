package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/pg"
)

// kept is a store with something of everything.
type kept struct{}

func (kept) Standing(context.Context) (pg.Standing, error) {
	return pg.Standing{Effects: map[string]pg.OpenEffects{"answer": {Count: 1, Age: time.Second}}, Cases: map[string]int64{"quarantined": 1}}, nil
}

// every is the metrics of a process in which everything has happened.
func every(t *testing.T) string {
	t.Helper()
	m := New()
	m.Watch(kept{}, slog.New(slog.DiscardHandler))
	m.Request("/v1/clinics/{clinic}/inbox", "GET", 200, time.Millisecond)
	m.Request("", "BREW", 404, time.Millisecond)
	m.Message("", "reported", time.Second)
	m.Answer("DIALOG_INNBYGGER_TEST", time.Second)
	m.Unsettled("gp_async", 1)
	m.Certificates(map[string]time.Time{"signing": time.Now()})
	m.Counter("temporal_request", map[string]string{"operation": "x"}).Inc()
	m.Counter("temporal_request", nil).Add(2)
	m.Gauge("temporal_num_pollers", map[string]string{"task_queue": "q"}).Set(3)
	m.Timer("temporal_request_latency_seconds", nil).Observe(1)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	return w.Body.String()
}

// One metric may have its labels differently, as Temporal's SDK has them.
func TestLabelsMayDiffer(t *testing.T) {
	text := every(t)
	require.Contains(t, text, "temporal_request{operation=\"x\"} 1\n")
	require.Contains(t, text, "temporal_request 2\n")
	require.Contains(t, text, `helsebro_http_requests_total{method="other",route="none",status="Not Found"} 1`)
}

// The README has every metric of ours, with what it says, and no other.
func TestTheReadmeHasEveryMetric(t *testing.T) {
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^# HELP (helsebro_\w+) (.+)$`).FindAllStringSubmatch(every(t), -1) {
		want = append(want, "| `"+m[1]+"` | "+m[2]+" |")
	}
	require.Greater(t, len(want), 15)
	raw, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	var have []string
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "| `helsebro_") {
			have = append(have, strings.TrimSpace(line))
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	require.Equal(t, want, have)
}
