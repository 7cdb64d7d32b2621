// Package scenario plays Helsebro's main job on a running stack, from outside:
// citizens write through the simulated Helsenorge, the clinic reads and answers
// through the HTTP API and the CLI, and every step is told in words.
package scenario

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/domain/title"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	// patience bounds every wait of the play.
	patience = 2 * time.Minute
	// poll is how often the play looks for what it waits for.
	poll = 50 * time.Millisecond
	// width is how many characters of a sentence stand on a line.
	width = 100
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

// Result is what a play leaves to look at.
type Result struct {
	// Earlier tells that the clinic was there from an earlier run.
	Earlier bool
	// Patients are the ids of the citizens at the clinic.
	Patients []string
	Threads  []*Thread
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

// play is one run of the scenario.
type play struct {
	stack  *stack.Stack
	out    io.Writer
	steps  int
	result Result
	// before are the dialogues that were there before the citizens wrote.
	before map[string]bool
}

// Play writes the demonstration clinic with its patients and plays the main job
// once, telling it on out. The stack's parts must run (stack.Run). It may be played
// again on the same stack or the same data: clinic and patients keep their ids, and
// the citizens write anew. Whatever fails, or does not come within two minutes, is
// an error that says which step it was.
func Play(ctx context.Context, s *stack.Stack, out io.Writer) (Result, error) {
	p := &play{stack: s, out: out, result: Result{Threads: threads()}}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"writing the clinic", p.seed},
		{"sending what the citizens write", p.send},
		{"reading the receipts", p.receipts},
		{"reading the inboxes", p.inboxes},
		{"reading the journal", p.journal},
		{"answering", p.answer},
		{"following the answers", p.follow},
		{"explaining", p.explain},
	} {
		if err := step.do(ctx); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return p.result, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return p.result, nil
}

// Written asks the audit whether the database has the demonstration clinic: whether
// an earlier run has played on it.
func Written(ctx context.Context, s *stack.Stack) (bool, error) {
	auditor := identity.Principal{Subject: "helsebro-dev", ClinicID: demo.ClinicID, Role: identity.RoleAuditor}
	var rows api.List[pg.AuditRow]
	if err := (&play{stack: s}).call(ctx, auditor, http.MethodGet, fmt.Sprintf("/audit?limit=%d", client.MaxLimit), nil, &rows); err != nil {
		return false, err
	}
	// The auditor's own reading is a row too.
	return slices.ContainsFunc(rows.Items, func(r pg.AuditRow) bool { return r.Role != string(identity.RoleAuditor) }), nil
}

// seed writes clinic and patients as the clinic's record system.
func (p *play) seed(ctx context.Context) error {
	began := time.Now()
	var err error
	if p.result.Earlier, err = Written(ctx, p.stack); err != nil {
		return err
	}
	clinic := demo.Clinic()
	if err := p.call(ctx, demo.Service, http.MethodPut, "", clinic, nil); err != nil {
		return err
	}
	for i := range p.result.Threads {
		who := simulator.Citizen(i)
		var written api.PatientID
		if err := p.call(ctx, demo.Service, http.MethodPut, "/patients", api.PatientRequest{
			GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, Phone: who.Phone, PractitionerID: demo.GPID,
		}, &written); err != nil {
			return err
		}
		p.result.Patients = append(p.result.Patients, written.PatientID)
	}
	if p.result.Earlier {
		p.tell(began, "%s and its patients are there from an earlier run. The record system writes them once more through the HTTP API, which changes nothing.", clinic.Name)
		return nil
	}
	p.tell(began, "The record system writes the clinic through the HTTP API: %s with %d staff, and %d patients of %s.",
		clinic.Name, len(clinic.Staff), len(p.result.Threads), clinic.Staff[0].Name)
	return nil
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

// cli runs the CLI inside this process and returns what it prints.
func (p *play) cli(ctx context.Context, who identity.Principal, args ...string) (string, error) {
	token, err := p.stack.Token(who)
	if err != nil {
		return "", err
	}
	environment := map[string]string{"HELSEBRO_API_URL": p.stack.APIURL(), "HELSEBRO_CLINIC": demo.ClinicID, "HELSEBRO_TOKEN": token}
	var out, errs strings.Builder
	code := cli.Run(ctx, args, cli.Environment{
		In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(name string) string { return environment[name] },
	}, cli.Processes{})
	if code != cli.ExitDone {
		return "", fmt.Errorf("the CLI ended with exit code %d: %s", code, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// tell writes what a step did and how long it took, in lines of at most width.
func (p *play) tell(began time.Time, format string, args ...any) {
	p.steps++
	words := append(strings.Fields(fmt.Sprintf(format, args...)), fmt.Sprintf("(%.1f s)", time.Since(began).Seconds()))
	fmt.Fprintln(p.out)
	line := fmt.Sprintf("%d.", p.steps)
	for _, word := range words {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			fmt.Fprintln(p.out, line)
			line = "  "
		}
		line += " " + word
	}
	fmt.Fprintln(p.out, line)
}

// line writes a detail of the step.
func (p *play) line(format string, args ...any) {
	fmt.Fprintf(p.out, "   "+format+"\n", args...)
}

// quote writes what a command says.
func (p *play) quote(text string) {
	for line := range strings.Lines(text) {
		p.line("  %s", strings.TrimRight(line, "\n"))
	}
}

// await asks until the answer is yes. The error of an answer ends it, and so does
// patience, with what was awaited.
func await(ctx context.Context, what string, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("waited %s for %s, and it did not come", patience, what))
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		done, err := ask()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
