package identity

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
)

// issuer is a token issuer of the tests: three keys in a file, and a stranger's.
type issuer struct {
	path     string
	es       *ecdsa.PrivateKey
	ed       ed25519.PrivateKey
	ps       *rsa.PrivateKey
	stranger *ecdsa.PrivateKey
	now      time.Time
	verifier *TokenVerifier
}

func newIssuer(t *testing.T) *issuer {
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
		jose.JSONWebKey{Key: i.ps.Public(), KeyID: "ps"})
	i.verifier, err = NewVerifier(config.Identity{Issuer: "https://issuer.example", Audience: "helsebro", JWKSFile: i.path})
	require.NoError(t, err)
	i.verifier.now = func() time.Time { return i.now }
	return i
}

func (i *issuer) write(t *testing.T, keys ...jose.JSONWebKey) {
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

func (i *issuer) claims() object {
	return object{
		"iss": "https://issuer.example", "aud": "helsebro", "sub": "user-1",
		"iat": i.now.Unix(), "nbf": i.now.Unix(), "exp": i.now.Add(5 * time.Minute).Unix(),
		"helsebro_clinic": "clinic-1", "helsebro_role": "practitioner",
		"helsebro_organisation": "999999999", "helsebro_hpr": "1234567",
	}
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
func sign(t *testing.T, key any, header, claims any) string {
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

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	want := Principal{Subject: "user-1", ClinicID: "clinic-1", Role: RolePractitioner, Organisation: "999999999", HPR: "1234567"}
	h, c := i.header(), i.claims()
	for name, token := range map[string]string{
		"ES256":                 sign(t, i.es, h, c),
		"EdDSA":                 sign(t, i.ed, h.with(object{"alg": "EdDSA", "kid": "ed"}), c),
		"PS256":                 sign(t, i.ps, h.with(object{"alg": "PS256", "kid": "ps"}), c),
		"typ as a media type":   sign(t, i.es, h.with(object{"typ": "application/AT+JWT"}), c),
		"several audiences":     sign(t, i.es, h, c.with(object{"aud": []string{"other", "helsebro"}})),
		"expired within leeway": sign(t, i.es, h, c.with(object{"exp": i.now.Add(-9 * time.Second).Unix()})),
		"nbf within leeway":     sign(t, i.es, h, c.with(object{"nbf": i.now.Add(9 * time.Second).Unix()})),
		"no nbf, no iat":        sign(t, i.es, h, c.with(object{"nbf": nil, "iat": nil})),
		"unknown claims":        sign(t, i.es, h, c.with(object{"scope": "x", "client_id": "y"})),
		"jku is ignored":        sign(t, i.es, h.with(object{"jku": "https://attacker.example/jwks"}), c),
	} {
		p, err := i.verifier.Verify(t.Context(), token)
		require.NoError(t, err, name)
		require.Equal(t, want, p, name)
	}

	p, err := i.verifier.Verify(t.Context(), sign(t, i.es, h,
		c.with(object{"helsebro_role": "operator", "helsebro_clinic": nil, "helsebro_organisation": nil, "helsebro_hpr": nil})))
	require.NoError(t, err)
	require.Equal(t, Principal{Subject: "user-1", Role: RoleOperator}, p)
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	h, c := i.header(), i.claims()
	good := sign(t, i.es, h, c)
	parts := strings.Split(good, ".")
	publicDER := elliptic.MarshalCompressed(elliptic.P256(), i.es.X, i.es.Y)
	strangerJWK := jose.JSONWebKey{Key: i.stranger.Public(), KeyID: "es"}
	es := func(header, claims object) string { return sign(t, i.es, h.with(header), c.with(claims)) }

	for name, token := range map[string]string{
		// What is no token.
		"empty":              "",
		"words":              "not a token",
		"two parts":          parts[0] + "." + parts[1],
		"four parts":         good + ".x",
		"JSON serialisation": `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"line break inside":  parts[0] + ".\n" + parts[1] + "." + parts[2],
		"padding":            parts[0] + "=." + parts[1] + "." + parts[2],
		"too long":           es(nil, object{"filler": strings.Repeat("x", maxTokenBytes)}),
		"header not JSON":    sign(t, i.es, "header", c),
		"claims not JSON":    sign(t, i.es, h, "claims"),
		"claims an array":    sign(t, i.es, h, []string{"a"}),

		// Signature and algorithm.
		"no signature":               parts[0] + "." + parts[1] + ".",
		"alg none":                   part(h.with(object{"alg": "none"})) + "." + parts[1] + ".",
		"alg None":                   part(h.with(object{"alg": "None"})) + "." + parts[1] + ".",
		"alg missing":                es(object{"alg": nil}, nil),
		"alg a number":               es(object{"alg": 256}, nil),
		"HS256 with the public key":  sign(t, publicDER, h.with(object{"alg": "HS256"}), c),
		"RS256":                      sign(t, pkcs1{i.ps}, h.with(object{"alg": "RS256", "kid": "ps"}), c),
		"PKCS #1 named PS256":        sign(t, pkcs1{i.ps}, h.with(object{"alg": "PS256", "kid": "ps"}), c),
		"ES384":                      es(object{"alg": "ES384"}, nil),
		"alg of another key":         es(object{"alg": "EdDSA"}, nil),
		"another key's kid":          es(object{"kid": "ed"}, nil),
		"signed by a stranger":       sign(t, i.stranger, h, c),
		"claims changed":             parts[0] + "." + part(c.with(object{"helsebro_role": "operator"})) + "." + parts[2],
		"header changed":             part(h.with(object{"x": 1})) + "." + parts[1] + "." + parts[2],
		"signature of another token": parts[0] + "." + parts[1] + "." + strings.Split(es(nil, object{"sub": "user-2"}), ".")[2],

		// Header.
		"typ missing":               es(object{"typ": nil}, nil),
		"typ JWT":                   es(object{"typ": "JWT"}, nil),
		"typ of a DPoP proof":       es(object{"typ": "dpop+jwt"}, nil),
		"typ a list":                es(object{"typ": []string{"at+jwt"}}, nil),
		"kid missing":               es(object{"kid": nil}, nil),
		"kid unknown":               es(object{"kid": "other"}, nil),
		"kid a path":                es(object{"kid": "../../etc/passwd"}, nil),
		"jwk of a stranger":         sign(t, i.stranger, h.with(object{"jwk": strangerJWK}), c),
		"jwk of a stranger, no kid": sign(t, i.stranger, h.with(object{"jwk": strangerJWK, "kid": nil}), c),
		"jku of a stranger":         sign(t, i.stranger, h.with(object{"jku": "https://attacker.example/jwks"}), c),
		"x5u of a stranger":         sign(t, i.stranger, h.with(object{"x5u": "https://attacker.example/cert"}), c),
		"crit":                      es(object{"crit": []string{"exp"}}, nil),
		"crit b64":                  es(object{"crit": []string{"b64"}, "b64": false}, nil),
		"b64":                       es(object{"b64": true}, nil),
		"header member given twice": sign(t, i.es, `{"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"es"}`, c),

		// Registered claims.
		"iss missing":            es(nil, object{"iss": nil}),
		"iss of another":         es(nil, object{"iss": "https://other.example"}),
		"iss with a slash":       es(nil, object{"iss": "https://issuer.example/"}),
		"iss in capitals":        es(nil, object{"iss": "https://ISSUER.example"}),
		"iss a list":             es(nil, object{"iss": []string{"https://issuer.example"}}),
		"aud missing":            es(nil, object{"aud": nil}),
		"aud of another":         es(nil, object{"aud": "other"}),
		"aud longer":             es(nil, object{"aud": "helsebro-test"}),
		"aud empty list":         es(nil, object{"aud": []string{}}),
		"aud a number":           es(nil, object{"aud": 1}),
		"exp missing":            es(nil, object{"exp": nil}),
		"exp null":               sign(t, i.es, h, strings.Replace(decoded(t, parts[1]), `"exp":`, `"exp":null,"x":`, 1)),
		"exp a string":           es(nil, object{"exp": "9999999999"}),
		"exp past":               es(nil, object{"exp": i.now.Add(-10 * time.Second).Unix()}),
		"exp overflowing":        es(nil, object{"exp": 1e30}),
		"nbf ahead":              es(nil, object{"nbf": i.now.Add(11 * time.Second).Unix()}),
		"nbf overflowing":        es(nil, object{"nbf": 1e30}),
		"iat ahead":              es(nil, object{"iat": i.now.Add(11 * time.Second).Unix()}),
		"a claim given twice":    sign(t, i.es, h, strings.Replace(decoded(t, parts[1]), `"sub":`, `"sub":"user-2","sub":`, 1)),
		"claims in another case": sign(t, i.es, h, strings.Replace(decoded(t, parts[1]), `"exp":`, `"EXP":`, 1)),
		"sub missing":            es(nil, object{"sub": nil}),
		"sub with a line break":  es(nil, object{"sub": "user\n1"}),
		"sub endless":            es(nil, object{"sub": strings.Repeat("a", 256)}),

		// Helsebro's claims.
		"role missing":                es(nil, object{"helsebro_role": nil}),
		"role unknown":                es(nil, object{"helsebro_role": "root"}),
		"role in capitals":            es(nil, object{"helsebro_role": "Operator"}),
		"role a list":                 es(nil, object{"helsebro_role": []string{"operator"}}),
		"practitioner without clinic": es(nil, object{"helsebro_clinic": nil}),
		"service without clinic":      es(nil, object{"helsebro_role": "service", "helsebro_clinic": nil}),
		"clinic no id":                es(nil, object{"helsebro_clinic": "a b"}),
		"organisation no id":          es(nil, object{"helsebro_organisation": "<script>"}),
		"hpr no number":               es(nil, object{"helsebro_hpr": "12a"}),
	} {
		p, err := i.verifier.Verify(t.Context(), token)
		require.Truef(t, apperr.Is(err, apperr.Unauthenticated), "%s: %v", name, err)
		require.Zero(t, p, name)
		for _, leak := range []string{"user-1", "clinic-1", "passwd", "script", "attacker"} {
			require.NotContains(t, err.Error(), leak, name)
		}
	}
}

func decoded(t *testing.T, part string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	require.NoError(t, err)
	return string(raw)
}

func TestKeysRoll(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	old := sign(t, i.es, i.header(), i.claims())
	rolled := sign(t, i.stranger, i.header().with(object{"kid": "new"}), i.claims())
	accepted := func(token string, want bool) {
		t.Helper()
		_, err := i.verifier.Verify(t.Context(), token)
		require.Equal(t, want, err == nil, err)
	}
	accepted(old, true)
	accepted(rolled, false)

	newKey := jose.JSONWebKey{Key: i.stranger.Public(), KeyID: "new"}
	i.write(t, jose.JSONWebKey{Key: i.es.Public(), KeyID: "es"}, newKey)
	accepted(rolled, true)
	accepted(old, true)

	i.write(t, newKey)
	accepted(rolled, true)
	accepted(old, false)
}

// A file that changes without a trace in size and time is found by its new kid,
// and not more often than once a second.
func TestUnknownKeyReadsAgain(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.write(t, jose.JSONWebKey{Key: i.es.Public(), KeyID: "a1"})
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, os.Chtimes(i.path, at, at))
	require.NoError(t, i.verifier.Load())
	i.write(t, jose.JSONWebKey{Key: i.es.Public(), KeyID: "a2"})
	require.NoError(t, os.Chtimes(i.path, at, at))

	token := sign(t, i.es, i.header().with(object{"kid": "a2"}), i.claims())
	_, err := i.verifier.Verify(t.Context(), token)
	require.True(t, apperr.Is(err, apperr.Unauthenticated), err)
	i.now = i.now.Add(unknownKeyPause)
	_, err = i.verifier.Verify(t.Context(), token)
	require.NoError(t, err)
}

func TestUnreadableKeyFile(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	token := sign(t, i.es, i.header(), i.claims().with(object{"exp": i.now.Add(time.Hour).Unix()}))
	require.NoError(t, i.verifier.Load())
	require.NoError(t, os.WriteFile(i.path, []byte(`{"keys":[`), 0o600))

	i.now = i.now.Add(staleKeys - time.Second)
	_, err := i.verifier.Verify(t.Context(), token)
	require.NoError(t, err, "the last good keys serve for a while")
	i.now = i.now.Add(time.Second)
	_, err = i.verifier.Verify(t.Context(), token)
	require.True(t, apperr.Is(err, apperr.Unavailable), err)
	require.ErrorContains(t, err, "HELSEBRO_JWKS_FILE")

	fresh, err := NewVerifier(config.Identity{Issuer: "i", Audience: "a", JWKSFile: filepath.Join(t.TempDir(), "none")})
	require.NoError(t, err)
	require.True(t, apperr.Is(fresh.Load(), apperr.Unavailable))
	_, err = fresh.Verify(t.Context(), token)
	require.True(t, apperr.Is(err, apperr.Unavailable), err)
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	es := jose.JSONWebKey{Key: i.es.Public(), KeyID: "es"}
	for name, c := range map[string]struct {
		keys []jose.JSONWebKey
		want string // "" when the file is good
	}{
		"others are left out": {[]jose.JSONWebKey{
			{Key: p384.Public(), KeyID: "p384"}, {Key: i.es.Public(), KeyID: "enc", Use: "enc"}, {Key: i.es.Public()},
			{Key: i.ps.Public(), KeyID: "rs256", Algorithm: "RS256"}, es}, ""},
		"none is left":  {[]jose.JSONWebKey{{Key: p384.Public(), KeyID: "p384"}}, "no key for ES256"},
		"none":          {nil, "no key for ES256"},
		"private key":   {[]jose.JSONWebKey{es, {Key: i.es, KeyID: "private"}}, "key 2 of the file is not a public key"},
		"shared secret": {[]jose.JSONWebKey{es, {Key: []byte("secret"), KeyID: "hs"}}, "key 2 of the file is not a public key"},
		"same kid":      {[]jose.JSONWebKey{es, es}, "kid of another"},
		"too many":      {make([]jose.JSONWebKey, maxKeys+1), "more than 64"},
	} {
		for k := range c.keys {
			if c.keys[k].Key == nil {
				c.keys[k] = es
			}
		}
		raw, err := json.Marshal(jose.JSONWebKeySet{Keys: c.keys})
		require.NoError(t, err)
		keys, err := parseKeys(raw)
		if c.want == "" {
			require.NoError(t, err, name)
			require.Len(t, keys, 1, name)
			continue
		}
		require.ErrorContains(t, err, c.want, name)
	}
	_, err = parseKeys([]byte(`{"keys":[{"kty":"new"},` + strings.TrimPrefix(string(mustJSON(t, es)), "") + `]}`))
	require.NoError(t, err, "an unknown key type is left out")
	_, err = parseKeys([]byte(`{"keys":[{"kty":"EC"}]}`))
	require.ErrorContains(t, err, "key 1 of the file is not a JWK")

	require.NoError(t, os.WriteFile(i.path, bytes.Repeat([]byte(" "), maxKeyFileBytes+1), 0o600))
	_, err = readKeys(i.path)
	require.ErrorContains(t, err, "larger than 256 KiB")
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return raw
}

func TestVerifierNeedsItsSettings(t *testing.T) {
	t.Parallel()
	full := config.Identity{Issuer: "i", Audience: "a", JWKSFile: "f"}
	_, err := NewVerifier(full)
	require.NoError(t, err)
	for n := range reflect.TypeOf(full).NumField() {
		cfg := full
		reflect.ValueOf(&cfg).Elem().Field(n).SetString("")
		_, err := NewVerifier(cfg)
		require.True(t, apperr.Is(err, apperr.Invalid), err)
	}
}

func TestDevIssuer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keyFile, jwksFile := filepath.Join(dir, "issuer.pem"), filepath.Join(dir, "jwks.json")
	d, err := OpenDevIssuer(keyFile)
	require.NoError(t, err)
	info, err := os.Stat(keyFile)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	require.NoError(t, d.WriteJWKS(jwksFile))
	require.NoError(t, d.WriteJWKS(jwksFile))
	require.NotContains(t, string(d.JWKS()), `"d"`)

	var cfg config.Identity
	require.NoError(t, env.ParseWithOptions(&cfg, env.Options{Environment: map[string]string{"HELSEBRO_JWKS_FILE": jwksFile}}))
	v, err := NewVerifier(cfg)
	require.NoError(t, err)
	want := Principal{Subject: "user-1", ClinicID: "clinic-1", Role: RoleStaff, Organisation: "999999999"}
	token, err := d.Issue(want, time.Minute)
	require.NoError(t, err)
	got, err := v.Verify(t.Context(), token)
	require.NoError(t, err, "the dev issuer's names are the defaults of the configuration")
	require.Equal(t, want, got)

	again, err := OpenDevIssuer(keyFile)
	require.NoError(t, err)
	require.Equal(t, d.JWKS(), again.JWKS(), "the key stays")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing else is left")

	for name, c := range map[string]struct {
		p   Principal
		ttl time.Duration
	}{
		"no life":        {want, 0},
		"too long":       {want, MaxDevTokenLife + time.Second},
		"no subject":     {Principal{Role: RoleOperator}, time.Minute},
		"no role":        {Principal{Subject: "s", ClinicID: "c"}, time.Minute},
		"without clinic": {Principal{Subject: "s", Role: RoleStaff}, time.Minute},
	} {
		_, err := d.Issue(c.p, c.ttl)
		require.Truef(t, apperr.Is(err, apperr.Invalid), "%s: %v", name, err)
	}
}

func TestDevIssuerRefusesAnUnsafeKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "issuer.pem")
	_, err := OpenDevIssuer(keyFile)
	require.NoError(t, err)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o666} {
		require.NoError(t, os.Chmod(keyFile, mode))
		_, err := OpenDevIssuer(keyFile)
		require.True(t, apperr.Is(err, apperr.Invalid), err)
		require.ErrorContains(t, err, "chmod 600")
	}
	require.NoError(t, os.Chmod(keyFile, 0o400))
	_, err = OpenDevIssuer(keyFile)
	require.NoError(t, err)

	for name, content := range map[string]string{
		"empty":       "",
		"words":       "no key",
		"not PKCS #8": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		path := filepath.Join(t.TempDir(), "bad.pem")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := OpenDevIssuer(path)
		require.Truef(t, apperr.Is(err, apperr.Invalid), "%s: %v", name, err)
	}
	_, err = OpenDevIssuer(dir)
	require.ErrorContains(t, err, "is not a file")
	_, err = OpenDevIssuer(filepath.Join(dir, "no", "folder.pem"))
	require.True(t, apperr.Is(err, apperr.Invalid), err)
}

// Processes that start together end with one key.
func TestDevIssuerIsMadeOnce(t *testing.T) {
	t.Parallel()
	keyFile := filepath.Join(t.TempDir(), "issuer.pem")
	sets := make(chan string)
	for range 8 {
		go func() {
			d, err := OpenDevIssuer(keyFile)
			if err != nil {
				sets <- err.Error()
				return
			}
			sets <- string(d.JWKS())
		}()
	}
	first := <-sets
	require.Contains(t, first, `"kty": "EC"`)
	for range 7 {
		require.Equal(t, first, <-sets)
	}
}
