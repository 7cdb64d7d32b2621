package client

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// MaxNoteRunes bounds a word to colleagues.
const MaxNoteRunes = 1000

// DialogueChanged says how a dialogue stands after a change.
type DialogueChanged struct {
	DialogueID string `json:"dialogueId"`
	// ChangeID is the idempotency key of the change.
	ChangeID string           `json:"changeId"`
	Process  contract.Process `json:"process"`
	Status   contract.Status  `json:"status"`
	// MessageID is what leaves because of it: the notice that a conversion costs, or the
	// identical message once more.
	MessageID string `json:"messageId,omitempty"`
}

// ChangeDialogue stores what staff ask of a dialogue or a renewal request and has its
// lifecycle apply it: take, assign, forward, close, convert, resend, split.
//
// Idempotent by DialogueChange.ID: the same id and content return the same result, the
// same id with other content is a duplicate. Errors: invalid names each field, not-found
// for a dialogue or message that the clinic does not have, conflict carries the state
// that stands in the way: somebody else has it, it is converted already, its message is
// not to be sent again, an e-consultation is not answered. A refused change leaves
// nothing behind; after unavailable the same id takes it up again.
func (c *Client) ChangeDialogue(ctx context.Context, by identity.Principal, clinicID string, ch pg.DialogueChange) (DialogueChanged, error) {
	if err := allow(by, rightTo(ch.Kind), clinicID); err != nil {
		return DialogueChanged{}, err
	}
	if ch.ID == "" {
		ch.ID = uuid.NewString()
	}
	ch.ID, ch.DialogueID, ch.Note = strings.ToLower(ch.ID), oneForm(ch.DialogueID), trimmed(ch.Note)
	var f faults
	f.check(isID(ch.ID), "id", "a UUID: the idempotency key")
	f.text("note", ch.Note, MaxNoteRunes)
	if len(f) > 0 {
		return DialogueChanged{}, apperr.InvalidFields("the change has invalid fields", f...)
	}
	drafted, err := c.store.DraftDialogueChange(ctx, by, clinicID, ch)
	if err != nil {
		return DialogueChanged{}, err
	}
	failpoint.Hit(failpoint.ChangeDrafted)
	if !drafted.Applied {
		cmd := toDialogue(clinicID, ch.DialogueID, drafted.Process, ch.ID)
		cmd.update, cmd.args = contract.UpdateChange, contract.ChangeCommand{CommandID: ch.ID}
		if err := c.give(ctx, clinicID, cmd, &contract.ChangeAccepted{}); err != nil {
			return DialogueChanged{}, refused(ctx, err, func(ctx context.Context) error {
				return c.store.DropDialogueChange(ctx, clinicID, ch.ID, drafted.Attempt)
			})
		}
	}
	failpoint.Hit(failpoint.ChangeAccepted)
	done, err := c.store.DialogueChanged(ctx, clinicID, ch.ID)
	return DialogueChanged{DialogueID: ch.DialogueID, ChangeID: ch.ID, Process: done.Output.Process, Status: done.Status, MessageID: done.Output.OutboundID}, err
}

// rightTo is the right that a change needs: whose turn it is may be said by who reads no
// message (F13).
func rightTo(kind pg.DialogueChangeKind) identity.Right {
	switch kind {
	case pg.TakeDialogue, pg.AssignDialogue, pg.ForwardDialogue:
		return identity.RightDialogueHandle
	case pg.ResendMessage:
		return identity.RightMessageResend
	case pg.CloseDialogue, pg.ConvertDialogue, pg.SplitRequest:
	}
	return identity.RightDialogueAnswer
}
