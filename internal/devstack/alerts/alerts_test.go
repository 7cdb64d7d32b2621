// Package alerts_test holds the alert rules against what real parts measure when the thing
// itself happens.
package alerts_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"gopkg.in/yaml.v3"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/devstack/temporalserver"
	"github.com/helsebro/helsebro/internal/metrics"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/temporalx"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const rules = "../../../.docker/prometheus/alerts.yaml"

// alerts are the names of all rules.
func alerts(t *testing.T) (names []string) {
	t.Helper()
	raw, err := os.ReadFile(rules)
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Annotations map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &file))
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			require.NotEmpty(t, r.Annotations["action"], r.Alert)
			names = append(names, r.Alert)
		}
	}
	return names
}

// scraped are the series of the metrics, with their values. What counts from the beginning
// of the clock counts from now: promtool's begins at zero.
func scraped(t *testing.T, m *metrics.Metrics) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, w.Code)
	series := map[string]string{}
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		line := lines.Text()
		i := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || i < 0 {
			continue
		}
		v, err := strconv.ParseFloat(line[i+1:], 64)
		require.NoError(t, err, line)
		if strings.Contains(line, "_timestamp_seconds") {
			v -= float64(time.Now().Unix())
		}
		series[line[:i]] = strconv.FormatFloat(v, 'f', -1, 64)
	}
	return series
}

// firing are the rules that fire when it stays as it is for two hours.
func firing(t *testing.T, series map[string]string) (names []string) {
	t.Helper()
	path, err := filepath.Abs(rules)
	require.NoError(t, err)
	type sample struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	}
	var input []sample
	for name, value := range series {
		input = append(input, sample{name, value + "+0x120"})
	}
	for _, alert := range alerts(t) {
		test := map[string]any{
			"rule_files": []string{path}, "evaluation_interval": "1m",
			"tests": []any{map[string]any{
				"interval": "1m", "input_series": input,
				"promql_expr_test": []any{map[string]any{"expr": `count(ALERTS{alertname="` + alert + `",alertstate="firing"}) > 0`, "eval_time": "110m", "exp_samples": []any{}}},
			}},
		}
		raw, err := yaml.Marshal(test)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "test.yaml")
		require.NoError(t, os.WriteFile(file, raw, 0o600))
		out, err := exec.CommandContext(t.Context(), "promtool", "test", "rules", file).CombinedOutput()
		if err != nil {
			require.Contains(t, string(out), "got:", string(out))
			names = append(names, alert)
		}
	}
	return names
}

// up is a worker's series, so that only what is meant fires.
var up = map[string]string{`temporal_num_pollers{task_queue="helsebro"}`: "2"}

// TestAlertsOfTheStore: each thing that can stay undone, undone in a real database.
func TestAlertsOfTheStore(t *testing.T) {
	for _, c := range []struct{ alert, change string }{
		{"", ""},
		{"HelsebroBacklog", "UPDATE inbound_message SET handed_over_at = NULL, received_at = now() - interval '6 minutes'"},
		{"HelsebroBacklog", "INSERT INTO outbound_message (id, clinic_id, kind, in_reply_to, code, key_id, created_at) SELECT gen_random_uuid(), clinic_id, 'refusal', id, '26', key_id, now() - interval '16 minutes' FROM inbound_message"},
		{"HelsebroReceiptsOverdue", "INSERT INTO outbound_message (id, clinic_id, kind, in_reply_to, code, key_id, created_at, sent_at, receipt_due) SELECT gen_random_uuid(), clinic_id, 'refusal', id, '26', key_id, now(), now(), now() - interval '1 second' FROM inbound_message"},
		{"HelsebroQuarantine", "INSERT INTO quarantine (id, transport_id, from_her_id, to_her_id, sha256, key_id, raw, reason, stored_at, subject, queue, size, wire) SELECT gen_random_uuid(), 'x', 1, 2, '', key_id, '', 'x', now(), '', '', 0, '' FROM inbound_message"},
		{"HelsebroCases", "INSERT INTO operator_case (id, kind, message_id, opened_at) VALUES (gen_random_uuid(), 'quarantined', gen_random_uuid(), now())"},
		{"HelsebroAuditUnsealed", "UPDATE audit SET at = now() - interval '6 minutes'"},
		{"HelsebroNoticesWithoutOutcome", noticeLeft},
	} {
		t.Run(c.alert, func(t *testing.T) {
			d := storetest.New(t)
			require.NoError(t, d.Store.PutClinic(t.Context(), demo.Service, demo.Clinic()))
			_, err := d.Store.StoreArrival(t.Context(), pg.Arrival{TransportID: uuid.NewString(), FromHerID: 800001, ToHerID: demo.GPHerID, Verdict: pg.Noted, Raw: []byte("noted")})
			require.NoError(t, err)
			_, err = d.SQL(t.Context(), "UPDATE inbound_message SET handed_over_at = now()")
			require.NoError(t, err)
			var want []string
			if c.change != "" {
				want = []string{c.alert}
				_, err := d.SQL(t.Context(), c.change)
				require.NoError(t, err)
			}
			m := metrics.New()
			m.Watch(d.Store, slog.New(slog.DiscardHandler))
			series := scraped(t, m)
			for k, v := range up {
				series[k] = v
			}
			require.Equal(t, want, firing(t, series))
		})
	}
}

