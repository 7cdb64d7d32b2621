package vault

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"

	"github.com/helsebro/helsebro/internal/apperr"
)

// A sealed stream is
//
//	version (1) ‖ salt (32) ‖ chunk ‖ chunk ‖ … ‖ final chunk
//
// Each chunk is up to 64 KiB of plaintext and a 16-byte tag. This is the STREAM
// construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): the nonce is the
// chunk's number and a flag for the last one, so a chunk that is cut off, moved,
// repeated or added does not open. The key is derived from the data key, a fresh
// salt and the place, so counting nonces never repeat under one key.
const (
	streamVersion = 2
	saltSize      = 32
	chunkSize     = 64 << 10
	tagSize       = 16
	nonceSize     = 12
)

// SealStream returns a writer that encrypts to w. aad names the place, as for
// Seal. Memory is one chunk, whatever the length.
//
// Close ends the stream; call it only after the whole content is written. Leaving
// it out makes a stream that does not open, which is what a failed copy must be.
// Close does not close w.
func (k DataKey) SealStream(w io.Writer, aad string) (io.WriteCloser, error) {
	if k.m == nil {
		return nil, errNoKey()
	}
	header := make([]byte, 1+saltSize)
	header[0] = streamVersion
	if _, err := rand.Read(header[1:]); err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "the system gives no random bytes")
	}
	gcm, err := k.streamCipher(header[1:], aad)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(header); err != nil {
		return nil, err
	}
	return &sealWriter{w: w, gcm: gcm, buf: make([]byte, 0, chunkSize+tagSize)}, nil
}

// OpenStream returns a reader of what SealStream wrote for the same place. Every
// byte it returns is authentic, but only io.EOF says that nothing is missing:
// content read before another error must be discarded.
func (k DataKey) OpenStream(r io.Reader, aad string) (io.Reader, error) {
	if k.m == nil {
		return nil, errNoKey()
	}
	header := make([]byte, 1+saltSize)
	if _, err := io.ReadFull(r, header); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errNotSealed()
		}
		return nil, err
	}
	if header[0] != streamVersion {
		return nil, errNotSealed()
	}
	gcm, err := k.streamCipher(header[1:], aad)
	if err != nil {
		return nil, err
	}
	return &openReader{r: bufio.NewReader(r), gcm: gcm, buf: make([]byte, chunkSize+tagSize)}, nil
}

func (k DataKey) streamCipher(salt []byte, aad string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k.m.raw(), salt, "helsebro/vault/stream/2\x00"+aad, keySize)
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "a stream key cannot be derived")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "a stream key cannot be used")
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "a stream key cannot be used")
	}
	return gcm, nil
}

// chunkNonce is eleven bytes of number, of which eight count, and the final flag.
func chunkNonce(number uint64, final bool) []byte {
	nonce := make([]byte, nonceSize)
	binary.BigEndian.PutUint64(nonce[nonceSize-1-8:], number)
	if final {
		nonce[nonceSize-1] = 1
	}
	return nonce
}

type sealWriter struct {
	w      io.Writer
	gcm    cipher.AEAD
	buf    []byte
	number uint64
	closed bool
	err    error
}

// Write holds a full chunk back until more comes: only then is it not the last.
func (s *sealWriter) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.closed {
		return 0, apperr.New(apperr.Internal, "a sealed stream is written after its end")
	}
	written := 0
	for len(p) > 0 {
		if len(s.buf) == chunkSize {
			if err := s.flush(false); err != nil {
				return written, err
			}
		}
		n := min(chunkSize-len(s.buf), len(p))
		s.buf = append(s.buf, p[:n]...)
		p = p[n:]
		written += n
	}
	return written, nil
}

// Close writes the final chunk. A second Close does nothing.
func (s *sealWriter) Close() error {
	if s.err != nil || s.closed {
		return s.err
	}
	s.closed = true
	return s.flush(true)
}

func (s *sealWriter) flush(final bool) error {
	sealed := s.gcm.Seal(s.buf[:0], chunkNonce(s.number, final), s.buf, nil)
	if _, s.err = s.w.Write(sealed); s.err != nil {
		return s.err
	}
	s.number++
	s.buf = s.buf[:0]
	return nil
}

type openReader struct {
	r      *bufio.Reader
	gcm    cipher.AEAD
	buf    []byte
	plain  []byte
	number uint64
	// err is what follows plain: io.EOF after the final chunk.
	err error
}

// Read returns verified plaintext only.
func (o *openReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(o.plain) == 0 {
		if o.err != nil {
			return 0, o.err
		}
		o.next()
	}
	n := copy(p, o.plain)
	o.plain = o.plain[n:]
	return n, nil
}

func (o *openReader) next() {
	n, err := io.ReadFull(o.r, o.buf)
	final := false
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		final = true
	case errors.Is(err, io.EOF):
		o.err = errCutOff()
		return
	case err != nil:
		o.err = err
		return
	default:
		if _, err := o.r.Peek(1); errors.Is(err, io.EOF) {
			final = true
		} else if err != nil {
			o.err = err
			return
		}
	}
	plain, err := o.gcm.Open(o.buf[:0], chunkNonce(o.number, final), o.buf[:n], nil)
	// Only an empty stream ends in an empty chunk: one content has one length.
	if err != nil || (len(plain) == 0 && o.number > 0) {
		o.err = errCutOff()
		return
	}
	o.number++
	o.plain = plain
	if final {
		o.err = io.EOF
	}
}

func errCutOff() error {
	return apperr.New(apperr.Internal,
		"a sealed file does not open: it is cut off or changed, belongs to another place, or was sealed by another key")
}
