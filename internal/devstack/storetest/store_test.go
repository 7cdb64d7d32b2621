package storetest_test

import (
	"context"
	"fmt"
	"os"
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

const helsenorge = 800001

var line = pg.Patient{GivenName: "Line", FamilyName: "Testperson", NationalID: "10915596784", IDType: "FNR", Phone: "41234567"}

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

func setup(t *testing.T) (*storetest.Database, *pg.Store) {
	t.Helper()
	t.Parallel()
	d := storetest.New(t)
	withClinic(t, d.Store)
	return d, d.Store
}

// withClinic writes the demonstration clinic and activates it.
func withClinic(t *testing.T, s *pg.Store) {
	t.Helper()
	require.NoError(t, s.PutClinic(t.Context(), demo.Service, demo.Clinic()))
	storetest.Activate(t, s, demo.Clinic())
}

// alone is setup for a test beside which no other runs.
func alone(t *testing.T) *pg.Store {
	t.Helper()
	d := storetest.New(t)
	withClinic(t, d.Store)
	return d.Store
}

func arrival(process contract.Process, code, function string) pg.Arrival {
	patient := line
	return pg.Arrival{
		TransportID: uuid.NewString(), Subject: code, FromHerID: helsenorge, ToHerID: demo.GPHerID,
		Raw: []byte("<raw>" + uuid.NewString() + "</raw>"), Verdict: pg.Taken, WantsReceipt: true,
		ProcessCode: code, Function: function, MsgID: uuid.NewString(), Process: process, Patient: &patient,
		Content:     pg.Content{Subject: "Vondt i kneet", Text: "Hei, jeg har vondt."},
		Attachments: []pg.Attachment{{MIME: "image/png", Description: "kne", Content: []byte("not really a picture")}},
	}
}

func eConsultation() pg.Arrival {
	return arrival(contract.ProcessEConsultation, "DIALOG_INNBYGGER_EKONSULTASJON", "SB")
}

func build(wire string) pg.Build {
	return func(context.Context, pg.Job) ([]byte, error) { return []byte(wire), nil }
}

func TestStoredOnceWhateverIsRedelivered(t *testing.T) {
	_, s := setup(t)
	a := eConsultation()
	first, err := s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, pg.Taken, first.Verdict)
	require.True(t, first.NewDialogue && first.Receipt && !first.Again)

	again, err := s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)
	require.True(t, again.Again && again.Receipt && !again.HandedOver && !again.NewDialogue)

	other := a // the same message in a new envelope
	other.TransportID = uuid.NewString()
	again, err = s.StoreArrival(t.Context(), other)
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)

	require.NoError(t, s.HandedOver(t.Context(), first.ID))
	again, err = s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	require.True(t, again.HandedOver)

	forged := a
	forged.Raw = []byte("<other/>")
	got, err := s.StoreArrival(t.Context(), forged)
	require.NoError(t, err)
	require.Equal(t, pg.Quarantined, got.Verdict)
	kept, err := s.Quarantined(t.Context(), demo.Admin, demo.ClinicID, pg.QuarantineQuery{Limit: 5})
	require.NoError(t, err)
	require.Len(t, kept.Items, 1)
}

func TestConcurrentRedeliveriesMeet(t *testing.T) {
	_, s := setup(t)
	a := eConsultation()
	follow := eConsultation()
	follow.Function, follow.RefToConversation, follow.RefToParent = "22", a.MsgID, a.MsgID
	var mu sync.Mutex
	ids, dialogues := map[string]bool{}, map[string]bool{}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			m := a
			if i%2 == 1 {
				m = follow
			}
			got, err := s.StoreArrival(t.Context(), m)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("store: %v", err)
				return
			}
			ids[got.ID], dialogues[got.DialogueID] = true, true
		})
	}
	wg.Wait()
	require.Len(t, ids, 2)
	require.Len(t, dialogues, 1)
}

