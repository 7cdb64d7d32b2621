package linelog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/helsebro/helsebro/internal/apperr"
)

// waitFor and tick bound the waits for what happens in other goroutines.
const waitFor, tick = 10 * time.Second, time.Millisecond

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reopen opens a log that is closed at the end of the test, and returns its lines.
func reopen(t *testing.T, path string) (*Log, []string) {
	t.Helper()
	var lines []string
	l, err := Open(path, func(b []byte) error { lines = append(lines, string(b)); return nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l, lines
}

func TestLinesAreKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l, lines := reopen(t, path)
	require.Empty(t, lines)
	require.NoError(t, l.Append([]byte(`{"n":1}`)))
	require.NoError(t, l.Append([]byte(`{"n":2}`)))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	_, err = Open(path, func([]byte) error { return nil })
	require.Equal(t, apperr.Conflict, apperr.KindOf(err), "one process at a time")

	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	require.Equal(t, apperr.Unavailable, apperr.KindOf(l.Append([]byte(`{}`))))
	l, lines = reopen(t, path)
	require.Equal(t, []string{`{"n":1}`, `{"n":2}`}, lines)

	require.NoError(t, l.Rewrite(slices.Values([][]byte{[]byte(`{"n":2}`)})))
	require.NoError(t, l.Append([]byte(`{"n":3}`)))
	require.NoError(t, l.Close())
	_, lines = reopen(t, path)
	require.Equal(t, []string{`{"n":2}`, `{"n":3}`}, lines)
}

func TestATornLineIsForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const first, last = "{\"n\":1}\n", "{\"n\":2,\"text\":\"abc\"}\n"
	for cut := range len(last) {
		path := filepath.Join(dir, fmt.Sprint(cut))
		require.NoError(t, os.WriteFile(path, []byte(first + last)[:len(first)+cut], 0o600))
		l, lines := reopen(t, path)
		require.Equal(t, []string{`{"n":1}`}, lines, cut)
		require.NoError(t, l.Append([]byte(`{"n":3}`)))
		require.NoError(t, l.Close())
		_, lines = reopen(t, path)
		require.Equal(t, []string{`{"n":1}`, `{"n":3}`}, lines, cut)
	}
	// A power cut can leave blocks of zeros.
	path := filepath.Join(dir, "zeros")
	require.NoError(t, os.WriteFile(path, []byte(first+"\x00\x00\x00\n"), 0o600))
	_, lines := reopen(t, path)
	require.Equal(t, []string{`{"n":1}`}, lines)
}

func TestADamagedLineIsAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, []byte("{}\n{\"n\n{}\n"), 0o600))
	_, err := Open(path, func([]byte) error { return nil })
	require.Equal(t, apperr.Invalid, apperr.KindOf(err))
	require.ErrorContains(t, err, "line 2")

	require.NoError(t, os.WriteFile(path, []byte("{}\n{}\n"), 0o600))
	n := 0
	_, err = Open(path, func([]byte) error {
		if n++; n == 2 {
			return apperr.New(apperr.Unsupported, "of a later version")
		}
		return nil
	})
	require.Equal(t, apperr.Unsupported, apperr.KindOf(err))
	require.ErrorContains(t, err, "line 2")
}

// disk is a file that counts flushes, holds them up, and breaks on demand.
type disk struct {
	file
	syncs  atomic.Int32
	hold   chan struct{}
	broken atomic.Bool
}

func (d *disk) Sync() error {
	d.syncs.Add(1)
	<-d.hold
	if d.broken.Load() {
		return errors.New("no space left")
	}
	return d.file.Sync()
}

func TestManyAppendsShareOneFlush(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l, _ := reopen(t, path)
	d := &disk{file: l.file, hold: make(chan struct{})}
	l.file = d

	const n = 500
	var all sync.WaitGroup
	errs := make(chan error, n+1)
	add := func(i int) { all.Go(func() { errs <- l.Append(fmt.Appendf(nil, `{"n":%d}`, i)) }) }
	add(0)
	flushing := eventually(func() bool { return d.syncs.Load() == 1 })
	for i := range n {
		add(i + 1)
	}
	waiting := func() bool { // the rest gathers behind the first flush
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.pending) == n
	}
	gathered := flushing && eventually(waiting)
	close(d.hold)
	all.Wait()
	require.True(t, gathered)
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, int32(2), d.syncs.Load())
	require.NoError(t, l.Close())
	_, lines := reopen(t, path)
	require.Len(t, lines, n+1)
}

// eventually polls, so that a test that fails can still clean up behind it.
func eventually(condition func() bool) bool {
	deadline := time.After(waitFor)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-deadline:
			return false
		case <-ticker.C:
		}
	}
	return true
}

func TestAFailureIsFinal(t *testing.T) {
	t.Parallel()
	l, _ := reopen(t, filepath.Join(t.TempDir(), "log"))
	d := &disk{file: l.file, hold: make(chan struct{})}
	close(d.hold)
	d.broken.Store(true)
	l.file = d
	require.Equal(t, apperr.Unavailable, apperr.KindOf(l.Append([]byte(`{}`))))
	d.broken.Store(false)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(l.Append([]byte(`{}`))))
	require.Equal(t, int32(1), d.syncs.Load())
}

func TestCloseWaitsForAppends(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l, _ := reopen(t, path)
	var all sync.WaitGroup
	var kept atomic.Int32
	for range 50 {
		all.Go(func() {
			for l.Append([]byte(`{}`)) == nil {
				kept.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return kept.Load() > 50 }, waitFor, tick)
	require.NoError(t, l.Close())
	all.Wait()
	_, lines := reopen(t, path)
	require.Len(t, lines, int(kept.Load()))
}
