// Package loopback is the transport of the development stack: durable queues in
// one file, owned by the process that runs the Helsenorge simulator, and a way to
// them over HTTP on the same machine.
//
// It keeps the promises of NHN's broker that the rest relies on: Send returns
// after the message is on the disk; a message is delivered until it is settled;
// what a lost link leaves unsettled comes again, in order; a rejected message is a
// dead letter. It does not seal: only invented patients travel on it. Messages
// that wait are held in memory as well.
//
//	Broker  the queues; a transport.Transport within its process
//	Server  the broker over HTTP
//	Client  a transport.Transport that talks to a Server
package loopback

import (
	"container/heap"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback/linelog"
)

// DeadSuffix makes the name of a queue's dead letters. They are read like any
// queue, and nobody sends to them.
const DeadSuffix = ".dead"

// Broker is the queues. It is safe for concurrent use.
type Broker struct {
	log *linelog.Log
	now func() time.Time

	mu     sync.Mutex
	queues map[string]*queue
	seq    uint64
	closed bool
}

var _ transport.Transport = (*Broker)(nil)

type queue struct {
	name  string
	ready entries
	links map[*link]struct{}
}

// entry is a message on a queue. seq is its place in line, also when it comes back.
type entry struct {
	seq     uint64
	message transport.Message
	expires time.Time // zero is never
}

// record is a line of the log.
type record struct {
	Op      string       `json:"op"` // put, accept, dead
	Seq     uint64       `json:"seq"`
	Queue   string       `json:"queue,omitempty"`
	Expires time.Time    `json:"expires,omitzero"`
	Message *wireMessage `json:"message,omitempty"`
}

const (
	opPut    = "put"
	opAccept = "accept"
	opDead   = "dead"
)

// Config is what a broker needs.
type Config struct {
	// Path is the file. Its directory exists.
	Path string
	// Queues are declared at once; see Broker.Declare.
	Queues []string
	// Now is the clock; nil is time.Now. It decides only when a message with a TTL
	// expires.
	Now func() time.Time
}

// Open opens the queues with what waits on them, and shrinks the file to that.
func Open(cfg Config) (*Broker, error) {
	b := &Broker{now: cfg.Now, queues: map[string]*queue{}}
	if b.now == nil {
		b.now = time.Now
	}
	waiting := map[uint64]record{}
	lines := 0
	log, err := linelog.Open(cfg.Path, func(text []byte) error {
		lines++
		return replay(waiting, text)
	})
	if err != nil {
		return nil, err
	}
	b.log = log
	for _, seq := range slices.Sorted(maps.Keys(waiting)) {
		r := waiting[seq]
		m := r.Message.message()
		m.Redelivered = true // it may have been
		heap.Push(&b.queue(r.Queue).ready, &entry{seq: seq, message: m, expires: r.Expires})
		b.seq = seq
	}
	if lines > len(waiting) {
		err = log.Rewrite(records(waiting))
	}
	if err == nil {
		err = b.Declare(cfg.Queues...)
	}
	if err != nil {
		_ = log.Close() // the first error is the one to tell
		return nil, err
	}
	return b, nil
}

func replay(waiting map[uint64]record, text []byte) error {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return apperr.Wrap(apperr.Invalid, err, "not a line of a queue file")
	}
	switch r.Op {
	case opPut:
		if r.Message == nil || r.Queue == "" {
			return apperr.New(apperr.Invalid, "a message without queue or content")
		}
		waiting[r.Seq] = r
	case opAccept:
		delete(waiting, r.Seq)
	case opDead:
		if w, ok := waiting[r.Seq]; ok {
			w.Queue, w.Expires = dead(w.Queue), time.Time{}
			waiting[r.Seq] = w
		}
	default:
		return apperr.New(apperr.Unsupported, "%q is of a later version", r.Op)
	}
	return nil
}

func records(waiting map[uint64]record) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, seq := range slices.Sorted(maps.Keys(waiting)) {
			if !yield(marshal(waiting[seq])) {
				return
			}
		}
	}
}

// marshal writes a record. It holds nothing that JSON cannot.
func marshal(r record) []byte {
	text, err := json.Marshal(r)
	if err != nil {
		panic("loopback: " + err.Error())
	}
	return text
}

func dead(name string) string {
	if strings.HasSuffix(name, DeadSuffix) {
		return name
	}
	return name + DeadSuffix
}

