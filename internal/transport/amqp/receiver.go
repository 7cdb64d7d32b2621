package amqp

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/transport"
)

// receiver implements transport.Receiver: one link after the other to the same queue.
type receiver struct {
	client *Client
	queue  string
	credit int
	ended  chan struct{} // by Close
	end    sync.Once
	// receiving holds who receives: one at a time.
	receiving chan struct{}

	mu   sync.Mutex
	link *link // nil when there is none
}

// link is an attached receiver. What it delivered can be settled while it lives.
type link struct {
	conn    *amqp.Conn
	session *amqp.Session
	amqp    *amqp.Receiver
	// freed wakes who waits for credit.
	freed chan struct{}

	mu sync.Mutex
	// issued counts the messages that may still come, unsettled those that came.
	issued, unsettled int
	gone              bool
}

// Receive implements transport.Receiver.
func (r *receiver) Receive(ctx context.Context) (transport.Delivery, error) {
	select {
	case r.receiving <- struct{}{}:
		defer func() { <-r.receiving }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.ended:
		return nil, errClosed
	}
	pause := firstPause
	for {
		l, err := r.attached(ctx)
		if err == nil {
			var d transport.Delivery
			if d, err = r.next(ctx, l); err == nil {
				return d, nil
			}
			pause = firstPause // it was attached
		}
		select {
		case <-r.ended:
			return nil, errClosed
		default:
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if apperr.Is(err, apperr.NotFound) {
			return nil, err
		}
		r.client.cfg.Logger.Warn("a queue is not received from: it is tried again", "queue", r.queue, "error", err)
		var known *apperr.Error
		wait := pause
		if errors.As(err, &known) && known.After > 0 {
			wait = known.After
		}
		pause = min(2*pause, longestPause)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
		case <-r.ended:
		}
		t.Stop()
	}
}

// attached returns the link, made anew when there is none.
func (r *receiver) attached(ctx context.Context) (*link, error) {
	r.mu.Lock()
	l := r.link
	r.mu.Unlock()
	if l != nil {
		return l, nil
	}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	conn, err := r.client.connection(ctx)
	if err != nil {
		return nil, err
	}
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return nil, fault(ctx, err, r.queue)
	}
	a, err := session.NewReceiver(ctx, r.client.address.source(r.queue), &amqp.ReceiverOptions{Name: "receiver-link-" + uuid.NewString(), Credit: -1})
	if err != nil {
		closeSession(ctx, session)
		return nil, fault(ctx, err, r.queue)
	}
	l = &link{conn: conn, session: session, amqp: a, freed: make(chan struct{}, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.ended:
		go closeSession(ctx, session)
		return nil, errClosed
	default:
	}
	r.link = l
	return l, nil
}

// next returns the next message of a link. After an error the link is no more.
func (r *receiver) next(ctx context.Context, l *link) (transport.Delivery, error) {
	for {
		n, err := l.mayIssue(r.credit)
		if err != nil {
			return nil, err
		}
		if n < 0 { // everything is unsettled
			select {
			case <-l.freed:
			case <-l.conn.Done():
				r.detach(l)
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-r.ended:
				return nil, errClosed
			}
			continue
		}
		if n > 0 {
			if err := l.amqp.IssueCredit(uint32(n)); err != nil { //nolint:gosec // at most transport.MaxCredit
				r.detach(l)
				return nil, fault(ctx, err, r.queue)
			}
		}
		break
	}
	m, err := l.amqp.Receive(ctx, nil)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err() // the link is as good as before
		}
		r.detach(l)
		return nil, fault(ctx, err, r.queue)
	}
	l.mu.Lock()
	l.issued--
	l.unsettled++
	l.mu.Unlock()
	d := &delivery{receiver: r, link: l, amqp: m, message: incoming(m)}
	if d.message.To == "" {
		d.message.To = r.queue
	}
	return d, nil
}

// mayIssue is how much credit is to be issued now: none while some that was issued is
// left, and -1 when everything is unsettled.
func (l *link) mayIssue(credit int) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.gone:
		return 0, apperr.New(apperr.Unavailable, "the link has ended")
	case l.issued > 0:
		return 0, nil
	case l.unsettled >= credit:
		return -1, nil
	}
	l.issued = credit - l.unsettled
	return l.issued, nil
}

// detach ends a link: what is unsettled goes back to the queue.
func (r *receiver) detach(l *link) {
	r.mu.Lock()
	if r.link == l {
		r.link = nil
	}
	r.mu.Unlock()
	l.mu.Lock()
	gone := l.gone
	l.gone = true
	l.mu.Unlock()
	l.wake()
	if !gone {
		closeSession(context.Background(), l.session)
	}
}

// Close implements transport.Receiver.
func (r *receiver) Close(context.Context) error {
	r.end.Do(func() { close(r.ended) })
	r.client.mu.Lock()
	delete(r.client.receivers, r)
	r.client.mu.Unlock()
	r.mu.Lock()
	l := r.link
	r.mu.Unlock()
	if l != nil {
		r.detach(l)
	}
	return nil
}

// delivery implements transport.Delivery.
type delivery struct {
	receiver *receiver
	link     *link
	amqp     *amqp.Message
	message  transport.Message

	mu      sync.Mutex
	settled bool
}

// Message implements transport.Delivery.
func (d *delivery) Message() *transport.Message { return &d.message }

// Accept implements transport.Delivery.
func (d *delivery) Accept(ctx context.Context) error {
	return d.settle(func(r *amqp.Receiver) error { return r.AcceptMessage(ctx, d.amqp) })
}

// Release implements transport.Delivery.
func (d *delivery) Release(ctx context.Context) error {
	return d.settle(func(r *amqp.Receiver) error {
		if d.receiver.client.cfg.Modified {
			return r.ModifyMessage(ctx, d.amqp, &amqp.ModifyMessageOptions{DeliveryFailed: true})
		}
		return r.ReleaseMessage(ctx, d.amqp)
	})
}

// Reject implements transport.Delivery.
func (d *delivery) Reject(ctx context.Context) error {
	return d.settle(func(r *amqp.Receiver) error { return r.RejectMessage(ctx, d.amqp, nil) })
}

// settle tells the broker, once, as long as the link lives.
func (d *delivery) settle(tell func(*amqp.Receiver) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.settled {
		return nil
	}
	d.link.mu.Lock()
	gone := d.link.gone
	d.link.mu.Unlock()
	if !gone {
		if tell(d.link.amqp) == nil {
			d.settled = true
			d.link.mu.Lock()
			d.link.unsettled--
			d.link.mu.Unlock()
			d.link.wake()
			return nil
		}
		d.receiver.detach(d.link)
	}
	return apperr.New(apperr.Conflict, "the link has ended: what was unsettled is delivered again")
}

// wake wakes who waits for credit.
func (l *link) wake() {
	select {
	case l.freed <- struct{}{}:
	default: // he is awake
	}
}
