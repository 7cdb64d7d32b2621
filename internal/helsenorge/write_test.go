package helsenorge

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// written writes every fixture, by name.
func written(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for name, m := range fixtures() {
		raw, err := WriteMessage(m)
		require.NoError(t, err, name)
		out[name] = raw
	}
	for name, r := range receipts() {
		raw, err := WriteReceipt(r)
		require.NoError(t, err, name)
		out[name] = raw
	}
	return out
}

func TestWrittenIsGolden(t *testing.T) {
	t.Parallel()
	for name, raw := range written(t) {
		path := filepath.Join("testdata", name+".xml")
		if *update {
			require.NoError(t, os.WriteFile(path, raw, 0o600))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err, "run the test with -update to make it")
		require.Equal(t, string(want), string(raw), name)
	}
}

func TestWrittenIsValidByTheOfficialSchemas(t *testing.T) {
	t.Parallel()
	all := written(t)
	names := slices.Sorted(maps.Keys(all))
	documents := make([][]byte, len(names))
	for i, name := range names {
		documents[i] = all[name]
	}
	requireValid(t, documents...)
}

func TestWrittenReadsBackEqual(t *testing.T) {
	t.Parallel()
	for name, m := range fixtures() {
		raw, err := WriteMessage(m)
		require.NoError(t, err, name)
		got, problems := Read(raw)
		require.Empty(t, problems, name)
		require.Equal(t, writeInstant(now), got.Head.GenDateLiteral)
		got.Head.GenDateLiteral = ""
		require.Equal(t, m, whole(got), name)
	}
	for name, r := range receipts() {
		raw, err := WriteReceipt(r)
		require.NoError(t, err, name)
		got, problems := Read(raw)
		require.Empty(t, problems, name)
		require.Equal(t, r, got.Receipt, name)
		require.Equal(t, codes.AppRec, got.Head.Process)
		require.Equal(t, r.ID, got.Head.MsgID)
	}
}

// Every function that the profile has is a fixture.
func TestFixturesAreTheWholeProfile(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, m := range fixtures() {
		have[fmt.Sprintf("%s %t %s", m.Head.Process, m.Dialog.Request != nil, m.Dialog.Function())] = true
	}
	for process, fs := range profile {
		for request, table := range map[bool]map[string]function{true: fs.requests, false: fs.notes} {
			for v, f := range table {
				require.True(t, have[fmt.Sprintf("%s %t %s", process, request, v)], "%s %s", process, v)
				require.True(t, codes.Has(f.list, v), "%s %s", process, v)
			}
		}
	}
}

