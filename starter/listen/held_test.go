package listen

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback"
)

// outage is a store and a Temporal that can be out of reach.
type outage struct {
	*fakeStore
	*fakeTemporal
	store, temporal atomic.Bool
}

var errOutage = apperr.New(apperr.Unavailable, "out of reach")

func (o *outage) Parties(ctx context.Context) ([]int, error) {
	if o.store.Load() {
		return nil, errOutage
	}
	return o.fakeStore.Parties(ctx)
}

func (o *outage) StoreArrival(ctx context.Context, a pg.Arrival) (pg.Arrived, error) {
	if o.store.Load() || o.temporal.Load() {
		return pg.Arrived{}, errOutage
	}
	return o.fakeStore.StoreArrival(ctx, a)
}

func (o *outage) KeepAside(ctx context.Context, a pg.Arrival, _ string) error {
	_, err := o.StoreArrival(ctx, a)
	return err
}

func (o *outage) CheckHealth(context.Context, *client.CheckHealthRequest) (*client.CheckHealthResponse, error) {
	if o.temporal.Load() {
		return nil, errOutage
	}
	return nil, nil
}

func (o *outage) arrived() []pg.Arrival {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.arrivals)
}

// TestNothingIsHeldThroughAnOutage: what was fetched when the store or Temporal went away is
// given back, nothing is fetched while they are away, and everything is taken in, once,
// when they are back.
func TestNothingIsHeldThroughAnOutage(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*outage) *atomic.Bool{
		"the store": func(o *outage) *atomic.Bool { return &o.store }, "Temporal": func(o *outage) *atomic.Bool { return &o.temporal },
	} {
		for queue, taker := range map[string]func(*Listener) taker{
			"gp_async": func(l *Listener) taker {
				return func(ctx context.Context, d transport.Delivery) error { return l.take(ctx, d, false) }
			},
			"dead": func(l *Listener) taker { return l.keepDeadLetter },
		} {
			t.Run(name+", "+queue, func(t *testing.T) {
				t.Parallel()
				const n = 2 * credit
				o := &outage{fakeStore: &fakeStore{}, fakeTemporal: &fakeTemporal{}}
				broker, err := loopback.Open(loopback.Config{Path: filepath.Join(t.TempDir(), "queues"), Queues: []string{queue}})
				require.NoError(t, err)
				for i := range n {
					require.NoError(t, broker.Send(t.Context(), transport.Message{
						ID: fmt.Sprint(i), To: queue, Subject: "x", ContentType: transport.ContentTypePlain, FromHerID: asker, ToHerID: gp, SentAt: time.Now(), Body: []byte("no XML"),
					}))
				}
				state := func() (s loopback.QueueState) {
					for _, s = range broker.Queues() {
						if s.Name == queue {
							return s
						}
					}
					return s
				}
				l := New(o, o, broker, transport.Plain{}, parties(t), nil, slog.New(slog.DiscardHandler))
				l.heldFor = time.Second

				var first sync.Once
				take := taker(l)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					l.queue(ctx, queue, func(ctx context.Context, d transport.Delivery) error {
						first.Do(func() { away(o).Store(true) })
						return take(ctx, d)
					})
				}()
				require.Eventually(t, away(o).Load, 20*time.Second, time.Millisecond)
				require.Eventually(t, func() bool { s := state(); return s.Links == 0 && s.Unsettled == 0 && s.Ready > 0 }, 20*time.Second, time.Millisecond, "what was held is given back")
				left := state().Ready
				require.Equal(t, n-len(o.arrived()), left, "nothing is settled that is not stored")
				require.Never(t, func() bool { s := state(); return s.Links > 0 || s.Ready != left }, time.Second, 10*time.Millisecond, "nothing is fetched")

				away(o).Store(false)
				require.Eventually(t, func() bool { s := state(); return s.Ready == 0 && s.Unsettled == 0 }, 20*time.Second, time.Millisecond)
				seen := map[string]int{}
				for _, a := range o.arrived() {
					seen[a.TransportID]++
				}
				require.Len(t, seen, n)
				cancel()
				<-done
				require.NoError(t, broker.Close(context.Background()))
			})
		}
	}
}
