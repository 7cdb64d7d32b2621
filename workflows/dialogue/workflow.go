package dialogue

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/answerclock"
	"github.com/helsebro/helsebro/workflows/delivery"
	"github.com/helsebro/helsebro/workflows/flow"
)

// Workflow is the lifecycle of one dialogue, registered as
// contract.DialogueWorkflow.
func Workflow(ctx workflow.Context, in contract.DialogueInput) error {
	r := &run{in: in}
	if err := r.setup(ctx); err != nil {
		return err
	}
	return r.live(ctx)
}

// run is one run of the workflow.
type run struct {
	in    contract.DialogueInput
	state contract.DialogueState

	signals *flow.Signals
	// turn lets a message be placed or a change be applied, one at a time.
	turn workflow.Mutex
	// changing is true while a change is being applied: nothing that depends on its
	// outcome is decided meanwhile.
	changing bool
	// placing is true while a message is being put in the inbox: somebody may see it there
	// before this run knows.
	placing bool
	// loaded is false while a resumed run reads its state: commands wait for it.
	loaded bool
	// ending is true once an operator has cancelled: no command is taken any more.
	ending     bool
	deliveries *delivery.Deliveries
	clock      *answerclock.Clock
	// idle is the timer that ends a run in which nothing is owed.
	idle  flow.Clock
	shown contract.Status
}

