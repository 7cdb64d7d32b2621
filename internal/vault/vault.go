package vault

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
)

// Vault makes, wraps and unwraps data keys, and makes blind indexes. It is safe
// for concurrent use.
type Vault struct {
	keys Keys
	// mac starts an HMAC under the index key. The key is in the closure because fmt
	// would print a field, whatever the methods of a type say, for a struct around it.
	mac func() hash.Hash
}

// Wrapped is a data key as it is stored: sealed by the key-encryption key KEK.
type Wrapped struct {
	// KEK is the id of the key-encryption key, so that a rotated ring finds it.
	KEK string
	// Bytes is the sealed data key.
	Bytes []byte
}

// Open makes a vault from configuration. Errors name the environment variable.
func Open(cfg config.Vault) (*Vault, error) {
	keys, err := ParseKeys("HELSEBRO_VAULT_KEYS", cfg.Keys)
	if err != nil {
		return nil, err
	}
	index, err := ParseKey("HELSEBRO_VAULT_INDEX_KEY", cfg.IndexKey)
	if err != nil {
		return nil, err
	}
	return New(keys, index)
}

// New makes a vault from a ring of key-encryption keys and the 32 bytes that make
// blind indexes.
func New(keys Keys, indexKey []byte) (*Vault, error) {
	if _, _, ok := keys.Current(); !ok {
		return nil, apperr.New(apperr.Invalid, "HELSEBRO_VAULT_KEYS holds no key")
	}
	if len(indexKey) != keySize {
		return nil, apperr.New(apperr.Invalid, "HELSEBRO_VAULT_INDEX_KEY must be 32 bytes")
	}
	indexKey = bytes.Clone(indexKey)
	return &Vault{keys: keys, mac: func() hash.Hash { return hmac.New(sha256.New, indexKey) }}, nil
}

// NewDataKey makes a random data key and wraps it with the current key.
func (v *Vault) NewDataKey() (DataKey, Wrapped, error) {
	var raw [keySize]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return DataKey{}, Wrapped{}, apperr.Wrap(apperr.Internal, err, "the system gives no random bytes")
	}
	key := newDataKey(raw)
	w, err := v.wrap(key)
	return key, w, err
}

// Unwrap opens a stored data key with the key-encryption key it names.
func (v *Vault) Unwrap(w Wrapped) (DataKey, error) {
	kek, ok := v.keys.Key(w.KEK)
	if !ok {
		return DataKey{}, apperr.New(apperr.Internal,
			"a data key is wrapped by the key %q, which HELSEBRO_VAULT_KEYS does not hold: put it back", w.KEK)
	}
	raw, err := kek.Open(w.Bytes, wrapPlace(w.KEK))
	if err != nil {
		return DataKey{}, apperr.New(apperr.Internal,
			"a data key does not open with the key %q of HELSEBRO_VAULT_KEYS: the key or the row was changed", w.KEK)
	}
	if len(raw) != keySize {
		return DataKey{}, apperr.New(apperr.Internal, "a wrapped data key is not 32 bytes")
	}
	return newDataKey([keySize]byte(raw)), nil
}

// Rewrap moves a stored data key to the current key-encryption key; what it has
// sealed stays as it is. A key that is there already is returned unchanged, so a
// rotation may be repeated.
func (v *Vault) Rewrap(w Wrapped) (Wrapped, error) {
	if id, _, _ := v.keys.Current(); id == w.KEK {
		return w, nil
	}
	key, err := v.Unwrap(w)
	if err != nil {
		return Wrapped{}, err
	}
	return v.wrap(key)
}

func (v *Vault) wrap(key DataKey) (Wrapped, error) {
	id, kek, _ := v.keys.Current()
	sealed, err := kek.Seal(key.m.raw(), wrapPlace(id))
	return Wrapped{KEK: id, Bytes: sealed}, err
}

// wrapPlace keeps a wrapped key from being taken for a sealed value.
func wrapPlace(kek string) string { return "helsebro/vault/data-key/" + kek }

// BlindIndex is the 32 bytes by which a row is found without storing value in
// clear: HMAC-SHA-256 under the index key. Equal values of one purpose in one
// clinic have equal indexes; those of two clinics or purposes have nothing in
// common, so a table does not tell who is a patient of both.
//
// The caller normalises value first (eleven digits, E.164).
func (v *Vault) BlindIndex(purpose, clinicID, value string) []byte {
	mac := v.mac()
	for _, part := range []string{"helsebro/vault/blind-index/1", purpose, clinicID, value} {
		// The length keeps ("ab", "c") and ("a", "bc") apart.
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}
