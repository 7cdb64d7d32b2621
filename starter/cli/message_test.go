package cli_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/testsize"
	"github.com/helsebro/helsebro/internal/xsdtest"
	"github.com/helsebro/helsebro/starter/cli"
)

// ours is a message of the package that reads and writes them.
func ours(name string) string {
	return filepath.Join("..", "..", "internal", "helsenorge", "testdata", name+".xml")
}

func TestMessageCheck(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broken.xml")
	raw, err := os.ReadFile(ours("contact-19"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(broken, bytes.Replace(raw, []byte("<MIGversion>v1.2 2006-05-24</MIGversion>"), nil, 1), 0o600))
	for name, c := range map[string]struct {
		file, json, text string
		code             int
	}{
		"a question": {
			ours("consultation-SB"), `{"file":"FILE","valid":true,"process":"DIALOG_INNBYGGER_EKONSULTASJON","function":"Question","code":"SB","msgId":"0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d01","conversation":"","parent":"","senderHerId":500101,"receiverHerId":600201,"patientIdType":"FNR","attachments":[{"mime":"image/png","size":16},{"mime":"application/pdf","size":18}],"problems":[]}`,
			"FILE: valid; DIALOG_INNBYGGER_EKONSULTASJON SB Question; from 500101 to 600201", cli.ExitDone,
		},
		"an answer": {
			ours("contact-19"), `{"file":"FILE","valid":true,"process":"DIALOG_INNBYGGER_EKONTAKT","function":"EnquiryAnswer","code":"19","msgId":"0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d02","conversation":"0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d01","parent":"0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d01","senderHerId":600201,"receiverHerId":500101,"patientIdType":"FNR","attachments":[],"problems":[]}`,
			"FILE: valid; DIALOG_INNBYGGER_EKONTAKT 19 EnquiryAnswer; from 600201 to 500101", cli.ExitDone,
		},
		"a receipt": {
			ours("receipt-refused"), `{"file":"FILE","valid":true,"process":"APPREC","function":"Receipt","code":"2","msgId":"0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d02","conversation":"","parent":"0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d01","senderHerId":600201,"receiverHerId":500101,"patientIdType":"","attachments":[],"problems":[]}`,
			"FILE: valid; APPREC 2 Receipt; from 600201 to 500101", cli.ExitDone,
		},
		"a broken message": {
			broken, `{"file":"FILE","valid":false,"process":"DIALOG_INNBYGGER_EKONTAKT","function":"EnquiryAnswer","code":"19","msgId":"0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d02","conversation":"0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d01","parent":"0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d01","senderHerId":600201,"receiverHerId":500101,"patientIdType":"FNR","attachments":[],"problems":[{"code":"T02","path":"MsgHead/MsgInfo","text":"the element MIGversion is missing, or not in its place"}]}`,
			"FILE: not valid; DIALOG_INNBYGGER_EKONTAKT 19 EnquiryAnswer; from 600201 to 500101; T02 MsgHead/MsgInfo: the element MIGversion is missing, or not in its place", cli.ExitFailed,
		},
		"no file": {
			"none.xml", `{"file":"FILE","valid":false,"process":"","function":"","code":"","msgId":"","conversation":"","parent":"","senderHerId":0,"receiverHerId":0,"patientIdType":"","attachments":[],"problems":[{"code":"unreadable","path":"","text":"the file cannot be opened: no such file or directory"}]}`,
			"FILE: not valid; unreadable: the file cannot be opened: no such file or directory", cli.ExitFailed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asJSON := run(t, nil, "", "message", "check", "--json", c.file)
			require.Equal(t, strings.ReplaceAll(c.json, "FILE", c.file)+"\n", asJSON.out)
			require.Equal(t, c.code, asJSON.code)
			text := run(t, nil, "", "message", "check", c.file)
			require.Equal(t, strings.ReplaceAll(c.text, "FILE", c.file)+"\n", text.out)
			require.Equal(t, c.code, text.code)
		})
	}
	require.Equal(t, cli.ExitUsage, run(t, nil, "", "message", "check").code)
	require.Equal(t, cli.ExitUsage, run(t, nil, "", "message", "check", "--wrong", broken).code)
	require.Equal(t, cli.ExitUsage, run(t, nil, "", "message").code)
	many := run(t, nil, "", "message", "check", "--json", ours("contact-19"), broken, ours("contact-HE"))
	require.Equal(t, cli.ExitFailed, many.code, "one of three")
	require.Equal(t, 3, strings.Count(many.out, "\n"))
	require.Equal(t, "helsebro: 1 of 3 not valid\n", many.err)
	require.Equal(t, "-: valid; DIALOG_INNBYGGER_EKONTAKT 19 EnquiryAnswer; from 600201 to 500101\n", run(t, nil, string(raw), "message", "check", "-").out)
	large := run(t, nil, strings.Repeat(" ", 25<<20), "message", "check", "-")
	require.Equal(t, cli.ExitFailed, large.code)
	require.Contains(t, large.out, "-: not valid; too-large: ")
}

