package temporalserver_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/helsebro/helsebro/internal/devstack/ports"
	"github.com/helsebro/helsebro/internal/devstack/temporalserver"
)

const queue = "q"

// childFile tells TestMain to be the program that a test kills.
const childFile = "TEMPORALSERVER_TEST_CHILD_FILE"

func TestMain(m *testing.M) {
	if file := os.Getenv(childFile); file != "" {
		if err := runUntilKilled(file); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// runUntilKilled starts a server and a workflow on it, says so, and waits for its end.
func runUntilKilled(file string) error {
	s, err := temporalserver.Start(context.Background(), temporalserver.Config{SQLiteFile: file})
	if err != nil {
		return err
	}
	c, err := dial(s)
	if err != nil {
		return err
	}
	if _, err := c.ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{ID: "wf", TaskQueue: queue}, echoUntilTold); err != nil {
		return err
	}
	fmt.Println("started")
	select {}
}

// echoUntilTold returns what its signal brings.
func echoUntilTold(ctx workflow.Context) (string, error) {
	var word string
	workflow.GetSignalChannel(ctx, "word").Receive(ctx, &word)
	return word, nil
}

func sleepFor(ctx workflow.Context, d time.Duration) error { return workflow.Sleep(ctx, d) }

func updatable(ctx workflow.Context) error {
	told := false
	if err := workflow.SetUpdateHandler(ctx, "tell", func(ctx workflow.Context, word string) (string, error) {
		told = true
		return "told " + word, nil
	}); err != nil {
		return err
	}
	return workflow.Await(ctx, func() bool { return told && workflow.AllHandlersFinished(ctx) })
}

func shout(_ context.Context, word string) (string, error) { return strings.ToUpper(word), nil }

func dial(s *temporalserver.Server) (client.Client, error) {
	return client.Dial(client.Options{
		HostPort:  s.Address(),
		Namespace: s.Namespace(),
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
}

func start(t *testing.T, cfg temporalserver.Config) (*temporalserver.Server, client.Client) {
	t.Helper()
	s, err := temporalserver.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	c, err := dial(s)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return s, c
}

func startWorker(t *testing.T, c client.Client) {
	t.Helper()
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(echoUntilTold)
	w.RegisterWorkflow(sleepFor)
	w.RegisterWorkflow(updatable)
	w.RegisterActivity(shout)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

func finish(t *testing.T, c client.Client) {
	t.Helper()
	startWorker(t, c)
	require.NoError(t, c.SignalWorkflow(t.Context(), "wf", "", "word", "hello"))
	var result string
	require.NoError(t, c.GetWorkflow(t.Context(), "wf", "").Get(t.Context(), &result))
	require.Equal(t, "hello", result)
}

func TestWorkflowOutlivesAnOrderlyStop(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a dir?#%", "temporal.db")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o700))
	var logged bytes.Buffer
	cfg := temporalserver.Config{
		SQLiteFile: file,
		Logger:     slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	began := time.Now()
	s, c := start(t, cfg)
	t.Logf("first start %s", time.Since(began))
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "wf", TaskQueue: queue}, echoUntilTold)
	require.NoError(t, err)
	began = time.Now()
	require.NoError(t, s.Stop())
	require.NoError(t, s.Stop(), "stopping twice")
	t.Logf("stop %s", time.Since(began))

	began = time.Now()
	s, c = start(t, cfg)
	t.Logf("second start %s", time.Since(began))
	finish(t, c)
	require.NoError(t, s.Stop())
	require.Empty(t, logged.String(), "errors are logged only when there are errors")
}

func TestWorkflowOutlivesAKilledProcess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "temporal.db")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childFile+"="+file)
	stdout, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	t.Cleanup(func() { _ = child.Process.Kill() })
	said := make([]byte, 100)
	n, err := stdout.Read(said)
	require.NoError(t, err)
	require.Equal(t, "started\n", string(said[:n]))

	_, err = temporalserver.Start(t.Context(), temporalserver.Config{SQLiteFile: file})
	require.EqualError(t, err, "another Temporal server uses "+file+": stop it, or choose another directory")

	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	_, c := start(t, temporalserver.Config{SQLiteFile: file})
	finish(t, c)
}

func TestUnfinishedFileIsMadeAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "temporal.db")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.WriteFile(file+".unfinished", nil, 0o600))
	start(t, temporalserver.Config{SQLiteFile: file})
}

func TestTakenPortsAreNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // the test ends
	taken := l.Addr().(*net.TCPAddr).Port
	file := filepath.Join(t.TempDir(), "temporal.db")

	_, err = temporalserver.Start(t.Context(), temporalserver.Config{SQLiteFile: file, Port: taken})
	var inUse *ports.InUseError
	require.ErrorAs(t, err, &inUse)
	require.ErrorContains(t, err, "HELSEBRO_TEMPORAL_PORT")

	_, err = temporalserver.Start(t.Context(), temporalserver.Config{SQLiteFile: file, UIPort: taken})
	require.ErrorContains(t, err, "HELSEBRO_TEMPORAL_UI_PORT")
	require.NoFileExists(t, file, "nothing is begun")
}

