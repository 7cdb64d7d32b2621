package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// errNotYet is what has not come to be.
var errNotYet = errors.New("not yet")

// book makes an appointment of twenty minutes, as the desk does (S76); change may be
// nil.
func (c *clinic) book(p patient, start time.Time, change func(*client.Booking)) client.Changed {
	c.Helper()
	b := client.Booking{PatientID: p.ID, CalendarID: c.CalendarID, TypeID: c.ConsultID, StartsAt: start, EndsAt: start.Add(slotLength)}
	if change != nil {
		change(&b)
	}
	var done client.Changed
	c.must(c.Desk, http.MethodPost, "/appointments", b, &done)
	return done
}

// amend gives an appointment another time, type or place.
func (c *clinic) amend(id string, a client.Amendment) client.Changed {
	c.Helper()
	var done client.Changed
	c.must(c.Desk, http.MethodPatch, "/appointments/"+id, a, &done)
	return done
}

// move is an amendment to another start.
func (c *clinic) move(id string, start time.Time) client.Changed {
	c.Helper()
	return c.amend(id, client.Amendment{StartsAt: start, EndsAt: start.Add(slotLength)})
}

// step is cancel, restore or missed.
func (c *clinic) step(id, step string) client.Changed {
	c.Helper()
	var done client.Changed
	c.must(c.Desk, http.MethodPost, "/appointments/"+id+"/"+step, client.Step{}, &done)
	return done
}

// pass lets so much time pass for one appointment, and waits until it has.
func (c *clinic) pass(id string, d time.Duration) {
	c.Helper()
	c.passing(id, d)()
}

// passing lets so much time pass for one appointment; what it returns waits until it
// has.
func (c *clinic) passing(id string, d time.Duration) (passed func()) {
	c.Helper()
	return c.forwarding(contract.AppointmentWorkflowID(id), d)
}

// forwarding lets so much time pass for one lifecycle; what it returns waits until it
// has.
func (c *clinic) forwarding(workflowID string, d time.Duration) (passed func()) {
	c.Helper()
	execution := &common.WorkflowExecution{WorkflowId: workflowID}
	forward := c.skip(workflowID, d)
	return func() {
		c.Helper()
		c.eventually("time has passed for "+workflowID, func() error {
			if c.ended(c.temporal, workflowID) == nil {
				return nil
			}
			p, err := c.temporal.WorkflowService().PollWorkflowExecutionTimeSkipping(c.Context(), &workflowservice.PollWorkflowExecutionTimeSkippingRequest{
				Namespace: c.Temporal.Namespace(), WorkflowExecution: execution, FastForwardId: forward,
			})
			if err == nil && p.FastForwardPollingResult != enums.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED {
				err = fmt.Errorf("%s %s", p.FastForwardPollingResult, p.FailedReason)
			}
			return err
		})
	}
}

// passTo lets time pass for one appointment until an instant, which has not come for it.
func (c *clinic) passTo(id string, at time.Time) {
	c.Helper()
	c.passingTo(id, at)()
}

// passingTo is passing until an instant.
func (c *clinic) passingTo(id string, at time.Time) (passed func()) {
	c.Helper()
	return c.forwardingTo(contract.AppointmentWorkflowID(id), at)
}

// forwardingTo is forwarding until an instant.
func (c *clinic) forwardingTo(workflowID string, at time.Time) (passed func()) {
	c.Helper()
	d, err := c.temporal.DescribeWorkflowExecution(c.Context(), workflowID, "")
	require.NoError(c, err)
	now := time.Now()
	if skipped := d.GetWorkflowExtendedInfo().GetTimeSkippingInfo(); skipped != nil {
		now = skipped.CurrentTime.AsTime()
	}
	require.Truef(c, at.After(now), "%s has passed: it is %s", at, now)
	return c.forwarding(workflowID, at.Sub(now))
}

// beyond is how far behind a timer's instant time is let pass to. The server needs about
// a second to fire a timer that it has skipped to, and where a lifecycle comes to rest
// just as the target is reached, it skips to the next timer, however far away.
const beyond = 20 * time.Second

// grace is a little more than the clinic waits for further changes.
const grace = 90 * time.Second

