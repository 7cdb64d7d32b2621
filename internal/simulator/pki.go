package simulator

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/testca"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/cms"
)

// Faults of sealing. The first four are of parties of their own, whose only certificate is
// wrong in that way.
const (
	Expired       = "expired"       // the certificate has expired
	Revoked       = "revoked"       // its issuer has revoked it
	WrongUsage    = "wrong-usage"   // it is not for signing
	Untrusted     = "untrusted"     // nobody who is trusted has issued it
	OtherSigner   = "other-signer"  // signed by somebody else than the sender
	OtherReader   = "other-reader"  // encrypted for somebody else than the receiver
	Undecryptable = "undecryptable" // some octets of it are others
	NotSealed     = "not-sealed"    // plain text
)

// wrongParties are the HER-ids of the parties with wrong certificates; their organisations'
// are higher by 100.
var wrongParties = map[string]int{Expired: 800011, Revoked: 800012, WrongUsage: 800013, Untrusted: 800014}

// PKI are the keys and certificates of a simulated Helsenorge, of its wrong parties, and of
// the clinics, all of an authority that is thrown away.
type PKI struct {
	dir string
	ca  *testca.CA
}

// revocationPath is where the simulator serves the list of revoked certificates.
const revocationPath = "/simulator/revoked.crl"

