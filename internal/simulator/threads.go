package simulator

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Said is what a message says to people.
type Said struct {
	// Function is TypeForesp or TemaKodet.
	Function string `json:"function"`
	Subject  string `json:"subject,omitempty"`
	Text     string `json:"text"`
	Files    []File `json:"files,omitempty"`
	// Medicines are the names of the prescriptions that it carries.
	Medicines []string `json:"medicines,omitempty"`
	// Author is who wrote it, or is asked for, by name, and Role his code of 9034 where
	// it has one.
	Author string `json:"author,omitempty"`
	Role   string `json:"role,omitempty"`
	// By is who wrote on the citizen's behalf, Relation by what right (7611).
	By       string `json:"by,omitempty"`
	Relation string `json:"relation,omitempty"`
}

// File is a file of a message. Content is left out where only its facts are shown.
type File struct {
	Name    string `json:"name"`
	MIME    string `json:"mime,omitempty"`
	Size    int    `json:"size,omitempty"`
	Content []byte `json:"content,omitempty"`
}

func said(m *helsenorge.Message) Said {
	var s Said
	if m.Dialog == nil {
		return s
	}
	s.Function = m.Dialog.Function()
	var roles []helsenorge.Role
	if r := m.Dialog.Request; r != nil {
		s.Subject, s.Text, roles = r.Subject, r.Text.Plain, r.Roles
	} else if n := m.Dialog.Note; n != nil {
		s.Subject, s.Text, roles = n.Subject, n.Text.Plain, n.Roles
	}
	for _, a := range m.Attachments {
		s.Files = append(s.Files, File{Name: a.Description, MIME: a.MIME, Size: int(a.Size())})
	}
	for _, p := range m.Prescriptions {
		s.Medicines = append(s.Medicines, p.Name)
	}
	for _, r := range roles {
		if r.RoleToPatient != nil {
			s.Role = r.RoleToPatient.V
		}
		if p := r.Professional; p != nil {
			s.Author = p.GivenName + " " + p.FamilyName
		} else if p := r.Person; p != nil {
			s.Author = p.GivenName + " " + p.FamilyName
		}
	}
	if r := m.Relation; r != nil {
		s.By, s.Relation = r.Person.GivenName+" "+r.Person.FamilyName, r.Kind.V
	}
	return s
}

// Thread is a conversation as the citizen sees it under Meldinger: what he wrote, and
// what Helsenorge accepted for him.
type Thread struct {
	// Conversation is the MsgId of its first message.
	Conversation string `json:"conversation"`
	Process      string `json:"process"`
	Subject      string `json:"subject,omitempty"`
	// Party is the clinic's.
	Party int `json:"party"`
	// Answerable is false for a one-way contact and for a renewal: he cannot write in it.
	Answerable bool `json:"answerable"`
	// Ended tells that the clinic regards it as ended (13); he may go on all the same.
	Ended    bool      `json:"ended,omitempty"`
	Messages []Message `json:"messages"`
}

// Message is one message of a thread.
type Message struct {
	MsgID  string `json:"msgId"`
	Parent string `json:"parent,omitempty"`
	// Own is true for the citizen's, also when another wrote it for him.
	Own bool `json:"own,omitempty"`
	Said
	At time.Time `json:"at"`
}

// inThreads are the processes that citizens see as conversations.
var inThreads = []string{codes.EKontakt, codes.EKonsultasjon, codes.Reseptfornyelse}

// Threads returns the citizen's conversations, the one that was last written in first,
// each with its messages in the order in which they came.
func (h *Helsenorge) Threads(citizen int) []Thread {
	nationalID := Citizen(citizen).NationalID
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]*Thread{}
	add := func(conversation, process string, party int, m Message) {
		if !slices.Contains(inThreads, process) {
			return
		}
		t := all[conversation]
		if t == nil {
			t = &Thread{Conversation: conversation, Process: process, Party: party, Answerable: process != codes.Reseptfornyelse}
			all[conversation] = t
		}
		t.Messages = append(t.Messages, m)
	}
	for _, r := range h.received {
		if r.Patient == nationalID && r.Refused == "" {
			add(r.conversation(), r.Process, r.From, Message{MsgID: r.MsgID, Parent: r.Parent, Said: r.Said, At: r.At})
		}
	}
	for _, s := range h.sent {
		if s.Citizen != citizen {
			continue
		}
		if m, _ := helsenorge.Read(s.XML); m != nil {
			add(s.Conversation, m.Head.Process, s.To, Message{MsgID: s.MsgID, Parent: m.Head.RefToParent, Own: true, Said: said(m), At: s.At})
		}
	}
	out := []Thread{}
	for _, t := range all {
		slices.SortFunc(t.Messages, func(a, b Message) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.MsgID, b.MsgID)) })
		first, last := t.Messages[0], t.Messages[len(t.Messages)-1]
		t.Subject, t.Ended = first.Subject, last.Function == codes.DialogueClosed
		t.Answerable = t.Answerable && first.Function != codes.OneWayToCitizen
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b Thread) int {
		return cmp.Or(b.Messages[len(b.Messages)-1].At.Compare(a.Messages[len(a.Messages)-1].At), strings.Compare(a.Conversation, b.Conversation))
	})
	return out
}

// conversation is what a citizen's message joins.
type conversation struct {
	id, process string
	party       int
	patient     *helsenorge.Patient
	// oneWay is true when he cannot write in it.
	oneWay bool
	// citizen is who began it, or -1 for the clinic.
	citizen int
}

// conversation finds the conversation of a message of a citizen's or of the clinic,
// whoever began it. What Helsenorge refused nobody has seen.
func (h *Helsenorge) conversation(msgID string) (conversation, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := ""
	if r := h.byMsgID[msgID]; r != nil && r.Refused == "" {
		id = r.conversation()
	} else if s := h.sent[msgID]; s != nil {
		id = s.Conversation
	}
	out := conversation{id: id, citizen: -1}
	var xml []byte
	if first := h.sent[id]; first != nil {
		xml, out.party, out.citizen = first.XML, first.To, first.Citizen
	} else if first := h.byMsgID[id]; first != nil && first.Refused == "" {
		xml, out.party, out.oneWay = first.XML, first.From, first.Function == codes.OneWayToCitizen
	}
	m, _ := helsenorge.Read(xml)
	if m == nil || m.Head.Patient == nil {
		return out, apperr.New(apperr.NotFound, "no conversation that a citizen sees has that MsgId")
	}
	out.process, out.patient = m.Head.Process, m.Head.Patient
	return out, nil
}

// join makes a the next message of the conversation that it answers.
func (h *Helsenorge) join(a *Action, head *helsenorge.Head) (*helsenorge.Patient, error) {
	c, err := h.conversation(a.InReplyTo)
	if err != nil {
		return nil, err
	}
	switch {
	case c.citizen >= 0:
		a.Citizen = c.citizen
	case Citizen(a.Citizen).NationalID != c.patient.NationalID:
		return nil, apperr.InvalidFields("the conversation is another citizen's", apperr.Field{Path: "citizen", Rule: "whom the clinic wrote to"})
	}
	if c.oneWay && a.Kind == Reply {
		return nil, apperr.InvalidFields("a one-way contact cannot be answered", apperr.Field{Path: "inReplyTo", Rule: "a message of a conversation other than EKI"})
	}
	head.Process, head.RefToParent, head.RefToConversation = c.process, a.InReplyTo, c.id
	a.To = c.party
	patient := *c.patient
	return &patient, nil
}
