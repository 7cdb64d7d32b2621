package contract

import (
	"context"
	"time"
)

// AppointmentWorkflow is one appointment from its booking, or from the citizen's
// wish for one, to its end: booked, moved, hidden, cancelled or missed, told and
// reminded of (HITS 1217 §3.4 to §3.7, S69-S90).
const AppointmentWorkflow = "appointment"

// NoticeWorkflow is one notice that the clinic itself gives a patient, channel by
// channel, until one has it (S90). It is a child of its appointment.
const NoticeWorkflow = "notice"

// Task queues of the channels: one per provider, each rate limited at the server,
// so that a slow provider or a busy clinic delays nobody else.
const (
	QueueEmail = "helsebro-email"
	QueueSMS   = "helsebro-sms"
	QueuePush  = "helsebro-push"
)

// SignalDeliveryReported carries DeliveryReported to a notice: a provider's
// verified word on what became of it. Nobody waits for an answer to it.
const SignalDeliveryReported = "delivery-reported"

// UpdateChange carries ChangeCommand and returns ChangeAccepted: whatever staff,
// the portal or the record system does to an appointment.
const UpdateChange = "change"

// QueryExplain returns []Decision: which rules decided, oldest first.
const QueryExplain = "explain"

// ProcessAppointment and ProcessNotice are values of HelsebroProcess.
const (
	ProcessAppointment Process = "appointment"
	ProcessNotice      Process = "notice"
)

// Functions that a citizen sends about appointments (7601).
const (
	FunctionReserve    = "RT"  // Reserver time
	FunctionCancel     = "ART" // Avbestill reservert time
	FunctionWish       = "OT"  // Ønske om time
	FunctionWishCancel = "OAT" // Ønske om avbestilling av time
)

// Codes of 7602 about appointments, as answers or in a pushed Avtale.
const (
	AppointmentConfirmed      = "05" // Timereservasjon bekreftet
	AppointmentNotAvailable   = "06" // Time ikke tilgjengelig
	AppointmentChanged        = "07" // Endring av time bekreftet
	AppointmentCancelled      = "08" // Avbestilling av time bekreftet
	AppointmentNotCancelled   = "09" // Time kunne ikke avbestilles
	AppointmentWithOther      = "10" // Timereservasjon hos annen behandler bekreftet
	AppointmentPatientMissing = "11" // Pasient ikke møtt
)

// Statuses of an appointment, beside StatusReceived, StatusAwaitingClinic and
// StatusNeedsOperator, which mean what they mean of a dialogue.
const (
	// StatusBooked: in the calendar.
	StatusBooked Status = "booked"
	// StatusCancelled: taken out of the calendar, by whichever side.
	StatusCancelled Status = "cancelled"
	// StatusMissed: the patient did not come (11).
	StatusMissed Status = "missed"
	// StatusRefused: never booked: the slot was taken, or the wish was turned down.
	StatusRefused Status = "refused"
)

// Purpose is what a notice tells the patient (S84-S87).
type Purpose string

// The four notices.
const (
	PurposeConfirmation Purpose = "confirmation"
	PurposeChange       Purpose = "change"
	PurposeCancellation Purpose = "cancellation"
	PurposeReminder     Purpose = "reminder"
)

// PurposeOf is the notice that a message with the code calls for, be it an answer or a
// pushed Avtale (S84-S86). A refusal (06, 09, 26, 30) and a missed appointment (11) are
// told by the message alone: "".
func PurposeOf(code string) Purpose {
	switch code {
	case AppointmentConfirmed, AppointmentWithOther:
		return PurposeConfirmation
	case AppointmentChanged:
		return PurposeChange
	case AppointmentCancelled:
		return PurposeCancellation
	}
	return ""
}

// Owner is who gives the patient a notice (F3).
type Owner string

// The owners.
const (
	// OwnerHelsenorge: delegated. Helsenorge's own notice cannot be observed.
	OwnerHelsenorge Owner = "helsenorge"
	// OwnerClinic: by the clinic's channels.
	OwnerClinic Owner = "clinic"
	// OwnerNobody: no notice, for the reason given.
	OwnerNobody Owner = "nobody"
	// OwnerPending: not decided yet: asked again at Until, or when a delivery closes.
	OwnerPending Owner = "pending"
)

// Channel is a way in which the clinic itself reaches a patient.
type Channel string

// The channels (S90).
const (
	ChannelEmail Channel = "e-mail"
	ChannelSMS   Channel = "sms"
	ChannelPush  Channel = "push"
)

// Queue is the task queue of the channel's provider.
func (c Channel) Queue() string {
	switch c {
	case ChannelEmail:
		return QueueEmail
	case ChannelSMS:
		return QueueSMS
	case ChannelPush:
		return QueuePush
	}
	return QueueLifecycle
}

