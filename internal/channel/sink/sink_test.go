package sink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/channel/sms"
	"github.com/helsebro/helsebro/internal/channel/smtp"
	"github.com/helsebro/helsebro/internal/channel/webpush"
	"github.com/helsebro/helsebro/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var keys = sms.Keys{bytes.Repeat([]byte("k"), 32)}

func open(t *testing.T, cfg sink.Config) *sink.Sink {
	t.Helper()
	s, err := sink.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func message(key, to string) channel.Message {
	return channel.Message{Key: key, To: to, Subject: "Time hos legen", Body: "Mandag 09.30", ExpiresAt: time.Now().Add(time.Hour)}
}

func texts(t *testing.T, s *sink.Sink, callback string) *sms.Sender {
	t.Helper()
	sender, err := sms.New(config.SMS{URL: s.SMSURL(), From: "Legen", CallbackURL: callback, Timeout: 10 * time.Second})
	require.NoError(t, err)
	return sender
}

func mails(t *testing.T, s *sink.Sink) *smtp.Sender {
	t.Helper()
	sender, err := smtp.New(config.SMTP{Addr: s.MailAddr(), TLS: config.TLSNone, From: "ikke-svar@lege.example", Timeout: 10 * time.Second})
	require.NoError(t, err)
	return sender
}

func pushes(t *testing.T) *webpush.Sender {
	t.Helper()
	key, err := webpush.GenerateKey()
	require.NoError(t, err)
	sender, err := webpush.New(config.WebPush{Key: key, Subject: "mailto:drift@lege.example", Timeout: 10 * time.Second}, true)
	require.NoError(t, err)
	return sender
}

// clinic receives reports, as the product will, and takes them after it has refused
// the first few with 503.
type clinic struct {
	*httptest.Server
	mu      sync.Mutex
	refuse  int
	reports chan sms.Report
}

func newClinic(t *testing.T, refuse int) *clinic {
	t.Helper()
	c := &clinic{refuse: refuse, reports: make(chan sms.Report, 100)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		report, err := sms.VerifyCallback(r.Header, body, time.Now(), keys)
		if err != nil {
			t.Errorf("a report that is not believed: %v", err)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.refuse > 0 {
			c.refuse--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		c.reports <- report
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(c.Close)
	return c
}

// posted waits until the gateway has posted n reports of the first message.
func posted(t *testing.T, s *sink.Sink, n int) []sink.Posted {
	t.Helper()
	all, err := s.Await(t.Context(), func(all []sink.Message) bool { return len(all) > 0 && len(all[0].Reports) >= n })
	require.NoError(t, err)
	return all[0].Reports
}

func TestGatewayReportsByScript(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		steps []sink.Step
		want  []channel.State
		again []int // indexes of reports that repeat the one before
	}{
		{"delivered is the rule", nil, []channel.State{channel.Delivered}, nil},
		{"late", []sink.Step{{State: channel.Delivered, AfterMS: 5}}, []channel.State{channel.Delivered}, nil},
		{"failed", []sink.Step{{State: channel.Failed}}, []channel.State{channel.Failed}, nil},
		{"expired", []sink.Step{{State: channel.Expired}}, []channel.State{channel.Expired}, nil},
		{"duplicate, then a contradiction (D12)",
			[]sink.Step{{State: channel.Delivered}, {Again: true}, {State: channel.Failed}},
			[]channel.State{channel.Delivered, channel.Delivered, channel.Failed}, []int{1}},
		{"out of order", []sink.Step{{State: channel.Delivered}, {State: channel.Accepted}}, []channel.State{channel.Delivered, channel.Accepted}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, clinic := open(t, sink.Config{CallbackKeys: keys}), newClinic(t, 0)
			s.SetFaults(sink.Faults{Reports: c.steps})
			result, err := texts(t, s, clinic.URL).Send(t.Context(), message("n1/sms", "+4790000001"))
			require.NoError(t, err)
			got := posted(t, s, len(c.want))
			require.Len(t, got, len(c.want))
			events := map[string]bool{}
			for i, want := range c.want {
				report := <-clinic.reports
				require.Equal(t, got[i].Report, report)
				require.Equal(t, want, report.State)
				require.Equal(t, "n1/sms", report.Key)
				require.Equal(t, result.ProviderID, report.ProviderID)
				require.Equal(t, http.StatusNoContent, got[i].Status)
				events[report.EventID] = true
			}
			require.Len(t, events, len(c.want)-len(c.again))
			for _, i := range c.again {
				require.Equal(t, got[i-1].Report, got[i].Report)
			}
		})
	}
}

func TestGatewayThatNeverReportsDoesSoOnDemand(t *testing.T) {
	t.Parallel()
	s, clinic := open(t, sink.Config{CallbackKeys: keys}), newClinic(t, 0)
	s.SetFaults(sink.Faults{Reports: []sink.Step{}})
	_, err := texts(t, s, clinic.URL).Send(t.Context(), message("n1/sms", "+4790000001"))
	require.NoError(t, err)
	require.Empty(t, s.Messages()[0].Reports)
	status, err := s.Report(t.Context(), "n1/sms", channel.Delivered)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, status)
	require.Equal(t, channel.Delivered, (<-clinic.reports).State)
	require.Len(t, s.Messages()[0].Reports, 1)

	_, err = s.Report(t.Context(), "n2/sms", channel.Delivered)
	require.Equal(t, apperr.NotFound, apperr.KindOf(err))
}

func TestReportIsPostedUntilItIsTaken(t *testing.T) {
	t.Parallel()
	s, clinic := open(t, sink.Config{CallbackKeys: keys}), newClinic(t, 1)
	_, err := texts(t, s, clinic.URL).Send(t.Context(), message("n1/sms", "+4790000001"))
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, posted(t, s, 1)[0].Status)
	require.Equal(t, channel.Delivered, (<-clinic.reports).State)
}

func TestRepeatedTextIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	s, clinic := open(t, sink.Config{CallbackKeys: keys}), newClinic(t, 0)
	sender := texts(t, s, clinic.URL)
	for range 3 {
		_, err := sender.Send(t.Context(), message("n1/sms", "+4790000001"))
		require.NoError(t, err)
	}
	posted(t, s, 1)
	require.Equal(t, 3, s.Count(sink.SMS, "n1/sms"))
	all := s.Messages()
	require.Equal(t, []int{1, 2, 3}, []int{all[0].Arrival, all[1].Arrival, all[2].Arrival})
	require.Empty(t, all[1].Reports)
}

func TestPushArrivesAndIsReadByTheBrowser(t *testing.T) {
	t.Parallel()
	s, sender := open(t, sink.Config{}), pushes(t)
	to, err := s.Subscribe(sender.PublicKey())
	require.NoError(t, err)
	m := message("n1/push", to.String())
	_, err = sender.Send(t.Context(), m)
	require.NoError(t, err)
	all := s.Messages()
	require.Len(t, all, 1)
	require.Equal(t, m.Key, all[0].Key)
	require.Equal(t, m.Subject, all[0].Subject)
	require.Equal(t, m.Body, all[0].Text)
	require.WithinDuration(t, m.ExpiresAt, all[0].ExpiresAt, 10*time.Second)
	require.Equal(t, 1, s.Count(sink.Push, m.Key))
}

