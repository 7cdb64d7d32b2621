package dialogue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/fakes"
)

const (
	converted = "command-converted"
	resent    = "command-resent"
	notice    = "notice-1" // what the conversion costs
)

// slow makes an activity wait until it is let go: whoever comes meanwhile comes before
// its result.
func (b *bench) slow(name string)  { fakes.Fail(b.do, name, unavailable) }
func (b *bench) letGo(name string) { fakes.Fail(b.do, name, nil) }

var unavailable = apperr.ToTemporal(apperr.New(apperr.Unavailable, "the database is down"))

// converts makes the command a conversion that sends the notice and brings a clock.
func (b *bench) converts() {
	clock := contract.AnswerClock{MessageID: first, Steps: steps(b.env.Now().UTC())}
	b.says(func(d *fakes.Dialogues) {
		d.Changes = map[string]contract.ApplyDialogueChangeOutput{
			converted: {Process: contract.ProcessEConsultation, OutboundID: notice, Code: contract.OpenDialogue, New: true, Clock: &clock},
		}
	})
}

// once is every call without its retries.
func (b *bench) once() []string {
	var once []string
	seen := map[string]bool{}
	for _, call := range fakes.Calls(b.do) {
		if !seen[call] {
			seen[call] = true
			once = append(once, call)
		}
	}
	return once
}

// times counts the calls of one kind.
func (b *bench) times(call string) (n int) {
	for _, c := range fakes.Calls(b.do) {
		if c == call {
			n++
		}
	}
	return n
}

func TestReplyAfterConversion(t *testing.T) { // D9
	b := setup(t, contract.ProcessEContact)
	b.converts()
	invalid := 0
	b.at(0, func() { b.message(first, "HE") })
	b.at(day, func() { b.message(second, "22") })
	b.at(day+time.Second, func() { b.change(converted, nil) })
	b.at(day+time.Minute, func() {
		s := b.state()
		require.Equal(t, contract.ProcessEConsultation, s.Process)
		require.Equal(t, first, s.Clock.MessageID, "its limit counts from the same message")
		require.Equal(t, 1, s.Answers, "what tells of the fee is a message of the clinic's")
		b.change(converted, nil) // the same command again
		b.receipt(notice, contract.OutcomeAcknowledged)
	})
	b.at(day+time.Hour, func() {
		b.answer(contract.AnswerCommand{AnswerID: "answer-0", Code: contract.AnswerToEnquiry}, b.refusals(apperr.Invalid, &invalid))
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerFromPractitioner, InReplyTo: second}, nil)
		b.receipt(answer, contract.OutcomeAcknowledged)
	})
	b.at(3*day, func() { b.message("message-3", "22") })
	b.at(3*day+time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingClinic, b.state().Status)
		b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerDialogueEnded, InReplyTo: "message-3"}, nil)
		b.receipt("answer-2", contract.OutcomeAcknowledged)
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, 1, invalid)
	require.ElementsMatch(t, []string{
		"DeliverToInbox " + first, "DeliverToInbox " + second, "ApplyDialogueChange " + converted, // which journals both
		"SendMessage " + notice, "WriteJournalEntry " + notice + " outbound",
		"SendMessage " + answer, "WriteJournalEntry " + answer + " outbound",
		"DeliverToInbox message-3", "WriteJournalEntry message-3 inbound",
		"SendMessage answer-2", "WriteJournalEntry answer-2 outbound",
	}, fakes.Calls(b.do), "each once")
}

func TestMessageDuringConversionIsJournalled(t *testing.T) { // stored after the conversion had read the thread
	b := setup(t, contract.ProcessEContact)
	b.converts()
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() {
		b.slow("ApplyDialogueChange")
		b.change(converted, nil)
	})
	b.at(time.Hour+5*time.Second, func() { b.message(second, "22") })
	b.at(time.Hour+time.Minute, func() {
		require.NotContains(t, fakes.Calls(b.do), "DeliverToInbox "+second, "PostgreSQL and the run agree on the order")
		b.letGo("ApplyDialogueChange")
	})
	b.at(time.Hour+10*time.Minute, func() { b.env.CancelWorkflow() })
	b.run()
	require.Contains(t, b.once(), "DeliverToInbox "+second)
	require.Equal(t, 1, b.times("WriteJournalEntry "+second+" inbound"))
	require.Zero(t, b.times("WriteJournalEntry "+first+" inbound"), "the conversion has")
}

func TestConversionWaitsForTheMessageThatIsBeingPlaced(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.converts()
	b.at(0, func() {
		b.slow("DeliverToInbox")
		b.message(first, "HE")
	})
	b.at(5*time.Second, func() { b.change(converted, nil) })
	b.at(time.Minute, func() {
		require.NotContains(t, fakes.Calls(b.do), "ApplyDialogueChange "+converted)
		b.letGo("DeliverToInbox")
	})
	b.at(10*time.Minute, func() {
		require.Equal(t, contract.ProcessEConsultation, b.state().Process)
		b.env.CancelWorkflow()
	})
	b.run()
	require.Equal(t, 1, b.times("ApplyDialogueChange "+converted))
	require.Zero(t, b.times("WriteJournalEntry "+first+" inbound"), "the conversion has")
}

