package dialogue

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

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
	case r.state.Messages == 0:
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

// card is the status card of the Temporal UI, in Markdown and without a patient.
func (r *run) card() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n\n", waitsFor[r.state.Status])
	fmt.Fprintf(&b, "- %s, dialogue `%s`\n", r.in.Process, r.in.DialogueID)
	fmt.Fprintf(&b, "- messages from the citizen: %d\n- answers accepted: %d\n", r.state.Messages, r.state.Answers)
	for _, d := range r.state.Open {
		if d.SentAt.IsZero() {
			fmt.Fprintf(&b, "- answer %s: waits for Helsenorge's queue\n", d.Code)
		} else {
			fmt.Fprintf(&b, "- answer %s: sent, receipt expected before %s\n", d.Code, d.ReceiptDue.Format("2006-01-02 15:04 MST"))
		}
	}
	if r.state.Cases > 0 {
		fmt.Fprintf(&b, "- operator cases: %d\n", r.state.Cases)
	}
	return b.String()
}

// waitsFor says each status in words.
var waitsFor = map[contract.Status]string{
	contract.StatusReceived:        "The citizen's message is being put in the inbox",
	contract.StatusAwaitingClinic:  "The clinic owes the citizen an answer",
	contract.StatusSending:         "An answer is on its way to Helsenorge",
	contract.StatusAwaitingReceipt: "The answer is sent; Helsenorge's receipt is outstanding",
	contract.StatusAnswered:        "Answered; the citizen may write again",
	contract.StatusClosed:          "Ended by the clinic; the citizen may write again",
	contract.StatusNeedsOperator:   "An operator must look: an answer did not arrive",
}