// settle lets the grace pass and waits until the appointments are told as they stand and
// nothing about them is under way.
func (c *clinic) settle(ids ...string) {
	c.Helper()
	var passed []func()
	for _, id := range ids {
		passed = append(passed, c.passing(id, grace))
	}
	for i, id := range ids {
		passed[i]()
		c.settled(id)
	}
}

// settled waits until the appointment is told as it stands and nothing about it is
// under way: what has not come by then comes at no instant before the next timer.
func (c *clinic) settled(id string) {
	c.Helper()
	c.eventually("appointment "+id+" is settled", func() error {
		before, err := c.lifecycle(id)
		if err != nil {
			return err
		}
		if err := unsettled(c.explain(id)); err != nil {
			return err
		}
		after, err := c.lifecycle(id)
		if err == nil && before != after {
			err = errNotYet // what was read may be of no one instant
		}
		return err
	})
}

// unsettled says what about an appointment is under way.
func unsettled(e client.AppointmentExplanation) error {
	if s := e.Lifecycle.Appointment; s != nil {
		waits := func(n contract.PendingNotice) bool { return n.Purpose != contract.PurposeReminder || n.Asked }
		if s.Told < e.Revision || len(s.Open) > 0 || slices.ContainsFunc(s.Notices, waits) {
			return fmt.Errorf("revision %d: %+v", e.Revision, *s)
		}
	} else if e.Lifecycle.Status != client.LifecycleEnded {
		return fmt.Errorf("%s: %s", e.Lifecycle.Status, e.Lifecycle.Note)
	}
	for _, n := range e.Notices {
		if n.Outcome == "" {
			return fmt.Errorf("%s of revision %d is under way: %s %s", n.Purpose, n.Revision, n.Owner, n.Reason)
		}
	}
	for _, l := range e.Lines {
		if l.Outcome == "" {
			return fmt.Errorf("the ledger line %s has no outcome", l.Effect)
		}
	}
	return nil
}

// lifecycle is how far an appointment's newest run has come, where nothing of it is
// being done right now. A notice may outlive the run that it belongs to.
func (c *clinic) lifecycle(id string) (string, error) {
	d, err := c.temporal.DescribeWorkflowExecution(c.Context(), contract.AppointmentWorkflowID(id), "")
	if err != nil {
		return "", err
	}
	i := d.WorkflowExecutionInfo
	if i.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING && (len(d.PendingActivities) > 0 || len(d.PendingChildren) > 0 || d.PendingWorkflowTask != nil) {
		return "", fmt.Errorf("%d activities, %d notices and workflow task %v are under way", len(d.PendingActivities), len(d.PendingChildren), d.PendingWorkflowTask)
	}
	return fmt.Sprintf("%s %d", i.Execution.RunId, i.HistoryLength), nil
}

// over lets an appointment's time pass to its end and waits until its lifecycle has
// ended: nothing about it comes any more.
func (c *clinic) over(id string) {
	c.Helper()
	workflowID := contract.AppointmentWorkflowID(id)
	if c.ended(c.temporal, workflowID) != nil {
		c.passTo(id, c.appointment(id).EndsAt.Add(time.Minute))
	}
	c.eventually("appointment "+id+" is over", func() error { return c.ended(c.temporal, workflowID) })
	c.settled(id)
}

// explain is why the patient did or did not get each notice, over HTTP.
func (c *clinic) explain(id string) client.AppointmentExplanation {
	c.Helper()
	var e client.AppointmentExplanation
	c.must(c.Desk, http.MethodGet, "/appointments/"+id+"/explain", nil, &e)
	return e
}

// appointment is an appointment as staff see it.
func (c *clinic) appointment(id string) pg.Appointment {
	c.Helper()
	var a pg.Appointment
	c.must(c.Desk, http.MethodGet, "/appointments/"+id, nil, &a)
	return a
}

// notice waits until the notice of the newest revision has a terminal outcome.
func (c *clinic) notice(id string, purpose contract.Purpose) pg.NoticeExplained {
	c.Helper()
	var found pg.NoticeExplained
	c.eventually(string(purpose)+" of appointment "+id, func() error {
		e := c.explain(id)
		for _, n := range e.Notices {
			if n.Purpose != purpose || n.Revision != e.Revision {
				continue
			}
			if found = n; n.Outcome != "" {
				return nil
			}
			return fmt.Errorf("under way: %s %s", n.Owner, n.Reason)
		}
		return fmt.Errorf("not decided; %d notices, lifecycle %+v", len(e.Notices), e.Lifecycle.Appointment)
	})
	return found
}

