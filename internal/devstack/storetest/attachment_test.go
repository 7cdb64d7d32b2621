package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// whole reads a file to its end.
func whole(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return b
}

// clean is a check that opens the file and finds nothing.
func clean(open func() (io.Reader, error)) error {
	r, err := open()
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	return err
}

// pdfOf is content that cannot be compressed, of a size.
func pdfOf(size int) []byte {
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(content) // never fails
	copy(content, "%PDF-1.7\n")
	return content
}

// files are an e-consultation with uploads to answer it.
type files struct {
	*testing.T
	s       *pg.Store
	message pg.Arrived
	patient string
}

func withFiles(t *testing.T) (files, *pg.Store) {
	t.Helper()
	_, s := setup(t)
	return question(t, s), s
}

func question(t *testing.T, s *pg.Store) files {
	t.Helper()
	m, err := s.StoreArrival(t.Context(), eConsultation())
	require.NoError(t, err)
	require.Equal(t, pg.Taken, m.Verdict)
	patient, err := s.PatientByNationalID(t.Context(), demo.Service, demo.ClinicID, line.NationalID)
	require.NoError(t, err)
	return files{t, s, m, patient}
}

func (f files) upload(patient string, content []byte) pg.File {
	f.Helper()
	got, err := f.s.StoreFile(f.Context(), demo.GP, demo.ClinicID, pg.NewFile{PatientID: patient, MIME: attachment.PDF, Description: "røntgen.pdf"}, bytes.NewReader(content), clean)
	require.NoError(f, err)
	return got
}

func (f files) answer(ids ...string) (pg.Draft, error) {
	d := pg.Draft{ID: uuid.NewString(), Code: "12", Text: "Se vedlegg.", Attachments: ids}
	_, err := f.s.DraftAnswer(f.Context(), demo.GP, demo.ClinicID, f.message.DialogueID, d)
	return d, err
}

func TestAFileGoesWithItsMessage(t *testing.T) { // S21
	f, s := withFiles(t)
	first, second := pdfOf(700_000), pdfOf(3) // several parts, and less than one
	a, b := f.upload(f.patient, first), f.upload(f.patient, second)
	require.Equal(t, int64(700_000), a.Size)
	require.Len(t, a.SHA256, 64)
	require.NotEqual(t, a.SHA256, b.SHA256)

	d, err := f.answer(b.ID, a.ID)
	require.NoError(t, err)
	_, err = s.DraftAnswer(t.Context(), demo.GP, demo.ClinicID, f.message.DialogueID, d)
	require.NoError(t, err, "the same answer again has the same files")
	view, err := s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, f.message.DialogueID)
	require.NoError(t, err)
	require.Equal(t, []pg.File{b, a}, view.Answers[0].Attachments, "in the order in which they were named")
	for i, want := range [][]byte{second, first} {
		got, content, err := s.ReadAttachment(t.Context(), demo.GP, demo.ClinicID, f.message.DialogueID, view.Answers[0].Attachments[i].ID)
		require.NoError(t, err)
		require.Equal(t, "røntgen.pdf", got.Description)
		require.True(t, bytes.Equal(want, whole(t, content)))
	}
	_, err = s.PrepareAnswer(t.Context(), demo.ClinicID, d.ID, helsenorge, func(_ context.Context, j pg.Job) ([]byte, error) {
		require.Len(t, j.Attachments, 2)
		require.Equal(t, pg.JobFile{MIME: attachment.PDF, Description: "røntgen.pdf", Content: second}, j.Attachments[0])
		require.True(t, bytes.Equal(first, j.Attachments[1].Content))
		return []byte("wire"), nil
	})
	require.NoError(t, err)
}

