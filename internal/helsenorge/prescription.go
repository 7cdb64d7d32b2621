package helsenorge

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// PrescriptionKind is what a prescription names: a medicine in one of three ways, or
// an article.
type PrescriptionKind string

// The kinds. OtherKind is read and not written.
const (
	Pack       PrescriptionKind = "pack"       // Legemiddelpakning
	Brand      PrescriptionKind = "brand"      // LegemiddelMerkevare
	Substance  PrescriptionKind = "substance"  // LegemiddelVirkestoff
	Nutrition  PrescriptionKind = "nutrition"  // Naringsmiddel
	Appliance  PrescriptionKind = "appliance"  // MedForbMatr
	Prosthesis PrescriptionKind = "prosthesis" // Brystprotese
	OtherKind  PrescriptionKind = "other"      // Legemiddelblanding, Legemiddeldose, goods by group only
)

// The elements of the kinds that are written.
var (
	medicineElements = map[PrescriptionKind]string{Pack: "Legemiddelpakning", Brand: "LegemiddelMerkevare", Substance: "LegemiddelVirkestoff"}
	articleElements  = map[PrescriptionKind]string{Nutrition: "Naringsmiddel", Appliance: "MedForbMatr", Prosthesis: "Brystprotese"}
)

// Prescription is an M1 document, as far as a renewal needs it (HITS 1217 §3.1.2,
// §3.1.3): what Helsenorge fills in when the citizen asks, and what he is told when it
// is renewed. Read from v2.5 and v2.4, written as v2.5. What else M1 has is neither
// read nor written.
type Prescription struct {
	Kind PrescriptionKind
	// PrescribedOn and ExpiresOn are calendar dates, as midnight UTC. Zero says nothing:
	// the schema demands them, and Helsenorge writes 0001-01-01.
	PrescribedOn, ExpiresOn time.Time
	// Reserved is Vergeinnsynsreservasjon: guardians may not see it.
	Reserved bool
	// Goods is Varegruppekode, such as L for a medicine.
	Goods Code
	// Quantity is Antall, a decimal number as written, or "". Repeats is Reiterasjon:
	// how often it may be dispensed again; an article has none.
	Quantity string
	Repeats  int
	// Exchange is BytteresRekvirent: whether another product will do.
	Exchange Code
	// Indication is Bruksomrade, Dosage DosVeiledEnkel; of an article it is
	// Bruksveiledning. Use is Bruk, such as 1, regularly.
	Indication, Dosage string
	NoCombination      bool
	Use                Code
	// ATC is of 7180, Group is Reseptgruppe. An article has neither.
	ATC, Group Code
	// Name is NavnFormStyrke, or an article's name: what people read.
	Name string
	// ID is the medicine's own in FEST, unique in a message; ItemNumber is Varenr of a
	// pack, or an article's number.
	ID, ItemNumber string
	// TradeName, PackSize and PackUnit (7452) tell what a pack holds; a brand has
	// TradeName alone.
	TradeName, PackSize string
	PackUnit            Code
}

// readPrescription reads an M1 document of either edition.
func readPrescription(n *node) Prescription {
	v, content := vocabulary(nsM1), vocabulary(nsPrescription)
	if n.name.Space == nsM1Old {
		v, content = nsM1Old, nsPrescriptionOld
	}
	p := Prescription{
		Kind:         OtherKind,
		PrescribedOn: readDate(n.child(v.name("Forskrivningsdato")).trimmed()),
		ExpiresOn:    readDate(n.child(v.name("Utloper")).trimmed()),
		Reserved:     readBoolean(n.child(v.name("Vergeinnsynsreservasjon"))),
	}
	document := n.child(v.name("ReseptDokLegemiddel"))
	if document == nil {
		document = n.child(v.name("ReseptDokHandelsvare"))
		p.article(document, v, content)
	} else {
		p.medicine(document, v, content)
	}
	p.Goods = readCode(document.child(v.name("Varegruppekode")))
	p.Quantity = document.child(v.name("Antall")).trimmed()
	return p
}

