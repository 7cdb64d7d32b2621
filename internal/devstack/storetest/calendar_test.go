package storetest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/domain/answerclock"
	"github.com/helsebro/helsebro/internal/domain/booking"
	"github.com/helsebro/helsebro/internal/domain/reminder"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// now is a Monday at 09:00 in Norway, in winter time.
var now = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

const (
	calendarID = "019ab000-0000-7000-8000-0000000000c1"
	typeID     = "019ab000-0000-7000-8000-0000000000d1"
	hiddenID   = "019ab000-0000-7000-8000-0000000000d2"
	otherID    = "019ab000-0000-7000-8000-0000000000ff"
)

// otherService is the record system of another clinic.
var otherService = identity.Principal{Subject: "epj2", ClinicID: otherID, Role: identity.RoleService}

// offering is the demonstration clinic with a practitioner who has registered these
// processes and no other.
func offering(processes ...string) pg.Clinic {
	c := demo.Clinic()
	c.Parties[0].Processes = processes
	return c
}

// setupCalendar makes the demonstration clinic with online booking, one calendar, an open and a
// hidden type, and the clock at now.
func setupCalendar(t *testing.T) (*storetest.Database, *pg.Store) {
	t.Helper()
	d, s := setup(t)
	s = s.At(func() time.Time { return now })
	ctx := t.Context()
	require.NoError(t, s.PutClinic(ctx, demo.Service, demo.Clinic()))
	require.NoError(t, s.PutCalendars(ctx, demo.Service, demo.ClinicID, []pg.Calendar{{ID: calendarID, OwnerID: demo.GPID, Name: "Frida"}}))
	require.NoError(t, s.PutAppointmentTypes(ctx, demo.Service, demo.ClinicID, []pg.AppointmentType{
		{ID: typeID, Name: "Vanlig time", Summary: "Time hos fastlege"}, {ID: hiddenID, Name: "Skjult time", Hidden: true},
	}))
	require.NoError(t, s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{OnlineBooking: true}))
	return d, s
}

// slot is a slot of twenty minutes.
func slot(startsAt time.Time) pg.Slot {
	return pg.Slot{ID: uuid.NewString(), CalendarID: calendarID, TypeID: typeID, StartsAt: startsAt, EndsAt: startsAt.Add(20 * time.Minute), Online: true}
}

// book writes an appointment of twenty minutes straight into the database.
func book(t *testing.T, d *storetest.Database, patientID, status, ofType, slotID string, startsAt time.Time) string {
	t.Helper()
	id, from := uuid.NewString(), "NULL"
	if slotID != "" {
		from = "'" + slotID + "'"
	}
	_, err := d.SQL(t.Context(), fmt.Sprintf(`
		INSERT INTO dialogue (id, clinic_id, patient_id, process, title, key_id, created_at, latest_at)
			SELECT '%[1]s', clinic_id, id, 'appointment', '', key_id, now(), now() FROM patient WHERE id = '%[2]s';
		INSERT INTO appointment (id, clinic_id, patient_id, status, revision, calendar_id, type_id, slot_id, starts_at, ends_at, place, origin, key_id, changed_at, created_at)
			SELECT '%[1]s', clinic_id, id, '%[3]s', 1, '%[4]s', '%[5]s', %[6]s, '%[7]s', '%[8]s', 'Rom 2', 'helsenorge', key_id, now(), now() FROM patient WHERE id = '%[2]s';`,
		id, patientID, status, calendarID, ofType, from, startsAt.Format(time.RFC3339), startsAt.Add(20*time.Minute).Format(time.RFC3339)))
	require.NoError(t, err)
	return id
}

func paths(t *testing.T, err error) []string {
	t.Helper()
	var e *apperr.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, apperr.Invalid, e.Kind)
	var list []string
	for _, f := range e.Fields {
		list = append(list, f.Path)
	}
	return list
}

