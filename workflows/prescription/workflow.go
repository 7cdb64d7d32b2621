package prescription

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/delivery"
	"github.com/helsebro/helsebro/workflows/flow"
)

// Workflow is the lifecycle of one renewal request, registered as
// contract.PrescriptionWorkflow.
func Workflow(ctx workflow.Context, in contract.PrescriptionInput) error {
	r := &run{in: in}
	if err := r.setup(ctx); err != nil {
		return err
	}
	return r.live(ctx)
}

// run is one run of the workflow.
type run struct {
	in    contract.PrescriptionInput
	state contract.PrescriptionState

	messages workflow.ReceiveChannel
	receipts workflow.ReceiveChannel
	// loaded is false while a resumed run reads its state: commands wait for it.
	loaded bool
	// unplaced are messages that the last run left behind.
	unplaced []contract.MessageReceived
	// ending is true once an operator has cancelled: no command is taken any more.
	ending     bool
	deliveries *delivery.Deliveries
	shown      contract.Status
}

// setup registers the handlers before anything can block, then restores state.
func (r *run) setup(ctx workflow.Context) error {
	r.messages = workflow.GetSignalChannel(ctx, contract.SignalMessageReceived)
	r.receipts = workflow.GetSignalChannel(ctx, contract.SignalReceiptReceived)
	r.state.Status = contract.StatusReceived
	if r.in.State != nil {
		r.state = *r.in.State
	}
	r.shown = r.state.Status
	r.deliveries = delivery.New(ctx, r.in.ClinicID, r.in.DialogueID, &r.state.Open, nil, r.closed)
	if err := r.handle(ctx); err != nil {
		return err
	}
	if r.in.Resume && r.in.State == nil {
		if err := r.load(ctx); err != nil {
			return r.cancelled(ctx, err)
		}
	}
	r.loaded = true
	r.deliveries.Resume(ctx)
	return nil
}

// load restores what PostgreSQL knows of a request whose last run has ended.
func (r *run) load(ctx workflow.Context) error {
	out, err := flow.Do(ctx, flow.Record, "read the request as it stands", contract.LedgerActivities.LoadDialogue,
		contract.LoadDialogueInput{ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID})
	if err != nil {
		return err
	}
	r.state = contract.PrescriptionState{
		Status: contract.StatusReceived, Seen: out.Seen, LatestMessageID: out.LatestMessageID,
		Messages: out.Messages, AnswerID: out.AnswerID, AnswerCode: out.AnswerCode, Open: out.Open,
	}
	r.unplaced = out.Unplaced
	return nil
}

// live is the request: do what has come, show it, wait for more.
func (r *run) live(ctx workflow.Context) error {
	for {
		for r.takeMessage(ctx) {
		}
		r.takeReceipts()
		if r.waiting() {
			continue
		}
		if err := r.show(ctx); err != nil {
			return err
		}
		done := func() bool { return r.finished() && workflow.AllHandlersFinished(ctx) }
		if done() {
			return nil
		}
		if r.mayRenew(ctx) {
			return r.renew(ctx)
		}
		if err := workflow.Await(ctx, func() bool {
			return r.waiting() || r.status() != r.shown || done() || r.mayRenew(ctx)
		}); err != nil {
			return r.cancelled(ctx, err)
		}
	}
}

// waiting tells whether a signal has come that is not yet taken.
func (r *run) waiting() bool { return r.messages.Len() > 0 || r.receipts.Len() > 0 }

// finished tells whether the one answer has its terminal outcome.
func (r *run) finished() bool {
	return r.state.AnswerID != "" && len(r.state.Open) == 0 && !r.deliveries.Busy()
}

// mayRenew tells whether the run should and can continue as new: never while an
// activity or a handler is under way, whose result would be lost.
func (r *run) mayRenew(ctx workflow.Context) bool {
	return flow.ShouldRenew(ctx) && !r.deliveries.Busy() && workflow.AllHandlersFinished(ctx)
}

