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
	// kept aside.
	decidedEvery = 2 * time.Second
	// deadLetter is why a message of a queue of dead letters is kept aside.
	deadLetter = "dead-letter"
)

// decided carries out what operators decide about messages that are kept aside, until ctx
// ends.
func (l *Listener) decided(ctx context.Context) {
	for {
		wanted, err := l.store.QuarantineWanted(ctx)
		if err != nil && ctx.Err() == nil {
			l.logger.Warn("what is wanted of the quarantine cannot be read yet", "error", err)
		}
		for _, id := range wanted {
			state, err := l.store.CarryOut(ctx, id, func(ctx context.Context, d pg.QuarantineDecision, w pg.Wire) (pg.QuarantineState, string, error) {
				return l.carryOut(ctx, id, d, w)
			})
			switch {
			case err != nil && ctx.Err() == nil:
				l.logger.Warn("what is wanted of a message in quarantine cannot be done yet", "message", id, "kind", apperr.KindOf(err), "error", err)
			case state != "":
				l.logger.Info("a message in quarantine was decided about", "message", id, "state", state)
			}
		}
		if !sleep(ctx, decidedEvery) {
			return
		}
	}
}

// carryOut does what is wanted with a message, and says what has become of it. An error is
// temporary: it is tried again.
func (l *Listener) carryOut(ctx context.Context, id string, d pg.QuarantineDecision, w pg.Wire) (pg.QuarantineState, string, error) {
	m := message(w)
	var err error
	state := pg.QuarantineReleased
	if d == pg.QuarantineRelease {
		err = l.transport.Send(ctx, m)
	} else {
		var stored pg.Arrived
		m.Redelivered = true // it was read before, maybe by a listener that died
		if _, stored, err = l.handle(ctx, &m, w.ErrorQueue, id); err == nil && stored.Verdict == pg.Quarantined {
			return pg.QuarantineKept, "", nil
		}
		state = pg.QuarantineTaken
	}
	switch {
	case apperr.Is(err, apperr.Unavailable) || ctx.Err() != nil:
		return "", "", err
	case err != nil:
		return pg.QuarantineKept, reasonOf(err), nil
	}
	return state, "", nil
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
