package booking_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/domain/booking"
	"github.com/helsebro/helsebro/internal/domain/oslo"
)

func TestExactlyOneCalendar(t *testing.T) { // S71, S72, A8, F16
	t.Parallel()
	for owned, want := range map[int]string{
		-1: booking.NoCalendar, 0: booking.NoCalendar, 1: "", 2: booking.SeveralCalendars, 7: booking.SeveralCalendars,
	} {
		open, reason := booking.Guard(owned)
		require.Equal(t, owned == 1, open, owned)
		require.Equal(t, want, reason, owned)
	}
}

func TestCommentIsMandatory(t *testing.T) { // S74
	t.Parallel()
	for _, blank := range []string{"", " ", "\t\r\n", "\u00a0\u2003", "\u200b\ufeff", "\u3164", "\x00\x1f", "\u2800 \u00ad"} {
		require.ErrorIs(t, booking.Comment(blank), booking.ErrNoComment, "%q", blank)
	}
	for _, text := range []string{"Vond rygg", " x ", "?", "é", "😀"} {
		require.NoError(t, booking.Comment(text), "%q", text)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	limits := booking.Limits{Days: 7, Deadline: 2 * time.Hour, MaxFuture: 2}
	now := oslo.At(2026, time.March, 25, 14, 0, 0) // the clock changes on the 29th
	for name, c := range map[string]struct {
		start  time.Time
		future int
		reason string
	}{
		"tomorrow":               {oslo.At(2026, time.March, 26, 9, 0, 0), 0, ""},
		"at the deadline":        {oslo.At(2026, time.March, 25, 16, 0, 0), 0, ""},
		"past the deadline":      {oslo.At(2026, time.March, 25, 15, 59, 59), 0, booking.PastDeadline},
		"already begun":          {now.Add(-time.Minute), 0, booking.PastDeadline},
		"late on the last day":   {oslo.At(2026, time.April, 1, 23, 59, 59), 1, ""},
		"the day after the last": {oslo.At(2026, time.April, 2, 0, 0, 0), 0, booking.TooFarAhead},
		"the last that is left":  {oslo.At(2026, time.March, 26, 9, 0, 0), 1, ""},
		"too many":               {oslo.At(2026, time.March, 26, 9, 0, 0), 2, booking.TooManyBookings},
	} {
		ok, reason := limits.Allows(now, c.start, c.future)
		require.Equal(t, c.reason, reason, name)
		require.Equal(t, c.reason == "", ok, name)
	}
}

func TestLimitsValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, booking.DefaultLimits().Validate())
	require.NoError(t, booking.Limits{Days: 1, MaxFuture: 1}.Validate())
	require.EqualError(t, booking.Limits{Deadline: -1}.Validate(),
		"days: 1 to 28\ndeadline: 0 to 672 hours before the start\nmax_future: at least 1; to offer nothing, switch online booking off")
	require.ErrorContains(t, booking.Limits{Days: 29, MaxFuture: 1}.Validate(), "days: ")
	require.ErrorContains(t, booking.Limits{Days: 28, MaxFuture: 1, Deadline: 673 * time.Hour}.Validate(), "deadline: ")
}
