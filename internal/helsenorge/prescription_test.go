package helsenorge

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// The official answer holds a prescription of a pack with much that is not read.
func TestReadSampleOfAPrescription(t *testing.T) {
	t.Parallel()
	for name, raw := range samples(t, "resept-er-fornyet") {
		m, problems := Read(raw)
		require.Empty(t, problems, name)
		require.Len(t, m.Prescriptions, 1, name)
		p := m.Prescriptions[0]
		require.Equal(t, Pack, p.Kind)
		require.Equal(t, time.Date(2017, 5, 12, 0, 0, 0, 0, time.UTC), p.PrescribedOn)
		require.Equal(t, time.Date(2018, 5, 12, 0, 0, 0, 0, time.UTC), p.ExpiresOn)
		require.Equal(t, "6", p.Quantity)
		require.Equal(t, 3, p.Repeats)
		require.Equal(t, Code{V: "L", DN: "Legemiddel"}, p.Goods)
		require.Equal(t, Code{V: "N02CC04", S: codes.ATC.OID(), DN: "Rizatriptan"}, p.ATC)
		require.Equal(t, "C", p.Group.V)
		require.Equal(t, "1", p.Use.V)
		require.Equal(t, "ID_5211235A-F27D-4D2F-85D9-0198024327BA", p.ID)
		require.Equal(t, "397604", p.ItemNumber)
		require.Equal(t, "3 x 1", p.PackSize)
		require.Equal(t, Code{V: "stk", S: codes.PackUnits.OID(), DN: "stykk"}, p.PackUnit)
		require.Len(t, strings.Split(p.Dosage, "\n"), 3)
		require.False(t, p.Reserved)
	}
}

// oldEdition makes a message carry its prescriptions as M1 v2.4, of what both have.
func oldEdition(raw []byte) []byte {
	return []byte(strings.NewReplacer(nsM1, nsM1Old, nsPrescription, nsPrescriptionOld).Replace(string(raw)))
}

func TestReadTheOldEditionOfAPrescription(t *testing.T) {
	t.Parallel()
	raw := oldEdition([]byte(golden(t, "renewal-RFER")))
	requireValid(t, raw)
	m, problems := Read(raw)
	require.Empty(t, problems)
	require.Equal(t, fixtures()["renewal-RFER"].Prescriptions, m.Prescriptions)
	again, err := WriteMessage(m)
	require.NoError(t, err)
	require.Contains(t, string(again), nsM1, "it is written as v2.5")

	pack := oldEdition([]byte(golden(t, "renewal-14")))
	m, problems = Read(pack)
	require.NotEmpty(t, problems, "v2.4 has no id of a pack")
	require.Len(t, m.Prescriptions, 1, "and it is read all the same")
}

// What Helsenorge fills in for the schema's sake says nothing.
func TestTheSmallestDateIsNone(t *testing.T) {
	t.Parallel()
	raw := golden(t, "renewal-RFER")
	require.Contains(t, raw, "<Utloper>0001-01-01</Utloper>")
	require.Contains(t, raw, "<OppdatertFest>0001-01-01T00:00:00</OppdatertFest>")
	m, problems := Read([]byte(raw))
	require.Empty(t, problems)
	require.True(t, m.Prescriptions[0].PrescribedOn.IsZero())
	require.True(t, m.Prescriptions[0].ExpiresOn.IsZero())
}

// A prescription of a kind that is not written is read by its name.
func TestReadOtherKinds(t *testing.T) {
	t.Parallel()
	all := golden(t, "renewal-RFER")
	from := strings.Index(all, "<fs:LegemiddelMerkevare>")
	to := strings.Index(all, "</fs:LegemiddelMerkevare>") + len("</fs:LegemiddelMerkevare>")
	for name, content := range map[string]string{
		"a mixture": `<fs:Legemiddelblanding><fs:Navn>Hostesaft</fs:Navn><fs:TilbOppl>Ristes</fs:TilbOppl><fs:Mengde V="200" U="ml"/><fs:Legemiddelform V="1"/></fs:Legemiddelblanding>`,
		"a dose":    `<fs:Legemiddeldose><fs:NavnFormStyrke>Hostesaft</fs:NavnFormStyrke><fs:Reseptgruppe V="C"/><fs:Id>ID_1</fs:Id><fs:Mengde V="2E1" U="mg"/><fs:RefLegemiddelMerkevare>ID_1</fs:RefLegemiddelMerkevare><fs:RefPakning>ID_1</fs:RefPakning></fs:Legemiddeldose>`,
	} {
		raw := []byte(all[:from] + content + all[to:])
		requireValid(t, raw)
		m, problems := Read(raw)
		require.Empty(t, problems, name)
		require.Equal(t, OtherKind, m.Prescriptions[0].Kind, name)
		require.Equal(t, "Hostesaft", m.Prescriptions[0].Name, name)
		_, err := WriteMessage(m)
		require.Equal(t, []string{"Prescriptions[0].Kind"}, fieldsOf(t, err), name)
	}
}

