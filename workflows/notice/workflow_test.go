package notice_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows"
	"github.com/helsebro/helsebro/workflows/fakes"
)

const (
	patience = 10 * time.Minute
	wait     = 30 * time.Minute
)

// Hops that the rules name, and their ends.
var (
	email     = contract.NextHopOutput{Channel: contract.ChannelEmail, Patience: patience, Wait: wait}
	sms       = contract.NextHopOutput{Channel: contract.ChannelSMS, Patience: patience, Wait: wait}
	delivered = contract.NextHopOutput{Done: true, Outcome: contract.OutcomeDelivered, Reason: "sms"}
	failed    = contract.NextHopOutput{Done: true, Outcome: contract.OutcomeFailed, Reason: "no-channel"}
)

// bench is one notice in the test environment.
type bench struct {
	*testing.T
	env   *testsuite.TestWorkflowEnvironment
	do    *fakes.Activities
	began time.Time
}

func setup(t *testing.T, attempts map[contract.Channel]contract.AttemptState, hops ...contract.NextHopOutput) *bench {
	t.Helper()
	t.Parallel()
	var suite testsuite.WorkflowTestSuite
	b := &bench{T: t, env: suite.NewTestWorkflowEnvironment(), do: &fakes.Activities{}}
	workflows.Register(b.env)
	b.env.RegisterActivity(b.do)
	b.env.SetTestTimeout(time.Minute)
	b.began = b.env.Now()
	fakes.Set(b.do, func(a *fakes.Appointments) { a.Hops, a.Attempts = hops, attempts })
	return b
}

func (b *bench) at(after time.Duration, f func()) { b.env.RegisterDelayedCallback(f, after) }

func (b *bench) report(c contract.Channel, s contract.AttemptState) {
	b.env.SignalWorkflow(contract.SignalDeliveryReported, contract.DeliveryReported{Channel: c, State: s})
}

func (b *bench) run() (contract.NoticeResult, time.Duration) {
	b.env.ExecuteWorkflow(contract.NoticeWorkflow, contract.NoticeInput{
		ClinicID: "clinic", AppointmentID: "appointment", NoticeID: "notice", Purpose: contract.PurposeReminder, Revision: 3,
	})
	require.True(b, b.env.IsWorkflowCompleted())
	var result contract.NoticeResult
	if b.env.GetWorkflowError() == nil {
		require.NoError(b, b.env.GetWorkflowResult(&result))
	}
	return result, b.env.Now().Sub(b.began).Round(time.Second)
}

// accepted is what providers that report later say.
func accepted(channels ...contract.Channel) map[contract.Channel]contract.AttemptState {
	all := map[contract.Channel]contract.AttemptState{}
	for _, c := range channels {
		all[c] = contract.AttemptAccepted
	}
	return all
}

const hop = "NextHop notice"

func TestBouncedEmailIsFollowedByAnSMS(t *testing.T) { // S90
	b := setup(t, accepted(contract.ChannelEmail, contract.ChannelSMS), email, sms, delivered)
	b.at(5*time.Minute, func() { b.report(contract.ChannelEmail, contract.AttemptFailed) })
	b.at(7*time.Minute, func() { b.report(contract.ChannelSMS, contract.AttemptDelivered) })
	result, took := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.NoticeResult{Outcome: contract.OutcomeDelivered, Reason: "sms"}, result)
	require.Equal(t, []string{hop, "SendNotice e-mail", hop, "SendNotice sms", hop}, fakes.Calls(b.do))
	require.Equal(t, 7*time.Minute, took, "neither report is waited past")
}

func TestSilenceIsFollowedByTheNextChannel(t *testing.T) {
	b := setup(t, accepted(contract.ChannelEmail, contract.ChannelSMS), sms, email,
		contract.NextHopOutput{Done: true, Outcome: contract.OutcomeSent, Reason: "e-mail"})
	result, took := b.run()
	require.Equal(t, contract.OutcomeSent, result.Outcome)
	require.Equal(t, []string{hop, "SendNotice sms", hop, "SendNotice e-mail", hop}, fakes.Calls(b.do))
	require.Equal(t, 2*wait, took)
}

func TestWhatIsNotAcceptedIsNotWaitedFor(t *testing.T) {
	for _, state := range []contract.AttemptState{contract.AttemptUnknown, contract.AttemptFailed, contract.AttemptWithheld, contract.AttemptDelivered} {
		t.Run(string(state), func(t *testing.T) {
			b := setup(t, map[contract.Channel]contract.AttemptState{contract.ChannelEmail: state, contract.ChannelSMS: contract.AttemptDelivered}, email, sms, delivered)
			_, took := b.run()
			require.NoError(t, b.env.GetWorkflowError())
			require.Equal(t, []string{hop, "SendNotice e-mail", hop, "SendNotice sms", hop}, fakes.Calls(b.do))
			require.Zero(t, took)
		})
	}
}

