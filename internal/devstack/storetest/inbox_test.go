package storetest_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/domain/answerclock"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/vault"
)

// inboxOf is what somebody's inboxes show.
func inboxOf(t testing.TB, s *pg.Store, who identity.Principal) []pg.InboxItem {
	t.Helper()
	found, err := s.Inbox(t.Context(), who, who.ClinicID, pg.DialogueQuery{Limit: 1000})
	require.NoError(t, err)
	require.Empty(t, found.Next)
	return found.Items
}

// casesOf are the demonstration clinic's operator cases.
func casesOf(t testing.TB, s *pg.Store) []pg.Case {
	t.Helper()
	found, err := s.Cases(t.Context(), demo.Admin, demo.ClinicID, pg.CaseQuery{Limit: 1000})
	require.NoError(t, err)
	return found.Items
}

// ward is a clinic with a GP and his locum, a second GP, a nurse, a clerk and an
// administrator, and a clock.
type ward struct {
	*testing.T
	d      *storetest.Database
	s      *pg.Store
	clinic pg.Clinic
	at     time.Time
}

const locumID = "019ab000-0000-7000-8000-000000000016"

var locum = identity.Principal{Subject: "locum", ClinicID: demo.ClinicID, Role: identity.RolePractitioner}

func newWard(t *testing.T) *ward {
	t.Helper()
	d, s := setup(t)
	w := &ward{T: t, d: d, clinic: demo.Clinic(), at: oslo.At(2026, time.March, 27, 10, 0, 0)}
	w.s = s.At(func() time.Time { return w.at })
	w.clinic.Staff[0].DeputyID = locumID
	w.clinic.Staff = append(w.clinic.Staff,
		pg.Staff{ID: otherGPID, Subject: otherGP.Subject, Name: "Fredrik Fastlege", Role: otherGP.Role, Position: "chief", HPR: "2000000"},
		pg.Staff{ID: nurseID, Subject: nurse.Subject, Name: "Siri Sykepleier", Role: nurse.Role, Unit: "lab", Groups: []string{"nurses"}},
		pg.Staff{ID: locumID, Subject: locum.Subject, Name: "Vilde Vikar", Role: locum.Role})
	w.put()
	_, err := w.s.PutPatient(t.Context(), demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	return w
}

func (w *ward) put() {
	w.Helper()
	require.NoError(w, w.s.PutClinic(w.Context(), demo.Service, w.clinic))
}

// staff is a staff member as he is written next.
func (w *ward) staff(id string) *pg.Staff {
	return &w.clinic.Staff[slices.IndexFunc(w.clinic.Staff, func(s pg.Staff) bool { return s.ID == id })]
}

func (w *ward) rule(p contract.Process, format routing.Format, to ...routing.Recipient) error {
	return w.s.PutRouting(w.Context(), demo.Admin, demo.ClinicID, p, routing.Rule{Format: format, Recipients: to})
}

func eContact() pg.Arrival {
	return arrival(contract.ProcessEContact, "DIALOG_INNBYGGER_EKONTAKT", "HE")
}

func (w *ward) arrive(a pg.Arrival) (pg.Arrived, contract.DeliverToInboxOutput) {
	w.Helper()
	a.Attachments = nil
	m, err := w.s.StoreArrival(w.Context(), a)
	require.NoError(w, err)
	return m, w.place(m)
}

func (w *ward) place(m pg.Arrived) contract.DeliverToInboxOutput {
	w.Helper()
	in := contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID}
	out, err := w.s.Place(w.Context(), in)
	require.NoError(w, err)
	again, err := w.s.Place(w.Context(), in)
	require.NoError(w, err)
	require.Equal(w, out, again, "a repetition is told the same")
	return out
}

// follow is a further message of a dialogue.
func follow(first pg.Arrival) pg.Arrival {
	next := first
	next.TransportID, next.MsgID, next.Raw, next.Function = uuid.NewString(), uuid.NewString(), []byte("<raw>"+uuid.NewString()+"</raw>"), "22"
	next.RefToConversation, next.RefToParent = first.MsgID, first.MsgID
	return next
}

// readers are those in whose inboxes the dialogue lies.
func (w *ward) readers(dialogueID string) []string {
	w.Helper()
	var who []string
	for _, p := range []identity.Principal{demo.GP, otherGP, locum, nurse, demo.Desk} {
		if slices.ContainsFunc(inboxOf(w, w.s, p), func(i pg.InboxItem) bool { return i.DialogueID == dialogueID }) {
			who = append(who, p.Subject)
		}
	}
	return who
}

// item is the dialogue as somebody's inboxes show it.
func (w *ward) item(who identity.Principal, dialogueID string) pg.InboxItem {
	w.Helper()
	items := inboxOf(w, w.s, who)
	i := slices.IndexFunc(items, func(i pg.InboxItem) bool { return i.DialogueID == dialogueID })
	require.GreaterOrEqual(w, i, 0, "it is not there")
	return items[i]
}

// does gives a command on a dialogue and has it applied, twice.
func (w *ward) does(by identity.Principal, c pg.DialogueChange) (contract.ApplyDialogueChangeOutput, error) {
	w.Helper()
	c.ID = uuid.NewString()
	if _, err := w.s.DraftDialogueChange(w.Context(), by, demo.ClinicID, c); err != nil {
		return contract.ApplyDialogueChangeOutput{}, err
	}
	in := contract.ApplyDialogueChangeInput{ClinicID: demo.ClinicID, DialogueID: c.DialogueID, CommandID: c.ID}
	out, err := w.s.ApplyDialogueChange(w.Context(), in)
	if err == nil {
		again, err := w.s.ApplyDialogueChange(w.Context(), in)
		require.NoError(w, err)
		require.Equal(w, out, again)
	}
	return out, err
}

