package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/publication"
)

// Where an appointment was made: its origin, and the source of a change.
const (
	originHelsenorge = "helsenorge"
	originClinic     = "clinic"
	originPortal     = "portal"
	originApp        = "app"
)

// standing is how an appointment stands: its row, with what its calendar and its
// type say.
type standing struct {
	id, clinicID, patientID, keyID string
	status                         contract.Status
	revision, told, planned        int
	calendarID, typeID, slotID     string
	startsAt, endsAt               time.Time
	place, origin                  string
	movedFrom, movedTo             string
	changedAt, tellAt, unsettled   time.Time
	remindAt                       time.Time
	ownerID                        string
	hidden, calendarGate, typeGate bool
	category, summary              string
	patientErased                  bool
}

// booked tells whether the appointment is in the calendar and no other has taken
// its place.
func (a standing) booked() bool { return a.status == contract.StatusBooked && a.movedTo == "" }

// facts is what the appointment's lifecycle must know of it.
func (a standing) facts() contract.AppointmentFacts {
	f := contract.AppointmentFacts{Status: a.status, Revision: a.revision, StartsAt: a.startsAt, EndsAt: a.endsAt}
	if a.told < a.revision {
		f.TellAt = a.tellAt
	}
	return f
}

// snapshot is what of the appointment matters to Helsenorge.
func (a standing) snapshot() publication.Snapshot {
	return publication.Snapshot{
		StartsAt: a.startsAt, EndsAt: a.endsAt, Place: a.place, TypeCategory: a.category,
		Cancelled: a.status == contract.StatusCancelled, NoShow: a.status == contract.StatusMissed, Hidden: a.hidden,
	}
}

const standingColumns = `a.id, a.clinic_id, a.patient_id, a.key_id, a.status, a.revision, a.told, a.planned, a.calendar_id, a.type_id, a.slot_id,
	a.starts_at, a.ends_at, a.place, a.origin, a.moved_from, a.moved_to, a.changed_at, a.tell_at, a.unsettled_since, a.remind_at,
	c.owner_id, coalesce(t.hidden, false), coalesce(c.notify, false), coalesce(t.notify, false), coalesce(t.category, ''), coalesce(t.summary, ''),
	p.erased_at IS NOT NULL
	FROM appointment a JOIN patient p ON p.id = a.patient_id
	LEFT JOIN calendar c ON c.id = a.calendar_id LEFT JOIN appointment_type t ON t.id = a.type_id`

func scanStanding(row pgx.Row) (standing, error) {
	var a standing
	var calendarID, typeID, slotID, movedFrom, movedTo, owner *string
	var starts, ends, tell, unsettled, remind *time.Time
	err := row.Scan(&a.id, &a.clinicID, &a.patientID, &a.keyID, &a.status, &a.revision, &a.told, &a.planned, &calendarID, &typeID, &slotID,
		&starts, &ends, &a.place, &a.origin, &movedFrom, &movedTo, &a.changedAt, &tell, &unsettled, &remind,
		&owner, &a.hidden, &a.calendarGate, &a.typeGate, &a.category, &a.summary, &a.patientErased)
	a.calendarID, a.typeID, a.slotID = deref(calendarID), deref(typeID), deref(slotID)
	a.movedFrom, a.movedTo, a.ownerID = deref(movedFrom), deref(movedTo), deref(owner)
	a.startsAt, a.endsAt, a.tellAt, a.unsettled, a.remindAt = derefTime(starts), derefTime(ends), derefTime(tell), derefTime(unsettled), derefTime(remind)
	a.changedAt = a.changedAt.UTC()
	return a, err
}

// appointment reads how an appointment stands.
func (s *Store) appointment(ctx context.Context, q rower, clinicID, id string) (standing, error) {
	a, err := scanStanding(q.QueryRow(ctx, "SELECT "+standingColumns+" WHERE a.id = $1 AND a.clinic_id = $2", id, clinicID))
	return a, notFound(err, "the clinic has no such appointment")
}

// lockAppointment reads an appointment that the transaction decides about, after
// whoever decided before. The patient is locked first, always in this order: what
// counts or pairs appointments of one patient sees all of them. Rows that only refer to
// the appointment are still written meanwhile: a hop that holds its notice would else
// wait for a change that waits for the notice.
func (s *Store) lockAppointment(ctx context.Context, tx pgx.Tx, clinicID, id string) (standing, error) {
	if _, err := tx.Exec(ctx, `SELECT FROM patient WHERE id = (SELECT patient_id FROM appointment WHERE id = $1 AND clinic_id = $2)
		FOR NO KEY UPDATE`, id, clinicID); err != nil {
		return standing{}, err
	}
	if _, err := tx.Exec(ctx, "SELECT FROM appointment WHERE id = $1 AND clinic_id = $2 FOR NO KEY UPDATE", id, clinicID); err != nil {
		return standing{}, err
	}
	return s.appointment(ctx, tx, clinicID, id)
}

