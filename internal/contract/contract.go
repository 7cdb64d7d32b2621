// Package contract is what Temporal stores for months: workflow, update, signal
// and activity names, their inputs and outputs, the state that travels over
// continue-as-new, workflow ids, task queues and search-attribute keys.
//
// Workflows, activities and starters meet only here. Every type is plain data
// with a golden-JSON test: a field is added with a safe zero value, and none is
// renamed or given another meaning.
//
// Nothing in this package may hold a patient: no name, national id, phone,
// address, message text or file. Ids are opaque, everything else is a code, an
// instant (UTC) or a decision.
package contract

import "time"

// Workflow types, as registered with Temporal. They are an API: a name never
// changes while a history that carries it may exist.
const (
	// DialogueWorkflow is one e-contact or e-consultation with a citizen: one
	// dialogue, many messages (HITS 1217 §3.2, §3.3).
	DialogueWorkflow = "dialogue"
	// PrescriptionWorkflow is one renewal request, answered once (HITS 1217 §3.1).
	PrescriptionWorkflow = "prescription"
)

// Task queues. Lifecycles and the activities that touch only PostgreSQL share
// one queue, so that the server can hand an activity to the worker that asked
// for it (eager execution). What talks to Helsenorge has its own, so that a slow
// counterpart delays nobody else and can be rate limited at the server.
const (
	// QueueLifecycle carries every workflow and the database activities.
	QueueLifecycle = "helsebro"
	// QueueHelsenorge carries what is sent to Helsenorge: messages, receipts, error reports.
	QueueHelsenorge = "helsebro-helsenorge"
)

// Signals. Only the listener signals (S8): it must not wait for a worker.
const (
	// SignalMessageReceived carries MessageReceived.
	SignalMessageReceived = "message-received"
	// SignalReceiptReceived carries ReceiptReceived.
	SignalReceiptReceived = "receipt-received"
)

// Updates: staff and service commands.
const (
	// UpdateAnswer carries AnswerCommand and returns AnswerAccepted.
	UpdateAnswer = "answer"
	// UpdateResolve carries ResolveCommand and returns ResolveAccepted.
	UpdateResolve = "resolve"
)

// QueryState returns the workflow's state: DialogueState or PrescriptionState.
const QueryState = "state"

// Process is the kind of a lifecycle in the product's own words. It is stored,
// indexed and shown; the wire's own name is Helsenorge's process code (8279).
type Process string

// The processes of HITS 1217 that open a lifecycle here.
const (
	ProcessEContact      Process = "e-contact"
	ProcessEConsultation Process = "e-consultation"
	ProcessPrescription  Process = "prescription"
)

// Status says what a dialogue or prescription request waits for. It is the value
// of the search attribute HelsebroState and of the inbox.
type Status string

const (
	// StatusReceived: stored, not yet in an inbox.
	StatusReceived Status = "received"
	// StatusAwaitingClinic: in the inbox, an answer is owed.
	StatusAwaitingClinic Status = "awaiting-clinic"
	// StatusSending: an answer is accepted and on its way to Helsenorge.
	StatusSending Status = "sending"
	// StatusAwaitingReceipt: sent, Helsenorge's receipt is outstanding.
	StatusAwaitingReceipt Status = "awaiting-receipt"
	// StatusAnswered: the receipt says that the citizen's side has it.
	StatusAnswered Status = "answered"
	// StatusClosed: the clinic ended the dialogue (13, 26, 30) and the receipt is in.
	StatusClosed Status = "closed"
	// StatusNeedsOperator: an operator case is open: something could not be done.
	StatusNeedsOperator Status = "needs-operator"
)

// Answer codes of kodeverk 7602 that a clinic sends in these processes.
const (
	AnswerFromPractitioner = "12" // e-consultation: Svar på spørsmål, fra behandler
	AnswerDialogueEnded    = "13" // e-consultation: Dialog avsluttet
	AnswerRenewed          = "14" // prescription: Resept er fornyet
	AnswerCannotRenew      = "15" // prescription: Resept kan ikke fornyes
	AnswerToEnquiry        = "19" // e-contact: Svar på henvendelse
	AnswerRefused          = "26" // Forespørsel avvist
	AnswerNoAccess         = "30" // Ikke tilgang
	AnswerPartlyRenewed    = "32" // prescription: Resepter delvis fornyet
)

// FunctionUnread is the notice that the citizen has not read an answer (7601).
// It joins its thread and asks for no answer.
const FunctionUnread = "VUS"

// Limits of what a history holds. Each has a test.
const (
	// MaxSeenIDs bounds the ids that a state carries; older duplicates stop at
	// their PostgreSQL row.
	MaxSeenIDs = 500
	// MaxOpenDeliveries bounds the answers of one dialogue without an outcome.
	MaxOpenDeliveries = 100
	// MaxUntaken bounds the messages that a run hands to the next one instead of taking
	// them: under a steady stream there is always one that waits.
	MaxUntaken = 25
	// MaxSummaryBytes and MaxDetailsBytes are what the Temporal UI is meant for.
	MaxSummaryBytes = 200
	MaxDetailsBytes = 20_000
	// MaxPayloadBytes bounds every encoded payload.
	MaxPayloadBytes = 64 << 10
)

