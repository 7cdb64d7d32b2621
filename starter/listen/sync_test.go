package listen

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback"
	"github.com/helsebro/helsebro/internal/xsdtest"
)

// slots is a request for free slots over a number of days.
func slots(days int) *helsenorge.Message {
	m := request(codes.Timereservasjon, codes.SlotsRequest)
	m.Dialog.Request.From = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	m.Dialog.Request.To = m.Dialog.Request.From.AddDate(0, 0, days)
	return m
}

func (w *world) says(o pg.Offers, err error) {
	w.store.offers = func(context.Context, pg.OfferQuery) (pg.Offers, error) { return o, err }
}

// one reads the one answer that was sent.
func one(t *testing.T, sent []transport.Message) (transport.Message, *helsenorge.Message) {
	t.Helper()
	require.Len(t, sent, 1)
	m, problems := helsenorge.Read(sent[0].Body)
	require.NotNil(t, m)
	require.Empty(t, problems)
	return sent[0], m
}

func TestFreeSlotsAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	start := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	plain, phone, later := uuid.NewString(), uuid.NewString(), uuid.NewString()
	w.says(pg.Offers{Code: codes.SlotsFound, ContactHerID: gp, Slots: []pg.OfferedSlot{
		{ID: plain, StartsAt: start, EndsAt: start.Add(20 * time.Minute), Summary: "Vanlig time", Place: "Storgata 1"},
		{ID: phone, StartsAt: start.Add(time.Hour), EndsAt: start.Add(2 * time.Hour), Category: helsenorge.CategoryUrgent, MustCall: true, AvailableAt: start},
		{ID: later, StartsAt: start.Add(3 * time.Hour), EndsAt: start.Add(4 * time.Hour), Category: helsenorge.CategoryVideo, AvailableAt: start},
	}}, nil)
	question := slots(28)
	question.Dialog.Request.Roles = []helsenorge.Role{{
		RoleToPatient: &helsenorge.Code{V: codes.WishedPractitioner},
		Professional:  professional(t, "Vera Vikar", hpr),
	}}
	asked := enveloped(t, question)
	asked.ReplyTo = "tb.nhn.no/Exchange/hn_syncreply" // the registry's whole address

	answer, m := one(t, w.ask(t, asked))
	require.WithinDuration(t, time.Now(), answer.SentAt, time.Minute)
	require.NoError(t, uuid.Validate(answer.ID))
	require.Equal(t, transport.Message{
		ID: answer.ID, Subject: codes.Timereservasjon, To: "hn_syncreply", CorrelationID: "corr", ContentType: transport.ContentTypePlain,
		FromHerID: gp, ToHerID: asker, SentAt: answer.SentAt, TTL: 15 * time.Second, Body: answer.Body,
	}, answer)
	require.Equal(t, []pg.OfferQuery{{
		ToHerID: gp, NationalID: national, HPR: hpr, From: question.Dialog.Request.From, To: question.Dialog.Request.To,
	}}, w.store.asked)
	require.Equal(t, codes.SlotsFound, m.Dialog.Function())
	require.False(t, m.Head.WantsReceipt)
	require.Equal(t, question.Head.MsgID, m.Head.RefToParent)
	require.Equal(t, question.Head.MsgID, m.Head.RefToConversation)
	require.Equal(t, gp, m.Head.Sender.HerID())
	require.Equal(t, national, m.Head.Patient.NationalID)
	event := func(id string, from, to int, categories ...string) helsenorge.Event {
		return helsenorge.Event{
			UID: id, StartsAt: start.Add(time.Duration(from) * time.Hour), EndsAt: start.Add(time.Duration(to) * time.Hour),
			Contact: gp, Status: helsenorge.StatusTentative, Categories: categories,
		}
	}
	first := event(plain, 0, 0)
	first.EndsAt, first.Summary, first.Location = start.Add(20*time.Minute), "Vanlig time", "Storgata 1"
	last := event(later, 3, 4, helsenorge.CategoryVideo)
	last.AvailableAt = start
	require.Equal(t, []helsenorge.Event{first, event(phone, 1, 2, helsenorge.CategoryUrgent, helsenorge.CategoryMustCall), last}, m.Events)
	xsdtest.RequireValid(t, answer.Body)
}

