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
	p, err := k.s.PrepareAnswer(k.Context(), demo.ClinicID, id, build("never"))
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
	require.Equal(t, contract.PublishOutput{Rule: "deceased"}, k.publish(id, cancelled.Facts.Revision), "no automatic cancellation")
	require.NoError(t, k.s.PutPatientStatus(t.Context(), demo.Service, demo.ClinicID, k.patientID, pg.PatientStatus{}))
	require.Equal(t, contract.PublishOutput{Rule: "deceased"}, k.publish(id, cancelled.Facts.Revision), "an error that is corrected brings nothing old")
}
