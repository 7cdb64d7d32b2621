// Package metrics counts what a process does and measures what is kept, for Prometheus.
//
// No label has a value of a patient, a person or a message: routes, processes, verdicts,
// queues and kinds are closed lists of ours.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are those of one process. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	loose    *loose

	requests  *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	messages  *prometheus.CounterVec
	intake    prometheus.Histogram
	synchrone *prometheus.HistogramVec
	unsettled *prometheus.GaugeVec
	expires   *prometheus.GaugeVec
}

// seconds are the bounds of durations, from a quick request to a message that waited for an
// outage to be over.
var seconds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 600}

// New makes the metrics of a process.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), loose: newLoose(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "helsebro_http_requests_total", Help: "Requests that were answered, by route, method and status.",
		}, []string{"route", "method", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "helsebro_http_request_duration_seconds", Help: "How long requests took, by route and method.", Buckets: seconds,
		}, []string{"route", "method"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "helsebro_messages_received_total", Help: "Messages that were brought to their end, by process (kodeverk 8279) and verdict.",
		}, []string{"process", "verdict"}),
		intake: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "helsebro_intake_duration_seconds", Help: "From a message's arrival to its lifecycle knowing of it.", Buckets: seconds,
		}),
		synchrone: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "helsebro_synchronous_answer_duration_seconds", Help: "How long citizens waited for an answer on the screen, by process.", Buckets: seconds,
		}, []string{"process"}),
		unsettled: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "helsebro_messages_unsettled", Help: "Messages that are being taken in, by queue of ours.",
		}, []string{"queue"}),
		expires: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "helsebro_certificate_expires_timestamp_seconds", Help: "When the first of our own certificates expires, in Unix seconds, by use.",
		}, []string{"use"}),
	}
	m.registry.MustRegister(
		m.loose, m.requests, m.latency, m.messages, m.intake, m.synchrone, m.unsettled, m.expires,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Handler serves the metrics as text.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Request counts a request of the API. route is as it is registered, "" when none is.
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, knownMethod(method), http.StatusText(status)).Inc()
	m.latency.WithLabelValues(route, knownMethod(method)).Observe(took.Seconds())
}

// knownMethod bounds what a caller can make a label of.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// Message counts a message that was brought to its end.
func (m *Metrics) Message(process, verdict string, took time.Duration) {
	if process == "" {
		process = "none"
	}
	m.messages.WithLabelValues(process, verdict).Inc()
	m.intake.Observe(took.Seconds())
}

// Answer counts an answer to who waits for it.
func (m *Metrics) Answer(process string, took time.Duration) {
	m.synchrone.WithLabelValues(process).Observe(took.Seconds())
}

// Unsettled counts what is being taken in from a queue: n more.
func (m *Metrics) Unsettled(queue string, n int) { m.unsettled.WithLabelValues(queue).Add(float64(n)) }

// Certificates says when the first of our own certificates expires, by use.
func (m *Metrics) Certificates(expires map[string]time.Time) {
	for use, at := range expires {
		m.expires.WithLabelValues(use).Set(float64(at.Unix()))
	}
}
