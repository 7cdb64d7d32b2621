package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// What the bare side is called on the server.
const (
	bareQueue    = "bench-bare"
	bareWorkflow = "BenchBare"
	bareSignal   = "go"
	bareActivity = "BenchNoop"
	bareReminder = "BenchBareReminder"
)

// bare is the least that Temporal can do: for a message a signal-with-start and one
// activity that does nothing, for a reminder a timer and that activity.
type bare struct {
	temporal client.Client
	worker   worker.Worker

	mu      sync.Mutex
	waiting map[string]chan time.Time // by workflow id
	runs    []client.WorkflowRun      // of the block
}

func startBare(c client.Client) (*bare, error) {
	b := &bare{temporal: c, waiting: map[string]chan time.Time{}}
	// As patient as the product's workers: a burst is then the same for both.
	b.worker = worker.New(c, bareQueue, worker.Options{StickyScheduleToStartTimeout: 30 * time.Second})
	b.worker.RegisterWorkflowWithOptions(runBare, workflow.RegisterOptions{Name: bareWorkflow})
	b.worker.RegisterWorkflowWithOptions(runBareReminder, workflow.RegisterOptions{Name: bareReminder})
	b.worker.RegisterActivityWithOptions(b.ran, activity.RegisterOptions{Name: bareActivity})
	return b, b.worker.Start()
}

func (b *bare) stop() { b.worker.Stop() }

// runBare takes the signal that started it and runs the activity.
func runBare(ctx workflow.Context, id string) error {
	workflow.GetSignalChannel(ctx, bareSignal).Receive(ctx, nil)
	return runNoop(ctx, id)
}

func runNoop(ctx workflow.Context, id string) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: patience})
	return workflow.ExecuteActivity(ctx, bareActivity, id).Get(ctx, nil)
}

// runBareReminder waits for its instant and runs the activity.
func runBareReminder(ctx workflow.Context, id string, at time.Time) error {
	if err := workflow.Sleep(ctx, at.Sub(workflow.Now(ctx))); err != nil {
		return err
	}
	return runNoop(ctx, id)
}

// remind starts a reminder that is due at the instant and returns its workflow id.
func (b *bare) remind(ctx context.Context, at time.Time) (string, error) {
	id := "bench/" + uuid.NewString()
	_, err := b.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: bareQueue}, bareReminder, id, at)
	return id, err
}

// ran is the activity: it notes that it runs.
func (b *bare) ran(_ context.Context, id string) error {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.waiting[id]; ok {
		delete(b.waiting, id)
		c <- now
	}
	return nil
}

func (b *bare) one(ctx context.Context) (sample, error) {
	id := "bench/" + uuid.NewString()
	ran := make(chan time.Time, 1)
	b.mu.Lock()
	b.waiting[id] = ran
	b.mu.Unlock()
	began := time.Now()
	run, err := b.temporal.SignalWithStartWorkflow(ctx, id, bareSignal, id, client.StartWorkflowOptions{TaskQueue: bareQueue}, bareWorkflow, id)
	if err != nil {
		return sample{}, err
	}
	b.mu.Lock()
	b.runs = append(b.runs, run)
	b.mu.Unlock()
	select {
	case at := <-ran:
		return sample{done: at.Sub(began)}, nil
	case <-ctx.Done():
		return sample{}, ctx.Err()
	}
}

// drain waits for the workflows that were started last: all before them have ended.
func (b *bare) drain(ctx context.Context) error {
	b.mu.Lock()
	last := b.runs[max(0, len(b.runs)-20):]
	b.runs = nil
	b.mu.Unlock()
	var errs []error
	for _, run := range last {
		errs = append(errs, run.Get(ctx, nil))
	}
	return errors.Join(errs...)
}
