package notice

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
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
	r.now = now
	workflow.SetCurrentDetails(ctx, r.card())
}

// card is the status card of the Temporal UI, in Markdown and without a patient.
func (r *run) card() string {
	var b strings.Builder
	until := r.now.until.UTC().Format("2006-01-02 15:04 MST")
	switch {
	case r.now.channel == "":
		fmt.Fprintf(&b, "**Waiting until %s (%s)**\n\n", until, r.now.why)
	case r.now.until.IsZero():
		fmt.Fprintf(&b, "**Being handed over by %s**\n\n", r.now.channel)
	default:
		fmt.Fprintf(&b, "**Handed over by %s; a report is awaited until %s**\n\n", r.now.channel, until)
	}
	r.facts(&b)
	return b.String()
}

// ended is the card of a notice with its outcome.
func (r *run) ended(result contract.NoticeResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**Ended: %s (%s)**\n\n", result.Outcome, result.Reason)
	r.facts(&b)
	return b.String()
}

func (r *run) facts(b *strings.Builder) {
	fmt.Fprintf(b, "- %s of appointment `%s`, revision %d\n", r.in.Purpose, r.in.AppointmentID, r.in.Revision)
	for _, c := range r.tried {
		fmt.Fprintf(b, "- tried: %s\n", c)
	}
	for _, c := range r.beside {
		fmt.Fprintf(b, "- in addition: %s\n", c)
	}
}
