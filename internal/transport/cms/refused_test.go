package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// enveloped encrypts blocks for the receiver, without a padding of its own.
func enveloped(t testing.TB, blocks []byte) []byte {
	t.Helper()
	return envelopedFor(t, known(t).receiver.Certificate, blocks)
}

func envelopedFor(t testing.TB, receiver *x509.Certificate, blocks []byte) []byte {
	t.Helper()
	session, iv := make([]byte, 32), make([]byte, aes.BlockSize)
	_, err := rand.Read(session)
	require.NoError(t, err)
	encrypted, err := rsa.EncryptPKCS1v15(rand.Reader, receiver.PublicKey.(*rsa.PublicKey), session) //nolint:forcetypeassert,staticcheck // as the profile has it
	require.NoError(t, err)
	block, err := aes.NewCipher(session)
	require.NoError(t, err)
	out := make([]byte, len(blocks))
	whole := len(blocks) / aes.BlockSize * aes.BlockSize
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out[:whole], blocks[:whole])
	return append(envelope(receiver, encrypted, iv, int64(len(out))), out...)
}

// pad pads as PKCS #7 says.
func pad(b []byte) []byte {
	n := aes.BlockSize - len(b)%aes.BlockSize
	return append(slices.Clip(b), bytes.Repeat([]byte{byte(n)}, n)...)
}

// signedOnly is what the sender signs, not encrypted.
func signedOnly(t testing.TB, xml []byte, form ...string) []byte {
	t.Helper()
	return signedIn(t, files(t), xml, form...)
}

func signedIn(t testing.TB, dir string, xml []byte, form ...string) []byte {
	t.Helper()
	return openssl(t, xml, append([]string{"cms", "-sign", "-binary", "-outform", "DER", "-signer", dir + "/sender.pem"}, form...)...)
}

