package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// start starts a dialogue over HTTP, twice with the same key: it is one dialogue.
func (c *clinic) start(who identity.Principal, s client.StartDialogue) client.Started {
	c.Helper()
	var first, again client.Started
	key := uuid.NewString()
	c.keyed(who, http.MethodPost, "/dialogues", key, s, &first)
	c.keyed(who, http.MethodPost, "/dialogues", key, s, &again)
	require.Equal(c, first.DialogueID, again.DialogueID)
	return first
}

// inboxItem waits until the inbox of somebody shows the dialogue unread, or read.
func (c *clinic) inboxItem(who identity.Principal, dialogueID string, unread bool) pg.InboxItem {
	c.Helper()
	var found pg.InboxItem
	c.eventually("the dialogue is in the inbox of "+who.Subject, func() error {
		for _, i := range c.inboxOf(who) {
			if i.DialogueID == dialogueID && i.Unread == unread {
				found = i
				return nil
			}
		}
		return fmt.Errorf("it is not there")
	})
	return found
}

func (c *clinic) inboxOf(who identity.Principal) []pg.InboxItem {
	c.Helper()
	var l api.List[pg.InboxItem]
	c.must(who, http.MethodGet, "/inbox", nil, &l)
	return l.Items
}

func (c *clinic) readDialogue(who identity.Principal, id string) pg.Dialogue {
	c.Helper()
	var d pg.Dialogue
	c.must(who, http.MethodGet, "/dialogues/"+id, nil, &d)
	return d
}

// portalPath is below the patient's dialogues in the portal, as the viewer sees them.
func portalPath(of, viewer patient, rest ...string) string {
	return strings.Join(append([]string{"/portal/patients", of.ID, "dialogues"}, rest...), "/") + "?" + url.Values{"viewer": {viewer.ID}}.Encode()
}

// portalDialogues are the patient's e-dialogues as the portal shows them to him.
func (c *clinic) portalDialogues(p patient) []pg.PortalDialogue {
	c.Helper()
	var l api.List[pg.PortalDialogue]
	c.must(c.Portal, http.MethodGet, portalPath(p, p), nil, &l)
	return l.Items
}