func TestSettingsHaveDefaultsAndBounds(t *testing.T) {
	_, s := setup(t)
	v, err := s.Settings(t.Context(), demo.GP, demo.ClinicID)
	require.NoError(t, err)
	require.Equal(t, pg.Settings{
		Language: "nb", VisibleDays: 28, DeadlineMinutes: 60, MaxFutureBookings: 3, GraceMinutes: 5, MinLeadMinutes: 45,
		CancelHours: 24, QuietFrom: "21:00", QuietTo: "08:00", MergeHours: 12, FallbackMinutes: 120,
		OfficeOpens: "08:00", OfficeCloses: "16:00", Conversion: "tell", ActivityHours: 24,
		AnswerClock: map[contract.Process]answerclock.Limits{
			contract.ProcessEConsultation: answerclock.DefaultLimits(), contract.ProcessEContact: answerclock.DefaultLimits(), contract.ProcessPrescription: answerclock.DefaultLimits(),
		},
	}, v)
	require.Equal(t, booking.DefaultLimits(), v.BookingLimits())
	require.Equal(t, reminder.DefaultRules(), v.ReminderRules())

	chosen := pg.Settings{
		OnlineBooking: true, Notify: true, NoticeName: "Demo legesenter", Phone: "22334455", Language: "nn", VisibleDays: 14, DeadlineMinutes: 180,
		QuietFrom: "22:30", QuietTo: "07:15", CancelOnWorkingDay: true, FallbackMinutes: 90,
	}
	for range 2 {
		require.NoError(t, s.PutSettings(t.Context(), demo.Admin, demo.ClinicID, chosen))
	}
	v, err = s.Settings(t.Context(), demo.GP, demo.ClinicID)
	require.NoError(t, err)
	require.Equal(t, chosen.WithDefaults(), v)
	require.Equal(t, booking.Limits{Days: 14, Deadline: 3 * time.Hour, MaxFuture: 3}, v.BookingLimits())
	rules := v.ReminderRules()
	require.Equal(t, 22*time.Hour+30*time.Minute, rules.QuietFrom)
	require.Equal(t, 7*time.Hour+15*time.Minute, rules.QuietTo)
	require.Equal(t, 90*time.Minute, rules.Budget)
	require.True(t, rules.CancelOnLastWorkingDay)

	for path, bad := range map[string]pg.Settings{
		"language":          {Language: "de"},
		"visibleDays":       {VisibleDays: 29},
		"deadlineMinutes":   {DeadlineMinutes: -1},
		"maxFutureBookings": {MaxFutureBookings: -1},
		"graceMinutes":      {GraceMinutes: 61},
		"minLeadMinutes":    {MinLeadMinutes: -5},
		"quietFrom":         {QuietFrom: "25:00"},
		"quietTo":           {QuietTo: "8:00"},
		"mergeHours":        {MergeHours: 24},
		"fallbackMinutes":   {FallbackMinutes: 24 * 60},
		"cancelHours":       {CancelHours: 24 * 15},
		"phone":             {Notify: true, NoticeName: "Demo"},
		"noticeName":        {NoticeName: "Psykiatrisk senter"}, // F20
	} {
		require.Equal(t, []string{path}, paths(t, s.PutSettings(t.Context(), demo.Admin, demo.ClinicID, bad)))
	}
	require.Equal(t, []string{"noticeName", "phone"}, paths(t, s.PutSettings(t.Context(), demo.Admin, demo.ClinicID, pg.Settings{Notify: true})))
	after, err := s.Settings(t.Context(), demo.GP, demo.ClinicID)
	require.NoError(t, err)
	require.Equal(t, v, after, "what is refused changes nothing")
}

