package helsenorge

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// The formats that an attachment may have (HITS 1217 §2.10).
const (
	MIMEPDF  = attachment.PDF
	MIMEJPEG = attachment.JPEG
	MIMEPNG  = attachment.PNG
)

// Attachment is a file in a message.
type Attachment struct {
	// MIME is the format that the content has, whatever the sender called it
	// (official samples say image/jpg).
	MIME string
	// Description is the name shown to the reader; it may be empty, and may hold
	// personal data.
	Description string
	// Content is the file, of an attachment that is to be written. One that was read has
	// it in the message still: see WriteTo, Bytes and Size.
	Content []byte
	encoded base64Text
	size    int64
}

// Size is the file's, in bytes.
func (a Attachment) Size() int64 {
	if a.encoded != nil {
		return a.size
	}
	return int64(len(a.Content))
}

// WriteTo writes the file to w, some kilobytes at a time, and returns how many bytes it
// wrote. Its errors are w's.
func (a Attachment) WriteTo(w io.Writer) (int64, error) {
	if a.encoded != nil {
		return a.encoded.writeTo(w)
	}
	n, err := w.Write(a.Content)
	return int64(n), err
}

// Bytes is the whole file in memory of its own.
func (a Attachment) Bytes() []byte {
	file := bytes.NewBuffer(make([]byte, 0, a.Size()))
	_, _ = a.WriteTo(file) // to memory: it cannot fail
	return file.Bytes()
}

// head is the begin of the file.
func (a Attachment) head() []byte {
	if a.encoded != nil {
		return a.encoded.head()
	}
	return a.Content
}

// NewAttachment is a file of the format that its content has. Only PDF, JPEG and PNG are
// written: of another it has none.
func NewAttachment(description string, content []byte) Attachment {
	return Attachment{MIME: attachment.Format(content), Description: description, Content: content}
}

// readAttachment reads a RefDoc with a Base64Container. The rule says why the
// content cannot be accepted, or is "".
func readAttachment(refDoc, container *node) (a Attachment, rule string) {
	a.Description = refDoc.child(head("Description")).trimmed()
	if refDoc.child(head("Compression")) != nil {
		return a, "a compressed attachment is not supported"
	}
	encoded := base64Text(container.bytes())
	size, ok := encoded.size()
	if !ok {
		return a, "" // the schema's verdict says so already
	}
	a.encoded, a.size = encoded, size
	if a.MIME = attachment.Format(encoded.head()); a.MIME == "" {
		return a, "the attachment is neither PDF, JPEG nor PNG"
	}
	return a, ""
}

func (c *checker) attachments(m *Message, f function) {
	if !f.attachments {
		c.check(len(m.Attachments) == 0, "Attachments", "must be empty: this code has no attachments")
		return
	}
	for i, a := range m.Attachments {
		at := fmt.Sprintf("Attachments[%d]", i)
		c.text(a.Description, at+".Description")
		format := attachment.Format(a.head())
		if c.check(format != "", at+".Content", "must be PDF, JPEG or PNG") {
			c.check(a.MIME == format, at+".MIME", "must be the format that the content has: application/pdf, image/jpeg or image/png")
		}
	}
}

func (w *writer) attachment(h Head, a Attachment) {
	w.open("Document")
	w.open("RefDoc")
	w.empty("IssueDate", "V", writeInstant(h.GenDate))
	w.cs("MsgType", Code{V: codes.AttachmentType}, codes.DocumentTypes)
	w.leaf("MimeType", a.MIME)
	w.optional("Description", a.Description)
	w.open("Content")
	w.open("Base64Container", "xmlns", nsBase64)
	encoder := base64.NewEncoder(base64.StdEncoding, &w.b)
	_, _ = a.WriteTo(encoder) // to memory: neither can fail
	_ = encoder.Close()
	w.close("Base64Container")
	w.close("Content")
	w.close("RefDoc")
	w.close("Document")
}
