package listen

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
)

// The parties of the tests: who asks, and the practitioner who is asked.
const (
	asker   = 800001
	gp      = 900001
	patient = "Prøvesen"
	hpr     = "9144889"
)

// fakeStore answers as it is told to, and remembers what it was asked.
type fakeStore struct {
	offers func(context.Context, pg.OfferQuery) (pg.Offers, error)

	mu       sync.Mutex
	asked    []pg.OfferQuery
	arrivals []pg.Arrival
	// aside are transport ids with reasons, reading is how often a message was begun.
	aside   []string
	reading map[string]int

	left       []pg.Arrived
	handedOver []string

	integrations    []pg.LookedAt
	integrationsErr error
}

func (s *fakeStore) Parties(context.Context) ([]int, error) { return []int{gp}, nil }

func (s *fakeStore) Integrations(context.Context) ([]pg.LookedAt, error) {
	return s.integrations, s.integrationsErr
}

func (s *fakeStore) StoreArrival(_ context.Context, a pg.Arrival) (pg.Arrived, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals = append(s.arrivals, a)
	return pg.Arrived{ID: a.MsgID, HandedOver: true}, nil
}

func (s *fakeStore) KeepAside(_ context.Context, a pg.Arrival, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aside = append(s.aside, a.TransportID+" "+reason)
	return nil
}

func (s *fakeStore) BeginReading(_ context.Context, a pg.Arrival) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reading == nil {
		s.reading = map[string]int{}
	}
	s.reading[a.TransportID]++
	return s.reading[a.TransportID] - 1, nil
}

func (s *fakeStore) EndReading(_ context.Context, a pg.Arrival) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.reading, a.TransportID)
	return nil
}

func (s *fakeStore) QuarantineWanted(context.Context) ([]string, error) { return nil, nil }

func (s *fakeStore) CarryOut(context.Context, string, func(context.Context, pg.QuarantineDecision, pg.Wire) (pg.QuarantineState, string, error)) (pg.QuarantineState, error) {
	return "", nil
}

func (s *fakeStore) HandedOver(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handedOver = append(s.handedOver, id)
	return nil
}

func (s *fakeStore) PortalMessagesLeft(context.Context, time.Duration) ([]pg.Arrived, error) {
	return s.left, nil
}

func (s *fakeStore) Offers(ctx context.Context, q pg.OfferQuery) (pg.Offers, error) {
	s.mu.Lock()
	s.asked = append(s.asked, q)
	s.mu.Unlock()
	return s.offers(ctx, q)
}

func (s *fakeStore) OfferedPractitioners(ctx context.Context, q pg.OfferQuery) (pg.Offers, error) {
	return s.Offers(ctx, q)
}

// fakeQueues keeps what is sent.
type fakeQueues struct {
	transport.Transport
	fail error
	sent []transport.Message
}

func (q *fakeQueues) Send(ctx context.Context, m transport.Message) error {
	if q.fail != nil {
		return q.fail
	}
	q.sent = append(q.sent, m)
	return ctx.Err()
}

// fakeDelivery counts what settles it.
type fakeDelivery struct {
	m        *transport.Message
	accepted int
}

func (d *fakeDelivery) Message() *transport.Message   { return d.m }
func (d *fakeDelivery) Accept(context.Context) error  { d.accepted++; return nil }
func (d *fakeDelivery) Release(context.Context) error { panic("never released") }
func (d *fakeDelivery) Reject(context.Context) error  { panic("never rejected") }

// fakeTemporal remembers what it was told.
type fakeTemporal struct{ started, signalled, activities []any }

func (f *fakeTemporal) SignalWithStartWorkflow(_ context.Context, id, signal string, arg any, _ client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	f.started = append(f.started, append([]any{id, signal, arg, workflow}, args...)...)
	return nil, nil
}

func (f *fakeTemporal) SignalWorkflow(_ context.Context, id, _, signal string, arg any) error {
	f.signalled = append(f.signalled, id, signal, arg)
	return nil
}

func (f *fakeTemporal) ExecuteActivity(_ context.Context, _ client.StartActivityOptions, activity any, _ ...any) (client.ActivityHandle, error) {
	f.activities = append(f.activities, activity)
	return nil, nil
}

