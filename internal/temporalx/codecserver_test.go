package temporalx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	"google.golang.org/protobuf/proto"

	"github.com/helsebro/helsebro/internal/observ"
)

const uiOrigin = "http://127.0.0.1:8233"

type codecServer struct {
	url     string
	logs    *logBuffer
	data    converter.DataConverter
	records *records
}

// records is what was written down of everybody but a stranger, who is refused.
type records struct {
	mu   sync.Mutex
	all  []string
	fail error
}

func (r *records) admit(w http.ResponseWriter, req *http.Request) Record {
	if req.Header.Get("Authorization") == "Bearer stranger" {
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	return func(operation, namespace string, payloads int) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, fmt.Sprintf("%s %d of %s", operation, payloads, namespace))
		return r.fail
	}
}

// logBuffer is written by the server and read by the test.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func startCodecServer(t *testing.T) codecServer {
	t.Helper()
	keys := keysOf(t, ring("k2", 'b')+","+ring("k1", 'a'))
	logs := new(logBuffer)
	s := codecServer{logs: logs, data: DataConverter(keys, "helsebro"), records: new(records)}
	server := httptest.NewServer(CodecHandler(keys, uiOrigin+"/", s.records.admit, observ.New(logs, "debug")))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// response is an answer that was read to its end.
type response struct {
	status int
	header http.Header
	body   string
}

// call sends a request as the UI does; header values override, and "" removes.
func (s codecServer) call(t *testing.T, method, path, body string, header map[string]string) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(t, err)
	for k, v := range map[string]string{"Origin": uiOrigin, "Content-Type": "application/json", "X-Namespace": "helsebro"} {
		req.Header.Set(k, v)
	}
	for k, v := range header {
		if req.Header.Set(k, v); v == "" {
			req.Header.Del(k)
		}
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return response{res.StatusCode, res.Header, string(answer)}
}

func asJSON(t *testing.T, payloads ...*commonpb.Payload) string {
	t.Helper()
	raw, err := protojson.Marshal(&commonpb.Payloads{Payloads: payloads})
	require.NoError(t, err)
	return string(raw)
}

func TestCodecServerOpensWhatTheConverterSeals(t *testing.T) {
	t.Parallel()
	s := startCodecServer(t)
	sealed, err := s.data.ToPayload(secret)
	require.NoError(t, err)
	old, err := DataConverter(keysOf(t, ring("k1", 'a')), "helsebro").ToPayload("old key")
	require.NoError(t, err)
	plain, err := converter.GetDefaultDataConverter().ToPayload("plain")
	require.NoError(t, err)

	// The UI asks with this query.
	res := s.call(t, http.MethodPost, "/decode?preserveStorageRefs=true", asJSON(t, sealed, old, plain), nil)
	require.Equal(t, http.StatusOK, res.status, res.body)
	require.Equal(t, []string{uiOrigin}, res.header.Values("Access-Control-Allow-Origin"))
	require.Equal(t, "Origin", res.header.Get("Vary"))
	require.Equal(t, "no-store", res.header.Get("Cache-Control"))
	require.Equal(t, "application/json", res.header.Get("Content-Type"))
	require.Empty(t, res.header.Get("Access-Control-Allow-Credentials"))
	var opened commonpb.Payloads
	require.NoError(t, protojson.Unmarshal([]byte(res.body), &opened))
	for i, want := range []string{secret, "old key", "plain"} {
		var got string
		require.NoError(t, converter.GetDefaultDataConverter().FromPayload(opened.Payloads[i], &got))
		require.Equal(t, want, got)
	}

	// What the UI sends, a worker reads.
	res = s.call(t, http.MethodPost, "/encode", asJSON(t, plain), nil)
	require.Equal(t, http.StatusOK, res.status, res.body)
	var made commonpb.Payloads
	require.NoError(t, protojson.Unmarshal([]byte(res.body), &made))
	var got string
	require.NoError(t, s.data.FromPayload(made.Payloads[0], &got))
	require.Equal(t, "plain", got)
	require.Equal(t, "k2", string(made.Payloads[0].Metadata["helsebro-key-id"]))

	require.Contains(t, s.logs.String(), `"operation":"decode","count":3`)
	require.NotContains(t, s.logs.String(), secret)
}

