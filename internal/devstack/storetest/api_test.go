package storetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"

	preconditions "github.com/helsebro/helsebro/activities/registry"
	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

// applies stands in for the lifecycles of appointments and integrations: it applies each
// change at once, as they do, and has no state to tell.
type applies struct {
	store *pg.Store
	input any
}

func (a *applies) NewWithStartWorkflowOperation(_ sdkclient.StartWorkflowOptions, _ any, args ...any) sdkclient.WithStartWorkflowOperation {
	a.input = args[0]
	return nil
}

func (a *applies) UpdateWithStartWorkflow(ctx context.Context, o sdkclient.UpdateWithStartWorkflowOptions) (sdkclient.WorkflowUpdateHandle, error) {
	command, _ := o.UpdateOptions.Args[0].(contract.ChangeCommand)
	if in, ok := a.input.(contract.ActivationInput); ok {
		out, err := preconditions.New(a.store, storetest.Registered(demo.Clinic())).ApplyActivation(ctx, contract.ApplyActivationInput{
			ClinicID: in.ClinicID, StaffID: in.StaffID, CommandID: command.CommandID, Now: time.Now(),
		})
		return applied{contract.ChangeAccepted{CommandID: command.CommandID, Status: out.Status}}, err
	}
	in, _ := a.input.(contract.AppointmentInput)
	out, err := a.store.ApplyChange(ctx, contract.ApplyChangeInput{
		ClinicID: in.ClinicID, AppointmentID: in.AppointmentID, CommandID: command.CommandID, Now: time.Now(),
	})
	if err != nil {
		return nil, apperr.ToTemporal(err)
	}
	return applied{contract.ChangeAccepted{CommandID: command.CommandID, Revision: out.Facts.Revision, Status: out.Facts.Status}}, nil
}

func (a *applies) QueryWorkflowWithOptions(context.Context, *sdkclient.QueryWorkflowWithOptionsRequest) (*sdkclient.QueryWorkflowWithOptionsResponse, error) {
	return nil, serviceerror.NewNotFound("no workflow")
}

func (a *applies) UpdateWorkflow(context.Context, sdkclient.UpdateWorkflowOptions) (sdkclient.WorkflowUpdateHandle, error) {
	return nil, serviceerror.NewNotFound("no workflow")
}

func (a *applies) SignalWorkflow(context.Context, string, string, string, any) error { return nil }

func (a *applies) SignalWithStartWorkflow(context.Context, string, string, any, sdkclient.StartWorkflowOptions, any, ...any) (sdkclient.WorkflowRun, error) {
	return nil, serviceerror.NewUnavailable("no server")
}

type applied struct{ contract.ChangeAccepted }

func (applied) WorkflowID() string { return "" }
func (applied) RunID() string      { return "" }
func (applied) UpdateID() string   { return "" }
func (a applied) Get(_ context.Context, to any) error {
	*to.(*contract.ChangeAccepted) = a.ChangeAccepted //nolint:forcetypeassert // the only command here
	return nil
}

