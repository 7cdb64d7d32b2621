package scenario

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// daysAhead is how far ahead the clinic makes its appointment, so that its reminder is
// still to be planned.
const daysAhead = 9

// bookAtDesk makes an appointment for the patient who is not on Helsenorge.
func (p *play) bookAtDesk(ctx context.Context) error {
	began := time.Now()
	free, err := p.free(ctx, began.AddDate(0, 0, daysAhead), 5)
	if err != nil {
		return err
	}
	p.result.Made, p.result.Free = &Visit{ID: uuid.NewString(), StartsAt: free[0].StartsAt}, free[1:]
	commandLine := []string{"appointment", "book", "--patient", p.result.PatientID, "--slot", free[0].ID, "--appointment", p.result.Made.ID}
	said, err := p.run(ctx, commandLine...)
	if err != nil {
		return err
	}
	if err := p.page(ctx, p.result.Made); err != nil {
		return err
	}
	p.tell(began, "%s is on the phone. %s books an appointment on %s with the CLI.", patientName(), demo.Clinic().Staff[1].Name, when(free[0].StartsAt))
	p.quote(said)
	return nil
}

// confirm lets the clinic give its confirmation.
func (p *play) confirm(ctx context.Context) error {
	began := time.Now()
	v := p.result.Made
	text, err := p.given(ctx, v, contract.PurposeConfirmation, func(a pg.Appointment) time.Time { return a.TellAt })
	if err != nil {
		return err
	}
	p.tell(began, "Further changes are waited for a minute: time is moved ahead for this one appointment. Helsenorge says that the patient is not "+
		"active, so the clinic tells her itself: the e-mail bounces, the SMS arrives.")
	p.quote(text)
	p.line("All that left the clinic:  %s", p.stack.Sink.URL())
	return nil
}

// move moves the appointment twice and holds that the patient hears of the last time
// alone.
func (p *play) move(ctx context.Context) error {
	began := time.Now()
	v := p.result.Made
	var said string
	for _, slot := range p.result.Free[:2] {
		one, err := p.run(ctx, "appointment", "move", v.ID, "--slot", slot.ID)
		if err != nil {
			return err
		}
		said += one
		v.StartsAt = slot.StartsAt
	}
	p.result.Free = p.result.Free[2:]
	text, err := p.given(ctx, v, contract.PurposeChange, func(a pg.Appointment) time.Time { return a.TellAt })
	if err != nil {
		return err
	}
	e, err := p.explained(ctx, v)
	if err != nil {
		return err
	}
	changes := 0
	for _, n := range e.Notices {
		if n.Purpose == contract.PurposeChange {
			changes++
		}
	}
	if changes != 1 {
		return fmt.Errorf("the patient was to be told of the change once, and there are %d notices", changes)
	}
	p.tell(began, "The appointment is moved, and at once moved again. Time is moved ahead by the minute: the patient is told once, of the time that counts.")
	p.quote(said)
	p.quote(text)
	return nil
}

// remind lets the time of the appointment pass until its reminder.
func (p *play) remind(ctx context.Context) error {
	began := time.Now()
	v := p.result.Made
	var due time.Time
	text, err := p.given(ctx, v, contract.PurposeReminder, func(a pg.Appointment) time.Time { due = a.RemindAt; return due })
	if err != nil {
		return err
	}
	if before := v.StartsAt.Sub(due); before > 48*time.Hour || before < 24*time.Hour {
		return fmt.Errorf("the reminder was due %s before the start, which is not between 48 and 24 hours", before)
	}
	p.tell(began, "Time is moved ahead for this one appointment until %s, when its reminder is due: between 48 and 24 hours before the start, "+
		"in the daytime. The e-mail bounces again, the SMS arrives.", when(due))
	p.quote(text)
	return nil
}

