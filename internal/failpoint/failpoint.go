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

// Points lists every point: a test that claims to have died between each two
// steps goes through them all.
func Points() []Point {
	return []Point{
		ListenReceived, ListenStored, ListenSignalled, ListenStarted, ListenRecorded, ListenSettled,
		InboxPlaced, JournalWritten, ReplyPrepared, ReplySent, ReplyRecorded,
		AnswerDrafted, AnswerAccepted, AnswerPrepared, AnswerSent, AnswerRecorded,
	}
}
