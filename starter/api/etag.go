package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/helsebro/helsebro/internal/apperr"
)

// What people edit together has an ETag when it is read (RFC 9110 §8.8.3), and who writes it
// may say with If-Match which version he has seen: when it is another by now, he is told so
// and nothing is written. It is every path that is both read and written whole. The tag is
// of what the caller reads: whoever may not read it has none to send.

// asksFor says whether what is read depends on more than its path: then it is not what
// somebody writes there.
func asksFor(in reflect.Type) bool {
	for f := range in.Fields() {
		if f.Tag.Get("query") != "" || f.Anonymous && f.Type.Kind() == reflect.Struct && asksFor(f.Type) {
			return true
		}
	}
	return false
}

// reading makes a route that reads something one that tags it, where its path is also
// written.
func (a *API) reading(op *huma.Operation) {
	path := op.Path
	a.edited[path] = false // until something writes it
	op.Middlewares = append(op.Middlewares, func(hc huma.Context, next func(huma.Context)) {
		if !a.edited[path] {
			next(hc)
			return
		}
		r, w := humago.Unwrap(hc)
		held := &held{header: w.Header()}
		next(humago.NewContext(hc.Operation(), r.WithContext(hc.Context()), held))
		if held.status == http.StatusOK {
			w.Header().Set("ETag", held.tag())
		}
		w.WriteHeader(held.status)
		_, _ = w.Write(held.body.Bytes()) // a caller who is gone needs no answer
	})
}

// writing makes a route that writes what another route of its path reads, as registered
// before, one that takes If-Match. Writers of one thing come one by one.
func (a *API) writing(op *huma.Operation) {
	if _, read := a.edited[op.Path]; !read {
		return
	}
	a.edited[op.Path] = true
	op.Errors = append(op.Errors, http.StatusPreconditionFailed)
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: "If-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
		Description: "The ETag with which it was read, or several, or *: nothing is written when it is another by now",
	})
	op.Middlewares = append(op.Middlewares, func(hc huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(hc)
		err := a.alone(hc.Context(), r.URL.Path, func() {
			if seen := r.Header.Values("If-Match"); len(seen) > 0 && !a.matches(hc.Context(), r, strings.Join(seen, ",")) {
				write(w, a.failed(hc.Context(), apperr.New(apperr.Stale, "it has changed since it was read: read it again, and decide anew")))
				return
			}
			next(hc)
		})
		if err != nil {
			write(w, a.failed(hc.Context(), err))
		}
	})
}

// matches says whether what is at the request's path, as its caller reads it, has one of the
// tags.
func (a *API) matches(ctx context.Context, r *http.Request, tags string) bool {
	read := r.Clone(ctx) // with the caller, who is let through by it
	read.Method, read.Body, read.ContentLength = http.MethodGet, http.NoBody, 0
	held := &held{header: http.Header{}}
	a.mux.ServeHTTP(held, read)
	for tag := range strings.SplitSeq(tags, ",") {
		if tag = strings.TrimSpace(tag); held.status == http.StatusOK && (tag == "*" || tag == held.tag()) {
			return true
		}
	}
	return false
}

// held is an answer that is not given yet.
type held struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (h *held) Header() http.Header { return h.header }

// WriteHeader implements http.ResponseWriter.
func (h *held) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

// Write implements http.ResponseWriter.
func (h *held) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(b)
}

// tag is that of the body.
func (h *held) tag() string {
	sum := sha256.Sum256(h.body.Bytes())
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
}
