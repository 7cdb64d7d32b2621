package helsenorge

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readMarkup reads an e-contact answer whose TekstNotatInnhold is inner.
func readMarkup(t testing.TB, inner string) Text {
	t.Helper()
	m, problems := Read(edited(t, "contact-19", "Vi åpner klokka åtte.", inner))
	require.Empty(t, problems)
	return m.Dialog.Note.Text
}

func div(inner string) string { return `<div xmlns="` + nsXHTML + `">` + inner + "</div>" }

func TestReadText(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, plain, xhtml string }{
		{"plain", " a &lt;b&gt;\n\nc ", "a <b>\n\nc", ""},
		{"CDATA", "<![CDATA[<b>a</b>]]>", "<b>a</b>", ""},
		{"escaped markup stays text", "&lt;p&gt;a&lt;/p&gt;", "<p>a</p>", ""},
		{"blocks", div("<h1>A</h1><p>b <b>c</b>\n d</p><p>e</p>"), "A\nb c d\ne", "<h1>A</h1><p>b <b>c</b>\n d</p><p>e</p>"},
		{"breaks", div("a<br/><br />b<hr/>c"), "a\n\nb\nc", "a<br/><br/>b<hr/>c"},
		{"text in a break", div("a<br>b</br>c"), "a\nbc", "a<br/>bc"},
		{"list", div("<ul><li>a</li><li>b</li></ul>"), "- a\n- b", "<ul><li>a</li><li>b</li></ul>"},
		{"table", div(`<table><tr><th colspan="2" style="x">A</th></tr><tr><td>1</td><td>2</td></tr></table>`), "A\n1\t2", `<table><tr><th colspan="2">A</th></tr><tr><td>1</td><td>2</td></tr></table>`},
		{"pre", div("<pre>a  b\n  c</pre>d"), "a  b\n  c\nd", "<pre>a  b\n  c</pre>d"},
		{"script", div("a<script>alert(1)</script>b<style>p{}</style>"), "ab", "ab"},
		{"link and image", div(`<a href="javascript:x">a</a><img src="http://x/y" onerror="z"/>b`), "ab", "ab"},
		{"event", div(`<p onclick="x" style="y" class="z" id="i">a</p>`), "a", "<p>a</p>"},
		{"markup in text", div("<p>&lt;script&gt;x&lt;/script&gt; &amp; y</p>"), "<script>x</script> & y", "<p>&lt;script&gt;x&lt;/script&gt; &amp; y</p>"},
		{"other namespace", `<x:y xmlns:x="urn:x">a<x:script>b</x:script></x:y>`, "a", "a"},
		{"no namespace", "<p xmlns=''>a</p>", "a", "<p>a</p>"},
		{"several elements", `<p xmlns="` + nsXHTML + `">a</p><p xmlns="` + nsXHTML + `">b</p>`, "a\nb", "<p>a</p><p>b</p>"},
		{"text beside the div", "x" + div("<b>y</b>"), "x\ny", "x<div><b>y</b></div>"},
		{"nothing", div(""), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := readMarkup(t, tt.in)
			require.Equal(t, tt.plain, got.Plain)
			require.Equal(t, tt.xhtml, got.XHTML)
		})
	}
}

// What is read may be written and read again: sanitised markup stays as it is.
func TestSanitisedIsStable(t *testing.T) {
	t.Parallel()
	in := div(`<p title="x">a &amp; "b" 'c' &lt; &#229;<br/></p><table><tr><td rowspan="2">d</td></tr></table><blink>e</blink>`)
	first := readMarkup(t, in)
	second := readMarkup(t, div(first.XHTML))
	require.Equal(t, first, second)
	_, rule := parseMarkup(first.XHTML)
	require.Empty(t, rule)
}

func FuzzMarkup(f *testing.F) {
	for _, s := range []string{"a", "<p>a</p>", `<td colspan="1">x</td>`, "<script>x</script>", "<ul><li>a<br/></li></ul>", "<svg><p onload='x'/></svg>", "&#60;b&#62;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, inner string) {
		root, err := parseTree([]byte("<x>" + inner + "</x>"))
		if err != nil {
			return
		}
		text := readText(root)
		if text.XHTML == "" {
			return
		}
		body, rule := parseMarkup(text.XHTML)
		require.Empty(t, rule, "sanitised markup may be written: %q", text.XHTML)
		require.Equal(t, text.XHTML, sanitised(body), "and is sanitised already")
		var plain plainText
		plain.take(body)
		require.Equal(t, text.Plain, plain.String(), "and says what the plain text says")
		require.NotContains(t, strings.ToLower(text.XHTML), "<script")
	})
}
