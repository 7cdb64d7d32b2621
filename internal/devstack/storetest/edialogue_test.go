package storetest_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// A second GP and a nurse of the clinic.
const (
	otherGPID = "019ab000-0000-7000-8000-000000000014"
	nurseID   = "019ab000-0000-7000-8000-000000000015"
)

var (
	otherGP = identity.Principal{Subject: "gp2", ClinicID: demo.ClinicID, Role: identity.RolePractitioner}
	nurse   = identity.Principal{Subject: "nurse", ClinicID: demo.ClinicID, Role: identity.RoleStaff}
)

// talk is a clinic of five, with a patient.
type talk struct {
	*testing.T
	d         *storetest.Database
	s         *pg.Store
	patientID string
}

func newTalk(t *testing.T) *talk {
	t.Helper()
	d, s := setup(t)
	c := demo.Clinic()
	c.Staff = append(c.Staff,
		pg.Staff{ID: otherGPID, Subject: otherGP.Subject, Name: "Fredrik Fastlege", Role: otherGP.Role, Position: "gp", Groups: []string{"doctors"}},
		pg.Staff{ID: nurseID, Subject: nurse.Subject, Name: "Siri Sykepleier", Role: nurse.Role, Position: "nurse", Unit: "lab"})
	require.NoError(t, s.PutClinic(t.Context(), demo.Service, c))
	k := &talk{T: t, d: d, s: s.At(func() time.Time { return now })}
	var err error
	k.patientID, err = s.PutPatient(t.Context(), demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	return k
}

// drafts stores an e-dialogue as the client does.
func (k *talk) drafts(by identity.Principal, n pg.NewDialogue) (pg.DraftedDialogue, error) {
	n.Process = contract.ProcessEDialogue
	return k.s.DraftDialogue(k.Context(), by, demo.ClinicID, n)
}

func (k *talk) start(by identity.Principal, e pg.NewDialogue) string {
	k.Helper()
	if e.ID == "" {
		e.ID = uuid.NewString()
	}
	started, err := k.drafts(by, e)
	require.NoError(k, err)
	k.publish(started.DialogueID, e.ID)
	return started.DialogueID
}

func (k *talk) publish(dialogueID, id string) {
	k.Helper()
	for range 2 {
		out, err := k.s.PublishMessage(k.Context(), contract.PublishMessageInput{ClinicID: demo.ClinicID, DialogueID: dialogueID, OutboundID: id, Now: now})
		require.NoError(k, err)
		require.Equal(k, now, out.At)
	}
}

// answers drafts an answer as the client does, without a code, and shows it.
func (k *talk) answers(by identity.Principal, dialogueID, text string) string {
	k.Helper()
	id := uuid.NewString()
	drafted, err := k.s.DraftAnswer(k.Context(), by, demo.ClinicID, dialogueID, pg.Draft{ID: id, Text: text})
	require.NoError(k, err)
	require.Equal(k, contract.InHouse, drafted.Code)
	k.publish(dialogueID, id)
	return id
}

// writes stores what the patient writes in the portal and puts it in inboxes.
func (k *talk) writes(w pg.WrittenInPortal) pg.Arrived {
	k.Helper()
	if w.ID == "" {
		w.ID = uuid.NewString()
	}
	if w.PatientID == "" {
		w.PatientID, w.ViewerID = k.patientID, k.patientID
	}
	m, err := k.s.StorePortalMessage(k.Context(), portal, demo.ClinicID, w)
	require.NoError(k, err)
	_, err = k.s.Place(k.Context(), contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID})
	require.NoError(k, err)
	return m
}

func (k *talk) inbox(of identity.Principal) []pg.InboxItem {
	k.Helper()
	found, err := k.s.Inbox(k.Context(), of, demo.ClinicID, pg.DialogueQuery{Limit: 50})
	require.NoError(k, err)
	return found.Items
}

func (k *talk) read(by identity.Principal, id string) pg.Dialogue {
	k.Helper()
	d, err := k.s.ReadDialogue(k.Context(), by, demo.ClinicID, id)
	require.NoError(k, err)
	return d
}

