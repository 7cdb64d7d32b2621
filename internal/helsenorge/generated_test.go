package helsenorge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/testsize"
)

// Whatever the tables permit is valid by the official schemas, reads back as it was
// written, and is the same in typed form.
func TestGeneratedMessagesAreValid(t *testing.T) {
	t.Parallel()
	seed := testsize.Seed(t)
	r := rand.New(rand.NewPCG(seed, 3))
	functions := Functions()
	each := testsize.Scaled(6000, 4*len(functions)) / len(functions)
	var documents [][]byte
	for _, f := range functions {
		for range each {
			m := generated(r, f)
			raw, err := WriteMessage(m)
			require.NoError(t, err, "%+v %v", f, fieldsOf(t, err))
			back, problems := Read(raw)
			require.Empty(t, problems, "%+v", f)
			back.Head.GenDateLiteral = ""
			require.Equal(t, m, whole(back), "%+v", f)
			content, ok := back.Content()
			require.True(t, ok)
			require.Equal(t, f.Content, ContentName(content))
			require.Equal(t, m, NewMessage(m.Head, content), "%+v", f)
			documents = append(documents, raw)
		}
	}
	t.Logf("%d messages of %d functions", len(documents), len(functions))
	requireValid(t, documents...)
}

// entry is the table's own entry of a function.
func (f Function) entry() function {
	if f.Request {
		return profile[f.Process].requests[f.Code]
	}
	return profile[f.Process].notes[f.Code]
}

// generated is a message of a function with whatever of the optional it may have.
func generated(r *rand.Rand, named Function) *Message {
	f, process := named.entry(), named.Process
	maybe := func() bool { return r.IntN(2) == 0 }
	words := func() string {
		runes := []rune("abcæøåÆØÅ <>&\"'😀\n-09")
		out := make([]rune, 1+r.IntN(40))
		for i := range out {
			out[i] = runes[r.IntN(len(runes))]
		}
		return "x" + string(out) + "x"
	}
	m := &Message{Head: fromCitizen(process, firstID), Dialog: &Dialog{}}
	switch {
	case f.thread:
		m.Head = fromClinic(process, secondID)
		if f.sides == citizen || f.sides != clinic && maybe() {
			m.Head = ReplyHead(m.Head, thirdID, now, firstID)
		}
	case f.sides == clinic:
		m.Head = firstFromClinic(process)
	}
	m.Head.Patient = generatedPatient(r, f.patient, maybe)
	var text Text
	var subject string
	if !f.silent && (f.needsText || maybe()) {
		text = Text{Plain: words()}
		if maybe() {
			text = generatedText(r)
		}
	}
	if !f.silent && (f.needsSubject || f.subjectFromCode || maybe()) {
		subject = words()
	}
	roles := generatedRoles(r, f, maybe)
	if !named.Request {
		m.Dialog.Note = &Note{Topic: code(f.list, named.Code), Subject: subject, Text: text, Roles: roles}
	} else {
		q := &Request{Type: code(f.list, named.Code), Subject: subject, Text: text, Roles: roles}
		if f.coded != "" {
			of := []string{"1", "2"}
			if f.coded == codes.Delivery {
				of = []string{"AA", "AP", "HE", "JA"}
			}
			q.Coded = codeRef(f.coded, of[r.IntN(len(of))])
		}
		if f.dates {
			q.From = time.Date(2026, 1, 1+r.IntN(700), 0, 0, 0, 0, time.UTC)
			q.To = q.From.AddDate(0, 0, r.IntN(MaxSlotDays+1))
		}
		m.Dialog.Request = q
	}
	m.Head.WantsReceipt = f.pace == queued || f.pace == eitherWay && maybe()
	if f.caseID && maybe() {
		m.Dialog.CaseID = words()
	}
	if f.sides&citizen != 0 && f.patient == onePatient && process != codes.Digitalbruker && maybe() {
		m.Relation = onBehalf()
		m.Relation.Kind = code(codes.Representation, []string{"FO", "FU", "VE"}[r.IntN(3)])
	}
	if f.attachments {
		kinds := []Attachment{{MIME: MIMEPNG, Content: png}, {MIME: MIMEPDF, Content: pdf}, {MIME: MIMEJPEG, Content: []byte("\xff\xd8\xff\xe0 made up")}}
		for range r.IntN(3) {
			a := kinds[r.IntN(len(kinds))]
			a.Content = append(slices.Clone(a.Content), make([]byte, r.IntN(100))...)
			if maybe() {
				a.Description = words()
			}
			m.Attachments = append(m.Attachments, a)
		}
	}
	if f.practitioners == always || f.practitioners != never && maybe() {
		m.Practitioners = practitioners()[:1+r.IntN(2)]
	}
	if f.prescriptions != never {
		for i := range 1 + r.IntN(4) {
			m.Prescriptions = append(m.Prescriptions, generatedPrescription(r, i))
		}
	}
	if f.people != never {
		for range 1 + r.IntN(5) {
			p := generatedPatient(r, onePatient, maybe)
			m.People = append(m.People, Person{GivenName: p.GivenName, MiddleName: p.MiddleName, FamilyName: p.FamilyName, NationalID: p.NationalID, IDType: p.IDType, Phone: p.Phone})
		}
	}
	if f.events != nil {
		most := f.events.most
		if most == 0 {
			most = 6
		}
		for range f.events.least + r.IntN(most-f.events.least+1) {
			m.Events = append(m.Events, generatedEvent(r, f.events, maybe, words))
		}
	}
	return m
}

