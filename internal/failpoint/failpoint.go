// Package failpoint names the instants between an effect and its record at which
// a process may die. Built with the tag "failpoints", a process kills itself at
// the point that HELSEBRO_FAILPOINT names; built without it, Hit does nothing.
package failpoint

// Point is an instant between two steps.
type Point string

// The points of a message's way, in order.
const (
	// ListenReceived: a message is delivered and nothing is stored.
	ListenReceived Point = "listen.received"
	// ListenStored: stored, Temporal knows nothing.
	ListenStored Point = "listen.stored"
	// ListenSignalled: the lifecycle is told, the receipt is not started.
	ListenSignalled Point = "listen.signalled"
	// ListenStarted: the receipt is started, the hand-over is not recorded.
	ListenStarted Point = "listen.started"
	// ListenRecorded: the hand-over is recorded, the message is not settled.
	ListenRecorded Point = "listen.recorded"
	// ListenSettled: the lifecycle is told of a receipt, the hand-over is not recorded.
	ListenSettled Point = "listen.settled"
	// InboxPlaced: in the inbox, Temporal does not know.
	InboxPlaced Point = "inbox.placed"
	// JournalWritten: in the journal, Temporal does not know.
	JournalWritten Point = "journal.written"
	// ReplyPrepared: a receipt's or refusal's bytes are stored, nothing is sent.
	ReplyPrepared Point = "reply.prepared"
	// ReplySent: sent, not recorded.
	ReplySent Point = "reply.sent"
	// ReplyRecorded: recorded, Temporal does not know.
	ReplyRecorded Point = "reply.recorded"
	// AnswerDrafted: staff's text is stored, the lifecycle does not know.
	AnswerDrafted Point = "answer.drafted"
	// AnswerAccepted: the lifecycle has the answer, the caller does not know.
	AnswerAccepted Point = "answer.accepted"
	// AnswerPrepared: the answer's bytes are stored, nothing is sent.
	AnswerPrepared Point = "answer.prepared"
	// AnswerSent: sent, not recorded.
	AnswerSent Point = "answer.sent"
	// AnswerRecorded: recorded, Temporal does not know.
	AnswerRecorded Point = "answer.recorded"
)

// The points of the way of an e-dialogue's message, beside those of an answer.
const (
	// MessagePublished: a message of the clinic is shown, Temporal does not know.
	MessagePublished Point = "message.published"
	// PortalStored: what a patient wrote in the portal is stored, Temporal knows nothing.
	PortalStored Point = "portal.stored"
	// PortalSignalled: the lifecycle is told, the hand-over is not recorded.
	PortalSignalled Point = "portal.signalled"
)

// The points of an appointment's way, in order.
const (
	// BookingTaken: the calendar has decided a citizen's message, Temporal does not know.
	BookingTaken Point = "booking.taken"
	// ChangeDrafted: what staff or the portal ask is stored, the lifecycle does not know.
	ChangeDrafted Point = "change.drafted"
	// ChangeApplied: a change is in the calendar, Temporal does not know.
	ChangeApplied Point = "change.applied"
	// ChangeAccepted: the lifecycle has the change, the caller does not know.
	ChangeAccepted Point = "change.accepted"
	// PublicationDecided: what Helsenorge is told is stored, Temporal does not know.
	PublicationDecided Point = "publication.decided"
	// ReminderPlanned: the instant is stored, Temporal does not know.
	ReminderPlanned Point = "reminder.planned"
	// NoticeDecided: who gives a notice is stored, Temporal does not know.
	NoticeDecided Point = "notice.decided"
	// NoticeHopChosen: the next channel or the end is decided, Temporal does not know.
	NoticeHopChosen Point = "notice.hop-chosen"
	// NoticeClaimed: a notice is claimed for a channel, the provider is not asked.
	NoticeClaimed Point = "notice.claimed"
	// NoticeSent: the provider has it, the record does not say so.
	NoticeSent Point = "notice.sent"
	// NoticeRecorded: recorded, Temporal does not know.
	NoticeRecorded Point = "notice.recorded"
	// ReportStored: a provider's report is stored, the notice does not know.
	ReportStored Point = "report.stored"
	// ReportSignalled: the notice is told, the provider does not know.
	ReportSignalled Point = "report.signalled"
)

// The points of what is done to a dialogue, beside those of its messages.
const (
	// DialogueChanged: a command on a dialogue is applied, Temporal does not know.
	DialogueChanged Point = "dialogue.changed"
	// Escalated: a step of the answer clock is done, Temporal does not know.
	Escalated Point = "dialogue.escalated"
)

// Points lists every point of a message's way: a test that claims to have died
// between each two steps goes through them all.
func Points() []Point {
	return []Point{
		ListenReceived, ListenStored, ListenSignalled, ListenStarted, ListenRecorded, ListenSettled,
		InboxPlaced, JournalWritten, ReplyPrepared, ReplySent, ReplyRecorded,
		AnswerDrafted, AnswerAccepted, AnswerPrepared, AnswerSent, AnswerRecorded,
	}
}

// AppointmentPoints lists every point of an appointment's way, as Points does of a
// message's.
func AppointmentPoints() []Point {
	return []Point{
		BookingTaken, ChangeDrafted, ChangeApplied, ChangeAccepted, PublicationDecided, ReminderPlanned,
		NoticeDecided, NoticeHopChosen, NoticeClaimed, NoticeSent, NoticeRecorded, ReportStored, ReportSignalled,
	}
}

// EDialoguePoints lists every point of an e-dialogue's way, as Points does of a message's.
func EDialoguePoints() []Point {
	return []Point{AnswerDrafted, AnswerAccepted, MessagePublished, PortalStored, PortalSignalled}
}

// DialoguePoints lists every point of what is done to a dialogue, as Points does of a
// message's way.
func DialoguePoints() []Point {
	return []Point{ChangeDrafted, DialogueChanged, ChangeAccepted, Escalated}
}
