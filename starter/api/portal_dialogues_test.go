package api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

func (s *service) PortalDialogues(_ context.Context, _ identity.Principal, _, patient, viewer string, limit int, from string) (pg.Page[pg.PortalDialogue], error) {
	return pg.Page[pg.PortalDialogue]{Next: "next"}, s.call(asked{patient + " " + viewer + " " + from, limit})
}

func (s *service) PortalDialogue(_ context.Context, _ identity.Principal, _, patient, viewer, id string) (pg.PortalThread, error) {
	return pg.PortalThread{PortalDialogue: pg.PortalDialogue{ID: id, Title: "Attest", CreatedAt: start, LatestAt: start}}, s.call(asked{patient + " " + viewer, id})
}

func (s *service) PortalWrite(_ context.Context, _ identity.Principal, _, patient, dialogue string, w client.PortalWriting) (client.PortalWritten, error) {
	return client.PortalWritten{DialogueID: dialogueID, MessageID: key}, s.call(asked{patient + " " + dialogue, w})
}

func (s *service) PortalAttachment(_ context.Context, _ identity.Principal, _, patient, viewer, dialogue, id string) (pg.File, io.Reader, error) {
	return pg.File{ID: id, MIME: "image/png", Size: 3}, strings.NewReader("kne"), s.call(asked{patient + " " + viewer, dialogue + " " + id})
}

func (s *service) PortalUpload(_ context.Context, _ identity.Principal, _, viewer string, u client.Upload, content io.Reader) (pg.File, error) {
	b, err := io.ReadAll(content)
	if err != nil {
		return pg.File{}, err
	}
	return pg.File{ID: fileID, MIME: "image/png", Size: u.Size}, s.call(asked{viewer + " " + string(b), u})
}

func TestPortalDialogues(t *testing.T) {
	t.Parallel()
	portal, keyed := "portal@"+clinicID, http.Header{"Idempotency-Key": {key}}
	const dialogues = "/v1/clinics/{clinic}/portal/patients/{patient}/dialogues"
	const written = `{"dialogueId":"` + dialogueID + `","messageId":"` + key + `"}`
	for name, c := range map[string]struct {
		request
		status int
		last   any
		body   string
	}{
		"list": {request{method: "GET", path: dialogues + "?viewer=v&limit=7&cursor=here", token: portal}, 200, asked{patientID + " v here", 7}, `{"items":[],"nextCursor":"next"}`},
		"read": {
			request{method: "GET", path: dialogues + "/{dialogue}?viewer=v", token: portal}, 200, asked{patientID + " v", dialogueID},
			`{"id":"` + dialogueID + `","title":"Attest","unread":0,"createdAt":"2026-11-23T09:00:00Z","latestAt":"2026-11-23T09:00:00Z","messages":[]}`,
		},
		"upload": {
			request{
				method: "POST", path: "/v1/clinics/{clinic}/portal/patients/{patient}/attachments?viewer=v", token: portal, body: "kne",
				header: http.Header{"Content-Type": {"application/octet-stream"}, "Content-Disposition": {"attachment; filename=kne.png"}},
			},
			201, asked{"v kne", client.Upload{PatientID: patientID, Description: "kne.png", Size: 3}}, `{"id":"` + fileID + `","mime":"image/png","size":3}`,
		},
		"start": {
			request{method: "POST", path: dialogues, token: portal, header: keyed, body: `{"viewerId":"v","subject":"Attest","text":"Hei","app":true}`},
			201, asked{patientID + " ", client.PortalWriting{ID: key, ViewerID: "v", Subject: "Attest", Text: "Hei", App: true}}, written,
		},
		"write": {
			request{method: "POST", path: dialogues + "/{dialogue}/messages", token: portal, header: keyed, body: `{"viewerId":"v","text":"Hei","attachments":["f"]}`},
			201, asked{patientID + " " + dialogueID, client.PortalWriting{ID: key, ViewerID: "v", Text: "Hei", Attachments: []string{"f"}}}, written,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setup(t).answers(t, c.request, c.status, c.last, c.body)
		})
	}
	f := setup(t)
	res := f.do(t, request{method: "GET", path: path(dialogues + "/{dialogue}/attachments/{file}?viewer=v"), token: portal})
	require.Equal(t, 200, res.Code)
	require.Equal(t, "kne", res.Body.String())
	require.Equal(t, asked{patientID + " v", dialogueID + " " + fileID}, f.service.last)
	require.Contains(t, res.Header().Get("Content-Security-Policy"), "sandbox")
	f.service.err = apperr.InvalidFields("the message has invalid fields", apperr.Field{Path: "id", Rule: "a UUID"})
	write := request{method: "POST", path: path(dialogues), token: portal, body: `{"viewerId":"v","text":"Hei"}`}
	require.Equal(t, []api.Invalid{{Path: "header.Idempotency-Key", Rule: "a UUID"}}, f.problem(t, write, 422).Errors)
}
