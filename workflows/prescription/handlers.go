package prescription

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// handle registers the query and the updates.
func (r *run) handle(ctx workflow.Context) error {
	taken := func() bool { return r.loaded && !r.signals.Waiting() }
	if err := flow.Resolve(ctx, taken, r.resolved); err != nil {
		return err
	}
	if err := workflow.SetQueryHandlerWithOptions(ctx, contract.QueryState,
		func() (contract.PrescriptionState, error) { return r.state, nil },
		workflow.QueryHandlerOptions{Description: "the request's state"}); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdateAnswer, r.answer, workflow.UpdateHandlerOptions{
		Validator:   r.mayAnswer,
		Description: "send staff's one answer; the text is in the database",
	}); err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdateChange, r.change, workflow.UpdateHandlerOptions{
		Validator:   r.mayChange,
		Description: "take, assign, forward, split or resend; what to do is in the database",
	})
}

// refuse is the refusal of a command that the state does not allow.
func (r *run) refuse(format string, args ...any) error {
	return apperr.ToTemporal(apperr.InState(string(r.status()), format, args...))
}

// mayAnswer refuses an answer that the state does not allow: a request has one
// answer (HITS 1217 §3.1). While the state is being read it lets the command in,
// and answer looks again.
func (r *run) mayAnswer(cmd contract.AnswerCommand) error {
	switch {
	case cmd.AnswerID == "":
		return apperr.ToTemporal(apperr.New(apperr.Invalid, "the answer has no id"))
	case !r.loaded || r.state.AnswerID == cmd.AnswerID:
		return nil
	case r.ending:
		return r.refuse("an operator is ending this request's run: try again in a moment")
	case !slices.Contains(contract.AnswerCodes(contract.ProcessPrescription), cmd.Code):
		return apperr.ToTemporal(apperr.InvalidFields("a renewal request cannot be answered so", apperr.Field{
			Path: "code", Rule: fmt.Sprintf("one of %v", contract.AnswerCodes(contract.ProcessPrescription)),
		}))
	case r.state.LatestMessageID == "":
		return r.refuse("the request is not in the inbox yet: try again in a moment")
	case r.state.AnswerID != "":
		return r.refuse("the request is answered already with %s: it takes one answer only", r.state.AnswerCode)
	case cmd.InReplyTo != "" && cmd.InReplyTo != r.state.LatestMessageID:
		return r.refuse("the answer is not for this request: read the request again")
	}
	return nil
}

// mayChange refuses a change that this run cannot take; what the request allows is for
// PostgreSQL to say.
func (r *run) mayChange(cmd contract.ChangeCommand) error {
	switch {
	case cmd.CommandID == "":
		return apperr.ToTemporal(apperr.New(apperr.Invalid, "the change has no id"))
	case !r.loaded || slices.Contains(r.state.Accepted, cmd.CommandID):
		return nil
	case r.ending:
		return r.refuse("an operator is ending this request's run: try again in a moment")
	}
	return nil
}

// answer takes the answer on. It does not wait for Helsenorge: the answer's
// outcome is on the ledger. It does wait for a change that is being applied, so that it
// is given to the items that stand.
func (r *run) answer(ctx workflow.Context, cmd contract.AnswerCommand) (contract.AnswerAccepted, error) {
	if err := workflow.Await(ctx, func() bool { return r.loaded && !r.changing }); err != nil {
		return contract.AnswerAccepted{}, err
	}
	if err := r.mayAnswer(cmd); err != nil {
		return contract.AnswerAccepted{}, err
	}
	if r.state.AnswerID != cmd.AnswerID {
		r.answered(cmd.AnswerID, cmd.Code)
		r.deliveries.Add(ctx, contract.Delivery{OutboundID: cmd.AnswerID, Code: cmd.Code})
	}
	return contract.AnswerAccepted{AnswerID: cmd.AnswerID, Status: r.status()}, nil
}

// answered takes note of the one answer.
func (r *run) answered(id, code string) {
	r.state.AnswerID, r.state.AnswerCode = id, code
	r.state.Troubled = ""
	r.clock.Stop()
}

// change applies a command to the request. What PostgreSQL refuses is the caller's to
// know, and changes nothing here.
func (r *run) change(ctx workflow.Context, cmd contract.ChangeCommand) (contract.ChangeAccepted, error) {
	if err := workflow.Await(ctx, func() bool { return r.loaded }); err != nil {
		return contract.ChangeAccepted{}, err
	}
	if err := flow.Once(ctx, r.turn, &r.state.Accepted, cmd.CommandID, func() error { return r.mayChange(cmd) },
		func(clean workflow.Context) error { return r.apply(ctx, clean, cmd.CommandID) }); err != nil {
		return contract.ChangeAccepted{}, err
	}
	return contract.ChangeAccepted{CommandID: cmd.CommandID, Status: r.status()}, nil
}

// apply has a change done, while no answer is given up or taken on.
func (r *run) apply(ctx, clean workflow.Context, commandID string) error {
	r.changing = true
	defer func() { r.changing = false }()
	release, err := r.deliveries.Hold(clean)
	if err != nil {
		return err // not on a disconnected context
	}
	defer release()
	out, err := flow.Do(clean, flow.Record, "change the request", contract.DialogueActivities.ApplyDialogueChange,
		contract.ApplyDialogueChangeInput{ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID, CommandID: commandID, Now: workflow.Now(ctx)})
	if err != nil {
		return err
	}
	r.counted(out.CaseOpened)
	if out.OutboundID != "" { // the identical answer once more
		if r.state.AnswerID == "" {
			r.answered(out.OutboundID, out.Code)
		}
		r.deliveries.Again(ctx, contract.Delivery{OutboundID: out.OutboundID, Code: out.Code})
	}
	r.refresh(ctx)
	return nil
}

// resolved takes note that an operator has seen to a message that did not arrive.
func (r *run) resolved(cmd contract.ResolveCommand) contract.Status {
	if r.state.Troubled == cmd.MessageID {
		// He has told the citizen what the answer could not: the request has its answer.
		r.answered(cmd.MessageID, cmd.Code)
	}
	return r.status()
}
