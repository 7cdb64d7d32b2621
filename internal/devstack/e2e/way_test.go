package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/testsize"
)

// all answers every message and returns what must become of it.
func (w *world) all(sent []expectation) []expectation {
	w.Helper()
	for i := range sent {
		e := &sent[i]
		e.answerID, e.code = uuid.NewString(), answerCodes[e.sent.Kind]
		w.answer(w.dialogue(e.subject), e.answerID, e.code, "Svar på "+e.subject)
	}
	return sent
}

// TestWayThrough: three processes from the citizen's message to the receipt of the
// answer (S4-S6, S30, S44-S46, S50, S53, S94).
func TestWayThrough(t *testing.T) { overBoth(t, wayThrough) }

func wayThrough(t *testing.T, w *world) {
	var sent []expectation
	for i, kind := range kinds {
		s, subject := w.act(simulator.Action{Kind: kind, Citizen: i})
		sent = append(sent, expectation{sent: s, subject: subject})
	}
	byProxy, subject := w.act(simulator.Action{Kind: simulator.EContact, Citizen: 7, By: 8})
	sent = append(sent, expectation{sent: byProxy, subject: subject})
	w.all(sent)
	w.eventually("everything has its outcome", func() error { return w.audit(sent) })

	d, err := w.store.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, w.dialogue(subject))
	require.NoError(t, err)
	who := simulator.Citizen(8)
	require.Equal(t, who.GivenName+" "+who.FamilyName, d.Messages[0].Actor)

	// The citizen writes again in the thread of an e-consultation.
	again, _ := w.act(simulator.Action{Kind: simulator.Reply, InReplyTo: sent[0].sent.MsgID})
	id := w.dialogue(sent[0].subject)
	w.eventually("the reply is in the same dialogue", func() error {
		d, err := w.store.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, id)
		if err == nil && (len(d.Messages) != 2 || d.Status != contract.StatusAwaitingClinic) {
			err = fmt.Errorf("%d messages, %s", len(d.Messages), d.Status)
		}
		return err
	})
	w.answer(id, uuid.NewString(), contract.AnswerDialogueEnded, "Da avslutter vi her.")
	w.eventually("13 is threaded by the citizen's second message", func() error {
		book, err := w.Simulator.Book(t.Context())
		if err != nil {
			return err
		}
		for _, r := range book.Received {
			if r.Parent == again.MsgID && r.Conversation == sent[0].sent.MsgID && r.Function == contract.AnswerDialogueEnded {
				return nil
			}
		}
		return fmt.Errorf("not yet")
	})
	book, err := w.Simulator.Book(t.Context())
	require.NoError(t, err)
	var documents [][]byte
	for _, r := range book.Received {
		documents = append(documents, r.XML)
	}
	for _, r := range book.Receipts {
		documents = append(documents, r.XML)
	}
	require.Len(t, documents, 10, "five answers and five receipts")
	t.Run("schema", func(t *testing.T) { requireSchemaValid(t, documents...) })
}

// TestFiveDeliveriesAreOne: the same message five times, in one envelope and in
// five, changes nothing; over RabbitMQ 10,000 deliveries (F11).
func TestFiveDeliveriesAreOne(t *testing.T) { overBoth(t, fiveDeliveriesAreOne) }

func fiveDeliveriesAreOne(t *testing.T, w *world) {
	n := len(kinds)
	if w.Transport == stack.AMQP {
		n = testsize.Scaled(2000, n)
	}
	var sent []expectation
	for i := range n {
		s, subject := w.act(simulator.Action{Kind: kinds[i%len(kinds)], Citizen: i, Times: 5, NewEnvelope: i%2 == 0})
		sent = append(sent, expectation{sent: s, subject: subject})
	}
	w.all(sent)
	for _, e := range sent { // and once more when all is over
		_, err := w.Simulator.SendRaw(t.Context(), simulator.Raw{Body: e.sent.XML, To: e.sent.To})
		require.NoError(t, err)
	}
	marker, subject := w.act(simulator.Action{Kind: simulator.EContact})
	sent = append(sent, w.all([]expectation{{sent: marker, subject: subject}})...)
	w.eventually("everything has its outcome", func() error { return w.audit(sent) })
}

