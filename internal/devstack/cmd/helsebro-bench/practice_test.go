package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/domain/oslo"
)

func TestPracticeOffersFourWeeksOfWorkingDays(t *testing.T) {
	t.Parallel()
	// Whatever day it is, among them days before the clock is changed.
	for day := range 366 {
		now := oslo.At(2026, time.January, 1+day, 23, 30, 0)
		p := newPractice(2, 0, now)
		slots := p.slots(1)
		require.Len(t, slots, slotsPerGP)
		days := map[string]int{}
		for i, s := range slots {
			starts := oslo.In(s.StartsAt)
			require.Equal(t, slotLength, s.EndsAt.Sub(s.StartsAt))
			require.True(t, i == 0 || !s.StartsAt.Before(slots[i-1].EndsAt), "no two overlap")
			require.NotContains(t, []time.Weekday{time.Saturday, time.Sunday}, starts.Weekday())
			require.GreaterOrEqual(t, starts.Hour(), 8)
			require.Less(t, starts.Hour(), 15)
			days[starts.Format(time.DateOnly)]++
		}
		require.Len(t, days, 20)
		first, last := oslo.In(slots[0].StartsAt).Format(time.DateOnly), oslo.In(slots[len(slots)-1].StartsAt).Format(time.DateOnly)
		require.Greater(t, first, oslo.In(now).Format(time.DateOnly))
		require.GreaterOrEqual(t, first, p.date(0))
		require.LessOrEqual(t, last, p.date(slotDays-1), "all of it can be asked for at once")
		require.Greater(t, oslo.In(p.workingTime(bookAhead, 0)).Format(time.DateOnly), last, "what stays open is behind every slot")
	}
}

func TestPracticeHasOneCalendarAndPartyForEachGP(t *testing.T) {
	t.Parallel()
	p := newPractice(3, 2000, time.Now())
	require.Len(t, p.calendars(), 3)
	require.Len(t, p.clinic().Parties, 3)
	require.Len(t, p.registry(), 4)
	ids := map[string]bool{}
	for gp := range 3 {
		require.Equal(t, p.gpID(gp), p.calendars()[gp].OwnerID)
		require.Equal(t, p.gpID(gp), p.clinic().Parties[gp].StaffID)
		require.Equal(t, p.clinic().Parties[gp].HerID, p.registry()[gp+1].HerID)
		for _, s := range p.slots(gp) {
			require.False(t, ids[s.ID])
			ids[s.ID] = true
		}
	}
	people, phones := map[string]bool{}, map[string]bool{}
	for n, r := range p.records() {
		require.Equal(t, p.gpID(n%3), r.PractitionerID)
		people[r.NationalID] = true
		phones[(*r.Contacts)[0].Address] = true
	}
	require.Len(t, people, 2000)
	require.Len(t, phones, 2000)
	require.Equal(t, 3*patientsPerGP, newPractice(3, 1, time.Now()).people)
}
