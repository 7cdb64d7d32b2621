package observ

import (
	"log/slog"

	"go.uber.org/fx/fxevent"
)

// FxLogger writes what fx does to the process log: failures as errors, the rest
// for who debugs a start.
func FxLogger(logger *slog.Logger) fxevent.Logger {
	l := &fxevent.SlogLogger{Logger: logger}
	l.UseLogLevel(slog.LevelDebug)
	return l
}
