package metrics

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/pg"
)

// Module provides the metrics of a process, and measures the store.
var Module = fx.Module("metrics",
	fx.Provide(New),
	fx.Invoke(func(m *Metrics, s *pg.Store, logger *slog.Logger) { m.Watch(s, logger) }),
)
