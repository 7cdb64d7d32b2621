package notice

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/delivery"
	"github.com/helsebro/helsebro/workflows/flow"
)

// The bounds of the hops. In every quarter of an hour there may be two for each channel,
// a turn and a wait: the rules let no channel have its next turn sooner, and none longer
// than a day (F17). Were they wrong, an operator hears of it, and the patient is not
// flooded.
const (
	maxHops  = 6
	turn     = 15 * time.Minute
	maxTurns = 4 * 24
)

// reasonTooManyHops is the case's reason when the hops have reached their bound.
const reasonTooManyHops = "too-many-hops"

// Workflow gives one notice, registered as contract.NoticeWorkflow.
func Workflow(ctx workflow.Context, in contract.NoticeInput) (contract.NoticeResult, error) {
	r := &run{in: in}
	workflow.GoNamed(ctx, "reports", r.listen)
	result, err := r.live(ctx)
	if err != nil {
		return contract.NoticeResult{}, r.cancelled(ctx, err)
	}
	return result, r.end(ctx, result)
}

// run is the workflow. A day without any provider is some hundred hops, a thousand
// events: it never continues as new.
type run struct {
	in contract.NoticeInput
	// heard are the reports that came since the rules were last asked.
	heard []contract.DeliveryReported
	// tried are the channels that had their turn, the last one last, beside those given
	// in addition.
	tried, beside []contract.Channel
	// busy counts the sends beside that are under way.
	busy int
}

// live goes from hop to hop.
func (r *run) live(ctx workflow.Context) (contract.NoticeResult, error) {
	began := workflow.Now(ctx)
	for hops := 0; hops < bound(workflow.Now(ctx).Sub(began)); hops++ {
		hop, err := r.nextHop(ctx)
		if temporal.IsCanceledError(err) {
			return contract.NoticeResult{}, err
		}
		if err != nil {
			return r.fail(ctx, string(apperr.KindOf(err))), nil
		}
		if hop.Done {
			return contract.NoticeResult{Outcome: hop.Outcome, Reason: hop.Reason}, nil
		}
		for _, c := range hop.Also {
			r.sendBeside(ctx, c, hop)
		}
		if err := r.try(ctx, hop); err != nil {
			return contract.NoticeResult{}, err
		}
	}
	return r.fail(ctx, reasonTooManyHops), nil
}

// bound is how many hops there may be in a time.
func bound(lived time.Duration) int {
	return maxHops * (1 + min(int(lived/turn), maxTurns))
}

// nextHop asks the rules, which know every report that was heard until now.
func (r *run) nextHop(ctx workflow.Context) (contract.NextHopOutput, error) {
	r.heard = nil
	return flow.Do(ctx, flow.Record, "choose the next channel", contract.NoticeActivities.NextHop,
		contract.NextHopInput{ClinicID: r.in.ClinicID, NoticeID: r.in.NoticeID, Now: workflow.Now(ctx), Tried: r.tried})
}

// try hands the notice to one channel, and waits for a report if there is one to
// come. A hop without a channel only waits: for what was tried before, or for a provider
// that is down. Only cancellation is an error: what else goes wrong PostgreSQL knows, or
// finds out at the next hop.
func (r *run) try(ctx workflow.Context, hop contract.NextHopOutput) error {
	present := hop.Channel
	if present == "" && len(r.tried) > 0 {
		present = r.tried[len(r.tried)-1]
	}
	if hop.Channel != "" {
		r.tried = append(slices.DeleteFunc(r.tried, func(c contract.Channel) bool { return c == hop.Channel }), hop.Channel)
		r.show(ctx, attempt{channel: hop.Channel})
		out, err := r.send(ctx, hop.Channel, hop)
		if err != nil || out.State != contract.AttemptAccepted {
			return ctx.Err() // cancelled while the send went its way
		}
	}
	until := workflow.Now(ctx).Add(hop.Wait)
	r.show(ctx, attempt{channel: hop.Channel, until: until, why: hop.Reason})
	summary := "wait for the provider's report on " + string(present)
	if hop.Channel == "" {
		summary = "wait: " + hop.Reason
	}
	var clock flow.Clock
	defer clock.Stop()
	_, err := clock.AwaitUntil(ctx, until, summary, func() bool { return r.decisive(present) })
	return err
}