// AttemptState is what is known of one notice on one channel.
type AttemptState string

// The states. The first two are not terminal.
const (
	AttemptClaimed   AttemptState = "claimed"   // being handed to the provider
	AttemptAccepted  AttemptState = "accepted"  // the provider has it
	AttemptDelivered AttemptState = "delivered" // the provider says that the patient has it
	AttemptFailed    AttemptState = "failed"    // the provider, or the address, refused it
	AttemptUnknown   AttemptState = "unknown"   // it may have left: never again on this channel
	AttemptWithheld  AttemptState = "withheld"  // nothing was sent: the appointment is another by now
)

// AppointmentInput starts an appointment.
type AppointmentInput struct {
	ClinicID string `json:"clinicId"`
	// AppointmentID is also the id of the appointment's thread of messages.
	AppointmentID string `json:"appointmentId"`
	// Resume is set when the appointment existed before this run.
	Resume bool `json:"resume,omitempty"`
	// State is carried by continue-as-new only.
	State *AppointmentState `json:"state,omitempty"`
}

// AppointmentFacts is what PostgreSQL says of an appointment after a change: all
// that its lifecycle must know of the calendar.
type AppointmentFacts struct {
	// Status is the calendar's: received, awaiting-clinic, booked, cancelled, missed
	// or refused.
	Status Status `json:"status"`
	// Revision counts changes; every notice is fenced by it (F5).
	Revision int       `json:"revision"`
	StartsAt time.Time `json:"startsAt,omitzero"`
	EndsAt   time.Time `json:"endsAt,omitzero"`
	// TellAt is when the patient's side is to be told of this revision: changes
	// before it collapse into one. Zero: nothing is to be told, or an answer to the
	// citizen tells it.
	TellAt time.Time `json:"tellAt,omitzero"`
}

// PendingNotice is a notice that is still to be decided.
type PendingNotice struct {
	Purpose  Purpose `json:"purpose"`
	Revision int     `json:"revision"`
	// At is when it is decided.
	At time.Time `json:"at"`
	// Asked is true once it was due and could not be decided (OwnerPending): then it
	// is asked for again when a delivery closes, too.
	Asked bool `json:"asked,omitempty"`
}

// What a Decision is about, beside a Purpose.
const (
	AboutMessage      = "message"       // what a citizen's message asks for
	AboutPublication  = "publication"   // whether Helsenorge is told
	AboutReminderPlan = "reminder-plan" // when the reminder is due
)

// Decision is one decision of the rules, for explain.
type Decision struct {
	At       time.Time `json:"at"`
	Revision int       `json:"revision"`
	// About is one of the About constants or a Purpose.
	About string `json:"about"`
	// Decided is the code, owner or instant that was chosen; Rule is what decided.
	Decided string `json:"decided"`
	Rule    string `json:"rule"`
}

// MaxDecisions bounds the decisions that a state carries; all are in PostgreSQL.
const MaxDecisions = 40

// AppointmentState is an appointment's whole memory in Temporal. It is the answer
// of QueryState and travels over continue-as-new.
type AppointmentState struct {
	// Status is Facts.Status, or needs-operator while a delivery has failed.
	Status Status           `json:"status"`
	Facts  AppointmentFacts `json:"facts"`
	// Told is the revision that was last told, or needed no telling.
	Told int `json:"told"`
	// Planned is the revision whose reminder was last planned.
	Planned int `json:"planned"`
	// Notices are still to be decided, the earliest first.
	Notices []PendingNotice `json:"notices,omitempty"`
	// Decisions are the last MaxDecisions.
	Decisions []Decision `json:"decisions,omitempty"`
	// Seen are the last MaxSeenIDs wire ids, Accepted the last MaxSeenIDs commands.
	Seen     []string `json:"seen,omitempty"`
	Accepted []string `json:"accepted,omitempty"`
	// Open are the deliveries to Helsenorge without a terminal outcome.
	Open []Delivery `json:"open,omitempty"`
	// Troubled is the delivery that failed last, until its own late receipt or the
	// next that arrives.
	Troubled string `json:"troubled,omitempty"`
	Cases    int    `json:"cases"`
}

// ChangeCommand asks for a change. What it is about is in PostgreSQL, stored before
// the command is given; CommandID names it and is also the update id.
type ChangeCommand struct {
	CommandID string `json:"commandId"`
}

// ChangeAccepted says what the calendar made of the change.
type ChangeAccepted struct {
	CommandID string `json:"commandId"`
	Revision  int    `json:"revision"`
	Status    Status `json:"status"`
}

