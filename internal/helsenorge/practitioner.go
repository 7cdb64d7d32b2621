package helsenorge

import (
	"fmt"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Practitioner is an entry of a Helsepersonell document: somebody at the clinic
// with an own calendar (HITS 1217 §3.11), or the one whom an appointment is with
// (§3.4.3). Read from 2014-03-28 and 2015-05-04, written as the latter.
type Practitioner struct {
	// Professional has RoleToPatient (9034) as any other.
	Professional HealthcareProfessional
	// Category is TypeHealthcareProfessional (9060), such as SP; it is empty when
	// absent.
	Category Code
	// Remark is Merknad, shown to the citizen: when the practitioner is there.
	Remark string
}

// readPractitioners reads a Helsepersonell document of either edition, flat: an
// entry that names several has its remark with each. It is empty, not nil, when
// nobody is listed.
func readPractitioners(n *node) []Practitioner {
	v := vocabulary(n.name.Space)
	entries := []*node{n}
	if n.name == namePractitioners {
		entries = n.children(v.name("Helsepersonell"))
	}
	out := []Practitioner{}
	for _, entry := range entries {
		for _, p := range entry.children(v.name("Helsepersonell")) {
			out = append(out, Practitioner{
				Professional: readProfessional(p, vocabulary(nsShared), vocabulary(nsShared)),
				Category:     readCode(p.child(vocabulary(nsShared).name("TypeHealthcareProfessional"))),
				Remark:       entry.child(v.name("Merknad")).trimmed(),
			})
		}
	}
	return out
}

func (c *checker) practitioners(m *Message, f function) {
	switch f.practitioners {
	case never:
		c.check(len(m.Practitioners) == 0, "Practitioners", "must be empty: this code has no Helsepersonell document")
		return
	case always:
		c.check(len(m.Practitioners) > 0, "Practitioners", "must be there: this code tells who")
	case maybe:
	}
	for i, p := range m.Practitioners {
		at := fmt.Sprintf("Practitioners[%d]", i)
		c.professional(&p.Professional, at+".Professional")
		c.hasHPR(&p.Professional, at+".Professional")
		if p.Professional.RoleToPatient != (Code{}) {
			c.code(p.Professional.RoleToPatient, codes.PatientRoles, at+".Professional.RoleToPatient")
		}
		if p.Category != (Code{}) {
			c.code(p.Category, codes.Professions, at+".Category")
		}
		c.text(p.Remark, at+".Remark")
	}
}

// hasHPR checks that a practitioner can be told from others: by HPR number.
func (c *checker) hasHPR(p *HealthcareProfessional, at string) {
	for _, id := range p.Idents {
		if id.Type.V == codes.HPR {
			return
		}
	}
	c.check(false, at+".Idents", "must have an HPR number")
}

func (w *writer) practitioners(list []Practitioner) {
	w.open("HelsepersonelListe", "xmlns", nsPractitioners, "xmlns:fk1", nsShared)
	for _, p := range list {
		w.open("Helsepersonell")
		w.open("Helsepersonell")
		if p.Category != (Code{}) {
			w.cs("fk1:TypeHealthcareProfessional", p.Category, codes.Professions)
		}
		if p.Professional.RoleToPatient != (Code{}) {
			w.cv("fk1:RoleToPatient", p.Professional.RoleToPatient, codes.PatientRoles)
		}
		w.professional(&p.Professional, "fk1:", "fk1:")
		w.close("Helsepersonell")
		w.optional("Merknad", p.Remark)
		w.close("Helsepersonell")
	}
	w.close("HelsepersonelListe")
}
