package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// loose keeps what a library measures without saying beforehand which labels a metric has,
// as Temporal's SDK does: one metric may have them differently. Each series is kept by
// itself, and described when it is collected.
type loose struct {
	mu     sync.Mutex
	series map[string]prometheus.Metric
}

func newLoose() *loose { return &loose{series: map[string]prometheus.Metric{}} }

var _ prometheus.Collector = (*loose)(nil)

// Describe implements prometheus.Collector: what will be collected is not known.
func (l *loose) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (l *loose) Collect(out chan<- prometheus.Metric) {
	l.mu.Lock()
	all := slices.Collect(maps.Values(l.series))
	l.mu.Unlock()
	for _, m := range all {
		out <- m
	}
}

// one is the series of a name and labels, made when there is none.
func one[M prometheus.Metric](l *loose, name string, labels map[string]string, create func() M) M {
	var key strings.Builder
	key.WriteString(name)
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		key.WriteString("\x00" + k + "\x00" + labels[k])
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.series[key.String()].(M); ok {
		return known
	}
	made := create()
	l.series[key.String()] = made
	return made
}

const looseHelp = "See the reference of Temporal's SDK metrics."

// Counter is the series of a name and labels, for what a library counts.
func (m *Metrics) Counter(name string, labels map[string]string) prometheus.Counter {
	return one(m.loose, name, labels, func() prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: looseHelp, ConstLabels: labels})
	})
}

// Gauge is the series of a name and labels, for what a library measures.
func (m *Metrics) Gauge(name string, labels map[string]string) prometheus.Gauge {
	return one(m.loose, name, labels, func() prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: looseHelp, ConstLabels: labels})
	})
}

// Timer is the series of a name and labels, for what a library times, in seconds.
func (m *Metrics) Timer(name string, labels map[string]string) prometheus.Observer {
	return one(m.loose, name, labels, func() prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: looseHelp, ConstLabels: labels, Buckets: seconds})
	})
}