// Every official sample is written again as far as the strict rules permit: what
// the sample lacks is refused by field, supplied, and then valid.
func TestSamplesAreWrittenAgain(t *testing.T) {
	t.Parallel()
	var documents [][]byte
	for _, process := range []string{"EKONSULTASJON", "EKONTAKT", "RESEPTFORNYELSE", "TIMERESERVASJON", "TIMEONSKE", "AVTALEUTSENDING", "AVTALEAVBESTILLING", "BEHANDLEROVERSIKT", "DIGITALBRUKER", "TEST"} {
		for name, raw := range samples(t, "DIALOG_INNBYGGER_"+process) {
			m, problems := Read(raw)
			require.Empty(t, problems, name)
			_, err := WriteMessage(m)
			for _, field := range fieldsOf(t, err) {
				switch field {
				case "Head.Sender.Organisation.Idents":
					m.Head.Sender = m.Head.Sender.WithHerIDs(600200, 600201)
				case "Head.Receiver.Organisation.Idents":
					m.Head.Receiver = m.Head.Receiver.WithHerIDs(600200, 600201)
				case "Head.Sender", "Head.Receiver":
					party := map[string]*Party{"Head.Sender": &m.Head.Sender, "Head.Receiver": &m.Head.Receiver}[field]
					require.Nil(t, party.Unit, "the service is missing, not one too many")
					party.Unit = &party.Organisation
				case "Head.WantsReceipt":
					m.Head.WantsReceipt = false
				case "Head.RefToParent", "Head.RefToConversation":
					m.Head.RefToParent, m.Head.RefToConversation = firstID, firstID
				case "Dialog.Request.Coded":
					m.Dialog.Request.Coded = codeRef(codes.YesNo, codes.OtherAccepted)
					if process == "RESEPTFORNYELSE" {
						m.Dialog.Request.Coded = codeRef(codes.Delivery, "AP")
					}
				case "Dialog.Request.From", "Dialog.Request.To":
					require.Contains(t, name, "planlagte-timer", "it asks for planned appointments as if for free slots")
					m.Dialog.Request.Type = code(codes.Requests, codes.PlannedRequest)
				case "Events[0].EndsAt":
					require.False(t, m.Events[0].Timed(), name)
					m.Events[0].EndsAt = m.Events[0].StartsAt.Add(15 * time.Minute)
				case "Events[0].Categories[0]":
					require.Equal(t, []string{"Konsultasjon"}, m.Events[0].Categories, name)
					m.Events[0].Categories = nil
				case "Events[0].Status":
					require.Equal(t, "COMPLETED", m.Events[0].Status, name)
					m.Events[0].Status = StatusConfirmed
				case "Events[0].UID":
					m.Events[0].UID = appointmentID
				case "Practitioners":
					require.Equal(t, "21", m.Dialog.Function(), "the practitioners are listed and said to be none")
					m.Dialog.Note.Topic = code(codes.Answers, codes.PractitionersFound)
				case "Dialog.Note.Text":
					m.Dialog.Note.Text.Plain = "Utfylt."
				default:
					require.Fail(t, "refused", "%s: %s", name, field)
				}
			}
			again, err := WriteMessage(m)
			require.NoError(t, err, name)
			documents = append(documents, again)
			back, problems := Read(again)
			require.Empty(t, problems, name)
			m.Head.GenDate = m.Head.GenDate.Truncate(time.Millisecond)
			m.Head.GenDateLiteral, m.Head.ProcessLiteral, back.Head.GenDateLiteral = "", "", ""
			require.Equal(t, whole(m), whole(back), name)
		}
	}
	for name, raw := range samples(t, "app-rec") {
		m, problems := Read(raw)
		require.Empty(t, problems, name)
		again, err := WriteReceipt(m.Receipt)
		require.NoError(t, err, name)
		documents = append(documents, again)
		back, problems := Read(again)
		require.Empty(t, problems, name)
		require.Equal(t, m.Receipt, back.Receipt, name)
	}
	require.Len(t, documents, len(samples(t, "")), "every official sample, and none passed over")
	requireValid(t, documents...)
}

