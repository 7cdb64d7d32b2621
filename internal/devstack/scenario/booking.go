package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// Visit is what became of one appointment.
type Visit struct {
	ID string
	// UID is its name on Helsenorge, where it is there.
	UID        string
	StartsAt   time.Time
	WorkflowID string
	// URL is the page of the workflow's status card in the Temporal UI.
	URL string
	// ahead is how far the time of its lifecycle is ahead of the real time.
	ahead time.Duration
}

// when is an instant as people in Norway read it.
func when(t time.Time) string { return oslo.In(t).Format("Mon 2006-01-02 15:04") }

// openCalendar writes what is booked: settings, calendar, types, slots, and a patient
// who is not on Helsenorge.
func (p *play) openCalendar(ctx context.Context) error {
	began := time.Now()
	slots, who := demo.Slots(began), demo.Patient()
	if err := p.call(ctx, demo.Admin, http.MethodPut, "/settings", demo.Settings(), nil); err != nil {
		return err
	}
	for _, written := range []struct {
		path string
		in   any
	}{
		{"/calendars", api.CalendarList{Calendars: demo.Calendars()}},
		{"/appointment-types", api.TypeList{Types: demo.Types()}},
		{"/slots", api.SlotList{Slots: slots}},
	} {
		if err := p.call(ctx, demo.Service, http.MethodPut, written.path, written.in, nil); err != nil {
			return err
		}
	}
	var ids api.PatientIDs
	if err := p.call(ctx, demo.Service, http.MethodPut, "/patients/bulk", api.PatientList{Patients: []client.PatientRecord{{
		Patient: client.Patient{
			GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, PractitionerID: who.PractitionerID,
		},
		Contacts: who.Contacts,
	}}}, &ids); err != nil {
		return err
	}
	if len(ids.PatientIDs) != 1 {
		return fmt.Errorf("one patient was written, and %d came back", len(ids.PatientIDs))
	}
	p.result.PatientID = ids.PatientIDs[0]
	if err := p.stack.Simulator.SetActivity(ctx, simulator.Activity{Citizen: demo.Inactive}); err != nil {
		return err
	}
	p.tell(began, "Appointments. Through the same API come the calendar of %s, %d types of appointment, %d times of the next two weeks "+
		"that can be booked online, and %s, who does not use Helsenorge: the clinic has an e-mail address and a phone number.",
		demo.Calendars()[0].Name, len(demo.Types()), len(slots), patientName())
	return nil
}

func patientName() string { return demo.Patient().GivenName + " " + demo.Patient().FamilyName }

// bookOnline lets a citizen ask for free times and book the first, and holds that
// Helsenorge is left to tell her of it.
func (p *play) bookOnline(ctx context.Context) error {
	began := time.Now()
	who := simulator.Citizen(0)
	offered, err := p.stack.Simulator.Ask(ctx, simulator.Question{Kind: simulator.FreeSlots, To: demo.GPHerID})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(offered.Slots, func(s simulator.Slot) bool { return s.Bookable(began) })
	if i < 0 {
		return fmt.Errorf("the clinic offers no time: it answered %s %s", offered.Code, offered.Text)
	}
	slot := offered.Slots[i]
	sent, err := p.stack.Simulator.Act(ctx, simulator.Action{Kind: simulator.Reserve, To: demo.GPHerID, Slot: &slot})
	if err != nil {
		return err
	}
	var seen simulator.Appointment
	if err := await(ctx, "the clinic's confirmation at Helsenorge", func() (bool, error) {
		seen, err = p.confirmed(ctx, sent, slot)
		return seen.Status == simulator.Booked && len(seen.Notices) > 0, err
	}); err != nil {
		return err
	}
	var entries api.List[pg.CalendarEntry]
	if err := p.call(ctx, demo.GP, http.MethodGet, "/calendars/"+demo.CalendarID+"/entries?"+span(slot.StartsAt, slot.EndsAt), nil, &entries); err != nil {
		return err
	}
	if len(entries.Items) != 1 {
		return fmt.Errorf("%d appointments are in the calendar at the time that was booked", len(entries.Items))
	}
	entry := entries.Items[0]
	p.result.Booked = &Visit{ID: entry.ID, UID: seen.UID, StartsAt: entry.StartsAt}
	if err := p.page(ctx, p.result.Booked); err != nil {
		return err
	}
	told, err := p.notice(ctx, p.result.Booked, contract.PurposeConfirmation)
	if err != nil {
		return err
	}
	if told.Outcome != contract.OutcomeDelegated {
		return fmt.Errorf("the confirmation was %s: %s", client.Outcome(told.Outcome), client.Sentence(told.Reason))
	}
	p.tell(began, "%s %s asks for free times on helsenorge.no: %d are shown after %d ms. She books the first, and the clinic's answer is 05, "+
		"booked. Helsenorge confirms it to her, so the clinic sends nothing of its own.",
		who.GivenName, who.FamilyName, len(offered.Slots), offered.Took.Milliseconds())
	p.line("In the calendar:           %s  %s, %s", when(entry.StartsAt), entry.Patient, entry.Status)
	p.line("On Helsenorge:             %s  %s, told by a %s", when(seen.StartsAt), seen.Status, seen.Notices[0].Tells)
	p.line("Who tells the patient:     %s; %s", client.Teller(told.Owner), client.Sentence(told.Reason))
	p.line("Its page in Temporal:      %s", p.result.Booked.URL)
	return nil
}

