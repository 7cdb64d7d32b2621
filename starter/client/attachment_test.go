package client_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/domain/prescription"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/scan"
	"github.com/helsebro/helsebro/internal/scan/scantest"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	fileID = "0198c0de-0000-7000-8000-00000000f11e"
)

// zeros are as many bytes as are read: a file that is nowhere whole. read counts them.
type zeros struct {
	left, read int64
	head       string
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	if z.read == 0 {
		copy(p[:n], z.head)
	}
	z.left -= n
	z.read += n
	return int(n), nil
}

func pdf(size int64) *zeros { return &zeros{left: size, head: "%PDF-1.7\n"} }

func TestAFileOfTheLargestSizeIsTakenAndOneByteMoreIsNot(t *testing.T) { // S22, A2, D16
	t.Parallel()
	store := newStore(contract.ProcessEConsultation)
	service := client.New(store, &fakeTemporal{})
	for _, told := range []int64{attachment.MaxFileBytes, -1} {
		f, err := service.Upload(t.Context(), practitioner(), clinicID, client.Upload{PatientID: patientID, Size: told}, pdf(attachment.MaxFileBytes))
		require.NoError(t, err)
		require.Equal(t, int64(12_000_000), f.Size)
		require.Len(t, store.kept, 12_000_000)
	}

	over := pdf(attachment.MaxFileBytes + 1)
	_, err := service.Upload(t.Context(), practitioner(), clinicID, client.Upload{Size: attachment.MaxFileBytes + 1}, over)
	require.True(t, apperr.Is(err, apperr.TooLarge), "%v", err)
	require.Zero(t, over.read, "what says its size is refused unread")

	endless := pdf(1 << 40)
	_, err = service.Upload(t.Context(), practitioner(), clinicID, client.Upload{Size: -1}, endless)
	require.True(t, apperr.Is(err, apperr.TooLarge), "%v", err)
	require.LessOrEqual(t, endless.read, int64(attachment.MaxFileBytes+1), "and nothing is read beyond the limit")

	_, err = service.Upload(t.Context(), practitioner(), clinicID, client.Upload{Size: 5}, pdf(attachment.MaxFileBytes+1))
	require.True(t, apperr.Is(err, apperr.TooLarge), "whatever the caller says: %v", err)
}

func TestAFileIsJudgedByItsContent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content, mime string
		kind          apperr.Kind
	}{
		"PDF":             {"%PDF-1.4", "application/pdf", ""},
		"PNG":             {"\x89PNG\r\n\x1a\n", "image/png", ""},
		"JPEG":            {"\xff\xd8\xff\xe0" + strings.Repeat("x", 2000), "image/jpeg", ""},
		"empty":           {"", "", apperr.Invalid},
		"one byte":        {"%", "", apperr.Unsupported},
		"page":            {"<html>", "", apperr.Unsupported},
		"program":         {"MZ\x90", "", apperr.Unsupported},
		"PDF later on":    {" %PDF-1.4", "", apperr.Unsupported},
		"archive of them": {"PK\x03\x04%PDF-", "", apperr.Unsupported},
	} {
		store := newStore(contract.ProcessEConsultation)
		f, err := client.New(store, &fakeTemporal{}).Upload(t.Context(), practitioner(), clinicID, client.Upload{Description: "bilde.png", Size: -1}, strings.NewReader(c.content))
		require.Equal(t, c.kind, apperr.KindOf(err), "%s: %v", name, err)
		require.Equal(t, c.mime, f.MIME, name)
		require.Equal(t, c.kind == "", bytes.Equal(store.kept, []byte(c.content)) && len(store.kept) > 0, name)
	}
}

func TestAFileIsScannedOverTCP(t *testing.T) { // D16
	t.Parallel()
	down := scantest.Start(t, "x ERROR", "x ERROR", "x ERROR")
	for name, c := range map[string]struct {
		clamd   *scantest.Clamd
		content string
		kind    apperr.Kind
	}{
		"clean":    {scantest.Start(t), "%PDF- nothing", ""},
		"infected": {scantest.Start(t), "%PDF-" + string(scantest.Infected), apperr.Invalid},
		"no word":  {down, "%PDF- nothing", apperr.Unavailable},
	} {
		store := newStore(contract.ProcessEConsultation)
		scanner := scan.NewClamd(c.clamd.Addr)
		scanner.Pause = 1
		_, err := client.New(store, &fakeTemporal{}, client.WithScanner(scanner)).
			Upload(t.Context(), practitioner(), clinicID, client.Upload{Size: -1}, strings.NewReader(c.content))
		require.Equal(t, c.kind, apperr.KindOf(err), "%s: %v", name, err)
		require.Equal(t, c.kind == "", store.kept != nil, name)
		require.Equal(t, c.content, string(c.clamd.Scanned()[0]), name)
	}
	require.Len(t, down.Scanned(), 3, "asked again before nobody can tell")
}

func TestAFileWithInvalidWordsIsNotRead(t *testing.T) {
	t.Parallel()
	for path, u := range map[string]client.Upload{
		"patient":     {PatientID: "17858012345"},
		"description": {Description: strings.Repeat("æ", client.MaxDescriptionRunes+1)},
	} {
		content := pdf(100)
		_, err := client.New(newStore(contract.ProcessEConsultation), &fakeTemporal{}).Upload(t.Context(), practitioner(), clinicID, u, content)
		var e *apperr.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, apperr.Invalid, e.Kind)
		require.Equal(t, path, e.Fields[0].Path)
		require.Zero(t, content.read)
	}
	_, err := client.New(newStore(contract.ProcessEConsultation), &fakeTemporal{}).Upload(t.Context(), as(identity.RoleOperator), clinicID, client.Upload{}, pdf(100))
	require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)
}

// cut is a body whose sender hangs up.
type cut struct{ io.Reader }

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestAFileThatBreaksOffIsNotKept(t *testing.T) {
	t.Parallel()
	store := newStore(contract.ProcessEConsultation)
	_, err := client.New(store, &fakeTemporal{}).Upload(t.Context(), practitioner(), clinicID, client.Upload{Size: -1}, cut{pdf(100_000)})
	require.True(t, apperr.Is(err, apperr.Invalid), "%v", err)
	require.Nil(t, store.kept)
}

func TestTheDecisionsTellTheCode(t *testing.T) { // F15
	t.Parallel()
	store, temporal := newStore(contract.ProcessPrescription), &fakeTemporal{}
	items := []pg.ItemDecision{{ID: fileID, Decision: prescription.Renewed}, {ID: patientID, Decision: prescription.Cannot, Reason: "Bestill time."}}
	got, err := client.New(store, temporal).Answer(t.Context(), practitioner(), clinicID, dialogueID, client.Answer{Text: "Hei", Items: items})
	require.NoError(t, err)
	require.Equal(t, items, store.drafts[got.AnswerID].Items)
	require.Equal(t, []any{contract.AnswerCommand{AnswerID: got.AnswerID, Code: "32", InReplyTo: messageID}}, temporal.update.Args,
		"the lifecycle hears the code and of no medicine")
}

func TestFilesGoWithAnAnswer(t *testing.T) {
	t.Parallel()
	store := newStore(contract.ProcessEConsultation)
	got, err := client.New(store, &fakeTemporal{}).Answer(t.Context(), practitioner(), clinicID, dialogueID, client.Answer{Code: "12", Text: "Hei", Attachments: []string{fileID}})
	require.NoError(t, err)
	require.Equal(t, []string{fileID}, store.drafts[got.AnswerID].Attachments)
}
