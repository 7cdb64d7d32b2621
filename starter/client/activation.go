package client

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// Integrations is what the client needs of the database to activate clinics and to tell
// whether patients can be reached.
type Integrations interface {
	ClinicStatus(ctx context.Context, by identity.Principal, clinicID, staffID string) ([]pg.Integration, error)
	DraftActivation(ctx context.Context, by identity.Principal, clinicID string, ch pg.ActivationChange) (pg.DraftedActivation, error)
	DropActivation(ctx context.Context, clinicID, id string, attempt int) error
	Reachability(ctx context.Context, by identity.Principal, clinicID, patientID string, p contract.Process) (pg.Reachability, error)
	ActivityQuestion(ctx context.Context, clinicID, patientID string) (pg.PatientActivity, bool, error)
	ActivityQuestions(ctx context.Context, by identity.Principal, clinicID, after string, limit int) ([]pg.PatientActivity, string, error)
	RecordActivities(ctx context.Context, clinicID string, all []pg.PatientActivity, at time.Time) error
}

// ActivationKinds lists what can be asked of an integration.
func ActivationKinds() []pg.ActivationKind {
	return []pg.ActivationKind{
		pg.ActivateIntegration, pg.SuspendIntegration, pg.ResumeIntegration, pg.SignOffPrecondition, pg.CheckIntegration,
	}
}

// ClinicStatus reads how the clinic's integration with Helsenorge stands, and those of
// its GPs: status, who changed it last and when, and the checklist of preconditions with
// owner and reason (S1, S9-S13). staffID asks about one GP alone.
func (c *Client) ClinicStatus(ctx context.Context, by identity.Principal, clinicID, staffID string) ([]pg.Integration, error) {
	if err := allow(by, identity.RightClinicRead, clinicID); err != nil {
		return nil, err
	}
	if staffID != "" && !isID(staffID) {
		return nil, apperr.InvalidFields("no GP is named", apperr.Field{Path: "staffId", Rule: "the id of one of the clinic's staff"})
	}
	return c.store.ClinicStatus(ctx, by, clinicID, strings.ToLower(staffID))
}

// ChangeActivation stores a command on the integration of the clinic, or of one of its
// GPs, and has its lifecycle apply it after a look at every precondition. It returns how
// the integration stands then. An operator alone activates, suspends and resumes (S9); a
// clinic administrator may sign off, too (S13).
//
// Idempotent by ActivationChange.ID: the same id and content return the same result, the
// same id with other content is a duplicate. Conflict names the preconditions that fail
// or the status that stands in the way; after unavailable the same id takes it up again.
func (c *Client) ChangeActivation(ctx context.Context, by identity.Principal, clinicID string, ch pg.ActivationChange) (pg.Integration, error) {
	right := identity.RightActivationWrite
	if ch.Kind == pg.SignOffPrecondition {
		right = identity.RightActivationSignOff
	}
	if err := allow(by, right, clinicID); err != nil {
		return pg.Integration{}, err
	}
	if ch.ID == "" {
		ch.ID = uuid.NewString()
	}
	ch.ID, ch.StaffID, ch.Reason = strings.ToLower(ch.ID), strings.ToLower(ch.StaffID), strings.TrimSpace(ch.Reason)
	var f faults
	f.check(isID(ch.ID), "id", "a UUID: the idempotency key")
	f.check(ch.StaffID == "" || isID(ch.StaffID), "staffId", "the id of one of the clinic's staff, or nothing for the clinic itself")
	f.check(slices.Contains(ActivationKinds(), ch.Kind), "kind", "one of %v", ActivationKinds())
	if len(f) > 0 {
		return pg.Integration{}, apperr.InvalidFields("the command has invalid fields", f...)
	}
	drafted, err := c.store.DraftActivation(ctx, by, clinicID, ch)
	if err != nil {
		return pg.Integration{}, err
	}
	if !drafted.Applied {
		id := contract.ActivationWorkflowID(clinicID, ch.StaffID)
		var accepted contract.ChangeAccepted
		err = c.give(ctx, clinicID, command{
			id: ch.ID, process: contract.ProcessActivation, about: contract.ActivationTitle(ch.StaffID),
			workflowID: id, workflow: contract.ActivationWorkflow,
			input:  contract.ActivationInput{ClinicID: clinicID, StaffID: ch.StaffID},
			update: contract.UpdateChange, args: contract.ChangeCommand{CommandID: ch.ID},
		}, &accepted)
	}
	if err != nil {
		return pg.Integration{}, refused(ctx, err, func(ctx context.Context) error {
			return c.store.DropActivation(ctx, clinicID, ch.ID, drafted.Attempt)
		})
	}
	all, err := c.store.ClinicStatus(ctx, by, clinicID, ch.StaffID)
	if err != nil {
		return pg.Integration{}, err
	}
	return all[0], nil
}

// Requirement says in words what a precondition asks for.
func Requirement(k activation.Key) string { return word(requirements, k) }

var requirements = map[activation.Key]string{
	activation.NHNMember:              "the clinic is a member of Norsk helsenett",
	activation.ClinicHerID:            "the clinic's HER-id is in the address registry",
	activation.EmployeeHerIDs:         "every employee has a HER-id there, at the clinic",
	activation.ServicesRegistered:     "every service that is to be offered is registered",
	activation.CertificatesValid:      "the enterprise certificates are valid",
	activation.DigitalDialogueOrdered: "Digital Dialog is ordered from Norsk helsenett",
	activation.RegistrationSignedOff:  "the clinic has signed off its registration",
	activation.ClinicActive:           "the clinic's own integration is active",
	activation.Practitioner:           "the person is a practitioner of the clinic with an HPR number",
	activation.OwnHerID:               "the GP has a party of his own in the address registry, at the clinic",
}

// Lacking says in words why a precondition does not hold, and what to do.
func Lacking(r activation.Reason) string { return word(lacking, r) }

var lacking = map[activation.Reason]string{
	activation.NotMember:          "the registry knows no membership: apply to Norsk helsenett",
	activation.NoHerID:            "there is no HER-id: register it, and write it with the clinic's master data",
	activation.NotInRegistry:      "the HER-id is not in the registry at this clinic: register it, or correct the master data",
	activation.NotOfClinic:        "the HER-id is registered somewhere else: correct the registry or the master data",
	activation.NotRegistered:      "register these services, or take them out of the clinic's master data",
	activation.NothingWished:      "no service is named for the party: write the processes with the clinic's master data",
	activation.NoCertificate:      "the registry has no such certificate: order one and publish it",
	activation.CertificateExpired: "the certificate has expired: renew it and publish the new one",
	activation.CertificateExpires: "the certificate expires within days: renew it and publish the new one",
	activation.CertificateEarly:   "the certificate is not valid yet",
	activation.NotSignedOff:       "nobody has signed it off: clinic sign-off",
	activation.ClinicNotActive:    "activate the clinic first",
	activation.NotPractitioner:    "only an active practitioner of the clinic offers services",
	activation.NoHPR:              "the HPR number is missing: write it with the clinic's master data",
}
