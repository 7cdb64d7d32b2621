package listen

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
)

// A file is what its content is, whatever it is called; one of another format is a
// fault of the message (HITS 1217 §2.10, HITS 1168 §4.4).
func TestFilesAreWhatTheirContentIs(t *testing.T) {
	t.Parallel()
	jpeg := []byte("\xff\xd8\xff\xe0\x00\x10JFIF")
	m := request(codes.EKontakt, codes.Enquiry)
	m.Attachments = []helsenorge.Attachment{helsenorge.NewAttachment("Bilde", jpeg)}
	xml, err := helsenorge.WriteMessage(m)
	require.NoError(t, err)
	of := func(content []byte, mime string) []byte {
		out := bytes.Replace(xml, []byte(base64.StdEncoding.EncodeToString(jpeg)), []byte(base64.StdEncoding.EncodeToString(content)), 1)
		return bytes.Replace(out, []byte("<MimeType>image/jpeg"), []byte("<MimeType>"+mime), 1)
	}
	for name, c := range map[string]struct {
		content    []byte
		mime, want string
	}{
		"as Helsenorge calls it": {jpeg, "image/jpg", helsenorge.MIMEJPEG},
		"called another":         {[]byte("%PDF-1.7\n"), "image/png", helsenorge.MIMEPDF},
		"called nothing":         {[]byte("\x89PNG\r\n\x1a\n"), "", helsenorge.MIMEPNG},
	} {
		a := opened(t, of(c.content, c.mime), codes.EKontakt)
		require.Equal(t, pg.Taken, a.Verdict, name)
		require.Equal(t, []pg.Attachment{{MIME: c.want, Description: "Bilde", Content: c.content}}, a.Attachments, name)
	}
	for name, content := range map[string][]byte{
		"a program": []byte("MZ\x90\x00"), "a text": []byte("Hei"), "a video": []byte("\x00\x00\x00\x18ftypmp42"), "nothing": nil,
	} {
		a := opened(t, of(content, "application/pdf"), codes.EKontakt)
		require.Equal(t, pg.Rejected, a.Verdict, name)
		require.Equal(t, []string{codes.FormatUnsupported}, a.Codes, name)
		require.True(t, a.WantsReceipt, name)
	}
}
