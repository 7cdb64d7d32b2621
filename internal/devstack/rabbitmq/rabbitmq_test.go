package rabbitmq_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/devstack/ports"
	"github.com/helsebro/helsebro/internal/devstack/rabbitmq"
	"github.com/helsebro/helsebro/internal/testsize"
	"github.com/helsebro/helsebro/internal/transport"
	amqptransport "github.com/helsebro/helsebro/internal/transport/amqp"
	"github.com/helsebro/helsebro/internal/transport/transporttest"
)

// queues are declared for all tests; each takes one of its own.
const queues = 40

var (
	broker *rabbitmq.Broker
	taken  atomic.Int32
)

func names() (all []string) {
	for n := range int32(queues) {
		all = append(all, queue(n))
	}
	return all
}

func queue(n int32) string { return fmt.Sprintf("q%d_async", n) }

// childDirectory tells TestMain to be the program whose death a test watches.
const childDirectory = "RABBITMQ_TEST_CHILD_DIRECTORY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDirectory); dir != "" {
		b, err := rabbitmq.Start(context.Background(), rabbitmq.Config{Dir: dir})
		fmt.Println("started", b != nil, err)
		select {}
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "helsebro-rabbitmq-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if broker, err = rabbitmq.Start(ctx, rabbitmq.Config{Dir: dir, Queues: names(), Progress: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = broker.Kill() }() // that of the end; its data go with it
	return m.Run()
}

func config(t testing.TB) amqptransport.Config {
	t.Helper()
	ca, err := os.ReadFile(broker.CAFile())
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca))
	return amqptransport.Config{URL: broker.URL(), AddressVersion: 1, TLS: &tls.Config{RootCAs: roots}}
}

// client is a client of its own.
func client(t *testing.T) *amqptransport.Client {
	t.Helper()
	c, err := amqptransport.New(config(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close(context.Background())) })
	return c
}

// fresh is an empty queue with a client of its own.
func fresh(t *testing.T) transporttest.Queue {
	t.Helper()
	n := taken.Add(1) - 1
	require.Less(t, n, int32(queues), "declare more queues")
	return transporttest.Queue{Transport: client(t), Name: queue(n), Dead: rabbitmq.DeadLetters(queue(n))}
}

// What is not parallel has the broker for itself: it ends it, or changes its settings.
func TestContract(t *testing.T) { transporttest.Contract(t, fresh) }

// What nobody takes in time is a dead letter.
func TestExpiry(t *testing.T) {
	t.Parallel()
	q := fresh(t)
	m := transport.Message{ID: "old", To: q.Name, TTL: 20 * time.Millisecond, Body: []byte("x")}
	require.NoError(t, q.Transport.Send(t.Context(), m))
	require.Equal(t, []string{"old"}, transporttest.IDs(t, q.Receiver(t, q.Dead, 1), 1))
}

