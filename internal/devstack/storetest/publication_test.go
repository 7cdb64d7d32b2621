package storetest_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
)

func (k *desk) publish(id string, revision int) contract.PublishOutput {
	k.Helper()
	in := contract.PublishInput{ClinicID: demo.ClinicID, AppointmentID: id, Revision: revision, Now: k.clock}
	out, err := k.s.Publish(k.Context(), in, helsenorge)
	require.NoError(k, err)
	again, err := k.s.Publish(k.Context(), in, helsenorge)
	require.NoError(k, err)
	require.Equal(k, out, again, "decided once")
	return out
}

// send prepares and sends a message, and returns what it was built from.
func (k *desk) send(id string) pg.Job {
	k.Helper()
	var job pg.Job
	p, err := k.s.PrepareAnswer(k.Context(), demo.ClinicID, id, helsenorge, capture(&job))
	require.NoError(k, err)
	require.False(k, p.Superseded)
	_, _, err = k.s.MarkSent(k.Context(), id, time.Hour)
	require.NoError(k, err)
	return job
}

// receipt is what Helsenorge says of a message that was prepared.
func (k *desk) receipt(id string, outcome contract.Outcome, errorCodes ...string) *pg.SettledDelivery {
	k.Helper()
	a := pg.Arrival{
		TransportID: uuid.NewString(), Subject: "APPREC", FromHerID: helsenorge, ToHerID: demo.GPHerID, Raw: []byte(uuid.NewString()), Verdict: pg.Settled,
		Settles: &pg.Settlement{OriginalMsgID: k.sql("SELECT msg_id FROM outbound_message WHERE id = '%s'", id), Outcome: outcome, Codes: errorCodes},
	}
	stored, err := k.s.StoreArrival(k.Context(), a)
	require.NoError(k, err)
	return stored.Settled
}

func (k *desk) acknowledge(id string) pg.Job {
	k.Helper()
	job := k.send(id)
	require.Equal(k, contract.OutcomeAcknowledged, k.receipt(id, contract.OutcomeAcknowledged).Outcome)
	return job
}

func TestEachRealChangeIsToldOnce(t *testing.T) { // S77, S79; HITS 1217 §3.4.1
	k := newDesk(t)
	at := now.Add(72 * time.Hour)
	id := k.made(at)
	first := k.publish(id, 1)
	require.Equal(t, []any{"05", contract.PurposeConfirmation, "new"}, []any{first.Code, first.Purpose, first.Rule})
	job := k.acknowledge(first.OutboundID)
	require.Empty(t, job.Original)
	require.Equal(t, []any{demo.GPHerID, helsenorge, codes.Timereservasjon}, []any{job.FromHerID, job.ToHerID, job.ProcessCode})
	require.Equal(t, []any{id, "", line.NationalID, "Frida Fastlege", "Time hos fastlege"},
		[]any{job.Appointment.UID, job.Appointment.RelatedTo, job.Appointment.Patient.NationalID, job.Appointment.Practitioner.Name, job.Appointment.Summary})
	a, err := k.s.Appointment(t.Context(), demo.Desk, demo.ClinicID, id)
	require.NoError(t, err)
	require.Equal(t, []any{"05", contract.OutcomeAcknowledged}, []any{a.Published.Code, a.Published.Outcome})

	// Moved and moved back: nothing has changed.
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: at.Add(time.Hour)})
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: at})
	require.Equal(t, contract.PublishOutput{Rule: "superseded"}, k.publish(id, 2), "overtaken")
	require.Equal(t, contract.PublishOutput{Rule: "no-change"}, k.publish(id, 3))

	place := "Rom 3"
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, Place: &place})
	changed := k.publish(id, 4)
	require.Equal(t, []any{"07", contract.PurposeChange}, []any{changed.Code, changed.Purpose})

	// It has not left when the appointment is cancelled: it never does (D11).
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id})
	cancelled := k.publish(id, 5)
	require.Equal(t, []any{"08", contract.PurposeCancellation}, []any{cancelled.Code, cancelled.Purpose})
	p, err := k.s.PrepareAnswer(t.Context(), demo.ClinicID, changed.OutboundID, helsenorge, build("never"))
	require.NoError(t, err)
	require.True(t, p.Superseded)
	require.Equal(t, "superseded", k.sql("SELECT outcome FROM ledger WHERE key = 'publication/%s'", changed.OutboundID))
	job = k.acknowledge(cancelled.OutboundID)
	require.True(t, job.Appointment.Cancelled)
	require.Equal(t, id, job.Appointment.UID)

	k.must(demo.Desk, pg.Change{Kind: pg.ChangeRestore, AppointmentID: id})
	restored := k.publish(id, 6)
	require.Equal(t, []any{"05", "restored"}, []any{restored.Code, restored.Rule})
	k.acknowledge(restored.OutboundID)
	k.clock = at.Add(time.Hour)
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeMissed, AppointmentID: id})
	missed := k.publish(id, 7)
	require.Equal(t, []any{"11", contract.Purpose("")}, []any{missed.Code, missed.Purpose}, "told whatever the channel, no news to the patient")
}

