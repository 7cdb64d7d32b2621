package temporalserver

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// MoveAhead moves one running execution ahead in time by d: its timers fire as if so
// much time had passed, and its clock goes on from there. Whatever else runs keeps the
// real time; a child that it starts afterwards begins at its time and then waits like
// any other. It returns before the time has passed, with the id by which the server
// tells whether it has. The end of d should be some seconds away from every timer:
// server 1.32 takes a second to fire a timer that it has skipped to, and an execution
// that comes to rest just as d ends is moved on to its next timer.
func (s *Server) MoveAhead(ctx context.Context, workflowID string, d time.Duration) (forwardID string, err error) {
	conn, err := grpc.NewClient(s.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // the call has been answered
	forwardID = uuid.NewString()
	_, err = workflowservice.NewWorkflowServiceClient(conn).UpdateWorkflowExecutionOptions(ctx, &workflowservice.UpdateWorkflowExecutionOptionsRequest{
		Namespace: s.cfg.Namespace, WorkflowExecution: &common.WorkflowExecution{WorkflowId: workflowID},
		WorkflowExecutionOptions: &workflow.WorkflowExecutionOptions{TimeSkippingConfig: &common.TimeSkippingConfig{
			Enabled: true, DisablePropagation: true,
			FastForwardConfig: &common.FastForwardConfig{Id: forwardID, Duration: durationpb.New(d)},
		}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"time_skipping_config"}},
	})
	if err != nil {
		return "", fmt.Errorf("workflow %s cannot be moved ahead in time: %w", workflowID, err)
	}
	return forwardID, nil
}
