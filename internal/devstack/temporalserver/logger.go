package temporalserver

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// logger gives the server's log lines to slog.
type logger struct {
	to      *slog.Logger
	stopped atomic.Bool
}

var _ log.Logger = (*logger)(nil)

func newLogger(to *slog.Logger) *logger {
	if to == nil {
		to = slog.New(slog.DiscardHandler)
	}
	return &logger{to: to}
}

// quiet sends all further lines to Debug.
func (l *logger) quiet() { l.stopped.Store(true) }

func (l *logger) log(level slog.Level, msg string, tags []tag.Tag) {
	if l.stopped.Load() {
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !l.to.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, len(tags))
	for i, t := range tags {
		attrs[i] = slog.Any(t.Key(), t.Value())
	}
	l.to.LogAttrs(ctx, level, msg, attrs...)
}

// Debug implements log.Logger.
func (l *logger) Debug(msg string, tags ...tag.Tag) { l.log(slog.LevelDebug-4, msg, tags) }

// Info implements log.Logger.
func (l *logger) Info(msg string, tags ...tag.Tag) { l.log(slog.LevelDebug, msg, tags) }

// Warn implements log.Logger.
func (l *logger) Warn(msg string, tags ...tag.Tag) { l.log(slog.LevelWarn, msg, tags) }

// Error implements log.Logger.
func (l *logger) Error(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// DPanic is the server's name for a broken invariant that it can live with.
func (l *logger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// Panic implements log.Logger.
func (l *logger) Panic(msg string, tags ...tag.Tag) { l.die(msg, tags) }

// Fatal must not return: the server relies on it.
func (l *logger) Fatal(msg string, tags ...tag.Tag) { l.die(msg, tags) }

func (l *logger) die(msg string, tags []tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	for _, t := range tags {
		msg += fmt.Sprintf("; %s: %v", t.Key(), t.Value())
	}
	panic("Temporal server: " + msg)
}
