package nhn

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport/cms"
)

// The kinds of electronic addresses that are queues (kodeverk 9044).
const (
	addressAsync     = "E_SB_ASYNC"
	addressSync      = "E_SB_SYNC"
	addressSyncReply = "E_SB_SYNCREPLY"
	addressError     = "E_SB_ERROR"
)

// details are a communication party as both interfaces tell of it; encoding/xml and
// encoding/json match the names.
type details struct {
	HerId       int //nolint:revive,staticcheck // the registry's name
	Name        string
	DisplayName string
	ParentHerId int //nolint:revive,staticcheck // the registry's name
	Active      bool
	// IsValidCommunicationParty is nil where the interface does not tell.
	IsValidCommunicationParty *bool
	Type                      string
	Person                    struct {
		HPRInformation struct {
			HPRNumber json.Number
		}
	}
	ElectronicAddresses []electronicAddress `xml:"ElectronicAddresses>ElectronicAddress"`
}

type electronicAddress struct {
	Address       string
	TypeCodeValue string
}

// party is the party of details. One that is not active, or not valid, is apperr.NotFound.
func (d details) party(herID int) (registry.Party, error) {
	if d.HerId != herID {
		return registry.Party{}, apperr.New(apperr.Unavailable, "the address registry answered about another party than HER-id %d", herID)
	}
	if !d.Active {
		return registry.Party{}, apperr.New(apperr.NotFound, "HER-id %d is not active in the address registry", herID)
	}
	if d.IsValidCommunicationParty != nil && !*d.IsValidCommunicationParty {
		return registry.Party{}, apperr.New(apperr.NotFound, "HER-id %d is no valid communication party in the address registry", herID)
	}
	p := registry.Party{HerID: herID, Name: d.DisplayName, ParentHerID: max(d.ParentHerId, 0)} // -1 is none
	if p.Name == "" {
		p.Name = d.Name
	}
	if n := d.Person.HPRInformation.HPRNumber.String(); n != "0" {
		p.HPR = n
	}
	// Whoever is a communication party has an agreement with Norsk helsenett.
	p.Member = p.ParentHerID == 0
	for _, a := range d.ElectronicAddresses {
		queue := a.Address[strings.LastIndexByte(a.Address, '/')+1:]
		switch a.TypeCodeValue {
		case addressAsync:
			p.AsyncQueue = queue
		case addressSync:
			p.SyncQueue = queue
		case addressSyncReply:
			p.SyncReplyQueue = queue
		case addressError:
			p.ErrorQueue = queue
		}
	}
	return p, nil
}

// SOAP is the address registry's older interface (AR/Basic). It is safe for concurrent use.
type SOAP struct {
	service
	authorization string
}

var _ registry.Registry = (*SOAP)(nil)

