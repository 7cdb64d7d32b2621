package appointment

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/delivery"
	"github.com/helsebro/helsebro/workflows/flow"
)

// Workflow is the lifecycle of one appointment, registered as
// contract.AppointmentWorkflow.
func Workflow(ctx workflow.Context, in contract.AppointmentInput) error {
	r := &run{in: in}
	if err := r.setup(ctx); err != nil {
		return err
	}
	return r.live(ctx)
}

// run is one run of the workflow.
type run struct {
	in    contract.AppointmentInput
	state contract.AppointmentState

	signals *flow.Signals
	// calendar lets one message or command at a time change the calendar, so that
	// answers leave in the order in which PostgreSQL decided them.
	calendar workflow.Mutex
	// loaded is false while a resumed run reads its state: commands wait for it.
	loaded bool
	// began is when this run was ready.
	began time.Time
	// ending is true once an operator has cancelled: no command is taken any more.
	ending     bool
	deliveries *delivery.Deliveries
	clock      flow.Clock
	shown      contract.Status
}

// setup registers the handlers before anything can block, then restores state.
func (r *run) setup(ctx workflow.Context) error {
	r.signals = flow.Listen(ctx)
	r.calendar = workflow.NewMutex(ctx)
	r.state.Status = contract.StatusReceived
	if r.in.State != nil {
		r.state = *r.in.State
	}
	r.shown = r.state.Status
	r.deliveries = delivery.New(ctx, r.in.ClinicID, r.in.AppointmentID, &r.state.Open, r.sent, r.closed)
	if err := r.handle(ctx); err != nil {
		return err
	}
	if r.in.Resume && r.in.State == nil {
		if err := r.load(ctx); err != nil {
			return r.cancelled(ctx, err)
		}
	}
	r.loaded = true
	r.began = workflow.Now(ctx)
	r.deliveries.Resume(ctx)
	return nil
}

// load restores what PostgreSQL knows of an appointment whose last run has ended.
func (r *run) load(ctx workflow.Context) error {
	out, err := flow.Do(ctx, flow.Record, "read the appointment as it stands", contract.AppointmentActivities.LoadAppointment,
		contract.LoadAppointmentInput{ClinicID: r.in.ClinicID, AppointmentID: r.in.AppointmentID})
	if err != nil {
		return err
	}
	r.state = contract.AppointmentState{
		Status: contract.StatusReceived, Told: out.Told, Planned: out.Planned, Seen: out.Seen, Accepted: out.Accepted, Open: out.Open,
	}
	r.adopt(out.Facts)
	for _, n := range out.Notices {
		r.pend(n)
	}
	r.signals.TakeFirst(out.Untaken)
	return nil
}

// live is the appointment: do what has come and what is due, show it, wait for more.
func (r *run) live(ctx workflow.Context) error {
	for {
		r.take(ctx)
		if r.signals.Waiting() || r.act(ctx) {
			continue
		}
		if err := r.show(ctx); err != nil {
			return err
		}
		// Nothing has blocked since the channels were looked at: no signal is lost.
		if r.over(ctx) {
			return nil
		}
		if r.deliveries.MayRenew(ctx) {
			return r.renew(ctx)
		}
		if err := r.wait(ctx); err != nil {
			return r.cancelled(ctx, err)
		}
	}
}

// wait waits for the next step's instant, or for anything that changes it.
func (r *run) wait(ctx workflow.Context) error {
	next, at := r.next(ctx)
	open := len(r.state.Open)
	changed := func() bool {
		step, instant := r.next(ctx)
		return r.signals.Waiting() || step != next || !instant.Equal(at) || len(r.state.Open) != open ||
			r.status() != r.shown || r.over(ctx) || r.deliveries.MayRenew(ctx)
	}
	if !at.After(workflow.Now(ctx)) { // nothing, or over but for what is under way
		r.clock.Stop()
		return workflow.Await(ctx, changed)
	}
	_, err := r.clock.AwaitUntil(ctx, at, next.String(), changed)
	return err
}

// over tells whether the run may end: the appointment has, and nothing is under way.
func (r *run) over(ctx workflow.Context) bool {
	step, at := r.next(ctx)
	return step == end && !at.After(workflow.Now(ctx)) && len(r.state.Open) == 0 && !r.signals.Waiting() && r.deliveries.Idle(ctx)
}

// renew continues as new with the state. live calls it with empty channels:
// the server would not hand an untaken signal over.
func (r *run) renew(ctx workflow.Context) error {
	state := r.state
	return workflow.NewContinueAsNewError(ctx, contract.AppointmentWorkflow, contract.AppointmentInput{
		ClinicID: r.in.ClinicID, AppointmentID: r.in.AppointmentID, State: &state,
	})
}

