// Package booking has the clinic's rules for appointments that citizens book
// themselves (S69-S75).
package booking

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/domain/oslo"
)

// MaxDays is how many days ahead an offer can be visible: a citizen asks for at
// most four weeks (HITS 1217 §3.4.2).
const MaxDays = 28

// Limits bound what one clinic offers online. None is a national value: each is
// the clinic's.
type Limits struct {
	// Days is how many calendar days ahead, today not counted, slots are visible; 1 to
	// MaxDays.
	Days int `json:"days"`
	// Deadline is how long before its start a slot can last be booked.
	Deadline time.Duration `json:"deadline"`
	// MaxFuture is how many future bookings one patient may have; at least 1.
	MaxFuture int `json:"max_future"`
}

// DefaultLimits are those of a clinic that has changed nothing.
func DefaultLimits() Limits { return Limits{Days: MaxDays, Deadline: time.Hour, MaxFuture: 3} }

// Validate refuses limits that offer nothing or more than can be asked for; each
// line of the error is "path: rule".
func (l Limits) Validate() error {
	var errs []error
	if l.Days < 1 || l.Days > MaxDays {
		errs = append(errs, fmt.Errorf("days: 1 to %d", MaxDays))
	}
	if l.Deadline < 0 || l.Deadline > time.Duration(MaxDays)*24*time.Hour {
		errs = append(errs, fmt.Errorf("deadline: 0 to %d hours before the start", MaxDays*24))
	}
	if l.MaxFuture < 1 {
		errs = append(errs, errors.New("max_future: at least 1; to offer nothing, switch online booking off"))
	}
	return errors.Join(errs...)
}

// Reasons that a slot or a calendar is closed to citizens, for the ledger and staff.
const (
	// NoCalendar: the practitioner owns none (A8).
	NoCalendar = "owns-no-calendar"
	// SeveralCalendars: the practitioner owns two or more (S72).
	SeveralCalendars = "owns-several-calendars"
	// PastDeadline: the slot starts too soon, or has started.
	PastDeadline = "past-deadline"
	// TooFarAhead: the slot is on a later day than the clinic shows.
	TooFarAhead = "too-far-ahead"
	// TooManyBookings: the patient has as many future bookings as the clinic allows.
	TooManyBookings = "too-many-bookings"
)

// Visible is the range of starts that a citizen may see and book at the instant
// now: from, inclusive, to until, exclusive. The end is a midnight in Norway, so a
// day is shown whole.
func (l Limits) Visible(now time.Time) (from, until time.Time) {
	y, m, d := oslo.In(now).Date()
	return now.Add(l.Deadline), oslo.At(y, m, d+l.Days+1, 0, 0, 0)
}

// Allows says whether a citizen with that many future bookings may book a slot that
// starts then, and if not, why. It judges the clinic's limits only: whether the slot
// is free and online is the calendar's business (S73).
func (l Limits) Allows(now, startsAt time.Time, future int) (ok bool, reason string) {
	from, until := l.Visible(now)
	switch {
	case startsAt.Before(from):
		return false, PastDeadline
	case !startsAt.Before(until):
		return false, TooFarAhead
	case future >= l.MaxFuture:
		return false, TooManyBookings
	}
	return true, ""
}

// Guard says whether the citizens of a practitioner who owns that many calendars can
// book, and if not, why: exactly one calendar, neither none (A8) nor several (S71,
// S72). It has no memory, so what it closes opens again by itself (F16).
func Guard(owned int) (open bool, reason string) {
	switch {
	case owned < 1:
		return false, NoCalendar
	case owned > 1:
		return false, SeveralCalendars
	}
	return true, ""
}

// ErrNoComment refuses a booking that does not say what it is about.
var ErrNoComment = errors.New("comment: must say what the appointment is about; ask the patient to write it and book again")

// Comment refuses the comment of a booking through Helsenorge that is empty or
// blank, in whatever kind of blanks (S74). Appointments that the clinic makes need
// none (A12).
func Comment(text string) error {
	visible := strings.ContainsFunc(text, func(r rune) bool { return !blank(r) })
	if !visible {
		return ErrNoComment
	}
	return nil
}
