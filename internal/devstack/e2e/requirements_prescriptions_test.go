package e2e_test

import (
	"fmt"
	"net/http"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/prescription"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

// renewal is a renewal request with what a citizen wants renewed.
type renewal struct {
	of      patient
	sent    simulator.Sent
	subject string
	pg.Dialogue
}

// asksToRenew has a patient choose prescriptions on Helsenorge, and waits until the request
// is in an inbox.
func (c *clinic) asksToRenew(p patient, medicines ...string) renewal {
	c.Helper()
	subject := "Fornye " + newID()[:8]
	sent := c.writes(p, simulator.Action{Kind: simulator.RenewalByItem, Subject: subject, Medicines: medicines})
	require.True(c, c.receiptFor(sent).OK)
	var item pg.DialogueItem
	c.eventually("the request is in an inbox", func() error {
		for _, d := range c.dialoguesOf(p) {
			if d.Process == contract.ProcessPrescription && d.Status == contract.StatusAwaitingClinic && len(d.Inboxes) > 0 {
				item = d
				return nil
			}
		}
		return errNotYet
	})
	r := renewal{p, sent, subject, c.readDialogue(c.GP, item.DialogueID)}
	require.Len(c, r.Prescriptions, len(medicines))
	return r
}

// decides are decisions on the prescriptions in their order, by letter: r, c or j
// (rejected).
func (r renewal) decides(letters string) []pg.ItemDecision {
	var all []pg.ItemDecision
	for i, l := range letters {
		d := pg.ItemDecision{ID: r.Prescriptions[i].ID, Decision: prescription.Renewed}
		switch l {
		case 'c':
			d.Decision, d.Reason = prescription.Cannot, fmt.Sprintf("Bestill time %d.", i+1)
		case 'j':
			d.Decision, d.Reason = prescription.Rejected, fmt.Sprintf("Ikke hos oss %d.", i+1)
		}
		all = append(all, d)
	}
	return all
}

func answersOf(id string) string { return "/dialogues/" + id + "/answers" }

// unsent demands that Helsenorge has got nothing of the clinic about the request.
func (c *clinic) unsent(r renewal) {
	c.Helper()
	book, err := c.Simulator.Book(c.Context())
	require.NoError(c, err)
	for _, got := range book.Received {
		require.NotEqual(c, r.sent.MsgID, got.Parent)
		require.NotEqual(c, r.sent.MsgID, got.Conversation)
	}
	require.Empty(c, c.readDialogue(c.GP, r.ID).Answers)
}

// requestHasOptions: a request can be answered with any of the options, or be split, taken
// and forwarded, and is not closed without an answer (S56).
func requestHasOptions(c *clinic) {
	p := c.patient(nil)
	options := map[string]bool{}
	for _, letters := range []string{"rr", "cc", "jj", "rc"} {
		r := c.asksToRenew(p, simulator.Medicines()[:2]...)
		c.change(c.Desk, r.ID, api.DialogueChangeRequest{Kind: pg.TakeDialogue})
		require.Equal(c, c.masterData().Staff[2].ID, c.readDialogue(c.GP, r.ID).OwnerID)
		c.changeRefused(http.StatusConflict, c.Desk, r.ID, api.DialogueChangeRequest{Kind: pg.CloseDialogue})
		c.answers(c.Desk, r.ID, api.AnswerRequest{Text: "Hei", Items: r.decides(letters)})
		options[c.answerTo(r.sent).Function] = true
	}
	require.Len(c, options, 4)
	for _, option := range prescription.Options() {
		require.True(c, options[option], option)
	}
}

// requestInTheInbox: the request is a message in the inbox, where it is opened (S58).
func requestInTheInbox(c *clinic) {
	p := c.patient(nil)
	c.writes(p, simulator.Action{Kind: simulator.Renewal, Subject: "Blodtrykk", Text: "Tablettene er snart tomme."})
	d := c.arrived(p, "Blodtrykk")
	c.lies(d, []string{"unit:clinic"}, c.GP, c.Colleague, c.Desk)
	require.Equal(c, contract.ProcessPrescription, c.inboxItem(c.Desk, d.DialogueID, true).Process)
	require.Contains(c, c.command(c.Desk, cli.ExitDone, "inbox"), "Blodtrykk")
	require.Contains(c, c.command(c.Desk, cli.ExitDone, "dialogue", "show", d.DialogueID), "Tablettene er snart tomme.")
	c.inboxItem(c.GP, d.DialogueID, false)
	for _, who := range []identity.Principal{c.Admin, c.Portal, c.Operator, c.Auditor} {
		c.refused(http.StatusForbidden, who, http.MethodGet, "/dialogues/"+d.DialogueID, nil)
	}
}

// prescriptionsListed: what the patient wants renewed is listed, all of it; what he wrote in
// words can be listed by staff (S59).
func prescriptionsListed(c *clinic) {
	p := c.patient(nil)
	medicines := append(simulator.Medicines(), "Oppdiktin", "Fantasin", "Tenkelin")
	r := c.asksToRenew(p, medicines...)
	shown := c.command(c.Desk, cli.ExitDone, "prescription", "show", r.ID)
	for i, item := range r.Prescriptions {
		require.Equal(c, []any{i + 1, medicines[i], pg.SourceM1}, []any{item.Position, item.Name(), item.Source})
		require.Empty(c, item.Decision)
		require.Contains(c, shown, medicines[i])
	}
	require.True(c, r.Prescriptions[2].Reserved)
	c.changeRefused(http.StatusConflict, c.Desk, r.ID, api.DialogueChangeRequest{Kind: pg.SplitRequest, Items: []string{"En", "To"}})

	c.writes(p, simulator.Action{Kind: simulator.Renewal, Subject: "I ord", Text: "Allergex og Pustex, takk"})
	id := c.arrived(p, "I ord").DialogueID
	words := c.readDialogue(c.Desk, id).Prescriptions
	require.Len(c, words, 1)
	require.Equal(c, []string{"Allergex og Pustex, takk", pg.SourceText}, []string{words[0].Name(), words[0].Source})
	c.command(c.Desk, cli.ExitDone, "prescription", "split", id, "--item", "Allergex", "--item", "Pustex")
	d := c.readDialogue(c.Desk, id)
	require.Len(c, d.Prescriptions, 2)
	require.Equal(c, []string{"Allergex", "Pustex"}, []string{d.Prescriptions[0].Name(), d.Prescriptions[1].Name()})
	require.Equal(c, "Allergex og Pustex, takk", d.Messages[0].Text)
}

// messageAndChoice: an answer is a message and a choice; neither goes without the other
// (S60).
func messageAndChoice(c *clinic) {
	r := c.asksToRenew(c.patient(nil), simulator.Medicines()[0])
	for _, wrong := range []struct {
		answer api.AnswerRequest
		field  string
	}{
		{api.AnswerRequest{Code: prescription.OptionCannot}, "text"},
		{api.AnswerRequest{Code: prescription.OptionCannot, Text: " \n"}, "text"},
		{api.AnswerRequest{Items: r.decides("r")}, "text"},
		{api.AnswerRequest{Text: "Uten valg"}, "items"},
	} {
		refused := c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, answersOf(r.ID), wrong.answer)
		require.Contains(c, fmt.Sprint(refused.Errors), wrong.field)
	}
	c.unsent(r)
	c.answers(c.GP, r.ID, api.AnswerRequest{Code: prescription.OptionCannot, Text: "Ring oss."})
	got := c.answerTo(r.sent)
	require.Equal(c, prescription.OptionCannot, got.Function)
	require.Contains(c, got.Text, "Ring oss.")
}

