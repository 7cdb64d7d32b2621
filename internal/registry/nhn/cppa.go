package nhn

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Profile is a collaboration protocol profile (CPP), of one party, or agreement (CPA), of
// two (ebXML CPPA 2.0).
type Profile struct {
	// AgreementID is the agreement's, "" for a profile.
	AgreementID string
	// Start and End are when an agreement counts; zero is no bound.
	Start, End time.Time
	Parties    []PartyInfo
}

// Counts tells whether an agreement counts at a time.
func (p *Profile) Counts(at time.Time) bool {
	return !at.Before(p.Start) && (p.End.IsZero() || at.Before(p.End))
}

// PartyInfo is what a party can do.
type PartyInfo struct {
	HerID        int
	Name         string
	Roles        []Role
	Certificates []*x509.Certificate
}

// Role is a process that the party takes part in.
type Role struct {
	// Process is the specification's name, such as Dialog_Innbygger_Ekonsultasjon.
	Process, Version string
	Send, Receive    []Action
}

// Action is a message of a process.
type Action struct {
	// Name is its function (8279), or Apprec.
	Name string
	// Package names the documents that it consists of.
	Package string
}

const nsCPPA = "http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd "

// document is a profile or agreement in XML. Its attributes have the namespace, too.
type document struct {
	XMLName xml.Name
	CPAID   string `xml:"http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd cpaid,attr"`
	Start   string
	End     string
	Parties []struct {
		Name  string   `xml:"http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd partyName,attr"`
		IDs   []string `xml:"PartyId"`
		Roles []struct {
			Specification struct {
				Name    string `xml:"http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd name,attr"`
				Version string `xml:"http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd version,attr"`
			} `xml:"ProcessSpecification"`
			Send    []binding `xml:"ServiceBinding>CanSend>ThisPartyActionBinding"`
			Receive []binding `xml:"ServiceBinding>CanReceive>ThisPartyActionBinding"`
		} `xml:"CollaborationRole"`
		Certificates []struct {
			X509 []string `xml:"KeyInfo>X509Data>X509Certificate"`
		} `xml:"Certificate"`
	} `xml:"PartyInfo"`
}

type binding struct {
	Action  string `xml:"http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd action,attr"`
	Package string `xml:"http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd packageId,attr"`
}

// ReadProfile reads a profile or an agreement. The error is apperr.Invalid.
func ReadProfile(raw []byte) (Profile, error) {
	var d document
	if err := xml.Unmarshal(raw, &d); err != nil || d.XMLName.Space+" " != nsCPPA || len(d.Parties) == 0 {
		return Profile{}, apperr.New(apperr.Invalid, "the document is no collaboration profile or agreement")
	}
	p := Profile{AgreementID: d.CPAID}
	for text, to := range map[string]*time.Time{d.Start: &p.Start, d.End: &p.End} {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		var err error
		if *to, err = readTime(text); err != nil {
			return Profile{}, apperr.New(apperr.Invalid, "the agreement's period cannot be read")
		}
	}
	for _, from := range d.Parties {
		to := PartyInfo{Name: from.Name}
		for _, id := range from.IDs {
			if n, err := strconv.Atoi(strings.TrimSpace(id)); err == nil {
				to.HerID = n
			}
		}
		for _, r := range from.Roles {
			role := Role{Process: r.Specification.Name, Version: r.Specification.Version}
			for _, b := range r.Send {
				role.Send = append(role.Send, Action{b.Action, b.Package})
			}
			for _, b := range r.Receive {
				role.Receive = append(role.Receive, Action{b.Action, b.Package})
			}
			to.Roles = append(to.Roles, role)
		}
		for _, c := range from.Certificates {
			for _, text := range c.X509 {
				der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
				if err != nil {
					return Profile{}, apperr.New(apperr.Invalid, "a certificate in the document cannot be read")
				}
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					return Profile{}, apperr.New(apperr.Invalid, "a certificate in the document cannot be read")
				}
				to.Certificates = append(to.Certificates, cert)
			}
		}
		p.Parties = append(p.Parties, to)
	}
	return p, nil
}

