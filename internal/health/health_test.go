package health

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReady(t *testing.T) {
	t.Parallel()
	up := func(context.Context) error { return nil }
	down := func(context.Context) error { return errors.New("password=secret") }
	for name, c := range map[string]struct {
		path   string
		checks map[string]Check
		status int
		body   string
	}{
		"alive":     {"/healthz", map[string]Check{"postgresql": down}, 200, `{"process":"ok"}`},
		"ready":     {"/readyz", map[string]Check{"postgresql": up}, 200, `{"postgresql":"ok"}`},
		"not ready": {"/readyz", map[string]Check{"postgresql": down, "temporal": up}, 503, `{"postgresql":"does not answer","temporal":"ok"}`},
	} {
		w := httptest.NewRecorder()
		Handler(c.checks).ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.path, nil))
		require.Equal(t, c.status, w.Code, name)
		require.JSONEq(t, c.body, w.Body.String(), name)
	}
}
