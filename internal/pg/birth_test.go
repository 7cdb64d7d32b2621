package pg

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
)

// number completes nine digits by the check digits of 1964, or of 2032 only: the
// individual digits are the given ones or up to nine more.
func number(t *testing.T, date string, individual int, only2032 bool) string {
	t.Helper()
	for n := range 1000 {
		s := fmt.Sprintf("%s%03d%02d", date, individual+n/100, n%100)
		id, err := nationalid.Parse(s, nationalid.Options{Synthetic: nationalid.AllMarks})
		if err == nil && id.Only2032 == only2032 {
			return s
		}
	}
	t.Fatalf("%s %d cannot be completed", date, individual)
	return ""
}

func TestBornByNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		date       string
		individual int
		born       string
	}{
		{"018190", 0, "1990-01-01"}, // 000-499: 1900-1999
		{"018100", 490, "1900-01-01"},
		{"018154", 500, "1854-01-01"}, // 500-749 with 54-99: 1854-1899
		{"018199", 740, "1899-01-01"},
		{"018139", 500, "2039-01-01"}, // 500-999 with 00-39: 2000-2039
		{"018100", 990, "2000-01-01"},
		{"298200", 500, "2000-02-29"}, // a leap day of its own century
		{"018155", 900, "1955-01-01"}, // 900-999 with 40-99: 1940-1999
		{"416610", 500, "2010-01-01"}, // a D number with Norsk helsenett's mark
		{"015212", 500, "2012-12-01"}, // with NAV's
		{"298200", 10, ""},            // 1900 had no such day
		{"018145", 600, ""},           // 500-899 with 40-53: nobody's
		{"018175", 800, ""},           // 750-899 with 54-99: nobody's
	} {
		born, known := bornByNumber(number(t, c.date, c.individual, false))
		require.Equal(t, c.born != "", known, "%s %d", c.date, c.individual)
		if known {
			require.Equal(t, c.born, born.Format(time.DateOnly))
		}
	}
	_, known := bornByNumber(number(t, "018190", 0, true))
	require.False(t, known, "a number issued from 2032 does not say which century")
	for _, s := range []string{"", "12345678901", "81234567890"} {
		_, known := bornByNumber(s)
		require.False(t, known)
	}
}
