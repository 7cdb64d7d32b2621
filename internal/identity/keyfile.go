package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/helsebro/helsebro/internal/apperr"
)

const (
	maxKeyFileBytes = 256 << 10
	maxKeys         = 64
	minRSABits      = 2048
	// staleKeys is how long the last good keys are used when the file has become
	// unreadable, say half written.
	staleKeys = 10 * time.Minute
	// unknownKeyPause bounds how often a kid that nobody knows makes the file be
	// read again.
	unknownKeyPause = time.Second
)

// publicKey is one key of the issuer with the one algorithm it verifies.
type publicKey struct {
	public    any
	algorithm jose.SignatureAlgorithm
}

// keyFile is the issuer's JWKS in a file, cached until the file changes.
type keyFile struct {
	path string

	mu sync.Mutex
	// keys are those of the last good read.
	keys map[string]publicKey
	// stamp is the version of the file that keys are of.
	stamp stamp
	// fresh is when the file was last known to be what keys are.
	fresh time.Time
	// read is when it was last tried to be read.
	read time.Time
}

type stamp struct {
	modified time.Time
	size     int64
}

// find returns the key with that id. A file that was replaced within the same
// tick of the file system's clock is found by a kid it does not know.
func (f *keyFile) find(kid string, now time.Time) (key publicKey, ok bool, err error) {
	if err := f.refresh(now, false); err != nil {
		return publicKey{}, false, err
	}
	f.mu.Lock()
	key, ok = f.keys[kid]
	again := !ok && now.Sub(f.read) >= unknownKeyPause
	f.mu.Unlock()
	if !again {
		return key, ok, nil
	}
	if err := f.refresh(now, true); err != nil {
		return publicKey{}, false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key, ok = f.keys[kid]
	return key, ok, nil
}

// refresh reads the file when it has changed, or always when forced. The last
// good keys outlive an unreadable file by staleKeys; a key that a readable file
// no longer has is gone at once.
func (f *keyFile) refresh(now time.Time, force bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.reload(now, force)
	if err == nil {
		f.fresh = now
		return nil
	}
	if f.keys != nil && now.Sub(f.fresh) < staleKeys {
		return nil
	}
	return apperr.Wrap(apperr.Unavailable, err, "the token issuer's keys (HELSEBRO_JWKS_FILE) cannot be used")
}

func (f *keyFile) reload(now time.Time, force bool) error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	current := stamp{modified: info.ModTime(), size: info.Size()}
	if f.keys != nil && current == f.stamp && !force {
		return nil
	}
	f.read = now
	keys, err := readKeys(f.path)
	if err != nil {
		return err
	}
	f.keys, f.stamp = keys, current
	return nil
}

func readKeys(path string) (map[string]publicKey, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // nothing is written
	raw, err := io.ReadAll(io.LimitReader(file, maxKeyFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxKeyFileBytes {
		return nil, fmt.Errorf("the file is larger than %d KiB", maxKeyFileBytes>>10)
	}
	return parseKeys(raw)
}

// parseKeys reads a JWK Set (RFC 7517). Keys of other types, sizes or uses are
// left out, as the RFC says; a secret or private key in a file that is meant to be
// public is refused, since somebody has mixed up two files.
func parseKeys(raw []byte) (map[string]publicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, errors.New("the file is not a JWK Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the file has more than %d keys", maxKeys)
	}
	keys := map[string]publicKey{}
	for i, one := range set.Keys {
		var jwk jose.JSONWebKey
		if err := jwk.UnmarshalJSON(one); errors.Is(err, jose.ErrUnsupportedKeyType) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("key %d of the file is not a JWK", i+1)
		}
		if !jwk.IsPublic() {
			return nil, fmt.Errorf("key %d of the file is not a public key: it must never be here", i+1)
		}
		algorithm := algorithmOf(jwk)
		if algorithm == "" || jwk.KeyID == "" || (jwk.Use != "" && jwk.Use != "sig") {
			continue
		}
		if _, twice := keys[jwk.KeyID]; twice {
			return nil, fmt.Errorf("key %d of the file has the kid of another", i+1)
		}
		keys[jwk.KeyID] = publicKey{public: jwk.Key, algorithm: algorithm}
	}
	if len(keys) == 0 {
		return nil, errors.New("the file has no key for ES256, EdDSA or PS256 with a kid")
	}
	return keys, nil
}

// algorithmOf is the one algorithm the key verifies, or "" when it is of no use.
func algorithmOf(jwk jose.JSONWebKey) jose.SignatureAlgorithm {
	var a jose.SignatureAlgorithm
	switch key := jwk.Key.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			a = jose.ES256
		}
	case ed25519.PublicKey:
		a = jose.EdDSA
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSABits {
			a = jose.PS256
		}
	}
	if jwk.Algorithm != "" && jwk.Algorithm != string(a) {
		return ""
	}
	return a
}
