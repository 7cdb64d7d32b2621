package contract

import (
	"context"
	"time"
)

// Activity groups. A workflow calls a method expression of these interfaces
// (flow.Do); Temporal resolves it to the bare method name, so method names are
// unique over all groups and never change. Implementations carry
// `var _ contract.X = (*Y)(nil)`.
//
// Every activity is idempotent by the business key that its doc names: a retry,
// a crash between effect and record, and a second call with the same key leave
// one effect.

// InboxActivities put messages where people read them.
type InboxActivities interface {
	// DeliverToInbox resolves the clinic's routing rule (S31-S48) against the live
	// members and places the message in each recipient's inbox. Key: MessageID.
	// It never leaves a message without a reader: an empty rule falls to the whole
	// clinic, and a clinic without active staff opens an operator case.
	DeliverToInbox(ctx context.Context, in DeliverToInboxInput) (DeliverToInboxOutput, error)
}

// DeliverToInboxInput names the message.
type DeliverToInboxInput struct {
	ClinicID   string `json:"clinicId"`
	DialogueID string `json:"dialogueId"`
	MessageID  string `json:"messageId"`
}

// DeliverToInboxOutput says where it went and which rule decided.
type DeliverToInboxOutput struct {
	// Places is the number of inboxes that show the dialogue.
	Places int `json:"places"`
	// Rule is the routing format that applied, Fallback the reason why it was left.
	Rule     string `json:"rule"`
	Fallback string `json:"fallback,omitempty"`
	// CaseOpened is true when nobody could be found to read it.
	CaseOpened bool `json:"caseOpened,omitempty"`
	// Clock are the steps of the answer clock of a message that asks for something and
	// whose process has a limit, counted from its receipt (F13).
	Clock []Escalation `json:"clock,omitempty"`
	// NothingOwed is true when no answer is owed for the message: it asks for nothing, or
	// what came after it was answered or closed before it was placed.
	NothingOwed bool `json:"nothingOwed,omitempty"`
}

// JournalActivities write to the patient's record.
type JournalActivities interface {
	// WriteJournalEntry adds one message to the dialogue's one journal entry (S50,
	// F14). Key: MessageID.
	WriteJournalEntry(ctx context.Context, in WriteJournalEntryInput) (WriteJournalEntryOutput, error)
}

// Direction of a message, seen from the clinic.
type Direction string

const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
)

// WriteJournalEntryInput names the message: an inbound one by its message id, an
// outbound one by its answer id.
type WriteJournalEntryInput struct {
	ClinicID   string    `json:"clinicId"`
	DialogueID string    `json:"dialogueId"`
	MessageID  string    `json:"messageId"`
	Direction  Direction `json:"direction"`
}

// WriteJournalEntryOutput names the entry.
type WriteJournalEntryOutput struct {
	EntryID string `json:"entryId"`
}

// HelsenorgeActivities talk to Helsenorge's queues.
type HelsenorgeActivities interface {
	// SendMessage builds, checks, seals and sends an answer, or a pushed Avtale that
	// no later one has superseded. Key: OutboundID. The
	// bytes and ids are stored before the first send and reused by every retry, so
	// that the receiver's duplicate rule (MsgId) leaves one message.
	SendMessage(ctx context.Context, in SendMessageInput) (SendMessageOutput, error)
	// SendReceipt sends the application receipt of a stored message, positive or
	// negative as stored with it (HIS 80415). Key: MessageID. Standalone.
	SendReceipt(ctx context.Context, in SendReceiptInput) (SendReceiptOutput, error)
	// SendRefusal answers a stored message that no lifecycle takes, with the code
	// stored with it (26, 30). Key: MessageID. Standalone.
	SendRefusal(ctx context.Context, in SendRefusalInput) (SendRefusalOutput, error)
	// ReportTransportError tells the sender's error queue why a stored message
	// could not be taken (HITS 1216). Key: MessageID. Standalone. A message that
	// came from the error queue is never reported.
	ReportTransportError(ctx context.Context, in ReportTransportErrorInput) (ReportTransportErrorOutput, error)
}

// SendMessageInput names the message.
type SendMessageInput struct {
	ClinicID   string `json:"clinicId"`
	OutboundID string `json:"outboundId"`
}

// SendMessageOutput says when Helsenorge's queue accepted it, and when a missing
// receipt becomes a case (clinic configuration).
type SendMessageOutput struct {
	SentAt     time.Time `json:"sentAt"`
	ReceiptDue time.Time `json:"receiptDue"`
	// Superseded is true when nothing was sent, because a later message says it all or
	// it would be of no use any more.
	Superseded bool `json:"superseded,omitempty"`
}

// SendReceiptInput names the stored message.
type SendReceiptInput struct {
	MessageID string `json:"messageId"`
}

// SendReceiptOutput says when it was sent.
type SendReceiptOutput struct {
	SentAt time.Time `json:"sentAt"`
}

// SendRefusalInput names the stored message.
type SendRefusalInput struct {
	MessageID string `json:"messageId"`
}

// SendRefusalOutput says when it was sent.
type SendRefusalOutput struct {
	SentAt time.Time `json:"sentAt"`
}

// ReportTransportErrorInput names the stored message.
type ReportTransportErrorInput struct {
	MessageID string `json:"messageId"`
}

