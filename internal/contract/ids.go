package contract

import (
	"time"

	"go.temporal.io/sdk/temporal"
)

// DialogueWorkflowID is the workflow id of a dialogue. Workflow ids are clear
// text in every log, so they are opaque.
func DialogueWorkflowID(dialogueID string) string { return "dialogue/" + dialogueID }

// PrescriptionWorkflowID is the workflow id of a renewal request.
func PrescriptionWorkflowID(dialogueID string) string { return "prescription/" + dialogueID }

// AppointmentWorkflowID is the workflow id of an appointment.
func AppointmentWorkflowID(appointmentID string) string { return "appointment/" + appointmentID }

// ThreadWorkflowID is the workflow id of the lifecycle that has a thread of messages.
func ThreadWorkflowID(process Process, threadID string) string {
	switch process { // every other one with a thread is a dialogue
	case ProcessPrescription:
		return PrescriptionWorkflowID(threadID)
	case ProcessAppointment:
		return AppointmentWorkflowID(threadID)
	default:
		return DialogueWorkflowID(threadID)
	}
}

// NoticeWorkflowID is the workflow id of a notice.
func NoticeWorkflowID(noticeID string) string { return "notice/" + noticeID }

// ActivationWorkflowID is the workflow id of a clinic's integration, or with staffID of
// one GP's.
func ActivationWorkflowID(clinicID, staffID string) string {
	if staffID == "" {
		return "activation/" + clinicID
	}
	return "activation/" + clinicID + "/" + staffID
}

// ReceiptActivityID is the id of the standalone activity that sends a message's
// receipt: one per stored message, so that a second start is refused.
func ReceiptActivityID(messageID string) string { return "receipt/" + messageID }

// RefusalActivityID is the id of the standalone activity that refuses a message.
func RefusalActivityID(messageID string) string { return "refusal/" + messageID }

// TransportErrorActivityID is the id of the standalone activity that reports a
// message on its sender's error queue.
func TransportErrorActivityID(messageID string) string { return "transport-error/" + messageID }

// Search attributes, clear text always and therefore opaque or coded. They are
// registered at start-up (temporalx.EnsureSearchAttributes).
var (
	// AttrClinic is the clinic's id.
	AttrClinic = temporal.NewSearchAttributeKeyKeyword("HelsebroClinic")
	// AttrProcess is the Process.
	AttrProcess = temporal.NewSearchAttributeKeyKeyword("HelsebroProcess")
	// AttrState is the Status.
	AttrState = temporal.NewSearchAttributeKeyKeyword("HelsebroState")
)

// SearchAttributes is every key of this package: what start-up registers.
func SearchAttributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{AttrClinic, AttrProcess, AttrState}
}

// How long a reply without a lifecycle (receipt, refusal, report) is tried. After
// four days the counterpart has given the message up (HIS 80415 §3.3.4).
const (
	ReplyScheduleToClose = 96 * time.Hour
	ReplyStartToClose    = 30 * time.Second
	ReplyLongestPause    = 5 * time.Minute
)
