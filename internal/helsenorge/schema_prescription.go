package helsenorge

import (
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"
)

// The two editions of M1 that renewals carry, each with that of the prescription in
// it: 2.5, which is written, and 2.4, which older systems still send.
const (
	nsM1              = "http://www.kith.no/xmlstds/eresept/m1/2013-10-08"
	nsPrescription    = "http://www.kith.no/xmlstds/eresept/forskrivning/2013-10-08"
	nsM1Old           = "http://www.kith.no/xmlstds/eresept/m1/2010-05-01"
	nsPrescriptionOld = "http://www.kith.no/xmlstds/eresept/forskrivning/2010-04-01"
)

var (
	namePrescription    = xml.Name{Space: nsM1, Local: "Resept"}
	namePrescriptionOld = xml.Name{Space: nsM1Old, Local: "Resept"}
)

// The datatypes that M1 alone has.
var (
	typBoolean = &contentType{name: xml.Name{Space: nsXSD, Local: "boolean"}, simple: isBoolean}
	typDecimal = &contentType{name: xml.Name{Space: nsXSD, Local: "decimal"}, simple: isDecimal}
	typPQ      = &contentType{attrs: map[string]simpleType{"V": isFloat, "U": isString}}
	// typID is an ID or the reference to one. Whether ids meet is not looked at: the
	// list of medicines that most refer to is not in the message.
	typID = &contentType{simple: isNCName}
	// typRepeats has the default 0, which an empty element means.
	typRepeats = &contentType{simple: func(s string) bool { return s == "" || isInt(s) }}
	// typUnread is content that is neither read nor written: prices, reimbursement,
	// dosage by the clock. It must stand in its place, and is not looked into.
	typUnread = &contentType{opaque: true}
)

