package fakes

import (
	"context"
	"strings"

	"github.com/helsebro/helsebro/internal/contract"
)

// Dialogues is what the clinic's rules of a test say about dialogues and integrations.
// What it does not name is answered by the zero value.
type Dialogues struct {
	// Changes are keyed by command id, Refused are the commands that are refused.
	Changes map[string]contract.ApplyDialogueChangeOutput
	Refused map[string]error
	// Clocks are the steps of the answer clock, keyed by message id.
	Clocks map[string][]contract.Escalation
	// Overtaken are the messages for which no answer is owed: a later one was closed.
	Overtaken map[string]bool
	// Moot are the messages whose answer PostgreSQL knows of already.
	Moot map[string]bool
	// Preconditions is what a look at an integration finds, Activations what a command
	// makes of it, keyed by command id.
	Preconditions contract.CheckPreconditionsOutput
	Activations   map[string]contract.ApplyActivationOutput
}

var (
	_ contract.DialogueActivities   = (*Activities)(nil)
	_ contract.ActivationActivities = (*Activities)(nil)
)

// SetDialogues changes what the rules say, while the activities may run.
func SetDialogues(a *Activities, change func(*Dialogues)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.dialogues)
}

// ApplyDialogueChange implements contract.DialogueActivities.
func (a *Activities) ApplyDialogueChange(_ context.Context, in contract.ApplyDialogueChangeInput) (contract.ApplyDialogueChangeOutput, error) {
	return rule(a, "ApplyDialogueChange "+in.CommandID, func(d *Dialogues) (contract.ApplyDialogueChangeOutput, error) {
		return d.Changes[in.CommandID], d.Refused[in.CommandID]
	})
}

// Escalate implements contract.DialogueActivities.
func (a *Activities) Escalate(_ context.Context, in contract.EscalateInput) (contract.EscalateOutput, error) {
	return rule(a, "Escalate "+in.MessageID+" "+string(in.Step), func(d *Dialogues) (contract.EscalateOutput, error) {
		moot := d.Moot[in.MessageID]
		return contract.EscalateOutput{Moot: moot, CaseOpened: !moot && in.Step == contract.StepOverdue}, nil
	})
}

// PublishMessage implements contract.DialogueActivities.
func (a *Activities) PublishMessage(_ context.Context, in contract.PublishMessageInput) (contract.PublishMessageOutput, error) {
	return rule(a, "PublishMessage "+in.OutboundID, func(*Dialogues) (contract.PublishMessageOutput, error) {
		return contract.PublishMessageOutput{At: in.Now}, nil
	})
}

// CheckPreconditions implements contract.ActivationActivities.
func (a *Activities) CheckPreconditions(_ context.Context, in contract.CheckPreconditionsInput) (contract.CheckPreconditionsOutput, error) {
	return rule(a, "CheckPreconditions "+in.ClinicID+in.StaffID, func(d *Dialogues) (contract.CheckPreconditionsOutput, error) {
		return d.Preconditions, nil
	})
}

// ApplyActivation implements contract.ActivationActivities.
func (a *Activities) ApplyActivation(_ context.Context, in contract.ApplyActivationInput) (contract.ApplyActivationOutput, error) {
	return rule(a, "ApplyActivation "+in.CommandID, func(d *Dialogues) (contract.ApplyActivationOutput, error) {
		return d.Activations[in.CommandID], d.Refused[in.CommandID]
	})
}

// rule notes a call and answers it, unless the activity was told to fail.
func rule[O any](a *Activities, call string, of func(*Dialogues) (O, error)) (O, error) {
	name, about, _ := strings.Cut(call, " ")
	if err := a.called(name, about); err != nil {
		var none O
		return none, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return of(&a.dialogues)
}