func TestWhichFilesMayGoWithAMessage(t *testing.T) {
	f, s := withFiles(t)
	other, err := s.PutPatient(t.Context(), demo.Service, demo.ClinicID, pg.Patient{GivenName: "Per", FamilyName: "Testperson", NationalID: nationalid.Synthetic(time.Date(1970, 8, 21, 0, 0, 0, 0, time.UTC), 4), IDType: "FNR"}, "", false)
	require.NoError(t, err)
	mine := f.upload(f.patient, pdfOf(10))
	refused := func(kind apperr.Kind, words string, ids ...string) {
		t.Helper()
		_, err := f.answer(ids...)
		require.True(t, apperr.Is(err, kind), "%v", err)
		var e *apperr.Error
		require.ErrorAs(t, err, &e)
		text := e.Message
		for _, field := range e.Fields {
			text += " " + field.Path + " " + field.Rule
		}
		require.Contains(t, text, words)
	}
	refused(apperr.Invalid, "attachments[0] a file that was uploaded for the same patient", f.upload(other, pdfOf(10)).ID)
	refused(apperr.Invalid, "attachments[0] a file that was uploaded for the same patient", f.upload("", pdfOf(10)).ID)
	refused(apperr.Invalid, "attachments[1]", mine.ID, uuid.NewString())
	refused(apperr.Invalid, "attachments[1]", mine.ID, mine.ID)
	refused(apperr.Invalid, "attachments[0]", "kne.pdf")
	view, err := s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, f.message.DialogueID)
	require.NoError(t, err)
	refused(apperr.Invalid, "attachments[0]", view.Messages[0].Attachments[0].ID) // the citizen's own
	require.Empty(t, view.Answers, "what is refused leaves nothing behind")

	d, err := f.answer(mine.ID)
	require.NoError(t, err)
	refused(apperr.Conflict, "one message", mine.ID)
	require.NoError(t, s.DropDraft(t.Context(), demo.ClinicID, d.ID, 1))
	_, err = f.answer(mine.ID)
	require.NoError(t, err, "an answer that was not taken leaves its files")

	_, _, err = s.ReadAttachment(t.Context(), demo.GP, demo.ClinicID, uuid.NewString(), mine.ID)
	require.True(t, apperr.Is(err, apperr.NotFound), "of another dialogue: %v", err)
}

func TestTheSealedTotalIsCheckedWhenAttaching(t *testing.T) {
	f, s := withFiles(t)
	most := (attachment.MaxSealedBytes - attachment.SealedBytes()) / 4 * 3 / 2 // for each of two, but for their own documents
	a, b, c := f.upload(f.patient, pdfOf(int(most)-4096)), f.upload(f.patient, pdfOf(int(most)-4096)), f.upload(f.patient, pdfOf(8192))
	_, err := f.answer(a.ID, b.ID, c.ID)
	require.True(t, apperr.Is(err, apperr.TooLarge), "%v", err)
	require.ErrorContains(t, err, "20 MB")
	_, err = f.answer(a.ID, b.ID)
	require.NoError(t, err)

	_, err = s.StoreFile(t.Context(), demo.GP, demo.ClinicID, pg.NewFile{PatientID: uuid.NewString(), MIME: attachment.PDF}, bytes.NewReader(pdfOf(10)), clean)
	require.True(t, apperr.Is(err, apperr.NotFound), "a patient of nobody's: %v", err)
}

func TestAnAnswerToARenewalRequestCarriesNoFiles(t *testing.T) { // HITS 1217 §3.1.3
	_, s := setup(t)
	m, err := s.StoreArrival(t.Context(), renewal("Ibux"))
	require.NoError(t, err)
	patient, err := s.PatientByNationalID(t.Context(), demo.Service, demo.ClinicID, line.NationalID)
	require.NoError(t, err)
	file := files{t, s, m, patient}.upload(patient, pdfOf(10))
	_, err = s.DraftAnswer(t.Context(), demo.GP, demo.ClinicID, m.DialogueID, pg.Draft{ID: uuid.NewString(), Code: "15", Text: "Nei.", Attachments: []string{file.ID}})
	require.True(t, apperr.Is(err, apperr.Invalid), "%v", err)
}

// slow is a body that says when it is asked for its last byte.
type slow struct {
	io.Reader
	last func()
}

