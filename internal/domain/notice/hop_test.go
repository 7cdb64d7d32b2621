package notice

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var states = []AttemptState{Claimed, Unknown, Taken, TimedOut, Failed, Delivered}

// D12, over every pair and every three: reports in any order, any number of times, have
// one result; delivered stays; nothing becomes less known.
func TestMergeIsMonotone(t *testing.T) {
	t.Parallel()
	for i, a := range states {
		require.Equal(t, a, Merge(a, a))
		require.Equal(t, Delivered, Merge(Delivered, a))
		require.Equal(t, Delivered, Merge(a, Delivered))
		require.Equal(t, a, Merge(a, "read"), "not a state")
		for j, b := range states {
			require.Equal(t, states[max(i, j)], Merge(a, b), "%s then %s", a, b)
			require.Equal(t, Merge(a, b), Merge(b, a))
			for _, c := range states {
				require.Equal(t, Merge(Merge(a, b), c), Merge(a, Merge(b, c)))
			}
		}
	}
}

var noon = time.Date(2026, time.June, 8, 10, 0, 0, 0, time.UTC)

func tried(c Channel, s AttemptState, ago time.Duration) Attempt {
	return Attempt{Channel: c, State: s, At: noon.Add(-ago)}
}

// refused is an attempt that the provider does not have, for now.
func refused(c Channel, ago time.Duration) Attempt {
	a := tried(c, Failed, ago+time.Minute)
	a.RefusedAt = noon.Add(-ago)
	return a
}

