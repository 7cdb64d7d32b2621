package dialogue

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
	if err := workflow.SetQueryHandlerWithOptions(ctx, contract.QueryState,
		func() (contract.DialogueState, error) { return r.state, nil },
		workflow.QueryHandlerOptions{Description: "the dialogue's state"}); err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdateAnswer, r.answer, workflow.UpdateHandlerOptions{
		Validator:   r.mayAnswer,
		Description: "send staff's answer; the text is in the database",
	})
}

// mayAnswer refuses an answer that the state does not allow. While the state is
// being read it lets the command in, and answer looks again.
func (r *run) mayAnswer(cmd contract.AnswerCommand) error {
	if !r.loaded || slices.Contains(r.state.Accepted, cmd.AnswerID) {
		return nil
	}
	refuse := func(format string, args ...any) error {
		return apperr.ToTemporal(apperr.InState(string(r.status()), format, args...))
	}
	switch {
	case r.ending:
		return refuse("an operator is ending this dialogue's run: try again in a moment")
	case cmd.AnswerID == "":
		return apperr.ToTemporal(apperr.New(apperr.Invalid, "the answer has no id"))
	case !slices.Contains(contract.AnswerCodes(r.in.Process), cmd.Code):
		return apperr.ToTemporal(apperr.InvalidFields("this dialogue cannot be answered so", apperr.Field{
			Path: "code", Rule: fmt.Sprintf("one of %v for %s", contract.AnswerCodes(r.in.Process), r.in.Process),
		}))
	case r.state.Messages == 0:
		return refuse("the citizen's message is not in the inbox yet: try again in a moment")
	case cmd.InReplyTo != "" && cmd.InReplyTo != r.state.LatestMessageID:
		return refuse("the citizen has written since: read the latest message first")
	case !r.state.AnswerOwed && !cmd.FollowUp:
		return refuse("the dialogue is answered already: send a follow-up if something is to be added")
	case len(r.state.Open) >= contract.MaxOpenDeliveries:
		return refuse("%d answers wait for Helsenorge: try again when they are through", len(r.state.Open))
	}
	return nil
}

// answer takes an answer on. It does not wait for Helsenorge: the answer's
// outcome is on the ledger.
func (r *run) answer(ctx workflow.Context, cmd contract.AnswerCommand) (contract.AnswerAccepted, error) {
	if err := workflow.Await(ctx, func() bool { return r.loaded }); err != nil {
		return contract.AnswerAccepted{}, err
	}
	if err := r.mayAnswer(cmd); err != nil {
		return contract.AnswerAccepted{}, err
	}
	var fresh bool
	if r.state.Accepted, fresh = flow.Remember(r.state.Accepted, cmd.AnswerID); fresh {
		r.state.Answers++
		r.state.AnswerOwed = false
		r.state.Troubled = ""
		r.state.Ended = contract.Ends(cmd.Code)
		r.deliveries.Add(ctx, contract.Delivery{OutboundID: cmd.AnswerID, Code: cmd.Code})
	}
	return contract.AnswerAccepted{AnswerID: cmd.AnswerID, Status: r.status()}, nil
}
