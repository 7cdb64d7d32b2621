package dialogue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows"
	"github.com/helsebro/helsebro/workflows/fakes"
	"github.com/helsebro/helsebro/workflows/flow"
)

const (
	first, second = "message-1", "message-2"
	answer        = "answer-1"
)

// bench is one dialogue in the test environment.
type bench struct {
	*testing.T
	env *testsuite.TestWorkflowEnvironment
	do  *fakes.Activities
	in  contract.DialogueInput
}

func setup(t *testing.T, process contract.Process) *bench {
	t.Helper()
	t.Parallel()
	return newBench(t, process)
}

// newBench is setup for a further environment in the same test.
func newBench(t *testing.T, process contract.Process) *bench {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	b := &bench{T: t, env: suite.NewTestWorkflowEnvironment(), do: &fakes.Activities{},
		in: contract.DialogueInput{ClinicID: "clinic", DialogueID: "dialogue", Process: process}}
	workflows.Register(b.env)
	b.env.RegisterActivity(b.do)
	b.env.SetTestTimeout(time.Minute)
	return b
}

// says tells the fakes what the clinic's rules say.
func (b *bench) says(change func(*fakes.Dialogues)) { fakes.SetDialogues(b.do, change) }

// at runs f after so much of the dialogue's time.
func (b *bench) at(after time.Duration, f func()) { b.env.RegisterDelayedCallback(f, after) }

func (b *bench) message(id, function string) {
	b.env.SignalWorkflow(contract.SignalMessageReceived, contract.MessageReceived{MessageID: id, MsgID: "wire-" + id, Function: function})
}

func (b *bench) receipt(id string, outcome contract.Outcome) {
	b.env.SignalWorkflow(contract.SignalReceiptReceived, contract.ReceiptReceived{OutboundID: id, Outcome: outcome})
}

// command gives a command; refused gets the error of a refusal.
func (b *bench) command(update, id string, arg any, refused func(error)) {
	took := func(err error) {
		switch {
		case err == nil:
		case refused != nil:
			refused(err)
		default:
			b.Errorf("%s %s is refused: %v", update, id, err)
		}
	}
	b.env.UpdateWorkflow(update, id, &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: took, OnComplete: func(_ any, err error) { took(err) },
	}, arg)
}

func (b *bench) answer(cmd contract.AnswerCommand, refused func(error)) {
	b.command(contract.UpdateAnswer, cmd.AnswerID, cmd, refused)
}

func (b *bench) open(id, code string, refused func(error)) {
	b.command(contract.UpdateOpen, id, contract.OpenCommand{MessageID: id, Code: code}, refused)
}

func (b *bench) change(id string, refused func(error)) {
	b.command(contract.UpdateChange, id, contract.ChangeCommand{CommandID: id}, refused)
}

// refusals collects refusals of one kind.
func (b *bench) refusals(kind apperr.Kind, count *int) func(error) {
	return func(err error) {
		require.Truef(b, apperr.Is(err, kind), "%v", err)
		*count++
	}
}

func (b *bench) state() contract.DialogueState {
	v, err := b.env.QueryWorkflow(contract.QueryState)
	require.NoError(b, err)
	var s contract.DialogueState
	require.NoError(b, v.Get(&s))
	return s
}

// card is the status card that the Temporal UI shows.
func (b *bench) card() string {
	v, err := b.env.QueryWorkflow("__temporal_workflow_metadata")
	require.NoError(b, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(b, v.Get(&metadata))
	return metadata.CurrentDetails
}

func (b *bench) run() {
	b.env.ExecuteWorkflow(contract.DialogueWorkflow, b.in)
	require.True(b, b.env.IsWorkflowCompleted())
}

func TestEConsultationIsJournalledAndAnswered(t *testing.T) { // S44, S50, A10
	b := setup(t, contract.ProcessEConsultation)
	b.at(0, func() { b.message(first, "SB") })
	b.at(time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingClinic, b.state().Status)
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerFromPractitioner, InReplyTo: first}, nil)
	})
	b.at(2*time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingReceipt, b.state().Status)
		b.receipt(answer, contract.OutcomeAcknowledged)
	})
	b.at(3*time.Hour, func() { require.Equal(t, contract.StatusAnswered, b.state().Status) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.ElementsMatch(t, []string{
		"DeliverToInbox " + first, "WriteJournalEntry " + first + " inbound",
		"SendMessage " + answer, "WriteJournalEntry " + answer + " outbound",
	}, fakes.Calls(b.do))
}

func TestEndsAfterThirtyIdleDaysWhateverEndsLast(t *testing.T) {
	b := setup(t, contract.ProcessEConsultation)
	b.at(0, func() { b.message(first, "SB") })
	b.at(time.Hour, func() {
		// The receipt overtakes the journal entry of the answer.
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerFromPractitioner}, nil)
		b.receipt(answer, contract.OutcomeAcknowledged)
	})
	began := b.env.Now()
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.InDelta(t, flow.IdleBeforeEnd.Hours(), b.env.Now().Sub(began).Hours(), 2)
}

