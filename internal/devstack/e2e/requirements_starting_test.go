package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

// onHelsenorge are the two kinds that go there, with their process of 8279.
var onHelsenorge = map[contract.Process]string{contract.ProcessEContact: codes.EKontakt, contract.ProcessEConsultation: codes.EKonsultasjon}

// toPatient is a dialogue with a patient, of a kind and under a subject.
func toPatient(p patient, kind contract.Process, subject string) client.StartDialogue {
	return client.StartDialogue{Kind: kind, PatientID: p.ID, Subject: subject, Text: "Innholdet i " + subject}
}

// thread waits until the patient sees a conversation under the subject on Helsenorge.
func (c *clinic) thread(p patient, subject string) simulator.Thread {
	c.Helper()
	var found simulator.Thread
	c.eventually("the patient sees "+subject, func() error {
		threads, err := c.Simulator.Threads(c.Context(), p.Citizen)
		if err != nil {
			return err
		}
		for _, t := range threads {
			if t.Subject == subject {
				found = t
				return nil
			}
		}
		return fmt.Errorf("%d other conversations", len(threads))
	})
	return found
}

// acknowledged waits until Helsenorge's receipt for the clinic's message is in, and nothing
// is owed any more.
func (c *clinic) acknowledged(dialogueID string) pg.Dialogue {
	c.Helper()
	var d pg.Dialogue
	c.eventually("the receipt is in", func() error {
		d = c.readDialogue(c.GP, dialogueID)
		owed := d.Status != contract.StatusAnswered && d.Status != contract.StatusClosed // 26 closes
		if last := d.Answers[len(d.Answers)-1]; last.State != string(contract.OutcomeAcknowledged) || owed {
			return fmt.Errorf("the message is %s, the dialogue %s", last.State, d.Status)
		}
		return nil
	})
	return d
}

// dialoguesOf are the clinic's dialogues with the patient.
func (c *clinic) dialoguesOf(p patient) []pg.DialogueItem {
	c.Helper()
	var l api.List[pg.DialogueItem]
	c.must(c.Desk, http.MethodGet, "/dialogues?patient="+p.ID, nil, &l)
	return l.Items
}

func (c *clinic) reachability(p patient, kind contract.Process) client.Reachability {
	c.Helper()
	var r client.Reachability
	c.must(c.Desk, http.MethodGet, "/patients/"+p.ID+"/reachability?kind="+string(kind), nil, &r)
	return r
}

// unreachable demands that neither kind of Helsenorge can be started with the patient,
// that whoever asks is told the reason beforehand, and that nothing is written, sent or
// left to be sent.
func (c *clinic) unreachable(p patient, reason, words string) {
	c.Helper()
	before := len(c.dialoguesOf(p))
	for kind := range onHelsenorge {
		r := c.reachability(p, kind)
		require.False(c, r.Reachable)
		require.Equal(c, reason, string(r.Reasons[0]))
		require.Contains(c, r.Explained[0], words)
		refused := c.refused(http.StatusConflict, c.GP, http.MethodPost, "/dialogues", toPatient(p, kind, "Til ingen"))
		require.Equal(c, reason, refused.State)
		require.Contains(c, refused.Detail, words)
	}
	require.Len(c, c.dialoguesOf(p), before, "nothing is written")
	threads, err := c.Simulator.Threads(c.Context(), p.Citizen)
	require.NoError(c, err)
	for _, t := range threads {
		require.NotEqual(c, "Til ingen", t.Subject)
	}
}

