package title

import "testing"

func TestInboundCarriesTheMark(t *testing.T) { // S94
	t.Parallel()
	for _, c := range []struct{ kind, subject, want string }{
		{"e-contact", "Attest", "helsenorge.no: Attest"},
		{"e-contact", "  ", "helsenorge.no: e-contact"},
	} {
		if got := Inbound(c.kind, c.subject); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
