package amqp

import (
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/transport"
)

func TestURL(t *testing.T) {
	t.Parallel()
	a, err := Config{URL: "amqps://u%40x:p%2Fw@tb.test.nhn.no:5671/NHNTestServiceBus/", AddressVersion: 1}.parse()
	require.NoError(t, err)
	require.Equal(t, address{url: "amqps://tb.test.nhn.no:5671", user: "u@x", password: "p/w", exchange: "NHNTestServiceBus", version: 1}, a)
	for _, wrong := range []string{"", "https://h/x", "amqps://", "amqps://u:hemmelig@h/a/b", "amqps://u:hemm elig@h/%zz", "amqps://u:hemmelig@h/x?y=1", "amqp://u:hemmelig@tb.test.nhn.no/x"} {
		_, err := New(Config{URL: wrong, AddressVersion: 1})
		require.True(t, apperr.Is(err, apperr.Invalid), wrong)
		require.NotContains(t, err.Error(), "hemm")
	}
	_, err = New(Config{URL: "amqps://h", AddressVersion: 3})
	require.True(t, apperr.Is(err, apperr.Invalid))
	for _, near := range []string{"amqp://localhost:5672/x", "amqp://127.0.0.1/x", "amqp://[::1]/x"} {
		_, err := New(Config{URL: near, AddressVersion: 1})
		require.NoError(t, err, near)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url            string
		version        int
		target, source string
	}{
		{"amqps://h/NHNTestServiceBus", 1, "/exchange/NHNTestServiceBus/93238_async", "/amq/queue/93238_async"},
		{"amqps://h", 1, "/amq/queue/93238_async", "/amq/queue/93238_async"},
		{"amqps://h/NHN%20Bus", 2, "/exchanges/NHN%20Bus/93238_async", "/queues/93238_async"},
		{"amqps://h", 2, "/queues/93238_async", "/queues/93238_async"},
	} {
		a, err := Config{URL: c.url, AddressVersion: c.version}.parse()
		require.NoError(t, err)
		require.Equal(t, c.target, a.target("93238_async"))
		require.Equal(t, c.source, a.source("93238_async"))
	}
	require.Equal(t, "93238_async", queueName("tb.test.nhn.no/NHNTESTServiceBus/93238_async"))
}

func TestOutgoing(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 23, 1, 2, 0, time.UTC)
	m := outgoing(transport.Message{
		ID: "id", Subject: "DIALOG", To: "q", ReplyTo: "r", CorrelationID: "c", ContentType: "application/pkcs7-mime", CPAID: "cpa",
		FromHerID: 1, ToHerID: 2, SentAt: now.In(time.FixedZone("", 3600)), TTL: 15 * time.Second, Properties: map[string]string{"errorCondition": "x", "fromHerId": "9"}, Body: []byte("b"),
	}, "helsebro", now)
	require.True(t, m.Header.Durable, "a broker that is restarted keeps it")
	require.Equal(t, 15*time.Second, m.Header.TTL)
	require.Equal(t, map[string]any{
		"fromHerId": "1", "toHerId": "2", "applicationTimeStamp": "2026-11-26T23:01:02Z", "enqueuedTimeUtc": "2026-11-26T23:01:02",
		"cpaId": "cpa", "X-SystemIdentifier": "helsebro", "errorCondition": "x",
	}, m.ApplicationProperties)
	require.Equal(t, [][]byte{[]byte("b")}, m.Data)
	require.Equal(t, "id", m.Properties.MessageID)
	require.Equal(t, "c", m.Properties.CorrelationID)

	bare := outgoing(transport.Message{ID: "id", To: "q"}, "", now)
	require.Equal(t, [][]byte{{}}, bare.Data, "one data section, empty as it is")
	require.Equal(t, map[string]any{"enqueuedTimeUtc": "2026-11-26T23:01:02"}, bare.ApplicationProperties)
	require.Nil(t, bare.Properties.Subject)
	require.Nil(t, bare.Properties.CorrelationID)
}

// Whatever comes is read; what cannot be is left out.
func TestIncoming(t *testing.T) {
	t.Parallel()
	require.Equal(t, transport.Message{Properties: map[string]string{}, Body: []byte{}}, incoming(&amqp.Message{}))
	reply, subject := "tb.nhn.no/Bus/1_async", "APPREC"
	m := incoming(&amqp.Message{
		Header: &amqp.MessageHeader{FirstAcquirer: true},
		Properties: &amqp.MessageProperties{
			MessageID: amqp.UUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, CorrelationID: uint64(7), ReplyTo: &reply, Subject: &subject,
		},
		ApplicationProperties: map[string]any{
			"fromHerId": int32(5), "toHerId": " 6 ", "applicationTimeStamp": "2026-11-26T23:01:02+01:00", "odd": true, "cpaId": "cpa",
		},
		Data: [][]byte{[]byte("a"), []byte("b")},
	})
	require.Equal(t, transport.Message{
		ID: "01020304-0506-0708-090a-0b0c0d0e0f10", Subject: "APPREC", ReplyTo: "1_async", FromHerID: 5, ToHerID: 6, CPAID: "cpa",
		SentAt: time.Date(2026, 11, 26, 22, 1, 2, 0, time.UTC), Properties: map[string]string{"odd": "true"}, Body: []byte("ab"),
	}, m)
	for value, want := range map[any]string{"text": "text", 7: ""} {
		require.Equal(t, want, string(incoming(&amqp.Message{Value: value}).Body))
	}
	require.Equal(t, "bytes", string(incoming(&amqp.Message{Value: []byte("bytes")}).Body))
	for _, at := range []any{"2026-11-26T23:01:02Z", "2026-11-26T23:01:02", time.Date(2026, 11, 26, 23, 1, 2, 0, time.UTC)} {
		require.Equal(t, time.Date(2026, 11, 26, 23, 1, 2, 0, time.UTC), incoming(&amqp.Message{ApplicationProperties: map[string]any{"applicationTimeStamp": at}}).SentAt)
	}
	for _, at := range []any{"i går", 7, nil} {
		require.Zero(t, incoming(&amqp.Message{ApplicationProperties: map[string]any{"applicationTimeStamp": at, "fromHerId": "x", "toHerId": "-3"}}).SentAt)
	}
	for header, again := range map[amqp.MessageHeader]bool{{}: true, {FirstAcquirer: true}: false, {FirstAcquirer: true, DeliveryCount: 1}: true} {
		require.Equal(t, again, incoming(&amqp.Message{Header: &header}).Redelivered)
	}
}
