package scan_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/scan"
	"github.com/helsebro/helsebro/internal/scan/scantest"
)

// hasty is a client that waits for nobody longer than a test should.
func hasty(addr string) *scan.Clamd {
	c := scan.NewClamd(addr)
	c.Pause = time.Microsecond
	return c
}

func opens(content []byte) func() (io.Reader, error) {
	return func() (io.Reader, error) { return bytes.NewReader(content), nil }
}

func TestTheContentArrivesWhole(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 12_000_000} {
		d := scantest.Start(t)
		content := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
		require.NoError(t, hasty(d.Addr).Scan(t.Context(), opens(content)))
		require.Len(t, d.Scanned(), 1)
		require.True(t, bytes.Equal(content, d.Scanned()[0]), size)
	}
}

func TestWhatIsFoundIsRefused(t *testing.T) {
	t.Parallel()
	d := scantest.Start(t)
	err := hasty(d.Addr).Scan(t.Context(), opens(append(bytes.Repeat([]byte("x"), 100_000), scantest.Infected...)))
	require.True(t, apperr.Is(err, apperr.Invalid), "%v", err)
	require.ErrorContains(t, err, "Helsebro.Test-File")
	require.Len(t, d.Scanned(), 1, "a verdict is not asked for twice")
}

func TestRepliesAreReadStrictly(t *testing.T) {
	t.Parallel()
	for reply, kind := range map[string]apperr.Kind{
		"stream: OK":                                "",
		"stream: Win.Test.EICAR_HDB-1 FOUND":        apperr.Invalid,
		"stream: OK ":                               apperr.Unavailable,
		"stream: ok":                                apperr.Unavailable,
		"stream:  FOUND":                            apperr.Unavailable,
		"stream: a name FOUND":                      apperr.Unavailable,
		"stream: X FOUND\nstream: OK":               apperr.Unavailable,
		"OK":                                        apperr.Unavailable,
		"INSTREAM size limit exceeded. ERROR":       apperr.Unavailable,
		"stream: Can't allocate memory ERROR":       apperr.Unavailable,
		strings.Repeat("x", 5000) + " FOUND":        apperr.Unavailable,
		"stream: " + strings.Repeat("y", 4096-8):    apperr.Unavailable,
		"HTTP/1.1 400 Bad Request\r\n\r\n<b>OK</b>": apperr.Unavailable,
	} {
		d := scantest.Start(t, reply)
		c := hasty(d.Addr)
		c.Attempts = 1
		require.Equal(t, kind, apperr.KindOf(c.Scan(t.Context(), opens([]byte("content")))), reply)
	}
}

func TestAnErrorIsTriedAgainFromTheBeginning(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replies []string
		kind    apperr.Kind
		asked   int
	}{
		"error, then clean":  {[]string{"stream: temporary ERROR"}, "", 2},
		"hangs up twice":     {[]string{"", ""}, "", 3},
		"error, then found":  {[]string{"", "stream: Bad.Thing FOUND"}, apperr.Invalid, 2},
		"nothing but errors": {[]string{"x ERROR", "", "y ERROR", "stream: OK"}, apperr.Unavailable, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := scantest.Start(t, c.replies...)
			opened := 0
			err := hasty(d.Addr).Scan(t.Context(), func() (io.Reader, error) {
				opened++
				return strings.NewReader("the same content"), nil
			})
			require.Equal(t, c.kind, apperr.KindOf(err), "%v", err)
			require.Equal(t, c.asked, opened)
			for _, content := range d.Scanned() {
				require.Equal(t, "the same content", string(content))
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	err = hasty(l.Addr().String()).Scan(t.Context(), opens([]byte("content")))
	require.True(t, apperr.Is(err, apperr.Unavailable), "%v", err)
	require.ErrorContains(t, err, "clamd")
}

// silent accepts connections and neither reads nor answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String() // the kernel takes the connection
}

func TestSilenceIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	c := hasty(silent(t))
	c.IdleTimeout, c.Attempts = 20*time.Millisecond, 2
	err := c.Scan(t.Context(), opens([]byte("content")))
	require.True(t, apperr.Is(err, apperr.Unavailable), "%v", err)
}

// last calls a function once it is read.
type last func()

func (l last) Read([]byte) (int, error) {
	l()
	return 0, io.EOF
}

func TestWhoHangsUpEndsTheScan(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := hasty(silent(t))
	c.IdleTimeout = time.Hour
	err := c.Scan(ctx, func() (io.Reader, error) { return last(cancel), nil })
	require.True(t, apperr.Is(err, apperr.Unavailable), "%v", err)
}

// broken is a content whose end does not come.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestAFaultOfTheContentIsNotTheScanners(t *testing.T) {
	t.Parallel()
	d := scantest.Start(t)
	fault := errors.New("the disk is gone")
	require.ErrorIs(t, hasty(d.Addr).Scan(t.Context(), func() (io.Reader, error) { return broken{fault}, nil }), fault)
	require.ErrorIs(t, hasty(d.Addr).Scan(t.Context(), func() (io.Reader, error) { return nil, fault }), fault)
	require.Empty(t, d.Scanned(), "half a file is not judged")
}

func TestWithoutAScannerNothingIsRead(t *testing.T) {
	t.Parallel()
	require.NoError(t, scan.Off{}.Scan(t.Context(), func() (io.Reader, error) { return nil, errors.New("opened") }))
}
