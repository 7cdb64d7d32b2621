package flow

import (
	"time"

	"github.com/helsebro/helsebro/internal/domain/oslo"
)

// When is an instant in words, by the wall clock of Norway: "Mon 2026-11-30 13:00 CET".
// It is for cards and summaries only. Those are no commands: a history replays, whatever
// a later zone makes of the same instant.
func When(t time.Time) string { return oslo.In(t).Format("Mon 2006-01-02 15:04 MST") }
