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
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

var portal = identity.Principal{Subject: "portal", ClinicID: demo.ClinicID, Role: identity.RolePortal}

func TestPortalShowsAllButHidden(t *testing.T) { // S78, S80, S82
	d, s := setupCalendar(t)
	ctx := t.Context()
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	other, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, mother, demo.GPID, false)
	require.NoError(t, err)
	past := book(t, d, id, "missed", typeID, "", now.Add(-48*time.Hour))
	cancelled := book(t, d, id, "cancelled", typeID, "", now.Add(time.Hour))
	booked := book(t, d, id, "booked", typeID, "", now.Add(2*time.Hour))
	book(t, d, id, "booked", hiddenID, "", now.Add(3*time.Hour))
	book(t, d, id, "refused", typeID, "", now.Add(4*time.Hour))
	book(t, d, other, "booked", typeID, "", now.Add(5*time.Hour))
	list, err := s.PortalAppointments(ctx, portal, demo.ClinicID, id, id)
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.Equal(t, []string{past, cancelled, booked}, []string{list[0].ID, list[1].ID, list[2].ID})
	require.Equal(t, pg.PatientAppointment{
		ID: booked, Status: contract.StatusBooked, StartsAt: now.Add(2 * time.Hour), EndsAt: now.Add(2*time.Hour + 20*time.Minute),
		Place: "Rom 2", Summary: "Time hos fastlege", Practitioner: "Frida Fastlege",
	}, list[2])
	row, err := d.SQL(ctx, "SELECT subject, role, object, patient_id FROM audit WHERE action = 'portal.appointments'")
	require.NoError(t, err)
	require.Equal(t, "portal|portal|viewer/"+id+"|"+id, row)
}

func TestWhoActsForAPatient(t *testing.T) { // S81, D4, D14
	d, s := setupCalendar(t)
	ctx := t.Context()
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, child, demo.GPID, false)
	require.NoError(t, err)
	parent, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, mother, demo.GPID, false)
	require.NoError(t, err)
	stranger, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	booked := book(t, d, id, "booked", typeID, "", now.Add(2*time.Hour))
	sees := func(viewer string, at time.Time) error {
		s := s.At(func() time.Time { return at })
		list, err := s.PortalAppointments(ctx, portal, demo.ClinicID, id, viewer)
		_, feedErr := s.PortalFeed(ctx, portal, demo.ClinicID, id, viewer)
		require.Equal(t, err, feedErr)
		if err == nil {
			require.Equal(t, booked, list[0].ID)
		} else {
			require.Empty(t, list)
		}
		return err
	}
	refused := func(err error, reason string) {
		t.Helper()
		require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)
		require.ErrorContains(t, err, reason)
	}
	represent := func(r pg.Representation) {
		t.Helper()
		require.NoError(t, s.PutRepresentations(ctx, demo.Service, demo.ClinicID, id, []pg.Representation{r}))
	}
	birthday := time.Date(2026, 11, 9, 23, 0, 0, 0, time.UTC) // 00:00 in Norway
	justBefore := birthday.Add(-time.Microsecond)

	require.NoError(t, sees(id, now))
	refused(sees(parent, now), "not-a-representative")
	represent(pg.Representation{RepresentativeID: parent, Relation: "FO"})
	require.NoError(t, sees(parent, justBefore))
	refused(sees(parent, birthday), "sixteen-or-older")
	require.NoError(t, sees(id, birthday))
	refused(sees(stranger, now), "not-a-representative")
	_, err = s.PortalAppointments(ctx, portal, demo.ClinicID, parent, id)
	refused(err, "not-a-representative") // not the other way round

	represent(pg.Representation{RepresentativeID: parent, Relation: "FO", Until: now.Add(time.Hour)})
	require.NoError(t, sees(parent, now.Add(time.Hour-time.Microsecond)))
	refused(sees(parent, now.Add(time.Hour)), "not-a-representative")
	represent(pg.Representation{RepresentativeID: parent, Relation: "FU"})
	refused(sees(parent, justBefore), "under-sixteen")
	require.NoError(t, sees(parent, birthday))
	represent(pg.Representation{RepresentativeID: parent, Relation: "VE"})
	require.NoError(t, sees(parent, birthday))

	for _, who := range []string{id, parent} {
		require.NoError(t, s.PutPatientStatus(ctx, demo.Service, demo.ClinicID, who, pg.PatientStatus{Protected: true}))
		refused(sees(parent, now), "protected")
		require.NoError(t, sees(id, now))
		require.NoError(t, s.PutPatientStatus(ctx, demo.Service, demo.ClinicID, who, pg.PatientStatus{}))
	}
	require.NoError(t, sees(parent, now), "and back again")

	// What the record system writes goes before the number.
	represent(pg.Representation{RepresentativeID: parent, Relation: "FO"})
	require.NoError(t, s.PutPatientStatus(ctx, demo.Service, demo.ClinicID, id, pg.PatientStatus{BornOn: "2010-11-02"}))
	refused(sees(parent, now), "sixteen-or-older")
	unread := child // a number that tells no date of birth
	unread.NationalID = "00000000000"
	nameless, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, unread, demo.GPID, false)
	require.NoError(t, err)
	require.NoError(t, s.PutRepresentations(ctx, demo.Service, demo.ClinicID, nameless, []pg.Representation{{RepresentativeID: parent, Relation: "FO"}}))
	_, err = s.PortalAppointments(ctx, portal, demo.ClinicID, nameless, parent)
	refused(err, "date-of-birth-unknown")
	require.NoError(t, s.PutPatientStatus(ctx, demo.Service, demo.ClinicID, nameless, pg.PatientStatus{BornOn: "2015-05-05"}))
	_, err = s.PortalAppointments(ctx, portal, demo.ClinicID, nameless, parent)
	require.NoError(t, err)

	_, err = s.PortalAppointments(ctx, portal, otherID, id, id)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	require.NoError(t, s.ErasePatient(ctx, demo.Admin, demo.ClinicID, parent))
	refused(sees(parent, now), "not-a-representative")
}

