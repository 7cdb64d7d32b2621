package helseid_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/registry/helseid"
	"github.com/helsebro/helsebro/internal/registry/registrytest"
)

func newKey(t *testing.T) jose.JSONWebKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return jose.JSONWebKey{Key: key, KeyID: "k1", Algorithm: string(jose.ES256)}
}

func setup(t *testing.T, bound bool) (*registrytest.NHN, *helseid.Client) {
	t.Helper()
	key := newKey(t)
	nhn := registrytest.New(t, key.Public())
	nhn.Bound = bound
	nhn.Parties[1] = registry.Party{HerID: 1, Name: "En"}
	c, err := helseid.New(helseid.Config{TokenURL: nhn.TokenURL(), ClientID: "helsebro", Key: key, Scope: "nhn:x", DPoP: bound})
	require.NoError(t, err)
	return nhn, c
}

func get(t *testing.T, nhn *registrytest.NHN, c *helseid.Client) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, nhn.URL+"/cp/CommunicationParties/1", nil)
	require.NoError(t, err)
	res, err := (&http.Client{Transport: c.Transport(nil)}).Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for name, bound := range map[string]bool{"bearer": false, "DPoP": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nhn, c := setup(t, bound)
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					if got := get(t, nhn, c); got != http.StatusOK {
						t.Errorf("%d", got)
					}
				})
			}
			all.Wait()
			require.Equal(t, 1, nhn.Tokens, "a token is for many requests, and fetched once")

			nhn.Forget()
			require.Equal(t, http.StatusOK, get(t, nhn, c), "one that is known no more is fetched anew")
			require.Equal(t, 2, nhn.Tokens)

			nhn.Lock()
			nhn.WantNonce = bound
			nhn.Unlock()
			require.Equal(t, http.StatusOK, get(t, nhn, c), "a nonce is taken from the refusal")

			c.SetClock(func() time.Time { return time.Now().Add(271 * time.Second) })
			_, err := c.Token(t.Context())
			require.ErrorContains(t, err, "invalid_client", "half a minute before its end it is asked for, here with an assertion of the future")
		})
	}
}

func TestATokenThatIsRefused(t *testing.T) {
	t.Parallel()
	nhn, c := setup(t, true)
	nhn.TokenFault = "invalid_client"
	_, err := c.Token(t.Context())
	require.True(t, apperr.Is(err, apperr.Unavailable))
	require.ErrorContains(t, err, "invalid_client")
	nhn.TokenFault = "Ola Nordmann"
	_, err = c.Token(t.Context())
	require.NotContains(t, err.Error(), "Ola", "only a code is quoted")

	nhn.TokenFault = ""
	other, err := helseid.New(helseid.Config{TokenURL: nhn.TokenURL(), ClientID: "helsebro", Key: newKey(t), DPoP: true})
	require.NoError(t, err)
	_, err = other.Token(t.Context())
	require.ErrorContains(t, err, "invalid_client", "another's key")

	nhn.Fault = registrytest.Refusing
	require.Equal(t, http.StatusUnauthorized, get(t, nhn, c), "once more, and no more")
	require.Equal(t, 2, nhn.Asked["/cp/CommunicationParties/1"])
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key.json")
	key := newKey(t)
	raw, err := json.Marshal(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	got, err := helseid.LoadKey(path)
	require.NoError(t, err)
	require.Equal(t, "k1", got.KeyID)
	require.NoError(t, os.Chmod(path, 0o644))
	_, err = helseid.LoadKey(path)
	require.ErrorContains(t, err, "chmod 600")
	require.NoError(t, os.Chmod(path, 0o600))
	public, err := json.Marshal(key.Public())
	require.NoError(t, err)
	for _, text := range []string{string(public), "{}", "hemmelig"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err = helseid.LoadKey(path)
		require.True(t, apperr.Is(err, apperr.Invalid))
		require.NotContains(t, err.Error(), "hemmelig")
	}
	_, err = helseid.LoadKey(path + ".none")
	require.True(t, apperr.Is(err, apperr.Invalid))
	_, err = helseid.New(helseid.Config{Key: key.Public()})
	require.True(t, apperr.Is(err, apperr.Invalid))
}
