package storetest_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/domain/conversion"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// Codes of 8279.
const (
	eContactCode      = "DIALOG_INNBYGGER_EKONTAKT"
	eConsultationCode = "DIALOG_INNBYGGER_EKONSULTASJON"
	renewalCode       = "DIALOG_INNBYGGER_RESEPTFORNYELSE"
)

// thread is a clinic with a patient of the GP's who is on Helsenorge, at a clock that
// moves a minute with every step.
type thread struct {
	*testing.T
	d         *storetest.Database
	s         *pg.Store
	at        time.Time
	patientID string
}

func newThread(t *testing.T) *thread {
	t.Helper()
	d, s := setup(t)
	k := &thread{T: t, d: d, at: now}
	k.s = s.At(func() time.Time { return k.at })
	var err error
	k.patientID, err = s.PutPatient(t.Context(), demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	k.active(true)
	return k
}

func (k *thread) active(is bool) {
	k.Helper()
	k.at = k.at.Add(time.Minute)
	require.NoError(k, k.s.RecordActivities(k.Context(), demo.ClinicID, []pg.PatientActivity{{PatientID: k.patientID, Self: is}}, k.at))
}

// writes has the citizen's message stored and put in the inboxes, as its lifecycle does.
func (k *thread) writes(a pg.Arrival) pg.Arrived {
	k.Helper()
	k.at = k.at.Add(time.Minute)
	a.Attachments = nil
	m, err := k.s.StoreArrival(k.Context(), a)
	require.NoError(k, err)
	require.Equal(k, pg.Taken, m.Verdict)
	_, err = k.s.Place(k.Context(), contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID})
	require.NoError(k, err)
	return m
}

func general() pg.Arrival { return arrival(contract.ProcessEContact, eContactCode, "HE") }

// reply is the citizen's next message in a conversation.
func reply(process contract.Process, code, conversation, parent string) pg.Arrival {
	a := arrival(process, code, "22")
	a.RefToConversation, a.RefToParent = conversation, parent
	return a
}

// sends has a drafted message prepared and sent, as its lifecycle does, and returns what
// it was built from.
func (k *thread) sends(id string) pg.Job {
	k.Helper()
	k.at = k.at.Add(time.Minute)
	var job pg.Job
	_, err := k.s.PrepareAnswer(k.Context(), demo.ClinicID, id, helsenorge, capture(&job))
	require.NoError(k, err)
	_, _, err = k.s.MarkSent(k.Context(), id, 4*time.Hour)
	require.NoError(k, err)
	return job
}

// answers has staff answer the citizen's latest message.
func (k *thread) answers(dialogueID, code string) (string, pg.Job) {
	k.Helper()
	id := uuid.NewString()
	_, err := k.s.DraftAnswer(k.Context(), demo.GP, demo.ClinicID, dialogueID, pg.Draft{ID: id, Code: code, Text: "Svar"})
	require.NoError(k, err)
	return id, k.sends(id)
}

// receipt stores Helsenorge's receipt for a message.
func (k *thread) receipt(id string, outcome contract.Outcome, codes, texts []string) {
	k.Helper()
	k.at = k.at.Add(time.Minute)
	got, err := k.s.StoreArrival(k.Context(), pg.Arrival{
		TransportID: uuid.NewString(), Subject: "APPREC", FromHerID: helsenorge, ToHerID: demo.GPHerID, Raw: []byte(uuid.NewString()), Verdict: pg.Settled,
		Settles: &pg.Settlement{OriginalMsgID: k.sql("SELECT msg_id FROM outbound_message WHERE id = '%s'", id), Outcome: outcome, Codes: codes, Texts: texts},
	})
	require.NoError(k, err)
	require.Equal(k, pg.Settled, got.Verdict)
}

// change drafts a command and applies it.
func (k *thread) change(c pg.DialogueChange) (contract.ApplyDialogueChangeOutput, error) {
	k.Helper()
	k.at = k.at.Add(time.Minute)
	if c.ID == "" {
		c.ID = uuid.NewString()
	}
	drafted, err := k.s.DraftDialogueChange(k.Context(), demo.Desk, demo.ClinicID, c)
	require.NoError(k, err)
	out, err := k.s.ApplyDialogueChange(k.Context(), contract.ApplyDialogueChangeInput{ClinicID: demo.ClinicID, DialogueID: c.DialogueID, CommandID: c.ID, Now: k.at})
	if err != nil {
		require.NoError(k, k.s.DropDialogueChange(k.Context(), demo.ClinicID, c.ID, drafted.Attempt))
	}
	return out, err
}

func (k *thread) converts(dialogueID string) contract.ApplyDialogueChangeOutput {
	k.Helper()
	out, err := k.change(pg.DialogueChange{Kind: pg.ConvertDialogue, DialogueID: dialogueID})
	require.NoError(k, err)
	require.Equal(k, contract.ProcessEConsultation, out.Process)
	return out
}

// conflict holds that a change is refused for its state and leaves nothing behind.
func (k *thread) conflict(c pg.DialogueChange, state string) {
	k.Helper()
	c.ID = uuid.NewString()
	_, err := k.change(c)
	var e *apperr.Error
	require.ErrorAs(k, err, &e)
	require.Equal(k, []any{apperr.Conflict, state}, []any{e.Kind, e.State}, "%v", err)
	require.Equal(k, "0", k.sql("SELECT count(*) FROM dialogue_command WHERE id = '%s'", c.ID))
}

func (k *thread) read(dialogueID string) pg.Dialogue {
	k.Helper()
	d, err := k.s.ReadDialogue(k.Context(), demo.GP, demo.ClinicID, dialogueID)
	require.NoError(k, err)
	return d
}

// journalled holds that a dialogue has one journal entry with these messages in order.
func (k *thread) journalled(dialogueID string, messages ...string) {
	k.Helper()
	var got []string
	entries := map[string]bool{}
	for _, j := range k.read(dialogueID).Journal {
		got, entries[j.ID] = append(got, j.MessageID), true
	}
	require.Equal(k, messages, got)
	require.Len(k, entries, 1)
	require.Equal(k, "1", k.sql("SELECT count(*) FROM journal_entry WHERE dialogue_id = '%s'", dialogueID))
}

// starts stores a dialogue of the clinic's.
func (k *thread) starts(n pg.NewDialogue) pg.DraftedDialogue {
	k.Helper()
	if n.ID == "" {
		n.ID = uuid.NewString()
	}
	n.Subject, n.Text = "Blodprøver", "Prøvene er fine."
	drafted, err := k.s.DraftDialogue(k.Context(), demo.GP, demo.ClinicID, n)
	require.NoError(k, err)
	return drafted
}

func (k *thread) sql(format string, args ...any) string {
	k.Helper()
	out, err := k.d.SQL(k.Context(), fmt.Sprintf(format, args...))
	require.NoError(k, err)
	return out
}

