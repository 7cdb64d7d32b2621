package routing_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/domain/routing"
)

var (
	nurses = routing.Recipient{Kind: routing.Group, ID: "nurses"}
	labs   = routing.Recipient{Kind: routing.Unit, ID: "lab"}
	desk   = routing.Recipient{Kind: routing.Role, ID: "staff"}
	chief  = routing.Recipient{Kind: routing.Position, ID: "chief"}
)

func own(id string) routing.Recipient { return routing.Recipient{Kind: routing.Personal, ID: id} }

// roster is a clinic where everybody is at work but those named.
func roster(away ...string) routing.Roster {
	all := routing.Roster{
		{ID: "gp", Role: "practitioner", Position: "gp", HPR: "1", DeputyID: "locum", Groups: []string{"doctors"}},
		{ID: "other", Role: "practitioner", Position: "chief", HPR: "2"},
		{ID: "locum", Role: "practitioner", HPR: "3", DeputyID: "other"},
		{ID: "nurse", Role: "staff", Unit: "lab", Groups: []string{"nurses"}, DeputyID: "clerk"},
		{ID: "clerk", Role: "staff"},
	}
	for i := range all {
		all[i].Active = true
		all[i].Present = !slices.Contains(away, all[i].ID)
	}
	return all
}

func TestDefaults(t *testing.T) { // S44, S45, S46
	t.Parallel()
	require.Equal(t, routing.Rule{Format: routing.Practitioner}, routing.Default(routing.EConsultation))
	for _, p := range []string{routing.EContact, routing.Prescription} {
		require.Equal(t, routing.Rule{Format: routing.Selected, Recipients: []routing.Recipient{routing.WholeClinic}}, routing.Default(p))
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	selected := func(all ...routing.Recipient) routing.Rule {
		return routing.Rule{Format: routing.Selected, Recipients: all}
	}
	both := routing.Rule{Format: routing.Both, Recipients: []routing.Recipient{nurses}}
	practitioner := routing.Rule{Format: routing.Practitioner}
	of := routing.Asked{PractitionerID: "gp"}
	place := func(r routing.Recipient, via routing.Via) routing.Place { return routing.Place{Recipient: r, Via: via} }
	for name, c := range map[string]struct {
		rule   routing.Rule
		asked  routing.Asked
		away   []string
		places []routing.Place
		why    routing.Fallback
		nobody bool
	}{
		"practitioner": {rule: practitioner, asked: of, places: []routing.Place{place(own("gp"), routing.ViaRule)}},
		"practitioner away": {
			rule: practitioner, asked: of, away: []string{"gp"},
			places: []routing.Place{place(own("locum"), routing.ViaDeputy)}, why: routing.NoPractitioner,
		},
		"deputy away too": {
			rule: practitioner, asked: of, away: []string{"gp", "locum"},
			places: []routing.Place{place(own("other"), routing.ViaDeputy)}, why: routing.NoPractitioner,
		},
		"practitioner unknown": {rule: practitioner, places: []routing.Place{place(routing.WholeClinic, routing.ViaFallback)}, why: routing.NoPractitioner},
		"selected": {
			rule: selected(nurses, desk, labs, chief), asked: of,
			places: []routing.Place{place(nurses, routing.ViaRule), place(desk, routing.ViaRule), place(labs, routing.ViaRule), place(chief, routing.ViaRule)},
		},
		"one selected empty": {
			rule: selected(nurses, desk), asked: of, away: []string{"nurse"},
			places: []routing.Place{place(desk, routing.ViaRule)}, why: routing.EmptyRecipients,
		},
		"all selected empty": {
			rule: selected(nurses, labs), asked: of, away: []string{"nurse"},
			places: []routing.Place{place(own("clerk"), routing.ViaDeputy)}, why: routing.EmptyRecipients,
		},
		"no deputy either": {
			rule: selected(nurses), asked: of, away: []string{"nurse", "clerk"},
			places: []routing.Place{place(routing.WholeClinic, routing.ViaFallback)}, why: routing.EmptyRecipients,
		},
		"both": {rule: both, asked: of, places: []routing.Place{place(own("gp"), routing.ViaRule), place(nurses, routing.ViaRule)}},
		"both without practitioner": {
			rule: both, asked: routing.Asked{}, places: []routing.Place{place(nurses, routing.ViaRule)}, why: routing.NoPractitioner,
		},
		"wished, not the own": {
			rule: both, asked: routing.Asked{PractitionerID: "gp", Wished: true, WishedID: "other"},
			places: []routing.Place{place(own("other"), routing.ViaWished), place(nurses, routing.ViaRule)},
		},
		"wished beside selected": {
			rule: selected(nurses), asked: routing.Asked{PractitionerID: "gp", Wished: true, WishedID: "other"},
			places: []routing.Place{place(own("other"), routing.ViaWished), place(nurses, routing.ViaRule)},
		},
		"wished is away": {
			rule: practitioner, asked: routing.Asked{PractitionerID: "gp", Wished: true, WishedID: "other"}, away: []string{"other"},
			places: []routing.Place{place(own("gp"), routing.ViaRule)}, why: routing.WishedAbsent,
		},
		"wished is a stranger": {
			rule: practitioner, asked: routing.Asked{PractitionerID: "gp", Wished: true},
			places: []routing.Place{place(own("gp"), routing.ViaRule)}, why: routing.WishedAbsent,
		},
		"taken": {
			rule: selected(nurses), asked: routing.Asked{OwnerID: "clerk"},
			places: []routing.Place{place(nurses, routing.ViaRule), place(own("clerk"), routing.ViaOwner)},
		},
		"taken by the practitioner": {
			rule: practitioner, asked: routing.Asked{PractitionerID: "gp", OwnerID: "gp"}, places: []routing.Place{place(own("gp"), routing.ViaRule)},
		},
		"taken by who is away": {
			rule: selected(nurses), asked: routing.Asked{OwnerID: "clerk"}, away: []string{"clerk"}, places: []routing.Place{place(nurses, routing.ViaRule)},
		},
		"forwarded": {
			rule: practitioner, asked: routing.Asked{PractitionerID: "gp", Forwarded: []routing.Recipient{nurses}, OwnerID: "clerk"},
			places: []routing.Place{place(nurses, routing.ViaForward), place(own("clerk"), routing.ViaOwner)},
		},
		"forwarded to who is away": {
			rule: practitioner, asked: routing.Asked{PractitionerID: "gp", Forwarded: []routing.Recipient{nurses}}, away: []string{"nurse"},
			places: []routing.Place{place(own("clerk"), routing.ViaDeputy)}, why: routing.EmptyRecipients,
		},
		"nobody": {
			rule: practitioner, asked: of, away: []string{"gp", "other", "locum", "nurse", "clerk"},
			places: []routing.Place{place(routing.WholeClinic, routing.ViaFallback)}, why: routing.NobodyPresent, nobody: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, routing.Placement{Places: c.places, Fallback: c.why, Nobody: c.nobody}, routing.Resolve(c.rule, c.asked, roster(c.away...)))
		})
	}
}

