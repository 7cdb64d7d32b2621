// Package reminder plans the instant of an appointment's reminder: between 48 and
// 24 hours before the start (S87, A5), early enough for every channel to be tried,
// at a decent hour and in time to cancel where that is possible (F4), and not on
// top of a confirmation (F6). It is pure: the same input gives the same plan.
package reminder

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"
)

// Rules are a clinic's choices. Times of day are wall clock in Norway; everything
// else is elapsed time.
type Rules struct {
	// QuietFrom and QuietTo are the times of day between which nothing is sent:
	// [QuietFrom, QuietTo), over midnight when QuietFrom is the later. Equal: no
	// quiet hours.
	QuietFrom time.Duration `json:"quiet_from"`
	QuietTo   time.Duration `json:"quiet_to"`
	// Budget is how long the whole chain of channels may take; no hop starts after
	// start−24h, so the first must start that much earlier.
	Budget time.Duration `json:"budget"`
	// Margin keeps the instant off both ends of the window, for a clock or a queue
	// that is a little late.
	Margin time.Duration `json:"margin"`
	// MergeWithin is how long after a confirmation or a change notice a reminder
	// would only repeat it (F6).
	MergeWithin time.Duration `json:"merge_within"`
	// CancelBefore is how long before the start the patient may still cancel without
	// a fee.
	CancelBefore time.Duration `json:"cancel_before"`
	// CancelOnLastWorkingDay: the patient must also cancel before 15:00 on the last
	// working day before the appointment's day, so Monday's by Friday. The earlier of
	// the two deadlines counts.
	CancelOnLastWorkingDay bool `json:"cancel_on_last_working_day"`
	// ActBefore is how long before the deadline the reminder should come, for the
	// patient to read it and cancel.
	ActBefore time.Duration `json:"act_before"`
}

// Input is what a plan depends on.
type Input struct {
	// AppointmentID is opaque; its hash spreads the instants.
	AppointmentID string
	StartsAt      time.Time
	Now           time.Time
	// ToldAt is the instant of the latest confirmation or change notice about this
	// revision; zero when there was none.
	ToldAt time.Time
	Rules  Rules
}

// Rule names what decided a plan.
const (
	// RuleWindow: an instant in the whole window.
	RuleWindow = "window"
	// RuleRestOfWindow: the window had begun; an instant in what was left of it.
	RuleRestOfWindow = "rest-of-window"
	// RuleAfterConfirmation: told inside 48 hours, and reminded MergeWithin or more
	// later (F6).
	RuleAfterConfirmation = "after-confirmation"
	// RuleMerged: told inside 48 hours, and no decent instant left that is MergeWithin
	// later: the confirmation is the reminder (F6, D1). The plan is a skip.
	RuleMerged = "merged-with-confirmation"
	// RuleWindowPast: the window was over (D2, D11). The plan is a skip.
	RuleWindowPast = "window-past"
)

// Preferences that give way to the window.
const (
	// QuietHours: every instant left is in quiet hours.
	QuietHours = "quiet-hours"
	// CancellationDeadline: no instant left is ActBefore the deadline.
	CancellationDeadline = "cancellation-deadline"
)

// Plan is when to remind, or why not.
type Plan struct {
	// At is the instant in UTC, in whole seconds; zero when Skip.
	At time.Time `json:"at"`
	// Rule is one of the Rule constants.
	Rule string `json:"rule"`
	// Why says in words what the rule saw: codes and instants only.
	Why string `json:"why"`
	// GaveWay lists the preferences that could not hold (F4).
	GaveWay []string `json:"gave_way,omitempty"`
	// Skip: there is no reminder.
	Skip bool `json:"skip,omitempty"`
}

// DefaultRules are those of a clinic that has changed nothing.
func DefaultRules() Rules {
	return Rules{
		QuietFrom: 21 * time.Hour, QuietTo: 8 * time.Hour,
		Budget: 2 * time.Hour, Margin: time.Minute, MergeWithin: 12 * time.Hour,
		CancelBefore: 24 * time.Hour, ActBefore: time.Hour,
	}
}