func TestRoutedJournalledAnsweredReceipted(t *testing.T) {
	_, s := setup(t)
	ctx := t.Context()
	m, err := s.StoreArrival(ctx, eConsultation())
	require.NoError(t, err)
	in := contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID}
	for range 2 {
		placed, err := s.Place(ctx, in)
		require.NoError(t, err)
		placed.Clock = nil                                                                       // another test has the answer clock
		require.Equal(t, contract.DeliverToInboxOutput{Places: 1, Rule: "practitioner"}, placed) // S44, by the GP's HER-id
		_, err = s.WriteJournalEntry(ctx, contract.WriteJournalEntryInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID, Direction: contract.Inbound})
		require.NoError(t, err)
	}
	inbox := inboxOf(t, s, demo.GP)
	require.Len(t, inbox, 1)
	require.Equal(t, "helsenorge.no: Vondt i kneet", inbox[0].Title) // S94
	require.Equal(t, "Line Testperson", inbox[0].Patient)
	require.True(t, inbox[0].Unread)
	empty := inboxOf(t, s, demo.Desk)
	require.Empty(t, empty)

	draft := pg.Draft{ID: uuid.NewString(), Code: "12", Text: "Hvil kneet."}
	for range 2 {
		drafted, err := s.DraftAnswer(ctx, demo.GP, demo.ClinicID, m.DialogueID, draft)
		require.NoError(t, err)
		require.Equal(t, m.ID, drafted.InReplyTo)
	}
	other := draft
	other.Text = "Noe annet."
	_, err = s.DraftAnswer(ctx, demo.GP, demo.ClinicID, m.DialogueID, other)
	require.True(t, apperr.Is(err, apperr.Duplicate), "%v", err)

	p, err := s.PrepareAnswer(ctx, demo.ClinicID, draft.ID, helsenorge, func(_ context.Context, j pg.Job) ([]byte, error) {
		require.Equal(t, "Hvil kneet.", j.Text)
		require.Equal(t, "Frida Fastlege", j.Author.Name)
		require.Equal(t, m.MsgID, j.Conversation)
		return []byte("wire"), nil
	})
	require.NoError(t, err)
	require.Equal(t, demo.GPHerID, p.FromHerID)
	require.Equal(t, helsenorge, p.ToHerID)
	again, err := s.PrepareAnswer(ctx, demo.ClinicID, draft.ID, helsenorge, build("another"))
	require.NoError(t, err)
	require.Equal(t, []byte("wire"), again.Wire)
	require.Equal(t, p.MsgID, again.MsgID)
	require.Equal(t, p.TransportID, again.TransportID)
	_, _, err = s.MarkSent(ctx, draft.ID, time.Hour)
	require.NoError(t, err)
	d, err := s.ReadDialogue(ctx, demo.GP, demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	require.Equal(t, contract.StatusAwaitingReceipt, d.Status)
	require.Equal(t, "Hei, jeg har vondt.", d.Messages[0].Text)
	file, content, err := s.ReadAttachment(ctx, demo.GP, demo.ClinicID, m.DialogueID, d.Messages[0].Attachments[0].ID)
	require.NoError(t, err)
	require.Equal(t, "kne", file.Description)
	require.Equal(t, "not really a picture", string(whole(t, content)))

	receipt := pg.Arrival{
		TransportID: uuid.NewString(), Subject: "APPREC", FromHerID: helsenorge, ToHerID: demo.GPHerID, Raw: []byte("<AppRec/>"),
		Verdict: pg.Settled, ProcessCode: "APPREC", MsgID: uuid.NewString(),
		Settles: &pg.Settlement{OriginalMsgID: p.MsgID, Outcome: contract.OutcomeAcknowledged},
	}
	forged := receipt // a third party cannot settle our message
	forged.TransportID, forged.MsgID, forged.FromHerID = uuid.NewString(), uuid.NewString(), 777
	got, err := s.StoreArrival(ctx, forged)
	require.NoError(t, err)
	require.Equal(t, pg.Noted, got.Verdict)
	for range 2 {
		got, err = s.StoreArrival(ctx, receipt)
		require.NoError(t, err)
		require.Equal(t, pg.Settled, got.Verdict)
		require.Equal(t, draft.ID, got.Settled.OutboundID)
		require.Equal(t, contract.ProcessEConsultation, got.Settled.Process)
	}
	contradiction := receipt
	contradiction.TransportID, contradiction.MsgID, contradiction.Raw = uuid.NewString(), uuid.NewString(), []byte("<AppRec2/>")
	contradiction.Settles = &pg.Settlement{OriginalMsgID: p.MsgID, Outcome: contract.OutcomeRejected, Codes: []string{"E35"}}
	_, err = s.StoreArrival(ctx, contradiction)
	require.NoError(t, err)
	cases := casesOf(t, s)
	require.Len(t, cases, 1)
	require.Equal(t, contract.CaseContradiction, cases[0].Kind)
	d, err = s.ReadDialogue(ctx, demo.GP, demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	require.Equal(t, contract.StatusAnswered, d.Status)
	lines, err := s.Ledger(ctx, demo.GP, demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	outcomes := map[string]contract.Outcome{}
	for _, l := range lines {
		outcomes[l.Effect+l.MessageID] = l.Outcome
	}
	require.Equal(t, map[string]contract.Outcome{
		"receipt" + m.ID: "", "inbox" + m.ID: "done", "journal" + m.ID: "done", "answer" + draft.ID: "acknowledged", "journal" + draft.ID: "",
	}, outcomes)
	loaded, err := s.LoadDialogue(ctx, demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	require.WithinDuration(t, m.ReceivedAt, loaded.LatestAt, 0)
	loaded.LatestAt = time.Time{}
	require.Equal(t, contract.LoadDialogueOutput{
		Process: contract.ProcessEConsultation, LatestMessageID: m.ID, Messages: 1, Answers: 1, AnswerID: draft.ID, AnswerCode: "12", LastOutboundID: draft.ID, Accepted: []string{draft.ID}, Seen: []string{m.MsgID}, Open: []contract.Delivery{}, Unplaced: []contract.MessageReceived{},
	}, loaded)
}

func TestDefaultsSendTheRestToTheWholeClinic(t *testing.T) { // S45, S46
	_, s := setup(t)
	for process, code := range map[contract.Process]string{
		contract.ProcessEContact: "DIALOG_INNBYGGER_EKONTAKT", contract.ProcessPrescription: "DIALOG_INNBYGGER_RESEPTFORNYELSE",
	} {
		m, err := s.StoreArrival(t.Context(), arrival(process, code, "HE"))
		require.NoError(t, err)
		placed, err := s.Place(t.Context(), contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID})
		require.NoError(t, err)
		placed.Clock = nil // another test has the answer clock
		require.Equal(t, contract.DeliverToInboxOutput{Places: 1, Rule: "selected"}, placed)
	}
	for _, who := range []identity.Principal{demo.GP, demo.Desk} {
		inbox := inboxOf(t, s, who)
		require.Len(t, inbox, 2)
	}
}

func TestRulesThatReachNobody(t *testing.T) {
	_, s := setup(t)
	rule := routing.Rule{Format: routing.Selected, Recipients: []routing.Recipient{{Kind: routing.Group, ID: "nobody"}}}
	err := s.PutRouting(t.Context(), demo.Admin, demo.ClinicID, contract.ProcessEContact, rule)
	require.True(t, apperr.Is(err, apperr.Invalid), "%v", err)
	rule.Recipients[0].ID = "desk"
	require.NoError(t, s.PutRouting(t.Context(), demo.Admin, demo.ClinicID, contract.ProcessEContact, rule))
	rules, err := s.Routing(t.Context(), demo.Admin, demo.ClinicID)
	require.NoError(t, err)
	require.Equal(t, rule, rules[contract.ProcessEContact])

	clinic := demo.Clinic() // the secretary leaves, then everybody
	clinic.Staff[1].Inactive = true
	require.NoError(t, s.PutClinic(t.Context(), demo.Service, clinic))
	m, err := s.StoreArrival(t.Context(), arrival(contract.ProcessEContact, "DIALOG_INNBYGGER_EKONTAKT", "HE"))
	require.NoError(t, err)
	placed, err := s.Place(t.Context(), contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID})
	require.NoError(t, err)
	placed.Clock = nil // another test has the answer clock
	require.Equal(t, contract.DeliverToInboxOutput{Places: 1, Rule: "selected", Fallback: "recipient-without-members"}, placed)

	clinic.Staff = nil
	require.NoError(t, s.PutClinic(t.Context(), demo.Service, clinic))
	m, err = s.StoreArrival(t.Context(), arrival(contract.ProcessEContact, "DIALOG_INNBYGGER_EKONTAKT", "HE"))
	require.NoError(t, err)
	placed, err = s.Place(t.Context(), contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID})
	require.NoError(t, err)
	require.True(t, placed.CaseOpened)
}

