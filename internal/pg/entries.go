package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/vault"
)

// CalendarEntries lists what stands in one of the clinic's calendars and starts in
// [from, to), at most 62 days: what is booked, and whom it waited for in vain. Where an
// appointment was booked is not among it (S92).
func (s *Store) CalendarEntries(ctx context.Context, by identity.Principal, clinicID, calendarID string, from, to time.Time) ([]CalendarEntry, error) {
	var entries []CalendarEntry
	err := s.onCalendar(ctx, by, clinicID, calendarID, "appointment.list", from, to, func(tx pgx.Tx) (err error) {
		entries, err = s.entries(ctx, tx, `a.calendar_id = $1 AND a.starts_at >= $2 AND a.starts_at < $3 AND a.status IN ('booked', 'missed')
			ORDER BY a.starts_at, a.id`, calendarID, from, to)
		return err
	})
	return entries, err
}

// PatientAppointments lists the patient's appointments as staff see them, hidden and
// cancelled ones and unanswered wishes too, the newest first (S80).
func (s *Store) PatientAppointments(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]CalendarEntry, error) {
	var entries []CalendarEntry
	err := s.onCard(ctx, by, clinicID, patientID, "appointment.list", func(tx pgx.Tx, _ card) (err error) {
		entries, err = s.entries(ctx, tx, "a.patient_id = $1 ORDER BY a.starts_at DESC NULLS FIRST, a.id DESC", patientID)
		return err
	})
	return entries, err
}

// entries reads the appointments a that the condition selects.
func (s *Store) entries(ctx context.Context, tx pgx.Tx, where string, args ...any) ([]CalendarEntry, error) {
	rows, err := tx.Query(ctx, `SELECT a.id, a.calendar_id, a.patient_id, a.type_id, a.status, a.revision, a.starts_at, a.ends_at, a.place,
			coalesce(t.hidden, false), a.comment, p.identity, k.id, k.kek, k.wrapped
		FROM appointment a JOIN patient p ON p.id = a.patient_id LEFT JOIN appointment_type t ON t.id = a.type_id
		LEFT JOIN data_key k ON k.id = a.key_id WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (CalendarEntry, error) {
		var e CalendarEntry
		var calendarID, typeID, keyID, kek *string
		var starts, ends *time.Time
		var comment, sealed, wrapped []byte
		if err := row.Scan(&e.ID, &calendarID, &e.PatientID, &typeID, &e.Status, &e.Revision, &starts, &ends, &e.Place,
			&e.Hidden, &comment, &sealed, &keyID, &kek, &wrapped); err != nil {
			return e, err
		}
		e.CalendarID, e.TypeID, e.StartsAt, e.EndsAt = deref(calendarID), deref(typeID), derefTime(starts), derefTime(ends)
		if keyID == nil { // the time stays taken, by nobody in particular
			e.Patient = Erased
			return e, nil
		}
		opened, err := s.vault.Unwrap(vault.Wrapped{KEK: *kek, Bytes: wrapped})
		if err != nil {
			return e, err
		}
		key := sealingKey{id: *keyID, DataKey: opened}
		var p Patient
		if err := key.open("patient.identity", e.PatientID, sealed, &p); err != nil {
			return e, err
		}
		e.Patient = p.Name()
		if comment != nil {
			err = key.open("appointment.comment", e.ID, comment, &e.Comment)
		}
		return e, err
	})
}
