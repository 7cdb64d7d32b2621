package simulator

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback"
)

// waitFor and tick bound the waits for what happens in other goroutines.
const waitFor, tick = 20 * time.Second, 2 * time.Millisecond

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clinicHerID is the clinic of the tests.
const clinicHerID = 900001

// world is a simulated Helsenorge over HTTP and a clinic that is made by hand.
type world struct {
	dir       string
	parties   *registry.File
	simulator *Server
	http      *httptest.Server
	client    *Client

	queues   *loopback.Client
	messages transport.Receiver // of the clinic
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	path := filepath.Join(w.dir, "registry.yaml")
	require.NoError(t, registry.Write(path, append(Parties(),
		registry.Party{HerID: 900000, Name: "Solvik legesenter AS"},
		registry.Party{HerID: clinicHerID, Name: "Solvik legesenter", ParentHerID: 900000, AsyncQueue: "solvik_async", SyncQueue: "solvik_sync", ErrorQueue: "solvik_error"},
	)))
	var err error
	w.parties, err = registry.Open(path)
	require.NoError(t, err)
	w.start(t)
	t.Cleanup(func() { w.stop(t) })
	return w
}

func (w *world) start(t *testing.T) {
	t.Helper()
	var err error
	w.simulator, err = Start(ServerConfig{Dir: w.dir, Parties: w.parties, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	w.http = httptest.NewServer(w.simulator.Handler())
	w.client = NewClient(w.http.URL)
	w.queues, err = loopback.NewClient(w.http.URL)
	require.NoError(t, err)
	w.messages, err = w.queues.Receiver(t.Context(), "solvik_async", 50)
	require.NoError(t, err)
}

func (w *world) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, w.queues.Close(context.Background()))
	require.NoError(t, w.simulator.Close(context.Background()))
	w.http.Close()
}

// next takes the clinic's next message.
func (w *world) next(t *testing.T) (*transport.Message, *helsenorge.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitFor)
	defer cancel()
	d, err := w.messages.Receive(ctx)
	require.NoError(t, err)
	require.NoError(t, d.Accept(ctx))
	m, problems := helsenorge.Read(d.Message().Body)
	require.NotNil(t, m)
	require.Empty(t, problems)
	return d.Message(), m
}

// send puts a message of the clinic on one of Helsenorge's queues, some times.
func (w *world) send(t *testing.T, queue, subject string, xml []byte, times int) string {
	t.Helper()
	m := transport.Message{
		ID: uuid.NewString(), Subject: subject, To: queue, ReplyTo: "solvik_async", ContentType: transport.ContentTypePlain,
		FromHerID: clinicHerID, ToHerID: HerID, SentAt: time.Now(), Body: xml,
	}
	for range times {
		require.NoError(t, w.queues.Send(t.Context(), m))
	}
	return m.ID
}

// receipt and answer are what a clinic makes of a message.
func receipt(t *testing.T, m *helsenorge.Message) []byte {
	t.Helper()
	xml, err := helsenorge.WriteReceipt(helsenorge.ReceiptFor(m.Head, uuid.NewString(), time.Now(), nil))
	require.NoError(t, err)
	return xml
}

func answerTo(t *testing.T, m *helsenorge.Message, topic string) (msgID string, xml []byte) {
	t.Helper()
	msgID = uuid.NewString()
	xml, err := helsenorge.WriteMessage(&helsenorge.Message{
		Head: helsenorge.ReplyHead(m.Head, msgID, time.Now(), m.Head.RefToConversation),
		Dialog: &helsenorge.Dialog{Note: &helsenorge.Note{
			Topic: helsenorge.Code{V: topic, S: codes.Answers.OID()}, Subject: "Svar", Text: helsenorge.Text{Plain: "Det går bra."},
		}},
	})
	require.NoError(t, err)
	return msgID, xml
}

// book waits until the simulator's book is as it should be.
func (w *world) book(t *testing.T, as func(Book) bool) Book {
	t.Helper()
	var b Book
	var err error
	require.Eventually(t, func() bool {
		b, err = w.client.Book(t.Context())
		return err == nil && as(b)
	}, waitFor, tick)
	return b
}