func TestPrescriptionsAreNeeded(t *testing.T) {
	t.Parallel()
	without := func(file string) []byte {
		raw := golden(t, file)
		for strings.Contains(raw, "<Resept ") {
			at := strings.Index(raw, "<Resept ")
			from := strings.LastIndex(raw[:at], "<Document>")
			to := at + strings.Index(raw[at:], "</Document>") + len("</Document>")
			raw = raw[:from] + raw[to:]
		}
		return []byte(raw)
	}
	for _, file := range []string{"renewal-RFER", "renewal-14", "renewal-32"} {
		m, problems := Read(without(file))
		require.Len(t, problems, 1, file)
		require.Equal(t, "T02", problems[0].Code, file)
		require.NotNil(t, m, file)
	}
	asked := strings.Replace(string(without("renewal-RFER")), "<KodetOpplysning", "<Sporsmal>Blå tabletter</Sporsmal><KodetOpplysning", 1)
	_, problems := Read([]byte(asked))
	require.Empty(t, problems, "what the citizen wants stands in his words")

	_, problems = Read([]byte(strings.ReplaceAll(golden(t, "renewal-RFER"), codes.Reseptfornyelse, codes.EKonsultasjon)))
	require.NotEmpty(t, problems)
	require.Equal(t, "T10", problems[0].Code, "no other process has prescriptions")
}

func TestReadWhoIsActive(t *testing.T) {
	t.Parallel()
	m, problems := Read([]byte(golden(t, "active-SDAB")))
	require.Empty(t, problems)
	require.Equal(t, codes.BecameInactive, m.Dialog.Request.Coded.V)
	_, problems = Read(edited(t, "active-SDAB", "<GivenName>Fiktiv</GivenName>", ""))
	require.Len(t, problems, 1)
	require.Equal(t, "E36", problems[0].Code, "it is about somebody")

	for name, raw := range samples(t, "digitale-aktive-brukere") {
		m, problems := Read(raw)
		require.Empty(t, problems, name)
		require.NotEmpty(t, m.People, name)
		require.Nil(t, m.Head.Patient, name)
		require.Len(t, m.People[0].NationalID, 11, name)
	}
}

// Whatever the tables permit of prescriptions is valid by the official schemas, and
// reads back as it was written.
func generatedPrescription(r *rand.Rand, i int) Prescription {
	maybe := func() bool { return r.IntN(2) == 0 }
	text := func() string {
		if maybe() {
			return ""
		}
		return "x" + strings.Repeat("æ <&>\"'\n1", 1+r.IntN(9)) + "x"
	}
	day := func() time.Time {
		if maybe() {
			return time.Time{}
		}
		return time.Date(2026, 1, 1+r.IntN(700), 0, 0, 0, 0, time.UTC)
	}
	code := func(list string) Code {
		if maybe() {
			return Code{}
		}
		return Code{V: "A1", S: list, DN: strings.TrimSpace(strings.ReplaceAll(text(), "\n", " "))}
	}
	kinds := []PrescriptionKind{Pack, Brand, Substance, Nutrition, Appliance, Prosthesis}
	p := Prescription{
		Kind: kinds[r.IntN(len(kinds))], PrescribedOn: day(), ExpiresOn: day(), Reserved: maybe(), Goods: Code{V: "L"}, Name: "Navn " + text(), Dosage: text(),
		Quantity: []string{"", "0", "12", "1.5", ".5"}[r.IntN(5)],
	}
	p.Name = strings.TrimSpace(p.Name)
	if _, ok := articleElements[p.Kind]; ok {
		p.ItemNumber = "77"
		return p
	}
	p.Repeats, p.Exchange, p.Indication, p.NoCombination, p.Use = r.IntN(99), code(""), text(), maybe(), code("")
	p.ATC, p.Group = code(codes.ATC.OID()), Code{V: "C"}
	if p.Kind == Substance || maybe() {
		p.ID = "_" + string(rune('a'+i)) + "-1.Æ"
	}
	switch p.Kind {
	case Pack:
		p.ItemNumber, p.TradeName, p.PackSize, p.PackUnit = "0123", text(), text(), code(codes.PackUnits.OID())
	case Brand:
		p.TradeName = "Navn"
	default:
	}
	return p
}
