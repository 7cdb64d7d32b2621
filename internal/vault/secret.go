package vault

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a sensitive value shows.
const redacted = "[redacted]"

// Secret is a value that must not reach a log, an error or an answer by accident:
// a national id, a phone number, a message text. It prints, logs and encodes as
// redacted; Reveal is the one way to the value, and easy to search for. It is
// therefore never a field of something that is stored as JSON, and never the key
// of a map (encoding/json writes keys of a string type as they are).
type Secret string

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

// String is redacted.
func (Secret) String() string { return redacted }

// GoString is redacted.
func (Secret) GoString() string { return redacted }

// Format is redacted for every verb; the others would print the bytes.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) } //nolint:errcheck // fmt keeps the error

// MarshalJSON is redacted.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText is redacted, for YAML and other text encodings.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue is redacted.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
