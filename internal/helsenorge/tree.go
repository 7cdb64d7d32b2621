package helsenorge

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
)

// Limits of a document that is parsed at all. The deepest legal message is
// about twenty levels; a full practitioner list has some thousand elements.
const (
	maxDepth = 64
	// maxNodes counts elements and runs of text: comments and sections can cut a text
	// into as many runs as it has characters.
	maxNodes      = 400_000
	maxAttributes = 64
	// maxToken is how long a tag, a text or a comment may be, in bytes: the decoder takes
	// some twenty times as much for a tag of attributes. A file is not bounded by it.
	maxToken = 1 << 20
)

const (
	nsXML = "http://www.w3.org/XML/1998/namespace"
	nsXSI = "http://www.w3.org/2001/XMLSchema-instance"
	nsXSD = "http://www.w3.org/2001/XMLSchema"
)

// node is an element, or a run of text when name is empty. Mixed content keeps
// its order, which XHTML needs.
type node struct {
	name xml.Name
	// attrs are without namespace declarations.
	attrs []xml.Attr
	// xsiType is the resolved xsi:type, if the element has one.
	xsiType xml.Name
	kids    []*node
	// text is the text of a text node. It may share memory with the message:
	// nobody writes to it.
	text []byte
	// closed is set by the end tag, so that a document broken further on still
	// has a head that can be trusted.
	closed bool
	// scope are the prefixes that the element declares.
	scope map[string]string
}

func (n *node) isText() bool { return n.name.Local == "" }

// child returns the first child element of the name, or nil; a nil node has none.
func (n *node) child(name xml.Name) *node {
	if n != nil {
		for _, k := range n.kids {
			if k.name == name {
				return k
			}
		}
	}
	return nil
}

func (n *node) children(name xml.Name) (out []*node) {
	if n != nil {
		for _, k := range n.kids {
			if k.name == name {
				out = append(out, k)
			}
		}
	}
	return out
}

// elements are the child elements in order.
func (n *node) elements() []*node {
	if n == nil {
		return nil
	}
	out := make([]*node, 0, len(n.kids))
	for _, k := range n.kids {
		if !k.isText() {
			out = append(out, k)
		}
	}
	return out
}

