package storetest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/domain/booking"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/vault"
)

const (
	secondGPID    = "019ab000-0000-7000-8000-000000000021"
	secondGPHerID = 900011
	secondHPR     = "9144897"
	secondCalID   = "019ab000-0000-7000-8000-0000000000c2"
)

// date is a calendar date as a question for slots has it.
func date(day int) time.Time { return time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC) }

func ask() pg.OfferQuery {
	return pg.OfferQuery{ToHerID: demo.GPHerID, NationalID: line.NationalID, From: date(2), To: date(30)}
}

// twoGPs adds a second practitioner with a calendar and a slot of her own.
func twoGPs(t *testing.T, s *pg.Store) pg.Clinic {
	t.Helper()
	c := demo.Clinic()
	c.Staff = append(c.Staff, pg.Staff{ID: secondGPID, Subject: "gp2", Name: "Live Lege", Role: identity.RolePractitioner, HPR: secondHPR})
	c.Parties = append(c.Parties, pg.Party{HerID: secondGPHerID, Name: "Live Lege", StaffID: secondGPID, Processes: []string{codes.Timereservasjon}})
	require.NoError(t, s.PutClinic(t.Context(), demo.Service, c))
	storetest.Activate(t, s, c)
	require.NoError(t, s.PutCalendars(t.Context(), demo.Service, demo.ClinicID, []pg.Calendar{{ID: secondCalID, OwnerID: secondGPID, Name: "Live"}}))
	hers := slot(now.Add(4 * time.Hour))
	hers.CalendarID = secondCalID
	require.NoError(t, s.PutSlots(t.Context(), demo.Service, demo.ClinicID, []pg.Slot{hers}))
	return c
}

