package doctor

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel/sms"
	"github.com/helsebro/helsebro/internal/channel/smtp"
	"github.com/helsebro/helsebro/internal/channel/webpush"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/cms"
	"github.com/helsebro/helsebro/internal/transport/connect"
)

func (i *installation) vaultKeys(context.Context) verdict {
	if i.vaultErr != nil {
		return failed("put back the keys that were backed up, or make the first with openssl rand -base64 32", i.vaultErr)
	}
	return ok("the keys of the vault can be used")
}

func (i *installation) dataKeys(ctx context.Context) verdict {
	n, err := i.store.CheckKeys(ctx)
	if err != nil {
		return failed("put back the keys that this database was written with (HELSEBRO_VAULT_KEYS)", err)
	}
	return ok("the vault opens the database's data keys, which %d of its keys wrap", n)
}

func (i *installation) payloadKeys(context.Context) verdict {
	if i.codecErr != nil {
		return failed("put back the keys that were backed up, or make the first with openssl rand -base64 32", i.codecErr)
	}
	return ok("the keys of Temporal's payloads can be used")
}

// expiresSoon is when a certificate is renewed: to get another takes weeks.
const expiresSoon = 30 * 24 * time.Hour

func (i *installation) messageKeys(ctx context.Context) verdict {
	cfg := i.worker.Transport
	switch {
	case !i.moves():
		return skipped("no process that is looked at seals messages")
	case cfg.Keys.Dir == "" && cfg.Kind != "amqp":
		return skipped("messages are not sealed: HELSEBRO_KEYS_DIR is not set")
	case cfg.Keys.Dir == "":
		return fail("set HELSEBRO_KEYS_DIR to the directory of signing.pem and decryption.pem, or .p12 files", "there are no keys to seal messages with")
	}
	keys, err := cms.OpenFiles(cfg.Keys.Dir, cfg.Keys.Password)
	if err != nil {
		return failed("put the enterprise certificates with their keys into HELSEBRO_KEYS_DIR, readable by their owner only", err)
	}
	trusted, err := cms.LoadCertificates(cfg.Keys.TrustedFile)
	if err != nil {
		return failed("set HELSEBRO_TRUSTED_CERTIFICATES to the roots and issuers that are trusted (PEM)", err)
	}
	var lists *cms.RevocationLists
	if cfg.Keys.CheckRevocation {
		lists = cms.NewRevocationLists()
	}
	checker := cms.NewChecker(trusted, lists, i.now)
	first := time.Duration(1<<63 - 1)
	for _, party := range keys.Parties() {
		signing, err := keys.Signing(party)
		if err != nil {
			return failed("see HELSEBRO_KEYS_DIR", err)
		}
		decryption, err := keys.Decryption(party)
		if err != nil {
			return failed("see HELSEBRO_KEYS_DIR", err)
		}
		// Of several to decrypt with, the newest counts: the others are on their way out.
		for use, one := range map[string]struct {
			key   cms.Key
			usage cms.Usage
		}{"signing": {signing, cms.ForSigning}, "decryption": {decryption[0], cms.ForEncryption}} {
			whose := use
			if party != 0 {
				whose = fmt.Sprintf("%s of party %d", use, party)
			}
			found := checker.Check(ctx, one.key.Certificate, one.usage, one.key.Chain...)
			switch {
			case found&^cms.RevocationUnreachable != 0:
				return fail("get a certificate for it, put it into HELSEBRO_KEYS_DIR, and register it in the address registry", "the certificate for %s is not taken by counterparts: %s", whose, found)
			case found != 0:
				return warn("see that this machine reaches the issuers' lists, or unset HELSEBRO_CHECK_REVOCATION", "the certificate for %s: %s", whose, found)
			}
			first = min(first, one.key.Certificate.NotAfter.Sub(i.now()))
		}
	}
	if first < expiresSoon {
		return warn("order another now, put it beside the old one, and register it in the address registry", "the first certificate that messages are sealed with expires in %s", days(first))
	}
	return ok("the keys fit their certificates, of which the first expires in %s", days(first))
}

func (i *installation) tokenKeys(ctx context.Context) verdict {
	if !i.runs("serve") {
		return skipped("no process that is looked at takes tokens")
	}
	v, err := identity.NewVerifier(i.serve.Identity)
	if err == nil {
		err = v.Load(ctx)
	}
	if err != nil {
		return failed("set HELSEBRO_JWKS_FILE, HELSEBRO_JWKS_URL or HELSEBRO_TOKEN_ISSUER to where the issuer's public keys are", err)
	}
	return ok("the keys of the token issuer are read")
}

func (i *installation) addressRegistry(ctx context.Context) verdict {
	cfg := i.worker.Transport
	if !i.moves() {
		return skipped("no process that is looked at asks the address registry")
	}
	if i.registryErr != nil {
		return failed("see HELSEBRO_REGISTRY and what belongs to it", i.registryErr)
	}
	if cfg.HelsenorgeHerID <= 0 {
		return fail("set HELSEBRO_HELSENORGE_HER_ID", "nobody is known to ask about: Helsenorge's HER-id is not set")
	}
	_, err := i.registry.Party(ctx, cfg.HelsenorgeHerID)
	switch {
	case apperr.Is(err, apperr.NotFound):
		return fail("see that HELSEBRO_HELSENORGE_HER_ID is of the environment that the registry is of", "the address registry answers, and does not know Helsenorge's party %d", cfg.HelsenorgeHerID)
	case err != nil:
		return failed("see HELSEBRO_REGISTRY_… and HELSEBRO_HELSEID_…, and that this machine reaches the registry", err)
	}
	return ok("the address registry (%s) knows Helsenorge's party %d", cfg.Registries.Kind, cfg.HelsenorgeHerID)
}