// Everything that is opened is written down first; who is refused, and what does not
// open, is not; and what cannot be written down is not shown.
func TestCodecServerShowsNothingUnrecorded(t *testing.T) {
	t.Parallel()
	s := startCodecServer(t)
	sealed, err := s.data.ToPayload(secret)
	require.NoError(t, err)
	body := asJSON(t, sealed, sealed)
	res := s.call(t, http.MethodPost, "/decode", body, map[string]string{"Authorization": "Bearer stranger"})
	require.Equal(t, http.StatusUnauthorized, res.status)
	require.Equal(t, "no-store", res.header.Get("Cache-Control"))
	require.Empty(t, res.body)
	require.Equal(t, http.StatusUnprocessableEntity, s.call(t, http.MethodPost, "/decode", body, map[string]string{"X-Namespace": "other"}).status)
	require.Empty(t, s.records.all)
	require.Equal(t, http.StatusOK, s.call(t, http.MethodPost, "/decode", body, nil).status)
	require.Equal(t, []string{"decode 2 of helsebro"}, s.records.all)

	s.records.fail = errors.New("the database is down")
	res = s.call(t, http.MethodPost, "/decode", body, nil)
	require.Equal(t, http.StatusServiceUnavailable, res.status)
	require.Equal(t, "5", res.header.Get("Retry-After"))
	require.NotContains(t, res.body, secret)
}

// The SDK's own remote codec speaks the same protocol.
func TestCodecServerAnswersTheSDK(t *testing.T) {
	t.Parallel()
	s := startCodecServer(t)
	remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
		Endpoint: s.url,
		ModifyRequest: func(r *http.Request) error {
			r.Header.Set("Origin", uiOrigin)
			r.Header.Set("X-Namespace", "helsebro")
			return nil
		},
	})
	plain, err := converter.GetDefaultDataConverter().ToPayload(secret)
	require.NoError(t, err)
	sealed, err := remote.Encode([]*commonpb.Payload{plain})
	require.NoError(t, err)
	opened, err := remote.Decode(sealed)
	require.NoError(t, err)
	require.True(t, proto.Equal(plain, opened[0]))
}

func TestCodecServerPreflight(t *testing.T) {
	t.Parallel()
	s := startCodecServer(t)
	res := s.call(t, http.MethodOptions, "/decode", "", map[string]string{
		"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-namespace",
	})
	require.Equal(t, http.StatusNoContent, res.status)
	require.Equal(t, uiOrigin, res.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "POST", res.header.Get("Access-Control-Allow-Methods"))
	require.Equal(t, "Content-Type, X-Namespace, Authorization", res.header.Get("Access-Control-Allow-Headers"))
}

