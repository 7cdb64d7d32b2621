package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/pg"
	starter "github.com/helsebro/helsebro/starter/client"
)

// renewAppointmentAfter is more events than an appointment has that is not changed
// again and again.
const renewAppointmentAfter = 120

// TestRecordAppointmentHistories is TestRecordHistories for appointments and notices.
func TestRecordAppointmentHistories(t *testing.T) {
	w := clinics(t, 1, stack.Config{CodecKeys: replayKey(t), SuggestContinueAsNewAfter: renewAppointmentAfter})
	c := w.clinic(t, 0)
	tc, err := w.Client()
	require.NoError(t, err)
	defer tc.Close()
	workflow := contract.AppointmentWorkflowID
	appointment := func(name, id string) {
		w.keep(tc, "appointment", name, workflow(id), "")
		w.logSize(tc, "appointment "+name, workflow(id))
	}
	slots := c.slots(day(12, 9), 3, nil)

	// Booked on Helsenorge: confirmed, reminded and over without the clinic's channels.
	p := c.patient(nil)
	id := c.reserved(p, slots[0])
	c.settled(id)
	appointment("open-awaiting-reminder", id)
	c.over(id)
	require.Equal(t, contract.OwnerHelsenorge, c.notice(id, contract.PurposeReminder).Owner)
	appointment("completed-delegated", id)

	// The slot is taken: 06, and nothing else.
	id = c.reserved(p, slots[1])
	refused := c.answerTo(c.reserve(c.patient(nil), slots[1], nil))
	require.Equal(t, contract.AppointmentNotAvailable, refused.Function)
	loser := ""
	w.eventually("the refused request is done", func() error {
		done, err := tc.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: contract.AttrState.GetName() + " = '" + string(contract.StatusRefused) + "' AND ExecutionStatus = 'Completed'",
		})
		if err != nil {
			return err
		}
		if len(done.Executions) != 1 {
			return fmt.Errorf("%d refused", len(done.Executions))
		}
		loser = strings.TrimPrefix(done.Executions[0].Execution.WorkflowId, workflow(""))
		return nil
	})
	appointment("completed-refused", loser)

	// Cancelled by the clinic, told, and over; put back it is read from PostgreSQL.
	c.settled(id)
	c.step(id, "cancel")
	c.settle(id)
	w.eventually("the cancelled appointment is done", func() error { return w.ended(tc, workflow(id)) })
	appointment("completed-cancelled", id)
	c.step(id, "restore")
	c.settle(id)
	appointment("open-resumed", id)

	// Changed so often that its runs continue as new, with changes and a message under
	// way: none is lost.
	id = c.book(p, day(14, 9), nil).AppointmentID
	c.settle(id)
	const changes = 24
	var together sync.WaitGroup
	for i := range changes {
		together.Go(func() {
			status, answer, err := c.call(c.Desk, http.MethodPatch, "/appointments/"+id, uuid.NewString(), starter.Amendment{StartsAt: day(14, 9).Add(time.Duration(i+1) * time.Minute)})
			if err != nil || status != http.StatusOK {
				t.Errorf("change %d: %d %s %v", i, status, answer, err)
			}
		})
	}
	together.Wait()
	c.settle(id)
	require.Equal(t, changes+1, c.explain(id).Revision)
	run := w.firstContinued(tc, workflow(id))
	require.NotEmpty(t, run, "no run has continued as new")
	w.keep(tc, "appointment", "continued-changed", workflow(id), run)

	// Notices of the clinic: by SMS after a bounced e-mail, and by SMS with a report that
	// is waited for.
	notice := func(name string, n pg.NoticeExplained) {
		w.keep(tc, "notice", name, contract.NoticeWorkflowID(n.ID), "")
		w.logSize(tc, "notice "+name, contract.NoticeWorkflowID(n.ID))
	}
	away := c.inactive(func(r *starter.PatientRecord) { (*r.Contacts)[0].Address = "bounce@example.invalid" })
	id = c.book(away, day(12, 12), nil).AppointmentID
	c.settle(id)
	n := c.notice(id, contract.PurposeConfirmation)
	require.Equal(t, contract.OutcomeDelivered, n.Outcome)
	require.Len(t, n.Attempts, 2)
	w.eventually("the notice has ended", func() error { return w.ended(tc, contract.NoticeWorkflowID(n.ID)) })
	notice("completed-bounced", n)

	w.Sink.SetFaults(sink.Faults{Reports: []sink.Step{}})
	silent := c.inactive(func(r *starter.PatientRecord) { *r.Contacts = (*r.Contacts)[1:] })
	id = c.book(silent, day(12, 13), nil).AppointmentID
	c.pass(id, grace)
	var key string
	w.eventually("the gateway has the message", func() error {
		if all := c.sent(silent); len(all) == 1 {
			key = all[0].Key
			return nil
		}
		return errors.New("not yet")
	})
	n = c.explain(id).Notices[0]
	w.eventually("its report is waited for", func() error {
		d, err := tc.DescribeWorkflowExecution(t.Context(), contract.NoticeWorkflowID(n.ID), "")
		if err == nil && (len(d.PendingActivities) > 0 || d.PendingWorkflowTask != nil) {
			err = errors.New("it is being sent")
		}
		return err
	})
	notice("open-awaiting-report", n)
	status, err := w.Sink.Report(t.Context(), key, channel.Delivered)
	require.NoError(t, err)
	require.Less(t, status, 300)
	require.Equal(t, contract.OutcomeDelivered, c.notice(id, contract.PurposeConfirmation).Outcome)
	w.eventually("the notice has ended", func() error { return w.ended(tc, contract.NoticeWorkflowID(n.ID)) })
	notice("completed-reported", n)
	c.settled(id)
	appointment("open-told-by-sms", id)
}

// logSize says how large the newest run of a workflow is.
func (w *world) logSize(c client.Client, what, id string) {
	w.Helper()
	d, err := c.DescribeWorkflowExecution(w.Context(), id, "")
	require.NoError(w, err)
	w.Logf("%s: %d events, %d bytes", what, d.WorkflowExecutionInfo.HistoryLength, d.WorkflowExecutionInfo.HistorySizeBytes)
}