func (k *talk) portalDialogues() []pg.PortalDialogue {
	k.Helper()
	list, err := k.s.PortalDialogues(k.Context(), portal, demo.ClinicID, k.patientID, k.patientID, 50, "")
	require.NoError(k, err)
	require.Empty(k, list.Next)
	return list.Items
}

func TestEDialogueWithAPatient(t *testing.T) { // S19, S94, A7
	k := newTalk(t)
	ctx := t.Context()
	e := pg.NewDialogue{ID: uuid.NewString(), PatientID: k.patientID, Subject: "Prøvesvaret", Text: "Alt er i orden."}
	started, err := k.drafts(demo.GP, e)
	require.NoError(t, err)
	id := started.DialogueID
	require.Empty(t, k.portalDialogues(), "nobody sees what no lifecycle has taken")
	_, err = k.s.PortalDialogue(ctx, portal, demo.ClinicID, k.patientID, k.patientID, id)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)

	k.publish(id, e.ID)
	require.Equal(t, []pg.PortalDialogue{{ID: id, Title: "Prøvesvaret", Unread: 1, CreatedAt: now, LatestAt: now}}, k.portalDialogues())
	feed, err := k.s.PortalFeed(ctx, portal, demo.ClinicID, k.patientID, k.patientID)
	require.NoError(t, err)
	require.Equal(t, []pg.FeedItem{{NoticeID: e.ID, DialogueID: id, Purpose: contract.InHouse, Subject: "Prøvesvaret", Body: "Alt er i orden.", At: now}}, feed)
	d := k.read(demo.Desk, id)
	require.Equal(t, contract.StatusAnswered, d.Status)
	require.Equal(t, "Prøvesvaret", d.Title, "the mark is Helsenorge's")
	require.Nil(t, d.Answers[0].ReadAt)

	thread, err := k.s.PortalDialogue(ctx, portal, demo.ClinicID, k.patientID, k.patientID, id)
	require.NoError(t, err)
	require.Equal(t, []pg.PortalMessage{{ID: e.ID, From: "clinic", At: now, Author: "Frida Fastlege", Subject: "Prøvesvaret", Text: "Alt er i orden."}}, thread.Messages)
	require.Zero(t, k.portalDialogues()[0].Unread)
	require.Equal(t, now, k.read(demo.Desk, id).Answers[0].ReadAt.UTC())

	w := pg.WrittenInPortal{ID: uuid.NewString(), PatientID: k.patientID, ViewerID: k.patientID, DialogueID: id, Source: "app", Text: "Så fint!"}
	m := k.writes(w)
	again := k.writes(w)
	require.Equal(t, m.ID, again.ID)
	require.True(t, again.Again && !again.HandedOver)
	require.NoError(t, k.s.HandedOver(ctx, m.ID))
	require.True(t, k.writes(w).HandedOver)
	other := w
	other.Text = "Noe annet"
	_, err = k.s.StorePortalMessage(ctx, portal, demo.ClinicID, other)
	require.True(t, apperr.Is(err, apperr.Duplicate), "%v", err)
	require.Len(t, k.inbox(demo.Desk), 1, "by the rule of e-contacts, whatever is sent twice")
	item := k.inbox(demo.Desk)[0]
	require.Equal(t, "Line Testperson", item.Patient)
	require.True(t, item.Unread)
	require.Equal(t, contract.StatusAwaitingClinic, item.Status)

	answer := k.answers(demo.Desk, id, "Bare hyggelig.")
	d = k.read(demo.GP, id)
	require.Equal(t, contract.StatusAnswered, d.Status)
	require.Equal(t, "Så fint!", d.Messages[0].Text)
	for _, a := range d.Answers {
		require.Equal(t, map[string]string{e.ID: "", answer: m.ID}[a.ID], a.InReplyTo)
	}
	require.Empty(t, d.Journal, "an e-dialogue is not journalled (S53)")
	lines, err := k.s.Ledger(ctx, demo.GP, demo.ClinicID, id)
	require.NoError(t, err)
	for _, l := range lines {
		require.Equal(t, contract.OutcomeDone, l.Outcome, l.Key)
	}
	require.Len(t, lines, 3)
	loaded, err := k.s.LoadDialogue(ctx, demo.ClinicID, id)
	require.NoError(t, err)
	require.Equal(t, []string{w.ID}, loaded.Seen)
	require.Empty(t, loaded.Open)
	require.False(t, loaded.AnswerOwed)

	_, err = k.s.PublishMessage(ctx, contract.PublishMessageInput{ClinicID: demo.ClinicID, DialogueID: id, OutboundID: uuid.NewString(), Now: now})
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	dump, err := k.d.Dump(ctx)
	require.NoError(t, err)
	for _, secret := range []string{"Prøvesvaret", "Alt er i orden", "Så fint", "Bare hyggelig"} {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret)} {
			if strings.Contains(dump, form) {
				t.Errorf("%q is in the database in clear", secret)
			}
		}
	}
	require.NoError(t, k.s.ErasePatient(ctx, demo.Admin, demo.ClinicID, k.patientID))
	_, err = k.s.PortalDialogue(ctx, portal, demo.ClinicID, k.patientID, k.patientID, id)
	require.True(t, apperr.Is(err, apperr.Erased), "%v", err)
}

