package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"

	"github.com/helsebro/helsebro/internal/apperr"
)

// sealedVersion is the first byte of a sealed value: AES-256-GCM with a random
// 96-bit nonce. Streams have another.
const sealedVersion = 1

// DataKey seals and opens values with AES-256-GCM. It is a small handle, safe to
// copy and for concurrent use; the zero value seals and opens nothing. It prints
// as redacted.
type DataKey struct {
	m *material
}

type material struct {
	// raw returns the key. It is in a closure because fmt would print a field of a
	// struct around it.
	raw func() []byte
	gcm cipher.AEAD
}

func newDataKey(raw [keySize]byte) DataKey {
	block, err := aes.NewCipher(raw[:])
	if err != nil {
		panic(err) // 32 bytes are always an AES key
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES always has the block size that GCM needs
	}
	return DataKey{&material{raw: func() []byte { return raw[:] }, gcm: gcm}}
}

// Seal encrypts plaintext for one place. aad names the place (table, column and
// row) and must be given again to open. The result is 29 bytes longer than
// plaintext: version, nonce, tag.
func (k DataKey) Seal(plaintext []byte, aad string) ([]byte, error) {
	if k.m == nil {
		return nil, errNoKey()
	}
	sealed := make([]byte, 1, 1+len(plaintext)+k.m.gcm.Overhead())
	sealed[0] = sealedVersion
	return k.m.gcm.Seal(sealed, nil, plaintext, place(sealedVersion, aad)), nil
}

// Open decrypts what Seal made for the same place. Any other key, place or byte
// is an error (apperr.Internal) and no plaintext.
func (k DataKey) Open(sealed []byte, aad string) ([]byte, error) {
	if k.m == nil {
		return nil, errNoKey()
	}
	if len(sealed) < 1+k.m.gcm.Overhead() || sealed[0] != sealedVersion {
		return nil, errNotSealed()
	}
	plaintext, err := k.m.gcm.Open(nil, nil, sealed[1:], place(sealedVersion, aad))
	if err != nil {
		return nil, errDoesNotOpen()
	}
	return plaintext, nil
}

// place is the associated data: the version is part of it, so that no other
// format's value is ever taken for this one's.
func place(version byte, aad string) []byte { return append([]byte{version}, aad...) }

// Format prints a placeholder for every verb.
func (DataKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) } //nolint:errcheck // fmt keeps the error

func errNoKey() error {
	return apperr.New(apperr.Internal, "sealing and opening need a data key")
}

func errNotSealed() error {
	return apperr.New(apperr.Internal, "a stored value is not a sealed value of a known version")
}

func errDoesNotOpen() error {
	return apperr.New(apperr.Internal,
		"a sealed value does not open: it was changed, belongs to another place, or was sealed by another key")
}