// DialogueInput starts a dialogue.
type DialogueInput struct {
	ClinicID   string  `json:"clinicId"`
	DialogueID string  `json:"dialogueId"`
	Process    Process `json:"process"`
	// Resume is set when the dialogue existed before this run: its state is then
	// read from PostgreSQL first (the last run ended when nothing was owed).
	Resume bool `json:"resume,omitempty"`
	// State is carried by continue-as-new only, as is Untaken: messages that had come and
	// wait for their turn, oldest first, at most MaxUntaken.
	State   *DialogueState    `json:"state,omitempty"`
	Untaken []MessageReceived `json:"untaken,omitempty"`
}

// PrescriptionInput starts a prescription renewal request.
type PrescriptionInput struct {
	ClinicID string `json:"clinicId"`
	// DialogueID is the id of the request's thread; it is also the workflow's key.
	DialogueID string             `json:"dialogueId"`
	Resume     bool               `json:"resume,omitempty"`
	State      *PrescriptionState `json:"state,omitempty"`
}

// MessageReceived tells a lifecycle that a citizen's message is stored.
type MessageReceived struct {
	// MessageID is Helsebro's own id of the stored message.
	MessageID string `json:"messageId"`
	// MsgID is the wire's MsgId (UUID): the key of SeenIDs.
	MsgID string `json:"msgId"`
	// Function is the code of 7601 or 7602: SB, HE, RF, 22, VUS.
	Function   string    `json:"function"`
	ReceivedAt time.Time `json:"receivedAt"`
}

// CodeInactive is Helsenorge's refusal of a message for a patient without profile or
// consent there (8221; HITS 1217 §2.13): it is never sent again.
const CodeInactive = "E35"

// ReceiptReceived tells a lifecycle how Helsenorge took one of its messages.
type ReceiptReceived struct {
	// OutboundID is Helsebro's own id of the message that the receipt is for.
	OutboundID string `json:"outboundId"`
	// Outcome is what the ledger says: acknowledged, rejected or error-queue.
	Outcome Outcome `json:"outcome"`
	// Codes are the error codes of 8221, or the error condition of HITS 1216.
	Codes []string  `json:"codes,omitempty"`
	At    time.Time `json:"at"`
}

// AnswerCommand is staff's answer. The text is in PostgreSQL, stored before the
// command is given; AnswerID names it and is also the update id.
type AnswerCommand struct {
	AnswerID string `json:"answerId"`
	// Code is the answer's code of 7602.
	Code string `json:"code"`
	// InReplyTo is the message that staff had read: when the citizen has written
	// since, the command is refused, so that nobody answers what he has not seen.
	// Empty means the latest.
	InReplyTo string `json:"inReplyTo,omitempty"`
	// FollowUp says that the answer adds to one already given. Without it a second
	// answer to the same message is a conflict (two people answering, D17).
	FollowUp bool `json:"followUp,omitempty"`
	// Close says that the clinic regards the dialogue as ended with it. An
	// e-consultation says so on the wire (13); an e-contact ends here only, since the
	// current guide has no 13 there.
	Close bool `json:"close,omitempty"`
}

// AnswerAccepted says that the answer is durable and will be sent. Its terminal
// outcome is on the ledger.
type AnswerAccepted struct {
	AnswerID string `json:"answerId"`
	Status   Status `json:"status"`
}

// ResolveCommand tells a lifecycle that an operator has seen to its message that did not
// arrive: every operator case about it is resolved. PostgreSQL has that already.
type ResolveCommand struct {
	CaseID string `json:"caseId"`
	// MessageID is the clinic's message, Code its code.
	MessageID string `json:"messageId"`
	Code      string `json:"code"`
}

// ResolveAccepted says what the lifecycle waits for now.
type ResolveAccepted struct {
	Status Status `json:"status"`
}

// Outcome is the terminal word of an intended effect on the ledger.
type Outcome string

const (
	OutcomeAcknowledged Outcome = "acknowledged" // the receiver's positive receipt is in
	OutcomeRejected     Outcome = "rejected"     // negative receipt
	OutcomeErrorQueue   Outcome = "error-queue"  // reported on the error queue
	OutcomeOverdue      Outcome = "overdue"      // no receipt in time: an operator case is open
	OutcomeFailed       Outcome = "failed"       // could not be done: an operator case is open
	OutcomeDone         Outcome = "done"         // an effect inside the clinic
	OutcomeSent         Outcome = "sent"         // nothing comes back for it (a receipt)
	OutcomeSuperseded   Outcome = "superseded"   // another effect took its place
)

