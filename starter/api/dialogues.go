package api

import (
	"context"
	"net/http"

	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// Dialogues is what the API offers to start dialogues and to handle them.
type Dialogues interface {
	StartDialogue(ctx context.Context, by identity.Principal, clinicID string, s client.StartDialogue) (client.Started, error)
	ChangeDialogue(ctx context.Context, by identity.Principal, clinicID string, ch pg.DialogueChange) (client.DialogueChanged, error)
	Turn(ctx context.Context, by identity.Principal, clinicID, requestID string, t client.Turn) (client.Started, error)
}

// DialogueChangeRequest is what staff ask of a dialogue.
type DialogueChangeRequest struct {
	Kind      pg.DialogueChangeKind `json:"kind" enum:"take,assign,forward,close,convert,resend,split" doc:"What is asked; each kind has its own fields"`
	StaffID   string                `json:"staffId,omitempty" doc:"assign: who has it from now on; empty gives it back to everybody"`
	To        []routing.Recipient   `json:"to,omitempty" doc:"forward: where it lies from now on"`
	MessageID string                `json:"messageId,omitempty" doc:"resend: the clinic's message, overdue or on the error queue"`
	Items     []string              `json:"items,omitempty" doc:"split: the prescriptions, in place of the request's text"`
	Note      string                `json:"note,omitempty" doc:"A word to colleagues; it never leaves the clinic"`
}

// changeFields names the fields of a change as its request does.
func changeFields(err error) error {
	return renamedBy(err, func(field string) string {
		switch field {
		case "id":
			return "header.Idempotency-Key"
		case "outboundId":
			return "messageId"
		}
		return field
	})
}

func (a *API) registerDialogueCommands(s Dialogues) {
	secured(a, identity.RightDialogueAnswer, op(http.MethodPost, "/dialogues", "start-dialogue",
		"Start a dialogue; it is durable when accepted, and sent then. 409 names why the patient cannot be contacted", http.StatusAccepted),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Keyed
			Body client.StartDialogue
		}) (*bodyOut[client.Started], error) {
			in.Body.ID = in.Key
			started, err := s.StartDialogue(ctx, c.Principal, c.clinic, in.Body)
			return body(started, renamed(err, "id", "header.Idempotency-Key"))
		})
	secured(a, identity.RightDialogueHandle, op(http.MethodPost, "/dialogues/{dialogue}/changes", "change-dialogue",
		"Take, assign or forward a dialogue; with the right dialogue:answer close or convert it, or split a renewal request; with message:resend send a message of it again", http.StatusOK),
		func(ctx context.Context, c caller, in *struct {
			InDialogue
			Keyed
			Body DialogueChangeRequest
		}) (*bodyOut[client.DialogueChanged], error) {
			changed, err := s.ChangeDialogue(ctx, c.Principal, c.clinic, pg.DialogueChange{
				ID: in.Key, DialogueID: in.Dialogue, Kind: in.Body.Kind, StaffID: in.Body.StaffID, To: in.Body.To,
				OutboundID: in.Body.MessageID, Items: in.Body.Items, Note: in.Body.Note,
			})
			return body(changed, changeFields(err))
		})
	secured(a, identity.RightMessageResend, op(http.MethodPost, "/dialogues/{dialogue}/messages/{message}/resend", "resend-message",
		"Send the identical message once more, after it was overdue or reported on the error queue", http.StatusOK),
		func(ctx context.Context, c caller, in *struct {
			InDialogue
			Keyed
			Message string `path:"message" doc:"The id of the clinic's message"`
		}) (*bodyOut[client.DialogueChanged], error) {
			changed, err := s.ChangeDialogue(ctx, c.Principal, c.clinic, pg.DialogueChange{
				ID: in.Key, DialogueID: in.Dialogue, Kind: pg.ResendMessage, OutboundID: in.Message,
			})
			return body(changed, renamedBy(changeFields(err), func(field string) string {
				if field == "messageId" {
					return "path.message"
				}
				return field
			}))
		})
	secured(a, identity.RightDialogueAnswer, op(http.MethodPost, "/dialogues/{dialogue}/turn", "turn-into-dialogue",
		"Go on from the answer to a renewal request in an e-contact or e-consultation", http.StatusAccepted),
		func(ctx context.Context, c caller, in *struct {
			InDialogue
			Keyed
			Body client.Turn
		}) (*bodyOut[client.Started], error) {
			in.Body.ID = in.Key
			started, err := s.Turn(ctx, c.Principal, c.clinic, in.Dialogue, in.Body)
			return body(started, renamed(err, "id", "header.Idempotency-Key"))
		})
}
