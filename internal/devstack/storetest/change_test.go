package storetest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// change drafts a change and applies it.
func (k *desk) change(by identity.Principal, c pg.Change) (contract.ApplyChangeOutput, error) {
	k.Helper()
	if c.ID == "" {
		c.ID = uuid.NewString()
	}
	d, err := k.s.DraftChange(k.Context(), by, demo.ClinicID, c)
	if err != nil {
		return contract.ApplyChangeOutput{}, err
	}
	return k.s.ApplyChange(k.Context(), contract.ApplyChangeInput{ClinicID: demo.ClinicID, AppointmentID: d.AppointmentID, CommandID: c.ID})
}

func (k *desk) must(by identity.Principal, c pg.Change) contract.ApplyChangeOutput {
	k.Helper()
	out, err := k.change(by, c)
	require.NoError(k, err)
	return out
}

// made is an appointment that the clinic makes.
func (k *desk) made(startsAt time.Time) string {
	k.Helper()
	id := uuid.NewString()
	k.must(demo.Desk, pg.Change{
		Kind: pg.ChangeBook, AppointmentID: id, PatientID: k.patientID, CalendarID: calendarID, TypeID: typeID, StartsAt: startsAt, EndsAt: startsAt.Add(20 * time.Minute),
	})
	return id
}

// conflict requires a refusal that names the state, and returns what it says.
func conflict(t *testing.T, err error, state string) string {
	t.Helper()
	var e *apperr.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, []any{apperr.Conflict, state}, []any{e.Kind, e.State}, e.Message)
	return e.Message
}

func TestClinicMakesMovesAndCancels(t *testing.T) { // S76, S79
	k := newDesk(t)
	at := now.Add(72 * time.Hour)
	id := uuid.NewString()
	c := pg.Change{ID: uuid.NewString(), Kind: pg.ChangeBook, AppointmentID: id, PatientID: k.patientID, CalendarID: calendarID, TypeID: typeID, StartsAt: at, EndsAt: at.Add(20 * time.Minute)}
	drafted, err := k.s.DraftChange(t.Context(), demo.Desk, demo.ClinicID, c)
	require.NoError(t, err)
	require.Equal(t, pg.DraftedChange{AppointmentID: id, New: true, Attempt: 1}, drafted)
	in := contract.ApplyChangeInput{ClinicID: demo.ClinicID, AppointmentID: id, CommandID: c.ID}
	out, err := k.s.ApplyChange(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, contract.AppointmentFacts{Status: contract.StatusBooked, Revision: 1, StartsAt: at, EndsAt: at.Add(20 * time.Minute), TellAt: now.Add(5 * time.Minute)}, out.Facts)

	// Again: drafted or applied, it is the same change; other content is another.
	again, err := k.s.ApplyChange(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, out, again)
	drafted, err = k.s.DraftChange(t.Context(), demo.Desk, demo.ClinicID, c)
	require.NoError(t, err)
	require.Equal(t, pg.DraftedChange{AppointmentID: id, Applied: true, Attempt: 2, Accepted: contract.ChangeAccepted{CommandID: c.ID, Revision: 1, Status: contract.StatusBooked}}, drafted)
	c.Place = new(string)
	_, err = k.s.DraftChange(t.Context(), demo.Desk, demo.ClinicID, c)
	require.True(t, apperr.Is(err, apperr.Duplicate), "%v", err)

	// Moves within the grace are told together, the first of them after three graces at most.
	for i, minutes := range []int{4, 8, 12, 14} {
		k.clock = now.Add(time.Duration(minutes) * time.Minute)
		moved := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: at.Add(time.Duration(i+1) * time.Hour)})
		require.Equal(t, i+2, moved.Facts.Revision)
		require.Equal(t, 20*time.Minute, moved.Facts.EndsAt.Sub(moved.Facts.StartsAt), "a move keeps the length")
		require.Equal(t, now.Add(time.Duration(min(minutes+5, 15))*time.Minute), moved.Facts.TellAt)
	}
	nothing := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: at.Add(4 * time.Hour)})
	require.Equal(t, 5, nothing.Facts.Revision, "what changes nothing is no revision")

	_, err = k.change(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id, Revision: 4})
	conflict(t, err, "booked")
	cancelled := k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id, Revision: 5})
	require.Equal(t, contract.StatusCancelled, cancelled.Facts.Status)
	_, err = k.change(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id})
	conflict(t, err, "cancelled")
	_, err = k.change(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: at})
	conflict(t, err, "cancelled")

	// Its time may be taken meanwhile; then it cannot be put back.
	other := k.made(at.Add(4 * time.Hour))
	_, err = k.change(demo.Desk, pg.Change{Kind: pg.ChangeRestore, AppointmentID: id})
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: other})
	require.Equal(t, contract.StatusBooked, k.must(demo.Desk, pg.Change{Kind: pg.ChangeRestore, AppointmentID: id}).Facts.Status)

	_, err = k.change(demo.Desk, pg.Change{Kind: pg.ChangeMissed, AppointmentID: id})
	conflict(t, err, "booked")
	k.clock = at.Add(5 * time.Hour)
	require.Equal(t, contract.StatusMissed, k.must(demo.Desk, pg.Change{Kind: pg.ChangeMissed, AppointmentID: id}).Facts.Status)
	require.Equal(t, "8", k.sql("SELECT count(*) FROM appointment_revision WHERE appointment_id = '%s'", id))
}

