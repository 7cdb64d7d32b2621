package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	clinicID   = "0198c0de-0000-7000-8000-00000000c111"
	dialogueID = "0198c0de-0000-7000-8000-0000000d1a10"
	messageID  = "0198c0de-0000-7000-8000-000000000e55"
	staffID    = "0198c0de-0000-7000-8000-00000000057a"
)

func practitioner() identity.Principal {
	return identity.Principal{Subject: "p1", ClinicID: clinicID, Role: identity.RolePractitioner}
}

func as(role identity.Role) identity.Principal {
	return identity.Principal{Subject: "s1", ClinicID: clinicID, Role: role}
}

// fakeStore keeps drafts as the database does and records what else is asked of it.
type fakeStore struct {
	resolved pg.ResolvedCase
	mu       sync.Mutex
	process  contract.Process
	drafts   map[string]pg.Draft
	calls    []string
	limit    int
	patient  pg.Patient
	ledger   []pg.LedgerLine
	kept     []byte
	fakeCalendar
	fakeIntegrations
	fakeEDialogues
	fakeDialogues
}

func newStore(process contract.Process) *fakeStore {
	return &fakeStore{process: process, drafts: map[string]pg.Draft{}, fakeCalendar: fakeCalendar{changes: map[string]pg.Change{}}}
}

func (s *fakeStore) called(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name)
}

func (s *fakeStore) DraftAnswer(_ context.Context, _ identity.Principal, _, dialogue string, d pg.Draft) (pg.Drafted, error) {
	s.called("DraftAnswer")
	if dialogue != dialogueID {
		return pg.Drafted{}, apperr.New(apperr.NotFound, "the clinic has no such dialogue")
	}
	if first, ok := s.drafts[d.ID]; ok && !reflect.DeepEqual(first, d) {
		return pg.Drafted{}, apperr.New(apperr.Duplicate, "an answer with this id and other content exists: choose a new id")
	}
	s.drafts[d.ID] = d
	switch {
	case d.Code != "":
	case s.process == contract.ProcessPrescription:
		d.Code = contract.AnswerPartlyRenewed // what the decisions come to
	case s.process == contract.ProcessEDialogue:
		d.Code = contract.InHouse
	}
	return pg.Drafted{Process: s.process, InReplyTo: messageID, Code: d.Code}, nil
}

func (s *fakeStore) DropDraft(_ context.Context, _, id string, _ int) error {
	s.called("DropDraft")
	delete(s.drafts, id)
	return nil
}

func (s *fakeStore) Inbox(_ context.Context, _ identity.Principal, _ string, q pg.DialogueQuery) (pg.Page[pg.InboxItem], error) {
	s.limit = q.Limit
	s.called("Inbox")
	return pg.Page[pg.InboxItem]{Items: []pg.InboxItem{{DialogueItem: secret}}, Next: "next"}, nil
}

func (s *fakeStore) Inboxes(context.Context, identity.Principal, string) ([]pg.InboxCount, error) {
	s.called("Inboxes")
	return nil, nil
}

func (s *fakeStore) Dialogues(_ context.Context, _ identity.Principal, _ string, q pg.DialogueQuery) (pg.Page[pg.DialogueItem], error) {
	s.limit = q.Limit
	s.called("Dialogues")
	return pg.Page[pg.DialogueItem]{Items: []pg.DialogueItem{secret}, Next: "next"}, nil
}

// secret is a dialogue whose title and name not everybody may read.
var secret = pg.DialogueItem{DialogueID: dialogueID, Title: "Prøvesvar", Patient: "Kari Nordmann", PatientID: messageID}

func (s *fakeStore) Alone(_ context.Context, _ string, do func()) error { do(); return nil }

func (s *fakeStore) HoldKey(context.Context, identity.Principal, string, string) error { return nil }

func (s *fakeStore) Refused(_ context.Context, by identity.Principal, what string) error {
	s.called("Refused " + string(by.Role) + " " + what)
	return nil
}

