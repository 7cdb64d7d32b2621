// Package attachment holds the rules of files that go with a message: how large one
// may be, which formats there are and how much of a message they make (S21, S22, A2).
package attachment

import "bytes"

// Limits, in bytes.
const (
	// MaxFileBytes is the largest file, inclusive: 12 MB (S22), counted in millions,
	// since Helsenorge's side is not known to take more (A2).
	MaxFileBytes = 12_000_000
	// MaxSealedBytes is the largest sealed message that Helsenorge takes.
	MaxSealedBytes = 20_000_000
)

// What a message is besides its files, in bytes, rounded up.
const (
	// sealingBytes are signature, certificates and padding (HITS 1216 §2.1.5).
	sealingBytes = 64 << 10
	// messageBytes are the head, the subject and a text of 1000 characters.
	messageBytes = 32 << 10
	// fileBytes are a file's own document: its format, its description, its markup.
	fileBytes = 2 << 10
)

// Formats that a file may have (HITS 1217 §2.10).
const (
	PDF  = "application/pdf"
	JPEG = "image/jpeg"
	PNG  = "image/png"
)

// Format tells a file's format by its first eight bytes or more, or "" when it is none
// of the three: a name or a sender's word for it opens no file.
func Format(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("%PDF-")):
		return PDF
	case bytes.HasPrefix(head, []byte{0xFF, 0xD8, 0xFF}):
		return JPEG
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return PNG
	}
	return ""
}

// SealedBytes estimates the size of a sealed message with files of the sizes, never too
// low: base64 makes four bytes of three, XML and sealing add their own.
func SealedBytes(files ...int64) int64 {
	total := int64(sealingBytes + messageBytes)
	for _, size := range files {
		total += (size+2)/3*4 + fileBytes
	}
	return total
}
