package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestOnlyEventsOfSkippedTimeAreLeftOut(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	jumped := &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED, EventTime: timestamppb.New(at),
		Attributes: &historypb.HistoryEvent_WorkflowExecutionTimeSkippingTransitionedEventAttributes{
			WorkflowExecutionTimeSkippingTransitionedEventAttributes: &historypb.WorkflowExecutionTimeSkippingTransitionedEventAttributes{
				// The clock says something else when time was skipped before.
				TargetTime: timestamppb.New(at.Add(time.Hour)), WallClockTime: timestamppb.New(at.Add(-time.Minute)),
			},
		},
	}
	require.True(t, skipping(jumped))
	require.Equal(t, time.Hour, skipped(jumped))

	options := func(a *historypb.WorkflowExecutionOptionsUpdatedEventAttributes) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{
			EventType:  enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionOptionsUpdatedEventAttributes{WorkflowExecutionOptionsUpdatedEventAttributes: a},
		}
	}
	require.True(t, skipping(options(&historypb.WorkflowExecutionOptionsUpdatedEventAttributes{
		TimeSkippingConfigUpdated: true, TimeSkippingConfig: &commonpb.TimeSkippingConfig{Enabled: true},
	})))
	for _, other := range []*historypb.HistoryEvent{
		options(&historypb.WorkflowExecutionOptionsUpdatedEventAttributes{}),
		{EventType: enumspb.EVENT_TYPE_TIMER_FIRED, EventTime: timestamppb.New(at)},
	} {
		require.False(t, skipping(other))
		require.Zero(t, skipped(other))
	}
}