// A backlog is drained to its end, whatever the credit: with automatic credit RabbitMQ 3.10
// stops in the middle.
func TestABacklogIsDrained(t *testing.T) {
	const n = 5000
	for _, credit := range []int{1, 16, 200} {
		q := fresh(t)
		var sending sync.WaitGroup
		began := time.Now()
		for s := range 8 {
			sending.Go(func() {
				for i := s; i < n; i += 8 {
					if err := q.Transport.Send(t.Context(), transport.Message{ID: fmt.Sprint(i), To: q.Name, Body: make([]byte, 1024)}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		sending.Wait()
		sent := time.Since(began)
		began = time.Now()
		r := q.Receiver(t, q.Name, credit)
		seen := map[string]bool{}
		for len(seen) < n {
			d := transporttest.Receive(t, r)
			require.NoError(t, d.Accept(t.Context()))
			seen[d.Message().ID] = true
		}
		t.Logf("credit %d: %.0f/s sent with receipt, %.0f/s received and accepted", credit, n/sent.Seconds(), n/time.Since(began).Seconds())
	}
}

// A broker that crashes in the middle loses nothing that it had accepted, and what was
// sent again because nobody knew is known by its id.
func TestACrashOfTheBroker(t *testing.T) {
	q, receiving := fresh(t), client(t)
	n := testsize.Scaled(2000, 300)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var sent atomic.Int32
	var work sync.WaitGroup
	for s := range 4 {
		work.Go(func() {
			for i := s; i < n; i += 4 {
				for {
					err := q.Transport.Send(ctx, transport.Message{ID: fmt.Sprint(i), To: q.Name, Body: []byte("x")})
					if err == nil {
						sent.Add(1)
						break
					}
					if !apperr.Is(err, apperr.Unavailable) {
						t.Error(err)
						return
					}
					wait(ctx, 50*time.Millisecond)
				}
			}
		})
	}
	seen := map[string]int{}
	work.Go(func() {
		r, err := receiving.Receiver(ctx, q.Name, 10)
		if err != nil {
			t.Error(err)
			return
		}
		for len(seen) < n {
			d, err := r.Receive(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			if d.Accept(ctx) == nil { // else it comes again
				seen[d.Message().ID]++
			}
		}
	})
	require.Eventually(t, func() bool { return int(sent.Load()) > n/4 }, time.Minute, time.Millisecond)
	require.NoError(t, broker.Kill())
	require.NoError(t, broker.Restart(ctx))
	work.Wait()
	require.Len(t, seen, n, "every message that was accepted arrived")
	require.EqualValues(t, n, sent.Load())
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// A connection that is cut is made again, and nothing in flight is lost.
func TestACutConnection(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t)
	c := proxy.client(t)
	q := fresh(t)
	r, err := c.Receiver(t.Context(), q.Name, 2)
	require.NoError(t, err)
	for i := range testsize.Scaled(500, 10) {
		id := fmt.Sprint(i)
		q.Send(t, id)
		d := transporttest.Receive(t, r)
		require.Equal(t, id, d.Message().ID)
		proxy.cut()
		began := time.Now()
		again := transporttest.Receive(t, r)
		require.Equal(t, id, again.Message().ID, "what was unsettled comes again")
		require.True(t, again.Message().Redelivered)
		require.Less(t, time.Since(began), 5*time.Second)
		require.Equal(t, apperr.Conflict, apperr.KindOf(d.Accept(t.Context())), "the old link settles nothing")
		require.NoError(t, again.Accept(t.Context()))
		require.Eventually(t, func() bool {
			return c.Send(t.Context(), transport.Message{ID: "back" + id, To: q.Name, Body: []byte("x")}) == nil
		}, transporttest.WaitFor, 20*time.Millisecond)
		d = transporttest.Receive(t, r)
		require.Equal(t, "back"+id, d.Message().ID)
		require.NoError(t, d.Accept(t.Context()))
	}
}

// A connection that is open and silent, as behind a firewall that has forgotten it, is given
// up and made again.
func TestAHalfOpenConnection(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t)
	c := proxy.client(t, func(cfg *amqptransport.Config) { cfg.IdleTimeout = 2 * time.Second })
	q := fresh(t)
	r, err := c.Receiver(t.Context(), q.Name, 2)
	require.NoError(t, err)
	q.Send(t, "1")
	require.NoError(t, transporttest.Receive(t, r).Accept(t.Context()))
	// What is accepted after it has gone the same way, so that it is settled there.
	require.NoError(t, c.Send(t.Context(), transport.Message{ID: "after", To: q.Dead, Body: []byte("x")}))
	proxy.silence()
	q.Send(t, "2") // by another connection
	began := time.Now()
	d := transporttest.Receive(t, r)
	require.Equal(t, "2", d.Message().ID)
	require.Greater(t, time.Since(began), time.Second, "the old connection was silent")
	require.NoError(t, d.Accept(t.Context()))
}

// What a broker that says nothing any more was asked is unknown, and it is not waited for
// when everything is closed.
func TestASilentBrokerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	q, proxy := fresh(t), newProxy(t)
	c := proxy.client(t, func(cfg *amqptransport.Config) { cfg.AnswerWithin = time.Second })
	m := transport.Message{ID: "1", To: q.Name, Body: []byte("x")}
	require.NoError(t, c.Send(t.Context(), m))
	for range 10 {
		r, err := c.Receiver(t.Context(), q.Name, 1)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, _ = r.Receive(ctx) // makes the link
		cancel()
	}
	proxy.silence()
	err := c.Send(t.Context(), m)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	require.ErrorContains(t, err, "the broker did not answer within 1s")
	began := time.Now()
	require.NoError(t, c.Close(t.Context()))
	require.Less(t, time.Since(began), 5*time.Second, "one bound for all links together")
}

// A link that ends while everything is unsettled is noticed, though nothing is waited for
// on it. RabbitMQ ends the session of a receiver that settles nothing for half an hour.
func TestALinkThatEndsWhileCreditIsUsedUp(t *testing.T) {
	_, err := broker.Control(t.Context(), "eval", "application:set_env(rabbit, consumer_timeout, 1000), application:set_env(rabbit, channel_tick_interval, 500).")
	require.NoError(t, err)
	defer func() {
		_, err := broker.Control(context.Background(), "eval", "application:set_env(rabbit, consumer_timeout, 1800000), application:set_env(rabbit, channel_tick_interval, 60000).")
		require.NoError(t, err)
	}()
	q := fresh(t)
	q.Send(t, "1", "2")
	r := q.Receiver(t, q.Name, 1)
	first := transporttest.Receive(t, r)
	again := transporttest.Receive(t, r)
	require.Equal(t, []string{"1", "1"}, []string{first.Message().ID, again.Message().ID})
	require.True(t, again.Message().Redelivered)
	require.Equal(t, apperr.Conflict, apperr.KindOf(first.Accept(t.Context())))
	require.NoError(t, again.Accept(t.Context()))
	require.Equal(t, []string{"2"}, transporttest.IDs(t, r, 1))
}

// A queue that is taken away under its receivers is said to be gone.
func TestAQueueThatIsTakenAway(t *testing.T) {
	t.Parallel()
	q := fresh(t)
	q.Send(t, "1")
	full, waits := q.Receiver(t, q.Name, 1), q.Receiver(t, q.Name, 1)
	transporttest.Receive(t, full)
	ended := make(chan error, 2)
	for _, r := range []transport.Receiver{full, waits} {
		go func() { _, err := r.Receive(context.Background()); ended <- err }()
	}
	_, err := broker.Control(t.Context(), "delete_queue", q.Name)
	require.NoError(t, err)
	for range 2 {
		select {
		case err := <-ended:
			require.Equal(t, apperr.NotFound, apperr.KindOf(err))
			require.ErrorContains(t, err, "the broker has no queue "+q.Name)
		case <-time.After(transporttest.WaitFor):
			require.Fail(t, "a receiver waits on a queue that is gone")
		}
	}
}

// Bodies that are held unsettled have a bound of their own, however small the messages
// before were.
func TestLargeMessagesAreHeldInSmallNumber(t *testing.T) {
	t.Parallel()
	q := fresh(t)
	for i := range 8 {
		require.NoError(t, q.Transport.Send(t.Context(), transport.Message{ID: fmt.Sprint(i), To: q.Name, Body: make([]byte, 12<<20)}))
	}
	r := q.Receiver(t, q.Name, 16)
	var held []transport.Delivery
	for len(held) < 6 { // 72 MiB: no other is sure to fit into 80
		held = append(held, transporttest.Receive(t, r))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := r.Receive(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, held[0].Accept(t.Context()))
	require.Equal(t, "6", transporttest.Receive(t, r).Message().ID)
}

// Each of two processes gets messages of a queue, and each message goes to one of them.
func TestTwoClientsShareAQueue(t *testing.T) {
	t.Parallel()
	q, other := fresh(t), client(t)
	const n = 200
	for i := range n {
		q.Send(t, fmt.Sprint(i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), transporttest.WaitFor)
	defer cancel()
	var taken sync.Map
	var count atomic.Int32
	var by [2]atomic.Int32
	var work sync.WaitGroup
	for i, c := range []transport.Transport{q.Transport, other} {
		r, err := c.Receiver(ctx, q.Name, 4)
		require.NoError(t, err)
		work.Go(func() {
			for {
				d, err := r.Receive(ctx)
				if err != nil {
					return
				}
				if _, twice := taken.LoadOrStore(d.Message().ID, true); twice || d.Accept(ctx) != nil {
					t.Errorf("message %s went to both", d.Message().ID)
				}
				by[i].Add(1)
				if count.Add(1) == n {
					cancel()
				}
			}
		})
	}
	work.Wait()
	require.EqualValues(t, n, count.Load())
	require.NotZero(t, by[0].Load())
	require.NotZero(t, by[1].Load())
}

// Nobody gets in without the password, not even as the guest that RabbitMQ has by itself.
func TestNobodyElseGetsIn(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	u, err := url.Parse(cfg.URL)
	require.NoError(t, err)
	for name, sasl := range map[string]amqp.SASLType{
		"nobody": nil, "anonymous": amqp.SASLTypeAnonymous(), "guest": amqp.SASLTypePlain("guest", "guest"), "without a password": amqp.SASLTypePlain(u.User.Username(), ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), transporttest.WaitFor)
			defer cancel()
			conn, err := amqp.Dial(ctx, "amqps://"+u.Host, &amqp.ConnOptions{TLSConfig: cfg.TLS, SASLType: sasl})
			if err == nil {
				_, err = conn.NewSession(ctx, nil)
				_ = conn.Close()
			}
			require.Error(t, err)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

// A broker dies with the program that started it, however that ends, with all its helpers.
func TestTheBrokerDiesWithItsParent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), childDirectory+"="+dir)
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	said, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "started true <nil>\n", said)
	require.NotEmpty(t, processesOf(dir))
	require.NoError(t, parent.Process.Kill())
	require.Error(t, parent.Wait())
	require.Eventually(t, func() bool { return len(processesOf(dir)) == 0 }, transporttest.WaitFor, 20*time.Millisecond)
}

// processesOf are the processes of the broker in dir, its name service among them.
func processesOf(dir string) (found []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		if environment, _ := os.ReadFile(path); strings.Contains(string(environment), "RABBITMQ_CONFIG_FILE="+dir) {
			found = append(found, path)
		}
	}
	return found
}

// proxy stands between a client and the broker.
type proxy struct {
	addr string
	// silent is closed when the connections that are open carry nothing more.
	silent chan struct{}
	mu     sync.Mutex
	open   []net.Conn
}

// client is a client that reaches the broker through the proxy.
func (p *proxy) client(t *testing.T, settings ...func(*amqptransport.Config)) *amqptransport.Client {
	t.Helper()
	cfg := config(t)
	u, err := url.Parse(cfg.URL)
	require.NoError(t, err)
	u.Host = p.addr
	cfg.URL = u.String()
	for _, set := range settings {
		set(&cfg)
	}
	c, err := amqptransport.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close(context.Background())) })
	return c
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	u, err := url.Parse(broker.URL())
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{addr: l.Addr().String(), silent: make(chan struct{})}
	t.Cleanup(func() { require.NoError(t, l.Close()); p.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", u.Host)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.open = append(p.open, in, out)
			silent := p.silent
			p.mu.Unlock()
			go carry(out, in, silent)
			go carry(in, out, silent)
		}
	}()
	return p
}

