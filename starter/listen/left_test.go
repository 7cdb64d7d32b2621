package listen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/pg"
)

// TestWhatThePortalLeftBehindIsTakenOver: no broker delivers it again.
func TestWhatThePortalLeftBehindIsTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	temporal := &fakeTemporal{}
	w.temporal = temporal
	at := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	w.store.left = []pg.Arrived{{
		ID: "m1", ClinicID: "c1", DialogueID: "d1", Verdict: pg.Taken, Process: contract.ProcessEDialogue, Function: contract.InHouse, MsgID: "p1", ReceivedAt: at, Again: true,
	}}
	w.takeOver(t.Context())
	require.Equal(t, []any{
		contract.DialogueWorkflowID("d1"), contract.SignalMessageReceived, contract.MessageReceived{MessageID: "m1", MsgID: "p1", Function: contract.InHouse, ReceivedAt: at},
		contract.DialogueWorkflow, contract.DialogueInput{ClinicID: "c1", DialogueID: "d1", Process: contract.ProcessEDialogue, Resume: true},
	}, temporal.started)
	require.Empty(t, temporal.activities, "nothing is owed to Helsenorge")
	require.Equal(t, []string{"m1"}, w.store.handedOver)
}