func TestRefusalsAndStrangers(t *testing.T) {
	_, s := setup(t)
	notOffered := eConsultation()
	notOffered.ToHerID = demo.ServiceHerID
	m, err := s.StoreArrival(t.Context(), notOffered)
	require.NoError(t, err)
	require.Equal(t, pg.Refused, m.Verdict)
	require.True(t, m.Receipt)
	p, err := s.PrepareReply(t.Context(), pg.KindRefusal, m.ID, build("refusal"))
	require.NoError(t, err)
	require.Equal(t, "26", p.Job.Code)

	_, err = s.PutPatient(t.Context(), demo.Service, demo.ClinicID, line, demo.GPID, true)
	require.NoError(t, err)
	m, err = s.StoreArrival(t.Context(), eConsultation())
	require.NoError(t, err)
	require.Equal(t, pg.Refused, m.Verdict)
	p, err = s.PrepareReply(t.Context(), pg.KindRefusal, m.ID, build("refusal"))
	require.NoError(t, err)
	require.Equal(t, "30", p.Job.Code)

	stranger := eConsultation()
	stranger.ToHerID = 123
	m, err = s.StoreArrival(t.Context(), stranger)
	require.NoError(t, err)
	require.Equal(t, pg.Rejected, m.Verdict)
	require.True(t, m.Receipt)
}

