package storetest_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	preconditions "github.com/helsebro/helsebro/activities/registry"
	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/domain/reachability"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
)

// written is the demonstration clinic, which nobody has activated.
func written(t *testing.T) (*storetest.Database, *pg.Store, storetest.Registry) {
	t.Helper()
	t.Parallel()
	d := storetest.New(t)
	require.NoError(t, d.Store.PutClinic(t.Context(), demo.Service, demo.Clinic()))
	return d, d.Store, storetest.Registered(demo.Clinic())
}

// asks is a new command on the integration of the clinic, or of a GP.
func asks(kind pg.ActivationKind, staffID string) pg.ActivationChange {
	c := pg.ActivationChange{ID: uuid.NewString(), Kind: kind, StaffID: staffID}
	if kind == pg.SuspendIntegration {
		c.Reason = "the clinic moves"
	}
	return c
}

// status reads how one integration stands.
func status(t *testing.T, s *pg.Store, staffID string) pg.Integration {
	t.Helper()
	all, err := s.ClinicStatus(t.Context(), demo.Operator, demo.ClinicID, "")
	require.NoError(t, err)
	i := slices.IndexFunc(all, func(i pg.Integration) bool { return i.StaffID == staffID })
	require.GreaterOrEqual(t, i, 0)
	return all[i]
}

// lacking are the preconditions that do not hold, with whom they are about.
func lacking(i pg.Integration) map[activation.Key][]string {
	failing := map[activation.Key][]string{}
	for _, p := range i.Preconditions {
		if !p.OK {
			failing[p.Key] = p.About
		}
	}
	return failing
}

// audited tells how often the audit has an action of somebody.
func audited(t *testing.T, s *pg.Store, subject, action string) int {
	t.Helper()
	rows, err := s.Audit(t.Context(), identity.Principal{Subject: "auditor", ClinicID: demo.ClinicID, Role: identity.RoleAuditor}, demo.ClinicID, pg.AuditQuery{Limit: 1000})
	require.NoError(t, err)
	n := 0
	for _, r := range rows.Items {
		if r.Subject == subject && r.Action == action {
			n++
		}
	}
	return n
}

// lost are the open cases of preconditions that were lost.
func lost(t *testing.T, s *pg.Store) []pg.Case {
	t.Helper()
	return slices.DeleteFunc(casesOf(t, s), func(c pg.Case) bool { return c.Kind != contract.CasePreconditionLost || c.ResolvedAt != nil })
}

