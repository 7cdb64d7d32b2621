package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/helsebro/helsebro/internal/pg"
)

// Store is what is measured of the database.
type Store interface {
	Standing(context.Context) (pg.Standing, error)
}

// standing measures what is kept, when it is collected.
type standing struct {
	store  Store
	logger *slog.Logger

	mu   sync.Mutex
	at   time.Time
	last pg.Standing
	err  error
}

const (
	// standingFor is how long one look counts: several processes and scrapers ask.
	standingFor = 10 * time.Second
	// lookWithin bounds one look.
	lookWithin = 5 * time.Second
)

// Watch measures what is kept in the store.
func (m *Metrics) Watch(store Store, logger *slog.Logger) {
	m.registry.MustRegister(&standing{store: store, logger: logger})
}

func gaugeOf(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descUp            = gaugeOf("helsebro_store_up", "1 when what is kept could be measured, 0 when PostgreSQL did not answer.")
	descUnfinished    = gaugeOf("helsebro_inbound_unfinished", "Messages that are stored, and of which their lifecycle does not know yet.")
	descUnfinishedAge = gaugeOf("helsebro_inbound_unfinished_age_seconds", "Age of the oldest of them; 0 when there is none.")
	descOpen          = gaugeOf("helsebro_effects_open", "Intended effects without an outcome, by kind.", "kind")
	descOpenAge       = gaugeOf("helsebro_effects_open_age_seconds", "Age of the oldest of them, by kind.", "kind")
	descOverdue       = gaugeOf("helsebro_receipts_overdue", "Messages that were sent and whose receipt is overdue, and of which nobody was told.")
	descUnsent        = gaugeOf("helsebro_outbound_unsent_age_seconds", "Age of the oldest message that was accepted and has not left; 0 when there is none.")
	descNotices       = gaugeOf("helsebro_notices_without_outcome", "Notices that should have gone out an hour ago or more, and have no outcome.")
	descCases         = gaugeOf("helsebro_cases_open", "Operator cases that nobody has seen to, by kind.", "kind")
	descQuarantine    = gaugeOf("helsebro_quarantine_kept", "Messages that are kept aside and not decided about.")
	descAnswers       = gaugeOf("helsebro_answers_overdue", "Dialogues whose answer the clinic owes and is late with.")
	descUnsealed      = gaugeOf("helsebro_audit_unsealed_age_seconds", "Age of the oldest row of the audit that is not sealed; 0 when there is none.")
)

// Describe implements prometheus.Collector.
func (s *standing) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descUp, descUnfinished, descUnfinishedAge, descOpen, descOpenAge, descOverdue, descUnsent, descNotices, descCases, descQuarantine, descAnswers, descUnsealed,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s *standing) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	if time.Since(s.at) > standingFor {
		ctx, cancel := context.WithTimeout(context.Background(), lookWithin)
		if s.last, s.err = s.store.Standing(ctx); s.err != nil {
			s.logger.Warn("what is kept cannot be measured", "error", s.err)
		}
		cancel()
		s.at = time.Now()
	}
	now, err := s.last, s.err
	s.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if err != nil {
		gauge(descUp, 0) // the rest is not known: it is missing rather than zero
		return
	}
	gauge(descUp, 1)
	gauge(descUnfinished, float64(now.Unfinished))
	gauge(descUnfinishedAge, now.UnfinishedAge.Seconds())
	for kind, open := range now.Effects {
		gauge(descOpen, float64(open.Count), kind)
		gauge(descOpenAge, open.Age.Seconds(), kind)
	}
	gauge(descOverdue, float64(now.ReceiptsOverdue))
	gauge(descUnsent, now.UnsentAge.Seconds())
	gauge(descNotices, float64(now.NoticesWithoutOutcome))
	for kind, n := range now.Cases {
		gauge(descCases, float64(n), kind)
	}
	gauge(descQuarantine, float64(now.Quarantined))
	gauge(descAnswers, float64(now.AnswersOverdue))
	gauge(descUnsealed, now.UnsealedAge.Seconds())
}
