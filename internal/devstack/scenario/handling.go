package scenario

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/domain/prescription"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/client"
)

// letter is the name of the file that the desk sends, and what is in it.
const letter, letterContent = "brev.pdf", "%PDF-1.4\n% an invented letter\n%%EOF\n"

// begin lets the desk start a dialogue with a letter, and the citizen reply to it.
func (p *play) begin(ctx context.Context) error {
	began := time.Now()
	const citizen, subject, text = 0, "Brev fra spesialisten", "Hei. Her er brevet vi snakket om."
	patient := p.result.Patients[citizen]
	var r client.Reachability
	if err := p.call(ctx, demo.Desk, http.MethodGet, "/patients/"+patient+"/reachability?kind="+string(contract.ProcessEContact), nil, &r); err != nil {
		return err
	}
	if !r.Reachable {
		return fmt.Errorf("the patient cannot be contacted: %s", strings.Join(r.Explained, "; "))
	}
	dir, err := os.MkdirTemp("", "helsebro-letter-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a letter that was invented here
	file := filepath.Join(dir, letter)
	if err := os.WriteFile(file, []byte(letterContent), 0o600); err != nil {
		return err
	}
	args := []string{"dialogue", "start", "--patient", patient, "--kind", string(contract.ProcessEContact), "--subject", subject, "--text", text, "--attach"}
	said, err := p.cli(ctx, demo.Desk, append(args, file)...)
	if err != nil {
		return err
	}
	var asked simulator.Message
	if err := await(ctx, "the clinic's message among those of the citizen", func() (bool, error) {
		all, err := p.stack.Simulator.Threads(ctx, citizen)
		if err != nil {
			return false, err
		}
		for _, t := range all {
			if m := t.Messages[0]; t.Subject == subject && !m.Own && len(t.Messages) == 1 && len(m.Files) == 1 {
				asked = m
				return true, nil
			}
		}
		return false, nil
	}); err != nil {
		return err
	}
	const reply = "Takk, det har jeg ventet på."
	if _, err := p.stack.Simulator.Act(ctx, simulator.Action{Kind: simulator.Reply, InReplyTo: asked.MsgID, Citizen: citizen, Text: reply}); err != nil {
		return err
	}
	id := strings.Fields(said)[1]
	var d pg.Dialogue
	if err := await(ctx, "the citizen's reply in the dialogue that the clinic started", func() (bool, error) {
		err := p.call(ctx, demo.Desk, http.MethodGet, "/dialogues/"+id, nil, &d)
		return err == nil && len(d.Messages) == 1 && len(d.Inboxes) > 0 && d.Answers[0].State == string(contract.OutcomeAcknowledged), err
	}); err != nil {
		return err
	}
	who := simulator.Citizen(citizen)
	p.tell(began, "The clinic writes first. The gates are open for %s %s (a full birth number, consent, active on Helsenorge), and the desk starts an e-contact with a letter. It is at Helsenorge, and the reply is in the same dialogue.", who.GivenName, who.FamilyName)
	p.quote(fmt.Sprintf("$ go run ./starter dialogue start --patient %s --kind %s --subject '%s' --text '%s' --attach %s", patient, contract.ProcessEContact, subject, text, letter))
	p.quote(said)
	p.line("%s sees: %s, with %s; and replies: %s", who.GivenName, asked.Text, asked.Files[0].Name, d.Messages[0].Text)
	return nil
}

// convert makes the e-contact an e-consultation.
func (p *play) convert(ctx context.Context) error {
	began := time.Now()
	t := p.result.Threads[slices.IndexFunc(p.result.Threads, func(t *Thread) bool { return t.Process == contract.ProcessEContact })]
	said, err := p.cli(ctx, demo.GP, "dialogue", "convert", t.DialogueID)
	if err != nil {
		return err
	}
	var d pg.Dialogue
	if err := await(ctx, "the receipt for the notice of the fee, and the thread in the journal", func() (bool, error) {
		var err error
		d, err = p.dialogue(ctx, t)
		return d.BillableAt != nil && len(d.Journal) >= len(d.Messages)+len(d.Answers), err
	}); err != nil {
		return err
	}
	if d.Process != contract.ProcessEConsultation || len(d.Journal) != len(d.Messages)+len(d.Answers) {
		return fmt.Errorf("the dialogue is an %s with %d journal entries", d.Process, len(d.Journal))
	}
	p.tell(began, "The e-contact turns out to be about medical care: the practitioner makes it an e-consultation. Its whole thread is in the journal, %d messages, each once. The patient is told of the fee in a conversation of its own, and no fee may be taken before Helsenorge has that message.", len(d.Journal))
	p.quote("$ go run ./starter dialogue convert " + t.DialogueID + "\n" + said)
	return nil
}

// renew lets a citizen ask for two prescriptions, and the practitioner decide on each.
func (p *play) renew(ctx context.Context) error {
	began := time.Now()
	const citizen, text, reason = 2, "Hei.", "Du må ha time først."
	medicines := simulator.Medicines()[:2]
	sent, err := p.stack.Simulator.Act(ctx, simulator.Action{Kind: simulator.RenewalByItem, To: demo.GPHerID, Citizen: citizen, Medicines: medicines})
	if err != nil {
		return err
	}
	if err := await(ctx, "the renewal request in an inbox", func() (bool, error) {
		items, err := p.inbox(ctx, demo.GP)
		for _, i := range items {
			if i.Process == contract.ProcessPrescription && i.Unread && i.Status == contract.StatusAwaitingClinic && !p.before[i.DialogueID] {
				p.result.Request = i.DialogueID
			}
		}
		return p.result.Request != "", err
	}); err != nil {
		return err
	}
	said, err := p.cli(ctx, demo.GP, "prescription", "answer", p.result.Request, "--renew", "1", "--cannot", "2="+reason, "--text", text)
	if err != nil {
		return err
	}
	var got simulator.Received
	if err := await(ctx, "the answer at Helsenorge", func() (bool, error) {
		book, err := p.stack.Simulator.Book(ctx)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(book.Received, func(r simulator.Received) bool { return r.Parent == sent.MsgID })
		if i >= 0 {
			got = book.Received[i]
		}
		return i >= 0, nil
	}); err != nil {
		return err
	}
	if got.Function != prescription.OptionPartly || !slices.Equal(got.Medicines, medicines[:1]) || len(got.Problems) > 0 {
		return fmt.Errorf("the answer came as %s with %d prescriptions and %d faults", got.Function, len(got.Medicines), len(got.Problems))
	}
	shown, err := p.cli(ctx, demo.GP, "prescription", "show", p.result.Request)
	if err != nil {
		return err
	}
	who := simulator.Citizen(citizen)
	p.tell(began, "%s %s asks for two prescriptions, one by one. The practitioner renews the first and not the second: the answer says for itself that it is partly renewed (32), and carries the prescription (M1) of what is.", who.GivenName, who.FamilyName)
	p.quote(fmt.Sprintf("$ go run ./starter prescription answer %s --renew 1 --cannot '2=%s' --text '%s'", p.result.Request, reason, text))
	p.quote(said)
	p.quote("$ go run ./starter prescription show " + p.result.Request + "\n" + shown)
	return nil
}
