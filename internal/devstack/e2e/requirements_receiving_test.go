package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

// kindOf is what a citizen does to begin a dialogue of each message type.
var kindOf = map[contract.Process]simulator.Kind{
	contract.ProcessEConsultation: simulator.EConsultation, contract.ProcessEContact: simulator.EContact, contract.ProcessPrescription: simulator.Renewal,
}

// rule has the administrator set where the messages of a type go.
func (c *clinic) rule(process contract.Process, format routing.Format, to ...routing.Recipient) {
	c.Helper()
	c.must(c.Admin, http.MethodPut, "/routing/"+string(process), routing.Rule{Format: format, Recipients: to}, nil)
}

// ruleRefused demands that a rule is refused and that the one before holds.
func (c *clinic) ruleRefused(status int, who identity.Principal, process contract.Process, rule routing.Rule) api.Problem {
	c.Helper()
	before := c.rules()
	p := c.refused(status, who, http.MethodPut, "/routing/"+string(process), rule)
	require.Equal(c, before, c.rules())
	return p
}

func (c *clinic) rules() map[contract.Process]routing.Rule {
	c.Helper()
	var all api.Rules
	c.must(c.Desk, http.MethodGet, "/routing", nil, &all)
	return all.Rules
}

// received has the patient begin a dialogue of the type and waits until it is placed.
func (c *clinic) received(p patient, process contract.Process) pg.DialogueItem {
	c.Helper()
	subject := fmt.Sprintf("%s %s", process, newID()[:8])
	require.True(c, c.receiptFor(c.writes(p, simulator.Action{Kind: kindOf[process], Subject: subject})).OK)
	d := c.arrived(p, subject)
	require.Equal(c, process, d.Process)
	return d
}

// readers are the people of the clinic who can be readers of a dialogue.
func (c *clinic) readers() []identity.Principal {
	return []identity.Principal{c.GP, c.Colleague, c.Desk}
}

// lies demands that a dialogue lies in these inboxes and in no other, once however many
// they are, and that of practitioners and desk these people have it in theirs and nobody
// else has.
func (c *clinic) lies(d pg.DialogueItem, inboxes []string, readers ...identity.Principal) {
	c.Helper()
	require.ElementsMatch(c, inboxes, d.Inboxes)
	for _, who := range c.readers() {
		found := 0
		for _, i := range c.inboxOf(who) {
			if i.DialogueID == d.DialogueID {
				found++
			}
		}
		want := 0
		if slices.ContainsFunc(readers, func(r identity.Principal) bool { return r.Subject == who.Subject }) {
			want = 1
		}
		require.Equalf(c, want, found, "in the inbox of %s", who.Subject)
	}
}

func own(staffID string) string { return "practitioner:" + staffID }

// patientsSend: a citizen sends a dialogue of each kind from Helsenorge, himself or through
// who represents him, with files, and goes on in it (S30).
func patientsSend(c *clinic) {
	p := c.patient(nil)
	for _, process := range []contract.Process{contract.ProcessEConsultation, contract.ProcessEContact, contract.ProcessPrescription} {
		subject, text := "Fra Helsenorge, "+string(process), "Hei, dette er "+string(process)
		a := simulator.Action{Kind: kindOf[process], Subject: subject, Text: text}
		if process != contract.ProcessPrescription {
			a.Files = []simulator.File{{Name: "bilde", Content: []byte("\x89PNG\r\n\x1a\nbilde")}}
		}
		sent := c.writes(p, a)
		require.True(c, c.receiptFor(sent).OK)
		item := c.arrived(p, subject)
		d := c.readDialogue(c.GP, item.DialogueID)
		require.Equal(c, []any{process, p.ID, "helsenorge"}, []any{d.Process, d.PatientID, d.Origin})
		require.Len(c, d.Messages, 1)
		require.Equal(c, text, d.Messages[0].Text)
		require.Len(c, d.Messages[0].Attachments, len(a.Files))
		require.Equal(c, contract.StatusAwaitingClinic, d.Status)
		if process == contract.ProcessPrescription {
			continue
		}
		require.True(c, c.receiptFor(c.writes(p, simulator.Action{Kind: simulator.Reply, InReplyTo: sent.MsgID, Text: "En ting til"})).OK)
		c.eventually("what he adds is in the same dialogue", func() error {
			if d = c.readDialogue(c.GP, item.DialogueID); len(d.Messages) != 2 {
				return fmt.Errorf("%d messages", len(d.Messages))
			}
			return nil
		})
		require.Equal(c, "En ting til", d.Messages[1].Text)
	}
	require.Len(c, c.dialoguesOf(p), 3)

	parent := c.patient(nil)
	c.writes(p, simulator.Action{Kind: simulator.EContact, Subject: "For en annen", By: parent.Citizen, Relation: "FU"})
	d := c.readDialogue(c.GP, c.arrived(p, "For en annen").DialogueID)
	require.Contains(c, d.Messages[0].Actor, parent.FamilyName)
	require.Equal(c, "FU", d.Messages[0].Relation)
	require.Equal(c, p.ID, d.PatientID)
}

