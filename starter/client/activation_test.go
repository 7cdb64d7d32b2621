package client_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/domain/reachability"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/starter/client"
)

// fakeIntegrations is what the store knows of integrations and of patients' activity.
type fakeIntegrations struct {
	commands map[string]pg.ActivationChange
	done     bool
	// questions are the patients who may be asked about, in order of their ids.
	questions []pg.PatientActivity
	known     map[string]pg.PatientActivity
	reach     pg.Reachability
}

func (s *fakeStore) ClinicStatus(_ context.Context, _ identity.Principal, _, staffID string) ([]pg.Integration, error) {
	s.called("ClinicStatus")
	return []pg.Integration{{StaffID: staffID, Status: contract.StatusActive}}, nil
}

func (s *fakeStore) DraftActivation(_ context.Context, _ identity.Principal, _ string, ch pg.ActivationChange) (pg.DraftedActivation, error) {
	s.called("DraftActivation")
	if s.commands == nil {
		s.commands = map[string]pg.ActivationChange{}
	}
	s.commands[ch.ID] = ch
	return pg.DraftedActivation{Applied: s.done, Attempt: 1}, nil
}

func (s *fakeStore) DropActivation(_ context.Context, _, id string, _ int) error {
	s.called("DropActivation")
	delete(s.commands, id)
	return nil
}

// Reachability is fresh once the patient's activity is known.
func (s *fakeStore) Reachability(_ context.Context, _ identity.Principal, _, id string, p contract.Process) (pg.Reachability, error) {
	s.called("Reachability")
	r := s.reach
	if a, ok := s.known[id]; ok {
		r.Stale, r.Self, r.Other, r.Active = false, a.Self, a.Other, a.Self || a.Other
		r.Reasons = nil
		if !r.Active {
			r.Reasons = []reachability.Gate{reachability.NotActive}
		}
	}
	r.Stale = r.Stale && p != contract.ProcessEDialogue
	r.Reachable = len(r.Reasons) == 0
	return r, nil
}

func (s *fakeStore) ActivityQuestion(_ context.Context, _, id string) (pg.PatientActivity, bool, error) {
	s.called("ActivityQuestion")
	for _, q := range s.questions {
		if q.PatientID == id {
			return q, true, nil
		}
	}
	return pg.PatientActivity{}, false, nil
}

func (s *fakeStore) ActivityQuestions(_ context.Context, _ identity.Principal, _, after string, limit int) ([]pg.PatientActivity, string, error) {
	s.called("ActivityQuestions")
	var page []pg.PatientActivity
	for _, q := range s.questions {
		if _, ok := s.known[q.PatientID]; !ok && q.PatientID > after && len(page) < limit {
			page = append(page, q)
		}
	}
	next := ""
	if len(page) == limit {
		next = page[limit-1].PatientID
	}
	return page, next, nil
}

func (s *fakeStore) RecordActivities(_ context.Context, _ string, all []pg.PatientActivity, at time.Time) error {
	s.called("RecordActivities")
	if at.IsZero() || at.After(time.Now()) {
		return apperr.New(apperr.Internal, "an answer is from when it was asked for")
	}
	if s.known == nil {
		s.known = map[string]pg.PatientActivity{}
	}
	for _, a := range all {
		s.known[a.PatientID] = a
	}
	return nil
}

// fakeHelsenorge says who is active: whoever has an even last digit, himself.
type fakeHelsenorge struct {
	err   error
	asked []int
	left  map[string]bool
}

func (f *fakeHelsenorge) Check(_ context.Context, ids []string) (map[string]registry.Activity, error) {
	f.asked = append(f.asked, len(ids))
	if f.err != nil {
		return nil, f.err
	}
	said := map[string]registry.Activity{}
	for _, id := range ids {
		if !f.left[id] {
			said[id] = registry.Activity{Self: strings.ContainsAny(id[len(id)-1:], "02468")}
		}
	}
	return said, nil
}

func integrationMethods(ctx context.Context) map[string]method {
	only := func(_ any, err error) error { return err }
	change := func(kind pg.ActivationKind, key activation.Key) func(c *client.Client, p identity.Principal) error {
		return func(c *client.Client, p identity.Principal) error {
			return only(c.ChangeActivation(ctx, p, clinicID, pg.ActivationChange{Kind: kind, Key: key, Reason: "why"}))
		}
	}
	return map[string]method{
		"ClinicStatus": {identity.RightClinicRead, func(c *client.Client, p identity.Principal) error { return only(c.ClinicStatus(ctx, p, clinicID, "")) }},
		"Activate":     {identity.RightActivationWrite, change(pg.ActivateIntegration, "")},
		"Suspend":      {identity.RightActivationWrite, change(pg.SuspendIntegration, "")},
		"Resume":       {identity.RightActivationWrite, change(pg.ResumeIntegration, "")},
		"Check":        {identity.RightActivationWrite, change(pg.CheckIntegration, "")},
		"SignOff":      {identity.RightActivationSignOff, change(pg.SignOffPrecondition, activation.RegistrationSignedOff)},
		"Reachability": {identity.RightAppointmentRead, func(c *client.Client, p identity.Principal) error {
			return only(c.Reachability(ctx, p, clinicID, patientID, contract.ProcessEContact))
		}},
		"RefreshActivity": {identity.RightPatientWrite, func(c *client.Client, p identity.Principal) error { return only(c.RefreshActivity(ctx, p, clinicID)) }},
	}
}

