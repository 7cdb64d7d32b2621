package helsenorge

import (
	"bytes"
	"encoding/xml"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/testsize"
)

// A telephone number and an organisation as felleskomponent1 has them.
const (
	fkTelecom      = `<TypeTelecom xmlns="` + nsShared + `" V="HP"/><TeleAddress xmlns="` + nsShared + `" V="tel:90000000"/>`
	fkIdent        = `<Id xmlns="` + nsShared + `">1</Id><TypeId xmlns="` + nsShared + `" V="HER"/>`
	fkOrganisation = `<OrganisationName xmlns="` + nsShared + `">Etaten</OrganisationName><Ident xmlns="` + nsShared + `">` + fkIdent + `</Ident>`
)

// wholeFormats have every element of the formats that are judged and not read. A part
// that is another's alternative has a document of its own.
func wholeFormats() map[string]string {
	const letter = `<Videreformidling xmlns="` + nsForwarding + `"><Kanalvalg><GodkjentForHelsenorge>true</GodkjentForHelsenorge><GodkjentForDPI>0</GodkjentForDPI>` +
		`<GodkjentForFysiskPost>1</GodkjentForFysiskPost></Kanalvalg><OmfattetAvReservasjonsrett>false</OmfattetAvReservasjonsrett>` +
		`<InfoFysiskPost><AvsenderTarAnsvarForAdresse>true</AvsenderTarAnsvarForAdresse><Returtype>DIREKTE_RETUR</Returtype>` +
		`<MottakerPostadresse><Navn>Fiktiv</Navn><norskAdresse><adresselinje1>a</adresselinje1><adresselinje2>b</adresselinje2><adresselinje3>c</adresselinje3>` +
		`<postnummer>0001</postnummer><poststed>Byen</poststed></norskAdresse></MottakerPostadresse>` +
		`<ReturmottakerPostadresse><Navn>Etaten</Navn><utenlandskAdresse><adresselinje1>a</adresselinje1><adresselinje2>b</adresselinje2><adresselinje3>c</adresselinje3>` +
		`<adresselinje4>d</adresselinje4><landkode>SE</landkode></utenlandskAdresse></ReturmottakerPostadresse><UtskriftMedFarge>1</UtskriftMedFarge>` +
		`<Printinstruksjoner><printinstruksjon><navn>n</navn><verdi>v</verdi></printinstruksjon></Printinstruksjoner></InfoFysiskPost>` +
		`<InfoDPI><Sikkerhetsniva>4</Sikkerhetsniva></InfoDPI><AvsenderIdentifikator>x</AvsenderIdentifikator><Fakturarerefanse>y</Fakturarerefanse>` +
		`<Leveringsrapport>true</Leveringsrapport></Videreformidling>`
	limited := strings.Replace(letter, letter[strings.Index(letter, "<Kanalvalg>"):strings.Index(letter, "<OmfattetAv")],
		`<Mottakeravgrensning><BareTilDPIBrukere>1</BareTilDPIBrukere><BareTilFysiskPostBrukere>0</BareTilFysiskPostBrukere></Mottakeravgrensning>`, 1)
	const pro = `<TypeHealthcareProfessional V="LE"/><RoleToPatient V="6"/><FamilyName>Lege</FamilyName><MiddleName/><GivenName>Oppdikta</GivenName><DateOfBirth>1970-01-01</DateOfBirth>` +
		`<Sex V="2"/><Nationality V="NO"/><Ident>` + fkIdent + `</Ident><Address/><TeleCom>` + fkTelecom + `</TeleCom>`
	return map[string]string{
		"citizen message": `<MeldingInnbygger xmlns="` + nsCitizenMessage + `"><Innholdstype V="1"/><Emne>Innkalling</Emne><Meldingsavsender>Etaten</Meldingsavsender>` +
			`<Meldingstekst>Velkommen</Meldingstekst><SvarTillatt>false</SvarTillatt><UtsattVisningstidspunkt>2026-06-15T08:00:00</UtsattVisningstidspunkt>` +
			`<DelInnholdMedHelsepersonell V="6"/></MeldingInnbygger>`,
		"letter":  letter,
		"limited": strings.Replace(limited, "<landkode>SE</landkode>", "<land>Sverige</land>", 1),
		"delivery report": `<Leveringsrapport xmlns="` + nsDeliveryReport + `"><Formidlingskanal V="1"/><Leveringsstatus><Levert Tidspunkt="2026-06-15T08:00:00"/>` +
			`<Feilmelding Tidspunkt="2026-06-15T08:00:00"><Feiltype>x</Feiltype><Detaljer>y</Detaljer></Feilmelding>` +
			`<Varslingfeilet Tidspunkt="2026-06-15T08:00:00"><System>x</System><Varslingskanal>y</Varslingskanal><Detaljer>z</Detaljer></Varslingfeilet>` +
			`<Mottattpost Tidspunkt="2026-06-15T08:00:00"/><Returpost Tidspunkt="2026-06-15T08:00:00Z"/></Leveringsstatus></Leveringsrapport>`,
		"services": `<TjenesteOversikt xmlns="` + nsServices + `"><Tjeneste><TjenesteId>1</TjenesteId><TjenesteNavn>Hjemmesykepleie</TjenesteNavn><TjenesteOmråde>Omsorg</TjenesteOmråde>` +
			`<TjenesteLevertAv>Etaten</TjenesteLevertAv><TjenesteTlf>` + fkTelecom + `</TjenesteTlf><TjenesteURL>` + fkTelecom + `</TjenesteURL><FraDato>2026-06-15</FraDato><TilDato>2026-07-15</TilDato>` +
			`<HERId>` + fkIdent + `</HERId><RelaterteRoller><RolleNotat V="1"/><RoleToPatient V="6"/><TilknyttetEnhet><Kontaktenhet>` + fkOrganisation + `</Kontaktenhet><Merknad>x</Merknad>` +
			`<Person><GivenName>Fiktiv</GivenName><MiddleName/><FamilyName>Pasient</FamilyName><DateOfBirth>1970-01-01</DateOfBirth></Person></TilknyttetEnhet>` +
			`<HealthcareProfessional>` + pro + `</HealthcareProfessional></RelaterteRoller></Tjeneste></TjenesteOversikt>`,
		"signature":  wholeSignature,
		"manifest":   `<Manifest xmlns="` + nsSign + `" Id="m"><Reference><DigestMethod Algorithm="x"/><DigestValue>QUJD</DigestValue></Reference></Manifest>`,
		"properties": `<SignatureProperties xmlns="` + nsSign + `" Id="s"><SignatureProperty Target="#s" Id="t">x<a xmlns="urn:x"/>y</SignatureProperty></SignatureProperties>`,
	}
}