// fieldsOf are the paths of an apperr.Invalid, and nothing for nil.
func fieldsOf(t *testing.T, err error) (paths []string) {
	t.Helper()
	if err == nil {
		return nil
	}
	require.Equal(t, apperr.Invalid, apperr.KindOf(err), "%v", err)
	var e *apperr.Error
	require.ErrorAs(t, err, &e)
	for _, f := range e.Fields {
		paths = append(paths, f.Path)
	}
	require.NotEmpty(t, paths, "an invalid message names its fields")
	return paths
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, fixture string
		change        func(*Message)
		field         string
	}{
		{"no UUID", "contact-HE", func(m *Message) { m.Head.MsgID = "17" }, "Head.MsgID"},
		{"a UUID in braces", "contact-HE", func(m *Message) { m.Head.MsgID = "{" + firstID + "}" }, "Head.MsgID"},
		{"no instant", "contact-HE", func(m *Message) { m.Head.GenDate = time.Time{} }, "Head.GenDate"},
		{"no receipt wanted", "contact-HE", func(m *Message) { m.Head.WantsReceipt = false }, "Head.WantsReceipt"},
		{"a receipt of a test", "test-KT", func(m *Message) { m.Head.WantsReceipt = true }, "Head.WantsReceipt"},
		{"half a patient in a test", "test-KT", func(m *Message) { m.Head.Patient = &Patient{} }, "Head.Patient.NationalID"},
		{"no patient", "contact-HE", func(m *Message) { m.Head.Patient = nil }, "Head.Patient"},
		{"patient without given name", "contact-HE", func(m *Message) { m.Head.Patient.GivenName = " " }, "Head.Patient.GivenName"},
		{"ten digits", "contact-HE", func(m *Message) { m.Head.Patient.NationalID = child[1:] }, "Head.Patient.NationalID"},
		{"help number", "contact-HE", func(m *Message) { m.Head.Patient.NationalID = "81234567802" }, "Head.Patient.NationalID"},
		{"FNR called DNR", "contact-HE", func(m *Message) { m.Head.Patient.IDType = "DNR" }, "Head.Patient.IDType"},
		{"other id type", "contact-HE", func(m *Message) { m.Head.Patient.IDType = "FHN" }, "Head.Patient.IDType"},
		{"phone with blanks", "contact-HE", func(m *Message) { m.Head.Patient.Phone = "90 00" }, "Head.Patient.Phone"},
		{"first message with a reference", "contact-HE", func(m *Message) { m.Head.RefToParent = secondID }, "Head.RefToParent"},
		{"answer without parent", "contact-19", func(m *Message) { m.Head.RefToParent = "" }, "Head.RefToParent"},
		{"answer without conversation", "contact-19", func(m *Message) { m.Head.RefToConversation = "" }, "Head.RefToConversation"},
		{"answer to itself", "contact-19", func(m *Message) { m.Head.RefToParent = m.Head.MsgID }, "Head.RefToParent"},
		{"unread notice without parent", "contact-VUS", func(m *Message) { m.Head.RefToParent = "" }, "Head.RefToParent"},
		{"no HER-id of the enterprise", "contact-19", func(m *Message) { m.Head.Sender.Organisation.Idents = nil }, "Head.Sender.Organisation.Idents"},
		{"no HER-id of the service", "contact-19", func(m *Message) { m.Head.Receiver.Unit.Idents = nil }, "Head.Receiver.Unit.Idents"},
		{"no HER-id of the person", "contact-19", func(m *Message) { m.Head.Sender.Person.Idents = m.Head.Sender.Person.Idents[:1] }, "Head.Sender.Person.Idents"},
		{"one level", "contact-19", func(m *Message) { m.Head.Sender.Person = nil }, "Head.Sender"},
		{"three levels", "contact-19", func(m *Message) { m.Head.Sender.Unit = &Organisation{} }, "Head.Sender"},
		{"wrong list of an id type", "contact-19", func(m *Message) { m.Head.Receiver.Unit.Idents[0].Type.S = codes.PersonIDs.OID() }, "Head.Receiver.Unit.Idents[0].Type.S"},
		{"code of another process", "contact-19", func(m *Message) { m.Dialog.Note.Topic = Code{V: "12"} }, "Dialog.Note.Topic.V"},
		{"27 in an e-contact", "contact-19", func(m *Message) { m.Dialog.Note.Topic = Code{V: "27"} }, "Dialog.Note.Topic.V"},
		{"31 in a renewal", "renewal-15", func(m *Message) { m.Dialog.Note.Topic = Code{V: "31"} }, "Dialog.Note.Topic.V"},
		{"22 in a renewal", "renewal-15", func(m *Message) { m.Dialog.Note.Topic = Code{V: "22"} }, "Dialog.Note.Topic.V"},
		{"request code in a note", "contact-19", func(m *Message) { m.Dialog.Note.Topic = Code{V: "HE"} }, "Dialog.Note.Topic.V"},
		{"unknown request", "contact-HE", func(m *Message) { m.Dialog.Request.Type = Code{V: "XX"} }, "Dialog.Request.Type.V"},
		{"wrong list", "contact-19", func(m *Message) { m.Dialog.Note.Topic.S = codes.Requests.OID() }, "Dialog.Note.Topic.S"},
		{"both parts", "contact-19", func(m *Message) { m.Dialog.Request = &Request{} }, "Dialog"},
		{"no part", "contact-19", func(m *Message) { m.Dialog.Note = nil }, "Dialog"},
		{"no dialog", "contact-19", func(m *Message) { m.Dialog = nil }, "Dialog"},
		{"no subject", "consultation-SB", func(m *Message) { m.Dialog.Request.Subject = "" }, "Dialog.Request.Subject"},
		{"51 characters", "consultation-SB", func(m *Message) { m.Dialog.Request.Subject = strings.Repeat("å", 51) }, "Dialog.Request.Subject"},
		{"1001 characters", "consultation-SB", func(m *Message) { m.Dialog.Request.Text.Plain = strings.Repeat("å", 1001) }, "Dialog.Request.Text"},
		{"1001 characters formatted", "contact-19", func(m *Message) { m.Dialog.Note.Text = Text{XHTML: "<p>" + strings.Repeat("å", 1001) + "</p>"} }, "Dialog.Note.Text"},
		{"no text", "contact-19", func(m *Message) { m.Dialog.Note.Text = Text{} }, "Dialog.Note.Text"},
		{"blank text", "contact-19", func(m *Message) { m.Dialog.Note.Text = Text{Plain: " \n"} }, "Dialog.Note.Text"},
		{"formatted nothing", "contact-19", func(m *Message) { m.Dialog.Note.Text = Text{XHTML: "<p> </p>"} }, "Dialog.Note.Text"},
		{"control character", "contact-19", func(m *Message) { m.Dialog.Note.Text.Plain = "a\x01b" }, "Dialog.Note.Text"},
		{"broken UTF-8", "contact-19", func(m *Message) { m.Dialog.Note.Text.Plain = "a\xff" }, "Dialog.Note.Text"},
		{"link", "contact-19", func(m *Message) { m.Dialog.Note.Text = Text{XHTML: `<a href="x">y</a>`} }, "Dialog.Note.Text.XHTML"},
		{"style", "contact-19", func(m *Message) { m.Dialog.Note.Text = Text{XHTML: `<p style="x">y</p>`} }, "Dialog.Note.Text.XHTML"},
		{"unclosed markup", "contact-19", func(m *Message) { m.Dialog.Note.Text = Text{XHTML: `<p>y`} }, "Dialog.Note.Text.XHTML"},
		{"markup that breaks out", "contact-19", func(m *Message) { m.Dialog.Note.Text = Text{XHTML: `</div><div>y`} }, "Dialog.Note.Text.XHTML"},
		{"foreign namespace", "contact-19", func(m *Message) { m.Dialog.Note.Text = Text{XHTML: `<p xmlns="urn:x">y</p>`} }, "Dialog.Note.Text.XHTML"},
		{"renewal without delivery", "renewal-RF", func(m *Message) { m.Dialog.Request.Coded = nil }, "Dialog.Request.Coded"},
		{"unknown delivery", "renewal-RF", func(m *Message) { m.Dialog.Request.Coded.V = "ZZ" }, "Dialog.Request.Coded.V"},
		{"delivery of an enquiry", "contact-HE", func(m *Message) { m.Dialog.Request.Coded = codeRef(codes.Delivery, "AP") }, "Dialog.Request.Coded"},
		{"case id in an e-consultation", "consultation-12", func(m *Message) { m.Dialog.CaseID = "1" }, "Dialog.CaseID"},
		{"role in an enquiry", "contact-HE", func(m *Message) { m.Dialog.Request.Roles = wished() }, "Dialog.Request.Roles"},
		{"citizen names an author", "consultation-SB", func(m *Message) { m.Dialog.Request.Roles = author() }, "Dialog.Request.Roles[0]"},
		{"an e-contact's author as a professional", "contact-19", func(m *Message) { m.Dialog.Note.Roles = wished() }, "Dialog.Note.Roles[0]"},
		{"renewed without prescription", "renewal-14", func(m *Message) { m.Prescriptions = nil }, "Prescriptions"},
		{"not renewed with a prescription", "renewal-15", func(m *Message) { m.Prescriptions = []Prescription{pack()} }, "Prescriptions"},
		{"free text with a prescription", "renewal-RF", func(m *Message) { m.Prescriptions = []Prescription{pack()} }, "Prescriptions"},
		{"two of one id", "renewal-14", func(m *Message) { m.Prescriptions = []Prescription{pack(), pack()} }, "Prescriptions[1].ID"},
		{"an id that is no name", "renewal-14", func(m *Message) { m.Prescriptions[0].ID = "1" }, "Prescriptions[0].ID"},
		{"a medicine of no group", "renewal-14", func(m *Message) { m.Prescriptions[0].Group = Code{} }, "Prescriptions[0].Group.V"},
		{"a pack without number", "renewal-14", func(m *Message) { m.Prescriptions[0].ItemNumber = "" }, "Prescriptions[0].ItemNumber"},
		{"a brand in a pack", "renewal-RFER", func(m *Message) { m.Prescriptions[0].PackSize = "3" }, "Prescriptions[0].ItemNumber"},
		{"a brand without name", "renewal-RFER", func(m *Message) { m.Prescriptions[0].TradeName = "" }, "Prescriptions[0].TradeName"},
		{"a substance without id", "renewal-RFER", func(m *Message) { m.Prescriptions[1].ID = "" }, "Prescriptions[1].ID"},
		{"an article with a code of medicines", "renewal-32", func(m *Message) { m.Prescriptions[0].ATC.V = "A" }, "Prescriptions[0].Kind"},
		{"half a day", "renewal-14", func(m *Message) { m.Prescriptions[0].ExpiresOn = now }, "Prescriptions[0].ExpiresOn"},
		{"a quantity in words", "renewal-14", func(m *Message) { m.Prescriptions[0].Quantity = "to" }, "Prescriptions[0].Quantity"},
		{"renewal by prescription without delivery", "renewal-RFER", func(m *Message) { m.Dialog.Request.Coded = nil }, "Dialog.Request.Coded"},
		{"a status in words", "active-SDAB", func(m *Message) { m.Dialog.Request.Text.Plain = "Hei" }, "Dialog.Request.Text"},
		{"a status of nobody", "active-SDAB", func(m *Message) { m.Head.Patient = nil }, "Head.Patient"},
		{"a list of nobody", "active-SIDAB", func(m *Message) { m.People = nil }, "People"},
		{"a list about a patient", "active-28", func(m *Message) { m.Head.Patient = &Patient{} }, "Head.Patient"},
		{"people in a dialogue", "contact-19", func(m *Message) { m.People = []Person{somebody("A", "B", parent)} }, "People"},
		{"role of nobody", "contact-19", func(m *Message) { m.Dialog.Note.Roles[0].Person = nil }, "Dialog.Note.Roles[0]"},
		{"person without role", "contact-19", func(m *Message) { m.Dialog.Note.Roles[0].RolleNotat = nil }, "Dialog.Note.Roles[0]"},
		{"attachment of a renewal", "renewal-15", func(m *Message) { m.Attachments = []Attachment{{MIME: MIMEPDF, Content: pdf}} }, "Attachments"},
		{"empty attachment", "contact-19", func(m *Message) { m.Attachments = []Attachment{{MIME: MIMEPDF}} }, "Attachments[0].Content"},
		{"program", "contact-19", func(m *Message) { m.Attachments = []Attachment{{MIME: MIMEPDF, Content: []byte("MZ")}} }, "Attachments[0].Content"},
		{"wrong format", "contact-19", func(m *Message) { m.Attachments = []Attachment{{MIME: MIMEJPEG, Content: pdf}} }, "Attachments[0].MIME"},
		{"image/jpg", "contact-19", func(m *Message) {
			m.Attachments = []Attachment{{MIME: "image/jpg", Content: []byte("\xff\xd8\xff\xe0")}}
		}, "Attachments[0].MIME"},
		{"clinic on behalf", "contact-19", func(m *Message) { m.Relation = onBehalf() }, "Relation"},
		{"relation of no list", "contact-22", func(m *Message) { m.Relation = onBehalf(); m.Relation.Kind = Code{V: "MO"} }, "Relation.Kind.V"},
		{"representative without number", "contact-22", func(m *Message) { m.Relation = onBehalf(); m.Relation.Person.NationalID = "" }, "Relation.Person.NationalID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := fixtures()[tt.fixture]
			tt.change(m)
			raw, err := WriteMessage(m)
			require.Nil(t, raw)
			require.Contains(t, fieldsOf(t, err), tt.field)
			require.NotContains(t, err.Error(), child)
		})
	}
}

