package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// Calendars is what the API offers to set calendars up.
type Calendars interface {
	Settings(ctx context.Context, by identity.Principal, clinicID string) (pg.Settings, error)
	PutSettings(ctx context.Context, by identity.Principal, clinicID string, s pg.Settings) error
	Calendars(ctx context.Context, by identity.Principal, clinicID string) ([]pg.CalendarState, error)
	PutCalendars(ctx context.Context, by identity.Principal, clinicID string, all []pg.Calendar) error
	AppointmentTypes(ctx context.Context, by identity.Principal, clinicID string) ([]pg.AppointmentType, error)
	PutAppointmentTypes(ctx context.Context, by identity.Principal, clinicID string, all []pg.AppointmentType) error
	Slots(ctx context.Context, by identity.Principal, clinicID, calendarID string, from, to time.Time) ([]pg.Slot, error)
	PutSlots(ctx context.Context, by identity.Principal, clinicID string, all []pg.Slot) error
	DeleteSlots(ctx context.Context, by identity.Principal, clinicID string, slotIDs []string) error
}

// Patients is what the API offers to say how patients are reached and who acts for
// them.
type Patients interface {
	PutPatients(ctx context.Context, by identity.Principal, clinicID string, all []client.PatientRecord) ([]string, error)
	PatientStatus(ctx context.Context, by identity.Principal, clinicID, patientID string) (pg.PatientStanding, error)
	PutPatientStatus(ctx context.Context, by identity.Principal, clinicID, patientID string, s pg.PatientStatus) error
	Contacts(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]pg.Contact, error)
	PutContacts(ctx context.Context, by identity.Principal, clinicID, patientID string, all []pg.Contact) error
	Preference(ctx context.Context, by identity.Principal, clinicID, patientID string) (pg.Preference, error)
	PutPreference(ctx context.Context, by identity.Principal, clinicID, patientID string, p pg.Preference) error
	Representations(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]pg.Representation, error)
	PutRepresentations(ctx context.Context, by identity.Principal, clinicID, patientID string, all []pg.Representation) error
}

// Appointments is what the API offers to staff and to the portal.
type Appointments interface {
	CalendarEntries(ctx context.Context, by identity.Principal, clinicID, calendarID string, from, to time.Time) ([]pg.CalendarEntry, error)
	PatientAppointments(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]pg.CalendarEntry, error)
	Appointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string) (pg.Appointment, error)
	ExplainAppointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string) (client.AppointmentExplanation, error)
	BookAppointment(ctx context.Context, by identity.Principal, clinicID string, b client.Booking) (client.Changed, error)
	AmendAppointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string, a client.Amendment) (client.Changed, error)
	CancelAppointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string, s client.Step) (client.Changed, error)
	RestoreAppointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string, s client.Step) (client.Changed, error)
	MissedAppointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string, s client.Step) (client.Changed, error)
	AnswerWish(ctx context.Context, by identity.Principal, clinicID, appointmentID string, a client.WishAnswer) (client.Changed, error)
	PortalAppointments(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string) ([]pg.PatientAppointment, error)
	PortalFeed(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string) ([]pg.FeedItem, error)
	PortalSlots(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string, from, to time.Time) (pg.PortalOffer, error)
	PortalBook(ctx context.Context, by identity.Principal, clinicID, patientID string, b client.PortalBooking) (client.Changed, error)
	PortalCancel(ctx context.Context, by identity.Principal, clinicID, patientID, appointmentID string, s client.PortalStep) (client.Changed, error)
}

// What is written in bulk: the whole list is written, or none of it.
type (
	// CalendarList is calendars to write.
	CalendarList struct {
		Calendars []pg.Calendar `json:"calendars"`
	}
	// TypeList is appointment types to write.
	TypeList struct {
		Types []pg.AppointmentType `json:"types"`
	}
	// SlotList is slots to write.
	SlotList struct {
		Slots []pg.Slot `json:"slots"`
	}
	// PatientList is patients to write.
	PatientList struct {
		Patients []client.PatientRecord `json:"patients"`
	}
	// ContactList is all the ways to reach a patient.
	ContactList struct {
		Contacts []pg.Contact `json:"contacts"`
	}
	// RepresentationList is all who act for a patient.
	RepresentationList struct {
		Representations []pg.Representation `json:"representations"`
	}
)

// PatientIDs names patients, in the order in which they were written.
type PatientIDs struct {
	PatientIDs []string `json:"patientIds"`
}

