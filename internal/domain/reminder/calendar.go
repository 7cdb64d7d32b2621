package reminder

import (
	"time"

	"github.com/helsebro/helsebro/internal/domain/oslo"
)

// span is a range of seconds since 1970, both ends included.
type span struct{ from, to int64 }

func (s span) empty() bool { return s.to < s.from }

// awake is what of the span lies outside quiet hours. Quiet hours are wall clock:
// people sleep by it, also on the nights when it changes.
func (r Rules) awake(s span) []span {
	if s.empty() {
		return nil
	}
	if r.QuietFrom == r.QuietTo {
		return []span{s}
	}
	var spans []span
	add := func(from, until int64) { // until is the first quiet second
		if part := (span{max(s.from, from), min(s.to, until-1)}); !part.empty() {
			spans = append(spans, part)
		}
	}
	y, m, d := oslo.In(time.Unix(s.from, 0)).Date()
	for at := s.from; at <= s.to; d++ {
		tomorrow := clock(y, m, d+1, 0)
		from, to := clock(y, m, d, r.QuietFrom), clock(y, m, d, r.QuietTo)
		if r.QuietFrom > r.QuietTo {
			add(to, from)
		} else {
			add(clock(y, m, d, 0), from)
			add(to, tomorrow)
		}
		at = tomorrow
	}
	return spans
}

// clip is what of the spans is not later than the instant.
func clip(spans []span, latest int64) []span {
	var early []span
	for _, s := range spans {
		if s.to = min(s.to, latest); !s.empty() {
			early = append(early, s)
		}
	}
	return early
}

// closing is when a clinic stops taking cancellations on a working day.
const closing = 15 * time.Hour

// deadline is when the patient can last cancel without a fee: CancelBefore in elapsed
// time and, where the clinic says so, 15:00 on the last working day before the
// appointment's day, whichever is earlier.
func (r Rules) deadline(start time.Time) time.Time {
	deadline := start.Add(-r.CancelBefore)
	if !r.CancelOnLastWorkingDay {
		return deadline
	}
	y, m, d := oslo.In(start).Date()
	d--
	for !oslo.WorkingDay(oslo.At(y, m, d, 12, 0, 0)) {
		d--
	}
	if last := time.Unix(clock(y, m, d, closing), 0); last.Before(deadline) {
		return last
	}
	return deadline
}

// clock is the instant at which the wall clock of a day shows that time of day.
func clock(year int, month time.Month, day int, timeOfDay time.Duration) int64 {
	return oslo.At(year, month, day, 0, 0, int(timeOfDay/time.Second)).Unix()
}
