package appointment_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows"
	"github.com/helsebro/helsebro/workflows/fakes"
)

const (
	request, second = "message-1", "message-2"
	out, out2       = "outbound-1", "outbound-2"
	command         = "command-1"
)

// bench is one appointment in the test environment. It starts three days after the
// test does, and its reminder is planned 40 hours before.
type bench struct {
	*testing.T
	env      *testsuite.TestWorkflowEnvironment
	do       *fakes.Activities
	in       contract.AppointmentInput
	began    time.Time
	starts   time.Time
	reminder time.Time
	children []string
}

func setup(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	return newBench(t)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	b := &bench{T: t, env: suite.NewTestWorkflowEnvironment(), do: &fakes.Activities{},
		in: contract.AppointmentInput{ClinicID: "clinic", AppointmentID: "appointment"}}
	workflows.Register(b.env)
	b.env.RegisterActivity(b.do)
	b.env.SetTestTimeout(time.Minute)
	b.env.SetOnChildWorkflowStartedListener(func(i *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		b.children = append(b.children, i.WorkflowExecution.ID)
	})
	b.began = b.env.Now().UTC()
	b.starts = b.began.Add(72 * time.Hour)
	b.reminder = b.starts.Add(-40 * time.Hour)
	return b
}

// says tells the fakes what the calendar and the rules say.
func (b *bench) says(change func(*fakes.Appointments)) { fakes.Set(b.do, change) }

// booked is the rules of a request that gets its slot.
func (b *bench) booked() {
	b.says(func(a *fakes.Appointments) {
		a.Messages = map[string]contract.TakeBookingMessageOutput{
			request: {Facts: fakes.Booked(1, b.starts), Code: contract.AppointmentConfirmed, OutboundID: out, Rule: "free"},
		}
		a.Plans = map[int]contract.PlanReminderOutput{1: {At: b.reminder, Rule: "window"}}
	})
}

// changes is what commands make of the appointment.
func (b *bench) changes(commands map[string]contract.ApplyChangeOutput) {
	b.says(func(a *fakes.Appointments) { a.Commands = commands })
}

// at runs f after so much of the appointment's time.
func (b *bench) at(after time.Duration, f func()) { b.env.RegisterDelayedCallback(f, after) }

func (b *bench) message(id, function string) {
	b.env.SignalWorkflow(contract.SignalMessageReceived, contract.MessageReceived{MessageID: id, MsgID: "wire-" + id, Function: function})
}

func (b *bench) receipt(id string, outcome contract.Outcome, codes ...string) {
	b.env.SignalWorkflow(contract.SignalReceiptReceived, contract.ReceiptReceived{OutboundID: id, Outcome: outcome, Codes: codes})
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

func (b *bench) state() contract.AppointmentState {
	v, err := b.env.QueryWorkflow(contract.QueryState)
	require.NoError(b, err)
	var s contract.AppointmentState
	require.NoError(b, v.Get(&s))
	return s
}

func (b *bench) run() contract.AppointmentState {
	b.env.ExecuteWorkflow(contract.AppointmentWorkflow, b.in)
	require.True(b, b.env.IsWorkflowCompleted())
	return b.state()
}

// calls are those of the named activities, in order.
func (b *bench) calls(names ...string) []string {
	return slices.DeleteFunc(fakes.Calls(b.do), func(call string) bool {
		return !slices.Contains(names, strings.Fields(call)[0])
	})
}

// decided is when and how the notice was decided, through the query.
func (b *bench) decided(about string) []contract.Decision {
	v, err := b.env.QueryWorkflow(contract.QueryExplain)
	require.NoError(b, err)
	var all []contract.Decision
	require.NoError(b, v.Get(&all))
	return slices.DeleteFunc(all, func(d contract.Decision) bool { return d.About != about })
}

func (b *bench) requireDone() {
	b.Helper()
	require.NoError(b, b.env.GetWorkflowError())
}

func TestBookedConfirmedAndRemindedByHelsenorge(t *testing.T) { // S75, S84, S87
	b := setup(t)
	b.booked()
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() {
		require.Equal(t, contract.StatusBooked, b.state().Status)
		b.receipt(out, contract.OutcomeAcknowledged)
	})
	b.run()
	b.requireDone()
	calls := fakes.Calls(b.do)
	require.Equal(t, "TakeBookingMessage "+request, calls[0])
	require.ElementsMatch(t, []string{"SendMessage " + out, "PlanReminder 1"}, calls[1:3], "the plan does not wait for the answer, nor the answer for the plan")
	require.Equal(t, []string{"DecideNotice confirmation 1", "DecideNotice reminder 1"}, calls[3:])
	require.Equal(t, b.reminder, b.decided("reminder")[0].At)
	require.Equal(t, "helsenorge", b.decided("reminder")[0].Decided)
	require.Empty(t, b.children)
	require.WithinDuration(t, b.starts.Add(20*time.Minute), b.env.Now(), time.Second, "the run ends with the appointment")
}

