package dialogues_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/prescription"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// dialogueLife is one citizen with his dialogues, and what both sides do in them.
type dialogueLife struct {
	*village
	citizen int
	patient string
	party   int
	random  *rand.Rand

	story []string
	// sent are the citizen's messages.
	mu   sync.Mutex
	sent []simulator.Sent
	// accepted are the clinic's messages that were accepted, refusals those that were not:
	// the word that each has alone, by its id.
	accepted, refusals map[string]string
	words              int
}

// tell adds a line to the story.
func (l *dialogueLife) tell(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.story = append(l.story, time.Now().Format("15:04:05.00 ")+fmt.Sprintf(format, args...))
}

// wrong says what is wrong with the life.
func (l *dialogueLife) wrong(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Errorf("the life of citizen %d, patient %s: %s\n  %s", l.citizen, l.patient, fmt.Sprintf(format, args...), strings.Join(l.story, "\n  "))
}

// word is one that no other message has.
func (l *dialogueLife) word() string {
	l.words++
	return fmt.Sprintf("ord-%d-%d-", l.citizen, l.words)
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// live begins a dialogue and goes on with it, and with those that come of it.
func (l *dialogueLife) live() {
	if l.random.IntN(10) < 7 {
		l.write(pick(l.random, simulator.EConsultation, simulator.EContact, simulator.EContact, simulator.Renewal, simulator.RenewalByItem))
	} else {
		l.start()
	}
	for range 5 + l.random.IntN(9) {
		if l.Failed() {
			return
		}
		l.act()
		l.acted()
	}
}

// act is what either side does next.
func (l *dialogueLife) act() {
	if l.random.IntN(100) < 60 {
		l.settle()
	}
	switch what := l.random.IntN(100); {
	case what < 22:
		l.reply()
	case what < 26:
		l.write(pick(l.random, simulator.EConsultation, simulator.EContact, simulator.RenewalByItem))
	case what < 29:
		l.unread()
	case what < 33:
		l.reachable()
	case what < 38:
		l.start()
	default:
		if d, ok := l.dialogue(); ok {
			l.handle(d)
		}
	}
}

// dialogues are the citizen's, as the clinic lists them.
func (l *dialogueLife) dialogues() []pg.DialogueItem {
	status, body := l.atLast(desk, http.MethodGet, "/dialogues?patient="+l.patient, "", nil)
	var found api.List[pg.DialogueItem]
	if status != http.StatusOK || json.Unmarshal(body, &found) != nil {
		status, body = l.atLast(admin, http.MethodGet, "/dialogues?patient="+l.patient, "", nil)
		if status != http.StatusOK || json.Unmarshal(body, &found) != nil {
			l.wrong("the dialogues are not listed: %d %s", status, body)
		}
	}
	return found.Items
}

// dialogue is one of them, as it reads.
func (l *dialogueLife) dialogue() (pg.Dialogue, bool) {
	all := l.dialogues()
	if len(all) == 0 {
		return pg.Dialogue{}, false
	}
	var d pg.Dialogue
	status, body := l.atLast(doctor, http.MethodGet, "/dialogues/"+all[l.random.IntN(len(all))].DialogueID, "", nil)
	if status != http.StatusOK || json.Unmarshal(body, &d) != nil {
		l.tell("a dialogue does not read: %d %s", status, body) // a draft was refused meanwhile
		return d, false
	}
	return d, true
}

// settle waits until what was last written is in an inbox and has left; it need not.
func (l *dialogueLife) settle() {
	until := time.Now().Add(3 * time.Second)
	l.eventually("it settles, or not", func() error {
		for _, d := range l.dialogues() {
			if (d.Status == contract.StatusReceived || d.Status == contract.StatusSending) && time.Now().Before(until) {
				return errors.New("not yet")
			}
		}
		return nil
	})
}

// write is a citizen's first message of a dialogue.
func (l *dialogueLife) write(kind simulator.Kind) {
	a := simulator.Action{Kind: kind, To: l.party, Text: l.word() + "spør", Subject: "Sak " + l.word()}
	if kind == simulator.RenewalByItem {
		a.Medicines = simulator.Medicines()[:1+l.random.IntN(3)]
	}
	l.send(a)
}

// send does what a citizen does, now and then more than once.
func (l *dialogueLife) send(a simulator.Action) {
	a.Citizen = l.citizen
	if l.random.IntN(4) == 0 {
		a.Times, a.NewEnvelope = 2+l.random.IntN(2), l.random.IntN(2) == 0
	}
	s, err := l.Simulator.Act(l.Context(), a)
	if err != nil {
		l.tell("%s cannot be sent: %v", a.Kind, err)
		if !apperr.Is(err, apperr.Invalid) && !apperr.Is(err, apperr.NotFound) {
			l.wrong("the simulator does not send: %v", err)
		}
		return
	}
	l.tell("citizen: %s %s in %s, %d times", a.Kind, s.MsgID, s.Conversation, max(a.Times, 1))
	l.mu.Lock()
	l.sent = append(l.sent, s)
	l.mu.Unlock()
	l.count("citizen " + string(a.Kind))
}

// reply answers any message of any conversation, or two at once.
func (l *dialogueLife) reply() {
	threads, err := l.Simulator.Threads(l.Context(), l.citizen)
	if err != nil {
		l.wrong("no threads: %v", err)
		return
	}
	threads = slices.DeleteFunc(threads, func(t simulator.Thread) bool { return !t.Answerable })
	if len(threads) == 0 {
		return
	}
	t := pick(l.random, threads...)
	to := pick(l.random, t.Messages...).MsgID
	one := simulator.Action{Kind: simulator.Reply, InReplyTo: to, Text: l.word() + "svarer"}
	if l.random.IntN(3) > 0 {
		l.send(one)
		return
	}
	second := simulator.Action{Kind: simulator.Reply, InReplyTo: to, Text: l.word() + "svarer også", Citizen: l.citizen}
	var sent simulator.Sent
	done := make(chan struct{})
	go func() {
		defer close(done)
		sent, err = l.Simulator.Act(l.Context(), second)
	}()
	l.send(one)
	<-done
	if err == nil {
		l.tell("citizen: at the same time %s in %s", sent.MsgID, sent.Conversation)
		l.mu.Lock()
		l.sent = append(l.sent, sent)
		l.mu.Unlock()
	}
}

// unread is Helsenorge's word that the citizen has not read a message of the clinic.
func (l *dialogueLife) unread() {
	threads, err := l.Simulator.Threads(l.Context(), l.citizen)
	if err != nil {
		l.wrong("no threads: %v", err)
		return
	}
	for _, t := range threads {
		for _, m := range t.Messages {
			if !m.Own {
				l.send(simulator.Action{Kind: simulator.Unread, InReplyTo: m.MsgID})
				return
			}
		}
	}
}

// reachable lets the citizen go from Helsenorge, or come back, whether or not the clinic
// is told of it; when it is not, it learns by E35.
func (l *dialogueLife) reachable() {
	a := simulator.Activity{Citizen: l.citizen, Self: l.random.IntN(3) > 0, To: pick(l.random, l.party, 0)}
	l.tell("citizen: active %t, told %t", a.Self, a.To != 0)
	if err := l.Simulator.SetActivity(l.Context(), a); err != nil {
		l.wrong("no activity: %v", err)
	}
	if a.Self {
		l.count("citizen back")
	} else {
		l.count("citizen gone")
	}
}

// start is a dialogue that the clinic begins.
func (l *dialogueLife) start() {
	word := l.word()
	s := client.StartDialogue{
		Kind: pick(l.random, contract.ProcessEContact, contract.ProcessEConsultation), PatientID: l.patient,
		Subject: "Sak " + word, Text: word + "tilbyr", OneWay: l.random.IntN(4) == 0,
	}
	l.say("start "+string(s.Kind), pick(l.random, doctor, colleague), "/dialogues", word, s)
}

// say gives the clinic's message to the API, with what becomes of it.
func (l *dialogueLife) say(what string, who identity.Principal, path, word string, in any) bool {
	key := uuid.NewString()
	status, body := l.atLast(who, http.MethodPost, path, key, in)
	ok := l.took(what, key, status, body)
	if ok {
		l.accepted[key] = word
	} else {
		l.refusals[key] = word
	}
	return ok
}

// took tells whether the API accepted; what it refuses it must refuse for a reason.
func (l *dialogueLife) took(what, key string, status int, body []byte) bool {
	l.tell("clinic: %s %s: %d %s", what, key, status, strings.TrimSpace(string(body[:min(len(body), 300)])))
	kind, _, _ := strings.Cut(what, " ")
	switch {
	case status < 300:
		l.count("clinic " + kind)
		return true
	case status == http.StatusConflict, status == http.StatusUnprocessableEntity, status == http.StatusNotFound, status == http.StatusForbidden:
		l.count("refused " + kind)
		return false
	}
	l.wrong("%s is neither accepted nor refused: %d %s", what, status, body)
	return false
}

// handle is what the clinic does with a dialogue.
func (l *dialogueLife) handle(d pg.Dialogue) {
	path := "/dialogues/" + d.ID
	who := pick(l.random, doctor, colleague)
	change := func(c api.DialogueChangeRequest) {
		key := uuid.NewString()
		status, body := l.atLast(who, http.MethodPost, path+"/changes", key, c)
		l.took(string(c.Kind)+" in "+d.ID+" as "+who.Subject, key, status, body)
	}
	turn := func() {
		word := l.word()
		kind := pick(l.random, contract.ProcessEContact, contract.ProcessEConsultation)
		l.say("turn into "+string(kind)+" of "+d.ID, who, path+"/turn", word, client.Turn{Kind: kind, Subject: "Sak " + word, Text: word + "fortsetter"})
	}
	lost := slices.IndexFunc(d.Answers, func(a pg.Answer) bool {
		return a.ResentAt == nil && (a.State == string(contract.OutcomeOverdue) || a.State == string(contract.OutcomeErrorQueue))
	})
	switch what := l.random.IntN(100); {
	case lost >= 0 && what < 40:
		change(api.DialogueChangeRequest{Kind: pg.ResendMessage, MessageID: d.Answers[lost].ID})
	case d.Process == contract.ProcessPrescription && d.Status == contract.StatusAnswered && what < 40:
		turn()
	case what < 45:
		l.answer(d, who)
	case what < 50:
		change(api.DialogueChangeRequest{Kind: pg.TakeDialogue})
	case what < 56:
		change(api.DialogueChangeRequest{Kind: pg.AssignDialogue, StaffID: pick(l.random, doctorID, colleagueID, deskID, "")})
	case what < 66:
		change(api.DialogueChangeRequest{Kind: pg.ForwardDialogue, To: []routing.Recipient{pick(l.random,
			routing.Recipient{Kind: routing.Personal, ID: doctorID}, routing.Recipient{Kind: routing.Personal, ID: colleagueID},
			routing.Recipient{Kind: routing.Personal, ID: deskID}, routing.Recipient{Kind: routing.Group, ID: "desk"},
			routing.Recipient{Kind: routing.Position, ID: "gp"}, routing.WholeClinic)}})
	case what < 72:
		change(api.DialogueChangeRequest{Kind: pg.CloseDialogue})
	case what < 82 && d.Process != contract.ProcessPrescription:
		change(api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
	case what < 82:
		change(api.DialogueChangeRequest{Kind: pg.SplitRequest, Items: []string{"Allergex", "Pustex"}[:1+l.random.IntN(2)]})
	case what < 92 && len(d.Answers) > 0:
		a := pick(l.random, d.Answers...)
		if a.State == "sent" && l.random.IntN(2) == 0 {
			l.report(a.ID)
			return
		}
		change(api.DialogueChangeRequest{Kind: pg.ResendMessage, MessageID: a.ID})
	case d.Process == contract.ProcessPrescription:
		turn()
	default:
		l.answer(d, who)
	}
}

// answer answers a dialogue, as its process has it, to the latest message or the one that
// was read, perhaps as a follow-up, perhaps for the last time.
func (l *dialogueLife) answer(d pg.Dialogue, who identity.Principal) {
	word := l.word()
	in := api.AnswerRequest{Text: word + "svarer", FollowUp: l.random.IntN(3) == 0, Close: l.random.IntN(6) == 0}
	if l.random.IntN(2) == 0 {
		in.InReplyTo = d.LatestMessageID
	}
	switch d.Process {
	case contract.ProcessEConsultation:
		in.Code = pick(l.random, contract.AnswerFromPractitioner, contract.AnswerFromPractitioner, contract.AnswerFromPractitioner, contract.AnswerDialogueEnded)
	case contract.ProcessEContact:
		in.Code = pick(l.random, contract.AnswerToEnquiry, contract.AnswerToEnquiry, contract.AnswerToEnquiry, contract.AnswerRefused)
	case contract.ProcessPrescription:
		in.FollowUp, in.Close = false, false
		for _, p := range d.Prescriptions {
			i := pg.ItemDecision{ID: p.ID, Decision: pick(l.random, prescription.Renewed, prescription.Cannot, prescription.Rejected)}
			if i.Decision != prescription.Renewed {
				i.Reason = "Må vurderes"
			} else if p.Medicine == nil {
				i.Medicine = &pg.Medicine{
					Kind: pg.MedicinePack, Name: "Allergex tab 10 mg", ATC: "R06ZZ99", Group: "C", ItemNumber: "990017", ItemID: "ID_99001700-0001",
					TradeName: "Allergex", PackSize: "100", PackUnit: "stk", Quantity: "1",
				}
			}
			in.Items = append(in.Items, i)
		}
		if len(in.Items) == 0 {
			in.Code = contract.AnswerCannotRenew
		}
	default: // no other kind is among the lives
	}
	l.say(fmt.Sprintf("answer %s %s close %t followUp %t to %s as %s in", in.Code, d.Process, in.Close, in.FollowUp, in.InReplyTo, who.Subject)+" "+d.ID,
		who, "/dialogues/"+d.ID+"/answers", word, in)
}

// report is Helsenorge's report on the clinic's error queue about a message whose receipt
// is outstanding.
func (l *dialogueLife) report(outboundID string) {
	row, err := l.sql.SQL(l.Context(), "SELECT transport_id, from_her_id, to_her_id FROM outbound_message WHERE sent_at IS NOT NULL AND outcome IS NULL AND id = '"+outboundID+"'")
	if err != nil || row == "" {
		return
	}
	f := strings.Split(row, "|")
	r := transport.ErrorReport{Condition: transport.ConditionInvalidFieldValue, Description: "a field has another value", OriginalMessageID: f[0], ReceivedAt: time.Now().UTC()}
	var from, to int
	if _, err := fmt.Sscan(f[1], &from); err != nil {
		return
	}
	if _, err := fmt.Sscan(f[2], &to); err != nil {
		return
	}
	c, err := loopback.NewClient(l.SimulatorURL())
	if err != nil {
		l.wrong("no queue: %v", err)
		return
	}
	defer c.Close(l.Context()) //nolint:errcheck // it holds no link
	m := r.About(&transport.Message{ID: f[0], FromHerID: from, ToHerID: to}, villageErrorQueue, uuid.NewString(), time.Now())
	if err := c.Send(l.Context(), m); err != nil {
		l.wrong("the report is not sent: %v", err)
		return
	}
	l.tell("Helsenorge: %s on the error queue", outboundID)
	l.count("reported")
}
