package observ

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOneJSONObjectALine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	hostile := "a\nb\r\x1b[2J\x7f\u009b31m\u202e\u2066\u2028\x00 æøå 𝄞"
	New(&out, "info").Info("from "+hostile, "field", hostile, "error", errors.New(hostile))

	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	for _, r := range strings.TrimSuffix(out.String(), "\n") {
		require.Falsef(t, harmful(r) || r == '\u2028', "%U", r)
	}
	var record map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &record))
	require.Equal(t, hostile, record["field"])
	require.Equal(t, hostile, record["error"])
	require.Equal(t, "from "+hostile, record["msg"])
}

func TestTimesAreUTC(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	at := time.Date(2026, 3, 29, 12, 0, 0, 0, time.FixedZone("CEST", 2*60*60))
	New(&out, "info").Info("m", "at", at)
	var record struct{ Time, At string }
	require.NoError(t, json.Unmarshal(out.Bytes(), &record))
	require.Equal(t, "2026-03-29T10:00:00Z", record.At)
	require.True(t, strings.HasSuffix(record.Time, "Z"), record.Time)
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]int{"debug": 4, "info": 3, "WARN": 2, "error": 1, "loud": 3} {
		var out bytes.Buffer
		logger := Temporal(New(&out, level))
		logger.Debug("m")
		logger.Info("m")
		logger.Warn("m")
		logger.Error("m", "attempt", 1)
		require.Equal(t, want, strings.Count(out.String(), "\n"), level)
	}
}
