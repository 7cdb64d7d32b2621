// Package lives_test lives through many lives of appointments in virtual time, with the
// product's workflows, activities and database.
package lives_test

import (
	"context"
	"errors"
	"fmt"
	"github.com/helsebro/helsebro/internal/testsize"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/activities/calendar"
	"github.com/helsebro/helsebro/activities/helsenorge"
	"github.com/helsebro/helsebro/activities/ledger"
	"github.com/helsebro/helsebro/activities/notify"
	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/workflows"
)

// TestNoNoticeShowsAnOldStart lives through thousands of random lives of appointments
// (F1, F3, F5): booked, moved, cancelled, hidden, shown and restored, while providers
// take up to an hour, refuse, lose, and report late, twice and out of order, Helsenorge
// accepts, refuses with E35 or is silent, and half of the moves come while a provider
// has the notice in its hands. Workflows, activities, rules and PostgreSQL are the
// product's. Then
//
//   - every notice that left shows the start that was current when it was claimed, of an
//     appointment that stood as the notice says, was not hidden, and was that revision;
//   - no reminder left outside [start−48h, start−24h];
//   - every notice, and every line on the ledger, has its terminal outcome;
//   - no provider got a notice twice.
//
// Its limits: each life has the SDK's test environment to itself, which keeps virtual
// time but no history, so nothing is replayed and no worker dies (TestKilled… does
// that); two lives meet in the calendar's constraint only; and a claim is an instant, so
// what a provider does with a notice after it took it is its own. HELSEBRO_SCALE scales
// the 10,000; HELSEBRO_SEED repeats the lives of a run that failed, though not the order
// in which PostgreSQL serves two that run at once.
func TestNoNoticeShowsAnOldStart(t *testing.T) {
	c := newTown(t, testsize.Scaled(10_000, 20))
	c.each(c.stormy)
	c.audit()
	c.requireVariety()
}

// each lives a life for every patient, some at a time.
func (c *town) each(live func(n int)) {
	const together = 4
	next := make(chan int)
	var wg sync.WaitGroup
	for range together {
		wg.Go(func() {
			for n := range next {
				live(n)
			}
		})
	}
	for n := range len(c.patients) {
		if c.Failed() {
			break
		}
		next <- n
	}
	close(next)
	wg.Wait()
}

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const (
	typeID           = "019ab000-0000-7000-8000-0000000000d1"
	hiddenID         = "019ab000-0000-7000-8000-0000000000d2"
	counterpartHerID = 800001
)

// town is a clinic with many patients, and what reached them.
type town struct {
	*testing.T
	d        *storetest.Database
	seed     uint64
	patients []string

	mu sync.Mutex
	// arrived are the notices that a provider took, or may have, by its key.
	arrived map[string][]channel.Message
	done    done
}

// done counts what was done to the appointments, and told of them.
type done struct{ changes, refused, told int }

// calendars is over how many the appointments are spread.
const calendars = 20

func newTown(t *testing.T, patients int) *town {
	d := storetest.New(t)
	s := d.Store
	c := &town{T: t, d: d, seed: testsize.Seed(t), arrived: map[string][]channel.Message{}}
	ctx := t.Context()
	clinic := demo.Clinic()
	clinic.Parties[0].Processes = append(slices.Clone(clinic.Parties[0].Processes), codes.Timereservasjon)
	require.NoError(t, s.PutClinic(ctx, demo.Service, clinic))
	storetest.Activate(t, s, clinic)
	require.NoError(t, s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{Notify: true, NoticeName: "Demo legesenter", Phone: "22334455"}))
	require.NoError(t, s.PutAppointmentTypes(ctx, demo.Service, demo.ClinicID, []pg.AppointmentType{
		{ID: typeID, Name: "Vanlig time", Notify: true}, {ID: hiddenID, Name: "Skjult time", Hidden: true, Notify: true},
	}))
	var all []pg.Calendar
	for i := range calendars {
		all = append(all, pg.Calendar{ID: calendarOf(i), OwnerID: demo.GPID, Name: "Frida", Notify: true})
	}
	require.NoError(t, s.PutCalendars(ctx, demo.Service, demo.ClinicID, all))
	const bulk = 500
	for from := 0; from < patients; from += bulk {
		var records []pg.PatientRecord
		for n := from; n < min(patients, from+bulk); n++ {
			who := simulator.Citizen(n)
			records = append(records, pg.PatientRecord{
				Patient: pg.Patient{GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, IDType: "FNR"},
				Contacts: &[]pg.Contact{
					{ID: uuid.NewString(), Channel: contract.ChannelEmail, Address: fmt.Sprintf("pasient%d@example.org", n)},
					{ID: uuid.NewString(), Channel: contract.ChannelSMS, Address: who.Phone},
				},
				Preference: &pg.Preference{Channels: []contract.Channel{contract.ChannelEmail, contract.ChannelSMS}[n%2:][:1]},
			})
		}
		ids, err := s.PutPatients(ctx, demo.Service, demo.ClinicID, records)
		require.NoError(t, err)
		c.patients = append(c.patients, ids...)
	}
	return c
}

