package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/prescription"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

// renewals are S56 to S68; S57 is a caption.
var renewals = []requirement{
	{"S56_a_request_gives_a_choice_of_answers", choiceOfAnswers},
	{"S58_a_request_is_a_message_in_the_inbox", requestInTheInbox},
	{"S59_what_is_to_be_renewed_is_listed", prescriptionsAreListed},
	{"S60_a_message_and_an_option", messageAndOption},
	{"S61_exactly_one_option_of_four", exactlyOneOption},
	{"S62_request_rejected", func(c *clinic) { optionArrives(c, prescription.OptionRejected, "jj") }},
	{"S63_prescription_renewed", func(c *clinic) { optionArrives(c, prescription.OptionRenewed, "rr") }},
	{"S64_the_prescription_cannot_be_renewed", func(c *clinic) { optionArrives(c, prescription.OptionCannot, "cj") }},
	{"S65_prescriptions_partly_renewed", func(c *clinic) { optionArrives(c, prescription.OptionPartly, "rc") }},
	{"S66_nothing_leaves_before_send", nothingLeavesBeforeSend},
	{"S67_the_option_is_a_note_to_the_message", optionIsANote},
	{"S68_an_answer_is_turned_into_a_dialogue", answerIsTurned},
}

// request is a renewal request of a patient.
type request struct {
	patient
	id           string
	conversation string
	items        []pg.PrescriptionItem
}

// asksFor has the patient ask for prescriptions by name, or in words when there are none.
func (c *clinic) asksFor(p patient, words string, medicines ...string) request {
	c.Helper()
	a := simulator.Action{Kind: simulator.RenewalByItem, Citizen: p.Citizen, To: c.GPHerID, Medicines: medicines}
	if len(medicines) == 0 {
		a.Kind, a.Subject, a.Text = simulator.Renewal, "Medisin", words
	}
	known := c.dialoguesOf(p)
	sent, err := c.Simulator.Act(c.Context(), a)
	require.NoError(c, err)
	r := request{patient: p, conversation: sent.MsgID}
	c.eventually("the request is in", func() error {
		for _, d := range c.dialoguesOf(p) {
			before := slices.ContainsFunc(known, func(k pg.DialogueItem) bool { return k.DialogueID == d.DialogueID })
			if !before && d.Status == contract.StatusAwaitingClinic {
				r.id = d.DialogueID
				return nil
			}
		}
		return errors.New("it is not there")
	})
	r.items = c.readDialogue(c.GP, r.id).Prescriptions
	return r
}

// decides are decisions by their letters, in the order of the request: r, c or j.
func (r request) decides(letters string) []pg.ItemDecision {
	var all []pg.ItemDecision
	for i, l := range letters {
		d := pg.ItemDecision{ID: r.items[i].ID, Decision: prescription.Renewed}
		switch l {
		case 'c':
			d.Decision, d.Reason = prescription.Cannot, "Bestill time."
		case 'j':
			d.Decision, d.Reason = prescription.Rejected, "Ikke hos oss."
		}
		all = append(all, d)
	}
	return all
}

func (r request) answers() string { return "/dialogues/" + r.id + "/answers" }

// answered waits until the citizen has the answer.
func (c *clinic) answered(r request) simulator.Message {
	c.Helper()
	var answer simulator.Message
	c.eventually("the citizen has the answer", func() error {
		threads, err := c.Simulator.Threads(c.Context(), r.Citizen)
		if err != nil {
			return err
		}
		for _, t := range threads {
			if t.Conversation == r.conversation && len(t.Messages) > 1 {
				require.Len(c, t.Messages, 2, "a request has one answer")
				require.False(c, t.Answerable)
				answer = t.Messages[1]
				return nil
			}
		}
		return fmt.Errorf("%d conversations", len(threads))
	})
	return answer
}

// unanswered demands that the citizen has nothing but his own request.
func (c *clinic) unanswered(r request) {
	c.Helper()
	threads, err := c.Simulator.Threads(c.Context(), r.Citizen)
	require.NoError(c, err)
	for _, t := range threads {
		require.True(c, t.Conversation != r.conversation || len(t.Messages) == 1, "something has left")
	}
	require.Empty(c, c.readDialogue(c.GP, r.id).Answers)
}

