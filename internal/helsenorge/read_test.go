package helsenorge

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

func golden(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".xml"))
	require.NoError(t, err)
	return string(raw)
}

// edited is a golden file with one text replaced.
func edited(t testing.TB, name, old, replacement string) []byte {
	t.Helper()
	text := golden(t, name)
	require.Contains(t, text, old)
	return []byte(strings.Replace(text, old, replacement, 1))
}

func TestReadSamples(t *testing.T) {
	t.Parallel()
	for name, raw := range samples(t, "") {
		m, problems := Read(raw)
		require.Empty(t, problems, name)
		if m.Receipt != nil {
			require.NotZero(t, m.Receipt.Sender.HerID(), name)
			continue
		}
		require.NotZero(t, m.Head.Sender.HerID(), name)
		require.NotZero(t, m.Head.Receiver.HerID(), name)
		require.True(t, codes.Known(m.Head.Process), name)
		require.NotEmpty(t, m.Dialog.Function(), name)
		require.NotContains(t, m.Unknown, "?", name)
	}
}

func TestReadSampleOfEConsultation(t *testing.T) {
	t.Parallel()
	for _, raw := range samples(t, "sporsmal-til-behandler") {
		m, problems := Read(raw)
		require.Empty(t, problems)
		require.Equal(t, codes.EKonsultasjon, m.Head.Process)
		require.Equal(t, time.Date(2019, 5, 16, 7, 2, 19, 0, time.UTC), m.Head.GenDate)
		require.Equal(t, "2019-05-16T07:02:19.0Z", m.Head.GenDateLiteral)
		require.True(t, m.Head.WantsReceipt)
		require.Equal(t, 1234, m.Head.Receiver.HerID())
		require.Equal(t, 8093248, m.Head.Sender.HerID())
		require.Equal(t, "FNR", m.Head.Patient.IDType)
		require.Equal(t, "SB", m.Dialog.Function())
		require.Len(t, m.Attachments, 1)
		require.Equal(t, MIMEJPEG, m.Attachments[0].MIME, "image/jpg is read as what it is")
		require.Equal(t, "Bilde", m.Attachments[0].Description)
	}
}

func TestReadOldReceipt(t *testing.T) {
	t.Parallel()
	for _, raw := range samples(t, "app-rec_1.0") {
		m, problems := Read(raw)
		require.Empty(t, problems)
		require.True(t, m.Receipt.OK)
		require.Equal(t, 258521, m.Receipt.Sender.HerID())
		require.Equal(t, 91126, m.Receipt.Receiver.HerID())
		require.Equal(t, "EPIKRISE", m.Receipt.OriginalType.V)
		require.Equal(t, time.Date(2020, 6, 19, 16, 5, 23, 0, time.UTC), m.Receipt.GenDate)
	}
}

// The guide's fragments, put into a message, read as the guide says.
func TestReadGuideFragments(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(shared(t, "samples/guide-fragments"), "*HITS1217__*.xml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		name := filepath.Base(file)
		_, fragment, _ := strings.Cut(string(raw), "-->")
		base, process := golden(t, "consultation-13"), codes.EKonsultasjon
		switch {
		case strings.HasPrefix(name, "EKONTAKT"):
			process = codes.EKontakt
		case strings.HasPrefix(name, "RESEPT"):
			process = codes.Reseptfornyelse
		}
		base = strings.ReplaceAll(base, codes.EKonsultasjon, process)
		if strings.Contains(fragment, "<Document") {
			base = strings.Replace(base, "</MsgHead>", fragment+"</MsgHead>", 1)
		} else {
			from, to := strings.Index(base, "<Dialogmelding"), strings.Index(base, "</Content>")
			base = base[:from] + fragment + base[to:]
		}
		if strings.Contains(name, "RFER") || strings.Contains(name, "svar-14") {
			m1 := golden(t, "renewal-14") // the fragments are without, and say that it follows
			base = strings.Replace(base, "</MsgHead>", m1[strings.LastIndex(m1, "<Document>"):], 1)
		}
		m, problems := Read([]byte(base))
		if strings.Contains(name, "Vedlegg") {
			require.Len(t, problems, 1, "its content is only a placeholder, no PDF")
			require.Equal(t, "T10", problems[0].Code)
			continue
		}
		require.Empty(t, problems, name)
		switch {
		case strings.Contains(name, "Pasientrelasjon"):
			require.Equal(t, "FO", m.Relation.Kind.V)
			require.Equal(t, "99775533", m.Relation.Person.Phone)
			require.Equal(t, "13115700217", m.Relation.Person.NationalID, "its check digits are wrong and it is accepted")
		case strings.Contains(name, "xhtml"):
			require.True(t, strings.HasPrefix(m.Dialog.Request.Text.XHTML, "<h1>Prøveresultater"), m.Dialog.Request.Text.XHTML)
			require.True(t, strings.HasSuffix(m.Dialog.Request.Text.Plain, "August September"))
			require.Equal(t, "9144900", m.Dialog.Request.Roles[0].Professional.Idents[0].ID)
		case strings.Contains(name, "onsket-behandler"):
			require.Equal(t, codes.WishedPractitioner, m.Dialog.Request.Roles[0].RoleToPatient.V)
		case strings.Contains(name, "KodetOpplysning"):
			require.Equal(t, codes.Delivery.OID(), m.Dialog.Request.Coded.S, "8324 is printed without the OID")
		}
	}
}

