package client_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// fakeEDialogues keeps what is written in the portal as the database does.
type fakeEDialogues struct {
	written    map[string]pg.WrittenInPortal
	handedOver map[string]bool
}

// writtenAt is when the fake has received everything.
var writtenAt = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

func (s *fakeStore) StorePortalMessage(_ context.Context, _ identity.Principal, clinic string, w pg.WrittenInPortal) (pg.Arrived, error) {
	s.called("StorePortalMessage")
	if s.written == nil {
		s.fakeEDialogues = fakeEDialogues{written: map[string]pg.WrittenInPortal{}, handedOver: map[string]bool{}}
	}
	_, again := s.written[w.ID]
	s.written[w.ID] = w
	return pg.Arrived{
		ID: messageID, ClinicID: clinic, Process: contract.ProcessEDialogue, Function: contract.InHouse, MsgID: w.ID, DialogueID: dialogueID,
		Again: again, HandedOver: s.handedOver[messageID], NewDialogue: !again && w.DialogueID == "", ReceivedAt: writtenAt,
	}, nil
}

func (s *fakeStore) HandedOver(_ context.Context, id string) error {
	s.handedOver[id] = true
	return nil
}

func (s *fakeStore) PortalDialogues(_ context.Context, _ identity.Principal, _, _, _ string, limit int, _ string) (pg.Page[pg.PortalDialogue], error) {
	s.called("PortalDialogues")
	s.limit = limit
	return pg.Page[pg.PortalDialogue]{}, nil
}

func (s *fakeStore) PortalDialogue(context.Context, identity.Principal, string, string, string, string) (pg.PortalThread, error) {
	s.called("PortalDialogue")
	return pg.PortalThread{}, nil
}

func (s *fakeStore) PortalAttachment(context.Context, identity.Principal, string, string, string, string, string) (pg.File, io.Reader, error) {
	s.called("PortalAttachment")
	return pg.File{}, strings.NewReader(""), nil
}

func (f *fakeTemporal) SignalWithStartWorkflow(_ context.Context, workflowID, name string, arg any, o sdkclient.StartWorkflowOptions, _ any, args ...any) (sdkclient.WorkflowRun, error) {
	f.start, f.input = o, args[0]
	f.signals = append(f.signals, signalled{workflowID, name, arg})
	return nil, f.callErr
}

func TestWhatIsWrittenInThePortalIsStoredThenSignalled(t *testing.T) {
	t.Parallel()
	for _, dialogue := range []string{"", dialogueID} {
		store, temporal := newStore(""), &fakeTemporal{}
		id := uuid.NewString()
		got, err := client.New(store, temporal).PortalWrite(t.Context(), as(identity.RolePortal), clinicID, patientID, dialogue, client.PortalWriting{
			ID: strings.ToUpper(id), ViewerID: staffID, Subject: " Attest ", Text: " Hei\r\n", App: true,
		})
		require.NoError(t, err)
		require.Equal(t, client.PortalWritten{DialogueID: dialogueID, MessageID: messageID}, got)
		require.Equal(t, pg.WrittenInPortal{
			ID: id, PatientID: patientID, ViewerID: staffID, DialogueID: dialogue, Source: "app", Subject: "Attest", Text: "Hei",
		}, store.written[id])
		require.Equal(t, []signalled{{
			contract.DialogueWorkflowID(dialogueID), contract.SignalMessageReceived,
			contract.MessageReceived{MessageID: messageID, MsgID: id, Function: contract.InHouse, ReceivedAt: writtenAt},
		}}, temporal.signals, "the text stays in PostgreSQL")
		require.Equal(t, contract.DialogueInput{ClinicID: clinicID, DialogueID: dialogueID, Process: contract.ProcessEDialogue, Resume: dialogue != ""}, temporal.input)
		require.Equal(t, contract.DialogueWorkflowID(dialogueID), temporal.start.ID)
		require.Equal(t, contract.QueueLifecycle, temporal.start.TaskQueue)
		require.LessOrEqual(t, len(temporal.start.StaticSummary), contract.MaxSummaryBytes)
	}
}

func TestAPortalMessageOfUnknownFateIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	store, temporal := newStore(""), &fakeTemporal{callErr: serviceerror.NewUnavailable("down")}
	service := client.New(store, temporal)
	w := client.PortalWriting{ID: uuid.NewString(), ViewerID: patientID, Text: "Hei"}
	write := func() error {
		_, err := service.PortalWrite(t.Context(), as(identity.RolePortal), clinicID, patientID, "", w)
		return err
	}
	require.Equal(t, apperr.Unavailable, apperr.KindOf(write()))
	require.False(t, store.handedOver[messageID])
	temporal.callErr = nil
	require.NoError(t, write(), "the same id takes it up again")
	require.True(t, store.handedOver[messageID])
	require.Len(t, temporal.signals, 2)
	require.NoError(t, write())
	require.Len(t, temporal.signals, 2, "what is handed over is not signalled again")
}

func TestAPortalMessageNamesEveryInvalidField(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		w    client.PortalWriting
		want []string
	}{
		{client.PortalWriting{}, []string{"viewerId", "text"}},
		{client.PortalWriting{ID: "1", ViewerID: patientID, Subject: "a\nb", Text: "a\x00"}, []string{"id", "text", "subject"}},
		{client.PortalWriting{ViewerID: patientID, Text: strings.Repeat("ø", client.MaxTextRunes+1)}, []string{"text"}},
	} {
		store := newStore("")
		_, err := client.New(store, &fakeTemporal{}).PortalWrite(t.Context(), as(identity.RolePortal), clinicID, patientID, "", c.w)
		require.Equal(t, c.want, paths(t, err))
		require.Empty(t, store.calls)
	}
}

// portalMethods are the methods about e-dialogues, for TestEveryMethodChecksRightAndClinic.
func portalMethods(ctx context.Context) map[string]method {
	return map[string]method{
		"PortalDialogues": {identity.RightPortalRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.PortalDialogues(ctx, p, clinicID, patientID, patientID, 0, "")
			return err
		}},
		"PortalDialogue": {identity.RightPortalRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.PortalDialogue(ctx, p, clinicID, patientID, patientID, dialogueID)
			return err
		}},
		"PortalAttachment": {identity.RightPortalRead, func(c *client.Client, p identity.Principal) error {
			_, _, err := c.PortalAttachment(ctx, p, clinicID, patientID, patientID, dialogueID, messageID)
			return err
		}},
		"PortalUpload": {identity.RightPortalWrite, func(c *client.Client, p identity.Principal) error {
			_, err := c.PortalUpload(ctx, p, clinicID, patientID, client.Upload{PatientID: patientID}, strings.NewReader("%PDF-1.7"))
			return err
		}},
		"PortalWrite": {identity.RightPortalWrite, func(c *client.Client, p identity.Principal) error {
			_, err := c.PortalWrite(ctx, p, clinicID, patientID, "", client.PortalWriting{ViewerID: patientID, Text: "Hei"})
			return err
		}},
	}
}

func TestAnEDialogueIsAnsweredWithoutACode(t *testing.T) {
	t.Parallel()
	store, temporal := newStore(contract.ProcessEDialogue), &fakeTemporal{}
	a := client.Answer{ID: uuid.NewString(), Text: "Hei"}
	_, err := client.New(store, temporal).Answer(t.Context(), practitioner(), clinicID, dialogueID, a)
	require.NoError(t, err)
	require.Equal(t, []any{contract.AnswerCommand{AnswerID: a.ID, Code: contract.InHouse, InReplyTo: messageID}}, temporal.update.Args)
	require.Equal(t, contract.DialogueWorkflowID(dialogueID), temporal.start.ID)

	// Elsewhere a code is required, and what was drafted without one is dropped.
	store = newStore(contract.ProcessEContact)
	_, err = client.New(store, temporal).Answer(t.Context(), practitioner(), clinicID, dialogueID, a)
	require.Equal(t, []string{"code"}, paths(t, err))
	require.Empty(t, store.drafts)
}

func TestWhereAnEDialogueIsShownIsExplained(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a message of the clinic that Helsenorge never sees, shown in portal, app", client.Effect(pg.LedgerLine{
		Effect: pg.EffectAnswer, Why: json.RawMessage(`{"code":"message","to":["portal","app"]}`), Outcome: contract.OutcomeDone,
	}))
}
