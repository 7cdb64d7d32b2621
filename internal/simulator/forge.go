package simulator

import (
	"bytes"
	"context"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/cms"
)

// forger seals with a key that it should not, and looks at no certificate.
type forger struct {
	key        cms.Key
	agreements cms.Agreements
}

// Seal implements transport.Sealer.
func (f forger) Seal(ctx context.Context, m *transport.Message, xml []byte) error {
	other, err := f.agreements.Counterparty(ctx, m.FromHerID, m.ToHerID, m.Subject, "")
	if err != nil {
		return err
	}
	if len(other.Encryption) == 0 {
		return apperr.New(apperr.NotFound, "party %d has no certificate to encrypt for", m.ToHerID)
	}
	return seal(m, xml, f.key, cms.Key{Certificate: other.Encryption[0]})
}

// Open implements transport.Sealer: nothing is sealed for a forger.
func (forger) Open(context.Context, *transport.Message) ([]byte, error) { return nil, errForger() }

func errForger() error {
	return apperr.New(apperr.Unsupported, "a broken way of sealing opens nothing")
}

func seal(m *transport.Message, xml []byte, signer, reader cms.Key) error {
	var body bytes.Buffer
	if err := cms.Seal(&body, bytes.NewReader(xml), int64(len(xml)), signer, reader.Certificate); err != nil {
		return err
	}
	m.Body, m.ContentType = body.Bytes(), cms.ContentType
	return nil
}

// forReader seals for himself alone.
type forReader struct{ key cms.Key }

// Seal implements transport.Sealer.
func (f forReader) Seal(_ context.Context, m *transport.Message, xml []byte) error {
	return seal(m, xml, f.key, f.key)
}

// Open implements transport.Sealer.
func (forReader) Open(context.Context, *transport.Message) ([]byte, error) { return nil, errForger() }

// changing seals as it should, and then changes the last octets.
type changing struct{ transport.Sealer }

// Seal implements transport.Sealer.
func (c changing) Seal(ctx context.Context, m *transport.Message, xml []byte) error {
	if err := c.Sealer.Seal(ctx, m, xml); err != nil {
		return err
	}
	for i := max(0, len(m.Body)-64); i < len(m.Body); i++ {
		m.Body[i] ^= 0x55
	}
	return nil
}