// What the official samples and the guide do wrong is read as it is meant.
func TestReadIsLiberal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, old, replacement string
		check                        func(*testing.T, *Message)
	}{
		{"trailing blank in the process", "contact-HE", `V="DIALOG_INNBYGGER_EKONTAKT"`, `V=" DIALOG_INNBYGGER_EKONTAKT "`, func(t *testing.T, m *Message) {
			require.Equal(t, codes.EKontakt, m.Head.Process)
		}},
		{"trailing blank in a code", "contact-HE", `V="HE"`, `V="HE "`, func(t *testing.T, m *Message) {
			require.Equal(t, "HE", m.Dialog.Function())
		}},
		{"blank in an OID", "contact-HE", `4.1.1.7601"`, `4.1.1. 7601"`, func(t *testing.T, m *Message) {
			require.Equal(t, codes.Requests.OID(), m.Dialog.Request.Type.S)
		}},
		{"no list", "contact-HE", `V="HE" S="2.16.578.1.12.4.1.1.7601"`, `V="HE"`, func(t *testing.T, m *Message) {
			require.Equal(t, "HE", m.Dialog.Function())
		}},
		{"number of the list", "renewal-RF", `S="2.16.578.1.12.4.1.1.8324"`, `S="8324"`, func(t *testing.T, m *Message) {
			require.Equal(t, codes.Delivery.OID(), m.Dialog.Request.Coded.S)
		}},
		{"no delivery", "renewal-RF", `<KodetOpplysning V="AP" S="2.16.578.1.12.4.1.1.8324" DN="Sendes til apoteket"/>`, "", func(t *testing.T, m *Message) {
			require.Nil(t, m.Dialog.Request.Coded)
		}},
		{"name of another code", "contact-HE", `DN="Henvendelse"`, `DN="Fornyelse av resept"`, func(t *testing.T, m *Message) {
			require.Equal(t, "HE", m.Dialog.Function(), "the code counts, not its name")
		}},
		{"no date of the document", "contact-HE", `<IssueDate V="2026-06-15T08:30:15.25Z"/>`, "", func(t *testing.T, m *Message) {
			require.Equal(t, "Når åpner dere?", m.Dialog.Request.Text.Plain)
		}},
		{"unknown code", "contact-HE", `V="HE"`, `V="NY"`, func(t *testing.T, m *Message) {
			require.Equal(t, "NY", m.Dialog.Function())
		}},
		{"13 in an e-contact", "contact-19", `V="19"`, `V="13"`, func(t *testing.T, m *Message) {
			require.Equal(t, "13", m.Dialog.Function())
		}},
		{"no text", "renewal-15", "<TekstNotatInnhold>Du må bestille time.</TekstNotatInnhold>", "", func(t *testing.T, m *Message) {
			require.Equal(t, "Kan ikke fornyes", m.Dialog.Note.Subject)
		}},
		{"repeated request in an answer", "renewal-15", "</Notat>", `<Foresporsel><TypeForesp V="RF"/></Foresporsel></Notat>`, func(t *testing.T, m *Message) {
			require.Nil(t, m.Dialog.Request)
			require.Equal(t, "15", m.Dialog.Function())
		}},
		{"unit behind a role", "contact-19", `<Person><GivenName>Ola`, `<TilknyttetEnhet><Kontaktenhet><fk1:OrganisationName>X</fk1:OrganisationName><fk1:Ident><fk1:Id>1</fk1:Id><fk1:TypeId V="HER"/></fk1:Ident></Kontaktenhet></TilknyttetEnhet><Person><GivenName>Ola`, func(t *testing.T, m *Message) {
			require.Equal(t, "Ola", m.Dialog.Note.Roles[0].Person.GivenName)
		}},
		{"seven decimals", "contact-HE", "<GenDate>2026-06-15T08:30:15.25Z", "<GenDate>2026-06-15T10:30:15.2500000+02:00", func(t *testing.T, m *Message) {
			require.Equal(t, now, m.Head.GenDate)
			require.Equal(t, "2026-06-15T10:30:15.2500000+02:00", m.Head.GenDateLiteral)
		}},
		{"summer without zone", "contact-HE", "<GenDate>2026-06-15T08:30:15.25Z", "<GenDate>2026-06-15T10:30:15.25", func(t *testing.T, m *Message) {
			require.Equal(t, now, m.Head.GenDate)
			require.Equal(t, time.UTC, m.Head.GenDate.Location())
		}},
		{"winter without zone", "contact-HE", "<GenDate>2026-06-15T08:30:15.25Z", "<GenDate>2026-01-15T09:30:15", func(t *testing.T, m *Message) {
			require.Equal(t, time.Date(2026, 1, 15, 8, 30, 15, 0, time.UTC), m.Head.GenDate)
		}},
		{"blanks around an instant", "contact-HE", "<GenDate>2026-06-15T08:30:15.25Z", "<GenDate>\n 2026-06-15T08:30:15.25Z ", func(t *testing.T, m *Message) {
			require.Equal(t, now, m.Head.GenDate, "XSD collapses them, though libxml does not")
		}},
		{"end of a day", "contact-HE", "<GenDate>2026-06-15T08:30:15.25Z", "<GenDate>2026-12-31T24:00:00Z", func(t *testing.T, m *Message) {
			require.Equal(t, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), m.Head.GenDate)
		}},
		{"no HER-id of the enterprise", "contact-HE", `<Ident><Id>600200</Id><TypeId V="HER" S="2.16.578.1.12.4.1.1.9051" DN="HER-id"/></Ident>`, "", func(t *testing.T, m *Message) {
			require.Equal(t, 600201, m.Head.Receiver.HerID())
			require.Zero(t, herID(m.Head.Receiver.Organisation.Idents))
		}},
		{"FNR called DNR", "contact-HE", `<TypeId V="FNR"`, `<TypeId V="DNR"`, func(t *testing.T, m *Message) {
			require.Equal(t, "FNR", m.Head.Patient.IDType)
		}},
		{"phone with blanks", "contact-HE", `tel:+4790000000`, `TEL:+47 90 00 00 00`, func(t *testing.T, m *Message) {
			require.Equal(t, "+4790000000", m.Head.Patient.Phone)
		}},
		{"e-mail before the phone", "contact-HE", "<TeleCom>", `<TeleCom><TeleAddress V="mailto:a@example.org"/></TeleCom><TeleCom>`, func(t *testing.T, m *Message) {
			require.Equal(t, "+4790000000", m.Head.Patient.Phone)
		}},
		{"kinship", "consultation-22", `V="FO" S="2.16.578.1.12.4.1.1.7611" DN="Foreldreansvar"`, `V="MO" S="2.16.578.1.12.4.1.1.9033"`, func(t *testing.T, m *Message) {
			require.Equal(t, Code{V: "MO", S: codes.Kinship.OID()}, m.Relation.Kind)
		}},
		{"image/jpg", "consultation-SB", "<MimeType>image/png", "<MimeType>image/jpg", func(t *testing.T, m *Message) {
			require.Equal(t, MIMEPNG, m.Attachments[0].MIME, "the content says what it is")
		}},
		{"base64 in lines", "consultation-12", "JVBERi0x", "\n  JVBE\r\n\tRi0x", func(t *testing.T, m *Message) {
			require.Equal(t, pdf, m.Attachments[0].Bytes())
		}},
		{"base64 after a comment and in CDATA", "consultation-12", "JVBERi0x", "JVBE<!-- -->Ri0<![CDATA[x]]>", func(t *testing.T, m *Message) {
			require.Equal(t, pdf, m.Attachments[0].Bytes())
		}},
		{".NET says the type of anyType", "contact-HE", "<Sporsmal>", `<Sporsmal xmlns:xsi="` + nsXSI + `" xmlns:xsd="` + nsXSD + `" xsi:type="xsd:string">`, func(t *testing.T, m *Message) {
			require.Equal(t, "Når åpner dere?", m.Dialog.Request.Text.Plain)
		}},
		{"other prefixes", "contact-HE", `<MsgHead xmlns="` + nsHead + `">`, `<?stil x?><!-- & --><MsgHead xmlns="` + nsHead + `" xmlns:mh="` + nsHead + `"><!-- < -->`, func(t *testing.T, m *Message) {
			require.Equal(t, firstID, m.Head.MsgID)
		}},
		{"no reference in an answer", "consultation-22", "<ConversationRef><RefToParent>" + secondID + "</RefToParent><RefToConversation>" + firstID + "</RefToConversation></ConversationRef>", "", func(t *testing.T, m *Message) {
			require.Empty(t, m.Head.RefToParent)
		}},
		{"upper case UUID", "contact-HE", firstID, strings.ToUpper(firstID), func(t *testing.T, m *Message) {
			require.Equal(t, strings.ToUpper(firstID), m.Head.MsgID)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, problems := Read(edited(t, tt.file, tt.old, tt.replacement))
			require.Empty(t, problems)
			tt.check(t, m)
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	ident := `<Ident><Id>` + child + `</Id><TypeId V="FNR" S="2.16.578.1.12.4.1.1.8116" DN="Fødselsnummer"/></Ident>`
	dialog := `<Foresporsel><TypeForesp V="HE" S="2.16.578.1.12.4.1.1.7601" DN="Henvendelse"/><Sporsmal>Når åpner dere?</Sporsmal></Foresporsel>`
	tests := []struct {
		name, file, old, replacement string
		code, path                   string
		headless                     bool
	}{
		{name: "no UUID", file: "contact-HE", old: firstID, replacement: "17", code: "E10", path: "MsgHead/MsgInfo/MsgId"},
		{name: "UUID as a URN", file: "contact-HE", old: firstID, replacement: "urn:uuid:" + firstID, code: "E10", path: "MsgHead/MsgInfo/MsgId"},
		{name: "no given name", file: "contact-HE", old: "<GivenName>Fiktiv</GivenName>", code: "E36", path: "MsgHead/MsgInfo/Patient"},
		{name: "blank name", file: "contact-HE", old: "<FamilyName>Pasient", replacement: "<FamilyName> ", code: "E36", path: "MsgHead/MsgInfo/Patient"},
		{name: "no number", file: "contact-HE", old: ident, code: "E36", path: "MsgHead/MsgInfo/Patient/Ident"},
		{name: "ten digits", file: "contact-HE", old: child, replacement: child[1:], code: "E36", path: "MsgHead/MsgInfo/Patient/Ident"},
		{name: "help number", file: "contact-HE", old: `V="FNR"`, replacement: `V="FHN"`, code: "E36", path: "MsgHead/MsgInfo/Patient/Ident"},
		{name: "no sender", file: "contact-HE", old: "<Sender><Organisation><OrganisationName>Portalen</OrganisationName>", replacement: "<Sender><Organisation>", code: "T02", path: "MsgHead/MsgInfo/Sender/Organisation"},
		{name: "wrong place", file: "contact-HE", old: `<Ack V="J" DN="Ja"/>`, replacement: `<Ack V="J"/><ProcessingStatus V="P"/>`, code: "T02", path: "MsgHead/MsgInfo"},
		{name: "other version", file: "contact-HE", old: "v1.2 2006-05-24", replacement: "v1.1", code: "T02", path: "MsgHead/MsgInfo/MIGversion"},
		{name: "no code", file: "contact-HE", old: `V="HE" `, code: "T02", path: "MsgHead/Document/RefDoc/Content/Dialogmelding"},
		{name: "nothing said", file: "contact-HE", old: dialog, code: "T02", path: "MsgHead/Document/RefDoc/Content/Dialogmelding"},
		{name: "two things said", file: "contact-HE", old: dialog, replacement: dialog + dialog, code: "T02", path: "MsgHead/Document/RefDoc/Content/Dialogmelding"},
		{name: "no dialog", file: "contact-HE", old: `<Dialogmelding xmlns="` + nsDialog + `" xmlns:fk1="` + nsShared + `"><Sakstype>kontakt-17</Sakstype>` + dialog + `</Dialogmelding>`, code: "T02", path: "MsgHead/Document/RefDoc/Content/Dialogmelding"},
		{name: "older dialog", file: "contact-HE", old: nsDialog, replacement: "http://www.kith.no/xmlstds/dialog/2006-10-11", code: "T10", path: "MsgHead/Document[1]/RefDoc/Content"},
		{name: "unknown document", file: "contact-HE", old: "</MsgHead>", replacement: `<Document><RefDoc><MsgType V="XML"/><Content><x xmlns="urn:x"/></Content></RefDoc></Document></MsgHead>`, code: "T10", path: "MsgHead/Document[2]/RefDoc/Content"},
		{name: "appointment in an e-contact", file: "contact-HE", old: "</MsgHead>", replacement: `<Document><RefDoc><MsgType V="XML"/><Content><icalendar xmlns="urn:ietf:params:xml:ns:icalendar-2.0"><vcalendar><components/></vcalendar></icalendar></Content></RefDoc></Document></MsgHead>`, code: "T10", path: "MsgHead/Document[2]/RefDoc/Content"},
		{name: "file elsewhere", file: "contact-HE", old: "</MsgHead>", replacement: `<Document><RefDoc><MsgType V="REF"/><FileReference>x</FileReference></RefDoc></Document></MsgHead>`, code: "T10", path: "MsgHead/Document[2]/RefDoc"},
		{name: "program attached", file: "consultation-12", old: "JVBERi0x", replacement: "TVqQAAMA", code: "T10", path: "MsgHead/Document[2]/RefDoc/Content/Base64Container"},
		{name: "nothing attached", file: "consultation-12", old: ">JVBERi0xLjQKJWZpeHR1cmUK<", replacement: "><", code: "T10", path: "MsgHead/Document[2]/RefDoc/Content/Base64Container"},
		{name: "compressed", file: "consultation-12", old: "<Description>Råd</Description>", replacement: `<Compression V="GZ"/>`, code: "T10", path: "MsgHead/Document[2]/RefDoc/Content/Base64Container"},
		{name: "no base64", file: "consultation-12", old: "JVBERi0x", replacement: "JVBERi0", code: "T02", path: "MsgHead/Document[2]/RefDoc/Content/Base64Container"},
		{name: "fk1 trap", file: "consultation-SB", old: "<fk1:Id>9999001</fk1:Id>", replacement: "<Id>9999001</Id>", code: "T02", path: "MsgHead/Document[1]/RefDoc/Content/Dialogmelding/Foresporsel[1]/RollerRelatertNotat[1]/HealthcareProfessional/Ident[1]"},
		{name: "names the wrong way round", file: "contact-19", old: "<GivenName>Ola</GivenName><FamilyName>Oppdiktet</FamilyName>", replacement: "<FamilyName>Oppdiktet</FamilyName><GivenName>Ola</GivenName>", code: "T02", path: "MsgHead/Document[1]/RefDoc/Content/Dialogmelding/Notat[1]/RollerRelatertNotat[1]/Person"},
		{name: "broken after the head", file: "contact-HE", old: "</Foresporsel>", replacement: "</Forespørsel>", code: "T01"},

		{name: "broken in the head", file: "contact-HE", old: "</MsgInfo>", replacement: "</MsgInf>", code: "T01", headless: true},
		{name: "no id", file: "contact-HE", old: "<MsgId>" + firstID + "</MsgId>", code: "T02", path: "MsgHead/MsgInfo", headless: true},
		{name: "blank id", file: "contact-HE", old: firstID, replacement: " ", code: "T02", path: "MsgHead/MsgInfo", headless: true},
		{name: "no date", file: "contact-HE", old: "<GenDate>2026-06-15T", replacement: "<GenDate>2026-06-31T", code: "T02", path: "MsgHead/MsgInfo/GenDate", headless: true},
		{name: "no process", file: "contact-HE", old: ` V="DIALOG_INNBYGGER_EKONTAKT"`, code: "T02", path: "MsgHead/MsgInfo", headless: true},
		{name: "other document", file: "contact-HE", old: nsHead, replacement: "urn:x", code: "T10", headless: true},
		{name: "receipt of nothing", file: "receipt-ok", old: "<Id>" + firstID, replacement: "<Id>", code: "T02", path: "AppRec", headless: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, problems := Read(edited(t, tt.file, tt.old, tt.replacement))
			require.NotEmpty(t, problems)
			require.Equal(t, tt.code, problems[0].Code, "%v", problems)
			require.Equal(t, tt.path, problems[0].Path, "%v", problems)
			require.NotEmpty(t, problems[0].Rule)
			require.Equal(t, tt.headless, m == nil)
			if m == nil {
				return
			}
			raw, err := WriteReceipt(ReceiptFor(m.Head, secondID, now, problems))
			require.NoError(t, err, "a head that is read can be receipted")
			receipt, bad := Read(raw)
			require.Empty(t, bad)
			require.Equal(t, tt.code, receipt.Receipt.Errors[0].V)
			require.False(t, receipt.Receipt.OK)
		})
	}
}

