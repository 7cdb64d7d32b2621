package e2e_test

import (
	"slices"
	"testing"

	"github.com/helsebro/helsebro/internal/devstack/stack"
)

// requirement is one of the customer's page, by its number, with the test that holds it.
type requirement struct {
	name  string
	holds func(*clinic)
}

// TestRequirements holds the requirements of the customer's page, one subtest each, in the
// readings A1 to A12. Each has a clinic of its own on one stack, enters by Helsenorge's
// wire, the HTTP API or the command line, and looks at what can be seen outside Temporal:
// Helsenorge's book and what the citizen sees there, inboxes and journal, the calendar,
// the portal, what the patient got on the clinic's channels, and the explanation. S91
// is a question that S92 to S94 answer.
func TestRequirements(t *testing.T) {
	requirements := slices.Concat(starting, renewals, appointments)
	w := clinics(t, len(requirements), stack.Config{})
	for i, r := range requirements {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			c := w.clinic(t, i)
			r.holds(c)
			c.conforms()
		})
	}
}

// appointments are S69 to S94.
var appointments = []requirement{
	{"S69_online_booking_is_the_clinics_switch", onlineBookingSwitch},
	{"S70_only_the_own_practitioners_calendar", onlyTheOwnPractitionersCalendar},
	{"S71_exactly_one_calendar_opens_booking", exactlyOneCalendar},
	{"S72_several_calendars_close_booking_and_say_why", severalCalendars},
	{"S73_free_and_marked_online_is_shown", freeAndOnline},
	{"S74_a_booking_says_what_it_is_about", commentIsMandatory},
	{"S75_a_booking_is_in_the_calendar", bookingIsInTheCalendar},
	{"S76_the_clinic_books_as_always", clinicBooks},
	{"S77_an_appointment_of_the_clinic_is_on_helsenorge", clinicAppointmentOnHelsenorge},
	{"S78_an_appointment_is_in_portal_and_app", appointmentInThePortal},
	{"S79_cancelled_and_moved_is_told", cancelledAndMovedIsTold},
	{"S80_an_overview_of_all_appointments", overviewOfAll},
	{"S81_parents_until_the_sixteenth_birthday", parentsUntilSixteen},
	{"S82_hidden_is_nowhere", hiddenIsNowhere},
	{"S83_four_notices_from_helsenorge", fourNoticesFromHelsenorge},
	{"S84_confirmation", confirmation},
	{"S85_change", change},
	{"S86_cancellation", cancellation},
	{"S87_reminder_between_48_and_24_hours_before", reminder},
	{"S88_neither_active_nor_consenting_gets_none_from_helsenorge", neitherActiveNorConsenting},
	{"S89_three_switches_for_the_clinics_own_notices", threeSwitches},
	{"S90_email_sms_or_push", emailSMSOrPush},
	{"S92_no_origin_in_the_calendar", noOriginInTheCalendar},
	{"S93_one_calendar_for_four_sources", oneCalendarForFourSources},
	{"S94_helsenorge_in_the_title", helsenorgeInTheTitle},
}
