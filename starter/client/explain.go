package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
)

// queryTimeout bounds the wait for a worker to answer a query: the ledger is the
// explanation, the workflow's state an addition to it.
const queryTimeout = 3 * time.Second

// Explanation tells what was intended for a dialogue, what became of it and why.
type Explanation struct {
	DialogueID string `json:"dialogueId"`
	// Lines are the intended effects, oldest first.
	Lines     []ExplainedLine `json:"lines"`
	Lifecycle Lifecycle       `json:"lifecycle"`
}

// MessageExplanation tells the same of one message, either way.
type MessageExplanation struct {
	MessageID string `json:"messageId"`
	// Lines are the intended effects, oldest first.
	Lines []ExplainedLine `json:"lines"`
}

// ExplainMessage reads what was intended for a message, of a citizen or of the clinic,
// and what became of it. It asks Temporal nothing.
func (c *Client) ExplainMessage(ctx context.Context, by identity.Principal, clinicID, messageID string) (MessageExplanation, error) {
	if err := allow(by, identity.RightLedgerRead, clinicID); err != nil {
		return MessageExplanation{}, err
	}
	lines, err := c.store.LedgerOfMessage(ctx, by, clinicID, messageID)
	return MessageExplanation{MessageID: messageID, Lines: explained(lines)}, err
}

// LifecycleStatus says how much of a lifecycle can be seen in Temporal.
type LifecycleStatus string

// The four statuses.
const (
	// LifecycleRunning: the workflow is open and has told its state.
	LifecycleRunning LifecycleStatus = "running"
	// LifecycleEnded: the last run is closed; nothing is owed, or somebody ended it.
	LifecycleEnded LifecycleStatus = "ended"
	// LifecycleUnknown: Temporal has no run of it: not started yet, or ended so long
	// ago that its history is deleted.
	LifecycleUnknown LifecycleStatus = "unknown"
	// LifecycleUnavailable: Temporal or its workers do not answer.
	LifecycleUnavailable LifecycleStatus = "unavailable"
)

// Lifecycle is what Temporal says of a workflow.
type Lifecycle struct {
	WorkflowID string          `json:"workflowId,omitempty"`
	Status     LifecycleStatus `json:"status"`
	// Note says the status in words.
	Note string `json:"note"`
	// Dialogue, Prescription or Appointment is the state of a running workflow.
	Dialogue     *contract.DialogueState     `json:"dialogue,omitempty"`
	Prescription *contract.PrescriptionState `json:"prescription,omitempty"`
	Appointment  *contract.AppointmentState  `json:"appointment,omitempty"`
}

// Explain reads the dialogue's ledger, and the state of its workflow where it can
// be had. It succeeds without Temporal: Lifecycle then says what is missing.
func (c *Client) Explain(ctx context.Context, by identity.Principal, clinicID, dialogueID string) (Explanation, error) {
	if err := allow(by, identity.RightLedgerRead, clinicID); err != nil {
		return Explanation{}, err
	}
	lines, err := c.store.Ledger(ctx, by, clinicID, dialogueID)
	if err != nil {
		return Explanation{}, err
	}
	// The ledger does not tell the process: a dialogue can have either workflow.
	var dialogue contract.DialogueState
	var prescription contract.PrescriptionState
	return Explanation{DialogueID: dialogueID, Lines: explained(lines), Lifecycle: c.lifecycle(ctx,
		asked{contract.DialogueWorkflowID(dialogueID), &dialogue, func(l *Lifecycle) { l.Dialogue = &dialogue }},
		asked{contract.PrescriptionWorkflowID(dialogueID), &prescription, func(l *Lifecycle) { l.Prescription = &prescription }},
	)}, nil
}

// asked is a workflow that may be asked for its state.
type asked struct {
	workflowID string
	// state is what its answer is read into, told puts that into the lifecycle.
	state any
	told  func(*Lifecycle)
}

// lifecycle asks Temporal for the state of the first of the workflows that it knows.
func (c *Client) lifecycle(ctx context.Context, all ...asked) Lifecycle {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var l Lifecycle
	for _, a := range all {
		if l = c.state(ctx, a.workflowID, a.state); l.Status == LifecycleRunning {
			a.told(&l)
		}
		if l.Status != LifecycleUnknown {
			return l
		}
	}
	l.WorkflowID = ""
	return l
}

// state queries one workflow.
func (c *Client) state(ctx context.Context, workflowID string, into any) Lifecycle {
	l := Lifecycle{WorkflowID: workflowID}
	out, err := c.temporal.QueryWorkflowWithOptions(ctx, &sdkclient.QueryWorkflowWithOptionsRequest{
		WorkflowID: workflowID,
		QueryType:  contract.QueryState,
		// A closed run's state is history; the ledger tells it better.
		QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
	})
	var none *serviceerror.NotFound
	switch {
	case errors.As(err, &none):
		l.Status = LifecycleUnknown
		l.Note = "Temporal has no workflow of this: it is not started yet, or ended so long ago that its history is deleted; the ledger stands"
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		l.Status = LifecycleUnavailable
		l.Note = fmt.Sprintf("neither Temporal nor a worker has told the workflow's state within %s; the ledger stands", queryTimeout)
	case err != nil:
		l.Status = LifecycleUnavailable
		l.Note = "Temporal could not tell the workflow's state; the ledger stands"
	case out.QueryRejected != nil:
		l.Status = LifecycleEnded
		l.Note = fmt.Sprintf("the workflow's last run is %s; the next message or command starts a new one", out.QueryRejected.GetStatus())
	case out.QueryResult == nil || !out.QueryResult.HasValue() || out.QueryResult.Get(into) != nil:
		l.Status = LifecycleUnavailable
		l.Note = "the workflow's state cannot be read by this version; the ledger stands"
	default:
		l.Status = LifecycleRunning
		l.Note = "the workflow is running"
	}
	return l
}