func calendarOf(n int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("calendar "+strconv.Itoa(n%calendars))).String()
}

// life is one appointment, with a clock, a Helsenorge and providers of its own.
type life struct {
	*town
	env      *testsuite.TestWorkflowEnvironment
	store    *pg.Store
	id       string
	patient  string
	calendar string
	// settles is when nobody changes anything any more.
	settles time.Time

	mu     sync.Mutex
	random *rand.Rand
	// waiting are the commands for the run that is being started.
	waiting []func()
	// storm lets providers, queues and people do what they can; left counts what people
	// still do. slow lets queues and providers take their time only.
	storm  bool
	slow   bool
	left   int
	active bool
	status contract.Status
	// down is until when somebody cannot be reached.
	down struct{ provider, database, helsenorge time.Time }
	// told are the instants at which Helsenorge's queue took a message.
	told []time.Time
}

// life makes patient n a life that begins at an instant, in calm weather: every
// provider takes what it gets and says so, and nobody changes anything. told tells
// Helsenorge of it.
func (c *town) life(n int, began time.Time, told bool) *life {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	l := &life{
		town: c, env: suite.NewTestWorkflowEnvironment(), id: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, c.seed, n)).String(),
		patient: c.patients[n], calendar: calendarOf(n), settles: began.Add(15 * 24 * time.Hour), active: true,
		random: rand.New(rand.NewPCG(c.seed, uint64(n))),
	}
	l.env.SetStartTime(began)
	l.env.SetTestTimeout(time.Minute)
	l.store = c.d.Store.At(l.now)
	workflows.Register(l.env)
	l.env.RegisterWorkflowWithOptions(l.server, workflow.RegisterOptions{Name: "server"})
	l.employ(told)
	return l
}

// live lets time pass until the appointment and everything about it are over.
func (l *life) live() {
	l.env.ExecuteWorkflow("server")
	if err := l.env.GetWorkflowError(); !l.env.IsWorkflowCompleted() || err != nil {
		l.Errorf("the life of appointment %s did not end: %v", l.id, err)
	}
}

// stormy is a life in which everything happens that can.
func (c *town) stormy(n int) {
	random := rand.New(rand.NewPCG(^c.seed, uint64(n)))
	l := c.life(n, somewhere(random), random.IntN(2) == 0)
	l.storm, l.left, l.active = true, 2+random.IntN(8), random.IntN(4) > 0
	l.env.RegisterDelayedCallback(func() { l.book(l.someday()) }, time.Millisecond)
	l.live()
}

// somewhere is an instant of a year in which the clock changes twice, and which no
// machine has reached: activities use the later of the lifecycle's time and their own.
func somewhere(random *rand.Rand) time.Time {
	return time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(random.Int64N(int64(340 * 24 * time.Hour)))).Truncate(time.Microsecond)
}

func (l *life) now() time.Time { return l.env.Now().UTC() }

// opens tells the server to start a run of the appointment.
const opens = "opens"

