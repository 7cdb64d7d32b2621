package temporalx

import (
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/helsebro/helsebro/internal/vault"
)

// maxCodecBody bounds one call of the UI, in bytes: some pages of a history.
const maxCodecBody = 16 << 20

// CodecHandler opens and seals payloads for the Temporal UI, in the protocol of
// remote codecs: POST /decode and POST /encode with the namespace in X-Namespace.
//
// It answers pages of allowedOrigin (such as http://127.0.0.1:8233) and nobody
// else: another Origin, and none, is 403. Whoever looks at the page must be admitted,
// and what he reads is written down before he is shown it. What it opens is not cached,
// and the log has how many payloads were opened and never what was in them.
func CodecHandler(keys vault.Keys, allowedOrigin string, admit Admit, logger *slog.Logger) http.Handler {
	h := &codecHandler{keys: keys, origin: strings.TrimSuffix(allowedOrigin, "/"), admit: admit, logger: logger}
	mux := http.NewServeMux()
	mux.Handle("/encode", h.operation("encode", (*codec).Encode))
	mux.Handle("/decode", h.operation("decode", (*codec).Decode))
	return h.guard(mux)
}

// Admit proves who asks, and that he may read payloads. It returns nil once it has
// answered a request that is refused.
type Admit func(w http.ResponseWriter, r *http.Request) Record

// Record writes down that somebody had payloads of a namespace converted: operation is
// decode or encode. When it fails nothing is shown.
type Record func(operation, namespace string, payloads int) error

type codecHandler struct {
	keys   vault.Keys
	origin string
	admit  Admit
	logger *slog.Logger
}

// guard lets the one origin in, for every path: what is not there is nobody else's
// business either.
func (h *codecHandler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Origin")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		origins := r.Header.Values("Origin")
		if h.origin == "" || len(origins) != 1 || origins[0] != h.origin {
			http.Error(w, "only the Temporal UI at HELSEBRO_UI_ORIGIN may ask", http.StatusForbidden)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", h.origin)
		next.ServeHTTP(w, r)
	})
}

func (h *codecHandler) operation(name string, apply func(*codec, []*commonpb.Payload) ([]*commonpb.Payload, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodOptions:
			w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
			w.Header().Set("Access-Control-Allow-Headers", "Content-Type, X-Namespace, Authorization")
			w.Header().Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		case http.MethodPost:
		default:
			w.Header().Set("Allow", "OPTIONS, POST")
			http.Error(w, "POST payloads", http.StatusMethodNotAllowed)
			return
		}
		// A form or plain text would come without a preflight.
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			http.Error(w, "send application/json", http.StatusUnsupportedMediaType)
			return
		}
		record := h.admit(w, r)
		if record == nil {
			return
		}
		namespace := r.Header.Get("X-Namespace")
		if namespace == "" {
			http.Error(w, "name the namespace in X-Namespace: payloads are sealed for one", http.StatusBadRequest)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCodecBody))
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			http.Error(w, "send at most 16 MiB", http.StatusRequestEntityTooLarge)
			return
		}
		var in commonpb.Payloads
		// A parser's error quotes its input, so it is not passed on.
		if err != nil || (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &in) != nil {
			http.Error(w, "send a temporal.api.common.v1.Payloads message as JSON", http.StatusBadRequest)
			return
		}
		out, err := apply(newCodec(h.keys, namespace), in.GetPayloads())
		if err != nil {
			h.logger.Warn("payloads were not converted", "operation", name, "count", len(in.GetPayloads()), "error", err)
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		answer, err := protojson.Marshal(&commonpb.Payloads{Payloads: out})
		if err != nil {
			h.logger.Error("payloads cannot be written as JSON", "operation", name, "count", len(out))
			http.Error(w, "the payloads cannot be written as JSON", http.StatusInternalServerError)
			return
		}
		if err := record(name, namespace, len(out)); err != nil {
			h.logger.Error("payloads are not shown: it cannot be written down who reads them", "operation", name, "count", len(out), "error", err)
			w.Header().Set("Retry-After", "5")
			http.Error(w, "it cannot be written down who reads this: try again in a moment", http.StatusServiceUnavailable)
			return
		}
		h.logger.Info("payloads converted", "operation", name, "count", len(out))
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer) //nolint:errcheck // who has gone needs no answer
	})
}
