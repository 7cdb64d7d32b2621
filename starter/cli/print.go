package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// printDialogue writes a dialogue as one reads a conversation: oldest first.
func printDialogue(w io.Writer, d pg.Dialogue) error {
	var b strings.Builder
	who, about := d.Patient, ", patient "+d.PatientID
	if d.PatientID == "" { // between colleagues
		who, about = recipients(d.Participants), ""
	}
	fmt.Fprintf(&b, "%s\n%s, %s, %s\n", oneLine(d.Title), oneLine(who), d.Process, d.Status)
	fmt.Fprintf(&b, "dialogue %s%s, in %s\n", d.ID, about, oneLine(strings.Join(d.Inboxes, ", ")))
	printFacts(&b, d.DialogueFacts)
	type entry struct {
		at   time.Time
		text string
	}
	var all []entry
	for _, m := range d.Messages {
		var e strings.Builder
		fmt.Fprintf(&e, "\n%s  citizen (%s)  message %s\n", stamp(m.ReceivedAt), oneLine(meaning(m.Function)), m.ID)
		if m.Actor != "" {
			fmt.Fprintf(&e, "  written by %s (%s)\n", oneLine(m.Actor), oneLine(m.Relation))
		}
		paragraph(&e, m.Subject, m.Text)
		printFiles(&e, m.Attachments)
		all = append(all, entry{m.ReceivedAt, e.String()})
	}
	for _, a := range d.Answers {
		var e strings.Builder
		fmt.Fprintf(&e, "\n%s  %s (%s)  answer %s, %s\n", stamp(a.CreatedAt), first(oneLine(a.Author), "the calendar"), oneLine(meaning(a.Code)), a.ID,
			strings.Join(append([]string{oneLine(a.State)}, a.Codes...), " "))
		if a.Opens {
			e.WriteString("  begins a conversation on Helsenorge\n")
		}
		if a.ResentAt != nil {
			fmt.Fprintf(&e, "  sent again %s\n", stamp(*a.ResentAt))
		}
		if a.ReadAt != nil {
			fmt.Fprintf(&e, "  read in portal or app %s\n", stamp(*a.ReadAt))
		}
		for _, said := range a.Errors {
			if said != "" {
				fmt.Fprintf(&e, "  Helsenorge says: %s\n", oneLine(said))
			}
		}
		paragraph(&e, a.Subject, a.Text)
		printFiles(&e, a.Attachments)
		all = append(all, entry{a.CreatedAt, e.String()})
	}
	for _, c := range d.Changes {
		var e strings.Builder
		fmt.Fprintf(&e, "\n%s  %s %s\n", stamp(c.At), oneLine(c.Author), oneLine(handled(c.DialogueChange)))
		paragraph(&e, "", c.Note)
		all = append(all, entry{c.At, e.String()})
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.at.Compare(b.at) })
	for _, e := range all {
		b.WriteString(e.text)
	}
	if len(d.Prescriptions) > 0 {
		b.WriteString("\n")
		printPrescriptions(&b, d)
	}
	if len(d.Journal) > 0 {
		fmt.Fprintf(&b, "\n%d of these are in the journal.\n", len(d.Journal))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// meaning is a code of 7601 or 7602 with its name, as far as it is known.
func meaning(code string) string {
	return strings.TrimSpace(code + " " + first(codes.Name(codes.Requests, code), codes.Name(codes.Answers, code)))
}

// handled says what a colleague has done with a dialogue.
func handled(c pg.DialogueChange) string {
	switch c.Kind {
	case pg.TakeDialogue:
		return "has taken it"
	case pg.AssignDialogue:
		return "has given it " + either(c.StaffID == "", "back to everybody", "to "+c.StaffID)
	case pg.ForwardDialogue:
		return "has forwarded it to " + recipients(c.To)
	case pg.CloseDialogue:
		return "has closed it"
	case pg.ConvertDialogue:
		return "has made it an e-consultation"
	case pg.ResendMessage:
		return "has sent message " + c.OutboundID + " again"
	case pg.SplitRequest:
		return fmt.Sprintf("has listed %d prescriptions", len(c.Items))
	}
	return string(c.Kind)
}

// printFiles lists the files of a message.
func printFiles(b *strings.Builder, all []pg.File) {
	for _, f := range all {
		fmt.Fprintf(b, "  file %s  %s, %d bytes  %s\n", f.ID, oneLine(f.MIME), f.Size, oneLine(f.Description))
	}
}

// printFacts writes what has happened to a dialogue beside what was written in it.
func printFacts(b *strings.Builder, f pg.DialogueFacts) {
	at := func(when *time.Time, format string, args ...any) {
		if when != nil {
			fmt.Fprintf(b, format+" %s\n", append(args, stamp(*when))...)
		}
	}
	if f.OwnerID != "" {
		fmt.Fprintf(b, "taken by %s\n", f.OwnerID)
	}
	if f.TurnedFrom != "" {
		fmt.Fprintf(b, "goes on from the renewal request %s\n", f.TurnedFrom)
	}
	for _, id := range f.TurnedInto {
		fmt.Fprintf(b, "goes on in the dialogue %s\n", id)
	}
	at(f.OwedSince, "an answer is owed since")
	at(f.AnswerDue, "it is due")
	at(f.ConvertedAt, "became an e-consultation, by %s,", oneLine(f.ConvertedBy))
	at(f.BillableAt, "the patient knows of the fee since")
	if f.FeeNoticeID != "" && f.BillableAt == nil {
		b.WriteString("no fee may be taken: the patient does not know of it yet\n")
	}
	at(f.ClosedAt, "closed by %s", oneLine(f.ClosedBy))
	at(f.UnreadAt, "Helsenorge says that the citizen has not read, since")
}

// paragraph writes a message indented, so that no line of it can pass for one of
// the program's own.
func paragraph(b *strings.Builder, subject, text string) {
	if subject != "" {
		fmt.Fprintf(b, "  %s\n", oneLine(subject))
	}
	for line := range strings.Lines(printable(text)) {
		fmt.Fprintf(b, "  | %s\n", strings.TrimSuffix(line, "\n"))
	}
}

// printExplanation writes one line per intended effect, and what the workflow
// waits for.
func printExplanation(w io.Writer, e client.Explanation) error {
	if err := printLines(w, "dialogue "+e.DialogueID, e.Lines); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "workflow  %s\n", oneLine(workflow(e.Lifecycle)))
	return err
}