// cancelled is an operator's cancellation: what has come is still taken, every
// delivery gets its outcome, and what the patient is still owed becomes a case, on
// a context that the cancellation does not reach.
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
	if step, _ := r.next(ctx); step != end {
		r.openCase(clean, contract.CaseCancelled, r.in.AppointmentID, delivery.ReasonCancelled)
	}
	return cause
}

// take handles the messages and receipts that have come.
func (r *run) take(ctx workflow.Context) {
	for m, ok := r.signals.Message(); ok; m, ok = r.signals.Message() {
		r.takeMessage(ctx, m)
	}
	if r.deliveries.TakeReceipts(ctx, r.signals, &r.state.Troubled) {
		r.askAgain(ctx) // a late receipt, too, may decide what was left open
	}
}

// bookingFunctions are what a citizen asks of the calendar. Any other message is
// for people to read.
var bookingFunctions = []string{contract.FunctionReserve, contract.FunctionCancel, contract.FunctionWish, contract.FunctionWishCancel}

// takeMessage does what a citizen's message asks. Once taken, a message goes all
// the way: a cancellation must not leave it between the signal and the calendar.
func (r *run) takeMessage(ctx workflow.Context, m contract.MessageReceived) {
	clean, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	var fresh bool
	if r.state.Seen, fresh = flow.Remember(r.state.Seen, m.MsgID); !fresh {
		return
	}
	if !slices.Contains(bookingFunctions, m.Function) {
		r.deliver(clean, m.MessageID)
		return
	}
	if err := r.calendar.Lock(clean); err != nil {
		return // not on a disconnected context
	}
	now := workflow.Now(ctx)
	out, err := flow.Do(clean, flow.Record, "do what the citizen asks: "+m.Function, contract.AppointmentActivities.TakeBookingMessage,
		contract.TakeBookingMessageInput{ClinicID: r.in.ClinicID, AppointmentID: r.in.AppointmentID, MessageID: m.MessageID, Now: now})
	if err != nil {
		r.calendar.Unlock()
		r.openCase(clean, contract.CaseNotDelivered, m.MessageID, string(apperr.KindOf(err)))
		return
	}
	r.decided(now, out.Facts.Revision, contract.AboutMessage, orNothing(out.Code), out.Rule)
	r.adopt(out.Facts)
	r.answer(ctx, out.Facts.Revision, out.Code, out.OutboundID)
	r.counted(out.CaseOpened)
	r.calendar.Unlock()
	if out.Inbox {
		r.deliver(clean, m.MessageID)
	}
}

// deliver puts a message where staff read it.
func (r *run) deliver(ctx workflow.Context, messageID string) {
	placed, err := flow.Do(ctx, flow.Record, "put the message in the inbox", contract.InboxActivities.DeliverToInbox,
		contract.DeliverToInboxInput{ClinicID: r.in.ClinicID, DialogueID: r.in.AppointmentID, MessageID: messageID})
	if err != nil {
		r.openCase(ctx, contract.CaseNotDelivered, messageID, string(apperr.KindOf(err)))
		return
	}
	r.counted(placed.CaseOpened)
}

// answer sends the answer to a citizen, if there is one; once it has its outcome,
// the notice that goes with it is decided.
func (r *run) answer(ctx workflow.Context, revision int, code, outboundID string) {
	if outboundID != "" {
		r.deliveries.Add(ctx, contract.Delivery{OutboundID: outboundID, Code: code, Revision: revision, Purpose: contract.PurposeOf(code)})
	}
}

// sent shows that a message has left.
func (r *run) sent(ctx workflow.Context, _ contract.Delivery) {
	r.card(ctx).Show(ctx)
}

// closed takes note of a delivery's terminal outcome, and makes the notice due that
// waited for it, whatever the outcome: who gives it depends on it (F3).
func (r *run) closed(ctx workflow.Context, d contract.Delivery, outcome contract.Outcome, codes []string) {
	r.askAgain(ctx)
	switch {
	case outcome == contract.OutcomeSuperseded:
		return // the later message has a notice of its own
	case outcome == contract.OutcomeAcknowledged, slices.Contains(codes, contract.CodeInactive):
		// A patient who is not on Helsenorge is no trouble: the clinic tells him itself.
		r.state.Troubled = ""
	default:
		r.state.Cases++
		r.state.Troubled = d.OutboundID
	}
	if d.Purpose != "" && !r.pending(d.Purpose, d.Revision) {
		r.pend(contract.PendingNotice{Purpose: d.Purpose, Revision: d.Revision, At: workflow.Now(ctx)})
	}
}

func (r *run) openCase(ctx workflow.Context, kind contract.CaseKind, messageID, reason string) {
	r.counted(true)
	flow.OpenCase(ctx, contract.OpenCaseInput{
		ClinicID: r.in.ClinicID, DialogueID: r.in.AppointmentID, MessageID: messageID, Kind: kind, Reason: reason,
	})
}

func (r *run) counted(caseOpened bool) {
	if caseOpened {
		r.state.Cases++
	}
}
