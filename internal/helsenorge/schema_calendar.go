package helsenorge

import (
	"encoding/xml"
	"regexp"
	"strings"
)

// The whole vocabulary of xCal is here, not only what Helsenorge uses of it: the
// verdict on a calendar must be the schema's, whatever a sender puts into one.

// calendarProperties are the elements that may stand for baseProperty, each a list of
// parameters and then a value.
var calendarProperties = []struct{ names, value string }{
	{"method prodid version class comment description location status summary transp tzname contact uid action x-referral-id", "text"},
	{"categories resources", "texts"},
	{"dtend dtstart due recurrence-id exdate rdate", "date-time|date"},
	{"completed created dtstamp last-modified", "utc-date-time"},
	{"x-available-at", "date-time"},
	{"attendee organizer", "cal-address"},
	{"percent-complete priority repeat sequence", "integer"},
	{"tzurl url", "uri"},
	{"tzoffsetfrom tzoffsetto", "utc-offset"},
	{"duration x-expected-duration", "duration"},
	{"exrule rrule", "recur"},
}

// calendarParameters are the elements that may stand for baseParameter.
var calendarParameters = []struct{ names, value string }{
	{"cn cutype encoding fmttype fbtype language partstat related reltype role tzid schedule-agent schedule-force-send schedule-status", "text"},
	{"altrep dir", "uri"},
	{"delegated-from delegated-to member", "cal-addresses"},
	{"sent-by", "cal-address"},
	{"rsvp", "boolean"},
}

// calendarSchema is iCalendar.xsd (xCal, RFC 6321, in the edition of WS-Calendar)
// with the extensions for general practitioners, municipalities and specialists.
func calendarSchema() {
	v := vocabulary(nsCalendar)
	simple := func(is simpleType) *contentType { return &contentType{simple: is} }
	// A URI may be any text, and is no string all the same: xsi:type cannot say that it is.
	uri := simple(isString)
	instant, duration, integer := simple(isCalendarInstant), simple(isCalendarDuration), simple(isInteger)
	values := map[string]*contentType{
		"binary": typString, "boolean": simple(isBoolean), "cal-address": uri, "date": typDate, "date-time": instant,
		"utc-date-time": simple(isCalendarUTC), "float": simple(isFloat), "integer": integer,
		"period":     sequence(v.one("start", instant), choice(v.one("end", instant), v.one("duration", duration))),
		"until":      sequence(choice(v.one("date", typDate), v.one("date-time", instant))),
		"count":      integer,
		"text":       typString,
		"time":       typString,
		"uri":        uri,
		"utc-offset": simple(isOffset),
		"latitude":   simple(isFloat), "longitude": simple(isFloat),
	}
	value := func(name string) item { return v.one(name, values[name]) }
	recur := sequence(v.one("freq", simple(oneOf("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY").collapsed())),
		choice(v.opt("until", values["until"]), v.opt("count", integer)), v.opt("interval", typString),
		v.many("bysecond", typString), v.many("byminute", typString), v.many("byhour", typString), v.many("byday", typString),
		v.many("byyearday", typString), v.many("bymonthday", simple(integerIn(-31, 31))), v.many("byweekno", typString),
		v.many("bymonth", simple(integerIn(1, 12))), v.many("bysetpos", integer),
		v.opt("wkst", simple(oneOf("SU", "MO", "TU", "WE", "TH", "FR", "SA").collapsed())))
	content := map[string]item{
		"texts": v.some("text", typString), "cal-addresses": v.some("cal-address", uri),
		"date-time|date": choice(value("date-time"), value("date")),
		"duration":       v.one("duration", duration), "recur": v.one("recur", recur),
	}
	for name := range values {
		content[name] = value(name)
	}

	anyParameter := substitutes()
	for _, p := range calendarParameters {
		for name := range strings.FieldsSeq(p.names) {
			anyParameter.add(v, name, sequence(content[p.value]))
		}
	}
	anyParameter.add(v, "range", sequence(v.one("text", simple(oneOf("THISANDFUTURE").collapsed()))))
	anyParameter.add(v, "baseParameter", typAbstract)
	listed := sequence(anyParameter.item)
	global(v, "parameters", listed)

	anyProperty := substitutes()
	property := func(name string, content ...item) {
		anyProperty.add(v, name, sequence(append([]item{v.opt("parameters", listed)}, content...)...))
	}
	for _, p := range calendarProperties {
		for name := range strings.FieldsSeq(p.names) {
			property(name, content[p.value])
		}
	}
	property("calscale", v.one("text", simple(oneOf("GREGORIAN"))))
	property("x-cancellation-reason", v.one("text", simple(oneOf(CancelledByService, CancelledNotAtHome, CancelledByRecipient, CancelledOnBehalf))))
	property("attach", choice(value("uri"), value("binary")))
	property("geo", value("latitude"), value("longitude"))
	property("freebusy", v.some("period", values["period"]))
	property("related-to", choice(value("uri"), v.one("uid", typString), value("text")))
	property("trigger", choice(content["duration"], value("date-time")))
	property("request-status", v.one("code", typString), v.one("description", typString), v.one("extdata", typString))
	anyProperty.add(v, "baseProperty", typAbstract)

	component := func(parts ...item) *contentType {
		return sequence(append([]item{v.opt("properties", sequence(anyProperty.item))}, parts...)...)
	}
	alarm, plain := component(), component()
	alarms := component(v.one("components", sequence(v.many("valarm", alarm))))
	zones := substitutes()
	zones.add(v, "standard", plain)
	zones.add(v, "daylight", plain)
	inCalendar := substitutes()
	inCalendar.add(v, "vevent", alarms)
	inCalendar.add(v, "vtodo", alarms)
	inCalendar.add(v, "vjournal", plain)
	inCalendar.add(v, "vfreebusy", plain)
	inCalendar.add(v, "vtimezone", component(v.one("components", sequence(zones.item))))
	inCalendar.add(v, "vcalendarContainedComponent", typAbstract)
	calendar := component(v.one("components", sequence(inCalendar.item)))
	global(v, "baseComponent", typAbstract)
	global(v, "valarm", alarm)
	global(v, "vcalendar", calendar)
	globals[nameCalendar] = sequence(v.some("vcalendar", calendar))
	for name, typ := range values {
		global(v, name, typ)
	}
}

