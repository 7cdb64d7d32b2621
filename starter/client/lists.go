package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// Inbox lists the dialogues in the caller's inboxes, and in those that he covers for
// colleagues who are away (F12). Limit is in rows; 0 means DefaultLimit. Who may not open
// messages is shown whose turn it is, and neither titles nor names. Invalid names each
// field of the query.
func (c *Client) Inbox(ctx context.Context, by identity.Principal, clinicID string, q pg.DialogueQuery) (pg.Page[pg.InboxItem], error) {
	if err := allow(by, identity.RightInboxRead, clinicID); err != nil {
		return pg.Page[pg.InboxItem]{}, err
	}
	if err := checkQuery(&q); err != nil {
		return pg.Page[pg.InboxItem]{}, err
	}
	found, err := c.store.Inbox(ctx, by, clinicID, q)
	for i := range found.Items {
		withhold(by, &found.Items[i].DialogueItem)
	}
	return found, err
}

// Inboxes lists the caller's inboxes with how many dialogues lie in each, how many of them
// nobody has opened, and in how many an answer is owed.
func (c *Client) Inboxes(ctx context.Context, by identity.Principal, clinicID string) ([]pg.InboxCount, error) {
	if err := allow(by, identity.RightInboxRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.Inboxes(ctx, by, clinicID)
}

// Dialogues lists the clinic's dialogues with patients, wherever they lie. See Inbox.
func (c *Client) Dialogues(ctx context.Context, by identity.Principal, clinicID string, q pg.DialogueQuery) (pg.Page[pg.DialogueItem], error) {
	if err := allow(by, identity.RightDialogueRead, clinicID); err != nil {
		return pg.Page[pg.DialogueItem]{}, err
	}
	if err := checkQuery(&q); err != nil {
		return pg.Page[pg.DialogueItem]{}, err
	}
	found, err := c.store.Dialogues(ctx, by, clinicID, q)
	for i := range found.Items {
		withhold(by, &found.Items[i])
	}
	return found, err
}

// withhold leaves out what only those may read who may open messages.
func withhold(by identity.Principal, item *pg.DialogueItem) {
	if !by.May(identity.RightMessageRead) {
		item.Title, item.Patient = "", ""
	}
}

// checkQuery names every field that no dialogue could have.
func checkQuery(q *pg.DialogueQuery) error {
	q.Limit = bounded(q.Limit)
	var f faults
	f.check(slices.Contains([]pg.Sort{"", pg.SortLatest, pg.SortOldest, pg.SortDue}, q.Sort), "sort", "%s, %s or %s", pg.SortLatest, pg.SortOldest, pg.SortDue)
	f.check(q.PatientID == "" || isID(q.PatientID), "patient", "the patient's id, a UUID")
	f.check(q.OwnerID == "" || q.OwnerID == pg.OwnerMe || q.OwnerID == pg.OwnerNobody || isID(q.OwnerID), "owner", "a staff member's id, %s or %s", pg.OwnerMe, pg.OwnerNobody)
	if q.Recipient != (routing.Recipient{}) {
		_, err := routing.ParseRecipient(q.Recipient.String())
		f.check(err == nil, "recipient", "kind:id, such as group:nurses")
	}
	if len(f) > 0 {
		return apperr.InvalidFields("the list cannot be read like that", f...)
	}
	return nil
}

// Case is an operator case in words.
type Case struct {
	pg.Case
	Runbook
}

// Cases lists what operators are asked to look at, open cases first, oldest first, each
// with what it is and what to do. Limit is in rows; 0 means DefaultLimit. A kind that
// there is not is invalid.
func (c *Client) Cases(ctx context.Context, by identity.Principal, clinicID string, q pg.CaseQuery) (pg.Page[Case], error) {
	if err := allow(by, identity.RightCaseRead, clinicID); err != nil {
		return pg.Page[Case]{}, err
	}
	if q.Kind != "" && !slices.Contains(CaseKinds(), q.Kind) {
		return pg.Page[Case]{}, apperr.InvalidFields("there are no such cases", apperr.Field{Path: "kind", Rule: fmt.Sprintf("one of %v", CaseKinds())})
	}
	q.Limit = bounded(q.Limit)
	found, err := c.store.Cases(ctx, by, clinicID, q)
	said := pg.Page[Case]{Items: make([]Case, len(found.Items)), Next: found.Next}
	for i, k := range found.Items {
		said.Items[i] = Case{k, RunbookOf(k.Kind)}
	}
	return said, err
}

// ResolveCase says that somebody has seen to a case, and tells the lifecycle that waits for
// it. Idempotent: when it is apperr.Unavailable the case is resolved, and a repetition tells
// the lifecycle. What is still so opens the case again when it is next looked at.
func (c *Client) ResolveCase(ctx context.Context, by identity.Principal, clinicID, caseID string) error {
	if err := allow(by, identity.RightCaseResolve, clinicID); err != nil {
		return err
	}
	r, err := c.store.ResolveCase(ctx, by, clinicID, caseID)
	if err != nil || r.DialogueID == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	handle, err := c.temporal.UpdateWorkflow(ctx, sdkclient.UpdateWorkflowOptions{
		// A case that was opened anew is resolved at another instant.
		UpdateID:     caseID + "/" + r.At.UTC().Format(time.RFC3339Nano),
		WorkflowID:   contract.ThreadWorkflowID(r.Process, r.DialogueID),
		UpdateName:   contract.UpdateResolve,
		WaitForStage: sdkclient.WorkflowUpdateStageCompleted,
		Args:         []any{contract.ResolveCommand{CaseID: caseID, MessageID: r.MessageID, Code: r.Code}},
	})
	if err == nil {
		err = handle.Get(ctx, nil)
	}
	var ended *serviceerror.NotFound
	switch {
	case errors.As(err, &ended):
		return nil // no run waits; the next one reads it
	case err != nil:
		return apperr.Wrap(apperr.Unavailable, err, "the case is resolved, but its lifecycle has not heard of it yet: repeat it")
	}
	return nil
}
