package cli_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

const sentID = "0198c0de-0000-7000-8000-0000000a1150"

func TestDialogueCommands(t *testing.T) {
	t.Parallel()
	started := client.Started{DialogueID: dialogueID, MessageID: sentID, Status: contract.StatusSending}
	changed := client.DialogueChanged{DialogueID: dialogueID, ChangeID: sentID, Process: contract.ProcessEConsultation, MessageID: sentID}
	for name, c := range map[string]struct {
		args   []string
		answer answer
		path   string
		body   string
		out    string
	}{
		"start": {
			[]string{"dialogue", "start", "--patient", patientID, "--kind", "e-contact", "--subject", "Hei", "--text-file", "-", "--one-way", "--attachment", "f1"},
			answer{202, started}, "/dialogues",
			`{"kind":"e-contact","patientId":"` + patientID + `","subject":"Hei","text":"Vi ses.","oneWay":true,"attachments":["f1"]}`,
			"Dialogue " + dialogueID + " is started (sending)",
		},
		"start with colleagues": {
			[]string{"dialogue", "start", "--kind", "e-dialogue", "--with", "group:nurses", "--text-file", "-"},
			answer{202, started}, "/dialogues",
			`{"kind":"e-dialogue","participants":[{"kind":"group","id":"nurses"}],"text":"Vi ses."}`, "is started",
		},
		"convert": {
			[]string{"dialogue", "convert", dialogueID, "--id", sentID},
			answer{200, changed}, "/dialogues/" + dialogueID + "/changes", `{"kind":"convert"}`, "in the journal",
		},
		"resend": {
			[]string{"dialogue", "resend", dialogueID, sentID},
			answer{200, changed}, "/dialogues/" + dialogueID + "/messages/" + sentID + "/resend", ``, "sent again",
		},
		"turn": {
			[]string{"dialogue", "turn", dialogueID, "--kind", "e-consultation", "--subject", "Hei", "--text-file", "-"},
			answer{202, started}, "/dialogues/" + dialogueID + "/turn", `{"kind":"e-consultation","subject":"Hei","text":"Vi ses."}`, "is started",
		},
		"answer and close": {
			[]string{"dialogue", "answer", dialogueID, "--code", "19", "--text-file", "-", "--close"},
			answer{202, contract.AnswerAccepted{AnswerID: sentID, Status: contract.StatusSending}}, "/dialogues/" + dialogueID + "/answers",
			`{"code":"19","text":"Vi ses.","close":true}`, "is accepted",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, map[string]answer{"POST " + c.path: c.answer})
			got := run(t, r.env(), "Vi ses.", c.args...)
			require.Equal(t, cli.ExitDone, got.code, got.err)
			require.Contains(t, got.out, c.out)
			require.Len(t, r.calls, 1)
			require.NotEmpty(t, r.calls[0].key)
			if c.body == "" {
				require.Empty(t, r.calls[0].body)
			} else {
				require.JSONEq(t, c.body, r.calls[0].body)
			}
		})
	}
}

func TestADialogueOfUnknownFateNamesItsID(t *testing.T) {
	t.Parallel()
	problem := api.Problem{Detail: "the command is stored, but its lifecycle has not taken it on yet: repeat it with the same id", Status: 503}
	r := serve(t, map[string]answer{"POST /dialogues": {503, problem}, "POST /dialogues/" + dialogueID + "/changes": {503, problem}})
	for _, args := range [][]string{
		{"dialogue", "start", "--patient", patientID, "--kind", "e-contact", "--subject", "Hei", "--text", "Hei"},
		{"dialogue", "convert", dialogueID},
	} {
		got := run(t, r.env(), "", args...)
		require.Equal(t, cli.ExitUnavailable, got.code)
		require.Contains(t, got.err, "--id "+r.calls[len(r.calls)-1].key)
	}
}

func TestAWholeDialogueIsShown(t *testing.T) {
	t.Parallel()
	at := noon
	later := noon.Add(time.Hour)
	r := serve(t, map[string]answer{"GET /dialogues/" + dialogueID: {200, pg.Dialogue{
		ID: dialogueID, Process: contract.ProcessEConsultation, Title: "helsenorge.no: Attest", Patient: "Kari Nordmann",
		DialogueFacts: pg.DialogueFacts{Origin: "helsenorge", OwnerID: sentID, ConvertedAt: &at, ConvertedBy: "desk", FeeNoticeID: sentID, UnreadAt: &later},
		Answers: []pg.Answer{{
			ID: sentID, Code: "DI", Opens: true, Author: "Frida Fastlege", Text: "Hei", State: "error-queue", Codes: []string{"T01"}, Errors: []string{"Uleselig\x1b[2J"},
			CreatedAt: at, ResentAt: &later,
		}},
		Changes: []pg.DialogueHandled{
			{Author: "Frida Fastlege", At: at, DialogueChange: pg.DialogueChange{Kind: pg.ForwardDialogue, To: []routing.Recipient{{Kind: routing.Group, ID: "nurses"}}, Note: "Kan dere\nringe?"}},
			{Author: "Siri Sekretær", At: later, DialogueChange: pg.DialogueChange{Kind: pg.AssignDialogue}},
		},
	}}})
	got := run(t, r.env(), "", "dialogue", "show", dialogueID)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	for _, want := range []string{
		"taken by " + sentID, "became an e-consultation, by desk, Mon 2026-11-23 13:00:01", "no fee may be taken", "has not read, since Mon 2026-11-23 14:00:01",
		"begins a conversation on Helsenorge", "sent again Mon 2026-11-23 14:00:01", "Helsenorge says: Uleselig",
		"Mon 2026-11-23 13:00:01  Frida Fastlege has forwarded it to group:nurses\n  | Kan dere\n  | ringe?\n",
		"Mon 2026-11-23 14:00:01  Siri Sekretær has given it back to everybody\n", "Frida Fastlege (DI Dialog med innbygger)",
	} {
		require.Contains(t, got.out, want)
	}
	require.NotContains(t, got.out, "\x1b")
}

func TestAMessageIsExplained(t *testing.T) {
	t.Parallel()
	none := answer{404, api.Problem{Detail: "none", Status: 404}}
	r := serve(t, map[string]answer{
		"GET /appointments/" + sentID + "/explain": none, "GET /dialogues/" + sentID + "/explain": none,
		"GET /messages/" + sentID + "/explain": {200, client.MessageExplanation{MessageID: sentID, Lines: []client.ExplainedLine{{
			LedgerLine: pg.LedgerLine{Effect: pg.EffectAnswer, IntendedAt: noon, Outcome: contract.OutcomeAcknowledged, OutcomeAt: &noon}, Words: "Helsenorge has it",
		}}}},
	})
	got := run(t, r.env(), "", "explain", sentID)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Contains(t, got.out, "message "+sentID)
	require.Contains(t, got.out, "Helsenorge has it")
}
