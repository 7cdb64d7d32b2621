package conversion

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// words that a notice must have: what it is, and that there is a fee.
var words = map[string][2]string{
	"nb": {"e-konsultasjon", "egenandel"},
	"nn": {"e-konsultasjon", "eigendel"},
	"en": {"e-consultation", "user fee"},
	"se": {"e-konsultašuv", "iežasoasi"},
}

func TestNoticesFitAndSayWhatItCosts(t *testing.T) { // F14
	t.Parallel()
	for language, want := range words {
		for kind, n := range map[string]Notice{"tells": Tells(language), "asks": Asks(language)} {
			if utf8.RuneCountInString(n.Subject) > 50 || utf8.RuneCountInString(n.Text) > 1000 {
				t.Errorf("%s %s: longer than Helsenorge shows", kind, language)
			}
			for _, w := range want {
				if !strings.Contains(n.Text, w) {
					t.Errorf("%s %s: does not say %q", kind, language, w)
				}
			}
			if strings.ContainsAny(n.Text+n.Subject, "0123456789") {
				t.Errorf("%s %s: names an amount", kind, language)
			}
		}
		if !strings.HasSuffix(Asks(language).Subject, "?") || Asks(language) == Tells(language) {
			t.Errorf("%s: the question is none", language)
		}
	}
}

func TestAnUnknownLanguageIsBokmål(t *testing.T) {
	t.Parallel()
	if Tells("sv") != Tells("nb") || Asks("") != Asks("nb") {
		t.Error("a citizen must be told in some language")
	}
}
