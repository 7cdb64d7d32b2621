package listen

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
)

// TestWhateverTheEnvelopeSaysCanBeStored: an id that the database cannot keep would
// hold its credit for ever.
func TestWhateverTheEnvelopeSaysCanBeStored(t *testing.T) {
	t.Parallel()
	l := New(nil, nil, nil, transport.Plain{}, nil, slog.New(slog.DiscardHandler))
	long, nul := strings.Repeat("x", 3000), "id\x00"
	for name, m := range map[string]*transport.Message{
		"no id":      {Subject: "S", FromHerID: 1, ToHerID: 2},
		"long id":    {ID: long, Subject: "S", FromHerID: 1, ToHerID: 2},
		"NUL in id":  {ID: nul, Subject: "S", FromHerID: 1, ToHerID: 2},
		"no subject": {ID: "id", FromHerID: 1, ToHerID: 2},
		"NUL in it":  {ID: "id", Subject: nul, FromHerID: 1, ToHerID: 2},
		"huge HER":   {ID: "id", Subject: "S", FromHerID: 1, ToHerID: 1 << 40},
	} {
		a, err := l.read(t.Context(), envelope(m, false), m)
		require.NoError(t, err, name)
		require.Equal(t, pg.Reported, a.Verdict, name)
		require.Equal(t, []string{string(transport.ConditionInvalidFieldValue)}, a.Codes, name)
		require.True(t, storable(a.TransportID) && storable(a.Subject) && storable(a.CorrelationID), name)
		require.NotEmpty(t, a.TransportID, name)
		require.NotEmpty(t, a.Problems[0].Path, "%s: the missing fields are named", name)
	}
	nobody := &transport.Message{ID: "id", Subject: "S", FromHerID: 1 << 40, ToHerID: 2}
	a, err := l.read(t.Context(), envelope(nobody, false), nobody)
	require.NoError(t, err)
	require.Equal(t, pg.Noted, a.Verdict, "there is nobody to tell")
}

func TestErrorQueueIsNeverAnswered(t *testing.T) {
	t.Parallel()
	l := New(nil, nil, nil, transport.Plain{}, nil, slog.New(slog.DiscardHandler))
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
