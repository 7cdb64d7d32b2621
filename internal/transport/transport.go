// Package transport moves sealed messages between parties by the rules of HITS
// 1216: durable queues, one message at a time settled by its receiver, and what
// is not settled comes again. It knows envelopes, never their content.
//
// The implementations are in packages below: loopback for the development stack.
package transport

import (
	"context"
	"mime"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

// MaxBody is the largest body that is sent, in bytes. NHN names 20 MB in the
// newest version of its rules, and asks for an agreement above 1 MB.
const MaxBody = 20 << 20

// SubjectUnknown stands in an error report about a message that had no subject:
// a report without one would be refused and answered, for ever.
const SubjectUnknown = "UNKNOWN"

// Message is one message on a queue: the properties of HITS 1216 and a body.
type Message struct {
	// ID is the transport's id of the message, a UUID. It is not the MsgId of the
	// XML: a message that is sent again because the queue may not have accepted it
	// has the same ID and body, so that the receiver knows it.
	ID string
	// Subject is the message function, a code of kodeverk 8279, or APPREC.
	Subject string
	// To is the receiver's queue, as the address registry names it.
	To string
	// ReplyTo is the sender's queue of the same kind.
	ReplyTo string
	// CorrelationID is the request's on a synchronous reply, otherwise ID.
	CorrelationID string
	// ContentType says how Body is sealed.
	ContentType string
	// CPAID is the collaboration agreement's id, or "".
	CPAID string
	// FromHerID and ToHerID are the parties on level 2, 0 when not given.
	FromHerID int
	ToHerID   int
	// SentAt is applicationTimeStamp: UTC, whole seconds on the wire.
	SentAt time.Time
	// TTL is how long the message may wait on the queue; 0 is for ever. Then it is
	// dead-lettered.
	TTL time.Duration
	// Properties are all other application properties.
	Properties map[string]string
	// Body is the sealed content. It is shared with the transport: nobody changes it.
	Body []byte
	// Redelivered is set on a received message that may have been delivered before.
	// A message without it may be a duplicate all the same.
	Redelivered bool
}

// Check returns apperr.Invalid or apperr.TooLarge for a message that no transport
// takes.
func (m *Message) Check() error {
	var fields []apperr.Field
	if m.ID == "" {
		fields = append(fields, apperr.Field{Path: "id", Rule: "a message has an id, so that its receiver knows it when it comes again"})
	}
	if m.To == "" {
		fields = append(fields, apperr.Field{Path: "to", Rule: "a message has a queue: the address registry names none for the receiver"})
	}
	if m.TTL < 0 {
		fields = append(fields, apperr.Field{Path: "ttl", Rule: "zero or more"})
	}
	if len(fields) > 0 {
		return apperr.InvalidFields("the message cannot be sent", fields...)
	}
	if len(m.Body) > MaxBody {
		return apperr.New(apperr.TooLarge, "the message has %d bytes: at most %d are sent", len(m.Body), MaxBody)
	}
	return nil
}

// Delivery is a received message that is not settled yet. Exactly one of Accept,
// Release and Reject is called, once. What stays unsettled when its link ends is
// delivered again, and the methods then return apperr.Conflict.
type Delivery interface {
	// Message is the message. It is not changed.
	Message() *Message
	// Accept takes the message off the queue for good. The receiver has stored it.
	Accept(ctx context.Context) error
	// Release gives it back, ahead of younger messages; it is delivered again at once.
	Release(ctx context.Context) error
	// Reject moves it to the queue's dead letters.
	Reject(ctx context.Context) error
}

// Receiver is a link to one queue.
type Receiver interface {
	// Receive waits for the next message. A lost connection is made again inside,
	// until ctx ends; then the error is ctx's. Any other error is final: the queue
	// does not exist (apperr.NotFound), or the receiver is closed.
	Receive(ctx context.Context) (Delivery, error)
	// Close ends the link. Unsettled messages go back to the queue.
	Close(ctx context.Context) error
}

// Transport sends and receives.
type Transport interface {
	// Receiver makes a link to a queue. credit is how many messages it may hold
	// unsettled, 1 to MaxCredit.
	Receiver(ctx context.Context, queue string, credit int) (Receiver, error)
	// Send returns nil only when the queue has accepted the message durably. After
	// apperr.Unavailable or the end of ctx it may have: the caller sends the same
	// message, with the same ID, again. It does not try again by itself.
	Send(ctx context.Context, m Message) error
	// Close ends all links and waits for what is under way.
	Close(ctx context.Context) error
}

// SelfTester is a Transport that can look at itself.
type SelfTester interface {
	// SelfTest looks at whether the own queues can be received from, and messages sent. Each
	// finding says what to do; there is none when all is well.
	SelfTest(ctx context.Context, queues []string) []error
}

// MaxCredit bounds the unsettled messages of one link. A message may have MaxBody.
const MaxCredit = 1000

// Sealer turns XML into a body that only the receiver can read and nobody can
// change, and back. Both HER-ids are of level 2.
type Sealer interface {
	// Seal makes xml the body of a message whose parties and function are known: it sets
	// Body, ContentType and CPAID.
	Seal(ctx context.Context, m *Message, xml []byte) error
	// Open returns a *Fault for what the sender has to be told. Any other error is
	// temporary or ours.
	Open(ctx context.Context, m *Message) (xml []byte, err error)
}

// ContentTypePlain is the content type of a body that is not sealed.
const ContentTypePlain = "text/plain"

// Plain does not seal: for the loopback transport, which never leaves the machine
// and carries invented patients only.
type Plain struct{}

var _ Sealer = Plain{}

// Seal takes the XML as it is.
func (Plain) Seal(_ context.Context, m *Message, xml []byte) error {
	m.Body, m.ContentType = xml, ContentTypePlain
	return nil
}

// Open returns the body as it is. A message that says it is sealed is refused.
func (Plain) Open(_ context.Context, m *Message) ([]byte, error) {
	if m.ContentType == "" {
		return nil, &Fault{Condition: ConditionInvalidFieldValue, Description: "One or more fields are missing", Data: []string{"ContentType"}}
	}
	if media, _, err := mime.ParseMediaType(m.ContentType); err != nil || media != ContentTypePlain {
		return nil, &Fault{Condition: ConditionUnsupportedMessage, Description: "this receiver opens plain text only"}
	}
	return m.Body, nil
}