func TestARoundTripOfEachProcess(t *testing.T) {
	t.Parallel()
	for kind, c := range map[Kind]struct{ process, function, answer string }{
		EConsultation: {codes.EKonsultasjon, "SB", "12"},
		EContact:      {codes.EKontakt, "HE", "19"},
		Renewal:       {codes.Reseptfornyelse, "RF", "15"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			sent, err := w.client.Act(t.Context(), Action{Kind: kind, To: clinicHerID, Citizen: 3, Text: "Hva gjør jeg?"})
			require.NoError(t, err)
			require.Equal(t, sent.MsgID, sent.Conversation)

			envelope, m := w.next(t)
			require.Equal(t, sent.TransportID, envelope.ID)
			require.Equal(t, sent.XML, envelope.Body)
			require.Equal(t, c.process, envelope.Subject)
			require.Equal(t, HerID, envelope.FromHerID)
			require.Equal(t, HerID, m.Head.Sender.HerID())
			require.Equal(t, clinicHerID, m.Head.Receiver.HerID())
			require.Equal(t, c.function, m.Dialog.Function())
			require.Equal(t, "Hva gjør jeg?", m.Dialog.Request.Text.Plain)
			require.Equal(t, Citizen(3).NationalID, m.Head.Patient.NationalID)

			w.send(t, "helsenorge_async", codes.AppRec, receipt(t, m), 1)
			answerID, xml := answerTo(t, m, c.answer)
			w.send(t, "helsenorge_async", c.process, xml, 1)
			_, acknowledged := w.next(t)
			require.NotNil(t, acknowledged.Receipt)
			require.True(t, acknowledged.Receipt.OK)
			require.Equal(t, answerID, acknowledged.Receipt.OriginalMsgID)
			require.Equal(t, HerID, acknowledged.Receipt.Sender.HerID())
			require.Equal(t, clinicHerID, acknowledged.Receipt.Receiver.HerID())

			b := w.book(t, func(b Book) bool { return len(b.Received) == 1 && len(b.Receipts) == 1 })
			require.Equal(t, []Sent{sent}, b.Sent)
			require.Equal(t, sent.MsgID, b.Receipts[0].Original)
			require.True(t, b.Receipts[0].OK)
			got := b.Received[0]
			require.Equal(t, answerID, got.MsgID)
			require.Equal(t, c.answer, got.Function)
			require.Equal(t, sent.MsgID, got.Parent)
			require.Equal(t, sent.MsgID, got.Conversation)
			require.Equal(t, clinicHerID, got.From)
			require.Equal(t, "Det går bra.", got.Text)
			require.Equal(t, 1, got.Deliveries)
			require.Empty(t, got.Problems)
		})
	}
}

func TestACitizenReplies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := w.client.Act(t.Context(), Action{Kind: EConsultation, To: clinicHerID, Citizen: 1, By: 2})
	require.NoError(t, err)
	_, question := w.next(t)
	require.Equal(t, Citizen(2).NationalID, question.Relation.Person.NationalID)

	// To the clinic's answer, and to the citizen's own question.
	answerID, xml := answerTo(t, question, "12")
	w.send(t, "helsenorge_async", codes.EKonsultasjon, xml, 1)
	w.next(t) // the receipt
	w.book(t, func(b Book) bool { return len(b.Received) == 1 })
	for _, parent := range []string{answerID, first.MsgID} {
		reply, err := w.client.Act(t.Context(), Action{Kind: Reply, InReplyTo: parent})
		require.NoError(t, err)
		require.Equal(t, first.MsgID, reply.Conversation)
		_, m := w.next(t)
		require.Equal(t, codes.EKonsultasjon, m.Head.Process)
		require.Equal(t, "22", m.Dialog.Function())
		require.Equal(t, parent, m.Head.RefToParent)
		require.Equal(t, first.MsgID, m.Head.RefToConversation)
		require.Equal(t, question.Head.Patient.NationalID, m.Head.Patient.NationalID)
	}
}

func TestDuplicatesAreCountedAndTakenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sent, err := w.client.Act(t.Context(), Action{Kind: EContact, To: clinicHerID, Times: 3})
	require.NoError(t, err)
	var m *helsenorge.Message
	for range 3 {
		var envelope *transport.Message
		envelope, m = w.next(t)
		require.Equal(t, sent.TransportID, envelope.ID)
		require.Equal(t, sent.XML, envelope.Body)
	}
	again, err := w.client.Act(t.Context(), Action{Kind: EContact, To: clinicHerID, Times: 3, NewEnvelope: true})
	require.NoError(t, err)
	ids := map[string]bool{}
	for range 3 {
		envelope, _ := w.next(t)
		require.Equal(t, again.XML, envelope.Body)
		ids[envelope.ID] = true
	}
	require.Len(t, ids, 3)

	w.send(t, "helsenorge_async", codes.AppRec, receipt(t, m), 4)
	answerID, xml := answerTo(t, m, "19")
	w.send(t, "helsenorge_async", codes.EKontakt, xml, 5)
	b := w.book(t, func(b Book) bool {
		return len(b.Received) == 1 && b.Received[0].Deliveries == 5 && len(b.Receipts) == 1 && b.Receipts[0].Deliveries == 4
	})
	require.Equal(t, answerID, b.Received[0].MsgID)
	require.Len(t, b.Sent, 2)

	// One receipt for the five: the next message is another one's.
	_, one := w.next(t)
	require.Equal(t, answerID, one.Receipt.OriginalMsgID)
	otherID, other := answerTo(t, m, "19")
	w.send(t, "helsenorge_async", codes.EKontakt, other, 1)
	_, two := w.next(t)
	require.Equal(t, otherID, two.Receipt.OriginalMsgID)
}

func TestReceiptsOnDemand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.client.Act(t.Context(), Action{Kind: EContact, To: clinicHerID})
	require.NoError(t, err)
	_, m := w.next(t)

	require.NoError(t, w.client.SetFaults(t.Context(), Faults{Receipt: codes.PatientUnknown}))
	refusedID, xml := answerTo(t, m, "19")
	w.send(t, "helsenorge_async", codes.EKontakt, xml, 1)
	_, refused := w.next(t)
	require.False(t, refused.Receipt.OK)
	require.Equal(t, refusedID, refused.Receipt.OriginalMsgID)
	require.Equal(t, codes.PatientUnknown, refused.Receipt.Errors[0].V)

	require.NoError(t, w.client.SetFaults(t.Context(), Faults{Receipt: "none"}))
	_, xml = answerTo(t, m, "19")
	w.send(t, "helsenorge_async", codes.EKontakt, xml, 1)
	w.book(t, func(b Book) bool { return len(b.Received) == 2 })

	require.NoError(t, w.client.SetFaults(t.Context(), Faults{}))
	thirdID, xml := answerTo(t, m, "19")
	w.send(t, "helsenorge_async", codes.EKontakt, xml, 1)
	_, third := w.next(t)
	require.True(t, third.Receipt.OK)
	require.Equal(t, thirdID, third.Receipt.OriginalMsgID, "the second message got no receipt")
}

func TestAFaultyMessageOfTheClinicIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.client.Act(t.Context(), Action{Kind: EContact, To: clinicHerID})
	require.NoError(t, err)
	_, m := w.next(t)
	_, xml := answerTo(t, m, "19")
	broken := strings.Replace(string(xml), "<MIGversion>", "<MIGversion>x", 1)
	require.NotEqual(t, string(xml), broken)
	w.send(t, "helsenorge_async", codes.EKontakt, []byte(broken), 1)
	_, refused := w.next(t)
	require.False(t, refused.Receipt.OK)
	require.Equal(t, codes.SchemaBroken, refused.Receipt.Errors[0].V)
	b := w.book(t, func(b Book) bool { return len(b.Received) == 1 })
	require.NotEmpty(t, b.Received[0].Problems)

	w.send(t, "helsenorge_async", codes.EKontakt, []byte("not XML"), 1)
	b = w.book(t, func(b Book) bool { return len(b.Received) == 2 })
	require.Equal(t, []string{"unreadable"}, b.Received[1].Problems)
}

