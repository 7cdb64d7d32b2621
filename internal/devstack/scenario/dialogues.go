package scenario

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/domain/title"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// Thread is what became of one citizen's message.
type Thread struct {
	Kind    simulator.Kind
	Process contract.Process
	// Sent is the message as the citizen sent it.
	Sent    simulator.Sent
	Subject string
	// Code and Text are the clinic's answer, By its author.
	Code, Text string
	By         identity.Principal
	DialogueID string
	WorkflowID string
	// URL is the page of the workflow's run in the Temporal UI.
	URL string
}

// threads are the citizens and what they write about: one of each process.
func threads() []*Thread {
	return []*Thread{
		{
			Kind: simulator.EConsultation, Process: contract.ProcessEConsultation, Subject: "Vondt i kneet",
			By: demo.GP, Code: contract.AnswerFromPractitioner, Text: "Hei. La kneet hvile i to uker, og skriv igjen om det ikke blir bedre.",
		},
		{
			Kind: simulator.EContact, Process: contract.ProcessEContact, Subject: "Attest til skolen",
			By: demo.Desk, Code: contract.AnswerToEnquiry, Text: "Hei. Attesten ligger klar i skranken fra fredag klokken ti.",
		},
		{
			Kind: simulator.Renewal, Process: contract.ProcessPrescription, Subject: "Fornye resept",
			By: demo.GP, Code: contract.AnswerCannotRenew, Text: "Hei. Denne må vi snakke om først. Bestill en time, så ser vi på den.",
		},
	}
}

// send lets the citizens write.
func (p *play) send(ctx context.Context) error {
	began := time.Now()
	items, err := p.inbox(ctx, demo.GP)
	if err != nil {
		return err
	}
	p.before = map[string]bool{}
	for _, i := range items {
		p.before[i.DialogueID] = true
	}
	for i, t := range p.result.Threads {
		var err error
		if t.Sent, err = p.stack.Simulator.Act(ctx, simulator.Action{Kind: t.Kind, To: demo.GPHerID, Citizen: i, Subject: t.Subject}); err != nil {
			return err
		}
	}
	p.tell(began, "Three citizens write to %s on helsenorge.no. The simulated Helsenorge puts their messages (XML of HITS 1217) on the clinic's queue.", demo.Clinic().Staff[0].Name)
	for i, t := range p.result.Threads {
		who := simulator.Citizen(i)
		p.line("%-14s  %s %s: %s", t.Kind, who.GivenName, who.FamilyName, t.Subject)
	}
	return nil
}

// receipts waits for the clinic's receipts.
func (p *play) receipts(ctx context.Context) error {
	began := time.Now()
	if err := await(ctx, "a receipt for each message", func() (bool, error) {
		book, err := p.stack.Simulator.Book(ctx)
		if err != nil {
			return false, err
		}
		for _, t := range p.result.Threads {
			i := slices.IndexFunc(book.Receipts, func(r simulator.Receipt) bool { return r.Original == t.Sent.MsgID })
			if i < 0 {
				return false, nil
			}
			if r := book.Receipts[i]; !r.OK {
				return false, fmt.Errorf("the clinic refused the %s with %s", t.Kind, strings.Join(r.Codes, ", "))
			}
		}
		return true, nil
	}); err != nil {
		return err
	}
	p.tell(began, "Each message is stored, raw and parsed, before anything else happens to it. Three positive receipts (AppRec) are back at Helsenorge.")
	return nil
}

