package contract

// ActivationTitle is the static summary of an integration: a clinic's, or with staffID
// a GP's.
func ActivationTitle(staffID string) string {
	if staffID == "" {
		return "integration of a clinic with Helsenorge"
	}
	return "integration of a GP with Helsenorge"
}

// StaticDetails is what the Temporal UI shows of every lifecycle of a process from its
// start, in Markdown: what it is, what ends it, and how it is acted on. What one of them
// waits for is on its status card.
func StaticDetails(p Process) string {
	text, ok := staticDetails[p]
	if !ok {
		return ""
	}
	return text + "\n\n" + howToAct
}

// howToAct keeps operators from the buttons of the UI: what a lifecycle owes when it is
// terminated nobody is told.
const howToAct = "The status card says what it waits for, until when, who acts and where to look. " +
	"What operators are asked to do is a case: `helsebro case list --open`. " +
	"Commands reach it as updates; what it is told that way it does to the end. " +
	"Never terminate or reset it: what it owes would be forgotten. `cancel` lets it give everything its outcome, and opens a case for what is left."

const dialogueDetails = "Ends when nothing has been owed for 30 days; the next word starts another run.\n\n" +
	"- answer: `helsebro dialogue answer`\n- end it: `helsebro dialogue close`\n- send a message once more: `helsebro dialogue resend`"

var staticDetails = map[Process]string{
	ProcessEContact:      "One e-contact with a citizen, from its first message on. " + dialogueDetails,
	ProcessEConsultation: "One e-consultation with a citizen, from its first message on; every message is journalled. " + dialogueDetails,
	ProcessEDialogue:     "One e-dialogue that stays in the house: with a patient in portal and app, or between colleagues. " + dialogueDetails,
	ProcessPrescription: "One citizen's request to renew prescriptions. Ends when its answer has its outcome.\n\n" +
		"- answer: `helsebro prescription answer`\n- send the answer once more: `helsebro dialogue resend`",
	ProcessAppointment: "One appointment, from its booking or a wish for it. Ends when it is over, cancelled or refused.\n\n" +
		"- change: `helsebro appointment move`, `amend`, `hide`, `cancel`\n- why the patient was told, by whom: `helsebro explain`",
	ProcessNotice: "One notice that the clinic itself gives a patient, channel by channel, until one has it. " +
		"Ends with its outcome, which is in the appointment's `helsebro explain`.",
	ProcessActivation: "The integration of a clinic or a GP with Helsenorge: preconditions are looked at every week and when the address registry changes. Never ends.\n\n" +
		"- how it stands: `helsebro clinic status`\n- activate, suspend, resume: `helsebro clinic activate`, `suspend`, `resume`",
}