// explainVisit shows why the patient got each notice.
func (p *play) explainVisit(ctx context.Context) error {
	began := time.Now()
	v := p.result.Made
	said, err := p.run(ctx, "explain", v.ID)
	if err != nil {
		return err
	}
	p.tell(began, "One command tells why the patient did or did not get each notice:")
	p.quote(said)
	p.line("Its page in Temporal, which shows no patient:")
	p.line("  %s", v.URL)
	return nil
}

// run runs a command as the desk and returns it with what it says.
func (p *play) run(ctx context.Context, args ...string) (string, error) {
	said, err := p.cli(ctx, demo.Desk, args...)
	line := "$ go run ./starter"
	for _, a := range args {
		line += " " + a
	}
	return line + "\n" + said, err
}

// given moves the appointment ahead to an instant of it, waits for the notice that is
// due then, and holds that its e-mail bounced and its SMS arrived. It returns what the
// patient read.
func (p *play) given(ctx context.Context, v *Visit, purpose contract.Purpose, due func(pg.Appointment) time.Time) (string, error) {
	before := len(p.stack.Sink.Messages())
	if err := p.moveAhead(ctx, v, due); err != nil {
		return "", err
	}
	n, err := p.notice(ctx, v, purpose)
	if err != nil {
		return "", err
	}
	var tried []string
	for _, a := range n.Attempts {
		tried = append(tried, fmt.Sprintf("%s %s", a.Channel, a.State))
	}
	want := []string{
		fmt.Sprintf("%s %s", contract.ChannelEmail, contract.AttemptFailed),
		fmt.Sprintf("%s %s", contract.ChannelSMS, contract.AttemptDelivered),
	}
	if n.Outcome != contract.OutcomeDelivered || !slices.Equal(tried, want) {
		return "", fmt.Errorf("the %s is %s by %q: %s", purpose, client.Outcome(n.Outcome), tried, client.Sentence(n.Reason))
	}
	var arrived []sink.Message
	for _, m := range p.stack.Sink.Messages()[before:] {
		if m.Way == sink.SMS {
			arrived = append(arrived, m)
		}
	}
	if len(arrived) != 1 {
		return "", fmt.Errorf("%d text messages arrived instead of one", len(arrived))
	}
	return fmt.Sprintf("SMS to %s: %s", arrived[0].To, arrived[0].Text), nil
}

// moveAhead moves the time of one appointment ahead to an instant of it.
func (p *play) moveAhead(ctx context.Context, v *Visit, due func(pg.Appointment) time.Time) error {
	var a pg.Appointment
	if err := p.call(ctx, demo.Desk, http.MethodGet, "/appointments/"+v.ID, nil, &a); err != nil {
		return err
	}
	at := due(a)
	if at.IsZero() {
		return fmt.Errorf("appointment %s waits for nothing", v.ID)
	}
	// Some seconds more: the server needs one to fire a timer that it has skipped to.
	d := time.Until(at.Add(10*time.Second)) - v.ahead
	if d <= 0 {
		return nil
	}
	v.ahead += d
	_, err := p.stack.Temporal.MoveAhead(ctx, v.WorkflowID, d)
	return err
}

// notice waits until the notice of the newest revision has its outcome.
func (p *play) notice(ctx context.Context, v *Visit, purpose contract.Purpose) (pg.NoticeExplained, error) {
	var found pg.NoticeExplained
	err := await(ctx, "the "+string(purpose), func() (bool, error) {
		e, err := p.explained(ctx, v)
		i := slices.IndexFunc(e.Notices, func(n pg.NoticeExplained) bool { return n.Purpose == purpose && n.Revision == e.Revision })
		if err != nil || i < 0 {
			return false, err
		}
		found = e.Notices[i]
		return found.Outcome != "", nil
	})
	return found, err
}

func (p *play) explained(ctx context.Context, v *Visit) (client.AppointmentExplanation, error) {
	var e client.AppointmentExplanation
	err := p.call(ctx, demo.Desk, http.MethodGet, "/appointments/"+v.ID+"/explain", nil, &e)
	return e, err
}
