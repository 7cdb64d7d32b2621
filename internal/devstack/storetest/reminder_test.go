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

// otherType is a shown type that differs from typeID in nothing that anybody is told.
func (k *desk) otherType() string {
	k.Helper()
	id := uuid.NewString()
	require.NoError(k, k.s.PutAppointmentTypes(k.Context(), demo.Service, demo.ClinicID, []pg.AppointmentType{{ID: id, Name: "Kontroll", Summary: "Time hos fastlege", Notify: true}}))
	return id
}

func (k *desk) planned(id string, revision int) contract.PlanReminderOutput {
	k.Helper()
	out, err := k.s.PlanReminder(k.Context(), contract.PlanReminderInput{ClinicID: demo.ClinicID, AppointmentID: id, Revision: revision, Now: k.clock})
	require.NoError(k, err)
	return out
}

func TestChangeThatTellsNothingKeepsTheReminder(t *testing.T) { // S87, F6
	for name, change := range map[string]func(k *desk, id string, at time.Time) int{
		"moved and moved back": func(k *desk, id string, at time.Time) int {
			k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: at.Add(time.Hour)})
			return k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: at}).Facts.Revision
		},
		"another type that nobody sees": func(k *desk, id string, _ time.Time) int {
			return k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, TypeID: k.otherType()}).Facts.Revision
		},
		"cancelled and put back": func(k *desk, id string, _ time.Time) int {
			k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id})
			return k.must(demo.Desk, pg.Change{Kind: pg.ChangeRestore, AppointmentID: id}).Facts.Revision
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			at := now.Add(72 * time.Hour)
			id := k.made(at)
			k.acknowledge(k.publish(id, 1).OutboundID)
			k.clock = at.Add(-45 * time.Hour)
			revision := change(k, id, at)
			out := k.planned(id, revision)
			require.Equal(t, contract.PublishOutput{Rule: "no-change"}, k.publish(id, revision), "nobody hears of it")
			require.False(t, out.Skip, "so the confirmation of days ago is no reminder: %s", out.Rule)
		})
	}
}

func TestCancelledAndMadeAnewAtTheSameTimeIsReminded(t *testing.T) { // S87
	k := newDesk(t)
	at := now.Add(72 * time.Hour)
	id := k.made(at)
	k.acknowledge(k.publish(id, 1).OutboundID)
	k.clock = at.Add(-45 * time.Hour)
	k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: id})
	anew := k.made(at)
	out := k.planned(anew, 1)
	require.Equal(t, contract.PublishOutput{Rule: "no-change"}, k.publish(anew, 1))
	require.False(t, out.Skip, out.Rule)
}

func TestWhoWasRemindedOfTheSameStartIsNotRemindedAgain(t *testing.T) { // S87, F5
	k := newDesk(t)
	k.gates(true, true, true)
	k.contacts(email)
	k.inactive()
	at := now.Add(79 * time.Hour) // 15:00 UTC: a morning is left in the window after the reminder
	id := k.made(at)
	k.publish(id, 1)
	confirmed := k.decide(id, 1, contract.PurposeConfirmation, pg.ActivityReading{})
	k.settle(confirmed.NoticeID, k.claim(confirmed.NoticeID, contract.ChannelEmail), contract.ChannelEmail, pg.Sent{State: contract.AttemptAccepted})
	k.clock = at.Add(-47 * time.Hour)
	k.planned(id, 1)
	out := k.decide(id, 1, contract.PurposeReminder, pg.ActivityReading{})
	require.Equal(t, contract.OwnerClinic, out.Owner)
	c := k.claim(out.NoticeID, contract.ChannelEmail)
	k.settle(out.NoticeID, c, contract.ChannelEmail, pg.Sent{State: contract.AttemptAccepted})

	k.clock = k.clock.Add(time.Hour)
	amended := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, TypeID: k.otherType()}).Facts.Revision
	require.Equal(t, contract.PlanReminderOutput{Skip: true, Rule: "reminded-before"}, k.planned(id, amended))
	require.Empty(t, k.publish(id, amended).Purpose)

	moved := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: at.Add(72 * time.Hour)}).Facts.Revision
	require.False(t, k.planned(id, moved).Skip, "of another start he is reminded")
}
