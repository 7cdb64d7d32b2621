package amqp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/transport"
)

const (
	// answerWithin bounds whatever asks the broker for something. idleTimeout is how long a
	// connection may be silent before it counts as lost: the broker says something more often.
	answerWithin, idleTimeout = 60 * time.Second, 30 * time.Second
	dialTimeout, closeTimeout = 15 * time.Second, 3 * time.Second
	// firstPause and longestPause bound the wait before the broker is dialled again.
	firstPause, longestPause = 200 * time.Millisecond, 15 * time.Second
	// maxSenders bounds the queues that a link is kept to. RabbitMQ has 256 sessions in a
	// connection, and each link one of them.
	maxSenders = 64
)

// Client is a connection to a broker that is made again when it is lost. It is safe for
// concurrent use.
type Client struct {
	cfg     Config
	address address
	// ended is closed by Close.
	ended chan struct{}
	end   sync.Once

	// dialling holds who makes the connection: one at a time.
	dialling chan struct{}

	// sending are the messages whose outcome is awaited.
	sending sync.WaitGroup

	mu        sync.Mutex
	conn      *amqp.Conn
	pause     time.Duration // before the next attempt
	notBefore time.Time
	why       error // of the last attempt
	senders   map[string]*sender
	receivers map[*receiver]bool
}

var (
	_ transport.Transport  = (*Client)(nil)
	_ transport.SelfTester = (*Client)(nil)
)

// New makes a client. Nothing is connected before the first message is sent or awaited. An
// error is apperr.Invalid.
func New(cfg Config) (*Client, error) {
	a, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.TLS == nil {
		cfg.TLS = &tls.Config{}
	}
	cfg.AnswerWithin, cfg.IdleTimeout = cmp.Or(cfg.AnswerWithin, answerWithin), cmp.Or(cfg.IdleTimeout, idleTimeout)
	cfg.TLS = cfg.TLS.Clone()
	cfg.TLS.MinVersion = max(cfg.TLS.MinVersion, tls.VersionTLS12)
	return &Client{
		cfg: cfg, address: a, ended: make(chan struct{}), dialling: make(chan struct{}, 1),
		senders: map[string]*sender{}, receivers: map[*receiver]bool{},
	}, nil
}

// errClosed says that the client is closed.
var errClosed = apperr.New(apperr.Unavailable, "the connection to the broker is closed")

// connection returns the connection, made anew when there is none. While the broker is
// down it is dialled at most as often as the pauses permit: the error is
// apperr.Unavailable and says how long to wait.
func (c *Client) connection(ctx context.Context) (*amqp.Conn, error) {
	select {
	case c.dialling <- struct{}{}:
		defer func() { <-c.dialling }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.ended:
		return nil, errClosed
	}
	c.mu.Lock()
	conn, wait, why := c.conn, time.Until(c.notBefore), c.why
	c.mu.Unlock()
	if conn != nil && conn.Err() == nil {
		return conn, nil
	}
	if wait > 0 && why != nil {
		return nil, &apperr.Error{Kind: apperr.Unavailable, Message: "the broker was not to be reached a moment ago", Cause: why, After: wait}
	}
	options := &amqp.ConnOptions{ContainerID: "helsebro-" + uuid.NewString(), IdleTimeout: c.cfg.IdleTimeout, TLSConfig: c.cfg.TLS}
	if c.address.user != "" {
		options.SASLType = amqp.SASLTypePlain(c.address.user, c.address.password)
	}
	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := amqp.Dial(dialCtx, c.address.url, options)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c.pause = min(max(2*c.pause, firstPause), longestPause)
		// Everybody's clients lose the broker at once, and must not come back at once.
		wait := c.pause/2 + rand.N(c.pause/2) //nolint:gosec // nobody gains by guessing it
		c.notBefore, c.why = time.Now().Add(wait), err
		return nil, &apperr.Error{Kind: apperr.Unavailable, Message: "the broker cannot be reached: check HELSEBRO_AMQP_URL and its user and password", Cause: err, After: wait}
	}
	select {
	case <-c.ended:
		return nil, errors.Join(errClosed, conn.Close())
	default:
	}
	if c.conn != nil {
		c.cfg.Logger.Info("the broker is reached again")
	}
	c.conn, c.pause, c.why, c.senders = conn, 0, nil, map[string]*sender{}
	return conn, nil
}

// sender is a link that messages of one queue are sent on.
type sender struct {
	conn    *amqp.Conn
	session *amqp.Session
	link    *amqp.Sender
	used    time.Time
}

// sender returns the link to a queue.
func (c *Client) sender(ctx context.Context, queue string) (*sender, error) {
	conn, err := c.connection(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	s := c.senders[queue]
	if s != nil {
		s.used = time.Now()
	}
	c.mu.Unlock()
	if s != nil {
		return s, nil
	}
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return nil, fault(ctx, err, queue)
	}
	link, err := session.NewSender(ctx, c.address.target(queue), &amqp.SenderOptions{Name: "sender-link-" + uuid.NewString()})
	if err != nil {
		closeSession(ctx, session)
		return nil, c.sendingFault(ctx, err, queue)
	}
	s = &sender{conn: conn, session: session, link: link, used: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.senders[queue]; known != nil { // somebody else was first
		go closeSession(ctx, session)
		return known, nil
	}
	if len(c.senders) >= maxSenders {
		oldest := ""
		for q, k := range c.senders {
			if oldest == "" || k.used.Before(c.senders[oldest].used) {
				oldest = q
			}
		}
		go closeSession(ctx, c.senders[oldest].session)
		delete(c.senders, oldest)
	}
	c.senders[queue] = s
	return s, nil
}

// drop forgets a link that has failed.
func (c *Client) drop(ctx context.Context, queue string, s *sender) {
	c.mu.Lock()
	if c.senders[queue] == s {
		delete(c.senders, queue)
	}
	c.mu.Unlock()
	closeSession(ctx, s.session)
}

// closeSession closes a session with its link. Closing the link alone hangs with RabbitMQ
// 3.10, and does not give back what it had fetched.
func closeSession(ctx context.Context, s *amqp.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = s.Close(ctx) // it has failed, or ends with the connection
}

// within bounds what asks the broker for something. The error of a broker that does not
// answer is then apperr.Unavailable, whatever was asked.
func (c *Client) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.cfg.AnswerWithin, apperr.New(apperr.Unavailable, "the broker did not answer within %s", c.cfg.AnswerWithin))
}

