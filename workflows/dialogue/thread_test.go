package dialogue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/fakes"
)

// TestThreeThousandMessages: a dialogue of so many messages continues as new again and
// again, without losing or repeating one. Each run begins with messages that the one
// before it has had.
func TestThreeThousandMessages(t *testing.T) {
	t.Parallel()
	const messages, perRun = 3000, 150
	id := func(n int) string { return fmt.Sprintf("message-%04d", n) }
	times := map[string]int{}
	var state *contract.DialogueState
	runs := 0
	for sent := 0; sent < messages; runs++ {
		b := newBench(t, contract.ProcessEConsultation)
		b.in.State = state
		until := min(sent+perRun, messages)
		b.at(0, func() {
			for n := max(0, sent-perRun); n < sent; n++ {
				b.message(id(n), "22")
			}
		})
		for batch := sent; batch < until; batch += 10 { // in bursts
			b.at(time.Duration(batch-sent)*time.Second, func() {
				for n := batch; n < batch+10; n++ {
					b.message(id(n), "22")
				}
			})
		}
		b.at(time.Duration(until-sent-10)*time.Second+time.Millisecond, func() { b.env.SetContinueAsNewSuggested(true) })
		b.run()
		var again *workflow.ContinueAsNewError
		require.ErrorAs(t, b.env.GetWorkflowError(), &again)
		s := b.state()
		require.Equal(t, until, s.Messages)
		require.Equal(t, id(until-1), s.LatestMessageID)
		require.LessOrEqual(t, len(s.Seen), contract.MaxSeenIDs)
		for _, call := range fakes.Calls(b.do) {
			times[call]++
		}
		state, sent = &s, until
	}
	require.Equal(t, messages/perRun, runs)
	require.Len(t, times, 2*messages)
	for n := range messages {
		require.Equal(t, 1, times["DeliverToInbox "+id(n)], id(n))
		require.Equal(t, 1, times["WriteJournalEntry "+id(n)+" inbound"], id(n))
	}
}
