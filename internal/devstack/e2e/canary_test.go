package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/canary"
	"github.com/helsebro/helsebro/internal/devstack/ports"
	"github.com/helsebro/helsebro/internal/devstack/rabbitmq"
	"github.com/helsebro/helsebro/internal/devstack/scenario"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/devstack/supervise"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
)

// tapped is a message as it went over the broker.
type tapped struct{ properties, body string }

// tap listens in on a broker.
type tap struct {
	mu  sync.Mutex
	all []tapped
}

// tapBroker receives a copy of every message that anybody sends from now on.
func (w *world) tapBroker() *tap {
	w.Helper()
	t := &tap{}
	conn := dial(w.T, w)
	parties, err := registry.Open(w.Worker().Transport.Registries.File)
	require.NoError(w, err)
	var listening sync.WaitGroup
	w.Cleanup(listening.Wait)
	w.Cleanup(func() { _ = conn.Close() })
	for _, queue := range registry.Queues(parties.Parties()) {
		session, err := conn.NewSession(w.Context(), nil)
		require.NoError(w, err)
		// What is received of an exchange is on a queue of this link's own.
		r, err := session.NewReceiver(w.Context(), "/exchange/"+rabbitmq.Exchange+"/"+queue, &amqp.ReceiverOptions{SettlementMode: amqp.ReceiverSettleModeFirst.Ptr()})
		require.NoError(w, err)
		listening.Go(func() {
			for {
				m, err := r.Receive(context.Background(), nil)
				if err != nil {
					return // the connection is closed
				}
				t.mu.Lock()
				t.all = append(t.all, tapped{written(m), string(slices.Concat(m.Data...))})
				t.mu.Unlock()
				if err := r.AcceptMessage(context.Background(), m); err != nil {
					return
				}
			}
		})
	}
	return t
}

// written are all sections of a message but its body.
func written(m *amqp.Message) string {
	var text strings.Builder
	if p := m.Properties; p != nil {
		fmt.Fprintln(&text, p.MessageID, p.CorrelationID, string(p.UserID))
		for _, s := range []*string{p.To, p.Subject, p.ReplyTo, p.ContentType, p.ContentEncoding, p.GroupID, p.ReplyToGroupID} {
			if s != nil {
				fmt.Fprintln(&text, *s)
			}
		}
	}
	fmt.Fprintln(&text, m.ApplicationProperties, m.Annotations, m.DeliveryAnnotations, m.Footer)
	return text.String()
}

func (t *tap) messages() []tapped {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.all)
}

// TestNobodyIsFoundAfterwards plays what `make run` plays, with the three programs as they
// are in production, over RabbitMQ and with everything logged. Who the patients are, how
// they are reached, what they wrote, were sent and were told is then at Helsenorge and on
// their phones, and otherwise nowhere: not in a log, a metric, a trace, Temporal, the database, its
// log, the broker, or what goes over it; and no file was made on the way, even for a moment.
func TestNobodyIsFoundAfterwards(t *testing.T) {
	w := newWorld(t, stack.Config{Transport: stack.AMQP})
	overheard, followed := w.tapBroker(), collectTraces(t)
	programs, err := supervise.Build(t.Context(), t.TempDir(), false)
	require.NoError(t, err)
	free, err := ports.Free(2)
	require.NoError(t, err)
	temporary := map[string]string{}
	start := func(name, path string, env []string, args ...string) {
		temporary[name] = t.TempDir()
		require.NoError(t, os.Chtimes(temporary[name], time.Unix(0, 0), time.Unix(0, 0)))
		p, err := supervise.Start(name, path, args, slices.Concat(w.Environment(), []string{"HELSEBRO_LOG_LEVEL=debug", "TMPDIR=" + temporary[name]}, followed.environment(), env), w.log)
		require.NoError(t, err)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
			defer cancel()
			_, err := p.Stop(ctx)
			require.NoError(t, err)
		})
	}
	measured := map[string]string{"worker": fmt.Sprintf("127.0.0.1:%d", free[0]), "listener": fmt.Sprintf("127.0.0.1:%d", free[1])}
	start("worker", programs.Worker, []string{"HELSEBRO_HEALTH_ADDR=" + measured["worker"]})
	start("listener", programs.Starter, []string{"HELSEBRO_HEALTH_ADDR=" + measured["listener"]}, "listen")
	start("api", programs.Starter, nil, "serve")
	w.activate()

	var story strings.Builder
	played, err := scenario.Play(t.Context(), w.Stack, &story)
	require.NoError(t, err, story.String())

	secrets := w.secretsOf(played)
	theirs := w.theirs() + story.String()
	for _, s := range secrets {
		// The citizens' own phones are what the record system wrote, and nobody has called.
		require.True(t, strings.Contains(theirs, s) || strings.HasPrefix(s, "+4700"), "%q was never put in", s)
	}
	require.Greater(t, len(secrets), 25)
	t.Logf("%d values are searched for", len(secrets))
	search := canary.For(secrets...)

	w.requireNobody(secrets)
	dump, err := (&storetest.Database{Owner: w.Owner}).Dump(t.Context())
	require.NoError(t, err)
	require.Contains(t, dump, "COPY public.patient ")
	require.Empty(t, search.In(dump), "in the database")
	measured["api"] = strings.TrimPrefix(w.APIURL(), "http://")
	token, err := w.Token(demo.Operator)
	require.NoError(t, err)
	for name, addr := range measured {
		metrics := w.get("http://"+addr+"/metrics", token)
		require.Contains(t, metrics, "helsebro_store_up 1\n", name)
		require.Empty(t, search.In(metrics), "in the metrics of the %s", name)
	}
	for name, dir := range temporary {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, int64(0), info.ModTime().Unix(), "%s has made a temporary file", name)
	}

	w.requireWays(followed)
	require.Empty(t, search.In(followed.said()), "in the traces")

	book, err := w.Simulator.Book(t.Context())
	require.NoError(t, err)
	crossed := len(book.Sent) + len(book.Receipts) + 2*len(book.Received) // each of ours has a receipt of theirs
	w.eventually("every message is overheard", func() error {
		if n := len(overheard.messages()); n < crossed {
			return fmt.Errorf("%d of %d", n, crossed)
		}
		return nil
	})
	for _, m := range overheard.messages() {
		require.NotEmpty(t, m.body)
		require.Empty(t, search.In(m.properties), "in the properties of a message")
		require.Empty(t, search.In(m.body), "in a sealed message")
	}
	t.Logf("%d messages were overheard", len(overheard.messages()))
}