func TestAClinicStartsADialogue(t *testing.T) { // S14-S18
	k := newThread(t)
	for _, c := range []struct {
		process        contract.Process
		wire, answer   string
		oneWay         bool
		opens, endings string
	}{
		{contract.ProcessEContact, eContactCode, contract.AnswerToEnquiry, false, contract.OpenDialogue, ""},
		{contract.ProcessEConsultation, eConsultationCode, contract.AnswerFromPractitioner, false, contract.OpenDialogue, ""},
		{contract.ProcessEContact, eContactCode, contract.AnswerToEnquiry, true, contract.OpenOneWay, ""},
	} {
		n := pg.NewDialogue{ID: uuid.NewString(), Process: c.process, PatientID: k.patientID, OneWay: c.oneWay}
		started := k.starts(n)
		again := k.starts(n)
		require.Equal(t, []any{started.DialogueID, 2}, []any{again.DialogueID, again.Attempt})

		job := k.sends(n.ID)
		require.True(t, job.Opens)
		require.Nil(t, job.Original)
		require.Equal(t, []any{c.opens, c.wire, demo.GPHerID, helsenorge, "", ""},
			[]any{job.Code, job.ProcessCode, job.FromHerID, job.ToHerID, job.Conversation, job.Parent})
		require.Equal(t, line.NationalID, job.Patient.NationalID)
		d := k.read(started.DialogueID)
		require.Equal(t, contract.StatusAwaitingReceipt, d.Status)
		require.Equal(t, []any{"clinic", c.oneWay, demo.GPID}, []any{d.Origin, d.OneWay, d.OwnerID})
		require.True(t, d.Answers[0].Opens)

		// Something is added before the citizen has answered: it follows the first message.
		_, more := k.answers(started.DialogueID, c.answer)
		require.False(t, more.Opens)
		require.Equal(t, []any{job.MsgID, job.MsgID, c.answer}, []any{more.Conversation, more.Parent, more.Code})
		require.NotNil(t, more.Patient)

		// The citizen's reply joins it, and the next answer is to that.
		m := k.writes(reply(c.process, c.wire, job.MsgID, more.MsgID))
		require.Equal(t, started.DialogueID, m.DialogueID)
		require.Equal(t, contract.StatusAwaitingClinic, k.read(m.DialogueID).Status)
		_, next := k.answers(m.DialogueID, c.answer)
		require.Equal(t, []any{job.MsgID, m.MsgID, false}, []any{next.Conversation, next.Parent, next.Opens})
		require.NotNil(t, next.Original)
		require.Equal(t, "1", k.sql("SELECT count(*) FROM conversation WHERE dialogue_id = '%s'", m.DialogueID))
	}
}

func TestAStartedDialogueThatIsRefusedLeavesNothing(t *testing.T) { // S27, S28
	k := newThread(t)
	n := pg.NewDialogue{ID: uuid.NewString(), Process: contract.ProcessEContact, PatientID: k.patientID}
	started := k.starts(n)
	again := k.starts(n)
	// Only the newest attempt is dropped: an older one may be another caller's.
	require.NoError(t, k.s.DropDraft(t.Context(), demo.ClinicID, n.ID, started.Attempt))
	require.Equal(t, "1", k.sql("SELECT count(*) FROM dialogue"))
	require.NoError(t, k.s.DropDraft(t.Context(), demo.ClinicID, n.ID, again.Attempt))
	require.Equal(t, "0", k.sql("SELECT count(*) FROM dialogue"))

	k.active(false)
	n.ID, n.Subject, n.Text = uuid.NewString(), "Hei", "Hei"
	_, err := k.s.DraftDialogue(t.Context(), demo.GP, demo.ClinicID, n)
	var e *apperr.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, []any{apperr.Conflict, "not-active"}, []any{e.Kind, e.State})
	require.Equal(t, "0", k.sql("SELECT count(*) FROM dialogue"))
	require.Equal(t, "0", k.sql("SELECT count(*) FROM outbound_message"))
}

func TestTheGatesAreLookedAtAgainWhenAMessageLeaves(t *testing.T) { // S27
	k := newThread(t)
	n := pg.NewDialogue{ID: uuid.NewString(), Process: contract.ProcessEContact, PatientID: k.patientID}
	started := k.starts(n)
	k.active(false)
	for range 2 {
		_, err := k.s.PrepareAnswer(t.Context(), demo.ClinicID, n.ID, helsenorge, build("never"))
		require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	}
	stands, err := k.s.CloseDelivery(t.Context(), contract.CloseDeliveryInput{
		ClinicID: demo.ClinicID, DialogueID: started.DialogueID, OutboundID: n.ID, Outcome: contract.OutcomeFailed, Reason: "conflict",
	})
	require.NoError(t, err)
	require.Equal(t, contract.OutcomeFailed, stands)
	d := k.read(started.DialogueID)
	require.Equal(t, contract.StatusNeedsOperator, d.Status)
	require.Equal(t, []any{"failed", []string{"not-active"}}, []any{d.Answers[0].State, d.Answers[0].Codes})
	require.Equal(t, "not-sent|"+pg.ReasonNotReachable, k.sql("SELECT kind, reason FROM operator_case"))
	require.Equal(t, "answer|failed", k.sql("SELECT effect, outcome FROM ledger"))
}

func TestConversionJournalsTheThreadOnce(t *testing.T) { // S54, F14
	k := newThread(t)
	first := k.writes(general())
	answer, _ := k.answers(first.DialogueID, contract.AnswerToEnquiry)
	k.receipt(answer, contract.OutcomeAcknowledged, nil, nil)
	second := k.writes(reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID))
	require.Empty(t, k.read(first.DialogueID).Journal, "an e-contact is not journalled (S53)")

	convert := pg.DialogueChange{ID: uuid.NewString(), Kind: pg.ConvertDialogue, DialogueID: first.DialogueID}
	out, err := k.change(convert)
	require.NoError(t, err)
	k.journalled(first.DialogueID, first.ID, answer, second.ID)
	again, err := k.change(convert)
	require.NoError(t, err)
	require.Equal(t, out, again)
	k.conflict(pg.DialogueChange{Kind: pg.ConvertDialogue, DialogueID: first.DialogueID}, "converted")

	// The patient is told once, by a message that opens the e-consultation, whatever
	// becomes of the run that was to send it.
	require.Equal(t, contract.OpenDialogue, out.Code)
	loaded, err := k.s.LoadDialogue(t.Context(), demo.ClinicID, first.DialogueID)
	require.NoError(t, err)
	require.Equal(t, []contract.Delivery{{OutboundID: out.OutboundID, Code: contract.OpenDialogue}}, loaded.Open)
	notice := k.sends(out.OutboundID)
	require.True(t, notice.Opens)
	require.Equal(t, []any{contract.OpenDialogue, eConsultationCode, demo.GPHerID, helsenorge}, []any{notice.Code, notice.ProcessCode, notice.FromHerID, notice.ToHerID})
	require.Equal(t, []string{conversion.Tells("nb").Subject, conversion.Tells("nb").Text}, []string{notice.Subject, notice.Text})
	require.Equal(t, "1", k.sql("SELECT count(*) FROM outbound_message WHERE code = 'DI'"))
	d := k.read(first.DialogueID)
	require.Nil(t, d.BillableAt, "no fee before the patient knows")
	require.Equal(t, []any{"desk", out.OutboundID, contract.StatusAwaitingClinic}, []any{d.ConvertedBy, d.FeeNoticeID, d.Status})
	k.receipt(out.OutboundID, contract.OutcomeAcknowledged, nil, nil)
	require.Equal(t, k.at, *k.read(first.DialogueID).BillableAt)

	// Answers go on in the new conversation, whichever message they answer.
	id, job := k.answers(first.DialogueID, contract.AnswerFromPractitioner)
	require.Equal(t, []any{notice.MsgID, notice.MsgID, eConsultationCode, "12", false}, []any{job.Conversation, job.Parent, job.ProcessCode, job.Code, job.Opens})
	require.Nil(t, job.Original, "the message that it answers is in another conversation")
	require.NotNil(t, job.Patient)
	k.writesJournal(first.DialogueID, id, contract.Outbound)
	k.writesJournal(first.DialogueID, out.OutboundID, contract.Outbound)

	// Replies in either conversation belong to it, and to its entry.
	old := k.writes(reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID))
	renewed := k.writes(reply(contract.ProcessEConsultation, eConsultationCode, notice.MsgID, job.MsgID))
	for _, m := range []pg.Arrived{old, renewed} {
		require.Equal(t, []any{first.DialogueID, contract.ProcessEConsultation}, []any{m.DialogueID, m.Process})
		k.writesJournal(m.DialogueID, m.ID, contract.Inbound)
	}
	k.journalled(first.DialogueID, first.ID, answer, second.ID, out.OutboundID, id, old.ID, renewed.ID)
	_, last := k.answers(first.DialogueID, contract.AnswerFromPractitioner)
	require.Equal(t, []any{notice.MsgID, renewed.MsgID}, []any{last.Conversation, last.Parent})
	require.Equal(t, "0", k.sql("SELECT count(*) FROM ledger WHERE effect IN ('journal', 'conversion') AND outcome IS DISTINCT FROM 'done' AND message_id <> '%s'",
		k.sql("SELECT id FROM outbound_message ORDER BY created_at DESC LIMIT 1")))
}