// Delivery is one message on its way to Helsenorge and not yet terminal.
type Delivery struct {
	OutboundID string `json:"outboundId"`
	Code       string `json:"code"`
	// SentAt is zero until Helsenorge's queue has accepted the message.
	SentAt time.Time `json:"sentAt,omitzero"`
	// ReceiptDue is the instant at which a missing receipt becomes a case.
	ReceiptDue time.Time `json:"receiptDue,omitzero"`
	// AgainAt is when the identical message was taken on once more (HITS 1216 §2.2.4):
	// a refusal from before it is of the first sending.
	AgainAt time.Time `json:"againAt,omitzero"`
	// Revision is the appointment's that the message speaks of, and Purpose the
	// notice that is decided once the message has its outcome, "" for none.
	Revision int     `json:"revision,omitempty"`
	Purpose  Purpose `json:"purpose,omitempty"`
}

// DialogueState is a dialogue's whole memory in Temporal. It is the answer of
// QueryState and travels over continue-as-new.
type DialogueState struct {
	Status Status `json:"status"`
	// Seen are the last MaxSeenIDs wire ids, oldest first.
	Seen []string `json:"seen,omitempty"`
	// LatestMessageID is the citizen's latest message: what an answer refers to.
	LatestMessageID string `json:"latestMessageId,omitempty"`
	// LatestAt is when that message was stored: one that was overtaken on its way
	// here does not become the latest.
	LatestAt time.Time `json:"latestAt,omitzero"`
	// Messages, Answers and Cases count what this dialogue has had: the citizen's messages,
	// all of the clinic's that were accepted, what tells of a fee among them, and its cases.
	Messages int `json:"messages"`
	Answers  int `json:"answers"`
	Cases    int `json:"cases"`
	// AnswerOwed is true from a citizen's message until an answer is accepted.
	AnswerOwed bool `json:"answerOwed"`
	// Ended is true after 13, 26, 30 or a close, until the citizen writes again.
	Ended bool `json:"ended,omitempty"`
	// Process is the dialogue's, where a conversion made it another than the run was
	// started with (F14).
	Process Process `json:"process,omitempty"`
	// Clock runs while an answer is owed that has a limit (F13).
	Clock *AnswerClock `json:"clock,omitempty"`
	// Opened is true when the clinic wrote first.
	Opened bool `json:"opened,omitempty"`
	// Escalated is the last step of the answer clock that was done, until an answer.
	Escalated EscalationStep `json:"escalated,omitempty"`
	// Troubled is the last delivery when it failed, until the next accepted answer or
	// its own late receipt.
	Troubled string `json:"troubled,omitempty"`
	// LastOutboundID is the clinic's message that was taken on last: what became of an
	// earlier one is a case, and no longer what the dialogue waits for. Empty in a run that
	// has taken none on.
	LastOutboundID string `json:"lastOutboundId,omitempty"`
	// Open are the deliveries without a terminal outcome, oldest first.
	Open []Delivery `json:"open,omitempty"`
	// Accepted are the answer ids taken in, oldest first, at most MaxSeenIDs: an
	// update id is de-duplicated by the server within one run only.
	Accepted []string `json:"accepted,omitempty"`
}

// PrescriptionState is a renewal request's whole memory in Temporal.
type PrescriptionState struct {
	Status          Status     `json:"status"`
	Seen            []string   `json:"seen,omitempty"`
	LatestMessageID string     `json:"latestMessageId,omitempty"`
	Messages        int        `json:"messages"`
	Cases           int        `json:"cases"`
	AnswerID        string     `json:"answerId,omitempty"`
	AnswerCode      string     `json:"answerCode,omitempty"`
	Troubled        string     `json:"troubled,omitempty"`
	Open            []Delivery `json:"open,omitempty"`
	// Clock runs until the answer is accepted; Accepted are the commands taken in.
	Clock    *AnswerClock `json:"clock,omitempty"`
	Accepted []string     `json:"accepted,omitempty"`
	// Escalated is the last step of the answer clock that was done, until an answer.
	Escalated EscalationStep `json:"escalated,omitempty"`
}

// AnswerCodes lists the codes of 7602 with which the clinic may answer a process,
// in the standard's order (HITS 1217 §3.1.3, §3.2.3, §3.3.2). 13 ends
// e-consultations only; 14 and 32 must carry M1 documents.
func AnswerCodes(p Process) []string {
	switch p {
	case ProcessEConsultation:
		return []string{AnswerFromPractitioner, AnswerDialogueEnded, AnswerRefused, AnswerNoAccess}
	case ProcessEContact:
		return []string{AnswerToEnquiry, AnswerRefused, AnswerNoAccess}
	case ProcessPrescription:
		return []string{AnswerRenewed, AnswerPartlyRenewed, AnswerCannotRenew, AnswerRefused} // S61: four options
	case ProcessEDialogue:
		return []string{InHouse}
	case ProcessAppointment, ProcessNotice: // what the calendar decides is the answer
	case ProcessActivation:
	}
	return nil
}

// Ends tells whether the code ends the dialogue from the clinic's side. The
// citizen may still write again, which reopens it (HITS 1217 §3.2.3).
func Ends(code string) bool {
	return code == AnswerDialogueEnded || code == AnswerRefused || code == AnswerNoAccess
}

// NeedsM1 tells whether the code must carry one M1 document per renewed prescription.
func NeedsM1(code string) bool { return code == AnswerRenewed || code == AnswerPartlyRenewed }
