package listen

import (
	"context"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
)

const (
	// decidedEvery is how often it is looked what operators want done with messages that are
	// kept aside, decidedAtOnce how many of them are held at a time: each may have 20 MB.
	decidedEvery  = 2 * time.Second
	decidedAtOnce = 4
	// deadLetter is why a message of a queue of dead letters is kept aside.
	deadLetter = "dead-letter"
)

// decided carries out what operators decide about messages that are kept aside, until ctx
// ends. Listeners that do so side by side do nothing twice: a message that is taken in
// again is known, and one that is put back twice is one message on its queue to whoever
// takes it in.
func (l *Listener) decided(ctx context.Context) {
	for {
		wanted, err := l.store.QuarantineWanted(ctx, decidedAtOnce)
		if err != nil && ctx.Err() == nil {
			l.logger.Warn("what is wanted of the quarantine cannot be read yet", "error", err)
		}
		again := len(wanted) == decidedAtOnce
		for _, w := range wanted {
			state, reason, err := l.carryOut(ctx, w)
			if err == nil {
				err = l.store.QuarantineDone(ctx, w.ID, state, reason)
			}
			if err != nil {
				again = false
				l.logger.Warn("what is wanted of a message in quarantine cannot be done yet", "message", w.ID, "wanted", w.Decision, "kind", apperr.KindOf(err), "error", err)
				continue
			}
			l.logger.Info("a message in quarantine was decided about", "message", w.ID, "wanted", w.Decision, "state", state)
		}
		if !again && !sleep(ctx, decidedEvery) || ctx.Err() != nil {
			return
		}
	}
}

// carryOut does what is wanted with a message. An error is temporary: it is tried again.
func (l *Listener) carryOut(ctx context.Context, w pg.WantedOfQuarantine) (pg.QuarantineState, string, error) {
	m := message(w.Wire)
	if w.Decision == pg.QuarantineRelease {
		return pg.QuarantineReleased, "", l.transport.Send(ctx, m)
	}
	m.Redelivered = true // it was read before, maybe by a listener that died
	_, stored, err := l.handle(ctx, &m, w.Wire.ErrorQueue)
	switch {
	case apperr.Is(err, apperr.Unavailable):
		return "", "", err
	case err != nil:
		return pg.QuarantineKept, reasonOf(err), nil
	case stored.Verdict == pg.Quarantined:
		return pg.QuarantineKept, "", nil // for the reason that it was
	}
	return pg.QuarantineTaken, "", nil
}

// message is a message as it came.
func message(w pg.Wire) transport.Message {
	return transport.Message{
		ID: w.TransportID, Subject: w.Subject, To: w.Queue, ReplyTo: w.ReplyTo, CorrelationID: w.CorrelationID, ContentType: w.ContentType,
		CPAID: w.CPAID, FromHerID: w.FromHerID, ToHerID: w.ToHerID, SentAt: w.SentAt, Properties: w.Properties, Body: w.Body,
	}
}

// keepDeadLetter keeps what the broker gave up on where an operator sees it.
func (l *Listener) keepDeadLetter(ctx context.Context, delivery transport.Delivery) error {
	began, m := time.Now(), delivery.Message()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := l.store.KeepAside(ctx, envelope(m, false), deadLetter)
		if err == nil {
			break
		}
		l.logger.Warn("a dead letter cannot be kept yet", "fromHerId", m.FromHerID, "toHerId", m.ToHerID, "error", err)
		if time.Since(began) > l.heldFor {
			return errHeld
		}
		if !sleep(ctx, pause) {
			return nil
		}
	}
	l.logger.Error("a dead letter is in quarantine", "fromHerId", m.FromHerID, "toHerId", m.ToHerID)
	if err := delivery.Accept(ctx); err != nil && ctx.Err() == nil {
		l.logger.Warn("a dead letter could not be settled: it will come again", "error", err)
	}
	return nil
}
