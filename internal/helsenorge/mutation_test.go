package helsenorge

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/testsize"
)

// mutant is a document with one thing changed.
type mutant struct {
	what string
	raw  []byte
}

// mutants changes each element of a document in every way that a schema has an
// opinion on: it goes missing, comes twice, changes place, name or namespace,
// gets text or an attribute, or a value of the wrong form. One in three is taken:
// the documents have most of their elements in common.
func mutants(t *testing.T, name string, raw []byte) (out []mutant) {
	t.Helper()
	parse := func() *node {
		root, err := parseTree(raw)
		require.NoError(t, err, name)
		return root
	}
	count := len(walk(parse()))
	for k, op := range operations {
		for i := k % 3; i < count; i += 3 {
			root := parse()
			all := walk(root)
			if what, ok := op(root, all[i]); ok {
				out = append(out, mutant{what: name + ": " + all[i].node.name.Local + " " + what, raw: serialised(root)})
			}
		}
	}
	return out
}

// place is an element with its parent, nil for the root.
type place struct{ node, parent *node }

// walk lists the elements of a document.
func walk(root *node) (out []place) {
	var visit func(n, parent *node)
	visit = func(n, parent *node) {
		out = append(out, place{n, parent})
		for _, k := range n.elements() {
			visit(k, n)
		}
	}
	visit(root, nil)
	return out
}

// operations change p in the document, or report that they do not apply.
var operations = []func(root *node, p place) (string, bool){
	func(_ *node, p place) (string, bool) {
		if p.parent == nil {
			return "", false
		}
		p.parent.kids = slices.DeleteFunc(p.parent.kids, func(k *node) bool { return k == p.node })
		return "missing", true
	},
	func(_ *node, p place) (string, bool) {
		if p.parent == nil {
			return "", false
		}
		i := slices.Index(p.parent.kids, p.node)
		p.parent.kids = slices.Insert(p.parent.kids, i, p.node)
		return "twice", true
	},
	func(_ *node, p place) (string, bool) {
		if p.parent == nil {
			return "", false
		}
		kids := p.parent.elements()
		i := slices.Index(kids, p.node)
		if i+1 >= len(kids) {
			return "", false
		}
		a, b := slices.Index(p.parent.kids, p.node), slices.Index(p.parent.kids, kids[i+1])
		p.parent.kids[a], p.parent.kids[b] = p.parent.kids[b], p.parent.kids[a]
		return "after its neighbour", true
	},
	func(_ *node, p place) (string, bool) {
		if p.parent == nil {
			return "", false
		}
		p.parent.kids = append(slices.DeleteFunc(p.parent.kids, func(k *node) bool { return k == p.node }), p.node)
		return "last", true
	},
	func(_ *node, p place) (string, bool) {
		p.node.name.Local += "X"
		return "renamed", true
	},
	func(_ *node, p place) (string, bool) {
		switch p.node.name.Space {
		case nsShared:
			p.node.name.Space = nsDialog
		case nsDialog:
			p.node.name.Space = nsShared
		case nsHead:
			p.node.name.Space = ""
		default:
			p.node.name.Space = nsHead
		}
		return "in another namespace", true
	},
	func(_ *node, p place) (string, bool) {
		p.node.attrs = append(p.node.attrs, xml.Attr{Name: xml.Name{Local: "ekstra"}, Value: "1"})
		return "with an attribute", true
	},
	func(_ *node, p place) (string, bool) {
		p.node.kids = append(p.node.kids, &node{text: []byte("x")})
		return "with text", true
	},
	func(_ *node, p place) (string, bool) {
		p.node.kids = append(p.node.kids, &node{name: xml.Name{Space: nsHead, Local: "Patient"}})
		return "with a Patient inside", true
	},
	func(_ *node, p place) (string, bool) {
		had := len(p.node.kids) > 0
		p.node.kids = nil
		return "empty", had
	},
	func(_ *node, p place) (string, bool) {
		p.node.attrs = slices.DeleteFunc(p.node.attrs, func(a xml.Attr) bool { return a.Name.Local != "V" })
		return "with @V only", len(p.node.attrs) > 0
	},
	func(_ *node, p place) (string, bool) {
		for i, a := range p.node.attrs {
			if a.Name.Space == "" {
				p.node.attrs[i].Value = "1..2"
			}
		}
		return "with attributes of the wrong form", len(p.node.attrs) > 0
	},
	func(_ *node, p place) (string, bool) {
		text := len(p.node.elements()) == 0 && len(p.node.kids) > 0
		p.node.kids = []*node{{text: []byte("2026-13-01T00:00:00Z=")}}
		return "with a value of the wrong form", text
	},
	func(_ *node, p place) (string, bool) {
		p.node.attrs = append(p.node.attrs, xml.Attr{Name: xml.Name{Space: nsXSI, Local: "nil"}, Value: "true"})
		return "nil", true
	},
}