// TestEDialogueBetweenColleagues: those who take part read it in their inboxes, and
// nobody else anywhere.
func TestEDialogueBetweenColleagues(t *testing.T) { // S20
	k := newTalk(t)
	ctx := t.Context()
	for _, c := range []struct {
		to     routing.Recipient
		reader identity.Principal
	}{
		{routing.Recipient{Kind: routing.Position, ID: "secretary"}, demo.Desk},
		{routing.Recipient{Kind: routing.Group, ID: "doctors"}, otherGP},
		{routing.Recipient{Kind: routing.Role, ID: "staff"}, nurse},
		{routing.Recipient{Kind: routing.Unit, ID: "lab"}, nurse},
		{routing.Recipient{Kind: routing.Personal, ID: otherGPID}, otherGP},
	} {
		id := k.start(demo.GP, pg.NewDialogue{Participants: []routing.Recipient{c.to}, Subject: "Vaktliste", Text: "Kan du ta fredag?"})
		require.True(t, slices.ContainsFunc(k.inbox(c.reader), func(i pg.InboxItem) bool { return i.DialogueID == id && i.Unread }), c.to)
		k.read(demo.GP, id)
		require.True(t, slices.ContainsFunc(k.inbox(c.reader), func(i pg.InboxItem) bool { return i.DialogueID == id && i.Unread }), "another has not read for him")
		require.Equal(t, "Kan du ta fredag?", k.read(c.reader, id).Answers[0].Text)
	}

	id := k.start(demo.GP, pg.NewDialogue{Text: "Hvem tar fredag?", Participants: []routing.Recipient{
		{Kind: routing.Personal, ID: demo.DeskID}, {Kind: routing.Group, ID: "doctors"},
	}})
	of := func(who identity.Principal) pg.InboxItem {
		t.Helper()
		for _, i := range k.inbox(who) {
			if i.DialogueID == id {
				return i
			}
		}
		require.Fail(t, "it is not in the inbox")
		return pg.InboxItem{}
	}
	item := of(demo.Desk)
	require.Equal(t, "e-dialogue", item.Title)
	require.Empty(t, item.Patient)
	require.Contains(t, item.Participants, routing.Recipient{Kind: routing.Personal, ID: demo.GPID})
	require.Len(t, item.Participants, 3)
	require.True(t, item.Unread)
	places, err := k.d.SQL(ctx, "SELECT recipient_kind, recipient_id, via FROM inbox_item WHERE dialogue_id = '"+id+"' ORDER BY 1")
	require.NoError(t, err)
	require.Equal(t, "group|doctors|participant\npractitioner|"+demo.DeskID+"|participant", places, "not in the author's own")

	k.read(demo.Desk, id)
	k.answers(demo.Desk, id, "Jeg.")
	item = of(demo.GP)
	require.True(t, item.Unread)
	d := k.read(demo.GP, id)
	require.Contains(t, d.Inboxes, "practitioner:"+demo.GPID, "the author is answered in his own inbox")
	require.Equal(t, contract.StatusAnswered, d.Status)
	require.Empty(t, d.PatientID)
	require.Len(t, d.Answers, 2)

	_, err = k.s.ReadDialogue(ctx, nurse, demo.ClinicID, id)
	require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)
	_, err = k.s.DraftAnswer(ctx, nurse, demo.ClinicID, id, pg.Draft{ID: uuid.NewString(), Text: "Jeg vil også"})
	require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)
	for _, item := range k.inbox(nurse) {
		require.NotEqual(t, id, item.DialogueID)
	}
	lines, err := k.s.Ledger(ctx, demo.Admin, demo.ClinicID, id)
	require.NoError(t, err)
	require.Len(t, lines, 2)
	for _, l := range lines {
		require.Equal(t, contract.OutcomeDone, l.Outcome)
	}

	require.Empty(t, k.portalDialogues(), "no portal shows it")
	_, err = k.s.PortalDialogue(ctx, portal, demo.ClinicID, k.patientID, k.patientID, id)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	_, err = k.s.StorePortalMessage(ctx, portal, demo.ClinicID, pg.WrittenInPortal{
		ID: uuid.NewString(), PatientID: k.patientID, ViewerID: k.patientID, DialogueID: id, Source: "portal", Text: "Hva skjer?",
	})
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	feed, err := k.s.PortalFeed(ctx, portal, demo.ClinicID, k.patientID, k.patientID)
	require.NoError(t, err)
	require.Empty(t, feed)

	for name, e := range map[string]pg.NewDialogue{
		"participants":    {},
		"participants[0]": {Participants: []routing.Recipient{{Kind: routing.Group, ID: "nobody"}}},
		"participants[1]": {Participants: []routing.Recipient{{Kind: routing.Group, ID: "desk"}, {Kind: routing.Group, ID: "desk"}}},
	} {
		e.ID, e.Text = uuid.NewString(), "Hei"
		_, err := k.drafts(demo.GP, e)
		require.Equal(t, []string{name}, paths(t, err))
	}
	_, err = k.drafts(demo.Desk, pg.NewDialogue{
		ID: uuid.NewString(), Text: "Til meg", Participants: []routing.Recipient{{Kind: routing.Group, ID: "desk"}},
	})
	require.Equal(t, []string{"participants[0]"}, paths(t, err), "the author alone is nobody to talk with")
	_, err = k.drafts(demo.Desk, pg.NewDialogue{
		ID: uuid.NewString(), Text: "Begge", PatientID: k.patientID, Participants: []routing.Recipient{{Kind: routing.Group, ID: "doctors"}},
	})
	require.Equal(t, []string{"participants"}, paths(t, err))
}

