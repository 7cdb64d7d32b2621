package sms_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/channel/sms"
	"github.com/helsebro/helsebro/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key    = "notice/3f2a/sms"
	number = "+4790000001"
)

func message() channel.Message {
	return channel.Message{Key: key, To: number, Subject: "left out", Body: "Time hos legen på mandag 09.30", ExpiresAt: time.Now().Add(time.Hour)}
}

func sender(t *testing.T, url string) *sms.Sender {
	t.Helper()
	return with(t, config.SMS{URL: url, Key: "bearer", From: "Legen", Timeout: 10 * time.Second})
}

func with(t *testing.T, cfg config.SMS) *sms.Sender {
	t.Helper()
	s, err := sms.New(cfg)
	require.NoError(t, err)
	return s
}

func open(t *testing.T) *sink.Sink {
	t.Helper()
	s, err := sink.Open(sink.Config{SMSKey: "bearer"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestTextArrives(t *testing.T) {
	t.Parallel()
	s := open(t)
	m := message()
	got, err := sender(t, s.SMSURL()).Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, channel.Accepted, got.State)
	all := s.Messages()
	require.Len(t, all, 1)
	require.Equal(t, got.ProviderID, all[0].ProviderID)
	require.NotEmpty(t, got.ProviderID)
	require.Equal(t, key, all[0].Key)
	require.Equal(t, number, all[0].To)
	require.Equal(t, m.Body, all[0].Text)
	require.Equal(t, "Legen", all[0].Header["From"])
	require.WithinDuration(t, m.ExpiresAt, all[0].ExpiresAt, 0)
	require.Empty(t, all[0].Reports, "nobody asked for them")
}

func TestRepeatIsTheSameMessage(t *testing.T) {
	t.Parallel()
	s := open(t)
	first, err := sender(t, s.SMSURL()).Send(t.Context(), message())
	require.NoError(t, err)
	again, err := sender(t, s.SMSURL()).Send(t.Context(), message())
	require.NoError(t, err, "409 with our id says that it has it")
	require.Equal(t, first, again)
	require.Equal(t, 2, s.Count(sink.SMS, key), "the auditor sees both")
}

func TestSinkFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fault  sink.Fault
		want   error
		counts int
	}{
		{"for now", sink.Fault{Refuse: 1}, &channel.Refused{Code: "http 503", After: time.Second}, 0},
		{"lost", sink.Fault{Lose: 1}, &channel.Unknown{Code: "answer", Cause: channel.Cause(net.ErrClosed)}, 1},
		{"dropped", sink.Fault{Drop: 1}, &channel.Unknown{Code: "answer", Cause: channel.Cause(net.ErrClosed)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s.SetFaults(sink.Faults{SMS: c.fault})
			_, err := sender(t, s.SMSURL()).Send(t.Context(), message())
			require.Equal(t, c.want, err)
			require.Equal(t, c.counts, s.Count(sink.SMS, key))
		})
	}
}

func TestWrongBearerKey(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, err := with(t, config.SMS{URL: s.SMSURL(), Key: "wrong", From: "Legen", Timeout: time.Second}).Send(t.Context(), message())
	require.Equal(t, &channel.Refused{Code: "http 401"}, err, "that is about us, not about the number")
}

func TestEveryAnswer(t *testing.T) {
	t.Parallel()
	mine := `{"id":"` + key + `","providerId":"p1","status":"accepted"}`
	other := `{"id":"another","providerId":"p1","status":"accepted"}`
	for _, c := range []struct {
		name   string
		status int
		body   string
		after  string
		want   error
	}{
		{"accepted", 200, mine, "", nil},
		{"accepted later", 202, mine, "", nil},
		{"already there", 409, mine, "", nil},
		{"delivered", 200, `{"id":"` + key + `","status":"delivered"}`, "", nil},
		{"another's", 200, other, "", &channel.Unknown{}},
		{"a page", 200, "<html>", "", &channel.Unknown{}},
		{"nothing", 204, "", "", &channel.Unknown{}},
		{"a new state", 200, `{"id":"` + key + `","status":"queued"}`, "", &channel.Unknown{}},
		{"another's conflict", 409, other, "", &channel.Refused{Permanent: true}},
		{"conflict of what", 409, "", "", &channel.Refused{Permanent: true}},
		{"bad", 400, "number " + number, "", &channel.Refused{Permanent: true}},
		{"forbidden", 403, "", "", &channel.Refused{Permanent: true}},
		{"unprocessable", 422, "", "", &channel.Refused{Permanent: true}},
		{"unauthorised", 401, "", "", &channel.Refused{}},
		{"too late", 408, "", "", &channel.Refused{}},
		{"too many", 429, "", "120", &channel.Refused{After: 2 * time.Minute}},
		{"too many, for how long?", 429, "", "", &channel.Refused{}},
		{"unavailable", 503, "", "7", &channel.Refused{After: 7 * time.Second}},
		{"moved", 308, "", "", &channel.Refused{}},
		{"error", 500, "", "9", &channel.Unknown{}},
		{"bad gateway", 502, "", "", &channel.Unknown{}},
		{"gateway timeout", 504, "", "", &channel.Unknown{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer s.Close()
			got, err := sender(t, s.URL).Send(t.Context(), message())
			if err != nil {
				require.Equal(t, channel.Result{}, got)
				require.NotContains(t, err.Error(), number)
				require.NotContains(t, err.Error(), "mandag")
			}
			// The words of code and cause are free; the class is not.
			if want, ok := errors.AsType[*channel.Refused](c.want); ok {
				refused, ok := errors.AsType[*channel.Refused](err)
				require.True(t, ok, err)
				require.Equal(t, want.Permanent, refused.Permanent)
				require.Equal(t, want.After, refused.After)
				return
			}
			require.IsType(t, c.want, err) //nolint:testifylint // as above
		})
	}
}

func TestWhatNoGatewaySees(t *testing.T) {
	t.Parallel()
	s := open(t)
	from := sender(t, s.SMSURL())
	for name, change := range map[string]func(*channel.Message){
		"expired":   func(m *channel.Message) { m.ExpiresAt = time.Now() },
		"key":       func(m *channel.Message) { m.Key = "a\r\nb" },
		"as people": func(m *channel.Message) { m.To = "900 00 001" },
		"mail":      func(m *channel.Message) { m.To = "kari@pasient.example" },
		"zero":      func(m *channel.Message) { m.To = "+0790000001" },
		"two":       func(m *channel.Message) { m.To = number + "," + number },
	} {
		m := message()
		change(&m)
		_, err := from.Send(t.Context(), m)
		var refused *channel.Refused
		require.ErrorAs(t, err, &refused, name)
		require.True(t, refused.Permanent, name)
	}
	require.Empty(t, s.Messages())
}

func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.SetFaults(sink.Faults{SMS: sink.Fault{LatencyMS: 60_000}})
	from := sender(t, s.SMSURL())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := from.Send(ctx, message())
		done <- err
	}()
	_, err := s.Await(t.Context(), func(all []sink.Message) bool { return len(all) == 1 })
	require.NoError(t, err)
	cancel()
	require.Equal(t, &channel.Unknown{Code: "answer", Cause: context.Canceled}, <-done)
	require.Equal(t, 1, s.Count(sink.SMS, key))
}

func TestNewNeedsAnAddress(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "http://a b", ":"} {
		_, err := sms.New(config.SMS{URL: url})
		require.Equal(t, apperr.Invalid, apperr.KindOf(err), url)
	}
}