// Inputs that several operations share are exported, since fields of an embedded
// unexported type would not be filled.
type (
	// Keyed is the input of every operation that would do something twice when it is sent
	// twice.
	Keyed struct {
		Key string `header:"Idempotency-Key" doc:"A UUID that names what is asked, for as long as that is kept: a repetition by the same system with the same body has the same answer and no other effect, and whatever else has this key is refused"`
	}
	// Stretch is a stretch of a calendar.
	Stretch struct {
		From time.Time `query:"from" required:"true" doc:"Instant, inclusive"`
		To   time.Time `query:"to" required:"true" doc:"Instant, exclusive, at most 62 days later"`
	}
	// InCalendar is the input of every operation on a calendar.
	InCalendar struct {
		InClinic
		Calendar string `path:"calendar" doc:"The calendar's id"`
	}
	// InPatient is the input of every operation on a patient.
	InPatient struct {
		InClinic
		Patient string `path:"patient" doc:"The patient's id in Helsebro"`
	}
	// InAppointment is the input of every operation on an appointment.
	InAppointment struct {
		InClinic
		Appointment string `path:"appointment" doc:"The appointment's id"`
	}
	viewedIn struct {
		InPatient
		Viewer string `query:"viewer" required:"true" doc:"Who is signed in: the patient's id, or a representative's"`
	}
	portalSlotsIn struct {
		InPatient
		Stretch
		Viewer string `query:"viewer" required:"true" doc:"Who is signed in: the patient's id, or a representative's"`
	}
	slotsIn struct {
		InClinic
		Stretch
		Calendar string `query:"calendar" required:"true" doc:"The calendar's id"`
	}
	entriesIn struct {
		InCalendar
		Stretch
	}
	inClinic[T any] struct {
		InClinic
		Body T
	}
	inPatient[T any] struct {
		InPatient
		Body T
	}
	stepIn struct {
		InAppointment
		Keyed
		Body client.Step
	}
)

// key is what the request is named.
func (k Keyed) key() string { return k.Key }

func (a *API) registerCalendars(s Calendars) {
	secured(a, identity.RightSettingsRead, get("/settings", "read-settings", "What the clinic has chosen about appointments and notices"),
		func(ctx context.Context, c caller, _ *InClinic) (*bodyOut[pg.Settings], error) {
			return body(s.Settings(ctx, c.Principal, c.clinic))
		})
	secured(a, identity.RightSettingsWrite, put("/settings", "write-settings", "Change what the clinic has chosen, the whole of it"),
		func(ctx context.Context, c caller, in *inClinic[pg.Settings]) (*noContent, error) {
			return done(s.PutSettings(ctx, c.Principal, c.clinic, in.Body))
		})

	secured(a, identity.RightCalendarRead, get("/calendars", "list-calendars", "The clinic's calendars, whether citizens can book them, and why not"),
		func(ctx context.Context, c caller, _ *InClinic) (*listOut[pg.CalendarState], error) {
			return list(s.Calendars(ctx, c.Principal, c.clinic))
		})
	secured(a, identity.RightCalendarWrite, put("/calendars", "write-calendars", "Write calendars, all or none; those not named stay"),
		func(ctx context.Context, c caller, in *inClinic[CalendarList]) (*noContent, error) {
			return done(s.PutCalendars(ctx, c.Principal, c.clinic, in.Body.Calendars))
		})
	secured(a, identity.RightCalendarWrite, put("/calendars/{calendar}", "write-calendar", "Write a calendar"),
		func(ctx context.Context, c caller, in *struct {
			InCalendar
			Body pg.Calendar
		}) (*noContent, error) {
			return one("calendars[0].", in.Calendar, in.Body.ID, func() error {
				return s.PutCalendars(ctx, c.Principal, c.clinic, []pg.Calendar{in.Body})
			})
		})

	secured(a, identity.RightCalendarRead, get("/appointment-types", "list-appointment-types", "The clinic's types of appointment"),
		func(ctx context.Context, c caller, _ *InClinic) (*listOut[pg.AppointmentType], error) {
			return list(s.AppointmentTypes(ctx, c.Principal, c.clinic))
		})
	secured(a, identity.RightCalendarWrite, put("/appointment-types", "write-appointment-types", "Write types of appointment, all or none; those not named stay"),
		func(ctx context.Context, c caller, in *inClinic[TypeList]) (*noContent, error) {
			return done(s.PutAppointmentTypes(ctx, c.Principal, c.clinic, in.Body.Types))
		})
	secured(a, identity.RightCalendarWrite, put("/appointment-types/{type}", "write-appointment-type", "Write a type of appointment"),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Type string `path:"type" doc:"The type's id"`
			Body pg.AppointmentType
		}) (*noContent, error) {
			return one("types[0].", in.Type, in.Body.ID, func() error {
				return s.PutAppointmentTypes(ctx, c.Principal, c.clinic, []pg.AppointmentType{in.Body})
			})
		})

	secured(a, identity.RightCalendarRead, get("/slots", "list-slots", "The slots of a calendar, with whether each is free"),
		func(ctx context.Context, c caller, in *slotsIn) (*listOut[pg.Slot], error) {
			slots, err := s.Slots(ctx, c.Principal, c.clinic, in.Calendar, in.From, in.To)
			return list(slots, inQuery(err))
		})
	secured(a, identity.RightCalendarWrite, put("/slots", "write-slots", "Write slots, all or none; those not named stay"),
		func(ctx context.Context, c caller, in *inClinic[SlotList]) (*noContent, error) {
			return done(s.PutSlots(ctx, c.Principal, c.clinic, in.Body.Slots))
		})
	secured(a, identity.RightCalendarWrite, put("/slots/{slot}", "write-slot", "Write a slot"),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Slot string `path:"slot" doc:"The slot's id"`
			Body pg.Slot
		}) (*noContent, error) {
			return one("slots[0].", in.Slot, in.Body.ID, func() error {
				return s.PutSlots(ctx, c.Principal, c.clinic, []pg.Slot{in.Body})
			})
		})
	secured(a, identity.RightCalendarWrite, op(http.MethodDelete, "/slots/{slot}", "delete-slot", "Take a slot away; an appointment booked in it stays", http.StatusNoContent),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Slot string `path:"slot" doc:"The slot's id"`
		}) (*noContent, error) {
			return done(s.DeleteSlots(ctx, c.Principal, c.clinic, []string{in.Slot}))
		})
}

