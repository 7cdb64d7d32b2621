package helsenorge

import (
	"reflect"
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Content is what a message says: one type for each function of HITS 1217, or for a few
// that say the same of other things, with the parts that the function has and no others.
// A value of a type stands in Content as it is, not as a pointer.
//
// A Message holds the same in general form, as documents; Message.Content and NewMessage
// lead from one to the other. Which types there are, Functions lists.
type Content interface {
	// place writes it into a message whose head is there.
	place(m *Message)
}

// Letter is what a person writes, with what goes with it. Which parts a function may
// have, and must have, WriteMessage knows.
type Letter struct {
	Subject string
	Text    Text
	// CaseID is the writer's own id of the contact.
	CaseID string
	// Roles are whom the citizen wishes to reach, or who wrote.
	Roles       []Role
	Attachments []Attachment
	// Relation is who acts for the citizen; only the citizen's side has it.
	Relation *Relation
}

// Dialogues in words (HITS 1217 §3.2, §3.3).
type (
	// Question is a citizen's, of a practitioner: it opens an e-consultation.
	Question struct{ Letter }
	// Enquiry is a citizen's, of the office: it opens an e-contact.
	Enquiry struct{ Letter }
	// UnreadNotice says that the citizen has not read a message: the one that its head
	// names as its parent.
	UnreadNotice struct{ Letter }
	// Opening is the clinic's first message of a conversation.
	Opening struct {
		// ReplyAllowed lets the citizen reply.
		ReplyAllowed bool
		Letter
	}
	// PractitionerAnswer answers an e-consultation.
	PractitionerAnswer struct{ Letter }
	// EnquiryAnswer answers an e-contact.
	EnquiryAnswer struct{ Letter }
	// Closing answers, and tells that the clinic regards the dialogue as ended. The citizen
	// may write again.
	Closing struct{ Letter }
	// CertificateAnswer tells what became of a certificate that was asked for: an answer of
	// official samples, which §3.3.2 lacks.
	CertificateAnswer struct {
		// Code is CertificateReady or CertificateRefused.
		Code string
		Letter
	}
	// CitizenAnswer is every further message of the citizen.
	CitizenAnswer struct{ Letter }
	// Refusal tells that a request was right and is not taken (HITS 1217 §2.4.3).
	Refusal struct {
		// Code is RequestRefused, NoAccess or GeneralError.
		Code string
		// Event repeats the appointment that was asked for, or is nil.
		Event *Event
		Letter
	}
)

// Renewal of prescriptions (HITS 1217 §3.1).
type (
	// RenewalRequest asks for prescriptions, in words or from the citizen's list.
	RenewalRequest struct {
		// Listed tells that Prescriptions are what is asked for; otherwise the text is.
		Listed        bool
		Prescriptions []Prescription
		// Delivery is a code of 8324, "" where official samples lack it.
		Delivery string
		Letter
	}
	// RenewalAnswer is the one answer to it.
	RenewalAnswer struct {
		// Code is Renewed, PartlyRenewed or NotRenewed.
		Code string
		// Prescriptions are those that were renewed.
		Prescriptions []Prescription
		Letter
	}
)

// Appointments (HITS 1217 §3.4 to §3.7).
type (
	// SlotsRequest asks for free slots: answered at once (§3.4.2).
	SlotsRequest struct {
		// From and To are the first and last day, as midnight UTC; zero where absent.
		From, To time.Time
		Letter
	}
	// Slots are free slots, or none.
	Slots struct {
		Free []Event
		// Practitioners are those who are not the citizen's own.
		Practitioners []Practitioner
		Letter
	}
	// PlannedRequest asks for appointments made: answered at once (§3.4.4).
	PlannedRequest struct{ Letter }
	// Planned are appointments made, or none.
	Planned struct {
		Appointments []Event
		Letter
	}
	// BookingRequest books a free slot (§3.4.3).
	BookingRequest struct {
		Slot Event
		// OtherAccepted tells whether another practitioner will do; nil where official
		// samples do not say.
		OtherAccepted *bool
		Letter
	}
	// CancellationRequest cancels an appointment (§3.4.3, §3.7).
	CancellationRequest struct {
		Appointment   Event
		OtherAccepted *bool
		Letter
	}
	// AppointmentNotice tells unasked of an appointment that the clinic has made, changed or
	// cancelled, or waited in vain for (§3.4.1).
	AppointmentNotice struct {
		// Code is BookingConfirmed, ChangeConfirmed, CancellationConfirmed,
		// PatientDidNotCome, or AppointmentNotice of a home-based service.
		Code        string
		Appointment Event
		Letter
	}
	// AppointmentAnswer answers what a citizen asked about an appointment (§3.4.3, §3.5).
	AppointmentAnswer struct {
		// Code is BookingConfirmed, SlotNotAvailable, ChangeConfirmed, CancellationConfirmed,
		// CancellationRefused, BookingWithOther or ChangeRefused.
		Code string
		// Event is the appointment as it is now, or as it was asked for; nil when absent.
		Event         *Event
		Practitioners []Practitioner
		Letter
	}
	// AppointmentWish asks in words for an appointment, another time, or a cancellation
	// (§3.5).
	AppointmentWish struct {
		// Code is AppointmentWish, ChangeWish or CancellationWish.
		Code string
		// Appointment is the one that is meant; nil in a wish for a new one.
		Appointment   *Event
		OtherAccepted *bool
		Letter
	}
	// PractitionersRequest asks who has a calendar: answered at once (§3.11).
	PractitionersRequest struct{ Letter }
	// PractitionersAnswer names them, or nobody.
	PractitionersAnswer struct {
		Practitioners []Practitioner
		Letter
	}
)

// Who is active on Helsenorge (HITS 1217 §3.9), and the communication test (§3.10).
type (
	// ActivityStatus tells that the patient of the head became active, or inactive.
	ActivityStatus struct {
		// Active is nil when the code is neither yes nor no.
		Active *bool
		Letter
	}
	// ActivityQuestion asks who of People is active.
	ActivityQuestion struct {
		People []Person
		Letter
	}
	// ActivityAnswer names those who are, or nobody.
	ActivityAnswer struct {
		Active []Person
		Letter
	}
	// TestRequest asks whether messages arrive: answered at once.
	TestRequest struct{ Letter }
	// TestAnswer says that they do.
	TestAnswer struct{ Letter }
)

// Content returns what the message says. It is false for a receipt, a process that is not
// read in full, and a code that the process does not have. Display names are not kept:
// they are the official ones.
func (m *Message) Content() (Content, bool) {
	f, ok := profile[m.Head.Process].of(m.Dialog)
	if !ok && m.Head.Process != "" && !readInFull(m.Head.Process) {
		f, ok = refusals.of(m.Dialog)
	}
	if !ok || f.content == nil {
		return nil, false
	}
	return f.content(m, m.letter()), true
}

// ReadInFull tells whether the message is a receipt, or of a process whose content is read
// and judged by the guide. Any other process is judged by the schemas alone.
func (m *Message) ReadInFull() bool { return m.Receipt != nil || readInFull(m.Head.Process) }

// NewMessage is the message that says c under the head, for WriteMessage.
func NewMessage(head Head, c Content) *Message {
	m := &Message{Head: head}
	c.place(m)
	return m
}

// ContentName is the name of c's type, such as BookingRequest.
func ContentName(c Content) string { return reflect.TypeOf(c).Name() }

func (m *Message) letter() Letter {
	l := Letter{CaseID: m.Dialog.CaseID, Attachments: m.Attachments, Relation: m.Relation}
	if r := m.Dialog.Request; r != nil {
		l.Subject, l.Text, l.Roles = r.Subject, r.Text, r.Roles
	} else {
		l.Subject, l.Text, l.Roles = m.Dialog.Note.Subject, m.Dialog.Note.Text, m.Dialog.Note.Roles
	}
	return l
}

// asks begins a conversation with the letter; says goes on with one.
func (l Letter) asks(m *Message, list codes.List, v string) *Request {
	r := &Request{Type: listed(list, v), Subject: l.Subject, Text: l.Text, Roles: l.Roles}
	m.Dialog, m.Attachments, m.Relation = &Dialog{CaseID: l.CaseID, Request: r}, l.Attachments, l.Relation
	return r
}

func (l Letter) says(m *Message, list codes.List, v string) {
	n := &Note{Topic: listed(list, v), Subject: l.Subject, Text: l.Text, Roles: l.Roles}
	m.Dialog, m.Attachments, m.Relation = &Dialog{CaseID: l.CaseID, Note: n}, l.Attachments, l.Relation
}

// listed is a code of a list with its official name.
func listed(list codes.List, v string) Code {
	return Code{V: v, S: list.OID(), DN: codes.Name(list, v)}
}

// answer is yes or no of 1101, nil for nothing.
func answer(yes *bool) *Code {
	if yes == nil {
		return nil
	}
	v := "2"
	if *yes {
		v = "1"
	}
	c := listed(codes.YesNo, v)
	return &c
}

func readAnswer(c *Code) *bool {
	if c == nil || c.V != "1" && c.V != "2" {
		return nil
	}
	yes := c.V == "1"
	return &yes
}

// only is the one event of a message, or nil; of several the first.
func (m *Message) only() *Event {
	if len(m.Events) == 0 {
		return nil
	}
	e := m.Events[0]
	return &e
}

func (m *Message) event() (e Event) {
	if first := m.only(); first != nil {
		e = *first
	}
	return e
}

func events(e *Event) []Event {
	if e == nil {
		return nil
	}
	return []Event{*e}
}

// Either of two codes, by whether there is anything to tell.
func found(something bool, yes, no string) string {
	if something {
		return yes
	}
	return no
}

func (c Question) place(m *Message) { c.asks(m, codes.Requests, codes.QuestionToPractitioner) }
func (c Enquiry) place(m *Message)  { c.asks(m, codes.Requests, codes.Enquiry) }

func (c UnreadNotice) place(m *Message) { c.asks(m, codes.Requests, codes.UnreadNotice) }

func (c Opening) place(m *Message) {
	c.asks(m, codes.Requests, found(c.ReplyAllowed, codes.DialogueWithCitizen, codes.OneWayToCitizen))
}

func (c PractitionerAnswer) place(m *Message) { c.says(m, codes.Answers, codes.PractitionerAnswer) }
func (c EnquiryAnswer) place(m *Message)      { c.says(m, codes.Answers, codes.EnquiryAnswer) }
func (c Closing) place(m *Message)            { c.says(m, codes.Answers, codes.DialogueClosed) }
func (c CertificateAnswer) place(m *Message)  { c.says(m, codes.Answers, c.Code) }
func (c CitizenAnswer) place(m *Message)      { c.says(m, codes.Answers, codes.CitizenAnswer) }

func (c Refusal) place(m *Message) {
	c.says(m, codes.Answers, c.Code)
	m.Events = events(c.Event)
}

func (c RenewalRequest) place(m *Message) {
	r := c.asks(m, codes.Requests, found(c.Listed, codes.RenewalPrescriptions, codes.RenewalText))
	if c.Delivery != "" {
		code := listed(codes.Delivery, c.Delivery)
		r.Coded = &code
	}
	m.Prescriptions = c.Prescriptions
}

func (c RenewalAnswer) place(m *Message) {
	c.says(m, codes.Answers, c.Code)
	m.Prescriptions = c.Prescriptions
}

func (c SlotsRequest) place(m *Message) {
	r := c.asks(m, codes.Requests, codes.SlotsRequest)
	r.From, r.To = c.From, c.To
}

func (c Slots) place(m *Message) {
	c.says(m, codes.Answers, found(len(c.Free) > 0, codes.SlotsFound, codes.NoSlots))
	m.Events, m.Practitioners = c.Free, c.Practitioners
}

func (c PlannedRequest) place(m *Message) { c.asks(m, codes.Requests, codes.PlannedRequest) }

func (c Planned) place(m *Message) {
	c.says(m, codes.Answers, found(len(c.Appointments) > 0, codes.PlannedFound, codes.NothingPlanned))
	m.Events = c.Appointments
}

func (c BookingRequest) place(m *Message) {
	c.asks(m, codes.Requests, codes.BookingRequest).Coded = answer(c.OtherAccepted)
	m.Events = []Event{c.Slot}
}

func (c CancellationRequest) place(m *Message) {
	c.asks(m, codes.Requests, codes.CancellationRequest).Coded = answer(c.OtherAccepted)
	m.Events = []Event{c.Appointment}
}

func (c AppointmentNotice) place(m *Message) {
	list := codes.Answers // told unasked, in the words of an answer (HITS 1217 §3.4.1)
	if c.Code == codes.AppointmentNotice {
		list = codes.Requests
	}
	c.asks(m, list, c.Code)
	m.Events = []Event{c.Appointment}
}

func (c AppointmentAnswer) place(m *Message) {
	c.says(m, codes.Answers, c.Code)
	m.Events, m.Practitioners = events(c.Event), c.Practitioners
}

func (c AppointmentWish) place(m *Message) {
	c.asks(m, codes.Requests, c.Code).Coded = answer(c.OtherAccepted)
	m.Events = events(c.Appointment)
}

func (c PractitionersRequest) place(m *Message) {
	c.asks(m, codes.Requests, codes.PractitionersRequest)
}

func (c PractitionersAnswer) place(m *Message) {
	c.says(m, codes.Answers, found(len(c.Practitioners) > 0, codes.PractitionersFound, codes.NoPractitioners))
	m.Practitioners = c.Practitioners
}

func (c ActivityStatus) place(m *Message) {
	c.asks(m, codes.Requests, codes.ActivityStatus).Coded = answer(c.Active)
}

func (c ActivityQuestion) place(m *Message) {
	c.asks(m, codes.Requests, codes.ActivityQuestion)
	m.People = c.People
}

func (c ActivityAnswer) place(m *Message) {
	c.says(m, codes.Answers, found(len(c.Active) > 0, codes.ActivePeople, codes.NobodyActive))
	m.People = c.Active
}

func (c TestRequest) place(m *Message) { c.asks(m, codes.TestCodes, codes.TestRequest) }
func (c TestAnswer) place(m *Message)  { c.says(m, codes.TestCodes, codes.TestAnswer) }

// The readers that the profile names: a message and its letter to content.
func aQuestion(_ *Message, l Letter) Content      { return Question{l} }
func anEnquiry(_ *Message, l Letter) Content      { return Enquiry{l} }
func anUnreadNotice(_ *Message, l Letter) Content { return UnreadNotice{l} }

func anOpening(m *Message, l Letter) Content {
	return Opening{ReplyAllowed: m.Dialog.Function() == codes.DialogueWithCitizen, Letter: l}
}

func aPractitionerAnswer(_ *Message, l Letter) Content { return PractitionerAnswer{l} }
func anEnquiryAnswer(_ *Message, l Letter) Content     { return EnquiryAnswer{l} }
func aClosing(_ *Message, l Letter) Content            { return Closing{l} }
func aCertificateAnswer(m *Message, l Letter) Content {
	return CertificateAnswer{Code: m.Dialog.Function(), Letter: l}
}
func aCitizenAnswer(_ *Message, l Letter) Content { return CitizenAnswer{l} }

func aRefusal(m *Message, l Letter) Content {
	return Refusal{Code: m.Dialog.Function(), Event: m.only(), Letter: l}
}

func aRenewalRequest(m *Message, l Letter) Content {
	c := RenewalRequest{Listed: m.Dialog.Function() == codes.RenewalPrescriptions, Prescriptions: m.Prescriptions, Letter: l}
	if m.Dialog.Request.Coded != nil {
		c.Delivery = m.Dialog.Request.Coded.V
	}
	return c
}

func aRenewalAnswer(m *Message, l Letter) Content {
	return RenewalAnswer{Code: m.Dialog.Function(), Prescriptions: m.Prescriptions, Letter: l}
}

func aSlotsRequest(m *Message, l Letter) Content {
	return SlotsRequest{From: m.Dialog.Request.From, To: m.Dialog.Request.To, Letter: l}
}

func someSlots(m *Message, l Letter) Content { return Slots{m.Events, m.Practitioners, l} }
func noSlots(_ *Message, l Letter) Content   { return Slots{Letter: l} }

func aPlannedRequest(_ *Message, l Letter) Content { return PlannedRequest{l} }
func somePlanned(m *Message, l Letter) Content     { return Planned{m.Events, l} }
func nonePlanned(_ *Message, l Letter) Content     { return Planned{Letter: l} }

func aBookingRequest(m *Message, l Letter) Content {
	return BookingRequest{Slot: m.event(), OtherAccepted: readAnswer(m.Dialog.Request.Coded), Letter: l}
}

func aCancellationRequest(m *Message, l Letter) Content {
	return CancellationRequest{Appointment: m.event(), OtherAccepted: readAnswer(m.Dialog.Request.Coded), Letter: l}
}

func anAppointmentNotice(m *Message, l Letter) Content {
	return AppointmentNotice{Code: m.Dialog.Function(), Appointment: m.event(), Letter: l}
}

func anAppointmentAnswer(m *Message, l Letter) Content {
	return AppointmentAnswer{Code: m.Dialog.Function(), Event: m.only(), Practitioners: m.Practitioners, Letter: l}
}

func anAppointmentWish(m *Message, l Letter) Content {
	return AppointmentWish{Code: m.Dialog.Function(), Appointment: m.only(), OtherAccepted: readAnswer(m.Dialog.Request.Coded), Letter: l}
}

func aPractitionersRequest(_ *Message, l Letter) Content { return PractitionersRequest{l} }

func somePractitioners(m *Message, l Letter) Content { return PractitionersAnswer{m.Practitioners, l} }
func noPractitioners(_ *Message, l Letter) Content   { return PractitionersAnswer{Letter: l} }

func anActivityStatus(m *Message, l Letter) Content {
	return ActivityStatus{Active: readAnswer(m.Dialog.Request.Coded), Letter: l}
}

func anActivityQuestion(m *Message, l Letter) Content { return ActivityQuestion{m.People, l} }
func activePeople(m *Message, l Letter) Content       { return ActivityAnswer{m.People, l} }
func nobodyActive(_ *Message, l Letter) Content       { return ActivityAnswer{Letter: l} }

func aTestRequest(_ *Message, l Letter) Content { return TestRequest{l} }
func aTestAnswer(_ *Message, l Letter) Content  { return TestAnswer{l} }
