package helsenorge

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/testsize"
)

// The parts of a made-up prescription that has every element of M1 2.5.
const (
	m1Refund  = `<f:Refusjon><f:RefRefusjonsgruppe>r</f:RefRefusjonsgruppe><f:GyldigFraDato>2026-01-01</f:GyldigFraDato><f:ForskrivesTilDato>2026-12-31</f:ForskrivesTilDato><f:UtleveresTilDato>2027-01-01</f:UtleveresTilDato></f:Refusjon>`
	m1Valid   = `<f:GyldigFraDato>2026-01-01</f:GyldigFraDato><f:GyldigTilDato>2026-12-31</f:GyldigTilDato>`
	m1Price   = `<f:PrisVare><f:Type V="1"/><f:Pris V="12.50" U="NOK"/>` + m1Valid + `</f:PrisVare>`
	m1Mention = `<f:Preparatomtaleavsnitt><f:Avsnittoverskrift V="1"/><f:Lenke><f:Beskrivelse>x</f:Beskrivelse><f:Www V="https://example.org"/></f:Lenke></f:Preparatomtaleavsnitt>`
	m1Common  = `<f:Atc V="N02ZZ99"/><f:NavnFormStyrke>Oppdikta tab 10 mg</f:NavnFormStyrke><f:Reseptgruppe V="C"/><f:LegemiddelformKort V="53"/><f:RefVilkar>v</f:RefVilkar><f:Preparattype V="1"/>` +
		`<f:TypeSoknadSlv V="1"/><f:Opioidsoknad>false</f:Opioidsoknad>` + m1Refund +
		`<f:PakningByttegruppe><f:RefByttegruppe>b</f:RefByttegruppe>` + m1Valid + `</f:PakningByttegruppe>` +
		`<f:AdministreringLegemiddel><f:Blandingsveske>true</f:Blandingsveske><f:RefBlandingsveske>b</f:RefBlandingsveske><f:Administrasjonsvei V="1"/><f:KanKnuses V="1"/><f:KanApnes V="1"/><f:Bolus V="1"/>` +
		`<f:InjeksjonshastighetBolus V="1"/><f:Deling V="1"/><f:EnhetDosering V="1"/><f:Kortdose V="1"/><f:ForhandsregelInntak V="1"/><f:BruksomradeEtikett V="1"/><f:DosEnhetForordning V="1"/></f:AdministreringLegemiddel>`
	m1Strength  = `<f:SortertVirkestoffMedStyrke><f:Sortering>1</f:Sortering><f:RefVirkestoffMedStyrke>s</f:RefVirkestoffMedStyrke></f:SortertVirkestoffMedStyrke>`
	m1Component = `<f:Pakningskomponent><f:Pakningstype V="1"/><f:Mengde V="1"/><f:Antall>2</f:Antall></f:Pakningskomponent>`

	m1Brand = `<f:LegemiddelMerkevare>` + m1Common + `<f:Id>a</f:Id><f:Varenavn>Oppdikta</f:Varenavn><f:LegemiddelformLang>tablett</f:LegemiddelformLang>` + m1Strength + `<f:Smak V="1"/><f:Refvirkestoff>w</f:Refvirkestoff>` +
		`<f:ProduktInfo><f:Varseltrekant>true</f:Varseltrekant><f:Referanseprodukt>x</f:Referanseprodukt><f:Vaksinestandard V="1"/><f:Produsent>x</f:Produsent></f:ProduktInfo>` +
		`<f:Reseptgyldighet><f:Kjonn V="2"/><f:Varighet>P1Y</f:Varighet></f:Reseptgyldighet><f:Hjelpestoff><f:Navn>x</f:Navn></f:Hjelpestoff>` + m1Mention + `</f:LegemiddelMerkevare>`
	m1Pack = `<f:Legemiddelpakning>` + m1Common + `<f:Id>b</f:Id><f:Varenr>012345</f:Varenr><f:Ean>1</f:Ean><f:IkkeKonservering>true</f:IkkeKonservering><f:Oppbevaring V="1"/>` +
		`<f:Pakningsinfo><f:RefLegemiddelMerkevare>a</f:RefLegemiddelMerkevare><f:Pakningsstr>10</f:Pakningsstr><f:EnhetPakning V="stk"/><f:Pakningstype V="1"/><f:Multippel>1</f:Multippel><f:Antall>1</f:Antall>` +
		`<f:Mengde>10.0</f:Mengde><f:Sortering>1</f:Sortering><f:DDD V="1" U="g"/><f:Statistikkfaktor>1.5</f:Statistikkfaktor>` + m1Component + `</f:Pakningsinfo>` +
		`<f:PakningsinfoResept><f:Varenavn>Oppdikta</f:Varenavn><f:Pakningsstr>10</f:Pakningsstr><f:EnhetPakning V="stk"/></f:PakningsinfoResept>` + m1Price +
		`<f:Markedsforingsinfo><f:VarenrUtgaende>1</f:VarenrUtgaende><f:Markedsforingsdato>2026-01-01</f:Markedsforingsdato><f:AvregDato>2026-01-01</f:AvregDato><f:MidlUtgattDato>2026-01-01</f:MidlUtgattDato></f:Markedsforingsinfo>` +
		m1Mention + `</f:Legemiddelpakning>`
	m1Substance = `<f:LegemiddelVirkestoff>` + m1Common + `<f:Id>c</f:Id>` + m1Strength + `</f:LegemiddelVirkestoff>`
	m1Dose      = `<f:Legemiddeldose>` + m1Common + `<f:Id>d</f:Id><f:LmrLopenr>1</f:LmrLopenr><f:Mengde V="1"/><f:Pakningstype V="1"/><f:RefLegemiddelMerkevare>a</f:RefLegemiddelMerkevare><f:RefPakning>b</f:RefPakning>` +
		m1Component + `</f:Legemiddeldose>`
	m1Amount  = `<f:MengdeBestanddel><f:Mengde V="1"/></f:MengdeBestanddel>`
	m1Ratio   = `<f:Styrke><f:Teller V="1"/><f:Nevner V="2"/></f:Styrke>`
	m1Mixture = `<f:Legemiddelblanding><f:Navn>x</f:Navn><f:TilbOppl>y</f:TilbOppl><f:Mengde V="1"/><f:Legemiddelform V="1"/>` +
		`<f:BestanddelLegemiddel>` + m1Substance + `<f:Utblanding><f:Adqs V="1"/></f:Utblanding></f:BestanddelLegemiddel>` +
		`<f:BestanddelAnnet><f:NavnFormStyrke>x</f:NavnFormStyrke>` + m1Ratio + `</f:BestanddelAnnet>` +
		`<f:BestanddelVirkestoff><f:Virkestoff><f:Id>w</f:Id><f:Navn>x</f:Navn><f:RefVirkestoff>v</f:RefVirkestoff></f:Virkestoff>` + m1Amount + `</f:BestanddelVirkestoff></f:Legemiddelblanding>`

	m1Given  = `<f:Mengde V="1" U="stk"/><f:Intervall V="8" U="h"/><f:Infusjonshastighet><f:Volum V="1"/><f:Tidsenhet V="h"/></f:Infusjonshastighet>`
	m1Timed  = `<f:DoseFastTidspunkt>` + m1Given + `<f:Klokkeslett>08:00:00</f:Klokkeslett><f:Tidsomrade V="1"/><f:GisEksakt>true</f:GisEksakt><f:FastDose><f:FasteUkedager V="1"/><f:DagerPa>1</f:DagerPa><f:DagerAv>2</f:DagerAv></f:FastDose></f:DoseFastTidspunkt>`
	m1Needed = `<f:DoseEtterBehov>` + m1Given + `<f:DoseDognMaks V="1"/><f:DoseTidsromMaks V="1"/><f:Tidsrom V="1"/><f:DoseIntervallMin V="1"/></f:DoseEtterBehov>`

	m1Goods = `<ReseptDokHandelsvare><Varegruppekode V="N"/><Antall>2</Antall><Merknad>x</Merknad><RefHjemmel V="200"/><Bruksveiledning>x</Bruksveiledning><ProdGruppe V="1"/>`
	m1Item  = `<f:Nr>801</f:Nr><f:Navn>Næringsdrikk</f:Navn><f:ProduktInfoVare><f:ProduktNr>1</f:ProduktNr><f:Volum>1</f:Volum><f:EnhetStorrelse V="1"/><f:AntPerPakning>1</f:AntPerPakning><f:RefVilkar>v</f:RefVilkar>` +
		`<f:TillattMerMakspris>true</f:TillattMerMakspris></f:ProduktInfoVare><f:Leverandor><f:Navn>x</f:Navn><f:Adresse>x</f:Adresse><f:Telefon>x</f:Telefon></f:Leverandor>` + m1Price + m1Refund
)

