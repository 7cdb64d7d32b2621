package storetest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/domain/reachability"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/pg"
)

// numbered completes nine digits to a number whose check digits are right.
func numbered(t *testing.T, nine string) string {
	t.Helper()
	for n := range 100 {
		number := fmt.Sprintf("%s%02d", nine, n)
		if _, err := nationalid.Parse(number, nationalid.Options{Synthetic: nationalid.AllMarks}); err == nil {
			return number
		}
	}
	require.Fail(t, "no check digits fit", nine)
	return ""
}

// TestEachGateClosesForItsReason (S25-S29, A7): one at a time, and then all of them.
func TestEachGateClosesForItsReason(t *testing.T) {
	_, s := setup(t)
	ctx := t.Context()
	r := storetest.Registered(demo.Clinic())
	patient := func(number string) string {
		t.Helper()
		p := line
		p.NationalID = number
		id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, p, demo.GPID, false)
		require.NoError(t, err)
		require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, id, true, false, pg.ActivityCheck, time.Now()))
		return id
	}
	reasons := func(id string, p contract.Process) []reachability.Gate {
		t.Helper()
		got, err := s.Reachability(ctx, demo.Desk, demo.ClinicID, id, p)
		require.NoError(t, err)
		require.Equal(t, len(got.Reasons) == 0, got.Reachable)
		return got.Reasons
	}
	inHouse := func(id string) []reachability.Gate { return reasons(id, contract.ProcessEDialogue) }
	onHelsenorge := func(id string) []reachability.Gate {
		t.Helper()
		first := reasons(id, contract.ProcessEContact)
		require.Equal(t, first, reasons(id, contract.ProcessEConsultation))
		return first
	}

	good := patient(line.NationalID)
	require.Empty(t, onHelsenorge(good))
	require.Empty(t, inHouse(good))
	require.Empty(t, onHelsenorge(patient(numbered(t, "509155967"))), "a D number")

	// The number's gate closes for an e-dialogue, too.
	for number, want := range map[string]reachability.Gate{
		"": reachability.NumberMissing, "1091559678": reachability.NumberInvalid, "10915596785": reachability.NumberInvalid,
		numbered(t, "812345678"): reachability.HelpNumber, numbered(t, "107655967"): reachability.SyntheticNumber,
	} {
		id := patient(number)
		require.Equal(t, []reachability.Gate{want}, onHelsenorge(id), number)
		require.Equal(t, []reachability.Gate{want}, inHouse(id), number)
	}

	// What the clinic knows of the patient closes nothing for an e-dialogue.
	put := func(v pg.PatientStatus) {
		t.Helper()
		require.NoError(t, s.PutPatientStatus(ctx, demo.Service, demo.ClinicID, good, v))
	}
	put(pg.PatientStatus{Deceased: true})
	require.Equal(t, []reachability.Gate{reachability.Deceased}, onHelsenorge(good))
	put(pg.PatientStatus{NoConsent: true})
	require.Equal(t, []reachability.Gate{reachability.NoConsent}, onHelsenorge(good))
	require.Empty(t, inHouse(good))
	put(pg.PatientStatus{})
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, good, false, false, pg.ActivityRefused, time.Now()))
	require.Equal(t, []reachability.Gate{reachability.NotActive}, onHelsenorge(good))
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, good, false, true, pg.ActivityCheck, time.Now()))
	require.Empty(t, onHelsenorge(good), "somebody acts for him")

	never, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, pg.Patient{
		GivenName: "Ny", FamilyName: "Testperson", NationalID: nationalid.Synthetic(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), 7), IDType: "FNR",
	}, demo.GPID, false)
	require.NoError(t, err)
	require.Equal(t, []reachability.Gate{reachability.StatusUnknown}, onHelsenorge(never))

	// The clinic's service party offers e-contact, when the GP's own does not.
	change := func(kind pg.ActivationKind, staffID string) {
		t.Helper()
		require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, asks(kind, staffID)))
	}
	change(pg.SuspendIntegration, demo.GPID)
	require.Empty(t, reasons(good, contract.ProcessEContact))
	require.Equal(t, []reachability.Gate{reachability.Suspended}, reasons(good, contract.ProcessEConsultation))
	change(pg.ResumeIntegration, demo.GPID)
	change(pg.SuspendIntegration, "")
	require.Equal(t, []reachability.Gate{reachability.Suspended}, onHelsenorge(good))
	require.Empty(t, inHouse(good))
	change(pg.ResumeIntegration, "")
	require.NoError(t, s.PutClinic(ctx, demo.Service, offering(codes.Reseptfornyelse)))
	require.Equal(t, []reachability.Gate{reachability.NotOffered}, reasons(good, contract.ProcessEConsultation))

	// All at once, in their order.
	all := patient(numbered(t, "823456789"))
	require.NoError(t, s.PutPatientStatus(ctx, demo.Service, demo.ClinicID, all, pg.PatientStatus{Deceased: true, NoConsent: true}))
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, all, false, false, pg.ActivityCheck, time.Now()))
	change(pg.SuspendIntegration, "")
	require.Equal(t, []reachability.Gate{
		reachability.HelpNumber, reachability.Deceased, reachability.Suspended, reachability.NoConsent, reachability.NotActive,
	}, reasons(all, contract.ProcessEConsultation))

	_, err = s.Reachability(ctx, demo.Desk, demo.ClinicID, uuid.NewString(), contract.ProcessEContact)
	require.Equal(t, apperr.NotFound, apperr.KindOf(err))
	_, err = s.Reachability(ctx, demo.Desk, demo.ClinicID, good, contract.ProcessAppointment)
	require.Equal(t, apperr.Invalid, apperr.KindOf(err))
	require.NoError(t, s.ErasePatient(ctx, demo.Admin, demo.ClinicID, all))
	_, err = s.Reachability(ctx, demo.Desk, demo.ClinicID, all, contract.ProcessEContact)
	require.Equal(t, apperr.Erased, apperr.KindOf(err))
	require.Positive(t, audited(t, s, demo.Desk.Subject, "patient.reachability"))
}