func TestAnswerThatLeavesDuringConversionIsJournalled(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.converts()
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() {
		b.slow("SendMessage")
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil)
	})
	b.at(time.Hour+time.Second, func() {
		b.slow("ApplyDialogueChange")
		b.change(converted, nil)
	})
	b.at(time.Hour+5*time.Second, func() { b.letGo("SendMessage") })
	b.at(time.Hour+time.Minute, func() {
		require.Zero(t, b.times("WriteJournalEntry "+answer+" outbound"), "not before it is known what the dialogue is")
		b.letGo("ApplyDialogueChange")
	})
	b.at(time.Hour+10*time.Minute, func() {
		require.Nil(t, b.state().Clock, "nothing is owed: the conversion brings no clock")
		b.receipt(answer, contract.OutcomeAcknowledged)
		b.receipt(notice, contract.OutcomeAcknowledged)
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, 1, b.times("WriteJournalEntry "+answer+" outbound"))
	require.Equal(t, 1, b.times("WriteJournalEntry "+notice+" outbound"))
}

func TestAnswerSentBeforeConversionIsLeftToIt(t *testing.T) { // convert an answered one
	b := setup(t, contract.ProcessEContact)
	b.converts()
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(2*time.Hour, func() { b.change(converted, nil) })
	b.at(3*time.Hour, func() {
		b.receipt(answer, contract.OutcomeAcknowledged)
		b.receipt(notice, contract.OutcomeAcknowledged)
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Zero(t, b.times("WriteJournalEntry "+answer+" outbound"))
	require.Equal(t, contract.StatusAnswered, b.state().Status)
}

func TestConversionOfAClosedDialogueLeavesItClosed(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.converts()
	b.says(func(d *fakes.Dialogues) {
		d.Changes["closed"] = contract.ApplyDialogueChangeOutput{Process: contract.ProcessEContact, Closed: true}
		out := d.Changes[converted]
		out.Closed = true
		d.Changes[converted] = out
	})
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.change("closed", nil) })
	b.at(2*time.Hour, func() { b.change(converted, nil) })
	b.at(3*time.Hour, func() { b.receipt(notice, contract.OutcomeAcknowledged) })
	b.at(4*time.Hour, func() { require.Equal(t, contract.StatusClosed, b.state().Status) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
}

func TestAnswerDuringConversionIsJudgedAfterIt(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.converts()
	invalid := 0
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() {
		b.slow("ApplyDialogueChange")
		b.change(converted, nil)
	})
	b.at(time.Hour+time.Second, func() {
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, b.refusals(apperr.Invalid, &invalid))
	})
	b.at(time.Hour+time.Minute, func() {
		require.Zero(t, invalid)
		b.letGo("ApplyDialogueChange")
	})
	b.at(time.Hour+10*time.Minute, func() {
		require.Equal(t, 1, invalid)
		b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerFromPractitioner}, nil)
		b.receipt("answer-2", contract.OutcomeAcknowledged)
		b.receipt(notice, contract.OutcomeAcknowledged)
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.NotContains(t, fakes.Calls(b.do), "SendMessage "+answer)
}

func TestRefusedChangeLeavesEverything(t *testing.T) {
	b := setup(t, contract.ProcessEConsultation)
	b.says(func(d *fakes.Dialogues) {
		d.Refused = map[string]error{"closed": apperr.ToTemporal(apperr.InState("awaiting-clinic", "answer it first"))}
	})
	refusals := 0
	b.at(0, func() { b.message(first, "SB") })
	b.at(time.Hour, func() {
		b.change("closed", func(err error) {
			var e *apperr.Error
			require.ErrorAs(t, apperr.FromTemporal(err), &e)
			require.Equal(t, apperr.Conflict, e.Kind)
			require.Equal(t, "awaiting-clinic", e.State)
			refusals++
		})
		b.change("", b.refusals(apperr.Invalid, &refusals))
	})
	b.at(2*time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingClinic, b.state().Status)
		require.Empty(t, b.state().Accepted)
		b.env.CancelWorkflow()
	})
	b.run()
	require.Equal(t, 2, refusals)
	require.Equal(t, 1, b.times("ApplyDialogueChange closed"))
}

func TestChangeOutlivesACancellation(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.converts()
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() {
		b.slow("ApplyDialogueChange")
		b.change(converted, nil)
	})
	b.at(time.Hour+5*time.Second, func() { b.env.CancelWorkflow() })
	b.at(time.Hour+time.Minute, func() { b.letGo("ApplyDialogueChange") })
	b.run()
	require.Error(t, b.env.GetWorkflowError())
	require.Contains(t, b.once(), "CloseDelivery "+notice+" failed cancelled-by-operator", "the notice of a conversion has its outcome")
}