func TestReadBrokenReceipt(t *testing.T) {
	t.Parallel()
	m, problems := Read(edited(t, "receipt-ok", "<MIGversion>v1.1 2012-02-15</MIGversion>", ""))
	require.Len(t, problems, 1)
	require.Equal(t, "T02", problems[0].Code)
	require.Equal(t, firstID, m.Receipt.OriginalMsgID, "what became of which message is still told")
}

func TestOtherProcessesAreReadAtHeadLevel(t *testing.T) {
	t.Parallel()
	for _, process := range []string{"DIALOG_INNBYGGER_TIMER", codes.Oppgave, "LEGEERKL"} {
		raw := edited(t, "contact-HE", codes.EKontakt, process)
		raw = bytes.Replace(raw, []byte("</MsgHead>"), []byte(`<Document><RefDoc><MsgType V="XML"/><Content><x xmlns="urn:x"/></Content></RefDoc></Document></MsgHead>`), 1)
		raw = bytes.Replace(raw, []byte("<GivenName>Fiktiv</GivenName>"), nil, 1)
		m, problems := Read(raw)
		require.Empty(t, problems, process)
		require.Equal(t, process, m.Head.Process)
		require.Equal(t, []string{"?"}, m.Unknown, "the name of an unknown root may hold anything")
	}
}

