package temporalserver_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/devstack/browser"
	"github.com/helsebro/helsebro/internal/devstack/temporalserver"
)

func waitWithCard(ctx workflow.Context) error {
	workflow.SetCurrentDetails(ctx, "The card says: waiting for an answer")
	workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
	return nil
}

// The UI shows a summary and a status card only when it reaches the codec server, which
// the browser does under the rules of the UI's origin.
func TestUIShowsDecodedSummaryAndDetails(t *testing.T) {
	t.Parallel()
	require.NoError(t, browser.Ensure(t.Context(), io.Discard))
	codec := converter.NewZlibCodec(converter.ZlibCodecOptions{AlwaysEncode: true})
	var origin string
	codecServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Headers", "content-type,x-namespace")
		if r.Method == http.MethodOptions {
			return
		}
		converter.NewPayloadCodecHTTPHandler(codec).ServeHTTP(w, r)
	}))
	t.Cleanup(codecServer.Close)

	s, err := temporalserver.Start(t.Context(), temporalserver.Config{
		SQLiteFile:    filepath.Join(t.TempDir(), "temporal.db"),
		CodecEndpoint: codecServer.URL,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	origin = s.UIURL()
	c, err := client.Dial(client.Options{
		HostPort: s.Address(), Namespace: s.Namespace(),
		DataConverter: converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), codec),
		Logger:        sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(waitWithCard)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "dialogue-1", TaskQueue: queue, StaticSummary: "The summary is readable",
	}, waitWithCard)
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_, err = browser.Text(ctx, s.StatusURL(run.GetID(), run.GetRunID()),
		run.GetID(), "The summary is readable", "The card says: waiting for an answer")
	require.NoError(t, err)
	_, err = browser.Text(ctx, s.WorkflowURL(run.GetID(), ""), "1 RUNNING", run.GetRunID())
	require.NoError(t, err)
}
