package registry

import (
	"context"
	"strconv"
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Address is a party as a message names it: the organisation, and in it the service or
// the GP whose own party it is, each with its HER-id (HITS 1217 §2.3.4). Errors are those
// of Registry.Party.
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
	out := helsenorge.Party{Organisation: named(organisation)}
	if person, ok := helsenorge.Named(service.Name, service.HPR); ok {
		person.RoleToPatient = helsenorge.Code{V: codes.Fastlege, S: codes.PatientRoles.OID(), DN: codes.Name(codes.PatientRoles, codes.Fastlege)}
		person.Idents = append(person.Idents, numbered(service.HerID, codes.PersonIDs))
		out.Person = &person
		return out, nil
	}
	unit := named(service)
	out.Unit = &unit
	return out, nil
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
	return helsenorge.Organisation{Name: p.Name, Idents: []helsenorge.Ident{numbered(p.HerID, codes.OrganisationID)}}
}

// numbered is a HER-id as the list has it that its place wants.
func numbered(herID int, list codes.List) helsenorge.Ident {
	return helsenorge.Ident{ID: strconv.Itoa(herID), Type: helsenorge.Code{V: codes.HER, S: list.OID(), DN: codes.Name(list, codes.HER)}}
}