func (a *API) registerPatients(s Patients) {
	secured(a, identity.RightPatientWrite, op(http.MethodPut, "/patients/bulk", "write-patients", "Write patients, all or none, each known by the national id", http.StatusOK),
		func(ctx context.Context, c caller, in *inClinic[PatientList]) (*bodyOut[PatientIDs], error) {
			ids, err := s.PutPatients(ctx, c.Principal, c.clinic, in.Body.Patients)
			return body(PatientIDs{nonNil(ids)}, err)
		})
	secured(a, identity.RightAppointmentRead, get("/patients/{patient}/status", "read-patient-status",
		"What is known of a patient: death, protected address, consent, and activity on Helsenorge with its age and source"),
		func(ctx context.Context, c caller, in *InPatient) (*bodyOut[pg.PatientStanding], error) {
			return body(s.PatientStatus(ctx, c.Principal, c.clinic, in.Patient))
		})
	secured(a, identity.RightPatientWrite, put("/patients/{patient}/status", "write-patient-status", "Write what is known of a patient: death, protected address, consent"),
		func(ctx context.Context, c caller, in *inPatient[pg.PatientStatus]) (*noContent, error) {
			return done(s.PutPatientStatus(ctx, c.Principal, c.clinic, in.Patient, in.Body))
		})
	secured(a, identity.RightAppointmentRead, get("/patients/{patient}/contacts", "list-contacts", "The ways to reach a patient"),
		func(ctx context.Context, c caller, in *InPatient) (*listOut[pg.Contact], error) {
			return list(s.Contacts(ctx, c.Principal, c.clinic, in.Patient))
		})
	secured(a, identity.RightPatientWrite, put("/patients/{patient}/contacts", "write-contacts", "Write the ways to reach a patient, the whole of them"),
		func(ctx context.Context, c caller, in *inPatient[ContactList]) (*noContent, error) {
			return done(s.PutContacts(ctx, c.Principal, c.clinic, in.Patient, in.Body.Contacts))
		})
	secured(a, identity.RightAppointmentRead, get("/patients/{patient}/preference", "read-preference", "How a patient wants to be told"),
		func(ctx context.Context, c caller, in *InPatient) (*bodyOut[pg.Preference], error) {
			return body(s.Preference(ctx, c.Principal, c.clinic, in.Patient))
		})
	secured(a, identity.RightPatientWrite, put("/patients/{patient}/preference", "write-preference", "Write how a patient wants to be told"),
		func(ctx context.Context, c caller, in *inPatient[pg.Preference]) (*noContent, error) {
			return done(s.PutPreference(ctx, c.Principal, c.clinic, in.Patient, in.Body))
		})
	secured(a, identity.RightAppointmentRead, get("/patients/{patient}/representations", "list-representations", "Who acts for a patient"),
		func(ctx context.Context, c caller, in *InPatient) (*listOut[pg.Representation], error) {
			return list(s.Representations(ctx, c.Principal, c.clinic, in.Patient))
		})
	secured(a, identity.RightPatientWrite, put("/patients/{patient}/representations", "write-representations", "Write who acts for a patient, the whole of them"),
		func(ctx context.Context, c caller, in *inPatient[RepresentationList]) (*noContent, error) {
			return done(s.PutRepresentations(ctx, c.Principal, c.clinic, in.Patient, in.Body.Representations))
		})
}

