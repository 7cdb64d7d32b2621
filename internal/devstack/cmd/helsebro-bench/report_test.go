package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuantileIsNearestRank(t *testing.T) {
	t.Parallel()
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1)*time.Millisecond)
	}
	for _, c := range []struct {
		sorted []time.Duration
		part   float64
		want   float64
	}{
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
		{hundred[:10], 0.99, 10},
		{hundred[:3], 0.5, 2},
		{hundred[:1], 0.5, 1},
		{hundred[:1], 0, 1},
	} {
		require.InDelta(t, c.want, quantile(c.sorted, c.part), 1e-9, "%v of %d", c.part, len(c.sorted))
	}
}

// blocksOf makes blocks with one sample of each duration.
func blocksOf(ms ...int) []blockResult {
	var results []blockResult
	for _, d := range ms {
		results = append(results, blockResult{
			samples: []sample{{done: time.Duration(d) * time.Millisecond}}, took: time.Second, cpu: 5 * time.Millisecond,
		})
	}
	return results
}

func TestComparisonNeedsASteadyMachine(t *testing.T) {
	t.Parallel()
	steady := newLevelReport(1, blocksOf(10, 11, 9, 10, 10), blocksOf(20, 22, 27, 20, 22))
	require.False(t, steady.Steady, "27 and 20 are 7/22 apart")
	steady = newLevelReport(1, blocksOf(10, 11, 9, 10, 10), blocksOf(20, 22, 26, 20, 22))
	require.True(t, steady.Steady)
	require.InDelta(t, 0.2, steady.Base.Spread, 1e-9)
	require.InDeltaSlice(t, []float64{2, 2, 26.0 / 9, 2, 2.2}, steady.Ratios, 1e-9)
	require.InDelta(t, 1, steady.Base.PerS, 1e-9)
	require.InDelta(t, 5, steady.Base.CPU, 1e-9)
	require.InDelta(t, 10, steady.Base.P50, 1e-9)
	require.InDelta(t, 26, steady.Measured.Max, 1e-9)
}

func TestWrapBreaksBetweenWords(t *testing.T) {
	t.Parallel()
	require.Equal(t, "- one two\n  three\n  unbreakable", wrap("one two three unbreakable", 10, "- ", "  "))
}

func TestFlags(t *testing.T) {
	t.Setenv("HELSEBRO_SCALE", "0.01")
	var errs strings.Builder
	c, _ := parse(nil, &errs)
	require.NotNil(t, c, errs.String())
	require.Equal(t, []level{{1, blocks}, {20, 10}}, c.levels, "a block has at least one message")
	require.Equal(t, parts, c.parts, "everything when nothing is chosen")
	require.Equal(t, []int{5, 15, 15, 15}, []int{c.practice.gps, c.open, c.openFirst, c.burst})
	c, _ = parse([]string{"--scale", "0.5", "--postgres-port", "15433", "--only", "burst,rt"}, &errs)
	require.NotNil(t, c, errs.String())
	require.Equal(t, []level{{1, 100}, {20, 500}}, c.levels)
	require.Equal(t, []level{{1, 100}, {10, 500}}, c.questions)
	require.Equal(t, 15433, c.stack.Ports.Postgres)
	require.Len(t, c.parts, 2)
	require.Equal(t, "rt", c.parts[0].name, "in their own order")
	for _, wrong := range [][]string{{"--one", "0"}, {"--scale", "-1"}, {"--nonsense"}, {"more"}, {"--only", "rt,everything"}, {"--burst", "0"}} {
		c, code := parse(wrong, &errs)
		require.Nil(t, c, wrong)
		require.Equal(t, 2, code, wrong)
	}
}

func TestEveryPartSaysHowItIsMeasured(t *testing.T) {
	t.Parallel()
	require.Len(t, methods, len(parts))
	for _, p := range parts {
		require.Contains(t, methods, p.name)
	}
}

func TestBurstIsJudgedFromEachDueInstant(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var all []moment
	for i := range 100 {
		at := due.Add(time.Duration(i) * time.Millisecond)
		all = append(all, moment{at, at.Add(time.Duration(100-i) * 10 * time.Millisecond)})
	}
	s := newBurstSeries(all, 3)
	require.Equal(t, burstSeries{Reminders: 100, PerS: 100, P50: 500, P99: 990, Max: 1000, TimedOut: 3}, s)
	require.Equal(t, 99*time.Millisecond, lastDue(all).Sub(firstDue(all)))
	require.Equal(t, burstSeries{}, newBurstSeries(nil, 0))
}

func TestFootprintIsOfEach(t *testing.T) {
	t.Parallel()
	f := newFootprint(10, usage{1000, 2000, 3000, 4000}, usage{2000, 4000, 6000, 3000}, 5*time.Second)
	require.Equal(t, footprint{Open: 10, Temporal: 100, PostgreSQL: 200, Heap: 300, RSS: -100, PerS: 2}, f)
}