// setup registers the handlers before anything can block, then restores state.
func (r *run) setup(ctx workflow.Context) error {
	r.signals = flow.Listen(ctx)
	r.turn = workflow.NewMutex(ctx)
	r.state.Status = contract.StatusReceived
	if r.in.State != nil {
		r.state = *r.in.State
		r.signals.TakeFirst(r.in.Untaken)
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

// load restores what PostgreSQL knows of a dialogue whose last run has ended.
func (r *run) load(ctx workflow.Context) error {
	out, err := flow.Do(ctx, flow.Record, "read the dialogue as it stands", contract.LedgerActivities.LoadDialogue,
		contract.LoadDialogueInput{ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID})
	if err != nil {
		return err
	}
	r.state = contract.DialogueState{
		Status: contract.StatusReceived, Process: out.Process, Opened: out.Opened, Seen: out.Seen, Accepted: out.Accepted,
		LatestMessageID: out.LatestMessageID, LatestAt: out.LatestAt, Messages: out.Messages, Answers: out.Answers,
		AnswerOwed: out.AnswerOwed, Clock: out.Clock, Escalated: out.Escalated, Ended: out.Ended, Open: out.Open,
		LastOutboundID: out.LastOutboundID, Troubled: out.Troubled,
	}
	r.signals.TakeFirst(out.Unplaced)
	return nil
}

// live is the dialogue: do what has come, show it, wait for more.
func (r *run) live(ctx workflow.Context) error {
	for {
		took := r.takeOne(ctx)
		if r.mayRenew(ctx) {
			if untaken, ok := r.signals.Hand(contract.MaxUntaken); ok {
				return r.renew(ctx, untaken)
			}
		}
		if took || r.signals.Waiting() {
			continue
		}
		if err := r.show(ctx); err != nil {
			return err
		}
		over, err := r.wait(ctx)
		if err != nil {
			return r.cancelled(ctx, err)
		}
		if over {
			return nil
		}
	}
}

// wait waits for anything to do, and tells whether nobody has written for so long that
// the run may end.
func (r *run) wait(ctx workflow.Context) (over bool, err error) {
	owes := r.owes()
	happened := func() bool {
		return r.signals.Waiting() || r.status() != r.shown || r.owes() != owes || r.mayRenew(ctx)
	}
	if owes {
		r.idle.Stop()
		return false, workflow.Await(ctx, happened)
	}
	patience, why := r.patience()
	woken, err := r.idle.AwaitUntil(ctx, workflow.Now(ctx).Add(patience), why, happened)
	// Handlers and channels are looked at without blocking in between: whatever came
	// with the timer is in this workflow task and keeps the run alive.
	return err == nil && !woken && workflow.AllHandlersFinished(ctx), err
}

// patience is how long a run in which nothing is owed waits, and for what.
func (r *run) patience() (time.Duration, string) {
	if len(r.state.Accepted) == 0 && r.state.Messages == 0 && r.state.Answers == 0 {
		return flow.EmptyBeforeEnd, "end when nothing comes of the command that was refused"
	}
	return flow.IdleBeforeEnd, "end when nobody has written for 30 days"
}

// owes tells whether somebody is owed something: then the run must not end.
func (r *run) owes() bool {
	return r.state.AnswerOwed || len(r.state.Open) > 0 || r.deliveries.Busy() || r.clock.Busy()
}

// mayRenew tells whether the run should and can continue as new.
func (r *run) mayRenew(ctx workflow.Context) bool {
	return r.deliveries.MayRenew(ctx) && !r.clock.Busy()
}

// renew continues as new with the state and the messages that wait. Nothing blocks
// between the last look at the channels and it: no signal is lost.
func (r *run) renew(ctx workflow.Context, untaken []contract.MessageReceived) error {
	if err := r.show(ctx); err != nil {
		return err
	}
	state := r.state
	return workflow.NewContinueAsNewError(ctx, contract.DialogueWorkflow, contract.DialogueInput{
		ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID, Process: r.in.Process, State: &state, Untaken: untaken,
	})
}

// cancelled is an operator's cancellation: what has come is still put where people
// read it, what is owed becomes a case and every delivery gets its outcome, on a
// context that the cancellation does not reach.
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
	if r.state.AnswerOwed {
		r.openCase(clean, contract.CaseCancelled, r.state.LatestMessageID, delivery.ReasonCancelled)
	}
	return cause
}

// take handles the messages and receipts that have come.
func (r *run) take(ctx workflow.Context) {
	for r.takeOne(ctx) {
	}
}

// takeOne handles the next message and the receipts that have come, and tells whether
// there was a message.
func (r *run) takeOne(ctx workflow.Context) bool {
	m, ok := r.signals.Message()
	if ok {
		r.takeMessage(ctx, m)
	}
	r.deliveries.TakeReceipts(ctx, r.signals, &r.state.Troubled)
	return ok
}

// takeMessage handles one message of the citizen.
func (r *run) takeMessage(ctx workflow.Context, m contract.MessageReceived) {
	// Once taken, a message goes all the way: a cancellation must not leave it
	// between the signal and the inbox.
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	var fresh bool
	if r.state.Seen, fresh = flow.Remember(r.state.Seen, m.MsgID); !fresh {
		return
	}
	if err := r.turn.Lock(ctx); err != nil {
		return // not on a disconnected context
	}
	defer r.turn.Unlock()
	r.placing = true
	defer func() { r.placing = false }()
	r.state.Messages++
	// Both are started in one workflow task: one is no reason to wait for the other.
	placing := flow.Start(ctx, flow.Record, "put the message in the inbox", contract.InboxActivities.DeliverToInbox,
		contract.DeliverToInboxInput{ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID, MessageID: m.MessageID})
	r.journal(ctx, m.MessageID, contract.Inbound)
	placed, err := placing.Get(ctx)
	if err != nil {
		r.openCase(ctx, contract.CaseNotDelivered, m.MessageID, string(apperr.KindOf(err)))
	}
	r.counted(placed.CaseOpened)
	if m.Function == contract.FunctionUnread {
		return
	}
	if m.ReceivedAt.Before(r.state.LatestAt) || placed.NothingOwed {
		// Overtaken on its way here: what is decided about the latest is decided about it,
		// which was in the dialogue when that was read, or closed.
		return
	}
	r.state.LatestMessageID, r.state.LatestAt = m.MessageID, m.ReceivedAt
	if !r.state.AnswerOwed {
		r.state.AnswerOwed = true
		r.clock.Start(m.MessageID, placed.Clock)
	}
	r.state.Ended = false
}

// journal writes an e-consultation's message to the patient's record; other processes
// are not journalled by themselves (S53).
func (r *run) journal(ctx workflow.Context, messageID string, d contract.Direction) {
	if r.process() != contract.ProcessEConsultation {
		return
	}
	if _, err := flow.Do(ctx, flow.Record, "journal the "+string(d)+" message", contract.JournalActivities.WriteJournalEntry,
		contract.WriteJournalEntryInput{ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID, MessageID: messageID, Direction: d}); err != nil {
		r.openCase(ctx, contract.CaseNotJournalled, messageID, string(apperr.KindOf(err)))
	}
}

// sent journals what Helsenorge now has (S50 in both directions). A conversion that is
// under way journals only what had left before it.
func (r *run) sent(ctx workflow.Context, d contract.Delivery) {
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	r.refresh(ctx)
	if err := workflow.Await(ctx, func() bool { return !r.changing }); err != nil {
		return // not on a disconnected context
	}
	r.journal(ctx, d.OutboundID, contract.Outbound)
}

// closed takes note of a delivery's terminal outcome. Of an earlier one than the last only
// the case is left: its late receipt must not end the trouble of another.
func (r *run) closed(_ workflow.Context, d contract.Delivery, outcome contract.Outcome, _ []string) {
	if outcome == contract.OutcomeAcknowledged || outcome == contract.OutcomeDone {
		return
	}
	r.state.Cases++
	if last := r.state.LastOutboundID; last == "" || last == d.OutboundID {
		r.state.Troubled = d.OutboundID
	}
}

// escalated shows what a step of the answer clock has done.
func (r *run) escalated(ctx workflow.Context, caseOpened bool) {
	r.counted(caseOpened)
	r.refresh(ctx)
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
