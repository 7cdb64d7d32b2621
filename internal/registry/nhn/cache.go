package nhn

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/registry"
)

const (
	// askWithin bounds one question, whoever waits for it and however long.
	askWithin = time.Minute
	// failedFor is how long nobody is asked again who has just not answered.
	failedFor = 5 * time.Second
	// absentFor is how long it counts that there is none.
	absentFor = time.Minute
	// maxEntries bounds a cache.
	maxEntries = 10_000
)

// Cache keeps what a registry says for a while: within age nobody is asked again; between
// age and stale only what the registry does not answer is still what it was. It is safe for
// concurrent use; one question is under way for each key.
type Cache[K comparable, V any] struct {
	age, stale time.Duration
	ask        func(context.Context, K) (V, error)
	// good tells whether something still counts; nil is always.
	good func(V, time.Time) bool
	now  func() time.Time

	asking singleflight.Group

	mu      sync.Mutex
	entries map[K]entry[V]
}

type entry[V any] struct {
	value V
	err   error // apperr.NotFound, or nil
	at    time.Time
	// failed is when it was last asked for in vain, and why.
	failed time.Time
	why    error
}

// NewCache makes a cache of what ask answers.
func NewCache[K comparable, V any](age, stale time.Duration, ask func(context.Context, K) (V, error)) *Cache[K, V] {
	return &Cache[K, V]{age: age, stale: stale, ask: ask, now: time.Now, entries: map[K]entry[V]{}}
}

// Get returns what is known, or asks.
func (c *Cache[K, V]) Get(ctx context.Context, k K) (V, error) {
	e, now := c.entry(k), c.now()
	since, counts := now.Sub(e.at), c.counts(e, now)
	limit := c.age
	if e.err != nil {
		limit = absentFor
	}
	if counts && since < limit {
		return e.value, e.err
	}
	var value V
	var err error
	if now.Sub(e.failed) < failedFor {
		err = e.why
	} else {
		value, err = c.once(ctx, "since", k, func(ctx context.Context) (V, error) {
			// Somebody may have asked since it was looked.
			if n := c.entry(k); n.at != e.at {
				return n.value, n.err
			} else if n.failed != e.failed {
				return n.value, n.why
			}
			return c.Refresh(ctx, k)
		})
	}
	if apperr.Is(err, apperr.Unavailable) && counts && e.err == nil && since < c.stale {
		return e.value, nil
	}
	return value, err
}

// counts tells whether what is known still does, apart from its age.
func (c *Cache[K, V]) counts(e entry[V], now time.Time) bool {
	return !e.at.IsZero() && (c.good == nil || e.err != nil || c.good(e.value, now))
}

// Refresh asks, whatever is known. Whoever asks at the same time waits for the same answer,
// as long as he wants.
func (c *Cache[K, V]) Refresh(ctx context.Context, k K) (V, error) {
	return c.once(ctx, "anew", k, func(ctx context.Context) (V, error) {
		value, err := c.ask(ctx, k)
		c.keep(k, value, err)
		return value, err
	})
}

// once asks what nobody else is asking, or waits for the answer to that.
func (c *Cache[K, V]) once(ctx context.Context, how string, k K, ask func(context.Context) (V, error)) (V, error) {
	answer := c.asking.DoChan(how+" "+fmt.Sprint(k), func() (any, error) {
		// It is everybody's question: one who goes away does not end it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWithin)
		defer cancel()
		return ask(ctx)
	})
	var value V
	select {
	case got := <-answer:
		value, _ = got.Val.(V)
		return value, got.Err
	case <-ctx.Done():
		return value, apperr.Wrap(apperr.Unavailable, ctx.Err(), "a registry did not answer in time")
	}
}

// keep takes an answer in.
func (c *Cache[K, V]) keep(k K, value V, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, known := c.entries[k]
	if !known && len(c.entries) >= maxEntries {
		for other := range c.entries { // any: whoever is asked about again comes back
			delete(c.entries, other)
			break
		}
	}
	if err == nil || apperr.Is(err, apperr.NotFound) {
		e = entry[V]{value: value, err: err, at: c.now()}
	} else {
		e.failed, e.why = c.now(), err
	}
	c.entries[k] = e
}

// Age tells how old the answer is that is known, and whether there is one.
func (c *Cache[K, V]) Age(k K) (time.Duration, bool) {
	e := c.entry(k)
	return c.now().Sub(e.at), !e.at.IsZero()
}

func (c *Cache[K, V]) entry(k K) entry[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[k]
}

// Cached is a registry with a cache.
type Cached struct{ *Cache[int, registry.Party] }

var _ registry.Registry = Cached{}

// NewCached makes a registry that keeps what r says for age, and for stale when r does not
// answer.
func NewCached(r registry.Registry, age, stale time.Duration) Cached {
	return Cached{NewCache(age, stale, r.Party)}
}

// Party implements registry.Registry.
func (c Cached) Party(ctx context.Context, herID int) (registry.Party, error) {
	return c.Get(ctx, herID)
}

// WithProfiles is a registry whose parties have the processes and certificates of their
// profiles, of which the address registry tells nothing.
type WithProfiles struct {
	registry.Registry
	CPPA *CPPA
}

// Party implements registry.Registry.
func (w WithProfiles) Party(ctx context.Context, herID int) (registry.Party, error) {
	p, err := w.Registry.Party(ctx, herID)
	if err != nil {
		return p, err
	}
	profile, err := w.CPPA.Profile(ctx, herID)
	if apperr.Is(err, apperr.NotFound) {
		return p, nil
	}
	if err != nil {
		return registry.Party{}, err
	}
	info := profile.Parties[0]
	p.Processes = info.Processes()
	if len(p.X509) == 0 {
		p.X509, p.Certificates = info.Certificates, enterprise(info.Certificates)
	}
	return p, nil
}
