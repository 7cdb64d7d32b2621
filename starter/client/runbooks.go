package client

import (
	"maps"
	"slices"

	"github.com/helsebro/helsebro/internal/contract"
)

// CaseKinds lists the kinds of operator cases, sorted.
func CaseKinds() []contract.CaseKind { return slices.Sorted(maps.Keys(runbooks)) }

// Runbook is what people at the clinic and in the operating room do about a kind of
// operator case. Each is a clause without a full stop.
type Runbook struct {
	// What has happened, where to Look, what ToDo, and how it Ends.
	What string `json:"what"`
	Look string `json:"look,omitempty"`
	ToDo string `json:"toDo"`
	Ends string `json:"ends,omitempty"`
}

// RunbookOf returns the runbook of a kind. One that it does not know has the kind in the
// place of what has happened.
//
// It is the one table of these words, as Sentence is of reasons.
func RunbookOf(kind contract.CaseKind) Runbook {
	if book, ok := runbooks[kind]; ok {
		return book
	}
	return Runbook{What: string(kind), ToDo: "helsebro explain tells what has happened"}
}

// runbooks are keyed by kind; a test holds them against the kinds that there are.
var runbooks = map[contract.CaseKind]Runbook{
	contract.CaseDeliveryRejected: {
		"Helsenorge refused a message of the clinic, or could not read it",
		"the code and the receipt's own words: helsebro explain, helsebro dialogue show",
		"read the code with helsebro explain; what the citizen must know, tell him another way, or write a new message",
		"when you resolve it, or a positive receipt comes after all",
	},
	contract.CaseReceiptOverdue: {
		"Helsenorge has not said in time whether it has a message of the clinic",
		"when it was sent and by which try: helsebro explain; whether other receipts come",
		"ask Helsenorge about the message; if it is not there, send the identical one again: helsebro dialogue resend",
		"by itself when the receipt comes; else when you resolve it",
	},
	contract.CaseNotSent: {
		"a message of the clinic could not be sent",
		"which step failed and why: helsebro explain; the log of the worker names the same id",
		"read the reason with helsebro explain and mend it; then write the message again",
		"by itself when it is sent and receipted after all; else when you resolve it",
	},
	contract.CaseNobodyReads: {
		"nobody of the clinic is at work to read what has come",
		"what came, and when: helsebro explain; absences and deputies are in the clinic's file",
		"have somebody look, and write who is at work or stands in: helsebro clinic put",
		"by itself when somebody is at work again; else when you resolve it",
	},
	contract.CaseNotJournalled: {
		"a message could not be written to the patient's journal",
		"which message, and whether its patient was erased: helsebro explain",
		"open the dialogue and write it into the journal by hand; report the reason to whoever runs the installation",
		"when you resolve it: the entry is then written by hand",
	},
	contract.CaseNotDelivered: {
		"a message could not be put in any inbox",
		"the routing rule and its readers: helsebro routing show, helsebro explain",
		"open the dialogue by its id and have somebody answer it: helsebro dialogue show",
		"when you resolve it: somebody has the message then",
	},
	contract.CaseContradiction: {
		"Helsenorge has given two different receipts for one message; the first one counts",
		"both receipts and when they came: helsebro explain",
		"ask Helsenorge which is true; when it did not get the message, write it again",
		"when you resolve it",
	},
	contract.CaseCancelled: {
		"an operator has ended the run of a dialogue or an appointment while something was owed",
		"what had no outcome: helsebro explain; who cancelled: the Temporal UI's last events",
		"see with helsebro explain what was left undone, and do it: the next command starts the run again",
		"when you resolve it: what was owed is done then",
	},
	contract.CaseQuarantined: {
		"a message is kept aside: it has the id of another and says something else, cannot be processed, or the broker gave up on it",
		"sender, size and reason: helsebro quarantine show; the content is shown to nobody",
		"see helsebro quarantine show, mend the cause or ask the sender, and then helsebro quarantine retry, release or discard",
		"with the decision on the message: retry, release or discard",
	},
	contract.CaseAnswerOverdue: {
		"the limit has passed within which the citizen should have had an answer",
		"who has it, and since when it is owed: helsebro dialogue show",
		"have somebody answer now: helsebro dialogue assign; the case ends with the answer",
		"by itself with the answer, or when the dialogue is closed",
	},
	contract.CaseRoutingReachesNobody: {
		"nobody works any more where a routing rule sends messages; until it is changed the whole clinic reads them",
		"the rule and who is in it: helsebro routing show",
		"choose other recipients: helsebro routing set; or write who belongs to them: helsebro clinic put",
		"by itself when the rule reaches somebody",
	},
	contract.CasePreconditionLost: {
		"an active integration no longer meets one of its preconditions",
		"each precondition, and who sees to it: helsebro clinic status",
		"see which one and who sees to it: helsebro clinic status; it goes on working meanwhile where it can",
		"by itself when the precondition holds at the next look",
	},
	contract.CaseBookingClosed: {
		"citizens cannot book a practitioner who should be bookable: exactly one calendar is needed",
		"which calendars the practitioner has: helsebro calendar list",
		"see why with helsebro calendar list, and give the practitioner one calendar; booking opens by itself",
		"by itself when there is exactly one",
	},
	contract.CaseUnknownAppointment: {
		"a citizen cancels an appointment that the calendar does not know; he was told that it is not cancelled",
		"what the citizen cancelled: helsebro explain; the calendar of that day: helsebro appointment list",
		"look for it in the calendar, and call the patient",
		"when you resolve it: the patient is spoken to then",
	},
	contract.CaseHiddenAfterPublication: {
		"an appointment was hidden after it had been shown; it cannot be taken back",
		"what was told to whom: helsebro explain",
		"see with helsebro explain who has seen what, and talk to the patient where it matters",
		"when you resolve it",
	},
	contract.CaseNoticeExpired: {
		"a notice came too late to be of use and was not sent",
		"when it should have gone and what was in the way: helsebro explain",
		"call the patient if he must know",
		"when you resolve it",
	},
	contract.CaseNoContact: {
		"the clinic should tell a patient, and has no way to reach him",
		"which contacts there are: helsebro contact list",
		"ask him for a phone number or an e-mail address, and tell him meanwhile by telephone or letter",
		"when you resolve it; a contact that is written helps the next notice",
	},
	contract.CaseNoticeFailed: {
		"no channel has taken a notice",
		"each channel and the provider's word: helsebro explain",
		"call the patient if he must know; see with helsebro explain why each channel failed",
		"by itself when a late report says that it arrived; else when you resolve it",
	},
}
