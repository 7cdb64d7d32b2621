package helsenorge

import (
	"bytes"
	"encoding/xml"
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// writer writes XML in the order it is told; encoding/xml cannot, since it puts
// a namespace declaration on every element and knows no choice of prefixes.
type writer struct {
	b bytes.Buffer
}

func newWriter(size int) *writer {
	w := &writer{}
	w.b.Grow(size)
	w.b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	return w
}

// open writes a start tag; attrs are names and values in turn.
func (w *writer) open(name string, attrs ...string) {
	w.tag(name, attrs)
	w.b.WriteByte('>')
}

func (w *writer) close(name string) { w.b.WriteString("</" + name + ">") }

func (w *writer) empty(name string, attrs ...string) {
	w.tag(name, attrs)
	w.b.WriteString("/>")
}

func (w *writer) tag(name string, attrs []string) {
	w.b.WriteString("<" + name)
	for i := 0; i < len(attrs); i += 2 {
		w.b.WriteString(" " + attrs[i] + `="`)
		w.escape(attrs[i+1])
		w.b.WriteByte('"')
	}
}

// escape writes text; a bytes.Buffer never fails.
func (w *writer) escape(s string) { _ = xml.EscapeText(&w.b, []byte(s)) }

// leaf writes an element with text.
func (w *writer) leaf(name, text string) {
	w.open(name)
	w.escape(text)
	w.close(name)
}

// optional writes an element with text, unless there is none.
func (w *writer) optional(name, text string) {
	if text != "" {
		w.leaf(name, text)
	}
}

// date writes an element with a calendar date, unless there is none.
func (w *writer) date(name string, t time.Time) {
	if !t.IsZero() {
		w.leaf(name, t.UTC().Format(time.DateOnly))
	}
}

// cs writes a code whose list is not on the wire.
func (w *writer) cs(name string, c Code, list codes.List) {
	var attrs []string
	if c.V != "" {
		attrs = append(attrs, "V", c.V)
	}
	if dn := displayName(c, list); dn != "" {
		attrs = append(attrs, "DN", dn)
	}
	w.empty(name, attrs...)
}

// cv writes a code with the OID of its list.
func (w *writer) cv(name string, c Code, list codes.List) {
	attrs := []string{"V", c.V, "S", list.OID()}
	if dn := displayName(c, list); dn != "" {
		attrs = append(attrs, "DN", dn)
	}
	if c.OT != "" {
		attrs = append(attrs, "OT", c.OT)
	}
	w.empty(name, attrs...)
}

func displayName(c Code, list codes.List) string {
	if c.DN != "" {
		return c.DN
	}
	return codes.Name(list, c.V)
}

// text writes an anyType text: plain, or a div of XHTML that the checker has
// found permitted.
func (w *writer) text(name string, t Text) {
	if t.isEmpty() {
		return
	}
	if t.XHTML == "" {
		w.leaf(name, t.Plain)
		return
	}
	div, _ := parseMarkup(t.XHTML)
	w.open(name)
	w.open("div", "xmlns", nsXHTML)
	writeMarkup(&w.b, div)
	w.close("div")
	w.close(name)
}
