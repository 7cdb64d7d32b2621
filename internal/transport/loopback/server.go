package loopback

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/transport/loopback/jsoncall"
)

const (
	// heartbeat is the longest silence on a link that a server keeps.
	heartbeat = 5 * time.Second
	// stuck is how long a client may take to read what it is sent.
	stuck = 30 * time.Second
)

// Server serves a broker under /loopback/. It must be reached from the same
// machine only: whoever reaches it may send and receive.
//
//	POST /loopback/messages     send; answers 200 when the message is on the disk
//	POST /loopback/links        receive: a stream of JSON lines, as long as the link
//	POST /loopback/settlements  accept, release or reject one delivery of a link
//	GET  /loopback/queues       what is on the queues
//	POST /loopback/queues       declare queues
//
// Close the broker before the HTTP server is shut down: links are requests that
// end only then.
type Server struct {
	broker    *Broker
	handler   http.Handler
	heartbeat time.Duration

	mu    sync.Mutex
	links map[string]*link
}

var _ http.Handler = (*Server)(nil)

// NewServer serves b.
func NewServer(b *Broker) *Server {
	s := &Server{broker: b, heartbeat: heartbeat, links: map[string]*link{}}
	mux := http.NewServeMux()
	mux.Handle("POST "+pathSend, jsoncall.Handle(bodyLimit, s.send))
	mux.HandleFunc("POST "+pathLinks, s.stream)
	mux.Handle("POST "+pathSettle, jsoncall.Handle(1<<10, s.settle))
	mux.Handle("GET "+pathQueues, jsoncall.Handle(0, func(*http.Request, jsoncall.None) ([]QueueState, error) { return b.Queues(), nil }))
	mux.Handle("POST "+pathQueues, jsoncall.Handle(1<<20, func(_ *http.Request, d declaration) (jsoncall.None, error) {
		return jsoncall.None{}, b.Declare(d.Queues...)
	}))
	// A page in a browser on the same machine could reach the loopback too.
	s.handler = http.NewCrossOriginProtection().Handler(mux)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Server) send(r *http.Request, m wireMessage) (jsoncall.None, error) {
	return jsoncall.None{}, s.broker.Send(r.Context(), m.message())
}

func (s *Server) settle(_ *http.Request, in settlement) (jsoncall.None, error) {
	s.mu.Lock()
	l := s.links[in.Link]
	s.mu.Unlock()
	switch in.Outcome {
	case accept, release, reject:
	default:
		return jsoncall.None{}, apperr.New(apperr.Invalid, "outcome is accept, release or reject")
	}
	if l == nil {
		return jsoncall.None{}, errEnded(apperr.Conflict)
	}
	return jsoncall.None{}, l.settle(in.Delivery, in.Outcome)
}

// stream is a link: it lives as long as the request.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	var in openLink
	err := jsoncall.Read(w, r, 1<<10, &in)
	if err != nil {
		jsoncall.Fail(w, err)
		return
	}
	l, err := s.broker.link(in.Queue, in.Credit)
	if err != nil {
		jsoncall.Fail(w, err)
		return
	}
	id := uuid.NewString()
	s.mu.Lock()
	s.links[id] = l
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.links, id)
		s.mu.Unlock()
		_ = l.Close(r.Context()) // it cannot fail
	}()

	w.Header().Set("Content-Type", "application/x-ndjson")
	control, lines := http.NewResponseController(w), json.NewEncoder(w)
	write := func(f frame) error {
		if err := control.SetWriteDeadline(time.Now().Add(stuck)); err != nil {
			return err
		}
		return errors.Join(lines.Encode(f), control.Flush())
	}
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }() // the connection may serve on
	next := frame{Link: id, Heartbeat: s.heartbeat.Milliseconds()}
	for {
		if err := write(next); err != nil {
			return
		}
		if next, err = s.next(r.Context(), l); err != nil {
			return
		}
	}
}

// next waits for a delivery, no longer than a heartbeat.
func (s *Server) next(ctx context.Context, l *link) (frame, error) {
	within, cancel := context.WithTimeout(ctx, s.heartbeat)
	defer cancel()
	d, err := l.Receive(within)
	switch {
	case err == nil:
		d := d.(*delivery)
		return frame{Delivery: d.number, Message: wire(&d.message)}, nil
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return frame{}, nil
	default:
		return frame{}, err
	}
}
