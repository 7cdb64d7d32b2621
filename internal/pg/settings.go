package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/answerclock"
	"github.com/helsebro/helsebro/internal/domain/booking"
	"github.com/helsebro/helsebro/internal/domain/notice"
	"github.com/helsebro/helsebro/internal/domain/reminder"
	"github.com/helsebro/helsebro/internal/domain/text"
	"github.com/helsebro/helsebro/internal/identity"
)

// languages are those that notices are written in.
var languages = []string{"nb", "nn", "en", "se"}

// How a patient is told that a fee follows from a conversion (F14).
const (
	conversionTells = "tell"
	conversionAsks  = "ask"
)

// timeOfDay is how quiet hours are written.
const timeOfDay = "15:04"

// WithDefaults fills in what the clinic has not chosen.
func (v Settings) WithDefaults() Settings {
	limits, rules := booking.DefaultLimits(), reminder.DefaultRules()
	v.Language = cmp.Or(v.Language, languages[0])
	v.VisibleDays = cmp.Or(v.VisibleDays, limits.Days)
	v.DeadlineMinutes = cmp.Or(v.DeadlineMinutes, int(limits.Deadline/time.Minute))
	v.MaxFutureBookings = cmp.Or(v.MaxFutureBookings, limits.MaxFuture)
	v.GraceMinutes = cmp.Or(v.GraceMinutes, 5)
	v.MinLeadMinutes = cmp.Or(v.MinLeadMinutes, int(notice.DefaultMinLead/time.Minute))
	v.CancelHours = cmp.Or(v.CancelHours, int(rules.CancelBefore/time.Hour))
	v.QuietFrom = cmp.Or(v.QuietFrom, clockOf(rules.QuietFrom))
	v.QuietTo = cmp.Or(v.QuietTo, clockOf(rules.QuietTo))
	v.MergeHours = cmp.Or(v.MergeHours, int(rules.MergeWithin/time.Hour))
	v.FallbackMinutes = cmp.Or(v.FallbackMinutes, int(rules.Budget/time.Minute))
	office := answerclock.DefaultOffice()
	v.OfficeOpens = cmp.Or(v.OfficeOpens, clockOf(office.Opens))
	v.OfficeCloses = cmp.Or(v.OfficeCloses, clockOf(office.Closes))
	chosen := v.AnswerClock
	v.AnswerClock = map[contract.Process]answerclock.Limits{}
	for _, p := range answerProcesses {
		v.AnswerClock[p] = answerclock.DefaultLimits()
	}
	maps.Copy(v.AnswerClock, chosen)
	v.Conversion = cmp.Or(v.Conversion, conversionTells)
	v.ActivityHours = cmp.Or(v.ActivityHours, 24)
	return v
}

// BookingLimits are the bounds of what the clinic offers online, of settings with
// their defaults.
func (v Settings) BookingLimits() booking.Limits {
	return booking.Limits{Days: v.VisibleDays, Deadline: time.Duration(v.DeadlineMinutes) * time.Minute, MaxFuture: v.MaxFutureBookings}
}

// ReminderRules are the rules that plan the clinic's reminders, of settings with
// their defaults. Quiet hours that are no time of day are none: Validate refuses them.
func (v Settings) ReminderRules() reminder.Rules {
	r := reminder.DefaultRules()
	r.QuietFrom, r.QuietTo = dayTime(v.QuietFrom), dayTime(v.QuietTo)
	r.Budget = time.Duration(v.FallbackMinutes) * time.Minute
	r.MergeWithin = time.Duration(v.MergeHours) * time.Hour
	r.CancelBefore = time.Duration(v.CancelHours) * time.Hour
	r.CancelOnLastWorkingDay = v.CancelOnWorkingDay
	return r
}

