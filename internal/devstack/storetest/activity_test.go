package storetest_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/pg"
)

// told is what Helsenorge tells of who can be reached there.
func told(patient *pg.Patient, at time.Time, activity ...pg.ReportedActivity) pg.Arrival {
	a := arrival("", "DIALOG_INNBYGGER_DIGITALBRUKER", "SDAB")
	a.Verdict, a.Patient, a.WrittenAt, a.Activity, a.Attachments = pg.Told, patient, at, activity, nil
	return a
}

func TestWhoCanBeReachedIsKeptAsTold(t *testing.T) { // HITS 1217 §3.9
	d, s := setupCalendar(t)
	ctx := t.Context()
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	known := func() string {
		row, err := d.SQL(ctx, "SELECT active_self, active_other, active_by, active_at AT TIME ZONE 'UTC' FROM patient WHERE id = '"+id+"'")
		require.NoError(t, err)
		return row
	}
	store := func(a pg.Arrival) {
		t.Helper()
		m, err := s.StoreArrival(ctx, a)
		require.NoError(t, err)
		require.Equal(t, pg.Told, m.Verdict)
		require.True(t, m.Receipt)
		require.Empty(t, m.DialogueID)
		again, err := s.StoreArrival(ctx, a)
		require.NoError(t, err)
		require.True(t, again.Again && again.ID == m.ID)
	}
	here := func(active bool) pg.ReportedActivity {
		return pg.ReportedActivity{NationalID: line.NationalID, Active: active}
	}
	store(told(&line, now.Add(-time.Hour), here(true)))
	require.Equal(t, "t|f|reported|2026-11-02 07:00:00", known())
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, id, true, true, pg.ActivityCheck, now.Add(-30*time.Minute)))
	store(told(&line, now.Add(-40*time.Minute), here(false)))
	require.Equal(t, "t|t|check|2026-11-02 07:30:00", known(), "what was written before does not replace what is known since")
	store(told(&line, now.Add(-20*time.Minute), here(true)))
	require.Equal(t, "t|t|reported|2026-11-02 07:40:00", known(), "and says nothing of others")
	store(told(&line, now.Add(-10*time.Minute), here(false)))
	require.Equal(t, "f|f|reported|2026-11-02 07:50:00", known(), "who is not active is reached by nobody")

	stranger := nationalid.Synthetic(now.AddDate(-40, 0, 0), 1)
	unknown := pg.Patient{GivenName: "Ny", FamilyName: "Testperson", IDType: "FNR", NationalID: stranger}
	store(told(&unknown, now, pg.ReportedActivity{NationalID: stranger, Active: true}))
	store(told(nil, now.Add(time.Hour), pg.ReportedActivity{NationalID: stranger, Active: true}, here(true)))
	require.Equal(t, "t|f|reported|2026-11-02 08:00:00", known(), "a list, from a clock that is fast")
	count, err := d.SQL(ctx, "SELECT count(*) FROM patient")
	require.NoError(t, err)
	require.Equal(t, "1", count, "nobody becomes a patient by it")
	lines, err := d.SQL(ctx, "SELECT DISTINCT effect FROM ledger")
	require.NoError(t, err)
	require.Equal(t, pg.EffectReceipt, lines, "nothing but receipts follows")

	require.NoError(t, s.ErasePatient(ctx, demo.Admin, demo.ClinicID, id))
	left, err := d.SQL(ctx, "SELECT count(*) FROM inbound_message WHERE raw <> ''")
	require.NoError(t, err)
	require.Equal(t, "1", left, "all that names him is gone; the stranger's is not his")
}

func TestWhoAnswersInAGPsPlaceIsSaid(t *testing.T) { // HITS 1217 §2.3.4
	d, s := setup(t)
	ctx := t.Context()
	m, err := s.StoreArrival(ctx, eConsultation())
	require.NoError(t, err)
	own := func() bool {
		var author pg.Author
		draft := pg.Draft{ID: uuid.NewString(), Code: "12", Text: "Hvil kneet."}
		_, err := s.DraftAnswer(ctx, demo.GP, demo.ClinicID, m.DialogueID, draft)
		require.NoError(t, err)
		_, err = s.PrepareAnswer(ctx, demo.ClinicID, draft.ID, helsenorge, func(_ context.Context, j pg.Job) ([]byte, error) {
			author = j.Author
			return []byte("wire"), nil
		})
		require.NoError(t, err)
		return author.OwnGP
	}
	require.True(t, own(), "by the GP's own party")
	_, err = d.SQL(ctx, "UPDATE party SET staff_id = NULL")
	require.NoError(t, err)
	require.False(t, own(), "from a service, by nobody's GP")
	_, err = d.SQL(ctx, "UPDATE patient SET practitioner_id = '"+demo.GPID+"'")
	require.NoError(t, err)
	require.True(t, own(), "to the GP's own patient")
}
