// Package oslo is the wall clock of Norway: what people read, and the calendar
// that opening hours, quiet hours and holidays follow. Instants are UTC everywhere
// else; a window of hours is elapsed time between instants and needs no zone.
package oslo

import (
	"time"
	_ "time/tzdata" // the zone is part of the program: a container may have none
)

// zone is Europe/Oslo.
var zone = func() *time.Location {
	l, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		panic(err) // the data is embedded: a test has seen this succeed
	}
	return l
}()

// In is the instant as the wall clock shows it.
func In(t time.Time) time.Time { return t.In(zone) }

// At is the instant, in UTC, at which the wall clock shows that time. A time that
// the spring change skips is read as one hour later; of a time that the autumn
// change repeats it is the later one, in winter time.
func At(year int, month time.Month, day, hour, minute, second int) time.Time {
	t := time.Date(year, month, day, hour, minute, second, 0, zone)
	if later := t.Add(time.Hour); later.In(zone).Hour() == t.In(zone).Hour() && later.In(zone).Day() == t.In(zone).Day() {
		t = later
	}
	return t.UTC()
}

// Midnight is the instant, in UTC, at which the day of t begins in Norway.
func Midnight(t time.Time) time.Time {
	y, m, d := In(t).Date()
	return At(y, m, d, 0, 0, 0)
}

// Parse reads text without zone, as time.Parse does, as what the wall clock
// shows, with the rule of At for an hour that a change skips or repeats. The
// instant is in UTC, with whatever fraction of a second the text has.
func Parse(layout, text string) (time.Time, error) {
	t, err := time.Parse(layout, text)
	if err != nil {
		return time.Time{}, err
	}
	y, m, d := t.Date()
	return At(y, m, d, t.Hour(), t.Minute(), t.Second()).Add(time.Duration(t.Nanosecond())), nil
}
