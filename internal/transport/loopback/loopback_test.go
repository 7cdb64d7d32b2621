package loopback

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/transporttest"
)

// waitFor and tick bound the waits for what happens in other goroutines.
const waitFor, tick = 10 * time.Second, time.Millisecond

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openBroker(t *testing.T, path string) *Broker {
	t.Helper()
	b, err := Open(Config{Path: path, Queues: []string{"q", "other"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close(context.Background())) })
	return b
}

// serve serves a broker and returns a client of it.
func serve(t *testing.T, b *Broker) (*httptest.Server, *Client) {
	t.Helper()
	server := httptest.NewServer(NewServer(b))
	c, err := NewClient(server.URL)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, c.Close(context.Background()))
		require.NoError(t, b.Close(context.Background())) // ends the streams, which the server waits for
		server.Close()
	})
	return server, c
}

// both runs a test in the broker's process and over HTTP.
func both(t *testing.T, test func(t *testing.T, b *Broker, tr transport.Transport)) {
	t.Parallel()
	t.Run("broker", func(t *testing.T) {
		t.Parallel()
		b := openBroker(t, filepath.Join(t.TempDir(), "queues"))
		test(t, b, b)
	})
	t.Run("client", func(t *testing.T) {
		t.Parallel()
		b := openBroker(t, filepath.Join(t.TempDir(), "queues"))
		_, c := serve(t, b)
		test(t, b, c)
	})
}

// What every transport promises.
func TestContract(t *testing.T) {
	t.Parallel()
	t.Run("broker", func(t *testing.T) {
		t.Parallel()
		transporttest.Contract(t, func(t *testing.T) transporttest.Queue {
			return transporttest.Queue{Transport: openBroker(t, filepath.Join(t.TempDir(), "queues")), Name: "q", Dead: "q.dead"}
		})
	})
	t.Run("client", func(t *testing.T) {
		t.Parallel()
		transporttest.Contract(t, func(t *testing.T) transporttest.Queue {
			_, c := serve(t, openBroker(t, filepath.Join(t.TempDir(), "queues")))
			return transporttest.Queue{Transport: c, Name: "q", Dead: "q.dead"}
		})
	})
}

func message(id string) transport.Message {
	return transport.Message{ID: id, To: "q", Body: []byte(id)}
}

func send(t *testing.T, tr transport.Transport, ids ...string) {
	t.Helper()
	for _, id := range ids {
		require.NoError(t, tr.Send(t.Context(), message(id)))
	}
}

func receiverOf(t *testing.T, tr transport.Transport, queue string, credit int) transport.Receiver {
	t.Helper()
	r, err := tr.Receiver(t.Context(), queue, credit)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r
}

func receive(t *testing.T, r transport.Receiver) transport.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitFor)
	defer cancel()
	d, err := r.Receive(ctx)
	require.NoError(t, err)
	return d
}

// ids receives n messages without settling them.
func ids(t *testing.T, r transport.Receiver, n int) (out []string) {
	t.Helper()
	for range n {
		out = append(out, receive(t, r).Message().ID)
	}
	return out
}

// accepted receives until n messages could be accepted: what a link had fetched
// before it was lost cannot.
func accepted(ctx context.Context, r transport.Receiver, n int) (out []string) {
	for len(out) < n {
		d, err := r.Receive(ctx)
		if err != nil {
			return out
		}
		if d.Accept(ctx) == nil {
			out = append(out, d.Message().ID)
		}
	}
	return out
}