func professional(t *testing.T, name, hpr string) *helsenorge.HealthcareProfessional {
	t.Helper()
	p, ok := helsenorge.Named(name, hpr)
	require.True(t, ok)
	return &p
}

func TestEverySynchronousAnswer(t *testing.T) {
	t.Parallel()
	practitioners := request(codes.Behandleroversikt, codes.PractitionersRequest)
	dateless := slots(1)
	unavailable := apperr.New(apperr.Unavailable, "the database is down")
	for name, c := range map[string]struct {
		question *helsenorge.Message
		dates    bool // false takes them out
		says     pg.Offers
		err      error
		code     string
		text     string
		asked    int
	}{
		"no slots":           {slots(1), true, pg.Offers{Code: "04"}, nil, "04", "", 1},
		"refused":            {slots(1), true, pg.Offers{Code: "26", Text: "Ikke din fastlege."}, nil, "26", "Ikke din fastlege.", 1},
		"no access":          {slots(1), true, pg.Offers{Code: "30", Text: "Ring oss."}, nil, "30", "Ring oss.", 1},
		"one day":            {slots(0), true, pg.Offers{Code: "04"}, nil, "04", "", 1},
		"no dates":           {dateless, false, pg.Offers{}, nil, "26", textNoPeriod, 0},
		"store down":         {slots(1), true, pg.Offers{}, unavailable, "26", textLater, 1},
		"unwritable":         {slots(1), true, pg.Offers{Code: "03"}, nil, "26", textLater, 1},
		"practitioners":      {practitioners, true, pg.Offers{Code: "20", Practitioners: []pg.OfferedPractitioner{{Name: "Vera Vikar", HPR: hpr}}}, nil, "20", "", 1},
		"nobody to show":     {practitioners, true, pg.Offers{Code: "20", Practitioners: []pg.OfferedPractitioner{{Name: "Vikar"}}}, nil, "21", "", 1},
		"none":               {practitioners, true, pg.Offers{Code: "21"}, nil, "21", "", 1},
		"none for him":       {practitioners, true, pg.Offers{Code: "30", Text: "Ring oss."}, nil, "30", "Ring oss.", 1},
		"practitioners down": {practitioners, true, pg.Offers{}, unavailable, "31", textLater, 1},
		"planned":            {request(codes.Timereservasjon, codes.PlannedRequest), true, pg.Offers{}, nil, "26", textNotOffered, 0},
		"communication test": {request(codes.Test, codes.TestRequest), true, pg.Offers{}, nil, "RKT", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.says(c.says, c.err)
			asked := enveloped(t, c.question)
			if !c.dates {
				for _, element := range []string{"FraDato", "TilDato"} {
					before, rest, _ := strings.Cut(string(asked.Body), "<"+element+">")
					_, after, found := strings.Cut(rest, "</"+element+">")
					require.True(t, found)
					asked.Body = []byte(before + after)
				}
			}
			answer, m := one(t, w.ask(t, asked))
			require.Equal(t, []any{c.code, c.text, c.asked}, []any{m.Dialog.Function(), m.Dialog.Note.Text.Plain, len(w.store.asked)})
			require.False(t, m.Head.WantsReceipt)
			require.Empty(t, m.Events)
			require.Len(t, m.Practitioners, map[bool]int{true: 1}[c.code == "20"])
			xsdtest.RequireValid(t, answer.Body)
		})
	}
}

