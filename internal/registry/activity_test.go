package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
)

// person is a synthetic national id.
const person = "01815012345"

func TestActivityCheck(t *testing.T) {
	t.Parallel()
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a broken one is not equal
		asked = append(asked, r.Method+" "+r.URL.String()+" "+string(body))
		fmt.Fprint(w, `{"erAktivListe":{"`+person+`":{"erDigitaltAktivSelv":false,"erDigitaltAktivViaAndre":true,"tildeltFullmakt":true},"other":{}}}`)
	}))
	defer s.Close()
	c := NewActivityClient(s.URL+"/", nil)
	self, other, err := c.Active(t.Context(), person)
	require.NoError(t, err)
	require.Equal(t, []bool{false, true}, []bool{self, other})
	require.Equal(t, []string{`POST /digitaltaktiv/helsenorgeaktivsjekken/v1 {"fnrListe":["` + person + `"],"omraade":"Helsehjelp"}`}, asked)
	all, err := c.Check(t.Context(), []string{person, "unknown"})
	require.NoError(t, err)
	require.Equal(t, map[string]Activity{person: {Other: true}}, all)
}

func TestActivityCheckFailsWithoutNamingAnybody(t *testing.T) {
	t.Parallel()
	answers := map[string]http.HandlerFunc{
		"down":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"forbidden": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"no JSON":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, person) },
		"wrong type": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"erAktivListe":{"`+person+`":{"erDigitaltAktivSelv":"`+person+`"}}}`)
		},
		"nothing":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) },
		"left out": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"erAktivListe":{}}`) },
		"redirected": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"hung up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(answer)
			defer s.Close()
			_, _, err := NewActivityClient(s.URL, nil).Active(t.Context(), person)
			want := apperr.Unavailable
			if name == "forbidden" {
				want = apperr.Forbidden
			}
			require.Equal(t, want, apperr.KindOf(err))
			require.NotContains(t, err.Error(), person)
		})
	}
	_, _, err := NewActivityClient("", nil).Active(t.Context(), person)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	require.ErrorContains(t, err, "HELSEBRO_ACTIVITY_URL")
	_, err = NewActivityClient("http://127.0.0.1:0", nil).Check(t.Context(), make([]string, MaxActivityIDs+1))
	require.Equal(t, apperr.TooLarge, apperr.KindOf(err))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = NewActivityClient("http://127.0.0.1:0", nil).Active(ended, person)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
}
