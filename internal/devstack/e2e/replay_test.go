package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/temporalx"
	"github.com/helsebro/helsebro/workflows"
)

// renewAfter makes runs continue as new after so few events that a test gets there.
const renewAfter = 60

// TestRecordHistories lives through the lives whose histories are kept as replay
// fixtures, among them runs that continue as new with messages under way, and
// replays each with today's code. With HELSEBRO_RECORD=1 it writes them down.
func TestRecordHistories(t *testing.T) {
	_, here, _, _ := runtime.Caller(0)
	product := filepath.Join(filepath.Dir(here), "..", "..", "..", "workflows")
	key, err := os.ReadFile(filepath.Join(product, "testdata", "replay-codec-key"))
	require.NoError(t, err)
	w := running(t, stack.Config{CodecKeys: strings.TrimSpace(string(key)), SuggestContinueAsNewAfter: renewAfter})
	c, err := w.Client()
	require.NoError(t, err)
	defer c.Close()

	keep := func(process, name, id, run string) {
		h := w.history(c, id, run)
		replayer := w.replayer()
		require.NoErrorf(t, replayer.ReplayWorkflowHistory(nil, h), "%s %s", process, name)
		if os.Getenv("HELSEBRO_RECORD") == "" {
			return
		}
		raw, err := protojson.MarshalOptions{Indent: " "}.Marshal(h)
		require.NoError(t, err)
		// Who recorded it is nobody's business, and replay does not look.
		raw = regexp.MustCompile(`("identity": *)"[^"]*"`).ReplaceAll(raw, []byte(`$1"recorded"`))
		file := filepath.Join(product, process, "testdata", "replay", name+".json")
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, append(raw, '\n'), 0o644))
	}
	status := func(id string, want contract.Status) {
		w.eventually(id+" is "+string(want), func() error {
			v, err := c.QueryWorkflow(t.Context(), id, "", contract.QueryState)
			if err != nil {
				return err
			}
			var s struct{ Status contract.Status }
			if err := v.Get(&s); err != nil {
				return err
			}
			if s.Status != want {
				return fmt.Errorf("%s", s.Status)
			}
			return nil
		})
	}

	// A dialogue that waits for the clinic, is answered, and ends after 30 days.
	sent, subject := w.act(simulator.Action{Kind: simulator.EConsultation})
	id := contract.DialogueWorkflowID(w.dialogue(subject))
	status(id, contract.StatusAwaitingClinic)
	keep("dialogue", "open-awaiting-clinic", id, "")
	w.answer(w.dialogue(subject), uuid.NewString(), contract.AnswerFromPractitioner, "Svar.")
	status(id, contract.StatusAnswered)
	keep("dialogue", "open-answered", id, "")
	w.skip(id, 31*24*time.Hour)
	w.eventually("the dialogue has ended", func() error { return w.ended(c, id) })
	keep("dialogue", "completed-idle", id, "")

	// The citizen writes again: a new run reads what the old one knew.
	w.act(simulator.Action{Kind: simulator.Reply, InReplyTo: sent.MsgID})
	status(id, contract.StatusAwaitingClinic)
	keep("dialogue", "open-resumed", id, "")

	// A thread so long that its runs continue as new while messages arrive.
	first, subject := w.act(simulator.Action{Kind: simulator.EContact, Citizen: 1})
	dialogueID := w.dialogue(subject)
	id = contract.DialogueWorkflowID(dialogueID)
	const replies = 30
	for range replies {
		w.act(simulator.Action{Kind: simulator.Reply, InReplyTo: first.MsgID})
	}
	w.eventually("every message is in the dialogue and in an inbox", func() error {
		v, err := c.QueryWorkflow(t.Context(), id, "", contract.QueryState)
		if err != nil {
			return err
		}
		var s contract.DialogueState
		if err := v.Get(&s); err != nil {
			return err
		}
		loaded, err := w.store.LoadDialogue(t.Context(), demo.ClinicID, dialogueID)
		if err == nil && (s.Messages != replies+1 || loaded.Messages != replies+1) {
			err = fmt.Errorf("%d messages in the lifecycle, %d in inboxes, of %d", s.Messages, loaded.Messages, replies+1)
		}
		return err
	})
	keep("dialogue", "continued-long-thread", id, w.firstContinued(c, id))

	// A request that waits, and one that is answered and done.
	_, subject = w.act(simulator.Action{Kind: simulator.Renewal})
	id = contract.PrescriptionWorkflowID(w.dialogue(subject))
	status(id, contract.StatusAwaitingClinic)
	keep("prescription", "open-awaiting-clinic", id, "")
	w.answer(w.dialogue(subject), uuid.NewString(), contract.AnswerCannotRenew, "Svar.")
	w.eventually("the request is done", func() error { return w.ended(c, id) })
	keep("prescription", "completed-answered", id, "")

	// The same message many times makes a request's run continue as new too.
	_, subject = w.act(simulator.Action{Kind: simulator.Renewal})
	dialogueID = w.dialogue(subject)
	id = contract.PrescriptionWorkflowID(dialogueID)
	d, err := w.store.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, dialogueID)
	require.NoError(t, err)
	loaded, err := w.store.LoadDialogue(t.Context(), demo.ClinicID, dialogueID)
	require.NoError(t, err)
	w.eventually("the request continued as new", func() error {
		if err := c.SignalWorkflow(t.Context(), id, "", contract.SignalMessageReceived,
			contract.MessageReceived{MessageID: d.Messages[0].ID, MsgID: loaded.Seen[0], Function: "RF"}); err != nil {
			return err
		}
		if w.firstContinued(c, id) == "" {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	keep("prescription", "continued-duplicates", id, w.firstContinued(c, id))
	w.answer(dialogueID, uuid.NewString(), contract.AnswerCannotRenew, "Svar.")
	w.eventually("the request is done", func() error { return w.ended(c, id) })
}

// replayer carries histories on with today's code and the stack's converters.
func (w *world) replayer() worker.WorkflowReplayer {
	w.Helper()
	data, failure, err := temporalx.Converters(w.Worker().Temporal, w.Temporal.Namespace())
	require.NoError(w, err)
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DataConverter: data, FailureConverter: failure})
	require.NoError(w, err)
	workflows.Register(r)
	return r
}

