package prescription

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
)

// handle registers the query and the update.
func (r *run) handle(ctx workflow.Context) error {
	if err := workflow.SetQueryHandlerWithOptions(ctx, contract.QueryState,
		func() (contract.PrescriptionState, error) { return r.state, nil },
		workflow.QueryHandlerOptions{Description: "the request's state"}); err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdateAnswer, r.answer, workflow.UpdateHandlerOptions{
		Validator:   r.mayAnswer,
		Description: "send staff's one answer; the text is in the database",
	})
}

// mayAnswer refuses an answer that the state does not allow: a request has one
// answer (HITS 1217 §3.1). While the state is being read it lets the command in,
// and answer looks again.
func (r *run) mayAnswer(cmd contract.AnswerCommand) error {
	if !r.loaded || (cmd.AnswerID != "" && r.state.AnswerID == cmd.AnswerID) {
		return nil
	}
	refuse := func(format string, args ...any) error {
		return apperr.ToTemporal(apperr.InState(string(r.status()), format, args...))
	}
	switch {
	case r.ending:
		return refuse("an operator is ending this request's run: try again in a moment")
	case cmd.AnswerID == "":
		return apperr.ToTemporal(apperr.New(apperr.Invalid, "the answer has no id"))
	case !slices.Contains(contract.AnswerCodes(contract.ProcessPrescription), cmd.Code):
		return apperr.ToTemporal(apperr.InvalidFields("a renewal request cannot be answered so", apperr.Field{
			Path: "code", Rule: fmt.Sprintf("one of %v", contract.AnswerCodes(contract.ProcessPrescription)),
		}))
	case r.state.Messages == 0:
		return refuse("the request is not in the inbox yet: try again in a moment")
	case r.state.AnswerID != "":
		return refuse("the request is answered already with %s: it takes one answer only", r.state.AnswerCode)
	case cmd.InReplyTo != "" && cmd.InReplyTo != r.state.LatestMessageID:
		return refuse("the answer is not for this request: read the request again")
	}
	return nil
}

// answer takes the answer on. It does not wait for Helsenorge: the answer's
// outcome is on the ledger.
func (r *run) answer(ctx workflow.Context, cmd contract.AnswerCommand) (contract.AnswerAccepted, error) {
	if err := workflow.Await(ctx, func() bool { return r.loaded }); err != nil {
		return contract.AnswerAccepted{}, err
	}
	if err := r.mayAnswer(cmd); err != nil {
		return contract.AnswerAccepted{}, err
	}
	if r.state.AnswerID != cmd.AnswerID {
		r.state.AnswerID, r.state.AnswerCode = cmd.AnswerID, cmd.Code
		r.state.Troubled = ""
		r.deliveries.Add(ctx, contract.Delivery{OutboundID: cmd.AnswerID, Code: cmd.Code})
	}
	return contract.AnswerAccepted{AnswerID: cmd.AnswerID, Status: r.status()}, nil
}