func (i *installation) agreements(ctx context.Context) verdict {
	cfg := i.worker.Transport
	if !i.moves() || cfg.Registries.CPPAURL == "" {
		return skipped("no registry of agreements is configured: HELSEBRO_CPPA_URL is not set")
	}
	const toDo = "see HELSEBRO_CPPA_URL and HELSEBRO_HELSEID_…, and that this machine reaches the registry"
	cppa, err := connect.CPPA(cfg)
	if err != nil {
		return failed(toDo, err)
	}
	if _, err := cppa.Profile(ctx, cfg.HelsenorgeHerID); err != nil && !apperr.Is(err, apperr.NotFound) {
		return failed(toDo, err)
	}
	return ok("the registry of agreements answers")
}

func (i *installation) activity(ctx context.Context) verdict {
	cfg := i.worker.Transport.Activity
	if cfg.URL == "" {
		return skipped("the digitally-active check is not configured: HELSEBRO_ACTIVITY_URL is not set, and the last known status of a patient counts")
	}
	c, err := registry.OpenActivity(cfg)
	if err == nil {
		err = c.Ping(ctx)
	}
	if err != nil {
		return failed("see HELSEBRO_ACTIVITY_URL and HELSEBRO_HELSEID_…, and that this machine reaches Helsenorge", err)
	}
	return ok("the digitally-active check answers")
}

func (i *installation) broker(ctx context.Context) verdict {
	cfg := i.worker.Transport
	if !i.moves() || cfg.Kind != "amqp" {
		return skipped("there is no broker: HELSEBRO_TRANSPORT is not amqp")
	}
	const toDo = "mend HELSEBRO_AMQP_URL, the user's rights at the broker, or the queues in the address registry, as is said"
	t, err := connect.Transport(cfg, i.logger)
	if err != nil {
		return failed(toDo, err)
	}
	defer t.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is under way
	tester, can := t.(transport.SelfTester)
	if !can {
		return skipped("this transport cannot look at itself")
	}
	queues, parties := i.ownQueues(ctx)
	if found := tester.SelfTest(ctx, queues); len(found) > 0 {
		words := make([]string, len(found))
		for n, f := range found {
			words[n] = failed("", f).found
		}
		return fail(toDo, "%s", strings.Join(words, "; "))
	}
	if len(queues) == 0 {
		return ok("the broker lets us in; no queue of a clinic's party is known yet")
	}
	return ok("the broker lets us in and has the %d queues of %d parties", len(queues), parties)
}

// ownQueues are the queues of the clinics' parties, as far as they can be known.
func (i *installation) ownQueues(ctx context.Context) (queues []string, parties int) {
	if i.store == nil || i.registry == nil {
		return nil, 0
	}
	ids, err := i.store.Parties(ctx)
	if err != nil {
		return nil, 0 // database-connection says so
	}
	var own []registry.Party
	for _, id := range ids {
		if party, err := i.registry.Party(ctx, id); err == nil {
			own = append(own, party)
		}
	}
	return registry.Queues(own), len(own)
}

// noChannel is the verdict on what no process that is looked at sends by, or nobody.
func (i *installation) noChannel(offered bool, setting string) (verdict, bool) {
	switch {
	case !i.runs("worker"):
		return skipped("no process that is looked at sends notices"), true
	case !offered:
		return skipped("this channel is not configured: %s is not set", setting), true
	}
	return verdict{}, false
}

func (i *installation) email(ctx context.Context) verdict {
	cfg := i.worker.Channels.SMTP
	if v, none := i.noChannel(cfg.Offered(), "HELSEBRO_SMTP_ADDR"); none {
		return v
	}
	s, err := smtp.New(cfg)
	if err != nil {
		return failed("mend the setting that is named", err)
	}
	if err := s.Greet(ctx); err != nil {
		return failed("see that the relay at HELSEBRO_SMTP_ADDR runs, takes this machine and HELSEBRO_SMTP_USER, and offers what HELSEBRO_SMTP_TLS demands", err)
	}
	return ok("the mail relay at %s takes us in", cfg.Addr)
}

func (i *installation) sms(context.Context) verdict {
	cfg := i.worker.Channels.SMS
	if v, none := i.noChannel(cfg.Offered(), "HELSEBRO_SMS_URL"); none {
		return v
	}
	if _, err := sms.New(cfg); err != nil {
		return failed("mend the setting that is named", err)
	}
	host := "the gateway"
	if u, err := url.Parse(cfg.URL); err == nil {
		host = u.Host
	}
	return ok("configured for %s; it is not asked, since all that it takes is messages", host)
}

func (i *installation) push(context.Context) verdict {
	cfg := i.worker.Channels.WebPush
	if v, none := i.noChannel(cfg.Offered(), "HELSEBRO_VAPID_KEY"); none {
		return v
	}
	if _, err := webpush.New(cfg, i.worker.Channels.Local); err != nil {
		return failed("mend the setting that is named", err)
	}
	return ok("configured; each browser has a service of its own, and none is asked")
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// firstLine keeps an error of a library to one line.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