// mutated changes a document once to four times, anywhere.
func mutated(t *testing.T, r *rand.Rand, name string, raw []byte) mutant {
	t.Helper()
	root, err := parseTree(raw)
	require.NoError(t, err, name)
	for range 1 + r.IntN(4) {
		all := walk(root)
		p := all[r.IntN(len(all))]
		if r.IntN(3) == 0 {
			name += ": " + p.node.name.Local + " " + breakValue(r, p.node)
		} else if what, ok := operations[r.IntN(len(operations))](root, p); ok {
			name += ": " + p.node.name.Local + " " + what
		}
	}
	return mutant{what: name, raw: serialised(root)}
}

// values are right for some type and wrong for others.
var values = []string{
	"", " ", "1", "-1", "x", "2026-02-29", "2024-02-29", "2026-06-15", "2026-06-15T08:30:15", "2026-06-15T24:00:00Z", "2026-06-15T08:30:15.123+02:00",
	"24:00:00", "true", "1.2.3", "1..2", " 1.2 ", "P1DT2H", "PT15M", "AA==", "AB==", "QUJD", "J", "J ", "v1.2 2006-05-24", "TENTATIVE", "GREGORIAN",
	"_a-1", "1a", "0001-01-01", "12.5", "1e3", "+01:00", "20260615T083015Z", "æ", "0B6F4F4E-7A4D-4A52-9F0E-6C8A8F0A1D01", "\u00a0",
}

// breakValue gives an element another text, another attribute, or another type.
func breakValue(r *rand.Rand, n *node) string {
	v := values[r.IntN(len(values))]
	switch {
	case len(n.attrs) > 0 && r.IntN(2) == 0:
		i := r.IntN(len(n.attrs))
		n.attrs[i].Value = v
		return n.attrs[i].Name.Local + "=" + v
	case r.IntN(8) == 0:
		types := []string{"string", "date", "dateTime", "integer", "anyType", "token", "unknown"}
		n.xsiType = xml.Name{Space: nsXSD, Local: types[r.IntN(len(types))]}
		return "retyped " + n.xsiType.Local
	case len(n.elements()) == 0:
		n.kids = []*node{{text: []byte(v)}}
		return "is " + v
	}
	return "left alone"
}

// serialised writes a tree with a namespace declaration on every element.
func serialised(root *node) []byte {
	var b bytes.Buffer
	var write func(n *node)
	write = func(n *node) {
		if n.isText() {
			_ = xml.EscapeText(&b, n.text)
			return
		}
		b.WriteString("<" + n.name.Local + ` xmlns="` + n.name.Space + `"`)
		if n.xsiType.Space == nsXSD {
			b.WriteString(` xmlns:xsi="` + nsXSI + `" xmlns:xsd="` + nsXSD + `" xsi:type="xsd:` + n.xsiType.Local + `"`)
		}
		for _, a := range n.attrs {
			name := a.Name.Local
			if a.Name.Space == nsXSI && (name == "type" || n.xsiType.Space == nsXSD) {
				continue
			}
			if a.Name.Space == nsXSI {
				name = `xmlns:xsi="` + nsXSI + `" xsi:` + name
			} else if a.Name.Space != "" {
				continue
			}
			if a.Name.Local == "schemaLocation" {
				continue
			}
			b.WriteString(" " + name + `="`)
			_ = xml.EscapeText(&b, []byte(a.Value))
			b.WriteByte('"')
		}
		b.WriteByte('>')
		for _, k := range n.kids {
			write(k)
		}
		b.WriteString("</" + n.name.Local + ">")
	}
	write(root)
	return b.Bytes()
}

