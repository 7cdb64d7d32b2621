package registry

import (
	"context"
	"strconv"
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Address is a party as a message names it: the organisation and in it the service,
// each with its HER-id (HITS 1217 §2.3.4). Errors are those of Registry.Party.
func Address(ctx context.Context, r Registry, herID int) (helsenorge.Party, error) {
	service, err := r.Party(ctx, herID)
	if err != nil {
		return helsenorge.Party{}, err
	}
	organisation := service
	if service.ParentHerID != 0 {
		if organisation, err = r.Party(ctx, service.ParentHerID); err != nil {
			return helsenorge.Party{}, err
		}
	}
	unit := named(service)
	return helsenorge.Party{Organisation: named(organisation), Unit: &unit}, nil
}

// ReplyHead is the head of an answer to a message: its parties swapped. A received
// message may name an enterprise by its organisation number only; a sent one must
// have HER-ids on both levels (HITS 1217 §2.3.4), which the registry knows. What was
// asked synchronously is answered without asking for a receipt (HITS 1216 §2.1.1).
func ReplyHead(ctx context.Context, r Registry, to *helsenorge.Message, msgID string, now time.Time, conversation string) (helsenorge.Head, error) {
	head := helsenorge.ReplyHead(to.Head, msgID, now, conversation)
	head.WantsReceipt = head.WantsReceipt && !to.Synchronous()
	for _, p := range []*helsenorge.Party{&head.Sender, &head.Receiver} {
		party, err := r.Party(ctx, p.HerID())
		if err != nil {
			return head, err
		}
		organisation := party.ParentHerID
		if organisation == 0 {
			organisation = party.HerID
		}
		*p = p.WithHerIDs(organisation, party.HerID)
	}
	return head, nil
}

func named(p Party) helsenorge.Organisation {
	return helsenorge.Organisation{Name: p.Name, Idents: []helsenorge.Ident{{
		ID: strconv.Itoa(p.HerID), Type: helsenorge.Code{V: codes.HER, S: codes.OrganisationID.OID(), DN: codes.Name(codes.OrganisationID, codes.HER)},
	}}}
}