func TestEContactIsNotJournalled(t *testing.T) { // S53
	b := setup(t, contract.ProcessEContact)
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(2*time.Hour, func() { b.receipt(answer, contract.OutcomeAcknowledged) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, []string{"DeliverToInbox " + first, "SendMessage " + answer}, fakes.Calls(b.do))
}

func TestSameMessageChangesNothing(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	for i := range 5 {
		b.at(time.Duration(i)*time.Minute, func() { b.message(first, "HE") })
	}
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	for i := range 5 {
		b.at(2*time.Hour+time.Duration(i)*time.Minute, func() { b.receipt(answer, contract.OutcomeAcknowledged); b.message(first, "HE") })
	}
	b.run()
	require.Equal(t, []string{"DeliverToInbox " + first, "SendMessage " + answer}, fakes.Calls(b.do))
	require.Equal(t, 1, b.state().Messages)
}

func TestCitizenWritesAgainAndReopens(t *testing.T) {
	b := setup(t, contract.ProcessEConsultation)
	b.at(0, func() { b.message(first, "SB") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerDialogueEnded}, nil) })
	b.at(2*time.Hour, func() { b.receipt(answer, contract.OutcomeAcknowledged) })
	b.at(3*time.Hour, func() {
		require.Equal(t, contract.StatusClosed, b.state().Status)
		b.message(second, "22")
	})
	b.at(4*time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingClinic, b.state().Status)
		b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerFromPractitioner, InReplyTo: first}, func(err error) {
			require.True(t, apperr.Is(err, apperr.Conflict), "he has not read the latest message: %v", err)
		})
		b.answer(contract.AnswerCommand{AnswerID: "answer-3", Code: contract.AnswerFromPractitioner, InReplyTo: second}, nil)
	})
	b.at(5*time.Hour, func() { b.receipt("answer-3", contract.OutcomeAcknowledged) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.StatusAnswered, b.state().Status)
}

func TestUnreadNoticeAsksForNothing(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.at(0, func() { b.message(first, contract.FunctionUnread) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.False(t, b.state().AnswerOwed)
	require.Equal(t, []string{"DeliverToInbox " + first}, fakes.Calls(b.do))
}

func TestTwoAnswersAreOneAndAConflict(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	refusals := 0
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() {
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil)
		b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerToEnquiry}, func(err error) {
			var e *apperr.Error
			require.ErrorAs(t, apperr.FromTemporal(err), &e)
			require.Equal(t, apperr.Conflict, e.Kind)
			require.NotEmpty(t, e.State)
			refusals++
		})
		b.answer(contract.AnswerCommand{AnswerID: "answer-3", Code: contract.AnswerToEnquiry, FollowUp: true}, nil)
	})
	b.at(2*time.Hour, func() {
		b.receipt(answer, contract.OutcomeAcknowledged)
		b.receipt("answer-3", contract.OutcomeAcknowledged)
	})
	b.run()
	require.Equal(t, 1, refusals)
	require.Equal(t, []string{"DeliverToInbox " + first, "SendMessage " + answer, "SendMessage answer-3"}, fakes.Calls(b.do))
}

func TestAnswerMustFitTheProcess(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	var refusals []error
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() {
		refused := func(err error) { refusals = append(refusals, err) }
		b.answer(contract.AnswerCommand{AnswerID: "wrong", Code: contract.AnswerFromPractitioner}, refused)
		b.answer(contract.AnswerCommand{AnswerID: "ended", Code: contract.AnswerDialogueEnded}, refused) // 13 is for e-consultations
		b.answer(contract.AnswerCommand{Code: contract.AnswerToEnquiry}, refused)
		b.env.CancelWorkflow()
	})
	b.run()
	require.Len(t, refusals, 3)
	for _, err := range refusals {
		require.True(t, apperr.Is(err, apperr.Invalid), "%v", err)
	}
}

