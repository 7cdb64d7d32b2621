package listen

import (
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
)

func TestARefusalsOwnWordsAreKept(t *testing.T) { // HIS 80415 §3.3.5
	t.Parallel()
	r := &helsenorge.Receipt{
		ID: "x", OriginalMsgID: "ours",
		Errors: []helsenorge.ReceiptError{
			{V: "T02", DN: "XML validerer ikke", OT: " Element Sporsmal mangler "},
			{V: "E35", DN: "Pasienten finnes ikke i mottakersystemet"},
			{V: "Q99", OT: strings.Repeat("ø", maxSaid)},
		},
	}
	a := readReceipt(pg.Arrival{}, r)
	require.Equal(t, contract.OutcomeRejected, a.Settles.Outcome)
	require.Equal(t, []string{"T02", "E35", unknownCode}, a.Settles.Codes)
	require.Equal(t, []string{"Element Sporsmal mangler", "Pasienten finnes ikke i mottakersystemet"}, a.Settles.Texts[:2])
	require.True(t, len(a.Settles.Texts[2]) <= maxSaid && utf8.ValidString(a.Settles.Texts[2]))
	r.OK = true
	require.Empty(t, readReceipt(pg.Arrival{}, r).Settles.Texts)
	require.True(t, codes.Has(codes.ReceiptErrors, "E35"))
}

func TestAReportsOwnWordsAreKept(t *testing.T) { // HITS 1216 §2.2.3
	t.Parallel()
	l := New(nil, nil, nil, transport.Plain{}, nil, nil, slog.New(slog.DiscardHandler))
	m := transport.ErrorReport{Condition: transport.ConditionInternalError, Description: "The certificate has expired", OriginalMessageID: "o"}.Message()
	a, err := l.read(t.Context(), envelope(&m, true), &m)
	require.NoError(t, err)
	require.Equal(t, []string{"The certificate has expired"}, a.Settles.Texts)
}
