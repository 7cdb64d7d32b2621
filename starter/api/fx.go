package api

import (
	"context"
	"log/slog"

	sdkclient "go.temporal.io/sdk/client"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/health"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/metrics"
	"github.com/helsebro/helsebro/internal/observ"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/scan"
	"github.com/helsebro/helsebro/internal/temporalx"
	"github.com/helsebro/helsebro/internal/tracing"
	"github.com/helsebro/helsebro/internal/vault"
	"github.com/helsebro/helsebro/starter/client"
	"github.com/helsebro/helsebro/starter/process"
)

// Options is the whole HTTP process, API and codec server, to run by itself or
// inside the development stack. Hooks start in the order Temporal client,
// database, token keys, codec server, API and stop in the opposite one.
func Options(cfg config.Serve, logger *slog.Logger) fx.Option {
	return fx.Options(
		fx.Supply(cfg, cfg.Database, cfg.Vault, cfg.Temporal, cfg.Identity, cfg.Activity, logger),
		fx.WithLogger(observ.FxLogger),
		fx.StartTimeout(config.StartTimeout), fx.StopTimeout(config.StopTimeout),
		vault.Module, temporalx.Module, pg.Module, registry.Module, metrics.Module, tracing.Module("serve"),
		fx.Provide(
			verifier,
			func(v *identity.TokenVerifier) identity.Verifier { return v },
			scanner,
			func(s *pg.Store, c sdkclient.Client, active *registry.ActivityClient, files scan.Scanner) *client.Client {
				return client.New(s, c, client.WithScanner(files), client.WithActivity(active))
			},
			callbacks,
			func(s *pg.Store, c sdkclient.Client, service *client.Client, v *identity.TokenVerifier, m *metrics.Metrics, traces *tracing.Traces, cfg config.Serve, logger *slog.Logger, extra []Option) *API {
				return New(service, v, map[string]health.Check{
					"postgresql": s.Ping,
					"token-keys": v.Ready,
					"temporal": func(ctx context.Context) error {
						_, err := c.CheckHealth(ctx, &sdkclient.CheckHealthRequest{})
						return err
					},
				}, logger, append(extra, WithMetrics(m), WithTraces(traces), WithLimit(cfg.HTTP.Rate, cfg.HTTP.Burst))...)
			},
		),
		fx.Invoke(serve),
	)
}

// verifier reads the issuer's keys at start. A wrong file is an error before the first
// request; an issuer that cannot be asked may be back in a minute, and until then the
// process is not ready.
func verifier(lc fx.Lifecycle, cfg config.Identity, logger *slog.Logger) (*identity.TokenVerifier, error) {
	v, err := identity.NewVerifier(cfg)
	if err != nil {
		return nil, err
	}
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		err := v.Load(ctx)
		if err != nil && cfg.JWKSFile == "" {
			logger.Warn("the token issuer's keys cannot be read yet", "error", err)
			return nil
		}
		return err
	}))
	return v, nil
}

// scanner judges uploaded files, where there is one.
func scanner(cfg config.Serve, logger *slog.Logger) scan.Scanner {
	if cfg.Scan.ClamAVAddr == "" {
		logger.Warn("uploaded files are not scanned for viruses: HELSEBRO_CLAMAV_ADDR names no clamd")
		return scan.Off{}
	}
	logger.Info("uploaded files are scanned for viruses", "clamd", cfg.Scan.ClamAVAddr)
	return scan.NewClamd(cfg.Scan.ClamAVAddr)
}

// callbacks are the routes for providers that report.
func callbacks(cfg config.Serve) ([]Option, error) {
	keys, err := cfg.SMSCallback.Secrets()
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	return []Option{WithSMSReports(gateway(keys))}, nil
}

// serve runs both servers from start to stop. One that cannot go on ends the
// process.
func serve(lc fx.Lifecycle, cfg config.Serve, a *API, store *pg.Store, logger *slog.Logger, stop fx.Shutdowner) error {
	keys, err := temporalx.Keys(cfg.Temporal)
	if err != nil {
		return err
	}
	if cfg.Codec.WithoutLogin {
		logger.Warn("the codec server asks for no token: HELSEBRO_CODEC_WITHOUT_LOGIN is set", "ui", cfg.Codec.UIOrigin)
	}
	failed := func() {
		if err := stop.Shutdown(fx.ExitCode(1)); err != nil {
			logger.Error("the process could not be told to stop", "error", err)
		}
	}
	codec := newServer("codec", cfg.Codec.Addr, temporalx.CodecHandler(keys, cfg.Codec.UIOrigin, a.AdmitToPayloads(store, cfg.Codec.WithoutLogin), logger), logger, failed)
	api := newServer("api", cfg.HTTP.Addr, a, logger, failed)
	lc.Append(fx.StartStopHook(codec.start, codec.stop))
	lc.Append(fx.StartStopHook(api.start, api.stop))
	return nil
}

// Run serves until ctx ends or the process is told to stop.
func Run(ctx context.Context, cfg config.Serve, logger *slog.Logger) error {
	return process.Run(ctx, "service", Options(cfg, logger))
}