// TestColleaguesWhoLeave: a message that nobody could read is not called shown.
func TestColleaguesWhoLeave(t *testing.T) { // S20, F12
	k := newTalk(t)
	e := pg.NewDialogue{ID: uuid.NewString(), Text: "Er du der?", Participants: []routing.Recipient{{Kind: routing.Personal, ID: nurseID}}}
	started, err := k.drafts(demo.Desk, e)
	require.NoError(t, err)
	require.NoError(t, k.s.PutClinic(t.Context(), demo.Service, demo.Clinic())) // without the nurse
	in := contract.PublishMessageInput{ClinicID: demo.ClinicID, DialogueID: started.DialogueID, OutboundID: e.ID, Now: now}
	_, err = k.s.PublishMessage(t.Context(), in)
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	stands, err := k.s.CloseDelivery(t.Context(), contract.CloseDeliveryInput{
		ClinicID: demo.ClinicID, DialogueID: started.DialogueID, OutboundID: e.ID, Outcome: contract.OutcomeFailed, Reason: string(apperr.Conflict),
	})
	require.NoError(t, err)
	require.Equal(t, contract.OutcomeFailed, stands)
	_, err = k.s.PublishMessage(t.Context(), in)
	require.True(t, apperr.Is(err, apperr.Conflict), "what was given up stays so: %v", err)
	require.Equal(t, contract.StatusNeedsOperator, k.read(demo.Desk, started.DialogueID).Status)
}

