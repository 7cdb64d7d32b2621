package prescription_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/domain/prescription"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// every calls do with each way to decide on n prescriptions.
func every(n int, do func([]prescription.Decision)) int {
	total := 1
	for range n {
		total *= 3
	}
	for i := range total {
		all := make([]prescription.Decision, n)
		for j, rest := 0, i; j < n; j, rest = j+1, rest/3 {
			all[j] = prescription.Decisions()[rest%3]
		}
		do(all)
	}
	return total
}

// want is the rule of F15 in other words than the product's: by what occurs at all.
func want(all []prescription.Decision) string {
	occurs := map[prescription.Decision]bool{}
	for _, d := range all {
		occurs[d] = true
	}
	others := occurs[prescription.Cannot] || occurs[prescription.Rejected]
	switch {
	case occurs[prescription.Renewed] && others:
		return "32"
	case occurs[prescription.Renewed]:
		return "14"
	case occurs[prescription.Cannot]:
		return "15"
	}
	return "26"
}

func TestEveryWayToDecideOnUpToFourComesToTheRightOption(t *testing.T) { // F15, S62-S65
	t.Parallel()
	ways, seen := 0, map[string]int{}
	for n := 1; n <= 4; n++ {
		ways += every(n, func(all []prescription.Decision) {
			option := prescription.Derive(all)
			seen[option]++
			require.Equal(t, want(all), option, "%v", all)
			for _, chosen := range append(prescription.Options(), "30", "12", "") {
				why := prescription.Contradiction(chosen, all)
				require.Equal(t, chosen == option, why == "", "%v %s", all, chosen)
				if why != "" {
					require.Contains(t, why, option, "it says what would be right")
				}
			}
		})
	}
	require.Equal(t, 3+9+27+81, ways)
	require.Len(t, seen, 4, "all four options occur")
	require.Empty(t, prescription.Derive(nil))
}

func TestAnOptionAloneSaysItOfAll(t *testing.T) {
	t.Parallel()
	for _, option := range prescription.Options() {
		all := prescription.Expand(option, 3)
		if option == prescription.OptionPartly {
			require.Nil(t, all, "it does not say which")
			continue
		}
		require.Len(t, all, 3)
		require.Equal(t, option, prescription.Derive(all))
	}
	require.Nil(t, prescription.Expand("30", 3))
	require.Nil(t, prescription.Expand(prescription.OptionRenewed, 0))
}

func TestTheNoteIsTheStandardsOwnWords(t *testing.T) { // S67
	t.Parallel()
	for _, option := range prescription.Options() {
		require.Equal(t, codes.Name(codes.Answers, option), prescription.Note(option))
		require.LessOrEqual(t, utf8.RuneCountInString(prescription.Note(option)), 50)
	}
	require.Empty(t, prescription.Note("30"))
}

func TestTheTextHasALineForEach(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Hei.\n\n- Ibux 400 mg: fornyet\n- Paralgin forte: kan ikke fornyes. Bestill time.\n- Sykkel: avvist. Ikke på resept.",
		prescription.Text("Hei.", []prescription.Line{
			{Name: "Ibux 400 mg", Decision: prescription.Renewed},
			{Name: "Paralgin\n forte", Decision: prescription.Cannot, Reason: "Bestill time."},
			{Name: "Sykkel", Decision: prescription.Rejected, Reason: "Ikke på resept."},
		}))
	alone := prescription.Line{Name: "Ibux", Decision: prescription.Cannot}
	require.Equal(t, "Hei.", prescription.Text("Hei.", []prescription.Line{alone}), "the option says it")
	alone.Reason = "Bestill time."
	require.Equal(t, "Hei.\n\n- Ibux: kan ikke fornyes. Bestill time.", prescription.Text("Hei.", []prescription.Line{alone}))
	long := prescription.Text("", []prescription.Line{{Name: strings.Repeat("æ", 500), Decision: prescription.Cannot, Reason: "x"}})
	require.Less(t, utf8.RuneCountInString(long), 120)
}

func TestWhatIsReservedIsInNoText(t *testing.T) { // F15: parents read the text
	t.Parallel()
	for n := 1; n <= 4; n++ {
		every(n, func(all []prescription.Decision) {
			for reserved := range n {
				lines := make([]prescription.Line, n)
				for i, d := range all {
					lines[i] = prescription.Line{Name: "Medisin " + string(rune('A'+i)), Decision: d, Reason: "grunn " + string(rune('A'+i)), Reserved: i == reserved}
				}
				text := prescription.Text("Hei.", lines)
				require.NotContains(t, text, lines[reserved].Name)
				require.NotContains(t, text, lines[reserved].Reason)
				require.Equal(t, n-1, strings.Count(text, "\n- "), "the others are there")
			}
		})
	}
}

func TestATextThatSpeaksOfAPrescription(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"Loette er fornyet":                     true,
		"vi fornyer loette 28 Tab. i dag":       true,
		"Alt er fornyet":                        false,
		"Mikro er fornyet, se microgynon 150mg": true,
	} {
		require.Equal(t, want, prescription.Names(text, "Loette  28 tab.", "Microgynon"), text)
	}
	require.False(t, prescription.Names("en tablett", "en B 5", ""), "a short word is no name")
}
