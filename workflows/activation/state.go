package activation

import (
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

func (r *run) card() *flow.Card {
	card := &flow.Card{Stage: inWords[r.state.Status], Until: r.nextLook(), Look: "helsebro clinic status", Cases: r.state.Cases}
	if r.in.StaffID == "" {
		card.Fact("integration of clinic `%s`", r.in.ClinicID)
	} else {
		card.Fact("integration of practitioner `%s` of clinic `%s`", r.in.StaffID, r.in.ClinicID)
	}
	if r.state.CheckedAt.IsZero() {
		card.Fact("the preconditions have not been looked at yet")
		return card
	}
	if len(r.state.Failing) == 0 {
		card.Fact("every precondition holds")
	}
	for _, key := range r.state.Failing {
		card.Fact("precondition that does not hold: %s", key)
	}
	card.Fact("looked at %s; again at %s, or when the address registry changes", flow.When(r.state.CheckedAt), flow.When(r.nextLook()))
	return card
}

// inWords says each status in words.
var inWords = map[contract.Status]flow.Stage{
	contract.StatusReceived:     {Waits: "The preconditions are being looked at"},
	contract.StatusNotActivated: {Waits: "Not activated: an operator activates it when every precondition holds", Acts: "an operator, and who sees to what does not hold"},
	contract.StatusActive:       {Waits: "Active; the preconditions are looked at again"},
	contract.StatusSuspended:    {Waits: "Suspended: an operator resumes it", Acts: "an operator"},
}
