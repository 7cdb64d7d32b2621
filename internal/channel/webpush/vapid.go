package webpush

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/helsebro/helsebro/internal/apperr"
)

// tokenLife is how long a token is valid: 24 hours are allowed (RFC 8292 §2), and one
// is made for every message.
const tokenLife = time.Hour

// GenerateKey makes a value for HELSEBRO_VAPID_KEY.
func GenerateKey() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	raw, err := key.Bytes()
	return base64.RawURLEncoding.EncodeToString(raw), err
}

// vapid is how we identify ourselves to push services (RFC 8292).
type vapid struct {
	signer  jose.Signer
	public  string
	subject string
}

func newVAPID(encoded, subject string) (*vapid, error) {
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errKey()
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return nil, errKey()
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, errKey()
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, errKey()
	}
	return &vapid{signer: signer, public: base64.RawURLEncoding.EncodeToString(public), subject: subject}, nil
}

func errKey() error {
	return apperr.New(apperr.Invalid, "HELSEBRO_VAPID_KEY must be the unpadded base64url of a P-256 private key's 32 bytes")
}

// authorization is the header for one endpoint: a token for its origin and no other.
func (v *vapid) authorization(endpoint *url.URL, now time.Time) (string, error) {
	token, err := jwt.Signed(v.signer).Claims(jwt.Claims{
		Audience: jwt.Audience{endpoint.Scheme + "://" + endpoint.Host},
		Expiry:   jwt.NewNumericDate(now.Add(tokenLife)),
		Subject:  v.subject,
	}).Serialize()
	return "vapid t=" + token + ", k=" + v.public, err
}
