package client_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/reachability"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// fakeDialogues keeps what was started and asked as the database does.
type fakeDialogues struct {
	started map[string]pg.NewDialogue
	asked   map[string]pg.DialogueChange
	// output is what a command came to.
	output contract.ApplyDialogueChangeOutput
}

func (s *fakeStore) DraftDialogue(_ context.Context, _ identity.Principal, _ string, n pg.NewDialogue) (pg.DraftedDialogue, error) {
	s.called("DraftDialogue")
	if s.started == nil {
		s.started = map[string]pg.NewDialogue{}
	}
	s.started[n.ID] = n
	s.drafts[n.ID] = pg.Draft{ID: n.ID}
	code := contract.OpenDialogue
	if n.Process == contract.ProcessEDialogue {
		code = contract.InHouse
	}
	return pg.DraftedDialogue{DialogueID: dialogueID, Drafted: pg.Drafted{Process: n.Process, Code: code, Attempt: 1}}, nil
}

func (s *fakeStore) Started(_ context.Context, _, id string) (bool, error) {
	s.called("Started")
	_, is := s.started[id]
	return is, nil
}

func (s *fakeStore) DraftDialogueChange(_ context.Context, _ identity.Principal, _ string, c pg.DialogueChange) (pg.DraftedDialogueChange, error) {
	s.called("DraftDialogueChange")
	if s.asked == nil {
		s.asked = map[string]pg.DialogueChange{}
	}
	_, again := s.asked[c.ID]
	s.asked[c.ID] = c
	return pg.DraftedDialogueChange{Process: s.process, Applied: again, Attempt: 1}, nil
}

func (s *fakeStore) DropDialogueChange(_ context.Context, _, id string, _ int) error {
	s.called("DropDialogueChange")
	delete(s.asked, id)
	return nil
}

func (s *fakeStore) DialogueChanged(context.Context, string, string) (pg.DraftedDialogueChange, error) {
	s.called("DialogueChanged")
	return pg.DraftedDialogueChange{Process: s.process, Applied: true, Output: s.output, Status: contract.StatusSending}, nil
}

func (s *fakeStore) LedgerOfMessage(context.Context, identity.Principal, string, string) ([]pg.LedgerLine, error) {
	s.called("LedgerOfMessage")
	return s.ledger, nil
}

func TestADialogueIsStoredThenOpened(t *testing.T) {
	t.Parallel()
	for _, kind := range client.Kinds() {
		store, temporal := newStore(kind), &fakeTemporal{}
		id := uuid.NewString()
		got, err := client.New(store, temporal).StartDialogue(t.Context(), practitioner(), clinicID, client.StartDialogue{
			ID: strings.ToUpper(id), Kind: kind, PatientID: patientID, Subject: " Prøver ", Text: " Hei\r\n", Attachments: []string{fileID},
		})
		require.NoError(t, err)
		require.Equal(t, client.Started{DialogueID: dialogueID, MessageID: id, Status: contract.StatusSending}, got)
		require.Equal(t, pg.NewDialogue{ID: id, Process: kind, PatientID: patientID, Subject: "Prøver", Text: "Hei", Attachments: []string{fileID}}, store.started[id])
		require.Equal(t, contract.UpdateOpen, temporal.update.UpdateName)
		require.Equal(t, []any{contract.OpenCommand{MessageID: id, Code: contract.OpenCodes(kind)[0]}}, temporal.update.Args, "the text stays in PostgreSQL")
		require.Equal(t, contract.DialogueInput{ClinicID: clinicID, DialogueID: dialogueID, Process: kind, Resume: true}, temporal.input)
		require.Equal(t, contract.DialogueWorkflowID(dialogueID), temporal.start.ID)
	}
}

