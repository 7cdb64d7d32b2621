package simulator

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/xsdtest"
)

// start is when the appointments of the tests begin.
var start = time.Date(2026, 12, 1, 8, 20, 0, 0, time.UTC)

// slotAt is a slot of the clinic, or an appointment.
func slotAt(at time.Time) helsenorge.Event {
	return helsenorge.Event{UID: uuid.NewString(), StartsAt: at, EndsAt: at.Add(20 * time.Minute), Contact: clinicHerID, Location: "Storgata 1"}
}

// withStatus is the event with what the code says of it.
func withStatus(e helsenorge.Event, code string) helsenorge.Event {
	e.Status = helsenorge.StatusConfirmed
	if code == codes.CancellationConfirmed {
		e.Status = helsenorge.StatusCancelled
	}
	return e
}

// answers has the clinic answer a message, about an appointment or none.
func (w *world) answers(t *testing.T, m *helsenorge.Message, code, text string, events ...helsenorge.Event) {
	t.Helper()
	for i, e := range events {
		events[i] = withStatus(e, code)
	}
	xml, err := helsenorge.WriteMessage(&helsenorge.Message{
		Head:   helsenorge.ReplyHead(m.Head, uuid.NewString(), time.Now(), ""),
		Dialog: &helsenorge.Dialog{Note: &helsenorge.Note{Topic: helsenorge.Code{V: code, S: codes.Answers.OID()}, Text: helsenorge.Text{Plain: text}}},
		Events: events,
	})
	require.NoError(t, err)
	w.send(t, "helsenorge_async", m.Head.Process, xml, 1)
	w.settled(t)
}

// tells has the clinic tell a citizen of an appointment unasked.
func (w *world) tells(t *testing.T, citizen int, code string, e helsenorge.Event) {
	t.Helper()
	xml := w.pushed(t, citizen, code, e)
	w.send(t, "helsenorge_async", codes.Avtaleutsending, xml, 1)
	w.settled(t)
}

func (w *world) pushed(t *testing.T, citizen int, code string, e helsenorge.Event) []byte {
	t.Helper()
	who := Citizen(citizen)
	m := &helsenorge.Message{
		Head: helsenorge.Head{
			Process: codes.Avtaleutsending, MsgID: uuid.NewString(), GenDate: time.Now(), WantsReceipt: true,
			Patient: &helsenorge.Patient{GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, IDType: codes.Fodselsnummer},
		},
		Dialog: &helsenorge.Dialog{Request: &helsenorge.Request{Type: helsenorge.Code{V: code, S: codes.Answers.OID()}}},
		Events: []helsenorge.Event{withStatus(e, code)},
	}
	var err error
	m.Head.Sender, err = registry.Address(t.Context(), w.parties, clinicHerID)
	require.NoError(t, err)
	m.Head.Receiver, err = registry.Address(t.Context(), w.parties, HerID)
	require.NoError(t, err)
	xml, err := helsenorge.WriteMessage(m)
	require.NoError(t, err)
	return xml
}

// settled waits until Helsenorge has taken what was sent to it.
func (w *world) settled(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		states, err := w.queues.Queues(t.Context())
		if err != nil {
			return false
		}
		for _, s := range states {
			if s.Name == "helsenorge_async" && s.Ready+s.Unsettled > 0 {
				return false
			}
		}
		return true
	}, waitFor, tick)
}

// sees is what a citizen sees, in short: status, start and notices of each.
func (w *world) sees(t *testing.T, citizen int) (all []string) {
	t.Helper()
	seen, err := w.client.Appointments(t.Context(), citizen)
	require.NoError(t, err)
	for _, a := range seen {
		line := a.Status + " " + a.StartsAt.Format("02 15:04")
		for _, n := range a.Notices {
			line += ", " + n.Tells + " " + n.StartsAt.Format("02 15:04")
		}
		all = append(all, line)
	}
	return all
}

