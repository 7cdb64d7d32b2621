package oslo

import (
	"fmt"
	"strings"
	"time"
)

// words are the calendar's names in one language. They are data: another language
// is another entry.
type words struct {
	days   string // Sunday first, as time.Weekday counts
	months string // January first
	layout string // %[1]s weekday, %[2]d day, %[3]s month, %[4]d year
}

var languages = map[string]words{
	"nb": {
		days:   "søndag mandag tirsdag onsdag torsdag fredag lørdag",
		months: "januar februar mars april mai juni juli august september oktober november desember",
		layout: "%[1]s %[2]d. %[3]s %[4]d",
	},
	"nn": {
		days:   "søndag måndag tysdag onsdag torsdag fredag laurdag",
		months: "januar februar mars april mai juni juli august september oktober november desember",
		layout: "%[1]s %[2]d. %[3]s %[4]d",
	},
	"en": {
		days:   "Sunday Monday Tuesday Wednesday Thursday Friday Saturday",
		months: "January February March April May June July August September October November December",
		layout: "%[1]s %[2]d %[3]s %[4]d",
	},
	// Northern Sami; months in the genitive, as in a date.
	"se": {
		days: "sotnabeaivi vuossárga maŋŋebárga gaskavahkku duorasdat bearjadat lávvardat",
		months: "ođđajagemánu guovvamánu njukčamánu cuoŋománu miessemánu geassemánu " +
			"suoidnemánu borgemánu čakčamánu golggotmánu skábmamánu juovlamánu",
		layout: "%[1]s %[3]s %[2]d. b. %[4]d",
	},
}

// Languages are the codes for which there are names: Bokmål, Nynorsk, English and
// Northern Sami (F20).
func Languages() []string { return []string{"nb", "nn", "en", "se"} }

// Weekday is the name of the day of t in Norway; "" for an unknown language.
func Weekday(t time.Time, language string) string {
	return word(languages[language].days, int(In(t).Weekday()))
}

// Month is the name of the month of t in Norway, as it stands in a date; "" for an
// unknown language.
func Month(t time.Time, language string) string {
	return word(languages[language].months, int(In(t).Month())-1)
}

// Date is the date of t in Norway in words, with weekday and year ("mandag 26.
// oktober 2026"); "" for an unknown language.
func Date(t time.Time, language string) string {
	l, ok := languages[language]
	if !ok {
		return ""
	}
	return fmt.Sprintf(l.layout, Weekday(t, language), In(t).Day(), Month(t, language), In(t).Year())
}

func word(list string, i int) string {
	if list == "" {
		return ""
	}
	return strings.Fields(list)[i]
}
