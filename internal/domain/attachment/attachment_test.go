package attachment_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
)

func TestTheFormatIsWhatTheContentIs(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		"%PDF-1.7\n":            attachment.PDF,
		"\xFF\xD8\xFF\xE0....":  attachment.JPEG,
		"\x89PNG\r\n\x1a\n....": attachment.PNG,
		"":                      "",
		"%PDF":                  "",
		"\x89PNG\n":             "",
		"GIF89a":                "",
		"MZ\x90\x00 kne.pdf":    "",
		"<html>%PDF-":           "",
	} {
		require.Equal(t, want, attachment.Format([]byte(head)), "%q", head)
	}
}

// The estimate is what is checked when a file is attached; the message itself is checked
// when it is written. What the first lets through the second must not refuse.
func TestWhatIsLetThroughCanBeWritten(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, attachment.SealedBytes(attachment.MaxFileBytes), int64(attachment.MaxSealedBytes), "one file of the largest size")
	require.Greater(t, attachment.SealedBytes(attachment.MaxFileBytes, attachment.MaxFileBytes), int64(attachment.MaxSealedBytes))

	size := int64(attachment.MaxSealedBytes-attachment.SealedBytes())/4*3/2 - 4<<10
	require.LessOrEqual(t, attachment.SealedBytes(size, size), int64(attachment.MaxSealedBytes))
	m := answer()
	for range 2 {
		content := make([]byte, size)
		copy(content, "%PDF-1.7")
		m.Attachments = append(m.Attachments, helsenorge.Attachment{MIME: attachment.PDF, Description: strings.Repeat("æ", 100), Content: content})
	}
	wire, err := helsenorge.WriteMessage(m)
	require.NoError(t, err)
	require.LessOrEqual(t, int64(len(wire)), attachment.SealedBytes(size, size))
	require.Greater(t, int64(len(wire))+200<<10, attachment.SealedBytes(size, size), "the estimate is near")
}

// answer is a clinic's answer with the longest text.
func answer() *helsenorge.Message {
	code := func(list codes.List, v string) helsenorge.Code {
		return helsenorge.Code{V: v, S: list.OID(), DN: codes.Name(list, v)}
	}
	party := func(name, herID string) helsenorge.Party {
		o := helsenorge.Organisation{Name: name, Idents: []helsenorge.Ident{{ID: herID, Type: code(codes.OrganisationID, codes.HER)}}}
		return helsenorge.Party{Organisation: o, Unit: &o}
	}
	return &helsenorge.Message{
		Head: helsenorge.Head{
			Process: codes.EKonsultasjon, MsgID: uuid.NewString(), GenDate: time.Date(2026, 6, 15, 8, 30, 0, 0, time.UTC), WantsReceipt: true,
			RefToParent: uuid.NewString(), RefToConversation: uuid.NewString(), Sender: party("Legesenteret", "600200"), Receiver: party("Portalen", "500100"),
			Patient: &helsenorge.Patient{
				GivenName: "Fiktiv", FamilyName: "Pasient", IDType: "FNR", NationalID: nationalid.Synthetic(time.Date(1984, 11, 23, 0, 0, 0, 0, time.UTC), 7),
			},
		},
		Dialog: &helsenorge.Dialog{Note: &helsenorge.Note{
			Topic: code(codes.Answers, "12"), Subject: strings.Repeat("&", helsenorge.MaxSubject), Text: helsenorge.Text{Plain: strings.Repeat("&", helsenorge.MaxText)},
		}},
	}
}
