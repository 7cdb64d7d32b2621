package api

import (
	"net/http"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/tracing"
)

// Meter counts requests.
type Meter interface {
	// Request is one that was answered; route is as it is registered, "" when none is.
	Request(route, method string, status int, took time.Duration)
	// Handler serves what was counted.
	Handler() http.Handler
}

// WithMetrics counts requests and serves GET /metrics, for an operator of the installation:
// what is under way is measured for all clinics together.
func WithMetrics(m Meter) Option {
	return func(a *API, _ Service) {
		a.meter = m
		a.routes = append(a.routes, Route{Method: http.MethodGet, Path: "/metrics", Right: identity.RightMetricsRead})
		served := m.Handler()
		a.mux.Handle("GET /metrics", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, err := a.principal(r)
			if err == nil {
				err = p.Require(identity.RightMetricsRead)
			}
			if err == nil && p.ClinicID != "" {
				err = apperr.New(apperr.Forbidden, "the metrics are the installation's: a token of its operator names no clinic")
			}
			if err != nil {
				write(w, a.failed(r.Context(), err))
				return
			}
			served.ServeHTTP(w, r)
		}))
	}
}

// WithTraces follows every request.
func WithTraces(t *tracing.Traces) Option { return func(a *API, _ Service) { a.traces = t } }

// unmetered counts nothing.
type unmetered struct{ Meter }

// Request implements Meter.
func (unmetered) Request(string, string, int, time.Duration) {}