// listen hears the reports.
func (r *run) listen(ctx workflow.Context) {
	reports := workflow.GetSignalChannel(ctx, contract.SignalDeliveryReported)
	for {
		var report contract.DeliveryReported
		reports.Receive(ctx, &report)
		r.heard = append(r.heard, report)
	}
}

// decisive tells whether a report says that the patient has the notice, by whichever
// channel had its turn, or that the present channel does not bring it. Any other
// report, such as a late failure of an earlier channel, decides nothing.
func (r *run) decisive(present contract.Channel) bool {
	return slices.ContainsFunc(r.heard, func(report contract.DeliveryReported) bool {
		return report.State == contract.AttemptDelivered && slices.Contains(r.tried, report.Channel) ||
			report.State == contract.AttemptFailed && report.Channel == present
	})
}

// send is never cancelled: a message that may be on its way gets its outcome.
func (r *run) send(ctx workflow.Context, c contract.Channel, hop contract.NextHopOutput) (contract.SendNoticeOutput, error) {
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	return flow.Do(ctx, flow.SendToProvider(c, r.in.ClinicID, hop.Patience), "give the "+string(r.in.Purpose)+" by "+string(c),
		contract.NoticeActivities.SendNotice,
		contract.SendNoticeInput{ClinicID: r.in.ClinicID, NoticeID: r.in.NoticeID, Channel: c, Now: workflow.Now(ctx)})
}

// sendBeside gives the notice on a channel in addition, once.
func (r *run) sendBeside(ctx workflow.Context, c contract.Channel, hop contract.NextHopOutput) {
	if slices.Contains(r.beside, c) {
		return
	}
	r.beside = append(r.beside, c)
	r.busy++
	workflow.GoNamed(ctx, "beside "+string(c), func(ctx workflow.Context) {
		if _, err := r.send(ctx, c, hop); err != nil {
			workflow.GetLogger(ctx).Info("an additional channel did not take the notice", "channel", string(c), "kind", string(apperr.KindOf(err)))
		}
		r.busy--
	})
}

// end waits for what was given in addition, which has a patience of its own.
func (r *run) end(ctx workflow.Context, result contract.NoticeResult) error {
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	r.ended(ctx, result)
	if err := workflow.Await(ctx, func() bool { return r.busy == 0 }); err != nil {
		return err
	}
	return workflow.UpsertTypedSearchAttributes(ctx, contract.AttrState.ValueSet(string(result.Outcome)))
}

// cancelled is an operator's cancellation. The line on the ledger gets its outcome
// if the rules have one; if the notice is still to be given, an operator hears that
// nobody does.
func (r *run) cancelled(ctx workflow.Context, cause error) error {
	if !temporal.IsCanceledError(cause) {
		return cause
	}
	clean, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	result := contract.NoticeResult{Outcome: contract.OutcomeFailed, Reason: delivery.ReasonCancelled}
	if hop, err := r.nextHop(clean); err == nil && hop.Done {
		result = contract.NoticeResult{Outcome: hop.Outcome, Reason: hop.Reason}
	} else {
		r.openCase(clean, contract.CaseCancelled, delivery.ReasonCancelled)
	}
	if err := r.end(clean, result); err != nil {
		return err
	}
	return cause
}

// fail ends a notice that the rules could not end.
func (r *run) fail(ctx workflow.Context, reason string) contract.NoticeResult {
	clean, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	r.openCase(clean, contract.CaseNoticeFailed, reason)
	return contract.NoticeResult{Outcome: contract.OutcomeFailed, Reason: reason}
}

func (r *run) openCase(ctx workflow.Context, kind contract.CaseKind, reason string) {
	flow.OpenCase(ctx, contract.OpenCaseInput{
		ClinicID: r.in.ClinicID, DialogueID: r.in.AppointmentID, MessageID: r.in.NoticeID, Kind: kind, Reason: reason,
	})
}
