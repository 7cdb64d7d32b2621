// Package fakes stands in for the activities in tests of lifecycles: it keeps
// what was asked of it and can be told to fail.
package fakes

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/helsebro/helsebro/internal/contract"
)

// Activities implements every group of contract.
type Activities struct {
	// Activities run beside the test, not inside a workflow: this is no lifecycle's lock.
	mu    sync.Mutex
	calls []string
	fail  map[string]error
	// appointments is changed by Set only, dialogues by SetDialogues.
	appointments Appointments
	dialogues    Dialogues
	// Loaded is what LoadDialogue answers.
	Loaded contract.LoadDialogueOutput
	// Stands is the outcome that CloseDelivery answers, when not the one asked for.
	Stands contract.Outcome
	// ReceiptIn is how long a receipt may take, from the test's own start: an
	// activity does not see the environment's clock. Default ten days.
	ReceiptIn time.Duration
}

var (
	_ contract.InboxActivities      = (*Activities)(nil)
	_ contract.JournalActivities    = (*Activities)(nil)
	_ contract.HelsenorgeActivities = (*Activities)(nil)
	_ contract.LedgerActivities     = (*Activities)(nil)
)

// Fail makes every call of the named activity fail. It is no method, since a
// worker takes every exported method for an activity.
func Fail(a *Activities, name string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail == nil {
		a.fail = map[string]error{}
	}
	a.fail[name] = err
}

// Calls lists what was asked, in order: activity name, blank, the id it is about.
func Calls(a *Activities) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.calls...)
}

func (a *Activities) called(name, about string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, name+" "+about)
	return a.fail[name]
}

// DeliverToInbox implements contract.InboxActivities.
func (a *Activities) DeliverToInbox(_ context.Context, in contract.DeliverToInboxInput) (contract.DeliverToInboxOutput, error) {
	return rule(a, "DeliverToInbox "+in.MessageID, func(d *Dialogues) (contract.DeliverToInboxOutput, error) {
		return contract.DeliverToInboxOutput{Places: 1, Rule: "selected", Clock: d.Clocks[in.MessageID], NothingOwed: d.Overtaken[in.MessageID]}, nil
	})
}

// WriteJournalEntry implements contract.JournalActivities.
func (a *Activities) WriteJournalEntry(_ context.Context, in contract.WriteJournalEntryInput) (contract.WriteJournalEntryOutput, error) {
	return contract.WriteJournalEntryOutput{EntryID: "entry"}, a.called("WriteJournalEntry", in.MessageID+" "+string(in.Direction))
}

// SendMessage implements contract.HelsenorgeActivities.
func (a *Activities) SendMessage(ctx context.Context, in contract.SendMessageInput) (contract.SendMessageOutput, error) {
	at := activity.GetInfo(ctx).StartedTime.UTC()
	due := a.ReceiptIn
	if due == 0 {
		due = 10 * 24 * time.Hour
	}
	return contract.SendMessageOutput{SentAt: at, ReceiptDue: at.Add(due), Superseded: a.superseded(in.OutboundID)}, a.called("SendMessage", in.OutboundID)
}

// SendReceipt implements contract.HelsenorgeActivities.
func (a *Activities) SendReceipt(_ context.Context, in contract.SendReceiptInput) (contract.SendReceiptOutput, error) {
	return contract.SendReceiptOutput{}, a.called("SendReceipt", in.MessageID)
}

// SendRefusal implements contract.HelsenorgeActivities.
func (a *Activities) SendRefusal(_ context.Context, in contract.SendRefusalInput) (contract.SendRefusalOutput, error) {
	return contract.SendRefusalOutput{}, a.called("SendRefusal", in.MessageID)
}

// ReportTransportError implements contract.HelsenorgeActivities.
func (a *Activities) ReportTransportError(_ context.Context, in contract.ReportTransportErrorInput) (contract.ReportTransportErrorOutput, error) {
	return contract.ReportTransportErrorOutput{}, a.called("ReportTransportError", in.MessageID)
}

// LoadDialogue implements contract.LedgerActivities.
func (a *Activities) LoadDialogue(_ context.Context, in contract.LoadDialogueInput) (contract.LoadDialogueOutput, error) {
	return a.Loaded, a.called("LoadDialogue", in.DialogueID)
}

// CloseDelivery implements contract.LedgerActivities.
func (a *Activities) CloseDelivery(_ context.Context, in contract.CloseDeliveryInput) (contract.CloseDeliveryOutput, error) {
	outcome := in.Outcome
	if a.Stands != "" {
		outcome = a.Stands
	}
	return contract.CloseDeliveryOutput{Outcome: outcome}, a.called("CloseDelivery", in.OutboundID+" "+string(in.Outcome)+" "+in.Reason)
}

// OpenCase implements contract.LedgerActivities.
func (a *Activities) OpenCase(_ context.Context, in contract.OpenCaseInput) (contract.OpenCaseOutput, error) {
	return contract.OpenCaseOutput{CaseID: "case"}, a.called("OpenCase", string(in.Kind)+" "+in.MessageID+" "+in.Reason)
}
