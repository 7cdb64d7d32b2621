package routing

import (
	"reflect"
	"testing"
)

var (
	gp       = Recipient{Kind: Personal, ID: "gp"}
	nurses   = Recipient{Kind: Group, ID: "nurses"}
	desk     = Recipient{Kind: Role, ID: "desk"}
	everyone = map[Recipient]int{WholeClinic: 3, nurses: 2, desk: 1}
)

func TestDefaults(t *testing.T) { // S44, S45, S46
	t.Parallel()
	if got := Default(EConsultation); got.Format != Practitioner || len(got.Recipients) != 0 {
		t.Errorf("e-consultation: %+v", got)
	}
	for _, p := range []string{EContact, Prescription} {
		if got := Default(p); !reflect.DeepEqual(got, Rule{Format: Selected, Recipients: []Recipient{WholeClinic}}) {
			t.Errorf("%s: %+v", p, got)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule   Rule
		live   Live
		places []Recipient
		why    Fallback
	}{
		"practitioner":              {Rule{Format: Practitioner}, Live{"gp", everyone}, []Recipient{gp}, NoFallback},
		"practitioner gone":         {Rule{Format: Practitioner}, Live{"", everyone}, []Recipient{WholeClinic}, NoPractitioner},
		"selected":                  {Rule{Selected, []Recipient{nurses, desk}}, Live{"gp", everyone}, []Recipient{nurses, desk}, NoFallback},
		"one selected empty":        {Rule{Selected, []Recipient{nurses, desk}}, Live{"gp", map[Recipient]int{desk: 1, WholeClinic: 1}}, []Recipient{desk}, EmptyRecipients},
		"all selected empty":        {Rule{Selected, []Recipient{nurses}}, Live{"gp", map[Recipient]int{WholeClinic: 1}}, []Recipient{WholeClinic}, EmptyRecipients},
		"both":                      {Rule{Both, []Recipient{nurses}}, Live{"gp", everyone}, []Recipient{gp, nurses}, NoFallback},
		"both without practitioner": {Rule{Both, []Recipient{nurses}}, Live{"", everyone}, []Recipient{nurses}, NoPractitioner},
		"nobody":                    {Rule{Format: Practitioner}, Live{}, nil, NobodyActive},
	} {
		places, why := Resolve(c.rule, c.live)
		if !reflect.DeepEqual(places, c.places) || why != c.why {
			t.Errorf("%s: got %v, %q; want %v, %q", name, places, why, c.places, c.why)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule Rule
		ok   bool
	}{
		"practitioner":                 {Rule{Format: Practitioner}, true},
		"practitioner with a receiver": {Rule{Practitioner, []Recipient{nurses}}, false}, // S36
		"selected":                     {Rule{Selected, []Recipient{nurses, desk, WholeClinic}}, true},
		"selected without a receiver":  {Rule{Format: Selected}, false}, // A9
		"both without a receiver":      {Rule{Format: Both}, false},
		"twice":                        {Rule{Selected, []Recipient{nurses, nurses}}, false},
		"a person as receiver":         {Rule{Selected, []Recipient{gp}}, false},
		"no id":                        {Rule{Selected, []Recipient{{Kind: Group}}}, false},
		"no format":                    {Rule{}, false},
	} {
		if err := c.rule.Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
