package cms

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"hash"
	"io"
	"slices"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Unreadable is why a message cannot be opened. There is one reaction to all of them:
// whoever could tell a wrong padding from a wrong signature could decrypt messages by
// asking (Bleichenbacher, Vaudenay).
type Unreadable struct {
	// Reason is for the own log alone.
	Reason string
}

// Error is the same for every reason.
func (*Unreadable) Error() string {
	return "the message cannot be decrypted, or its signature is not the sender's"
}

// ErrCipher says that the content is encrypted with what is not accepted: DES, Triple-DES
// or RC2, or what nobody here knows. It is read before anything is decrypted, so it may
// be told.
var ErrCipher = errors.New("the content is not encrypted with AES in CBC mode")

// Open decrypts with one of the own keys what r has, verifies that one of the signers has
// signed it, and writes the content to w.
//
// Content is written before the signature has been seen: who calls acts on none of it
// before Open has returned nil. The whole of r is read whatever is wrong. Memory does not
// depend on its size. An error is *Unreadable, ErrCipher, or that of r, w or a key.
func Open(w io.Writer, r io.Reader, own []Key, signers []*x509.Certificate) error {
	src, sink := &tracked{r: r}, &trackedWriter{w: w}
	outer := newBERReader(src)
	plain, err := decrypting(outer, own)
	if errors.Is(err, ErrCipher) || apperr.Is(err, apperr.Unavailable) {
		return err
	}
	if err == nil {
		err = verify(sink, plain, signers)
		if err == nil {
			err = closeEnvelope(outer)
		}
	}
	if err == nil {
		return nil
	}
	// How long it takes must not tell what was wrong either: the rest is decrypted, and a
	// signature is verified.
	if plain != nil {
		_, _ = io.Copy(io.Discard, plain)
	}
	_, _ = io.Copy(io.Discard, outer.r)
	for _, s := range signers {
		if public, ok := s.PublicKey.(*rsa.PublicKey); ok {
			_ = rsa.VerifyPKCS1v15(public, crypto.SHA256, make([]byte, crypto.SHA256.Size()), make([]byte, public.Size()))
		}
	}
	if err := cmp.Or(src.err, sink.err); err != nil {
		return err
	}
	return &Unreadable{Reason: err.Error()}
}

// tracked remembers the error of a reader: it is not the sender's fault.
type tracked struct {
	r   io.Reader
	err error
}

func (t *tracked) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}

type trackedWriter struct {
	w   io.Writer
	err error
}

func (t *trackedWriter) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	if err != nil {
		t.err = err
	}
	return n, err
}

// decrypting reads an envelope up to its content, and returns what decrypts that.
func decrypting(b *berReader, own []Key) (io.Reader, error) {
	if err := b.contentInfo(oidEnvelopedData); err != nil {
		return nil, err
	}
	if _, err := b.whole(tagInteger); err != nil {
		return nil, err
	}
	if tag, err := b.next(); err == nil && tag == tagExplicit0 { // the originator's certificates
		if err := b.skip(); err != nil {
			return nil, err
		}
	}
	recipients, err := b.whole(tagSet)
	if err != nil {
		return nil, err
	}
	if err := b.enter(tagSequence); err != nil {
		return nil, err
	}
	if _, err := b.whole(tagOID); err != nil {
		return nil, err
	}
	encryption, err := b.whole(tagSequence)
	if err != nil {
		return nil, err
	}
	oid, parameters, _, err := algorithm(encryption)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, c := range ciphers {
		if bytes.Equal(c.oid, oid) {
			size = c.key
		}
	}
	if size == 0 {
		return nil, ErrCipher
	}
	iv, _, err := split(parameters, tagOctetString)
	if err != nil || len(iv) != aes.BlockSize {
		return nil, errForm
	}
	content, err := b.octets(tagImplicit0)
	if err != nil {
		return nil, err
	}
	key, err := sessionKey(recipients, own, size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &cbcReader{r: content, mode: cipher.NewCBCDecrypter(block, iv)}, nil
}

// contentInfo opens a ContentInfo of the type and the sequence in it.
func (b *berReader) contentInfo(oid []byte) error {
	if err := b.enter(tagSequence); err != nil {
		return err
	}
	got, err := b.whole(tagOID)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(got, oid):
		return errForm
	}
	if err := b.enter(tagExplicit0); err != nil {
		return err
	}
	return b.enter(tagSequence)
}

