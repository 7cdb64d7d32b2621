package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// Limits of an answer, in runes after trimming.
const (
	// MaxTextRunes bounds the text (HITS 1217: Helsenorge shows 1000 characters).
	MaxTextRunes = 1000
	// MaxSubjectRunes bounds the subject.
	MaxSubjectRunes = 50
)

// answerTimeout is how long a caller waits for a lifecycle to take an answer on.
// It is a few round trips when workers run, and the caller's patience when none
// does: the draft is stored, so that the same id carries on later.
const answerTimeout = 10 * time.Second

// Answer is staff's answer to a dialogue or a renewal request.
type Answer struct {
	// ID is the caller's idempotency key, a UUID: the same id again is the same
	// answer. Empty makes a new one, and a retry then makes a second answer.
	ID string
	// Code is the answer's code of 7602, one of contract.AnswerCodes.
	Code string
	// Subject is optional, at most MaxSubjectRunes on one line.
	Subject string
	// Text is what the citizen reads, at most MaxTextRunes.
	Text string
	// InReplyTo is the message that staff had read; empty means the latest. When the
	// citizen has written since, the answer is refused.
	InReplyTo string
	// FollowUp adds to an answer already given.
	FollowUp bool
}

// Answer stores the answer's text and asks the dialogue's lifecycle to send it. On
// success the answer is durable: its way to Helsenorge and its terminal outcome
// are on the ledger.
//
// Idempotent by Answer.ID: the same id and content return the same result, the
// same id with other content is a duplicate. Errors: invalid names each field,
// unsupported is a code that this version cannot send, conflict carries the state
// that stands in the way. A refused answer leaves nothing behind; after unavailable
// the same id takes it up again.
func (c *Client) Answer(ctx context.Context, by identity.Principal, clinicID, dialogueID string, a Answer) (contract.AnswerAccepted, error) {
	if err := allow(by, identity.RightDialogueAnswer, clinicID); err != nil {
		return contract.AnswerAccepted{}, err
	}
	if err := a.check(); err != nil {
		return contract.AnswerAccepted{}, err
	}
	drafted, err := c.store.DraftAnswer(ctx, by, clinicID, dialogueID, pg.Draft{
		ID: a.ID, Code: a.Code, InReplyTo: a.InReplyTo, Subject: a.Subject, Text: a.Text,
	})
	if err != nil {
		return contract.AnswerAccepted{}, err
	}
	if drafted.Accepted {
		return contract.AnswerAccepted{AnswerID: a.ID, Status: drafted.Status}, nil
	}
	failpoint.Hit(failpoint.AnswerDrafted)
	// The command names the message that the draft answers: the lifecycle and the
	// database must not think of different ones.
	a.InReplyTo = drafted.InReplyTo
	accepted, err := c.give(ctx, clinicID, dialogueID, drafted.Process, a)
	if err != nil {
		return contract.AnswerAccepted{}, c.refused(ctx, clinicID, a.ID, drafted.Attempt, err)
	}
	failpoint.Hit(failpoint.AnswerAccepted)
	return accepted, nil
}

// check refuses what no dialogue could take, names every fault at once, and
// brings the fields to the form that is stored.
func (a *Answer) check() error {
	if contract.NeedsM1(a.Code) {
		const why = "needs M1 documents, which this version does not write"
		return &apperr.Error{
			Kind: apperr.Unsupported, Message: "the code " + a.Code + " " + why,
			Fields: []apperr.Field{{Path: "code", Rule: why}},
		}
	}
	if a.ID == "" {
		a.ID = uuid.NewString()
	}
	a.ID = strings.ToLower(a.ID)
	a.Text = strings.TrimSpace(strings.ReplaceAll(a.Text, "\r\n", "\n"))
	a.Subject = strings.TrimSpace(a.Subject)
	var f faults
	f.check(isID(a.ID), "id", "a UUID: the idempotency key")
	f.check(a.Code != "", "code", "required: a code of 7602, such as %s", contract.AnswerFromPractitioner)
	f.check(a.InReplyTo == "" || isID(a.InReplyTo), "inReplyTo", "the id of a message of the dialogue")
	f.check(a.Text != "", "text", "required")
	f.check(utf8.RuneCountInString(a.Text) <= MaxTextRunes, "text", "at most %d characters", MaxTextRunes)
	f.check(utf8.ValidString(a.Text) && !strings.ContainsFunc(a.Text, unprintable), "text", "no control characters but line feed and tab")
	f.check(utf8.RuneCountInString(a.Subject) <= MaxSubjectRunes, "subject", "at most %d characters", MaxSubjectRunes)
	f.check(utf8.ValidString(a.Subject) && !strings.ContainsFunc(a.Subject, func(r rune) bool { return unicode.IsControl(r) || unprintable(r) }),
		"subject", "one line without control characters")
	if len(f) > 0 {
		return apperr.InvalidFields("the answer has invalid fields", f...)
	}
	return nil
}

