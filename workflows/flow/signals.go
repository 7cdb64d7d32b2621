package flow

import (
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
)

// Signals is what the listener tells a lifecycle: messages and receipts (S8).
// Untaken signals are lost by a run that ends or continues as new, so a run does
// neither while Waiting, unless it hands them over.
type Signals struct {
	messages, receipts workflow.ReceiveChannel
	left               []contract.MessageReceived
}

// Listen opens the channels. It is called before anything can block.
func Listen(ctx workflow.Context) *Signals {
	return &Signals{
		messages: workflow.GetSignalChannel(ctx, contract.SignalMessageReceived),
		receipts: workflow.GetSignalChannel(ctx, contract.SignalReceiptReceived),
	}
}

// TakeFirst puts messages that the last run left behind before all others.
func (s *Signals) TakeFirst(left []contract.MessageReceived) { s.left = left }

// Waiting tells whether a signal has come that is not yet taken.
func (s *Signals) Waiting() bool {
	return len(s.left) > 0 || s.messages.Len() > 0 || s.receipts.Len() > 0
}

// Message takes the next message, if there is one.
func (s *Signals) Message() (m contract.MessageReceived, ok bool) {
	if len(s.left) > 0 {
		m, s.left = s.left[0], s.left[1:]
		return m, true
	}
	ok = s.messages.ReceiveAsync(&m)
	return m, ok
}

// Hand takes the messages that wait, for the next run to take first: the server does not
// hand a signal over that has reached this one. Nothing is taken when more than limit
// wait. Receipts are taken before.
func (s *Signals) Hand(limit int) (waiting []contract.MessageReceived, ok bool) {
	if len(s.left)+s.messages.Len() > limit {
		return nil, false
	}
	for m, ok := s.Message(); ok; m, ok = s.Message() {
		waiting = append(waiting, m)
	}
	return waiting, true
}

// Receipt takes the next receipt, if there is one.
func (s *Signals) Receipt() (r contract.ReceiptReceived, ok bool) {
	ok = s.receipts.ReceiveAsync(&r)
	return r, ok
}