func (s *fakeStore) ReadDialogue(context.Context, identity.Principal, string, string) (pg.Dialogue, error) {
	s.called("ReadDialogue")
	return pg.Dialogue{}, nil
}

func (s *fakeStore) ReadAttachment(context.Context, identity.Principal, string, string, string) (pg.File, io.Reader, error) {
	s.called("ReadAttachment")
	return pg.File{}, nil, nil
}

// StoreFile reads the content as the database does: to its end, then again for check.
func (s *fakeStore) StoreFile(_ context.Context, _ identity.Principal, _ string, n pg.NewFile, content io.Reader,
	check func(func() (io.Reader, error)) error,
) (pg.File, error) {
	s.called("StoreFile")
	kept, err := io.ReadAll(content)
	if err == nil {
		err = check(func() (io.Reader, error) { return bytes.NewReader(kept), nil })
	}
	if err != nil {
		return pg.File{}, err
	}
	s.kept = kept
	return pg.File{ID: fileID, MIME: n.MIME, Description: n.Description, Size: int64(len(kept))}, nil
}

func (s *fakeStore) Ledger(context.Context, identity.Principal, string, string) ([]pg.LedgerLine, error) {
	s.called("Ledger")
	return s.ledger, nil
}

func (s *fakeStore) Cases(_ context.Context, _ identity.Principal, _ string, q pg.CaseQuery) (pg.Page[pg.Case], error) {
	s.limit = q.Limit
	s.called("Cases")
	return pg.Page[pg.Case]{Items: []pg.Case{{ID: "c", Kind: contract.CaseAnswerOverdue}}, Next: "next"}, nil
}

func (s *fakeStore) ResolveCase(_ context.Context, _ identity.Principal, _, id string) (pg.ResolvedCase, error) {
	s.called("ResolveCase " + id)
	return s.resolved, nil
}

func (s *fakeStore) Routing(context.Context, identity.Principal, string) (map[contract.Process]routing.Rule, error) {
	s.called("Routing")
	return nil, nil
}

func (s *fakeStore) PutRouting(context.Context, identity.Principal, string, contract.Process, routing.Rule) error {
	s.called("PutRouting")
	return nil
}

func (s *fakeStore) PutClinic(context.Context, identity.Principal, pg.Clinic) error {
	s.called("PutClinic")
	return nil
}

func (s *fakeStore) PutPatient(_ context.Context, _ identity.Principal, _ string, p pg.Patient, _ string, _ bool) (string, error) {
	s.called("PutPatient")
	s.patient = p
	return "patient", nil
}

func (s *fakeStore) PatientByNationalID(context.Context, identity.Principal, string, string) (string, error) {
	s.called("PatientByNationalID")
	return "patient", nil
}

func (s *fakeStore) ErasePatient(context.Context, identity.Principal, string, string) error {
	s.called("ErasePatient")
	return nil
}

func (s *fakeStore) Audit(_ context.Context, _ identity.Principal, _ string, q pg.AuditQuery) (pg.Page[pg.AuditRow], error) {
	s.limit = q.Limit
	s.called("Audit")
	return pg.Page[pg.AuditRow]{}, nil
}

func (s *fakeStore) VerifyAudit(context.Context, identity.Principal, string, int64, string) (pg.AuditVerdict, error) {
	s.called("VerifyAudit")
	return pg.AuditVerdict{}, nil
}

func (s *fakeStore) QuarantinedMessage(context.Context, identity.Principal, string, string) (pg.Quarantine, error) {
	s.called("QuarantinedMessage")
	return pg.Quarantine{}, nil
}

func (s *fakeStore) DecideQuarantine(_ context.Context, _ identity.Principal, _, _ string, d pg.QuarantineDecision, note string) (pg.Quarantine, error) {
	s.called("DecideQuarantine")
	return pg.Quarantine{Wanted: string(d), Note: note}, nil
}

func (s *fakeStore) Quarantined(context.Context, identity.Principal, string, pg.QuarantineQuery) (pg.Page[pg.Quarantine], error) {
	s.called("Quarantined")
	return pg.Page[pg.Quarantine]{}, nil
}