// closeEnvelope reads what follows the content of an envelope.
func closeEnvelope(b *berReader) error {
	if err := b.leave(); err != nil { // of EncryptedContentInfo
		return err
	}
	if tag, err := b.next(); err == nil && tag == tagExplicit1 { // unprotected attributes
		if err := b.skip(); err != nil {
			return err
		}
	}
	return b.close()
}

// close closes everything that is open, and is an error when more follows.
func (b *berReader) close() error {
	for len(b.ends) > 0 {
		if err := b.leave(); err != nil {
			return err
		}
	}
	return b.end()
}

// errRecipient says that no recipient is one of the own certificates.
var errRecipient = errors.New("the message is encrypted for none of the own certificates")

// sessionKey decrypts the key of the content. A key that cannot be decrypted is another
// one, made of chance: the content is then decrypted to nonsense, as with a wrong key.
func sessionKey(recipients []byte, own []Key, size int) ([]byte, error) {
	rest, _, err := split(recipients, tagSet)
	for err == nil && len(rest) > 0 {
		var tag byte
		var info []byte
		if tag, info, rest, err = splitAny(rest); err != nil || tag != tagSequence {
			continue // other ways to a key than by its transport
		}
		var id, encrypted []byte
		if _, info, err = split(info, tagInteger); err != nil {
			break
		}
		id, info, err = identifier(info)
		if err != nil {
			break
		}
		oid, parameters, info, broken := algorithm(info)
		if broken != nil {
			return nil, broken
		}
		if encrypted, _, err = split(info, tagOctetString); err != nil {
			break
		}
		for _, k := range own {
			if identifies(id, k.Certificate) {
				return k.decrypt(oid, parameters, encrypted, size)
			}
		}
	}
	return nil, cmp.Or(err, errRecipient)
}

// identifier takes the first element off der, with its header.
func identifier(der []byte) (id, rest []byte, err error) {
	_, _, rest, err = splitAny(der)
	if err != nil {
		return nil, nil, err
	}
	return der[:len(der)-len(rest)], rest, nil
}

// identifies tells whether an identifier is that of the certificate: issuer and serial
// number, or the identifier of its key.
func identifies(id []byte, c *x509.Certificate) bool {
	if content, _, err := split(id, tagSequence); err == nil {
		serial, ok := bytes.CutPrefix(content, c.RawIssuer)
		number, _, err := split(serial, tagInteger)
		return ok && err == nil && bytes.Equal(number, serialNumber(c))
	}
	key, _, err := split(id, tagImplicit0)
	return err == nil && len(key) > 0 && bytes.Equal(key, c.SubjectKeyId)
}

// serialNumber is the content of the certificate's serial number in DER.
func serialNumber(c *x509.Certificate) []byte {
	n := c.SerialNumber.Bytes() // negative ones are in no certificate that Go parses
	if len(n) == 0 || n[0] >= 0x80 {
		n = append([]byte{0}, n...)
	}
	return n
}

// decrypt decrypts a content's key of size octets.
func (k Key) decrypt(oid, parameters, encrypted []byte, size int) ([]byte, error) {
	key := make([]byte, size)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	decrypter, ok := k.Private.(crypto.Decrypter)
	if !ok {
		return nil, apperr.New(apperr.Unavailable, "the key of certificate %s cannot decrypt: configure one that can", fingerprint(k.Certificate))
	}
	var options crypto.DecrypterOpts
	switch {
	case bytes.Equal(oid, oidRSA):
		options = &rsa.PKCS1v15DecryptOptions{SessionKeyLen: size} //nolint:staticcheck // the profile has it, and a wrong padding gives another key, not an error
	case bytes.Equal(oid, oidOAEP):
		o, err := oaep(parameters)
		if err != nil {
			return nil, err
		}
		options = o
	default:
		return nil, errForm
	}
	got, err := decrypter.Decrypt(rand.Reader, encrypted, options)
	if apperr.Is(err, apperr.Unavailable) {
		return nil, err
	}
	if err == nil && len(got) == size {
		subtle.ConstantTimeCopy(1, key, got)
	}
	return key, nil
}