func TestWhoCannotBeContactedIsSaidBeforeAnythingIsWritten(t *testing.T) { // S28
	t.Parallel()
	store, temporal := newStore(contract.ProcessEContact), &fakeTemporal{}
	store.reach.Reasons = []reachability.Gate{reachability.NoConsent, reachability.NotActive}
	_, err := client.New(store, temporal).StartDialogue(t.Context(), practitioner(), clinicID, client.StartDialogue{
		Kind: contract.ProcessEContact, PatientID: patientID, Subject: "Hei", Text: "Hei",
	})
	var e *apperr.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, []any{apperr.Conflict, string(reachability.NoConsent)}, []any{e.Kind, e.State})
	require.NotContains(t, store.calls, "DraftDialogue")
	require.Zero(t, temporal.updates)
}

func TestWhatIsStartedIsTakenUpAgainWhoeverCanBeContactedNow(t *testing.T) {
	t.Parallel()
	store, temporal := newStore(contract.ProcessEContact), &fakeTemporal{callErr: serviceerror.NewUnavailable("down")}
	service, s := client.New(store, temporal), client.StartDialogue{ID: uuid.NewString(), Kind: contract.ProcessEContact, PatientID: patientID, Subject: "Hei", Text: "Hei"}
	_, err := service.StartDialogue(t.Context(), practitioner(), clinicID, s)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	temporal.callErr, store.reach.Reasons = nil, []reachability.Gate{reachability.NotActive}
	got, err := service.StartDialogue(t.Context(), practitioner(), clinicID, s)
	require.NoError(t, err)
	require.Equal(t, s.ID, got.MessageID)
}

// One dialogue has one workflow, however its id is written.
func TestACommandGoesToTheDialoguesOwnWorkflow(t *testing.T) {
	t.Parallel()
	for _, id := range []string{strings.ToUpper(dialogueID), strings.ReplaceAll(dialogueID, "-", ""), "{" + dialogueID + "}"} {
		store, temporal := newStore(contract.ProcessEContact), &fakeTemporal{}
		service := client.New(store, temporal)
		_, err := service.Answer(t.Context(), practitioner(), clinicID, id, client.Answer{Code: contract.AnswerToEnquiry, Text: "Hei"})
		require.NoError(t, err)
		require.Equal(t, contract.DialogueWorkflowID(dialogueID), temporal.start.ID)
		require.Equal(t, contract.DialogueInput{ClinicID: clinicID, DialogueID: dialogueID, Process: contract.ProcessEContact, Resume: true}, temporal.input)
		_, err = service.ChangeDialogue(t.Context(), practitioner(), clinicID, pg.DialogueChange{Kind: pg.TakeDialogue, DialogueID: id})
		require.NoError(t, err)
		require.Equal(t, contract.DialogueWorkflowID(dialogueID), temporal.start.ID)
	}
	_, err := client.New(newStore(""), &fakeTemporal{}).ChangeActivation(t.Context(), as(identity.RoleOperator), clinicID,
		pg.ActivationChange{Kind: pg.CheckIntegration, StaffID: strings.ReplaceAll(staffID, "-", "")})
	require.Equal(t, []string{"staffId"}, paths(t, err))
}

func TestADialogueNamesEveryInvalidField(t *testing.T) {
	t.Parallel()
	colleagues := []routing.Recipient{{Kind: "group", ID: "nurses"}}
	for name, c := range map[string]struct {
		start client.StartDialogue
		paths []string
	}{
		"nothing":                   {client.StartDialogue{}, []string{"subject", "text", "kind", "patientId"}},
		"another kind":              {client.StartDialogue{Kind: contract.ProcessPrescription, PatientID: patientID, Subject: "a", Text: "a"}, []string{"kind"}},
		"a citizen among":           {client.StartDialogue{Kind: contract.ProcessEContact, PatientID: patientID, Subject: "a", Text: "a", Participants: colleagues}, []string{"participants", "participants"}},
		"nobody":                    {client.StartDialogue{Kind: contract.ProcessEDialogue, Text: "a"}, []string{"participants"}},
		"an e-dialogue one way":     {client.StartDialogue{Kind: contract.ProcessEDialogue, Participants: colleagues, Text: "a", OneWay: true}, []string{"oneWay"}},
		"too long, and a wrong key": {client.StartDialogue{ID: "1", Kind: contract.ProcessEContact, PatientID: patientID, Subject: strings.Repeat("a", client.MaxSubjectRunes+1), Text: strings.Repeat("a", client.MaxTextRunes+1)}, []string{"id", "subject", "text"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, temporal := newStore(contract.ProcessEContact), &fakeTemporal{}
			_, err := client.New(store, temporal).StartDialogue(t.Context(), practitioner(), clinicID, c.start)
			var e *apperr.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, apperr.Invalid, e.Kind)
			var paths []string
			for _, f := range e.Fields {
				paths = append(paths, f.Path)
			}
			require.Equal(t, c.paths, paths)
			require.Empty(t, store.calls)
		})
	}
}

