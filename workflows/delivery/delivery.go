// Package delivery sends a lifecycle's messages to Helsenorge and follows each to
// its receipt, its refusal or an alarm. It is a library, not a workflow: what is
// under way is part of the lifecycle's own state and travels with it.
//
//	accepted ──send──▶ sent ──receipt──▶ acknowledged | rejected | error-queue ──┐
//	 ▲  │                └──clock────▶ overdue  (operator case) ─────────────────┤
//	 │  ├──gives up──▶ failed          (operator case)                           │
//	 │  ├──a later message says it all──▶ superseded                             │
//	 │  └──an e-dialogue's message: shown in app and portal──▶ done              │
//	 └───────────────── once more, when staff ask for it ◀──────────────────────┘
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
	// outcomes lets a delivery be given up, or the ledger be changed, one at a time.
	outcomes workflow.Mutex
	busy     int
}

// New follows the deliveries in *open, which belongs to the lifecycle's state.
// sent may be nil.
func New(ctx workflow.Context, clinicID, dialogueID string, open *[]contract.Delivery,
	sent func(workflow.Context, contract.Delivery), closed func(workflow.Context, contract.Delivery, contract.Outcome, []string),
) *Deliveries {
	return &Deliveries{
		clinicID: clinicID, dialogueID: dialogueID, open: open,
		sent: sent, closed: closed, sending: workflow.NewMutex(ctx), outcomes: workflow.NewMutex(ctx),
	}
}

// Add takes on a message that is not under way already. It returns at once; the
// message is followed in a coroutine of its own.
func (d *Deliveries) Add(ctx workflow.Context, message contract.Delivery) {
	if d.find(message.OutboundID) >= 0 {
		return
	}
	*d.open = append(*d.open, message)
	d.start(ctx, message)
}

// Again takes on a message whose line on the ledger is open, whatever became of it
// before: the identical message once more (HITS 1216 §2.2.4). The refusal that brought
// it about may come in after it, and is not its own.
func (d *Deliveries) Again(ctx workflow.Context, message contract.Delivery) {
	if i := d.find(message.OutboundID); i >= 0 {
		if (*d.open)[i].SentAt.IsZero() {
			return // it is still to leave for the first time
		}
		*d.open = slices.Delete(*d.open, i, i+1)
	}
	message.AgainAt = workflow.Now(ctx)
	*d.open = append(*d.open, message)
	d.start(ctx, message)
}

// Resume follows again what the last run left open.
func (d *Deliveries) Resume(ctx workflow.Context) {
	for _, delivery := range *d.open {
		d.start(ctx, delivery)
	}
}

// Hold keeps every delivery from being given up until release is called, so that a
// change of the ledger and the end of a delivery are in the same order there and here.
func (d *Deliveries) Hold(ctx workflow.Context) (release func(), err error) {
	if err := d.outcomes.Lock(ctx); err != nil {
		return nil, err
	}
	return d.outcomes.Unlock, nil
}