// carry copies until one side ends; what comes after silence is dropped.
func carry(to, from net.Conn, silent <-chan struct{}) {
	defer to.Close() //nolint:errcheck // the other side has ended
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-silent:
		default:
			if _, failed := to.Write(buf[:n]); failed != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// silence lets the open connections stand, and carries nothing on them any more.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.silent)
	p.silent = make(chan struct{})
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		_ = c.Close()
	}
	p.open = nil
}

// raw is a session of somebody else's client.
func raw(t *testing.T) *amqp.Session {
	t.Helper()
	cfg := config(t)
	u, err := url.Parse(cfg.URL)
	require.NoError(t, err)
	password, _ := u.User.Password()
	conn, err := amqp.Dial(t.Context(), "amqps://"+u.Host, &amqp.ConnOptions{TLSConfig: cfg.TLS, SASLType: amqp.SASLTypePlain(u.User.Username(), password)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // the broker may be gone
	session, err := conn.NewSession(t.Context(), nil)
	require.NoError(t, err)
	return session
}

// What others write is read: ids as UUIDs, whole addresses, numbers.
func TestWhatOthersWrite(t *testing.T) {
	t.Parallel()
	q := fresh(t)
	sender, err := raw(t).NewSender(t.Context(), "/amq/queue/"+q.Name, nil)
	require.NoError(t, err)
	to := "tb.test.nhn.no/NHNTestServiceBus/" + q.Name
	require.NoError(t, sender.Send(t.Context(), &amqp.Message{
		Properties:            &amqp.MessageProperties{MessageID: amqp.UUID{15: 1}, To: &to, ReplyTo: &to},
		ApplicationProperties: map[string]any{"fromHerId": int64(800001), "toHerId": "600201"},
		Data:                  [][]byte{[]byte("ab")},
	}, nil))
	m := transporttest.Receive(t, q.Receiver(t, q.Name, 1)).Message()
	require.Equal(t, "00000000-0000-0000-0000-000000000001", m.ID)
	require.Empty(t, m.Subject, "the routing key is none")
	require.Equal(t, []any{q.Name, q.Name, 800001, 600201, "ab"}, []any{m.To, m.ReplyTo, m.FromHerID, m.ToHerID, string(m.Body)})
}

// A message may be larger than any that is sent: it is brought whole, so that it can be
// kept aside.
func TestOversizeIsBrought(t *testing.T) {
	t.Parallel()
	q := fresh(t)
	sender, err := raw(t).NewSender(t.Context(), "/amq/queue/"+q.Name, nil)
	require.NoError(t, err)
	require.NoError(t, sender.Send(t.Context(), amqp.NewMessage(make([]byte, transport.MaxBody+1)), nil))
	d := transporttest.Receive(t, q.Receiver(t, q.Name, 1))
	require.Len(t, d.Message().Body, transport.MaxBody+1)
	require.NoError(t, d.Accept(t.Context()))
}

func TestSelfTest(t *testing.T) {
	t.Parallel()
	q := fresh(t)
	require.Empty(t, client(t).SelfTest(t.Context(), []string{q.Name}))
	found := client(t).SelfTest(t.Context(), []string{q.Name, "nowhere_async"})
	require.Len(t, found, 1)
	require.ErrorContains(t, found[0], "the broker has no queue nowhere_async")

	for name, change := range map[string]func(*amqptransport.Config){
		"check HELSEBRO_AMQP_URL and its user and password": func(c *amqptransport.Config) { c.URL = strings.Replace(c.URL, "helsebro:", "helsebro:feil", 1) },
		"certificate": func(c *amqptransport.Config) { c.TLS = nil },
		"the broker has no exchange NHNTESTServiceBus": func(c *amqptransport.Config) {
			c.URL = strings.Replace(c.URL, rabbitmq.Exchange, "NHNTESTServiceBus", 1)
		},
		"HELSEBRO_AMQP_ADDRESS_VERSION=1": func(c *amqptransport.Config) { c.AddressVersion = 2 },
	} {
		cfg := config(t)
		change(&cfg)
		c, err := amqptransport.New(cfg)
		require.NoError(t, err)
		found := c.SelfTest(t.Context(), []string{q.Name})
		require.NotEmpty(t, found, name)
		var all []string
		for _, f := range found {
			all = append(all, f.Error())
		}
		require.Contains(t, strings.Join(all, "\n"), name)
		require.NoError(t, c.Close(t.Context()))
	}
}

// A broker that is stopped leaves nothing behind, and one on the same directory has what it
// had, on whatever port.
func TestStopAndStartAgain(t *testing.T) {
	q := fresh(t)
	q.Send(t, "1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := rabbitmq.Config{Dir: filepath.Dir(broker.CAFile()), Queues: names()}
	_, err := rabbitmq.Start(ctx, again)
	require.EqualError(t, err, "another RabbitMQ runs on "+again.Dir+": stop it, or choose another directory")

	require.NoError(t, broker.Stop(ctx))
	<-broker.Ended()
	require.NoError(t, broker.Stop(ctx), "stopping twice is harmless")
	require.Empty(t, processesOf(again.Dir))
	before := broker.URL()
	broker, err = rabbitmq.Start(ctx, again)
	require.NoError(t, err)
	require.NotEqual(t, before, broker.URL())
	q.Transport = client(t)
	require.Equal(t, []string{"1"}, transporttest.IDs(t, q.Receiver(t, q.Name, 1), 1))
}

func TestATakenPortIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // the test ends
	_, err = rabbitmq.Start(t.Context(), rabbitmq.Config{Dir: t.TempDir(), Port: l.Addr().(*net.TCPAddr).Port})
	var taken *ports.InUseError
	require.ErrorAs(t, err, &taken)
	require.ErrorContains(t, err, "for RabbitMQ")
	require.ErrorContains(t, err, rabbitmq.PortVariable)
}