// TestOfficialSamples: the published examples of the three processes go through as
// they are.
func TestOfficialSamples(t *testing.T) {
	samples := filepath.Join(shared(t), "samples", "helsenorge")
	// The parties that the examples name.
	const service, contact, practitioner, office = 8093248, 8130047, 1234, 91095
	const clinicID, staffID = "019ab000-0000-7000-8000-000000000002", "019ab000-0000-7000-8000-000000000021"
	all := demo.Clinic().Parties[0].Processes
	nanset := pg.Clinic{
		ID: clinicID, Name: "Nanset legekontor", HerID: 971318,
		Staff:   []pg.Staff{{ID: staffID, Subject: "nanset", Name: "August September", Role: identity.RolePractitioner, HPR: "2174976"}},
		Parties: []pg.Party{{HerID: practitioner, Name: "August September", StaffID: staffID, Processes: all}, {HerID: office, Name: "Nanset legekontor", Processes: all}},
	}
	parties := []registry.Party{demo.Organisation(nanset)}
	for _, id := range []int{service, contact} {
		parties = append(parties, registry.Party{HerID: id, Name: "Digitale innbyggertjenester", AsyncQueue: "helsenorge_async", ErrorQueue: "helsenorge_error"})
	}
	for _, p := range nanset.Parties {
		parties = append(parties, registry.Party{
			HerID: p.HerID, Name: nanset.Name, ParentHerID: nanset.HerID, AsyncQueue: "nanset_async", ErrorQueue: "nanset_error", Processes: all,
		})
	}
	w := newWorld(t, stack.Config{Parties: parties})
	w.write(identity.Principal{Subject: "epj", ClinicID: clinicID, Role: identity.RoleService}, nanset)
	require.NoError(t, w.Stack.Run(t.Context()))
	w.activate()
	who := identity.Principal{Subject: "nanset", ClinicID: clinicID, Role: identity.RolePractitioner, HPR: "2174976"}
	for _, c := range []struct {
		file     string
		from, to int
		code     string
	}{
		{"DIALOG_INNBYGGER_EKONSULTASJON__1.2__ekonsultasjon-foresporsel-innbygger-sporsmal-til-behandler.xml", service, practitioner, contract.AnswerFromPractitioner},
		{"DIALOG_INNBYGGER_EKONTAKT__1.2__henvendelse-foresporsel-innbygger-henvendelse.xml", contact, office, contract.AnswerToEnquiry},
		{"DIALOG_INNBYGGER_RESEPTFORNYELSE__1.2__reseptfornying-foresporsel-innbygger-fritekst.xml", service, office, contract.AnswerCannotRenew},
	} {
		raw, err := os.ReadFile(filepath.Join(samples, c.file))
		require.NoError(t, err)
		before := len(w.inbox(who))
		_, err = w.Simulator.SendRaw(t.Context(), simulator.Raw{Body: raw, From: c.from, To: c.to, Times: 2})
		require.NoError(t, err)
		var id string
		w.eventually(c.file+" is in the inbox", func() error {
			items := w.inbox(who)
			if len(items) != before+1 {
				return fmt.Errorf("%d items", len(items))
			}
			id = items[0].DialogueID
			return nil
		})
		token, err := w.Token(who)
		require.NoError(t, err)
		body, err := json.Marshal(map[string]any{"code": c.code, "text": "Svar."})
		require.NoError(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.APIURL()+"/v1/clinics/"+clinicID+"/dialogues/"+id+"/answers", bytes.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusAccepted, res.StatusCode)
		w.eventually(c.file+" is answered", func() error {
			d, err := w.store.ReadDialogue(t.Context(), who, clinicID, id)
			if err == nil && d.Status != contract.StatusAnswered {
				err = fmt.Errorf("%s", d.Status)
			}
			return err
		})
	}
	book, err := w.Simulator.Book(t.Context())
	require.NoError(t, err)
	require.Len(t, book.Receipts, 3)
	require.Len(t, book.Received, 3)
	var documents [][]byte
	for i := range book.Received {
		require.Empty(t, book.Received[i].Problems)
		documents = append(documents, book.Received[i].XML, book.Receipts[i].XML)
	}
	requireSchemaValid(t, documents...)
}

