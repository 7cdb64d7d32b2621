package storetest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// desk is a clinic with a calendar, one of its patients, and a clock that a test moves.
type desk struct {
	*testing.T
	d         *storetest.Database
	s         *pg.Store
	clock     time.Time
	patientID string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d, s := setupCalendar(t)
	k := &desk{T: t, d: d, clock: now}
	k.s = s.At(func() time.Time { return k.clock })
	var err error
	k.patientID, err = k.s.PutPatient(t.Context(), demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	return k
}

// offer puts an online slot in the calendar.
func (k *desk) offer(startsAt time.Time, change ...func(*pg.Slot)) pg.Slot {
	k.Helper()
	n := slot(startsAt)
	for _, c := range change {
		c(&n)
	}
	require.NoError(k, k.s.PutSlots(k.Context(), demo.Service, demo.ClinicID, []pg.Slot{n}))
	return n
}

// message is a citizen's message about an appointment.
func message(function string, who pg.Patient, b *pg.Booking) pg.Arrival {
	process := codes.Timereservasjon
	if function == contract.FunctionWish || function == contract.FunctionWishCancel {
		process = codes.Timeonske
	}
	a := arrival(contract.ProcessAppointment, process, function)
	a.Patient, a.Booking, a.Attachments = &who, b, nil
	return a
}

func reserve(n pg.Slot) *pg.Booking {
	return &pg.Booking{UID: n.ID, StartsAt: n.StartsAt, EndsAt: n.EndsAt, Contact: demo.GPHerID}
}

func (k *desk) store(a pg.Arrival) pg.Arrived {
	k.Helper()
	stored, err := k.s.StoreArrival(k.Context(), a)
	require.NoError(k, err)
	require.Equal(k, pg.Taken, stored.Verdict)
	require.Equal(k, contract.ProcessAppointment, stored.Process)
	return stored
}

// take stores a message and has the calendar decide it.
func (k *desk) take(a pg.Arrival) (pg.Arrived, contract.TakeBookingMessageOutput) {
	k.Helper()
	stored := k.store(a)
	out, err := k.s.TakeBookingMessage(k.Context(), taking(stored))
	require.NoError(k, err)
	return stored, out
}

func taking(m pg.Arrived) contract.TakeBookingMessageInput {
	return contract.TakeBookingMessageInput{ClinicID: demo.ClinicID, AppointmentID: m.DialogueID, MessageID: m.ID, Now: now}
}

// booked has the patient reserve a slot.
func (k *desk) booked(startsAt time.Time) string {
	k.Helper()
	stored, out := k.take(message(contract.FunctionReserve, line, reserve(k.offer(startsAt))))
	require.Equal(k, contract.AppointmentConfirmed, out.Code, out.Rule)
	return stored.DialogueID
}

func (k *desk) sql(query string, args ...any) string {
	k.Helper()
	out, err := k.d.SQL(k.Context(), fmt.Sprintf(query, args...))
	require.NoError(k, err)
	return strings.TrimSpace(out)
}

func (k *desk) cases() []contract.CaseKind {
	k.Helper()
	cases := casesOf(k, k.s)
	var kinds []contract.CaseKind
	for _, c := range cases {
		if c.ResolvedAt == nil {
			kinds = append(kinds, c.Kind)
		}
	}
	return kinds
}

func TestReservationIsBookedAndConfirmed(t *testing.T) { // S74, S75
	k := newDesk(t)
	n := k.offer(now.Add(72 * time.Hour))
	m := message(contract.FunctionReserve, line, reserve(n))
	stored, out := k.take(m)
	require.True(t, stored.NewDialogue)
	require.Equal(t, contract.AppointmentFacts{Status: contract.StatusBooked, Revision: 1, StartsAt: n.StartsAt, EndsAt: n.EndsAt}, out.Facts)
	require.Equal(t, "booked", out.Rule)
	require.False(t, out.Inbox)

	// The same message again is the same booking, whichever step is repeated.
	again, err := k.s.StoreArrival(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, stored.DialogueID, again.DialogueID)
	require.Equal(t, contract.ProcessAppointment, again.Process)
	twice, err := k.s.TakeBookingMessage(t.Context(), taking(stored))
	require.NoError(t, err)
	require.Equal(t, out, twice)

	entries, err := k.s.CalendarEntries(t.Context(), demo.GP, demo.ClinicID, calendarID, now, now.Add(7*24*time.Hour))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "Hei, jeg har vondt.", entries[0].Comment)

	var job pg.Job
	p, err := k.s.PrepareAnswer(t.Context(), demo.ClinicID, out.OutboundID, helsenorge, capture(&job))
	require.NoError(t, err)
	require.Equal(t, []int{demo.GPHerID, helsenorge}, []int{p.FromHerID, p.ToHerID})
	require.NotEmpty(t, job.Original)
	require.Equal(t, stored.DialogueID, job.Appointment.UID)
	require.Equal(t, n.ID, job.Appointment.RelatedTo, "the slot that was ordered (4.1)")
	require.Equal(t, demo.GPHerID, job.Appointment.Contact)
	require.True(t, job.Appointment.StartsAt.Equal(n.StartsAt))

	load, err := k.s.LoadAppointment(t.Context(), contract.LoadAppointmentInput{ClinicID: demo.ClinicID, AppointmentID: stored.DialogueID})
	require.NoError(t, err)
	require.Equal(t, []string{m.MsgID}, load.Seen)
	require.Empty(t, load.Untaken)
	require.Equal(t, []contract.Delivery{{OutboundID: out.OutboundID, Code: "05", Revision: 1, Purpose: contract.PurposeConfirmation}}, load.Open)

	ledger, err := k.s.Ledger(t.Context(), demo.GP, demo.ClinicID, stored.DialogueID)
	require.NoError(t, err)
	var effects []string
	for _, l := range ledger {
		effects = append(effects, l.Effect)
	}
	require.ElementsMatch(t, []string{pg.EffectReceipt, pg.EffectAnswer}, effects, "nobody has to read a reservation")
}

