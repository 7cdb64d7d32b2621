package appointment

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// handle registers the queries and the update.
func (r *run) handle(ctx workflow.Context) error {
	taken := func() bool { return r.loaded && !r.signals.Waiting() }
	if err := flow.Resolve(ctx, taken, r.resolved); err != nil {
		return err
	}
	if err := workflow.SetQueryHandlerWithOptions(ctx, contract.QueryState,
		func() (contract.AppointmentState, error) { return r.state, nil },
		workflow.QueryHandlerOptions{Description: "the appointment's state"}); err != nil {
		return err
	}
	if err := workflow.SetQueryHandlerWithOptions(ctx, contract.QueryExplain,
		func() ([]contract.Decision, error) { return r.state.Decisions, nil },
		workflow.QueryHandlerOptions{Description: "the latest decisions, and the rules that made them"}); err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdateChange, r.change, workflow.UpdateHandlerOptions{
		Validator:   r.mayChange,
		Description: "change the appointment; what to change is in the database",
	})
}

// mayChange refuses a command that this run cannot take; what the calendar allows is
// for PostgreSQL to say. While the state is being read it lets the command in, and
// change looks again.
func (r *run) mayChange(cmd contract.ChangeCommand) error {
	refuse := func(format string, args ...any) error {
		return apperr.ToTemporal(apperr.InState(string(r.status()), format, args...))
	}
	switch {
	case cmd.CommandID == "":
		return apperr.ToTemporal(apperr.New(apperr.Invalid, "the change has no id"))
	case !r.loaded || slices.Contains(r.state.Accepted, cmd.CommandID):
		return nil
	case r.ending:
		return refuse("an operator is ending this appointment's run: try again in a moment")
	case len(r.state.Open) >= contract.MaxOpenDeliveries:
		return refuse("%d messages wait for Helsenorge: try again when they are through", len(r.state.Open))
	}
	return nil
}

// change applies a command to the calendar. What the calendar refuses is the
// caller's to know, and changes nothing here.
func (r *run) change(ctx workflow.Context, cmd contract.ChangeCommand) (contract.ChangeAccepted, error) {
	if err := workflow.Await(ctx, func() bool { return r.loaded }); err != nil {
		return contract.ChangeAccepted{}, err
	}
	if err := flow.Once(ctx, r.calendar, &r.state.Accepted, cmd.CommandID, func() error { return r.mayChange(cmd) },
		func(clean workflow.Context) error { return r.apply(ctx, clean, cmd.CommandID) }); err != nil {
		return contract.ChangeAccepted{}, err
	}
	return contract.ChangeAccepted{CommandID: cmd.CommandID, Revision: r.state.Facts.Revision, Status: r.calendarStatus()}, nil
}

// apply has the command done, and sends what it answers.
func (r *run) apply(ctx, clean workflow.Context, commandID string) error {
	out, err := flow.Do(clean, flow.Record, "change the calendar", contract.AppointmentActivities.ApplyChange,
		contract.ApplyChangeInput{ClinicID: r.in.ClinicID, AppointmentID: r.in.AppointmentID, CommandID: commandID, Now: workflow.Now(ctx)})
	if err != nil {
		return err
	}
	r.adopt(out.Facts)
	r.answer(ctx, out.Facts.Revision, out.Code, out.OutboundID)
	r.counted(out.CaseOpened)
	return nil
}

// resolved takes note that an operator has seen to a message that did not arrive.
func (r *run) resolved(cmd contract.ResolveCommand) contract.Status {
	if r.state.Troubled == cmd.MessageID {
		r.state.Troubled = ""
	}
	return r.status()
}
