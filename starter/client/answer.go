package client

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

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

// Answer is staff's answer to a dialogue or a renewal request.
type Answer struct {
	// ID is the caller's idempotency key, a UUID: the same id again is the same
	// answer. Empty makes a new one, and a retry then makes a second answer.
	ID string
	// Code is the answer's code of 7602, one of contract.AnswerCodes. A renewal request's
	// may be empty: the decisions on its prescriptions tell. An e-dialogue's is.
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
	// Close says that the dialogue ends with it: an e-consultation says so on Helsenorge
	// (13), an e-contact ends here only. The citizen may write again nevertheless.
	Close bool
	// Attachments are the ids of uploaded files that go with it, in this order.
	Attachments []string
	// Items are the decisions on every prescription of a renewal request, each once;
	// none where the code says it of all.
	Items []pg.ItemDecision
}

// Answer stores the answer's text and asks the dialogue's lifecycle to send it. On
// success the answer is durable: its way to Helsenorge and its terminal outcome
// are on the ledger.
//
// Idempotent by Answer.ID: the same id and content return the same result, the
// same id with other content is a duplicate. Errors: invalid names each field,
// too-large is files of more than a message holds, conflict carries the state that
// stands in the way. A refused answer leaves nothing behind; after unavailable the same
// id takes it up again.
func (c *Client) Answer(ctx context.Context, by identity.Principal, clinicID, dialogueID string, a Answer) (contract.AnswerAccepted, error) {
	if err := allow(by, identity.RightDialogueAnswer, clinicID); err != nil {
		return contract.AnswerAccepted{}, err
	}
	if err := a.check(); err != nil {
		return contract.AnswerAccepted{}, err
	}
	dialogueID = oneForm(dialogueID)
	drafted, err := c.store.DraftAnswer(ctx, by, clinicID, dialogueID, pg.Draft{
		ID: a.ID, Code: a.Code, InReplyTo: a.InReplyTo, Subject: a.Subject, Text: a.Text, Close: a.Close, Attachments: a.Attachments, Items: a.Items,
	})
	if err != nil {
		return contract.AnswerAccepted{}, err
	}
	if drafted.Accepted {
		return contract.AnswerAccepted{AnswerID: a.ID, Status: drafted.Status}, nil
	}
	failpoint.Hit(failpoint.AnswerDrafted)
	// The command names the message that the draft answers, and the code that its
	// decisions come to: the lifecycle and the database must not think of different ones.
	a.InReplyTo, a.Code = drafted.InReplyTo, drafted.Code
	var accepted contract.AnswerAccepted
	cmd, err := answerTo(clinicID, dialogueID, drafted.Process, a)
	if err == nil {
		err = c.give(ctx, clinicID, cmd, &accepted)
	}
	if err != nil {
		return contract.AnswerAccepted{}, refused(ctx, err, func(ctx context.Context) error {
			return c.store.DropDraft(ctx, clinicID, a.ID, drafted.Attempt)
		})
	}
	failpoint.Hit(failpoint.AnswerAccepted)
	return accepted, nil
}

// check refuses what no dialogue could take, names every fault at once, and
// brings the fields to the form that is stored.
func (a *Answer) check() error {
	if a.ID == "" {
		a.ID = uuid.NewString()
	}
	a.ID = strings.ToLower(a.ID)
	a.Text = trimmed(a.Text)
	a.Subject = strings.TrimSpace(a.Subject)
	var f faults
	f.check(isID(a.ID), "id", "a UUID: the idempotency key")
	f.check(a.InReplyTo == "" || isID(a.InReplyTo), "inReplyTo", "the id of a message of the dialogue")
	f.check(a.Text != "", "text", "required")
	f.text("text", a.Text, MaxTextRunes)
	f.line("subject", a.Subject, MaxSubjectRunes)
	if len(f) > 0 {
		return apperr.InvalidFields("the answer has invalid fields", f...)
	}
	return nil
}

// answerTo is the command that gives the lifecycle a drafted answer.
func answerTo(clinicID, dialogueID string, process contract.Process, a Answer) (command, error) {
	if allowed := contract.AnswerCodes(process); !slices.Contains(allowed, a.Code) {
		return command{}, apperr.InvalidFields(fmt.Sprintf("an answer to this %s cannot have this code", process), apperr.Field{
			Path: "code", Rule: "one of " + strings.Join(allowed, ", ") + " for " + string(process),
		})
	}
	cmd := toDialogue(clinicID, dialogueID, process, a.ID)
	cmd.update = contract.UpdateAnswer
	cmd.args = contract.AnswerCommand{AnswerID: a.ID, Code: a.Code, InReplyTo: a.InReplyTo, FollowUp: a.FollowUp, Close: a.Close}
	return cmd, nil
}
