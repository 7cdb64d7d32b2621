package api

import (
	"context"
	"net/http"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// Integrations is what the API offers to activate a clinic on Helsenorge, and to tell
// whether its patients can be reached there.
type Integrations interface {
	ClinicStatus(ctx context.Context, by identity.Principal, clinicID, staffID string) ([]pg.Integration, error)
	ChangeActivation(ctx context.Context, by identity.Principal, clinicID string, ch pg.ActivationChange) (pg.Integration, error)
	Reachability(ctx context.Context, by identity.Principal, clinicID, patientID string, kind contract.Process) (client.Reachability, error)
	RefreshActivity(ctx context.Context, by identity.Principal, clinicID string) (client.ActivityRefresh, error)
}

// ActivationRequest says whose integration is meant, and why.
type ActivationRequest struct {
	StaffID string `json:"staffId,omitempty" doc:"The GP whose integration it is; without it the clinic's own"`
	Key     string `json:"key,omitempty" doc:"The precondition that is signed off: digital-dialogue-ordered or registration-signed-off"`
	Reason  string `json:"reason,omitempty" doc:"Why, for people, at most 500 characters on one line; required to suspend"`
}

type activationIn struct {
	InClinic
	Keyed
	Body ActivationRequest
}

func (a *API) registerIntegrations(s Integrations) {
	secured(a, identity.RightClinicRead, get("/integration", "read-integration",
		"How the integrations of the clinic and of its GPs with Helsenorge stand, each with its checklist: owner, reason, and who lacks a HER-id"),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Staff string `query:"staff" doc:"One GP alone, by staff id"`
		}) (*listOut[pg.Integration], error) {
			all, err := s.ClinicStatus(ctx, c.Principal, c.clinic, in.Staff)
			return list(all, renamed(err, "staffId", "query.staff"))
		})
	for _, command := range []struct {
		kind    pg.ActivationKind
		right   identity.Right
		summary string
	}{
		{pg.ActivateIntegration, identity.RightActivationWrite, "Activate an integration, if every precondition holds"},
		{pg.SuspendIntegration, identity.RightActivationWrite, "Suspend an integration: nothing is offered or sent until it is resumed"},
		{pg.ResumeIntegration, identity.RightActivationWrite, "Resume a suspended integration, if every precondition holds"},
		{pg.CheckIntegration, identity.RightActivationWrite, "Look at the preconditions now"},
		{pg.SignOffPrecondition, identity.RightActivationSignOff, "Sign off that a precondition holds which no registry tells of"},
	} {
		kind := string(command.kind)
		secured(a, command.right, op(http.MethodPost, "/integration/"+kind, kind+"-integration", command.summary, http.StatusOK),
			func(ctx context.Context, c caller, in *activationIn) (*bodyOut[pg.Integration], error) {
				i, err := s.ChangeActivation(ctx, c.Principal, c.clinic, pg.ActivationChange{
					ID: in.Key, StaffID: in.Body.StaffID, Kind: command.kind, Key: activation.Key(in.Body.Key), Reason: in.Body.Reason,
				})
				return body(i, renamed(err, "id", "header.Idempotency-Key"))
			})
	}
	secured(a, identity.RightAppointmentRead, get("/patients/{patient}/reachability", "read-reachability",
		"Whether a dialogue can be sent to a patient, and if not, why and what to do instead"),
		func(ctx context.Context, c caller, in *struct {
			InPatient
			Kind contract.Process `query:"kind" required:"true" doc:"e-contact, e-consultation or e-dialogue"`
		}) (*bodyOut[client.Reachability], error) {
			r, err := s.Reachability(ctx, c.Principal, c.clinic, in.Patient, in.Kind)
			r.Reasons, r.Explained = nonNil(r.Reasons), nonNil(r.Explained)
			return body(r, inQuery(err))
		})
	secured(a, identity.RightPatientWrite, op(http.MethodPost, "/patients/activity", "refresh-activity",
		"Ask Helsenorge about every patient whose status there is older than the clinic's setting", http.StatusOK),
		func(ctx context.Context, c caller, _ *InClinic) (*bodyOut[client.ActivityRefresh], error) {
			return body(s.RefreshActivity(ctx, c.Principal, c.clinic))
		})
}