func TestNothingIsToldAfterAConfirmedReservation(t *testing.T) {
	k := newDesk(t)
	id := k.booked(now.Add(72 * time.Hour))
	require.Equal(t, contract.PublishOutput{Rule: "no-change"}, k.publish(id, 1))
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: now.Add(96 * time.Hour)})
	moved := k.publish(id, 2)
	require.Equal(t, "07", moved.Code)
	job := k.send(moved.OutboundID)
	require.NotEmpty(t, job.Appointment.RelatedTo, "the slot that was ordered")
}

func TestWhoIsNotOnHelsenorgeIsNotToldThere(t *testing.T) { // S88
	for name, c := range map[string]struct {
		prepare func(*desk)
		rule    string
	}{
		"not active": {func(k *desk) {
			require.NoError(k, k.s.RecordActivity(k.Context(), demo.ClinicID, k.patientID, false, false, pg.ActivityCheck, now))
		}, "not-active"},
		"no consent": {func(k *desk) {
			require.NoError(k, k.s.PutPatientStatus(k.Context(), demo.Service, demo.ClinicID, k.patientID, pg.PatientStatus{NoConsent: true}))
		}, "not-active"},
		"not offered": {func(k *desk) {
			require.NoError(k, k.s.PutClinic(k.Context(), demo.Service, offering(codes.EKontakt)))
		}, "not-offered"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			c.prepare(k)
			id := k.made(now.Add(72 * time.Hour))
			require.Equal(t, contract.PublishOutput{Purpose: contract.PurposeConfirmation, Rule: c.rule}, k.publish(id, 1))
		})
	}
}

func TestAvtaleutsendingWhereBookingIsNotOffered(t *testing.T) {
	k := newDesk(t)
	require.NoError(t, k.s.PutClinic(t.Context(), demo.Service, offering(codes.Avtaleutsending)))
	out := k.publish(k.made(now.Add(72*time.Hour)), 1)
	require.Equal(t, codes.Avtaleutsending, k.send(out.OutboundID).ProcessCode)
}

// A refusal with E35 is the end of telling him there, and no failure.
func TestE35MarksThePatientInactive(t *testing.T) {
	k := newDesk(t)
	id := k.made(now.Add(72 * time.Hour))
	out := k.publish(id, 1)
	k.send(out.OutboundID)
	settled := k.receipt(out.OutboundID, contract.OutcomeRejected, "E35")
	require.Equal(t, []any{contract.ProcessAppointment, id, contract.OutcomeRejected}, []any{settled.Process, settled.DialogueID, settled.Outcome})
	require.Equal(t, "f|f|refused", k.sql("SELECT active_self, active_other, active_by FROM patient WHERE id = '%s'", k.patientID))
	require.Empty(t, k.cases())
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: now.Add(96 * time.Hour)})
	require.Equal(t, contract.PublishOutput{Purpose: contract.PurposeConfirmation, Rule: "not-active"}, k.publish(id, 2), "he has not heard of it yet")
	// A message of his own shows that he is back.
	k.take(message(contract.FunctionCancel, line, &pg.Booking{UID: id}))
	require.Equal(t, "t", k.sql("SELECT active_self FROM patient WHERE id = '%s'", k.patientID))
}

