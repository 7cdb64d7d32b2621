// Command helsebro-bench is `make bench`: how long a citizen's message takes to the
// inbox, a reservation to its confirmation and a question for free slots to its
// answer; what the histories of whole lives consist of; what open appointments take
// of databases and memory; and what becomes of reminders that are due at once. Beside
// each stands the least that Temporal needs on the same server in the same run.
//
// The report goes to standard output, progress to standard error. Exit codes: 0
// measured, 1 not, 2 wrong flags.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/helsebro/helsebro/internal/devstack/progress"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/observ"
)

// stopTimeout bounds the orderly stop.
const stopTimeout = 2 * time.Minute

// errSignal is why everything stops after Ctrl-C.
var errSignal = errors.New("stopped by a signal: there is no result")

func main() {
	cfg, code := parse(os.Args[1:], os.Stderr)
	if cfg == nil {
		os.Exit(code)
	}
	cfg.stack.DatabaseURL = os.Getenv("HELSEBRO_DATABASE_URL")
	ctx, cancel := context.WithCancelCause(context.Background())
	go heed(cancel)
	if err := run(ctx, *cfg, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "\nhelsebro-bench: %v\n", err)
		os.Exit(1)
	}
}

// heed ends the run in order at the first signal; the second ends the process.
func heed(cancel context.CancelCauseFunc) {
	// A pipe whose reader is gone must not end an orderly stop.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	<-signals
	signal.Stop(signals)
	fmt.Fprintln(os.Stderr, "\nStopping everything in order. A second Ctrl-C ends it at once.")
	cancel(errSignal)
}

// config is what is measured, and where.
type config struct {
	stack    stack.Config
	parts    []part
	practice *practice
	// levels are of messages, questions of synchronous ones.
	levels, questions []level
	warmUp            int
	// lives is how many of each kind are lived to look at their histories.
	lives int
	// open is how many appointments sleep, after openFirst others that do not count;
	// burst how many reminders are due at once.
	open, openFirst, burst int
	// skipGrace skips the clinic's grace, for tests: each appointment then has some
	// bytes more, which say so.
	skipGrace bool
	timeout   time.Duration
	json      bool
}

// level is a number of messages in flight.
type level struct {
	inFlight, messages int
}

// parse reads the flags. Without a config the program ends with the exit code.
func parse(args []string, errs io.Writer) (*config, int) {
	c := &config{lives: 5, warmUp: 50, openFirst: 500}
	f := flag.NewFlagSet("helsebro-bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.Usage = func() {
		fmt.Fprintln(errs, "Measures Helsebro beside bare Temporal. HELSEBRO_DATABASE_URL makes it use a PostgreSQL that runs")
		fmt.Fprintln(errs, "already, with an empty database, in which invented patients stay. Flags:")
		f.PrintDefaults()
		fmt.Fprintln(errs, "Parts:")
		for _, p := range parts {
			fmt.Fprintf(errs, "  %-8s %s\n", p.name, p.what)
		}
	}
	scale := 1.0
	if text := os.Getenv("HELSEBRO_SCALE"); text != "" {
		var err error
		if scale, err = strconv.ParseFloat(text, 64); err != nil {
			fmt.Fprintf(errs, "HELSEBRO_SCALE is %q: a number such as 0.1 is expected\n", text)
			return nil, 2
		}
	}
	only := ""
	one, twenty, gps, open, burst := 200, 1000, 200, 1500, 1500
	f.StringVar(&only, "only", only, "`parts` to measure, such as rt,hlt; all when not given")
	f.IntVar(&one, "one", one, "`messages` of each kind with 1 in flight")
	f.IntVar(&twenty, "twenty", twenty, "`messages` of each kind with 20 in flight, and of questions with 10")
	f.IntVar(&gps, "gps", gps, "`GPs` with four weeks of slots each")
	f.IntVar(&open, "open", open, "open `appointments` to weigh")
	f.IntVar(&burst, "burst", burst, "`reminders` due in one second")
	f.Float64Var(&scale, "scale", scale, "`factor` for these numbers; HELSEBRO_SCALE when not given")
	f.DurationVar(&c.timeout, "timeout", 30*time.Minute, "`longest` time for everything")
	f.BoolVar(&c.json, "json", false, "report as JSON")
	c.stack.Durable = true
	f.BoolVar(&c.stack.Durable, "durable", c.stack.Durable, "PostgreSQL waits for the disk at each commit, as in production")
	for _, p := range []struct {
		port *int
		flag string
		of   string
	}{
		{&c.stack.Ports.Temporal, "temporal-port", "Temporal"}, {&c.stack.Ports.UI, "ui-port", "the Temporal UI"},
		{&c.stack.Ports.Simulator, "simulator-port", "Helsenorge's simulator"}, {&c.stack.Ports.Postgres, "postgres-port", "PostgreSQL"},
	} {
		f.IntVar(p.port, p.flag, 0, "`port` of "+p.of+"; 0 takes a free one")
	}
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil, 0
	case err != nil:
		return nil, 2
	case f.NArg() > 0:
		fmt.Fprintf(errs, "helsebro-bench takes flags only: %q is none. See --help\n", f.Arg(0))
		return nil, 2
	case min(one, twenty, gps, open, burst) < 1 || scale <= 0:
		fmt.Fprintln(errs, "helsebro-bench: every number and the scale are more than nothing")
		return nil, 2
	}
	if c.parts, err = chosen(only); err != nil {
		fmt.Fprintf(errs, "helsebro-bench: --only: %v\n", err)
		return nil, 2
	}
	scaled := func(n int) int { return max(blocks, int(float64(n)*scale)) }
	c.levels = []level{{1, scaled(one)}, {20, scaled(twenty)}}
	c.questions = []level{{1, scaled(one)}, {10, scaled(twenty)}}
	c.warmUp, c.openFirst = min(c.warmUp, scaled(one)), min(c.openFirst, scaled(open))
	c.open, c.burst = scaled(open), scaled(burst)
	// Each reminder of the burst is another patient's.
	c.practice = newPractice(scaled(gps), c.burst, time.Now())
	return c, 0
}

