package reminder_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/domain/reminder"
)

// booked is an instant long before every window of these tests.
var booked = oslo.At(2025, time.January, 1, 12, 0, 0)

// D3: the window is elapsed time, so its wall clock moves by an hour when the clock
// does.
func TestWindowOverClockChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		start, opens, closes, text string
	}{
		"(a) Mon 26 Oct 2026 08:00": {"2026-10-26T07:00:00Z", "2026-10-24T07:00:00Z", "2026-10-25T07:00:00Z", "Sat 09:00 - Sun 08:00"},
		"(b) Mon 30 Mar 2026 08:00": {"2026-03-30T06:00:00Z", "2026-03-28T06:00:00Z", "2026-03-29T06:00:00Z", "Sat 07:00 - Sun 08:00"},
		"(c) Sun 29 Mar 2026 10:00": {"2026-03-29T08:00:00Z", "2026-03-27T08:00:00Z", "2026-03-28T08:00:00Z", "Fri 09:00 - Sat 09:00"},
	} {
		start, opens, closes := at(t, c.start), at(t, c.opens), at(t, c.closes)
		require.Equal(t, c.text, oslo.In(opens).Format("Mon 15:04")+" - "+oslo.In(closes).Format("Mon 15:04"), name)

		// A window squeezed to its first instant, and one squeezed to its last.
		rules := reminder.Rules{Budget: 24 * time.Hour}
		require.Equal(t, opens, reminder.Make(reminder.Input{StartsAt: start, Now: booked, Rules: rules}).At, name)
		rules.Budget = 0
		require.Equal(t, closes, reminder.Make(reminder.Input{StartsAt: start, Now: closes, Rules: rules}).At, name)

		// With the default rules, the instants in the explanation.
		plan := reminder.Make(reminder.Input{AppointmentID: "a", StartsAt: start, Now: booked, Rules: reminder.DefaultRules()})
		require.Equal(t, "window "+opens.Add(time.Minute).Format(time.RFC3339)+" to "+
			closes.Add(-2*time.Hour-time.Minute).Format(time.RFC3339), plan.Why, name)
		require.False(t, plan.At.Before(opens) || plan.At.After(closes), name)
	}
}

// Review rule 8: the edges, with rules that leave the whole 24 hours.
func TestEdgesOfTheWindow(t *testing.T) {
	t.Parallel()
	for _, start := range []time.Time{
		oslo.At(2026, time.June, 10, 12, 0, 0), oslo.At(2026, time.March, 30, 8, 0, 0), oslo.At(2026, time.March, 29, 10, 0, 0),
		oslo.At(2026, time.October, 26, 8, 0, 0), oslo.At(2026, time.October, 25, 10, 0, 0),
	} {
		for _, c := range []struct {
			lead  time.Duration
			rules reminder.Rules
			rule  string
		}{
			{48 * time.Hour, reminder.Rules{}, reminder.RuleWindow},
			{48*time.Hour - time.Second, reminder.Rules{}, reminder.RuleRestOfWindow},
			{24*time.Hour + time.Second, reminder.Rules{}, reminder.RuleRestOfWindow},
			{24 * time.Hour, reminder.Rules{}, reminder.RuleRestOfWindow},
			{24*time.Hour - time.Second, reminder.Rules{}, reminder.RuleWindowPast},
			{48 * time.Hour, reminder.DefaultRules(), reminder.RuleWindow},
			{48*time.Hour - time.Second, reminder.DefaultRules(), reminder.RuleWindow}, // the margin has not passed
			{26*time.Hour + time.Minute, reminder.DefaultRules(), reminder.RuleRestOfWindow},
			{26*time.Hour + time.Minute - time.Second, reminder.DefaultRules(), reminder.RuleWindowPast},
			{24*time.Hour + time.Second, reminder.DefaultRules(), reminder.RuleWindowPast}, // no time for every channel
			{24 * time.Hour, reminder.DefaultRules(), reminder.RuleWindowPast},
			{24*time.Hour - time.Second, reminder.DefaultRules(), reminder.RuleWindowPast},
			{-time.Hour, reminder.DefaultRules(), reminder.RuleWindowPast},
		} {
			now := start.Add(-c.lead)
			plan := reminder.Make(reminder.Input{AppointmentID: "a", StartsAt: start, Now: now, Rules: c.rules})
			require.Equal(t, c.rule, plan.Rule, "%v %v", start, c.lead)
			require.Equal(t, c.rule == reminder.RuleWindowPast, plan.Skip)
			require.NotEmpty(t, plan.Why)
			if plan.Skip {
				require.Zero(t, plan.At)
				continue
			}
			require.False(t, plan.At.Before(now), "%v %v", start, c.lead)
			require.False(t, plan.At.Before(start.Add(-48*time.Hour+c.rules.Margin)))
			require.False(t, plan.At.After(start.Add(-24*time.Hour-c.rules.Budget-c.rules.Margin)))
		}
	}
}

