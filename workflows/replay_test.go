package workflows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/temporalx"
	"github.com/helsebro/helsebro/workflows"
)

// kinds are the histories that each lifecycle must have on file: one that still waits,
// one that has ended and one that continued as new, unless it never does.
var kinds = map[string][]string{
	"dialogue":     {"open", "completed", "continued"},
	"prescription": {"open", "completed", "continued"},
	"appointment":  {"open", "completed", "continued"},
	"notice":       {"open", "completed"},
	"activation":   {"open", "continued"},
}

// TestReplay carries recorded histories on with today's code. They are recorded by
// `make replay-fixtures` from the deployed version, in encoded form; the key is a
// test's own and encrypts nobody.
func TestReplay(t *testing.T) {
	t.Parallel()
	key, err := os.ReadFile(filepath.Join("testdata", "replay-codec-key"))
	require.NoError(t, err)
	data, failure, err := temporalx.Converters(config.Temporal{CodecKeys: strings.TrimSpace(string(key))}, "helsebro")
	require.NoError(t, err)
	for process, kinds := range kinds {
		for _, kind := range kinds {
			files, err := filepath.Glob(filepath.Join(process, "testdata", "replay", kind+"-*.json"))
			require.NoError(t, err)
			require.NotEmptyf(t, files, "%s has no %s history on file: make replay-fixtures", process, kind)
			for _, file := range files {
				t.Run(file, func(t *testing.T) {
					t.Parallel()
					replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DataConverter: data, FailureConverter: failure})
					require.NoError(t, err)
					workflows.Register(replayer)
					h := read(t, file)
					require.Greater(t, len(h.Events), 5, "a history worth replaying")
					require.NoError(t, replayer.ReplayWorkflowHistory(nil, h))
				})
			}
		}
	}
}

func read(t *testing.T, file string) *history.History {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // read only
	h, err := client.HistoryFromJSON(f, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return h
}
