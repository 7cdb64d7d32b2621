package identity

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Role is what a caller is in its clinic, or in the installation.
type Role string

// The roles, as a token's scope names them after the audience and a slash.
const (
	// RoleClinicAdministrator sets the clinic up: routing, staff, services.
	RoleClinicAdministrator Role = "clinic-administrator"
	// RolePractitioner is health personnel with an HPR number.
	RolePractitioner Role = "practitioner"
	// RoleStaff is a secretary or other staff who handle dialogues.
	RoleStaff Role = "staff"
	// RolePortal is the clinic's own patient portal or app (S78).
	RolePortal Role = "portal"
	// RoleOperator runs the installation and reads no content.
	RoleOperator Role = "operator"
	// RoleAuditor reads who has read what.
	RoleAuditor Role = "auditor"
	// RoleService is a back end of the clinic's record system.
	RoleService Role = "service"
)

// Right is one thing that may be done. It is named in refusals.
type Right string

// The rights. Rights says what each allows and who has it.
const (
	RightDialogueRead   Right = "dialogue:read"
	RightDialogueAnswer Right = "dialogue:answer"
	RightDialogueHandle Right = "dialogue:handle"
	RightInboxRead      Right = "inbox:read"
	RightMessageRead    Right = "message:read"
	RightMessageResend  Right = "message:resend"
	RightJournalRead    Right = "journal:read"
	RightPatientRead    Right = "patient:read"
	RightPatientWrite   Right = "patient:write"
	RightPatientErase   Right = "patient:erase"
	RightRoutingRead    Right = "routing:read"
	RightRoutingWrite   Right = "routing:write"
	RightClinicRead     Right = "clinic:read"
	RightClinicWrite    Right = "clinic:write"
	RightCaseRead       Right = "case:read"
	RightCaseResolve    Right = "case:resolve"
	RightLedgerRead     Right = "ledger:read"
	RightAuditRead      Right = "audit:read"
	RightQuarantineRead Right = "quarantine:read"

	RightQuarantineDecide Right = "quarantine:decide"

	RightMetricsRead Right = "metrics:read"
	RightPayloadRead Right = "payload:read"

	RightSettingsRead     Right = "settings:read"
	RightSettingsWrite    Right = "settings:write"
	RightCalendarRead     Right = "calendar:read"
	RightCalendarWrite    Right = "calendar:write"
	RightAppointmentRead  Right = "appointment:read"
	RightAppointmentWrite Right = "appointment:write"
	RightPortalRead       Right = "portal:read"
	RightPortalBook       Right = "portal:book"
	RightPortalWrite      Right = "portal:write"

	RightActivationWrite   Right = "activation:write"
	RightActivationSignOff Right = "activation:sign-off"
)

// Grant is one row of the table of rights.
type Grant struct {
	Right Right
	// Allows says in words what the right is for.
	Allows string
	// Roles have the right.
	Roles []Role
}