func TestPatientsBeginAndRepresentativesWrite(t *testing.T) { // S19, S81, D14
	k := newTalk(t)
	ctx := t.Context()
	id, err := k.s.PutPatient(ctx, demo.Service, demo.ClinicID, child, demo.GPID, false)
	require.NoError(t, err)
	parent, err := k.s.PutPatient(ctx, demo.Service, demo.ClinicID, mother, demo.GPID, false)
	require.NoError(t, err)
	write := func(viewer string, at time.Time) error {
		_, err := k.s.At(func() time.Time { return at }).StorePortalMessage(ctx, portal, demo.ClinicID, pg.WrittenInPortal{
			ID: uuid.NewString(), PatientID: id, ViewerID: viewer, Source: "portal", Subject: "Attest", Text: "Kan vi få en attest?",
		})
		return err
	}
	forbidden := func(err error, reason string) {
		t.Helper()
		require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)
		require.ErrorContains(t, err, reason)
	}
	birthday := time.Date(2026, 11, 9, 23, 0, 0, 0, time.UTC) // 00:00 in Norway
	forbidden(write(parent, now), "not-a-representative")
	require.NoError(t, k.s.PutRepresentations(ctx, demo.Service, demo.ClinicID, id, []pg.Representation{{RepresentativeID: parent, Relation: "FO"}}))
	m := k.writes(pg.WrittenInPortal{PatientID: id, ViewerID: parent, Source: "app", Subject: "Attest", Text: "Kan vi få en attest?"})
	require.True(t, m.NewDialogue)
	d := k.read(demo.Desk, m.DialogueID)
	require.Equal(t, "Attest", d.Title)
	require.Equal(t, mother.Name(), d.Messages[0].Actor)
	require.Equal(t, "FO", d.Messages[0].Relation)
	thread, err := k.s.PortalDialogue(ctx, portal, demo.ClinicID, id, parent, m.DialogueID)
	require.NoError(t, err)
	require.Equal(t, []pg.PortalMessage{{ID: m.ID, From: "patient", At: now, Author: mother.Name(), Relation: "FO", Subject: "Attest", Text: "Kan vi få en attest?", Attachments: []pg.File{}}}, thread.Messages)

	forbidden(write(parent, birthday), "sixteen-or-older")
	require.NoError(t, write(id, birthday))
	later := k.s.At(func() time.Time { return birthday })
	_, err = later.PortalDialogue(ctx, portal, demo.ClinicID, id, parent, m.DialogueID)
	forbidden(err, "sixteen-or-older")
	_, err = later.PortalDialogues(ctx, portal, demo.ClinicID, id, parent, 10, "")
	forbidden(err, "sixteen-or-older")
	require.NoError(t, k.s.PutPatientStatus(ctx, demo.Service, demo.ClinicID, id, pg.PatientStatus{Protected: true}))
	forbidden(write(parent, now), "protected")
	require.NoError(t, write(id, now))

	// Another patient's dialogue is not his, and a citizen's on Helsenorge is no portal's.
	_, err = k.s.PortalDialogue(ctx, portal, demo.ClinicID, k.patientID, k.patientID, m.DialogueID)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	wire, err := k.s.StoreArrival(ctx, arrival(contract.ProcessEContact, "DIALOG_INNBYGGER_EKONTAKT", "HE"))
	require.NoError(t, err)
	_, err = k.s.PortalDialogue(ctx, portal, demo.ClinicID, k.patientID, k.patientID, wire.DialogueID)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	_, err = k.s.StorePortalMessage(ctx, portal, demo.ClinicID, pg.WrittenInPortal{
		ID: uuid.NewString(), PatientID: k.patientID, ViewerID: k.patientID, DialogueID: wire.DialogueID, Source: "portal", Text: "Hei",
	})
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	_, err = k.s.PortalDialogues(ctx, portal, otherID, k.patientID, k.patientID, 10, "")
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)

	_, err = k.s.PutPatient(ctx, demo.Service, demo.ClinicID, line, demo.GPID, true)
	require.NoError(t, err)
	_, err = k.s.StorePortalMessage(ctx, portal, demo.ClinicID, pg.WrittenInPortal{
		ID: uuid.NewString(), PatientID: k.patientID, ViewerID: k.patientID, Source: "portal", Text: "Hei",
	})
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	require.Empty(t, k.portalDialogues(), "what was refused leaves nothing behind")
}

