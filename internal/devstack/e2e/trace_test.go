package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// traces is a collector of traces, by OTLP over HTTP.
type traces struct {
	server *httptest.Server

	mu    sync.Mutex
	spans map[string]*tracev1.Span // by the span's id
	raw   strings.Builder
}

func collectTraces(t *testing.T) *traces {
	t.Helper()
	c := &traces{spans: map[string]*tracev1.Span{}}
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw.WriteString(sent.String())
		for _, resource := range sent.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					c.spans[string(s.SpanId)] = s
				}
			}
		}
	}))
	t.Cleanup(c.server.Close)
	return c
}

// environment makes a program send its spans here, at once.
func (c *traces) environment() []string {
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.server.URL, "OTEL_BSP_SCHEDULE_DELAY=100"}
}

// way looks for a trace in which a span begins with each name. That of a workflow comes
// when it ends: what is within it has its trace, and not yet its parent.
func (c *traces) way(names ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	traces := map[string][]string{}
	for _, s := range c.spans {
		traces[string(s.TraceId)] = append(traces[string(s.TraceId)], s.Name)
	}
	var longest []string
	for _, spans := range traces {
		var found []string
		for _, name := range names {
			if slices.ContainsFunc(spans, func(s string) bool { return strings.HasPrefix(s, name) }) {
				found = append(found, name)
			}
		}
		if len(found) == len(names) {
			return nil
		}
		if len(found) > len(longest) {
			longest = found
		}
	}
	return fmt.Errorf("of %q no trace has more than %q", names, longest)
}

// said is all that has come, as text.
func (c *traces) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

// requireWays: what comes in over AMQP or HTTP is one trace with what it leads to, through
// workflow and activity, out to Helsenorge or a patient's phone.
func (w *world) requireWays(c *traces) {
	w.Helper()
	w.eventually("traces go all the way", func() error {
		var missing []error
		for _, way := range [][]string{
			{"message", "SignalWithStartWorkflow:dialogue", "RunActivity:SendReceipt", "message to Helsenorge"},
			{"message", "RunActivity:SendMessage", "message to Helsenorge"},
			{"POST /v1/clinics/{clinic}/dialogues/{dialogue}/answers", "UpdateWithStartWorkflow:answer", "HandleUpdate:answer"},
			{"POST /v1/clinics/{clinic}/appointments", "UpdateWithStartWorkflow:change", "RunActivity:Publish"},
			{"POST /v1/clinics/{clinic}/appointments", "StartChildWorkflow:notice", "RunActivity:SendNotice", "notice by sms"},
		} {
			missing = append(missing, c.way(way...))
		}
		return errors.Join(missing...)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		require.NotContains(w, s.Name, "-0000-", "a span's name has no id in it")
		require.Empty(w, s.TraceState)
	}
}