func capture(into *pg.Job) pg.Build {
	return func(_ context.Context, job pg.Job) ([]byte, error) { *into = job; return []byte("<wire/>"), nil }
}

func TestReservationIsRefusedWithTheReason(t *testing.T) { // S69-S74, D15
	at := now.Add(72 * time.Hour)
	for _, c := range []struct {
		name, code, rule string
		slot             func(*pg.Slot)
		prepare          func(*desk)
		change           func(*pg.Arrival, *pg.Slot)
	}{
		{name: "blank comment", code: "26", rule: "no-comment", change: func(a *pg.Arrival, _ *pg.Slot) { a.Content.Text = " \u00a0\n" }},
		{name: "another practitioner's patient", code: "26", rule: "another-practitioner", prepare: func(k *desk) {
			_, err := k.s.PutPatient(k.Context(), demo.Service, demo.ClinicID, line, demo.DeskID, false)
			require.NoError(k, err)
		}},
		{name: "the own practitioner has left", code: "26", rule: "another-practitioner", prepare: func(k *desk) {
			twoGPs(k.T, k.s)
			_, err := k.s.PutPatient(k.Context(), demo.Service, demo.ClinicID, line, secondGPID, false)
			require.NoError(k, err)
			require.NoError(k, k.s.PutClinic(k.Context(), demo.Service, demo.Clinic()))
			require.Equal(k, "f", k.sql("SELECT active FROM staff WHERE id = '%s'", secondGPID))
		}},
		{name: "too many", code: "26", rule: "too-many-bookings", prepare: func(k *desk) {
			for i := range 3 {
				k.booked(now.Add(time.Duration(100+i) * time.Hour))
			}
		}},
		{name: "switched off", code: "06", rule: "switched-off", prepare: func(k *desk) {
			require.NoError(k, k.s.PutSettings(k.Context(), demo.Admin, demo.ClinicID, pg.Settings{}))
		}},
		{name: "two calendars", code: "06", rule: "owns-several-calendars", prepare: func(k *desk) {
			require.NoError(k, k.s.PutCalendars(k.Context(), demo.Service, demo.ClinicID, []pg.Calendar{{ID: uuid.NewString(), OwnerID: demo.GPID, Name: "Vaksine"}}))
		}},
		{name: "no slot", code: "06", rule: "unknown-slot", change: func(a *pg.Arrival, _ *pg.Slot) { a.Booking.UID = uuid.NewString() }},
		{name: "no uuid", code: "06", rule: "unknown-slot", change: func(a *pg.Arrival, _ *pg.Slot) { a.Booking.UID = "slot-17" }},
		{name: "moved slot", code: "06", rule: "slot-changed", change: func(a *pg.Arrival, _ *pg.Slot) { a.Booking.StartsAt = at.Add(time.Minute) }},
		{name: "not online", code: "06", rule: "not-online", slot: func(n *pg.Slot) { n.Online = false }},
		{name: "must call", code: "06", rule: "must-call", slot: func(n *pg.Slot) { n.MustCall = true }},
		{name: "later", code: "06", rule: "not-yet-available", slot: func(n *pg.Slot) { n.AvailableAt = now.Add(time.Hour) }},
		{name: "hidden", code: "06", rule: "unknown-slot", slot: func(n *pg.Slot) { n.TypeID = hiddenID }},
		{name: "too late", code: "06", rule: "past-deadline", prepare: func(k *desk) { k.clock = at.Add(-59 * time.Minute) }},
		{name: "over", code: "06", rule: "past-deadline", prepare: func(k *desk) { k.clock = at.Add(time.Hour) }},
		{name: "too far", code: "06", rule: "too-far-ahead", prepare: func(k *desk) { k.clock = at.Add(-30 * 24 * time.Hour) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newDesk(t)
			n := k.offer(at, func(n *pg.Slot) {
				if c.slot != nil {
					c.slot(n)
				}
			})
			if c.prepare != nil {
				c.prepare(k)
			}
			m := message(contract.FunctionReserve, line, reserve(n))
			if c.change != nil {
				c.change(&m, &n)
			}
			stored := k.store(m)
			in := taking(stored)
			in.Now = time.Time{}
			out, err := k.s.TakeBookingMessage(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, []any{c.code, c.rule, contract.StatusRefused}, []any{out.Code, out.Rule, out.Facts.Status})
			var job pg.Job
			_, err = k.s.PrepareAnswer(t.Context(), demo.ClinicID, out.OutboundID, helsenorge, capture(&job))
			require.NoError(t, err)
			require.NotEmpty(t, job.Text, "the citizen is told what to do")
			require.Nil(t, job.Appointment)
		})
	}
}

