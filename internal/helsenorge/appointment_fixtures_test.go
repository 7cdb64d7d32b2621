package helsenorge

import (
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

const (
	slotID        = "5f0c1b7e-3b1d-4a43-9a57-2f6f2f0e7a01"
	appointmentID = "5f0c1b7e-3b1d-4a43-9a57-2f6f2f0e7a02"
)

// appointmentAt is a morning in the summer time of the fixtures.
var appointmentAt = time.Date(2026, 6, 24, 7, 15, 0, 0, time.UTC)

// slot is a free slot of twenty minutes.
func slot() Event {
	return Event{UID: slotID, StartsAt: appointmentAt, EndsAt: appointmentAt.Add(20 * time.Minute), Contact: 600201}
}

// appointment is what became of the slot.
func appointment() Event {
	e := slot()
	e.UID, e.RelatedTo = appointmentID, slotID
	e.Summary, e.Description, e.Location = "Kontroll <årlig>", "Møt fastende & uthvilt.", "Bakken 2, 1. etasje"
	e.Status = StatusConfirmed
	return e
}

func cancelled() Event {
	e := appointment()
	e.Status, e.CancellationReason = StatusCancelled, CancelledByService
	return e
}

// slots are what a day may offer: each kind that the guide has.
func slots() []Event {
	out := make([]Event, 5)
	for i := range out {
		out[i] = slot()
		out[i].UID = slotID[:len(slotID)-2] + string(rune('1'+i)) + "0"
		out[i].StartsAt = appointmentAt.Add(time.Duration(i) * time.Hour)
		out[i].EndsAt = out[i].StartsAt.Add(20 * time.Minute)
	}
	out[1].Categories = []string{CategoryUrgent, CategoryMustCall}
	out[2].Categories, out[2].AvailableAt = []string{CategoryVideo}, appointmentAt.Add(-24*time.Hour)
	out[3].Categories, out[3].Status = []string{CategoryMustCall, CategoryService + "417"}, StatusTentative
	out[4].Description, out[4].Summary, out[4].Location = "Ta med legitimasjon.", "Vaksine", "Rom 3"
	return out
}

func practitioner() Practitioner {
	p := *wished()[0].Professional
	p.RoleToPatient = code(codes.PatientRoles, "15")
	return Practitioner{Professional: p, Category: Code{V: "LE", DN: "Lege"}, Remark: "Vikar på tirsdager & onsdager."}
}

func practitioners() []Practitioner {
	second := practitioner()
	second.Professional.FamilyName, second.Professional.MiddleName = "Ødegård", "Lund"
	second.Professional.RoleToPatient, second.Category, second.Remark = Code{}, Code{}, ""
	return []Practitioner{practitioner(), second}
}

// with completes a message with what its function must have.
func with(m *Message, events ...Event) *Message {
	f, _ := profile[m.Head.Process].of(m.Dialog)
	m.Events = events
	m.Head.WantsReceipt = f.pace != atOnce
	if r := m.Dialog.Request; r != nil {
		r.Type = code(f.list, r.Type.V)
		if f.coded == codes.YesNo {
			r.Coded = codeRef(codes.YesNo, codes.OtherDeclined)
		}
		if f.dates {
			r.From, r.To = time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC), time.Date(2026, 7, 13, 0, 0, 0, 0, time.UTC)
		}
	}
	if f.practitioners == always {
		m.Practitioners = practitioners()
	}
	return m
}

