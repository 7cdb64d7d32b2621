package activation

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// adopt takes over how the integration stands after a look at the preconditions.
func (r *run) adopt(ctx workflow.Context, status contract.Status, failing []string) {
	r.state.Status, r.state.Failing, r.state.CheckedAt = status, failing, workflow.Now(ctx)
}

// show makes a changed status visible: search attribute and status card.
func (r *run) show(ctx workflow.Context) error {
	return flow.Show(ctx, r.card(), r.state.Status, &r.shown)
}

// card is the status card of the Temporal UI, in Markdown: what stands in the way, and
// when it is looked at again.
func (r *run) card() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n\n", inWords[r.state.Status])
	if r.in.StaffID == "" {
		fmt.Fprintf(&b, "- integration of clinic `%s`\n", r.in.ClinicID)
	} else {
		fmt.Fprintf(&b, "- integration of practitioner `%s` of clinic `%s`\n", r.in.StaffID, r.in.ClinicID)
	}
	switch {
	case r.state.CheckedAt.IsZero():
		b.WriteString("- the preconditions have not been looked at yet\n")
	case len(r.state.Failing) == 0:
		b.WriteString("- every precondition holds\n")
	default:
		fmt.Fprintf(&b, "- preconditions that do not hold: %d\n", len(r.state.Failing))
		for _, key := range r.state.Failing {
			fmt.Fprintf(&b, "  - %s\n", key)
		}
	}
	if !r.state.CheckedAt.IsZero() {
		fmt.Fprintf(&b, "- looked at %s; again at %s, or when the address registry changes\n",
			r.state.CheckedAt.UTC().Format(flow.Instant), r.state.CheckedAt.Add(contract.RecheckEvery).UTC().Format(flow.Instant))
	}
	if r.state.Cases > 0 {
		fmt.Fprintf(&b, "- operator cases: %d\n", r.state.Cases)
	}
	return b.String()
}

// inWords says each status in words.
var inWords = map[contract.Status]string{
	contract.StatusReceived:     "The preconditions are being looked at",
	contract.StatusNotActivated: "Not activated: an operator activates it when every precondition holds",
	contract.StatusActive:       "Active",
	contract.StatusSuspended:    "Suspended: an operator resumes it",
}
