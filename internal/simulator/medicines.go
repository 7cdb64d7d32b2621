package simulator

import (
	"fmt"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// cabinet are the invented prescriptions that citizens have, one of each kind that
// Helsenorge fills in (HITS 1217 §3.1.2). The days are left out, as there.
var cabinet = []helsenorge.Prescription{
	{
		Kind: helsenorge.Pack, Goods: helsenorge.Code{V: "L", DN: "Legemiddel"}, Quantity: "1", Repeats: 3, Use: helsenorge.Code{V: "1", DN: "Fast"},
		Indication: "Mot pollenallergi", Dosage: "1 tablett daglig", ATC: helsenorge.Code{V: "R06ZZ99", S: codes.ATC.OID(), DN: "Påfunnatadin"},
		Group: helsenorge.Code{V: "C", DN: "Reseptgruppe C"}, Name: "Allergex tab 10 mg", ItemNumber: "990017",
		TradeName: "Allergex", PackSize: "100", PackUnit: helsenorge.Code{V: "stk", S: codes.PackUnits.OID(), DN: "stykk"},
	},
	{
		Kind: helsenorge.Brand, Goods: helsenorge.Code{V: "L", DN: "Legemiddel"}, Quantity: "2", Exchange: helsenorge.Code{V: "1", DN: "Ja"},
		Dosage: "2 inhalasjoner ved behov", ATC: helsenorge.Code{V: "R03ZZ99", S: codes.ATC.OID(), DN: "Pustolin"},
		Group: helsenorge.Code{V: "C", DN: "Reseptgruppe C"}, Name: "Pustex inh 0,1 mg/dose", TradeName: "Pustex",
	},
	{
		Kind: helsenorge.Substance, Reserved: true, Goods: helsenorge.Code{V: "L", DN: "Legemiddel"}, Quantity: "1", Repeats: 1,
		Dosage: "1 tablett daglig", Group: helsenorge.Code{V: "C", DN: "Reseptgruppe C"}, Name: "Fantasigestrel tab 75 mikrog",
	},
}

// Medicines are the names of the invented prescriptions that citizens have. Guardians
// may not see the last.
func Medicines() []string {
	names := make([]string, len(cabinet))
	for i, p := range cabinet {
		names[i] = p.Name
	}
	return names
}

// prescriptions are those of the names; a name that nobody has is a pack of it, and no
// names are the first one's.
func prescriptions(names []string) []helsenorge.Prescription {
	if len(names) == 0 {
		names = Medicines()[:1]
	}
	out := make([]helsenorge.Prescription, len(names))
	for i, name := range names {
		out[i] = cabinet[0]
		out[i].Name, out[i].TradeName = name, name
		for _, p := range cabinet {
			if p.Name == name {
				out[i] = p
			}
		}
		out[i].ID = fmt.Sprintf("ID_99001700-%04d", i+1)
	}
	return out
}