// oaep reads RSAES-OAEP-params; nil has the defaults of RFC 8017.
func oaep(parameters []byte) (*rsa.OAEPOptions, error) {
	o := &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	if parameters == nil {
		return o, nil
	}
	rest, _, err := split(parameters, tagSequence)
	for err == nil && len(rest) > 0 {
		var tag byte
		var content, oid, inner []byte
		if tag, content, rest, err = splitAny(rest); err != nil {
			break
		}
		if oid, inner, _, err = algorithm(content); err != nil {
			break
		}
		switch tag {
		case tagExplicit0:
			o.Hash = oaepHash(oid)
		case tagExplicit1:
			if !bytes.Equal(oid, oidMGF1) {
				return nil, errForm
			}
			if oid, _, _, err = algorithm(inner); err != nil {
				return nil, err
			}
			o.MGFHash = oaepHash(oid)
		default: // a label, which nobody uses
			return nil, errForm
		}
	}
	if err != nil || o.Hash == 0 || o.MGFHash == 0 {
		return nil, errForm
	}
	return o, nil
}

// cbcReader decrypts a stream and takes its padding off.
type cbcReader struct {
	r    io.Reader
	mode cipher.BlockMode
	// buf has decrypted octets from at to clear, and encrypted ones from there to end. The
	// last block stays until it is known to be no padding.
	buf            [bufferSize]byte
	at, clear, end int
	err            error
}

// Read implements io.Reader.
func (c *cbcReader) Read(p []byte) (int, error) {
	for c.at >= c.clear-aes.BlockSize && c.err == nil {
		c.fill()
	}
	until := c.clear
	if c.err == nil {
		until -= aes.BlockSize
	}
	if c.at == until {
		return 0, c.err
	}
	n := copy(p, c.buf[c.at:until])
	c.at += n
	return n, nil
}

var errPadding = errors.New("the padding is wrong")

// fill decrypts more behind the block that was kept.
func (c *cbcReader) fill() {
	copy(c.buf[:], c.buf[c.at:c.end])
	c.clear, c.end, c.at = c.clear-c.at, c.end-c.at, 0
	n, err := c.r.Read(c.buf[c.end:])
	c.end += n
	until := c.end - (c.end-c.clear)%aes.BlockSize
	c.mode.CryptBlocks(c.buf[c.clear:until], c.buf[c.clear:until])
	c.clear = until
	switch {
	case errors.Is(err, io.EOF):
		c.err = c.unpad()
	case err != nil:
		c.err = err
	}
}

// unpad takes the padding off what is left at the end (PKCS #7), in constant time.
func (c *cbcReader) unpad() error {
	if c.end != c.clear || c.clear < c.at+aes.BlockSize {
		c.clear = c.at
		return errPadding
	}
	last := c.buf[c.clear-aes.BlockSize : c.clear]
	n := int(last[aes.BlockSize-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, aes.BlockSize)
	for i, octet := range last {
		in := subtle.ConstantTimeLessOrEq(aes.BlockSize-n, i)
		good &= subtle.ConstantTimeSelect(in, subtle.ConstantTimeByteEq(octet, last[aes.BlockSize-1]), 1)
	}
	if good == 0 {
		c.clear = c.at
		return errPadding
	}
	c.clear -= n
	return io.EOF
}

// errSigner and errSignature are what is wrong with signatures.
var (
	errSigner    = errors.New("the message is not signed by the certificate that is the sender's")
	errSignature = errors.New("the signature is not that of the content")
)

// verify reads a SignedData, writes its content to w, and verifies its signature.
func verify(w io.Writer, r io.Reader, signers []*x509.Certificate) error {
	b := newBERReader(r)
	if tag, err := b.next(); err == nil && tag&^constructed == tagOctetString { // as .NET unwraps too
		wrapped, err := b.octets(tagOctetString)
		if err != nil {
			return err
		}
		if err := signed(w, newBERReader(wrapped), signers); err != nil {
			return err
		}
		return b.end()
	}
	return signed(w, b, signers)
}

func signed(w io.Writer, b *berReader, signers []*x509.Certificate) error {
	if err := b.contentInfo(oidSignedData); err != nil {
		return err
	}
	if _, err := b.whole(tagInteger); err != nil {
		return err
	}
	algorithms, err := b.whole(tagSet)
	if err != nil {
		return err
	}
	hashes, writers, err := hashing(algorithms)
	if err != nil {
		return err
	}
	if err := b.enter(tagSequence); err != nil {
		return err
	}
	contentType, err := b.whole(tagOID)
	if err != nil {
		return err
	}
	if err := b.enter(tagExplicit0); err != nil {
		return err
	}
	content, err := b.octets(tagOctetString)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.MultiWriter(append(writers, w)...), content); err != nil {
		return err
	}
	for range 2 { // the content and its EncapsulatedContentInfo
		if err := b.leave(); err != nil {
			return err
		}
	}
	// What certificates the sender sends along proves nothing: his is known.
	for _, tag := range []byte{tagExplicit0, tagExplicit1} {
		if got, err := b.next(); err == nil && got == tag {
			if err := b.skip(); err != nil {
				return err
			}
		}
	}
	infos, err := b.whole(tagSet)
	if err != nil {
		return err
	}
	if err := b.close(); err != nil {
		return err
	}
	return anySignature(infos, contentType, hashes, signers)
}

