package api_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/starter/api"
)

// issuer is HelseID to an API that has a verifier of its own.
type issuer struct {
	fixture
	key, holder *ecdsa.PrivateKey
}

func newIssuer(t *testing.T, cfg config.Identity) issuer {
	t.Helper()
	i := issuer{fixture: fixture{service: &service{}, logs: &logs{}}}
	var err error
	i.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	i.holder, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "k"}}})
	require.NoError(t, err)
	cfg.Issuer, cfg.Audience, cfg.JWKSFile = "https://helseid.example", "nhn:helsebro", filepath.Join(t.TempDir(), "jwks.json")
	cfg.PublicURL, cfg.Clinics = "https://helsebro.example/", map[string]string{"999999999": clinicID}
	require.NoError(t, os.WriteFile(cfg.JWKSFile, keys, 0o600))
	v, err := identity.NewVerifier(cfg)
	require.NoError(t, err)
	i.API = api.New(i.service, v, nil, slog.New(slog.NewJSONHandler(i.logs, nil)))
	return i
}

func signed(t *testing.T, key any, header jose.SignerOptions, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, &header)
	require.NoError(t, err)
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return token
}

// token is a practitioner's, bound to the holder's key or to none.
func (i issuer) token(t *testing.T, bound bool) string {
	t.Helper()
	claims := map[string]any{
		"iss": "https://helseid.example", "aud": "nhn:helsebro", "sub": "pseudonym", "client_id": "epj", "exp": time.Now().Add(time.Minute).Unix(),
		"scope": []string{"nhn:helsebro/practitioner"}, "helseid://claims/identity/security_level": "4",
		"helseid://claims/hpr/hpr_number": "9144889", "helseid://claims/client/claims/orgnr_parent": "999999999",
	}
	if bound {
		public := jose.JSONWebKey{Key: i.holder.Public()}
		thumbprint, err := public.Thumbprint(crypto.SHA256)
		require.NoError(t, err)
		claims["cnf"] = map[string]string{"jkt": base64.RawURLEncoding.EncodeToString(thumbprint)}
	}
	return signed(t, jose.JSONWebKey{Key: i.key, KeyID: "k"}, *(&jose.SignerOptions{}).WithType("at+jwt"), claims)
}

func (i issuer) proof(t *testing.T, token, method, path, nonce string) string {
	t.Helper()
	hash := sha256.Sum256([]byte(token))
	header := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	return signed(t, i.holder, *header, map[string]any{
		"jti": uuid.NewString(), "htm": method, "htu": "https://helsebro.example" + path, "iat": time.Now().Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(hash[:]), "nonce": nonce,
	})
}

