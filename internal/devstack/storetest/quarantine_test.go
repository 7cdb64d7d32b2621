package storetest_test

import (
	"context"
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
	d, s := setup(t)
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
	_, err = decide(retried.ID, pg.QuarantineRelease, "")
	require.NoError(t, err)
	_, err = decide(released.ID, pg.QuarantineRelease, "")
	require.NoError(t, err)
	_, err = decide(retried.ID, pg.QuarantineRetry, "")
	require.NoError(t, err, "what is not done yet can be thought of anew")
	wanted, err := s.QuarantineWanted(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{released.ID, retried.ID}, wanted)

	state, err := s.CarryOut(ctx, retried.ID, func(_ context.Context, d pg.QuarantineDecision, w pg.Wire) (pg.QuarantineState, string, error) {
		require.Equal(t, []any{pg.QuarantineRetry, "as it came", "q", retried.TransportID, "v"}, []any{d, string(w.Body), w.Queue, w.TransportID, w.Properties["p"]})
		_, err := decide(retried.ID, pg.QuarantineDiscard, "")
		require.True(t, apperr.Is(err, apperr.Conflict), "one thing at a time")
		twice, err := s.CarryOut(ctx, retried.ID, nil)
		require.NoError(t, err)
		require.Empty(t, twice, "another listener leaves it alone")
		return pg.QuarantineKept, "not-found", nil
	})
	require.NoError(t, err)
	require.Equal(t, pg.QuarantineKept, state)
	got, err := s.QuarantinedMessage(ctx, demo.Admin, demo.ClinicID, retried.ID)
	require.NoError(t, err)
	require.Equal(t, []any{pg.QuarantineKept, "", 1, "not-found"}, []any{got.State, got.Wanted, got.Attempts, got.Reason})
	_, err = decide(retried.ID, pg.QuarantineRetry, "")
	require.NoError(t, err)
	_, err = s.CarryOut(ctx, retried.ID, becomes("", apperr.New(apperr.Unavailable, "not now")))
	require.True(t, apperr.Is(err, apperr.Unavailable))
	for _, want := range []pg.QuarantineState{pg.QuarantineTaken, ""} {
		state, err := s.CarryOut(ctx, retried.ID, becomes(pg.QuarantineTaken, nil))
		require.NoError(t, err)
		require.Equal(t, want, state)
	}
	_, err = s.CarryOut(ctx, released.ID, becomes(pg.QuarantineReleased, nil))
	require.NoError(t, err)
	require.Empty(t, openCases())
	audited, err := d.SQL(ctx, "SELECT string_agg(action, ' ' ORDER BY id) FROM audit WHERE object = 'quarantine/"+retried.ID+"' AND action <> 'quarantine.read'")
	require.NoError(t, err)
	require.Equal(t, "quarantine.release quarantine.retry quarantine.kept quarantine.retry quarantine.taken", audited)

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

// becomes is a listener that has done what was wanted.
func becomes(state pg.QuarantineState, err error) func(context.Context, pg.QuarantineDecision, pg.Wire) (pg.QuarantineState, string, error) {
	return func(context.Context, pg.QuarantineDecision, pg.Wire) (pg.QuarantineState, string, error) {
		return state, "", err
	}
}

// What cannot be read, since its patient is erased or its queue was never noted, holds up
// nothing, and whoever decides about it gets out.
func TestQuarantineThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ change, reason string }{
		"the patient is erased":    {"raw = ''", pg.QuarantineErased},
		"of before the queue was":  {"wire = ''", pg.QuarantineUnreadable},
		"damaged":                  {"wire = raw", pg.QuarantineUnreadable},
		"sealed for another place": {"raw = wire", pg.QuarantineUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			d, s := setup(t)
			a := eConsultation()
			a.Wire = pg.Wire{Queue: "q", Body: []byte("as it came")}
			require.NoError(t, s.KeepAside(t.Context(), a, "internal"))
			page, err := s.Quarantined(t.Context(), demo.Admin, demo.ClinicID, pg.QuarantineQuery{Limit: 1})
			require.NoError(t, err)
			id := page.Items[0].ID
			_, err = d.SQL(t.Context(), "UPDATE quarantine SET "+c.change)
			require.NoError(t, err)
			_, err = s.DecideQuarantine(t.Context(), demo.Admin, demo.ClinicID, id, pg.QuarantineRetry, "")
			require.NoError(t, err)
			state, err := s.CarryOut(t.Context(), id, nil)
			require.NoError(t, err)
			require.Equal(t, pg.QuarantineKept, state)
			wanted, err := s.QuarantineWanted(t.Context())
			require.NoError(t, err)
			require.Empty(t, wanted)
			got, err := s.DecideQuarantine(t.Context(), demo.Admin, demo.ClinicID, id, pg.QuarantineDiscard, "nobody can read it")
			require.NoError(t, err)
			require.Equal(t, []any{pg.QuarantineDiscarded, c.reason}, []any{got.State, got.Reason})
		})
	}
}

