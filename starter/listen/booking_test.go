package listen

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/xsdtest"
)

// booked is a citizen's message about the appointment with those two identities.
func booked(process, function, uid, relatedTo string) *helsenorge.Message {
	m := request(process, function)
	start := time.Date(2026, 12, 1, 8, 20, 0, 0, time.UTC)
	m.Dialog.Request.Coded = &helsenorge.Code{V: codes.OtherAccepted}
	m.Dialog.Request.Text = helsenorge.Text{Plain: "Vondt i kneet"}
	m.Events = []helsenorge.Event{{UID: uid, RelatedTo: relatedTo, StartsAt: start, EndsAt: start.Add(20 * time.Minute), Contact: gp}}
	return m
}

func TestWhatCitizensAskAboutAppointments(t *testing.T) {
	t.Parallel()
	slot, appointment := uuid.NewString(), uuid.NewString()
	wish := request(codes.Timeonske, codes.AppointmentWish)
	wish.Dialog.Request.Coded = &helsenorge.Code{V: codes.OtherAccepted}
	start := time.Date(2026, 12, 1, 8, 20, 0, 0, time.UTC)
	known := func(uid, relatedTo string) *pg.Booking {
		return &pg.Booking{UID: uid, RelatedTo: relatedTo, StartsAt: start, EndsAt: start.Add(20 * time.Minute), Contact: gp, AcceptsOther: true}
	}
	for name, c := range map[string]struct {
		m       *helsenorge.Message
		booking *pg.Booking
	}{
		"reserve":      {booked(codes.Timereservasjon, codes.BookingRequest, slot, ""), known(slot, "")},
		"cancel":       {booked(codes.Timereservasjon, codes.CancellationRequest, appointment, slot), known(appointment, slot)},
		"cancel alone": {booked(codes.Avtaleavbestilling, codes.CancellationRequest, appointment, slot), known(appointment, slot)},
		"wish":         {wish, &pg.Booking{AcceptsOther: true}},
		"wish it gone": {booked(codes.Timeonske, codes.CancellationWish, appointment, slot), known(appointment, slot)},
	} {
		w := newWorld(t)
		m := enveloped(t, c.m)
		a, err := w.read(t.Context(), envelope(m, false), m)
		require.NoError(t, err, name)
		require.Equal(t, pg.Taken, a.Verdict, name)
		require.Equal(t, contract.ProcessAppointment, a.Process, name)
		require.Equal(t, c.m.Dialog.Function(), a.Function, name)
		require.Equal(t, c.m.Head.Process, a.ProcessCode, name)
		require.Equal(t, c.booking, a.Booking, name)
		require.Equal(t, c.m.Dialog.Request.Text.Plain, a.Content.Text, name)
		require.Empty(t, a.Content.DeliveryMode, "%s: 1101 is no way of delivery", name)
		require.True(t, a.WantsReceipt, name)
	}
}

func TestWhatTheClinicDoesNotTakeIsRefused(t *testing.T) {
	t.Parallel()
	test := request(codes.Test, codes.TestRequest)
	for name, c := range map[string]struct {
		m    *helsenorge.Message
		code string
	}{
		"a change":           {booked(codes.Timeonske, codes.ChangeWish, uuid.NewString(), uuid.NewString()), contract.AnswerRefused},
		"planned":            {request(codes.Timereservasjon, codes.PlannedRequest), contract.AnswerRefused},
		"slots":              {slots(1), contract.AnswerRefused},
		"practitioners":      {request(codes.Behandleroversikt, codes.PractitionersRequest), contract.AnswerRefused},
		"communication test": {test, codes.TestAnswer},
	} {
		w := newWorld(t)
		m := enveloped(t, c.m)
		a, err := w.read(t.Context(), envelope(m, false), m)
		require.NoError(t, err, name)
		require.Equal(t, pg.Refused, a.Verdict, name)
		require.Equal(t, []string{c.code}, a.Codes, name)
		require.Empty(t, a.Process, name)
	}
}

