package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// shown is a message as people read it: a line for each thing that it says.
type shown struct {
	b      strings.Builder
	reveal bool
}

func (s *shown) line(label, value string) {
	if value != "" {
		fmt.Fprintf(&s.b, "%-14s %s\n", label, oneLine(value))
	}
}

// private is a line of what is the patient's, or was written.
func (s *shown) private(label, value string) {
	if !s.reveal && value != "" {
		value = fmt.Sprintf("(%d characters: --reveal shows them)", utf8.RuneCountInString(value))
	}
	s.line(label, value)
}

func (s *shown) message(m *helsenorge.Message) {
	h := m.Head
	s.line("process", named(codes.Processes, h.Process))
	if r := m.Receipt; r != nil {
		s.receipt(r)
		return
	}
	content, ok := m.Content()
	if ok {
		s.line("function", helsenorge.ContentName(content))
	}
	if m.Dialog != nil {
		s.line("code", oneOf(m.Dialog.Function(), codes.Requests, codes.Answers, codes.TestCodes))
	}
	s.line("message", known(h.MsgID))
	s.line("conversation", known(h.RefToConversation))
	s.line("answers", known(h.RefToParent))
	s.line("written", stamp(h.GenDate))
	s.line("from", party(h.Sender))
	s.line("to", party(h.Receiver))
	if p := h.Patient; p != nil {
		s.person("patient", helsenorge.Person(*p))
	}
	if r := m.Relation; r != nil {
		s.line("relation", oneOf(r.Kind.V, codes.Representation, codes.Kinship))
		s.person("written by", r.Person)
	}
	s.words(m.Dialog)
	for _, e := range m.Events {
		s.event(e)
	}
	for _, p := range m.Practitioners {
		s.line("practitioner", professional(p.Professional))
	}
	for i, p := range m.Prescriptions {
		s.private(fmt.Sprintf("prescription %d", i+1), strings.TrimSpace(p.Name+" "+p.TradeName+" "+p.Dosage))
	}
	for i, p := range m.People {
		s.person(fmt.Sprintf("person %d", i+1), p)
	}
	for _, a := range m.Attachments {
		s.line("file", fmt.Sprintf("%s, %d bytes", first(a.MIME, "of no permitted format"), a.Size()))
		s.private("  called", a.Description)
	}
	for _, u := range m.Unknown {
		s.line("not read", "a document of the format "+u)
	}
}

func (s *shown) words(d *helsenorge.Dialog) {
	if d == nil {
		return
	}
	s.private("case", d.CaseID)
	subject, text, roles := "", "", []helsenorge.Role(nil)
	switch {
	case d.Request != nil:
		r := d.Request
		subject, text, roles = r.Subject, r.Text.Plain, r.Roles
		if r.Coded != nil {
			s.line("coded", oneOf(r.Coded.V, codes.Delivery, codes.YesNo))
		}
		if !r.From.IsZero() {
			s.line("days", r.From.Format("2006-01-02")+" to "+r.To.Format("2006-01-02"))
		}
	case d.Note != nil:
		subject, text, roles = d.Note.Subject, d.Note.Text.Plain, d.Note.Roles
	}
	for _, r := range roles {
		switch {
		case r.Professional != nil:
			s.line("practitioner", professional(*r.Professional))
		case r.Person != nil:
			s.private("author", strings.Join(strings.Fields(r.Person.GivenName+" "+r.Person.FamilyName), " "))
		}
	}
	s.private("subject", subject)
	if s.reveal {
		paragraph(&s.b, "", text)
		return
	}
	s.private("text", text)
}

func (s *shown) event(e helsenorge.Event) {
	when := "without a time"
	if !e.StartsAt.IsZero() {
		when = stamp(e.StartsAt)
		if e.EndsAt.After(e.StartsAt) {
			when += " to " + oslo.In(e.EndsAt).Format("15:04")
		}
	}
	s.line("appointment", strings.TrimSpace(when+" "+strings.ToLower(status(e.Status))))
	s.line("  id", known(e.UID))
	s.line("  related to", known(e.RelatedTo))
	if e.Contact != 0 {
		s.line("  calendar", fmt.Sprint(e.Contact))
	}
	s.private("  about", e.Summary)
	s.private("  where", e.Location)
	s.private("  says", e.Description)
}

// status is one of the three, "" for anything else.
func status(v string) string {
	switch v {
	case helsenorge.StatusTentative, helsenorge.StatusConfirmed, helsenorge.StatusCancelled:
		return v
	}
	return ""
}

func (s *shown) person(label string, p helsenorge.Person) {
	s.private(label, strings.Join(strings.Fields(p.GivenName+" "+p.MiddleName+" "+p.FamilyName), " "))
	s.private("  "+first(p.IDType, "number"), p.NationalID)
	s.private("  telephone", p.Phone)
}

func (s *shown) receipt(r *helsenorge.Receipt) {
	s.line("function", "Receipt")
	s.line("status", oneOf(r.Status.V, codes.ReceiptStatus))
	s.line("message", known(r.ID))
	s.line("answers", known(r.OriginalMsgID))
	s.line("written", stamp(r.GenDate))
	s.line("from", party(r.Sender))
	s.line("to", party(r.Receiver))
	for _, e := range r.Errors {
		s.line("error", oneOf(e.V, codes.ReceiptErrors))
		s.private("  says", e.OT)
	}
}

// named is a code with its name, as far as the list has it: another is not shown.
func named(list codes.List, v string) string {
	if !codes.Has(list, v) {
		return "(of no list)"
	}
	return v + " " + codes.Name(list, v)
}

// oneOf is the code with its name in the first list that has it.
func oneOf(v string, lists ...codes.List) string {
	for _, l := range lists {
		if codes.Has(l, v) {
			return named(l, v)
		}
	}
	if v == "" {
		return ""
	}
	return "(of no list)"
}

// known is an id of the form that the standard has; another may say anything.
func known(id string) string {
	if id == "" || isMsgID(id) {
		return id
	}
	return fmt.Sprintf("(%d characters, no UUID)", utf8.RuneCountInString(id))
}

// party is the enterprise and its HER-id: staff and services, not patients.
func party(p helsenorge.Party) string {
	name := p.Organisation.Name
	if p.Unit != nil && p.Unit.Name != "" {
		name += ", " + p.Unit.Name
	}
	if p.Person != nil {
		name += ", " + professional(*p.Person)
	}
	return fmt.Sprintf("%d %s", p.HerID(), name)
}

func professional(p helsenorge.HealthcareProfessional) string {
	return strings.Join(strings.Fields(p.GivenName+" "+p.MiddleName+" "+p.FamilyName), " ")
}
