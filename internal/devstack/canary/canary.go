// Package canary searches for values that were put in to see where they come out: a
// national id, a name, a text, in whatever form they may have been written down.
package canary

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Search searches for many values at once, in one pass: a database has hundreds of
// megabytes.
type Search struct {
	// byStart are the forms by their first bytes, of which each has window.
	byStart map[string][]form
	window  int
	starts  [1 << 16]bool // the first two bytes of every form
}

// form is how a value may have been written down.
type form struct{ text, value string }

// encoded is how long a value is whose encodings are searched for: those of a shorter one
// come about by chance.
const encoded = 8

// For makes the search for values, each of two bytes or more.
func For(values ...string) *Search {
	s := &Search{byStart: map[string][]form{}}
	var all []form
	for _, v := range values {
		for _, text := range forms(v) {
			all = append(all, form{text, v})
			if s.window == 0 || len(text) < s.window {
				s.window = len(text)
			}
		}
	}
	for _, f := range all {
		s.byStart[f.text[:s.window]] = append(s.byStart[f.text[:s.window]], f)
		s.starts[int(f.text[0])<<8|int(f.text[1])] = true
	}
	return s
}

// forms are what value looks like as it is, in ISO 8859-1, in UTF-16, escaped for JSON
// and URLs, in hex, and in base64 wherever in a text it stands.
func forms(value string) []string {
	all := []string{value}
	if len(value) < encoded {
		return all
	}
	var latin, wide, escaped []byte
	for _, r := range value {
		if r < 0x80 {
			escaped = append(escaped, byte(r))
		} else {
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
		latin, wide = append(latin, byte(r)), append(wide, byte(r), byte(r>>8))
	}
	all = append(all, string(latin), string(wide), string(escaped), url.QueryEscape(value), url.PathEscape(value),
		hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))))
	for before := range 3 {
		// Whole groups of three bytes that hold nothing but the value.
		inner := []byte(value)[(3-before)%3:]
		inner = inner[:len(inner)/3*3]
		all = append(all, base64.StdEncoding.EncodeToString(inner), base64.URLEncoding.EncodeToString(inner))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// In lists which of the values a text holds, in whatever form.
func (s *Search) In(text string) []string {
	var found []string
	for i := 0; s.window > 0 && i+s.window <= len(text); i++ {
		if !s.starts[int(text[i])<<8|int(text[i+1])] {
			continue
		}
		for _, f := range s.byStart[text[i:i+s.window]] {
			if strings.HasPrefix(text[i:], f.text) && !slices.Contains(found, f.value) {
				found = append(found, f.value)
			}
		}
	}
	return found
}

// Files searches every file below dir, and the names of the files, but not the
// directories of dir that others have. It returns a line for each file with something
// in it, and how many bytes were read. A file that is gone when its turn comes had been
// there for a moment only.
func (s *Search) Files(dir string, others ...string) (found []string, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains(others, name) {
			return filepath.SkipDir
		}
		if values := s.In(name); len(values) > 0 {
			found = append(found, fmt.Sprintf("the name of %q: %q", name, values))
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		raw, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		bytes += int64(len(raw))
		if values := s.In(string(raw)); len(values) > 0 {
			found = append(found, fmt.Sprintf("%s: %q", name, values))
		}
		return err
	})
	return found, bytes, err
}

// Sentences are the lines of a text that say something: long enough not to be a word of
// other things, too.
func Sentences(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); utf8.RuneCountInString(line) > 20 {
			lines = append(lines, line)
		}
	}
	return lines
}