// OpenPKI opens the keys in dir, made when there are none. base is where the simulator
// answers, which serves the list of revoked certificates: keys that were made for another
// address are made anew.
func OpenPKI(dir, base string) (*PKI, error) {
	p := &PKI{dir: dir}
	url := strings.TrimSuffix(base, "/") + revocationPath
	known, err := os.ReadFile(p.path("url"))
	if err == nil && string(known) == url {
		if p.ca, err = testca.Open(p.path("authority.pem"), url); err != nil {
			return nil, err
		}
		all, err := cms.LoadCertificates(p.path(Revoked + ".pem"))
		if err != nil {
			return nil, err
		}
		p.ca.Revoke(all[0])
		return p, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := p.make(url); err != nil {
		return nil, err
	}
	return p, os.WriteFile(p.path("url"), []byte(url), 0o600)
}

func (p *PKI) path(name ...string) string { return filepath.Join(append([]string{p.dir}, name...)...) }

// make makes everything.
func (p *PKI) make(url string) (err error) {
	for _, dir := range []string{"clinic", "helsenorge"} {
		if err := os.MkdirAll(p.path(dir), 0o700); err != nil {
			return err
		}
	}
	if p.ca, err = testca.New("Simulated authority", url); err != nil {
		return err
	}
	stranger, err := testca.New("Unknown authority", url)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, c := range []struct {
		ca          *testca.CA
		name        string
		usage       x509.KeyUsage
		from, until time.Time
		key, public string
	}{
		{p.ca, "Clinic, signing", testca.Signing, now.AddDate(0, 0, -1), now.AddDate(2, 0, 0), "clinic/signing.pem", "clinic-signing.pem"},
		{p.ca, "Clinic, encryption", testca.Encryption, now.AddDate(0, 0, -1), now.AddDate(2, 0, 0), "clinic/decryption.pem", "clinic-encryption.pem"},
		{p.ca, "Helsenorge, signing", testca.Signing, now.AddDate(0, 0, -1), now.AddDate(2, 0, 0), "helsenorge/signing.pem", "helsenorge-signing.pem"},
		{p.ca, "Helsenorge, encryption", testca.Encryption, now.AddDate(0, 0, -1), now.AddDate(2, 0, 0), "helsenorge/decryption.pem", "helsenorge-encryption.pem"},
		{p.ca, "Expired", testca.Both, now.AddDate(-2, 0, 0), now.AddDate(0, 0, -1), Expired + "-key.pem", Expired + ".pem"},
		{p.ca, "Revoked", testca.Both, now.AddDate(0, 0, -1), now.AddDate(2, 0, 0), Revoked + "-key.pem", Revoked + ".pem"},
		{p.ca, "Wrong usage", x509.KeyUsageDigitalSignature, now.AddDate(0, 0, -1), now.AddDate(2, 0, 0), WrongUsage + "-key.pem", WrongUsage + ".pem"},
		{stranger, "Untrusted", testca.Both, now.AddDate(0, 0, -1), now.AddDate(2, 0, 0), Untrusted + "-key.pem", Untrusted + ".pem"},
	} {
		made, err := c.ca.IssueFor(c.name, c.usage, c.from, c.until)
		if err != nil {
			return err
		}
		if c.public == Revoked+".pem" {
			p.ca.Revoke(made.Certificate)
		}
		if err := errors.Join(made.WriteFile(p.path(c.key)), os.WriteFile(p.path(c.public), testca.PEM(made.Certificate), 0o600)); err != nil {
			return err
		}
	}
	return errors.Join(p.ca.WriteFile(p.path("authority.pem")), os.WriteFile(p.TrustedFile(), testca.PEM(p.ca.Root), 0o600))
}

// ClinicKeys is the directory of the clinics' keys, TrustedFile has the root.
func (p *PKI) ClinicKeys() string { return p.path("clinic") }

// TrustedFile has the certificate that all others are issued under.
func (p *PKI) TrustedFile() string { return p.path("trusted.pem") }

// Certify gives the organisations among the parties the certificates of who they are, and
// adds the parties with wrong ones.
func (p *PKI) Certify(parties []registry.Party) []registry.Party {
	out := slices.Clone(parties)
	var own registry.Party
	for i := range out {
		switch {
		case out[i].HerID == HerID:
			own = out[i]
		case out[i].ParentHerID != 0:
		case out[i].HerID == OrganisationHerID, out[i].HerID == OtherHerID: // as if one had stolen the other's
			out[i].CertificateFiles = []string{p.path("helsenorge-signing.pem"), p.path("helsenorge-encryption.pem")}
		default:
			out[i].CertificateFiles = []string{p.path("clinic-signing.pem"), p.path("clinic-encryption.pem")}
		}
	}
	for _, fault := range []string{Expired, Revoked, WrongUsage, Untrusted} {
		organisation, party := registry.Party{HerID: wrongParties[fault] + 100, Name: "Certificate " + fault, CertificateFiles: []string{p.path(fault + ".pem")}}, own
		party.HerID, party.Name, party.ParentHerID = wrongParties[fault], "Certificate "+fault, organisation.HerID
		out = append(out, organisation, party)
	}
	return out
}

// Sealers are Helsenorge's sealer and the broken ones.
func (p *PKI) Sealers(agreements cms.Agreements, logger *slog.Logger) (transport.Sealer, map[string]Broken, error) {
	trusted, err := cms.LoadCertificates(p.TrustedFile())
	if err != nil {
		return nil, nil, err
	}
	keys, err := cms.OpenFiles(p.path("helsenorge"), "")
	if err != nil {
		return nil, nil, err
	}
	// Helsenorge itself does not ask about revocation here: its own server has the list.
	checker := cms.NewChecker(trusted, nil, time.Now)
	own := cms.NewSealer(keys, agreements, checker, logger)
	broken := map[string]Broken{
		Undecryptable: {Sealer: changing{own}}, NotSealed: {Sealer: transport.Plain{}},
	}
	for fault, herID := range wrongParties {
		k, err := cms.LoadKey(p.path(fault+"-key.pem"), "")
		if err != nil {
			return nil, nil, err
		}
		broken[fault] = Broken{Sealer: forger{k, agreements}, HerID: herID}
		if fault == Revoked {
			broken[OtherSigner] = Broken{Sealer: forger{k, agreements}}
		}
	}
	signing, err := keys.Signing(HerID)
	if err != nil {
		return nil, nil, err
	}
	broken[OtherReader] = Broken{Sealer: forReader{signing}}
	return own, broken, nil
}

// ServeHTTP serves the list of revoked certificates.
func (p *PKI) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.ca.ServeHTTP(w, r) }

// Broken is a way of sealing that no receiver may accept.
type Broken struct {
	transport.Sealer
	// HerID is the party that seals so, 0 is Helsenorge itself.
	HerID int
}