// oneOptionOfFour: exactly one of the four options is chosen for a request, once, and it
// does not contradict what is decided on each prescription (S61, F15).
func oneOptionOfFour(c *clinic) {
	p := c.patient(nil)
	r := c.asksToRenew(p, simulator.Medicines()[:2]...)
	for _, code := range []string{contract.AnswerFromPractitioner, contract.AnswerToEnquiry, contract.AnswerDialogueEnded, "14,15", "99", "renewed"} {
		c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, answersOf(r.ID), api.AnswerRequest{Code: code, Text: "Hei", Items: r.decides("rr")})
	}
	right := map[string]string{"rr": prescription.OptionRenewed, "rc": prescription.OptionPartly, "jr": prescription.OptionPartly, "cc": prescription.OptionCannot,
		"cj": prescription.OptionCannot, "jj": prescription.OptionRejected}
	for letters, option := range right {
		for _, other := range prescription.Options() {
			if other != option {
				refused := c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, answersOf(r.ID), api.AnswerRequest{Code: other, Text: "Hei", Items: r.decides(letters)})
				require.Contains(c, fmt.Sprint(refused.Errors), "says otherwise than the decisions")
			}
		}
	}
	// Partly renewed does not say which.
	refused := c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, answersOf(r.ID), api.AnswerRequest{Code: prescription.OptionPartly, Text: "Hei"})
	require.Contains(c, fmt.Sprint(refused.Errors), "does not say which")
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, answersOf(r.ID), api.AnswerRequest{Text: "Hei", Items: r.decides("r")})
	c.unsent(r)

	c.answers(c.GP, r.ID, api.AnswerRequest{Code: prescription.OptionPartly, Text: "Hei", Items: r.decides("rc")})
	c.refused(http.StatusConflict, c.Desk, http.MethodPost, answersOf(r.ID), api.AnswerRequest{Text: "Hei", Items: r.decides("rr")})
	require.Equal(c, prescription.OptionPartly, c.answerTo(r.sent).Function)
	require.Len(c, c.readDialogue(c.GP, r.ID).Answers, 1)
}

