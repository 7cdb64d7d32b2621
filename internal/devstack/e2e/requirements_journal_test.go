package e2e_test

import (
	"fmt"
	"net/http"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/conversion"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

// settledDialogue waits until nothing that was intended for the dialogue is under way, and
// returns what it came to: what is not in the journal by then is not put there.
func (c *clinic) settledDialogue(id string) (pg.Dialogue, client.Explanation) {
	c.Helper()
	var e client.Explanation
	c.eventually("dialogue "+id+" is settled", func() error {
		e = client.Explanation{}
		c.must(c.GP, http.MethodGet, "/dialogues/"+id+"/explain", nil, &e)
		for _, l := range e.Lines {
			if l.Outcome == "" {
				return fmt.Errorf("the ledger line %s has no outcome", l.Effect)
			}
		}
		d, err := c.temporal.DescribeWorkflowExecution(c.Context(), c.workflowOf(id), "")
		if err != nil {
			return err
		}
		if len(d.PendingActivities) > 0 || d.PendingWorkflowTask != nil {
			return errNotYet
		}
		return nil
	})
	return c.readDialogue(c.GP, id), e
}

// workflowOf is the id of a dialogue's lifecycle.
func (c *clinic) workflowOf(id string) string {
	c.Helper()
	if c.readDialogue(c.GP, id).Process == contract.ProcessPrescription {
		return contract.PrescriptionWorkflowID(id)
	}
	return contract.DialogueWorkflowID(id)
}

// nothingElseIsJournalled: an e-contact, an e-dialogue and a renewal request are not put in
// the journal by themselves, whoever began, nor are their answers; an e-consultation is,
// whoever began (S53, A10).
func nothingElseIsJournalled(c *clinic) {
	p := c.patient(nil)
	var not []string
	for _, process := range []contract.Process{contract.ProcessEContact, contract.ProcessPrescription} {
		d := c.received(p, process)
		c.answers(c.GP, d.DialogueID, api.AnswerRequest{Code: answerCodes[kindOf[process]], Text: "Svar"})
		not = append(not, d.DialogueID)
	}
	contact := c.start(c.GP, toPatient(p, contract.ProcessEContact, "Fra oss")).DialogueID
	c.acknowledged(contact)
	internal := c.start(c.GP, toPatient(p, contract.ProcessEDialogue, "I appen")).DialogueID
	c.portalThread(p, internal, 1)
	c.must(c.Portal, http.MethodPost, "/portal/patients/"+p.ID+"/dialogues/"+internal+"/messages", client.PortalWriting{ViewerID: p.ID, Text: "Takk"}, nil)
	c.inboxItem(c.GP, internal, true)
	colleagues := c.start(c.Desk, client.StartDialogue{
		Kind: contract.ProcessEDialogue, Participants: []routing.Recipient{{Kind: routing.Group, ID: "doctors"}}, Subject: "Vakt", Text: "Hei",
	}).DialogueID
	c.inboxItem(c.GP, colleagues, true)
	for _, id := range append(not, contact, internal, colleagues) {
		d, e := c.settledDialogue(id)
		require.Emptyf(c, d.Journal, "%s", d.Process)
		for _, l := range e.Lines {
			require.NotEqualf(c, pg.EffectJournal, l.Effect, "%s", d.Process)
		}
	}
	theirs := c.received(p, contract.ProcessEConsultation).DialogueID
	c.answers(c.GP, theirs, api.AnswerRequest{Code: contract.AnswerFromPractitioner, Text: "Svar"})
	c.journalled(theirs, 2)
	ours := c.start(c.GP, toPatient(p, contract.ProcessEConsultation, "Prøvesvar")).DialogueID
	c.journalled(ours, 1)
}

// ordered demands that the dialogue has one journal entry with these messages, in this
// order.
func (c *clinic) ordered(d pg.Dialogue, messages ...string) {
	c.Helper()
	var got []string
	entries := map[string]bool{}
	for _, j := range d.Journal {
		got, entries[j.ID] = append(got, j.MessageID), true
	}
	require.Equal(c, messages, got)
	require.Len(c, entries, 1)
}

// eContactIsConverted: staff make an e-consultation of an e-contact: its thread is in the
// journal once, the patient is told of the fee before it is taken, and everything after it
// is an e-consultation's (S54).
func eContactIsConverted(c *clinic) {
	p := c.patient(nil)
	sent := c.writes(p, simulator.Action{Kind: simulator.EContact, Subject: "Spørsmål", Text: "Kan jeg ta to?"})
	id := c.arrived(p, "Spørsmål").DialogueID
	require.Empty(c, c.readDialogue(c.GP, id).Journal)
	out := c.change(c.Desk, id, api.DialogueChangeRequest{Kind: pg.ConvertDialogue, Note: "Klinisk"})
	require.Equal(c, contract.ProcessEConsultation, out.Process)
	require.NotEmpty(c, out.MessageID)
	notice := c.thread(p, conversion.Tells("nb").Subject)
	require.Equal(c, codes.EKonsultasjon, notice.Process)
	require.Equal(c, conversion.Tells("nb").Text, notice.Messages[0].Text)
	var d pg.Dialogue
	c.eventually("the patient knows of the fee", func() error {
		if d = c.readDialogue(c.GP, id); d.BillableAt == nil {
			return errNotYet
		}
		return nil
	})
	require.Equal(c, []any{contract.ProcessEConsultation, c.Desk.Subject, out.MessageID}, []any{d.Process, d.ConvertedBy, d.FeeNoticeID})
	require.Equal(c, "helsenorge.no: Spørsmål", d.Title, "it is the same dialogue")
	d = c.journalled(id, 2)
	c.ordered(d, d.Messages[0].ID, out.MessageID)

	// The answer goes on in the e-consultation, and is journalled; so is what comes after,
	// in whichever of the two conversations.
	c.answers(c.GP, id, api.AnswerRequest{Code: contract.AnswerFromPractitioner, Text: "Nei, én."})
	answered := c.thread(p, conversion.Tells("nb").Subject)
	require.Len(c, answered.Messages, 2)
	require.Equal(c, contract.AnswerFromPractitioner, answered.Messages[1].Function)
	c.writes(p, simulator.Action{Kind: simulator.Reply, InReplyTo: answered.Messages[1].MsgID, Text: "Takk"})
	c.journalled(id, 4)
	c.writes(p, simulator.Action{Kind: simulator.Reply, InReplyTo: sent.MsgID, Text: "Og en ting"})
	d = c.journalled(id, 5)
	require.Len(c, d.Messages, 3)
	c.ordered(d, d.Messages[0].ID, out.MessageID, d.Answers[1].ID, d.Messages[1].ID, d.Messages[2].ID)
	require.Len(c, c.dialoguesOf(p), 1)
	require.Empty(c, c.sent(p), "no channel of the clinic tells of it")

	// A clinic that asks first takes no fee before the patient's word.
	c.settings(func(s *pg.Settings) { s.Conversion = "ask" })
	other := c.patient(nil)
	asked := c.received(other, contract.ProcessEContact).DialogueID
	c.change(c.GP, asked, api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
	question := c.thread(other, conversion.Asks("nb").Subject)
	d, _ = c.settledDialogue(asked)
	require.Nil(c, d.BillableAt)
	require.True(c, d.FeeAsked)
	c.writes(other, simulator.Action{Kind: simulator.Reply, InReplyTo: question.Messages[0].MsgID, Text: "Ja"})
	c.eventually("his word is in", func() error {
		if c.readDialogue(c.GP, asked).BillableAt == nil {
			return errNotYet
		}
		return nil
	})
}

// convertAction: the action is convert, on the command line and over HTTP; it is for
// e-contacts, once, and for who may answer (S55).
func convertAction(c *clinic) {
	p := c.patient(nil)
	id := c.received(p, contract.ProcessEContact).DialogueID
	for _, who := range []identity.Principal{c.Admin, c.Service, c.Portal, c.Operator, c.Auditor} {
		c.changeRefused(http.StatusForbidden, who, id, api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
	}
	require.Contains(c, c.command(c.Desk, cli.ExitDone, "dialogue", "convert", id), "e-consultation")
	c.command(c.Desk, cli.ExitRefused, "dialogue", "convert", id)
	require.Equal(c, "converted", c.changeRefused(http.StatusConflict, c.GP, id, api.DialogueChangeRequest{Kind: pg.ConvertDialogue}).State)
	d := c.journalled(id, 2)
	require.Equal(c, contract.ProcessEConsultation, d.Process)
	for _, process := range []contract.Process{contract.ProcessEConsultation, contract.ProcessPrescription} {
		other := c.received(p, process).DialogueID
		c.changeRefused(http.StatusConflict, c.GP, other, api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
		require.Equal(c, process, c.readDialogue(c.GP, other).Process)
	}
	internal := c.start(c.GP, toPatient(p, contract.ProcessEDialogue, "I appen")).DialogueID
	c.changeRefused(http.StatusConflict, c.GP, internal, api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
	require.Empty(c, c.readDialogue(c.GP, internal).Journal)
}
