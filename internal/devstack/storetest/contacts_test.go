package storetest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/pg"
)

// child and mother are synthetic: the child is 15 at now and 16 on 10 November 2026.
var (
	child = pg.Patient{
		GivenName: "Barn", FamilyName: "Testperson", IDType: "FNR",
		NationalID: nationalid.Synthetic(time.Date(2010, 11, 10, 0, 0, 0, 0, time.UTC), 7),
	}
	mother = pg.Patient{
		GivenName: "Mor", FamilyName: "Testperson", IDType: "FNR",
		NationalID: nationalid.Synthetic(time.Date(1980, 1, 2, 0, 0, 0, 0, time.UTC), 7),
	}
)

const subscription = `{"endpoint":"https://push.example.org/abc","keys":{"p256dh":"BPubKey","auth":"c2VjcmV0"}}`

func TestContactsAreReplaced(t *testing.T) { // S90
	d, s := setupCalendar(t)
	ctx := t.Context()
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	other, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, mother, demo.GPID, false)
	require.NoError(t, err)
	want := []pg.Contact{
		{ID: uuid.NewString(), Channel: contract.ChannelEmail, Address: "line@example.org", ConfirmedAt: now.Add(-time.Hour)},
		{Channel: contract.ChannelSMS, Address: "+4741234567", Relation: "FO"},
		{Channel: contract.ChannelPush, Address: subscription},
	}
	require.NoError(t, s.PutContacts(ctx, demo.Service, demo.ClinicID, id, want))
	got, err := s.Contacts(ctx, demo.Desk, demo.ClinicID, id)
	require.NoError(t, err)
	require.Len(t, got, 3)
	ids := map[contract.Channel]string{}
	for _, c := range got {
		ids[c.Channel] = c.ID
	}
	want[1].ID, want[2].ID = ids[contract.ChannelSMS], ids[contract.ChannelPush]
	require.ElementsMatch(t, want, got)

	// A provider says that two are gone: the one stays gone, the other has a new number.
	_, err = d.SQL(ctx, "UPDATE contact SET gone_at = '2026-11-01T00:00:00Z' WHERE channel <> 'push'")
	require.NoError(t, err)
	gone := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	written := []pg.Contact{
		{Channel: contract.ChannelEmail, Address: "line@example.org"},
		{ID: want[1].ID, Channel: contract.ChannelSMS, Address: "98765432", GoneAt: gone}, // read only: not believed
	}
	for range 2 {
		require.NoError(t, s.PutContacts(ctx, demo.Service, demo.ClinicID, id, written))
	}
	after, err := s.Contacts(ctx, demo.Desk, demo.ClinicID, id)
	require.NoError(t, err)
	require.ElementsMatch(t, []pg.Contact{
		{ID: want[0].ID, Channel: contract.ChannelEmail, Address: "line@example.org", GoneAt: gone},
		{ID: want[1].ID, Channel: contract.ChannelSMS, Address: "98765432"},
	}, after)

	err = s.PutContacts(ctx, demo.Service, demo.ClinicID, other, []pg.Contact{{ID: want[0].ID, Channel: contract.ChannelEmail, Address: "mor@example.org"}})
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	err = s.PutContacts(ctx, otherService, otherID, id, written)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	_, err = s.Contacts(ctx, otherService, otherID, id)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	for path, bad := range map[string]pg.Contact{
		"contacts[0].channel":     {Channel: "fax", Address: "1"},
		"contacts[0].relation":    {Channel: contract.ChannelSMS, Address: "41234567", Relation: "MO"},
		"contacts[0].confirmedAt": {Channel: contract.ChannelSMS, Address: "41234567", ConfirmedAt: now.Add(time.Minute)},
		"contacts[0].address":     {Channel: contract.ChannelSMS, Address: "line@example.org"},
	} {
		require.Equal(t, []string{path}, paths(t, s.PutContacts(ctx, demo.Service, demo.ClinicID, id, []pg.Contact{bad})))
	}
	for _, address := range []string{"41234567", "Line <line@example.org>", "line"} {
		require.Error(t, s.PutContacts(ctx, demo.Service, demo.ClinicID, id, []pg.Contact{{Channel: contract.ChannelEmail, Address: address}}))
	}
	for _, address := range []string{"41234567", `{}`, strings.Replace(subscription, "https", "http", 1)} {
		require.Error(t, s.PutContacts(ctx, demo.Service, demo.ClinicID, id, []pg.Contact{{Channel: contract.ChannelPush, Address: address}}))
	}
	require.Equal(t, []string{"contacts[1].address"}, paths(t, s.PutContacts(ctx, demo.Service, demo.ClinicID, id, []pg.Contact{written[0], written[0]})))
	unchanged, err := s.Contacts(ctx, demo.Desk, demo.ClinicID, id)
	require.NoError(t, err)
	require.Equal(t, after, unchanged)
}

