package simulator

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
)

// Kind is what a citizen does.
type Kind string

// What citizens do.
const (
	EConsultation Kind = "e-consultation" // SB
	EContact      Kind = "e-contact"      // HE
	Renewal       Kind = "renewal"        // RF
	RenewalByItem Kind = "renewal-items"  // RFER: the prescriptions Medicines
	Reply         Kind = "reply"          // 22, to InReplyTo
	Unread        Kind = "unread"         // VUS: InReplyTo has not been read

	Reserve    Kind = "reserve"     // RT: books Slot, as FreeSlots showed it
	Cancel     Kind = "cancel"      // ART: cancels Appointment
	Wish       Kind = "wish"        // OT: wishes for an appointment, in words
	WishCancel Kind = "wish-cancel" // OAT: wishes Appointment cancelled
	WishChange Kind = "wish-change" // OET: wishes for another time of Appointment
)

// statusTold is what Helsenorge itself tells of a citizen (SDAB).
const statusTold Kind = "status"

// Kinds lists what citizens do.
func Kinds() []Kind {
	return []Kind{EConsultation, EContact, Renewal, RenewalByItem, Reply, Unread, Reserve, Cancel, Wish, WishCancel, WishChange}
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
	// InReplyTo is the MsgId that a Reply answers, or that nobody has read: any message
	// of a conversation, whoever began it. To follows from it; Citizen too, unless the
	// clinic began it.
	InReplyTo string `json:"inReplyTo,omitempty"`
	// Files go with the message; each is of the format that its content has.
	Files []File `json:"files,omitempty"`
	// Medicines are the names of the prescriptions that are to be renewed; see Medicines.
	Medicines []string `json:"medicines,omitempty"`
	// Delivery is how a renewed medicine is to reach him (8324); "" is AP, at a pharmacy.
	Delivery string `json:"delivery,omitempty"`
	// Slot is what is reserved. With the kinds that are about an appointment it stands
	// for one that the citizen does not see.
	Slot *Slot `json:"slot,omitempty"`
	// Appointment is any identity of the appointment that is meant, as Appointments
	// shows it; To may then be left out.
	Appointment string `json:"appointment,omitempty"`
	// Alone sends Cancel by the process that has nothing else (AVTALEAVBESTILLING).
	Alone bool `json:"alone,omitempty"`
	// HPR is the practitioner whom the citizen asks for, where the process has a place
	// for it; AcceptsOther tells that another will do for an appointment.
	HPR          string `json:"hpr,omitempty"`
	AcceptsOther bool   `json:"acceptsOther,omitempty"`
	// By is another citizen who acts for him; 0 is nobody. Relation says by what right
	// (7611): FO, a parent, when empty, FU or VE.
	By       int    `json:"by,omitempty"`
	Relation string `json:"relation,omitempty"`
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
	RenewalByItem: {"", ""},
	Unread:        {"", ""},
	Reply:         {"", "Takk for svaret. Det har ikke blitt bedre."},
	Reserve:       {"", "Kontroll av blodtrykk."},
	Cancel:        {"", "Jeg er blitt frisk."},
	Wish:          {"", "Jeg ønsker en time på ettermiddagen, helst neste uke."},
	WishCancel:    {"", "Jeg kan ikke komme likevel."},
	WishChange:    {"", "Kan jeg få timen senere på dagen?"},
}

// Act does what a citizen does and puts it on the clinic's queue.
func (h *Helsenorge) Act(ctx context.Context, a Action) (Sent, error) {
	m, err := h.compose(ctx, &a)
	if err != nil {
		return Sent{}, err
	}
	return h.put(ctx, m, a)
}

// put keeps a message and puts it on the clinic's queue, as often as it is to be.
func (h *Helsenorge) put(ctx context.Context, m *helsenorge.Message, a Action) (Sent, error) {
	xml, err := helsenorge.WriteMessage(m)
	if err != nil {
		return Sent{}, err
	}
	s := Sent{
		MsgID: m.Head.MsgID, TransportID: uuid.NewString(), Conversation: cmp.Or(m.Head.RefToConversation, m.Head.MsgID),
		To: a.To, Kind: a.Kind, Citizen: a.Citizen, XML: xml, At: time.Now().UTC().Round(0),
	}
	if err := h.write(entry{Sent: &s}); err != nil {
		return Sent{}, err
	}
	transportID := s.TransportID
	for range max(a.Times, 1) {
		if err := h.deliver(ctx, parcel{m.Head.Sender.HerID(), a.To, m.Head.Process, transportID, xml}); err != nil {
			return Sent{}, err
		}
		if a.NewEnvelope {
			transportID = uuid.NewString()
		}
	}
	return s, nil
}