// TestWaitsWithOneTimer counts what waiting costs: thousands of open appointments
// share one database, and their reminders may be due in one second.
func TestWaitsWithOneTimer(t *testing.T) {
	b := setup(t)
	b.booked()
	var started, cancelled int
	var fired []time.Duration
	b.env.SetOnTimerScheduledListener(func(string, time.Duration) { started++ })
	b.env.SetOnTimerCanceledListener(func(string) { cancelled++ })
	b.env.SetOnTimerFiredListener(func(string) { fired = append(fired, b.env.Now().Sub(b.began).Round(time.Minute)) })
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	for i := range 5 {
		b.at(time.Hour+time.Duration(i)*time.Minute, func() { b.message(request, contract.FunctionReserve) })
	}
	b.at(2*time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	b.run()
	b.requireDone()
	require.Equal(t, []time.Duration{32 * time.Hour, 72*time.Hour + 20*time.Minute}, fired, "the reminder and the end")
	require.Equal(t, 3, started, "and the wait for the receipt")
	require.Equal(t, 1, cancelled)
}

func TestTakenSlotIsRefusedAndEnds(t *testing.T) { // D6
	b := setup(t)
	b.says(func(a *fakes.Appointments) {
		a.Messages = map[string]contract.TakeBookingMessageOutput{request: {
			Facts: contract.AppointmentFacts{Status: contract.StatusRefused, Revision: 1, StartsAt: b.starts},
			Code:  contract.AppointmentNotAvailable, OutboundID: out, Rule: "taken",
		}}
	})
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	s := b.run()
	b.requireDone()
	require.Equal(t, contract.StatusRefused, s.Status)
	require.Equal(t, []string{"TakeBookingMessage " + request, "SendMessage " + out}, fakes.Calls(b.do))
	require.WithinDuration(t, b.began.Add(time.Hour), b.env.Now(), time.Second)
}

func TestSameMessageAndReceiptChangeNothing(t *testing.T) {
	b := setup(t)
	b.booked()
	for i := range 5 {
		b.at(time.Duration(i)*time.Minute, func() { b.message(request, contract.FunctionReserve) })
		b.at(time.Hour+time.Duration(i)*time.Minute, func() {
			b.receipt(out, contract.OutcomeAcknowledged)
			b.message(request, contract.FunctionReserve)
		})
	}
	b.run()
	b.requireDone()
	require.Equal(t, []string{"TakeBookingMessage " + request, "SendMessage " + out, "DecideNotice confirmation 1", "DecideNotice reminder 1"},
		b.calls("TakeBookingMessage", "SendMessage", "DecideNotice"))
}

func TestCitizenCancels(t *testing.T) {
	b := setup(t)
	b.booked()
	b.says(func(a *fakes.Appointments) {
		a.Messages[second] = contract.TakeBookingMessageOutput{
			Facts: contract.AppointmentFacts{Status: contract.StatusCancelled, Revision: 2, StartsAt: b.starts, EndsAt: b.starts},
			Code:  contract.AppointmentCancelled, OutboundID: out2, Rule: "booked",
		}
	})
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	b.at(2*time.Hour, func() { b.message(second, contract.FunctionCancel) })
	b.at(3*time.Hour, func() { b.receipt(out2, contract.OutcomeAcknowledged) })
	s := b.run()
	b.requireDone()
	require.Equal(t, contract.StatusCancelled, s.Status)
	require.Equal(t, []string{"DecideNotice confirmation 1", "DecideNotice cancellation 2"}, b.calls("DecideNotice", "Publish"),
		"the reminder died with its revision; the answer is all that Helsenorge is told")
}

func TestCancellingTheUnknownIsAnsweredAndACase(t *testing.T) {
	b := setup(t)
	b.says(func(a *fakes.Appointments) {
		a.Messages = map[string]contract.TakeBookingMessageOutput{request: {
			Facts: contract.AppointmentFacts{Status: contract.StatusRefused},
			Code:  contract.AppointmentNotCancelled, OutboundID: out, Rule: "unknown", CaseOpened: true,
		}}
	})
	b.at(0, func() { b.message(request, contract.FunctionCancel) })
	b.at(time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	s := b.run()
	b.requireDone()
	require.Equal(t, 1, s.Cases)
	require.Equal(t, []string{"TakeBookingMessage " + request, "SendMessage " + out}, fakes.Calls(b.do))
}

func TestWishWaitsForStaffWithoutLimit(t *testing.T) {
	b := setup(t)
	b.do.ReceiptIn = 1000 * 24 * time.Hour
	starts := b.began.Add(100 * 24 * time.Hour)
	b.says(func(a *fakes.Appointments) {
		a.Messages = map[string]contract.TakeBookingMessageOutput{request: {
			Facts: contract.AppointmentFacts{Status: contract.StatusAwaitingClinic, Revision: 1}, Inbox: true, Rule: "wish",
		}}
		a.Commands = map[string]contract.ApplyChangeOutput{command: {
			Facts: fakes.Booked(2, starts), Code: contract.AppointmentWithOther, OutboundID: out,
		}}
	})
	b.at(0, func() { b.message(request, contract.FunctionWish) })
	b.at(90*24*time.Hour, func() {
		require.Equal(t, contract.StatusAwaitingClinic, b.state().Status)
		b.change(command, nil)
	})
	b.at(90*24*time.Hour+time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	b.run()
	b.requireDone()
	require.Equal(t, []string{"TakeBookingMessage " + request, "DeliverToInbox " + request, "ApplyChange " + command, "SendMessage " + out, "DecideNotice confirmation 2"},
		b.calls("TakeBookingMessage", "DeliverToInbox", "ApplyChange", "SendMessage", "DecideNotice"))
}

func TestOtherMessagesAreForPeopleToRead(t *testing.T) {
	b := setup(t)
	b.booked()
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() { b.message(second, contract.FunctionUnread) })
	b.at(2*time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	b.run()
	b.requireDone()
	require.Equal(t, []string{"TakeBookingMessage " + request, "DeliverToInbox " + second}, b.calls("TakeBookingMessage", "DeliverToInbox"))
}

// moved is the facts of a move that is told five minutes later.
func (b *bench) moved(revision int, by, told time.Duration) contract.ApplyChangeOutput {
	f := fakes.Booked(revision, b.starts.Add(by))
	f.TellAt = b.began.Add(told)
	return contract.ApplyChangeOutput{Facts: f}
}

func TestMovesWithinTheGraceAreOneChange(t *testing.T) { // D1, F5
	b := setup(t)
	b.changes(map[string]contract.ApplyChangeOutput{
		"made": b.moved(1, 0, 5*time.Minute), "moved": b.moved(2, time.Hour, 8*time.Minute), "again": b.moved(3, 2*time.Hour, 10*time.Minute),
	})
	b.says(func(a *fakes.Appointments) {
		a.Publications = map[int]contract.PublishOutput{3: {Code: contract.AppointmentConfirmed, OutboundID: out, Purpose: contract.PurposeConfirmation, Rule: "new"}}
	})
	b.at(0, func() { b.change("made", nil) })
	b.at(3*time.Minute, func() { b.change("moved", nil) })
	b.at(6*time.Minute, func() { b.change("again", nil) })
	b.at(7*time.Minute, func() {
		require.Empty(t, b.calls("Publish"))
		require.Equal(t, 0, b.state().Told)
	})
	b.at(time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	s := b.run()
	b.requireDone()
	require.Equal(t, []string{"Publish 3", "SendMessage " + out, "DecideNotice confirmation 3"}, b.calls("Publish", "SendMessage", "DecideNotice"))
	require.Equal(t, b.began.Add(10*time.Minute), b.decided(contract.AboutPublication)[0].At)
	require.Equal(t, 3, s.Told)
}

// Changes that wait for each other are planned and waited for once.
func TestChangesInARowArePlannedOnce(t *testing.T) {
	b := setup(t)
	b.changes(map[string]contract.ApplyChangeOutput{
		"made": b.moved(1, 0, 5*time.Minute), "moved": b.moved(2, time.Hour, 5*time.Minute), "again": b.moved(3, 2*time.Hour, 5*time.Minute),
	})
	timers := 0
	b.env.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
	b.at(0, func() {
		for _, id := range []string{"made", "moved", "again"} {
			b.change(id, nil)
		}
	})
	b.at(4*time.Minute, func() {
		require.Equal(t, []string{"PlanReminder 3"}, b.calls("PlanReminder"))
		require.Equal(t, 1, timers, "until Helsenorge is told")
	})
	b.run()
	b.requireDone()
	require.Equal(t, []string{"PlanReminder 3", "Publish 3"}, b.calls("PlanReminder", "Publish"))
}

func TestMoveAfterBeingToldIsAChangeAndANewReminder(t *testing.T) { // S85, D1
	b := setup(t)
	b.booked()
	b.changes(map[string]contract.ApplyChangeOutput{"moved": b.moved(2, 24*time.Hour, 3*time.Hour)})
	later := b.reminder.Add(24 * time.Hour)
	b.says(func(a *fakes.Appointments) {
		a.Plans[2] = contract.PlanReminderOutput{At: later, Rule: "window"}
		a.Publications = map[int]contract.PublishOutput{2: {Code: contract.AppointmentChanged, OutboundID: out2, Purpose: contract.PurposeChange, Rule: "moved"}}
	})
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	b.at(2*time.Hour, func() { b.change("moved", nil) })
	b.at(4*time.Hour, func() { b.receipt(out2, contract.OutcomeAcknowledged) })
	b.run()
	b.requireDone()
	require.Equal(t, []string{"DecideNotice confirmation 1", "Publish 2", "DecideNotice change 2", "DecideNotice reminder 2"}, b.calls("Publish", "DecideNotice"))
	require.Equal(t, later, b.decided("reminder")[0].At)
}

func TestHiddenIsNeverReminded(t *testing.T) { // S82, D10
	b := setup(t)
	b.booked()
	b.changes(map[string]contract.ApplyChangeOutput{"hidden": {Facts: fakes.Booked(2, b.starts), CaseOpened: true}})
	b.says(func(a *fakes.Appointments) { a.Plans[2] = contract.PlanReminderOutput{Skip: true, Rule: "hidden"} })
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	b.at(2*time.Hour, func() { b.change("hidden", nil) })
	s := b.run()
	b.requireDone()
	require.Equal(t, []string{"SendMessage " + out, "DecideNotice confirmation 1"}, b.calls("SendMessage", "Publish", "DecideNotice"))
	require.Equal(t, "hidden", b.decided(contract.AboutReminderPlan)[1].Rule)
	require.Equal(t, 1, s.Cases)
}

func TestStaffCancelWhileTheReminderIsPending(t *testing.T) { // S86, F5
	b := setup(t)
	b.booked()
	gone := contract.AppointmentFacts{Status: contract.StatusCancelled, Revision: 2, StartsAt: b.starts, EndsAt: b.starts, TellAt: b.began.Add(33 * time.Hour)}
	b.changes(map[string]contract.ApplyChangeOutput{"gone": {Facts: gone}})
	b.says(func(a *fakes.Appointments) {
		a.Owners = map[contract.Purpose][]contract.DecideNoticeOutput{
			contract.PurposeReminder: {{NoticeID: "notice", Owner: contract.OwnerPending, Reason: "receipt-outstanding", Until: b.starts}},
		}
		a.Publications = map[int]contract.PublishOutput{2: {Purpose: contract.PurposeCancellation, Rule: "never-sent"}}
	})
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(32*time.Hour+time.Minute, func() {
		require.True(t, b.state().Notices[0].Asked)
		b.change("gone", nil)
	})
	b.at(32*time.Hour+2*time.Minute, func() { require.Empty(t, b.state().Notices) })
	b.at(34*time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	b.run()
	b.requireDone()
	require.Equal(t, []string{"DecideNotice reminder 1", "Publish 2", "DecideNotice cancellation 2", "DecideNotice confirmation 1"}, b.calls("Publish", "DecideNotice"),
		"a message that closes late asks for its notice: PostgreSQL says that it is superseded")
}

func TestPendingDecisionIsMadeWhenTheDeliveryCloses(t *testing.T) { // F3
	const after = 33 * time.Hour // an hour after the reminder was due
	for name, closes := range map[string]func(*bench){
		"receipt": func(b *bench) { b.at(after, func() { b.receipt(out, contract.OutcomeAcknowledged) }) },
		"silence": func(b *bench) { b.do.ReceiptIn = after },
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.booked()
			b.says(func(a *fakes.Appointments) {
				a.Owners = map[contract.Purpose][]contract.DecideNoticeOutput{contract.PurposeReminder: {
					{NoticeID: "notice", Owner: contract.OwnerPending, Reason: "receipt-outstanding", Until: b.reminder.Add(6 * time.Hour)},
					{NoticeID: "notice", Owner: contract.OwnerHelsenorge, Reason: "accepted"},
				}}
			})
			b.at(0, func() { b.message(request, contract.FunctionReserve) })
			closes(b)
			b.run()
			b.requireDone()
			require.Equal(t, []string{"DecideNotice reminder 1", "DecideNotice reminder 1", "DecideNotice confirmation 1"}, b.calls("DecideNotice"))
			require.WithinDuration(t, b.began.Add(after), b.decided("reminder")[1].At, 5*time.Second)
		})
	}
}

func TestPendingDecisionIsAskedAgainInTimeAndNeverSpins(t *testing.T) {
	b := setup(t)
	b.booked()
	pending := contract.DecideNoticeOutput{NoticeID: "notice", Owner: contract.OwnerPending, Reason: "receipt-outstanding"}
	until, past := pending, pending
	until.Until, past.Until = b.reminder.Add(2*time.Hour), b.began
	b.says(func(a *fakes.Appointments) {
		a.Owners = map[contract.Purpose][]contract.DecideNoticeOutput{contract.PurposeReminder: {
			until, past, past, {NoticeID: "notice", Owner: contract.OwnerNobody, Reason: "gate-clinic"},
		}}
	})
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	b.run()
	b.requireDone()
	var after []time.Duration
	for _, d := range b.decided("reminder") {
		after = append(after, d.At.Sub(b.reminder))
	}
	require.Equal(t, []time.Duration{0, 2 * time.Hour, 2*time.Hour + time.Minute, 2*time.Hour + 2*time.Minute}, after)
}

func TestRefusedAvtaleIsHandedOverOnce(t *testing.T) { // F3: E35
	b := setup(t)
	b.changes(map[string]contract.ApplyChangeOutput{"made": b.moved(1, 0, 5*time.Minute)})
	b.says(func(a *fakes.Appointments) {
		a.Publications = map[int]contract.PublishOutput{1: {Code: contract.AppointmentConfirmed, OutboundID: out, Purpose: contract.PurposeConfirmation, Rule: "new"}}
		a.Owners = map[contract.Purpose][]contract.DecideNoticeOutput{
			contract.PurposeConfirmation: {{NoticeID: "notice-1", Owner: contract.OwnerClinic, Reason: "refused"}},
		}
	})
	b.at(0, func() { b.change("made", nil) })
	for i := range 3 {
		b.at(time.Hour+time.Duration(i)*time.Minute, func() { b.receipt(out, contract.OutcomeRejected, "E35") })
	}
	b.at(2*time.Hour, func() {
		require.Equal(t, contract.StatusBooked, b.state().Status, "the clinic tells him itself: nobody need look")
	})
	s := b.run()
	b.requireDone()
	require.Zero(t, s.Cases)
	require.Equal(t, []string{"SendMessage " + out, "DecideNotice confirmation 1", "NextHop notice-1"}, b.calls("SendMessage", "DecideNotice", "NextHop"))
	require.Equal(t, []string{"notice/notice-1"}, b.children)
}

func TestNoticeThatIsStartedAlreadyIsTheSame(t *testing.T) {
	b := setup(t)
	b.booked()
	clinic := []contract.DecideNoticeOutput{{NoticeID: "notice-1", Owner: contract.OwnerClinic, Reason: "not-active"}}
	b.says(func(a *fakes.Appointments) {
		a.Owners = map[contract.Purpose][]contract.DecideNoticeOutput{contract.PurposeConfirmation: clinic, contract.PurposeReminder: clinic}
		a.Hops = []contract.NextHopOutput{
			{Channel: contract.ChannelSMS, Patience: time.Minute, Wait: 48 * time.Hour}, {Done: true, Outcome: contract.OutcomeSent},
		}
		a.Attempts = map[contract.Channel]contract.AttemptState{contract.ChannelSMS: contract.AttemptAccepted}
	})
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	s := b.run()
	b.requireDone()
	require.Equal(t, []string{"notice/notice-1"}, b.children)
	require.Equal(t, []string{"SendNotice sms"}, b.calls("SendNotice"))
	require.Zero(t, s.Cases)
}

func TestResolvedCaseEndsTheTrouble(t *testing.T) {
	b := setup(t)
	b.booked()
	b.do.ReceiptIn = 5 * time.Hour
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(6*time.Hour, func() {
		require.Equal(t, contract.StatusNeedsOperator, b.state().Status)
		b.env.UpdateWorkflow(contract.UpdateResolve, "case", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(err error) { b.Error(err) }, OnComplete: func(_ any, err error) { require.NoError(t, err) },
		}, contract.ResolveCommand{CaseID: "case", MessageID: out, Code: contract.AppointmentConfirmed})
	})
	b.at(7*time.Hour, func() { require.Equal(t, contract.StatusBooked, b.state().Status) })
	b.run()
	b.requireDone()
}

func TestLateReceiptEndsTheTroubleAndTellsNobodyTwice(t *testing.T) { // D12
	b := setup(t)
	b.booked()
	b.do.ReceiptIn = 5 * time.Hour
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(6*time.Hour, func() {
		require.Equal(t, contract.StatusNeedsOperator, b.state().Status)
		b.receipt(out, contract.OutcomeAcknowledged)
	})
	b.at(7*time.Hour, func() { require.Equal(t, contract.StatusBooked, b.state().Status) })
	b.run()
	b.requireDone()
	require.Equal(t, []string{"CloseDelivery " + out + " overdue ", "DecideNotice confirmation 1", "DecideNotice reminder 1"}, b.calls("CloseDelivery", "DecideNotice"))
}

func TestSupersededMessageHasNoNotice(t *testing.T) {
	b := setup(t)
	b.changes(map[string]contract.ApplyChangeOutput{"made": b.moved(1, 0, 5*time.Minute)})
	b.says(func(a *fakes.Appointments) {
		a.Publications = map[int]contract.PublishOutput{1: {Code: contract.AppointmentConfirmed, OutboundID: out, Purpose: contract.PurposeConfirmation, Rule: "new"}}
		a.Superseded = []string{out}
	})
	b.at(0, func() { b.change("made", nil) })
	s := b.run()
	b.requireDone()
	require.Empty(t, b.calls("DecideNotice", "CloseDelivery"))
	require.Empty(t, s.Open)
	require.Equal(t, contract.StatusBooked, s.Status)
}

func TestMessageThatCannotBeTakenIsACase(t *testing.T) {
	b := setup(t)
	fakes.Fail(b.do, "TakeBookingMessage", apperr.ToTemporal(apperr.New(apperr.Erased, "no")))
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.run()
	b.requireDone()
	require.Equal(t, []string{"TakeBookingMessage " + request, "OpenCase not-in-inbox " + request + " erased"}, fakes.Calls(b.do))
}

func TestRulesThatCannotBeAskedAreCases(t *testing.T) {
	b := setup(t)
	b.changes(map[string]contract.ApplyChangeOutput{"made": b.moved(1, 0, 5*time.Minute)})
	gone := apperr.ToTemporal(apperr.New(apperr.NotFound, "no"))
	fakes.Fail(b.do, "PlanReminder", gone)
	fakes.Fail(b.do, "Publish", gone)
	b.at(0, func() { b.change("made", nil) })
	s := b.run()
	b.requireDone()
	require.Equal(t, []string{"PlanReminder 1", "OpenCase notice-failed appointment not-found", "Publish 1", "OpenCase not-sent appointment not-found"},
		b.calls("PlanReminder", "Publish", "OpenCase"))
	require.Equal(t, 2, s.Cases)
}

func TestNoticeThatCannotBeDecidedIsACase(t *testing.T) {
	b := setup(t)
	b.booked()
	fakes.Fail(b.do, "DecideNotice", apperr.ToTemporal(apperr.New(apperr.Erased, "no")))
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() { b.receipt(out, contract.OutcomeAcknowledged) })
	b.run()
	b.requireDone()
	require.Equal(t, []string{"DecideNotice confirmation 1", "OpenCase notice-failed appointment erased", "DecideNotice reminder 1", "OpenCase notice-failed appointment erased"},
		b.calls("DecideNotice", "OpenCase"))
}

func TestConflictIsTheCallersAndTheEmptyRunEnds(t *testing.T) { // 409
	b := setup(t)
	b.says(func(a *fakes.Appointments) {
		a.Refused = map[string]error{command: apperr.ToTemporal(apperr.InState("taken", "the slot is taken: choose another"))}
	})
	var errs []error
	b.at(0, func() { b.change(command, &errs) })
	b.run()
	b.requireDone()
	require.Len(t, errs, 1)
	_, bare := errs[0].(*temporal.ApplicationError) //nolint:errorlint // outermost is the point
	require.True(t, bare, "%T", errs[0])
	var e *apperr.Error
	require.ErrorAs(t, apperr.FromTemporal(errs[0]), &e)
	require.Equal(t, "taken", e.State)
	require.WithinDuration(t, b.began.Add(time.Minute), b.env.Now(), time.Second)
}

func TestSameCommandChangesOnce(t *testing.T) {
	b := setup(t)
	b.changes(map[string]contract.ApplyChangeOutput{"made": b.moved(1, 0, 5*time.Minute)})
	b.at(0, func() { b.change("made", nil); b.change("made", nil) })
	b.at(time.Hour, func() { b.change("made", nil) })
	s := b.run()
	b.requireDone()
	require.Equal(t, []string{"ApplyChange made"}, b.calls("ApplyChange"))
	require.Equal(t, []string{"made"}, s.Accepted)
}

func TestCommandsAreRefusedWithoutIDAndWhileEnding(t *testing.T) {
	b := setup(t)
	b.booked()
	var errs []error
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() {
		b.change("", &errs)
		fakes.Fail(b.do, "CloseDelivery", apperr.ToTemporal(apperr.New(apperr.Unavailable, "the database is down")))
		b.env.CancelWorkflow()
	})
	b.at(time.Hour+time.Minute, func() { b.change(command, &errs) })
	b.at(time.Hour+2*time.Minute, func() { fakes.Fail(b.do, "CloseDelivery", nil) })
	b.run()
	require.Len(t, errs, 2)
	require.True(t, apperr.Is(errs[0], apperr.Invalid), "%v", errs[0])
	require.True(t, apperr.Is(errs[1], apperr.Conflict), "%v", errs[1])
	require.Empty(t, b.calls("ApplyChange"))
}