// ruleForEachType: the clinic defines, for each message type, which employees receive it
// (S31).
func ruleForEachType(c *clinic) {
	p := c.patient(nil)
	c.rule(contract.ProcessEConsultation, routing.Selected, routing.Recipient{Kind: routing.Group, ID: "doctors"})
	c.rule(contract.ProcessEContact, routing.Selected, routing.Recipient{Kind: routing.Position, ID: "secretary"})
	c.rule(contract.ProcessPrescription, routing.Practitioner)
	c.lies(c.received(p, contract.ProcessEConsultation), []string{"group:doctors"}, c.GP, c.Colleague)
	c.lies(c.received(p, contract.ProcessEContact), []string{"position:secretary"}, c.Desk)
	c.lies(c.received(p, contract.ProcessPrescription), []string{own(c.GPID)}, c.GP)
}

// administratorAlone: the clinic administrator changes the set-up; everybody else is
// refused, and nothing changes. What is changed is in the audit (S32).
func administratorAlone(c *clinic) {
	mine := routing.Rule{Format: routing.Practitioner}
	for _, who := range []identity.Principal{c.GP, c.Colleague, c.Desk, c.Service, c.Portal, c.Operator, c.Auditor} {
		for process := range kindOf {
			c.ruleRefused(http.StatusForbidden, who, process, mine)
		}
	}
	c.rule(contract.ProcessEContact, mine.Format)
	require.Equal(c, mine, c.rules()[contract.ProcessEContact])
	var audit api.List[pg.AuditRow]
	c.must(c.Auditor, http.MethodGet, "/audit?"+url.Values{"limit": {"500"}}.Encode(), nil, &audit)
	var changes []string
	for _, r := range audit.Items {
		if r.Action == "routing.put" {
			changes = append(changes, r.Subject+" "+r.Object)
		}
	}
	require.Equal(c, []string{c.Admin.Subject + " routing/e-contact"}, changes)
}

// setUpInOnePlace: the set-up of all message types is read and changed in one place, over
// HTTP and on the command line (S33).
func setUpInOnePlace(c *clinic) {
	require.Len(c, c.rules(), 3)
	shown := c.command(c.Admin, cli.ExitDone, "routing", "show")
	for process := range kindOf {
		require.Contains(c, shown, string(process))
	}
	c.command(c.Admin, cli.ExitDone, "routing", "set", "e-contact", "--format", "selected", "--recipient", "group:desk", "--recipient", "position:gp")
	require.Contains(c, c.command(c.Desk, cli.ExitDone, "routing", "show", "e-contact"), "group:desk, position:gp")
	c.command(c.Desk, cli.ExitRefused, "routing", "set", "e-contact", "--format", "practitioner")
	require.Equal(c, routing.Selected, c.rules()[contract.ProcessEContact].Format)
	c.lies(c.received(c.patient(nil), contract.ProcessEContact), []string{"group:desk", "position:gp"}, c.GP, c.Colleague, c.Desk)
}

