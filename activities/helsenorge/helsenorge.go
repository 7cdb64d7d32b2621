// Package helsenorge sends the clinic's messages, receipts and error reports to
// Helsenorge's queues (HITS 1216).
package helsenorge

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/tracing"
	"github.com/helsebro/helsebro/internal/transport"
)

// Store is what the group needs of the database.
type Store interface {
	PrepareAnswer(ctx context.Context, clinicID, id string, counterpart int, build pg.Build) (pg.Prepared, error)
	PrepareReply(ctx context.Context, kind pg.OutboundKind, messageID string, build pg.Build) (pg.Prepared, error)
	MarkSent(ctx context.Context, id string, receiptDue time.Duration) (sentAt, due time.Time, err error)
	FailReply(ctx context.Context, kind pg.OutboundKind, messageID, reason string) error
}

// Sender is the way to the queues.
type Sender interface {
	// Send returns nil only once the queue has accepted the message durably.
	Send(context.Context, transport.Message) error
}

// Activities implements contract.HelsenorgeActivities.
type Activities struct {
	store    Store
	sender   Sender
	sealer   transport.Sealer
	registry registry.Registry
	config   Config
}

// Config is what the installation says of Helsenorge.
type Config struct {
	// ReceiptDue is how long a receipt may take before an operator is asked.
	ReceiptDue time.Duration
	// HelsenorgeHerID is Helsenorge's own party: to whom goes what answers nobody.
	HelsenorgeHerID int
}

var _ contract.HelsenorgeActivities = (*Activities)(nil)

// New makes the group.
func New(store Store, sender Sender, sealer transport.Sealer, r registry.Registry, c Config) *Activities {
	return &Activities{store: store, sender: sender, sealer: sealer, registry: r, config: c}
}

// SendMessage implements contract.HelsenorgeActivities.
func (a *Activities) SendMessage(ctx context.Context, in contract.SendMessageInput) (contract.SendMessageOutput, error) {
	p, err := a.store.PrepareAnswer(ctx, in.ClinicID, in.OutboundID, a.config.HelsenorgeHerID, a.build)
	if err != nil {
		return contract.SendMessageOutput{}, apperr.ToTemporal(err)
	}
	if p.Superseded {
		return contract.SendMessageOutput{Superseded: true}, nil
	}
	failpoint.Hit(failpoint.AnswerPrepared)
	if p.SentAt.IsZero() {
		if err := a.send(ctx, p); err != nil {
			return contract.SendMessageOutput{}, apperr.ToTemporal(err)
		}
		failpoint.Hit(failpoint.AnswerSent)
		if p.SentAt, p.ReceiptDue, err = a.store.MarkSent(ctx, p.ID, a.config.ReceiptDue); err != nil {
			return contract.SendMessageOutput{}, apperr.ToTemporal(err)
		}
		failpoint.Hit(failpoint.AnswerRecorded)
	}
	return contract.SendMessageOutput{SentAt: p.SentAt, ReceiptDue: p.ReceiptDue}, nil
}

// SendReceipt implements contract.HelsenorgeActivities.
func (a *Activities) SendReceipt(ctx context.Context, in contract.SendReceiptInput) (contract.SendReceiptOutput, error) {
	at, err := a.reply(ctx, pg.KindReceipt, in.MessageID, receipt)
	return contract.SendReceiptOutput{SentAt: at}, err
}

// SendRefusal implements contract.HelsenorgeActivities.
func (a *Activities) SendRefusal(ctx context.Context, in contract.SendRefusalInput) (contract.SendRefusalOutput, error) {
	at, err := a.reply(ctx, pg.KindRefusal, in.MessageID, a.refusal)
	return contract.SendRefusalOutput{SentAt: at}, err
}

// ReportTransportError implements contract.HelsenorgeActivities.
func (a *Activities) ReportTransportError(ctx context.Context, in contract.ReportTransportErrorInput) (contract.ReportTransportErrorOutput, error) {
	// A report has properties only; its body is empty.
	at, err := a.reply(ctx, pg.KindReport, in.MessageID, func(context.Context, pg.Job) ([]byte, error) { return []byte{}, nil })
	return contract.ReportTransportErrorOutput{SentAt: at}, err
}

// reply sends what follows from a stored message without a lifecycle, once. There
// is no lifecycle to take note of a final failure, so it is written down here: the
// attempt fails for good only after the ledger has said so.
func (a *Activities) reply(ctx context.Context, kind pg.OutboundKind, messageID string, build pg.Build) (time.Time, error) {
	at, err := a.tryReply(ctx, kind, messageID, build)
	if reason := apperr.KindOf(err); err != nil && ctx.Err() == nil && (!reason.Retryable() || lastAttempt(ctx)) {
		if failed := a.store.FailReply(ctx, kind, messageID, string(reason)); failed != nil && !apperr.Is(failed, apperr.NotFound) {
			err = failed
		}
	}
	return at, apperr.ToTemporal(err)
}

// lastAttempt tells whether the server will not schedule another attempt before it
// gives the activity up.
func lastAttempt(ctx context.Context) bool {
	info := activity.GetInfo(ctx)
	if info.ScheduleToCloseTimeout == 0 {
		return false
	}
	return time.Until(info.ScheduledTime.Add(info.ScheduleToCloseTimeout)) < contract.ReplyLongestPause+contract.ReplyStartToClose
}

func (a *Activities) tryReply(ctx context.Context, kind pg.OutboundKind, messageID string, build pg.Build) (time.Time, error) {
	p, err := a.store.PrepareReply(ctx, kind, messageID, build)
	if err != nil {
		return time.Time{}, err
	}
	failpoint.Hit(failpoint.ReplyPrepared)
	if p.SentAt.IsZero() {
		if err := a.send(ctx, p); err != nil {
			return time.Time{}, err
		}
		failpoint.Hit(failpoint.ReplySent)
		if p.SentAt, _, err = a.store.MarkSent(ctx, p.ID, a.config.ReceiptDue); err != nil {
			return time.Time{}, err
		}
		failpoint.Hit(failpoint.ReplyRecorded)
	}
	return p.SentAt, nil
}

// send hands prepared bytes to the counterpart's queue.
func (a *Activities) send(ctx context.Context, p pg.Prepared) (err error) {
	ctx, end := tracing.Sent(ctx, "message to Helsenorge")
	defer func() { end(err) }()
	to, err := a.registry.Party(ctx, p.ToHerID)
	if err != nil {
		return err
	}
	if p.Job.Kind == pg.KindReport {
		if to.ErrorQueue == "" {
			return apperr.New(apperr.NotFound, "the sender has no error queue in the address registry")
		}
		return a.sender.Send(ctx, report(p, to.ErrorQueue))
	}
	if to.AsyncQueue == "" {
		return apperr.New(apperr.NotFound, "the counterpart has no queue in the address registry")
	}
	// A message for a receiver that is no party of ours is still answered: then
	// there is no queue of ours to reply to.
	from, err := a.registry.Party(ctx, p.FromHerID)
	if err != nil && !apperr.Is(err, apperr.NotFound) {
		return err
	}
	m := transport.Message{
		ID: p.TransportID, Subject: p.Subject, To: to.AsyncQueue, ReplyTo: from.AsyncQueue, CorrelationID: p.TransportID,
		FromHerID: p.FromHerID, ToHerID: p.ToHerID, SentAt: time.Now().UTC(),
	}
	if p.Job.Kind == pg.KindReceipt {
		m.Subject = subjectReceipt
	}
	if err := a.sealer.Seal(ctx, &m, p.Wire); err != nil {
		return err
	}
	return a.sender.Send(ctx, m)
}