func TestWriteUnsupported(t *testing.T) {
	t.Parallel()
	m := fixtures()["renewal-RF"]
	m.Head.Process = codes.Oppgave
	_, err := WriteMessage(m)
	require.Equal(t, apperr.Unsupported, apperr.KindOf(err))

	m = fixtures()["renewal-RF"]
	m.Unknown = []string{"Leveringsrapport"}
	_, err = WriteMessage(m)
	require.Equal(t, apperr.Unsupported, apperr.KindOf(err))

	m = fixtures()["renewal-RF"]
	m.Receipt = receipts()["receipt-ok"]
	_, err = WriteMessage(m)
	require.Equal(t, apperr.Invalid, apperr.KindOf(err))
}

func TestWriteFillsIn(t *testing.T) {
	t.Parallel()
	m := fixtures()["renewal-15"]
	m.Head.ProcessName = ""
	m.Dialog.Note.Topic = Code{V: "15"}
	m.Dialog.Note.Subject = ""
	raw, err := WriteMessage(m)
	require.NoError(t, err)
	require.Equal(t, Code{V: "15"}, m.Dialog.Note.Topic, "the message is not changed")
	got, problems := Read(raw)
	require.Empty(t, problems)
	require.Equal(t, code(codes.Answers, "15"), got.Dialog.Note.Topic)
	require.Equal(t, "Resept kan ikke fornyes", got.Dialog.Note.Subject, "a renewal's answer shows a Tema")
	require.Equal(t, "Dialog med innbygger - reseptfornyelse", got.Head.ProcessName)
}