// inboxes waits until each message is in an inbox and its workflow knows it, and
// shows the inboxes.
func (p *play) inboxes(ctx context.Context) error {
	began := time.Now()
	for _, t := range p.result.Threads {
		if err := await(ctx, "the "+string(t.Kind)+" in an inbox", func() (bool, error) { return p.placed(ctx, t) }); err != nil {
			return err
		}
	}
	c, err := p.stack.Client()
	if err != nil {
		return err
	}
	defer c.Close()
	for _, t := range p.result.Threads {
		run, err := c.DescribeWorkflowExecution(ctx, t.WorkflowID, "")
		if err != nil {
			return err
		}
		t.URL = p.stack.Temporal.WorkflowURL(t.WorkflowID, run.GetWorkflowExecutionInfo().GetExecution().GetRunId())
	}
	p.tell(began, "Each message has a workflow of its own, which puts it in an inbox by the clinic's rules: e-consultations go to the patient's own practitioner, the others to everybody at the clinic.")
	for _, reader := range []struct {
		who  identity.Principal
		name string
	}{{demo.GP, "Frida Fastlege, general practitioner"}, {demo.Desk, "Solveig Sekretær, at the desk"}} {
		items, err := p.inbox(ctx, reader.who)
		if err != nil {
			return err
		}
		p.line("Inbox of %s:", reader.name)
		older := len(items)
		for _, i := range items {
			if slices.ContainsFunc(p.result.Threads, func(t *Thread) bool { return t.DialogueID == i.DialogueID }) {
				older--
				p.line("  %-32s  %-15s  in %s", i.Title, i.Status, i.Recipient)
			}
		}
		if older > 0 {
			p.line("  and %d of earlier runs", older)
		}
	}
	p.line("The workflows in the Temporal UI, which shows no patient:")
	for _, t := range p.result.Threads {
		p.line("  %-14s  %s", t.Kind, t.URL)
	}
	return nil
}

// placed looks for the thread's dialogue and asks its workflow whether it waits for
// the clinic.
func (p *play) placed(ctx context.Context, t *Thread) (bool, error) {
	if t.DialogueID == "" {
		items, err := p.inbox(ctx, demo.GP)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(items, func(i pg.InboxItem) bool {
			return !p.before[i.DialogueID] && i.Process == t.Process && i.Title == title.Inbound("", t.Subject)
		})
		if i < 0 {
			return false, nil
		}
		t.DialogueID = items[i].DialogueID
	}
	var e client.Explanation
	if err := p.call(ctx, t.By, http.MethodGet, "/dialogues/"+t.DialogueID+"/explain", nil, &e); err != nil {
		return false, err
	}
	t.WorkflowID = e.Lifecycle.WorkflowID
	switch {
	case e.Lifecycle.Dialogue != nil:
		return e.Lifecycle.Dialogue.Status == contract.StatusAwaitingClinic, nil
	case e.Lifecycle.Prescription != nil:
		return e.Lifecycle.Prescription.Status == contract.StatusAwaitingClinic, nil
	}
	return false, nil
}

func (p *play) inbox(ctx context.Context, who identity.Principal) ([]pg.InboxItem, error) {
	var l api.List[pg.InboxItem]
	err := p.call(ctx, who, http.MethodGet, fmt.Sprintf("/inbox?limit=%d", client.MaxLimit), nil, &l)
	return l.Items, err
}

func (p *play) dialogue(ctx context.Context, t *Thread) (pg.Dialogue, error) {
	var d pg.Dialogue
	err := p.call(ctx, t.By, http.MethodGet, "/dialogues/"+t.DialogueID, nil, &d)
	return d, err
}

