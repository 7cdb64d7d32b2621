// Package fleet builds one Temporal worker per task queue from what the groups
// register, and stops them in order.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/helsebro/helsebro/internal/config"
)

// Registration is what one group brings to the worker of a task queue.
type Registration struct {
	// Queue is one of contract's task queues.
	Queue string
	// Register registers workflows or a group's activities.
	Register func(worker.Registry)
	// PerSecond bounds how many activities of the queue are started a second, by all
	// workers together: the server keeps count. Zero is no bound. It is the queue's,
	// so that only one of its registrations needs to say it.
	PerSecond float64
}

// Fleet is the workers of one process.
type Fleet struct {
	workers []worker.Worker
	queues  []string
}

// stickyPatience is how long a workflow task may wait for the worker that has its
// workflow in memory. With the default of 5 s a burst of timers overruns the worker
// and every task that waited is done twice, at the worst moment. A worker that is
// gone is noticed by the server much earlier.
const stickyPatience = 30 * time.Second

// How workflow tasks are fetched. What is fetched must be done within 10 s, or it is
// done twice: so no more is fetched than a busy worker does in that time.
const (
	pollersAtStart, pollersAtLeast, pollersAtMost = 4, 2, 16
	workflowTasks                                 = 64
)

// New builds the workers. onFatal runs once when a worker cannot go on: the
// process must then end, so that whoever supervises it sees.
func New(c client.Client, registrations []Registration, logger *slog.Logger, onFatal func(error)) (*Fleet, error) {
	f := &Fleet{}
	byQueue := map[string]worker.Worker{}
	limits := map[string]float64{}
	for _, r := range registrations {
		limits[r.Queue] = max(limits[r.Queue], r.PerSecond)
	}
	for _, r := range registrations {
		w, ok := byQueue[r.Queue]
		if !ok {
			w = worker.New(c, r.Queue, worker.Options{
				WorkerStopTimeout: config.WorkerStopTimeout,
				// Names are an API: nothing may be callable by its Go name too.
				DisableRegistrationAliasing:  true,
				TaskQueueActivitiesPerSecond: limits[r.Queue],
				StickyScheduleToStartTimeout: stickyPatience,
				// The default pollers take from the sticky queue for as long as anything waits
				// there: under load a new lifecycle, and a person's command to it, would wait
				// behind every old one. These poll both queues, always.
				WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
					InitialNumberOfPollers: pollersAtStart, MinimumNumberOfPollers: pollersAtLeast, MaximumNumberOfPollers: pollersAtMost,
				}),
				MaxConcurrentWorkflowTaskExecutionSize: workflowTasks,
				OnFatalError: func(err error) {
					logger.Error("a worker cannot go on", "queue", r.Queue, "error", err)
					onFatal(err)
				},
			})
			byQueue[r.Queue] = w
			f.workers, f.queues = append(f.workers, w), append(f.queues, r.Queue)
		}
		r.Register(w)
	}
	if len(f.workers) == 0 {
		return nil, errors.New("the fleet has nothing to work on: no group has registered")
	}
	return f, nil
}

// Queues lists the task queues, in the order in which their workers start.
func (f *Fleet) Queues() []string { return f.queues }

// Start starts every worker; when one fails, those before it are stopped again.
func (f *Fleet) Start(context.Context) error {
	for i, w := range f.workers {
		if err := w.Start(); err != nil {
			for _, started := range f.workers[:i] {
				started.Stop()
			}
			return fmt.Errorf("the worker of task queue %s did not start: %w", f.queues[i], err)
		}
	}
	return nil
}

// Stop stops polling and waits for running activities, at most
// config.WorkerStopTimeout for all of them together.
func (f *Fleet) Stop(context.Context) error {
	done := make(chan struct{}, len(f.workers))
	for _, w := range f.workers {
		go func() { w.Stop(); done <- struct{}{} }()
	}
	for range f.workers {
		<-done
	}
	return nil
}
