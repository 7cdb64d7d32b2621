package tracing

import (
	"context"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Module provides the *Traces of a process, such as "worker". Stop sends what is left.
func Module(process string) fx.Option {
	return fx.Module("tracing", fx.Provide(func(lc fx.Lifecycle) (*Traces, error) {
		if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
			return &Traces{}, nil
		}
		exporter, err := otlptracehttp.New(context.Background()) // it connects when there is something to send
		if err != nil {
			return nil, apperr.Wrap(apperr.Invalid, err, "the way to the collector of traces (OTEL_EXPORTER_OTLP_*) cannot be used")
		}
		// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come after the name, and so before it.
		about, err := resource.New(context.Background(), resource.WithAttributes(attribute.String("service.name", "helsebro-"+process)), resource.WithFromEnv())
		if err != nil {
			return nil, apperr.Wrap(apperr.Invalid, err, "what OTEL_RESOURCE_ATTRIBUTES says cannot be read")
		}
		provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
		lc.Append(fx.StopHook(provider.Shutdown))
		return &Traces{provider}, nil
	}))
}
