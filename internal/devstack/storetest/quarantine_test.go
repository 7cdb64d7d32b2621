package storetest_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/pg"
)

// A message that is kept aside is decided about once; who decided is in the audit, and its
// case closes.
func TestQuarantine(t *testing.T) {
	_, s := setup(t)
	ctx := t.Context()
	var a pg.Arrival // the last one
	aside := func() pg.Quarantine {
		t.Helper()
		a = eConsultation()
		a.Wire = pg.Wire{Queue: "q", TransportID: a.TransportID, FromHerID: a.FromHerID, ToHerID: a.ToHerID, Properties: map[string]string{"p": "v"}, Body: []byte("as it came")}
		for range 2 {
			require.NoError(t, s.KeepAside(ctx, a, "internal"))
		}
		page, err := s.Quarantined(ctx, demo.Admin, demo.ClinicID, pg.QuarantineQuery{Limit: 1})
		require.NoError(t, err)
		require.Equal(t, a.TransportID, page.Items[0].TransportID)
		return page.Items[0]
	}
	decide := func(id string, d pg.QuarantineDecision, note string) (pg.Quarantine, error) {
		return s.DecideQuarantine(ctx, demo.Admin, demo.ClinicID, id, d, note)
	}
	openCases := func() (ids []string) {
		page, err := s.Cases(ctx, demo.Admin, demo.ClinicID, pg.CaseQuery{Kind: contract.CaseQuarantined, Open: true, Limit: 50})
		require.NoError(t, err)
		for _, c := range page.Items {
			ids = append(ids, c.MessageID)
		}
		return ids
	}

	k := aside()
	require.Equal(t, []any{pg.QuarantineKept, "internal", 10, "q", ""}, []any{k.State, k.Reason, k.Size, k.Queue, k.Wanted})
	require.Equal(t, []string{k.ID}, openCases())
	for range 2 {
		got, err := decide(k.ID, pg.QuarantineDiscard, "sent twice")
		require.NoError(t, err)
		require.Equal(t, []any{pg.QuarantineDiscarded, "sent twice", demo.Admin.Subject}, []any{got.State, got.Note, got.DecidedBy})
	}
	_, err := decide(k.ID, pg.QuarantineRetry, "")
	require.True(t, apperr.Is(err, apperr.Conflict))
	require.Empty(t, openCases())

	retried, released := aside(), aside()
	_, err = decide(retried.ID, pg.QuarantineRetry, "")
	require.NoError(t, err)
	_, err = decide(retried.ID, pg.QuarantineRelease, "")
	require.True(t, apperr.Is(err, apperr.Conflict), "one thing at a time")
	_, err = decide(released.ID, pg.QuarantineRelease, "")
	require.NoError(t, err)
	wanted, err := s.QuarantineWanted(ctx, 5)
	require.NoError(t, err)
	require.Len(t, wanted, 2)
	require.Equal(t, pg.WantedOfQuarantine{ID: retried.ID, Decision: pg.QuarantineRetry, Wire: wanted[0].Wire}, wanted[0])
	require.Equal(t, []any{"as it came", "q", retried.TransportID, "v"}, []any{string(wanted[0].Wire.Body), wanted[0].Wire.Queue, wanted[0].Wire.TransportID, wanted[0].Wire.Properties["p"]})

	require.NoError(t, s.QuarantineDone(ctx, retried.ID, pg.QuarantineKept, "not-found"))
	got, err := s.QuarantinedMessage(ctx, demo.Admin, demo.ClinicID, retried.ID)
	require.NoError(t, err)
	require.Equal(t, []any{pg.QuarantineKept, "", 1, "not-found"}, []any{got.State, got.Wanted, got.Attempts, got.Reason})
	_, err = decide(retried.ID, pg.QuarantineRetry, "")
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, s.QuarantineDone(ctx, retried.ID, pg.QuarantineTaken, ""))
	}
	require.NoError(t, s.QuarantineDone(ctx, released.ID, pg.QuarantineReleased, ""))
	require.Empty(t, openCases())

	// It comes again from its queue, and cannot be taken in again.
	require.NoError(t, s.KeepAside(ctx, a, "not-found"))
	page, err := s.Quarantined(ctx, demo.Admin, demo.ClinicID, pg.QuarantineQuery{State: pg.QuarantineKept, Limit: 5})
	require.NoError(t, err)
	require.Equal(t, []any{1, released.ID, "not-found"}, []any{len(page.Items), page.Items[0].ID, page.Items[0].Reason})
	require.Equal(t, []string{released.ID}, openCases())

	first, err := s.Quarantined(ctx, demo.Admin, demo.ClinicID, pg.QuarantineQuery{Limit: 2})
	require.NoError(t, err)
	next, err := s.Quarantined(ctx, demo.Admin, demo.ClinicID, pg.QuarantineQuery{Limit: 2, Cursor: first.Next})
	require.NoError(t, err)
	require.NotEqual(t, first.Items, next.Items)
	_, err = s.QuarantinedMessage(ctx, demo.Admin, uuid.NewString(), k.ID)
	require.True(t, apperr.Is(err, apperr.NotFound), "another clinic's")
}

// A counterpart of which everything has to be reported is told so a hundred times an hour:
// what comes then is kept aside.
func TestReportsHaveALimit(t *testing.T) {
	_, s := setup(t)
	report := func(i int) pg.Arrived {
		a := eConsultation()
		a.TransportID, a.MsgID, a.FromHerID = fmt.Sprintf("report-%d", i), "", 4711
		a.Verdict, a.Codes, a.Raw = pg.Reported, []string{"transport:internal-error"}, []byte(a.TransportID)
		got, err := s.StoreArrival(t.Context(), a)
		require.NoError(t, err)
		return got
	}
	for i := range 100 {
		require.Equal(t, pg.Reported, report(i).Verdict)
	}
	require.Equal(t, pg.Quarantined, report(100).Verdict)
	require.Equal(t, pg.Reported, report(7).Verdict, "one that is known is no new one")
	a := eConsultation()
	a.Verdict, a.Codes, a.FromHerID = pg.Reported, []string{"transport:internal-error"}, 4712
	other, err := s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, pg.Reported, other.Verdict, "each counterpart for itself")
}
