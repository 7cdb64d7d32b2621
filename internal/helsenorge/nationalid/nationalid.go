// Package nationalid reads Norwegian national identifiers: their form and check
// digits. It derives no sex, and a birth date only as a fallback (BirthDate):
// numbers issued from 2032 carry neither sex nor century (Skatteetaten, "Nytt
// fødselsnummer fra 2032").
//
// No error of this package holds a digit of what was read.
package nationalid

import (
	"fmt"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Form is the kind of identifier, named as code list 8116 names it.
type Form string

// The forms. Digital dialogue supports FNR and DNR only (HITS 1217 §2.3).
const (
	FNR Form = "FNR" // fødselsnummer: a birth date first
	DNR Form = "DNR" // D-number: the day is raised by 40
	FHN Form = "FHN" // common help number (felles hjelpenummer): 8 or 9 first, no date
	HNR Form = "HNR" // help number internal to an enterprise: the month is raised by 40
)

// Marks is a set of the marks that test registers put on the month. The zero
// value is none, as production must have it.
type Marks uint8

// The marks, and all of them.
const (
	Tenor Marks = 1 << iota // Skatteetaten's Test-Norge: month + 80
	NHN                     // Norsk helsenett's test persons: month + 65
	Dolly                   // NAV's test persons: month + 40; then no HNR is recognised

	AllMarks = Tenor | NHN | Dolly
)

// markNames are the marks as configuration names them.
var markNames = map[string]Marks{"tenor": Tenor, "nhn": NHN, "dolly": Dolly}

// ParseMarks reads the marks by their names: tenor, nhn and dolly. None is the zero
// value, and any other name apperr.Invalid.
func ParseMarks(names []string) (Marks, error) {
	var all Marks
	for _, name := range names {
		m, ok := markNames[name]
		if !ok {
			return 0, apperr.New(apperr.Invalid, "%q is no test register: name tenor, nhn or dolly", name)
		}
		all |= m
	}
	return all, nil
}

// Options say what Parse accepts. The zero value is for production: real
// numbers only, and both rules of check digits.
type Options struct {
	// Synthetic are the test marks that are accepted.
	Synthetic Marks
}

// ID is an identifier that has passed Parse.
type ID struct {
	// Number is the eleven digits.
	Number string
	// Form is what kind of number it is, whatever the sender called it.
	Form Form
	// Synthetic is the test mark on it, or zero for a real number.
	Synthetic Marks
	// Only2032 tells that the first check digit is right only by the rule for
	// numbers issued from 2032, where one in thirty random numbers passes
	// instead of one in a hundred and twenty: compare the name as well.
	Only2032 bool
}

// String is only the form, so that printing an ID never shows the number.
func (id ID) String() string { return string(id.Form) }

// GoString is as String, for %#v.
func (id ID) GoString() string { return "nationalid.ID(" + string(id.Form) + ")" }

// Parse reads an identifier of eleven digits without blanks. It accepts the
// check digits of 1964 and of 2032 side by side, as the tax authority asks of
// every reader. The error is apperr.Invalid and says which rule is broken.
func Parse(s string, opts Options) (ID, error) {
	d, ok := digits(s)
	if !ok {
		return ID{}, apperr.New(apperr.Invalid, "a national id has eleven digits and nothing else")
	}
	form, mark, ok := formOf(d, opts.Synthetic)
	if !ok {
		return ID{}, apperr.New(apperr.Invalid, "the first digits of the national id are no date, and it is no help number; a synthetic number must be allowed by configuration")
	}
	k1, k2 := remainders(d)
	if k2 != 0 || k1 > 3 {
		return ID{}, apperr.New(apperr.Invalid, "a check digit of the national id is wrong")
	}
	return ID{Number: s, Form: form, Synthetic: mark, Only2032: k1 != 0}, nil
}

var (
	weights1 = [...]int{3, 7, 6, 1, 8, 9, 4, 5, 2}
	weights2 = [...]int{5, 4, 3, 2, 7, 6, 5, 4, 3, 2}
)

// remainders are what each check digit leaves mod 11: 0 and 0 by the rule of
// 1964, 0 to 3 and 0 by the rule of 2032.
func remainders(d [11]int) (k1, k2 int) {
	for i, w := range weights1 {
		k1 += w * d[i]
	}
	for i, w := range weights2 {
		k2 += w * d[i]
	}
	return (k1 + d[9]) % 11, (k2 + d[10]) % 11
}

func digits(s string) (d [11]int, ok bool) {
	if len(s) != len(d) {
		return d, false
	}
	for i := range d {
		if s[i] < '0' || s[i] > '9' {
			return d, false
		}
		d[i] = int(s[i] - '0')
	}
	return d, true
}

// formOf tells the form by the first six digits. Month + 40 is an H-number unless
// Dolly is permitted: the two cannot be told apart.
func formOf(d [11]int, allowed Marks) (Form, Marks, bool) {
	if d[0] >= 8 {
		return FHN, 0, true
	}
	day, month, year := numbers(d)
	f := FNR
	if day > 40 {
		f, day = DNR, day-40
	}
	var mark Marks
	switch {
	case month > 80:
		mark, month = Tenor, month-80
	case month > 65:
		mark, month = NHN, month-65
	case month > 40 && allowed&Dolly != 0:
		mark, month = Dolly, month-40
	case month > 40 && f == FNR:
		f, month = HNR, month-40
	}
	return f, mark, mark&^allowed == 0 && isDate(day, month, year)
}

// numbers are the first three pairs of digits: day, month and year, with whatever
// is added to the first two.
func numbers(d [11]int) (day, month, year int) { return d[0]*10 + d[1], d[2]*10 + d[3], d[4]*10 + d[5] }

// isDate tells whether the date exists in some century: the number does not say
// which, and 29 February of year 00 exists in 2000.
func isDate(day, month, year int) bool {
	if month < 1 || month > 12 || day < 1 {
		return false
	}
	return day <= time.Date(2000+year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// individualNumbers is how many three-digit individual numbers a birth date has:
// each century has its own half of them.
const individualNumbers = 500

// Synthetic returns a Test-Norge number (month + 80) for the date of
// birth, with both check digits of 1964 right. The same birth and serial give
// the same number, and different serials different numbers, until they wrap
// after the roughly four hundred that a date has. Only the date of birth is
// read. For tests and demonstrations: no real person can have the number.
func Synthetic(birth time.Time, serial int) string {
	first := 0
	if birth.Year() >= 2000 {
		first = individualNumbers
	}
	var all []string
	for n := first; n < first+individualNumbers; n++ {
		base := fmt.Sprintf("%02d%02d%02d%03d", birth.Day(), int(birth.Month())+80, birth.Year()%100, n)
		if s, ok := withCheckDigits(base); ok {
			all = append(all, s)
		}
	}
	return all[((serial%len(all))+len(all))%len(all)]
}

// withCheckDigits completes nine digits by the rule of 1964, or reports that the
// number is discarded because a check digit would be ten.
func withCheckDigits(base string) (string, bool) {
	d, _ := digits(base + "00")
	r1, _ := remainders(d)
	d[9] = (11 - r1) % 11
	if d[9] == 10 {
		return "", false
	}
	_, r2 := remainders(d)
	d[10] = (11 - r2) % 11
	if d[10] == 10 {
		return "", false
	}
	return fmt.Sprintf("%s%d%d", base, d[9], d[10]), true
}
