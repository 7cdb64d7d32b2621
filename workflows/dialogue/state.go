package dialogue

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// process is the dialogue's: a conversion makes it another than it began with (F14).
func (r *run) process() contract.Process {
	if r.state.Process != "" {
		return r.state.Process
	}
	return r.in.Process
}

// status derives what the dialogue waits for.
func (r *run) status() contract.Status {
	switch {
	case r.deliveries.Unsent():
		return contract.StatusSending
	case r.state.AnswerOwed:
		return contract.StatusAwaitingClinic
	case len(r.state.Open) > 0:
		return contract.StatusAwaitingReceipt
	case r.state.Troubled != "":
		return contract.StatusNeedsOperator
	case r.state.Messages == 0 && !r.state.Opened:
		return contract.StatusReceived
	case r.state.Ended:
		return contract.StatusClosed
	case r.state.Answers == 0:
		return contract.StatusAwaitingClinic
	}
	return contract.StatusAnswered
}

// show makes a changed status visible: search attribute and status card.
func (r *run) show(ctx workflow.Context) error {
	r.state.Status = r.status()
	return flow.Show(ctx, r.card(ctx), r.state.Status, &r.shown)
}

// refresh brings the status card up to date where no status may have changed.
func (r *run) refresh(ctx workflow.Context) { r.card(ctx).Show(ctx) }

func (r *run) card(ctx workflow.Context) *flow.Card {
	status := r.status()
	card := &flow.Card{Stage: inWords[status], Until: r.until(ctx, status), Look: "helsebro explain " + r.in.DialogueID, Cases: r.state.Cases}
	card.Fact("%s, dialogue `%s`", r.process(), r.in.DialogueID)
	if r.process() != r.in.Process {
		card.Fact("it was begun as %s", r.in.Process)
	}
	if r.state.Opened {
		card.Fact("the clinic wrote first")
	}
	card.Fact("messages received: %d", r.state.Messages)
	card.Fact("messages of the clinic accepted: %d", r.state.Answers)
	r.clock.Describe(card)
	r.deliveries.Describe(card)
	if !r.owes() && status != contract.StatusNeedsOperator {
		card.Fact("nothing is owed: this run ends %d days after the last word; the next one starts another", int(flow.IdleBeforeEnd.Hours()/24))
	}
	return card
}

// until is when the waiting ends by itself.
func (r *run) until(ctx workflow.Context, status contract.Status) time.Time {
	switch {
	case status == contract.StatusAwaitingClinic:
		return r.clock.Due()
	case status == contract.StatusAwaitingReceipt:
		return r.deliveries.Due()
	case !r.owes():
		patience, _ := r.patience()
		return workflow.Now(ctx).Add(patience)
	}
	return time.Time{}
}

// inWords says each status in words.
var inWords = map[contract.Status]flow.Stage{
	contract.StatusReceived:        {Waits: "The first message is being put in the inbox"},
	contract.StatusAwaitingClinic:  {Waits: "The clinic owes the citizen an answer", Acts: "whoever has it in the clinic's inbox"},
	contract.StatusSending:         {Waits: "A message of the clinic is on its way; it is tried for four days"},
	contract.StatusAwaitingReceipt: {Waits: "A message of the clinic is sent; Helsenorge's receipt is outstanding", Acts: "Helsenorge"},
	contract.StatusAnswered:        {Waits: "Nothing is owed; either side may write"},
	contract.StatusClosed:          {Waits: "Ended by the clinic; the citizen may write again"},
	contract.StatusNeedsOperator:   {Waits: "An operator must look: a message did not arrive", Acts: "an operator: `helsebro case list --open` says what to do"},
}
