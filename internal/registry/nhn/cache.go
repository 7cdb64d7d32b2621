package nhn

import (
	"context"
	"sync"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/registry"
)

const (
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

	mu      sync.Mutex
	entries map[K]*entry[V]
}

type entry[V any] struct {
	mu    sync.Mutex // held while it is asked for
	value V
	err   error // apperr.NotFound, or nil
	at    time.Time
}

// NewCache makes a cache of what ask answers.
func NewCache[K comparable, V any](age, stale time.Duration, ask func(context.Context, K) (V, error)) *Cache[K, V] {
	return &Cache[K, V]{age: age, stale: stale, ask: ask, now: time.Now, entries: map[K]*entry[V]{}}
}

// Get returns what is known, or asks.
func (c *Cache[K, V]) Get(ctx context.Context, k K) (V, error) { return c.get(ctx, k, false) }

// Refresh asks, whatever is known.
func (c *Cache[K, V]) Refresh(ctx context.Context, k K) (V, error) { return c.get(ctx, k, true) }

// Age tells how old the answer is that is known, and whether there is one.
func (c *Cache[K, V]) Age(k K) (time.Duration, bool) {
	e := c.entry(k)
	e.mu.Lock()
	defer e.mu.Unlock()
	return c.now().Sub(e.at), !e.at.IsZero()
}

func (c *Cache[K, V]) get(ctx context.Context, k K, force bool) (V, error) {
	e := c.entry(k)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := c.now()
	since := now.Sub(e.at)
	counts := !e.at.IsZero() && (c.good == nil || e.err != nil || c.good(e.value, now))
	limit := c.age
	if e.err != nil {
		limit = absentFor
	}
	if counts && !force && since < limit {
		return e.value, e.err
	}
	value, err := c.ask(ctx, k)
	switch {
	case err == nil, apperr.Is(err, apperr.NotFound):
		e.value, e.err, e.at = value, err, now
	case counts && e.err == nil && since < c.stale:
		return e.value, nil
	}
	return value, err
}

func (c *Cache[K, V]) entry(k K) *entry[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[k]
	if e == nil {
		if len(c.entries) >= maxEntries {
			for other := range c.entries { // any: whoever is asked about again comes back
				delete(c.entries, other)
				break
			}
		}
		e = &entry[V]{}
		c.entries[k] = e
	}
	return e
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
