package listen

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
)

// arrival is what the listener makes of a message.
func arrival(t *testing.T, m *helsenorge.Message) pg.Arrival {
	t.Helper()
	return opened(t, enveloped(t, m).Body, m.Head.Process)
}

// opened is what the listener makes of XML.
func opened(t *testing.T, xml []byte, process string) pg.Arrival {
	t.Helper()
	w := newWorld(t)
	e := enveloped(t, request(codes.EKontakt, codes.Enquiry))
	e.Subject, e.Body = process, xml
	a, err := w.read(t.Context(), envelope(e, false), e)
	require.NoError(t, err)
	return a
}

func TestARenewalNamesItsPrescriptions(t *testing.T) {
	t.Parallel()
	m := request(codes.Reseptfornyelse, codes.RenewalPrescriptions)
	m.Dialog.Request.Coded = &helsenorge.Code{V: "HE"}
	m.Prescriptions = []helsenorge.Prescription{
		{
			Kind: helsenorge.Pack, Goods: helsenorge.Code{V: "L"}, Quantity: "2", Repeats: 3, Use: helsenorge.Code{V: "1", DN: "Fast"}, Indication: "Allergi", Dosage: "1 daglig",
			ATC: helsenorge.Code{V: "R06ZZ99", S: codes.ATC.OID()}, Group: helsenorge.Code{V: "C"}, Name: "Allergex tab 10 mg", ID: "ID_1", ItemNumber: "990017",
			TradeName: "Allergex", PackSize: "100", PackUnit: helsenorge.Code{V: "stk", S: codes.PackUnits.OID()},
			PrescribedOn: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		},
		{Kind: helsenorge.Substance, Reserved: true, Goods: helsenorge.Code{V: "L"}, Group: helsenorge.Code{V: "C"}, Name: "Fantasigestrel", ID: "ID_2"},
	}
	a := arrival(t, m)
	require.Equal(t, pg.Taken, a.Verdict)
	require.Equal(t, "RFER", a.Function)
	require.Equal(t, "HE", a.Content.DeliveryMode)
	require.Equal(t, m.Head.GenDate, a.WrittenAt)
	require.Equal(t, []pg.Medicine{
		{
			Kind: pg.MedicinePack, Name: "Allergex tab 10 mg", ATC: "R06ZZ99", Group: "C", Goods: "L", ItemNumber: "990017", ItemID: "ID_1", TradeName: "Allergex",
			PackSize: "100", PackUnit: "stk", Quantity: "2", Repeats: "3", Use: "1", Dosage: "1 daglig", Indication: "Allergi", PrescribedOn: "2026-03-01",
		},
		{Kind: pg.MedicineSubstance, Name: "Fantasigestrel", Group: "C", Goods: "L", ItemID: "ID_2", Repeats: "0", Reserved: true},
	}, a.Items)
	for _, item := range a.Items {
		require.Empty(t, item.Fields(""), "it can be renewed as it was asked for")
	}

	words := request(codes.Reseptfornyelse, codes.RenewalText)
	words.Dialog.Request.Coded, words.Dialog.Request.Text.Plain = m.Dialog.Request.Coded, "Blå tabletter"
	a = arrival(t, words)
	require.Equal(t, pg.Taken, a.Verdict)
	require.Empty(t, a.Items)
}

func TestWhoCanBeReachedIsToldAndNotAnswered(t *testing.T) {
	t.Parallel()
	status := func(code string) *helsenorge.Message {
		m := request(codes.Digitalbruker, codes.ActivityStatus)
		m.Dialog.Request.Coded = &helsenorge.Code{V: code}
		return m
	}
	about := func(v string, people ...helsenorge.Person) *helsenorge.Message {
		m := request(codes.Digitalbruker, codes.ActivityStatus)
		m.Head.RefToParent, m.Head.Patient, m.People = uuid.NewString(), nil, people
		m.Head.RefToConversation = m.Head.RefToParent
		m.Dialog = &helsenorge.Dialog{Note: &helsenorge.Note{Topic: helsenorge.Code{V: v, S: codes.Answers.OID()}}}
		return m
	}
	active := []pg.ReportedActivity{{NationalID: national, Active: true}}
	for name, c := range map[string]struct {
		message *helsenorge.Message
		tells   []pg.ReportedActivity
	}{
		"active":   {status(codes.BecameActive), active},
		"inactive": {status(codes.BecameInactive), []pg.ReportedActivity{{NationalID: national}}},
		"a list":   {about(codes.ActivePeople, helsenorge.Person{GivenName: "Ingrid", FamilyName: patient, NationalID: national, IDType: codes.Fodselsnummer}), active},
		"nobody":   {about(codes.NobodyActive), nil},
	} {
		a := arrival(t, c.message)
		require.Equal(t, pg.Told, a.Verdict, name)
		require.Empty(t, a.Process, name)
		require.True(t, a.WantsReceipt, name)
		require.Equal(t, c.tells, a.Activity, name)
	}

	// What asks the clinic for such a list is refused: it is Helsenorge who knows.
	asked := about(codes.ActivePeople, helsenorge.Person{GivenName: "Ingrid", FamilyName: patient, NationalID: national, IDType: codes.Fodselsnummer})
	asked.Dialog = &helsenorge.Dialog{Request: &helsenorge.Request{Type: helsenorge.Code{V: codes.ActivityQuestion}}}
	asked.Head.RefToParent, asked.Head.RefToConversation = "", ""
	a := arrival(t, asked)
	require.Equal(t, pg.Refused, a.Verdict)
}

func TestAStatusIsReceiptedOnly(t *testing.T) {
	t.Parallel()
	temporal := &fakeTemporal{}
	l := New(nil, temporal, nil, nil, nil, nil, nil)
	require.NoError(t, l.tell(t.Context(), pg.Arrived{ID: "m", Verdict: pg.Told, Receipt: true}))
	require.Empty(t, temporal.started)
	require.Empty(t, temporal.signalled)
	require.Equal(t, []any{"SendReceipt"}, temporal.activities)
}