func TestNewRunReadsTheOldOnesState(t *testing.T) {
	b := setup(t)
	b.in.Resume = true
	moved := b.moved(3, 0, time.Hour)
	b.changes(map[string]contract.ApplyChangeOutput{command: moved})
	b.says(func(a *fakes.Appointments) {
		a.Stands = contract.LoadAppointmentOutput{
			Facts: fakes.Booked(2, b.starts), Told: 2, Planned: 2, Seen: []string{"wire-" + request}, Accepted: []string{"old"},
			Notices: []contract.PendingNotice{{Purpose: contract.PurposeReminder, Revision: 2, At: b.reminder}},
			Open:    []contract.Delivery{{OutboundID: out, Code: contract.AppointmentChanged, Revision: 2, Purpose: contract.PurposeChange}},
			Untaken: []contract.MessageReceived{{MessageID: second, MsgID: "wire-" + second, Function: contract.FunctionCancel}},
		}
		a.Messages = map[string]contract.TakeBookingMessageOutput{second: {
			Facts: fakes.Booked(2, b.starts), Code: contract.AppointmentNotCancelled, OutboundID: out2, Rule: "deadline",
		}}
	})
	b.at(0, func() {
		b.change(command, nil) // while the state is being read
		b.change("old", nil)   // done by an earlier run
		b.message(request, contract.FunctionReserve)
		b.message(second, contract.FunctionCancel)
	})
	b.at(2*time.Hour, func() {
		b.receipt(out, contract.OutcomeAcknowledged)
		b.receipt(out2, contract.OutcomeAcknowledged)
	})
	s := b.run()
	b.requireDone()
	require.Equal(t, "LoadAppointment appointment", fakes.Calls(b.do)[0])
	require.ElementsMatch(t, []string{"TakeBookingMessage " + second, "ApplyChange " + command}, b.calls("TakeBookingMessage", "ApplyChange"))
	require.ElementsMatch(t, []string{"SendMessage " + out, "SendMessage " + out2}, b.calls("SendMessage"))
	require.Equal(t, []string{"PlanReminder 3", "Publish 3", "DecideNotice change 2"}, b.calls("PlanReminder", "Publish", "DecideNotice"),
		"the reminder of revision 2 is void")
	require.Equal(t, 3, s.Facts.Revision)
}

