package operatorview_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/browser"
	"github.com/helsebro/helsebro/internal/devstack/operatorview"
	"github.com/helsebro/helsebro/internal/devstack/scenario"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/devstack/temporalserver"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/temporalx"
)

// lifecycle is a workflow as a view may select it.
type lifecycle struct {
	clinic  string
	process contract.Process
	state   string
	running bool
}

const clinicA, clinicB = "019ab000-0000-7000-8000-00000000000a", "019ab000-0000-7000-8000-00000000000b"

// selects is what each view of the README says that it shows, by its query.
var selects = map[string]func(lifecycle) bool{
	`HelsebroState = "awaiting-clinic" AND ExecutionStatus = "Running"`: func(l lifecycle) bool {
		return l.running && l.state == string(contract.StatusAwaitingClinic)
	},
	`HelsebroState = "needs-operator" AND ExecutionStatus = "Running"`: func(l lifecycle) bool {
		return l.running && l.state == string(contract.StatusNeedsOperator)
	},
	`HelsebroState IN ("sending", "awaiting-receipt") AND HelsebroProcess != "notice" AND ExecutionStatus = "Running"`: func(l lifecycle) bool {
		return l.running && l.process != contract.ProcessNotice && (l.state == string(contract.StatusSending) || l.state == string(contract.StatusAwaitingReceipt))
	},
	`HelsebroClinic = "…" AND HelsebroProcess = "prescription"`: func(l lifecycle) bool {
		return l.clinic == clinicA && l.process == contract.ProcessPrescription
	},
	`HelsebroProcess = "appointment" AND HelsebroState = "awaiting-clinic" AND ExecutionStatus = "Running"`: func(l lifecycle) bool {
		return l.running && l.process == contract.ProcessAppointment && l.state == string(contract.StatusAwaitingClinic)
	},
	`HelsebroProcess = "notice" AND HelsebroState = "failed"`: func(l lifecycle) bool {
		return l.process == contract.ProcessNotice && l.state == string(contract.OutcomeFailed)
	},
	`HelsebroProcess = "activation" AND HelsebroState != "active" AND ExecutionStatus = "Running"`: func(l lifecycle) bool {
		return l.running && l.process == contract.ProcessActivation && l.state != string(contract.StatusActive)
	},
}

