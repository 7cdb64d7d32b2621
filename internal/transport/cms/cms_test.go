package cms

import (
	"bytes"
	"crypto/x509"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/testca"
)

// parties are two parties of one authority, made once: keys take their time.
type parties struct {
	ca                        *testca.CA
	sender, receiver, another testca.Certificate
}

var made = sync.OnceValues(func() (p parties, err error) {
	if p.ca, err = testca.New("Fiktiv rot", ""); err != nil {
		return p, err
	}
	if p.sender, err = p.ca.Issue("Avsender", testca.Signing); err != nil {
		return p, err
	}
	if p.receiver, err = p.ca.Issue("Mottaker", testca.Encryption); err != nil {
		return p, err
	}
	p.another, err = p.ca.Issue("En annen", testca.Both)
	return p, err
})

func known(t testing.TB) parties {
	t.Helper()
	p, err := made()
	require.NoError(t, err)
	return p
}

func key(c testca.Certificate, chain ...*x509.Certificate) Key {
	return Key{Certificate: c.Certificate, Chain: chain, Private: c.Key}
}

// content is text of n octets that is always the same.
func content(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func sealed(t testing.TB, xml []byte) []byte {
	t.Helper()
	p := known(t)
	var out bytes.Buffer
	require.NoError(t, Seal(&out, bytes.NewReader(xml), int64(len(xml)), key(p.sender, p.another.Certificate), p.receiver.Certificate))
	return out.Bytes()
}

func opened(t testing.TB, body []byte) ([]byte, error) {
	t.Helper()
	p := known(t)
	var out bytes.Buffer
	err := Open(&out, bytes.NewReader(body), []Key{key(p.another), key(p.receiver)}, []*x509.Certificate{p.sender.Certificate})
	return out.Bytes(), err
}

func TestSealedIsOpened(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 15, 16, 17, 127, 128, 3000, bufferSize - 1, bufferSize, bufferSize + 1, 65535, 65536, 1 << 20} {
		got, err := opened(t, sealed(t, content(n)))
		require.NoError(t, err, n)
		require.Equal(t, content(n), append([]byte{}, got...), n)
	}
}

// openssl runs a command of OpenSSL.
func openssl(t testing.TB, in []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	return out.Bytes()
}

// files are the parties' keys as files.
func files(t testing.TB) (dir string) {
	t.Helper()
	p := known(t)
	dir = t.TempDir()
	for name, c := range map[string]testca.Certificate{"sender": p.sender, "receiver": p.receiver, "another": p.another} {
		require.NoError(t, c.WriteFile(filepath.Join(dir, name+".pem")))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "root.pem"), testca.PEM(p.ca.Root), 0o600))
	return dir
}

func TestOpenSSLOpensWhatIsSealed(t *testing.T) {
	t.Parallel()
	dir := files(t)
	for _, n := range []int{0, 3000, 1 << 20} {
		signed := openssl(t, sealed(t, content(n)), "cms", "-decrypt", "-inform", "DER", "-recip", dir+"/receiver.pem", "-binary")
		got := openssl(t, signed, "cms", "-verify", "-inform", "DER", "-CAfile", dir+"/root.pem", "-purpose", "any", "-binary")
		require.Equal(t, content(n), append([]byte{}, got...), n)
	}
}

// forms are the ways in which others sign and encrypt.
var forms = map[string]struct{ sign, encrypt []string }{
	"as Helsenorge":              {[]string{"-noattr"}, nil},
	"signed attributes":          {nil, nil},
	"indefinite lengths":         {[]string{"-noattr", "-stream"}, []string{"-stream"}},
	"indefinite, attributes":     {[]string{"-stream"}, []string{"-stream"}},
	"SHA-384":                    {[]string{"-md", "sha384"}, nil},
	"SHA-512, AES-128":           {[]string{"-md", "sha512", "-noattr"}, []string{"-aes-128-cbc"}},
	"AES-192":                    {[]string{"-noattr"}, []string{"-aes-192-cbc"}},
	"key identifier of signer":   {[]string{"-keyid"}, nil},
	"key identifier of receiver": {nil, []string{"-keyid"}},
	"without certificates":       {[]string{"-nocerts"}, nil},
}

func TestWhatOpenSSLSealsIsOpened(t *testing.T) {
	t.Parallel()
	dir := files(t)
	seal := func(t *testing.T, xml []byte, sign, encrypt []string) []byte {
		t.Helper()
		signed := openssl(t, xml, append([]string{"cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-signer", dir + "/sender.pem"}, sign...)...)
		cipher := []string{"-aes-256-cbc"}
		if len(encrypt) > 0 && bytes.HasPrefix([]byte(encrypt[0]), []byte("-aes")) {
			cipher = nil
		}
		args := append([]string{"cms", "-encrypt", "-binary", "-outform", "DER"}, cipher...)
		args = append(append(args, encrypt...), dir+"/receiver.pem")
		return openssl(t, signed, args...)
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{0, 1, 3000, 100_000} {
				if n == 0 && slices.Contains(form.sign, "-stream") {
					continue // OpenSSL itself does not write it
				}
				got, err := opened(t, seal(t, content(n), form.sign, form.encrypt))
				require.NoError(t, err, n)
				require.Equal(t, content(n), append([]byte{}, got...), n)
			}
		})
	}
	t.Run("several recipients", func(t *testing.T) {
		t.Parallel()
		signed := openssl(t, content(3000), "cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-signer", dir+"/sender.pem")
		body := openssl(t, signed, "cms", "-encrypt", "-binary", "-outform", "DER", "-aes-256-cbc", dir+"/sender.pem", dir+"/receiver.pem")
		got, err := opened(t, body)
		require.NoError(t, err)
		require.Equal(t, content(3000), got)
	})
	for name, options := range map[string][]string{
		"OAEP":               nil,
		"OAEP with SHA-256":  {"-keyopt", "rsa_oaep_md:sha256"},
		"OAEP, another mask": {"-keyopt", "rsa_oaep_md:sha256", "-keyopt", "rsa_mgf1_md:sha512"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signed := openssl(t, content(3000), "cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-signer", dir+"/sender.pem", "-noattr")
			args := append([]string{"cms", "-encrypt", "-binary", "-outform", "DER", "-aes-256-cbc", "-recip", dir + "/receiver.pem", "-keyopt", "rsa_padding_mode:oaep"}, options...)
			got, err := opened(t, openssl(t, signed, args...))
			require.NoError(t, err)
			require.Equal(t, content(3000), got)
		})
	}
}
