package contract

import (
	"context"
	"time"
)

// ActivationWorkflow is the integration of one clinic with Helsenorge, or of one GP of
// it: preconditions, activation by an operator, suspension, the weekly look (S1-S13).
const ActivationWorkflow = "activation"

// ProcessActivation is a value of HelsebroProcess.
const ProcessActivation Process = "activation"

// SignalRegistryChanged tells an activation that the address registry says something
// else than when it last looked. It carries nothing: the activation looks anew.
const SignalRegistryChanged = "registry-changed"

// Statuses of an integration (S1).
const (
	StatusNotActivated Status = "not-activated"
	StatusActive       Status = "active"
	StatusSuspended    Status = "suspended"
)

// RecheckEvery is how long an activation trusts its last look at the preconditions.
const RecheckEvery = 7 * 24 * time.Hour

// ActivationInput starts an activation.
type ActivationInput struct {
	ClinicID string `json:"clinicId"`
	// StaffID is the GP; empty for the clinic itself.
	StaffID string `json:"staffId,omitempty"`
	// State is carried by continue-as-new only; without it the run reads PostgreSQL.
	State *ActivationState `json:"state,omitempty"`
}

// ActivationState is an integration's whole memory in Temporal. It is the answer of
// QueryState.
type ActivationState struct {
	Status Status `json:"status"`
	// Failing are the keys of the preconditions that do not hold.
	Failing   []string  `json:"failing,omitempty"`
	CheckedAt time.Time `json:"checkedAt,omitzero"`
	Accepted  []string  `json:"accepted,omitempty"`
	Cases     int       `json:"cases"`
}

// ActivationActivities look at the registries and keep the integration's state.
// Commands (activate, suspend, resume, sign-off) are given as ChangeCommand by
// UpdateChange.
type ActivationActivities interface {
	// CheckPreconditions looks at every precondition anew and records each with its
	// reason. An active integration that lost one gets an operator case. Key: none, a
	// repetition looks again.
	CheckPreconditions(ctx context.Context, in CheckPreconditionsInput) (CheckPreconditionsOutput, error)
	// ApplyActivation applies a stored command after a look at the preconditions. Key:
	// CommandID. apperr.Conflict, with the reasons, when it may not be.
	ApplyActivation(ctx context.Context, in ApplyActivationInput) (ApplyActivationOutput, error)
}

// CheckPreconditionsInput names the integration.
type CheckPreconditionsInput struct {
	ClinicID string    `json:"clinicId"`
	StaffID  string    `json:"staffId,omitempty"`
	Now      time.Time `json:"now"`
}

// CheckPreconditionsOutput is what was found.
type CheckPreconditionsOutput struct {
	Status  Status   `json:"status"`
	Failing []string `json:"failing,omitempty"`
	// CaseOpened is true when an operator case was opened.
	CaseOpened bool `json:"caseOpened,omitempty"`
}

// ApplyActivationInput names the command.
type ApplyActivationInput struct {
	ClinicID  string    `json:"clinicId"`
	StaffID   string    `json:"staffId,omitempty"`
	CommandID string    `json:"commandId"`
	Now       time.Time `json:"now"`
}

// ApplyActivationOutput is how the integration stands after it.
type ApplyActivationOutput struct {
	Status  Status   `json:"status"`
	Failing []string `json:"failing,omitempty"`
}
