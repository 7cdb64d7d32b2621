package temporalx

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/metrics"
	"github.com/helsebro/helsebro/internal/tracing"
)

// Ready tells whether the Temporal server answers.
type Ready func(context.Context) error

// Module provides the client and its Ready. Start registers the search attributes, which also
// waits for the server; stop closes the connection.
var Module = fx.Module("temporalx", fx.Provide(func(lc fx.Lifecycle, cfg config.Temporal, m *metrics.Metrics, traces *tracing.Traces, logger *slog.Logger) (client.Client, error) {
	opts, err := ClientOptions(cfg, logger)
	if err != nil {
		return nil, err
	}
	opts.MetricsHandler = Meter(m)
	if opts.Interceptors, err = traces.Interceptors(); err != nil {
		return nil, err
	}
	c, err := newLazyClient(opts)
	if err != nil {
		return nil, err
	}
	lc.Append(fx.Hook{
		OnStart: func(ctx context.Context) error { return EnsureSearchAttributes(ctx, c, opts.Namespace) },
		OnStop:  func(context.Context) error { c.Close(); return nil },
	})
	return c, nil
}), fx.Provide(func(c client.Client) Ready {
	return func(ctx context.Context) error {
		_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	}
}))