// Send implements transport.Transport. Where messages go to an exchange the broker does
// not tell whether there is the queue: see the package's comment.
func (c *Client) Send(ctx context.Context, m transport.Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	c.mu.Lock()
	select {
	case <-c.ended:
		c.mu.Unlock()
		return errClosed
	default:
	}
	c.sending.Add(1)
	c.mu.Unlock()
	defer c.sending.Done()
	ctx, cancel := c.within(ctx)
	defer cancel()
	m.To, m.ReplyTo = queueName(m.To), queueName(m.ReplyTo)
	s, err := c.sender(ctx, m.To)
	if err != nil {
		return err
	}
	receipt, err := s.link.SendWithReceipt(ctx, outgoing(m, c.cfg.System, time.Now()), nil)
	var outcome amqp.DeliveryState
	if err == nil {
		outcome, err = receipt.Wait(ctx)
	}
	if err != nil {
		if ctx.Err() == nil || s.conn.Err() != nil {
			c.drop(ctx, m.To, s)
		}
		return fault(ctx, err, m.To)
	}
	switch outcome := outcome.(type) {
	case *amqp.StateAccepted:
		return nil
	case *amqp.StateRejected:
		why := errors.New("it says no reason")
		if outcome.Error != nil {
			why = outcome.Error
		}
		return apperr.Wrap(apperr.Unavailable, why, "queue %s refuses messages: is it full?", m.To)
	default: // released or modified: RabbitMQ 4 has nowhere to put it
		return apperr.New(apperr.Unavailable, "queue %s does not take messages: does it still exist?", m.To)
	}
}

// Receiver implements transport.Transport.
func (c *Client) Receiver(ctx context.Context, queue string, credit int) (transport.Receiver, error) {
	if credit < 1 || credit > transport.MaxCredit {
		return nil, apperr.InvalidFields("the link cannot be made", apperr.Field{Path: "credit", Rule: "1 to 1000"})
	}
	queue = queueName(queue)
	if queue == "" {
		return nil, apperr.New(apperr.NotFound, "the address registry names no queue")
	}
	r := &receiver{client: c, queue: queue, credit: credit, ended: make(chan struct{}), receiving: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.ended:
		return nil, errClosed
	default:
	}
	c.receivers[r] = true
	return r, nil
}

// Close implements transport.Transport. It takes no longer than a few seconds, also when
// the broker does not answer any more.
func (c *Client) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	c.mu.Lock()
	c.end.Do(func() { close(c.ended) })
	open := slices.Collect(maps.Keys(c.receivers))
	conn := c.conn
	c.mu.Unlock()
	// Sessions first: the broker then has everything that was said on them.
	var ending sync.WaitGroup
	for _, r := range open {
		ending.Go(func() { _ = r.Close(ctx) }) // it says nothing that the connection does not
	}
	ending.Go(c.sending.Wait)
	if !await(ctx, ending.Wait) {
		c.cfg.Logger.Warn("the broker did not answer in time while its links were closed: what is unsettled comes again")
	}
	if conn == nil || conn.Err() != nil {
		return nil
	}
	// The connection is told to close whatever happens; what it says of that is not of use.
	await(ctx, func() { _ = conn.Close() })
	return nil
}

// await waits for f until ctx ends, and tells whether it has returned.
func await(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// fault translates an error of the broker about a queue.
func fault(ctx context.Context, err error, queue string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch said := said(err); {
	case said == nil:
		return apperr.Wrap(apperr.Unavailable, err, "the broker was lost")
	case said.Condition == amqp.ErrCondNotFound:
		return apperr.New(apperr.NotFound, "the broker has no queue %s: compare the address registry", queue)
	default:
		return apperr.Wrap(apperr.Unavailable, said, "the broker does not permit queue %s", queue)
	}
}

// sendingFault translates an error of the broker about a link to send on. What is missing
// is then the exchange: nothing is wrong with the message, which waits for whoever corrects
// the setting.
func (c *Client) sendingFault(ctx context.Context, err error, queue string) error {
	err = fault(ctx, err, queue)
	if apperr.Is(err, apperr.NotFound) && c.address.exchange != "" {
		return apperr.New(apperr.Unavailable, "the broker has no exchange %s: compare HELSEBRO_AMQP_URL, letter by letter", c.address.exchange)
	}
	return err
}

// said is what the broker has said in an error, or nil.
func said(err error) *amqp.Error {
	var link *amqp.LinkError
	var session *amqp.SessionError
	var conn *amqp.ConnError
	var plain *amqp.Error
	errors.As(err, &link)
	errors.As(err, &session)
	errors.As(err, &conn)
	errors.As(err, &plain)
	if link != nil {
		plain = cmp.Or(plain, link.RemoteErr)
	}
	if session != nil {
		plain = cmp.Or(plain, session.RemoteErr)
	}
	if conn != nil {
		plain = cmp.Or(plain, conn.RemoteErr)
	}
	return plain
}
