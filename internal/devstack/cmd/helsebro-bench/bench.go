package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/progress"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/vault"
	product "github.com/helsebro/helsebro/starter/client"
)

const (
	// blocks is how many blocks each side of a comparison has.
	blocks = 5
	// patience bounds one message: what takes longer is broken and not slow.
	patience = time.Minute
)

// bench is a running stack with both sides of the comparison.
type bench struct {
	stack    *stack.Stack
	store    *pg.Store
	temporal client.Client
	bare     *bare
	inbound  *inbound
	practice *practice
	booking  *booking
	slotted  bool // the practice's slots are written
	// bareOpen and open sleep until they are due.
	bareOpen []string
	open     []appointment
	again    atomic.Int64 // calls that were told to try again
	stops    []func(context.Context) error
}

// newBench starts the product's worker, listener and API (which takes the reports of
// the SMS gateway), and the bare side.
//
// What was started is in the bench, and to be closed, even after an error.
func newBench(ctx context.Context, cfg config, s *stack.Stack) (*bench, error) {
	b := &bench{stack: s, practice: cfg.practice}
	b.booking = &booking{bench: b}
	v, err := vault.Open(s.Worker().Vault)
	if err != nil {
		return b, err
	}
	if b.store, err = pg.Open(s.Worker().Database, v); err != nil {
		return b, err
	}
	b.stops = append(b.stops, func(context.Context) error { b.store.Close(); return nil })
	if err := b.clinic(ctx); err != nil {
		return b, err
	}
	for _, start := range []func(context.Context) (*stack.Part, error){s.StartWorker, s.StartListener, s.StartAPI} {
		part, err := start(ctx)
		if err != nil {
			return b, err
		}
		b.stops = append(b.stops, part.Stop)
	}
	if b.temporal, err = s.Client(); err != nil {
		return b, err
	}
	b.stops = append(b.stops, func(context.Context) error { b.temporal.Close(); return nil })
	if err := b.activate(ctx); err != nil {
		return b, err
	}
	if b.bare, err = startBare(b.temporal); err != nil {
		return b, err
	}
	b.stops = append(b.stops, func(context.Context) error { b.bare.stop(); return nil })
	if b.inbound, err = startInbound(filepath.Join(cfg.stack.Dir, "bench"), s, b.store); err != nil {
		return b, err
	}
	b.stops = append(b.stops, b.inbound.stop)
	return b, nil
}

// clinic writes the demonstration clinic and the practice into a database that nobody
// has used: the keys of an earlier run are gone.
func (b *bench) clinic(ctx context.Context) error {
	auditor := identity.Principal{Subject: "helsebro-bench", ClinicID: demo.ClinicID, Role: identity.RoleAuditor}
	rows, err := b.store.Audit(ctx, auditor, demo.ClinicID, pg.AuditQuery{Limit: 2})
	if err != nil {
		return err
	}
	if len(rows.Items) > 1 { // the auditor's own reading is one
		return errors.New("the database holds the data of an earlier run: give an empty one in HELSEBRO_DATABASE_URL, or none")
	}
	return errors.Join(b.store.PutClinic(ctx, demo.Service, demo.Clinic()), b.practice.write(ctx, b.store))
}

// activate activates both clinics, as an operator does.
func (b *bench) activate(ctx context.Context) error {
	service := product.New(b.store, b.temporal)
	for _, c := range []pg.Clinic{demo.Clinic(), b.practice.clinic()} {
		for _, change := range demo.Activation(c) {
			if _, err := service.ChangeActivation(ctx, demo.Operator, c.ID, change); err != nil {
				return err
			}
		}
	}
	return nil
}

// close stops what newBench started, in the opposite order. Nil has nothing to stop.
func (b *bench) close(ctx context.Context) error {
	if b == nil {
		return nil
	}
	var errs []error
	for i := len(b.stops) - 1; i >= 0; i-- {
		errs = append(errs, b.stops[i](ctx))
	}
	b.stops = nil
	return errors.Join(errs...)
}

// warmUp does n of each side that do not count, one after the other and 20 at a time.
func (b *bench) warmUp(ctx context.Context, n int, steps *progress.Steps, sides ...side) error {
	return steps.Do(fmt.Sprintf("warming up with %d of each kind", 2*n), func() error {
		for _, side := range sides {
			for _, inFlight := range []int{1, 20} {
				if _, err := block(ctx, side, level{inFlight, n}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// side is one side of the comparison.
type side interface {
	// one does it once and returns what was measured.
	one(context.Context) (sample, error)
	// drain waits until all that follows from what was done is done.
	drain(context.Context) error
}

// sample is one measured message: durations from its start.
type sample struct {
	// done is what is compared.
	done time.Duration
	// accepted, stored and placed are stations on the way of an inbound message.
	accepted, stored, placed time.Duration
}

// blockResult is one block of one side.
type blockResult struct {
	samples []sample
	// took is from the first start until everything was drained, cpu what this
	// process used of the processors meanwhile.
	took, cpu time.Duration
}

// compare measures both sides at each level in turn, block by block, so that whatever
// else the machine does meets both.
func compare(ctx context.Context, what string, base, measured side, levels []level, steps *progress.Steps) ([]levelReport, error) {
	var reports []levelReport
	for _, l := range levels {
		results := make([][]blockResult, 2)
		for i := range blocks {
			n := l.messages/blocks + min(1, max(0, l.messages%blocks-i))
			if err := steps.Do(fmt.Sprintf("%s, %d in flight, block %d of %d: %d of each side", what, l.inFlight, i+1, blocks, n), func() error {
				for s, side := range []side{base, measured} {
					result, err := block(ctx, side, level{l.inFlight, n})
					if err != nil {
						return err
					}
					results[s] = append(results[s], result)
				}
				return nil
			}); err != nil {
				return nil, err
			}
		}
		reports = append(reports, newLevelReport(l.inFlight, results[0], results[1]))
	}
	return reports, nil
}

// block is a closed loop: as soon as one is done, its slot starts the next one.
func block(ctx context.Context, s side, l level) (blockResult, error) {
	result := blockResult{samples: make([]sample, l.messages)}
	began, used := time.Now(), cpuTime()
	group, within := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range l.inFlight {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= l.messages {
					return nil
				}
				var err error
				if result.samples[i], err = patiently(within, s.one); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return result, err
	}
	_, err := patiently(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, s.drain(ctx) })
	result.took, result.cpu = time.Since(began), cpuTime()-used
	return result, err
}

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func patiently[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("a message did not come to its end within %s", patience))
	defer cancel()
	out, err := do(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out, err
}

// counter counts what is logged as a warning or worse: behind most of them is a
// retry, and then the numbers are about something else.
type counter struct {
	slog.Handler
	n *atomic.Int64
}

// Handle implements slog.Handler.
func (c counter) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		c.n.Add(1)
	}
	return c.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (c counter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return counter{c.Handler.WithAttrs(attrs), c.n}
}

// WithGroup implements slog.Handler.
func (c counter) WithGroup(name string) slog.Handler { return counter{c.Handler.WithGroup(name), c.n} }
