package e2e_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/browser"
	"github.com/helsebro/helsebro/internal/devstack/canary"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/client"
)

// decoder decodes as the Temporal UI does: over the codec server, from its origin.
func (w *world) decoder() converter.PayloadCodec {
	return converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
		Endpoint: "http://" + w.Serve().Codec.Addr,
		ModifyRequest: func(r *http.Request) error {
			r.Header.Set("Origin", w.Temporal.UIURL())
			r.Header.Set("X-Namespace", w.Temporal.Namespace())
			return nil
		},
	})
}

// reveal returns everything that a message of Temporal says, payloads decoded.
func (w *world) reveal(m proto.Message) string {
	w.Helper()
	var text strings.Builder
	codec := w.decoder()
	require.NoError(w, proxy.VisitPayloads(w.Context(), m, proxy.VisitPayloadsOptions{
		SkipSearchAttributes: true,
		Visitor: func(_ *proxy.VisitPayloadsContext, payloads []*common.Payload) ([]*common.Payload, error) {
			plain, err := codec.Decode(payloads)
			for _, p := range plain {
				text.Write(p.GetData())
				text.WriteByte('\n')
			}
			return plain, err
		},
	}))
	rest, err := protojson.Marshal(m)
	require.NoError(w, err)
	text.Write(rest)
	return text.String()
}

// executions lists every workflow run of the namespace.
func (w *world) executions(c sdkclient.Client) []*workflow.WorkflowExecutionInfo {
	w.Helper()
	var all []*workflow.WorkflowExecutionInfo
	var next []byte
	for {
		page, err := c.ListWorkflow(w.Context(), &workflowservice.ListWorkflowExecutionsRequest{NextPageToken: next})
		require.NoError(w, err)
		all = append(all, page.Executions...)
		if next = page.NextPageToken; len(next) == 0 {
			return all
		}
	}
}

func (w *world) history(c sdkclient.Client, id, run string) *history.History {
	w.Helper()
	h := &history.History{}
	events := c.GetWorkflowHistory(w.Context(), id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(w, err)
		h.Events = append(h.Events, e)
	}
	return h
}

// integrations are the lifecycles of the demonstration clinic and its GP, which every
// world with them has beside those of its messages.
const integrations = 2

// TestNoPatientInTemporal: nothing that was put in can be found in histories with
// every payload decoded, in visibility, in Temporal's own file, in the logs. Every
// activity, timer and start says what it is for.
func TestNoPatientInTemporal(t *testing.T) {
	w := running(t, stack.Config{})
	var sent []expectation
	var secrets []string
	for i, kind := range kinds {
		token := uuid.NewString()
		s, subject := w.act(simulator.Action{Kind: kind, Citizen: 20 + i, By: map[simulator.Kind]int{simulator.EContact: 30}[kind], Text: "hemmelig-" + token})
		sent = append(sent, expectation{sent: s, subject: subject})
		who := simulator.Citizen(20 + i)
		secrets = append(secrets, "hemmelig-"+token, subject, who.NationalID, who.FamilyName)
	}
	by := simulator.Citizen(30)
	secrets = append(secrets, by.NationalID, by.Phone, by.FamilyName)
	w.all(sent)
	secrets = append(secrets, "Svar på sak-") // what staff wrote
	// A refusal by the API and a failing activity leave their words in Temporal too.
	status, _, err := w.call(demo.GP, http.MethodPost, "/dialogues/"+w.dialogue(sent[0].subject)+"/answers", uuid.NewString(), map[string]any{"code": "12", "text": "hemmelig-avslag"})
	require.NoError(t, err)
	require.Equal(t, http.StatusConflict, status)
	secrets = append(secrets, "hemmelig-avslag")
	w.eventually("everything has its outcome", func() error { return w.audit(sent) })

	runs, replies := w.requireNobody(secrets)
	require.Equal(t, len(kinds)+integrations, runs)
	require.Equal(t, len(kinds), replies, "one receipt each")

	// The search itself works: the simulator's book, which is the other side's, has
	// every one of them.
	raw, err := os.ReadFile(filepath.Join(w.Dir, "helsenorge", "book.jsonl"))
	require.NoError(t, err)
	book, err := w.Simulator.Book(t.Context())
	require.NoError(t, err)
	text := string(raw)
	for _, s := range book.Sent {
		text += string(s.XML)
	}
	for _, s := range secrets {
		if s != "hemmelig-avslag" && !slices.Contains(leaks(text, secrets), s) && !strings.HasPrefix(s, "Svar") {
			t.Errorf("%q was never put in", s)
		}
	}
}

