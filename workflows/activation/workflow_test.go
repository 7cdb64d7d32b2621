package activation_test

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
	clinic = "clinic"
	look   = "CheckPreconditions " + clinic
	day    = 24 * time.Hour
)

// bench is one integration in the test environment. It never ends by itself: a test
// ends it by a cancellation or by continue-as-new.
type bench struct {
	*testing.T
	env *testsuite.TestWorkflowEnvironment
	do  *fakes.Activities
	in  contract.ActivationInput
}

func setup(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	return newBench(t)
}

// newBench is setup for a further environment in the same test.
func newBench(t *testing.T) *bench {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	b := &bench{T: t, env: suite.NewTestWorkflowEnvironment(), do: &fakes.Activities{}, in: contract.ActivationInput{ClinicID: clinic}}
	workflows.Register(b.env)
	b.env.RegisterActivity(b.do)
	b.env.SetTestTimeout(time.Minute)
	b.finds(contract.StatusNotActivated, "her-ids", "certificates")
	return b
}

// finds is what a look at the preconditions finds.
func (b *bench) finds(status contract.Status, failing ...string) {
	fakes.SetDialogues(b.do, func(d *fakes.Dialogues) {
		d.Preconditions = contract.CheckPreconditionsOutput{Status: status, Failing: failing, CaseOpened: status == contract.StatusActive && len(failing) > 0}
	})
}

// makes is what a command makes of the integration.
func (b *bench) makes(id string, status contract.Status) {
	fakes.SetDialogues(b.do, func(d *fakes.Dialogues) {
		if d.Activations == nil {
			d.Activations = map[string]contract.ApplyActivationOutput{}
		}
		d.Activations[id] = contract.ApplyActivationOutput{Status: status}
	})
}

// at runs f after so much of the integration's time.
func (b *bench) at(after time.Duration, f func()) { b.env.RegisterDelayedCallback(f, after) }

func (b *bench) registryChanged() { b.env.SignalWorkflow(contract.SignalRegistryChanged, nil) }

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

func (b *bench) state() contract.ActivationState {
	v, err := b.env.QueryWorkflow(contract.QueryState)
	require.NoError(b, err)
	var s contract.ActivationState
	require.NoError(b, v.Get(&s))
	return s
}

// slow makes a look wait until it is let go.
func (b *bench) slow() {
	fakes.Fail(b.do, "CheckPreconditions", apperr.ToTemporal(apperr.New(apperr.Unavailable, "the registry is down")))
}

func (b *bench) letGo() { fakes.Fail(b.do, "CheckPreconditions", nil) }