// wholePrescription is a prescription of 2.5 that is about a medicine, or an article.
func wholePrescription(medicine, dose, article string) string {
	document := m1Goods + article + `</ReseptDokHandelsvare>`
	if medicine != "" {
		document = `<ReseptDokLegemiddel><Varegruppekode V="L"/><Antall>2.5</Antall><Merknad>x</Merknad><RefHjemmel V="200"/><KomLegemdlAdm>x</KomLegemdlAdm><RefKode V="1"/><Reiterasjon/>` +
			`<BytteresRekvirent V="1"/><Mengde V="1" U="stk"/><LegemiddelUtenMt><Begrunnelse>x</Begrunnelse><Produsent>x</Produsent><DirektesoknadSlv>true</DirektesoknadSlv></LegemiddelUtenMt>` +
			`<f:Forskrivning><f:Bruksomrade>x</f:Bruksomrade><f:DosVeiledEnkel>x</f:DosVeiledEnkel><f:IngenKombinasjon>true</f:IngenKombinasjon><f:Bruk V="1"/><f:Kortdose V="1"/>` +
			`<f:AdministreringForskrivning><f:AdmVed V="1"/><f:AdmMate V="1"/><f:AdmEtterSkjema>true</f:AdmEtterSkjema><f:AdmSkjema>x</f:AdmSkjema></f:AdministreringForskrivning>` +
			`<f:Dosering><f:Starttidspunkt V="2026-06-15"/><f:Sluttidspunkt V="2026-07"/><f:Doseringsregel><f:DoseresEtter V="1"/><f:Merknad>x</f:Merknad></f:Doseringsregel>` + dose + dose + `</f:Dosering>` +
			medicine + `</f:Forskrivning></ReseptDokLegemiddel>`
	}
	return `<Resept xmlns="` + nsM1 + `" xmlns:f="` + nsPrescription + `" xmlns:k="` + nsShared + `"><Forskrivningsdato>2026-06-15</Forskrivningsdato><Utloper>2027-06-15</Utloper><Vernepliktig>true</Vernepliktig>` +
		`<SoktIndividRefusjon>true</SoktIndividRefusjon><Frikort>true</Frikort><Vergeinnsynsreservasjon>true</Vergeinnsynsreservasjon><TilEgenPraksis>true</TilEgenPraksis><RekvLegensNavn>true</RekvLegensNavn>` +
		`<RefNr>1</RefNr><Spesialitet V="1"/>` + document +
		`<Instituert><Organisasjon><HerId><k:Id>1</k:Id><k:TypeId V="HER"/></HerId><Inst>x</Inst><Dept>x</Dept><InstitusjonsID V="1"/></Organisasjon>` +
		`<Helseperson><HprId><k:Id>1</k:Id><k:TypeId V="HPR"/></HprId><Fornavn>x</Fornavn><Etternavn>x</Etternavn><Spesialitet V="1"/></Helseperson></Instituert>` +
		`<EkspAnm><Vilkar>true</Vilkar><MetodeEkspedering V="1"/><Utleverer>x</Utleverer><Kontaktperson>x</Kontaktperson><Adresse><k:Type V="PST"/></Adresse><Merknad>x</Merknad><OrgNrUtleverer>1</OrgNrUtleverer><UtlevererNavn>x</UtlevererNavn></EkspAnm>` +
		`<Utlending><ArbeidstakerNorge>true</ArbeidstakerNorge><Konvensjonsland V="SE"/><EEA><EEADok V="1"/><EEACardId>1</EEACardId><EEAId>1</EEAId><EEATrygdekontorNavn>x</EEATrygdekontorNavn>` +
		`<EEATrygdekontorNr>1</EEATrygdekontorNr><EEAGyldighetFra>2026-01-01</EEAGyldighetFra><EEAGyldighet>2027-01-01</EEAGyldighet></EEA></Utlending>` +
		`<OppdatertFest>0001-01-01T00:00:00</OppdatertFest><TidligsteUtlevering>2026-06-15</TidligsteUtlevering><UtskrevetSykehus>true</UtskrevetSykehus><LastResept>true</LastResept></Resept>`
}

