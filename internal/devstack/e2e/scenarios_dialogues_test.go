package e2e_test

import (
	"fmt"
	"github.com/helsebro/helsebro/internal/testsize"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/domain/answerclock"
	"github.com/helsebro/helsebro/internal/domain/conversion"
	"github.com/helsebro/helsebro/internal/domain/prescription"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// TestDialogueScenarios are the nasty stories of dialogues and the tests that F12 to F15
// ask for, each in a clinic of its own in one world, as TestScenarios are those of
// appointments.
func TestDialogueScenarios(t *testing.T) {
	stories := []struct {
		name string
		play func(*clinic)
	}{
		{"D9 reply after conversion", replyAfterConversion},
		{"D17 deputy and practitioner answer at once", twoAnswerAtOnce},
		{"D18 six prescriptions become an e-consultation", sixPrescriptions},
		{"D20 changes practitioner after booking", changesPractitioner},
		{"F12 members leave one by one", membersLeave},
		{"F13 escalation and answer", answerIsOwed},
		{"F14 converted twice", convertedTwice},
		{"F14 reply during conversion", replyDuringConversion},
		{"F14 converted after the answer", convertedAfterTheAnswer},
		{"F15 every decision has its option", everyDecision},
	}
	w := clinics(t, 1+len(stories), stack.Config{})
	for i, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			c := w.clinic(t, 1+i)
			s.play(c)
			c.conforms()
		})
	}
}

// dialogueTo lets time pass for a dialogue until a little after the instant.
func (c *clinic) dialogueTo(id string, at time.Time) {
	c.Helper()
	c.forwardingTo(c.workflowOf(id), at.Add(beyond))()
}

// steps are those of the answer clock of what was received then.
func steps(received time.Time) map[answerclock.Step]time.Time {
	all := map[answerclock.Step]time.Time{}
	for _, s := range answerclock.Steps(received, answerclock.DefaultLimits(), answerclock.DefaultOffice()) {
		all[s.Step] = s.At
	}
	return all
}

// clock demands that an answer is owed since the message, with its limit.
func (c *clinic) clock(id string, since time.Time) {
	c.Helper()
	d := c.readDialogue(c.GP, id)
	require.NotNil(c, d.OwedSince)
	require.WithinDuration(c, since, *d.OwedSince, time.Millisecond)
	require.Equal(c, steps(*d.OwedSince)[answerclock.Overdue], *d.AnswerDue)
}

// feeNotices counts what has told the patient of a fee.
func (c *clinic) feeNotices(p patient) int {
	c.Helper()
	n := 0
	for _, m := range c.told(p) {
		if m.Function == contract.OpenDialogue && strings.Contains(m.Text, conversion.Tells("nb").Text[:40]) {
			n++
		}
	}
	return n
}

