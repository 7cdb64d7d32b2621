package sink

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sms"
)

const (
	maxSMS = 64 << 10
	// A report that nobody takes is posted this often, with pauses that double.
	reportAttempts = 6
	reportPauseMS  = 200
)

// takeSMS is the gateway's side of package sms. A key that it has already is kept
// once more, for the auditor, and answered 409; the "patient" gets it once.
func (s *Sink) takeSMS(w http.ResponseWriter, r *http.Request) {
	if s.cfg.SMSKey != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+s.cfg.SMSKey)) != 1 {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var in sms.Request
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSMS))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || in.ID == "" || in.ID != r.Header.Get("Idempotency-Key") || in.To == "" || in.Text == "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	m := Message{
		Way: SMS, Outcome: Refused, Key: in.ID, To: in.To, Text: in.Text, ExpiresAt: in.ExpiresAt,
		Header: map[string]string{"From": in.From}, callback: in.Callback,
	}
	if s.refuses(SMS) {
		s.keep(m)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	m.Outcome, m.ProviderID = s.outcome(SMS), uuid.NewSHA1(uuid.NameSpaceURL, []byte(in.ID)).String()
	kept := s.keep(m)
	if kept.Arrival == 1 {
		s.deliver(kept)
	}
	s.linger(r.Context(), SMS)
	if kept.Outcome != Taken {
		panic(http.ErrAbortHandler) // the connection ends without an answer
	}
	w.Header().Set("Content-Type", "application/json")
	if kept.Arrival > 1 {
		w.WriteHeader(http.StatusConflict)
	}
	_ = json.NewEncoder(w).Encode(sms.Answer{ID: in.ID, ProviderID: m.ProviderID, Status: channel.Accepted}) // whoever asked has gone
}

// first is the text message that had this key first.
func (s *Sink) first(key string) *Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if m.Way == SMS && m.Key == key && m.Arrival == 1 {
			return m
		}
	}
	return nil
}

// deliver reports what becomes of a message, step by step: maybe before the sender
// has read the answer, as with real gateways.
func (s *Sink) deliver(m *Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	steps := s.faults.Reports
	if steps == nil {
		steps = []Step{{State: channel.Delivered}}
	}
	if s.closed || m.callback == "" {
		return
	}
	s.reporting.Go(func() {
		var report sms.Report
		for _, step := range steps {
			if !s.wait(s.ctx, step.AfterMS) {
				return
			}
			if !step.Again || report.EventID == "" {
				report = newReport(m, step.State)
			}
			s.post(s.ctx, m, report)
		}
	})
}

func newReport(m *Message, state channel.State) sms.Report {
	return sms.Report{EventID: uuid.NewString(), Key: m.Key, ProviderID: m.ProviderID, State: state, At: time.Now().UTC()}
}

// Report posts a report about the text message of that key now, whatever Faults say,
// and returns the answer's HTTP status. apperr.NotFound: there is no such message,
// or it named no callback.
func (s *Sink) Report(ctx context.Context, key string, state channel.State) (int, error) {
	m := s.first(key)
	if m == nil || m.callback == "" {
		return 0, apperr.New(apperr.NotFound, "the gateway has no message of that key with a callback")
	}
	return s.post(ctx, m, newReport(m, state)), nil
}

// post posts a report until somebody takes it, and keeps it with the message.
func (s *Sink) post(ctx context.Context, m *Message, report sms.Report) int {
	body, err := json.Marshal(report)
	if err != nil {
		return 0
	}
	status, pause := 0, reportPauseMS
	for attempt := range reportAttempts {
		if attempt > 0 && !s.wait(ctx, pause<<(attempt-1)) {
			break
		}
		if status = s.postOnce(ctx, m.callback, body); status/100 == 2 {
			break
		}
	}
	s.change(func() { m.Reports = append(m.Reports, Posted{Report: report, Status: status}) })
	return status
}

func (s *Sink) postOnce(ctx context.Context, url string, body []byte) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(sms.SignatureHeader, s.cfg.CallbackKeys.Sign(time.Now(), body))
	resp, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxSMS)) // only its status counts
	_ = resp.Body.Close()
	return resp.StatusCode
}
