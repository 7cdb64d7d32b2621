package cms

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"mime"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/transport"
)

// Counterparty is what is known of who a message is exchanged with.
type Counterparty struct {
	// HerID is the other party of the agreement, or of the profile.
	HerID int
	// CPAID is the agreement's id, "" when there is none: the profile counts then.
	CPAID string
	// Until is when the agreement ends; zero is never.
	Until time.Time
	// Signing and Encryption are the counterparty's certificates. During a change there
	// may be several.
	Signing, Encryption []*x509.Certificate
	// Receives tells whether it takes messages of a function; nil takes all.
	Receives func(function string) bool
}

// CounterpartyOf is a counterparty with certificates, by what each is for. One that is for
// neither is a signer's whose usage is then found to be wrong: to call it missing would not
// help its owner.
func CounterpartyOf(herID int, certificates []*x509.Certificate) Counterparty {
	c := Counterparty{HerID: herID}
	for _, cert := range certificates {
		if ForEncryption.Has(cert) {
			c.Encryption = append(c.Encryption, cert)
		}
		if ForSigning.Has(cert) || !ForEncryption.Has(cert) {
			c.Signing = append(c.Signing, cert)
		}
	}
	return c
}

// receives is Receives, with the one exception that is made in the field: reservations go
// to parties that lack the process.
func (c Counterparty) receives(function string) bool {
	return c.Receives == nil || strings.Contains(function, codes.Timereservasjon) || c.Receives(function)
}

// Agreements says with what certificates two parties exchange messages.
type Agreements interface {
	// Counterparty is about messages of a function between an own party and another, both
	// of level 2. cpaID is the agreement that a message names, "" for the one of the two. It
	// is apperr.NotFound when nobody knows the other, and apperr.Unavailable when that
	// cannot be found out now.
	Counterparty(ctx context.Context, own, other int, function, cpaID string) (Counterparty, error)
}

// Sealer seals messages, and opens those that are the sender's. It is safe for concurrent
// use.
type Sealer struct {
	keys       Keys
	agreements Agreements
	checker    *Checker
	logger     *slog.Logger
}

var _ transport.Sealer = (*Sealer)(nil)

// NewSealer makes a Sealer.
func NewSealer(keys Keys, agreements Agreements, checker *Checker, logger *slog.Logger) *Sealer {
	return &Sealer{keys: keys, agreements: agreements, checker: checker, logger: logger}
}

// Seal implements transport.Sealer. It is apperr.Unavailable when a certificate of either
// side cannot be used: that of the counterparty, or the own one, has to be renewed first.
func (s *Sealer) Seal(ctx context.Context, m *transport.Message, xml []byte) error {
	other, err := s.agreements.Counterparty(ctx, m.FromHerID, m.ToHerID, m.Subject, "")
	if err != nil {
		return err
	}
	if other.HerID != m.ToHerID {
		return apperr.New(apperr.Unavailable, "the register of agreements answered about another party than %d", m.ToHerID)
	}
	if !other.receives(m.Subject) {
		return apperr.New(apperr.Unavailable, "party %d takes no messages of %s: it has to add the process to its profile", m.ToHerID, m.Subject)
	}
	recipients, err := s.good(ctx, other.Encryption, ForEncryption)
	var fault *transport.Fault
	switch {
	case errors.As(err, &fault):
		return apperr.New(apperr.Unavailable, "nothing can be encrypted for party %d (%s): it has to renew its certificate in the address registry", m.ToHerID, fault.Description)
	case err != nil:
		return err
	case len(recipients) == 0:
		return apperr.New(apperr.Unavailable, "party %d has no certificate to encrypt for: it has to register one", m.ToHerID)
	}
	signer, err := s.keys.Signing(m.FromHerID)
	if err != nil {
		return err
	}
	if found := s.checker.Check(ctx, signer.Certificate, ForSigning, signer.Chain...); found != 0 {
		return apperr.New(apperr.Unavailable, "party %d cannot sign with its certificate %s (%s): install a new one", m.FromHerID, fingerprint(signer.Certificate), found)
	}
	out := bytes.NewBuffer(make([]byte, 0, len(xml)+bufferSize)) // the rest is certificates
	if err := Seal(out, bytes.NewReader(xml), int64(len(xml)), signer, recipients[0]); err != nil {
		return err
	}
	m.Body, m.ContentType, m.CPAID = out.Bytes(), ContentType, other.CPAID
	return nil
}

// unreadable is the one thing that is told of everything that is wrong with encryption and
// signature.
var unreadable = &transport.Fault{
	Condition: transport.ConditionInvalidCertificate, Description: (*Unreadable)(nil).Error(),
}

// Open implements transport.Sealer.
func (s *Sealer) Open(ctx context.Context, m *transport.Message) ([]byte, error) {
	switch media, _, err := mime.ParseMediaType(m.ContentType); {
	case m.ContentType == "":
		return nil, &transport.Fault{Condition: transport.ConditionInvalidFieldValue, Description: "One or more fields are missing", Data: []string{"ContentType"}}
	case err != nil || media != "application/pkcs7-mime" && media != "application/x-pkcs7-mime":
		// Plain text would pass by every signature.
		return nil, &transport.Fault{Condition: transport.ConditionUnsupportedMessage, Description: "Messages are signed and encrypted"}
	}
	other, err := s.agreements.Counterparty(ctx, m.ToHerID, m.FromHerID, m.Subject, m.CPAID)
	if err != nil {
		return nil, err
	}
	if other.HerID != m.FromHerID {
		return nil, &transport.Fault{Condition: transport.ConditionSpoofing, Description: "The agreement is not one with the sender"}
	}
	signers, err := s.good(ctx, other.Signing, ForSigning)
	switch {
	case err != nil:
		return nil, err
	case len(signers) == 0:
		return nil, &transport.Fault{Condition: transport.ConditionMissingCertificate, Description: "Certificate is missing"}
	}
	keys, err := s.keys.Decryption(m.ToHerID)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(make([]byte, 0, len(m.Body)))
	err = Open(out, bytes.NewReader(m.Body), keys, signers)
	var wrong *Unreadable
	switch {
	case err == nil:
		return out.Bytes(), nil
	case errors.As(err, &wrong):
		s.logger.Warn("a message cannot be opened", "fromHerId", m.FromHerID, "toHerId", m.ToHerID, "reason", wrong.Reason)
		return nil, unreadable
	case errors.Is(err, ErrCipher):
		return nil, &transport.Fault{Condition: transport.ConditionUnsupportedMessage, Description: ErrCipher.Error()}
	}
	return nil, err
}

// good are those of the certificates that nothing is wrong with. When something is wrong
// with all of them, the error says what is wrong with the first: what may be over soon
// before what its owner is told.
func (s *Sealer) good(ctx context.Context, certificates []*x509.Certificate, usage Usage) ([]*x509.Certificate, error) {
	var good []*x509.Certificate
	var temporary, final error
	for _, c := range certificates {
		switch err := s.checker.Check(ctx, c, usage).Fault(c); {
		case err == nil:
			good = append(good, c)
		case apperr.Is(err, apperr.Unavailable):
			temporary = cmp.Or(temporary, err)
		default:
			final = cmp.Or(final, err)
		}
	}
	if len(good) > 0 {
		return good, nil
	}
	return nil, cmp.Or(temporary, final)
}