// printLines writes one line per intended effect of what is named.
func printLines(w io.Writer, of string, lines []client.ExplainedLine) error {
	fmt.Fprintf(w, "%s, times in Norway\n", of)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	day := ""
	for _, l := range lines {
		if d := oslo.In(l.IntendedAt).Format(dayLayout); d != day {
			day = d
			fmt.Fprintf(t, "%s\n", day)
		}
		outcome := "open"
		if l.Outcome != "" && l.OutcomeAt != nil {
			outcome = string(l.Outcome) + " " + clock(*l.OutcomeAt, day)
		}
		fmt.Fprintf(t, "%s\tintended %s\t%s\t%s\n", oneLine(l.Effect), clock(l.IntendedAt, day), outcome, oneLine(why(l)))
	}
	if len(lines) == 0 {
		fmt.Fprintln(t, "Nothing has been intended for it.")
	}
	return t.Flush()
}

// clock is the time of an instant, and its date where that is not the day above.
func clock(at time.Time, day string) string {
	if at = oslo.In(at); at.Format(dayLayout) != day {
		return stamp(at)
	}
	return at.Format(secondLayout)
}

// placed is the result of an inbox line.
type placed struct {
	Rule     routing.Rule     `json:"rule"`
	Fallback routing.Fallback `json:"fallback"`
	Places   []routing.Place  `json:"places"`
}

// left says why a routing rule was left.
var left = map[routing.Fallback]string{
	routing.NoPractitioner:  "the practitioner is unknown or away",
	routing.EmptyRecipients: "a recipient has no member at work",
	routing.WishedAbsent:    "the practitioner whom the citizen wished for is not at work here",
	routing.NobodyPresent:   "nobody of the clinic is at work",
}

// via says how an inbox came to show a message, where the rule did not say so.
var via = map[routing.Via]string{
	routing.ViaWished: "whom the citizen wished for", routing.ViaOwner: "who has taken it", routing.ViaDeputy: "who stands in",
	routing.ViaFallback: "since nobody else reads", routing.ViaForward: "where it was forwarded to",
}

// why tells an effect in words; of a message's place which inboxes, and why those.
func why(l client.ExplainedLine) string {
	var p placed
	if l.Effect != pg.EffectInbox || json.Unmarshal(l.Result, &p) != nil || p.Rule.Format == "" {
		return l.Words
	}
	var inboxes, parts []string
	forwarded := false
	for _, at := range p.Places {
		words := at.String()
		if reason := via[at.Via]; reason != "" {
			words += " (" + reason + ")"
		}
		inboxes, forwarded = append(inboxes, words), forwarded || at.Via == routing.ViaForward
	}
	if len(inboxes) > 0 {
		parts = append(parts, "in "+strings.Join(inboxes, ", "))
	}
	if !forwarded { // a colleague's word goes before the rule
		parts = append(parts, "by the rule "+string(p.Rule.Format))
	}
	if reason := left[p.Fallback]; reason != "" {
		parts = append(parts, "left because "+reason)
	}
	return strings.Join(parts, "; ")
}

// workflow says what Temporal knows.
func workflow(l client.Lifecycle) string {
	words := []string{string(l.Status)}
	switch {
	case l.Dialogue != nil:
		words = append(words, string(l.Dialogue.Status), fmt.Sprintf("%d messages, %d answers, %d cases", l.Dialogue.Messages, l.Dialogue.Answers, l.Dialogue.Cases))
		words = append(words, expected(l.Dialogue.Open)...)
	case l.Prescription != nil:
		words = append(words, string(l.Prescription.Status), fmt.Sprintf("%d messages, %d cases", l.Prescription.Messages, l.Prescription.Cases))
		words = append(words, expected(l.Prescription.Open)...)
	case l.Appointment != nil:
		words = append(words, string(l.Appointment.Status), fmt.Sprintf("revision %d, %d cases", l.Appointment.Facts.Revision, l.Appointment.Cases))
		for _, n := range l.Appointment.Notices {
			words = append(words, fmt.Sprintf("%s of revision %d is decided %s", n.Purpose, n.Revision, when(n.At)))
		}
		words = append(words, expected(l.Appointment.Open)...)
	default:
		words = append(words, l.Note)
	}
	if l.WorkflowID != "" {
		words = append(words, l.WorkflowID)
	}
	return strings.Join(words, "; ")
}

func expected(open []contract.Delivery) []string {
	var out []string
	for _, d := range open {
		if d.SentAt.IsZero() {
			out = append(out, "message "+d.Code+" is being sent")
		} else {
			out = append(out, "receipt of message "+d.Code+" expected before "+stamp(d.ReceiptDue))
		}
	}
	return out
}
