package dialogue

import (
	"fmt"
	"strings"

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
	return flow.Show(ctx, r.card(), r.state.Status, &r.shown)
}

// refresh brings the status card up to date where no status may have changed.
func (r *run) refresh(ctx workflow.Context) { workflow.SetCurrentDetails(ctx, r.card()) }

// card is the status card of the Temporal UI, in Markdown and without a patient.
func (r *run) card() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n\n", waitsFor[r.status()])
	fmt.Fprintf(&b, "- %s, dialogue `%s`\n", r.process(), r.in.DialogueID)
	if r.process() != r.in.Process {
		fmt.Fprintf(&b, "- it was begun as %s\n", r.in.Process)
	}
	if r.state.Opened {
		b.WriteString("- the clinic wrote first\n")
	}
	fmt.Fprintf(&b, "- messages received: %d\n- messages of the clinic accepted: %d\n", r.state.Messages, r.state.Answers)
	r.clock.Describe(&b)
	for _, d := range r.state.Open {
		switch {
		case !d.SentAt.IsZero():
			fmt.Fprintf(&b, "- message %s: sent, receipt expected before %s\n", d.Code, d.ReceiptDue.UTC().Format(flow.Instant))
		case d.Code == contract.InHouse:
			b.WriteString("- a message is being shown to whom it is for\n")
		default:
			fmt.Fprintf(&b, "- message %s: waits for Helsenorge's queue\n", d.Code)
		}
	}
	if r.state.Cases > 0 {
		fmt.Fprintf(&b, "- operator cases: %d\n", r.state.Cases)
	}
	if !r.owes() {
		fmt.Fprintf(&b, "- nothing is owed: this run ends %d days after the last word; the next one starts another\n", int(flow.IdleBeforeEnd.Hours()/24))
	}
	return b.String()
}

// waitsFor says each status in words.
var waitsFor = map[contract.Status]string{
	contract.StatusReceived:        "The first message is being put in the inbox",
	contract.StatusAwaitingClinic:  "The clinic owes the citizen an answer",
	contract.StatusSending:         "A message of the clinic is on its way",
	contract.StatusAwaitingReceipt: "A message of the clinic is sent; Helsenorge's receipt is outstanding",
	contract.StatusAnswered:        "Nothing is owed; either side may write",
	contract.StatusClosed:          "Ended by the clinic; the citizen may write again",
	contract.StatusNeedsOperator:   "An operator must look: a message did not arrive",
}
