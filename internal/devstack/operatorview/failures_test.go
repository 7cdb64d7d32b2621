package operatorview_test

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/devstack/temporalserver"
	"github.com/helsebro/helsebro/internal/temporalx"
)

// TestFailuresAreSealedInTheServersRows: what an activity fails or panics with, its details
// and its stack trace are nowhere in the server's own file, nor are titles, cards' inputs,
// signals and memos; whoever has the key reads all of it.
func TestFailuresAreSealedInTheServersRows(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "temporal.db")
	s, err := temporalserver.Start(t.Context(), temporalserver.Config{SQLiteFile: file})
	require.NoError(t, err)
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			require.NoError(t, s.Stop())
		}
	})
	keys, err := temporalx.Keys(config.Temporal{CodecKeys: "k:" + base64.StdEncoding.EncodeToString(make([]byte, 32))})
	require.NoError(t, err)
	c, err := sdkclient.Dial(temporalx.Configure(sdkclient.Options{HostPort: s.Address(), Namespace: s.Namespace()}, keys, slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	w := worker.New(c, "failing", worker.Options{})
	token := uuid.NewString()
	w.RegisterWorkflow(fails)
	w.RegisterActivity(panics)
	w.RegisterActivity(refuses)
	require.NoError(t, w.Start())

	run, err := c.ExecuteWorkflow(t.Context(), sdkclient.StartWorkflowOptions{
		ID: "failing", TaskQueue: "failing", StaticSummary: "title " + token, StaticDetails: "details " + token, Memo: map[string]any{"memo": token},
	}, fails, token)
	require.NoError(t, err)
	err = run.Get(t.Context(), nil)
	require.ErrorContains(t, err, "panicked "+token, "who has the key reads it")
	require.ErrorContains(t, err, "refused "+token)
	var traces []string
	for _, e := range events(t, c, run.GetID(), run.GetRunID()) {
		if a := e.GetActivityTaskFailedEventAttributes(); a != nil {
			var panicked *temporal.PanicError
			if errors.As(temporalx.FailureConverter(keys, s.Namespace()).FailureToError(a.GetFailure()), &panicked) {
				traces = append(traces, panicked.StackTrace())
			}
		}
	}
	require.Len(t, traces, 1)
	require.Contains(t, traces[0], "failures_test.go")

	w.Stop()
	c.Close()
	stopped = true
	require.NoError(t, s.Stop())
	files, err := filepath.Glob(file + "*")
	require.NoError(t, err)
	var rows strings.Builder
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		rows.Write(raw)
	}
	require.Contains(t, rows.String(), "Encoded failure", "the rows are read")
	for _, secret := range []string{token, "panicked ", "refused ", "failures_test.go", "goroutine "} {
		require.NotContains(t, rows.String(), secret)
	}
}

func fails(ctx workflow.Context, token string) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, Summary: "step " + token, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	return errors.Join(workflow.ExecuteActivity(ctx, panics, token).Get(ctx, nil), workflow.ExecuteActivity(ctx, refuses, token).Get(ctx, nil))
}

func panics(_ context.Context, token string) error { panic("panicked " + token) }

func refuses(_ context.Context, token string) error {
	return temporal.NewApplicationErrorWithOptions("refused "+token, "refused-type", temporal.ApplicationErrorOptions{Details: []any{token}})
}