// run starts a stack, measures, stops it, and writes the report. Nothing is left
// behind but, after a failure, the log.
func run(ctx context.Context, cfg config, out, errs io.Writer) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.timeout, fmt.Errorf("not done within %s", cfg.timeout))
	defer cancel()
	if cfg.stack.Dir, err = os.MkdirTemp("", "helsebro-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(cfg.stack.Dir)) }()
	log, err := os.CreateTemp("", "helsebro-bench-*.log")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, log.Close())
		if err != nil && !errors.Is(err, errSignal) {
			err = fmt.Errorf("%w\nThe log is %s", err, log.Name())
			return
		}
		err = errors.Join(err, os.Remove(log.Name()))
	}()

	r := &report{Method: method(cfg)}
	if !cfg.json {
		writeMethod(out, r.Method)
	}
	steps := progress.New(errs)
	warnings := counter{observ.New(log, "info").Handler(), &atomic.Int64{}}
	cfg.stack.Progress, cfg.stack.Logger, cfg.stack.Parties = errs, slog.New(warnings), cfg.practice.registry()
	slog.SetDefault(cfg.stack.Logger) // nothing that a library logs belongs into the report
	if err := measure(ctx, cfg, steps, warnings, r); err != nil {
		return err
	}
	if cfg.json {
		return json.NewEncoder(out).Encode(r)
	}
	r.write(out)
	return nil
}

// measure runs everything on one stack.
func measure(ctx context.Context, cfg config, steps *progress.Steps, warnings counter, r *report) (err error) {
	s, err := stack.Start(ctx, cfg.stack)
	if err != nil {
		return reason(ctx, err)
	}
	var b *bench
	defer func() {
		err = reason(ctx, err)
		stopping, done := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer done()
		if stopErr := errors.Join(b.close(stopping), s.Stop(stopping)); stopErr != nil {
			err = errors.Join(err, fmt.Errorf("not everything stopped in order: %w", stopErr))
		}
	}()
	if b, err = newBench(ctx, cfg, s); err != nil {
		return err
	}
	if r.Machine, err = b.machine(ctx); err != nil {
		return err
	}
	r.Machine.LoadBefore = load()
	before := warnings.n.Load() // the server has some to give when it starts
	for _, p := range cfg.parts {
		if err := p.measure(b, ctx, cfg, steps, r); err != nil {
			return fmt.Errorf("%s: %w", p.what, err)
		}
	}
	r.Machine.LoadAfter, r.Warnings = load(), int(warnings.n.Load()-before)
	return nil
}

// reason is why ctx ended, when that is why err came to be.
func reason(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