const wholeSignature = `<Signature xmlns="` + nsSign + `" Id="a"><SignedInfo Id="b"><CanonicalizationMethod Algorithm="x">t<KeyName>n</KeyName></CanonicalizationMethod>` +
	`<SignatureMethod Algorithm="x"><HMACOutputLength>3</HMACOutputLength></SignatureMethod>` +
	`<Reference Id="c" URI="" Type="x"><Transforms><Transform Algorithm="x">t<XPath>a</XPath><a xmlns="urn:x"><b/></a><XPath>b</XPath></Transform></Transforms>` +
	`<DigestMethod Algorithm="x"><a xmlns="urn:x"/></DigestMethod><DigestValue>QUJD</DigestValue></Reference></SignedInfo><SignatureValue Id="d">QUJD</SignatureValue>` +
	`<KeyInfo Id="e"> <KeyName>n</KeyName>x<KeyValue><DSAKeyValue><P>QUJD</P><Q>QUJD</Q><G>QUJD</G><Y>QUJD</Y><J>QUJD</J><Seed>QUJD</Seed><PgenCounter>QUJD</PgenCounter></DSAKeyValue></KeyValue>` +
	`<KeyValue><RSAKeyValue><Modulus>QUJD</Modulus><Exponent>QUJD</Exponent></RSAKeyValue></KeyValue><KeyValue><a xmlns="urn:x"/></KeyValue>` +
	`<RetrievalMethod URI="x" Type="y"><Transforms><Transform Algorithm="x"/></Transforms></RetrievalMethod>` +
	`<X509Data><X509IssuerSerial><X509IssuerName>n</X509IssuerName><X509SerialNumber>1</X509SerialNumber></X509IssuerSerial><X509SKI>QUJD</X509SKI>` +
	`<X509SubjectName>n</X509SubjectName><X509Certificate>QUJD</X509Certificate><X509CRL>QUJD</X509CRL><a xmlns="urn:x"/></X509Data>` +
	`<PGPData><PGPKeyID>QUJD</PGPKeyID><PGPKeyPacket>QUJD</PGPKeyPacket><a xmlns="urn:x"/></PGPData><PGPData><PGPKeyPacket>QUJD</PGPKeyPacket></PGPData>` +
	`<SPKIData><SPKISexp>QUJD</SPKISexp><a xmlns="urn:x"/><SPKISexp>QUJD</SPKISexp></SPKIData><MgmtData>x</MgmtData><a xmlns="urn:x"/></KeyInfo>` +
	`<Object Id="f" MimeType="x" Encoding="y">t<a xmlns="urn:x"/><KeyName>n</KeyName></Object><Object/></Signature>`

