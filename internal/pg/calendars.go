package pg

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/booking"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
)

// Reasons that a practitioner's calendar cannot be booked on Helsenorge, beside
// booking.NoCalendar and booking.SeveralCalendars.
const (
	// BookingSwitchedOff: the clinic does not offer online booking (S69).
	BookingSwitchedOff = "switched-off"
	// BookingNotOffered: the practitioner has no party that has registered the
	// appointment process (S12).
	BookingNotOffered = "not-offered"
	// BookingOwnerInactive: the practitioner has left.
	BookingOwnerInactive = "owner-inactive"
	// BookingCalendarInactive: the calendar is not in use.
	BookingCalendarInactive = "calendar-inactive"
)

// maxName bounds the characters of every name and text of a calendar.
const maxName = 200

// PutCalendars writes calendars of the clinic; those that are not named stay as
// they are. All or none, idempotent by id. A practitioner who then owns none or
// several gets an operator case, and one who owns exactly one again has it resolved
// (F16); appointments stay whatever happens to booking.
func (s *Store) PutCalendars(ctx context.Context, by identity.Principal, clinicID string, calendars []Calendar) error {
	var f fields
	for i, c := range calendars {
		f.refuse(c.Name == "" || !oneLine(c.Name, maxName), fmt.Sprintf("calendars[%d].name", i), fmt.Sprintf("one line of 1 to %d characters", maxName))
	}
	if err := f.err("a calendar has invalid fields"); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		for _, c := range calendars {
			if err := s.staffOf(ctx, tx, clinicID, c.OwnerID); err != nil {
				return err
			}
			if err := owned(tx.Exec(ctx, `INSERT INTO calendar (id, clinic_id, owner_id, name, notify, active) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (id) DO UPDATE SET owner_id = $3, name = $4, notify = $5, active = $6 WHERE calendar.clinic_id = $2`,
				c.ID, clinicID, c.OwnerID, c.Name, c.Notify, !c.Inactive)); err != nil {
				return err
			}
			if err := s.audit(ctx, tx, by, clinicID, "calendar.put", "calendar/"+c.ID, ""); err != nil {
				return err
			}
		}
		return s.guardCases(ctx, tx, clinicID)
	})
}

// staffOf refuses an id that is not one of the clinic's staff.
func (s *Store) staffOf(ctx context.Context, tx pgx.Tx, clinicID, staffID string) error {
	var found string
	return notFound(tx.QueryRow(ctx, "SELECT id FROM staff WHERE id = $1 AND clinic_id = $2", staffID, clinicID).Scan(&found),
		"the clinic has no such practitioner")
}

// Calendars lists the clinic's calendars by name, with whether citizens can book
// them and why not (S72).
func (s *Store) Calendars(ctx context.Context, by identity.Principal, clinicID string) ([]CalendarState, error) {
	var states []CalendarState
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		guards, err := s.guards(ctx, tx, clinicID, nil)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT c.id, c.owner_id, c.name, c.notify, NOT c.active,
				(SELECT count(*) FROM appointment a WHERE a.calendar_id = c.id AND a.starts_at > $2 AND a.status = 'booked')
			FROM calendar c WHERE c.clinic_id = $1 ORDER BY c.name, c.id`, clinicID, s.now())
		if err != nil {
			return err
		}
		states, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (CalendarState, error) {
			var c CalendarState
			err := row.Scan(&c.ID, &c.OwnerID, &c.Name, &c.Notify, &c.Inactive, &c.FutureAppointments)
			g := guards[c.OwnerID]
			c.Owned = g.owned
			if c.BookingOpen, c.Reason = g.open(); c.Inactive {
				c.BookingOpen, c.Reason = false, BookingCalendarInactive
			}
			return c, err
		})
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "calendar.list", "", "")
	})
	return states, err
}

// guard is what decides whether a practitioner's calendar can be booked.
type guard struct {
	online, active, offered bool
	herID, owned            int
	calendarID              string // one of those owned
	limits                  booking.Limits
}

// open judges it: exactly one calendar, of somebody who works here and offers it,
// in a clinic that has it switched on (S69, S71, S72, A8).
func (g guard) open() (bool, string) {
	switch {
	case !g.online:
		return false, BookingSwitchedOff
	case !g.offered:
		return false, BookingNotOffered
	case !g.active:
		return false, BookingOwnerInactive
	}
	return booking.Guard(g.owned)
}

// onPortal is the guard of the clinic's own portal and app, to which Helsenorge's switch
// and registration do not apply (S93).
func (g guard) onPortal() guard {
	g.online, g.offered = true, true
	return g
}

// broken tells whether people expect to book and cannot: somebody must look. Who has
// left and owns nothing any more is no matter.
func (g guard) broken() (bool, string) {
	if !g.online || !g.offered || !g.active && g.owned == 0 {
		return false, ""
	}
	open, reason := g.open()
	return !open, reason
}

// guards reads the guards of the clinic's staff: of those named, or of all.
func (s *Store) guards(ctx context.Context, tx pgx.Tx, clinicID string, staffIDs []string) (map[string]guard, error) {
	settings, err := s.settings(ctx, tx, clinicID)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT s.id, s.active, p.her_id IS NOT NULL, coalesce(p.her_id, 0), count(c.id), coalesce(min(c.id::text), '')
		FROM staff s LEFT JOIN calendar c ON c.owner_id = s.id AND c.active
		LEFT JOIN LATERAL (SELECT o.her_id FROM offering o WHERE o.staff_id = s.id AND o.process = $3 ORDER BY o.her_id LIMIT 1) p ON true
		WHERE s.clinic_id = $1 AND ($2::uuid[] IS NULL OR s.id = ANY ($2)) GROUP BY s.id, p.her_id`, clinicID, staffIDs, codes.Timereservasjon)
	if err != nil {
		return nil, err
	}
	found := map[string]guard{}
	var id string
	g := guard{online: settings.OnlineBooking, limits: settings.BookingLimits()}
	_, err = pgx.ForEachRow(rows, []any{&id, &g.active, &g.offered, &g.herID, &g.owned, &g.calendarID}, func() error {
		found[id] = g
		return nil
	})
	return found, err
}

