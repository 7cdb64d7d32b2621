package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// clinic is a clinic of one test alone, so that its switches, calendars and patients
// are nobody else's. What it is made of was written over HTTP by its record system.
type clinic struct {
	*world
	n  int
	ID string
	// Its people and programs.
	Service, GP, Colleague, Desk, Admin, Portal, Operator, Auditor identity.Principal
	// Staff ids of the two practitioners.
	GPID, ColleagueID string
	// Parties: each practitioner has his own.
	GPHerID, ColleagueHerID int
	// Calendars: one of each practitioner.
	CalendarID, ColleagueCalendarID string
	// Types: two ordinary ones, a video one and a hidden one.
	ConsultID, ControlID, VideoID, HiddenID string
	patients                                int
}

// clinicProcesses are what the practitioners of a test's clinic have registered.
var clinicProcesses = []string{
	codes.EKontakt, codes.EKonsultasjon, codes.Reseptfornyelse, codes.Timereservasjon, codes.Timeonske, codes.Avtaleavbestilling,
	codes.Behandleroversikt, codes.Test,
}

// citizensPerClinic separates the invented people of one clinic from another's.
const citizensPerClinic = 20

// newClinic names clinic n, n from 0, and everything of it.
func newClinic(n int) *clinic {
	id := func(what int) string { return fmt.Sprintf("019ab001-0000-7000-8000-%06d%06d", n, what) }
	c := &clinic{
		n: n, ID: id(1), GPID: id(11), ColleagueID: id(12), GPHerID: 910001 + 10*n, ColleagueHerID: 910002 + 10*n,
		CalendarID: id(21), ColleagueCalendarID: id(22), ConsultID: id(31), ControlID: id(32), VideoID: id(33), HiddenID: id(34),
	}
	who := func(subject string, role identity.Role, hpr string) identity.Principal {
		return identity.Principal{Subject: fmt.Sprintf("%s-%d", subject, n), ClinicID: c.ID, Role: role, HPR: hpr}
	}
	c.Service, c.Desk, c.Admin = who("epj", identity.RoleService, ""), who("desk", identity.RoleStaff, ""), who("admin", identity.RoleClinicAdministrator, "")
	c.GP, c.Colleague = who("gp", identity.RolePractitioner, "9144889"), who("colleague", identity.RolePractitioner, "9144897")
	c.Portal, c.Operator, c.Auditor = who("portal", identity.RolePortal, ""), who("operator", identity.RoleOperator, ""), who("auditor", identity.RoleAuditor, "")
	return c
}

func (c *clinic) masterData() pg.Clinic {
	id := func(what int) string { return fmt.Sprintf("019ab001-0000-7000-8000-%06d%06d", c.n, what) }
	return pg.Clinic{
		ID: c.ID, Name: fmt.Sprintf("Legekontor %d", c.n), OrganisationNumber: "999999999", HerID: 910000 + 10*c.n,
		Staff: []pg.Staff{
			{ID: c.GPID, Subject: c.GP.Subject, Name: "Frida Fastlege", Role: c.GP.Role, Position: "gp", HPR: c.GP.HPR, Groups: []string{"doctors"}},
			{ID: c.ColleagueID, Subject: c.Colleague.Subject, Name: "Kari Kollega", Role: c.Colleague.Role, Position: "gp", HPR: c.Colleague.HPR, Groups: []string{"doctors"}},
			{ID: id(13), Subject: c.Desk.Subject, Name: "Solveig Sekretær", Role: c.Desk.Role, Position: "secretary", Groups: []string{"desk"}, HerID: c.GPHerID + 2},
			{ID: id(14), Subject: c.Admin.Subject, Name: "Anders Administrator", Role: c.Admin.Role, HerID: c.GPHerID + 3},
		},
		Parties: []pg.Party{
			{HerID: c.GPHerID, Name: "Frida Fastlege", StaffID: c.GPID, Processes: clinicProcesses},
			{HerID: c.ColleagueHerID, Name: "Kari Kollega", StaffID: c.ColleagueID, Processes: clinicProcesses},
		},
	}
}