// TestWhatACitizenSees follows an appointment that he books, that the clinic moves,
// and that he cancels.
func TestWhatACitizenSees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slot := slotAt(start)
	sent, err := w.client.Act(t.Context(), Action{Kind: Reserve, Citizen: 5, By: 6, Slot: ptr(slotOf(slot)), Text: "Vondt i kneet", HPR: "9144889", AcceptsOther: true})
	require.NoError(t, err)
	require.Equal(t, clinicHerID, sent.To, "it goes where the calendar is")
	require.Equal(t, []string{"requested 01 08:20"}, w.sees(t, 5))
	_, booking := w.next(t)
	require.Equal(t, []string{codes.Timereservasjon, codes.BookingRequest, "Vondt i kneet", codes.OtherAccepted},
		[]string{booking.Head.Process, booking.Dialog.Function(), booking.Dialog.Request.Text.Plain, booking.Dialog.Request.Coded.V})
	require.Equal(t, []helsenorge.Event{slot}, booking.Events)
	require.Equal(t, codes.WishedPractitioner, booking.Dialog.Request.Roles[0].RoleToPatient.V)
	require.Equal(t, Citizen(6).NationalID, booking.Relation.Person.NationalID)
	xsdtest.RequireValid(t, sent.XML)

	made := slot
	made.UID, made.RelatedTo = uuid.NewString(), slot.UID
	w.answers(t, booking, codes.BookingConfirmed, "Velkommen", made)
	require.Equal(t, []string{"booked 01 08:20, confirmation 01 08:20"}, w.sees(t, 5))
	w.next(t) // the receipt

	// Told again, it is the same: the citizen hears of it once.
	w.tells(t, 5, codes.BookingConfirmed, made)
	moved := made
	moved.StartsAt, moved.EndsAt = made.StartsAt.Add(time.Hour), made.EndsAt.Add(time.Hour)
	w.tells(t, 5, codes.ChangeConfirmed, moved)
	require.Equal(t, []string{"booked 01 09:20, confirmation 01 08:20, change 01 09:20"}, w.sees(t, 5))
	w.next(t)
	w.next(t)

	for _, c := range []struct {
		id    string
		alone bool
		want  string
	}{{moved.UID, false, codes.Timereservasjon}, {slot.UID, true, codes.Avtaleavbestilling}} {
		sent, err = w.client.Act(t.Context(), Action{Kind: Cancel, Citizen: 5, Appointment: c.id, Alone: c.alone})
		require.NoError(t, err)
		_, cancelling := w.next(t)
		require.Equal(t, []string{c.want, codes.CancellationRequest}, []string{cancelling.Head.Process, cancelling.Dialog.Function()})
		require.Equal(t, moved.UID, cancelling.Events[0].UID)
		require.Equal(t, slot.UID, cancelling.Events[0].RelatedTo)
		require.True(t, moved.StartsAt.Equal(cancelling.Events[0].StartsAt))
		xsdtest.RequireValid(t, sent.XML)
		if c.alone {
			w.answers(t, cancelling, codes.CancellationConfirmed, "", moved)
		} else {
			w.answers(t, cancelling, codes.CancellationRefused, "For sent.")
		}
		w.next(t)
	}
	require.Equal(t, []string{"cancelled 01 09:20, confirmation 01 08:20, change 01 09:20, cancellation 01 09:20"}, w.sees(t, 5))
	require.Empty(t, w.sees(t, 6))

	// A restart keeps it.
	before, err := w.client.Appointments(t.Context(), 5)
	require.NoError(t, err)
	w.stop(t)
	w.start(t)
	after, err := w.client.Appointments(t.Context(), 5)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func ptr[T any](v T) *T { return &v }

func TestARefusedReservationIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slot := slotAt(start)
	for range 2 { // he may try again
		_, err := w.client.Act(t.Context(), Action{Kind: Reserve, Citizen: 1, Slot: ptr(slotOf(slot))})
		require.NoError(t, err)
		require.Equal(t, []string{"requested 01 08:20"}, w.sees(t, 1))
		_, m := w.next(t)
		w.answers(t, m, codes.SlotNotAvailable, "Timen er tatt.")
		w.next(t)
		require.Equal(t, []string{"refused 01 08:20"}, w.sees(t, 1))
	}
	seen, err := w.client.Appointments(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "Timen er tatt.", seen[0].Text)
}

// TestOneWhoHasTheTimeKeepsIt whatever a second reservation of his is answered.
func TestOneWhoHasTheTimeKeepsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slot := slotAt(start)
	var messages []*helsenorge.Message
	for range 2 {
		_, err := w.client.Act(t.Context(), Action{Kind: Reserve, Citizen: 1, Slot: ptr(slotOf(slot))})
		require.NoError(t, err)
		_, m := w.next(t)
		messages = append(messages, m)
	}
	w.answers(t, messages[0], codes.BookingConfirmed, "", slot)
	w.answers(t, messages[1], codes.SlotNotAvailable, "")
	require.Equal(t, []string{"booked 01 08:20, confirmation 01 08:20"}, w.sees(t, 1))
}

