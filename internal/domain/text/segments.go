package text

import "unicode/utf16"

// The basic character set of GSM 03.38, and its extension, whose characters take two
// septets each.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§" +
		"¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtension = "\f^{}\\[~]|€"
)

var septets = func() map[rune]int {
	m := make(map[rune]int)
	for _, r := range gsmBasic {
		m[r] = 1
	}
	for _, r := range gsmExtension {
		m[r] = 2
	}
	return m
}()

// Encodings of an SMS.
const (
	GSM7 = "GSM-7"
	UCS2 = "UCS-2"
)

// Segments is how many SMS segments a text takes, and in which encoding: GSM7 (160
// septets alone, 153 in a row) or, as soon as one character is not in its sets, UCS2
// (70 and 67 UTF-16 units); GSM 03.38 and 3GPP TS 23.040. A character is never split
// over two segments. An empty text takes none.
func Segments(s string) (n int, encoding string) {
	sizes := make([]int, 0, len(s))
	encoding = GSM7
	for _, r := range s {
		if septets[r] == 0 {
			encoding = UCS2
			break
		}
		sizes = append(sizes, septets[r])
	}
	alone, inRow := 160, 153
	if encoding == UCS2 {
		alone, inRow = 70, 67
		sizes = sizes[:0]
		for _, r := range s {
			sizes = append(sizes, utf16.RuneLen(r))
		}
	}
	return count(sizes, alone, inRow), encoding
}

func count(sizes []int, alone, inRow int) int {
	total, n, room := 0, 0, 0
	for _, size := range sizes {
		if total += size; size > room {
			n++
			room = inRow
		}
		room -= size
	}
	if total <= alone {
		return min(n, 1)
	}
	return n
}
