package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
)

// integrate gives a command on the clinic's integration, or on that of one of its staff,
// as the operator.
func (c *clinic) integrate(kind pg.ActivationKind, staffID string) {
	c.Helper()
	c.must(c.Operator, http.MethodPost, "/integration/"+string(kind), api.ActivationRequest{StaffID: staffID, Reason: reasonFor(kind)}, nil)
}

func reasonFor(kind pg.ActivationKind) string {
	if kind == pg.SuspendIntegration {
		return "Sak 4711"
	}
	return ""
}

// signOffs has everything signed off that no registry tells of.
func (c *clinic) signOffs() {
	c.Helper()
	for _, key := range activation.Keys() {
		if activation.SignedOff(key) {
			c.must(c.Operator, http.MethodPost, "/integration/sign-off", api.ActivationRequest{Key: string(key)}, nil)
		}
	}
}

// lacks demands that an integration is not activated for one precondition alone, that
// whoever tries is told which, and that the checklist says why.
func (c *clinic) lacks(staffID string, key activation.Key) pg.Precondition {
	c.Helper()
	refused := c.refused(http.StatusConflict, c.Operator, http.MethodPost, "/integration/activate", api.ActivationRequest{StaffID: staffID})
	require.Contains(c, refused.Detail, "not every precondition holds: "+string(key)+";")
	i := c.integration(staffID)
	require.Equal(c, contract.StatusNotActivated, i.Status)
	var failing []pg.Precondition
	for _, p := range i.Preconditions {
		if !p.OK {
			failing = append(failing, p)
		}
	}
	require.Len(c, failing, 1)
	require.Equal(c, key, failing[0].Key)
	return failing[0]
}

// oneIntegration: a clinic has one integration, which is not activated, active or
// suspended, whatever others have (S1).
func oneIntegration(c *clinic) {
	stands := func(want contract.Status) {
		c.Helper()
		var all api.List[pg.Integration]
		c.must(c.Admin, http.MethodGet, "/integration", nil, &all)
		require.Len(c, all.Items, 3, "the clinic's own, and one of each GP")
		own := slices.DeleteFunc(all.Items, func(i pg.Integration) bool { return i.StaffID != "" })
		require.Len(c, own, 1)
		require.Equal(c, want, own[0].Status)
		require.Contains(c, c.command(c.Admin, cli.ExitDone, "clinic", "status"), "(the clinic itself): "+string(want))
	}
	stands(contract.StatusNotActivated)
	c.refused(http.StatusConflict, c.Operator, http.MethodPost, "/integration/suspend", api.ActivationRequest{Reason: "For tidlig"})
	c.activate()
	stands(contract.StatusActive)
	c.refused(http.StatusConflict, c.Operator, http.MethodPost, "/integration/activate", api.ActivationRequest{})
	c.integrate(pg.SuspendIntegration, "")
	stands(contract.StatusSuspended)
	c.refused(http.StatusConflict, c.Operator, http.MethodPost, "/integration/activate", api.ActivationRequest{})
	c.integrate(pg.ResumeIntegration, "")
	stands(contract.StatusActive)
}

// onlyGPsOfCustomers: who is no practitioner, or no customer, offers nothing (S2).
func onlyGPsOfCustomers(c *clinic) {
	// The desk has no integration to activate, not even with a party of its own.
	deskID, deskHerID := c.masterData().Staff[2].ID, c.GPHerID+2
	c.staff(func(m *pg.Clinic) {
		m.Parties = append(m.Parties, pg.Party{HerID: deskHerID, Name: "Solveig Sekretær", StaffID: deskID, Processes: []string{codes.EKontakt}})
	})
	refused := c.refused(http.StatusConflict, c.Operator, http.MethodPost, "/integration/activate", api.ActivationRequest{StaffID: deskID})
	require.Contains(c, refused.Detail, string(activation.Practitioner))
	require.NotEqual(c, contract.StatusActive, c.integration(deskID).Status)

	// A GP of the clinic offers, and one who does not work here has no integration.
	c.offers(c.patient(nil), simulator.EContact)
	c.refused(http.StatusNotFound, c.Operator, http.MethodPost, "/integration/activate", api.ActivationRequest{StaffID: newClinic(c.n + 1).GPID})

	// Helsenorge's registry may know a clinic that is no customer: nothing is taken for it.
	const stranger = 919999
	c.registry.mu.Lock()
	c.registry.parties = append(c.registry.parties, registry.Party{
		HerID: stranger, Name: "En annen lege", AsyncQueue: "clinics_async", SyncQueue: "clinics_sync", ErrorQueue: "clinics_error", Processes: clinicProcesses,
	})
	err := registry.Write(c.registry.file, c.registry.parties)
	c.registry.mu.Unlock()
	require.NoError(c, err)
	p := c.patient(nil)
	sent := c.writes(p, simulator.Action{Kind: simulator.EContact, To: stranger, Subject: "Til en annen"})
	require.Equal(c, []string{"E10"}, c.receiptFor(sent).Codes)
	require.Empty(c, c.dialoguesOf(p))
}