func TestNextHop(t *testing.T) {
	t.Parallel()
	both := []Channel{SMS, Email}
	all := []Channel{Push, SMS, Email}
	half := 30 * time.Minute
	failed := func(reason string) Next { return Next{Done: true, Outcome: OutcomeFailed, Reason: reason} }
	delivered := func(reason string) Next { return Next{Done: true, Outcome: OutcomeDelivered, Reason: reason} }
	for name, c := range map[string]struct {
		in   HopInput
		want Next
	}{
		"e-mail by default":          {HopInput{Reachable: both}, Next{Channel: Email, Reason: HopFirst}},
		"else SMS":                   {HopInput{Reachable: []Channel{SMS}}, Next{Channel: SMS, Wait: half, Reason: HopFirst}},
		"the patient would have SMS": {HopInput{Reachable: both, Preference: Preference{Order: []Channel{SMS}}}, Next{Channel: SMS, Wait: half, Reason: HopFirst}},
		"SMS if possible": {HopInput{Reachable: []Channel{Email}, Preference: Preference{Order: []Channel{SMS}}},
			Next{Channel: Email, Reason: HopFirst}},
		"push in addition": {HopInput{Reachable: all}, Next{Channel: Email, Also: []Channel{Push}, Reason: HopFirst}},
		"push in addition, wherever it stands": {HopInput{Reachable: all, Preference: Preference{Order: []Channel{Push, SMS}}},
			Next{Channel: SMS, Wait: half, Also: []Channel{Push}, Reason: HopFirst}},
		"push alone": {HopInput{Reachable: []Channel{Push}}, Next{Channel: Push, Reason: HopFirst}},
		"no push for who will not have it": {HopInput{Reachable: all, Preference: Preference{OptOut: []Channel{Push}}},
			Next{Channel: Email, Reason: HopFirst}},
		"no e-mail for who will not have it": {HopInput{Reachable: both, Preference: Preference{Order: []Channel{Email, SMS}, OptOut: []Channel{Email}}},
			Next{Channel: SMS, Wait: half, Reason: HopFirst}},
		"a channel nobody knows": {HopInput{Reachable: []Channel{"fax"}, Preference: Preference{Order: []Channel{"fax"}}},
			Next{Done: true, Outcome: OutcomeSuppressed, Reason: DoneOptedOut}},

		"the mail server took it": {HopInput{Reachable: both, Attempts: []Attempt{tried(Email, Taken, 0)}}, delivered(DoneTaken)},
		"the e-mail bounced": {HopInput{Reachable: all, Attempts: []Attempt{tried(Email, Failed, 0), tried(Push, Taken, 0)}},
			Next{Channel: SMS, Wait: half, Reason: HopAfterFailed}},
		"push is not sent again or late": {HopInput{Reachable: all, Attempts: []Attempt{tried(Email, Failed, 0)}},
			Next{Channel: SMS, Wait: half, Reason: HopAfterFailed}},
		"push that could not go along goes last": {
			HopInput{Reachable: all, Attempts: []Attempt{tried(Email, Failed, 0), tried(SMS, Failed, 0)}}, Next{Channel: Push, Reason: HopAfterFailed}},
		"unknown e-mail is not sent again": {HopInput{Reachable: both, Attempts: []Attempt{tried(Email, Unknown, 0)}},
			Next{Channel: SMS, Wait: half, Reason: HopNoReceipt}},
		"claimed e-mail of a worker that died": {HopInput{Reachable: both, Attempts: []Attempt{tried(Email, Claimed, 0)}},
			Next{Channel: SMS, Wait: half, Reason: HopNoReceipt}},
		"SMS is waited for":         {HopInput{Reachable: both, Attempts: []Attempt{tried(SMS, Taken, 10*time.Minute)}}, Next{Wait: 20 * time.Minute, Reason: HopWaiting}},
		"unknown SMS is waited for": {HopInput{Reachable: both, Attempts: []Attempt{tried(SMS, Unknown, time.Minute)}}, Next{Wait: 29 * time.Minute, Reason: HopWaiting}},
		"SMS without a receipt": {HopInput{Reachable: both, Attempts: []Attempt{tried(SMS, Taken, half)}},
			Next{Channel: Email, Reason: HopNoReceipt}}, // D12, 10:30
		"SMS that timed out": {HopInput{Reachable: both, Attempts: []Attempt{tried(SMS, TimedOut, 0)}},
			Next{Channel: Email, Reason: HopAfterFailed}},
		"a late receipt after the e-mail": {HopInput{Reachable: both, Attempts: []Attempt{tried(SMS, Delivered, 3*time.Hour), tried(Email, Taken, 150*time.Minute)}},
			delivered(DoneReceipt)}, // D12, 13:00
		"a receipt while another is waited for": {HopInput{Reachable: both, Attempts: []Attempt{tried(Email, Delivered, 0), tried(SMS, Taken, 0)}},
			delivered(DoneReceipt)},
		"push was shown":           {HopInput{Reachable: all, Attempts: []Attempt{tried(Email, Failed, 0), tried(Push, Delivered, 0)}}, delivered(DoneReceipt)},
		"only push was taken":      {HopInput{Reachable: []Channel{Push}, Attempts: []Attempt{tried(Push, Taken, 0)}}, delivered(DoneTaken)},
		"push taken, all else not": {HopInput{Reachable: all, Attempts: []Attempt{tried(Email, Failed, 0), tried(SMS, Failed, 0), tried(Push, Taken, 0)}}, delivered(DoneTaken)},
		"push alone, with receipts": {HopInput{Reachable: []Channel{Push}, Attempts: []Attempt{tried(Push, Taken, time.Minute)},
			Waits: map[Channel]time.Duration{Push: time.Hour}}, Next{Wait: 59 * time.Minute, Reason: HopWaiting}},
		"reports about one attempt add up": {
			HopInput{Reachable: both, Attempts: []Attempt{tried(SMS, Failed, 0), tried(SMS, Taken, time.Minute), tried(Email, Failed, 0)}}, failed(DoneAllFailed)},

		"the wait counts from the first that is told of an attempt": {
			HopInput{Reachable: both, Attempts: []Attempt{tried(SMS, Taken, 0), tried(SMS, Claimed, 10*time.Minute)}}, Next{Wait: 20 * time.Minute, Reason: HopWaiting}},
		"a phone becomes known after push alone": {HopInput{Reachable: all, Attempts: []Attempt{tried(Push, Unknown, 0)}}, Next{Channel: Email, Reason: HopFirst}},

		"all failed":           {HopInput{Reachable: both, Attempts: []Attempt{tried(Email, Failed, 0), tried(SMS, TimedOut, 0)}}, failed(DoneAllFailed)},
		"perhaps":              {HopInput{Reachable: both, Attempts: []Attempt{tried(Email, Failed, 0), tried(SMS, Taken, half)}}, failed(DoneNoReceipt)},
		"nothing reachable":    {HopInput{}, failed(DoneNoChannel)},
		"nothing wanted":       {HopInput{Reachable: both, Preference: Preference{OptOut: both}}, Next{Done: true, Outcome: OutcomeSuppressed, Reason: DoneOptedOut}},
		"the rest unreachable": {HopInput{Reachable: []Channel{Email}, Attempts: []Attempt{tried(Email, Failed, 0)}}, failed(DoneAllFailed)},

		"at the latest instant":   {HopInput{Reachable: both, LatestHop: noon}, Next{Channel: Email, Reason: HopFirst}},
		"after it":                {HopInput{Reachable: both, LatestHop: noon.Add(-1)}, Next{Done: true, Outcome: OutcomeExpired, Reason: DoneLatestPast}},
		"after it, one failed":    {HopInput{Reachable: both, LatestHop: noon.Add(-1), Attempts: []Attempt{tried(Email, Failed, 0)}}, Next{Done: true, Outcome: OutcomeExpired, Reason: DoneLatestPast}},
		"after it, still waiting": {HopInput{Reachable: both, LatestHop: noon.Add(-1), Attempts: []Attempt{tried(SMS, Taken, time.Minute)}}, Next{Wait: 29 * time.Minute, Reason: HopWaiting}},
		"after it, all tried":     {HopInput{Reachable: []Channel{SMS}, LatestHop: noon.Add(-1), Attempts: []Attempt{tried(SMS, Failed, 0)}}, failed(DoneAllFailed)},

		// F17: who refused for now is asked again, when nobody else is left and it is of use.
		"the other channel before the same again": {HopInput{Reachable: both, Attempts: []Attempt{refused(Email, time.Hour)}},
			Next{Channel: SMS, Wait: half, Reason: HopAfterFailed}},
		"not at once":                 {HopInput{Reachable: both, Attempts: []Attempt{refused(Email, 5*time.Minute), refused(SMS, 0)}}, Next{Wait: 10 * time.Minute, Reason: HopProvider}},
		"after the pause":             {HopInput{Reachable: []Channel{SMS}, Attempts: []Attempt{refused(SMS, AskAgainAfter)}}, Next{Channel: SMS, Wait: half, Reason: HopAgain}},
		"who waited longest":          {HopInput{Reachable: both, Attempts: []Attempt{refused(Email, half), refused(SMS, time.Hour)}}, Next{Channel: SMS, Wait: half, Reason: HopAgain}},
		"of equals as the patient":    {HopInput{Reachable: both, Attempts: []Attempt{refused(SMS, time.Hour), refused(Email, time.Hour)}}, Next{Channel: Email, Reason: HopAgain}},
		"push too":                    {HopInput{Reachable: all, Attempts: []Attempt{tried(Email, Failed, 0), tried(SMS, Failed, 0), refused(Push, half)}}, Next{Channel: Push, Reason: HopAgain}},
		"though push was taken":       {HopInput{Reachable: all, Attempts: []Attempt{refused(Email, half), tried(SMS, Failed, 0), tried(Push, Taken, half)}}, Next{Channel: Email, Reason: HopAgain}},
		"what may come is waited for": {HopInput{Reachable: both, Attempts: []Attempt{refused(Email, half), tried(SMS, Unknown, time.Minute)}}, Next{Wait: 29 * time.Minute, Reason: HopWaiting}},
		"and did not come": {HopInput{Reachable: both, Attempts: []Attempt{refused(Email, half), tried(SMS, Taken, half)}},
			Next{Channel: Email, Reason: HopAgain}},
		"not who is not wanted":  {HopInput{Reachable: both, Preference: Preference{OptOut: []Channel{SMS}}, Attempts: []Attempt{tried(Email, Failed, 0), refused(SMS, half)}}, failed(DoneAllFailed)},
		"not who has no address": {HopInput{Reachable: []Channel{Email}, Attempts: []Attempt{tried(Email, Failed, 0), refused(SMS, half)}}, failed(DoneAllFailed)},
		"until the latest instant": {HopInput{Reachable: []Channel{SMS}, LatestHop: noon, Attempts: []Attempt{refused(SMS, half)}},
			Next{Channel: SMS, Wait: half, Reason: HopAgain}},
		"not after it": {HopInput{Reachable: []Channel{SMS}, LatestHop: noon.Add(-1), Attempts: []Attempt{refused(SMS, half)}},
			Next{Done: true, Outcome: OutcomeExpired, Reason: DoneLatestPast}},
		"no turn is left before it": {HopInput{Reachable: []Channel{SMS}, LatestHop: noon.Add(AskAgainAfter - 1), Attempts: []Attempt{refused(SMS, 0)}},
			Next{Done: true, Outcome: OutcomeExpired, Reason: DoneLatestPast}},
		"after it, push was taken": {HopInput{Reachable: []Channel{SMS, Push}, LatestHop: noon.Add(-1), Attempts: []Attempt{refused(SMS, half), tried(Push, Taken, 0)}},
			delivered(DoneTaken)},
		"for a day": {HopInput{Reachable: []Channel{SMS}, DecidedAt: noon.Add(-AskAgainFor), Attempts: []Attempt{refused(SMS, half)}},
			Next{Channel: SMS, Wait: half, Reason: HopAgain}},
		"and no longer": {HopInput{Reachable: []Channel{SMS}, DecidedAt: noon.Add(-AskAgainFor - 1), Attempts: []Attempt{refused(SMS, half)}},
			failed(DoneAllFailed)},
		"the last refusal counts": {HopInput{Reachable: []Channel{SMS}, Attempts: []Attempt{refused(SMS, time.Hour), refused(SMS, 5*time.Minute)}},
			Next{Wait: 10 * time.Minute, Reason: HopProvider}},
		"a word of it beside the refusal": {HopInput{Reachable: []Channel{SMS}, Attempts: []Attempt{refused(SMS, time.Hour), tried(SMS, Taken, time.Hour)}}, failed(DoneAllFailed)},
		"delivered after all":             {HopInput{Reachable: []Channel{SMS}, Attempts: []Attempt{refused(SMS, time.Hour), tried(SMS, Delivered, time.Hour)}}, delivered(DoneReceipt)},
	} {
		c.in.Now = noon
		require.Equal(t, c.want, NextHop(c.in), name)
	}
}

