package vault

import (
	"encoding/base64"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/helsebro/helsebro/internal/apperr"
)

// keySize is the length of every key in bytes: AES-256 and HMAC-SHA-256.
const keySize = 32

// keyID is what may name a key. Ids are clear text in rows and payload metadata.
var keyID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Keys is a ring of named keys. The first is current and seals; all open. The
// zero value holds none and seals nothing. It prints as redacted.
type Keys struct {
	ring []namedKey
}

type namedKey struct {
	id  string
	key DataKey
}

// ParseKeys reads a ring in the form "id:base64,id:base64" of 32 bytes each, the
// current one first. variable is the environment variable it comes from: errors
// (apperr.Invalid) name it and never quote a key.
func ParseKeys(variable, ring string) (Keys, error) {
	var keys Keys
	seen := map[string]bool{}
	for i, entry := range strings.Split(ring, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(entry), ":")
		if !ok || !keyID.MatchString(id) {
			return Keys{}, apperr.New(apperr.Invalid,
				`%s: key %d must be "id:base64" with an id of letters, digits, ".", "_" and "-"`, variable, i+1)
		}
		if seen[id] {
			return Keys{}, apperr.New(apperr.Invalid, "%s: the id %q is given twice", variable, id)
		}
		seen[id] = true
		raw, err := ParseKey(fmt.Sprintf("%s: key %q", variable, id), encoded)
		if err != nil {
			return Keys{}, err
		}
		keys.ring = append(keys.ring, namedKey{id: id, key: newDataKey([keySize]byte(raw))})
	}
	return keys, nil
}

// ParseKey reads the base64 of 32 bytes. variable is the environment variable it
// comes from: errors (apperr.Invalid) name it and never quote the key.
func ParseKey(variable, encoded string) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return nil, apperr.New(apperr.Invalid, "%s is not base64: give the output of `openssl rand -base64 32`", variable)
	}
	if len(raw) != keySize {
		return nil, apperr.New(apperr.Invalid, "%s is %d bytes: give 32, the output of `openssl rand -base64 32`", variable, len(raw))
	}
	return raw, nil
}

// Current returns the key that seals and its id; ok is false for an empty ring.
func (k Keys) Current() (id string, key DataKey, ok bool) {
	if len(k.ring) == 0 {
		return "", DataKey{}, false
	}
	return k.ring[0].id, k.ring[0].key, true
}

// Key returns the key with that id.
func (k Keys) Key(id string) (key DataKey, ok bool) {
	for _, named := range k.ring {
		if named.id == id {
			return named.key, true
		}
	}
	return DataKey{}, false
}

// Format prints a placeholder for every verb.
func (Keys) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) } //nolint:errcheck // fmt keeps the error
