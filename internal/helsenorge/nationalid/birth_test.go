package nationalid

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// withIndividual is a valid number of the rule of 1964 with six digits in front
// and the first individual number from one on that has check digits.
func withIndividual(t *testing.T, front string, from int) string {
	t.Helper()
	for n := from; n < from+20; n++ {
		if s, ok := withCheckDigits(fmt.Sprintf("%s%03d", front, n)); ok {
			return s
		}
	}
	require.Fail(t, "no number", front)
	return ""
}

func TestBirthDate(t *testing.T) {
	t.Parallel()
	n := func(front string, from int) string { return withIndividual(t, front, from) }
	tests := map[string]struct {
		number string
		asOf   string
		want   string // "" is undecided
	}{
		"published FNR":                 {"13116900216", "2026-06-15", "1969-11-13"},
		"published D-number":            {"45069800525", "2026-06-15", "1998-06-05"},
		"Test-Norge":                    {"21905297101", "2026-06-15", "1952-10-21"},
		"test person of NHN":            {"15720255178", "2026-06-15", "2002-07-15"},
		"test person of NAV":            {"13527248013", "2026-06-15", "1972-12-13"},
		"D-number of NAV":               {"68467038838", "2026-06-15", "1970-06-28"},
		"first of the 20th century":     {n("010100", 0), "2026-06-15", "1900-01-01"},
		"last of the 20th century":      {n("311299", 480), "2026-06-15", "1999-12-31"},
		"extension of the 20th century": {n("010140", 900), "2026-06-15", "1940-01-01"},
		"19th century":                  {n("010154", 500), "2026-06-15", "1854-01-01"},
		"first of the 21st century":     {n("010100", 500), "2026-06-15", "2000-01-01"},
		"21st century, high":            {n("010115", 980), "2026-06-15", "2015-01-01"},
		"leap day of 2000":              {n("290200", 500), "2026-06-15", "2000-02-29"},
		"1900 has no leap day":          {n("290200", 100), "2026-06-15", ""},
		"500 to 899 in 1940 to 1953":    {n("010145", 600), "2026-06-15", ""},
		"750 to 899 in 1954 to 1999":    {n("010170", 750), "2026-06-15", ""},
		"not born yet":                  {n("010130", 500), "2026-06-15", ""},
		"born today":                    {n("150626", 500), "2026-06-15", "2026-06-15"},
		"born tomorrow":                 {n("160626", 500), "2026-06-15", ""},
		"only by the rule of 2032":      {"02013299903", "2026-06-15", ""},
		"1932, before 2032":             {n("010132", 100), "2031-12-31", "1932-01-01"},
		"1932, or a child of 2032":      {n("010132", 100), "2032-01-01", ""},
		"1932, not yet born in 2032":    {n("020132", 100), "2032-01-01", "1932-01-02"},
		"2032 by either rule":           {n("010132", 500), "2040-01-01", "2032-01-01"},
		"2015 stays 2015":               {n("010115", 500), "2040-01-01", "2015-01-01"},
		"help number":                   {"81234567802", "2026-06-15", ""},
		"wrong check digit":             {"13116900217", "2026-06-15", ""},
		"no number":                     {"", "2026-06-15", ""},
	}
	for name, tt := range tests {
		asOf, err := time.Parse(time.DateOnly, tt.asOf)
		require.NoError(t, err)
		birth, ok := BirthDate(tt.number, asOf)
		require.Equal(t, tt.want != "", ok, name)
		if !ok {
			require.Zero(t, birth, name)
			continue
		}
		require.Equal(t, tt.want, birth.Format(time.DateOnly), name)
		require.Equal(t, time.UTC, birth.Location(), name)
	}
}

// Every number that is made for a birth date says that date.
func TestBirthDateOfSyntheticNumbers(t *testing.T) {
	t.Parallel()
	asOf := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	for birth := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC); birth.Before(asOf); birth = birth.AddDate(0, 0, 17) {
		got, ok := BirthDate(Synthetic(birth, birth.Day()), asOf)
		require.True(t, ok, birth)
		require.Equal(t, birth, got)
	}
}
