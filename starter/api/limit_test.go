package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
)

func TestEachCallerHasALimitOfHisOwn(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	l := &limit{perSecond: 2, burst: 3, callers: map[string]*rate.Limiter{}, now: func() time.Time { return now }}
	one, other := identity.Principal{ClientID: "journal", Subject: "a"}, identity.Principal{ClientID: "calendar", Subject: "a"}
	for range 3 {
		require.NoError(t, l.take(one))
	}
	for range 5 { // who asks again and again does not wait longer for it
		err := l.take(one)
		require.True(t, apperr.Is(err, apperr.Busy), err)
		p := problem(err)
		require.Equal(t, 429, p.Status)
		require.Equal(t, "1", p.GetHeaders().Get("Retry-After"))
	}
	require.NoError(t, l.take(other))
	now = now.Add(500 * time.Millisecond)
	require.NoError(t, l.take(one))
	require.Error(t, l.take(one))
	require.NoError(t, (*limit)(nil).take(one), "no limit")
}

func TestCallersAreForgottenInTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	l := &limit{perSecond: 1, burst: 2, callers: map[string]*rate.Limiter{}, now: func() time.Time { return now }}
	for n := range 2 * maxCallers {
		require.NoError(t, l.take(identity.Principal{Subject: fmt.Sprint(n)}))
	}
	require.LessOrEqual(t, len(l.callers), maxCallers)
	now = now.Add(time.Minute)
	require.NoError(t, l.take(identity.Principal{Subject: "new"}))
	require.Len(t, l.callers, 1, "all others have their burst again")
}
