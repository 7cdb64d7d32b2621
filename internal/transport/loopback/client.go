package loopback

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback/jsoncall"
)

const (
	// callTimeout bounds a send or a settlement.
	callTimeout = 30 * time.Second
	// firstPause and longestPause bound the wait between attempts to connect.
	firstPause, longestPause = 50 * time.Millisecond, 3 * time.Second
	// silences is how many heartbeats may fail to come before a link is given up.
	silences = 3
)

// Client is a transport.Transport that talks to a Server. It connects when it is
// used, and again whenever the connection is lost.
type Client struct {
	base string
	http *http.Client

	mu        sync.Mutex
	receivers map[*receiver]struct{}
	closed    bool
}

var _ transport.Transport = (*Client)(nil)

// NewClient makes a client of the server at an address such as
// http://127.0.0.1:8236. It does not connect.
func NewClient(address string) (*Client, error) {
	base, err := jsoncall.BaseURL(address)
	if err != nil {
		return nil, err
	}
	return &Client{base: base, http: jsoncall.NewHTTPClient(), receivers: map[*receiver]struct{}{}}, nil
}

// Send implements transport.Transport. A server that is not there is
// apperr.Unavailable, an unknown queue apperr.NotFound.
func (c *Client) Send(ctx context.Context, m transport.Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return errClientClosed()
	}
	_, err := post(ctx, c, pathSend, wire(&m))
	return err
}

func post(ctx context.Context, c *Client, path string, in any) (jsoncall.None, error) {
	within, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := jsoncall.Post[jsoncall.None](within, c.http, c.base+path, in)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = apperr.New(apperr.Unavailable, "the broker did not answer within %s", callTimeout)
	}
	return out, err
}

// Declare makes queues; see Broker.Declare.
func (c *Client) Declare(ctx context.Context, names ...string) error {
	_, err := post(ctx, c, pathQueues, declaration{Queues: names})
	return err
}

// Queues returns the state of all queues; see Broker.Queues.
func (c *Client) Queues(ctx context.Context) ([]QueueState, error) {
	return jsoncall.Get[[]QueueState](ctx, c.http, c.base+pathQueues)
}

// Receiver implements transport.Transport. It does not connect: Receive does.
func (c *Client) Receiver(_ context.Context, queue string, credit int) (transport.Receiver, error) {
	if credit < 1 || credit > transport.MaxCredit {
		return nil, apperr.New(apperr.Invalid, "credit is %d: 1 to %d are possible", credit, transport.MaxCredit)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClientClosed()
	}
	r := &receiver{client: c, ask: openLink{Queue: queue, Credit: credit}, turn: make(chan struct{}, 1)}
	r.life, r.end = context.WithCancel(context.Background())
	c.receivers[r] = struct{}{}
	return r, nil
}

func errClientClosed() error { return apperr.New(apperr.Unavailable, "the transport is closed") }

// Close ends all links.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	all := make([]*receiver, 0, len(c.receivers))
	for r := range c.receivers {
		all = append(all, r)
	}
	c.mu.Unlock()
	var errs []error
	for _, r := range all {
		errs = append(errs, r.Close(ctx))
	}
	c.http.CloseIdleConnections()
	return errors.Join(errs...)
}

// receiver keeps a session to the server for as long as somebody receives.
type receiver struct {
	client *Client
	ask    openLink
	turn   chan struct{} // held by whoever connects
	life   context.Context
	end    context.CancelFunc

	mu      sync.Mutex
	session *session
}

