package client

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// StartDialogue is a dialogue that the clinic begins (S14-S20).
type StartDialogue struct {
	// ID is the caller's idempotency key, a UUID: the same id again is the same
	// dialogue. Empty makes a new one, and a retry then starts a second dialogue.
	ID string `json:"-"`
	// Kind is e-contact or e-consultation, which go to Helsenorge, or e-dialogue, which
	// does not.
	Kind contract.Process `json:"kind" enum:"e-contact,e-consultation,e-dialogue" doc:"e-contact for what is general, e-consultation for what is medical; an e-dialogue stays in app, portal and clinic"`
	// PatientID is whom it is with; Participants are set instead for an e-dialogue
	// between colleagues.
	PatientID    string              `json:"patientId,omitempty" doc:"The patient's id in Helsebro"`
	Participants []routing.Recipient `json:"participants,omitempty" doc:"For an e-dialogue between colleagues, in place of a patient"`
	// Subject is at most MaxSubjectRunes on one line; required on Helsenorge.
	Subject string `json:"subject,omitempty" doc:"At most 50 characters on one line; required for e-contact and e-consultation"`
	// Text is what the receiver reads, at most MaxTextRunes.
	Text string `json:"text" doc:"At most 1000 characters"`
	// OneWay says that the citizen cannot reply on Helsenorge.
	OneWay bool `json:"oneWay,omitempty" doc:"The citizen cannot reply"`
	// Attachments are the ids of uploaded files that go with it, in this order.
	Attachments []string `json:"attachments,omitempty" doc:"Ids of uploaded files, in the order in which they are shown"`
}

// Turn makes a dialogue of the answer to a renewal request (S68).
type Turn struct {
	// ID is the idempotency key, as StartDialogue's.
	ID string `json:"-"`
	// Kind is e-contact or e-consultation; the latter journals request and answer.
	Kind        contract.Process `json:"kind" enum:"e-contact,e-consultation"`
	Subject     string           `json:"subject" doc:"At most 50 characters on one line"`
	Text        string           `json:"text" doc:"At most 1000 characters"`
	Attachments []string         `json:"attachments,omitempty" doc:"Ids of uploaded files, in the order in which they are shown"`
}

// Started says that a dialogue is durable and its first message on its way.
type Started struct {
	DialogueID string `json:"dialogueId"`
	// MessageID is the idempotency key, and the id of the first message.
	MessageID string          `json:"messageId"`
	Status    contract.Status `json:"status"`
}

// StartDialogue starts a dialogue with its first message. On success both are durable:
// the message's way and its terminal outcome are on the ledger.
//
// Whether the patient can be contacted is checked first (S25-S28): conflict names every
// gate that is closed, with what to do, and nothing is written. Idempotent by
// StartDialogue.ID, as Answer is; errors as there.
func (c *Client) StartDialogue(ctx context.Context, by identity.Principal, clinicID string, s StartDialogue) (Started, error) {
	if err := allow(by, identity.RightDialogueAnswer, clinicID); err != nil {
		return Started{}, err
	}
	f := s.check()
	f.check(slices.Contains(Kinds(), s.Kind), "kind", "e-contact, e-consultation or e-dialogue")
	inHouse := s.Kind == contract.ProcessEDialogue
	f.check(isID(s.PatientID) || inHouse && s.PatientID == "", "patientId", "a patient's id; required for e-contact and e-consultation")
	f.check(s.PatientID != "" || len(s.Participants) > 0 || !inHouse, "participants", "required where there is no patient")
	f.check(s.PatientID == "" || len(s.Participants) == 0, "participants", "left out where there is a patient")
	f.check(inHouse || len(s.Participants) == 0, "participants", "for an e-dialogue between colleagues only")
	f.check(!inHouse || !s.OneWay, "oneWay", "for e-contact and e-consultation only")
	if len(f) > 0 {
		return Started{}, apperr.InvalidFields("the dialogue has invalid fields", f...)
	}
	if s.PatientID != "" {
		// What is started already stays so, whoever can be contacted now.
		started, err := c.store.Started(ctx, clinicID, s.ID)
		if err == nil && !started {
			err = c.reachable(ctx, by, clinicID, s.PatientID, s.Kind)
		}
		if err != nil {
			return Started{}, err
		}
	}
	return c.start(ctx, by, clinicID, pg.NewDialogue{
		ID: s.ID, Process: s.Kind, PatientID: s.PatientID, Participants: s.Participants, Subject: s.Subject, Text: s.Text,
		OneWay: s.OneWay, Attachments: s.Attachments,
	})
}