func TestPreferenceAndRepresentations(t *testing.T) {
	_, s := setupCalendar(t)
	ctx := t.Context()
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, child, demo.GPID, false)
	require.NoError(t, err)
	parent, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, mother, demo.GPID, false)
	require.NoError(t, err)
	p, err := s.Preference(ctx, demo.Desk, demo.ClinicID, id)
	require.NoError(t, err)
	require.Zero(t, p)
	want := pg.Preference{Channels: []contract.Channel{contract.ChannelSMS, contract.ChannelEmail}, OptedOut: []contract.Channel{contract.ChannelPush}, Language: "se"}
	for range 2 {
		require.NoError(t, s.PutPreference(ctx, demo.Service, demo.ClinicID, id, want))
	}
	p, err = s.Preference(ctx, demo.Desk, demo.ClinicID, id)
	require.NoError(t, err)
	require.Equal(t, want, p)
	require.Equal(t, []string{"language"}, paths(t, s.PutPreference(ctx, demo.Service, demo.ClinicID, id, pg.Preference{Language: "de"})))
	require.Equal(t, []string{"channels[0]", "channels[1]"},
		paths(t, s.PutPreference(ctx, demo.Service, demo.ClinicID, id, pg.Preference{Channels: []contract.Channel{"fax", "fax"}}))[:2])

	put := func(who ...pg.Representation) error {
		return s.PutRepresentations(ctx, demo.Service, demo.ClinicID, id, who)
	}
	for range 2 {
		require.NoError(t, put(pg.Representation{RepresentativeID: parent, Relation: "FO"}))
	}
	require.Equal(t, []string{"representations[0].representativeId"}, paths(t, put(pg.Representation{RepresentativeID: id, Relation: "FO"})))
	require.Equal(t, []string{"representations[0].relation"}, paths(t, put(pg.Representation{RepresentativeID: parent, Relation: "MO"})))
	err = put(pg.Representation{RepresentativeID: uuid.NewString(), Relation: "FO"})
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	who, err := s.Representations(ctx, demo.Desk, demo.ClinicID, id)
	require.NoError(t, err)
	require.Equal(t, []pg.Representation{{RepresentativeID: parent, Relation: "FO"}}, who, "what is refused changes nothing")
	until := pg.Representation{RepresentativeID: parent, Relation: "FU", Until: now.Add(time.Hour)}
	require.NoError(t, put(until))
	who, err = s.Representations(ctx, demo.Desk, demo.ClinicID, id)
	require.NoError(t, err)
	require.Equal(t, []pg.Representation{until}, who)
	_, err = s.Representations(ctx, otherService, otherID, id)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
}

func TestStatusIsReadBack(t *testing.T) { // S88, D14
	_, s := setupCalendar(t)
	ctx := t.Context()
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, child, demo.GPID, false)
	require.NoError(t, err)
	read := func(at time.Time) pg.PatientStanding {
		t.Helper()
		v, err := s.At(func() time.Time { return at }).PatientStatus(ctx, demo.Desk, demo.ClinicID, id)
		require.NoError(t, err)
		return v
	}
	require.Equal(t, pg.PatientStanding{}, read(now))
	status := pg.PatientStatus{Protected: true, Deceased: true, NoConsent: true, BornOn: "2010-11-10"}
	require.NoError(t, s.PutPatientStatus(ctx, demo.Service, demo.ClinicID, id, status))
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, id, false, true, pg.ActivityCheck, now.Add(-time.Hour)))
	require.Equal(t, pg.PatientStanding{
		PatientStatus: status, DeceasedAt: now,
		Helsenorge: &pg.KnownActivity{Active: true, Other: true, At: now.Add(-time.Hour), AgeSeconds: 5400, Source: pg.ActivityCheck},
	}, read(now.Add(30*time.Minute)))
	_, err = s.PatientStatus(ctx, otherService, otherID, id)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
}