func TestARefusedEDialogueLeavesNothingBehind(t *testing.T) {
	k := newTalk(t)
	ctx := t.Context()
	rows := "SELECT (SELECT count(*) FROM dialogue), (SELECT count(*) FROM outbound_message), (SELECT count(*) FROM dialogue_participant)"
	for _, e := range []pg.NewDialogue{
		{ID: uuid.NewString(), PatientID: k.patientID, Text: "Hei"},
		{ID: uuid.NewString(), Participants: []routing.Recipient{{Kind: routing.Group, ID: "doctors"}}, Text: "Hei"},
	} {
		first, err := k.drafts(demo.Desk, e)
		require.NoError(t, err)
		second, err := k.drafts(demo.Desk, e)
		require.NoError(t, err)
		require.Equal(t, first.DialogueID, second.DialogueID)
		other := e
		other.Text = "Noe annet"
		_, err = k.drafts(demo.Desk, other)
		require.True(t, apperr.Is(err, apperr.Duplicate), "%v", err)
		require.NoError(t, k.s.DropDraft(ctx, demo.ClinicID, e.ID, first.Attempt))
		_, err = k.s.PublishMessage(ctx, contract.PublishMessageInput{ClinicID: demo.ClinicID, DialogueID: first.DialogueID, OutboundID: e.ID, Now: now})
		require.NoError(t, err, "the later call's is not dropped by the earlier's refusal")
		again, err := k.drafts(demo.Desk, e)
		require.NoError(t, err)
		require.True(t, again.Accepted)
		require.NoError(t, k.s.DropDraft(ctx, demo.ClinicID, e.ID, again.Attempt), "what is shown stays")

		e.ID = uuid.NewString()
		before, err := k.d.SQL(ctx, rows)
		require.NoError(t, err)
		dropped, err := k.drafts(demo.Desk, e)
		require.NoError(t, err)
		require.NoError(t, k.s.DropDraft(ctx, demo.ClinicID, e.ID, dropped.Attempt))
		after, err := k.d.SQL(ctx, rows)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
}

func TestWhatIsWrittenAtOnceMeets(t *testing.T) {
	k := newTalk(t)
	w := pg.WrittenInPortal{ID: uuid.NewString(), PatientID: k.patientID, ViewerID: k.patientID, Source: "portal", Text: "Hei"}
	e := pg.NewDialogue{ID: uuid.NewString(), PatientID: k.patientID, Text: "Hei"}
	var mu sync.Mutex
	written, started := map[string]bool{}, map[string]bool{}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			m, err := k.s.StorePortalMessage(t.Context(), portal, demo.ClinicID, w)
			d, startErr := k.drafts(demo.GP, e)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || startErr != nil {
				t.Errorf("%v, %v", err, startErr)
			}
			written[m.ID], started[d.DialogueID] = true, true
		})
	}
	wg.Wait()
	require.Len(t, written, 1)
	require.Len(t, started, 1)
}

