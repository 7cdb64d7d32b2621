package activation

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// handle registers the query and the update.
func (r *run) handle(ctx workflow.Context) error {
	if err := workflow.SetQueryHandlerWithOptions(ctx, contract.QueryState,
		func() (contract.ActivationState, error) { return r.state, nil },
		workflow.QueryHandlerOptions{Description: "the integration's state"}); err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdateChange, r.change, workflow.UpdateHandlerOptions{
		Validator:   r.mayChange,
		Description: "activate, suspend, resume, sign off or look again; what to do is in the database",
	})
}

// mayChange refuses a command that this run cannot take; what the integration allows is
// for PostgreSQL to say.
func (r *run) mayChange(cmd contract.ChangeCommand) error {
	switch {
	case cmd.CommandID == "":
		return apperr.ToTemporal(apperr.New(apperr.Invalid, "the change has no id"))
	case slices.Contains(r.state.Accepted, cmd.CommandID):
		return nil
	case r.ending:
		return apperr.ToTemporal(apperr.InState(string(r.state.Status), "an operator is ending this integration's run: try again in a moment"))
	}
	return nil
}

// change applies a command to the integration. What PostgreSQL refuses, with the
// preconditions that stand in the way, is the caller's to know.
func (r *run) change(ctx workflow.Context, cmd contract.ChangeCommand) (contract.ChangeAccepted, error) {
	if err := flow.Once(ctx, r.turn, &r.state.Accepted, cmd.CommandID, func() error { return r.mayChange(cmd) },
		func(clean workflow.Context) error { return r.apply(ctx, clean, cmd.CommandID) }); err != nil {
		return contract.ChangeAccepted{}, err
	}
	return contract.ChangeAccepted{CommandID: cmd.CommandID, Status: r.state.Status}, nil
}

// apply has a command done.
func (r *run) apply(ctx, clean workflow.Context, commandID string) error {
	out, err := flow.Do(clean, flow.Record, "change the integration", contract.ActivationActivities.ApplyActivation,
		contract.ApplyActivationInput{ClinicID: r.in.ClinicID, StaffID: r.in.StaffID, CommandID: commandID, Now: workflow.Now(ctx)})
	if err != nil {
		return err
	}
	r.adopt(ctx, out.Status, out.Failing)
	return nil
}