// answers drafts an answer and prepares it, as a lifecycle that has accepted it does.
func (w *ward) answers(by identity.Principal, dialogueID, code string) {
	w.Helper()
	d := pg.Draft{ID: uuid.NewString(), Code: code, Text: "Hvil kneet."}
	_, err := w.s.DraftAnswer(w.Context(), by, demo.ClinicID, dialogueID, d)
	require.NoError(w, err)
	_, err = w.s.PrepareAnswer(w.Context(), demo.ClinicID, d.ID, helsenorge, build("wire"))
	require.NoError(w, err)
}

var (
	nurses  = routing.Recipient{Kind: routing.Group, ID: "nurses"}
	chief   = routing.Recipient{Kind: routing.Position, ID: "chief"}
	clerks  = routing.Recipient{Kind: routing.Role, ID: "staff"}
	lab     = routing.Recipient{Kind: routing.Unit, ID: "lab"}
	ofNurse = routing.Recipient{Kind: routing.Personal, ID: nurseID}
)

func TestThreeFormatsAndFourKinds(t *testing.T) { // S34-S42, S47-S49, A9
	w := newWard(t)
	for name, c := range map[string]struct {
		format  routing.Format
		to      []routing.Recipient
		readers []string
		places  int
	}{
		"practitioner":    {routing.Practitioner, nil, []string{"gp"}, 1},
		"position":        {routing.Selected, []routing.Recipient{chief}, []string{"gp2"}, 1},
		"group":           {routing.Selected, []routing.Recipient{nurses}, []string{"nurse"}, 1},
		"role":            {routing.Selected, []routing.Recipient{clerks}, []string{"nurse", "desk"}, 1},
		"unit":            {routing.Selected, []routing.Recipient{lab}, []string{"nurse"}, 1},
		"whole clinic":    {routing.Selected, []routing.Recipient{routing.WholeClinic}, []string{"gp", "gp2", "locum", "nurse", "desk"}, 1},
		"several":         {routing.Selected, []routing.Recipient{chief, nurses, lab}, []string{"gp2", "nurse"}, 3},
		"both":            {routing.Both, []routing.Recipient{nurses}, []string{"gp", "nurse"}, 2},
		"both, by role":   {routing.Both, []routing.Recipient{clerks, chief}, []string{"gp", "gp2", "nurse", "desk"}, 3},
		"both, own again": {routing.Both, []routing.Recipient{{Kind: routing.Group, ID: "doctors"}}, []string{"gp"}, 2},
	} {
		require.NoError(t, w.rule(contract.ProcessEContact, c.format, c.to...), name)
		m, out := w.arrive(general())
		require.Equal(t, string(c.format), out.Rule, name)
		require.Equal(t, c.places, out.Places, name)
		require.ElementsMatch(t, c.readers, w.readers(m.DialogueID), name)
	}
	// One rule per message type: the others are as they were (S31, S44).
	m, out := w.arrive(eConsultation())
	require.Equal(t, "practitioner", out.Rule)
	require.Equal(t, []string{"gp"}, w.readers(m.DialogueID))
}

func TestARuleMustReachSomebodyAtWork(t *testing.T) { // F12
	w := newWard(t)
	refused := func(to ...routing.Recipient) {
		t.Helper()
		err := w.rule(contract.ProcessEContact, routing.Selected, to...)
		require.Equal(t, []string{fmt.Sprintf("recipients[%d]", len(to)-1)}, paths(t, err))
	}
	refused(nurses, routing.Recipient{Kind: routing.Group, ID: "nobody"})
	w.staff(nurseID).AbsentFrom = w.at.Add(-time.Hour)
	w.put()
	refused(nurses)
	w.staff(nurseID).DeputyID = demo.DeskID
	w.put()
	require.NoError(t, w.rule(contract.ProcessEContact, routing.Selected, nurses), "a deputy reads")

	// The last member leaves: whoever set the rule is told, and nothing is lost.
	w.staff(nurseID).Inactive, w.staff(nurseID).DeputyID = true, ""
	w.put()
	w.put()
	cases := casesOf(t, w.s)
	require.Len(t, cases, 1)
	require.Equal(t, []any{contract.CaseRoutingReachesNobody, "e-contact"}, []any{cases[0].Kind, cases[0].Reason})
	m, out := w.arrive(general())
	require.Equal(t, string(routing.EmptyRecipients), out.Fallback)
	require.Len(t, w.readers(m.DialogueID), 4)
	// Another rule, and a new member, both settle it.
	require.NoError(t, w.rule(contract.ProcessEContact, routing.Selected, clerks))
	require.NotNil(t, casesOf(t, w.s)[0].ResolvedAt)
	require.NoError(t, w.rule(contract.ProcessEContact, routing.Practitioner))
}