func TestPatientsAreWrittenAllOrNone(t *testing.T) {
	d, s := setupCalendar(t)
	ctx := t.Context()
	ids, err := s.PutPatients(ctx, demo.Service, demo.ClinicID, []pg.PatientRecord{{Patient: mother, PractitionerID: demo.GPID}})
	require.NoError(t, err)
	records := []pg.PatientRecord{
		{
			Patient: child, PractitionerID: demo.GPID, Status: &pg.PatientStatus{Protected: true, NoConsent: true, BornOn: "2010-11-10", Deceased: true},
			Contacts:        &[]pg.Contact{{Channel: contract.ChannelSMS, Address: "41234567"}},
			Preference:      &pg.Preference{Language: "nn"},
			Representations: &[]pg.Representation{{RepresentativeID: ids[0], Relation: "FO"}},
		},
		{Patient: line, Blocked: true},
	}
	var first []string
	for range 2 {
		again, err := s.PutPatients(ctx, demo.Service, demo.ClinicID, records)
		require.NoError(t, err)
		require.Len(t, again, 2)
		if first != nil {
			require.Equal(t, first, again)
		}
		first = again
	}
	const state = `SELECT p.blocked, p.protected, p.consents, p.deceased_at = '2026-11-02T08:00:00Z', p.born_on IS NOT NULL,
		(SELECT count(*) FROM contact WHERE patient_id = p.id), (SELECT language FROM notice_preference WHERE patient_id = p.id),
		(SELECT count(*) FROM representation WHERE patient_id = p.id) FROM patient p WHERE id = '%s'`
	got, err := d.SQL(ctx, fmt.Sprintf(state, first[0]))
	require.NoError(t, err)
	require.Equal(t, "f|t|f|t|t|1|nn|1", got)

	// Only who he is: the rest stays as it is, and death keeps its instant.
	later := s.At(func() time.Time { return now.Add(time.Hour) })
	_, err = later.PutPatient(ctx, demo.Service, demo.ClinicID, child, demo.GPID, false)
	require.NoError(t, err)
	require.NoError(t, later.PutPatientStatus(ctx, demo.Service, demo.ClinicID, first[0], *records[0].Status))
	got, err = d.SQL(ctx, fmt.Sprintf(state, first[0]))
	require.NoError(t, err)
	require.Equal(t, "f|t|f|t|t|1|nn|1", got)
	require.NoError(t, later.PutPatientStatus(ctx, demo.Service, demo.ClinicID, first[0], pg.PatientStatus{})) // an error of the registry
	got, err = d.SQL(ctx, fmt.Sprintf(state, first[0]))
	require.NoError(t, err)
	require.Equal(t, "f|f|t||f|1|nn|1", got)

	stranger := pg.PatientRecord{Patient: pg.Patient{GivenName: "Ny", FamilyName: "Testperson", IDType: "FNR", NationalID: nationalid.Synthetic(now.AddDate(-40, 0, 0), 1)}}
	bad := pg.PatientRecord{Patient: line, Status: &pg.PatientStatus{BornOn: "2030-01-01"}}
	_, err = s.PutPatients(ctx, demo.Service, demo.ClinicID, []pg.PatientRecord{stranger, bad})
	require.Equal(t, []string{"patients[1].status.bornOn"}, paths(t, err))
	_, err = s.PutPatients(ctx, demo.Service, demo.ClinicID, []pg.PatientRecord{stranger, {Patient: line, PractitionerID: uuid.NewString()}})
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	_, err = s.PatientByNationalID(ctx, demo.Desk, demo.ClinicID, stranger.NationalID)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
}

func TestNewestActivityStands(t *testing.T) { // S88
	d, s := setupCalendar(t)
	ctx := t.Context()
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	known := func() string {
		row, err := d.SQL(ctx, "SELECT active_self, active_other, active_by FROM patient WHERE id = '"+id+"'")
		require.NoError(t, err)
		return row
	}
	require.Equal(t, "||", known())
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, id, true, false, pg.ActivityCheck, now))
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, id, false, true, pg.ActivityRecorded, now.Add(-time.Second)))
	require.Equal(t, "t|f|check", known(), "older knowledge does not replace newer")
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, id, false, true, pg.ActivityRecorded, now.Add(time.Second)))
	require.Equal(t, "f|t|record-system", known())
	err = s.RecordActivity(ctx, otherID, id, true, true, pg.ActivityCheck, now.Add(time.Hour))
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	require.Error(t, s.RecordActivity(ctx, demo.ClinicID, id, true, true, "hearsay", now.Add(time.Hour)))
	require.Equal(t, "f|t|record-system", known())
}

