package helsenorge

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

func TestWriteRefusesAppointments(t *testing.T) {
	t.Parallel()
	day := func(d int) time.Time { return time.Date(2026, 6, d, 0, 0, 0, 0, time.UTC) }
	ask := func(change func(*Request)) func(*Message) { return func(m *Message) { change(m.Dialog.Request) } }
	first := func(change func(*Event)) func(*Message) { return func(m *Message) { change(&m.Events[0]) } }
	tests := []struct {
		name, fixture string
		change        func(*Message)
		field         string
	}{
		{"receipt of a request for slots", "booking-HLT", func(m *Message) { m.Head.WantsReceipt = true }, "Head.WantsReceipt"},
		{"receipt of slots", "booking-03", func(m *Message) { m.Head.WantsReceipt = true }, "Head.WantsReceipt"},
		{"receipt of no slots", "booking-04", func(m *Message) { m.Head.WantsReceipt = true }, "Head.WantsReceipt"},
		{"receipt of practitioners", "overview-20", func(m *Message) { m.Head.WantsReceipt = true }, "Head.WantsReceipt"},
		{"no receipt of a booking", "booking-RT", func(m *Message) { m.Head.WantsReceipt = false }, "Head.WantsReceipt"},
		{"no receipt of a confirmation", "booking-05", func(m *Message) { m.Head.WantsReceipt = false }, "Head.WantsReceipt"},
		{"no receipt of what is told", "booking-told-05", func(m *Message) { m.Head.WantsReceipt = false }, "Head.WantsReceipt"},
		{"told in a thread", "booking-told-07", func(m *Message) { m.Head.RefToParent, m.Head.RefToConversation = secondID, secondID }, "Head.RefToParent"},
		{"answered outside the thread", "booking-05", func(m *Message) { m.Head.RefToParent = "" }, "Head.RefToParent"},
		{"no patient", "booking-HLT", func(m *Message) { m.Head.Patient = nil }, "Head.Patient"},

		{"07 is told of, 06 is not", "booking-told-07", ask(func(r *Request) { r.Type = code(codes.Answers, "06") }), "Dialog.Request.Type.V"},
		{"11 answers nothing", "booking-05", func(m *Message) { m.Dialog.Note.Topic = code(codes.Answers, "11") }, "Dialog.Note.Topic.V"},
		{"10 answers a wish only", "booking-05", func(m *Message) { m.Dialog.Note.Topic = code(codes.Answers, "10") }, "Dialog.Note.Topic.V"},
		{"31 in a booking", "booking-26", func(m *Message) { m.Dialog.Note.Topic = code(codes.Answers, "31") }, "Dialog.Note.Topic.V"},
		{"MOA without opening booking", "sending-told-05", ask(func(r *Request) { r.Type = code(codes.Requests, "MOA") }), "Dialog.Request.Type.V"},
		{"07 to a cancellation", "cancelling-08", func(m *Message) { m.Dialog.Note.Topic = code(codes.Answers, "07") }, "Dialog.Note.Topic.V"},
		{"a request's list in what is told", "booking-told-05", ask(func(r *Request) { r.Type.S = codes.Requests.OID() }), "Dialog.Request.Type.S"},
		{"an answer's list in MOA", "booking-told-MOA", ask(func(r *Request) { r.Type.S = codes.Answers.OID() }), "Dialog.Request.Type.S"},

		{"subject in what is told", "booking-told-05", ask(func(r *Request) { r.Subject = "Time" }), "Dialog.Request.Subject"},
		{"text in what is told", "sending-told-07", ask(func(r *Request) { r.Text.Plain = "Ny time" }), "Dialog.Request.Text"},
		{"formatted text in MOA", "booking-told-MOA", ask(func(r *Request) { r.Text.XHTML = "<p>x</p>" }), "Dialog.Request.Text"},
		{"no first day", "booking-HLT", ask(func(r *Request) { r.From = time.Time{} }), "Dialog.Request.From"},
		{"no last day", "booking-HLT", ask(func(r *Request) { r.To = time.Time{} }), "Dialog.Request.To"},
		{"no calendar date", "booking-HLT", ask(func(r *Request) { r.From = day(15).Add(time.Hour) }), "Dialog.Request.From"},
		{"midnight in Norway", "booking-HLT", ask(func(r *Request) { r.To = day(20).Add(-2 * time.Hour) }), "Dialog.Request.To"},
		{"29 days", "booking-HLT", ask(func(r *Request) { r.To = r.From.AddDate(0, 0, MaxSlotDays+1) }), "Dialog.Request.To"},
		{"backwards", "booking-HLT", ask(func(r *Request) { r.To = r.From.AddDate(0, 0, -1) }), "Dialog.Request.To"},
		{"dates of a booking", "booking-RT", ask(func(r *Request) { r.From, r.To = day(1), day(2) }), "Dialog.Request.From"},
		{"dates of what is told", "booking-told-05", ask(func(r *Request) { r.To = day(2) }), "Dialog.Request.To"},
		{"no word on another practitioner", "booking-RT", ask(func(r *Request) { r.Coded = nil }), "Dialog.Request.Coded"},
		{"no word on another practitioner in a wish", "wish-OAT", ask(func(r *Request) { r.Coded = nil }), "Dialog.Request.Coded"},
		{"a delivery", "booking-RT", ask(func(r *Request) { r.Coded = codeRef(codes.Delivery, "AP") }), "Dialog.Request.Coded.V"},
		{"another practitioner in HLT", "booking-HLT", ask(func(r *Request) { r.Coded = codeRef(codes.YesNo, "1") }), "Dialog.Request.Coded"},
		{"two practitioners", "booking-HLT", ask(func(r *Request) { r.Roles = append(r.Roles, wished()...) }), "Dialog.Request.Roles"},
		{"practitioner without HPR number", "booking-HLT", ask(func(r *Request) { r.Roles[0].Professional.Idents[0].Type = code(codes.PersonIDs, codes.HER) }), "Dialog.Request.Roles[0].Professional.Idents"},
		{"a person who is no practitioner", "booking-told-05", ask(func(r *Request) { r.Roles = author() }), "Dialog.Request.Roles[0].Person"},
		{"practitioner in the overview's request", "overview-HB", ask(func(r *Request) { r.Roles = wished() }), "Dialog.Request.Roles"},
		{"practitioner in slots", "booking-03", func(m *Message) { m.Dialog.Note.Roles = wished() }, "Dialog.Note.Roles"},
		{"case id in a request for slots", "booking-HLT", func(m *Message) { m.Dialog.CaseID = "1" }, "Dialog.CaseID"},
		{"attachment in what is told", "booking-told-05", func(m *Message) { m.Attachments = []Attachment{{MIME: MIMEPDF, Content: pdf}} }, "Attachments"},
		{"attachment in an answer to a wish", "wish-05", func(m *Message) { m.Attachments = []Attachment{{MIME: MIMEPDF, Content: pdf}} }, "Attachments"},
		{"relation in an answer", "booking-05", func(m *Message) { m.Relation = onBehalf() }, "Relation"},

		{"events in a request for slots", "booking-HLT", func(m *Message) { m.Events = []Event{slot()} }, "Events"},
		{"events in a wish", "wish-OT", func(m *Message) { m.Events = []Event{slot()} }, "Events"},
		{"events though there are none", "booking-04", func(m *Message) { m.Events = []Event{slot()} }, "Events"},
		{"planned though there are none", "booking-02", func(m *Message) { m.Events = []Event{appointment()} }, "Events"},
		{"no slots", "booking-03", func(m *Message) { m.Events = nil }, "Events"},
		{"nothing planned", "booking-01", func(m *Message) { m.Events = nil }, "Events"},
		{"booking of nothing", "booking-RT", func(m *Message) { m.Events = nil }, "Events"},
		{"booking of two", "booking-RT", func(m *Message) { m.Events = []Event{slot(), slot()} }, "Events"},
		{"cancellation of nothing", "cancelling-ART", func(m *Message) { m.Events = nil }, "Events"},
		{"wish about nothing", "wish-OAT", func(m *Message) { m.Events = nil }, "Events"},
		{"confirmation of nothing", "booking-05", func(m *Message) { m.Events = nil }, "Events"},
		{"told of nothing", "sending-told-11", func(m *Message) { m.Events = nil }, "Events"},
		{"told of two", "booking-told-05", func(m *Message) { m.Events = []Event{appointment(), appointment()} }, "Events"},
		{"two refused", "booking-06", func(m *Message) { m.Events = []Event{slot(), slot()} }, "Events"},

		{"no uid", "booking-RT", first(func(e *Event) { e.UID = " " }), "Events[0].UID"},
		{"own uid is no UUID", "booking-03", first(func(e *Event) { e.UID = "17" }), "Events[0].UID"},
		{"own relation is no UUID", "booking-05", first(func(e *Event) { e.RelatedTo = "17" }), "Events[0].RelatedTo"},
		{"cancellation without relation", "booking-ART", first(func(e *Event) { e.RelatedTo = "" }), "Events[0].RelatedTo"},
		{"wish without relation", "wish-OET", first(func(e *Event) { e.RelatedTo = "" }), "Events[0].RelatedTo"},
		{"no start", "booking-RT", first(func(e *Event) { e.StartsAt = time.Time{} }), "Events[0].StartsAt"},
		{"no end", "booking-told-05", first(func(e *Event) { e.EndsAt = time.Time{} }), "Events[0].EndsAt"},
		{"end at the start", "booking-03", first(func(e *Event) { e.EndsAt = e.StartsAt }), "Events[0].EndsAt"},
		{"end before the start", "booking-09", first(func(e *Event) { e.EndsAt = e.StartsAt.AddDate(-5, 0, 0) }), "Events[0].EndsAt"},
		{"no calendar", "booking-03", first(func(e *Event) { e.Contact = 0 }), "Events[0].Contact"},
		{"summary with control character", "booking-05", first(func(e *Event) { e.Summary = "\x01" }), "Events[0].Summary"},
		{"description with control character", "booking-05", first(func(e *Event) { e.Description = "\x01" }), "Events[0].Description"},
		{"location with control character", "booking-05", first(func(e *Event) { e.Location = "\x01" }), "Events[0].Location"},
		{"must call on a confirmed appointment", "booking-05", first(func(e *Event) { e.Categories = []string{CategoryMustCall} }), "Events[0].Categories[0]"},
		{"must call on one told of", "booking-told-05", first(func(e *Event) { e.Categories = []string{CategoryVideo, CategoryMustCall} }), "Events[0].Categories[1]"},
		{"must call on a wish granted", "wish-05", first(func(e *Event) { e.Categories = []string{CategoryMustCall} }), "Events[0].Categories[0]"},
		{"must call on a planned one", "booking-01", first(func(e *Event) { e.Categories = []string{CategoryMustCall} }), "Events[0].Categories[0]"},
		{"bookable from on a confirmed appointment", "booking-05", first(func(e *Event) { e.AvailableAt = now }), "Events[0].AvailableAt"},
		{"bookable from on one told of", "sending-told-07", first(func(e *Event) { e.AvailableAt = now }), "Events[0].AvailableAt"},
		{"bookable from by telephone", "booking-03", func(m *Message) { m.Events[1].AvailableAt = now }, "Events[1].AvailableAt"},
		{"category of no list", "booking-05", first(func(e *Event) { e.Categories = []string{"Konsultasjon"} }), "Events[0].Categories[0]"},
		{"blank category", "booking-RT", first(func(e *Event) { e.Categories = []string{" "} }), "Events[0].Categories[0]"},
		{"service without id", "booking-05", first(func(e *Event) { e.Categories = []string{CategoryService + " "} }), "Events[0].Categories[0]"},
		{"confirmed slot", "booking-03", first(func(e *Event) { e.Status = StatusConfirmed }), "Events[0].Status"},
		{"cancelled confirmation", "booking-05", first(func(e *Event) { e.Status = StatusCancelled }), "Events[0].Status"},
		{"confirmed cancellation", "booking-told-08", first(func(e *Event) { e.Status, e.CancellationReason = StatusConfirmed, "" }), "Events[0].Status"},
		{"status of no list", "booking-told-MOA", first(func(e *Event) { e.Status = "COMPLETED" }), "Events[0].Status"},
		{"reason without cancellation", "booking-told-07", first(func(e *Event) { e.CancellationReason = CancelledByService }), "Events[0].CancellationReason"},
		{"reason of no list", "booking-told-08", first(func(e *Event) { e.CancellationReason = "Syk" }), "Events[0].CancellationReason"},

		{"nobody listed", "overview-20", func(m *Message) { m.Practitioners = nil }, "Practitioners"},
		{"with another, but not whom", "wish-10", func(m *Message) { m.Practitioners = nil }, "Practitioners"},
		{"listed though there are none", "overview-21", func(m *Message) { m.Practitioners = practitioners() }, "Practitioners"},
		{"listed in what is told", "booking-told-05", func(m *Message) { m.Practitioners = practitioners() }, "Practitioners"},
		{"listed in a refusal", "booking-09", func(m *Message) { m.Practitioners = practitioners() }, "Practitioners"},
		{"listed without HPR number", "overview-20", func(m *Message) { m.Practitioners[1].Professional.Idents = nil }, "Practitioners[1].Professional.Idents"},
		{"listed without name", "overview-20", func(m *Message) { m.Practitioners[0].Professional.GivenName = "" }, "Practitioners[0].Professional.GivenName"},
		{"role of no list", "overview-20", func(m *Message) { m.Practitioners[0].Professional.RoleToPatient.V = "99" }, "Practitioners[0].Professional.RoleToPatient.V"},
		{"profession of no list", "overview-20", func(m *Message) { m.Practitioners[0].Category.V = "??" }, "Practitioners[0].Category.V"},
		{"remark with control character", "overview-20", func(m *Message) { m.Practitioners[0].Remark = "\x01" }, "Practitioners[0].Remark"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := fixtures()[tt.fixture]
			tt.change(m)
			raw, err := WriteMessage(m)
			require.Nil(t, raw)
			require.Contains(t, fieldsOf(t, err), tt.field)
			require.NotContains(t, err.Error(), child)
		})
	}
}

