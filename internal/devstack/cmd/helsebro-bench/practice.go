package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
)

const (
	// practiceID and practiceHerID name the clinic of the bench; its GPs' parties have
	// the HER-ids that follow.
	practiceID    = "019ab000-0000-7000-8000-00000000b000"
	practiceHerID = 910000

	// A GP works 08:00 to 14:40 from Monday to Friday, and all of it is open to
	// citizens for as long as a citizen can ask for.
	slotLength  = 20 * time.Minute
	slotsPerDay = 20
	slotDays    = 28
	slotsPerGP  = 20 * slotsPerDay // 28 days in a row have 20 working days

	// patientsPerGP is how many there are at least.
	patientsPerGP = 10
	// grace is how long the clinic's changes are waited for before the last is told.
	grace = time.Minute
	// firstCitizen is the simulator's number of the first patient.
	firstCitizen = 10_000
)

// recordSystem is the practice's.
var recordSystem = identity.Principal{Subject: "bench-epj", ClinicID: practiceID, Role: identity.RoleService}

// practice is the bench's own clinic: many GPs, each with one calendar, a party and
// patients.
type practice struct {
	gps int
	// people is how many patients there are.
	people int
	// opens is the first day with slots, at midnight in Norway.
	opens time.Time
	// patients are their ids, filled in by write.
	patients []string
}

// newPractice is a practice of so many GPs, with at least so many patients, whose slots
// begin on the day after now.
func newPractice(gps, people int, now time.Time) *practice {
	y, m, d := oslo.In(now).Date()
	return &practice{gps: gps, people: max(people, gps*patientsPerGP), opens: oslo.At(y, m, d+1, 0, 0, 0)}
}

// practiceThing names a thing of the practice, the same in every run.
func practiceThing(kind string, n int) string {
	return uuid.NewSHA1(uuid.MustParse(practiceID), fmt.Appendf(nil, "%s/%d", kind, n)).String()
}

func (p *practice) herID(gp int) int         { return practiceHerID + 1 + gp }
func (p *practice) gpID(gp int) string       { return practiceThing("gp", gp) }
func (p *practice) calendarID(gp int) string { return practiceThing("calendar", gp) }
func (p *practice) typeID() string           { return practiceThing("type", 0) }

// gpOf is the patient's own GP.
func (p *practice) gpOf(patient int) int { return patient % p.gps }

// phone is the patient's, and no other's.
func (p *practice) phone(patient int) string { return fmt.Sprintf("+479%07d", patient) }

// citizen is the patient as the simulator knows him.
func (p *practice) citizen(patient int) int { return firstCitizen + patient }

// registry are the practice's entries of the address registry. All GPs share its
// queues.
func (p *practice) registry() []registry.Party {
	parties := []registry.Party{demo.Organisation(p.clinic())}
	for gp := range p.gps {
		parties = append(parties, registry.Party{
			HerID: p.herID(gp), Name: fmt.Sprintf("Fastlege nummer %d", gp), ParentHerID: practiceHerID,
			AsyncQueue: "practice_async", SyncQueue: "practice_sync", ErrorQueue: "practice_error", Processes: practiceProcesses,
		})
	}
	return parties
}

var practiceProcesses = []string{codes.Timereservasjon}

func (p *practice) clinic() pg.Clinic {
	c := pg.Clinic{ID: practiceID, Name: "Storby senter", OrganisationNumber: "999999999", HerID: practiceHerID}
	for gp := range p.gps {
		name := fmt.Sprintf("Fastlege nummer %d", gp)
		c.Staff = append(c.Staff, pg.Staff{
			ID: p.gpID(gp), Subject: fmt.Sprintf("gp-%d", gp), Name: name, Role: identity.RolePractitioner, Position: "gp", HPR: fmt.Sprintf("%07d", 8_000_000+gp),
		})
		c.Parties = append(c.Parties, pg.Party{HerID: p.herID(gp), Name: name, StaffID: p.gpID(gp), Processes: practiceProcesses})
	}
	return c
}

func (p *practice) calendars() []pg.Calendar {
	var all []pg.Calendar
	for gp := range p.gps {
		all = append(all, pg.Calendar{ID: p.calendarID(gp), OwnerID: p.gpID(gp), Name: "Timebok", Notify: true})
	}
	return all
}

// slots are those of one GP, the earliest first.
func (p *practice) slots(gp int) []pg.Slot {
	var all []pg.Slot
	for n := range slotsPerGP {
		at := p.workingTime(0, n)
		all = append(all, pg.Slot{
			ID: practiceThing("slot", gp*slotsPerGP+n), CalendarID: p.calendarID(gp), TypeID: p.typeID(),
			StartsAt: at, EndsAt: at.Add(slotLength), Online: true, Place: "Legevegen 1",
		})
	}
	return all
}

// workingTime is the start of the nth piece of working time from so many days after
// the first on.
func (p *practice) workingTime(after, n int) time.Time {
	for left := n / slotsPerDay; ; after++ {
		morning := p.clock(after, 8)
		if day := oslo.In(morning).Weekday(); day == time.Saturday || day == time.Sunday {
			continue
		}
		if left == 0 {
			return morning.Add(time.Duration(n%slotsPerDay) * slotLength)
		}
		left--
	}
}

// clock is the hour of the day that comes so many days after the first.
func (p *practice) clock(after, hour int) time.Time {
	y, m, d := oslo.In(p.opens).Date()
	return oslo.At(y, m, d+after, hour, 0, 0)
}

// date is that day as a citizen asks for it.
func (p *practice) date(after int) string { return oslo.In(p.clock(after, 12)).Format(time.DateOnly) }

// records are the practice's patients: all of them want to be told, and can have an
// SMS.
func (p *practice) records() []pg.PatientRecord {
	var all []pg.PatientRecord
	for n := range p.people {
		who := simulator.Citizen(p.citizen(n))
		all = append(all, pg.PatientRecord{
			Patient:        pg.Patient{GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, IDType: codes.Fodselsnummer},
			PractitionerID: p.gpID(p.gpOf(n)), Status: &pg.PatientStatus{},
			Contacts: &[]pg.Contact{{Channel: contract.ChannelSMS, Address: p.phone(n)}},
		})
	}
	return all
}

// write writes the practice as its record system would.
func (p *practice) write(ctx context.Context, store *pg.Store) error {
	if err := store.PutClinic(ctx, recordSystem, p.clinic()); err != nil {
		return err
	}
	if err := store.PutSettings(ctx, recordSystem, practiceID, pg.Settings{
		OnlineBooking: true, Notify: true, NoticeName: "Storby senter", Phone: "22000000",
		GraceMinutes: int(grace / time.Minute), MaxFutureBookings: slotsPerGP,
	}); err != nil {
		return err
	}
	if err := store.PutCalendars(ctx, recordSystem, practiceID, p.calendars()); err != nil {
		return err
	}
	err := store.PutAppointmentTypes(ctx, recordSystem, practiceID, []pg.AppointmentType{{ID: p.typeID(), Name: "Vanlig", Summary: "Time", Notify: true}})
	if err != nil {
		return err
	}
	p.patients, err = store.PutPatients(ctx, recordSystem, practiceID, p.records())
	return err
}

// writeSlots writes the slots of all GPs, one GP after the other.
func (p *practice) writeSlots(ctx context.Context, store *pg.Store) error {
	for gp := range p.gps {
		if err := store.PutSlots(ctx, recordSystem, practiceID, p.slots(gp)); err != nil {
			return err
		}
	}
	return nil
}