// TestSavedViewsShowWhatTheREADMESays runs each query of the README on a Temporal server
// that has lifecycles of two clinics, of every process, in every state, open and closed.
func TestSavedViewsShowWhatTheREADMESays(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	require.NoError(t, err)
	var queries []string
	for _, m := range regexp.MustCompile("(?m)^\\* [^`\n]+: `(Helsebro[^`]+)`$").FindAllStringSubmatch(string(readme), -1) {
		queries = append(queries, m[1])
		require.Contains(t, selects, m[1], "the README has a view that this test does not know")
	}
	require.Len(t, queries, len(selects), "a view is missing in the README")

	s, err := temporalserver.Start(t.Context(), temporalserver.Config{SQLiteFile: filepath.Join(t.TempDir(), "temporal.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	c, err := sdkclient.Dial(sdkclient.Options{HostPort: s.Address(), Namespace: s.Namespace(), Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	require.NoError(t, temporalx.EnsureSearchAttributes(t.Context(), c, s.Namespace()))

	started := map[string]lifecycle{}
	start := func(l lifecycle) {
		id := uuid.NewString()
		_, err := c.ExecuteWorkflow(t.Context(), sdkclient.StartWorkflowOptions{
			ID: id, TaskQueue: "nobody",
			TypedSearchAttributes: temporal.NewSearchAttributes(
				contract.AttrClinic.ValueSet(l.clinic), contract.AttrProcess.ValueSet(string(l.process)), contract.AttrState.ValueSet(l.state)),
		}, "nothing")
		require.NoError(t, err)
		if !l.running {
			require.NoError(t, c.TerminateWorkflow(t.Context(), id, "", "closed"))
		}
		started[id] = l
	}
	for _, clinic := range []string{clinicA, clinicB} {
		for _, running := range []bool{true, false} {
			for _, process := range []contract.Process{
				contract.ProcessEContact, contract.ProcessPrescription, contract.ProcessAppointment, contract.ProcessNotice, contract.ProcessActivation,
			} {
				for _, state := range []string{
					string(contract.StatusAwaitingClinic), string(contract.StatusNeedsOperator), string(contract.StatusSending), string(contract.StatusAwaitingReceipt),
					string(contract.StatusActive), string(contract.StatusSuspended), string(contract.OutcomeFailed),
				} {
					start(lifecycle{clinic, process, state, running})
				}
			}
		}
	}
	list := func(query string) (found []string) {
		var next []byte
		for {
			page, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: query, NextPageToken: next})
			require.NoError(t, err, query)
			for _, e := range page.Executions {
				found = append(found, e.Execution.WorkflowId)
			}
			if next = page.NextPageToken; len(next) == 0 {
				return found
			}
		}
	}
	require.Eventually(t, func() bool {
		return len(list(`ExecutionStatus = "Running"`))*2 == len(started) && len(list("")) == len(started)
	}, time.Minute, 50*time.Millisecond, "visibility catches up")
	for _, query := range queries {
		var want []string
		for id, l := range started {
			if selects[query](l) {
				want = append(want, id)
			}
		}
		require.NotEmpty(t, want)
		require.ElementsMatch(t, want, list(strings.ReplaceAll(query, "…", clinicA)), query)
	}
}

// TestTheDemonstrationInTheTemporalUI plays the main job and a refusal: every lifecycle
// has a title, says what it is and how it stands, and names nobody, in clear or decoded;
// and each picture of the README can be taken.
func TestTheDemonstrationInTheTemporalUI(t *testing.T) {
	require.NoError(t, browser.Ensure(t.Context(), io.Discard))
	s, err := stack.Start(t.Context(), stack.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.WithoutCancel(t.Context()))) })
	require.NoError(t, s.Run(t.Context()))
	played, err := scenario.Play(t.Context(), s, io.Discard)
	require.NoError(t, err)
	refused, err := scenario.Refuse(t.Context(), s)
	require.NoError(t, err)
	c, err := s.Client()
	require.NoError(t, err)
	t.Cleanup(c.Close)

	// Nobody is offered to terminate or reset a lifecycle, nor to go round Helsebro.
	res, err := http.Get(s.Temporal.UIURL() + "/api/v1/settings") //nolint:noctx // it is on this machine
	require.NoError(t, err)
	settings, err := io.ReadAll(res.Body)
	require.NoError(t, errors.Join(err, res.Body.Close()))
	for _, action := range []string{"WorkflowTerminate", "WorkflowReset", "WorkflowSignal", "WorkflowUpdate", "BatchActions", "StartWorkflow"} {
		require.Contains(t, string(settings), `"`+action+`Disabled":true`)
	}

	secrets := marked(append(slices.Clone(played.Threads), refused))
	page, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{PageSize: 1000})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(page.Executions), 8)
	processes := map[string]bool{}
	for _, run := range page.Executions {
		processes[requireReadable(t, c, run, secrets)] = true
	}
	require.Subset(t, processes, map[string]bool{"e-contact": true, "e-consultation": true, "prescription": true, "appointment": true, "notice": true, "activation": true})

	pictures, err := operatorview.Pictures(t.Context(), s, played, refused)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, operatorview.Take(t.Context(), dir, pictures))
	for _, p := range pictures {
		info, err := os.Stat(filepath.Join(dir, p.Name+".png"))
		require.NoError(t, err)
		require.Less(t, info.Size(), int64(150_000), p.Name)
		require.FileExists(t, filepath.Join("..", "..", "..", ".docs", p.Name+".png"), "make screenshots")
	}

	// The case is resolved by an update: the run goes on, and is in the view no more.
	require.NoError(t, scenario.Resolve(t.Context(), s, refused))
	d, err := c.DescribeWorkflowExecution(t.Context(), refused.WorkflowID, "")
	require.NoError(t, err)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, d.WorkflowExecutionInfo.Status)
	var updates []string
	for _, e := range events(t, c, refused.WorkflowID, "") {
		if a := e.GetWorkflowExecutionUpdateAcceptedEventAttributes(); a != nil {
			updates = append(updates, a.AcceptedRequest.GetInput().GetName())
		}
	}
	require.Equal(t, []string{contract.UpdateAnswer, contract.UpdateResolve}, updates)
	require.Eventually(t, func() bool {
		page, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: `HelsebroState = "needs-operator" AND ExecutionStatus = "Running"`})
		return err == nil && len(page.Executions) == 0
	}, time.Minute, 50*time.Millisecond)
}

