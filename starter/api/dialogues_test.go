package api_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

const sentID = "0198c0de-0000-7000-8000-0000000a1150"

func (s *service) StartDialogue(_ context.Context, _ identity.Principal, _ string, d client.StartDialogue) (client.Started, error) {
	return client.Started{DialogueID: dialogueID, MessageID: d.ID, Status: contract.StatusSending}, s.call(d)
}

func (s *service) ChangeDialogue(_ context.Context, _ identity.Principal, _ string, c pg.DialogueChange) (client.DialogueChanged, error) {
	return client.DialogueChanged{DialogueID: c.DialogueID, ChangeID: c.ID, Status: contract.StatusAwaitingClinic}, s.call(c)
}

func (s *service) Turn(_ context.Context, _ identity.Principal, _, request string, t client.Turn) (client.Started, error) {
	return client.Started{DialogueID: fileID, MessageID: t.ID, Status: contract.StatusSending}, s.call([]any{request, t})
}

func (s *service) ExplainMessage(_ context.Context, _ identity.Principal, _, id string) (client.MessageExplanation, error) {
	return client.MessageExplanation{MessageID: id, Lines: []client.ExplainedLine{{Words: "it is under way"}}}, s.call(id)
}

func TestDialogueRequests(t *testing.T) {
	t.Parallel()
	staff, operator := "staff@"+clinicID, "operator@"+clinicID
	keyed := http.Header{"Idempotency-Key": {key}, "Content-Type": {"application/json"}}
	for name, c := range map[string]struct {
		request
		status int
		last   any
		body   string
	}{
		"start": {
			request{method: "POST", path: "/v1/clinics/{clinic}/dialogues", token: staff, header: keyed, body: `{"kind":"e-contact","patientId":"p","subject":"Hei","text":"Hei","oneWay":true,"attachments":["f"]}`},
			202, client.StartDialogue{ID: key, Kind: contract.ProcessEContact, PatientID: "p", Subject: "Hei", Text: "Hei", OneWay: true, Attachments: []string{"f"}}, `"messageId":"` + key,
		},
		"convert": {
			request{method: "POST", path: "/v1/clinics/{clinic}/dialogues/{dialogue}/changes", token: staff, header: keyed, body: `{"kind":"convert"}`},
			200, pg.DialogueChange{ID: key, DialogueID: dialogueID, Kind: pg.ConvertDialogue}, `"status":"awaiting-clinic"`,
		},
		"forward": {
			request{method: "POST", path: "/v1/clinics/{clinic}/dialogues/{dialogue}/changes", token: staff, header: keyed, body: `{"kind":"forward","to":[{"kind":"group","id":"nurses"}],"note":"Kan dere se på denne?"}`},
			200, pg.DialogueChange{ID: key, DialogueID: dialogueID, Kind: pg.ForwardDialogue, To: []routing.Recipient{{Kind: "group", ID: "nurses"}}, Note: "Kan dere se på denne?"}, "",
		},
		"resend": {
			request{method: "POST", path: "/v1/clinics/{clinic}/dialogues/{dialogue}/messages/" + sentID + "/resend", token: operator, header: keyed},
			200, pg.DialogueChange{ID: key, DialogueID: dialogueID, Kind: pg.ResendMessage, OutboundID: sentID}, "",
		},
		"resend as a change": {
			request{method: "POST", path: "/v1/clinics/{clinic}/dialogues/{dialogue}/changes", token: staff, header: keyed, body: `{"kind":"resend","messageId":"` + sentID + `"}`},
			200, pg.DialogueChange{ID: key, DialogueID: dialogueID, Kind: pg.ResendMessage, OutboundID: sentID}, "",
		},
		"turn": {
			request{method: "POST", path: "/v1/clinics/{clinic}/dialogues/{dialogue}/turn", token: staff, header: keyed, body: `{"kind":"e-consultation","subject":"Hei","text":"Hei"}`},
			202, []any{dialogueID, client.Turn{ID: key, Kind: contract.ProcessEConsultation, Subject: "Hei", Text: "Hei"}}, `"dialogueId":"` + fileID,
		},
		"answer and close": {
			request{method: "POST", path: "/v1/clinics/{clinic}/dialogues/{dialogue}/answers", token: staff, header: keyed, body: `{"code":"19","text":"Hei","close":true}`},
			202, client.Answer{ID: key, Code: "19", Text: "Hei", Close: true}, "",
		},
		"explain a message": {
			request{method: "GET", path: "/v1/clinics/{clinic}/messages/" + sentID + "/explain", token: operator},
			200, sentID, `"words":"it is under way"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			c.path = path(c.path)
			res := f.do(t, c.request)
			require.Equal(t, c.status, res.Code, res.Body.String())
			require.Equal(t, c.last, f.service.last)
			require.Contains(t, res.Body.String(), c.body)
		})
	}
}

// Another way to write the same id is the same thing: the dialogue's own workflow is asked.
func TestAnIDHasOneForm(t *testing.T) {
	t.Parallel()
	f := setup(t)
	keyed := http.Header{"Idempotency-Key": {key}, "Content-Type": {"application/json"}}
	for _, id := range []string{strings.ToUpper(dialogueID), strings.ReplaceAll(dialogueID, "-", ""), "{" + dialogueID + "}"} {
		res := f.do(t, request{
			method: "POST", path: "/v1/clinics/" + clinicID + "/dialogues/" + url.PathEscape(id) + "/turn", token: "staff@" + clinicID, header: keyed,
			body: `{"kind":"e-contact","subject":"Hei","text":"Hei"}`,
		})
		require.Equal(t, 202, res.Code, res.Body.String())
		require.Equal(t, []any{dialogueID, client.Turn{ID: key, Kind: contract.ProcessEContact, Subject: "Hei", Text: "Hei"}}, f.service.last)
	}
}

func TestARefusedChangeNamesItsFieldsAsTheRequestDoes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.service.err = apperr.InvalidFields("the command has invalid fields", apperr.Field{Path: "id", Rule: "a UUID"}, apperr.Field{Path: "outboundId", Rule: "an id"})
	change := request{method: "POST", path: path("/v1/clinics/{clinic}/dialogues/{dialogue}/changes"), token: "staff@" + clinicID, body: `{"kind":"resend"}`, header: http.Header{"Content-Type": {"application/json"}}}
	var paths []string
	for _, e := range f.problem(t, change, 422).Errors {
		paths = append(paths, e.Path)
	}
	require.Equal(t, []string{"header.Idempotency-Key", "messageId"}, paths)
	change.body = `{"kind":"shred"}`
	require.Equal(t, "kind", f.problem(t, change, 422).Errors[0].Path)
}

func TestWhoCannotBeContactedIsAConflict(t *testing.T) { // S28
	t.Parallel()
	f := setup(t)
	f.service.err = apperr.InState("no-consent", "the patient cannot be contacted: call")
	p := f.problem(t, request{
		method: "POST", path: path("/v1/clinics/{clinic}/dialogues"), token: "practitioner@" + clinicID,
		body: `{"kind":"e-contact","patientId":"p","subject":"Hei","text":"Hei"}`, header: http.Header{"Content-Type": {"application/json"}},
	}, 409)
	require.Equal(t, "no-consent", p.State)
}