// writes has the patient send a message on Helsenorge, to his practitioner if it is to
// nobody else.
func (c *clinic) writes(p patient, a simulator.Action) simulator.Sent {
	c.Helper()
	a.Citizen = p.Citizen
	if a.To == 0 && a.InReplyTo == "" {
		a.To = c.GPHerID
	}
	sent, err := c.Simulator.Act(c.Context(), a)
	require.NoError(c, err)
	return sent
}

// receiptFor waits for the clinic's one receipt for a citizen's message.
func (c *clinic) receiptFor(s simulator.Sent) simulator.Receipt {
	c.Helper()
	var found []simulator.Receipt
	c.eventually("the receipt for the "+string(s.Kind), func() error {
		book, err := c.Simulator.Book(c.Context())
		if err != nil {
			return err
		}
		found = nil
		for _, r := range book.Receipts {
			if r.Original == s.MsgID {
				found = append(found, r)
			}
		}
		if len(found) == 0 {
			return errNotYet
		}
		return nil
	})
	require.Len(c, found, 1)
	return found[0]
}

// arrived waits until the patient's dialogue under the subject lies in an inbox and
// nothing of its messages is to be placed.
func (c *clinic) arrived(p patient, subject string) pg.DialogueItem {
	c.Helper()
	var found pg.DialogueItem
	c.eventually(subject+" is in an inbox", func() error {
		for _, d := range c.dialoguesOf(p) {
			if d.Title == "helsenorge.no: "+subject && len(d.Inboxes) > 0 && d.Status != contract.StatusReceived {
				found = d
				return nil
			}
		}
		return errNotYet
	})
	return found
}

// offers demands that the patient's message of the kind is taken, and returns its
// dialogue.
func (c *clinic) offers(p patient, kind simulator.Kind) pg.DialogueItem {
	c.Helper()
	subject := "Tilbudt " + newID()[:8]
	sent := c.writes(p, simulator.Action{Kind: kind, Subject: subject})
	require.True(c, c.receiptFor(sent).OK)
	return c.arrived(p, subject)
}

// offersNot demands that the patient's message of the kind is answered with a refusal,
// after a positive receipt, and lies in no inbox.
func (c *clinic) offersNot(p patient, kind simulator.Kind) {
	c.Helper()
	before := len(c.dialoguesOf(p))
	sent := c.writes(p, simulator.Action{Kind: kind, Subject: "Ikke tilbudt"})
	require.True(c, c.receiptFor(sent).OK)
	require.Equal(c, contract.AnswerRefused, c.answerTo(sent).Function)
	require.Len(c, c.dialoguesOf(p), before)
}

// theService demands that a service of a GP is offered while his integration is active,
// and then only.
func (c *clinic) theService(kind simulator.Kind, process contract.Process) {
	c.Helper()
	p := c.patient(nil)
	require.Equal(c, process, c.offers(p, kind).Process)
	c.integrate(pg.SuspendIntegration, c.GPID)
	c.offersNot(p, kind)
	c.integrate(pg.ResumeIntegration, c.GPID)
	c.offers(p, kind)
}

// bookingService: the first service is booking (S3).
func bookingService(c *clinic) {
	p := c.patient(nil)
	slots := c.slots(day(3, 9), 3, nil)
	c.bookingOpen(p, slots...)
	id := c.reserved(p, slots[0])
	require.Equal(c, id, c.entries(c.CalendarID, slots[0].StartsAt)[0].ID)
	c.integrate(pg.SuspendIntegration, c.GPID)
	require.Equal(c, codes.RequestRefused, c.offered(p, c.GPHerID).Code)
	c.integrate(pg.ResumeIntegration, c.GPID)
	c.bookingOpen(p, slots[1:]...)
}