// Providers that refuse for now for some hours, in every combination, and then do each
// of all there is: nobody is sent a notice whose provider may have it, nobody is asked
// sooner than after the pause, what comes back in time is used, nothing starts after
// LatestHop, and it ends.
func TestEveryOutage(t *testing.T) {
	t.Parallel()
	const hours = 4
	channels := []Channel{Email, SMS, Push}
	for down := range hours * hours * hours {
		for outcomes := range 6 * 6 * 6 {
			up := map[Channel]time.Time{}
			fate := map[Channel]AttemptState{}
			for i, d, o := 0, down, outcomes; i < len(channels); i, d, o = i+1, d/hours, o/6 {
				up[channels[i]], fate[channels[i]] = noon.Add(time.Duration(d%hours)*time.Hour), states[o%6]
			}
			in := HopInput{Now: noon, LatestHop: noon.Add(150 * time.Minute), Reachable: channels}
			last := outlive(t, &in, up, fate)
			require.NotEmpty(t, last.Outcome)
			arrived, refusedNow := false, false
			for _, a := range in.Attempts {
				arrived = arrived || a.State == Delivered || a.State == Taken && a.Channel != SMS
				refusedNow = refusedNow || !a.RefusedAt.IsZero()
			}
			require.Equal(t, arrived, last.Outcome == OutcomeDelivered, "%v %v %+v", up, fate, in.Attempts)
			if !arrived {
				require.Equal(t, refusedNow, last.Outcome == OutcomeExpired, "a channel was left, but no time: %v %v %+v", up, fate, in.Attempts)
				for _, a := range in.Attempts {
					require.False(t, !a.RefusedAt.IsZero() && up[a.Channel].Add(time.Hour).Before(in.LatestHop), "given up though %s is back: %v %+v", a.Channel, up, in.Attempts)
				}
			}
		}
	}
}