func TestLimitsCountCharacters(t *testing.T) {
	t.Parallel()
	m := fixtures()["consultation-SB"]
	m.Dialog.Request.Subject = strings.Repeat("å", MaxSubject)
	m.Dialog.Request.Text.Plain = strings.Repeat("😀", MaxText)
	_, err := WriteMessage(m)
	require.NoError(t, err)
	m.Dialog.Request.Text = Text{XHTML: "<p><b>" + strings.Repeat("å", MaxText) + "</b></p>"}
	_, err = WriteMessage(m)
	require.NoError(t, err, "markup does not count")
}

func TestLargeAttachments(t *testing.T) {
	t.Parallel()
	m := fixtures()["contact-19"]
	content := append(slices.Clone(pdf), bytes.Repeat([]byte{1, 2, 3}, 4<<20)...)
	m.Attachments = []Attachment{{MIME: MIMEPDF, Content: content}}
	raw, err := WriteMessage(m)
	require.NoError(t, err)
	got, problems := Read(raw)
	require.Empty(t, problems)
	require.True(t, bytes.Equal(content, got.Attachments[0].Bytes()))
	require.EqualValues(t, len(content), got.Attachments[0].Size())

	m.Attachments = append(m.Attachments, m.Attachments[0])
	_, err = WriteMessage(m)
	require.Equal(t, apperr.TooLarge, apperr.KindOf(err))
}

