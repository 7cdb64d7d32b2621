package helsenorge

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// TestHostileDocumentsAreRefusedCheaply: what is made to exhaust a reader takes some
// times its own size at most, and little time; none is taken for a message.
func TestHostileDocumentsAreRefusedCheaply(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	const many = 100 << 20
	valid := golden(t, "consultation-SB")
	inside := func(where, what string) string {
		require.Contains(t, valid, where)
		return strings.Replace(valid, where, where+what, 1)
	}
	much := strings.Repeat(" \n", many/2)
	for name, c := range map[string]struct {
		text string
		// accepted is true for what is a message all the same.
		accepted bool
		// times is how often its own size may be allocated.
		times float64
	}{
		"billion laughs":         {text: `<!DOCTYPE a [<!ENTITY a "ha">` + entities(30) + `]><a>&z29;</a>`, times: 50},
		"quadratic entity":       {text: `<!DOCTYPE a [<!ENTITY a "` + strings.Repeat("a", 100_000) + `">]><a>` + strings.Repeat("&a;", 100_000) + `</a>`, times: 1},
		"external entity":        {text: `<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><a>&a;</a>`, times: 100},
		"a document type":        {text: `<!DOCTYPE MsgHead>` + valid, times: 5},
		"undeclared entity":      {text: inside("<Sporsmal>", "&nbsp;"), times: 20},
		"deep":                   {text: strings.Repeat("<a>", 100_000), times: 5},
		"deep and closed":        {text: strings.Repeat("<a>", 100_000) + strings.Repeat("</a>", 100_000), times: 5},
		"deep in a message":      {text: inside("<Sporsmal>", strings.Repeat("<a>", 100_000)), times: 5},
		"wide":                   {text: "<a>" + strings.Repeat("<b/>", 5_000_000) + "</a>", times: 10},
		"a million attributes":   {text: "<a" + attributes(1_000_000) + "/>", times: 4},
		"a long name":            {text: "<" + strings.Repeat("a", many) + "/>", times: 1},
		"a long attribute":       {text: `<a b="` + strings.Repeat("a", many) + `"/>`, times: 1},
		"a long comment":         {text: "<!--" + strings.Repeat("a", many) + "--><a/>", times: 1},
		"blanks before":          {text: much + valid, times: 1},
		"blanks after":           {text: valid + much, times: 1},
		"blanks between":         {text: inside("<MsgHead xmlns=\""+nsHead+"\">", much), times: 1},
		"blanks in a tag":        {text: strings.Replace(valid, "<MsgInfo", "<MsgInfo"+much, 1), times: 1},
		"blanks in base64":       {text: inside(`<Base64Container xmlns="`+nsBase64+`">`, much), times: 1, accepted: true},
		"blanks in a text":       {text: inside("<Sporsmal>", much), times: 1},
		"blanks in an attribute": {text: strings.Replace(valid, `V="SB"`, `V="SB`+much+`"`, 1), times: 1},
		"a file's line breaks":   {text: inside(`<Base64Container xmlns="`+nsBase64+`">`, strings.Repeat("&#13;\n", 2<<20)), times: 12, accepted: true},
		"nothing":                {text: ""},
		"NUL":                    {text: inside("<Sporsmal>", "\x00"), times: 20},
		"overlong UTF-8":         {text: inside("<Sporsmal>", "\xc0\xaf"), times: 20},
		"a surrogate":            {text: inside("<Sporsmal>", "\xed\xa0\x80"), times: 20},
		"a byte order mark deep": {text: inside("<Sporsmal>", "\ufeff"), times: 20, accepted: true},
	} {
		var before, after runtime.MemStats
		raw := []byte(c.text)
		runtime.GC()
		runtime.ReadMemStats(&before)
		began := time.Now()
		m, problems := Read(raw)
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		require.Equal(t, c.accepted, m != nil && len(problems) == 0, "%s: %v", name, problems)
		require.Less(t, took, 30*time.Second, name)
		allocated := after.TotalAlloc - before.TotalAlloc
		require.LessOrEqual(t, float64(allocated), c.times*float64(len(raw))+(1<<20), "%s: %d bytes allocated for %d, in %s", name, allocated, len(raw), took)
	}
}

