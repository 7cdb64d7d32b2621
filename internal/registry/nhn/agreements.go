package nhn

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport/cms"
)

// Agreements finds with what certificates messages are exchanged: by the agreement of the
// two parties, else by the other's profile, else by the certificates that the address
// registry has, for substitutes and others without a profile.
//
// It goes on to the next only when there is none. A registry that does not answer, or does
// not take our token, is asked again.
type Agreements struct {
	cppa     *CPPA
	registry registry.Registry
	// exempt are functions that need no agreement; required refuses whoever has neither
	// agreement nor profile.
	exempt   []string
	required bool
	found    *Cache[key, cms.Counterparty]
}

type key struct {
	own, other int
	id         string
}

var _ cms.Agreements = (*Agreements)(nil)

// NewAgreements makes Agreements. What is found counts for age, and for stale when the
// registry does not answer.
func NewAgreements(cppa *CPPA, r registry.Registry, exempt []string, required bool, age, stale time.Duration) *Agreements {
	a := &Agreements{cppa: cppa, registry: r, exempt: exempt, required: required}
	a.found = NewCache(age, stale, a.lookUp)
	// One that is over, or whose certificates are, is looked up anew: there may be new ones.
	a.found.good = func(c cms.Counterparty, now time.Time) bool {
		if !c.Until.IsZero() && !now.Before(c.Until) {
			return false
		}
		for _, certs := range [][]*x509.Certificate{c.Signing, c.Encryption} {
			if len(certs) > 0 && !slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return now.Before(c.NotAfter) }) {
				return false
			}
		}
		return true
	}
	return a
}

// Counterparty implements cms.Agreements.
func (a *Agreements) Counterparty(ctx context.Context, own, other int, function, cpaID string) (cms.Counterparty, error) {
	if slices.ContainsFunc(a.exempt, func(f string) bool { return strings.EqualFold(f, function) }) {
		return a.madeUp(ctx, other)
	}
	if uuid.Validate(cpaID) != nil {
		cpaID = "" // what the wire says is no id: the two parties are known
	}
	c, err := a.found.Get(ctx, key{own, other, strings.ToLower(cpaID)})
	// A receipt does not say on its envelope what it is for: it may be for one of these.
	if apperr.Is(err, apperr.NotFound) && len(a.exempt) > 0 && strings.EqualFold(function, codes.AppRec) {
		return a.madeUp(ctx, other)
	}
	return c, err
}

func (a *Agreements) lookUp(ctx context.Context, k key) (cms.Counterparty, error) {
	if k.id != "" {
		// The certificates are those that were agreed when the message was sent.
		p, err := a.cppa.Agreement(ctx, k.id)
		if err == nil && p.Counts(time.Now()) {
			c := counterparty(p, k.own)
			if c.HerID != k.other {
				c.Signing, c.Encryption = nil, nil // whoever names another's agreement gets nothing of it
			}
			return c, nil
		}
		if err != nil && !apperr.Is(err, apperr.NotFound) {
			return cms.Counterparty{}, err
		}
	}
	p, err := a.cppa.AgreementBetween(ctx, k.own, k.other)
	if err == nil && !p.Counts(time.Now()) {
		err = apperr.New(apperr.NotFound, "the agreement of HER-ids %d and %d counts at another time", k.own, k.other)
	}
	if apperr.Is(err, apperr.NotFound) {
		p, err = a.cppa.Profile(ctx, k.other)
	}
	if apperr.Is(err, apperr.NotFound) && !a.required {
		return a.madeUp(ctx, k.other)
	}
	if err != nil {
		return cms.Counterparty{}, err
	}
	c := counterparty(p, k.own)
	if c.HerID != k.other {
		return cms.Counterparty{}, apperr.New(apperr.Unavailable, "the registry of collaboration agreements answered about another party than HER-id %d", k.other)
	}
	return c, nil
}

// madeUp is a counterparty of what the address registry knows.
func (a *Agreements) madeUp(ctx context.Context, other int) (cms.Counterparty, error) {
	certificates, err := registry.CertificatesOf(ctx, a.registry, other)
	if err != nil {
		return cms.Counterparty{}, err
	}
	return cms.CounterpartyOf(other, certificates), nil
}

// counterparty is what a profile or an agreement says of the other party; HerID is 0 when
// the own one has no part in it.
func counterparty(p Profile, own int) cms.Counterparty {
	other := p.Other(own)
	if other == nil {
		return cms.Counterparty{}
	}
	c := cms.CounterpartyOf(other.HerID, other.Certificates)
	c.CPAID, c.Until, c.Receives = p.AgreementID, p.End, other.Receives
	return c
}
