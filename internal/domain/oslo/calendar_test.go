package oslo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/domain/oslo"
)

// The lists are those of the almanac.
func TestHolidays(t *testing.T) {
	t.Parallel()
	for year, want := range map[int]string{
		2024: "0101 0328 0329 0331 0401 0501 0509 0517 0519 0520 1225 1226",
		2025: "0101 0417 0418 0420 0421 0501 0517 0529 0608 0609 1225 1226",
		2026: "0101 0402 0403 0405 0406 0501 0514 0517 0524 0525 1225 1226",
		2027: "0101 0325 0326 0328 0329 0501 0506 0516 0517 1225 1226", // Whit Monday is 17 May
		2028: "0101 0413 0414 0416 0417 0501 0517 0525 0604 0605 1225 1226",
		2008: "0101 0320 0321 0323 0324 0501 0511 0512 0517 1225 1226",      // Ascension is 1 May
		2038: "0101 0422 0423 0425 0426 0501 0517 0603 0613 0614 1225 1226", // the latest Easter there is
	} {
		var got []string
		for day := oslo.At(year, time.January, 1, 0, 0, 0); oslo.In(day).Year() == year; day = oslo.Midnight(day.Add(36 * time.Hour)) {
			if oslo.Holiday(day) {
				require.True(t, oslo.Holiday(oslo.At(year, oslo.In(day).Month(), oslo.In(day).Day(), 23, 59, 59)), "the whole day")
				got = append(got, oslo.In(day).Format("0102"))
			}
		}
		require.Equal(t, want, strings.Join(got, " "), year)
	}
}

func TestWorkingDay(t *testing.T) {
	t.Parallel()
	for date, want := range map[string]bool{
		"2026-06-12": true, "2026-06-13": false, "2026-06-14": false, "2026-06-15": true, // Friday to Monday
		"2026-04-01": true, "2026-04-02": false, "2026-04-07": true, // about Easter
		"2027-05-17": false, "2026-12-24": true, "2026-12-25": false, "2026-12-31": true,
	} {
		day, err := time.Parse(time.DateOnly, date)
		require.NoError(t, err)
		require.Equal(t, want, oslo.WorkingDay(day.Add(10*time.Hour)), date)
	}
	// 23:30 UTC on Friday is Saturday in Norway.
	require.False(t, oslo.WorkingDay(time.Date(2026, time.June, 12, 23, 30, 0, 0, time.UTC)))
}

func TestBirthdayAndAge(t *testing.T) {
	t.Parallel()
	date := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		require.NoError(t, err)
		return d
	}
	for _, c := range []struct {
		birth string
		years int
		want  string
	}{
		{"2010-07-15", 16, "2026-07-14T22:00:00Z"},
		{"2010-01-15", 16, "2026-01-14T23:00:00Z"},
		{"2012-02-29", 16, "2028-02-28T23:00:00Z"}, // a leap year has the day
		{"2012-02-29", 15, "2027-02-28T23:00:00Z"}, // 1 March
		{"2012-02-29", 0, "2012-02-28T23:00:00Z"},
	} {
		at := oslo.Birthday(date(c.birth), c.years)
		require.Equal(t, c.want, at.Format(time.RFC3339))
		require.Equal(t, c.years, oslo.Age(date(c.birth), at))
		require.Equal(t, max(c.years-1, 0), oslo.Age(date(c.birth), at.Add(-time.Nanosecond)))
	}
	require.Equal(t, 0, oslo.Age(date("2027-01-01"), date("2026-01-01")), "not born")
	// At 23:30 UTC it is the birthday in Norway already.
	require.Equal(t, 16, oslo.Age(date("2010-07-15"), time.Date(2026, time.July, 14, 23, 30, 0, 0, time.UTC)))
}

func TestWords(t *testing.T) {
	t.Parallel()
	at := oslo.At(2026, time.March, 29, 0, 30, 0) // still the 28th in UTC
	for language, want := range map[string]string{
		"nb": "søndag 29. mars 2026", "nn": "søndag 29. mars 2026", "en": "Sunday 29 March 2026",
		"se": "sotnabeaivi njukčamánu 29. b. 2026", "de": "",
	} {
		require.Equal(t, want, oslo.Date(at, language), language)
	}
	for _, language := range oslo.Languages() {
		days, months := map[string]bool{}, map[string]bool{}
		for i := range 12 {
			days[oslo.Weekday(oslo.At(2026, time.March, i, 12, 0, 0), language)] = true
			months[oslo.Month(oslo.At(2026, time.Month(i+1), 1, 12, 0, 0), language)] = true
		}
		require.Len(t, days, 7, language)
		require.Len(t, months, 12, language)
	}
	require.Equal(t, "laurdag", oslo.Weekday(oslo.At(2026, time.March, 28, 12, 0, 0), "nn"))
	require.Empty(t, oslo.Weekday(at, "de"))
	require.Empty(t, oslo.Month(at, ""))
}
