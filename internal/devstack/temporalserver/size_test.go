package temporalserver_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/devstack/temporalserver"
)

// TestDatabaseBytesGrowWithWorkflows: also while they are only in the log, and in a
// file whose name means something in a URL.
func TestDatabaseBytesGrowWithWorkflows(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a dir?#%", "temporal.db")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o700))
	s, c := start(t, temporalserver.Config{SQLiteFile: file})
	before, err := s.DatabaseBytes(t.Context())
	require.NoError(t, err)
	const workflows = 50
	for i := range workflows {
		_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: fmt.Sprint(i), TaskQueue: queue}, sleepFor, time.Hour)
		require.NoError(t, err)
	}
	after, err := s.DatabaseBytes(t.Context())
	require.NoError(t, err)
	require.Greater(t, after-before, int64(workflows*500), "a workflow's start alone takes that")
}
