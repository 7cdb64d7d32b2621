package main

import (
	"context"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// skip moves one execution ahead in time, at once: its timers are due earlier by
// that much from then on. What it starts later begins as far ahead, and skips nothing.
func (b *bench) skip(ctx context.Context, workflowID string, by time.Duration) error {
	_, err := b.temporal.WorkflowService().UpdateWorkflowExecutionOptions(ctx, &workflowservice.UpdateWorkflowExecutionOptionsRequest{
		Namespace: b.stack.Temporal.Namespace(), WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflowID},
		WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{TimeSkippingConfig: &commonpb.TimeSkippingConfig{
			Enabled: true, DisablePropagation: true,
			FastForwardConfig: &commonpb.FastForwardConfig{Id: uuid.NewString(), Duration: durationpb.New(by)},
		}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"time_skipping_config"}},
	})
	return err
}

// skipping tells whether an event comes from skip: a history without the bench would
// not have it.
func skipping(e *historypb.HistoryEvent) bool {
	return e.EventType == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED ||
		e.GetWorkflowExecutionOptionsUpdatedEventAttributes().GetTimeSkippingConfigUpdated()
}

// skipped is how much time the event says that its execution has skipped with it; the
// times of later events are that much further ahead of the clock.
func skipped(e *historypb.HistoryEvent) time.Duration {
	to := e.GetWorkflowExecutionTimeSkippingTransitionedEventAttributes().GetTargetTime()
	if to == nil {
		return 0
	}
	return to.AsTime().Sub(e.EventTime.AsTime())
}
