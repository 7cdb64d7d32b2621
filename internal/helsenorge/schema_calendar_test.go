package helsenorge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// calendarValues are a value of each kind that the tables of the calendar name.
var calendarValues = map[string]string{
	"text": "<text>x</text>", "texts": "<text>x</text><text>y</text>", "date-time": "<date-time>2026-06-15T08:00:00</date-time>",
	"date-time|date": "<date>2026-06-15</date>", "utc-date-time": "<utc-date-time>2026-06-15T08:00:00.0Z</utc-date-time>",
	"cal-address": "<cal-address>mailto:a@example.org</cal-address>", "cal-addresses": "<cal-address>x</cal-address><cal-address>y</cal-address>",
	"integer": "<integer>-7</integer>", "uri": "<uri>urn:x</uri>", "utc-offset": "<utc-offset>+01:00</utc-offset>", "boolean": "<boolean>true</boolean>",
	"duration": "<duration>PT30M</duration>",
	"recur": `<recur><freq>WEEKLY</freq><count>3</count><interval>2</interval><bysecond>0</bysecond><byminute>0</byminute><byhour>8</byhour>` +
		`<byday>MO</byday><byyearday>1</byyearday><bymonthday>-1</bymonthday><byweekno>2</byweekno><bymonth>12</bymonth><bysetpos>1</bysetpos><wkst>MO</wkst></recur>`,
}

// wholeCalendar has every property, parameter and component of the schema once.
func wholeCalendar() []byte {
	var params, props strings.Builder
	for _, p := range calendarParameters {
		for name := range strings.FieldsSeq(p.names) {
			fmt.Fprintf(&params, "<%s>%s</%s>", name, calendarValues[p.value], name)
		}
	}
	params.WriteString("<range><text>THISANDFUTURE</text></range>")
	for _, p := range calendarProperties {
		for name := range strings.FieldsSeq(p.names) {
			fmt.Fprintf(&props, "<%s>%s</%s>", name, calendarValues[p.value], name)
		}
	}
	const alarm = `<valarm><properties><action><text>DISPLAY</text></action><trigger><duration>-PT15M</duration></trigger></properties></valarm>`
	return []byte(`<icalendar xmlns="` + nsCalendar + `"><vcalendar><properties>` +
		`<version><parameters>` + params.String() + `</parameters><text>2.0</text></version><calscale><text>GREGORIAN</text></calscale></properties><components>` +
		`<vevent><properties>` + props.String() +
		`<x-cancellation-reason><text>Avlyst på vegne av tjenestemottaker</text></x-cancellation-reason>` +
		`<attach><binary>eA==</binary></attach><attach><uri>urn:x</uri></attach><geo><latitude>59.9</latitude><longitude>1e1</longitude></geo>` +
		`<freebusy><period><start>2026-06-15T08:00:00</start><end>2026-06-15T09:00:00Z</end></period><period><start>2026-06-15T08:00:00</start><duration>PT1H</duration></period></freebusy>` +
		`<related-to><uri>urn:x</uri></related-to><related-to><uid>x</uid></related-to><related-to><text>x</text></related-to>` +
		`<trigger><date-time>2026-06-15T08:00:00</date-time></trigger>` +
		`<rrule><recur><freq>DAILY</freq><until><date>2026-06-15</date></until></recur></rrule>` +
		`<request-status><code>2.0</code><description>x</description><extdata>y</extdata></request-status>` +
		`</properties><components>` + alarm + `</components></vevent>` +
		`<vtodo><components/></vtodo><vjournal><properties/></vjournal><vfreebusy/>` +
		`<vtimezone><components><standard/><daylight><properties><tzname><text>CEST</text></tzname></properties></daylight></components></vtimezone>` +
		`</components></vcalendar></icalendar>`)
}

func TestCalendarVocabularyIsThatOfTheOfficialSchema(t *testing.T) {
	t.Parallel()
	requireValid(t, wholeCalendar())
	requireVerdicts(t, mutants(t, "calendar", wholeCalendar()))
}

