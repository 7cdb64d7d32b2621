package storetest_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/pg"
)

// never requires that a message does not leave any more.
func (k *desk) never(id string) {
	k.Helper()
	p, err := k.s.PrepareAnswer(k.Context(), demo.ClinicID, id, helsenorge, build("never"))
	require.NoError(k, err)
	require.True(k, p.Superseded)
	require.Equal(k, "superseded", k.sql("SELECT outcome FROM ledger WHERE key = 'publication/%s'", id))
}

func TestWhatHasNotLeftIsVoidOnceItIsUntrue(t *testing.T) { // F5, D11
	at := now.Add(72 * time.Hour)
	for name, c := range map[string]pg.Change{
		"moved":     {Kind: pg.ChangeAmend, StartsAt: at.Add(time.Hour)},
		"cancelled": {Kind: pg.ChangeCancel},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			id := k.made(at)
			first := k.publish(id, 1)
			c.AppointmentID = id
			k.must(demo.Desk, c)
			k.never(first.OutboundID) // though the change itself is still in its grace
		})
	}
	t.Run("replaced", func(t *testing.T) {
		k := newDesk(t)
		id := k.made(at)
		first := k.publish(id, 1)
		k.must(demo.Desk, pg.Change{
			Kind: pg.ChangeBook, PatientID: k.patientID, CalendarID: calendarID, TypeID: typeID,
			StartsAt: at.Add(time.Hour), EndsAt: at.Add(2 * time.Hour), Replaces: id,
		})
		k.never(first.OutboundID)
	})
}

func TestWhatIsReplacedIsNotTold(t *testing.T) {
	k := newDesk(t)
	at := now.Add(72 * time.Hour)
	id := k.made(at)
	k.acknowledge(k.publish(id, 1).OutboundID)
	moved := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: at.Add(time.Hour)})
	anew := uuid.NewString()
	k.must(demo.Desk, pg.Change{
		Kind: pg.ChangeBook, AppointmentID: anew, PatientID: k.patientID, CalendarID: calendarID, TypeID: typeID,
		StartsAt: at.Add(3 * time.Hour), EndsAt: at.Add(4 * time.Hour), Replaces: id,
	})
	require.Equal(t, contract.PublishOutput{Rule: "moved"}, k.publish(id, moved.Facts.Revision), "before it is cancelled, too")
	require.Equal(t, "07", k.publish(anew, 1).Code)
}

func TestTheDeadAreToldNothing(t *testing.T) { // D14
	k := newDesk(t)
	id := k.made(now.Add(72 * time.Hour))
	k.acknowledge(k.publish(id, 1).OutboundID)
	dead := pg.PatientStatus{Deceased: true}
	require.NoError(t, k.s.PutPatientStatus(t.Context(), demo.Service, demo.ClinicID, k.patientID, dead))
	cancelled := k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id})
	told := k.publish(id, cancelled.Facts.Revision)
	require.Equal(t, contract.PublishOutput{Purpose: contract.PurposeCancellation, Rule: "deceased"}, told, "no automatic cancellation")
	out := k.decide(id, cancelled.Facts.Revision, told.Purpose, pg.ActivityReading{})
	require.Equal(t, "suppressed deceased", k.line(out.NoticeID), "what was not told has a line that says why")
	require.NoError(t, k.s.PutPatientStatus(t.Context(), demo.Service, demo.ClinicID, k.patientID, pg.PatientStatus{}))
	require.Equal(t, told, k.publish(id, cancelled.Facts.Revision), "an error that is corrected brings nothing old")
	require.Equal(t, out.Owner, k.decide(id, cancelled.Facts.Revision, told.Purpose, pg.ActivityReading{}).Owner)
}

func TestWhatCannotLeaveInTimeNeverLeaves(t *testing.T) { // F17, D11, S88, D14
	for name, c := range map[string]struct {
		meanwhile func(*desk)
		outcome   string
		owner     contract.Owner
		reason    string
	}{
		"the appointment has begun": {func(k *desk) { k.clock = now.Add(72 * time.Hour) }, "expired", contract.OwnerNobody, "expired"},
		"consent is withdrawn": {func(k *desk) {
			require.NoError(k, k.s.PutPatientStatus(k.Context(), demo.Service, demo.ClinicID, k.patientID, pg.PatientStatus{NoConsent: true}))
		}, "suppressed", contract.OwnerClinic, "no-consent"},
		"the patient has died": {func(k *desk) {
			require.NoError(k, k.s.PutPatientStatus(k.Context(), demo.Service, demo.ClinicID, k.patientID, pg.PatientStatus{Deceased: true}))
		}, "suppressed", contract.OwnerNobody, "deceased"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			k.gates(true, true, true)
			k.contacts(email)
			active := pg.ActivityReading{At: now, Self: true}
			require.NoError(t, k.s.RecordActivity(t.Context(), demo.ClinicID, k.patientID, true, false, pg.ActivityCheck, now))
			id := k.made(now.Add(72 * time.Hour))
			first := k.publish(id, 1)
			c.meanwhile(k)
			p, err := k.s.PrepareAnswer(t.Context(), demo.ClinicID, first.OutboundID, helsenorge, build("never"))
			require.NoError(t, err)
			require.True(t, p.Superseded)
			require.Equal(t, c.outcome, k.sql("SELECT outcome FROM ledger WHERE key = 'publication/%s'", first.OutboundID))
			out := k.decide(id, 1, contract.PurposeConfirmation, active)
			require.Equal(t, []any{c.owner, c.reason}, []any{out.Owner, out.Reason})
			require.Empty(t, k.cases())
		})
	}
}

