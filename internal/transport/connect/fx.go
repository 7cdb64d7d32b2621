// Package connect wires the transport and the sealing that are configured.
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
	"github.com/helsebro/helsebro/internal/registry"
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
	func(cfg config.Transport, r registry.Registry, logger *slog.Logger) (transport.Sealer, error) {
		return Sealer(cfg.Keys, r, logger)
	},
))

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

// Sealer makes the sealer of the configuration: without keys, one that does not seal.
func Sealer(cfg config.Keys, r registry.Registry, logger *slog.Logger) (transport.Sealer, error) {
	if cfg.Dir == "" {
		return transport.Plain{}, nil
	}
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
	return cms.NewSealer(keys, Profiles{r}, cms.NewChecker(trusted, lists, time.Now), logger), nil
}

// Profiles are agreements that are not written down: with every party of the address
// registry messages are exchanged by the certificates that it has there. It is what a
// registry without collaboration agreements gives.
type Profiles struct{ Registry registry.Registry }

var _ cms.Agreements = Profiles{}

// Counterparty implements cms.Agreements. An agreement that a message names is unknown
// here: the sender's own certificates count all the same.
func (p Profiles) Counterparty(ctx context.Context, _, other int, _, _ string) (cms.Counterparty, error) {
	party, err := p.Registry.Party(ctx, other)
	if err != nil {
		return cms.Counterparty{}, err
	}
	certificates := party.X509
	if party.ParentHerID != 0 {
		organisation, err := p.Registry.Party(ctx, party.ParentHerID)
		if err != nil {
			return cms.Counterparty{}, err
		}
		certificates = organisation.X509
	}
	c := cms.Counterparty{HerID: other}
	for _, cert := range certificates {
		// One that is for neither is a signer whose usage is then found to be wrong: to call
		// it missing would not help its owner.
		if cms.ForEncryption.Has(cert) {
			c.Encryption = append(c.Encryption, cert)
		}
		if cms.ForSigning.Has(cert) || !cms.ForEncryption.Has(cert) {
			c.Signing = append(c.Signing, cert)
		}
	}
	return c, nil
}
