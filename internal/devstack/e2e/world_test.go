// Package e2e_test proves the whole way, entering by wire, HTTP or CLI on a real
// Temporal server and a real PostgreSQL, and asserting what can be seen from
// outside: Helsenorge's book, the inbox, the journal, the ledger.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/canary"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/vault"
	"github.com/helsebro/helsebro/starter/client"
)

// patience bounds every wait for something that must come.
const patience = 2 * time.Minute

// world is a stack with the demonstration clinic and what tests look at it with.
type world struct {
	*testing.T
	*stack.Stack
	store *pg.Store
	log   *lockedBuffer
	// written are the clinics that are to be activated as soon as there is a worker.
	written []pg.Clinic
	// temporal is a client of the server, of a world that has clinics.
	temporal sdkclient.Client
	// registry is the address registry of such a world.
	registry *addressRegistry
}

// newWorld starts a stack without the product's processes.
func newWorld(t *testing.T, cfg stack.Config) *world {
	t.Helper()
	w := &world{T: t, log: &lockedBuffer{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log:\n%s", w.log.tail(6000))
		}
	})
	cfg.Dir = t.TempDir()
	cfg.Logger = slog.New(slog.NewJSONHandler(w.log, nil))
	var err error
	w.Stack, err = stack.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Stop(context.WithoutCancel(t.Context()))) })
	v, err := vault.Open(w.Worker().Vault)
	require.NoError(t, err)
	w.store, err = pg.Open(w.Worker().Database, v)
	require.NoError(t, err)
	t.Cleanup(w.store.Close)
	w.write(demo.Service, demo.Clinic())
	return w
}

// write writes a clinic as its record system; activate activates it.
func (w *world) write(service identity.Principal, c pg.Clinic) {
	w.Helper()
	require.NoError(w, w.store.PutClinic(w.Context(), service, c))
	w.written = append(w.written, c)
}

// activate activates the clinics that were written, as an operator does, as soon as a
// worker takes his commands on.
func (w *world) activate() {
	w.Helper()
	temporal, err := w.Client()
	require.NoError(w, err)
	defer temporal.Close()
	for _, c := range w.written {
		for _, change := range demo.Activation(c) {
			w.eventually(string(change.Kind)+" "+c.Name, func() error {
				_, err := client.New(w.store, temporal).ChangeActivation(w.Context(), demo.Operator, c.ID, change)
				return err
			})
		}
	}
	w.written = nil
}

// running is newWorld with worker, listener and API inside this process.
func running(t *testing.T, cfg stack.Config) *world {
	t.Helper()
	w := newWorld(t, cfg)
	require.NoError(t, w.Stack.Run(t.Context()))
	w.activate()
	return w
}

// overBoth runs a test over the loopback transport, and over RabbitMQ, signed and encrypted.
func overBoth(t *testing.T, test func(*testing.T, *world)) {
	for name, transport := range map[string]string{"loopback": "", "amqp": stack.AMQP} {
		t.Run(name, func(t *testing.T) { test(t, running(t, stack.Config{Transport: transport})) })
	}
}

// act does what a citizen does, under a subject of its own.
func (w *world) act(a simulator.Action) (simulator.Sent, string) {
	w.Helper()
	if a.To == 0 {
		a.To = demo.GPHerID
	}
	if a.Subject == "" {
		a.Subject = "sak-" + uuid.NewString()[:8]
	}
	sent, err := w.Simulator.Act(w.Context(), a)
	require.NoError(w, err)
	return sent, a.Subject
}

// eventually waits until check has nothing to say.
func (w *world) eventually(what string, check func() error) {
	w.Helper()
	w.within(patience, what, check)
}

// within is eventually with another patience.
func (w *world) within(limit time.Duration, what string, check func() error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), limit)
	defer cancel()
	tick := time.NewTicker(max(50*time.Millisecond, limit/1000))
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			require.FailNowf(w, "it did not come to be", "%s: %v", what, err)
		case <-tick.C:
		}
	}
}

// dialogue waits until an inbox shows the dialogue with that subject.
func (w *world) dialogue(subject string) string {
	w.Helper()
	var id string
	w.eventually("dialogue "+subject+" in an inbox", func() error {
		inbox, err := w.store.Inbox(w.Context(), demo.Admin, demo.ClinicID, pg.DialogueQuery{Limit: 5000})
		if err != nil {
			return err
		}
		found := 0
		for _, i := range inbox.Items {
			if i.Title == "helsenorge.no: "+subject {
				id = i.DialogueID
				found++
			}
		}
		if found != 1 {
			return fmt.Errorf("%d dialogues", found)
		}
		return nil
	})
	return id
}

