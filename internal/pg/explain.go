package pg

import (
	"context"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
)

// Appointment opens an appointment.
func (s *Store) Appointment(ctx context.Context, by identity.Principal, clinicID, id string) (Appointment, error) {
	return Appointment{}, apperr.New(apperr.Unsupported, "not yet")
}

// ExplainAppointment tells why the patient did or did not get each notice.
func (s *Store) ExplainAppointment(ctx context.Context, by identity.Principal, clinicID, id string) (AppointmentExplanation, error) {
	return AppointmentExplanation{}, apperr.New(apperr.Unsupported, "not yet")
}
