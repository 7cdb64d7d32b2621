package notice

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var start = time.Date(2026, time.June, 10, 8, 0, 0, 0, time.UTC)

// situation is a reminder of a patient who is not on Helsenorge, 30 hours ahead, with
// every gate open and a phone: the clinic's to tell. Each case changes what it is about.
func situation(changes ...func(*Situation)) Situation {
	s := Situation{
		Purpose: Reminder, Revision: 3, CurrentRevision: 3, StartsAt: start, Now: start.Add(-30 * time.Hour),
		ActiveKnown: true, Gates: Gates{Clinic: true, Calendar: true, Type: true}, Reachable: []Channel{SMS},
		LatestHop: start.Add(-24 * time.Hour), WaitUntil: start.Add(-26 * time.Hour),
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

type change = func(*Situation)

func on(p Publication) change {
	return func(s *Situation) { s.Active, s.Consent, s.Publication = true, true, p }
}
func off(p Publication) change { return func(s *Situation) { s.Publication = p } }
func unknown(p Publication) change {
	return func(s *Situation) { s.ActiveKnown, s.Publication = false, p }
}
func purpose(p Purpose) change {
	return func(s *Situation) {
		s.Purpose, s.LatestHop, s.WaitUntil, s.Cancelled = p, time.Time{}, s.Now.Add(10*time.Minute), p == Cancellation
	}
}
func lead(d time.Duration) change { return func(s *Situation) { s.Now = s.StartsAt.Add(-d) } }
func noGates(s *Situation)        { s.Gates = Gates{} }
func noType(s *Situation)         { s.Gates.Type = false }
func noContact(s *Situation)      { s.Reachable = nil }
func protected(s *Situation)      { s.Protected = true }
func deceased(s *Situation)       { s.Deceased = true }
func hidden(s *Situation)         { s.Hidden = true }
func older(s *Situation)          { s.Revision = 2 }
func cancelled(s *Situation)      { s.Cancelled = true }
func standing(s *Situation)       { s.Cancelled = false }

func TestDecide(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s      Situation
		owner  Owner
		reason string
		needs  bool
	}{
		// Nobody, whatever else.
		"an older revision":             {situation(older, on(Accepted)), Nobody, ReasonSuperseded, false},  // F5
		"deceased":                      {situation(deceased, on(Accepted)), Nobody, ReasonDeceased, false}, // D14
		"hidden, on Helsenorge":         {situation(hidden, on(Accepted)), Nobody, ReasonHidden, false},     // A4, D10
		"hidden, cancelled":             {situation(purpose(Cancellation), hidden), Nobody, ReasonHidden, false},
		"reminder of a cancelled":       {situation(cancelled), Nobody, ReasonCancelled, false},
		"confirmation of a cancelled":   {situation(purpose(Confirmation), cancelled), Nobody, ReasonCancelled, false},
		"cancellation of what stands":   {situation(purpose(Cancellation), standing), Nobody, ReasonNotCancelled, false},
		"a change that does not matter": {situation(purpose(Change), on(Withheld)), Nobody, ReasonNoChange, false},
		"a cancellation of what was never published, on its way to the clinic's patient": {
			situation(purpose(Cancellation), off(Withheld)), Clinic, ReasonNotActive, false},

		// Helsenorge.
		"delegated":               {situation(on(Accepted)), Helsenorge, ReasonDelegated, false}, // S83-S87
		"delegated, gates closed": {situation(on(Accepted), noGates), Helsenorge, ReasonDelegated, false},
		"delegated, and the time for a hop is over":  {situation(on(Accepted), lead(2*time.Hour)), Helsenorge, ReasonDelegated, false},
		"delegated, change ten minutes before":       {situation(purpose(Change), on(Accepted), lead(10*time.Minute)), Helsenorge, ReasonDelegated, false},
		"accepted there, status never known":         {situation(unknown(Accepted)), Helsenorge, ReasonDelegatedUnknown, false},
		"accepted there, consent withdrawn since":    {situation(on(Accepted), func(s *Situation) { s.Consent = false }), Clinic, ReasonNoConsent, false}, // D5
		"accepted there, no longer active":           {situation(on(Accepted), func(s *Situation) { s.Active = false }), Clinic, ReasonNotActive, false},
		"accepted there, no longer active, no gates": {situation(off(Accepted), noGates), Nobody, "gate-clinic+gate-calendar+gate-type", false},

		// Pending, until it may be waited for no longer.
		"no receipt yet":                       {situation(on(AwaitingReceipt)), Pending, ReasonAwaitingReceipt, false},
		"no receipt yet, gates closed":         {situation(on(AwaitingReceipt), noGates), Pending, ReasonAwaitingReceipt, false},
		"no receipt yet, status never known":   {situation(unknown(AwaitingReceipt)), Pending, ReasonAwaitingReceipt, false},
		"no receipt yet, not active":           {situation(off(AwaitingReceipt)), Clinic, ReasonNotActive, false},
		"no receipt one second before the end": {situation(on(AwaitingReceipt), lead(26*time.Hour+time.Second)), Pending, ReasonAwaitingReceipt, false},
		"no receipt at the end":                {situation(on(AwaitingReceipt), lead(26*time.Hour)), Clinic, ReasonReceiptLate, false}, // D11
		"no receipt at the end, gates closed":  {situation(on(AwaitingReceipt), lead(26*time.Hour), noType), Nobody, "gate-type", true},
		"no receipt and no more time":          {situation(on(AwaitingReceipt), lead(23*time.Hour)), Nobody, ReasonExpired, true},

		// The hand-over, once (F3).
		"E35":                            {situation(on(Inactive)), Clinic, ReasonInactive, false},
		"E35, gates closed":              {situation(on(Inactive), noType), Nobody, "gate-type", false},                          // S88
		"E35, after start-24h":           {situation(on(Inactive), lead(24*time.Hour-time.Second)), Nobody, ReasonExpired, true}, // D5
		"E35, at start-24h":              {situation(on(Inactive), lead(24*time.Hour)), Clinic, ReasonInactive, false},           // A5
		"refused":                        {situation(on(Refused)), Clinic, ReasonRefused, false},
		"refused, gates closed":          {situation(on(Refused), noType), Nobody, "gate-type", true},
		"lost":                           {situation(on(Lost)), Clinic, ReasonLost, false},
		"lost, gates closed":             {situation(on(Lost), noType), Nobody, "gate-type", true},
		"lost, not active, gates closed": {situation(off(Lost), noType), Nobody, "gate-type", false},
		"on Helsenorge, never published": {situation(on(NotPublished)), Clinic, ReasonNotPublished, false},
		"status never known":             {situation(unknown(NotPublished)), Clinic, ReasonStatusUnknown, false},
		"active, no consent":             {situation(func(s *Situation) { s.Active = true }), Clinic, ReasonNoConsent, false}, // S88
		"not active":                     {situation(), Clinic, ReasonNotActive, false},                                       // S90

		// Time (F6, F17, D2).
		"reminder past its time":                   {situation(lead(24*time.Hour - time.Second)), Nobody, ReasonExpired, true}, // D11
		"reminder past its time, gates closed":     {situation(lead(time.Hour), noType), Nobody, "gate-type", false},
		"reminder past its time, by default":       {situation(lead(24*time.Hour-1), func(s *Situation) { s.LatestHop = time.Time{} }), Nobody, ReasonExpired, true},
		"confirmation 45:00 ahead":                 {situation(purpose(Confirmation), lead(45*time.Minute)), Clinic, ReasonNotActive, false},
		"confirmation 44:59 ahead":                 {situation(purpose(Confirmation), lead(45*time.Minute-time.Second)), Nobody, ReasonTooNear, false},
		"change 44:59 ahead":                       {situation(purpose(Change), lead(45*time.Minute-time.Second)), Nobody, ReasonTooNear, false},
		"change 10 minutes ahead, no limit":        {situation(purpose(Change), lead(10*time.Minute), func(s *Situation) { s.MinLead = -1 }), Clinic, ReasonNotActive, false},
		"change 2 hours ahead, limit 3":            {situation(purpose(Change), lead(2*time.Hour), func(s *Situation) { s.MinLead = 3 * time.Hour }), Nobody, ReasonTooNear, false},
		"too near, no contact is no case":          {situation(purpose(Change), lead(time.Minute), noContact), Nobody, ReasonTooNear, false},
		"cancellation one minute ahead":            {situation(purpose(Cancellation), lead(time.Minute)), Clinic, ReasonNotActive, false},
		"cancellation at the start":                {situation(purpose(Cancellation), lead(0)), Nobody, ReasonExpired, false}, // F17
		"confirmation after the start":             {situation(purpose(Confirmation), lead(-time.Hour)), Nobody, ReasonExpired, false},
		"confirmation past a latest hop":           {situation(purpose(Confirmation), func(s *Situation) { s.LatestHop = s.Now.Add(-1) }), Nobody, ReasonExpired, false},
		"pending is not waited for past the start": {situation(purpose(Change), on(AwaitingReceipt), lead(-time.Minute)), Nobody, ReasonExpired, false},

		// Nothing to send to.
		"no contact":               {situation(noContact), Nobody, ReasonNoContact, true}, // D4
		"no contact, gates closed": {situation(noContact, noType), Nobody, "gate-type", false},
		"no contact, protected":    {situation(noContact, protected), Nobody, ReasonProtected, true}, // D14
		"protected, own contact":   {situation(protected), Clinic, ReasonNotActive, false},
	} {
		got := Decide(c.s)
		want := Decision{Owner: c.owner, Reason: c.reason, Case: c.needs}
		if c.owner == Pending {
			want.Until = c.s.WaitUntil
		}
		require.Equal(t, want, got, name)
	}
}

// S89: of eight combinations only all-on sends.
func TestGates(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		g := Gates{Clinic: i&1 != 0, Calendar: i&2 != 0, Type: i&4 != 0}
		for _, p := range []Purpose{Confirmation, Change, Cancellation, Reminder} {
			s := situation(purpose(p))
			s.Gates = g
			d := Decide(s)
			require.Equal(t, i == 7, g.Open())
			require.Equal(t, i == 7, d.Owner == Clinic, "%+v", g)
			if i != 7 {
				require.Equal(t, Nobody, d.Owner)
				require.False(t, d.Case)
				require.Equal(t, !g.Clinic, strings.Contains(d.Reason, "gate-clinic"))
				require.Equal(t, !g.Calendar, strings.Contains(d.Reason, "gate-calendar"))
				require.Equal(t, !g.Type, strings.Contains(d.Reason, "gate-type"))
			}
		}
	}
}