func (p *Prescription) medicine(document *node, v, content vocabulary) {
	p.Repeats = atoi(document.child(v.name("Reiterasjon")).trimmed())
	p.Exchange = readCode(document.child(v.name("BytteresRekvirent")))
	use := document.child(content.name("Forskrivning"))
	p.Indication = use.child(content.name("Bruksomrade")).trimmed()
	p.Dosage = use.child(content.name("DosVeiledEnkel")).trimmed()
	p.NoCombination = readBoolean(use.child(content.name("IngenKombinasjon")))
	p.Use = readCode(use.child(content.name("Bruk")))
	if mixture := use.child(content.name("Legemiddelblanding")); mixture != nil {
		p.Name = mixture.child(content.name("Navn")).trimmed()
		return
	}
	medicine := use.child(content.name("Legemiddeldose"))
	for kind, element := range medicineElements {
		if m := use.child(content.name(element)); m != nil {
			p.Kind, medicine = kind, m
		}
	}
	p.ATC = readCode(medicine.child(content.name("Atc")))
	p.Name = medicine.child(content.name("NavnFormStyrke")).trimmed()
	p.Group = readCode(medicine.child(content.name("Reseptgruppe")))
	p.ID = medicine.child(content.name("Id")).trimmed()
	p.ItemNumber = medicine.child(content.name("Varenr")).trimmed()
	p.TradeName = medicine.child(content.name("Varenavn")).trimmed()
	if pack := medicine.child(content.name("PakningsinfoResept")); pack != nil {
		p.TradeName = pack.child(content.name("Varenavn")).trimmed()
		p.PackSize = pack.child(content.name("Pakningsstr")).trimmed()
		p.PackUnit = readCode(pack.child(content.name("EnhetPakning")))
	}
}

func (p *Prescription) article(document *node, v, content vocabulary) {
	p.Dosage = document.child(v.name("Bruksveiledning")).trimmed()
	p.Name = readCode(document.child(v.name("ProdGruppe"))).DN
	for kind, element := range articleElements {
		if a := document.child(content.name(element)); a != nil {
			p.Kind = kind
			p.ItemNumber, p.Name = a.child(content.name("Nr")).trimmed(), a.child(content.name("Navn")).trimmed()
		}
	}
}

func readBoolean(n *node) bool {
	s := n.trimmed()
	return s == "true" || s == "1"
}

func (c *checker) prescriptions(m *Message, f function) {
	if f.prescriptions == never {
		c.check(len(m.Prescriptions) == 0, "Prescriptions", "must be empty: this code has no M1 document")
		return
	}
	c.check(len(m.Prescriptions) > 0, "Prescriptions", "must be there: one for each prescription")
	ids := map[string]bool{}
	for i, p := range m.Prescriptions {
		at := fmt.Sprintf("Prescriptions[%d]", i)
		c.prescription(p, at)
		c.check(p.ID == "" || !ids[p.ID], at+".ID", "must be another than those of the message's other prescriptions")
		ids[p.ID] = true
	}
}

func (c *checker) prescription(p Prescription, at string) {
	const dayRule = "must be zero, or a calendar date as midnight UTC"
	c.check(p.PrescribedOn.IsZero() || isCalendarDate(p.PrescribedOn), at+".PrescribedOn", dayRule)
	c.check(p.ExpiresOn.IsZero() || isCalendarDate(p.ExpiresOn), at+".ExpiresOn", dayRule)
	c.needed(p.Name, at+".Name")
	c.needed(p.Goods.V, at+".Goods.V")
	c.check(p.Quantity == "" || isDecimal(p.Quantity), at+".Quantity", "must be empty or a decimal number")
	c.check(p.Repeats >= 0 && p.Repeats <= math.MaxInt32, at+".Repeats", "must be a number of times")
	for _, text := range [][2]string{
		{".Indication", p.Indication}, {".Dosage", p.Dosage}, {".ItemNumber", p.ItemNumber}, {".TradeName", p.TradeName}, {".PackSize", p.PackSize},
		{".Goods.DN", p.Goods.DN}, {".ATC", p.ATC.V + p.ATC.DN}, {".Group.DN", p.Group.DN}, {".PackUnit", p.PackUnit.V + p.PackUnit.DN},
		{".Exchange", p.Exchange.V + p.Exchange.DN}, {".Use", p.Use.V + p.Use.DN},
	} {
		c.text(text[1], at+text[0])
	}
	if _, ok := articleElements[p.Kind]; ok {
		c.needed(p.ItemNumber, at+".ItemNumber")
		empty := p.Repeats == 0 && p.Indication == "" && !p.NoCombination && p.ID == "" && p.TradeName == "" && p.PackSize == "" &&
			slices.Equal([]Code{p.Exchange, p.Use, p.ATC, p.Group, p.PackUnit}, make([]Code, 5))
		c.check(empty, at+".Kind", "must be a medicine: an article has number, name, quantity and dosage only")
		return
	}
	_, medicine := medicineElements[p.Kind]
	if !c.check(medicine, at+".Kind", "must be Pack, Brand, Substance, Nutrition, Appliance or Prosthesis") {
		return
	}
	c.needed(p.Group.V, at+".Group.V")
	c.check(p.ID == "" || isNCName(p.ID), at+".ID", "must be a name as XML has them")
	packed := p.PackSize != "" || p.PackUnit != Code{}
	switch p.Kind {
	case Pack:
		c.needed(p.ItemNumber, at+".ItemNumber")
	case Brand:
		c.needed(p.TradeName, at+".TradeName")
		c.check(p.ItemNumber == "" && !packed, at+".ItemNumber", "must be empty, as the pack: a brand is no pack")
	default:
		c.needed(p.ID, at+".ID")
		c.check(p.ItemNumber == "" && p.TradeName == "" && !packed, at+".ItemNumber", "must be empty, as the pack: a substance is no pack")
	}
}