// secretsOf are who the patients of a play are, how they are reached, what they wrote,
// were answered and were told. A name alone is a word of other things, too.
func (w *world) secretsOf(played scenario.Result) (secrets []string) {
	w.Helper()
	people := []simulator.Person{simulator.Citizen(demo.Inactive)}
	for i := range played.Threads {
		people = append(people, simulator.Citizen(i))
	}
	for _, p := range people {
		secrets = append(secrets, p.NationalID, p.GivenName+" "+p.FamilyName)
	}
	for i := range played.Patients {
		secrets = append(secrets, simulator.Citizen(i).Phone)
	}
	for _, c := range *demo.Patient().Contacts {
		secrets = append(secrets, c.Address)
	}
	for _, thread := range played.Threads {
		secrets = append(secrets, thread.Subject, thread.Text)
	}
	book, err := w.Simulator.Book(w.Context())
	require.NoError(w, err)
	for _, r := range book.Received {
		secrets = append(secrets, canary.Sentences(r.Text)...)
	}
	for citizen := range played.Threads {
		threads, err := w.Simulator.Threads(w.Context(), citizen)
		require.NoError(w, err)
		for _, thread := range threads {
			for _, m := range thread.Messages {
				secrets = append(secrets, canary.Sentences(m.Text)...)
				for _, f := range m.Files {
					secrets = append(secrets, f.Name)
				}
			}
		}
	}
	for _, m := range w.Sink.Messages() {
		secrets = append(secrets, canary.Sentences(m.Subject+"\n"+m.Text)...)
	}
	slices.Sort(secrets)
	return slices.Compact(slices.DeleteFunc(secrets, func(s string) bool { return s == "" }))
}

// theirs is what the other side has: Helsenorge, and the patients' phones.
func (w *world) theirs() string {
	w.Helper()
	var text strings.Builder
	book, err := w.Simulator.Book(w.Context())
	require.NoError(w, err)
	for _, s := range book.Sent {
		text.Write(s.XML)
	}
	for _, r := range book.Received {
		text.Write(r.XML)
		text.WriteString(r.Text)
	}
	for _, m := range w.Sink.Messages() {
		fmt.Fprintln(&text, m.To, m.Subject, m.Text)
	}
	for citizen := range 3 {
		threads, err := w.Simulator.Threads(w.Context(), citizen)
		require.NoError(w, err)
		fmt.Fprintf(&text, "%+v", threads)
	}
	return text.String()
}

// get is what is at url.
func (w *world) get(url, token string) string {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url, nil)
	require.NoError(w, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	require.NoError(w, err)
	defer res.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(res.Body)
	require.NoError(w, err)
	require.Equal(w, http.StatusOK, res.StatusCode, url)
	return string(raw)
}