// olderPrescription turns a whole prescription of 2.5 into one of 2.4.
func olderPrescription(text string) string {
	for _, gone := range []string{
		`<TidligsteUtlevering>.*</LastResept>`, `<f:BruksomradeEtikett V="1"/>`, `<f:DosEnhetForordning V="1"/>`, `<f:Smak V="1"/>`, `<f:Oppbevaring V="1"/>`,
		`<f:Sortering>1</f:Sortering><f:DDD .*?</f:Statistikkfaktor>`, m1Component, `<f:RefPakning>b</f:RefPakning>`, `<f:Id>b</f:Id>`,
		`<f:Mengde V="1"/><f:Legemiddelform V="1"/>`, `<f:Utblanding>.*?</f:Utblanding>`, m1Ratio, `<f:BestanddelVirkestoff>.*?</f:BestanddelVirkestoff>`,
	} {
		text = regexp.MustCompile(gone).ReplaceAllString(text, "")
	}
	text = strings.Replace(text, `<f:Bruk V="1"/><f:Kortdose V="1"/>`, `<f:Bruk V="1"/>`, 1)
	return strings.NewReplacer(nsM1, nsM1Old, nsPrescription, nsPrescriptionOld, "AdministreringForskrivning", "Administrering", "EEADok", "EOSDok", "EEAT", "EEAt", "EEAG", "EEAg",
		`</f:Refvirkestoff>`, `</f:Refvirkestoff><f:Lopenr>1</f:Lopenr>`, `<f:Www `, `<f:Nhn V="x"/><f:Www `,
		`<f:BestanddelLegemiddel>`, `<f:BestanddelLegemiddel><f:Mengde V="1"/>`, `<f:BestanddelAnnet>`, `<f:BestanddelAnnet><f:Mengde V="1"/>`).Replace(text)
}

