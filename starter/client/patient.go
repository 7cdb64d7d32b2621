package client

import (
	"context"

	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// Contacts lists the ways to reach a patient, those of his representatives included.
func (c *Client) Contacts(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]pg.Contact, error) {
	if err := allow(by, identity.RightAppointmentRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.Contacts(ctx, by, clinicID, patientID)
}

// PutContacts writes the ways to reach a patient, the whole of them: what is not named
// is no longer used. A contact without an id gets one. Idempotent. Invalid names each
// field, never its value.
func (c *Client) PutContacts(ctx context.Context, by identity.Principal, clinicID, patientID string, all []pg.Contact) error {
	if err := allow(by, identity.RightPatientWrite, clinicID); err != nil {
		return err
	}
	return c.store.PutContacts(ctx, by, clinicID, patientID, all)
}

// Preference reads how a patient wants to be told; the zero value says nothing.
func (c *Client) Preference(ctx context.Context, by identity.Principal, clinicID, patientID string) (pg.Preference, error) {
	if err := allow(by, identity.RightAppointmentRead, clinicID); err != nil {
		return pg.Preference{}, err
	}
	return c.store.Preference(ctx, by, clinicID, patientID)
}

// PutPreference replaces how a patient wants to be told. It holds from the next hop of
// every notice (F2). Idempotent.
func (c *Client) PutPreference(ctx context.Context, by identity.Principal, clinicID, patientID string, p pg.Preference) error {
	if err := allow(by, identity.RightPatientWrite, clinicID); err != nil {
		return err
	}
	return c.store.PutPreference(ctx, by, clinicID, patientID, p)
}

// Representations lists who may act for a patient, by their ids.
func (c *Client) Representations(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]pg.Representation, error) {
	if err := allow(by, identity.RightAppointmentRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.Representations(ctx, by, clinicID, patientID)
}

// PutRepresentations replaces who may act for a patient, the whole of it (S81).
// Idempotent.
func (c *Client) PutRepresentations(ctx context.Context, by identity.Principal, clinicID, patientID string, all []pg.Representation) error {
	if err := allow(by, identity.RightPatientWrite, clinicID); err != nil {
		return err
	}
	return c.store.PutRepresentations(ctx, by, clinicID, patientID, all)
}

// PatientStatus reads what the clinic knows of a patient beside who he is: death,
// protected address, consent, date of birth, and whether he is active on Helsenorge, with
// how old that knowledge is and where it is from.
func (c *Client) PatientStatus(ctx context.Context, by identity.Principal, clinicID, patientID string) (pg.PatientStanding, error) {
	if err := allow(by, identity.RightAppointmentRead, clinicID); err != nil {
		return pg.PatientStanding{}, err
	}
	return c.store.PatientStatus(ctx, by, clinicID, patientID)
}

// PutPatientStatus replaces what the clinic knows of a patient beside who he is.
// Whoever has died is told nothing from then on, whoever is protected is represented by
// nobody (D14); both can be taken back. Idempotent.
func (c *Client) PutPatientStatus(ctx context.Context, by identity.Principal, clinicID, patientID string, s pg.PatientStatus) error {
	if err := allow(by, identity.RightPatientWrite, clinicID); err != nil {
		return err
	}
	return c.store.PutPatientStatus(ctx, by, clinicID, patientID, s)
}
