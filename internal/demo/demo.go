// Package demo is the clinic of `make run` and of the tests: invented people at an
// invented clinic.
package demo

import (
	"slices"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
)

// Who works at the clinic, and its record system.
var (
	Service = identity.Principal{Subject: "epj", ClinicID: ClinicID, Role: identity.RoleService}
	GP      = identity.Principal{Subject: "gp", ClinicID: ClinicID, Role: identity.RolePractitioner, HPR: "9144889"}
	Desk    = identity.Principal{Subject: "desk", ClinicID: ClinicID, Role: identity.RoleStaff}
	Admin   = identity.Principal{Subject: "admin", ClinicID: ClinicID, Role: identity.RoleClinicAdministrator}
	// Operator runs the installation that the clinic is in.
	Operator = identity.Principal{Subject: "operator", Role: identity.RoleOperator}
)

// Ids of the demonstration clinic.
const (
	ClinicID = "019ab000-0000-7000-8000-000000000001"
	GPID     = "019ab000-0000-7000-8000-000000000011"
	DeskID   = "019ab000-0000-7000-8000-000000000012"
	AdminID  = "019ab000-0000-7000-8000-000000000013"
	// ClinicHerID is the organisation's; the clinic is reached through its parties.
	ClinicHerID = 900000
	// GPHerID is the practitioner's own party.
	GPHerID = 900001
	// ServiceHerID is the party of the list without a practitioner.
	ServiceHerID = 900002
	// DeskHerID is the secretary's own.
	DeskHerID = 900012
	// AdminHerID is the administrator's own.
	AdminHerID = 900013
)

// offered are the processes that the practitioner has registered (S12). The list
// without a practitioner has the first of them.
var offered = []string{
	codes.EKontakt, codes.EKonsultasjon, codes.Reseptfornyelse,
	codes.Timereservasjon, codes.Timeonske, codes.Avtaleavbestilling, codes.Avtaleutsending, codes.Behandleroversikt,
}

// Clinic is the demonstration clinic.
func Clinic() pg.Clinic {
	return pg.Clinic{
		ID: ClinicID, Name: "Demo legesenter", OrganisationNumber: "999999999", HerID: ClinicHerID,
		Staff: []pg.Staff{
			{ID: GPID, Subject: GP.Subject, Name: "Frida Fastlege", Role: GP.Role, Position: "gp", HPR: GP.HPR, Groups: []string{"doctors"}},
			{ID: DeskID, Subject: Desk.Subject, Name: "Solveig Sekretær", Role: Desk.Role, Position: "secretary", Groups: []string{"desk"}, HerID: DeskHerID},
			{ID: AdminID, Subject: Admin.Subject, Name: "Anders Administrator", Role: Admin.Role, HerID: AdminHerID},
		},
		Parties: []pg.Party{
			{HerID: GPHerID, Name: "Frida Fastlege", StaffID: GPID, Processes: slices.Clone(offered)},
			{HerID: ServiceHerID, Name: "Fastlege, liste uten fast lege", Processes: slices.Clone(offered[:1])},
		},
	}
}

// Registry are the clinic's entries of the simulated address registry. The list
// without a practitioner shares the clinic's queues; the practitioner has his own.
func Registry() []registry.Party {
	return []registry.Party{
		Organisation(Clinic()),
		{
			HerID: GPHerID, Name: "Frida Fastlege", ParentHerID: ClinicHerID, HPR: GP.HPR,
			AsyncQueue: "demo_gp_async", SyncQueue: "demo_gp_sync", ErrorQueue: "demo_gp_error", Processes: slices.Clone(offered),
		},
		{
			HerID: ServiceHerID, Name: "Fastlege, liste uten fast lege", ParentHerID: ClinicHerID,
			AsyncQueue: "demo_async", SyncQueue: "demo_sync", ErrorQueue: "demo_error", Processes: slices.Clone(offered[:1]),
		},
	}
}