// 500 citizens want one slot, each message delivered twice: one has it (F11).
func TestOneOfFiveHundredHasTheSlot(t *testing.T) {
	k := newDesk(t)
	const n = 500
	people := make([]pg.PatientRecord, n)
	for i := range people {
		born := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i)
		people[i] = pg.PatientRecord{Patient: pg.Patient{GivenName: "Per", FamilyName: "Testperson", IDType: "FNR", NationalID: nationalid.Synthetic(born, 7)}, PractitionerID: demo.GPID}
	}
	_, err := k.s.PutPatients(t.Context(), demo.Service, demo.ClinicID, people)
	require.NoError(t, err)
	free := k.offer(now.Add(72 * time.Hour))
	var mu sync.Mutex
	codesOf := map[string][]string{}
	var wg sync.WaitGroup
	busy := make(chan struct{}, 32)
	for i := range n {
		stored := k.store(message(contract.FunctionReserve, people[i].Patient, reserve(free)))
		for range 2 {
			wg.Go(func() {
				busy <- struct{}{}
				defer func() { <-busy }()
				out, err := k.s.TakeBookingMessage(t.Context(), taking(stored))
				for apperr.Is(err, apperr.Unavailable) { // as Temporal would
					out, err = k.s.TakeBookingMessage(t.Context(), taking(stored))
				}
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("take: %v", err)
					return
				}
				codesOf[stored.ID] = append(codesOf[stored.ID], out.Code+out.OutboundID)
			})
		}
	}
	wg.Wait()
	count := map[string]int{}
	for _, both := range codesOf {
		require.Len(t, both, 2)
		require.Equal(t, both[0], both[1], "the duplicate has the same answer")
		count[both[0][:2]]++
	}
	require.Equal(t, map[string]int{"05": 1, "06": n - 1}, count)
	require.Equal(t, "1", k.sql("SELECT count(*) FROM appointment WHERE status = 'booked'"))
	require.Equal(t, fmt.Sprint(n), k.sql("SELECT count(*) FROM outbound_message WHERE kind = 'answer'"))
}

