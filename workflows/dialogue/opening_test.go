package dialogue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/fakes"
	"github.com/helsebro/helsebro/workflows/flow"
)

const opening = "opening-1"

func TestClinicWritesFirst(t *testing.T) { // S14-S18
	b := setup(t, contract.ProcessEConsultation)
	conflicts := 0
	b.at(0, func() { b.open(opening, contract.OpenDialogue, nil) })
	b.at(time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingReceipt, b.state().Status)
		b.open(opening, contract.OpenDialogue, nil) // the same command again
		b.open("opening-2", contract.OpenDialogue, b.refusals(apperr.Conflict, &conflicts))
		b.receipt(opening, contract.OutcomeAcknowledged)
	})
	b.at(2*time.Hour, func() {
		require.Equal(t, contract.StatusAnswered, b.state().Status)
		// Nobody has asked: another message answers nothing, and is no conflict.
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerFromPractitioner}, nil)
	})
	b.at(3*time.Hour, func() { b.receipt(answer, contract.OutcomeAcknowledged); b.message(first, "22") })
	b.at(4*time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingClinic, b.state().Status)
		b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerDialogueEnded, InReplyTo: first}, nil)
		b.answer(contract.AnswerCommand{AnswerID: "answer-3", Code: contract.AnswerFromPractitioner, InReplyTo: first}, b.refusals(apperr.Conflict, &conflicts))
	})
	b.at(5*time.Hour, func() { b.receipt("answer-2", contract.OutcomeAcknowledged) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, 2, conflicts)
	require.Equal(t, contract.StatusClosed, b.state().Status)
	require.True(t, b.state().Opened)
	require.ElementsMatch(t, []string{
		"SendMessage " + opening, "WriteJournalEntry " + opening + " outbound",
		"SendMessage " + answer, "WriteJournalEntry " + answer + " outbound",
		"DeliverToInbox " + first, "WriteJournalEntry " + first + " inbound",
		"SendMessage answer-2", "WriteJournalEntry answer-2 outbound",
	}, fakes.Calls(b.do))
}

func TestOnlyAnEmptyDialogueIsOpened(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	conflicts := 0
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() {
		b.open(opening, contract.OpenDialogue, b.refusals(apperr.Conflict, &conflicts))
		b.env.CancelWorkflow()
	})
	b.run()
	require.Equal(t, 1, conflicts)
	require.NotContains(t, fakes.Calls(b.do), "SendMessage "+opening)
}

func TestRefusedOpeningLeavesNoRun(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	invalid := 0
	b.at(0, func() {
		b.open(opening, contract.InHouse, b.refusals(apperr.Invalid, &invalid)) // never on the wire
		b.open("", contract.OpenDialogue, b.refusals(apperr.Invalid, &invalid))
	})
	began := b.env.Now()
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, 2, invalid)
	require.Empty(t, fakes.Calls(b.do))
	require.InDelta(t, flow.EmptyBeforeEnd.Seconds(), b.env.Now().Sub(began).Seconds(), 1)
}

func TestOpeningThatCannotBeSentIsACase(t *testing.T) { // the patient is not on Helsenorge after all
	b := setup(t, contract.ProcessEContact)
	fakes.Fail(b.do, "SendMessage", apperr.ToTemporal(apperr.New(apperr.Conflict, "not reachable")))
	b.at(0, func() { b.open(opening, contract.OpenOneWay, nil) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, []string{"SendMessage " + opening, "CloseDelivery " + opening + " failed conflict"}, fakes.Calls(b.do))
	require.Equal(t, contract.StatusNeedsOperator, b.state().Status)
}

func TestResumedRunKnowsThatTheClinicWroteFirst(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.in.Resume = true
	b.do.Loaded = contract.LoadDialogueOutput{Answers: 1, AnswerID: opening, AnswerCode: contract.OpenDialogue, Opened: true, Accepted: []string{opening}}
	conflicts := 0
	b.at(0, func() {
		b.open(opening, contract.OpenDialogue, nil)
		b.open("opening-2", contract.OpenDialogue, b.refusals(apperr.Conflict, &conflicts))
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil)
	})
	b.at(time.Hour, func() { b.receipt(answer, contract.OutcomeAcknowledged) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, 1, conflicts)
	require.Equal(t, []string{"LoadDialogue dialogue", "SendMessage " + answer}, fakes.Calls(b.do))
}

func TestEDialogueStaysInTheHouse(t *testing.T) { // S19, S20
	b := setup(t, contract.ProcessEDialogue)
	invalid := 0
	b.at(0, func() {
		b.open("opening-2", contract.OpenDialogue, b.refusals(apperr.Invalid, &invalid))
		b.open(opening, contract.InHouse, nil)
	})
	b.at(time.Hour, func() {
		require.Equal(t, contract.StatusAnswered, b.state().Status)
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.InHouse}, nil) // a colleague adds a word
	})
	b.at(2*time.Hour, func() { b.message(first, contract.InHouse) })
	b.at(3*time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingClinic, b.state().Status)
		b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.InHouse, InReplyTo: first, Close: true}, nil)
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, 1, invalid)
	require.Equal(t, contract.StatusClosed, b.state().Status)
	require.Zero(t, b.state().Cases)
	require.Equal(t, []string{"PublishMessage " + opening, "PublishMessage " + answer, "DeliverToInbox " + first, "PublishMessage answer-2"}, fakes.Calls(b.do))
}

func TestMessageThatCannotBeShownIsClosedWithItsReason(t *testing.T) {
	b := setup(t, contract.ProcessEDialogue)
	fakes.Fail(b.do, "PublishMessage", apperr.ToTemporal(apperr.New(apperr.Erased, "no")))
	b.at(0, func() { b.open(opening, contract.InHouse, nil) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, []string{"PublishMessage " + opening, "CloseDelivery " + opening + " failed erased"}, fakes.Calls(b.do))
	require.Equal(t, contract.StatusNeedsOperator, b.state().Status)
}
