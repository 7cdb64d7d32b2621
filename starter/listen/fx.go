package listen

import (
	"context"
	"errors"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/health"
	"github.com/helsebro/helsebro/internal/metrics"
	"github.com/helsebro/helsebro/internal/observ"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/temporalx"
	"github.com/helsebro/helsebro/internal/tracing"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/connect"
	"github.com/helsebro/helsebro/internal/vault"
	"github.com/helsebro/helsebro/starter/process"
)

// Options is the whole listener, to run by itself or inside the development stack.
func Options(cfg config.Listen, logger *slog.Logger) fx.Option {
	return fx.Options(
		fx.Supply(cfg, cfg.Database, cfg.Vault, cfg.Temporal, cfg.Transport, cfg.Health, logger),
		fx.WithLogger(observ.FxLogger),
		fx.StartTimeout(config.StartTimeout), fx.StopTimeout(config.StopTimeout),
		vault.Module, temporalx.Module, pg.Module, connect.Module, health.Module, metrics.Module, tracing.Module("listen"),
		fx.Provide(func(s *pg.Store, c client.Client, t transport.Transport, sealer transport.Sealer, r registry.Registry, cfg config.Transport, m *metrics.Metrics, traces *tracing.Traces, logger *slog.Logger) *Listener {
			l := New(s, c, t, sealer, r, cfg.DeadLetters, logger)
			l.meter, l.traces = m, traces
			return l
		}),
		fx.Invoke(run),
	)
}

// run listens from start to stop. A listener that cannot go on ends the process.
func run(lc fx.Lifecycle, l *Listener, logger *slog.Logger, stop fx.Shutdowner) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	lc.Append(fx.Hook{
		OnStart: func(context.Context) error {
			go func() {
				err := l.Run(ctx)
				if err != nil && ctx.Err() == nil {
					logger.Error("the listener cannot go on", "error", err)
					if err := stop.Shutdown(fx.ExitCode(1)); err != nil {
						logger.Error("the process could not be told to stop", "error", err)
					}
				}
				done <- err
			}()
			return nil
		},
		OnStop: func(stopping context.Context) error {
			cancel()
			select {
			case err := <-done:
				return err
			case <-stopping.Done():
				return errors.New("a message in flight did not come to its end in time: it will be delivered again")
			}
		},
	})
}

// Run listens until ctx ends or the process is told to stop.
func Run(ctx context.Context, cfg config.Listen, logger *slog.Logger) error {
	return process.Run(ctx, "listener", Options(cfg, logger))
}