func (a *API) registerAppointments(s Appointments) {
	secured(a, identity.RightAppointmentRead, get("/patients/{patient}/appointments", "list-patient-appointments", "All appointments of a patient, wherever they were booked"),
		func(ctx context.Context, c caller, in *InPatient) (*listOut[pg.CalendarEntry], error) {
			return list(s.PatientAppointments(ctx, c.Principal, c.clinic, in.Patient))
		})
	secured(a, identity.RightAppointmentRead, get("/calendars/{calendar}/entries", "list-calendar-entries", "The appointments of a calendar"),
		func(ctx context.Context, c caller, in *entriesIn) (*listOut[pg.CalendarEntry], error) {
			entries, err := s.CalendarEntries(ctx, c.Principal, c.clinic, in.Calendar, in.From, in.To)
			return list(entries, inQuery(err))
		})
	secured(a, identity.RightAppointmentRead, get("/appointments/{appointment}", "read-appointment", "An appointment, with what was published of it"),
		func(ctx context.Context, c caller, in *InAppointment) (*bodyOut[pg.Appointment], error) {
			return body(s.Appointment(ctx, c.Principal, c.clinic, in.Appointment))
		})
	secured(a, identity.RightLedgerRead, get("/appointments/{appointment}/explain", "explain-appointment", "Why the patient did or did not get each notice: every decision with its inputs"),
		func(ctx context.Context, c caller, in *InAppointment) (*bodyOut[client.AppointmentExplanation], error) {
			e, err := s.ExplainAppointment(ctx, c.Principal, c.clinic, in.Appointment)
			e.Published, e.Notices, e.Decisions, e.Lines = nonNil(e.Published), nonNil(e.Notices), nonNil(e.Decisions), nonNil(e.Lines)
			return body(e, err)
		})

	secured(a, identity.RightAppointmentWrite, op(http.MethodPost, "/appointments", "book-appointment", "Book an appointment for a patient", http.StatusCreated),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Keyed
			Body client.Booking
		}) (*bodyOut[client.Changed], error) {
			in.Body.ID = in.Key
			return changed(s.BookAppointment(ctx, c.Principal, c.clinic, in.Body))
		})
	secured(a, identity.RightAppointmentWrite, op(http.MethodPatch, "/appointments/{appointment}", "amend-appointment",
		"Move an appointment, or change its type or place; what was published before hiding it is a 409 that lists it", http.StatusOK),
		func(ctx context.Context, c caller, in *struct {
			InAppointment
			Keyed
			Body client.Amendment
		}) (*bodyOut[client.Changed], error) {
			in.Body.ID = in.Key
			return changed(s.AmendAppointment(ctx, c.Principal, c.clinic, in.Appointment, in.Body))
		})
	for _, step := range []struct {
		name, id, summary string
		do                func(ctx context.Context, by identity.Principal, clinicID, appointmentID string, s client.Step) (client.Changed, error)
	}{
		{"cancel", "cancel-appointment", "Take an appointment out of the calendar", s.CancelAppointment},
		{"restore", "restore-appointment", "Put a cancelled or missed appointment back", s.RestoreAppointment},
		{"missed", "missed-appointment", "Say that the patient did not come", s.MissedAppointment},
	} {
		secured(a, identity.RightAppointmentWrite, op(http.MethodPost, "/appointments/{appointment}/"+step.name, step.id, step.summary, http.StatusOK),
			func(ctx context.Context, c caller, in *stepIn) (*bodyOut[client.Changed], error) {
				in.Body.ID = in.Key
				return changed(step.do(ctx, c.Principal, c.clinic, in.Appointment, in.Body))
			})
	}
	secured(a, identity.RightAppointmentWrite, op(http.MethodPost, "/appointments/{appointment}/answer", "answer-wish", "Answer a citizen's wish for an appointment or a cancellation", http.StatusOK),
		func(ctx context.Context, c caller, in *struct {
			InAppointment
			Keyed
			Body client.WishAnswer
		}) (*bodyOut[client.Changed], error) {
			in.Body.ID = in.Key
			return changed(s.AnswerWish(ctx, c.Principal, c.clinic, in.Appointment, in.Body))
		})

	const portal = "/portal/patients/{patient}"
	secured(a, identity.RightPortalRead, get(portal+"/appointments", "portal-list-appointments", "The patient's appointments, as the viewer may see them"),
		func(ctx context.Context, c caller, in *viewedIn) (*listOut[pg.PatientAppointment], error) {
			return list(s.PortalAppointments(ctx, c.Principal, c.clinic, in.Patient, in.Viewer))
		})
	secured(a, identity.RightPortalRead, get(portal+"/feed", "portal-list-notices", "The clinic's notices to the patient, as the viewer may see them"),
		func(ctx context.Context, c caller, in *viewedIn) (*listOut[pg.FeedItem], error) {
			return list(s.PortalFeed(ctx, c.Principal, c.clinic, in.Patient, in.Viewer))
		})
	secured(a, identity.RightPortalRead, get(portal+"/slots", "portal-list-slots", "The free slots that the patient may book, or why there is none to be had"),
		func(ctx context.Context, c caller, in *portalSlotsIn) (*bodyOut[pg.PortalOffer], error) {
			offer, err := s.PortalSlots(ctx, c.Principal, c.clinic, in.Patient, in.Viewer, in.From, in.To)
			offer.Slots = nonNil(offer.Slots)
			return body(offer, inQuery(err))
		})
	secured(a, identity.RightPortalBook, op(http.MethodPost, portal+"/appointments", "portal-book", "Book a free online slot for the patient", http.StatusCreated),
		func(ctx context.Context, c caller, in *struct {
			InPatient
			Keyed
			Body client.PortalBooking
		}) (*bodyOut[client.Changed], error) {
			in.Body.ID = in.Key
			return changed(s.PortalBook(ctx, c.Principal, c.clinic, in.Patient, in.Body))
		})
	secured(a, identity.RightPortalBook, op(http.MethodPost, portal+"/appointments/{appointment}/cancel", "portal-cancel", "Cancel the patient's appointment", http.StatusOK),
		func(ctx context.Context, c caller, in *struct {
			InPatient
			Keyed
			Appointment string `path:"appointment" doc:"The appointment's id"`
			Body        client.PortalStep
		}) (*bodyOut[client.Changed], error) {
			in.Body.ID = in.Key
			return changed(s.PortalCancel(ctx, c.Principal, c.clinic, in.Patient, in.Appointment, in.Body))
		})
}

// changed is what became of a change.
func changed(v client.Changed, err error) (*bodyOut[client.Changed], error) {
	return body(v, renamed(err, "id", "header.Idempotency-Key"))
}

// one writes a list of one, whose id is in the path: fields are named without the
// list.
func one(prefix, path, id string, write func() error) (*noContent, error) {
	if id != path {
		return nil, apperr.InvalidFields("the body names another", apperr.Field{Path: "id", Rule: "the id of the path"})
	}
	return done(renamedBy(write(), func(field string) string { return strings.TrimPrefix(field, prefix) }))
}

// inQuery says that fields are in the query.
func inQuery(err error) error {
	return renamedBy(err, func(field string) string { return "query." + field })
}

// renamed names a field of the service as HTTP callers know it.
func renamed(err error, from, to string) error {
	return renamedBy(err, func(field string) string {
		if field == from {
			return to
		}
		return field
	})
}

func renamedBy(err error, name func(string) string) error {
	var e *apperr.Error
	if !errors.As(err, &e) {
		return err
	}
	fields := slices.Clone(e.Fields)
	for i := range fields {
		fields[i].Path = name(fields[i].Path)
	}
	copied := *e
	copied.Fields = fields
	return &copied
}
