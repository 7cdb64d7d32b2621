package helsenorge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
)

// TestReportCanBeReadByItsReceiver: a report without a subject would be refused and
// answered, for ever; a made-up id means nothing to the sender; a retry repeats it.
func TestReportCanBeReadByItsReceiver(t *testing.T) {
	t.Parallel()
	p := pg.Prepared{FromHerID: 2, ToHerID: 1, TransportID: "new", Job: pg.Job{
		OriginalTransportID: pg.MadeUpTransportID + "00", ReceivedAt: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
		Problems: []pg.Problem{{Code: string(transport.ConditionInvalidFieldValue), Path: "Label", Rule: "One or more fields are missing"}},
	}}
	m := report(p, "their_error")
	require.Equal(t, transport.SubjectUnknown, m.Subject)
	require.NotEmpty(t, m.ContentType)
	require.Equal(t, []any{"their_error", 2, 1, "new"}, []any{m.To, m.FromHerID, m.ToHerID, m.ID})
	r, err := transport.ErrorReportOf(&m)
	require.NoError(t, err)
	require.Empty(t, r.OriginalMessageID)
	require.Equal(t, []string{"Label"}, r.Data)
	require.Equal(t, m, report(p, "their_error"))

	p.Job.OriginalTransportID, p.Job.TransportSubject = "theirs", "DIALOG_INNBYGGER_EKONTAKT"
	m = report(p, "their_error")
	r, err = transport.ErrorReportOf(&m)
	require.NoError(t, err)
	require.Equal(t, "theirs", r.OriginalMessageID)
	require.Equal(t, "DIALOG_INNBYGGER_EKONTAKT", m.Subject)
}
