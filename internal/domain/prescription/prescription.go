// Package prescription decides how a renewal request is answered: each prescription is
// renewed or not, and the one option that the citizen is told follows from that (F15,
// S61-S67).
package prescription

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Decision is what becomes of one prescription of a request.
type Decision string

// The decisions.
const (
	// Renewed: there is a new prescription.
	Renewed Decision = "renewed"
	// Cannot: it cannot be renewed, for a medical reason, say.
	Cannot Decision = "cannot"
	// Rejected: the clinic does not deal with it here.
	Rejected Decision = "rejected"
)

// Decisions lists them.
func Decisions() []Decision { return []Decision{Renewed, Cannot, Rejected} }

// Options of a request, codes of 7602 (HITS 1217 §3.1.3): exactly one, of four (S61).
const (
	OptionRenewed  = "14" // S63
	OptionPartly   = "32" // S65
	OptionCannot   = "15" // S64
	OptionRejected = "26" // S62
)

// note is each option as the citizen reads it, the standard's own words for its code.
var note = map[string]string{
	OptionRenewed:  "Resept er fornyet",
	OptionPartly:   "Resepter delvis fornyet",
	OptionCannot:   "Resept kan ikke fornyes",
	OptionRejected: "Forespørsel avvist",
}

// Options lists the options in the order of the seed (S62-S65).
func Options() []string { return []string{OptionRejected, OptionRenewed, OptionCannot, OptionPartly} }

// Note is the option as a note to the citizen (S67): the subject of the answer, in the
// wire's language, at most 50 characters; "" for what is no option.
func Note(option string) string { return note[option] }

// Derive is the one option that the decisions come to: all renewed, some renewed (partly),
// all rejected, or none renewed and not all rejected (cannot be renewed). "" when nothing
// is decided.
func Derive(all []Decision) string {
	renewed, rejected := count(all, Renewed), count(all, Rejected)
	switch {
	case len(all) == 0:
		return ""
	case renewed == len(all):
		return OptionRenewed
	case renewed > 0:
		return OptionPartly
	case rejected == len(all):
		return OptionRejected
	}
	return OptionCannot
}

// Expand is the decision on each of n prescriptions that the option alone says; nil for
// "partly renewed", which does not say which.
func Expand(option string, n int) []Decision {
	same := map[string]Decision{OptionRenewed: Renewed, OptionCannot: Cannot, OptionRejected: Rejected}[option]
	if same == "" || n == 0 {
		return nil
	}
	return slices.Repeat([]Decision{same}, n)
}

// Contradiction says why the option is not what the decisions come to, in words for
// whoever chose it; "" when it is.
func Contradiction(option string, all []Decision) string {
	right := Derive(all)
	if option == right {
		return ""
	}
	n := len(all)
	return fmt.Sprintf("%s (%s) says otherwise than the decisions: %d of %d renewed, %d cannot be renewed, %d rejected, which is %s (%s)",
		option, meaning(option), count(all, Renewed), n, count(all, Cannot), count(all, Rejected), right, meaning(right))
}

// meaning is an option in the words of the clinic's own screens.
func meaning(option string) string {
	switch option {
	case OptionRenewed:
		return "prescription renewed"
	case OptionPartly:
		return "prescriptions partly renewed"
	case OptionCannot:
		return "the prescription cannot be renewed"
	case OptionRejected:
		return "request rejected"
	}
	return "no option of a renewal request"
}

func count(all []Decision, d Decision) int {
	n := 0
	for _, x := range all {
		if x == d {
			n++
		}
	}
	return n
}

// Line is what the answer says of one prescription.
type Line struct {
	// Name is what the citizen knows it by.
	Name     string
	Decision Decision
	// Reason is why, "" where the text says it.
	Reason string
	// Reserved: guardians may not learn of it (F15). Whoever reads for the citizen reads
	// the text, so that it says nothing of it.
	Reserved bool
}

// words are the decisions as the citizen reads them, in the wire's language.
var words = map[Decision]string{Renewed: "fornyet", Cannot: "kan ikke fornyes", Rejected: "avvist"}

// nameRunes is how much of a name a line holds, in characters.
const nameRunes = 80

// Text is what the citizen reads: what staff wrote, and below it a line for each
// prescription. One prescription alone needs none, unless there is a reason: the option
// says it. What is reserved is never named, and neither are numbers given that would
// have a gap.
func Text(written string, lines []Line) string {
	var b strings.Builder
	b.WriteString(written)
	for _, l := range lines {
		if l.Reserved || (len(lines) == 1 && l.Reason == "") {
			continue
		}
		if b.Len() == len(written) {
			b.WriteString("\n")
		}
		b.WriteString("\n- " + Short(l.Name, nameRunes) + ": " + words[l.Decision])
		if l.Reason != "" {
			b.WriteString(". " + l.Reason)
		}
	}
	return strings.TrimSpace(b.String())
}

// Short is a name on one line of at most n characters.
func Short(name string, n int) string {
	name = strings.Join(strings.Fields(name), " ")
	if utf8.RuneCountInString(name) <= n {
		return name
	}
	return strings.TrimSpace(string([]rune(name)[:n-1])) + "…"
}

// Names tells whether a text speaks of a prescription with one of the names, whatever
// the case: as a whole, or by the first word, which is the medicine's own.
func Names(text string, names ...string) bool {
	text = strings.ToLower(text)
	for _, name := range names {
		all := strings.Fields(strings.ToLower(name))
		if len(all) == 0 {
			continue
		}
		if strings.Contains(text, strings.Join(all, " ")) || (utf8.RuneCountInString(all[0]) >= distinctive && strings.Contains(text, all[0])) {
			return true
		}
	}
	return false
}

// distinctive is how long a first word must be to be a medicine's name, in characters.
const distinctive = 4

// MaxText is how much of an answer Helsenorge shows, in characters (HITS 1217 §2.4.1).
const MaxText = 1000

// Over is by how many characters the text is longer than Helsenorge shows; 0 when it is
// not.
func Over(text string) int { return max(0, utf8.RuneCountInString(text)-MaxText) }
