package appointment

import (
	"slices"
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
	return flow.Show(ctx, r.card(ctx), r.state.Status, &r.shown)
}

func (r *run) card(ctx workflow.Context) *flow.Card {
	f := r.state.Facts
	next, at := r.next(ctx)
	card := &flow.Card{Stage: inWords[r.status()], Until: at, Look: "helsebro explain " + r.in.AppointmentID, Cases: r.state.Cases}
	if next != nothing {
		card.Waits += "; next: " + next.String()
	}
	card.Fact("appointment `%s`, revision %d", r.in.AppointmentID, f.Revision)
	if !f.StartsAt.IsZero() {
		card.Fact("from %s to %s", flow.When(f.StartsAt), flow.When(f.EndsAt))
	}
	if r.state.Told < f.Revision {
		card.Fact("what Helsenorge is told of revision %d is decided at %s, unless it changes again", f.Revision, flow.When(f.TellAt))
	}
	r.deliveries.Describe(card)
	for _, n := range r.state.Notices {
		what := "to be decided at"
		if n.Asked {
			what = "not decided yet, asked again at"
		}
		card.Fact("%s: %s %s", n.Purpose, what, flow.When(n.At))
	}
	r.latest(card)
	return card
}

// onCard is how many decisions the card shows: those of a change and its notices.
const onCard = 8

// latest lists the latest decisions, the newest first: when, about what of which
// revision, what, and by which rule.
func (r *run) latest(card *flow.Card) {
	for _, d := range slices.Backward(r.state.Decisions[max(0, len(r.state.Decisions)-onCard):]) {
		what := d.Decided
		if at, err := time.Parse(time.RFC3339, what); err == nil { // a reminder's instant
			what = flow.When(at)
		}
		card.Fact("decided %s: %s of revision %d: %s (%s)", flow.When(d.At), d.About, d.Revision, what, d.Rule)
	}
}

// inWords says each status in words.
var inWords = map[contract.Status]flow.Stage{
	contract.StatusReceived:       {Waits: "Received; the calendar has not decided yet"},
	contract.StatusAwaitingClinic: {Waits: "The clinic owes the citizen an answer to a wish", Acts: "whoever has it in the clinic's inbox"},
	contract.StatusBooked:         {Waits: "Booked"},
	contract.StatusCancelled:      {Waits: "Cancelled"},
	contract.StatusMissed:         {Waits: "The patient did not come"},
	contract.StatusRefused:        {Waits: "Not booked"},
	contract.StatusNeedsOperator:  {Waits: "An operator must look: Helsenorge did not take a message", Acts: "an operator: `helsebro case list --open` says what to do"},
}