// An erased patient's message ends with him: nobody is asked about it any more.
func TestErasureEndsQuarantine(t *testing.T) {
	_, s := setup(t)
	a := eConsultation()
	first, err := s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	other := a
	other.Raw = []byte("other content")
	other.Wire = pg.Wire{Queue: "q", Body: other.Raw}
	kept, err := s.StoreArrival(t.Context(), other)
	require.NoError(t, err)
	require.Equal(t, pg.Quarantined, kept.Verdict)
	_, err = s.DecideQuarantine(t.Context(), demo.Admin, demo.ClinicID, kept.ID, pg.QuarantineRetry, "")
	require.NoError(t, err)
	patient, err := s.PatientByNationalID(t.Context(), demo.Admin, demo.ClinicID, a.Patient.NationalID)
	require.NoError(t, err)
	require.NotEmpty(t, first.DialogueID)
	require.NoError(t, s.ErasePatient(t.Context(), demo.Admin, demo.ClinicID, patient))
	got, err := s.QuarantinedMessage(t.Context(), demo.Admin, demo.ClinicID, kept.ID)
	require.NoError(t, err)
	require.Equal(t, []any{pg.QuarantineDiscarded, "", "the patient was erased"}, []any{got.State, got.Wanted, got.Note})
	cases, err := s.Cases(t.Context(), demo.Admin, demo.ClinicID, pg.CaseQuery{Kind: contract.CaseQuarantined, Open: true, Limit: 5})
	require.NoError(t, err)
	require.Empty(t, cases.Items)
}

// A dead letter is kept sealed. One that is opened then, and is kept for another reason, is
// the same message.
func TestRetriedIsOneMessage(t *testing.T) {
	_, s := setup(t)
	first := eConsultation()
	_, err := s.StoreArrival(t.Context(), first)
	require.NoError(t, err)
	dead := pg.Arrival{TransportID: first.TransportID, FromHerID: first.FromHerID, ToHerID: first.ToHerID, Raw: []byte("sealed"), Wire: pg.Wire{Queue: "q", Body: []byte("sealed")}}
	require.NoError(t, s.KeepAside(t.Context(), dead, "dead-letter"))
	only := func() pg.Quarantine {
		page, err := s.Quarantined(t.Context(), demo.Admin, demo.ClinicID, pg.QuarantineQuery{Limit: 5})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		return page.Items[0]
	}
	opened := first
	opened.Raw, opened.Wire, opened.Quarantine = []byte("opened"), dead.Wire, only().ID
	got, err := s.StoreArrival(t.Context(), opened)
	require.NoError(t, err)
	require.Equal(t, []any{pg.Quarantined, opened.Quarantine}, []any{got.Verdict, got.ID})
	require.Equal(t, "known-id-other-content", only().Reason)
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
