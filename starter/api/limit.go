package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
)

// WithLimit bounds the requests of each caller, a subject of one system: so many a second,
// and so many at once. None of what is beyond is begun (429).
func WithLimit(perSecond float64, burst int) Option {
	return func(a *API, _ Service) {
		if perSecond > 0 {
			a.limit = &limit{perSecond: rate.Limit(perSecond), burst: burst, callers: map[string]*rate.Limiter{}, now: time.Now}
		}
	}
}

// maxCallers bounds how many callers are remembered. Whoever has all of his burst is
// forgotten first, which changes nothing for him.
const maxCallers = 10_000

// limit is what each caller has left. A nil one bounds nothing.
type limit struct {
	perSecond rate.Limit
	burst     int
	now       func() time.Time

	mu      sync.Mutex
	callers map[string]*rate.Limiter
}

// take takes a request of the caller's, or is apperr.Busy with when there is one again.
func (l *limit) take(p identity.Principal) error {
	if l == nil {
		return nil
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	key := p.ClientID + "\x00" + p.Subject + "\x00" + p.ClinicID
	mine := l.callers[key]
	if mine == nil {
		if len(l.callers) >= maxCallers {
			l.forget(now)
		}
		mine = rate.NewLimiter(l.perSecond, l.burst)
		l.callers[key] = mine
	}
	r := mine.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		err := apperr.New(apperr.Busy, "you ask more than %g times a second: wait, and send it again", float64(l.perSecond))
		err.After = wait
		return err
	}
	return nil
}

// forget makes room: of those who have all of their burst again, and when there is none, of
// anybody, who then begins anew.
func (l *limit) forget(now time.Time) {
	for key, one := range l.callers {
		if one.TokensAt(now) >= float64(l.burst) {
			delete(l.callers, key)
		}
	}
	for key := range l.callers {
		if len(l.callers) < maxCallers {
			return
		}
		delete(l.callers, key)
	}
}
