// Package listen takes Helsenorge's messages in: open, check, store once, tell
// Temporal, settle — in this order, so that whatever dies in between loses
// nothing and the broker's redelivery takes the rest up. What a citizen waits for
// on the screen comes by the synchronous queues and is answered at once.
package listen

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/tracing"
	"github.com/helsebro/helsebro/internal/transport"
)

// Store is what the listener needs of the database.
type Store interface {
	Parties(context.Context) ([]int, error)
	StoreArrival(context.Context, pg.Arrival) (pg.Arrived, error)
	// KeepAside, QuarantineWanted and CarryOut are the messages that cannot be taken in.
	KeepAside(ctx context.Context, a pg.Arrival, reason string) error
	// BeginReading and EndReading count the listeners that died over a message.
	BeginReading(ctx context.Context, a pg.Arrival) (died int, err error)
	EndReading(ctx context.Context, a pg.Arrival) error
	QuarantineWanted(context.Context) ([]string, error)
	CarryOut(ctx context.Context, id string, do func(context.Context, pg.QuarantineDecision, pg.Wire) (pg.QuarantineState, string, error)) (pg.QuarantineState, error)
	HandedOver(ctx context.Context, messageID string) error
	// PortalMessagesLeft are those that nobody else will hand over.
	PortalMessagesLeft(ctx context.Context, longer time.Duration) ([]pg.Arrived, error)
	// Integrations are those whose activations must hear of a change in the registry.
	Integrations(context.Context) ([]pg.LookedAt, error)
	// Offers and OfferedPractitioners answer a citizen who waits, and audit it.
	Offers(ctx context.Context, q pg.OfferQuery) (pg.Offers, error)
	OfferedPractitioners(ctx context.Context, q pg.OfferQuery) (pg.Offers, error)
}

// Listener takes messages in from the queues of every party of every clinic.
type Listener struct {
	store     Store
	temporal  Temporal
	transport transport.Transport
	sealer    transport.Sealer
	registry  registry.Registry
	// deadLetters are queues whose messages are kept aside.
	deadLetters []string
	heldFor     time.Duration
	meter       Meter
	traces      *tracing.Traces
	logger      *slog.Logger
}

// Meter counts what the listener does.
type Meter interface {
	// Message is a message of a process (8279) that was brought to its end.
	Message(process, verdict string, took time.Duration)
	// Answer is an answer to who waits for it.
	Answer(process string, took time.Duration)
	// Unsettled is n more that are being taken in from a queue.
	Unsettled(queue string, n int)
}

// unmetered counts nothing.
type unmetered struct{}

// Message implements Meter.
func (unmetered) Message(string, string, time.Duration) {}

// Answer implements Meter.
func (unmetered) Answer(string, time.Duration) {}

// Unsettled implements Meter.
func (unmetered) Unsettled(string, int) {}

// New makes a listener. deadLetters are the broker's queues of dead letters.
func New(store Store, temporal Temporal, t transport.Transport, sealer transport.Sealer, r registry.Registry, deadLetters []string, logger *slog.Logger) *Listener {
	return &Listener{store: store, temporal: temporal, transport: t, sealer: sealer, registry: r, deadLetters: deadLetters, heldFor: heldFor, meter: unmetered{}, logger: logger}
}

const (
	// credit bounds the unsettled messages of one queue. A message may have 20 MB.
	credit = 16
	// attempts is how often a message that fails for a reason of its own is tried
	// before it is kept aside (HITS 1216: the broker gives up after 10).
	attempts = 10
	// deaths is how many listeners may die over a message before it is kept aside unread.
	// The broker counts nothing of it.
	deaths = 5
	// firstPause and longestPause bound the wait between attempts.
	firstPause, longestPause = 200 * time.Millisecond, 15 * time.Second
	// heldFor is how long a message waits unsettled for what it depends on, before its link
	// ends and gives it back. A broker takes back by itself what is held for half an hour,
	// again and again, and may count that as attempts.
	heldFor = 10 * time.Minute
	// partiesEvery is how often new parties, and changes in the registry, are looked for.
	partiesEvery = 30 * time.Second
)