func TestFormatsThatAreNotReadAreJudgedAsByTheOfficialSchemas(t *testing.T) {
	t.Parallel()
	requireVerdictsOnEveryChange(t, 20_000, wholeFormats())
}

// requireVerdictsOnEveryChange changes each element of each document in each way, or as
// many as that at random.
func requireVerdictsOnEveryChange(t *testing.T, most int, documents map[string]string) {
	t.Helper()
	type change struct {
		document string
		op, at   int
	}
	var all []change
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		requireValid(t, []byte(documents[name]))
		root, err := parseTree([]byte(documents[name]))
		require.NoError(t, err)
		for at := range walk(root) {
			for op := range operations {
				all = append(all, change{name, op, at})
			}
		}
	}
	r := rand.New(rand.NewPCG(testsize.Seed(t), 5))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var chosen []mutant
	for _, c := range all[:min(most, len(all))] {
		root, err := parseTree([]byte(documents[c.document]))
		require.NoError(t, err)
		p := walk(root)[c.at]
		if what, ok := operations[c.op](root, p); ok {
			chosen = append(chosen, mutant{what: c.document + ": " + p.node.name.Local + " " + what, raw: serialised(root)})
		}
	}
	valid := requireVerdicts(t, chosen)
	t.Logf("%d mutants of %d, %d of them still valid", len(chosen), len(all), valid)
	require.Greater(t, valid, len(chosen)/20)
}

// Whatever the official schemas have as a global element, the tables have, and no more.
func TestGlobalElementsAreThoseOfTheOfficialSchemas(t *testing.T) {
	t.Parallel()
	official := map[xml.Name]bool{}
	seen := map[string]bool{}
	var visit func(file string)
	visit = func(file string) {
		if seen[file] {
			return
		}
		seen[file] = true
		raw, err := os.ReadFile(shared(t, "xsd/"+file))
		require.NoError(t, err)
		schema, err := parseTree(raw)
		require.NoError(t, err, file)
		for _, n := range schema.elements() {
			switch n.name.Local {
			case "import", "include":
				visit(n.attr("schemaLocation"))
			case "element":
				official[xml.Name{Space: schema.attr("targetNamespace"), Local: n.attr("name")}] = true
			}
		}
	}
	visit("helsenorge-all.xsd")
	for name := range official {
		require.Contains(t, globals, name)
	}
	require.Len(t, globals, len(official))
}

