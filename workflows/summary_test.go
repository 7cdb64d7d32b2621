package workflows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/temporalx"
)

// TestEveryStepSaysWhatItIs reads the recorded histories: every activity, timer and
// child has a summary that the Temporal UI can show.
func TestEveryStepSaysWhatItIs(t *testing.T) {
	t.Parallel()
	key, err := os.ReadFile(filepath.Join("testdata", "replay-codec-key"))
	require.NoError(t, err)
	data, _, err := temporalx.Converters(config.Temporal{CodecKeys: strings.TrimSpace(string(key))}, "helsebro")
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join("*", "testdata", "replay", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		steps := 0
		for _, e := range read(t, file).Events {
			switch e.EventType {
			case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enums.EVENT_TYPE_TIMER_STARTED, enums.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
			default:
				continue
			}
			steps++
			var summary string
			require.NoErrorf(t, data.FromPayload(e.GetUserMetadata().GetSummary(), &summary), "%s: event %d", file, e.EventId)
			require.NotEmptyf(t, summary, "%s: event %d", file, e.EventId)
			require.LessOrEqualf(t, len(summary), contract.MaxSummaryBytes, "%s: event %d: %s", file, e.EventId, summary)
		}
		require.NotZero(t, steps, file)
	}
}
