package booking

import "unicode"

// blank says whether a letter shows nothing: white space, control and format
// characters (zero width space, byte order mark), and the two fillers that Unicode
// counts as letters.
func blank(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.C, r) || r == '\u3164' || r == '\u2800'
}
