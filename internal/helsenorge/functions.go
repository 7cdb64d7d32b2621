package helsenorge

import (
	"cmp"
	"slices"
	"strings"
)

// Direction says which side sends a message.
type Direction string

// The directions, seen from the clinic.
const (
	ToClinic     Direction = "to the clinic"
	ToHelsenorge Direction = "to Helsenorge"
	EitherWay    Direction = "either way"
)

// Function is one message of the standard: what a code means in a process.
type Function struct {
	// Process is of 8279, Code of 7601, 7602 or 7603.
	Process, Code string
	// Request is true for a Foresporsel, false for a Notat.
	Request   bool
	Direction Direction
	// Synchronous is true for what is asked and answered at once; a refusal that answers
	// either kind is not.
	Synchronous bool
	// Content is the name of the Go type that holds what it says, such as BookingRequest.
	Content string
	// Section is where HITS 1217 has it, such as 3.4.3.
	Section string
}

// Functions lists every message that is read in full and written, by section, process
// and code, requests first. The receipt, which every process has, is not among them: it
// is Receipt. Nor are the refusals 26, 30 and 31 of the processes that a GP does not
// use.
func Functions() []Function {
	var all []Function
	for process, fs := range profile {
		for request, table := range map[bool]map[string]function{true: fs.requests, false: fs.notes} {
			for code, f := range table {
				m := &Message{Head: Head{Process: process}, Dialog: &Dialog{Note: &Note{Topic: Code{V: code}}}}
				if request {
					m.Dialog = &Dialog{Request: &Request{Type: Code{V: code}}}
				}
				content, _ := m.Content()
				all = append(all, Function{
					Process: process, Code: code, Request: request, Direction: f.sides.direction(),
					Synchronous: f.pace == atOnce, Content: ContentName(content), Section: f.section,
				})
			}
		}
	}
	slices.SortFunc(all, func(a, b Function) int {
		return cmp.Or(slices.Compare(a.place(), b.place()), cmp.Compare(a.Process, b.Process), cmp.Compare(a.order(), b.order()), cmp.Compare(a.Code, b.Code))
	})
	return all
}

// place is the section as numbers, so that 3.10 comes after 3.9.
func (f Function) place() (numbers []int) {
	for part := range strings.SplitSeq(f.Section, ".") {
		numbers = append(numbers, atoi(part))
	}
	return numbers
}

// order is requests before notes.
func (f Function) order() int {
	if f.Request {
		return 0
	}
	return 1
}

func (s side) direction() Direction {
	switch s {
	case citizen:
		return ToClinic
	case clinic:
		return ToHelsenorge
	}
	return EitherWay
}
