package lives_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/testsize"
)

// outage is how long somebody cannot be reached.
const outage = 6 * time.Hour

// TestNothingStaleAfterAnOutage: for six hours around the instant of a reminder the
// providers take nothing, or the database is down, or Helsenorge's queue is, over two
// moves (F17, D11). Nothing leaves after it is of use, a provider that is back in time
// gets what it could not take, whoever was not told is an operator's case, and of the
// moves Helsenorge hears the last alone.
func TestNothingStaleAfterAnOutage(t *testing.T) {
	c := newTown(t, testsize.Scaled(1000, 60))
	c.each(func(n int) {
		random := rand.New(rand.NewPCG(^c.seed, uint64(n)))
		began := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 97 * time.Minute)
		l := c.life(n, began, true)
		// No two at a time in one calendar, and no move meets another.
		start := began.Add(3 * 24 * time.Hour)
		l.env.RegisterDelayedCallback(func() { l.book(start) }, time.Millisecond)
		l.env.RegisterDelayedCallback(func() {
			a, err := l.store.Appointment(c.Context(), demo.Desk, demo.ClinicID, l.id)
			if err != nil || a.RemindAt.IsZero() {
				c.Errorf("the reminder of %s is not planned: %+v %v", l.id, a, err)
				return
			}
			begins := a.RemindAt.Add(-time.Duration(random.Int64N(int64(outage))))
			switch n % 3 {
			case 0:
				l.active = false
				l.env.RegisterDelayedCallback(func() { l.down.provider = begins.Add(outage) }, begins.Sub(l.now()))
			case 1:
				l.active = random.IntN(2) == 0
				l.env.RegisterDelayedCallback(func() { l.down.database = begins.Add(outage) }, begins.Sub(l.now()))
			default:
				l.env.RegisterDelayedCallback(func() { l.down.helsenorge = begins.Add(outage) }, begins.Sub(l.now()))
				for move := range 2 {
					l.env.RegisterDelayedCallback(func() {
						l.change(pg.Change{Kind: pg.ChangeAmend, StartsAt: start.Add(time.Duration(move+1) * 20 * time.Minute)})
					}, begins.Sub(l.now())+time.Duration(move+1)*time.Hour)
				}
			}
		}, time.Hour)
		l.live()
		if n%3 == 0 {
			c.requireGivenInTime(l, start.Add(-24*time.Hour))
		}
		if n%3 == 2 {
			// The confirmation, and one change.
			if len(l.told) != 2 || l.told[1].Before(l.down.helsenorge) {
				c.Errorf("Helsenorge was told %d times of %s: %v, back at %s", len(l.told), l.id, l.told, l.down.helsenorge)
			}
		}
	})
	c.audit()
	rows, err := c.d.SQL(t.Context(), `
		SELECT n.id, n.outcome, n.reason FROM notice n WHERE n.outcome IN ('expired', 'failed')
			AND NOT EXISTS (SELECT FROM operator_case k WHERE k.message_id = n.id AND k.resolved_at IS NULL)`)
	require.NoError(t, err)
	require.Empty(t, rows, "nobody is told that the patient was not")
	rows, err = c.d.SQL(t.Context(), `SELECT n.id, n.reason FROM notice n WHERE n.purpose = 'reminder'
		AND n.outcome NOT IN ('sent', 'delivered', 'delegated', 'expired', 'failed', 'superseded')
		AND n.reason NOT IN ('merged-with-confirmation', 'window-past', 'reminded-before')`)
	require.NoError(t, err)
	require.Empty(t, rows, "a reminder that nobody gives for another reason than the outage")
	rows, err = c.d.SQL(t.Context(), "SELECT outcome, reason, count(*) FROM notice WHERE purpose = 'reminder' GROUP BY 1, 2 ORDER BY 1, 2")
	require.NoError(t, err)
	t.Logf("%d lives; the reminders:\n%s", len(c.patients), rows)
	if len(c.patients) >= 300 { // of fewer lives, chance may leave one out
		for _, came := range []string{"sent|", "delegated|", "expired|"} {
			require.Contains(t, rows, came)
		}
	}
	require.NotContains(t, rows, "failed|all-failed", "given up, not expired")
}

// requireGivenInTime holds that the reminder left once the providers were back, if that
// was in time for a turn of a channel, and that it had expired if it was too late.
func (c *town) requireGivenInTime(l *life, latest time.Time) {
	const soon = 20 * time.Minute // the pause between two turns, and moments
	rows, err := c.d.SQL(c.Context(), `SELECT n.outcome, extract(epoch FROM max(x.claimed_at) FILTER (WHERE x.state <> 'failed'))::bigint
		FROM notice n LEFT JOIN notice_attempt x ON x.notice_id = n.id WHERE n.appointment_id = '`+l.id+`' AND n.purpose = 'reminder' GROUP BY n.id`)
	if err != nil || len(fields(rows)) != 1 {
		c.Errorf("the reminders of %s: %s %v", l.id, rows, err)
		return
	}
	back, outcome, left := l.down.provider, fields(rows)[0][0], fields(rows)[0][1]
	switch {
	case back.After(latest):
		if outcome != "expired" || left != "" {
			c.Errorf("%s: %s at %s, too late after %s", l.id, outcome, left, latest)
		}
	case back.Add(soon).Before(latest):
		if left == "" {
			c.Errorf("%s: %s, though the providers were back at %s", l.id, outcome, back)
			return
		}
		at := time.Unix(int64(number(c.T, left)), 0)
		if outcome != "sent" && outcome != "delivered" || at.Before(back.Add(-time.Second)) || at.After(back.Add(soon)) {
			c.Errorf("%s: %s at %s, the providers were back at %s", l.id, outcome, at, back)
		}
	}
}
