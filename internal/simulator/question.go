package simulator

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/transport"
)

// QuestionKind is what a citizen, or Helsenorge itself, waits for on the screen.
type QuestionKind string

// What is asked synchronously.
const (
	FreeSlots         QuestionKind = "slots"         // HLT
	Planned           QuestionKind = "planned"       // HBT
	Practitioners     QuestionKind = "practitioners" // HB
	CommunicationTest QuestionKind = "test"          // KT
)

// questions are the process and function of each kind.
var questions = map[QuestionKind][2]string{
	FreeSlots:         {codes.Timereservasjon, codes.SlotsRequest},
	Planned:           {codes.Timereservasjon, codes.PlannedRequest},
	Practitioners:     {codes.Behandleroversikt, codes.PractitionersRequest},
	CommunicationTest: {codes.Test, codes.TestRequest},
}

// Question is what is asked of a party.
type Question struct {
	Kind QuestionKind `json:"kind"`
	To   int          `json:"to"`
	// Citizen is who asks, By who asks for him; 0 is nobody.
	Citizen int `json:"citizen"`
	By      int `json:"by,omitempty"`
	// From and Until are the first and the last day of free slots, as 2006-01-02; empty
	// ones are today and four weeks later.
	From  string `json:"from,omitempty"`
	Until string `json:"until,omitempty"`
	// HPR is the practitioner whose slots are asked for; "" is the party's own.
	HPR string `json:"hpr,omitempty"`
}

// Answer is what the party answered.
type Answer struct {
	MsgID string `json:"msgId"`
	// Code is of 7602, or RKT; Text is for the citizen.
	Code          string         `json:"code"`
	Text          string         `json:"text,omitempty"`
	Slots         []Slot         `json:"slots,omitempty"`
	Practitioners []Practitioner `json:"practitioners,omitempty"`
	// Problems are the rules of the standard that it breaks.
	Problems []string `json:"problems,omitempty"`
	XML      []byte   `json:"xml"`
	// Took is how long the citizen waited.
	Took time.Duration `json:"took"`
}

// Practitioner is somebody with a calendar of his own.
type Practitioner struct {
	Name string `json:"name"`
	HPR  string `json:"hpr"`
}

// patience is how long an answer is waited for (HITS 1216 §2.1.3).
const patience = 15 * time.Second

// waiter waits for the answer of a party.
type waiter struct {
	from   int
	answer chan result
}

type result struct {
	xml []byte
	err error
}

// Ask asks a party and waits for its answer. It is apperr.Unavailable when there is
// none within 15 s, and apperr.Unsupported when the party reports the question on the
// error queue instead.
func (h *Helsenorge) Ask(ctx context.Context, q Question) (Answer, error) {
	m, err := h.question(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	xml, err := helsenorge.WriteMessage(m)
	if err != nil {
		return Answer{}, err
	}
	id, began := uuid.NewString(), time.Now()
	w := &waiter{from: q.To, answer: make(chan result, 1)}
	h.mu.Lock()
	h.waiting[id] = w // before it is sent: the answer may be here at once
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.waiting, id)
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := h.sendNow(ctx, q.To, m.Head.Process, id, xml); err != nil {
		return Answer{}, err
	}
	select {
	case <-ctx.Done():
		return Answer{}, apperr.New(apperr.Unavailable, "party %d did not answer within %s: is its listener running?", q.To, patience)
	case r := <-w.answer:
		if r.err != nil {
			return Answer{}, r.err
		}
		return read(r.xml, time.Since(began))
	}
}

