package client

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// Limits of what is written about an appointment, in runes.
const (
	// MaxCommentRunes bounds what a patient says that it is about.
	MaxCommentRunes = 1000
	// MaxPlaceRunes bounds the place.
	MaxPlaceRunes = 200
)

// Booking is an appointment that the clinic makes (S76). It names calendar, type,
// start and end, or a slot that has them all: at most ten years ahead and 24 hours long.
type Booking struct {
	// ID is the caller's idempotency key, a UUID: the same id again is the same
	// booking. Empty makes a new one, and a retry then books again.
	ID string `json:"-"`
	// AppointmentID is the caller's name for it, a UUID; empty makes it from ID.
	AppointmentID string    `json:"appointmentId,omitempty" doc:"The caller's id of the new appointment, a UUID; made when it is not there"`
	PatientID     string    `json:"patientId" doc:"The patient's id in Helsebro"`
	CalendarID    string    `json:"calendarId,omitempty" doc:"Required without slotId, like type, start and end"`
	TypeID        string    `json:"typeId,omitempty"`
	SlotID        string    `json:"slotId,omitempty" doc:"A slot, in place of calendar, type, start and end"`
	StartsAt      time.Time `json:"startsAt,omitzero"`
	EndsAt        time.Time `json:"endsAt,omitzero"`
	Place         string    `json:"place,omitempty" doc:"At most 200 characters on one line"`
	Comment       string    `json:"comment,omitempty" doc:"What it is about, at most 1000 characters; for staff"`
	// Replaces is an appointment that this one takes the place of: both are one change
	// to the patient.
	Replaces string `json:"replaces,omitempty" doc:"The appointment whose place it takes: the patient is told of one move"`
}

// Amendment gives an appointment another time, calendar, type or place; what is not
// named stays. A type that is hidden hides it (S82).
type Amendment struct {
	// ID is the idempotency key, as Booking's.
	ID string `json:"-"`
	// Revision is the one that the author has seen; 0 does not say.
	Revision   int       `json:"revision,omitempty" minimum:"0" doc:"The revision that you have seen: refused when there is a newer one"`
	CalendarID string    `json:"calendarId,omitempty"`
	TypeID     string    `json:"typeId,omitempty"`
	SlotID     string    `json:"slotId,omitempty"`
	StartsAt   time.Time `json:"startsAt,omitzero"`
	EndsAt     time.Time `json:"endsAt,omitzero" doc:"Without it a moved appointment is as long as before"`
	Place      *string   `json:"place,omitempty" doc:"Empty takes the place away"`
	// Acknowledged says that the author has seen what was already published and
	// nevertheless hides it (D10).
	Acknowledged bool `json:"acknowledged,omitempty" doc:"Hide it although it has been published: nothing can be called back"`
}

// Step is a change that needs no more than saying so.
type Step struct {
	// ID is the idempotency key, as Booking's.
	ID string `json:"-"`
	// Revision is the one that the author has seen; 0 does not say.
	Revision int `json:"revision,omitempty" minimum:"0" doc:"The revision that you have seen: refused when there is a newer one"`
}

// WishAnswer answers a citizen's wish for an appointment, or for a cancellation. With
// 05 and 10 it names what is booked, as Booking does.
type WishAnswer struct {
	// ID is the idempotency key, as Booking's.
	ID         string    `json:"-"`
	Revision   int       `json:"revision,omitempty" minimum:"0" doc:"The revision that you have seen: refused when there is a newer one"`
	Code       string    `json:"code" doc:"Code of kodeverk 7602: 05 booked, 10 booked with another practitioner, 06 not available, 08 cancelled, 09 not cancelled, 26 refused" example:"05"`
	Text       string    `json:"text,omitempty" doc:"What the citizen reads, at most 1000 characters"`
	CalendarID string    `json:"calendarId,omitempty" doc:"For 05 and 10"`
	TypeID     string    `json:"typeId,omitempty" doc:"For 05 and 10"`
	SlotID     string    `json:"slotId,omitempty" doc:"For 05 and 10: in place of calendar, type, start and end"`
	StartsAt   time.Time `json:"startsAt,omitzero" doc:"For 05 and 10"`
	EndsAt     time.Time `json:"endsAt,omitzero" doc:"For 05 and 10"`
	Place      string    `json:"place,omitempty" doc:"For 05 and 10"`
}

// WishCodes lists the codes of 7602 that answer a wish: 05, 10 and 06 one for an
// appointment, 08 and 09 one for a cancellation, 26 both (HITS 1217 §3.5).
func WishCodes() []string {
	return []string{
		contract.AppointmentConfirmed, contract.AppointmentWithOther, contract.AppointmentNotAvailable,
		contract.AppointmentCancelled, contract.AppointmentNotCancelled, contract.AnswerRefused,
	}
}