// dayTime reads a time of day; 0 for what is none.
func dayTime(s string) time.Duration {
	t, err := time.Parse(timeOfDay, s)
	if err != nil {
		return 0
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

func isDayTime(s string) bool {
	_, err := time.Parse(timeOfDay, s)
	return err == nil && len(s) == len(timeOfDay)
}

// clockOf writes a time of day.
func clockOf(d time.Duration) string { return time.Time{}.Add(d).Format(timeOfDay) }

// settingOf names the setting behind a path of booking.Limits and reminder.Rules.
var settingOf = map[string]string{
	"days": "visibleDays", "deadline": "deadlineMinutes", "max_future": "maxFutureBookings",
	"budget": "fallbackMinutes", "merge_within": "mergeHours", "cancel_before": "cancelHours",
}

// Bounds of settings that no rule of the domain bounds.
const (
	maxNoticeName = 60 // characters: it stands in an SMS
	maxGrace      = 60 // minutes
	maxMinLead    = 24 * 60
	maxActivity   = 30 * 24 // hours
)

// Validate refuses settings that mean nothing, name health (F20) or leave no window
// for a reminder, with every invalid field. It judges them with their defaults.
func (v Settings) Validate() error {
	v = v.WithDefaults()
	var f fields
	f.refuse(!oneLine(v.NoticeName, maxNoticeName), "noticeName", fmt.Sprintf("one line of at most %d characters", maxNoticeName))
	if words := text.Lint(v.NoticeName); len(words) > 0 {
		f.refuse(true, "noticeName", "must not reveal health to whoever sees the telephone: choose a name without "+strings.Join(words, ", "))
	}
	f.refuse(v.Notify && v.NoticeName == "", "noticeName", "required when notify is on: a notice shows it")
	f.refuse(v.Notify && v.Phone == "", "phone", "required when notify is on: a notice shows it")
	f.refuse(v.Phone != "" && !isPhone(v.Phone), "phone", phoneRule)
	f.refuse(!slices.Contains(languages, v.Language), "language", "one of "+strings.Join(languages, ", "))
	f.refuse(v.GraceMinutes < 1 || v.GraceMinutes > maxGrace, "graceMinutes", fmt.Sprintf("1 to %d", maxGrace))
	f.refuse(v.MinLeadMinutes < 1 || v.MinLeadMinutes > maxMinLead, "minLeadMinutes", fmt.Sprintf("1 to %d", maxMinLead))
	f.refuse(v.Conversion != conversionTells && v.Conversion != conversionAsks, "conversion", "tell or ask")
	f.refuse(v.ActivityHours < 1 || v.ActivityHours > maxActivity, "activityHours", fmt.Sprintf("1 to %d", maxActivity))
	f.refuse(!isDayTime(v.QuietFrom), "quietFrom", "a time of day, 00:00 to 23:59")
	f.refuse(!isDayTime(v.QuietTo), "quietTo", "a time of day, 00:00 to 23:59")
	f.refuse(!isDayTime(v.OfficeOpens), "officeOpens", "a time of day, 00:00 to 23:59")
	f.refuse(!isDayTime(v.OfficeCloses) || v.office().Validate() != nil, "officeCloses", "a time of day after officeOpens")
	for _, p := range slices.Sorted(maps.Keys(v.AnswerClock)) {
		f.refuse(!slices.Contains(answerProcesses, p), "answerClock", "e-consultation, e-contact and prescription have limits")
		f.rules("answerClock."+string(p)+".", v.AnswerClock[p].Validate())
	}
	for _, rules := range []error{v.BookingLimits().Validate(), v.ReminderRules().Validate()} {
		f.rules("", rules)
	}
	return f.err("the settings have invalid fields")
}

// Settings reads what the clinic has chosen, with the defaults for the rest.
func (s *Store) Settings(ctx context.Context, by identity.Principal, clinicID string) (Settings, error) {
	var v Settings
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if v, err = s.settings(ctx, tx, clinicID); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "settings.read", "", "")
	})
	return v, err
}

// PutSettings replaces what the clinic has chosen; a zero number or empty text goes
// back to its default. Idempotent. Online booking that is switched on for
// practitioners who cannot be booked opens an operator case for each (F16).
func (s *Store) PutSettings(ctx context.Context, by identity.Principal, clinicID string, v Settings) error {
	if err := v.Validate(); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO clinic_settings (clinic_id, settings, changed_at) VALUES ($1, $2, $3)
			ON CONFLICT (clinic_id) DO UPDATE SET settings = $2, changed_at = $3`, clinicID, v, s.now()); err != nil {
			return err
		}
		if err := s.guardCases(ctx, tx, clinicID); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "settings.put", "settings", "")
	})
}

// settings reads the clinic's settings with their defaults.
func (s *Store) settings(ctx context.Context, q rower, clinicID string) (Settings, error) {
	var v Settings
	err := q.QueryRow(ctx, "SELECT settings FROM clinic_settings WHERE clinic_id = $1", clinicID).Scan(&v)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return v, err
	}
	return v.WithDefaults(), nil
}

// fields collects the invalid fields of one input.
type fields []apperr.Field

func (f *fields) refuse(bad bool, path, rule string) {
	if bad {
		*f = append(*f, apperr.Field{Path: path, Rule: rule})
	}
}

// rules refuses what a rule of the domain refuses: lines of "path: rule", below a prefix.
func (f *fields) rules(prefix string, err error) {
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		path, rule, _ := strings.Cut(strings.TrimSpace(line), ": ")
		f.refuse(true, prefix+cmp.Or(settingOf[path], path), rule)
	}
}

func (f fields) err(message string) error {
	if len(f) == 0 {
		return nil
	}
	return apperr.InvalidFields(message, f...)
}

// oneLine is what can be shown on a line, and written in XML 1.0: one bad name would keep
// a whole list of free times from everybody.
func oneLine(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\uFFFE' || r == '\uFFFF'
	})
}

const phoneRule = "5 to 15 digits, with + before the country code if there is one"

func isPhone(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	return len(digits) >= 5 && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}