func TestOffersAreForTheOwnPractitionersPatients(t *testing.T) { // S69-S72, A8
	d, s := setupCalendar(t)
	ctx := t.Context()
	clinic := twoGPs(t, s)
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	mine := slot(now.Add(4 * time.Hour))
	require.NoError(t, s.PutSlots(ctx, demo.Service, demo.ClinicID, []pg.Slot{mine}))
	get := func(change func(*pg.OfferQuery)) pg.Offers {
		t.Helper()
		q := ask()
		if change != nil {
			change(&q)
		}
		o, err := s.Offers(ctx, q)
		require.NoError(t, err)
		return o
	}
	free := func(o pg.Offers) {
		t.Helper()
		require.Equal(t, pg.Offers{Code: "03", ContactHerID: demo.GPHerID, Slots: []pg.OfferedSlot{
			{ID: mine.ID, StartsAt: mine.StartsAt, EndsAt: mine.EndsAt, Summary: "Time hos fastlege"},
		}}, o)
	}
	refused := func(o pg.Offers, code, reason string) {
		t.Helper()
		require.Equal(t, code, o.Code)
		require.Equal(t, reason, o.Reason)
		require.NotEmpty(t, o.Text)
		require.Empty(t, o.Slots)
	}
	free(get(nil))
	free(get(func(q *pg.OfferQuery) { q.HPR = demo.GP.HPR }))
	free(get(func(q *pg.OfferQuery) { q.ToHerID, q.HPR = secondGPHerID, demo.GP.HPR }))
	require.Equal(t, "04", get(func(q *pg.OfferQuery) { q.From, q.To = date(3), date(4) }).Code)
	refused(get(func(q *pg.OfferQuery) { q.HPR = secondHPR }), "26", pg.OfferNotOwn)
	refused(get(func(q *pg.OfferQuery) { q.ToHerID = secondGPHerID }), "26", pg.OfferNotOwn)
	refused(get(func(q *pg.OfferQuery) { q.HPR = "1234567" }), "26", pg.OfferNoSuch)
	refused(get(func(q *pg.OfferQuery) { q.NationalID = mother.NationalID }), "26", pg.OfferUnknownPatient)
	refused(get(func(q *pg.OfferQuery) { q.To = date(31) }), "26", pg.OfferSpan)
	refused(get(func(q *pg.OfferQuery) { q.To = date(1) }), "26", pg.OfferSpanReversed)
	refused(get(func(q *pg.OfferQuery) { q.ToHerID = demo.ServiceHerID }), "26", pg.OfferNotRegistered)
	q := ask()
	q.ToHerID = 123
	_, err = s.Offers(ctx, q)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)

	second := pg.Calendar{ID: uuid.NewString(), OwnerID: demo.GPID, Name: "Vaksine"}
	require.NoError(t, s.PutCalendars(ctx, demo.Service, demo.ClinicID, []pg.Calendar{second}))
	refused(get(nil), "26", booking.SeveralCalendars)
	second.Inactive = true
	require.NoError(t, s.PutCalendars(ctx, demo.Service, demo.ClinicID, []pg.Calendar{second}))
	free(get(nil))
	require.NoError(t, s.PutCalendars(ctx, demo.Service, demo.ClinicID, []pg.Calendar{{ID: calendarID, OwnerID: demo.GPID, Name: "Frida", Inactive: true}}))
	refused(get(nil), "26", booking.NoCalendar)
	require.NoError(t, s.PutCalendars(ctx, demo.Service, demo.ClinicID, []pg.Calendar{{ID: calendarID, OwnerID: demo.GPID, Name: "Frida"}}))
	require.NoError(t, s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{}))
	refused(get(nil), "26", pg.BookingSwitchedOff)
	require.NoError(t, s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{OnlineBooking: true}))
	gone := clinic
	gone.Staff = slices.Clone(clinic.Staff)
	gone.Staff[0].Inactive = true
	require.NoError(t, s.PutClinic(ctx, demo.Service, gone))
	refused(get(nil), "26", pg.BookingOwnerInactive)
	require.NoError(t, s.PutClinic(ctx, demo.Service, clinic))
	_, err = s.PutPatient(ctx, demo.Service, demo.ClinicID, line, "", false)
	require.NoError(t, err)
	refused(get(nil), "26", pg.OfferNotOwn) // on nobody's list
	_, err = s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, true)
	require.NoError(t, err)
	refused(get(nil), "30", pg.OfferBlocked)

	// Every answer is in the audit, with the code and nothing of who asked but his id.
	rows, err := d.SQL(ctx, "SELECT DISTINCT subject, action, object, coalesce(patient_id::text, '') FROM audit WHERE subject = 'helsenorge' ORDER BY 3, 4")
	require.NoError(t, err)
	require.Equal(t, []string{
		"helsenorge|slots.offered|code/03|" + id, "helsenorge|slots.offered|code/04|" + id,
		"helsenorge|slots.offered|code/26|", "helsenorge|slots.offered|code/26|" + id, "helsenorge|slots.offered|code/30|" + id,
	}, strings.Split(rows, "\n"))
}

