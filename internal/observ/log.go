// Package observ is what a process tells about itself: logs.
//
// Logs name no patient: fields are opaque ids, codes and counts (vault.Secret
// redacts what slips through). What a counterpart may have written is escaped, so
// that no line forges another and no terminal obeys it.
package observ

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.temporal.io/sdk/log"
)

// Logger logs to standard error, one JSON object a line, times in UTC. level is
// config.Log's debug, info, warn or error; configuration has checked it, and
// anything else is info.
func Logger(level string) *slog.Logger { return New(os.Stderr, level) }

// New is Logger on another writer.
func New(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(escaper{w}, &slog.HandlerOptions{
		Level: l,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Value.Kind() == slog.KindTime {
				a.Value = slog.TimeValue(a.Value.Time().UTC())
			}
			return a
		},
	}))
}

// Temporal adapts logger to the Temporal SDK.
func Temporal(logger *slog.Logger) log.Logger { return log.NewStructuredLogger(logger) }

// escaper writes JSON lines with every control and bidirectional formatting
// character as \uXXXX. encoding/json escapes those below U+0020 only; DEL, the C1
// controls (U+009B starts a terminal's control sequence) and the bidirectional
// ones, which make a line read as another, pass it. They can only occur inside
// JSON strings, so the line stays the same JSON.
type escaper struct{ w io.Writer }

// Write takes whole lines: slog writes each record at once.
func (e escaper) Write(line []byte) (int, error) {
	if bytes.IndexFunc(line, harmful) < 0 {
		return e.w.Write(line)
	}
	out := make([]byte, 0, len(line)+16)
	for rest := line; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if harmful(r) {
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		} else {
			out = append(out, rest[:n]...)
		}
		rest = rest[n:]
	}
	if _, err := e.w.Write(out); err != nil {
		return 0, err
	}
	return len(line), nil
}

func harmful(r rune) bool {
	return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}