func TestTwoAnswersFromTwoPeople(t *testing.T) { // D17: the deputy answers while the GP also answers
	b := setup(t, contract.ProcessEConsultation)
	b.clocked(map[string]time.Duration{first: 0})
	var conflicts []error
	b.at(0, func() { b.message(first, "SB") })
	b.at(4*day+time.Hour, func() {
		require.Equal(t, contract.StepDeputy, b.state().Escalated)
		deputy := contract.AnswerCommand{AnswerID: "deputys", Code: contract.AnswerFromPractitioner, InReplyTo: first}
		gp := contract.AnswerCommand{AnswerID: "gps", Code: contract.AnswerDialogueEnded, InReplyTo: first, Close: true}
		b.answer(deputy, nil)
		b.answer(gp, func(err error) { conflicts = append(conflicts, err) })
	})
	b.at(5*day, func() { b.receipt("deputys", contract.OutcomeAcknowledged) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Len(t, conflicts, 1)
	var e *apperr.Error
	require.ErrorAs(t, apperr.FromTemporal(conflicts[0]), &e)
	require.Equal(t, apperr.Conflict, e.Kind)
	require.Equal(t, string(contract.StatusSending), e.State)
	require.Contains(t, e.Message, "no answer is owed any more")
	require.Equal(t, 1, b.times("SendMessage deputys"))
	require.Zero(t, b.times("SendMessage gps"))
	require.Equal(t, contract.StatusAnswered, b.state().Status)
	require.Len(t, b.escalations(), 2)
}

func TestAnswerAndCloseEndsAnEContactHereOnly(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() {
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry, Close: true}, nil)
		b.receipt(answer, contract.OutcomeAcknowledged)
	})
	b.at(2*time.Hour, func() {
		require.Equal(t, contract.StatusClosed, b.state().Status)
		b.message(second, "22")
	})
	b.at(3*time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingClinic, b.state().Status)
		b.env.CancelWorkflow()
	})
	b.run()
}

// resends makes the command send the answer once more.
func (b *bench) resends() {
	b.says(func(d *fakes.Dialogues) {
		d.Changes = map[string]contract.ApplyDialogueChangeOutput{
			resent: {Process: contract.ProcessEContact, OutboundID: answer, Code: contract.AnswerToEnquiry},
		}
	})
}

func TestIdenticalMessageOnceMore(t *testing.T) { // HITS 1216 §2.2.4
	b := setup(t, contract.ProcessEContact)
	b.resends()
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(2*time.Hour, func() { b.receipt(answer, contract.OutcomeErrorQueue) })
	b.at(3*time.Hour, func() {
		require.Equal(t, contract.StatusNeedsOperator, b.state().Status)
		b.change(resent, nil)
		b.change(resent, nil)
	})
	b.at(4*time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingReceipt, b.state().Status)
		b.receipt(answer, contract.OutcomeAcknowledged)
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.StatusAnswered, b.state().Status)
	require.Equal(t, []string{"DeliverToInbox " + first, "SendMessage " + answer, "ApplyDialogueChange " + resent, "SendMessage " + answer}, fakes.Calls(b.do))
}

func TestRefusalOfTheFirstSendingIsNotTheSeconds(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.resends()
	refused := b.env.Now().UTC().Add(2 * time.Hour)
	late := func(at time.Time, outcome contract.Outcome) {
		b.env.SignalWorkflow(contract.SignalReceiptReceived, contract.ReceiptReceived{OutboundID: answer, Outcome: outcome, At: at})
	}
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(3*time.Hour, func() { b.change(resent, nil) }) // the ledger knows of the refusal, the run does not yet
	b.at(4*time.Hour, func() { late(refused, contract.OutcomeErrorQueue) })
	b.at(5*time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingReceipt, b.state().Status)
		late(refused.Add(3*time.Hour), contract.OutcomeAcknowledged)
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.StatusAnswered, b.state().Status)
	require.Zero(t, b.state().Cases)
	require.Equal(t, 2, b.times("SendMessage "+answer))
	require.NotContains(t, fakes.Calls(b.do), "CloseDelivery "+answer+" overdue ")
}

func TestSecondSilenceIsACaseToo(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.resends()
	b.do.ReceiptIn = 5 * time.Hour
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(4*time.Hour, func() { b.change(resent, nil) }) // overdue for the ledger a moment before it is here
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.StatusNeedsOperator, b.state().Status)
	require.Equal(t, 1, b.times("CloseDelivery "+answer+" overdue "), "the first one's clock is stopped")
}

func TestGivingUpAndResendingDoNotMeet(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.resends()
	b.do.ReceiptIn = 5 * time.Hour
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(5*time.Hour-time.Minute, func() { b.slow("CloseDelivery") })
	b.at(5*time.Hour+5*time.Second, func() { b.change(resent, nil) })
	b.at(5*time.Hour+time.Minute, func() {
		require.Zero(t, b.times("ApplyDialogueChange "+resent), "its outcome is being written")
		b.letGo("CloseDelivery")
	})
	b.at(5*time.Hour+10*time.Minute, func() { b.receipt(answer, contract.OutcomeAcknowledged) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.StatusAnswered, b.state().Status)
	require.Equal(t, 2, b.times("SendMessage "+answer))
}