// Declare makes queues that do not exist yet. A message to any other queue is
// refused, never lost.
func (b *Broker) Declare(names ...string) error {
	for _, n := range names {
		if n == "" || strings.HasSuffix(n, DeadSuffix) {
			return apperr.New(apperr.Invalid, "%q cannot be a queue: a name does not end in %s", n, DeadSuffix)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range names {
		b.queue(n)
	}
	return nil
}

// queue returns a queue, which it makes with its dead letters when it is new.
func (b *Broker) queue(name string) *queue {
	for _, n := range []string{name, dead(name)} {
		if b.queues[n] == nil {
			b.queues[n] = &queue{name: n, links: map[*link]struct{}{}}
		}
	}
	return b.queues[name]
}

// QueueState is what is on a queue.
type QueueState struct {
	Name string `json:"name"`
	// Ready waits for a receiver, Unsettled is with one.
	Ready     int `json:"ready"`
	Unsettled int `json:"unsettled"`
	// Links is how many receivers there are.
	Links int `json:"links"`
}

// Queues returns the state of all queues by name, dead letters among them.
func (b *Broker) Queues() []QueueState {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]QueueState, 0, len(b.queues))
	for _, name := range slices.Sorted(maps.Keys(b.queues)) {
		q := b.queues[name]
		s := QueueState{Name: name, Ready: len(q.ready), Links: len(q.links)}
		for l := range q.links {
			s.Unsettled += len(l.unsettled) + l.settling
		}
		out = append(out, s)
	}
	return out
}

// Send implements transport.Transport. An unknown queue is apperr.NotFound. It
// does not end with ctx: the disk is all it waits for.
func (b *Broker) Send(_ context.Context, m transport.Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	m.Redelivered = false
	r := record{Op: opPut, Queue: m.To, Message: wire(&m)}
	if m.TTL > 0 {
		r.Expires = b.now().Add(m.TTL).UTC()
	}
	b.mu.Lock()
	_, known := b.queues[m.To]
	if known && !b.closed {
		b.seq++
		r.Seq = b.seq
	}
	closed := b.closed
	b.mu.Unlock()
	switch {
	case closed:
		return errClosed()
	case !known || strings.HasSuffix(m.To, DeadSuffix):
		return apperr.New(apperr.NotFound, "there is no queue %q to send to: the address registry names it, the broker has not declared it", m.To)
	}
	if err := b.log.Append(marshal(r)); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(b.queues[m.To], &entry{seq: r.Seq, message: m, expires: r.Expires})
	return nil
}

// put makes a message ready in its place in line.
func (b *Broker) put(q *queue, e *entry) {
	heap.Push(&q.ready, e)
	q.wake()
}

func (q *queue) wake() {
	for l := range q.links {
		l.wake()
	}
}

func errClosed() error { return apperr.New(apperr.Unavailable, "the broker has stopped") }

// Receiver implements transport.Transport. An unknown queue is apperr.NotFound.
func (b *Broker) Receiver(_ context.Context, name string, credit int) (transport.Receiver, error) {
	return b.link(name, credit)
}

func (b *Broker) link(name string, credit int) (*link, error) {
	if credit < 1 || credit > transport.MaxCredit {
		return nil, apperr.New(apperr.Invalid, "credit is %d: 1 to %d are possible", credit, transport.MaxCredit)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	q, ok := b.queues[name]
	switch {
	case b.closed:
		return nil, errClosed()
	case !ok:
		return nil, apperr.New(apperr.NotFound, "there is no queue %q", name)
	}
	l := &link{broker: b, queue: q, credit: credit, unsettled: map[uint64]*entry{}, awake: make(chan struct{}, 1), ended: make(chan struct{})}
	q.links[l] = struct{}{}
	return l, nil
}

// Close ends all links and closes the file. It is safe to call twice.
func (b *Broker) Close(context.Context) error {
	b.mu.Lock()
	b.closed = true
	for _, q := range b.queues {
		for l := range q.links {
			l.end()
		}
	}
	b.mu.Unlock()
	return b.log.Close()
}

// entries is a heap by place in line.
type entries []*entry

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].seq < e[j].seq }
func (e entries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push implements heap.Interface.
func (e *entries) Push(x any) { *e = append(*e, x.(*entry)) }

// Pop implements heap.Interface.
func (e *entries) Pop() any {
	old := *e
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*e = old[:len(old)-1]
	return last
}
