// Package progress tells somebody who waits what is being done and how long it
// took, one line a step.
package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Steps writes the lines. A step may itself write to it what takes long; that goes
// on lines of its own below the step's.
type Steps struct {
	mu   sync.Mutex
	out  io.Writer
	open bool // the step's line has no end yet
}

// New writes to out; what cannot be written is not missed.
func New(out io.Writer) *Steps { return &Steps{out: out} }

// Do does a step and returns its error.
func (s *Steps) Do(what string, do func() error) error {
	s.mu.Lock()
	s.open = true
	fmt.Fprint(s.out, what+" … ")
	s.mu.Unlock()

	began := time.Now()
	err := do()
	took := fmt.Sprintf("%.1f s", time.Since(began).Seconds())
	if err != nil {
		took = "gave up after " + took
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		took = "  " + took
	}
	s.open = false
	fmt.Fprintln(s.out, took)
	return err
}

// Write implements io.Writer for what a step tells about itself.
func (s *Steps) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		s.open = false
		fmt.Fprintln(s.out)
	}
	for line := range strings.Lines(string(b)) {
		fmt.Fprintln(s.out, "  "+strings.TrimRight(line, "\n"))
	}
	return len(b), nil
}