// fakeTemporal accepts updates unless told otherwise, and answers queries by
// workflow id.
type fakeTemporal struct {
	start   sdkclient.StartWorkflowOptions
	input   any
	update  sdkclient.UpdateWorkflowOptions
	updates int
	// callErr fails the call, outcome the update's result.
	callErr, outcome error
	queries          map[string]queried
	deadline         time.Duration
	signals          []signalled
}

type queried struct {
	state  any
	closed enumspb.WorkflowExecutionStatus
	err    error
}

func (f *fakeTemporal) NewWithStartWorkflowOperation(o sdkclient.StartWorkflowOptions, _ any, args ...any) sdkclient.WithStartWorkflowOperation {
	f.start, f.input = o, args[0]
	return nil
}

func (f *fakeTemporal) UpdateWithStartWorkflow(ctx context.Context, o sdkclient.UpdateWithStartWorkflowOptions) (sdkclient.WorkflowUpdateHandle, error) {
	f.update = o.UpdateOptions
	f.updates++
	if at, ok := ctx.Deadline(); ok {
		f.deadline = time.Until(at)
	}
	return handle{o.UpdateOptions, f.outcome}, f.callErr
}

func (f *fakeTemporal) UpdateWorkflow(_ context.Context, o sdkclient.UpdateWorkflowOptions) (sdkclient.WorkflowUpdateHandle, error) {
	f.update = o
	f.updates++
	return handle{o, f.outcome}, f.callErr
}

func (f *fakeTemporal) QueryWorkflowWithOptions(_ context.Context, r *sdkclient.QueryWorkflowWithOptionsRequest) (*sdkclient.QueryWorkflowWithOptionsResponse, error) {
	q, ok := f.queries[r.WorkflowID]
	switch {
	case !ok:
		return nil, serviceerror.NewNotFound("no workflow")
	case q.err != nil:
		return nil, q.err
	case q.closed != 0:
		return &sdkclient.QueryWorkflowWithOptionsResponse{QueryRejected: &querypb.QueryRejected{Status: q.closed}}, nil
	}
	return &sdkclient.QueryWorkflowWithOptionsResponse{QueryResult: value{q.state}}, nil
}

type signalled struct {
	workflowID, name string
	arg              any
}

func (f *fakeTemporal) SignalWorkflow(_ context.Context, workflowID, _, name string, arg any) error {
	f.signals = append(f.signals, signalled{workflowID, name, arg})
	return f.callErr
}

type handle struct {
	sdkclient.UpdateWorkflowOptions
	outcome error
}

func (h handle) WorkflowID() string { return h.UpdateWorkflowOptions.WorkflowID }
func (h handle) RunID() string      { return "run" }
func (h handle) UpdateID() string   { return h.UpdateWorkflowOptions.UpdateID }
func (h handle) Get(_ context.Context, to any) error {
	if h.outcome != nil {
		return h.outcome
	}
	switch accepted := to.(type) {
	case *contract.AnswerAccepted:
		*accepted = contract.AnswerAccepted{AnswerID: h.UpdateID(), Status: contract.StatusSending}
	case *contract.ChangeAccepted:
		*accepted = contract.ChangeAccepted{CommandID: h.UpdateID(), Revision: 2, Status: contract.StatusBooked}
	}
	return nil
}

// value is an encoded query result.
type value struct{ v any }

var _ converter.EncodedValue = value{}