// wholePrescriptions are every kind of prescription in both editions.
func wholePrescriptions() map[string]string {
	all := map[string]string{
		"brand":      wholePrescription(m1Brand, m1Timed, ""),
		"pack":       wholePrescription(m1Pack, m1Needed, ""),
		"substance":  wholePrescription(m1Substance, m1Timed, ""),
		"mixture":    wholePrescription(m1Mixture, m1Timed, ""),
		"dose":       wholePrescription(m1Dose, m1Needed, ""),
		"prosthesis": wholePrescription("", "", `<f:Brystprotese>`+m1Item+`</f:Brystprotese>`),
		"nutrition":  wholePrescription("", "", `<f:Naringsmiddel>`+m1Item+`<f:StyrkeFormStoff><f:Styrke>x</f:Styrke><f:Form>x</f:Form><f:Stoff>x</f:Stoff></f:StyrkeFormStoff></f:Naringsmiddel>`),
		"appliance":  wholePrescription("", "", `<f:MedForbMatr>`+m1Item+`<f:BestanddelMatr><f:Navn>x</f:Navn><f:Materiale>x</f:Materiale></f:BestanddelMatr></f:MedForbMatr>`),
	}
	for name, text := range all {
		if !strings.HasPrefix(name, "older ") {
			all["older "+name] = olderPrescription(text)
		}
	}
	return all
}

