package helsenorge

import (
	"encoding/xml"
	"strings"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// The receipt codes that Read gives (8221).
const (
	notWellFormed       = codes.NotWellFormed
	schemaBroken        = codes.SchemaBroken
	formatUnsupported   = codes.FormatUnsupported
	badMessageID        = codes.BadMessageID
	patientInsufficient = codes.PatientInsufficient
)

// Message is a message that was read, or is to be written.
type Message struct {
	Head Head
	// Dialog is nil when the message has no Dialogmelding 1.1.
	Dialog      *Dialog
	Attachments []Attachment
	Relation    *Relation
	// Events are what the iCalendar document holds, nil without one.
	Events []Event
	// Practitioners are what the Helsepersonell document lists, nil without one.
	Practitioners []Practitioner
	// Prescriptions are the M1 documents, in their order.
	Prescriptions []Prescription
	// People are whom the Personer document lists.
	People []Person
	// Receipt is set only when the document is an AppRec; Head then holds its id,
	// instant and parties.
	Receipt *Receipt
	// Unknown are the root names of documents that were not read, such as
	// Leveringsrapport: the schemas have judged them. A root that no schema has is "?".
	Unknown []string
}

// Problem is one reason why a message cannot be accepted. It holds no value of
// the message, so it may be logged.
type Problem struct {
	// Code is of 8221: T01 not XML, T02 breaks the schema or lacks a required
	// value, E10 the MsgId is no UUID, E36 the patient is not identified by name
	// and FNR or DNR, T10 a format that is not supported.
	Code string
	// Path is the place, such as MsgHead/MsgInfo/Patient. It is "" for T01.
	Path string
	// Rule is what is wrong there.
	Rule string
}

func (p Problem) detail() string {
	if p.Path == "" {
		return p.Rule
	}
	return p.Path + ": " + p.Rule
}

// Read reads a Hodemelding or an AppRec of either version. raw is not changed, and must
// not be while the Message is in use: its attachments are read from there.
//
// No problems: the message is accepted. Problems and a message: the message
// itself is refused, and its head is good enough for ReceiptFor to say so; for
// an AppRec the Receipt says what became of which message. Problems and no
// message: nobody can be answered.
//
// An unknown code value is no problem, nor is content that a process does not
// foresee (HIS 80415 §3.3.2).
func Read(raw []byte) (*Message, []Problem) {
	root, err := parseTree(raw)
	if err != nil {
		problems := []Problem{{Code: notWellFormed, Rule: err.Error()}}
		if h, ok := earlyHead(root); ok {
			return &Message{Head: h}, problems
		}
		return nil, problems
	}
	switch {
	case root.name == nameMsgHead:
		return readMessage(root)
	case isReceipt(root.name):
		return readReceiptMessage(root)
	}
	return nil, []Problem{{Code: formatUnsupported, Rule: "the document is neither a Hodemelding 1.2 nor an AppRec 1.0 or 1.1"}}
}

// earlyHead is the head of a document that is broken after MsgInfo.
func earlyHead(root *node) (Head, bool) {
	if root == nil || root.name != nameMsgHead {
		return Head{}, false
	}
	info := root.child(head("MsgInfo"))
	if info == nil || !info.closed {
		return Head{}, false
	}
	return readHead(info)
}

func readReceiptMessage(root *node) (*Message, []Problem) {
	var v validator
	v.element(root, globals[root.name], root.name.Local)
	r, ok := readReceipt(root)
	if !ok {
		v.require("AppRec", "a receipt needs GenDate, Id, Status and OriginalMsgId/Id")
		return nil, v.problems
	}
	return &Message{Receipt: r, Head: Head{
		Process: codes.AppRec, ProcessName: codes.Name(codes.Processes, codes.AppRec),
		MsgID: r.ID, GenDate: r.GenDate,
		GenDateLiteral: root.child(vocabulary(root.name.Space).name("GenDate")).trimmed(),
		Sender:         r.Sender, Receiver: r.Receiver,
	}}, v.problems
}

func readMessage(root *node) (*Message, []Problem) {
	var v validator
	v.element(root, typMsgHead, "MsgHead")
	h, ok := readHead(root.child(head("MsgInfo")))
	if !ok {
		v.require("MsgHead/MsgInfo", "Type, GenDate, MsgId, Sender and Receiver must be there, and say what they are for")
		return nil, v.problems
	}
	m := &Message{Head: h}
	if !isUUID(h.MsgID) {
		v.add(badMessageID, "MsgHead/MsgInfo/MsgId", "the MsgId must be a UUID")
	}
	if dialogueProcess(h.Process) && h.Process != codes.Digitalbruker {
		v.patient(h.Patient)
	}
	for i, document := range root.children(head("Document")) {
		m.readDocument(&v, document, childPath("MsgHead", element{name: head("Document")}, i+1))
	}
	if readInFull(h.Process) {
		v.dialog(root, m.Dialog)
		v.required(m)
	}
	return m, v.problems
}

// require reports a missing value, unless the schema has said so already.
func (v *validator) require(path, rule string) {
	if len(v.problems) == 0 {
		v.broken(path, rule)
	}
}

// patient checks that the patient is identified well enough to be found. The
// check digits are not judged here: the sender has authenticated the citizen.
func (v *validator) patient(p *Patient) {
	const path = "MsgHead/MsgInfo/Patient"
	switch {
	case p == nil:
		v.add(patientInsufficient, path, "the patient is missing")
	case p.FamilyName == "" || p.GivenName == "":
		v.add(patientInsufficient, path, "the patient's family name and given name must be there")
	case !isElevenDigits(p.NationalID):
		v.add(patientInsufficient, path+"/Ident", "the patient must have an FNR or a DNR of eleven digits")
	}
}

// dialog checks what every process that is read in full demands of its first
// document, beyond the schema.
func (v *validator) dialog(root *node, d *Dialog) {
	const path = "MsgHead/Document/RefDoc/Content/Dialogmelding"
	if d == nil {
		v.add(schemaBroken, path, "the message must have a Dialogmelding 1.1")
		return
	}
	parts := 0
	for _, document := range root.children(head("Document")) {
		for _, dialog := range document.child(head("RefDoc")).child(head("Content")).elements() {
			if v := vocabulary(dialog.name.Space); dialog.name == nameDialog || dialog.name == nameDialog0 {
				parts += len(dialog.children(v.name("Foresporsel"))) + len(dialog.children(v.name("Notat")))
			}
		}
	}
	switch {
	case parts != 1:
		v.add(schemaBroken, path, "the message must have exactly one Foresporsel or Notat")
	case d.Function() == "":
		v.add(schemaBroken, path, "TypeForesp or TemaKodet must have a code in @V")
	}
}

// required checks that what the code is nothing without is there (HITS 1217
// §2.13.3: a required value). What documents hold beyond the schema is for the caller
// to judge, and one too many is no fault.
func (v *validator) required(m *Message) {
	f, ok := profile[m.Head.Process].of(m.Dialog)
	if !ok {
		return
	}
	const content = "MsgHead/Document/RefDoc/Content/"
	if r := f.events; r != nil && r.least > 0 {
		if len(m.Events) == 0 || r.most > 0 && len(m.Events) > r.most {
			v.require(content+nameCalendar.Local, "the events "+r.count())
		}
	}
	if f.practitioners == always && len(m.Practitioners) == 0 {
		v.require(content+namePractitioners.Local, "the practitioners must be listed")
	}
	// A citizen's own words can stand for the prescriptions; an answer's cannot.
	asked := m.Dialog.Request != nil && !m.Dialog.Request.Text.isEmpty()
	if f.prescriptions == always && len(m.Prescriptions) == 0 && !asked {
		v.require(content+namePrescription.Local, "the prescriptions must be there, one document each")
	}
	if f.people == always && len(m.People) == 0 {
		v.require(content+namePeople.Local, "the people must be listed")
	}
	if m.Head.Process == codes.Digitalbruker && f.patient == onePatient {
		v.patient(m.Head.Patient)
	}
}

// readDocument takes in one Document.
func (m *Message) readDocument(v *validator, document *node, path string) {
	refDoc := document.child(head("RefDoc"))
	path += "/RefDoc"
	if refDoc.child(head("FileReference")) != nil && dialogueProcess(m.Head.Process) {
		v.add(formatUnsupported, path, "a reference to a document outside the message is not supported")
	}
	for _, content := range refDoc.child(head("Content")).elements() {
		switch content.name {
		case nameDialog:
			if m.Dialog == nil {
				m.Dialog = readDialog(content)
			}
		case nameDialog0:
			// Processes that a GP does not use still have it (Timer, Koordinator). Helsenorge's
			// others have 1.1 alone: there it is another format (T10), and no broken message.
			if m.Dialog == nil {
				m.Dialog = readDialog(content)
			}
			if readInFull(m.Head.Process) {
				v.unforeseen(path)
			}
		case nameRelation:
			if m.Relation == nil {
				m.Relation = readRelation(content)
			}
		case nameBase64:
			a, rule := readAttachment(refDoc, content)
			if rule != "" {
				v.add(formatUnsupported, path+"/Content/Base64Container", rule)
			}
			m.Attachments = append(m.Attachments, a)
		case nameCalendar:
			m.Events = append(m.Events, readEvents(content)...)
			if m.Events == nil {
				m.Events = []Event{}
			}
			v.foreseen(m.Head.Process, path)
		case namePractitioners, namePractitionerEntry, namePractitionersOld:
			m.Practitioners = append(m.Practitioners, readPractitioners(content)...)
			if m.Practitioners == nil {
				m.Practitioners = []Practitioner{}
			}
			v.foreseen(m.Head.Process, path)
		case namePrescription, namePrescriptionOld:
			m.Prescriptions = append(m.Prescriptions, readPrescription(content))
			v.onlyIn(codes.Reseptfornyelse, m.Head.Process, path)
		case namePeople:
			m.People = append(m.People, readPeople(content)...)
			v.onlyIn(codes.Digitalbruker, m.Head.Process, path)
		default:
			m.Unknown = append(m.Unknown, formatName(content.name))
			if readInFull(m.Head.Process) {
				v.unforeseen(path)
			}
		}
	}
}

// foreseen refuses a document about appointments in a process about something
// else: nobody would see it.
func (v *validator) foreseen(process, path string) {
	if readInFull(process) && !profile[process].appointments() {
		v.unforeseen(path)
	}
}

// onlyIn refuses a document in every process but the one that has its like.
func (v *validator) onlyIn(own, process, path string) {
	if readInFull(process) && process != own {
		v.unforeseen(path)
	}
}

func (v *validator) unforeseen(path string) {
	v.add(formatUnsupported, path+"/Content", "the document's format is not supported in this process")
}

// formatName is the name of a document that the schemas know. Another is not repeated: it
// may hold anything.
func formatName(name xml.Name) string {
	if globals[name] != nil {
		return name.Local
	}
	return "?"
}

// isUUID accepts the canonical form only, in either case.
func isUUID(s string) bool {
	_, err := uuid.Parse(s)
	return err == nil && len(s) == len(uuid.Nil.String())
}

func isElevenDigits(s string) bool { return len(s) == 11 && strings.Trim(s, "0123456789") == "" }