func TestOffersShowWhatIsFreeAndOnline(t *testing.T) { // S73, HITS 1217 §2.8.5
	d, s := setupCalendar(t)
	ctx := t.Context()
	id, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	urgent := pg.AppointmentType{ID: uuid.NewString(), Name: "Øyeblikkelig", Category: "Hastetime", Summary: "Hastetime"}
	retired := pg.AppointmentType{ID: uuid.NewString(), Name: "Gammel", Inactive: true}
	require.NoError(t, s.PutAppointmentTypes(ctx, demo.Service, demo.ClinicID, []pg.AppointmentType{urgent, retired}))
	// The days of winter time begin at 23:00 UTC: the 5th to the 6th of November.
	first, last := time.Date(2026, 11, 4, 23, 0, 0, 0, time.UTC), time.Date(2026, 11, 6, 23, 0, 0, 0, time.UTC)
	at := func(startsAt time.Time, change func(*pg.Slot)) pg.Slot {
		n := slot(startsAt)
		if change != nil {
			change(&n)
		}
		return n
	}
	edge, call := at(first, nil), at(first.Add(9*time.Hour), func(n *pg.Slot) { n.MustCall, n.Place = true, "Rom 1" })
	from := at(first.Add(10*time.Hour), func(n *pg.Slot) { n.AvailableAt, n.TypeID = now.Add(time.Hour), urgent.ID })
	again, latest := at(first.Add(11*time.Hour), nil), at(last.Add(-20*time.Minute), nil)
	taken, half := at(first.Add(12*time.Hour), nil), at(first.Add(13*time.Hour), nil)
	require.NoError(t, s.PutSlots(ctx, demo.Service, demo.ClinicID, []pg.Slot{
		edge, call, from, again, latest, taken, half,
		at(first.Add(14*time.Hour), func(n *pg.Slot) { n.Online = false }),
		at(first.Add(15*time.Hour), func(n *pg.Slot) { n.TypeID = hiddenID }),
		at(first.Add(16*time.Hour), func(n *pg.Slot) { n.TypeID = retired.ID }),
		at(first.Add(-20*time.Minute), nil), at(last, nil),
	}))
	book(t, d, id, "booked", typeID, taken.ID, taken.StartsAt)
	book(t, d, id, "booked", typeID, "", half.StartsAt.Add(10*time.Minute))
	book(t, d, id, "cancelled", typeID, again.ID, again.StartsAt)
	q := ask()
	q.From, q.To = date(5), date(6)
	o, err := s.Offers(ctx, q)
	require.NoError(t, err)
	offered := func(n pg.Slot, category, summary string) pg.OfferedSlot {
		return pg.OfferedSlot{ID: n.ID, StartsAt: n.StartsAt, EndsAt: n.EndsAt, Category: category, Summary: summary, Place: n.Place, MustCall: n.MustCall, AvailableAt: n.AvailableAt}
	}
	const summary = "Time hos fastlege"
	require.Equal(t, []pg.OfferedSlot{
		offered(edge, "", summary), offered(call, "", summary), offered(from, "Hastetime", "Hastetime"), offered(again, "", summary), offered(latest, "", summary),
	}, o.Slots)
}

func TestOffersKeepTheClinicsLimits(t *testing.T) {
	_, s := setupCalendar(t)
	ctx := t.Context()
	_, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	require.NoError(t, s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{OnlineBooking: true, VisibleDays: 2, DeadlineMinutes: 90}))
	soon, far := slot(now.Add(90*time.Minute)), slot(time.Date(2026, 11, 4, 22, 40, 0, 0, time.UTC)) // until the 5th begins
	require.NoError(t, s.PutSlots(ctx, demo.Service, demo.ClinicID, []pg.Slot{slot(now.Add(60 * time.Minute)), soon, far, slot(far.EndsAt)}))
	ids := func(at time.Time) []string {
		o, err := s.At(func() time.Time { return at }).Offers(ctx, ask())
		require.NoError(t, err)
		list := []string{}
		for _, o := range o.Slots {
			list = append(list, o.ID)
		}
		return list
	}
	require.Equal(t, []string{soon.ID, far.ID}, ids(now))
	require.Equal(t, []string{far.ID}, ids(now.Add(time.Microsecond)))
	require.Empty(t, ids(far.StartsAt.Add(-89 * time.Minute))[1:], "only what is shown the next days")
}

