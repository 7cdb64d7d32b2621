package helsenorge

import "fmt"

// readPeople reads a Personer document.
func readPeople(n *node) []Person {
	fk := vocabulary(nsShared)
	people := []Person{}
	for _, p := range n.children(vocabulary(nsPeople).name("Person")) {
		people = append(people, readPerson(p, fk, fk))
	}
	return people
}

func (c *checker) people(m *Message, f function) {
	if f.people == never {
		c.check(len(m.People) == 0, "People", "must be empty: this code has no Personer document")
		return
	}
	c.check(len(m.People) > 0, "People", "must be there: this code is about them")
	for i, p := range m.People {
		c.person(p, true, fmt.Sprintf("People[%d]", i))
	}
}

func (w *writer) people(people []Person) {
	w.open("Personer", "xmlns", nsPeople, "xmlns:fk1", nsShared)
	for _, p := range people {
		w.open("Person")
		w.person(p, "fk1:", false)
		w.close("Person")
	}
	w.close("Personer")
}