func (s slow) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		s.last()
	}
	return n, err
}

func TestAFileThatIsRefusedOrBreaksOffLeavesNothing(t *testing.T) {
	d, s := setup(t)
	f := question(t, s)
	count := func() string {
		n, err := d.SQL(t.Context(), "SELECT (SELECT count(*) FROM attachment WHERE clinic_id IS NOT NULL), (SELECT count(*) FROM attachment_part p JOIN attachment a ON a.id = p.attachment_id AND a.clinic_id IS NOT NULL)")
		require.NoError(t, err)
		return n
	}
	upload := func(ctx context.Context, content io.Reader, check func(func() (io.Reader, error)) error) error {
		_, err := s.StoreFile(ctx, demo.GP, demo.ClinicID, pg.NewFile{PatientID: f.patient, MIME: attachment.PDF}, content, check)
		return err
	}
	during := ""
	infected := apperr.New(apperr.Invalid, "the file is infected")
	err := upload(t.Context(), slow{bytes.NewReader(pdfOf(600_000)), func() { during = count() }}, func(open func() (io.Reader, error)) error {
		for range 2 { // a scanner may ask again
			r, err := open()
			require.NoError(t, err)
			require.True(t, bytes.Equal(pdfOf(600_000), whole(t, r)))
		}
		return infected
	})
	require.ErrorIs(t, err, infected)
	require.Equal(t, "1|2", during, "it was sealed into the database as it came")
	require.Equal(t, "0|0", count())

	cut := errors.New("cut")
	err = upload(t.Context(), io.MultiReader(bytes.NewReader(pdfOf(600_000)), broken{cut}), clean)
	require.Error(t, err)
	require.Equal(t, "0|0", count())

	ctx, cancel := context.WithCancel(t.Context())
	err = upload(ctx, slow{bytes.NewReader(pdfOf(600_000)), cancel}, clean)
	require.Error(t, err)
	require.Equal(t, "0|0", count(), "who hangs up leaves nothing")
}

// broken is a body that ends in an error.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestWhatIsNotUsedForADayIsDropped(t *testing.T) {
	_, s := setup(t)
	f := question(t, s)
	old, used := f.upload(f.patient, pdfOf(10)), f.upload(f.patient, pdfOf(10))
	_, err := f.answer(used.ID)
	require.NoError(t, err)

	later := s.At(func() time.Time { return time.Now().Add(24*time.Hour - time.Minute) })
	files{t, later, f.message, f.patient}.upload(f.patient, pdfOf(10))
	d, err := f.answer(old.ID)
	require.NoError(t, err, "within the day it may still be used")
	require.NoError(t, s.DropDraft(t.Context(), demo.ClinicID, d.ID, 1))

	later = s.At(func() time.Time { return time.Now().Add(24*time.Hour + time.Minute) })
	files{t, later, f.message, f.patient}.upload(f.patient, pdfOf(10))
	_, err = f.answer(old.ID)
	require.True(t, apperr.Is(err, apperr.Invalid), "%v", err)
	view, err := s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, f.message.DialogueID)
	require.NoError(t, err)
	require.Equal(t, used.ID, view.Answers[0].Attachments[0].ID, "what a message carries stays")
}

func TestOneOfTwoMessagesGetsTheFile(t *testing.T) {
	f, _ := withFiles(t)
	file := f.upload(f.patient, pdfOf(10))
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = f.answer(file.ID) })
	}
	wg.Wait()
	taken := 0
	for _, err := range errs {
		if err == nil {
			taken++
			continue
		}
		require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	}
	require.Equal(t, 1, taken)
}

