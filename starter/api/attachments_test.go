package api_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// uploaded is what the service was given.
type uploaded struct {
	client.Upload
	content string
}

// Upload reads the body as the client does, and refuses by the size that it is told.
func (s *service) Upload(_ context.Context, _ identity.Principal, _ string, u client.Upload, content io.Reader) (pg.File, error) {
	if u.Size > attachment.MaxFileBytes {
		return pg.File{}, apperr.New(apperr.TooLarge, "a file has at most 12 MB")
	}
	if s.begun != nil {
		first := make([]byte, 5)
		if _, err := io.ReadFull(content, first); err != nil {
			return pg.File{}, err
		}
		close(s.begun)
	}
	b, err := io.ReadAll(content)
	if err != nil {
		return pg.File{}, err
	}
	return pg.File{ID: fileID, MIME: attachment.PDF, Size: int64(len(b)), Description: u.Description, SHA256: "00"}, s.call(uploaded{u, string(b)})
}

func (s *service) Attachment(_ context.Context, _ identity.Principal, _, _, id string) (pg.File, io.Reader, error) {
	f := s.file
	f.ID = id
	return f, strings.NewReader("<script>"), s.call(id)
}

const attachments = "/v1/clinics/" + clinicID + "/attachments"

func TestAFileIsUploadedAsItIs(t *testing.T) { // S21
	t.Parallel()
	f := setup(t)
	res := f.do(t, request{
		method: "POST", path: attachments + "?patient=" + fileID, token: "staff@" + clinicID, body: "%PDF-1.7\n{not JSON",
		header: http.Header{"Content-Type": {"application/pdf"}, "Content-Disposition": {"attachment; filename*=UTF-8''r%C3%B8ntgen%20av%20kne.pdf"}},
	})
	require.Equal(t, 201, res.Code, res.Body.String())
	require.JSONEq(t, `{"id":"`+fileID+`","mime":"application/pdf","size":18,"sha256":"00","description":"røntgen av kne.pdf"}`, res.Body.String())
	require.Equal(t, uploaded{client.Upload{PatientID: fileID, Description: "røntgen av kne.pdf", Size: 18}, "%PDF-1.7\n{not JSON"}, f.service.last)

	f.do(t, request{method: "POST", path: attachments, token: "staff@" + clinicID, body: "%PDF-"})
	require.Equal(t, uploaded{client.Upload{Size: 5}, "%PDF-"}, f.service.last, "for colleagues, without a name")
}

func TestWhatIsWrongWithAFileIsAProblem(t *testing.T) {
	t.Parallel()
	call := request{method: "POST", path: attachments, token: "practitioner@" + clinicID, body: "%PDF-"}
	for kind, status := range map[apperr.Kind]int{apperr.TooLarge: 413, apperr.Unsupported: 422, apperr.Invalid: 422, apperr.Unavailable: 503} {
		f := setup(t)
		f.service.err = apperr.New(kind, "what is wrong")
		p := f.problem(t, call, status)
		require.Equal(t, api.ProblemPrefix+string(kind), p.Type)
		require.Equal(t, kind == apperr.Unavailable, f.do(t, call).Header().Get("Retry-After") != "")
	}

	f := setup(t)
	f.service.err = apperr.InvalidFields("invalid", apperr.Field{Path: "description", Rule: "one line"}, apperr.Field{Path: "patient", Rule: "an id"})
	require.Equal(t, []api.Invalid{{Path: "header.Content-Disposition", Rule: "one line"}, {Path: "query.patient", Rule: "an id"}}, f.problem(t, call, 422).Errors)

	f = setup(t)
	call.header = http.Header{"Content-Disposition": {"attachment; filename"}}
	require.Equal(t, "header.Content-Disposition", f.problem(t, call, 422).Errors[0].Path)
	require.Zero(t, f.service.calls)
}

// Over real TCP: what says that it is too large is refused before it is sent, and one
// that is larger than every other body of the API arrives.
func TestLargeFilesOverTheNetwork(t *testing.T) { // S22
	t.Parallel()
	f := setup(t)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	content := bytes.Repeat([]byte("x"), 3*api.MaxBodyBytes)
	req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+attachments, io.MultiReader(bytes.NewReader(content))) // chunked
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer practitioner@"+clinicID)
	res, err := server.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 201, res.StatusCode)
	require.Equal(t, uploaded{client.Upload{Size: -1}, string(content)}, f.service.last)

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "POST "+attachments+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer practitioner@"+clinicID+
		"\r\nContent-Length: "+strconv.Itoa(attachment.MaxFileBytes+1)+"\r\n\r\n")
	require.NoError(t, err)
	head := make([]byte, len("HTTP/1.1 413"))
	_, err = io.ReadFull(conn, head)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 413", string(head), "answered though not a byte of it was sent")
}

func TestAFileIsReadAsItComes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.service.begun = make(chan struct{})
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	body, sender := io.Pipe()
	go func() {
		_, _ = io.WriteString(sender, "%PDF-")
		<-f.service.begun // it is being read though its end is not sent
		_, _ = io.WriteString(sender, "rest")
		_ = sender.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "POST", server.URL+attachments, body)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer practitioner@"+clinicID)
	res, err := server.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 201, res.StatusCode)
	require.Equal(t, uploaded{client.Upload{Size: -1}, "rest"}, f.service.last)
}

func TestAttachmentsAreSavedAndNeverRendered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stored, contentType, name string }{
		{"application/pdf", "application/pdf", fileID + ".pdf"},
		{"image/png", "image/png", fileID + ".png"},
		{"image/jpeg", "image/jpeg", fileID + ".jpg"},
		{"text/html; charset=utf-8", "application/octet-stream", fileID},
		{"no media type\r\nX: y", "application/octet-stream", fileID},
	} {
		f := setup(t)
		f.service.file = pg.File{MIME: c.stored, Size: 8, Description: "Kari Nordmann.pdf"}
		res := f.do(t, request{method: "GET", path: path("/v1/clinics/{clinic}/dialogues/{dialogue}/attachments/{file}"), token: "practitioner@" + clinicID})
		raw := res.Body.Bytes()
		require.Equal(t, 200, res.Code)
		require.Equal(t, "<script>", string(raw))
		require.Equal(t, "8", res.Header().Get("Content-Length"))
		require.Equal(t, c.contentType, res.Header().Get("Content-Type"))
		require.Equal(t, "attachment; filename="+c.name, res.Header().Get("Content-Disposition"))
		require.Equal(t, []string{"sandbox; default-src 'none'; frame-ancestors 'none'"}, res.Header().Values("Content-Security-Policy"))
		require.Equal(t, "nosniff", res.Header().Get("X-Content-Type-Options"))
		require.Equal(t, "no-store", res.Header().Get("Cache-Control"))
	}
}

func TestAFileThatBreaksOffDoesNotLookWhole(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.service.file = pg.File{MIME: attachment.PDF, Size: 1000} // of which 8 bytes come
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+path("/v1/clinics/{clinic}/dialogues/{dialogue}/attachments/{file}"), nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer practitioner@"+clinicID)
	res, err := server.Client().Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