// choiceOfAnswers: one and the same request can be answered in each of the four ways
// (S56).
func choiceOfAnswers(c *clinic) {
	p, names := c.patient(nil), simulator.Medicines()[:2]
	for option, letters := range map[string]string{
		prescription.OptionRejected: "jj", prescription.OptionRenewed: "rr", prescription.OptionCannot: "cc", prescription.OptionPartly: "cr",
	} {
		r := c.asksFor(p, "", names...)
		c.must(c.Desk, http.MethodPost, r.answers(), api.AnswerRequest{Text: "Hei.", Items: r.decides(letters)}, nil)
		require.Equal(c, option, c.answered(r).Function)
	}
}

// requestInTheInbox: a request is in the inbox of the whole clinic, and opened there (S58,
// S46).
func requestInTheInbox(c *clinic) {
	r := c.asksFor(c.patient(nil), "Allergitabletter")
	for _, who := range []identity.Principal{c.GP, c.Colleague, c.Desk} {
		var item pg.InboxItem
		for _, i := range c.inboxOf(who) {
			if i.DialogueID == r.id {
				item = i
			}
		}
		require.Equal(c, contract.ProcessPrescription, item.Process, who.Subject)
		require.Equal(c, "helsenorge.no: Medisin", item.Title)
	}
	d := c.readDialogue(c.Desk, r.id)
	require.Equal(c, "Allergitabletter", d.Messages[0].Text)
	require.Equal(c, "AP", d.Messages[0].DeliveryMode, "how it is to reach him")
	require.Empty(c, d.Journal, "a request is not journalled (S53)")
}

// prescriptionsAreListed: every prescription that the citizen chose is listed, what he
// wrote in words is one until staff say which they are, and no one else may (S59, F15).
func prescriptionsAreListed(c *clinic) {
	p, names := c.patient(nil), simulator.Medicines()
	r := c.asksFor(p, "", names...)
	require.Len(c, r.items, len(names))
	shown := c.command(c.Desk, cli.ExitDone, "prescription", "show", r.id)
	for i, name := range names {
		require.Equal(c, name, r.items[i].Name())
		require.Contains(c, shown, fmt.Sprintf("%d  %s: not decided", i+1, name))
	}
	require.True(c, r.items[len(names)-1].Reserved)
	split := api.DialogueChangeRequest{Kind: pg.SplitRequest, Items: []string{"Ibux", "Zyrtec"}}
	c.refused(http.StatusConflict, c.Desk, http.MethodPost, "/dialogues/"+r.id+"/changes", split)

	r = c.asksFor(p, "Ibux, og den mot pollen")
	require.Len(c, r.items, 1)
	require.Equal(c, "Ibux, og den mot pollen", r.items[0].Name())
	c.refused(http.StatusForbidden, c.Operator, http.MethodPost, "/dialogues/"+r.id+"/changes", split)
	c.command(c.Desk, cli.ExitDone, "prescription", "split", r.id, "--item", "Ibux", "--item", "Zyrtec")
	require.Contains(c, c.command(c.GP, cli.ExitDone, "prescription", "show", r.id), "2  Zyrtec: not decided")
	require.Equal(c, "Ibux, og den mot pollen", c.readDialogue(c.GP, r.id).Messages[0].Text, "what he wrote stays")

	// What is renewed of a request in words is a prescription of the record system.
	medicine := filepath.Join(c.TempDir(), "zyrtec.json")
	require.NoError(c, os.WriteFile(medicine, []byte(`{"kind":"pack","name":"Zyrtec 10 mg","group":"C","itemNumber":"012345"}`), 0o600))
	c.command(c.GP, cli.ExitRefused, "prescription", "answer", r.id, "--renew", "1,2", "--text", "Hei.")
	c.command(c.GP, cli.ExitDone, "prescription", "answer", r.id, "--renew", "2", "--medicine", "2="+medicine, "--cannot", "1=Bestill time.", "--text", "Hei.")
	answer := c.answered(r)
	require.Equal(c, []string{"Zyrtec 10 mg"}, answer.Medicines)
	require.Equal(c, "Hei.\n\n- Ibux: kan ikke fornyes. Bestill time.\n- Zyrtec 10 mg: fornyet", answer.Text)
}

