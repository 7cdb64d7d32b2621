// Package sink is the counterpart of the clinic's own channels: a mail server, an SMS
// gateway and a browser's push service in one, which keep what they receive and fail
// on demand. Tests and the development stack send to it what would go to patients;
// it sends nothing on.
//
// It removes no duplicates: it counts how often the same key came, so that an auditor
// finds every message that was sent twice.
package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/sync/errgroup"

	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sms"
)

// Config is where a sink listens and what it demands.
type Config struct {
	// MailAddr and HTTPAddr are host:port, on the loopback or in a container of its own;
	// empty means any free port of the loopback.
	MailAddr, HTTPAddr string
	// NoMail leaves the mail server out, where another one takes the mail.
	NoMail bool
	// BaseURL is how others reach HTTPAddr, such as http://sink:8238; empty means by
	// the address it listens on.
	BaseURL string
	// TLS, if given, makes the mail server offer STARTTLS.
	TLS *tls.Config
	// User and Password, if given, make the mail server demand AUTH PLAIN.
	User, Password string
	// SMSKey is the bearer key that the gateway demands; empty means none.
	SMSKey string
	// CallbackKeys sign the gateway's reports.
	CallbackKeys sms.Keys
	// Logger may be nil.
	Logger *slog.Logger
}

// Way is a channel as the sink calls it.
type Way string

// The ways.
const (
	Mail Way = "mail"
	SMS  Way = "sms"
	Push Way = "push"
)

// Outcome is what became of an attempt to send.
type Outcome string

// The outcomes. A sender knows of a lost or dropped one that its end is unknown.
const (
	// Taken: the sink has it and says so, to whoever still waits after its latency.
	Taken Outcome = "taken"
	// Lost: the sink has it and the connection ended without a word.
	Lost Outcome = "lost"
	// Dropped: the sink does not have it, and the connection ended without a word.
	Dropped Outcome = "dropped"
	// Refused: the sink does not have it and said so.
	Refused Outcome = "refused"
)

// Message is one attempt to send, in the order of arrival.
type Message struct {
	Way     Way     `json:"way"`
	Outcome Outcome `json:"outcome"`
	// Key is the sender's: of mail the Message-ID without its domain, "" where it was
	// refused before it was said.
	Key string `json:"key"`
	// Arrival counts from 1 how often this key was taken or lost on this way; 0 for
	// what the sink does not have.
	Arrival int `json:"arrival"`
	// To is an address, a number, or the id of a push subscription.
	To      string `json:"to"`
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
	// Header has the mail's fields that machines read, or the push message's.
	Header map[string]string `json:"header,omitempty"`
	// ExpiresAt is zero where the sender did not say.
	ExpiresAt  time.Time `json:"expiresAt,omitzero"`
	ReceivedAt time.Time `json:"receivedAt"`
	// ProviderID is the gateway's name of a text message.
	ProviderID string `json:"providerId,omitempty"`
	// Reports are what the gateway has reported of it, each once it was posted.
	Reports []Posted `json:"reports,omitempty"`

	callback string
}

// Posted is a report that the gateway has posted.
type Posted struct {
	sms.Report
	// Status is the answer's HTTP status, 0 where nobody answered.
	Status int `json:"status"`
}

// Faults are what goes wrong, from now on.
type Faults struct {
	Mail Fault `json:"mail"`
	SMS  Fault `json:"sms"`
	Push Fault `json:"push"`
	// Reports is what the gateway reports of each text message that it has from now
	// on. Null is the rule: delivered, at once. Empty is nothing, ever.
	Reports []Step `json:"reports"`
}

// Fault is what goes wrong on one way. The counts are of the next attempts and run
// out in this order. Beside them, mail to bounce@ anything is refused for good.
type Fault struct {
	// Refuse is how many are refused for now: 451, or 503 with Retry-After.
	Refuse int `json:"refuse"`
	// Lose is how many are taken without an answer: the connection ends.
	Lose int `json:"lose"`
	// Drop is how many are not taken, without an answer: the connection ends.
	Drop int `json:"drop"`
	// LatencyMS is how long every answer takes, in milliseconds.
	LatencyMS int `json:"latencyMs"`
}

// Step is one report of the gateway about a message.
type Step struct {
	State channel.State `json:"state"`
	// AfterMS is the time since the step before, in milliseconds.
	AfterMS int `json:"afterMs"`
	// Again posts the step before once more, with the same event id, whatever State.
	Again bool `json:"again"`
}

// Sink is a running counterpart. It is safe for concurrent use.
type Sink struct {
	cfg     Config
	mail    *listener
	web     *listener
	smtp    *smtp.Server
	http    *http.Server
	client  *http.Client
	serving errgroup.Group
	// reporting are the gateway's reports under way; ctx ends them.
	reporting sync.WaitGroup
	ctx       context.Context
	stop      context.CancelFunc

	mu       sync.Mutex
	closed   bool
	changed  chan struct{} // closed and replaced at every change
	faults   Faults
	messages []*Message
	browsers map[string]*browser
}

