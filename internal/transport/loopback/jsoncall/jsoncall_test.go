package jsoncall

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
)

type question struct {
	Name string `json:"name"`
}

// serve serves one call and returns its address with a client.
func serve(t *testing.T, h http.Handler) (string, *http.Client) {
	t.Helper()
	s := httptest.NewServer(h)
	c := NewHTTPClient()
	t.Cleanup(func() {
		c.CloseIdleConnections()
		s.Close()
	})
	base, err := BaseURL(s.URL + "/")
	require.NoError(t, err)
	return base, c
}

func TestErrorsCross(t *testing.T) {
	t.Parallel()
	for _, kind := range []apperr.Kind{
		apperr.Invalid, apperr.NotFound, apperr.Conflict, apperr.Unauthenticated, apperr.Forbidden, apperr.TooLarge,
		apperr.Unsupported, apperr.Erased, apperr.Duplicate, apperr.Unavailable, apperr.Internal,
	} {
		want := &apperr.Error{Kind: kind, Message: "cause and way out", State: "closed", Fields: []apperr.Field{{Path: "name", Rule: "known"}}}
		base, c := serve(t, Handle(100, func(*http.Request, question) (None, error) { return None{}, want }))
		_, err := Post[None](t.Context(), c, base, question{Name: "a"})
		var got *apperr.Error
		require.ErrorAs(t, err, &got)
		require.Equal(t, want, got)
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	base, c := serve(t, Handle(20, func(r *http.Request, q question) (question, error) {
		q.Name += r.Method
		return q, nil
	}))
	out, err := Post[question](t.Context(), c, base, question{Name: "a"})
	require.NoError(t, err)
	require.Equal(t, "aPOST", out.Name)
	out, err = Get[question](t.Context(), c, base)
	require.NoError(t, err)
	require.Equal(t, "GET", out.Name)

	for body, kind := range map[string]apperr.Kind{
		`{"name":"a"}{}`:                      apperr.Invalid,
		`{"naem":"a"}`:                        apperr.Invalid,
		`{`:                                   apperr.Invalid,
		``:                                    apperr.Invalid,
		`{"name":"` + strings.Repeat("a", 50): apperr.TooLarge,
	} {
		resp, err := c.Post(base, "application/json; charset=utf-8", strings.NewReader(body))
		require.NoError(t, err)
		require.Equal(t, status(kind), resp.StatusCode, body)
		require.NoError(t, resp.Body.Close())
	}
	resp, err := c.Post(base, "text/plain", strings.NewReader(`{}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
}

func TestWhatIsNotTheOtherProcess(t *testing.T) {
	t.Parallel()
	base, c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gone":
			http.NotFound(w, r)
		case "/elsewhere":
			http.Redirect(w, r, "/", http.StatusFound)
		default:
			_, _ = w.Write([]byte("hello"))
		}
	}))
	for _, path := range []string{"/gone", "/elsewhere", "/page"} {
		_, err := Get[question](t.Context(), c, base+path)
		require.Equal(t, apperr.Unavailable, apperr.KindOf(err), path)
	}
	_, err := Get[question](t.Context(), c, "http://127.0.0.1:1/citizens/secret")
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	require.NotContains(t, err.Error(), "secret")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Get[question](ctx, c, base)
	require.ErrorIs(t, err, context.Canceled)
}