// opening is an appointment that is not in the calendar yet, with its thread.
type opening struct {
	id, clinicID, patientID, origin, comment string
}

// openAppointment writes an appointment beside the thread of the same id.
func (s *Store) openAppointment(ctx context.Context, tx pgx.Tx, key sealingKey, o opening) error {
	var comment []byte
	var err error
	if o.comment != "" {
		if comment, err = key.seal("appointment.comment", o.id, o.comment); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `INSERT INTO appointment (id, clinic_id, patient_id, status, origin, key_id, comment, changed_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)`,
		o.id, o.clinicID, o.patientID, contract.StatusReceived, o.origin, key.id, comment, s.now())
	return err
}

// identify lets the appointment be found by an identifier that the wire may use (§4.1).
func (s *Store) identify(ctx context.Context, tx pgx.Tx, clinicID, appointmentID string, identifiers ...string) error {
	for _, identifier := range identifiers {
		if identifier == "" {
			continue
		}
		if _, err := tx.Exec(ctx, `INSERT INTO appointment_identifier (clinic_id, identifier, appointment_id) VALUES ($1, $2, $3)
			ON CONFLICT DO NOTHING`, clinicID, identifier, appointmentID); err != nil {
			return err
		}
	}
	return nil
}

// enter takes the place in the calendar. One at a time enters a calendar, so that two
// that want the same time do not wait for each other; which of them has it is the
// exclusion constraint's word (F11).
func (s *Store) enter(ctx context.Context, tx pgx.Tx, a *standing) error {
	if _, err := tx.Exec(ctx, "SELECT FROM calendar WHERE id = $1 FOR NO KEY UPDATE", a.calendarID); err != nil {
		return err
	}
	a.status = contract.StatusBooked
	if _, err := tx.Exec(ctx, `UPDATE appointment SET status = $2, calendar_id = $3, type_id = $4, slot_id = $5, starts_at = $6, ends_at = $7, place = $8
		WHERE id = $1`, a.id, a.status, a.calendarID, a.typeID, nullable(a.slotID), a.startsAt, a.endsAt, a.place); err != nil {
		return err
	}
	// What the new calendar and type say.
	fresh, err := s.appointment(ctx, tx, a.clinicID, a.id)
	if err != nil {
		return err
	}
	a.ownerID, a.hidden, a.calendarGate, a.typeGate, a.category, a.summary =
		fresh.ownerID, fresh.hidden, fresh.calendarGate, fresh.typeGate, fresh.category, fresh.summary
	return nil
}

// revise makes a new revision of what the appointment is now (F5). What was planned for
// the old one and is not yet told ends here, and what has not left of it never does. With a grace, Helsenorge or the
// patient is still to be told: changes within it collapse into the last, but the
// first of them waits for at most three graces. Without, an answer tells it.
func (s *Store) revise(ctx context.Context, tx pgx.Tx, a *standing, by string, grace time.Duration) error {
	now := s.now()
	a.revision++
	a.changedAt, a.remindAt = now, time.Time{}
	if grace > 0 {
		if a.unsettled.IsZero() {
			a.unsettled = now
		}
		a.tellAt = earlier(now.Add(grace), a.unsettled.Add(3*grace))
	} else {
		a.told, a.tellAt, a.unsettled = a.revision, time.Time{}, time.Time{}
	}
	if _, err := tx.Exec(ctx, `UPDATE appointment SET status = $2, revision = $3, changed_at = $4, tell_at = $5, unsettled_since = $6, told = $7,
			remind_at = NULL WHERE id = $1`,
		a.id, a.status, a.revision, now, nullableTime(a.tellAt), nullableTime(a.unsettled), a.told); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO appointment_revision (appointment_id, revision, status, calendar_id, type_id, starts_at, ends_at, place, hidden, at, by_subject)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		a.id, a.revision, a.status, nullable(a.calendarID), nullable(a.typeID), nullableTime(a.startsAt), nullableTime(a.endsAt), a.place, a.hidden, now, by); err != nil {
		return err
	}
	if err := s.identify(ctx, tx, a.clinicID, a.id, a.id, a.slotID); err != nil {
		return err
	}
	if err := s.supersedeUnsent(ctx, tx, a.id); err != nil {
		return err
	}
	return s.supersede(ctx, tx, a.id)
}

// setStatus changes the status of what is in no calendar.
func (s *Store) setStatus(ctx context.Context, tx pgx.Tx, a *standing, status contract.Status) error {
	a.status = status
	_, err := tx.Exec(ctx, "UPDATE appointment SET status = $2, changed_at = $3 WHERE id = $1", a.id, status, s.now())
	return err
}

// notBefore is the store with a clock that is never before t: activities are given
// the workflow's instant, which may be ahead of this machine's.
func (s *Store) notBefore(t time.Time) *Store {
	t = t.UTC().Truncate(time.Microsecond)
	return s.At(func() time.Time { return later(t, s.now()) })
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