func TestAnAnswerIsTurnedIntoADialogue(t *testing.T) { // S68
	t.Parallel()
	store, temporal := newStore(contract.ProcessPrescription), &fakeTemporal{}
	service := client.New(store, temporal)
	id := uuid.NewString()
	got, err := service.Turn(t.Context(), practitioner(), clinicID, messageID, client.Turn{ID: id, Kind: contract.ProcessEConsultation, Subject: "Om medisinen", Text: "Hei"})
	require.NoError(t, err)
	require.Equal(t, dialogueID, got.DialogueID)
	require.Equal(t, pg.NewDialogue{ID: id, Process: contract.ProcessEConsultation, TurnedFrom: messageID, Subject: "Om medisinen", Text: "Hei"}, store.started[id])
	require.Equal(t, contract.DialogueWorkflow, workflowOf(temporal))
	_, err = service.Turn(t.Context(), practitioner(), clinicID, messageID, client.Turn{Kind: contract.ProcessEDialogue, Subject: "a", Text: "a"})
	require.True(t, apperr.Is(err, apperr.Invalid), "%v", err)
	_, err = service.Turn(t.Context(), as(identity.RoleService), clinicID, messageID, client.Turn{Kind: contract.ProcessEContact, Subject: "a", Text: "a"})
	require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)
}

// workflowOf tells which lifecycle was started, by its input.
func workflowOf(f *fakeTemporal) string {
	if _, ok := f.input.(contract.PrescriptionInput); ok {
		return contract.PrescriptionWorkflow
	}
	return contract.DialogueWorkflow
}

func TestADialogueThatIsRefusedIsDropped(t *testing.T) {
	t.Parallel()
	store := newStore(contract.ProcessEContact)
	temporal := &fakeTemporal{outcome: apperr.ToTemporal(apperr.InState("answered", "the dialogue has begun already"))}
	_, err := client.New(store, temporal).StartDialogue(t.Context(), practitioner(), clinicID, client.StartDialogue{
		Kind: contract.ProcessEContact, PatientID: patientID, Subject: "Hei", Text: "Hei",
	})
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	require.Empty(t, store.drafts)
}

func TestAChangeIsStoredThenApplied(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		process  contract.Process
		change   pg.DialogueChange
		workflow string
	}{
		{contract.ProcessEContact, pg.DialogueChange{Kind: pg.ConvertDialogue}, contract.DialogueWorkflow},
		{contract.ProcessPrescription, pg.DialogueChange{Kind: pg.SplitRequest, Items: []string{"a"}}, contract.PrescriptionWorkflow},
		{contract.ProcessPrescription, pg.DialogueChange{Kind: pg.ResendMessage, OutboundID: messageID}, contract.PrescriptionWorkflow},
	} {
		store, temporal := newStore(c.process), &fakeTemporal{}
		store.output = contract.ApplyDialogueChangeOutput{Process: contract.ProcessEConsultation, OutboundID: messageID}
		c.change.ID, c.change.DialogueID = uuid.NewString(), dialogueID
		service := client.New(store, temporal)
		for range 2 {
			got, err := service.ChangeDialogue(t.Context(), practitioner(), clinicID, c.change)
			require.NoError(t, err)
			require.Equal(t, client.DialogueChanged{
				DialogueID: dialogueID, ChangeID: c.change.ID, Process: contract.ProcessEConsultation, Status: contract.StatusSending, MessageID: messageID,
			}, got)
		}
		require.Equal(t, 1, temporal.updates, "what is applied is not asked for again")
		require.Equal(t, c.change, store.asked[c.change.ID])
		require.Equal(t, contract.UpdateChange, temporal.update.UpdateName)
		require.Equal(t, []any{contract.ChangeCommand{CommandID: c.change.ID}}, temporal.update.Args)
		require.Equal(t, c.workflow, workflowOf(temporal))
	}
}

