package e2e_test

import (
	"testing"

	"github.com/helsebro/helsebro/internal/devstack/stack"
)

// requirement is one of the customer's page.
type requirement struct {
	name  string
	holds func(*clinic)
	// founded is true for one whose clinic is not active yet, alone for one whose messages
	// are so large that whoever counts what Helsenorge has would wait for them.
	founded, alone bool
}

// TestRequirements holds the requirements S1-S94 of the customer's page, one subtest
// each, in the readings A1 to A12. Each has a clinic of its own on one stack, enters by
// Helsenorge's wire, the HTTP API or the command line, and looks at what can be seen
// outside Temporal: Helsenorge's book and what the citizen sees there, inboxes and
// journal, the calendar, the portal, what the patient got on the clinic's channels, and
// the explanation. S52 is a heading, S57 a caption, and S91 a question that S92 to S94
// answer.
func TestRequirements(t *testing.T) {
	requirements := []requirement{
		{name: "S1_one_integration_per_clinic", holds: oneIntegration, founded: true},
		{name: "S2_only_gps_of_customers_offer", holds: onlyGPsOfCustomers},
		{name: "S3_booking_is_a_service", holds: bookingService},
		{name: "S4_e_consultation_is_a_service", holds: eConsultationService},
		{name: "S5_renewal_is_a_service", holds: renewalService},
		{name: "S6_other_inquiries_are_a_service", holds: inquiryService},
		{name: "S7_both_sides_are_in_sync", holds: inSync},
		{name: "S8_everything_is_received", holds: everythingIsReceived},
		{name: "S9_an_operator_activates", holds: operatorActivates, founded: true},
		{name: "S10_the_clinic_is_a_member_of_nhn", holds: memberOfNHN, founded: true},
		{name: "S11_the_clinic_and_every_employee_have_a_her_id", holds: herIDs, founded: true},
		{name: "S12_services_are_registered", holds: registeredServices, founded: true},
		{name: "S13_the_clinic_signs_off", holds: signedOff, founded: true},
		{name: "S14_options_need_the_integration", holds: optionsNeedTheIntegration},
		{name: "S15_from_the_inbox", holds: fromTheInbox},
		{name: "S16_exactly_three_kinds", holds: exactlyThreeKinds},
		{name: "S17_e_contact_to_a_patient", holds: eContactToAPatient},
		{name: "S18_e_consultation_to_a_patient", holds: eConsultationToAPatient},
		{name: "S19_e_dialogue_to_a_patient", holds: eDialogueToAPatient},
		{name: "S20_e_dialogue_between_colleagues", holds: eDialogueBetweenColleagues},
		{name: "S21_files_on_helsenorge", holds: filesOnHelsenorge},
		{name: "S22_twelve_megabytes", holds: twelveMegabytes, alone: true},
		{name: "S23_from_the_search_field", holds: fromTheSearchField},
		{name: "S24_helsenorge_notifies", holds: helsenorgeNotifies},
		{name: "S25_a_full_number", holds: fullNumber},
		{name: "S26_consent", holds: consent},
		{name: "S27_blocked_and_not_queued", holds: blockedNotQueued},
		{name: "S28_told_at_the_start", holds: toldAtTheStart},
		{name: "S29_not_on_helsenorge", holds: notOnHelsenorge},
		{name: "S30_patients_send_dialogues", holds: patientsSend},
		{name: "S31_which_messages_for_which_employees", holds: ruleForEachType},
		{name: "S32_the_clinic_administrator_alone", holds: administratorAlone},
		{name: "S33_the_set_up_is_in_one_place", holds: setUpInOnePlace},
		{name: "S34_three_choices_for_three_types", holds: choicesForTypes},
		{name: "S35_the_patients_practitioner", holds: patientsPractitioner},
		{name: "S36_the_practitioner_is_defined_already", holds: recipientIsFixed},
		{name: "S37_a_selected_receiver", holds: selectedReceiver},
		{name: "S38_positions", holds: positions},
		{name: "S39_groups", holds: groups},
		{name: "S40_roles", holds: roles},
		{name: "S41_organisation_units", holds: units},
		{name: "S42_both_is_one_dialogue_in_two_places", holds: bothPlaces},
		{name: "S43_defaults", holds: defaults},
		{name: "S44_default_of_e_consultations", holds: defaultOfEConsultations},
		{name: "S45_default_of_e_contacts", holds: defaultOfEContacts},
		{name: "S46_default_of_renewals", holds: defaultOfRenewals},
		{name: "S47_the_format_is_chosen", holds: formatIsChosen},
		{name: "S48_several_recipients", holds: severalRecipients},
		{name: "S49_inboxes_defined_by_the_clinic", holds: inboxesOfTheClinic},
		{name: "S50_e_consultations_are_journalled", holds: eConsultationsAreJournalled},
		{name: "S51_replies_are_on_helsenorge", holds: repliesOnHelsenorge},
		{name: "S53_only_e_consultations_are_journalled", holds: nothingElseIsJournalled},
		{name: "S54_an_e_contact_is_converted", holds: eContactIsConverted},
		{name: "S55_convert_to_e_consultation", holds: convertAction},
		{name: "S56_a_request_has_options", holds: requestHasOptions},
		{name: "S58_the_request_is_in_the_inbox", holds: requestInTheInbox},
		{name: "S59_the_prescriptions_are_listed", holds: prescriptionsListed},
		{name: "S60_a_message_and_a_choice", holds: messageAndChoice},
		{name: "S61_one_option_of_four", holds: oneOptionOfFour},
		{name: "S62_request_rejected", holds: requestRejected},
		{name: "S63_prescription_renewed", holds: prescriptionRenewed},
		{name: "S64_cannot_be_renewed", holds: cannotBeRenewed},
		{name: "S65_partly_renewed", holds: partlyRenewed},
		{name: "S66_nothing_leaves_before_send", holds: nothingBeforeSend},
		{name: "S67_the_option_is_a_note", holds: optionIsANote},
		{name: "S68_the_answer_becomes_a_dialogue", holds: answerBecomesADialogue},
		{name: "S69_online_booking_is_the_clinics_switch", holds: onlineBookingSwitch},
		{name: "S70_only_the_own_practitioners_calendar", holds: onlyTheOwnPractitionersCalendar},
		{name: "S71_exactly_one_calendar_opens_booking", holds: exactlyOneCalendar},
		{name: "S72_several_calendars_close_booking_and_say_why", holds: severalCalendars},
		{name: "S73_free_and_marked_online_is_shown", holds: freeAndOnline},
		{name: "S74_a_booking_says_what_it_is_about", holds: commentIsMandatory},
		{name: "S75_a_booking_is_in_the_calendar", holds: bookingIsInTheCalendar},
		{name: "S76_the_clinic_books_as_always", holds: clinicBooks},
		{name: "S77_an_appointment_of_the_clinic_is_on_helsenorge", holds: clinicAppointmentOnHelsenorge},
		{name: "S78_an_appointment_is_in_portal_and_app", holds: appointmentInThePortal},
		{name: "S79_cancelled_and_moved_is_told", holds: cancelledAndMovedIsTold},
		{name: "S80_an_overview_of_all_appointments", holds: overviewOfAll},
		{name: "S81_parents_until_the_sixteenth_birthday", holds: parentsUntilSixteen},
		{name: "S82_hidden_is_nowhere", holds: hiddenIsNowhere},
		{name: "S83_four_notices_from_helsenorge", holds: fourNoticesFromHelsenorge},
		{name: "S84_confirmation", holds: confirmation},
		{name: "S85_change", holds: change},
		{name: "S86_cancellation", holds: cancellation},
		{name: "S87_reminder_between_48_and_24_hours_before", holds: reminder},
		{name: "S88_neither_active_nor_consenting_gets_none_from_helsenorge", holds: neitherActiveNorConsenting},
		{name: "S89_three_switches_for_the_clinics_own_notices", holds: threeSwitches},
		{name: "S90_email_sms_or_push", holds: emailSMSOrPush},
		{name: "S92_no_origin_in_the_calendar", holds: noOriginInTheCalendar},
		{name: "S93_one_calendar_for_four_sources", holds: oneCalendarForFourSources},
		{name: "S94_helsenorge_in_the_title", holds: helsenorgeInTheTitle},
	}
	w := clinics(t, 1+len(requirements), stack.Config{}) // the first is active already, and no test's
	for i, r := range requirements {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			home, n := w, 1+i
			if r.alone {
				home, n = clinics(t, 1, stack.Config{}), 0
			}
			if r.founded {
				c := home.founded(t, n)
				r.holds(c)
				return
			}
			c := home.clinic(t, n)
			r.holds(c)
			c.conforms()
		})
	}
}
