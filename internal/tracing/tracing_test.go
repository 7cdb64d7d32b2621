package tracing

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/helsebro/helsebro/internal/apperr"
)

const callers = "4bf92f3577b34da6a3ce929d0e0e4736"

func recording() (*Traces, *tracetest.InMemoryExporter) {
	kept := tracetest.NewInMemoryExporter()
	return &Traces{sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))}, kept
}

// A caller's trace goes on; what he wrote beside it does not come along.
func TestACallersTraceGoesOnWithoutHisWords(t *testing.T) {
	t.Parallel()
	traces, kept := recording()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/clinics/1", nil)
	r.Header.Set("traceparent", "00-"+callers+"-00f067aa0ba902b7-01")
	r.Header.Set("tracestate", "name=Kari")
	r.Header.Set("baggage", "name=Kari")
	ctx, end := traces.Request(r)
	require.Empty(t, baggage.FromContext(ctx).Members())
	_, sent := Sent(ctx, "notice by sms")
	sent(nil, attribute.String("helsebro.process", "notice"))
	end("POST /v1/clinics/{clinic}", http.StatusServiceUnavailable)
	spans := kept.GetSpans()
	require.Len(t, spans, 2)
	for _, s := range spans {
		require.Equal(t, callers, s.SpanContext.TraceID().String())
		require.Zero(t, s.SpanContext.TraceState().Len())
	}
	require.Equal(t, spans[1].SpanContext.SpanID(), spans[0].Parent.SpanID())
	require.Equal(t, "POST /v1/clinics/{clinic}", spans[1].Name)
	require.Equal(t, codes.Error, spans[1].Status.Code)
}

// Of an error the kind is sent, by our own spans and by those of Temporal's SDK.
func TestAnErrorsWordsAreNotSent(t *testing.T) {
	t.Parallel()
	traces, kept := recording()
	_, end := traces.Received(t.Context(), "message")
	end(apperr.New(apperr.NotFound, "Kari is not here"))
	all, err := traces.Interceptors()
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{all[0].(interceptor.WorkerInterceptor)}})
	failing := func(context.Context) error { return errors.New("Kari is not here") }
	env.RegisterActivity(failing)
	_, err = env.ExecuteActivity(failing)
	require.Error(t, err)
	spans := kept.GetSpans()
	require.Len(t, spans, 2)
	require.Equal(t, sdktrace.Status{Code: codes.Error, Description: string(apperr.NotFound)}, spans[0].Status)
	require.Equal(t, sdktrace.Status{Code: codes.Error}, spans[1].Status)
	require.Empty(t, spans[1].Events)
}

// Where nothing is traced nothing is begun, and Temporal carries nothing.
func TestNothingIsTracedUnasked(t *testing.T) {
	t.Parallel()
	for _, traces := range []*Traces{nil, {}} {
		all, err := traces.Interceptors()
		require.NoError(t, err)
		require.Empty(t, all)
		ctx, end := traces.Received(t.Context(), "message")
		end(nil)
		require.False(t, trace.SpanContextFromContext(ctx).IsValid())
	}
}