// appointmentFixtures are messages of every function of the appointment
// processes and of the practitioner overview.
func appointmentFixtures() map[string]*Message {
	asked := func(process, v, subject, text string, events ...Event) *Message {
		return with(&Message{Head: fromCitizen(process, firstID), Dialog: request(v, subject, text)}, events...)
	}
	pushed := func(process, v string, events ...Event) *Message {
		return with(&Message{Head: firstFromClinic(process), Dialog: request(v, "", "")}, events...)
	}
	answered := func(process, v, text string, events ...Event) *Message {
		return with(&Message{Head: fromClinic(process, secondID), Dialog: note(v, Text{Plain: text})}, events...)
	}
	const (
		booking, wish, sending, cancelling, overview = codes.Timereservasjon, codes.Timeonske, codes.Avtaleutsending, codes.Avtaleavbestilling, codes.Behandleroversikt
	)
	f := map[string]*Message{
		"booking-HLT": asked(booking, "HLT", "", ""),
		"booking-HBT": asked(booking, "HBT", "", ""),
		"booking-RT":  asked(booking, "RT", "Hodepine", "Har vondt i hodet.", slot()),
		"booking-ART": asked(booking, "ART", "", "Jeg er blitt frisk.", appointment()),

		"booking-told-05":  pushed(booking, "05", appointment()),
		"booking-told-07":  pushed(booking, "07", appointment()),
		"booking-told-08":  pushed(booking, "08", cancelled()),
		"booking-told-11":  pushed(booking, "11", appointment()),
		"booking-told-MOA": pushed(booking, "MOA", appointment()),

		"booking-01": answered(booking, "01", "", appointment(), cancelled()),
		"booking-02": answered(booking, "02", ""),
		"booking-03": answered(booking, "03", "", slots()...),
		"booking-04": answered(booking, "04", ""),
		"booking-05": answered(booking, "05", "Velkommen.", appointment()),
		"booking-06": answered(booking, "06", "Timen er tatt.", slot()),
		"booking-07": answered(booking, "07", "", appointment()),
		"booking-08": answered(booking, "08", "", cancelled()),
		"booking-09": answered(booking, "09", "Det er for sent.", appointment()),
		"booking-26": answered(booking, "26", "Stengt."),
		"booking-30": answered(booking, "30", "", slot()),
		"booking-34": answered(booking, "34", ""),

		"sending-told-05": pushed(sending, "05", appointment()),
		"sending-told-07": pushed(sending, "07", appointment()),
		"sending-told-08": pushed(sending, "08", cancelled()),
		"sending-told-11": pushed(sending, "11", appointment()),
		"sending-26":      answered(sending, "26", "Tilbys ikke."),
		"sending-30":      answered(sending, "30", ""),

		"cancelling-ART": asked(cancelling, "ART", "Syk", "Kan ikke komme.", appointment()),
		"cancelling-08":  answered(cancelling, "08", "", cancelled()),
		"cancelling-09":  answered(cancelling, "09", "", appointment()),
		"cancelling-26":  answered(cancelling, "26", "Tilbys ikke."),
		"cancelling-30":  answered(cancelling, "30", ""),

		"wish-OT":  asked(wish, "OT", "Time", "Helst torsdag."),
		"wish-OET": asked(wish, "OET", "", "Helst senere.", appointment()),
		"wish-OAT": asked(wish, "OAT", "", "Trengs ikke mer.", appointment()),
		"wish-05":  answered(wish, "05", "Torsdag passer.", appointment()),
		"wish-06":  answered(wish, "06", "Fullt denne uka."),
		"wish-07":  answered(wish, "07", "", appointment()),
		"wish-08":  answered(wish, "08", "", cancelled()),
		"wish-09":  answered(wish, "09", "", appointment()),
		"wish-10":  answered(wish, "10", "Hos vikaren.", appointment()),
		"wish-26":  answered(wish, "26", "Ring oss."),
		"wish-30":  answered(wish, "30", ""),
		"wish-34":  answered(wish, "34", "", appointment()),

		"overview-HB": asked(overview, "HB", "", ""),
		"overview-20": answered(overview, "20", ""),
		"overview-21": answered(overview, "21", ""),
		"overview-26": answered(overview, "26", "Tilbys ikke."),
		"overview-30": answered(overview, "30", ""),
		"overview-31": answered(overview, "31", "Feil hos oss."),
	}
	f["booking-HLT"].Dialog.Request.Roles = wished()
	f["booking-RT"].Dialog.Request.Roles = wished()
	f["booking-RT"].Dialog.CaseID = "kontakt-17"
	f["booking-RT"].Attachments = []Attachment{{MIME: MIMEPDF, Description: "Henvisning", Content: pdf}}
	f["booking-RT"].Relation = onBehalf()
	f["booking-ART"].Events[0].Categories = []string{"Konsultasjon"} // what the other side has sent is repeated as it is
	f["booking-03"].Practitioners = practitioners()
	f["booking-05"].Practitioners = []Practitioner{practitioner()}
	f["booking-05"].Dialog.Note.Roles = wished()
	f["booking-30"].Head.WantsReceipt = false // it may answer HLT, too
	f["booking-told-05"].Dialog.Request.Roles = wished()
	f["booking-told-05"].Events[0].Categories = []string{CategoryVideo, CategoryService + "417"}
	return f
}
