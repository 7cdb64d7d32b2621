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
	return config{
		parts: parts, practice: newPractice(2, 8, time.Now()), levels: []level{{1, blocks}, {20, 2 * blocks}}, questions: []level{{1, blocks}, {10, 2 * blocks}},
		warmUp: 2, lives: 1, open: 8, openFirst: 2, burst: 8, skipGrace: true, timeout: 4 * time.Minute,
	}
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
	for _, levels := range [][]levelReport{r.Inbound, r.Reservations, r.FreeSlots.Levels} {
		require.Len(t, levels, 2)
		for i, l := range levels {
			require.Equal(t, cfg.levels[i].messages, l.Measured.Messages)
			require.Equal(t, cfg.levels[i].messages, l.Base.Messages)
			require.Positive(t, l.Base.P50)
			require.Positive(t, l.Measured.P50)
			require.GreaterOrEqual(t, l.Measured.Max, l.Measured.P99)
		}
	}
	for _, l := range r.Inbound {
		// Each station comes after the one before it; the row is seen last.
		require.Positive(t, l.Stations.Stored)
		require.Greater(t, l.Stations.Placed, l.Stations.Stored)
		require.Greater(t, l.Measured.P50, l.Stations.Placed)
	}
	require.Equal(t, 2*slotsPerGP, r.FreeSlots.Slots)
	require.Less(t, r.FreeSlots.Offered, slotsPerGP, "some of them are booked")
	require.Greater(t, r.FreeSlots.Offered, slotsPerGP/2)
	requireLives(t, r.Histories)

	require.Equal(t, 8, r.Open.Appointments.Open)
	require.Positive(t, r.Open.Appointments.Temporal)
	require.Positive(t, r.Open.Appointments.PostgreSQL)
	require.Positive(t, r.Open.Bare.Temporal)
	require.Equal(t, []int{8, 4, 4}, []int{r.Burst.Bare.Reminders, r.Burst.Delegated.Reminders, r.Burst.SMS.Reminders})
	require.Zero(t, r.Burst.TimedOut)
	require.Equal(t, 8+4, r.Burst.Histories, "each appointment, and the notice of each SMS")
	require.Less(t, r.Burst.Spread, 1000.0)
	for _, s := range []burstSeries{r.Burst.Bare, r.Burst.Delegated, r.Burst.SMS} {
		require.Positive(t, s.P50, "nothing is early")
	}

	out.Reset()
	r.write(&out)
	for _, row := range []string{
		"inbound message to inbox item", "RT on the queue to 05", "HLT to 03", "reminder by one SMS", "open and asleep", "by SMS: at the gateway",
	} {
		require.Contains(t, out.String(), row)
	}
	requireEmpty(t, dir)
}

// requireLives holds the histories to what the lives must consist of.
func requireLives(t *testing.T, all []lifeReport) {
	t.Helper()
	counts := map[string]map[string]int{}
	for _, l := range all {
		require.Len(t, l.Lives, 1)
		require.Greater(t, l.Lives[0].Bytes, int64(500))
		require.Less(t, l.Lives[0].Bytes, int64(contract.MaxPayloadBytes))
		counts[l.Name] = map[string]int{}
		for _, e := range l.Lives[0].Types {
			counts[l.Name][e.Type] = e.Events
		}
		require.Zero(t, counts[l.Name]["WorkflowExecutionTimeSkippingTransitioned"])
	}
	// Inbox, two journal entries and the answer; the message and the receipt.
	consultation := counts["e-consultation, answered once"]
	require.Equal(t, 4, consultation["ActivityTaskCompleted"])
	require.Equal(t, 2, consultation["WorkflowExecutionSignaled"])
	require.Equal(t, 1, consultation["WorkflowExecutionUpdateCompleted"])
	require.Equal(t, map[string]int{
		"WorkflowExecutionStarted": 1, "WorkflowTaskScheduled": 3, "WorkflowTaskStarted": 3, "WorkflowTaskCompleted": 3, "TimerStarted": 1, "TimerFired": 1,
		"ActivityTaskScheduled": 1, "ActivityTaskStarted": 1, "ActivityTaskCompleted": 1, "WorkflowExecutionCompleted": 1,
	}, counts["bare workflow: one timer, one activity"])
	delegated, bySMS := counts["appointment, reminder delegated to Helsenorge"], counts["appointment, the clinic's reminder by one SMS"]
	require.Equal(t, 1, delegated["WorkflowExecutionCompleted"])
	require.Zero(t, delegated["StartChildWorkflowExecutionInitiated"])
	require.Equal(t, 2, bySMS["WorkflowExecutionCompleted"], "the appointment's and its notice's")
	require.Equal(t, 1, bySMS["StartChildWorkflowExecutionInitiated"])
	// The notice's: the channel, the SMS, its end.
	require.Equal(t, delegated["ActivityTaskCompleted"]+3, bySMS["ActivityTaskCompleted"])
}

func TestStopsInOrderWhenItIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	cfg := small()
	cfg.levels[0].messages = 1_000_000
	cfg.parts = parts[:1]
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