// F6 and D2: booked and confirmed at once, so long before the start.
func TestLateBooking(t *testing.T) {
	t.Parallel()
	afternoon := oslo.At(2026, time.June, 10, 14, 0, 0)
	for name, c := range map[string]struct {
		start time.Time
		lead  time.Duration
		rule  string
	}{
		"48:01 is not late":                         {afternoon, 48*time.Hour + time.Minute, reminder.RuleWindow},
		"48:00 is not late":                         {afternoon, 48 * time.Hour, reminder.RuleWindow},
		"47:59, twelve hours later is in the night": {afternoon, 48*time.Hour - time.Minute, reminder.RuleAfterConfirmation},
		"40:00, twelve hours later is in the day":   {afternoon, 40 * time.Hour, reminder.RuleAfterConfirmation},
		"38:01, twelve hours later is the last":     {afternoon, 38*time.Hour + time.Minute, reminder.RuleAfterConfirmation},
		"38:00, too few hours":                      {afternoon, 38 * time.Hour, reminder.RuleMerged},
		"47:59, and all that is left is night":      {oslo.At(2026, time.June, 10, 10, 0, 0), 48*time.Hour - time.Minute, reminder.RuleMerged},
		"30:00":                                     {afternoon, 30 * time.Hour, reminder.RuleMerged},
		"26:01, the last instant":                   {afternoon, 26*time.Hour + time.Minute, reminder.RuleMerged},
		"24:01":                                     {afternoon, 24*time.Hour + time.Minute, reminder.RuleWindowPast},
		"24:00":                                     {afternoon, 24 * time.Hour, reminder.RuleWindowPast},
		"23:59":                                     {afternoon, 24*time.Hour - time.Minute, reminder.RuleWindowPast},
		"1:01":                                      {afternoon, time.Hour + time.Minute, reminder.RuleWindowPast},
		"0:44":                                      {afternoon, 44 * time.Minute, reminder.RuleWindowPast},
		"D2: Wed 16:10 for Thu 08:00":               {oslo.At(2026, time.June, 11, 8, 0, 0), 15*time.Hour + 50*time.Minute, reminder.RuleWindowPast},
	} {
		told := c.start.Add(-c.lead)
		for i := range 50 {
			plan := reminder.Make(reminder.Input{
				AppointmentID: strconv.Itoa(i), StartsAt: c.start, Now: told, ToldAt: told, Rules: reminder.DefaultRules(),
			})
			require.Equal(t, c.rule, plan.Rule, name)
			require.Equal(t, c.rule == reminder.RuleMerged || c.rule == reminder.RuleWindowPast, plan.Skip, name)
			if !plan.Skip {
				require.False(t, plan.At.Before(told.Add(12*time.Hour)), name)
				require.True(t, awake(plan.At), name)
			}
		}
	}
}

