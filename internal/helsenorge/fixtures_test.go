package helsenorge

import (
	"maps"
	"strconv"
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
)

// The people of the tests are made up, and their numbers cannot be anybody's.
var (
	child  = nationalid.Synthetic(time.Date(2015, 3, 9, 0, 0, 0, 0, time.UTC), 1)
	parent = nationalid.Synthetic(time.Date(1984, 11, 23, 0, 0, 0, 0, time.UTC), 7)
)

const (
	firstID  = "0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d01"
	secondID = "0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d02"
	thirdID  = "0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d03"
)

var now = time.Date(2026, 6, 15, 8, 30, 15, 250_000_000, time.UTC)

var (
	png = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	pdf = []byte("%PDF-1.4\n%fixture\n")
)

func her(id int, list codes.List) Ident {
	return Ident{ID: strconv.Itoa(id), Type: Code{V: codes.HER, S: list.OID(), DN: codes.Name(list, codes.HER)}}
}

func portal() Party {
	return Party{
		Organisation: Organisation{Name: "Portalen", Idents: []Ident{her(500100, codes.OrganisationID)}},
		Unit:         &Organisation{Name: "Innbyggertjenester", Idents: []Ident{her(500101, codes.OrganisationID)}},
	}
}

func clinicParty() Party {
	return Party{
		Organisation: Organisation{Name: "Bakken & Dalen legesenter", Idents: []Ident{
			{ID: "999999901", Type: Code{V: codes.ENH, S: codes.OrganisationID.OID(), DN: codes.Name(codes.OrganisationID, codes.ENH)}},
			her(600200, codes.OrganisationID),
		}},
		Person: &HealthcareProfessional{
			RoleToPatient: Code{V: codes.Fastlege, S: codes.PatientRoles.OID(), DN: "Fastlege"},
			FamilyName:    "Ås", MiddleName: "Vik", GivenName: "Åse",
			Idents: []Ident{
				{ID: "9999001", Type: Code{V: codes.HPR, S: codes.PersonIDs.OID(), DN: codes.Name(codes.PersonIDs, codes.HPR)}},
				her(600201, codes.PersonIDs),
			},
		},
	}
}

// fromCitizen and fromClinic are heads of either direction.
func fromCitizen(process, id string) Head {
	h := Head{
		Process: process, ProcessName: codes.Name(codes.Processes, process), MsgID: id, GenDate: now, WantsReceipt: true,
		Sender: portal(), Receiver: clinicParty(),
		Patient: &Patient{GivenName: "Fiktiv", MiddleName: "Test", FamilyName: "Pasient", NationalID: child, IDType: "FNR", Phone: "+4790000000"},
	}
	if process == codes.Test {
		h.WantsReceipt, h.Patient = false, nil
	}
	return h
}

func fromClinic(process, id string) Head {
	return ReplyHead(fromCitizen(process, firstID), id, now, "")
}

// firstFromClinic begins a conversation.
func firstFromClinic(process string) Head {
	h := fromClinic(process, firstID)
	h.RefToParent, h.RefToConversation = "", ""
	return h
}

// whole is a message that was read with its files in memory, as one that is written has
// them.
func whole(m *Message) *Message {
	for i, a := range m.Attachments {
		m.Attachments[i] = Attachment{MIME: a.MIME, Description: a.Description, Content: a.Bytes()}
	}
	return m
}

func code(list codes.List, v string) Code { return Code{V: v, S: list.OID(), DN: codes.Name(list, v)} }

func codeRef(list codes.List, v string) *Code {
	c := code(list, v)
	return &c
}

func wished() []Role {
	return []Role{{
		RoleToPatient: codeRef(codes.PatientRoles, codes.WishedPractitioner),
		Professional: &HealthcareProfessional{FamilyName: "Ås", GivenName: "Åse", Idents: []Ident{
			{ID: "9999001", Type: code(codes.PersonIDs, codes.HPR)},
		}},
	}}
}