// choicesForTypes: three message types, and three formats for each (S34).
func choicesForTypes(c *clinic) {
	desk := routing.Recipient{Kind: routing.Group, ID: "desk"}
	for process := range kindOf {
		for _, rule := range []routing.Rule{
			{Format: routing.Practitioner}, {Format: routing.Selected, Recipients: []routing.Recipient{desk}}, {Format: routing.Both, Recipients: []routing.Recipient{desk}},
		} {
			c.rule(process, rule.Format, rule.Recipients...)
			require.Equal(c, rule, c.rules()[process])
			var one routing.Rule
			c.must(c.GP, http.MethodGet, "/routing/"+string(process), nil, &one)
			require.Equal(c, rule, one)
		}
		for _, format := range []routing.Format{"", "everybody", "Practitioner"} {
			c.ruleRefused(http.StatusUnprocessableEntity, c.Admin, process, routing.Rule{Format: format})
		}
	}
	for _, process := range []string{"appointment", "e-dialogue", "sms"} {
		status, answer, err := c.call(c.Admin, http.MethodPut, "/routing/"+process, newID(), routing.Rule{Format: routing.Practitioner})
		require.NoError(c, err)
		require.Contains(c, []int{http.StatusNotFound, http.StatusUnprocessableEntity}, status, answer)
	}
	require.Len(c, c.rules(), 3)
}

// patientsPractitioner: the first format is the inbox of the patient's own GP, whoever of
// the clinic he writes to; the practitioner whom he names comes first, and who is away has
// a deputy (S35).
func patientsPractitioner(c *clinic) {
	his := c.patient(nil)
	hers := c.patient(func(r *client.PatientRecord) { r.PractitionerID = c.ColleagueID })
	for process := range kindOf {
		c.rule(process, routing.Practitioner)
		c.lies(c.received(his, process), []string{own(c.GPID)}, c.GP)
		c.lies(c.received(hers, process), []string{own(c.ColleagueID)}, c.Colleague)
	}
	c.writes(his, simulator.Action{Kind: simulator.EConsultation, Subject: "Til kollegaen", HPR: c.Colleague.HPR})
	c.lies(c.arrived(his, "Til kollegaen"), []string{own(c.ColleagueID)}, c.Colleague)

	c.staff(func(m *pg.Clinic) {
		m.Staff[0].AbsentFrom, m.Staff[0].DeputyID = time.Now().Add(-time.Hour), c.ColleagueID
	})
	c.lies(c.received(his, contract.ProcessEConsultation), []string{own(c.ColleagueID)}, c.Colleague)
}

// recipientIsFixed: with the first format the recipient is the practitioner: to set
// another is an error (S36).
func recipientIsFixed(c *clinic) {
	for process := range kindOf {
		for _, to := range []routing.Recipient{{Kind: routing.Group, ID: "desk"}, routing.WholeClinic, {Kind: routing.Personal, ID: c.GPID}} {
			p := c.ruleRefused(http.StatusUnprocessableEntity, c.Admin, process, routing.Rule{Format: routing.Practitioner, Recipients: []routing.Recipient{to}})
			require.Contains(c, fmt.Sprint(p.Detail, p.Errors), "recipients")
		}
		c.rule(process, routing.Practitioner)
	}
	c.command(c.Admin, cli.ExitRefused, "routing", "set", "e-contact", "--format", "practitioner", "--recipient", "group:desk")
}

// selectedReceiver: the second format is the recipient that the clinic has chosen, and not
// the GP (S37).
func selectedReceiver(c *clinic) {
	p := c.patient(nil)
	for process := range kindOf {
		c.rule(process, routing.Selected, routing.Recipient{Kind: routing.Group, ID: "desk"})
		c.lies(c.received(p, process), []string{"group:desk"}, c.Desk)
	}
	// A practitioner is no kind that can be chosen: that is the first format.
	c.ruleRefused(http.StatusUnprocessableEntity, c.Admin, contract.ProcessEContact,
		routing.Rule{Format: routing.Selected, Recipients: []routing.Recipient{{Kind: routing.Personal, ID: c.GPID}}})
}