// hashing makes what hashes the content with each of the algorithms.
func hashing(algorithms []byte) (map[crypto.Hash]hash.Hash, []io.Writer, error) {
	hashes := map[crypto.Hash]hash.Hash{}
	var writers []io.Writer
	rest, _, err := split(algorithms, tagSet)
	for err == nil && len(rest) > 0 {
		var oid []byte
		if oid, _, rest, err = algorithm(rest); err != nil {
			break
		}
		if h := digest(oid); h != 0 && hashes[h] == nil {
			hashes[h] = h.New()
			writers = append(writers, hashes[h])
		}
	}
	return hashes, writers, err
}

// anySignature finds a signature of one of the signers, and verifies it.
func anySignature(infos, contentType []byte, hashes map[crypto.Hash]hash.Hash, signers []*x509.Certificate) error {
	rest, _, err := split(infos, tagSet)
	if err != nil {
		return err
	}
	failed := errSigner
	for len(rest) > 0 {
		var info []byte
		if info, rest, err = split(rest, tagSequence); err != nil {
			return err
		}
		if _, info, err = split(info, tagInteger); err != nil {
			return err
		}
		id, info, err := identifier(info)
		if err != nil {
			return err
		}
		for _, s := range signers {
			if identifies(id, s) {
				if failed = signature(info, contentType, hashes, s); failed == nil {
					return nil
				}
			}
		}
	}
	return failed
}

// signature verifies the signature of a SignerInfo, of which info follows the signer's
// identifier.
func signature(info, contentType []byte, hashes map[crypto.Hash]hash.Hash, signer *x509.Certificate) error {
	oid, _, info, err := algorithm(info)
	if err != nil {
		return err
	}
	h := digest(oid)
	if hashes[h] == nil {
		return errSignature // SHA-1 and older among them
	}
	sum := hashes[h].Sum(nil)
	if len(info) > 0 && info[0] == tagExplicit0 {
		var attributes []byte
		if attributes, info, err = split(info, tagExplicit0); err != nil {
			return err
		}
		set, err := signedAttributes(attributes, contentType, sum)
		if err != nil {
			return err
		}
		n := h.New()
		_, _ = n.Write(set) // a hash never fails
		sum = n.Sum(nil)
	}
	oid, _, info, err = algorithm(info)
	if err != nil {
		return err
	}
	value, _, err := split(info, tagOctetString)
	if err != nil {
		return err
	}
	public, ok := signer.PublicKey.(*rsa.PublicKey)
	if !ok || !bytes.Equal(oid, oidRSA) && !slices.ContainsFunc(digests, func(d digestAlgorithm) bool { return d.hash == h && bytes.Equal(d.rsa, oid) }) {
		return errSignature
	}
	if rsa.VerifyPKCS1v15(public, h, sum, value) != nil {
		return errSignature
	}
	return nil
}

// signedAttributes checks that the attributes are those of the content, and returns them
// as they are signed: as a SET OF in DER (RFC 5652 §5.4).
func signedAttributes(attributes, contentType, sum []byte) ([]byte, error) {
	var all [][]byte
	seen := map[string]int{}
	for rest := attributes; len(rest) > 0; {
		attribute, after, err := split(rest, tagSequence)
		if err != nil {
			return nil, err
		}
		all = append(all, rest[:len(rest)-len(after)])
		rest = after
		_, values, err := split(attribute, tagOID)
		if err != nil {
			return nil, err
		}
		oid := attribute[:len(attribute)-len(values)]
		if values, _, err = split(values, tagSet); err != nil {
			return nil, err
		}
		switch {
		case bytes.Equal(oid, oidContentType) && bytes.Equal(values, contentType),
			bytes.Equal(oid, oidMessageDigest) && bytes.Equal(values, wrap(tagOctetString, sum)):
			seen[string(oid)]++
		case bytes.Equal(oid, oidContentType), bytes.Equal(oid, oidMessageDigest):
			return nil, errSignature
		}
	}
	if seen[string(oidContentType)] != 1 || seen[string(oidMessageDigest)] != 1 {
		return nil, errSignature
	}
	slices.SortFunc(all, bytes.Compare)
	return wrap(tagSet, all...), nil
}
