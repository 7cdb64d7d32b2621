package helsenorge

import (
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Relation says who acts for the patient, and by what right. Helsenorge sends it
// whenever the two differ; the clinic never does (HITS 1217 §2.5).
type Relation struct {
	// Kind is a code of 7611 (FO, FU, VE), or of the older 9033.
	Kind Code
	// Person is the representative. The patient stays the one in the head.
	Person Person
}

func readRelation(n *node) *Relation {
	pr, fk := vocabulary(nsRelation), vocabulary(nsShared)
	return &Relation{
		Kind:   readCode(n.child(pr.name("Relasjon"))),
		Person: readPerson(n.child(pr.name("Person")), fk, fk),
	}
}

// readPerson reads a person of v whose Ident and TeleCom are of shared; a nil
// node is nobody.
func readPerson(n *node, v, shared vocabulary) Person {
	id, idType := readNationalID(n.children(v.name("Ident")), shared)
	return Person{
		GivenName:  n.child(v.name("GivenName")).trimmed(),
		MiddleName: n.child(v.name("MiddleName")).trimmed(),
		FamilyName: n.child(v.name("FamilyName")).trimmed(),
		NationalID: id, IDType: idType,
		Phone: readPhone(n.children(v.name("TeleCom")), shared),
	}
}

func (c *checker) relation(m *Message, f function) {
	r := m.Relation
	if r == nil {
		return
	}
	if !c.check(f.sides&citizen != 0 && f.patient == onePatient && m.Head.Process != codes.Digitalbruker,
		"Relation", "must be nil: only Helsenorge sends who acts for the patient") {
		return
	}
	c.code(r.Kind, codes.Representation, "Relation.Kind")
	c.person(r.Person, true, "Relation.Person")
}

func (w *writer) relation(r *Relation) {
	w.open("Pasientrelasjon", "xmlns", nsRelation, "xmlns:fk1", nsShared)
	w.open("Person")
	w.person(r.Person, "fk1:", false)
	w.close("Person")
	w.cv("Relasjon", r.Kind, codes.Representation)
	w.close("Pasientrelasjon")
}
