package e2e_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
)

// TestCitizensAreAnsweredAtOnce: free slots, practitioners and the communication test
// come and go over the real queues and the real store, without a receipt, without a
// workflow, and within the five seconds that the clinic gives itself.
func TestCitizensAreAnsweredAtOnce(t *testing.T) { overBoth(t, citizensAreAnsweredAtOnce) }

func citizensAreAnsweredAtOnce(t *testing.T, w *world) {
	ask := func(kind simulator.QuestionKind) simulator.Answer {
		t.Helper()
		a, err := w.Simulator.Ask(t.Context(), simulator.Question{Kind: kind, To: demo.GPHerID, Citizen: 7})
		require.NoError(t, err)
		require.Empty(t, a.Problems)
		require.Less(t, a.Took, 5*time.Second)
		return a
	}
	require.Equal(t, codes.TestAnswer, ask(simulator.CommunicationTest).Code)
	require.Equal(t, codes.RequestRefused, ask(simulator.Planned).Code)
	stranger := ask(simulator.FreeSlots)
	require.Equal(t, codes.RequestRefused, stranger.Code)
	require.NotEmpty(t, stranger.Text)

	citizen := simulator.Citizen(7)
	_, err := w.store.PutPatient(t.Context(), demo.Service, demo.ClinicID, pg.Patient{
		GivenName: citizen.GivenName, FamilyName: citizen.FamilyName, NationalID: citizen.NationalID, IDType: codes.Fodselsnummer,
	}, demo.GPID, false)
	require.NoError(t, err)
	calendar, kind, slot := uuid.NewString(), uuid.NewString(), uuid.NewString()
	require.NoError(t, w.store.PutSettings(t.Context(), demo.Admin, demo.ClinicID, pg.Settings{OnlineBooking: true}))
	require.NoError(t, w.store.PutCalendars(t.Context(), demo.Service, demo.ClinicID, []pg.Calendar{{ID: calendar, OwnerID: demo.GPID, Name: "Frida"}}))
	require.NoError(t, w.store.PutAppointmentTypes(t.Context(), demo.Service, demo.ClinicID, []pg.AppointmentType{{ID: kind, Name: "Vanlig", Summary: "Time hos lege"}}))
	require.Equal(t, codes.NoSlots, ask(simulator.FreeSlots).Code)

	start := time.Now().UTC().AddDate(0, 0, 3).Truncate(time.Hour)
	require.NoError(t, w.store.PutSlots(t.Context(), demo.Service, demo.ClinicID, []pg.Slot{
		{ID: slot, CalendarID: calendar, TypeID: kind, StartsAt: start, EndsAt: start.Add(20 * time.Minute), Online: true, Place: "Storgata 1"},
		{ID: uuid.NewString(), CalendarID: calendar, TypeID: kind, StartsAt: start.Add(time.Hour), EndsAt: start.Add(80 * time.Minute)},
	}))
	free := ask(simulator.FreeSlots)
	require.Equal(t, codes.SlotsFound, free.Code)
	require.Equal(t, []simulator.Slot{{
		UID: slot, StartsAt: start, EndsAt: start.Add(20 * time.Minute), Contact: demo.GPHerID, Summary: "Time hos lege", Place: "Storgata 1",
	}}, free.Slots, "what is not marked online never leaks")
	who := ask(simulator.Practitioners)
	require.Equal(t, []simulator.Practitioner{{Name: "Frida Fastlege", HPR: demo.GP.HPR}}, who.Practitioners)

	book, err := w.Simulator.Book(t.Context())
	require.NoError(t, err)
	require.Empty(t, book.Received, "nothing comes by the other queues")
	require.Empty(t, book.Receipts)
	require.Empty(t, book.Reports)
}