// TestActivationIsRefusedWithEveryReason (S9-S13): step by step until it holds.
func TestActivationIsRefusedWithEveryReason(t *testing.T) {
	_, s, complete := written(t)
	bare := status(t, s, "")
	require.Equal(t, contract.StatusNotActivated, bare.Status)
	require.Empty(t, bare.Preconditions, "nobody has looked yet")
	require.Zero(t, bare.Since)

	refused := func(r storetest.Registry, staffID string, keys ...string) {
		t.Helper()
		err := storetest.Change(t, s, r, demo.ClinicID, asks(pg.ActivateIntegration, staffID))
		require.Equal(t, apperr.Conflict, apperr.KindOf(err))
		for _, k := range keys {
			require.ErrorContains(t, err, k)
		}
		require.Equal(t, contract.StatusNotActivated, status(t, s, staffID).Status)
	}
	refused(storetest.Registry{}, "", "nhn-member", "clinic-her-id", "employee-her-ids", "services-registered", "certificates-valid",
		"digital-dialogue-ordered", "registration-signed-off")
	require.Len(t, lacking(status(t, s, "")), 7, "the look stays, so that the checklist says why")
	refused(complete, "", "digital-dialogue-ordered", "registration-signed-off")
	require.Len(t, lacking(status(t, s, "")), 2)

	// Who lacks a HER-id is listed by name (S11).
	clinic := demo.Clinic()
	clinic.Staff[1].HerID, clinic.Staff[2].HerID = 0, 0
	require.NoError(t, s.PutClinic(t.Context(), demo.Service, clinic))
	refused(complete, "", "employee-her-ids")
	for _, p := range status(t, s, "").Preconditions {
		if p.Key == activation.EmployeeHerIDs {
			require.Equal(t, activation.NoHerID, p.Reason)
			require.Equal(t, activation.OwnerClinic, p.Owner)
			require.Equal(t, []pg.StaffName{{ID: demo.AdminID, Name: "Anders Administrator"}, {ID: demo.DeskID, Name: "Solveig Sekretær"}}, p.Staff)
		}
	}
	require.NoError(t, s.PutClinic(t.Context(), demo.Service, demo.Clinic()))

	// A GP cannot be before his clinic is.
	refused(complete, demo.GPID, "clinic-active")

	storetest.Activate(t, s, demo.Clinic())
	for _, staffID := range []string{"", demo.GPID} {
		now := status(t, s, staffID)
		require.Equal(t, contract.StatusActive, now.Status)
		require.Equal(t, demo.Operator.Subject, now.By)
		require.WithinDuration(t, time.Now(), now.Since, time.Minute)
		require.Empty(t, lacking(now))
	}
	require.Equal(t, 2, audited(t, s, demo.Operator.Subject, "integration.became-active"))
	signed := status(t, s, "").Preconditions
	require.Equal(t, demo.Operator.Subject, signed[len(signed)-1].SignedBy)
	require.False(t, signed[len(signed)-1].SignedAt.IsZero())

	// Who is no practitioner with a party of his own offers nothing (S2).
	err := storetest.Change(t, s, complete, demo.ClinicID, asks(pg.ActivateIntegration, demo.DeskID))
	require.Equal(t, apperr.Conflict, apperr.KindOf(err))
	for _, key := range []string{"practitioner", "own-her-id", "services-registered"} {
		require.ErrorContains(t, err, key)
	}
	err = storetest.Change(t, s, complete, demo.ClinicID, asks(pg.ActivateIntegration, uuid.NewString()))
	require.Equal(t, apperr.NotFound, apperr.KindOf(err))
}

func TestEveryStepOfAnIntegration(t *testing.T) { // S1
	_, s, r := written(t)
	step := func(kind pg.ActivationKind, refused string, to contract.Status) {
		t.Helper()
		err := storetest.Change(t, s, r, demo.ClinicID, asks(kind, ""))
		if refused == "" {
			require.NoError(t, err, kind)
		} else {
			require.Equal(t, apperr.Conflict, apperr.KindOf(err), kind)
			require.ErrorContains(t, err, refused)
		}
		require.Equal(t, to, status(t, s, "").Status)
	}
	step(pg.SuspendIntegration, "only an active", contract.StatusNotActivated)
	step(pg.ResumeIntegration, "only a suspended", contract.StatusNotActivated)
	step(pg.CheckIntegration, "", contract.StatusNotActivated)
	storetest.Activate(t, s, demo.Clinic())
	step(pg.ActivateIntegration, "active already", contract.StatusActive)
	step(pg.ResumeIntegration, "only a suspended", contract.StatusActive)
	step(pg.SuspendIntegration, "", contract.StatusSuspended)
	require.Equal(t, "the clinic moves", status(t, s, "").Reason)
	step(pg.SuspendIntegration, "only an active", contract.StatusSuspended)
	step(pg.ActivateIntegration, "resume it", contract.StatusSuspended)
	organisation := r[demo.ClinicHerID]
	organisation.Member = false
	r[demo.ClinicHerID] = organisation
	step(pg.ResumeIntegration, "nhn-member", contract.StatusSuspended)
	organisation.Member = true
	r[demo.ClinicHerID] = organisation
	step(pg.ResumeIntegration, "", contract.StatusActive)
	require.Empty(t, status(t, s, "").Reason)
}

