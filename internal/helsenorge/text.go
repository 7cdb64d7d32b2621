package helsenorge

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
)

// Text is what a human wrote: plain, or with the formatting of HISD 1155.
type Text struct {
	// Plain is the text without markup. Reading derives it from XHTML; writing
	// uses it only when XHTML is empty.
	Plain string
	// XHTML is the inner markup of a div, "" when the text is plain. Reading
	// gives it sanitised: only elements of the permitted modules, no attribute
	// but colspan and rowspan. It is well-formed XML and safe to show.
	XHTML string
}

func (t Text) isEmpty() bool { return t.Plain == "" && t.XHTML == "" }

// The XHTML 1.1 modules that may be used: Text, List, Presentation and Basic
// Tables (HITS 1217 §2.4.4).
var permittedElements = []string{
	"abbr", "acronym", "address", "blockquote", "br", "cite", "code", "dfn", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6",
	"kbd", "p", "pre", "q", "samp", "span", "strong", "var",
	"dl", "dt", "dd", "ol", "ul", "li",
	"b", "big", "hr", "i", "small", "sub", "sup", "tt",
	"caption", "table", "td", "th", "tr",
}

// emptyElements have no content; all others are written with an end tag.
var emptyElements = []string{"br", "hr"}

// Elements whose text is no text for a reader.
var unreadableElements = []string{"script", "style", "head", "title", "object", "template", "iframe", "noscript"}

// blockElements end a line of the plain text.
var blockElements = []string{
	"address", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
	"ol", "p", "pre", "table", "tr", "ul",
}

// policy is the second wall: the first is that markup is written from the
// parsed tree with permitted elements only.
var policy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements(permittedElements...)
	p.AllowNoAttrs().OnElements(permittedElements...)
	p.AllowAttrs("colspan", "rowspan").Matching(bluemonday.Integer).OnElements("td", "th")
	return p
})

// readText reads an anyType text. A nil node is no text.
func readText(n *node) Text {
	kids := n.elements()
	if len(kids) == 0 {
		return Text{Plain: n.trimmed()}
	}
	body := n
	if len(kids) == 1 && kids[0].name.Local == "div" && n.trimmed() == "" {
		body = kids[0]
	}
	var plain plainText
	plain.take(body)
	return Text{Plain: plain.String(), XHTML: sanitised(body)}
}

// sanitised is the inner markup of n.
func sanitised(n *node) string {
	var b bytes.Buffer
	writeMarkup(&b, n)
	return strings.TrimSpace(policy().Sanitize(b.String()))
}

// writeMarkup writes what n holds. An element that is not permitted gives way to
// its content, as a link does to its text.
func writeMarkup(b *bytes.Buffer, n *node) {
	for _, k := range n.kids {
		local := k.name.Local
		switch {
		case k.isText():
			_ = xml.EscapeText(b, k.text)
		case slices.Contains(unreadableElements, local):
		case !slices.Contains(permittedElements, local):
			writeMarkup(b, k)
		case slices.Contains(emptyElements, local):
			b.WriteString("<" + local + "/>")
			writeMarkup(b, k) // it should have no content: what somebody wrote there is not lost
		default:
			b.WriteString("<" + local)
			for _, a := range spans(k) {
				b.WriteString(` ` + a.Name.Local + `="` + a.Value + `"`)
			}
			b.WriteByte('>')
			writeMarkup(b, k)
			b.WriteString("</" + local + ">")
		}
	}
}

// spans are the attributes of a table cell that mean something without style.
func spans(n *node) (out []xml.Attr) {
	if n.name.Local != "td" && n.name.Local != "th" {
		return nil
	}
	for _, a := range n.attrs {
		if isSpan(a) {
			out = append(out, a)
		}
	}
	return out
}

func isSpan(a xml.Attr) bool {
	return a.Name.Space == "" && (a.Name.Local == "colspan" || a.Name.Local == "rowspan") &&
		len(a.Value) > 0 && len(a.Value) < 4 && strings.Trim(a.Value, "0123456789") == ""
}

// plainText renders markup as a reader sees it: one line per block, a hyphen
// before a list item, a tab between cells.
type plainText struct {
	lines []string
	line  strings.Builder
}

func (p *plainText) take(n *node) {
	for _, k := range n.kids {
		local := k.name.Local
		block := slices.Contains(blockElements, local)
		switch {
		case k.isText():
			p.write(string(k.text))
			continue
		case slices.Contains(unreadableElements, local):
			continue
		}
		if block {
			p.end(local == "br")
		}
		switch local {
		case "li":
			p.line.WriteString("- ")
		case "td", "th":
			if p.line.Len() > 0 {
				p.line.WriteByte('\t')
			}
		}
		if local == "pre" {
			p.verbatim(k)
		} else {
			p.take(k)
		}
		if block && local != "br" {
			p.end(false)
		}
	}
}

// write adds text with its blanks collapsed, as outside pre.
func (p *plainText) write(s string) {
	words := strings.Join(strings.Fields(s), " ")
	sofar := p.line.String()
	atBlank := sofar == "" || strings.HasSuffix(sofar, " ") || strings.HasSuffix(sofar, "\t")
	if s != "" && isSpace(s[0]) && !atBlank {
		p.line.WriteByte(' ')
	}
	p.line.WriteString(words)
	if words != "" && isSpace(s[len(s)-1]) {
		p.line.WriteByte(' ')
	}
}

func (p *plainText) verbatim(n *node) {
	for _, k := range n.kids {
		if !k.isText() {
			p.verbatim(k)
			continue
		}
		for i, line := range strings.Split(string(k.text), "\n") {
			if i > 0 {
				p.end(true)
			}
			p.line.WriteString(line)
		}
	}
}

// end ends the line; an empty one counts only when it was asked for.
func (p *plainText) end(evenEmpty bool) {
	line := strings.TrimRight(p.line.String(), " \t")
	if p.line.Reset(); line != "" || evenEmpty {
		p.lines = append(p.lines, line)
	}
}

func (p *plainText) String() string {
	p.end(false)
	return strings.TrimSpace(strings.Join(p.lines, "\n"))
}

// parseMarkup parses the inner markup of a div that is to be written. The rule
// says what is wrong with it, or is "".
func parseMarkup(inner string) (div *node, rule string) {
	root, err := parseTree([]byte(`<div xmlns="` + nsXHTML + `">` + inner + `</div>`))
	if err != nil {
		return nil, "must be well-formed XHTML: the content of one div"
	}
	return root, markupRule(root)
}

func markupRule(n *node) string {
	for _, k := range n.elements() {
		if k.name.Space != nsXHTML || !slices.Contains(permittedElements, k.name.Local) {
			return "must have only elements of XHTML 1.1 Text, List, Presentation and Basic Tables: " + strings.Join(permittedElements, " ")
		}
		if len(k.attrs) != len(spans(k)) {
			return "must have no attributes but colspan and rowspan"
		}
		if rule := markupRule(k); rule != "" {
			return rule
		}
	}
	return ""
}