// chosen demands that a recipient of a kind gets the dialogues of every type, that these
// people read them, and that one of the kind behind whom nobody is, is refused.
func (c *clinic) chosen(to routing.Recipient, readers ...identity.Principal) {
	c.Helper()
	p := c.patient(nil)
	for process := range kindOf {
		c.rule(process, routing.Selected, to)
		c.lies(c.received(p, process), []string{to.String()}, readers...)
		refused := c.ruleRefused(http.StatusUnprocessableEntity, c.Admin, process,
			routing.Rule{Format: routing.Selected, Recipients: []routing.Recipient{{Kind: to.Kind, ID: "nobodys"}}})
		require.Contains(c, fmt.Sprint(refused.Errors), "nobodys")
	}
}

// positions: a recipient can be a position (S38).
func positions(c *clinic) {
	c.chosen(routing.Recipient{Kind: routing.Position, ID: "gp"}, c.GP, c.Colleague)
	c.chosen(routing.Recipient{Kind: routing.Position, ID: "secretary"}, c.Desk)
}

// groups: a recipient can be a group (S39).
func groups(c *clinic) {
	c.chosen(routing.Recipient{Kind: routing.Group, ID: "doctors"}, c.GP, c.Colleague)
	c.chosen(routing.Recipient{Kind: routing.Group, ID: "desk"}, c.Desk)
}

// roles: a recipient can be a role (S40).
func roles(c *clinic) {
	c.chosen(routing.Recipient{Kind: routing.Role, ID: string(identity.RolePractitioner)}, c.GP, c.Colleague)
	c.chosen(routing.Recipient{Kind: routing.Role, ID: string(identity.RoleStaff)}, c.Desk)
}

// units: a recipient can be an organisation unit, and the whole clinic (S41).
func units(c *clinic) {
	c.staff(func(m *pg.Clinic) { m.Staff[1].Unit, m.Staff[2].Unit = "annen-etasje", "annen-etasje" })
	c.chosen(routing.Recipient{Kind: routing.Unit, ID: "annen-etasje"}, c.Colleague, c.Desk)
	c.chosen(routing.WholeClinic, c.GP, c.Colleague, c.Desk)
}

// change asks something of a dialogue.
func (c *clinic) change(who identity.Principal, id string, r api.DialogueChangeRequest) client.DialogueChanged {
	c.Helper()
	var out client.DialogueChanged
	c.must(who, http.MethodPost, "/dialogues/"+id+"/changes", r, &out)
	return out
}

// changeRefused demands that it is refused.
func (c *clinic) changeRefused(status int, who identity.Principal, id string, r api.DialogueChangeRequest) api.Problem {
	c.Helper()
	return c.refused(status, who, http.MethodPost, "/dialogues/"+id+"/changes", r)
}

// answers has staff answer a dialogue that has come to rest, and waits for Helsenorge's
// receipt.
func (c *clinic) answers(who identity.Principal, id string, r api.AnswerRequest) pg.Dialogue {
	c.Helper()
	c.settledDialogue(id)
	c.must(who, http.MethodPost, "/dialogues/"+id+"/answers", r, nil)
	return c.acknowledged(id)
}

