package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
)

const sealedChunk = chunkSize + tagSize

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func sealStream(t testing.TB, k DataKey, plain []byte, aad string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := k.SealStream(&out, aad)
	require.NoError(t, err)
	_, err = io.Copy(w, bytes.NewReader(plain))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
	_, err = w.Write([]byte("x"))
	require.Error(t, err)
	return out.Bytes()
}

func openStream(k DataKey, r io.Reader, aad string) ([]byte, error) {
	opened, err := k.OpenStream(r, aad)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(opened)
}

func TestStreamRoundTrip(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	for _, n := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize, 3*chunkSize + 17} {
		plain := content(n)
		sealed := sealStream(t, k, plain, "file/1")
		chunks := max(1, (n+chunkSize-1)/chunkSize)
		require.Len(t, sealed, 1+saltSize+n+chunks*tagSize)
		for name, r := range map[string]io.Reader{
			"whole":        bytes.NewReader(sealed),
			"half reads":   iotest.HalfReader(bytes.NewReader(sealed)),
			"data and EOF": iotest.DataErrReader(bytes.NewReader(sealed)),
		} {
			opened, err := openStream(k, r, "file/1")
			require.NoErrorf(t, err, "%d %s", n, name)
			require.Truef(t, bytes.Equal(plain, opened), "%d %s", n, name)
		}
	}
	sealed := sealStream(t, k, content(chunkSize+3), "file/1")
	r, err := k.OpenStream(bytes.NewReader(sealed), "file/1")
	require.NoError(t, err)
	require.NoError(t, iotest.TestReader(r, content(chunkSize+3)))
}

func TestStreamsOfTheSameContentDiffer(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	a, b := sealStream(t, k, content(100), "file/1"), sealStream(t, k, content(100), "file/1")
	require.NotEqual(t, a[1:1+saltSize], b[1:1+saltSize])
	require.NotEqual(t, a[1+saltSize:], b[1+saltSize:])
}

func TestStreamRefuses(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	plain := content(3*chunkSize + 100)
	sealed := sealStream(t, k, plain, "file/1")
	header := sealed[:1+saltSize]
	chunk := func(i int) []byte {
		from := len(header) + i*sealedChunk
		return sealed[from:min(from+sealedChunk, len(sealed))]
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	other := sealStream(t, k, plain, "file/1")

	cases := map[string][]byte{
		"nothing":               nil,
		"header only":           header,
		"half a header":         header[:10],
		"last chunk missing":    join(header, chunk(0), chunk(1), chunk(2)),
		"only the first":        join(header, chunk(0)),
		"cut in a chunk":        sealed[:len(sealed)-1],
		"cut in a tag":          sealed[:len(header)+sealedChunk+5],
		"chunks swapped":        join(header, chunk(1), chunk(0), chunk(2), chunk(3)),
		"chunk repeated":        join(header, chunk(0), chunk(0), chunk(1), chunk(2), chunk(3)),
		"chunk left out":        join(header, chunk(0), chunk(2), chunk(3)),
		"final chunk repeated":  join(sealed, chunk(3)),
		"trailing byte":         join(sealed, []byte{0}),
		"second stream after":   join(sealed, other),
		"another stream's part": join(header, chunk(0), other[len(header)+sealedChunk:]),
		"another version":       join([]byte{3}, sealed[1:]),
		"a sealed value":        mustSeal(t, k, plain, "file/1"),
	}
	for _, i := range []int{1, 20, len(header), len(header) + 70_000, len(sealed) - 1} {
		changed := bytes.Clone(sealed)
		changed[i] ^= 0x80
		cases[fmt.Sprintf("bit of byte %d", i)] = changed
	}
	for name, bad := range cases {
		_, err := openStream(k, bytes.NewReader(bad), "file/1")
		require.Truef(t, apperr.Is(err, apperr.Internal), "%s: %v", name, err)
	}
	_, err := openStream(k, bytes.NewReader(sealed), "file/2")
	require.Error(t, err, "another place")
	_, err = openStream(newKey(t), bytes.NewReader(sealed), "file/1")
	require.Error(t, err, "another key")
	_, err = DataKey{}.OpenStream(bytes.NewReader(sealed), "file/1")
	require.Error(t, err)
	_, err = DataKey{}.SealStream(io.Discard, "file/1")
	require.Error(t, err)
}

// Content of an unfinished copy does not open, although every chunk is whole.
func TestStreamWithoutCloseDoesNotOpen(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	var out bytes.Buffer
	w, err := k.SealStream(&out, "file/1")
	require.NoError(t, err)
	_, err = w.Write(content(2*chunkSize + 1))
	require.NoError(t, err)
	require.Equal(t, 1+saltSize+2*sealedChunk, out.Len())
	_, err = openStream(k, &out, "file/1")
	require.Error(t, err)
}

func TestStreamPassesErrorsOfItsEnds(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	broken := errors.New("broken pipe")
	sealed := sealStream(t, k, content(2*chunkSize), "file/1")
	for _, at := range []int{0, 10, 1 + saltSize, 1 + saltSize + 100, 1 + saltSize + sealedChunk} {
		_, err := openStream(k, io.MultiReader(bytes.NewReader(sealed[:at]), iotest.ErrReader(broken)), "file/1")
		require.ErrorIs(t, err, broken)
	}

	_, err := k.SealStream(&shortWriter{err: broken}, "file/1")
	require.ErrorIs(t, err, broken)
	w, err := k.SealStream(&shortWriter{left: 100, err: broken}, "file/1")
	require.NoError(t, err)
	_, err = w.Write(content(2 * chunkSize))
	require.ErrorIs(t, err, broken)
	_, err = w.Write([]byte("x"))
	require.ErrorIs(t, err, broken)
	require.ErrorIs(t, w.Close(), broken)
}

// shortWriter fails when more than left bytes are written.
type shortWriter struct {
	left int
	err  error
}

func (w *shortWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return 0, w.err
	}
	w.left -= len(p)
	return len(p), nil
}

func mustSeal(t *testing.T, k DataKey, plain []byte, aad string) []byte {
	t.Helper()
	sealed, err := k.Seal(plain, aad)
	require.NoError(t, err)
	return sealed
}

func FuzzOpenStream(f *testing.F) {
	k := newKey(f)
	sealed := sealStream(f, k, content(100), "file/1")
	f.Add(sealed)
	f.Add(sealed[:1+saltSize])
	f.Add([]byte{streamVersion})
	f.Fuzz(func(t *testing.T, value []byte) {
		_, err := openStream(k, bytes.NewReader(value), "file/1")
		if !bytes.Equal(value, sealed) {
			require.Error(t, err)
		}
	})
}

func BenchmarkStream(b *testing.B) {
	k := newKey(b)
	plain := content(12 << 20)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		w, err := k.SealStream(io.Discard, "file/1")
		require.NoError(b, err)
		_, err = w.Write(plain)
		require.NoError(b, err)
		require.NoError(b, w.Close())
	}
}