func TestPushFaults(t *testing.T) {
	t.Parallel()
	s, sender := open(t, sink.Config{}), pushes(t)
	to, err := s.Subscribe(sender.PublicKey())
	require.NoError(t, err)
	m := message("n1/push", to.String())
	for _, c := range []struct {
		fault  sink.Fault
		want   error
		counts int
	}{
		{sink.Fault{Refuse: 1}, &channel.Refused{Code: "http 503", After: time.Second}, 0},
		{sink.Fault{Drop: 1}, &channel.Unknown{Code: "answer", Cause: channel.Cause(io.EOF)}, 0},
		{sink.Fault{Lose: 1}, &channel.Unknown{Code: "answer", Cause: channel.Cause(io.EOF)}, 1},
	} {
		s.SetFaults(sink.Faults{Push: c.fault})
		_, err := sender.Send(t.Context(), m)
		require.Equal(t, c.want, err)
		require.Equal(t, c.counts, s.Count(sink.Push, m.Key))
	}
	id := to.Endpoint[strings.LastIndex(to.Endpoint, "/")+1:]
	require.NoError(t, s.Unsubscribe(id))
	_, err = sender.Send(t.Context(), m)
	require.Equal(t, &channel.Refused{Permanent: true, Gone: true, Code: "http 410"}, err)
	m.To = strings.Replace(m.To, id, "never", 1)
	_, err = sender.Send(t.Context(), m)
	require.Equal(t, &channel.Refused{Permanent: true, Gone: true, Code: "http 404"}, err)
	require.Equal(t, apperr.NotFound, apperr.KindOf(s.Unsubscribe("never")))
}

// tampered is a way to a sink that changes requests.
type tampered struct {
	*httptest.Server
	change func(*http.Request)
	status int
}

func tamper(t *testing.T, to func() string) *tampered {
	t.Helper()
	way := &tampered{}
	through := &http.Transport{DisableKeepAlives: true}
	way.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		way.change(r)
		req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+to()+r.URL.Path, r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = r.Header
		resp, err := through.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		way.status = resp.StatusCode
		w.WriteHeader(resp.StatusCode)
		_ = resp.Body.Close()
	}))
	t.Cleanup(way.Close)
	return way
}

func TestPushServiceBelievesNobodyElse(t *testing.T) {
	t.Parallel()
	var s *sink.Sink
	way := tamper(t, func() string { return s.HTTPAddr() })
	s = open(t, sink.Config{BaseURL: way.URL})
	ours, theirs := pushes(t), pushes(t)
	to, err := s.Subscribe(ours.PublicKey())
	require.NoError(t, err)
	authorization := func(old, young string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, young, 1))
		}
	}
	body := func(raw []byte) func(*http.Request) {
		return func(r *http.Request) { r.Body = io.NopCloser(bytes.NewReader(raw)) }
	}
	untouched := func(*http.Request) {}
	for _, c := range []struct {
		name   string
		sender *webpush.Sender
		change func(*http.Request)
		want   int
	}{
		{"as it is", ours, untouched, http.StatusCreated},
		{"another server", theirs, untouched, http.StatusForbidden},
		{"no token", ours, func(r *http.Request) { r.Header.Del("Authorization") }, http.StatusUnauthorized},
		{"no JWT", ours, authorization("t=", "t=a"), http.StatusUnauthorized},
		{"another's key", ours, authorization(ours.PublicKey(), theirs.PublicKey()), http.StatusUnauthorized},
		{"no key", ours, authorization("k=B", "k=C"), http.StatusUnauthorized},
		{"no TTL", ours, func(r *http.Request) { r.Header.Del("TTL") }, http.StatusBadRequest},
		{"another encoding", ours, func(r *http.Request) { r.Header.Set("Content-Encoding", "aesgcm") }, http.StatusBadRequest},
		{"nothing encrypted", ours, body([]byte("plain")), http.StatusBadRequest},
		{"encrypted for nobody", ours, body(make([]byte, 200)), http.StatusBadRequest},
		{"too large", ours, body(make([]byte, 4097)), http.StatusRequestEntityTooLarge},
	} {
		way.change = c.change
		_, err := c.sender.Send(t.Context(), message("n1/push", to.String()))
		require.Equal(t, c.want, way.status, c.name)
		require.Equal(t, c.want == http.StatusCreated, err == nil, c.name)
	}
	require.Equal(t, 1, s.Count(sink.Push, "n1/push"))

	// The token is for one origin: elsewhere it proves nothing.
	elsewhere := open(t, sink.Config{})
	foreign, err := elsewhere.Subscribe("")
	require.NoError(t, err)
	other := tamper(t, elsewhere.HTTPAddr)
	other.change = untouched
	foreign.Endpoint = strings.Replace(foreign.Endpoint, elsewhere.URL(), other.URL, 1)
	_, err = ours.Send(t.Context(), message("n1/push", foreign.String()))
	require.Equal(t, &channel.Refused{Code: "http 401"}, err)
}