// outlive does what NextHop says until it is done: a provider refuses for now until it
// is up, and then does its fate.
func outlive(t *testing.T, in *HopInput, up map[Channel]time.Time, fate map[Channel]AttemptState) Next {
	t.Helper()
	for range 100 {
		next := NextHop(*in)
		if next.Done {
			return next
		}
		if next.Channel == "" {
			require.Positive(t, next.Wait, "neither starts nor waits")
			in.Now = in.Now.Add(next.Wait)
			continue
		}
		require.False(t, in.Now.After(in.LatestHop), "too late")
		for _, c := range append([]Channel{next.Channel}, next.Also...) {
			if i := slices.IndexFunc(in.Attempts, func(a Attempt) bool { return a.Channel == c }); i >= 0 {
				before := in.Attempts[i]
				require.False(t, before.RefusedAt.IsZero(), "%s may have it: %+v", c, before)
				require.False(t, in.Now.Before(before.RefusedAt.Add(AskAgainAfter)), "too soon")
				require.Equal(t, HopAgain, next.Reason)
				in.Attempts = slices.Delete(in.Attempts, i, i+1)
			}
			a := Attempt{Channel: c, State: fate[c], At: in.Now}
			if in.Now.Before(up[c]) {
				a.State, a.RefusedAt = Failed, in.Now
			}
			in.Attempts = append(in.Attempts, a)
		}
	}
	t.Fatalf("no end: %+v", in)
	return Next{}
}

