// Package dialogues_test lives through many lives of dialogues with the product's programs
// on the real server.
package dialogues_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"github.com/helsebro/helsebro/internal/testsize"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/devstack/supervise"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// TestDialoguesLoseAndRepeatNothing lives a thousand random lives of dialogues on the real
// server, with the three programs as processes. Citizens write, reply in any conversation,
// twice and in any order, have not read, and come and go on Helsenorge; the clinic starts,
// answers, closes, takes, assigns, forwards, converts, resends, splits, decides on
// prescriptions and goes on from them. Meanwhile worker, listener and API die, at random
// and between two steps; receipts are late, missing, negative or come twice, messages are
// reported on the error queue; staff leave, return and are away. At random instants and
// at the end
//
//   - each message of a citizen is in one dialogue, once, with one positive receipt;
//   - each message that the clinic accepted is at Helsenorge once, or has failed with a
//     case, and what was refused is nowhere;
//   - each open dialogue lies where somebody at work reads it;
//   - each e-consultation has one journal entry with each message once, in the order in
//     which they were sent, and nothing else has one;
//   - each intended effect has one terminal outcome, each conversion one fee notice;
//   - an answer is owed where the clock runs, and nowhere else;
//   - Temporal and PostgreSQL say the same of each dialogue, and nothing else runs.
//
// HELSEBRO_SCALE scales the 1,000; HELSEBRO_SEED repeats what people do, though not the
// instants at which programs die.
func TestDialoguesLoseAndRepeatNothing(t *testing.T) {
	v := newVillage(t)
	lives := make([]*dialogueLife, testsize.Scaled(1000, 20))
	v.populate(lives)
	next := make(chan *dialogueLife)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for l := range next {
				l.live()
			}
		})
	}
	for _, l := range lives {
		if v.Failed() {
			break
		}
		next <- l
	}
	close(next)
	wg.Wait()
	v.calm()
	v.audit(lives)
	v.requireVariety(len(lives))
}

// The clinic of the village.
const (
	villageID          = "019ab002-0000-7000-8000-000000000001"
	doctorID           = "019ab002-0000-7000-8000-000000000011"
	colleagueID        = "019ab002-0000-7000-8000-000000000012"
	deskID             = "019ab002-0000-7000-8000-000000000013"
	adminID            = "019ab002-0000-7000-8000-000000000014"
	villageHerID       = 930000
	doctorHerID        = 930001
	colleagueHerID     = 930002
	villageErrorQueue  = "village_error"
	villageReceiptDue  = 6 * time.Second
	villagePatience    = 4 * time.Minute
	commandsPerWeather = 12
)

func at(subject string, role identity.Role, hpr string) identity.Principal {
	return identity.Principal{Subject: subject, ClinicID: villageID, Role: role, HPR: hpr}
}

// Who is at the clinic.
var (
	villageService = at("epj", identity.RoleService, "")
	doctor         = at("doctor", identity.RolePractitioner, "9144889")
	colleague      = at("colleague", identity.RolePractitioner, "9144897")
	desk           = at("desk", identity.RoleStaff, "")
	admin          = at("admin", identity.RoleClinicAdministrator, "")
)

// villageClinic is the clinic with those of its staff who work there now.
func villageClinic(change func(*pg.Staff)) pg.Clinic {
	processes := []string{codes.EKontakt, codes.EKonsultasjon, codes.Reseptfornyelse}
	c := pg.Clinic{
		ID: villageID, Name: "Landsbyens legekontor", OrganisationNumber: "999999999", HerID: villageHerID,
		Staff: []pg.Staff{
			{ID: doctorID, Subject: doctor.Subject, Name: "Frida Fastlege", Role: doctor.Role, Position: "gp", HPR: doctor.HPR, Groups: []string{"doctors"}, DeputyID: colleagueID},
			{ID: colleagueID, Subject: colleague.Subject, Name: "Kari Kollega", Role: colleague.Role, Position: "gp", HPR: colleague.HPR, Groups: []string{"doctors"}, DeputyID: doctorID},
			{ID: deskID, Subject: desk.Subject, Name: "Solveig Sekretær", Role: desk.Role, Position: "secretary", Groups: []string{"desk"}, HerID: 930013},
			{ID: adminID, Subject: admin.Subject, Name: "Anders Administrator", Role: admin.Role, HerID: 930014},
		},
		Parties: []pg.Party{
			{HerID: doctorHerID, Name: "Frida Fastlege", StaffID: doctorID, Processes: processes},
			{HerID: colleagueHerID, Name: "Kari Kollega", StaffID: colleagueID, Processes: processes},
		},
	}
	for i := range c.Staff {
		if change != nil {
			change(&c.Staff[i])
		}
	}
	return c
}

