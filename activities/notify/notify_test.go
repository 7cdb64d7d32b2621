package notify_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/helsebro/helsebro/activities/notify"
	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/pg"
)

// store claims once, as PostgreSQL does, and remembers how it was settled.
type store struct {
	known     contract.AttemptState
	settled   []pg.Sent
	contacts  []string
	settleErr error
	ended     bool // the context, when it was settled
}

func (s *store) NextHop(context.Context, contract.NextHopInput, pg.Channels) (contract.NextHopOutput, error) {
	return contract.NextHopOutput{Channel: contract.ChannelSMS}, nil
}

func (s *store) ClaimNotice(context.Context, contract.SendNoticeInput, pg.Channels) (pg.ClaimedNotice, error) {
	if s.known != "" {
		return pg.ClaimedNotice{Known: s.known}, nil
	}
	s.known = contract.AttemptUnknown
	return pg.ClaimedNotice{Key: "n/sms", ContactID: "c", To: "+4741234567", Body: "Time", ExpiresAt: time.Unix(9, 0)}, nil
}

func (s *store) SettleNotice(ctx context.Context, _ contract.SendNoticeInput, contactID string, sent pg.Sent) (contract.AttemptState, error) {
	s.settled, s.contacts, s.ended = append(s.settled, sent), append(s.contacts, contactID), ctx.Err() != nil
	return sent.State, s.settleErr
}

// provider answers every send the same.
type provider struct {
	result channel.Result
	err    error
	sent   []channel.Message
	during func()
}

func (p *provider) Send(_ context.Context, m channel.Message) (channel.Result, error) {
	p.sent = append(p.sent, m)
	if p.during != nil {
		p.during()
	}
	return p.result, p.err
}

func group(s *store, p *provider) *notify.Activities {
	return notify.New(s, notify.Senders{contract.ChannelSMS: p}, pg.Channels{contract.ChannelSMS: time.Minute})
}

var in = contract.SendNoticeInput{NoticeID: "n", Channel: contract.ChannelSMS}

func TestWhatTheProviderSaysIsWrittenDown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		result channel.Result
		err    error
		sent   pg.Sent
	}{
		"accepted":  {channel.Result{State: channel.Accepted, ProviderID: "gw"}, nil, pg.Sent{State: contract.AttemptAccepted, ProviderID: "gw"}},
		"delivered": {channel.Result{State: channel.Delivered}, nil, pg.Sent{State: contract.AttemptDelivered}},
		"refused":   {channel.Result{}, &channel.Refused{Permanent: true, Code: "rcpt 550"}, pg.Sent{State: contract.AttemptFailed, Reason: "rcpt 550"}},
		"gone":      {channel.Result{}, &channel.Refused{Permanent: true, Gone: true, Code: "http 410"}, pg.Sent{State: contract.AttemptFailed, Reason: "http 410", Gone: true}},
		"unknown":   {channel.Result{}, &channel.Unknown{Code: "end"}, pg.Sent{State: contract.AttemptUnknown, Reason: "end"}},
		"any other": {channel.Result{}, errors.New("?"), pg.Sent{State: contract.AttemptUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := &store{}, &provider{result: c.result, err: c.err}
			out, err := group(s, p).SendNotice(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, c.sent.State, out.State)
			require.Equal(t, []pg.Sent{c.sent}, s.settled)
			require.Equal(t, []string{"c"}, s.contacts)
			require.Equal(t, []channel.Message{{Key: "n/sms", To: "+4741234567", Body: "Time", ExpiresAt: time.Unix(9, 0)}}, p.sent)
		})
	}
}

// A provider that certainly does not have it is asked again, when it wants to be.
func TestRefusedForNowIsRetried(t *testing.T) {
	t.Parallel()
	s, p := &store{}, &provider{err: &channel.Refused{Code: "http 429", After: 7 * time.Second}}
	_, err := group(s, p).SendNotice(t.Context(), in)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, []any{string(apperr.Unavailable), false, 7 * time.Second}, []any{app.Type(), app.NonRetryable(), app.NextRetryDelay()})
	require.Equal(t, []pg.Sent{{State: contract.AttemptFailed, Reason: "http 429", ForNow: true}}, s.settled)
}

// What was handed over, or may have been, is not handed over again.
func TestNeverSentTwice(t *testing.T) {
	t.Parallel()
	s, p := &store{settleErr: apperr.New(apperr.Unavailable, "the database does not answer")}, &provider{result: channel.Result{State: channel.Accepted}}
	a := group(s, p)
	_, err := a.SendNotice(t.Context(), in)
	require.True(t, apperr.Is(err, apperr.Unavailable))
	out, err := a.SendNotice(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, contract.AttemptUnknown, out.State)
	require.Len(t, p.sent, 1)
}

// An attempt whose time ran out while the provider answered is still written down.
func TestRecordedAfterTheAttemptsTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, p := &store{}, &provider{result: channel.Result{State: channel.Accepted}, during: cancel}
	_, err := group(s, p).SendNotice(ctx, in)
	require.NoError(t, err)
	require.False(t, s.ended)
}

func TestUnknownChannelIsFinal(t *testing.T) {
	t.Parallel()
	_, err := group(&store{}, &provider{}).SendNotice(t.Context(), contract.SendNoticeInput{Channel: contract.ChannelPush})
	require.True(t, apperr.Is(err, apperr.Unsupported))
}