// optionsNeedTheIntegration: what goes to Helsenorge can be started while the integration
// is active, and then only; what does not can always be (S14).
func optionsNeedTheIntegration(c *clinic) {
	p := c.patient(nil)
	c.must(c.Operator, http.MethodPost, "/integration/suspend", api.ActivationRequest{Reason: "Nytt sertifikat"}, nil)
	c.unreachable(p, "integration-suspended", "suspended")
	c.portalThread(p, c.start(c.GP, toPatient(p, contract.ProcessEDialogue, "Bare her")).DialogueID, 1)
	c.nothingAtHelsenorge()
	c.must(c.Operator, http.MethodPost, "/integration/resume", api.ActivationRequest{}, nil)
	c.start(c.GP, toPatient(p, contract.ProcessEContact, "Åpent igjen"))
	c.thread(p, "Åpent igjen")
}

// fromTheInbox: staff who work in their inboxes start a dialogue there, and get the reply
// there (S15).
func fromTheInbox(c *clinic) {
	p := c.patient(nil)
	require.Empty(c, c.inboxOf(c.Desk))
	var started client.Started
	require.NoError(c, json.Unmarshal([]byte(c.command(c.Desk, cli.ExitDone, "dialogue", "start", "--patient", p.ID,
		"--kind", "e-contact", "--subject", "Fra innboksen", "--text", "Kommer du i morgen?", "--json")), &started))
	t := c.thread(p, "Fra innboksen")
	c.acknowledged(started.DialogueID)
	_, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.Reply, Citizen: p.Citizen, InReplyTo: t.Messages[0].MsgID, Text: "Ja."})
	require.NoError(c, err)
	item := c.inboxItem(c.Desk, started.DialogueID, true)
	require.Equal(c, "Fra innboksen", item.Title)
	require.Contains(c, c.command(c.Desk, cli.ExitDone, "inbox"), "Fra innboksen")
}

// exactlyThreeKinds: e-contact, e-consultation and e-dialogue can be started, and nothing
// else (S16).
func exactlyThreeKinds(c *clinic) {
	p := c.patient(nil)
	for _, kind := range []contract.Process{contract.ProcessEContact, contract.ProcessEConsultation, contract.ProcessEDialogue} {
		d := c.readDialogue(c.GP, c.start(c.GP, toPatient(p, kind, "Av slaget "+string(kind))).DialogueID)
		require.Equal(c, kind, d.Process)
	}
	for _, kind := range []contract.Process{"", "sms", contract.ProcessPrescription, contract.ProcessAppointment, contract.ProcessNotice} {
		c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, "/dialogues", toPatient(p, kind, "Av annet slag"))
	}
	require.Len(c, c.dialoguesOf(p), 3)
}

// startedOnHelsenorge starts a dialogue of the kind and demands that the citizen has it on
// Helsenorge, in a conversation of its own in which he may write.
func (c *clinic) startedOnHelsenorge(p patient, kind contract.Process, subject string) pg.Dialogue {
	c.Helper()
	started := c.start(c.GP, toPatient(p, kind, subject))
	t := c.thread(p, subject)
	require.Equal(c, onHelsenorge[kind], t.Process)
	require.Equal(c, c.GPHerID, t.Party)
	require.True(c, t.Answerable)
	require.Len(c, t.Messages, 1)
	require.False(c, t.Messages[0].Own)
	require.Equal(c, contract.OpenDialogue, t.Messages[0].Function)
	require.Equal(c, "Innholdet i "+subject, t.Messages[0].Text)
	if kind == contract.ProcessEConsultation { // health personnel speaks
		require.Equal(c, "Frida Fastlege", t.Messages[0].Author)
	}
	d := c.acknowledged(started.DialogueID)
	require.Equal(c, subject, d.Title, "the mark is that of who began on Helsenorge")
	require.Empty(c, c.portalDialogues(p), "it is read on Helsenorge")
	return d
}

// eContactToAPatient: what is general is received on Helsenorge, and not journalled (S17,
// S53).
func eContactToAPatient(c *clinic) {
	d := c.startedOnHelsenorge(c.patient(nil), contract.ProcessEContact, "Ny adresse")
	require.Empty(c, d.Journal)
}

