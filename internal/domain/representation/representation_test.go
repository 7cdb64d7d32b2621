package representation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/domain/oslo"
)

var (
	birth    = time.Date(2010, time.June, 9, 0, 0, 0, 0, time.UTC)
	sixteen  = oslo.At(2026, time.June, 9, 0, 0, 0)
	lastHour = sixteen.Add(-time.Nanosecond)
)

// S81, D4: the edge is 00:00 in Norway on the 16th birthday, which is 22:00 UTC the
// day before.
func TestMayAct(t *testing.T) {
	t.Parallel()
	for _, r := range []Relation{FO, VE, FU, TD, "", "MOR"} {
		for _, at := range []time.Time{birth, lastHour, sixteen, sixteen.AddDate(60, 0, 0)} {
			grown := !at.Before(sixteen)
			want := map[Relation]map[bool]string{
				FO: {true: SixteenOrOlder}, VE: {}, FU: {false: UnderSixteen}, TD: {false: UnderSixteen},
				"": {true: UnknownRelation, false: UnknownRelation}, "MOR": {true: UnknownRelation, false: UnknownRelation},
			}[r][grown]
			ok, reason := MayAct(r, birth, at, false)
			require.Equal(t, want, reason, "%s at %v", r, at)
			require.Equal(t, want == "", ok)

			ok, reason = MayAct(r, birth, at, true) // D14
			require.False(t, ok)
			require.Equal(t, Protected, reason)
		}
	}
}

func TestUsableContact(t *testing.T) {
	t.Parallel()
	own := Contact{Owner: Patient, Verified: true}
	parents := Contact{Owner: Patient, Verified: true, FromParent: true}
	confirmed := func(at time.Time) Contact { c := parents; c.ConfirmedAt = at; return c }
	mother := Contact{Owner: Representative, Relation: FO, Verified: true}
	later := sixteen.Add(48 * time.Hour)
	for name, c := range map[string]struct {
		contact   Contact
		at        time.Time
		protected bool
		reason    string
	}{
		"own, child":                              {own, birth, false, ""},
		"own, grown":                              {own, later, false, ""},
		"own, protected":                          {own, later, true, ""},
		"own, not verified":                       {Contact{Owner: Patient}, later, false, Unverified},
		"a parent's on the card, the last hour":   {parents, lastHour, false, ""},
		"a parent's on the card, the birthday":    {parents, sixteen, false, NotReconfirmed},
		"confirmed before the birthday":           {confirmed(lastHour), later, false, NotReconfirmed},
		"confirmed at the birthday":               {confirmed(sixteen), later, false, ""},
		"confirmed in the future":                 {confirmed(later.Add(1)), later, false, NotReconfirmed},
		"a parent's on the card of a protected":   {parents, lastHour, true, Protected},
		"confirmed by a protected":                {confirmed(sixteen), later, true, ""},
		"mother, the last hour":                   {mother, lastHour, false, ""},
		"mother, the birthday":                    {mother, sixteen, false, SixteenOrOlder},
		"mother, confirmation is not hers to use": {Contact{Owner: Representative, Relation: FO, Verified: true, ConfirmedAt: sixteen}, later, false, SixteenOrOlder},
		"mother, protected":                       {mother, lastHour, true, Protected},
		"mother, not verified":                    {Contact{Owner: Representative, Relation: FO}, lastHour, false, Unverified},
		"guardian of a grown":                     {Contact{Owner: Representative, Relation: VE, Verified: true}, later, false, ""},
		"proxy of a child":                        {Contact{Owner: Representative, Relation: FU, Verified: true}, lastHour, false, UnderSixteen},
		"nobody's":                                {Contact{Verified: true}, later, false, UnknownOwner},
	} {
		ok, reason := UsableContact(c.contact, birth, c.at, c.protected)
		require.Equal(t, c.reason, reason, name)
		require.Equal(t, c.reason == "", ok, name)
	}
}