// Run listens until ctx ends. A party that is added later is picked up within
// half a minute, an activation hears of a change in the registry as soon, and what the
// portal has left behind is taken over; a database that is down is waited for.
func (l *Listener) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	known := map[string]bool{}
	listen := func(queue string, take taker) {
		if queue == "" || known[queue] {
			return
		}
		known[queue] = true
		group.Go(func() error { l.queue(ctx, queue, take); return nil })
	}
	group.Go(func() error { l.decided(ctx); return nil })
	for _, queue := range l.deadLetters {
		listen(queue, l.keepDeadLetter)
	}
	group.Go(func() error {
		heard := map[string]told{}
		tested := false
		for {
			l.watchRegistry(ctx, heard)
			l.takeOver(ctx)
			ids, err := l.store.Parties(ctx)
			if err == nil && !tested {
				tested = true
				l.selfTest(ctx, ids)
			}
			for _, id := range ids {
				p, err := l.registry.Party(ctx, id)
				if err != nil {
					l.logger.Warn("a party of a clinic is not in the address registry: nothing is received for it", "herId", id, "kind", apperr.KindOf(err))
					continue
				}
				listen(p.AsyncQueue, func(ctx context.Context, d transport.Delivery) error { return l.take(ctx, d, false) })
				listen(p.SyncQueue, func(ctx context.Context, d transport.Delivery) error { l.answer(ctx, d); return nil })
				listen(p.ErrorQueue, func(ctx context.Context, d transport.Delivery) error { return l.take(ctx, d, true) })
			}
			pause := partiesEvery
			if err != nil {
				l.logger.Warn("the parties cannot be read yet", "error", err)
				pause = firstPause
			} else if len(ids) == 0 {
				pause = time.Second
			}
			if !sleep(ctx, pause) {
				return nil
			}
		}
	})
	return group.Wait()
}

// selfTest tells, once, what is wrong with the broker as it is configured.
func (l *Listener) selfTest(ctx context.Context, parties []int) {
	t, ok := l.transport.(transport.SelfTester)
	if !ok {
		return
	}
	var own []registry.Party
	for _, id := range parties {
		if p, err := l.registry.Party(ctx, id); err == nil { // Run tells of the others
			own = append(own, p)
		}
	}
	findings := t.SelfTest(ctx, registry.Queues(own))
	for _, finding := range findings {
		l.logger.Error("the broker is not as it should be", "error", finding)
	}
	if len(findings) == 0 {
		l.logger.Info("the broker is as it should be", "parties", len(own))
	}
}

// taker brings one delivery to its end. Its error is errHeld.
type taker func(context.Context, transport.Delivery) error

// errHeld ends a link: what is unsettled on it goes back to the queue.
var errHeld = errors.New("messages wait for what is out of reach: they are given back to their queue")

// queue takes messages of one queue in until ctx ends. Nothing is fetched while it could
// only be held. A queue that cannot be opened is tried again: what is wrong with one must
// not stop the others.
func (l *Listener) queue(ctx context.Context, queue string, take taker) {
	for l.reachable(ctx) {
		err := l.receive(ctx, queue, take)
		if ctx.Err() != nil {
			return
		}
		l.logger.Error("a queue cannot be listened to: it is tried again", "queue", queue, "error", err)
		if !errors.Is(err, errHeld) && !sleep(ctx, longestPause) {
			return
		}
	}
}

// reachable waits until the store and Temporal answer, and tells whether ctx still lives.
func (l *Listener) reachable(ctx context.Context) bool {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		_, err := l.store.Parties(ctx)
		if err == nil {
			_, err = l.temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		}
		if err == nil {
			return ctx.Err() == nil
		}
		if !sleep(ctx, pause) {
			return false
		}
	}
}

// receive takes messages in, credit of them at a time.
func (l *Listener) receive(ctx context.Context, queue string, take taker) error {
	receiver, err := l.transport.Receiver(ctx, queue, credit)
	if err != nil {
		return err
	}
	l.logger.Info("listening", "queue", queue)
	ctx, giveBack := context.WithCancelCause(ctx)
	var inFlight sync.WaitGroup
	defer func() {
		inFlight.Wait()
		giveBack(nil)
		if err := receiver.Close(context.WithoutCancel(ctx)); err != nil {
			l.logger.Warn("the link did not close", "queue", queue, "error", err)
		}
	}()
	for {
		delivery, err := receiver.Receive(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx) // what came in this instant is unsettled, too
		}
		if err != nil {
			return err
		}
		inFlight.Go(func() {
			l.meter.Unsettled(queue, 1)
			defer l.meter.Unsettled(queue, -1)
			if err := take(ctx, delivery); err != nil {
				giveBack(err)
			}
		})
	}
}

