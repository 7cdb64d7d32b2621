// Package linelog is an append-only file of lines that outlives its process: a
// line is on the disk when Append returns, and a line that a crash has torn is
// forgotten, since nobody was told that it was kept. Many callers that append at
// the same time share one flush (group commit).
package linelog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Log is an open file of lines. One process has it open at a time.
type Log struct {
	path string
	lock *os.File

	mu      sync.Mutex
	pending []*line
	err     error // why nothing is accepted any more
	closed  bool
	wake    chan struct{}
	stopped chan struct{}

	file file // of the writing goroutine; of Rewrite before the first Append
}

// file is what a log needs of *os.File.
type file interface {
	io.WriteCloser
	Sync() error
}

type line struct {
	bytes []byte
	done  chan error
}

// Open opens or creates the file, with mode 0600, and calls replay with every
// line that was kept, in order and without its line end. A last line that is
// incomplete is cut off. Any other line that is not JSON, and any error of
// replay, is an error that names the line: nothing is dropped silently.
func Open(path string, replay func(line []byte) error) (*Log, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, apperr.Wrap(apperr.Unavailable, err, "the log cannot be locked")
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(apperr.New(apperr.Conflict, "%s is open in another process: stop that one first", path), lock.Close())
	}
	f, err := open(path, replay)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	l := &Log{path: path, lock: lock, file: f, wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	go l.write()
	return l, nil
}

func open(path string, replay func(line []byte) error) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, apperr.Wrap(apperr.Unavailable, err, "the log cannot be opened")
	}
	kept, err := read(f, replay)
	if err != nil {
		return nil, errors.Join(apperr.Wrap(apperr.KindOf(err), err, "%s cannot be read", path), f.Close())
	}
	err = f.Truncate(kept)
	if err == nil {
		_, err = f.Seek(kept, io.SeekStart)
	}
	if err = errors.Join(err, f.Sync(), syncDir(path)); err != nil {
		return nil, errors.Join(apperr.Wrap(apperr.Unavailable, err, "the log cannot be opened"), f.Close())
	}
	return f, nil
}

// read returns how many bytes are whole lines. A crash can only tear the end: an
// unreadable line is an error when more follows it.
func read(f io.Reader, replay func([]byte) error) (kept int64, err error) {
	r := bufio.NewReaderSize(f, 1<<20)
	for n := 1; ; n++ {
		text, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return kept, nil // without a line end it is torn, or there is nothing
		}
		if err != nil {
			return 0, apperr.Wrap(apperr.Unavailable, err, "line %d", n)
		}
		text = bytes.TrimSuffix(text, []byte("\n"))
		if !json.Valid(text) {
			if _, err := r.Peek(1); errors.Is(err, io.EOF) {
				return kept, nil
			}
			return 0, apperr.New(apperr.Invalid, "line %d is damaged, and more lines follow: restore the file from a copy", n)
		}
		if err := replay(text); err != nil {
			return 0, fmt.Errorf("line %d: %w", n, err)
		}
		kept += int64(len(text)) + 1
	}
}

// Rewrite replaces all lines in one step: after a crash there are the old ones or
// the new ones. It is called before the first Append only.
func (l *Log) Rewrite(lines iter.Seq[[]byte]) error {
	f, err := replace(l.path, lines)
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "the log cannot be rewritten")
	}
	old := l.file
	l.file = f
	return old.Close()
}

func replace(path string, lines iter.Seq[[]byte]) (*os.File, error) {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for text := range lines {
		_, _ = w.Write(text) // Flush reports it
		_ = w.WriteByte('\n')
	}
	if err = errors.Join(w.Flush(), f.Sync()); err == nil {
		err = errors.Join(os.Rename(tmp, path), syncDir(path))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// syncDir makes the name of the file survive a power cut too.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Append writes one line, which is JSON without a line end, and returns when it
// is on the disk. The first failure is final, since what a disk has kept after
// one is unknown: all later calls return it, as apperr.Unavailable, until the file
// is opened again. It takes no context: a line that is under way may not be taken
// back, and waits for a disk only.
func (l *Log) Append(text []byte) error { return l.Enqueue(text)() }

// Enqueue is Append in two parts, for a caller who must fix the order of lines
// under a lock of its own: lines stand in the order of the calls, and wait returns
// when this one is on the disk.
func (l *Log) Enqueue(text []byte) (wait func() error) {
	w := &line{bytes: text, done: make(chan error, 1)}
	if err := l.queue(w); err != nil {
		return func() error { return err }
	}
	return func() error { return <-w.done }
}

func (l *Log) queue(w *line) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.pending = append(l.pending, w)
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
	return nil
}

// Close waits for the lines that are under way and closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	first := !l.closed
	if first {
		l.closed, l.err = true, apperr.New(apperr.Unavailable, "the log is closed")
		close(l.wake)
	}
	l.mu.Unlock()
	<-l.stopped
	if !first {
		return nil
	}
	return errors.Join(l.file.Close(), l.lock.Close())
}

// write writes what has gathered, flushes once, and tells all.
func (l *Log) write() {
	defer close(l.stopped)
	var failed error
	for range l.wake {
		failed = l.flush(failed)
	}
	_ = l.flush(failed) // nobody appends any more
}

func (l *Log) flush(failed error) error {
	l.mu.Lock()
	batch := l.pending
	l.pending = nil
	l.mu.Unlock()
	if len(batch) == 0 {
		return failed
	}
	if failed == nil {
		if err := l.commit(batch); err != nil {
			failed = apperr.Wrap(apperr.Unavailable, err, "the log could not be written: restart when the disk is well")
			l.mu.Lock()
			if l.err == nil {
				l.err = failed
			}
			l.mu.Unlock()
		}
	}
	for _, w := range batch {
		w.done <- failed
	}
	return failed
}

func (l *Log) commit(batch []*line) error {
	size := 0
	for _, w := range batch {
		size += len(w.bytes) + 1
	}
	all := make([]byte, 0, size)
	for _, w := range batch {
		all = append(append(all, w.bytes...), '\n')
	}
	if _, err := l.file.Write(all); err != nil {
		return err
	}
	return l.file.Sync()
}
