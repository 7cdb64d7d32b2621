package loopback

import (
	"container/heap"
	"context"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/transport"
)

// link is a receiver in the broker's process. Its fields are under broker.mu.
type link struct {
	broker *Broker
	queue  *queue
	credit int

	last      uint64            // number of the last delivery
	unsettled map[uint64]*entry // by delivery
	settling  int               // taken out of unsettled, and not yet on the disk
	awake     chan struct{}     // there may be something to deliver
	ended     chan struct{}
	over      bool
}

func (l *link) wake() {
	select {
	case l.awake <- struct{}{}:
	default: // it is awake
	}
}

// Receive implements transport.Receiver.
func (l *link) Receive(ctx context.Context) (transport.Delivery, error) {
	for {
		d, err := l.next()
		if d != nil || err != nil {
			return d, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.ended:
		case <-l.awake:
		}
	}
}

// next returns the next message, or a nil Delivery when there is none for now.
func (l *link) next() (transport.Delivery, error) {
	l.broker.mu.Lock()
	if l.over {
		l.broker.mu.Unlock()
		return nil, errEnded(apperr.Unavailable)
	}
	q := l.queue
	if len(q.ready) == 0 || len(l.unsettled)+l.settling >= l.credit {
		l.broker.mu.Unlock()
		return nil, nil
	}
	e := heap.Pop(&q.ready).(*entry)
	l.last++
	d := &delivery{link: l, number: l.last, message: e.message}
	l.unsettled[d.number] = e
	if len(q.ready) > 0 {
		l.wake() // another Receive may be waiting
	}
	l.broker.mu.Unlock()
	if e.expires.IsZero() || l.broker.now().Before(e.expires) {
		return d, nil
	}
	l.wake()
	return nil, l.settle(d.number, reject)
}

// outcome is what a receiver decides about a message.
type outcome string

const (
	accept  outcome = "accept"
	release outcome = "release"
	reject  outcome = "reject"
)

// settle settles a delivery. The same decision again, by a caller who does not
// know whether it arrived, changes nothing.
func (l *link) settle(number uint64, o outcome) error {
	b := l.broker
	b.mu.Lock()
	if l.over {
		b.mu.Unlock()
		return errEnded(apperr.Conflict)
	}
	e, ok := l.unsettled[number]
	switch {
	case !ok && number <= l.last && number > 0:
		b.mu.Unlock()
		return nil
	case !ok:
		b.mu.Unlock()
		return apperr.New(apperr.NotFound, "the link has no delivery %d", number)
	case o == reject && strings.HasSuffix(l.queue.name, DeadSuffix):
		b.mu.Unlock()
		return apperr.New(apperr.Conflict, "a dead letter is accepted or released, not rejected")
	}
	// Taken out first, so that the end of the link does not give it back meanwhile.
	delete(l.unsettled, number)
	if o == release {
		e.message.Redelivered = true
		b.put(l.queue, e)
		b.mu.Unlock()
		return nil
	}
	l.settling++
	b.mu.Unlock()

	op := opAccept
	if o == reject {
		op = opDead
	}
	err := b.log.Append(marshal(record{Op: op, Seq: e.seq}))

	b.mu.Lock()
	defer b.mu.Unlock()
	l.settling--
	switch {
	case err != nil:
		e.message.Redelivered = true
		b.put(l.queue, e)
	case o == reject:
		e.expires = time.Time{}
		e.message.Redelivered = true
		b.put(b.queue(dead(l.queue.name)), e)
	}
	l.wake()
	return err
}

// Close implements transport.Receiver.
func (l *link) Close(context.Context) error {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	l.end()
	return nil
}

// end gives back what is unsettled, in its place in line.
func (l *link) end() {
	if l.over {
		return
	}
	l.over = true
	close(l.ended)
	delete(l.queue.links, l)
	for _, e := range l.unsettled {
		e.message.Redelivered = true
		l.broker.put(l.queue, e)
	}
	clear(l.unsettled)
}

func errEnded(k apperr.Kind) error {
	return apperr.New(k, "the link has ended: what was unsettled is delivered again")
}

// delivery implements transport.Delivery.
type delivery struct {
	link    *link
	number  uint64
	message transport.Message
}

// Message implements transport.Delivery.
func (d *delivery) Message() *transport.Message { return &d.message }

// Accept implements transport.Delivery.
func (d *delivery) Accept(context.Context) error { return d.link.settle(d.number, accept) }

// Release implements transport.Delivery.
func (d *delivery) Release(context.Context) error { return d.link.settle(d.number, release) }

// Reject implements transport.Delivery.
func (d *delivery) Reject(context.Context) error { return d.link.settle(d.number, reject) }
