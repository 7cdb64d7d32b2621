package pg

import (
	"slices"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

// MedicineKind is how a prescription says what is to be dispensed (M1 v2.5).
type MedicineKind string

// The kinds. The last is read and not written.
const (
	MedicinePack       MedicineKind = "pack"       // Legemiddelpakning: by item number
	MedicineBrand      MedicineKind = "brand"      // LegemiddelMerkevare
	MedicineSubstance  MedicineKind = "substance"  // LegemiddelVirkestoff
	MedicineNutrition  MedicineKind = "nutrition"  // Naringsmiddel
	MedicineAppliance  MedicineKind = "appliance"  // MedForbMatr
	MedicineProsthesis MedicineKind = "prosthesis" // Brystprotese
	MedicineOther      MedicineKind = "other"      // a mixture, a single dose, goods by group only
)

// MedicineKinds lists the kinds that are written.
func MedicineKinds() []MedicineKind {
	return []MedicineKind{MedicinePack, MedicineBrand, MedicineSubstance, MedicineNutrition, MedicineAppliance, MedicineProsthesis}
}

// Medicine is one prescription as M1 has it, as far as people and record systems need
// it (HITS 1217 §3.1.2). Codes are without names. It holds what a patient takes: it
// leaves this package only for people and messages.
type Medicine struct {
	Kind MedicineKind `json:"kind"`
	// Name is what people read: NavnFormStyrke, or the article's name.
	Name string `json:"name"`
	// ATC is of 7180, Group the prescription group A, B, C or F, Goods the
	// Varegruppekode; "" is L, medicine.
	ATC   string `json:"atc,omitempty"`
	Group string `json:"group,omitempty"`
	Goods string `json:"goods,omitempty"`
	// ItemNumber is Varenr of a pack, or an article's number; ItemID is FEST's own id.
	ItemNumber string `json:"itemNumber,omitempty"`
	ItemID     string `json:"itemId,omitempty"`
	TradeName  string `json:"tradeName,omitempty"`
	PackSize   string `json:"packSize,omitempty"`
	// PackUnit is of 7452.
	PackUnit string `json:"packUnit,omitempty"`
	// Quantity is a decimal number, Repeats a whole one: how often it may be dispensed
	// again. Empty ones were not said.
	Quantity string `json:"quantity,omitempty"`
	Repeats  string `json:"repeats,omitempty"`
	// Use is the code of Bruk, such as 1, regularly.
	Use        string `json:"use,omitempty"`
	Dosage     string `json:"dosage,omitempty"`
	Indication string `json:"indication,omitempty"`
	// PrescribedOn and ExpiresOn are dates as 2006-01-02; "" was not said.
	PrescribedOn string `json:"prescribedOn,omitempty"`
	ExpiresOn    string `json:"expiresOn,omitempty"`
	// Reserved is Vergeinnsynsreservasjon: guardians may not see it.
	Reserved bool `json:"reserved,omitempty"`
}

// Fields are what keeps the medicine from being written as M1, with paths below path,
// such as "items[0].medicine."; nil when it can be.
func (m Medicine) Fields(path string) []apperr.Field {
	var f fields
	f.refuse(!slices.Contains(MedicineKinds(), m.Kind), path+"kind", "pack, brand, substance, nutrition, appliance or prosthesis")
	f.refuse(strings.TrimSpace(m.Name) == "", path+"name", "what people call it")
	switch m.Kind {
	case MedicinePack, MedicineBrand, MedicineSubstance:
		f.refuse(m.Group == "", path+"group", "the prescription group: A, B, C or F")
		f.refuse(m.Kind == MedicinePack && m.ItemNumber == "", path+"itemNumber", "the pack's item number (Varenr)")
		f.refuse(m.Kind == MedicineBrand && m.TradeName == "", path+"tradeName", "the brand's name")
	case MedicineNutrition, MedicineAppliance, MedicineProsthesis:
		f.refuse(m.ItemNumber == "", path+"itemNumber", "the article's number")
		f.refuse(m.Goods == "", path+"goods", "the code of its group of goods (Varegruppekode)")
	case MedicineOther:
	}
	f.refuse(m.Quantity != "" && !isDecimal(m.Quantity), path+"quantity", "a decimal number, such as 2.5")
	f.refuse(!isCount(m.Repeats), path+"repeats", "a whole number, such as 3")
	f.refuse(!isDay(m.PrescribedOn), path+"prescribedOn", dayRule)
	f.refuse(!isDay(m.ExpiresOn), path+"expiresOn", dayRule)
	for _, text := range [][2]string{
		{"name", m.Name}, {"atc", m.ATC}, {"group", m.Group}, {"goods", m.Goods}, {"itemNumber", m.ItemNumber}, {"tradeName", m.TradeName},
		{"packSize", m.PackSize}, {"packUnit", m.PackUnit}, {"use", m.Use},
	} {
		f.refuse(!oneLine(text[1], maxMedicineText), path+text[0], "one line of text, at most 500 characters")
	}
	lines := strings.NewReplacer("\n", " ", "\t", " ")
	f.refuse(!oneLine(lines.Replace(m.Dosage), maxMedicineText), path+"dosage", "text, at most 500 characters")
	f.refuse(!oneLine(lines.Replace(m.Indication), maxMedicineText), path+"indication", "text, at most 500 characters")
	return f
}

const (
	dayRule = "a date, as 2006-01-02"
	// maxMedicineText bounds every text of a prescription, in characters.
	maxMedicineText = 500
)

func isDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return s == "" || err == nil
}

// isDecimal tells whether s is a number without sign, as xs:decimal writes one.
func isDecimal(s string) bool {
	whole, fraction, _ := strings.Cut(s, ".")
	return whole != "" && len(s) <= 20 && strings.Trim(whole+fraction, "0123456789") == ""
}

// isCount tells whether s is empty or a number of at most three digits.
func isCount(s string) bool { return len(s) <= 3 && strings.Trim(s, "0123456789") == "" }