// take brings one delivery to its end. What depends on others (database, Temporal)
// is tried for heldFor: the message stays unsettled, and with credit used up no more
// are delivered. What fails by itself is kept aside after some
// attempts, and is a dead letter when not even that works, so that one message
// never stalls a queue.
func (l *Listener) take(ctx context.Context, delivery transport.Delivery, errorQueue bool) error {
	failpoint.Hit(failpoint.ListenReceived)
	m := delivery.Message()
	log := l.logger.With("fromHerId", m.FromHerID, "toHerId", m.ToHerID)
	began, pause, failures := time.Now(), firstPause, 0
	settle := delivery.Accept
	for {
		arrival, stored, err := l.handle(ctx, m, errorQueue, "")
		if err == nil {
			l.meter.Message(arrival.ProcessCode, string(stored.Verdict), time.Since(began))
			break
		}
		if ctx.Err() != nil {
			return nil // unsettled: the broker delivers it again
		}
		kind, reason := apperr.KindOf(err), reasonOf(err)
		log.Warn("a message waits unsettled", "kind", kind, "error", err)
		switch {
		case kind == apperr.Unavailable:
		case kind == apperr.TooLarge, kind == apperr.NotFound, reason == deadly: // it will not shrink, and nobody knows the sender
			failures = attempts
		default:
			failures++
		}
		if failures >= attempts {
			err := l.store.KeepAside(ctx, arrival, reason)
			if err == nil {
				log.Error("a message is in quarantine", "reason", reason)
				l.meter.Message(arrival.ProcessCode, string(pg.Quarantined), time.Since(began))
				break
			}
			if !apperr.Is(err, apperr.Unavailable) {
				log.Error("a message can not even be kept aside: it is a dead letter", "error", err)
				settle = delivery.Reject
				break
			}
		}
		if time.Since(began) > l.heldFor {
			return errHeld
		}
		if !sleep(ctx, pause) {
			return nil
		}
		pause = min(2*pause, longestPause)
	}
	if err := settle(ctx); err != nil && !errors.Is(err, context.Canceled) {
		log.Warn("a message could not be settled: it will come again", "error", err)
	}
	return nil
}

// handle reads a message and hands it over. A reader that panics has met a message
// that it must not meet twice: that is an error of the message's own. quarantined is the
// id of what was kept aside, "" for what comes from a queue.
func (l *Listener) handle(ctx context.Context, m *transport.Message, errorQueue bool, quarantined string) (a pg.Arrival, stored pg.Arrived, err error) {
	defer func() {
		if r := recover(); r != nil {
			l.logger.Error("reading a message panicked", "at", string(debug.Stack()))
			err = apperr.New(apperr.Internal, "reading the message panicked")
		}
	}()
	ctx, end := l.traces.Received(ctx, "message")
	defer func() {
		end(err, attribute.String("helsebro.process", string(stored.Process)), attribute.String("helsebro.verdict", string(stored.Verdict)))
	}()
	a = envelope(m, errorQueue)
	a.Quarantine = quarantined
	if len(m.Body) > transport.MaxBody {
		return a, stored, apperr.New(apperr.TooLarge, "the message has %d bytes: at most %d are taken in", len(m.Body), transport.MaxBody)
	}
	if m.Redelivered {
		died, err := l.store.BeginReading(ctx, a)
		if err != nil {
			return a, stored, err
		}
		defer l.endReading(ctx, a)
		if died >= deaths {
			return a, stored, errDeadly
		}
	}
	if a, err = l.read(ctx, a, m); err != nil {
		return a, stored, err
	}
	stored, err = l.handOver(ctx, a)
	return a, stored, err
}

// deadly is why a message is kept aside over which listeners have died.
const deadly = "listener-died"

var errDeadly = apperr.New(apperr.Internal, "%d listeners have died over the message", deaths)

// reasonOf is why a message is kept aside after an error.
func reasonOf(err error) string {
	if errors.Is(err, errDeadly) {
		return deadly
	}
	return string(apperr.KindOf(err))
}

// endReading notes that this listener lives, also when it is about to stop in order.
func (l *Listener) endReading(ctx context.Context, a pg.Arrival) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), consultWithin)
	defer cancel()
	if err := l.store.EndReading(ctx, a); err != nil {
		l.logger.Warn("that a message was read could not be noted: it counts as one over which the listener died", "error", err)
	}
}

// handOver stores the message and tells Temporal all that follows from it.
func (l *Listener) handOver(ctx context.Context, a pg.Arrival) (pg.Arrived, error) {
	stored, err := l.store.StoreArrival(ctx, a)
	if err != nil {
		return stored, err
	}
	failpoint.Hit(failpoint.ListenStored)
	switch {
	case stored.Verdict == pg.Quarantined:
		l.logger.Warn("a message is in quarantine", "message", stored.ID)
		return stored, nil
	case stored.HandedOver:
		l.logger.Info("a known message came again", "message", stored.ID, "verdict", stored.Verdict)
		return stored, nil
	}
	if err := l.tell(ctx, stored); err != nil {
		return stored, err
	}
	failpoint.Hit(failpoint.ListenStarted)
	if err := l.store.HandedOver(ctx, stored.ID); err != nil {
		return stored, err
	}
	failpoint.Hit(failpoint.ListenRecorded)
	l.logger.Info("message taken in", "message", stored.ID, "verdict", stored.Verdict, "dialogue", stored.DialogueID, "process", stored.Process, "again", stored.Again)
	return stored, nil
}

// sleep waits and tells whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
