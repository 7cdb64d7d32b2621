package helsenorge

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/testsize"
)

func TestBase64IsThatOfTheStandardLibrary(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(testsize.Seed(t), 64))
	for range 2000 {
		file := make([]byte, r.IntN(10_000))
		for i := range file {
			file[i] = byte(r.Uint32())
		}
		text := base64.StdEncoding.EncodeToString(file)
		var broken strings.Builder
		for _, c := range text {
			broken.WriteRune(c)
			if r.IntN(70) == 0 {
				broken.WriteString([]string{" ", "\n", "\r\n", "\t"}[r.IntN(4)])
			}
		}
		encoded := base64Text(broken.String())
		size, ok := encoded.size()
		require.True(t, ok)
		require.EqualValues(t, len(file), size)
		var back bytes.Buffer
		n, err := encoded.writeTo(&back)
		require.NoError(t, err)
		require.Equal(t, size, n)
		require.True(t, bytes.Equal(file, back.Bytes()))
		require.True(t, bytes.HasPrefix(file, encoded.head()))
		require.GreaterOrEqual(t, len(encoded.head()), min(len(file), 12))
	}
}

func TestWhatIsNotBase64HasNoSize(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"A", "AA", "AAA", "AAAAA", "AA=A", "=AAA", "A===", "AB==", "AAB=", "AA==AA==", "AA=", "AA= =A", "AÅ==", "AAAA-", "AA==="} {
		_, ok := base64Text(text).size()
		require.False(t, ok, text)
	}
	for text, want := range map[string]int64{"": 0, " \n": 0, "AA==": 1, "AAA=": 2, "AAAA": 3, " A A = \t=\n": 1} {
		size, ok := base64Text(text).size()
		require.True(t, ok, text)
		require.Equal(t, want, size, text)
	}
}
