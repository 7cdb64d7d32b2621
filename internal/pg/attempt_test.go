package pg

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
)

// A gateway that does not report is not waited for.
func TestChannelsAreThoseConfigured(t *testing.T) {
	t.Parallel()
	require.Empty(t, ChannelsOf(config.Channels{}))
	cfg := config.Channels{SMTP: config.SMTP{Addr: "mail:25"}, SMS: config.SMS{URL: "https://sms.example"}, WebPush: config.WebPush{Key: "k"}}
	require.Equal(t, Channels{contract.ChannelEmail: 0, contract.ChannelSMS: 0, contract.ChannelPush: 0}, ChannelsOf(cfg))
	cfg.SMS.CallbackURL = "https://clinic.example/reports"
	require.Equal(t, 30*time.Minute, ChannelsOf(cfg)[contract.ChannelSMS])
}
