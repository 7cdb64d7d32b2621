package demo

import (
	"time"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
)

// Ids of the demonstration clinic's calendar and types of appointment.
const (
	CalendarID   = "019ab000-0000-7000-8000-000000000021"
	ConsultID    = "019ab000-0000-7000-8000-000000000031"
	VideoID      = "019ab000-0000-7000-8000-000000000032"
	HiddenTypeID = "019ab000-0000-7000-8000-000000000033"
)

// The demonstration clinic's day: one slot after another, by the Norwegian clock.
const (
	opens, closes = 8, 15 // o'clock
	slotLength    = 20 * time.Minute
	slotDays      = 14
)

// Settings are what the demonstration clinic has chosen: booking through Helsenorge
// and notices of its own, with the defaults for the rest. Whoever tries it waits for no
// more than a minute after a change, and books as often as he likes.
func Settings() pg.Settings {
	return pg.Settings{OnlineBooking: true, Notify: true, NoticeName: "Demo senter", Phone: "22000000", GraceMinutes: 1, MaxFutureBookings: 200}
}

// Calendars is the one calendar that the practitioner owns, so that it can be booked
// (S71).
func Calendars() []pg.Calendar {
	return []pg.Calendar{{ID: CalendarID, OwnerID: GPID, Name: "Frida Fastlege", Notify: true}}
}

// Types are the clinic's types of appointment; the last is hidden (S82).
func Types() []pg.AppointmentType {
	return []pg.AppointmentType{
		{ID: ConsultID, Name: "Konsultasjon", Summary: "Time hos fastlegen", Notify: true},
		{ID: VideoID, Name: "Videokonsultasjon", Category: "Video", Summary: "Videotime hos fastlegen", Notify: true},
		{ID: HiddenTypeID, Name: "Skjult time", Hidden: true, Notify: true},
	}
}

// Slots fill the calendar for two weeks from the day after now: every working day from
// 08:00 to 15:00 in Norway, every twenty minutes, online. A slot's id follows from its
// start: made again, they are the same slots.
func Slots(now time.Time) []pg.Slot {
	var slots []pg.Slot
	year, month, today := oslo.In(now).Date()
	for day := 1; day <= slotDays; day++ {
		first := oslo.At(year, month, today+day, opens, 0, 0)
		if !oslo.WorkingDay(first) {
			continue
		}
		for start := first; oslo.In(start).Hour() < closes; start = start.Add(slotLength) {
			slots = append(slots, pg.Slot{
				ID:         uuid.NewSHA1(uuid.MustParse(CalendarID), []byte(start.Format(time.RFC3339))).String(),
				CalendarID: CalendarID, TypeID: ConsultID, StartsAt: start, EndsAt: start.Add(slotLength), Online: true,
			})
		}
	}
	return slots
}

// Inactive is the number of the simulator's citizen who is Patient. He must be made
// inactive at the simulated Helsenorge, where everybody is active at first.
const Inactive = 21

// Patient is a patient of the demonstration clinic who is told by its own channels:
// his e-mail bounces, his phone works.
func Patient() pg.PatientRecord {
	who := simulator.Citizen(Inactive)
	return pg.PatientRecord{
		Patient:        pg.Patient{GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, IDType: "FNR"},
		PractitionerID: GPID,
		Contacts: &[]pg.Contact{
			{ID: "019ab000-0000-7000-8000-000000000041", Channel: contract.ChannelEmail, Address: "bounce@example.invalid"},
			{ID: "019ab000-0000-7000-8000-000000000042", Channel: contract.ChannelSMS, Address: "+4790000021"},
		},
	}
}
