package helsenorge

import (
	"bytes"
	"encoding/base64"
	"fmt"

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
	// Content is the file.
	Content []byte
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
	encoded := container.bytes()
	if !validBase64(encoded) {
		return a, "" // the schema's verdict says so already
	}
	a.Content = decodeBase64(encoded)
	if a.MIME = attachment.Format(a.Content); a.MIME == "" {
		return a, "the attachment is neither PDF, JPEG nor PNG"
	}
	return a, ""
}

// validBase64 tells whether the text is xs:base64Binary: blanks anywhere, whole
// groups of four, and no bits left over before the padding.
func validBase64(text []byte) bool {
	count, padding, last := 0, 0, byte(0)
	for _, c := range text {
		switch {
		case isSpace(c):
			continue
		case !isBase64(c), padding > 0 && c != '=':
			return false
		case c == '=':
			padding++
		default:
			last = c
		}
		count++
	}
	switch {
	case count%4 != 0:
		return false
	case padding == 0:
		return true
	case padding == 1:
		return bytes.IndexByte([]byte("AEIMQUYcgkosw048"), last) >= 0
	case padding == 2:
		return bytes.IndexByte([]byte("AQgw"), last) >= 0
	}
	return false
}

// decodeBase64 decodes what validBase64 accepts, into one buffer of its size.
func decodeBase64(text []byte) []byte {
	out := make([]byte, 0, base64.StdEncoding.DecodedLen(len(text)))
	var group [4]byte
	var three [3]byte
	n := 0
	for _, c := range text {
		if isSpace(c) {
			continue
		}
		group[n] = c
		if n++; n == len(group) {
			size, _ := base64.StdEncoding.Decode(three[:], group[:])
			out, n = append(out, three[:size]...), 0
		}
	}
	return out
}

func (c *checker) attachments(m *Message, f function) {
	if !f.attachments {
		c.check(len(m.Attachments) == 0, "Attachments", "must be empty: this code has no attachments")
		return
	}
	for i, a := range m.Attachments {
		at := fmt.Sprintf("Attachments[%d]", i)
		c.text(a.Description, at+".Description")
		format := attachment.Format(a.Content)
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
	_, _ = encoder.Write(a.Content) // to memory: neither can fail
	_ = encoder.Close()
	w.close("Base64Container")
	w.close("Content")
	w.close("RefDoc")
	w.close("Document")
}