// eConsultationService: the second is the e-consultation (S4).
func eConsultationService(c *clinic) {
	c.theService(simulator.EConsultation, contract.ProcessEConsultation)
}

// renewalService: the third is the renewal of prescriptions (S5).
func renewalService(c *clinic) { c.theService(simulator.Renewal, contract.ProcessPrescription) }

// inquiryService: the fourth is everything else (S6).
func inquiryService(c *clinic) { c.theService(simulator.EContact, contract.ProcessEContact) }

// inSync: what happens on one side is on the other, and nobody has done anything for it
// (S7).
func inSync(c *clinic) {
	p := c.patient(nil)
	slot := c.slots(day(3, 9), 1, nil)[0]
	booked := c.reserved(p, slot)
	require.Equal(c, booked, c.entries(c.CalendarID, slot.StartsAt)[0].ID)
	made := c.book(p, day(4, 9), nil).AppointmentID
	c.settle(made)
	c.sees(p, "what the clinic booked", func(a simulator.Appointment) bool { return a.UID == made && a.Status == simulator.Booked })

	sent := c.writes(p, simulator.Action{Kind: simulator.EContact, Subject: "Attest"})
	id := c.arrived(p, "Attest").DialogueID
	c.settledDialogue(id)
	c.must(c.Desk, http.MethodPost, "/dialogues/"+id+"/answers", api.AnswerRequest{Code: contract.AnswerToEnquiry, Text: "Den er klar."}, nil)
	require.Equal(c, "Den er klar.", c.answerTo(sent).Text)
	c.start(c.GP, toPatient(p, contract.ProcessEContact, "Påminnelse"))
	c.thread(p, "Påminnelse")

	require.NoError(c, c.Simulator.SetActivity(c.Context(), simulator.Activity{Citizen: p.Citizen, To: c.GPHerID}))
	c.eventually("the clinic knows that he is not there any more", func() error {
		if c.reachability(p, contract.ProcessEContact).Reachable {
			return errNotYet
		}
		return nil
	})
	require.Empty(c, c.cases(contract.CaseNobodyReads))
}

// everythingIsReceived: every booking and every inquiry is somewhere where people see it,
// once, however often it comes; what nobody at the clinic can read is an operator's case
// (S8).
func everythingIsReceived(c *clinic) {
	p := c.patient(nil)
	slot := c.slots(day(3, 9), 1, nil)[0]
	var sent []simulator.Sent
	for i, kind := range kinds {
		for _, again := range []bool{false, true} {
			sent = append(sent, c.writes(p, simulator.Action{
				Kind: kind, Subject: string(kind) + []string{" en", " to"}[i%2] + map[bool]string{true: " igjen"}[again], Times: 3, NewEnvelope: again,
			}))
		}
	}
	sent = append(sent, c.writes(p, simulator.Action{Kind: simulator.Wish, Subject: "Ønske", Times: 2}))
	reserved := c.reserve(p, slot, func(a *simulator.Action) { a.Times = 2 })
	require.Equal(c, contract.AppointmentConfirmed, c.answerTo(reserved).Function)
	for _, s := range sent {
		require.True(c, c.receiptFor(s).OK)
	}
	require.Len(c, c.entries(c.CalendarID, slot.StartsAt), 1)
	titles := map[string]int{}
	c.eventually("each is in an inbox", func() error {
		clear(titles)
		for _, i := range c.inboxOf(c.GP) { // his own and the whole clinic's
			titles[i.Title]++
		}
		if len(titles) < len(sent) {
			return fmt.Errorf("%v", titles)
		}
		return nil
	})
	for title, n := range titles {
		require.Equal(c, 1, n, title)
	}

	// Nobody is at work.
	c.staff(func(m *pg.Clinic) {
		for i := range m.Staff {
			m.Staff[i].AbsentFrom = time.Now().Add(-time.Hour)
		}
	})
	unread := c.writes(p, simulator.Action{Kind: simulator.EContact, Subject: "I ferien"})
	require.True(c, c.receiptFor(unread).OK)
	c.eventually("an operator is asked", func() error {
		for _, k := range c.cases(contract.CaseNobodyReads) {
			if k.ResolvedAt == nil && k.DialogueID != "" {
				return nil
			}
		}
		return errNotYet
	})
}

