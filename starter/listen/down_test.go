package listen

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback"
)

// downStore is a store whose database is down until it is up.
type downStore struct {
	fakeStore
	up    atomic.Bool
	tried atomic.Int32
}

func (s *downStore) StoreArrival(ctx context.Context, a pg.Arrival) (pg.Arrived, error) {
	s.tried.Add(1)
	if !s.up.Load() {
		return pg.Arrived{}, apperr.New(apperr.Unavailable, "the database is down")
	}
	return s.fakeStore.StoreArrival(ctx, a)
}

// TestNoMoreIsTakenWhileTheDatabaseIsDown: a queue gives as many messages as there is credit
// for, none of them is settled, and when the database is back all are taken in.
func TestNoMoreIsTakenWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	file := parties(t)
	own, err := file.Party(t.Context(), gp)
	require.NoError(t, err)
	broker, err := loopback.Open(loopback.Config{Path: filepath.Join(t.TempDir(), "queues"), Queues: []string{own.AsyncQueue, own.SyncQueue, own.ErrorQueue}})
	require.NoError(t, err)
	defer broker.Close(context.Background()) //nolint:errcheck // the test ends
	const n = 3 * credit
	for range n {
		m := enveloped(t, enquiry())
		m.ID, m.To, m.ContentType, m.SentAt = uuid.NewString(), own.AsyncQueue, transport.ContentTypePlain, time.Now()
		require.NoError(t, broker.Send(t.Context(), *m))
	}
	store := &downStore{}
	l := New(store, &fakeTemporal{}, broker, transport.Plain{}, file, nil, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	state := func() loopback.QueueState {
		for _, q := range broker.Queues() {
			if q.Name == own.AsyncQueue {
				return q
			}
		}
		return loopback.QueueState{}
	}
	const patient, tick = 20 * time.Second, 5 * time.Millisecond
	require.Eventually(t, func() bool { return store.tried.Load() > 2*credit }, patient, tick, "each is tried more than once")
	require.Equal(t, loopback.QueueState{Name: own.AsyncQueue, Ready: n - credit, Unsettled: credit, Links: 1}, state())
	store.up.Store(true)
	require.Eventually(t, func() bool { s := state(); return s.Ready+s.Unsettled == 0 }, patient, tick)
	stop()
	require.NoError(t, <-ended)
	require.Len(t, store.arrivals, n)
}
