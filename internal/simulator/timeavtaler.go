package simulator

import (
	"slices"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// How a citizen sees that an appointment stands.
const (
	Requested = "requested" // reserved by him, and not answered yet
	Refused   = "refused"   // the clinic said no
	Booked    = "booked"
	Cancelled = "cancelled"
	Missed    = "missed"
)

// What Helsenorge tells a citizen of an appointment (S84-S86).
const (
	NoticeConfirmation = "confirmation"
	NoticeChange       = "change"
	NoticeCancellation = "cancellation"
)

// Appointment is an appointment as the citizen sees it under Timeavtaler: what the
// messages make of it that Helsenorge accepted, and nothing that the clinic knows
// beside. Slot holds the identities that it goes by now.
type Appointment struct {
	Slot
	Status       string `json:"status"`
	Practitioner string `json:"practitioner,omitempty"`
	// Text is what the clinic last wrote to it.
	Text string `json:"text,omitempty"`
	// Notices are what Helsenorge has told him, oldest first. Its reminder is between
	// it and him.
	Notices []Notice `json:"notices"`

	known []string // every identity that it has had
}

// Notice is one notice of Helsenorge's.
type Notice struct {
	Tells string    `json:"tells"`
	At    time.Time `json:"at"`
	// StartsAt is the start that it names.
	StartsAt time.Time `json:"startsAt"`
	// MsgID is the clinic's message that caused it.
	MsgID string `json:"msgId"`
}

// aboutAppointments are the processes whose messages make up Timeavtaler.
var aboutAppointments = []string{codes.Timereservasjon, codes.Timeonske, codes.Avtaleutsending, codes.Avtaleavbestilling}

// Appointments returns what a citizen sees, by start.
func (h *Helsenorge) Appointments(citizen int) []Appointment {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []Appointment{}
	for _, a := range h.appointments[Citizen(citizen).NationalID] {
		shown := *a
		shown.Notices = slices.Clone(a.Notices)
		out = append(out, shown)
	}
	slices.SortStableFunc(out, func(a, b Appointment) int { return a.StartsAt.Compare(b.StartsAt) })
	return out
}

// appointment finds one that the citizen sees.
func (h *Helsenorge) appointment(citizen int, id string) (Appointment, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.seen(Citizen(citizen).NationalID, id); a != nil {
		return *a, nil
	}
	return Appointment{}, apperr.New(apperr.NotFound, "the citizen sees no such appointment")
}

// seen finds an appointment by any of its identities; the caller holds mu, here and
// below.
func (h *Helsenorge) seen(nationalID string, ids ...string) *Appointment {
	for _, a := range h.appointments[nationalID] {
		if slices.ContainsFunc(ids, func(id string) bool { return id != "" && slices.Contains(a.known, id) }) {
			return a
		}
	}
	return nil
}

// see adds an appointment to what the citizen sees.
func (h *Helsenorge) see(nationalID string, e helsenorge.Event, status string) *Appointment {
	a := &Appointment{Slot: slotOf(e), Status: status, Notices: []Notice{}, known: identities(e)}
	h.appointments[nationalID] = append(h.appointments[nationalID], a)
	return a
}

func identities(e helsenorge.Event) (ids []string) {
	for _, id := range []string{e.UID, e.RelatedTo} {
		if id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// reserved shows a reservation before it is answered.
func (h *Helsenorge) reserved(s *Sent) {
	m, _ := helsenorge.Read(s.XML)
	if m == nil || len(m.Events) != 1 {
		return
	}
	e := m.Events[0]
	switch a := h.seen(m.Head.Patient.NationalID, e.UID); {
	case a == nil:
		h.see(m.Head.Patient.NationalID, e, Requested)
	case a.Status != Booked:
		a.Status, a.Text = Requested, ""
	}
}

// told takes a message of the clinic into what the citizen sees. One that Helsenorge
// refused it has not stored either.
func (h *Helsenorge) told(r *Received) {
	if !slices.Contains(aboutAppointments, r.Process) || r.Refused != "" {
		return
	}
	m, _ := helsenorge.Read(r.XML)
	if m == nil || m.Head.Patient == nil || m.Dialog == nil {
		return
	}
	var text string
	if m.Dialog.Note != nil {
		text = m.Dialog.Note.Text.Plain
	}
	switch r.Function {
	case codes.BookingConfirmed, codes.BookingWithOther, codes.ChangeConfirmed, codes.CancellationConfirmed, codes.PatientDidNotCome:
		if len(m.Events) > 0 {
			h.changed(r, m, text)
		}
	case codes.SlotNotAvailable, codes.RequestRefused, codes.NoAccess:
		if s := h.sent[r.Parent]; s != nil && s.Kind == Reserve {
			if asked, _ := helsenorge.Read(s.XML); asked != nil && len(asked.Events) > 0 {
				if a := h.seen(m.Head.Patient.NationalID, asked.Events[0].UID); a != nil && a.Status == Requested {
					a.Status, a.Text = Refused, text
				}
			}
		}
	case codes.CancellationRefused, codes.ChangeRefused:
		if len(m.Events) > 0 {
			if a := h.seen(m.Head.Patient.NationalID, identities(m.Events[0])...); a != nil {
				a.Text = text
			}
		}
	}
}

// changed tells what a message makes of an appointment, and which notice that is.
// Helsenorge tells new, changed and identical apart by itself: time, place and type
// matter (HITS 1217 §3.4.1).
func (h *Helsenorge) changed(r *Received, m *helsenorge.Message, text string) {
	e := m.Events[0]
	a := h.seen(m.Head.Patient.NationalID, identities(e)...)
	before := Requested
	if a == nil {
		a = h.see(m.Head.Patient.NationalID, e, Requested)
	} else {
		before = a.Status
	}
	was := a.Slot
	a.Slot, a.Text, a.Practitioner = slotOf(e), text, with(m)
	for _, id := range identities(e) {
		if !slices.Contains(a.known, id) {
			a.known = append(a.known, id)
		}
	}
	tells := ""
	switch r.Function {
	case codes.PatientDidNotCome:
		a.Status = Missed
	case codes.CancellationConfirmed:
		if a.Status = Cancelled; before != Cancelled {
			tells = NoticeCancellation
		}
	default:
		a.Status = Booked
		switch {
		case before != Booked:
			tells = NoticeConfirmation
		case !was.StartsAt.Equal(e.StartsAt) || !was.EndsAt.Equal(e.EndsAt) || was.Place != e.Location || !slices.Equal(was.Categories, e.Categories):
			tells = NoticeChange
		}
	}
	if tells != "" {
		a.Notices = append(a.Notices, Notice{Tells: tells, At: r.At, StartsAt: e.StartsAt, MsgID: r.MsgID})
	}
}

// with is whom the appointment is with.
func with(m *helsenorge.Message) string {
	var roles []helsenorge.Role
	if m.Dialog.Request != nil {
		roles = m.Dialog.Request.Roles
	} else {
		roles = m.Dialog.Note.Roles
	}
	for _, r := range roles {
		if r.Professional != nil {
			return r.Professional.GivenName + " " + r.Professional.FamilyName
		}
	}
	return ""
}