// replyAfterConversion is D9.
func replyAfterConversion(c *clinic) {
	p := c.patient(nil)
	first := c.writes(p, simulator.Action{Kind: simulator.EContact, Subject: "Mandag", Text: "Mandag"})
	id := c.arrived(p, "Mandag").DialogueID
	c.writes(p, simulator.Action{Kind: simulator.Reply, InReplyTo: first.MsgID, Text: "Tirsdag"})
	c.eventually("both are there", func() error {
		if d := c.readDialogue(c.GP, id); len(d.Messages) != 2 {
			return errNotYet
		}
		return nil
	})
	owed := c.readDialogue(c.GP, id).Messages[0].ReceivedAt
	notice := c.change(c.Desk, id, api.DialogueChangeRequest{Kind: pg.ConvertDialogue}).MessageID
	c.clock(id, owed) // the conversion keeps the start
	d, _ := c.settledDialogue(id)
	d = c.answers(c.GP, d.ID, api.AnswerRequest{Code: contract.AnswerFromPractitioner, Text: "Onsdag"})
	require.Nil(c, d.OwedSince)
	d = c.journalled(id, 4)
	answer := d.Answers[len(d.Answers)-1].ID
	c.ordered(d, d.Messages[0].ID, d.Messages[1].ID, notice, answer)

	// His next message is an e-consultation's: its rule, its clock, the same entry.
	t := c.thread(p, conversion.Tells("nb").Subject)
	require.Len(c, t.Messages, 2)
	c.writes(p, simulator.Action{Kind: simulator.Reply, InReplyTo: t.Messages[1].MsgID, Text: "Torsdag"})
	d = c.journalled(id, 5)
	c.ordered(d, d.Messages[0].ID, d.Messages[1].ID, notice, answer, d.Messages[2].ID)
	d, _ = c.settledDialogue(id)
	c.clock(id, d.Messages[2].ReceivedAt)
	require.Contains(c, d.Inboxes, own(c.GPID))
	require.Equal(c, contract.StatusAwaitingClinic, d.Status)

	// Answered and closed, he may write again all the same: it is never dropped.
	c.answers(c.GP, id, api.AnswerRequest{Text: "Fredag", Code: contract.AnswerFromPractitioner, Close: true})
	t = c.thread(p, conversion.Tells("nb").Subject)
	require.True(c, t.Ended)
	c.writes(p, simulator.Action{Kind: simulator.Reply, InReplyTo: t.Messages[len(t.Messages)-1].MsgID, Text: "Lørdag"})
	d = c.journalled(id, 7)
	d, _ = c.settledDialogue(id)
	require.Equal(c, "Lørdag", d.Messages[3].Text)
	require.Equal(c, contract.StatusAwaitingClinic, d.Status)
	require.Len(c, c.dialoguesOf(p), 1)
	require.Equal(c, 1, c.feeNotices(p))
}

// twoAnswerAtOnce is D17.
func twoAnswerAtOnce(c *clinic) {
	p := c.patient(nil)
	sent := c.writes(p, simulator.Action{Kind: simulator.EConsultation, Subject: "Haster litt"})
	id := c.arrived(p, "Haster litt").DialogueID
	c.settledDialogue(id)
	c.staff(func(m *pg.Clinic) {
		m.Staff[0].DeputyID, m.Staff[0].AbsentFrom = c.ColleagueID, time.Now().Add(-time.Minute)
	})
	c.dialogueTo(id, steps(*c.readDialogue(c.GP, id).OwedSince)[answerclock.Deputy])
	c.eventually("the deputy is shown it", func() error {
		if d := c.readDialogue(c.GP, id); !slices.Contains(d.Inboxes, own(c.ColleagueID)) {
			return fmt.Errorf("%v", d.Inboxes)
		}
		return nil
	})
	c.inboxItem(c.Colleague, id, false)

	statuses, told := make([]int, 2), make([]string, 2)
	var group sync.WaitGroup
	for i, who := range []identity.Principal{c.Colleague, c.GP} {
		group.Go(func() {
			var err error
			statuses[i], told[i], err = c.call(who, http.MethodPost, answersOf(id), newID(), api.AnswerRequest{Code: contract.AnswerFromPractitioner, Text: "Svar fra " + who.Subject})
			if err != nil {
				c.Errorf("answering: %v", err)
			}
		})
	}
	group.Wait()
	require.ElementsMatch(c, []int{http.StatusAccepted, http.StatusConflict}, statuses, "%v", told)
	other := told[slices.Index(statuses, http.StatusConflict)]
	require.Contains(c, other, "no answer is owed any more", "the other is told")
	d := c.acknowledged(id)
	require.Len(c, d.Answers, 1)
	require.Contains(c, c.answerTo(sent).Text, "Svar fra ")
	require.Len(c, c.journalled(id, 2).Journal, 2)
	require.Nil(c, d.OwedSince)
}

