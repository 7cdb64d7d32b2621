package simulator

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/registry"
)

// Kind is what a citizen does.
type Kind string

// What citizens do.
const (
	EConsultation Kind = "e-consultation" // SB
	EContact      Kind = "e-contact"      // HE
	Renewal       Kind = "renewal"        // RF
	Reply         Kind = "reply"          // 22, to InReplyTo

	Reserve    Kind = "reserve"     // RT: books Slot, as FreeSlots showed it
	Cancel     Kind = "cancel"      // ART: cancels Appointment
	Wish       Kind = "wish"        // OT: wishes for an appointment, in words
	WishCancel Kind = "wish-cancel" // OAT: wishes Appointment cancelled
	WishChange Kind = "wish-change" // OET: wishes for another time of Appointment
)

// Kinds lists what citizens do.
func Kinds() []Kind {
	return []Kind{EConsultation, EContact, Renewal, Reply, Reserve, Cancel, Wish, WishCancel, WishChange}
}

// Action is something a citizen does.
type Action struct {
	Kind Kind `json:"kind"`
	// To is the party that he writes to.
	To int `json:"to"`
	// Citizen chooses who: the same number is the same invented person.
	Citizen int `json:"citizen"`
	// Subject and Text are what he writes; empty ones are made up.
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text,omitempty"`
	// InReplyTo is the MsgId that a Reply answers.
	InReplyTo string `json:"inReplyTo,omitempty"`
	// Slot is what is reserved. With the kinds that are about an appointment it stands
	// for one that the citizen does not see.
	Slot *Slot `json:"slot,omitempty"`
	// Appointment is any identity of the appointment that is meant, as Appointments
	// shows it; To may then be left out.
	Appointment string `json:"appointment,omitempty"`
	// Alone sends Cancel by the process that has nothing else (AVTALEAVBESTILLING).
	Alone bool `json:"alone,omitempty"`
	// HPR is the practitioner whom the citizen asks for; AcceptsOther tells that
	// another will do.
	HPR          string `json:"hpr,omitempty"`
	AcceptsOther bool   `json:"acceptsOther,omitempty"`
	// By is another citizen who acts for him, as a parent; 0 is nobody.
	By int `json:"by,omitempty"`
	// Times is how often the same message is put on the queue; 0 is once.
	Times int `json:"times,omitempty"`
	// NewEnvelope gives each of them a transport id of its own.
	NewEnvelope bool `json:"newEnvelope,omitempty"`
}

// Person is an invented citizen.
type Person struct {
	GivenName, FamilyName, NationalID, Phone string
}

var (
	givenNames  = []string{"Ingrid", "Lars", "Aisha", "Ola", "Marit", "Jon", "Nora", "Sander", "Eline", "Henrik", "Fatima"}
	familyNames = []string{"Prøvesen", "Testmo", "Eksempelstad", "Attrapp", "Modellvik", "Kulissen", "Narrevik"}
)

// Citizen returns the invented person with that number. Nobody can have the
// national id, whose month is raised by 80, or the phone: no series begins so.
func Citizen(n int) Person {
	n = max(n, 0)
	return Person{
		GivenName:  givenNames[n%len(givenNames)],
		FamilyName: familyNames[n%len(familyNames)],
		NationalID: nationalid.Synthetic(time.Date(1950+n%60, time.Month(1+n%12), 1+n%28, 0, 0, 0, 0, time.UTC), n/60),
		Phone:      fmt.Sprintf("+4700%06d", n%1_000_000),
	}
}

// made-up content, so that a demonstration reads like life.
var madeUp = map[Kind][2]string{
	EConsultation: {"Vondt i kneet", "Hei. Jeg har hatt vondt i kneet i en uke etter en løpetur. Bør jeg hvile det?"},
	EContact:      {"Attest", "Hei. Jeg trenger en attest til skolen. Kan jeg hente den på fredag?"},
	Renewal:       {"Fornye resept", "Allergitabletter, samme som sist"},
	Reply:         {"", "Takk for svaret. Det har ikke blitt bedre."},
	Reserve:       {"", "Kontroll av blodtrykk."},
	Cancel:        {"", "Jeg er blitt frisk."},
	Wish:          {"", "Jeg ønsker en time på ettermiddagen, helst neste uke."},
	WishCancel:    {"", "Jeg kan ikke komme likevel."},
	WishChange:    {"", "Kan jeg få timen senere på dagen?"},
}

// Act does what a citizen does and puts it on the clinic's queue.
func (h *Helsenorge) Act(ctx context.Context, a Action) (Sent, error) {
	m, process, err := h.compose(ctx, &a)
	if err != nil {
		return Sent{}, err
	}
	xml, err := helsenorge.WriteMessage(m)
	if err != nil {
		return Sent{}, err
	}
	s := Sent{MsgID: m.Head.MsgID, TransportID: uuid.NewString(), Conversation: m.Head.RefToConversation, To: a.To, Kind: a.Kind, Citizen: a.Citizen, XML: xml}
	if s.Conversation == "" {
		s.Conversation = s.MsgID
	}
	if err := h.write(entry{Sent: &s}); err != nil {
		return Sent{}, err
	}
	transportID := s.TransportID
	for range max(a.Times, 1) {
		if err := h.send(ctx, a.To, HerID, process, transportID, xml); err != nil {
			return Sent{}, err
		}
		if a.NewEnvelope {
			transportID = uuid.NewString()
		}
	}
	return s, nil
}