// Open starts a sink. Close stops it.
func Open(cfg Config) (*Sink, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Sink{cfg: cfg, changed: make(chan struct{}), browsers: map[string]*browser{}, client: &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true},
	}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	var err error
	if s.web, err = listen(cfg.HTTPAddr); err != nil {
		return nil, err
	}
	if !cfg.NoMail {
		if s.mail, err = listen(cfg.MailAddr); err != nil {
			return nil, errors.Join(err, s.web.Close())
		}
		s.smtp = s.mailServer()
		s.serving.Go(func() error { return stopped(s.smtp.Serve(s.mail)) })
	}
	s.http = &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	s.serving.Go(func() error { return stopped(s.http.Serve(s.web)) })
	return s, nil
}

// stopped takes the end of an orderly stop for none.
func stopped(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends every connection and returns when nothing runs any more.
func (s *Sink) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	// Connections end first: whoever lingers must not answer because of stop.
	err := s.web.Close()
	if s.mail != nil {
		err = errors.Join(err, s.mail.Close())
	}
	s.stop()
	err = errors.Join(err, s.serving.Wait())
	s.reporting.Wait()
	s.client.CloseIdleConnections()
	// Listeners and connections are closed: these wait for the handlers.
	ctx := context.Background()
	err = errors.Join(err, stopped(s.http.Shutdown(ctx)))
	if s.mail != nil {
		err = errors.Join(err, stopped(s.smtp.Shutdown(ctx)))
	}
	return err
}

// MailAddr is the mail server's host:port, "" without one.
func (s *Sink) MailAddr() string {
	if s.mail == nil {
		return ""
	}
	return s.mail.Addr().String()
}

// HTTPAddr is the host:port of everything else.
func (s *Sink) HTTPAddr() string { return s.web.Addr().String() }

// URL is where others reach the page, without a slash at its end.
func (s *Sink) URL() string {
	if s.cfg.BaseURL != "" {
		return strings.TrimRight(s.cfg.BaseURL, "/")
	}
	return "http://" + s.HTTPAddr()
}

// SMSURL is where the gateway takes messages.
func (s *Sink) SMSURL() string { return s.URL() + "/sms" }

// SetFaults changes what goes wrong from now on; a zero value ends all of it.
func (s *Sink) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Reports = slices.Clone(f.Reports)
	s.faults = f
}

// Messages returns every attempt since Open, oldest first.
func (s *Sink) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copies()
}

func (s *Sink) copies() []Message {
	copies := make([]Message, 0, len(s.messages))
	for _, m := range s.messages {
		c := *m
		c.Reports = slices.Clone(m.Reports)
		copies = append(copies, c)
	}
	return copies
}

// Count tells how often the sink has got the message of that key on that way.
func (s *Sink) Count(way Way, key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count(way, key)
}

func (s *Sink) count(way Way, key string) int {
	n := 0
	for _, m := range s.messages {
		if m.Way == way && m.Key == key && m.Arrival > 0 {
			n++
		}
	}
	return n
}

// Await returns the attempts as soon as done says so of them, or the error of ctx.
func (s *Sink) Await(ctx context.Context, done func([]Message) bool) ([]Message, error) {
	for {
		s.mu.Lock()
		messages, changed := s.copies(), s.changed
		s.mu.Unlock()
		if done(messages) {
			return messages, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return messages, ctx.Err()
		}
	}
}

// change runs do under the lock, then wakes who awaits a change.
func (s *Sink) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	close(s.changed)
	s.changed = make(chan struct{})
}

// keep adds an attempt, counted.
func (s *Sink) keep(m Message) *Message {
	m.ReceivedAt = time.Now().UTC()
	s.change(func() {
		if m.Outcome == Taken || m.Outcome == Lost {
			m.Arrival = s.count(m.Way, m.Key) + 1
		}
		s.messages = append(s.messages, &m)
	})
	return &m
}

// refuses tells whether the next attempt is refused for now, and counts it.
func (s *Sink) refuses(way Way) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return spend(&s.fault(way).Refuse)
}

// outcome is what becomes of an attempt that was not refused, counted.
func (s *Sink) outcome(way Way) Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f := s.fault(way); {
	case spend(&f.Lose):
		return Lost
	case spend(&f.Drop):
		return Dropped
	}
	return Taken
}

func (s *Sink) fault(way Way) *Fault {
	switch way {
	case Mail:
		return &s.faults.Mail
	case SMS:
		return &s.faults.SMS
	default:
		return &s.faults.Push
	}
}

func spend(n *int) bool {
	if *n <= 0 {
		return false
	}
	*n--
	return true
}

// linger waits for the way's latency, or until the sink or the other side ends.
func (s *Sink) linger(ctx context.Context, way Way) {
	s.mu.Lock()
	latency := s.fault(way).LatencyMS
	s.mu.Unlock()
	s.wait(ctx, latency)
}

// wait tells whether the time has passed before the sink was closed.
func (s *Sink) wait(ctx context.Context, ms int) bool {
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return s.ctx.Err() == nil
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return false
}