func TestCitizenCancelsByAnyIdentifier(t *testing.T) { // §4.1
	for _, by := range []string{"slot", "appointment", "related-to"} {
		t.Run(by, func(t *testing.T) {
			k := newDesk(t)
			id := k.booked(now.Add(72 * time.Hour))
			b := &pg.Booking{UID: id}
			switch by {
			case "slot":
				b.UID = k.sql("SELECT slot_id FROM appointment WHERE id = '%s'", id)
			case "related-to":
				b.UID, b.RelatedTo = uuid.NewString(), id
			}
			cancel := message(contract.FunctionCancel, line, b)
			cancel.ProcessCode, cancel.Content.Text = codes.Timereservasjon, ""
			stored, out := k.take(cancel)
			require.Equal(t, id, stored.DialogueID)
			require.False(t, stored.NewDialogue)
			require.Equal(t, []any{"08", contract.StatusCancelled, 2}, []any{out.Code, out.Facts.Status, out.Facts.Revision})
			require.Zero(t, out.Facts.TellAt, "the answer tells it")

			// Once more, in another message: it is true.
			_, out = k.take(message(contract.FunctionCancel, line, b))
			require.Equal(t, "08", out.Code)
			require.Equal(t, 2, out.Facts.Revision)
		})
	}
}

func TestWhatCannotBeCancelled(t *testing.T) {
	k := newDesk(t)
	id := k.booked(now.Add(72 * time.Hour))
	_, err := k.s.PutPatient(t.Context(), demo.Service, demo.ClinicID, mother, demo.GPID, false)
	require.NoError(t, err)

	// Another patient's appointment is nobody's.
	stored, out := k.take(message(contract.FunctionCancel, mother, &pg.Booking{UID: id}))
	require.NotEqual(t, id, stored.DialogueID)
	require.Equal(t, []any{"09", "unknown-appointment", true}, []any{out.Code, out.Rule, out.CaseOpened})
	require.Equal(t, []contract.CaseKind{contract.CaseUnknownAppointment}, k.cases())

	k.clock = now.Add(72 * time.Hour)
	_, out = k.take(message(contract.FunctionCancel, line, &pg.Booking{UID: id}))
	require.Equal(t, []any{"09", "begun-or-over", contract.StatusBooked}, []any{out.Code, out.Rule, out.Facts.Status})
}

func TestWishWaitsForStaff(t *testing.T) { // HITS 1217 §3.5
	k := newDesk(t)
	require.NoError(t, k.s.PutClinic(t.Context(), demo.Service, withWishes()))
	stored, out := k.take(message(contract.FunctionWish, line, nil))
	require.Equal(t, []any{"", true, contract.StatusAwaitingClinic}, []any{out.Code, out.Inbox, out.Facts.Status})
	placed, err := k.s.Place(t.Context(), contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: stored.DialogueID, MessageID: stored.ID})
	require.NoError(t, err)
	require.Equal(t, 1, placed.Places)
	a, err := k.s.Appointment(t.Context(), demo.Desk, demo.ClinicID, stored.DialogueID)
	require.NoError(t, err)
	require.True(t, a.Wish)

	// A code that answers the other kind of wish, then the answer.
	_, err = k.change(demo.Desk, pg.Change{Kind: pg.ChangeAnswer, AppointmentID: stored.DialogueID, Code: "08"})
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	n := k.offer(now.Add(48 * time.Hour))
	answered := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAnswer, AppointmentID: stored.DialogueID, Code: "05", SlotID: n.ID, Text: "Velkommen."})
	require.Equal(t, []any{"05", contract.StatusBooked, 1}, []any{answered.Code, answered.Facts.Status, answered.Facts.Revision})
	require.Zero(t, answered.Facts.TellAt)
	var job pg.Job
	_, err = k.s.PrepareAnswer(t.Context(), demo.ClinicID, answered.OutboundID, helsenorge, capture(&job))
	require.NoError(t, err)
	require.Equal(t, []any{"Velkommen.", "Solveig Sekretær", stored.DialogueID}, []any{job.Text, job.Author.Name, job.Appointment.UID})

	// The wish to cancel it leaves it booked until staff answer.
	cancel, out := k.take(message(contract.FunctionWishCancel, line, &pg.Booking{UID: stored.DialogueID, RelatedTo: stored.DialogueID}))
	require.Equal(t, stored.DialogueID, cancel.DialogueID)
	require.Equal(t, []any{true, contract.StatusBooked}, []any{out.Inbox, out.Facts.Status})
	refused := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAnswer, AppointmentID: stored.DialogueID, Code: "09"})
	require.Equal(t, []any{contract.StatusBooked, 1}, []any{refused.Facts.Status, refused.Facts.Revision})

	_, out = k.take(message(contract.FunctionWishCancel, line, &pg.Booking{UID: stored.DialogueID}))
	require.True(t, out.Inbox)
	done := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAnswer, AppointmentID: stored.DialogueID, Code: "08"})
	require.Equal(t, []any{contract.StatusCancelled, 2}, []any{done.Facts.Status, done.Facts.Revision})
}