// TestFilesOfEDialogues: they go both ways, each with the message of whoever uploaded it.
func TestFilesOfEDialogues(t *testing.T) {
	k := newTalk(t)
	ctx := t.Context()
	stranger, err := k.s.PutPatient(ctx, demo.Service, demo.ClinicID, mother, demo.GPID, false)
	require.NoError(t, err)
	file := func(by identity.Principal, viewer, content string) (string, error) {
		f, err := k.s.StoreFile(ctx, by, demo.ClinicID, pg.NewFile{PatientID: k.patientID, ViewerID: viewer, MIME: "image/png", Description: "kne.png"},
			strings.NewReader(content), func(func() (io.Reader, error)) error { return nil })
		return f.ID, err
	}
	unsent, err := file(demo.GP, "", "not to be sent yet")
	require.NoError(t, err)
	sent, err := file(demo.GP, "", "from the clinic")
	require.NoError(t, err)
	_, err = file(portal, stranger, "from a stranger")
	require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)
	own, err := file(portal, k.patientID, "from the patient")
	require.NoError(t, err)

	n := pg.NewDialogue{ID: uuid.NewString(), PatientID: k.patientID, Text: "Se her", Attachments: []string{sent}}
	started, err := k.drafts(demo.GP, n)
	require.NoError(t, err)
	id := started.DialogueID
	open := func(viewer, file string) (string, error) {
		_, content, err := k.s.PortalAttachment(ctx, portal, demo.ClinicID, k.patientID, viewer, id, file)
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(content)
		return string(b), err
	}
	_, err = open(k.patientID, sent)
	require.True(t, apperr.Is(err, apperr.NotFound), "it is not shown yet: %v", err)
	k.publish(id, n.ID)
	got, err := open(k.patientID, sent)
	require.NoError(t, err)
	require.Equal(t, "from the clinic", got)
	for _, id := range []string{strings.ToUpper(sent), strings.ReplaceAll(sent, "-", "")} {
		got, err = open(k.patientID, id)
		require.NoError(t, err, "another way to write the same id")
		require.Equal(t, "from the clinic", got)
	}
	_, err = open(stranger, sent)
	require.True(t, apperr.Is(err, apperr.Forbidden), "%v", err)

	w := pg.WrittenInPortal{ID: uuid.NewString(), PatientID: k.patientID, ViewerID: k.patientID, DialogueID: id, Source: "portal", Text: "Og her", Attachments: []string{unsent}}
	_, err = k.s.StorePortalMessage(ctx, portal, demo.ClinicID, w)
	require.Equal(t, []string{"attachments[0]"}, paths(t, err), "what staff uploaded is not the portal's to send")
	w.Attachments = []string{own}
	m := k.writes(w)
	require.Equal(t, m.ID, k.writes(w).ID)
	thread, err := k.s.PortalDialogue(ctx, portal, demo.ClinicID, k.patientID, k.patientID, id)
	require.NoError(t, err)
	for _, shown := range thread.Messages {
		require.Equal(t, map[string]string{"clinic": sent, "patient": own}[shown.From], shown.Attachments[0].ID)
	}
	f, content, err := k.s.ReadAttachment(ctx, demo.Desk, demo.ClinicID, id, own)
	require.NoError(t, err)
	require.Equal(t, "kne.png", f.Description)
	b, err := io.ReadAll(content)
	require.NoError(t, err)
	require.Equal(t, "from the patient", string(b))
	_, err = k.s.StorePortalMessage(ctx, portal, demo.ClinicID, pg.WrittenInPortal{
		ID: uuid.NewString(), PatientID: k.patientID, ViewerID: k.patientID, DialogueID: id, Source: "portal", Text: "Igjen", Attachments: []string{own},
	})
	require.True(t, apperr.Is(err, apperr.Conflict), "a file goes with one message: %v", err)
}

// TestEDialoguesInPages: each once, the newest first.
func TestEDialoguesInPages(t *testing.T) {
	k := newTalk(t)
	var all []string
	for i := range 5 {
		id := k.writes(pg.WrittenInPortal{Source: "app", Subject: fmt.Sprint(i), Text: "Hei"}).DialogueID
		all = append(all, id)
	}
	var found []string
	for from := ""; ; {
		list, err := k.s.PortalDialogues(t.Context(), portal, demo.ClinicID, k.patientID, k.patientID, 2, from)
		require.NoError(t, err)
		for _, d := range list.Items {
			found = append(found, d.ID)
		}
		if from = list.Next; from == "" {
			break
		}
	}
	require.ElementsMatch(t, all, found)
	_, err := k.s.PortalDialogues(t.Context(), portal, demo.ClinicID, k.patientID, k.patientID, 2, "nowhere")
	require.Equal(t, []string{"cursor"}, paths(t, err))
}