// TakeReceipts closes the deliveries whose receipts have come. The ledger has the
// outcome already, and the operator case where there is one; an unknown or closed
// delivery is therefore left alone. troubled is the lifecycle's delivery that
// failed last: its late receipt ends the trouble. It tells whether any came.
func (d *Deliveries) TakeReceipts(ctx workflow.Context, signals *flow.Signals, troubled *string) (came bool) {
	for r, ok := signals.Receipt(); ok; r, ok = signals.Receipt() {
		came = true
		acknowledged := r.Outcome == contract.OutcomeAcknowledged
		switch i := d.find(r.OutboundID); {
		case i >= 0 && !acknowledged && r.At.Before((*d.open)[i].AgainAt): // it is why the message was sent again
		case i >= 0:
			d.close(ctx, i, r.Outcome, r.Codes...)
		case acknowledged && r.OutboundID == *troubled:
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
			d.giveUp(ctx, (*d.open)[0], contract.OutcomeFailed, ReasonCancelled)
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

// Due is when the next of the receipts that are waited for must have come, zero when
// none is.
func (d *Deliveries) Due() (due time.Time) {
	for _, o := range *d.open {
		if !o.ReceiptDue.IsZero() && (due.IsZero() || o.ReceiptDue.Before(due)) {
			due = o.ReceiptDue
		}
	}
	return due
}

// Describe adds to a status card where each message is.
func (d *Deliveries) Describe(card *flow.Card) {
	for _, o := range *d.open {
		switch {
		case !o.SentAt.IsZero():
			card.Fact("message %s: sent, receipt expected before %s", o.Code, flow.When(o.ReceiptDue))
		case o.Code == contract.InHouse:
			card.Fact("a message is being shown to whom it is for")
		default:
			card.Fact("message %s: waits for Helsenorge's queue", o.Code)
		}
	}
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

func (d *Deliveries) start(ctx workflow.Context, message contract.Delivery) {
	workflow.GoNamed(ctx, "delivery "+message.OutboundID, func(ctx workflow.Context) { d.follow(ctx, message) })
}

func (d *Deliveries) follow(ctx workflow.Context, message contract.Delivery) {
	if !d.send(ctx, message) {
		return
	}
	i := d.same(message)
	if i < 0 {
		return
	}
	var clock flow.Clock
	defer clock.Stop()
	due := (*d.open)[i].ReceiptDue
	closed := func() bool { return d.same(message) < 0 }
	if ok, err := clock.AwaitUntil(ctx, due, "wait for Helsenorge's receipt", closed); ok || err != nil {
		return
	}
	d.giveUp(ctx, message, contract.OutcomeOverdue, "")
}

// send hands the message over once all before it have gone, and tells whether it is
// worth waiting for a receipt.
func (d *Deliveries) send(ctx workflow.Context, message contract.Delivery) bool {
	if err := d.sending.Lock(ctx); err != nil {
		return false
	}
	defer d.sending.Unlock()
	i := d.same(message)
	if i < 0 {
		return false
	}
	if !(*d.open)[i].SentAt.IsZero() {
		return true
	}
	if message.Code == contract.InHouse {
		d.publish(ctx, message)
		return false
	}
	d.busy++
	summary := "send message " + message.Code + " to Helsenorge"
	if message.Revision > 0 {
		summary = "tell Helsenorge of the appointment: " + message.Code
	}
	out, err := flow.Do(ctx, flow.SendToHelsenorge, summary, contract.HelsenorgeActivities.SendMessage,
		contract.SendMessageInput{ClinicID: d.clinicID, OutboundID: message.OutboundID})
	d.busy--
	if !d.done(ctx, message, err) {
		return false
	}
	if out.Superseded {
		if i = d.same(message); i >= 0 {
			d.close(ctx, i, contract.OutcomeSuperseded)
		}
		return false
	}
	delivery := message
	delivery.SentAt, delivery.ReceiptDue = out.SentAt, out.ReceiptDue
	// The receipt may have overtaken the activity's result and closed it.
	if i = d.same(message); i >= 0 {
		(*d.open)[i] = delivery
	}
	if d.sent != nil {
		d.busy++
		d.sent(ctx, delivery)
		d.busy--
	}
	return true
}

// publish is how a message leaves that never meets Helsenorge: it is shown in the
// house, which is its terminal outcome.
func (d *Deliveries) publish(ctx workflow.Context, message contract.Delivery) {
	d.busy++
	_, err := flow.Do(ctx, flow.Record, "show the message to whom it is for", contract.DialogueActivities.PublishMessage,
		contract.PublishMessageInput{ClinicID: d.clinicID, DialogueID: d.dialogueID, OutboundID: message.OutboundID, Now: workflow.Now(ctx)})
	d.busy--
	if !d.done(ctx, message, err) {
		return
	}
	if i := d.same(message); i >= 0 {
		d.close(ctx, i, contract.OutcomeDone)
	}
}

// done tells whether the activity did what it was asked for. If it could not, the
// delivery is given up; if it was cancelled, the lifecycle's own clean-up gives every
// delivery its outcome.
func (d *Deliveries) done(ctx workflow.Context, message contract.Delivery, err error) bool {
	if err != nil && !temporal.IsCanceledError(err) {
		d.giveUp(ctx, message, contract.OutcomeFailed, string(apperr.KindOf(err)))
	}
	return err == nil
}

// giveUp writes the outcome that no receipt brought. A receipt that was stored
// meanwhile wins. What has begun goes all the way: a cancellation must not leave the
// delivery without its outcome.
func (d *Deliveries) giveUp(ctx workflow.Context, message contract.Delivery, outcome contract.Outcome, reason string) {
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	d.busy++
	defer func() { d.busy-- }()
	release, err := d.Hold(ctx)
	if err != nil {
		return // not on a disconnected context
	}
	defer release()
	if d.same(message) < 0 {
		return
	}
	id := message.OutboundID
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
	if i := d.same(message); i >= 0 {
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

// same finds the delivery as it was taken on: -1 when it is closed, or was taken on
// once more since.
func (d *Deliveries) same(message contract.Delivery) int {
	if i := d.find(message.OutboundID); i >= 0 && (*d.open)[i].AgainAt.Equal(message.AgainAt) {
		return i
	}
	return -1
}
