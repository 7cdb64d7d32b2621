package cms

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" //nolint:gosec // OAEP of other stacks still has it as its default
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
)

// The object identifiers of the profile (RFC 5652, RFC 8017, RFC 3565).
var (
	oidData          = encoded(1, 2, 840, 113549, 1, 7, 1)
	oidSignedData    = encoded(1, 2, 840, 113549, 1, 7, 2)
	oidEnvelopedData = encoded(1, 2, 840, 113549, 1, 7, 3)

	oidContentType   = encoded(1, 2, 840, 113549, 1, 9, 3)
	oidMessageDigest = encoded(1, 2, 840, 113549, 1, 9, 4)

	oidRSA  = encoded(1, 2, 840, 113549, 1, 1, 1)
	oidOAEP = encoded(1, 2, 840, 113549, 1, 1, 7)
	oidMGF1 = encoded(1, 2, 840, 113549, 1, 1, 8)

	oidSHA256    = encoded(2, 16, 840, 1, 101, 3, 4, 2, 1)
	oidAES256CBC = encoded(2, 16, 840, 1, 101, 3, 4, 1, 42)
)

// encoded is an object identifier as DER.
func encoded(arcs ...int) []byte {
	der, err := asn1.Marshal(asn1.ObjectIdentifier(arcs))
	if err != nil {
		panic(err) // they are constants
	}
	return der
}

// ciphers are the sizes of the keys of what content is encrypted with.
var ciphers = []struct {
	oid []byte
	key int
}{
	{encoded(2, 16, 840, 1, 101, 3, 4, 1, 2), 16},
	{encoded(2, 16, 840, 1, 101, 3, 4, 1, 22), 24},
	{oidAES256CBC, 32},
}

// digestAlgorithm is a hash, and RSA PKCS #1 v1.5 with it.
type digestAlgorithm struct {
	oid, rsa []byte
	hash     crypto.Hash
}

// digests are those of signatures. SHA-1 is none: it is refused.
var digests = []digestAlgorithm{
	{oidSHA256, encoded(1, 2, 840, 113549, 1, 1, 11), crypto.SHA256},
	{encoded(2, 16, 840, 1, 101, 3, 4, 2, 2), encoded(1, 2, 840, 113549, 1, 1, 12), crypto.SHA384},
	{encoded(2, 16, 840, 1, 101, 3, 4, 2, 3), encoded(1, 2, 840, 113549, 1, 1, 13), crypto.SHA512},
}

// digest is the hash with the object identifier, or 0.
func digest(oid []byte) crypto.Hash {
	for _, d := range digests {
		if bytes.Equal(d.oid, oid) {
			return d.hash
		}
	}
	return 0
}

// oaepHash is digest with SHA-1, which OAEP does not need to be free of collisions.
func oaepHash(oid []byte) crypto.Hash {
	if bytes.Equal(oid, encoded(1, 3, 14, 3, 2, 26)) {
		return crypto.SHA1
	}
	return digest(oid)
}

// algorithm takes an AlgorithmIdentifier off der: its object identifier with header, and
// its parameters, nil for NULL and for none.
func algorithm(der []byte) (oid, parameters, rest []byte, err error) {
	content, rest, err := split(der, tagSequence)
	if err != nil {
		return nil, nil, nil, err
	}
	_, parameters, err = split(content, tagOID)
	if err != nil {
		return nil, nil, nil, err
	}
	oid = content[:len(content)-len(parameters)]
	if bytes.Equal(parameters, asn1.NullBytes) {
		parameters = nil
	}
	return oid, parameters, rest, nil
}
