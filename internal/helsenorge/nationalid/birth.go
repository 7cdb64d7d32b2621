package nationalid

import "time"

// firstWithoutCentury is the first year whose births may get a number that says
// nothing of the century.
const firstWithoutCentury = 2032

// BirthDate is the calendar date, as midnight UTC, that an FNR or a D-number of
// any test mark says its holder is born on: the day, month and year of its first
// digits, and the century of its individual number by the table of 1964. asOf is
// the present.
//
// It is a fallback for where the record system has not written a birth date. It
// reports false rather than guess: for another form or a broken number, one that
// only the check digits of 2032 accept, an individual number that the table has
// no century for, a date that the century lacks or that is after asOf, and, once
// asOf is in 2032 or later, a year that somebody with a number of the new kind
// may be born in as well.
func BirthDate(number string, asOf time.Time) (time.Time, bool) {
	id, err := Parse(number, Options{Synthetic: AllMarks})
	if err != nil || id.Only2032 || id.Form != FNR && id.Form != DNR {
		return time.Time{}, false
	}
	d, _ := digits(number)
	day, month, year := numbers(d)
	century, ok := centuryOf(d[6]*100+d[7]*10+d[8], year)
	if !ok {
		return time.Time{}, false
	}
	// No mark reaches the next one: 80, 65 and 40 leave 1 to 12.
	if day > 40 {
		day -= 40
	}
	for _, mark := range []int{80, 65, 40} {
		if month > mark {
			month -= mark
			break
		}
	}
	birth := time.Date(century+year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	young := time.Date(2000+year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	switch {
	case birth.Day() != day, birth.After(asOf):
		return time.Time{}, false
	case young != birth && young.Year() >= firstWithoutCentury && !young.After(asOf):
		return time.Time{}, false
	}
	return birth, true
}

// centuryOf is the table of 1964 with its extensions: which individual numbers
// were given to the births of which years.
func centuryOf(individual, year int) (century int, ok bool) {
	switch {
	case individual < 500:
		return 1900, true
	case individual < 750 && year >= 54:
		return 1800, true
	case year < 40:
		return 2000, true
	case individual >= 900:
		return 1900, true
	}
	return 0, false
}
