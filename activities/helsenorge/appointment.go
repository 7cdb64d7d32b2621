package helsenorge

import (
	"context"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
)

// build makes a message of the lifecycles: an answer, or an appointment that is told
// unasked.
func (a *Activities) build(ctx context.Context, job pg.Job) ([]byte, error) {
	if job.Kind == pg.KindAppointment {
		return a.told(ctx, job)
	}
	return a.answer(ctx, job)
}

// told builds a pushed Avtale: a Foresporsel with a code of 7602, without words and
// outside any thread (HITS 1217 §3.4.1). Who the appointment is with stands in the
// dialogue: the head names the technical sender only.
func (a *Activities) told(ctx context.Context, job pg.Job) ([]byte, error) {
	var patient *pg.Patient
	if job.Appointment != nil {
		patient = &job.Appointment.Patient
	}
	head, err := a.ownHead(ctx, job, patient)
	if err != nil {
		return nil, err
	}
	m := &helsenorge.Message{Head: head, Dialog: &helsenorge.Dialog{Request: &helsenorge.Request{Type: answerCode(job.Code)}}}
	if j := job.Appointment; j != nil {
		appointment(m, job.Code, *j)
	}
	return helsenorge.WriteMessage(m)
}

// appointment adds what a message says of an appointment: when, where, what, with whom
// (HITS 1217 §2.8). What only a free slot has is never written.
func appointment(m *helsenorge.Message, code string, j pg.AppointmentJob) {
	e := helsenorge.Event{
		UID: j.UID, RelatedTo: j.RelatedTo, Contact: j.Contact, StartsAt: j.StartsAt, EndsAt: j.EndsAt,
		Location: j.Place, Summary: j.Summary, Status: helsenorge.StatusConfirmed,
	}
	if j.Category != "" {
		e.Categories = []string{j.Category}
	}
	switch {
	case j.Cancelled:
		e.Status = helsenorge.StatusCancelled
	case code == contract.AppointmentPatientMissing:
		e.Status = "" // neither planned nor cancelled: the code says it
	}
	m.Events = []helsenorge.Event{e}
	roles := practitioner(j.Practitioner, codes.Fastlege)
	if m.Dialog.Request != nil {
		m.Dialog.Request.Roles = roles
	} else {
		m.Dialog.Note.Roles = roles
	}
	// With somebody else than the citizen asked for, he is told who that is.
	if professional, ok := helsenorge.Named(j.Practitioner.Name, j.Practitioner.HPR); ok && code == codes.BookingWithOther {
		m.Practitioners = []helsenorge.Practitioner{{Professional: professional}}
	}
}
