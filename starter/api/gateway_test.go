package api

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sms"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/starter/client"
)

func TestTheGatewaysReportsInTheWordsOfTheLedger(t *testing.T) {
	t.Parallel()
	keys := sms.Keys{[]byte("0123456789abcdef0123456789abcdef")}
	at := time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC)
	for state, want := range map[channel.State]contract.AttemptState{
		channel.Accepted: contract.AttemptAccepted, channel.Delivered: contract.AttemptDelivered,
		channel.Failed: contract.AttemptFailed, channel.Expired: contract.AttemptFailed,
	} {
		body, err := json.Marshal(sms.Report{EventID: "e1", Key: "n/sms", State: state, At: at})
		require.NoError(t, err)
		header := http.Header{sms.SignatureHeader: {keys.Sign(time.Now(), body)}}
		got, err := gateway(keys).Verify(header, body)
		require.NoError(t, err)
		require.Equal(t, client.DeliveryReport{Channel: contract.ChannelSMS, Key: "n/sms", EventID: "e1", State: want, At: at}, got)

		_, err = gateway{[]byte("another key of thirty-two bytes.")}.Verify(header, body)
		require.Equal(t, apperr.Unauthenticated, apperr.KindOf(err))
	}
}

func TestCallbacksAreServedWhereThereAreKeys(t *testing.T) {
	t.Parallel()
	var cfg config.Serve
	none, err := callbacks(cfg)
	require.NoError(t, err)
	require.Empty(t, none)
	cfg.SMSCallback.Keys = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	one, err := callbacks(cfg)
	require.NoError(t, err)
	require.Len(t, one, 1)
	cfg.SMSCallback.Keys = "short"
	_, err = callbacks(cfg)
	require.ErrorContains(t, err, "HELSEBRO_SMS_CALLBACK_KEYS")
}