func TestCodecServerRefusesOthers(t *testing.T) {
	t.Parallel()
	s := startCodecServer(t)
	sealed, err := s.data.ToPayload(secret)
	require.NoError(t, err)
	for _, origin := range []string{
		"", "null", "*", "https://127.0.0.1:8233", "http://127.0.0.1:8234", "http://127.0.0.1", "http://localhost:8233",
		uiOrigin + ".attacker.example", uiOrigin + "/", strings.ToUpper(uiOrigin), uiOrigin + " " + uiOrigin,
	} {
		for _, method := range []string{http.MethodOptions, http.MethodPost, http.MethodGet} {
			for _, path := range []string{"/decode", "/encode", "/other"} {
				res := s.call(t, method, path, asJSON(t, sealed), map[string]string{"Origin": origin})
				require.Equalf(t, http.StatusForbidden, res.status, "%s %s %q", method, path, origin)
				require.Empty(t, res.header.Values("Access-Control-Allow-Origin"))
				require.Equal(t, "Origin", res.header.Get("Vary"))
				require.NotContains(t, res.body, secret)
			}
		}
	}

	twice := httptest.NewRequest(http.MethodPost, "/decode", strings.NewReader("{}"))
	twice.Header["Origin"] = []string{uiOrigin, "http://attacker.example"}
	w := httptest.NewRecorder()
	CodecHandler(keysOf(t, ring("k1", 'a')), uiOrigin, new(records).admit, slog.New(slog.DiscardHandler)).ServeHTTP(w, twice)
	require.Equal(t, http.StatusForbidden, w.Code)

	// Without a configured origin nobody is let in, not even who sends an empty one.
	empty := httptest.NewRequest(http.MethodPost, "/decode", strings.NewReader("{}"))
	empty.Header["Origin"] = []string{""}
	w = httptest.NewRecorder()
	CodecHandler(keysOf(t, ring("k1", 'a')), "", new(records).admit, slog.New(slog.DiscardHandler)).ServeHTTP(w, empty)
	require.Equal(t, http.StatusForbidden, w.Code)
}

func TestCodecServerRefusesBadCalls(t *testing.T) {
	t.Parallel()
	s := startCodecServer(t)
	sealed, err := s.data.ToPayload(secret)
	require.NoError(t, err)
	good := asJSON(t, sealed)
	elsewhere, err := DataConverter(keysOf(t, ring("k9", 'z')), "helsebro").ToPayload(secret)
	require.NoError(t, err)

	for name, c := range map[string]struct {
		method, path, body string
		header             map[string]string
		status             int
		says               string
	}{
		"GET":               {http.MethodGet, "/decode", "", nil, http.StatusMethodNotAllowed, "POST"},
		"PUT":               {http.MethodPut, "/decode", good, nil, http.StatusMethodNotAllowed, "POST"},
		"another path":      {http.MethodPost, "/download", good, nil, http.StatusNotFound, ""},
		"deeper path":       {http.MethodPost, "/decode/x", good, nil, http.StatusNotFound, ""},
		"form":              {http.MethodPost, "/decode", good, map[string]string{"Content-Type": "text/plain"}, http.StatusUnsupportedMediaType, "application/json"},
		"no type":           {http.MethodPost, "/decode", good, map[string]string{"Content-Type": ""}, http.StatusUnsupportedMediaType, "application/json"},
		"no namespace":      {http.MethodPost, "/decode", good, map[string]string{"X-Namespace": ""}, http.StatusBadRequest, "X-Namespace"},
		"another namespace": {http.MethodPost, "/decode", good, map[string]string{"X-Namespace": "other"}, http.StatusUnprocessableEntity, "another namespace"},
		"unknown key":       {http.MethodPost, "/decode", asJSON(t, elsewhere), nil, http.StatusUnprocessableEntity, `"k9", which HELSEBRO_CODEC_KEYS does not hold`},
		"no JSON":           {http.MethodPost, "/decode", secret, nil, http.StatusBadRequest, "Payloads"},
		"other JSON":        {http.MethodPost, "/decode", `{"payloads":"` + secret + `"}`, nil, http.StatusBadRequest, "Payloads"},
		"too large":         {http.MethodPost, "/decode", strings.Repeat(" ", maxCodecBody+1), nil, http.StatusRequestEntityTooLarge, "16 MiB"},
	} {
		res := s.call(t, c.method, c.path, c.body, c.header)
		require.Equalf(t, c.status, res.status, "%s: %s", name, res.body)
		require.Contains(t, res.body, c.says, name)
		require.NotContains(t, res.body, secret, name)
		require.Equal(t, "no-store", res.header.Get("Cache-Control"), name)
	}
	require.NotContains(t, s.logs.String(), secret)

	res := s.call(t, http.MethodPost, "/decode", `{}`, nil)
	require.Equal(t, http.StatusOK, res.status)
	require.JSONEq(t, `{}`, res.body)
}
