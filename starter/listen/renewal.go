package listen

import (
	"strconv"
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/pg"
)

// medicines are the prescriptions that a citizen asks to have renewed (HITS 1217 §3.1.2).
func medicines(prescriptions []helsenorge.Prescription) (all []pg.Medicine) {
	for _, p := range prescriptions {
		all = append(all, pg.Medicine{
			Kind: pg.MedicineKind(p.Kind), Name: p.Name, ATC: p.ATC.V, Group: p.Group.V, Goods: p.Goods.V, ItemNumber: p.ItemNumber, ItemID: p.ID,
			TradeName: p.TradeName, PackSize: p.PackSize, PackUnit: p.PackUnit.V, Quantity: p.Quantity, Repeats: strconv.Itoa(p.Repeats),
			Use: p.Use.V, Dosage: p.Dosage, Indication: p.Indication, PrescribedOn: day(p.PrescribedOn), ExpiresOn: day(p.ExpiresOn), Reserved: p.Reserved,
		})
	}
	return all
}

// day is a calendar date, "" for none: Helsenorge fills in one that means nothing.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}