// eConsultationToAPatient: what is medical is received on Helsenorge, and journalled (S18,
// A10).
func eConsultationToAPatient(c *clinic) {
	p := c.patient(nil)
	d := c.startedOnHelsenorge(p, contract.ProcessEConsultation, "Blodprøvene")
	c.eventually("the message is in the journal", func() error {
		if d = c.readDialogue(c.GP, d.ID); len(d.Journal) != 1 {
			return fmt.Errorf("%d messages", len(d.Journal))
		}
		return nil
	})
	require.Equal(c, d.Answers[0].ID, d.Journal[0].MessageID)
}

// upload uploads a file over HTTP as it is, and returns the status with the file, if it is
// one.
func (c *clinic) upload(who identity.Principal, p patient, name string, content io.Reader) (int, pg.File) {
	c.Helper()
	token, err := c.Token(who)
	require.NoError(c, err)
	req, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.APIURL()+"/v1/clinics/"+c.ID+"/attachments?"+url.Values{"patient": {p.ID}}.Encode(), content)
	require.NoError(c, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Content-Disposition", "attachment; filename="+name)
	res, err := http.DefaultClient.Do(req)
	require.NoError(c, err)
	defer res.Body.Close() //nolint:errcheck // read to its end
	var f pg.File
	require.NoError(c, json.NewDecoder(res.Body).Decode(&f))
	return res.StatusCode, f
}

// pdf is a file of that size that is a PDF by its content.
func pdf(size int) io.Reader {
	const head = "%PDF-1.7\n"
	return io.MultiReader(strings.NewReader(head), bytes.NewReader(make([]byte, size-len(head))))
}

// filesOnHelsenorge: a dialogue of either kind that goes to Helsenorge carries files, and
// the citizen has them there; a renewal request's answer carries none (S21).
func filesOnHelsenorge(c *clinic) {
	p := c.patient(nil)
	for kind := range onHelsenorge {
		status, f := c.upload(c.GP, p, "brev.pdf", pdf(1000))
		require.Equal(c, http.StatusCreated, status)
		s := toPatient(p, kind, "Med brev, "+string(kind))
		s.Attachments = []string{f.ID}
		d := c.readDialogue(c.GP, c.start(c.GP, s).DialogueID)
		require.Equal(c, f.ID, d.Answers[0].Attachments[0].ID)
		files := c.thread(p, s.Subject).Messages[0].Files
		require.Len(c, files, 1)
		require.Equal(c, simulator.File{Name: "brev.pdf", MIME: attachment.PDF, Size: 1000}, simulator.File{Name: files[0].Name, MIME: files[0].MIME, Size: files[0].Size})
		again := toPatient(p, kind, "Samme brev")
		again.Attachments = s.Attachments
		c.refused(http.StatusConflict, c.GP, http.MethodPost, "/dialogues", again)
	}
	_, f := c.upload(c.GP, p, "resept.pdf", pdf(1000))
	_, err := c.Simulator.Act(c.Context(), simulator.Action{Kind: simulator.Renewal, Citizen: p.Citizen, To: c.GPHerID, Subject: "Resept"})
	require.NoError(c, err)
	var request string
	c.eventually("the renewal request is in an inbox", func() error {
		for _, i := range c.inboxOf(c.Desk) {
			if i.Process == contract.ProcessPrescription {
				request = i.DialogueID
				return nil
			}
		}
		return fmt.Errorf("it is not there")
	})
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, "/dialogues/"+request+"/answers",
		api.AnswerRequest{Code: contract.AnswerCannotRenew, Text: "Nei", Attachments: []string{f.ID}})
	other := toPatient(c.patient(nil), contract.ProcessEContact, "Feil mottaker")
	other.Attachments = []string{f.ID}
	c.refused(http.StatusUnprocessableEntity, c.GP, http.MethodPost, "/dialogues", other)
}

