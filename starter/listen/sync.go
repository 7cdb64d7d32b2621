package listen

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
)

const (
	// syncTTL is what a synchronous request and its answer are worth: 15 s, the way
	// over the broker included (HITS 1216 §2.1.3).
	syncTTL = 15 * time.Second
	// answerWithin bounds everything that is done for one request, and consultWithin
	// the question to the store, so that there is time left to say that it failed.
	answerWithin, consultWithin = 5 * time.Second, 4 * time.Second
)

// What a citizen reads when there is nothing else to show. It is in Norwegian: it is
// the wire's language.
const (
	textLater      = "Legekontoret kan ikke svare akkurat nå. Prøv igjen senere, eller ta kontakt på telefon."
	textNoPeriod   = "Perioden mangler. Velg en fra-dato og en til-dato."
	textNotOffered = "Tjenesten tilbys ikke av legekontoret. Ta kontakt på telefon."
)

// answer brings a request of a synchronous queue to its end: read, answered to the
// queue that it names, settled.
//
// Nothing of it is stored and nothing is started. Responsibility is not transferred
// by a synchronous message (HITS 1216 §2.1.1): it has no receipt and no dead letter,
// and one that is lost or fails concerns nobody but the citizen, who sees so and asks
// again. What was shown to whom, the store audits. So a request is tried once, and
// one that nobody can be waiting for any more is dropped.
func (l *Listener) answer(ctx context.Context, delivery transport.Delivery) {
	m := delivery.Message()
	log := l.logger.With("fromHerId", m.FromHerID, "toHerId", m.ToHerID)
	if age := time.Since(m.SentAt); !m.SentAt.IsZero() && age > syncTTL {
		log.Warn("a synchronous request is dropped: nobody waits for it any more", "age", age)
	} else if err := l.respond(ctx, m, log); ctx.Err() != nil {
		return // unsettled: another listener may still be in time
	} else if err != nil {
		log.Error("a synchronous request got no answer", "kind", apperr.KindOf(err), "error", err)
	}
	if err := delivery.Accept(ctx); err != nil && !errors.Is(err, context.Canceled) {
		log.Warn("a synchronous request could not be settled: it will come again", "error", err)
	}
}