// TestOnlyAnOperatorActivates (S9): and whoever runs the clinic may say that its
// registration is right (S13).
func TestOnlyAnOperatorActivates(t *testing.T) {
	t.Parallel()
	operator, admin := as(identity.RoleOperator), as(identity.RoleClinicAdministrator)
	for _, kind := range client.ActivationKinds() {
		_, err := client.New(newStore(""), &fakeTemporal{}).ChangeActivation(t.Context(), operator, clinicID, pg.ActivationChange{Kind: kind})
		require.NoError(t, err, kind)
		_, err = client.New(newStore(""), &fakeTemporal{}).ChangeActivation(t.Context(), admin, clinicID, pg.ActivationChange{Kind: kind})
		if kind == pg.SignOffPrecondition {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, apperr.Forbidden, apperr.KindOf(err), kind)
		require.ErrorContains(t, err, "operator")
	}
	_, err := client.New(newStore(""), &fakeTemporal{}).ChangeActivation(t.Context(), operator, clinicID, pg.ActivationChange{Kind: "delete"})
	require.Equal(t, apperr.Invalid, apperr.KindOf(err))
}

func TestAnActivationIsGivenToItsLifecycle(t *testing.T) {
	t.Parallel()
	store, temporal := newStore(""), &fakeTemporal{}
	change := pg.ActivationChange{ID: uuid.NewString(), StaffID: strings.ToUpper(staffID), Kind: pg.ActivateIntegration}
	got, err := client.New(store, temporal).ChangeActivation(t.Context(), as(identity.RoleOperator), clinicID, change)
	require.NoError(t, err)
	require.Equal(t, pg.Integration{StaffID: staffID, Status: contract.StatusActive}, got)
	require.Equal(t, contract.ActivationInput{ClinicID: clinicID, StaffID: staffID}, temporal.input)
	require.Equal(t, "activation/"+clinicID+"/"+staffID, temporal.start.ID)
	process, _ := temporal.start.TypedSearchAttributes.GetKeyword(contract.AttrProcess)
	require.Equal(t, "activation", process)
	require.Equal(t, change.ID, temporal.update.UpdateID)
	require.Equal(t, []any{contract.ChangeCommand{CommandID: change.ID}}, temporal.update.Args)

	// A refusal leaves no command behind, an unknown fate does.
	temporal.outcome = apperr.ToTemporal(apperr.InState("not-activated", "not every precondition holds: nhn-member"))
	_, err = client.New(store, temporal).ChangeActivation(t.Context(), as(identity.RoleOperator), clinicID, change)
	require.Equal(t, apperr.Conflict, apperr.KindOf(err))
	require.ErrorContains(t, err, "nhn-member")
	require.Empty(t, store.commands)
	temporal.outcome, temporal.callErr = nil, context.DeadlineExceeded
	_, err = client.New(store, temporal).ChangeActivation(t.Context(), as(identity.RoleOperator), clinicID, change)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	require.Contains(t, store.commands, change.ID)

	// What was applied before is not given again.
	before := temporal.updates
	store.done = true
	_, err = client.New(store, temporal).ChangeActivation(t.Context(), as(identity.RoleOperator), clinicID, change)
	require.NoError(t, err)
	require.Equal(t, before, temporal.updates)
}

