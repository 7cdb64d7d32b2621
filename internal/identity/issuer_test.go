package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/config"
)

// issuer is a token issuer of the tests: its keys in a file, and a stranger's.
type issuer struct {
	path     string
	es       *ecdsa.PrivateKey
	ed       ed25519.PrivateKey
	ps       *rsa.PrivateKey
	stranger *ecdsa.PrivateKey
	// holder is the caller's own key, for proofs of possession.
	holder   *ecdsa.PrivateKey
	now      time.Time
	verifier *TokenVerifier
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{path: filepath.Join(t.TempDir(), "jwks.json"), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	var err error
	i.es, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	i.stranger, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, i.ed, err = ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	i.ps, err = rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	i.write(t, jose.JSONWebKey{Key: i.es.Public(), KeyID: "es"}, jose.JSONWebKey{Key: i.ed.Public(), KeyID: "ed"},
		jose.JSONWebKey{Key: i.ps.Public(), KeyID: "ps"}, jose.JSONWebKey{Key: i.ps.Public(), KeyID: "rs", Algorithm: "RS256"})
	i.holder, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	i.verifier = i.believing(t, config.Identity{})
	return i
}

// believing is a verifier of the issuer's tokens, with more settings.
func (i *issuer) believing(t testing.TB, cfg config.Identity) *TokenVerifier {
	t.Helper()
	cfg.Issuer, cfg.Audience, cfg.JWKSFile, cfg.PublicURL = issuerName, "nhn:helsebro", i.path, "https://api.example/base/"
	v, err := NewVerifier(cfg)
	require.NoError(t, err)
	v.now = func() time.Time { return i.now }
	return v
}

func (i *issuer) write(t testing.TB, keys ...jose.JSONWebKey) {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(i.path, raw, 0o600))
}

type object map[string]any

// without returns a copy with changes; a nil value leaves the member out.
func (o object) with(changes object) object {
	out := object{}
	for _, m := range []object{o, changes} {
		for k, v := range m {
			if v == nil {
				delete(out, k)
			} else {
				out[k] = v
			}
		}
	}
	return out
}

func (i *issuer) header() object { return object{"alg": "ES256", "typ": "at+jwt", "kid": "es"} }

const (
	issuerName = "https://issuer.example"
	levelClaim = "helseid://claims/identity/security_level"
	hprClaim   = "helseid://claims/hpr/hpr_number"
	parent     = "helseid://claims/client/claims/orgnr_parent"
	child      = "helseid://claims/client/claims/orgnr_child"
)

func (i *issuer) claims() object {
	return object{
		"iss": issuerName, "aud": "nhn:helsebro", "sub": "user-1", "client_id": "epj-1",
		"iat": i.now.Unix(), "nbf": i.now.Unix(), "exp": i.now.Add(5 * time.Minute).Unix(),
		"scope": []string{"nhn:helsebro/practitioner"}, levelClaim: "4", hprClaim: "1234567",
		parent: "999999999", "helsebro_clinic": "clinic-1",
	}
}

// bound are the claims of a token that is the holder's alone.
func (i *issuer) bound(t testing.TB) object {
	return i.claims().with(object{"cnf": object{"jkt": thumbprint(t, i.holder.Public())}})
}

func thumbprint(t testing.TB, public any) string {
	t.Helper()
	key := jose.JSONWebKey{Key: public}
	sum, err := key.Thumbprint(crypto.SHA256)
	require.NoError(t, err)
	return encoded(sum)
}

// proof proves possession of a key for GET /base/v1/inbox with the token; changes make it
// a wrong one.
func (i *issuer) proof(t testing.TB, key *ecdsa.PrivateKey, token string, header, claims object) string {
	t.Helper()
	hash := sha256.Sum256([]byte(token))
	h := object{"alg": "ES256", "typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: key.Public()}}
	c := object{"jti": uuid.NewString(), "htm": "GET", "htu": "https://api.example/base/v1/inbox", "iat": i.now.Unix(), "ath": encoded(hash[:])}
	return sign(t, key, h.with(header), c.with(claims))
}

// request is GET /v1/inbox with its headers.
func request(authorization []string, proof ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/v1/inbox?limit=1", nil)
	r.Header["Authorization"] = authorization
	if len(proof) > 0 {
		r.Header["Dpop"] = proof
	}
	return r
}

func (i *issuer) authenticates(t testing.TB, v *TokenVerifier, r *http.Request) (Principal, error) {
	t.Helper()
	c, err := ReadCredentials(r)
	if err != nil {
		return Principal{}, err
	}
	return v.Verify(t.Context(), c)
}

func part(v any) string {
	if s, ok := v.(string); ok {
		return base64.RawURLEncoding.EncodeToString([]byte(s))
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// sign makes a token of any header and claims, allowed or not; what signs is
// decided by the key alone.
func sign(t testing.TB, key any, header, claims any) string {
	t.Helper()
	input := part(header) + "." + part(claims)
	hash := crypto.SHA256.New()
	hash.Write([]byte(input))
	digest := hash.Sum(nil)
	var signature []byte
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		require.NoError(t, err)
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(input))
	case *rsa.PrivateKey:
		var err error
		signature, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest, nil)
		require.NoError(t, err)
	case pkcs1:
		var err error
		signature, err = rsa.SignPKCS1v15(rand.Reader, key.PrivateKey, crypto.SHA256, digest)
		require.NoError(t, err)
	case []byte:
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, nil)
		require.NoError(t, err)
		jws, err := signer.Sign([]byte("x"))
		require.NoError(t, err)
		signature = jws.Signatures[0].Signature
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// pkcs1 makes an RSA key sign with PKCS #1 v1.5.
type pkcs1 struct{ *rsa.PrivateKey }