func generatedPatient(r *rand.Rand, rule patientRule, maybe func() bool) *Patient {
	if rule == noPatient || rule == anyPatient && maybe() {
		return nil
	}
	number := nationalid.Synthetic(time.Date(1930+r.IntN(95), 1, 1+r.IntN(365), 0, 0, 0, 0, time.UTC), r.IntN(20))
	p := &Patient{GivenName: "Fiktiv", FamilyName: "Pasient", NationalID: number, IDType: "FNR"}
	if maybe() {
		p.MiddleName = "Åse-Mari"
	}
	if maybe() {
		p.Phone = "+4790000000"
	}
	if maybe() {
		p.NationalID, p.IDType = dNumber, "DNR"
	}
	return p
}

// dNumber is of the vectors that Skatteetaten's rules were recomputed with, and nobody's.
const dNumber = "45088649080"

func generatedText(r *rand.Rand) Text {
	markup := []string{"<p>a &amp; b</p>", "<h2>Å</h2>", "<ul><li>én</li><li>to <b>tre</b></li></ul>", "<table><tr><td colspan=\"2\">x</td></tr></table>", "y<br/>z", "<pre>  v\nw</pre>", "<em>e</em>"}
	var inner string
	for range 1 + r.IntN(4) {
		inner += markup[r.IntN(len(markup))]
	}
	div, _ := parseMarkup(inner)
	var plain plainText
	plain.take(div)
	return Text{XHTML: inner, Plain: plain.String()}
}

func generatedRoles(r *rand.Rand, f function, maybe func() bool) []Role {
	switch {
	case f.roles == noRoles || maybe():
		return nil
	case f.roles == oneAuthor:
		return author()
	case f.roles == onePractitioner || f.sides == citizen || maybe():
		return wished()
	case f.sides == clinic:
		return []Role{{RoleToPatient: codeRef(codes.PatientRoles, codes.Locum), Professional: wished()[0].Professional}, author()[0]}
	}
	return wished()
}

func generatedEvent(r *rand.Rand, rule *eventRule, maybe func() bool, words func() string) Event {
	id := func() string {
		if rule.own || maybe() {
			return fmt.Sprintf("%08x-7a4d-4a52-9f0e-6c8a8f0a1d01", r.Uint32())
		}
		return words()
	}
	e := Event{UID: id(), Contact: 1 + r.IntN(9_000_000)}
	e.StartsAt = time.Date(2026, 1, 1, 0, 0, r.IntN(2*365*24*60*60), 0, time.UTC)
	e.EndsAt = e.StartsAt.Add(time.Duration(1+r.IntN(3_600_000)) * time.Millisecond)
	if rule.related || maybe() {
		e.RelatedTo = id()
	}
	if maybe() {
		e.Summary, e.Description = words(), words()
	}
	if maybe() {
		e.Location = words()
	}
	if maybe() {
		e.Status = rule.statuses[r.IntN(len(rule.statuses))]
	}
	if e.Status == StatusCancelled && maybe() {
		e.CancellationReason = []string{CancelledByService, CancelledNotAtHome, CancelledByRecipient, CancelledOnBehalf}[r.IntN(4)]
	}
	if maybe() {
		e.Categories = append(e.Categories, []string{CategoryUrgent, CategoryVideo, "Ordinær", CategoryService + "9"}[r.IntN(4)])
	}
	switch {
	case rule.slots && maybe():
		e.Categories = append(e.Categories, CategoryMustCall)
	case rule.slots && maybe():
		e.AvailableAt = e.StartsAt.Add(-time.Duration(r.IntN(3_600_000)) * time.Millisecond)
	}
	return e
}
