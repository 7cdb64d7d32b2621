// Package answerclock counts how long an answer may be owed, in Norwegian working days,
// and what happens on the way (F13). It knows the calendar and nothing of dialogues.
package answerclock

import (
	"errors"
	"fmt"
	"time"

	"github.com/helsebro/helsebro/internal/domain/oslo"
)

// Step is what happens when an answer has been owed for so long.
type Step string

// The steps, in the order in which they come.
const (
	// Warn marks the dialogue where it lies.
	Warn Step = "warn"
	// Deputy shows it to the deputy of whoever has it.
	Deputy Step = "deputy"
	// Administrator shows it to the clinic administrators.
	Administrator Step = "administrator"
	// Overdue: the limit has passed.
	Overdue Step = "overdue"
)

// Limits say on which working day after the day of receipt each step comes. Day 0 of a
// step leaves it out; without Overdue there is no clock at all.
type Limits struct {
	Warn          int `json:"warn,omitempty"`
	Deputy        int `json:"deputy,omitempty"`
	Administrator int `json:"administrator,omitempty"`
	// Overdue is the limit itself.
	Overdue int `json:"overdue"`
}

// DefaultLimits are those of a clinic that has chosen nothing: answered within five
// working days, with a warning on the third, the deputy on the fourth and the
// administrators on the morning of the last (F13).
func DefaultLimits() Limits { return Limits{Warn: 3, Deputy: 4, Administrator: 5, Overdue: 5} }

// MaxDays bounds every limit: six weeks are no limit for an answer.
const MaxDays = 30

// Runs tells whether there is a clock.
func (l Limits) Runs() bool { return l.Overdue > 0 }

// Validate refuses limits that are out of bounds, or whose steps come in another order
// than they do. Errors are "field: rule", joined.
func (l Limits) Validate() error {
	var errs []error
	before := 0
	for _, step := range []struct {
		name string
		day  int
	}{{"warn", l.Warn}, {"deputy", l.Deputy}, {"administrator", l.Administrator}, {"overdue", l.Overdue}} {
		switch {
		case step.day < 0 || step.day > MaxDays:
			errs = append(errs, fmt.Errorf("%s: 0 to %d working days", step.name, MaxDays))
		case step.day == 0:
		case step.day < before:
			errs = append(errs, fmt.Errorf("%s: not before the steps that come earlier", step.name))
		default:
			before = step.day
		}
	}
	return errors.Join(errs...)
}

// Office is when a clinic opens and closes on a working day, as time since midnight by
// the clock in Norway: steps come when somebody is there to see them.
type Office struct{ Opens, Closes time.Duration }

// DefaultOffice is 08:00 to 16:00.
func DefaultOffice() Office { return Office{Opens: 8 * time.Hour, Closes: 16 * time.Hour} }

// Validate refuses hours that are no day's. Errors are "field: rule", joined.
func (o Office) Validate() error {
	if o.Opens < 0 || o.Closes <= o.Opens || o.Closes >= 24*time.Hour {
		return errors.New("closes: after the office opens, and before midnight")
	}
	return nil
}

// Due is a step and its instant, in UTC.
type Due struct {
	Step Step
	At   time.Time
}

// Steps are the steps of an answer that is owed since received, the earliest first;
// none where the limits have no clock. The day of receipt is not counted, nor are
// Saturdays, Sundays and public holidays; every step comes when the office opens, and
// the limit when it closes.
func Steps(received time.Time, l Limits, o Office) []Due {
	if !l.Runs() {
		return nil
	}
	var steps []Due
	for _, s := range []struct {
		step Step
		day  int
		at   time.Duration
	}{{Warn, l.Warn, o.Opens}, {Deputy, l.Deputy, o.Opens}, {Administrator, l.Administrator, o.Opens}, {Overdue, l.Overdue, o.Closes}} {
		if s.day > 0 {
			steps = append(steps, Due{s.step, clock(workingDay(received, s.day), s.at)})
		}
	}
	return steps
}

// Limit is the instant at which the answer is overdue; zero without a clock.
func Limit(received time.Time, l Limits, o Office) time.Time {
	if !l.Runs() {
		return time.Time{}
	}
	return clock(workingDay(received, l.Overdue), o.Closes)
}

// workingDay is a time on the n-th working day after the day of t in Norway.
func workingDay(t time.Time, n int) time.Time {
	y, m, d := oslo.In(t).Date()
	for n > 0 {
		d++
		if oslo.WorkingDay(oslo.At(y, m, d, 12, 0, 0)) {
			n--
		}
	}
	return oslo.At(y, m, d, 12, 0, 0)
}

// clock is that time of the day of t in Norway.
func clock(t time.Time, since time.Duration) time.Time {
	y, m, d := oslo.In(t).Date()
	return oslo.At(y, m, d, int(since/time.Hour), int(since%time.Hour/time.Minute), 0)
}