// There is one reaction to whatever is wrong.
func TestWhatIsWrongIsRefusedInOneWay(t *testing.T) {
	t.Parallel()
	p, dir, xml := known(t), files(t), content(3000)
	good := signedOnly(t, xml, "-nodetach", "-noattr")
	by := func(name string) []byte {
		return openssl(t, xml, "cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-signer", dir+"/"+name+".pem")
	}
	paddings := map[string][]byte{}
	for _, last := range []byte{0, 17, 128, 255} {
		b := pad(good)
		b[len(b)-1] = last
		paddings["padding of "+string('0'+rune(last%10))] = b
	}
	uneven := pad(good)
	uneven[len(uneven)-2] ^= 1
	attributes := signedOnly(t, xml, "-nodetach")
	digestAt := bytes.LastIndex(attributes, oidMessageDigest)
	require.Positive(t, digestAt)
	attributes[digestAt+len(oidMessageDigest)+6] ^= 1

	bodies := map[string][]byte{
		"nothing":                     {},
		"no BER":                      []byte("<MsgHead/>"),
		"signed by another":           enveloped(t, pad(by("another"))),
		"signed, not encrypted":       good,
		"encrypted, not signed":       enveloped(t, pad(xml)),
		"encrypted twice":             enveloped(t, pad(sealed(t, xml))),
		"signed beside the content":   enveloped(t, pad(signedOnly(t, xml, "-noattr"))),
		"SHA-1":                       enveloped(t, pad(signedOnly(t, xml, "-nodetach", "-noattr", "-md", "sha1"))),
		"another digest in attribute": enveloped(t, pad(attributes)),
		"for another":                 openssl(t, good, "cms", "-encrypt", "-binary", "-outform", "DER", "-aes-256-cbc", dir+"/sender.pem"),
		"no block":                    enveloped(t, nil),
		"part of a block":             append(enveloped(t, pad(good)), 0),
		"one block":                   enveloped(t, make([]byte, aes.BlockSize)),
		"padding that is not even":    enveloped(t, uneven),
		"no padding":                  enveloped(t, pad(good)[:len(good)/aes.BlockSize*aes.BlockSize]),
		"more after the signature":    enveloped(t, pad(append(bytes.Clone(good), 5, 0))),
		"more after the message":      append(enveloped(t, pad(good)), 5, 0),
		"nested without end":          enveloped(t, pad(bytes.Repeat([]byte{tagSequence, 0x80}, 1000))),
		"a length of all there is":    {tagSequence, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a length of more than that":  {tagSequence, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	}
	for name, b := range paddings {
		bodies[name] = enveloped(t, b)
	}
	for name, body := range bodies {
		_, err := opened(t, body)
		var wrong *Unreadable
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, "the message cannot be decrypted, or its signature is not the sender's", err.Error(), name)
	}
	body := enveloped(t, pad(good))
	got, err := opened(t, body)
	require.NoError(t, err, "the forger of this test can do it right")
	require.Equal(t, xml, got)

	err = Open(io.Discard, bytes.NewReader(body), []Key{key(p.receiver)}, nil)
	require.ErrorAs(t, err, new(*Unreadable), "nobody can have signed it")
	err = Open(io.Discard, bytes.NewReader(body), nil, []*x509.Certificate{p.sender.Certificate})
	require.ErrorAs(t, err, new(*Unreadable), "nobody can decrypt it")
}

func TestWeakCiphersAreRefused(t *testing.T) {
	t.Parallel()
	dir := files(t)
	for _, weak := range []string{"-des3", "-camellia256"} {
		_, err := opened(t, openssl(t, signedOnly(t, content(100), "-nodetach"), "cms", "-encrypt", "-binary", "-outform", "DER", weak, dir+"/receiver.pem"))
		require.ErrorIs(t, err, ErrCipher, weak)
	}
}

// Whatever octet is another one, nothing else than the content comes out.
func TestEveryOctetCounts(t *testing.T) {
	t.Parallel()
	xml := content(100)
	body := sealed(t, xml)
	for i := range body {
		changed := bytes.Clone(body)
		changed[i] ^= 1 << (i % 8)
		if got, err := opened(t, changed); err == nil {
			require.Equal(t, xml, got, i)
		} else if !errors.Is(err, ErrCipher) {
			require.ErrorAs(t, err, new(*Unreadable), i)
		}
		_, err := opened(t, body[:i])
		require.ErrorAs(t, err, new(*Unreadable), i)
	}
}

// All of a message is read, whatever is wrong with it: how long that takes tells nothing.
func TestEverythingIsRead(t *testing.T) {
	t.Parallel()
	p := known(t)
	for name, body := range map[string][]byte{
		"wrong at the start": enveloped(t, pad(content(1<<20))),
		"wrong at the end":   append(sealed(t, content(1<<20)), 0),
		"no envelope":        content(1 << 20),
	} {
		r := bytes.NewReader(body)
		require.ErrorAs(t, Open(io.Discard, r, []Key{key(p.receiver)}, []*x509.Certificate{p.sender.Certificate}), new(*Unreadable), name)
		require.Zero(t, r.Len(), name)
	}
}

// What fails beside the message is told as it is.
func TestOtherErrorsAreTold(t *testing.T) {
	t.Parallel()
	p, broken := known(t), errors.New("the disk is gone")
	signers, own := []*x509.Certificate{p.sender.Certificate}, []Key{key(p.receiver)}
	body := sealed(t, content(200_000))
	require.ErrorIs(t, Open(io.Discard, io.MultiReader(bytes.NewReader(body[:150_000]), iotest.ErrReader(broken)), own, signers), broken)
	require.ErrorIs(t, Open(failing{broken}, bytes.NewReader(body), own, signers), broken)
	require.ErrorIs(t, Seal(failing{broken}, bytes.NewReader(content(9)), 9, key(p.sender), p.receiver.Certificate), broken)
	require.ErrorIs(t, Seal(io.Discard, bytes.NewReader(content(9)), 10, key(p.sender), p.receiver.Certificate), io.ErrUnexpectedEOF)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// A large message is not held. The test is not parallel: it counts what the whole process
// allocates.
func TestMemoryDoesNotDependOnSize(t *testing.T) {
	const size = 12 << 20
	p, xml := known(t), content(size)
	var body bytes.Buffer
	body.Grow(size + 1<<20)
	allocated := func(what string, do func() error) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.NoError(t, do())
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), what)
	}
	allocated("to seal", func() error { return Seal(&body, bytes.NewReader(xml), size, key(p.sender), p.receiver.Certificate) })
	open := func(body []byte) func() error {
		return func() error {
			return Open(io.Discard, bytes.NewReader(body), []Key{key(p.receiver)}, []*x509.Certificate{p.sender.Certificate})
		}
	}
	allocated("to open", open(body.Bytes()))
	refuse := func(body []byte) func() error {
		return func() error {
			require.ErrorAs(t, open(body)(), new(*Unreadable))
			return nil
		}
	}
	huge := wrap(tagOctetString, content(8<<20))
	recipients := wrap(tagSequence, oidEnvelopedData, wrap(tagExplicit0, wrap(tagSequence, integer0, wrap(tagSet, huge))))
	allocated("to refuse recipients of 8 MB", refuse(recipients))
	signer := wrap(tagSequence, oidSignedData, wrap(tagExplicit0, wrap(tagSequence, integer1, wrap(tagSet),
		wrap(tagSequence, oidData, wrap(tagExplicit0, wrap(tagOctetString))), wrap(tagSet, huge))))
	allocated("to refuse a signer of 8 MB", refuse(enveloped(t, pad(signer))))
	dir := files(t)
	signed := openssl(t, xml, "cms", "-sign", "-nodetach", "-stream", "-binary", "-outform", "DER", "-signer", dir+"/sender.pem")
	allocated("to open in parts", open(openssl(t, signed, "cms", "-encrypt", "-stream", "-aes-256-cbc", "-binary", "-outform", "DER", dir+"/receiver.pem")))
}

