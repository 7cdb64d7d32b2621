package helsenorge

import (
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a GenDate without zone is read alike on a machine without zone files
)

// oslo is the zone of an instant that is written without one.
var oslo = sync.OnceValue(func() *time.Location {
	loc, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		panic("helsenorge: the embedded time zone database has no Europe/Oslo: " + err.Error())
	}
	return loc
})

// readInstant reads an xs:dateTime of any precision as UTC. Without zone it is
// Norwegian time; an hour that the change to winter time repeats is read as its
// first. A year of other than four digits is no instant of a message.
func readInstant(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if !isDateTime(s) || len(s) < len("2006-01-02T15:04:05") || s[4] != '-' {
		return time.Time{}, false
	}
	// time.Parse has no 24:00:00: it is the first instant of the next day.
	endOfDay := s[11:13] == "24"
	if endOfDay {
		s = s[:11] + "00" + s[13:]
	}
	t, err := time.Parse("2006-01-02T15:04:05Z07:00", s)
	if err != nil {
		if t, err = time.ParseInLocation("2006-01-02T15:04:05", s, oslo()); err != nil {
			return time.Time{}, false
		}
	}
	if endOfDay {
		t = t.AddDate(0, 0, 1)
	}
	return t.UTC(), true
}

// writeInstant writes an instant as UTC with at most milliseconds.
func writeInstant(t time.Time) string {
	return t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
}
