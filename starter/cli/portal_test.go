package cli_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

func TestPortalCommands(t *testing.T) {
	t.Parallel()
	const parent = "0198c0de-0000-7000-8000-000000009a72"
	dialogues := "/portal/patients/" + patientID + "/dialogues"
	shown := pg.PortalDialogue{ID: dialogueID, Title: "Attest\x1b[2J", Unread: 1, CreatedAt: noon, LatestAt: noon}
	r := serve(t, map[string]answer{
		"GET " + dialogues + "?limit=5&viewer=" + patientID: {200, api.List[pg.PortalDialogue]{Items: []pg.PortalDialogue{shown}}},
		"GET " + dialogues + "/" + dialogueID + "?viewer=" + parent: {200, pg.PortalThread{PortalDialogue: shown, Messages: []pg.PortalMessage{
			{ID: "m1", From: "patient", Author: "Mor Testperson", Relation: "FO", At: noon, Text: "Hei\nNår?"},
			{ID: "m2", From: "clinic", Author: "Ola Lege", At: noon.Add(time.Minute), Text: "I morgen", ReadAt: noon.Add(time.Hour)},
		}}},
		"POST " + dialogues: {201, client.PortalWritten{DialogueID: dialogueID, MessageID: "m3"}},
		"POST " + dialogues + "/" + dialogueID + "/messages": {201, client.PortalWritten{DialogueID: dialogueID, MessageID: "m4"}},
	})
	got := run(t, r.env(), "", "portal", "dialogues", "--patient", patientID, "--limit", "5")
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Contains(t, got.out, dialogueID+"  1       Mon 2026-11-23 13:00:01  Attest")
	require.NotContains(t, got.out, "\x1b")

	got = run(t, r.env(), "", "portal", "read", dialogueID, "--patient", patientID, "--viewer", parent)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	for _, want := range []string{"patient, Mor Testperson FO  message m1", "  | Hei\n  | Når?", "clinic, Ola Lege  message m2, read Mon 2026-11-23 14:00:01", "  | I morgen"} {
		require.Contains(t, got.out, want)
	}

	key := uuid.NewString()
	got = run(t, r.env(), "", "portal", "write", "--patient", patientID, "--subject", "Attest", "--text", "Hei", "--app", "--id", key)
	require.Equal(t, outcome{cli.ExitDone, "The clinic has message m3 in dialogue " + dialogueID + ".\n", ""}, got)
	got = run(t, r.env(), "fra inn\n", "portal", "write", dialogueID, "--patient", patientID, "--viewer", parent, "--text-file", "-")
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Equal(t, key, r.calls[2].key)
	require.JSONEq(t, `{"viewerId":"`+patientID+`","subject":"Attest","text":"Hei","app":true}`, r.calls[2].body)
	require.JSONEq(t, `{"viewerId":"`+parent+`","text":"fra inn\n"}`, r.calls[3].body)

	got = run(t, r.env(), "", "portal", "dialogues", "--patient", nationalID)
	require.Equal(t, cli.ExitUsage, got.code)
	require.NotContains(t, got.err, nationalID)
}

func TestAPortalMessageOfUnknownFateSaysHowToRepeatIt(t *testing.T) {
	t.Parallel()
	key := uuid.NewString()
	r := serve(t, map[string]answer{"POST /portal/patients/" + patientID + "/dialogues": {503, api.Problem{Status: 503, Detail: "its lifecycle could not be told"}}})
	got := run(t, r.env(), "", "portal", "write", "--patient", patientID, "--text", "Hei", "--id", key)
	require.Equal(t, cli.ExitUnavailable, got.code)
	require.Contains(t, got.err, "--id "+key)
}

func TestADialogueBetweenColleaguesNamesThem(t *testing.T) {
	t.Parallel()
	r := serve(t, map[string]answer{"GET /dialogues/" + dialogueID: {200, pg.Dialogue{
		ID: dialogueID, Process: contract.ProcessEDialogue, Status: contract.StatusAnswered, Title: "Vaktbytte", Inboxes: []string{"group:nurses"},
		Participants: []routing.Recipient{{Kind: routing.Group, ID: "nurses"}, {Kind: routing.Personal, ID: "gp"}},
		Answers:      []pg.Answer{{ID: "a1", Code: contract.InHouse, Author: "Ola Lege", Text: "Kan noen ta onsdag?", State: "done", CreatedAt: noon, ReadAt: &noon}},
	}}})
	got := run(t, r.env(), "", "dialogue", "show", dialogueID)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Contains(t, got.out, "Vaktbytte\ngroup:nurses, practitioner:gp, e-dialogue, answered\ndialogue "+dialogueID+", in group:nurses\n")
	require.Contains(t, got.out, "  read in portal or app Mon 2026-11-23 13:00:01\n  | Kan noen ta onsdag?")
}