func TestOnlyTheLoopback(t *testing.T) {
	t.Parallel()
	_, err := temporalserver.Start(t.Context(), temporalserver.Config{SQLiteFile: filepath.Join(t.TempDir(), "t.db"), Host: "0.0.0.0"})
	require.ErrorContains(t, err, "no loopback address")
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "temporal.db")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := temporalserver.Start(ctx, temporalserver.Config{SQLiteFile: file})
	require.ErrorIs(t, err, context.Canceled)
	start(t, temporalserver.Config{SQLiteFile: file})
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	parent := t
	s, c := start(t, temporalserver.Config{SQLiteFile: filepath.Join(t.TempDir(), "temporal.db")})

	t.Run("a standalone activity is accepted without a worker, once, and runs", func(t *testing.T) {
		options := client.StartActivityOptions{
			ID: "receipt/1", TaskQueue: queue, ScheduleToCloseTimeout: time.Minute,
			ActivityIDConflictPolicy: enumspb.ACTIVITY_ID_CONFLICT_POLICY_FAIL,
			ActivityIDReusePolicy:    enumspb.ACTIVITY_ID_REUSE_POLICY_REJECT_DUPLICATE,
		}
		handle, err := c.ExecuteActivity(t.Context(), options, shout, "hello")
		require.NoError(t, err)
		_, err = c.ExecuteActivity(t.Context(), options, shout, "again")
		require.Error(t, err)
		// One worker for all that follows: a task that is on its way to a worker as it
		// stops is given to another only after 10 s.
		startWorker(parent, c)
		var result string
		require.NoError(t, handle.Get(t.Context(), &result))
		require.Equal(t, "HELLO", result)
	})

	t.Run("a search attribute can be used at once", func(t *testing.T) {
		began := time.Now()
		_, err := c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
			Namespace:        s.Namespace(),
			SearchAttributes: map[string]enumspb.IndexedValueType{"Clinic": enumspb.INDEXED_VALUE_TYPE_KEYWORD},
		})
		require.NoError(t, err)
		clinic := temporal.NewSearchAttributeKeyKeyword("Clinic")
		refused := 0
		require.Eventually(t, func() bool {
			_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
				ID: "searched", TaskQueue: "nobody",
				TypedSearchAttributes: temporal.NewSearchAttributes(clinic.ValueSet("c1")),
			}, echoUntilTold)
			if err != nil {
				refused++
			}
			return err == nil
		}, 5*time.Second, 10*time.Millisecond)
		t.Logf("usable after %s, refused %d times", time.Since(began), refused)
		require.Eventually(t, func() bool {
			found, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "Clinic='c1'"})
			return err == nil && len(found.Executions) == 1
		}, 10*time.Second, 20*time.Millisecond)
	})

	t.Run("update with start", func(t *testing.T) {
		op := c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
			ID: "updated", TaskQueue: queue, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		}, updatable)
		handle, err := c.UpdateWithStartWorkflow(t.Context(), client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: op,
			UpdateOptions: client.UpdateWorkflowOptions{
				UpdateName: "tell", Args: []any{"me"}, WaitForStage: client.WorkflowUpdateStageCompleted,
			},
		})
		require.NoError(t, err)
		var answer string
		require.NoError(t, handle.Get(t.Context(), &answer))
		require.Equal(t, "told me", answer)
	})

	t.Run("time can be skipped", func(t *testing.T) {
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "sleeper", TaskQueue: queue}, sleepFor, 48*time.Hour)
		require.NoError(t, err)
		_, err = c.WorkflowService().UpdateWorkflowExecutionOptions(t.Context(), &workflowservice.UpdateWorkflowExecutionOptionsRequest{
			Namespace:         s.Namespace(),
			WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "sleeper"},
			WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{TimeSkippingConfig: &commonpb.TimeSkippingConfig{
				Enabled: true, DisablePropagation: true,
				FastForwardConfig: &commonpb.FastForwardConfig{Id: "1", Duration: durationpb.New(49 * time.Hour)},
			}},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"time_skipping_config"}},
		})
		require.NoError(t, err)
		began := time.Now()
		require.NoError(t, run.Get(t.Context(), nil))
		t.Logf("two days passed in %s", time.Since(began))
	})
}

func TestStopEndsWhatStartBegan(t *testing.T) {
	// Not parallel: it counts goroutines, so it runs before the parallel tests resume.
	file := filepath.Join(t.TempDir(), "temporal.db")
	cycle := func() {
		s, err := temporalserver.Start(t.Context(), temporalserver.Config{SQLiteFile: file})
		require.NoError(t, err)
		require.NoError(t, s.Stop())
	}
	cycle() // what is kept once per process: the SQLite connection, metrics
	before := runtime.NumGoroutine()
	cycle()
	cycle()
	// The server and the UI never close some ten gRPC connections of their own, which
	// then idle in about 30 goroutines a cycle; pollers that go on would be many more.
	const perCycle = 40
	after := 0
	require.Eventually(t, func() bool {
		after = runtime.NumGoroutine()
		return after <= before+2*perCycle
	}, 10*time.Second, 50*time.Millisecond)
	t.Logf("goroutines: %d before, %d after two more cycles", before, after)
}

// TestListsInPages: a page of a thousand is no more than the server takes at once.
func TestListsInPages(t *testing.T) {
	t.Parallel()
	s, c := start(t, temporalserver.Config{SQLiteFile: filepath.Join(t.TempDir(), "temporal.db")})
	const workflows = 1050
	var starting errgroup.Group
	starting.SetLimit(8)
	for i := range workflows {
		starting.Go(func() error {
			_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: fmt.Sprint(i), TaskQueue: queue}, sleepFor, time.Hour)
			return err
		})
	}
	require.NoError(t, starting.Wait())
	// The SDK's client would ask again until it is let in.
	conn, err := grpc.NewClient(s.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // the test ends
	server := workflowservice.NewWorkflowServiceClient(conn)
	var failed error
	require.Eventually(t, func() bool {
		listed := 0
		var token []byte
		for more := true; more; more = len(token) > 0 {
			var page *workflowservice.ListWorkflowExecutionsResponse
			page, failed = server.ListWorkflowExecutions(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
				Namespace: s.Namespace(), NextPageToken: token,
			})
			if failed != nil {
				return true
			}
			listed += len(page.Executions)
			token = page.NextPageToken
		}
		return listed == workflows
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, failed)
}