// inMessage puts documents, and perhaps a signature, into a message of the process.
func inMessage(t *testing.T, process, signature string, documents ...string) []byte {
	t.Helper()
	raw := edited(t, "contact-HE", codes.EKontakt, process)
	var all strings.Builder
	for _, d := range documents {
		all.WriteString(`<Document><RefDoc><MsgType V="XML"/><Content>` + d + `</Content></RefDoc></Document>`)
	}
	return bytes.Replace(raw, []byte("</MsgHead>"), []byte(all.String()+signature+"</MsgHead>"), 1)
}

// A process that a GP does not use gets the schemas' verdict, and its documents are named.
func TestDocumentsOfOtherProcessesAreJudged(t *testing.T) {
	t.Parallel()
	const process = "DIALOG_INNBYGGER_KOORDINATOR"
	for name, text := range wholeFormats() {
		if name == "signature" || name == "manifest" || name == "properties" {
			continue
		}
		raw := inMessage(t, process, wholeSignature, text)
		requireValid(t, raw)
		m, problems := Read(raw)
		require.Empty(t, problems, name)
		root, err := parseTree([]byte(text))
		require.NoError(t, err)
		require.Equal(t, []string{root.name.Local}, m.Unknown)

		_, problems = Read(bytes.Replace(raw, []byte("</"+root.name.Local+">"), []byte("<x/></"+root.name.Local+">"), 1))
		require.Len(t, problems, 1, name)
		require.Equal(t, schemaBroken, problems[0].Code)

		m, problems = Read(inMessage(t, codes.EKontakt, "", text))
		require.Len(t, problems, 1, name)
		require.Equal(t, formatUnsupported, problems[0].Code, "a GP's process has no such document")
		require.Equal(t, []string{root.name.Local}, m.Unknown)
	}
	_, problems := Read(inMessage(t, process, strings.Replace(wholeSignature, `<DigestValue>QUJD</DigestValue>`, "", 1)))
	require.Len(t, problems, 1)
	require.Equal(t, schemaBroken, problems[0].Code)
}

