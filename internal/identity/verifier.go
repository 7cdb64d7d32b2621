package identity

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
)

const (
	// maxTokenBytes bounds what is parsed before a signature is checked.
	maxTokenBytes = 8 << 10
	// leeway is how far the issuer's and the caller's clocks may be from ours.
	leeway = 10 * time.Second
)

// Verifier proves who calls.
type Verifier interface {
	// Verify returns the principal of a token, and of its proof where it is bound to a
	// key. Credentials that prove nothing are apperr.Unauthenticated with the reason, and
	// a Challenge as the cause; apperr.Unavailable says nothing about the credentials:
	// the issuer's keys cannot be read, or too many proofs are to be remembered.
	Verify(ctx context.Context, c Credentials) (Principal, error)
}

// TokenVerifier verifies JWT access tokens (RFC 9068) against the issuer's keys, and
// DPoP proofs (RFC 9449). It is safe for concurrent use.
type TokenVerifier struct {
	issuer, audience string
	clinics          map[string]string
	keys             *keyCache
	proofs           *proofs
	now              func() time.Time
}

var _ Verifier = (*TokenVerifier)(nil)

// NewVerifier makes a verifier. Keys are read on first use; Load reads them at once.
// Settings that are missing or wrong are apperr.Invalid.
func NewVerifier(cfg config.Identity) (*TokenVerifier, error) {
	if err := cfg.Validate(); err != nil {
		return nil, apperr.Wrap(apperr.Invalid, err, "the settings for access tokens are wrong")
	}
	nonces, err := cfg.NonceKey()
	if err != nil {
		return nil, apperr.Wrap(apperr.Invalid, err, "the settings for access tokens are wrong")
	}
	v := &TokenVerifier{issuer: cfg.Issuer, audience: cfg.Audience, clinics: cfg.Clinics, now: time.Now}
	clock := func() time.Time { return v.now() }
	v.keys = &keyCache{source: sourceOf(cfg), now: clock}
	v.proofs = &proofs{origin: strings.TrimSuffix(cfg.PublicURL, "/"), required: cfg.DPoPRequired, nonceKey: nonces, now: clock}
	return v, nil
}

// Load reads the issuer's keys, so that a start can refuse wrong ones before the first
// request does. Unavailable where they cannot be read.
func (v *TokenVerifier) Load(ctx context.Context) error { return v.keys.load(ctx) }

// Ready is nil while there are keys to verify with; Unavailable otherwise.
func (v *TokenVerifier) Ready(ctx context.Context) error {
	_, _, err := v.keys.find(ctx, "")
	return err
}

// Verify implements Verifier. The rules, in the order of their checks:
//
//   - compact JWS of at most 8 KiB, signed ES256, EdDSA, PS256 or RS256
//   - typ is at+jwt (RFC 9068 §2.1): an ID token is no access token
//   - no crit and no b64; jku, jwk, x5u and x5c are ignored
//   - kid names a key of the issuer, and alg is that key's
//   - the signature is right
//   - iss is exactly the issuer; aud is the audience alone
//   - exp is there and not past; nbf and iat, where given, are not ahead (10 s)
//   - what the role needs is there: see the package
//   - a bound token has its proof, and a proof has its bound token
func (v *TokenVerifier) Verify(ctx context.Context, c Credentials) (Principal, error) {
	p, err := v.verify(ctx, c)
	var r *refusal
	if errors.As(err, &r) {
		what := "the access token"
		if r.code != invalidToken {
			what = "the proof of possession"
		}
		return Principal{}, apperr.Wrap(apperr.Unauthenticated, &Challenge{Code: r.code, Scheme: c.Scheme, Nonce: r.nonce}, "%s is refused: %s", what, r.reason)
	}
	return p, err
}

