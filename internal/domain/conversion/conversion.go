// Package conversion writes what a citizen reads when the clinic treats his enquiry as
// an e-consultation: that a fee follows, or whether he wants it (F14).
package conversion

// Notice is a message to the citizen, in one language.
type Notice struct {
	// Subject is at most 50 characters, Text at most 1000: what Helsenorge shows
	// (HITS 1217 §2.4.1).
	Subject, Text string
}

// tells and asks are the notices by language; nb stands in for an unknown one.
var tells = map[string]Notice{
	"nb": {
		Subject: "Henvendelsen din blir en e-konsultasjon",
		Text: "Hei!\n\nHenvendelsen din gjelder helsehjelp, og vi behandler den derfor som en e-konsultasjon. " +
			"Det er en konsultasjon hos fastlegen, og du betaler vanlig egenandel for den. Har du frikort, betaler du ingenting.\n\n" +
			"Svaret får du her på Helsenorge. Ønsker du ikke e-konsultasjon, kan du svare på denne meldingen eller ringe oss.",
	},
	"nn": {
		Subject: "Førespurnaden din blir ein e-konsultasjon",
		Text: "Hei!\n\nFørespurnaden din gjeld helsehjelp, og vi behandlar han difor som ein e-konsultasjon. " +
			"Det er ein konsultasjon hos fastlegen, og du betaler vanleg eigendel for han. Har du frikort, betaler du ingenting.\n\n" +
			"Svaret får du her på Helsenorge. Ønskjer du ikkje e-konsultasjon, kan du svare på denne meldinga eller ringje oss.",
	},
	"en": {
		Subject: "Your enquiry becomes an e-consultation",
		Text: "Hello,\n\nYour enquiry is about medical care, so we are treating it as an e-consultation. " +
			"It is a consultation with the GP, and you pay the normal user fee for it. If you have an exemption card, you pay nothing.\n\n" +
			"You will get the answer here on Helsenorge. If you do not want an e-consultation, reply to this message or call us.",
	},
	"se": {
		Subject: "Du jearaldagas šaddá e-konsultašuvdna",
		Text: "Bures!\n\nDu jearaldat guoská dearvvašvuođaveahkkái, ja danne mii meannudit dan e-konsultašuvdnan. " +
			"Dat lea konsultašuvdna fástadoaktára luhtte, ja don mávssát dábálaš iežasoasi das. Jus dus lea friddjakoarta, de it mávsse maidege.\n\n" +
			"Vástádusa oaččut dáppe Helsenorges. Jus it hálit e-konsultašuvnna, de sáhtát vástidit dán dieđu dahje riŋget midjiide.",
	},
}

var asks = map[string]Notice{
	"nb": {
		Subject: "Ønsker du en e-konsultasjon?",
		Text: "Hei!\n\nHenvendelsen din gjelder helsehjelp. Skal vi svare på den, må det være som en e-konsultasjon. " +
			"Det er en konsultasjon hos fastlegen, og du betaler vanlig egenandel for den. Har du frikort, betaler du ingenting.\n\n" +
			"Svar på denne meldingen om du ønsker det eller ikke. Det koster ikke noe før du har svart ja.",
	},
	"nn": {
		Subject: "Ønskjer du ein e-konsultasjon?",
		Text: "Hei!\n\nFørespurnaden din gjeld helsehjelp. Skal vi svare på han, må det vere som ein e-konsultasjon. " +
			"Det er ein konsultasjon hos fastlegen, og du betaler vanleg eigendel for han. Har du frikort, betaler du ingenting.\n\n" +
			"Svar på denne meldinga om du ønskjer det eller ikkje. Det kostar ikkje noko før du har svart ja.",
	},
	"en": {
		Subject: "Do you want an e-consultation?",
		Text: "Hello,\n\nYour enquiry is about medical care. If we are to answer it, it has to be as an e-consultation. " +
			"It is a consultation with the GP, and you pay the normal user fee for it. If you have an exemption card, you pay nothing.\n\n" +
			"Please reply to this message and say whether you want it. It costs nothing until you have said yes.",
	},
	"se": {
		Subject: "Hálidatgo e-konsultašuvnna?",
		Text: "Bures!\n\nDu jearaldat guoská dearvvašvuođaveahkkái. Jus mii galgat vástidit dasa, de dat ferte leat e-konsultašuvdnan. " +
			"Dat lea konsultašuvdna fástadoaktára luhtte, ja don mávssát dábálaš iežasoasi das. Jus dus lea friddjakoarta, de it mávsse maidege.\n\n" +
			"Vástit dán dietui hálidatgo dan vai it. Dat ii mávsse maidege ovdal go leat vástidan juo.",
	},
}

// Tells is the notice that the enquiry is an e-consultation from now on, with a fee. The
// language is nb, nn, en or se; another is taken for nb.
func Tells(language string) Notice { return in(tells, language) }

// Asks is the question whether the citizen wants the e-consultation, before it costs him
// anything. Languages as Tells.
func Asks(language string) Notice { return in(asks, language) }

func in(texts map[string]Notice, language string) Notice {
	if n, ok := texts[language]; ok {
		return n
	}
	return texts["nb"]
}
