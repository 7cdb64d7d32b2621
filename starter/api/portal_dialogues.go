package api

import (
	"context"
	"io"
	"net/http"

	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// PortalDialogues is what the API offers to the portal of e-dialogues.
type PortalDialogues interface {
	PortalDialogues(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string, limit int, from string) (pg.Page[pg.PortalDialogue], error)
	PortalDialogue(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID, dialogueID string) (pg.PortalThread, error)
	PortalAttachment(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID, dialogueID, fileID string) (pg.File, io.Reader, error)
	PortalUpload(ctx context.Context, by identity.Principal, clinicID, viewerID string, u client.Upload, content io.Reader) (pg.File, error)
	PortalWrite(ctx context.Context, by identity.Principal, clinicID, patientID, dialogueID string, w client.PortalWriting) (client.PortalWritten, error)
}

// InPortalDialogue is the input of every operation on a patient's e-dialogue.
type InPortalDialogue struct {
	InPatient
	Dialogue string `path:"dialogue" doc:"The dialogue's id"`
}

func (a *API) registerPortalDialogues(s PortalDialogues) {
	const dialogues = "/portal/patients/{patient}/dialogues"
	secured(a, identity.RightPortalRead, get(dialogues, "portal-list-dialogues", "The patient's e-dialogues, as the viewer may see them, the newest first"),
		func(ctx context.Context, c caller, in *struct {
			InPatient
			Viewer string `query:"viewer" required:"true" doc:"Who is signed in: the patient's id, or a representative's"`
			Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Rows at most"`
			Cursor string `query:"cursor" doc:"The nextCursor of the page before"`
		}) (*listOut[pg.PortalDialogue], error) {
			return pages(s.PortalDialogues(ctx, c.Principal, c.clinic, in.Patient, in.Viewer, in.Limit, in.Cursor))
		})
	secured(a, identity.RightPortalRead, get(dialogues+"/{dialogue}", "portal-read-dialogue", "An e-dialogue with its messages, as the viewer may see it; marks it read by the patient"),
		func(ctx context.Context, c caller, in *struct {
			InPortalDialogue
			Viewer string `query:"viewer" required:"true" doc:"Who is signed in: the patient's id, or a representative's"`
		}) (*bodyOut[pg.PortalThread], error) {
			t, err := s.PortalDialogue(ctx, c.Principal, c.clinic, in.Patient, in.Viewer, in.Dialogue)
			t.Messages = nonNil(t.Messages)
			return body(t, err)
		})
	secured(a, identity.RightPortalRead, downloading(dialogues+"/{dialogue}/attachments/{file}", "portal-read-attachment", "A file of an e-dialogue, as the viewer may see it"),
		func(ctx context.Context, c caller, in *struct {
			InPortalDialogue
			File   string `path:"file" doc:"The file's id"`
			Viewer string `query:"viewer" required:"true" doc:"Who is signed in: the patient's id, or a representative's"`
		}) (*attachmentOut, error) {
			f, content, err := s.PortalAttachment(ctx, c.Principal, c.clinic, in.Patient, in.Viewer, in.Dialogue, in.File)
			if err != nil {
				return nil, err
			}
			return download(f, content), nil
		})
	secured(a, identity.RightPortalWrite, uploading("/portal/patients/{patient}/attachments", "portal-upload-attachment"),
		func(ctx context.Context, c caller, in *struct {
			InPatient
			Keyed
			Streamed
			Viewer string `query:"viewer" required:"true" doc:"Who is signed in: the patient's id, or a representative's"`
		}) (*bodyOut[pg.File], error) {
			return in.uploaded(func(description string) (pg.File, error) {
				return s.PortalUpload(ctx, c.Principal, c.clinic, in.Viewer, client.Upload{ID: in.Key, PatientID: in.Patient, Description: description, Size: in.size}, in.body)
			})
		})
	secured(a, identity.RightPortalWrite, op(http.MethodPost, dialogues, "portal-start-dialogue", "Start an e-dialogue with the clinic for the patient", http.StatusCreated),
		func(ctx context.Context, c caller, in *struct {
			InPatient
			Keyed
			Body client.PortalWriting
		}) (*bodyOut[client.PortalWritten], error) {
			in.Body.ID = in.Key
			return written(s.PortalWrite(ctx, c.Principal, c.clinic, in.Patient, "", in.Body))
		})
	secured(a, identity.RightPortalWrite, op(http.MethodPost, dialogues+"/{dialogue}/messages", "portal-write", "Write in an e-dialogue for the patient", http.StatusCreated),
		func(ctx context.Context, c caller, in *struct {
			InPortalDialogue
			Keyed
			Body client.PortalWriting
		}) (*bodyOut[client.PortalWritten], error) {
			in.Body.ID = in.Key
			return written(s.PortalWrite(ctx, c.Principal, c.clinic, in.Patient, in.Dialogue, in.Body))
		})
}

// written is what became of a message of the portal's.
func written(v client.PortalWritten, err error) (*bodyOut[client.PortalWritten], error) {
	return body(v, renamed(err, "id", "header.Idempotency-Key"))
}