func (w *world) inbox(who identity.Principal) []pg.InboxItem {
	w.Helper()
	found, err := w.store.Inbox(w.Context(), who, who.ClinicID, pg.DialogueQuery{Limit: 5000})
	require.NoError(w, err)
	return found.Items
}

// TestWrongMessages: each gets the answer of the standard, and nothing is lost.
func TestWrongMessages(t *testing.T) { overBoth(t, wrongMessages) }

func wrongMessages(t *testing.T, w *world) {
	good, _ := w.act(simulator.Action{Kind: simulator.EConsultation})
	forge := func(pairs ...string) ([]byte, string) {
		id := uuid.NewString()
		xml := bytes.ReplaceAll(good.XML, []byte(good.MsgID), []byte(id))
		for i := 0; i < len(pairs); i += 2 {
			require.Truef(t, bytes.Contains(xml, []byte(pairs[i])), "nothing to forge: %s", pairs[i])
			xml = bytes.ReplaceAll(xml, []byte(pairs[i]), []byte(pairs[i+1]))
		}
		return xml, id
	}
	send := func(r simulator.Raw) string {
		if r.To == 0 {
			r.To = demo.GPHerID
		}
		r.Times = 2
		id, err := w.Simulator.SendRaw(t.Context(), r)
		require.NoError(t, err)
		return id
	}
	negative := map[string]string{} // MsgId → code
	reported := map[string]string{} // transport id → condition
	refused := map[string]string{}  // MsgId → answer

	reported[send(simulator.Raw{Body: []byte("dette er ikke XML")})] = "transport:not-well-formed-xml"
	xml, id := forge("<MIGversion>v1.2 2006-05-24</MIGversion>", "")
	send(simulator.Raw{Body: xml})
	negative[id] = "T02"
	xml, id = forge(fmt.Sprint(demo.GPHerID), "900777")
	send(simulator.Raw{Body: xml})
	negative[id] = "E10"
	xml, _ = forge()
	reported[send(simulator.Raw{Body: xml, From: simulator.OtherHerID})] = "abuse:spoofing-attack"
	xml, _ = forge(`V="DIALOG_INNBYGGER_EKONSULTASJON"`, `V="DIALOG_INNBYGGER_UKJENT"`)
	reported[send(simulator.Raw{Body: xml})] = "transport:unsupported-message"
	xml, _ = forge()
	reported[send(simulator.Raw{Body: xml, Subject: codes.EKontakt})] = "transport:invalid-field-value"
	xml, id = forge(`V="SB"`, `V="ZZ"`)
	send(simulator.Raw{Body: xml})
	refused[id] = contract.AnswerRefused
	xml, id = forge(`V="DIALOG_INNBYGGER_EKONSULTASJON"`, `V="DIALOG_INNBYGGER_TIMEONSKE"`)
	send(simulator.Raw{Body: xml})
	refused[id] = contract.AnswerRefused
	notOffered, _ := w.act(simulator.Action{Kind: simulator.EConsultation, To: demo.ServiceHerID})
	refused[notOffered.MsgID] = contract.AnswerRefused
	blocked := simulator.Citizen(99)
	_, err := w.store.PutPatient(t.Context(), demo.Service, demo.ClinicID, pg.Patient{
		GivenName: blocked.GivenName, FamilyName: blocked.FamilyName, NationalID: blocked.NationalID, IDType: "FNR",
	}, "", true)
	require.NoError(t, err)
	noAccess, _ := w.act(simulator.Action{Kind: simulator.EConsultation, Citizen: 99})
	refused[noAccess.MsgID] = contract.AnswerNoAccess

	if w.Transport == stack.AMQP {
		for fault, condition := range sealingFaults {
			require.NoError(t, w.Simulator.SetFaults(t.Context(), simulator.Faults{Message: fault}))
			sent, _ := w.act(simulator.Action{Kind: simulator.EContact})
			reported[sent.TransportID] = condition
		}
		require.NoError(t, w.Simulator.SetFaults(t.Context(), simulator.Faults{}))
	}

	w.eventually("each has its answer, once", func() error {
		book, err := w.Simulator.Book(t.Context())
		if err != nil {
			return err
		}
		receipts := map[string][]string{}
		for _, r := range book.Receipts {
			code := "OK"
			if !r.OK {
				code = r.Codes[0]
			}
			receipts[r.Original] = append(receipts[r.Original], code)
		}
		for id, code := range negative {
			if got := receipts[id]; len(got) != 1 || got[0] != code {
				return fmt.Errorf("receipts %v instead of one %s", got, code)
			}
		}
		conditions := map[string][]string{}
		for _, r := range book.Reports {
			conditions[r.OriginalTransportID] = append(conditions[r.OriginalTransportID], r.Condition)
		}
		for id, condition := range reported {
			if got := conditions[id]; len(got) != 1 || got[0] != condition {
				return fmt.Errorf("reports %v instead of one %s", got, condition)
			}
		}
		for id, code := range refused {
			var answers []string
			for _, r := range book.Received {
				if r.Parent == id {
					answers = append(answers, r.Function)
					if len(r.Problems) > 0 {
						return fmt.Errorf("a refusal has problems: %v", r.Problems)
					}
				}
			}
			if len(answers) != 1 || answers[0] != code || len(receipts[id]) != 1 || receipts[id][0] != "OK" {
				return fmt.Errorf("answers %v and receipts %v instead of %s", answers, receipts[id], code)
			}
		}
		return nil
	})
	// The known MsgId with other content is kept aside and not answered.
	other := bytes.ReplaceAll(good.XML, []byte("kneet"), []byte("foten"))
	_, err = w.Simulator.SendRaw(t.Context(), simulator.Raw{Body: other, To: demo.GPHerID})
	require.NoError(t, err)
	w.eventually("it is in quarantine", func() error {
		kept, err := w.store.Quarantined(t.Context(), demo.Admin, demo.ClinicID, pg.QuarantineQuery{Limit: 5})
		if err == nil && len(kept.Items) != 1 {
			err = fmt.Errorf("%d in quarantine", len(kept.Items))
		}
		return err
	})
	book, err := w.Simulator.Book(t.Context())
	require.NoError(t, err)
	documents := [][]byte{}
	for _, r := range book.Received {
		documents = append(documents, r.XML)
	}
	for _, r := range book.Receipts {
		documents = append(documents, r.XML)
	}
	requireSchemaValid(t, documents...)
}