// The content may stand in an octet string, as .NET has it.
func TestWrappedInAnOctetString(t *testing.T) {
	t.Parallel()
	xml := content(40_000)
	for _, form := range [][]string{{"-nodetach"}, {"-nodetach", "-stream"}} {
		signed := signedOnly(t, xml, form...)
		parts := append(wrap(tagOctetString, signed[:100]), wrap(tagOctetString, signed[100:])...)
		for name, wrapped := range map[string][]byte{
			"one":        wrap(tagOctetString, signed),
			"parts":      wrap(tagOctetString|constructed, parts),
			"indefinite": append(append([]byte{tagOctetString | constructed, 0x80}, parts...), 0, 0),
		} {
			got, err := opened(t, enveloped(t, pad(wrapped)))
			require.NoError(t, err, name)
			require.Equal(t, xml, got, name)
		}
	}
}

// The parameters of the key's transport may be missing.
func TestTransportWithoutParameters(t *testing.T) {
	t.Parallel()
	p, signed := known(t), signedOnly(t, content(100), "-nodetach")
	body := enveloped(t, pad(signed))
	// The identifier of the algorithm without NULL makes four elements shorter.
	with, without := wrap(tagSequence, oidRSA, asn1.NullBytes), wrap(tagSequence, oidRSA)
	at := bytes.Index(body, with)
	require.Positive(t, at)
	recipient := issuerAndSerial(p.receiver.Certificate)
	encrypted, rest, err := split(body[at+len(with):], tagOctetString)
	require.NoError(t, err)
	set := wrap(tagSet, wrap(tagSequence, integer0, recipient, without, wrap(tagOctetString, encrypted)))
	shorter := wrap(tagSequence, oidEnvelopedData, wrap(tagExplicit0, wrap(tagSequence, integer0, set, rest)))
	got, err := opened(t, shorter)
	require.NoError(t, err)
	require.Equal(t, content(100), got)
}
