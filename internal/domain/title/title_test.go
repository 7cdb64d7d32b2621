package title

import (
	"strings"
	"testing"
)

func TestInboundCarriesTheMark(t *testing.T) { // S94
	t.Parallel()
	for _, c := range []struct{ kind, subject, want string }{
		{"e-contact", "Attest", "helsenorge.no: Attest"},
		{"e-contact", "  ", "helsenorge.no: e-contact"},
	} {
		if got := Inbound(c.kind, c.subject); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if got := Own(c.kind, c.subject); strings.Contains(got, Mark) || Mark+": "+got != c.want {
			t.Errorf("got %q, want %q without the mark", got, c.want)
		}
	}
}