// guardCases opens an operator case for each practitioner who should be bookable and
// is not, and resolves those of who is again: it is called in every transaction that
// can change that.
func (s *Store) guardCases(ctx context.Context, tx pgx.Tx, clinicID string) error {
	// Two changes at once must not each see the other's calendar missing.
	if _, err := tx.Exec(ctx, "SELECT FROM clinic WHERE id = $1 FOR NO KEY UPDATE", clinicID); err != nil {
		return err
	}
	guards, err := s.guards(ctx, tx, clinicID, nil)
	if err != nil {
		return err
	}
	for staffID, g := range guards {
		broken, reason := g.broken()
		if !broken {
			_, err = tx.Exec(ctx, "UPDATE operator_case SET resolved_at = $3 WHERE kind = $1 AND message_id = $2 AND resolved_at IS NULL",
				contract.CaseBookingClosed, staffID, s.now())
		} else {
			// There is one case per practitioner: it opens again.
			err = s.reopenCase(ctx, tx, clinicID, staffID, contract.CaseBookingClosed, reason)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// categories are the values of 7617 that an appointment type may have (HITS 1217
// §2.8.5). MustCall is the slot's.
var categories = []string{"", "Hastetime", "Video"}

// PutAppointmentTypes writes types of the clinic; those that are not named stay as
// they are. All or none, idempotent by id. Whether a type is hidden cannot be changed
// while appointments have it: each of them is hidden or shown by an act of its own
// that says what was already seen (S82, D10).
func (s *Store) PutAppointmentTypes(ctx context.Context, by identity.Principal, clinicID string, types []AppointmentType) error {
	var f fields
	for i, t := range types {
		path := fmt.Sprintf("types[%d].", i)
		f.refuse(t.Name == "" || !oneLine(t.Name, maxName), path+"name", fmt.Sprintf("one line of 1 to %d characters", maxName))
		f.refuse(!oneLine(t.Summary, maxName), path+"summary", fmt.Sprintf("one line of at most %d characters", maxName))
		f.refuse(!slices.Contains(categories, t.Category), path+"category", "Hastetime, Video or nothing")
	}
	if err := f.err("an appointment type has invalid fields"); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		for _, t := range types {
			if err := s.keepsHidden(ctx, tx, clinicID, t); err != nil {
				return err
			}
			if err := owned(tx.Exec(ctx, `INSERT INTO appointment_type (id, clinic_id, name, category, summary, hidden, notify, active)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
				ON CONFLICT (id) DO UPDATE SET name = $3, category = $4, summary = $5, hidden = $6, notify = $7, active = $8
				WHERE appointment_type.clinic_id = $2`,
				t.ID, clinicID, t.Name, t.Category, t.Summary, t.Hidden, t.Notify, !t.Inactive)); err != nil {
				return err
			}
			if err := s.audit(ctx, tx, by, clinicID, "appointment-type.put", "appointment-type/"+t.ID, ""); err != nil {
				return err
			}
		}
		return nil
	})
}

// keepsHidden refuses to hide or show appointments by way of their type. The lock
// keeps appointments from taking the type meanwhile.
func (s *Store) keepsHidden(ctx context.Context, tx pgx.Tx, clinicID string, t AppointmentType) error {
	tag, err := tx.Exec(ctx, "SELECT FROM appointment_type WHERE id = $1 AND clinic_id = $2 AND hidden <> $3 FOR UPDATE", t.ID, clinicID, t.Hidden)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	var used bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM appointment WHERE type_id = $1)", t.ID).Scan(&used); err != nil || !used {
		return err
	}
	return apperr.New(apperr.Conflict, "appointments have the type: make a type that is hidden or shown, and give it to each appointment that it is for")
}

// AppointmentTypes lists the clinic's types by name.
func (s *Store) AppointmentTypes(ctx context.Context, by identity.Principal, clinicID string) ([]AppointmentType, error) {
	var types []AppointmentType
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, name, category, summary, hidden, notify, NOT active FROM appointment_type
			WHERE clinic_id = $1 ORDER BY name, id`, clinicID)
		if err != nil {
			return err
		}
		if types, err = pgx.CollectRows(rows, pgx.RowToStructByPos[AppointmentType]); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "appointment-type.list", "", "")
	})
	return types, err
}
