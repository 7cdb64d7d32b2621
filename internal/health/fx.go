package health

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/metrics"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/temporalx"
)

// Module serves the health and the metrics of a process that uses PostgreSQL and Temporal.
var Module = fx.Module("health", fx.Invoke(func(lc fx.Lifecycle, cfg config.Health, s *pg.Store, temporal temporalx.Ready, m *metrics.Metrics, logger *slog.Logger) {
	mux := http.NewServeMux()
	mux.Handle("/", Handler(map[string]Check{"postgresql": s.Ping, "temporal": Check(temporal)}))
	mux.Handle("GET /metrics", m.Handler())
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: mux}
	lc.Append(fx.Hook{
		OnStart: func(ctx context.Context) error {
			l, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
			if err != nil {
				return err
			}
			go func() {
				if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
					logger.Error("health is not served any more", "error", err)
				}
			}()
			return nil
		},
		OnStop: server.Shutdown,
	})
}))