func TestOneCalendarIsBookable(t *testing.T) { // S69, S71, S72, A8, F16
	_, s := setup(t)
	ctx := t.Context()
	state := func() (open bool, reason string) {
		states, err := s.Calendars(ctx, demo.Desk, demo.ClinicID)
		require.NoError(t, err)
		for _, c := range states {
			if c.ID == calendarID {
				return c.BookingOpen, c.Reason
			}
		}
		return false, "no calendar"
	}
	openCase := func() string {
		cases := casesOf(t, s)
		require.LessOrEqual(t, len(cases), 1, "one case per practitioner, however often")
		if len(cases) == 0 || cases[0].ResolvedAt != nil {
			return ""
		}
		require.Equal(t, contract.CaseBookingClosed, cases[0].Kind)
		require.Equal(t, demo.GPID, cases[0].MessageID)
		return cases[0].Reason
	}
	calendars := func(list ...pg.Calendar) {
		t.Helper()
		require.NoError(t, s.PutCalendars(ctx, demo.Service, demo.ClinicID, list))
	}
	first := pg.Calendar{ID: calendarID, OwnerID: demo.GPID, Name: "Frida"}
	second := pg.Calendar{ID: uuid.NewString(), OwnerID: demo.GPID, Name: "Vaksine"}
	check := func(wantOpen bool, wantReason, wantCase string) {
		t.Helper()
		open, reason := state()
		require.Equal(t, wantOpen, open)
		require.Equal(t, wantReason, reason)
		require.Equal(t, wantCase, openCase())
	}

	require.NoError(t, s.PutClinic(ctx, demo.Service, offering(codes.EKontakt)))
	calendars(first)
	check(false, pg.BookingSwitchedOff, "")
	require.NoError(t, s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{OnlineBooking: true}))
	check(false, pg.BookingNotOffered, "")
	require.NoError(t, s.PutClinic(ctx, demo.Service, demo.Clinic()))
	check(true, "", "")
	calendars(second)
	check(false, booking.SeveralCalendars, booking.SeveralCalendars)
	second.Inactive = true
	calendars(second)
	check(true, "", "") // reopened with no other act
	second.Inactive = false
	calendars(second)
	check(false, booking.SeveralCalendars, booking.SeveralCalendars) // the same case opens again
	second.OwnerID = demo.DeskID
	calendars(second)
	check(true, "", "")
	first.Inactive = true
	calendars(first)
	check(false, pg.BookingCalendarInactive, booking.NoCalendar)
	first.Inactive = false
	calendars(first)
	check(true, "", "")

	left := demo.Clinic() // the practitioner leaves
	left.Staff[0].Inactive = true
	require.NoError(t, s.PutClinic(ctx, demo.Service, left))
	check(false, pg.BookingOwnerInactive, pg.BookingOwnerInactive)
	first.OwnerID = demo.DeskID // a substitute takes the calendar
	calendars(first)
	check(false, pg.BookingNotOffered, "")
	first.OwnerID = demo.GPID
	calendars(first)
	require.NoError(t, s.PutClinic(ctx, demo.Service, demo.Clinic()))
	check(true, "", "")
	calendars(pg.Calendar{ID: second.ID, OwnerID: demo.GPID, Name: "Vaksine"})
	check(false, booking.SeveralCalendars, booking.SeveralCalendars)
	require.NoError(t, s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{})) // nobody expects to book
	check(false, pg.BookingSwitchedOff, "")
}

