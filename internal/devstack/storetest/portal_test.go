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

// TestPortalOffersWhatItBooks: what is shown as free is booked, whatever is not is
// refused for the reason that is shown.
func TestPortalOffersWhatItBooks(t *testing.T) { // S93, S71-S73, S81
	k := newDesk(t)
	ctx := t.Context()
	clinic := twoGPs(t, k.s) // with a calendar and a slot of her own
	free, call := k.offer(now.Add(72*time.Hour)), k.offer(now.Add(73*time.Hour), func(n *pg.Slot) { n.MustCall = true })
	soon := k.offer(now.Add(74*time.Hour), func(n *pg.Slot) { n.AvailableAt = now.Add(time.Hour) })
	taken := k.offer(now.Add(75 * time.Hour))
	book(t, k.d, k.patientID, "booked", typeID, "", taken.StartsAt.Add(10*time.Minute))
	k.offer(now.Add(76*time.Hour), func(n *pg.Slot) { n.Online = false })
	k.offer(now.Add(77*time.Hour), func(n *pg.Slot) { n.TypeID = hiddenID })
	k.offer(now.Add(30 * time.Minute))    // past the deadline
	k.offer(now.Add(30 * 24 * time.Hour)) // later than the clinic shows
	late := k.offer(now.Add(80 * time.Hour))
	slots := func(viewer string, from, to time.Time) (pg.PortalOffer, error) {
		return k.s.PortalSlots(ctx, portal, demo.ClinicID, k.patientID, viewer, from, to)
	}
	ids := func(from, to time.Time) []string {
		t.Helper()
		o, err := slots(k.patientID, from, to)
		require.NoError(t, err)
		require.Empty(t, o.Reason)
		list := []string{}
		for _, n := range o.Slots {
			list = append(list, n.ID)
		}
		return list
	}
	require.Equal(t, []string{free.ID, call.ID, soon.ID, late.ID}, ids(now, now.Add(62*24*time.Hour)))
	require.Equal(t, []string{free.ID, call.ID, soon.ID}, ids(free.StartsAt, late.StartsAt), "from inclusive, to exclusive")
	o, err := slots(k.patientID, call.StartsAt, soon.EndsAt)
	require.NoError(t, err)
	require.Equal(t, []pg.OfferedSlot{
		{ID: call.ID, StartsAt: call.StartsAt, EndsAt: call.EndsAt, Summary: "Time hos fastlege", MustCall: true},
		{ID: soon.ID, StartsAt: soon.StartsAt, EndsAt: soon.EndsAt, Summary: "Time hos fastlege", AvailableAt: soon.AvailableAt},
	}, o.Slots)
	require.Equal(t, []string{"to"}, paths(t, fault(slots(k.patientID, now, now))))
	require.Equal(t, []string{"to"}, paths(t, fault(slots(k.patientID, now, now.Add(62*24*time.Hour+time.Second)))))

	booking := func(slotID string) error {
		_, err := k.change(portal, pg.Change{Kind: pg.ChangeBook, PatientID: k.patientID, SlotID: slotID, Source: "portal", ViewerID: k.patientID})
		return err
	}
	closed := func(reason string) {
		t.Helper()
		o, err := slots(k.patientID, now, now.Add(62*24*time.Hour))
		require.NoError(t, err)
		require.Equal(t, pg.PortalOffer{Reason: reason}, o)
		require.Error(t, booking(free.ID))
	}
	put := func(practitionerID string, blocked bool) {
		_, err := k.s.PutPatient(ctx, demo.Service, demo.ClinicID, line, practitionerID, blocked)
		require.NoError(t, err)
	}
	put(demo.GPID, true)
	closed(pg.OfferBlocked)
	put("", false)
	closed(pg.OfferNotOwn)
	put(demo.GPID, false)
	second := pg.Calendar{ID: uuid.NewString(), OwnerID: demo.GPID, Name: "Vaksine"}
	require.NoError(t, k.s.PutCalendars(ctx, demo.Service, demo.ClinicID, []pg.Calendar{second}))
	closed("owns-several-calendars")
	second.Inactive = true
	require.NoError(t, k.s.PutCalendars(ctx, demo.Service, demo.ClinicID, []pg.Calendar{second}))
	clinic.Staff[0].Inactive = true
	require.NoError(t, k.s.PutClinic(ctx, demo.Service, clinic))
	closed(pg.BookingOwnerInactive)
	clinic.Staff[0].Inactive = false
	require.NoError(t, k.s.PutClinic(ctx, demo.Service, clinic))

	// Helsenorge's switch is not the portal's.
	require.NoError(t, k.s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{}))
	require.Contains(t, ids(now, late.StartsAt), free.ID)
	require.NoError(t, booking(free.ID))
	require.NotContains(t, ids(now, late.StartsAt), free.ID)
	conflict(t, booking(call.ID), "must-call")

	stranger, err := k.s.PutPatient(ctx, demo.Service, demo.ClinicID, mother, demo.GPID, false)
	require.NoError(t, err)
	_, err = slots(stranger, now, late.StartsAt)
	require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)
	require.NoError(t, k.s.PutRepresentations(ctx, demo.Service, demo.ClinicID, k.patientID, []pg.Representation{{RepresentativeID: stranger, Relation: "FU"}}))
	_, err = slots(stranger, now, late.StartsAt)
	require.NoError(t, err)
}

func fault(_ pg.PortalOffer, err error) error { return err }

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
