package demo_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/domain/text"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
)

// Two weeks over the change to winter time have the same slots on the clock.
func TestSlotsFollowTheNorwegianClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.October, 19, 22, 30, 0, 0, time.UTC) // Tuesday the 20th in Norway
	slots := demo.Slots(now)
	require.Equal(t, slots, demo.Slots(now.Add(time.Hour)), "the same day makes the same slots")
	require.Len(t, slots, 10*21, "ten working days of seven hours, three to an hour")
	ids := map[string]bool{}
	for i, s := range slots {
		start := oslo.In(s.StartsAt)
		require.True(t, oslo.WorkingDay(s.StartsAt))
		require.True(t, start.Hour() >= 8 && start.Hour() < 15, start)
		require.NoError(t, uuid.Validate(s.ID))
		require.False(t, ids[s.ID])
		ids[s.ID] = true
		require.Equal(t, 20*time.Minute, s.EndsAt.Sub(s.StartsAt))
		require.True(t, i == 0 || !s.StartsAt.Before(slots[i-1].EndsAt), "none overlaps the one before")
	}
	require.Equal(t, oslo.At(2026, time.October, 21, 8, 0, 0), slots[0].StartsAt)
}

func TestTheDemonstrationClinicIsValid(t *testing.T) {
	t.Parallel()
	require.NoError(t, demo.Settings().Validate())
	require.Empty(t, text.Lint(demo.Settings().NoticeName))
	require.Len(t, demo.Calendars(), 1, "booking needs exactly one")
	hidden := 0
	for _, ty := range demo.Types() {
		if ty.Hidden {
			hidden++
		}
	}
	require.Equal(t, 1, hidden)
	_, err := nationalid.Parse(demo.Patient().NationalID, nationalid.Options{Synthetic: nationalid.AllMarks})
	require.NoError(t, err)
}
