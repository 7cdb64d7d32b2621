package contract

import (
	"context"
	"time"
)

// ProcessEDialogue is a dialogue that never meets Helsenorge: with a patient, in app
// and portal only (S19), or between colleagues (S20).
const ProcessEDialogue Process = "e-dialogue"

// UpdateOpen carries OpenCommand and returns AnswerAccepted: the clinic's own first
// message of a dialogue (S14-S20).
const UpdateOpen = "open"

// Codes of 7601 with which a clinic opens a dialogue on Helsenorge, and what stands in
// their place where nothing goes there.
const (
	OpenDialogue = "DI"      // Dialog med innbygger: the citizen may reply
	OpenOneWay   = "EKI"     // Engangskontakt: he may not
	InHouse      = "message" // an e-dialogue's message, either way; never on the wire
)

// OpenCommand is the clinic's first message. Its text is in PostgreSQL, stored before
// the command is given; MessageID names it and is also the update id.
type OpenCommand struct {
	MessageID string `json:"messageId"`
	// Code is OpenDialogue, OpenOneWay or InHouse.
	Code string `json:"code"`
}

// OpenCodes lists the codes that may open a dialogue of the process. A citizen alone
// opens a prescription renewal request.
func OpenCodes(p Process) []string {
	switch p {
	case ProcessEContact, ProcessEConsultation:
		return []string{OpenDialogue, OpenOneWay}
	case ProcessEDialogue:
		return []string{InHouse}
	case ProcessPrescription, ProcessAppointment, ProcessNotice, ProcessActivation:
	}
	return nil
}

// EscalationStep is what happens when an answer is owed for so long (F13).
type EscalationStep string

// The steps, in the order in which they come.
const (
	// StepWarn marks the dialogue where it lies.
	StepWarn EscalationStep = "warn"
	// StepDeputy shows it to the deputy of whoever has it, too.
	StepDeputy EscalationStep = "deputy"
	// StepAdministrator shows it to the clinic administrators, too.
	StepAdministrator EscalationStep = "administrator"
	// StepOverdue opens an operator case: the limit has passed.
	StepOverdue EscalationStep = "overdue"
)

// Escalation is a step of the answer clock and its instant.
type Escalation struct {
	Step EscalationStep `json:"step"`
	At   time.Time      `json:"at"`
}

// AnswerClock runs from the citizen's first unanswered message until an answer is
// accepted; reading, forwarding and further messages do not move it (F13, D8).
type AnswerClock struct {
	// MessageID is the message that started it.
	MessageID string `json:"messageId"`
	// Steps are still to come, the earliest first.
	Steps []Escalation `json:"steps"`
}

// Cases of dialogues, beside those of every delivery.
const (
	// CaseAnswerOverdue: the limit of the answer clock has passed (F13).
	CaseAnswerOverdue CaseKind = "answer-overdue"
	// CaseRoutingReachesNobody: a routing rule has lost its last active member (F12).
	CaseRoutingReachesNobody CaseKind = "routing-reaches-nobody"
	// CasePreconditionLost: an active integration no longer meets a precondition (S10-S12).
	CasePreconditionLost CaseKind = "precondition-lost"
)

// DialogueActivities do to dialogues what is decided by law, calendar or
// configuration, each in one transaction that records why. Instants in their inputs
// are workflow.Now; they use the later of it and their own clock.
type DialogueActivities interface {
	// ApplyDialogueChange applies a stored command: take, assign, forward, close,
	// convert, resend. Key: CommandID. What the dialogue as it stands refuses is
	// apperr.Conflict, and leaves nothing behind.
	ApplyDialogueChange(ctx context.Context, in ApplyDialogueChangeInput) (ApplyDialogueChangeOutput, error)
	// Escalate does one step of the answer clock, unless the answer is given. Key:
	// MessageID + Step.
	Escalate(ctx context.Context, in EscalateInput) (EscalateOutput, error)
	// PublishMessage shows an e-dialogue's message to whom it is for: in app and
	// portal, whose feed alone tells the patient of it, or in colleagues' inboxes. Key:
	// OutboundID. It closes the delivery.
	PublishMessage(ctx context.Context, in PublishMessageInput) (PublishMessageOutput, error)
}

// ApplyDialogueChangeInput names the command.
type ApplyDialogueChangeInput struct {
	ClinicID   string    `json:"clinicId"`
	DialogueID string    `json:"dialogueId"`
	CommandID  string    `json:"commandId"`
	Now        time.Time `json:"now"`
}

// ApplyDialogueChangeOutput says how the dialogue stands after it.
type ApplyDialogueChangeOutput struct {
	// Process is the dialogue's, which a conversion changes (F14).
	Process Process `json:"process"`
	// OutboundID and Code are what must leave because of the change: the notice that a
	// conversion costs, or the identical message once more.
	OutboundID string `json:"outboundId,omitempty"`
	Code       string `json:"code,omitempty"`
	// New is true when that is a message of its own, which goes on with the dialogue, and
	// not one that is sent again.
	New bool `json:"new,omitempty"`
	// Closed is true when the clinic ended the dialogue without a message, now or, of a
	// conversion, before it: nothing is owed any more.
	Closed bool `json:"closed,omitempty"`
	// Clock replaces the answer clock when an answer is still owed: a conversion brings
	// the limits of an e-consultation, counted from the same message. Nil leaves it.
	Clock *AnswerClock `json:"clock,omitempty"`
	// CaseOpened is true when an operator case was opened.
	CaseOpened bool `json:"caseOpened,omitempty"`
}

// EscalateInput names the step.
type EscalateInput struct {
	ClinicID   string         `json:"clinicId"`
	DialogueID string         `json:"dialogueId"`
	MessageID  string         `json:"messageId"`
	Step       EscalationStep `json:"step"`
	Now        time.Time      `json:"now"`
}

// EscalateOutput says what was done.
type EscalateOutput struct {
	// Moot is true when the answer was given meanwhile: nothing was done.
	Moot bool `json:"moot,omitempty"`
	// Places counts the inboxes that show the dialogue since.
	Places int `json:"places,omitempty"`
	// CaseOpened is true when an operator case was opened.
	CaseOpened bool `json:"caseOpened,omitempty"`
}

// PublishMessageInput names the message.
type PublishMessageInput struct {
	ClinicID   string    `json:"clinicId"`
	DialogueID string    `json:"dialogueId"`
	OutboundID string    `json:"outboundId"`
	Now        time.Time `json:"now"`
}

// PublishMessageOutput says since when it is shown.
type PublishMessageOutput struct {
	At time.Time `json:"at"`
}
