package temporalx

import (
	"maps"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/metrics"
)

// Meter hands what Temporal's SDK measures to the metrics of a process.
func Meter(m *metrics.Metrics) client.MetricsHandler { return meter{to: m} }

// meter hands what Temporal's SDK measures to the metrics of the process.
type meter struct {
	to     *metrics.Metrics
	labels map[string]string
}

var _ client.MetricsHandler = meter{}

// WithTags implements client.MetricsHandler.
func (m meter) WithTags(tags map[string]string) client.MetricsHandler {
	labels := maps.Clone(m.labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, tags)
	return meter{m.to, labels}
}

type (
	counting func(int64)
	gauging  func(float64)
	timing   func(time.Duration)
)

// Inc implements client.MetricsCounter.
func (c counting) Inc(n int64) { c(n) }

// Update implements client.MetricsGauge.
func (g gauging) Update(v float64) { g(v) }

// Record implements client.MetricsTimer.
func (t timing) Record(d time.Duration) { t(d) }

// Counter implements client.MetricsHandler.
func (m meter) Counter(name string) client.MetricsCounter {
	c := m.to.Counter(name, m.labels)
	return counting(func(n int64) { c.Add(float64(n)) })
}

// Gauge implements client.MetricsHandler.
func (m meter) Gauge(name string) client.MetricsGauge { return gauging(m.to.Gauge(name, m.labels).Set) }

// Timer implements client.MetricsHandler.
func (m meter) Timer(name string) client.MetricsTimer {
	t := m.to.Timer(name+"_seconds", m.labels)
	return timing(func(d time.Duration) { t.Observe(d.Seconds()) })
}
