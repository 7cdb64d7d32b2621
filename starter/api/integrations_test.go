package api_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/domain/reachability"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// integration is a clinic whose secretary lacks a HER-id.
func integration() pg.Integration {
	return pg.Integration{Name: "Legesenteret", Status: contract.StatusNotActivated, CheckedAt: start, Preconditions: []pg.Precondition{{
		Item:      activation.Item{Key: activation.EmployeeHerIDs, Owner: activation.OwnerClinic, Reason: activation.NoHerID, About: []string{"s1"}},
		CheckedAt: start, Staff: []pg.StaffName{{ID: "s1", Name: "Siri Sekretær"}},
	}}}
}

func (s *service) ClinicStatus(_ context.Context, _ identity.Principal, _, staffID string) ([]pg.Integration, error) {
	return []pg.Integration{integration()}, s.call(staffID)
}

func (s *service) ChangeActivation(_ context.Context, _ identity.Principal, _ string, ch pg.ActivationChange) (pg.Integration, error) {
	return integration(), s.call(ch)
}

func (s *service) Reachability(_ context.Context, _ identity.Principal, _, id string, kind contract.Process) (client.Reachability, error) {
	return client.Reachability{PatientID: id, Kind: kind, Reachability: pg.Reachability{
		Reasons: []reachability.Gate{reachability.NotActive}, Consents: true, KnownAt: start, AgeSeconds: 60, By: "check",
	}, Explained: []string{"the patient is not on Helsenorge"}}, s.call(asked{id, kind})
}

func (s *service) RefreshActivity(context.Context, identity.Principal, string) (client.ActivityRefresh, error) {
	return client.ActivityRefresh{Asked: 3, Answered: 2, Active: 1}, s.call(nil)
}

func TestIntegrationRequests(t *testing.T) {
	t.Parallel()
	operator, admin, staff := "operator@"+clinicID, "clinic-administrator@"+clinicID, "staff@"+clinicID
	keyed := http.Header{"Idempotency-Key": {key}}
	const integration = "/v1/clinics/{clinic}/integration"
	const status = `{"name":"Legesenteret","status":"not-activated","checkedAt":"2026-11-23T09:00:00Z","preconditions":[` +
		`{"key":"employee-her-ids","owner":"clinic","ok":false,"reason":"without-her-id","about":["s1"],"checkedAt":"2026-11-23T09:00:00Z","staff":[{"id":"s1","name":"Siri Sekretær"}]}]}`
	for name, c := range map[string]struct {
		request
		status int
		last   any
		body   string
	}{
		"status":   {request{method: "GET", path: integration, token: staff}, 200, "", `{"items":[` + status + `]}`},
		"one GP":   {request{method: "GET", path: integration + "?staff=g", token: operator}, 200, "g", `{"items":[`},
		"activate": {request{method: "POST", path: integration + "/activate", token: operator, header: keyed, body: `{}`}, 200, pg.ActivationChange{ID: key, Kind: pg.ActivateIntegration}, status},
		"a GP":     {request{method: "POST", path: integration + "/activate", token: operator, header: keyed, body: `{"staffId":"g"}`}, 200, pg.ActivationChange{ID: key, StaffID: "g", Kind: pg.ActivateIntegration}, status},
		"suspend":  {request{method: "POST", path: integration + "/suspend", token: operator, header: keyed, body: `{"reason":"moves"}`}, 200, pg.ActivationChange{ID: key, Kind: pg.SuspendIntegration, Reason: "moves"}, status},
		"resume":   {request{method: "POST", path: integration + "/resume", token: operator, header: keyed, body: `{}`}, 200, pg.ActivationChange{ID: key, Kind: pg.ResumeIntegration}, status},
		"check":    {request{method: "POST", path: integration + "/check", token: operator, body: `{}`}, 200, pg.ActivationChange{Kind: pg.CheckIntegration}, status},
		"sign off": {request{method: "POST", path: integration + "/sign-off", token: admin, header: keyed, body: `{"key":"registration-signed-off"}`}, 200, pg.ActivationChange{ID: key, Kind: pg.SignOffPrecondition, Key: activation.RegistrationSignedOff}, status},
		"reachable": {request{method: "GET", path: "/v1/clinics/{clinic}/patients/{patient}/reachability?kind=e-contact", token: staff}, 200, asked{patientID, contract.ProcessEContact},
			`"reachable":false,"reasons":["not-active"],"consents":true,"active":false,"self":false,"other":false,"knownAt":"2026-11-23T09:00:00Z","ageSeconds":60,"by":"check","explained":["the patient is not on Helsenorge"]`},
		"refresh": {request{method: "POST", path: "/v1/clinics/{clinic}/patients/activity", token: "service@" + clinicID}, 200, nil, `{"asked":3,"answered":2,"active":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setup(t).answers(t, c.request, c.status, c.last, c.body)
		})
	}
	// A clinic administrator does not activate the clinic (S9).
	f := setup(t)
	f.problem(t, request{method: "POST", path: path(integration + "/activate"), token: admin, body: `{}`}, 403)
	f.problem(t, request{method: "GET", path: path("/v1/clinics/{clinic}/patients/{patient}/reachability"), token: staff}, 422)
}
