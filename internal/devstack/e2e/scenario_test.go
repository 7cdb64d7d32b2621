package e2e_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/devstack/scenario"
	"github.com/helsebro/helsebro/internal/devstack/stack"
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
		"Helsenorge has it; code 12",
	} {
		require.Contains(t, story, want)
	}
	require.NotContains(t, story, "of earlier runs")
	desk := story[strings.Index(story, "Inbox of Solveig"):strings.Index(story, "The workflows in")]
	require.NotContains(t, desk, "Vondt i kneet", "an e-consultation is the practitioner's alone")
	for i := range first.Threads {
		require.NotContains(t, told.String(), simulator.Citizen(i).NationalID)
	}

	told.Reset()
	second, err := scenario.Play(t.Context(), s, &told)
	require.NoError(t, err, told.String())
	require.True(t, second.Earlier)
	require.Equal(t, first.Patients, second.Patients, "ids are stable")
	require.Contains(t, oneLine(told.String()), "1. Demo legesenter and its patients are there from an earlier run.")
	require.Contains(t, oneLine(told.String()), "and 3 of earlier runs")

	book, err := s.Simulator.Book(t.Context())
	require.NoError(t, err)
	require.Len(t, book.Sent, 6)
	require.Len(t, book.Receipts, 6)
	require.Len(t, book.Received, 6)
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
	var documents [][]byte
	for i := range book.Received {
		documents = append(documents, book.Received[i].XML, book.Receipts[i].XML)
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
