// Package title makes the titles that staff see in an inbox.
package title

import "strings"

// Mark is what every dialogue from Helsenorge carries in its title (S94).
const Mark = "helsenorge.no"

// Inbound is the title of a dialogue that a citizen started on Helsenorge. The
// subject may be missing (an e-contact need not have one); kind then says what it
// is.
func Inbound(kind, subject string) string {
	if subject = strings.TrimSpace(subject); subject == "" {
		subject = kind
	}
	return Mark + ": " + subject
}