func TestWhoReads(t *testing.T) {
	t.Parallel()
	r := roster()
	mine, covered := r.Inboxes("gp")
	require.Equal(t, []routing.Recipient{
		own("gp"), routing.WholeClinic, {Kind: routing.Position, ID: "gp"}, {Kind: routing.Role, ID: "practitioner"}, {Kind: routing.Group, ID: "doctors"},
	}, mine)
	require.Empty(t, covered)
	require.False(t, r.Reads("clerk", own("gp")))

	r = roster("gp")
	_, covered = r.Inboxes("locum")
	require.Equal(t, []routing.Recipient{own("gp"), {Kind: routing.Position, ID: "gp"}, {Kind: routing.Group, ID: "doctors"}}, covered, "the deputy")
	require.False(t, r.Reads("clerk", own("gp")), "there is a deputy")
	require.True(t, r.Reads("gp", own("gp")), "who is away may look in")

	r = roster("gp", "locum", "other")
	require.True(t, r.Reads("clerk", own("gp")), "nobody stands in: everybody does")

	r[0].Active = false
	require.False(t, r.Reads("gp", own("gp")), "who has left reads nothing")
	require.False(t, r.Reads("stranger", routing.WholeClinic))
	require.Empty(t, r.StandIn("gp"))
	require.Equal(t, "other", roster("gp", "locum").StandIn("gp"))
	require.Equal(t, []routing.Place{{Recipient: own("other"), Via: routing.ViaLeaver}}, roster("gp", "locum").Cover(own("gp")))
	require.Equal(t, []routing.Place{{Recipient: routing.WholeClinic, Via: routing.ViaLeaver}}, roster().Cover(routing.Recipient{Kind: routing.Group, ID: "dissolved"}))

	ring := routing.Roster{{ID: "a", DeputyID: "b", Active: true}, {ID: "b", DeputyID: "a", Active: true}}
	require.Empty(t, ring.StandIn("a"), "deputies of each other, both away")
	require.Equal(t, "b", roster2(ring).StandIn("a"))
}

