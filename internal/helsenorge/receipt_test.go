package helsenorge

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

func TestReceiptMirrorsTheParties(t *testing.T) {
	t.Parallel()
	h := fromCitizen(codes.EKontakt, firstID)
	h.GenDateLiteral = "2026-06-15T10:30:15"
	r := ReceiptFor(h, secondID, now, nil)
	require.True(t, r.OK)
	require.Equal(t, "1", r.Status.V)
	require.Empty(t, r.Errors)
	require.Equal(t, firstID, r.OriginalMsgID)
	require.Equal(t, "2026-06-15T10:30:15", r.OriginalIssueDate, "GenDate as it was written")
	require.Equal(t, codes.EKontakt, r.OriginalType.V)

	require.Equal(t, h.Receiver.HerID(), r.Sender.HerID())
	require.Equal(t, h.Sender.HerID(), r.Receiver.HerID())
	require.Equal(t, "Åse Vik Ås", r.Sender.Person.FamilyName)
	require.Len(t, r.Sender.Person.Idents, 2, "nothing is dropped")
	require.Equal(t, "HER", r.Sender.Person.Idents[0].Type.V, "the HER-id is the main one")
	require.Equal(t, "999999901", r.Sender.Organisation.Idents[1].ID)
	require.Equal(t, "Innbyggertjenester", r.Receiver.Unit.Name)
	require.Equal(t, "9999001", h.Receiver.Person.Idents[0].ID, "the head is not changed")

	raw, err := WriteReceipt(r)
	require.NoError(t, err)
	text := string(raw)
	require.Contains(t, text, `<Sender><Role V="PRIM" DN="Primærmottaker"/><HCP><Inst>`)
	require.Contains(t, text, `<Receiver><Role V="AVS" DN="Avsender"/>`)
	require.Contains(t, text, `<AdditionalId><Id>999999901</Id><Type V="ENH"`)
	requireValid(t, raw)
}

// A head with a unit and a person in it keeps both: the schema has room.
func TestReceiptOfThreeLevels(t *testing.T) {
	t.Parallel()
	h := fromCitizen(codes.EKontakt, firstID)
	h.Receiver.Unit = &Organisation{Name: "Avdeling", Idents: []Ident{her(600300, codes.OrganisationID)}}
	raw, err := WriteReceipt(ReceiptFor(h, secondID, now, nil))
	require.NoError(t, err)
	m, problems := Read(raw)
	require.Empty(t, problems)
	require.Equal(t, "Avdeling", m.Receipt.Sender.Unit.Name)
	require.NotNil(t, m.Receipt.Sender.Person)
	requireValid(t, raw)
}

func TestNegativeReceipt(t *testing.T) {
	t.Parallel()
	h := fromCitizen(codes.EKontakt, firstID)
	problems := make([]Problem, maxReceiptErrors+5)
	for i := range problems {
		problems[i] = Problem{Code: "T02", Path: "MsgHead/MsgInfo", Rule: "the value must be " + headVersion}
	}
	r := ReceiptFor(h, secondID, now, problems)
	require.False(t, r.OK)
	require.Equal(t, "Avvist", r.Status.DN)
	require.Len(t, r.Errors, maxReceiptErrors)
	require.Equal(t, ReceiptError{
		V: "T02", S: codes.ReceiptErrors.OID(), DN: "XML validerer ikke", OT: "MsgHead/MsgInfo: the value must be v1.2 2006-05-24",
	}, r.Errors[0])
	require.Equal(t, writeInstant(now), r.OriginalIssueDate, "without the literal, the instant")
}

func TestWriteReceiptRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Receipt)
		field  string
	}{
		{"no UUID", func(r *Receipt) { r.ID = "" }, "ID"},
		{"status against OK", func(r *Receipt) { r.Status.V = "2" }, "Status.V"},
		{"partly OK", func(r *Receipt) { r.OK, r.Status.V = false, "3" }, "Status.V"},
		{"refused without error", func(r *Receipt) { r.OK, r.Status = false, Code{} }, "Errors"},
		{"accepted with error", func(r *Receipt) { r.Errors = []ReceiptError{code(codes.ReceiptErrors, "T02")} }, "Errors"},
		{"unknown error", func(r *Receipt) { r.OK, r.Status, r.Errors = false, Code{}, []ReceiptError{{V: "Q1"}} }, "Errors[0].V"},
		{"no original", func(r *Receipt) { r.OriginalMsgID = "" }, "OriginalMsgID"},
		{"no original type", func(r *Receipt) { r.OriginalType = Code{} }, "OriginalType.V"},
		{"no original date", func(r *Receipt) { r.OriginalIssueDate = "2026-06-15" }, "OriginalIssueDate"},
		{"nobody", func(r *Receipt) { r.Sender = Party{} }, "Sender"},
		{"control character", func(r *Receipt) { r.Receiver.Unit.Idents[0].ID = "\x02" }, "Receiver.Unit.Idents[0].ID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := receipts()["receipt-ok"]
			tt.change(r)
			_, err := WriteReceipt(r)
			require.Contains(t, fieldsOf(t, err), tt.field)
		})
	}
}

func TestReadReceiptOfAPerson(t *testing.T) {
	t.Parallel()
	text := golden(t, "receipt-ok")
	from, to := strings.Index(text, "<Inst>"), strings.Index(text, "</Inst>")+len("</Inst>")
	raw := []byte(text[:from] + "<HCProf><Name>Åse Ås</Name><Id>600201</Id><TypeId V=\"HER\"/></HCProf>" + text[to:])
	requireValid(t, raw)
	m, problems := Read(raw)
	require.Empty(t, problems)
	require.Equal(t, 600201, m.Receipt.Sender.HerID())
}
