package prescription

import (
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// status derives what the request waits for.
func (r *run) status() contract.Status {
	switch {
	case r.deliveries.Unsent():
		return contract.StatusSending
	case len(r.state.Open) > 0:
		return contract.StatusAwaitingReceipt
	case r.state.Troubled != "":
		return contract.StatusNeedsOperator
	case r.state.AnswerID != "" && contract.Ends(r.state.AnswerCode):
		return contract.StatusClosed
	case r.state.AnswerID != "":
		return contract.StatusAnswered
	case r.state.LatestMessageID != "":
		return contract.StatusAwaitingClinic
	}
	return contract.StatusReceived
}

// show makes a changed status visible: search attribute and status card.
func (r *run) show(ctx workflow.Context) error {
	r.state.Status = r.status()
	return flow.Show(ctx, r.card(), r.state.Status, &r.shown)
}

// refresh brings the status card up to date where no status may have changed.
func (r *run) refresh(ctx workflow.Context) { r.card().Show(ctx) }

func (r *run) card() *flow.Card {
	status := r.status()
	card := &flow.Card{Stage: inWords[status], Look: "helsebro explain " + r.in.DialogueID, Cases: r.state.Cases}
	switch status { //nolint:exhaustive // nothing limits the others
	case contract.StatusAwaitingClinic:
		card.Until = r.clock.Due()
	case contract.StatusAwaitingReceipt:
		card.Until = r.deliveries.Due()
	}
	card.Fact("prescription renewal, request `%s`", r.in.DialogueID)
	if r.state.AnswerCode != "" {
		card.Fact("answered with %s", r.state.AnswerCode)
	}
	r.clock.Describe(card)
	r.deliveries.Describe(card)
	return card
}

// inWords says each status in words.
var inWords = map[contract.Status]flow.Stage{
	contract.StatusReceived:        {Waits: "The request is being put in the inbox"},
	contract.StatusAwaitingClinic:  {Waits: "The clinic owes the citizen an answer", Acts: "whoever has it in the clinic's inbox"},
	contract.StatusSending:         {Waits: "The answer is on its way to Helsenorge; it is tried for four days"},
	contract.StatusAwaitingReceipt: {Waits: "The answer is sent; Helsenorge's receipt is outstanding", Acts: "Helsenorge"},
	contract.StatusAnswered:        {Waits: "Answered"},
	contract.StatusClosed:          {Waits: "Answered: the clinic does not deal with it"},
	contract.StatusNeedsOperator:   {Waits: "An operator must look: the answer did not arrive", Acts: "an operator: `helsebro case list --open` says what to do"},
}
