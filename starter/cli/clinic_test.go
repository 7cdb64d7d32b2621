package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/domain/reachability"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

const gpID = "0198c0de-0000-7000-8000-00000000057a"

// integrations are a clinic that somebody suspended, and a GP nobody has looked at.
func integrations() []pg.Integration {
	return []pg.Integration{
		{
			Name: "Legesenteret", Status: contract.StatusSuspended, Since: noon, By: "op-1", Reason: "the clinic moves", CheckedAt: noon,
			Preconditions: []pg.Precondition{
				{Item: activation.Item{Key: activation.NHNMember, Owner: activation.OwnerNHN, OK: true}, CheckedAt: noon},
				{
					Item:      activation.Item{Key: activation.EmployeeHerIDs, Owner: activation.OwnerClinic, Reason: activation.NoHerID, About: []string{"s1"}},
					CheckedAt: noon, Staff: []pg.StaffName{{ID: "s1", Name: "Siri Sekretær"}},
				},
				{
					Item:      activation.Item{Key: activation.ServicesRegistered, Owner: activation.OwnerOperator, Reason: activation.NotRegistered, About: []string{"DIALOG_INNBYGGER_EKONTAKT"}},
					CheckedAt: noon,
				},
				{Item: activation.Item{Key: activation.RegistrationSignedOff, Owner: activation.OwnerClinic, OK: true}, CheckedAt: noon, SignedBy: "admin", SignedAt: noon},
			},
		},
		{StaffID: gpID, Name: "Ola Lege", Status: contract.StatusNotActivated},
	}
}

func TestClinicStatusSaysWhoLacksWhat(t *testing.T) {
	t.Parallel()
	r := serve(t, map[string]answer{
		"GET /integration":               {200, api.List[pg.Integration]{Items: integrations()}},
		"GET /integration?staff=" + gpID: {200, api.List[pg.Integration]{Items: integrations()[1:]}},
	})
	got := run(t, r.env(), "", "clinic", "status")
	require.Equal(t, cli.ExitDone, got.code, got.err)
	for _, words := range []string{
		"Legesenteret (the clinic itself): suspended", "since Mon 2026-11-23 13:00:01, by op-1: the clinic moves",
		"yes    nhn-member", "the clinic is a member of Norsk helsenett",
		"NO     employee-her-ids", "Siri Sekretær (s1)",
		"services-registered", "DIALOG_INNBYGGER_EKONTAKT", "operator",
		"signed off by admin Mon 2026-11-23 13:00:01",
		"Ola Lege (GP " + gpID + "): not-activated", "clinic check",
	} {
		require.Contains(t, got.out, words)
	}
	got = run(t, r.env(), "", "clinic", "status", "--gp", gpID, "--json")
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Contains(t, got.out, `"status": "not-activated"`)
	require.NotContains(t, got.out, "Legesenteret")
}

func TestCommandsOnAnIntegration(t *testing.T) {
	t.Parallel()
	const key = "0198c0de-0000-7000-8000-000000000a05"
	for name, c := range map[string]struct {
		args []string
		path string
		body string
	}{
		"activate": {[]string{"clinic", "activate"}, "/integration/activate", `{}`},
		"a GP":     {[]string{"clinic", "activate", "--gp", gpID}, "/integration/activate", `{"staffId":"` + gpID + `"}`},
		"suspend":  {[]string{"clinic", "suspend", "--reason", "moves"}, "/integration/suspend", `{"reason":"moves"}`},
		"resume":   {[]string{"clinic", "resume"}, "/integration/resume", `{}`},
		"check":    {[]string{"clinic", "check", "--gp", gpID}, "/integration/check", `{"staffId":"` + gpID + `"}`},
		"sign off": {[]string{"clinic", "sign-off", "digital-dialogue-ordered"}, "/integration/sign-off", `{"key":"digital-dialogue-ordered"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, map[string]answer{"POST " + c.path: {200, integrations()[0]}})
			got := run(t, r.env(), "", append(c.args, "--id", key)...)
			require.Equal(t, cli.ExitDone, got.code, got.err)
			require.Contains(t, got.out, "Legesenteret (the clinic itself): suspended")
			require.Equal(t, key, r.calls[0].key)
			require.JSONEq(t, c.body, r.calls[0].body)
			require.Equal(t, cli.ExitDone, run(t, r.env(), "", c.args...).code)
			require.Len(t, r.calls[1].key, 36, "a new key")
		})
	}
	require.Equal(t, cli.ExitUsage, run(t, nil, "", "clinic", "suspend").code, "nobody is suspended without a reason")
	require.Equal(t, cli.ExitUsage, run(t, nil, "", "clinic", "sign-off").code)

	r := serve(t, map[string]answer{"POST /integration/activate": {403, api.Problem{Detail: "the right activation:write is missing: it belongs to operator"}}})
	got := run(t, r.env(), "", "clinic", "activate")
	require.Equal(t, cli.ExitRefused, got.code)
	require.Contains(t, got.err, "it belongs to operator")
}

func TestReachabilityInWords(t *testing.T) {
	t.Parallel()
	path := "GET /patients/" + patientID + "/reachability?kind="
	r := serve(t, map[string]answer{
		path + "e-contact": {200, client.Reachability{PatientID: patientID, Kind: contract.ProcessEContact, Reachability: pg.Reachability{
			Reasons: []reachability.Gate{reachability.NoConsent, reachability.NotActive}, KnownAt: noon, AgeSeconds: 3 * 60 * 60, By: "check",
		}, Explained: []string{"no consent: call", "the patient is not on Helsenorge: call"}, CheckFailed: apperr.Unavailable}},
		path + "e-consultation": {200, client.Reachability{Kind: contract.ProcessEConsultation, Reachability: pg.Reachability{
			Reachable: true, Active: true, Other: true, KnownAt: noon, AgeSeconds: 1, By: "message",
		}}},
		"POST /patients/activity": {200, client.ActivityRefresh{Asked: 3, Answered: 2, Active: 1}},
	})
	got := run(t, r.env(), "", "patient", "reachability", patientID)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Equal(t, `The patient cannot be contacted (e-contact):
  no consent: call  (no-consent)
  the patient is not on Helsenorge: call  (not-active)
On Helsenorge: not active, known 3 hours ago (Mon 2026-11-23 13:00:01), from a look-up.
Helsenorge could not be asked now (unavailable): what was known last counts.
`, got.out)
	got = run(t, r.env(), "", "patient", "reachability", patientID, "--kind", "e-consultation")
	require.Equal(t, `The patient can be contacted (e-consultation).
On Helsenorge: active through a representative, known just now (Mon 2026-11-23 13:00:01), from a message of Helsenorge's.
`, got.out)
	got = run(t, r.env(), "", "patient", "refresh-activity")
	require.Equal(t, "Helsenorge was asked about 3 patients and answered about 2: 1 are active there.\n", got.out)
	require.NotEqual(t, cli.ExitDone, run(t, r.env(), "", "patient", "reachability", nationalID).code, "a national id is no argument")
}