// Validate refuses rules that leave no window or mean nothing; each line of the error
// is "path: rule".
func (r Rules) Validate() error {
	const day = 24 * time.Hour
	var errs []error
	refuse := func(bad bool, path, rule string) {
		if bad {
			errs = append(errs, fmt.Errorf("%s: %s", path, rule))
		}
	}
	refuse(r.QuietFrom < 0 || r.QuietFrom >= day, "quiet_from", "a time of day, 00:00 to 23:59")
	refuse(r.QuietTo < 0 || r.QuietTo >= day, "quiet_to", "a time of day, 00:00 to 23:59")
	refuse(r.Budget < 0, "budget", "must not be negative")
	refuse(r.Margin < 0, "margin", "must not be negative")
	length := day - r.Budget - 2*r.Margin
	refuse(length < time.Hour, "budget", "with two margins must leave an hour of the 24 between the window's ends")
	// A confirmation from before the window then always leaves room for the reminder.
	refuse(r.MergeWithin < 0 || length >= time.Hour && r.MergeWithin > length, "merge_within",
		"0 to the length of the window, 24 hours less the budget and two margins")
	refuse(r.CancelBefore < 0 || r.CancelBefore > 14*day, "cancel_before", "0 to 336 hours before the start")
	refuse(r.ActBefore < 0 || r.ActBefore > day, "act_before", "0 to 24 hours before the deadline")
	return errors.Join(errs...)
}

// Make plans the reminder. It is total and deterministic: whatever the rules, At lies
// in [start−48h+Margin, start−24h−Budget−Margin] and not before Now, or the plan is a
// skip. Those are hours that pass, not the same time on another day: where the clock
// changes, the two differ (D3). What cannot hold beside the window gives way, first the
// cancellation deadline and then quiet hours, and is named.
//
// Who was told inside the 48 hours is reminded only MergeWithin or more later, and then
// never in quiet hours: waking somebody with what they were told today serves nobody.
func Make(in Input) Plan {
	r := in.Rules
	opens, closes := r.window(in.StartsAt)
	first := in.StartsAt.Add(-48 * time.Hour)
	left := span{max(opens, ceil(in.Now)), closes}
	why := "window " + instant(opens) + " to " + instant(closes)
	if left.empty() {
		return Plan{Skip: true, Rule: RuleWindowPast, Why: why + ", past at " + instant(ceil(in.Now))}
	}
	rule := RuleWindow
	if left.from > opens {
		rule = RuleRestOfWindow
		why += ", begun at " + instant(left.from)
	}

	permitted := r.awake(left)
	if !in.ToldAt.IsZero() {
		apart := r.awake(span{max(left.from, ceil(in.ToldAt.Add(r.MergeWithin))), left.to})
		inside := in.ToldAt.After(first)
		if inside {
			rule = RuleAfterConfirmation
			why += ", told at " + instant(ceil(in.ToldAt)) + " inside 48 hours"
		}
		switch {
		case len(apart) > 0:
			permitted = apart
		case inside:
			return Plan{Skip: true, Rule: RuleMerged, Why: why + ", nothing left that is " + r.MergeWithin.String() + " later and outside quiet hours"}
		}
	}
	var gaveWay []string
	if len(permitted) == 0 {
		permitted = []span{left}
		gaveWay = append(gaveWay, QuietHours)
		why += ", all in quiet hours"
	}
	useful := r.deadline(in.StartsAt).Add(-r.ActBefore).Unix()
	if early := clip(permitted, useful); len(early) > 0 {
		permitted = early
	} else {
		gaveWay = append(gaveWay, CancellationDeadline)
		why += ", all after " + instant(useful) + " when cancelling is still easy"
	}
	return Plan{At: time.Unix(pick(permitted, in.AppointmentID), 0).UTC(), Rule: rule, Why: why, GaveWay: gaveWay}
}

// window is the first and the last second at which the first hop may start.
func (r Rules) window(start time.Time) (opens, closes int64) {
	margin, budget := max(r.Margin, 0), max(r.Budget, 0)
	return ceil(start.Add(-48*time.Hour + margin)), start.Add(-24*time.Hour - budget - margin).Unix()
}

// pick spreads appointments over the permitted seconds by a hash, so that a hundred
// that start together are not reminded together; the same id gives the same second.
func pick(spans []span, id string) int64 {
	var seconds int64
	for _, s := range spans {
		seconds += s.to - s.from + 1
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // a hash takes every write
	n := int64(h.Sum32()) % seconds
	for _, s := range spans {
		if length := s.to - s.from + 1; n >= length {
			n -= length
			continue
		}
		return s.from + n
	}
	panic("reminder: a remainder is less than its divisor")
}

func ceil(t time.Time) int64 {
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	return s
}

func instant(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
