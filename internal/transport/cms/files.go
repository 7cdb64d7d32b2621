package cms

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Keys are the own keys, by the HER-id of a party (level 2). Whoever keeps keys in a
// hardware module implements it with Keys whose Private asks the module.
type Keys interface {
	// Signing is what the party signs with.
	Signing(herID int) (Key, error)
	// Decryption are what a message to the party may be encrypted for, the newest first:
	// the one before it is still in use while counterparts learn of the new one.
	Decryption(herID int) ([]Key, error)
}

// Files are keys in files of one directory, read once:
//
//	signing.pem  decryption.pem  decryption-2025.p12   for every party
//	8143548/signing.p12  8143548/decryption.p12        for a party with keys of its own
//
// A PEM file has the key, its certificate, and those of its issuers; a PKCS #12 file (.p12,
// .pfx) has the same. Nobody but the owner may read them.
type Files struct{ parties map[int]*own }

type own struct {
	signing    []Key
	decryption []Key
}

// everybody stands for the parties without keys of their own.
const everybody = 0

var _ Keys = (*Files)(nil)

// OpenFiles reads the keys in a directory. The password is that of the PKCS #12 files. An
// error is apperr.Invalid and says what to do.
func OpenFiles(dir, password string) (*Files, error) {
	f := &Files{parties: map[int]*own{}}
	if err := f.open(everybody, dir, password); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, unreadableFile(err)
	}
	for _, e := range entries {
		if id, err := strconv.Atoi(e.Name()); err == nil && id > 0 && e.IsDir() {
			if err := f.open(id, filepath.Join(dir, e.Name()), password); err != nil {
				return nil, err
			}
		}
	}
	if len(f.parties) == 0 {
		return nil, apperr.New(apperr.Invalid, "%s has no keys: put signing.pem and decryption.pem, or .p12 files, there", dir)
	}
	return f, nil
}

// open reads what belongs to a party, or to everybody.
func (f *Files) open(herID int, dir, password string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return unreadableFile(err)
	}
	o := &own{}
	for _, e := range entries {
		use, _, _ := strings.Cut(strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())), "-")
		if e.IsDir() || use != "signing" && use != "decryption" {
			continue
		}
		k, err := LoadKey(filepath.Join(dir, e.Name()), password)
		if err != nil {
			return err
		}
		if use == "signing" {
			o.signing = append(o.signing, k)
		} else {
			o.decryption = append(o.decryption, k)
		}
	}
	if len(o.signing)+len(o.decryption) == 0 {
		return nil
	}
	if len(o.signing) != 1 || len(o.decryption) == 0 {
		return apperr.New(apperr.Invalid, "%s has %d signing and %d decryption keys: there is one to sign with, and one or more to decrypt with", dir, len(o.signing), len(o.decryption))
	}
	slices.SortStableFunc(o.decryption, func(a, b Key) int { return b.Certificate.NotBefore.Compare(a.Certificate.NotBefore) })
	f.parties[herID] = o
	return nil
}

// of is what a party has.
func (f *Files) of(herID int) (*own, error) {
	if o := f.parties[herID]; o != nil {
		return o, nil
	}
	if o := f.parties[everybody]; o != nil {
		return o, nil
	}
	return nil, apperr.New(apperr.Unavailable, "party %d has no keys: put them in its directory of the key files", herID)
}

// Signing implements Keys. Without keys it is apperr.Unavailable.
func (f *Files) Signing(herID int) (Key, error) {
	o, err := f.of(herID)
	if err != nil {
		return Key{}, err
	}
	return o.signing[0], nil
}

// Decryption implements Keys. Without keys it is apperr.Unavailable.
func (f *Files) Decryption(herID int) ([]Key, error) {
	o, err := f.of(herID)
	if err != nil {
		return nil, err
	}
	return o.decryption, nil
}

// Parties are those with keys of their own, sorted; 0 stands for all others.
func (f *Files) Parties() []int { return slices.Sorted(maps.Keys(f.parties)) }

