// Package tracing follows what is done from where it comes in, HTTP or AMQP, through
// workflows and activities to where it goes out. Spans go to a collector by OTLP over HTTP,
// as OpenTelemetry's own variables say (OTEL_EXPORTER_OTLP_ENDPOINT, …_HEADERS,
// OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME); without an endpoint nothing is traced, and
// nothing of it is in a workflow's history. Spans have names, kinds and ids of Helsebro's,
// and nothing of a patient.
package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"

	"github.com/helsebro/helsebro/internal/apperr"
)

// instrumentation names Helsebro as what makes the spans.
const instrumentation = "github.com/helsebro/helsebro"

// Traces makes spans. The zero value makes none. It is safe for concurrent use.
type Traces struct{ provider trace.TracerProvider }

// tracer makes spans that begin a trace, or go on with a caller's.
func (t *Traces) tracer() trace.Tracer {
	if t == nil || t.provider == nil {
		return noop.NewTracerProvider().Tracer(instrumentation)
	}
	return t.provider.Tracer(instrumentation)
}

// Interceptors take traces through Temporal; there are none where nothing is traced. Only
// the trace's own ids travel: a caller's baggage would be his words in a history.
func (t *Traces) Interceptors() ([]interceptor.ClientInterceptor, error) {
	if t == nil || t.provider == nil {
		return nil, nil
	}
	i, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer: t.tracer(), TextMapPropagator: propagation.TraceContext{}, DisableBaggage: true, DisableQueryTracing: true,
		// A history from before has no trace, and one from elsewhere may have another's.
		AllowInvalidParentSpans: true,
		SpanStarter: func(ctx context.Context, t trace.Tracer, name string, opts ...trace.SpanStartOption) trace.Span {
			_, span := t.Start(ctx, name, opts...)
			return quiet{span}
		},
	})
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "Temporal cannot be traced")
	}
	return []interceptor.ClientInterceptor{i}, nil
}

// quiet is a span without an error's words. They name nobody, and are sealed in Temporal's
// own rows; a collector of traces is further away than those.
type quiet struct{ trace.Span }

// SetStatus implements trace.Span.
func (q quiet) SetStatus(code codes.Code, _ string) { q.Span.SetStatus(code, "") }

// RecordError implements trace.Span.
func (quiet) RecordError(error, ...trace.EventOption) {}

// End ends a span with what became of it: an error's kind, whose words are the log's, and
// names and values about it.
type End func(err error, about ...attribute.KeyValue)

// Received begins the span of something that came in, such as a message.
func (t *Traces) Received(ctx context.Context, name string) (context.Context, End) {
	return begin(ctx, t.tracer(), name, trace.SpanKindConsumer)
}

// Request begins the span of a request over HTTP, in the caller's trace where it names one
// (W3C traceparent). Of its tracestate nothing is taken: it is the caller's words. end is
// given the route, which is known by then, and the status.
func (t *Traces) Request(r *http.Request) (ctx context.Context, end func(route string, status int)) {
	ctx = propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	if remote := trace.SpanContextFromContext(ctx); remote.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, remote.WithTraceState(trace.TraceState{}))
	}
	ctx, span := t.tracer().Start(ctx, "HTTP", trace.WithSpanKind(trace.SpanKindServer))
	return ctx, func(route string, status int) {
		span.SetName(route)
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(status))
		}
		span.End()
	}
}

// Sent begins the span of something that goes out, within what is done for it: an activity
// whose trace is followed. Elsewhere there is none.
func Sent(ctx context.Context, name string) (context.Context, End) {
	return begin(ctx, trace.SpanFromContext(ctx).TracerProvider().Tracer(instrumentation), name, trace.SpanKindProducer)
}

func begin(ctx context.Context, from trace.Tracer, name string, kind trace.SpanKind) (context.Context, End) {
	ctx, span := from.Start(ctx, name, trace.WithSpanKind(kind))
	return ctx, func(err error, about ...attribute.KeyValue) {
		span.SetAttributes(about...)
		if err != nil {
			span.SetStatus(codes.Error, string(apperr.KindOf(err)))
		}
		span.End()
	}
}
