package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
)

// commandTimeout is how long a caller waits for a lifecycle to take a command on. It
// is a few round trips when workers run, and the caller's patience when none does:
// what was asked is stored, so that the same id carries on later.
const commandTimeout = 10 * time.Second

// command is what people ask of a lifecycle. What it says is in PostgreSQL, stored
// as a draft before the command is given; the command names it.
type command struct {
	// id names the draft and is the update id: the server takes it once.
	id string
	// workflowID, workflow and input are the lifecycle, and what it starts with when no
	// run of it is open.
	workflowID, workflow string
	input                any
	process              contract.Process
	// about is the lifecycle's summary in the Temporal UI.
	about string
	// update and args are the command itself.
	update string
	args   any
}

// give asks a lifecycle to carry out a stored command, and reads into accepted what
// it made of it. A lifecycle that has ended, because nothing was owed, is started
// again and reads its state first.
func (c *Client) give(ctx context.Context, clinicID string, cmd command, accepted any) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	handle, err := c.temporal.UpdateWithStartWorkflow(ctx, sdkclient.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: c.temporal.NewWithStartWorkflowOperation(cmd.start(clinicID), cmd.workflow, cmd.input),
		UpdateOptions: sdkclient.UpdateWorkflowOptions{
			UpdateID:     cmd.id,
			WorkflowID:   cmd.workflowID,
			UpdateName:   cmd.update,
			WaitForStage: sdkclient.WorkflowUpdateStageCompleted,
			Args:         []any{cmd.args},
		},
	})
	if err != nil {
		return notTaken(err)
	}
	if err := handle.Get(ctx, accepted); err != nil {
		return notTaken(err)
	}
	return nil
}

// start is how the command's lifecycle is started when no run of it is open.
func (cmd command) start(clinicID string) sdkclient.StartWorkflowOptions {
	return sdkclient.StartWorkflowOptions{
		ID:                       cmd.workflowID,
		TaskQueue:                contract.QueueLifecycle,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			contract.AttrClinic.ValueSet(clinicID),
			contract.AttrProcess.ValueSet(string(cmd.process)),
			contract.AttrState.ValueSet(string(contract.StatusReceived)),
		),
		StaticSummary: cmd.about,
		StaticDetails: contract.StaticDetails(cmd.process),
	}
}

// refused drops the draft of a command that was not taken and returns err. A draft
// whose fate is unknown stays: the update may still be accepted, and a retry with the
// same id finds out.
func refused(ctx context.Context, err error, drop func(context.Context) error) error {
	if apperr.KindOf(err).Retryable() {
		return err
	}
	// The caller may have hung up, the refusal stands nevertheless.
	if dropErr := drop(context.WithoutCancel(ctx)); dropErr != nil {
		return errors.Join(err, fmt.Errorf("the draft stays: %w", dropErr))
	}
	return err
}

// notTaken translates what Temporal said instead of accepting the command.
func notTaken(err error) error {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return apperr.FromTemporal(err)
	}
	var (
		argument *serviceerror.InvalidArgument
		denied   *serviceerror.PermissionDenied
		unknown  *serviceerror.NamespaceNotFound
		missing  *serviceerror.Unimplemented
	)
	if errors.As(err, &argument) || errors.As(err, &denied) || errors.As(err, &unknown) || errors.As(err, &missing) {
		return apperr.Wrap(apperr.Internal, err, "Temporal refused the command as this installation sends it")
	}
	return apperr.Wrap(apperr.Unavailable, err, "the command is stored, but its lifecycle has not taken it on yet: repeat it with the same id")
}
