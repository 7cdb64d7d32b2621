package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
)

// firstBookable is the number of a GP's first slot that is reserved: its reminder is
// more than two days ahead of it.
const firstBookable = 5 * slotsPerDay

// booking lets citizens reserve slots: RT on the queue, 05 at the simulated
// Helsenorge. The citizens' side that composes is the one of inbound, the side that
// receives the stack's.
type booking struct {
	*bench
	n atomic.Int64

	mu    sync.Mutex
	slots [][]pg.Slot // by GP, made when first needed
}

// reserve reserves a slot that is free, in the calendar of the patient's own GP.
func (b *booking) reserve(ctx context.Context) (patient int, answer simulator.Received, took time.Duration, err error) {
	n := int(b.n.Add(1)) - 1
	p := b.practice
	gp, turn := n%p.gps, n/p.gps
	if firstBookable+turn >= slotsPerGP {
		return 0, answer, 0, errors.New("every slot is reserved: measure fewer, or give --gps more of them")
	}
	patient = gp + p.gps*(turn%patientsPerGP)
	slot := b.slot(gp, firstBookable+turn)
	sent, err := b.inbound.helsenorge.Act(ctx, simulator.Action{
		Kind: simulator.Reserve, To: p.herID(gp), Citizen: p.citizen(patient),
		Slot: &simulator.Slot{UID: slot.ID, StartsAt: slot.StartsAt, EndsAt: slot.EndsAt, Contact: p.herID(gp), Summary: "Time", Place: slot.Place},
	})
	if err != nil {
		return 0, answer, 0, err
	}
	at, _ := b.inbound.sentAt.LoadAndDelete(sent.TransportID)
	answer, err = b.stack.Simulator.Await(ctx, sent.MsgID)
	if err == nil && answer.Function != contract.AppointmentConfirmed {
		err = fmt.Errorf("a reservation was answered with %s: %s", answer.Function, answer.Text)
	}
	// What was read from JSON has no monotonic reading: the wall clock is compared.
	return patient, answer, answer.At.Sub(at.(time.Time)), err
}

func (b *booking) slot(gp, n int) pg.Slot {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.slots == nil {
		b.slots = make([][]pg.Slot, b.practice.gps)
	}
	if b.slots[gp] == nil {
		b.slots[gp] = b.practice.slots(gp)
	}
	return b.slots[gp][n]
}

func (b *booking) one(ctx context.Context) (sample, error) {
	_, _, took, err := b.reserve(ctx)
	return sample{done: took}, err
}

// drain waits until Helsenorge has said that it has every answer, and it is decided
// who confirms.
func (b *booking) drain(ctx context.Context) error {
	return until(ctx, func() (bool, error) {
		open, err := b.store.OpenEffects(ctx, practiceID)
		return open == 0, err
	})
}

// appointmentOf is the id of the appointment that a confirmation names.
func appointmentOf(confirmed simulator.Received) (string, error) {
	m, _ := helsenorge.Read(confirmed.XML)
	if m == nil || len(m.Events) != 1 {
		return "", errors.New("a confirmation names no appointment")
	}
	return m.Events[0].UID, nil
}

// bookedByCitizen is an appointment that a citizen has just booked, at rest.
func (b *bench) bookedByCitizen(ctx context.Context) (appointment, error) {
	patient, answer, _, err := b.booking.reserve(ctx)
	if err != nil {
		return appointment{}, err
	}
	a := appointment{patient: patient}
	if a.id, err = appointmentOf(answer); err != nil {
		return a, err
	}
	return a, b.settled(ctx, &a, 2*lookEvery)
}

// question asks a GP's party and waits, as a citizen before a screen does.
type question struct {
	*bench
	kind simulator.QuestionKind
	n    atomic.Int64
	// slots and bytes are of the last answer.
	slots, bytes atomic.Int64
}

func (q *question) one(ctx context.Context) (sample, error) {
	p := q.practice
	patient := int(q.n.Add(1)-1) % len(p.patients)
	gp := p.gpOf(patient)
	answer, err := q.stack.Simulator.Ask(ctx, simulator.Question{
		Kind: q.kind, To: p.herID(gp), Citizen: p.citizen(patient),
		From: p.date(0), Until: p.date(slotDays - 1),
	})
	if err != nil {
		return sample{}, err
	}
	if answer.Code != wanted[q.kind] {
		return sample{}, fmt.Errorf("a question was answered with %s: %s", answer.Code, answer.Text)
	}
	q.slots.Store(int64(len(answer.Slots)))
	q.bytes.Store(int64(len(answer.XML)))
	return sample{done: answer.Took}, nil
}

// wanted are the answers without which a measurement would be of something else.
var wanted = map[simulator.QuestionKind]string{simulator.FreeSlots: codes.SlotsFound, simulator.CommunicationTest: codes.TestAnswer}

// drain has nothing to wait for: nothing follows from an answer.
func (q *question) drain(context.Context) error { return nil }
