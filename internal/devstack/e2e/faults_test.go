package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"github.com/helsebro/helsebro/internal/testsize"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/devstack/supervise"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/simulator"
)

// processes are the product's programs as children of the test.
type processes struct{ worker, listener, api *supervise.Process }

// spawn starts the three programs, built so that they can be told to die, and activates
// the clinics.
func (w *world) spawn() processes {
	w.Helper()
	programs, err := supervise.Build(w.Context(), w.TempDir(), true)
	require.NoError(w, err)
	start := func(name, path string, args ...string) *supervise.Process {
		p, err := supervise.Start(name, path, args, w.Environment(), w.log)
		require.NoError(w, err)
		w.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(w.Context()), patience)
			defer cancel()
			_, err := p.Stop(ctx)
			require.NoError(w, err)
		})
		return p
	}
	p := processes{
		worker:   start("worker", programs.Worker),
		listener: start("listener", programs.Starter, "listen"),
		api:      start("api", programs.Starter, "serve"),
	}
	w.activate()
	return p
}

// owner is the process in which a point is.
func (p processes) owner(point failpoint.Point) *supervise.Process {
	switch {
	case strings.HasPrefix(string(point), "listen."):
		return p.listener
	case slices.Contains([]failpoint.Point{
		failpoint.AnswerDrafted, failpoint.AnswerAccepted, failpoint.ChangeDrafted, failpoint.ChangeAccepted, failpoint.ReportStored, failpoint.ReportSignalled,
		failpoint.PortalStored, failpoint.PortalSignalled,
	}, point):
		return p.api
	}
	return p.worker
}

// TestKilledBetweenEachTwoSteps: worker, listener and API die at every instant
// between an effect and its record, while messages of all kinds are under way, and
// each message still has one inbox item, one journal entry where it must, one
// receipt and one answer.
func TestKilledBetweenEachTwoSteps(t *testing.T) {
	w := newWorld(t, stack.Config{})
	p := w.spawn()
	points := failpoint.Points()
	perPoint := testsize.Scaled(600, 200)/len(points) + 1
	var sent []expectation
	for round, point := range points {
		victim := p.owner(point)
		before := victim.Died(point)
		victim.DieAt(point, 1+round%2)
		for i := range perPoint {
			kind := kinds[(round+i)%len(kinds)]
			if point == failpoint.JournalWritten {
				kind = simulator.EConsultation // the only ones that come there
			}
			s, subject := w.act(simulator.Action{
				Kind: kind, Citizen: round, Times: 1 + (round+i)%3, By: map[simulator.Kind]int{simulator.EContact: 50 + round}[kind],
				Text: "hemmelig-" + uuid.NewString(),
			})
			e := w.all([]expectation{{sent: s, subject: subject}})
			sent = append(sent, e...)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		require.NoError(t, victim.AwaitDeath(ctx, point, before))
		cancel()
	}
	w.eventually("everything has its outcome", func() error { return w.audit(sent) })
	var secrets []string
	for _, e := range sent {
		who, by := simulator.Citizen(e.sent.Citizen), simulator.Citizen(50+e.sent.Citizen)
		secrets = append(secrets, e.subject, who.NationalID, who.FamilyName, who.GivenName+" ", by.NationalID, by.Phone)
	}
	secrets = append(secrets, "hemmelig-", "Svar på sak-")
	lifecycles, _ := w.requireNobody(secrets)
	require.Equal(t, len(sent)+integrations, lifecycles)
	for _, point := range points {
		require.Positivef(t, p.owner(point).Died(point), "nothing died at %s", point)
	}
	book, err := w.Simulator.Book(t.Context())
	require.NoError(t, err)
	again := 0
	for _, r := range book.Received {
		again += r.Deliveries - 1
	}
	t.Logf("%d messages, %d deaths between two steps, %d answers that Helsenorge had to recognise", len(sent), len(points), again)
}

// TestOutages: with the worker down, intake and settlement go on; with Temporal or
// PostgreSQL down nothing is settled and nothing is lost.
func TestOutages(t *testing.T) {
	w := newWorld(t, stack.Config{Transport: stack.AMQP})
	p := w.spawn()
	var sent []expectation
	begin := func(kind simulator.Kind) {
		s, subject := w.act(simulator.Action{Kind: kind})
		sent = append(sent, expectation{sent: s, subject: subject})
	}
	settled := func(want bool) func() error {
		return func() error {
			waiting, err := w.waiting()
			if err == nil && (waiting == 0) != want {
				err = fmt.Errorf("%d messages wait on the clinic's queues", waiting)
			}
			return err
		}
	}
	begin(simulator.EContact)
	w.dialogue(sent[0].subject) // everything is up

	p.worker.Halt()
	for _, kind := range kinds {
		begin(kind)
	}
	w.eventually("all is taken in without a worker", settled(true))
	require.Empty(t, w.receiptsFor(sent[1:]), "receipts wait for a worker")
	p.worker.Resume()
	w.eventually("the receipts come", func() error {
		if n := len(w.receiptsFor(sent)); n != len(sent) {
			return fmt.Errorf("%d of %d", n, len(sent))
		}
		return nil
	})

	require.NoError(t, w.Temporal.Stop())
	begin(simulator.EConsultation)
	w.eventually("the message is stored", func() error { return w.logged("a message waits unsettled") })
	require.NoError(t, settled(false)(), "settled without Temporal")
	require.NoError(t, w.RestartTemporal(t.Context()))
	w.eventually("it is settled after Temporal's return", settled(true))

	require.NoError(t, w.Postgres.Stop(t.Context()))
	s, subject := w.act(simulator.Action{Kind: simulator.Renewal})
	sent = append(sent, expectation{sent: s, subject: subject})
	w.eventually("the listener notices", func() error { return w.logged("the database does not answer") })
	require.NoError(t, settled(false)(), "settled without PostgreSQL")
	require.NoError(t, w.Postgres.Restart(t.Context()))
	w.eventually("it is settled after PostgreSQL's return", settled(true))

	w.all(sent)
	w.eventually("everything has its outcome", func() error { return w.audit(sent) })
}

// waiting counts the messages on the clinic's queues, delivered or not.
func (w *world) waiting() (int, error) {
	n := 0
	queues, err := w.Queues(w.Context())
	for _, q := range queues {
		if strings.HasPrefix(q.Name, "demo_") {
			n += q.Ready + q.Unsettled
		}
	}
	return n, err
}

func (w *world) receiptsFor(sent []expectation) []simulator.Receipt {
	w.Helper()
	book, err := w.Simulator.Book(w.Context())
	require.NoError(w, err)
	var found []simulator.Receipt
	for _, e := range sent {
		for _, r := range book.Receipts {
			if r.Original == e.sent.MsgID {
				found = append(found, r)
			}
		}
	}
	return found
}

func (w *world) logged(text string) error {
	if !strings.Contains(w.log.String(), text) {
		return errors.New("not logged yet: " + text)
	}
	return nil
}

// TestOrderlyStop: told to end, each program ends by itself, with status 0 and
// nothing left undone.
func TestOrderlyStop(t *testing.T) {
	w := newWorld(t, stack.Config{})
	p := w.spawn()
	s, subject := w.act(simulator.Action{Kind: simulator.EConsultation})
	sent := w.all([]expectation{{sent: s, subject: subject}})
	w.eventually("everything has its outcome", func() error { return w.audit(sent) })
	for _, process := range []*supervise.Process{p.listener, p.api, p.worker} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		state, err := process.Stop(ctx)
		cancel()
		require.NoError(t, err)
		require.Truef(t, state.Success(), "%s ended with %s", process.Name, state)
	}
}

