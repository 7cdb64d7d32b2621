package loopback

import (
	"time"

	"github.com/helsebro/helsebro/internal/transport"
)

// wireMessage is a message in JSON, in the file and over HTTP.
type wireMessage struct {
	ID            string            `json:"id"`
	Subject       string            `json:"subject,omitempty"`
	To            string            `json:"to"`
	ReplyTo       string            `json:"replyTo,omitempty"`
	CorrelationID string            `json:"correlationId,omitempty"`
	ContentType   string            `json:"contentType,omitempty"`
	CPAID         string            `json:"cpaId,omitempty"`
	FromHerID     int               `json:"fromHerId,omitempty"`
	ToHerID       int               `json:"toHerId,omitempty"`
	SentAt        time.Time         `json:"applicationTimeStamp,omitzero"`
	TTL           time.Duration     `json:"ttl,omitempty"` // nanoseconds
	Properties    map[string]string `json:"properties,omitempty"`
	Body          []byte            `json:"body"`
	Redelivered   bool              `json:"redelivered,omitempty"`
}

func wire(m *transport.Message) *wireMessage {
	w := wireMessage(*m)
	if !w.SentAt.IsZero() {
		w.SentAt = w.SentAt.UTC().Truncate(time.Second) // as applicationTimeStamp has it
	}
	return &w
}

func (w *wireMessage) message() transport.Message { return transport.Message(*w) }

// The routes, below the server's address.
const (
	pathSend   = "/loopback/messages"
	pathLinks  = "/loopback/links"
	pathSettle = "/loopback/settlements"
	pathQueues = "/loopback/queues"
)

// bodyLimit bounds a request: the largest message in base64, and its properties.
const bodyLimit = transport.MaxBody*4/3 + 1<<20

// openLink asks for a link.
type openLink struct {
	Queue  string `json:"queue"`
	Credit int    `json:"credit"`
}

// frame is a line of the answer to openLink: first Link and Heartbeat, then
// deliveries, and an empty frame as a heartbeat.
type frame struct {
	Link string `json:"link,omitempty"`
	// Heartbeat is the longest silence, in milliseconds.
	Heartbeat int64        `json:"heartbeatMs,omitempty"`
	Delivery  uint64       `json:"delivery,omitempty"`
	Message   *wireMessage `json:"message,omitempty"`
}

// settlement is a receiver's decision.
type settlement struct {
	Link     string  `json:"link"`
	Delivery uint64  `json:"delivery"`
	Outcome  outcome `json:"outcome"`
}

// declaration names queues to make.
type declaration struct {
	Queues []string `json:"queues"`
}
