package publication

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var start = time.Date(2026, time.June, 10, 8, 0, 0, 0, time.UTC)

func snapshot(changes ...func(*Snapshot)) Snapshot {
	s := Snapshot{StartsAt: start, EndsAt: start.Add(20 * time.Minute), Place: "Rom 2", TypeCategory: "Ordinær"}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func published(changes ...func(*Snapshot)) *Snapshot { s := snapshot(changes...); return &s }

func cancelled(s *Snapshot) { s.Cancelled = true }
func noShow(s *Snapshot)    { s.NoShow = true }
func hidden(s *Snapshot)    { s.Hidden = true }
func moved(s *Snapshot)     { s.StartsAt = s.StartsAt.Add(time.Hour) }
func longer(s *Snapshot)    { s.EndsAt = s.EndsAt.Add(time.Hour) }
func elsewhere(s *Snapshot) { s.Place = "Rom 3" }
func video(s *Snapshot)     { s.TypeCategory = "Video" }
func zoned(s *Snapshot)     { s.StartsAt = s.StartsAt.In(time.FixedZone("", 7200)) }

// HITS 1217 §3.4.1, S77-S82.
func TestCode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		published    *Snapshot
		now          Snapshot
		code, reason string
	}{
		"new":                           {nil, snapshot(), "05", ReasonNew},
		"new and hidden":                {nil, snapshot(hidden), "", ReasonHidden},
		"new and cancelled":             {nil, snapshot(cancelled), "", ReasonNeverPublished},
		"never published, did not come": {nil, snapshot(noShow), "11", ReasonNoShow},
		"nothing":                       {published(), snapshot(), "", ReasonNoChange},
		"the same instant elsewhere":    {published(), snapshot(zoned), "", ReasonNoChange},
		"moved":                         {published(), snapshot(moved), "07", ReasonChanged},
		"longer":                        {published(), snapshot(longer), "07", ReasonChanged},
		"another place":                 {published(), snapshot(elsewhere), "07", ReasonChanged},
		"another type":                  {published(), snapshot(video), "07", ReasonChanged},
		"all at once":                   {published(), snapshot(moved, longer, elsewhere, video), "07", ReasonChanged},
		"cancelled":                     {published(), snapshot(cancelled), "08", ReasonCancelled},
		"moved and cancelled":           {published(), snapshot(moved, cancelled), "08", ReasonCancelled},
		"still cancelled":               {published(cancelled), snapshot(moved, cancelled), "", ReasonNoChange},
		"restored":                      {published(cancelled), snapshot(), "05", ReasonRestored},
		"restored and moved":            {published(cancelled), snapshot(moved), "05", ReasonRestored},
		"did not come":                  {published(), snapshot(noShow), "11", ReasonNoShow},
		"still did not come":            {published(noShow), snapshot(noShow, elsewhere), "", ReasonNoChange},
		"did come":                      {published(noShow), snapshot(), "07", ReasonChanged},
		"cancelled after a no-show":     {published(noShow), snapshot(noShow, cancelled), "08", ReasonCancelled},
		"restored, did not come":        {published(cancelled), snapshot(noShow), "11", ReasonNoShow},
		"restored after a no-show and a cancellation": {published(noShow, cancelled), snapshot(noShow), "11", ReasonNoShow},
		"hidden":                           {published(), snapshot(hidden), "", ReasonHidden},
		"hidden and moved":                 {published(), snapshot(hidden, moved), "", ReasonHidden},
		"hidden and cancelled":             {published(), snapshot(hidden, cancelled), "", ReasonHidden},
		"hidden and did not come":          {published(), snapshot(hidden, noShow), "", ReasonHidden},
		"shown again":                      {published(hidden), snapshot(), "07", ReasonUnhidden},
		"shown again, moved meanwhile":     {published(hidden), snapshot(moved), "07", ReasonUnhidden},
		"shown again, once":                {published(), snapshot(), "", ReasonNoChange},
		"shown again, cancelled meanwhile": {published(hidden), snapshot(cancelled), "08", ReasonCancelled},
	} {
		code, reason := Code(c.published, c.now)
		require.Equal(t, c.code, code, name)
		require.Equal(t, c.reason, reason, name)
	}
}

// Over every pair of states: nothing hidden leaves, and what has been told need not be
// told again.
func TestCodeEndsInSilence(t *testing.T) {
	t.Parallel()
	var all []Snapshot
	for i := range 64 {
		var changes []func(*Snapshot)
		for bit, change := range []func(*Snapshot){cancelled, noShow, hidden, moved, elsewhere, video} {
			if i>>bit&1 == 1 {
				changes = append(changes, change)
			}
		}
		all = append(all, snapshot(changes...))
	}
	for _, now := range all {
		for i := range len(all) + 1 {
			var before *Snapshot
			if i > 0 {
				before = &all[i-1]
			}
			code, reason := Code(before, now)
			require.NotEmpty(t, reason)
			if now.Hidden {
				require.Empty(t, code)
			}
			if code != "" {
				again, _ := Code(&now, now)
				require.Empty(t, again, "%+v after %+v", now, before)
			}
		}
	}
}
