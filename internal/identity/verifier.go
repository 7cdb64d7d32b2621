package identity

import (
	"context"
	"regexp"
	"slices"
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
	// leeway is how far the issuer's clock may be from ours.
	leeway = 10 * time.Second
)

// algorithms are the signatures a token may have: asymmetric only, so that a
// public key is never taken for a shared secret, and no PKCS #1 v1.5.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256}

// Verifier proves who a token is from.
type Verifier interface {
	// Verify returns the token's principal. Every token that proves nothing is
	// apperr.Unauthenticated with the reason; apperr.Unavailable says that the
	// issuer's keys cannot be read, and nothing about the token.
	Verify(ctx context.Context, token string) (Principal, error)
}

// TokenVerifier verifies JWT access tokens (RFC 9068) against the issuer's key
// file. It is safe for concurrent use.
type TokenVerifier struct {
	issuer, audience string
	keys             *keyFile
	now              func() time.Time
}

var _ Verifier = (*TokenVerifier)(nil)

// NewVerifier makes a verifier. The key file is read on first use and again when
// it has changed; Load reads it at once.
func NewVerifier(cfg config.Identity) (*TokenVerifier, error) {
	if cfg.Issuer == "" || cfg.Audience == "" || cfg.JWKSFile == "" {
		return nil, apperr.New(apperr.Invalid,
			"HELSEBRO_TOKEN_ISSUER, HELSEBRO_TOKEN_AUDIENCE and HELSEBRO_JWKS_FILE must all be set")
	}
	return &TokenVerifier{
		issuer: cfg.Issuer, audience: cfg.Audience,
		keys: &keyFile{path: cfg.JWKSFile},
		now:  time.Now,
	}, nil
}

// Load reads the key file, so that a start hook can refuse a wrong one before the
// first request does.
func (v *TokenVerifier) Load() error { return v.keys.refresh(v.now(), false) }

// claims are the private claims of Helsebro's tokens.
type claims struct {
	Clinic       string `json:"helsebro_clinic,omitempty"`
	Role         Role   `json:"helsebro_role,omitempty"`
	Organisation string `json:"helsebro_organisation,omitempty"`
	HPR          string `json:"helsebro_hpr,omitempty"`
}

// Verify implements Verifier. The rules, in the order of their checks:
//
//   - compact JWS of at most 8 KiB, signed ES256, EdDSA or PS256
//   - typ is at+jwt (RFC 9068 §2.1): an ID token is no access token
//   - no crit and no b64; jku, jwk, x5u and x5c are ignored
//   - kid names a key of the issuer's file, and alg is that key's
//   - the signature is right
//   - iss is exactly the issuer; aud is or contains the audience
//   - exp is there and not past; nbf and iat, where given, are not ahead (10 s)
//   - sub and role are there, and a clinic for all but an operator
func (v *TokenVerifier) Verify(_ context.Context, token string) (Principal, error) {
	if len(token) > maxTokenBytes {
		return Principal{}, refused("it is longer than 8 KiB")
	}
	// The base64 decoder skips line breaks, which would give one token many forms.
	if strings.ContainsAny(token, "\r\n") {
		return Principal{}, refused("it is not a compact JWS")
	}
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return Principal{}, refused("it is not a compact JWS signed with ES256, EdDSA or PS256")
	}
	header := parsed.Headers[0]
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); !accessTokenType(typ) {
		return Principal{}, refused("typ is not at+jwt")
	}
	for _, extension := range []jose.HeaderKey{"crit", "b64"} {
		if _, ok := header.ExtraHeaders[extension]; ok {
			return Principal{}, refused("it uses the extension %s", extension)
		}
	}
	if header.KeyID == "" {
		return Principal{}, refused("it has no kid")
	}
	now := v.now()
	key, ok, err := v.keys.find(header.KeyID, now)
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
	if err := v.check(std, now); err != nil {
		return Principal{}, err
	}
	return principal(std.Subject, own)
}

// accessTokenType compares as a media type: without regard to case, and with or
// without the prefix application/ (RFC 7515 §4.1.9).
func accessTokenType(typ string) bool {
	return strings.EqualFold(typ, "at+jwt") || strings.EqualFold(typ, "application/at+jwt")
}

func (v *TokenVerifier) check(c jwt.Claims, now time.Time) error {
	switch {
	case c.Issuer != v.issuer:
		return refused("iss is not the configured issuer")
	case !slices.Contains(c.Audience, v.audience):
		return refused("aud is not this service")
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

var (
	// opaque bounds what ends up in audit rows and log fields.
	opaque = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@|/+=-]{0,254}$`)
	number = regexp.MustCompile(`^[0-9]{1,9}$`)
)

func principal(subject string, c claims) (Principal, error) {
	switch {
	case !opaque.MatchString(subject):
		return Principal{}, refused("sub is missing or not an opaque id")
	case !known(c.Role):
		return Principal{}, refused("helsebro_role is missing or unknown")
	case c.Clinic == "" && c.Role != RoleOperator:
		return Principal{}, refused("helsebro_clinic is missing: only an operator acts for no clinic")
	case c.Clinic != "" && !opaque.MatchString(c.Clinic):
		return Principal{}, refused("helsebro_clinic is not an id")
	case c.Organisation != "" && !opaque.MatchString(c.Organisation):
		return Principal{}, refused("helsebro_organisation is not an organisation number")
	case c.HPR != "" && !number.MatchString(c.HPR):
		return Principal{}, refused("helsebro_hpr is not an HPR number")
	}
	return Principal{Subject: subject, ClinicID: c.Clinic, Role: c.Role, Organisation: c.Organisation, HPR: c.HPR}, nil
}

// refused never quotes the token.
func refused(format string, args ...any) error {
	return apperr.New(apperr.Unauthenticated, "the access token is refused: "+format, args...)
}