// NoticeInput starts a notice.
type NoticeInput struct {
	ClinicID      string  `json:"clinicId"`
	AppointmentID string  `json:"appointmentId"`
	NoticeID      string  `json:"noticeId"`
	Purpose       Purpose `json:"purpose"`
	Revision      int     `json:"revision"`
}

// NoticeResult is how a notice ended: its line on the ledger says the same.
type NoticeResult struct {
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"`
}

// Outcomes of a notice, beside OutcomeSent (handed to a channel that reports
// nothing back), OutcomeFailed (a case is open) and OutcomeSuperseded.
const (
	OutcomeDelivered  Outcome = "delivered"  // a provider says that the patient has it
	OutcomeDelegated  Outcome = "delegated"  // Helsenorge gives it
	OutcomeSuppressed Outcome = "suppressed" // nobody gives it, for the reason on the line
	OutcomeExpired    Outcome = "expired"    // too late to be of use: a case is open
)

// DeliveryReported is a provider's word on an attempt.
type DeliveryReported struct {
	Channel Channel      `json:"channel"`
	State   AttemptState `json:"state"`
	At      time.Time    `json:"at"`
}

// AppointmentActivities decide about appointments, each in one transaction that
// records the rule and its inputs. Instants in their inputs are workflow.Now; they
// use the later of it and their own clock.
type AppointmentActivities interface {
	// TakeBookingMessage does what a citizen's message asks: RT books or not, ART
	// cancels or not, OT and OAT wait for staff. Key: MessageID.
	TakeBookingMessage(ctx context.Context, in TakeBookingMessageInput) (TakeBookingMessageOutput, error)
	// ApplyChange applies a stored command to the calendar. Key: CommandID. What the
	// calendar refuses is apperr.Conflict, and leaves nothing behind.
	ApplyChange(ctx context.Context, in ApplyChangeInput) (ApplyChangeOutput, error)
	// LoadAppointment reads what a new run must know. No effect.
	LoadAppointment(ctx context.Context, in LoadAppointmentInput) (LoadAppointmentOutput, error)
	// Publish decides whether the appointment as it stands must be told to
	// Helsenorge, and with which message. Key: AppointmentID + Revision.
	Publish(ctx context.Context, in PublishInput) (PublishOutput, error)
	// PlanReminder chooses the reminder's instant (S87, F4). Key: AppointmentID + Revision.
	PlanReminder(ctx context.Context, in PlanReminderInput) (PlanReminderOutput, error)
	// DecideNotice decides who gives the notice (S83-S90, F2, F3), after a fresh look
	// at whether the patient is active on Helsenorge. The first answer that is not
	// pending stands. Key: AppointmentID + Revision + Purpose.
	DecideNotice(ctx context.Context, in DecideNoticeInput) (DecideNoticeOutput, error)
}

// NoticeActivities give the clinic's own notices.
type NoticeActivities interface {
	// NextHop looks at everything anew (F2) and names the next channel, or closes the
	// notice with its terminal outcome. Key: NoticeID; no effect until it closes.
	NextHop(ctx context.Context, in NextHopInput) (NextHopOutput, error)
	// SendNotice hands the notice to the provider of one channel, at most once. Key:
	// NoticeID + Channel: a repetition tells what became of the first, unless the provider
	// refused it for now: then it is asked again.
	SendNotice(ctx context.Context, in SendNoticeInput) (SendNoticeOutput, error)
}

// TakeBookingMessageInput names the message.
type TakeBookingMessageInput struct {
	ClinicID      string    `json:"clinicId"`
	AppointmentID string    `json:"appointmentId"`
	MessageID     string    `json:"messageId"`
	Now           time.Time `json:"now"`
}

// TakeBookingMessageOutput says what was decided.
type TakeBookingMessageOutput struct {
	Facts AppointmentFacts `json:"facts"`
	// Code and OutboundID are the answer to send; empty while staff must decide.
	Code       string `json:"code,omitempty"`
	OutboundID string `json:"outboundId,omitempty"`
	// Inbox is true when staff must read the message.
	Inbox bool   `json:"inbox,omitempty"`
	Rule  string `json:"rule"`
	// CaseOpened is true when an operator case was opened.
	CaseOpened bool `json:"caseOpened,omitempty"`
}

// ApplyChangeInput names the command.
type ApplyChangeInput struct {
	ClinicID      string    `json:"clinicId"`
	AppointmentID string    `json:"appointmentId"`
	CommandID     string    `json:"commandId"`
	Now           time.Time `json:"now"`
}

