package helsenorge

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/xsdtest"
)

// wrote is a citizen's first message of a dialogue, as it was stored.
func wrote(t *testing.T, process, function string) []byte {
	t.Helper()
	m := &helsenorge.Message{
		Head: helsenorge.Head{
			Process: process, MsgID: uuid.NewString(), GenDate: now, WantsReceipt: true,
			Patient: &helsenorge.Patient{GivenName: ingrid.GivenName, FamilyName: ingrid.FamilyName, NationalID: ingrid.NationalID, IDType: ingrid.IDType},
		},
		Dialog: &helsenorge.Dialog{Request: &helsenorge.Request{
			Type: helsenorge.Code{V: function, S: codes.Requests.OID()}, Subject: "Hei", Text: helsenorge.Text{Plain: "Kan dere hjelpe meg?"},
		}},
	}
	if process == codes.Reseptfornyelse {
		m.Dialog.Request.Coded = &helsenorge.Code{V: "AP"}
	}
	var err error
	m.Head.Sender, err = registry.Address(t.Context(), known(), theirs)
	require.NoError(t, err)
	m.Head.Receiver, err = registry.Address(t.Context(), known(), ours)
	require.NoError(t, err)
	xml, err := helsenorge.WriteMessage(m)
	require.NoError(t, err)
	return xml
}

// answers is what becomes of an answer to it.
func answers(t *testing.T, process, function string, job pg.Job) ([]byte, error) {
	t.Helper()
	job.Kind, job.Original, job.MsgID, job.Now = pg.KindAnswer, wrote(t, process, function), uuid.NewString(), now
	if job.Text == "" {
		job.Text = "Ja."
	}
	return New(nil, nil, nil, known(), Config{ReceiptDue: time.Hour}).build(t.Context(), job)
}

func tablets(id string) pg.Medicine {
	return pg.Medicine{
		Kind: pg.MedicinePack, Name: "Allergex tab 10 mg", ATC: "R06ZZ99", Group: "C", ItemNumber: "990017", ItemID: id, TradeName: "Allergex", PackSize: "100", PackUnit: "stk",
		Quantity: "2", Repeats: "3", Use: "1", Dosage: "1 daglig", Indication: "Allergi", PrescribedOn: "2026-11-23", ExpiresOn: "2027-11-23", Reserved: true,
	}
}

func TestARenewalIsAnsweredWithItsPrescriptions(t *testing.T) {
	t.Parallel()
	medicines := []pg.Medicine{
		tablets("ID_1"), tablets("ID_1"), tablets("no name!"),
		{Kind: pg.MedicineBrand, Name: "Pustex inh", Group: "C", TradeName: "Pustex", PackSize: "1", ItemNumber: "7"},
		{Kind: pg.MedicineSubstance, Name: "Fantasigestrel", Group: "C", TradeName: "Mini"},
		{Kind: pg.MedicineNutrition, Name: "Næringsdrikk", ItemNumber: "801", Goods: "N", Dosage: "Daglig", ATC: "V06"},
		{Kind: pg.MedicineAppliance, Name: "Sprøytespisser", ItemNumber: "802", Goods: "M"},
		{Kind: pg.MedicineProsthesis, Name: "Protese", ItemNumber: "803", Goods: "B"},
	}
	for _, m := range medicines {
		require.Empty(t, m.Fields(""))
	}
	var all [][]byte
	for _, code := range []string{contract.AnswerRenewed, contract.AnswerPartlyRenewed} {
		xml, err := answers(t, codes.Reseptfornyelse, codes.RenewalText, pg.Job{Code: code, Medicines: medicines})
		m := built(t, xml, err)
		require.Equal(t, code, m.Dialog.Function())
		require.Len(t, m.Prescriptions, len(medicines))
		require.Equal(t, helsenorge.Prescription{
			Kind: helsenorge.Pack, PrescribedOn: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), ExpiresOn: time.Date(2027, 11, 23, 0, 0, 0, 0, time.UTC), Reserved: true,
			Goods: helsenorge.Code{V: "L"}, Quantity: "2", Repeats: 3, Use: helsenorge.Code{V: "1"}, Indication: "Allergi", Dosage: "1 daglig",
			ATC: helsenorge.Code{V: "R06ZZ99", S: codes.ATC.OID()}, Group: helsenorge.Code{V: "C"}, Name: "Allergex tab 10 mg", ID: "ID_1", ItemNumber: "990017",
			TradeName: "Allergex", PackSize: "100", PackUnit: helsenorge.Code{V: "stk", S: codes.PackUnits.OID()},
		}, m.Prescriptions[0])
		ids := map[string]bool{}
		for i, p := range m.Prescriptions {
			require.Equal(t, medicines[i].Name, p.Name)
			require.Equal(t, string(medicines[i].Kind), string(p.Kind))
			require.False(t, p.ID != "" && ids[p.ID], "ids differ in a message")
			ids[p.ID] = true
		}
		all = append(all, xml)
	}
	xsdtest.RequireValid(t, all...)

	xml, err := answers(t, codes.Reseptfornyelse, codes.RenewalText, pg.Job{Code: contract.AnswerCannotRenew})
	require.Empty(t, built(t, xml, err).Prescriptions)
}