// bothPlaces: the third format is one dialogue in two places, with one state (S42, A3).
func bothPlaces(c *clinic) {
	p := c.patient(nil)
	for process := range kindOf {
		c.rule(process, routing.Both, routing.Recipient{Kind: routing.Group, ID: "desk"})
		d := c.received(p, process)
		c.lies(d, []string{own(c.GPID), "group:desk"}, c.GP, c.Desk)
		gps, desks := c.inboxItem(c.GP, d.DialogueID, true), c.inboxItem(c.Desk, d.DialogueID, true)
		require.Equal(c, []string{own(c.GPID), "group:desk"}, []string{gps.Recipient, desks.Recipient})

		c.change(c.GP, d.DialogueID, api.DialogueChangeRequest{Kind: pg.TakeDialogue})
		require.Equal(c, c.GPID, c.inboxItem(c.Desk, d.DialogueID, true).OwnerID, "the other sees who has it")
		taken := c.changeRefused(http.StatusConflict, c.Desk, d.DialogueID, api.DialogueChangeRequest{Kind: pg.TakeDialogue})
		require.Equal(c, "taken", taken.State)
		require.Contains(c, taken.Detail, c.GPID)

		c.readDialogue(c.GP, d.DialogueID)
		c.inboxItem(c.Desk, d.DialogueID, false) // read is read in both
		code := answerCodes[kindOf[process]]
		c.answers(c.GP, d.DialogueID, api.AnswerRequest{Code: code, Text: "Svar"})
		require.Equal(c, c.inboxItem(c.GP, d.DialogueID, false).Status, c.inboxItem(c.Desk, d.DialogueID, false).Status)
		require.NotEqual(c, contract.StatusAwaitingClinic, c.inboxItem(c.Desk, d.DialogueID, false).Status)
	}
	require.Len(c, c.dialoguesOf(p), 3, "one dialogue each, not two")
}

// wholeClinic is the default of what anybody may see to.
var wholeClinic = routing.Rule{Format: routing.Selected, Recipients: []routing.Recipient{routing.WholeClinic}}

// defaults: a clinic that has touched nothing has a rule for each type (S43).
func defaults(c *clinic) {
	require.Equal(c, map[contract.Process]routing.Rule{
		contract.ProcessEConsultation: {Format: routing.Practitioner}, contract.ProcessEContact: wholeClinic, contract.ProcessPrescription: wholeClinic,
	}, c.rules())
	for process := range kindOf {
		require.NotEmpty(c, c.received(c.patient(nil), process).Inboxes)
	}
	var audit api.List[pg.AuditRow]
	c.must(c.Auditor, http.MethodGet, "/audit?"+url.Values{"limit": {"500"}}.Encode(), nil, &audit)
	require.False(c, slices.ContainsFunc(audit.Items, func(r pg.AuditRow) bool { return r.Action == "routing.put" }), "nobody has touched it")
}

// defaultOfEConsultations: to the patient's practitioner (S44).
func defaultOfEConsultations(c *clinic) {
	c.lies(c.received(c.patient(nil), contract.ProcessEConsultation), []string{own(c.GPID)}, c.GP)
	hers := c.patient(func(r *client.PatientRecord) { r.PractitionerID = c.ColleagueID })
	c.lies(c.received(hers, contract.ProcessEConsultation), []string{own(c.ColleagueID)}, c.Colleague)
}

// defaultOfEContacts: to the whole clinic (S45).
func defaultOfEContacts(c *clinic) {
	c.lies(c.received(c.patient(nil), contract.ProcessEContact), []string{"unit:clinic"}, c.GP, c.Colleague, c.Desk)
}

// defaultOfRenewals: to the whole clinic (S46).
func defaultOfRenewals(c *clinic) {
	c.lies(c.received(c.patient(nil), contract.ProcessPrescription), []string{"unit:clinic"}, c.GP, c.Colleague, c.Desk)
}

// formatIsChosen: the format can be changed at any time; it holds for what comes after,
// and what is there stays (S47).
func formatIsChosen(c *clinic) {
	p, desk := c.patient(nil), routing.Recipient{Kind: routing.Group, ID: "desk"}
	first := c.received(p, contract.ProcessEConsultation)
	c.lies(first, []string{own(c.GPID)}, c.GP)
	c.rule(contract.ProcessEConsultation, routing.Selected, desk)
	second := c.received(p, contract.ProcessEConsultation)
	c.rule(contract.ProcessEConsultation, routing.Both, desk)
	third := c.received(p, contract.ProcessEConsultation)
	c.rule(contract.ProcessEConsultation, routing.Practitioner)
	c.lies(first, []string{own(c.GPID)}, c.GP)
	c.lies(second, []string{"group:desk"}, c.Desk)
	c.lies(third, []string{own(c.GPID), "group:desk"}, c.GP, c.Desk)
	c.lies(c.received(p, contract.ProcessEConsultation), []string{own(c.GPID)}, c.GP)
	// A format that needs a recipient is not chosen without one.
	for _, format := range []routing.Format{routing.Selected, routing.Both} {
		c.ruleRefused(http.StatusUnprocessableEntity, c.Admin, contract.ProcessEConsultation, routing.Rule{Format: format})
	}
}

