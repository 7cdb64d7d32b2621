package api_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/temporalx"
	"github.com/helsebro/helsebro/starter/api"
)

// read is who has read payloads.
type read struct {
	mu  sync.Mutex
	all []string
	err error
}

func (r *read) PayloadsRead(_ context.Context, by identity.Principal, what string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, by.Subject+" "+what)
	return r.err
}

const uiOrigin = "https://temporal.helsebro.example"

// decode asks the codec server of an API for a sealed payload, as the Temporal UI does.
func decode(t *testing.T, a *api.API, audit *read, withoutLogin bool, authorization ...string) *httptest.ResponseRecorder {
	t.Helper()
	keys, err := temporalx.Keys(config.Temporal{CodecKeys: "k:" + base64.StdEncoding.EncodeToString(make([]byte, 32))})
	require.NoError(t, err)
	sealed, err := temporalx.DataConverter(keys, "helsebro").ToPayload("what a lifecycle holds")
	require.NoError(t, err)
	body, err := protojson.Marshal(&commonpb.Payloads{Payloads: []*commonpb.Payload{sealed}})
	require.NoError(t, err)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/decode", strings.NewReader(string(body)))
	req.Header.Set("Origin", uiOrigin)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Namespace", "helsebro")
	for _, one := range authorization {
		req.Header.Add("Authorization", one)
	}
	w := httptest.NewRecorder()
	temporalx.CodecHandler(keys, uiOrigin, a.AdmitToPayloads(audit, withoutLogin), slog.New(slog.DiscardHandler)).ServeHTTP(w, req)
	require.Equal(t, []string{uiOrigin}, w.Header()["Access-Control-Allow-Origin"], "the page may read why it is refused")
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	return w
}

// TestPayloadsAreReadByOperatorsOfTheInstallation: by the same rules of tokens as the API's
// routes; each reading is written down, and each refusal for want of a right.
func TestPayloadsAreReadByOperatorsOfTheInstallation(t *testing.T) {
	t.Parallel()
	f, audit := setup(t), &read{}
	w := decode(t, f.API, audit, false, "Bearer operator@")
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var opened commonpb.Payloads
	require.NoError(t, protojson.Unmarshal(w.Body.Bytes(), &opened))
	var got string
	require.NoError(t, converter.GetDefaultDataConverter().FromPayload(opened.Payloads[0], &got))
	require.Equal(t, "what a lifecycle holds", got)
	require.Equal(t, []string{"subject-of-operator decode/1 of helsebro"}, audit.all)

	for _, g := range identity.Rights() {
		for _, role := range g.Roles {
			if role == identity.RoleOperator {
				continue
			}
			require.Equal(t, http.StatusForbidden, decode(t, f.API, audit, false, "Bearer "+string(role)+"@"+clinicID).Code, role)
			require.Contains(t, f.service.refused, string(role)+" read-payloads")
		}
	}
	require.Equal(t, http.StatusForbidden, decode(t, f.API, audit, false, "Bearer operator@"+clinicID).Code, "an operator of one clinic")
	require.Len(t, audit.all, 1)

	audit.err = apperr.New(apperr.Unavailable, "the database is down")
	w = decode(t, f.API, audit, false, "Bearer operator@")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.NotContains(t, w.Body.String(), "payloads\":", "what cannot be written down is not shown")
}

func TestPayloadsNeedATokenOfTheIssuer(t *testing.T) {
	t.Parallel()
	i, audit := newIssuer(t, config.Identity{}), &read{}
	for name, c := range map[string]struct {
		authorization []string
		status        int
	}{
		"nothing":          {nil, http.StatusUnauthorized},
		"wrong token":      {[]string{"Bearer x"}, http.StatusUnauthorized},
		"two headers":      {[]string{"Bearer x", "Bearer x"}, http.StatusBadRequest},
		"bound, as bearer": {[]string{"Bearer " + i.token(t, true)}, http.StatusUnauthorized},
		"a practitioner":   {[]string{"Bearer " + i.token(t, false)}, http.StatusForbidden},
	} {
		w := decode(t, i.API, audit, false, c.authorization...)
		require.Equal(t, c.status, w.Code, name)
		require.NotEmpty(t, w.Header()["Www-Authenticate"], name)
	}
	require.Empty(t, audit.all)
}

// A Temporal UI on this machine that knows nobody is an operator of its own name; whoever
// sends credentials is judged by them all the same.
func TestPayloadsOfAUIWithoutLogin(t *testing.T) {
	t.Parallel()
	f, audit := setup(t), &read{}
	require.Equal(t, http.StatusOK, decode(t, f.API, audit, true).Code)
	require.Equal(t, []string{"temporal-ui decode/1 of helsebro"}, audit.all)
	require.Equal(t, http.StatusForbidden, decode(t, f.API, audit, true, "Bearer staff@"+clinicID).Code)
	require.Len(t, audit.all, 1)
}
