package helsenorge

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/xsdtest"
)

// The parties of the tests.
const (
	theirs, ours = 800001, 900001
)

// parties is a registry.
type parties map[int]registry.Party

func (p parties) Party(_ context.Context, herID int) (registry.Party, error) {
	found, ok := p[herID]
	if !ok {
		return registry.Party{}, apperr.New(apperr.NotFound, "HER-id %d is not in the address registry", herID)
	}
	return found, nil
}

func known() parties {
	p := parties{}
	for _, party := range []registry.Party{
		{HerID: 800000, Name: "Helsenorge"}, {HerID: theirs, Name: "Innbyggertjenester", ParentHerID: 800000, AsyncQueue: "hn_async", ErrorQueue: "hn_error"},
		{HerID: 900000, Name: "Legesenteret"}, {HerID: ours, Name: "Frida Fastlege", ParentHerID: 900000, AsyncQueue: "gp_async", ErrorQueue: "gp_error"},
	} {
		p[party.HerID] = party
	}
	return p
}

var (
	now       = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	ingrid    = pg.Patient{GivenName: "Ingrid", FamilyName: "Prøvesen", NationalID: nationalid.Synthetic(now.AddDate(-40, 0, 0), 1), IDType: codes.Fodselsnummer}
	frida     = pg.Author{Name: "Frida Fastlege", Role: string(identity.RolePractitioner), HPR: "9144889"}
	secretary = pg.Author{Name: "Solveig Sekretær", Role: string(identity.RoleStaff)}
)

// stood is an appointment as a message tells of it.
func stood() *pg.AppointmentJob {
	return &pg.AppointmentJob{
		UID: uuid.NewString(), RelatedTo: uuid.NewString(), Contact: ours, StartsAt: now.AddDate(0, 0, 7), EndsAt: now.AddDate(0, 0, 7).Add(20 * time.Minute),
		Place: "Storgata 1", Summary: "Time hos lege", Category: helsenorge.CategoryVideo, Practitioner: frida, Patient: ingrid,
	}
}

// event is what the citizen is to see of it.
func event(j *pg.AppointmentJob, status string) helsenorge.Event {
	return helsenorge.Event{
		UID: j.UID, RelatedTo: j.RelatedTo, Contact: j.Contact, StartsAt: j.StartsAt, EndsAt: j.EndsAt,
		Location: j.Place, Summary: j.Summary, Categories: []string{j.Category}, Status: status,
	}
}