// entities declares z0 to z(n-1), each ten of the one before.
func entities(n int) string {
	var b strings.Builder
	last := "a"
	for i := range n {
		name := fmt.Sprint("z", i)
		fmt.Fprintf(&b, `<!ENTITY %s "%s">`, name, strings.Repeat("&"+last+";", 10))
		last = name
	}
	return b.String()
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return b.String()
}

// TestEncodingsOfAMessage: what a declaration and a byte order mark say of a document.
func TestEncodingsOfAMessage(t *testing.T) {
	t.Parallel()
	text := golden(t, "contact-19")
	declared := func(encoding string) string {
		return strings.Replace(text, `encoding="UTF-8"`, `encoding="`+encoding+`"`, 1)
	}
	wide := func(order binary.AppendByteOrder, mark bool, s string) []byte {
		var out []byte
		if mark {
			s = "\ufeff" + s
		}
		for _, u := range utf16.Encode([]rune(s)) {
			out = order.AppendUint16(out, u)
		}
		return out
	}
	latin := func(s string) []byte {
		var out []byte
		for _, r := range s {
			out = append(out, byte(r))
		}
		return out
	}
	wider := func(s string) (out []byte) {
		for _, r := range s {
			out = binary.BigEndian.AppendUint32(out, uint32(r))
		}
		return out
	}
	for name, c := range map[string]struct {
		raw []byte
		ok  bool
	}{
		"UTF-8":                          {[]byte(text), true},
		"UTF-8 with a mark":              {[]byte("\ufeff" + text), true},
		"UTF-8 with two marks":           {[]byte("\ufeff\ufeff" + text), false},
		"no declaration":                 {[]byte(text[strings.Index(text, "<MsgHead"):]), true},
		"UTF-16, little end":             {wide(binary.LittleEndian, true, declared("UTF-16")), true},
		"UTF-16, big end":                {wide(binary.BigEndian, true, declared("UTF-16")), true},
		"UTF-16 without a mark":          {wide(binary.BigEndian, false, declared("UTF-16")), false},
		"UTF-16, half a character":       {wide(binary.LittleEndian, true, declared("UTF-16"))[:1001], false},
		"UTF-32":                         {wider(declared("UTF-32")), false},
		"ISO-8859-1":                     {latin(declared("ISO-8859-1")), true},
		"ISO-8859-1 that says UTF-8":     {latin(text), false},
		"another encoding":               {[]byte(declared("windows-1252")), false},
		"an encoding that there is not":  {[]byte(declared("x-none")), false},
		"declared twice":                 {[]byte(text[:38] + text), false},
		"UTF-8 that says UTF-16":         {[]byte(declared("UTF-16")), false},
		"UTF-16 that says UTF-8":         {wide(binary.LittleEndian, true, text), true},
		"UTF-7, as an attack would have": {[]byte(strings.Replace(declared("UTF-7"), "Vi åpner", "+ADw-script+AD4-", 1)), false},
	} {
		m, problems := Read(c.raw)
		require.Equal(t, c.ok, len(problems) == 0, "%s: %v", name, problems)
		if c.ok {
			require.Equal(t, "Vi åpner klokka åtte.", m.Dialog.Note.Text.Plain, name)
			require.Equal(t, codes.EKontakt, m.Head.Process, name)
		}
	}
}

func FuzzBase64(f *testing.F) {
	for _, seed := range []string{"", "AA==", "QUJD", "QU JD\n", "AB==", "A=AA", "æ"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		size, ok := base64Text(text).size()
		if !ok {
			return
		}
		require.True(t, base64Text(text).isText())
		var out bytes.Buffer
		n, err := base64Text(text).writeTo(&out)
		require.NoError(t, err)
		require.Equal(t, size, n)
		require.True(t, bytes.HasPrefix(out.Bytes(), base64Text(text).head()))
	})
}

func FuzzEncoding(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "receipt*.xml"))
	require.NoError(f, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Add([]byte("\xfe\xff\x00<\x00a"))
	f.Add([]byte("\xff\xfe<\x00"))
	f.Add([]byte(`<?xml version="1.0" encoding="latin1"?><a>` + "\xe5</a>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := toUTF8(raw)
		if err != nil {
			return
		}
		require.True(t, utf8.Valid(text))
		require.LessOrEqual(t, len(text), 2*len(raw))
	})
}