// compose makes the message of an action.
func (h *Helsenorge) compose(ctx context.Context, a *Action) (*helsenorge.Message, string, error) {
	content, ok := madeUp[a.Kind]
	if !ok {
		return nil, "", apperr.InvalidFields("citizens do not do that", apperr.Field{Path: "kind", Rule: fmt.Sprintf("one of %v", Kinds())})
	}
	if a.Subject == "" {
		a.Subject = content[0]
	}
	if a.Text == "" {
		a.Text = content[1]
	}
	var head helsenorge.Head
	d := &helsenorge.Dialog{}
	var events []helsenorge.Event
	text := helsenorge.Text{Plain: a.Text}
	request := func(v string) *helsenorge.Request {
		return &helsenorge.Request{Type: helsenorge.Code{V: v, S: codes.Requests.OID(), DN: codes.Name(codes.Requests, v)}, Subject: a.Subject, Text: text}
	}
	switch a.Kind {
	case EConsultation:
		head.Process, d.Request = codes.EKonsultasjon, request("SB")
	case EContact:
		head.Process, d.Request = codes.EKontakt, request("HE")
	case Renewal:
		head.Process, d.Request = codes.Reseptfornyelse, request("RF")
		d.Request.Coded = &helsenorge.Code{V: "AP", S: codes.Delivery.OID(), DN: codes.Name(codes.Delivery, "AP")}
	case Reply:
		first, process, err := h.thread(a.InReplyTo)
		if err != nil {
			return nil, "", err
		}
		head.Process, head.RefToParent, head.RefToConversation = process, a.InReplyTo, first.MsgID
		a.Citizen, a.To = first.Citizen, first.To
		d.Note = &helsenorge.Note{Topic: helsenorge.Code{V: "22", S: codes.Answers.OID(), DN: codes.Name(codes.Answers, "22")}, Subject: a.Subject, Text: text}
	default:
		about, err := h.about(a)
		if err != nil {
			return nil, "", err
		}
		head.Process, d.Request, events = about.process, request(about.function), about.events
		d.Request.Roles = wished(a.HPR)
		d.Request.Coded = &helsenorge.Code{V: codes.OtherDeclined, S: codes.YesNo.OID()}
		if a.AcceptsOther {
			d.Request.Coded.V = codes.OtherAccepted
		}
	}
	m, err := h.message(ctx, head, d, a.Citizen, a.To, a.By)
	if err != nil {
		return nil, "", err
	}
	m.Events = events
	return m, head.Process, nil
}

// message completes a citizen's message: ids, parties, who it is about, and who acts
// for him.
func (h *Helsenorge) message(ctx context.Context, head helsenorge.Head, d *helsenorge.Dialog, citizen, to, by int) (*helsenorge.Message, error) {
	head.MsgID, head.GenDate = uuid.NewString(), time.Now().UTC().Truncate(time.Second)
	who := Citizen(citizen)
	head.Patient = &helsenorge.Patient{GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, IDType: codes.Fodselsnummer}
	head.ProcessName = codes.Name(codes.Processes, head.Process)
	var err error
	if head.Sender, err = registry.Address(ctx, h.cfg.Registry, HerID); err != nil {
		return nil, err
	}
	if head.Receiver, err = registry.Address(ctx, h.cfg.Registry, to); err != nil {
		return nil, err
	}
	m := &helsenorge.Message{Head: head, Dialog: d}
	m.Head.WantsReceipt = !m.Synchronous()
	if by != 0 {
		by := Citizen(by)
		m.Relation = &helsenorge.Relation{
			Kind:   helsenorge.Code{V: "FO", S: codes.Representation.OID(), DN: codes.Name(codes.Representation, "FO")},
			Person: helsenorge.Person{GivenName: by.GivenName, FamilyName: by.FamilyName, NationalID: by.NationalID, IDType: codes.Fodselsnummer, Phone: by.Phone},
		}
	}
	return m, nil
}

// Raw is bytes that are put on the clinic's queue as they are: what a citizen
// could not do and an attacker might.
type Raw struct {
	Body []byte `json:"body"`
	// Subject is the transport's message function.
	Subject string `json:"subject"`
	To      int    `json:"to"`
	// From is the sender's HER-id in the envelope; 0 is Helsenorge's own.
	From int `json:"from,omitempty"`
	// TransportID is a new UUID when empty.
	TransportID string `json:"transportId,omitempty"`
	// Times is how often it is put there; 0 is once.
	Times int `json:"times,omitempty"`
}

// SendRaw puts bytes on the clinic's queue and returns their transport id.
func (h *Helsenorge) SendRaw(ctx context.Context, r Raw) (string, error) {
	if r.TransportID == "" {
		r.TransportID = uuid.NewString()
	}
	if r.From == 0 {
		r.From = HerID
	}
	for range max(r.Times, 1) {
		if err := h.send(ctx, r.To, r.From, r.Subject, r.TransportID, r.Body); err != nil {
			return "", err
		}
	}
	return r.TransportID, nil
}
