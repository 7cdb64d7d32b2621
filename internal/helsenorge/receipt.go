package helsenorge

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// ReceiptError is an error of a receipt: a code of 8221 with its standard text
// in DN and the detail in OT, which must be shown to the user as well.
type ReceiptError = Code

// Receipt is an application receipt (AppRec): the one and final word on whether
// a message was taken in (HIS 80415).
type Receipt struct {
	// ID is the receipt's own UUID.
	ID string
	// GenDate is when the receipt was made, in UTC.
	GenDate time.Time
	// Sender is the original receiver, Receiver the original sender. A receipt
	// carries no RoleToPatient, no list of an identifier's type, and a person's
	// name in one piece.
	Sender   Party
	Receiver Party
	// OK tells that the receiver has taken the responsibility: Status 1.
	OK bool
	// Status is the code of 8258. Writing sets it from OK when it is empty.
	Status Code
	// Errors are why not, when OK is false.
	Errors []ReceiptError
	// OriginalType, OriginalIssueDate and OriginalMsgID are the Type, GenDate (as
	// written) and MsgId of the message that the receipt is for.
	OriginalType      Code
	OriginalIssueDate string
	OriginalMsgID     string
}

// maxReceiptErrors keeps a receipt readable.
const maxReceiptErrors = 10

// ReceiptFor is the receipt of a message whose head could be read: positive when
// there are no problems, otherwise negative with each problem's code, standard
// text and detail. The parties are the message's own, mirrored with every
// identifier they have (HIS 80415 §4.4); id is the receipt's UUID and now its
// GenDate. It is pure: the same arguments give the same receipt.
func ReceiptFor(head Head, id string, now time.Time, problems []Problem) *Receipt {
	r := &Receipt{
		ID: id, GenDate: now.UTC(),
		Sender: mirrored(head.Receiver), Receiver: mirrored(head.Sender),
		OK: len(problems) == 0, Status: receiptStatus(len(problems) == 0),
		OriginalType:      Code{V: cmp.Or(head.ProcessLiteral, head.Process), DN: head.ProcessName},
		OriginalIssueDate: head.GenDateLiteral, OriginalMsgID: head.MsgID,
	}
	if r.OriginalIssueDate == "" {
		r.OriginalIssueDate = writeInstant(head.GenDate)
	}
	for _, p := range problems[:min(len(problems), maxReceiptErrors)] {
		r.Errors = append(r.Errors, ReceiptError{
			V: p.Code, S: codes.ReceiptErrors.OID(), DN: codes.Name(codes.ReceiptErrors, p.Code), OT: p.detail(),
		})
	}
	return r
}

func receiptStatus(ok bool) Code {
	v := codes.StatusRejected
	if ok {
		v = codes.StatusOK
	}
	return Code{V: v, DN: codes.Name(codes.ReceiptStatus, v)}
}

// mirrored puts the HER-id first on each level: AppRec has one main identifier,
// and it is by HER-id that the peer knows itself.
func mirrored(p Party) Party {
	out := Party{Organisation: Organisation{Name: p.Organisation.Name, Idents: herFirst(p.Organisation.Idents)}}
	if p.Unit != nil {
		out.Unit = &Organisation{Name: p.Unit.Name, Idents: herFirst(p.Unit.Idents)}
	}
	if p.Person != nil {
		out.Person = &HealthcareProfessional{FamilyName: fullName(p.Person), Idents: herFirst(p.Person.Idents)}
	}
	return out
}

func herFirst(idents []Ident) []Ident {
	out := make([]Ident, 0, len(idents))
	for _, id := range idents {
		id.Type.S, id.Type.OT = "", ""
		if id.Type.V == codes.HER {
			out = append([]Ident{id}, out...)
		} else {
			out = append(out, id)
		}
	}
	return out
}

func fullName(p *HealthcareProfessional) string {
	return strings.Join(strings.Fields(p.GivenName+" "+p.MiddleName+" "+p.FamilyName), " ")
}