// skip moves one execution ahead in time. It returns the id of what it began.
func (w *world) skip(id string, d time.Duration) string {
	w.Helper()
	forward, err := w.Temporal.MoveAhead(w.Context(), id, d)
	require.NoError(w, err)
	return forward
}

// ended tells whether the newest run has completed by itself.
func (w *world) ended(c client.Client, id string) error {
	d, err := c.DescribeWorkflowExecution(w.Context(), id, "")
	if err == nil && d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		err = fmt.Errorf("%s", d.WorkflowExecutionInfo.Status)
	}
	return err
}

// firstContinued finds a run of the workflow that continued as new; "" is none.
func (w *world) firstContinued(c client.Client, id string) string {
	w.Helper()
	for _, run := range w.executions(c) {
		if run.Execution.WorkflowId == id && run.Status == enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
			return run.Execution.RunId
		}
	}
	return ""
}

// TestIncompatibleChangeIsCaught: a history whose commands today's code would not
// give fails to replay. Without it the fixtures would prove nothing.
func TestIncompatibleChangeIsCaught(t *testing.T) {
	w := running(t, stack.Config{})
	c, err := w.Client()
	require.NoError(t, err)
	defer c.Close()
	_, subject := w.act(simulator.Action{Kind: simulator.EConsultation})
	id := contract.DialogueWorkflowID(w.dialogue(subject))
	var h *history.History
	w.eventually("both activities are done", func() error {
		h = w.history(c, id, "")
		n := 0
		for _, e := range h.Events {
			if e.EventType == enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED {
				n++
			}
		}
		if n != 2 {
			return fmt.Errorf("%d activities", n)
		}
		return nil
	})
	require.NoError(t, w.replayer().ReplayWorkflowHistory(nil, h))
	for _, e := range h.Events {
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil && a.ActivityType.Name == "WriteJournalEntry" {
			a.ActivityType.Name = "PrintLetter"
		}
	}
	require.Error(t, w.replayer().ReplayWorkflowHistory(nil, h))
}