// TestWrongRequestsAreReported: there is no receipt on a synchronous queue.
func TestWrongRequestsAreReported(t *testing.T) {
	t.Parallel()
	reserve := request(codes.Timereservasjon, codes.BookingRequest)
	reserve.Dialog.Request.Coded = &helsenorge.Code{V: codes.OtherDeclined}
	start := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	reserve.Events = []helsenorge.Event{{UID: uuid.NewString(), StartsAt: start, EndsAt: start.Add(time.Hour), Contact: gp}}
	replace := func(m *transport.Message, old, with string) {
		body := strings.Replace(string(m.Body), old, with, 1)
		if body == string(m.Body) {
			panic("nothing to replace")
		}
		m.Body = []byte(body)
	}
	for name, c := range map[string]struct {
		question *helsenorge.Message
		spoil    func(*transport.Message)
		want     transport.Condition
		queue    string
	}{
		"a forged sender":       {slots(1), func(m *transport.Message) { m.FromHerID = 800002 }, transport.ConditionSpoofing, "else_error"},
		"another receiver":      {slots(1), func(m *transport.Message) { m.ToHerID = 800002 }, transport.ConditionInvalidFieldValue, "hn_error"},
		"no XML":                {slots(1), func(m *transport.Message) { m.Body = []byte("?") }, transport.ConditionNotWellFormedXML, "hn_error"},
		"breaks the schema":     {slots(1), func(m *transport.Message) { replace(m, "<MIGversion>", "<MIGversion>x") }, transport.ConditionNotWellFormedXML, "hn_error"},
		"an unknown patient":    {slots(1), func(m *transport.Message) { replace(m, national, "1") }, transport.ConditionInvalidFieldValue, "hn_error"},
		"an unknown process":    {slots(1), func(m *transport.Message) { replace(m, codes.Timereservasjon, "DIALOG_X") }, transport.ConditionUnsupportedMessage, "hn_error"},
		"an unknown function":   {slots(1), func(m *transport.Message) { replace(m, `"HLT"`, `"XYZ"`) }, transport.ConditionUnsupportedMessage, "hn_error"},
		"one that is kept":      {reserve, func(*transport.Message) {}, transport.ConditionUnsupportedMessage, "hn_error"},
		"no subject":            {slots(1), func(m *transport.Message) { m.Subject = "" }, transport.ConditionInvalidFieldValue, "hn_error"},
		"sealed for others":     {slots(1), func(m *transport.Message) { m.ContentType = "application/pkcs7-mime" }, transport.ConditionUnsupportedMessage, "hn_error"},
		"no reply queue":        {slots(1), func(m *transport.Message) { m.ReplyTo = "" }, transport.ConditionInvalidFieldValue, "hn_error"},
		"another's reply queue": {slots(1), func(m *transport.Message) { m.ReplyTo = "else_async" }, transport.ConditionInvalidFieldValue, "hn_error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := enveloped(t, c.question)
			c.spoil(m)
			sent := w.ask(t, m)
			require.Len(t, sent, 1)
			require.Equal(t, c.queue, sent[0].To)
			r, err := transport.ErrorReportOf(&sent[0])
			require.NoError(t, err)
			require.Equal(t, []any{c.want, m.ID}, []any{r.Condition, r.OriginalMessageID})
			require.NotContains(t, fmt.Sprint(r), national)
			require.Empty(t, w.store.asked, "nobody was asked for it")
		})
	}
}

// TestWhoAsksForAnotherIsAudited (HITS 1217 §2.5): the answer is the same.
func TestWhoAsksForAnotherIsAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.says(pg.Offers{Code: "04"}, nil)
	question := slots(1)
	mother := nationalid.Synthetic(time.Date(1985, 3, 1, 0, 0, 0, 0, time.UTC), 2)
	question.Relation = &helsenorge.Relation{
		Kind:   helsenorge.Code{V: "FO", S: codes.Representation.OID(), DN: codes.Name(codes.Representation, "FO")},
		Person: helsenorge.Person{GivenName: "Mor", FamilyName: patient, NationalID: mother, IDType: codes.Fodselsnummer},
	}
	_, m := one(t, w.ask(t, enveloped(t, question)))
	require.Equal(t, "04", m.Dialog.Function())
	require.Nil(t, m.Relation, "an answer never has it")
	require.Equal(t, []string{national, mother, "FO"}, []string{w.store.asked[0].NationalID, w.store.asked[0].ActorID, w.store.asked[0].Relation})
	require.NotContains(t, w.log.String(), mother)
}