// clinicParties are the entries of the address registry of the first n clinics, which
// share their queues.
func clinicParties(n int) []registry.Party {
	var parties []registry.Party
	for i := range n {
		c := newClinic(i)
		m := c.masterData()
		parties = append(parties, demo.Organisation(m))
		for _, p := range m.Parties {
			parties = append(parties, registry.Party{
				HerID: p.HerID, Name: p.Name, ParentHerID: m.HerID,
				AsyncQueue: "clinics_async", SyncQueue: "clinics_sync", ErrorQueue: "clinics_error", Processes: p.Processes,
			})
		}
	}
	return parties
}

// receiptDue is longer than any test skips: a receipt that is late in a clinic's
// skipped time is not late at Helsenorge, which skips none.
const receiptDue = 400 * 24 * time.Hour

// addressRegistry is the world's address registry, which a test may change for parties of
// its own.
type addressRegistry struct {
	mu      sync.Mutex
	file    string
	parties []registry.Party
}

// clinics starts a stack that has a place for n clinics, with worker, listener and API in
// this process. The first of them is there from the start, so that the listener knows the
// queues that they share.
func clinics(t *testing.T, n int, cfg stack.Config) *world {
	t.Helper()
	cfg.Parties = append(cfg.Parties, clinicParties(n)...)
	if cfg.ReceiptDue == 0 {
		cfg.ReceiptDue = receiptDue
	}
	w := newWorld(t, cfg)
	w.registry = &addressRegistry{file: w.Worker().Transport.Registries.File, parties: slices.Concat(simulator.Parties(), demo.Registry(), cfg.Parties)}
	first := newClinic(0)
	w.write(first.Service, first.masterData())
	require.NoError(t, w.Stack.Run(t.Context()))
	w.activate()
	var err error
	w.temporal, err = w.Client()
	require.NoError(t, err)
	t.Cleanup(w.temporal.Close)
	return w
}

// registers changes what the address registry says of a party.
func (w *world) registers(herID int, change func(*registry.Party)) {
	w.Helper()
	r := w.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.parties, func(p registry.Party) bool { return p.HerID == herID })
	require.GreaterOrEqual(w, i, 0, "the registry has no such party")
	change(&r.parties[i])
	require.NoError(w, registry.Write(r.file, r.parties))
}

// clinic sets clinic n up over HTTP, for the (sub)test t: active on Helsenorge, booking
// on, its own notices on in all three places, one calendar per practitioner.
func (w *world) clinic(t *testing.T, n int) *clinic {
	t.Helper()
	c := w.founded(t, n)
	c.activate()
	c.settings(nil)
	c.calendars(c.calendar(), pg.Calendar{ID: c.ColleagueCalendarID, OwnerID: c.ColleagueID, Name: "Kari Kollega", Notify: true})
	c.types(c.consult(),
		pg.AppointmentType{ID: c.ControlID, Name: "Kontroll", Summary: "Kontroll hos fastlegen", Notify: true},
		pg.AppointmentType{ID: c.VideoID, Name: "Videokonsultasjon", Category: "Video", Summary: "Videotime hos fastlegen", Notify: true},
		pg.AppointmentType{ID: c.HiddenID, Name: "Skjult time", Hidden: true, Notify: true})
	return c
}

// founded writes the master data of clinic n, for the (sub)test t, and nothing else.
func (w *world) founded(t *testing.T, n int) *clinic {
	t.Helper()
	c := newClinic(n)
	c.world = &world{T: t, Stack: w.Stack, store: w.store, log: w.log, temporal: w.temporal, registry: w.registry}
	c.staff(nil)
	return c
}

// staff writes the clinic's master data, with a change that may be nil.
func (c *clinic) staff(change func(*pg.Clinic)) {
	c.Helper()
	m := c.masterData()
	if change != nil {
		change(&m)
	}
	c.must(c.Service, http.MethodPut, "", m, nil)
}

