// Package registry answers who a communication party is and where its queues are:
// the address registry ("Adresseregisteret") of NHN. The implementation here reads
// a file, for the development stack and for installations with few parties.
//
// Queue names are what the registry says. They are never built from a HER-id: a
// party may use its parent's queues.
package registry

import (
	"context"
	"crypto/x509"
	"slices"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/activation"
)

// Party is one communication party.
type Party struct {
	// HerID is its number in the registry.
	HerID int
	// Name is what people call it.
	Name string
	// ParentHerID is the organisation that a service or a person belongs to, 0 for
	// an organisation.
	ParentHerID int
	// AsyncQueue, SyncQueue and ErrorQueue are where it receives, "" when it does
	// not. Parties may share them.
	AsyncQueue string
	SyncQueue  string
	// SyncReplyQueue is where it wants the answers to its synchronous requests, "" for a
	// party that makes none: nothing is answered to a queue that is not registered.
	SyncReplyQueue string
	ErrorQueue     string
	// Processes are the codes of kodeverk 8279 that it takes part in.
	Processes []string
	// HPR is the number of the GP whose own party it is, "" for a service.
	HPR string
	// Member tells whether an organisation is a member of Norsk helsenett (S10).
	Member bool
	// Employees are the HER-ids of an organisation's people who are no parties (S11).
	Employees []int
	// Certificates are an organisation's enterprise certificates: what they are for, and
	// when.
	Certificates []activation.Certificate
	// X509 are those of them that are known whole: its messages are signed and encrypted
	// with them. CertificateFiles are where a File has them.
	X509             []*x509.Certificate
	CertificateFiles []string
}

// Registry finds parties.
type Registry interface {
	// Party returns the party, apperr.NotFound when the registry does not know it,
	// or apperr.Unavailable when the registry cannot be read now.
	Party(ctx context.Context, herID int) (Party, error)
}

// CertificatesOf are a party's certificates: its own, or where it has none its
// organisation's. Its error is that of Party.
func CertificatesOf(ctx context.Context, r Registry, herID int) ([]*x509.Certificate, error) {
	p, err := r.Party(ctx, herID)
	if err != nil || len(p.X509) > 0 || p.ParentHerID == 0 {
		return p.X509, err
	}
	organisation, err := r.Party(ctx, p.ParentHerID)
	return organisation.X509, err
}

// Look asks about every HER-id what an activation must know of it; nil stands for whom
// the registry does not know. Its error is apperr.Unavailable: an answer that leaves
// somebody out because the registry cannot be read would be a wrong one.
func Look(ctx context.Context, r Registry, herIDs []int) (map[int]*activation.Registered, error) {
	said := make(map[int]*activation.Registered, len(herIDs))
	for _, id := range herIDs {
		p, err := r.Party(ctx, id)
		if apperr.Is(err, apperr.NotFound) {
			said[id] = nil
			continue
		}
		if err != nil {
			return nil, err
		}
		said[id] = &activation.Registered{
			Parent: p.ParentHerID, Member: p.Member, Employees: p.Employees, Certificates: p.Certificates, Processes: p.Processes,
		}
	}
	return said, nil
}

// Queues returns the queues of the parties, each once, sorted.
func Queues(parties []Party) []string {
	var out []string
	for _, p := range parties {
		for _, q := range []string{p.AsyncQueue, p.SyncQueue, p.SyncReplyQueue, p.ErrorQueue} {
			if q != "" {
				out = append(out, q)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