// TestAClinicsDayOnTheCommandLine seeds the demonstration clinic and does what a
// secretary does with an appointment: command line, HTTP API, client and store are the
// real ones.
func TestAClinicsDayOnTheCommandLine(t *testing.T) {
	_, s := setup(t)
	dir := t.TempDir()
	run := func(env map[string]string, args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), args, cli.Environment{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(k string) string { return env[k] }}, cli.Processes{})
		return code, out.String() + errs.String()
	}
	code, out := run(nil, "demo", "init", dir)
	require.Equal(t, cli.ExitDone, code, out)
	verifier, err := identity.NewVerifier(config.Identity{Issuer: identity.DevIssuerName, Audience: identity.DevAudience, JWKSFile: filepath.Join(dir, "etc", "jwks.json")})
	require.NoError(t, err)
	server := httptest.NewServer(api.New(client.New(s, &applies{store: s}), verifier, nil, slog.New(slog.NewTextHandler(io.Discard, nil))))
	t.Cleanup(server.Close)
	issuer, err := identity.OpenDevIssuer(filepath.Join(dir, "issuer-key.pem"))
	require.NoError(t, err)
	environment := func(p identity.Principal) map[string]string {
		token, err := issuer.Issue(p, time.Hour)
		require.NoError(t, err)
		return map[string]string{"HELSEBRO_API_URL": server.URL, "HELSEBRO_CLINIC": demo.ClinicID, "HELSEBRO_TOKEN": token}
	}
	does := func(p identity.Principal, want int, args ...string) string {
		t.Helper()
		code, out := run(environment(p), args...)
		require.Equal(t, want, code, out)
		return out
	}
	reads := func(p identity.Principal, into any, args ...string) {
		t.Helper()
		require.NoError(t, json.Unmarshal([]byte(does(p, cli.ExitDone, append(args, "--json")...)), into))
	}

	for range 2 {
		does(demo.Desk, cli.ExitDone, "demo", "seed", dir)
	}
	var calendars api.List[pg.CalendarState]
	reads(demo.Desk, &calendars, "calendar", "list")
	require.Len(t, calendars.Items, 1)
	require.True(t, calendars.Items[0].BookingOpen, calendars.Items[0].Reason)
	var slots api.List[pg.Slot]
	reads(demo.Desk, &slots, "slot", "list", demo.CalendarID, "--days", "16")
	require.Greater(t, len(slots.Items), 100, "two weeks, whatever holidays are in them")
	patientID, err := s.PatientByNationalID(t.Context(), demo.Service, demo.ClinicID, demo.Patient().NationalID)
	require.NoError(t, err)
	require.Contains(t, does(demo.Desk, cli.ExitDone, "contact", "list", patientID), "bounce@example.invalid")

	var booked, again client.Changed
	book := []string{"appointment", "book", "--patient", patientID, "--slot", slots.Items[0].ID, "--comment", "Kneet", "--id", "0198c0de-0000-7000-8000-0000000000b1"}
	reads(demo.Desk, &booked, book...)
	reads(demo.Desk, &again, book...)
	require.Equal(t, booked, again, "the same id is the same booking")
	id := booked.AppointmentID
	require.Contains(t, does(demo.GP, cli.ExitRefused, "appointment", "book", "--patient", patientID, "--slot", slots.Items[0].ID), "taken")

	require.Contains(t, does(demo.Desk, cli.ExitDone, "appointment", "move", id, "--slot", slots.Items[2].ID), "moved")
	require.Contains(t, does(demo.Desk, cli.ExitRefused, "appointment", "cancel", id, "--revision", "1"), "(state: booked)")
	var entries api.List[pg.CalendarEntry]
	reads(demo.Desk, &entries, "appointment", "list", "--patient", patientID)
	require.Len(t, entries.Items, 1)
	require.Equal(t, slots.Items[2].StartsAt, entries.Items[0].StartsAt)
	require.Equal(t, "Kneet", entries.Items[0].Comment)
	require.NotContains(t, does(demo.Desk, cli.ExitDone, "appointment", "list", "--patient", patientID, "--json"), "clinic\"", "where it was booked is not shown (S92)")

	require.Contains(t, does(demo.Desk, cli.ExitDone, "appointment", "hide", id), "hidden")
	require.Contains(t, does(demo.Desk, cli.ExitDone, "appointment", "show", id), "booked, hidden")
	does(demo.Desk, cli.ExitDone, "appointment", "cancel", id)
	require.Contains(t, does(demo.Desk, cli.ExitDone, "appointment", "restore", id), "back in the calendar")
	require.Contains(t, does(demo.Desk, cli.ExitRefused, "appointment", "missed", id), "not begun")

	explained := does(demo.Desk, cli.ExitDone, "explain", id, "--verbose")
	for _, word := range []string{"revision 5", "change", "it was put back", "workflow  unknown"} {
		require.Contains(t, explained, word)
	}
	require.NotContains(t, explained, demo.Patient().FamilyName)
	require.NotContains(t, explained, "booked through")
	auditor := identity.Principal{Subject: "audit", ClinicID: demo.ClinicID, Role: identity.RoleAuditor}
	require.Contains(t, does(auditor, cli.ExitDone, "explain", id), "booked through clinic")
	require.Contains(t, does(demo.Admin, cli.ExitRefused, "appointment", "show", id), string(identity.RightAppointmentRead))
}