// Every set of reachable channels, opt-outs and orders, with every outcome on every
// channel: each channel is used at most once, none that is barred, push goes with the
// first, the patient is given up only when no channel is left, and it ends.
func TestEveryHopSequence(t *testing.T) {
	t.Parallel()
	channels := []Channel{Email, SMS, Push}
	orders := [][]Channel{nil, {SMS}, {Email}, {SMS, Email}, {Email, SMS}, {Push, SMS}}
	n := 0
	for mask := range 8 {
		for optOut := range 8 {
			for _, order := range orders {
				for outcomes := range 6 * 6 * 6 {
					fate := map[Channel]AttemptState{
						Email: states[outcomes%6], SMS: states[outcomes/6%6], Push: states[outcomes/36],
					}
					n++
					in := HopInput{Now: noon, Reachable: subset(channels, mask), Preference: Preference{Order: order, OptOut: subset(channels, optOut)}}
					last := walk(t, &in, fate)
					var usable []Channel
					for _, c := range in.Reachable {
						if !slices.Contains(in.Preference.OptOut, c) {
							usable = append(usable, c)
						}
					}
					arrived := slices.ContainsFunc(in.Attempts, func(a Attempt) bool {
						return a.State == Delivered || a.State == Taken && a.Channel != SMS
					})
					require.Equal(t, arrived, last.Outcome == OutcomeDelivered, "%+v %v", in, fate)
					if !arrived {
						require.Len(t, in.Attempts, len(usable), "gave up too early: %+v %v", in, fate)
					}
					for i, a := range in.Attempts {
						require.Contains(t, usable, a.Channel)
						require.False(t, slices.ContainsFunc(in.Attempts[:i], func(b Attempt) bool { return a.Channel == b.Channel }), "twice")
						if a.Channel == Push {
							require.Equal(t, in.Attempts[0].At, a.At, "push goes with the first hop")
						}
					}
				}
			}
		}
	}
	require.Equal(t, 8*8*len(orders)*216, n)
}

// walk does what NextHop says until it is done; attempts end as fate has it.
func walk(t *testing.T, in *HopInput, fate map[Channel]AttemptState) Next {
	t.Helper()
	for range 10 {
		next := NextHop(*in)
		if next.Done {
			require.NotEmpty(t, next.Outcome)
			require.NotEmpty(t, next.Reason)
			return next
		}
		require.True(t, next.Channel != "" || next.Wait > 0, "neither starts nor waits")
		if next.Channel == "" {
			in.Now = in.Now.Add(next.Wait)
			continue
		}
		for _, c := range append([]Channel{next.Channel}, next.Also...) {
			in.Attempts = append(in.Attempts, Attempt{Channel: c, State: fate[c], At: in.Now})
		}
	}
	t.Fatalf("no end: %+v", in)
	return Next{}
}

func subset(channels []Channel, mask int) []Channel {
	var some []Channel
	for i, c := range channels {
		if mask>>i&1 == 1 {
			some = append(some, c)
		}
	}
	return some
}
