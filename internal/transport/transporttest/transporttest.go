// Package transporttest is what every transport promises, as tests: each implementation
// runs them against what it speaks with.
package transporttest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/transport"
)

// WaitFor bounds every wait for something that must happen.
const WaitFor = 20 * time.Second

// Queue is an empty queue that nobody else uses.
type Queue struct {
	Transport transport.Transport
	// Name is the queue's, Dead that of its dead letters.
	Name, Dead string
}

// Send sends a message with each of the ids, which is its body too.
func (q Queue) Send(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		require.NoError(t, q.Transport.Send(t.Context(), q.message(id)))
	}
}

func (q Queue) message(id string) transport.Message {
	return transport.Message{ID: id, To: q.Name, Body: []byte(id)}
}

// Receiver makes a link that ends with the test.
func (q Queue) Receiver(t *testing.T, queue string, credit int) transport.Receiver {
	t.Helper()
	r, err := q.Transport.Receiver(t.Context(), queue, credit)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r
}

// Receive receives one message.
func Receive(t *testing.T, r transport.Receiver) transport.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), WaitFor)
	defer cancel()
	d, err := r.Receive(ctx)
	require.NoError(t, err)
	return d
}

// IDs receives n messages without settling them.
func IDs(t *testing.T, r transport.Receiver, n int) (out []string) {
	t.Helper()
	for range n {
		out = append(out, Receive(t, r).Message().ID)
	}
	return out
}

// Contract runs all of them. fresh gives each an empty queue.
func Contract(t *testing.T, fresh func(t *testing.T) Queue) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Queue){
		"a message arrives whole": whole, "credit, order and settlement": credit, "an ended link gives back in order": ended,
		"refusals": refusals, "the largest message travels": largest, "receivers share a queue": shared,
		"a dead letter keeps what it was": deadLetter, "a closed transport": closed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// full is a message that has everything.
func (q Queue) full() transport.Message {
	return transport.Message{
		ID: "id", Subject: "APPREC", To: q.Name, ReplyTo: "other", CorrelationID: "c", ContentType: "text/plain", CPAID: "cpa",
		FromHerID: 1, ToHerID: 2, SentAt: time.Date(2026, 3, 29, 1, 2, 3, 0, time.UTC), TTL: time.Hour,
		Properties: map[string]string{"errorCondition": "x"}, Body: []byte{0, 1, 0xff},
	}
}

// requireSame leaves out what a transport adds to properties.
func requireSame(t *testing.T, want transport.Message, got *transport.Message) {
	t.Helper()
	seen := *got
	seen.Properties = map[string]string{}
	for k := range want.Properties {
		seen.Properties[k] = got.Properties[k]
	}
	require.Equal(t, want, seen)
}

func whole(t *testing.T, q Queue) {
	m := q.full()
	require.NoError(t, q.Transport.Send(t.Context(), m))
	bare := transport.Message{ID: "bare", To: q.Name, Properties: map[string]string{}, Body: []byte{}}
	require.NoError(t, q.Transport.Send(t.Context(), bare))
	r := q.Receiver(t, q.Name, 2)
	requireSame(t, m, Receive(t, r).Message())
	requireSame(t, bare, Receive(t, r).Message())
}

func credit(t *testing.T, q Queue) {
	q.Send(t, "1", "2", "3", "4")
	r := q.Receiver(t, q.Name, 2)
	one, two := Receive(t, r), Receive(t, r)
	require.Equal(t, "1", one.Message().ID)
	require.Equal(t, "2", two.Message().ID)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := r.Receive(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded, "credit is used up")

	require.NoError(t, one.Release(t.Context()))
	again := Receive(t, r)
	require.Equal(t, "1", again.Message().ID, "what is given back is ahead of younger messages")
	require.True(t, again.Message().Redelivered)
	require.False(t, two.Message().Redelivered)

	require.NoError(t, again.Accept(t.Context()))
	require.NoError(t, again.Accept(t.Context()), "the same decision again changes nothing")
	require.NoError(t, two.Reject(t.Context()))
	require.Equal(t, []string{"3", "4"}, IDs(t, r, 2))
	dead := Receive(t, q.Receiver(t, q.Dead, 1))
	require.Equal(t, "2", dead.Message().ID)
	require.NoError(t, dead.Accept(t.Context()))
}

func ended(t *testing.T, q Queue) {
	q.Send(t, "1", "2", "3", "4", "5")
	r, err := q.Transport.Receiver(t.Context(), q.Name, 3)
	require.NoError(t, err)
	first := Receive(t, r)
	require.Equal(t, []string{"2", "3"}, IDs(t, r, 2))
	require.NoError(t, r.Close(t.Context()))
	require.NoError(t, r.Close(t.Context()))
	require.Equal(t, apperr.Conflict, apperr.KindOf(first.Accept(t.Context())))
	_, err = r.Receive(t.Context())
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))

	r = q.Receiver(t, q.Name, 5)
	for i := range 5 {
		m := Receive(t, r).Message()
		require.Equal(t, fmt.Sprint(i+1), m.ID)
		require.Equal(t, i < 3, m.Redelivered)
	}
}