// readTime reads an instant; one without a zone is in UTC (ebXML CPPA 2.0 §9.3).
func readTime(text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	return time.Parse("2006-01-02T15:04:05", text)
}

// Other is the party of an agreement that is not the own one, or the one of a profile; nil
// when the own one is not part of the agreement.
func (p *Profile) Other(own int) *PartyInfo {
	if len(p.Parties) == 1 && p.AgreementID == "" {
		return &p.Parties[0]
	}
	var other *PartyInfo
	ours := false
	for i := range p.Parties {
		if p.Parties[i].HerID == own {
			ours = true
		} else {
			other = &p.Parties[i]
		}
	}
	if !ours {
		return nil
	}
	return other
}

// Receives tells whether the party takes messages of a function: one of the process of that
// name has something that it receives, or any process has a message of that name, as the
// receipt is one of each. Letters' case does not count.
func (p *PartyInfo) Receives(function string) bool {
	for _, r := range p.Roles {
		if strings.EqualFold(r.Process, function) && len(r.Receive) > 0 {
			return true
		}
		for _, a := range r.Receive {
			if strings.EqualFold(a.Name, function) {
				return true
			}
		}
	}
	return false
}

// Processes are the codes (8279) of the processes that the party takes part in.
func (p *PartyInfo) Processes() (out []string) {
	seen := map[string]bool{}
	for _, r := range p.Roles {
		if code := strings.ToUpper(r.Process); codes.Known(code) && !seen[code] {
			seen[code] = true
			out = append(out, code)
		}
	}
	return out
}

// CPPA is the registry of profiles and agreements. It is safe for concurrent use.
type CPPA struct{ service }

// NewCPPA makes a client of the registry at base, such as
// https://cppa.test.grunndata.nhn.no/v2/, through a transport that adds tokens.
func NewCPPA(base string, transport http.RoundTripper) (*CPPA, error) {
	s, err := newService("the registry of collaboration agreements", "HELSEBRO_CPPA_URL", base, transport)
	return &CPPA{s}, err
}

// Profile is a party's profile, or apperr.NotFound when it has none.
func (c *CPPA) Profile(ctx context.Context, herID int) (Profile, error) {
	return c.read(ctx, fmt.Sprintf("/Profiles/%d", herID), "HER-id %d has no collaboration profile", herID)
}

// Agreement is the agreement of an id, or apperr.NotFound.
func (c *CPPA) Agreement(ctx context.Context, id string) (Profile, error) {
	if uuid.Validate(id) != nil {
		return Profile{}, apperr.New(apperr.NotFound, "there is no collaboration agreement of an id that is no UUID")
	}
	return c.read(ctx, "/Agreements/"+url.PathEscape(id), "there is no collaboration agreement %s", id)
}

// AgreementBetween is the agreement of two parties, or apperr.NotFound.
func (c *CPPA) AgreementBetween(ctx context.Context, own, other int) (Profile, error) {
	return c.read(ctx, fmt.Sprintf("/Agreements/HerIds/%d/%d", own, other), "HER-ids %d and %d have no collaboration agreement", own, other)
}

// read reads a document. Only a 404 says that there is none: to take a refused token for
// that would weaken what is checked.
func (c *CPPA) read(ctx context.Context, path, none string, args ...any) (Profile, error) {
	status, answer, err := c.do(ctx, http.MethodGet, path, http.Header{"Accept": {"application/xml"}}, "")
	switch {
	case err != nil:
		return Profile{}, err
	case status == http.StatusNotFound:
		return Profile{}, apperr.New(apperr.NotFound, none, args...)
	case status != http.StatusOK:
		return Profile{}, c.unexpected(status)
	}
	p, err := ReadProfile(answer)
	if err != nil {
		return p, apperr.Wrap(apperr.Unavailable, err, "%s gave something else than it is documented to", c.name)
	}
	return p, nil
}
