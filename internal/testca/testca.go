// Package testca is a certificate authority that is thrown away: for tests, and for the
// keys of a simulated Helsenorge.
package testca

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // RFC 5280 names keys by it, and nothing depends on it
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// CA issues certificates and revokes them. It is safe for concurrent use.
type CA struct {
	// Root is its own certificate.
	Root *x509.Certificate
	key  *rsa.PrivateKey
	url  string

	mu      sync.Mutex
	revoked []x509.RevocationListEntry
}

// bits is the size of every key.
const bits = 2048

// New makes an authority whose list of revoked certificates is at url, "" for nowhere; see
// ServeHTTP. It exists from five years ago for ten years from now.
func New(name, url string) (*CA, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-5, 0, 0), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	root, err := create(template, template, key, key)
	if err != nil {
		return nil, err
	}
	return &CA{Root: root, key: key, url: url}, nil
}

// Open opens an authority that was written to a file.
func Open(path, url string) (*CA, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	ca := &CA{url: url}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			ca.Root, err = x509.ParseCertificate(block.Bytes)
		} else {
			var key any
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
			ca.key, _ = key.(*rsa.PrivateKey)
		}
		if err != nil {
			return nil, err
		}
	}
	if ca.Root == nil || ca.key == nil {
		return nil, errors.New("the file holds no authority")
	}
	return ca, nil
}

// WriteFile writes the authority to a file that only its owner reads. What it has revoked
// is not in it.
func (ca *CA) WriteFile(path string) error { return Certificate{ca.Root, ca.key}.WriteFile(path) }

// create issues a certificate for the owner's key.
func create(template, issuer *x509.Certificate, owner *rsa.PrivateKey, by crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	id := sha1.Sum(x509.MarshalPKCS1PublicKey(&owner.PublicKey)) //nolint:gosec // see the import
	template.SubjectKeyId = id[:]
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &owner.PublicKey, by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// The usages of the certificates of an enterprise.
const (
	Signing    = x509.KeyUsageContentCommitment
	Encryption = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment
	Both       = Signing | Encryption
)

// Certificate is a certificate with its key.
type Certificate struct {
	*x509.Certificate
	Key *rsa.PrivateKey
}

// Issue issues a certificate that is valid from a day ago for two years.
func (ca *CA) Issue(name string, usage x509.KeyUsage) (Certificate, error) {
	now := time.Now()
	return ca.IssueFor(name, usage, now.AddDate(0, 0, -1), now.AddDate(2, 0, 0))
}

// IssueFor issues a certificate that is valid for a time.
func (ca *CA) IssueFor(name string, usage x509.KeyUsage, from, until time.Time) (Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return Certificate{}, err
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until, KeyUsage: usage, BasicConstraintsValid: true}
	if ca.url != "" {
		template.CRLDistributionPoints = []string{ca.url}
	}
	c, err := create(template, ca.Root, key, ca.key)
	return Certificate{c, key}, err
}

// IssueServer issues a certificate for a server at the hosts, names or IP addresses.
func (ca *CA) IssueServer(hosts ...string) (Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: hosts[0]}, NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(2, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	c, err := create(template, ca.Root, key, ca.key)
	return Certificate{c, key}, err
}

// Revoke revokes a certificate from now on.
func (ca *CA) Revoke(c *x509.Certificate) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.revoked = append(ca.revoked, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now()})
}

// RevocationList is the list of revoked certificates, which is right for an hour.
func (ca *CA) RevocationList() ([]byte, error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	now := time.Now()
	return x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(now.UnixNano()), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour),
		RevokedCertificateEntries: ca.revoked,
	}, ca.Root, ca.key)
}

// ServeHTTP serves the list of revoked certificates.
func (ca *CA) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	list, err := ca.RevocationList()
	if err != nil {
		http.Error(w, "there is no list", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	_, _ = w.Write(list) // the reader may have gone
}

// PEM are certificates as PEM.
func PEM(certificates ...*x509.Certificate) (out []byte) {
	for _, c := range certificates {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// WriteFile writes the certificate, its key and the certificates of its issuers to a PEM
// file that only its owner reads.
func (c Certificate) WriteFile(path string, chain ...*x509.Certificate) error {
	der, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), PEM(append([]*x509.Certificate{c.Certificate}, chain...)...)...)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