// writesJournal is what the lifecycle of an e-consultation does with every message.
func (k *thread) writesJournal(dialogueID, messageID string, d contract.Direction) {
	k.Helper()
	for range 2 {
		_, err := k.s.WriteJournalEntry(k.Context(), contract.WriteJournalEntryInput{ClinicID: demo.ClinicID, DialogueID: dialogueID, MessageID: messageID, Direction: d})
		require.NoError(k, err)
	}
}

func TestAConversionInTheMiddleOfAnAnswer(t *testing.T) { // F14
	k := newThread(t)
	m := k.writes(general())
	// Accepted as an answer to an e-contact, and sent after the conversion.
	id := uuid.NewString()
	_, err := k.s.DraftAnswer(t.Context(), demo.GP, demo.ClinicID, m.DialogueID, pg.Draft{ID: id, Code: contract.AnswerToEnquiry, Text: "Svar", Close: true})
	require.NoError(t, err)
	out := k.converts(m.DialogueID)
	k.journalled(m.DialogueID, m.ID)
	job := k.sends(id)
	require.Equal(t, []any{true, contract.OpenDialogue, eConsultationCode}, []any{job.Opens, job.Code, job.ProcessCode}, "there is no conversation of the process yet")
	notice := k.sends(out.OutboundID)
	require.True(t, notice.Opens)
	require.Equal(t, "2", k.sql("SELECT count(*) FROM conversation WHERE dialogue_id = '%s' AND process = 'e-consultation'", m.DialogueID))
	k.writesJournal(m.DialogueID, id, contract.Outbound)
	k.writesJournal(m.DialogueID, out.OutboundID, contract.Outbound)
	k.journalled(m.DialogueID, m.ID, id, out.OutboundID)

	// Prepared before it and sent after it: the bytes stay what they are.
	m = k.writes(general())
	id = uuid.NewString()
	_, err = k.s.DraftAnswer(t.Context(), demo.GP, demo.ClinicID, m.DialogueID, pg.Draft{ID: id, Code: contract.AnswerToEnquiry, Text: "Svar"})
	require.NoError(t, err)
	before, err := k.s.PrepareAnswer(t.Context(), demo.ClinicID, id, helsenorge, build("as an e-contact"))
	require.NoError(t, err)
	k.converts(m.DialogueID)
	k.journalled(m.DialogueID, m.ID)
	after, err := k.s.PrepareAnswer(t.Context(), demo.ClinicID, id, helsenorge, build("as something else"))
	require.NoError(t, err)
	require.Equal(t, []any{string(before.Wire), before.MsgID, eContactCode}, []any{string(after.Wire), after.MsgID, after.Subject})
	_, _, err = k.s.MarkSent(t.Context(), id, time.Hour)
	require.NoError(t, err)
	k.writesJournal(m.DialogueID, id, contract.Outbound)
	k.journalled(m.DialogueID, m.ID, id)
}

func TestAJournalIsInTheOrderInWhichMessagesWereWritten(t *testing.T) { // D9
	k := newThread(t)
	first := k.writes(general())
	late := reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID)
	late.WrittenAt = k.at.Add(2 * time.Minute)
	early := reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID)
	early.WrittenAt = k.at.Add(time.Minute)
	k.at = k.at.Add(time.Hour)
	l := k.writes(late)
	e := k.writes(early)
	// A clock that is ahead of ours says nothing: it was written when it came, at the latest.
	ahead := reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID)
	ahead.WrittenAt = k.at.Add(24 * time.Hour)
	a := k.writes(ahead)
	k.converts(first.DialogueID)
	k.journalled(first.DialogueID, first.ID, e.ID, l.ID, a.ID)
	require.Equal(t, "t", k.sql("SELECT written_at = received_at FROM inbound_message WHERE id = '%s'", a.ID))
}

// What is told of a fee opens no dialogue that the clinic has closed.
func TestAConversionOfAClosedDialogueLeavesItClosed(t *testing.T) {
	k := newThread(t)
	m := k.writes(general())
	_, err := k.change(pg.DialogueChange{Kind: pg.CloseDialogue, DialogueID: m.DialogueID})
	require.NoError(t, err)
	out := k.converts(m.DialogueID)
	require.True(t, out.Closed)
	k.sends(out.OutboundID)
	k.receipt(out.OutboundID, contract.OutcomeAcknowledged, nil, nil)
	require.Equal(t, contract.StatusClosed, k.read(m.DialogueID).Status)
	other := k.writes(general())
	require.False(t, k.converts(other.DialogueID).Closed)
}

// A lifecycle that begins again knows how it stood.
func TestALoadedDialogueIsAsItWas(t *testing.T) {
	k := newThread(t)
	m := k.writes(general())
	loaded := func() contract.LoadDialogueOutput {
		t.Helper()
		l, err := k.s.LoadDialogue(t.Context(), demo.ClinicID, m.DialogueID)
		require.NoError(t, err)
		return l
	}
	_, err := k.s.Escalate(t.Context(), contract.EscalateInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID, Step: contract.StepWarn, Now: k.at})
	require.NoError(t, err)
	require.Equal(t, []any{contract.StepWarn, "", ""}, []any{loaded().Escalated, loaded().LastOutboundID, loaded().Troubled})
	answer, _ := k.answers(m.DialogueID, contract.AnswerToEnquiry)
	require.Equal(t, []any{contract.EscalationStep(""), answer, ""}, []any{loaded().Escalated, loaded().LastOutboundID, loaded().Troubled})
	_, err = k.s.CloseDelivery(t.Context(), contract.CloseDeliveryInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, OutboundID: answer, Outcome: contract.OutcomeOverdue})
	require.NoError(t, err)
	require.Equal(t, []string{answer, answer}, []string{loaded().LastOutboundID, loaded().Troubled})
	k.receipt(answer, contract.OutcomeAcknowledged, nil, nil)
	require.Empty(t, loaded().Troubled)
}

