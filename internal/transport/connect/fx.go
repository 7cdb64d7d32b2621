// Package connect wires the registries, the transport and the sealing that are configured.
package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"time"

	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/metrics"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/registry/nhn"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/amqp"
	"github.com/helsebro/helsebro/internal/transport/cms"
	"github.com/helsebro/helsebro/internal/transport/loopback"
)

// Module provides transport and sealer. Nothing is connected before the first message is
// sent or awaited; the transport closes after its users.
var Module = fx.Module("transport", fx.Provide(
	func(lc fx.Lifecycle, cfg config.Transport, logger *slog.Logger) (transport.Transport, error) {
		t, err := Transport(cfg, logger)
		if err != nil {
			return nil, err
		}
		lc.Append(fx.Hook{OnStop: t.Close})
		return t, nil
	},
	Registry,
	func(cfg config.Transport, r registry.Registry, logger *slog.Logger) (transport.Sealer, error) {
		if cfg.Keys.Dir == "" {
			return transport.Plain{}, nil
		}
		agreements, err := Agreements(cfg, r)
		if err != nil {
			return nil, err
		}
		return Sealer(cfg.Keys, agreements, logger)
	},
), fx.Invoke(func(cfg config.Transport, m *metrics.Metrics) error {
	if cfg.Keys.Dir == "" {
		return nil
	}
	keys, err := cms.OpenFiles(cfg.Keys.Dir, cfg.Keys.Password)
	if err == nil {
		m.Certificates(keys.Expires())
	}
	return err
}))

// The scopes of Norsk helsenett's interfaces.
const (
	registryScope = "nhn:cp-api/access-v2-dpop"
	cppaScope     = "nhn:cppa/access-with-dpop"
)

// Registry makes the address registry of the configuration.
func Registry(cfg config.Transport) (registry.Registry, error) {
	c := cfg.Registries
	if c.Kind == "file" {
		return registry.Open(c.File) // it looks itself whether it has changed
	}
	r, err := addressRegistry(cfg)
	if err != nil {
		return nil, err
	}
	if cppa, err := CPPA(cfg); err != nil {
		return nil, err
	} else if cppa != nil {
		r = nhn.WithProfiles{Registry: r, CPPA: cppa}
	}
	return nhn.NewCached(r, c.Age, c.Stale), nil
}

func addressRegistry(cfg config.Transport) (registry.Registry, error) {
	c := cfg.Registries
	if c.Kind == "soap" {
		return nhn.NewSOAP(c.URL, c.User, c.Password)
	}
	tokens, err := registry.Tokens(cfg.Activity.HelseID, registryScope, true)
	if err != nil {
		return nil, err
	}
	return nhn.NewREST(c.URL, tokens)
}

// CPPA makes the registry of agreements, nil where none is configured.
func CPPA(cfg config.Transport) (*nhn.CPPA, error) {
	if cfg.Registries.CPPAURL == "" {
		return nil, nil
	}
	tokens, err := registry.Tokens(cfg.Activity.HelseID, cppaScope, true)
	if err != nil {
		return nil, err
	}
	return nhn.NewCPPA(cfg.Registries.CPPAURL, tokens)
}

// Agreements makes what says with what certificates parties exchange messages.
func Agreements(cfg config.Transport, r registry.Registry) (cms.Agreements, error) {
	c := cfg.Registries
	found, err := CPPA(cfg)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return Profiles{r}, nil
	}
	return nhn.NewAgreements(found, r, c.AgreementExempt, c.AgreementRequired, c.Age, c.Stale), nil
}

// Transport makes the transport of the configuration.
func Transport(cfg config.Transport, logger *slog.Logger) (transport.Transport, error) {
	if cfg.Kind != "amqp" {
		return loopback.NewClient(cfg.LoopbackURL)
	}
	a := amqp.Config{
		URL: cfg.AMQP.URL, AddressVersion: cfg.AMQP.AddressVersion, Modified: cfg.AMQP.Release == "modified", System: cfg.AMQP.System, Logger: logger,
	}
	if cfg.AMQP.CAFile != "" {
		pem, err := os.ReadFile(cfg.AMQP.CAFile)
		roots := x509.NewCertPool()
		if err != nil || !roots.AppendCertsFromPEM(pem) {
			return nil, apperr.New(apperr.Invalid, "HELSEBRO_AMQP_CA_FILE holds no certificate in PEM that can be read")
		}
		a.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return amqp.New(a)
}

// Sealer makes what seals with the configured keys.
func Sealer(cfg config.Keys, agreements cms.Agreements, logger *slog.Logger) (transport.Sealer, error) {
	keys, err := cms.OpenFiles(cfg.Dir, cfg.Password)
	if err != nil {
		return nil, err
	}
	trusted, err := cms.LoadCertificates(cfg.TrustedFile)
	if err != nil {
		return nil, err
	}
	var lists *cms.RevocationLists
	if cfg.CheckRevocation {
		lists = cms.NewRevocationLists()
	}
	return cms.NewSealer(keys, agreements, cms.NewChecker(trusted, lists, time.Now), logger), nil
}

// Profiles are agreements that are not written down: with every party of the address
// registry messages are exchanged by the certificates that it has there. It is what a
// registry without collaboration agreements gives.
type Profiles struct{ Registry registry.Registry }

var _ cms.Agreements = Profiles{}

// Counterparty implements cms.Agreements. An agreement that a message names is unknown
// here: the sender's own certificates count all the same.
func (p Profiles) Counterparty(ctx context.Context, _, other int, _, _ string) (cms.Counterparty, error) {
	certificates, err := registry.CertificatesOf(ctx, p.Registry, other)
	if err != nil {
		return cms.Counterparty{}, err
	}
	return cms.CounterpartyOf(other, certificates), nil
}