// compose makes the message of an action.
func (h *Helsenorge) compose(ctx context.Context, a *Action) (*helsenorge.Message, error) {
	content, ok := madeUp[a.Kind]
	if !ok {
		return nil, apperr.InvalidFields("citizens do not do that", apperr.Field{Path: "kind", Rule: fmt.Sprintf("one of %v", Kinds())})
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
	var patient *helsenorge.Patient
	var err error
	switch a.Kind {
	case EConsultation:
		head.Process, d.Request = codes.EKonsultasjon, request(codes.QuestionToPractitioner)
	case EContact:
		head.Process, d.Request = codes.EKontakt, request(codes.Enquiry)
	case Renewal:
		head.Process, d.Request = codes.Reseptfornyelse, request(codes.RenewalText)
	case RenewalByItem:
		head.Process, d.Request = codes.Reseptfornyelse, request(codes.RenewalPrescriptions)
	case Unread:
		d.Request = request(codes.UnreadNotice)
		patient, err = h.join(a, &head)
	case Reply:
		d.Note = &helsenorge.Note{Topic: helsenorge.Code{V: codes.CitizenAnswer, S: codes.Answers.OID(), DN: codes.Name(codes.Answers, codes.CitizenAnswer)}, Subject: a.Subject, Text: text}
		patient, err = h.join(a, &head)
	default:
		var about about
		if about, err = h.about(a); err != nil {
			break
		}
		head.Process, d.Request, events = about.process, request(about.function), about.events
		d.Request.Coded = &helsenorge.Code{V: codes.OtherDeclined, S: codes.YesNo.OID()}
		if a.AcceptsOther {
			d.Request.Coded.V = codes.OtherAccepted
		}
	}
	if err != nil {
		return nil, err
	}
	if head.Process == codes.Reseptfornyelse && d.Request != nil {
		d.Request.Coded = &helsenorge.Code{V: cmp.Or(a.Delivery, "AP"), S: codes.Delivery.OID()}
	}
	if d.Note != nil {
		d.Note.Roles = wished(a.HPR)
	} else {
		d.Request.Roles = wished(a.HPR)
	}
	m, err := h.message(ctx, head, d, a.Citizen, a.To, acting{a.By, a.Relation})
	if err != nil {
		return nil, err
	}
	m.Events = events
	if patient != nil {
		m.Head.Patient = patient
	}
	if a.Kind == RenewalByItem {
		m.Prescriptions = prescriptions(a.Medicines)
	}
	for _, f := range a.Files {
		m.Attachments = append(m.Attachments, helsenorge.NewAttachment(f.Name, f.Content))
	}
	return m, nil
}

// acting is another citizen who acts for one, and by what right; by 0 is nobody.
type acting struct {
	by       int
	relation string
}

// message completes a citizen's message: ids, parties, who it is about, and who acts
// for him.
func (h *Helsenorge) message(ctx context.Context, head helsenorge.Head, d *helsenorge.Dialog, citizen, to int, other acting) (*helsenorge.Message, error) {
	head.MsgID, head.GenDate = uuid.NewString(), time.Now().UTC().Truncate(time.Second)
	who := Citizen(citizen)
	head.Patient = &helsenorge.Patient{GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, IDType: codes.Fodselsnummer}
	head.ProcessName = codes.Name(codes.Processes, head.Process)
	var err error
	if head.Sender, err = registry.Address(ctx, h.cfg.Registry, h.sender()); err != nil {
		return nil, err
	}
	if head.Receiver, err = registry.Address(ctx, h.cfg.Registry, to); err != nil {
		return nil, err
	}
	m := &helsenorge.Message{Head: head, Dialog: d}
	m.Head.WantsReceipt = !m.Synchronous()
	if other.by != 0 {
		by, relation := Citizen(other.by), cmp.Or(other.relation, "FO")
		m.Relation = &helsenorge.Relation{
			Kind:   helsenorge.Code{V: relation, S: codes.Representation.OID(), DN: codes.Name(codes.Representation, relation)},
			Person: helsenorge.Person{GivenName: by.GivenName, FamilyName: by.FamilyName, NationalID: by.NationalID, IDType: codes.Fodselsnummer, Phone: by.Phone},
		}
	}
	return m, nil
}

// Raw is bytes that are put on the clinic's queue as they are: what a citizen
// could not do and an attacker might.
type Raw struct {
	Body []byte `json:"body"`
	// Subject is the transport's message function; "" is the process that the body names.
	Subject string `json:"subject,omitempty"`
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
	if r.Subject == "" {
		r.Subject = transport.SubjectUnknown
		if m, _ := helsenorge.Read(r.Body); m != nil {
			r.Subject = m.Head.Process
		}
	}
	for range max(r.Times, 1) {
		if err := h.send(ctx, r.To, r.From, r.Subject, r.TransportID, r.Body); err != nil {
			return "", err
		}
	}
	return r.TransportID, nil
}