// operatorActivates: an operator activates for the clinic, nobody of the clinic does, and
// who did it when is kept (S9).
func operatorActivates(c *clinic) {
	c.signOffs()
	for _, who := range []identity.Principal{c.GP, c.Desk, c.Admin, c.Service, c.Portal, c.Auditor} {
		for _, kind := range []pg.ActivationKind{pg.ActivateIntegration, pg.SuspendIntegration, pg.ResumeIntegration} {
			c.refused(http.StatusForbidden, who, http.MethodPost, "/integration/"+string(kind), api.ActivationRequest{Reason: reasonFor(kind)})
		}
	}
	require.Equal(c, contract.StatusNotActivated, c.integration("").Status)
	p := c.patient(nil)
	c.offersNot(p, simulator.EContact)

	before := time.Now().Add(-time.Second)
	c.command(c.Operator, cli.ExitDone, "clinic", "activate")
	i := c.integration("")
	require.Equal(c, contract.StatusActive, i.Status)
	require.Equal(c, c.Operator.Subject, i.By)
	require.WithinRange(c, i.Since, before, time.Now().Add(time.Second))
	c.offersNot(p, simulator.EContact) // the GP's own is to come
	c.integrate(pg.ActivateIntegration, c.GPID)
	require.Equal(c, c.Operator.Subject, c.integration(c.GPID).By)
	c.offers(p, simulator.EContact)

	var audit api.List[pg.AuditRow]
	c.must(c.Auditor, http.MethodGet, "/audit?"+url.Values{"limit": {"500"}}.Encode(), nil, &audit)
	require.True(c, slices.ContainsFunc(audit.Items, func(r pg.AuditRow) bool {
		return r.Action == "integration.activate" && r.Subject == c.Operator.Subject && r.Role == string(identity.RoleOperator)
	}))
}

// memberOfNHN: a clinic that is no member is not activated, with that reason (S10).
func memberOfNHN(c *clinic) {
	c.signOffs()
	c.registers(c.masterData().HerID, func(p *registry.Party) { p.Member = false })
	missing := c.lacks("", activation.NHNMember)
	require.Equal(c, activation.NotMember, missing.Reason)
	require.Equal(c, activation.OwnerNHN, missing.Owner)
	require.Contains(c, c.command(c.Admin, cli.ExitDone, "clinic", "status"), "nhn-member")
	c.offersNot(c.patient(nil), simulator.EContact)
	c.registers(c.masterData().HerID, func(p *registry.Party) { p.Member = true })
	c.integrate(pg.ActivateIntegration, "")
	require.Equal(c, contract.StatusActive, c.integration("").Status)
}

// herIDs: the clinic has a HER-id and so has every employee; who has none is listed (S11).
func herIDs(c *clinic) {
	c.signOffs()
	desk, admin := c.masterData().Staff[2], c.masterData().Staff[3]
	refused := c.refused(http.StatusUnprocessableEntity, c.Service, http.MethodPut, "", pg.Clinic{ID: c.ID, Name: "Uten HER-id"})
	require.Contains(c, fmt.Sprint(refused.Errors), "herId")
	const unknown = 919990 // to the registry
	c.staff(func(m *pg.Clinic) { m.HerID = unknown })
	refused = c.refused(http.StatusConflict, c.Operator, http.MethodPost, "/integration/activate", api.ActivationRequest{})
	require.Contains(c, refused.Detail, string(activation.ClinicHerID))

	c.staff(func(m *pg.Clinic) { m.Staff[2].HerID, m.Staff[3].HerID = 0, 0 })
	missing := c.lacks("", activation.EmployeeHerIDs)
	require.Equal(c, activation.NoHerID, missing.Reason)
	require.ElementsMatch(c, []string{desk.ID, admin.ID}, missing.About)
	require.ElementsMatch(c, []pg.StaffName{{ID: desk.ID, Name: desk.Name}, {ID: admin.ID, Name: admin.Name}}, missing.Staff)
	told := c.command(c.Admin, cli.ExitDone, "clinic", "status")
	require.Contains(c, told, desk.Name)
	require.Contains(c, told, admin.Name)

	// Who has one that is not this clinic's in the registry, has none.
	c.staff(nil)
	c.registers(c.masterData().HerID, func(p *registry.Party) {
		p.Employees = slices.DeleteFunc(slices.Clone(p.Employees), func(id int) bool { return id == desk.HerID })
	})
	missing = c.lacks("", activation.EmployeeHerIDs)
	require.Equal(c, activation.NotInRegistry, missing.Reason)
	require.Equal(c, []string{desk.ID}, missing.About)

	c.registers(c.masterData().HerID, func(p *registry.Party) { *p = demo.Organisation(c.masterData()) })
	c.integrate(pg.ActivateIntegration, "")
	require.Equal(c, contract.StatusActive, c.integration("").Status)
}