// roster2 has its second member at work.
func roster2(r routing.Roster) routing.Roster {
	r[1].Present = true
	return r
}

// Whatever the clinic, the rule and the message: who is at work can read it (F12).
func TestNoInboxIsEmptyOfReaders(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 12)) // it must repeat
	pick := func(n int, prefix string) string {
		if i := rng.IntN(n + 1); i > 0 {
			return fmt.Sprint(prefix, i)
		}
		return ""
	}
	kinds := map[routing.Kind]string{routing.Position: "p", routing.Group: "g", routing.Role: "r", routing.Unit: "u"}
	for range 3000 {
		var r routing.Roster
		somebody := false
		for i := range 1 + rng.IntN(6) {
			m := routing.Member{
				ID: fmt.Sprint("s", i+1), Position: pick(2, "p"), Role: pick(2, "r"), Unit: pick(2, "u"), HPR: pick(3, "h"),
				DeputyID: pick(6, "s"), Active: rng.IntN(4) > 0,
			}
			if g := pick(2, "g"); g != "" {
				m.Groups = []string{g}
			}
			m.Present = m.Active && rng.IntN(2) > 0
			somebody = somebody || m.Present
			r = append(r, m)
		}
		rule := routing.Rule{Format: []routing.Format{routing.Practitioner, routing.Selected, routing.Both}[rng.IntN(3)]}
		if rule.Format != routing.Practitioner {
			for kind, prefix := range kinds {
				if id := pick(2, prefix); id != "" {
					rule.Recipients = append(rule.Recipients, routing.Recipient{Kind: kind, ID: id})
				}
			}
		}
		asked := routing.Asked{PractitionerID: pick(6, "s"), WishedID: r.ByHPR(pick(3, "h")), OwnerID: pick(6, "s")}
		asked.Wished = asked.WishedID != ""
		if rng.IntN(4) == 0 {
			asked.Forwarded = rule.Recipients
		}
		got := routing.Resolve(rule, asked, r)
		require.NotEmpty(t, got.Places)
		require.Equal(t, !somebody, got.Nobody)
		read := func(at routing.Recipient) bool {
			return slices.ContainsFunc(r, func(m routing.Member) bool { return m.Present && r.Reads(m.ID, at) })
		}
		for _, p := range got.Places {
			require.Equal(t, somebody, read(p.Recipient), "%v at %v", p, r)
		}
		// What lay in anybody's inbox before is read, too.
		for _, m := range r {
			require.Equal(t, somebody, read(own(m.ID)))
			if m.Position != "" {
				require.Equal(t, somebody, read(routing.Recipient{Kind: routing.Position, ID: m.Position}))
			}
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule routing.Rule
		ok   bool
	}{
		"practitioner":                 {routing.Rule{Format: routing.Practitioner}, true},
		"practitioner with a receiver": {routing.Rule{Format: routing.Practitioner, Recipients: []routing.Recipient{nurses}}, false}, // S36
		"selected":                     {routing.Rule{Format: routing.Selected, Recipients: []routing.Recipient{nurses, desk, routing.WholeClinic}}, true},
		"selected without a receiver":  {routing.Rule{Format: routing.Selected}, false}, // A9
		"both without a receiver":      {routing.Rule{Format: routing.Both}, false},
		"twice":                        {routing.Rule{Format: routing.Selected, Recipients: []routing.Recipient{nurses, nurses}}, false},
		"a person as receiver":         {routing.Rule{Format: routing.Selected, Recipients: []routing.Recipient{own("gp")}}, false},
		"no id":                        {routing.Rule{Format: routing.Selected, Recipients: []routing.Recipient{{Kind: routing.Group}}}, false},
		"no format":                    {routing.Rule{}, false},
	} {
		require.Equal(t, c.ok, c.rule.Validate() == nil, name)
	}
}

func TestParseRecipient(t *testing.T) {
	t.Parallel()
	for _, r := range []routing.Recipient{nurses, labs, desk, chief, own("gp"), {Kind: routing.Group, ID: "a:b"}} {
		got, err := routing.ParseRecipient(r.String())
		require.NoError(t, err)
		require.Equal(t, r, got)
	}
	for _, bad := range []string{"", "nurses", "planet:mars", "group:", ":x"} {
		_, err := routing.ParseRecipient(bad)
		require.Error(t, err, bad)
	}
}