// A move done as cancel and new is one change, whichever comes first, and whether or not
// the clinic says so.
func TestCancelAndNewIsOneChange(t *testing.T) {
	at := now.Add(72 * time.Hour)
	for name, move := range map[string]func(k *desk, old string) string{
		"cancel first": func(k *desk, old string) string {
			k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: old})
			k.clock = now.Add(3 * time.Minute)
			return k.made(at.Add(time.Hour))
		},
		"new first": func(k *desk, old string) string {
			id := k.made(at.Add(time.Hour))
			k.clock = now.Add(3 * time.Minute)
			k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: old})
			return id
		},
		"named": func(k *desk, old string) string {
			id := uuid.NewString()
			k.must(demo.Desk, pg.Change{Kind: pg.ChangeBook, AppointmentID: id, PatientID: k.patientID, CalendarID: calendarID, TypeID: typeID,
				StartsAt: at.Add(time.Hour), EndsAt: at.Add(2 * time.Hour), Replaces: old})
			k.clock = now.Add(time.Hour)
			k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: old})
			return id
		},
	} {
		for _, oldTells := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				k := newDesk(t)
				old := k.made(at)
				k.acknowledge(k.publish(old, 1).OutboundID)
				id := move(k, old)
				var told contract.PublishOutput
				if oldTells {
					require.Equal(t, contract.PublishOutput{Rule: "moved"}, k.publish(old, 2))
					told = k.publish(id, 1)
				} else {
					told = k.publish(id, 1)
					require.Equal(t, contract.PublishOutput{Rule: "moved"}, k.publish(old, 2))
				}
				require.Equal(t, []any{"07", contract.PurposeChange}, []any{told.Code, told.Purpose})
				job := k.acknowledge(told.OutboundID)
				require.Equal(t, []string{id, old}, []string{job.Appointment.UID, job.Appointment.RelatedTo})
				require.Equal(t, "2", k.sql("SELECT count(*) FROM outbound_message WHERE kind = 'appointment'"))

				// The citizen may name the old one; the clinic books it anew, not back.
				_, err := k.change(demo.Desk, pg.Change{Kind: pg.ChangeRestore, AppointmentID: old})
				conflict(t, err, "cancelled")
				stored, out := k.take(message(contract.FunctionCancel, line, &pg.Booking{UID: old}))
				require.Equal(t, []string{id, "08"}, []string{stored.DialogueID, out.Code})
			})
		}
	}
}

// Helsenorge knows the old one only: that is what it is told is cancelled.
func TestMovedAndCancelledBeforeTold(t *testing.T) {
	k := newDesk(t)
	old := k.made(now.Add(72 * time.Hour))
	k.acknowledge(k.publish(old, 1).OutboundID)
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: old})
	id := k.made(now.Add(80 * time.Hour))
	require.Equal(t, "moved", k.publish(old, 2).Rule)
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id})
	out := k.publish(id, 2)
	require.Equal(t, "08", out.Code)
	require.Equal(t, old, k.send(out.OutboundID).Appointment.UID)
}

// Cancelled and made long after: two changes.
func TestCancelAndNewFarApartAreTwo(t *testing.T) {
	k := newDesk(t)
	old := k.made(now.Add(72 * time.Hour))
	k.acknowledge(k.publish(old, 1).OutboundID)
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: old})
	k.clock = now.Add(6 * time.Minute)
	id := k.made(now.Add(80 * time.Hour))
	require.Equal(t, "08", k.publish(old, 2).Code)
	require.Equal(t, "05", k.publish(id, 1).Code)
}

// A message that was superseded while it left has left: its receipt counts.
func TestSupersededWhileItLeft(t *testing.T) {
	k := newDesk(t)
	id := k.made(now.Add(72 * time.Hour))
	first := k.publish(id, 1)
	_, err := k.s.PrepareAnswer(t.Context(), demo.ClinicID, first.OutboundID, helsenorge, build("x"))
	require.NoError(t, err)
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id})
	require.Equal(t, "08", k.publish(id, 2).Code, "it may have been seen")
	_, _, err = k.s.MarkSent(t.Context(), first.OutboundID, time.Hour)
	require.NoError(t, err)
	require.Empty(t, k.sql("SELECT coalesce(outcome, '') FROM ledger WHERE key = 'publication/%s'", first.OutboundID))
	k.receipt(first.OutboundID, contract.OutcomeAcknowledged)
	require.Equal(t, "acknowledged", k.sql("SELECT outcome FROM ledger WHERE key = 'publication/%s'", first.OutboundID))
}

func TestUnsentAndCancelledIsToldToNobody(t *testing.T) {
	k := newDesk(t)
	id := k.made(now.Add(72 * time.Hour))
	k.publish(id, 1)
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id})
	require.Equal(t, contract.PublishOutput{Rule: "never-published"}, k.publish(id, 2))
}