func TestTheErrorQueueIsReadAndNeverAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, err := w.client.SendRaw(t.Context(), Raw{Body: []byte("no XML"), Subject: codes.EKontakt, To: clinicHerID, From: OtherHerID})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), waitFor)
	defer cancel()
	d, err := w.messages.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, id, d.Message().ID)
	require.Equal(t, OtherHerID, d.Message().FromHerID)
	require.Equal(t, "no XML", string(d.Message().Body))
	require.NoError(t, d.Accept(ctx))

	report := transport.ErrorReport{Condition: transport.ConditionNotWellFormedXML}.About(d.Message(), "helsenorge_error", uuid.NewString(), time.Now())
	for range 3 {
		require.NoError(t, w.queues.Send(ctx, report))
	}
	unreadable := w.send(t, "helsenorge_error", "", []byte("anything"), 1)
	b := w.book(t, func(b Book) bool { return len(b.Reports) == 2 })
	require.Equal(t, string(transport.ConditionNotWellFormedXML), b.Reports[0].Condition)
	require.Equal(t, id, b.Reports[0].OriginalTransportID)
	require.Equal(t, unreadable, b.Reports[1].TransportID)
	states, err := w.queues.Queues(ctx)
	require.NoError(t, err)
	for _, s := range states {
		require.Zero(t, s.Ready, "nothing is sent about it: %s", s.Name)
	}
}

func TestWhatCannotBeTakenIsADeadLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	poison := transport.Message{ID: "sealed", To: "helsenorge_async", ContentType: "application/pkcs7-mime", FromHerID: clinicHerID, ToHerID: HerID}
	require.NoError(t, w.queues.Send(t.Context(), poison))
	_, err := w.client.Act(t.Context(), Action{Kind: EContact, To: clinicHerID})
	require.NoError(t, err)
	_, m := w.next(t)
	w.send(t, "helsenorge_async", codes.AppRec, receipt(t, m), 1)
	w.book(t, func(b Book) bool { return len(b.Receipts) == 1 })
	dead, err := w.queues.Receiver(t.Context(), "helsenorge_async.dead", 1)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), waitFor)
	defer cancel()
	d, err := dead.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "sealed", d.Message().ID)
}

func TestARestartKeepsTheBook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.client.Act(t.Context(), Action{Kind: EContact, To: clinicHerID})
	require.NoError(t, err)
	_, m := w.next(t)
	receiptXML := receipt(t, m)
	w.send(t, "helsenorge_async", codes.AppRec, receiptXML, 2)
	answerID, answerXML := answerTo(t, m, "19")
	w.send(t, "helsenorge_async", codes.EKontakt, answerXML, 1)
	w.next(t)
	report := transport.ErrorReport{Condition: transport.ConditionInternalError, OriginalMessageID: "x"}.Message()
	report.ID, report.To = "report", "helsenorge_error"
	require.NoError(t, w.queues.Send(t.Context(), report))
	before := w.book(t, func(b Book) bool {
		return len(b.Received) == 1 && len(b.Receipts) == 1 && b.Receipts[0].Deliveries == 2 && len(b.Reports) == 1
	})
	_, err = w.client.Act(t.Context(), Action{Kind: EContact, To: clinicHerID})
	require.NoError(t, err) // it waits on the clinic's queue

	w.stop(t)
	_, err = w.client.Book(t.Context())
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	w.start(t)

	after := w.book(t, func(b Book) bool { return len(b.Sent) == 2 })
	require.Equal(t, before.Received, after.Received)
	require.Equal(t, before.Receipts, after.Receipts)
	require.Equal(t, before.Reports, after.Reports)
	_, waiting := w.next(t)
	require.NotEqual(t, m.Head.MsgID, waiting.Head.MsgID)

	// What was known before is known after.
	w.send(t, "helsenorge_async", codes.EKontakt, answerXML, 1)
	b := w.book(t, func(b Book) bool { return b.Received[0].Deliveries == 2 })
	require.Len(t, b.Received, 1)
	reply, err := w.client.Act(t.Context(), Action{Kind: Reply, InReplyTo: answerID})
	require.NoError(t, err)
	require.Equal(t, m.Head.MsgID, reply.Conversation)
}

func TestARestartWithADamagedBookIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "book.jsonl"), []byte("damaged\n{}\n"), 0o600))
	_, err := Start(ServerConfig{Dir: dir, Parties: w.parties, Logger: slog.New(slog.DiscardHandler)})
	require.Equal(t, apperr.Invalid, apperr.KindOf(err))
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	for name, c := range map[string]struct {
		action Action
		kind   apperr.Kind
	}{
		"unknown kind":    {Action{Kind: "fax", To: clinicHerID}, apperr.Invalid},
		"unknown clinic":  {Action{Kind: EContact, To: 1}, apperr.NotFound},
		"unknown thread":  {Action{Kind: Reply, InReplyTo: uuid.NewString()}, apperr.NotFound},
		"no queue":        {Action{Kind: EContact, To: 900000}, apperr.Invalid},
		"too long a text": {Action{Kind: EContact, To: clinicHerID, Text: strings.Repeat("x", helsenorge.MaxText+1)}, apperr.Invalid},
	} {
		_, err := w.client.Act(ctx, c.action)
		require.Equal(t, c.kind, apperr.KindOf(err), name)
	}
	for name, header := range map[string]string{"unknown field": "", "a browser's page of another origin": "cross-site"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.http.URL+"/simulator/faults", strings.NewReader(`{"receipts":"none"}`))
		require.NoError(t, err)
		req.Header.Set("Sec-Fetch-Site", header)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.GreaterOrEqual(t, resp.StatusCode, 400, name)
	}
	b, err := w.client.Book(ctx)
	require.NoError(t, err)
	require.Empty(t, b.Received)
}

func TestCitizensAreInvented(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for n := range 1000 {
		c := Citizen(n)
		require.NotEmpty(t, c.GivenName)
		require.NotEmpty(t, c.FamilyName)
		id, err := nationalid.Parse(c.NationalID, nationalid.Options{Synthetic: nationalid.Tenor})
		require.NoError(t, err, n)
		require.Equal(t, nationalid.Tenor, id.Synthetic)
		_, err = nationalid.Parse(c.NationalID, nationalid.Options{})
		require.Error(t, err, "no register of real people has it")
		other, taken := seen[c.NationalID]
		require.False(t, taken, fmt.Sprint(n, other))
		seen[c.NationalID] = n
	}
}

// What a citizen writes can go wrong on its way.
func TestFaultsOfMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fault := func(name string) { require.NoError(t, w.client.SetFaults(t.Context(), Faults{Message: name})) }
	write := func() Sent {
		t.Helper()
		s, err := w.client.Act(t.Context(), Action{Kind: EContact, To: clinicHerID})
		require.NoError(t, err)
		return s
	}

	fault(Doubled)
	s := write()
	for range 2 {
		m, _ := w.next(t)
		require.Equal(t, s.TransportID, m.ID)
	}

	fault(Reordered)
	first, second, third := write(), write(), write()
	for _, s := range []Sent{second, first} {
		m, _ := w.next(t)
		require.Equal(t, s.TransportID, m.ID)
	}
	fault(Spoofed) // what waits for another one goes now, with what is wrong now
	m, message := w.next(t)
	require.Equal(t, third.TransportID, m.ID)
	require.Equal(t, OtherHerID, m.FromHerID)
	require.Equal(t, HerID, message.Head.Sender.HerID())

	fault(Unreadable)
	s = write()
	d, err := w.messages.Receive(t.Context())
	require.NoError(t, err)
	require.NoError(t, d.Accept(t.Context()))
	require.Equal(t, s.XML[:len(s.XML)/2], d.Message().Body)

	set, err := w.client.Faults(t.Context())
	require.NoError(t, err)
	require.Equal(t, Faults{Message: Unreadable}, set)
	fault("")
	s = write()
	m, _ = w.next(t)
	require.Equal(t, s.TransportID, m.ID)

	err = w.client.SetFaults(t.Context(), Faults{Receipt: "late", Message: "lost", Activity: "odd", ReceiptTimes: -1})
	var refused *apperr.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, apperr.Invalid, refused.Kind)
	require.Equal(t, []apperr.Field{
		{Path: "receipt", Rule: "none, or a code of 8221 such as E35"},
		{Path: "receiptDelay, receiptTimes", Rule: "zero or more"},
		{Path: "message", Rule: "one of doubled, reordered, spoofed, unreadable"},
		{Path: "activity", Rule: "down or slow"},
	}, refused.Fields)
}