func TestARenewalWithoutItsPrescriptionIsNotSent(t *testing.T) {
	t.Parallel()
	bad := tablets("ID_1")
	bad.ExpiresOn = "next year"
	for name, job := range map[string]pg.Job{
		"none":                {Code: contract.AnswerRenewed},
		"one that is refused": {Code: contract.AnswerCannotRenew, Medicines: []pg.Medicine{tablets("ID_1")}},
		"one without a day":   {Code: contract.AnswerRenewed, Medicines: []pg.Medicine{bad}},
		"a mixture":           {Code: contract.AnswerRenewed, Medicines: []pg.Medicine{{Kind: pg.MedicineOther, Name: "Hostesaft"}}},
	} {
		_, err := answers(t, codes.Reseptfornyelse, codes.RenewalText, job)
		require.Equal(t, apperr.Invalid, apperr.KindOf(err), name)
	}
}

func TestFilesGoWithAnAnswer(t *testing.T) {
	t.Parallel()
	pdf := []byte("%PDF-1.7\n")
	files := []pg.JobFile{{MIME: helsenorge.MIMEPDF, Description: "Råd", Content: pdf}}
	for process, c := range map[string][2]string{
		codes.EKontakt: {codes.Enquiry, contract.AnswerToEnquiry}, codes.EKonsultasjon: {codes.QuestionToPractitioner, contract.AnswerFromPractitioner},
	} {
		xml, err := answers(t, process, c[0], pg.Job{Code: c[1], Attachments: files})
		sent := built(t, xml, err).Attachments
		require.Len(t, sent, 1)
		require.Equal(t, []any{helsenorge.MIMEPDF, "Råd", pdf}, []any{sent[0].MIME, sent[0].Description, sent[0].Bytes()})
	}
	_, err := answers(t, codes.Reseptfornyelse, codes.RenewalText, pg.Job{Code: contract.AnswerCannotRenew, Attachments: files})
	require.Equal(t, apperr.Invalid, apperr.KindOf(err), "a renewal's answer carries none")
}

// Who is named depends on the process, and on whose place the author answers in.
func TestWhoAnswered(t *testing.T) {
	t.Parallel()
	own := frida
	own.OwnGP = true
	for _, c := range []struct {
		name, process, function, code string
		author                        pg.Author
		role                          string
	}{
		{"the GP", codes.EKonsultasjon, codes.QuestionToPractitioner, contract.AnswerFromPractitioner, own, codes.Fastlege},
		{"a locum", codes.EKonsultasjon, codes.QuestionToPractitioner, contract.AnswerFromPractitioner, frida, codes.Locum},
		{"a secretary", codes.EKonsultasjon, codes.QuestionToPractitioner, contract.AnswerFromPractitioner, secretary, ""},
		{"a locum, of a renewal", codes.Reseptfornyelse, codes.RenewalText, contract.AnswerCannotRenew, frida, codes.Locum},
		{"nobody", codes.Reseptfornyelse, codes.RenewalText, contract.AnswerCannotRenew, pg.Author{}, ""},
	} {
		xml, err := answers(t, c.process, c.function, pg.Job{Code: c.code, Author: c.author})
		roles := built(t, xml, err).Dialog.Note.Roles
		if c.role == "" {
			require.Empty(t, roles, c.name)
			continue
		}
		require.Len(t, roles, 1, c.name)
		require.Equal(t, c.role, roles[0].RoleToPatient.V, c.name)
		require.Equal(t, "9144889", roles[0].Professional.Idents[0].ID, c.name)
	}
	xml, err := answers(t, codes.EKontakt, codes.Enquiry, pg.Job{Code: contract.AnswerToEnquiry, Author: secretary})
	roles := built(t, xml, err).Dialog.Note.Roles
	require.Equal(t, codes.Author, roles[0].RolleNotat.V)
	require.Equal(t, "Sekretær", roles[0].Person.FamilyName)
	require.Nil(t, roles[0].RoleToPatient, "an e-contact names who wrote, and no more")
}