// unprintable tells whether XML 1.0 or a reader has no use for the rune.
func unprintable(r rune) bool {
	return (unicode.IsControl(r) && r != '\n' && r != '\t') || r == '\uFFFE' || r == '\uFFFF'
}

// give asks the lifecycle to send a drafted answer. A lifecycle that has ended,
// because nothing was owed, is started again and reads its state first.
func (c *Client) give(ctx context.Context, clinicID, dialogueID string, process contract.Process, a Answer) (contract.AnswerAccepted, error) {
	if allowed := contract.AnswerCodes(process); !slices.Contains(allowed, a.Code) {
		return contract.AnswerAccepted{}, apperr.InvalidFields(fmt.Sprintf("an answer to this %s cannot have this code", process), apperr.Field{
			Path: "code", Rule: "one of " + strings.Join(allowed, ", ") + " for " + string(process),
		})
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	id, workflow, input := lifecycle(clinicID, dialogueID, process)
	handle, err := c.temporal.UpdateWithStartWorkflow(ctx, sdkclient.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: c.temporal.NewWithStartWorkflowOperation(sdkclient.StartWorkflowOptions{
			ID:                       id,
			TaskQueue:                contract.QueueLifecycle,
			WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
			TypedSearchAttributes: temporal.NewSearchAttributes(
				contract.AttrClinic.ValueSet(clinicID),
				contract.AttrProcess.ValueSet(string(process)),
				contract.AttrState.ValueSet(string(contract.StatusReceived)),
			),
			StaticSummary: string(process) + ", dialogue " + dialogueID,
		}, workflow, input),
		UpdateOptions: sdkclient.UpdateWorkflowOptions{
			UpdateID:     a.ID,
			WorkflowID:   id,
			UpdateName:   contract.UpdateAnswer,
			WaitForStage: sdkclient.WorkflowUpdateStageCompleted,
			Args: []any{contract.AnswerCommand{
				AnswerID: a.ID, Code: a.Code, InReplyTo: a.InReplyTo, FollowUp: a.FollowUp,
			}},
		},
	})
	if err != nil {
		return contract.AnswerAccepted{}, notTaken(err)
	}
	var accepted contract.AnswerAccepted
	if err := handle.Get(ctx, &accepted); err != nil {
		return contract.AnswerAccepted{}, notTaken(err)
	}
	return accepted, nil
}

// lifecycle is the workflow that a process has, and its input when it is started
// for a dialogue that exists already.
func lifecycle(clinicID, dialogueID string, process contract.Process) (id, workflow string, input any) {
	if process == contract.ProcessPrescription {
		return contract.PrescriptionWorkflowID(dialogueID), contract.PrescriptionWorkflow,
			contract.PrescriptionInput{ClinicID: clinicID, DialogueID: dialogueID, Resume: true}
	}
	return contract.DialogueWorkflowID(dialogueID), contract.DialogueWorkflow,
		contract.DialogueInput{ClinicID: clinicID, DialogueID: dialogueID, Process: process, Resume: true}
}

// refused drops the draft that a lifecycle will never accept and returns err. A
// draft whose fate is unknown stays: the update may still be accepted, and a retry
// with the same id finds out.
func (c *Client) refused(ctx context.Context, clinicID, answerID string, attempt int, err error) error {
	if apperr.KindOf(err).Retryable() {
		return err
	}
	// The caller may have hung up, the refusal stands nevertheless.
	if dropErr := c.store.DropDraft(context.WithoutCancel(ctx), clinicID, answerID, attempt); dropErr != nil {
		return errors.Join(err, fmt.Errorf("the draft stays: %w", dropErr))
	}
	return err
}

// notTaken translates what Temporal said instead of accepting the answer.
func notTaken(err error) error {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return apperr.FromTemporal(err)
	}
	var (
		argument *serviceerror.InvalidArgument
		denied   *serviceerror.PermissionDenied
		unknown  *serviceerror.NamespaceNotFound
		missing  *serviceerror.Unimplemented
	)
	if errors.As(err, &argument) || errors.As(err, &denied) || errors.As(err, &unknown) || errors.As(err, &missing) {
		return apperr.Wrap(apperr.Internal, err, "Temporal refused the command as this installation sends it")
	}
	return apperr.Wrap(apperr.Unavailable, err, "the answer is stored, but its lifecycle has not taken it on yet: repeat it with the same id")
}