func (v *TokenVerifier) verify(ctx context.Context, c Credentials) (Principal, error) {
	parsed, header, err := readJWT(c.Token, "at+jwt")
	if err != nil {
		return Principal{}, refused("%s", err)
	}
	if header.KeyID == "" || len(header.KeyID) > maxKeyIDBytes {
		return Principal{}, refused("it has no kid, or one of more than %d bytes", maxKeyIDBytes)
	}
	key, ok, err := v.keys.find(ctx, header.KeyID)
	if err != nil {
		return Principal{}, err
	}
	if !ok {
		return Principal{}, refused("its kid is not a key of the issuer")
	}
	if header.Algorithm != string(key.algorithm) {
		return Principal{}, refused("its alg is not that of its key")
	}
	var std jwt.Claims
	var own claims
	if err := parsed.Claims(key.public, &std, &own); err != nil {
		return Principal{}, refused("its signature or its claims are wrong")
	}
	if err := v.check(std); err != nil {
		return Principal{}, err
	}
	p, err := principal(std, own, v.audience, v.clinics)
	if err != nil {
		return Principal{}, err
	}
	if err := v.proofs.check(c, own.Confirmation); err != nil {
		return Principal{}, err
	}
	return p, nil
}

func (v *TokenVerifier) check(c jwt.Claims) error {
	now := v.now()
	switch {
	case c.Issuer != v.issuer:
		return refused("iss is not the configured issuer")
	case len(c.Audience) != 1 || c.Audience[0] != v.audience:
		return refused("aud is not this service alone")
	case c.Expiry == nil:
		return refused("it has no exp")
	case !now.Before(c.Expiry.Time().Add(leeway)):
		return refused("it has expired")
	case c.NotBefore != nil && now.Add(leeway).Before(c.NotBefore.Time()):
		return refused("it is not valid yet")
	case c.IssuedAt != nil && now.Add(leeway).Before(c.IssuedAt.Time()):
		return refused("it is issued in the future")
	}
	return nil
}

// readJWT reads a token or a proof, of which it believes nothing but the form: its
// signature is to be checked. Errors are the reason in words, and quote nothing.
func readJWT(raw, wanted string) (*jwt.JSONWebToken, jose.Header, error) {
	if len(raw) > maxTokenBytes {
		return nil, jose.Header{}, errors.New("it is longer than 8 KiB")
	}
	// The base64 decoder skips line breaks, which would give one token many forms.
	if strings.ContainsAny(raw, "\r\n") {
		return nil, jose.Header{}, errors.New("it is not a compact JWS")
	}
	parsed, err := jwt.ParseSigned(raw, algorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return nil, jose.Header{}, errors.New("it is not a compact JWS signed with ES256, EdDSA, PS256 or RS256")
	}
	header := parsed.Headers[0]
	// A type is compared as a media type: without regard to case, and with or without
	// the prefix application/ (RFC 7515 §4.1.9).
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	if !strings.EqualFold(typ, wanted) && !strings.EqualFold(typ, "application/"+wanted) {
		return nil, jose.Header{}, fmt.Errorf("typ is not %s", wanted)
	}
	for _, extension := range []jose.HeaderKey{"crit", "b64"} {
		if _, ok := header.ExtraHeaders[extension]; ok {
			return nil, jose.Header{}, fmt.Errorf("it uses the extension %s", extension)
		}
	}
	return parsed, header, nil
}

// The codes of refusals (RFC 6750 §3.1, RFC 9449 §7.1 and §8).
const (
	invalidToken = "invalid_token"
	invalidProof = "invalid_dpop_proof"
	useNonce     = "use_dpop_nonce"
)

// refusal is why credentials prove nothing. It never quotes them.
type refusal struct{ code, reason, nonce string }

// Error implements error.
func (r *refusal) Error() string { return r.reason }

func refused(format string, args ...any) error {
	return &refusal{code: invalidToken, reason: fmt.Sprintf(format, args...)}
}

func proofRefused(format string, args ...any) error {
	return &refusal{code: invalidProof, reason: fmt.Sprintf(format, args...)}
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
