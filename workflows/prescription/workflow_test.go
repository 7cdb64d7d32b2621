package prescription_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows"
	"github.com/helsebro/helsebro/workflows/fakes"
)

const (
	request = "message-1"
	answer  = "answer-1"
)

// bench is one request in the test environment.
type bench struct {
	*testing.T
	env *testsuite.TestWorkflowEnvironment
	do  *fakes.Activities
	in  contract.PrescriptionInput
}

func setup(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	var suite testsuite.WorkflowTestSuite
	b := &bench{T: t, env: suite.NewTestWorkflowEnvironment(), do: &fakes.Activities{},
		in: contract.PrescriptionInput{ClinicID: "clinic", DialogueID: "dialogue"}}
	workflows.Register(b.env)
	b.env.RegisterActivity(b.do)
	return b
}

func (b *bench) at(after time.Duration, f func()) { b.env.RegisterDelayedCallback(f, after) }

func (b *bench) message() {
	b.env.SignalWorkflow(contract.SignalMessageReceived, contract.MessageReceived{MessageID: request, MsgID: "wire-1", Function: "RF"})
}

func (b *bench) receipt(outcome contract.Outcome) {
	b.env.SignalWorkflow(contract.SignalReceiptReceived, contract.ReceiptReceived{OutboundID: answer, Outcome: outcome})
}

// answer gives the command; errs gets the error of a refusal.
func (b *bench) answer(cmd contract.AnswerCommand, errs *[]error) {
	took := func(err error) {
		if err != nil && errs == nil {
			b.Errorf("answer %s is refused: %v", cmd.AnswerID, err)
		} else if err != nil {
			*errs = append(*errs, err)
		}
	}
	b.env.UpdateWorkflow(contract.UpdateAnswer, cmd.AnswerID, &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: took, OnComplete: func(_ any, err error) { took(err) },
	}, cmd)
}

func (b *bench) run() contract.PrescriptionState {
	b.env.ExecuteWorkflow(contract.PrescriptionWorkflow, b.in)
	require.True(b, b.env.IsWorkflowCompleted())
	v, err := b.env.QueryWorkflow(contract.QueryState)
	require.NoError(b, err)
	var s contract.PrescriptionState
	require.NoError(b, v.Get(&s))
	return s
}

func TestAnsweredOnceAndDone(t *testing.T) { // S58, S66; not journalled: S53
	b := setup(t)
	var errs []error
	b.at(0, b.message)
	b.at(time.Hour, func() {
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerCannotRenew, InReplyTo: request}, nil)
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerCannotRenew, InReplyTo: request}, nil)
		b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerRefused}, &errs)
	})
	b.at(2*time.Hour, func() { b.receipt(contract.OutcomeAcknowledged) })
	s := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.StatusAnswered, s.Status)
	require.Len(t, errs, 1)
	require.True(t, apperr.Is(errs[0], apperr.Conflict))
	require.Equal(t, []string{"DeliverToInbox " + request, "SendMessage " + answer}, fakes.Calls(b.do))
}

func TestAnswerMustFitTheProcess(t *testing.T) { // S61-S65
	b := setup(t)
	var errs []error
	b.at(0, b.message)
	b.at(time.Hour, func() {
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, &errs)
		b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerRefused, InReplyTo: "another"}, &errs)
		b.env.CancelWorkflow()
	})
	b.run()
	require.Len(t, errs, 2)
	require.True(t, apperr.Is(errs[0], apperr.Invalid))
	require.True(t, apperr.Is(errs[1], apperr.Conflict))
	require.Contains(t, fakes.Calls(b.do), "OpenCase cancelled "+request+" cancelled-by-operator")
}

func TestMissingReceiptBecomesACase(t *testing.T) {
	b := setup(t)
	b.do.ReceiptIn = 5 * time.Hour
	b.at(0, b.message)
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerCannotRenew}, nil) })
	s := b.run()
	require.Equal(t, contract.StatusNeedsOperator, s.Status)
	require.Contains(t, fakes.Calls(b.do), "CloseDelivery "+answer+" overdue ")
}

func TestMessageThatComesAgainAfterTheEndChangesNothing(t *testing.T) {
	b := setup(t)
	b.in.Resume = true
	b.do.Loaded = contract.LoadDialogueOutput{LatestMessageID: request, Messages: 1, Seen: []string{"wire-1"}, AnswerID: answer, AnswerCode: contract.AnswerCannotRenew}
	b.at(0, b.message)
	s := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.StatusAnswered, s.Status)
	require.Equal(t, []string{"LoadDialogue dialogue"}, fakes.Calls(b.do))
}

func TestSecondAnswerAfterTheEndIsRefused(t *testing.T) {
	b := setup(t)
	b.in.Resume = true
	b.do.Loaded = contract.LoadDialogueOutput{LatestMessageID: request, Messages: 1, Seen: []string{"wire-1"}, AnswerID: answer, AnswerCode: contract.AnswerCannotRenew}
	var errs []error
	b.at(0, func() { b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerRefused}, &errs) })
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Len(t, errs, 1)
	require.True(t, apperr.Is(errs[0], apperr.Conflict), "%v", errs[0])
}

func TestRejectedAnswerMayBeGivenAnew(t *testing.T) {
	b := setup(t)
	b.at(0, b.message)
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerCannotRenew}, nil) })
	b.at(2*time.Hour, func() { b.receipt(contract.OutcomeRejected) })
	b.at(3*time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerRefused}, nil) })
	b.at(4*time.Hour, func() {
		b.env.SignalWorkflow(contract.SignalReceiptReceived, contract.ReceiptReceived{OutboundID: "answer-2", Outcome: contract.OutcomeAcknowledged})
	})
	s := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.StatusAnswered, s.Status)
	require.Equal(t, "answer-2", s.AnswerID)
}
