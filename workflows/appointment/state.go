package appointment

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// adopt takes over how the calendar stands. What was pending for an older revision
// is void (F5): PostgreSQL closes its lines with the change itself.
func (r *run) adopt(f contract.AppointmentFacts) {
	if f.Revision < r.state.Facts.Revision {
		return // overtaken by a later change
	}
	r.state.Notices = slices.DeleteFunc(r.state.Notices, func(n contract.PendingNotice) bool { return n.Revision < f.Revision })
	r.state.Facts = f
	if f.TellAt.IsZero() {
		r.state.Told = max(r.state.Told, f.Revision)
	}
}

// pend adds a notice to those still to be decided, the earliest first.
func (r *run) pend(n contract.PendingNotice) {
	r.state.Notices = append(r.state.Notices, n)
	r.sortNotices()
}

// pending tells whether the notice is among those.
func (r *run) pending(p contract.Purpose, revision int) bool {
	return slices.ContainsFunc(r.state.Notices, func(n contract.PendingNotice) bool { return n.Purpose == p && n.Revision == revision })
}

// askAgain makes due what could not be decided when it was asked for.
func (r *run) askAgain(ctx workflow.Context) {
	for i, n := range r.state.Notices {
		if n.Asked {
			r.state.Notices[i].At = workflow.Now(ctx)
		}
	}
	r.sortNotices()
}

func (r *run) sortNotices() {
	slices.SortStableFunc(r.state.Notices, func(a, b contract.PendingNotice) int { return a.At.Compare(b.At) })
}

// decided keeps a decision for explain.
func (r *run) decided(at time.Time, revision int, about, what, rule string) {
	d := append(r.state.Decisions, contract.Decision{At: at, Revision: revision, About: about, Decided: what, Rule: rule})
	r.state.Decisions = d[max(0, len(d)-contract.MaxDecisions):]
}

func orNothing(code string) string {
	if code == "" {
		return "nothing"
	}
	return code
}

// calendarStatus is how the appointment stands in the calendar.
func (r *run) calendarStatus() contract.Status {
	if r.state.Facts.Status == "" {
		return contract.StatusReceived
	}
	return r.state.Facts.Status
}

// status is calendarStatus, unless an operator must look first.
func (r *run) status() contract.Status {
	if r.state.Troubled != "" {
		return contract.StatusNeedsOperator
	}
	return r.calendarStatus()
}

// show makes the appointment visible: search attribute and status card.
func (r *run) show(ctx workflow.Context) error {
	r.state.Status = r.status()
	return flow.Show(ctx, r.card(), r.state.Status, &r.shown)
}

// card is the status card of the Temporal UI, in Markdown and without a patient.
func (r *run) card() string {
	var b strings.Builder
	f := r.state.Facts
	fmt.Fprintf(&b, "**%s**\n\n- appointment `%s`, revision %d\n", inWords[r.status()], r.in.AppointmentID, f.Revision)
	if !f.StartsAt.IsZero() {
		fmt.Fprintf(&b, "- from %s to %s\n", f.StartsAt.UTC().Format(flow.Instant), f.EndsAt.UTC().Format(flow.Instant))
	}
	if r.state.Told < f.Revision {
		fmt.Fprintf(&b, "- what Helsenorge is told of revision %d is decided at %s, unless it changes again\n", f.Revision, f.TellAt.UTC().Format(flow.Instant))
	}
	for _, d := range r.state.Open {
		if d.SentAt.IsZero() {
			fmt.Fprintf(&b, "- message %s: waits for Helsenorge's queue\n", d.Code)
		} else {
			fmt.Fprintf(&b, "- message %s: sent, receipt expected before %s\n", d.Code, d.ReceiptDue.UTC().Format(flow.Instant))
		}
	}
	for _, n := range r.state.Notices {
		what := "to be decided at"
		if n.Asked {
			what = "not decided yet, asked again at"
		}
		fmt.Fprintf(&b, "- %s: %s %s\n", n.Purpose, what, n.At.UTC().Format(flow.Instant))
	}
	if r.state.Cases > 0 {
		fmt.Fprintf(&b, "- operator cases: %d\n", r.state.Cases)
	}
	r.latest(&b)
	return b.String()
}

// onCard is how many decisions the card shows: those of a change and its notices.
const onCard = 8

// latest lists the latest decisions, the newest first.
func (r *run) latest(b *strings.Builder) {
	if len(r.state.Decisions) == 0 {
		return
	}
	b.WriteString("\nLatest decisions, the newest first: when (UTC), about what of which revision, what (by which rule)\n\n")
	for _, d := range slices.Backward(r.state.Decisions[max(0, len(r.state.Decisions)-onCard):]) {
		fmt.Fprintf(b, "- %s %s %d: %s (%s)\n", d.At.UTC().Format("2006-01-02 15:04"), d.About, d.Revision, d.Decided, d.Rule)
	}
}

// inWords says each status in words.
var inWords = map[contract.Status]string{
	contract.StatusReceived:       "Received; the calendar has not decided yet",
	contract.StatusAwaitingClinic: "The clinic owes the citizen an answer to a wish",
	contract.StatusBooked:         "Booked",
	contract.StatusCancelled:      "Cancelled",
	contract.StatusMissed:         "The patient did not come",
	contract.StatusRefused:        "Not booked",
	contract.StatusNeedsOperator:  "An operator must look: Helsenorge did not take a message",
}