func TestErasedPatientIsUnreadable(t *testing.T) {
	d, s := setup(t)
	m, err := s.StoreArrival(t.Context(), eConsultation())
	require.NoError(t, err)
	_, err = s.Place(t.Context(), contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID})
	require.NoError(t, err)
	id, err := s.PatientByNationalID(t.Context(), demo.GP, demo.ClinicID, line.NationalID)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, s.ErasePatient(t.Context(), demo.Admin, demo.ClinicID, id))
	}
	_, err = s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, m.DialogueID)
	require.True(t, apperr.Is(err, apperr.Erased), "%v", err)
	_, err = s.WriteJournalEntry(t.Context(), contract.WriteJournalEntryInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID, Direction: contract.Inbound})
	require.True(t, apperr.Is(err, apperr.Erased), "%v", err)
	_, err = s.PrepareReply(t.Context(), pg.KindReceipt, m.ID, build("receipt"))
	require.True(t, apperr.Is(err, apperr.Erased), "%v", err)
	_, err = s.PatientByNationalID(t.Context(), demo.GP, demo.ClinicID, line.NationalID)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	inbox := inboxOf(t, s, demo.GP)
	require.Equal(t, pg.Erased, inbox[0].Title)
	next, err := s.StoreArrival(t.Context(), eConsultation())
	require.NoError(t, err)
	require.NotEqual(t, m.DialogueID, next.DialogueID)

	// A clear copy anywhere would show in the database's own files.
	dump, err := d.Dump(t.Context())
	require.NoError(t, err)
	for _, secret := range []string{line.NationalID, line.Phone, "Testperson", "Vondt i kneet", "jeg har vondt", "not really a picture"} {
		// Not NotContains, which would print the whole database.
		for _, form := range []string{secret, fmt.Sprintf("%x", secret)} {
			if strings.Contains(dump, form) {
				t.Errorf("%q is in the database in clear", secret)
			}
		}
	}
}

func TestUnknownIdsAreNotFound(t *testing.T) {
	_, s := setup(t)
	for _, id := range []string{uuid.NewString(), "no-uuid"} {
		_, err := s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, id)
		require.True(t, apperr.Is(err, apperr.NotFound), "%s: %v", id, err)
		_, err = s.DraftAnswer(t.Context(), demo.GP, demo.ClinicID, id, pg.Draft{ID: uuid.NewString(), Code: "12"})
		require.True(t, apperr.Is(err, apperr.NotFound), "%s: %v", id, err)
	}
}

