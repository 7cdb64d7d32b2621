package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

// problems answers what no route takes as the routes do.
func problems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		// The mux alone knows whether another method is meant.
		verdict := &verdictWriter{header: http.Header{}}
		h.ServeHTTP(verdict, r)
		p := newProblem(apperr.NotFound, "there is no such route: GET /openapi.json lists them")
		if verdict.status == http.StatusMethodNotAllowed {
			p.Status, p.Title = verdict.status, "Method not allowed"
			p.Detail = "the route does not take this method: it takes " + verdict.header.Get("Allow")
			p.headers.Set("Allow", verdict.header.Get("Allow"))
		}
		write(w, p)
	})
}

// verdictWriter keeps status and headers and drops the body.
type verdictWriter struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (v *verdictWriter) Header() http.Header { return v.header }

// Write implements http.ResponseWriter.
func (v *verdictWriter) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (v *verdictWriter) WriteHeader(status int) { v.status = status }

// observed writes one log line per request: method, route, status, duration and
// subject. The route is the pattern and never the URL, whose parts a caller may
// fill with anything.
func (a *API) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		who := &subject{}
		r = r.WithContext(context.WithValue(r.Context(), subjectKey{}, who))
		rec := &recorder{ResponseWriter: w}
		rec.Header().Set("X-Content-Type-Options", "nosniff")
		rec.Header().Set("Cache-Control", "no-store")
		rec.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		rec.Header().Set("Referrer-Policy", "no-referrer")
		ctx, end := a.traces.Request(r)
		r = r.WithContext(ctx)
		defer func() {
			if fault := recover(); fault != nil {
				// Its text may hold what a caller sent; its type and place do not.
				a.logger.LogAttrs(r.Context(), slog.LevelError, "a request panicked",
					slog.String("type", fmt.Sprintf("%T", fault)), slog.String("stack", string(debug.Stack())))
				if rec.status == 0 {
					write(rec, problem(apperr.New(apperr.Internal, "")))
				}
			}
			level := slog.LevelInfo
			if rec.status >= http.StatusInternalServerError {
				level = slog.LevelWarn
			}
			_, route, _ := strings.Cut(r.Pattern, " ")
			end(strings.TrimSpace(method(r.Method)+" "+route), rec.status)
			a.meter.Request(route, r.Method, rec.status, time.Since(began))
			a.logger.LogAttrs(r.Context(), level, "request",
				slog.String("method", method(r.Method)), slog.String("route", route), slog.Int("status", rec.status),
				slog.Duration("duration", time.Since(began)), slog.String("subject", who.name))
		}()
		next.ServeHTTP(rec, r)
	})
}

// method keeps what a caller made up out of the log.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

type subjectKey struct{}

// subject carries the caller's subject from authentication out to the log line.
type subject struct{ name string }

func noteSubject(ctx context.Context, name string) {
	if s, ok := ctx.Value(subjectKey{}).(*subject); ok {
		s.name = name
	}
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController and huma set deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