// substitutionGroup is a choice of global elements that may be repeated.
type substitutionGroup struct{ item item }

func substitutes() *substitutionGroup {
	return &substitutionGroup{item{optional: true, repeated: true}}
}

func (g *substitutionGroup) add(v vocabulary, local string, typ *contentType) {
	g.item.alternatives = append(g.item.alternatives, element{name: v.name(local), typ: typ})
	global(v, local, typ)
}

// typAbstract is the type of an element that nothing may be but by substitution.
var typAbstract = &contentType{simple: func(string) bool { return false }}

// oneOf is an enumeration of xs:string.
func oneOf(values ...string) simpleType {
	return func(s string) bool {
		for _, v := range values {
			if s == v {
				return true
			}
		}
		return false
	}
}

// collapsed is the type over xs:token, where blanks around a value are not its.
func (is simpleType) collapsed() simpleType {
	return func(s string) bool {
		return is(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(blanks, r) }), " "))
	}
}

var (
	xcalOffset   = regexp.MustCompile(`^[-+]?\p{Nd}{2}:\p{Nd}{2}$`)
	xcalDuration = regexp.MustCompile(`^(?:[-+]?P(?:\p{Nd}+Y)?(?:\p{Nd}+M)?(?:\p{Nd}+D)?T?(?:\p{Nd}+H)?(?:\p{Nd}+M)?(?:\p{Nd}+S)?|\p{Nd}+W)$`)
	xcalInstant  = regexp.MustCompile(`^-?[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z?$`)
	xcalUTC      = regexp.MustCompile(`\.[0-9]+Z$`)
	integers     = regexp.MustCompile(`^[-+]?[0-9]+$`)
	floats       = regexp.MustCompile(`^(?:[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|-?INF|NaN)$`)
)

// isCalendarInstant is xs:dateTime without numeric offset and with a year of
// four digits.
func isCalendarInstant(s string) bool {
	return xcalInstant.MatchString(trimBlanks(s)) && isDateTime(s)
}

// isCalendarUTC demands the fraction of a second, as the schema does.
func isCalendarUTC(s string) bool {
	return isCalendarInstant(s) && xcalUTC.MatchString(trimBlanks(s))
}

func isCalendarDuration(s string) bool { return xcalDuration.MatchString(s) }

func isOffset(s string) bool { return xcalOffset.MatchString(s) }

func isInteger(s string) bool { return integers.MatchString(trimBlanks(s)) }

func isFloat(s string) bool { return floats.MatchString(trimBlanks(s)) }

func isBoolean(s string) bool { return oneOf("true", "false", "1", "0")(trimBlanks(s)) }

func integerIn(least, most int) simpleType {
	return func(s string) bool {
		s = trimBlanks(s)
		if !isInteger(s) {
			return false
		}
		digits := strings.TrimLeft(strings.TrimLeft(s, "+-"), "0")
		n := atoi(digits)
		if strings.HasPrefix(s, "-") {
			n = -n
		}
		return len(digits) < 10 && n >= least && n <= most
	}
}

func cal(local string) xml.Name { return vocabulary(nsCalendar).name(local) }
