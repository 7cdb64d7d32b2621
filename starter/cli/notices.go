package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// printAppointment writes an appointment as staff know it.
func printAppointment(w io.Writer, a pg.Appointment) error {
	var b strings.Builder
	status := string(a.Status)
	if a.Wish {
		status += ", a wish that you must answer: helsebro appointment answer"
	}
	if a.Hidden {
		status += ", hidden"
	}
	fmt.Fprintf(&b, "%s\n%s, %s\n", first(whenUntil(a.StartsAt, a.EndsAt), "no time yet"), oneLine(a.Patient), status)
	fmt.Fprintf(&b, "appointment %s, revision %d, patient %s\n", a.ID, a.Revision, a.PatientID)
	for _, l := range []struct{ what, text string }{
		{"calendar", a.CalendarID}, {"type", a.TypeID}, {"place", a.Place}, {"takes the place of", a.MovedFrom}, {"replaced by", a.MovedTo},
		{"patient told from", when(a.TellAt)}, {"reminder planned for", when(a.RemindAt)},
	} {
		if l.text != "" {
			fmt.Fprintf(&b, "%s: %s\n", l.what, oneLine(l.text))
		}
	}
	if a.Published != nil {
		fmt.Fprintf(&b, "Helsenorge: %s\n", published(*a.Published))
	}
	paragraph(&b, "", a.Comment)
	_, err := io.WriteString(w, b.String())
	return err
}

// published says what Helsenorge was told, and what became of it.
func published(p pg.Published) string {
	words := []string{fmt.Sprintf("%s %s", p.Code, client.Published(p.Code)), "revision " + fmt.Sprint(p.Revision), when(p.At), client.Outcome(p.Outcome)}
	if len(p.Codes) > 0 {
		words = append(words, strings.Join(p.Codes, " "))
	}
	return oneLine(strings.Join(words, ", "))
}

// printNotices tells why the patient did or did not get each notice, one line each;
// verbose adds every attempt and every decision with what it was made on.
func printNotices(w io.Writer, e client.AppointmentExplanation, verbose bool) error {
	fmt.Fprintf(w, "appointment %s: %s, %s, revision %d (times in Norway)\n", e.AppointmentID, e.Status, first(when(e.StartsAt), "no time yet"), e.Revision)
	if e.Origin != "" {
		fmt.Fprintf(w, "booked through %s\n", oneLine(e.Origin))
	}
	fmt.Fprintln(w)
	rows := make([][]string, 0, len(e.Notices)+1)
	for _, n := range e.Notices {
		rows = append(rows, []string{
			string(n.Purpose), fmt.Sprint(n.Revision), client.Teller(n.Owner), client.Outcome(n.Outcome), channels(n.Attempts),
			when(orTime(n.OutcomeAt, n.DecidedAt)), whyTold(n, e.Decisions),
		})
	}
	if row := planned(e); row != nil {
		rows = append(rows, row)
	}
	if err := table(w, "No notice is due or has been decided.", len(rows), "NOTICE\tREVISION\tWHO TELLS\tOUTCOME\tHOW\tWHEN\tWHY", func(i int) []string { return rows[i] }); err != nil {
		return err
	}
	if !verbose || len(e.Published) > 0 {
		fmt.Fprintln(w)
	}
	for _, p := range e.Published {
		fmt.Fprintf(w, "Helsenorge was told: %s\n", published(p))
	}
	if verbose {
		if err := printDecisions(w, e); err != nil {
			return err
		}
	} else if len(e.Decisions) > 0 {
		fmt.Fprintf(w, "decisions: %d; what they were made on: --verbose\n", len(e.Decisions))
	}
	_, err := fmt.Fprintf(w, "workflow  %s\n", oneLine(workflow(e.Lifecycle)))
	return err
}

// whyTold says why somebody gives a notice, or nobody, and then how it ended.
func whyTold(n pg.NoticeExplained, decisions []pg.DecisionExplained) string {
	for _, d := range slices.Backward(decisions) {
		if d.About == string(n.Purpose) && d.Revision == n.Revision && d.Decided == string(n.Owner) && d.Rule != n.Reason {
			return client.Sentence(d.Rule) + "; " + client.Sentence(n.Reason)
		}
	}
	return client.Sentence(n.Reason)
}

// planned is the line of the reminder that is still to come, or will not; nil when
// there is a notice of it, or no plan.
func planned(e client.AppointmentExplanation) []string {
	if slices.ContainsFunc(e.Notices, func(n pg.NoticeExplained) bool {
		return n.Purpose == contract.PurposeReminder && n.Revision == e.Revision
	}) {
		return nil
	}
	for _, d := range slices.Backward(e.Decisions) {
		if d.About != contract.AboutReminderPlan || d.Revision != e.Revision {
			continue
		}
		if at, err := time.Parse(time.RFC3339, d.Decided); err == nil {
			return []string{string(contract.PurposeReminder), fmt.Sprint(d.Revision), "decided then", "planned", "", when(at), client.Sentence(d.Rule)}
		}
		return []string{string(contract.PurposeReminder), fmt.Sprint(d.Revision), client.Teller(contract.OwnerNobody), "none", "", when(d.At), client.Sentence(d.Rule)}
	}
	return nil
}

// channels says on which channels a notice went, in order.
func channels(attempts []pg.AttemptExplained) string {
	words := make([]string, len(attempts))
	for i, a := range attempts {
		words[i] = fmt.Sprintf("%s %s", a.Channel, a.State)
	}
	return strings.Join(words, ", ")
}

func orTime(t, other time.Time) time.Time {
	if t.IsZero() {
		return other
	}
	return t
}

func printDecisions(w io.Writer, e client.AppointmentExplanation) error {
	type attempt struct {
		pg.AttemptExplained
		of contract.Purpose
	}
	var attempts []attempt
	for _, n := range e.Notices {
		for _, a := range n.Attempts {
			attempts = append(attempts, attempt{a, n.Purpose})
		}
	}
	if err := below(w, len(attempts), "ATTEMPT\tCHANNEL\tSTATE\tHANDED OVER\tKNOWN\tTEMPLATE\tSEGMENTS\tWHY", func(i int) []string {
		a := attempts[i]
		segments := ""
		if a.Segments > 0 {
			segments = fmt.Sprint(a.Segments)
		}
		return []string{string(a.of), string(a.Channel), string(a.State), when(a.ClaimedAt), when(a.StateAt), a.Template, segments, client.Sentence(a.Reason)}
	}); err != nil {
		return err
	}
	if err := below(w, len(e.Decisions), "DECISION\tREVISION\tWHEN\tDECIDED\tWHY\tMADE ON", func(i int) []string {
		d := e.Decisions[i]
		decided := d.Decided
		if at, err := time.Parse(time.RFC3339, d.Decided); err == nil {
			decided = when(at)
		}
		return []string{d.About, fmt.Sprint(d.Revision), when(d.At), decided, client.Sentence(d.Rule), string(d.Inputs)}
	}); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return nil
}

// below is a table under an empty line, and nothing where there are no rows.
func below(w io.Writer, n int, heading string, row func(int) []string) error {
	if n == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return table(w, "", n, heading, row)
}
