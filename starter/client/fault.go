package client

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
)

// faults collects the invalid fields of one input.
type faults []apperr.Field

func (f *faults) check(ok bool, path, rule string, args ...any) {
	if !ok {
		*f = append(*f, apperr.Field{Path: path, Rule: fmt.Sprintf(rule, args...)})
	}
}

// name checks a name that must be there.
func (f *faults) name(path, s string) {
	f.check(strings.TrimSpace(s) != "", path, "required")
	f.line(path, s, maxNameRunes)
}

// line checks what is shown on one line.
func (f *faults) line(path, s string, runes int) {
	f.check(utf8.RuneCountInString(s) <= runes, path, "at most %d characters", runes)
	f.check(utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unprintable(r) }),
		path, "one line without control characters")
}

// text checks what may have several lines.
func (f *faults) text(path, s string, runes int) {
	f.check(utf8.RuneCountInString(s) <= runes, path, "at most %d characters", runes)
	f.check(utf8.ValidString(s) && !strings.ContainsFunc(s, unprintable), path, "no control characters but line feed and tab")
}

// unprintable tells whether XML 1.0 or a reader has no use for the rune.
func unprintable(r rune) bool {
	return (unicode.IsControl(r) && r != '\n' && r != '\t') || r == '\uFFFE' || r == '\uFFFF'
}

// trimmed is a text with one kind of line end and nothing around it.
func trimmed(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }

// isID tells whether s has the form of the ids that Helsebro gives.
func isID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }

// oneForm is an id as Helsebro writes it, which a workflow is named by; PostgreSQL takes
// others for the same. What is no id stays as it is.
func oneForm(s string) string {
	if id, err := uuid.Parse(s); err == nil {
		return id.String()
	}
	return s
}

func isDigits(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789") == ""
}

func isPhone(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	return s == "" || (len(digits) >= 5 && len(digits) <= 15 && isDigits(digits, len(digits)))
}