func TestCalendarsBelongToTheirClinic(t *testing.T) {
	_, s := setupCalendar(t)
	ctx := t.Context()
	require.NoError(t, s.PutClinic(ctx, otherService, pg.Clinic{
		ID: otherID, Name: "Other", HerID: 1, Staff: []pg.Staff{{ID: otherID, Subject: "x", Name: "x", Role: identity.RolePractitioner}},
	}))
	mine := slot(now.Add(time.Hour))
	require.NoError(t, s.PutSlots(ctx, demo.Service, demo.ClinicID, []pg.Slot{mine}))
	others := pg.Calendar{ID: uuid.NewString(), OwnerID: otherID, Name: "Other"}
	othersType := pg.AppointmentType{ID: uuid.NewString(), Name: "Other"}
	require.NoError(t, s.PutCalendars(ctx, otherService, otherID, []pg.Calendar{others}))
	require.NoError(t, s.PutAppointmentTypes(ctx, otherService, otherID, []pg.AppointmentType{othersType}))
	theirs := pg.Slot{ID: mine.ID, CalendarID: others.ID, TypeID: othersType.ID, StartsAt: now, EndsAt: now.Add(time.Hour)}
	inMine := theirs
	inMine.ID, inMine.CalendarID = uuid.NewString(), calendarID
	ofMine := theirs
	ofMine.ID, ofMine.TypeID = uuid.NewString(), typeID
	for name, c := range map[string]struct {
		err  error
		kind apperr.Kind
	}{
		"calendar": {s.PutCalendars(ctx, otherService, otherID, []pg.Calendar{{ID: calendarID, OwnerID: otherID, Name: "mine now"}}), apperr.Conflict},
		"owner":    {s.PutCalendars(ctx, otherService, otherID, []pg.Calendar{{ID: uuid.NewString(), OwnerID: demo.GPID, Name: "mine now"}}), apperr.NotFound},
		"type":     {s.PutAppointmentTypes(ctx, otherService, otherID, []pg.AppointmentType{{ID: typeID, Name: "mine now"}}), apperr.Conflict},
		"slot":     {s.PutSlots(ctx, otherService, otherID, []pg.Slot{theirs}), apperr.Conflict},
		"in":       {s.PutSlots(ctx, otherService, otherID, []pg.Slot{inMine}), apperr.NotFound},
		"of":       {s.PutSlots(ctx, otherService, otherID, []pg.Slot{ofMine}), apperr.NotFound},
		"no uuid":  {s.PutSlots(ctx, otherService, otherID, []pg.Slot{{ID: "x", CalendarID: "x", TypeID: "x", StartsAt: now, EndsAt: now.Add(time.Minute)}}), apperr.NotFound},
	} {
		require.Truef(t, apperr.Is(c.err, c.kind), "%s: %v", name, c.err)
	}
	require.NoError(t, s.DeleteSlots(ctx, otherService, otherID, []string{mine.ID}), "nothing of theirs is there to delete")
	for name, read := range map[string]func() error{
		"slots": func() error {
			_, err := s.Slots(ctx, otherService, otherID, calendarID, now, now.Add(time.Hour))
			return err
		},
		"entries": func() error {
			_, err := s.CalendarEntries(ctx, otherService, otherID, calendarID, now, now.Add(time.Hour))
			return err
		},
	} {
		err := read()
		require.Truef(t, apperr.Is(err, apperr.NotFound), "%s: %v", name, err)
	}
	slots, err := s.Slots(ctx, demo.Service, demo.ClinicID, calendarID, now, now.Add(24*time.Hour))
	require.NoError(t, err)
	mine.Free = true
	require.Equal(t, []pg.Slot{mine}, slots)
	types, err := s.AppointmentTypes(ctx, otherService, otherID)
	require.NoError(t, err)
	require.Equal(t, []pg.AppointmentType{othersType}, types)
}

