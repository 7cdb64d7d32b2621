package e2e_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/domain/prescription"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
)

// TestPrescriptionsOnTheWire: what a citizen asks for by prescription is answered by
// prescription, and Helsenorge finds no fault with it (HITS 1217 §3.1).
func TestPrescriptionsOnTheWire(t *testing.T) {
	w := running(t, stack.Config{})
	names := simulator.Medicines()
	asked, subject := w.act(simulator.Action{Kind: simulator.RenewalByItem, Citizen: 7, By: 8, HPR: demo.GP.HPR, Medicines: names, Delivery: "HE"})
	id := w.dialogue(subject)
	d, err := w.store.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, id)
	require.NoError(t, err)
	require.Len(t, d.Prescriptions, len(names))
	items := make([]pg.ItemDecision, len(names))
	for i, p := range d.Prescriptions {
		require.Equal(t, names[i], p.Name())
		items[i] = pg.ItemDecision{ID: p.ID, Decision: prescription.Renewed}
	}
	require.True(t, d.Prescriptions[2].Reserved, "guardians may not see the last")
	items[1].Decision, items[1].Reason = prescription.Cannot, "Bestill time først."
	status, body, err := w.call(demo.GP, http.MethodPost, "/dialogues/"+id+"/answers", uuid.NewString(), api.AnswerRequest{Text: "Se under.", Items: items})
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, status, body)

	received, err := w.Simulator.Await(t.Context(), asked.MsgID)
	require.NoError(t, err)
	require.Empty(t, received.Problems)
	require.Equal(t, contract.AnswerPartlyRenewed, received.Function)
	require.Equal(t, []string{names[0], names[2]}, received.Medicines)
	require.Contains(t, received.Text, "Bestill time først.")
	require.NotContains(t, received.Text, names[2])
	requireSchemaValid(t, received.XML)
	m, problems := helsenorge.Read(received.XML)
	require.Empty(t, problems)
	require.True(t, m.Prescriptions[1].Reserved)
	require.NotNil(t, m.Head.Sender.Person, "the GP's own party answers")
	require.Equal(t, codes.Fastlege, m.Dialog.Note.Roles[0].RoleToPatient.V)
	w.eventually("the answer is acknowledged", func() error {
		d, err := w.store.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, id)
		if err == nil && d.Status != contract.StatusAnswered {
			err = fmt.Errorf("%s", d.Status)
		}
		return err
	})
}

// TestWhoCanBeReachedIsTold: a status is receipted, kept with a patient whom the clinic
// knows, and nobody is asked to do anything about it (HITS 1217 §3.9).
func TestWhoCanBeReachedIsTold(t *testing.T) {
	w := running(t, stack.Config{})
	who := simulator.Citizen(8)
	patient := pg.Patient{GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, IDType: codes.Fodselsnummer}
	id, err := w.store.PutPatient(t.Context(), demo.Service, demo.ClinicID, patient, demo.GPID, false)
	require.NoError(t, err)
	for _, active := range []bool{false, true} {
		for _, citizen := range []int{8, 9} { // the clinic does not know the other
			require.NoError(t, w.Simulator.SetActivity(t.Context(), simulator.Activity{Citizen: citizen, Self: active, To: demo.GPHerID}))
		}
		w.eventually("the status is kept", func() error {
			s, err := w.store.PatientStatus(t.Context(), demo.GP, demo.ClinicID, id)
			if err == nil && (s.Helsenorge == nil || s.Helsenorge.Active != active) {
				err = fmt.Errorf("%+v", s.Helsenorge)
			}
			return err
		})
	}
	w.eventually("each is receipted", func() error {
		book, err := w.Simulator.Book(t.Context())
		if err == nil && len(book.Receipts) != 4 {
			err = fmt.Errorf("%d receipts", len(book.Receipts))
		}
		if err != nil {
			return err
		}
		for _, r := range book.Receipts {
			require.True(t, r.OK)
		}
		require.Empty(t, book.Received, "and nothing else comes of it")
		return nil
	})
	_, subject := w.act(simulator.Action{Kind: simulator.EContact, Citizen: 8})
	w.dialogue(subject)
	inbox, err := w.store.Inbox(t.Context(), demo.Admin, demo.ClinicID, pg.DialogueQuery{Limit: 10})
	require.NoError(t, err)
	require.Len(t, inbox.Items, 1)
	_, err = w.store.PatientByNationalID(t.Context(), demo.Desk, demo.ClinicID, simulator.Citizen(9).NationalID)
	require.Error(t, err, "nobody becomes a patient by it")
}