// readReceipt reads an AppRec of the namespace of n. It reports false when it
// does not say what became of which message.
func readReceipt(n *node) (*Receipt, bool) {
	v := vocabulary(n.name.Space)
	original := n.child(v.name("OriginalMsgId"))
	r := &Receipt{
		ID:                n.child(v.name("Id")).trimmed(),
		Sender:            readReceiptParty(n.child(v.name("Sender")), v),
		Receiver:          readReceiptParty(n.child(v.name("Receiver")), v),
		Status:            readCode(n.child(v.name("Status"))),
		OriginalType:      readCode(original.child(v.name("MsgType"))),
		OriginalIssueDate: original.child(v.name("IssueDate")).trimmed(),
		OriginalMsgID:     original.child(v.name("Id")).trimmed(),
	}
	var dated bool
	r.GenDate, dated = readInstant(n.child(v.name("GenDate")).trimmed())
	r.OK = r.Status.V == codes.StatusOK
	for _, e := range n.children(v.name("Error")) {
		r.Errors = append(r.Errors, readCode(e))
	}
	return r, dated && r.ID != "" && r.Status.V != "" && r.OriginalMsgID != ""
}

func readReceiptParty(n *node, v vocabulary) (p Party) {
	hcp := n.child(v.name("HCP"))
	if person := hcp.child(v.name("HCProf")); person != nil {
		p.Person = readReceiptPerson(person, v)
		return p
	}
	inst := hcp.child(v.name("Inst"))
	p.Organisation = readReceiptUnit(inst, v)
	if dept := inst.child(v.name("Dept")); dept != nil {
		unit := readReceiptUnit(dept, v)
		p.Unit = &unit
	}
	if person := inst.child(v.name("HCPerson")); person != nil {
		p.Person = readReceiptPerson(person, v)
	}
	return p
}

func readReceiptUnit(n *node, v vocabulary) Organisation {
	return Organisation{Name: n.child(v.name("Name")).trimmed(), Idents: readReceiptIdents(n, v)}
}

func readReceiptPerson(n *node, v vocabulary) *HealthcareProfessional {
	return &HealthcareProfessional{FamilyName: n.child(v.name("Name")).trimmed(), Idents: readReceiptIdents(n, v)}
}

func readReceiptIdents(n *node, v vocabulary) (out []Ident) {
	if id := n.child(v.name("Id")); id != nil {
		out = append(out, Ident{ID: id.trimmed(), Type: readCode(n.child(v.name("TypeId")))})
	}
	for _, a := range n.children(v.name("AdditionalId")) {
		out = append(out, Ident{ID: a.child(v.name("Id")).trimmed(), Type: readCode(a.child(v.name("Type")))})
	}
	return out
}

func isReceipt(name xml.Name) bool { return name == nameReceipt || name == nameReceipt0 }

var issueDate = regexp.MustCompile(`^[0-9]{4}-`)

// WriteReceipt writes an AppRec 1.1 in UTF-8, valid by its schema and HIS 80415:
// errors if, and only if, the message is refused. Only what a receipt has is
// written of the parties (see Receipt). r is not changed. The error is
// apperr.Invalid with every wrong field.
func WriteReceipt(r *Receipt) ([]byte, error) {
	c := checker{}
	c.receipt(r)
	if len(c.fields) > 0 {
		return nil, apperr.InvalidFields("the receipt does not follow the standard: correct the fields named", c.fields...)
	}
	w := newWriter(4 << 10)
	w.receipt(r)
	return w.b.Bytes(), nil
}