// twelveMegabytes: a file of exactly 12 MB is accepted and reaches the citizen; one byte
// more is refused before anything is sent (S22, A2).
func twelveMegabytes(c *clinic) {
	p := c.patient(nil)
	status, f := c.upload(c.GP, p, "stor.pdf", pdf(attachment.MaxFileBytes))
	require.Equal(c, http.StatusCreated, status)
	require.EqualValues(c, attachment.MaxFileBytes, f.Size)
	s := toPatient(p, contract.ProcessEContact, "Stor fil")
	s.Attachments = []string{f.ID}
	c.start(c.GP, s)
	require.Equal(c, attachment.MaxFileBytes, c.thread(p, "Stor fil").Messages[0].Files[0].Size)
	status, _ = c.upload(c.GP, p, "stor.pdf", pdf(attachment.MaxFileBytes+1))
	require.Equal(c, http.StatusRequestEntityTooLarge, status)
	status, _ = c.upload(c.GP, p, "skript.pdf", strings.NewReader("<script>"))
	require.Equal(c, http.StatusUnprocessableEntity, status)
}

// fromTheSearchField: who finds an active patient starts a dialogue with him from there
// (S23).
func fromTheSearchField(c *clinic) {
	p := c.patient(nil)
	var found api.PatientID
	c.must(c.Desk, http.MethodPost, "/patients/find", api.FindPatientRequest{NationalID: p.NationalID}, &found)
	require.Equal(c, p.ID, found.PatientID)
	for kind := range onHelsenorge {
		r := c.reachability(p, kind)
		require.True(c, r.Reachable, r.Reasons)
		require.True(c, r.Active)
	}
	c.command(c.Desk, cli.ExitDone, "dialogue", "start", "--patient", found.PatientID, "--kind", "e-consultation", "--subject", "Fra søket", "--text", "Hei")
	c.thread(p, "Fra søket")
	gone := c.inactive(nil)
	c.must(c.Desk, http.MethodPost, "/patients/find", api.FindPatientRequest{NationalID: gone.NationalID}, &found)
	require.False(c, c.reachability(gone, contract.ProcessEContact).Reachable)
}

// helsenorgeNotifies: Helsenorge tells the patient of a dialogue; the clinic's own channels
// do not (S24).
func helsenorgeNotifies(c *clinic) {
	p := c.patient(nil)
	for kind := range onHelsenorge {
		c.startedOnHelsenorge(p, kind, "Uten varsel, "+string(kind))
	}
	require.Empty(c, c.sent(p))
	require.Empty(c, c.feed(p))
}

// numberOf is a national id that begins with those six digits and is of that form.
func (c *clinic) numberOf(date string, form nationalid.Form, mark nationalid.Marks) string {
	c.Helper()
	for i := range 100_000 {
		s := fmt.Sprintf("%s%05d", date, i)
		if id, err := nationalid.Parse(s, nationalid.Options{Synthetic: mark}); err == nil && id.Form == form && id.Synthetic == mark {
			return s
		}
	}
	require.Fail(c, "there is no such number")
	return ""
}