// grants is the table. Content (titles, texts, files, names) is read by those who
// treat patients and by the record system; who runs the installation or sets up a
// clinic sees codes, ids and instants: a clinic administrator whose turn it is to answer,
// and not what was asked. A service reads and writes for the record system, but an answer
// to a citizen has a person as its author. The portal acts for patients and has its own
// rights only: what it shows is less than what staff see.
var grants = []Grant{
	{RightDialogueRead, "list dialogues and read their state", []Role{RolePractitioner, RoleStaff, RoleService, RoleClinicAdministrator}},
	{RightDialogueAnswer, "answer and end dialogues", []Role{RolePractitioner, RoleStaff}},
	{RightDialogueHandle, "take, assign and forward dialogues", []Role{RolePractitioner, RoleStaff, RoleClinicAdministrator}},
	{RightInboxRead, "see what lies in inboxes, and whose turn it is", []Role{RolePractitioner, RoleStaff, RoleService, RoleClinicAdministrator}},
	{RightMessageRead, "open messages and files", []Role{RolePractitioner, RoleStaff, RoleService}},
	{RightMessageResend, "send a message again that is overdue or was reported", []Role{RoleClinicAdministrator, RolePractitioner, RoleStaff, RoleOperator}},
	{RightJournalRead, "read journal entries", []Role{RolePractitioner, RoleStaff, RoleService}},
	{RightPatientRead, "find a patient's id", []Role{RoleClinicAdministrator, RolePractitioner, RoleStaff, RoleService}},
	{RightPatientWrite, "write patients of the record system", []Role{RoleService}},
	{RightPatientErase, "erase a patient", []Role{RoleClinicAdministrator}},
	{RightRoutingRead, "read routing rules", []Role{RoleClinicAdministrator, RolePractitioner, RoleStaff, RoleService, RoleOperator}},
	{RightRoutingWrite, "change routing rules", []Role{RoleClinicAdministrator}},
	{RightClinicRead, "read a clinic's set-up and staff", []Role{RoleClinicAdministrator, RolePractitioner, RoleStaff, RoleService, RoleOperator}},
	{RightClinicWrite, "change a clinic's set-up and staff", []Role{RoleClinicAdministrator, RoleService, RoleOperator}},
	{RightCaseRead, "read operator cases", []Role{RoleClinicAdministrator, RoleOperator}},
	{RightCaseResolve, "resolve operator cases", []Role{RoleClinicAdministrator, RoleOperator}},
	{RightLedgerRead, "read the ledger of effects", []Role{RoleClinicAdministrator, RolePractitioner, RoleStaff, RoleService, RoleOperator, RoleAuditor}},
	{RightAuditRead, "read who did what", []Role{RoleAuditor}},
	{RightQuarantineRead, "see what is in quarantine", []Role{RoleOperator}},
	{RightQuarantineDecide, "try messages in quarantine again, put them back on their queue, or discard them", []Role{RoleOperator}},
	{RightMetricsRead, "read metrics", []Role{RoleOperator}},
	{RightPayloadRead, "read what lifecycles hold, in the Temporal UI", []Role{RoleOperator}},
	{RightSettingsRead, "read what a clinic has chosen about appointments", []Role{RoleClinicAdministrator, RolePractitioner, RoleStaff, RoleService, RoleOperator}},
	{RightSettingsWrite, "change what a clinic has chosen about appointments", []Role{RoleClinicAdministrator}},
	{RightCalendarRead, "read calendars, types and slots", []Role{RoleClinicAdministrator, RolePractitioner, RoleStaff, RoleService, RoleOperator}},
	{RightCalendarWrite, "change calendars, types and slots", []Role{RoleClinicAdministrator, RoleService}},
	{RightAppointmentRead, "read appointments, and how a patient is reached and represented", []Role{RolePractitioner, RoleStaff, RoleService}},
	{RightAppointmentWrite, "make and change appointments", []Role{RolePractitioner, RoleStaff, RoleService}},
	{RightPortalRead, "read a patient's own appointments, e-dialogues, notices and free slots", []Role{RolePortal}},
	{RightPortalBook, "book and cancel for a patient", []Role{RolePortal}},
	{RightPortalWrite, "write to the clinic for a patient", []Role{RolePortal}},
	{RightActivationWrite, "activate, suspend and resume an integration with Helsenorge", []Role{RoleOperator}},
	{RightActivationSignOff, "sign off what an integration needs", []Role{RoleClinicAdministrator, RoleOperator}},
}

// Rights returns the table of rights: every right once, with who has it. It is a
// copy.
func Rights() []Grant {
	table := slices.Clone(grants)
	for i := range table {
		table[i].Roles = slices.Clone(table[i].Roles)
	}
	return table
}

func known(r Role) bool {
	switch r {
	case RoleClinicAdministrator, RolePractitioner, RoleStaff, RolePortal, RoleOperator, RoleAuditor, RoleService:
		return true
	}
	return false
}

// Principal is a caller whose token is verified. The zero value may do nothing.
type Principal struct {
	// Subject is the issuer's opaque name for the caller; the audit keeps it.
	Subject string
	// ClientID is the system that the caller uses.
	ClientID string
	// ClinicID is the clinic the caller acts for; "" only for an operator of the
	// whole installation.
	ClinicID string
	Role     Role
	// Organisation is the organisation number the caller acts for.
	Organisation string
	// HPR is the health personnel number, "" for who has none.
	HPR string
}

// May tells whether the caller's role has the right.
func (p Principal) May(r Right) bool {
	for _, g := range grants {
		if g.Right == r {
			return slices.Contains(g.Roles, p.Role)
		}
	}
	return false
}

// Require is nil when the caller has the right, and else apperr.Forbidden that
// names the missing right and the roles that have it.
func (p Principal) Require(r Right) error {
	if p.May(r) {
		return nil
	}
	who := "no role has it"
	for _, g := range grants {
		if g.Right == r {
			roles := make([]string, len(g.Roles))
			for i, role := range g.Roles {
				roles[i] = string(role)
			}
			who = "it belongs to " + strings.Join(roles, ", ")
		}
	}
	caller := "the caller has no role"
	if p.Role != "" {
		caller = fmt.Sprintf("the caller is %s", p.Role)
	}
	return apperr.New(apperr.Forbidden, "the right %s is missing: %s; %s", r, who, caller)
}

// RequireClinic is nil when the clinic is the caller's, or the caller is an
// operator of the installation, and else apperr.NotFound: whether another
// clinic's resource exists is not told.
func (p Principal) RequireClinic(clinicID string) error {
	if clinicID != "" && (p.ClinicID == clinicID || p.installation()) {
		return nil
	}
	return apperr.New(apperr.NotFound, "no such thing in the caller's clinic")
}

// installation tells whether the caller acts for every clinic.
func (p Principal) installation() bool { return p.Role == RoleOperator && p.ClinicID == "" }

type contextKey struct{}

// With returns ctx with the caller.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// From returns the caller; without one ok is false and the principal has no right.
func From(ctx context.Context) (p Principal, ok bool) {
	p, ok = ctx.Value(contextKey{}).(Principal)
	return p, ok
}
