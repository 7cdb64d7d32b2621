package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
)

// small is a bench of a few seconds.
func small() config {
	return config{levels: []level{{1, blocks}, {20, 2 * blocks}}, warmUp: 2, dialogues: 1, timeout: 2 * time.Minute}
}

func TestMeasuresBothSidesAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	cfg := small()
	cfg.json = true
	var out, errs bytes.Buffer
	require.NoError(t, run(t.Context(), cfg, &out, &errs), errs.String())

	var r report
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	require.NotEmpty(t, r.Method)
	require.NotEmpty(t, r.Machine.PostgreSQL["server_version"])
	require.NotEmpty(t, r.Machine.Temporal)
	require.Len(t, r.Levels, 2)
	for i, l := range r.Levels {
		require.Equal(t, cfg.levels[i].messages, l.Inbound.Messages)
		require.Equal(t, cfg.levels[i].messages, l.Bare.Messages)
		require.Positive(t, l.Bare.P50)
		// Each station comes after the one before it; the row is seen last.
		require.Positive(t, l.Stations.Stored)
		require.Greater(t, l.Stations.Placed, l.Stations.Stored)
		require.Greater(t, l.Inbound.P50, l.Stations.Placed)
		require.GreaterOrEqual(t, l.Inbound.Max, l.Inbound.P99)
	}
	require.Len(t, r.History, 1)
	events := map[string]int{}
	for _, e := range r.History[0].Types {
		events[e.Type] = e.Events
	}
	// Inbox, two journal entries and the answer; the message and the receipt.
	require.Equal(t, 4, events["ActivityTaskCompleted"])
	require.Equal(t, 2, events["WorkflowExecutionSignaled"])
	require.Equal(t, 1, events["WorkflowExecutionUpdateCompleted"])
	require.Greater(t, r.History[0].Bytes, int64(1000))
	require.Less(t, r.History[0].Bytes, int64(contract.MaxPayloadBytes))

	out.Reset()
	r.write(&out)
	require.Contains(t, out.String(), "inbound message to inbox item")
	requireEmpty(t, dir)
}

func TestStopsInOrderWhenItIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	cfg := small()
	cfg.levels[0].messages = 1_000_000
	var out bytes.Buffer
	require.ErrorIs(t, run(ctx, cfg, &out, cancelAt{"1 in flight", cancel}), errSignal)
	requireEmpty(t, dir)
}

// cancelAt interrupts when the progress comes to a step.
type cancelAt struct {
	step   string
	cancel context.CancelCauseFunc
}

// Write implements io.Writer.
func (c cancelAt) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(c.step)) {
		c.cancel(errSignal)
	}
	return len(b), nil
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