func TestCalendarRefusesAndKeepsNothing(t *testing.T) { // F11
	k := newDesk(t)
	at := now.Add(72 * time.Hour)
	k.made(at)
	c := pg.Change{ID: uuid.NewString(), Kind: pg.ChangeBook, PatientID: k.patientID, CalendarID: calendarID, TypeID: typeID, StartsAt: at.Add(10 * time.Minute), EndsAt: at.Add(time.Hour)}
	d, err := k.s.DraftChange(t.Context(), demo.Desk, demo.ClinicID, c)
	require.NoError(t, err)
	_, err = k.s.ApplyChange(t.Context(), contract.ApplyChangeInput{ClinicID: demo.ClinicID, AppointmentID: d.AppointmentID, CommandID: c.ID})
	require.ErrorContains(t, err, "the calendar is taken then")
	require.NoError(t, k.s.DropChange(t.Context(), demo.ClinicID, c.ID, d.Attempt+1), "a later draft is not dropped")
	require.Equal(t, "1", k.sql("SELECT count(*) FROM appointment_command WHERE id = '%s'", c.ID))
	require.NoError(t, k.s.DropChange(t.Context(), demo.ClinicID, c.ID, d.Attempt))
	require.NoError(t, k.s.DropChange(t.Context(), demo.ClinicID, c.ID, d.Attempt))
	require.Equal(t, "1", k.sql("SELECT count(*) FROM appointment"))
	require.Equal(t, "1", k.sql("SELECT count(*) FROM dialogue"))
	_, err = k.s.ApplyChange(t.Context(), contract.ApplyChangeInput{ClinicID: demo.ClinicID, AppointmentID: d.AppointmentID, CommandID: c.ID})
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
}

func TestPortalBooksAFreeSlotForWhoItIs(t *testing.T) { // S93, S81
	k := newDesk(t)
	n := k.offer(now.Add(72 * time.Hour))
	c := pg.Change{Kind: pg.ChangeBook, PatientID: k.patientID, SlotID: n.ID, Source: "app", ViewerID: k.patientID, Comment: "Kneet"}
	out := k.must(portal, c)
	require.Equal(t, contract.StatusBooked, out.Facts.Status)
	require.NotZero(t, out.Facts.TellAt, "Helsenorge is told: it was not booked there")
	_, err := k.change(portal, c)
	conflict(t, err, "taken")

	stranger, err := k.s.PutPatient(t.Context(), demo.Service, demo.ClinicID, mother, demo.GPID, false)
	require.NoError(t, err)
	c.ViewerID, c.SlotID = stranger, k.offer(now.Add(80*time.Hour)).ID
	_, err = k.change(portal, c)
	require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)

	c.ViewerID, c.SlotID = k.patientID, k.offer(now.Add(81*time.Hour), func(n *pg.Slot) { n.Online = false }).ID
	_, err = k.change(portal, c)
	conflict(t, err, "not-online")

	id := k.sql("SELECT id FROM appointment WHERE status = 'booked'")
	_, err = k.change(portal, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, Source: "app", ViewerID: k.patientID})
	require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)
	require.Equal(t, contract.StatusCancelled, k.must(portal, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id, Source: "app", ViewerID: k.patientID}).Facts.Status)
}

func TestHidingWhatWasSeenAsksFirst(t *testing.T) { // S82, D10
	k := newDesk(t)
	unseen := k.made(now.Add(50 * time.Hour))
	out := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: unseen, TypeID: hiddenID})
	require.False(t, out.CaseOpened)
	require.Equal(t, "hidden", k.publish(unseen, out.Facts.Revision).Rule)

	id := k.made(now.Add(72 * time.Hour))
	k.acknowledge(k.publish(id, 1).OutboundID)
	_, err := k.change(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, TypeID: hiddenID})
	said := conflict(t, err, "booked")
	require.Contains(t, said, "05 shown on Helsenorge since 2026-11-02T08:00:00Z")
	require.Contains(t, said, "repeat with acknowledged")
	require.Equal(t, typeID, k.sql("SELECT type_id FROM appointment WHERE id = '%s'", id), "nothing has changed")

	out = k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, TypeID: hiddenID, Acknowledged: true})
	require.True(t, out.CaseOpened)
	require.Equal(t, []contract.CaseKind{contract.CaseHiddenAfterPublication}, k.cases())
	require.Equal(t, contract.PublishOutput{Rule: "hidden"}, k.publish(id, out.Facts.Revision), "never a cancellation")
	_, answer := k.take(message(contract.FunctionCancel, line, &pg.Booking{UID: id}))
	require.Equal(t, []any{"09", "hidden"}, []any{answer.Code, answer.Rule})

	cancelled := k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id})
	require.Equal(t, contract.PublishOutput{Rule: "hidden"}, k.publish(id, cancelled.Facts.Revision))
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeRestore, AppointmentID: id})
	shown := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, TypeID: typeID})
	again := k.publish(id, shown.Facts.Revision)
	require.Equal(t, []any{"07", contract.PurposeChange}, []any{again.Code, again.Purpose}, "one change, no storm")
}

func TestChangesAreChecked(t *testing.T) {
	k := newDesk(t)
	id := k.made(now.Add(72 * time.Hour))
	for name, c := range map[string]pg.Change{
		"kind":          {Kind: "burn", AppointmentID: id},
		"patientId":     {Kind: pg.ChangeBook, SlotID: uuid.NewString()},
		"slotId":        {Kind: pg.ChangeBook, PatientID: k.patientID, CalendarID: calendarID},
		"code":          {Kind: pg.ChangeAnswer, AppointmentID: id, Code: "19"},
		"endsAt":        {Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: now, EndsAt: now},
		"appointmentId": {Kind: pg.ChangeCancel, AppointmentID: "x"},
		"source":        {Kind: pg.ChangeCancel, AppointmentID: id, Source: "app"},
	} {
		_, err := k.change(demo.Desk, c)
		require.Contains(t, strings.Join(paths(t, err), " "), name)
	}
	_, err := k.change(otherService, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, CalendarID: uuid.NewString()})
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
}