// portalThread waits until the patient's e-dialogue has so many messages, and opens it.
func (c *clinic) portalThread(p patient, id string, messages int) pg.PortalThread {
	c.Helper()
	var t pg.PortalThread
	c.eventually("the portal shows the dialogue", func() error {
		status, body, err := c.call(c.Portal, http.MethodGet, portalPath(p, p, id), "", nil)
		if err == nil && (status != http.StatusOK || strings.Count(body, `"from"`) != messages) {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
	c.must(c.Portal, http.MethodGet, portalPath(p, p, id), nil, &t)
	return t
}

// nothingAtHelsenorge demands that no party of the clinic has sent Helsenorge anything.
func (c *clinic) nothingAtHelsenorge() {
	c.Helper()
	book, err := c.Simulator.Book(c.Context())
	require.NoError(c, err)
	for _, r := range book.Received {
		require.NotContains(c, []int{c.GPHerID, c.ColleagueHerID}, r.From, "%s has left", r.Function)
	}
}

// eDialogueToAPatient: an e-dialogue to a patient is received in app and portal, and
// answered there; nothing of it is sent to Helsenorge, nor does any channel of the clinic
// carry it. It needs neither consent nor Helsenorge (S19, A7).
func eDialogueToAPatient(c *clinic) {
	p := c.inactive(func(r *client.PatientRecord) { r.Status = &pg.PatientStatus{NoConsent: true} })
	secret := "hemmelig-" + p.Mobile
	started := c.start(c.GP, client.StartDialogue{Kind: contract.ProcessEDialogue, PatientID: p.ID, Subject: "Prøvesvar", Text: secret + " en"})
	id := started.DialogueID
	thread := c.portalThread(p, id, 1)
	require.Equal(c, "Prøvesvar", thread.Title, "the mark is Helsenorge's (S94)")
	require.Equal(c, secret+" en", thread.Messages[0].Text)
	require.Equal(c, "Frida Fastlege", thread.Messages[0].Author)
	d := c.readDialogue(c.Desk, id)
	require.Equal(c, contract.StatusAnswered, d.Status)
	require.NotNil(c, d.Answers[0].ReadAt, "the clinic sees that it was read")
	var feed api.List[pg.FeedItem]
	c.must(c.Portal, http.MethodGet, "/portal/patients/"+p.ID+"/feed?viewer="+p.ID, nil, &feed)
	require.Len(c, feed.Items, 1)
	require.Equal(c, id, feed.Items[0].DialogueID)

	// The patient answers in the app, once however often it is sent, and is answered.
	key := uuid.NewString()
	var written, again client.PortalWritten
	reply := client.PortalWriting{ViewerID: p.ID, Text: secret + " to", App: true}
	messages := "/portal/patients/" + p.ID + "/dialogues/" + id + "/messages"
	c.keyed(c.Portal, http.MethodPost, messages, key, reply, &written)
	c.keyed(c.Portal, http.MethodPost, messages, key, reply, &again)
	require.Equal(c, written, again)
	item := c.inboxItem(c.Desk, id, true)
	require.Equal(c, contract.StatusAwaitingClinic, item.Status)
	c.must(c.Desk, http.MethodPost, "/dialogues/"+id+"/answers", api.AnswerRequest{Text: secret + " tre"}, nil)
	thread = c.portalThread(p, id, 3)
	require.Equal(c, secret+" to", thread.Messages[1].Text)
	require.Equal(c, secret+" tre", thread.Messages[2].Text)

	// And begins one himself.
	c.must(c.Portal, http.MethodPost, "/portal/patients/"+p.ID+"/dialogues", client.PortalWriting{ViewerID: p.ID, Subject: "Attest", Text: secret + " fire"}, &written)
	item = c.inboxItem(c.Desk, written.DialogueID, true)
	require.Equal(c, "Attest", item.Title)
	require.Len(c, c.portalDialogues(p), 2)

	// Nobody else sees it: not another patient, not who acts for nobody.
	other := c.patient(nil)
	c.refused(http.StatusNotFound, c.Portal, http.MethodGet, portalPath(other, other, id), nil)
	c.refused(http.StatusForbidden, c.Portal, http.MethodGet, portalPath(p, other, id), nil)
	c.refused(http.StatusForbidden, c.GP, http.MethodGet, portalPath(p, p, id), nil)

	c.nothingAtHelsenorge()
	require.Empty(c, c.sent(p), "no channel has carried it")
	require.Empty(c, c.readDialogue(c.GP, id).Journal, "an e-dialogue is not journalled (S53)")
	var e client.Explanation
	c.must(c.GP, http.MethodGet, "/dialogues/"+id+"/explain", nil, &e)
	for _, l := range e.Lines {
		require.Equal(c, contract.OutcomeDone, l.Outcome, l.Effect)
	}
	c.requireNobody([]string{secret, p.NationalID, p.FamilyName})
}

// eDialogueBetweenColleagues: what colleagues write to each other lies in their inboxes,
// and nowhere else (S20).
func eDialogueBetweenColleagues(c *clinic) {
	secret := "hemmelig-" + c.ID
	started := c.start(c.Desk, client.StartDialogue{
		Kind: contract.ProcessEDialogue, Participants: []routing.Recipient{{Kind: routing.Group, ID: "doctors"}}, Subject: "Vaktbytte", Text: secret + " en",
	})
	id := started.DialogueID
	for _, doctor := range []identity.Principal{c.GP, c.Colleague} {
		item := c.inboxItem(doctor, id, true)
		require.Equal(c, "Vaktbytte", item.Title)
		require.Empty(c, item.Patient)
		require.NotEmpty(c, item.Participants)
	}
	require.Empty(c, c.inboxOf(c.Desk), "the author has written it")
	require.Equal(c, secret+" en", c.readDialogue(c.Colleague, id).Answers[0].Text)

	c.must(c.Colleague, http.MethodPost, "/dialogues/"+id+"/answers", api.AnswerRequest{Text: secret + " to"}, nil)
	require.Equal(c, contract.StatusAnswered, c.inboxItem(c.Desk, id, true).Status)
	d := c.readDialogue(c.Desk, id)
	require.Len(c, d.Answers, 2)
	require.Empty(c, d.PatientID)
	require.Empty(c, d.Journal)

	// To one colleague alone: the other doctor has no part in it.
	alone := c.start(c.GP, client.StartDialogue{
		Kind: contract.ProcessEDialogue, Participants: []routing.Recipient{{Kind: routing.Personal, ID: c.ColleagueID}}, Text: secret + " tre",
	}).DialogueID
	c.inboxItem(c.Colleague, alone, true)
	c.refused(http.StatusForbidden, c.Desk, http.MethodGet, "/dialogues/"+alone, nil)
	c.refused(http.StatusForbidden, c.Desk, http.MethodPost, "/dialogues/"+alone+"/answers", api.AnswerRequest{Text: "Meg også"})
	for _, who := range []identity.Principal{c.Desk, c.Admin} {
		for _, i := range c.inboxOf(who) {
			require.NotEqual(c, alone, i.DialogueID)
		}
	}
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, "/dialogues", client.StartDialogue{
		Kind: contract.ProcessEDialogue, Participants: []routing.Recipient{{Kind: routing.Group, ID: "nobody"}}, Text: "Hallo?",
	})

	p := c.patient(nil)
	require.Empty(c, c.portalDialogues(p))
	c.refused(http.StatusNotFound, c.Portal, http.MethodGet, portalPath(p, p, id), nil)
	c.refused(http.StatusNotFound, c.Portal, http.MethodPost, "/portal/patients/"+p.ID+"/dialogues/"+id+"/messages", client.PortalWriting{ViewerID: p.ID, Text: "Hei"})
	c.nothingAtHelsenorge()
	c.requireNobody([]string{secret})
}