func TestContinueAsNewLosesNothing(t *testing.T) {
	b := setup(t)
	b.booked()
	unchanged := contract.TakeBookingMessageOutput{Facts: fakes.Booked(1, b.starts), Rule: "wish", Inbox: true}
	b.says(func(a *fakes.Appointments) { a.Messages[second], a.Messages["message-3"] = unchanged, unchanged })
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() {
		b.message(second, contract.FunctionWishCancel)
		b.message("message-3", contract.FunctionWishCancel)
	})
	b.at(time.Hour+time.Second, func() { b.env.SetContinueAsNewSuggested(true) })
	s := b.run()
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, b.env.GetWorkflowError(), &again)
	require.Equal(t, []string{"wire-" + request, "wire-" + second, "wire-message-3"}, s.Seen)
	require.Len(t, s.Open, 1, "the receipt is awaited by the next run")
	require.Equal(t, []contract.PendingNotice{{Purpose: contract.PurposeReminder, Revision: 1, At: b.reminder}}, s.Notices)

	n := newBench(t)
	n.in.State = &s
	n.at(0, func() { n.message(second, contract.FunctionWishCancel) }) // once more
	n.at(time.Hour, func() { n.receipt(out, contract.OutcomeAcknowledged) })
	n.run()
	n.requireDone()
	require.Equal(t, []string{"DecideNotice confirmation 1", "DecideNotice reminder 1"}, fakes.Calls(n.do))
}

