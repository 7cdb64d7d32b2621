package temporalx

import (
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/observ"
	"github.com/helsebro/helsebro/internal/vault"
)

// ClientOptions are the options of Temporal's own client configuration
// (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, TLS, API key;
// environment before file), with Configure applied. The namespace is always set.
func ClientOptions(cfg config.Temporal, logger *slog.Logger) (client.Options, error) {
	keys, err := Keys(cfg)
	if err != nil {
		return client.Options{}, err
	}
	opts, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return client.Options{}, apperr.Wrap(apperr.Invalid, err, "Temporal's client configuration (TEMPORAL_*, temporal.toml) cannot be used")
	}
	return Configure(opts, keys, logger), nil
}

// Configure adds to opts what every client of Helsebro has: converters, logger and
// a warning at the size that no payload should reach. It is for who knows the
// address itself; the namespace must not be changed afterwards, since payloads are
// sealed for it. An empty one becomes Temporal's default.
func Configure(opts client.Options, keys vault.Keys, logger *slog.Logger) client.Options {
	if opts.Namespace == "" {
		opts.Namespace = client.DefaultNamespace
	}
	opts.DataConverter = DataConverter(keys, opts.Namespace)
	opts.FailureConverter = FailureConverter(keys, opts.Namespace)
	opts.Logger = observ.Temporal(logger)
	opts.PayloadLimits = client.PayloadLimitOptions{
		PayloadSizeWarning: contract.MaxPayloadBytes,
		MemoSizeWarning:    contract.MaxPayloadBytes,
	}
	return opts
}

// NewLazyClient makes a client with ClientOptions. It does no I/O: the first call
// connects.
func NewLazyClient(cfg config.Temporal, logger *slog.Logger) (client.Client, error) {
	opts, err := ClientOptions(cfg, logger)
	if err != nil {
		return nil, err
	}
	return newLazyClient(opts)
}

func newLazyClient(opts client.Options) (client.Client, error) {
	c, err := client.NewLazyClient(opts)
	if err != nil {
		return nil, apperr.Wrap(apperr.Invalid, err, "no Temporal client can be made of this configuration")
	}
	return c, nil
}