// sixPrescriptions is D18.
func sixPrescriptions(c *clinic) {
	p := c.patient(nil)
	r := c.asksToRenew(p, "Diktin", "Fantasin", "Oppdiktin", "Påfunnin", "Sagnin", "Tenkelin")
	c.answers(c.GP, r.ID, api.AnswerRequest{Text: "Noe av dette må vi snakke om.", Items: r.decides("rrcrjr")})
	got := c.answerTo(r.sent)
	require.Equal(c, prescription.OptionPartly, got.Function)
	require.Equal(c, []string{"Diktin", "Fantasin", "Påfunnin", "Tenkelin"}, got.Medicines)
	c.ends(r.ID)
	key, turn := newID(), client.Turn{Kind: contract.ProcessEConsultation, Subject: "Om to av dem", Text: "Hvordan går det?"}
	var first, again client.Started
	c.keyed(c.GP, http.MethodPost, "/dialogues/"+r.ID+"/turn", key, turn, &first)
	c.keyed(c.GP, http.MethodPost, "/dialogues/"+r.ID+"/turn", key, turn, &again)
	require.Equal(c, first.DialogueID, again.DialogueID)
	c.acknowledged(first.DialogueID)
	d := c.journalled(first.DialogueID, 3)
	c.ordered(d, r.Messages[0].ID, c.readDialogue(c.GP, r.ID).Answers[0].ID, first.MessageID)
	t := c.thread(p, "Om to av dem")
	c.writes(p, simulator.Action{Kind: simulator.Reply, InReplyTo: t.Messages[0].MsgID, Text: "Bra"})
	require.Len(c, c.journalled(d.ID, 4).Messages, 1)
	request, e := c.settledDialogue(r.ID)
	require.Empty(c, request.Journal)
	require.Equal(c, []string{d.ID}, request.TurnedInto)
	for _, l := range e.Lines {
		require.NotEqual(c, contract.Outcome(""), l.Outcome)
	}
	c.ends(r.ID)
}

// changesPractitioner is D20.
func changesPractitioner(c *clinic) {
	p := c.patient(nil)
	slots := c.slots(day(3, 9), 2, nil)
	id := c.reserved(p, slots[0])
	c.settled(id)
	before := c.received(p, contract.ProcessEConsultation)
	c.lies(before, []string{own(c.GPID)}, c.GP)
	c.must(c.Service, http.MethodPut, "/patients/bulk", api.PatientList{Patients: []client.PatientRecord{{
		Patient: client.Patient{GivenName: p.GivenName, FamilyName: p.FamilyName, NationalID: p.NationalID, PractitionerID: c.ColleagueID},
	}}}, nil)

	stays := c.appointment(id)
	require.Equal(c, []any{contract.StatusBooked, c.CalendarID}, []any{stays.Status, stays.CalendarID})
	require.True(c, stays.StartsAt.Equal(slots[0].StartsAt))
	require.Equal(c, contract.AnswerRefused, c.answerTo(c.reserve(p, slots[1], nil)).Function)
	require.True(c, c.free(slots[1]))

	after := c.received(p, contract.ProcessEConsultation)
	c.lies(after, []string{own(c.ColleagueID)}, c.Colleague)
	c.lies(before, []string{own(c.GPID)}, c.GP)
}

// staffed tells whether somebody who works at the clinic reads the inbox.
func staffed(m pg.Clinic, inbox string) bool {
	kind, id, _ := strings.Cut(inbox, ":")
	return slices.ContainsFunc(m.Staff, func(s pg.Staff) bool {
		if s.Inactive {
			return false
		}
		switch routing.Kind(kind) {
		case routing.Position:
			return s.Position == id
		case routing.Group:
			return slices.Contains(s.Groups, id)
		case routing.Role:
			return string(s.Role) == id
		case routing.Unit:
			return id == routing.WholeClinic.ID
		case routing.Personal:
			return s.ID == id
		}
		return false
	})
}