// TestWhatIsKnownHasAnAge: and is asked for anew when it is older than the setting.
func TestWhatIsKnownHasAnAge(t *testing.T) {
	_, s := setup(t)
	ctx := t.Context()
	clock := now
	s = s.At(func() time.Time { return clock })
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	read := func(p contract.Process) pg.Reachability {
		t.Helper()
		r, err := s.Reachability(ctx, demo.Desk, demo.ClinicID, id, p)
		require.NoError(t, err)
		return r
	}
	require.True(t, read(contract.ProcessEContact).Stale)
	require.Zero(t, read(contract.ProcessEContact).KnownAt)
	require.False(t, read(contract.ProcessEDialogue).Stale, "nobody is asked about what never meets Helsenorge")
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, id, true, false, pg.ActivityCheck, clock))
	clock = clock.Add(24 * time.Hour)
	r := read(contract.ProcessEContact)
	require.Equal(t, []any{false, now, int64(24 * 60 * 60), pg.ActivityCheck}, []any{r.Stale, r.KnownAt, r.AgeSeconds, r.By})
	clock = clock.Add(time.Second)
	require.True(t, read(contract.ProcessEContact).Stale)
	require.True(t, read(contract.ProcessEContact).Reachable, "the last known counts")
	require.NoError(t, s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{ActivityHours: 48}))
	require.False(t, read(contract.ProcessEContact).Stale)
	for _, hours := range []int{-1, 721} {
		require.Equal(t, apperr.Invalid, apperr.KindOf(s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{ActivityHours: hours})))
	}
}

// TestWhoIsAskedAboutInBatches: whose status is too old, by id, each once.
func TestWhoIsAskedAboutInBatches(t *testing.T) {
	_, s := setup(t)
	ctx := t.Context()
	var records []pg.PatientRecord
	for n := range 7 {
		p := line
		p.NationalID = nationalid.Synthetic(time.Date(1960, 2, 3, 0, 0, 0, 0, time.UTC), n)
		records = append(records, pg.PatientRecord{Patient: p})
	}
	records[5].NationalID = "1"
	records[6].Status = &pg.PatientStatus{Deceased: true}
	ids, err := s.PutPatients(ctx, demo.Service, demo.ClinicID, records)
	require.NoError(t, err)
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, ids[0], true, false, pg.ActivityCheck, time.Now()))
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, ids[1], true, false, pg.ActivityCheck, time.Now().Add(-25*time.Hour)))

	var asked []string
	after := ""
	for range 10 {
		all, next, err := s.ActivityQuestions(ctx, demo.Service, demo.ClinicID, after, 2)
		require.NoError(t, err)
		for _, q := range all {
			asked = append(asked, q.PatientID)
		}
		if after = next; next == "" {
			break
		}
	}
	require.ElementsMatch(t, ids[1:5], asked)

	at := time.Now().UTC().Truncate(time.Microsecond)
	require.NoError(t, s.RecordActivities(ctx, demo.ClinicID, []pg.PatientActivity{
		{PatientID: ids[1], Other: true}, {PatientID: ids[2]}, {PatientID: uuid.NewString(), Self: true},
	}, at))
	require.NoError(t, s.RecordActivities(ctx, demo.ClinicID, []pg.PatientActivity{{PatientID: ids[1], Self: true}}, at.Add(-time.Hour)), "older knowledge")
	for id, want := range map[string][2]bool{ids[0]: {true, false}, ids[1]: {false, true}, ids[2]: {false, false}} {
		v, err := s.PatientStatus(ctx, demo.Desk, demo.ClinicID, id)
		require.NoError(t, err)
		require.Equal(t, want, [2]bool{v.Helsenorge.Self, v.Helsenorge.Other})
		require.Equal(t, pg.ActivityCheck, v.Helsenorge.Source)
	}
	q, ok, err := s.ActivityQuestion(ctx, demo.ClinicID, ids[2])
	require.NoError(t, err)
	require.Equal(t, pg.PatientActivity{PatientID: ids[2], NationalID: records[2].NationalID}, q)
	require.True(t, ok)
	_, ok, err = s.ActivityQuestion(ctx, demo.ClinicID, ids[5])
	require.NoError(t, err)
	require.False(t, ok)
}