// Two messages were stored before a close, and are put in the inboxes after it: the close
// had read the later one, so that it answers the earlier one only.
func TestWhatAClosedMessageWasBeforeIsNotOwed(t *testing.T) {
	k := newThread(t)
	first := k.writes(general())
	var stored []pg.Arrived
	for range 2 {
		k.at = k.at.Add(time.Minute)
		a := reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID)
		m, err := k.s.StoreArrival(t.Context(), a)
		require.NoError(t, err)
		stored = append(stored, m)
	}
	k.at = k.at.Add(time.Minute)
	_, err := k.change(pg.DialogueChange{Kind: pg.CloseDialogue, DialogueID: first.DialogueID})
	require.NoError(t, err)
	for i, m := range stored {
		in := contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, MessageID: m.ID}
		placed, err := k.s.Place(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, []bool{i == 0, i == 0}, []bool{placed.NothingOwed, len(placed.Clock) == 0})
		again, err := k.s.Place(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, []any{placed.NothingOwed, len(placed.Clock)}, []any{again.NothingOwed, len(again.Clock)})
	}
	require.Equal(t, contract.StatusAwaitingClinic, k.read(first.DialogueID).Status)
}

func TestAFeeThatDidNotArriveIsToldAnew(t *testing.T) { // F14
	k := newThread(t)
	m := k.writes(general())
	first := k.converts(m.DialogueID)
	k.sends(first.OutboundID)
	k.conflict(pg.DialogueChange{Kind: pg.ConvertDialogue, DialogueID: m.DialogueID}, "converted")
	k.receipt(first.OutboundID, contract.OutcomeRejected, []string{"E21"}, []string{"no"})

	second := k.converts(m.DialogueID)
	require.NotEqual(t, first.OutboundID, second.OutboundID)
	loaded, err := k.s.LoadDialogue(t.Context(), demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	require.Equal(t, 2, loaded.Answers, "both are the clinic's messages, though one is still to leave")
	require.Equal(t, []contract.Delivery{{OutboundID: second.OutboundID, Code: contract.OpenDialogue}}, loaded.Open)
	k.sends(second.OutboundID)
	k.receipt(second.OutboundID, contract.OutcomeAcknowledged, nil, nil)
	d := k.read(m.DialogueID)
	require.Equal(t, []any{second.OutboundID, contract.StatusAwaitingClinic}, []any{d.FeeNoticeID, d.Status})
	require.NotNil(t, d.BillableAt)
	loaded, err = k.s.LoadDialogue(t.Context(), demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	require.Equal(t, 2, loaded.Answers)
	k.conflict(pg.DialogueChange{Kind: pg.ConvertDialogue, DialogueID: m.DialogueID}, "converted")
}

func TestAClinicMayAskBeforeItCosts(t *testing.T) { // F14
	k := newThread(t)
	require.NoError(t, k.s.PutSettings(t.Context(), demo.Admin, demo.ClinicID, pg.Settings{Conversion: "ask", Language: "nn"}))
	m := k.writes(general())
	out := k.converts(m.DialogueID)
	notice := k.sends(out.OutboundID)
	require.Equal(t, conversion.Asks("nn").Text, notice.Text)
	before := k.at.Add(-time.Hour)
	k.writes(reply(contract.ProcessEContact, eContactCode, m.MsgID, m.MsgID))
	require.Nil(t, k.read(m.DialogueID).BillableAt, "nobody knows that he has the question")
	k.receipt(out.OutboundID, contract.OutcomeAcknowledged, nil, nil)
	crossed := reply(contract.ProcessEContact, eContactCode, m.MsgID, m.MsgID)
	crossed.WrittenAt = before
	k.writes(crossed)
	require.Nil(t, k.read(m.DialogueID).BillableAt, "he has not said yes")
	unread := reply(contract.ProcessEConsultation, eConsultationCode, notice.MsgID, notice.MsgID)
	unread.Function = contract.FunctionUnread
	k.writes(unread)
	d := k.read(m.DialogueID)
	require.Nil(t, d.BillableAt)
	require.NotNil(t, d.UnreadAt)
	k.writes(reply(contract.ProcessEConsultation, eConsultationCode, notice.MsgID, notice.MsgID))
	d = k.read(m.DialogueID)
	require.Equal(t, k.at, *d.BillableAt)
	require.Nil(t, d.UnreadAt)
}

func TestWhatIsNoEContactOrCannotBeToldIsNotConverted(t *testing.T) { // F14
	k := newThread(t)
	consultation := k.writes(eConsultation())
	k.conflict(pg.DialogueChange{Kind: pg.ConvertDialogue, DialogueID: consultation.DialogueID}, string(contract.ProcessEConsultation))
	m := k.writes(general())
	k.active(false)
	k.conflict(pg.DialogueChange{Kind: pg.ConvertDialogue, DialogueID: m.DialogueID}, "not-active")
	require.Equal(t, contract.ProcessEContact, k.read(m.DialogueID).Process)
	require.Empty(t, k.read(m.DialogueID).Journal)
}

func TestAFeeThatWasNotToldIsToldAnew(t *testing.T) { // F14
	k := newThread(t)
	m := k.writes(general())
	convert := func() (contract.ApplyDialogueChangeOutput, error) {
		return k.change(pg.DialogueChange{ID: uuid.NewString(), Kind: pg.ConvertDialogue, DialogueID: m.DialogueID})
	}
	first, err := convert()
	require.NoError(t, err)
	k.sends(first.OutboundID)
	k.conflict(pg.DialogueChange{Kind: pg.ConvertDialogue, DialogueID: m.DialogueID}, "converted")
	k.receipt(first.OutboundID, contract.OutcomeRejected, []string{"T02"}, nil)
	second, err := convert()
	require.NoError(t, err)
	require.NotEqual(t, first.OutboundID, second.OutboundID)
	require.True(t, k.sends(second.OutboundID).Opens)
	require.Nil(t, k.read(m.DialogueID).BillableAt)
	k.receipt(second.OutboundID, contract.OutcomeAcknowledged, nil, nil)
	require.NotNil(t, k.read(m.DialogueID).BillableAt)
	k.conflict(pg.DialogueChange{Kind: pg.ConvertDialogue, DialogueID: m.DialogueID}, "converted")
	require.Equal(t, "1", k.sql("SELECT count(*) FROM journal_entry"))
	require.Equal(t, "1", k.sql("SELECT count(*) FROM ledger WHERE effect = 'conversion'"))
}

func TestWhoeverHeWroteToMayConvert(t *testing.T) { // F14, D20: his list has no GP any more
	k := newThread(t)
	m := k.writes(general())
	k.sql("UPDATE patient SET practitioner_id = NULL")
	out, err := k.change(pg.DialogueChange{ID: uuid.NewString(), Kind: pg.ConvertDialogue, DialogueID: m.DialogueID})
	require.NoError(t, err)
	notice := k.sends(out.OutboundID)
	require.Equal(t, []any{true, eConsultationCode, demo.GPHerID}, []any{notice.Opens, notice.ProcessCode, notice.FromHerID})
}

func TestAMessageIsSentAgainOnce(t *testing.T) { // HITS 1216 §2.2.4
	k := newThread(t)
	m := k.writes(general())
	resend := func(id string) pg.DialogueChange {
		return pg.DialogueChange{Kind: pg.ResendMessage, DialogueID: m.DialogueID, OutboundID: id}
	}
	id, job := k.answers(m.DialogueID, contract.AnswerToEnquiry)
	k.conflict(resend(id), "under way")
	_, err := k.s.CloseDelivery(t.Context(), contract.CloseDeliveryInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, OutboundID: id, Outcome: contract.OutcomeOverdue})
	require.NoError(t, err)
	before := k.sql("SELECT transport_id FROM outbound_message WHERE id = '%s'", id)
	k.active(false) // another message came back with E35
	k.conflict(resend(id), "not-active")
	k.active(true)

	out, err := k.change(resend(id))
	require.NoError(t, err)
	require.Equal(t, []any{id, contract.AnswerToEnquiry}, []any{out.OutboundID, out.Code})
	loaded, err := k.s.LoadDialogue(t.Context(), demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	require.Equal(t, []contract.Delivery{{OutboundID: id, Code: contract.AnswerToEnquiry}}, loaded.Open)
	p, err := k.s.PrepareAnswer(t.Context(), demo.ClinicID, id, helsenorge, build("another"))
	require.NoError(t, err)
	require.Equal(t, job.MsgID, p.MsgID)
	require.True(t, p.SentAt.IsZero())
	require.NotEqual(t, before, p.TransportID)
	require.NotEqual(t, "another", string(p.Wire))
	_, _, err = k.s.MarkSent(t.Context(), id, time.Hour)
	require.NoError(t, err)
	require.NotNil(t, k.read(m.DialogueID).Answers[0].ResentAt)
	_, err = k.s.CloseDelivery(t.Context(), contract.CloseDeliveryInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, OutboundID: id, Outcome: contract.OutcomeOverdue})
	require.NoError(t, err)
	k.conflict(resend(id), "overdue")
	k.receipt(id, contract.OutcomeAcknowledged, nil, nil) // late, but it came
	require.Equal(t, "acknowledged", k.read(m.DialogueID).Answers[0].State)
	require.Equal(t, "0", k.sql("SELECT count(*) FROM operator_case WHERE resolved_at IS NULL AND kind = 'receipt-overdue'"))

	// What a receipt refused is written anew (HITS 1216 §2.2.4); the words of the receipt
	// are for staff.
	rejected, _ := k.answers(m.DialogueID, contract.AnswerToEnquiry)
	k.receipt(rejected, contract.OutcomeRejected, []string{"T02"}, []string{"Line Testperson mangler"})
	k.conflict(resend(rejected), "rejected")
	require.Equal(t, []string{"Line Testperson mangler"}, k.read(m.DialogueID).Answers[1].Errors)
	dump, err := k.d.Dump(t.Context())
	require.NoError(t, err)
	require.NotContains(t, dump, "mangler")

	queued, _ := k.answers(m.DialogueID, contract.AnswerToEnquiry)
	k.receipt(queued, contract.OutcomeErrorQueue, []string{"transport:expired-certificate"}, nil)
	_, err = k.change(resend(queued))
	require.NoError(t, err)
	k.sends(queued)
	k.receipt(queued, contract.OutcomeAcknowledged, nil, nil)
	require.Equal(t, "acknowledged", k.sql("SELECT outcome FROM ledger WHERE key = 'answer/%s'", queued))
	require.Equal(t, "error-queue", k.sql("SELECT why ->> 'after' FROM ledger WHERE key = 'answer/%s'", queued))
}

func TestAnAnsweredRequestGetsNoOlderAnswer(t *testing.T) {
	k := newThread(t)
	request := k.writes(arrival(contract.ProcessPrescription, renewalCode, "RF"))
	first, _ := k.answers(request.DialogueID, contract.AnswerCannotRenew)
	k.receipt(first, contract.OutcomeErrorQueue, []string{"transport:expired-certificate"}, nil)
	second, _ := k.answers(request.DialogueID, contract.AnswerRefused)
	resend := pg.DialogueChange{Kind: pg.ResendMessage, DialogueID: request.DialogueID, OutboundID: first}
	k.conflict(resend, "answered")
	k.receipt(second, contract.OutcomeRejected, []string{"T02"}, nil)
	out, err := k.change(resend)
	require.NoError(t, err)
	require.Equal(t, first, out.OutboundID, "it stands alone again")
}

func TestARequestTakesOneAnswer(t *testing.T) { // HITS 1217 §3.1
	k := newThread(t)
	again := func(m pg.Arrived, id string) pg.DialogueChange {
		return pg.DialogueChange{Kind: pg.ResendMessage, DialogueID: m.DialogueID, OutboundID: id}
	}
	m := k.writes(arrival(contract.ProcessPrescription, renewalCode, "RF"))
	first, _ := k.answers(m.DialogueID, contract.AnswerCannotRenew)
	k.receipt(first, contract.OutcomeErrorQueue, []string{"transport:expired-certificate"}, nil)
	k.answers(m.DialogueID, contract.AnswerRefused)
	k.conflict(again(m, first), "answered")

	m = k.writes(arrival(contract.ProcessPrescription, renewalCode, "RF"))
	first, _ = k.answers(m.DialogueID, contract.AnswerCannotRenew)
	k.receipt(first, contract.OutcomeErrorQueue, []string{"transport:expired-certificate"}, nil)
	second := pg.Draft{ID: uuid.NewString(), Code: contract.AnswerRefused, Text: "Nei"}
	_, err := k.s.DraftAnswer(t.Context(), demo.GP, demo.ClinicID, m.DialogueID, second)
	require.NoError(t, err)
	_, err = k.change(again(m, first))
	require.NoError(t, err)
	_, err = k.s.PrepareAnswer(t.Context(), demo.ClinicID, second.ID, helsenorge, build("never"))
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	require.Equal(t, first, k.read(m.DialogueID).Prescriptions[0].AnswerID)
}

func TestAMessageThatHadLeftNeverthelessIsJournalled(t *testing.T) { // S50
	k := newThread(t)
	m := k.writes(eConsultation())
	k.writesJournal(m.DialogueID, m.ID, contract.Inbound)
	id := uuid.NewString()
	_, err := k.s.DraftAnswer(t.Context(), demo.GP, demo.ClinicID, m.DialogueID, pg.Draft{ID: id, Code: contract.AnswerFromPractitioner, Text: "Svar"})
	require.NoError(t, err)
	_, err = k.s.PrepareAnswer(t.Context(), demo.ClinicID, id, helsenorge, build("wire"))
	require.NoError(t, err)
	// The queue took it, but its lifecycle was cancelled meanwhile.
	_, err = k.s.CloseDelivery(t.Context(), contract.CloseDeliveryInput{
		ClinicID: demo.ClinicID, DialogueID: m.DialogueID, OutboundID: id, Outcome: contract.OutcomeFailed, Reason: "cancelled-by-operator",
	})
	require.NoError(t, err)
	k.journalled(m.DialogueID, m.ID)
	k.receipt(id, contract.OutcomeAcknowledged, nil, nil)
	k.journalled(m.DialogueID, m.ID, id)
	require.Equal(t, "done", k.sql("SELECT outcome FROM ledger WHERE key = 'journal/%s'", id))
	require.Equal(t, contract.OutcomeAcknowledged, k.read(m.DialogueID).Journal[1].Outcome, "whoever copies the journal sees that he has it")
	require.NotNil(t, k.read(m.DialogueID).Answers[0].SentAt)
}

func TestADialogueIsForwardedToSomeInboxes(t *testing.T) {
	k := newThread(t)
	m := k.writes(general())
	_, err := k.s.DraftDialogueChange(t.Context(), demo.Desk, demo.ClinicID, pg.DialogueChange{
		ID: uuid.NewString(), Kind: pg.ForwardDialogue, DialogueID: m.DialogueID, To: slices.Repeat([]routing.Recipient{routing.WholeClinic}, 51),
	})
	require.Equal(t, []string{"to"}, paths(t, err))
}

// TestAnAnswerUnderWayIsJournalledWhereItGoesOn: the request's own lifecycle journals
// nothing.
func TestAnAnswerUnderWayIsJournalledWhereItGoesOn(t *testing.T) { // S68
	k := newThread(t)
	request := k.writes(arrival(contract.ProcessPrescription, renewalCode, "RF"))
	prepare := func() string {
		d := pg.Draft{ID: uuid.NewString(), Code: contract.AnswerCannotRenew, Text: "Svar"}
		_, err := k.s.DraftAnswer(t.Context(), demo.GP, demo.ClinicID, request.DialogueID, d)
		require.NoError(t, err)
		_, err = k.s.PrepareAnswer(t.Context(), demo.ClinicID, d.ID, helsenorge, build("wire"))
		require.NoError(t, err)
		return d.ID
	}
	n := pg.NewDialogue{ID: uuid.NewString(), Process: contract.ProcessEConsultation, TurnedFrom: request.DialogueID, Subject: "Medisinen", Text: "Hei"}
	_, err := k.s.CloseDelivery(t.Context(), contract.CloseDeliveryInput{
		ClinicID: demo.ClinicID, DialogueID: request.DialogueID, OutboundID: prepare(), Outcome: contract.OutcomeFailed, Reason: "test",
	})
	require.NoError(t, err)
	_, err = k.s.DraftDialogue(t.Context(), demo.GP, demo.ClinicID, n)
	require.True(t, apperr.Is(err, apperr.Conflict), "an answer that was not given is none: %v", err)

	answer := prepare()
	started, err := k.s.DraftDialogue(t.Context(), demo.GP, demo.ClinicID, n)
	require.NoError(t, err)
	k.sends(n.ID)
	k.journalled(started.DialogueID, request.ID, answer)
}

func TestARenewalsAnswerBecomesADialogue(t *testing.T) { // S68, D18
	k := newThread(t)
	request := k.writes(arrival(contract.ProcessPrescription, renewalCode, "RF"))
	n := pg.NewDialogue{ID: uuid.NewString(), Process: contract.ProcessEConsultation, TurnedFrom: request.DialogueID, Subject: "Medisinen", Text: "Hei"}
	_, err := k.s.DraftDialogue(t.Context(), demo.GP, demo.ClinicID, n)
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
	items := k.read(request.DialogueID).Prescriptions
	require.Len(t, items, 1)
	answer, _ := k.answers(request.DialogueID, contract.AnswerCannotRenew)
	k.receipt(answer, contract.OutcomeAcknowledged, nil, nil)

	started, err := k.s.DraftDialogue(t.Context(), demo.GP, demo.ClinicID, n)
	require.NoError(t, err)
	require.NotEqual(t, request.DialogueID, started.DialogueID)
	require.Empty(t, k.read(request.DialogueID).Journal, "nothing is journalled by what may be refused")
	job := k.sends(n.ID)
	require.Equal(t, []any{true, contract.OpenDialogue, eConsultationCode}, []any{job.Opens, job.Code, job.ProcessCode})
	k.writesJournal(started.DialogueID, n.ID, contract.Outbound)
	k.journalled(started.DialogueID, request.ID, answer, n.ID)
	require.Empty(t, k.read(request.DialogueID).Journal, "the request is not journalled by itself (S53)")
	require.Equal(t, []any{request.DialogueID, []string{started.DialogueID}},
		[]any{k.read(started.DialogueID).TurnedFrom, k.read(request.DialogueID).TurnedInto})

	// An e-contact journals nothing (S53).
	n = pg.NewDialogue{ID: uuid.NewString(), Process: contract.ProcessEContact, TurnedFrom: request.DialogueID, Subject: "Medisinen", Text: "Hei"}
	contact, err := k.s.DraftDialogue(t.Context(), demo.GP, demo.ClinicID, n)
	require.NoError(t, err)
	k.sends(n.ID)
	require.Empty(t, k.read(contact.DialogueID).Journal)
}

func TestThreads(t *testing.T) {
	k := newThread(t)
	// A reply that overtakes the first message makes the dialogue, which it then joins.
	first := general()
	overtaking := reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID)
	second := k.writes(overtaking)
	require.Equal(t, second.DialogueID, k.writes(first).DialogueID)
	// An unknown conversation with a known parent joins; the next one in it does by itself.
	stray := reply(contract.ProcessEContact, eContactCode, uuid.NewString(), first.MsgID)
	require.Equal(t, second.DialogueID, k.writes(stray).DialogueID)
	next := reply(contract.ProcessEContact, eContactCode, stray.RefToConversation, uuid.NewString())
	require.Equal(t, second.DialogueID, k.writes(next).DialogueID)
	// Nothing known: a dialogue of its own, never lost.
	unknown := k.writes(reply(contract.ProcessEContact, eContactCode, uuid.NewString(), uuid.NewString()))
	require.NotEqual(t, second.DialogueID, unknown.DialogueID)
	// Another patient in the conversation: his own dialogue, answered where he wrote.
	foreign := reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID)
	other := line
	other.NationalID, other.GivenName = "13870199640", "Ola"
	foreign.Patient = &other
	m := k.writes(foreign)
	require.NotEqual(t, second.DialogueID, m.DialogueID)
	_, job := k.answers(m.DialogueID, contract.AnswerToEnquiry)
	require.Equal(t, []any{first.MsgID, foreign.MsgID, false}, []any{job.Conversation, job.Parent, job.Opens})
	back := reply(contract.ProcessEContact, eContactCode, first.MsgID, job.MsgID)
	back.Patient = &other
	require.Equal(t, m.DialogueID, k.writes(back).DialogueID)
	// An e-consultation is no part of an e-contact that is not converted.
	strange := reply(contract.ProcessEConsultation, eConsultationCode, first.MsgID, first.MsgID)
	require.NotEqual(t, second.DialogueID, k.writes(strange).DialogueID)
}

