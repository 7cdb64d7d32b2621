package canary

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

// TestEveryFormIsFound: whoever writes a value down in one of the usual ways is found.
func TestEveryFormIsFound(t *testing.T) {
	t.Parallel()
	const name, id = "Håkon Prøvesen", "12895099999"
	s := For(name, id, "kort")
	require.Equal(t, []string{"kort"}, s.In("for kort"))
	for what, write := range map[string]func(string) string{
		"as it is": func(v string) string { return v },
		"hex":      func(v string) string { return hex.EncodeToString([]byte(v)) },
		"HEX":      func(v string) string { return strings.ToUpper(hex.EncodeToString([]byte(v))) },
		"query":    url.QueryEscape,
		"path":     url.PathEscape,
		"ISO 8859-1": func(v string) string {
			var latin []byte
			for _, r := range v {
				latin = append(latin, byte(r))
			}
			return string(latin)
		},
		"UTF-16": func(v string) string {
			var wide []byte
			for _, unit := range utf16.Encode([]rune(v)) {
				wide = binary.LittleEndian.AppendUint16(wide, unit)
			}
			return string(wide)
		},
		"JSON": func(v string) string {
			raw, err := json.Marshal(v)
			require.NoError(t, err)
			return strings.NewReplacer("å", `\u00e5`, "ø", `\u00f8`).Replace(string(raw))
		},
		"base64":       func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) },
		"base64, +1":   func(v string) string { return base64.StdEncoding.EncodeToString([]byte("x" + v + "yz")) },
		"base64, +2":   func(v string) string { return base64.RawStdEncoding.EncodeToString([]byte("xx" + v + "yz")) },
		"base64 (URL)": func(v string) string { return base64.RawURLEncoding.EncodeToString([]byte("\xff\xff\xff" + v)) },
	} {
		require.Equal(t, []string{name, id}, s.In("before "+write(name)+" between "+write(id)+" after"), what)
		require.Empty(t, s.In(write("Hakon Provesen")+write("12895099099")), what)
	}
	require.Empty(t, For().In("anything"))
}

func TestFilesAndTheirNamesAreSearched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"theirs/book": "12895099999", "a/b": "x 12895099999", "a/c": "nothing", "12895099999.pdf": ""} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	found, n, err := For("12895099999").Files(dir, "theirs")
	require.NoError(t, err)
	require.Equal(t, []string{`the name of "12895099999.pdf": ["12895099999"]`, `a/b: ["12895099999"]`}, found)
	require.Equal(t, int64(len("x 12895099999nothing")), n)
}
