package prescription

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/answerclock"
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

	signals *flow.Signals
	// turn lets one change at a time be applied, changing is true while one is: the
	// answer waits for it.
	turn     workflow.Mutex
	changing bool
	// loaded is false while a resumed run reads its state: commands wait for it.
	loaded bool
	// ending is true once an operator has cancelled: no command is taken any more.
	ending     bool
	deliveries *delivery.Deliveries
	clock      *answerclock.Clock
	shown      contract.Status
}

// setup registers the handlers before anything can block, then restores state.
func (r *run) setup(ctx workflow.Context) error {
	r.signals = flow.Listen(ctx)
	r.turn = workflow.NewMutex(ctx)
	r.state.Status = contract.StatusReceived
	if r.in.State != nil {
		r.state = *r.in.State
	}
	r.shown = r.state.Status
	r.deliveries = delivery.New(ctx, r.in.ClinicID, r.in.DialogueID, &r.state.Open, r.sent, r.closed)
	r.clock = answerclock.New(r.in.ClinicID, r.in.DialogueID, &r.state.Clock, &r.state.Escalated, r.escalated)
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
	r.clock.Run(ctx)
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
		Status: contract.StatusReceived, Seen: out.Seen, Accepted: out.Accepted, LatestMessageID: out.LatestMessageID,
		Messages: out.Messages, AnswerID: out.AnswerID, AnswerCode: out.AnswerCode, Open: out.Open, Clock: out.Clock,
		Escalated: out.Escalated, Troubled: out.Troubled,
	}
	r.signals.TakeFirst(out.Unplaced)
	return nil
}

// live is the request: do what has come, show it, wait for more.
func (r *run) live(ctx workflow.Context) error {
	for {
		r.take(ctx)
		if r.signals.Waiting() {
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
			return r.signals.Waiting() || r.status() != r.shown || done() || r.mayRenew(ctx)
		}); err != nil {
			return r.cancelled(ctx, err)
		}
	}
}

// finished tells whether the one answer has its terminal outcome.
func (r *run) finished() bool {
	return r.state.AnswerID != "" && len(r.state.Open) == 0 && !r.deliveries.Busy() && !r.clock.Busy()
}

// mayRenew tells whether the run should and can continue as new.
func (r *run) mayRenew(ctx workflow.Context) bool {
	return r.deliveries.MayRenew(ctx) && !r.clock.Busy()
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
	if err := r.deliveries.WindDown(clean, r.signals, r.take); err != nil {
		return err
	}
	if err := workflow.Await(clean, func() bool { return !r.clock.Busy() }); err != nil {
		return err
	}
	if r.state.AnswerID == "" && r.state.Messages > 0 {
		r.openCase(clean, contract.CaseCancelled, r.state.LatestMessageID, delivery.ReasonCancelled)
	}
	return cause
}

// take handles the messages and receipts that have come.
func (r *run) take(ctx workflow.Context) {
	for m, ok := r.signals.Message(); ok; m, ok = r.signals.Message() {
		r.takeMessage(ctx, m)
	}
	r.deliveries.TakeReceipts(ctx, r.signals, &r.state.Troubled)
}

// takeMessage handles one message of the citizen.
func (r *run) takeMessage(ctx workflow.Context, m contract.MessageReceived) {
	// Once taken, a request goes all the way: a cancellation must not leave it
	// between the signal and the inbox.
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	var fresh bool
	if r.state.Seen, fresh = flow.Remember(r.state.Seen, m.MsgID); !fresh {
		return
	}
	r.state.Messages++
	placed, err := flow.Do(ctx, flow.Record, "put the request in the inbox", contract.InboxActivities.DeliverToInbox,
		contract.DeliverToInboxInput{ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID, MessageID: m.MessageID})
	if err != nil {
		r.openCase(ctx, contract.CaseNotDelivered, m.MessageID, string(apperr.KindOf(err)))
	}
	r.counted(placed.CaseOpened)
	if m.Function == contract.FunctionUnread {
		return
	}
	if r.state.LatestMessageID == "" && r.state.AnswerID == "" {
		r.clock.Start(m.MessageID, placed.Clock)
	}
	r.state.LatestMessageID = m.MessageID
}

// sent shows that the answer has left.
func (r *run) sent(ctx workflow.Context, _ contract.Delivery) { r.refresh(ctx) }

// escalated shows what a step of the answer clock has done.
func (r *run) escalated(ctx workflow.Context, caseOpened bool) {
	r.counted(caseOpened)
	r.refresh(ctx)
}

// closed takes note of the answer's terminal outcome.
func (r *run) closed(_ workflow.Context, d contract.Delivery, outcome contract.Outcome, _ []string) {
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

func (r *run) counted(caseOpened bool) {
	if caseOpened {
		r.state.Cases++
	}
}

func (r *run) openCase(ctx workflow.Context, kind contract.CaseKind, messageID, reason string) {
	r.counted(true)
	flow.OpenCase(ctx, contract.OpenCaseInput{
		ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID, MessageID: messageID, Kind: kind, Reason: reason,
	})
}