func nothing(t *testing.T, r transport.Receiver) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := r.Receive(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func state(t *testing.T, b *Broker, name string) QueueState {
	t.Helper()
	all := b.Queues()
	i := slices.IndexFunc(all, func(s QueueState) bool { return s.Name == name })
	require.GreaterOrEqual(t, i, 0)
	return all[i]
}

func TestCreditOrderAndSettlement(t *testing.T) {
	both(t, func(t *testing.T, b *Broker, tr transport.Transport) {
		send(t, tr, "1", "2", "3", "4")
		r := receiverOf(t, tr, "q", 2)
		one, two := receive(t, r), receive(t, r)
		require.Equal(t, "1", one.Message().ID)
		require.Equal(t, "2", two.Message().ID)
		nothing(t, r) // credit is used up

		require.NoError(t, one.Release(t.Context()))
		again := receive(t, r)
		require.Equal(t, "1", again.Message().ID, "what is given back is ahead of younger messages")
		require.True(t, again.Message().Redelivered)
		require.False(t, two.Message().Redelivered)

		require.NoError(t, again.Accept(t.Context()))
		require.NoError(t, again.Accept(t.Context()), "the same decision again changes nothing")
		require.NoError(t, two.Reject(t.Context()))
		require.Equal(t, []string{"3", "4"}, ids(t, r, 2))
		require.Equal(t, QueueState{Name: "q", Unsettled: 2, Links: 1}, state(t, b, "q"))

		dead := receive(t, receiverOf(t, tr, "q.dead", 1))
		require.Equal(t, "2", dead.Message().ID)
		require.Equal(t, apperr.Conflict, apperr.KindOf(dead.Reject(t.Context())))
		require.NoError(t, dead.Accept(t.Context()))
		require.Equal(t, QueueState{Name: "q.dead", Links: 1}, state(t, b, "q.dead"))
	})
}

func TestAnEndedLinkGivesBackInOrder(t *testing.T) {
	both(t, func(t *testing.T, b *Broker, tr transport.Transport) {
		send(t, tr, "1", "2", "3", "4", "5")
		r, err := tr.Receiver(t.Context(), "q", 3)
		require.NoError(t, err)
		first := receive(t, r)
		require.Equal(t, []string{"2", "3"}, ids(t, r, 2))
		require.NoError(t, r.Close(t.Context()))
		require.NoError(t, r.Close(t.Context()))
		require.Eventually(t, func() bool { return state(t, b, "q").Ready == 5 }, waitFor, tick)
		require.Equal(t, apperr.Conflict, apperr.KindOf(first.Accept(t.Context())))
		_, err = r.Receive(t.Context())
		require.Equal(t, apperr.Unavailable, apperr.KindOf(err))

		r = receiverOf(t, tr, "q", 5)
		for i := range 5 {
			m := receive(t, r).Message()
			require.Equal(t, fmt.Sprint(i+1), m.ID)
			require.Equal(t, i < 3, m.Redelivered)
		}
	})
}

func TestRefusals(t *testing.T) {
	both(t, func(t *testing.T, b *Broker, tr transport.Transport) {
		ctx := t.Context()
		m := message("1")
		m.To = "nowhere"
		require.Equal(t, apperr.NotFound, apperr.KindOf(tr.Send(ctx, m)))
		m.To = "q.dead"
		require.Equal(t, apperr.NotFound, apperr.KindOf(tr.Send(ctx, m)))
		m.To, m.ID = "q", ""
		require.Equal(t, apperr.Invalid, apperr.KindOf(tr.Send(ctx, m)))
		m.ID, m.Body = "1", make([]byte, transport.MaxBody+1)
		require.Equal(t, apperr.TooLarge, apperr.KindOf(tr.Send(ctx, m)))
		for _, credit := range []int{0, transport.MaxCredit + 1} {
			_, err := tr.Receiver(ctx, "q", credit)
			require.Equal(t, apperr.Invalid, apperr.KindOf(err))
		}
		r, err := tr.Receiver(ctx, "nowhere", 1)
		if err == nil { // the client asks when it connects
			_, err = r.Receive(ctx)
			require.NoError(t, r.Close(ctx))
		}
		require.Equal(t, apperr.NotFound, apperr.KindOf(err))
		require.Equal(t, apperr.Invalid, apperr.KindOf(b.Declare("x.dead")))
		require.Equal(t, QueueState{Name: "q"}, state(t, b, "q"))
		require.NoError(t, tr.Close(ctx))
		require.NoError(t, b.Close(ctx))
		require.Equal(t, apperr.Unavailable, apperr.KindOf(b.Send(ctx, message("1"))))
	})
}

func TestDurability(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queues")
	b := openBroker(t, path)
	send(t, b, "1", "2", "3", "4")
	r := receiverOf(t, b, "q", 4)
	one, two, three := receive(t, r), receive(t, r), receive(t, r)
	require.NoError(t, one.Accept(t.Context()))
	require.NoError(t, two.Reject(t.Context()))
	require.NoError(t, three.Release(t.Context()))
	require.NoError(t, b.Close(t.Context()))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	b = openBroker(t, path)
	require.Equal(t, []string{"3", "4"}, ids(t, receiverOf(t, b, "q", 4), 2))
	require.Equal(t, []string{"2"}, ids(t, receiverOf(t, b, "q.dead", 4), 1))
	send(t, b, "5")
	require.NoError(t, b.Close(t.Context()))
	small, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, small.Size(), info.Size(), "what is settled leaves the file")

	// A queue that the registry does not name any more keeps its messages.
	b, err = Open(Config{Path: path})
	require.NoError(t, err)
	require.Equal(t, 3, state(t, b, "q").Ready)
	require.NoError(t, b.Close(t.Context()))
}

func TestACrashInTheMiddleOfAWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "queues")
	b := openBroker(t, path)
	send(t, b, "1")
	require.NoError(t, b.Close(t.Context()))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	b = openBroker(t, path)
	send(t, b, "2")
	require.NoError(t, b.Close(t.Context()))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(whole), string(before)))

	for size := len(before); size <= len(whole); size++ {
		torn := filepath.Join(dir, fmt.Sprint(size))
		require.NoError(t, os.WriteFile(torn, whole[:size], 0o600))
		b := openBroker(t, torn)
		send(t, b, "3")
		want := []string{"1", "3"}
		if size == len(whole) {
			want = []string{"1", "2", "3"}
		}
		require.Equal(t, want, ids(t, receiverOf(t, b, "q", 5), len(want)), size)
		require.NoError(t, b.Close(t.Context()))
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	var seconds atomic.Int64
	b, err := Open(Config{Path: filepath.Join(t.TempDir(), "queues"), Queues: []string{"q"}, Now: func() time.Time { return time.Unix(seconds.Load(), 0) }})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close(context.Background())) }()
	m := message("old")
	m.TTL = 15 * time.Second
	require.NoError(t, b.Send(t.Context(), m))
	send(t, b, "new")
	seconds.Store(15)
	r := receiverOf(t, b, "q", 5)
	require.Equal(t, []string{"new"}, ids(t, r, 1))
	require.Equal(t, []string{"old"}, ids(t, receiverOf(t, b, "q.dead", 1), 1))
}

func TestAClientThatDiesLosesNothing(t *testing.T) {
	t.Parallel()
	b := openBroker(t, filepath.Join(t.TempDir(), "queues"))
	server, _ := serve(t, b)
	dying, err := NewClient(server.URL)
	require.NoError(t, err)
	send(t, b, "1", "2")
	r, err := dying.Receiver(t.Context(), "q", 2)
	require.NoError(t, err)
	d := receive(t, r)
	server.CloseClientConnections() // as a killed process does
	require.Eventually(t, func() bool { s := state(t, b, "q"); return s.Ready == 2 && s.Links == 0 }, waitFor, tick)
	require.Equal(t, apperr.Conflict, apperr.KindOf(settled(t, d)))
	ctx, cancel := context.WithTimeout(t.Context(), waitFor)
	defer cancel()
	require.Equal(t, []string{"1", "2"}, accepted(ctx, r, 2), "a living client connects again by itself")
	require.NoError(t, dying.Close(t.Context()))
}

// settled accepts once the client has noticed that its link is lost, or the server
// has told it.
func settled(t *testing.T, d transport.Delivery) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitFor)
	defer cancel()
	return d.Accept(ctx)
}

// listen binds an address, again if need be.
func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	var l net.Listener
	require.Eventually(t, func() bool {
		var err error
		l, err = net.Listen("tcp", address)
		return err == nil
	}, waitFor, tick)
	return l
}

func TestAServerRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queues")
	b := openBroker(t, path)
	listener := listen(t, "127.0.0.1:0")
	address := listener.Addr().String()
	server := &http.Server{Handler: NewServer(b), ReadHeaderTimeout: waitFor}
	served := make(chan error, 2)
	go func() { served <- server.Serve(listener) }()

	c, err := NewClient("http://" + address)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close(context.Background())) }()
	r := receiverOf(t, c, "q", 4)
	send(t, c, "1", "2", "3")
	require.NoError(t, receive(t, r).Accept(t.Context()))
	require.Equal(t, []string{"2"}, ids(t, r, 1))

	require.NoError(t, b.Close(t.Context()))
	require.NoError(t, server.Shutdown(t.Context()))
	require.ErrorIs(t, <-served, http.ErrServerClosed)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(c.Send(t.Context(), message("4"))))
	ctx, cancel := context.WithTimeout(t.Context(), waitFor)
	defer cancel()
	waiting := make(chan []string, 1)
	go func() { waiting <- accepted(ctx, r, 2) }()

	b = openBroker(t, path)
	server = &http.Server{Handler: NewServer(b), ReadHeaderTimeout: waitFor}
	again := listen(t, address)
	go func() { served <- server.Serve(again) }()
	require.Equal(t, []string{"2", "3"}, <-waiting, "what was accepted stays accepted; the rest comes again")
	require.NoError(t, c.Send(t.Context(), message("4")))
	require.NoError(t, r.Close(t.Context()))
	require.NoError(t, b.Close(t.Context()))
	require.NoError(t, server.Shutdown(t.Context()))
	require.ErrorIs(t, <-served, http.ErrServerClosed)
}