// server stands for the part of Temporal that the test environment has not: it starts
// runs of an appointment that has ended, as an update or a signal with start does.
func (l *life) server(ctx workflow.Context) error {
	channel := workflow.GetSignalChannel(ctx, opens)
	for {
		var resume bool
		if ok, _ := channel.ReceiveWithTimeout(ctx, l.settles.Add(time.Hour).Sub(workflow.Now(ctx)), &resume); !ok {
			return ctx.Err()
		}
		own := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID: contract.AppointmentWorkflowID(l.id), TaskQueue: contract.QueueLifecycle,
			WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, ParentClosePolicy: enums.PARENT_CLOSE_POLICY_ABANDON,
		})
		err := workflow.ExecuteChildWorkflow(own, contract.AppointmentWorkflow,
			contract.AppointmentInput{ClinicID: demo.ClinicID, AppointmentID: l.id, Resume: resume}).GetChildWorkflowExecution().Get(own, nil)
		if err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			return err
		}
		if !resume {
			l.askRun()
		}
	}
}

// load is LoadAppointment: a run that reads its state has its first command by then,
// as an update with start brings it.
func (l *life) load(load func(context.Context, contract.LoadAppointmentInput) (contract.LoadAppointmentOutput, error)) func(context.Context, contract.LoadAppointmentInput) (contract.LoadAppointmentOutput, error) {
	return func(ctx context.Context, in contract.LoadAppointmentInput) (contract.LoadAppointmentOutput, error) {
		l.askRun()
		return load(ctx, in)
	}
}

// askRun gives the run that has started the commands that wait for it.
func (l *life) askRun() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, give := range l.waiting {
		l.env.RegisterDelayedCallback(give, 0)
	}
	l.waiting = nil
}

// chance is true n times out of a hundred.
func (l *life) chance(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.IntN(100) < n
}

// between is a duration whose order of magnitude is as likely as any other.
func (l *life) between(least, most time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(float64(least) * math.Pow(float64(most)/float64(least), l.random.Float64())).Truncate(time.Microsecond)
}

// someday is a start: often near the window of its reminder.
func (l *life) someday() time.Time {
	lead := l.between(24*time.Hour, 4*24*time.Hour)
	if l.chance(15) {
		lead = l.between(20*time.Minute, 24*time.Hour)
	}
	return l.now().Add(lead).Truncate(5 * time.Minute).Add(5 * time.Minute)
}

func (l *life) book(at time.Time) {
	l.change(pg.Change{Kind: pg.ChangeBook, PatientID: l.patient, CalendarID: l.calendar, TypeID: typeID, StartsAt: at, EndsAt: at.Add(20 * time.Minute)})
}

// act is what somebody does at the clinic, or the patient on Helsenorge.
func (l *life) act() {
	l.mu.Lock()
	over := l.left == 0 || l.now().After(l.settles)
	if !over {
		l.left--
	}
	what, status := l.random.IntN(100), l.status
	l.mu.Unlock()
	if over {
		return
	}
	switch {
	case status == "": // its time was taken
		l.book(l.someday())
	case what < 10:
		l.mu.Lock()
		l.active = !l.active
		l.mu.Unlock()
		l.soon()
	case status != contract.StatusBooked:
		l.change(pg.Change{Kind: pg.ChangeRestore})
	case what < 55:
		l.change(pg.Change{Kind: pg.ChangeAmend, StartsAt: l.someday()})
	case what < 65:
		place := "Rom " + strconv.Itoa(what)
		l.change(pg.Change{Kind: pg.ChangeAmend, Place: &place})
	case what < 75:
		l.change(pg.Change{Kind: pg.ChangeAmend, TypeID: hiddenID, Acknowledged: l.chance(70)})
	case what < 82:
		l.change(pg.Change{Kind: pg.ChangeAmend, TypeID: typeID})
	case what < 85:
		l.change(pg.Change{Kind: pg.ChangeMissed})
	default:
		l.change(pg.Change{Kind: pg.ChangeCancel})
	}
}

// soon lets somebody act again, within the grace or days later.
func (l *life) soon() {
	if !l.storm {
		return
	}
	l.env.RegisterDelayedCallback(l.act, l.between(time.Second, 2*24*time.Hour))
}

// change does what the client does: it stores the change, and then gives the command.
func (l *life) change(c pg.Change) {
	c.ID, c.AppointmentID = uuid.NewString(), l.id
	drafted, err := l.store.DraftChange(l.Context(), demo.Desk, demo.ClinicID, c)
	if err != nil {
		l.Errorf("%s is not stored: %v", c.Kind, err)
		return
	}
	l.give(c, drafted, 0)
}

