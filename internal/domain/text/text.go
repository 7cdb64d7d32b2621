// Package text writes what patients read in the clinic's own notices: built-in
// templates in four languages, filled with an Oslo wall clock, measured in SMS
// segments, and free of words that reveal health (F20).
package text

import (
	"time"

	"github.com/helsebro/helsebro/internal/domain/notice"
)

// Key names a template.
type Key struct {
	Purpose notice.Purpose
	Channel notice.Channel
	// Language is nb, nn, en or se.
	Language string
}

// Template is a text with placeholders: {{date}}, {{time}}, {{clinic}}, {{phone}} and
// {{place}}, no others. There is none for the patient's name or the appointment's
// type, so neither can leave.
type Template struct {
	// Version counts the changes of a text; the ledger records which one was sent.
	Version int
	// Language is that of the date's words: nb, nn, en or se; empty is nb.
	Language string
	// Subject is the e-mail's subject or the push message's title; empty for SMS.
	Subject string
	Body    string
}

// Values fill a template.
type Values struct {
	// ClinicName is the clinic's display name.
	ClinicName string
	// Start is an instant; the text shows it as the wall clock in Norway.
	Start time.Time
	// Place may be empty: the line that names it is left out.
	Place string
	// Phone is the clinic's.
	Phone string
}

// Builtin is the text that comes with the product; false when there is none for the
// key.
func Builtin(k Key) (Template, bool) { return Template{}, false }

// Render fills the template, with the words of its language for the date. It refuses a
// placeholder that it does not know, a value that is missing, and words that reveal
// health in the template, the clinic's name or the place; each line of the error is
// "path: rule", and none quotes more than the placeholder or the word.
func Render(t Template, v Values) (subject, body string, err error) {
	return "", "", nil
}

// Segments is how many SMS segments a text takes, and in which encoding: "GSM-7" (160
// septets alone, 153 in a row) or "UCS-2" (70 and 67 UTF-16 units), by GSM 03.38 and
// 3GPP TS 23.040. An empty text takes none.
func Segments(s string) (n int, encoding string) { return 0, "" }

// Lint lists the words in a text that reveal health, in lower case, in the order in
// which they stand; none for a text that may be sent.
func Lint(s string) []string { return nil }
