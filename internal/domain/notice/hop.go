package notice

import (
	"slices"
	"time"
)

// AttemptState is what is known of one sending on one channel.
type AttemptState string

// The states of an attempt, in the order of Merge.
const (
	// Claimed: about to be sent; written before the effect.
	Claimed AttemptState = "claimed"
	// Unknown: sent or not, nobody can say; it is never sent again.
	Unknown AttemptState = "unknown"
	// Taken: the provider has taken it; for e-mail the mail server's 250.
	Taken AttemptState = "accepted"
	// TimedOut: the provider gave up, or it was never sent in time.
	TimedOut AttemptState = "expired"
	// Failed: it will not arrive.
	Failed AttemptState = "failed"
	// Delivered: it has arrived.
	Delivered AttemptState = "delivered"
)

// order is from least to most known. Delivered is last: what has arrived is not
// undone by a later report (D12).
var order = []AttemptState{Claimed, Unknown, Taken, TimedOut, Failed, Delivered}

// Merge is what is known after a report: the one of the two that is later in the
// order of the states. Reports may therefore come in any order and any number of
// times, with one result. A report that is no state changes nothing.
func Merge(state, report AttemptState) AttemptState {
	if slices.Index(order, report) > slices.Index(order, state) {
		return report
	}
	return state
}

// Preference is the patient's choice at one clinic.
type Preference struct {
	// Order of e-mail and SMS; what it leaves out comes after, e-mail first. Push in it
	// means nothing: push is in addition.
	Order []Channel `json:"order,omitempty"`
	// OptOut are channels the patient will not have.
	OptOut []Channel `json:"opt_out,omitempty"`
}

// Attempt is one sending of this notice.
type Attempt struct {
	Channel Channel      `json:"channel"`
	State   AttemptState `json:"state"`
	// At is when it was claimed.
	At time.Time `json:"at"`
	// RefusedAt is when the provider last refused it for now, of a Failed one: the
	// provider certainly does not have it. Zero: it failed for good.
	RefusedAt time.Time `json:"refused_at,omitzero"`
}

// How a channel that refused for now is asked again (F17): a provider that is down for
// hours is no reason to give the patient up while the notice is still of use.
const (
	// AskAgainAfter is the least time from a refusal to the next turn of the channel.
	AskAgainAfter = 15 * time.Minute
	// AskAgainFor is for how long after the decision to give the notice a channel has
	// another turn. A confirmation is of use for months: an operator hears of it sooner.
	AskAgainFor = 24 * time.Hour
)

// DefaultWaits is how long to wait for a delivery receipt, by channel. Zero: none
// comes, and what the provider has taken is the outcome: the mail server's 250, the
// push service's 201.
func DefaultWaits() map[Channel]time.Duration {
	return map[Channel]time.Duration{SMS: 30 * time.Minute, Email: 0, Push: 0}
}

// HopInput is all that the choice of the next hop depends on, as it was at Now.
type HopInput struct {
	Now time.Time
	// LatestHop is the last instant, inclusive, at which a hop may start; zero: no
	// limit.
	LatestHop time.Time
	// DecidedAt is when it was decided to give the notice, from which AskAgainFor
	// counts; zero: no limit.
	DecidedAt  time.Time
	Reachable  []Channel
	Preference Preference
	// Attempts are all of this notice, in any order.
	Attempts []Attempt
	// Waits are by channel; nil is DefaultWaits.
	Waits map[Channel]time.Duration
}

// Outcomes of a notice.
const (
	OutcomeDelivered  = "delivered"
	OutcomeFailed     = "failed"     // an operator must look
	OutcomeExpired    = "expired"    // a channel was left, but no time; an operator must look
	OutcomeSuppressed = "suppressed" // the patient does not want any
)

// Reasons of a hop and of an outcome: stable codes.
const (
	HopFirst       = "first-hop"
	HopAfterFailed = "previous-hop-failed"      // the channel before will not arrive
	HopNoReceipt   = "previous-hop-unconfirmed" // no receipt in time from the channel before
	HopWaiting     = "awaiting-receipt"
	HopAgain       = "asked-again"       // the channel refused for now before
	HopProvider    = "awaiting-provider" // all that is left refused for now: asked again after the wait

	DoneReceipt    = "receipt"         // a delivery receipt
	DoneTaken      = "taken-is-final"  // taken by a provider from which no receipt comes
	DoneAllFailed  = "all-failed"      // every channel failed
	DoneNoReceipt  = "no-receipt"      // some channel may have arrived; no receipt says so
	DoneNoChannel  = "no-contact"      // nothing was reachable
	DoneOptedOut   = "opted-out"       // all that was reachable the patient will not have
	DoneLatestPast = "latest-hop-past" // no hop starts after LatestHop
)

// Next is what to do now: exactly one of start (Channel is set), wait (Channel is
// empty and Done is false), or finish (Done).
type Next struct {
	// Channel to start now.
	Channel Channel `json:"channel,omitempty"`
	// Wait is how long to wait for a receipt, or for a provider that is down, before
	// asking again: after Channel has been started, or, when Channel is empty, from now.
	Wait time.Duration `json:"wait,omitempty"`
	// Also are channels to start together with the first hop: push, in addition.
	Also []Channel `json:"also,omitempty"`
	Done bool      `json:"done,omitempty"`
	// Outcome of the notice, when Done.
	Outcome string `json:"outcome,omitempty"`
	// Reason is a stable code.
	Reason string `json:"reason,omitempty"`
}