func TestSlotsDoNotOverlap(t *testing.T) {
	d, s := setupCalendar(t)
	ctx := t.Context()
	a, b := slot(now.Add(time.Hour)), slot(now.Add(time.Hour+20*time.Minute))
	a.Place, a.AvailableAt, b.MustCall, b.Online = "Rom 2", now.Add(30*time.Minute), true, false
	for range 2 {
		require.NoError(t, s.PutSlots(ctx, demo.Service, demo.ClinicID, []pg.Slot{a, b}))
	}
	over, beside := slot(now.Add(time.Hour+30*time.Minute)), slot(now.Add(5*time.Hour))
	err := s.PutSlots(ctx, demo.Service, demo.ClinicID, []pg.Slot{beside, over})
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	require.EqualError(t, err, "the calendar has another slot then")

	// Both move by one place: the one stands where the other stood.
	a.StartsAt, a.EndsAt = b.StartsAt, b.EndsAt
	b.StartsAt, b.EndsAt = b.EndsAt, b.EndsAt.Add(20*time.Minute)
	require.NoError(t, s.PutSlots(ctx, demo.Service, demo.ClinicID, []pg.Slot{a, b}))

	patientID, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	appointment := book(t, d, patientID, "booked", typeID, a.ID, a.StartsAt.Add(5*time.Minute))
	book(t, d, patientID, "cancelled", typeID, b.ID, b.StartsAt)
	a.Free, b.Free = false, false // the appointment reaches into both
	slots, err := s.Slots(ctx, demo.Service, demo.ClinicID, calendarID, now, now.Add(24*time.Hour))
	require.NoError(t, err)
	require.Equal(t, []pg.Slot{a, b}, slots, "all or none: beside was not written")
	_, err = d.SQL(ctx, "UPDATE appointment SET starts_at = starts_at - interval '5 minutes', ends_at = ends_at - interval '5 minutes' WHERE id = '"+appointment+"'")
	require.NoError(t, err)
	b.Free = true // what is cancelled takes no place, and ends meet
	slots, err = s.Slots(ctx, demo.Service, demo.ClinicID, calendarID, now, now.Add(24*time.Hour))
	require.NoError(t, err)
	require.Equal(t, []pg.Slot{a, b}, slots)

	for range 2 {
		require.NoError(t, s.DeleteSlots(ctx, demo.Service, demo.ClinicID, []string{a.ID, b.ID}))
	}
	entries, err := s.CalendarEntries(ctx, demo.Desk, demo.ClinicID, calendarID, now, now.Add(24*time.Hour))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, appointment, entries[0].ID, "it stays without its slot")

	bad := slot(now)
	bad.EndsAt, bad.MustCall, bad.AvailableAt, bad.Place = now, true, now.Add(time.Hour), "to\nlinjer"
	require.Equal(t, []string{"slots[0].endsAt", "slots[0].availableAt", "slots[0].availableAt", "slots[0].place"},
		paths(t, s.PutSlots(ctx, demo.Service, demo.ClinicID, []pg.Slot{bad})))
	require.Equal(t, []string{"slots[1].id"}, paths(t, s.PutSlots(ctx, demo.Service, demo.ClinicID, []pg.Slot{a, a})))
	err = s.PutSlots(ctx, demo.Service, demo.ClinicID, make([]pg.Slot, pg.MaxBulk+1))
	require.True(t, apperr.Is(err, apperr.TooLarge), "%v", err)
	_, err = s.Slots(ctx, demo.Service, demo.ClinicID, calendarID, now, now.Add(63*24*time.Hour))
	require.Equal(t, []string{"to"}, paths(t, err))
}

func TestTypeIsHiddenByAnActOnEachAppointment(t *testing.T) { // S82, D10
	d, s := setupCalendar(t)
	ctx := t.Context()
	ordinary := pg.AppointmentType{ID: typeID, Name: "Vanlig time", Category: "Video", Hidden: true}
	require.NoError(t, s.PutAppointmentTypes(ctx, demo.Service, demo.ClinicID, []pg.AppointmentType{ordinary}))
	ordinary.Hidden = false
	require.NoError(t, s.PutAppointmentTypes(ctx, demo.Service, demo.ClinicID, []pg.AppointmentType{ordinary}))
	patientID, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	book(t, d, patientID, "booked", typeID, "", now.Add(time.Hour))
	ordinary.Name = "Konsultasjon"
	require.NoError(t, s.PutAppointmentTypes(ctx, demo.Service, demo.ClinicID, []pg.AppointmentType{ordinary}))
	hide := ordinary
	hide.Hidden = true
	another := pg.AppointmentType{ID: uuid.NewString(), Name: "Annen"}
	err = s.PutAppointmentTypes(ctx, demo.Service, demo.ClinicID, []pg.AppointmentType{another, hide})
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	types, err := s.AppointmentTypes(ctx, demo.Desk, demo.ClinicID)
	require.NoError(t, err)
	require.Equal(t, []pg.AppointmentType{ordinary, {ID: hiddenID, Name: "Skjult time", Hidden: true}}, types)
	require.Equal(t, []string{"types[0].name", "types[0].category"},
		paths(t, s.PutAppointmentTypes(ctx, demo.Service, demo.ClinicID, []pg.AppointmentType{{ID: typeID, Category: "Lab"}})))
}