func TestARefusedChangeIsDropped(t *testing.T) {
	t.Parallel()
	store := newStore(contract.ProcessEContact)
	temporal := &fakeTemporal{outcome: apperr.ToTemporal(apperr.InState("converted", "the dialogue is converted already"))}
	_, err := client.New(store, temporal).ChangeDialogue(t.Context(), practitioner(), clinicID, pg.DialogueChange{Kind: pg.ConvertDialogue, DialogueID: dialogueID})
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	require.Empty(t, store.asked)
}

func TestWhoMayChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		role identity.Role
		kind pg.DialogueChangeKind
		may  bool
	}{
		{identity.RoleStaff, pg.ConvertDialogue, true},
		{identity.RoleOperator, pg.ConvertDialogue, false},
		{identity.RoleOperator, pg.ResendMessage, true},
		{identity.RoleClinicAdministrator, pg.ResendMessage, true},
		{identity.RoleService, pg.ResendMessage, false},
		{identity.RoleAuditor, pg.TakeDialogue, false},
	} {
		store := newStore(contract.ProcessEContact)
		_, err := client.New(store, &fakeTemporal{}).ChangeDialogue(t.Context(), as(c.role), clinicID, pg.DialogueChange{Kind: c.kind, DialogueID: dialogueID, OutboundID: messageID})
		require.Equal(t, !c.may, apperr.Is(err, apperr.Forbidden), "%s %s: %v", c.role, c.kind, err)
	}
}

func TestEveryEffectIsToldInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line pg.LedgerLine
		want []string
	}{
		{pg.LedgerLine{Effect: pg.EffectAnswer, Why: raw(map[string]any{"code": "12"}), Outcome: contract.OutcomeAcknowledged}, []string{"12", "Helsenorge has it"}},
		{pg.LedgerLine{Effect: pg.EffectAnswer, Why: raw(map[string]any{"code": "DI", "opens": true})}, []string{"begins a conversation", "under way"}},
		{
			pg.LedgerLine{Effect: pg.EffectAnswer, Why: raw(map[string]any{"code": "19", "after": "overdue"}), Outcome: contract.OutcomeErrorQueue, Result: raw(map[string]any{"codes": []string{"T02"}})},
			[]string{"sent once more, after its receipt was overdue", "could not read it", "T02"},
		},
		{
			pg.LedgerLine{Effect: pg.EffectAnswer, Outcome: contract.OutcomeFailed, Result: raw(map[string]any{"codes": []string{"not-active"}})},
			[]string{"could not be contacted", "not-active"},
		},
		{pg.LedgerLine{Effect: pg.EffectConversion, Why: raw(map[string]any{"fee": "ask"}), Outcome: contract.OutcomeDone}, []string{"becomes an e-consultation", "asked"}},
		{pg.LedgerLine{Effect: pg.EffectJournal, Outcome: contract.OutcomeDone}, []string{"journal"}},
		{pg.LedgerLine{Effect: pg.EffectReceipt, Why: raw(map[string]any{"verdict": "rejected", "codes": []string{"E10"}}), Outcome: contract.OutcomeSent}, []string{"cannot be taken in", "E10"}},
	} {
		words := client.Effect(c.line)
		for _, want := range c.want {
			require.Contains(t, words, want)
		}
	}
	store := newStore(contract.ProcessEContact)
	store.ledger = []pg.LedgerLine{{Effect: pg.EffectInbox, MessageID: messageID}}
	e, err := client.New(store, &fakeTemporal{}).ExplainMessage(t.Context(), as(identity.RoleOperator), clinicID, messageID)
	require.NoError(t, err)
	require.Equal(t, messageID, e.MessageID)
	require.NotEmpty(t, e.Lines[0].Words)
}

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
