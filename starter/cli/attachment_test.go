package cli_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/domain/prescription"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	fileID   = "0198c0de-0000-7000-8000-00000000f11e"
	answered = "/dialogues/" + dialogueID + "/answers"
)

func pdf(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte("%PDF-1.7 innhold"), 0o600))
	return path
}

func TestAFileIsUploadedAndItsIDPrinted(t *testing.T) {
	t.Parallel()
	r := serve(t, map[string]answer{
		"POST /attachments?patient=" + patientID: {201, pg.File{ID: fileID, MIME: attachment.PDF, Size: 16}},
		"POST /attachments":                      {201, pg.File{ID: fileID}},
	})
	got := run(t, r.env(), "", "attachment", "upload", pdf(t, "brev.pdf"), "--patient", patientID)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Equal(t, fileID+"\n", got.out)
	require.Equal(t, "%PDF-1.7 innhold", r.calls[0].body, "as it is")

	got = run(t, r.env(), "", "attachment", "upload", pdf(t, "brev.pdf"), "--json")
	require.Contains(t, got.out, `"id": "`+fileID+`"`)
}

func TestTheNameOfAFileGoesWithIt(t *testing.T) {
	t.Parallel()
	var disposition []string
	var size int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		disposition, size = append(disposition, req.Header.Get("Content-Disposition")), req.ContentLength
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"` + fileID + `"}`))
	}))
	t.Cleanup(server.Close)
	env := map[string]string{"HELSEBRO_API_URL": server.URL, "HELSEBRO_TOKEN": "secret", "HELSEBRO_CLINIC": clinicID}
	path := pdf(t, "røntgen.pdf")
	require.Equal(t, cli.ExitDone, run(t, env, "", "attachment", "upload", path).code)
	require.Equal(t, cli.ExitDone, run(t, env, "", "attachment", "upload", path, "--name", "Bilde").code)
	require.Equal(t, []string{"attachment; filename*=utf-8''r%C3%B8ntgen.pdf", "attachment; filename=Bilde"}, disposition)
	require.Equal(t, int64(16), size, "what is too large can be refused before it is sent")
}

func TestWhatIsTooLargeIsNotSent(t *testing.T) { // S22
	t.Parallel()
	path := pdf(t, "stor.pdf")
	require.NoError(t, os.Truncate(path, attachment.MaxFileBytes+1))
	got := run(t, serve(t, nil).env(), "", "attachment", "upload", path)
	require.Equal(t, cli.ExitUsage, got.code)
	require.Contains(t, got.err, "12000000")
	require.Equal(t, cli.ExitUsage, run(t, serve(t, nil).env(), "", "attachment", "upload", t.TempDir()).code)
	require.Equal(t, cli.ExitUsage, run(t, serve(t, nil).env(), "", "attachment", "upload", path, "--patient", nationalID).code)
}

func TestAFileIsSavedOrNoneIs(t *testing.T) {
	t.Parallel()
	const from = "/dialogues/" + dialogueID + "/attachments/" + fileID
	r := serve(t, map[string]answer{"GET " + from: {200, "content"}})
	to := filepath.Join(t.TempDir(), "kne.png")
	got := run(t, r.env(), "", "attachment", "get", dialogueID, fileID, "--output", to)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	saved, err := os.ReadFile(to)
	require.NoError(t, err)
	require.Equal(t, "\"content\"\n", string(saved))
	require.Equal(t, cli.ExitUsage, run(t, r.env(), "", "attachment", "get", dialogueID, fileID, "--output", to).code, "another file is not overwritten")

	r = serve(t, map[string]answer{"GET " + from: {404, api.Problem{Detail: "the dialogue has no such file"}}})
	to = filepath.Join(t.TempDir(), "kne.png")
	require.Equal(t, cli.ExitRefused, run(t, r.env(), "", "attachment", "get", dialogueID, fileID, "--output", to).code)
	require.NoFileExists(t, to)
}

func TestFilesGoWithAnAnswer(t *testing.T) { // S21
	t.Parallel()
	r := serve(t, map[string]answer{
		"GET /dialogues/" + dialogueID:           {200, pg.Dialogue{ID: dialogueID, PatientID: patientID}},
		"POST /attachments?patient=" + patientID: {201, pg.File{ID: fileID}},
		"POST " + answered:                       {202, contract.AnswerAccepted{Status: contract.StatusSending}},
	})
	got := run(t, r.env(), "", "dialogue", "answer", dialogueID, "--code", "12", "--text", "Hei", "--attachment", "first", "--attach", pdf(t, "brev.pdf"))
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.JSONEq(t, `{"code":"12","text":"Hei","attachments":["first","`+fileID+`"]}`, r.calls[2].body)

	r.answers["POST "+answered] = answer{503, api.Problem{Status: 503, Detail: "not taken on yet"}}
	key := uuid.NewString()
	got = run(t, r.env(), "", "dialogue", "answer", dialogueID, "--code", "12", "--text", "Hei", "--attach", pdf(t, "brev.pdf"), "--id", key)
	require.Equal(t, cli.ExitUnavailable, got.code)
	require.Contains(t, got.err, "--id "+key+", and in the place of --attach with --attachment "+fileID, "the same answer has the same files")

	r.answers["POST /attachments?patient="+patientID] = answer{422, api.Problem{Detail: "the file is infected"}}
	asked := len(r.calls)
	got = run(t, r.env(), "", "dialogue", "answer", dialogueID, "--code", "12", "--text", "Hei", "--attach", pdf(t, "brev.pdf"))
	require.Equal(t, cli.ExitRefused, got.code)
	require.Contains(t, got.err, "brev.pdf: the file is infected")
	require.Len(t, r.calls, asked+2, "the answer is not given without it")
}

// renewal is a request for three prescriptions.
func renewal() pg.Dialogue {
	return pg.Dialogue{
		ID: dialogueID, Process: contract.ProcessPrescription, Status: contract.StatusAwaitingClinic, Title: "helsenorge.no: Medisin", Patient: "Kari Nordmann",
		LatestMessageID: "m1", Messages: []pg.Message{{ID: "m1", Function: "RF", Content: pg.Content{DeliveryMode: "AP"}}},
		Prescriptions: []pg.PrescriptionItem{
			{ID: "i1", Position: 1, Source: pg.SourceM1, PrescriptionContent: pg.PrescriptionContent{Medicine: &pg.Medicine{Name: "Ibux 400 mg"}}},
			{ID: "i2", Position: 2, Source: pg.SourceSplit, PrescriptionContent: pg.PrescriptionContent{Text: "Den hvite\x1b[2J"}, Decision: prescription.Cannot, Reason: "Bestill time."},
			{ID: "i3", Position: 3, Source: pg.SourceM1, PrescriptionContent: pg.PrescriptionContent{Medicine: &pg.Medicine{Name: "Loette"}}, Reserved: true},
		},
	}
}

func TestARequestIsShownWithItsPrescriptions(t *testing.T) { // S59
	t.Parallel()
	r := serve(t, map[string]answer{"GET /dialogues/" + dialogueID: {200, renewal()}})
	for _, command := range []string{"prescription", "dialogue"} {
		got := run(t, r.env(), "", command, "show", dialogueID)
		require.Equal(t, cli.ExitDone, got.code, got.err)
		for _, line := range []string{
			"delivery: AP ", "1  Ibux 400 mg: not decided\n", "2  Den hvite\uFFFD[2J: cannot be renewed. Bestill time.\n", "3  Loette: not decided (guardians may not see it)\n",
		} {
			require.Contains(t, got.out, line)
		}
	}
	r = serve(t, map[string]answer{"GET /dialogues/" + dialogueID: {200, pg.Dialogue{ID: dialogueID}}})
	require.Equal(t, cli.ExitUsage, run(t, r.env(), "", "prescription", "show", dialogueID).code)
}

func TestARequestIsAnsweredByNumber(t *testing.T) { // F15
	t.Parallel()
	r := serve(t, map[string]answer{
		"GET /dialogues/" + dialogueID: {200, renewal()},
		"POST " + answered:             {202, contract.AnswerAccepted{Status: contract.StatusSending}},
	})
	medicine := filepath.Join(t.TempDir(), "hvit.json")
	require.NoError(t, os.WriteFile(medicine, []byte(`{"kind":"substance","name":"Hvit 5 mg","group":"C"}`), 0o600))
	got := run(t, r.env(), "", "prescription", "answer", dialogueID, "--renew", "1,2", "--reject", "3=Ikke hos oss.", "--medicine", "2="+medicine, "--text", "Hei.")
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.JSONEq(t, `{"text":"Hei.","inReplyTo":"m1","items":[{"id":"i1","decision":"renewed"},
		{"id":"i2","decision":"renewed","medicine":{"kind":"substance","name":"Hvit 5 mg","group":"C"}},
		{"id":"i3","decision":"rejected","reason":"Ikke hos oss."}]}`, r.calls[1].body)

	got = run(t, r.env(), "", "prescription", "answer", dialogueID, "--code", "15", "--text", "Hei.")
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.JSONEq(t, `{"code":"15","text":"Hei."}`, r.calls[2].body)

	for _, args := range [][]string{
		{}, {"--renew", "4"}, {"--cannot", "2"}, {"--cannot", "2="}, {"--cannot", "x=y"}, {"--renew", "1", "--medicine", "2=" + medicine}, {"--renew", "1", "--medicine", "1=/nonexistent"},
	} {
		got = run(t, r.env(), "", append([]string{"prescription", "answer", dialogueID, "--text", "Hei."}, args...)...)
		require.Equal(t, cli.ExitUsage, got.code, "%v: %s", args, got.err)
	}
}

func TestARequestIsSplit(t *testing.T) {
	t.Parallel()
	r := serve(t, map[string]answer{"POST /dialogues/" + dialogueID + "/changes": {200, client.DialogueChanged{DialogueID: dialogueID}}})
	got := run(t, r.env(), "", "prescription", "split", dialogueID, "--item", "Ibux, 400 mg", "--item", "Zyrtec")
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Contains(t, got.out, "lists 2 prescriptions")
	require.JSONEq(t, `{"kind":"split","items":["Ibux, 400 mg","Zyrtec"]}`, r.calls[0].body)
	require.NoError(t, uuid.Validate(r.calls[0].key))
}