// confirmed looks for the clinic's answer to a reservation and returns what the citizen
// then sees; an answer other than 05 is an error.
func (p *play) confirmed(ctx context.Context, sent simulator.Sent, slot simulator.Slot) (simulator.Appointment, error) {
	var none simulator.Appointment
	book, err := p.stack.Simulator.Book(ctx)
	if err != nil {
		return none, err
	}
	i := slices.IndexFunc(book.Received, func(r simulator.Received) bool { return r.Parent == sent.MsgID })
	if i < 0 {
		return none, nil
	}
	if r := book.Received[i]; r.Function != contract.AppointmentConfirmed || len(r.Problems) > 0 {
		return none, fmt.Errorf("the answer is %s, with %d faults", r.Function, len(r.Problems))
	}
	all, err := p.stack.Simulator.Appointments(ctx, 0)
	if err != nil {
		return none, err
	}
	i = slices.IndexFunc(all, func(a simulator.Appointment) bool {
		return a.StartsAt.Equal(slot.StartsAt) && a.Status == simulator.Booked
	})
	if i < 0 {
		return none, nil
	}
	return all[i], nil
}

// page finds the workflow of an appointment and its status card's page.
func (p *play) page(ctx context.Context, v *Visit) error {
	v.WorkflowID = contract.AppointmentWorkflowID(v.ID)
	c, err := p.stack.Client()
	if err != nil {
		return err
	}
	defer c.Close()
	run, err := c.DescribeWorkflowExecution(ctx, v.WorkflowID, "")
	if err != nil {
		return err
	}
	v.URL = p.stack.Temporal.StatusURL(v.WorkflowID, run.GetWorkflowExecutionInfo().GetExecution().GetRunId())
	return nil
}

// free lists the slots from an instant on that nobody has, at least n.
func (p *play) free(ctx context.Context, from time.Time, n int) ([]pg.Slot, error) {
	var all api.List[pg.Slot]
	if err := p.call(ctx, demo.Desk, http.MethodGet, "/slots?calendar="+demo.CalendarID+"&"+span(from, from.AddDate(0, 0, 30)), nil, &all); err != nil {
		return nil, err
	}
	free := slices.DeleteFunc(all.Items, func(s pg.Slot) bool { return !s.Free })
	if len(free) < n {
		return nil, errors.New("earlier runs have booked every time in the calendar: begin with an empty directory (make run DATA=dir)")
	}
	return free, nil
}

// span is the query of what starts from one instant, inclusive, to another, exclusive.
func span(from, to time.Time) string {
	return url.Values{"from": {from.UTC().Format(time.RFC3339)}, "to": {to.UTC().Format(time.RFC3339)}}.Encode()
}
