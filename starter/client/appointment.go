package client

import (
	"context"
	"time"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// Appointment opens an appointment with what was published of it. Where it was booked
// is not among it (S92).
func (c *Client) Appointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string) (pg.Appointment, error) {
	if err := allow(by, identity.RightAppointmentRead, clinicID); err != nil {
		return pg.Appointment{}, err
	}
	return c.store.Appointment(ctx, by, clinicID, appointmentID)
}

// PatientAppointments lists all appointments of a patient, wherever they were booked
// (S80).
func (c *Client) PatientAppointments(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]pg.CalendarEntry, error) {
	if err := allow(by, identity.RightAppointmentRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.PatientAppointments(ctx, by, clinicID, patientID)
}

// CalendarEntries lists the appointments of a calendar that start from one instant,
// inclusive, to another, exclusive, at most 62 days later. An entry does not say
// where it was booked (S92, S93).
func (c *Client) CalendarEntries(ctx context.Context, by identity.Principal, clinicID, calendarID string, from, to time.Time) ([]pg.CalendarEntry, error) {
	if err := allow(by, identity.RightAppointmentRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.CalendarEntries(ctx, by, clinicID, calendarID, from, to)
}

// AppointmentExplanation tells why the patient did or did not get each notice.
type AppointmentExplanation struct {
	pg.AppointmentExplanation
	Lifecycle Lifecycle `json:"lifecycle"`
}

// ExplainAppointment reads what was intended for an appointment, what became of it
// and every decision with its inputs, and the state of its workflow where it can be
// had. It succeeds without Temporal: Lifecycle then says what is missing. Where it
// was booked is told to auditors and operators alone (S92).
func (c *Client) ExplainAppointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string) (AppointmentExplanation, error) {
	if err := allow(by, identity.RightLedgerRead, clinicID); err != nil {
		return AppointmentExplanation{}, err
	}
	e, err := c.store.ExplainAppointment(ctx, by, clinicID, appointmentID)
	if err != nil {
		return AppointmentExplanation{}, err
	}
	var state contract.AppointmentState
	return AppointmentExplanation{AppointmentExplanation: e, Lifecycle: c.lifecycle(ctx, asked{
		contract.AppointmentWorkflowID(appointmentID), &state, func(l *Lifecycle) { l.Appointment = &state },
	})}, nil
}