// question makes the message of a question.
func (h *Helsenorge) question(ctx context.Context, q Question) (*helsenorge.Message, error) {
	kind, ok := questions[q.Kind]
	if !ok {
		return nil, apperr.InvalidFields("that is not asked", apperr.Field{
			Path: "kind", Rule: fmt.Sprintf("one of %s, %s, %s, %s", FreeSlots, Planned, Practitioners, CommunicationTest),
		})
	}
	list := codes.Requests
	if q.Kind == CommunicationTest {
		list = codes.TestCodes
	}
	r := &helsenorge.Request{Type: helsenorge.Code{V: kind[1], S: list.OID(), DN: codes.Name(list, kind[1])}}
	if q.Kind == FreeSlots {
		r.Roles = wished(q.HPR)
		y, m, d := oslo.In(time.Now()).Date()
		r.From = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
		var err error
		if q.From != "" {
			if r.From, err = time.Parse(time.DateOnly, q.From); err != nil {
				return nil, notADate("from")
			}
		}
		r.To = r.From.AddDate(0, 0, helsenorge.MaxSlotDays)
		if q.Until != "" {
			if r.To, err = time.Parse(time.DateOnly, q.Until); err != nil {
				return nil, notADate("until")
			}
		}
	}
	return h.message(ctx, helsenorge.Head{Process: kind[0]}, &helsenorge.Dialog{Request: r}, q.Citizen, q.To, acting{by: q.By})
}

func notADate(path string) error {
	return apperr.InvalidFields("the question has no such day", apperr.Field{Path: path, Rule: "a date as 2026-11-23"})
}

// sendNow hands a question to a party's synchronous queue.
func (h *Helsenorge) sendNow(ctx context.Context, to int, subject, id string, xml []byte) error {
	party, err := h.cfg.Registry.Party(ctx, to)
	if err != nil {
		return err
	}
	if party.SyncQueue == "" {
		return apperr.New(apperr.NotFound, "party %d has no synchronous queue in the address registry", to)
	}
	own, err := h.cfg.Registry.Party(ctx, HerID)
	if err != nil {
		return err
	}
	m := transport.Message{
		ID: id, Subject: subject, To: party.SyncQueue, ReplyTo: own.SyncReplyQueue, CorrelationID: id,
		FromHerID: HerID, ToHerID: to, SentAt: time.Now().UTC(), TTL: patience,
	}
	if err := h.cfg.Sealer.Seal(ctx, &m, xml); err != nil {
		return err
	}
	return h.cfg.Transport.Send(ctx, m)
}

// takeReply gives an answer to who waits for it. One that nobody waits for came too
// late, or is not of the party that was asked: it is discarded.
func (h *Helsenorge) takeReply(ctx context.Context, m *transport.Message) error {
	h.mu.Lock()
	w := h.waiting[m.CorrelationID]
	h.mu.Unlock()
	if w == nil || w.from != m.FromHerID {
		h.cfg.Logger.Warn("an answer is discarded: nobody waits for it", "fromHerId", m.FromHerID)
		return nil
	}
	xml, err := h.cfg.Sealer.Open(ctx, m)
	w.give(result{xml, err})
	return nil
}

// refusedNow tells who waits that his question was reported on the error queue.
func (h *Helsenorge) refusedNow(r transport.ErrorReport) {
	h.mu.Lock()
	w := h.waiting[r.OriginalMessageID]
	h.mu.Unlock()
	if w != nil {
		w.give(result{err: apperr.New(apperr.Unsupported, "the question was reported on the error queue: %s %s", r.Condition, r.Description)})
	}
}

// give answers once; what comes after it is of no use.
func (w *waiter) give(r result) {
	select {
	case w.answer <- r:
	default:
	}
}

// read reads an answer.
func read(xml []byte, took time.Duration) (Answer, error) {
	m, problems := helsenorge.Read(xml)
	if m == nil || m.Dialog == nil {
		return Answer{}, apperr.New(apperr.Invalid, "the answer cannot be read")
	}
	a := Answer{MsgID: m.Head.MsgID, Code: m.Dialog.Function(), XML: xml, Took: took}
	if m.Dialog.Note != nil {
		a.Text = m.Dialog.Note.Text.Plain
	}
	for _, e := range m.Events {
		a.Slots = append(a.Slots, slotOf(e))
	}
	for _, p := range m.Practitioners {
		who := Practitioner{Name: p.Professional.GivenName + " " + p.Professional.FamilyName}
		for _, id := range p.Professional.Idents {
			if id.Type.V == codes.HPR {
				who.HPR = id.ID
			}
		}
		a.Practitioners = append(a.Practitioners, who)
	}
	for _, p := range problems {
		a.Problems = append(a.Problems, p.Code+" "+p.Path+": "+p.Rule)
	}
	return a, nil
}