// TestACommandIsAppliedOnce: whatever is repeated, and the same id is the same command.
func TestACommandIsAppliedOnce(t *testing.T) {
	_, s, r := written(t)
	storetest.Activate(t, s, demo.Clinic())
	suspend := asks(pg.SuspendIntegration, "")
	require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, suspend))
	since := status(t, s, "").Since
	require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, asks(pg.ResumeIntegration, "")))
	require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, suspend), "the answer of the first")
	require.Equal(t, contract.StatusActive, status(t, s, "").Status)
	require.NotEqual(t, since, status(t, s, "").Since)

	other := suspend
	other.Reason = "something else"
	_, err := s.DraftActivation(t.Context(), demo.Operator, demo.ClinicID, other)
	require.Equal(t, apperr.Duplicate, apperr.KindOf(err))
	drafted, err := s.DraftActivation(t.Context(), demo.Operator, demo.ClinicID, suspend)
	require.NoError(t, err)
	require.True(t, drafted.Applied)

	// A command that was withdrawn is not applied; one that was stored again stays.
	dropped := asks(pg.SuspendIntegration, "")
	first, err := s.DraftActivation(t.Context(), demo.Operator, demo.ClinicID, dropped)
	require.NoError(t, err)
	_, err = s.DraftActivation(t.Context(), demo.Operator, demo.ClinicID, dropped)
	require.NoError(t, err)
	require.NoError(t, s.DropActivation(t.Context(), demo.ClinicID, dropped.ID, first.Attempt))
	require.NoError(t, s.DropActivation(t.Context(), demo.ClinicID, dropped.ID, first.Attempt+1))
	_, err = preconditions.New(s, r).ApplyActivation(t.Context(), contract.ApplyActivationInput{ClinicID: demo.ClinicID, CommandID: dropped.ID})
	require.Equal(t, apperr.NotFound, apperr.KindOf(err))

	for _, bad := range []pg.ActivationChange{
		{ID: "x", Kind: pg.ActivateIntegration}, {ID: uuid.NewString(), Kind: "delete"}, {ID: uuid.NewString(), Kind: pg.SuspendIntegration},
		{ID: uuid.NewString(), Kind: pg.SignOffPrecondition, Key: activation.NHNMember}, {ID: uuid.NewString(), Kind: pg.ActivateIntegration, Key: activation.NHNMember},
		{ID: uuid.NewString(), Kind: pg.SignOffPrecondition, Key: activation.RegistrationSignedOff, StaffID: demo.GPID},
		{ID: uuid.NewString(), Kind: pg.SuspendIntegration, Reason: "two\nlines"},
	} {
		_, err := s.DraftActivation(t.Context(), demo.Operator, demo.ClinicID, bad)
		require.Equal(t, apperr.Invalid, apperr.KindOf(err), "%+v", bad)
	}
	_, err = s.DraftActivation(t.Context(), demo.Operator, uuid.NewString(), asks(pg.CheckIntegration, ""))
	require.Equal(t, apperr.NotFound, apperr.KindOf(err))
}

// TestManyActivateAtOnce: one of them does, the others are told so.
func TestManyActivateAtOnce(t *testing.T) {
	_, s, r := written(t)
	for _, c := range demo.Activation(demo.Clinic())[:2] {
		require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, c))
	}
	var mu sync.Mutex
	kinds := map[apperr.Kind]int{}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			err := storetest.Change(t, s, r, demo.ClinicID, asks(pg.ActivateIntegration, ""))
			mu.Lock()
			defer mu.Unlock()
			kinds[apperr.KindOf(err)]++
		})
	}
	wg.Wait()
	require.Equal(t, map[apperr.Kind]int{"": 1, apperr.Conflict: 9}, kinds)
	require.Equal(t, 1, audited(t, s, demo.Operator.Subject, "integration.became-active"))
}

