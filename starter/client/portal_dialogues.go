package client

import (
	"context"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// PortalDialogues is what the client needs of the database for e-dialogues in portal and
// app.
type PortalDialogues interface {
	PortalDialogues(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string, limit int, from string) (pg.Page[pg.PortalDialogue], error)
	PortalDialogue(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID, id string) (pg.PortalThread, error)
	PortalAttachment(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID, dialogueID, id string) (pg.File, io.Reader, error)
	StorePortalMessage(ctx context.Context, by identity.Principal, clinicID string, w pg.WrittenInPortal) (pg.Arrived, error)
	HandedOver(ctx context.Context, messageID string) error
}

// PortalWriting is what a patient, or who represents him, writes to the clinic in its own
// portal or app: a message of an e-dialogue, or the first of a new one.
type PortalWriting struct {
	// ID is the idempotency key, as Booking's.
	ID       string `json:"-"`
	ViewerID string `json:"viewerId" doc:"Who is signed in: the patient's id, or a representative's"`
	// Subject is the title of a new dialogue.
	Subject     string   `json:"subject,omitempty" doc:"At most 50 characters on one line; the title of a new dialogue"`
	Text        string   `json:"text" doc:"At most 1000 characters"`
	Attachments []string `json:"attachments,omitempty" doc:"Ids of uploaded files"`
	// App is true when it comes from the app and not the portal.
	App bool `json:"app,omitempty" doc:"It comes from the app"`
}

// PortalWritten names the message that the clinic has now.
type PortalWritten struct {
	DialogueID string `json:"dialogueId"`
	MessageID  string `json:"messageId"`
}

// PortalDialogues lists the patient's e-dialogues as the viewer may see them, the newest
// first: a page of limit rows, 0 means DefaultLimit, after the one whose Next is from. What is on Helsenorge is read there, and
// what colleagues write to each other is nobody else's (S19, S20). Errors as
// PortalAppointments.
func (c *Client) PortalDialogues(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string, limit int, from string) (pg.Page[pg.PortalDialogue], error) {
	if err := allow(by, identity.RightPortalRead, clinicID); err != nil {
		return pg.Page[pg.PortalDialogue]{}, err
	}
	return c.store.PortalDialogues(ctx, by, clinicID, patientID, viewerID, bounded(limit), from)
}

// PortalDialogue opens an e-dialogue of the patient's for the viewer, and marks the
// clinic's messages read. Errors as PortalAppointments.
func (c *Client) PortalDialogue(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID, dialogueID string) (pg.PortalThread, error) {
	if err := allow(by, identity.RightPortalRead, clinicID); err != nil {
		return pg.PortalThread{}, err
	}
	return c.store.PortalDialogue(ctx, by, clinicID, patientID, viewerID, dialogueID)
}

// PortalWrite takes a message of the patient's in: for the e-dialogue, or with an empty
// dialogueID for a new one, whose place follows the clinic's rule for e-contacts. On
// success it is durable and its lifecycle knows of it.
//
// Idempotent by ID: the same id and content are the same message, the same id with other
// content is a duplicate. Errors: invalid names each field, forbidden says why the viewer
// may not act for the patient, conflict that the patient is blocked. After unavailable the
// same id takes it up again.
func (c *Client) PortalWrite(ctx context.Context, by identity.Principal, clinicID, patientID, dialogueID string, w PortalWriting) (PortalWritten, error) {
	if err := allow(by, identity.RightPortalWrite, clinicID); err != nil {
		return PortalWritten{}, err
	}
	if err := w.check(); err != nil {
		return PortalWritten{}, err
	}
	source := sourcePortal
	if w.App {
		source = sourceApp
	}
	stored, err := c.store.StorePortalMessage(ctx, by, clinicID, pg.WrittenInPortal{
		ID: w.ID, PatientID: patientID, ViewerID: w.ViewerID, DialogueID: dialogueID, Source: source,
		Subject: w.Subject, Text: w.Text, Attachments: w.Attachments,
	})
	if err != nil {
		return PortalWritten{}, err
	}
	failpoint.Hit(failpoint.PortalStored)
	if !stored.HandedOver {
		if err := c.handOver(ctx, stored); err != nil {
			return PortalWritten{}, err
		}
	}
	return PortalWritten{DialogueID: stored.DialogueID, MessageID: stored.ID}, nil
}

// PortalUpload is Upload for what the patient, or who represents him, is to write.
func (c *Client) PortalUpload(ctx context.Context, by identity.Principal, clinicID, viewerID string, u Upload, content io.Reader) (pg.File, error) {
	if err := allow(by, identity.RightPortalWrite, clinicID); err != nil {
		return pg.File{}, err
	}
	if !isID(viewerID) || !isID(u.PatientID) {
		return pg.File{}, apperr.InvalidFields("the file has invalid fields", apperr.Field{Path: "viewer", Rule: "the id of the patient or of a representative"})
	}
	return c.upload(ctx, by, clinicID, viewerID, u, content)
}

// PortalAttachment opens a file of an e-dialogue of the patient's for the viewer, as
// Attachment does for staff. Errors as PortalAppointments.
func (c *Client) PortalAttachment(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID, dialogueID, fileID string) (pg.File, io.Reader, error) {
	if err := allow(by, identity.RightPortalRead, clinicID); err != nil {
		return pg.File{}, nil, err
	}
	return c.store.PortalAttachment(ctx, by, clinicID, patientID, viewerID, dialogueID, fileID)
}

// check refuses what no dialogue could take, names every fault at once, and brings the
// fields to the form that is stored.
func (w *PortalWriting) check() error {
	if w.ID == "" {
		w.ID = uuid.NewString()
	}
	w.ID, w.ViewerID = strings.ToLower(w.ID), strings.ToLower(w.ViewerID)
	w.Subject, w.Text = strings.TrimSpace(w.Subject), trimmed(w.Text)
	var f faults
	f.check(isID(w.ID), "id", "a UUID: the idempotency key")
	f.check(isID(w.ViewerID), "viewerId", "the id of the patient or of a representative")
	f.check(w.Text != "", "text", "required")
	f.text("text", w.Text, MaxTextRunes)
	f.line("subject", w.Subject, MaxSubjectRunes)
	if len(f) > 0 {
		return apperr.InvalidFields("the message has invalid fields", f...)
	}
	return nil
}

// handOver tells the dialogue's lifecycle of a stored message, as the listener does of
// Helsenorge's: no worker need be running, and a repetition changes nothing.
func (c *Client) handOver(ctx context.Context, m pg.Arrived) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := command{
		process: m.Process, about: string(m.Process) + " from the portal", workflowID: contract.DialogueWorkflowID(m.DialogueID),
	}
	_, err := c.temporal.SignalWithStartWorkflow(ctx, cmd.workflowID, contract.SignalMessageReceived,
		contract.MessageReceived{MessageID: m.ID, MsgID: m.MsgID, Function: m.Function, ReceivedAt: m.ReceivedAt},
		cmd.start(m.ClinicID), contract.DialogueWorkflow,
		contract.DialogueInput{ClinicID: m.ClinicID, DialogueID: m.DialogueID, Process: m.Process, Resume: !m.NewDialogue})
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "the message is stored, but its lifecycle could not be told: repeat it with the same id")
	}
	failpoint.Hit(failpoint.PortalSignalled)
	return c.store.HandedOver(ctx, m.ID)
}