// membersLeave is F12's test, in the size of this world: while messages come, those who
// read them leave one by one, and at every look each dialogue lies where somebody is.
func membersLeave(c *clinic) {
	p := c.patient(nil)
	c.rule(contract.ProcessEContact, routing.Both, routing.Recipient{Kind: routing.Group, ID: "doctors"})
	c.rule(contract.ProcessPrescription, routing.Selected, routing.Recipient{Kind: routing.Position, ID: "secretary"})
	m := c.masterData()
	for i := range m.Staff[:3] {
		m.Staff[i].DeputyID = m.Staff[(i+1)%3].ID
	}
	write := func() {
		c.Helper()
		c.must(c.Service, http.MethodPut, "", m, nil)
	}
	write()
	total := testsize.Scaled(100, 30)
	look := func(placed int) {
		c.Helper()
		c.eventually("what has come is placed", func() error {
			n := 0
			for _, d := range c.dialoguesAll() {
				if d.Status == contract.StatusReceived {
					continue // on its way
				}
				require.Truef(c, slices.ContainsFunc(d.Inboxes, func(box string) bool { return staffed(m, box) }), "nobody reads %s: %v", d.Title, d.Inboxes)
				n++
			}
			if n < placed {
				return fmt.Errorf("%d of %d", n, placed)
			}
			return nil
		})
	}
	for n := range total {
		kind := kinds[n%len(kinds)]
		c.writes(p, simulator.Action{Kind: kind, Subject: fmt.Sprintf("Nummer %d", n)})
		for i, leaver := range []int{1, 0, 2} { // the administrator stays
			if n == (i+1)*total/4 {
				look(0)
				m.Staff[leaver].Inactive = true
				write()
				look(0)
			}
		}
	}
	look(total)
	require.Len(c, c.dialoguesAll(), total)
	require.NotEmpty(c, c.cases(contract.CaseRoutingReachesNobody))
	require.Empty(c, c.cases(contract.CaseNobodyReads))
	c.refused(http.StatusUnprocessableEntity, c.Admin, http.MethodPut, "/routing/e-consultation",
		routing.Rule{Format: routing.Selected, Recipients: []routing.Recipient{{Kind: routing.Group, ID: "doctors"}}})

	// They come back: their inboxes and rules are theirs again.
	c.staff(nil)
	for _, k := range c.cases(contract.CaseRoutingReachesNobody) {
		require.NotNil(c, k.ResolvedAt)
	}
}

// dialoguesAll are all of the clinic's, as the administrator sees them.
func (c *clinic) dialoguesAll() []pg.DialogueItem {
	c.Helper()
	var all []pg.DialogueItem
	for cursor := ""; ; {
		var l api.List[pg.DialogueItem]
		c.must(c.Admin, http.MethodGet, "/dialogues?limit=50&cursor="+cursor, nil, &l)
		if all = append(all, l.Items...); l.NextCursor == "" {
			return all
		}
		cursor = l.NextCursor
	}
}