// NewSOAP makes a client of the interface at url, such as
// https://ws-web.test.nhn.no/v1/AR/Basic, for a user of Norsk helsenett's.
func NewSOAP(url, user, password string) (*SOAP, error) {
	s, err := newService("the address registry", "HELSEBRO_REGISTRY_URL", url, nil)
	return &SOAP{s, "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}, err
}

const (
	nsParty = "http://register.nhn.no/CommunicationParty"
	action  = nsParty + "/ICommunicationPartyService/"
)

// call calls an operation about a party and reads its result. It is apperr.NotFound when
// the registry does not know the party.
func (s *SOAP) call(ctx context.Context, operation string, herID int, result any) error {
	body := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><` + operation + ` xmlns="` + nsParty + `"><herId>` +
		strconv.Itoa(herID) + `</herId></` + operation + `></s:Body></s:Envelope>`
	status, answer, err := s.do(ctx, http.MethodPost, "", http.Header{
		"Content-Type": {"text/xml; charset=utf-8"}, "Soapaction": {`"` + action + operation + `"`}, "Authorization": {s.authorization},
	}, body)
	if err != nil {
		return err
	}
	var envelope struct {
		Fault struct {
			Code string `xml:"detail>GenericFault>ErrorCode"`
		} `xml:"Body>Fault"`
	}
	read := xml.Unmarshal(answer, &envelope)
	switch {
	case read == nil && strings.EqualFold(envelope.Fault.Code, "InvalidHerIdSupplied"):
		return apperr.New(apperr.NotFound, "HER-id %d is not in the address registry", herID)
	case status != http.StatusOK || read != nil:
		return s.unexpected(status)
	}
	// The result stands in an element of its own; which one is named after the operation.
	d := xml.NewDecoder(bytes.NewReader(answer))
	for {
		token, err := d.Token()
		if err != nil {
			return apperr.New(apperr.Unavailable, "the address registry gave no result of %s", operation)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == operation+"Result" {
			if err := d.DecodeElement(result, &start); err != nil {
				return apperr.New(apperr.Unavailable, "the result of %s of the address registry cannot be read", operation)
			}
			return nil
		}
	}
}

// Party implements registry.Registry.
func (s *SOAP) Party(ctx context.Context, herID int) (registry.Party, error) {
	var d details
	if err := s.call(ctx, "GetCommunicationPartyDetails", herID, &d); err != nil {
		return registry.Party{}, err
	}
	p, err := d.party(herID)
	if err != nil {
		return p, err
	}
	for _, operation := range []string{"GetCertificateDetailsForEncryption", "GetCertificateDetailsForValidatingSignature"} {
		c, err := s.certificate(ctx, operation, herID)
		if err != nil {
			return registry.Party{}, err
		}
		if c != nil && !slices.ContainsFunc(p.X509, c.Equal) {
			p.X509 = append(p.X509, c)
		}
	}
	p.Certificates = enterprise(p.X509)
	return p, nil
}

// certificate is one of a party's, nil when it has none.
func (s *SOAP) certificate(ctx context.Context, operation string, herID int) (*x509.Certificate, error) {
	var found struct{ Certificate string }
	err := s.call(ctx, operation, herID, &found)
	if apperr.Is(err, apperr.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text := strings.Join(strings.Fields(found.Certificate), "")
	if text == "" {
		return nil, nil
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, apperr.New(apperr.Unavailable, "the address registry gave a certificate of HER-id %d that cannot be read", herID)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, apperr.New(apperr.Unavailable, "the address registry gave a certificate of HER-id %d that cannot be read", herID)
	}
	return c, nil
}

// enterprise is what certificates are for, and when.
func enterprise(certificates []*x509.Certificate) (out []activation.Certificate) {
	for _, c := range certificates {
		if cms.ForSigning.Has(c) {
			out = append(out, activation.Certificate{Use: activation.UseSigning, ValidFrom: c.NotBefore, ValidUntil: c.NotAfter})
		}
		if cms.ForEncryption.Has(c) {
			out = append(out, activation.Certificate{Use: activation.UseEncryption, ValidFrom: c.NotBefore, ValidUntil: c.NotAfter})
		}
	}
	return out
}

// Ping tells whether the registry answers us.
func (s *SOAP) Ping(ctx context.Context) error {
	status, answer, err := s.do(ctx, http.MethodPost, "", http.Header{
		"Content-Type": {"text/xml; charset=utf-8"}, "Soapaction": {`"` + action + `Ping"`}, "Authorization": {s.authorization},
	}, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Ping xmlns="`+nsParty+`"/></s:Body></s:Envelope>`)
	if err == nil && (status != http.StatusOK || !bytes.Contains(answer, []byte("PingResponse"))) {
		err = s.unexpected(status)
	}
	return err
}

// REST is the address registry's newer interface (CommunicationParty API). It tells of no
// certificates: those are in profiles and agreements. It is safe for concurrent use.
type REST struct{ service }

var _ registry.Registry = (*REST)(nil)

// NewREST makes a client of the interface at url, such as https://cpe.test.grunndata.nhn.no,
// through a transport that adds tokens.
func NewREST(url string, transport http.RoundTripper) (*REST, error) {
	s, err := newService("the address registry", "HELSEBRO_REGISTRY_URL", url, transport)
	return &REST{s}, err
}

// Party implements registry.Registry.
func (r *REST) Party(ctx context.Context, herID int) (registry.Party, error) {
	status, answer, err := r.do(ctx, http.MethodGet, fmt.Sprintf("/CommunicationParties/%d", herID), http.Header{"Accept": {"application/json"}}, "")
	switch {
	case err != nil:
		return registry.Party{}, err
	case status == http.StatusNotFound:
		return registry.Party{}, apperr.New(apperr.NotFound, "HER-id %d is not in the address registry", herID)
	case status != http.StatusOK:
		return registry.Party{}, r.unexpected(status)
	}
	var found struct{ CommunicationParty details }
	if err := json.Unmarshal(answer, &found); err != nil {
		return registry.Party{}, apperr.New(apperr.Unavailable, "the address registry's answer about HER-id %d cannot be read", herID)
	}
	return found.CommunicationParty.party(herID)
}