// activate activates the clinic and each of its GPs, as an operator does who finds that
// they are not.
func (c *clinic) activate() {
	c.Helper()
	if c.integration("").Status == contract.StatusActive {
		return
	}
	for _, change := range demo.Activation(c.masterData()) {
		c.must(c.Operator, http.MethodPost, "/integration/"+string(change.Kind), api.ActivationRequest{StaffID: change.StaffID, Key: string(change.Key)}, nil)
	}
}

// integration is how the clinic's own integration stands, or that of one of its staff.
func (c *clinic) integration(staffID string) pg.Integration {
	c.Helper()
	var all api.List[pg.Integration]
	c.must(c.Admin, http.MethodGet, "/integration", nil, &all)
	i := slices.IndexFunc(all.Items, func(i pg.Integration) bool { return i.StaffID == staffID })
	require.GreaterOrEqual(c, i, 0, "there is no such integration")
	return all.Items[i]
}

func (c *clinic) calendar() pg.Calendar {
	return pg.Calendar{ID: c.CalendarID, OwnerID: c.GPID, Name: "Frida Fastlege", Notify: true}
}

func (c *clinic) consult() pg.AppointmentType {
	return pg.AppointmentType{ID: c.ConsultID, Name: "Konsultasjon", Summary: "Time hos fastlegen", Notify: true}
}

// settings writes what the clinic has chosen; change may be nil. Changes wait for one
// minute, the least there is.
func (c *clinic) settings(change func(*pg.Settings)) {
	c.Helper()
	s := pg.Settings{OnlineBooking: true, Notify: true, NoticeName: "Senteret", Phone: "22000000", GraceMinutes: 1}
	if change != nil {
		change(&s)
	}
	c.must(c.Admin, http.MethodPut, "/settings", s, nil)
}

func (c *clinic) calendars(all ...pg.Calendar) {
	c.Helper()
	c.must(c.Service, http.MethodPut, "/calendars", api.CalendarList{Calendars: all}, nil)
}

func (c *clinic) types(all ...pg.AppointmentType) {
	c.Helper()
	c.must(c.Service, http.MethodPut, "/appointment-types", api.TypeList{Types: all}, nil)
}

// slots writes n free online slots of twenty minutes, one after the other from start,
// in the practitioner's calendar; change, which may be nil, makes them others.
func (c *clinic) slots(start time.Time, n int, change func(*pg.Slot)) []pg.Slot {
	c.Helper()
	var all []pg.Slot
	for i := range n {
		from := start.Add(time.Duration(i) * slotLength)
		s := pg.Slot{ID: uuid.NewString(), CalendarID: c.CalendarID, TypeID: c.ConsultID, StartsAt: from, EndsAt: from.Add(slotLength), Online: true}
		if change != nil {
			change(&s)
		}
		all = append(all, s)
	}
	c.must(c.Service, http.MethodPut, "/slots", api.SlotList{Slots: all}, nil)
	return all
}

const slotLength = 20 * time.Minute

// today is when the tests began: the same date to the end, though midnight passes.
var today = time.Now()

// day is an instant so many days ahead, at the hour of the Norwegian clock.
func day(ahead, hour int) time.Time {
	y, m, d := oslo.In(today).Date()
	return oslo.At(y, m, d+ahead, hour, 0, 0).UTC()
}

// patient is a patient of a clinic, and the simulator's citizen that he is.
type patient struct {
	ID      string
	Citizen int
	simulator.Person
	Email, Mobile string
	// Browser is the id of his push subscription, "" for none.
	Browser string
}