// option demands that a request of two prescriptions is answered with the option that the
// decisions come to, with what is renewed and a reason for what is not.
func (c *clinic) option(letters, option string, renewed int) {
	c.Helper()
	p := c.patient(nil)
	r := c.asksToRenew(p, simulator.Medicines()[:2]...)
	items := r.decides(letters)
	c.answers(c.GP, r.ID, api.AnswerRequest{Text: "Hei.", Items: items})
	got := c.answerTo(r.sent)
	require.Equal(c, option, got.Function)
	require.Len(c, got.Medicines, renewed, "what is renewed is a prescription of its own")
	d := c.readDialogue(c.GP, r.ID)
	require.Equal(c, []any{option, string(contract.OutcomeAcknowledged)}, []any{d.Answers[0].Code, d.Answers[0].State})
	for i, item := range d.Prescriptions {
		require.Equal(c, []any{items[i].Decision, items[i].Reason, d.Answers[0].ID}, []any{item.Decision, item.Reason, item.AnswerID})
		require.Contains(c, got.Text, item.Name(), "the patient reads which")
		require.Contains(c, got.Text, item.Reason)
		if item.Decision == prescription.Renewed {
			require.Contains(c, got.Medicines, item.Name())
		}
	}
	c.ends(r.ID)

	// All alike needs no decision on each.
	if option != prescription.OptionPartly {
		alike := c.asksToRenew(p, simulator.Medicines()[:2]...)
		c.answers(c.Desk, alike.ID, api.AnswerRequest{Code: option, Text: "Hei."})
		require.Equal(c, option, c.answerTo(alike.sent).Function)
	}
}

// ends demands that a request is over: nothing is owed, nothing more is sent in it, and
// its lifecycle has ended.
func (c *clinic) ends(id string) {
	c.Helper()
	c.eventually("the request's lifecycle ends", func() error { return c.ended(c.temporal, contract.PrescriptionWorkflowID(id)) })
	d := c.readDialogue(c.GP, id)
	require.Contains(c, []contract.Status{contract.StatusAnswered, contract.StatusClosed}, d.Status)
	require.Nil(c, d.OwedSince)
	c.refused(http.StatusConflict, c.GP, http.MethodPost, answersOf(id), api.AnswerRequest{Code: prescription.OptionCannot, Text: "Enda et svar"})
}

