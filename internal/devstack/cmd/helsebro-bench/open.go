package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/devstack/progress"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	// opening is how many are opened at a time.
	opening = 20
	// leisure is the time between two looks at something when many are looked at.
	leisure = 200 * time.Millisecond
	// settling bounds how long all of them may take to come to rest, or to be told.
	settling = 8 * time.Minute
	// bookAhead is after how many days the first of them takes place: behind every
	// slot, so that nobody books the same time.
	bookAhead = 35
)

// openReport is what a sleeping appointment costs, beside a bare sleeping workflow.
type openReport struct {
	Bare         footprint `json:"bare"`
	Appointments footprint `json:"appointments"`
	// Again counts the bookings that were told to try again, and did.
	Again int `json:"again,omitempty"`
}

// footprint is what each of some open workflows takes, in bytes.
type footprint struct {
	Open int `json:"open"`
	// Temporal and PostgreSQL are the growth of the two databases.
	Temporal   float64 `json:"temporalBytes"`
	PostgreSQL float64 `json:"postgresqlBytes"`
	// Heap is the growth of the live heap and the stacks after a collection, RSS that
	// of the memory that the process has of the system after giving back what it can.
	Heap float64 `json:"heapBytes"`
	RSS  float64 `json:"rssBytes"`
	// PerS is how many were opened in a second.
	PerS float64 `json:"openedPerSecond"`
}

// usage is what is in use at an instant, in bytes.
type usage struct{ temporal, postgres, heap, rss int64 }

func (b *bench) usage(ctx context.Context) (u usage, err error) {
	if u.temporal, err = b.stack.Temporal.DatabaseBytes(ctx); err != nil {
		return u, err
	}
	if u.postgres, err = b.store.DatabaseBytes(ctx); err != nil {
		return u, err
	}
	runtime.GC() // finalizers and pools let go of the rest at the second
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.heap, u.rss = int64(m.HeapAlloc+m.StackInuse), residentBytes()
	return u, nil
}

// residentBytes is the memory that this process has of the system, 0 where the system
// does not tell.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

func newFootprint(n int, before, after usage, took time.Duration) footprint {
	each := func(of func(usage) int64) float64 { return float64(of(after)-of(before)) / float64(n) }
	return footprint{
		Open:     n,
		Temporal: each(func(u usage) int64 { return u.temporal }), PostgreSQL: each(func(u usage) int64 { return u.postgres }),
		Heap: each(func(u usage) int64 { return u.heap }), RSS: each(func(u usage) int64 { return u.rss }),
		PerS: float64(n) / took.Seconds(),
	}
}

// measureOpen opens sleeping workflows of both kinds and looks at what they take.
func (b *bench) measureOpen(ctx context.Context, cfg config, steps *progress.Steps, r *report) error {
	measured := &openReport{}
	r.Open = measured
	for _, kind := range []struct {
		name string
		into *footprint
		open func(context.Context, int, config, *progress.Steps) (time.Duration, error)
	}{{"bare reminders", &measured.Bare, b.openBare}, {"appointments", &measured.Appointments, b.openAppointments}} {
		// What is bounded, such as the server's cache of histories, is full before it is
		// counted from.
		if n := cfg.openFirst - int(b.booking.n.Load()); n > 0 {
			if _, err := kind.open(ctx, n, cfg, steps); err != nil {
				return err
			}
		}
		before, err := b.usage(ctx)
		if err != nil {
			return err
		}
		took, err := kind.open(ctx, cfg.open, cfg, steps)
		if err != nil {
			return err
		}
		after, err := b.usage(ctx)
		if err != nil {
			return err
		}
		*kind.into = newFootprint(cfg.open, before, after, took)
	}
	measured.Again = int(b.again.Load())
	return nil
}

// openBare starts n bare reminders that sleep, and waits until they do.
func (b *bench) openBare(ctx context.Context, n int, _ config, steps *progress.Steps) (took time.Duration, err error) {
	ids := make([]string, n)
	err = steps.Do(fmt.Sprintf("opening %d bare reminders", n), func() error {
		began := time.Now()
		err := inTurns(ctx, n, func(ctx context.Context, i int) (err error) {
			ids[i], err = b.bare.remind(ctx, began.Add(asleep))
			return err
		})
		took = time.Since(began)
		if err != nil {
			return err
		}
		return inTurns(ctx, n, func(ctx context.Context, i int) error { return b.hasTimer(ctx, ids[i], leisure) })
	})
	b.bareOpen = append(b.bareOpen, ids...)
	return took, err
}

// openAppointments books n appointments as the record system does, and waits until
// Helsenorge has been told of them and only their reminder is to come.
func (b *bench) openAppointments(ctx context.Context, n int, cfg config, steps *progress.Steps) (took time.Duration, err error) {
	all := make([]appointment, n)
	if err := steps.Do(fmt.Sprintf("booking %d appointments", n), func() error {
		began := time.Now()
		first := len(b.open)
		err := inTurns(ctx, n, func(ctx context.Context, i int) (err error) {
			if all[i], err = b.book(ctx, first+i); err == nil && cfg.skipGrace {
				all[i].ahead = grace + time.Second
				err = b.skip(ctx, all[i].workflowID(), all[i].ahead)
			}
			return err
		})
		took = time.Since(began)
		return err
	}); err != nil {
		return took, err
	}
	err = steps.Do(fmt.Sprintf("waiting until Helsenorge has been told of %d appointments, after the clinic's grace of %s", n, grace), func() error {
		ctx, cancel := context.WithTimeoutCause(ctx, settling, fmt.Errorf("the appointments did not come to rest within %s", settling))
		defer cancel()
		// The ledger is asked first, at leisure: who asks every workflow wakes it.
		if err := untilEvery(ctx, time.Second, func() (bool, error) {
			untold, err := b.store.UntoldAppointments(ctx, practiceID)
			if err != nil || untold > 0 {
				return false, err
			}
			effects, err := b.store.OpenEffects(ctx, practiceID)
			return effects == 0, err
		}); err != nil {
			return reason(ctx, err)
		}
		return reason(ctx, inTurns(ctx, n, func(ctx context.Context, i int) error { return b.settled(ctx, &all[i], leisure) }))
	})
	b.open = append(b.open, all...)
	return took, err
}

// book books the nth of the appointments that stay open, for a patient in the
// calendar of his own GP. Who is told to try again does, with the same key.
func (b *bench) book(ctx context.Context, n int) (appointment, error) {
	p := b.practice
	patient := n % len(p.patients)
	gp := p.gpOf(patient)
	// Each GP's appointments follow one another.
	at := p.workingTime(bookAhead, n/p.gps)
	booking := client.Booking{
		ID:        practiceThing("booking", n),
		PatientID: p.patients[patient], CalendarID: p.calendarID(gp), TypeID: p.typeID(), StartsAt: at, EndsAt: at.Add(slotLength),
	}
	done, err := patiently(ctx, func(ctx context.Context) (done client.Changed, err error) {
		return done, untilEvery(ctx, leisure, func() (bool, error) {
			done, err = client.New(b.store, b.temporal).BookAppointment(ctx, recordSystem, practiceID, booking)
			if apperr.Is(err, apperr.Unavailable) {
				b.again.Add(1)
				return false, nil
			}
			return err == nil, err
		})
	})
	return appointment{id: done.AppointmentID, patient: patient}, err
}

// inTurns does n things, some at a time.
func inTurns(ctx context.Context, n int, do func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(opening, n) {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := do(ctx, i); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}
