package api

import (
	"net/http"
	"time"

	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sms"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/starter/client"
)

// gateway is the gateway for text messages, known by the keys that it shares.
type gateway sms.Keys

// Verify implements SMSReports.
func (g gateway) Verify(header http.Header, body []byte) (client.DeliveryReport, error) {
	r, err := sms.VerifyCallback(header, body, time.Now(), sms.Keys(g))
	if err != nil {
		return client.DeliveryReport{}, err
	}
	return client.DeliveryReport{Channel: contract.ChannelSMS, Key: r.Key, EventID: r.EventID, State: attempt(r.State), At: r.At}, nil
}

// attempt is a provider's state in the words of the ledger: what it dropped because
// its time was over did not arrive.
func attempt(s channel.State) contract.AttemptState {
	switch s {
	case channel.Delivered:
		return contract.AttemptDelivered
	case channel.Failed, channel.Expired:
		return contract.AttemptFailed
	case channel.Accepted:
	}
	return contract.AttemptAccepted
}