// messageAndOption: an answer is a text and an option, neither without the other (S60).
func messageAndOption(c *clinic) {
	r := c.asksFor(c.patient(nil), "Allergitabletter")
	for _, incomplete := range []api.AnswerRequest{{Code: "15"}, {Code: "15", Text: " "}, {Text: "Du må bestille time."}, {Code: "15", Text: strings.Repeat("x", 1001)}} {
		c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, r.answers(), incomplete)
	}
	c.unanswered(r)
	c.command(c.GP, cli.ExitDone, "prescription", "answer", r.id, "--code", "15", "--text", "Du må bestille time.")
	answer := c.answered(r)
	require.Equal(c, []string{"15", "Du må bestille time."}, []string{answer.Function, answer.Text})
}

// exactlyOneOption: one of four options, which is not another than the decisions come to,
// and one answer: whoever is second is told so (S61, F15, D17).
func exactlyOneOption(c *clinic) {
	r := c.asksFor(c.patient(nil), "", simulator.Medicines()[:2]...)
	for _, code := range []string{"12", "13", "19", "30", "31", "99", "14 "} {
		c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Code: code, Text: "Hei."})
	}
	for _, code := range []string{"14", "15", "26"} {
		why := c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Code: code, Text: "Hei.", Items: r.decides("rc")})
		require.Equal(c, "code", why.Errors[0].Path)
		require.Contains(c, why.Errors[0].Rule, "32 (prescriptions partly renewed)", "it says what would be right")
	}
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Code: "32", Text: "Hei."})
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Text: "Hei.", Items: r.decides("r")})
	c.unanswered(r)

	key := uuid.NewString()
	for range 2 { // the same answer again is the same
		c.keyed(c.GP, http.MethodPost, r.answers(), key, api.AnswerRequest{Code: "32", Text: "Hei.", Items: r.decides("rc")}, nil)
	}
	second := c.refused(http.StatusConflict, c.Colleague, http.MethodPost, r.answers(), api.AnswerRequest{Text: "Hei.", Items: r.decides("cc")})
	require.Contains(c, second.Detail, "answered already")
	require.Equal(c, "32", c.answered(r).Function)
	require.Equal(c, prescription.Renewed, c.readDialogue(c.GP, r.id).Prescriptions[0].Decision, "the second answer decided nothing")
}

// optionArrives: the option reaches the citizen as its code, with a prescription for each
// that is renewed, and Helsenorge has receipted it (S62-S65).
func optionArrives(c *clinic, option, letters string) {
	names := simulator.Medicines()[:2]
	r := c.asksFor(c.patient(nil), "", names...)
	c.must(c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Code: option, Text: "Hei.", Items: r.decides(letters)}, nil)
	answer := c.answered(r)
	require.Equal(c, option, answer.Function)
	var renewed []string
	for i, l := range letters {
		if l == 'r' {
			renewed = append(renewed, names[i])
		}
	}
	require.Equal(c, renewed, answer.Medicines)
	d := c.acknowledged(r.id)
	require.Equal(c, answer.Text, d.Answers[0].Text, "staff read what the citizen reads")
	for i, said := range r.decides(letters) {
		require.Equal(c, said.Decision, d.Prescriptions[i].Decision)
		require.Equal(c, said.Reason, d.Prescriptions[i].Reason)
	}
	require.Empty(c, d.Journal, "and nothing is journalled (S53)")
}

// nothingLeavesBeforeSend: reading, splitting and a refused answer send nothing, and
// without an option nothing is sent (S66).
func nothingLeavesBeforeSend(c *clinic) {
	r := c.asksFor(c.patient(nil), "Ibux og Zyrtec")
	c.readDialogue(c.GP, r.id)
	c.command(c.Desk, cli.ExitDone, "prescription", "split", r.id, "--item", "Ibux", "--item", "Zyrtec")
	c.command(c.GP, cli.ExitUsage, "prescription", "answer", r.id, "--text", "Hei.")
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Text: "Hei."})
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Code: "14", Text: "Hei."})
	c.unanswered(r)
	c.nothingAtHelsenorge()
	require.Equal(c, contract.StatusAwaitingClinic, c.readDialogue(c.GP, r.id).Status)
	c.must(c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Code: "26", Text: "Hei."}, nil)
	require.Equal(c, "26", c.answered(r).Function)
}