func TestOfferedPractitionerIsTheOwn(t *testing.T) { // S70, HITS 1217 §3.11
	_, s := setupCalendar(t)
	ctx := t.Context()
	twoGPs(t, s)
	get := func() pg.Offers {
		o, err := s.OfferedPractitioners(ctx, ask())
		require.NoError(t, err)
		return o
	}
	o := get()
	require.Equal(t, []string{"26", pg.OfferUnknownPatient}, []string{o.Code, o.Reason})
	put := func(practitionerID string, blocked bool) {
		_, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, practitionerID, blocked)
		require.NoError(t, err)
	}
	put(demo.GPID, false)
	require.Equal(t, pg.Offers{Code: "20", ContactHerID: demo.GPHerID, Practitioners: []pg.OfferedPractitioner{{Name: "Frida Fastlege", HPR: demo.GP.HPR}}}, get())
	require.NoError(t, s.PutCalendars(ctx, demo.Service, demo.ClinicID, []pg.Calendar{{ID: uuid.NewString(), OwnerID: demo.GPID, Name: "Vaksine"}}))
	require.Equal(t, pg.Offers{Code: "21", Reason: booking.SeveralCalendars}, get())
	put("", false)
	require.Equal(t, "21", get().Code)
	put(demo.GPID, true)
	o = get()
	require.Equal(t, []string{"30", pg.OfferBlocked}, []string{o.Code, o.Reason})
	q := ask()
	q.ToHerID = secondGPHerID
	put(demo.GPID, false)
	o, err := s.OfferedPractitioners(ctx, q)
	require.NoError(t, err)
	require.Equal(t, pg.OfferNotRegistered, o.Reason)
}

// Two hundred practitioners with four weeks of slots each, a third of them booked:
// an answer reads no table from end to end, whatever plan PostgreSQL has chosen.
func TestOffersAreAnsweredFromIndexes(t *testing.T) {
	const practitioners, days, perDay = 200, 28, 20
	const freePerDay, weekdays = 13, 20 // what begins at 20 past is taken
	d, s := setupCalendar(t)
	ctx := t.Context()
	clinic := demo.Clinic()
	var calendars []pg.Calendar
	var records []pg.PatientRecord
	var slots []pg.Slot
	for i := range practitioners {
		gp := fmt.Sprintf("019ab000-0000-7000-8000-%012d", 1000+i)
		cal := fmt.Sprintf("019ab000-0000-7000-8000-%012d", 5000+i)
		clinic.Staff = append(clinic.Staff, pg.Staff{ID: gp, Subject: gp, Name: "Lege", Role: identity.RolePractitioner, HPR: fmt.Sprint(1000000 + i)})
		clinic.Parties = append(clinic.Parties, pg.Party{HerID: 910000 + i, Name: "Lege", StaffID: gp, Processes: []string{codes.Timereservasjon}})
		calendars = append(calendars, pg.Calendar{ID: cal, OwnerID: gp, Name: "Lege"})
		records = append(records, pg.PatientRecord{Patient: pg.Patient{
			GivenName: "Test", FamilyName: "Testperson", IDType: "FNR", NationalID: nationalid.Synthetic(time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), i),
		}, PractitionerID: gp})
		for day := range days {
			if day%7 > 4 {
				continue
			}
			for n := range perDay {
				one := slot(now.AddDate(0, 0, day).Add(time.Duration(n) * 20 * time.Minute))
				one.CalendarID = cal
				slots = append(slots, one)
			}
		}
	}
	require.NoError(t, s.PutClinic(ctx, demo.Service, clinic))
	storetest.Activate(t, s, clinic)
	require.NoError(t, s.PutCalendars(ctx, demo.Service, demo.ClinicID, calendars))
	_, err := s.PutPatients(ctx, demo.Service, demo.ClinicID, records)
	require.NoError(t, err)
	began := time.Now()
	for chunk := range slices.Chunk(slots, pg.MaxBulk) {
		require.NoError(t, s.PutSlots(ctx, demo.Service, demo.ClinicID, chunk))
	}
	t.Logf("%d slots written in %s", len(slots), time.Since(began).Round(time.Millisecond))
	_, err = d.SQL(ctx, `
		CREATE TEMP TABLE taken AS SELECT gen_random_uuid() AS id, s.id AS slot_id, s.clinic_id, s.calendar_id, s.type_id, s.starts_at, s.ends_at,
			p.id AS patient_id, p.key_id FROM slot s JOIN calendar c ON c.id = s.calendar_id JOIN patient p ON p.practitioner_id = c.owner_id
			WHERE extract(minute FROM s.starts_at) = 20;
		INSERT INTO dialogue (id, clinic_id, patient_id, process, title, key_id, created_at, latest_at)
			SELECT id, clinic_id, patient_id, 'appointment', '', key_id, now(), now() FROM taken;
		INSERT INTO appointment (id, clinic_id, patient_id, status, calendar_id, type_id, slot_id, starts_at, ends_at, origin, key_id, changed_at, created_at)
			SELECT id, clinic_id, patient_id, 'booked', calendar_id, type_id, slot_id, starts_at, ends_at, 'clinic', key_id, now(), now() FROM taken;`)
	require.NoError(t, err)
	_, err = d.SQL(ctx, "ANALYZE")
	require.NoError(t, err)

	// Counters of a connection are complete when it is closed.
	const counters = `SELECT (SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname IN ('slot', 'appointment')),
		(SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE indexrelname IN ('slot_online', 'slot_overlaps')),
		(SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE indexrelname IN ('appointment_overlaps', 'appointment_by_calendar'))`
	read := func() (seq, slot, appointment int) {
		row, err := d.SQL(ctx, counters)
		require.NoError(t, err)
		_, err = fmt.Sscanf(strings.ReplaceAll(row, "|", " "), "%d %d %d", &seq, &slot, &appointment)
		require.NoError(t, err)
		return seq, slot, appointment
	}
	d.Store.Close()
	seqBefore, slotBefore, appointmentBefore := read()
	v, err := vault.Open(d.Vault)
	require.NoError(t, err)
	fresh, err := pg.Open(d.Config, v)
	require.NoError(t, err)
	s = fresh.At(func() time.Time { return now })
	var took []time.Duration
	for i, r := range records {
		began := time.Now()
		o, err := s.Offers(ctx, pg.OfferQuery{ToHerID: 910000 + i, NationalID: r.NationalID, From: date(2), To: date(30)})
		took = append(took, time.Since(began))
		require.NoError(t, err)
		require.Equal(t, "03", o.Code)
		require.Len(t, o.Slots, freePerDay*weekdays-2, "two of the free ones start too soon")
	}
	fresh.Close()
	seq, slot, appointment := read()
	require.Equal(t, seqBefore, seq, "no table is read from end to end")
	require.GreaterOrEqual(t, slot-slotBefore, practitioners)
	require.GreaterOrEqual(t, appointment-appointmentBefore, practitioners)
	slices.Sort(took)
	t.Logf("%d answers of %d slots: p50 %s, p99 %s", len(took), freePerDay*weekdays-2, took[len(took)/2], took[len(took)*99/100])
}

