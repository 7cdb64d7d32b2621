package cli

import (
	"time"

	"github.com/helsebro/helsebro/internal/domain/oslo"
)

// People at the clinic read and write the wall clock in Norway; JSON has instants in
// UTC.

const (
	// dayLayout, clockLayout and secondLayout are how a date and a time are shown.
	dayLayout    = "Mon 2006-01-02"
	clockLayout  = "15:04"
	secondLayout = "15:04:05"
	whenRule     = "a time in Norway such as '2026-05-04 09:20', or an instant such as 2026-05-04T07:20:00Z"
)

// when is an instant on the wall clock in Norway, with its date; "" for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return oslo.In(t).Format(dayLayout + " " + clockLayout)
}

// stamp is when, to the second: of what has happened.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return oslo.In(t).Format(dayLayout + " " + secondLayout)
}

// whenUntil is a stretch of time in Norway; the date of its end is left out when it is
// that of its start.
func whenUntil(from, to time.Time) string {
	if from.IsZero() {
		return ""
	}
	if oslo.Midnight(from).Equal(oslo.Midnight(to)) {
		return when(from) + "-" + oslo.In(to).Format(clockLayout)
	}
	return when(from) + " - " + when(to)
}

// readWhen reads an instant, or a time on the wall clock in Norway. A time that the
// clock skips in spring is refused; of one that it shows twice in autumn the later one
// is meant.
func readWhen(flag, s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			at := oslo.At(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0)
			if oslo.In(at).Format(clockLayout) != t.Format(clockLayout) {
				return time.Time{}, usage("--%s is a time that the clock in Norway skips", flag)
			}
			return at, nil
		}
	}
	return time.Time{}, usage("--%s must be %s", flag, whenRule)
}

// readDay reads a date as the midnight in Norway at which it begins.
func readDay(flag, s string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, usage("--%s must be a date such as 2026-05-04", flag)
	}
	return oslo.At(t.Year(), t.Month(), t.Day(), 0, 0, 0), nil
}