// give gives the command; a run that has ended is started again, as the client's
// update with start does.
func (l *life) give(c pg.Change, drafted pg.DraftedChange, tries int) {
	refused := func(err error) {
		if !apperr.Is(apperr.FromTemporal(err), apperr.Conflict) {
			l.Errorf("%s is refused: %v", c.Kind, err)
		}
		if err := l.store.DropChange(l.Context(), demo.ClinicID, c.ID, drafted.Attempt); err != nil {
			l.Errorf("%s is not dropped: %v", c.Kind, err)
		}
		l.count(func(d *done) { d.refused++ })
		l.soon()
	}
	err := l.env.UpdateWorkflowByID(contract.AppointmentWorkflowID(l.id), contract.UpdateChange, c.ID, &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: refused,
		OnComplete: func(result any, err error) {
			if err != nil {
				refused(err)
				return
			}
			l.mu.Lock()
			l.status = result.(contract.ChangeAccepted).Status
			l.mu.Unlock()
			l.count(func(d *done) { d.changes++ })
			l.soon()
		},
	}, contract.ChangeCommand{CommandID: c.ID})
	var none *serviceerror.NotFound
	switch {
	case errors.As(err, &none) && tries < 10:
		l.mu.Lock()
		l.waiting = append(l.waiting, func() { l.give(c, drafted, tries+1) })
		l.mu.Unlock()
		l.env.SignalWorkflow(opens, !drafted.New)
	case err != nil:
		l.Errorf("%s is not given: %v", c.Kind, err)
	}
}

func (c *town) count(add func(*done)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.done)
}

// employ registers the product's activities, with everything late that can be.
func (l *life) employ(told bool) {
	waits := pg.Channels{contract.ChannelEmail: 0, contract.ChannelSMS: 30 * time.Minute}
	counterpart := 0
	if told {
		counterpart = counterpartHerID
	}
	decides := calendar.New(l.store, l, calendar.Config{HelsenorgeHerID: counterpart, Channels: waits})
	gives := notify.New(l.store, notify.Senders{contract.ChannelEmail: provider{l}, contract.ChannelSMS: provider{l}}, waits)
	sends := helsenorge.New(l.store, l, transport.Plain{}, parties{}, helsenorge.Config{ReceiptDue: 4 * time.Hour, HelsenorgeHerID: counterpart})
	books := ledger.New(l.store)
	const moment, queue = 20 * time.Second, 25 * time.Minute
	late(l, "ApplyChange", 0, decides.ApplyChange)
	late(l, "LoadAppointment", 0, l.load(decides.LoadAppointment))
	late(l, "Publish", moment, decides.Publish)
	late(l, "PlanReminder", moment, decides.PlanReminder)
	late(l, "DecideNotice", moment, decides.DecideNotice)
	late(l, "NextHop", moment, gives.NextHop)
	late(l, "SendNotice", queue, l.talk(gives.SendNotice))
	late(l, "SendMessage", moment, sends.SendMessage)
	late(l, "CloseDelivery", moment, books.CloseDelivery)
	late(l, "OpenCase", moment, books.OpenCase)
}

// late registers an activity whose task, now and then, waits in its queue for up to
// most before it is done, and whose result takes its time after.
func late[I, O any](l *life, name string, most time.Duration, act func(context.Context, I) (O, error)) {
	do := func(ctx context.Context, in I) (O, error) {
		if l.now().Before(l.down.database) {
			var none O
			return none, apperr.ToTemporal(apperr.New(apperr.Unavailable, "the database is down"))
		}
		return act(ctx, in)
	}
	l.env.RegisterActivityWithOptions(func(ctx context.Context, in I) (O, error) {
		info, queued, began, pause := activity.GetInfo(ctx), context.WithoutCancel(ctx), l.now(), time.Second
		// The environment's own retries end after ten: these go on as the server's do.
		again := func(err error, try func()) bool {
			var failed *temporal.ApplicationError
			if !errors.As(err, &failed) || failed.NonRetryable() || l.now().Add(pause).After(began.Add(info.ScheduleToCloseTimeout)) {
				return false
			}
			l.env.RegisterDelayedCallback(try, pause)
			pause = min(2*pause, time.Minute)
			return true
		}
		var try func()
		try = func() {
			// The environment's clock stands still meanwhile.
			out, err := do(queued, in)
			if errors.Is(err, activity.ErrResultPending) || again(err, try) {
				return // it completes itself
			}
			wait := time.Duration(0)
			if l.storm || l.slow {
				wait = l.between(time.Millisecond, 20*time.Second)
			}
			l.env.RegisterDelayedCallback(func() { l.complete(info, out, err) }, wait)
		}
		if most == 0 || !l.storm && !l.slow || l.chance(60) {
			out, err := do(ctx, in)
			if again(err, try) {
				err = activity.ErrResultPending
			}
			return out, err
		}
		l.env.RegisterDelayedCallback(try, l.between(time.Millisecond, most))
		var none O
		return none, activity.ErrResultPending
	}, activity.RegisterOptions{Name: name})
}