// TestWhatComesLaterIsLater: neither the clock of another machine nor a wait for the
// dialogue makes a new message one that is answered already.
func TestWhatComesLaterIsLater(t *testing.T) { // F13
	k := newThread(t)
	m := k.writes(general())
	k.answers(m.DialogueID, contract.AnswerToEnquiry)
	k.at = k.at.Add(-time.Hour)
	later := k.writes(reply(contract.ProcessEContact, eContactCode, m.MsgID, m.MsgID))
	require.True(t, later.ReceivedAt.After(m.ReceivedAt))
	loaded, err := k.s.LoadDialogue(t.Context(), demo.ClinicID, m.DialogueID)
	require.NoError(t, err)
	require.Equal(t, []any{later.ID, true}, []any{loaded.LatestMessageID, loaded.AnswerOwed})
	require.NotNil(t, loaded.Clock)
	d := k.read(m.DialogueID)
	require.Equal(t, []any{later.ID, contract.StatusAwaitingClinic}, []any{d.LatestMessageID, d.Status})
	require.NotNil(t, d.OwedSince)
}

func TestARunLoadsHowTheDialogueStands(t *testing.T) {
	k := newThread(t)
	m := k.writes(general())
	load := func(id string) contract.LoadDialogueOutput {
		out, err := k.s.LoadDialogue(t.Context(), demo.ClinicID, id)
		require.NoError(t, err)
		return out
	}
	out := load(m.DialogueID)
	require.True(t, out.AnswerOwed && !out.Ended && !out.Opened)
	require.Equal(t, contract.ProcessEContact, out.Process)
	require.Equal(t, m.ID, out.Clock.MessageID)

	id := uuid.NewString()
	_, err := k.s.DraftAnswer(t.Context(), demo.GP, demo.ClinicID, m.DialogueID, pg.Draft{ID: id, Code: contract.AnswerToEnquiry, Text: "Svar", Close: true})
	require.NoError(t, err)
	k.sends(id)
	k.receipt(id, contract.OutcomeAcknowledged, nil, nil)
	out = load(m.DialogueID)
	require.True(t, !out.AnswerOwed && out.Ended)
	require.Nil(t, out.Clock)
	require.Equal(t, contract.StatusClosed, k.read(m.DialogueID).Status)

	convert := pg.DialogueChange{ID: uuid.NewString(), Kind: pg.ConvertDialogue, DialogueID: m.DialogueID}
	notice, err := k.change(convert)
	require.NoError(t, err)
	k.sends(notice.OutboundID)
	out = load(m.DialogueID)
	require.Equal(t, contract.ProcessEConsultation, out.Process)
	require.Equal(t, []string{id, convert.ID, notice.OutboundID}, out.Accepted)

	k.writes(reply(contract.ProcessEContact, eContactCode, m.MsgID, m.MsgID)) // he writes again
	out = load(m.DialogueID)
	require.True(t, out.AnswerOwed && !out.Ended)
	require.Equal(t, contract.StatusAwaitingClinic, k.read(m.DialogueID).Status)

	n := pg.NewDialogue{ID: uuid.NewString(), Process: contract.ProcessEContact, PatientID: k.patientID}
	started := k.starts(n)
	require.False(t, load(started.DialogueID).Opened, "nobody has accepted it yet")
	k.sends(n.ID)
	out = load(started.DialogueID)
	require.True(t, out.Opened && !out.AnswerOwed)
	require.Equal(t, []string{n.ID}, out.Accepted)
}

