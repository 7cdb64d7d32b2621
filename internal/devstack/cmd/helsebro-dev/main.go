// Command helsebro-dev is `make run`: PostgreSQL, Temporal with its UI, a simulated
// Helsenorge, and Helsebro's worker, listener and HTTP API in one process. It plays
// the main job once, says how to go on, and stays up until Ctrl-C.
//
// Exit codes: 0 stopped by a signal once it was up, 1 anything else, 2 wrong flags.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/helsebro/helsebro/internal/devstack/scenario"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/observ"
)

// stopTimeout bounds the whole orderly stop.
const stopTimeout = 2 * time.Minute

// oneSignal is how long signals count as the first one: who signals a process and
// its group, as timeout(1) does, means it once.
const oneSignal = 200 * time.Millisecond

// errSignal is why everything stops after Ctrl-C.
var errSignal = errors.New("stopped by a signal")

func main() {
	o, code := parse(os.Args[1:], os.Stderr)
	if o == nil {
		os.Exit(code)
	}
	o.databaseURL = os.Getenv("HELSEBRO_DATABASE_URL")
	os.Exit(run(*o, os.Stdout, os.Stderr))
}

// run runs everything until a signal comes or a part fails, and returns the exit
// code.
func run(o options, out, errs io.Writer) int {
	p := &program{options: o, out: out}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	// A pipe whose reader is gone, such as a tee that Ctrl-C ended first, must not
	// end an orderly stop.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)

	err := p.prepare()
	if err == nil {
		go p.heed(signals, cancel)
		err = p.live(ctx, cancel)
	}
	stopped := errors.Is(err, errSignal)
	code := 1
	if stopped && p.up {
		code = 0
	}
	log, cleanErr := p.clean(stopped)
	if cleanErr != nil {
		err, stopped, code = errors.Join(err, cleanErr), false, 1
	}
	switch {
	case !stopped:
		fmt.Fprintf(errs, "\nhelsebro-dev: %v\n", err)
		if log != "" {
			fmt.Fprintf(errs, "The log is %s\n", log)
		}
	case code != 0:
		fmt.Fprintln(errs, "Stopped before everything was up.")
	case o.data == "":
		fmt.Fprintln(out, "Everything is stopped and nothing is left.")
	default:
		fmt.Fprintf(out, "Everything is stopped. The state is in %s\n", p.dir)
	}
	return code
}

// program is one run.
type program struct {
	options
	out io.Writer
	dir string
	log *os.File
	// up is set once the story is told.
	up bool
}

// heed ends the run at the first signal and the process at the second.
func (p *program) heed(signals <-chan os.Signal, cancel context.CancelCauseFunc) {
	<-signals
	fmt.Fprintln(p.out, "\nStopping everything in order. A second Ctrl-C ends it at once.")
	first := time.Now()
	cancel(errSignal)
	for range signals {
		if time.Since(first) > oneSignal {
			break
		}
	}
	fmt.Fprintf(p.out, "\nEnded at once. What was left is in %s\n", p.dir)
	os.Exit(1)
}

// prepare makes the directory and the log.
func (p *program) prepare() (err error) {
	if p.data == "" {
		if p.dir, err = os.MkdirTemp("", "helsebro-"); err != nil {
			return err
		}
		// Outside the directory: it stays when something goes wrong.
		p.log, err = os.CreateTemp("", "helsebro-*.log")
		return err
	}
	if p.dir, err = filepath.Abs(p.data); err != nil {
		return err
	}
	if err = os.MkdirAll(p.dir, 0o755); err != nil {
		return fmt.Errorf("the data directory cannot be used, choose another one (DATA): %w", err)
	}
	p.log, err = os.OpenFile(filepath.Join(p.dir, "helsebro.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return err
}

// clean removes what is not to be kept: the directory that nobody asked for, and its
// log unless it may tell why something went wrong. It returns the log that stays.
func (p *program) clean(well bool) (log string, err error) {
	if p.log != nil {
		err = p.log.Close()
		if info, statErr := os.Stat(p.log.Name()); statErr == nil && info.Size() > 0 {
			log = p.log.Name()
		}
	}
	if p.data != "" || p.dir == "" {
		return log, err
	}
	err = errors.Join(err, os.RemoveAll(p.dir))
	if p.log != nil && (well || log == "") {
		log, err = "", errors.Join(err, os.Remove(p.log.Name()))
	}
	return log, err
}

// live starts everything, tells the story, waits and stops everything. It never
// returns nil: errSignal is the good end.
func (p *program) live(ctx context.Context, cancel context.CancelCauseFunc) (err error) {
	logger := observ.New(p.log, p.logLevel)
	slog.SetDefault(logger) // nothing that a library logs belongs into the story
	began := time.Now()
	fmt.Fprintf(p.out, "Helsebro starts. Its log is %s\n\n", p.log.Name())

	s, err := stack.Start(ctx, stack.Config{
		Dir: p.dir, Transport: p.transport, Ports: p.ports, DatabaseURL: p.databaseURL, Durable: p.data != "", Progress: p.out, Logger: logger,
	})
	if err != nil {
		return reason(ctx, err)
	}
	defer func() {
		stopping, done := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer done()
		if stopErr := s.Stop(stopping); stopErr != nil {
			err = fmt.Errorf("not everything stopped in order: %w", stopErr)
		}
	}()
	if err := s.Run(ctx); err != nil {
		return reason(ctx, err)
	}
	fmt.Fprintf(p.out, "Everything is up after %.1f s.", time.Since(began).Seconds())
	if p.data != "" && !s.Fresh {
		fmt.Fprintf(p.out, " It goes on with the state in %s", p.dir)
	}
	fmt.Fprintln(p.out)

	if err := usable(ctx, s); err != nil {
		return reason(ctx, err)
	}
	go func() {
		if err := s.Watch(ctx); err != nil {
			cancel(fmt.Errorf("%w, so everything else is stopped too", err))
		}
	}()
	played, err := scenario.Play(ctx, s, p.out)
	if err != nil {
		return reason(ctx, err)
	}
	if err := p.tellHowToGoOn(s, played); err != nil {
		return err
	}
	p.up = true
	<-ctx.Done()
	return context.Cause(ctx)
}

// usable refuses a database whose content is sealed with keys that are not here.
func usable(ctx context.Context, s *stack.Stack) error {
	if !s.Fresh {
		return nil
	}
	written, err := scenario.Written(ctx, s)
	if err == nil && written {
		err = errors.New("the database of HELSEBRO_DATABASE_URL holds the data of an earlier run, sealed with keys that are in that run's directory: give that directory (make run DATA=dir), or an empty database")
	}
	return err
}

// reason is why ctx ended, when that is why err came to be.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
