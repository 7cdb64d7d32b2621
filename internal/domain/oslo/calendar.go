package oslo

import "time"

// Holiday says whether the day of t in Norway is a public holiday (the law of
// 1947 on 1 and 17 May, the law of 1995 on the holy days): 1 January, Maundy
// Thursday, Good Friday, Easter Sunday and Monday, 1 May, 17 May, Ascension Day,
// Whit Sunday and Monday, 25 and 26 December. Other Sundays are not holidays here:
// WorkingDay knows the week.
func Holiday(t time.Time) bool {
	y, m, d := In(t).Date()
	switch m {
	case time.January:
		return d == 1
	case time.May:
		if d == 1 || d == 17 {
			return true
		}
	case time.December:
		return d == 25 || d == 26
	case time.March, time.April, time.June: // where the days that follow Easter may fall, with May
	default:
		return false
	}
	em, ed := easter(y)
	// Days between two dates are counted in UTC, where every day has 24 hours.
	since := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Sub(time.Date(y, em, ed, 0, 0, 0, 0, time.UTC))
	switch int(since.Hours()) / 24 {
	case -3, -2, 0, 1, 39, 49, 50:
		return true
	}
	return false
}

// easter is the date of Easter Sunday in the Gregorian calendar, by the method of
// Meeus, Jones and Butcher (1876), which has no exceptions.
func easter(year int) (time.Month, int) {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	g := (8*b + 13) / 25
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return time.Month(n / 31), n%31 + 1
}

// WorkingDay says whether the day of t in Norway is one on which a clinic is
// expected to be open: Monday to Friday and no public holiday.
func WorkingDay(t time.Time) bool {
	switch In(t).Weekday() {
	case time.Saturday, time.Sunday:
		return false
	default:
		return !Holiday(t)
	}
}

// Birthday is the instant, in UTC, at which somebody becomes that many years old:
// 00:00 in Norway. birth is the date of birth, read as it is written (year, month,
// day), whatever its zone. Who is born on 29 February has the birthday of a common
// year on 1 March: a year is complete when its last day is over, and 28 February
// is that last day; a right that ends or begins with age must not do so a day early.
func Birthday(birth time.Time, years int) time.Time {
	y, m, d := birth.Date()
	return At(y+years, m, d, 0, 0, 0) // a 29 February that does not exist is 1 March
}

// Age is how many whole years somebody has lived at the instant, by the date in
// Norway; 0 before the birth. birth is a date, as in Birthday.
func Age(birth, at time.Time) int {
	years := In(at).Year() - birth.Year()
	if at.Before(Birthday(birth, years)) {
		years--
	}
	return max(years, 0)
}