// Changed says how an appointment stands after a change.
type Changed struct {
	AppointmentID string `json:"appointmentId"`
	// ChangeID is the idempotency key of the change.
	ChangeID string          `json:"changeId"`
	Revision int             `json:"revision"`
	Status   contract.Status `json:"status"`
}

// BookAppointment books an appointment for a patient. See Change.
func (c *Client) BookAppointment(ctx context.Context, by identity.Principal, clinicID string, b Booking) (Changed, error) {
	return c.Change(ctx, by, clinicID, pg.Change{
		ID: b.ID, Kind: pg.ChangeBook, AppointmentID: b.AppointmentID, PatientID: b.PatientID, CalendarID: b.CalendarID, TypeID: b.TypeID,
		SlotID: b.SlotID, StartsAt: b.StartsAt, EndsAt: b.EndsAt, Place: named(b.Place), Comment: b.Comment, Replaces: b.Replaces,
	})
}

// AmendAppointment moves an appointment, or gives it another type or place. To hide
// what has been seen is refused as conflict that says what was seen and since when,
// until the amendment is acknowledged (D10). See Change.
func (c *Client) AmendAppointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string, a Amendment) (Changed, error) {
	return c.Change(ctx, by, clinicID, pg.Change{
		ID: a.ID, Kind: pg.ChangeAmend, AppointmentID: appointmentID, Revision: a.Revision, CalendarID: a.CalendarID, TypeID: a.TypeID,
		SlotID: a.SlotID, StartsAt: a.StartsAt, EndsAt: a.EndsAt, Place: a.Place, Acknowledged: a.Acknowledged,
	})
}

// CancelAppointment takes an appointment out of the calendar. See Change.
func (c *Client) CancelAppointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string, s Step) (Changed, error) {
	return c.Change(ctx, by, clinicID, pg.Change{ID: s.ID, Kind: pg.ChangeCancel, AppointmentID: appointmentID, Revision: s.Revision})
}

// RestoreAppointment puts a cancelled or missed appointment back, where its time is
// still free. See Change.
func (c *Client) RestoreAppointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string, s Step) (Changed, error) {
	return c.Change(ctx, by, clinicID, pg.Change{ID: s.ID, Kind: pg.ChangeRestore, AppointmentID: appointmentID, Revision: s.Revision})
}

// MissedAppointment says that the patient did not come. See Change.
func (c *Client) MissedAppointment(ctx context.Context, by identity.Principal, clinicID, appointmentID string, s Step) (Changed, error) {
	return c.Change(ctx, by, clinicID, pg.Change{ID: s.ID, Kind: pg.ChangeMissed, AppointmentID: appointmentID, Revision: s.Revision})
}

// AnswerWish answers a citizen's wish. See Change.
func (c *Client) AnswerWish(ctx context.Context, by identity.Principal, clinicID, appointmentID string, a WishAnswer) (Changed, error) {
	return c.Change(ctx, by, clinicID, pg.Change{
		ID: a.ID, Kind: pg.ChangeAnswer, AppointmentID: appointmentID, Revision: a.Revision, Code: a.Code, Text: a.Text,
		CalendarID: a.CalendarID, TypeID: a.TypeID, SlotID: a.SlotID, StartsAt: a.StartsAt, EndsAt: a.EndsAt, Place: named(a.Place),
	})
}

func named(place string) *string {
	if place == "" {
		return nil
	}
	return &place
}

// Change stores what staff ask of an appointment and has its lifecycle apply it. On
// success it is in the calendar; who is told of it, and when, is for the lifecycle:
// see ExplainAppointment.
//
// Idempotent by Change.ID: the same id and content return the same result, the same
// id with other content is a duplicate. Errors: invalid names each field, not-found
// for an appointment, patient, calendar, type or slot that the clinic does not have,
// conflict carries the state that stands in the way: a taken time, a newer revision, a
// step that the status does not allow, or what was published before hiding. A refused
// change leaves nothing behind; after unavailable the same id takes it up again.
func (c *Client) Change(ctx context.Context, by identity.Principal, clinicID string, ch pg.Change) (Changed, error) {
	if err := allow(by, identity.RightAppointmentWrite, clinicID); err != nil {
		return Changed{}, err
	}
	f := checkChange(&ch)
	f.check(ch.Source == "" || ch.Source == sourceClinic, "source", "left out: staff's own changes are the clinic's")
	f.check(ch.ViewerID == "", "viewerId", "left out: for the portal only")
	ch.Source = sourceClinic
	return c.change(ctx, by, clinicID, ch, f)
}

// Sources of a change (S93).
const (
	sourceClinic = "clinic"
	sourcePortal = "portal"
	sourceApp    = "app"
)

