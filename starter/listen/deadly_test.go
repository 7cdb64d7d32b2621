package listen

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
)

// countingSealer counts what is opened.
type countingSealer struct {
	transport.Plain
	opened int
}

func (s *countingSealer) Open(ctx context.Context, m *transport.Message) ([]byte, error) {
	s.opened++
	return s.Plain.Open(ctx, m)
}

// TestAMessageThatListenersDieOverIsKeptAside: it is read until it has cost five listeners,
// and then never again until an operator says so. One that is read to an end costs nothing,
// however often it comes.
func TestAMessageThatListenersDieOverIsKeptAside(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	m := transport.Message{
		ID: "1", To: "gp_async", Subject: "x", ContentType: transport.ContentTypePlain, FromHerID: asker, ToHerID: gp, SentAt: time.Now(),
		Body: []byte("no XML"), Redelivered: true,
	}
	l := New(store, &fakeTemporal{}, &fakeQueues{}, transport.Plain{}, parties(t), nil, slog.New(slog.DiscardHandler))
	for range 2 * deaths {
		d := &fakeDelivery{m: &m}
		require.NoError(t, l.take(t.Context(), d, false))
		require.Equal(t, 1, d.accepted)
	}
	require.Empty(t, store.aside)
	require.Empty(t, store.reading)

	for range deaths { // die
		_, err := store.BeginReading(t.Context(), pg.Arrival{TransportID: "1"})
		require.NoError(t, err)
	}
	sealer := &countingSealer{}
	l.sealer = sealer
	d := &fakeDelivery{m: &m}
	require.NoError(t, l.take(t.Context(), d, false))
	require.Equal(t, []string{"1 listener-died"}, store.aside)
	require.Equal(t, 1, d.accepted)
	require.Zero(t, sealer.opened, "it is not read again")

	state, _, err := l.carryOut(t.Context(), "k", pg.QuarantineRetry, envelope(&m, false).Wire)
	require.NoError(t, err)
	require.Equal(t, pg.QuarantineTaken, state, "an operator's word begins anew")
	require.Equal(t, 1, sealer.opened)
}