// TestAnEventThatSaysNothingIsRejected: nothing could be found by it.
func TestAnEventThatSaysNothingIsRejected(t *testing.T) {
	t.Parallel()
	uid, related := "the-slot", "the-appointment"
	reserve := func() *helsenorge.Message { return booked(codes.Timereservasjon, codes.BookingRequest, uid, "") }
	cancel := func() *helsenorge.Message {
		return booked(codes.Timereservasjon, codes.CancellationRequest, uid, related)
	}
	wish := func() *helsenorge.Message { return booked(codes.Timeonske, codes.CancellationWish, uid, related) }
	for name, c := range map[string]struct {
		m        *helsenorge.Message
		old, new string
		rejected bool
	}{
		"reserve without slot":      {reserve(), uid, "", true},
		"reserve without time":      {reserve(), "2026-12-01T09:20:00", "2026-13-41T09:20:00", true},
		"endless uid":               {reserve(), uid, strings.Repeat("x", 256), true},
		"cancel without any":        {cancel(), "", "", true},
		"wish without any":          {wish(), "", "", true},
		"reserve, ends too early":   {reserve(), "2026-12-01T09:40:00", "2012-12-01T09:40:00", false},
		"cancel without uid":        {cancel(), uid, "", false},
		"cancel without related-to": {cancel(), related, "", false},
		"cancel without a contact":  {cancel(), "<text>900001</text>", "<text></text>", false},
	} {
		w := newWorld(t)
		m := enveloped(t, c.m)
		body := string(m.Body)
		if c.old == "" {
			body = strings.NewReplacer(uid, "", related, "").Replace(body)
		} else {
			body = strings.Replace(body, c.old, c.new, 1)
		}
		require.NotEqual(t, string(m.Body), body, name)
		m.Body = []byte(body)
		a, err := w.read(t.Context(), envelope(m, false), m)
		require.NoError(t, err, name)
		if !c.rejected {
			require.Equal(t, pg.Taken, a.Verdict, name)
			continue
		}
		require.Equal(t, pg.Rejected, a.Verdict, name)
		require.Equal(t, []string{codes.SchemaBroken}, a.Codes, name)
	}
}

func TestAnAppointmentIsToldToItsWorkflow(t *testing.T) {
	t.Parallel()
	temporal := &fakeTemporal{}
	l := newWorld(t).Listener
	l.temporal = temporal
	at := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	m := pg.Arrived{
		ID: "message", ClinicID: "clinic", Verdict: pg.Taken, Process: contract.ProcessAppointment, Function: contract.FunctionReserve,
		MsgID: "wire", DialogueID: "thread", NewDialogue: true, ReceivedAt: at,
	}
	signal := contract.MessageReceived{MessageID: "message", MsgID: "wire", Function: contract.FunctionReserve, ReceivedAt: at}
	require.NoError(t, l.tell(t.Context(), m))
	m.NewDialogue = false
	require.NoError(t, l.tell(t.Context(), m))
	started := func(resume bool) []any {
		return []any{
			contract.AppointmentWorkflowID("thread"), contract.SignalMessageReceived, signal, contract.AppointmentWorkflow,
			contract.AppointmentInput{ClinicID: "clinic", AppointmentID: "thread", Resume: resume},
		}
	}
	require.Equal(t, append(started(false), started(true)...), temporal.started)

	require.NoError(t, l.tell(t.Context(), pg.Arrived{
		ID: "receipt", Verdict: pg.Settled, ReceivedAt: at,
		Settled: &pg.SettledDelivery{OutboundID: "out", DialogueID: "thread", Process: contract.ProcessAppointment, Outcome: contract.OutcomeAcknowledged},
	}))
	require.Equal(t, []any{
		contract.AppointmentWorkflowID("thread"), contract.SignalReceiptReceived,
		contract.ReceiptReceived{OutboundID: "out", Outcome: contract.OutcomeAcknowledged, At: at},
	}, temporal.signalled)
}

// TestOfficialSamplesAboutAppointments go the whole way of reading.
func TestOfficialSamplesAboutAppointments(t *testing.T) {
	t.Parallel()
	for part, function := range map[string]string{
		"TIMERESERVASJON__1.2__reserver-time-foresporsel":                       contract.FunctionReserve,
		"AVTALEAVBESTILLING__1.0__avbestill-time-foresporsel":                   contract.FunctionCancel,
		"TIMEONSKE__1.2__onske-om-time-foresporsel":                             contract.FunctionWish,
		"TIMEONSKE__1.2__onske-om-avbestilling-av-time-foresporsel-innbygger-o": contract.FunctionWishCancel,
	} {
		for name, raw := range xsdtest.Samples(t, part) {
			sample, problems := helsenorge.Read(raw)
			require.Empty(t, problems, name)
			m := &transport.Message{
				ID: "id", Subject: sample.Head.Process, ContentType: transport.ContentTypePlain,
				FromHerID: sample.Head.Sender.HerID(), ToHerID: sample.Head.Receiver.HerID(), SentAt: time.Now(), Body: raw,
			}
			a, err := newWorld(t).read(t.Context(), envelope(m, false), m)
			require.NoError(t, err, name)
			require.Equal(t, []any{pg.Taken, contract.ProcessAppointment, function}, []any{a.Verdict, a.Process, a.Function}, name)
			require.NotNil(t, a.Booking, name)
			if function != contract.FunctionWish {
				require.NotEmpty(t, a.Booking.UID, name)
				require.NotZero(t, a.Booking.StartsAt, name)
				require.NotZero(t, a.Booking.Contact, name)
			}
			if strings.Contains(name, "avbestill") {
				require.NotEmpty(t, a.Booking.RelatedTo, name)
			}
		}
	}
}
