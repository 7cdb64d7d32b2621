package dialogue_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/fakes"
	"github.com/helsebro/helsebro/workflows/flow"
)

const day = 24 * time.Hour

// steps is an answer clock that warns after three days from begin.
func steps(begin time.Time) []contract.Escalation {
	return []contract.Escalation{
		{Step: contract.StepWarn, At: begin.Add(3 * day)},
		{Step: contract.StepDeputy, At: begin.Add(4 * day)},
		{Step: contract.StepAdministrator, At: begin.Add(5 * day)},
		{Step: contract.StepOverdue, At: begin.Add(5*day + 8*time.Hour)},
	}
}

// clocked gives each message a clock that begins so long after the dialogue did.
func (b *bench) clocked(clocks map[string]time.Duration) {
	began := b.env.Now().UTC()
	b.says(func(d *fakes.Dialogues) {
		d.Clocks = map[string][]contract.Escalation{}
		for id, after := range clocks {
			d.Clocks[id] = steps(began.Add(after))
		}
	})
}

// escalations lists the steps that were done, in order.
func (b *bench) escalations() []string {
	return slices.DeleteFunc(fakes.Calls(b.do), func(call string) bool { return !strings.HasPrefix(call, "Escalate ") })
}

func TestAnswerClockEscalatesUntilTheLimit(t *testing.T) { // F13
	b := setup(t, contract.ProcessEConsultation)
	b.clocked(map[string]time.Duration{first: 0, second: day})
	b.says(func(d *fakes.Dialogues) {
		d.Changes = map[string]contract.ApplyDialogueChangeOutput{"taken": {Process: contract.ProcessEConsultation}}
	})
	expect := func(after time.Duration, last contract.EscalationStep, done int) {
		b.at(after, func() {
			require.Len(t, b.escalations(), done, "after %s", after)
			require.Equal(t, last, b.state().Escalated)
		})
	}
	b.at(0, func() { b.message(first, "SB") })
	b.at(day, func() { b.message(second, "22") })      // a further message moves nothing
	b.at(2*day, func() { b.change("taken", nil) })     // nor does who has it
	b.at(2*day, func() { b.message("unread", "VUS") }) // nor a notice
	expect(3*day-time.Second, "", 0)
	expect(3*day+time.Second, contract.StepWarn, 1)
	expect(4*day-time.Second, contract.StepWarn, 1)
	expect(4*day+time.Second, contract.StepDeputy, 2)
	expect(5*day-time.Second, contract.StepDeputy, 2)
	expect(5*day+time.Second, contract.StepAdministrator, 3)
	expect(5*day+8*time.Hour-time.Second, contract.StepAdministrator, 3)
	b.at(6*day, func() {
		require.Equal(t, contract.StepOverdue, b.state().Escalated)
		require.Nil(t, b.state().Clock)
		require.Equal(t, contract.StatusAwaitingClinic, b.state().Status, "the answer is owed nevertheless")
		require.Equal(t, 1, b.state().Cases)
		b.message("message-3", "22") // the limit has passed for all of them
	})
	b.at(40*day, func() {
		require.Equal(t, contract.StatusAwaitingClinic, b.state().Status, "an owed answer keeps the run")
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerFromPractitioner}, nil)
		b.receipt(answer, contract.OutcomeAcknowledged)
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, []string{"Escalate " + first + " warn", "Escalate " + first + " deputy", "Escalate " + first + " administrator", "Escalate " + first + " overdue"}, b.escalations())
	require.Empty(t, b.state().Escalated)
}

func TestAcceptedAnswerStopsTheClock(t *testing.T) { // whether Helsenorge has it already or not
	b := setup(t, contract.ProcessEContact)
	b.clocked(map[string]time.Duration{first: 0, second: 10 * day})
	b.at(0, func() { b.message(first, "HE") })
	b.at(3*day+time.Hour, func() {
		fakes.Fail(b.do, "SendMessage", apperr.ToTemporal(apperr.New(apperr.Unavailable, "Helsenorge is down")))
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil)
	})
	b.at(3*day+2*time.Hour, func() { require.Nil(t, b.state().Clock) })
	b.at(6*day, func() { fakes.Fail(b.do, "SendMessage", nil) })
	b.at(7*day, func() { b.receipt(answer, contract.OutcomeAcknowledged) })
	b.at(10*day, func() { b.message(second, "22") }) // a new one, from its own receipt
	b.at(13*day+time.Hour, func() {
		b.answer(contract.AnswerCommand{AnswerID: "answer-2", Code: contract.AnswerToEnquiry}, nil)
		b.receipt("answer-2", contract.OutcomeAcknowledged)
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, []string{"Escalate " + first + " warn", "Escalate " + second + " warn"}, b.escalations())
}

func TestCloseStopsTheClock(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.clocked(map[string]time.Duration{first: 0, second: 2 * day})
	b.says(func(d *fakes.Dialogues) {
		d.Changes = map[string]contract.ApplyDialogueChangeOutput{"closed": {Process: contract.ProcessEContact, Closed: true}}
	})
	b.at(0, func() { b.message(first, "HE") })
	b.at(day, func() { b.change("closed", nil) })
	b.at(day+time.Hour, func() {
		require.Equal(t, contract.StatusClosed, b.state().Status)
		require.Nil(t, b.state().Clock)
	})
	b.at(2*day, func() { b.message(second, "22") })
	b.at(2*day+time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingClinic, b.state().Status)
		require.Equal(t, second, b.state().Clock.MessageID)
		b.env.CancelWorkflow()
	})
	b.run()
	require.Empty(t, b.escalations())
}