// optionIsANote: the citizen reads the text, with the option as its subject. What
// guardians may not see is in neither (S67, F15).
func optionIsANote(c *clinic) {
	p, names := c.patient(nil), simulator.Medicines()
	reserved := len(names) - 1
	r := c.asksFor(p, "", names...)
	letters := "c" + strings.Repeat("r", reserved)
	named := c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Text: "Også " + names[reserved] + ".", Items: r.decides(letters)})
	require.NotContains(c, named.Errors[0].Rule, names[reserved])
	c.must(c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Text: "Hei.", Items: r.decides(letters)}, nil)
	answer := c.answered(r)
	require.Equal(c, prescription.Note(prescription.OptionPartly), answer.Subject)
	lines := strings.Split(answer.Text, "\n")
	require.Equal(c, []string{"Hei.", "", "- " + names[0] + ": kan ikke fornyes. Bestill time."}, lines[:3])
	require.Len(c, lines, 2+reserved, "a line for each but the one that is reserved")
	require.NotContains(c, answer.Text+answer.Subject, names[reserved])
	require.Contains(c, answer.Medicines, names[reserved], "the patient's prescription itself says that it is reserved")
}

// answerIsTurned: the answer to a request of six is turned into an e-consultation, which
// has both in its journal once, or into an e-contact, which has none; the request stays
// closed (S68, D18).
func answerIsTurned(c *clinic) {
	p := c.patient(nil)
	names := []string{"Ibux", "Zyrtec", "Paralgin", "Nasonex", "Ventoline", "Marevan"}
	r := c.asksFor(p, "", names...)
	turn := client.Turn{Kind: contract.ProcessEConsultation, Subject: "Om medisinene", Text: "Vi må snakke om dosen."}
	c.refused(http.StatusConflict, c.GP, http.MethodPost, "/dialogues/"+r.id+"/turn", turn)
	c.must(c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Text: "Hei.", Items: r.decides("rrrccj")}, nil)
	require.Equal(c, prescription.OptionPartly, c.answered(r).Function)
	c.acknowledged(r.id)

	key := uuid.NewString()
	var started, again client.Started
	c.keyed(c.GP, http.MethodPost, "/dialogues/"+r.id+"/turn", key, turn, &started)
	c.keyed(c.GP, http.MethodPost, "/dialogues/"+r.id+"/turn", key, turn, &again)
	require.Equal(c, started.DialogueID, again.DialogueID)
	require.NotEqual(c, r.id, started.DialogueID)
	t := c.thread(p, "Om medisinene")
	require.Equal(c, onHelsenorge[contract.ProcessEConsultation], t.Process)
	require.True(c, t.Answerable)
	c.eventually("request, answer and message are in the journal", func() error {
		if n := len(c.readDialogue(c.GP, started.DialogueID).Journal); n != 3 {
			return fmt.Errorf("%d messages", n)
		}
		return nil
	})
	require.Empty(c, c.readDialogue(c.GP, r.id).Journal)

	turn.Kind, turn.Subject = contract.ProcessEContact, "Om henting"
	c.must(c.GP, http.MethodPost, "/dialogues/"+r.id+"/turn", turn, &started)
	require.Equal(c, onHelsenorge[contract.ProcessEContact], c.thread(p, "Om henting").Process)
	require.Empty(c, c.acknowledged(started.DialogueID).Journal)
	c.refused(http.StatusConflict, c.GP, http.MethodPost, r.answers(), api.AnswerRequest{Text: "Hei.", Items: r.decides("rrrrrr")})
	require.Equal(c, contract.StatusAnswered, c.readDialogue(c.GP, r.id).Status, "the request is what it was")
}
