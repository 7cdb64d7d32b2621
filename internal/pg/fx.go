package pg

import (
	"context"
	"log/slog"

	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/vault"
)

// Module provides the store, and closes it last, and the channels that are configured.
var Module = fx.Module("pg", fx.Provide(ChannelsOf), fx.Provide(func(lc fx.Lifecycle, cfg config.Database, v *vault.Vault) (*Store, error) {
	s, err := Open(cfg, v)
	if err != nil {
		return nil, err
	}
	lc.Append(fx.Hook{
		// A process without its database, or with an older one, would only take work
		// and fail it.
		OnStart: func(ctx context.Context) error {
			if err := s.Ping(ctx); err != nil {
				return err
			}
			return s.CheckSchema(ctx)
		},
		OnStop: func(context.Context) error { s.Close(); return nil },
	})
	return s, nil
}))

// Sealing seals the audit while the process runs. Several processes do not get in each
// other's way.
var Sealing = fx.Module("pg.sealing", fx.Invoke(func(lc fx.Lifecycle, s *Store, logger *slog.Logger) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	lc.Append(fx.Hook{
		OnStart: func(context.Context) error {
			go func() { defer close(done); s.sealing(ctx, logger) }()
			return nil
		},
		OnStop: func(context.Context) error { stop(); <-done; return nil },
	})
}))