func TestWhoIsWishedForReadsIt(t *testing.T) { // HITS 1217, role 23
	w := newWard(t)
	wish := func(a pg.Arrival, hpr string) pg.Arrival {
		a.Content.WishedHPR = hpr
		return a
	}
	m, _ := w.arrive(wish(eConsultation(), "2000000"))
	require.Equal(t, []string{"gp2"}, w.readers(m.DialogueID), "instead of the own")
	require.NoError(t, w.rule(contract.ProcessEContact, routing.Selected, nurses))
	m, _ = w.arrive(wish(general(), "2000000"))
	require.Equal(t, []string{"gp2", "nurse"}, w.readers(m.DialogueID), "beside the selected")
	m, out := w.arrive(wish(eConsultation(), "7777777"))
	require.Equal(t, string(routing.WishedAbsent), out.Fallback)
	require.Equal(t, []string{"gp"}, w.readers(m.DialogueID))
}

func TestDialoguesGoToThePractitionerOfTheDay(t *testing.T) { // D20
	w := newWard(t)
	first := eConsultation()
	stored, err := w.s.StoreArrival(t.Context(), first)
	require.NoError(t, err)
	_, err = w.s.PutPatient(t.Context(), demo.Service, demo.ClinicID, line, otherGPID, false)
	require.NoError(t, err)
	w.place(stored)
	require.Equal(t, []string{"gp"}, w.readers(stored.DialogueID), "whose patient he was when it came")
	w.at = w.at.Add(time.Hour)
	m, _ := w.arrive(follow(first))
	require.Equal(t, stored.DialogueID, m.DialogueID)
	require.True(t, w.item(otherGP, m.DialogueID).Unread)
}

func TestDeputiesAndAbsences(t *testing.T) { // F12, D8
	w := newWard(t)
	before, _ := w.arrive(eConsultation())
	require.Equal(t, []string{"gp"}, w.readers(before.DialogueID))

	w.staff(demo.GPID).AbsentFrom, w.staff(demo.GPID).AbsentUntil = w.at.Add(time.Hour), w.at.Add(10*time.Hour)
	w.put()
	require.Equal(t, []string{"gp"}, w.readers(before.DialogueID), "he is still here")
	w.at = w.at.Add(time.Hour) // nothing is written: the clock alone
	require.Equal(t, []string{"gp", "locum"}, w.readers(before.DialogueID))
	during, out := w.arrive(eConsultation())
	require.Equal(t, string(routing.NoPractitioner), out.Fallback)
	require.Equal(t, routing.ViaDeputy, w.item(locum, during.DialogueID).Via)

	w.staff(locumID).AbsentFrom = w.at.Add(time.Hour)
	w.put()
	w.at = w.at.Add(time.Hour) // and nobody stands in
	require.Len(t, w.readers(before.DialogueID), 5)
	nobody, _ := w.arrive(eConsultation())
	require.Len(t, w.readers(nobody.DialogueID), 5)

	w.at = w.at.Add(12 * time.Hour) // the GP is back, his locum is not
	require.Equal(t, []string{"gp"}, w.readers(before.DialogueID))
	require.Contains(t, w.readers(during.DialogueID), "gp", "what lies with who is away is read by all")

	// Everybody is away at once: an operator is told, and resolved when somebody comes.
	for i := range w.clinic.Staff {
		w.clinic.Staff[i].AbsentFrom, w.clinic.Staff[i].AbsentUntil = w.at, w.at.Add(time.Hour)
	}
	w.put()
	_, out = w.arrive(eConsultation())
	require.True(t, out.CaseOpened)
	require.Equal(t, 1, out.Places)
	require.Equal(t, contract.CaseNobodyReads, casesOf(t, w.s)[0].Kind)
	w.at = w.at.Add(2 * time.Hour)
	w.put()
	require.NotNil(t, casesOf(t, w.s)[0].ResolvedAt)
}

func TestAbsencesOfAnotherClinicsStaff(t *testing.T) {
	w := newWard(t)
	const other, theirs = "019ab000-0000-7000-8000-0000000000ff", "019ab000-0000-7000-8000-0000000000fe"
	stranger := identity.Principal{Subject: "epj2", ClinicID: other, Role: identity.RoleService}
	require.NoError(t, w.s.PutClinic(t.Context(), stranger, pg.Clinic{ID: other, Name: "Other", HerID: 1, Staff: []pg.Staff{{ID: theirs, Subject: "x", Name: "x", Role: identity.RoleStaff}}}))
	w.staff(demo.GPID).DeputyID = theirs
	require.True(t, apperr.Is(w.s.PutClinic(t.Context(), demo.Service, w.clinic), apperr.Conflict))
}

func TestOneDialogueInTwoPlaces(t *testing.T) { // S42, A3
	w := newWard(t)
	require.NoError(t, w.rule(contract.ProcessEContact, routing.Both, nurses))
	first := general()
	m, _ := w.arrive(first)
	id := m.DialogueID
	require.True(t, w.item(demo.GP, id).Unread)
	require.True(t, w.item(nurse, id).Unread)
	_, err := w.s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, id)
	require.NoError(t, err)
	require.False(t, w.item(nurse, id).Unread, "one state")

	_, err = w.does(nurse, pg.DialogueChange{DialogueID: id, Kind: pg.TakeDialogue})
	require.NoError(t, err)
	_, err = w.does(nurse, pg.DialogueChange{DialogueID: id, Kind: pg.TakeDialogue})
	require.NoError(t, err, "it is his already")
	_, err = w.does(demo.GP, pg.DialogueChange{DialogueID: id, Kind: pg.TakeDialogue})
	require.Contains(t, conflict(t, err, "taken"), nurseID)
	for _, who := range []identity.Principal{demo.GP, nurse} {
		require.Equal(t, []string{nurseID, "Siri Sykepleier"}, []string{w.item(who, id).OwnerID, w.item(who, id).Owner})
	}
	// Whoever has it reads what comes, wherever it goes.
	require.NoError(t, w.rule(contract.ProcessEContact, routing.Practitioner))
	w.at = w.at.Add(time.Minute)
	w.arrive(follow(first))
	require.True(t, w.item(nurse, id).Unread)
	// Who is away can be relieved.
	w.staff(nurseID).AbsentFrom = w.at
	w.put()
	_, err = w.does(demo.GP, pg.DialogueChange{DialogueID: id, Kind: pg.TakeDialogue})
	require.NoError(t, err)
	require.Equal(t, demo.GPID, w.item(demo.GP, id).OwnerID)
}

