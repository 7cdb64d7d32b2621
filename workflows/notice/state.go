package notice

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// attempt is what the run is doing now, for the status card.
type attempt struct {
	// channel is empty while nothing has its turn; why is then the rules' reason.
	channel contract.Channel
	why     string
	// until is set while it waits.
	until time.Time
}

// show makes visible what the run is doing. The search attribute stays at sending:
// when the notice ends it becomes its outcome.
func (r *run) show(ctx workflow.Context, now attempt) {
	stage := flow.Stage{Waits: "Being handed over by " + string(now.channel)}
	switch {
	case now.channel == "":
		stage.Waits = "Waiting: " + now.why
	case !now.until.IsZero():
		stage = flow.Stage{Waits: "Handed over by " + string(now.channel) + "; a report is awaited", Acts: "the provider of the channel"}
	}
	r.card(stage, now.until).Show(ctx)
}

// ended shows the outcome.
func (r *run) ended(ctx workflow.Context, result contract.NoticeResult) {
	r.card(flow.Stage{Waits: fmt.Sprintf("Ended: %s (%s)", result.Outcome, result.Reason)}, time.Time{}).Show(ctx)
}

func (r *run) card(stage flow.Stage, until time.Time) *flow.Card {
	card := &flow.Card{Stage: stage, Until: until, Look: "helsebro explain " + r.in.AppointmentID}
	card.Fact("%s of appointment `%s`, revision %d", r.in.Purpose, r.in.AppointmentID, r.in.Revision)
	for _, c := range r.tried {
		card.Fact("tried: %s", c)
	}
	for _, c := range r.beside {
		card.Fact("in addition: %s", c)
	}
	return card
}