func villageParties() []registry.Party {
	c := villageClinic(nil)
	parties := []registry.Party{demo.Organisation(c)}
	for _, p := range c.Parties {
		parties = append(parties, registry.Party{
			HerID: p.HerID, Name: p.Name, ParentHerID: c.HerID,
			AsyncQueue: "village_async", SyncQueue: "village_sync", ErrorQueue: villageErrorQueue, Processes: p.Processes,
		})
	}
	return parties
}

// village is a clinic, its programs and what is done to them.
type village struct {
	*testing.T
	*stack.Stack
	seed                  uint64
	sql                   *storetest.Database
	temporal              sdkclient.Client
	worker, listener, api *supervise.Process
	log                   *tail

	// staff guards who works at the clinic; a look at an instant holds it.
	staff  sync.Mutex
	clinic pg.Clinic
	mu     sync.Mutex
	// random is the weather's.
	random *rand.Rand
	acts   int
	events []string
	// counts tell how often something was done, and refused.
	counts map[string]int
}

// tail keeps the end of a log.
type tail struct {
	mu sync.Mutex
	b  []byte
}

// Write implements io.Writer.
func (l *tail) Write(b []byte) (int, error) {
	const most = 1 << 20
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b = append(l.b, b...); len(l.b) > 2*most {
		l.b = slices.Clone(l.b[len(l.b)-most:])
	}
	return len(b), nil
}

// warnings are the last lines that say that something is wrong.
func (l *tail) warnings() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for line := range strings.Lines(string(l.b)) {
		if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, "panic") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-20):], "")
}

func newVillage(t *testing.T) *village {
	v := &village{T: t, seed: testsize.Seed(t), log: &tail{}, clinic: villageClinic(nil), counts: map[string]int{}}
	v.random = rand.New(rand.NewPCG(v.seed, ^uint64(0)))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(v.events, "\n"), v.log.warnings())
		}
	})
	var err error
	v.Stack, err = stack.Start(t.Context(), stack.Config{
		Dir: t.TempDir(), Parties: villageParties(), ReceiptDue: villageReceiptDue, Logger: slog.New(slog.NewJSONHandler(v.log, nil)),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Stop(context.WithoutCancel(t.Context()))) })
	v.sql = &storetest.Database{Owner: v.Owner}
	programs, err := supervise.Build(t.Context(), t.TempDir(), true)
	require.NoError(t, err)
	start := func(name, path string, args ...string) *supervise.Process {
		p, err := supervise.Start(name, path, args, v.Environment(), v.log)
		require.NoError(t, err)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), villagePatience)
			defer cancel()
			_, err := p.Stop(ctx)
			require.NoError(t, err)
		})
		return p
	}
	v.worker = start("worker", programs.Worker)
	v.api = start("api", programs.Starter, "serve")
	v.temporal, err = v.Client()
	require.NoError(t, err)
	t.Cleanup(v.temporal.Close)
	v.must(villageService, http.MethodPut, "", v.clinic, nil)
	v.listener = start("listener", programs.Starter, "listen")
	operator := demo.Operator
	operator.ClinicID = villageID
	for _, change := range demo.Activation(v.clinic) {
		path := map[pg.ActivationKind]string{pg.SignOffPrecondition: "sign-off", pg.ActivateIntegration: "activate"}[change.Kind]
		v.keyed(operator, http.MethodPost, "/integration/"+path, change.ID, api.ActivationRequest{StaffID: change.StaffID, Key: string(change.Key)}, nil)
	}
	v.must(admin, http.MethodPut, "/settings", pg.Settings{NoticeName: "Senteret", Phone: "22000000"}, nil)
	return v
}

