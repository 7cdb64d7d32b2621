// Package delivery sends a lifecycle's messages to Helsenorge and follows each to
// its receipt, its refusal or an alarm. It is a library, not a workflow: what is
// under way is part of the lifecycle's own state and travels with it.
//
//	accepted ──send──▶ sent ──receipt──▶ acknowledged | rejected | error-queue
//	    │                └──clock────▶ overdue  (operator case)
//	    ├──gives up──▶ failed          (operator case)
//	    └──a later message says it all──▶ superseded
package delivery

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// ReasonCancelled is the ledger's reason when an operator cancelled the lifecycle.
const ReasonCancelled = "cancelled-by-operator"

// Deliveries follows the messages of one lifecycle.
type Deliveries struct {
	clinicID, dialogueID string
	open                 *[]contract.Delivery
	// sent runs once Helsenorge's queue has accepted a message, in the delivery's own
	// coroutine; closed runs once it has its terminal outcome, with the codes of the
	// receipt that brought it, and must not block.
	sent   func(workflow.Context, contract.Delivery)
	closed func(workflow.Context, contract.Delivery, contract.Outcome, []string)
	// sending makes messages leave in the order in which they were accepted.
	sending workflow.Mutex
	busy    int
	// stopClocks is set by lifecycles whose histories stop the timer of a receipt
	// that has come.
	stopClocks bool
}

// New follows the deliveries in *open, which belongs to the lifecycle's state.
// sent may be nil.
func New(ctx workflow.Context, clinicID, dialogueID string, open *[]contract.Delivery,
	sent func(workflow.Context, contract.Delivery), closed func(workflow.Context, contract.Delivery, contract.Outcome, []string),
) *Deliveries {
	return &Deliveries{
		clinicID: clinicID, dialogueID: dialogueID, open: open,
		sent: sent, closed: closed, sending: workflow.NewMutex(ctx),
	}
}

// StopClocks makes each delivery stop its timer when the receipt has come. A
// lifecycle calls it from its first version on, or never: its commands depend on it.
func (d *Deliveries) StopClocks() { d.stopClocks = true }

// Add takes on a message that is not under way already. It returns at once; the
// message is followed in a coroutine of its own.
func (d *Deliveries) Add(ctx workflow.Context, message contract.Delivery) {
	if d.find(message.OutboundID) >= 0 {
		return
	}
	*d.open = append(*d.open, message)
	d.start(ctx, message.OutboundID)
}

// Resume follows again what the last run left open.
func (d *Deliveries) Resume(ctx workflow.Context) {
	for _, delivery := range *d.open {
		d.start(ctx, delivery.OutboundID)
	}
}

// TakeReceipts closes the deliveries whose receipts have come. The ledger has the
// outcome already, and the operator case where there is one; an unknown or closed
// delivery is therefore left alone. troubled is the lifecycle's delivery that
// failed last: its late receipt ends the trouble. It tells whether any came.
func (d *Deliveries) TakeReceipts(ctx workflow.Context, signals *flow.Signals, troubled *string) (came bool) {
	for r, ok := signals.Receipt(); ok; r, ok = signals.Receipt() {
		came = true
		if i := d.find(r.OutboundID); i >= 0 {
			d.close(ctx, i, r.Outcome, r.Codes...)
		} else if r.Outcome == contract.OutcomeAcknowledged && r.OutboundID == *troubled {
			*troubled = "" // it came late, but it came
		}
	}
	return came
}

// WindDown is an operator's cancellation of the lifecycle: take takes what still
// comes, every delivery gets its outcome, and nothing is under way when it returns.
// ctx must be disconnected from the cancelled one.
func (d *Deliveries) WindDown(ctx workflow.Context, signals *flow.Signals, take func(workflow.Context)) error {
	for {
		take(ctx)
		for len(*d.open) > 0 {
			d.giveUp(ctx, (*d.open)[0].OutboundID, contract.OutcomeFailed, ReasonCancelled)
		}
		if !signals.Waiting() && len(*d.open) == 0 && d.Idle(ctx) {
			return nil
		}
		if err := workflow.Await(ctx, func() bool { return signals.Waiting() || len(*d.open) > 0 || d.Idle(ctx) }); err != nil {
			return err
		}
	}
}

// Unsent tells whether a message waits to be taken by Helsenorge's queue.
func (d *Deliveries) Unsent() bool {
	return slices.ContainsFunc(*d.open, func(o contract.Delivery) bool { return o.SentAt.IsZero() })
}

// Busy tells whether an activity is under way or about to be. A run must not end or
// continue as new while one is: its result would be lost.
func (d *Deliveries) Busy() bool { return d.busy > 0 || d.Unsent() }