func (f *fakeTemporal) CheckHealth(context.Context, *client.CheckHealthRequest) (*client.CheckHealthResponse, error) {
	return nil, nil
}

// world is a listener with fakes around it.
type world struct {
	*Listener
	store  *fakeStore
	queues *fakeQueues
	log    *bytes.Buffer
}

func parties(t *testing.T) *registry.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registry.yaml")
	require.NoError(t, registry.Write(path, []registry.Party{
		{HerID: 800000, Name: "Helsenorge"},
		{
			HerID: asker, Name: "Innbyggertjenester", ParentHerID: 800000,
			AsyncQueue: "hn_async", SyncQueue: "hn_sync", SyncReplyQueue: "hn_syncreply", ErrorQueue: "hn_error",
		},
		{HerID: 800002, Name: "Somebody else", AsyncQueue: "else_async", ErrorQueue: "else_error"},
		{HerID: 900000, Name: "Legesenteret"},
		{HerID: gp, Name: "Frida Fastlege", ParentHerID: 900000, AsyncQueue: "gp_async", SyncQueue: "gp_sync", ErrorQueue: "gp_error"},
	}))
	f, err := registry.Open(path)
	require.NoError(t, err)
	return f
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{store: &fakeStore{}, queues: &fakeQueues{}, log: &bytes.Buffer{}}
	w.store.offers = func(context.Context, pg.OfferQuery) (pg.Offers, error) {
		return pg.Offers{}, apperr.New(apperr.Internal, "the store was not to be asked")
	}
	w.Listener = New(w.store, nil, w.queues, transport.Plain{}, parties(t), nil, slog.New(slog.NewTextHandler(w.log, nil)))
	return w
}

// ask brings a request to its end and returns what was sent for it.
func (w *world) ask(t *testing.T, m *transport.Message) []transport.Message {
	t.Helper()
	d := &fakeDelivery{m: m}
	before := len(w.queues.sent)
	w.answer(t.Context(), d)
	require.Equal(t, 1, d.accepted, "settled once, whatever it was")
	require.NotContains(t, w.log.String(), patient)
	return w.queues.sent[before:]
}

// national is an invented patient's number.
var national = nationalid.Synthetic(time.Date(1961, 5, 17, 0, 0, 0, 0, time.UTC), 1)

// request is what a citizen sends, in the process and of the function given.
func request(process, function string) *helsenorge.Message {
	list := codes.Requests
	if process == codes.Test {
		list = codes.TestCodes
	}
	party := func(organisation, unit string) helsenorge.Party {
		named := func(id string) helsenorge.Organisation {
			return helsenorge.Organisation{Name: "Part " + id, Idents: []helsenorge.Ident{{ID: id, Type: helsenorge.Code{V: codes.HER, S: codes.OrganisationID.OID()}}}}
		}
		u := named(unit)
		return helsenorge.Party{Organisation: named(organisation), Unit: &u}
	}
	m := &helsenorge.Message{
		Head: helsenorge.Head{
			Process: process, MsgID: uuid.NewString(), GenDate: time.Now().UTC().Truncate(time.Second),
			Sender: party("800000", "800001"), Receiver: party("900000", "900001"),
			Patient: &helsenorge.Patient{GivenName: "Ingrid", FamilyName: patient, NationalID: national, IDType: codes.Fodselsnummer},
		},
		Dialog: &helsenorge.Dialog{Request: &helsenorge.Request{Type: helsenorge.Code{V: function, S: list.OID(), DN: codes.Name(list, function)}}},
	}
	m.Head.WantsReceipt = !m.Synchronous()
	return m
}

// enveloped puts a message into its envelope, as Helsenorge does.
func enveloped(t *testing.T, m *helsenorge.Message) *transport.Message {
	t.Helper()
	xml, err := helsenorge.WriteMessage(m)
	require.NoError(t, err)
	return &transport.Message{
		ID: uuid.NewString(), Subject: m.Head.Process, To: "gp_sync", ReplyTo: "hn_syncreply", CorrelationID: "corr", ContentType: transport.ContentTypePlain,
		FromHerID: asker, ToHerID: gp, SentAt: time.Now(), TTL: syncTTL, Body: xml,
	}
}