// requestRejected is the first option (S62).
func requestRejected(c *clinic) { c.option("jj", prescription.OptionRejected, 0) }

// prescriptionRenewed is the second (S63). What was asked for in words is renewed with
// what the record system has prescribed.
func prescriptionRenewed(c *clinic) {
	c.option("rr", prescription.OptionRenewed, 2)
	p := c.patient(nil)
	sent := c.writes(p, simulator.Action{Kind: simulator.Renewal, Subject: "I ord", Text: "Det samme som sist"})
	id := c.arrived(p, "I ord").DialogueID
	r := renewal{p, sent, "I ord", c.readDialogue(c.GP, id)}
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, answersOf(id), api.AnswerRequest{Text: "Hei.", Items: r.decides("r")})
	c.unsent(r)
	items := r.decides("r")
	items[0].Medicine = &pg.Medicine{Kind: pg.MedicinePack, Name: "Oppdiktin tab 5 mg", Group: "C", ItemNumber: "990123"}
	c.answers(c.GP, id, api.AnswerRequest{Text: "Hei.", Items: items})
	got := c.answerTo(sent)
	require.Equal(c, []any{prescription.OptionRenewed, []string{"Oppdiktin tab 5 mg"}}, []any{got.Function, got.Medicines})
}

// cannotBeRenewed is the third (S64).
func cannotBeRenewed(c *clinic) {
	c.option("cc", prescription.OptionCannot, 0)
	c.option("cj", prescription.OptionCannot, 0)
}

// partlyRenewed is the fourth (S65).
func partlyRenewed(c *clinic) {
	c.option("rc", prescription.OptionPartly, 1)
	c.option("jr", prescription.OptionPartly, 1)
}

// nothingBeforeSend: reading, splitting, uploading and whatever is refused send nothing;
// to send is to answer, with an option (S66).
func nothingBeforeSend(c *clinic) {
	p := c.patient(nil)
	sent := c.writes(p, simulator.Action{Kind: simulator.Renewal, Subject: "Venter", Text: "To ting"})
	id := c.arrived(p, "Venter").DialogueID
	c.readDialogue(c.GP, id)
	c.change(c.GP, id, api.DialogueChangeRequest{Kind: pg.TakeDialogue})
	c.change(c.GP, id, api.DialogueChangeRequest{Kind: pg.SplitRequest, Items: []string{"Den ene", "Den andre"}})
	c.upload(c.GP, p, "brev.pdf", pdf(1000))
	r := renewal{p, sent, "Venter", c.readDialogue(c.GP, id)}
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, answersOf(id), api.AnswerRequest{Text: "Uten valg"})
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, answersOf(id), api.AnswerRequest{Code: prescription.OptionRenewed, Text: "Motsagt", Items: r.decides("cc")})
	c.refused(http.StatusForbidden, c.Admin, http.MethodPost, answersOf(id), api.AnswerRequest{Code: prescription.OptionCannot, Text: "Hei"})
	_, e := c.settledDialogue(id)
	for _, l := range e.Lines {
		require.Contains(c, []string{pg.EffectReceipt, pg.EffectInbox}, l.Effect)
	}
	c.unsent(r)
	key := newID()
	answer := api.AnswerRequest{Text: "Sendt.", Items: r.decides("cc")}
	c.keyed(c.GP, http.MethodPost, answersOf(id), key, answer, nil)
	c.keyed(c.GP, http.MethodPost, answersOf(id), key, answer, nil)
	require.Contains(c, c.answerTo(sent).Text, "Sendt.")
	require.Len(c, c.acknowledged(id).Answers, 1)
}