// sealingFaults are what the sender is told of what is wrong with keys and certificates
// (HITS 1216, error conditions).
var sealingFaults = map[string]string{
	simulator.Expired:       "transport:expired-certificate",
	simulator.Revoked:       "transport:revoked-certificate",
	simulator.WrongUsage:    "transport:invalid-certificate",
	simulator.Untrusted:     "transport:unverified-certificate",
	simulator.OtherSigner:   "transport:invalid-certificate",
	simulator.OtherReader:   "transport:invalid-certificate",
	simulator.Undecryptable: "transport:invalid-certificate",
	simulator.NotSealed:     "transport:unsupported-message",
}

// TestRejectedAnswer: a negative receipt opens a case and is explained.
func TestRejectedAnswer(t *testing.T) {
	w := running(t, stack.Config{})
	require.NoError(t, w.Simulator.SetFaults(t.Context(), simulator.Faults{Receipt: "E35"}))
	_, subject := w.act(simulator.Action{Kind: simulator.EContact})
	id := w.dialogue(subject)
	w.answer(id, uuid.NewString(), contract.AnswerToEnquiry, "Svar.")
	w.eventually("an operator is asked", func() error {
		d, err := w.store.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, id)
		if err == nil && d.Status != contract.StatusNeedsOperator {
			err = fmt.Errorf("%s", d.Status)
		}
		return err
	})
	status, body, err := w.call(demo.GP, http.MethodGet, "/dialogues/"+id+"/explain", "", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "E35")
	found, err := w.store.Cases(t.Context(), demo.Admin, demo.ClinicID, pg.CaseQuery{Limit: 10})
	require.NoError(t, err)
	cases := found.Items
	require.Len(t, cases, 1)
	require.Equal(t, contract.CaseDeliveryRejected, cases[0].Kind)
}