func withWishes() pg.Clinic {
	c := demo.Clinic()
	c.Parties[0].Processes = append(c.Parties[0].Processes, codes.Timeonske)
	return c
}

func TestWishIsRefused(t *testing.T) {
	k := newDesk(t)
	require.NoError(t, k.s.PutClinic(t.Context(), demo.Service, withWishes()))
	stored, _ := k.take(message(contract.FunctionWish, line, nil))
	out := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAnswer, AppointmentID: stored.DialogueID, Code: "06", Text: "Ring oss."})
	require.Equal(t, []any{"06", contract.StatusRefused, 0}, []any{out.Code, out.Facts.Status, out.Facts.Revision})
}

// A run that was lost finds what it has not done.
func TestLoadNamesWhatIsUndone(t *testing.T) {
	k := newDesk(t)
	m := message(contract.FunctionReserve, line, reserve(k.offer(now.Add(72*time.Hour))))
	stored := k.store(m)
	load, err := k.s.LoadAppointment(t.Context(), contract.LoadAppointmentInput{ClinicID: demo.ClinicID, AppointmentID: stored.DialogueID})
	require.NoError(t, err)
	require.Empty(t, load.Seen)
	require.Len(t, load.Untaken, 1)
	require.Equal(t, []string{stored.ID, m.MsgID, "RT"}, []string{load.Untaken[0].MessageID, load.Untaken[0].MsgID, load.Untaken[0].Function})
	require.Equal(t, contract.StatusReceived, load.Facts.Status)
}

// Helsenorge, the app and the secretary want one slot at once: one has it, and the
// others are told so (D6).
func TestThreeWaysToOneSlot(t *testing.T) {
	k := newDesk(t)
	for i := range 5 {
		n := k.offer(now.Add(time.Duration(72+i) * time.Hour))
		require.NoError(t, k.s.PutSettings(t.Context(), demo.Admin, demo.ClinicID, pg.Settings{OnlineBooking: true, MaxFutureBookings: 20}))
		stored := k.store(message(contract.FunctionReserve, line, reserve(n)))
		won := make(chan string, 3)
		book := func(by identity.Principal, c pg.Change, who string) {
			c.Kind, c.PatientID, c.SlotID = pg.ChangeBook, k.patientID, n.ID
			_, err := k.change(by, c)
			switch {
			case err == nil:
				won <- who
			case !apperr.Is(err, apperr.Conflict):
				t.Errorf("%s: %v", who, err)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			out, err := k.s.TakeBookingMessage(t.Context(), taking(stored))
			if err != nil {
				t.Errorf("helsenorge: %v", err)
			} else if out.Code == contract.AppointmentConfirmed {
				won <- "helsenorge"
			}
		})
		wg.Go(func() { book(portal, pg.Change{Source: "app", ViewerID: k.patientID}, "app") })
		wg.Go(func() { book(demo.Desk, pg.Change{}, "clinic") })
		wg.Wait()
		require.Len(t, won, 1)
		require.Equal(t, <-won, k.sql("SELECT origin FROM appointment WHERE slot_id = '%s' AND status = 'booked'", n.ID))
	}
}