// A message that cannot leave is not waited for without end: the clinic tells the
// patient itself, if it can (F3).
func TestHelsenorgeIsWaitedForAsLongAsTheClinicCanStillTell(t *testing.T) {
	active := pg.ActivityReading{At: now, Self: true}
	for name, c := range map[string]struct {
		gates bool
		after time.Duration
		owner contract.Owner
	}{
		"within the patience":              {true, time.Hour, contract.OwnerPending},
		"past it":                          {true, 2 * time.Hour, contract.OwnerClinic},
		"past it, and nobody else to tell": {false, 2 * time.Hour, contract.OwnerPending},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			k.gates(c.gates, true, true)
			k.contacts(email)
			id := k.made(now.Add(72 * time.Hour))
			first := k.publish(id, 1)
			require.True(t, first.HandOverAt.Equal(now.Add(2*time.Hour)), "%s", first.HandOverAt)
			k.clock = now.Add(c.after)
			require.Equal(t, c.owner, k.decide(id, 1, contract.PurposeConfirmation, active).Owner)
			load, err := k.s.LoadAppointment(t.Context(), contract.LoadAppointmentInput{ClinicID: demo.ClinicID, AppointmentID: id})
			require.NoError(t, err)
			require.Len(t, load.Open, 1)
		})
	}
	t.Run("a gate that closes between two hops", func(t *testing.T) {
		k := newDesk(t)
		k.gates(true, true, true)
		k.contacts(email)
		id := k.made(now.Add(72 * time.Hour))
		k.publish(id, 1)
		k.clock = now.Add(2 * time.Hour)
		out := k.decide(id, 1, contract.PurposeConfirmation, active)
		require.Equal(t, []any{contract.OwnerClinic, "receipt-overdue"}, []any{out.Owner, out.Reason})
		load, err := k.s.LoadAppointment(t.Context(), contract.LoadAppointmentInput{ClinicID: demo.ClinicID, AppointmentID: id})
		require.NoError(t, err)
		require.Equal(t, []contract.PendingNotice{{Purpose: contract.PurposeConfirmation, Revision: 1, At: k.clock, Asked: true}}, load.Notices,
			"a new run starts what may never have been started")
		k.gates(true, false, true)
		hop := k.hop(out.NoticeID)
		require.Equal(t, []any{contract.OutcomeSuppressed, "gate-calendar"}, []any{hop.Outcome, hop.Reason})
	})
	t.Run("near the start", func(t *testing.T) {
		k := newDesk(t)
		k.gates(true, true, true)
		k.contacts(email)
		id := k.made(now.Add(30 * time.Minute))
		first := k.publish(id, 1)
		require.True(t, first.HandOverAt.Equal(now.Add(5*time.Minute)), "%s: Helsenorge has its chance", first.HandOverAt)
		require.Equal(t, contract.OwnerPending, k.decide(id, 1, contract.PurposeConfirmation, active).Owner)
		k.acknowledge(first.OutboundID)
		require.Equal(t, contract.OwnerHelsenorge, k.decide(id, 1, contract.PurposeConfirmation, active).Owner)
	})
	k := newDesk(t)
	id := k.made(now.Add(72 * time.Hour))
	first := k.publish(id, 1)
	load, err := k.s.LoadAppointment(t.Context(), contract.LoadAppointmentInput{ClinicID: demo.ClinicID, AppointmentID: id})
	require.NoError(t, err)
	require.Equal(t, []contract.PendingNotice{{Purpose: contract.PurposeConfirmation, Revision: 1, At: first.HandOverAt, Asked: true}}, load.Notices, "a new run knows, too")
}

// A provider's queue that nobody serves is no reason to leave out the other channels.
func TestAChannelThatNeverHadItsTurnIsPassed(t *testing.T) { // S90
	k := newDesk(t)
	_, id := k.due(email, sms)
	in := contract.NextHopInput{ClinicID: demo.ClinicID, NoticeID: id, Now: k.clock, Tried: []contract.Channel{contract.ChannelEmail}}
	out, err := k.s.NextHop(t.Context(), in, allChannels)
	require.NoError(t, err)
	require.Equal(t, []any{contract.ChannelSMS, "previous-hop-failed"}, []any{out.Channel, out.Reason})
	in.Tried = append(in.Tried, contract.ChannelSMS)
	out, err = k.s.NextHop(t.Context(), in, allChannels)
	require.NoError(t, err)
	require.Equal(t, contract.NextHopOutput{Done: true, Outcome: contract.OutcomeFailed, Reason: "all-failed"}, out)
	require.Equal(t, []contract.CaseKind{contract.CaseNoticeFailed}, k.cases())
}
