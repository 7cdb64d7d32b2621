package helsenorge

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// WriteMessage writes a message of one of the processes that are read in full,
// from either side. The result is UTF-8, valid by the schemas and by the tables
// of HITS 1217 §2, §3.1 to §3.7, §3.9 and §3.11, and the same for the same message. S and DN
// of coded values are filled in where the place gives the list. m is not changed.
//
// The error is apperr.Invalid with every wrong field (paths are Go names from
// Message, such as Dialog.Note.Text), apperr.Unsupported for a process, code or
// document that is not written, and apperr.TooLarge above MaxMessageBytes.
func WriteMessage(m *Message) ([]byte, error) {
	f, err := writable(m)
	if err != nil {
		return nil, err
	}
	c := checker{}
	c.head(m, f)
	c.dialog(m, f)
	c.events(m, f)
	c.practitioners(m, f)
	c.prescriptions(m, f)
	c.people(m, f)
	c.attachments(m, f)
	c.relation(m, f)
	if len(c.fields) > 0 {
		return nil, apperr.InvalidFields("the message does not follow the standard: correct the fields named", c.fields...)
	}
	size := 0
	for _, a := range m.Attachments {
		size += base64.StdEncoding.EncodedLen(int(a.Size()))
	}
	if size > MaxMessageBytes {
		return nil, tooLarge(size)
	}
	w := newWriter(size + 8<<10)
	w.message(m, f)
	if w.b.Len() > MaxMessageBytes {
		return nil, tooLarge(w.b.Len())
	}
	return w.b.Bytes(), nil
}

func tooLarge(size int) error {
	return apperr.New(apperr.TooLarge, "the message is %d bytes and Helsenorge takes at most %d: send fewer or smaller attachments", size, MaxMessageBytes)
}

// writable finds the function that the message is.
func writable(m *Message) (function, error) {
	if m.Receipt != nil {
		return function{}, apperr.New(apperr.Invalid, "the message is a receipt: use WriteReceipt")
	}
	process, ok := profile[m.Head.Process]
	if !ok && codes.Known(m.Head.Process) {
		process = refusals
		_, ok = refusals.of(m.Dialog)
	}
	if !ok {
		return function{}, apperr.New(apperr.Unsupported, "messages of this process are not written by this version")
	}
	if m.Dialog == nil || (m.Dialog.Request == nil) == (m.Dialog.Note == nil) {
		return function{}, apperr.InvalidFields("the message must say one thing",
			apperr.Field{Path: "Dialog", Rule: "must have exactly one of Request and Note"})
	}
	f, ok := process.of(m.Dialog)
	if !ok {
		path, table := "Dialog.Note.Topic.V", process.notes
		if m.Dialog.Request != nil {
			path, table = "Dialog.Request.Type.V", process.requests
		}
		return function{}, apperr.InvalidFields("the code has no place in this process",
			apperr.Field{Path: path, Rule: "must be one of " + strings.Join(slices.Sorted(maps.Keys(table)), ", ")})
	}
	if len(m.Unknown) > 0 {
		return function{}, apperr.New(apperr.Unsupported, "the message has a document of a format that is not written")
	}
	return f, nil
}

// checker collects the fields of a message that may not be written.
type checker struct {
	fields []apperr.Field
}

func (c *checker) check(ok bool, path, rule string) bool {
	if !ok {
		c.fields = append(c.fields, apperr.Field{Path: path, Rule: rule})
	}
	return ok
}

// text checks that a value can stand in XML at all.
func (c *checker) text(s, path string) bool {
	return c.check(isXMLText(s), path, "must be valid UTF-8 without control characters")
}

func (c *checker) needed(s, path string) bool {
	return c.check(strings.TrimSpace(s) != "", path, "must not be empty") && c.text(s, path)
}

// code checks a coded value of a list that is given by its place.
func (c *checker) code(code Code, list codes.List, path string) {
	if !c.needed(code.V, path+".V") {
		return
	}
	c.check(codes.Has(list, code.V), path+".V", "must be a code of list "+string(list))
	c.check(code.S == "" || code.S == list.OID(), path+".S", "must be empty or "+list.OID())
	c.text(code.DN, path+".DN")
	c.check(code.OT == "", path+".OT", "must be empty")
}

// message writes a checked message.
func (w *writer) message(m *Message, f function) {
	h := m.Head
	w.open("MsgHead", "xmlns", nsHead)
	w.open("MsgInfo")
	w.cs("Type", Code{V: h.Process, DN: h.ProcessName}, codes.Processes)
	w.leaf("MIGversion", headVersion)
	w.leaf("GenDate", writeInstant(h.GenDate))
	w.leaf("MsgId", h.MsgID)
	ack := codes.No
	if h.WantsReceipt {
		ack = codes.Yes
	}
	w.cs("Ack", Code{V: ack}, codes.ReceiptWanted)
	if h.RefToParent != "" {
		w.open("ConversationRef")
		w.leaf("RefToParent", h.RefToParent)
		w.leaf("RefToConversation", h.RefToConversation)
		w.close("ConversationRef")
	}
	w.party("Sender", h.Sender)
	w.party("Receiver", h.Receiver)
	if p := h.Patient; p != nil {
		w.open("Patient")
		w.person(Person{GivenName: p.GivenName, MiddleName: p.MiddleName, FamilyName: p.FamilyName, NationalID: p.NationalID, IDType: p.IDType, Phone: p.Phone}, "", false)
		w.close("Patient")
	}
	w.close("MsgInfo")
	w.document(h, func() { w.dialog(m.Dialog, f) })
	if m.Relation != nil {
		w.document(h, func() { w.relation(m.Relation) })
	}
	if len(m.Practitioners) > 0 {
		w.document(h, func() { w.practitioners(m.Practitioners) })
	}
	if len(m.Events) > 0 {
		w.document(h, func() { w.events(m.Events) })
	}
	if len(m.People) > 0 {
		w.document(h, func() { w.people(m.People) })
	}
	for _, p := range m.Prescriptions {
		w.document(h, func() { w.prescription(p) })
	}
	for _, a := range m.Attachments {
		w.attachment(h, a)
	}
	w.close("MsgHead")
}

// document writes an XML document of the message.
func (w *writer) document(h Head, content func()) {
	w.open("Document")
	w.open("RefDoc")
	w.empty("IssueDate", "V", writeInstant(h.GenDate))
	w.cs("MsgType", Code{V: codes.XMLInstance}, codes.DocumentTypes)
	w.open("Content")
	content()
	w.close("Content")
	w.close("RefDoc")
	w.close("Document")
}

// isXMLText tells whether every character may stand in an XML document; a
// carriage return would not survive reading.
func isXMLText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}
