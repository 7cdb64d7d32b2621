package helsenorge

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
)

// Code is a coded value: CV, or CS when S and OT are empty. Reading trims all
// parts, takes blanks out of S and writes a bare list number (S="8324") as the
// full OID. Writing fills S and DN where they are empty and the list is given by
// the place.
type Code struct {
	V  string // the code
	S  string // the OID of the list
	DN string // the display name; never compared, since senders differ
	OT string // free text: the detail of a receipt's error
}

// Ident is an identifier with its kind.
type Ident struct {
	ID string
	// Type.V is HER, HPR, ENH, FNR, DNR and others (8116 for persons, 9051 for
	// organisations).
	Type Code
}

// Organisation is an enterprise, or a unit of one.
type Organisation struct {
	Name   string
	Idents []Ident
}

// HealthcareProfessional is a person in the role of a health professional. A
// receipt has the name in one piece: then it is in FamilyName, unsplit.
type HealthcareProfessional struct {
	RoleToPatient Code
	FamilyName    string
	MiddleName    string
	GivenName     string
	Idents        []Ident
}

// Party is a sender or receiver on two levels: the enterprise, and in it either
// a service (Unit) or a person (HITS 1217 §2.3.4).
type Party struct {
	Organisation Organisation
	Unit         *Organisation
	Person       *HealthcareProfessional
}

// HerID is the HER-id of the party's level 2, or of level 1 when level 2 has
// none. It is 0 when neither has one.
func (p Party) HerID() int {
	if p.Person != nil {
		if id := herID(p.Person.Idents); id != 0 {
			return id
		}
	}
	if p.Unit != nil {
		if id := herID(p.Unit.Idents); id != 0 {
			return id
		}
	}
	return herID(p.Organisation.Idents)
}

// WithHerIDs returns the party with a HER-id on both levels, as every sent
// message must have: organisation and service are used where the level has none
// (a received message may name the enterprise by its ENH only). The party itself
// is not changed.
func (p Party) WithHerIDs(organisation, service int) Party {
	p.Organisation.Idents = withHerID(p.Organisation.Idents, organisation, codes.OrganisationID)
	if p.Unit != nil {
		unit := *p.Unit
		unit.Idents = withHerID(unit.Idents, service, codes.OrganisationID)
		p.Unit = &unit
	}
	if p.Person != nil {
		person := *p.Person
		person.Idents = withHerID(person.Idents, service, codes.PersonIDs)
		p.Person = &person
	}
	return p
}

func withHerID(idents []Ident, her int, list codes.List) []Ident {
	if herID(idents) != 0 || her <= 0 {
		return idents
	}
	added := Ident{ID: strconv.Itoa(her), Type: Code{V: codes.HER, S: list.OID(), DN: codes.Name(list, codes.HER)}}
	return append(idents[:len(idents):len(idents)], added)
}