func TestAssignedAndForwarded(t *testing.T) {
	w := newWard(t)
	first := eConsultation()
	m, _ := w.arrive(first)
	id := m.DialogueID
	_, err := w.does(demo.Desk, pg.DialogueChange{DialogueID: id, Kind: pg.TakeDialogue})
	require.NoError(t, err)
	require.Equal(t, []string{"gp", "desk"}, w.readers(id), "who takes it finds it in his own")

	_, err = w.does(demo.Admin, pg.DialogueChange{DialogueID: id, Kind: pg.AssignDialogue, StaffID: otherGPID})
	require.NoError(t, err)
	require.True(t, w.item(otherGP, id).Unread)
	require.Equal(t, routing.ViaAssign, w.item(otherGP, id).Via)
	_, err = w.does(demo.Desk, pg.DialogueChange{DialogueID: id, Kind: pg.AssignDialogue, StaffID: uuid.NewString()})
	require.Equal(t, []string{"staffId"}, paths(t, err))
	_, err = w.does(demo.Desk, pg.DialogueChange{DialogueID: id, Kind: pg.AssignDialogue})
	require.NoError(t, err)
	require.Empty(t, w.item(demo.GP, id).OwnerID)

	for path, to := range map[string][]routing.Recipient{
		"to[0]": {{Kind: routing.Group, ID: "nobody"}}, "to[1]": {nurses, {Kind: "planet", ID: "mars"}},
	} {
		_, err = w.does(demo.GP, pg.DialogueChange{DialogueID: id, Kind: pg.ForwardDialogue, To: to})
		require.Equal(t, []string{path}, paths(t, err))
		require.Equal(t, []string{"gp", "gp2", "desk"}, w.readers(id), "what is refused changes nothing")
	}
	_, err = w.does(demo.GP, pg.DialogueChange{DialogueID: id, Kind: pg.TakeDialogue})
	require.NoError(t, err)
	_, err = w.does(demo.GP, pg.DialogueChange{DialogueID: id, Kind: pg.ForwardDialogue, To: []routing.Recipient{nurses, ofNurse}, Note: "Kan dere ringe?"})
	require.NoError(t, err)
	require.Equal(t, []string{"nurse"}, w.readers(id))
	require.Empty(t, w.item(nurse, id).OwnerID)
	require.True(t, w.item(nurse, id).Unread)
	d, err := w.s.ReadDialogue(t.Context(), nurse, demo.ClinicID, id)
	require.NoError(t, err)
	require.Equal(t, []string{nurses.String(), ofNurse.String()}, d.Inboxes)
	at := slices.IndexFunc(d.Changes, func(c pg.DialogueHandled) bool { return c.Kind == pg.ForwardDialogue }) // all at one instant
	require.GreaterOrEqual(t, at, 0)
	done := d.Changes[at]
	require.Equal(t, "Kan dere ringe?", done.Note, "a word to colleagues is theirs to read")
	require.Equal(t, []routing.Recipient{nurses, ofNurse}, done.To)
	require.Equal(t, "Frida Fastlege", done.Author)
	require.False(t, slices.ContainsFunc(d.Changes, func(c pg.DialogueHandled) bool {
		return slices.Contains(c.To, routing.Recipient{Kind: "planet", ID: "mars"})
	}))
	// What the citizen writes later lies there, too; and back again.
	w.at = w.at.Add(time.Minute)
	w.arrive(follow(first))
	require.Equal(t, []string{"nurse"}, w.readers(id))
	_, err = w.does(nurse, pg.DialogueChange{DialogueID: id, Kind: pg.ForwardDialogue, To: []routing.Recipient{{Kind: routing.Personal, ID: demo.GPID}}})
	require.NoError(t, err)
	require.Equal(t, []string{"gp"}, w.readers(id))
	require.True(t, w.item(demo.GP, id).Unread)

	stranger := identity.Principal{Subject: "nobody", ClinicID: demo.ClinicID, Role: identity.RoleStaff}
	_, err = w.does(stranger, pg.DialogueChange{DialogueID: id, Kind: pg.TakeDialogue})
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
}

