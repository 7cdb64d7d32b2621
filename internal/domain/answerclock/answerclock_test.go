package answerclock_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/domain/answerclock"
	"github.com/helsebro/helsebro/internal/domain/oslo"
)

func shown(steps []answerclock.Due) string {
	words := make([]string, len(steps))
	for i, s := range steps {
		words[i] = string(s.Step) + " " + oslo.In(s.At).Format("Mon 2 Jan 15:04")
	}
	return strings.Join(words, ", ")
}

func TestAnswersAreDueAfterWorkingDays(t *testing.T) { // F13
	t.Parallel()
	for name, c := range map[string]struct {
		received time.Time
		want     string
	}{
		"over Easter": {
			oslo.At(2026, time.March, 27, 14, 12, 0),
			"warn Wed 1 Apr 08:00, deputy Tue 7 Apr 08:00, administrator Wed 8 Apr 08:00, overdue Wed 8 Apr 16:00",
		},
		"the day before Easter": {
			oslo.At(2026, time.April, 1, 9, 0, 0),
			"warn Thu 9 Apr 08:00, deputy Fri 10 Apr 08:00, administrator Mon 13 Apr 08:00, overdue Mon 13 Apr 16:00",
		},
		"on a Saturday": {
			oslo.At(2026, time.June, 13, 0, 0, 0),
			"warn Wed 17 Jun 08:00, deputy Thu 18 Jun 08:00, administrator Fri 19 Jun 08:00, overdue Fri 19 Jun 16:00",
		},
		"at night, another day in UTC": {
			time.Date(2026, time.June, 10, 22, 30, 0, 0, time.UTC), // 00:30 on Thursday in Norway
			"warn Tue 16 Jun 08:00, deputy Wed 17 Jun 08:00, administrator Thu 18 Jun 08:00, overdue Thu 18 Jun 16:00",
		},
		"over the change to summer time": {
			oslo.At(2027, time.March, 23, 12, 0, 0),
			"warn Wed 31 Mar 08:00, deputy Thu 1 Apr 08:00, administrator Fri 2 Apr 08:00, overdue Fri 2 Apr 16:00",
		},
		"over Christmas and New Year": {
			oslo.At(2026, time.December, 23, 12, 0, 0),
			"warn Tue 29 Dec 08:00, deputy Wed 30 Dec 08:00, administrator Thu 31 Dec 08:00, overdue Thu 31 Dec 16:00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, shown(answerclock.Steps(c.received, answerclock.DefaultLimits(), answerclock.DefaultOffice())))
		})
	}
}

func TestStepsCanBeLeftOut(t *testing.T) {
	t.Parallel()
	at := oslo.At(2026, time.June, 10, 12, 0, 0)
	office := answerclock.Office{Opens: 9*time.Hour + 30*time.Minute, Closes: 15 * time.Hour}
	require.Equal(t, "deputy Thu 11 Jun 09:30, overdue Fri 12 Jun 15:00", shown(answerclock.Steps(at, answerclock.Limits{Deputy: 1, Overdue: 2}, office)))
	require.Empty(t, answerclock.Steps(at, answerclock.Limits{Warn: 1}, office), "no limit, no clock")
	require.True(t, answerclock.Limit(at, answerclock.Limits{}, office).IsZero())
}

// The limit is held against a count of every day, for every three hours of two years.
func TestEveryReceiptOfTwoYears(t *testing.T) {
	t.Parallel()
	limits, office := answerclock.DefaultLimits(), answerclock.DefaultOffice()
	var before time.Time
	for at := oslo.At(2026, time.January, 1, 0, 0, 0); oslo.In(at).Year() < 2028; at = at.Add(3 * time.Hour) {
		steps := answerclock.Steps(at, limits, office)
		require.Len(t, steps, 4)
		for i, s := range steps {
			wall := oslo.In(s.At)
			require.Equal(t, time.UTC, s.At.Location())
			require.True(t, oslo.WorkingDay(s.At), "%s: %s is no working day", at, wall)
			if s.Step == answerclock.Overdue {
				require.Equal(t, "16:00", wall.Format("15:04"))
			} else {
				require.Equal(t, "08:00", wall.Format("15:04"))
			}
			require.True(t, s.At.After(at) && (i == 0 || s.At.After(steps[i-1].At)), "%s: the steps come one after the other", at)
		}
		counted := 0
		for day := oslo.Midnight(at); day.Before(oslo.Midnight(steps[3].At)); {
			day = oslo.Midnight(day.Add(36 * time.Hour))
			if oslo.WorkingDay(day) {
				counted++
			}
		}
		require.Equal(t, limits.Overdue, counted, at)
		require.Equal(t, answerclock.Limit(at, limits, office), steps[3].At)
		require.False(t, steps[3].At.Before(before), "who writes later is not answered sooner")
		before = steps[3].At
	}
}

func TestLimitsAreChecked(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]answerclock.Limits{
		"": {},
		"deputy: not before the steps that come earlier":            {Warn: 3, Deputy: 2, Overdue: 5},
		"overdue: not before the steps that come earlier":           {Administrator: 5, Overdue: 4},
		"warn: 0 to 30 working days\noverdue: 0 to 30 working days": {Warn: -1, Overdue: 31},
	} {
		err := l.Validate()
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, want)
	}
	require.NoError(t, answerclock.DefaultLimits().Validate())
	require.NoError(t, answerclock.Limits{Overdue: 1}.Validate())
	require.NoError(t, answerclock.DefaultOffice().Validate())
	require.Error(t, answerclock.Office{Opens: 16 * time.Hour, Closes: 8 * time.Hour}.Validate())
	require.Error(t, answerclock.Office{Opens: 8 * time.Hour, Closes: 24 * time.Hour}.Validate())
}