var (
	decimal = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$`)
	ncName  = regexp.MustCompile(`^[\pL_][\pL\p{Nd}\pM._-]*$`)
)

func isDecimal(s string) bool { return decimal.MatchString(strings.TrimSpace(s)) }

func isNCName(s string) bool { return ncName.MatchString(strings.TrimSpace(s)) }

func isInt(s string) bool {
	_, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
	return err == nil
}

// prescriptionSchemas are ER-M1-2013-10-08.xsd and ER-M1-2010-05-01.xsd, with
// Forskrivning-2013-10-08.xsd and Forskrivning-2010-04-01.xsd under them. The newer
// has some elements more.
func prescriptionSchemas() {
	prescriptionSchema(nsM1, nsPrescription, has, lacks)
	prescriptionSchema(nsM1Old, nsPrescriptionOld, lacks, has)
}

func prescriptionSchema(ns, nsContent string, newer, older edition) {
	v := vocabulary(ns)
	prescription, articles := medicineTypes(vocabulary(nsContent), newer, older)
	document := []item{v.one("Varegruppekode", typCS), v.opt("Antall", typDecimal), v.opt("Merknad", typString), v.opt("RefHjemmel", typCV)}
	medicine := sequence(join(document, []item{
		v.opt("KomLegemdlAdm", typString), v.opt("RefKode", typCV), v.one("Reiterasjon", typRepeats), v.opt("BytteresRekvirent", typCS),
		v.opt("Mengde", typPQ), v.opt("LegemiddelUtenMt", typUnread), vocabulary(nsContent).one("Forskrivning", prescription),
	})...)
	goods := sequence(join(document, newer(v.opt("Bruksveiledning", typString)), older(v.one("Bruksveiledning", typString)), []item{
		v.opt("ProdGruppe", typCV), articles,
	})...)
	flags := []item{v.one("Forskrivningsdato", typDate), v.one("Utloper", typDate)}
	for _, flag := range []string{"Vernepliktig", "SoktIndividRefusjon", "Frikort", "Vergeinnsynsreservasjon", "TilEgenPraksis", "RekvLegensNavn"} {
		flags = append(flags, v.opt(flag, typBoolean))
	}
	root := sequence(join(flags, []item{
		v.opt("RefNr", typString), v.opt("Spesialitet", typCV),
		choice(v.one("ReseptDokLegemiddel", medicine), v.one("ReseptDokHandelsvare", goods)),
		v.opt("Instituert", typUnread), v.opt("EkspAnm", typUnread), v.opt("Utlending", typUnread), v.one("OppdatertFest", typDateTime),
	}, newer(v.opt("TidligsteUtlevering", typDate), v.opt("UtskrevetSykehus", typBoolean), v.opt("LastResept", typBoolean)))...)
	for local, typ := range map[string]*contentType{"Resept": root, "ReseptDokLegemiddel": medicine, "ReseptDokHandelsvare": goods} {
		global(v, local, typ)
	}
}

// medicineTypes are Forskrivning, and the choice of articles that are no medicine.
func medicineTypes(v vocabulary, newer, older edition) (prescription *contentType, articles item) {
	common := join([]item{
		v.opt("Atc", typCV), v.one("NavnFormStyrke", typString), v.one("Reseptgruppe", typCS), v.opt("LegemiddelformKort", typCV),
		v.many("RefVilkar", typID), v.opt("Preparattype", typCS), v.opt("TypeSoknadSlv", typCS), v.opt("Opioidsoknad", typBoolean),
	}, newer(v.many("Refusjon", typUnread)), older(v.opt("Refusjon", typUnread)), []item{
		v.opt("PakningByttegruppe", typUnread), v.opt("AdministreringLegemiddel", typUnread),
	})
	described := v.many("Preparatomtaleavsnitt", typUnread)
	brand := sequence(join(common, []item{
		v.opt("Id", typID), v.one("Varenavn", typString), v.opt("LegemiddelformLang", typString), v.many("SortertVirkestoffMedStyrke", typUnread),
	}, newer(v.opt("Smak", typCS)), []item{v.many("Refvirkestoff", typID)}, older(v.opt("Lopenr", typString)), []item{
		v.opt("ProduktInfo", typUnread), v.many("Reseptgyldighet", typUnread), v.many("Hjelpestoff", typUnread), described,
	})...)
	contents := sequence(v.one("Varenavn", typString), v.one("Pakningsstr", typString), v.one("EnhetPakning", typCV))
	pack := sequence(join(common, newer(v.opt("Id", typID)), []item{
		v.one("Varenr", typString), v.opt("Ean", typString), v.opt("IkkeKonservering", typBoolean),
	}, newer(v.opt("Oppbevaring", typCS)), []item{
		v.many("Pakningsinfo", typUnread), v.many("PakningsinfoResept", contents), v.many("PrisVare", typUnread),
		v.opt("Markedsforingsinfo", typUnread), described,
	})...)
	substance := sequence(join(common, []item{v.one("Id", typID), v.many("SortertVirkestoffMedStyrke", typUnread)})...)
	mixture := sequence(join([]item{v.one("Navn", typString), v.one("TilbOppl", typString)},
		newer(v.one("Mengde", typPQ), v.one("Legemiddelform", typCV)), []item{
			v.many("BestanddelLegemiddel", typUnread), v.many("BestanddelAnnet", typUnread),
		}, newer(v.many("BestanddelVirkestoff", typUnread)))...)
	dose := sequence(join(common, []item{
		v.one("Id", typID), v.opt("LmrLopenr", typString), v.one("Mengde", typPQ), v.opt("Pakningstype", typCV), v.one("RefLegemiddelMerkevare", typID),
	}, newer(v.some("RefPakning", typID), v.many("Pakningskomponent", typUnread)))...)
	prescription = sequence(join([]item{
		v.opt("Bruksomrade", typString), v.opt("DosVeiledEnkel", typString), v.opt("IngenKombinasjon", typBoolean), v.opt("Bruk", typCS),
	}, newer(v.opt("Kortdose", typCV), v.opt("AdministreringForskrivning", typUnread)), older(v.opt("Administrering", typUnread)), []item{
		v.many("Dosering", typUnread),
		choice(v.one("LegemiddelMerkevare", brand), v.one("Legemiddelpakning", pack), v.one("LegemiddelVirkestoff", substance),
			v.one("Legemiddelblanding", mixture), v.one("Legemiddeldose", dose)),
	})...)
	article := []item{
		v.one("Nr", typString), v.one("Navn", typString), v.opt("ProduktInfoVare", typUnread), v.opt("Leverandor", typUnread),
		v.many("PrisVare", typUnread), v.opt("Refusjon", typUnread),
	}
	prosthesis := sequence(article...)
	nutrition := sequence(join(article, []item{v.opt("StyrkeFormStoff", typUnread)})...)
	appliance := sequence(join(article, []item{v.many("BestanddelMatr", typUnread)})...)
	for local, typ := range map[string]*contentType{
		"Forskrivning": prescription, "LegemiddelMerkevare": brand, "Legemiddelpakning": pack, "LegemiddelVirkestoff": substance,
		"Legemiddelblanding": mixture, "Legemiddeldose": dose, "PakningsinfoResept": contents,
		"Brystprotese": prosthesis, "Naringsmiddel": nutrition, "MedForbMatr": appliance,
	} {
		global(v, local, typ)
	}
	return prescription, choice(v.opt("Brystprotese", prosthesis), v.opt("Naringsmiddel", nutrition), v.opt("MedForbMatr", appliance))
}
