// Package supervise runs Helsebro's processes as children of a test or of the
// bench, kills them and starts them again.
package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/helsebro/helsebro/internal/failpoint"
)

// Programs are the built binaries.
type Programs struct{ Worker, Starter string }

// Build builds the worker and the starter into dir. With failpoints they can be
// told to die (package failpoint).
func Build(ctx context.Context, dir string, failpoints bool) (Programs, error) {
	root, err := moduleRoot()
	if err != nil {
		return Programs{}, err
	}
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	if failpoints {
		args = append(args, "-tags", "failpoints")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./worker", "./starter")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return Programs{}, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return Programs{Worker: filepath.Join(dir, "worker"), Starter: filepath.Join(dir, "starter")}, nil
}

// moduleRoot is the directory of the product's go.mod, above this nested module.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/helsebro/helsebro").Output()
	if err != nil {
		return "", fmt.Errorf("the product's module was not found: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Process is a program that is kept running: when it dies it is started again,
// until Stop.
type Process struct {
	Name string
	path string
	args []string
	env  []string
	log  io.Writer

	mu      sync.Mutex
	cmd     *exec.Cmd
	arm     failpoint.Point
	died    map[failpoint.Point]int
	deaths  int
	halted  bool // Halt: do not start again until Resume
	stopped bool
	changed *sync.Cond
	done    chan struct{}
}

// Start starts a program and keeps it running. log gets what it prints.
func Start(name, path string, args, env []string, log io.Writer) (*Process, error) {
	p := &Process{Name: name, path: path, args: args, env: append(os.Environ(), env...), log: log, died: map[failpoint.Point]int{}, done: make(chan struct{})}
	p.changed = sync.NewCond(&p.mu)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.spawn(); err != nil {
		return nil, err
	}
	go p.keep()
	return p, nil
}

// spawn starts the program; the caller holds mu.
func (p *Process) spawn() error {
	cmd := exec.Command(p.path, p.args...)
	cmd.Env = append(p.env[:len(p.env):len(p.env)], "HELSEBRO_FAILPOINT="+string(p.arm))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// A writer, not a pipe: Wait then returns after the last line has been read.
	cmd.Stdout, cmd.Stderr = p.log, &lines{each: p.line}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd = cmd
	return nil
}

// line copies a line of the log, and notes where the program says that it dies.
func (p *Process) line(text string) {
	if point, ok := strings.CutPrefix(text, "failpoint "); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.died[failpoint.Point(point)]++
		p.arm = ""
		p.changed.Broadcast()
		return
	}
	fmt.Fprintf(p.log, "%s: %s\n", p.Name, text)
}

// lines hands on what is written to it, line by line.
type lines struct {
	each func(string)
	rest []byte
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		text, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		l.each(string(text))
		l.rest = rest
	}
}

// keep starts the program again whenever it has died.
func (p *Process) keep() {
	defer close(p.done)
	for {
		p.mu.Lock()
		cmd := p.cmd
		p.mu.Unlock()
		_ = cmd.Wait() // it was killed, or says why on its standard error
		p.mu.Lock()
		p.deaths++
		p.changed.Broadcast()
		for p.halted && !p.stopped {
			p.changed.Wait()
		}
		if p.stopped {
			p.mu.Unlock()
			return
		}
		err := p.spawn()
		p.mu.Unlock()
		if err != nil {
			fmt.Fprintf(p.log, "%s does not start again: %v\n", p.Name, err)
			return
		}
	}
}

// DieAt makes the program die once at the point: at its n-th hit, counted from
// now. It is started anew, since the point is given at its start.
func (p *Process) DieAt(point failpoint.Point, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arm = failpoint.Point(fmt.Sprintf("%s#%d", point, n))
	_ = p.cmd.Process.Kill() // it may be dead already
}

// AwaitDeath waits until the program has died at the point once more than before.
func (p *Process) AwaitDeath(ctx context.Context, point failpoint.Point, before int) error {
	stop := context.AfterFunc(ctx, func() { p.mu.Lock(); p.changed.Broadcast(); p.mu.Unlock() })
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.died[point] <= before {
		if ctx.Err() != nil {
			return fmt.Errorf("%s did not die at %s: %w", p.Name, point, ctx.Err())
		}
		p.changed.Wait()
	}
	return nil
}

// Died tells how often the program has died at the point.
func (p *Process) Died(point failpoint.Point) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.died[point]
}

// Kill kills the program as a crash would; it is started again.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.cmd.Process.Kill() // it may be dead already
}

// Halt kills the program and keeps it down until Resume.
func (p *Process) Halt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.halted = true
	_ = p.cmd.Process.Kill() // it may be dead already
}

// Resume starts a halted program again.
func (p *Process) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.halted = false
	p.changed.Broadcast()
}

// Stop asks the program to end and waits for it: the orderly way. It returns the
// program's exit state, and kills what does not end in time.
func (p *Process) Stop(ctx context.Context) (*os.ProcessState, error) {
	p.mu.Lock()
	p.stopped = true
	cmd := p.cmd
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may be dead already
	p.changed.Broadcast()
	p.mu.Unlock()
	select {
	case <-p.done:
		return cmd.ProcessState, nil
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		<-p.done
		return cmd.ProcessState, errors.New(p.Name + " did not end in time")
	}
}

// Settle bounds how long a test waits for things to come right.
const Settle = 3 * time.Minute