// journalled waits until the e-consultation has n journal entries, and holds that
// the others have none (S50, S53).
func (p *play) journalled(ctx context.Context, n int) error {
	for _, t := range p.result.Threads {
		if err := await(ctx, "the journal entry of the "+string(t.Kind), func() (bool, error) {
			d, err := p.dialogue(ctx, t)
			if err != nil || t.Kind == simulator.EConsultation {
				return len(d.Journal) == n, err
			}
			if len(d.Journal) > 0 {
				return false, fmt.Errorf("the %s is in the journal, where it must not be by itself", t.Kind)
			}
			return true, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func (p *play) journal(ctx context.Context) error {
	began := time.Now()
	if err := p.journalled(ctx, 1); err != nil {
		return err
	}
	p.tell(began, "The e-consultation is in the patient's journal, by itself. The e-contact and the renewal request are not: staff decides about them.")
	return nil
}

// answer gives each citizen an answer, one of them with the CLI.
func (p *play) answer(ctx context.Context) error {
	began := time.Now()
	var commandLine string
	for _, t := range p.result.Threads {
		if t.Kind == simulator.EContact {
			args := []string{"dialogue", "answer", t.DialogueID, "--code", t.Code, "--text", t.Text}
			commandLine = fmt.Sprintf("$ go run ./starter dialogue answer %s --code %s --text '%s'", t.DialogueID, t.Code, t.Text)
			said, err := p.cli(ctx, t.By, args...)
			if err != nil {
				return err
			}
			commandLine += "\n" + said
			continue
		}
		if err := p.call(ctx, t.By, http.MethodPost, "/dialogues/"+t.DialogueID+"/answers", api.AnswerRequest{Code: t.Code, Text: t.Text}, nil); err != nil {
			return err
		}
	}
	p.tell(began, "The practitioner answers the e-consultation (12) and the renewal request (15) through the HTTP API, the desk answers the e-contact (19) with the CLI. An accepted answer is durable.")
	p.quote(commandLine)
	return nil
}

// follow waits until Helsenorge has the answers and its receipts have closed the
// deliveries.
func (p *play) follow(ctx context.Context) error {
	began := time.Now()
	for _, t := range p.result.Threads {
		if err := await(ctx, "Helsenorge's receipt for the answer to the "+string(t.Kind), func() (bool, error) { return p.delivered(ctx, t) }); err != nil {
			return err
		}
	}
	if err := p.journalled(ctx, 2); err != nil {
		return err
	}
	p.tell(began, "The answers are at Helsenorge, each in its citizen's thread, and Helsenorge's receipts have closed the deliveries. The answer to the e-consultation is in the journal too.")
	for _, t := range p.result.Threads {
		d, err := p.dialogue(ctx, t)
		if err != nil {
			return err
		}
		p.line("%-14s  answer %s acknowledged, the dialogue is %s", t.Kind, t.Code, d.Status)
	}
	return nil
}

// delivered compares Helsenorge's book and the clinic's view of the answer.
func (p *play) delivered(ctx context.Context, t *Thread) (bool, error) {
	book, err := p.stack.Simulator.Book(ctx)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(book.Received, func(r simulator.Received) bool { return r.Parent == t.Sent.MsgID })
	if i < 0 {
		return false, nil
	}
	if r := book.Received[i]; r.Function != t.Code || r.Conversation != t.Sent.MsgID || len(r.Problems) > 0 {
		return false, fmt.Errorf("the answer to the %s came as %s, with %d faults", t.Kind, r.Function, len(r.Problems))
	}
	d, err := p.dialogue(ctx, t)
	if err != nil || len(d.Answers) != 1 {
		return false, err
	}
	switch a := d.Answers[0]; contract.Outcome(a.State) {
	case contract.OutcomeAcknowledged:
		return d.Status == contract.StatusAnswered || d.Status == contract.StatusClosed, nil
	case contract.OutcomeRejected, contract.OutcomeErrorQueue, contract.OutcomeFailed, contract.OutcomeOverdue, contract.OutcomeSuperseded:
		return false, fmt.Errorf("the answer to the %s ended as %s", t.Kind, a.State)
	default:
		return false, nil // drafted, accepted or sent
	}
}

// explain shows what the ledger has of the e-consultation.
func (p *play) explain(ctx context.Context) error {
	began := time.Now()
	t := p.result.Threads[0]
	said, err := p.cli(ctx, t.By, "explain", t.DialogueID)
	if err != nil {
		return err
	}
	p.tell(began, "Every effect was written down before it was attempted and has one outcome. This is what one command tells about the e-consultation:")
	p.quote("$ go run ./starter explain " + t.DialogueID + "\n" + said)
	return nil
}