type reply struct {
	status int
	header http.Header
	body   string
}

func call(t *testing.T, method, url, body string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // it was read to its end
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return reply{resp.StatusCode, resp.Header, string(raw)}
}

func TestControlsOverHTTP(t *testing.T) {
	t.Parallel()
	s, clinic, sender := open(t, sink.Config{CallbackKeys: keys}), newClinic(t, 0), pushes(t)
	require.Equal(t, http.StatusOK, call(t, http.MethodPost, s.URL()+"/faults", `{"mail":{"refuse":1},"reports":[]}`).status)
	_, err := mails(t, s).Send(t.Context(), message("n1/mail", "kari@pasient.example"))
	require.Equal(t, &channel.Refused{Code: "rcpt 451 4.3.0"}, err)
	_, err = texts(t, s, clinic.URL).Send(t.Context(), message("n1/sms", "+4790000001"))
	require.NoError(t, err)
	reported := call(t, http.MethodPost, s.URL()+"/sms/reports", `{"key":"n1/sms","state":"failed"}`)
	require.Equal(t, http.StatusOK, reported.status)
	require.JSONEq(t, `{"status":204}`, reported.body)
	require.Equal(t, channel.Failed, (<-clinic.reports).State)
	require.Equal(t, http.StatusNotFound, call(t, http.MethodPost, s.URL()+"/sms/reports", `{"key":"n9/sms","state":"failed"}`).status)

	subscription := call(t, http.MethodPost, s.URL()+"/push/subscriptions", fmt.Sprintf(`{"serverKey":%q}`, sender.PublicKey())).body
	_, err = sender.Send(t.Context(), message("n1/push", subscription))
	require.NoError(t, err)
	to, err := webpush.ParseSubscription(subscription, true)
	require.NoError(t, err)
	id := to.Endpoint[strings.LastIndex(to.Endpoint, "/")+1:]
	for _, want := range []int{http.StatusNoContent, http.StatusNoContent} {
		require.Equal(t, want, call(t, http.MethodDelete, s.URL()+"/push/subscriptions/"+id, "").status)
	}
	require.Equal(t, http.StatusNotFound, call(t, http.MethodDelete, s.URL()+"/push/subscriptions/never", "").status)

	var all []sink.Message
	require.NoError(t, json.Unmarshal([]byte(call(t, http.MethodGet, s.URL()+"/messages", "").body), &all))
	require.Equal(t, []sink.Outcome{sink.Refused, sink.Taken, sink.Taken}, []sink.Outcome{all[0].Outcome, all[1].Outcome, all[2].Outcome})
	require.NoError(t, json.Unmarshal([]byte(call(t, http.MethodGet, s.URL()+"/messages?way=sms&to=%2B4790000001", "").body), &all))
	require.Len(t, all, 1)
	require.Equal(t, "n1/sms", all[0].Key)
}

func TestGatewayRefusesWhatItsProtocolIsNot(t *testing.T) {
	t.Parallel()
	s := open(t, sink.Config{})
	for _, body := range []string{"", "{", `{"id":"a","to":"+4790000001","text":"x","unknown":1}`, `{"id":"a","to":"+4790000001","text":"x"}`} {
		require.Equal(t, http.StatusUnprocessableEntity, call(t, http.MethodPost, s.SMSURL(), body).status, body) // without Idempotency-Key
	}
	require.Empty(t, s.Messages())
}