func TestSynchronous(t *testing.T) {
	t.Parallel()
	for name, m := range fixtures() {
		atOnce := strings.HasPrefix(name, "test-") || strings.HasPrefix(name, "overview-") ||
			slices.Contains([]string{"booking-HLT", "booking-HBT", "booking-01", "booking-02", "booking-03", "booking-04", "booking-30"}, name)
		require.Equal(t, atOnce, m.Synchronous(), name)
	}
	require.False(t, (&Message{Head: fromCitizen(codes.EKontakt, firstID)}).Synchronous(), "it says nothing")
	require.False(t, ReplyHead(fromCitizen(codes.Behandleroversikt, firstID), secondID, now, "").WantsReceipt)
}

// The wall clock is written without zone, except in the one hour of a year that
// it does not tell from the next.
func TestTimesOverTheChangesOfTheClock(t *testing.T) {
	t.Parallel()
	for instant, wall := range map[string]string{
		"2026-01-15T07:00:00Z":     "2026-01-15T08:00:00",
		"2026-07-15T06:00:00.125Z": "2026-07-15T08:00:00.125",
		"2026-03-29T00:59:59Z":     "2026-03-29T01:59:59",
		"2026-03-29T01:00:00Z":     "2026-03-29T03:00:00",
		"2026-10-24T23:59:59Z":     "2026-10-25T01:59:59",
		"2026-10-25T00:30:00Z":     "2026-10-25T00:30:00Z",
		"2026-10-25T01:30:00Z":     "2026-10-25T02:30:00",
		"2026-10-25T02:00:00Z":     "2026-10-25T03:00:00",
	} {
		at, err := time.Parse(time.RFC3339Nano, instant)
		require.NoError(t, err)
		require.Equal(t, wall, writeWall(at))
		back, ok := readInstant(wall)
		require.True(t, ok)
		require.Equal(t, at, back)
	}
	end, ok := readInstant("2026-03-29T24:00:00")
	require.True(t, ok)
	require.Equal(t, time.Date(2026, 3, 29, 22, 0, 0, 0, time.UTC), end, "a day of 23 hours")
}
