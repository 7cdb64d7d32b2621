package client

import (
	"context"
	"fmt"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// Settings reads what the clinic has chosen about appointments and notices, with the
// defaults for what it has not.
func (c *Client) Settings(ctx context.Context, by identity.Principal, clinicID string) (pg.Settings, error) {
	if err := allow(by, identity.RightSettingsRead, clinicID); err != nil {
		return pg.Settings{}, err
	}
	return c.store.Settings(ctx, by, clinicID)
}

// PutSettings replaces what the clinic has chosen: what is zero goes back to its
// default. Invalid names each field. Idempotent.
func (c *Client) PutSettings(ctx context.Context, by identity.Principal, clinicID string, s pg.Settings) error {
	if err := allow(by, identity.RightSettingsWrite, clinicID); err != nil {
		return err
	}
	return c.store.PutSettings(ctx, by, clinicID, s)
}

// Calendars lists the clinic's calendars with whether citizens can book them and why
// not (S72); Sentence says the reason in words.
func (c *Client) Calendars(ctx context.Context, by identity.Principal, clinicID string) ([]pg.CalendarState, error) {
	if err := allow(by, identity.RightCalendarRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.Calendars(ctx, by, clinicID)
}

// PutCalendars writes calendars; those that are not named stay. All or none,
// idempotent by id. Errors: invalid names each field, not-found for an owner whom the
// clinic does not have, conflict for an id that is another clinic's. A practitioner
// with two calendars is no error: booking closes for his patients, and an operator
// case says so, until he has one again (S72, F16).
func (c *Client) PutCalendars(ctx context.Context, by identity.Principal, clinicID string, all []pg.Calendar) error {
	if err := allow(by, identity.RightCalendarWrite, clinicID); err != nil {
		return err
	}
	f := ids("calendars", all, func(k pg.Calendar) string { return k.ID })
	for i, k := range all {
		f.check(isID(k.OwnerID), fmt.Sprintf("calendars[%d].ownerId", i), "the id of one of the clinic's staff, a UUID")
	}
	if len(f) > 0 {
		return apperr.InvalidFields("the calendars have invalid fields", f...)
	}
	return c.store.PutCalendars(ctx, by, clinicID, all)
}

// AppointmentTypes lists the clinic's types of appointment.
func (c *Client) AppointmentTypes(ctx context.Context, by identity.Principal, clinicID string) ([]pg.AppointmentType, error) {
	if err := allow(by, identity.RightCalendarRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.AppointmentTypes(ctx, by, clinicID)
}

// PutAppointmentTypes writes types; those that are not named stay. All or none,
// idempotent by id. Errors: invalid names each field, conflict when a type that
// appointments have would be hidden or shown: that is decided for each appointment
// (S82, D10).
func (c *Client) PutAppointmentTypes(ctx context.Context, by identity.Principal, clinicID string, all []pg.AppointmentType) error {
	if err := allow(by, identity.RightCalendarWrite, clinicID); err != nil {
		return err
	}
	if f := ids("types", all, func(t pg.AppointmentType) string { return t.ID }); len(f) > 0 {
		return apperr.InvalidFields("the appointment types have invalid fields", f...)
	}
	return c.store.PutAppointmentTypes(ctx, by, clinicID, all)
}

// Slots lists the slots of a calendar that start from one instant, inclusive, to
// another, exclusive, at most 62 days later, with whether each is free.
func (c *Client) Slots(ctx context.Context, by identity.Principal, clinicID, calendarID string, from, to time.Time) ([]pg.Slot, error) {
	if err := allow(by, identity.RightCalendarRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.Slots(ctx, by, clinicID, calendarID, from, to)
}

// PutSlots writes slots; those that are not named stay. All or none, idempotent by id.
// Errors: invalid names each field, conflict for a slot that overlaps another of its
// calendar.
func (c *Client) PutSlots(ctx context.Context, by identity.Principal, clinicID string, all []pg.Slot) error {
	if err := allow(by, identity.RightCalendarWrite, clinicID); err != nil {
		return err
	}
	f := ids("slots", all, func(s pg.Slot) string { return s.ID })
	for i, s := range all {
		at := func(field string) string { return fmt.Sprintf("slots[%d].%s", i, field) }
		f.check(isID(s.CalendarID), at("calendarId"), "the id of a calendar, a UUID")
		f.check(isID(s.TypeID), at("typeId"), "the id of an appointment type, a UUID")
	}
	if len(f) > 0 {
		return apperr.InvalidFields("the slots have invalid fields", f...)
	}
	return c.store.PutSlots(ctx, by, clinicID, all)
}

// DeleteSlots takes slots away; appointments that were booked in them stay.
// Idempotent: what is not there is deleted.
func (c *Client) DeleteSlots(ctx context.Context, by identity.Principal, clinicID string, slotIDs []string) error {
	if err := allow(by, identity.RightCalendarWrite, clinicID); err != nil {
		return err
	}
	return c.store.DeleteSlots(ctx, by, clinicID, slotIDs)
}

// ids checks the ids of a list: UUIDs, each once.
func ids[T any](list string, all []T, id func(T) string) faults {
	var f faults
	seen := map[string]bool{}
	for i, v := range all {
		at := fmt.Sprintf("%s[%d].id", list, i)
		f.check(isID(id(v)), at, "a UUID")
		f.check(!seen[id(v)], at, "named twice")
		seen[id(v)] = true
	}
	return f
}
