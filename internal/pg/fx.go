package pg

import (
	"context"

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