func TestNotWhatTheClinicTellsOfButWhatHelsenorgeTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := slotAt(start)
	w.tells(t, 2, codes.BookingConfirmed, made)
	_, receipt := w.next(t)
	require.True(t, receipt.Receipt.OK)

	// Whoever is inactive gets nothing, and the clinic is told so.
	require.NoError(t, w.client.SetActivity(t.Context(), Activity{Citizen: 2}))
	moved := made
	moved.StartsAt = made.StartsAt.Add(-time.Hour)
	w.tells(t, 2, codes.ChangeConfirmed, moved)
	_, receipt = w.next(t)
	require.False(t, receipt.Receipt.OK)
	require.Equal(t, codes.PatientUnknown, receipt.Receipt.Errors[0].V)
	require.Equal(t, []string{"booked 01 08:20, confirmation 01 08:20"}, w.sees(t, 2))
	b := w.book(t, func(b Book) bool { return len(b.Received) == 2 })
	require.Equal(t, []string{"", codes.PatientUnknown}, []string{b.Received[0].Refused, b.Received[1].Refused})

	// Through others is enough.
	require.NoError(t, w.client.SetActivity(t.Context(), Activity{Citizen: 2, ViaOthers: true}))
	w.tells(t, 2, codes.PatientDidNotCome, made)
	require.Equal(t, []string{"missed 01 08:20, confirmation 01 08:20"}, w.sees(t, 2))
	// A cancellation of what was never told is all that he hears of it.
	w.tells(t, 2, codes.CancellationConfirmed, slotAt(start.Add(24*time.Hour)))
	require.Equal(t, []string{"missed 01 08:20, confirmation 01 08:20", "cancelled 02 08:20, cancellation 02 08:20"}, w.sees(t, 2))
}

func TestWishes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := slotAt(start)
	w.tells(t, 3, codes.BookingConfirmed, made)
	w.next(t)
	for kind, function := range map[Kind]string{Wish: codes.AppointmentWish, WishCancel: codes.CancellationWish, WishChange: codes.ChangeWish} {
		sent, err := w.client.Act(t.Context(), Action{Kind: kind, To: clinicHerID, Citizen: 3, Appointment: made.UID})
		require.NoError(t, err, kind)
		_, m := w.next(t)
		require.Equal(t, []string{codes.Timeonske, function}, []string{m.Head.Process, m.Dialog.Function()})
		require.NotEmpty(t, m.Dialog.Request.Text.Plain)
		xsdtest.RequireValid(t, sent.XML)
		if kind == Wish {
			require.Empty(t, m.Events)
			w.answers(t, m, codes.BookingConfirmed, "", slotAt(start.Add(time.Hour)))
			w.next(t)
			continue
		}
		require.Equal(t, []string{made.UID, made.UID}, []string{m.Events[0].UID, m.Events[0].RelatedTo}, "what has one identity is meant by it twice")
	}
	require.Equal(t, []string{"booked 01 08:20, confirmation 01 08:20", "booked 01 09:20, confirmation 01 09:20"}, w.sees(t, 3))
}

// clinicAnswers has the clinic answer one question on its synchronous queue.
func (w *world) clinicAnswers(t *testing.T, answer func(*transport.Message, *helsenorge.Message) transport.Message) <-chan error {
	t.Helper()
	questions, err := w.queues.Receiver(t.Context(), "solvik_sync", 1)
	require.NoError(t, err)
	done := make(chan error, 1)
	ctx := t.Context()
	go func() {
		done <- func() error {
			d, err := questions.Receive(ctx)
			if err != nil {
				return err
			}
			m, problems := helsenorge.Read(d.Message().Body)
			if m == nil || len(problems) > 0 {
				return fmt.Errorf("the question is wrong: %v", problems)
			}
			if err := w.queues.Send(ctx, answer(d.Message(), m)); err != nil {
				return err
			}
			// Closed, so that the next question finds who asks for it.
			return errors.Join(d.Accept(ctx), questions.Close(ctx))
		}()
	}()
	return done
}