func (v value) HasValue() bool { return v.v != nil }
func (v value) Get(to any) error {
	b, err := json.Marshal(v.v)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

func TestAnswerIsStoredThenGiven(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		process    contract.Process
		code       string
		workflowID string
		input      any
	}{
		{
			contract.ProcessEConsultation, "12", contract.DialogueWorkflowID(dialogueID),
			contract.DialogueInput{ClinicID: clinicID, DialogueID: dialogueID, Process: contract.ProcessEConsultation, Resume: true},
		},
		{
			contract.ProcessEContact, "19", contract.DialogueWorkflowID(dialogueID),
			contract.DialogueInput{ClinicID: clinicID, DialogueID: dialogueID, Process: contract.ProcessEContact, Resume: true},
		},
		{
			contract.ProcessPrescription, "15", contract.PrescriptionWorkflowID(dialogueID),
			contract.PrescriptionInput{ClinicID: clinicID, DialogueID: dialogueID, Resume: true},
		},
	} {
		store, temporal := newStore(c.process), &fakeTemporal{}
		id := uuid.NewString()
		got, err := client.New(store, temporal).Answer(t.Context(), practitioner(), clinicID, dialogueID, client.Answer{
			ID: strings.ToUpper(id), Code: c.code, Subject: " Svar ", Text: "  Hei\r\nDu får time.\n", InReplyTo: messageID, FollowUp: true,
		})
		require.NoError(t, err)
		require.Equal(t, contract.AnswerAccepted{AnswerID: id, Status: contract.StatusSending}, got)
		require.Equal(t, pg.Draft{ID: id, Code: c.code, InReplyTo: messageID, Subject: "Svar", Text: "Hei\nDu får time."}, store.drafts[id])
		require.Equal(t, c.input, temporal.input)
		require.Equal(t, c.workflowID, temporal.start.ID)
		require.Equal(t, contract.QueueLifecycle, temporal.start.TaskQueue)
		require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, temporal.start.WorkflowIDConflictPolicy)
		require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, temporal.start.WorkflowIDReusePolicy)
		require.Equal(t, string(c.process)+", dialogue "+dialogueID, temporal.start.StaticSummary)
		require.LessOrEqual(t, len(temporal.start.StaticSummary), contract.MaxSummaryBytes)
		require.Equal(t, contract.StaticDetails(c.process), temporal.start.StaticDetails)
		require.Equal(t, 3, temporal.start.TypedSearchAttributes.Size())
		require.Equal(t, id, temporal.update.UpdateID)
		require.Equal(t, contract.UpdateAnswer, temporal.update.UpdateName)
		require.Equal(t, sdkclient.WorkflowUpdateStageCompleted, temporal.update.WaitForStage)
		require.Equal(t, []any{contract.AnswerCommand{AnswerID: id, Code: c.code, InReplyTo: messageID, FollowUp: true}}, temporal.update.Args,
			"the text stays in PostgreSQL")
		require.Positive(t, temporal.deadline)
	}
}

func TestAnswerWithoutIDGetsOne(t *testing.T) {
	t.Parallel()
	store, temporal := newStore(contract.ProcessEConsultation), &fakeTemporal{}
	got, err := client.New(store, temporal).Answer(t.Context(), practitioner(), clinicID, dialogueID, client.Answer{Code: "12", Text: "Hei"})
	require.NoError(t, err)
	require.NoError(t, uuid.Validate(got.AnswerID))
}

func TestAnswerNamesEveryInvalidField(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer client.Answer
		kind   apperr.Kind
		paths  []string
	}{
		"nothing":         {client.Answer{}, apperr.Invalid, []string{"text"}},
		"all wrong":       {client.Answer{ID: "1", InReplyTo: "x", Subject: "a\nb", Text: "a\x00"}, apperr.Invalid, []string{"id", "inReplyTo", "text", "subject"}},
		"too long":        {client.Answer{Code: "12", Text: strings.Repeat("ø", client.MaxTextRunes+1), Subject: strings.Repeat("å", client.MaxSubjectRunes+1)}, apperr.Invalid, []string{"text", "subject"}},
		"blank":           {client.Answer{Code: "12", Text: " \n "}, apperr.Invalid, []string{"text"}},
		"not UTF-8":       {client.Answer{Code: "12", Text: "a\xff"}, apperr.Invalid, []string{"text"}},
		"renewed":         {client.Answer{Code: "14", Text: "Ja"}, apperr.Invalid, []string{"code"}},
		"no code of ours": {client.Answer{Code: "19", Text: "Ja"}, apperr.Invalid, []string{"code"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, temporal := newStore(contract.ProcessEConsultation), &fakeTemporal{}
			_, err := client.New(store, temporal).Answer(t.Context(), practitioner(), clinicID, dialogueID, c.answer)
			var e *apperr.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.kind, e.Kind)
			var paths []string
			for _, f := range e.Fields {
				paths = append(paths, f.Path)
			}
			require.Equal(t, c.paths, paths)
			require.Empty(t, store.drafts, "a refused answer leaves nothing behind")
			require.Zero(t, temporal.updates)
		})
	}
}