func events(t *testing.T, c sdkclient.Client, id, runID string) (all []*historypb.HistoryEvent) {
	t.Helper()
	for h := c.GetWorkflowHistory(t.Context(), id, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); h.HasNext(); {
		e, err := h.Next()
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// marked is what must be nowhere: who the patients are and what was written.
func marked(threads []*scenario.Thread) (secrets []string) {
	for i := range 10 {
		who := simulator.Citizen(i)
		secrets = append(secrets, who.NationalID, who.Phone, who.GivenName+" "+who.FamilyName, who.FamilyName+", ")
	}
	secrets = append(secrets, demo.Patient().NationalID, demo.Patient().GivenName+" "+demo.Patient().FamilyName)
	for _, t := range threads {
		secrets = append(secrets, t.Subject, t.Text)
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return strings.TrimSpace(s) == "" })
}

// requireReadable holds one run against what an operator must be able to read, and must
// not; it returns its process.
func requireReadable(t *testing.T, c sdkclient.Client, run *workflowpb.WorkflowExecutionInfo, secrets []string) string {
	t.Helper()
	id, runID := run.Execution.WorkflowId, run.Execution.RunId
	d, err := c.DescribeWorkflow(t.Context(), id, runID)
	require.NoError(t, err)
	title, err := d.GetStaticSummary()
	require.NoError(t, err)
	details, err := d.GetStaticDetails()
	require.NoError(t, err)
	attribute := func(key temporal.SearchAttributeKeyKeyword) string {
		v, ok := d.TypedSearchAttributes.GetKeyword(key)
		require.Truef(t, ok, "%s has no %s", id, key.GetName())
		return v
	}
	process := attribute(contract.AttrProcess)
	require.NotEmpty(t, title, id)
	require.NotContains(t, title, "/", "words, and no id of a workflow")
	require.LessOrEqual(t, len(title), contract.MaxSummaryBytes, id)
	if process == string(contract.ProcessEConsultation) && !strings.HasPrefix(title, process) { // it was converted
		require.Equal(t, contract.StaticDetails(contract.ProcessEContact), details, id)
	} else {
		require.Equal(t, contract.StaticDetails(contract.Process(process)), details, id)
	}
	require.Equal(t, demo.ClinicID, attribute(contract.AttrClinic))
	require.Regexp(t, `^[a-z-]+$`, attribute(contract.AttrState), "a code")
	require.Empty(t, run.Memo.GetFields(), "nothing is in a memo")
	// What Temporal has in clear is of these kinds and no other.
	require.Regexp(t, `^(dialogue|prescription|appointment|notice|activation)/[0-9a-f-]{36}(/[0-9a-f-]{36})?$`, id)
	require.Equal(t, contract.QueueLifecycle, run.TaskQueue)
	for name := range run.SearchAttributes.GetIndexedFields() {
		require.True(t, name == "BuildIds" || strings.HasPrefix(name, "Temporal") || slices.ContainsFunc(contract.SearchAttributes(), func(k temporal.SearchAttributeKey) bool { return k.GetName() == name }), name)
	}
	for _, e := range events(t, c, id, runID) {
		if a := e.GetWorkflowExecutionSignaledEventAttributes(); a != nil {
			require.Contains(t, []string{contract.SignalMessageReceived, contract.SignalReceiptReceived, contract.SignalDeliveryReported, contract.SignalRegistryChanged}, a.SignalName)
		}
		if a := e.GetWorkflowExecutionUpdateAcceptedEventAttributes(); a != nil {
			require.Contains(t, []string{contract.UpdateOpen, contract.UpdateAnswer, contract.UpdateChange, contract.UpdateResolve}, a.AcceptedRequest.GetInput().GetName())
		}
		switch e.EventType {
		case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enums.EVENT_TYPE_TIMER_STARTED, enums.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
			require.NotNilf(t, e.UserMetadata.GetSummary(), "%s: event %d says not what it is for", id, e.EventId)
		default:
		}
	}

	v, err := c.QueryWorkflow(t.Context(), id, runID, "__temporal_workflow_metadata")
	require.NoError(t, err, id)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(t, v.Get(&metadata))
	card := metadata.CurrentDetails
	require.Regexp(t, "^\\*\\*[^*]+\\*\\*\n\n(- until when: .+\n)?- who acts: .+\n- look: `helsebro .+`\n", card, id)

	shown, err := protojson.Marshal(run)
	require.NoError(t, err)
	all := strings.Join([]string{title, details, card, string(shown)}, "\n")
	for _, secret := range secrets {
		require.NotContains(t, all, secret, id)
	}
	return process
}
