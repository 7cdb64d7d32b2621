package e2e_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/scenario"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/simulator"
)

// TestScenario: what `make run` plays does what it says, and a second time too.
func TestScenario(t *testing.T) {
	log := &lockedBuffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log:\n%s", log.tail(6000))
		}
	})
	s, err := stack.Start(t.Context(), stack.Config{Dir: t.TempDir(), Logger: slog.New(slog.NewJSONHandler(log, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.WithoutCancel(t.Context()))) })
	require.NoError(t, s.Run(t.Context()))

	var told strings.Builder
	first, err := scenario.Play(t.Context(), s, &told)
	require.NoError(t, err, told.String())
	require.False(t, first.Earlier)
	story := oneLine(told.String())
	for _, want := range []string{
		"1. The record system writes the clinic through the HTTP API: Demo legesenter with 3 staff, and 3 patients of Frida Fastlege.",
		"2. Three citizens write",
		"3. Each message is stored, raw and parsed, before anything else happens to it. Three positive receipts",
		"Inbox of Frida Fastlege, general practitioner: helsenorge.no:",
		"helsenorge.no: Vondt i kneet awaiting-clinic in practitioner:",
		"Inbox of Solveig Sekretær, at the desk: helsenorge.no:",
		"helsenorge.no: Attest til skolen awaiting-clinic in unit:clinic",
		"helsenorge.no: Fornye resept awaiting-clinic in unit:clinic",
		"5. The e-consultation is in the patient's journal, by itself. The e-contact and the renewal request are not",
		"is accepted (sending).",
		"e-consultation answer 12 acknowledged, the dialogue is answered",
		"e-contact answer 19 acknowledged, the dialogue is answered",
		"renewal answer 15 acknowledged, the dialogue is answered",
		"8. Every effect was written down before it was attempted",
		"12 Svar på spørsmål, fra behandler; Helsenorge has it",
		"9. The clinic writes first. The gates are open for Ingrid Prøvesen",
		"Ingrid sees: Hei. Her er brevet vi snakket om., with brev.pdf; and replies: Takk, det har jeg ventet på.",
		"10. The e-contact turns out to be about medical care: the practitioner makes it an e-consultation. Its whole thread is in the journal, 3 messages",
		"The dialogue is an e-consultation and in the journal. The patient is told by message",
		"11. Aisha Eksempelstad asks for two prescriptions, one by one.",
		"1 Allergex tab 10 mg: renewed 2 Pustex inh 0,1 mg/dose: cannot be renewed. Du må ha time først.",
		"12. Appointments. Through the same API come the calendar of Frida Fastlege, 3 types of appointment,",
		"13. Ingrid Prøvesen asks for free times on helsenorge.no:",
		"booked, told by a confirmation",
		"Who tells the patient: Helsenorge; the patient is active on Helsenorge, which has the appointment and tells of it",
		"14. Fatima Prøvesen is on the phone. Solveig Sekretær books an appointment on",
		first.Made.ID + " is booked (booked, revision 1).",
		"15. Further changes are waited for a minute",
		"SMS to +4790000021: Du har time hos Demo senter",
		"All that left the clinic: " + s.Sink.URL(),
		first.Made.ID + " is moved (booked, revision 2).",
		first.Made.ID + " is moved (booked, revision 3).",
		"SMS to +4790000021: Timen din hos Demo senter er endret. Nå gjelder",
		"17. Time is moved ahead for this one appointment until",
		"SMS to +4790000021: Husk timen din hos Demo senter",
		"confirmation 1 the clinic delivered e-mail failed, sms delivered",
		"change 3 the clinic delivered e-mail failed, sms delivered",
		"reminder 3 the clinic delivered e-mail failed, sms delivered",
		"the patient is not active on Helsenorge; the provider says that the patient has it",
		"Helsenorge refused it, E35",
		"workflow running; booked; revision 3, 0 cases;",
	} {
		require.Contains(t, story, want)
	}
	require.NotContains(t, story, "of earlier runs")
	desk := story[strings.Index(story, "Inbox of Solveig"):strings.Index(story, "The workflows in")]
	require.NotContains(t, desk, "Vondt i kneet", "an e-consultation is the practitioner's alone")
	for i := range first.Threads {
		require.NotContains(t, told.String(), simulator.Citizen(i).NationalID)
	}
	require.NotContains(t, told.String(), demo.Patient().NationalID)
	start := oslo.In(first.Made.StartsAt)
	require.Equal(t, 2, strings.Count(story, start.Format("kl. 15:04")), "change and reminder show the last time, the confirmation the first")

	told.Reset()
	second, err := scenario.Play(t.Context(), s, &told)
	require.NoError(t, err, told.String())
	require.True(t, second.Earlier)
	require.Equal(t, first.Patients, second.Patients, "ids are stable")
	require.Contains(t, oneLine(told.String()), "1. Demo legesenter and its patients are there from an earlier run.")
	require.Contains(t, oneLine(told.String()), "and 5 of earlier runs")

	book, err := s.Simulator.Book(t.Context())
	require.NoError(t, err)
	require.Len(t, book.Sent, 12, "three dialogues, a reply, a request and a booking, twice")
	require.Len(t, book.Receipts, 12)
	require.Len(t, book.Received, 15, "an answer to all but the reply, a letter and a notice of a fee, and the first appointment of who was not known to be inactive")
	dialogues := map[string]bool{}
	codes := map[simulator.Kind]string{simulator.EConsultation: "12", simulator.EContact: "19", simulator.Renewal: "15"}
	for _, thread := range append(first.Threads, second.Threads...) {
		dialogues[thread.DialogueID] = true
		var answers []simulator.Received
		for _, r := range book.Received {
			if r.Conversation == thread.Sent.MsgID {
				answers = append(answers, r)
			}
		}
		require.Len(t, answers, 1)
		require.Equal(t, codes[thread.Kind], answers[0].Function)
		require.Equal(t, thread.Sent.MsgID, answers[0].Parent)
		require.Equal(t, thread.Text, answers[0].Text)
		require.Empty(t, answers[0].Problems)

		require.Contains(t, []string{contract.DialogueWorkflowID(thread.DialogueID), contract.PrescriptionWorkflowID(thread.DialogueID)}, thread.WorkflowID)
		res, err := http.Get(thread.URL)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode, thread.URL)
	}
	require.Len(t, dialogues, 6)
	for _, thread := range second.Threads {
		require.Contains(t, told.String(), thread.URL)
	}
	seen, err := s.Simulator.Appointments(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, seen, 2)
	for _, a := range seen {
		require.Equal(t, simulator.Booked, a.Status)
		require.Len(t, a.Notices, 1)
	}
	var texts int
	for _, m := range s.Sink.Messages() {
		require.False(t, m.Way == sink.Mail && m.Arrival > 0, "every e-mail bounces")
		if m.Way == sink.SMS {
			texts++
		}
	}
	require.Equal(t, 6, texts, "confirmation, change and reminder, twice")
	visits := map[string]bool{}
	for _, v := range []*scenario.Visit{first.Booked, first.Made, second.Booked, second.Made} {
		visits[v.ID] = true
		res, err := http.Get(v.URL)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode, v.URL)
	}
	require.Len(t, visits, 4)
	require.Equal(t, first.PatientID, second.PatientID)

	var documents [][]byte
	for _, r := range book.Received {
		documents = append(documents, r.XML)
	}
	for _, r := range book.Receipts {
		documents = append(documents, r.XML)
	}
	requireSchemaValid(t, documents...)
}

// TestScenarioSaysWhatDidNotCome: a play that cannot go on names its step.
func TestScenarioSaysWhatDidNotCome(t *testing.T) {
	s, err := stack.Start(t.Context(), stack.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.WithoutCancel(t.Context()))) })
	var told strings.Builder
	_, err = scenario.Play(t.Context(), s, &told)
	require.ErrorContains(t, err, "writing the clinic: GET /v1/clinics/")
	require.Empty(t, told.String())
}

// oneLine is text without its line breaks and alignment.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
