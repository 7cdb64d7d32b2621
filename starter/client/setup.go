package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// maxNameRunes bounds every name that a caller writes.
const maxNameRunes = 200

// Processes lists the processes that have a routing rule.
func Processes() []contract.Process {
	return []contract.Process{contract.ProcessEConsultation, contract.ProcessEContact, contract.ProcessPrescription}
}

// Routing reads the clinic's rules, one per process.
func (c *Client) Routing(ctx context.Context, by identity.Principal, clinicID string) (map[contract.Process]routing.Rule, error) {
	if err := allow(by, identity.RightRoutingRead, clinicID); err != nil {
		return nil, err
	}
	return c.store.Routing(ctx, by, clinicID)
}

// PutRouting changes the clinic's rule for one process. Invalid names what
// contradicts itself and what reaches nobody (S36, F12). Idempotent. It holds for
// messages placed from now on.
func (c *Client) PutRouting(ctx context.Context, by identity.Principal, clinicID string, process contract.Process, rule routing.Rule) error {
	if err := allow(by, identity.RightRoutingWrite, clinicID); err != nil {
		return err
	}
	if !slices.Contains(Processes(), process) {
		return apperr.New(apperr.NotFound, "there is no such process: routing has rules for e-consultation, e-contact and prescription")
	}
	if err := rule.Validate(); err != nil {
		return apperr.InvalidFields("the rule contradicts itself", fields(err)...)
	}
	return c.store.PutRouting(ctx, by, clinicID, process, rule)
}

// fields reads the joined errors of a domain rule, each "path: rule".
func fields(err error) []apperr.Field {
	var joined interface{ Unwrap() []error }
	all := []error{err}
	if errors.As(err, &joined) {
		all = joined.Unwrap()
	}
	out := make([]apperr.Field, len(all))
	for i, e := range all {
		path, rule, _ := strings.Cut(e.Error(), ": ")
		out[i] = apperr.Field{Path: path, Rule: rule}
	}
	return out
}

// PutClinic writes the clinic's master data: the whole of it, with staff and
// parties. Staff that it does not name become inactive. Idempotent.
func (c *Client) PutClinic(ctx context.Context, by identity.Principal, clinic pg.Clinic) error {
	if err := allow(by, identity.RightClinicWrite, clinic.ID); err != nil {
		return err
	}
	if faults := clinicFaults(clinic); len(faults) > 0 {
		return apperr.InvalidFields("the clinic has invalid fields", faults...)
	}
	return c.store.PutClinic(ctx, by, clinic)
}

func clinicFaults(c pg.Clinic) []apperr.Field {
	var f faults
	f.check(isID(c.ID), "id", "a UUID")
	f.name("name", c.Name)
	f.check(isHerID(c.HerID), "herId", "the clinic's HER-id in the address registry")
	f.check(c.OrganisationNumber == "" || isDigits(c.OrganisationNumber, 9), "organisationNumber", "nine digits")
	staff, subjects, parties := map[string]bool{}, map[string]bool{}, map[int]bool{}
	for i, s := range c.Staff {
		at := func(field string) string { return fmt.Sprintf("staff[%d].%s", i, field) }
		f.check(isID(s.ID), at("id"), "a UUID")
		f.check(!staff[s.ID], at("id"), "named twice")
		f.check(s.Subject != "", at("subject"), "required: the person's subject in tokens")
		f.check(!subjects[s.Subject], at("subject"), "named twice")
		f.name(at("name"), s.Name)
		f.check(slices.Contains(staffRoles, s.Role), at("role"), "one of %v", staffRoles)
		f.check(s.HerID == 0 || isHerID(s.HerID), at("herId"), "the person's HER-id in the address registry, or nothing")
		f.check(s.HPR == "" || (len(s.HPR) <= 9 && isDigits(s.HPR, len(s.HPR))), at("hpr"), "at most nine digits")
		f.check(s.AbsentUntil.IsZero() || !s.AbsentFrom.IsZero(), at("absentFrom"), "required where absentUntil is there")
		f.check(s.AbsentUntil.IsZero() || s.AbsentUntil.After(s.AbsentFrom), at("absentUntil"), "after absentFrom")
		f.check(s.AbsentFrom.IsZero() || s.AbsentFrom.UTC().Year() >= 2000 && s.AbsentFrom.UTC().Year() <= 9999, at("absentFrom"), "an instant of the years 2000 to 9999")
		f.check(s.AbsentUntil.IsZero() || s.AbsentUntil.UTC().Year() <= 9999, at("absentUntil"), "an instant of the years 2000 to 9999")
		staff[s.ID], subjects[s.Subject] = true, true
	}
	for i, s := range c.Staff {
		f.check(s.DeputyID == "" || staff[s.DeputyID] && s.DeputyID != s.ID, fmt.Sprintf("staff[%d].deputyId", i), "the id of another of the clinic's staff")
	}
	for i, p := range c.Parties {
		at := func(field string) string { return fmt.Sprintf("parties[%d].%s", i, field) }
		f.check(isHerID(p.HerID), at("herId"), "the party's HER-id in the address registry")
		f.check(!parties[p.HerID], at("herId"), "named twice")
		f.name(at("name"), p.Name)
		f.check(p.StaffID == "" || staff[p.StaffID], at("staffId"), "the id of one of the clinic's staff")
		for j, process := range p.Processes {
			f.check(codes.Known(process), fmt.Sprintf("parties[%d].processes[%d]", i, j), "a code of 8279, such as %s", codes.EKonsultasjon)
		}
		parties[p.HerID] = true
	}
	return f
}

