package pg

import (
	"github.com/helsebro/helsebro/internal/domain/routing"
)

// DialogueChangeKind is what staff ask of a dialogue.
type DialogueChangeKind string

// The changes.
const (
	// TakeDialogue: the caller takes it; a dialogue that another has is a conflict that
	// names him (A3).
	TakeDialogue DialogueChangeKind = "take"
	// AssignDialogue: StaffID has it from now on; empty gives it back to everybody.
	AssignDialogue DialogueChangeKind = "assign"
	// ForwardDialogue: it lies with To from now on, and nobody has taken it.
	ForwardDialogue DialogueChangeKind = "forward"
	// CloseDialogue: ended by the clinic without a message; an e-consultation only once
	// it is answered (F13).
	CloseDialogue DialogueChangeKind = "close"
	// ConvertDialogue: an e-contact becomes an e-consultation (S54, F14).
	ConvertDialogue DialogueChangeKind = "convert"
	// ResendMessage: the identical message OutboundID once more, after it was overdue or
	// reported on the error queue (HITS 1216 §2.2.4).
	ResendMessage DialogueChangeKind = "resend"
	// SplitRequest: Items take the place of a renewal request's free text (F15).
	SplitRequest DialogueChangeKind = "split"
)

// DialogueChange is a stored command on a dialogue. ID is the caller's: the same id
// again is the same change.
type DialogueChange struct {
	ID         string              `json:"-"`
	DialogueID string              `json:"-"`
	Kind       DialogueChangeKind  `json:"kind"`
	StaffID    string              `json:"staffId,omitempty"`
	To         []routing.Recipient `json:"to,omitempty"`
	OutboundID string              `json:"outboundId,omitempty"`
	Items      []string            `json:"items,omitempty"`
	// Note is a word to colleagues; it never leaves the clinic.
	Note string `json:"note,omitempty"`
}
