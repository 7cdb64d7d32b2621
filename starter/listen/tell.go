package listen

import (
	"context"
	"errors"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/pg"
)

// Temporal is what the listener needs of Temporal. Every call is accepted without
// a worker running, and idempotent by its id.
type Temporal interface {
	SignalWithStartWorkflow(ctx context.Context, workflowID, signal string, arg any, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	SignalWorkflow(ctx context.Context, workflowID, runID, signal string, arg any) error
	ExecuteActivity(ctx context.Context, options client.StartActivityOptions, activity any, args ...any) (client.ActivityHandle, error)
	CheckHealth(ctx context.Context, request *client.CheckHealthRequest) (*client.CheckHealthResponse, error)
}

// tell gives Temporal everything that follows from a stored message.
func (l *Listener) tell(ctx context.Context, m pg.Arrived) error {
	switch m.Verdict {
	case pg.Taken:
		if err := l.start(ctx, m); err != nil {
			return err
		}
	case pg.Refused:
		if err := l.reply(ctx, contract.RefusalActivityID(m.ID), "SendRefusal", "refuse a message that no lifecycle takes", contract.SendRefusalInput{MessageID: m.ID}); err != nil {
			return err
		}
	case pg.Reported:
		return l.reply(ctx, contract.TransportErrorActivityID(m.ID), "ReportTransportError", "report a message on its sender's error queue", contract.ReportTransportErrorInput{MessageID: m.ID})
	case pg.Settled:
		return l.settled(ctx, m)
	case pg.Rejected, pg.Told: // its receipt says so
	case pg.Noted, pg.Quarantined:
		return nil
	}
	failpoint.Hit(failpoint.ListenSignalled)
	if !m.Receipt {
		return nil
	}
	return l.reply(ctx, contract.ReceiptActivityID(m.ID), "SendReceipt", "send the application receipt", contract.SendReceiptInput{MessageID: m.ID})
}

// start signals the lifecycle, which a first message starts. A message that comes
// again may meet a run that has ended since: the new one reads its state first.
func (l *Listener) start(ctx context.Context, m pg.Arrived) error {
	resume := !m.NewDialogue
	options := client.StartWorkflowOptions{
		TaskQueue: contract.QueueLifecycle,
		// A closed dialogue is carried on by a new run, an open one is signalled.
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			contract.AttrClinic.ValueSet(m.ClinicID),
			contract.AttrProcess.ValueSet(string(m.Process)),
			contract.AttrState.ValueSet(string(contract.StatusReceived)),
		),
		StaticSummary: string(m.Process) + " from " + origin(m.Process),
		StaticDetails: contract.StaticDetails(m.Process),
	}
	signal := contract.MessageReceived{MessageID: m.ID, MsgID: m.MsgID, Function: m.Function, ReceivedAt: m.ReceivedAt}
	options.ID = contract.ThreadWorkflowID(m.Process, m.DialogueID)
	var workflow string
	var input any
	switch m.Process {
	case contract.ProcessPrescription:
		workflow, input = contract.PrescriptionWorkflow, contract.PrescriptionInput{ClinicID: m.ClinicID, DialogueID: m.DialogueID, Resume: resume}
	case contract.ProcessAppointment:
		// An appointment's thread of messages has the appointment's id.
		workflow, input = contract.AppointmentWorkflow, contract.AppointmentInput{ClinicID: m.ClinicID, AppointmentID: m.DialogueID, Resume: resume}
	default:
		workflow, input = contract.DialogueWorkflow, contract.DialogueInput{ClinicID: m.ClinicID, DialogueID: m.DialogueID, Process: m.Process, Resume: resume}
	}
	_, err := l.temporal.SignalWithStartWorkflow(ctx, options.ID, contract.SignalMessageReceived, signal, options, workflow, input)
	return unavailable(err)
}

// origin is where a message was written: an e-dialogue never meets Helsenorge.
func origin(p contract.Process) string {
	if p == contract.ProcessEDialogue {
		return "the portal"
	}
	return "Helsenorge"
}

// settled tells the lifecycle that its message has an outcome. The ledger has it
// already, so a lifecycle that has ended needs no telling.
func (l *Listener) settled(ctx context.Context, m pg.Arrived) error {
	s := m.Settled
	if s == nil || s.DialogueID == "" {
		return nil
	}
	err := l.temporal.SignalWorkflow(ctx, contract.ThreadWorkflowID(s.Process, s.DialogueID), "", contract.SignalReceiptReceived, contract.ReceiptReceived{
		OutboundID: s.OutboundID, Outcome: s.Outcome, Codes: s.Codes, At: m.ReceivedAt,
	})
	failpoint.Hit(failpoint.ListenSettled)
	var ended *serviceerror.NotFound
	if errors.As(err, &ended) {
		return nil
	}
	return unavailable(err)
}

// reply starts a standalone activity once: a second start of the same id is
// refused while the first is open and after it has closed.
func (l *Listener) reply(ctx context.Context, id, activity, summary string, in any) error {
	_, err := l.temporal.ExecuteActivity(ctx, client.StartActivityOptions{
		ID:                       id,
		TaskQueue:                contract.QueueHelsenorge,
		StartToCloseTimeout:      contract.ReplyStartToClose,
		ScheduleToCloseTimeout:   contract.ReplyScheduleToClose,
		ActivityIDReusePolicy:    enums.ACTIVITY_ID_REUSE_POLICY_REJECT_DUPLICATE,
		ActivityIDConflictPolicy: enums.ACTIVITY_ID_CONFLICT_POLICY_FAIL,
		RetryPolicy:              &temporal.RetryPolicy{MaximumInterval: contract.ReplyLongestPause},
		Summary:                  summary,
	}, activity, in)
	var started *serviceerror.ActivityExecutionAlreadyStarted
	if errors.As(err, &started) {
		return nil
	}
	return unavailable(err)
}

// unavailable says that Temporal did not take a call. Every reason is worth
// another try: the message is stored and must be handed over.
func unavailable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return apperr.Wrap(apperr.Unavailable, err, "Temporal did not accept the hand-over")
}
