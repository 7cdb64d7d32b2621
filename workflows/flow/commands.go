package flow

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
)

// Resolve has the update with which an operator says that he has seen to a message that
// did not arrive. done is told once everything that had come before is taken, so that the
// word on a message is not overtaken by its refusal.
func Resolve(ctx workflow.Context, taken func() bool, done func(contract.ResolveCommand) contract.Status) error {
	return workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdateResolve,
		func(ctx workflow.Context, cmd contract.ResolveCommand) (contract.ResolveAccepted, error) {
			if err := workflow.Await(ctx, taken); err != nil {
				return contract.ResolveAccepted{}, err
			}
			return contract.ResolveAccepted{Status: done(cmd)}, nil
		},
		workflow.UpdateHandlerOptions{
			Validator: func(cmd contract.ResolveCommand) error {
				if cmd.CaseID == "" || cmd.MessageID == "" {
					return apperr.ToTemporal(apperr.New(apperr.Invalid, "the case or its message has no id"))
				}
				return nil
			},
			Description: "take note that an operator has seen to a message that did not arrive",
		})
}

// Once does a command of staff once: when its turn has come, if may still allows it then,
// and to its end, since a cancellation must not leave a change in PostgreSQL that the run
// does not know of. For what it asks of activities do gets a context that no cancellation
// reaches; it ends with do, so that what outlives the command is begun on ctx. A command
// whose id is in *accepted was done before and is not done again. What PostgreSQL refuses
// is the caller's to know, and changes nothing.
func Once(ctx workflow.Context, turn workflow.Mutex, accepted *[]string, id string, may func() error, do func(clean workflow.Context) error) error {
	if err := turn.Lock(ctx); err != nil {
		return err
	}
	defer turn.Unlock()
	if err := may(); err != nil {
		return err
	}
	if slices.Contains(*accepted, id) {
		return nil
	}
	clean, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	if err := do(clean); err != nil {
		return apperr.ToTemporal(err)
	}
	*accepted, _ = Remember(*accepted, id)
	return nil
}
