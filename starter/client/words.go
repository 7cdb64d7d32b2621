package client

import "strings"

// Sentence says a reason code of the rules in words, for people at the clinic: every
// code that calendars, decisions, notices and attempts give. Several codes joined by
// "+" are several clauses. A code that it does not know is returned as it is.
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
	return code
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

	// Why a citizen did not get a slot.
	"past-deadline":     "it starts too soon to be booked online",
	"too-far-ahead":     "it is further ahead than the clinic shows",
	"too-many-bookings": "the patient has as many future bookings as the clinic allows",

	// Whether Helsenorge is told.
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
	"delegated":                "the patient is active on Helsenorge, which has the appointment and tells him",
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
	"receipt":                  "the provider says that the patient has it",
	"taken-is-final":           "the provider has taken it and tells no more",
	"all-failed":               "no channel got through",
	"no-receipt":               "nothing says that it has arrived",
	"opted-out":                "the patient does not want notices on the channels that are known",
	"latest-hop-past":          "no time was left for another channel",

	// Who may act, and which contact may be used.
	"protected":        "the address is protected: nobody represents the patient",
	"sixteen-or-older": "the patient is sixteen: parents no longer act for him",
	"under-sixteen":    "the patient is too young to have given a power of attorney",
	"unknown-relation": "the relation gives no right",
	"unverified":       "the contact has not been verified",
	"not-reconfirmed":  "the patient has not confirmed the parent's contact since turning sixteen",
}