// notify writes a notice with its attempts, oldest first, straight into the database.
func notify(t *testing.T, d *storetest.Database, patientID, appointmentID string, purpose contract.Purpose, at time.Time, attempts ...pg.AttemptExplained) string {
	t.Helper()
	id := uuid.NewString()
	statement := fmt.Sprintf(`INSERT INTO notice (id, clinic_id, appointment_id, patient_id, purpose, revision, owner, reason, decided_at)
		VALUES ('%s', '%s', '%s', '%s', '%s', 1, 'clinic', 'not-active', '%s');`, id, demo.ClinicID, appointmentID, patientID, purpose, at.Format(time.RFC3339))
	for i, a := range attempts {
		text := seal(t, d, patientID, "notice_attempt.text/"+id+"/"+string(a.Channel), fmt.Sprintf(`{"subject":"Time","body":"%s by %s"}`, purpose, a.Channel))
		claimed := at.Add(time.Duration(i) * time.Minute).Format(time.RFC3339)
		statement += fmt.Sprintf(`INSERT INTO notice_attempt (notice_id, channel, state, starts_at, key_id, text, template, claimed_at, state_at)
			SELECT '%s', '%s', '%s', '%s', key_id, '\x%s', 'x/1', '%[4]s', '%[4]s' FROM patient WHERE id = '%[6]s';`, id, a.Channel, a.State, claimed, text, patientID)
	}
	_, err := d.SQL(t.Context(), statement)
	require.NoError(t, err)
	return id
}

func TestFeedShowsWhatWasSent(t *testing.T) { // S90
	d, s := setupCalendar(t)
	ctx := t.Context()
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	seen, hidden := book(t, d, id, "booked", typeID, "", now.Add(time.Hour)), book(t, d, id, "booked", hiddenID, "", now.Add(2*time.Hour))
	first := notify(t, d, id, seen, contract.PurposeConfirmation, now.Add(-2*time.Hour),
		pg.AttemptExplained{Channel: contract.ChannelEmail, State: contract.AttemptFailed},
		pg.AttemptExplained{Channel: contract.ChannelPush, State: contract.AttemptAccepted},
		pg.AttemptExplained{Channel: contract.ChannelSMS, State: contract.AttemptDelivered})
	second := notify(t, d, id, seen, contract.PurposeReminder, now.Add(-time.Hour),
		pg.AttemptExplained{Channel: contract.ChannelSMS, State: contract.AttemptUnknown})
	notify(t, d, id, seen, contract.PurposeChange, now, pg.AttemptExplained{Channel: contract.ChannelSMS, State: contract.AttemptWithheld})
	notify(t, d, id, seen, contract.PurposeCancellation, now) // decided, and nothing tried
	notify(t, d, id, hidden, contract.PurposeReminder, now, pg.AttemptExplained{Channel: contract.ChannelPush, State: contract.AttemptDelivered})
	feed, err := s.PortalFeed(ctx, portal, demo.ClinicID, id, id)
	require.NoError(t, err)
	require.Equal(t, []pg.FeedItem{
		{NoticeID: second, AppointmentID: seen, Purpose: contract.PurposeReminder, Subject: "Time", Body: "reminder by sms", At: now.Add(-time.Hour)},
		{NoticeID: first, AppointmentID: seen, Purpose: contract.PurposeConfirmation, Subject: "Time", Body: "confirmation by push", At: now.Add(-2*time.Hour + time.Minute)},
	}, feed)
}