// ReportTransportErrorOutput says when it was sent.
type ReportTransportErrorOutput struct {
	SentAt time.Time `json:"sentAt"`
}

// LedgerActivities keep the book of intended effects.
type LedgerActivities interface {
	// LoadDialogue reads what a new run of an old dialogue must know. No effect.
	LoadDialogue(ctx context.Context, in LoadDialogueInput) (LoadDialogueOutput, error)
	// CloseDelivery writes the terminal outcome of a delivery that no receipt
	// closed, and opens the operator case that says what to do. Key: OutboundID.
	// A receipt that came first wins: the output says which outcome stands.
	CloseDelivery(ctx context.Context, in CloseDeliveryInput) (CloseDeliveryOutput, error)
	// OpenCase opens an operator case. Key: Kind + MessageID.
	OpenCase(ctx context.Context, in OpenCaseInput) (OpenCaseOutput, error)
}

// LoadDialogueInput names the dialogue.
type LoadDialogueInput struct {
	ClinicID   string `json:"clinicId"`
	DialogueID string `json:"dialogueId"`
}

// LoadDialogueOutput is what PostgreSQL knows of the dialogue.
type LoadDialogueOutput struct {
	LatestMessageID string     `json:"latestMessageId,omitempty"`
	Messages        int        `json:"messages"`
	Answers         int        `json:"answers"`
	AnswerOwed      bool       `json:"answerOwed"`
	Ended           bool       `json:"ended,omitempty"`
	AnswerID        string     `json:"answerId,omitempty"`
	AnswerCode      string     `json:"answerCode,omitempty"`
	Open            []Delivery `json:"open,omitempty"`
	LatestAt        time.Time  `json:"latestAt,omitzero"`
	// Process is the dialogue's, which a conversion may have changed.
	Process Process `json:"process,omitempty"`
	// Clock is the answer clock, its past steps left out.
	Clock *AnswerClock `json:"clock,omitempty"`
	// Escalated is the last step of it that was done.
	Escalated EscalationStep `json:"escalated,omitempty"`
	// LastOutboundID is the clinic's message that was accepted last, Troubled the same when
	// it did not arrive.
	LastOutboundID string `json:"lastOutboundId,omitempty"`
	Troubled       string `json:"troubled,omitempty"`
	// Accepted are the commands that were applied, newest last.
	Accepted []string `json:"accepted,omitempty"`
	// Opened is true when the clinic wrote first.
	Opened bool `json:"opened,omitempty"`
	// Seen are the wire ids already handled by a lifecycle, newest last.
	Seen []string `json:"seen,omitempty"`
	// Unplaced are stored messages that no lifecycle has put in an inbox, oldest
	// first: what a terminated run left behind.
	Unplaced []MessageReceived `json:"unplaced,omitempty"`
}

// CloseDeliveryInput names the delivery and what became of it.
type CloseDeliveryInput struct {
	ClinicID   string  `json:"clinicId"`
	DialogueID string  `json:"dialogueId"`
	OutboundID string  `json:"outboundId"`
	Outcome    Outcome `json:"outcome"`
	// Reason is an error type of apperr or a code; never free text.
	Reason string `json:"reason,omitempty"`
}

// CloseDeliveryOutput is the outcome that stands.
type CloseDeliveryOutput struct {
	Outcome Outcome `json:"outcome"`
}

// CaseKind names what an operator is asked to look at.
type CaseKind string

const (
	CaseDeliveryRejected CaseKind = "delivery-rejected"
	CaseReceiptOverdue   CaseKind = "receipt-overdue"
	CaseNotSent          CaseKind = "not-sent"
	CaseNobodyReads      CaseKind = "nobody-reads"
	CaseNotJournalled    CaseKind = "not-journalled"
	CaseNotDelivered     CaseKind = "not-in-inbox"
	CaseContradiction    CaseKind = "contradicting-receipt"
	CaseCancelled        CaseKind = "cancelled"
	CaseQuarantined      CaseKind = "quarantined"

	// CaseBookingClosed: a practitioner does not own exactly one calendar (S71, F16).
	CaseBookingClosed CaseKind = "booking-closed"
	// CaseUnknownAppointment: a citizen cancels what the calendar does not know.
	CaseUnknownAppointment CaseKind = "unknown-appointment"
	// CaseHiddenAfterPublication: what is hidden now was seen before (D10).
	CaseHiddenAfterPublication CaseKind = "hidden-after-publication"
	// CaseNoticeExpired: a notice could not be given in time (F17, D11).
	CaseNoticeExpired CaseKind = "notice-expired"
	// CaseNoContact: the clinic should tell the patient and has no way to (S89).
	CaseNoContact CaseKind = "no-contact"
	// CaseNoticeFailed: no channel took the notice.
	CaseNoticeFailed CaseKind = "notice-failed"
)

// OpenCaseInput says what is wrong with which message.
type OpenCaseInput struct {
	ClinicID   string   `json:"clinicId"`
	DialogueID string   `json:"dialogueId"`
	MessageID  string   `json:"messageId"`
	Kind       CaseKind `json:"kind"`
	// Reason is an error type of apperr or a code; never free text.
	Reason string `json:"reason,omitempty"`
}

// OpenCaseOutput names the case.
type OpenCaseOutput struct {
	CaseID string `json:"caseId"`
}