func (c *checker) receipt(r *Receipt) {
	c.check(isUUID(r.ID), "ID", "must be a UUID")
	c.check(r.GenDate.Year() > 1900 && r.GenDate.Year() < 10_000, "GenDate", "must be set")
	c.receiptParty(r.Sender, "Sender")
	c.receiptParty(r.Receiver, "Receiver")
	want := receiptStatus(r.OK)
	c.check(r.Status.V == "" || r.Status.V == want.V, "Status.V", "must be empty, or 1 when OK and 2 when not")
	c.text(r.Status.DN, "Status.DN")
	c.check(r.OK == (len(r.Errors) == 0), "Errors", "must be there if, and only if, the message is refused")
	for i, e := range r.Errors {
		at := "Errors[" + strconv.Itoa(i) + "]"
		c.text(e.OT, at+".OT")
		e.OT = ""
		c.code(e, codes.ReceiptErrors, at)
	}
	c.needed(r.OriginalType.V, "OriginalType.V")
	c.text(r.OriginalType.DN, "OriginalType.DN")
	c.check(issueDate.MatchString(r.OriginalIssueDate) && isDateTime(r.OriginalIssueDate), "OriginalIssueDate", "must be the xs:dateTime that the message carried")
	c.needed(r.OriginalMsgID, "OriginalMsgID")
}

// receiptParty is liberal: a receipt mirrors what the message had, and only a
// party of which nothing is known can be nobody's mirror.
func (c *checker) receiptParty(p Party, path string) {
	c.check(p.known(), path, "must have a name or an identifier")
	c.receiptIdents(p.Organisation.Name, p.Organisation.Idents, path+".Organisation")
	if p.Unit != nil {
		c.receiptIdents(p.Unit.Name, p.Unit.Idents, path+".Unit")
	}
	if p.Person != nil {
		c.receiptIdents(fullName(p.Person), p.Person.Idents, path+".Person")
	}
}

func (c *checker) receiptIdents(name string, idents []Ident, path string) {
	c.text(name, path+".Name")
	for i, id := range idents {
		at := fmt.Sprintf("%s.Idents[%d]", path, i)
		c.text(id.ID, at+".ID")
		c.text(id.Type.V, at+".Type.V")
		c.text(id.Type.DN, at+".Type.DN")
	}
}

func (w *writer) receipt(r *Receipt) {
	w.open("AppRec", "xmlns", nsReceipt)
	w.cs("MsgType", Code{V: codes.AppRec}, codes.Processes)
	w.leaf("MIGversion", receiptVersion)
	w.leaf("GenDate", writeInstant(r.GenDate))
	w.leaf("Id", r.ID)
	w.receiptParty("Sender", codes.PrimaryReceiver, r.Sender)
	w.receiptParty("Receiver", codes.OriginalSender, r.Receiver)
	w.cs("Status", Code{V: receiptStatus(r.OK).V, DN: r.Status.DN}, codes.ReceiptStatus)
	for _, e := range r.Errors {
		w.cv("Error", e, codes.ReceiptErrors)
	}
	w.open("OriginalMsgId")
	w.cs("MsgType", r.OriginalType, codes.Processes)
	w.leaf("IssueDate", r.OriginalIssueDate)
	w.leaf("Id", r.OriginalMsgID)
	w.close("OriginalMsgId")
	w.close("AppRec")
}

func (w *writer) receiptParty(name, role string, p Party) {
	w.open(name)
	w.cs("Role", Code{V: role}, codes.ReceiptRoles)
	w.open("HCP")
	w.open("Inst")
	additional := w.receiptIdents(p.Organisation.Name, p.Organisation.Idents)
	if p.Unit != nil {
		w.open("Dept")
		w.additionalIDs(w.receiptIdents(p.Unit.Name, p.Unit.Idents))
		w.close("Dept")
	}
	w.additionalIDs(additional)
	if p.Person != nil {
		w.open("HCPerson")
		w.additionalIDs(w.receiptIdents(fullName(p.Person), p.Person.Idents))
		w.close("HCPerson")
	}
	w.close("Inst")
	w.close("HCP")
	w.close(name)
}

// receiptIdents writes the name and main identifier, and returns the others.
func (w *writer) receiptIdents(name string, idents []Ident) []Ident {
	w.optional("Name", name)
	if len(idents) == 0 {
		return nil
	}
	w.leaf("Id", idents[0].ID)
	w.cs("TypeId", idents[0].Type, "")
	return idents[1:]
}

func (w *writer) additionalIDs(idents []Ident) {
	for _, id := range idents {
		w.open("AdditionalId")
		w.leaf("Id", id.ID)
		w.cs("Type", id.Type, "")
		w.close("AdditionalId")
	}
}
