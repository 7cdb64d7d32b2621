package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
)

// Bounds of slots and of what is read of a calendar at once.
const (
	maxSlot     = 24 * time.Hour
	maxCalendar = 62 * 24 * time.Hour
	// maxAhead is how far ahead anything may be: nobody plans further, and a typing
	// error must not wait in a calendar for centuries.
	maxAhead = 10 * 366 * 24 * time.Hour
)

// earliest is before everything that a record system carries over.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// stay refuses a time of a slot or an appointment that no calendar has.
func (f *fields) stay(path string, startsAt, endsAt, now time.Time) {
	f.refuse(startsAt.Before(earliest) || startsAt.After(now.Add(maxAhead)), path+"startsAt", "after 1999, and at most ten years ahead")
	f.refuse(!endsAt.After(startsAt), path+"endsAt", "after startsAt")
	f.refuse(endsAt.Sub(startsAt) > maxSlot, path+"endsAt", "at most 24 hours after startsAt")
}

// secondsRule: Helsenorge is told whole seconds, and names them when a citizen books: a
// slot that begins within one could be seen, and never booked.
const secondsRule = "whole seconds"

func fractional(t time.Time) bool { return t.Nanosecond() != 0 }

// instant refuses what RFC 3339 could not write in UTC.
func (f *fields) instant(path string, t time.Time) {
	year := t.UTC().Year()
	f.refuse(year < 1 || year > 9999, path, "an instant of the years 1 to 9999 in UTC")
}

// PutSlots writes slots of the clinic's calendars, at most MaxBulk; those that are not
// named stay as they are. All or none, idempotent by id. A slot that overlaps another
// of the same calendar is a conflict, judged when all are written: a whole day can be
// moved in one call. A slot starts after 1999 and at most ten years ahead, and is at most
// 24 hours long. An appointment stays as it is when its slot changes.
func (s *Store) PutSlots(ctx context.Context, by identity.Principal, clinicID string, slots []Slot) error {
	var f fields
	seen := map[string]bool{}
	for i, n := range slots {
		path := fmt.Sprintf("slots[%d].", i)
		f.refuse(seen[n.ID], path+"id", "each slot once")
		f.stay(path, n.StartsAt, n.EndsAt, s.now())
		f.refuse(n.MustCall && !n.AvailableAt.IsZero(), path+"availableAt", "not with mustCall: it is never booked online (HITS 1217 §2.8.5)")
		f.refuse(!n.AvailableAt.IsZero() && !n.AvailableAt.Before(n.StartsAt), path+"availableAt", "before startsAt")
		f.refuse(!n.AvailableAt.IsZero() && n.AvailableAt.Before(earliest), path+"availableAt", "after 1999")
		f.refuse(fractional(n.StartsAt), path+"startsAt", secondsRule)
		f.refuse(fractional(n.EndsAt), path+"endsAt", secondsRule)
		f.refuse(!oneLine(n.Place, maxName), path+"place", fmt.Sprintf("one line of at most %d characters", maxName))
		seen[n.ID] = true
	}
	if err := bulk(len(slots), f, "a slot has invalid fields"); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.knows(ctx, tx, clinicID, slots); err != nil {
			return err
		}
		ids, cals, types, places := make([]string, len(slots)), make([]string, len(slots)), make([]string, len(slots)), make([]string, len(slots))
		starts, ends, from := make([]time.Time, len(slots)), make([]time.Time, len(slots)), make([]*time.Time, len(slots))
		online, call := make([]bool, len(slots)), make([]bool, len(slots))
		for i, n := range slots {
			ids[i], cals[i], types[i], places[i] = n.ID, n.CalendarID, n.TypeID, n.Place
			starts[i], ends[i], from[i], online[i], call[i] = n.StartsAt, n.EndsAt, nullableTime(n.AvailableAt), n.Online, n.MustCall
		}
		tag, err := tx.Exec(ctx, `INSERT INTO slot (id, clinic_id, calendar_id, type_id, starts_at, ends_at, online, must_call, available_at, place)
			SELECT id, $1, calendar, type, starts, ends, online, call, available, place
			FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::boolean[], $8::boolean[], $9::timestamptz[], $10::text[])
				AS n (id, calendar, type, starts, ends, online, call, available, place)
			ON CONFLICT (id) DO UPDATE SET calendar_id = excluded.calendar_id, type_id = excluded.type_id, starts_at = excluded.starts_at,
				ends_at = excluded.ends_at, online = excluded.online, must_call = excluded.must_call, available_at = excluded.available_at, place = excluded.place
			WHERE slot.clinic_id = $1`, clinicID, ids, cals, types, starts, ends, online, call, from, places)
		if err != nil {
			return err
		}
		if int(tag.RowsAffected()) < len(slots) {
			return apperr.New(apperr.Conflict, "a slot's id belongs to another clinic: choose another")
		}
		return s.audit(ctx, tx, by, clinicID, "slot.put", fmt.Sprintf("slots/%d", len(slots)), "")
	})
}

