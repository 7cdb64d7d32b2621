package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// maxAddressRunes bounds the address of a contact: a push subscription is the longest.
const maxAddressRunes = 2000

// Contacts lists the ways to reach a patient, those of his representatives included.
func (c *Client) Contacts(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]pg.Contact, error) {
	if err := allow(by, identity.RightAppointmentRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.Contacts(ctx, by, clinicID, patientID)
}

// PutContacts writes the ways to reach a patient, the whole of them: what is not named
// is no longer used. Idempotent by id. Invalid names each field, never its value.
func (c *Client) PutContacts(ctx context.Context, by identity.Principal, clinicID, patientID string, all []pg.Contact) error {
	if err := allow(by, identity.RightPatientWrite, clinicID); err != nil {
		return err
	}
	f := ids("contacts", all, func(k pg.Contact) string { return k.ID })
	for i, k := range all {
		at := func(field string) string { return fmt.Sprintf("contacts[%d].%s", i, field) }
		f.channel(at("channel"), k.Channel)
		f.check(k.Address != "", at("address"), "required")
		f.line(at("address"), k.Address, maxAddressRunes)
		f.check(k.Relation == "" || codes.Has(codes.Representation, k.Relation), at("relation"), "a code of 7611 (FO, VE, FU, TD), or nothing for the patient's own")
	}
	if len(f) > 0 {
		return apperr.InvalidFields("the contacts have invalid fields", f...)
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
	var f faults
	for i, channel := range p.Channels {
		f.channel(fmt.Sprintf("channels[%d]", i), channel)
	}
	for i, channel := range p.OptedOut {
		f.channel(fmt.Sprintf("optedOut[%d]", i), channel)
	}
	if len(f) > 0 {
		return apperr.InvalidFields("the preference has invalid fields", f...)
	}
	return c.store.PutPreference(ctx, by, clinicID, patientID, p)
}

// PutRepresentations replaces who may act for a patient, the whole of it (S81).
// Idempotent.
func (c *Client) PutRepresentations(ctx context.Context, by identity.Principal, clinicID, patientID string, all []pg.Representation) error {
	if err := allow(by, identity.RightPatientWrite, clinicID); err != nil {
		return err
	}
	var f faults
	for i, r := range all {
		at := func(field string) string { return fmt.Sprintf("representations[%d].%s", i, field) }
		f.check(isID(r.RepresentativeID) && r.RepresentativeID != patientID, at("representativeId"), "the id of another patient of the clinic, a UUID")
		f.check(codes.Has(codes.Representation, r.Relation), at("relation"), "a code of 7611: FO, VE, FU or TD")
	}
	if len(f) > 0 {
		return apperr.InvalidFields("the representations have invalid fields", f...)
	}
	return c.store.PutRepresentations(ctx, by, clinicID, patientID, all)
}

// PutPatientStatus replaces what the clinic knows of a patient beside who he is.
// Whoever has died is told nothing from then on, whoever is protected is represented by
// nobody (D14); both can be taken back. Idempotent.
func (c *Client) PutPatientStatus(ctx context.Context, by identity.Principal, clinicID, patientID string, s pg.PatientStatus) error {
	if err := allow(by, identity.RightPatientWrite, clinicID); err != nil {
		return err
	}
	if _, err := time.Parse(time.DateOnly, s.BornOn); s.BornOn != "" && err != nil {
		return apperr.InvalidFields("the status has invalid fields", apperr.Field{Path: "bornOn", Rule: "a date such as 2010-05-17"})
	}
	return c.store.PutPatientStatus(ctx, by, clinicID, patientID, s)
}

// channel checks a channel of the clinic's own.
func (f *faults) channel(path string, channel contract.Channel) {
	all := []contract.Channel{contract.ChannelEmail, contract.ChannelSMS, contract.ChannelPush}
	f.check(slices.Contains(all, channel), path, "e-mail, sms or push")
}