// Elements that stand for others only are no elements themselves, and what is
// global may be a document of its own.
func TestCalendarRoots(t *testing.T) {
	t.Parallel()
	var roots []mutant
	for _, name := range strings.Fields("baseProperty baseParameter baseComponent vcalendarContainedComponent vevent valarm vcalendar summary " +
		"text date-time utc-date-time boolean integer float count until period parameters latitude vtimezone components start unknown") {
		for _, content := range []string{"", "<components/>", "<text>x</text>", "1", "2026-06-15T08:00:00", "<date>2026-06-15</date>"} {
			roots = append(roots, mutant{what: name + " " + content, raw: []byte("<" + name + ` xmlns="` + nsCalendar + `">` + content + "</" + name + ">")})
		}
	}
	requireVerdicts(t, roots)
}

func TestCalendarValuesAreJudgedAsByTheOfficialSchema(t *testing.T) {
	t.Parallel()
	var documents []mutant
	add := func(before, old string, values ...string) {
		text := string(wholeCalendar())
		require.Contains(t, text, before+old+"<")
		for _, v := range values {
			documents = append(documents, mutant{what: before + v, raw: []byte(strings.Replace(text, before+old+"<", before+v+"<", 1))})
		}
	}
	add("<x-available-at><date-time>", "2026-06-15T08:00:00", "2026-06-15T08:00:00Z", "2026-06-15T08:00:00.5", "2026-06-15T08:00:00.", "2026-06-15T08:00:00.5Z",
		"2026-06-15T08:00:00+02:00", "2026-06-15T08:00", "2026-06-15", "-2026-06-15T08:00:00", "+2026-06-15T08:00:00", "12026-06-15T08:00:00",
		"2026-02-29T08:00:00", "2026-06-15T24:00:00", "2026-06-15T24:00:01", "2026-06-15T08:00:60", "", "x", "20260615T080000")
	add("<dtstamp><utc-date-time>", "2026-06-15T08:00:00.0Z", "2026-06-15T08:00:00Z", "2026-06-15T08:00:00.125Z", "2026-06-15T08:00:00.Z", "2026-06-15T08:00:00.0", "")
	add("<dtend><date>", "2026-06-15", "2026-06-15Z", "2026-06-15+02:00", "2026-02-30", "2026-6-15", "")
	add("<duration><duration>", "PT30M", "P30M", "P1DT2H", "P", "PT", "2W", "P2W", "+P1D", "-P1D", "P1H", "P1M2M", "P1.5D", "p1d", " P1D", "P١D", "")
	add("<integer>", "-7", "7", "+7", "007", "1.0", "", "x", "99999999999999999999", "-", "1e3")
	add("<bymonthday>", "-1", "31", "32", "-31", "-32", "0", "+5", "005", "-0", "99999999999", "")
	add("<bymonth>", "12", "0", "13", "1", "+1", "")
	add("<freq>", "WEEKLY", "DAILY", " DAILY ", "daily", "", "HOURLY")
	add("<wkst>", "MO", "SU", "XX", "")
	add("<latitude>", "59.9", "1", "-1.5e-3", ".5", "5.", "INF", "-INF", "+INF", "NaN", "", "x", "1,5")
	add("<boolean>", "true", "1", "0", "false", "TRUE", "yes", "")
	add("<utc-offset>", "+01:00", "-01:00", "01:00", "1:00", "+0100", "Z", "")
	add("<x-cancellation-reason><text>", "Avlyst på vegne av tjenestemottaker", CancelledByService, CancelledNotAtHome, CancelledByRecipient, " "+CancelledByService, "Avlyst", "")
	add("<calscale><text>", "GREGORIAN", "gregorian", "GREGORIAN ", "")
	add("<range><text>", "THISANDFUTURE", " THISANDFUTURE", "THISANDPRIOR", "")
	requireVerdicts(t, documents)
}
