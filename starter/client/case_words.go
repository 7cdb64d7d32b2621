package client

import (
	"maps"
	"slices"

	"github.com/helsebro/helsebro/internal/contract"
)

// CaseKinds lists the kinds of operator cases, sorted.
func CaseKinds() []contract.CaseKind { return slices.Sorted(maps.Keys(caseWords)) }

// CaseWords says what an operator case is and what to do about it, for people at the clinic
// and in the operating room. A kind that it does not know is returned as it is.
//
// It is the one table of these words, as Sentence is of reasons.
func CaseWords(kind contract.CaseKind) (what, toDo string) {
	w, ok := caseWords[kind]
	if !ok {
		return string(kind), "helsebro explain tells what has happened"
	}
	return w.what, w.toDo
}

// caseWords are keyed by kind; a test holds them against the kinds that there are.
var caseWords = map[contract.CaseKind]struct{ what, toDo string }{
	contract.CaseDeliveryRejected: {
		"Helsenorge refused a message of the clinic, or could not read it",
		"read the code with helsebro explain; what the citizen must know, tell him another way, or write a new message",
	},
	contract.CaseReceiptOverdue: {
		"Helsenorge has not said in time whether it has a message of the clinic",
		"ask Helsenorge about the message; if it is not there, send the identical one again: helsebro dialogue resend",
	},
	contract.CaseNotSent: {
		"a message of the clinic could not be sent",
		"read the reason with helsebro explain and mend it; then write the message again",
	},
	contract.CaseNobodyReads: {
		"nobody of the clinic is at work to read what has come",
		"have somebody look, and write who is at work or stands in: helsebro clinic put",
	},
	contract.CaseNotJournalled: {
		"a message could not be written to the patient's journal",
		"open the dialogue and write it into the journal by hand; report the reason to whoever runs the installation",
	},
	contract.CaseNotDelivered: {
		"a message could not be put in any inbox",
		"open the dialogue by its id and have somebody answer it: helsebro dialogue show",
	},
	contract.CaseContradiction: {
		"Helsenorge has given two different receipts for one message; the first one counts",
		"ask Helsenorge which is true; when it did not get the message, write it again",
	},
	contract.CaseCancelled: {
		"an operator has ended the run of a dialogue or an appointment while something was owed",
		"see with helsebro explain what was left undone, and do it: the next command starts the run again",
	},
	contract.CaseQuarantined: {
		"a message is kept aside: it has the id of another and says something else, cannot be processed, or the broker gave up on it",
		"see helsebro quarantine show, mend the cause or ask the sender, and then helsebro quarantine retry, release or discard",
	},
	contract.CaseAnswerOverdue: {
		"the limit has passed within which the citizen should have had an answer",
		"have somebody answer now: helsebro dialogue assign; the case ends with the answer",
	},
	contract.CaseRoutingReachesNobody: {
		"nobody works any more where a routing rule sends messages; until it is changed the whole clinic reads them",
		"choose other recipients: helsebro routing set; or write who belongs to them: helsebro clinic put",
	},
	contract.CasePreconditionLost: {
		"an active integration no longer meets one of its preconditions",
		"see which one and who sees to it: helsebro clinic status; it goes on working meanwhile where it can",
	},
	contract.CaseBookingClosed: {
		"citizens cannot book a practitioner who should be bookable: exactly one calendar is needed",
		"see why with helsebro calendar list, and give the practitioner one calendar; booking opens by itself",
	},
	contract.CaseUnknownAppointment: {
		"a citizen cancels an appointment that the calendar does not know; he was told that it is not cancelled",
		"look for it in the calendar, and call the patient",
	},
	contract.CaseHiddenAfterPublication: {
		"an appointment was hidden after it had been shown; it cannot be taken back",
		"see with helsebro explain who has seen what, and talk to the patient where it matters",
	},
	contract.CaseNoticeExpired: {
		"a notice came too late to be of use and was not sent",
		"call the patient if he must know",
	},
	contract.CaseNoContact: {
		"the clinic should tell a patient, and has no way to reach him",
		"ask him for a phone number or an e-mail address, and tell him meanwhile by telephone or letter",
	},
	contract.CaseNoticeFailed: {
		"no channel has taken a notice",
		"call the patient if he must know; see with helsebro explain why each channel failed",
	},
}
