package helsenorge

import (
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// The medicines of the tests are made up.
func pack() Prescription {
	return Prescription{
		Kind: Pack, PrescribedOn: time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC), ExpiresOn: time.Date(2027, 6, 15, 0, 0, 0, 0, time.UTC),
		Goods: Code{V: "L", DN: "Legemiddel"}, Quantity: "2.5", Repeats: 3, Use: Code{V: "1", DN: "Fast"},
		Indication: "Mot <hodepine>", Dosage: "1 tablett & vann.\nMaks to.",
		ATC: Code{V: "N02ZZ99", S: codes.ATC.OID(), DN: "Oppdiktan"}, Group: Code{V: "C", DN: "Reseptgruppe C"},
		Name: "Oppdikta tab 10 mg", ID: "ID_5F0C1B7E-0001", ItemNumber: "012345",
		TradeName: "Oppdikta", PackSize: "3 x 10", PackUnit: Code{V: "stk", S: codes.PackUnits.OID(), DN: "stykk"},
	}
}

// As Helsenorge asks: without days.
func brand() Prescription {
	return Prescription{
		Kind: Brand, Reserved: true, Goods: Code{V: "L"}, Quantity: "1", Exchange: Code{V: "1", DN: "Ja"}, NoCombination: true,
		ATC: Code{V: "C01ZZ99", S: codes.ATC.OID()}, Group: Code{V: "C"}, Name: "Påfunnol inj 5 mg/ml", ID: "ID_5F0C1B7E-0002", TradeName: "Påfunnol",
	}
}

func substance() Prescription {
	return Prescription{Kind: Substance, Goods: Code{V: "L"}, Group: Code{V: "B"}, Name: "Fantasilin kaps 250 mg", ID: "ID_5F0C1B7E-0003", Dosage: "Ved behov"}
}

func article(kind PrescriptionKind, number, name string) Prescription {
	return Prescription{Kind: kind, Goods: Code{V: "N"}, Quantity: "12", Dosage: "Daglig", ItemNumber: number, Name: name}
}

func somebody(given, family, id string) Person {
	return Person{GivenName: given, FamilyName: family, NationalID: id, IDType: "FNR"}
}

// renewalFixtures are renewals by prescription, and the messages about who is active.
func renewalFixtures() map[string]*Message {
	const renewal, active = codes.Reseptfornyelse, codes.Digitalbruker
	about := func(h Head) Head { h.Patient = nil; return h }
	asked := about(firstFromClinic(active))
	answer := ReplyHead(asked, secondID, now, "")
	f := map[string]*Message{
		"renewal-RFER": {Head: fromCitizen(renewal, firstID), Dialog: request("RFER", "", ""), Prescriptions: []Prescription{brand(), substance()}, Relation: onBehalf()},
		"renewal-14":   {Head: fromClinic(renewal, secondID), Dialog: note("14", Text{Plain: "Resepten er sendt."}), Prescriptions: []Prescription{pack()}},
		"renewal-32": {Head: fromClinic(renewal, secondID), Dialog: note("32", Text{Plain: "Ikke alt kan fornyes."}), Prescriptions: []Prescription{
			article(Nutrition, "801", "Næringsdrikk"), article(Appliance, "802", "Sprøytespisser"), article(Prosthesis, "803", "Protese"),
		}},
		"active-SDAB":  {Head: fromCitizen(active, firstID), Dialog: request("SDAB", "", "")},
		"active-SIDAB": {Head: asked, Dialog: request("SIDAB", "", ""), People: []Person{somebody("Fiktiv", "Pasient", child), somebody("Forelder", "Pasient", parent)}},
		"active-28":    {Head: answer, Dialog: note("28", Text{}), People: []Person{somebody("Forelder", "Pasient", parent)}},
		"active-29":    {Head: answer, Dialog: note("29", Text{})},
		"active-26":    {Head: fromClinic(active, secondID), Dialog: note("26", Text{Plain: "Tilbys ikke."})},
		"active-31":    {Head: answer, Dialog: note("31", Text{Plain: "Prøv igjen senere."})},
	}
	f["renewal-RFER"].Dialog.Request.Coded = codeRef(codes.Delivery, "AP")
	f["renewal-RFER"].Dialog.Request.Roles = wished()
	f["renewal-14"].Dialog.Note.Subject = "Medisin"
	f["renewal-14"].Dialog.Note.Roles = []Role{{RoleToPatient: codeRef(codes.PatientRoles, codes.Locum), Professional: wished()[0].Professional}}
	f["renewal-32"].Dialog.Note.Subject = "Delvis fornyet"
	f["active-SDAB"].Dialog.Request.Coded = codeRef(codes.YesNo, codes.BecameInactive)
	return f
}