func TestAnswerLimitsAreInclusive(t *testing.T) {
	t.Parallel()
	_, err := client.New(newStore(contract.ProcessEConsultation), &fakeTemporal{}).Answer(t.Context(), practitioner(), clinicID, dialogueID, client.Answer{
		Code: "12", Text: strings.Repeat("ø", client.MaxTextRunes), Subject: strings.Repeat("å", client.MaxSubjectRunes),
	})
	require.NoError(t, err)
}

func TestAnswerThatTheProcessDoesNotTakeNamesTheAllowedCodes(t *testing.T) {
	t.Parallel()
	store := newStore(contract.ProcessPrescription)
	_, err := client.New(store, &fakeTemporal{}).Answer(t.Context(), practitioner(), clinicID, dialogueID, client.Answer{Code: "12", Text: "Hei"})
	var e *apperr.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, []apperr.Field{{Path: "code", Rule: "one of 14, 32, 15, 26 for prescription"}}, e.Fields)
}

func TestRefusedAnswerDropsItsDraft(t *testing.T) {
	t.Parallel()
	refusal := apperr.ToTemporal(apperr.InState(string(contract.StatusAnswered), "the dialogue is answered already"))
	for name, temporal := range map[string]*fakeTemporal{
		"by the call": {callErr: refusal}, "by the outcome": {outcome: refusal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore(contract.ProcessEConsultation)
			_, err := client.New(store, temporal).Answer(t.Context(), practitioner(), clinicID, dialogueID, client.Answer{Code: "12", Text: "Hei"})
			var e *apperr.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, apperr.Conflict, e.Kind)
			require.Equal(t, string(contract.StatusAnswered), e.State)
			require.Empty(t, store.drafts)
		})
	}
}

func TestAnswerOfUnknownFateKeepsItsDraft(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		kind apperr.Kind
	}{
		"Temporal is down":    {serviceerror.NewUnavailable("down"), apperr.Unavailable},
		"no worker":           {sdkclient.NewWorkflowUpdateServiceTimeoutOrCanceledError(context.DeadlineExceeded), apperr.Unavailable},
		"a fault of a worker": {apperr.ToTemporal(errors.New("boom")), apperr.Internal},
		"set-up":              {serviceerror.NewInvalidArgument("search attribute"), apperr.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, temporal := newStore(contract.ProcessEConsultation), &fakeTemporal{callErr: c.err}
			a := client.Answer{ID: uuid.NewString(), Code: "12", Text: "Hei"}
			service := client.New(store, temporal)
			_, err := service.Answer(t.Context(), practitioner(), clinicID, dialogueID, a)
			require.Equal(t, c.kind, apperr.KindOf(err))
			require.Contains(t, store.drafts, a.ID)

			temporal.callErr = nil
			got, err := service.Answer(t.Context(), practitioner(), clinicID, dialogueID, a)
			require.NoError(t, err, "the same id takes it up again")
			require.Equal(t, a.ID, got.AnswerID)
		})
	}
}

func TestAnswerWithTheSameIDAndOtherTextIsADuplicate(t *testing.T) {
	t.Parallel()
	store := newStore(contract.ProcessEConsultation)
	service := client.New(store, &fakeTemporal{})
	a := client.Answer{ID: uuid.NewString(), Code: "12", Text: "Hei"}
	_, err := service.Answer(t.Context(), practitioner(), clinicID, dialogueID, a)
	require.NoError(t, err)
	a.Text = "Noe annet"
	_, err = service.Answer(t.Context(), practitioner(), clinicID, dialogueID, a)
	require.Equal(t, apperr.Duplicate, apperr.KindOf(err))
	require.Equal(t, "Hei", store.drafts[a.ID].Text, "the first one stands")
}

