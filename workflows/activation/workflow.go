package activation

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// Workflow is the integration of one clinic, or of one GP, registered as
// contract.ActivationWorkflow.
func Workflow(ctx workflow.Context, in contract.ActivationInput) error {
	r := &run{in: in}
	if err := r.setup(ctx); err != nil {
		return err
	}
	return r.live(ctx)
}

// run is one run of the workflow.
type run struct {
	in    contract.ActivationInput
	state contract.ActivationState

	// registry says that the address registry has changed.
	registry workflow.ReceiveChannel
	// turn lets the preconditions be looked at, or a command be applied, one at a time:
	// the last to be done says how the integration stands.
	turn workflow.Mutex
	// ending is true once an operator has cancelled: no command is taken any more.
	ending bool
	clock  flow.Clock
	shown  contract.Status
}

// setup registers the handlers before anything can block, and restores state.
func (r *run) setup(ctx workflow.Context) error {
	r.registry = workflow.GetSignalChannel(ctx, contract.SignalRegistryChanged)
	r.turn = workflow.NewMutex(ctx)
	r.state.Status = contract.StatusReceived
	if r.in.State != nil {
		r.state = *r.in.State
	}
	r.shown = r.state.Status
	return r.handle(ctx)
}

// live is the integration: look when it is time, show how it stands, wait.
func (r *run) live(ctx workflow.Context) error {
	for {
		if r.told() || !r.nextLook().After(workflow.Now(ctx)) {
			r.look(ctx)
			continue
		}
		if err := r.show(ctx); err != nil {
			return err
		}
		if r.mayRenew(ctx) {
			return r.renew(ctx)
		}
		if err := r.wait(ctx); err != nil {
			return r.cancelled(ctx, err)
		}
	}
}

// told takes what the registry's changes say: however many, they are one look.
func (r *run) told() (changed bool) {
	for r.registry.ReceiveAsync(nil) {
		changed = true
	}
	return changed
}

// nextLook is when the preconditions are looked at by themselves.
func (r *run) nextLook() time.Time {
	if r.state.CheckedAt.IsZero() {
		return time.Time{}
	}
	return r.state.CheckedAt.Add(contract.RecheckEvery)
}

// look has the preconditions looked at anew. Once begun it goes all the way: the
// change of the registry that asked for it is taken.
func (r *run) look(ctx workflow.Context) {
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	if err := r.turn.Lock(ctx); err != nil {
		return // not on a disconnected context
	}
	defer r.turn.Unlock()
	out, err := flow.Do(ctx, flow.Record, "look at the preconditions", contract.ActivationActivities.CheckPreconditions,
		contract.CheckPreconditionsInput{ClinicID: r.in.ClinicID, StaffID: r.in.StaffID, Now: workflow.Now(ctx)})
	if err != nil {
		// Nobody knows whether they hold: an operator is told, and it is tried next week.
		r.openCase(ctx, string(apperr.KindOf(err)))
		r.adopt(ctx, r.state.Status, r.state.Failing)
		return
	}
	if out.CaseOpened {
		r.state.Cases++
	}
	r.adopt(ctx, out.Status, out.Failing)
}

// wait waits until it is time to look, or for anything that is to be done or shown
// before.
func (r *run) wait(ctx workflow.Context) error {
	looked := r.state.CheckedAt
	_, err := r.clock.AwaitUntil(ctx, r.nextLook(), "look at the preconditions again", func() bool {
		return r.registry.Len() > 0 || !r.state.CheckedAt.Equal(looked) || r.mayRenew(ctx)
	})
	return err
}

// mayRenew tells whether the run should and can continue as new.
func (r *run) mayRenew(ctx workflow.Context) bool {
	return flow.ShouldRenew(ctx) && workflow.AllHandlersFinished(ctx)
}

// renew continues as new with the state. live calls it with an empty channel: the
// server would not hand an untaken signal over.
func (r *run) renew(ctx workflow.Context) error {
	state := r.state
	return workflow.NewContinueAsNewError(ctx, contract.ActivationWorkflow, contract.ActivationInput{
		ClinicID: r.in.ClinicID, StaffID: r.in.StaffID, State: &state,
	})
}

// cancelled is an operator's cancellation: commands that were let in are done, and an
// operator is told that nobody looks at the preconditions any more. The next command or
// change of the registry starts another run.
func (r *run) cancelled(ctx workflow.Context, cause error) error {
	if !temporal.IsCanceledError(cause) {
		return cause
	}
	r.ending = true
	clean, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	if err := workflow.Await(clean, func() bool { return workflow.AllHandlersFinished(clean) }); err != nil {
		return err
	}
	r.openCase(clean, reasonCancelled)
	return cause
}

// reasonCancelled is the case's reason when an operator cancelled the run.
const reasonCancelled = "cancelled-by-operator"

func (r *run) openCase(ctx workflow.Context, reason string) {
	r.state.Cases++
	flow.OpenCase(ctx, contract.OpenCaseInput{ClinicID: r.in.ClinicID, MessageID: r.about(), Kind: contract.CasePreconditionLost, Reason: reason})
}

// about is whose integration it is.
func (r *run) about() string {
	if r.in.StaffID != "" {
		return r.in.StaffID
	}
	return r.in.ClinicID
}