func TestACommandIsOneCommand(t *testing.T) {
	k := newThread(t)
	m := k.writes(general())
	c := pg.DialogueChange{ID: uuid.NewString(), Kind: pg.ConvertDialogue, DialogueID: m.DialogueID}
	first, err := k.s.DraftDialogueChange(t.Context(), demo.Desk, demo.ClinicID, c)
	require.NoError(t, err)
	second, err := k.s.DraftDialogueChange(t.Context(), demo.Desk, demo.ClinicID, c)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, []int{first.Attempt, second.Attempt})
	require.NoError(t, k.s.DropDialogueChange(t.Context(), demo.ClinicID, c.ID, first.Attempt))
	c.Note = "another"
	_, err = k.s.DraftDialogueChange(t.Context(), demo.Desk, demo.ClinicID, c)
	require.True(t, apperr.Is(err, apperr.Duplicate), "%v", err)
	c.Note = ""
	_, err = k.s.ApplyDialogueChange(t.Context(), contract.ApplyDialogueChangeInput{ClinicID: demo.ClinicID, DialogueID: m.DialogueID, CommandID: c.ID, Now: k.at})
	require.NoError(t, err)
	applied, err := k.s.DraftDialogueChange(t.Context(), demo.Desk, demo.ClinicID, c)
	require.NoError(t, err)
	require.True(t, applied.Applied)
	require.NoError(t, k.s.DropDialogueChange(t.Context(), demo.ClinicID, c.ID, applied.Attempt))
	changed, err := k.s.DialogueChanged(t.Context(), demo.ClinicID, c.ID)
	require.NoError(t, err)
	require.Equal(t, contract.ProcessEConsultation, changed.Output.Process)

	for _, bad := range []pg.DialogueChange{
		{Kind: "shred"}, {Kind: pg.ForwardDialogue}, {Kind: pg.ResendMessage, OutboundID: "x"}, {Kind: pg.SplitRequest}, {Kind: pg.AssignDialogue, StaffID: "x"},
	} {
		bad.ID, bad.DialogueID = uuid.NewString(), m.DialogueID
		_, err := k.s.DraftDialogueChange(t.Context(), demo.Desk, demo.ClinicID, bad)
		require.True(t, apperr.Is(err, apperr.Invalid), "%s: %v", bad.Kind, err)
	}
	require.NotContains(t, k.sql("SELECT string_agg(content::text, '') FROM dialogue_command"), "convert")
}

