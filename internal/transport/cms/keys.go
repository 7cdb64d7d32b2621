package cms

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
)

// Key is what a party signs or decrypts with.
type Key struct {
	Certificate *x509.Certificate
	// Chain are the certificates of its issuers, without the root.
	Chain []*x509.Certificate
	// Private is a crypto.Signer to sign and a crypto.Decrypter to decrypt with: a key in
	// memory, or one that a hardware module keeps.
	Private crypto.PrivateKey
}

// fingerprint names a certificate: the first octets of its SHA-256.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:8])
}