// patient writes a patient of the clinic's practitioner, whom no other test has, with
// an e-mail address and a mobile number; change may be nil.
func (c *clinic) patient(change func(*client.PatientRecord)) patient {
	c.Helper()
	c.patients++
	p := patient{Citizen: 1000 + c.n*citizensPerClinic + c.patients}
	p.Person = simulator.Citizen(p.Citizen)
	p.Email, p.Mobile = fmt.Sprintf("pasient%d@example.invalid", p.Citizen), fmt.Sprintf("+479%07d", p.Citizen)
	r := client.PatientRecord{
		Patient: client.Patient{GivenName: p.GivenName, FamilyName: p.FamilyName, NationalID: p.NationalID, PractitionerID: c.GPID},
		Contacts: &[]pg.Contact{
			{ID: uuid.NewString(), Channel: contract.ChannelEmail, Address: p.Email},
			{ID: uuid.NewString(), Channel: contract.ChannelSMS, Address: p.Mobile},
		},
	}
	if change != nil {
		change(&r)
	}
	var ids api.PatientIDs
	c.must(c.Service, http.MethodPut, "/patients/bulk", api.PatientList{Patients: []client.PatientRecord{r}}, &ids)
	require.Len(c, ids.PatientIDs, 1)
	p.ID = ids.PatientIDs[0]
	return p
}

// inactive is a patient whom Helsenorge cannot reach.
func (c *clinic) inactive(change func(*client.PatientRecord)) patient {
	c.Helper()
	p := c.patient(change)
	c.active(p, false, false)
	return p
}

// active says at Helsenorge how the patient can be reached there.
func (c *clinic) active(p patient, self, viaOthers bool) {
	c.Helper()
	require.NoError(c, c.Simulator.SetActivity(c.Context(), simulator.Activity{Citizen: p.Citizen, Self: self, ViaOthers: viaOthers}))
}

// must calls the clinic's API, demands that it succeeds, and reads the answer into out
// unless that is nil. It returns the answer as it came.
func (c *clinic) must(who identity.Principal, method, path string, body, out any) string {
	c.Helper()
	return c.keyed(who, method, path, uuid.NewString(), body, out)
}

// keyed is must with an idempotency key.
func (c *clinic) keyed(who identity.Principal, method, path, key string, body, out any) string {
	c.Helper()
	status, answer, err := c.call(who, method, path, key, body)
	require.NoError(c, err)
	require.Lessf(c, status, 300, "%s %s: %s", method, path, answer)
	if out != nil {
		require.NoErrorf(c, json.Unmarshal([]byte(answer), out), "%s %s: %s", method, path, answer)
	}
	return answer
}

// refused calls the clinic's API and demands that it refuses with the status.
func (c *clinic) refused(status int, who identity.Principal, method, path string, body any) api.Problem {
	c.Helper()
	got, answer, err := c.call(who, method, path, uuid.NewString(), body)
	require.NoError(c, err)
	require.Equalf(c, status, got, "%s %s: %s", method, path, answer)
	var p api.Problem
	require.NoError(c, json.Unmarshal([]byte(answer), &p))
	return p
}

// stretch is the query of the days around an instant.
func stretch(at time.Time) string {
	return url.Values{"from": {at.Add(-24 * time.Hour).UTC().Format(time.RFC3339)}, "to": {at.Add(24 * time.Hour).UTC().Format(time.RFC3339)}}.Encode()
}

// cases are the clinic's operator cases of a kind.
func (c *clinic) cases(kind contract.CaseKind) []pg.Case {
	c.Helper()
	var all, some api.List[pg.Case]
	c.must(c.Admin, http.MethodGet, "/cases", nil, &all)
	for _, k := range all.Items {
		if k.Kind == kind {
			some.Items = append(some.Items, k)
		}
	}
	return some.Items
}

// calendarState is how the practitioner's calendar stands for booking.
func (c *clinic) calendarState() pg.CalendarState {
	c.Helper()
	var all api.List[pg.CalendarState]
	c.must(c.Desk, http.MethodGet, "/calendars", nil, &all)
	for _, k := range all.Items {
		if k.ID == c.CalendarID {
			return k
		}
	}
	require.Fail(c, "the clinic has no such calendar")
	return pg.CalendarState{}
}