// D1: the reminder went out on Tuesday, the appointment was moved on Wednesday.
func TestMovedInsideTheWindow(t *testing.T) {
	t.Parallel()
	told := oslo.At(2026, time.June, 10, 8, 8, 0) // Wednesday, after the grace
	plan := func(start time.Time) reminder.Plan {
		return reminder.Make(reminder.Input{AppointmentID: "a", StartsAt: start, Now: told, ToldAt: told, Rules: reminder.DefaultRules()})
	}
	thursday := plan(oslo.At(2026, time.June, 11, 14, 0, 0))
	require.True(t, thursday.Skip)
	require.Equal(t, reminder.RuleMerged, thursday.Rule)

	tuesday := plan(oslo.At(2026, time.June, 16, 9, 0, 0))
	require.Equal(t, reminder.RuleWindow, tuesday.Rule)
	require.False(t, tuesday.At.Before(oslo.At(2026, time.June, 14, 9, 0, 0)), "Sunday 09:00")
	require.False(t, tuesday.At.After(oslo.At(2026, time.June, 15, 9, 0, 0)), "Monday 09:00")
}

// A confirmation from before the 48 hours keeps its distance too, where an hour for it
// is left, but never takes the reminder away.
func TestToldJustBeforeTheWindow(t *testing.T) {
	t.Parallel()
	for _, start := range []time.Time{oslo.At(2026, time.June, 10, 14, 0, 0), oslo.At(2026, time.June, 10, 10, 0, 0)} {
		told := start.Add(-48*time.Hour - time.Minute)
		for i := range 50 {
			plan := reminder.Make(reminder.Input{
				AppointmentID: strconv.Itoa(i), StartsAt: start, Now: told, ToldAt: told, Rules: reminder.DefaultRules(),
			})
			require.False(t, plan.Skip)
			require.Empty(t, plan.GaveWay)
			require.True(t, awake(plan.At))
			require.Equal(t, oslo.In(start).Hour() == 14, !plan.At.Before(told.Add(12*time.Hour)))
		}
	}
}

func TestWhatGivesWay(t *testing.T) {
	t.Parallel()
	working := reminder.DefaultRules()
	working.CancelOnLastWorkingDay = true
	short := reminder.DefaultRules()
	short.Budget, short.MergeWithin = 20*time.Hour, time.Hour
	shortWorking := short
	shortWorking.CancelOnLastWorkingDay = true
	long := working
	long.CancelBefore = 40 * time.Hour
	for name, c := range map[string]struct {
		start   time.Time
		rules   reminder.Rules
		gaveWay []string
		latest  time.Time // of the instant, zero: not said
	}{
		"nothing": {oslo.At(2026, time.June, 10, 10, 0, 0), reminder.DefaultRules(), nil, time.Time{}},
		"Monday, cancelled by Friday 15:00": {
			oslo.At(2026, time.June, 15, 10, 0, 0), working, []string{reminder.CancellationDeadline}, time.Time{}},
		"Thursday, cancelled by Wednesday 10:00, a day before": {
			oslo.At(2026, time.June, 11, 10, 0, 0), working, nil, oslo.At(2026, time.June, 10, 9, 0, 0)},
		"Thursday at 18:00, cancelled by Wednesday 15:00": {
			oslo.At(2026, time.June, 11, 18, 0, 0), working, nil, oslo.At(2026, time.June, 10, 14, 0, 0)},
		"Saturday, cancelled by Friday 15:00, acted on by 14:00": {
			oslo.At(2026, time.June, 13, 18, 0, 0), working, nil, oslo.At(2026, time.June, 12, 14, 0, 0)},
		"Tuesday after Easter, cancelled by the Wednesday before": {
			oslo.At(2026, time.April, 7, 10, 0, 0), working, []string{reminder.CancellationDeadline}, time.Time{}},
		"Monday 18 May, cancelled by Friday": {
			oslo.At(2026, time.May, 18, 10, 0, 0), working, []string{reminder.CancellationDeadline}, time.Time{}},
		"Tuesday 18 May 2027, cancelled by Friday, the 17th is a Monday": {
			oslo.At(2027, time.May, 18, 10, 0, 0), working, []string{reminder.CancellationDeadline}, time.Time{}},
		"a short window in the night": {
			oslo.At(2026, time.June, 11, 2, 0, 0), short, []string{reminder.QuietHours}, time.Time{}},
		"a short window in the night before Sunday": {
			oslo.At(2026, time.June, 15, 2, 0, 0), shortWorking, []string{reminder.QuietHours, reminder.CancellationDeadline}, time.Time{}},
		"quiet hours before the deadline: the deadline gives way": {
			oslo.At(2026, time.June, 11, 23, 0, 0), long, []string{reminder.CancellationDeadline}, time.Time{}},
	} {
		require.NoError(t, c.rules.Validate(), name)
		for i := range 100 {
			plan := reminder.Make(reminder.Input{AppointmentID: strconv.Itoa(i), StartsAt: c.start, Now: booked, Rules: c.rules})
			require.Equal(t, c.gaveWay, plan.GaveWay, name)
			require.False(t, plan.Skip, name)
			if !c.latest.IsZero() {
				require.False(t, plan.At.After(c.latest), "%s: %v", name, plan.At)
			}
		}
	}
}

