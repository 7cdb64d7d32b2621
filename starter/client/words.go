package client

import (
	"strings"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Sentence says a reason code of the rules in words, for people at the clinic: every
// code that calendars, decisions, notices and attempts give. Several codes joined by
// "+" are several clauses. A code of a receipt (8221) gets its name; another that it does
// not know is returned as it is.
//
// It is the one table of these words: command line and user interface both use it.
func Sentence(code string) string {
	if words, ok := sentences[code]; ok {
		return words
	}
	if strings.Contains(code, "+") {
		parts := strings.Split(code, "+")
		for i := range parts {
			parts[i] = Sentence(parts[i])
		}
		return strings.Join(parts, " and ")
	}
	return strings.TrimSpace(code + " " + codes.Name(codes.ReceiptErrors, code))
}

// sentences are keyed by the codes as they are stored; a test holds them against the
// constants of the domain.
var sentences = map[string]string{
	// Why a practitioner's calendar cannot be booked on Helsenorge (S69-S72).
	"switched-off":           "the clinic has online booking switched off",
	"not-offered":            "the practitioner has not registered booking in the address registry",
	"owner-inactive":         "the practitioner no longer works at the clinic",
	"calendar-inactive":      "the calendar is not in use",
	"owns-no-calendar":       "the practitioner owns no calendar: exactly one is needed",
	"owns-several-calendars": "the practitioner owns several calendars: exactly one is needed",

	// Why a citizen was offered nothing, or did not get a slot.
	"patient-blocked":            "the patient is blocked",
	"patient-unknown":            "the clinic does not know the patient",
	"not-own-practitioner":       "it is not the patient's own practitioner",
	"practitioner-unknown":       "the clinic has no such practitioner",
	"process-not-offered":        "the party does not offer it",
	"span-over-four-weeks":       "more than four weeks were asked for",
	"span-ends-before-it-begins": "the time asked for ends before it begins",
	"past-deadline":              "it starts too soon to be booked online",
	"too-far-ahead":              "it is further ahead than the clinic shows",
	"too-many-bookings":          "the patient has as many future bookings as the clinic allows",

	// What a citizen's message came to.
	"booked":               "the slot was free and is the patient's",
	"no-comment":           "the patient did not say what it is about",
	"another-practitioner": "the slot is not in the calendar of the patient's own practitioner",
	"unknown-slot":         "there is no such slot, or it is not offered",
	"not-online":           "the slot is not offered online",
	"must-call":            "the slot is booked by telephone only",
	"not-yet-available":    "the slot could not be booked yet",
	"slot-changed":         "the patient saw another time than the slot has",
	"taken":                "somebody else was first",
	"cancelled-by-citizen": "the patient cancelled it",
	"cancelled-before":     "it was cancelled already",
	"begun-or-over":        "it has begun or is over",
	"not-booked":           "it is not booked",
	"unknown-appointment":  "no appointment of the patient fits",
	"wish":                 "staff decide",
	"already-decided":      "it had been decided already",

	// What a change came to.
	"book":              "it was booked",
	"amend":             "it was changed",
	"cancel":            "it was cancelled",
	"restore":           "it was put back",
	"missed":            "the patient did not come",
	"answer":            "the citizen was answered",
	"nothing-to-change": "it was so already",

	// Whether Helsenorge is told.
	"moved":           "it takes the place of another: one move",
	"erased":          "the patient has been erased",
	"new":             "Helsenorge had not heard of it",
	"restored":        "it was cancelled on Helsenorge and stands after all",
	"changed":         "time, place or kind is another than Helsenorge knew",
	"unhidden":        "it was hidden and is shown again",
	"no-show":         "the patient did not come",
	"never-published": "it is cancelled, and Helsenorge never heard of it",
	"no-change":       "nothing that the patient needs to know has changed",
	"hidden":          "the appointment is hidden: nothing about it leaves the clinic",
	"cancelled":       "the appointment is cancelled",

	// When the reminder is due.
	"window":                   "between 48 and 24 hours before the start",
	"rest-of-window":           "in what was left of the 48 to 24 hours before the start",
	"after-confirmation":       "some hours after the patient was told of the appointment",
	"merged-with-confirmation": "the patient was told so late that a reminder would only repeat it",
	"window-past":              "less than 24 hours were left, so there is no reminder",
	"reminded-before":          "the patient has been reminded of this time already",
	"quiet-hours":              "only quiet hours were left",
	"cancellation-deadline":    "the time to cancel without a fee would be over",

	// Who gives a notice, and why.
	"superseded":               "the appointment was changed again: the later notice counts",
	"deceased":                 "the patient is registered as dead",
	"not-cancelled":            "the appointment stands after all",
	"expired":                  "it was too late to be of use",
	"too-near":                 "the appointment was too near for a notice",
	"no-contact":               "no address of the patient may be used: ask for a phone number or an e-mail address",
	"no-contact-protected":     "the patient's address is protected, and no contact of his own is known",
	"delegated":                "the patient is active on Helsenorge, which has the appointment and tells of it",
	"delegated-status-unknown": "Helsenorge has the appointment and tells the patient",
	"awaiting-receipt":         "an answer is awaited",
	"not-active":               "the patient is not active on Helsenorge",
	"no-consent":               "the patient has not agreed to be contacted on Helsenorge",
	"status-unknown":           "it is not known whether the patient is active on Helsenorge",
	"not-published":            "the appointment is not on Helsenorge",
	"refused-e35":              "Helsenorge says that the patient is not active there",
	"refused":                  "Helsenorge refused the appointment",
	"lost":                     "Helsenorge did not get the appointment",
	"receipt-overdue":          "Helsenorge did not answer in time",
	"gate-clinic":              "the clinic has its own notices switched off",
	"gate-calendar":            "notices are switched off for the calendar",
	"gate-type":                "notices are switched off for the type of appointment",

	// Which channel, and how a notice ended.
	"first-hop":                "the first channel",
	"previous-hop-failed":      "the channel before did not get through",
	"previous-hop-unconfirmed": "nothing confirmed the channel before in time",
	"asked-again":              "the provider could not take it before and is asked again",
	"awaiting-provider":        "no provider takes it now: they are asked again",
	"receipt":                  "the provider says that the patient has it",
	"taken-is-final":           "the provider has taken it and tells no more",
	"all-failed":               "no channel got through",
	"no-receipt":               "nothing says that it has arrived",
	"no-text":                  "there is no text for it",
	"gone":                     "the provider says that the address exists no more",
	"opted-out":                "the patient does not want notices on the channels that are known",
	"latest-hop-past":          "no time was left for another channel",

	// Who may act, and which contact may be used.
	"not-a-representative":  "nobody has said that this person acts for the patient",
	"date-of-birth-unknown": "the patient's date of birth is not known",
	"protected":             "the address is protected: nobody represents the patient",
	"sixteen-or-older":      "the patient is sixteen: parents no longer act for him",
	"under-sixteen":         "the patient is too young to have given a power of attorney",
	"unknown-relation":      "the relation gives no right",
	"unverified":            "the contact has not been verified",
	"not-reconfirmed":       "the patient has not confirmed the parent's contact since turning sixteen",
}

// Teller says who gives a notice.
func Teller(o contract.Owner) string { return word(tellers, o) }

var tellers = map[contract.Owner]string{
	contract.OwnerHelsenorge: "Helsenorge",
	contract.OwnerClinic:     "the clinic",
	contract.OwnerNobody:     "nobody",
	contract.OwnerPending:    "not decided yet",
}

// Outcome says what became of an intended effect; what has no outcome is under way.
func Outcome(o contract.Outcome) string { return word(outcomes, o) }

var outcomes = map[contract.Outcome]string{
	"":                           "under way",
	contract.OutcomeAcknowledged: "Helsenorge has it",
	contract.OutcomeRejected:     "Helsenorge refused it",
	contract.OutcomeErrorQueue:   "Helsenorge could not read it",
	contract.OutcomeOverdue:      "no receipt came in time",
	contract.OutcomeFailed:       "failed: see the cases",
	contract.OutcomeDone:         "done",
	contract.OutcomeSent:         "sent",
	contract.OutcomeSuperseded:   "overtaken",
	contract.OutcomeDelivered:    "delivered",
	contract.OutcomeDelegated:    "left to Helsenorge",
	contract.OutcomeSuppressed:   "not given",
	contract.OutcomeExpired:      "too late: see the cases",
}

// Published says what a code of 7602 tells Helsenorge of an appointment.
func Published(code string) string { return word(publications, code) }

var publications = map[string]string{
	contract.AppointmentConfirmed:      "booked",
	contract.AppointmentNotAvailable:   "not available",
	contract.AppointmentChanged:        "changed",
	contract.AppointmentCancelled:      "cancelled",
	contract.AppointmentNotCancelled:   "not cancelled",
	contract.AppointmentWithOther:      "booked with another practitioner",
	contract.AppointmentPatientMissing: "patient did not come",
	contract.AnswerRefused:             "refused",
}

func word[K ~string](table map[K]string, key K) string {
	if words, ok := table[key]; ok {
		return words
	}
	return string(key)
}