// isHerID says whether n can be a HER-id: the address registry counts them in 32 bits, and
// so does the database.
func isHerID(n int) bool { return n > 0 && n <= math.MaxInt32 }

// staffRoles are the roles of people who work at a clinic.
var staffRoles = []identity.Role{identity.RoleClinicAdministrator, identity.RolePractitioner, identity.RoleStaff}

// Patient is a patient as the clinic's record system knows him.
type Patient struct {
	GivenName  string `json:"givenName"`
	MiddleName string `json:"middleName,omitempty"`
	FamilyName string `json:"familyName"`
	NationalID string `json:"nationalId" doc:"Birth number or D number, eleven digits"`
	// Phone is the mobile number, with or without country code.
	Phone          string `json:"phone,omitempty"`
	PractitionerID string `json:"practitionerId,omitempty" doc:"Staff id of the patient's own practitioner"`
	// Blocked patients get code 30 for what they send.
	Blocked bool `json:"blocked,omitempty" doc:"What a blocked patient sends is answered with 30"`
}

// PatientRecord is a patient with what else the record system knows of him, for
// writing in bulk. What is not there stays as it is.
type PatientRecord struct {
	Patient
	Status          *pg.PatientStatus    `json:"status,omitempty"`
	Contacts        *[]pg.Contact        `json:"contacts,omitempty"`
	Preference      *pg.Preference       `json:"preference,omitempty"`
	Representations *[]pg.Representation `json:"representations,omitempty"`
}

// PutPatient writes a patient of the clinic and returns the patient's id.
// Idempotent by clinic and national id.
func (c *Client) PutPatient(ctx context.Context, by identity.Principal, clinicID string, p Patient) (string, error) {
	if err := allow(by, identity.RightPatientWrite, clinicID); err != nil {
		return "", err
	}
	var f faults
	record := f.patient("", p)
	if len(f) > 0 {
		return "", apperr.InvalidFields("the patient has invalid fields", f...)
	}
	return c.store.PutPatient(ctx, by, clinicID, record.Patient, record.PractitionerID, record.Blocked)
}

// PutPatients writes patients of the clinic, all or none, and returns their ids in the
// same order. Idempotent by clinic and national id. Invalid names each field, never
// its value.
func (c *Client) PutPatients(ctx context.Context, by identity.Principal, clinicID string, all []PatientRecord) ([]string, error) {
	if err := allow(by, identity.RightPatientWrite, clinicID); err != nil {
		return nil, err
	}
	var f faults
	records := make([]pg.PatientRecord, len(all))
	for i, r := range all {
		records[i] = f.patient(fmt.Sprintf("patients[%d].", i), r.Patient)
		records[i].Status, records[i].Contacts, records[i].Preference, records[i].Representations = r.Status, r.Contacts, r.Preference, r.Representations
	}
	if len(f) > 0 {
		return nil, apperr.InvalidFields("the patients have invalid fields", f...)
	}
	return c.store.PutPatients(ctx, by, clinicID, records)
}

// patient checks a patient, whose fields are below path, and is how it is stored.
func (f *faults) patient(path string, p Patient) pg.PatientRecord {
	f.name(path+"givenName", p.GivenName)
	f.name(path+"familyName", p.FamilyName)
	if p.MiddleName != "" {
		f.name(path+"middleName", p.MiddleName)
	}
	id, err := parseNationalID(p.NationalID)
	if err != nil {
		f.check(false, path+"nationalId", "%s", err.Error())
	}
	f.check(isPhone(p.Phone), path+"phone", "digits, with + before the country code if there is one")
	f.check(p.PractitionerID == "" || isID(p.PractitionerID), path+"practitionerId", "the id of one of the clinic's staff")
	return pg.PatientRecord{Patient: pg.Patient{
		GivenName: p.GivenName, MiddleName: p.MiddleName, FamilyName: p.FamilyName,
		NationalID: id.Number, IDType: string(id.Form), Phone: p.Phone,
	}, PractitionerID: p.PractitionerID, Blocked: p.Blocked}
}

// parseNationalID reads a birth number or D number, with the marks of the test
// registers as Helsenorge's test environments send them.
func parseNationalID(s string) (nationalid.ID, error) {
	id, err := nationalid.Parse(s, nationalid.Options{Synthetic: nationalid.AllMarks})
	if err != nil {
		return id, err
	}
	if id.Form != nationalid.FNR && id.Form != nationalid.DNR {
		return id, apperr.New(apperr.Invalid, "a birth number or a D number: digital dialogue knows no other (HITS 1217 §2.3)")
	}
	return id, nil
}
