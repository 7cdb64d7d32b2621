// Package app composes the worker process, so that it can run by itself or inside
// the development stack with the same modules.
package app

import (
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/activities/calendar"
	"github.com/helsebro/helsebro/activities/dialogue"
	"github.com/helsebro/helsebro/activities/helsenorge"
	"github.com/helsebro/helsebro/activities/inbox"
	"github.com/helsebro/helsebro/activities/journal"
	"github.com/helsebro/helsebro/activities/ledger"
	"github.com/helsebro/helsebro/activities/notify"
	preconditions "github.com/helsebro/helsebro/activities/registry"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/health"
	"github.com/helsebro/helsebro/internal/metrics"
	"github.com/helsebro/helsebro/internal/observ"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/temporalx"
	"github.com/helsebro/helsebro/internal/tracing"
	"github.com/helsebro/helsebro/internal/transport/connect"
	"github.com/helsebro/helsebro/internal/vault"
	"github.com/helsebro/helsebro/worker/fleet"
	"github.com/helsebro/helsebro/workflows"
)

// Options is the whole worker. Hooks start in the order client, database, health,
// transport, workers and stop in the opposite one.
func Options(cfg config.Worker, logger *slog.Logger) fx.Option {
	return fx.Options(
		fx.Supply(cfg, cfg.Database, cfg.Vault, cfg.Temporal, cfg.Transport, cfg.Transport.Activity, cfg.Channels, cfg.Health, logger),
		fx.WithLogger(observ.FxLogger),
		fx.StartTimeout(config.StartTimeout), fx.StopTimeout(config.StopTimeout),
		// Asked for first, so that they start first and stop last.
		fx.Module("worker.order", fx.Invoke(func(client.Client) {}, func(*pg.Store) {})),
		vault.Module, temporalx.Module, pg.Module, registry.Module, connect.Module, health.Module, metrics.Module, tracing.Module("worker"),
		fx.Provide(fx.Annotate(func() fleet.Registration {
			return fleet.Registration{Queue: contract.QueueLifecycle, Register: func(r worker.Registry) { workflows.Register(r) }}
		}, fx.ResultTags(fleet.Group))),
		inbox.Module, journal.Module, ledger.Module, helsenorge.Module, calendar.Module, notify.Module, dialogue.Module, preconditions.Module,
		pg.Keeping, fleet.Module,
	)
}