// fullNumber: a dialogue needs a full birth number or D number. Whoever has none cannot
// even be written; a help number, or one of a test register that this installation does not
// take, is refused at the start, an e-dialogue's too (S25, A7).
func fullNumber(c *clinic) {
	withNumber := func(number string) client.PatientRecord {
		return client.PatientRecord{Patient: client.Patient{GivenName: "Test", FamilyName: "Testperson", NationalID: number, PractitionerID: c.GPID}}
	}
	good := c.patient(nil).NationalID
	for _, number := range []string{"", good[:6], good[:10], good + "1", "01018000000"} {
		refused := c.refused(http.StatusUnprocessableEntity, c.Service, http.MethodPut, "/patients/bulk", api.PatientList{Patients: []client.PatientRecord{withNumber(number)}})
		require.Contains(c, refused.Errors[0].Path, "nationalId")
		require.NotContains(c, refused.Detail+refused.Errors[0].Rule, good[:6])
	}
	dNumber := c.numberOf("418180", nationalid.DNR, nationalid.Tenor)
	var ids api.PatientIDs
	c.must(c.Service, http.MethodPut, "/patients/bulk", api.PatientList{Patients: []client.PatientRecord{withNumber(dNumber)}}, &ids)
	require.True(c, c.reachability(patient{ID: ids.PatientIDs[0]}, contract.ProcessEContact).Reachable)
	for reason, number := range map[string]string{
		"help-number":      c.numberOf("014180", nationalid.HNR, 0),
		"synthetic-number": c.numberOf("016680", nationalid.FNR, nationalid.NHN),
	} {
		c.must(c.Service, http.MethodPut, "/patients/bulk", api.PatientList{Patients: []client.PatientRecord{withNumber(number)}}, &ids)
		p := patient{ID: ids.PatientIDs[0]}
		c.unreachable(p, reason, "number")
		refused := c.refused(http.StatusConflict, c.GP, http.MethodPost, "/dialogues", toPatient(p, contract.ProcessEDialogue, "Til ingen"))
		require.Equal(c, reason, refused.State)
	}
}

// consent: without consent to be contacted on Helsenorge nothing is sent there (S26).
func consent(c *clinic) {
	p := c.patient(func(r *client.PatientRecord) { r.Status = &pg.PatientStatus{NoConsent: true} })
	c.unreachable(p, "no-consent", "not agreed")
	c.must(c.Service, http.MethodPut, "/patients/"+p.ID+"/status", pg.PatientStatus{}, nil)
	c.startedOnHelsenorge(p, contract.ProcessEContact, "Med samtykke")
}

// blockedNotQueued: who is not on Helsenorge cannot be written to there. It is blocked and not
// queued: nothing leaves when he comes (S27).
func blockedNotQueued(c *clinic) {
	p := c.inactive(nil)
	c.unreachable(p, "not-active", "not on Helsenorge")
	require.NoError(c, c.Simulator.SetActivity(c.Context(), simulator.Activity{Citizen: p.Citizen, Self: true, To: c.GPHerID}))
	c.eventually("Helsenorge has told that he is there", func() error {
		if r := c.reachability(p, contract.ProcessEContact); !r.Reachable {
			return fmt.Errorf("%v", r.Reasons)
		}
		return nil
	})
	c.startedOnHelsenorge(p, contract.ProcessEContact, "Nå på Helsenorge")
	threads, err := c.Simulator.Threads(c.Context(), p.Citizen)
	require.NoError(c, err)
	require.Len(c, threads, 1, "what was refused has not waited")
}

// toldAtTheStart: whether a patient can be contacted is told before anything is written,
// over HTTP and on the command line (S28).
func toldAtTheStart(c *clinic) {
	p := c.inactive(nil)
	require.Contains(c, c.command(c.Desk, cli.ExitDone, "patient", "reachability", p.ID, "--kind", "e-consultation"), "not on Helsenorge")
	c.command(c.Desk, cli.ExitRefused, "dialogue", "start", "--patient", p.ID, "--kind", "e-consultation", "--subject", "Til ingen", "--text", "Hei")
	require.Empty(c, c.dialoguesOf(p))
	require.True(c, c.reachability(p, contract.ProcessEDialogue).Reachable, "and what can be done instead")
}

// notOnHelsenorge: the words say that the patient is not on Helsenorge (S29).
func notOnHelsenorge(c *clinic) {
	p := c.inactive(nil)
	for _, who := range []identity.Principal{c.GP, c.Desk} {
		refused := c.refused(http.StatusConflict, who, http.MethodPost, "/dialogues", toPatient(p, contract.ProcessEConsultation, "Til ingen"))
		require.Contains(c, refused.Detail, "the patient is not on Helsenorge")
	}
	require.NotContains(c, c.reachability(c.patient(nil), contract.ProcessEConsultation).Reasons, "not-active")
}
