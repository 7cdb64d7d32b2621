package appointment

import (
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// step is what an appointment does by itself, when its instant comes.
type step int

const (
	nothing step = iota // but to wait for somebody
	plan                // choose the reminder's instant
	tell                // publish the revision
	decide              // decide who gives the earliest pending notice
	end
)

// String is the summary of the timer that waits for the step.
func (s step) String() string {
	return [...]string{"nothing", "plan the reminder", "tell Helsenorge how the appointment stands",
		"decide who gives the notice", "end when it is over"}[s]
}

// next is the next step and its instant, which may have passed.
func (r *run) next(ctx workflow.Context) (step, time.Time) {
	f, now := r.state.Facts, workflow.Now(ctx)
	if f.Status == contract.StatusBooked && r.state.Planned < f.Revision && f.StartsAt.After(now) {
		if !workflow.AllHandlersFinished(ctx) {
			return nothing, time.Time{} // changes come in a row: the last of them is planned
		}
		return plan, now
	}
	untold := r.state.Told < f.Revision
	if n := r.state.Notices; len(n) > 0 && (!untold || n[0].At.Before(f.TellAt)) {
		return decide, n[0].At
	}
	if untold {
		return tell, f.TellAt
	}
	switch r.calendarStatus() {
	case contract.StatusReceived:
		if !workflow.AllHandlersFinished(ctx) {
			return nothing, time.Time{} // a command may make it an appointment
		}
		return end, r.began.Add(flow.EmptyBeforeEnd)
	case contract.StatusAwaitingClinic:
		return nothing, time.Time{}
	case contract.StatusBooked:
		return end, f.EndsAt
	default: // cancelled, missed, refused
		return end, time.Time{}
	}
}

// act takes the next step if it is due, and tells whether it was. What has begun
// goes all the way: a cancellation must not leave it undecided.
func (r *run) act(ctx workflow.Context) bool {
	next, at := r.next(ctx)
	if at.After(workflow.Now(ctx)) {
		return false
	}
	switch next {
	case plan:
		r.plan(ctx)
	case tell:
		r.publish(ctx)
	case decide:
		r.decide(ctx)
	default:
		return false
	}
	return true
}

// plan chooses the instant of the revision's reminder (S87, F4).
func (r *run) plan(ctx workflow.Context) {
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	revision, now := r.state.Facts.Revision, workflow.Now(ctx)
	out, err := flow.Do(ctx, flow.Record, "plan the reminder", contract.AppointmentActivities.PlanReminder,
		contract.PlanReminderInput{ClinicID: r.in.ClinicID, AppointmentID: r.in.AppointmentID, Revision: revision, Now: now})
	r.state.Planned = revision
	switch {
	case err != nil:
		r.openCase(ctx, contract.CaseNoticeFailed, r.in.AppointmentID, string(apperr.KindOf(err)))
	case out.Skip:
		r.decided(now, revision, contract.AboutReminderPlan, "skip", out.Rule)
	default:
		r.decided(now, revision, contract.AboutReminderPlan, out.At.UTC().Format(time.RFC3339), out.Rule)
		if revision == r.state.Facts.Revision { // not overtaken meanwhile
			r.pend(contract.PendingNotice{Purpose: contract.PurposeReminder, Revision: revision, At: out.At})
		}
	}
}

// publish tells Helsenorge how the appointment stands, if the rules say so.
func (r *run) publish(ctx workflow.Context) {
	clean, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	revision, now := r.state.Facts.Revision, workflow.Now(ctx)
	out, err := flow.Do(clean, flow.Record, "decide what Helsenorge is told", contract.AppointmentActivities.Publish,
		contract.PublishInput{ClinicID: r.in.ClinicID, AppointmentID: r.in.AppointmentID, Revision: revision, Now: now})
	r.state.Told = max(r.state.Told, revision)
	if err != nil {
		r.openCase(clean, contract.CaseNotSent, r.in.AppointmentID, string(apperr.KindOf(err)))
		return
	}
	r.decided(now, revision, contract.AboutPublication, orNothing(out.Code), out.Rule)
	switch {
	case out.OutboundID != "":
		r.deliveries.Add(ctx, contract.Delivery{OutboundID: out.OutboundID, Code: out.Code, Revision: revision, Purpose: out.Purpose})
		if !out.HandOverAt.IsZero() {
			r.pend(contract.PendingNotice{Purpose: out.Purpose, Revision: revision, At: out.HandOverAt, Asked: true})
		}
	case out.Purpose != "":
		r.pend(contract.PendingNotice{Purpose: out.Purpose, Revision: revision, At: now})
	}
}

// decide asks who gives the earliest pending notice (F3).
func (r *run) decide(ctx workflow.Context) {
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	n, now := r.state.Notices[0], workflow.Now(ctx)
	r.state.Notices = r.state.Notices[1:]
	out, err := flow.Do(ctx, flow.Record, "decide who gives the "+string(n.Purpose), contract.AppointmentActivities.DecideNotice,
		contract.DecideNoticeInput{ClinicID: r.in.ClinicID, AppointmentID: r.in.AppointmentID, Revision: n.Revision, Purpose: n.Purpose, Now: now})
	if err != nil {
		r.openCase(ctx, contract.CaseNoticeFailed, r.in.AppointmentID, string(apperr.KindOf(err)))
		return
	}
	r.counted(out.CaseOpened)
	r.decided(now, n.Revision, string(n.Purpose), string(out.Owner), out.Reason)
	switch out.Owner {
	case contract.OwnerPending:
		n.At, n.Asked = later(out.Until, workflow.Now(ctx).Add(flow.AskAgain)), true
		r.pend(n)
	case contract.OwnerClinic:
		r.give(ctx, n, out.NoticeID)
	case contract.OwnerHelsenorge, contract.OwnerNobody: // nothing to do here
	}
}

// give starts the clinic's own notice and waits for no more than its start: it goes
// on when this run ends. A notice that is started already is the same one.
func (r *run) give(ctx workflow.Context, n contract.PendingNotice, noticeID string) {
	// Never cancelled: a notice on its way is stopped by its own rules alone.
	own, _ := workflow.NewDisconnectedContext(ctx)
	own = workflow.WithChildOptions(own, workflow.ChildWorkflowOptions{
		WorkflowID:            contract.NoticeWorkflowID(noticeID),
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:         "the clinic gives the " + string(n.Purpose),
		StaticDetails:         contract.StaticDetails(contract.ProcessNotice),
		TypedSearchAttributes: temporal.NewSearchAttributes(
			contract.AttrClinic.ValueSet(r.in.ClinicID),
			contract.AttrProcess.ValueSet(string(contract.ProcessNotice)),
			contract.AttrState.ValueSet(string(contract.StatusSending)),
		),
	})
	err := workflow.ExecuteChildWorkflow(own, contract.NoticeWorkflow, contract.NoticeInput{
		ClinicID: r.in.ClinicID, AppointmentID: r.in.AppointmentID, NoticeID: noticeID, Purpose: n.Purpose, Revision: n.Revision,
	}).GetChildWorkflowExecution().Get(own, nil)
	if err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		r.openCase(ctx, contract.CaseNoticeFailed, noticeID, string(apperr.KindOf(err)))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
