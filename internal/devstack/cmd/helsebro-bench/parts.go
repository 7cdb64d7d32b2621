package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/helsebro/helsebro/internal/devstack/progress"
	"github.com/helsebro/helsebro/internal/simulator"
)

// part is one measurement of the report.
type part struct {
	name, what string
	measure    func(*bench, context.Context, config, *progress.Steps, *report) error
}

// parts are all of them, in the order in which they are measured.
var parts = []part{
	{"inbound", "a citizen's message to its inbox item", (*bench).measureInbound},
	{"rt", "a reservation to its confirmation (RT to 05)", (*bench).measureReservations},
	{"history", "events and bytes of whole lives", (*bench).measureHistories},
	{"hlt", "the answer to a question for free slots (HLT)", (*bench).measureFreeSlots},
	{"open", "databases and memory of open appointments", (*bench).measureOpen},
	{"burst", "reminders that are due in the same second", (*bench).measureBurst},
}

// chosen reads a list of parts; "" is all of them.
func chosen(list string) ([]part, error) {
	if list == "" {
		return parts, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return nil, fmt.Errorf("%q is no part: choose of %s", name, partNames())
		}
	}
	var some []part
	for _, p := range parts {
		if slices.Contains(names, p.name) {
			some = append(some, p)
		}
	}
	return some, nil
}

func partNames() string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return strings.Join(names, ",")
}

func (b *bench) measureInbound(ctx context.Context, cfg config, steps *progress.Steps, r *report) (err error) {
	if err := b.warmUp(ctx, cfg.warmUp, steps, b.bare, b.inbound); err != nil {
		return err
	}
	r.Inbound, err = compare(ctx, "inbound message", b.bare, b.inbound, cfg.levels, steps)
	return err
}

func (b *bench) measureReservations(ctx context.Context, cfg config, steps *progress.Steps, r *report) (err error) {
	if err := b.writeSlots(ctx, steps); err != nil {
		return err
	}
	if err := b.warmUp(ctx, cfg.warmUp, steps, b.bare, b.booking); err != nil {
		return err
	}
	r.Reservations, err = compare(ctx, "RT to 05", b.bare, b.booking, cfg.levels, steps)
	return err
}

func (b *bench) measureHistories(ctx context.Context, cfg config, steps *progress.Steps, r *report) error {
	if err := b.writeSlots(ctx, steps); err != nil {
		return err
	}
	for _, l := range b.lives() {
		if err := steps.Do(fmt.Sprintf("%d lives: %s", cfg.lives, l.name), func() error {
			all, err := l.histories(ctx, cfg.lives)
			r.Histories = append(r.Histories, lifeReport{l.name, all})
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) measureFreeSlots(ctx context.Context, cfg config, steps *progress.Steps, r *report) error {
	if err := b.writeSlots(ctx, steps); err != nil {
		return err
	}
	test, slots := &question{bench: b, kind: simulator.CommunicationTest}, &question{bench: b, kind: simulator.FreeSlots}
	if err := b.warmUp(ctx, cfg.warmUp, steps, test, slots); err != nil {
		return err
	}
	levels, err := compare(ctx, "free slots", test, slots, cfg.questions, steps)
	r.FreeSlots = &slotsReport{
		GPs: b.practice.gps, Slots: b.practice.gps * slotsPerGP, Offered: int(slots.slots.Load()), Bytes: int(slots.bytes.Load()), Levels: levels,
	}
	return err
}

// writeSlots writes the slots of all GPs, once.
func (b *bench) writeSlots(ctx context.Context, steps *progress.Steps) error {
	if b.slotted {
		return nil
	}
	b.slotted = true
	return steps.Do(fmt.Sprintf("writing %d slots of %d GPs", b.practice.gps*slotsPerGP, b.practice.gps), func() error {
		return b.practice.writeSlots(ctx, b.store)
	})
}
