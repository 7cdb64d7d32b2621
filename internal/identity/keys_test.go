package identity

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
)

func keySet(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	require.NoError(t, err)
	return raw
}

func TestKeyFileRolls(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	old := sign(t, i.es, i.header(), i.claims())
	rolled := sign(t, i.stranger, i.header().with(object{"kid": "new"}), i.claims())
	accepted := func(token string, want bool) {
		t.Helper()
		_, err := i.verifier.Verify(t.Context(), Bearer(token))
		require.Equal(t, want, err == nil, err)
		i.now = i.now.Add(time.Second)
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

func TestUnreadableKeyFile(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	token := sign(t, i.es, i.header(), i.claims().with(object{"exp": i.now.Add(time.Hour).Unix()}))
	require.NoError(t, i.verifier.Load(t.Context()))
	require.NoError(t, i.verifier.Ready(t.Context()))
	require.NoError(t, os.WriteFile(i.path, []byte(`{"keys":[`), 0o600))

	i.now = i.now.Add(10*time.Minute - time.Second)
	_, err := i.verifier.Verify(t.Context(), Bearer(token))
	require.NoError(t, err, "the last good keys serve for a while")
	require.NoError(t, i.verifier.Ready(t.Context()))
	require.True(t, apperr.Is(i.verifier.Load(t.Context()), apperr.Unavailable), "and it is told at start")
	i.now = i.now.Add(time.Second)
	_, err = i.verifier.Verify(t.Context(), Bearer(token))
	require.True(t, apperr.Is(err, apperr.Unavailable), err)
	require.ErrorContains(t, err, "HELSEBRO_JWKS_FILE")
	require.True(t, apperr.Is(i.verifier.Ready(t.Context()), apperr.Unavailable))

	fresh, err := NewVerifier(config.Identity{Issuer: "i", Audience: "a", JWKSFile: filepath.Join(t.TempDir(), "none")})
	require.NoError(t, err)
	require.True(t, apperr.Is(fresh.Load(t.Context()), apperr.Unavailable))
	_, err = fresh.Verify(t.Context(), Bearer(token))
	require.True(t, apperr.Is(err, apperr.Unavailable), err)
}

// asked is an issuer's key set that is read as often as tests want to know.
type asked struct {
	mu    sync.Mutex
	times int
	raw   []byte
	err   error
	// hold, where set, lets readings wait until it is closed.
	hold chan struct{}
}

func (a *asked) read(ctx context.Context) ([]byte, error) {
	a.mu.Lock()
	a.times++
	raw, err, hold := a.raw, a.err, a.hold
	a.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return raw, err
}

func (a *asked) says(raw []byte, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.raw, a.err = raw, err
}

// passes lets time pass on the clock of a test's bubble: nobody waits for it.
func passes(d time.Duration) { <-time.After(d) }

// remote is a cache as of a URL, over an issuer of the test.
func remote(a *asked) *keyCache {
	c := &keyCache{source: sourceOf(config.Identity{Issuer: issuerName}), now: time.Now}
	c.read = a.read
	return c
}

func TestTheIssuerIsAskedOnce(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	one := keySet(t, jose.JSONWebKey{Key: key.Public(), KeyID: "one"})
	two := keySet(t, jose.JSONWebKey{Key: key.Public(), KeyID: "one"}, jose.JSONWebKey{Key: key.Public(), KeyID: "two"})
	synctest.Test(t, func(t *testing.T) {
		a := &asked{raw: one, hold: make(chan struct{})}
		c := remote(a)
		var found atomic.Int32
		for n := range 100 {
			go func() {
				_, ok, err := c.find(t.Context(), []string{"one", "two"}[n%2])
				if err == nil && ok {
					found.Add(1)
				}
			}()
		}
		synctest.Wait()
		require.Equal(t, 1, a.times, "a hundred callers share one reading")
		close(a.hold)
		synctest.Wait()
		require.EqualValues(t, 50, found.Load())

		// A kid that nobody knows: at most every pause, whoever asks.
		for range 1000 {
			_, ok, err := c.find(t.Context(), "two")
			require.NoError(t, err)
			require.False(t, ok)
		}
		require.Equal(t, 1, a.times)
		a.says(two, nil)
		passes(c.pause)
		_, ok, err := c.find(t.Context(), "two")
		require.NoError(t, err)
		require.True(t, ok, "the rolled key is found")
		require.Equal(t, 2, a.times)

		// Keys that are dropped are gone with the next reading, though it is known.
		a.says(one, nil)
		passes(c.age - time.Second)
		_, ok, _ = c.find(t.Context(), "two")
		require.True(t, ok)
		require.Equal(t, 2, a.times, "nobody asks before keys are old")
		passes(time.Second)
		_, ok, err = c.find(t.Context(), "two")
		require.NoError(t, err)
		require.False(t, ok)
		require.Equal(t, 3, a.times)
	})
}

func TestTheIssuerIsDown(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	set := keySet(t, jose.JSONWebKey{Key: key.Public(), KeyID: "one"})
	synctest.Test(t, func(t *testing.T) {
		a := &asked{err: errors.New("down")}
		c := remote(a)
		_, _, err := c.find(t.Context(), "one")
		require.True(t, apperr.Is(err, apperr.Unavailable), err)
		a.says(set, nil)
		passes(c.pause)
		_, ok, err := c.find(t.Context(), "one")
		require.NoError(t, err)
		require.True(t, ok, "it is asked again after a pause")
		began := time.Now()

		// It hangs: one caller waits until the reading is given up, and then nobody does.
		a.hold = make(chan struct{})
		passes(c.age)
		before := time.Now()
		_, ok, err = c.find(t.Context(), "one")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, readTimeout, time.Since(before))
		passes(c.pause)
		before = time.Now()
		for range 10 {
			_, ok, err = c.find(t.Context(), "one")
			require.NoError(t, err)
			require.True(t, ok)
		}
		require.Zero(t, time.Since(before), "the last keys count, and the issuer is asked beside")

		// A caller who hangs up is not kept.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err = c.find(ctx, "unknown")
		require.True(t, apperr.Is(err, apperr.Unavailable), err)

		passes(c.stale - time.Since(began) - time.Second)
		_, ok, err = c.find(t.Context(), "one")
		require.NoError(t, err)
		require.True(t, ok)
		passes(time.Second)
		_, _, err = c.find(t.Context(), "one")
		require.True(t, apperr.Is(err, apperr.Unavailable), "after a day nothing is believed: %v", err)

		close(a.hold)
		a.mu.Lock()
		a.hold = nil
		a.mu.Unlock()
		passes(c.pause)
		_, ok, err = c.find(t.Context(), "one")
		require.NoError(t, err)
		require.True(t, ok, "it is back")
	})
}

func TestKeySets(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	es := jose.JSONWebKey{Key: i.es.Public(), KeyID: "es"}
	for name, c := range map[string]struct {
		keys []jose.JSONWebKey
		want string // "" when the set is good
	}{
		"others are left out": {[]jose.JSONWebKey{
			{Key: p384.Public(), KeyID: "p384"}, {Key: i.es.Public(), KeyID: "enc", Use: "enc"}, {Key: i.es.Public()},
			{Key: i.ps.Public(), KeyID: "rs512", Algorithm: "RS512"}, {Key: i.es.Public(), KeyID: strings.Repeat("k", maxKeyIDBytes+1)}, es,
		}, ""},
		"none is left":  {[]jose.JSONWebKey{{Key: p384.Public(), KeyID: "p384"}}, "no key for ES256"},
		"none":          {nil, "no key for ES256"},
		"private key":   {[]jose.JSONWebKey{es, {Key: i.es, KeyID: "private"}}, "key 2 of the set is not a public key"},
		"shared secret": {[]jose.JSONWebKey{es, {Key: []byte("secret"), KeyID: "hs"}}, "key 2 of the set is not a public key"},
		"same kid":      {[]jose.JSONWebKey{es, es}, "kid of another"},
		"too many":      {make([]jose.JSONWebKey, maxKeys+1), "more than 64"},
	} {
		for k := range c.keys {
			if c.keys[k].Key == nil {
				c.keys[k] = es
			}
		}
		keys, err := parseKeys(keySet(t, c.keys...))
		if c.want == "" {
			require.NoError(t, err, name)
			require.Len(t, keys, 1, name)
			continue
		}
		require.ErrorContains(t, err, c.want, name)
	}
	known, err := es.MarshalJSON()
	require.NoError(t, err)
	_, err = parseKeys(fmt.Appendf(nil, `{"keys":[{"kty":"new"},%s]}`, known))
	require.NoError(t, err, "an unknown key type is left out")
	_, err = parseKeys([]byte(`{"keys":[{"kty":"EC"}]}`))
	require.ErrorContains(t, err, "key 1 of the set is not a JWK")
	_, err = parseKeys(bytes.Repeat([]byte(" "), maxKeySetBytes+1))
	require.ErrorContains(t, err, "larger than 256 KiB")
}

// TestKeysAreFetched reads keys over HTTP, as from HELSEBRO_JWKS_URL and as discovered.
func TestKeysAreFetched(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	set := keySet(t, jose.JSONWebKey{Key: i.es.Public(), KeyID: "es"})
	metadata := ""
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	answers := func(path string, status int, body []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write(body)
		})
	}
	answers("/keys", 200, set)
	answers("/huge", 200, append(set, bytes.Repeat([]byte(" "), maxKeySetBytes)...))
	answers("/broken", 500, set)
	answers("/page", 200, []byte("<html>"))
	mux.Handle("GET /moved", http.RedirectHandler("/keys", http.StatusFound))
	mux.HandleFunc("GET /tenant/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(metadata)) })

	believes := func(cfg config.Identity) error {
		cfg.Audience = "nhn:helsebro"
		v, err := NewVerifier(cfg)
		require.NoError(t, err)
		v.now = func() time.Time { return i.now }
		_, err = v.Verify(t.Context(), Bearer(sign(t, i.es, i.header(), i.claims().with(object{"iss": cfg.Issuer}))))
		return err
	}
	require.NoError(t, believes(config.Identity{Issuer: issuerName, JWKSURL: server.URL + "/keys"}))
	for path, reason := range map[string]string{
		"/moved": "answers 302", "/broken": "answers 500", "/huge": "larger than 256 KiB", "/page": "not a JWK Set", "/none": "answers 404",
	} {
		err := believes(config.Identity{Issuer: issuerName, JWKSURL: server.URL + path})
		require.True(t, apperr.Is(err, apperr.Unavailable), path)
		require.ErrorContains(t, err, reason)
		require.ErrorContains(t, err, "HELSEBRO_JWKS_URL")
	}

	issuer := server.URL + "/tenant"
	for said, reason := range map[string]string{
		`{"issuer":"` + issuer + `","jwks_uri":"` + server.URL + `/keys"}`:       "",
		`{"issuer":"` + issuer + `/","jwks_uri":"` + server.URL + `/keys"}`:      "another issuer's",
		`{"issuer":"https://evil.example","jwks_uri":"` + server.URL + `/keys"}`: "another issuer's",
		`{"issuer":"` + issuer + `"}`:                                            "must be an https URL",
		`{"issuer":"` + issuer + `","jwks_uri":"http://issuer.example/keys"}`:    "must be an https URL",
		`{"issuer":"` + issuer + `","jwks_uri":"file:///etc/passwd"}`:            "must be an https URL",
		`{"issuer":"` + issuer + `","jwks_uri":"` + server.URL + `/moved"}`:      "answers 302",
		`<html>`: "not JSON",
	} {
		metadata = said
		err := believes(config.Identity{Issuer: issuer})
		if reason == "" {
			require.NoError(t, err)
			continue
		}
		require.True(t, apperr.Is(err, apperr.Unavailable), said)
		require.ErrorContains(t, err, reason)
	}
}