func TestValuesOfFormatsThatAreNotReadAreJudgedAsByTheOfficialSchemas(t *testing.T) {
	t.Parallel()
	whole := wholeFormats()
	var documents []mutant
	add := func(format, old, pattern string, values ...string) {
		require.Contains(t, whole[format], old)
		for _, v := range values {
			changed := strings.Replace(pattern, "*", v, 1)
			documents = append(documents, mutant{what: format + " " + changed, raw: []byte(strings.Replace(whole[format], old, changed, 1))})
		}
	}
	add("citizen message", "<Emne>Innkalling<", "<Emne>*<", "", "x", " ", strings.Repeat("ø", 192), strings.Repeat("ø", 193), strings.Repeat("𝄞", 192))
	add("citizen message", "<Meldingsavsender>Etaten<", "<Meldingsavsender>*<", "", strings.Repeat("x", 255), strings.Repeat("x", 256))
	add("citizen message", "<SvarTillatt>false<", "<SvarTillatt>*<", "0", "1", "true", "True", "")
	add("letter", "<Sikkerhetsniva>4<", "<Sikkerhetsniva>*<", "3", "+3", "03", "5", "0", "", "3.0", "x")
	add("letter", "<Returtype>DIREKTE_RETUR<", "<Returtype>*<", "MAKULERING_MED_MELDING", "", "DIREKTE_RETUR ", "direkte_retur")
	add("letter", "<postnummer>0001<", "<postnummer>*<", "00001", "000", "", "a000", "٠٠٠١", " 0001")
	add("letter", "<landkode>SE<", "<landkode>*<", "se", "S", "SWE", "S1", "ØS", "")
	add("letter", "<Navn>Fiktiv<", "<Navn>*<", "", strings.Repeat("x", 130), strings.Repeat("x", 131))
	add("letter", "<adresselinje1>a<", "<adresselinje1>*<", "", strings.Repeat("x", 100), strings.Repeat("x", 101))
	add("letter", "<poststed>Byen<", "<poststed>*<", strings.Repeat("x", 80), strings.Repeat("x", 81))
	add("limited", "<land>Sverige<", "<land>*<", strings.Repeat("x", 80), strings.Repeat("x", 81))
	add("letter", "<Fakturarerefanse>y<", "<Fakturarerefanse>*<", strings.Repeat("x", 40), strings.Repeat("x", 41))
	add("letter", "<AvsenderIdentifikator>x<", "<AvsenderIdentifikator>*<", strings.Repeat("x", 100), strings.Repeat("x", 101))
	add("delivery report", `<Levert Tidspunkt="2026-06-15T08:00:00"/>`, "<Levert*/>", "", ` Tidspunkt="2026-06-15"`, ` Tidspunkt=""`, ` Tidspunkt="2026-06-15T24:00:00Z"`)
	add("signature", `<Reference Id="c"`, `<Reference Id="*"`, "a", "f", "g", "1", "", "a:b")
	add("signature", `<a xmlns="urn:x"><b/></a>`, "*", "<KeyName>n</KeyName>", `<a xmlns=""/>`, `<a xmlns="urn:x"><KeyValue xmlns="`+nsSign+`"/></a>`,
		`<Personer xmlns="`+nsPeople+`"/>`, `<Personer xmlns="`+nsPeople+`"><x/></Personer>`, "")
	add("signature", `</HMACOutputLength>`, "</HMACOutputLength>*", `<a xmlns="urn:x"/>`, `<Personer xmlns="`+nsPeople+`"/>`, "<KeyName>n</KeyName>", "x")
	add("signature", `<KeyName>n</KeyName></CanonicalizationMethod>`, "*</CanonicalizationMethod>", `<a xmlns="urn:x"/>`, `<KeyName>n</KeyName><KeyName>n</KeyName>`, "<KeyValue/>", "")
	add("signature", "<KeyName>n</KeyName></Object>", "*</Object>", "<KeyValue/>", `<a xmlns=""/>`, `<a xmlns="urn:x"><KeyValue xmlns="`+nsSign+`"/></a>`, `<Base64Container xmlns="`+nsBase64+`">J</Base64Container>`)
	add("signature", "<PGPKeyPacket>QUJD</PGPKeyPacket></PGPData>", "*</PGPData>", "", "<PGPKeyID>QUJD</PGPKeyID>", `<a xmlns="urn:x"/>`)
	add("signature", "<P>QUJD</P><Q>QUJD</Q>", "*", "", "<P>QUJD</P>", "<Q>QUJD</Q>", "<Q>QUJD</Q><P>QUJD</P>", "<P>QUJD</P><Q>QUJD</Q><P>QUJD</P><Q>QUJD</Q>")
	add("signature", "<SPKISexp>QUJD</SPKISexp>", "*", "", "<SPKISexp>QUJD</SPKISexp><SPKISexp>QUJD</SPKISexp>", `<SPKISexp>QUJD</SPKISexp><a xmlns="urn:x"/>`)
	requireVerdicts(t, documents)
}

// Processes that still have Dialogmelding 1.0 have it read; in a GP's it is another format.
func TestOldDialogIsReadWhereItBelongs(t *testing.T) {
	t.Parallel()
	now := written(t)["contact-19"]
	current, problems := Read(now)
	require.Empty(t, problems)
	raw := oldDialog(now)
	requireValid(t, raw)
	m, problems := Read(raw)
	require.Empty(t, problems)
	require.Equal(t, current.Dialog, m.Dialog)
	require.Empty(t, m.Unknown)

	m, problems = Read(bytes.Replace(raw, []byte("DIALOG_INNBYGGER_KOORDINATOR"), []byte(codes.EKontakt), 1))
	require.Equal(t, current.Dialog, m.Dialog)
	require.Len(t, problems, 1)
	require.Equal(t, formatUnsupported, problems[0].Code)
}