func TestSilenceEndsALink(t *testing.T) {
	t.Parallel()
	links := make(chan struct{}, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		links <- struct{}{}
		_, _ = fmt.Fprintln(w, `{"link":"x","heartbeatMs":10}`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // a server that hangs
	}))
	defer server.Close()
	c, err := NewClient(server.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close(context.Background())) }()
	r := receiverOf(t, c, "q", 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); _, _ = r.Receive(ctx) }()
	<-links
	<-links // it has connected again
	cancel()
	<-done
}

func TestHeartbeatsKeepALink(t *testing.T) {
	t.Parallel()
	b := openBroker(t, filepath.Join(t.TempDir(), "queues"))
	handler := NewServer(b)
	handler.heartbeat = 150 * time.Millisecond
	server := httptest.NewServer(handler)
	defer server.Close()
	defer func() { require.NoError(t, b.Close(context.Background())) }()
	c, err := NewClient(server.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close(context.Background())) }()
	r := receiverOf(t, c, "q", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	_, err = r.Receive(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	first := r.(*receiver).session
	send(t, b, "1")
	require.Equal(t, []string{"1"}, ids(t, r, 1))
	require.Same(t, first, r.(*receiver).session)
}

func TestABrowserOfAnotherOriginIsRefused(t *testing.T) {
	t.Parallel()
	b := openBroker(t, filepath.Join(t.TempDir(), "queues"))
	server, _ := serve(t, b)
	for name, header := range map[string]map[string]string{
		"simple request": {"Content-Type": "text/plain"},
		"cross-site":     {"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+pathSend, strings.NewReader(`{"id":"1","to":"q","body":""}`))
		require.NoError(t, err)
		for k, v := range header {
			req.Header.Set(k, v)
		}
		resp, err := server.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.GreaterOrEqual(t, resp.StatusCode, 400, name)
	}
	require.Zero(t, state(t, b, "q").Ready)
}

func TestAddressOfTheServer(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "127.0.0.1:1", "https://x", "http://", "http://x?a=b"} {
		_, err := NewClient(bad)
		require.Equal(t, apperr.Invalid, apperr.KindOf(err), bad)
	}
}

func TestADamagedFileIsNotOpened(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"later version": `{"op":"lease","seq":1}`,
		"no message":    `{"op":"put","seq":1}`,
		"other file":    `[]`,
	} {
		path := filepath.Join(t.TempDir(), "queues")
		require.NoError(t, os.WriteFile(path, []byte(line+"\n"), 0o600))
		_, err := Open(Config{Path: path})
		require.ErrorContains(t, err, "line 1", name)
	}
}

func TestManyMessages(t *testing.T) {
	t.Parallel()
	n, senders := int64(10_000), 64
	if testing.Short() {
		n = 1000 // the race detector is slow, and does not need them all
	}
	b := openBroker(t, filepath.Join(t.TempDir(), "queues"))
	_, c := serve(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	var next, received atomic.Int64
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				if err := b.Send(ctx, message(fmt.Sprint(i))); err != nil {
					cancel()
					return
				}
			}
		})
	}
	r := receiverOf(t, c, "q", senders)
	for range senders {
		all.Go(func() {
			for received.Load() < n {
				d, err := r.Receive(ctx)
				if err != nil {
					return
				}
				if d.Accept(ctx) == nil && received.Add(1) == n {
					cancel()
				}
			}
		})
	}
	all.Wait()
	require.Equal(t, n, received.Load())
	t.Logf("%d messages sent, and received and settled over HTTP, in %s", n, time.Since(start).Round(time.Millisecond))
}