// registeredServices: what a GP wishes to offer is registered for him; what is not is not
// offered, and who asks for it all the same is answered (S12).
func registeredServices(c *clinic) {
	c.signOffs()
	c.integrate(pg.ActivateIntegration, "")
	without := func(p *registry.Party) {
		p.Processes = slices.DeleteFunc(slices.Clone(p.Processes), func(s string) bool { return s == codes.EKonsultasjon })
	}
	with := func(p *registry.Party) { p.Processes = slices.Clone(clinicProcesses) }
	c.registers(c.GPHerID, without)
	missing := c.lacks(c.GPID, activation.ServicesRegistered)
	require.Equal(c, activation.NotRegistered, missing.Reason)
	require.Equal(c, []string{codes.EKonsultasjon}, missing.About)
	p := c.patient(nil)
	c.offersNot(p, simulator.EContact)

	// The colleague has his own registration, and is not kept waiting.
	c.integrate(pg.ActivateIntegration, c.ColleagueID)
	c.registers(c.GPHerID, with)
	c.integrate(pg.ActivateIntegration, c.GPID)
	c.offers(p, simulator.EConsultation)

	// What is taken out of the registry later is not offered from the next look on, and
	// the rest is.
	c.registers(c.GPHerID, without)
	c.integrate(pg.CheckIntegration, c.GPID)
	c.offersNot(p, simulator.EConsultation)
	c.offers(p, simulator.EContact)
	require.False(c, c.reachability(p, contract.ProcessEConsultation).Reachable)
	require.True(c, c.reachability(p, contract.ProcessEContact).Reachable)
	lost := c.cases(contract.CasePreconditionLost)
	require.Len(c, lost, 1)
	require.Nil(c, lost[0].ResolvedAt)
	require.Equal(c, contract.StatusActive, c.integration(c.GPID).Status)

	c.registers(c.GPHerID, with)
	c.integrate(pg.CheckIntegration, c.GPID)
	c.offers(p, simulator.EConsultation)
	require.NotNil(c, c.cases(contract.CasePreconditionLost)[0].ResolvedAt)
}

// signedOff: the registration is the operator's task and the clinic's word: without its
// sign-off nothing is activated (S13, A1).
func signedOff(c *clinic) {
	const key = activation.RegistrationSignedOff
	c.must(c.Operator, http.MethodPost, "/integration/sign-off", api.ActivationRequest{Key: string(activation.DigitalDialogueOrdered)}, nil)
	missing := c.lacks("", key)
	require.Equal(c, activation.NotSignedOff, missing.Reason)
	require.Equal(c, activation.OwnerClinic, missing.Owner)
	for _, who := range []identity.Principal{c.GP, c.Desk, c.Service, c.Portal, c.Auditor} {
		c.refused(http.StatusForbidden, who, http.MethodPost, "/integration/sign-off", api.ActivationRequest{Key: string(key)})
	}
	c.refused(http.StatusUnprocessableEntity, c.Admin, http.MethodPost, "/integration/sign-off", api.ActivationRequest{Key: string(activation.NHNMember)})
	c.command(c.Admin, cli.ExitDone, "clinic", "sign-off", string(key))
	c.integrate(pg.ActivateIntegration, "")
	i := c.integration("")
	at := slices.IndexFunc(i.Preconditions, func(p pg.Precondition) bool { return p.Key == key })
	require.Equal(c, c.Admin.Subject, i.Preconditions[at].SignedBy)
	require.WithinDuration(c, time.Now(), i.Preconditions[at].SignedAt, time.Minute)
	require.Equal(c, c.Operator.Subject, i.By)
}
