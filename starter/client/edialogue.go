package client

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// EDialogues is what the client needs of the database for dialogues that never meet
// Helsenorge.
type EDialogues interface {
	StartEDialogue(ctx context.Context, by identity.Principal, clinicID string, e pg.EDialogue) (pg.StartedDialogue, error)
	DropEDialogue(ctx context.Context, clinicID, id string, attempt int) error
	PortalDialogues(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string, limit int) ([]pg.PortalDialogue, error)
	PortalDialogue(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID, id string) (pg.PortalThread, error)
	StorePortalMessage(ctx context.Context, by identity.Principal, clinicID string, w pg.WrittenInPortal) (pg.Arrived, error)
	HandedOver(ctx context.Context, messageID string) error
}

// startEDialogue stores an e-dialogue with its first message and asks its lifecycle to
// show it: to a patient in portal and app (S19), or to colleagues in their inboxes (S20).
// Nothing of it goes to Helsenorge.
func (c *Client) startEDialogue(ctx context.Context, by identity.Principal, clinicID string, e pg.EDialogue) (Started, error) {
	stored, err := c.store.StartEDialogue(ctx, by, clinicID, e)
	if err != nil {
		return Started{}, err
	}
	out := Started{DialogueID: stored.DialogueID, MessageID: e.ID, Status: stored.Status}
	if stored.Accepted {
		return out, nil
	}
	failpoint.Hit(failpoint.AnswerDrafted)
	var accepted contract.AnswerAccepted
	err = c.give(ctx, clinicID, command{
		id: e.ID, process: contract.ProcessEDialogue, about: fmt.Sprintf("%s, dialogue %s", contract.ProcessEDialogue, stored.DialogueID),
		workflowID: contract.DialogueWorkflowID(stored.DialogueID), workflow: contract.DialogueWorkflow,
		input:  contract.DialogueInput{ClinicID: clinicID, DialogueID: stored.DialogueID, Process: contract.ProcessEDialogue},
		update: contract.UpdateOpen, args: contract.OpenCommand{MessageID: e.ID, Code: contract.InHouse},
	}, &accepted)
	if err != nil {
		return Started{}, refused(ctx, err, func(ctx context.Context) error {
			return c.store.DropEDialogue(ctx, clinicID, e.ID, stored.Attempt)
		})
	}
	failpoint.Hit(failpoint.AnswerAccepted)
	out.Status = accepted.Status
	return out, nil
}

// StartDialogue is a dialogue that the clinic begins.
type StartDialogue struct {
	// ID is the caller's idempotency key, a UUID: the same id again is the same
	// dialogue. Empty makes a new one, and a retry then starts a second dialogue.
	ID string `json:"-"`
	// PatientID is whom it is with; Participants are set instead for one between
	// colleagues.
	PatientID    string
	Participants []routing.Recipient
	Subject      string
	Text         string
	Attachments  []string
}

// Started says that a dialogue is durable and its first message on its way.
type Started struct {
	DialogueID string          `json:"dialogueId"`
	MessageID  string          `json:"messageId"`
	Status     contract.Status `json:"status"`
}

// StartDialogue starts.
func (c *Client) StartDialogue(ctx context.Context, by identity.Principal, clinicID string, s StartDialogue) (Started, error) {
	if err := allow(by, identity.RightDialogueAnswer, clinicID); err != nil {
		return Started{}, err
	}
	if s.ID == "" {
		s.ID = uuid.NewString()
	}
	s.ID, s.Subject, s.Text = strings.ToLower(s.ID), strings.TrimSpace(s.Subject), trimmed(s.Text)
	var f faults
	f.check(isID(s.ID), "id", "a UUID: the idempotency key")
	f.check(s.Text != "", "text", "required")
	f.text("text", s.Text, MaxTextRunes)
	f.line("subject", s.Subject, MaxSubjectRunes)
	if len(f) > 0 {
		return Started{}, apperr.InvalidFields("the dialogue has invalid fields", f...)
	}
	return c.startEDialogue(ctx, by, clinicID, pg.EDialogue(s))
}