// asked is a citizen's message, as it was stored.
func asked(t *testing.T, process, function string) []byte {
	t.Helper()
	list := codes.Requests
	if process == codes.Test {
		list = codes.TestCodes
	}
	m := &helsenorge.Message{
		Head: helsenorge.Head{
			Process: process, MsgID: uuid.NewString(), GenDate: now,
			Patient: &helsenorge.Patient{GivenName: ingrid.GivenName, FamilyName: ingrid.FamilyName, NationalID: ingrid.NationalID, IDType: ingrid.IDType},
		},
		Dialog: &helsenorge.Dialog{Request: &helsenorge.Request{Type: helsenorge.Code{V: function, S: list.OID()}}},
	}
	m.Head.WantsReceipt = !m.Synchronous()
	if m.Head.WantsReceipt {
		m.Dialog.Request.Coded = &helsenorge.Code{V: codes.OtherAccepted}
	}
	if slices.Contains([]string{codes.BookingRequest, codes.CancellationRequest, codes.CancellationWish, codes.ChangeWish}, function) {
		j := stood()
		m.Events = []helsenorge.Event{event(j, "")}
	}
	if function == codes.SlotsRequest {
		m.Dialog.Request.From, m.Dialog.Request.To = now.Truncate(24*time.Hour), now.Truncate(24*time.Hour)
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

// built reads what was built, and holds it against the official schemas.
func built(t *testing.T, xml []byte, err error) *helsenorge.Message {
	t.Helper()
	require.NoError(t, err)
	m, problems := helsenorge.Read(xml)
	require.NotNil(t, m)
	require.Empty(t, problems)
	require.Equal(t, []any{ours, theirs}, []any{m.Head.Sender.HerID(), m.Head.Receiver.HerID()})
	return m
}

func TestAnswersAboutAppointments(t *testing.T) {
	t.Parallel()
	a := New(nil, nil, nil, known(), Config{ReceiptDue: time.Hour})
	cancelled := stood()
	cancelled.Cancelled = true
	var all [][]byte
	for _, c := range []struct {
		process, function, code string
		appointment             *pg.AppointmentJob
		status                  string
		author                  pg.Author
	}{
		{codes.Timereservasjon, codes.BookingRequest, contract.AppointmentConfirmed, stood(), helsenorge.StatusConfirmed, pg.Author{}},
		{codes.Timereservasjon, codes.BookingRequest, contract.AppointmentNotAvailable, nil, "", pg.Author{}},
		{codes.Timereservasjon, codes.BookingRequest, contract.AnswerRefused, nil, "", pg.Author{}},
		{codes.Timereservasjon, codes.BookingRequest, contract.AnswerNoAccess, nil, "", pg.Author{}},
		{codes.Timereservasjon, codes.CancellationRequest, contract.AppointmentCancelled, cancelled, helsenorge.StatusCancelled, pg.Author{}},
		{codes.Timereservasjon, codes.CancellationRequest, contract.AppointmentNotCancelled, stood(), helsenorge.StatusConfirmed, pg.Author{}},
		{codes.Timereservasjon, codes.CancellationRequest, contract.AppointmentNotCancelled, nil, "", pg.Author{}},
		{codes.Avtaleavbestilling, codes.CancellationRequest, contract.AppointmentCancelled, cancelled, helsenorge.StatusCancelled, pg.Author{}},
		{codes.Avtaleavbestilling, codes.CancellationRequest, contract.AppointmentNotCancelled, nil, "", pg.Author{}},
		{codes.Timeonske, codes.AppointmentWish, contract.AppointmentConfirmed, stood(), helsenorge.StatusConfirmed, secretary},
		{codes.Timeonske, codes.AppointmentWish, contract.AppointmentWithOther, stood(), helsenorge.StatusConfirmed, secretary},
		{codes.Timeonske, codes.AppointmentWish, contract.AppointmentNotAvailable, nil, "", frida},
		{codes.Timeonske, codes.CancellationWish, contract.AppointmentCancelled, cancelled, helsenorge.StatusCancelled, frida},
		{codes.Timeonske, codes.CancellationWish, contract.AppointmentNotCancelled, nil, "", secretary},
		{codes.Timeonske, codes.ChangeWish, contract.AppointmentChanged, stood(), helsenorge.StatusConfirmed, frida},
		{codes.Timeonske, codes.AppointmentWish, contract.AnswerRefused, nil, "", frida},
	} {
		job := pg.Job{
			Kind: pg.KindAnswer, Original: asked(t, c.process, c.function), Code: c.code, Text: "Velkommen.", Author: c.author,
			Appointment: c.appointment, MsgID: uuid.NewString(), Now: now,
		}
		xml, err := a.build(t.Context(), job)
		m := built(t, xml, err)
		original, _ := helsenorge.Read(job.Original)
		name := c.process + " " + c.code
		require.Equal(t, []string{c.process, c.code, job.MsgID, original.Head.MsgID, "Velkommen."},
			[]string{m.Head.Process, m.Dialog.Function(), m.Head.MsgID, m.Head.RefToParent, m.Dialog.Note.Text.Plain}, name)
		require.True(t, m.Head.WantsReceipt, name)
		if c.appointment == nil {
			require.Nil(t, m.Events, name)
			require.Empty(t, m.Dialog.Note.Roles, "%s: whoever wrote, it is with nobody", name)
		} else {
			require.Equal(t, []helsenorge.Event{event(c.appointment, c.status)}, m.Events, name)
			require.Equal(t, "9144889", m.Dialog.Note.Roles[0].Professional.Idents[0].ID, name)
		}
		require.Len(t, m.Practitioners, map[string]int{contract.AppointmentWithOther: 1}[c.code], name)
		all = append(all, xml)
	}
	xsdtest.RequireValid(t, all...)
}

func TestAppointmentsAreToldUnasked(t *testing.T) {
	t.Parallel()
	a := New(nil, nil, nil, known(), Config{ReceiptDue: time.Hour})
	var all [][]byte
	for _, process := range []string{codes.Timereservasjon, codes.Avtaleutsending} {
		for code, status := range map[string]string{
			contract.AppointmentConfirmed: helsenorge.StatusConfirmed, contract.AppointmentChanged: helsenorge.StatusConfirmed,
			contract.AppointmentCancelled: helsenorge.StatusCancelled, contract.AppointmentPatientMissing: "",
		} {
			j := stood()
			j.Cancelled = code == contract.AppointmentCancelled
			xml, err := a.build(t.Context(), pg.Job{
				Kind: pg.KindAppointment, Code: code, Text: "never said", Appointment: j, FromHerID: ours, ToHerID: theirs, ProcessCode: process,
				MsgID: uuid.NewString(), Now: now,
			})
			m := built(t, xml, err)
			require.Equal(t, process, m.Head.Process)
			require.NotNil(t, m.Dialog.Request)
			r := m.Dialog.Request
			require.Equal(t, []string{code, codes.Answers.OID(), "", "", "", ""},
				[]string{r.Type.V, r.Type.S, r.Subject, r.Text.Plain, m.Head.RefToParent, m.Head.RefToConversation})
			require.Equal(t, []helsenorge.Event{event(j, status)}, m.Events)
			require.Equal(t, "9144889", r.Roles[0].Professional.Idents[0].ID)
			require.Equal(t, ingrid.NationalID, m.Head.Patient.NationalID)
			require.Equal(t, []string{"900000", "800000"}, []string{m.Head.Sender.Organisation.Idents[0].ID, m.Head.Receiver.Organisation.Idents[0].ID})
			require.True(t, m.Head.WantsReceipt)
			require.Empty(t, m.Practitioners)
			all = append(all, xml)
		}
	}
	xsdtest.RequireValid(t, all...)

	_, err := a.build(t.Context(), pg.Job{
		Kind: pg.KindAppointment, Code: contract.AppointmentConfirmed, Appointment: stood(), FromHerID: ours, ToHerID: 1, ProcessCode: codes.Timereservasjon,
		MsgID: uuid.NewString(), Now: now,
	})
	require.Equal(t, apperr.NotFound, apperr.KindOf(err), "Helsenorge must be in the registry")
}

// TestWhatNoLifecycleTakesIsAnswered, also what belongs on a synchronous queue.
func TestWhatNoLifecycleTakesIsAnswered(t *testing.T) {
	t.Parallel()
	a := New(nil, nil, nil, known(), Config{ReceiptDue: time.Hour})
	var all [][]byte
	for _, c := range [][3]string{
		{codes.Timeonske, codes.ChangeWish, contract.AnswerRefused},
		{codes.Timereservasjon, codes.PlannedRequest, contract.AnswerRefused},
		{codes.Timereservasjon, codes.SlotsRequest, contract.AnswerNoAccess},
		{codes.Behandleroversikt, codes.PractitionersRequest, contract.AnswerRefused},
		{codes.Test, codes.TestRequest, codes.TestAnswer},
	} {
		xml, err := a.refusal(t.Context(), pg.Job{Kind: pg.KindRefusal, Original: asked(t, c[0], c[1]), Code: c[2], MsgID: uuid.NewString(), Now: now})
		m := built(t, xml, err)
		require.Equal(t, c[2], m.Dialog.Function(), c)
		require.Equal(t, c[2] == codes.TestAnswer, m.Dialog.Note.Text.Plain == "", c)
		all = append(all, xml)
	}
	xsdtest.RequireValid(t, all...)
}

// sent is a store that has one message ready, and a way to the queues.
type sent struct {
	Store
	p      pg.Prepared
	marked []string
	queue  []transport.Message
}

func (s *sent) PrepareAnswer(ctx context.Context, _, id string, _ int, build pg.Build) (pg.Prepared, error) {
	if s.p.Wire == nil {
		wire, err := build(ctx, s.p.Job)
		if err != nil {
			return pg.Prepared{}, err
		}
		s.p.ID, s.p.Wire = id, wire
	}
	return s.p, nil
}

func (s *sent) MarkSent(_ context.Context, id string, due time.Duration) (time.Time, time.Time, error) {
	s.marked = append(s.marked, id)
	return now, now.Add(due), nil
}

func (s *sent) Send(_ context.Context, m transport.Message) error {
	s.queue = append(s.queue, m)
	return nil
}

func TestAnAppointmentIsSentToHelsenorge(t *testing.T) {
	t.Parallel()
	s := &sent{p: pg.Prepared{
		FromHerID: ours, ToHerID: theirs, Subject: codes.Avtaleutsending, TransportID: "transport", MsgID: "message",
		Job: pg.Job{
			Kind: pg.KindAppointment, Code: contract.AppointmentConfirmed, Appointment: stood(), FromHerID: ours, ToHerID: theirs,
			ProcessCode: codes.Avtaleutsending, MsgID: uuid.NewString(), Now: now,
		},
	}}
	out, err := New(s, s, transport.Plain{}, known(), Config{ReceiptDue: time.Hour}).SendMessage(t.Context(), contract.SendMessageInput{ClinicID: "clinic", OutboundID: "out"})
	require.NoError(t, err)
	require.Equal(t, contract.SendMessageOutput{SentAt: now, ReceiptDue: now.Add(time.Hour)}, out)
	require.Equal(t, []string{"out"}, s.marked)
	require.Len(t, s.queue, 1)
	m := s.queue[0]
	require.Equal(t, []any{"transport", codes.Avtaleutsending, "hn_async", "gp_async", ours, theirs},
		[]any{m.ID, m.Subject, m.To, m.ReplyTo, m.FromHerID, m.ToHerID})
	require.Equal(t, s.p.Wire, m.Body)
}