// severalRecipients: there can be several recipients, of mixed kinds; none, one twice and
// one whom nobody is behind are refused (S48, A9).
func severalRecipients(c *clinic) {
	p := c.patient(nil)
	all := []routing.Recipient{{Kind: routing.Group, ID: "desk"}, {Kind: routing.Position, ID: "gp"}, {Kind: routing.Role, ID: string(identity.RoleClinicAdministrator)}, routing.WholeClinic}
	for process := range kindOf {
		c.rule(process, routing.Selected, all...)
		d := c.received(p, process)
		c.lies(d, []string{"group:desk", "position:gp", "role:clinic-administrator", "unit:clinic"}, c.GP, c.Colleague, c.Desk)
		c.rule(process, routing.Both, all[:2]...)
		c.lies(c.received(p, process), []string{own(c.GPID), "group:desk", "position:gp"}, c.GP, c.Colleague, c.Desk)
		for _, wrong := range [][]routing.Recipient{
			{}, {all[0], all[0]}, {all[0], {Kind: routing.Group, ID: "nobodys"}}, {{Kind: "people", ID: "desk"}}, {{Kind: routing.Group}},
		} {
			c.ruleRefused(http.StatusUnprocessableEntity, c.Admin, process, routing.Rule{Format: routing.Selected, Recipients: wrong})
		}
	}
	require.Len(c, c.dialoguesOf(p), 6)
}

// inboxesOfTheClinic: dialogues are in the inboxes that the clinic has defined, which are
// listed with what lies in them (S49).
func inboxesOfTheClinic(c *clinic) {
	p := c.patient(nil)
	c.staff(func(m *pg.Clinic) { m.Staff[2].Groups = []string{"desk", "telefon"} })
	c.rule(contract.ProcessEContact, routing.Selected, routing.Recipient{Kind: routing.Group, ID: "telefon"})
	d := c.received(p, contract.ProcessEContact)
	c.lies(d, []string{"group:telefon"}, c.Desk)
	counts := func(who identity.Principal) map[string]pg.InboxCount {
		c.Helper()
		var l api.List[pg.InboxCount]
		c.must(who, http.MethodGet, "/inboxes", nil, &l)
		all := map[string]pg.InboxCount{}
		for _, i := range l.Items {
			all[i.Recipient] = i
		}
		return all
	}
	mine := counts(c.Desk)
	for _, box := range []string{"group:telefon", "group:desk", "position:secretary", "role:staff", "unit:clinic"} {
		require.Contains(c, mine, box)
	}
	require.Equal(c, []int{1, 1, 1}, []int{mine["group:telefon"].Total, mine["group:telefon"].Unread, mine["group:telefon"].Owed})
	require.Zero(c, mine["group:desk"].Total)
	require.NotContains(c, counts(c.GP), "group:telefon")
	in := func(box string) []string {
		c.Helper()
		var l api.List[pg.InboxItem]
		c.must(c.Desk, http.MethodGet, "/inbox?"+url.Values{"recipient": {box}}.Encode(), nil, &l)
		var ids []string
		for _, i := range l.Items {
			ids = append(ids, i.DialogueID)
		}
		return ids
	}
	require.Equal(c, []string{d.DialogueID}, in("group:telefon"))
	require.Empty(c, in("group:desk"))
	require.Contains(c, c.command(c.Desk, cli.ExitDone, "inbox", "counts"), "group:telefon")
	c.readDialogue(c.Desk, d.DialogueID)
	require.Zero(c, counts(c.Desk)["group:telefon"].Unread)
	c.change(c.Desk, d.DialogueID, api.DialogueChangeRequest{Kind: pg.ForwardDialogue, To: []routing.Recipient{{Kind: routing.Group, ID: "doctors"}}})
	require.Zero(c, counts(c.Desk)["group:telefon"].Total)
	require.Equal(c, 1, counts(c.GP)["group:doctors"].Unread)
}