// answer answers over HTTP, and repeats the call with the same key until it is
// accepted: what a client does that meets a dying server.
func (w *world) answer(dialogueID, key, code, text string) {
	w.Helper()
	w.eventually("answer "+key, func() error {
		status, body, err := w.call(demo.GP, http.MethodPost, "/dialogues/"+dialogueID+"/answers", key, map[string]any{"code": code, "text": text})
		if err != nil {
			return err
		}
		if status != http.StatusAccepted {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
}

// call calls the API as somebody, below his clinic.
func (w *world) call(who identity.Principal, method, path, key string, body any) (int, string, error) {
	token, err := w.Token(who)
	if err != nil {
		return 0, "", err
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(w.Context(), method, w.APIURL()+"/v1/clinics/"+who.ClinicID+path, bytes.NewReader(raw))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	out, err := io.ReadAll(res.Body)
	return res.StatusCode, string(out), err
}

// expectation is what must become of one message of a citizen.
type expectation struct {
	sent     simulator.Sent
	subject  string
	answerID string
	code     string
}

// audit compares what can be seen from outside with what must be: one inbox item,
// one journal entry in each direction for e-consultations and none for others, one
// positive receipt, one answer in the right thread, and every ledger line with its
// terminal outcome.
func (w *world) audit(expected []expectation) error {
	book, err := w.Simulator.Book(w.Context())
	if err != nil {
		return err
	}
	inbox, err := w.store.Inbox(w.Context(), demo.Admin, demo.ClinicID, pg.DialogueQuery{Limit: 5000})
	if err != nil {
		return err
	}
	for _, e := range expected {
		if err := w.auditOne(e, book, inbox.Items); err != nil {
			return fmt.Errorf("%s %s: %w", e.sent.Kind, e.subject, err)
		}
	}
	return nil
}

func (w *world) auditOne(e expectation, book simulator.Book, items []pg.InboxItem) error {
	receipts, answers := 0, 0
	for _, r := range book.Receipts {
		if r.Original == e.sent.MsgID {
			receipts++
			if !r.OK {
				return fmt.Errorf("negative receipt %v", r.Codes)
			}
		}
	}
	for _, r := range book.Received {
		if r.Parent == e.sent.MsgID {
			answers++
			if r.Changed > 0 {
				return fmt.Errorf("a retry changed the answer's bytes")
			}
			if r.Conversation != e.sent.MsgID || r.Function != e.code || len(r.Problems) > 0 {
				return fmt.Errorf("answer %s in conversation %s, problems %v", r.Function, r.Conversation, r.Problems)
			}
		}
	}
	if receipts != 1 || answers != 1 {
		return fmt.Errorf("%d receipts and %d answers at Helsenorge", receipts, answers)
	}
	var ids []string
	for _, i := range items {
		if i.Title == "helsenorge.no: "+e.subject {
			ids = append(ids, i.DialogueID)
		}
	}
	if len(ids) != 1 {
		return fmt.Errorf("%d dialogues in the inbox", len(ids))
	}
	d, err := w.store.ReadDialogue(w.Context(), demo.Admin, demo.ClinicID, ids[0])
	if err != nil {
		return err
	}
	journal, lines := 0, 3 // receipt, inbox, answer
	if e.sent.Kind == simulator.EConsultation {
		journal, lines = 2, 5
	}
	if len(d.Messages) != 1 || len(d.Inboxes) != 1 || len(d.Journal) != journal || len(d.Answers) != 1 {
		return fmt.Errorf("%d messages, %d inboxes, %d journal entries, %d answers", len(d.Messages), len(d.Inboxes), len(d.Journal), len(d.Answers))
	}
	if d.Answers[0].State != string(contract.OutcomeAcknowledged) {
		return fmt.Errorf("the answer is %s", d.Answers[0].State)
	}
	ledger, err := w.store.Ledger(w.Context(), demo.Admin, demo.ClinicID, ids[0])
	if err != nil {
		return err
	}
	if len(ledger) != lines {
		return fmt.Errorf("%d ledger lines", len(ledger))
	}
	for _, l := range ledger {
		if l.Outcome == "" {
			return fmt.Errorf("the ledger line %s has no outcome", l.Effect)
		}
	}
	return nil
}

// answerCodes are what the clinic answers each kind with.
var answerCodes = map[simulator.Kind]string{
	simulator.EConsultation: contract.AnswerFromPractitioner,
	simulator.EContact:      contract.AnswerToEnquiry,
	simulator.Renewal:       contract.AnswerCannotRenew,
}

// kinds are the three ways to begin.
var kinds = []simulator.Kind{simulator.EConsultation, simulator.EContact, simulator.Renewal}

// requireSchemaValid holds documents against the published schemas.
func requireSchemaValid(t *testing.T, documents ...[]byte) {
	t.Helper()
	driver := filepath.Join(shared(t), "xsd", "helsenorge-all.xsd")
	dir := t.TempDir()
	args := []string{"--nonet", "--noout", "--huge", "--schema", driver}
	for i, d := range documents {
		file := filepath.Join(dir, strconv.Itoa(i)+".xml")
		require.NoError(t, os.WriteFile(file, d, 0o600))
		args = append(args, file)
	}
	out, err := exec.CommandContext(t.Context(), "xmllint", args...).CombinedOutput()
	require.NoErrorf(t, err, "xmllint (apt-get install libxml2-utils): %s", out)
}

// shared is the directory of the standard's schemas and samples, which are not
// part of the project.
func shared(t *testing.T) string {
	t.Helper()
	dir, ok := published()
	if !ok {
		t.Skip("the published schemas and samples are not there: set HELSEBRO_SHARED to the directory with xsd/ and samples/")
	}
	return dir
}

// published is shared for who has more to do than to look at it.
func published() (dir string, ok bool) {
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(here), "..", "..", "..")
	dir = os.Getenv("HELSEBRO_SHARED")
	switch {
	case dir == "":
		dir = filepath.Join(root, "..", "shared")
	case !filepath.IsAbs(dir):
		dir = filepath.Join(root, dir)
	}
	_, err := os.Stat(filepath.Join(dir, "xsd"))
	return dir, err == nil
}

// lockedBuffer gathers a log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) tail(n int) string {
	s := l.String()
	return s[max(0, len(s)-n):]
}

// leaks lists which of the secrets the text holds.
func leaks(text string, secrets []string) []string { return canary.For(secrets...).In(text) }