// TestAStrangersEContactIsConverted: of a citizen whom the record system has not written
// the clinic knows the party that he wrote to.
func TestAStrangersEContactIsConverted(t *testing.T) { // S54
	d, s := setup(t)
	k := &thread{T: t, d: d, at: now}
	k.s = s.At(func() time.Time { return k.at })
	m := k.writes(general())
	out := k.converts(m.DialogueID)
	notice := k.sends(out.OutboundID)
	require.Equal(t, []any{true, demo.GPHerID, eConsultationCode}, []any{notice.Opens, notice.FromHerID, notice.ProcessCode})
	k.journalled(m.DialogueID, m.ID)
}

// TestRepliesDuringAConversion: whatever is stored while a dialogue is converted is
// either seen by the conversion or sees it, so that nothing is left out of the journal.
func TestRepliesDuringAConversion(t *testing.T) { // F14
	k := newThread(t)
	const replies = 12
	first := k.writes(general())
	c := pg.DialogueChange{ID: uuid.NewString(), Kind: pg.ConvertDialogue, DialogueID: first.DialogueID}
	_, err := k.s.DraftDialogueChange(t.Context(), demo.Desk, demo.ClinicID, c)
	require.NoError(t, err)
	all := make([]pg.Arrived, replies)
	errs := make([]error, replies)
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() {
			a := reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID)
			a.Attachments = nil
			all[i], errs[i] = k.s.StoreArrival(t.Context(), a)
		})
	}
	for range 3 { // the activity is tried again before its answer is known
		wg.Go(func() {
			_, err := k.s.ApplyDialogueChange(t.Context(), contract.ApplyDialogueChangeInput{ClinicID: demo.ClinicID, DialogueID: first.DialogueID, CommandID: c.ID, Now: k.at})
			if err != nil {
				t.Errorf("convert: %v", err)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, j := range k.read(first.DialogueID).Journal {
		seen[j.MessageID] = true
	}
	for i, m := range all {
		require.NoError(t, errs[i])
		require.Equal(t, first.DialogueID, m.DialogueID)
		require.True(t, seen[m.ID] || m.Process == contract.ProcessEConsultation, "neither saw the other")
		if m.Process == contract.ProcessEConsultation {
			k.writesJournal(m.DialogueID, m.ID, contract.Inbound)
		}
	}
	require.Len(t, k.read(first.DialogueID).Journal, replies+1)
	require.Equal(t, "1", k.sql("SELECT count(*) FROM journal_entry"))
	require.Equal(t, "1", k.sql("SELECT count(*) FROM outbound_message WHERE code = 'DI'"))
}

// TestAnOvertakenMessageIsAnsweredWithTheLatest: two messages of a citizen that come at
// once are put in the inboxes in any order; the answer to the later is one to both, and so
// is a close. Each is read all the same.
func TestAnOvertakenMessageIsAnsweredWithTheLatest(t *testing.T) { // F13
	k := newThread(t)
	for what, ends := range map[string]func(dialogueID string){
		"answered": func(id string) { k.answers(id, contract.AnswerToEnquiry) },
		"closed": func(id string) {
			_, err := k.change(pg.DialogueChange{Kind: pg.CloseDialogue, DialogueID: id})
			require.NoError(t, err)
		},
	} {
		first := general()
		dialogueID := k.writes(first).DialogueID
		k.answers(dialogueID, contract.AnswerToEnquiry)
		k.at = k.at.Add(time.Minute)
		overtaken, err := k.s.StoreArrival(t.Context(), reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID))
		require.NoError(t, err)
		k.writes(reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID))
		ends(dialogueID)
		_, err = k.s.Place(t.Context(), contract.DeliverToInboxInput{ClinicID: demo.ClinicID, DialogueID: dialogueID, MessageID: overtaken.ID})
		require.NoError(t, err)
		d := k.read(dialogueID)
		require.Nilf(t, d.OwedSince, "%s: %s", what, d.Status)
		require.Equal(t, what == "closed", d.ClosedAt != nil)
		require.Equal(t, "t", k.sql("SELECT EXISTS (SELECT FROM inbox_item WHERE message_id = '%s')", overtaken.ID))
		k.writes(reply(contract.ProcessEContact, eContactCode, first.MsgID, first.MsgID))
		require.NotNil(t, k.read(dialogueID).OwedSince, "what comes after it wants an answer")
	}
}

// TestAnAnswerThatDoesNotLeaveIsAnOperatorsCase: the lifecycle has stopped the answer clock
// when it accepted the answer; here it stands still then, too.
func TestAnAnswerThatDoesNotLeaveIsAnOperatorsCase(t *testing.T) { // F13, S27
	k := newThread(t)
	for what, fails := range map[string]func(dialogueID, id string){
		"given up": func(dialogueID, id string) {
			_, err := k.s.CloseDelivery(t.Context(), contract.CloseDeliveryInput{
				ClinicID: demo.ClinicID, DialogueID: dialogueID, OutboundID: id, Outcome: contract.OutcomeFailed, Reason: "unsupported",
			})
			require.NoError(t, err)
		},
		"refused by a gate": func(dialogueID, id string) {
			k.converts(dialogueID)
			k.active(false)
			_, err := k.s.PrepareAnswer(t.Context(), demo.ClinicID, id, helsenorge, build("nothing"))
			require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)
			k.active(true)
		},
	} {
		dialogueID := k.writes(general()).DialogueID
		id := uuid.NewString()
		_, err := k.s.DraftAnswer(t.Context(), demo.GP, demo.ClinicID, dialogueID, pg.Draft{ID: id, Code: contract.AnswerToEnquiry, Text: "Svar"})
		require.NoError(t, err)
		require.NotNil(t, k.read(dialogueID).OwedSince)
		fails(dialogueID, id)
		d := k.read(dialogueID)
		require.Nilf(t, d.OwedSince, "%s", what)
		require.Equal(t, contract.StatusNeedsOperator, d.Status, what)
	}
}