func TestWhatMayBeClosedWithoutAnAnswer(t *testing.T) { // F13
	w := newWard(t)
	first := general()
	m, _ := w.arrive(first)
	out, err := w.does(demo.Desk, pg.DialogueChange{DialogueID: m.DialogueID, Kind: pg.CloseDialogue})
	require.NoError(t, err)
	require.True(t, out.Closed)
	i := w.item(demo.Desk, m.DialogueID)
	require.Equal(t, contract.StatusClosed, i.Status)
	require.False(t, i.Unread)
	require.Nil(t, i.AnswerDue)
	_, err = w.does(demo.Desk, pg.DialogueChange{DialogueID: m.DialogueID, Kind: pg.CloseDialogue})
	conflict(t, err, "closed")
	w.at = w.at.Add(time.Minute)
	w.arrive(follow(first)) // who writes again opens it
	i = w.item(demo.Desk, m.DialogueID)
	require.Equal(t, contract.StatusAwaitingClinic, i.Status)
	require.NotNil(t, i.AnswerDue)

	consultation, _ := w.arrive(eConsultation())
	_, err = w.does(demo.GP, pg.DialogueChange{DialogueID: consultation.DialogueID, Kind: pg.CloseDialogue})
	conflict(t, err, "awaiting-clinic")
	w.answers(demo.GP, consultation.DialogueID, "12")
	_, err = w.does(demo.GP, pg.DialogueChange{DialogueID: consultation.DialogueID, Kind: pg.CloseDialogue})
	require.NoError(t, err)

	renewal, _ := w.arrive(arrival(contract.ProcessPrescription, "DIALOG_INNBYGGER_RESEPTFORNYELSE", "RF"))
	_, err = w.does(demo.GP, pg.DialogueChange{DialogueID: renewal.DialogueID, Kind: pg.CloseDialogue})
	conflict(t, err, "awaiting-clinic")
	w.answers(demo.GP, renewal.DialogueID, "15")
	_, err = w.does(demo.GP, pg.DialogueChange{DialogueID: renewal.DialogueID, Kind: pg.CloseDialogue})
	conflict(t, err, "answered")
}