// What a GP does not use is named, and judged by the schemas.
func TestMessageCheckOfAnotherProcess(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(ours("contact-HE"))
	require.NoError(t, err)
	check := func(process string, change ...string) (c struct {
		Valid                bool
		Process, Function    string
		Problems             []struct{ Code, Path string }
		Conversation, Parent string
	}) {
		t.Helper()
		text := strings.Replace(string(raw), `V="DIALOG_INNBYGGER_EKONTAKT"`, `V="`+process+`"`, 1)
		got := run(t, nil, strings.NewReplacer(change...).Replace(text), "message", "check", "--json", "-")
		require.NoError(t, json.Unmarshal([]byte(got.out), &c))
		require.Equal(t, c.Valid, got.code == cli.ExitDone)
		return c
	}
	other := check("DIALOG_INNBYGGER_KOORDINATOR")
	require.Equal(t, []any{true, "DIALOG_INNBYGGER_KOORDINATOR", "", "unsupported"}, []any{other.Valid, other.Process, other.Function, other.Problems[0].Code})
	broken := check("DIALOG_INNBYGGER_KOORDINATOR", "<MsgId>", "<Msgid>", "</MsgId>", "</Msgid>")
	require.False(t, broken.Valid)
	require.Equal(t, "T02", broken.Problems[0].Code)
	format := check("DIALOG_INNBYGGER_KOORDINATOR", "http://www.kith.no/xmlstds/dialog/2013-01-23", "urn:another")
	require.False(t, format.Valid)
	require.Equal(t, "T10", format.Problems[1].Code)
	unknown := check("KARI_NORDMANN")
	require.Equal(t, []any{"", "unsupported"}, []any{unknown.Process, unknown.Problems[0].Code}, "it may be anybody's name")
	code := check("DIALOG_INNBYGGER_EKONTAKT", `V="HE"`, `V="RT"`)
	require.Equal(t, []any{true, "", "unsupported"}, []any{code.Valid, code.Function, code.Problems[0].Code})
	reference := check("DIALOG_INNBYGGER_EKONTAKT", "<Sender>", "<ConversationRef><RefToParent>Kari</RefToParent><RefToConversation>Nordmann</RefToConversation></ConversationRef><Sender>")
	require.Equal(t, []any{"", "", "not-a-uuid", "not-a-uuid"}, []any{reference.Conversation, reference.Parent, reference.Problems[0].Code, reference.Problems[1].Code})
}

func TestMessageShow(t *testing.T) {
	t.Parallel()
	masked := run(t, nil, "", "message", "show", ours("consultation-SB"))
	require.Equal(t, outcome{cli.ExitDone, `process        DIALOG_INNBYGGER_EKONSULTASJON Dialog med innbygger - eKonsultasjon
function       Question
code           SB Spørsmål til behandler
message        0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d01
written        Mon 2026-06-15 10:30:15
from           500101 Portalen, Innbyggertjenester
to             600201 Bakken & Dalen legesenter, Åse Vik Ås
patient        (19 characters: --reveal shows them)
  FNR          (11 characters: --reveal shows them)
  telephone    (11 characters: --reveal shows them)
relation       FO Foreldreansvar
written by     (16 characters: --reveal shows them)
  FNR          (11 characters: --reveal shows them)
  telephone    (8 characters: --reveal shows them)
practitioner   Åse Ås
subject        (19 characters: --reveal shows them)
text           (31 characters: --reveal shows them)
file           image/png, 16 bytes
  called       (7 characters: --reveal shows them)
file           application/pdf, 18 bytes
`, ""}, masked)
	revealed := run(t, nil, "", "message", "show", "--reveal", ours("consultation-SB"))
	for _, text := range []string{"Fiktiv Test Pasient", "Forelder Pasient", "Vorte <under> foten", "  | Hva gjør jeg?", "Bilde æ", "+4790000000"} {
		require.Contains(t, revealed.out, text)
	}
	require.Contains(t, run(t, nil, "", "message", "show", ours("booking-told-08")).out, "appointment ")
	receipt := run(t, nil, "", "message", "show", ours("receipt-refused")).out
	require.Contains(t, receipt, "error          T02 XML validerer ikke")
	require.Contains(t, receipt, "status         2 Avvist")
	no := run(t, nil, "no XML", "message", "show", "-")
	require.Equal(t, cli.ExitFailed, no.code)
	require.Contains(t, no.out, "T01")
	require.Equal(t, cli.ExitUsage, run(t, nil, "", "message", "show").code)
	require.Equal(t, cli.ExitFailed, run(t, nil, "", "message", "show", "none.xml").code)
}

// Neither command tells of the patient, whatever is done to the message.
func TestMessagesTellNothingOfThePatient(t *testing.T) {
	t.Parallel()
	secrets := []string{"Fiktiv", "Test Pasient", "Forelder P", "90000000", "Vorte", "årlig", "uthvilt", "Hva gjør", "kontakt-17", "Tablett", "Oppdiktet", "Line Danser", "13116900216", "Danser"}
	files, err := filepath.Glob(ours("*"))
	require.NoError(t, err)
	documents := map[string][]byte{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		documents[f] = raw
	}
	// The official samples, where they are.
	t.Run("samples", func(t *testing.T) {
		for name, raw := range xsdtest.Samples(t, "DIALOG") {
			documents[name] = raw
		}
	})
	r := rand.New(rand.NewPCG(testsize.Seed(t), 5))
	for name, raw := range documents {
		for range 20 {
			out := run(t, nil, string(raw), "message", "check", "-").out + run(t, nil, string(raw), "message", "check", "--json", "-").out +
				run(t, nil, string(raw), "message", "show", "-").out
			for _, s := range secrets {
				require.NotContains(t, out, s, name)
			}
			raw = bytes.Clone(raw)
			for range 1 + r.IntN(3) { // and once more, damaged
				i := r.IntN(len(raw))
				switch r.IntN(3) {
				case 0:
					raw[i] = byte(' ' + r.IntN(90))
				case 1:
					raw = raw[:i]
					if len(raw) == 0 {
						raw = []byte("<")
					}
				case 2:
					raw = append(raw[:i:i], raw[min(len(raw), i+1+r.IntN(40)):]...)
					if len(raw) == 0 {
						raw = []byte("<")
					}
				}
			}
		}
	}
}