func TestReadEncodings(t *testing.T) {
	t.Parallel()
	text := golden(t, "consultation-13")
	text = strings.Replace(text, "Takk for nå.", "Blåbærsyltetøy", 1)
	const declaration = `<?xml version="1.0" encoding="UTF-8"?>`
	declared := func(encoding string) string {
		return strings.Replace(text, declaration, `<?xml version='1.0' encoding = "`+encoding+`" ?>`, 1)
	}
	latin1 := func(s string) (out []byte) {
		for _, r := range s {
			out = append(out, byte(r))
		}
		return out
	}
	utf16With := func(s string, high, low int, bom ...byte) []byte {
		out := bom
		for _, u := range utf16.Encode([]rune(s)) {
			var pair [2]byte
			pair[high], pair[low] = byte(u>>8), byte(u)
			out = append(out, pair[:]...)
		}
		return out
	}
	accepted := map[string][]byte{
		"UTF-8":                []byte(text),
		"no declaration":       []byte(strings.Replace(text, declaration, "", 1)),
		"UTF-8 with BOM":       append([]byte("\xef\xbb\xbf"), text...),
		"ISO-8859-1":           latin1(declared("ISO-8859-1")),
		"UTF-16 big endian":    utf16With(declared("UTF-16"), 0, 1, 0xFE, 0xFF),
		"UTF-16 little endian": utf16With(declared("utf-16"), 1, 0, 0xFF, 0xFE),
		"what looks like one":  []byte(strings.Replace(text, "Blåbær", "Bl<!-- &#xD800; -->åb<![CDATA[ær]]>", 1)),
		"character references": []byte(strings.Replace(text, "Blåbær", "Bl&#229;b&#xE6;r", 1)),
	}
	for name, raw := range accepted {
		before := bytes.Clone(raw)
		m, problems := Read(raw)
		require.Empty(t, problems, name)
		require.Equal(t, "Blåbærsyltetøy", m.Dialog.Note.Text.Plain, name)
		require.Equal(t, before, raw, "the raw message is not changed: %s", name)
	}
	refused := map[string][]byte{
		"ISO-8859-1 called UTF-8": latin1(text),
		"EBCDIC":                  []byte(declared("EBCDIC-CP-NO")),
		"no encoding's name":      []byte(declared("<x>UTF-8")),
		"half a UTF-16":           append(utf16With(declared("UTF-16"), 0, 1, 0xFE, 0xFF), 0),
		"control character":       []byte(strings.Replace(text, "Blå", "Bl\x01", 1)),
		"control reference":       []byte(strings.Replace(text, "Blå", "Bl&#1;", 1)),
		"half a character":        []byte(strings.Replace(text, "Blå", "Bl&#xD800;", 1)),
		"the other half":          []byte(strings.Replace(text, "Blå", "Bl&#57343;", 1)),
	}
	for name, raw := range refused {
		_, problems := Read(raw)
		require.Len(t, problems, 1, name)
		require.Equal(t, "T01", problems[0].Code, name)
	}
}

