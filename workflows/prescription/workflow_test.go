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

// An operator has told the citizen what the answer could not: the run ends as answered.
func TestResolvedCaseEndsTheRequest(t *testing.T) {
	b := setup(t)
	b.at(0, b.message)
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerCannotRenew}, nil) })
	b.at(2*time.Hour, func() { b.receipt(contract.OutcomeRejected) })
	b.at(3*time.Hour, func() {
		b.env.UpdateWorkflow(contract.UpdateResolve, "case", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(err error) { b.Error(err) },
			OnComplete: func(out any, err error) {
				require.NoError(t, err)
				require.Equal(t, contract.ResolveAccepted{Status: contract.StatusAnswered}, out)
			},
		}, contract.ResolveCommand{CaseID: "case", MessageID: answer, Code: contract.AnswerCannotRenew})
	})
	s := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.StatusAnswered, s.Status)
	require.Equal(t, contract.AnswerCannotRenew, s.AnswerCode)
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

func TestAnswerThatIsOverdueStaysSoInTheNextRun(t *testing.T) {
	b := setup(t)
	b.in.Resume = true
	b.do.Loaded = contract.LoadDialogueOutput{LatestMessageID: request, Messages: 1, Seen: []string{"wire-1"}, AnswerID: answer, AnswerCode: contract.AnswerCannotRenew, Troubled: answer}
	b.at(0, b.message)
	require.Equal(t, contract.StatusNeedsOperator, b.run().Status)
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
	require.Equal(t, contract.StatusClosed, s.Status, "26 ends it")
	require.Equal(t, "answer-2", s.AnswerID)
}

const day = 24 * time.Hour

// clocked gives the request an answer clock.
func (b *bench) clocked() {
	began := b.env.Now().UTC()
	fakes.SetDialogues(b.do, func(d *fakes.Dialogues) {
		d.Clocks = map[string][]contract.Escalation{request: {
			{Step: contract.StepWarn, At: began.Add(3 * day)}, {Step: contract.StepOverdue, At: began.Add(5 * day)},
		}}
	})
}

// changes is what a command makes of the request.
func (b *bench) changes(id string, out contract.ApplyDialogueChangeOutput) {
	fakes.SetDialogues(b.do, func(d *fakes.Dialogues) { d.Changes = map[string]contract.ApplyDialogueChangeOutput{id: out} })
}

// change gives the command; errs gets the error of a refusal.
func (b *bench) change(id string, errs *[]error) {
	took := func(err error) {
		if err != nil && errs == nil {
			b.Errorf("command %s is refused: %v", id, err)
		} else if err != nil {
			*errs = append(*errs, err)
		}
	}
	b.env.UpdateWorkflow(contract.UpdateChange, id, &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: took, OnComplete: func(_ any, err error) { took(err) },
	}, contract.ChangeCommand{CommandID: id})
}

func TestAnswerClockIsStoppedByTheAnswerOnly(t *testing.T) { // F13
	b := setup(t)
	b.clocked()
	b.changes("split", contract.ApplyDialogueChangeOutput{Process: contract.ProcessPrescription})
	b.at(0, b.message)
	b.at(day, func() { b.change("split", nil) })
	b.at(2*day, func() {
		b.env.SignalWorkflow(contract.SignalMessageReceived, contract.MessageReceived{MessageID: "message-2", MsgID: "wire-2", Function: contract.FunctionUnread})
	})
	b.at(4*day, func() {
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerPartlyRenewed, InReplyTo: request}, nil)
	})
	b.at(6*day, func() { b.receipt(contract.OutcomeAcknowledged) })
	s := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Nil(t, s.Clock)
	require.Equal(t, []string{
		"DeliverToInbox " + request, "ApplyDialogueChange split", "DeliverToInbox message-2", "Escalate " + request + " warn", "SendMessage " + answer,
	}, fakes.Calls(b.do))
}

func TestRequestWithoutAnAnswerIsOverdueAndStaysOpen(t *testing.T) {
	b := setup(t)
	b.clocked()
	b.do.ReceiptIn = 100 * day
	b.at(0, b.message)
	b.at(60*day, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerRenewed}, nil) })
	b.at(61*day, func() { b.receipt(contract.OutcomeAcknowledged) })
	s := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, 1, s.Cases)
	require.Contains(t, fakes.Calls(b.do), "Escalate "+request+" overdue")
}

func TestAnswerWaitsForTheSplit(t *testing.T) { // it is given to the items that stand
	b := setup(t)
	b.changes("split", contract.ApplyDialogueChangeOutput{Process: contract.ProcessPrescription})
	b.at(0, b.message)
	b.at(time.Hour, func() {
		fakes.Fail(b.do, "ApplyDialogueChange", apperr.ToTemporal(apperr.New(apperr.Unavailable, "the database is down")))
		b.change("split", nil)
	})
	b.at(time.Hour+time.Second, func() { b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerRenewed}, nil) })
	b.at(time.Hour+time.Minute, func() {
		require.NotContains(t, fakes.Calls(b.do), "SendMessage "+answer)
		fakes.Fail(b.do, "ApplyDialogueChange", nil)
	})
	b.at(2*time.Hour, func() { b.receipt(contract.OutcomeAcknowledged) })
	s := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, []string{"split"}, s.Accepted)
	require.Equal(t, answer, s.AnswerID)
}

func TestRefusedSplitLeavesEverything(t *testing.T) {
	b := setup(t)
	fakes.SetDialogues(b.do, func(d *fakes.Dialogues) {
		d.Refused = map[string]error{"split": apperr.ToTemporal(apperr.InState("answered", "it is answered"))}
	})
	var errs []error
	b.at(0, b.message)
	b.at(time.Hour, func() { b.change("split", &errs); b.change("", &errs) })
	b.at(2*time.Hour, func() { b.env.CancelWorkflow() })
	s := b.run()
	require.Len(t, errs, 2)
	require.Empty(t, s.Accepted)
}

func TestAnswerOnceMoreAfterTheEnd(t *testing.T) { // HITS 1216 §2.2.4
	b := setup(t)
	b.in.Resume = true
	b.do.Loaded = contract.LoadDialogueOutput{LatestMessageID: request, Messages: 1, Seen: []string{"wire-1"}} // on the error queue: no answer
	b.changes("resend", contract.ApplyDialogueChangeOutput{Process: contract.ProcessPrescription, OutboundID: answer, Code: contract.AnswerCannotRenew})
	var errs []error
	b.at(0, func() { b.change("resend", nil) })
	b.at(time.Hour, func() { b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerRefused}, &errs) })
	b.at(2*time.Hour, func() { b.receipt(contract.OutcomeAcknowledged) })
	s := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Len(t, errs, 1)
	require.Equal(t, answer, s.AnswerID)
	require.Equal(t, []string{"LoadDialogue dialogue", "ApplyDialogueChange resend", "SendMessage " + answer}, fakes.Calls(b.do))
}