// TestAnswersGoWhereTheRegistrySays: a party without a queue for answers cannot have
// them brought to somebody else's.
func TestAnswersGoWhereTheRegistrySays(t *testing.T) {
	t.Parallel()
	for _, queue := range []string{"hn_async", "gp_sync", "else_async", "else_syncreply"} {
		w := newWorld(t)
		w.says(pg.Offers{Code: "04"}, nil)
		m := enveloped(t, slots(1))
		m.FromHerID, m.ReplyTo = 800002, queue
		m.Body = []byte(strings.Replace(string(m.Body), "800001", "800002", 1))
		sent := w.ask(t, m)
		require.Len(t, sent, 1)
		require.Equal(t, "else_error", sent[0].To)
		require.Empty(t, w.store.asked)
	}
}

// TestAnAnswerIsNotAnswered: two parties that answer answers would never stop.
func TestAnAnswerIsNotAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	question := slots(1)
	xml, err := w.compose(t.Context(), pg.Offers{Code: "04"}, question)
	require.NoError(t, err)
	back, problems := helsenorge.Read(xml)
	require.Empty(t, problems)
	m := enveloped(t, question)
	m.Body, m.FromHerID, m.ToHerID = xml, back.Head.Sender.HerID(), back.Head.Receiver.HerID()
	sent := w.ask(t, m)
	require.Len(t, sent, 1)
	require.Equal(t, "gp_error", sent[0].To)
}

func TestNobodyOfOursIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.says(pg.Offers{}, apperr.New(apperr.NotFound, "no such party"))
	sent := w.ask(t, enveloped(t, slots(1)))
	require.Len(t, sent, 1)
	r, err := transport.ErrorReportOf(&sent[0])
	require.NoError(t, err)
	require.Equal(t, transport.ErrorReport{
		Condition: transport.ConditionInvalidFieldValue, Description: "no party of this installation has the receiver's HER-id", Data: []string{"toHerId"},
		OriginalMessageID: r.OriginalMessageID, ReceivedAt: r.ReceivedAt,
	}, r)
}

func TestALateRequestIsDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.says(pg.Offers{Code: "04"}, nil)
	m := enveloped(t, slots(1))
	m.SentAt = time.Now().Add(-16 * time.Second)
	require.Empty(t, w.ask(t, m))
	require.Empty(t, w.store.asked)
	require.Contains(t, w.log.String(), "nobody waits for it any more")
	m.SentAt = time.Time{}
	require.Len(t, w.ask(t, m), 1, "one that does not say when it was sent is answered")
}

// TestASlowStoreCostsNobodyTheAnswer: the whole is bounded, and who waits is told.
func TestASlowStoreCostsNobodyTheAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.offers = func(ctx context.Context, _ pg.OfferQuery) (pg.Offers, error) {
		<-ctx.Done()
		return pg.Offers{}, apperr.Wrap(apperr.Unavailable, ctx.Err(), "the database is slow")
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, m := one(t, w.ask(t, enveloped(t, slots(1))))
		require.Equal(t, "26", m.Dialog.Function())
		require.Equal(t, consultWithin, time.Since(began))
	})
}

func TestWhatCannotBeSentIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.says(pg.Offers{Code: "04"}, nil)
	w.queues.fail = apperr.New(apperr.Unavailable, "the broker is down")
	require.Empty(t, w.ask(t, enveloped(t, slots(1))))
	require.Contains(t, w.log.String(), "got no answer")

	w.queues.fail = nil
	w.store.offers = func(context.Context, pg.OfferQuery) (pg.Offers, error) { panic(patient) }
	require.Empty(t, w.ask(t, enveloped(t, slots(1))))
	require.Contains(t, w.log.String(), "panicked")
}

// TestARequestIsLeftToOthersByWhoStops: it may still be answered in time.
func TestARequestIsLeftToOthersByWhoStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	w.store.offers = func(context.Context, pg.OfferQuery) (pg.Offers, error) {
		stop()
		return pg.Offers{Code: "04"}, nil
	}
	d := &fakeDelivery{m: enveloped(t, slots(1))}
	w.answer(ctx, d)
	require.Zero(t, d.accepted)
}