// NextHop says what to do next with a notice that the clinic owns. Channels are
// tried one at a time in the patient's order, e-mail before SMS by default; push
// goes along with the first, alone when it is all there is, and last when it could
// not go along (S90). A channel that may have it is never used again: an attempt of
// unknown outcome is waited for like a taken one, and then the next channel is tried; a
// claimed one is such an attempt, because who claimed it and still asks does not know. A
// channel that refused for now has another turn when no other is left, the one that has
// waited longest first, until LatestHop (F17). A receipt from any channel ends it; push
// that was merely taken ends it only when nothing else is left, since nobody may have
// seen it.
func NextHop(in HopInput) Next {
	waits := in.Waits
	if waits == nil {
		waits = DefaultWaits()
	}
	attempts := latest(in.Attempts)

	var awaited, awaitedPush time.Duration // how long a receipt may still be waited for
	var unconfirmed, taken, hopped bool
	for _, a := range attempts {
		wait := waits[a.Channel]
		switch a.State {
		case Delivered:
			return done(OutcomeDelivered, DoneReceipt)
		case Taken, Unknown, Claimed:
			final := a.State == Taken && wait <= 0
			if final && a.Channel != Push {
				return done(OutcomeDelivered, DoneTaken)
			}
			taken = taken || final
			unconfirmed = unconfirmed || !final
			left := a.At.Add(wait).Sub(in.Now)
			if a.Channel == Push {
				awaitedPush = left
			} else {
				awaited = max(awaited, left)
			}
		case Failed, TimedOut:
		}
		hopped = hopped || a.Channel != Push
	}
	if awaited > 0 {
		return Next{Wait: awaited, Reason: HopWaiting}
	}

	usable := func(c Channel) bool {
		return in.wanted(c) && !slices.ContainsFunc(attempts, func(a Attempt) bool { return a.Channel == c })
	}
	i := slices.IndexFunc(in.Preference.chain(), usable)
	late := in.late(in.Now)
	again, due := in.again(attempts)
	left := again != "" && !in.late(due) && !in.tired(due)
	switch {
	case i >= 0 && !late:
		hop := in.Preference.chain()[i]
		next := Next{Channel: hop, Wait: waits[hop], Reason: HopFirst}
		switch {
		case hopped && unconfirmed:
			next.Reason = HopNoReceipt
		case hopped:
			next.Reason = HopAfterFailed
		case hop != Push && usable(Push):
			next.Also = []Channel{Push}
		}
		return next
	case left && !due.After(in.Now):
		return Next{Channel: again, Wait: waits[again], Reason: HopAgain}
	case awaitedPush > 0:
		return Next{Wait: awaitedPush, Reason: HopWaiting}
	case left:
		return Next{Wait: due.Sub(in.Now), Reason: HopProvider}
	case taken:
		return done(OutcomeDelivered, DoneTaken)
	case i >= 0, again != "" && in.late(due):
		return done(OutcomeExpired, DoneLatestPast)
	case unconfirmed:
		return done(OutcomeFailed, DoneNoReceipt)
	case len(attempts) > 0:
		return done(OutcomeFailed, DoneAllFailed)
	case len(in.Reachable) > 0:
		return done(OutcomeSuppressed, DoneOptedOut)
	}
	return done(OutcomeFailed, DoneNoChannel)
}

// wanted tells whether the patient may be reached on the channel.
func (in HopInput) wanted(c Channel) bool {
	return slices.Contains(in.Reachable, c) && !slices.Contains(in.Preference.OptOut, c)
}

// late tells whether no hop starts any more at an instant.
func (in HopInput) late(at time.Time) bool { return !in.LatestHop.IsZero() && at.After(in.LatestHop) }

// tired tells whether no channel has another turn any more at an instant.
func (in HopInput) tired(at time.Time) bool {
	return !in.DecidedAt.IsZero() && at.After(in.DecidedAt.Add(AskAgainFor))
}

// again is the channel that has another turn first, and when, not before Now; "" when
// none refused for now. The patient's order decides between equals.
func (in HopInput) again(attempts []Attempt) (Channel, time.Time) {
	var again Channel
	var due time.Time
	for _, c := range in.Preference.chain() {
		i := slices.IndexFunc(attempts, func(a Attempt) bool { return a.Channel == c })
		if i < 0 || attempts[i].State != Failed || attempts[i].RefusedAt.IsZero() || !in.wanted(c) {
			continue
		}
		if at := attempts[i].RefusedAt.Add(AskAgainAfter); again == "" || at.Before(due) {
			again, due = c, at
		}
	}
	if due.Before(in.Now) {
		due = in.Now
	}
	return again, due
}

func done(outcome, reason string) Next { return Next{Done: true, Outcome: outcome, Reason: reason} }

// chain is every channel in the order in which it is tried.
func (p Preference) chain() []Channel {
	var chain []Channel
	for _, c := range slices.Concat(p.Order, []Channel{Email, SMS}) {
		if (c == Email || c == SMS) && !slices.Contains(chain, c) {
			chain = append(chain, c)
		}
	}
	return append(chain, Push)
}

// latest is one attempt per channel, with what all that is told of it adds up to and
// the first instant. It was refused for now only if nothing else is told of it.
func latest(all []Attempt) []Attempt {
	var one []Attempt
	for _, a := range all {
		i := slices.IndexFunc(one, func(b Attempt) bool { return b.Channel == a.Channel })
		if i < 0 {
			one = append(one, a)
			continue
		}
		one[i].State = Merge(one[i].State, a.State)
		if a.At.Before(one[i].At) {
			one[i].At = a.At
		}
		switch refused := &one[i].RefusedAt; {
		case refused.IsZero() || a.RefusedAt.IsZero():
			*refused = time.Time{}
		case a.RefusedAt.After(*refused):
			*refused = a.RefusedAt
		}
	}
	return one
}