func TestReachabilityAsksHelsenorgeOnlyWhenItMust(t *testing.T) {
	t.Parallel()
	unknown := pg.Reachability{Stale: true, Reasons: []reachability.Gate{reachability.StatusUnknown}}
	even, odd := pg.PatientActivity{PatientID: patientID, NationalID: "2"}, pg.PatientActivity{PatientID: patientID, NationalID: "1"}
	for name, c := range map[string]struct {
		reach    pg.Reachability
		question []pg.PatientActivity
		asks     *fakeHelsenorge
		kind     contract.Process
		want     []reachability.Gate
		asked    int
		failed   apperr.Kind
	}{
		"fresh":                  {pg.Reachability{Active: true}, []pg.PatientActivity{even}, &fakeHelsenorge{}, contract.ProcessEContact, nil, 0, ""},
		"stale and active":       {unknown, []pg.PatientActivity{even}, &fakeHelsenorge{}, contract.ProcessEContact, nil, 1, ""},
		"stale and not active":   {unknown, []pg.PatientActivity{odd}, &fakeHelsenorge{}, contract.ProcessEContact, []reachability.Gate{reachability.NotActive}, 1, ""},
		"nothing to ask by":      {unknown, nil, &fakeHelsenorge{}, contract.ProcessEContact, unknown.Reasons, 0, ""},
		"nobody answers":         {unknown, []pg.PatientActivity{even}, &fakeHelsenorge{err: apperr.New(apperr.Unavailable, "down")}, contract.ProcessEContact, unknown.Reasons, 1, apperr.Unavailable},
		"old but known":          {pg.Reachability{Stale: true, Active: true}, []pg.PatientActivity{even}, &fakeHelsenorge{err: apperr.New(apperr.Unavailable, "down")}, contract.ProcessEContact, nil, 1, apperr.Unavailable},
		"we may not ask":         {unknown, []pg.PatientActivity{even}, &fakeHelsenorge{err: apperr.New(apperr.Forbidden, "no")}, contract.ProcessEContact, unknown.Reasons, 1, apperr.Forbidden},
		"left out of the answer": {unknown, []pg.PatientActivity{even}, &fakeHelsenorge{left: map[string]bool{"2": true}}, contract.ProcessEContact, unknown.Reasons, 1, apperr.Unavailable},
		"never to Helsenorge":    {pg.Reachability{Stale: true}, []pg.PatientActivity{even}, &fakeHelsenorge{}, contract.ProcessEDialogue, nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore("")
			store.reach, store.questions = c.reach, c.question
			got, err := client.New(store, &fakeTemporal{}, client.WithActivity(c.asks)).Reachability(t.Context(), desk(), clinicID, patientID, c.kind)
			require.NoError(t, err)
			require.Equal(t, c.want, got.Reasons)
			require.Equal(t, len(c.want) == 0, got.Reachable)
			require.Equal(t, c.failed, got.CheckFailed)
			require.Len(t, c.asks.asked, c.asked)
			require.Len(t, got.Explained, len(c.want))
			for i, words := range got.Explained {
				require.NotEqual(t, string(c.want[i]), words, "a code is no explanation")
			}
		})
	}

	// Where nobody can be asked at all, the last known counts.
	store := newStore("")
	store.reach, store.questions = unknown, []pg.PatientActivity{even}
	got, err := client.New(store, &fakeTemporal{}).Reachability(t.Context(), desk(), clinicID, patientID, contract.ProcessEContact)
	require.NoError(t, err)
	require.Equal(t, apperr.Unavailable, got.CheckFailed)

	_, err = client.New(newStore(""), &fakeTemporal{}).Reachability(t.Context(), desk(), clinicID, patientID, contract.ProcessPrescription)
	require.Equal(t, apperr.Invalid, apperr.KindOf(err), "nobody but a citizen opens a renewal request")
}

// TestRefreshAsksInBatches: 1000 people a call, and a repetition only about those whom
// the first did not reach.
func TestRefreshAsksInBatches(t *testing.T) {
	t.Parallel()
	store := newStore("")
	for n := range 2300 {
		store.questions = append(store.questions, pg.PatientActivity{PatientID: fmt.Sprintf("p%05d", n), NationalID: fmt.Sprint(n)})
	}
	asks := &fakeHelsenorge{left: map[string]bool{"0": true}}
	service := client.New(store, &fakeTemporal{}, client.WithActivity(asks))
	got, err := service.RefreshActivity(t.Context(), as(identity.RoleService), clinicID)
	require.NoError(t, err)
	require.Equal(t, []int{1000, 1000, 300}, asks.asked)
	require.Equal(t, client.ActivityRefresh{Asked: 2300, Answered: 2299, Active: 1149}, got)
	require.Len(t, store.known, 2299)

	asks.asked, asks.left = nil, nil
	got, err = service.RefreshActivity(t.Context(), as(identity.RoleService), clinicID)
	require.NoError(t, err)
	require.Equal(t, []int{1}, asks.asked)
	require.Equal(t, client.ActivityRefresh{Asked: 1, Answered: 1, Active: 1}, got)

	// What was answered before Helsenorge went down is kept.
	store.known = nil
	asks.err = apperr.New(apperr.Unavailable, "down")
	got, err = service.RefreshActivity(t.Context(), as(identity.RoleService), clinicID)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	require.Zero(t, got)
}

// TestEveryCodeHasWords: whoever reads a checklist or a refusal reads what to do.
func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()
	for _, g := range []reachability.Gate{
		reachability.NumberMissing, reachability.NumberInvalid, reachability.HelpNumber, reachability.SyntheticNumber, reachability.Deceased,
		reachability.NotActivated, reachability.Suspended, reachability.NotOffered, reachability.NoConsent, reachability.NotActive, reachability.StatusUnknown,
	} {
		require.NotEqual(t, string(g), client.Closed(g))
	}
	require.Contains(t, client.Closed(reachability.NotActive), "the patient is not on Helsenorge") // S29
	for _, k := range activation.Keys() {
		require.NotEqual(t, string(k), client.Requirement(k))
	}
	for _, r := range []activation.Reason{
		activation.NotMember, activation.NoHerID, activation.NotInRegistry, activation.NotOfClinic, activation.NotRegistered, activation.NothingWished,
		activation.NoCertificate, activation.CertificateExpired, activation.CertificateExpires, activation.CertificateEarly, activation.NotSignedOff,
		activation.ClinicNotActive, activation.NotPractitioner, activation.NoHPR,
	} {
		require.NotEqual(t, string(r), client.Lacking(r))
	}
}
