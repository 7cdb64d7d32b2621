package oslo_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/domain/oslo"
)

func TestWallClockOverBothChanges(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at   time.Time
		want string
	}{
		"winter":                   {oslo.At(2026, time.January, 15, 8, 0, 0), "2026-01-15T07:00:00Z"},
		"summer":                   {oslo.At(2026, time.July, 15, 8, 0, 0), "2026-07-15T06:00:00Z"},
		"skipped hour in spring":   {oslo.At(2026, time.March, 29, 2, 30, 0), "2026-03-29T01:30:00Z"},
		"after the spring change":  {oslo.At(2026, time.March, 29, 10, 0, 0), "2026-03-29T08:00:00Z"},
		"repeated hour in autumn":  {oslo.At(2026, time.October, 25, 2, 30, 0), "2026-10-25T01:30:00Z"},
		"before the repeated hour": {oslo.At(2026, time.October, 25, 1, 30, 0), "2026-10-24T23:30:00Z"},
		"midnight of a short day":  {oslo.Midnight(oslo.At(2026, time.March, 29, 23, 0, 0)), "2026-03-28T23:00:00Z"},
		"midnight of a long day":   {oslo.Midnight(oslo.At(2026, time.October, 25, 23, 0, 0)), "2026-10-24T22:00:00Z"},
	} {
		require.Equal(t, tt.want, tt.at.Format(time.RFC3339), name)
	}
	require.Equal(t, 8, oslo.In(oslo.At(2026, time.July, 15, 8, 0, 0)).Hour())
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-01-15T08:00:00":     "2026-01-15T07:00:00Z",
		"2026-07-15T08:00:00.125": "2026-07-15T06:00:00.125Z",
		"2026-03-29T02:30:00":     "2026-03-29T01:30:00Z",
		"2026-10-25T02:30:00.5":   "2026-10-25T01:30:00.5Z",
	} {
		got, err := oslo.Parse("2006-01-02T15:04:05", text)
		require.NoError(t, err)
		require.Equal(t, want, got.Format(time.RFC3339Nano), text)
		require.Equal(t, time.UTC, got.Location())
	}
	_, err := oslo.Parse("2006-01-02T15:04:05", "2026-02-29T08:00:00")
	require.Error(t, err)
}