// TestWhoAsksForAPatientIsAudited (HITS 1217 §2.5): by id where the clinic knows him,
// never by number or name.
func TestWhoAsksForAPatientIsAudited(t *testing.T) {
	_, s := setupCalendar(t)
	_, err := s.PutPatient(t.Context(), demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	parent := pg.Patient{GivenName: "Mor", FamilyName: "Testperson", IDType: "FNR", NationalID: nationalid.Synthetic(now.AddDate(-40, 0, 0), 1)}
	parentID, err := s.PutPatient(t.Context(), demo.Service, demo.ClinicID, parent, "", false)
	require.NoError(t, err)
	stranger := nationalid.Synthetic(now.AddDate(-50, 0, 0), 2)
	own, err := s.Offers(t.Context(), ask())
	require.NoError(t, err)
	for actor, want := range map[string]string{parent.NationalID: `^code/04 FO/` + parentID + `$`, stranger: `^code/04 FO/[0-9a-f]{64}$`} {
		q := ask()
		q.ActorID, q.Relation = actor, "FO"
		same, err := s.Offers(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, own, same)
		rows, err := s.Audit(t.Context(), identity.Principal{Subject: "audit", ClinicID: demo.ClinicID, Role: identity.RoleAuditor}, demo.ClinicID, pg.AuditQuery{Limit: 10})
		require.NoError(t, err)
		last := slices.IndexFunc(rows.Items, func(r pg.AuditRow) bool { return r.Action == "slots.offered" })
		require.Regexp(t, want, rows.Items[last].Object)
	}
}