func TestCalendarShowsNoOrigin(t *testing.T) { // S75, S80, S92, S93, A6
	d, s := setupCalendar(t)
	ctx := t.Context()
	patientID, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	booked := book(t, d, patientID, "booked", typeID, "", now.Add(2*time.Hour))
	missed := book(t, d, patientID, "missed", hiddenID, "", now.Add(-time.Hour))
	cancelled := book(t, d, patientID, "cancelled", typeID, "", now.Add(3*time.Hour))
	sealed := seal(t, d, patientID, "appointment.comment/"+booked, `"Vondt i kneet"`)
	_, err = d.SQL(ctx, `UPDATE appointment SET comment = '\x`+sealed+`' WHERE id = '`+booked+`'`)
	require.NoError(t, err)

	entries, err := s.CalendarEntries(ctx, demo.Desk, demo.ClinicID, calendarID, now.Add(-24*time.Hour), now.Add(24*time.Hour))
	require.NoError(t, err)
	require.Equal(t, []pg.CalendarEntry{
		{ID: missed, CalendarID: calendarID, PatientID: patientID, TypeID: hiddenID, Status: contract.StatusMissed, Revision: 1, StartsAt: now.Add(-time.Hour), EndsAt: now.Add(-40 * time.Minute), Place: "Rom 2", Hidden: true, Patient: "Line Testperson"},
		{ID: booked, CalendarID: calendarID, PatientID: patientID, TypeID: typeID, Status: contract.StatusBooked, Revision: 1, StartsAt: now.Add(2 * time.Hour), EndsAt: now.Add(2*time.Hour + 20*time.Minute), Place: "Rom 2", Patient: "Line Testperson", Comment: "Vondt i kneet"},
	}, entries)
	all, err := s.PatientAppointments(ctx, demo.Desk, demo.ClinicID, patientID)
	require.NoError(t, err)
	require.Equal(t, []string{cancelled, booked, missed}, []string{all[0].ID, all[1].ID, all[2].ID})
	written, err := json.Marshal(append(entries, all...))
	require.NoError(t, err)
	for _, word := range []string{"origin", "helsenorge", "source"} {
		require.NotContains(t, strings.ToLower(string(written)), word)
	}
	for _, dto := range []any{pg.CalendarEntry{}, pg.Appointment{}, pg.PatientAppointment{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(dto)) {
			require.NotRegexp(t, "(?i)origin|source|helsenorge", f.Name)
		}
	}
	states, err := s.Calendars(ctx, demo.Desk, demo.ClinicID)
	require.NoError(t, err)
	require.Equal(t, 1, states[0].FutureAppointments)

	require.NoError(t, s.ErasePatient(ctx, demo.Admin, demo.ClinicID, patientID))
	entries, err = s.CalendarEntries(ctx, demo.Desk, demo.ClinicID, calendarID, now, now.Add(24*time.Hour))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, pg.Erased, entries[0].Patient)
	require.Empty(t, entries[0].Comment)
	_, err = s.PatientAppointments(ctx, demo.Desk, demo.ClinicID, patientID)
	require.True(t, apperr.Is(err, apperr.Erased), "%v", err)
}

