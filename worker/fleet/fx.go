package fleet

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.uber.org/fx"
)

// Group is the tag under which groups provide their Registration.
const Group = `group:"registrations"`

// Module starts the workers after everything they use, and stops them first.
var Module = fx.Module("worker.fleet",
	fx.Provide(fx.Annotate(
		func(c client.Client, registrations []Registration, logger *slog.Logger, stop fx.Shutdowner) (*Fleet, error) {
			return New(c, registrations, logger, func(error) {
				if err := stop.Shutdown(fx.ExitCode(1)); err != nil {
					logger.Error("the process could not be told to stop", "error", err)
				}
			})
		},
		fx.ParamTags(``, Group),
	)),
	fx.Invoke(func(lc fx.Lifecycle, f *Fleet, logger *slog.Logger) {
		lc.Append(fx.Hook{
			OnStart: func(ctx context.Context) error {
				if err := f.Start(ctx); err != nil {
					return err
				}
				logger.Info("working", "queues", f.Queues())
				return nil
			},
			OnStop: f.Stop,
		})
	}),
)