// card is the status card that the Temporal UI shows.
func (b *bench) card() string {
	v, err := b.env.QueryWorkflow("__temporal_workflow_metadata")
	require.NoError(b, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(b, v.Get(&metadata))
	return metadata.CurrentDetails
}

func (b *bench) run() {
	b.env.ExecuteWorkflow(contract.ActivationWorkflow, b.in)
	require.True(b, b.env.IsWorkflowCompleted())
}

// looks counts the looks at the preconditions.
func (b *bench) looks() (n int) {
	for _, call := range fakes.Calls(b.do) {
		if call == look {
			n++
		}
	}
	return n
}

func TestLooksAtOnceAndEveryWeek(t *testing.T) { // S10-S12
	b := setup(t)
	expect := func(after time.Duration, looks int) {
		b.at(after, func() { require.Equal(t, looks, b.looks(), "after %s", after) })
	}
	expect(time.Minute, 1)
	expect(7*day-time.Minute, 1)
	expect(7*day+time.Minute, 2)
	b.at(8*day, b.registryChanged)
	expect(8*day+time.Minute, 3)
	expect(14*day+time.Minute, 3) // a week from the last look
	expect(15*day+time.Minute, 4)
	b.at(400*day, func() {
		require.Equal(t, contract.StatusNotActivated, b.state().Status)
		b.env.CancelWorkflow()
	})
	b.run()
	require.Error(t, b.env.GetWorkflowError(), "it never ends by itself")
	require.Contains(t, fakes.Calls(b.do), "OpenCase precondition-lost clinic cancelled-by-operator")
}

func TestOperatorActivatesSuspendsAndResumes(t *testing.T) { // S1, S13
	b := setup(t)
	b.in.StaffID = "gp"
	b.makes("activate", contract.StatusActive)
	b.makes("suspend", contract.StatusSuspended)
	b.makes("resume", contract.StatusActive)
	for i, step := range []struct {
		id   string
		want contract.Status
	}{{"activate", contract.StatusActive}, {"suspend", contract.StatusSuspended}, {"resume", contract.StatusActive}} {
		b.at(time.Duration(i+1)*time.Hour, func() {
			b.change(step.id, nil)
			b.change(step.id, nil) // the same command again
		})
		b.at(time.Duration(i+1)*time.Hour+time.Minute, func() { require.Equal(t, step.want, b.state().Status) })
	}
	b.at(day, func() {
		require.Empty(t, b.state().Failing)
		require.Equal(t, []string{"activate", "suspend", "resume"}, b.state().Accepted)
		b.env.CancelWorkflow()
	})
	b.run()
	require.Equal(t, []string{
		look + "gp", "ApplyActivation activate", "ApplyActivation suspend", "ApplyActivation resume", "OpenCase precondition-lost gp cancelled-by-operator",
	}, fakes.Calls(b.do))
}

func TestUnmetPreconditionsRefuseAnActivation(t *testing.T) {
	b := setup(t)
	fakes.SetDialogues(b.do, func(d *fakes.Dialogues) {
		d.Refused = map[string]error{"activate": apperr.ToTemporal(apperr.InState("not-activated", "her-ids, certificates"))}
	})
	var errs []error
	b.at(time.Hour, func() {
		b.change("activate", &errs)
		b.change("", &errs)
	})
	b.at(2*time.Hour, func() {
		require.Equal(t, contract.StatusNotActivated, b.state().Status)
		require.Empty(t, b.state().Accepted)
		b.env.CancelWorkflow()
	})
	b.run()
	require.Len(t, errs, 2)
	kinds := []apperr.Kind{apperr.KindOf(errs[0]), apperr.KindOf(errs[1])}
	require.ElementsMatch(t, []apperr.Kind{apperr.Conflict, apperr.Invalid}, kinds)
}

func TestLostPreconditionIsShownAndSuspendsNothing(t *testing.T) { // S12
	b := setup(t)
	b.finds(contract.StatusActive)
	b.at(time.Hour, func() {
		require.Contains(t, b.card(), "every precondition holds")
		b.finds(contract.StatusActive, "her-ids")
		for range 5 {
			b.registryChanged() // what comes while it is looked is one further look, however many
		}
	})
	b.at(2*time.Hour, func() {
		s := b.state()
		require.Equal(t, contract.StatusActive, s.Status)
		require.Equal(t, []string{"her-ids"}, s.Failing)
		require.Equal(t, 2, s.Cases)
		require.Contains(t, b.card(), "precondition that does not hold: her-ids\n")
		require.Contains(t, b.card(), "again at "+flow.When(s.CheckedAt.Add(contract.RecheckEvery)))
		b.env.CancelWorkflow()
	})
	b.run()
	require.Equal(t, 3, b.looks())
}

func TestCommandWaitsForTheLookThatIsUnderWay(t *testing.T) { // the last to be done says how it stands
	b := setup(t)
	b.makes("activate", contract.StatusActive)
	b.at(time.Minute, func() {
		b.slow()
		b.registryChanged()
	})
	b.at(time.Minute+time.Second, func() { b.change("activate", nil) })
	b.at(2*time.Minute, func() {
		require.NotContains(t, fakes.Calls(b.do), "ApplyActivation activate")
		b.letGo()
	})
	b.at(time.Hour, func() {
		require.Equal(t, contract.StatusActive, b.state().Status)
		b.env.CancelWorkflow()
	})
	b.run()
}

func TestLookThatCannotBeDoneIsACase(t *testing.T) {
	b := setup(t)
	fakes.Fail(b.do, "CheckPreconditions", apperr.ToTemporal(apperr.New(apperr.NotFound, "no such clinic")))
	b.at(time.Hour, func() {
		require.Contains(t, fakes.Calls(b.do), "OpenCase precondition-lost clinic not-found")
		require.Equal(t, 1, b.looks())
	})
	b.at(7*day+time.Hour, func() {
		require.Equal(t, 2, b.looks(), "it is tried again next week")
		b.env.CancelWorkflow()
	})
	b.run()
}

func TestContinueAsNewLosesNothing(t *testing.T) {
	b := setup(t)
	b.makes("activate", contract.StatusActive)
	b.at(time.Hour, func() { b.change("activate", nil) })
	before := 0
	b.at(2*time.Hour, func() {
		b.slow()
		b.registryChanged()
	})
	b.at(2*time.Hour+5*time.Second, func() {
		b.env.SetContinueAsNewSuggested(true)
		b.registryChanged()
	})
	b.at(2*time.Hour+time.Minute, func() {
		before = b.looks()
		b.letGo()
	})
	b.run()
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, b.env.GetWorkflowError(), &again)
	require.Equal(t, before+2, b.looks(), "what the registry said while it was looked is taken before")
	s := b.state()
	require.Equal(t, []string{"activate"}, s.Accepted)

	// The next run knows when it was looked at last, and what was asked for.
	n := newBench(t)
	s.CheckedAt = n.env.Now().UTC().Add(-5 * day)
	n.in.State = &s
	n.at(time.Hour, func() {
		require.Zero(t, n.looks())
		n.change("activate", nil)
	})
	n.at(2*day+time.Hour, func() {
		require.Equal(t, 1, n.looks())
		n.env.CancelWorkflow()
	})
	n.run()
	require.NotContains(t, fakes.Calls(n.do), "ApplyActivation activate")
}
