// Package webpush sends the clinic's notices to the browsers that a patient has
// allowed it for: generic event delivery (RFC 8030), encrypted for the browser
// (RFC 8291), signed by us (RFC 8292). It comes in addition to another channel, never
// instead of one.
package webpush

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/once"
	"github.com/helsebro/helsebro/internal/config"
)

// longestLife is how long a push service is asked to keep a message, at most: it
// keeps none longer than four weeks.
const longestLife = 28 * 24 * time.Hour

// topicChars is what a Topic may have (RFC 8030 §5.4).
const topicChars = 32

// Payload is what the browser's service worker decrypts.
type Payload struct {
	// ID is the message's key: a notification's tag, so that a repeat shows once.
	ID    string `json:"id"`
	Title string `json:"title"`
	Body  string `json:"body"`
}

// Sender sends Web Push. It is safe for concurrent use.
type Sender struct {
	vapid  *vapid
	client *once.Client
	local  bool
	now    func() time.Time
}

var _ channel.Sender = (*Sender)(nil)

// New makes a sender; it connects to nothing. A wrong key is apperr.Invalid.
//
// An endpoint is whatever a browser says. Unless local allows it, a sender therefore
// connects to no address inside our own network, whatever a name resolves to.
func New(cfg config.WebPush, local bool) (*Sender, error) {
	v, err := newVAPID(cfg.Key, cfg.Subject)
	if err != nil {
		return nil, err
	}
	control := publicOnly
	if local {
		control = nil
	}
	return &Sender{vapid: v, client: once.NewClient(cfg.Timeout, control), local: local, now: time.Now}, nil
}

// PublicKey is what browsers subscribe with: applicationServerKey, as base64url.
func (s *Sender) PublicKey() string { return s.vapid.public }

// publicOnly refuses a connection to an address of our own network.
func publicOnly(_, address string, _ syscall.RawConn) error {
	if at, err := netip.ParseAddrPort(address); err == nil && public(at.Addr()) {
		return nil
	}
	return refusedAddress("the push service's name leads into a private network")
}

func refusedAddress(why string) *channel.Refused {
	return &channel.Refused{Permanent: true, Code: channel.CodeAddress, Cause: errors.New(why)}
}

// Send implements channel.Sender; To is a subscription as JSON. While the push service
// still holds a message, one with the same key replaces it (Topic).
func (s *Sender) Send(ctx context.Context, m channel.Message) (channel.Result, error) {
	now := s.now()
	if err := m.Check(now); err != nil {
		return channel.Result{}, err
	}
	to, err := ParseSubscription(m.To, s.local)
	if err != nil {
		return channel.Result{}, &channel.Refused{Permanent: true, Code: channel.CodeAddress, Cause: err}
	}
	req, err := s.request(ctx, m, to, now)
	if err != nil {
		return channel.Result{}, err
	}
	answer, err := s.client.Do(req)
	if err != nil {
		return channel.Result{}, err
	}
	return result(answer, now)
}

func (s *Sender) request(ctx context.Context, m channel.Message, to Subscription, now time.Time) (*http.Request, error) {
	plain, err := json.Marshal(Payload{ID: m.Key, Title: m.Subject, Body: m.Body})
	if err != nil || len(plain) > maxPlain {
		return nil, &channel.Refused{Permanent: true, Code: "text", Cause: errors.New("the text is too long for a push message")}
	}
	endpoint, err := url.Parse(to.Endpoint)
	if err != nil {
		return nil, refusedAddress("the endpoint is not a URL")
	}
	body, err := encrypt(plain, to)
	if err != nil {
		return nil, refusedAddress("the subscription's key cannot be used")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, refusedAddress("the endpoint is not a URL")
	}
	authorization, err := s.vapid.authorization(endpoint, now)
	if err != nil {
		return nil, &channel.Refused{Code: "token", Cause: errors.New("the token could not be signed")}
	}
	topic := sha256.Sum256([]byte(m.Key))
	life := min(m.ExpiresAt.Sub(now), longestLife)
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Content-Encoding", "aes128gcm")
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("TTL", strconv.FormatInt(int64(life/time.Second), 10))
	// RFC 8030 §5.3 names a calendar's message as the example of normal.
	req.Header.Set("Urgency", "normal")
	req.Header.Set("Topic", base64.RawURLEncoding.EncodeToString(topic[:])[:topicChars])
	return req, nil
}

// result reads the push service's answer (RFC 8030 §5, §7.3). A server's error is a
// refusal for now: where it was none, Topic and tag make one notification of two.
func result(a once.Answer, now time.Time) (channel.Result, error) {
	code := once.Code(a.Status)
	switch {
	case a.Status/100 == 2:
		return channel.Result{State: channel.Accepted}, nil
	case a.Status == http.StatusNotFound || a.Status == http.StatusGone:
		return channel.Result{}, &channel.Refused{Permanent: true, Gone: true, Code: code}
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusRequestTimeout, a.Status == http.StatusTooEarly,
		a.Status == http.StatusTooManyRequests, a.Status/100 == 5:
		return channel.Result{}, &channel.Refused{Code: code, After: once.After(a.Header, now)}
	case a.Status/100 == 3 || a.Status/100 == 4:
		return channel.Result{}, &channel.Refused{Permanent: true, Code: code}
	}
	return channel.Result{}, &channel.Unknown{Code: code}
}
