package helsenorge

import (
	"regexp"
	"unicode/utf8"
)

// The formats of Helsenorge's messages to a citizen that nobody answers, and of the list
// of municipal services. No process of a GP has them; they are judged and not read.
const (
	nsDeliveryReport = "http://ehelse.no/xmlstds/leveringsrapport/2018-08-14"
	nsCitizenMessage = "http://ehelse.no/xmlstds/MeldingInnbygger/2018-09-25"
	nsForwarding     = "http://ehelse.no/xmlstds/Videreformidling/2018-09-25"
	nsServices       = "http://ehelse.no/xmlstds/tjenesteoversikt"
)

// citizenSchemas are MeldingInnbygger-v1.0.xsd, Videreformidling-v1.0.xsd and
// Leveringsrapport-v1.0.xsd.
func citizenSchemas() {
	message := vocabulary(nsCitizenMessage)
	global(message, "MeldingInnbygger", sequence(message.opt("Innholdstype", typCV), message.one("Emne", text(1, 192)),
		message.one("Meldingsavsender", text(1, 255)), message.one("Meldingstekst", typString), message.one("SvarTillatt", typBoolean),
		message.opt("UtsattVisningstidspunkt", typDateTime), message.opt("DelInnholdMedHelsepersonell", typCV)))
	forwardingSchema(vocabulary(nsForwarding))
	report := vocabulary(nsDeliveryReport)
	at := func(items ...item) *contentType {
		return &contentType{items: items, attrs: map[string]simpleType{"Tidspunkt": isDateTime}, required: []string{"Tidspunkt"}}
	}
	details := report.one("Detaljer", typString)
	status := sequence(report.opt("Levert", at()), report.many("Feilmelding", at(report.one("Feiltype", typString), details)),
		report.many("Varslingfeilet", at(report.one("System", typString), report.one("Varslingskanal", typString), details)),
		report.opt("Mottattpost", at()), report.opt("Returpost", at()))
	global(report, "Leveringsrapport", sequence(report.one("Formidlingskanal", typCV), report.opt("Leveringsstatus", status)))
}

func forwardingSchema(v vocabulary) {
	flag := func(name string) item { return v.one(name, typBoolean) }
	channels := sequence(flag("GodkjentForHelsenorge"), flag("GodkjentForDPI"), flag("GodkjentForFysiskPost"))
	receivers := sequence(flag("BareTilDPIBrukere"), flag("BareTilFysiskPostBrukere"))
	line, place := text(0, 100), text(0, 80)
	norwegian := sequence(v.opt("adresselinje1", line), v.opt("adresselinje2", line), v.opt("adresselinje3", line),
		v.one("postnummer", &contentType{simple: regexp.MustCompile(`^\p{Nd}{4}$`).MatchString}), v.one("poststed", place))
	foreign := sequence(v.one("adresselinje1", line), v.opt("adresselinje2", line), v.opt("adresselinje3", line), v.opt("adresselinje4", line),
		choice(v.one("land", place), v.one("landkode", &contentType{simple: regexp.MustCompile(`^[a-zA-Z]{2}$`).MatchString})))
	address := sequence(v.one("Navn", text(0, 130)), choice(v.one("norskAdresse", norwegian), v.one("utenlandskAdresse", foreign)))
	instructions := sequence(v.some("printinstruksjon", sequence(v.one("navn", typString), v.one("verdi", typString))))
	letter := sequence(flag("AvsenderTarAnsvarForAdresse"), v.one("Returtype", &contentType{simple: oneOf("DIREKTE_RETUR", "MAKULERING_MED_MELDING")}),
		v.opt("MottakerPostadresse", address), v.one("ReturmottakerPostadresse", address), flag("UtskriftMedFarge"), v.opt("Printinstruksjoner", instructions))
	global(v, "Videreformidling", sequence(choice(v.one("Kanalvalg", channels), v.one("Mottakeravgrensning", receivers)),
		flag("OmfattetAvReservasjonsrett"), v.opt("InfoFysiskPost", letter),
		v.opt("InfoDPI", sequence(v.one("Sikkerhetsniva", &contentType{simple: integerIn(3, 4)}))),
		v.opt("AvsenderIdentifikator", text(0, 100)), v.opt("Fakturarerefanse", text(0, 40)), flag("Leveringsrapport")))
}

// serviceSchema is TjenesteOversiktv1.0.xsd, with felleskomponent1.xsd under it.
func serviceSchema() {
	v := vocabulary(nsServices)
	ident, _, telecom := addressTypes(vocabulary(nsShared))
	roles := v.many("RelaterteRoller", roleSchema(v, has, lacks))
	service := v.many("Tjeneste", sequence(v.one("TjenesteId", typString), v.one("TjenesteNavn", typString), v.one("TjenesteOmråde", typString),
		v.opt("TjenesteLevertAv", typString), v.opt("TjenesteTlf", telecom), v.opt("TjenesteURL", telecom), v.one("FraDato", typDate),
		v.opt("TilDato", typDate), v.one("HERId", ident), roles))
	declare(v.one("TjenesteOversikt", sequence(service)), service, roles)
}

// text is a string of so many characters.
func text(least, most int) *contentType {
	return &contentType{simple: func(s string) bool {
		n := utf8.RuneCountInString(s)
		return n >= least && n <= most
	}}
}