// ownVerdict is the schema's verdict as this package gives it, without what the
// processes demand beyond it. A document of no known format is refused by the
// schema's strict wildcard too.
func ownVerdict(raw []byte) string {
	root, err := parseTree(raw)
	if err != nil {
		return err.Error()
	}
	typ, ok := globals[root.name]
	if !ok {
		return "unknown root"
	}
	var v validator
	v.element(root, typ, root.name.Local)
	for _, p := range v.problems {
		return p.detail()
	}
	for _, p := range walk(root) {
		if p.parent != nil && p.parent.name == head("Content") && globals[p.node.name] == nil {
			return "unknown document"
		}
	}
	return ""
}

// oldDialog is a message of a process that still has Dialogmelding 1.0, which has no
// subject of a request.
func oldDialog(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte(nsDialog), []byte(nsDialog0))
	raw = regexp.MustCompile(`<EmneSporsmal>[^<]*</EmneSporsmal>`).ReplaceAll(raw, nil)
	return regexp.MustCompile(`DIALOG_INNBYGGER_E[A-Z]+`).ReplaceAll(raw, []byte("DIALOG_INNBYGGER_KOORDINATOR"))
}

// various are fixtures that together have every element that is written.
func various(t *testing.T) map[string][]byte {
	t.Helper()
	all, out := written(t), map[string][]byte{}
	for _, name := range []string{"consultation-SB", "consultation-12", "contact-19", "renewal-RF", "receipt-ok", "receipt-refused", "booking-HLT", "booking-03", "booking-told-08", "renewal-14", "renewal-32", "renewal-RFER", "active-28"} {
		out[name] = all[name]
	}
	return out
}

func TestVerdictIsThatOfTheOfficialSchemas(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(testsize.Seed(t), 36))
	base := various(t)
	for _, part := range []string{"sporsmal-til-behandler", "svar-pa-henvendelse", "resept-er-fornyet", "app-rec", "melding-om-avtale", "svar-helsepersonell-behandlere", "digitale-aktive-brukere"} {
		for name, raw := range samples(t, part) {
			base["sample "+name] = raw
		}
	}
	base["old edition"] = oldEdition(base["renewal-RFER"])
	for _, name := range []string{"contact-19", "consultation-SB"} {
		base["old "+name] = oldDialog(base[name])
	}
	for _, f := range Functions() {
		raw, err := WriteMessage(generated(r, f))
		require.NoError(t, err)
		base[fmt.Sprintf("generated %s %t %s", f.Process, f.Request, f.Code)] = raw
	}
	var chosen []mutant
	names := slices.Sorted(maps.Keys(base))
	for _, name := range names {
		if !strings.HasPrefix(name, "generated") {
			chosen = append(chosen, mutants(t, name, base[name])...)
		}
	}
	for count := testsize.Scaled(20_000, len(chosen)+500); len(chosen) < count; {
		name := names[r.IntN(len(names))]
		chosen = append(chosen, mutated(t, r, name, base[name]))
	}
	valid := requireVerdicts(t, chosen)
	t.Logf("%d mutants, %d of them still valid", len(chosen), valid)
	require.Greater(t, len(chosen), 500)
	require.Greater(t, valid, 50)
}

// difference is something of which xmllint's verdict is not ours.
type difference struct {
	why string
	is  func(raw []byte) bool
	// example is a fixture, something in it, and what stands there instead.
	example [3]string
}