func TestProviderThatIsDownIsGivenUpAfterItsPatience(t *testing.T) {
	b := setup(t, nil, email, failed)
	fakes.Fail(b.do, "SendNotice", apperr.ToTemporal(apperr.New(apperr.Unavailable, "the provider is down")))
	result, took := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.OutcomeFailed, result.Outcome)
	require.LessOrEqual(t, took, patience+time.Minute)
	calls := fakes.Calls(b.do)
	require.Greater(t, len(calls), 5, "it is tried again while there is patience")
	require.Equal(t, hop, calls[len(calls)-1])
}

func TestNoChannelIsTheRulesToSay(t *testing.T) { // S89: a case of theirs
	b := setup(t, nil, contract.NextHopOutput{Done: true, Outcome: contract.OutcomeFailed, Reason: "no-contact"})
	result, _ := b.run()
	require.Equal(t, contract.NoticeResult{Outcome: contract.OutcomeFailed, Reason: "no-contact"}, result)
	require.Equal(t, []string{hop}, fakes.Calls(b.do))
}

func TestLateReportOfAnEarlierChannelCounts(t *testing.T) { // D12
	b := setup(t, accepted(contract.ChannelEmail, contract.ChannelSMS), sms, email, delivered)
	b.at(wait+10*time.Minute, func() { b.report(contract.ChannelSMS, contract.AttemptDelivered) })
	_, took := b.run()
	require.Equal(t, []string{hop, "SendNotice sms", hop, "SendNotice e-mail", hop}, fakes.Calls(b.do))
	require.Equal(t, wait+10*time.Minute, took)
}

func TestReportThatDecidesNothingIsLeftAlone(t *testing.T) { // D12
	b := setup(t, accepted(contract.ChannelEmail, contract.ChannelSMS, contract.ChannelPush),
		contract.NextHopOutput{Channel: contract.ChannelSMS, Also: []contract.Channel{contract.ChannelPush}, Patience: patience, Wait: wait}, email, delivered)
	b.at(time.Minute, func() { b.report(contract.ChannelPush, contract.AttemptDelivered) })
	b.at(wait+time.Minute, func() { b.report(contract.ChannelSMS, contract.AttemptFailed) })
	_, took := b.run()
	require.Equal(t, 2*wait, took)
}

func TestReportMayOvertakeTheSend(t *testing.T) {
	b := setup(t, accepted(contract.ChannelSMS), sms, delivered)
	b.at(0, func() { b.report(contract.ChannelSMS, contract.AttemptDelivered) })
	_, took := b.run()
	require.Zero(t, took)
	require.Equal(t, []string{hop, "SendNotice sms", hop}, fakes.Calls(b.do))
}

func TestPushGoesBesideOnceAndIsNotLost(t *testing.T) { // S90
	b := setup(t, map[contract.Channel]contract.AttemptState{contract.ChannelEmail: contract.AttemptFailed, contract.ChannelSMS: contract.AttemptDelivered},
		contract.NextHopOutput{Channel: contract.ChannelEmail, Also: []contract.Channel{contract.ChannelPush}, Patience: patience, Wait: wait},
		contract.NextHopOutput{Channel: contract.ChannelSMS, Also: []contract.Channel{contract.ChannelPush}, Patience: patience, Wait: wait}, delivered)
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	calls := fakes.Calls(b.do)
	require.ElementsMatch(t, []string{hop, "SendNotice push", "SendNotice e-mail", hop, "SendNotice sms", hop}, calls)
}

func TestEndlessHopsAreACase(t *testing.T) {
	b := setup(t, map[contract.Channel]contract.AttemptState{contract.ChannelSMS: contract.AttemptFailed}, sms)
	result, _ := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.NoticeResult{Outcome: contract.OutcomeFailed, Reason: "too-many-hops"}, result)
	calls := fakes.Calls(b.do)
	require.Len(t, calls, 13)
	require.Equal(t, "OpenCase notice-failed notice too-many-hops", calls[12])
}