// Turn starts a dialogue that goes on from the answer to a renewal request (S68). The
// request stays closed, and each names the other. A request that is not answered is a
// conflict. Otherwise as StartDialogue.
func (c *Client) Turn(ctx context.Context, by identity.Principal, clinicID, requestID string, t Turn) (Started, error) {
	if err := allow(by, identity.RightDialogueAnswer, clinicID); err != nil {
		return Started{}, err
	}
	s := StartDialogue{ID: t.ID, Kind: t.Kind, Subject: t.Subject, Text: t.Text, Attachments: t.Attachments}
	f := s.check()
	f.check(slices.Contains([]contract.Process{contract.ProcessEContact, contract.ProcessEConsultation}, s.Kind), "kind", "e-contact or e-consultation")
	if len(f) > 0 {
		return Started{}, apperr.InvalidFields("the dialogue has invalid fields", f...)
	}
	return c.start(ctx, by, clinicID, pg.NewDialogue{
		ID: s.ID, Process: s.Kind, Subject: s.Subject, Text: s.Text, Attachments: s.Attachments, TurnedFrom: oneForm(requestID),
	})
}

// check finds the faults of every kind, and brings the fields to the form that is stored.
func (s *StartDialogue) check() faults {
	if s.ID == "" {
		s.ID = uuid.NewString()
	}
	s.ID, s.PatientID = strings.ToLower(s.ID), strings.ToLower(s.PatientID)
	s.Subject, s.Text = strings.TrimSpace(s.Subject), trimmed(s.Text)
	var f faults
	f.check(isID(s.ID), "id", "a UUID: the idempotency key")
	f.check(s.Subject != "" || s.Kind == contract.ProcessEDialogue, "subject", "required")
	f.line("subject", s.Subject, MaxSubjectRunes)
	f.check(s.Text != "", "text", "required")
	f.text("text", s.Text, MaxTextRunes)
	return f
}

// start stores a dialogue and has its lifecycle send the first message.
func (c *Client) start(ctx context.Context, by identity.Principal, clinicID string, n pg.NewDialogue) (Started, error) {
	drafted, err := c.store.DraftDialogue(ctx, by, clinicID, n)
	if err != nil {
		return Started{}, err
	}
	out := Started{DialogueID: drafted.DialogueID, MessageID: n.ID, Status: drafted.Status}
	if drafted.Accepted {
		return out, nil
	}
	failpoint.Hit(failpoint.AnswerDrafted)
	var accepted contract.AnswerAccepted
	cmd := toDialogue(clinicID, drafted.DialogueID, n.Process, n.ID)
	cmd.update, cmd.args = contract.UpdateOpen, contract.OpenCommand{MessageID: n.ID, Code: drafted.Code}
	if err := c.give(ctx, clinicID, cmd, &accepted); err != nil {
		return Started{}, refused(ctx, err, func(ctx context.Context) error {
			return c.store.DropDraft(ctx, clinicID, n.ID, drafted.Attempt)
		})
	}
	failpoint.Hit(failpoint.AnswerAccepted)
	out.Status = accepted.Status
	return out, nil
}

// toDialogue is a command to the lifecycle of a dialogue or a renewal request, which one
// that has ended is started again for; what it asks is the caller's.
func toDialogue(clinicID, dialogueID string, process contract.Process, id string) command {
	cmd := command{
		id: id, process: process, about: string(process) + ", dialogue " + dialogueID,
		workflowID: contract.DialogueWorkflowID(dialogueID), workflow: contract.DialogueWorkflow,
		input: contract.DialogueInput{ClinicID: clinicID, DialogueID: dialogueID, Process: process, Resume: true},
	}
	if process == contract.ProcessPrescription {
		cmd.workflowID, cmd.workflow = contract.PrescriptionWorkflowID(dialogueID), contract.PrescriptionWorkflow
		cmd.input = contract.PrescriptionInput{ClinicID: clinicID, DialogueID: dialogueID, Resume: true}
	}
	return cmd
}