func TestCancellationLosesNothing(t *testing.T) {
	b := setup(t)
	b.booked()
	b.says(func(a *fakes.Appointments) {
		a.Messages[second] = contract.TakeBookingMessageOutput{Facts: fakes.Booked(1, b.starts), Rule: "wish", Inbox: true}
	})
	b.at(0, func() { b.message(request, contract.FunctionReserve) })
	b.at(time.Hour, func() {
		fakes.Fail(b.do, "TakeBookingMessage", apperr.ToTemporal(apperr.New(apperr.Unavailable, "the database is down")))
		b.message(second, contract.FunctionWishCancel)
	})
	b.at(time.Hour+time.Minute, func() { b.env.CancelWorkflow() })
	b.at(time.Hour+3*time.Minute, func() { fakes.Fail(b.do, "TakeBookingMessage", nil) })
	s := b.run()
	require.True(t, temporal.IsCanceledError(b.env.GetWorkflowError()), "%v", b.env.GetWorkflowError())
	require.Equal(t, []string{"DeliverToInbox " + second, "CloseDelivery " + out + " failed cancelled-by-operator", "OpenCase cancelled appointment cancelled-by-operator"},
		b.calls("DeliverToInbox", "CloseDelivery", "OpenCase"))
	require.Empty(t, s.Open)
}