// TestAnOddSlotIsNoSlot: whatever a message names as the slot is answered.
func TestAnOddSlotIsNoSlot(t *testing.T) {
	k := newDesk(t)
	n := k.offer(now.Add(72 * time.Hour))
	for _, uid := range []string{"urn:uuid:" + n.ID, "{" + n.ID + "}", strings.ReplaceAll(n.ID, "-", ""), "91095 ", "' OR true --", strings.Repeat("x", 255), "ÆØÅ"} {
		b := reserve(n)
		b.UID = uid
		_, out := k.take(message(contract.FunctionReserve, line, b))
		require.Equal(t, contract.AppointmentNotAvailable, out.Code, uid)
		require.Equal(t, "unknown-slot", out.Rule, uid)
		_, out = k.take(message(contract.FunctionCancel, line, &pg.Booking{UID: "other", RelatedTo: uid}))
		require.Contains(t, []string{contract.AppointmentNotCancelled, contract.AppointmentCancelled}, out.Code, uid)
	}
	// To a party that is no practitioner's, nothing says whose the slot would be.
	clinic := demo.Clinic()
	for i := range clinic.Parties {
		clinic.Parties[i].Processes = append(clinic.Parties[i].Processes, codes.Timereservasjon)
	}
	require.NoError(t, k.s.PutClinic(t.Context(), demo.Service, clinic))
	storetest.Activate(t, k.s, clinic)
	b := reserve(n)
	b.UID = uuid.NewString()
	m := message(contract.FunctionReserve, line, b)
	m.ToHerID = demo.ServiceHerID
	_, out := k.take(m)
	require.Equal(t, contract.AppointmentNotAvailable, out.Code)
	require.Equal(t, "unknown-slot", out.Rule)

	b = reserve(n)
	b.UID = strings.ToUpper(n.ID)
	_, out = k.take(message(contract.FunctionReserve, line, b))
	require.Equal(t, contract.AppointmentConfirmed, out.Code, "an id is the same in capital letters")
}

// TestWhatACitizenSaysOfHisAppointmentIsKept: text, picture and reason of cancelling can
// be opened by staff, whatever the calendar decided (HITS 1217 §3.4.3.1, §2.10).
func TestWhatACitizenSaysOfHisAppointmentIsKept(t *testing.T) {
	k := newDesk(t)
	n := k.offer(now.Add(72 * time.Hour))
	m := message(contract.FunctionReserve, line, reserve(n))
	m.Content.Text = strings.Repeat("Vondt i kneet. æøå ", 52)
	m.Content.Actor, m.Content.Relation = "Mor Testperson", "FO"
	m.Attachments = []pg.Attachment{{MIME: "image/png", Description: "kne", Content: []byte("a picture")}, {MIME: "application/pdf", Description: "brev", Content: []byte("a letter")}}
	stored, out := k.take(m)
	require.Equal(t, contract.AppointmentConfirmed, out.Code, out.Rule)
	gone := message(contract.FunctionCancel, line, &pg.Booking{UID: stored.DialogueID, RelatedTo: n.ID})
	gone.Content.Text = "Jeg er frisk."
	_, out = k.take(gone)
	require.Equal(t, contract.AppointmentCancelled, out.Code, out.Rule)

	d, err := k.s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, stored.DialogueID)
	require.NoError(t, err)
	require.Len(t, d.Messages, 2)
	require.Equal(t, []string{m.Content.Text, "Mor Testperson", "FO"}, []string{d.Messages[0].Text, d.Messages[0].Actor, d.Messages[0].Relation})
	require.Equal(t, "Jeg er frisk.", d.Messages[1].Text)
	require.Len(t, d.Messages[0].Attachments, 2)
	for i, f := range d.Messages[0].Attachments {
		got, content, err := k.s.ReadAttachment(t.Context(), demo.GP, demo.ClinicID, stored.DialogueID, f.ID)
		require.NoError(t, err)
		require.Equal(t, m.Attachments[i].Content, whole(t, content))
		require.Equal(t, m.Attachments[i].MIME, got.MIME)
	}
	a, err := k.s.Appointment(t.Context(), demo.GP, demo.ClinicID, stored.DialogueID)
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(m.Content.Text), strings.TrimSpace(a.Comment))
}
