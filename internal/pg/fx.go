package pg

import (
	"context"
	"log/slog"
	"sync"

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

// Keeping seals the audit, and removes what has been kept long enough, while the process
// runs. Several processes do not get in each other's way.
var Keeping = fx.Module("pg.keeping", fx.Invoke(func(lc fx.Lifecycle, s *Store, cfg config.Database, logger *slog.Logger) error {
	retention, err := ReadRetention(cfg.Retention)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	lc.Append(fx.Hook{
		OnStart: func(context.Context) error {
			running.Go(func() { s.sealing(ctx, logger) })
			running.Go(func() { s.retaining(ctx, retention, logger) })
			return nil
		},
		OnStop: func(context.Context) error { stop(); running.Wait(); return nil },
	})
	return nil
}))
