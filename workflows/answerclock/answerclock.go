// Package answerclock follows an owed answer until it is given: who is shown it when,
// and when its limit has passed (F13). It is a library, not a workflow: the clock is
// part of the lifecycle's own state and travels with it. Working days, holidays and
// limits are decided where the message is placed; here are instants only.
//
//	first owed message ──▶ warn ──▶ deputy ──▶ administrator ──▶ overdue (operator case)
//	                         └─────────┴──────────┴── an accepted answer, or a close, stops it
//
// Reading, forwarding and further messages do not move it (D8).
package answerclock

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// Clock is the answer clock of one lifecycle.
type Clock struct {
	clinicID, dialogueID string
	running              **contract.AnswerClock
	escalated            *contract.EscalationStep
	// acted runs once a step is done, and must not block.
	acted func(ctx workflow.Context, caseOpened bool)
	busy  bool
}

// New follows the clock in *running, nil while nothing is owed or no limit is set, and
// keeps in *escalated the last step that was done. Both belong to the lifecycle's state.
func New(clinicID, dialogueID string, running **contract.AnswerClock, escalated *contract.EscalationStep,
	acted func(ctx workflow.Context, caseOpened bool),
) *Clock {
	return &Clock{clinicID: clinicID, dialogueID: dialogueID, running: running, escalated: escalated, acted: acted}
}

// Run follows the clock in a coroutine of its own, so that a step which cannot be done
// now delays no message.
func (c *Clock) Run(ctx workflow.Context) {
	workflow.GoNamed(ctx, "answer clock", c.follow)
}

// Start begins to count for a message. Without steps there is no limit.
func (c *Clock) Start(messageID string, steps []contract.Escalation) {
	c.Stop()
	if len(steps) > 0 {
		*c.running = &contract.AnswerClock{MessageID: messageID, Steps: steps}
	}
}

// Replace puts other limits in the place of those that were counted until now; nil
// leaves them.
func (c *Clock) Replace(clock *contract.AnswerClock) {
	if clock != nil && len(clock.Steps) > 0 {
		*c.running = clock
	}
}

// Stop ends it: the answer is accepted, or none is owed any more.
func (c *Clock) Stop() { *c.running, *c.escalated = nil, "" }

// Busy tells whether a step is under way. A run must not end or continue as new while
// one is: its result would be lost.
func (c *Clock) Busy() bool { return c.busy }

func (c *Clock) follow(ctx workflow.Context) {
	var timer flow.Clock
	for {
		clock := *c.running
		changed := func() bool { return *c.running != clock }
		if clock == nil || len(clock.Steps) == 0 {
			timer.Stop()
			if workflow.Await(ctx, changed) != nil {
				return
			}
			continue
		}
		step := clock.Steps[0]
		over, err := timer.AwaitUntil(ctx, step.At, "an answer is owed: "+inWords[step.Step], changed)
		if err != nil {
			return
		}
		if !over {
			c.act(ctx, step.Step)
		}
	}
}

// act does a step. What has begun goes all the way: a cancellation must not leave it
// undecided.
func (c *Clock) act(ctx workflow.Context, step contract.EscalationStep) {
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	c.busy = true
	defer func() { c.busy = false }()
	clock := *c.running
	out, err := flow.Do(ctx, flow.Record, "an answer is owed: "+inWords[step], contract.DialogueActivities.Escalate,
		contract.EscalateInput{ClinicID: c.clinicID, DialogueID: c.dialogueID, MessageID: clock.MessageID, Step: step, Now: workflow.Now(ctx)})
	if err != nil {
		// Nobody was told who should have been: then an operator is.
		out.CaseOpened = true
		flow.OpenCase(ctx, contract.OpenCaseInput{
			ClinicID: c.clinicID, DialogueID: c.dialogueID, MessageID: clock.MessageID, Kind: contract.CaseAnswerOverdue, Reason: string(apperr.KindOf(err)),
		})
	}
	if *c.running == clock { // neither stopped nor replaced meanwhile
		if clock.Steps = clock.Steps[1:]; out.Moot || len(clock.Steps) == 0 {
			*c.running = nil
		}
		if !out.Moot {
			*c.escalated = step
		}
	}
	c.acted(ctx, out.CaseOpened)
}

// Due is when the answer must have been given, zero while no limit runs.
func (c *Clock) Due() time.Time {
	if clock := *c.running; clock != nil {
		for _, step := range clock.Steps {
			if step.Step == contract.StepOverdue {
				return step.At
			}
		}
	}
	return time.Time{}
}

// Describe adds to a status card how late the answer is, and what is next.
func (c *Clock) Describe(card *flow.Card) {
	if *c.escalated != "" {
		card.Fact("the answer is late: %s", done[*c.escalated])
	}
	if clock := *c.running; clock != nil && len(clock.Steps) > 0 {
		card.Fact("without an answer until %s: %s", flow.When(clock.Steps[0].At), inWords[clock.Steps[0].Step])
	}
}

// inWords says each step in words, done what is so after it.
var (
	inWords = map[contract.EscalationStep]string{
		contract.StepWarn:          "mark it where it lies",
		contract.StepDeputy:        "show it to the deputy, too",
		contract.StepAdministrator: "show it to the clinic's administrators, too",
		contract.StepOverdue:       "open an operator case",
	}
	done = map[contract.EscalationStep]string{
		contract.StepWarn:          "it is marked where it lies",
		contract.StepDeputy:        "the deputy is shown it, too",
		contract.StepAdministrator: "the clinic's administrators are shown it, too",
		contract.StepOverdue:       "the limit has passed, and an operator is asked to look",
	}
)
