// Package title makes the titles that staff see in an inbox.
package title

import "strings"

// Mark is what every dialogue from Helsenorge carries in its title (S94).
const Mark = "helsenorge.no"

// Inbound is the title of a dialogue that a citizen started on Helsenorge. The
// subject may be missing (an e-contact need not have one); kind then says what it
// is.
func Inbound(kind, subject string) string { return Mark + ": " + Own(kind, subject) }

// Own is the title of a dialogue that was started in the clinic, or in its own portal or
// app: as Inbound, without the mark that is Helsenorge's alone.
func Own(kind, subject string) string {
	if subject = strings.TrimSpace(subject); subject == "" {
		return kind
	}
	return subject
}