func TestADialogueInWhichTheClinicWritesAgainIsOpen(t *testing.T) { // F13
	k := newThread(t)
	dialogueID := k.writes(general()).DialogueID
	k.answers(dialogueID, contract.AnswerToEnquiry)
	_, err := k.change(pg.DialogueChange{Kind: pg.CloseDialogue, DialogueID: dialogueID})
	require.NoError(t, err)
	k.at = k.at.Add(time.Minute)
	id, _ := k.answers(dialogueID, contract.AnswerToEnquiry)
	k.receipt(id, contract.OutcomeAcknowledged, nil, nil)
	d := k.read(dialogueID)
	require.Nil(t, d.ClosedAt)
	require.Equal(t, contract.StatusAnswered, d.Status)
}

// Messages that come in the same instant follow one another: the lifecycle, which may be told
// of the second first, and the database agree which is the latest.
func TestMessagesOfOneInstantFollowEachOther(t *testing.T) {
	_, s := setup(t)
	now := time.Now()
	s = s.At(func() time.Time { return now })
	first := eConsultation()
	a, err := s.StoreArrival(t.Context(), first)
	require.NoError(t, err)
	reply := eConsultation()
	reply.Function, reply.RefToConversation, reply.RefToParent = "22", first.MsgID, first.MsgID
	b, err := s.StoreArrival(t.Context(), reply)
	require.NoError(t, err)
	require.Equal(t, a.DialogueID, b.DialogueID)
	require.True(t, b.ReceivedAt.After(a.ReceivedAt))
}

// TestACaseThatIsSeenTo: once every case about the message is resolved the dialogue no
// longer needs an operator, in the next run either; the identical message that fails again
// opens the case again.
func TestACaseThatIsSeenTo(t *testing.T) {
	k := newThread(t)
	first := k.writes(general())
	answer, _ := k.answers(first.DialogueID, contract.AnswerToEnquiry)
	status := func() contract.Status { return k.read(first.DialogueID).Status }
	fails := func() {
		_, err := k.s.CloseDelivery(t.Context(), contract.CloseDeliveryInput{
			ClinicID: demo.ClinicID, DialogueID: first.DialogueID, OutboundID: answer, Outcome: contract.OutcomeOverdue,
		})
		require.NoError(t, err)
		require.Equal(t, contract.StatusNeedsOperator, status())
		require.Equal(t, "receipt-overdue|t", k.sql("SELECT kind, resolved_at IS NULL FROM operator_case"))
	}
	resolves := func() pg.ResolvedCase {
		r, err := k.s.ResolveCase(t.Context(), demo.Admin, demo.ClinicID, k.sql("SELECT id FROM operator_case"))
		require.NoError(t, err)
		require.Equal(t, contract.StatusAnswered, status())
		loaded, err := k.s.LoadDialogue(t.Context(), demo.ClinicID, first.DialogueID)
		require.NoError(t, err)
		require.Empty(t, loaded.Troubled)
		return r
	}
	fails()
	r := resolves()
	require.Equal(t, pg.ResolvedCase{
		At: r.At, DialogueID: first.DialogueID, MessageID: answer, Code: contract.AnswerToEnquiry, Process: contract.ProcessEContact,
	}, r)
	require.Equal(t, r, resolves(), "the first instant stands")

	_, err := k.change(pg.DialogueChange{ID: uuid.NewString(), Kind: pg.ResendMessage, DialogueID: first.DialogueID, OutboundID: answer})
	require.NoError(t, err)
	k.sends(answer)
	fails()
}

func TestWhoReadsPayloadsIsInTheAudit(t *testing.T) {
	k := newThread(t)
	require.NoError(t, k.s.PayloadsRead(t.Context(), demo.Operator, "decode/3 of helsebro"))
	require.Equal(t, "t|operator|operator|decode/3 of helsebro", k.sql("SELECT clinic_id IS NULL, subject, role, object FROM audit WHERE action = 'payload.read'"))
	require.Error(t, k.s.PayloadsRead(t.Context(), identity.Principal{Role: identity.RoleOperator}, "decode/3 of helsebro"), "nobody reads unnamed")
}