// bytes is the element's own text, without that of its children.
func (n *node) bytes() []byte {
	if n == nil {
		return nil
	}
	var parts [][]byte
	for _, k := range n.kids {
		if k.isText() {
			parts = append(parts, k.text)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return bytes.Join(parts, nil)
}

// trimmed is the element's own text without blanks around it.
func (n *node) trimmed() string { return strings.TrimSpace(string(n.bytes())) }

// attr is the value of an attribute without namespace, trimmed, or "".
func (n *node) attr(local string) string {
	if n != nil {
		for _, a := range n.attrs {
			if a.Name.Space == "" && a.Name.Local == local {
				return strings.TrimSpace(a.Value)
			}
		}
	}
	return ""
}

// notXML says why a document is not XML that is accepted. It quotes nothing of
// the document.
type notXML string

func (e notXML) Error() string { return string(e) }

// parseTree parses a document to a tree. On a fault it also returns what was
// read before it, so that the head may still be used.
//
// Raw tokens are used because encoding/xml hides what the recommendation calls
// fatal: an undeclared prefix and a repeated attribute.
func parseTree(raw []byte) (*node, error) {
	text, err := toUTF8(raw)
	if err != nil {
		return nil, err
	}
	src := &source{data: text}
	dec := xml.NewDecoder(src)
	dec.CharsetReader = func(string, io.Reader) (io.Reader, error) { return src, nil }
	b := treeBuilder{src: src}
	for {
		src.left = maxToken
		if b.inFile() {
			src.left = len(text) // a sender may have written its line breaks as references
		}
		start := src.pos
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) && tok == nil {
			return b.root, b.end()
		}
		if src.left < 0 {
			return b.root, notXML("the document has a tag or a text that is longer than is accepted")
		}
		if err != nil {
			return b.root, notXML("the document is not well-formed XML")
		}
		if _, comment := tok.(xml.Comment); !comment && refersToSurrogate(src.data[max(0, start-1):src.pos]) {
			return b.root, notXML("a character reference names no character")
		}
		if err := b.take(tok); err != nil {
			return b.root, err
		}
		src.started = true
	}
}

// refersToSurrogate tells whether a token has a reference to half a character, which
// encoding/xml reads as the sign for an unknown one. What looks like one in a CDATA section
// is text.
func refersToSurrogate(token []byte) bool {
	if bytes.Contains(token, []byte("<![CDATA[")) {
		return false
	}
	for {
		_, after, found := bytes.Cut(token, []byte("&#"))
		if !found {
			return false
		}
		digits, base := after, 10
		if len(after) > 0 && after[0] == 'x' {
			digits, base = after[1:], 16
		}
		end := bytes.IndexByte(digits, ';')
		if end < 0 {
			return false
		}
		if n, err := strconv.ParseUint(string(digits[:end]), base, 32); err == nil && n >= 0xD800 && n <= 0xDFFF {
			return true
		}
		token = after
	}
}

var errTooLong = errors.New("too long")

// source feeds the decoder byte by byte, so that the builder knows exactly how
// far it has read and can take base64 out of its way.
type source struct {
	data []byte
	pos  int
	// left is how much more of a token is read.
	left    int
	started bool
}

// ReadByte implements io.ByteReader.
func (s *source) ReadByte() (byte, error) {
	if s.pos >= len(s.data) {
		return 0, io.EOF
	}
	if s.left--; s.left < 0 {
		return 0, errTooLong
	}
	s.pos++
	return s.data[s.pos-1], nil
}

func (s *source) Read(p []byte) (int, error) {
	if s.pos >= len(s.data) {
		return 0, io.EOF
	}
	n := copy(p, s.data[s.pos:])
	s.pos += n
	return n, nil
}

// skipBase64 returns the base64 text up to the next tag without tokenising it:
// an attachment of megabytes would otherwise be copied three times. Anything
// else in the text is left to the decoder.
func (s *source) skipBase64() []byte {
	if s.data[s.pos-2] == '/' {
		return nil // the element is empty: what follows is its parent's
	}
	n := bytes.IndexByte(s.data[s.pos:], '<')
	if n < 1 {
		return nil
	}
	chunk := s.data[s.pos : s.pos+n]
	if !base64Text(chunk).isText() {
		return nil
	}
	s.pos += n
	return chunk
}

type treeBuilder struct {
	src   *source
	root  *node
	open  []*node
	tags  []xml.Name // the raw names of open elements
	nodes int
}

// inFile tells whether the next text is a file's.
func (b *treeBuilder) inFile() bool {
	last := len(b.open) - 1
	return last >= 0 && b.open[last].name == nameBase64
}

func (b *treeBuilder) count() error {
	if b.nodes++; b.nodes > maxNodes {
		return notXML("the document has more elements and texts than are accepted")
	}
	return nil
}

func (b *treeBuilder) end() error {
	if b.root == nil {
		return notXML("the document holds no element")
	}
	if len(b.open) > 0 {
		return notXML("the document ends inside an element")
	}
	return nil
}

func (b *treeBuilder) take(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.StartElement:
		return b.start(t)
	case xml.EndElement:
		return b.close(t)
	case xml.CharData:
		if len(b.open) == 0 {
			if len(bytes.TrimSpace(t)) > 0 {
				return notXML("there is text outside the root element")
			}
			return nil
		}
		return b.text(bytes.Clone(t))
	case xml.ProcInst:
		if strings.EqualFold(t.Target, "xml") && b.src.started {
			return notXML("the XML declaration is not first in the document")
		}
	case xml.Directive:
		return notXML("a document type declaration is not accepted")
	}
	return nil
}

