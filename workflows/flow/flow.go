// Package flow is the small vocabulary that every lifecycle uses: a typed
// activity call, retry policies by intent, waiting for an instant, remembering
// processed ids and handing over to a new run.
package flow

import (
	"context"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
)

// Policy is how an activity is tried, named by what it is for.
type Policy struct {
	queue           string
	startToClose    time.Duration
	scheduleToClose time.Duration
	maximumInterval time.Duration
	// fairness shares a busy queue between those who use it; "" for none.
	fairness string
}

// Policies by intent.
var (
	// Record writes or reads Helsebro's own database. It is tried for as long as
	// an outage can last, because giving up would forget a patient.
	Record = Policy{
		queue:           contract.QueueLifecycle,
		startToClose:    10 * time.Second,
		scheduleToClose: 90 * 24 * time.Hour,
		maximumInterval: time.Minute,
	}
	// SendToHelsenorge hands a message to Helsenorge's queue. After four days the
	// sender stops believing in it (HIS 80415 §3.3.4) and asks an operator.
	SendToHelsenorge = Policy{
		queue:           contract.QueueHelsenorge,
		startToClose:    30 * time.Second,
		scheduleToClose: 96 * time.Hour,
		maximumInterval: 5 * time.Minute,
	}
)

// SendToProvider hands a notice to the provider of a channel, for at most
// patience. The queue is shared fairly between clinics.
func SendToProvider(channel contract.Channel, clinicID string, patience time.Duration) Policy {
	// Longer than a provider's longest conversation: an attempt that is given up while
	// it goes on leaves its outcome unknown.
	const startToClose = 90 * time.Second
	return Policy{
		queue:           channel.Queue(),
		startToClose:    startToClose,
		scheduleToClose: max(patience, startToClose),
		maximumInterval: time.Minute,
		fairness:        clinicID,
	}
}

// IdleBeforeEnd is how long a dialogue in which nothing is owed stays open for
// the citizen's next message before its run ends.
const IdleBeforeEnd = 30 * 24 * time.Hour

// EmptyBeforeEnd is how long a run that knows of nothing (the command that started
// it was refused) stays open.
const EmptyBeforeEnd = time.Minute

// AskAgain is the least pause before a decision that was left open is asked for
// again: no answer makes a run spin.
const AskAgain = time.Minute

// Future is the typed result of Start.
type Future[O any] struct{ future workflow.Future }

// Get waits for the activity and returns its result.
func (f Future[O]) Get(ctx workflow.Context) (O, error) {
	var out O
	err := f.future.Get(ctx, &out)
	return out, err
}

// Start begins an activity that is named by a method expression of one of
// contract's interfaces, such as contract.InboxActivities.DeliverToInbox. The
// compiler checks the argument, which the SDK does not. summary is what the
// Temporal UI shows: it must not hold a patient.
func Start[G, I, O any](ctx workflow.Context, p Policy, summary string, method func(G, context.Context, I) (O, error), in I) Future[O] {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              p.queue,
		StartToCloseTimeout:    p.startToClose,
		ScheduleToCloseTimeout: p.scheduleToClose,
		Summary:                summary,
		RetryPolicy:            &temporal.RetryPolicy{MaximumInterval: p.maximumInterval},
		Priority:               temporal.Priority{FairnessKey: p.fairness},
	})
	return Future[O]{workflow.ExecuteActivity(ctx, method, in)}
}

// Do is Start and Get.
func Do[G, I, O any](ctx workflow.Context, p Policy, summary string, method func(G, context.Context, I) (O, error), in I) (O, error) {
	return Start(ctx, p, summary, method, in).Get(ctx)
}

// Remember adds id to ids, keeping the newest contract.MaxSeenIDs, and tells
// whether it is new.
func Remember(ids []string, id string) ([]string, bool) {
	if slices.Contains(ids, id) {
		return ids, false
	}
	ids = append(ids, id)
	if over := len(ids) - contract.MaxSeenIDs; over > 0 {
		ids = slices.Delete(ids, 0, over)
	}
	return ids, true
}

// ShouldRenew tells whether the history has grown so far that the run should
// continue as new.
func ShouldRenew(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}