// method is a method of the client with the right that it needs.
type method struct {
	right identity.Right
	call  func(*client.Client, identity.Principal) error
}

func TestEveryMethodChecksRightAndClinic(t *testing.T) {
	t.Parallel()
	methods := map[string]method{
		"Inbox": {identity.RightInboxRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.Inbox(t.Context(), p, clinicID, pg.DialogueQuery{})
			return err
		}},
		"Inboxes": {identity.RightInboxRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.Inboxes(t.Context(), p, clinicID)
			return err
		}},
		"Dialogues": {identity.RightDialogueRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.Dialogues(t.Context(), p, clinicID, pg.DialogueQuery{})
			return err
		}},
		"Dialogue": {identity.RightMessageRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.Dialogue(t.Context(), p, clinicID, dialogueID)
			return err
		}},
		"Attachment": {identity.RightMessageRead, func(c *client.Client, p identity.Principal) error {
			_, _, err := c.Attachment(t.Context(), p, clinicID, dialogueID, messageID)
			return err
		}},
		"Upload": {identity.RightDialogueAnswer, func(c *client.Client, p identity.Principal) error {
			_, err := c.Upload(t.Context(), p, clinicID, client.Upload{Size: -1}, strings.NewReader("%PDF-1.7"))
			return err
		}},
		"Answer": {identity.RightDialogueAnswer, func(c *client.Client, p identity.Principal) error {
			_, err := c.Answer(t.Context(), p, clinicID, dialogueID, client.Answer{Code: "12", Text: "Hei"})
			return err
		}},
		"Explain": {identity.RightLedgerRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.Explain(t.Context(), p, clinicID, dialogueID)
			return err
		}},
		"Cases": {identity.RightCaseRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.Cases(t.Context(), p, clinicID, pg.CaseQuery{})
			return err
		}},
		"ResolveCase": {identity.RightCaseResolve, func(c *client.Client, p identity.Principal) error {
			return c.ResolveCase(t.Context(), p, clinicID, messageID)
		}},
		"Routing": {identity.RightRoutingRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.Routing(t.Context(), p, clinicID)
			return err
		}},
		"PutRouting": {identity.RightRoutingWrite, func(c *client.Client, p identity.Principal) error {
			return c.PutRouting(t.Context(), p, clinicID, contract.ProcessEContact, routing.Rule{Format: routing.Practitioner})
		}},
		"PutClinic": {identity.RightClinicWrite, func(c *client.Client, p identity.Principal) error {
			return c.PutClinic(t.Context(), p, clinic())
		}},
		"PutPatient": {identity.RightPatientWrite, func(c *client.Client, p identity.Principal) error {
			_, err := c.PutPatient(t.Context(), p, clinicID, patient())
			return err
		}},
		"FindPatient": {identity.RightPatientRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.FindPatient(t.Context(), p, clinicID, patient().NationalID)
			return err
		}},
		"ErasePatient": {identity.RightPatientErase, func(c *client.Client, p identity.Principal) error {
			return c.ErasePatient(t.Context(), p, clinicID, messageID)
		}},
		"Audit": {identity.RightAuditRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.Audit(t.Context(), p, clinicID, pg.AuditQuery{})
			return err
		}},
		"VerifyAudit": {identity.RightAuditRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.VerifyAudit(t.Context(), p, clinicID, 0, "")
			return err
		}},
		"Quarantine": {identity.RightQuarantineRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.Quarantine(t.Context(), p, clinicID, pg.QuarantineQuery{})
			return err
		}},
		"QuarantinedMessage": {identity.RightQuarantineRead, func(c *client.Client, p identity.Principal) error {
			_, err := c.QuarantinedMessage(t.Context(), p, clinicID, messageID)
			return err
		}},
		"DecideQuarantine": {identity.RightQuarantineDecide, func(c *client.Client, p identity.Principal) error {
			_, err := c.DecideQuarantine(t.Context(), p, clinicID, messageID, pg.QuarantineRetry, "")
			return err
		}},
	}
	maps.Copy(methods, appointmentMethods(t.Context()))
	maps.Copy(methods, integrationMethods(t.Context()))
	maps.Copy(methods, portalMethods(t.Context()))
	roles := []identity.Role{
		identity.RoleClinicAdministrator, identity.RolePractitioner, identity.RoleStaff,
		identity.RolePortal, identity.RoleOperator, identity.RoleAuditor, identity.RoleService, "",
	}
	for name, m := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, role := range roles {
				store := newStore(contract.ProcessEConsultation)
				service := client.New(store, &fakeTemporal{})
				p := as(role)
				if err := m.call(service, p); p.May(m.right) {
					require.NoError(t, err, role)
					require.NotEmpty(t, store.calls)
				} else {
					require.Equal(t, apperr.Forbidden, apperr.KindOf(err), role)
					require.ErrorContains(t, err, string(m.right))
					require.Empty(t, store.calls)
				}
				store.calls = nil
				if p.ClinicID = "0198c0de-0000-7000-8000-00000000c112"; p.May(m.right) {
					require.Equal(t, apperr.NotFound, apperr.KindOf(m.call(service, p)), role)
					require.Empty(t, store.calls, "another clinic's data is never asked for")
				}
			}
		})
	}
}