// knows refuses slots of calendars and types that are not the clinic's.
func (s *Store) knows(ctx context.Context, tx pgx.Tx, clinicID string, slots []Slot) error {
	calendars, types := map[string]bool{}, map[string]bool{}
	for _, n := range slots {
		calendars[n.CalendarID], types[n.TypeID] = true, true
	}
	for _, of := range []struct {
		thing, query string
		ids          map[string]bool
	}{
		{"calendar", "SELECT id FROM calendar WHERE id = $1 AND clinic_id = $2", calendars},
		{"appointment type", "SELECT id FROM appointment_type WHERE id = $1 AND clinic_id = $2", types},
	} {
		for id := range of.ids {
			if err := tx.QueryRow(ctx, of.query, id, clinicID).Scan(&id); err != nil {
				return notFound(err, "the clinic has no such %s", of.thing)
			}
		}
	}
	return nil
}

// DeleteSlots takes slots out of the calendar. Ids that name none of the clinic's are
// passed over: idempotent. An appointment that was booked in one stays.
func (s *Store) DeleteSlots(ctx context.Context, by identity.Principal, clinicID string, ids []string) error {
	if err := bulk(len(ids), nil, ""); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "DELETE FROM slot WHERE clinic_id = $1 AND id = ANY ($2::uuid[])", clinicID, ids)
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "slot.delete", fmt.Sprintf("slots/%d", tag.RowsAffected()), "")
	})
}

// free is the condition on a slot s that no booked appointment overlaps it.
const free = `NOT EXISTS (SELECT FROM appointment a WHERE a.status = 'booked' AND a.calendar_id = s.calendar_id
	AND tstzrange(a.starts_at, a.ends_at) && tstzrange(s.starts_at, s.ends_at))`

// Slots lists the slots of one calendar that start in [from, to), at most 62 days,
// with whether they are free.
func (s *Store) Slots(ctx context.Context, by identity.Principal, clinicID, calendarID string, from, to time.Time) ([]Slot, error) {
	var slots []Slot
	err := s.onCalendar(ctx, by, clinicID, calendarID, "slot.list", from, to, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT s.id, s.calendar_id, s.type_id, s.starts_at, s.ends_at, s.online, s.must_call, s.available_at, s.place, `+free+`
			FROM slot s WHERE s.calendar_id = $1 AND tstzrange(s.starts_at, s.ends_at) && tstzrange($2, $3) AND s.starts_at >= $2 ORDER BY s.starts_at`,
			calendarID, from, to)
		if err != nil {
			return err
		}
		slots, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Slot, error) {
			var n Slot
			var available *time.Time
			err := row.Scan(&n.ID, &n.CalendarID, &n.TypeID, &n.StartsAt, &n.EndsAt, &n.Online, &n.MustCall, &available, &n.Place, &n.Free)
			n.StartsAt, n.EndsAt, n.AvailableAt = n.StartsAt.UTC(), n.EndsAt.UTC(), derefTime(available)
			return n, err
		})
		return err
	})
	return slots, err
}

// onCalendar reads some days of one of the clinic's calendars, in one transaction with
// the audit row.
func (s *Store) onCalendar(ctx context.Context, by identity.Principal, clinicID, calendarID, action string, from, to time.Time, read func(pgx.Tx) error) error {
	if err := stretch(from, to); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var found string
		if err := tx.QueryRow(ctx, "SELECT id FROM calendar WHERE id = $1 AND clinic_id = $2", calendarID, clinicID).Scan(&found); err != nil {
			return notFound(err, "the clinic has no such calendar")
		}
		if err := read(tx); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, action, "calendar/"+calendarID, "")
	})
}

// stretch refuses days that are not read at once.
func stretch(from, to time.Time) error {
	var f fields
	f.refuse(!to.After(from), "to", "after from")
	f.refuse(to.Sub(from) > maxCalendar, "to", "at most 62 days after from")
	return f.err("the days cannot be read")
}