// decided is the newest decision about something, "" when there is none.
func (c *clinic) decided(id, about string) pg.DecisionExplained {
	c.Helper()
	var newest pg.DecisionExplained
	for _, d := range c.explain(id).Decisions {
		if d.About == about {
			newest = d
		}
	}
	return newest
}

// entries are what stands in a calendar around an instant.
func (c *clinic) entries(calendarID string, around time.Time) []pg.CalendarEntry {
	c.Helper()
	var all api.List[pg.CalendarEntry]
	c.must(c.Desk, http.MethodGet, "/calendars/"+calendarID+"/entries?"+stretch(around), nil, &all)
	return all.Items
}

// portal is what a viewer sees of the patient in the clinic's portal.
func (c *clinic) portal(p, viewer patient) []pg.PatientAppointment {
	c.Helper()
	var all api.List[pg.PatientAppointment]
	c.must(c.Portal, http.MethodGet, "/portal/patients/"+p.ID+"/appointments?viewer="+viewer.ID, nil, &all)
	return all.Items
}

// feed is what the clinic has told the patient, in the portal.
func (c *clinic) feed(p patient) []pg.FeedItem {
	c.Helper()
	var all api.List[pg.FeedItem]
	c.must(c.Portal, http.MethodGet, "/portal/patients/"+p.ID+"/feed?viewer="+p.ID, nil, &all)
	return all.Items
}

// seen is what the citizen sees on Helsenorge under Timeavtaler.
func (c *clinic) seen(p patient) []simulator.Appointment {
	c.Helper()
	all, err := c.Simulator.Appointments(c.Context(), p.Citizen)
	require.NoError(c, err)
	return all
}

// sees waits until the citizen sees an appointment at Helsenorge that fits.
func (c *clinic) sees(p patient, what string, fits func(simulator.Appointment) bool) simulator.Appointment {
	c.Helper()
	var found simulator.Appointment
	c.eventually("the citizen sees "+what, func() error {
		all := c.seen(p)
		i := slices.IndexFunc(all, fits)
		if i < 0 {
			return fmt.Errorf("he sees %+v", all)
		}
		found = all[i]
		return nil
	})
	return found
}

// tells are the notices that Helsenorge has given of an appointment.
func tells(a simulator.Appointment) []string {
	all := []string{}
	for _, n := range a.Notices {
		all = append(all, n.Tells)
	}
	return all
}

// told is a message of the clinic in Helsenorge's book that is about a patient.
type told struct {
	simulator.Received
	Message *helsenorge.Message
}

// told lists what Helsenorge has received about a patient, in the order of arrival:
// every message, whatever it is about.
func (c *clinic) told(p patient) []told {
	c.Helper()
	book, err := c.Simulator.Book(c.Context())
	require.NoError(c, err)
	var all []told
	for _, r := range book.Received {
		m, _ := helsenorge.Read(r.XML)
		require.NotNil(c, m, "Helsenorge can read what the clinic sends")
		if m.Head.Patient != nil && m.Head.Patient.NationalID == p.NationalID {
			all = append(all, told{r, m})
		}
	}
	return all
}

// conforms demands that the standard and its schemas have nothing to say against any
// message that the clinic has sent, and that a retry has changed none.
func (c *clinic) conforms() {
	c.Helper()
	book, err := c.Simulator.Book(c.Context())
	require.NoError(c, err)
	var documents [][]byte
	for _, r := range book.Received {
		if r.From == c.GPHerID || r.From == c.ColleagueHerID {
			require.Empty(c, r.Problems)
			require.Zero(c, r.Changed)
			documents = append(documents, r.XML)
		}
	}
	if _, ok := published(); ok && len(documents) > 0 {
		requireSchemaValid(c.T, documents...)
	}
}

// codesOf are the codes of messages.
func codesOf(all []told) []string {
	out := []string{}
	for _, m := range all {
		out = append(out, m.Function)
	}
	return out
}

