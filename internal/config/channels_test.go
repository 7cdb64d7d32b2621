package config

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestChannelsAreAbsentUnlessGiven(t *testing.T) {
	c, err := Load[Channels]()
	require.NoError(t, err)
	require.False(t, c.SMTP.Offered())
	require.False(t, c.SMS.Offered())
	require.False(t, c.WebPush.Offered())
	require.False(t, c.Local)
	callback, err := Load[SMSCallback]()
	require.NoError(t, err)
	secrets, err := callback.Secrets()
	require.NoError(t, err)
	require.Empty(t, secrets)
}

func TestChannelsReadEverySetting(t *testing.T) {
	key := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	for name, value := range map[string]string{
		"HELSEBRO_SMTP_ADDR": "mail.lege.example:587", "HELSEBRO_SMTP_USER": "u", "HELSEBRO_SMTP_PASSWORD": "p",
		"HELSEBRO_SMTP_FROM": "Legekontoret <ikke-svar@lege.example>",
		"HELSEBRO_SMS_URL":   "https://sms.example/messages", "HELSEBRO_SMS_KEY": "k", "HELSEBRO_SMS_FROM": "Legen",
		"HELSEBRO_SMS_CALLBACK_URL": "https://helsebro.lege.example/v1/sms/reports",
		"HELSEBRO_VAPID_KEY":        key, "HELSEBRO_VAPID_SUBJECT": "mailto:drift@lege.example",
	} {
		t.Setenv(name, value)
	}
	c, err := Load[Channels]()
	require.NoError(t, err)
	require.Equal(t, Channels{
		SMTP: SMTP{
			Addr: "mail.lege.example:587", TLS: TLSMandatory, User: "u", Password: "p",
			From: "Legekontoret <ikke-svar@lege.example>", Timeout: time.Minute, PerSecond: 20,
		},
		SMS: SMS{
			URL: "https://sms.example/messages", Key: "k", From: "Legen",
			CallbackURL: "https://helsebro.lege.example/v1/sms/reports", Timeout: 30 * time.Second, PerSecond: 10,
		},
		WebPush: WebPush{Key: key, Subject: "mailto:drift@lege.example", Timeout: 30 * time.Second, PerSecond: 50},
	}, c)
}

func TestChannelsNameWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		set  map[string]string
		want []string
	}{
		{
			map[string]string{"HELSEBRO_SMTP_ADDR": "mail", "HELSEBRO_SMTP_TLS": "maybe", "HELSEBRO_SMTP_USER": "u", "HELSEBRO_SMTP_TIMEOUT": "1h", "HELSEBRO_SMTP_PER_SECOND": "-1"},
			[]string{"HELSEBRO_SMTP_ADDR", "HELSEBRO_SMTP_TLS", "HELSEBRO_SMTP_USER", "HELSEBRO_SMTP_FROM", "HELSEBRO_SMTP_TIMEOUT", "HELSEBRO_SMTP_PER_SECOND"},
		},
		{
			map[string]string{"HELSEBRO_SMTP_ADDR": "mail.lege.example:25", "HELSEBRO_SMTP_TLS": "none", "HELSEBRO_SMTP_FROM": "a@lege.example"},
			[]string{"HELSEBRO_SMTP_TLS"},
		},
		{
			map[string]string{"HELSEBRO_SMTP_ADDR": "127.0.0.1:25", "HELSEBRO_SMTP_TLS": "none", "HELSEBRO_SMTP_FROM": "a@lege.example"},
			nil,
		},
		{
			map[string]string{"HELSEBRO_SMS_URL": "http://sms.example", "HELSEBRO_SMS_CALLBACK_URL": "here", "HELSEBRO_SMS_TIMEOUT": "0s"},
			[]string{"HELSEBRO_SMS_URL", "HELSEBRO_SMS_KEY", "HELSEBRO_SMS_FROM", "HELSEBRO_SMS_CALLBACK_URL", "HELSEBRO_SMS_TIMEOUT"},
		},
		{
			map[string]string{
				"HELSEBRO_CHANNELS_LOCAL": "true", "HELSEBRO_SMTP_ADDR": "sink:2525", "HELSEBRO_SMTP_TLS": "none", "HELSEBRO_SMTP_FROM": "a@lege.example",
				"HELSEBRO_SMS_URL": "http://sink:8238/sms", "HELSEBRO_SMS_KEY": "k", "HELSEBRO_SMS_FROM": "Legen",
			},
			nil,
		},
		{
			map[string]string{"HELSEBRO_VAPID_KEY": "short", "HELSEBRO_VAPID_SUBJECT": "drift"},
			[]string{"HELSEBRO_VAPID_KEY", "HELSEBRO_VAPID_SUBJECT"},
		},
	} {
		t.Run(strings.Join(c.want, " "), func(t *testing.T) {
			for name, value := range c.set {
				t.Setenv(name, value)
			}
			_, err := Load[Channels]()
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Len(t, strings.Split(err.Error(), "\n"), len(c.want), err)
			for _, name := range c.want {
				require.ErrorContains(t, err, name)
			}
		})
	}
}

func TestCallbackKeysAreLongAndNeverQuoted(t *testing.T) {
	long := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", 32)))
	t.Setenv("HELSEBRO_SMS_CALLBACK_KEYS", long+", "+long)
	c, err := Load[SMSCallback]()
	require.NoError(t, err)
	secrets, err := c.Secrets()
	require.NoError(t, err)
	require.Len(t, secrets, 2)

	short := base64.StdEncoding.EncodeToString([]byte("secret"))
	t.Setenv("HELSEBRO_SMS_CALLBACK_KEYS", long+","+short)
	_, err = Load[SMSCallback]()
	require.ErrorContains(t, err, "HELSEBRO_SMS_CALLBACK_KEYS")
	require.NotContains(t, err.Error(), short)
}