// optionIsANote: the patient reads the message on Helsenorge with the option as a note
// (S67).
func optionIsANote(c *clinic) {
	p := c.patient(nil)
	for _, letters := range []string{"rr", "cc", "jj", "rc"} {
		r := c.asksToRenew(p, simulator.Medicines()[:2]...)
		c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, answersOf(r.ID), api.AnswerRequest{Subject: "Noe annet", Text: "Hei.", Items: r.decides(letters)})
		text := "Til deg, " + letters
		d := c.answers(c.GP, r.ID, api.AnswerRequest{Text: text, Items: r.decides(letters)})
		c.answerTo(r.sent) // it is at Helsenorge
		threads, err := c.Simulator.Threads(c.Context(), p.Citizen)
		require.NoError(c, err)
		require.Equal(c, r.sent.MsgID, threads[0].Conversation)
		m := threads[0].Messages[1]
		require.Equal(c, prescription.Note(d.Answers[0].Code), m.Subject)
		require.NotEmpty(c, m.Subject)
		require.Contains(c, m.Text, text)
		require.Equal(c, d.Answers[0].Code, m.Function)
	}
	// What guardians may not see is in no text that they can read, and is renewed.
	hidden := simulator.Medicines()[2]
	r := c.asksToRenew(p, simulator.Medicines()[0], hidden)
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, answersOf(r.ID), api.AnswerRequest{Text: "Om " + hidden, Items: r.decides("cr")})
	c.answers(c.GP, r.ID, api.AnswerRequest{Text: "Hei.", Items: r.decides("cr")})
	got := c.answerTo(r.sent)
	require.NotContains(c, got.Text, hidden)
	require.Equal(c, []string{hidden}, got.Medicines)
}

// answerBecomesADialogue: the answer is turned into an e-contact or an e-consultation, which
// is journalled with request and answer (S68).
func answerBecomesADialogue(c *clinic) {
	p := c.patient(nil)
	r := c.asksToRenew(p, simulator.Medicines()[:2]...)
	turn := func(kind contract.Process, subject string) client.Turn {
		return client.Turn{Kind: kind, Subject: subject, Text: "Vi må snakke om " + subject}
	}
	c.refused(http.StatusConflict, c.GP, http.MethodPost, "/dialogues/"+r.ID+"/turn", turn(contract.ProcessEContact, "For tidlig"))
	c.answers(c.GP, r.ID, api.AnswerRequest{Text: "Hei.", Items: r.decides("rc")})
	for _, kind := range []contract.Process{contract.ProcessEDialogue, contract.ProcessPrescription, ""} {
		c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, "/dialogues/"+r.ID+"/turn", turn(kind, "Feil slag"))
	}
	for kind, wire := range map[contract.Process]string{contract.ProcessEContact: codes.EKontakt, contract.ProcessEConsultation: codes.EKonsultasjon} {
		subject := "Medisinen, " + string(kind)
		var started client.Started
		c.must(c.GP, http.MethodPost, "/dialogues/"+r.ID+"/turn", turn(kind, subject), &started)
		t := c.thread(p, subject)
		require.Equal(c, wire, t.Process)
		require.True(c, t.Answerable)
		d := c.acknowledged(started.DialogueID)
		require.Equal(c, []any{kind, r.ID}, []any{d.Process, d.TurnedFrom})
		if kind == contract.ProcessEConsultation {
			d = c.journalled(d.ID, 3)
			c.ordered(d, r.Messages[0].ID, c.readDialogue(c.GP, r.ID).Answers[0].ID, d.Answers[0].ID)
		} else {
			d, _ = c.settledDialogue(d.ID)
			require.Empty(c, d.Journal)
		}
		// The citizen goes on there.
		c.writes(p, simulator.Action{Kind: simulator.Reply, InReplyTo: t.Messages[0].MsgID, Text: "Ja"})
		c.inboxItem(c.GP, d.ID, true)
	}
	request, _ := c.settledDialogue(r.ID)
	c.ends(r.ID)
	require.Len(c, request.TurnedInto, 2)
	require.Empty(c, request.Journal, "a request is not journalled; the e-consultation that goes on from it is")
}