func (b *treeBuilder) text(t []byte) error {
	top := b.open[len(b.open)-1]
	top.kids = append(top.kids, &node{text: t, closed: true})
	return b.count()
}

func (b *treeBuilder) start(t xml.StartElement) error {
	if b.root != nil && len(b.open) == 0 {
		return notXML("there is more than one root element")
	}
	if err := b.count(); err != nil {
		return err
	}
	if len(b.open) == maxDepth {
		return notXML("the document is nested deeper than is accepted")
	}
	if len(t.Attr) > maxAttributes {
		return notXML("an element has more attributes than are accepted")
	}
	n := &node{}
	if err := n.declare(t.Attr); err != nil {
		return err
	}
	b.open = append(b.open, n)
	b.tags = append(b.tags, t.Name)
	var ok bool
	if n.name, ok = b.resolve(t.Name, true); !ok {
		return notXML("a namespace prefix is not declared")
	}
	if err := b.attributes(n, t.Attr); err != nil {
		return err
	}
	if b.root == nil {
		b.root = n
	} else {
		parent := b.open[len(b.open)-2]
		parent.kids = append(parent.kids, n)
	}
	if n.name == nameBase64 {
		if chunk := b.src.skipBase64(); chunk != nil {
			return b.text(chunk)
		}
	}
	return nil
}

// declare reads the namespace declarations.
func (n *node) declare(attrs []xml.Attr) error {
	for _, a := range attrs {
		prefix := ""
		switch {
		case a.Name.Space == "xmlns":
			prefix = a.Name.Local
			if a.Value == "" || prefix == "xmlns" || (prefix == "xml") != (a.Value == nsXML) {
				return notXML("a namespace declaration is wrong")
			}
		case a.Name.Space == "" && a.Name.Local == "xmlns":
		default:
			continue
		}
		if n.scope == nil {
			n.scope = map[string]string{}
		}
		if _, twice := n.scope[prefix]; twice {
			return notXML("an attribute occurs twice on an element")
		}
		n.scope[prefix] = a.Value
	}
	return nil
}

func (b *treeBuilder) attributes(n *node, attrs []xml.Attr) error {
	for _, a := range attrs {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		name, ok := b.resolve(a.Name, false)
		if !ok {
			return notXML("a namespace prefix is not declared")
		}
		for _, other := range n.attrs {
			if other.Name == name {
				return notXML("an attribute occurs twice on an element")
			}
		}
		n.attrs = append(n.attrs, xml.Attr{Name: name, Value: a.Value})
		if name == (xml.Name{Space: nsXSI, Local: "type"}) {
			prefix, local, found := strings.Cut(strings.TrimSpace(a.Value), ":")
			if !found {
				prefix, local = "", prefix
			}
			n.xsiType, _ = b.resolve(xml.Name{Space: prefix, Local: local}, true)
		}
	}
	return nil
}

// resolve turns a raw name, whose Space is a prefix, into an expanded one. Only
// elements (and QName values) take the default namespace.
func (b *treeBuilder) resolve(raw xml.Name, useDefault bool) (xml.Name, bool) {
	if raw.Space == "" && !useDefault {
		return raw, true
	}
	if raw.Space == "xml" {
		return xml.Name{Space: nsXML, Local: raw.Local}, true
	}
	for i := len(b.open) - 1; i >= 0; i-- {
		if ns, ok := b.open[i].scope[raw.Space]; ok {
			return xml.Name{Space: ns, Local: raw.Local}, true
		}
	}
	return raw, raw.Space == ""
}

func (b *treeBuilder) close(t xml.EndElement) error {
	last := len(b.open) - 1
	if last < 0 || b.tags[last] != t.Name {
		return notXML("an end tag does not match its start tag")
	}
	b.open[last].closed = true
	b.open, b.tags = b.open[:last], b.tags[:last]
	return nil
}
