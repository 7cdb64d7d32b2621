// Package simulator is Helsenorge as a counterpart: citizens who write, receipts
// for what the clinic sends, faults on demand, and a book of all of it that an
// auditor can count. It knows nothing of the product's inside: only messages.
package simulator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback/linelog"
)

// Helsenorge's own parties in the simulated address registry.
const (
	// OrganisationHerID is the organisation (level 1).
	OrganisationHerID = 800000
	// HerID is the service that citizens' messages come from (level 2).
	HerID = 800001
	// OtherHerID is a party that is not Helsenorge but shares its queues: whoever
	// forges a sender in a test.
	OtherHerID = 800002
)

// Parties are Helsenorge's entries of the simulated address registry.
func Parties() []registry.Party {
	return []registry.Party{
		{HerID: OrganisationHerID, Name: "Helsenorge"},
		{
			HerID: HerID, Name: "Digitale innbyggertjenester", ParentHerID: OrganisationHerID,
			AsyncQueue: "helsenorge_async", SyncQueue: "helsenorge_sync", SyncReplyQueue: "helsenorge_syncreply", ErrorQueue: "helsenorge_error",
		},
		{HerID: OtherHerID, Name: "Another party", AsyncQueue: "helsenorge_async", ErrorQueue: "helsenorge_error"},
	}
}

// Config is what a simulated Helsenorge needs.
type Config struct {
	// Dir keeps its book.
	Dir       string
	Transport transport.Transport
	Sealer    transport.Sealer
	// Broken are ways of sealing that no receiver may accept, each by the name of its
	// fault; see Faults.
	Broken   map[string]Broken
	Registry registry.Registry
	Logger   *slog.Logger
}

// Helsenorge is the counterpart. It is safe for concurrent use.
type Helsenorge struct {
	cfg  Config
	book *linelog.Log

	mu       sync.Mutex
	sent     map[string]*Sent // by MsgId
	received []*Received
	byMsgID  map[string]*Received
	receipts map[string][]*Receipt // by the MsgId that they are for
	reports  []*Report
	faults   Faults
	held     []parcel           // see Reordered
	waiting  map[string]*waiter // by the id of the question
	// appointments and activity are by national id.
	appointments map[string][]*Appointment
	activity     map[string]Activity
	// answers are the first to each message, awaited the arrivals of those to come, by
	// the MsgId that they answer.
	answers map[string]*Received
	awaited map[string]chan struct{}

	late sync.WaitGroup // receipts that are held back
}

// Sent is a message of a citizen.
type Sent struct {
	MsgID        string    `json:"msgId"`
	TransportID  string    `json:"transportId"`
	Conversation string    `json:"conversation"`
	To           int       `json:"to"`
	Kind         Kind      `json:"kind"`
	Citizen      int       `json:"citizen"`
	XML          []byte    `json:"xml"`
	At           time.Time `json:"at"`
}

// Received is a message of the clinic, counted once however often it came.
type Received struct {
	MsgID   string `json:"msgId"`
	Process string `json:"process"`
	Parent  string `json:"parent"`
	// Conversation is empty for a message that begins one.
	Conversation string `json:"conversation"`
	From         int    `json:"from"`
	// Patient is the national id of who it is about.
	Patient string `json:"patient,omitempty"`
	Said
	XML []byte `json:"xml"`
	// Deliveries counts how often the queue brought it, Changed how often with
	// other content under the same MsgId: a retry must repeat its bytes.
	Deliveries int `json:"deliveries"`
	Changed    int `json:"changed,omitempty"`
	// Problems are the rules of the standard that it breaks.
	Problems []string `json:"problems,omitempty"`
	// Refused is the code of the negative receipt that it got, "" for any other.
	Refused string    `json:"refused,omitempty"`
	At      time.Time `json:"at"`
}

// conversation is the MsgId of the first message of its conversation.
func (r *Received) conversation() string { return cmp.Or(r.Conversation, r.MsgID) }

