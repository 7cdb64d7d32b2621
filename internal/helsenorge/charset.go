package helsenorge

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	bomUTF8    = []byte{0xEF, 0xBB, 0xBF}
	bomUTF16BE = []byte{0xFE, 0xFF}
	bomUTF16LE = []byte{0xFF, 0xFE}

	declaredEncoding = regexp.MustCompile(`^<\?xml[ \t\r\n][^>]*?encoding[ \t\r\n]*=[ \t\r\n]*["']([^"']*)["']`)
)

// toUTF8 returns the document in UTF-8 without byte order mark; most are so
// already and are returned as they are. Dialogmelding 1.1 says UTF-8; 1.0, and
// the systems that grew up with it, say ISO-8859-1.
func toUTF8(raw []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(raw, bomUTF8):
		raw = raw[len(bomUTF8):]
	case bytes.HasPrefix(raw, bomUTF16BE):
		return fromUTF16(raw[len(bomUTF16BE):], true)
	case bytes.HasPrefix(raw, bomUTF16LE):
		return fromUTF16(raw[len(bomUTF16LE):], false)
	}
	encoding := "utf-8"
	if m := declaredEncoding.FindSubmatch(raw[:min(len(raw), 200)]); m != nil {
		encoding = strings.ToLower(string(m[1]))
	}
	switch encoding {
	case "utf-8", "utf8", "us-ascii", "ascii":
		if !utf8.Valid(raw) {
			return nil, notXML("the text is not in the encoding that the document declares")
		}
		return raw, nil
	case "iso-8859-1", "latin1", "latin-1", "iso_8859-1":
		out := make([]byte, 0, len(raw)+len(raw)/8)
		for _, c := range raw {
			out = utf8.AppendRune(out, rune(c))
		}
		return out, nil
	}
	return nil, notXML("the document's character encoding is not supported: UTF-8, UTF-16 and ISO-8859-1 are")
}

func fromUTF16(raw []byte, bigEndian bool) ([]byte, error) {
	if len(raw)%2 != 0 {
		return nil, notXML("the text is not in the encoding that the document declares")
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		hi, lo := raw[2*i], raw[2*i+1]
		if !bigEndian {
			hi, lo = lo, hi
		}
		units[i] = uint16(hi)<<8 | uint16(lo)
	}
	return []byte(string(utf16.Decode(units))), nil
}