func TestAnswersAreClocked(t *testing.T) { // F13, D8
	w := newWard(t) // Friday before Easter week
	first := eConsultation()
	m, out := w.arrive(first)
	var at []string
	for _, e := range out.Clock {
		at = append(at, string(e.Step)+" "+oslo.In(e.At).Format("Mon 2 Jan 15:04"))
	}
	require.Equal(t, []string{"warn Wed 1 Apr 08:00", "deputy Tue 7 Apr 08:00", "administrator Wed 8 Apr 08:00", "overdue Wed 8 Apr 16:00"}, at)
	due := out.Clock[3].At
	i := w.item(demo.GP, m.DialogueID)
	require.WithinDuration(t, m.ReceivedAt, *i.OwedSince, 0)
	require.WithinDuration(t, due, *i.AnswerDue, 0)

	// Reading, forwarding and a further message do not move it.
	w.at = w.at.AddDate(0, 0, 3)
	_, err := w.s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	w.arrive(follow(first))
	require.WithinDuration(t, due, *w.item(demo.GP, m.DialogueID).AnswerDue, 0)
	notice := follow(first)
	notice.Function = contract.FunctionUnread
	_, quiet := w.arrive(notice)
	require.Empty(t, quiet.Clock, "a notice asks for nothing")

	step := func(message string, step contract.EscalationStep) contract.EscalateOutput {
		t.Helper()
		in := contract.EscalateInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: message, Step: step, Now: w.at}
		out, err := w.s.Escalate(t.Context(), in)
		require.NoError(t, err)
		again, err := w.s.Escalate(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, out, again)
		return out
	}
	require.Equal(t, contract.EscalateOutput{Places: 1}, step(m.ID, contract.StepWarn))
	require.Equal(t, contract.StepWarn, w.item(demo.GP, m.DialogueID).Escalated)
	loaded, err := w.s.LoadDialogue(t.Context(), demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	require.Equal(t, &contract.AnswerClock{MessageID: m.ID, Steps: out.Clock[1:]}, loaded.Clock, "what is done is not done again")
	require.Equal(t, contract.EscalateOutput{Places: 2}, step(m.ID, contract.StepDeputy))
	require.Equal(t, []string{"gp", "locum"}, w.readers(m.DialogueID))
	require.Equal(t, contract.EscalateOutput{Places: 3}, step(m.ID, contract.StepAdministrator))
	counts, err := w.s.Inboxes(t.Context(), demo.Admin, demo.ClinicID)
	require.NoError(t, err)
	require.Contains(t, counts, pg.InboxCount{Recipient: "role:clinic-administrator", Total: 1, Unread: 1, Owed: 1})
	require.Equal(t, contract.EscalateOutput{Places: 3, CaseOpened: true}, step(m.ID, contract.StepOverdue))
	cases := casesOf(t, w.s)
	require.Len(t, cases, 1)
	require.Equal(t, contract.CaseAnswerOverdue, cases[0].Kind)
	require.Nil(t, cases[0].ResolvedAt)
	lines, err := w.s.Ledger(t.Context(), demo.GP, demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	require.Len(t, slices.DeleteFunc(lines, func(l pg.LedgerLine) bool { return l.Effect != pg.EffectEscalation }), 4, "explain tells each step")

	// The answer alone stops it.
	w.answers(demo.GP, m.DialogueID, "12")
	i = w.item(demo.GP, m.DialogueID)
	require.Nil(t, i.OwedSince)
	require.Nil(t, i.AnswerDue)
	require.Empty(t, i.Escalated)
	require.NotNil(t, casesOf(t, w.s)[0].ResolvedAt)
	w.at = w.at.Add(time.Hour)
	next, _ := w.arrive(follow(first))
	require.True(t, step(m.ID, "late").Moot, "a later message has a clock of its own")
	require.False(t, step(next.ID, contract.StepWarn).Moot)
}

func TestLimitsAreTheClinics(t *testing.T) { // F13
	w := newWard(t)
	v := pg.Settings{OfficeOpens: "09:00", OfficeCloses: "15:00", AnswerClock: map[contract.Process]answerclock.Limits{
		contract.ProcessEContact: {}, contract.ProcessPrescription: {Overdue: 1},
	}}
	require.NoError(t, w.s.PutSettings(t.Context(), demo.Admin, demo.ClinicID, v))
	m, out := w.arrive(general())
	require.Empty(t, out.Clock)
	i := w.item(demo.Desk, m.DialogueID)
	require.NotNil(t, i.OwedSince, "it is owed nevertheless")
	require.Nil(t, i.AnswerDue)
	_, out = w.arrive(arrival(contract.ProcessPrescription, "DIALOG_INNBYGGER_RESEPTFORNYELSE", "RF"))
	require.Equal(t, []contract.Escalation{{Step: contract.StepOverdue, At: oslo.At(2026, time.March, 30, 15, 0, 0)}}, out.Clock)
	_, out = w.arrive(eConsultation())
	require.Len(t, out.Clock, 4)
	for path, bad := range map[string]pg.Settings{
		"officeOpens":  {OfficeOpens: "8"},
		"officeCloses": {OfficeOpens: "12:00", OfficeCloses: "11:00"},
		"answerClock":  {AnswerClock: map[contract.Process]answerclock.Limits{"telex": {}}},
		"answerClock.e-contact.warn": {AnswerClock: map[contract.Process]answerclock.Limits{
			contract.ProcessEContact: {Warn: 99, Overdue: 5},
		}},
	} {
		require.Contains(t, paths(t, w.s.PutSettings(t.Context(), demo.Admin, demo.ClinicID, bad)), path)
	}
}

func TestListsPageFilterAndSort(t *testing.T) {
	w := newWard(t)
	var ids []string
	for n := range 25 {
		w.at = w.at.Add(time.Minute)
		a := general()
		if n%5 == 0 {
			a = eConsultation()
		}
		m, _ := w.arrive(a)
		ids = append(ids, m.DialogueID)
	}
	w.answers(demo.GP, ids[0], "12")
	reversed := slices.Clone(ids)
	slices.Reverse(reversed)
	// The nearest limit first, and only what is owed: all were received on one day.
	due := slices.Sorted(slices.Values(ids[1:]))
	for sort, want := range map[pg.Sort][]string{pg.SortLatest: reversed, pg.SortOldest: ids, pg.SortDue: due} {
		var got, listed []string
		q := pg.DialogueQuery{Sort: sort, Limit: 7}
		for pages := 1; ; pages++ {
			found, err := w.s.Inbox(t.Context(), demo.GP, demo.ClinicID, q)
			require.NoError(t, err)
			require.LessOrEqual(t, len(found.Items), 7)
			for _, i := range found.Items {
				got = append(got, i.DialogueID)
			}
			if q.Cursor = found.Next; q.Cursor == "" {
				require.Equal(t, 4, pages)
				break
			}
		}
		require.Equal(t, want, got, sort)
		q.Cursor = ""
		for {
			found, err := w.s.Dialogues(t.Context(), demo.Desk, demo.ClinicID, q)
			require.NoError(t, err)
			for _, i := range found.Items {
				listed = append(listed, i.DialogueID)
			}
			if q.Cursor = found.Next; q.Cursor == "" {
				break
			}
		}
		require.Equal(t, want, listed, sort)
	}
	one, err := w.s.Inbox(t.Context(), demo.GP, demo.ClinicID, pg.DialogueQuery{Limit: 1})
	require.NoError(t, err)
	for _, cursor := range []string{"x", "e30", one.Next} {
		_, err := w.s.Inbox(t.Context(), demo.GP, demo.ClinicID, pg.DialogueQuery{Sort: pg.SortOldest, Limit: 1, Cursor: cursor})
		require.Equal(t, []string{"cursor"}, paths(t, err), "a page of another list")
	}

	_, err = w.does(demo.GP, pg.DialogueChange{DialogueID: ids[5], Kind: pg.TakeDialogue})
	require.NoError(t, err)
	_, err = w.s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, ids[10])
	require.NoError(t, err)
	patientID, err := w.s.PatientByNationalID(t.Context(), demo.GP, demo.ClinicID, line.NationalID)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		q    pg.DialogueQuery
		want int
	}{
		"process":       {pg.DialogueQuery{Process: contract.ProcessEConsultation}, 5},
		"status":        {pg.DialogueQuery{Status: contract.StatusAwaitingClinic}, 24},
		"sending":       {pg.DialogueQuery{Status: contract.StatusSending}, 1},
		"origin":        {pg.DialogueQuery{Origin: "helsenorge"}, 25},
		"other origin":  {pg.DialogueQuery{Origin: "portal"}, 0},
		"mine":          {pg.DialogueQuery{OwnerID: pg.OwnerMe}, 1},
		"his":           {pg.DialogueQuery{OwnerID: demo.GPID}, 1},
		"nobody's":      {pg.DialogueQuery{OwnerID: pg.OwnerNobody}, 24},
		"patient":       {pg.DialogueQuery{PatientID: patientID}, 25},
		"other patient": {pg.DialogueQuery{PatientID: uuid.NewString()}, 0},
	} {
		c.q.Limit = 100
		inbox, err := w.s.Inbox(t.Context(), demo.GP, demo.ClinicID, c.q)
		require.NoError(t, err, name)
		require.Len(t, inbox.Items, c.want, name)
		all, err := w.s.Dialogues(t.Context(), demo.GP, demo.ClinicID, c.q)
		require.NoError(t, err, name)
		require.Len(t, all.Items, c.want, name)
	}
	unread, err := w.s.Inbox(t.Context(), demo.GP, demo.ClinicID, pg.DialogueQuery{Unread: true, Limit: 100})
	require.NoError(t, err)
	require.Len(t, unread.Items, 24)
	own := routing.Recipient{Kind: routing.Personal, ID: demo.GPID}
	in, err := w.s.Inbox(t.Context(), demo.GP, demo.ClinicID, pg.DialogueQuery{Recipient: own, Limit: 100})
	require.NoError(t, err)
	require.Len(t, in.Items, 5)
	not, err := w.s.Inbox(t.Context(), nurse, demo.ClinicID, pg.DialogueQuery{Recipient: own, Limit: 100})
	require.NoError(t, err)
	require.Empty(t, not.Items, "another's inbox is not shown")

	counts, err := w.s.Inboxes(t.Context(), demo.GP, demo.ClinicID)
	require.NoError(t, err)
	require.Equal(t, []pg.InboxCount{
		{Recipient: own.String(), Name: "Frida Fastlege", Total: 5, Unread: 4, Owed: 4},
		{Recipient: "unit:clinic", Total: 20, Unread: 20, Owed: 20},
	}, counts[:2])
	everything := inboxOf(t, w.s, demo.Admin)
	require.Len(t, everything, 25)
	require.Equal(t, "Line Testperson", everything[0].Patient)
	require.Equal(t, []string{"unit:clinic"}, everything[0].Inboxes)
	require.Len(t, inboxOf(t, w.s, demo.Service), 25, "the record system sees them all")
}