func TestClockEndsWhenTheAnswerIsKnownAlready(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.clocked(map[string]time.Duration{first: 0})
	b.says(func(d *fakes.Dialogues) { d.Moot = map[string]bool{first: true} })
	b.at(0, func() { b.message(first, "HE") })
	b.at(6*day, func() {
		require.Empty(t, b.state().Escalated)
		require.Nil(t, b.state().Clock)
		b.env.CancelWorkflow()
	})
	b.run()
	require.Equal(t, []string{"Escalate " + first + " warn"}, b.escalations())
}

func TestStepThatCannotBeDoneIsACaseAndDelaysNobody(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.clocked(map[string]time.Duration{first: 0})
	b.at(0, func() { b.message(first, "HE") })
	b.at(3*day-time.Minute, func() { fakes.Fail(b.do, "Escalate", apperr.ToTemporal(apperr.New(apperr.Unavailable, "not now"))) })
	b.at(3*day+time.Minute, func() { b.message(second, "22") })
	b.at(3*day+2*time.Minute, func() {
		require.Equal(t, 2, b.state().Messages)
		require.Equal(t, second, b.state().LatestMessageID, "it is placed although the step is not done")
		fakes.Fail(b.do, "Escalate", apperr.ToTemporal(apperr.New(apperr.NotFound, "no such dialogue")))
	})
	b.at(3*day+10*time.Minute, func() {
		require.Contains(t, fakes.Calls(b.do), "OpenCase answer-overdue "+first+" not-found")
		require.Equal(t, contract.StepDeputy, b.state().Clock.Steps[0].Step)
		b.env.CancelWorkflow()
	})
	b.run()
}

func TestClockGoesOnInTheNextRun(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.clocked(map[string]time.Duration{first: 0})
	b.at(0, func() { b.message(first, "HE") })
	b.at(3*day+time.Hour, func() { b.env.SetContinueAsNewSuggested(true); b.message("unread", "VUS") })
	b.run()
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, b.env.GetWorkflowError(), &again)
	s := b.state()
	require.Equal(t, first, s.Clock.MessageID)
	require.Equal(t, contract.StepDeputy, s.Clock.Steps[0].Step)

	// The next run, and one that reads from PostgreSQL what a lost one knew.
	for _, resume := range []bool{false, true} {
		n := newBench(t, contract.ProcessEContact)
		clock := contract.AnswerClock{MessageID: first, Steps: steps(n.env.Now().UTC().Add(-3*day - time.Hour))[1:]}
		if n.in.Resume = resume; resume {
			n.do.Loaded = contract.LoadDialogueOutput{LatestMessageID: first, Messages: 1, AnswerOwed: true, Clock: &clock}
		} else {
			carried := s
			carried.Clock = &clock
			n.in.State = &carried
		}
		n.at(2*day, func() {
			n.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerToEnquiry}, nil)
			n.receipt(answer, contract.OutcomeAcknowledged)
		})
		n.run()
		require.NoError(t, n.env.GetWorkflowError())
		require.Equal(t, []string{"Escalate " + first + " deputy", "Escalate " + first + " administrator"}, n.escalations())
	}
}

func TestCardSaysWhatIsWaitedForAndUntilWhen(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.converts()
	b.clocked(map[string]time.Duration{first: 0})
	began := b.env.Now().UTC()
	at := func(after time.Duration) string { return flow.When(began.Add(after)) }
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Hour, func() {
		card := b.card()
		require.Contains(t, card, "**The clinic owes the citizen an answer**")
		require.Contains(t, card, "e-contact, dialogue `dialogue`")
		require.Contains(t, card, "until when: "+at(5*day+8*time.Hour)+"\n- who acts: whoever has it in the clinic's inbox\n- look: `helsebro explain dialogue`\n")
		require.Contains(t, card, "without an answer until "+at(3*day)+": mark it where it lies")
		require.NotContains(t, card, "late")
	})
	b.at(4*day+time.Hour, func() {
		card := b.card()
		require.Contains(t, card, "the answer is late: the deputy is shown it, too")
		require.Contains(t, card, "without an answer until "+at(5*day)+": show it to the clinic's administrators, too")
		b.change(converted, nil)
	})
	b.at(4*day+2*time.Hour, func() {
		require.Contains(t, b.card(), "e-consultation, dialogue `dialogue`\n- it was begun as e-contact")
		require.Contains(t, b.card(), "message DI: sent, receipt expected before ")
		b.receipt(notice, contract.OutcomeAcknowledged)
		b.answer(contract.AnswerCommand{AnswerID: answer, Code: contract.AnswerFromPractitioner}, nil)
		b.receipt(answer, contract.OutcomeAcknowledged)
	})
	b.at(4*day+3*time.Hour, func() {
		card := b.card()
		require.Contains(t, card, "**Nothing is owed; either side may write**")
		require.Contains(t, card, "this run ends 30 days after the last word")
		require.Contains(t, card, "until when: "+at(4*day+2*time.Hour+flow.IdleBeforeEnd)+"\n- who acts: nobody\n")
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
}

// A close that was applied before either message was placed had read the later one: the
// earlier one is closed, the later is owed, and has the clock.
func TestClockOfAMessageThatAClosedOneCameBefore(t *testing.T) {
	b := setup(t, contract.ProcessEContact)
	b.clocked(map[string]time.Duration{second: 0})
	b.says(func(d *fakes.Dialogues) { d.Overtaken = map[string]bool{first: true} })
	b.at(0, func() { b.message(first, "HE") })
	b.at(time.Minute, func() {
		require.False(t, b.state().AnswerOwed)
		b.message(second, "22")
	})
	b.at(time.Hour, func() {
		s := b.state()
		require.Equal(t, []any{true, second, second}, []any{s.AnswerOwed, s.LatestMessageID, s.Clock.MessageID})
		b.env.CancelWorkflow()
	})
	b.run()
}
