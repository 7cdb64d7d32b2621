package helsenorge

import (
	"encoding/base64"
	"io"
)

// base64Text is xs:base64Binary as it stands in a message: blanks may be anywhere. It is
// never decoded as a whole: a file of megabytes is in the message already.
type base64Text []byte

// What a byte is to the scanner.
const (
	noBase64 byte = iota
	blank
	padding
	digit
	// digit4 may stand before one padding sign, digit16 before two: no bits are left over.
	digit4
	digit16
)

// base64Class is the class of each byte.
var base64Class = func() (class [256]byte) {
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		switch {
		case i%16 == 0:
			class[c] = digit16
		case i%4 == 0:
			class[c] = digit4
		default:
			class[c] = digit
		}
	}
	for _, c := range []byte(" \t\r\n") {
		class[c] = blank
	}
	class['='] = padding
	return class
}()

// isText tells whether there is nothing but base64 and blanks.
func (t base64Text) isText() bool {
	for _, c := range t {
		if base64Class[c] == noBase64 {
			return false
		}
	}
	return true
}

// size is how many bytes the text stands for. It is false where the text is not whole
// groups of four, or has bits left over before the padding.
func (t base64Text) size() (n int64, ok bool) {
	var count, pads int64
	last := noBase64
	for _, c := range t {
		switch class := base64Class[c]; {
		case class >= digit:
			if pads > 0 {
				return 0, false
			}
			count++
			last = class
		case class == blank:
		case class == padding:
			pads++
		default:
			return 0, false
		}
	}
	switch {
	case (count+pads)%4 != 0, pads > 2, pads == 1 && last < digit4, pads == 2 && last != digit16:
		return 0, false
	}
	return (count+pads)/4*3 - pads, true
}

// writeTo writes what the text stands for, some kilobytes at a time. The text has a size.
func (t base64Text) writeTo(w io.Writer) (written int64, err error) {
	var digits [4096]byte
	var decoded [3072]byte
	n := 0
	flush := func() error {
		size, err := base64.StdEncoding.Decode(decoded[:], digits[:n])
		if err != nil {
			return err
		}
		n = 0
		size, err = w.Write(decoded[:size])
		written += int64(size)
		return err
	}
	for _, c := range t {
		if base64Class[c] == blank {
			continue
		}
		digits[n] = c
		if n++; n == len(digits) {
			if err := flush(); err != nil {
				return written, err
			}
		}
	}
	return written, flush()
}

// head is what the first of the text stands for: enough to tell a format by.
func (t base64Text) head() []byte {
	digits := make([]byte, 0, 16)
	for _, c := range t {
		if base64Class[c] == blank {
			continue
		}
		if digits = append(digits, c); len(digits) == cap(digits) {
			break
		}
	}
	decoded, _ := base64.StdEncoding.AppendDecode(nil, digits) // whole groups, of a text with a size
	return decoded
}
