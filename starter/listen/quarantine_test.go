package listen

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
)

// What an operator wants of a message ends, well or not; only what may work later is tried
// again.
func TestCarryOut(t *testing.T) {
	m := transport.Message{ID: "1", To: "gp_async", Subject: "x", ContentType: transport.ContentTypePlain, FromHerID: asker, ToHerID: gp, SentAt: time.Now(), Body: []byte("no XML")}
	giant := m
	giant.Body = make([]byte, transport.MaxBody+1)
	for _, c := range []struct {
		name     string
		decision pg.QuarantineDecision
		m        transport.Message
		send     error
		state    pg.QuarantineState
		reason   string
		kind     apperr.Kind
	}{
		{name: "released", decision: pg.QuarantineRelease, m: m, state: pg.QuarantineReleased},
		{name: "the broker is away", decision: pg.QuarantineRelease, m: m, send: apperr.New(apperr.Unavailable, "away"), kind: apperr.Unavailable},
		{name: "the queue is gone", decision: pg.QuarantineRelease, m: m, send: apperr.New(apperr.NotFound, "gone"), state: pg.QuarantineKept, reason: "not-found"},
		{name: "nobody can send it", decision: pg.QuarantineRelease, m: giant, send: apperr.New(apperr.TooLarge, "large"), state: pg.QuarantineKept, reason: "too-large"},
		{name: "taken", decision: pg.QuarantineRetry, m: m, state: pg.QuarantineTaken},
		{name: "nobody can read it", decision: pg.QuarantineRetry, m: giant, state: pg.QuarantineKept, reason: "too-large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := New(&fakeStore{}, &fakeTemporal{}, &fakeQueues{fail: c.send}, transport.Plain{}, parties(t), nil, slog.New(slog.DiscardHandler))
			state, reason, err := l.carryOut(t.Context(), "k", c.decision, envelope(&c.m, false).Wire)
			require.Equal(t, []any{c.state, c.reason, c.kind}, []any{state, reason, apperr.KindOf(err)})
		})
	}
}