// noticeLeft is a notice that should have gone out two hours ago.
const noticeLeft = `
	SET session_replication_role = replica;
	INSERT INTO notice (id, clinic_id, appointment_id, patient_id, purpose, revision, owner, reason, decided_at, latest_at)
		SELECT gen_random_uuid(), id, gen_random_uuid(), gen_random_uuid(), 'reminder', 1, 'clinic', 'x', now() - interval '1 day', now() - interval '2 hours' FROM clinic LIMIT 1`

// TestAlertOfTheDatabase: it does not answer.
func TestAlertOfTheDatabase(t *testing.T) {
	m := metrics.New()
	m.Watch(down{}, slog.New(slog.DiscardHandler))
	series := scraped(t, m)
	for k, v := range up {
		series[k] = v
	}
	require.Equal(t, []string{"HelsebroStoreDown"}, firing(t, series))
}

type down struct{}

func (down) Standing(context.Context) (pg.Standing, error) { return pg.Standing{}, fmt.Errorf("down") }

// TestAlertOfCertificates: one expires in less than thirty days.
func TestAlertOfCertificates(t *testing.T) {
	for days, want := range map[int][]string{29: {"HelsebroCertificateExpires"}, 40: nil, -1: {"HelsebroCertificateExpires"}} {
		m := metrics.New()
		m.Certificates(map[string]time.Time{"signing": time.Now().AddDate(0, 0, days), "decryption": time.Now().AddDate(1, 0, 0)})
		series := scraped(t, m)
		for k, v := range up {
			series[k] = v
		}
		require.Equal(t, want, firing(t, series), "%d days", days)
	}
}

// TestAlertsOfWorkers: a worker that is gone, and one whose code is not that of a workflow.
func TestAlertsOfWorkers(t *testing.T) {
	server, err := temporalserver.Start(t.Context(), temporalserver.Config{SQLiteFile: filepath.Join(t.TempDir(), "temporal.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	m := metrics.New()
	c, err := client.Dial(client.Options{HostPort: server.Address(), Namespace: server.Namespace(), MetricsHandler: temporalx.Meter(m), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	work := func(run func(workflow.Context) error) worker.Worker {
		worker.PurgeStickyWorkflowCache()
		w := worker.New(c, contract.QueueLifecycle, worker.Options{})
		w.RegisterWorkflowWithOptions(run, workflow.RegisterOptions{Name: "lifecycle"})
		require.NoError(t, w.Start())
		return w
	}
	eventually := func(what string, check func() bool) {
		t.Helper()
		require.Eventually(t, check, time.Minute, 50*time.Millisecond, what)
	}
	w := work(func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) })
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "one", TaskQueue: contract.QueueLifecycle}, "lifecycle")
	require.NoError(t, err)
	eventually("the timer runs", func() bool {
		for events := c.GetWorkflowHistory(t.Context(), run.GetID(), "", false, 0); events.HasNext(); {
			e, err := events.Next()
			require.NoError(t, err)
			if e.GetTimerStartedEventAttributes() != nil {
				return true
			}
		}
		return false
	})
	require.Empty(t, firing(t, scraped(t, m)))
	w.Stop()
	eventually("its pollers come home", func() bool {
		for name, n := range scraped(t, m) {
			if strings.HasPrefix(name, "temporal_num_pollers{") && n != "0" {
				return false
			}
		}
		return true
	})
	require.Equal(t, []string{"HelsebroPollersGone"}, firing(t, scraped(t, m)))

	w = work(func(ctx workflow.Context) error {
		workflow.GetSignalChannel(ctx, "go on").Receive(ctx, nil)
		return nil
	})
	t.Cleanup(w.Stop)
	require.NoError(t, c.SignalWorkflow(t.Context(), run.GetID(), "", "go on", nil))
	eventually("the worker cannot run it", func() bool {
		for name := range scraped(t, m) {
			if strings.HasPrefix(name, "temporal_workflow_task_execution_failed") {
				return true
			}
		}
		return false
	})
	require.Equal(t, []string{"HelsebroNonDeterminism"}, firing(t, scraped(t, m)))
}