// Receipt is the clinic's receipt for a message of a citizen, counted once by its
// own id.
type Receipt struct {
	ID         string    `json:"id"`
	Original   string    `json:"original"`
	OK         bool      `json:"ok"`
	Codes      []string  `json:"codes,omitempty"`
	XML        []byte    `json:"xml"`
	Deliveries int       `json:"deliveries"`
	At         time.Time `json:"at"`
}

// Report is what the clinic put on our error queue.
type Report struct {
	Condition           string    `json:"condition"`
	OriginalTransportID string    `json:"originalTransportId"`
	TransportID         string    `json:"transportId"`
	At                  time.Time `json:"at"`
}

// entry is one line of the book: exactly one field is set.
type entry struct {
	Sent     *Sent     `json:"sent,omitempty"`
	Received *Received `json:"received,omitempty"`
	Receipt  *Receipt  `json:"receipt,omitempty"`
	Report   *Report   `json:"report,omitempty"`
	Activity *Activity `json:"activity,omitempty"`
	// Again is the id of a message or receipt that came once more.
	Again string `json:"again,omitempty"`
	// Changed is true when that message had other content than before.
	Changed bool `json:"changed,omitempty"`
}

// Open opens the book. Close closes it.
func Open(cfg Config) (*Helsenorge, error) {
	h := &Helsenorge{
		cfg: cfg, sent: map[string]*Sent{}, byMsgID: map[string]*Received{}, receipts: map[string][]*Receipt{},
		waiting: map[string]*waiter{}, appointments: map[string][]*Appointment{}, activity: map[string]Activity{},
		answers: map[string]*Received{}, awaited: map[string]chan struct{}{},
	}
	book, err := linelog.Open(filepath.Join(cfg.Dir, "book.jsonl"), func(line []byte) error {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		h.apply(e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	h.book = book
	return h, nil
}

// Close closes the book.
func (h *Helsenorge) Close() error { return h.book.Close() }

// apply takes a line of the book in; the caller holds mu, or is alone.
func (h *Helsenorge) apply(e entry) {
	switch {
	case e.Sent != nil:
		h.sent[e.Sent.MsgID] = e.Sent
		if e.Sent.Kind == Reserve {
			h.reserved(e.Sent)
		}
	case e.Received != nil:
		h.byMsgID[e.Received.MsgID] = e.Received
		h.received = append(h.received, e.Received)
		h.told(e.Received)
		h.answered(e.Received)
	case e.Activity != nil:
		h.activity[Citizen(e.Activity.Citizen).NationalID] = *e.Activity
	case e.Receipt != nil:
		h.receipts[e.Receipt.Original] = append(h.receipts[e.Receipt.Original], e.Receipt)
	case e.Report != nil:
		h.reports = append(h.reports, e.Report)
	case e.Again != "":
		if r := h.byMsgID[e.Again]; r != nil {
			r.Deliveries++
			if e.Changed {
				r.Changed++
			}
		}
		for _, all := range h.receipts {
			for _, r := range all {
				if r.ID == e.Again {
					r.Deliveries++
				}
			}
		}
	}
}

// write keeps a line, then takes it in.
func (h *Helsenorge) write(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := h.book.Append(line); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.apply(e)
	return nil
}

// Run receives until ctx ends.
func (h *Helsenorge) Run(ctx context.Context) error {
	own, err := h.cfg.Registry.Party(ctx, HerID)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for queue, take := range map[string]func(context.Context, *transport.Message) error{
		own.AsyncQueue: h.take, own.SyncReplyQueue: h.takeReply, own.ErrorQueue: h.takeReport,
	} {
		group.Go(func() error { return h.receive(ctx, queue, take) })
	}
	err = group.Wait()
	h.late.Wait()
	return err
}

// pause is how long a message that could not be taken waits before it comes again.
const pause = 200 * time.Millisecond

// receive takes one message after the other. What fails comes again; what would
// fail for ever is a dead letter, so that it does not stop the queue.
func (h *Helsenorge) receive(ctx context.Context, queue string, take func(context.Context, *transport.Message) error) error {
	r, err := h.cfg.Transport.Receiver(ctx, queue, 1)
	if err != nil {
		return err
	}
	defer r.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the link ends with the process
	for {
		d, err := r.Receive(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		err = take(ctx, d.Message())
		if err == nil {
			err = d.Accept(ctx)
		} else {
			h.cfg.Logger.Warn("the simulator could not take a message", "queue", queue, "error", err)
			err = giveBack(ctx, d, err)
		}
		if err != nil && ctx.Err() == nil {
			h.cfg.Logger.Warn("the simulator could not settle a message", "queue", queue, "error", err)
		}
	}
}

// giveBack settles a message that could not be taken because of why.
func giveBack(ctx context.Context, d transport.Delivery, why error) error {
	if !apperr.KindOf(why).Retryable() {
		return d.Reject(ctx)
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return d.Release(ctx)
}

// take takes a message or a receipt of the clinic.
func (h *Helsenorge) take(ctx context.Context, m *transport.Message) error {
	xml, err := h.cfg.Sealer.Open(ctx, m)
	if err != nil {
		return err
	}
	message, problems := helsenorge.Read(xml)
	if message == nil {
		return h.write(entry{Received: &Received{MsgID: m.ID, XML: xml, Deliveries: 1, Problems: []string{"unreadable"}, At: time.Now().UTC()}})
	}
	if message.Receipt != nil {
		return h.takeReceipt(message.Receipt, xml)
	}
	h.mu.Lock()
	first, known := h.byMsgID[message.Head.MsgID]
	h.mu.Unlock()
	if known {
		// The receiver's duplicate rule: discard, and never receipt twice.
		return h.write(entry{Again: message.Head.MsgID, Changed: !bytes.Equal(first.XML, xml)})
	}
	r := &Received{
		MsgID: message.Head.MsgID, Process: message.Head.Process, Parent: message.Head.RefToParent, Conversation: message.Head.RefToConversation,
		From: message.Head.Sender.HerID(), XML: xml, Deliveries: 1, At: time.Now().UTC(),
	}
	r.Said = said(message)
	if p := message.Head.Patient; p != nil {
		r.Patient = p.NationalID
	}
	for _, p := range problems {
		r.Problems = append(r.Problems, p.Code+" "+p.Path+": "+p.Rule)
	}
	h.mu.Lock()
	faults := h.faults
	h.mu.Unlock()
	refusal := faults.Receipt
	if p := message.Head.Patient; refusal == "" && p != nil {
		refusal = h.active(p.NationalID).refusal()
	}
	if refusal != "" && refusal != NoReceipt {
		problems = append(problems, helsenorge.Problem{Code: refusal})
	}
	if len(problems) > 0 {
		r.Refused = problems[0].Code
	}
	// The receipt goes first: when it fails, the message comes again.
	if refusal != NoReceipt && message.Head.WantsReceipt {
		if err := h.acknowledge(ctx, m, message, problems, faults); err != nil {
			return err
		}
	}
	return h.write(entry{Received: r})
}

// acknowledge sends the receipt, as late and as often as the faults want it. Its ids
// are made of the message's, so that a second attempt repeats the first.
func (h *Helsenorge) acknowledge(ctx context.Context, m *transport.Message, message *helsenorge.Message, problems []helsenorge.Problem, faults Faults) error {
	id := uuid.NewSHA1(uuid.NameSpaceOID, []byte("receipt/"+message.Head.MsgID)).String()
	xml, err := helsenorge.WriteReceipt(helsenorge.ReceiptFor(message.Head, id, time.Now().UTC().Truncate(time.Second), problems))
	if err != nil {
		return err
	}
	send := func() error {
		for range max(faults.ReceiptTimes, 1) {
			if err := h.send(ctx, m.FromHerID, m.ToHerID, codes.AppRec, id, xml); err != nil {
				return err
			}
		}
		return nil
	}
	if faults.ReceiptDelay <= 0 {
		return send()
	}
	h.late.Go(func() {
		t := time.NewTimer(faults.ReceiptDelay)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
			if err := send(); err != nil {
				h.cfg.Logger.Warn("a late receipt could not be sent", "error", err)
			}
		}
	})
	return nil
}

func (h *Helsenorge) takeReceipt(r *helsenorge.Receipt, xml []byte) error {
	h.mu.Lock()
	known := slices.ContainsFunc(h.receipts[r.OriginalMsgID], func(k *Receipt) bool { return k.ID == r.ID })
	h.mu.Unlock()
	if known {
		return h.write(entry{Again: r.ID})
	}
	e := &Receipt{ID: r.ID, Original: r.OriginalMsgID, OK: r.OK, XML: xml, Deliveries: 1, At: time.Now().UTC()}
	for _, c := range r.Errors {
		e.Codes = append(e.Codes, c.V)
	}
	return h.write(entry{Receipt: e})
}

func (h *Helsenorge) takeReport(_ context.Context, m *transport.Message) error {
	r, err := transport.ErrorReportOf(m)
	if err != nil {
		r.Condition = "unreadable"
	}
	h.refusedNow(r)
	h.mu.Lock()
	known := slices.ContainsFunc(h.reports, func(k *Report) bool { return k.TransportID == m.ID })
	h.mu.Unlock()
	if known {
		return nil
	}
	return h.write(entry{Report: &Report{
		Condition: string(r.Condition), OriginalTransportID: r.OriginalMessageID, TransportID: m.ID, At: time.Now().UTC(),
	}})
}

// send hands XML to a party's queue.
func (h *Helsenorge) send(ctx context.Context, to, from int, subject, transportID string, xml []byte) error {
	return h.sendSealed(ctx, h.cfg.Sealer, to, from, subject, transportID, xml)
}

// sendSealed is send with a way of sealing.
func (h *Helsenorge) sendSealed(ctx context.Context, sealer transport.Sealer, to, from int, subject, transportID string, xml []byte) error {
	party, err := h.cfg.Registry.Party(ctx, to)
	if err != nil {
		return err
	}
	own, err := h.cfg.Registry.Party(ctx, HerID)
	if err != nil {
		return err
	}
	m := transport.Message{
		ID: transportID, Subject: subject, To: party.AsyncQueue, ReplyTo: own.AsyncQueue, CorrelationID: transportID,
		FromHerID: from, ToHerID: to, SentAt: time.Now().UTC(),
	}
	if err := sealer.Seal(ctx, &m, xml); err != nil {
		return err
	}
	return h.cfg.Transport.Send(ctx, m)
}

// Book is everything that was sent and received: what an auditor counts.
type Book struct {
	Sent     []Sent     `json:"sent"`
	Received []Received `json:"received"`
	Receipts []Receipt  `json:"receipts"`
	Reports  []Report   `json:"reports"`
}

// Book returns a copy of the book.
func (h *Helsenorge) Book() Book {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := Book{Sent: []Sent{}, Received: []Received{}, Receipts: []Receipt{}, Reports: []Report{}}
	for _, s := range h.sent {
		b.Sent = append(b.Sent, *s)
	}
	for _, r := range h.received {
		b.Received = append(b.Received, *r)
	}
	for _, all := range h.receipts {
		for _, r := range all {
			b.Receipts = append(b.Receipts, *r)
		}
	}
	for _, r := range h.reports {
		b.Reports = append(b.Reports, *r)
	}
	slices.SortFunc(b.Sent, func(a, c Sent) int { return strings.Compare(a.MsgID, c.MsgID) })
	slices.SortFunc(b.Receipts, func(a, c Receipt) int { return a.At.Compare(c.At) })
	return b
}
