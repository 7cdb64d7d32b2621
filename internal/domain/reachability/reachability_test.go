package reachability

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// open is a patient whom everything may be sent to.
func open() Facts {
	yes := true
	return Facts{Clinic: "active", Practitioner: "active", Offered: true, Consents: true, Active: &yes}
}

// closers close one gate each, in the order in which closed gates are named.
var closers = []struct {
	gate Gate
	shut func(*Facts)
}{
	{HelpNumber, func(f *Facts) { f.Number = HelpNumber }},
	{Deceased, func(f *Facts) { f.Deceased = true }},
	{NotOffered, func(f *Facts) { f.Offered = false }},
	{NoConsent, func(f *Facts) { f.Consents = false }},
	{NotActive, func(f *Facts) { no := false; f.Active = &no }},
}

// TestEveryCombinationNamesItsGates: each gate alone and with every other, always in
// the same order.
func TestEveryCombinationNamesItsGates(t *testing.T) {
	t.Parallel()
	for mask := range 1 << len(closers) {
		f := open()
		var want []Gate
		for i, c := range closers {
			if mask&(1<<i) != 0 {
				c.shut(&f)
				want = append(want, c.gate)
			}
		}
		require.Equal(t, want, Closed(f), "%05b", mask)

		// What never meets Helsenorge has the gate of the number alone (A7).
		f.InHouse = true
		require.Equal(t, slices.Contains(want, HelpNumber), len(Closed(f)) == 1)
		require.LessOrEqual(t, len(Closed(f)), 1)
	}
}

func TestEachNumberNamesItself(t *testing.T) {
	t.Parallel()
	for _, g := range []Gate{NumberMissing, NumberInvalid, HelpNumber, SyntheticNumber} {
		f := open()
		f.Number = g
		require.Equal(t, []Gate{g}, Closed(f))
	}
}

func TestIntegrationIsNamedBeforeTheService(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		clinic, practitioner Integration
		offered              bool
		want                 []Gate
	}{
		{"active", "active", true, nil},
		{"active", "", true, nil},
		// The clinic offers it, whatever becomes of the GP.
		{"active", IntegrationSuspended, true, nil},
		{"active", IntegrationSuspended, false, []Gate{Suspended}},
		{"active", IntegrationNotActivated, false, []Gate{NotActivated}},
		{"active", "active", false, []Gate{NotOffered}},
		{"active", "", false, []Gate{NotOffered}},
		{IntegrationNotActivated, IntegrationNotActivated, false, []Gate{NotActivated}},
		{IntegrationSuspended, "active", false, []Gate{Suspended}},
		{IntegrationSuspended, IntegrationNotActivated, false, []Gate{Suspended}},
	} {
		f := open()
		f.Clinic, f.Practitioner, f.Offered = c.clinic, c.practitioner, c.offered
		require.Equal(t, c.want, Closed(f), "%+v", c)
	}
}

func TestWhatIsNotKnownIsAGate(t *testing.T) {
	t.Parallel()
	f := open()
	f.Active = nil
	require.Equal(t, []Gate{StatusUnknown}, Closed(f))
	f.Consents = false
	require.Equal(t, []Gate{NoConsent, StatusUnknown}, Closed(f))
	f.InHouse = true
	require.Empty(t, Closed(f))
}