// complete completes an activity, and wakes the workflow, which the environment does
// for its root alone.
func (l *life) complete(of activity.Info, out any, err error) {
	if err != nil {
		out = nil
	}
	if err := l.env.CompleteActivity(of.TaskToken, out, err); err != nil {
		l.Errorf("an activity does not complete: %v", err)
	}
	_ = l.env.SignalWorkflowByID(of.WorkflowExecution.ID, "wake", nil) // it may have ended
}

// conversation is one call of a provider, which is answered when it pleases.
type conversation struct{ takes chan time.Duration }

type conversationKey struct{}

// talk has a notice sent by an activity that is under way for as long as the provider
// takes, in the environment's time.
func (l *life) talk(send func(context.Context, contract.SendNoticeInput) (contract.SendNoticeOutput, error)) func(context.Context, contract.SendNoticeInput) (contract.SendNoticeOutput, error) {
	type result struct {
		out contract.SendNoticeOutput
		err error
	}
	return func(ctx context.Context, in contract.SendNoticeInput) (contract.SendNoticeOutput, error) {
		c, ends := conversation{takes: make(chan time.Duration)}, make(chan result, 1)
		go func() {
			out, err := send(context.WithValue(context.WithoutCancel(ctx), conversationKey{}, c), in)
			ends <- result{out, err}
		}()
		select {
		case r := <-ends:
			return r.out, r.err
		case d := <-c.takes:
			info := activity.GetInfo(ctx)
			l.env.RegisterDelayedCallback(func() {
				c.takes <- 0
				r := <-ends
				l.complete(info, r.out, r.err)
			}, d)
			return contract.SendNoticeOutput{}, activity.ErrResultPending
		}
	}
}

// provider takes notices, sometimes slowly, sometimes not, and sometimes nobody can say.
type provider struct{ *life }

// Send implements channel.Sender.
func (p provider) Send(ctx context.Context, m channel.Message) (channel.Result, error) {
	of := contract.ChannelSMS
	if strings.HasSuffix(m.Key, string(contract.ChannelEmail)) {
		of = contract.ChannelEmail
	}
	switch {
	case p.now().Before(p.down.provider) || p.storm && p.chance(10):
		return channel.Result{}, &channel.Refused{Code: "http 503"}
	case p.storm && p.chance(10):
		p.wait(ctx)
		return channel.Result{}, &channel.Refused{Permanent: true, Gone: p.chance(5), Code: "http 400"}
	}
	p.town.mu.Lock()
	p.arrived[m.Key] = append(p.arrived[m.Key], m)
	p.town.mu.Unlock()
	p.wait(ctx)
	switch {
	case of == contract.ChannelEmail: // reports nothing
	case !p.storm:
		p.report(of, m.Key, contract.AttemptDelivered)
	default:
		for range 3 {
			state := contract.AttemptDelivered
			if p.chance(40) {
				state = contract.AttemptFailed
			}
			if p.chance(50) {
				p.report(of, m.Key, state)
			}
		}
	}
	if p.storm && p.chance(10) {
		return channel.Result{}, &channel.Unknown{Code: "end"}
	}
	return channel.Result{State: channel.Accepted, ProviderID: uuid.NewString()}, nil
}

// wait makes the provider slow, and lets somebody change the appointment meanwhile.
func (p provider) wait(ctx context.Context) {
	if !p.storm && !p.slow || p.chance(40) {
		return
	}
	d := p.between(10*time.Millisecond, 85*time.Second)
	if p.storm && p.chance(60) {
		p.env.RegisterDelayedCallback(p.act, p.between(time.Millisecond, d))
	}
	c, _ := ctx.Value(conversationKey{}).(conversation)
	c.takes <- d
	<-c.takes
}