func herID(idents []Ident) int {
	for _, id := range idents {
		if id.Type.V == codes.HER {
			if n, err := strconv.Atoi(id.ID); err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

// Person is somebody named in a message: a representative, or the author of an
// e-contact answer.
type Person struct {
	GivenName  string
	MiddleName string
	FamilyName string
	// NationalID is eleven digits or "".
	NationalID string
	// IDType is FNR or DNR, or "" without NationalID.
	IDType string
	// Phone is digits and a leading +, without "tel:" and blanks, or "".
	Phone string
}

// Patient is the person that a message is about. NationalID, IDType and Phone
// are as in Person. A number whose form contradicts the sender's TypeId (a
// D-number called FNR) is read with the IDType of its form.
type Patient struct {
	GivenName  string
	MiddleName string
	FamilyName string
	NationalID string
	IDType     string
	Phone      string
}

// Head is MsgHead/MsgInfo. The head of an AppRec has Process "APPREC", its own
// id, instant and parties, and no more.
type Head struct {
	// Process is a code of 8279, such as DIALOG_INNBYGGER_EKONTAKT.
	Process string
	// ProcessLiteral is Process as received where official samples misspell it
	// (AVTALEBESTILLING for AVTALEAVBESTILLING), for the receipt; otherwise it is
	// "". Writing does not use it.
	ProcessLiteral string
	// ProcessName is the @DN beside it. Writing fills it when empty.
	ProcessName string
	// MsgID is a UUID, as the sender wrote it.
	MsgID string
	// GenDate is when the message was made, in UTC; without zone in the message
	// it is read as Norwegian time.
	GenDate time.Time
	// GenDateLiteral is GenDate as received, for the receipt's IssueDate.
	// Writing does not use it.
	GenDateLiteral string
	// WantsReceipt is Ack V="J". Writing demands it, except of what is answered at
	// once, which must not have it (see Message.Synchronous). Official samples of
	// the latter have it all the same.
	WantsReceipt bool
	// RefToParent and RefToConversation are MsgIDs, both or neither: of the
	// message before this one and of the first of the conversation.
	RefToParent       string
	RefToConversation string
	Sender            Party
	Receiver          Party
	// Patient is nil when the message names none.
	Patient *Patient
}

// ReplyHead is the head of the next message in a conversation, sent by the
// receiver of to: parties swapped, to as the parent, same process and patient.
// conversation is the first message's MsgID; when empty, to is the first. now is
// the new GenDate. The sender may lack a HER-id that to did not carry: see
// Party.WithHerIDs. The reply wants a receipt unless its whole process is answered
// at once; in an answer to HLT or HBT the caller sets WantsReceipt to false.
func ReplyHead(to Head, msgID string, now time.Time, conversation string) Head {
	if conversation == "" {
		conversation = to.MsgID
	}
	h := Head{
		Process: to.Process, ProcessName: to.ProcessName,
		MsgID: msgID, GenDate: now.UTC(), WantsReceipt: to.Process != codes.Test && to.Process != codes.Behandleroversikt,
		RefToParent: to.MsgID, RefToConversation: conversation,
		Sender: to.Receiver, Receiver: to.Sender,
	}
	if to.Patient != nil {
		p := *to.Patient
		h.Patient = &p
	}
	return h
}

// misspelt are processes as official samples write them.
var misspelt = map[string]string{"DIALOG_INNBYGGER_AVTALEBESTILLING": codes.Avtaleavbestilling}

func head(local string) xml.Name { return xml.Name{Space: nsHead, Local: local} }

// readCode reads a CV or CS.
func readCode(n *node) Code {
	s := withoutBlanks(n.attr("S"))
	if s != "" && !strings.Contains(s, ".") {
		s = codes.List(s).OID()
	}
	return Code{V: n.attr("V"), S: s, DN: n.attr("DN"), OT: n.attr("OT")}
}

// readHead reads MsgInfo, in whatever order its elements stand. It reports false
// when what a receipt needs is not there: then nobody can be answered.
func readHead(info *node) (Head, bool) {
	h := Head{
		Process:        info.child(head("Type")).attr("V"),
		ProcessName:    info.child(head("Type")).attr("DN"),
		MsgID:          info.child(head("MsgId")).trimmed(),
		GenDateLiteral: info.child(head("GenDate")).trimmed(),
		WantsReceipt:   info.child(head("Ack")).attr("V") == codes.Yes,
	}
	if right, wrong := misspelt[h.Process]; wrong {
		h.Process, h.ProcessLiteral = right, h.Process
	}
	if ref := info.child(head("ConversationRef")); ref != nil {
		h.RefToParent = ref.child(head("RefToParent")).trimmed()
		h.RefToConversation = ref.child(head("RefToConversation")).trimmed()
	}
	var dated bool
	h.GenDate, dated = readInstant(h.GenDateLiteral)
	h.Sender = readParty(info.child(head("Sender")).child(head("Organisation")))
	h.Receiver = readParty(info.child(head("Receiver")).child(head("Organisation")))
	if p := info.child(head("Patient")); p != nil {
		h.Patient = readPatient(p)
	}
	return h, h.Process != "" && h.MsgID != "" && dated && h.Sender.known() && h.Receiver.known()
}

// known tells whether anything is said of who the party is.
func (p Party) known() bool {
	return p.Organisation.Name != "" || len(p.Organisation.Idents) > 0 ||
		p.Unit != nil && (p.Unit.Name != "" || len(p.Unit.Idents) > 0) ||
		p.Person != nil && (fullName(p.Person) != "" || len(p.Person.Idents) > 0)
}

func readParty(org *node) Party {
	p := Party{Organisation: readOrganisation(org)}
	pro := org.child(head("HealthcareProfessional"))
	if unit := org.child(head("Organisation")); unit != nil {
		u := readOrganisation(unit)
		p.Unit = &u
		if pro == nil {
			pro = unit.child(head("HealthcareProfessional"))
		}
	}
	if pro != nil {
		person := readProfessional(pro, vocabulary(nsHead), vocabulary(nsHead))
		p.Person = &person
	}
	return p
}

func readOrganisation(n *node) Organisation {
	return Organisation{
		Name:   n.child(head("OrganisationName")).trimmed(),
		Idents: readIdents(n.children(head("Ident")), vocabulary(nsHead)),
	}
}

// readProfessional reads a HealthcareProfessional of v whose Ident is of idents:
// in Dialogmelding the two namespaces differ.
func readProfessional(n *node, v, idents vocabulary) HealthcareProfessional {
	return HealthcareProfessional{
		RoleToPatient: readCode(n.child(v.name("RoleToPatient"))),
		FamilyName:    n.child(v.name("FamilyName")).trimmed(),
		MiddleName:    n.child(v.name("MiddleName")).trimmed(),
		GivenName:     n.child(v.name("GivenName")).trimmed(),
		Idents:        readIdents(n.children(v.name("Ident")), idents),
	}
}

func readIdents(nodes []*node, v vocabulary) (out []Ident) {
	for _, n := range nodes {
		out = append(out, Ident{ID: n.child(v.name("Id")).trimmed(), Type: readCode(n.child(v.name("TypeId")))})
	}
	return out
}

func readPatient(n *node) *Patient {
	v := vocabulary(nsHead)
	id, idType := readNationalID(n.children(v.name("Ident")), v)
	return &Patient{
		GivenName:  n.child(v.name("GivenName")).trimmed(),
		MiddleName: n.child(v.name("MiddleName")).trimmed(),
		FamilyName: n.child(v.name("FamilyName")).trimmed(),
		NationalID: id, IDType: idType,
		Phone: readPhone(n.children(v.name("TeleCom")), v),
	}
}

// readNationalID returns the first FNR or DNR of the idents, typed by the
// number's own form where that is certain.
func readNationalID(nodes []*node, v vocabulary) (id, idType string) {
	for _, ident := range readIdents(nodes, v) {
		if ident.Type.V != codes.Fodselsnummer && ident.Type.V != codes.DNummer {
			continue
		}
		id = withoutBlanks(ident.ID)
		return id, idForm(id, ident.Type.V)
	}
	return "", ""
}

// idForm is FNR or DNR by the number's own form, and named when the form says
// nothing: a number with a wrong check digit is still the sender's to name.
func idForm(id, named string) string {
	if parsed, err := nationalid.Parse(id, nationalid.Options{Synthetic: nationalid.AllMarks}); err == nil {
		if parsed.Form == nationalid.FNR || parsed.Form == nationalid.DNR {
			return string(parsed.Form)
		}
	}
	return named
}

func readPhone(nodes []*node, v vocabulary) string {
	for _, n := range nodes {
		address := n.child(v.name("TeleAddress")).attr("V")
		scheme, rest, found := strings.Cut(address, ":")
		if !found {
			scheme, rest = "tel", address
		}
		if phone := withoutBlanks(rest); strings.EqualFold(scheme, "tel") && phone != "" {
			return phone
		}
	}
	return ""
}

func (v vocabulary) name(local string) xml.Name { return xml.Name{Space: string(v), Local: local} }

func (c *checker) head(m *Message, f function) {
	h := m.Head
	c.text(h.ProcessName, "Head.ProcessName")
	c.check(isUUID(h.MsgID), "Head.MsgID", "must be a UUID")
	c.check(h.GenDate.Year() > 1900 && h.GenDate.Year() < 10_000, "Head.GenDate", "must be set")
	switch f.pace {
	case queued:
		c.check(h.WantsReceipt, "Head.WantsReceipt", "must be true: every message of a dialogue is receipted")
	case atOnce:
		c.check(!h.WantsReceipt, "Head.WantsReceipt", "must be false: what is answered at once is not receipted")
	case eitherWay:
	}
	if f.patient == noPatient {
		c.check(h.Patient == nil, "Head.Patient", "must be nil: this code is about no patient")
	} else if f.patient == onePatient || h.Patient != nil {
		c.patient(h.Patient)
	}
	if f.thread {
		c.check(isUUID(h.RefToParent) && h.RefToParent != h.MsgID, "Head.RefToParent", "must be the MsgID (UUID) of the message before this one")
		c.check(isUUID(h.RefToConversation) && h.RefToConversation != h.MsgID, "Head.RefToConversation", "must be the MsgID (UUID) of the conversation's first message")
	} else {
		c.check(h.RefToParent == "" && h.RefToConversation == "", "Head.RefToParent", "must be empty: this code begins a conversation")
	}
	c.party(h.Sender, "Head.Sender")
	c.party(h.Receiver, "Head.Receiver")
}

func (c *checker) party(p Party, path string) {
	c.organisation(p.Organisation, path+".Organisation")
	if !c.check((p.Unit == nil) != (p.Person == nil), path, "must have exactly one of Unit and Person: the level that is addressed") {
		return
	}
	if p.Unit != nil {
		c.organisation(*p.Unit, path+".Unit")
		return
	}
	c.professional(p.Person, path+".Person")
	c.check(herID(p.Person.Idents) != 0, path+".Person.Idents", "must have a HER-id (see WithHerIDs)")
	if p.Person.RoleToPatient != (Code{}) {
		c.code(p.Person.RoleToPatient, codes.PatientRoles, path+".Person.RoleToPatient")
	}
}

func (c *checker) organisation(o Organisation, path string) {
	c.needed(o.Name, path+".Name")
	c.idents(o.Idents, codes.OrganisationID, path+".Idents")
	c.check(herID(o.Idents) != 0, path+".Idents", "must have a HER-id (see WithHerIDs)")
}

func (c *checker) professional(p *HealthcareProfessional, path string) {
	c.needed(p.FamilyName, path+".FamilyName")
	c.needed(p.GivenName, path+".GivenName")
	c.text(p.MiddleName, path+".MiddleName")
	c.idents(p.Idents, codes.PersonIDs, path+".Idents")
}

func (c *checker) idents(idents []Ident, list codes.List, path string) {
	for i, id := range idents {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.needed(id.ID, at+".ID")
		c.code(id.Type, list, at+".Type")
	}
}

func (c *checker) patient(p *Patient) {
	if !c.check(p != nil, "Head.Patient", "must be set") {
		return
	}
	c.person(Person{GivenName: p.GivenName, MiddleName: p.MiddleName, FamilyName: p.FamilyName, NationalID: p.NationalID, IDType: p.IDType, Phone: p.Phone}, true, "Head.Patient")
}

var phone = regexp.MustCompile(`^\+?[0-9]{3,15}$`)

// person checks a person of any of the schemas; identified demands the number.
func (c *checker) person(p Person, identified bool, path string) {
	c.needed(p.FamilyName, path+".FamilyName")
	c.needed(p.GivenName, path+".GivenName")
	c.text(p.MiddleName, path+".MiddleName")
	if p.NationalID != "" || identified {
		if c.check(isElevenDigits(p.NationalID), path+".NationalID", "must be the eleven digits of an FNR or a DNR") {
			c.idType(p, path)
		}
	}
	c.check(p.Phone == "" || phone.MatchString(p.Phone), path+".Phone", "must be empty, or 3 to 15 digits after an optional +")
}

func (c *checker) idType(p Person, path string) {
	if !c.check(p.IDType == codes.Fodselsnummer || p.IDType == codes.DNummer, path+".IDType", "must be FNR or DNR") {
		return
	}
	id, err := nationalid.Parse(p.NationalID, nationalid.Options{Synthetic: nationalid.AllMarks})
	if err == nil && id.Form != nationalid.FNR && id.Form != nationalid.DNR {
		c.check(false, path+".NationalID", "must be an FNR or a DNR: Helsenorge knows no help numbers")
	} else if err == nil {
		c.check(string(id.Form) == p.IDType, path+".IDType", "must be the form that the number has: FNR or DNR")
	}
}

func (w *writer) party(name string, p Party) {
	w.open(name)
	w.open("Organisation")
	w.organisation(p.Organisation)
	if p.Unit != nil {
		w.open("Organisation")
		w.organisation(*p.Unit)
		w.close("Organisation")
	}
	if p.Person != nil {
		w.open("HealthcareProfessional")
		if p.Person.RoleToPatient != (Code{}) {
			w.cv("RoleToPatient", p.Person.RoleToPatient, codes.PatientRoles)
		}
		w.professional(p.Person, "", "")
		w.close("HealthcareProfessional")
	}
	w.close("Organisation")
	w.close(name)
}

func (w *writer) organisation(o Organisation) {
	w.leaf("OrganisationName", o.Name)
	w.idents(o.Idents, codes.OrganisationID, "", "")
}

// professional writes a person's elements with prefix own, and what they hold
// with prefix.
func (w *writer) professional(p *HealthcareProfessional, own, prefix string) {
	w.leaf(own+"FamilyName", p.FamilyName)
	w.optional(own+"MiddleName", p.MiddleName)
	w.leaf(own+"GivenName", p.GivenName)
	w.idents(p.Idents, codes.PersonIDs, own, prefix)
}

// idents writes Ident with prefix own and its children with prefix, which in
// Dialogmelding is of another namespace.
func (w *writer) idents(idents []Ident, list codes.List, own, prefix string) {
	for _, id := range idents {
		w.open(own + "Ident")
		w.leaf(prefix+"Id", id.ID)
		w.cv(prefix+"TypeId", id.Type, list)
		w.close(own + "Ident")
	}
}

// person writes a person's elements; Dialogmelding alone has the given name
// first.
func (w *writer) person(p Person, prefix string, givenFirst bool) {
	first, last := p.FamilyName, p.GivenName
	firstName, lastName := "FamilyName", "GivenName"
	if givenFirst {
		first, last, firstName, lastName = last, first, lastName, firstName
	}
	own := ""
	if prefix != "" && !givenFirst {
		own = prefix // Pasientrelasjon: every element is of felleskomponent1
	}
	w.leaf(own+firstName, first)
	w.optional(own+"MiddleName", p.MiddleName)
	w.leaf(own+lastName, last)
	if p.NationalID != "" {
		w.open(own + "Ident")
		w.leaf(prefix+"Id", p.NationalID)
		w.cv(prefix+"TypeId", Code{V: p.IDType}, codes.PersonIDs)
		w.close(own + "Ident")
	}
	if p.Phone != "" {
		w.open(own + "TeleCom")
		w.empty(prefix+"TeleAddress", "V", "tel:"+p.Phone)
		w.close(own + "TeleCom")
	}
}