func TestAFileOfAnErasedPatientCannotBeOpened(t *testing.T) {
	d, s := setup(t)
	f := question(t, s)
	file := f.upload(f.patient, []byte("%PDF- Line Testperson"))
	_, err := f.answer(file.ID)
	require.NoError(t, err)
	dump, err := d.Dump(t.Context())
	require.NoError(t, err)
	require.NotContains(t, dump, "255044462d204c696e65", "the file is sealed")
	require.NoError(t, s.ErasePatient(t.Context(), demo.Admin, demo.ClinicID, f.patient))
	_, _, err = s.ReadAttachment(t.Context(), demo.GP, demo.ClinicID, f.message.DialogueID, file.ID)
	require.True(t, apperr.Is(err, apperr.Erased), "%v", err)
}

// generated is a PDF that is nowhere whole, and calls probe before its last byte.
type generated struct {
	left  int
	probe func()
}

func (g *generated) Read(p []byte) (int, error) {
	if g.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), g.left)
	clear(p[:n])
	if g.left == attachment.MaxFileBytes {
		copy(p, "%PDF-1.7\n")
	}
	if g.left -= n; g.left == 0 {
		g.probe()
	}
	return n, nil
}

// TestAFileIsNeverWholeInMemory uploads and reads a file of the largest size, and looks
// at the live heap when all but its end has passed. No other test runs meanwhile.
func TestAFileIsNeverWholeInMemory(t *testing.T) {
	const most = 3 << 20
	s := alone(t)
	f := question(t, s)
	live := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what a pool keeps lives through one
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, during := live(), int64(0)
	got, err := client.New(s, nil).Upload(t.Context(), demo.GP, demo.ClinicID, client.Upload{PatientID: f.patient, Size: -1},
		&generated{attachment.MaxFileBytes, func() { during = live() }})
	require.NoError(t, err)
	require.Equal(t, int64(attachment.MaxFileBytes), got.Size)
	t.Logf("the upload keeps %d kB", (during-before)>>10)
	require.Less(t, during-before, int64(most))

	_, err = f.answer(got.ID)
	require.NoError(t, err)
	_, content, err := s.ReadAttachment(t.Context(), demo.GP, demo.ClinicID, f.message.DialogueID, got.ID)
	require.NoError(t, err)
	before = live()
	n, err := io.CopyN(io.Discard, content, attachment.MaxFileBytes-1)
	require.NoError(t, err)
	require.Equal(t, int64(attachment.MaxFileBytes-1), n)
	during = live()
	t.Logf("reading it keeps %d kB", (during-before)>>10)
	require.Less(t, during-before, int64(most))
	require.Len(t, whole(t, content), 1)
}

// renewal is a request in the citizen's own words, or for the prescriptions named.
func renewal(text string, items ...pg.Medicine) pg.Arrival {
	a := arrival(contract.ProcessPrescription, "DIALOG_INNBYGGER_RESEPTFORNYELSE", "RF")
	a.Attachments, a.Items = nil, items
	a.Content = pg.Content{Subject: "Medisin", Text: text, DeliveryMode: "AP"}
	if len(items) > 0 {
		a.Function = "RFER"
	}
	return a
}

func TestSealedFilesAreNotFoundByTheirWords(t *testing.T) {
	d, s := setup(t)
	a := eConsultation()
	a.Attachments[0].Content = []byte(strings.Repeat("hemmelig vedlegg ", 40_000)) // several parts
	m, err := s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	parts, err := d.SQL(t.Context(), "SELECT count(*) FROM attachment_part")
	require.NoError(t, err)
	require.Equal(t, "3", parts)
	view, err := s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	_, content, err := s.ReadAttachment(t.Context(), demo.GP, demo.ClinicID, m.DialogueID, view.Messages[0].Attachments[0].ID)
	require.NoError(t, err)
	require.Equal(t, string(a.Attachments[0].Content), string(whole(t, content)))

	_, err = d.SQL(t.Context(), "DELETE FROM attachment_part WHERE position = 3")
	require.NoError(t, err)
	_, content, err = s.ReadAttachment(t.Context(), demo.GP, demo.ClinicID, m.DialogueID, view.Messages[0].Attachments[0].ID)
	require.NoError(t, err)
	_, err = io.ReadAll(content)
	require.Error(t, err, "a file that lacks its end does not pass for whole")
}
