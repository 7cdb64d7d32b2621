// Package notify gives the patient the clinic's own notices, by e-mail, SMS and push
// (S90). What was handed to a provider, or may have been, is never handed to it again.
package notify

import (
	"context"
	"errors"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/tracing"
)

// Store is what the group needs of the database.
type Store interface {
	NextHop(context.Context, contract.NextHopInput, pg.Channels) (contract.NextHopOutput, error)
	ClaimNotice(context.Context, contract.SendNoticeInput, pg.Channels) (pg.ClaimedNotice, error)
	SettleNotice(ctx context.Context, in contract.SendNoticeInput, contactID string, sent pg.Sent) (contract.AttemptState, error)
}

// Senders are the providers of the channels that are configured.
type Senders map[contract.Channel]channel.Sender

// Activities implements contract.NoticeActivities.
type Activities struct {
	store    Store
	senders  Senders
	channels pg.Channels
}

var _ contract.NoticeActivities = (*Activities)(nil)

// New makes the group. channels are those of senders, with how long a report of each is
// waited for.
func New(store Store, senders Senders, channels pg.Channels) *Activities {
	return &Activities{store: store, senders: senders, channels: channels}
}

// NextHop implements contract.NoticeActivities.
func (a *Activities) NextHop(ctx context.Context, in contract.NextHopInput) (contract.NextHopOutput, error) {
	out, err := a.store.NextHop(ctx, in, a.channels)
	failpoint.Hit(failpoint.NoticeHopChosen)
	return out, apperr.ToTemporal(err)
}

// SendNotice implements contract.NoticeActivities.
func (a *Activities) SendNotice(ctx context.Context, in contract.SendNoticeInput) (contract.SendNoticeOutput, error) {
	sender, ok := a.senders[in.Channel]
	if !ok {
		return contract.SendNoticeOutput{}, apperr.ToTemporal(apperr.New(apperr.Unsupported, "the channel is not configured here"))
	}
	claimed, err := a.store.ClaimNotice(ctx, in, a.channels)
	if err != nil || claimed.Known != "" {
		return contract.SendNoticeOutput{State: claimed.Known}, apperr.ToTemporal(err)
	}
	failpoint.Hit(failpoint.NoticeClaimed)
	sending, end := tracing.Sent(ctx, "notice by "+string(in.Channel))
	result, err := sender.Send(sending, channel.Message{
		Key: claimed.Key, To: claimed.To, Subject: claimed.Subject, Body: claimed.Body, ExpiresAt: claimed.ExpiresAt,
	})
	end(err)
	failpoint.Hit(failpoint.NoticeSent)
	sent, again := outcome(result, err)
	// What became of it is written down even when the attempt's time is over.
	state, err := a.store.SettleNotice(context.WithoutCancel(ctx), in, claimed.ContactID, sent)
	failpoint.Hit(failpoint.NoticeRecorded)
	if err == nil && again != nil {
		return contract.SendNoticeOutput{}, apperr.ToTemporal(again)
	}
	return contract.SendNoticeOutput{State: state}, apperr.ToTemporal(err)
}

// outcome is what is known after a send. again is the error with which Temporal tries
// the same channel once more: the provider certainly does not have it, for now.
func outcome(result channel.Result, err error) (sent pg.Sent, again error) {
	if err == nil {
		return pg.Sent{State: contract.AttemptState(result.State), ProviderID: result.ProviderID}, nil
	}
	if refused, ok := errors.AsType[*channel.Refused](err); ok {
		sent = pg.Sent{State: contract.AttemptFailed, Reason: refused.Code, Gone: refused.Gone, ForNow: !refused.Permanent}
		if refused.Permanent {
			return sent, nil
		}
		again := apperr.New(apperr.Unavailable, "the provider does not take the notice now (%s)", refused.Code)
		again.After = refused.After
		return sent, again
	}
	sent = pg.Sent{State: contract.AttemptUnknown}
	if unknown, ok := errors.AsType[*channel.Unknown](err); ok {
		sent.Reason = unknown.Code
	}
	return sent, nil
}