// Idle tells whether neither an activity nor a handler of the lifecycle is under way.
func (d *Deliveries) Idle(ctx workflow.Context) bool {
	return !d.Busy() && workflow.AllHandlersFinished(ctx)
}

// MayRenew tells whether the run should and can continue as new.
func (d *Deliveries) MayRenew(ctx workflow.Context) bool { return flow.ShouldRenew(ctx) && d.Idle(ctx) }

func (d *Deliveries) start(ctx workflow.Context, outboundID string) {
	workflow.GoNamed(ctx, "delivery "+outboundID, func(ctx workflow.Context) { d.follow(ctx, outboundID) })
}

func (d *Deliveries) follow(ctx workflow.Context, id string) {
	if !d.send(ctx, id) {
		return
	}
	i := d.find(id)
	if i < 0 {
		return
	}
	closed := func() bool { return d.find(id) < 0 }
	due := (*d.open)[i].ReceiptDue
	if ok, err := d.awaitUntil(ctx, due, "wait for Helsenorge's receipt until "+due.Format(time.RFC3339), closed); ok || err != nil {
		return
	}
	d.giveUp(ctx, id, contract.OutcomeOverdue, "")
}

func (d *Deliveries) awaitUntil(ctx workflow.Context, at time.Time, summary string, condition func() bool) (bool, error) {
	if !d.stopClocks {
		return flow.AwaitUntil(ctx, at, summary, condition)
	}
	var clock flow.Clock
	defer clock.Stop()
	return clock.AwaitUntil(ctx, at, summary, condition)
}

// send hands the message to Helsenorge once all before it have gone, and tells
// whether it is worth waiting for a receipt.
func (d *Deliveries) send(ctx workflow.Context, id string) bool {
	if err := d.sending.Lock(ctx); err != nil {
		return false
	}
	defer d.sending.Unlock()
	i := d.find(id)
	if i < 0 {
		return false
	}
	if !(*d.open)[i].SentAt.IsZero() {
		return true
	}
	delivery := (*d.open)[i]
	d.busy++
	summary := "send answer " + delivery.Code + " to Helsenorge"
	if delivery.Revision > 0 {
		summary = "tell Helsenorge of the appointment: " + delivery.Code
	}
	out, err := flow.Do(ctx, flow.SendToHelsenorge, summary,
		contract.HelsenorgeActivities.SendMessage,
		contract.SendMessageInput{ClinicID: d.clinicID, OutboundID: id})
	d.busy--
	if temporal.IsCanceledError(err) {
		return false // the lifecycle's own clean-up gives every delivery its outcome
	}
	if err != nil {
		d.giveUp(ctx, id, contract.OutcomeFailed, string(apperr.KindOf(err)))
		return false
	}
	if out.Superseded {
		if i = d.find(id); i >= 0 {
			d.close(ctx, i, contract.OutcomeSuperseded)
		}
		return false
	}
	delivery.SentAt, delivery.ReceiptDue = out.SentAt, out.ReceiptDue
	// The receipt may have overtaken the activity's result and closed it.
	if i = d.find(id); i >= 0 {
		(*d.open)[i] = delivery
	}
	if d.sent != nil {
		d.busy++
		d.sent(ctx, delivery)
		d.busy--
	}
	return true
}

// giveUp writes the outcome that no receipt brought. A receipt that was stored
// meanwhile wins.
func (d *Deliveries) giveUp(ctx workflow.Context, id string, outcome contract.Outcome, reason string) {
	d.busy++
	defer func() { d.busy-- }()
	out, err := flow.Do(ctx, flow.Record, "close delivery: "+string(outcome),
		contract.LedgerActivities.CloseDelivery,
		contract.CloseDeliveryInput{ClinicID: d.clinicID, DialogueID: d.dialogueID, OutboundID: id, Outcome: outcome, Reason: reason})
	if err != nil {
		// The ledger does not know the answer: then at least an operator does.
		out.Outcome = outcome
		flow.OpenCase(ctx, contract.OpenCaseInput{
			ClinicID: d.clinicID, DialogueID: d.dialogueID, MessageID: id, Kind: contract.CaseNotSent, Reason: string(apperr.KindOf(err)),
		})
	}
	if i := d.find(id); i >= 0 {
		d.close(ctx, i, out.Outcome)
	}
}

func (d *Deliveries) close(ctx workflow.Context, i int, outcome contract.Outcome, codes ...string) {
	delivery := (*d.open)[i]
	*d.open = slices.Delete(*d.open, i, i+1)
	d.closed(ctx, delivery, outcome, codes)
}

func (d *Deliveries) find(id string) int {
	return slices.IndexFunc(*d.open, func(o contract.Delivery) bool { return o.OutboundID == id })
}
