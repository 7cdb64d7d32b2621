package once

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/helsebro/helsebro/internal/channel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const timeout = 10 * time.Second

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("secret text"))
	require.NoError(t, err)
	// In the transport's eyes this makes the request one that may be repeated.
	req.Header.Set("Idempotency-Key", "k")
	return req
}

func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Proto", r.Proto)
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(body)
	})
	a, err := NewClient(timeout, nil).Do(request(t, s.URL))
	require.NoError(t, err)
	require.Equal(t, http.StatusTeapot, a.Status)
	require.Equal(t, "HTTP/1.1", a.Header.Get("X-Proto"))
	require.Equal(t, "secret text", string(a.Body))
}

func TestAnswerIsBounded(t *testing.T) {
	t.Parallel()
	s := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2*maxAnswer)) })
	a, err := NewClient(timeout, nil).Do(request(t, s.URL))
	require.NoError(t, err)
	require.Len(t, a.Body, maxAnswer)
}

func TestRedirectIsAnAnswer(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	a, err := NewClient(timeout, nil).Do(request(t, s.URL))
	require.NoError(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, a.Status)
	require.EqualValues(t, 1, requests.Load())
}

func TestConnectionLostAfterTheRequestIsUnknownAndNotRepeated(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	c := NewClient(timeout, nil)
	s := server(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if requests.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	})
	_, err := c.Do(request(t, s.URL))
	require.NoError(t, err)
	// A kept connection would be a reused one now, whose loss the transport hides.
	_, err = c.Do(request(t, s.URL))
	var unknown *channel.Unknown
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, "answer", unknown.Code)
	require.EqualValues(t, 2, requests.Load())
}

func TestAnswerThatBreaksOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status  int
		unknown bool
	}{{http.StatusOK, true}, {http.StatusBadRequest, false}} {
		s := server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte("half"))
		})
		a, err := NewClient(timeout, nil).Do(request(t, s.URL))
		if c.unknown {
			var unknown *channel.Unknown
			require.ErrorAs(t, err, &unknown)
			continue
		}
		require.NoError(t, err, "the status says enough")
		require.Equal(t, c.status, a.Status)
	}
}

func TestTimeOut(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := server(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	_, err := NewClient(50*time.Millisecond, nil).Do(request(t, s.URL))
	require.Equal(t, &channel.Unknown{Code: "answer", Cause: context.DeadlineExceeded}, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = NewClient(timeout, nil).Do(request(t, s.URL).WithContext(ctx))
	require.Equal(t, &channel.Refused{Code: "connect", Cause: context.Canceled}, err)
}

func TestNoConnectionIsARefusal(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	plain := server(t, func(http.ResponseWriter, *http.Request) { t.Error("it has got a request") })
	untrusted := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it has got a request") }))
	t.Cleanup(untrusted.Close)
	for url, cause := range map[string]string{
		"http://" + closed.Addr().String() + "/kari":          "connection refused",
		"https://" + strings.TrimPrefix(plain.URL, "http://"): "the connection failed or was lost",
		untrusted.URL: "the server's certificate is not trusted",
	} {
		_, err := NewClient(timeout, nil).Do(request(t, url))
		var refused *channel.Refused
		require.ErrorAs(t, err, &refused)
		require.False(t, refused.Permanent)
		require.Equal(t, "connect", refused.Code)
		require.EqualError(t, refused.Cause, cause)
		require.NotContains(t, err.Error(), "kari")
	}
}

func TestControlRefusesAnAddress(t *testing.T) {
	t.Parallel()
	s := server(t, func(http.ResponseWriter, *http.Request) { t.Error("it has got a request") })
	want := &channel.Refused{Permanent: true, Code: channel.CodeAddress}
	_, err := NewClient(timeout, func(string, string, syscall.RawConn) error { return want }).Do(request(t, s.URL))
	require.Equal(t, want, err)
}

func TestAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 7 ": 7 * time.Second, "-1": 0, "1.5": 0, "soon": 0,
		"99999999": 24 * time.Hour, "99999999999999999999": 0,
		"Mon, 04 May 2026 09:10:00 GMT": 10 * time.Minute, "Mon, 04 May 2026 08:10:00 GMT": 0,
	} {
		require.Equal(t, want, After(http.Header{"Retry-After": {value}}, now), value)
	}
}
