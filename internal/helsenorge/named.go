package helsenorge

import (
	"strings"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// SplitName splits a whole name, whose last word is the family name. given is empty
// for a name of one word.
func SplitName(name string) (given, family string) {
	words := strings.Fields(name)
	if len(words) < 2 {
		return "", strings.Join(words, " ")
	}
	return strings.Join(words[:len(words)-1], " "), words[len(words)-1]
}

// Named is a health professional by whole name and HPR number. It is false when
// either is missing: who is named to a citizen has both (HITS 1217 §2.4.5).
func Named(name, hpr string) (HealthcareProfessional, bool) {
	given, family := SplitName(name)
	return HealthcareProfessional{
		GivenName: given, FamilyName: family,
		Idents: []Ident{{ID: hpr, Type: Code{V: codes.HPR, S: codes.PersonIDs.OID(), DN: codes.Name(codes.PersonIDs, codes.HPR)}}},
	}, given != "" && hpr != ""
}