// populate writes a patient for each life.
func (v *village) populate(lives []*dialogueLife) {
	var records []client.PatientRecord
	for n := range lives {
		who := simulator.Citizen(n)
		records = append(records, client.PatientRecord{Patient: client.Patient{
			GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, PractitionerID: []string{doctorID, colleagueID}[n%2],
		}})
	}
	var ids []string
	for chunk := range slices.Chunk(records, 200) {
		var out api.PatientIDs
		v.must(villageService, http.MethodPut, "/patients/bulk", api.PatientList{Patients: chunk}, &out)
		ids = append(ids, out.PatientIDs...)
	}
	for n := range lives {
		lives[n] = &dialogueLife{
			village: v, citizen: n, patient: ids[n], party: []int{doctorHerID, colleagueHerID}[n%2],
			random: rand.New(rand.NewPCG(v.seed, uint64(n))), accepted: map[string]string{}, refusals: map[string]string{},
		}
	}
}

// eventually waits until check has nothing to say.
func (v *village) eventually(what string, check func() error) bool {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.Context(), villagePatience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return true
		}
		select {
		case <-ctx.Done():
			v.Errorf("it did not come to be: %s: %v", what, err)
			return false
		case <-tick.C:
		}
	}
}

// call calls the API as somebody.
func (v *village) call(who identity.Principal, method, path, key string, in any) (int, []byte, error) {
	token, err := v.Token(who)
	if err != nil {
		return 0, nil, err
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(v.Context(), method, v.APIURL()+"/v1/clinics/"+villageID+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

// atLast calls the API, and repeats the call with the same key for as long as nobody
// answers: what a client does that meets a dying server.
func (v *village) atLast(who identity.Principal, method, path, key string, in any) (status int, body []byte) {
	v.eventually(method+" "+path, func() error {
		var err error
		status, body, err = v.call(who, method, path, key, in)
		if err == nil && status >= http.StatusInternalServerError {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
	return status, body
}

func (v *village) must(who identity.Principal, method, path string, in, out any) {
	v.Helper()
	v.keyed(who, method, path, uuid.NewString(), in, out)
}

func (v *village) keyed(who identity.Principal, method, path, key string, in, out any) {
	v.Helper()
	status, body := v.atLast(who, method, path, key, in)
	require.Lessf(v, status, 300, "%s %s: %s", method, path, body)
	if out != nil {
		require.NoError(v, json.Unmarshal(body, out))
	}
}

func (v *village) count(what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.counts[what]++
}

// acted lets something happen to everybody now and then, and looks at the instant.
func (v *village) acted() {
	v.mu.Lock()
	v.acts++
	due := v.acts%commandsPerWeather == 0
	what, which, n := v.random.IntN(100), v.random.IntN(1000), 1+v.random.IntN(3)
	v.mu.Unlock()
	if !due {
		return
	}
	v.weather(what, which, n)
	v.look()
}

// weather is what happens to everybody.
func (v *village) weather(what, which, n int) {
	programs := []*supervise.Process{v.worker, v.listener, v.api}
	switch {
	case what < 15:
		p := programs[which%3]
		v.happens("%s is killed", p.Name)
		p.Kill()
	case what < 45:
		points := slices.Concat(failpoint.Points(), failpoint.DialoguePoints()[:3])
		point := points[which%len(points)]
		p := v.owner(point)
		v.happens("%s dies at %s, the %d. time", p.Name, point, n)
		p.DieAt(point, n)
	case what < 75:
		faults := []simulator.Faults{
			{}, {}, {Receipt: "none"}, {ReceiptDelay: 2 * time.Second}, {ReceiptTimes: 3}, {Receipt: "E21"}, {Receipt: "none"},
			{ReceiptDelay: time.Second, ReceiptTimes: 2}, {ReceiptDelay: villageReceiptDue + 5*time.Second},
		}
		f := faults[which%len(faults)]
		v.happens("Helsenorge: %+v", f)
		if err := v.Simulator.SetFaults(v.Context(), f); err != nil {
			v.Errorf("no faults: %v", err)
		}
	default:
		v.staffChanges(which % 4)
	}
}

func (v *village) happens(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.events = append(v.events, time.Now().Format("15:04:05.0 ")+fmt.Sprintf(format, args...))
}

// owner is the program in which a point is.
func (v *village) owner(point failpoint.Point) *supervise.Process {
	switch {
	case strings.HasPrefix(string(point), "listen."):
		return v.listener
	case slices.Contains([]failpoint.Point{failpoint.AnswerDrafted, failpoint.AnswerAccepted, failpoint.ChangeDrafted, failpoint.ChangeAccepted}, point):
		return v.api
	}
	return v.worker
}

// staffChanges lets one of the practitioners leave or be away, or has everybody back.
func (v *village) staffChanges(how int) {
	v.staff.Lock()
	defer v.staff.Unlock()
	away := time.Now().Add(-time.Minute).UTC()
	c := villageClinic(func(s *pg.Staff) {
		if how == 1 && s.ID == doctorID || how == 2 && s.ID == colleagueID {
			s.AbsentFrom = away
		}
	})
	if how == 3 { // she leaves: her list has nobody
		c.Staff = slices.DeleteFunc(c.Staff, func(s pg.Staff) bool { return s.ID == deskID })
	}
	v.happens("staff: %s", []string{"everybody is there", "the doctor is away", "the colleague is away", "the desk has left"}[how])
	if status, body := v.atLast(villageService, http.MethodPut, "", "", c); status >= 300 {
		v.Errorf("the staff is not written: %d %s", status, body)
		return
	}
	v.clinic = c
}

// roster is the clinic's, by what the test has written.
func roster(c pg.Clinic) routing.Roster {
	var r routing.Roster
	for _, s := range villageClinic(nil).Staff {
		m := routing.Member{ID: s.ID, Position: s.Position, Role: string(s.Role), HPR: s.HPR, Groups: s.Groups, DeputyID: s.DeputyID}
		if i := slices.IndexFunc(c.Staff, func(o pg.Staff) bool { return o.ID == s.ID }); i >= 0 {
			m.Active, m.Present = true, c.Staff[i].AbsentFrom.IsZero()
		}
		r = append(r, m)
	}
	return r
}

// calm ends the weather: everybody is back, and whatever is under way gets its end.
func (v *village) calm() {
	require.NoError(v, v.Simulator.SetFaults(v.Context(), simulator.Faults{}))
	v.staffChanges(0)
	v.eventually("nothing is under way", func() error {
		queues, err := v.Queues(v.Context())
		if err != nil {
			return err
		}
		for _, q := range queues {
			if n := q.Ready + q.Unsettled; n > 0 && strings.HasPrefix(q.Name, "village_") {
				return fmt.Errorf("%d messages on %s", n, q.Name)
			}
		}
		open, err := v.sql.SQL(v.Context(), `SELECT (SELECT count(*) FROM ledger WHERE outcome IS NULL), (SELECT count(*) FROM inbound_message WHERE handed_over_at IS NULL),
			(SELECT count(*) FROM outbound_message WHERE outcome IS NULL)`) // an answer is on the ledger when it is prepared
		if err == nil && open != "0|0|0" {
			rows, _ := v.sql.SQL(v.Context(), "SELECT key, dialogue_id, intended_at, why FROM ledger WHERE outcome IS NULL LIMIT 5")
			err = fmt.Errorf("%s effects without an outcome, messages not handed over, messages not sent: %s", open, rows)
		}
		return err
	})
}

// fields splits what SQL prints.
func fields(rows string) [][]string {
	var all [][]string
	for row := range strings.Lines(rows) {
		all = append(all, strings.Split(strings.TrimSpace(row), "|"))
	}
	return all
}