func refusals(t *testing.T, q Queue) {
	ctx := t.Context()
	m := q.message("")
	require.Equal(t, apperr.Invalid, apperr.KindOf(q.Transport.Send(ctx, m)))
	m.ID, m.Body = "1", make([]byte, transport.MaxBody+1)
	require.Equal(t, apperr.TooLarge, apperr.KindOf(q.Transport.Send(ctx, m)))
	for _, credit := range []int{0, transport.MaxCredit + 1} {
		_, err := q.Transport.Receiver(ctx, q.Name, credit)
		require.Equal(t, apperr.Invalid, apperr.KindOf(err))
	}
	r, err := q.Transport.Receiver(ctx, "nowhere_async", 1)
	if err == nil {
		_, err = r.Receive(ctx)
		require.NoError(t, r.Close(ctx))
	}
	require.Equal(t, apperr.NotFound, apperr.KindOf(err))
	q.Send(t, "2")
	require.Equal(t, []string{"2"}, IDs(t, q.Receiver(t, q.Name, 1), 1), "what is refused harms nothing else")
}

func largest(t *testing.T, q Queue) {
	m := q.message("1")
	m.Body = make([]byte, transport.MaxBody)
	require.NoError(t, q.Transport.Send(t.Context(), m))
	d := Receive(t, q.Receiver(t, q.Name, 1))
	require.Len(t, d.Message().Body, transport.MaxBody)
	require.NoError(t, d.Accept(t.Context()))
}

func shared(t *testing.T, q Queue) {
	const n, receivers, each = 300, 3, 4
	ctx, cancel := context.WithTimeout(t.Context(), WaitFor)
	defer cancel()
	var mu sync.Mutex
	seen := map[string]int{}
	var all sync.WaitGroup
	done := make(chan struct{})
	for range receivers {
		r := q.Receiver(t, q.Name, 8)
		for range each {
			all.Go(func() {
				for {
					d, err := r.Receive(ctx)
					if err != nil {
						return
					}
					if err := d.Accept(ctx); err != nil {
						continue
					}
					mu.Lock()
					seen[d.Message().ID]++
					if len(seen) == n {
						close(done)
					}
					mu.Unlock()
				}
			})
		}
	}
	for i := range n {
		q.Send(t, fmt.Sprint(i))
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	cancel()
	all.Wait()
	require.Len(t, seen, n)
	for id, times := range seen {
		require.Equal(t, 1, times, id)
	}
}

func deadLetter(t *testing.T, q Queue) {
	m := q.full()
	require.NoError(t, q.Transport.Send(t.Context(), m))
	require.NoError(t, Receive(t, q.Receiver(t, q.Name, 1)).Reject(t.Context()))
	got := *Receive(t, q.Receiver(t, q.Dead, 1)).Message()
	got.TTL, m.TTL, got.Redelivered = 0, 0, false // its time is over, and it may count as new
	requireSame(t, m, &got)
}

func closed(t *testing.T, q Queue) {
	r, err := q.Transport.Receiver(t.Context(), q.Name, 1)
	require.NoError(t, err)
	q.Send(t, "1")
	require.Equal(t, "1", Receive(t, r).Message().ID)
	ended := make(chan error, 1)
	go func() {
		_, err := r.Receive(context.Background())
		ended <- err
	}()
	require.NoError(t, q.Transport.Close(t.Context()))
	require.NoError(t, q.Transport.Close(t.Context()), "closing twice is harmless")
	require.Equal(t, apperr.Unavailable, apperr.KindOf(<-ended))
	require.Equal(t, apperr.Unavailable, apperr.KindOf(q.Transport.Send(t.Context(), q.message("2"))))
}