// change drafts a checked change and gives it to the appointment's lifecycle.
func (c *Client) change(ctx context.Context, by identity.Principal, clinicID string, ch pg.Change, f faults) (Changed, error) {
	if len(f) > 0 {
		return Changed{}, apperr.InvalidFields("the change has invalid fields", f...)
	}
	drafted, err := c.store.DraftChange(ctx, by, clinicID, ch)
	if err != nil {
		return Changed{}, err
	}
	failpoint.Hit(failpoint.ChangeDrafted)
	accepted := drafted.Accepted
	if !drafted.Applied {
		id := drafted.AppointmentID
		err = c.give(ctx, clinicID, command{
			id: ch.ID, process: contract.ProcessAppointment, about: "appointment " + id,
			workflowID: contract.AppointmentWorkflowID(id), workflow: contract.AppointmentWorkflow,
			input:  contract.AppointmentInput{ClinicID: clinicID, AppointmentID: id, Resume: !drafted.New},
			update: contract.UpdateChange, args: contract.ChangeCommand{CommandID: ch.ID},
		}, &accepted)
	}
	if err != nil {
		return Changed{}, refused(ctx, err, func(ctx context.Context) error {
			return c.store.DropChange(ctx, clinicID, ch.ID, drafted.Attempt)
		})
	}
	failpoint.Hit(failpoint.ChangeAccepted)
	return Changed{AppointmentID: drafted.AppointmentID, ChangeID: ch.ID, Revision: accepted.Revision, Status: accepted.Status}, nil
}

// checkChange names every fault that no calendar could mend, and brings the fields to
// the form that is stored.
func checkChange(ch *pg.Change) faults {
	if ch.ID == "" {
		ch.ID = uuid.NewString()
	}
	ch.ID, ch.AppointmentID = strings.ToLower(ch.ID), strings.ToLower(ch.AppointmentID)
	ch.StartsAt, ch.EndsAt = utc(ch.StartsAt), utc(ch.EndsAt)
	ch.Comment, ch.Text = trimmed(ch.Comment), trimmed(ch.Text)
	if ch.Place != nil {
		place := strings.TrimSpace(*ch.Place)
		ch.Place = &place
	}

	var f faults
	book := ch.Kind == pg.ChangeBook
	f.check(isID(ch.ID), "id", "a UUID: the idempotency key")
	f.check(isID(ch.AppointmentID) || (book && ch.AppointmentID == ""), "appointmentId", "the id of an appointment, a UUID")
	f.check(ch.Revision >= 0 && ch.Revision <= math.MaxInt32, "revision", "the revision that was seen, or 0")
	for _, id := range []struct{ path, value string }{
		{"patientId", ch.PatientID}, {"calendarId", ch.CalendarID}, {"typeId", ch.TypeID}, {"slotId", ch.SlotID}, {"replaces", ch.Replaces},
	} {
		f.check(id.value == "" || isID(id.value), id.path, "a UUID")
	}
	f.check(ch.StartsAt.IsZero() || ch.EndsAt.IsZero() || ch.StartsAt.Before(ch.EndsAt), "endsAt", "after startsAt")
	if ch.Place != nil {
		f.line("place", *ch.Place, MaxPlaceRunes)
	}
	f.text("comment", ch.Comment, MaxCommentRunes)
	f.text("text", ch.Text, MaxTextRunes)

	switch ch.Kind {
	case pg.ChangeBook:
		f.check(ch.PatientID != "", "patientId", "required")
		f.booked(ch)
	case pg.ChangeAmend:
		names := ch.CalendarID != "" || ch.TypeID != "" || ch.SlotID != "" || !ch.StartsAt.IsZero() || !ch.EndsAt.IsZero() || ch.Place != nil
		f.check(names, "startsAt", "name what changes: start, end, calendar, type, slot or place")
	case pg.ChangeAnswer:
		f.check(slices.Contains(WishCodes(), ch.Code), "code", "one of %s", strings.Join(WishCodes(), ", "))
		if ch.Code == contract.AppointmentConfirmed || ch.Code == contract.AppointmentWithOther {
			f.booked(ch)
		}
	case pg.ChangeCancel, pg.ChangeRestore, pg.ChangeMissed:
	default:
		f.check(false, "kind", "book, amend, cancel, restore, missed or answer")
	}
	return f
}

// booked checks that a change names when, where and what is booked: by itself, or by a
// slot.
func (f *faults) booked(ch *pg.Change) {
	if ch.SlotID != "" {
		return
	}
	const rule = "required where there is no slotId"
	f.check(ch.CalendarID != "", "calendarId", rule)
	f.check(ch.TypeID != "", "typeId", rule)
	f.check(!ch.StartsAt.IsZero(), "startsAt", rule)
	f.check(!ch.EndsAt.IsZero(), "endsAt", rule)
}

// utc is the instant in UTC; the zero time stays the zero value.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