// report is a provider's word on an attempt, which may come at any time.
func (p provider) report(of contract.Channel, key string, state contract.AttemptState) {
	event, most := uuid.NewString(), time.Hour
	if !p.storm {
		most = 20 * time.Minute
	}
	for range 1 + map[bool]int{true: 1}[p.chance(20)] { // now and then twice
		p.env.RegisterDelayedCallback(func() {
			in, changed, err := p.store.RecordDeliveryReport(p.Context(), of, key, event, state, p.now())
			if err != nil {
				p.Errorf("a report is not taken: %v", err)
				return
			}
			if changed { // the notice may have ended: then nobody is told
				_ = p.env.SignalWorkflowByID(contract.NoticeWorkflowID(in.NoticeID), contract.SignalDeliveryReported,
					contract.DeliveryReported{Channel: of, State: state, At: p.now()})
			}
		}, p.between(time.Second, most))
	}
}

// Active implements calendar.Activity.
func (l *life) Active(context.Context, string) (self, other bool, err error) {
	if l.storm && l.chance(10) {
		return false, false, apperr.New(apperr.Unavailable, "the check does not answer")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active, false, nil
}

// Send is Helsenorge's queue: what it takes is accepted, refused because the patient is
// not there, or never heard of again.
func (l *life) Send(_ context.Context, m transport.Message) error {
	if l.now().Before(l.down.helsenorge) || l.storm && l.chance(20) {
		return apperr.New(apperr.Unavailable, "the queue is down")
	}
	l.mu.Lock()
	l.told = append(l.told, l.now())
	settles := &pg.Settlement{OriginalTransportID: m.ID, Outcome: contract.OutcomeAcknowledged}
	if !l.active {
		settles.Outcome, settles.Codes = contract.OutcomeRejected, []string{contract.CodeInactive}
	}
	l.mu.Unlock()
	if l.storm && l.chance(15) {
		return nil
	}
	l.count(func(d *done) { d.told++ })
	l.env.RegisterDelayedCallback(func() {
		arrived, err := l.store.StoreArrival(l.Context(), pg.Arrival{
			TransportID: uuid.NewString(), FromHerID: m.ToHerID, ToHerID: m.FromHerID, Raw: []byte(uuid.NewString()), Verdict: pg.Settled, Settles: settles,
		})
		if err != nil || arrived.Settled == nil {
			l.Errorf("a receipt is not taken: %s %v", arrived.Verdict, err)
			return
		}
		_ = l.env.SignalWorkflowByID(contract.AppointmentWorkflowID(l.id), contract.SignalReceiptReceived, contract.ReceiptReceived{
			OutboundID: arrived.Settled.OutboundID, Outcome: arrived.Settled.Outcome, Codes: arrived.Settled.Codes, At: arrived.ReceivedAt,
		}) // a run that has ended needs no telling
	}, l.between(time.Second, 8*time.Hour))
	return nil
}

// parties is the address registry.
type parties struct{}

// Party implements registry.Registry.
func (parties) Party(_ context.Context, herID int) (registry.Party, error) {
	return registry.Party{HerID: herID, Name: "Part", AsyncQueue: strconv.Itoa(herID)}, nil
}

// audit holds what became of all lives against what must be.
func (c *town) audit() {
	ctx := c.Context()
	none := func(what, query string) {
		rows, err := c.d.SQL(ctx, query)
		require.NoError(c, err)
		require.Emptyf(c, rows, "%s", what)
	}
	none("a notice that was not current when it was claimed", `
		SELECT n.appointment_id, n.purpose, n.revision, x.channel, x.state, x.claimed_at, x.starts_at, r.revision, r.status, r.starts_at, r.hidden, r.at
		FROM notice_attempt x JOIN notice n ON n.id = x.notice_id
			LEFT JOIN LATERAL (SELECT * FROM appointment_revision r WHERE r.appointment_id = n.appointment_id AND r.at <= x.claimed_at
				ORDER BY r.revision DESC LIMIT 1) r ON true
		WHERE x.state <> 'withheld' AND (r.revision IS DISTINCT FROM n.revision OR r.starts_at <> x.starts_at OR r.hidden
			OR r.status <> CASE n.purpose WHEN 'cancellation' THEN 'cancelled' ELSE 'booked' END)`)
	none("a reminder outside its window", `
		SELECT n.appointment_id, x.channel, x.claimed_at, x.starts_at FROM notice_attempt x JOIN notice n ON n.id = x.notice_id
		WHERE n.purpose = 'reminder' AND x.state <> 'withheld' AND x.claimed_at NOT BETWEEN x.starts_at - interval '48 hours' AND x.starts_at - interval '24 hours'`)
	none("a notice without an outcome", "SELECT id, appointment_id, purpose, revision, owner, reason, decided_at FROM notice WHERE outcome IS NULL")
	none("a notice whose line says something else", `
		SELECT n.id, n.outcome, l.outcome FROM notice n LEFT JOIN ledger l ON l.key = 'notice/' || n.id WHERE l.outcome IS DISTINCT FROM n.outcome`)
	none("a line without an outcome", "SELECT key, effect, dialogue_id FROM ledger WHERE outcome IS NULL")
	none("a message without an outcome", "SELECT id, code FROM outbound_message WHERE outcome IS NULL")
	none("a notice that was due and has no line", `
		SELECT d.key FROM decision d JOIN appointment a ON a.id = d.appointment_id AND a.revision = d.revision
		WHERE d.key LIKE 'publication/%' AND d.output ->> 'purpose' <> ''
			AND NOT EXISTS (SELECT FROM notice n WHERE n.appointment_id = a.id AND n.revision = a.revision AND n.purpose = d.output ->> 'purpose')
		UNION ALL
		SELECT d.key FROM decision d JOIN appointment a ON a.id = d.appointment_id AND a.revision = d.revision
		WHERE d.key LIKE 'reminder-plan/%' AND d.decided <> 'skip'
			AND NOT EXISTS (SELECT FROM notice n WHERE n.appointment_id = a.id AND n.revision = a.revision AND n.purpose = 'reminder')`)
	none("two reminders of one start", `
		SELECT n.appointment_id, x.starts_at, count(DISTINCT n.id) FROM notice n JOIN notice_attempt x ON x.notice_id = n.id
		WHERE n.purpose = 'reminder' AND x.state = 'delivered' GROUP BY n.appointment_id, n.revision, x.starts_at HAVING count(DISTINCT n.id) > 1`)

	rows, err := c.d.SQL(ctx, "SELECT notice_id || '/' || channel, extract(epoch FROM starts_at)::bigint FROM notice_attempt WHERE state <> 'withheld'")
	require.NoError(c, err)
	starts := map[string]time.Time{}
	for _, row := range fields(rows) {
		starts[row[0]] = time.Unix(int64(number(c.T, row[1])), 0)
	}
	for key, got := range c.arrived {
		require.Lenf(c, got, 1, "%s arrived more than once", key)
		require.Containsf(c, starts, key, "a notice that nobody claimed")
		shown := oslo.Date(starts[key], "nb") + " kl. " + oslo.In(starts[key]).Format("15:04")
		require.Containsf(c, got[0].Body, shown, "%s", key)
	}

}

// requireVariety holds that enough was lived through: a run in which one of these did
// not happen proves little.
func (c *town) requireVariety() {
	ctx := c.Context()
	for _, kind := range []string{"delivered", "sent", "delegated", "superseded", "suppressed", "failed"} {
		n, err := c.d.SQL(ctx, "SELECT count(*) FROM notice WHERE outcome = '"+kind+"'")
		require.NoError(c, err)
		require.NotEqualf(c, "0", n, "no notice was %s", kind)
	}
	rows, err := c.d.SQL(ctx, "SELECT purpose, outcome, count(*) FROM notice GROUP BY 1, 2 ORDER BY 1, 2")
	require.NoError(c, err)
	c.Logf("%d lives, %+v, %d notices arrived\n%s", len(c.patients), c.done, len(c.arrived), rows)
}

// fields splits what SQL prints.
func fields(rows string) [][]string {
	var all [][]string
	for row := range strings.Lines(rows) {
		all = append(all, strings.Split(strings.TrimSpace(row), "|"))
	}
	return all
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}
