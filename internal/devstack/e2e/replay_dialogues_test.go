package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	starter "github.com/helsebro/helsebro/starter/client"
)

// does has the clinic do something over HTTP, and reads what came of it.
func (w *world) does(who identity.Principal, path string, body, out any) {
	w.Helper()
	status, answer, err := w.call(who, http.MethodPost, path, uuid.NewString(), body)
	require.NoError(w, err)
	require.Lessf(w, status, 300, "%s: %s", path, answer)
	require.NoError(w, json.Unmarshal([]byte(answer), out))
}

// changes has staff change a dialogue or a renewal request.
func (w *world) changes(dialogueID string, change api.DialogueChangeRequest) starter.DialogueChanged {
	w.Helper()
	var out starter.DialogueChanged
	w.does(demo.GP, "/dialogues/"+dialogueID+"/changes", change, &out)
	return out
}

// stands waits until the state of a lifecycle is as it should be.
func stands[S any](w *world, c client.Client, id, what string, right func(S) bool) {
	w.Helper()
	w.eventually(id+" "+what, func() error {
		v, err := c.QueryWorkflow(w.Context(), id, "", contract.QueryState)
		if err != nil {
			return err
		}
		var s S
		if err := v.Get(&s); err != nil {
			return err
		}
		if !right(s) {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

// is is a state of a dialogue without anything under way.
func is(want contract.Status) func(contract.DialogueState) bool {
	return func(s contract.DialogueState) bool { return s.Status == want && len(s.Open) == 0 }
}

// renewDialogueAfter is more events than a dialogue has that is converted and answered.
const renewDialogueAfter = 150

// TestRecordDialogueHistories is TestRecordHistories for what staff do with dialogues,
// for the answer clock, and for integrations.
func TestRecordDialogueHistories(t *testing.T) {
	w := running(t, stack.Config{CodecKeys: replayKey(t), SuggestContinueAsNewAfter: renewDialogueAfter})
	c, err := w.Client()
	require.NoError(t, err)
	defer c.Close()
	keep := func(process, name, id string) { w.keep(c, process, name, id, "") }

	// An e-contact that becomes an e-consultation while its answer is owed, and is answered
	// as one.
	const who = 2
	citizen := simulator.Citizen(who)
	patient, err := w.store.PutPatient(t.Context(), demo.Service, demo.ClinicID, pg.Patient{
		GivenName: citizen.GivenName, FamilyName: citizen.FamilyName, NationalID: citizen.NationalID, IDType: "FNR", Phone: citizen.Phone,
	}, demo.GPID, false)
	require.NoError(t, err)
	_, subject := w.act(simulator.Action{Kind: simulator.EContact, Citizen: who})
	dialogueID := w.dialogue(subject)
	id := contract.DialogueWorkflowID(dialogueID)
	converted := w.changes(dialogueID, api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
	require.Equal(t, contract.ProcessEConsultation, converted.Process)
	require.NotEmpty(t, converted.MessageID, "the notice of the fee")
	w.answer(dialogueID, uuid.NewString(), contract.AnswerFromPractitioner, "Svar.")
	stands(w, c, id, "is answered", is(contract.StatusAnswered))
	keep("dialogue", "open-converted", id)

	// Nobody answers: the clock goes all the way.
	_, subject = w.act(simulator.Action{Kind: simulator.EConsultation, Citizen: 3})
	id = contract.DialogueWorkflowID(w.dialogue(subject))
	w.skip(id, 21*24*time.Hour)
	stands(w, c, id, "is overdue", func(s contract.DialogueState) bool { return s.Escalated == contract.StepOverdue })
	keep("dialogue", "open-escalated", id)

	// The clinic writes first, and closes the dialogue without another word.
	var started starter.Started
	w.does(demo.GP, "/dialogues", starter.StartDialogue{Kind: contract.ProcessEContact, PatientID: patient, Subject: "Innkalling", Text: "Velkommen."}, &started)
	id = contract.DialogueWorkflowID(started.DialogueID)
	stands(w, c, id, "has arrived", is(contract.StatusAnswered))
	keep("dialogue", "open-opened", id)
	w.changes(started.DialogueID, api.DialogueChangeRequest{Kind: pg.CloseDialogue})
	stands(w, c, id, "is closed", is(contract.StatusClosed))
	w.skip(id, 31*24*time.Hour)
	w.eventually("the closed dialogue has ended", func() error { return w.ended(c, id) })
	keep("dialogue", "completed-closed", id)

	// Colleagues among themselves.
	w.does(demo.Desk, "/dialogues", starter.StartDialogue{
		Kind: contract.ProcessEDialogue, Participants: []routing.Recipient{{Kind: routing.Group, ID: "doctors"}}, Subject: "Vakt", Text: "Kan du ta lørdag?",
	}, &started)
	id = contract.DialogueWorkflowID(started.DialogueID)
	stands(w, c, id, "is shown", is(contract.StatusAnswered))
	keep("dialogue", "open-in-house", id)

	// A renewal request in words, split by staff, that nobody answers in time.
	_, subject = w.act(simulator.Action{Kind: simulator.Renewal, Citizen: 4})
	dialogueID = w.dialogue(subject)
	id = contract.PrescriptionWorkflowID(dialogueID)
	w.changes(dialogueID, api.DialogueChangeRequest{Kind: pg.SplitRequest, Items: []string{"Allergitabletter", "Nesespray"}})
	w.skip(id, 21*24*time.Hour)
	stands(w, c, id, "is overdue", func(s contract.PrescriptionState) bool { return s.Escalated == contract.StepOverdue })
	keep("prescription", "open-escalated", id)

	// The clinic's integration, activated and looked at so often that it continues as new.
	id = contract.ActivationWorkflowID(demo.ClinicID, "")
	stands(w, c, id, "is active", func(s contract.ActivationState) bool { return s.Status == contract.StatusActive })
	keep("activation", "open-active", id)
	w.eventually("the integration continued as new", func() error {
		if _, err := starter.New(w.store, c).ChangeActivation(t.Context(), demo.Operator, demo.ClinicID, pg.ActivationChange{Kind: pg.CheckIntegration}); err != nil {
			return err
		}
		if w.firstContinued(c, id) == "" {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	w.keep(c, "activation", "continued-checked", id, w.firstContinued(c, id))
	stands(w, c, id, "is active", func(s contract.ActivationState) bool { return s.Status == contract.StatusActive && len(s.Failing) == 0 })
}
