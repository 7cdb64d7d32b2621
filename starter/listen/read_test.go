package listen

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
)

// TestWhateverTheEnvelopeSaysCanBeStored: an id that the database cannot keep would
// hold its credit for ever.
func TestWhateverTheEnvelopeSaysCanBeStored(t *testing.T) {
	t.Parallel()
	l := New(nil, nil, nil, transport.Plain{}, nil, nil, slog.New(slog.DiscardHandler))
	for name, c := range map[string]struct {
		change  func(*transport.Message)
		missing string
	}{
		"no id":           {func(m *transport.Message) { m.ID = "" }, "message-id"},
		"long id":         {func(m *transport.Message) { m.ID = strings.Repeat("x", 3000) }, "message-id"},
		"NUL in id":       {func(m *transport.Message) { m.ID = "id\x00" }, "message-id"},
		"no subject":      {func(m *transport.Message) { m.Subject = "" }, "Label"},
		"NUL in it":       {func(m *transport.Message) { m.Subject = "id\x00" }, "Label"},
		"huge HER":        {func(m *transport.Message) { m.ToHerID = 1 << 40 }, "toHerId"},
		"no instant":      {func(m *transport.Message) { m.SentAt = time.Time{} }, "applicationTimeStamp"},
		"no content type": {func(m *transport.Message) { m.ContentType = "" }, "ContentType"},
		"hardly anything": {func(m *transport.Message) { *m = transport.Message{FromHerID: 1} }, "ContentType, Label, applicationTimeStamp, message-id, toHerId"},
	} {
		m := &transport.Message{ID: "id", Subject: "S", ContentType: transport.ContentTypePlain, FromHerID: 1, ToHerID: 2, SentAt: time.Now()}
		c.change(m)
		a, err := l.read(t.Context(), envelope(m, false), m)
		require.NoError(t, err, name)
		require.Equal(t, pg.Reported, a.Verdict, name)
		require.Equal(t, []string{string(transport.ConditionInvalidFieldValue)}, a.Codes, name)
		require.True(t, storable(a.TransportID) && storable(a.Subject) && storable(a.CorrelationID), name)
		require.NotEmpty(t, a.TransportID, name)
		require.Equal(t, c.missing, a.Problems[0].Path, name)
	}
	nobody := &transport.Message{ID: "id", Subject: "S", FromHerID: 1 << 40, ToHerID: 2}
	a, err := l.read(t.Context(), envelope(nobody, false), nobody)
	require.NoError(t, err)
	require.Equal(t, pg.Noted, a.Verdict, "there is nobody to tell")
}

func TestErrorQueueIsNeverAnswered(t *testing.T) {
	t.Parallel()
	l := New(nil, nil, nil, transport.Plain{}, nil, nil, slog.New(slog.DiscardHandler))
	for name, m := range map[string]*transport.Message{
		"nothing at all": {},
		"no XML":         {ID: "id", FromHerID: 1, ToHerID: 2, Body: []byte("?")},
		"a proper report": func() *transport.Message {
			m := transport.ErrorReport{Condition: transport.ConditionInternalError, OriginalMessageID: "o"}.Message()
			return &m
		}(),
	} {
		a, err := l.read(t.Context(), envelope(m, true), m)
		require.NoError(t, err, name)
		require.Contains(t, []pg.Verdict{pg.Noted, pg.Settled}, a.Verdict, name)
		require.False(t, a.WantsReceipt, name)
		require.NotEmpty(t, a.Raw, "%s: what it says is kept", name)
	}
}
