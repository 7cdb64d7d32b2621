// Package text writes what patients read in the clinic's own notices: built-in
// templates in four languages, filled with an Oslo wall clock, measured in SMS
// segments, and free of words that reveal health (F20).
package text

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/helsebro/helsebro/internal/domain/notice"
	"github.com/helsebro/helsebro/internal/domain/oslo"
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

// Render fills the template, with the words of its language for the date. It refuses a
// placeholder that it does not know, a value that is missing, and words that reveal
// health in the template, the clinic's name or the place; each line of the error is
// "path: rule", and none quotes more than the placeholder or the word.
func Render(t Template, v Values) (subject, body string, err error) {
	language := t.Language
	if language == "" {
		language = "nb"
	}
	values := map[string]string{
		"date":   oslo.Date(v.Start, language),
		"time":   oslo.In(v.Start).Format("15:04"),
		"clinic": strings.TrimSpace(v.ClinicName),
		"phone":  strings.TrimSpace(v.Phone),
		"place":  strings.TrimSpace(v.Place),
	}
	if v.Start.IsZero() {
		values["time"], values["date"] = "", ""
	}
	var errs []error
	if !slices.Contains(oslo.Languages(), language) {
		errs = append(errs, fmt.Errorf("language: one of %s", strings.Join(oslo.Languages(), ", ")))
	}
	for path, text := range t.parts(v) {
		if words := Lint(text); len(words) > 0 {
			errs = append(errs, fmt.Errorf("%s: must not reveal health, leave out %s", path, strings.Join(words, ", ")))
		}
	}
	subject, err = fill(t.Subject, values)
	errs = append(errs, at("subject", err))
	body, err = fill(t.Body, values)
	errs = append(errs, at("body", err))
	if err := errors.Join(errs...); err != nil {
		return "", "", err
	}
	return subject, body, nil
}

// parts are the texts that people wrote, in the order in which errors name them.
func (t Template) parts(v Values) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		_ = yield("subject", t.Subject) && yield("body", t.Body) && yield("clinic", v.ClinicName) && yield("place", v.Place)
	}
}

func at(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", path, err)
}

// fill replaces the placeholders of one text. Values are put in once and not read
// again, so a clinic's name cannot bring a placeholder of its own; and they are one
// line, so it cannot bring a header or a paragraph either.
func fill(text string, values map[string]string) (string, error) {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, "{{place}}") && values["place"] == "" {
			continue
		}
		var b strings.Builder
		for line != "" {
			before, rest, found := strings.Cut(line, "{{")
			if strings.Contains(before, "}}") {
				return "", errors.New("}} without a placeholder")
			}
			b.WriteString(before)
			if !found {
				break
			}
			name, after, closed := strings.Cut(rest, "}}")
			value, known := values[name]
			switch {
			case !closed:
				return "", errors.New("a placeholder is not closed with }}")
			case !known:
				return "", fmt.Errorf("unknown placeholder {{%s}}: only {{date}}, {{time}}, {{clinic}}, {{phone}} and {{place}}", name)
			case value == "":
				return "", fmt.Errorf("{{%s}} has no value", name)
			case strings.ContainsFunc(value, unicode.IsControl):
				return "", fmt.Errorf("the value of {{%s}} must be one line", name)
			}
			b.WriteString(value)
			line = after
		}
		lines = append(lines, b.String())
	}
	return strings.Join(lines, "\n"), nil
}
