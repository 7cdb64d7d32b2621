package helsenorge

import (
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/domain/oslo"
)

// wallLayout is an xs:dateTime without zone.
const wallLayout = "2006-01-02T15:04:05"

// readInstant reads an xs:dateTime of any precision as UTC. Without zone it is
// what the wall clock of Norway shows; an hour that the change to winter time
// repeats is read as its second. A year of other than four digits is no instant
// of a message.
func readInstant(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if !isDateTime(s) || len(s) < len(wallLayout) || s[4] != '-' {
		return time.Time{}, false
	}
	// time.Parse has no 24:00:00: it is the first instant of the next day.
	if s[11:13] == "24" {
		day, err := time.Parse(time.DateOnly, s[:10])
		if err != nil {
			return time.Time{}, false
		}
		s = day.AddDate(0, 0, 1).Format(time.DateOnly) + "T00" + s[13:]
	}
	t, err := time.Parse(wallLayout+"Z07:00", s)
	if err != nil {
		if t, err = oslo.Parse(wallLayout, s); err != nil {
			return time.Time{}, false
		}
	}
	return t.UTC(), true
}

// writeInstant writes an instant as UTC with at most milliseconds.
func writeInstant(t time.Time) string {
	return t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
}

// writeWall writes an instant as what the wall clock of Norway shows, without
// zone, as all of Helsenorge's calendars are. One hour a year that says too
// little, the first of the two that the clock shows in autumn: it is written as UTC.
func writeWall(t time.Time) string {
	const layout = wallLayout + ".999999999"
	s := oslo.In(t).Format(layout)
	if back, ok := readInstant(s); !ok || !back.Equal(t) {
		return t.UTC().Format(layout) + "Z"
	}
	return s
}

// readDate reads the calendar date of an xs:date as midnight UTC, whatever zone
// stands behind it. It is zero when there is none.
func readDate(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s[:min(len(s), len(time.DateOnly))])
	if err != nil {
		return time.Time{}
	}
	return t
}
