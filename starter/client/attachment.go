package client

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/scan"
)

// MaxDescriptionRunes bounds a file's description, in runes.
const MaxDescriptionRunes = 100

// headBytes is how much of a file tells its format.
const headBytes = 512

// WithScanner has every uploaded file judged by the scanner; without it none is.
func WithScanner(s scan.Scanner) Option { return func(c *Client) { c.scanner = s } }

// Upload is a file for a message to come.
type Upload struct {
	// ID is the caller's idempotency key, a UUID: the same id again is the same file.
	// Empty makes a new one, and a retry then makes a second file.
	ID string
	// PatientID is whom the message will be about; "" for one between colleagues.
	PatientID string
	// Description is the name that the receiver sees, at most MaxDescriptionRunes on one
	// line; it may be empty.
	Description string
	// Size is the content's length in bytes as far as it is known beforehand; negative
	// when it is not.
	Size int64
}

// Upload stores a file that a later message names (S21), sealed as it is read: it is
// never whole in memory. What no message has named after a day is dropped.
//
// Errors: too-large above attachment.MaxFileBytes (S22), before the content is read when
// Size says so; invalid for no content, for a content that breaks off, and for what the
// virus scanner finds; unsupported for another format than PDF, JPEG and PNG, whatever
// the file is called; unavailable when the scanner cannot tell. A file that is refused
// leaves nothing behind.
//
// Idempotent by Upload.ID for as long as the file is kept: the same id and content return
// the same file, the same id with other content is a duplicate; conflict while the first
// call has not ended.
func (c *Client) Upload(ctx context.Context, by identity.Principal, clinicID string, u Upload, content io.Reader) (pg.File, error) {
	if err := allow(by, identity.RightDialogueAnswer, clinicID); err != nil {
		return pg.File{}, err
	}
	return c.upload(ctx, by, clinicID, "", u, content)
}

// upload is Upload by whoever may; viewerID is who does in portal or app, "" for staff.
func (c *Client) upload(ctx context.Context, by identity.Principal, clinicID, viewerID string, u Upload, content io.Reader) (pg.File, error) {
	u.ID, u.Description = strings.ToLower(u.ID), strings.TrimSpace(u.Description)
	var f faults
	f.check(u.ID == "" || isID(u.ID), "id", "a UUID: the idempotency key")
	f.check(u.PatientID == "" || isID(u.PatientID), "patient", "a patient's id; without it the file is for colleagues")
	f.line("description", u.Description, MaxDescriptionRunes)
	if len(f) > 0 {
		return pg.File{}, apperr.InvalidFields("the file has invalid fields", f...)
	}
	if u.Size > attachment.MaxFileBytes {
		return pg.File{}, fileTooLarge()
	}
	body := &fileBody{r: content, left: attachment.MaxFileBytes}
	head := make([]byte, headBytes)
	n, err := io.ReadFull(body, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return pg.File{}, err
	}
	if head = head[:n]; n == 0 {
		return pg.File{}, apperr.New(apperr.Invalid, "the file is empty: send its content as the body")
	}
	format := attachment.Format(head)
	if format == "" {
		return pg.File{}, apperr.New(apperr.Unsupported, "the file is neither PDF, JPEG nor PNG, whatever it is called: Helsenorge takes no other")
	}
	return c.store.StoreFile(ctx, by, clinicID, pg.NewFile{ID: u.ID, PatientID: u.PatientID, ViewerID: viewerID, MIME: format, Description: u.Description},
		io.MultiReader(strings.NewReader(string(head)), body),
		func(open func() (io.Reader, error)) error { return c.scanner.Scan(ctx, open) })
}

func fileTooLarge() error {
	return apperr.New(apperr.TooLarge, "a file has at most %d bytes (%d MB): send a smaller one", attachment.MaxFileBytes, attachment.MaxFileBytes/1_000_000)
}

// fileBody is a file as a caller sends it, and no more of it than is allowed.
type fileBody struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader. A caller who hangs up is no fault of the store's.
func (b *fileBody) Read(p []byte) (int, error) {
	// One byte more than is left tells a file of the largest size from a larger one.
	p = p[:min(int64(len(p)), b.left+1)]
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fileTooLarge()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, apperr.New(apperr.Invalid, "the file breaks off before its end: send it again")
	}
	return n, err
}

// Attachment opens a file of a dialogue, a citizen's or the clinic's own. Its content is
// read from the store as the caller reads it: only io.EOF says that nothing is missing.
// It must never be shown as a page of this origin.
func (c *Client) Attachment(ctx context.Context, by identity.Principal, clinicID, dialogueID, fileID string) (pg.File, io.Reader, error) {
	if err := allow(by, identity.RightMessageRead, clinicID); err != nil {
		return pg.File{}, nil, err
	}
	return c.store.ReadAttachment(ctx, by, clinicID, dialogueID, fileID)
}