// TestHelseIDOverHTTP: tokens and proofs, as HelseID's clients send them, come through the
// routes, and what is refused says so as RFC 6750 and RFC 9449 do.
func TestHelseIDOverHTTP(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, config.Identity{})
	inbox := path("/v1/clinics/{clinic}/inbox")
	asks := func(url string, header http.Header) request {
		return request{method: http.MethodGet, path: url, header: header}
	}
	plain, bound := i.token(t, false), i.token(t, true)
	proven := http.Header{"Authorization": {"DPoP " + bound}, "Dpop": {i.proof(t, bound, http.MethodGet, inbox, "")}}
	require.Equal(t, 200, i.do(t, asks(inbox, http.Header{"Authorization": {"Bearer " + plain}})).Code)
	require.Equal(t, 200, i.do(t, asks(inbox+"?limit=1", proven)).Code)
	require.Contains(t, i.logs.String(), `"subject":"pseudonym"`)
	i.service.calls = 0

	const bearer, dpop = `Bearer realm="helsebro"`, `DPoP realm="helsebro", algs="ES256 EdDSA PS256 RS256"`
	for name, c := range map[string]struct {
		request
		status    int
		challenge []string
	}{
		"nothing":            {asks(inbox, nil), 401, []string{bearer, dpop}},
		"wrong token":        {asks(inbox, http.Header{"Authorization": {"Bearer x"}}), 401, []string{bearer + `, error="invalid_token"`, dpop}},
		"bound, as bearer":   {asks(inbox, http.Header{"Authorization": {"Bearer " + bound}}), 401, []string{bearer + `, error="invalid_token"`, dpop}},
		"replayed":           {asks(inbox, proven), 401, []string{bearer, dpop + `, error="invalid_dpop_proof"`}},
		"of another route":   {asks(inbox+"es", http.Header{"Authorization": {"DPoP " + bound}, "Dpop": {i.proof(t, bound, http.MethodGet, inbox, "")}}), 401, []string{bearer, dpop + `, error="invalid_dpop_proof"`}},
		"of another method":  {asks(inbox, http.Header{"Authorization": {"DPoP " + bound}, "Dpop": {i.proof(t, bound, http.MethodPost, inbox, "")}}), 401, []string{bearer, dpop + `, error="invalid_dpop_proof"`}},
		"no proof":           {asks(inbox, http.Header{"Authorization": {"DPoP " + bound}}), 401, []string{bearer, dpop + `, error="invalid_dpop_proof"`}},
		"two headers":        {asks(inbox, http.Header{"Authorization": {"Bearer " + plain, "Bearer " + plain}}), 400, []string{bearer + `, error="invalid_request"`, dpop}},
		"in the URL":         {asks(inbox+"?access_token="+plain, nil), 400, []string{bearer + `, error="invalid_request"`, dpop}},
		"in the URL too":     {asks(inbox+"?access_token=x", http.Header{"Authorization": {"Bearer " + plain}}), 400, []string{bearer + `, error="invalid_request"`, dpop}},
		"a right is missing": {asks(path("/v1/clinics/{clinic}/audit"), http.Header{"Authorization": {"Bearer " + plain}}), 403, []string{bearer + `, error="insufficient_scope"`}},
		"another's clinic":   {asks("/v1/clinics/"+fileID+"/inbox", http.Header{"Authorization": {"Bearer " + plain}}), 404, nil},
	} {
		p := i.problem(t, c.request, c.status)
		require.Equal(t, api.ProblemPrefix+map[int]string{400: "unauthenticated", 401: "unauthenticated", 403: "forbidden", 404: "not-found"}[c.status], p.Type, name)
		res := i.do(t, c.request)
		require.Equal(t, c.challenge, res.Header()["Www-Authenticate"], name)
		for _, secret := range []string{plain, bound, "pseudonym", "9144889", "999999999"} {
			require.NotContains(t, res.Body.String(), secret, name)
		}
	}
	require.Zero(t, i.service.calls)
	require.NotContains(t, i.logs.String(), plain)
	require.NotContains(t, i.logs.String(), bound)
}

func TestANonceIsGivenWithTheRefusal(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, config.Identity{DPoPRequired: true, DPoPNonceKey: base64.StdEncoding.EncodeToString(make([]byte, 32))})
	inbox, token := path("/v1/clinics/{clinic}/inbox"), i.token(t, true)
	asks := func(nonce string) request {
		return request{method: http.MethodGet, path: inbox, header: http.Header{"Authorization": {"DPoP " + token}, "Dpop": {i.proof(t, token, http.MethodGet, inbox, nonce)}}}
	}
	res := i.do(t, asks(""))
	require.Equal(t, 401, res.Code)
	require.Contains(t, res.Header()["Www-Authenticate"][1], `error="use_dpop_nonce"`)
	require.Equal(t, 200, i.do(t, asks(res.Header().Get("DPoP-Nonce"))).Code)
	require.Contains(t, i.problem(t, request{method: http.MethodGet, path: inbox, token: i.token(t, false)}, 401).Detail, "bound to no key")
}

// What the gateway for text messages signs is no token, and its refusal is the same type.
func TestOtherRefusalsHaveAChallengeToo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.service.err = apperr.Wrap(apperr.Unauthenticated, errors.New("a cause"), "not signed")
	res := f.do(t, request{method: http.MethodGet, path: path("/v1/clinics/{clinic}/inbox"), token: "practitioner@" + clinicID})
	require.Equal(t, 401, res.Code)
	require.Contains(t, res.Header().Get("WWW-Authenticate"), `error="invalid_token"`)
	require.Empty(t, res.Header().Get("DPoP-Nonce"))
}