func TestMissingReceiptBecomesACase(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.do.ReceiptIn = 5 * time.Hour
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(6*time.Hour, func() { require.Equal(t, contract.StatusNeedsOperator, b.state().Status) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Contains(t, fakes.Calls(b.do), "CloseDelivery "+answer+" overdue ")
}

func TestReceiptThatWasStoredFirstWins(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.do.Stands = contract.OutcomeAcknowledged
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.run()
	require.Equal(t, contract.StatusAnswered, b.state().Status)
	require.Zero(t, b.state().Cases)
}

func TestRejectedAnswerNeedsAnOperator(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(2*time.Hour, func() { b.receipt(answer, contract.OutcomeRejected) })
	b.run()
	require.Equal(t, contract.StatusNeedsOperator, b.state().Status)
}

// An operator who has seen to a case says so with an update: the run goes on, and ends like
// any other. What he says of another message changes nothing.
func TestResolvedCaseEndsTheTrouble(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	resolve := func(id, message string, refused func(error)) {
		b.command(contract.UpdateResolve, id, contract.ResolveCommand{CaseID: id, MessageID: message, Code: contract.AnswerToEnquiry}, refused)
	}
	var refused int
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(2*time.Hour, func() {
		resolve("", answer, b.refusals(apperr.Invalid, &refused))
		b.receipt(answer, contract.OutcomeRejected)
	})
	b.at(3*time.Hour, func() { resolve("case-1", first, nil) })
	b.at(4*time.Hour, func() {
		require.Equal(t, contract.StatusNeedsOperator, b.state().Status)
		resolve("case-2", answer, nil)
	})
	b.at(5*time.Hour, func() {
		require.Equal(t, contract.StatusAnswered, b.state().Status)
		require.Contains(t, b.card(), "**Nothing is owed; either side may write**")
		require.Equal(t, 1, refused)
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.StatusAnswered, b.state().Status)
}

func TestUnsendableAnswerIsClosedWithItsReason(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	fakes.Fail(b.do, "SendMessage", apperr.ToTemporal(apperr.New(apperr.Invalid, "no")))
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.run()
	require.Equal(t, []string{"DeliverToInbox " + first, "SendMessage " + answer, "CloseDelivery " + answer + " failed invalid"}, fakes.Calls(b.do))
	require.Equal(t, contract.StatusNeedsOperator, b.state().Status)
}

func TestUndeliverableMessageOpensACase(t *testing.T) {
	b := setup(t, contract.ProcessEConsultation)
	fakes.Fail(b.do, "DeliverToInbox", apperr.ToTemporal(apperr.New(apperr.NotFound, "no")))
	fakes.Fail(b.do, "WriteJournalEntry", apperr.ToTemporal(apperr.New(apperr.Erased, "no")))
	b.at(0, func() { b.message(first, "SB") })
	b.at(time.Hour, func() { b.env.CancelWorkflow() })
	b.run()
	require.Contains(t, fakes.Calls(b.do), "OpenCase not-in-inbox "+first+" not-found")
	require.Contains(t, fakes.Calls(b.do), "OpenCase not-journalled "+first+" erased")
}

func TestCancellationLeavesNothingOpen(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(2*time.Hour, func() { b.message(second, "22") })
	b.at(3*time.Hour, func() { b.env.CancelWorkflow() })
	b.run()
	require.Error(t, b.env.GetWorkflowError())
	require.Contains(t, fakes.Calls(b.do), "CloseDelivery "+answer+" failed cancelled-by-operator")
	require.Contains(t, fakes.Calls(b.do), "OpenCase cancelled "+second+" cancelled-by-operator")
}

func TestNewRunReadsTheOldOnesState(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.in.Resume = true
	b.do.Loaded = contract.LoadDialogueOutput{LatestMessageID: first, Messages: 1, Seen: []string{"wire-" + first}, AnswerOwed: true}
	b.at(0, func() {
		b.message(first, "HE") // known: nothing happens
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry, InReplyTo: first}, nil)
	})
	b.at(time.Hour, func() { b.receipt(answer, contract.OutcomeAcknowledged) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, []string{"LoadDialogue dialogue", "SendMessage " + answer}, fakes.Calls(b.do))
}

func TestContinueAsNewLosesNothing(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(2*time.Hour, func() {
		b.message(second, "22")
		b.message("message-3", "22")
	})
	b.at(2*time.Hour+time.Second, func() { b.env.SetContinueAsNewSuggested(true) })
	b.run()
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, b.env.GetWorkflowError(), &again)
	s := b.state()
	require.Equal(t, []string{"wire-" + first, "wire-" + second, "wire-message-3"}, s.Seen)
	require.Len(t, s.Open, 1, "the receipt is awaited by the next run")

	// The next run.
	n := newBench(t, b.in.Process)
	n.in.State = &s
	n.at(0, func() { n.message(second, "22") })
	n.at(time.Hour, func() {
		n.receipt(answer, contract.OutcomeAcknowledged)
		n.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) // the same command again
		n.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerToEnquiry}, nil)
	})
	n.at(2*time.Hour, func() { n.receipt("answer-2", contract.OutcomeAcknowledged) })
	n.run()
	require.NoError(t, n.env.GetWorkflowError())
	require.Equal(t, []string{"SendMessage answer-2"}, fakes.Calls(n.do))
	require.Equal(t, 3, n.state().Messages)
}