// secretsOf is what must not be found of patients: who they are, how they are reached,
// and what they were told.
func (c *clinic) secretsOf(patients ...patient) []string {
	c.Helper()
	var secrets []string
	for _, p := range patients {
		// A family name alone is a word of other things, too.
		secrets = append(secrets, p.NationalID, p.GivenName+" "+p.FamilyName, p.FamilyName+", "+p.GivenName, p.Email, strings.TrimPrefix(p.Mobile, "+47"))
		for _, m := range c.sent(p) {
			secrets = append(secrets, canary.Sentences(m.Subject+"\n"+m.Text)...)
		}
	}
	return secrets
}

// TestNoPatientOfAnAppointmentInTemporal: nothing of the patients of appointments, of
// their comments and of what they were told is in Temporal or in a log, whatever went
// wrong on the way: a booking refused, an Avtale refused, a mail that bounced, a text
// message given up, a representative who may not.
func TestNoPatientOfAnAppointmentInTemporal(t *testing.T) {
	w := clinics(t, 1, stack.Config{})
	c := w.clinic(t, 0)
	start := day(6, 9)
	mail := "bounce@hemmelig.invalid"
	online, told, other := c.patient(nil), c.inactive(func(r *client.PatientRecord) { (*r.Contacts)[0].Address = mail }), c.patient(nil)
	c.Sink.SetFaults(sink.Faults{Reports: []sink.Step{{State: channel.Failed}}})
	slots := c.slots(day(5, 9), 2, nil)
	comment := func(a *simulator.Action) { a.Text = "hemmelig-kommentar" }
	require.Equal(t, contract.AppointmentConfirmed, c.answerTo(c.reserve(online, slots[0], comment)).Function)
	require.Equal(t, contract.AppointmentNotAvailable, c.answerTo(c.reserve(other, slots[0], comment)).Function)
	c.act(simulator.Action{Kind: simulator.Wish, Citizen: other.Citizen, To: c.GPHerID, Text: "hemmelig-onske"})
	first := c.inCalendar(slots[0])
	c.settled(first)
	second := c.book(told, start, func(b *client.Booking) { b.Comment, b.Place = "hemmelig-merknad", "kjelleren-sted" }).AppointmentID
	c.settle(second) // the mail bounces, the gateway gives the message up
	c.Sink.SetFaults(sink.Faults{})
	c.move(second, start.Add(time.Hour))
	c.settle(second)
	c.refused(http.StatusConflict, c.Desk, http.MethodPost, "/appointments", client.Booking{PatientID: other.ID, SlotID: slots[0].ID, Comment: "hemmelig-konflikt"})
	c.refused(http.StatusForbidden, c.Portal, http.MethodPost, "/portal/patients/"+online.ID+"/appointments",
		client.PortalBooking{ViewerID: other.ID, SlotID: slots[1].ID, Comment: "hemmelig-portal"})
	for _, id := range []string{first, second} {
		c.reminded(id)
		c.step(id, "cancel")
		c.settle(id)
	}
	require.NotEmpty(t, c.sent(told))
	secrets := append(c.secretsOf(online, told, other), "hemmelig-", mail)
	lifecycles, _ := w.requireNobody(secrets)
	require.GreaterOrEqual(t, lifecycles, 6, "appointments and notices")
	w.requireNotInTemporal([]string{"kjelleren-"}) // a place is the clinic's, and in clear in its calendar
	require.Contains(t, string(c.told(online)[0].XML), online.NationalID, "the other side has it")
}

// requireNobody searches all that is kept for the secrets: Temporal and the log, and the
// files of PostgreSQL, with what it logs ahead, and of the broker. Helsenorge's directory
// is the other side's. It returns how many lifecycles and standalone activities there were.
func (w *world) requireNobody(secrets []string) (lifecycles, activities int) {
	w.Helper()
	found, read, err := canary.For(secrets...).Files(w.Dir, "helsenorge")
	require.NoError(w, err)
	require.Empty(w, found)
	require.Greater(w, read, int64(10<<20))
	return w.requireNotInTemporal(secrets)
}

