package api

import (
	"context"
	"net/http"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// Lists is what the API offers to find out what is to be done.
type Lists interface {
	Inbox(ctx context.Context, by identity.Principal, clinicID string, q pg.DialogueQuery) (pg.Page[pg.InboxItem], error)
	Inboxes(ctx context.Context, by identity.Principal, clinicID string) ([]pg.InboxCount, error)
	Dialogues(ctx context.Context, by identity.Principal, clinicID string, q pg.DialogueQuery) (pg.Page[pg.DialogueItem], error)
	Cases(ctx context.Context, by identity.Principal, clinicID string, q pg.CaseQuery) (pg.Page[client.Case], error)
	ResolveCase(ctx context.Context, by identity.Principal, clinicID, caseID string) error
}

// Inputs of lists are exported, since fields of an embedded unexported type would not be
// filled.
type (
	// InPage is a page of a list.
	InPage struct {
		Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Rows at most"`
		Cursor string `query:"cursor" maxLength:"500" doc:"The nextCursor of the page before"`
	}
	// OfDialogues selects dialogues.
	OfDialogues struct {
		Process contract.Process `query:"process" enum:"e-contact,e-consultation,prescription,e-dialogue,appointment" doc:"Of one process"`
		Status  contract.Status  `query:"status" enum:"received,awaiting-clinic,sending,awaiting-receipt,answered,closed,needs-operator" doc:"In one status"`
		Owner   string           `query:"owner" doc:"Taken by a staff member, whose id it is; by the caller: me; by nobody: nobody"`
		Sort    pg.Sort          `query:"sort" enum:"latest,oldest,due" default:"latest" doc:"latest message first, longest without one first, or nearest limit of an answer first and no others"`
	}
	inboxIn struct {
		InClinic
		InPage
		OfDialogues
		Unread    bool   `query:"unread" doc:"Only what nobody has opened"`
		Recipient string `query:"recipient" doc:"One of the caller's inboxes, as kind:id" example:"group:nurses"`
	}
	dialoguesIn struct {
		InClinic
		InPage
		OfDialogues
		Patient string `query:"patient" doc:"The patient's id in Helsebro"`
		Origin  string `query:"origin" enum:"helsenorge,clinic,portal,app" doc:"Where it began"`
	}
	casesIn struct {
		InClinic
		InPage
		Kind contract.CaseKind `query:"kind" doc:"Of one kind"`
		Open bool              `query:"open" doc:"Only what is not resolved"`
	}
)

// query is the selection of a page.
func (in OfDialogues) query(p InPage) pg.DialogueQuery {
	return pg.DialogueQuery{Process: in.Process, Status: in.Status, OwnerID: in.Owner, Sort: in.Sort, Limit: p.Limit, Cursor: p.Cursor}
}

func (a *API) registerLists(s Lists) {
	secured(a, identity.RightInboxRead, get("/inbox", "read-inbox", "Dialogues in the caller's inboxes, in pages; without titles and names for who may not open messages"),
		func(ctx context.Context, c caller, in *inboxIn) (*listOut[pg.InboxItem], error) {
			q := in.query(in.InPage)
			q.Unread = in.Unread
			if in.Recipient != "" {
				var err error
				if q.Recipient, err = routing.ParseRecipient(in.Recipient); err != nil {
					return nil, inQuery(apperr.InvalidFields("the inbox is none", apperr.Field{Path: "recipient", Rule: err.Error()}))
				}
			}
			return pages(s.Inbox(ctx, c.Principal, c.clinic, q))
		})
	secured(a, identity.RightInboxRead, get("/inboxes", "count-inboxes", "The caller's inboxes, each with how much lies in it, is unread, and waits for an answer"),
		func(ctx context.Context, c caller, _ *InClinic) (*listOut[pg.InboxCount], error) {
			return list(s.Inboxes(ctx, c.Principal, c.clinic))
		})
	secured(a, identity.RightDialogueRead, get("/dialogues", "list-dialogues", "The clinic's dialogues with patients, in pages"),
		func(ctx context.Context, c caller, in *dialoguesIn) (*listOut[pg.DialogueItem], error) {
			q := in.query(in.InPage)
			q.PatientID, q.Origin = in.Patient, in.Origin
			return pages(s.Dialogues(ctx, c.Principal, c.clinic, q))
		})
	secured(a, identity.RightCaseRead, get("/cases", "list-cases", "What operators are asked to look at, and what to do; open cases first, the oldest first"),
		func(ctx context.Context, c caller, in *casesIn) (*listOut[client.Case], error) {
			return pages(s.Cases(ctx, c.Principal, c.clinic, pg.CaseQuery{Kind: in.Kind, Open: in.Open, Limit: in.Limit, Cursor: in.Cursor}))
		})
	secured(a, identity.RightCaseResolve, op(http.MethodPost, "/cases/{case}/resolve", "resolve-case", "Say that somebody has seen to a case", http.StatusNoContent),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Case string `path:"case" doc:"The case's id"`
		}) (*noContent, error) {
			return done(s.ResolveCase(ctx, c.Principal, c.clinic, in.Case))
		})
}

func pages[T any](p pg.Page[T], err error) (*listOut[T], error) {
	if err != nil {
		return nil, inQuery(err)
	}
	return &listOut[T]{List[T]{Items: nonNil(p.Items), NextCursor: p.Next}}, nil
}