// TestALostPreconditionIsACase (S10-S12): one, until everything holds again; and what is
// no longer registered is no longer offered.
func TestALostPreconditionIsACase(t *testing.T) {
	_, s, r := written(t)
	storetest.Activate(t, s, demo.Clinic())
	require.Empty(t, lost(t, s))
	party := r[demo.GPHerID]
	party.Processes = slices.DeleteFunc(slices.Clone(party.Processes), func(p string) bool { return p == codes.EKontakt })
	r[demo.GPHerID] = party
	out := storetest.Look(t, s, r, demo.ClinicID, demo.GPID)
	require.Equal(t, contract.CheckPreconditionsOutput{Status: contract.StatusActive, Failing: []string{"services-registered"}, CaseOpened: true}, out)
	require.False(t, storetest.Look(t, s, r, demo.ClinicID, demo.GPID).CaseOpened, "it is open")
	cases := lost(t, s)
	require.Len(t, cases, 1)
	require.Equal(t, []string{demo.GPID, "services-registered"}, []string{cases[0].MessageID, cases[0].Reason})
	require.Equal(t, map[activation.Key][]string{activation.ServicesRegistered: {codes.EKontakt}}, lacking(status(t, s, demo.GPID)))

	m, err := s.StoreArrival(t.Context(), arrival(contract.ProcessEContact, codes.EKontakt, "HE"))
	require.NoError(t, err)
	require.Equal(t, []any{pg.Refused, true}, []any{m.Verdict, m.Receipt}, "answered, and never lost")
	m, err = s.StoreArrival(t.Context(), eConsultation())
	require.NoError(t, err)
	require.Equal(t, pg.Taken, m.Verdict, "the other services go on")

	r = storetest.Registered(demo.Clinic())
	require.Equal(t, contract.CheckPreconditionsOutput{Status: contract.StatusActive}, storetest.Look(t, s, r, demo.ClinicID, demo.GPID))
	require.Empty(t, lost(t, s))
	m, err = s.StoreArrival(t.Context(), arrival(contract.ProcessEContact, codes.EKontakt, "HE"))
	require.NoError(t, err)
	require.Equal(t, pg.Taken, m.Verdict)

	// It opens again, and a suspended integration has no such case.
	delete(r, demo.GPHerID)
	require.True(t, storetest.Look(t, s, r, demo.ClinicID, demo.GPID).CaseOpened)
	require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, asks(pg.SuspendIntegration, demo.GPID)))
	require.Empty(t, lost(t, s))
}

// TestCertificatesAreSeenToBeforeTheyExpire: the weekly look has the case a week ahead.
func TestCertificatesAreSeenToBeforeTheyExpire(t *testing.T) {
	_, s, r := written(t)
	storetest.Activate(t, s, demo.Clinic())
	end := demo.Organisation(demo.Clinic()).Certificates[0].ValidUntil
	at := func(when time.Time) contract.CheckPreconditionsOutput {
		return storetest.Look(t, s.At(func() time.Time { return when }), r, demo.ClinicID, "")
	}
	require.Empty(t, at(end.Add(-contract.RecheckEvery-time.Second)).Failing)
	out := at(end.Add(-contract.RecheckEvery))
	require.Equal(t, []string{"certificates-valid"}, out.Failing)
	require.True(t, out.CaseOpened)
}