// journalled waits until the dialogue has so many messages in its journal entry.
func (c *clinic) journalled(id string, messages int) pg.Dialogue {
	c.Helper()
	var d pg.Dialogue
	c.eventually("the messages are in the journal", func() error {
		if d = c.readDialogue(c.GP, id); len(d.Journal) != messages {
			return fmt.Errorf("%d of %d", len(d.Journal), messages)
		}
		return nil
	})
	return d
}

// eConsultationsAreJournalled: an e-consultation is in the patient's journal by itself,
// once, and so is the answer (S50).
func eConsultationsAreJournalled(c *clinic) {
	p := c.patient(nil)
	sent := c.writes(p, simulator.Action{Kind: simulator.EConsultation, Subject: "Utslett", Times: 2})
	id := c.arrived(p, "Utslett").DialogueID
	d := c.journalled(id, 1)
	require.Equal(c, d.Messages[0].ID, d.Journal[0].MessageID)
	c.writes(p, simulator.Action{Kind: simulator.Reply, InReplyTo: sent.MsgID, Text: "Det klør"})
	c.journalled(id, 2)
	d, _ = c.settledDialogue(id)
	require.Equal(c, d.Journal[0].ID, d.Journal[1].ID, "one entry")
	d = c.answers(c.GP, id, api.AnswerRequest{Code: contract.AnswerFromPractitioner, Text: "Kom innom"})
	d = c.journalled(id, 3)
	require.Equal(c, []string{d.Messages[0].ID, d.Messages[1].ID, d.Answers[0].ID}, []string{d.Journal[0].MessageID, d.Journal[1].MessageID, d.Journal[2].MessageID})
	var e client.Explanation
	c.must(c.GP, http.MethodGet, "/dialogues/"+id+"/explain", nil, &e)
	journal := 0
	for _, l := range e.Lines {
		if l.Effect == pg.EffectJournal {
			journal++
			require.Equal(c, contract.OutcomeDone, l.Outcome)
		}
	}
	require.Equal(c, 3, journal)
}

// repliesOnHelsenorge: what GP or clinic answers is received on Helsenorge, which tells
// the patient; the clinic's own channels do not (S51).
func repliesOnHelsenorge(c *clinic) {
	p := c.patient(nil)
	for _, who := range []struct {
		by   identity.Principal
		name string
	}{{c.GP, "Frida Fastlege"}, {c.Desk, "Solveig Sekretær"}} {

		for process, kind := range kindOf {
			subject, text := string(process)+" "+who.by.Subject, "Svar fra "+who.name
			sent := c.writes(p, simulator.Action{Kind: kind, Subject: subject})
			id := c.arrived(p, subject).DialogueID
			d := c.answers(who.by, id, api.AnswerRequest{Code: answerCodes[kind], Text: text})
			got := c.answerTo(sent)
			require.Equal(c, answerCodes[kind], got.Function)
			require.True(c, strings.HasPrefix(got.Text, text))
			require.Equal(c, who.name, d.Answers[0].Author)
			t := c.thread(p, subject)
			require.Equal(c, sent.MsgID, t.Conversation)
			require.Len(c, t.Messages, 2)
			require.False(c, t.Messages[1].Own)
		}
	}
	require.Empty(c, c.sent(p))
	require.Empty(c, c.feed(p))
	// Who may not answer does not.
	id := c.received(p, contract.ProcessEContact).DialogueID
	for _, who := range []identity.Principal{c.Admin, c.Service, c.Portal, c.Operator, c.Auditor} {
		c.refused(http.StatusForbidden, who, http.MethodPost, "/dialogues/"+id+"/answers", api.AnswerRequest{Code: contract.AnswerToEnquiry, Text: "Nei"})
	}
	require.Empty(c, c.readDialogue(c.GP, id).Answers)
}
