package cms

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"io"

	"github.com/helsebro/helsebro/internal/apperr"
)

// ContentType is that of what Seal writes.
const ContentType = "application/pkcs7-mime; smime-type=signed-and-enveloped-data"

var (
	integer0 = []byte{tagInteger, 1, 0}
	integer1 = []byte{tagInteger, 1, 1}
)

// Seal signs size octets of content with the signer's key and encrypts them for the
// recipient, as Helsenorge's own client does: SignedData with the content in it, SHA-256,
// RSA PKCS #1 v1.5, without signed attributes, and the signer's chain; in EnvelopedData
// with AES-256-CBC and RSA PKCS #1 v1.5; all of it DER. Memory does not depend on size.
//
// It is an error of the key, of content (io.ErrUnexpectedEOF when it has fewer octets), or
// of w, of which then nothing may be used.
func Seal(w io.Writer, content io.Reader, size int64, signer Key, recipient *x509.Certificate) error {
	public, ok := recipient.PublicKey.(*rsa.PublicKey)
	if !ok {
		return apperr.New(apperr.Invalid, "the recipient's certificate %s has no RSA key", fingerprint(recipient))
	}
	signing, ok := signer.Private.(crypto.Signer)
	if !ok {
		return apperr.New(apperr.Unavailable, "the key of certificate %s cannot sign: configure one that can", fingerprint(signer.Certificate))
	}
	own, ok := signing.Public().(*rsa.PublicKey)
	if !ok {
		return apperr.New(apperr.Unavailable, "the key of certificate %s is no RSA key", fingerprint(signer.Certificate))
	}
	before, after := signer.around(size, own.Size())
	inner := int64(len(before)) + size + int64(len(after)) + int64(own.Size())

	key, iv := make([]byte, 32), make([]byte, aes.BlockSize)
	for _, b := range [][]byte{key, iv} {
		if _, err := rand.Read(b); err != nil {
			return err
		}
	}
	encrypted, err := rsa.EncryptPKCS1v15(rand.Reader, public, key) //nolint:staticcheck // the profile has it
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	if _, err := w.Write(envelope(recipient, encrypted, iv, padded(inner))); err != nil {
		return err
	}

	out := &cbcWriter{w: w, mode: cipher.NewCBCEncrypter(block, iv), buf: make([]byte, 0, bufferSize)}
	if err := out.write(before); err != nil {
		return err
	}
	sum := crypto.SHA256.New()
	if _, err := io.CopyN(io.MultiWriter(sum, writer(out.write)), content, size); err != nil {
		if err == io.EOF { //nolint:errorlint // CopyN returns it as it is
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	signature, err := signing.Sign(rand.Reader, sum.Sum(nil), crypto.SHA256)
	if err != nil {
		return err
	}
	if len(signature) != own.Size() {
		return apperr.New(apperr.Unavailable, "the key of certificate %s signed with another size than its own", fingerprint(signer.Certificate))
	}
	if err := out.write(after); err != nil {
		return err
	}
	if err := out.write(signature); err != nil {
		return err
	}
	return out.close()
}

// header is the header of an element of n octets.
func header(tag byte, n int64) []byte { return appendHeader(nil, tag, int(n)) }

// padded is how many octets n become when they are encrypted.
func padded(n int64) int64 { return n/aes.BlockSize*aes.BlockSize + aes.BlockSize }

// around is all of the ContentInfo that stands before the content, and all between it and
// the octets of the signature, which are the last.
func (k Key) around(size int64, signature int) (before, after []byte) {
	sha256 := wrap(tagSequence, oidSHA256, asn1.NullBytes)
	certificates := append([]*x509.Certificate{k.Certificate}, k.Chain...)
	var all []byte
	for _, c := range certificates {
		all = append(all, c.Raw...)
	}
	info := append(append(append([]byte{}, integer1...), issuerAndSerial(k.Certificate)...), sha256...)
	info = append(info, wrap(tagSequence, oidRSA, asn1.NullBytes)...)
	info = append(info, header(tagOctetString, int64(signature))...)
	infoSize := int64(len(info) + signature)
	after = wrap(tagExplicit0, all) // [0] IMPLICIT CertificateSet
	set := header(tagSequence, infoSize)
	after = append(after, header(tagSet, int64(len(set))+infoSize)...)
	after = append(append(after, set...), info...)

	octets := header(tagOctetString, size)
	explicit := header(tagExplicit0, int64(len(octets))+size)
	inside := int64(len(oidData)+len(explicit)+len(octets)) + size
	encapsulated := append(append(append(header(tagSequence, inside), oidData...), explicit...), octets...)
	start := append(append(append([]byte{}, integer1...), wrap(tagSet, sha256)...), encapsulated...)
	signed := int64(len(start)) + size + int64(len(after)+signature)
	sequence := header(tagSequence, signed)
	content := header(tagExplicit0, int64(len(sequence))+signed)
	whole := int64(len(oidSignedData)+len(content)+len(sequence)) + signed
	before = append(append(header(tagSequence, whole), oidSignedData...), content...)
	return append(append(before, sequence...), start...), after
}

func issuerAndSerial(c *x509.Certificate) []byte {
	return wrap(tagSequence, c.RawIssuer, wrap(tagInteger, serialNumber(c)))
}

// envelope is all of the EnvelopedData that stands before its n octets of content, which
// are the last.
func envelope(recipient *x509.Certificate, key, iv []byte, n int64) []byte {
	recipients := wrap(tagSet, wrap(tagSequence,
		integer0, issuerAndSerial(recipient), wrap(tagSequence, oidRSA, asn1.NullBytes), wrap(tagOctetString, key)))
	content := header(tagImplicit0, n)
	info := append(append([]byte{}, oidData...), wrap(tagSequence, oidAES256CBC, wrap(tagOctetString, iv))...)
	info = append(header(tagSequence, int64(len(info)+len(content))+n), append(info, content...)...)
	data := append(append(append([]byte{}, integer0...), recipients...), info...)
	sequence := header(tagSequence, int64(len(data))+n)
	explicit := header(tagExplicit0, int64(len(sequence)+len(data))+n)
	whole := int64(len(oidEnvelopedData)+len(explicit)+len(sequence)+len(data)) + n
	out := append(append(header(tagSequence, whole), oidEnvelopedData...), explicit...)
	return append(append(out, sequence...), data...)
}

type writer func([]byte) error

func (w writer) Write(p []byte) (int, error) {
	if err := w(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// cbcWriter pads and encrypts what is written.
type cbcWriter struct {
	w    io.Writer
	mode cipher.BlockMode
	buf  []byte
}

func (c *cbcWriter) write(p []byte) error {
	for len(p) > 0 {
		n := copy(c.buf[len(c.buf):cap(c.buf)], p)
		c.buf, p = c.buf[:len(c.buf)+n], p[n:]
		if len(c.buf) == cap(c.buf) {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush encrypts the buffer, which is whole blocks.
func (c *cbcWriter) flush() error {
	c.mode.CryptBlocks(c.buf, c.buf)
	_, err := c.w.Write(c.buf)
	c.buf = c.buf[:0]
	return err
}

// close writes what is left, with its padding (PKCS #7).
func (c *cbcWriter) close() error {
	n := aes.BlockSize - len(c.buf)%aes.BlockSize
	for range n {
		c.buf = append(c.buf, byte(n))
	}
	return c.flush()
}