// TestTheListenerListensOnAllItsQueues: over real queues.
func TestTheListenerListensOnAllItsQueues(t *testing.T) {
	t.Parallel()
	all := parties(t)
	broker, err := loopback.Open(loopback.Config{Path: filepath.Join(t.TempDir(), "queues"), Queues: registry.Queues(all.Parties())})
	require.NoError(t, err)
	store := &fakeStore{offers: func(context.Context, pg.OfferQuery) (pg.Offers, error) { return pg.Offers{Code: "04"}, nil }}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- New(store, &fakeTemporal{}, broker, transport.Plain{}, all, nil, slog.New(slog.DiscardHandler)).Run(ctx)
	}()
	replies, err := broker.Receiver(ctx, "hn_syncreply", 1)
	require.NoError(t, err)
	asked := enveloped(t, slots(1))
	require.NoError(t, broker.Send(ctx, *asked))
	d, err := replies.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "corr", d.Message().CorrelationID)
	require.NoError(t, d.Accept(ctx))

	wish := request(codes.Timeonske, codes.AppointmentWish)
	wish.Dialog.Request.Coded = &helsenorge.Code{V: codes.OtherAccepted}
	kept := enveloped(t, wish)
	kept.To = "gp_async"
	require.NoError(t, broker.Send(ctx, *kept))
	require.Eventually(t, func() bool {
		store.mu.Lock()
		defer store.mu.Unlock()
		return len(store.arrivals) == 1
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, replies.Close(ctx))
	cancel()
	require.NoError(t, <-ended)
	for _, q := range broker.Queues() {
		require.Zero(t, q.Ready+q.Unsettled, q.Name)
	}
	require.NoError(t, broker.Close(context.Background()))
}

// TestOfficialSamplesOfWhatIsAskedAtOnce: their Ack J, and a question for planned
// appointments that asks for free ones without dates.
func TestOfficialSamplesOfWhatIsAskedAtOnce(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"TIMERESERVASJON__1.2__ledige-timer-foresporsel":    "04",
		"TIMERESERVASJON__1.2__planlagte-timer-foresporsel": "26",
		"BEHANDLEROVERSIKT__1.1__behandleroversikt-foresp":  "21",
		"TEST__1.1__kommunikasjonstest-foresporsel-helseno": "RKT",
	}
	for part, code := range want {
		for name, raw := range xsdtest.Samples(t, part) {
			w := newWorld(t)
			w.says(pg.Offers{Code: code}, nil)
			m, problems := helsenorge.Read(raw)
			require.Empty(t, problems, name)
			w.registry = sampled{m.Head.Sender.HerID(): 1, m.Head.Receiver.HerID(): 2}
			w.Listener.store = sampleStore{w.store, m.Head.Receiver.HerID()}
			answer, said := one(t, w.ask(t, &transport.Message{
				ID: "id", Subject: m.Head.Process, ReplyTo: "r", ContentType: transport.ContentTypePlain,
				FromHerID: m.Head.Sender.HerID(), ToHerID: m.Head.Receiver.HerID(), SentAt: time.Now(), Body: raw,
			}))
			require.Equal(t, code, said.Dialog.Function(), name)
			require.Equal(t, "id", answer.CorrelationID, "a request without one is known by its id")
			require.Equal(t, m.Head.MsgID, said.Head.RefToParent)
			xsdtest.RequireValid(t, answer.Body)
		}
	}
}

// sampled is a registry that knows the parties of a sample.
type sampled map[int]int

func (s sampled) Party(_ context.Context, herID int) (registry.Party, error) {
	if _, ok := s[herID]; !ok {
		return registry.Party{}, apperr.New(apperr.NotFound, "HER-id %d is not in the sample", herID)
	}
	return registry.Party{HerID: herID, Name: "Part", AsyncQueue: "a", SyncReplyQueue: "r", ErrorQueue: "e"}, nil
}

// sampleStore has the receiver of a sample as its party.
type sampleStore struct {
	*fakeStore
	party int
}

func (s sampleStore) Parties(context.Context) ([]int, error) { return []int{s.party}, nil }