func TestCasesPageAndFilter(t *testing.T) {
	w := newWard(t)
	var opened []string
	for n := range 9 {
		w.at = w.at.Add(time.Minute)
		kind := contract.CaseNotSent
		if n%3 == 0 {
			kind = contract.CaseReceiptOverdue
		}
		id, err := w.s.OpenCase(t.Context(), contract.OpenCaseInput{ClinicID: demo.ClinicID, MessageID: uuid.NewString(), Kind: kind})
		require.NoError(t, err)
		opened = append(opened, id)
	}
	for range 2 {
		r, err := w.s.ResolveCase(t.Context(), demo.Admin, demo.ClinicID, opened[0])
		require.NoError(t, err)
		require.Empty(t, r.DialogueID, "no lifecycle waits for it")
	}
	_, err := w.s.ResolveCase(t.Context(), demo.Admin, demo.ClinicID, uuid.NewString())
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	var got []string
	q := pg.CaseQuery{Limit: 4}
	for {
		found, err := w.s.Cases(t.Context(), demo.Admin, demo.ClinicID, q)
		require.NoError(t, err)
		for _, c := range found.Items {
			got = append(got, c.ID)
		}
		if q.Cursor = found.Next; q.Cursor == "" {
			break
		}
	}
	require.Equal(t, append(slices.Clone(opened[1:]), opened[0]), got, "open ones first, the oldest first")
	for want, q := range map[int]pg.CaseQuery{8: {Open: true}, 3: {Kind: contract.CaseReceiptOverdue}, 2: {Kind: contract.CaseReceiptOverdue, Open: true}} {
		q.Limit = 100
		found, err := w.s.Cases(t.Context(), demo.Admin, demo.ClinicID, q)
		require.NoError(t, err)
		require.Len(t, found.Items, want)
	}
}

func TestWhoeverIsRefusedIsInTheAudit(t *testing.T) { // S32
	w := newWard(t)
	require.NoError(t, w.s.Refused(t.Context(), demo.Desk, "write-routing-rule"))
	rows, err := w.s.Audit(t.Context(), identity.Principal{Subject: "auditor", ClinicID: demo.ClinicID, Role: identity.RoleAuditor}, demo.ClinicID, pg.AuditQuery{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []string{"desk", "refused", "write-routing-rule"}, []string{rows.Items[1].Subject, rows.Items[1].Action, rows.Items[1].Object})
}

// unseen is what nobody who works at the clinic can read, by the tables alone.
const unseen = `SELECT count(*) FROM dialogue d WHERE EXISTS (SELECT FROM inbox_item WHERE dialogue_id = d.id)
	AND NOT EXISTS (SELECT FROM inbox_item i JOIN staff s ON s.clinic_id = d.clinic_id AND s.active AND CASE i.recipient_kind
			WHEN 'practitioner' THEN s.id::text = i.recipient_id WHEN 'role' THEN s.role = i.recipient_id WHEN 'position' THEN s.position = i.recipient_id
			WHEN 'unit' THEN i.recipient_id = 'clinic' OR s.unit = i.recipient_id
			ELSE EXISTS (SELECT FROM staff_group_member g WHERE g.staff_id = s.id AND g.group_id = i.recipient_id) END
		WHERE i.dialogue_id = d.id AND i.left_at IS NULL)`

// Members leave one by one while a thousand dialogues come: every one of them can be read
// by somebody at every instant (F12).
func TestNobodyLeavesADialogueUnread(t *testing.T) {
	const dialogues = 1000
	w := newWard(t)
	require.NoError(t, w.rule(contract.ProcessEContact, routing.Selected, nurses, chief))
	require.NoError(t, w.rule(contract.ProcessPrescription, routing.Both, clerks, lab))
	var arrived atomic.Int64
	var senders sync.WaitGroup
	const at = 8
	for n := range at {
		senders.Go(func() {
			for i := n; i < dialogues; i += at {
				a := []pg.Arrival{eConsultation(), general(), arrival(contract.ProcessPrescription, "DIALOG_INNBYGGER_RESEPTFORNYELSE", "RF")}[i%3]
				a.Attachments = nil
				m, err := w.s.StoreArrival(t.Context(), a)
				if err == nil {
					_, err = w.s.Place(t.Context(), contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID})
				}
				if err != nil {
					t.Errorf("dialogue %d: %v", i, err)
					return
				}
				arrived.Add(1)
			}
		})
	}
	done := make(chan struct{})
	go func() { senders.Wait(); close(done) }()
	looked := make(chan int)
	go func() {
		for n := 0; ; n++ {
			count, err := w.d.SQL(t.Context(), unseen)
			if err != nil || count != "0" {
				t.Errorf("nobody can read %s of %d dialogues (%v)", count, arrived.Load(), err)
			}
			select {
			case <-done:
				looked <- n
				return
			default:
			}
		}
	}()
	// The GP and his locum, the chief, the nurse and the clerk leave; the administrator stays.
	leaving := []string{demo.GPID, nurseID, otherGPID, locumID, demo.DeskID}
	for i, id := range leaving {
		require.Eventually(t, func() bool { return arrived.Load() > int64((i+1)*dialogues/(len(leaving)+1)) || t.Failed() }, time.Minute, time.Millisecond)
		w.staff(id).Inactive = true
		w.put()
	}
	<-done
	require.Greater(t, <-looked, 3)
	require.Equal(t, int64(dialogues), arrived.Load())
	count, err := w.d.SQL(t.Context(), unseen)
	require.NoError(t, err)
	require.Equal(t, "0", count)
	require.Len(t, inboxOf(t, w.s, demo.Admin), dialogues)
	// Who is left needs no right of an administrator to read them.
	left := demo.Admin
	left.Role = identity.RoleStaff
	require.Len(t, inboxOf(t, w.s, left), dialogues)
	require.ElementsMatch(t, []contract.CaseKind{contract.CaseRoutingReachesNobody, contract.CaseRoutingReachesNobody}, kindsOf(casesOf(t, w.s)))
}