func clinic() pg.Clinic {
	return pg.Clinic{
		ID: clinicID, Name: "Legesenteret", HerID: 1, OrganisationNumber: "999888777",
		Staff:   []pg.Staff{{ID: staffID, Subject: "p1", Name: "Lege Legesen", Role: identity.RolePractitioner, HPR: "1234567"}},
		Parties: []pg.Party{{HerID: 2, Name: "Lege Legesen", StaffID: staffID, Processes: []string{"DIALOG_INNBYGGER_EKONSULTASJON"}}},
	}
}

func patient() client.Patient {
	return client.Patient{
		GivenName: "Kari", FamilyName: "Nordmann", Phone: "+4799999999",
		NationalID: nationalid.Synthetic(time.Date(1980, 5, 17, 0, 0, 0, 0, time.UTC), 1),
	}
}

func TestPutClinicNamesEveryInvalidField(t *testing.T) {
	t.Parallel()
	bad := clinic()
	bad.Name, bad.HerID, bad.OrganisationNumber = "", 0, "12"
	bad.Staff = append(bad.Staff, pg.Staff{ID: staffID, Name: "x", Role: "chief"})
	bad.Staff[0].DeputyID = staffID
	bad.Staff[1].DeputyID, bad.Staff[1].AbsentUntil = messageID, time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	bad.Parties[0].Processes = []string{"TELEX"}
	bad.Parties[0].StaffID, bad.Parties[0].HerID = "nobody", math.MaxInt32+1
	operator := identity.Principal{Subject: "op", Role: identity.RoleOperator}
	err := client.New(newStore(""), &fakeTemporal{}).PutClinic(t.Context(), operator, bad)
	require.ElementsMatch(t, []string{
		"name", "herId", "organisationNumber", "staff[1].id", "staff[1].subject", "staff[1].role",
		"staff[0].deputyId", "staff[1].deputyId", "staff[1].absentFrom",
		"parties[0].herId", "parties[0].staffId", "parties[0].processes[0]",
	}, paths(t, err))
}

func TestPutPatient(t *testing.T) {
	t.Parallel()
	store := newStore("")
	_, err := client.New(store, &fakeTemporal{}).PutPatient(t.Context(), as(identity.RoleService), clinicID, patient())
	require.NoError(t, err)
	require.Equal(t, "FNR", store.patient.IDType)

	bad := patient()
	bad.GivenName, bad.NationalID, bad.Phone, bad.PractitionerID = " ", "12345678901", "call me", "gp"
	_, err = client.New(store, &fakeTemporal{}).PutPatient(t.Context(), as(identity.RoleService), clinicID, bad)
	require.Equal(t, []string{"givenName", "nationalId", "phone", "practitionerId"}, paths(t, err))
	require.NotContains(t, err.Error(), "12345678901")
}