func TestReadRefusesWhatIsNoXML(t *testing.T) {
	t.Parallel()
	bomb := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><MsgHead xmlns="` + nsHead + `">&c;</MsgHead>`
	outside := `<!DOCTYPE MsgHead [<!ENTITY x SYSTEM "file:///etc/passwd">]><MsgHead xmlns="` + nsHead + `">&x;</MsgHead>`
	tests := map[string]string{
		"nothing":               "",
		"blank":                 " \n",
		"text":                  "hei",
		"JSON":                  `{"a": 1}`,
		"entity bomb":           bomb,
		"external entity":       outside,
		"DOCTYPE":               "<!DOCTYPE MsgHead>" + golden(t, "contact-HE"),
		"unknown entity":        "<a>&nbsp;</a>",
		"two roots":             "<a/><b/>",
		"text after the root":   "<a/>x",
		"unclosed":              "<a><b></b>",
		"crossed":               "<a><b></a></b>",
		"late declaration":      " <?xml version='1.0'?><a/>",
		"attribute twice":       `<a x="1" x="2"/>`,
		"attribute twice by ns": `<a xmlns:p="urn:x" xmlns:q="urn:x" p:x="1" q:x="2"/>`,
		"prefix undeclared":     "<p:a/>",
		"attribute undeclared":  `<a p:x="1"/>`,
		"prefix taken away":     `<a xmlns:p=""/>`,
		"xml prefix elsewhere":  `<a xmlns:xml="urn:x"/>`,
		"deep":                  strings.Repeat("<a>", 10_000) + strings.Repeat("</a>", 10_000),
		"wide":                  "<a>" + strings.Repeat("<b/>", maxNodes) + "</a>",
		"cut by comments":       "<a>" + strings.Repeat("x<!---->", maxNodes+1) + "</a>",
		"cut by sections":       "<a>" + strings.Repeat("<![CDATA[x]]>", maxNodes+1) + "</a>",
		"many attributes":       "<a" + manyAttributes(maxAttributes+1) + "/>",
	}
	for name, text := range tests {
		m, problems := Read([]byte(text))
		require.Nil(t, m, name)
		require.Len(t, problems, 1, name)
		require.Equal(t, "T01", problems[0].Code, name)
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("x", i) + `="1"`)
	}
	return b.String()
}

func TestDepthIsCountedFromTheRoot(t *testing.T) {
	t.Parallel()
	nested := func(n int) []byte {
		return edited(t, "contact-19", "Vi åpner klokka åtte.", `<div xmlns="`+nsXHTML+`">`+strings.Repeat("<div>", n)+"x"+strings.Repeat("</div>", n)+"</div>")
	}
	m, problems := Read(nested(20))
	require.Empty(t, problems)
	require.Equal(t, "x", m.Dialog.Note.Text.Plain)
	m, problems = Read(nested(maxDepth))
	require.Equal(t, "T01", problems[0].Code)
	require.Equal(t, firstID, m.Head.RefToParent, "the head was read before it")
}

// Values are judged as the official schemas judge them.
func TestValuesAreJudgedAsByTheOfficialSchemas(t *testing.T) {
	t.Parallel()
	var documents [][]byte
	for _, v := range []string{
		"2026-06-15T08:30:15", "2026-06-15T08:30:15.1234567+02:00", "2026-06-15T08:30:15+14:00", "2026-06-15T08:30:15-13:59",
		"2026-06-15T08:30:15+14:01", "2026-06-15T08:30:15+2:00", "2026-06-15T08:30:15+0200", "2026-06-15T08:30", "2026-06-15 08:30:15", "2026-06-15",
		"2026-02-29T00:00:00", "2024-02-29T00:00:00", "1900-02-29T00:00:00", "2000-02-29T00:00:00", "2026-04-31T00:00:00", "2026-00-10T00:00:00",
		"2026-06-00T00:00:00", "2026-06-15T24:00:00", "2026-06-15T24:00:01", "2026-06-15T25:00:00", "2026-06-15T23:60:00", "2026-06-15T23:59:60",
		"0001-01-01T00:00:00", "26-06-15T00:00:00", "-0044-03-15T00:00:00", "12026-01-01T00:00:00", "02026-01-01T00:00:00",
		"2026-06-15T08:30:15.", "2026-06-15t08:30:15z", "x", "",
	} {
		documents = append(documents, edited(t, "contact-HE", "2026-06-15T08:30:15.25Z", v))
		documents = append(documents, edited(t, "contact-HE", `<IssueDate V="2026-06-15T08:30:15.25Z"`, `<IssueDate V="`+v+`"`))
	}
	for _, v := range []string{"08:30:15", "08:30", "2026", "2026-06", "2026-13", "2026-06-15Z", "26", "24:00:00", "--06", "2026Z", "-2026"} {
		documents = append(documents, edited(t, "contact-HE", `<IssueDate V="2026-06-15T08:30:15.25Z"`, `<IssueDate V="`+v+`"`))
	}
	for _, v := range []string{"", "1", "1.2", "1.", ".1", "1..2", "a", "8324", " 1.2 "} {
		documents = append(documents, edited(t, "contact-HE", `S="2.16.578.1.12.4.1.1.7601"`, `S="`+v+`"`))
	}
	for _, v := range []string{"", "AAAA", "AA==", "AB==", "AAA=", "AAB=", "AAAAA", "AA=A", "A===", "====", "AAAA====", " A A A A ", "AAA\n=", "AA-_", "AA&#65;A", "AA==AAAA"} {
		documents = append(documents, edited(t, "consultation-12", "JVBERi0xLjQKJWZpeHR1cmUK", v))
	}
	for _, v := range []string{"v1.2 2006-05-24", " v1.2 2006-05-24", "v1.2  2006-05-24", "V1.2 2006-05-24", ""} {
		documents = append(documents, edited(t, "contact-HE", "v1.2 2006-05-24", v))
	}
	for i, official := range xsdVerdicts(t, documents) {
		if own := ownVerdict(documents[i]); (own == "") != (official == "") {
			t.Errorf("own verdict %q, official verdict %q", own, official)
		}
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.xml"))
	require.NoError(f, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Add([]byte("<!DOCTYPE a><a/>"))
	f.Add([]byte("\xff\xfe<\x00a\x00/\x00>\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		m, problems := Read(raw)
		require.Equal(t, before, raw)
		if m == nil {
			require.NotEmpty(t, problems)
			return
		}
		if m.Receipt == nil {
			_, err := WriteReceipt(ReceiptFor(m.Head, secondID, now, problems))
			require.NoError(t, err, "a head that is read can be receipted")
		}
		if len(problems) > 0 {
			return
		}
		// Whatever is accepted and can be written reads back as it was written.
		if again, err := WriteMessage(m); err == nil {
			back, problems := Read(again)
			require.Empty(t, problems)
			third, err := WriteMessage(back)
			require.NoError(t, err)
			require.Equal(t, string(again), string(third))
		}
	})
}