// Every start minute of two years, with Easter, 17 May, Christmas and four clock
// changes, under three sets of rules: the instant lies in the window of S87, less the
// budget and margins, outside quiet hours whenever the window has an hour outside
// them, before the deadline whenever that is possible as well, and what gave way is
// named (F4).
func TestEveryStartMinuteOfTwoYears(t *testing.T) {
	t.Parallel()
	working := reminder.DefaultRules()
	working.CancelOnLastWorkingDay = true
	short := reminder.DefaultRules()
	short.Budget, short.MergeWithin = 20*time.Hour, time.Hour
	for name, rules := range map[string]reminder.Rules{"default": reminder.DefaultRules(), "working days": working, "short window": short} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyStart(t, rules)
		})
	}
}

// everyStart fails with plain comparisons: a million calls of require take minutes.
func everyStart(t *testing.T, rules reminder.Rules) {
	t.Helper()
	ids := []string{"a", "7d1f", "appointment-3", "Ω"}
	n := 0
	for start := oslo.At(2026, time.January, 1, 0, 0, 0); start.Before(oslo.At(2028, time.January, 1, 0, 0, 0)); start = start.Add(time.Minute) {
		n++
		plan := reminder.Make(reminder.Input{AppointmentID: ids[n%len(ids)], StartsAt: start, Now: booked, Rules: rules})
		opens := start.Add(-48*time.Hour + rules.Margin)
		closes := start.Add(-24*time.Hour - rules.Budget - rules.Margin)
		gave := map[string]bool{}
		for _, g := range plan.GaveWay {
			gave[g] = true
		}
		useful := deadline(start, rules).Add(-rules.ActBefore)
		// Windows are longer than the night, or shorter than both day and night: one end
		// is in the day whenever any part is.
		day := closes.Sub(opens) > 11*time.Hour || awake(opens) || awake(closes)
		switch {
		case plan.Skip, plan.Why == "", plan.At.Before(opens), plan.At.After(closes):
			t.Fatalf("start %v: %+v is outside %v to %v", start, plan, opens, closes)
		case awake(plan.At) != day, gave[reminder.QuietHours] == day:
			t.Fatalf("start %v: %+v and quiet hours", start, plan)
		case gave[reminder.CancellationDeadline] != plan.At.After(useful):
			t.Fatalf("start %v: %+v and useful until %v", start, plan, useful)
		case gave[reminder.CancellationDeadline] && day && firstAwake(opens).Before(useful):
			t.Fatalf("start %v: %+v could have been before %v", start, plan, useful)
		}
	}
	require.Equal(t, 2*365*24*60, n)
}

// deadline is the rule told once more, by looking at days.
func deadline(start time.Time, rules reminder.Rules) time.Time {
	d := start.Add(-rules.CancelBefore)
	if rules.CancelOnLastWorkingDay {
		local := oslo.In(start)
		for back := 1; ; back++ {
			if day := oslo.At(local.Year(), local.Month(), local.Day()-back, 15, 0, 0); oslo.WorkingDay(day) {
				if day.Before(d) {
					return day
				}
				break
			}
		}
	}
	return d
}

