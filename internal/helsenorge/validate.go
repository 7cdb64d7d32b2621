package helsenorge

import (
	"encoding/xml"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxProblems is how many faults of a document are reported.
const maxProblems = 20

// validator collects what is wrong with a document. It writes paths and rules
// with the schema's own names only: a name that the schema does not have may be
// anything, also a patient's.
type validator struct {
	problems []Problem
	// ids are the ids that attributes have given so far.
	ids map[string]bool
}

func (v *validator) add(code, path, rule string) {
	if len(v.problems) < maxProblems {
		v.problems = append(v.problems, Problem{Code: code, Path: path, Rule: rule})
	}
}

// broken reports a fault against the schema.
func (v *validator) broken(path, rule string) { v.add(schemaBroken, path, rule) }

// element checks n against its type.
func (v *validator) element(n *node, typ *contentType, path string) {
	if n.xsiType != (xml.Name{}) {
		if typ = substitute(n.xsiType, typ); typ == nil {
			v.broken(path, "xsi:type names a type that cannot stand here")
			return
		}
	}
	v.attributes(n, typ, path)
	switch {
	case typ.anything:
		for _, k := range n.elements() {
			v.lax(k, path)
		}
	case typ.documents:
		v.noText(n, typ, path)
		for _, k := range n.elements() {
			if g, ok := globals[k.name]; ok {
				v.element(k, g, path+"/"+k.name.Local)
			}
		}
	case typ.base64:
		if _, ok := base64Text(n.bytes()).size(); !ok || len(n.elements()) > 0 {
			v.broken(path, "the content is not base64")
		}
	case typ.simple != nil:
		v.value(n, typ, path)
	default:
		v.noText(n, typ, path)
		v.sequence(n, typ, path)
	}
}

// substitute is the type that xsi:type asks for where typ is declared, or nil.
func substitute(asked xml.Name, typ *contentType) *contentType {
	if asked == typ.name {
		return typ
	}
	if asked.Space != nsXSD {
		return nil
	}
	switch {
	case typ.anything:
		return builtIn(asked.Local)
	case typ.name.Space == nsXSD && typ.name.Local == "string" && (asked.Local == "normalizedString" || asked.Local == "token"):
		return typ // they differ in white space only
	case typ == typDecimal && (asked.Local == "integer" || asked.Local == "int"):
		return builtIn(asked.Local)
	}
	return nil
}

// builtIn is a type of XML Schema itself, as far as it is met, or nil.
func builtIn(local string) *contentType {
	switch local {
	case "anyType":
		return typAnything
	case "string", "normalizedString", "token":
		return typString
	case "date":
		return typDate
	case "dateTime":
		return typDateTime
	case "decimal":
		return typDecimal
	case "integer":
		return typInteger
	case "int":
		return typInt
	case "double":
		return typFloat
	case "boolean":
		return typBoolean
	case "time":
		return typTime
	case "duration":
		return typDuration
	}
	return nil
}

func (v *validator) attributes(n *node, typ *contentType, path string) {
	for _, a := range n.attrs {
		switch {
		case a.Name.Space == nsXSI:
			if a.Name.Local == "nil" {
				v.broken(path, "xsi:nil is not permitted here")
			}
		case typ.anything:
		case a.Name.Space != "" || typ.attrs[a.Name.Local] == nil:
			v.broken(path, "the element has an attribute that the schema does not have")
		case !typ.attrs[a.Name.Local](trimBlanks(a.Value)):
			v.broken(path+"/@"+a.Name.Local, "the value does not have the form that the schema demands")
		case a.Name.Local == "Id": // the schemas' attributes of the name are all of type ID
			if v.ids[trimBlanks(a.Value)] {
				v.broken(path+"/@Id", "the value occurs more than once in the document")
			}
			if v.ids == nil {
				v.ids = map[string]bool{}
			}
			v.ids[trimBlanks(a.Value)] = true
		}
	}
	for _, name := range typ.required {
		if !slices.ContainsFunc(n.attrs, func(a xml.Attr) bool { return a.Name == xml.Name{Local: name} }) {
			v.broken(path+"/@"+name, "the attribute is missing")
		}
	}
}

// lax checks an element somewhere under anyType: only if the schemas know it.
func (v *validator) lax(n *node, path string) {
	typ, ok := globals[n.name]
	if !ok && n.xsiType != (xml.Name{}) {
		typ = typAnything // it says itself what it is
		ok = true
	}
	if ok {
		v.element(n, typ, path)
		return
	}
	for _, k := range n.elements() {
		v.lax(k, path)
	}
}

func (v *validator) value(n *node, typ *contentType, path string) {
	if len(n.elements()) > 0 {
		v.broken(path, "the element holds text only")
		return
	}
	text := string(n.bytes())
	switch {
	case typ.fixed != "" && text != "" && text != typ.fixed:
		v.broken(path, "the value must be "+typ.fixed)
	case !typ.simple(text):
		v.broken(path, "the value does not have the form that the schema demands")
	}
}

// noText refuses text between elements; in an element that has attributes only blanks are
// text, too.
func (v *validator) noText(n *node, typ *contentType, path string) {
	for _, k := range n.kids {
		if !typ.mixed && k.isText() && len(k.text) > 0 && (len(typ.items) == 0 && !typ.documents || trimBlanks(string(k.text)) != "") {
			v.broken(path, "the element holds elements only, not text")
			return
		}
	}
}

// sequence walks the children along the items. The schemas are deterministic,
// so the first element that fits is the only one that may.
func (v *validator) sequence(n *node, typ *contentType, path string) {
	kids := n.elements()
	if len(kids) == 0 && typ.optional {
		return
	}
	kids, complete := v.steps(kids, typ.items, path)
	// A missing element most often stands further on, so one fault is enough.
	if len(kids) > 0 && complete {
		v.broken(path, "an element stands where the schema has none of its name")
	}
}

// steps walks the children along the items. It returns those after them, and whether
// nothing was missing.
func (v *validator) steps(kids []*node, items []item, path string) (rest []*node, complete bool) {
	complete = true
	for _, it := range items {
		e, found := it.at(kids)
		if !found && !it.optional {
			complete = false
			v.broken(path, "the element "+it.names()+" is missing, or not in its place")
		}
		var counts map[xml.Name]int
		if found {
			counts = map[xml.Name]int{}
		}
		for found {
			counts[e.name]++
			if e.isGroup() {
				var whole bool
				kids, whole = v.steps(kids, e.typ.items, path)
				complete = complete && whole
			} else {
				v.child(kids[0], e, counts[e.name], path)
				kids = kids[1:]
			}
			var next element
			next, found = it.at(kids)
			found = found && (it.repeated || next.name == e.name && (e.max == 0 || counts[e.name] < e.max))
			e = next
		}
	}
	return kids, complete
}

// child checks the child that stands where the schema has e, the count-th of its name.
func (v *validator) child(n *node, e element, count int, path string) {
	switch {
	case e.typ.wild == nil:
		v.element(n, e.typ, childPath(path, e, count))
	case e.typ.wild.strict && globals[n.name] == nil:
		v.broken(path, "the schemas do not know the element that stands here")
	default:
		v.lax(n, path)
	}
}

// at returns the alternative that the next child is of.
func (it item) at(kids []*node) (element, bool) {
	if len(kids) > 0 {
		for _, e := range it.alternatives {
			if e.begins(kids) {
				return e, true
			}
		}
	}
	return element{}, false
}

// isGroup tells whether e is a sequence in the sequence.
func (e element) isGroup() bool { return e.name.Local == "" && e.typ.wild == nil }

// begins tells whether the next child is the element, or what may stand for it.
func (e element) begins(kids []*node) bool {
	name := kids[0].name
	switch {
	case e.typ.wild != nil:
		return e.typ.wild.other == "" || name.Space != "" && name.Space != e.typ.wild.other
	case e.isGroup():
		for _, it := range e.typ.items {
			if _, found := it.at(kids); found || !it.optional {
				return found
			}
		}
		return false
	}
	return e.name == name
}

func (it item) names() string {
	var names []string
	for _, e := range it.alternatives {
		switch {
		case e.isGroup():
			names = append(names, e.typ.items[0].names())
		case e.typ.wild == nil:
			names = append(names, e.name.Local)
		}
	}
	return strings.Join(names, " or ")
}

func childPath(path string, e element, count int) string {
	path += "/" + e.name.Local
	if e.max != 1 {
		path += "[" + strconv.Itoa(count) + "]"
	}
	return path
}

// simpleType tells whether a text is in the lexical space of an XSD simple type.
type simpleType func(string) bool

func isString(string) bool { return true }

var oid = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`)

// isOID is liberal in one point: blanks inside, as the guide itself prints them.
func isOID(s string) bool { return oid.MatchString(withoutBlanks(s)) }

func withoutBlanks(s string) string { return strings.Join(strings.Fields(s), "") }

var (
	zone        = `(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?`
	dateTime    = regexp.MustCompile(`^(-?(?:[1-9][0-9]{4,}|[0-9]{4}))-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?` + zone + `$`)
	date        = regexp.MustCompile(`^(-?(?:[1-9][0-9]{4,}|[0-9]{4}))-([0-9]{2})-([0-9]{2})` + zone + `$`)
	clock       = regexp.MustCompile(`^([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?` + zone + `$`)
	yearOrMonth = regexp.MustCompile(`^-?(?:[1-9][0-9]{4,}|[0-9]{4})(-(0[1-9]|1[0-2]))?` + zone + `$`)
)

func isDateTime(s string) bool {
	m := dateTime.FindStringSubmatch(trimBlanks(s))
	return m != nil && isDay(m[1], m[2], m[3]) && isClock(m[4], m[5], m[6], m[7])
}

func isDate(s string) bool {
	m := date.FindStringSubmatch(trimBlanks(s))
	return m != nil && isDay(m[1], m[2], m[3])
}

func isTime(s string) bool {
	m := clock.FindStringSubmatch(trimBlanks(s))
	return m != nil && isClock(m[1], m[2], m[3], m[4])
}

// isTimestamp is the union that KITH calls TS.
func isTimestamp(s string) bool {
	s = trimBlanks(s)
	if isDateTime(s) || isDate(s) {
		return true
	}
	if isTime(s) {
		return true
	}
	return yearOrMonth.MatchString(s) && !strings.HasPrefix(strings.TrimPrefix(s, "-"), "0000")
}

// isDay tells whether the day exists; XSD 1.0 has no year 0.
func isDay(year, month, day string) bool {
	y, err := strconv.Atoi(year)
	m, d := atoi(month), atoi(day)
	return err == nil && y != 0 && m >= 1 && m <= 12 && d >= 1 && d <= time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// isClock accepts 24:00:00, the end of a day, as XSD does.
func isClock(hour, minute, second, fraction string) bool {
	h, m, s := atoi(hour), atoi(minute), atoi(second)
	if h == 24 {
		return m == 0 && s == 0 && strings.Trim(fraction, ".0") == ""
	}
	return h < 24 && m < 60 && s < 60
}

// atoi reads digits that a pattern has matched already.
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// trimBlanks takes away what XML calls white space, and nothing else that looks like it.
func trimBlanks(s string) string { return strings.Trim(s, blanks) }

const blanks = " \t\r\n"

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