func kindsOf(cases []pg.Case) []contract.CaseKind {
	var kinds []contract.CaseKind
	for _, c := range cases {
		kinds = append(kinds, c.Kind)
	}
	return kinds
}

// A page of a clinic's twenty thousand dialogues reads as much as it shows, whatever plan
// PostgreSQL has chosen.
func TestPagesAreReadFromIndexes(t *testing.T) {
	const old, shown = 20_000, 30
	w := newWard(t)
	for n := range shown {
		w.at = w.at.Add(time.Minute)
		w.arrive([]pg.Arrival{eConsultation(), eContact()}[n%2])
	}
	// What was closed years ago still lies where it lay.
	_, err := w.d.SQL(t.Context(), fmt.Sprintf(`
		CREATE TEMP TABLE old AS SELECT gen_random_uuid() AS id, gen_random_uuid() AS message_id, d.clinic_id, d.patient_id, d.process, d.title, d.key_id,
				d.latest_at - interval '1 year' - n * interval '1 minute' AS at, i.recipient_kind, i.recipient_id
			FROM dialogue d JOIN inbox_item i ON i.dialogue_id = d.id, generate_series(1, %d) n;
		INSERT INTO dialogue (id, clinic_id, patient_id, process, title, key_id, created_at, latest_at, closed_at) SELECT id, clinic_id, patient_id, process, title, key_id, at, at, at FROM old;
		INSERT INTO inbox_item (id, clinic_id, dialogue_id, message_id, recipient_kind, recipient_id, placed_at, read_at)
			SELECT gen_random_uuid(), clinic_id, id, message_id, recipient_kind, recipient_id, at, at FROM old`, old/shown))
	require.NoError(t, err)
	_, err = w.d.SQL(t.Context(), "ANALYZE")
	require.NoError(t, err)

	// Counters of a connection are complete when it is closed.
	rowsRead := func() (n int) {
		row, err := w.d.SQL(t.Context(), "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables WHERE relname IN ('dialogue', 'inbox_item', 'outbound_message')")
		require.NoError(t, err)
		_, err = fmt.Sscan(row, &n)
		require.NoError(t, err)
		return n
	}
	w.d.Store.Close()
	for name, read := range map[string]func(*pg.Store) (int, error){
		"inbox": func(s *pg.Store) (int, error) {
			p, err := s.Inbox(t.Context(), demo.GP, demo.ClinicID, pg.DialogueQuery{Limit: shown / 2})
			return len(p.Items), err
		},
		"what is due": func(s *pg.Store) (int, error) {
			p, err := s.Inbox(t.Context(), demo.GP, demo.ClinicID, pg.DialogueQuery{Sort: pg.SortDue, Limit: shown / 2})
			return len(p.Items), err
		},
		"the clinic's": func(s *pg.Store) (int, error) {
			p, err := s.Dialogues(t.Context(), demo.Desk, demo.ClinicID, pg.DialogueQuery{Limit: shown / 2})
			return len(p.Items), err
		},
	} {
		before := rowsRead()
		v, err := vault.Open(w.d.Vault)
		require.NoError(t, err)
		s, err := pg.Open(w.d.Config, v)
		require.NoError(t, err)
		began := time.Now()
		n, err := read(s)
		took := time.Since(began)
		s.Close()
		require.NoError(t, err, name)
		require.Equal(t, shown/2, n, name)
		require.Less(t, rowsRead()-before, 1000, name)
		t.Logf("%s: %s", name, took.Round(time.Millisecond))
	}
}
