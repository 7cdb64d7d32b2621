package client

import (
	"context"
	"time"

	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// The portal is the clinic's own patient portal or app (S78). It has signed the
// viewer in and says who that is; whether the viewer may act for the patient is
// decided here, each time (S81): a parent may until the sixteenth birthday.

// PortalBooking books a free online slot for a patient (S93).
type PortalBooking struct {
	// ID is the idempotency key, as Booking's.
	ID string `json:"-"`
	// ViewerID is who books: the patient, or a representative who is a patient of the
	// clinic too.
	ViewerID string `json:"viewerId" doc:"Who is signed in: the patient's id, or a representative's"`
	SlotID   string `json:"slotId" doc:"A free slot that is marked online"`
	// Comment is what it is about; optional here (A12).
	Comment string `json:"comment,omitempty" doc:"What it is about, at most 1000 characters"`
	// App is true when it comes from the app and not the portal.
	App bool `json:"app,omitempty" doc:"It comes from the app"`
}

// PortalStep cancels an appointment for a patient.
type PortalStep struct {
	// ID is the idempotency key, as Booking's.
	ID       string `json:"-"`
	ViewerID string `json:"viewerId" doc:"Who is signed in: the patient's id, or a representative's"`
	Revision int    `json:"revision,omitempty" minimum:"0" doc:"The revision that was seen: refused when there is a newer one"`
	App      bool   `json:"app,omitempty" doc:"It comes from the app"`
}

// PortalAppointments lists the patient's appointments as the viewer may see them,
// wherever they were booked, without those that are hidden (S78, S82). Forbidden says
// why the viewer may not act for the patient.
func (c *Client) PortalAppointments(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string) ([]pg.PatientAppointment, error) {
	if err := allow(by, identity.RightPortalRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.PortalAppointments(ctx, by, clinicID, patientID, viewerID)
}

// PortalFeed lists the notices that the clinic has given the patient, as the viewer
// may see them, newest first (S90). Errors as PortalAppointments.
func (c *Client) PortalFeed(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string) ([]pg.FeedItem, error) {
	if err := allow(by, identity.RightPortalRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.PortalFeed(ctx, by, clinicID, patientID, viewerID)
}

// PortalSlots lists the free slots that the patient may book, of those that start from
// one instant, inclusive, to another, exclusive, at most 62 days later; where he can book
// nothing at all, the offer says why (S93). Errors as PortalAppointments.
func (c *Client) PortalSlots(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string, from, to time.Time) (pg.PortalOffer, error) {
	if err := allow(by, identity.RightPortalRead, clinicID); err != nil {
		return pg.PortalOffer{}, err
	}
	return c.store.PortalSlots(ctx, by, clinicID, patientID, viewerID, from, to)
}

// PortalBook books a free online slot for the patient. Idempotency and errors as
// Change; a slot that somebody else was given is a conflict.
func (c *Client) PortalBook(ctx context.Context, by identity.Principal, clinicID, patientID string, b PortalBooking) (Changed, error) {
	return c.portalChange(ctx, by, clinicID, b.App, pg.Change{
		ID: b.ID, Kind: pg.ChangeBook, PatientID: patientID, SlotID: b.SlotID, Comment: b.Comment, ViewerID: b.ViewerID,
	})
}

// PortalCancel cancels the patient's appointment. Idempotency and errors as Change.
func (c *Client) PortalCancel(ctx context.Context, by identity.Principal, clinicID, patientID, appointmentID string, s PortalStep) (Changed, error) {
	return c.portalChange(ctx, by, clinicID, s.App, pg.Change{
		ID: s.ID, Kind: pg.ChangeCancel, AppointmentID: appointmentID, PatientID: patientID, Revision: s.Revision, ViewerID: s.ViewerID,
	})
}

func (c *Client) portalChange(ctx context.Context, by identity.Principal, clinicID string, app bool, ch pg.Change) (Changed, error) {
	if err := allow(by, identity.RightPortalBook, clinicID); err != nil {
		return Changed{}, err
	}
	ch.Source = sourcePortal
	if app {
		ch.Source = sourceApp
	}
	f := checkChange(&ch)
	f.check(isID(ch.ViewerID), "viewerId", "the id of the patient or of a representative")
	if ch.Kind == pg.ChangeBook {
		f.check(ch.SlotID != "", "slotId", "required: a free online slot")
	}
	return c.change(ctx, by, clinicID, ch, f)
}
