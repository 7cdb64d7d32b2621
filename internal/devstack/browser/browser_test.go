package browser_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/devstack/browser"
)

// page shows its second word only after a script ran, and then tells the server.
const page = `<!doctype html><title>t</title><p>Hello</p><iframe srcdoc="<p>framed</p>"></iframe><p id="late"></p><p style="display:none">secret</p>
<script>setTimeout(() => { document.getElementById("late").textContent = 'a "late" word'; fetch("/shown") }, 100)</script>`

// serve serves the page and returns its address and a channel that is closed when the
// page was shown whole.
func serve(t *testing.T) (string, <-chan struct{}) {
	t.Helper()
	require.NoError(t, browser.Ensure(t.Context(), io.Discard))
	shown := make(chan struct{})
	var once sync.Once
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/shown" {
			once.Do(func() { close(shown) })
		}
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(s.Close)
	return s.URL, shown
}

func TestTextWaitsForScripts(t *testing.T) {
	t.Parallel()
	url, _ := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	text, err := browser.Text(ctx, url, `a "late" word`, "framed")
	require.NoError(t, err)
	require.Equal(t, "Hello\n\na \"late\" word\nframed", text)
}

func TestTextSaysWhatIsShownInstead(t *testing.T) {
	t.Parallel()
	url, shown := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		<-shown
		cancel()
	}()
	_, err := browser.Text(ctx, url, "something else")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, `Hello\n\na \"late\" word`)
}

func TestScreenshotIsAPicture(t *testing.T) {
	t.Parallel()
	url, _ := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	png, err := browser.Screenshot(ctx, url, "late")
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(png, []byte("\x89PNG")))
}
