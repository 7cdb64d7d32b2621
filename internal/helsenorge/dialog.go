package helsenorge

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Role is a RollerRelatertNotat: who the citizen wishes to reach, or who wrote.
// At most one of Professional and Person is set.
type Role struct {
	// RolleNotat is of 9057, such as 1 Forfatter.
	RolleNotat *Code
	// RoleToPatient is of 9034, such as 23 Ønsket behandler.
	RoleToPatient *Code
	Professional  *HealthcareProfessional
	Person        *Person
}

// Request is a Foresporsel: it begins a conversation. Only VUS, the notice of an
// unread message, stands in one.
type Request struct {
	// Type is TypeForesp: of 7601, of 7603 in the communication test, and of 7602
	// when the clinic tells of an appointment unasked (HITS 1217 §3.4.1).
	Type Code
	// Subject is EmneSporsmal. At most 50 characters are written, any are read.
	Subject string
	// Text is Sporsmal. At most 1000 characters are written, any are read.
	Text Text
	// From and To are FraDato and TilDato, the first and last day that free slots
	// are asked for: calendar dates, as midnight UTC of the date. They are zero
	// when absent. Written they span at most MaxSlotDays.
	From, To time.Time
	// Coded is KodetOpplysning: in a renewal, how to deliver (8324); in what a
	// citizen asks about an appointment, whether another practitioner will do
	// (1101). Official samples lack the latter: nil then says nothing.
	Coded *Code
	Roles []Role
}

// Note is a Notat: every later message of a conversation, whoever sends it.
type Note struct {
	// Topic is TemaKodet (7602; 7603 in the communication test).
	Topic Code
	// Subject is Tema, with the limits of Request.Subject.
	Subject string
	// Text is TekstNotatInnhold, with the limits of Request.Text.
	Text  Text
	Roles []Role
}

// Dialog is a Dialogmelding. In a message that Read finds no problem with,
// exactly one of Request and Note is set.
type Dialog struct {
	// CaseID is Sakstype: the sender's own id of the contact.
	CaseID  string
	Request *Request
	Note    *Note
}

// Function is the code that says what the message is for: TypeForesp of a
// request, TemaKodet of a note, "" of an empty dialog.
func (d Dialog) Function() string {
	switch {
	case d.Request != nil:
		return d.Request.Type.V
	case d.Note != nil:
		return d.Note.Topic.V
	}
	return ""
}

// readDialog reads the first request or note, of either edition. A note may still
// repeat the request it answers, as older systems do: it is not read.
func readDialog(n *node) *Dialog {
	v := vocabulary(n.name.Space)
	d := &Dialog{CaseID: n.child(v.name("Sakstype")).trimmed()}
	if r := n.child(v.name("Foresporsel")); r != nil {
		d.Request = &Request{
			Type:    readCode(r.child(v.name("TypeForesp"))),
			Subject: r.child(v.name("EmneSporsmal")).trimmed(),
			Text:    readText(r.child(v.name("Sporsmal"))),
			From:    readDate(r.child(v.name("FraDato")).trimmed()),
			To:      readDate(r.child(v.name("TilDato")).trimmed()),
			Roles:   readRoles(r, v),
		}
		if coded := r.child(v.name("KodetOpplysning")); coded != nil {
			c := readCode(coded)
			d.Request.Coded = &c
		}
	} else if t := n.child(v.name("Notat")); t != nil {
		d.Note = &Note{
			Topic:   readCode(t.child(v.name("TemaKodet"))),
			Subject: t.child(v.name("Tema")).trimmed(),
			Text:    readText(t.child(v.name("TekstNotatInnhold"))),
			Roles:   readRoles(t, v),
		}
	}
	return d
}

func readRoles(n *node, v vocabulary) (out []Role) {
	for _, r := range n.children(v.name("RollerRelatertNotat")) {
		var role Role
		if c := r.child(v.name("RolleNotat")); c != nil {
			code := readCode(c)
			role.RolleNotat = &code
		}
		if c := r.child(v.name("RoleToPatient")); c != nil {
			code := readCode(c)
			role.RoleToPatient = &code
		}
		if p := r.child(v.name("HealthcareProfessional")); p != nil {
			pro := readProfessional(p, v, vocabulary(nsShared))
			role.Professional = &pro
		}
		if p := r.child(v.name("Person")); p != nil {
			person := readPerson(p, v, vocabulary(nsShared))
			role.Person = &person
		}
		out = append(out, role)
	}
	return out
}

func (c *checker) dialog(m *Message, f function) {
	d := m.Dialog
	c.check(d.CaseID == "" || f.caseID, "Dialog.CaseID", "must be empty: this code has no Sakstype")
	c.text(d.CaseID, "Dialog.CaseID")
	if r := d.Request; r != nil {
		c.code(r.Type, f.list, "Dialog.Request.Type")
		c.texts(r.Subject, r.Text, f, "Dialog.Request")
		c.dates(r, f)
		if f.coded == "" {
			c.check(r.Coded == nil, "Dialog.Request.Coded", "must be nil: this code has no KodetOpplysning")
		} else if c.check(r.Coded != nil, "Dialog.Request.Coded", "must be a code of list "+string(f.coded)) {
			c.code(*r.Coded, f.coded, "Dialog.Request.Coded")
		}
		c.roles(r.Roles, f, "Dialog.Request.Roles")
		return
	}
	n := d.Note
	c.code(n.Topic, f.list, "Dialog.Note.Topic")
	c.texts(n.Subject, n.Text, f, "Dialog.Note")
	c.roles(n.Roles, f, "Dialog.Note.Roles")
}

