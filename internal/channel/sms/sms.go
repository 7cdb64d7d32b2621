// Package sms sends the clinic's notices as text messages through an HTTP gateway,
// and verifies what the gateway reports about them.
//
// It speaks one small protocol, which an adapter in front of any operator's gateway
// can offer. A message is posted as JSON with the bearer key and, as header
// Idempotency-Key, its id:
//
//	{"id": "…", "to": "+4790000000", "from": "Legen", "text": "…",
//	 "callback": "https://…", "expiresAt": "2026-05-04T09:00:00Z"}
//
// The gateway answers 2xx, or 409 where it has that id already, with the id, its own
// name of the message and how far it is:
//
//	{"id": "…", "providerId": "…", "status": "accepted"}
//
// 4xx refuses for good; 401, 407, 408, 425, 429 and 503 refuse for now, with
// Retry-After where the gateway knows. After any other answer, or none, the outcome
// is unknown.
package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/once"
	"github.com/helsebro/helsebro/internal/config"
)

// Request is a message on its way to the gateway.
type Request struct {
	ID        string    `json:"id"`
	To        string    `json:"to"`
	From      string    `json:"from"`
	Text      string    `json:"text"`
	Callback  string    `json:"callback,omitempty"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Answer is what the gateway says about a message that it has.
type Answer struct {
	ID         string        `json:"id"`
	ProviderID string        `json:"providerId"`
	Status     channel.State `json:"status"`
}

// Sender sends text messages. It is safe for concurrent use.
type Sender struct {
	cfg    config.SMS
	client *once.Client
	now    func() time.Time
}

var _ channel.Sender = (*Sender)(nil)

// New makes a sender; it connects to nothing. A wrong setting is apperr.Invalid.
func New(cfg config.SMS) (*Sender, error) {
	if _, err := http.NewRequest(http.MethodPost, cfg.URL, nil); err != nil || cfg.URL == "" {
		return nil, apperr.New(apperr.Invalid, "HELSEBRO_SMS_URL must be a URL")
	}
	return &Sender{cfg: cfg, client: once.NewClient(cfg.Timeout, nil), now: time.Now}, nil
}

// e164 is the form of a number on the wire (ITU-T E.164): 15 digits at most.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// Send implements channel.Sender. Subject is left out.
func (s *Sender) Send(ctx context.Context, m channel.Message) (channel.Result, error) {
	now := s.now()
	if err := m.Check(now); err != nil {
		return channel.Result{}, err
	}
	if !e164.MatchString(m.To) {
		return channel.Result{}, &channel.Refused{Permanent: true, Code: channel.CodeAddress, Cause: errors.New("it is not a phone number in E.164 form")}
	}
	body, err := json.Marshal(Request{
		ID: m.Key, To: m.To, From: s.cfg.From, Text: m.Body, Callback: s.cfg.CallbackURL, ExpiresAt: m.ExpiresAt.UTC(),
	})
	if err != nil {
		return channel.Result{}, &channel.Refused{Permanent: true, Code: "text", Cause: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return channel.Result{}, &channel.Refused{Code: "connect", Cause: errors.New("HELSEBRO_SMS_URL is not a URL")}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.cfg.Key)
	req.Header.Set("Idempotency-Key", m.Key)
	answer, err := s.client.Do(req)
	if err != nil {
		return channel.Result{}, err
	}
	return result(m.Key, answer, now)
}

// result reads the gateway's answer about the message of that id.
func result(id string, a once.Answer, now time.Time) (channel.Result, error) {
	code := once.Code(a.Status)
	switch {
	case a.Status/100 == 2 || a.Status == http.StatusConflict:
		var has Answer
		err := json.Unmarshal(a.Body, &has)
		if err == nil && has.ID == id && (has.Status == channel.Accepted || has.Status == channel.Delivered) {
			return channel.Result{State: has.Status, ProviderID: has.ProviderID}, nil
		}
		if a.Status != http.StatusConflict {
			// Some other server says so, or the gateway says something new.
			return channel.Result{}, &channel.Unknown{Code: code, Cause: errors.New("the answer is not about this message")}
		}
		return channel.Result{}, &channel.Refused{Permanent: true, Code: code}
	case forNow(a.Status):
		return channel.Result{}, &channel.Refused{Code: code, After: once.After(a.Header, now)}
	case a.Status/100 == 4:
		return channel.Result{}, &channel.Refused{Permanent: true, Code: code}
	case a.Status/100 == 3:
		return channel.Result{}, &channel.Refused{Code: code, Cause: errors.New("the gateway has moved: HELSEBRO_SMS_URL must be its own address")}
	}
	return channel.Result{}, &channel.Unknown{Code: code}
}

// forNow lists what says nothing about the message: our key, or the gateway's load.
func forNow(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooEarly,
		http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	}
	return false
}