func author() []Role {
	return []Role{{RolleNotat: codeRef(codes.NoteRoles, codes.Author), Person: &Person{GivenName: "Ola", FamilyName: "Oppdiktet"}}}
}

func onBehalf() *Relation {
	return &Relation{Kind: code(codes.Representation, "FO"),
		Person: Person{GivenName: "Forelder", FamilyName: "Pasient", NationalID: parent, IDType: "FNR", Phone: "90000001"}}
}

func note(topic string, text Text) *Dialog {
	return &Dialog{Note: &Note{Topic: code(codes.Answers, topic), Text: text}}
}

func request(typ, subject, text string) *Dialog {
	return &Dialog{Request: &Request{Type: code(codes.Requests, typ), Subject: subject, Text: Text{Plain: text}}}
}

// fixtures are messages of every function that is written, by name. They are
// made anew for each caller, who may change them.
func fixtures() map[string]*Message {
	const (
		consultation, contact, renewal = codes.EKonsultasjon, codes.EKontakt, codes.Reseptfornyelse
		formatted                      = "<h2>Svar</h2><p>Prøv dette: vann &lt; 2 liter &amp; hvile.<br/>Så:</p><ul><li>én</li><li>to</li></ul>"
	)
	f := map[string]*Message{
		"consultation-SB":  {Head: fromCitizen(consultation, firstID), Dialog: request("SB", "Vorte <under> foten", "Hei.\n\nHva gjør jeg? \"A\" & 'B' 😀"), Attachments: []Attachment{{MIME: MIMEPNG, Description: "Bilde æ", Content: png}, {MIME: MIMEPDF, Content: pdf}}, Relation: onBehalf()},
		"consultation-12":  {Head: fromClinic(consultation, secondID), Dialog: note("12", Text{XHTML: formatted, Plain: "Svar\nPrøv dette: vann < 2 liter & hvile.\nSå:\n- én\n- to"}), Attachments: []Attachment{{MIME: MIMEPDF, Description: "Råd", Content: pdf}}},
		"consultation-13":  {Head: fromClinic(consultation, secondID), Dialog: note("13", Text{Plain: "Takk for nå."})},
		"consultation-22":  {Head: ReplyHead(fromClinic(consultation, secondID), thirdID, now, firstID), Dialog: note("22", Text{Plain: "Ett spørsmål til."}), Relation: onBehalf()},
		"consultation-26":  {Head: fromClinic(consultation, secondID), Dialog: note("26", Text{Plain: "Dialogen er avsluttet."})},
		"consultation-30":  {Head: fromClinic(consultation, secondID), Dialog: note("30", Text{Plain: "Tjenesten er ikke åpen for deg."})},
		"consultation-31":  {Head: fromClinic(consultation, secondID), Dialog: note("31", Text{Plain: "Tekniske problemer."})},
		"consultation-DI":  {Head: firstFromClinic(consultation), Dialog: request("DI", "Prøvesvar", "Svarene er klare.")},
		"consultation-EKI": {Head: firstFromClinic(consultation), Dialog: request("EKI", "Prøvesvar", "Alt er fint.")},
		"contact-HE":       {Head: fromCitizen(contact, firstID), Dialog: request("HE", "", "Når åpner dere?")},
		"contact-VUS":      {Head: ReplyHead(fromClinic(contact, secondID), thirdID, now, firstID), Dialog: request("VUS", "", "")},
		"contact-DI":       {Head: firstFromClinic(contact), Dialog: request("DI", "Time", "Passer det i morgen?")},
		"contact-EKI":      {Head: firstFromClinic(contact), Dialog: request("EKI", "Stengt", "Vi har stengt i morgen.")},
		"contact-19":       {Head: fromClinic(contact, secondID), Dialog: note("19", Text{Plain: "Vi åpner klokka åtte."})},
		"contact-13":       {Head: fromClinic(contact, secondID), Dialog: note("13", Text{Plain: "Da avslutter vi."})},
		"contact-17":       {Head: fromClinic(contact, secondID), Dialog: note("17", Text{Plain: "Attesten er klar."})},
		"contact-18":       {Head: fromClinic(contact, secondID), Dialog: note("18", Text{Plain: "Dette skriver vi ikke attest om."})},
		"contact-22":       {Head: ReplyHead(fromClinic(contact, secondID), thirdID, now, firstID), Dialog: note("22", Text{Plain: "Det passer."})},
		"contact-26":       {Head: fromClinic(contact, secondID), Dialog: note("26", Text{Plain: "Ring oss."})},
		"contact-30":       {Head: fromClinic(contact, secondID), Dialog: note("30", Text{Plain: "Ikke åpent for deg."})},
		"contact-31":       {Head: fromClinic(contact, secondID), Dialog: note("31", Text{Plain: "Feil hos oss."})},
		"renewal-RF":       {Head: fromCitizen(renewal, firstID), Dialog: request("RF", "Medisin", "Tablett A, 100 stk.")},
		"renewal-15":       {Head: fromClinic(renewal, secondID), Dialog: note("15", Text{Plain: "Du må bestille time."})},
		"renewal-26":       {Head: fromClinic(renewal, secondID), Dialog: note("26", Text{Plain: "Vi fornyer ikke dette."})},
		"renewal-30":       {Head: fromClinic(renewal, secondID), Dialog: note("30", Text{Plain: "Ikke åpent for deg."})},
		"test-KT":          {Head: fromCitizen(codes.Test, firstID), Dialog: &Dialog{Request: &Request{Type: code(codes.TestCodes, "KT")}}},
		"test-RKT":         {Head: fromClinic(codes.Test, secondID), Dialog: &Dialog{Note: &Note{Topic: code(codes.TestCodes, "RKT")}}},
	}
	f["consultation-SB"].Dialog.Request.Roles = wished()
	f["consultation-13"].Dialog.Note.Subject = "Avslutning"
	f["contact-HE"].Dialog.CaseID = "kontakt-17"
	f["contact-19"].Dialog.Note.Roles = author()
	f["renewal-RF"].Dialog.Request.Coded = codeRef(codes.Delivery, "AP")
	f["renewal-RF"].Dialog.Request.Roles = wished()
	f["renewal-RF"].Relation = onBehalf()
	f["renewal-15"].Dialog.Note.Subject = "Kan ikke fornyes"
	f["renewal-26"].Dialog.Note.Subject = "Avvist"
	f["renewal-30"].Dialog.Note.Subject = "Ikke tilgang"
	f["consultation-DI"].Attachments = []Attachment{{MIME: MIMEPDF, Description: "Prøvesvar", Content: pdf}}
	f["consultation-DI"].Dialog.Request.Roles = []Role{{RoleToPatient: codeRef(codes.PatientRoles, codes.Fastlege), Professional: wished()[0].Professional}}
	f["contact-DI"].Attachments = []Attachment{{MIME: MIMEPNG, Content: png}}
	maps.Copy(f, appointmentFixtures())
	maps.Copy(f, renewalFixtures())
	return f
}

// receipts are receipts by name.
func receipts() map[string]*Receipt {
	h := fromCitizen(codes.EKonsultasjon, firstID)
	h.GenDateLiteral = "2026-06-15T10:30:15.2500000+02:00"
	return map[string]*Receipt{
		"receipt-ok": ReceiptFor(h, secondID, now, nil),
		"receipt-refused": ReceiptFor(h, secondID, now, []Problem{
			{Code: "T02", Path: "MsgHead/MsgInfo", Rule: "the element Sender is missing, or not in its place"},
			{Code: "E36", Path: "MsgHead/MsgInfo/Patient", Rule: "the patient is missing"},
		}),
	}
}
