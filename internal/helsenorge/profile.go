package helsenorge

import (
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Limits of what is written. They are those of Helsenorge's own user interface
// (HITS 1217 §2.4.1) and of its queue; a received message may exceed them.
const (
	// MaxSubject is in characters.
	MaxSubject = 50
	// MaxText is in characters of the plain text.
	MaxText = 1000
	// MaxMessageBytes is the size of a written message. Helsenorge takes 20 MB of
	// sealed message; sealing as DER adds a few kilobytes.
	MaxMessageBytes = 20_000_000 - 64<<10
	// MaxSlotDays is how far FraDato and TilDato may be apart (HITS 1217 §3.4.2).
	MaxSlotDays = 28
)

// side is a side of the dialogue, or both.
type side uint8

const (
	citizen side = 1 << iota
	clinic
)

// presence says whether something may, must or must not be there.
type presence uint8

const (
	never presence = iota
	maybe
	always
)

// pace is how a message travels, which decides Ack: what is answered at once is
// not receipted (HITS 1216 §2.1.1).
type pace uint8

const (
	queued pace = iota // Ack J
	atOnce             // Ack N
	// eitherWay is a refusal: it answers both kinds of request of its process.
	eitherWay
)

// roleRule says what RollerRelatertNotat may hold.
type roleRule uint8

const (
	noRoles roleRule = iota
	someRoles
	// onePractitioner permits one, with HPR number: whom the citizen asks for, or
	// whom the appointment is with.
	onePractitioner
	// oneAuthor permits one, by name only: who wrote (HITS 1217 §3.3.2).
	oneAuthor
)

// patientRule says whether a message is about a patient.
type patientRule uint8

const (
	onePatient patientRule = iota
	// noPatient: about several people, or about nobody.
	noPatient
	anyPatient
)

// eventRule is what a function demands of its iCalendar document, beyond the
// schema (HITS 1217 §2.8, §3.4 to §3.7).
type eventRule struct {
	// least and most are how many events; most 0 is without limit.
	least, most int
	// own tells that the clinic makes the event: its identities are UUIDs, its
	// categories those of 7617. Otherwise it repeats what the other side has sent.
	own bool
	// slots are free: they alone may be MustCall or AvailableAt.
	slots bool
	// related demands RelatedTo.
	related bool
	// statuses are the permitted ones, beside none.
	statuses []string
}

var (
	freeSlots      = &eventRule{least: 1, own: true, slots: true, statuses: []string{StatusTentative}}
	plannedEvents  = &eventRule{least: 1, own: true, statuses: anyStatus}
	bookedEvent    = &eventRule{least: 1, most: 1, own: true, statuses: []string{StatusTentative, StatusConfirmed}}
	cancelledEvent = &eventRule{least: 1, most: 1, own: true, statuses: []string{StatusCancelled}}
	noticeEvent    = &eventRule{least: 1, most: 1, own: true, statuses: anyStatus}
	wantedSlot     = &eventRule{least: 1, most: 1, statuses: anyStatus}
	knownEvent     = &eventRule{least: 1, most: 1, related: true, statuses: anyStatus}
	// repeatedEvent may stand in a refusal: what was asked for, as it was asked.
	repeatedEvent = &eventRule{most: 1, statuses: anyStatus}

	anyStatus = []string{StatusTentative, StatusConfirmed, StatusCancelled}
)

// function is what one code of one process permits and demands: the tables of
// HITS 1217 §3.1 to §3.7, §3.9 and §3.11, where they go beyond the schema.
type function struct {
	// list is the code's list.
	list codes.List
	// sides say who sends it.
	sides side
	// pace decides Ack.
	pace pace
	// thread demands ConversationRef; without it there must be none.
	thread bool
	// needsSubject and needsText demand the two texts, silent forbids them.
	needsSubject, needsText, silent bool
	// subjectFromCode writes the code's name as Tema when there is none: answers
	// to a renewal have been shown by Tema alone.
	subjectFromCode bool
	// coded is the list of the KodetOpplysning that is demanded; others must not
	// have it.
	coded codes.List
	// dates demands FraDato and TilDato; others must not have them.
	dates bool
	// caseID and attachments may occur.
	caseID, attachments bool
	roles               roleRule
	// events is nil when there must be no iCalendar document.
	events *eventRule
	// practitioners says the same of the Helsepersonell document, people of Personer,
	// and prescriptions of M1 documents, one per prescription.
	practitioners, people, prescriptions presence
	// patient says whether the head names one.
	patient patientRule
	// content reads what it says, for Message.Content.
	content func(*Message, Letter) Content
	// section is where the guide has it, such as 3.4.3.
	section string
}

// functions are what a process permits, by code. Requests and notes are apart:
// 05 is told unasked in a Foresporsel, and answers a booking in a Notat.
type functions struct {
	requests, notes map[string]function
}

// of finds the function that a dialog is.
func (fs functions) of(d *Dialog) (function, bool) {
	if d == nil || (d.Request == nil) == (d.Note == nil) {
		return function{}, false
	}
	table := fs.notes
	if d.Request != nil {
		table = fs.requests
	}
	f, ok := table[d.Function()]
	return f, ok
}

// appointments tells whether the process is about appointments or those who give
// them: it carries documents that no other process foresees.
func (fs functions) appointments() bool {
	for _, table := range []map[string]function{fs.requests, fs.notes} {
		for _, f := range table {
			if f.events != nil || f.practitioners != never {
				return true
			}
		}
	}
	return false
}

var profile = map[string]functions{
	codes.EKonsultasjon: {
		requests: map[string]function{
			"SB":  {content: aQuestion, section: "3.2", list: codes.Requests, sides: citizen, needsSubject: true, needsText: true, attachments: true, roles: someRoles},
			"DI":  {content: anOpening, section: "3.2.3", list: codes.Requests, sides: clinic, needsSubject: true, needsText: true, attachments: true, roles: someRoles},
			"EKI": {content: anOpening, section: "3.2.3", list: codes.Requests, sides: clinic, needsSubject: true, needsText: true, attachments: true, roles: someRoles},
		},
		notes: map[string]function{
			"12": {content: aPractitionerAnswer, section: "3.2", list: codes.Answers, sides: clinic, thread: true, needsText: true, attachments: true, roles: someRoles},
			"13": {content: aClosing, section: "3.2.3", list: codes.Answers, sides: clinic, thread: true, needsText: true, attachments: true, roles: someRoles},
			"22": {content: aCitizenAnswer, section: "3.2", list: codes.Answers, sides: citizen, thread: true, needsText: true, attachments: true, roles: someRoles},
			"26": {content: aRefusal, section: "3.2", list: codes.Answers, sides: citizen | clinic, thread: true, needsText: true, attachments: true, roles: someRoles},
			"30": {content: aRefusal, section: "3.2", list: codes.Answers, sides: clinic, thread: true, needsText: true, attachments: true, roles: someRoles},
			"31": {content: aRefusal, section: "3.2", list: codes.Answers, sides: citizen | clinic, thread: true, needsText: true, attachments: true, roles: someRoles},
		},
	},
	codes.EKontakt: {
		requests: map[string]function{
			"HE":  {content: anEnquiry, section: "3.3.1", list: codes.Requests, sides: citizen, caseID: true, attachments: true},
			"VUS": {content: anUnreadNotice, section: "3.3.1", list: codes.Requests, sides: citizen, thread: true, caseID: true},
			"DI":  {content: anOpening, section: "3.3.3", list: codes.Requests, sides: clinic, needsSubject: true, needsText: true, caseID: true, attachments: true},
			"EKI": {content: anOpening, section: "3.3.3", list: codes.Requests, sides: clinic, needsSubject: true, needsText: true, caseID: true, attachments: true},
		},
		notes: map[string]function{
			"19": {content: anEnquiryAnswer, section: "3.3.2", list: codes.Answers, sides: clinic, thread: true, needsText: true, caseID: true, attachments: true, roles: oneAuthor},
			// §3.3.2 lacks these, chapter 4 and official samples have them: whoever calls decides
			// whether he sends them (an installation does not).
			"13": {content: aClosing, section: "4", list: codes.Answers, sides: clinic, thread: true, needsText: true, caseID: true, attachments: true, roles: oneAuthor},
			"17": {content: aCertificateAnswer, section: "4", list: codes.Answers, sides: clinic, thread: true, needsText: true, caseID: true, attachments: true, roles: oneAuthor},
			"18": {content: aCertificateAnswer, section: "4", list: codes.Answers, sides: clinic, thread: true, needsText: true, caseID: true, attachments: true, roles: oneAuthor},
			"22": {content: aCitizenAnswer, section: "3.3", list: codes.Answers, sides: citizen, thread: true, needsText: true, caseID: true, attachments: true},
			"26": {content: aRefusal, section: "3.3.2", list: codes.Answers, sides: citizen | clinic, thread: true, needsText: true, caseID: true, attachments: true, roles: oneAuthor},
			"30": {content: aRefusal, section: "3.3.2", list: codes.Answers, sides: clinic, thread: true, needsText: true, caseID: true, attachments: true, roles: oneAuthor},
			"31": {content: aRefusal, section: "3.3.2", list: codes.Answers, sides: citizen | clinic, thread: true, needsText: true, caseID: true, attachments: true, roles: oneAuthor},
		},
	},
	codes.Reseptfornyelse: {
		requests: map[string]function{
			"RF":   {content: aRenewalRequest, section: "3.1.1", list: codes.Requests, sides: citizen, needsText: true, coded: codes.Delivery, caseID: true, roles: someRoles},
			"RFER": {content: aRenewalRequest, section: "3.1.2", list: codes.Requests, sides: citizen, coded: codes.Delivery, caseID: true, roles: someRoles, prescriptions: always},
		},
		notes: map[string]function{
			"14": {content: aRenewalAnswer, section: "3.1.3", list: codes.Answers, sides: clinic, thread: true, needsText: true, subjectFromCode: true, roles: someRoles, prescriptions: always},
			"32": {content: aRenewalAnswer, section: "3.1.3", list: codes.Answers, sides: clinic, thread: true, needsText: true, subjectFromCode: true, roles: someRoles, prescriptions: always},
			"15": {content: aRenewalAnswer, section: "3.1.3", list: codes.Answers, sides: clinic, thread: true, needsText: true, subjectFromCode: true, roles: someRoles},
			"26": {content: aRefusal, section: "3.1.3", list: codes.Answers, sides: clinic, thread: true, needsText: true, subjectFromCode: true, roles: someRoles},
			"30": {content: aRefusal, section: "3.1.3", list: codes.Answers, sides: clinic, thread: true, needsText: true, subjectFromCode: true, roles: someRoles},
		},
	},
	codes.Timereservasjon: {
		requests: map[string]function{
			"HLT": {content: aSlotsRequest, section: "3.4.2", list: codes.Requests, sides: citizen, pace: atOnce, dates: true, roles: onePractitioner},
			"HBT": {content: aPlannedRequest, section: "3.4.4", list: codes.Requests, sides: citizen, pace: atOnce},
			"RT":  {content: aBookingRequest, section: "3.4.3", list: codes.Requests, sides: citizen, coded: codes.YesNo, caseID: true, attachments: true, roles: onePractitioner, events: wantedSlot},
			"ART": cancellation("3.4.3"),
			"05":  told("3.4.1", bookedEvent), "07": told("3.4.1", bookedEvent), "08": told("3.4.1", cancelledEvent), "11": told("3.4.1", bookedEvent),
			"MOA": {content: anAppointmentNotice, section: "3.4.1", list: codes.Requests, sides: clinic, silent: true, caseID: true, roles: onePractitioner, events: noticeEvent},
		},
		notes: map[string]function{
			"01": {content: somePlanned, section: "3.4.4", list: codes.Answers, sides: clinic, pace: atOnce, thread: true, events: plannedEvents},
			"02": {content: nonePlanned, section: "3.4.4", list: codes.Answers, sides: clinic, pace: atOnce, thread: true},
			"03": {content: someSlots, section: "3.4.2", list: codes.Answers, sides: clinic, pace: atOnce, thread: true, events: freeSlots, practitioners: maybe},
			"04": {content: noSlots, section: "3.4.2", list: codes.Answers, sides: clinic, pace: atOnce, thread: true},
			"05": given("3.4.3", bookedEvent), "07": given("3.4.3", bookedEvent), "08": notGiven("3.4.3", cancelledEvent),
			"06": notGiven("3.4.3", repeatedEvent), "09": notGiven("3.4.3", repeatedEvent), "34": notGiven("3.4.3", repeatedEvent),
			"26": refused("3.4.3", eitherWay), "30": refused("3.4.3", eitherWay),
		},
	},
	codes.Avtaleutsending: {
		requests: map[string]function{
			"05": told("3.6", bookedEvent), "07": told("3.6", bookedEvent), "08": told("3.6", cancelledEvent), "11": told("3.6", bookedEvent),
		},
		// Nothing is asked here. What comes all the same is refused as anywhere.
		notes: map[string]function{"26": refused("3.6", queued), "30": refused("3.6", queued)},
	},
	codes.Avtaleavbestilling: {
		requests: map[string]function{"ART": cancellation("3.7")},
		notes: map[string]function{
			"08": notGiven("3.7", cancelledEvent), "09": notGiven("3.7", repeatedEvent),
			"26": refused("3.7", queued), "30": refused("3.7", queued),
		},
	},
	codes.Timeonske: {
		requests: map[string]function{
			"OT":  {content: anAppointmentWish, section: "3.5", list: codes.Requests, sides: citizen, coded: codes.YesNo, attachments: true, roles: onePractitioner},
			"OET": {content: anAppointmentWish, section: "3.5", list: codes.Requests, sides: citizen, coded: codes.YesNo, attachments: true, roles: onePractitioner, events: knownEvent},
			"OAT": {content: anAppointmentWish, section: "3.5", list: codes.Requests, sides: citizen, coded: codes.YesNo, attachments: true, roles: onePractitioner, events: knownEvent},
		},
		notes: map[string]function{
			"05": wishAnswer(bookedEvent, maybe), "07": wishAnswer(bookedEvent, maybe), "10": wishAnswer(bookedEvent, always),
			"08": wishAnswer(cancelledEvent, never), "06": wishAnswer(repeatedEvent, never), "09": wishAnswer(repeatedEvent, never),
			"34": wishAnswer(repeatedEvent, never), "26": wishRefusal(), "30": wishRefusal(),
		},
	},
	codes.Behandleroversikt: {
		requests: map[string]function{"HB": {content: aPractitionersRequest, section: "3.11", list: codes.Requests, sides: citizen, pace: atOnce}},
		notes: map[string]function{
			"20": {content: somePractitioners, section: "3.11", list: codes.Answers, sides: clinic, pace: atOnce, thread: true, practitioners: always},
			"21": {content: noPractitioners, section: "3.11", list: codes.Answers, sides: clinic, pace: atOnce, thread: true},
			"26": {content: aRefusal, section: "3.11", list: codes.Answers, sides: clinic, pace: atOnce, thread: true},
			"30": {content: aRefusal, section: "3.11", list: codes.Answers, sides: clinic, pace: atOnce, thread: true},
			"31": {content: aRefusal, section: "3.11", list: codes.Answers, sides: clinic, pace: atOnce, thread: true},
		},
	},
	codes.Digitalbruker: {
		requests: map[string]function{
			"SDAB":  {content: anActivityStatus, section: "3.9", list: codes.Requests, sides: citizen, silent: true, coded: codes.YesNo},
			"SIDAB": {content: anActivityQuestion, section: "3.9", list: codes.Requests, sides: clinic, silent: true, people: always, patient: noPatient},
		},
		notes: map[string]function{
			"28": {content: activePeople, section: "3.9", list: codes.Answers, sides: citizen, thread: true, silent: true, people: always, patient: noPatient},
			"29": {content: nobodyActive, section: "3.9", list: codes.Answers, sides: citizen, thread: true, silent: true, patient: noPatient},
			"26": {content: aRefusal, section: "3.9", list: codes.Answers, sides: citizen | clinic, thread: true, needsText: true, patient: anyPatient},
			"31": {content: aRefusal, section: "3.9", list: codes.Answers, sides: citizen | clinic, thread: true, needsText: true, patient: anyPatient},
		},
	},
	codes.Test: {
		requests: map[string]function{"KT": {content: aTestRequest, section: "3.10", list: codes.TestCodes, sides: citizen | clinic, pace: atOnce, patient: anyPatient}},
		notes:    map[string]function{"RKT": {content: aTestAnswer, section: "3.10", list: codes.TestCodes, sides: citizen | clinic, pace: atOnce, thread: true, patient: anyPatient}},
	},
}

// cancellation is ART, alike in both processes that have it (HITS 1217 §3.4.3,
// §3.7): the citizen cancels an appointment.
func cancellation(section string) function {
	return function{content: aCancellationRequest, section: section, list: codes.Requests, sides: citizen, coded: codes.YesNo, caseID: true, attachments: true, roles: onePractitioner, events: knownEvent}
}

// told is an appointment that the clinic has made, changed, cancelled or waited
// in vain for, told unasked (HITS 1217 §3.4.1): a code of 7602 in a request,
// without words.
func told(section string, events *eventRule) function {
	return function{content: anAppointmentNotice, section: section, list: codes.Answers, sides: clinic, silent: true, caseID: true, roles: onePractitioner, events: events}
}

// given answers a booking with an appointment, perhaps with somebody else (HITS
// 1217 §3.4.3); notGiven answers without one.
func given(section string, events *eventRule) function {
	f := notGiven(section, events)
	f.practitioners = maybe
	return f
}

func notGiven(section string, events *eventRule) function {
	return function{content: anAppointmentAnswer, section: section, list: codes.Answers, sides: clinic, thread: true, caseID: true, attachments: true, roles: onePractitioner, events: events}
}

// refused is 26 and 30: the request was right and is not taken (HITS 1217 §2.4.3).
func refused(section string, p pace) function {
	f := notGiven(section, repeatedEvent)
	f.pace, f.content = p, aRefusal
	return f
}

// wishAnswer answers a wish for an appointment (HITS 1217 §3.5).
func wishAnswer(events *eventRule, practitioners presence) function {
	return function{content: anAppointmentAnswer, section: "3.5", list: codes.Answers, sides: clinic, thread: true, roles: onePractitioner, events: events, practitioners: practitioners}
}

// wishRefusal is 26 and 30 to a wish.
func wishRefusal() function {
	f := wishAnswer(repeatedEvent, never)
	f.content = aRefusal
	return f
}

// refusals are what may be written in every other process of 8279: that the
// message was right and is not taken (HITS 1217 §2.4.3, §2.13.3).
var refusals = functions{notes: map[string]function{
	"26": {content: aRefusal, section: "2.4.3", list: codes.Answers, sides: clinic, thread: true, needsText: true},
	"30": {content: aRefusal, section: "2.4.3", list: codes.Answers, sides: clinic, thread: true, needsText: true},
	"31": {content: aRefusal, section: "2.4.3", list: codes.Answers, sides: clinic, thread: true, needsText: true},
}}

// readInFull tells whether the process is one that the profile knows.
func readInFull(process string) bool {
	_, ok := profile[process]
	return ok
}

// dialogueProcess tells whether the process is about a patient's dialogue: all
// in the profile but the communication test, which needs no patient.
func dialogueProcess(process string) bool { return readInFull(process) && process != codes.Test }

// Synchronous tells whether the message belongs to a pair that is answered at
// once: its time to live is seconds, its Ack is N, and nobody receipts it (HITS
// 1216 §2.1.3). A refusal that answers either kind of request goes by its Ack.
// It is false for a message of no known function.
func (m *Message) Synchronous() bool {
	f, _ := profile[m.Head.Process].of(m.Dialog)
	return f.pace == atOnce || f.pace == eitherWay && !m.Head.WantsReceipt
}
