package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/helsebro/helsebro/internal/apperr"
)

const (
	maxKeySetBytes = 256 << 10
	maxKeys        = 64
	// maxKeyIDBytes bounds a kid, in a key set and in a token.
	maxKeyIDBytes = 256
	// RSA keys outside of these bounds are weak, or cost more to use than they protect.
	minRSABits, maxRSABits = 2048, 4096
)

// algorithms are the signatures that tokens and proofs may have: asymmetric only, so that
// a public key is never taken for a shared secret.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256}

// publicKey is one key of the issuer with the one algorithm it verifies.
type publicKey struct {
	public    any
	algorithm jose.SignatureAlgorithm
}

// keyCache holds the issuer's keys. It is safe for concurrent use.
type keyCache struct {
	source
	now func() time.Time

	mu sync.Mutex
	// keys are those of the last good reading, at fresh.
	keys  map[string]publicKey
	fresh time.Time
	// tried is when a reading last began, and err how the last one ended.
	tried time.Time
	err   error
	// reading is closed when the reading that runs has ended; nil when none does.
	reading chan struct{}
}

// source is where keys are read.
type source struct {
	// read returns a JWK Set of at most maxKeySetBytes+1 bytes, within readTimeout.
	read func(context.Context) ([]byte, error)
	// age is how long keys count unasked, pause the least time between two readings, and
	// stale how long the last good keys count when none succeeds.
	age, pause, stale time.Duration
	// setting names the source to who runs the installation.
	setting string
}

// find returns the key with that id; "" stands for any, and is asked to see that there
// are keys at all. Who finds keys that are too old, or not the one
// wanted, waits for the one reading that all such callers share. When the last reading
// has failed, keys that are known are used at once, and the next is tried beside.
func (c *keyCache) find(ctx context.Context, kid string) (publicKey, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ok := c.known(kid)
	current := c.keys != nil && c.now().Sub(c.fresh) < c.age
	if !ok || !current {
		wait := c.begin()
		if wait != nil && (!ok || c.err == nil) {
			c.mu.Unlock()
			var gone error
			select {
			case <-wait:
			case <-ctx.Done():
				gone = ctx.Err()
			}
			c.mu.Lock()
			if gone != nil {
				return publicKey{}, false, apperr.Wrap(apperr.Unavailable, gone, "the token issuer's keys were not read in time")
			}
		}
		key, ok = c.known(kid)
	}
	if c.usable() == nil {
		return publicKey{}, false, apperr.Wrap(apperr.Unavailable, c.err, "the token issuer's keys (%s) cannot be used", c.setting)
	}
	return key, ok, nil
}

// load reads the keys unless they are current.
func (c *keyCache) load(ctx context.Context) error {
	if _, _, err := c.find(ctx, ""); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return apperr.Wrap(apperr.Unavailable, c.err, "the token issuer's keys (%s) cannot be read", c.setting)
	}
	return nil
}

func (c *keyCache) known(kid string) (publicKey, bool) {
	keys := c.usable()
	if kid == "" {
		return publicKey{}, keys != nil
	}
	key, ok := keys[kid]
	return key, ok
}

// usable is nil when there are no keys, or none that still count.
func (c *keyCache) usable() map[string]publicKey {
	if c.now().Sub(c.fresh) < c.stale {
		return c.keys
	}
	return nil
}

// begin returns the reading that runs, after starting one where it is time; nil when it
// is not. No caller's end ends it, since it is everybody's.
func (c *keyCache) begin() chan struct{} {
	now := c.now()
	if c.reading != nil || (!c.tried.IsZero() && now.Sub(c.tried) < c.pause) {
		return c.reading
	}
	done := make(chan struct{})
	c.tried, c.reading = now, done
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		defer cancel()
		raw, err := c.read(ctx)
		var keys map[string]publicKey
		if err == nil {
			keys, err = parseKeys(raw)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if err == nil {
			c.keys, c.fresh = keys, now
		}
		c.err, c.reading = err, nil
		close(done)
	}()
	return done
}

// parseKeys reads a JWK Set (RFC 7517). Keys of other types, sizes or uses are
// left out, as the RFC says; a secret or private key in a set that is meant to be
// public is refused, since somebody has mixed up two.
func parseKeys(raw []byte) (map[string]publicKey, error) {
	if len(raw) > maxKeySetBytes {
		return nil, fmt.Errorf("the key set is larger than %d KiB", maxKeySetBytes>>10)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, errors.New("this is not a JWK Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has more than %d keys", maxKeys)
	}
	keys := map[string]publicKey{}
	for i, one := range set.Keys {
		var jwk jose.JSONWebKey
		if err := jwk.UnmarshalJSON(one); errors.Is(err, jose.ErrUnsupportedKeyType) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("key %d of the set is not a JWK", i+1)
		}
		if !jwk.IsPublic() {
			return nil, fmt.Errorf("key %d of the set is not a public key: it must never be here", i+1)
		}
		algorithm := algorithmOf(jwk)
		if algorithm == "" || jwk.KeyID == "" || len(jwk.KeyID) > maxKeyIDBytes || (jwk.Use != "" && jwk.Use != "sig") {
			continue
		}
		if _, twice := keys[jwk.KeyID]; twice {
			return nil, fmt.Errorf("key %d of the set has the kid of another", i+1)
		}
		keys[jwk.KeyID] = publicKey{public: jwk.Key, algorithm: algorithm}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key for ES256, EdDSA, PS256 or RS256 with a kid")
	}
	return keys, nil
}

// algorithmOf is the one algorithm the key verifies, or "" when it is of no use.
func algorithmOf(jwk jose.JSONWebKey) jose.SignatureAlgorithm {
	fits := fitting(jwk.Key)
	switch {
	case len(fits) == 0:
		return ""
	case jwk.Algorithm == "":
		return fits[0]
	case slices.Contains(fits, jose.SignatureAlgorithm(jwk.Algorithm)):
		return jose.SignatureAlgorithm(jwk.Algorithm)
	}
	return ""
}

// fitting are the algorithms that a key may verify: the first, unless it says another.
func fitting(key any) []jose.SignatureAlgorithm {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return []jose.SignatureAlgorithm{jose.ES256}
		}
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits >= minRSABits && bits <= maxRSABits {
			return []jose.SignatureAlgorithm{jose.PS256, jose.RS256}
		}
	}
	return nil
}