func awake(t time.Time) bool { h := oslo.In(t).Hour(); return h >= 8 && h < 21 }

func firstAwake(t time.Time) time.Time {
	if awake(t) {
		return t
	}
	local := oslo.In(t)
	day := local.Day()
	if local.Hour() >= 21 {
		day++
	}
	return oslo.At(local.Year(), local.Month(), day, 8, 0, 0)
}

// Rule 9: appointments that start together are spread by their ids, and each id
// always gets the same instant.
func TestSpreadAndDeterminism(t *testing.T) {
	t.Parallel()
	start := oslo.At(2026, time.June, 10, 10, 0, 0)
	hours := map[int]int{}
	minutes := map[time.Time]int{}
	for i := range 1300 {
		in := reminder.Input{AppointmentID: "id-" + strconv.Itoa(i), StartsAt: start, Now: booked, Rules: reminder.DefaultRules()}
		plan := reminder.Make(in)
		require.Equal(t, plan, reminder.Make(in))
		in.Now = booked.Add(time.Hour)
		require.Equal(t, plan, reminder.Make(in), "planning later, but before the window, changes nothing")
		hours[oslo.In(plan.At).Hour()]++
		minutes[plan.At.Truncate(time.Minute)]++
	}
	// Permitted are 08:00 to 20:59, less 08:00-10:00 (too early, and past the window's end).
	require.Len(t, hours, 11)
	for h, n := range hours {
		require.Greater(t, n, 60, "hour %d", h)
		require.Less(t, n, 200, "hour %d", h)
	}
	for m, n := range minutes {
		require.LessOrEqual(t, n, 12, m)
	}
}

func TestQuietHoursWithinOneDayAndNone(t *testing.T) {
	t.Parallel()
	siesta := reminder.Rules{QuietFrom: 12 * time.Hour, QuietTo: 16 * time.Hour}
	siesta.ActBefore = 0
	none := reminder.Rules{QuietFrom: 8 * time.Hour, QuietTo: 8 * time.Hour}
	night := false
	for i := range 500 {
		in := reminder.Input{AppointmentID: strconv.Itoa(i), StartsAt: oslo.At(2026, time.June, 10, 10, 0, 0), Now: booked, Rules: siesta}
		plan := reminder.Make(in)
		h := oslo.In(plan.At).Hour()
		require.False(t, h >= 12 && h < 16, plan.At)
		require.Empty(t, plan.GaveWay)
		in.Rules = none
		night = night || !awake(reminder.Make(in).At)
	}
	require.True(t, night)
}

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, reminder.DefaultRules().Validate())
	for want, change := range map[string]func(*reminder.Rules){
		"quiet_from: ":    func(r *reminder.Rules) { r.QuietFrom = 24 * time.Hour },
		"quiet_to: ":      func(r *reminder.Rules) { r.QuietTo = -1 },
		"budget: ":        func(r *reminder.Rules) { r.Budget = 23 * time.Hour },
		"margin: ":        func(r *reminder.Rules) { r.Margin = -1 },
		"merge_within: ":  func(r *reminder.Rules) { r.MergeWithin = 22 * time.Hour },
		"cancel_before: ": func(r *reminder.Rules) { r.CancelBefore = 15 * 24 * time.Hour },
		"act_before: ":    func(r *reminder.Rules) { r.ActBefore = 25 * time.Hour },
	} {
		r := reminder.DefaultRules()
		change(&r)
		require.ErrorContains(t, r.Validate(), want)
	}
	r := reminder.Rules{QuietFrom: -1, QuietTo: -1, Budget: -1}
	require.ErrorContains(t, r.Validate(), "quiet_from: a time of day, 00:00 to 23:59\nquiet_to: a time of day, 00:00 to 23:59\nbudget: must not be negative")
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return v
}