// A file of megabytes is read without a copy of it, and written to somewhere else without.
func TestLargeAttachmentsStayWhereTheyAre(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	m := fixtures()["contact-19"]
	content := append(slices.Clone(pdf), bytes.Repeat([]byte{1, 2, 3}, 4<<20)...)
	m.Attachments = []Attachment{{MIME: MIMEPDF, Content: content}}
	raw, err := WriteMessage(m)
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, problems := Read(raw)
	written := sha256.New()
	n, err := got.Attachments[0].WriteTo(written)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Empty(t, problems)
	require.EqualValues(t, len(content), n)
	sum := sha256.Sum256(content)
	require.Equal(t, sum[:], written.Sum(nil))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "bytes allocated, freed ones included")
}

func TestReplyHead(t *testing.T) {
	t.Parallel()
	to := fromCitizen(codes.EKontakt, firstID)
	second := ReplyHead(to, secondID, now, "")
	require.Equal(t, to.Receiver, second.Sender)
	require.Equal(t, to.Sender, second.Receiver)
	require.Equal(t, firstID, second.RefToParent)
	require.Equal(t, firstID, second.RefToConversation)
	require.Equal(t, to.Patient, second.Patient)
	require.NotSame(t, to.Patient, second.Patient)
	third := ReplyHead(second, thirdID, now, second.RefToConversation)
	require.Equal(t, secondID, third.RefToParent)
	require.Equal(t, firstID, third.RefToConversation)
}

func TestHerIDs(t *testing.T) {
	t.Parallel()
	p := clinicParty()
	require.Equal(t, 600201, p.HerID())
	require.Equal(t, p, p.WithHerIDs(1, 2), "what is there stays")
	p.Person.Idents = p.Person.Idents[:1]
	require.Equal(t, 600200, p.HerID(), "level 1 when level 2 has none")
	p.Organisation.Idents = p.Organisation.Idents[:1]
	require.Zero(t, p.HerID())
	full := p.WithHerIDs(600200, 600201)
	require.Equal(t, 600201, full.HerID())
	require.Equal(t, 600200, herID(full.Organisation.Idents))
	require.Zero(t, p.HerID(), "the party itself is unchanged")
}