// Receive implements transport.Receiver.
func (r *receiver) Receive(ctx context.Context) (transport.Delivery, error) {
	for {
		s, err := r.connected(ctx)
		if err != nil {
			return nil, err
		}
		select {
		case d := <-s.deliveries:
			if s.lost() {
				continue // it is delivered again
			}
			return d, nil
		case <-s.done: // lost: connect again
		case <-r.life.Done():
			return nil, errClientClosed()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// connected returns a living session. It connects, and waits between attempts, for
// as long as the server does not answer.
func (r *receiver) connected(ctx context.Context) (*session, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-r.life.Done():
		return nil, errClientClosed()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	pause := firstPause
	for {
		if s, err := r.current(); s != nil || err != nil {
			return s, err
		}
		s, err := r.open(ctx)
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !apperr.KindOf(err).Retryable():
			return nil, err
		}
		// Half of the pause is chance, so that clients do not come back in step.
		if err := r.wait(ctx, pause/2+rand.N(pause/2)); err != nil { //nolint:gosec // chance, not secrecy
			return nil, err
		}
		pause = min(2*pause, longestPause)
	}
}

// current returns the living session, or nil.
func (r *receiver) current() (*session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life.Err() != nil {
		return nil, errClientClosed()
	}
	if s := r.session; s != nil && !s.lost() {
		return s, nil
	}
	return nil, nil
}

func (r *receiver) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-r.life.Done():
		return errClientClosed()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// open makes a session, which outlives ctx.
func (r *receiver) open(ctx context.Context) (*session, error) {
	alive, end := context.WithCancel(r.life)
	stop := context.AfterFunc(ctx, end) // until it is open
	defer stop()
	s := &session{client: r.client, end: end, deliveries: make(chan transport.Delivery, r.ask.Credit), done: make(chan struct{})}
	s.watch = time.AfterFunc(callTimeout, end)
	resp, err := jsoncall.Open(alive, r.client.http, http.MethodPost, r.client.base+pathLinks, r.ask)
	if err != nil {
		return nil, s.failed(err)
	}
	lines := bufio.NewReaderSize(resp.Body, 1<<16)
	first, err := s.read(lines)
	if err == nil && (first.Link == "" || first.Heartbeat <= 0) {
		err = apperr.New(apperr.Unavailable, "the address answered, not as a broker does")
	}
	if err != nil {
		return nil, errors.Join(s.failed(err), resp.Body.Close())
	}
	s.id, s.silence = first.Link, silences*time.Duration(first.Heartbeat)*time.Millisecond

	r.mu.Lock()
	defer r.mu.Unlock()
	if !stop() || r.life.Err() != nil {
		return nil, errors.Join(s.failed(errClientClosed()), resp.Body.Close())
	}
	r.session = s
	go s.run(alive, resp.Body, lines)
	return s, nil
}

// Close implements transport.Receiver.
func (r *receiver) Close(context.Context) error {
	r.client.mu.Lock()
	delete(r.client.receivers, r)
	r.client.mu.Unlock()
	r.end()
	r.mu.Lock()
	s := r.session
	r.mu.Unlock()
	if s != nil {
		<-s.done
	}
	return nil
}

// session is one connection of a link.
type session struct {
	client     *Client
	id         string
	end        context.CancelFunc
	watch      *time.Timer // ends the session after too long a silence
	silence    time.Duration
	deliveries chan transport.Delivery
	done       chan struct{}
}

func (s *session) lost() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// failed cleans up a session that has not begun.
func (s *session) failed(err error) error {
	s.watch.Stop()
	s.end()
	if errors.Is(err, context.Canceled) {
		return apperr.New(apperr.Unavailable, "the broker did not answer within %s", callTimeout)
	}
	return err
}

// run reads deliveries until the connection is lost. There are never more than
// credit, so that it does not wait for a receiver.
func (s *session) run(alive context.Context, body io.Closer, lines *bufio.Reader) {
	defer close(s.done)
	defer body.Close() //nolint:errcheck // the connection is lost
	defer s.end()
	defer s.watch.Stop()
	for {
		s.watch.Reset(s.silence)
		f, err := s.read(lines)
		if err != nil {
			return
		}
		if f.Message == nil {
			continue // a heartbeat
		}
		select {
		case s.deliveries <- &remote{session: s, number: f.Delivery, message: f.Message.message()}:
		case <-alive.Done():
			return
		}
	}
}

func (s *session) read(lines *bufio.Reader) (f frame, err error) {
	text, err := lines.ReadBytes('\n')
	if err != nil {
		return f, apperr.Wrap(apperr.Unavailable, err, "the link is lost")
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return f, apperr.Wrap(apperr.Unavailable, err, "the link is disturbed")
	}
	return f, nil
}

// remote is a delivery over HTTP.
type remote struct {
	session *session
	number  uint64
	message transport.Message
}

// Message implements transport.Delivery.
func (d *remote) Message() *transport.Message { return &d.message }

// Accept implements transport.Delivery.
func (d *remote) Accept(ctx context.Context) error { return d.settle(ctx, accept) }

// Release implements transport.Delivery.
func (d *remote) Release(ctx context.Context) error { return d.settle(ctx, release) }

// Reject implements transport.Delivery.
func (d *remote) Reject(ctx context.Context) error { return d.settle(ctx, reject) }

// settle tells the server, again while it does not answer and the link lives: the
// server takes the same decision twice. When ctx ends first, the link ends too,
// since nobody would settle the message on it any more.
func (d *remote) settle(ctx context.Context, o outcome) error {
	s := d.session
	pause := firstPause
	for {
		if s.lost() {
			return errEnded(apperr.Conflict)
		}
		_, err := post(ctx, s.client, pathSettle, settlement{Link: s.id, Delivery: d.number, Outcome: o})
		switch {
		case ctx.Err() != nil && err != nil:
			s.end()
			return ctx.Err()
		case err == nil, !apperr.KindOf(err).Retryable():
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-s.done:
		case <-ctx.Done():
		}
		t.Stop()
		pause = min(2*pause, longestPause)
	}
}