// dates checks the days that free slots are asked for.
func (c *checker) dates(r *Request, f function) {
	const from, to = "Dialog.Request.From", "Dialog.Request.To"
	if !f.dates {
		c.check(r.From.IsZero(), from, "must be zero: this code has no FraDato")
		c.check(r.To.IsZero(), to, "must be zero: this code has no TilDato")
		return
	}
	const rule = "must be a calendar date, as midnight UTC"
	if c.check(isCalendarDate(r.From), from, rule) && c.check(isCalendarDate(r.To), to, rule) {
		days := int(r.To.Sub(r.From) / (24 * time.Hour))
		c.check(days >= 0 && days <= MaxSlotDays, to, fmt.Sprintf("must be the day of From or at most %d days later", MaxSlotDays))
	}
}

func isCalendarDate(t time.Time) bool {
	return isWritable(t) && t.Equal(t.Truncate(24*time.Hour))
}

func (c *checker) texts(subject string, text Text, f function, path string) {
	if f.silent {
		const rule = "must be empty: this code is without words"
		c.check(subject == "", path+".Subject", rule)
		c.check(text.isEmpty(), path+".Text", rule)
		return
	}
	if f.needsSubject {
		c.needed(subject, path+".Subject")
	} else {
		c.text(subject, path+".Subject")
	}
	c.check(utf8.RuneCountInString(subject) <= MaxSubject, path+".Subject", fmt.Sprintf("must be at most %d characters", MaxSubject))
	c.check(!f.needsText || !text.isEmpty(), path+".Text", "must not be empty")
	plain := text.Plain
	if text.XHTML != "" {
		div, rule := parseMarkup(text.XHTML)
		if !c.check(rule == "", path+".Text.XHTML", rule) {
			return
		}
		var p plainText
		p.take(div)
		plain = p.String()
	}
	c.text(plain, path+".Text")
	c.check(!f.needsText || strings.TrimSpace(plain) != "", path+".Text", "must not be blank")
	c.check(utf8.RuneCountInString(plain) <= MaxText, path+".Text", fmt.Sprintf("must be at most %d characters", MaxText))
}

func (c *checker) roles(roles []Role, f function, path string) {
	if f.roles == noRoles {
		c.check(len(roles) == 0, path, "must be empty: this code has no RollerRelatertNotat")
		return
	}
	c.check(f.roles == someRoles || len(roles) <= 1, path, "must be at most one: the practitioner, or who wrote")
	for i, r := range roles {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.check((r.Professional == nil) != (r.Person == nil), at, "must have exactly one of Professional and Person")
		c.check(r.RolleNotat != nil || r.RoleToPatient != nil, at, "must have RolleNotat or RoleToPatient")
		if r.RolleNotat != nil {
			c.code(*r.RolleNotat, codes.NoteRoles, at+".RolleNotat")
		}
		if r.RoleToPatient != nil {
			c.code(*r.RoleToPatient, codes.PatientRoles, at+".RoleToPatient")
		}
		if f.sides == citizen {
			wished := r.RoleToPatient != nil && r.RoleToPatient.V == codes.WishedPractitioner && r.Professional != nil
			c.check(wished, at, "must be the wished practitioner: RoleToPatient 23 with a Professional")
		}
		c.check(f.roles != onePractitioner || r.Person == nil, at+".Person", "must be nil: an appointment is with a Professional")
		if f.roles == oneAuthor {
			wrote := r.RolleNotat != nil && r.RolleNotat.V == codes.Author && r.Person != nil
			c.check(wrote, at, "must be the author: RolleNotat 1 with a Person")
		}
		if r.Professional != nil {
			c.professional(r.Professional, at+".Professional")
			if f.roles == onePractitioner {
				c.hasHPR(r.Professional, at+".Professional")
			}
			c.check(r.Professional.RoleToPatient == (Code{}), at+".Professional.RoleToPatient", "must be empty: the role stands beside the person")
		}
		if r.Person != nil {
			c.person(*r.Person, false, at+".Person")
		}
	}
}

func (w *writer) dialog(d *Dialog, f function) {
	w.open("Dialogmelding", "xmlns", nsDialog, "xmlns:fk1", nsShared)
	w.optional("Sakstype", d.CaseID)
	if r := d.Request; r != nil {
		w.open("Foresporsel")
		w.cv("TypeForesp", r.Type, f.list)
		w.optional("EmneSporsmal", r.Subject)
		w.text("Sporsmal", r.Text)
		w.date("FraDato", r.From)
		w.date("TilDato", r.To)
		if r.Coded != nil {
			w.cv("KodetOpplysning", *r.Coded, f.coded)
		}
		w.roles(r.Roles)
		w.close("Foresporsel")
	} else {
		n := d.Note
		w.open("Notat")
		w.cv("TemaKodet", n.Topic, f.list)
		subject := n.Subject
		if subject == "" && f.subjectFromCode {
			subject = codes.Name(f.list, n.Topic.V)
		}
		w.optional("Tema", subject)
		w.text("TekstNotatInnhold", n.Text)
		w.roles(n.Roles)
		w.close("Notat")
	}
	w.close("Dialogmelding")
}

func (w *writer) roles(roles []Role) {
	for _, r := range roles {
		w.open("RollerRelatertNotat")
		if r.RolleNotat != nil {
			w.cv("RolleNotat", *r.RolleNotat, codes.NoteRoles)
		}
		if r.RoleToPatient != nil {
			w.cv("RoleToPatient", *r.RoleToPatient, codes.PatientRoles)
		}
		if r.Professional != nil {
			w.open("HealthcareProfessional")
			w.professional(r.Professional, "", "fk1:")
			w.close("HealthcareProfessional")
		}
		if r.Person != nil {
			w.open("Person")
			w.person(*r.Person, "fk1:", true)
			w.close("Person")
		}
		w.close("RollerRelatertNotat")
	}
}