// Two providers are down for a day: every turn and every wait has its place, and the
// rules hear of each channel once.
func TestADayWithoutProvidersIsOutlived(t *testing.T) { // F17
	pause := contract.NextHopOutput{Wait: 15 * time.Minute, Reason: "awaiting-provider"}
	const rounds = 4 * 24
	var hops []contract.NextHopOutput
	for range rounds {
		hops = append(hops, email, sms, pause)
	}
	b := setup(t, map[contract.Channel]contract.AttemptState{contract.ChannelEmail: contract.AttemptFailed, contract.ChannelSMS: contract.AttemptFailed},
		append(hops, email, delivered)...)
	var tried []contract.Channel
	b.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		var in contract.NextHopInput
		if info.ActivityType.Name == "NextHop" && args.Get(&in) == nil {
			tried = in.Tried
		}
	})
	b.at(rounds*pause.Wait-time.Minute, func() {
		fakes.Set(b.do, func(a *fakes.Appointments) {
			a.Attempts = map[contract.Channel]contract.AttemptState{contract.ChannelEmail: contract.AttemptDelivered}
		})
	})
	result, took := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.NoticeResult{Outcome: contract.OutcomeDelivered, Reason: "sms"}, result)
	require.Equal(t, rounds*pause.Wait, took)
	require.Len(t, fakes.Calls(b.do), rounds*5+3)
	require.Equal(t, []contract.Channel{contract.ChannelSMS, contract.ChannelEmail}, tried)
}

// A report ends the wait for another provider, too.
func TestReportEndsTheWaitForAProvider(t *testing.T) { // D12, F17
	b := setup(t, accepted(contract.ChannelSMS), sms, contract.NextHopOutput{Wait: 15 * time.Minute, Reason: "awaiting-provider"}, delivered)
	b.at(wait+time.Minute, func() { b.report(contract.ChannelSMS, contract.AttemptDelivered) })
	_, took := b.run()
	require.Equal(t, wait+time.Minute, took)
	require.Equal(t, []string{hop, "SendNotice sms", hop, hop}, fakes.Calls(b.do))
}

func TestEndlessWaitsAreACase(t *testing.T) {
	b := setup(t, map[contract.Channel]contract.AttemptState{contract.ChannelSMS: contract.AttemptFailed}, sms,
		contract.NextHopOutput{Wait: 15 * time.Minute, Reason: "awaiting-provider"})
	result, took := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.NoticeResult{Outcome: contract.OutcomeFailed, Reason: "too-many-hops"}, result)
	require.Less(t, took, 7*24*time.Hour)
	calls := fakes.Calls(b.do)
	require.Equal(t, "OpenCase notice-failed notice too-many-hops", calls[len(calls)-1])
}

func TestRulesThatCannotBeAskedAreACase(t *testing.T) {
	b := setup(t, nil)
	fakes.Fail(b.do, "NextHop", apperr.ToTemporal(apperr.New(apperr.Erased, "no")))
	result, _ := b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, contract.NoticeResult{Outcome: contract.OutcomeFailed, Reason: "erased"}, result)
	require.Equal(t, []string{hop, "OpenCase notice-failed notice erased"}, fakes.Calls(b.do))
}

func TestCancelledNoticeHasAnOutcomeOrACase(t *testing.T) {
	for name, c := range map[string]struct {
		then []contract.NextHopOutput
		last string
	}{
		"the rules have an outcome": {[]contract.NextHopOutput{sms, delivered}, hop},
		"it was still to be given":  {[]contract.NextHopOutput{sms, email}, "OpenCase cancelled notice cancelled-by-operator"},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, accepted(contract.ChannelSMS), c.then...)
			b.at(time.Minute, func() { b.env.CancelWorkflow() })
			_, took := b.run()
			require.True(t, temporal.IsCanceledError(b.env.GetWorkflowError()), "%v", b.env.GetWorkflowError())
			calls := fakes.Calls(b.do)
			require.Equal(t, c.last, calls[len(calls)-1])
			require.False(t, slices.Contains(calls, "SendNotice e-mail"))
			require.Equal(t, time.Minute, took)
		})
	}
}

// A queue that nobody serves leaves no attempt behind: the rules hear which channels
// had their turn.
func TestTheRulesHearWhichChannelsHadTheirTurn(t *testing.T) {
	b := setup(t, map[contract.Channel]contract.AttemptState{contract.ChannelEmail: contract.AttemptFailed, contract.ChannelSMS: contract.AttemptDelivered}, email, sms, delivered)
	var heard [][]contract.Channel
	b.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		var in contract.NextHopInput
		if info.ActivityType.Name == "NextHop" && args.Get(&in) == nil {
			heard = append(heard, in.Tried)
		}
	})
	b.run()
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, [][]contract.Channel{nil, {contract.ChannelEmail}, {contract.ChannelEmail, contract.ChannelSMS}}, heard)
}