func TestPrescriptionVocabularyIsThatOfTheOfficialSchemas(t *testing.T) {
	t.Parallel()
	requireVerdictsOnEveryChange(t, testsize.Scaled(40_000, 2_000), wholePrescriptions())
}

// No other element has it: a document of its own.
func TestStrengthOfASubstanceIsJudgedByItself(t *testing.T) {
	t.Parallel()
	documents := map[string]string{}
	for _, ns := range []string{nsPrescription, nsPrescriptionOld} {
		documents[ns] = `<VirkestoffMedStyrke xmlns="` + ns + `"><Id>a</Id><Styrke V="1"/><StyrkeNevner V="1"/><RefVirkestoff>b</RefVirkestoff><AlternativStyrke V="1"/><AlternativStyrkeNevner V="1"/>` +
			`<Styrkeoperator V="1"/><StyrkeOvreVerdi>1e3</StyrkeOvreVerdi><AtcKombipreparat V="x"/></VirkestoffMedStyrke>`
	}
	requireVerdictsOnEveryChange(t, 1_000, documents)
}

func TestPrescriptionValuesAreJudgedAsByTheOfficialSchemas(t *testing.T) {
	t.Parallel()
	whole := wholePrescriptions()
	var documents []mutant
	add := func(kind, old, before, after string, values ...string) {
		require.Contains(t, whole[kind], before+old+after)
		for _, v := range values {
			documents = append(documents, mutant{what: kind + before + v, raw: []byte(strings.Replace(whole[kind], before+old+after, before+v+after, 1))})
		}
	}
	add("brand", "P1Y", "<f:Varighet>", "<", "P1D", "P1DT2H", "PT", "P", "", "PT1.5S", "P1.5D", "-P1Y2M3DT4H5M6.7S", "+P1D", "P1M1Y", "P1DT", "PT.5S", "PT.S", "P1W", "p1d")
	add("brand", "08:00:00", "<f:Klokkeslett>", "<", "08:00", "08:00:00Z", "24:00:00", "24:00:01", "", "08:00:00.5", "25:00:00", "08:00:00+14:00", "08:00:00+14:01")
	add("brand", "1", "<f:DagerPa>", "<", "-1", "+4", "007", "1.0", "", "2147483647", "2147483648", "-2147483648", "-2147483649", "1_0")
	add("brand", "a", "<f:Id>", "<", "1a", "a:b", "", "_", "å", "a b", "-a", "a.b-c_d", "\u00a0a")
	add("brand", "true", "<f:IngenKombinasjon>", "<", "0", "TRUE", "")
	add("pack", "12.50", `<f:Pris V="`, `"`, "1", "-1", "1.", ".5", "", "+1", "1e3", "NaN")
	add("pack", "10.0", "<f:Mengde>", "<", "1", ".", "", "1,5", "1e3", "\u00a01")
	add("pack", "1", `<f:DDD V="`, `"`, "1e3", "INF", "", "x")
	add("pack", "2026-06-15", `<f:Starttidspunkt V="`, `"`, "2026", "2026-06", "08:00:00", "2026-13", "", "x", "2026-06-15T08:00:00Z")
	requireVerdicts(t, documents)
}