// Over every combination: who may tell only tells when allowed, and nobody tells only
// when nobody could.
func TestDecideOverAllSituations(t *testing.T) {
	t.Parallel()
	n := 0
	each(func(s Situation) {
		n++
		d := Decide(s)
		silent := s.Revision != s.CurrentRevision || s.Hidden || s.Deceased || s.Cancelled != (s.Purpose == Cancellation) ||
			s.Purpose == Change && s.Publication == Withheld
		there := !s.ActiveKnown || s.Active && s.Consent
		inTime := !s.Now.After(start.Add(-24 * time.Hour))
		near := false
		if s.Purpose != Reminder {
			inTime = s.Now.Before(start)
			near = s.Purpose != Cancellation && start.Sub(s.Now) < DefaultMinLead
		}
		clinicCould := inTime && !near && s.Gates.Open() && len(s.Reachable) > 0
		ok := d.Reason != "" && d.Until.IsZero() == (d.Owner != Pending)
		switch {
		case silent:
			ok = ok && d.Owner == Nobody && !d.Case
		case there && s.Publication == Accepted:
			ok = ok && d.Owner == Helsenorge && !d.Case
		case there && s.Publication == AwaitingReceipt && s.Now.Before(s.WaitUntil) && (s.Purpose == Reminder || inTime):
			ok = ok && d.Owner == Pending && d.Until.After(s.Now)
		case clinicCould:
			ok = ok && d.Owner == Clinic && !d.Case
		default:
			ok = ok && d.Owner == Nobody
		}
		if !ok {
			t.Fatalf("%+v\n%+v", s, d)
		}
	})
	require.Equal(t, 4*2*2*2*2*2*2*2*7*8*2*5, n)
}

func each(f func(Situation)) {
	bits := []bool{false, true}
	for _, p := range []Purpose{Confirmation, Change, Cancellation, Reminder} {
		for _, publication := range []Publication{NotPublished, AwaitingReceipt, Accepted, Inactive, Refused, Lost, Withheld} {
			for _, ahead := range []time.Duration{30 * time.Hour, 25 * time.Hour, 23 * time.Hour, 10 * time.Minute, -time.Minute} {
				for flags := range 1 << 7 {
					for gates := range 8 {
						for _, reachable := range bits {
							s := situation(purpose(p), lead(ahead))
							s.WaitUntil = start.Add(-26 * time.Hour)
							s.Publication = publication
							s.Revision += flags & 1
							s.Cancelled, s.Hidden, s.Deceased = flags&2 != 0, flags&4 != 0, flags&8 != 0
							s.Active, s.Consent, s.ActiveKnown = flags&16 != 0, flags&32 != 0, flags&64 != 0
							s.Gates = Gates{Clinic: gates&1 != 0, Calendar: gates&2 != 0, Type: gates&4 != 0}
							if !reachable {
								s.Reachable = nil
							}
							f(s)
						}
					}
				}
			}
		}
	}
}