// requireNotInTemporal searches all of Temporal and the log for the secrets: every history
// with every payload decoded, visibility, descriptions, what the UI shows of
// standalone activities (their inputs are one opaque id, by contract), the server's
// own file. It returns how many lifecycles and standalone activities there were.
func (w *world) requireNotInTemporal(secrets []string) (lifecycles, activities int) {
	w.Helper()
	search := canary.For(secrets...)
	c, err := w.Client()
	require.NoError(w, err)
	defer c.Close()
	runs := w.executions(c)
	for _, run := range runs {
		h := w.history(c, run.Execution.WorkflowId, run.Execution.RunId)
		requireSummaries(w.T, h)
		require.Empty(w, search.In(w.reveal(h)), "in the history of %s", run.Execution.WorkflowId)
		require.Empty(w, search.In(w.reveal(run)), "in visibility")
		d, err := c.DescribeWorkflowExecution(w.Context(), run.Execution.WorkflowId, run.Execution.RunId)
		require.NoError(w, err)
		require.Empty(w, search.In(w.reveal(d)), "in the description")
		attributes := run.SearchAttributes.GetIndexedFields()
		for _, name := range []string{"HelsebroClinic", "HelsebroProcess", "HelsebroState"} {
			require.Contains(w, attributes, name)
		}
	}
	listed, err := c.ListActivities(w.Context(), sdkclient.ListActivitiesOptions{})
	require.NoError(w, err)
	n := 0
	for a, err := range listed.Results {
		require.NoError(w, err)
		d, err := c.GetActivityHandle(sdkclient.GetActivityHandleOptions{ActivityID: a.ActivityID, RunID: a.ActivityRunID}).Describe(w.Context(), sdkclient.DescribeActivityOptions{})
		require.NoError(w, err)
		summary, err := d.GetSummary()
		require.NoError(w, err)
		require.NotEmpty(w, summary)
		require.Empty(w, search.In(summary+a.ActivityID+a.ActivityType))
		n++
	}

	files, err := filepath.Glob(filepath.Join(w.Dir, "temporal.db*"))
	require.NoError(w, err)
	require.NotEmpty(w, files)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(w, err)
		require.Empty(w, search.In(string(raw)), "in %s", filepath.Base(file))
	}
	require.Empty(w, search.In(w.log.String()), "in the log")
	// A message that comes again after the end of its lifecycle starts another run.
	ids := map[string]bool{}
	for _, run := range runs {
		ids[run.Execution.WorkflowId] = true
	}
	return len(ids), n
}

// requireSummaries holds every start, activity and timer against the rule that it
// says in the Temporal UI what it is for.
func requireSummaries(t *testing.T, h *history.History) {
	t.Helper()
	for _, e := range h.Events {
		switch e.EventType {
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enums.EVENT_TYPE_TIMER_STARTED:
			require.NotNilf(t, e.GetUserMetadata().GetSummary(), "%s has no summary", e.EventType)
			require.LessOrEqual(t, len(e.GetUserMetadata().GetSummary().GetData()), 1024)
		default:
		}
	}
}

// TestUIShowsTheStatusCard: a person who opens a dialogue in the Temporal UI reads
// what it is and what it waits for.
func TestUIShowsTheStatusCard(t *testing.T) {
	require.NoError(t, browser.Ensure(t.Context(), io.Discard))
	w := running(t, stack.Config{})
	s, subject := w.act(simulator.Action{Kind: simulator.EConsultation})
	id := w.dialogue(subject)
	c, err := w.Client()
	require.NoError(t, err)
	defer c.Close()
	run := c.GetWorkflow(t.Context(), contract.DialogueWorkflowID(id), "").GetRunID()
	if run == "" {
		d, err := c.DescribeWorkflowExecution(t.Context(), contract.DialogueWorkflowID(id), "")
		require.NoError(t, err)
		run = d.WorkflowExecutionInfo.Execution.RunId
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	text, err := browser.Text(ctx, w.Temporal.StatusURL(contract.DialogueWorkflowID(id), run),
		"The clinic owes the citizen an answer", "e-consultation from Helsenorge")
	require.NoError(t, err)
	require.NotContains(t, text, simulator.Citizen(s.Citizen).FamilyName)
}

// TestCodecServerIsForTheUIOnly: another origin, or none, decodes nothing.
func TestCodecServerIsForTheUIOnly(t *testing.T) {
	w := running(t, stack.Config{})
	for _, origin := range []string{"", "https://evil.example", "null"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.Serve().Codec.Addr+"/decode", strings.NewReader(`{"payloads":[]}`))
		require.NoError(t, err)
		req.Header.Set("X-Namespace", w.Temporal.Namespace())
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, errors.Join(res.Body.Close()))
		require.Equalf(t, http.StatusForbidden, res.StatusCode, "origin %q", origin)
	}
}