func TestRefusalIsClosedByItsReceipt(t *testing.T) {
	_, s := setup(t)
	a := eConsultation()
	a.ToHerID = demo.ServiceHerID
	m, err := s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	p, err := s.PrepareReply(t.Context(), pg.KindRefusal, m.ID, build("refusal"))
	require.NoError(t, err)
	_, _, err = s.MarkSent(t.Context(), p.ID, time.Hour)
	require.NoError(t, err)
	got, err := s.StoreArrival(t.Context(), pg.Arrival{
		TransportID: uuid.NewString(), Subject: "APPREC", FromHerID: helsenorge, ToHerID: demo.ServiceHerID, Raw: []byte("<AppRec/>"),
		Verdict: pg.Settled, ProcessCode: "APPREC", MsgID: uuid.NewString(),
		Settles: &pg.Settlement{OriginalMsgID: p.MsgID, Outcome: contract.OutcomeAcknowledged},
	})
	require.NoError(t, err)
	require.Equal(t, contract.OutcomeAcknowledged, got.Settled.Outcome)
	cases := casesOf(t, s)
	require.Empty(t, cases)
}

func TestNobodyTakesOverAnotherClinic(t *testing.T) {
	_, s := setup(t)
	const other = "019ab000-0000-7000-8000-0000000000ff"
	stranger := identity.Principal{Subject: "epj2", ClinicID: other, Role: identity.RoleService}
	for name, c := range map[string]pg.Clinic{
		"party":  {ID: other, Name: "Other", HerID: 1, Parties: []pg.Party{{HerID: demo.GPHerID, Name: "mine now"}}},
		"staff":  {ID: other, Name: "Other", HerID: 1, Staff: []pg.Staff{{ID: demo.GPID, Subject: "x", Name: "x", Role: identity.RoleStaff}}},
		"itself": {ID: other, Name: "Other", HerID: demo.ClinicHerID},
	} {
		err := s.PutClinic(t.Context(), stranger, c)
		require.Truef(t, apperr.Is(err, apperr.Conflict), "%s: %v", name, err)
	}
	require.NoError(t, s.PutClinic(t.Context(), stranger, pg.Clinic{ID: other, Name: "Other", HerID: 1}))
	_, err := s.PutPatient(t.Context(), stranger, other, line, demo.GPID, false)
	require.Truef(t, apperr.Is(err, apperr.NotFound), "%v", err)
}

func TestErasureReachesWhatWasNotFiled(t *testing.T) {
	d, s := setup(t)
	rejected := eConsultation()
	rejected.Verdict, rejected.Codes = pg.Rejected, []string{"T02"}
	bad, err := s.StoreArrival(t.Context(), rejected)
	require.NoError(t, err)
	require.Equal(t, pg.Rejected, bad.Verdict)
	good := eConsultation()
	_, err = s.StoreArrival(t.Context(), good)
	require.NoError(t, err)
	good.Raw = []byte("<other/>")
	kept, err := s.StoreArrival(t.Context(), good)
	require.NoError(t, err)
	require.Equal(t, pg.Quarantined, kept.Verdict)
	id, err := s.PatientByNationalID(t.Context(), demo.GP, demo.ClinicID, line.NationalID)
	require.NoError(t, err)
	require.NoError(t, s.ErasePatient(t.Context(), demo.Admin, demo.ClinicID, id))
	// Without the content there is nothing to build a receipt from.
	_, err = s.PrepareReply(t.Context(), pg.KindReceipt, bad.ID, build("receipt"))
	require.Error(t, err)
	dump, err := d.Dump(t.Context())
	require.NoError(t, err)
	for table, id := range map[string]string{"inbound_message": bad.ID, "quarantine": kept.ID} {
		require.Regexp(t, "(?m)^"+id+`\t.*\t\\\\x\t`, rows(dump, table), "an empty raw column in %s", table)
	}
}

// rows are the lines of one table in a dump.
func rows(dump, table string) string {
	_, rest, _ := strings.Cut(dump, "COPY public."+table+" (")
	body, _, _ := strings.Cut(rest, "\n\\.\n")
	return body
}