// Expires is when the first certificate expires that has no newer one beside it, by use.
func (f *Files) Expires() map[string]time.Time {
	first := map[string]time.Time{}
	for _, o := range f.parties {
		for use, k := range map[string]Key{"signing": o.signing[0], "decryption": o.decryption[0]} {
			if at, known := first[use]; !known || k.Certificate.NotAfter.Before(at) {
				first[use] = k.Certificate.NotAfter
			}
		}
	}
	return first
}

// LoadKey reads a key with its certificates from a PEM file or, by the ending .p12 or
// .pfx, a PKCS #12 file. An error is apperr.Invalid and quotes nothing of the file.
func LoadKey(path, password string) (Key, error) {
	file, err := os.Open(path) //nolint:gosec // the operator says where the keys are
	if err != nil {
		return Key{}, unreadableFile(err)
	}
	defer file.Close() //nolint:errcheck // it is only read
	info, err := file.Stat()
	if err != nil {
		return Key{}, unreadableFile(err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Key{}, apperr.New(apperr.Invalid, "%s can be read by others than its owner: chmod 600 it", path)
	}
	raw, err := io.ReadAll(file)
	if err != nil {
		return Key{}, unreadableFile(err)
	}
	var k Key
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".p12" || ext == ".pfx" {
		k, err = fromPKCS12(raw, password)
	} else {
		k, err = fromPEM(raw)
	}
	if err != nil {
		return Key{}, apperr.New(apperr.Invalid, "%s holds no key that can be used: %v", path, err)
	}
	return k, nil
}

func fromPKCS12(raw []byte, password string) (Key, error) {
	private, certificate, chain, err := pkcs12.DecodeChain(raw, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return Key{}, errors.New("the password is another one")
	case err != nil:
		return Key{}, errors.New("it is no PKCS #12 file with one key")
	}
	return paired(private, append([]*x509.Certificate{certificate}, chain...))
}

func fromPEM(raw []byte) (Key, error) {
	var private crypto.PrivateKey
	var certificates []*x509.Certificate
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		var err error
		switch block.Type {
		case "CERTIFICATE":
			var c *x509.Certificate
			c, err = x509.ParseCertificate(block.Bytes)
			certificates = append(certificates, c)
		case "PRIVATE KEY":
			private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			err = errors.New("encrypted keys are read from PKCS #12 files only")
		}
		if err != nil {
			return Key{}, fmt.Errorf("a %s in it cannot be read", strings.ToLower(block.Type))
		}
	}
	return paired(private, certificates)
}

// paired finds the certificate of the key, and takes the others for its issuers.
func paired(private crypto.PrivateKey, certificates []*x509.Certificate) (Key, error) {
	rsaKey, ok := private.(*rsa.PrivateKey)
	if !ok {
		return Key{}, errors.New("it has no RSA key")
	}
	k := Key{Private: rsaKey}
	for _, c := range certificates {
		switch {
		case rsaKey.PublicKey.Equal(c.PublicKey):
			k.Certificate = c
		case c.CheckSignatureFrom(c) != nil: // a root is known, or is not trusted
			k.Chain = append(k.Chain, c)
		}
	}
	if k.Certificate == nil {
		return Key{}, errors.New("no certificate in it is that of the key")
	}
	return k, nil
}

// LoadCertificates reads the certificates of a PEM file, such as the roots that are
// trusted. An error is apperr.Invalid.
func LoadCertificates(path string) ([]*x509.Certificate, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadableFile(err)
	}
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, apperr.New(apperr.Invalid, "%s holds a certificate that cannot be read", path)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, apperr.New(apperr.Invalid, "%s holds no certificate in PEM", path)
	}
	return all, nil
}

func unreadableFile(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return apperr.New(apperr.Invalid, "%s cannot be read: %v", p.Path, p.Err)
	}
	return apperr.Wrap(apperr.Invalid, err, "a file of keys cannot be read")
}