// noDay stands where the schema demands a day and there is none to tell.
const noDay = "0001-01-01"

func (w *writer) prescription(p Prescription) {
	w.open("Resept", "xmlns", nsM1, "xmlns:fs", nsPrescription)
	w.day("Forskrivningsdato", p.PrescribedOn)
	w.day("Utloper", p.ExpiresOn)
	if p.Reserved {
		w.leaf("Vergeinnsynsreservasjon", "true")
	}
	if element, ok := articleElements[p.Kind]; ok {
		w.open("ReseptDokHandelsvare")
		w.cs("Varegruppekode", p.Goods, "")
		w.optional("Antall", p.Quantity)
		w.optional("Bruksveiledning", p.Dosage)
		w.open("fs:" + element)
		w.leaf("fs:Nr", p.ItemNumber)
		w.leaf("fs:Navn", p.Name)
		w.close("fs:" + element)
		w.close("ReseptDokHandelsvare")
	} else {
		w.open("ReseptDokLegemiddel")
		w.cs("Varegruppekode", p.Goods, "")
		w.optional("Antall", p.Quantity)
		w.leaf("Reiterasjon", strconv.Itoa(p.Repeats))
		w.optionalCode("BytteresRekvirent", p.Exchange)
		w.medicine(p)
		w.close("ReseptDokLegemiddel")
	}
	w.leaf("OppdatertFest", noDay+"T00:00:00")
	w.close("Resept")
}

func (w *writer) medicine(p Prescription) {
	w.open("fs:Forskrivning")
	w.optional("fs:Bruksomrade", p.Indication)
	w.optional("fs:DosVeiledEnkel", p.Dosage)
	if p.NoCombination {
		w.leaf("fs:IngenKombinasjon", "true")
	}
	w.optionalCode("fs:Bruk", p.Use)
	element := "fs:" + medicineElements[p.Kind]
	w.open(element)
	if p.ATC != (Code{}) {
		w.cv("fs:Atc", p.ATC, codes.ATC)
	}
	w.leaf("fs:NavnFormStyrke", p.Name)
	w.cs("fs:Reseptgruppe", p.Group, "")
	w.optional("fs:Id", p.ID)
	switch p.Kind {
	case Pack:
		w.leaf("fs:Varenr", p.ItemNumber)
		if p.TradeName != "" || p.PackSize != "" || p.PackUnit != (Code{}) {
			w.open("fs:PakningsinfoResept")
			w.leaf("fs:Varenavn", p.TradeName)
			w.leaf("fs:Pakningsstr", p.PackSize)
			if p.PackUnit == (Code{}) {
				w.empty("fs:EnhetPakning")
			} else {
				w.cv("fs:EnhetPakning", p.PackUnit, codes.PackUnits)
			}
			w.close("fs:PakningsinfoResept")
		}
	case Brand:
		w.leaf("fs:Varenavn", p.TradeName)
	default:
	}
	w.close(element)
	w.close("fs:Forskrivning")
}

// optionalCode writes a code whose list is not on the wire, unless there is none.
func (w *writer) optionalCode(name string, c Code) {
	if c != (Code{}) {
		w.cs(name, c, "")
	}
}

// day writes a calendar date that the schema demands.
func (w *writer) day(name string, t time.Time) {
	if t.IsZero() {
		w.leaf(name, noDay)
		return
	}
	w.date(name, t)
}