// ApplyChangeOutput says how the appointment stands after it.
type ApplyChangeOutput struct {
	Facts AppointmentFacts `json:"facts"`
	// Code and OutboundID are the answer to the citizen's wish, if the command is one.
	Code       string `json:"code,omitempty"`
	OutboundID string `json:"outboundId,omitempty"`
	// CaseOpened is true when an operator case was opened.
	CaseOpened bool `json:"caseOpened,omitempty"`
}

// LoadAppointmentInput names the appointment.
type LoadAppointmentInput struct {
	ClinicID      string `json:"clinicId"`
	AppointmentID string `json:"appointmentId"`
}

// LoadAppointmentOutput is what PostgreSQL knows of the appointment.
type LoadAppointmentOutput struct {
	Facts   AppointmentFacts `json:"facts"`
	Told    int              `json:"told"`
	Planned int              `json:"planned"`
	Notices []PendingNotice  `json:"notices,omitempty"`
	Seen    []string         `json:"seen,omitempty"`
	// Accepted are the commands that were applied, newest last.
	Accepted []string   `json:"accepted,omitempty"`
	Open     []Delivery `json:"open,omitempty"`
	// Untaken are stored messages that no run has taken, oldest first.
	Untaken []MessageReceived `json:"untaken,omitempty"`
}

// PublishInput names the revision.
type PublishInput struct {
	ClinicID      string    `json:"clinicId"`
	AppointmentID string    `json:"appointmentId"`
	Revision      int       `json:"revision"`
	Now           time.Time `json:"now"`
}

// PublishOutput is the decision. With a message to send, its outcome is awaited
// before the notice is decided; without one the notice, if any, is decided at once.
type PublishOutput struct {
	Code       string `json:"code,omitempty"`
	OutboundID string `json:"outboundId,omitempty"`
	// Purpose is what the patient is to be told, "" for nothing.
	Purpose Purpose `json:"purpose,omitempty"`
	// HandOverAt is when the notice is decided though the message has no outcome yet:
	// the clinic may have to tell him itself (F3).
	HandOverAt time.Time `json:"handOverAt,omitzero"`
	Rule       string    `json:"rule"`
}

// PlanReminderInput names the revision.
type PlanReminderInput struct {
	ClinicID      string    `json:"clinicId"`
	AppointmentID string    `json:"appointmentId"`
	Revision      int       `json:"revision"`
	Now           time.Time `json:"now"`
}

// PlanReminderOutput is the plan. Skip means that there is no reminder to come.
type PlanReminderOutput struct {
	At   time.Time `json:"at,omitzero"`
	Skip bool      `json:"skip,omitempty"`
	Rule string    `json:"rule"`
}

// DecideNoticeInput names the notice.
type DecideNoticeInput struct {
	ClinicID      string    `json:"clinicId"`
	AppointmentID string    `json:"appointmentId"`
	Revision      int       `json:"revision"`
	Purpose       Purpose   `json:"purpose"`
	Now           time.Time `json:"now"`
}

// DecideNoticeOutput is the decision.
type DecideNoticeOutput struct {
	NoticeID string `json:"noticeId"`
	Owner    Owner  `json:"owner"`
	Reason   string `json:"reason"`
	// Until is when a pending decision is asked for again at the latest.
	Until time.Time `json:"until,omitzero"`
	// CaseOpened is true when an operator case was opened.
	CaseOpened bool `json:"caseOpened,omitempty"`
}

// NextHopInput names the notice.
type NextHopInput struct {
	ClinicID string    `json:"clinicId"`
	NoticeID string    `json:"noticeId"`
	Now      time.Time `json:"now"`
	// Tried are the channels that had their turn. One of them without an attempt was
	// never served: it is passed.
	Tried []Channel `json:"tried,omitempty"`
}

// NextHopOutput is the next channel, or the end.
type NextHopOutput struct {
	// Done is true when the notice has its terminal outcome.
	Done    bool    `json:"done,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	// Channel is the next one, Also are given beside it and not waited for. An output
	// that is not done and names none asks to wait: for what was tried before, or for a
	// provider that is down (F17).
	Channel Channel   `json:"channel,omitempty"`
	Also    []Channel `json:"also,omitempty"`
	// Patience is how long a provider that does not take it may be tried.
	Patience time.Duration `json:"patience,omitempty"`
	// Wait is how long a report is waited for once the provider has it, or, without a
	// channel, from now.
	Wait time.Duration `json:"wait,omitempty"`
}

// SendNoticeInput names notice and channel.
type SendNoticeInput struct {
	ClinicID string    `json:"clinicId"`
	NoticeID string    `json:"noticeId"`
	Channel  Channel   `json:"channel"`
	Now      time.Time `json:"now"`
}

// SendNoticeOutput says what the provider made of it.
type SendNoticeOutput struct {
	State AttemptState `json:"state"`
}
