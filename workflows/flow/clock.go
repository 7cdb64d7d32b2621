package flow

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// Clock is the one timer of a loop that waits for an instant which may change. The
// timer runs on while the loop is woken for other reasons, is replaced when the
// instant is another, and never fires into nothing. The zero value is ready.
type Clock struct {
	at    time.Time
	timer workflow.Future
	stop  workflow.CancelFunc
}

// AwaitUntil waits for the condition or the instant, whichever comes first, and
// tells whether the condition holds. The timer's summary says which instant. An instant that has passed is an explicit
// branch: no timer is started for it.
func (c *Clock) AwaitUntil(ctx workflow.Context, at time.Time, summary string, condition func() bool) (bool, error) {
	wait := at.Sub(workflow.Now(ctx))
	if wait <= 0 {
		return condition(), nil
	}
	if !at.Equal(c.at) || c.timer.IsReady() {
		c.Stop()
		var timed workflow.Context
		timed, c.stop = workflow.WithCancel(ctx)
		c.at, c.timer = at, workflow.NewTimerWithOptions(timed, wait, workflow.TimerOptions{Summary: summary + ": " + When(at)})
	}
	// A cancelled context makes the timer ready, too: then the cancellation is the answer.
	if err := workflow.Await(ctx, func() bool { return condition() || c.timer.IsReady() && ctx.Err() == nil }); err != nil {
		return false, err
	}
	return condition(), nil
}

// Stop stops the timer, if it runs.
func (c *Clock) Stop() {
	if c.stop != nil {
		c.stop()
	}
	c.at, c.stop = time.Time{}, nil
}
