package e2e_test

import (
	"context"
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/testsize"
)

// TestABacklogIsTakenIn: Monday morning, after a weekend without a listener (F14). Everything
// is taken in: 20,000 messages within a quarter of an hour.
func TestABacklogIsTakenIn(t *testing.T) {
	const full, within = 20_000, 15 * time.Minute
	n := testsize.Scaled(full, 200)
	// The server shares this process and its memory, and has a quarter more to itself so.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	w := newWorld(t, stack.Config{Transport: stack.AMQP})
	sent := map[string]bool{}
	for i := range n {
		s, err := w.Simulator.Act(t.Context(), simulator.Action{Kind: simulator.EContact, To: demo.GPHerID, Citizen: i % (n / 4), Subject: "sak-" + uuid.NewString()[:8]})
		require.NoError(t, err)
		sent[s.MsgID] = true
	}
	worker, err := w.StartWorker(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, worker.Stop(context.WithoutCancel(t.Context()))) })
	w.activate() // before anything is taken in: else it is refused
	// A part of it has the start in it, and shares its machine with other tests.
	limit := max(3*within*time.Duration(n)/full, 30*time.Second)
	if n == full {
		limit = within
	}
	began := time.Now()
	listener, err := w.StartListener(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Stop(context.WithoutCancel(t.Context()))) })
	w.within(limit, "every message has its receipt", func() error {
		book, err := w.Simulator.Book(t.Context())
		if err != nil {
			return err
		}
		for _, r := range book.Receipts {
			if r.OK {
				delete(sent, r.Original)
			}
		}
		if len(sent) > 0 {
			return fmt.Errorf("%d are missing", len(sent))
		}
		return nil
	})
	took := time.Since(began)
	t.Logf("%d messages in %s: %.0f a second", n, took.Round(time.Millisecond), float64(n)/took.Seconds())

	var placed []pg.InboxItem
	w.eventually("every message lies in an inbox", func() error {
		placed = nil
		q := pg.DialogueQuery{Limit: 5000}
		for {
			page, err := w.store.Inbox(t.Context(), demo.Admin, demo.ClinicID, q)
			if err != nil {
				return err
			}
			placed = append(placed, page.Items...)
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if len(placed) != n {
			return fmt.Errorf("%d of %d", len(placed), n)
		}
		return nil
	})
}