func TestCancellationTakesInWhatHasCome(t *testing.T) {
	b := setup(t, contract.ProcessEConsultation)
	b.at(0, func() { b.message(first, "SB") })
	b.at(time.Hour, func() {
		fakes.Fail(b.do, "DeliverToInbox", apperr.ToTemporal(apperr.New(apperr.Unavailable, "the database is down")))
		b.message(second, "22")
	})
	b.at(time.Hour+time.Minute, func() { b.env.CancelWorkflow() })
	b.at(time.Hour+2*time.Minute, func() {
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerFromPractitioner}, func(err error) {
			require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
		})
	})
	b.at(time.Hour+3*time.Minute, func() { fakes.Fail(b.do, "DeliverToInbox", nil) })
	b.run()
	calls := fakes.Calls(b.do)
	require.Contains(t, calls, "DeliverToInbox "+second)
	require.Contains(t, calls, "WriteJournalEntry "+second+" inbound")
	require.Contains(t, calls, "OpenCase cancelled "+second+" cancelled-by-operator")
	require.NotContains(t, calls, "SendMessage "+answer)
}

func TestWhoSeesAMessageBeforeItsLifecycleIsToldToWait(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.at(0, func() { b.message(first, "HE") })
	again := contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry, InReplyTo: second}
	b.at(time.Hour, func() {
		fakes.Fail(b.do, "DeliverToInbox", apperr.ToTemporal(apperr.New(apperr.Unavailable, "the database is down")))
		b.message(second, "22")
	})
	b.at(time.Hour+time.Minute, func() {
		b.answer(again, func(err error) { require.ErrorContains(t, err, "try again in a moment") })
		fakes.Fail(b.do, "DeliverToInbox", nil)
	})
	b.at(2*time.Hour, func() {
		again.AnswerID = "answer-2"
		b.answer(again, nil)
	})
	b.at(3*time.Hour, func() { b.receipt("answer-2", contract.OutcomeAcknowledged) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Contains(t, fakes.Calls(b.do), "SendMessage answer-2")
}

func TestUnplacedMessagesOfATerminatedRunAreTakenUp(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.in.Resume = true
	b.do.Loaded = contract.LoadDialogueOutput{Unplaced: []contract.MessageReceived{{MessageID: first, MsgID: "wire-" + first, Function: "HE"}}}
	b.at(0, func() { b.message(first, "HE"); b.message(second, "22") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(2*time.Hour, func() { b.receipt(answer, contract.OutcomeAcknowledged) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, []string{"LoadDialogue dialogue", "DeliverToInbox " + first, "DeliverToInbox " + second, "SendMessage " + answer}, fakes.Calls(b.do))
}

func TestOnlyTheLateReceiptItselfEndsTheTrouble(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil) })
	b.at(2*time.Hour, func() { b.receipt(answer, contract.OutcomeAcknowledged) })
	b.at(3*time.Hour, func() {
		b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerToEnquiry, FollowUp: true}, nil)
	})
	b.at(4*time.Hour, func() { b.receipt("answer-2", contract.OutcomeRejected) })
	b.at(5*time.Hour, func() { b.receipt(answer, contract.OutcomeAcknowledged) }) // the first one's, once more
	b.at(6*time.Hour, func() {
		require.Equal(t, contract.StatusNeedsOperator, b.state().Status)
		b.receipt("answer-2", contract.OutcomeAcknowledged)
	})
	b.run()
	require.Equal(t, contract.StatusAnswered, b.state().Status)
}
