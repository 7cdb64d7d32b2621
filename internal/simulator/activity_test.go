package simulator

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/registry"
)

func TestTheDigitallyActiveCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := registry.NewActivityClient(w.http.URL, nil)
	child := nationalid.Synthetic(time.Now().AddDate(-10, 0, 0), 1)
	active := func(id string) string {
		self, other, err := client.Active(t.Context(), id)
		require.NoError(t, err)
		return fmt.Sprintf("self %v, others %v", self, other)
	}
	one := Citizen(1).NationalID
	require.Equal(t, "self true, others false", active(one))
	require.Equal(t, "self false, others true", active(child), "a child is active through others only")
	for _, a := range []Activity{{Citizen: 1}, {Citizen: 1, ViaOthers: true}, {Citizen: 1, Self: true, ViaOthers: true}} {
		require.NoError(t, w.client.SetActivity(t.Context(), a))
		require.Equal(t, fmt.Sprintf("self %v, others %v", a.Self, a.ViaOthers), active(one))
	}
	many := make([]string, registry.MaxActivityIDs)
	for i := range many {
		many[i] = Citizen(i).NationalID
	}
	all, err := client.Check(t.Context(), many)
	require.NoError(t, err)
	require.Len(t, all, len(many))

	w.stop(t)
	w.start(t)
	client = registry.NewActivityClient(w.http.URL, nil)
	require.Equal(t, "self true, others true", active(one), "a restart keeps it")
}

func TestFaultsOfTheDigitallyActiveCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.client.SetFaults(t.Context(), Faults{Activity: ActivityDown}))
	_, _, err := registry.NewActivityClient(w.http.URL, nil).Active(t.Context(), Citizen(1).NationalID)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))

	require.NoError(t, w.client.SetFaults(t.Context(), Faults{Activity: ActivitySlow}))
	impatient := &http.Client{Timeout: 50 * time.Millisecond}
	defer impatient.CloseIdleConnections()
	_, err = impatient.Post(w.http.URL+"/digitaltaktiv/helsenorgeaktivsjekken/v1", "application/json", //nolint:bodyclose // there is no answer
		strings.NewReader(`{"fnrListe":["1"],"omraade":"Helsehjelp"}`))
	require.ErrorContains(t, err, "Client.Timeout")

	require.NoError(t, w.client.SetFaults(t.Context(), Faults{}))
	for name, body := range map[string]string{
		"nobody": `{"fnrListe":[],"omraade":"Helsehjelp"}`, "no area": `{"fnrListe":["1"]}`, "no JSON": `?`,
		"too many": `{"fnrListe":["1"` + strings.Repeat(`,"1"`, registry.MaxActivityIDs) + `],"omraade":"Helsehjelp"}`,
	} {
		res, err := http.Post(w.http.URL+"/digitaltaktiv/helsenorgeaktivsjekken/v1", "application/json", bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusBadRequest, res.StatusCode, name)
	}
	http.DefaultClient.CloseIdleConnections()
}