func TestPutRoutingNamesTheContradiction(t *testing.T) {
	t.Parallel()
	service := client.New(newStore(""), &fakeTemporal{})
	admin := as(identity.RoleClinicAdministrator)
	err := service.PutRouting(t.Context(), admin, clinicID, contract.ProcessEContact, routing.Rule{
		Format: routing.Selected, Recipients: []routing.Recipient{{Kind: "planet", ID: ""}},
	})
	require.Equal(t, []string{"recipients[0].kind", "recipients[0].id"}, paths(t, err))
	err = service.PutRouting(t.Context(), admin, clinicID, "telex", routing.Rule{Format: routing.Practitioner})
	require.Equal(t, apperr.NotFound, apperr.KindOf(err))
}

func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	for asked, given := range map[int]int{0: client.DefaultLimit, -1: client.DefaultLimit, 7: 7, 10_000: client.MaxLimit} {
		store := newStore("")
		_, err := client.New(store, &fakeTemporal{}).Inbox(t.Context(), practitioner(), clinicID, pg.DialogueQuery{Limit: asked})
		require.NoError(t, err)
		require.Equal(t, given, store.limit)
	}
}

func TestExplainSaysWhatTemporalKnows(t *testing.T) {
	t.Parallel()
	dialogue, prescription := contract.DialogueWorkflowID(dialogueID), contract.PrescriptionWorkflowID(dialogueID)
	state := contract.DialogueState{Status: contract.StatusAwaitingClinic, Messages: 1, AnswerOwed: true}
	for name, c := range map[string]struct {
		queries map[string]queried
		status  client.LifecycleStatus
		id      string
		note    string
	}{
		"running":       {map[string]queried{dialogue: {state: state}}, client.LifecycleRunning, dialogue, "running"},
		"prescription":  {map[string]queried{prescription: {state: contract.PrescriptionState{Status: contract.StatusReceived}}}, client.LifecycleRunning, prescription, "running"},
		"closed":        {map[string]queried{dialogue: {closed: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED}}, client.LifecycleEnded, dialogue, "Completed"},
		"no such":       {nil, client.LifecycleUnknown, "", "no workflow"},
		"Temporal down": {map[string]queried{dialogue: {err: serviceerror.NewUnavailable("down")}}, client.LifecycleUnavailable, dialogue, "could not tell"},
		"no worker":     {map[string]queried{dialogue: {err: context.DeadlineExceeded}}, client.LifecycleUnavailable, dialogue, "within 3s"},
		"another state": {map[string]queried{dialogue: {state: 7}}, client.LifecycleUnavailable, dialogue, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore("")
			store.ledger = []pg.LedgerLine{{Key: "receipt/1", Effect: pg.EffectReceipt}}
			got, err := client.New(store, &fakeTemporal{queries: c.queries}).Explain(t.Context(), practitioner(), clinicID, dialogueID)
			require.NoError(t, err)
			require.Equal(t, []client.ExplainedLine{{LedgerLine: store.ledger[0], Words: client.Effect(store.ledger[0])}}, got.Lines)
			require.Equal(t, c.status, got.Lifecycle.Status)
			require.Equal(t, c.id, got.Lifecycle.WorkflowID)
			require.Contains(t, got.Lifecycle.Note, c.note)
			require.Equal(t, name == "running", got.Lifecycle.Dialogue != nil)
			require.Equal(t, name == "prescription", got.Lifecycle.Prescription != nil)
		})
	}
}

func paths(t *testing.T, err error) []string {
	t.Helper()
	var e *apperr.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, apperr.Invalid, e.Kind)
	var all []string
	for _, f := range e.Fields {
		all = append(all, f.Path)
	}
	return all
}
