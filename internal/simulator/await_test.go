package simulator

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// TestTheFirstAnswerIsAwaited: by whoever asks, before it comes and after.
func TestTheFirstAnswerIsAwaited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sent, err := w.client.Act(t.Context(), Action{Kind: EConsultation, To: clinicHerID, Citizen: 1})
	require.NoError(t, err)
	_, m := w.next(t)

	impatient, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = w.simulator.helsenorge.Await(impatient, sent.MsgID)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	type result struct {
		got Received
		err error
	}
	early := make(chan result, 2)
	for range cap(early) {
		go func() {
			got, err := w.client.Await(t.Context(), sent.MsgID)
			early <- result{got, err}
		}()
	}
	first, xml := answerTo(t, m, "12")
	w.send(t, "helsenorge_async", codes.EKonsultasjon, xml, 1)
	for range cap(early) {
		r := <-early
		require.NoError(t, r.err)
		require.Equal(t, first, r.got.MsgID)
		require.Equal(t, "12", r.got.Function)
	}
	_, xml = answerTo(t, m, "12")
	w.send(t, "helsenorge_async", codes.EKonsultasjon, xml, 1)
	w.book(t, func(b Book) bool { return len(b.Received) == 2 })
	late, err := w.client.Await(t.Context(), sent.MsgID)
	require.NoError(t, err)
	require.Equal(t, first, late.MsgID)
}
