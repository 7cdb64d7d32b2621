package prescription

import (
	"fmt"
	"strings"

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
func (r *run) refresh(ctx workflow.Context) { workflow.SetCurrentDetails(ctx, r.card()) }

// card is the status card of the Temporal UI, in Markdown and without a patient.
func (r *run) card() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n\n- prescription renewal, request `%s`\n", waitsFor[r.status()], r.in.DialogueID)
	if r.state.AnswerCode != "" {
		fmt.Fprintf(&b, "- answered with %s\n", r.state.AnswerCode)
	}
	r.clock.Describe(&b)
	for _, d := range r.state.Open {
		if d.SentAt.IsZero() {
			b.WriteString("- the answer waits for Helsenorge's queue\n")
		} else {
			fmt.Fprintf(&b, "- sent, receipt expected before %s\n", d.ReceiptDue.UTC().Format(flow.Instant))
		}
	}
	if r.state.Cases > 0 {
		fmt.Fprintf(&b, "- operator cases: %d\n", r.state.Cases)
	}
	return b.String()
}

// waitsFor says each status in words.
var waitsFor = map[contract.Status]string{
	contract.StatusReceived:        "The request is being put in the inbox",
	contract.StatusAwaitingClinic:  "The clinic owes the citizen an answer",
	contract.StatusSending:         "The answer is on its way to Helsenorge",
	contract.StatusAwaitingReceipt: "The answer is sent; Helsenorge's receipt is outstanding",
	contract.StatusAnswered:        "Answered",
	contract.StatusClosed:          "Answered: the clinic does not deal with it",
	contract.StatusNeedsOperator:   "An operator must look: the answer did not arrive",
}