func TestPageShowsTextAsText(t *testing.T) {
	t.Parallel()
	s := open(t, sink.Config{})
	require.Contains(t, call(t, http.MethodGet, s.URL()+"/", "").body, "Nothing has arrived yet")
	m := message("n1/mail", "kari@pasient.example")
	m.Subject, m.Body = `<script>alert("subject")</script>`, `"><img src=x onerror=alert(1)>`
	for range 2 {
		_, err := mails(t, s).Send(t.Context(), m)
		require.NoError(t, err)
	}
	page := call(t, http.MethodGet, s.URL()+"/", "")
	require.NotContains(t, page.body, "<script")
	require.NotContains(t, page.body, "<img")
	require.Contains(t, page.body, "&lt;script&gt;")
	require.Contains(t, page.body, "arrival 2 of the same key")
	require.Contains(t, page.header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, http.StatusNotFound, call(t, http.MethodGet, s.URL()+"/nothing", "").status)
}

func TestAnotherPageInTheBrowserControlsNothing(t *testing.T) {
	t.Parallel()
	s := open(t, sink.Config{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/faults", strings.NewReader(`{}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
}

// Close ends senders, slow answers and reports that nobody takes, and waits for all.
func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	clinic := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-stuck }))
	defer clinic.Close()
	defer close(stuck)
	s, err := sink.Open(sink.Config{CallbackKeys: keys})
	require.NoError(t, err)
	slow := sink.Fault{LatencyMS: 60_000}
	s.SetFaults(sink.Faults{Mail: slow, SMS: slow, Push: slow, Reports: []sink.Step{{State: channel.Delivered}, {State: channel.Failed, AfterMS: 60_000}}})
	to, err := s.Subscribe("")
	require.NoError(t, err)
	ended := make(chan error, 3)
	for _, send := range []struct {
		sender channel.Sender
		m      channel.Message
	}{
		{mails(t, s), message("n1/mail", "kari@pasient.example")},
		{texts(t, s, clinic.URL), message("n1/sms", "+4790000001")},
		{pushes(t), message("n1/push", to.String())},
	} {
		go func() {
			_, err := send.sender.Send(context.Background(), send.m)
			ended <- err
		}()
	}
	_, err = s.Await(t.Context(), func(all []sink.Message) bool { return len(all) == 3 })
	require.NoError(t, err)
	require.NoError(t, s.Close())
	for range 3 {
		var unknown *channel.Unknown
		require.ErrorAs(t, <-ended, &unknown)
	}
	_, err = mails(t, s).Send(t.Context(), message("n2/mail", "kari@pasient.example"))
	require.Equal(t, "connect", err.(*channel.Refused).Code) //nolint:errorlint // the outermost type is what callers branch on
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := open(t, sink.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Await(ctx, func([]sink.Message) bool { return false })
	require.ErrorIs(t, err, context.Canceled)
}

func TestManySendersAtOnce(t *testing.T) {
	t.Parallel()
	s, clinic := open(t, sink.Config{CallbackKeys: keys}), newClinic(t, 0)
	mail, text := mails(t, s), texts(t, s, clinic.URL)
	var sending sync.WaitGroup
	for i := range 30 {
		sending.Go(func() {
			if _, err := mail.Send(t.Context(), message(fmt.Sprintf("n%d/mail", i), "kari@pasient.example")); err != nil {
				t.Error(err)
			}
			if _, err := text.Send(t.Context(), message(fmt.Sprintf("n%d/sms", i), "+4790000001")); err != nil {
				t.Error(err)
			}
		})
	}
	sending.Wait()
	_, err := s.Await(t.Context(), func(all []sink.Message) bool {
		reported := 0
		for _, m := range all {
			reported += len(m.Reports)
		}
		return reported == 30
	})
	require.NoError(t, err)
	for i := range 30 {
		require.Equal(t, 1, s.Count(sink.Mail, fmt.Sprintf("n%d/mail", i)))
		require.Equal(t, 1, s.Count(sink.SMS, fmt.Sprintf("n%d/sms", i)))
	}
}

// Where another server takes the mail, there is no mail server, and everything else works.
func TestSinkWithoutMail(t *testing.T) {
	t.Parallel()
	s, err := sink.Open(sink.Config{NoMail: true})
	require.NoError(t, err)
	require.Empty(t, s.MailAddr())
	res, err := http.Get(s.URL() + "/healthz")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.NoError(t, s.Close())
}