// reply is the envelope of an answer.
func reply(to *transport.Message, xml []byte) transport.Message {
	return transport.Message{
		ID: uuid.NewString(), Subject: to.Subject, To: to.ReplyTo, CorrelationID: to.CorrelationID, ContentType: transport.ContentTypePlain,
		FromHerID: to.ToHerID, ToHerID: to.FromHerID, SentAt: time.Now(), TTL: patience, Body: xml,
	}
}

func TestQuestionsAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	free, phone := slotAt(start), slotAt(start.Add(time.Hour))
	free.Status, phone.Status = helsenorge.StatusTentative, helsenorge.StatusTentative
	phone.Categories = []string{helsenorge.CategoryMustCall}
	later := slotAt(start.Add(2 * time.Hour))
	later.AvailableAt = start
	vera, ok := helsenorge.Named("Vera Vikar", "9144889")
	require.True(t, ok)
	for _, c := range []struct {
		question Question
		function string
		code     string
		answer   helsenorge.Message
		want     Answer
	}{
		{
			Question{Kind: FreeSlots, From: "2026-11-30", Until: "2026-12-28", HPR: "9144889", By: 4}, codes.SlotsRequest, codes.SlotsFound,
			helsenorge.Message{Events: []helsenorge.Event{free, phone, later}}, Answer{Slots: []Slot{slotOf(free), slotOf(phone), slotOf(later)}},
		},
		{Question{Kind: FreeSlots}, codes.SlotsRequest, codes.NoSlots, helsenorge.Message{}, Answer{}},
		{Question{Kind: Planned}, codes.PlannedRequest, codes.RequestRefused, helsenorge.Message{}, Answer{Text: "Nei."}},
		{
			Question{Kind: Practitioners}, codes.PractitionersRequest, codes.PractitionersFound,
			helsenorge.Message{Practitioners: []helsenorge.Practitioner{{Professional: vera}}}, Answer{Practitioners: []Practitioner{{Name: "Vera Vikar", HPR: "9144889"}}},
		},
		{Question{Kind: CommunicationTest}, codes.TestRequest, codes.TestAnswer, helsenorge.Message{}, Answer{}},
	} {
		var asked transport.Message
		var m *helsenorge.Message
		done := w.clinicAnswers(t, func(envelope *transport.Message, question *helsenorge.Message) transport.Message {
			asked, m = *envelope, question
			list := codes.Answers
			if c.code == codes.TestAnswer {
				list = codes.TestCodes
			}
			c.answer.Head = helsenorge.ReplyHead(question.Head, uuid.NewString(), time.Now(), "")
			c.answer.Head.WantsReceipt = false
			c.answer.Dialog = &helsenorge.Dialog{Note: &helsenorge.Note{Topic: helsenorge.Code{V: c.code, S: list.OID()}, Text: helsenorge.Text{Plain: c.want.Text}}}
			xml, err := helsenorge.WriteMessage(&c.answer)
			if err != nil {
				panic(err)
			}
			return reply(envelope, xml)
		})
		c.question.To, c.question.Citizen = clinicHerID, 3
		got, err := w.client.Ask(t.Context(), c.question)
		require.NoError(t, err, c.question.Kind)
		require.NoError(t, <-done)
		require.Equal(t, []any{c.function, m.Head.Process, "helsenorge_syncreply", asked.ID, patience, clinicHerID},
			[]any{m.Dialog.Function(), asked.Subject, asked.ReplyTo, asked.CorrelationID, asked.TTL, asked.ToHerID})
		require.False(t, m.Head.WantsReceipt)
		if c.question.By != 0 {
			require.Equal(t, Citizen(4).NationalID, m.Relation.Person.NationalID)
			require.Equal(t, "2026-11-30 2026-12-28", m.Dialog.Request.From.Format(time.DateOnly)+" "+m.Dialog.Request.To.Format(time.DateOnly))
		}
		require.Positive(t, got.Took)
		c.want.MsgID, c.want.Code, c.want.XML, c.want.Took = got.MsgID, c.code, got.XML, got.Took
		require.Equal(t, c.want, got)
		xsdtest.RequireValid(t, asked.Body)
	}
	require.True(t, slotOf(free).Bookable(start))
	require.False(t, slotOf(phone).Bookable(start))
	require.False(t, slotOf(later).Bookable(start.Add(-time.Minute)))
}

func TestAQuestionWithoutAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// Reported on the error queue: whoever waits is told at once.
	done := w.clinicAnswers(t, func(envelope *transport.Message, _ *helsenorge.Message) transport.Message {
		return transport.ErrorReport{Condition: transport.ConditionUnsupportedMessage}.About(envelope, "helsenorge_error", uuid.NewString(), time.Now())
	})
	_, err := w.client.Ask(t.Context(), Question{Kind: FreeSlots, To: clinicHerID})
	require.Equal(t, apperr.Unsupported, apperr.KindOf(err))
	require.ErrorContains(t, err, string(transport.ConditionUnsupportedMessage))
	require.NoError(t, <-done)

	// An answer of somebody else than was asked is none: the question runs out.
	done = w.clinicAnswers(t, func(envelope *transport.Message, _ *helsenorge.Message) transport.Message {
		forged := reply(envelope, []byte("<a/>"))
		forged.FromHerID = OtherHerID
		return forged
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := w.simulator.helsenorge.Ask(ctx, Question{Kind: FreeSlots, To: clinicHerID})
		ended <- err
	}()
	require.NoError(t, <-done)
	require.Eventually(t, func() bool {
		states, err := w.queues.Queues(t.Context())
		require.NoError(t, err)
		for _, s := range states {
			if s.Name == "helsenorge_syncreply" {
				return s.Ready+s.Unsettled == 0
			}
		}
		return false
	}, waitFor, tick)
	cancel()
	require.Equal(t, apperr.Unavailable, apperr.KindOf(<-ended))

	for name, c := range map[string]struct {
		q    Question
		kind apperr.Kind
	}{
		"unknown kind":      {Question{Kind: "weather", To: clinicHerID}, apperr.Invalid},
		"unknown party":     {Question{Kind: FreeSlots, To: 1}, apperr.NotFound},
		"no queue":          {Question{Kind: FreeSlots, To: OtherHerID}, apperr.NotFound},
		"no date":           {Question{Kind: FreeSlots, To: clinicHerID, From: "today"}, apperr.Invalid},
		"no other date":     {Question{Kind: FreeSlots, To: clinicHerID, Until: "28/12"}, apperr.Invalid},
		"more than 4 weeks": {Question{Kind: FreeSlots, To: clinicHerID, From: "2026-11-01", Until: "2026-12-01"}, apperr.Invalid},
	} {
		_, err := w.client.Ask(t.Context(), c.q)
		require.Equal(t, c.kind, apperr.KindOf(err), name)
	}
}

func TestRefusalsAboutAppointments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		a    Action
		kind apperr.Kind
	}{
		"nothing to reserve":   {Action{Kind: Reserve, To: clinicHerID}, apperr.Invalid},
		"unknown appointment":  {Action{Kind: Cancel, To: clinicHerID, Appointment: "x"}, apperr.NotFound},
		"booked by phone only": {Action{Kind: Reserve, Slot: &Slot{UID: "x", StartsAt: start, EndsAt: start.Add(time.Hour), Contact: clinicHerID, Categories: []string{helsenorge.CategoryMustCall}}}, apperr.Invalid},
	} {
		_, err := w.client.Act(t.Context(), c.a)
		require.Equal(t, c.kind, apperr.KindOf(err), name)
	}
	// What he does not see he can still mean: a test of the clinic.
	_, err := w.client.Act(t.Context(), Action{Kind: Cancel, Slot: ptr(slotOf(slotAt(start)))})
	require.NoError(t, err)
}

func TestReceiptsLateAndTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.client.SetFaults(t.Context(), Faults{ReceiptDelay: time.Millisecond, ReceiptTimes: 2}))
	w.tells(t, 1, codes.BookingConfirmed, slotAt(start))
	first, a := w.next(t)
	second, b := w.next(t)
	require.True(t, a.Receipt.OK)
	require.Equal(t, a, b)
	require.Equal(t, first.ID, second.ID)

	// One that is held back for long is lost when the simulator stops, and does not
	// keep it from stopping.
	require.NoError(t, w.client.SetFaults(t.Context(), Faults{ReceiptDelay: time.Hour}))
	w.tells(t, 1, codes.BookingConfirmed, slotAt(start.Add(time.Hour)))
	require.Len(t, w.sees(t, 1), 2)
}
