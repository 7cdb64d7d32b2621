package e2e_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/simulator"
)

// workerGoroutines counts the goroutines in which workers of the SDK and their
// activities run. The embedded server has some of its own in this process.
func workerGoroutines() int {
	stacks := make([]byte, 8<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for _, g := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(g, "go.temporal.io/sdk/internal.(*baseWorker)") || strings.Contains(g, "helsebro/helsebro/activities/") {
			n++
		}
	}
	return n
}

// TestWorkerStopsInOrder: workers first, then what they use, the Temporal client
// last; and no goroutine of the worker outlives it.
func TestWorkerStopsInOrder(t *testing.T) {
	w := newWorld(t, stack.Config{})
	hooks := &lockedBuffer{}
	w.Logger = slog.New(slog.NewTextHandler(hooks, &slog.HandlerOptions{Level: slog.LevelDebug}))
	listener, err := w.StartListener(t.Context())
	require.NoError(t, err)
	before := workerGoroutines()
	worker, err := w.StartWorker(t.Context())
	require.NoError(t, err)
	w.activate()
	_, subject := w.act(simulator.Action{Kind: simulator.EConsultation})
	w.dialogue(subject) // it has worked
	require.Greater(t, workerGoroutines(), before)
	require.NoError(t, worker.Stop(t.Context()))
	w.eventually("the worker's goroutines have ended", func() error {
		if n := workerGoroutines(); n > before {
			return fmt.Errorf("%d instead of %d", n, before)
		}
		return nil
	})
	require.NoError(t, listener.Stop(t.Context()))

	var order []string
	for line := range strings.Lines(hooks.String()) {
		if !strings.Contains(line, "OnStop hook executing") || strings.Contains(line, "listen") {
			continue
		}
		for _, part := range []string{"fleet", "health", "connect", "pg.", "temporalx"} {
			if strings.Contains(line, part) {
				order = append(order, part)
				break
			}
		}
		if len(order) == 6 {
			break
		}
	}
	require.Equal(t, []string{"fleet", "connect", "pg." /* what keeps the audit sealed */, "health", "pg.", "temporalx"}, order)
}