// TestTheRegistrysWordIsRemembered: what a look saw is not looked at again, until the
// registry or the clinic says something else (S12).
func TestTheRegistrysWordIsRemembered(t *testing.T) {
	_, s, r := written(t)
	stale := func() []string {
		t.Helper()
		all, err := s.Integrations(t.Context())
		require.NoError(t, err)
		var found []string
		for _, one := range all {
			said, err := preconditionsSaid(t, r, one)
			require.NoError(t, err)
			if _, is := one.Stale(said); is {
				found = append(found, one.StaffID)
			}
		}
		return found
	}
	require.Equal(t, []string{"", demo.GPID}, stale(), "nobody has looked")
	storetest.Activate(t, s, demo.Clinic())
	require.Empty(t, stale())

	party := r[demo.GPHerID]
	party.Processes = party.Processes[1:]
	r[demo.GPHerID] = party
	require.Equal(t, []string{"", demo.GPID}, stale())
	for _, staffID := range []string{"", demo.GPID} {
		storetest.Look(t, s, r, demo.ClinicID, staffID)
	}
	require.Empty(t, stale())

	clinic := demo.Clinic()
	clinic.Staff[1].HerID = 0
	require.NoError(t, s.PutClinic(t.Context(), demo.Service, clinic))
	require.Equal(t, []string{""}, stale(), "the GP's own does not depend on it")
	require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, asks(pg.SuspendIntegration, "")))
	require.Equal(t, []string{demo.GPID}, stale(), "his depends on the clinic's")

	// An answer that is about less than the clinic is now decides nothing.
	said, err := preconditionsSaid(t, r, pg.LookedAt{})
	require.NoError(t, err)
	_, err = s.CheckPreconditions(t.Context(), contract.CheckPreconditionsInput{ClinicID: demo.ClinicID}, said)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
}

// TestNothingIsOfferedUnlessActive (S1, S12): what citizens send is answered with a
// refusal that the ledger explains, nobody can book, and nothing is sent.
func TestNothingIsOfferedUnlessActive(t *testing.T) {
	d, s, r := written(t)
	ctx := t.Context()
	s = s.At(func() time.Time { return now })
	require.NoError(t, s.PutCalendars(ctx, demo.Service, demo.ClinicID, []pg.Calendar{{ID: calendarID, OwnerID: demo.GPID, Name: "Frida"}}))
	require.NoError(t, s.PutAppointmentTypes(ctx, demo.Service, demo.ClinicID, []pg.AppointmentType{{ID: typeID, Name: "Vanlig time", Summary: "Time"}}))
	require.NoError(t, s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{OnlineBooking: true}))
	_, err := s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	require.NoError(t, s.PutSlots(ctx, demo.Service, demo.ClinicID, []pg.Slot{slot(now.Add(4 * time.Hour))}))

	closed := func(why reachability.Gate) {
		t.Helper()
		a := eConsultation()
		m, err := s.StoreArrival(ctx, a)
		require.NoError(t, err)
		require.Equal(t, pg.Refused, m.Verdict)
		require.True(t, m.Receipt)
		require.Empty(t, m.DialogueID)
		line, err := d.SQL(ctx, "SELECT why ->> 'closed' || ' ' || (why -> 'codes' ->> 0) FROM ledger WHERE key = 'refusal/"+m.ID+"'")
		require.NoError(t, err)
		require.Equal(t, string(why)+" 26", line)
		o, err := s.Offers(ctx, ask())
		require.NoError(t, err)
		require.Equal(t, []string{"26", pg.OfferNotRegistered}, []string{o.Code, o.Reason})
		p, err := s.OfferedPractitioners(ctx, ask())
		require.NoError(t, err)
		require.Equal(t, "26", p.Code)
	}
	open := func() {
		t.Helper()
		m, err := s.StoreArrival(ctx, eConsultation())
		require.NoError(t, err)
		require.Equal(t, pg.Taken, m.Verdict)
		o, err := s.Offers(ctx, ask())
		require.NoError(t, err)
		require.Equal(t, "03", o.Code)
	}
	closed(reachability.NotActivated)
	activations := demo.Activation(demo.Clinic())
	for _, c := range activations[:3] {
		require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, c))
	}
	closed(reachability.NotActivated) // the GP is not
	require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, activations[3]))
	open()
	for _, staffID := range []string{"", demo.GPID} {
		require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, asks(pg.SuspendIntegration, staffID)))
		closed(reachability.Suspended)
		require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, asks(pg.ResumeIntegration, staffID)))
		open()
	}
	delete(r, demo.GPHerID)
	storetest.Look(t, s, r, demo.ClinicID, demo.GPID)
	closed(reachability.NotOffered)

	// What asks for nothing joins its thread all the same.
	unread := eConsultation()
	unread.Function = contract.FunctionUnread
	m, err := s.StoreArrival(ctx, unread)
	require.NoError(t, err)
	require.Equal(t, pg.Taken, m.Verdict)
}

