package api

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// transferTime bounds the transfer of one file, either way: the largest at 100 kB/s.
const transferTime = 2 * time.Minute

// Attachments are what the API offers of files.
type Attachments interface {
	Upload(ctx context.Context, by identity.Principal, clinicID string, u client.Upload, content io.Reader) (pg.File, error)
	Attachment(ctx context.Context, by identity.Principal, clinicID, dialogueID, fileID string) (pg.File, io.Reader, error)
}

type (
	attachmentIn struct {
		InDialogue
		File string `path:"file" doc:"The file's id"`
	}

	uploadIn struct {
		InClinic
		Keyed
		Streamed
		Patient string `query:"patient" doc:"Whom the message will be about; without it the file is for colleagues"`
	}

	// Streamed is the part of a request whose body is a file.
	Streamed struct {
		Disposition string `header:"Content-Disposition" doc:"attachment; filename*=UTF-8''…: the name that the receiver sees, at most 100 characters"`

		size int64
		body io.Reader
	}

	attachmentOut struct {
		ContentType string `header:"Content-Type"`
		Disposition string `header:"Content-Disposition"`
		Policy      string `header:"Content-Security-Policy"`
		// Length lets a reader see that a file breaks off.
		Length string `header:"Content-Length"`
		Body   func(huma.Context)
	}
)

var _ huma.Resolver = (*Streamed)(nil)

// Resolve hands the body on as it comes: huma's own ways read it whole.
func (in *Streamed) Resolve(hc huma.Context) []error {
	r, w := humago.Unwrap(hc)
	unhurried(w)
	in.size, in.body = r.ContentLength, r.Body
	return nil
}

// unhurried gives a transfer its time: the server's own is for small bodies.
func unhurried(w http.ResponseWriter) {
	transfer, until := http.NewResponseController(w), time.Now().Add(transferTime)
	_ = transfer.SetReadDeadline(until)  // a server that cannot keeps its own
	_ = transfer.SetWriteDeadline(until) // the answer comes after it
}

func (a *API) registerAttachments(s Attachments) {
	secured(a, identity.RightDialogueAnswer, uploading("/attachments", "upload-attachment"), func(ctx context.Context, c caller, in *uploadIn) (*bodyOut[pg.File], error) {
		return in.uploaded(func(description string) (pg.File, error) {
			return s.Upload(ctx, c.Principal, c.clinic, client.Upload{ID: in.Key, PatientID: in.Patient, Description: description, Size: in.size}, in.body)
		})
	})
	read := downloading("/dialogues/{dialogue}/attachments/{file}", "read-attachment", "A file of a message, the citizen's or the clinic's own")
	secured(a, identity.RightMessageRead, read,
		func(ctx context.Context, c caller, in *attachmentIn) (*attachmentOut, error) {
			f, content, err := s.Attachment(ctx, c.Principal, c.clinic, in.Dialogue, in.File)
			if err != nil {
				return nil, err
			}
			return download(f, content), nil
		})
}

// downloading is an operation that answers with a file.
func downloading(path, id, summary string) huma.Operation {
	read := get(path, id, summary)
	whole := &huma.Response{Description: "The file itself", Content: map[string]*huma.MediaType{}}
	for format := range extensions {
		whole.Content[format] = aFile()
	}
	read.Responses = map[string]*huma.Response{"200": whole}
	return read
}

// uploading is an operation whose body is a file.
func uploading(path, id string) huma.Operation {
	upload := op(http.MethodPost, path, id, "Upload a file for a message to come; what no message names is dropped after a day", http.StatusCreated)
	upload.RequestBody = &huma.RequestBody{
		Description: "The file itself, at most " + strconv.Itoa(attachment.MaxFileBytes) + " bytes: PDF, JPEG or PNG by its content",
		Required:    true,
		Content:     map[string]*huma.MediaType{"application/octet-stream": aFile()},
	}
	return upload
}

// uploaded stores the file under the name that the request gives it.
func (in *Streamed) uploaded(store func(description string) (pg.File, error)) (*bodyOut[pg.File], error) {
	description, err := filename(in.Disposition)
	if err != nil {
		return nil, err
	}
	f, err := store(description)
	for field, name := range map[string]string{"id": "header.Idempotency-Key", "description": "header.Content-Disposition", "patient": "query.patient", "viewer": "query.viewer"} {
		err = renamed(err, field, name)
	}
	return body(f, err)
}

// filename reads the name that a Content-Disposition gives the body, "" when there is none.
func filename(disposition string) (string, error) {
	if disposition == "" {
		return "", nil
	}
	_, parameters, err := mime.ParseMediaType(disposition)
	name := parameters["filename"]
	// A name whose encoding is broken is left out of the parameters without an error.
	if err != nil || name == "" && strings.Contains(strings.ToLower(disposition), "filename") {
		return "", apperr.InvalidFields("the file has no name that can be read",
			apperr.Field{Path: "header.Content-Disposition", Rule: "attachment; filename*=UTF-8''name, with the name percent-encoded"})
	}
	return name, nil
}

// aFile is how the description says that a body is a file as it is.
func aFile() *huma.MediaType {
	return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
}

// extensions of the formats that a file may have.
var extensions = map[string]string{attachment.PDF: ".pdf", attachment.JPEG: ".jpg", attachment.PNG: ".png"}

// download is a file as a browser may have it: saved, never rendered, and without
// origin or scripts should it be opened after all.
func download(f pg.File, content io.Reader) *attachmentOut {
	contentType := "application/octet-stream"
	if extensions[f.MIME] != "" {
		contentType = f.MIME
	}
	return &attachmentOut{
		ContentType: contentType,
		// The sender's own name for the file may name the patient.
		Disposition: mime.FormatMediaType("attachment", map[string]string{"filename": f.ID + extensions[f.MIME]}),
		Policy:      "sandbox; default-src 'none'; frame-ancestors 'none'",
		Length:      strconv.FormatInt(f.Size, 10),
		Body: func(hc huma.Context) {
			_, w := humago.Unwrap(hc)
			unhurried(w)
			hc.SetStatus(http.StatusOK)
			// What fails now cannot be told any more: the length says that something is missing.
			_, _ = io.Copy(w, content)
		},
	}
}