// renew continues as new with the state. live calls it with empty channels:
// the server would not hand an untaken signal over.
func (r *run) renew(ctx workflow.Context) error {
	state := r.state
	return workflow.NewContinueAsNewError(ctx, contract.PrescriptionWorkflow, contract.PrescriptionInput{
		ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID, State: &state,
	})
}

// cancelled is an operator's cancellation: what has come is still put where people
// read it, an unanswered request becomes a case and the delivery gets its outcome,
// on a context that the cancellation does not reach.
func (r *run) cancelled(ctx workflow.Context, cause error) error {
	if !temporal.IsCanceledError(cause) {
		return cause
	}
	r.ending = true
	clean, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	idle := func() bool { return !r.deliveries.Busy() && workflow.AllHandlersFinished(ctx) }
	for {
		for r.takeMessage(clean) {
		}
		r.takeReceipts()
		r.deliveries.Abandon(clean)
		if !r.waiting() && len(r.state.Open) == 0 && idle() {
			break
		}
		if err := workflow.Await(clean, func() bool { return r.waiting() || len(r.state.Open) > 0 || idle() }); err != nil {
			return err
		}
	}
	if r.state.AnswerID == "" && r.state.Messages > 0 {
		r.openCase(clean, contract.CaseCancelled, r.state.LatestMessageID, delivery.ReasonCancelled)
	}
	return cause
}

// takeMessage handles one message of the citizen and tells whether there was one.
func (r *run) takeMessage(ctx workflow.Context) bool {
	var m contract.MessageReceived
	if len(r.unplaced) > 0 {
		m, r.unplaced = r.unplaced[0], r.unplaced[1:]
	} else if !r.messages.ReceiveAsync(&m) {
		return false
	}
	// Once taken, a request goes all the way: a cancellation must not leave it
	// between the signal and the inbox.
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	var fresh bool
	if r.state.Seen, fresh = flow.Remember(r.state.Seen, m.MsgID); !fresh {
		return true
	}
	r.state.Messages++
	placed, err := flow.Do(ctx, flow.Record, "put the request in the inbox", contract.InboxActivities.DeliverToInbox,
		contract.DeliverToInboxInput{ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID, MessageID: m.MessageID})
	switch {
	case err != nil:
		r.openCase(ctx, contract.CaseNotDelivered, m.MessageID, string(apperr.KindOf(err)))
	case placed.CaseOpened:
		r.state.Cases++
	}
	if m.Function != contract.FunctionUnread {
		r.state.LatestMessageID = m.MessageID
	}
	return true
}

// takeReceipts handles Helsenorge's receipts.
func (r *run) takeReceipts() {
	var receipt contract.ReceiptReceived
	for r.receipts.ReceiveAsync(&receipt) {
		if !r.deliveries.Receipt(receipt) && receipt.Outcome == contract.OutcomeAcknowledged && receipt.OutboundID == r.state.Troubled {
			r.state.Troubled = "" // it came late, but it came
		}
	}
}

// closed takes note of the answer's terminal outcome.
func (r *run) closed(d contract.Delivery, outcome contract.Outcome) {
	if outcome == contract.OutcomeAcknowledged {
		return
	}
	r.state.Cases++
	r.state.Troubled = d.OutboundID
	if outcome != contract.OutcomeOverdue {
		// The citizen has no answer: the clinic may give another one.
		r.state.AnswerID, r.state.AnswerCode = "", ""
	}
}

func (r *run) openCase(ctx workflow.Context, kind contract.CaseKind, messageID, reason string) {
	r.state.Cases++
	if _, err := flow.Do(ctx, flow.Record, "open operator case "+string(kind), contract.LedgerActivities.OpenCase, contract.OpenCaseInput{
		ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID, MessageID: messageID, Kind: kind, Reason: reason,
	}); err != nil {
		workflow.GetLogger(ctx).Error("operator case could not be opened", "case", string(kind), "kind", string(apperr.KindOf(err)))
	}
}
