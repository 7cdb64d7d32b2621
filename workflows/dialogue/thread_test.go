package dialogue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/fakes"
)

// next is the input of the run that a dialogue continues as.
func (b *bench) next() (in contract.DialogueInput) {
	var again *workflow.ContinueAsNewError
	require.ErrorAs(b, b.env.GetWorkflowError(), &again)
	require.NoError(b, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))
	return in
}

// TestThreeThousandMessages: a dialogue of so many messages continues as new again and
// again, in the middle of a burst, without losing or repeating one. Each run hears again
// of messages that the one before it has had, or has handed over.
func TestThreeThousandMessages(t *testing.T) {
	t.Parallel()
	const messages, perRun, burst = 3000, 150, 10
	id := func(n int) string { return fmt.Sprintf("message-%04d", n) }
	times := map[string]int{}
	in := newBench(t, contract.ProcessEConsultation).in
	runs := 0
	for sent := 0; sent < messages; runs++ {
		b := newBench(t, contract.ProcessEConsultation)
		b.in = in
		until := sent + perRun
		send := func(from, to int) {
			for n := max(0, from); n < to; n++ {
				b.message(id(n), "22")
			}
		}
		b.at(0, func() { send(sent-perRun, sent) })
		for from := sent; from < until-burst; from += burst {
			b.at(time.Duration(from-sent)*time.Second, func() { send(from, from+burst) })
		}
		// The suggestion comes while the first message of the last burst is being placed.
		b.at(perRun*time.Second, func() {
			b.slow("DeliverToInbox")
			send(until-burst, until)
		})
		b.at(perRun*time.Second+2*time.Second, func() {
			b.env.SetContinueAsNewSuggested(true)
			b.letGo("DeliverToInbox")
		})
		b.run()
		if in = b.next(); until < messages {
			require.Len(t, in.Untaken, burst-1)
		}
		require.Equal(t, until, in.State.Messages+len(in.Untaken))
		require.LessOrEqual(t, len(in.State.Seen), contract.MaxSeenIDs)
		for _, call := range fakes.Calls(b.do) {
			times[call]++
		}
		sent = until
	}
	require.Equal(t, messages/perRun, runs)

	last := newBench(t, contract.ProcessEConsultation)
	last.in = in
	last.at(time.Minute, func() {
		require.Equal(t, messages, last.state().Messages)
		require.Equal(t, id(messages-1), last.state().LatestMessageID)
		last.env.CancelWorkflow()
	})
	last.run()
	for _, call := range fakes.Calls(last.do) {
		times[call]++
	}
	for n := range messages {
		require.Equal(t, 1, times["WriteJournalEntry "+id(n)+" inbound"], id(n))
		if n%perRun != perRun-burst { // which was slow, and is tried again
			require.Equal(t, 1, times["DeliverToInbox "+id(n)], id(n))
		}
	}
}

func TestAnOvertakenMessageIsAnsweredWithTheLatest(t *testing.T) { // F13
	b := setup(t, contract.ProcessEContact)
	arrives := func(id string, at time.Time) {
		b.env.SignalWorkflow(contract.SignalMessageReceived, contract.MessageReceived{MessageID: id, MsgID: "wire-" + id, Function: "HE", ReceivedAt: at})
	}
	began := b.env.Now()
	b.at(0, func() { arrives(second, began) })
	b.at(time.Hour, func() {
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry, InReplyTo: second}, nil)
	})
	b.at(2*time.Hour, func() { arrives(first, began.Add(-time.Second)) })
	b.at(3*time.Hour, func() {
		s := b.state()
		require.Equal(t, []any{2, second, false}, []any{s.Messages, s.LatestMessageID, s.AnswerOwed})
		require.Nil(t, s.Clock)
		arrives("message-3", b.env.Now())
	})
	b.at(4*time.Hour, func() {
		require.True(t, b.state().AnswerOwed, "what comes after the answer wants one")
		b.env.CancelWorkflow()
	})
	b.run()
	require.Contains(t, fakes.Calls(b.do), "DeliverToInbox "+first, "it is read all the same")
}

func TestTheTroubleOfTheLastMessageStands(t *testing.T) { // D11
	b := setup(t, contract.ProcessEContact)
	const later = "answer-2"
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() {
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry, InReplyTo: first}, nil)
		b.answer(contract.AnswerCommand{AnswerID: later, Code: contract.AnswerToEnquiry, InReplyTo: first, FollowUp: true}, nil)
	})
	b.at(2*time.Hour, func() { b.receipt(later, contract.OutcomeRejected) })
	b.at(3*time.Hour, func() { b.receipt(answer, contract.OutcomeErrorQueue) })
	b.at(4*time.Hour, func() {
		s := b.state()
		require.Equal(t, []any{contract.StatusNeedsOperator, later, 2}, []any{s.Status, s.Troubled, s.Cases})
		b.receipt(answer, contract.OutcomeAcknowledged)
	})
	b.at(5*time.Hour, func() {
		require.Equal(t, contract.StatusNeedsOperator, b.state().Status, "the last message has not arrived")
		b.receipt(later, contract.OutcomeAcknowledged)
	})
	b.at(6*time.Hour, func() { require.Equal(t, contract.StatusAnswered, b.state().Status) })
	b.run()
}