// answerIsOwed is F13 on the real server: the deputy, the administrators and an operator
// are shown what is not answered; reading, forwarding and further messages change nothing,
// an answer stops it.
func answerIsOwed(c *clinic) {
	p := c.patient(nil)
	c.staff(func(m *pg.Clinic) { m.Staff[0].DeputyID = c.ColleagueID })
	escalated := func(id, want string) {
		c.Helper()
		c.eventually("the step "+want, func() error {
			if d := c.readDialogue(c.GP, id); d.Escalated != want {
				return fmt.Errorf("%q", d.Escalated)
			}
			return nil
		})
	}
	answered, late := c.received(p, contract.ProcessEConsultation), c.received(p, contract.ProcessEConsultation)
	for _, d := range []pg.DialogueItem{answered, late} {
		full, _ := c.settledDialogue(d.DialogueID)
		c.clock(d.DialogueID, full.Messages[0].ReceivedAt)
		c.lies(d, []string{own(c.GPID)}, c.GP)
		step := steps(*full.OwedSince)
		c.dialogueTo(d.DialogueID, step[answerclock.Warn])
		escalated(d.DialogueID, string(answerclock.Warn))
		require.Equal(c, d.Inboxes, c.readDialogue(c.GP, d.DialogueID).Inboxes)
		c.dialogueTo(d.DialogueID, step[answerclock.Deputy])
		escalated(d.DialogueID, string(answerclock.Deputy))
		require.Equal(c, routing.ViaEscalation, c.inboxItem(c.Colleague, d.DialogueID, false).Via)
		require.Equal(c, own(c.ColleagueID), c.inboxItem(c.Colleague, d.DialogueID, false).Recipient)

		// To close, to read and to forward it is no answer.
		c.changeRefused(http.StatusConflict, c.GP, d.DialogueID, api.DialogueChangeRequest{Kind: pg.CloseDialogue})
		c.change(c.GP, d.DialogueID, api.DialogueChangeRequest{Kind: pg.ForwardDialogue, To: []routing.Recipient{{Kind: routing.Group, ID: "desk"}}})
		c.clock(d.DialogueID, full.Messages[0].ReceivedAt)
	}
	c.answers(c.Colleague, answered.DialogueID, api.AnswerRequest{Code: contract.AnswerFromPractitioner, Text: "Svar"})
	owed := *c.readDialogue(c.GP, late.DialogueID).OwedSince
	for _, id := range []string{answered.DialogueID, late.DialogueID} {
		c.dialogueTo(id, steps(owed)[answerclock.Administrator])
	}
	escalated(late.DialogueID, string(answerclock.Administrator))
	require.Contains(c, c.readDialogue(c.GP, late.DialogueID).Inboxes, "role:clinic-administrator")
	for _, id := range []string{answered.DialogueID, late.DialogueID} {
		c.dialogueTo(id, steps(owed)[answerclock.Overdue])
	}
	escalated(late.DialogueID, string(answerclock.Overdue))
	overdue := c.cases(contract.CaseAnswerOverdue)
	require.Len(c, overdue, 1, "what is answered escalates no more")
	require.Equal(c, late.DialogueID, overdue[0].DialogueID)
	d := c.readDialogue(c.GP, answered.DialogueID)
	require.Nil(c, d.OwedSince)
	require.Empty(c, d.Escalated)
	require.NotContains(c, d.Inboxes, "role:clinic-administrator")
	c.answers(c.GP, late.DialogueID, api.AnswerRequest{Code: contract.AnswerFromPractitioner, Text: "Beklager"})
	require.NotNil(c, c.cases(contract.CaseAnswerOverdue)[0].ResolvedAt)

	// The limits are the clinic's, for each process.
	c.settings(func(s *pg.Settings) {
		s.AnswerClock = map[contract.Process]answerclock.Limits{contract.ProcessEContact: {}, contract.ProcessPrescription: {Overdue: 2}}
	})
	require.Nil(c, c.readDialogue(c.GP, c.received(p, contract.ProcessEContact).DialogueID).AnswerDue)
	renewal := c.readDialogue(c.GP, c.received(p, contract.ProcessPrescription).DialogueID)
	require.Equal(c, answerclock.Limit(*renewal.OwedSince, answerclock.Limits{Overdue: 2}, answerclock.DefaultOffice()), *renewal.AnswerDue)
}