// respond answers, or tells the sender's error queue why there is no answer.
func (l *Listener) respond(ctx context.Context, m *transport.Message, log *slog.Logger) (err error) {
	defer func() {
		if r := recover(); r != nil {
			log.Error("answering a synchronous request panicked", "at", string(debug.Stack()))
			err = apperr.New(apperr.Internal, "answering the request panicked")
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	began := time.Now()
	a, request, problems, err := l.open(ctx, envelope(m, false), m)
	if err != nil {
		return err
	}
	if a.Verdict == pg.Noted {
		log.Warn("a synchronous request of nobody is dropped")
		return nil
	}
	sender, err := l.registry.Party(ctx, a.FromHerID)
	if err != nil {
		return err
	}
	queue := m.ReplyTo[strings.LastIndexByte(m.ReplyTo, '/')+1:] // it may be the registry's whole address
	if request != nil {
		a = judgeSync(withContent(a, request), request, problems)
	}
	if a.Verdict == "" && (queue == "" || queue != sender.SyncReplyQueue) {
		a = reported(a, transport.ConditionInvalidFieldValue, "the queue for the answer is missing, or not the sender's")
		a.Problems[0].Path = "reply-to"
	}
	if a.Verdict != "" {
		return l.reportNow(ctx, a, m, sender, log)
	}
	said, err := l.consult(ctx, a, request)
	if apperr.Is(err, apperr.NotFound) {
		a = reported(a, transport.ConditionInvalidFieldValue, "no party of this installation has the receiver's HER-id")
		a.Problems[0].Path = "toHerId"
		return l.reportNow(ctx, a, m, sender, log)
	}
	var xml []byte
	if err == nil {
		xml, err = l.compose(ctx, said, request)
	}
	if err != nil {
		log.Error("a synchronous request is answered with a failure", "function", a.Function, "kind", apperr.KindOf(err), "error", err)
		code, ok := failures[a.Function]
		if !ok {
			return err
		}
		said = pg.Offers{Code: code, Reason: "failure", Text: textLater}
		if xml, err = l.compose(ctx, said, request); err != nil {
			return err
		}
	}
	reply := transport.Message{
		ID: uuid.NewString(), Subject: m.Subject, To: queue, CorrelationID: cmp.Or(m.CorrelationID, m.ID),
		FromHerID: m.ToHerID, ToHerID: m.FromHerID, SentAt: time.Now().UTC(), TTL: syncTTL,
	}
	if err := l.sealer.Seal(ctx, &reply, xml); err != nil {
		return err
	}
	if err := l.transport.Send(ctx, reply); err != nil {
		return err
	}
	l.meter.Answer(a.ProcessCode, time.Since(began))
	log.Info("a synchronous request is answered", "process", a.ProcessCode, "function", a.Function, "code", said.Code, "reason", said.Reason,
		"slots", len(said.Slots), "took", time.Since(began))
	return nil
}

// failures are the answers that say that we failed. Kodeverk 7602 has 31 for that,
// which HITS 1217 §3.11 gives practitioners; free slots have the refusal 26 only
// (§3.4.2), and its text says that it is for now. A communication test that fails is
// not answered: that is its answer.
var failures = map[string]string{
	codes.SlotsRequest:         codes.RequestRefused,
	codes.PractitionersRequest: codes.GeneralError,
}

// judgeSync decides on a request whose head is readable. There is no receipt on a
// synchronous queue to refuse it with, so the sender's error queue is told of
// everything that a receipt says elsewhere (HITS 1216 §2.1.3, §2.2.3). The verdict is
// empty for what is to be answered.
func judgeSync(a pg.Arrival, m *helsenorge.Message, problems []helsenorge.Problem) pg.Arrival {
	condition, rule := intolerable(a, m)
	if condition != "" {
		return reported(a, condition, rule)
	}
	if problems = append(misdirected(a, m), problems...); len(problems) > 0 {
		condition = transport.ConditionInvalidFieldValue
		if slices.Contains([]string{codes.NotWellFormed, codes.SchemaBroken, codes.FormatUnsupported}, problems[0].Code) {
			condition = transport.ConditionNotWellFormedXML
		}
		a = reported(a, condition, problems[0].Rule)
		a.Problems[0].Path = problems[0].Path
		return a
	}
	// An answer, a receipt or a message that is to be kept has no business here.
	if m.Dialog == nil || m.Dialog.Request == nil || !m.Synchronous() {
		return reported(a, transport.ConditionUnsupportedMessage, "the message is not one that is answered synchronously")
	}
	return a
}

// consult finds what to answer: an Offers, since a code and a text are all that the
// other answers have. apperr.NotFound is for a receiver that is no party of ours.
func (l *Listener) consult(ctx context.Context, a pg.Arrival, m *helsenorge.Message) (pg.Offers, error) {
	ctx, cancel := context.WithTimeout(ctx, consultWithin)
	defer cancel()
	q := pg.OfferQuery{ToHerID: a.ToHerID, HPR: a.Content.WishedHPR}
	if m.Head.Patient != nil {
		q.NationalID = m.Head.Patient.NationalID
	}
	if r := m.Relation; r != nil { // who acts changes no answer, and is audited (HITS 1217 §2.5)
		q.ActorID, q.Relation = r.Person.NationalID, unknownCode
		if codes.Has(codes.Representation, r.Kind.V) {
			q.Relation = r.Kind.V
		}
	}
	refused := func(reason, text string) (pg.Offers, error) {
		return pg.Offers{Code: codes.RequestRefused, Reason: reason, Text: text}, nil
	}
	switch a.Function {
	case codes.SlotsRequest:
		q.From, q.To = m.Dialog.Request.From, m.Dialog.Request.To
		if q.From.IsZero() || q.To.IsZero() {
			return refused("no-period", textNoPeriod)
		}
		return l.store.Offers(ctx, q)
	case codes.PractitionersRequest:
		return l.store.OfferedPractitioners(ctx, q)
	case codes.TestRequest:
		// Whoever asks wants to know whether messages arrive, which needs the store too.
		parties, err := l.store.Parties(ctx)
		if err == nil && !slices.Contains(parties, a.ToHerID) {
			err = apperr.New(apperr.NotFound, "no party of this installation has the HER-id")
		}
		return pg.Offers{Code: codes.TestAnswer}, err
	}
	// Planned appointments (HBT) are for home-based services (HITS 1217 §3.4.4).
	return refused("not-offered", textNotOffered)
}

// compose writes the answer to a request: a Notat in its thread.
func (l *Listener) compose(ctx context.Context, said pg.Offers, to *helsenorge.Message) ([]byte, error) {
	head, err := registry.ReplyHead(ctx, l.registry, to, uuid.NewString(), time.Now().UTC().Truncate(time.Second), "")
	if err != nil {
		return nil, err
	}
	out := &helsenorge.Message{Head: head}
	for _, p := range said.Practitioners {
		if professional, ok := helsenorge.Named(p.Name, p.HPR); ok {
			out.Practitioners = append(out.Practitioners, helsenorge.Practitioner{Professional: professional})
		}
	}
	for _, s := range said.Slots {
		out.Events = append(out.Events, free(s, said.ContactHerID))
	}
	list := codes.Answers
	switch {
	case said.Code == codes.TestAnswer:
		list = codes.TestCodes
	case said.Code == codes.PractitionersFound && len(out.Practitioners) == 0:
		said.Code = codes.NoPractitioners // somebody, but nobody whom a citizen can be shown
	}
	out.Dialog = &helsenorge.Dialog{Note: &helsenorge.Note{
		Topic: helsenorge.Code{V: said.Code, S: list.OID(), DN: codes.Name(list, said.Code)},
		Text:  helsenorge.Text{Plain: said.Text},
	}}
	return helsenorge.WriteMessage(out)
}

// free is a free slot as Helsenorge shows it (HITS 1217 §2.8.5): one that is booked by
// telephone has no instant from which it can be booked here.
func free(s pg.OfferedSlot, contact int) helsenorge.Event {
	e := helsenorge.Event{
		UID: s.ID, StartsAt: s.StartsAt, EndsAt: s.EndsAt, Contact: contact,
		Summary: s.Summary, Location: s.Place, Status: helsenorge.StatusTentative, AvailableAt: s.AvailableAt,
	}
	if s.Category != "" {
		e.Categories = append(e.Categories, s.Category)
	}
	if s.MustCall {
		e.Categories, e.AvailableAt = append(e.Categories, helsenorge.CategoryMustCall), time.Time{}
	}
	return e
}

// reportNow tells the sender's error queue why a request got no answer.
func (l *Listener) reportNow(ctx context.Context, a pg.Arrival, m *transport.Message, sender registry.Party, log *slog.Logger) error {
	if sender.ErrorQueue == "" {
		return apperr.New(apperr.NotFound, "the sender has no error queue in the address registry")
	}
	p := a.Problems[0]
	now := time.Now().UTC()
	r := transport.ErrorReport{Condition: transport.Condition(p.Code), Description: p.Rule, ReceivedAt: now}
	if p.Path != "" {
		r.Data = []string{p.Path}
	}
	if err := l.transport.Send(ctx, r.About(m, sender.ErrorQueue, uuid.NewString(), now)); err != nil {
		return err
	}
	log.Warn("a synchronous request is reported to its sender", "condition", p.Code, "at", p.Path)
	return nil
}