// Every read and every write has its row in the audit, in the same transaction.
func TestCalendarAccessIsAudited(t *testing.T) {
	d, s := setupCalendar(t)
	ctx := t.Context()
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	nobody := identity.Principal{ClinicID: demo.ClinicID, Role: identity.RoleService}
	day, one := now.Add(24*time.Hour), slot(now)
	for action, do := range map[string]func(identity.Principal) error{
		"settings.read": func(p identity.Principal) error { _, err := s.Settings(ctx, p, demo.ClinicID); return err },
		"settings.put": func(p identity.Principal) error {
			return s.PutSettings(ctx, p, demo.ClinicID, pg.Settings{OnlineBooking: true})
		},
		"calendar.list": func(p identity.Principal) error { _, err := s.Calendars(ctx, p, demo.ClinicID); return err },
		"calendar.put": func(p identity.Principal) error {
			return s.PutCalendars(ctx, p, demo.ClinicID, []pg.Calendar{{ID: calendarID, OwnerID: demo.GPID, Name: "F"}})
		},
		"appointment-type.list": func(p identity.Principal) error { _, err := s.AppointmentTypes(ctx, p, demo.ClinicID); return err },
		"appointment-type.put": func(p identity.Principal) error {
			return s.PutAppointmentTypes(ctx, p, demo.ClinicID, []pg.AppointmentType{{ID: typeID, Name: "V"}})
		},
		"slot.list": func(p identity.Principal) error {
			_, err := s.Slots(ctx, p, demo.ClinicID, calendarID, now, day)
			return err
		},
		"slot.put":        func(p identity.Principal) error { return s.PutSlots(ctx, p, demo.ClinicID, []pg.Slot{one}) },
		"slot.delete":     func(p identity.Principal) error { return s.DeleteSlots(ctx, p, demo.ClinicID, []string{otherID}) },
		"contact.read":    func(p identity.Principal) error { _, err := s.Contacts(ctx, p, demo.ClinicID, id); return err },
		"contact.put":     func(p identity.Principal) error { return s.PutContacts(ctx, p, demo.ClinicID, id, nil) },
		"preference.read": func(p identity.Principal) error { _, err := s.Preference(ctx, p, demo.ClinicID, id); return err },
		"preference.put":  func(p identity.Principal) error { return s.PutPreference(ctx, p, demo.ClinicID, id, pg.Preference{}) },
		"representation.read": func(p identity.Principal) error {
			_, err := s.Representations(ctx, p, demo.ClinicID, id)
			return err
		},
		"representation.put": func(p identity.Principal) error { return s.PutRepresentations(ctx, p, demo.ClinicID, id, nil) },
		"patient-status.read": func(p identity.Principal) error {
			_, err := s.PatientStatus(ctx, p, demo.ClinicID, id)
			return err
		},
		"patient.status": func(p identity.Principal) error {
			return s.PutPatientStatus(ctx, p, demo.ClinicID, id, pg.PatientStatus{})
		},
		"patient.put": func(p identity.Principal) error {
			_, err := s.PutPatients(ctx, p, demo.ClinicID, []pg.PatientRecord{{Patient: line}})
			return err
		},
		"appointment.list": func(p identity.Principal) error {
			_, err := s.CalendarEntries(ctx, p, demo.ClinicID, calendarID, now, day)
			return err
		},
		"portal.appointments": func(p identity.Principal) error {
			_, err := s.PortalAppointments(ctx, p, demo.ClinicID, id, id)
			return err
		},
		"portal.slots": func(p identity.Principal) error {
			_, err := s.PortalSlots(ctx, p, demo.ClinicID, id, id, now, day)
			return err
		},
		"portal.feed": func(p identity.Principal) error { _, err := s.PortalFeed(ctx, p, demo.ClinicID, id, id); return err },
	} {
		counted := func() string {
			n, err := d.SQL(ctx, "SELECT count(*) FROM audit WHERE action = '"+action+"' AND subject = 'epj' AND clinic_id = '"+demo.ClinicID+"'")
			require.NoError(t, err)
			return n
		}
		_, err := d.SQL(ctx, "DELETE FROM audit")
		require.NoError(t, err)
		require.NoError(t, do(demo.Service), action)
		require.Equal(t, "1", counted(), action)
		err = do(nobody)
		var e *apperr.Error
		require.True(t, errors.As(err, &e) && e.Kind == apperr.Internal, "%s: %v", action, err)
		n, err := d.SQL(ctx, "SELECT count(*) FROM audit")
		require.NoError(t, err)
		require.Equal(t, "1", n, action)
	}
}
