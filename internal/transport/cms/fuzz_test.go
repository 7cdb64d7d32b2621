package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// fuzzKeys is where the processes that fuzz find the keys of the one that began.
const fuzzKeys = "HELSEBRO_FUZZ_KEYS"

// FuzzOpen opens what anybody could have made who has nothing but a public certificate: a
// message as it is, or what comes out of its decryption.
func FuzzOpen(f *testing.F) {
	dir := os.Getenv(fuzzKeys)
	if dir == "" {
		dir = files(f)
		require.NoError(f, os.Setenv(fuzzKeys, dir))
		f.Cleanup(func() { require.NoError(f, os.Unsetenv(fuzzKeys)) })
	}
	sender, err := LoadKey(dir+"/sender.pem", "")
	require.NoError(f, err)
	receiver, err := LoadKey(dir+"/receiver.pem", "")
	require.NoError(f, err)
	xml := content(200)
	for _, form := range forms {
		signed := signedIn(f, dir, xml, append([]string{"-nodetach"}, form.sign...)...)
		f.Add(byte(1), signed)
		f.Add(byte(2), pad(signed))
		f.Add(byte(1), wrap(tagOctetString, signed))
	}
	var body bytes.Buffer
	require.NoError(f, Seal(&body, bytes.NewReader(xml), int64(len(xml)), sender, receiver.Certificate))
	f.Add(byte(0), body.Bytes())
	for _, n := range []int{0, 1, 15, 16, 17, 32} {
		f.Add(byte(2), bytes.Repeat([]byte{0xff}, n))
		f.Add(byte(2), make([]byte, n))
	}
	f.Fuzz(func(t *testing.T, form byte, b []byte) {
		body := b
		switch form % 3 {
		case 1:
			body = envelopedFor(t, receiver.Certificate, pad(b))
		case 2:
			body = envelopedFor(t, receiver.Certificate, b[:len(b)/aes.BlockSize*aes.BlockSize])
		}
		var out bytes.Buffer
		err := Open(&out, bytes.NewReader(body), []Key{receiver}, []*x509.Certificate{sender.Certificate})
		var wrong *Unreadable
		switch {
		case err == nil:
			if !bytes.Equal(out.Bytes(), xml) {
				t.Fatal("something else was opened than the sender has signed")
			}
		case !errors.As(err, &wrong) && !errors.Is(err, ErrCipher):
			t.Fatalf("another reaction than the one: %v", err)
		}
	})
}

var sizes = map[string]int{"3kB": 3 << 10, "12MB": 12 << 20}

func BenchmarkSeal(b *testing.B) {
	p := known(b)
	for name, size := range sizes {
		b.Run(name, func(b *testing.B) {
			xml := content(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := Seal(io.Discard, bytes.NewReader(xml), int64(size), key(p.sender), p.receiver.Certificate); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	p := known(b)
	for name, size := range sizes {
		b.Run(name, func(b *testing.B) {
			body := sealed(b, content(size))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := Open(io.Discard, bytes.NewReader(body), []Key{key(p.receiver)}, []*x509.Certificate{p.sender.Certificate}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpenSSL is the same by OpenSSL, two whole processes for a message.
func BenchmarkOpenSSL(b *testing.B) {
	dir := files(b)
	for name, size := range sizes {
		xml := content(size)
		b.Run("Seal/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				signed := openssl(b, xml, "cms", "-sign", "-stream", "-nodetach", "-noattr", "-binary", "-outform", "DER", "-signer", dir+"/sender.pem")
				openssl(b, signed, "cms", "-encrypt", "-stream", "-binary", "-aes-256-cbc", "-outform", "DER", dir+"/receiver.pem")
			}
		})
		body := sealed(b, xml)
		b.Run("Open/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				signed := openssl(b, body, "cms", "-decrypt", "-inform", "DER", "-binary", "-recip", dir+"/receiver.pem")
				openssl(b, signed, "cms", "-verify", "-inform", "DER", "-binary", "-noverify", "-nointern", "-certfile", dir+"/sender.pem")
			}
		})
	}
}