func TestErasureReachesTheCard(t *testing.T) {
	d, s := setupCalendar(t)
	ctx := t.Context()
	parent, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, mother, demo.GPID, false)
	require.NoError(t, err)
	ids, err := s.PutPatients(ctx, demo.Service, demo.ClinicID, []pg.PatientRecord{{
		Patient: child, Status: &pg.PatientStatus{BornOn: "2010-11-10"}, Preference: &pg.Preference{Language: "nn"},
		Contacts: &[]pg.Contact{
			{Channel: contract.ChannelEmail, Address: "barn@example.org"}, {Channel: contract.ChannelSMS, Address: "90909090"}, {Channel: contract.ChannelPush, Address: subscription},
		},
		Representations: &[]pg.Representation{{RepresentativeID: parent, Relation: "FO"}},
	}})
	require.NoError(t, err)
	id := ids[0]
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, id, true, false, pg.ActivityCheck, now))
	appointment := book(t, d, id, "booked", typeID, "", now.Add(time.Hour))
	comment := seal(t, d, id, "appointment.comment/"+appointment, `"Vondt i kneet"`)
	_, err = d.SQL(ctx, `UPDATE appointment SET comment = '\x`+comment+`' WHERE id = '`+appointment+`'`)
	require.NoError(t, err)
	secrets := []string{"barn@example.org", "90909090", "push.example.org", "2010-11-10", "Vondt i kneet"}
	inClear := func() string {
		dump, err := d.Dump(ctx)
		require.NoError(t, err)
		for _, secret := range secrets {
			for _, form := range []string{secret, fmt.Sprintf("%x", secret)} {
				if strings.Contains(dump, form) {
					t.Errorf("%q is in the database in clear", secret)
				}
			}
		}
		return dump
	}
	require.Contains(t, inClear(), comment, "sealed before the erasure too")
	for range 2 {
		require.NoError(t, s.ErasePatient(ctx, demo.Admin, demo.ClinicID, id))
	}
	left, err := d.SQL(ctx, `SELECT (SELECT count(*) FROM contact), (SELECT count(*) FROM notice_preference), (SELECT count(*) FROM representation),
		(SELECT count(*) FROM data_key WHERE patient_id = '`+id+`'), born_on, active_self, active_at FROM patient WHERE id = '`+id+`'`)
	require.NoError(t, err)
	require.Equal(t, "0|0|0|0|||", left)
	inClear()
	for name, do := range map[string]func() error{
		"contacts":             func() error { _, err := s.Contacts(ctx, demo.Desk, demo.ClinicID, id); return err },
		"put contacts":         func() error { return s.PutContacts(ctx, demo.Service, demo.ClinicID, id, nil) },
		"preference":           func() error { return s.PutPreference(ctx, demo.Service, demo.ClinicID, id, pg.Preference{}) },
		"representations":      func() error { return s.PutRepresentations(ctx, demo.Service, demo.ClinicID, id, nil) },
		"read representations": func() error { _, err := s.Representations(ctx, demo.Desk, demo.ClinicID, id); return err },
		"read status":          func() error { _, err := s.PatientStatus(ctx, demo.Desk, demo.ClinicID, id); return err },
		"status": func() error {
			return s.PutPatientStatus(ctx, demo.Service, demo.ClinicID, id, pg.PatientStatus{BornOn: "2010-11-10"})
		},
		"portal": func() error { _, err := s.PortalAppointments(ctx, demo.Service, demo.ClinicID, id, id); return err },
	} {
		err := do()
		require.Truef(t, apperr.Is(err, apperr.Erased), "%s: %v", name, err)
	}
	require.NoError(t, s.RecordActivity(ctx, demo.ClinicID, id, true, true, pg.ActivityCheck, now.Add(time.Hour)), "nothing is kept of him")
	err = s.PutRepresentations(ctx, demo.Service, demo.ClinicID, parent, []pg.Representation{{RepresentativeID: id, Relation: "FU"}})
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
}
