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
	require.InDelta(t, 0.2, steady.Bare.Spread, 1e-9)
	require.InDeltaSlice(t, []float64{2, 2, 26.0 / 9, 2, 2.2}, steady.Ratios, 1e-9)
	require.InDelta(t, 1, steady.Bare.PerS, 1e-9)
	require.InDelta(t, 5, steady.Bare.CPU, 1e-9)
	require.InDelta(t, 10, steady.Bare.P50, 1e-9)
	require.InDelta(t, 26, steady.Inbound.Max, 1e-9)
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
	c, _ = parse([]string{"--scale", "0.5", "--postgres-port", "15433"}, &errs)
	require.NotNil(t, c, errs.String())
	require.Equal(t, []level{{1, 100}, {20, 500}}, c.levels)
	require.Equal(t, 15433, c.stack.Ports.Postgres)
	for _, wrong := range [][]string{{"--one", "0"}, {"--scale", "-1"}, {"--nonsense"}, {"more"}} {
		c, code := parse(wrong, &errs)
		require.Nil(t, c, wrong)
		require.Equal(t, 2, code, wrong)
	}
}
