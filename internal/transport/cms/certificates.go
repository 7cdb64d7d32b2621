package cms

import (
	"context"
	"crypto/sha1" //nolint:gosec // certificates are known by it to people, nothing depends on it
	"crypto/x509"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/transport"
)

// Usage is what a certificate is for.
type Usage x509.KeyUsage

// The usages (HITS 1216, PKI). A certificate that has both is both.
const (
	ForSigning    = Usage(x509.KeyUsageContentCommitment) // once called non-repudiation
	ForEncryption = Usage(x509.KeyUsageKeyEncipherment)
)

// Has tells whether a certificate is for the usage.
func (u Usage) Has(c *x509.Certificate) bool { return c.KeyUsage&x509.KeyUsage(u) != 0 }

// Findings are what is wrong with a certificate, 0 when nothing is.
type Findings uint

// The findings.
const (
	NotYetValid Findings = 1 << iota
	Expired
	WrongUsage
	Revoked
	// RevocationUnknown says that it names no list that could be asked, or that the list
	// is not its issuer's.
	RevocationUnknown
	// Untrusted says that no known root has issued it.
	Untrusted
	// RevocationUnreachable says that the list cannot be read now.
	RevocationUnreachable
)

// reports are what the certificate's owner is told (HITS 1216, error conditions).
var reports = map[Findings]struct {
	condition   transport.Condition
	description string
}{
	NotYetValid:       {transport.ConditionExpiredCertificate, "Invalid start date"},
	Expired:           {transport.ConditionExpiredCertificate, "Invalid end date"},
	WrongUsage:        {transport.ConditionInvalidCertificate, "Invalid usage"},
	Revoked:           {transport.ConditionRevokedCertificate, "Certificate has been revoked"},
	RevocationUnknown: {transport.ConditionRevokedCertificate, "Unable to determine revocation status"},
	Untrusted:         {transport.ConditionUnverifiedCertificate, "The certificate is not issued under a known root"},
}

// String lists the findings in words.
func (f Findings) String() string {
	var words []string
	for bit := NotYetValid; bit <= RevocationUnreachable; bit <<= 1 {
		switch {
		case f&bit == 0:
		case bit == RevocationUnreachable:
			words = append(words, "the list of revoked certificates cannot be read")
		default:
			words = append(words, reports[bit].description)
		}
	}
	return strings.Join(words, ", ")
}

// Fault is what the owner of the certificate is told: a *transport.Fault, or
// apperr.Unavailable when all that is wrong is a list that cannot be read now, or nil.
func (f Findings) Fault(c *x509.Certificate) error {
	known := f &^ RevocationUnreachable
	switch {
	case f == 0:
		return nil
	case known == 0:
		return apperr.New(apperr.Unavailable, "whether certificate %s is revoked cannot be found out now: its issuer's list cannot be read", fingerprint(c))
	}
	fault := &transport.Fault{
		Condition: transport.ConditionInvalidCertificate, Description: "More than one error with certificate",
		Data: []string{"Subject: " + c.Subject.String(), fmt.Sprintf("Thumbprint: %X", sha1.Sum(c.Raw))}, //nolint:gosec // see the import
	}
	if bits.OnesCount(uint(known)) == 1 {
		fault.Condition, fault.Description = reports[known].condition, reports[known].description
	}
	return fault
}

// Checker checks certificates. It is safe for concurrent use.
type Checker struct {
	roots, issuers *x509.CertPool
	lists          *RevocationLists
	now            func() time.Time
}

// NewChecker makes a Checker that trusts the self-signed certificates among trusted, and
// knows the others as issuers between. Without lists nothing is asked about revocation.
func NewChecker(trusted []*x509.Certificate, lists *RevocationLists, now func() time.Time) *Checker {
	c := &Checker{roots: x509.NewCertPool(), issuers: x509.NewCertPool(), lists: lists, now: now}
	for _, t := range trusted {
		if t.CheckSignatureFrom(t) == nil {
			c.roots.AddCert(t)
		} else {
			c.issuers.AddCert(t)
		}
	}
	return c
}

// Check returns what is wrong with a certificate now. chain are more issuers, which prove
// nothing by themselves.
func (c *Checker) Check(ctx context.Context, cert *x509.Certificate, usage Usage, chain ...*x509.Certificate) (f Findings) {
	now := c.now()
	at := now
	switch {
	case now.Before(cert.NotBefore):
		f, at = NotYetValid, cert.NotBefore
	case now.After(cert.NotAfter):
		f, at = Expired, cert.NotAfter
	}
	if !usage.Has(cert) {
		f |= WrongUsage
	}
	issuers := c.issuers.Clone()
	for _, i := range chain {
		issuers.AddCert(i)
	}
	chains, err := cert.Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: issuers, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return f | Untrusted
	}
	if c.lists == nil {
		return f
	}
	whole := chains[0]
	for i := range len(whole) - 1 { // the root is trusted as it is
		f |= c.lists.check(ctx, whole[i], whole[i+1], now)
	}
	return f
}