// preconditionsSaid asks the registry about everybody whom an integration depends on.
func preconditionsSaid(t *testing.T, r storetest.Registry, one pg.LookedAt) (pg.Answers, error) {
	t.Helper()
	return registry.Look(t.Context(), r, one.Facts.HerIDs())
}

// TestNobodyAnswersWhileSuspended: the refusal is at the start, with the reason; an answer
// that was stored before goes its way.
func TestNobodyAnswersWhileSuspended(t *testing.T) {
	_, s := setup(t)
	ctx := t.Context()
	r := storetest.Registered(demo.Clinic())
	m, err := s.StoreArrival(ctx, eConsultation())
	require.NoError(t, err)
	draft := func(id string) error {
		_, err := s.DraftAnswer(ctx, demo.GP, demo.ClinicID, m.DialogueID, pg.Draft{ID: id, Code: "12", Text: "Hei"})
		return err
	}
	before := uuid.NewString()
	require.NoError(t, draft(before))
	for _, staffID := range []string{"", demo.GPID} {
		require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, asks(pg.SuspendIntegration, staffID)))
		err := draft(uuid.NewString())
		require.Equal(t, apperr.Conflict, apperr.KindOf(err))
		require.ErrorContains(t, err, "clinic status")
		require.NoError(t, draft(before))
		require.NoError(t, storetest.Change(t, s, r, demo.ClinicID, asks(pg.ResumeIntegration, staffID)))
	}
	// He asked while it was offered.
	delete(r, demo.GPHerID)
	storetest.Look(t, s, r, demo.ClinicID, demo.GPID)
	require.NoError(t, draft(uuid.NewString()))
}

// TestSuspendedAppointmentsAreTheClinicsOwn: they stay, Helsenorge is told of none, and
// what waits to leave for it does not.
func TestSuspendedAppointmentsAreTheClinicsOwn(t *testing.T) {
	k := newDesk(t)
	waiting := k.made(now.Add(96 * time.Hour))
	queued := k.publish(waiting, 1).OutboundID
	require.NotEmpty(t, queued)
	require.NoError(t, storetest.Change(t, k.s, storetest.Registered(demo.Clinic()), demo.ClinicID, asks(pg.SuspendIntegration, demo.GPID)))
	prepared, err := k.s.PrepareAnswer(t.Context(), demo.ClinicID, queued, helsenorge, build("<Avtale/>"))
	require.NoError(t, err)
	require.True(t, prepared.Superseded)
	require.Equal(t, string(contract.OutcomeSuppressed), k.sql("SELECT outcome FROM outbound_message WHERE id = '%s'", queued))
	a, err := k.s.Appointment(t.Context(), demo.Desk, demo.ClinicID, waiting)
	require.NoError(t, err)
	require.Equal(t, contract.StatusBooked, a.Status)

	// A wish that came before is not answered on Helsenorge.
	require.NoError(t, storetest.Change(t, k.s, storetest.Registered(demo.Clinic()), demo.ClinicID, asks(pg.ResumeIntegration, demo.GPID)))
	wish, _ := k.take(message(contract.FunctionWish, line, nil))
	require.NoError(t, storetest.Change(t, k.s, storetest.Registered(demo.Clinic()), demo.ClinicID, asks(pg.SuspendIntegration, demo.GPID)))
	_, err = k.change(demo.Desk, pg.Change{Kind: pg.ChangeAnswer, AppointmentID: wish.DialogueID, Code: "06", Text: "Ring oss."})
	require.Equal(t, apperr.Conflict, apperr.KindOf(err))
	require.ErrorContains(t, err, "clinic status")

	out := k.publish(k.made(now.Add(120*time.Hour)), 1)
	require.Equal(t, []string{"", "not-offered"}, []string{out.OutboundID, out.Rule})
}
