// Package channel is how the clinic's own notices leave Helsebro: by e-mail, SMS and
// Web Push, to a patient whom Helsenorge does not tell (S90). The packages below it
// are one provider's protocol each; sink is the counterpart that tests and the
// development stack send to.
//
// What matters most about a send is what is known after it failed. A sender
// therefore fails in one of two ways only, and whoever calls branches on both:
//
//   - *Refused: the provider certainly does not have the message.
//   - *Unknown: it may have it, and the message is never sent again on that channel.
package channel

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Message is one notice on one channel, ready to leave.
type Message struct {
	// Key is the idempotency key at the provider: notice and channel, never the
	// attempt or the time. It is 1 to 200 letters, digits, dots, hyphens, underscores
	// and slashes, without a dot at an end or next to another, and opaque: the
	// recipient may see it.
	Key string
	// To is an e-mail address, an E.164 phone number, or a browser's push
	// subscription as JSON.
	To string
	// Subject is the line above the text; SMS has none and leaves it out.
	Subject string
	// Body is plain text in UTF-8.
	Body string
	// ExpiresAt is when the notice is no longer worth its arrival. From then on it is
	// not sent, and a provider that can drop it does.
	ExpiresAt time.Time
}

var key = regexp.MustCompile(`^[A-Za-z0-9_/-]+(\.[A-Za-z0-9_/-]+)*$`)

// Check refuses what no provider should see: an unusable key, nobody to send to, no
// text, or a notice that has expired at now. The error is a *Refused, for good.
func (m Message) Check(now time.Time) error {
	switch {
	case len(m.Key) > 200 || !key.MatchString(m.Key):
		return &Refused{Permanent: true, Code: "key", Cause: errors.New("the key must be 1 to 200 letters, digits and signs of a Message-ID")}
	case m.To == "":
		return &Refused{Permanent: true, Code: CodeAddress, Cause: errors.New("there is no address")}
	case m.Body == "":
		return &Refused{Permanent: true, Code: "text", Cause: errors.New("there is no text")}
	case !now.Before(m.ExpiresAt):
		return &Refused{Permanent: true, Code: CodeExpired, Cause: errors.New("it has expired")}
	}
	return nil
}

// Codes of a refusal that this side makes before a provider is asked.
const (
	// CodeAddress says that the address is none of this channel.
	CodeAddress = "address"
	// CodeExpired says that the notice was overtaken by its ExpiresAt.
	CodeExpired = "expired"
)

// State is how far a message is known to have come (D12).
type State string

// The states. What is delivered stays delivered, whatever is reported later.
const (
	// Accepted: the provider has it and will try.
	Accepted State = "accepted"
	// Delivered: it is on the recipient's device.
	Delivered State = "delivered"
	// Failed: the provider has given it up.
	Failed State = "failed"
	// Expired: the provider dropped it because its time was over.
	Expired State = "expired"
)

// Result is a message that the provider has.
type Result struct {
	// State is Accepted or Delivered.
	State State
	// ProviderID is the provider's own name of it, "" where there is none.
	ProviderID string
}

// Sender sends on one channel.
type Sender interface {
	// Send hands a message to the provider, once: it never tries again by itself. A
	// repeat with the same key is the caller's, allowed after a *Refused that is not
	// permanent. Every error is a *Refused or an *Unknown; a ctx that ended is the
	// cause of one of them.
	Send(ctx context.Context, m Message) (Result, error)
}

// Refused says that the provider certainly does not have the message.
type Refused struct {
	// Permanent says that the same message to the same address is refused again: it
	// is time for the next channel. Otherwise the same channel may be tried again.
	Permanent bool
	// Gone says that the address itself no longer exists and should be forgotten: a
	// push subscription that the browser has given up.
	Gone bool
	// Code is the step and the provider's status, such as "rcpt 550 5.1.1" or
	// "http 429": fit for ledger and metrics.
	Code string
	// After is how long the provider asks to be left alone; zero if it did not say.
	After time.Duration
	// Cause is this side's reason, where there is one. It holds no address or text.
	Cause error
}

// Error holds no address and no text.
func (e *Refused) Error() string {
	how := "for now"
	if e.Permanent {
		how = "for good"
	}
	return withCause(fmt.Sprintf("the message was refused %s (%s)", how, e.Code), e.Cause)
}

// Unwrap returns the cause.
func (e *Refused) Unwrap() error { return e.Cause }

// Unknown says that the provider may have the message: the end of the conversation
// was lost, or nobody can say what the answer meant. It is never sent again on that
// channel; a later receipt may tell.
type Unknown struct {
	// Code is the step that was lost, such as "end" or "http 502".
	Code string
	// Cause is this side's reason, where there is one. It holds no address or text.
	Cause error
}

// Error holds no address and no text.
func (e *Unknown) Error() string {
	return withCause(fmt.Sprintf("it is not known whether the message was taken (%s)", e.Code), e.Cause)
}

// Unwrap returns the cause.
func (e *Unknown) Unwrap() error { return e.Cause }

func withCause(text string, cause error) string {
	if cause != nil {
		text += ": " + cause.Error()
	}
	return text
}