// answerTo waits for the clinic's answer to a citizen's message, demands that there is
// one, and that the standard has nothing to say against it.
func (c *clinic) answerTo(s simulator.Sent) told {
	c.Helper()
	var answers []told
	c.eventually("the answer to "+string(s.Kind), func() error {
		book, err := c.Simulator.Book(c.Context())
		if err != nil {
			return err
		}
		answers = nil
		for _, r := range book.Received {
			if r.Parent == s.MsgID {
				m, _ := helsenorge.Read(r.XML)
				answers = append(answers, told{r, m})
			}
		}
		if len(answers) == 0 {
			return errNotYet
		}
		return nil
	})
	require.Len(c, answers, 1)
	require.Empty(c, answers[0].Problems)
	require.Equal(c, s.Conversation, answers[0].Conversation)
	return answers[0]
}

// offered are the slots that a citizen is shown on Helsenorge in the next four weeks.
func (c *clinic) offered(p patient, herID int) simulator.Answer {
	c.Helper()
	a, err := c.Simulator.Ask(c.Context(), simulator.Question{Kind: simulator.FreeSlots, To: herID, Citizen: p.Citizen})
	require.NoError(c, err)
	require.Empty(c, a.Problems)
	return a
}

// slotOf is a slot as Helsenorge would name it, whether the citizen was shown it or not.
func (c *clinic) slotOf(s pg.Slot) *simulator.Slot {
	return &simulator.Slot{UID: s.ID, StartsAt: s.StartsAt, EndsAt: s.EndsAt, Contact: c.GPHerID}
}

// reserve books a slot as the citizen does on Helsenorge.
func (c *clinic) reserve(p patient, s pg.Slot, change func(*simulator.Action)) simulator.Sent {
	c.Helper()
	a := simulator.Action{Kind: simulator.Reserve, Citizen: p.Citizen, To: c.GPHerID, Slot: c.slotOf(s), Text: "Kontroll av blodtrykk."}
	if change != nil {
		change(&a)
	}
	sent, err := c.Simulator.Act(c.Context(), a)
	require.NoError(c, err)
	return sent
}

// reserved is reserve that must succeed; it returns the appointment's id in the
// clinic's calendar.
func (c *clinic) reserved(p patient, s pg.Slot) string {
	c.Helper()
	answer := c.answerTo(c.reserve(p, s, nil))
	require.Equal(c, contract.AppointmentConfirmed, answer.Function)
	return c.inCalendar(s)
}

// inCalendar is the id of the one appointment that stands where the slot is.
func (c *clinic) inCalendar(s pg.Slot) string {
	c.Helper()
	var ids []string
	for _, e := range c.entries(s.CalendarID, s.StartsAt) {
		if e.StartsAt.Equal(s.StartsAt) {
			ids = append(ids, e.ID)
		}
	}
	require.Len(c, ids, 1)
	return ids[0]
}

// free tells whether a slot can be booked, as the clinic sees it.
func (c *clinic) free(s pg.Slot) bool {
	c.Helper()
	var all api.List[pg.Slot]
	c.must(c.Desk, http.MethodGet, "/slots?calendar="+s.CalendarID+"&"+stretch(s.StartsAt), nil, &all)
	i := slices.IndexFunc(all.Items, func(o pg.Slot) bool { return o.ID == s.ID })
	require.GreaterOrEqual(c, i, 0)
	return all.Items[i].Free
}

// portalBook books a slot in the clinic's portal or app.
func (c *clinic) portalBook(p, viewer patient, s pg.Slot, app bool) client.Changed {
	c.Helper()
	var done client.Changed
	c.must(c.Portal, http.MethodPost, "/portal/patients/"+p.ID+"/appointments",
		client.PortalBooking{ViewerID: viewer.ID, SlotID: s.ID, Comment: "Kontroll.", App: app}, &done)
	return done
}

// sent is what the sink got for a patient on the clinic's channels, oldest first:
// attempts that it refused are not among it.
func (c *clinic) sent(p patient) []sink.Message {
	c.Helper()
	var all []sink.Message
	for _, m := range c.Sink.Messages() {
		if slices.Contains([]string{p.Email, p.Mobile, p.Browser}, m.To) && m.Arrival > 0 {
			all = append(all, m)
		}
	}
	return all
}

// ways are those by which messages came.
func ways(all []sink.Message) []sink.Way {
	out := []sink.Way{}
	for _, m := range all {
		out = append(out, m.Way)
	}
	return out
}

// newID is a new opaque id.
func newID() string { return uuid.NewString() }
