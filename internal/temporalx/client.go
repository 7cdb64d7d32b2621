package temporalx

import (
	"log/slog"
	"net"

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
// environment before file), with Configure applied. The namespace is always set. Who wants
// no TLS to another machine says so (TEMPORAL_TLS=false); else it is refused as Invalid.
func ClientOptions(cfg config.Temporal, logger *slog.Logger) (client.Options, error) {
	keys, err := Keys(cfg)
	if err != nil {
		return client.Options{}, err
	}
	opts, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return client.Options{}, apperr.Wrap(apperr.Invalid, err, "Temporal's client configuration (TEMPORAL_*, temporal.toml) cannot be used")
	}
	if err := protected(opts); err != nil {
		return client.Options{}, err
	}
	return Configure(opts, keys, logger), nil
}

// protected refuses a connection to another machine that nobody has chosen to make without
// TLS, and one that would take any server's certificate.
func protected(opts client.Options) error {
	switch c := opts.ConnectionOptions; {
	case c.TLS != nil && c.TLS.InsecureSkipVerify:
		return apperr.New(apperr.Invalid, "the connection to Temporal would take any server's certificate: unset TEMPORAL_TLS_DISABLE_HOST_VERIFICATION, and name the authority in TEMPORAL_TLS_SERVER_CA_CERT_PATH")
	case c.TLS != nil || c.TLSDisabled || thisMachine(opts.HostPort):
		return nil
	}
	return apperr.New(apperr.Invalid, "Temporal (TEMPORAL_ADDRESS) is on another machine, and the connection has no TLS: set TEMPORAL_TLS=true, or TEMPORAL_TLS=false where the network between them is this installation's own")
}

// thisMachine says whether the address, of which an empty one is the client's default, leads
// nowhere else.
func thisMachine(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = hostPort
	}
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || ip != nil && ip.IsLoopback()
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