// convertedTwice: two people convert at once, and once more later: it is converted once,
// journalled once, and the patient told once (F14).
func convertedTwice(c *clinic) {
	p := c.patient(nil)
	d := c.received(p, contract.ProcessEContact)
	statuses := make([]int, 3)
	var group sync.WaitGroup
	for i := range statuses {
		group.Go(func() {
			status, _, err := c.call([]identity.Principal{c.GP, c.Desk, c.Colleague}[i], http.MethodPost, "/dialogues/"+d.DialogueID+"/changes", newID(),
				api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
			if err != nil {
				c.Errorf("converting: %v", err)
			}
			statuses[i] = status
		})
	}
	group.Wait()
	require.ElementsMatch(c, []int{http.StatusOK, http.StatusConflict, http.StatusConflict}, statuses)
	c.changeRefused(http.StatusConflict, c.GP, d.DialogueID, api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
	c.journalled(d.DialogueID, 2)
	full, _ := c.settledDialogue(d.DialogueID)
	c.ordered(full, full.Messages[0].ID, full.FeeNoticeID)
	require.Equal(c, 1, c.feeNotices(p))
}

// replyDuringConversion: the patient writes while it is converted: each message is in the
// one entry, once, in the order in which they were sent (F14).
func replyDuringConversion(c *clinic) {
	p := c.patient(nil)
	first := c.writes(p, simulator.Action{Kind: simulator.EContact, Subject: "Samtidig"})
	id := c.arrived(p, "Samtidig").DialogueID
	const replies = 6
	var group sync.WaitGroup
	group.Go(func() {
		for range replies {
			if _, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.Reply, Citizen: p.Citizen, InReplyTo: first.MsgID, Times: 2}); err != nil {
				c.Errorf("writing: %v", err)
			}
		}
	})
	out := c.change(c.GP, id, api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
	group.Wait()
	d := c.journalled(id, replies+2)
	require.Len(c, d.Messages, replies+1)
	entries, messages := map[string]bool{}, map[string]int{}
	var order []string
	for _, j := range d.Journal {
		entries[j.ID] = true
		messages[j.MessageID]++
		if j.MessageID != out.MessageID {
			order = append(order, j.MessageID)
		}
	}
	require.Len(c, entries, 1)
	require.Len(c, messages, replies+2)
	require.Equal(c, d.Messages[0].ID, order[0])
	require.Equal(c, 1, c.feeNotices(p))
	require.Len(c, c.dialoguesOf(p), 1)
}

// convertedAfterTheAnswer: what is answered already is converted with its answer (F14).
func convertedAfterTheAnswer(c *clinic) {
	p := c.patient(nil)
	d := c.received(p, contract.ProcessEContact)
	answered := c.answers(c.GP, d.DialogueID, api.AnswerRequest{Code: contract.AnswerToEnquiry, Text: "Svar"})
	require.Empty(c, answered.Journal)
	out := c.change(c.GP, d.DialogueID, api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
	full := c.journalled(d.DialogueID, 3)
	c.ordered(full, full.Messages[0].ID, answered.Answers[0].ID, out.MessageID)
	require.Nil(c, full.OwedSince, "no answer is owed by it")
	require.Equal(c, 1, c.feeNotices(p))
}

// everyDecision: every way to decide on one to four prescriptions comes to its option, and
// each other option is refused with the explanation (F15).
func everyDecision(c *clinic) {
	p := c.patient(nil)
	medicines := []string{"Diktin", "Fantasin", "Oppdiktin", "Sagnin"}
	right := func(letters string) string {
		switch renewed := strings.Count(letters, "r"); {
		case renewed == len(letters):
			return "14"
		case renewed > 0:
			return "32"
		case strings.Count(letters, "j") == len(letters):
			return "26"
		}
		return "15"
	}
	all := []string{""}
	for n := 1; n <= len(medicines); n++ {
		r := c.asksToRenew(p, medicines[:n]...)
		var longer []string
		for _, prefix := range all {
			for _, letter := range []string{"r", "c", "j"} {
				longer = append(longer, prefix+letter)
			}
		}
		all = longer
		for _, letters := range all {
			for _, option := range prescription.Options() {
				if option == right(letters) {
					continue
				}
				refused := c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, answersOf(r.ID), api.AnswerRequest{Code: option, Text: "Hei", Items: r.decides(letters)})
				require.Contains(c, fmt.Sprint(refused.Errors), "which is "+right(letters))
			}
		}
		c.unsent(r)
		last := all[len(all)/2]
		c.answers(c.GP, r.ID, api.AnswerRequest{Text: "Hei", Items: r.decides(last)})
		require.Equal(c, right(last), c.answerTo(r.sent).Function)
	}
}
