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
	typBoolean  = &contentType{name: xml.Name{Space: nsXSD, Local: "boolean"}, simple: isBoolean}
	typDecimal  = &contentType{name: xml.Name{Space: nsXSD, Local: "decimal"}, simple: isDecimal}
	typInt      = &contentType{name: xml.Name{Space: nsXSD, Local: "int"}, simple: isInt}
	typFloat    = &contentType{name: xml.Name{Space: nsXSD, Local: "double"}, simple: isFloat}
	typTime     = &contentType{name: xml.Name{Space: nsXSD, Local: "time"}, simple: isTime}
	typDuration = &contentType{name: xml.Name{Space: nsXSD, Local: "duration"}, simple: isDuration}
	typPQ       = &contentType{attrs: map[string]simpleType{"V": isFloat, "U": isString}}
	typMO       = &contentType{attrs: map[string]simpleType{"V": isDecimal, "U": isString}}
	// typID is an ID or the reference to one. Whether ids meet is not looked at: the
	// list of medicines that most refer to is not in the message.
	typID = &contentType{simple: isNCName}
	// typRepeats has the default 0, which an empty element means.
	typRepeats = &contentType{simple: func(s string) bool { return s == "" || isInt(s) }}
)

var (
	decimal  = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$`)
	duration = regexp.MustCompile(`^-?P([0-9]+Y)?([0-9]+M)?([0-9]+D)?(T([0-9]+H)?([0-9]+M)?(([0-9]+(\.[0-9]*)?|\.[0-9]+)S)?)?$`)
	ncName   = regexp.MustCompile(`^[\pL_][\pL\p{Nd}\pM._-]*$`)
)

func isDecimal(s string) bool { return decimal.MatchString(trimBlanks(s)) }

// isDuration is xs:duration, which has at least one part, also after T.
func isDuration(s string) bool {
	s = trimBlanks(s)
	return duration.MatchString(s) && !strings.HasSuffix(s, "P") && !strings.HasSuffix(s, "T")
}

func isNCName(s string) bool { return ncName.MatchString(trimBlanks(s)) }

func isInt(s string) bool {
	_, err := strconv.ParseInt(trimBlanks(s), 10, 32)
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
	ident, address, _ := addressTypes(vocabulary(nsShared))
	prescription, articles := medicineTypes(vocabulary(nsContent), newer, older)
	organisation := v.opt("Organisasjon", sequence(v.one("HerId", ident), v.opt("Inst", typString), v.opt("Dept", typString), v.opt("InstitusjonsID", typCV)))
	professional := v.opt("Helseperson", sequence(v.one("HprId", ident), v.opt("Fornavn", typString), v.opt("Etternavn", typString), v.opt("Spesialitet", typCV)))
	initiated := v.opt("Instituert", sequence(organisation, professional))
	card := v.opt("EEA", sequence(join(newer(v.one("EEADok", typCS)), older(v.one("EOSDok", typCS)),
		[]item{v.opt("EEACardId", typString), v.opt("EEAId", typString)},
		newer(v.opt("EEATrygdekontorNavn", typString), v.opt("EEATrygdekontorNr", typString), v.opt("EEAGyldighetFra", typDate), v.opt("EEAGyldighet", typDate)),
		older(v.opt("EEAtrygdekontorNavn", typString), v.opt("EEAtrygdekontorNr", typString), v.opt("EEAgyldighetFra", typDate), v.opt("EEAgyldighet", typDate)),
	)...))
	foreigner := v.opt("Utlending", sequence(v.opt("ArbeidstakerNorge", typBoolean), v.opt("Konvensjonsland", typCS), card))
	remark := v.opt("EkspAnm", sequence(v.one("Vilkar", typBoolean), v.one("MetodeEkspedering", typCS), v.one("Utleverer", typString),
		v.one("Kontaktperson", typString), v.opt("Adresse", address), v.opt("Merknad", typString), v.one("OrgNrUtleverer", typString), v.one("UtlevererNavn", typString)))
	unlicensed := v.opt("LegemiddelUtenMt", sequence(v.one("Begrunnelse", typString), v.one("Produsent", typString), v.one("DirektesoknadSlv", typBoolean)))
	document := []item{v.one("Varegruppekode", typCS), v.opt("Antall", typDecimal), v.opt("Merknad", typString), v.opt("RefHjemmel", typCV)}
	medicine := v.one("ReseptDokLegemiddel", sequence(join(document, []item{
		v.opt("KomLegemdlAdm", typString), v.opt("RefKode", typCV), v.one("Reiterasjon", typRepeats), v.opt("BytteresRekvirent", typCS),
		v.opt("Mengde", typPQ), unlicensed, prescription,
	})...))
	goods := v.one("ReseptDokHandelsvare", sequence(join(document, newer(v.opt("Bruksveiledning", typString)), older(v.one("Bruksveiledning", typString)), []item{
		v.opt("ProdGruppe", typCV), articles,
	})...))
	flags := []item{v.one("Forskrivningsdato", typDate), v.one("Utloper", typDate)}
	for _, flag := range []string{"Vernepliktig", "SoktIndividRefusjon", "Frikort", "Vergeinnsynsreservasjon", "TilEgenPraksis", "RekvLegensNavn"} {
		flags = append(flags, v.opt(flag, typBoolean))
	}
	root := v.one("Resept", sequence(join(flags, []item{
		v.opt("RefNr", typString), v.opt("Spesialitet", typCV), choice(medicine, goods), initiated, remark, foreigner, v.one("OppdatertFest", typDateTime),
	}, newer(v.opt("TidligsteUtlevering", typDate), v.opt("UtskrevetSykehus", typBoolean), v.opt("LastResept", typBoolean)))...))
	declare(root, medicine, goods, organisation, professional, initiated, card, foreigner, remark, unlicensed)
}

// medicineTypes are Forskrivning, and the choice of articles that are no medicine.
func medicineTypes(v vocabulary, newer, older edition) (prescription, articles item) {
	valid := []item{v.opt("GyldigFraDato", typDate), v.opt("GyldigTilDato", typDate)}
	refund := sequence(v.some("RefRefusjonsgruppe", typID), v.one("GyldigFraDato", typDate), v.opt("ForskrivesTilDato", typDate), v.opt("UtleveresTilDato", typDate))
	exchange := v.opt("PakningByttegruppe", sequence(append([]item{v.one("RefByttegruppe", typID)}, valid...)...))
	handling := v.opt("AdministreringLegemiddel", sequence(join([]item{
		v.opt("Blandingsveske", typBoolean), v.many("RefBlandingsveske", typID), v.some("Administrasjonsvei", typCV), v.opt("KanKnuses", typCS),
		v.opt("KanApnes", typCS), v.opt("Bolus", typCS), v.opt("InjeksjonshastighetBolus", typCS), v.opt("Deling", typCS), v.many("EnhetDosering", typCV),
		v.many("Kortdose", typCV), v.many("ForhandsregelInntak", typCV),
	}, newer(v.many("BruksomradeEtikett", typCV), v.opt("DosEnhetForordning", typCV)))...))
	common := join([]item{
		v.opt("Atc", typCV), v.one("NavnFormStyrke", typString), v.one("Reseptgruppe", typCS), v.opt("LegemiddelformKort", typCV),
		v.many("RefVilkar", typID), v.opt("Preparattype", typCS), v.opt("TypeSoknadSlv", typCS), v.opt("Opioidsoknad", typBoolean),
	}, newer(v.many("Refusjon", refund)), older(v.opt("Refusjon", refund)), []item{exchange, handling})

	link := v.one("Lenke", sequence(join([]item{v.opt("Beskrivelse", typString)}, older(v.one("Nhn", typURL)), []item{v.one("Www", typURL)})...))
	described := v.many("Preparatomtaleavsnitt", sequence(v.one("Avsnittoverskrift", typCS), link))
	price := v.many("PrisVare", sequence(append([]item{v.one("Type", typCV), v.one("Pris", typMO)}, valid...)...))
	strength := v.many("SortertVirkestoffMedStyrke", sequence(v.one("Sortering", typInt), v.one("RefVirkestoffMedStyrke", typID)))
	product := v.opt("ProduktInfo", sequence(v.opt("Varseltrekant", typBoolean), v.opt("Referanseprodukt", typString), v.opt("Vaksinestandard", typCV), v.opt("Produsent", typString)))
	validity := v.many("Reseptgyldighet", sequence(v.opt("Kjonn", typCS), v.one("Varighet", typDuration)))
	additive := v.many("Hjelpestoff", sequence(v.one("Navn", typString)))
	brand := v.one("LegemiddelMerkevare", sequence(join(common, []item{
		v.opt("Id", typID), v.one("Varenavn", typString), v.opt("LegemiddelformLang", typString), strength,
	}, newer(v.opt("Smak", typCS)), []item{v.many("Refvirkestoff", typID)}, older(v.opt("Lopenr", typString)), []item{
		product, validity, additive, described,
	})...))

	component := v.many("Pakningskomponent", sequence(v.one("Pakningstype", typCV), v.one("Mengde", typPQ), v.opt("Antall", typInt)))
	size := v.many("Pakningsinfo", sequence(join([]item{
		v.one("RefLegemiddelMerkevare", typID), v.one("Pakningsstr", typString), v.one("EnhetPakning", typCV), v.one("Pakningstype", typCV),
		v.opt("Multippel", typInt), v.opt("Antall", typInt), v.one("Mengde", typDecimal),
	}, newer(v.opt("Sortering", typInt), v.opt("DDD", typPQ), v.opt("Statistikkfaktor", typDecimal), component))...))
	contents := v.many("PakningsinfoResept", sequence(v.one("Varenavn", typString), v.one("Pakningsstr", typString), v.one("EnhetPakning", typCV)))
	marketing := v.opt("Markedsforingsinfo", sequence(v.opt("VarenrUtgaende", typString), v.opt("Markedsforingsdato", typDate), v.opt("AvregDato", typDate), v.opt("MidlUtgattDato", typDate)))
	pack := v.one("Legemiddelpakning", sequence(join(common, newer(v.opt("Id", typID)), []item{
		v.one("Varenr", typString), v.opt("Ean", typString), v.opt("IkkeKonservering", typBoolean),
	}, newer(v.opt("Oppbevaring", typCS)), []item{size, contents, price, marketing, described})...))

	substance := v.one("LegemiddelVirkestoff", sequence(join(common, []item{v.one("Id", typID), strength})...))
	dose := v.one("Legemiddeldose", sequence(join(common, []item{
		v.one("Id", typID), v.opt("LmrLopenr", typString), v.one("Mengde", typPQ), v.opt("Pakningstype", typCV), v.one("RefLegemiddelMerkevare", typID),
	}, newer(v.some("RefPakning", typID), component))...))
	active := v.one("Virkestoff", sequence(join([]item{v.one("Id", typID), v.one("Navn", typString)}, newer(v.many("RefVirkestoff", typID)))...))
	activeStrength := v.one("VirkestoffMedStyrke", sequence(v.one("Id", typID), v.one("Styrke", typPQ), v.opt("StyrkeNevner", typPQ), v.one("RefVirkestoff", typID),
		v.opt("AlternativStyrke", typPQ), v.opt("AlternativStyrkeNevner", typPQ), v.one("Styrkeoperator", typCV), v.opt("StyrkeOvreVerdi", typFloat), v.opt("AtcKombipreparat", typCV)))

	diluted, amount := v.one("Utblanding", sequence(v.one("Adqs", typCS))), v.one("MengdeBestanddel", sequence(v.one("Mengde", typPQ)))
	ratio := v.one("Styrke", sequence(v.one("Teller", typPQ), v.opt("Nevner", typPQ)))
	quantity := older(v.one("Mengde", typPQ))
	mixture := v.one("Legemiddelblanding", sequence(join([]item{v.one("Navn", typString), v.one("TilbOppl", typString)},
		newer(v.one("Mengde", typPQ), v.one("Legemiddelform", typCV)), []item{
			v.many("BestanddelLegemiddel", sequence(join(quantity, []item{choice(brand, pack, substance)}, newer(choice(diluted, amount)))...)),
			v.many("BestanddelAnnet", sequence(join(quantity, []item{v.one("NavnFormStyrke", typString)}, newer(choice(diluted, amount, ratio)))...)),
		}, newer(v.many("BestanddelVirkestoff", sequence(active, choice(ratio, amount)))))...))

	rate := v.opt("Infusjonshastighet", sequence(v.one("Volum", typPQ), v.one("Tidsenhet", typCS)))
	given := []item{v.one("Mengde", typPQ), v.opt("Intervall", typPQ), rate}
	regular := v.opt("FastDose", sequence(v.many("FasteUkedager", typCS), v.opt("DagerPa", typInt), v.opt("DagerAv", typInt)))
	timed := v.some("DoseFastTidspunkt", sequence(join(given, []item{v.opt("Klokkeslett", typTime), v.opt("Tidsomrade", typCS), v.one("GisEksakt", typBoolean), regular})...))
	needed := v.some("DoseEtterBehov", sequence(join(given, []item{
		v.one("DoseDognMaks", typPQ), v.one("DoseTidsromMaks", typPQ), v.one("Tidsrom", typPQ), v.one("DoseIntervallMin", typPQ),
	})...))
	rule := v.opt("Doseringsregel", sequence(v.one("DoseresEtter", typCS), v.opt("Merknad", typString)))
	dosage := v.many("Dosering", sequence(v.opt("Starttidspunkt", typTS), v.opt("Sluttidspunkt", typTS), rule, choice(timed, needed)))
	administered := sequence(v.one("AdmVed", typCS), v.one("AdmMate", typCS), v.opt("AdmEtterSkjema", typBoolean), v.opt("AdmSkjema", typString))
	newAdministering, oldAdministering := newer(v.opt("AdministreringForskrivning", administered)), older(v.opt("Administrering", administered))
	prescription = v.one("Forskrivning", sequence(join([]item{
		v.opt("Bruksomrade", typString), v.opt("DosVeiledEnkel", typString), v.opt("IngenKombinasjon", typBoolean), v.opt("Bruk", typCS),
	}, newer(v.opt("Kortdose", typCV)), newAdministering, oldAdministering, []item{
		dosage, choice(brand, pack, substance, mixture, dose),
	})...))

	productInfo := v.opt("ProduktInfoVare", sequence(v.one("ProduktNr", typString), v.opt("Volum", typString), v.one("EnhetStorrelse", typCV),
		v.one("AntPerPakning", typInt), v.many("RefVilkar", typID), v.one("TillattMerMakspris", typBoolean)))
	supplier := v.opt("Leverandor", sequence(v.one("Navn", typString), v.one("Adresse", typString), v.one("Telefon", typString)))
	article := []item{v.one("Nr", typString), v.one("Navn", typString), productInfo, supplier, price, v.opt("Refusjon", refund)}
	composition := v.opt("StyrkeFormStoff", sequence(v.opt("Styrke", typString), v.opt("Form", typString), v.many("Stoff", typString)))
	material := v.many("BestanddelMatr", sequence(v.one("Navn", typString), v.one("Materiale", typString)))
	articles = choice(v.opt("Brystprotese", sequence(article...)), v.opt("Naringsmiddel", sequence(join(article, []item{composition})...)),
		v.opt("MedForbMatr", sequence(join(article, []item{material})...)))

	declare(prescription, brand, pack, substance, mixture, dose, articles, active, activeStrength, strength, v.opt("Refusjon", refund), exchange, handling,
		link, described, price, product, validity, additive, size, contents, marketing, rate, regular, timed, needed, rule, dosage, productInfo, supplier, composition, material)
	declare(newer(component, diluted, amount, ratio)...)
	declare(append(newAdministering, oldAdministering...)...)
	return prescription, articles
}
