package api

import (
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAServerStartsAnswersAndStops(t *testing.T) {
	t.Parallel()
	// The address is free at the instant of the look: nobody else is told of it.
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()

	s := newServer("api", addr, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
		slog.New(slog.DiscardHandler), func() { t.Error("the server failed") })
	require.ErrorContains(t, s.start(t.Context()), "cannot listen", "an address in use is an error of the start")
	require.NoError(t, l.Close())
	require.NoError(t, s.start(t.Context()))

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusTeapot, res.StatusCode)

	require.NoError(t, s.stop(t.Context()))
	_, err = http.DefaultClient.Do(req) //nolint:bodyclose // there is no answer
	require.Error(t, err)
}

func TestEveryTimeIsBounded(t *testing.T) {
	t.Parallel()
	s := newServer("api", "", nil, slog.New(slog.DiscardHandler), nil).http
	require.Positive(t, s.ReadHeaderTimeout)
	require.Positive(t, s.ReadTimeout)
	require.Positive(t, s.WriteTimeout)
	require.Positive(t, s.IdleTimeout)
	require.Positive(t, s.MaxHeaderBytes)
}