// differences is all there is.
var differences = []difference{
	{
		why: "xmllint passes over characters that are no base64; XML Schema (part 2, 3.2.16) does not have them in the value",
		is: func(raw []byte) bool {
			root, err := parseTree(raw)
			if err != nil || ownVerdict(raw) == "" {
				return false
			}
			for _, p := range walk(root) {
				if p.node.name == nameBase64 && len(p.node.elements()) == 0 {
					text := bytes.Map(func(c rune) rune {
						if c < 0x80 && base64Class[c] > blank {
							return c
						}
						return -1
					}, p.node.bytes())
					p.node.kids = []*node{{text: text}}
				}
			}
			return ownVerdict(serialised(root)) == ""
		},
		example: [3]string{"consultation-12", "JVBERi0x", "JVBE-Ri0x"},
	},
	{
		why: "xmllint does not have blanks in a CDATA section between elements; to XML Schema (part 1, 3.4.4) they are blanks as any",
		is: func(raw []byte) bool {
			blanks := regexp.MustCompile(`<!\[CDATA\[[ \t\r\n]*\]\]>`)
			return ownVerdict(raw) == "" && blanks.Match(raw)
		},
		example: [3]string{"contact-HE", "<MsgInfo>", "<MsgInfo><![CDATA[ ]]>"},
	},
	{
		why: "xmllint does not have blanks around an instant; XML Schema (part 2, 4.3.6) collapses them first",
		is: func(raw []byte) bool {
			around := regexp.MustCompile(`>[ \t\r\n]+([0-9T:.Z+-]+)<`)
			return ownVerdict(raw) == "" && around.Match(raw)
		},
		example: [3]string{"contact-HE", "<GenDate>", "<GenDate> "},
	},
	{
		why: "xmllint demands that an address is a URI of RFC 2396; xs:anyURI takes any text (part 2, 3.2.17), and telephone numbers are so written",
		is: func(raw []byte) bool {
			root, err := parseTree(raw)
			return err == nil && ownVerdict(raw) == "" && slices.ContainsFunc(walk(root), func(p place) bool {
				return p.node.name.Local == "TeleAddress" && !uri.MatchString(p.node.attr("V"))
			})
		},
		example: [3]string{"contact-HE", "tel:+4790000000", "08:30"},
	},
}

// uri is the form that xmllint takes for a URI, narrowly.
var uri = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9+./@-]+$`)

// TestDifferencesAreReal: what a newer xmllint or this package judges otherwise is taken
// off the list.
func TestDifferencesAreReal(t *testing.T) {
	t.Parallel()
	for _, d := range differences {
		raw := edited(t, d.example[0], d.example[1], d.example[2])
		require.True(t, d.is(raw), d.why)
		require.NotEqual(t, ownVerdict(raw) == "", xsdVerdicts(t, [][]byte{raw})[0] == "", d.why)
	}
}

// requireVerdicts fails where the official schemas judge otherwise, and returns
// how many of the documents they find valid.
func requireVerdicts(t *testing.T, chosen []mutant) (valid int) {
	t.Helper()
	documents := make([][]byte, len(chosen))
	for i, m := range chosen {
		documents[i] = m.raw
	}
	for i, official := range xsdVerdicts(t, documents) {
		own := ownVerdict(chosen[i].raw)
		if (own == "") != (official == "") {
			if !slices.ContainsFunc(differences, func(d difference) bool { return d.is(chosen[i].raw) }) {
				t.Errorf("%s\nown verdict: %q\nofficial verdict: %q", chosen[i].what, own, official)
			}
			continue
		}
		if official == "" {
			valid++
			continue
		}
		// A document of no published schema is named in processes that a GP does not use, and
		// refused by the schemas' strict wildcard only.
		m, problems := Read(chosen[i].raw)
		require.True(t, len(problems) > 0 || !m.ReadInFull() && slices.Contains(m.Unknown, "?"), "Read accepts what the schema refuses: %s", chosen[i].what)
	}
	return valid
}

// Paths and rules hold nothing of the message, whatever is done to it.
func TestProblemsHoldNoValues(t *testing.T) {
	t.Parallel()
	secrets := []string{child, parent, "Fiktiv", "Pasient", "Åse", "Vorte", "kontakt-17", firstID, "ekstra", "90000000", "årlig", "uthvilt", "Bakken", "Vikar", "Oppdikta", "Påfunnol", "Næringsdrikk", "hodepine", slotID, appointmentID}
	for name, raw := range various(t) {
		for _, m := range mutants(t, name, raw) {
			_, problems := Read(m.raw)
			for _, p := range problems {
				text := strings.ReplaceAll(p.Path+" "+p.Rule, "Pasientrelasjon", "")
				for _, s := range secrets {
					require.NotContains(t, text, s, m.what)
				}
			}
		}
	}
}