// TestBadRequests: what the API refuses, it refuses precisely and leaves nothing
// half done.
func TestBadRequests(t *testing.T) {
	w := running(t, stack.Config{})
	_, subject := w.act(simulator.Action{Kind: simulator.EContact})
	id := w.dialogue(subject)
	_, renewal := w.act(simulator.Action{Kind: simulator.Renewal})
	prescription := w.dialogue(renewal)
	post := func(dialogue, key string, body map[string]any) (int, string) {
		status, answer, err := w.call(demo.GP, http.MethodPost, "/dialogues/"+dialogue+"/answers", key, body)
		require.NoError(t, err)
		return status, answer
	}
	status, body := post(uuid.NewString(), "", map[string]any{"code": "19", "text": "x"})
	require.Equal(t, http.StatusNotFound, status, body)
	status, body = post("no-uuid", "", map[string]any{"code": "19", "text": "x"})
	require.Equal(t, http.StatusNotFound, status, body)
	status, body = post(id, "", map[string]any{"code": "12", "text": strings.Repeat("x", 1001)})
	require.Equal(t, http.StatusUnprocessableEntity, status, body)
	require.Contains(t, body, `"text"`)
	status, body = post(id, "", map[string]any{"code": "12", "text": "x"})
	require.Equal(t, http.StatusUnprocessableEntity, status, body)
	require.Contains(t, body, `"code"`)
	status, body = post(prescription, "", map[string]any{"code": "14", "text": "x"})
	require.Equal(t, http.StatusUnprocessableEntity, status, body)
	require.Contains(t, body, "medicine")

	key := uuid.NewString()
	answer := map[string]any{"code": "19", "text": "Svar."}
	status, first := post(id, key, answer)
	require.Equal(t, http.StatusAccepted, status, first)
	status, again := post(id, key, answer)
	require.Equal(t, http.StatusAccepted, status, again)
	status, body = post(id, key, map[string]any{"code": "19", "text": "Noe annet."})
	require.Equal(t, http.StatusConflict, status, body)
	status, body = post(id, "", answer)
	require.Equal(t, http.StatusConflict, status, body)
	require.Contains(t, body, `"state"`)
	d, err := w.store.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, id)
	require.NoError(t, err)
	require.Len(t, d.Answers, 1, "a refused answer leaves nothing behind")
}
