// Package connect wires the transport that is configured.
package connect

import (
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback"
)

// Module provides transport and sealer. Nothing is connected before the first
// message is sent or awaited; the transport closes after its users.
var Module = fx.Module("transport",
	fx.Provide(func(lc fx.Lifecycle, cfg config.Transport) (transport.Transport, error) {
		client, err := loopback.NewClient(cfg.LoopbackURL)
		if err != nil {
			return nil, err
		}
		lc.Append(fx.Hook{OnStop: client.Close})
		return client, nil
	}),
	fx.Provide(func() transport.Sealer { return transport.Plain{} }),
)
