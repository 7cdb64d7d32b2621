package lives_test

import (
	"fmt"
	"github.com/helsebro/helsebro/internal/testsize"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/pg"
)

// flips is how often a patient's activity changes around the instant of his reminder.
const flips = 50

// TestFiftyFlipsGiveOneReminderOrOneDelegation: the patient becomes active on Helsenorge
// and inactive again fifty times in the ten minutes around the instant at which his
// reminder is due, as the check and as the record system see it, while queues and
// providers take their time (F3). Helsenorge has the appointment, and the clinic's
// channels are open: he gets exactly one reminder, by the clinic or by delegation, never
// both, and never none. What Helsenorge itself then does cannot be observed.
func TestFiftyFlipsGiveOneReminderOrOneDelegation(t *testing.T) {
	c := newTown(t, testsize.Scaled(500, 20))
	c.each(c.flipping)
	c.audit()
	rows, err := c.d.SQL(t.Context(), `
		SELECT a.id, count(n.id), count(*) FILTER (WHERE n.outcome = 'delegated'), count(*) FILTER (WHERE n.outcome IN ('sent', 'delivered')),
			(SELECT count(*) FROM notice m JOIN notice_attempt x ON x.notice_id = m.id WHERE m.appointment_id = a.id AND m.purpose = 'reminder' AND x.state <> 'withheld')
		FROM appointment a LEFT JOIN notice n ON n.appointment_id = a.id AND n.purpose = 'reminder' GROUP BY a.id`)
	require.NoError(t, err)
	var lives, delegations, reminders int
	for _, row := range fields(rows) {
		lives++
		delegations, reminders = delegations+number(t, row[2]), reminders+number(t, row[3])
		require.Equalf(t, "1", row[1], "appointment %s has not one reminder", row[0])
		require.Equalf(t, 1, number(t, row[2])+number(t, row[3]), "appointment %s: %v", row[0], row)
		require.Equalf(t, row[3], row[4], "appointment %s: what left is what is on the ledger", row[0])
	}
	require.Equal(t, len(c.patients), lives)
	require.Positive(t, delegations)
	require.Positive(t, reminders)
	withheld, err := c.d.SQL(t.Context(), "SELECT count(*) FROM decision WHERE about = 'reminder' AND rule = 'withheld'")
	require.NoError(t, err)
	t.Logf("%d lives: %d delegations, %d reminders, %s times withheld at the last instant", lives, delegations, reminders, withheld)
}

// flipping lives one life with its flips.
func (c *town) flipping(n int) {
	random := rand.New(rand.NewPCG(^c.seed, uint64(n)))
	// All over a year, and no two at a time in one calendar.
	l := c.life(n, time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n)*16*time.Hour), true)
	l.slow = true
	start := l.now().Add(3*24*time.Hour + time.Duration(random.IntN(24))*time.Hour)
	l.env.RegisterDelayedCallback(func() { l.book(start) }, time.Millisecond)
	l.env.RegisterDelayedCallback(func() {
		a, err := l.store.Appointment(c.Context(), demo.Desk, demo.ClinicID, l.id)
		if err != nil || a.RemindAt.IsZero() || a.Published == nil || a.Published.Outcome != contract.OutcomeAcknowledged {
			c.Errorf("the reminder of %s is not planned: %+v %v", l.id, a, err)
			return
		}
		for range flips {
			at := a.RemindAt.Add(l.between(time.Millisecond, 5*time.Minute) * time.Duration(1-2*random.IntN(2)))
			l.env.RegisterDelayedCallback(l.flip, at.Sub(l.now()))
		}
	}, 12*time.Hour)
	l.live()
}

// flip changes whether the patient is active; half of the times the record system says
// so, too.
func (l *life) flip() {
	l.mu.Lock()
	l.active = !l.active
	active := l.active
	l.mu.Unlock()
	if !l.chance(50) {
		return
	}
	if err := l.store.RecordActivity(l.Context(), demo.ClinicID, l.patient, active, false, pg.ActivityRecorded, l.now()); err != nil {
		l.Errorf("activity is not recorded: %v", err)
	}
}

// TestClocksThatChange is D3: the window of a reminder is hours that pass, wherever the
// clock changes in between, and the text shows the clock on the wall. Each row is booked
// a fortnight ahead and lived through to its reminder.
func TestClocksThatChange(t *testing.T) {
	for name, d := range map[string]struct{ start, opens, closes, shows string }{
		"a: the clock goes back the day before": {
			"2026-10-26T07:00:00Z", "2026-10-24T07:00:00Z", "2026-10-25T07:00:00Z", "mandag 26. oktober 2026 kl. 08:00", // Sat 09:00 to Sun 08:00
		},
		"b: the clock goes forward the day before": {
			"2026-03-30T06:00:00Z", "2026-03-28T06:00:00Z", "2026-03-29T06:00:00Z", "mandag 30. mars 2026 kl. 08:00", // Sat 07:00 to Sun 08:00
		},
		"c: the clock goes forward on the day": {
			"2026-03-29T08:00:00Z", "2026-03-27T08:00:00Z", "2026-03-28T08:00:00Z", "søndag 29. mars 2026 kl. 10:00", // Fri 09:00 to Sat 09:00
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTown(t, 1)
			start, err := time.Parse(time.RFC3339, d.start)
			require.NoError(t, err)
			l := c.life(0, start.Add(-14*24*time.Hour), false)
			l.active = false
			l.env.RegisterDelayedCallback(func() { l.book(start) }, time.Millisecond)
			l.live()
			c.audit()

			e, err := c.d.Store.ExplainAppointment(t.Context(), demo.Desk, demo.ClinicID, l.id)
			require.NoError(t, err)
			rules := pg.Settings{}.WithDefaults().ReminderRules()
			opens, err := time.Parse(time.RFC3339, d.opens)
			require.NoError(t, err)
			closes, err := time.Parse(time.RFC3339, d.closes)
			require.NoError(t, err)
			require.Equal(t, 48*time.Hour, start.Sub(opens))
			require.Equal(t, 24*time.Hour, start.Sub(closes))
			var planned time.Time
			for _, made := range e.Decisions {
				if made.About != contract.AboutReminderPlan {
					continue
				}
				planned, err = time.Parse(time.RFC3339, made.Decided)
				require.NoError(t, err)
				require.Contains(t, string(made.Inputs), fmt.Sprintf("window %s to %s", opens.Add(rules.Margin).Format(time.RFC3339),
					closes.Add(-rules.Budget-rules.Margin).Format(time.RFC3339)), "each hop of the chain has its time")
			}
			require.False(t, planned.Before(opens) || planned.After(closes), planned)
			reminder := e.Notices[len(e.Notices)-1]
			require.Equal(t, contract.PurposeReminder, reminder.Purpose)
			require.Equal(t, planned, reminder.DecidedAt.Truncate(time.Second))
			require.Len(t, reminder.Attempts, 1)
			got := c.arrived[reminder.ID+"/"+string(reminder.Attempts[0].Channel)]
			require.Len(t, got, 1)
			require.Contains(t, got[0].Body, d.shows)
		})
	}
}
