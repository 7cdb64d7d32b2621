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

// heldBytes bounds the bodies that one link holds unsettled, in bytes: with what is left of
// it, the largest messages may come. A message above transport.MaxBody, which the broker
// lets through up to its own limit (128 MiB), may exceed it, and nothing more comes then.
const heldBytes = 4 * transport.MaxBody

// link is an attached receiver. What it delivered can be settled while it lives.
type link struct {
	session *amqp.Session
	amqp    *amqp.Receiver
	life    context.Context // until detach
	end     context.CancelFunc

	mu sync.Mutex
	// issued counts the messages that may still come, unsettled those that came, with
	// bodies of so many bytes.
	issued, unsettled, bytes int
	// settled wakes who waits for a settlement.
	settled context.CancelFunc
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
	ctx, cancel := r.client.within(ctx)
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
	l = &link{session: session, amqp: a}
	l.life, l.end = context.WithCancel(context.Background())
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.ended:
		closeSession(ctx, session)
		return nil, errClosed
	default:
	}
	r.link = l
	return l, nil
}

// next returns the next message of a link. After an error the link is no more, unless ctx
// has ended.
func (r *receiver) next(ctx context.Context, l *link) (transport.Delivery, error) {
	for {
		waiting, done := l.ready(ctx, r.credit)
		m, err := l.amqp.Receive(waiting, nil)
		woken := waiting.Err() != nil
		done()
		switch {
		case err == nil:
			return r.delivery(l, m), nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case l.life.Err() != nil || !woken:
			r.detach(ctx, l)
			return nil, fault(ctx, err, r.queue)
		}
	}
}

// ready sees to it that messages may come, and returns what to wait for the next one in.
// Credit is issued when all that was issued is used. While everything is unsettled none is,
// and the wait ends with a settlement; it is at the link all the same, whose end must be
// noticed: RabbitMQ ends a session in which a message was unsettled for half an hour.
func (l *link) ready(ctx context.Context, credit int) (waiting context.Context, done func()) {
	waiting, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(l.life, cancel)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.issued == 0 {
		if n := min(credit-l.unsettled, (heldBytes-l.bytes)/transport.MaxBody); n > 0 {
			_ = l.amqp.IssueCredit(uint32(n)) //nolint:gosec // at most transport.MaxCredit; it refuses other kinds of links only
			l.issued = n
		} else {
			l.settled = cancel
		}
	}
	return waiting, func() { stop(); cancel() }
}

// delivery is a message that has come.
func (r *receiver) delivery(l *link, m *amqp.Message) *delivery {
	d := &delivery{receiver: r, link: l, amqp: m, message: incoming(m)}
	if d.message.To == "" {
		d.message.To = r.queue
	}
	if d.message.Subject == r.queue {
		d.message.Subject = "" // it had none: RabbitMQ 3 then tells the routing key
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.issued--
	l.unsettled++
	l.bytes += len(d.message.Body)
	return d
}

// detach ends a link: what is unsettled goes back to the queue.
func (r *receiver) detach(ctx context.Context, l *link) {
	r.mu.Lock()
	if r.link == l {
		r.link = nil
	}
	r.mu.Unlock()
	l.end()
	closeSession(ctx, l.session)
}

// Close implements transport.Receiver.
func (r *receiver) Close(ctx context.Context) error {
	r.end.Do(func() { close(r.ended) })
	r.client.mu.Lock()
	delete(r.client.receivers, r)
	r.client.mu.Unlock()
	r.mu.Lock()
	l := r.link
	r.mu.Unlock()
	if l != nil {
		r.detach(ctx, l)
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
	return d.settle(ctx, func(r *amqp.Receiver) error { return r.AcceptMessage(ctx, d.amqp) })
}

// Release implements transport.Delivery.
func (d *delivery) Release(ctx context.Context) error {
	return d.settle(ctx, func(r *amqp.Receiver) error {
		if d.receiver.client.cfg.Modified {
			return r.ModifyMessage(ctx, d.amqp, &amqp.ModifyMessageOptions{DeliveryFailed: true})
		}
		return r.ReleaseMessage(ctx, d.amqp)
	})
}

// Reject implements transport.Delivery.
func (d *delivery) Reject(ctx context.Context) error {
	return d.settle(ctx, func(r *amqp.Receiver) error { return r.RejectMessage(ctx, d.amqp, nil) })
}

// settle tells the broker, once, as long as the link lives.
func (d *delivery) settle(ctx context.Context, tell func(*amqp.Receiver) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.settled {
		return nil
	}
	l := d.link
	if l.life.Err() == nil && tell(l.amqp) == nil {
		d.settled = true
		l.mu.Lock()
		defer l.mu.Unlock()
		l.unsettled--
		l.bytes -= len(d.message.Body)
		if l.settled != nil {
			l.settled()
		}
		return nil
	}
	d.receiver.detach(ctx, l)
	return apperr.New(apperr.Conflict, "the link has ended: what was unsettled is delivered again")
}