func TestCancellationOfAFinishedAppointmentIsNoCase(t *testing.T) {
	b := setup(t)
	b.says(func(a *fakes.Appointments) {
		a.Commands = map[string]contract.ApplyChangeOutput{command: {Facts: fakes.Booked(1, b.starts)}}
	})
	b.at(0, func() { b.change(command, nil) }) // nothing to tell, nothing to remind of
	b.at(time.Hour, func() { b.env.CancelWorkflow() })
	b.run()
	require.True(t, temporal.IsCanceledError(b.env.GetWorkflowError()))
	require.Empty(t, b.calls("OpenCase"))
}

// A message that Helsenorge's queue does not take for hours: the clinic tells the
// patient itself, once, and the message is still followed to its end (F3, D11).
func TestNoticeIsHandedOverWhileTheMessageCannotLeave(t *testing.T) {
	for name, c := range map[string]struct {
		receipt time.Duration
		calls   []string
	}{
		"the receipt comes in time": {time.Hour, []string{"DecideNotice confirmation 1"}},
		"it does not":               {6 * time.Hour, []string{"DecideNotice confirmation 1", "DecideNotice confirmation 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.changes(map[string]contract.ApplyChangeOutput{command: b.moved(1, 0, 5*time.Minute)})
			handOver := b.began.Add(2 * time.Hour)
			b.says(func(a *fakes.Appointments) {
				a.Publications = map[int]contract.PublishOutput{1: {
					Code: contract.AppointmentConfirmed, OutboundID: out, Purpose: contract.PurposeConfirmation, HandOverAt: handOver, Rule: "new",
				}}
			})
			b.at(0, func() { b.change(command, nil) })
			b.at(c.receipt, func() { b.receipt(out, contract.OutcomeAcknowledged) })
			b.run()
			b.requireDone()
			require.Equal(t, c.calls, b.calls("DecideNotice"))
			require.WithinDuration(t, b.began.Add(min(c.receipt, 2*time.Hour)), b.decided("confirmation")[0].At, time.Second)
		})
	}
}
