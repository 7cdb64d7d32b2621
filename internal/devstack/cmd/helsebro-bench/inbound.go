package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback"
)

const (
	// citizens is how many invented people write: the first message of each takes a
	// patient in, later ones find him.
	citizens = 500
	// lookEvery is the time between two looks into the database, one statement for
	// all messages in flight.
	lookEvery = 2 * time.Millisecond
)

// inbound sends e-consultations and watches for their inbox rows. It has a simulated
// Helsenorge of its own, which only sends, so that composing a message and keeping
// Helsenorge's own book are outside of what is measured.
type inbound struct {
	store      *pg.Store
	transport  transport.Transport
	helsenorge *simulator.Helsenorge
	// sentAt is when a message was about to be put on the queue, by transport id.
	sentAt sync.Map
	n      atomic.Int64

	mu      sync.Mutex
	waiting map[string]chan sighting // by MsgId
	wake    chan struct{}
	end     context.CancelFunc
	ended   chan struct{}
}

// sighting is an inbox row, or why the database could not be read.
type sighting struct {
	pg.Passage
	seenAt time.Time
	err    error
}

func startInbound(dir string, s *stack.Stack, store *pg.Store) (*inbound, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	parties, err := registry.Open(s.Worker().Transport.Registries.File)
	if err != nil {
		return nil, err
	}
	i := &inbound{store: store, waiting: map[string]chan sighting{}, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	queues, err := loopback.NewClient(s.SimulatorURL())
	if err != nil {
		return nil, err
	}
	i.transport = queues
	i.helsenorge, err = simulator.Open(simulator.Config{
		Dir: dir, Transport: stamping{queues, &i.sentAt}, Sealer: transport.Plain{}, Registry: parties, Logger: s.Logger,
	})
	if err != nil {
		return nil, err
	}
	watching, end := context.WithCancel(context.Background())
	i.end = end
	go i.watch(watching)
	return i, nil
}

func (i *inbound) stop(ctx context.Context) error {
	i.end()
	<-i.ended
	return errors.Join(i.helsenorge.Close(), i.transport.Close(ctx))
}

// stamping notes the instant before a message is put on its queue.
type stamping struct {
	transport.Transport
	at *sync.Map
}

// Send implements transport.Transport.
func (s stamping) Send(ctx context.Context, m transport.Message) error {
	s.at.Store(m.ID, time.Now())
	return s.Transport.Send(ctx, m)
}

func (i *inbound) one(ctx context.Context) (sample, error) {
	_, s, err := i.consult(ctx)
	return s, err
}

// consult lets a citizen begin an e-consultation and waits for its inbox row.
func (i *inbound) consult(ctx context.Context) (pg.Passage, sample, error) {
	sent, err := i.helsenorge.Act(ctx, simulator.Action{
		Kind: simulator.EConsultation, To: demo.GPHerID, Citizen: int(i.n.Add(1) % citizens),
	})
	accepted := time.Now()
	if err != nil {
		return pg.Passage{}, sample{}, err
	}
	at, _ := i.sentAt.LoadAndDelete(sent.TransportID)
	began := at.(time.Time)
	found := make(chan sighting, 1)
	i.mu.Lock()
	i.waiting[sent.MsgID] = found
	i.mu.Unlock()
	select {
	case i.wake <- struct{}{}:
	default: // it is awake
	}
	select {
	case row := <-found:
		// Instants of the database have no monotonic reading: the wall clock is
		// compared, which is the same one on this machine.
		return row.Passage, sample{
			done: row.seenAt.Sub(began), accepted: accepted.Sub(began),
			stored: row.ReceivedAt.Sub(began), placed: row.PlacedAt.Sub(began),
		}, row.err
	case <-ctx.Done():
		return pg.Passage{}, sample{}, ctx.Err()
	}
}

// watch looks for the rows that are waited for.
func (i *inbound) watch(ctx context.Context) {
	defer close(i.ended)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		for i.look(ctx) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-i.wake:
		case <-ctx.Done():
			return
		}
	}
}

// look looks once and tells whether somebody still waits.
func (i *inbound) look(ctx context.Context) bool {
	i.mu.Lock()
	ids := make([]string, 0, len(i.waiting))
	for id := range i.waiting {
		ids = append(ids, id)
	}
	i.mu.Unlock()
	if len(ids) == 0 {
		return false
	}
	rows, err := i.store.Passages(ctx, demo.ClinicID, ids)
	now := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, id := range ids {
		row, ok := rows[id]
		if !ok && err == nil {
			continue
		}
		i.waiting[id] <- sighting{row, now, err}
		delete(i.waiting, id)
	}
	return len(i.waiting) > 0
}

// drain waits until nothing that was intended lacks its outcome: inbox, journal,
// receipt.
func (i *inbound) drain(ctx context.Context) error {
	return until(ctx, func() (bool, error) {
		open, err := i.store.OpenEffects(ctx, demo.ClinicID)
		return open == 0, err
	})
}

// until asks every few milliseconds until the answer is yes.
func until(ctx context.Context, ask func() (bool, error)) error {
	return untilEvery(ctx, 2*lookEvery, ask)
}

func untilEvery(ctx context.Context, every time.Duration, ask func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
