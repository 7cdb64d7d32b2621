package pg

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatKeepsAMedicineFromBeingWritten(t *testing.T) {
	t.Parallel()
	pack := func(change func(*Medicine)) Medicine {
		m := Medicine{Kind: MedicinePack, Name: "Allergex tab 10 mg", Group: "C", ItemNumber: "990017", Quantity: "2.5", Repeats: "3", Dosage: "1 daglig\ni en uke", PrescribedOn: "2026-11-23"}
		change(&m)
		return m
	}
	for name, c := range map[string]struct {
		medicine Medicine
		paths    []string
	}{
		"a pack":           {pack(func(*Medicine) {}), nil},
		"a brand":          {Medicine{Kind: MedicineBrand, Name: "A", Group: "C", TradeName: "A"}, nil},
		"a substance":      {Medicine{Kind: MedicineSubstance, Name: "A", Group: "C"}, nil},
		"an article":       {Medicine{Kind: MedicineAppliance, Name: "A", ItemNumber: "1", Goods: "M"}, nil},
		"nothing":          {Medicine{}, []string{"kind", "name"}},
		"a mixture":        {Medicine{Kind: MedicineOther, Name: "Saft"}, []string{"kind"}},
		"no number":        {pack(func(m *Medicine) { m.ItemNumber = "" }), []string{"itemNumber"}},
		"no group":         {pack(func(m *Medicine) { m.Group = "" }), []string{"group"}},
		"a nameless brand": {Medicine{Kind: MedicineBrand, Name: "A", Group: "C"}, []string{"tradeName"}},
		"goods of no kind": {Medicine{Kind: MedicineNutrition, Name: "A", ItemNumber: "1"}, []string{"goods"}},
		"in words":         {pack(func(m *Medicine) { m.Quantity, m.Repeats = "to", "tre" }), []string{"quantity", "repeats"}},
		"half a number":    {pack(func(m *Medicine) { m.Quantity = "." }), []string{"quantity"}},
		"no days":          {pack(func(m *Medicine) { m.PrescribedOn, m.ExpiresOn = "today", "2026-02-30" }), []string{"prescribedOn", "expiresOn"}},
		"two lines":        {pack(func(m *Medicine) { m.PackSize = "1\n2" }), []string{"packSize"}},
		"a control":        {pack(func(m *Medicine) { m.Dosage = "\x00" }), []string{"dosage"}},
		"a book":           {pack(func(m *Medicine) { m.Indication = strings.Repeat("x", 501) }), []string{"indication"}},
	} {
		var paths []string
		for _, f := range c.medicine.Fields("items[0].") {
			paths = append(paths, strings.TrimPrefix(f.Path, "items[0]."))
		}
		require.Equal(t, c.paths, paths, name)
	}
}
