package contract

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files: only before the first release of a type")

// samples has one value of every type that Temporal stores, each field set.
func samples() map[string]any {
	at := time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)
	id := func(n byte) string {
		return "019ab000-0000-7000-8000-0000000000" + string([]byte{'0' + n/10, '0' + n%10})
	}
	open := []Delivery{{OutboundID: id(4), Code: AnswerToEnquiry, SentAt: at, ReceiptDue: at.Add(4 * time.Hour)}}
	clock := AnswerClock{MessageID: id(2), Steps: []Escalation{{Step: StepWarn, At: at}}}
	dialogue := DialogueState{
		Status: StatusAwaitingReceipt, Seen: []string{id(3)}, LatestMessageID: id(2), LatestAt: at, Messages: 1, Answers: 1, Cases: 1,
		AnswerOwed: true, Ended: true, Troubled: id(4), LastOutboundID: id(4), Open: open, Accepted: []string{id(4)},
		Process: ProcessEConsultation, Clock: &clock, Opened: true, Escalated: StepWarn,
	}
	prescription := PrescriptionState{
		Status: StatusAnswered, Seen: []string{id(3)}, LatestMessageID: id(2), Messages: 1, Cases: 1,
		AnswerID: id(4), AnswerCode: AnswerCannotRenew, Troubled: id(4), Open: open,
		Clock: &clock, Accepted: []string{id(4)}, Escalated: StepDeputy,
	}
	activation := ActivationState{Status: StatusActive, Failing: []string{"her-ids"}, CheckedAt: at, Accepted: []string{id(4)}, Cases: 1}
	facts := AppointmentFacts{Status: StatusBooked, Revision: 3, StartsAt: at, EndsAt: at, TellAt: at}
	pending := []PendingNotice{{Purpose: PurposeReminder, Revision: 3, At: at, Asked: true}}
	pushed := []Delivery{{OutboundID: id(4), Code: AppointmentChanged, SentAt: at, ReceiptDue: at.Add(4 * time.Hour), Revision: 3, Purpose: PurposeChange}}
	appointment := AppointmentState{
		Status: StatusBooked, Facts: facts, Told: 2, Planned: 3, Notices: pending,
		Decisions: []Decision{{At: at, Revision: 3, About: AboutReminderPlan, Decided: "2026-11-25T12:00:00Z", Rule: "window"}},
		Seen:      []string{id(3)}, Accepted: []string{id(4)}, Open: pushed, Troubled: id(4), Cases: 1,
	}
	return map[string]any{
		"appointment-input":            AppointmentInput{ClinicID: id(1), AppointmentID: id(5), Resume: true, State: &appointment},
		"change-command":               ChangeCommand{CommandID: id(4)},
		"change-accepted":              ChangeAccepted{CommandID: id(4), Revision: 3, Status: StatusBooked},
		"notice-input":                 NoticeInput{ClinicID: id(1), AppointmentID: id(5), NoticeID: id(6), Purpose: PurposeReminder, Revision: 3},
		"notice-result":                NoticeResult{Outcome: OutcomeSuppressed, Reason: "gate-calendar"},
		"delivery-reported":            DeliveryReported{Channel: ChannelSMS, State: AttemptDelivered, At: at},
		"take-booking-message-input":   TakeBookingMessageInput{ClinicID: id(1), AppointmentID: id(5), MessageID: id(2), Now: at},
		"take-booking-message-output":  TakeBookingMessageOutput{Facts: facts, Code: AppointmentConfirmed, OutboundID: id(4), Inbox: true, Rule: "booked", CaseOpened: true},
		"apply-change-input":           ApplyChangeInput{ClinicID: id(1), AppointmentID: id(5), CommandID: id(4), Now: at},
		"apply-change-output":          ApplyChangeOutput{Facts: facts, Code: AppointmentConfirmed, OutboundID: id(4), CaseOpened: true},
		"load-appointment-input":       LoadAppointmentInput{ClinicID: id(1), AppointmentID: id(5)},
		"load-appointment-output":      LoadAppointmentOutput{Facts: facts, Told: 2, Planned: 3, Notices: pending, Seen: []string{id(3)}, Accepted: []string{id(4)}, Open: pushed, Untaken: []MessageReceived{{MessageID: id(2), MsgID: id(3), Function: FunctionReserve, ReceivedAt: at}}},
		"publish-input":                PublishInput{ClinicID: id(1), AppointmentID: id(5), Revision: 3, Now: at},
		"publish-output":               PublishOutput{Code: AppointmentChanged, OutboundID: id(4), Purpose: PurposeChange, HandOverAt: at, Rule: "moved"},
		"plan-reminder-input":          PlanReminderInput{ClinicID: id(1), AppointmentID: id(5), Revision: 3, Now: at},
		"plan-reminder-output":         PlanReminderOutput{At: at, Skip: true, Rule: "window"},
		"decide-notice-input":          DecideNoticeInput{ClinicID: id(1), AppointmentID: id(5), Revision: 3, Purpose: PurposeReminder, Now: at},
		"decide-notice-output":         DecideNoticeOutput{NoticeID: id(6), Owner: OwnerPending, Reason: "receipt-outstanding", Until: at, CaseOpened: true},
		"next-hop-input":               NextHopInput{ClinicID: id(1), NoticeID: id(6), Now: at, Tried: []Channel{ChannelEmail}},
		"next-hop-output":              NextHopOutput{Done: true, Outcome: OutcomeDelivered, Reason: "sms", Channel: ChannelSMS, Also: []Channel{ChannelPush}, Patience: time.Minute, Wait: time.Minute},
		"send-notice-input":            SendNoticeInput{ClinicID: id(1), NoticeID: id(6), Channel: ChannelSMS, Now: at},
		"send-notice-output":           SendNoticeOutput{State: AttemptAccepted},
		"open-command":                 OpenCommand{MessageID: id(4), Code: OpenDialogue},
		"apply-dialogue-change-input":  ApplyDialogueChangeInput{ClinicID: id(1), DialogueID: id(5), CommandID: id(4), Now: at},
		"apply-dialogue-change-output": ApplyDialogueChangeOutput{Process: ProcessEConsultation, OutboundID: id(4), Code: OpenDialogue, New: true, Closed: true, Clock: &clock, CaseOpened: true},
		"escalate-input":               EscalateInput{ClinicID: id(1), DialogueID: id(5), MessageID: id(2), Step: StepDeputy, Now: at},
		"escalate-output":              EscalateOutput{Moot: true, Places: 2, CaseOpened: true},
		"publish-message-input":        PublishMessageInput{ClinicID: id(1), DialogueID: id(5), OutboundID: id(4), Now: at},
		"publish-message-output":       PublishMessageOutput{At: at},
		"activation-input":             ActivationInput{ClinicID: id(1), StaffID: id(6), State: &activation},
		"check-preconditions-input":    CheckPreconditionsInput{ClinicID: id(1), StaffID: id(6), Now: at},
		"check-preconditions-output":   CheckPreconditionsOutput{Status: StatusActive, Failing: []string{"her-ids"}, CaseOpened: true},
		"apply-activation-input":       ApplyActivationInput{ClinicID: id(1), StaffID: id(6), CommandID: id(4), Now: at},
		"apply-activation-output":      ApplyActivationOutput{Status: StatusSuspended, Failing: []string{"her-ids"}},
		"dialogue-input":               DialogueInput{ClinicID: id(1), DialogueID: id(5), Process: ProcessEContact, Resume: true, State: &dialogue, Untaken: []MessageReceived{{MessageID: id(2), MsgID: id(3), Function: "HE", ReceivedAt: at}}},
		"prescription-input":           PrescriptionInput{ClinicID: id(1), DialogueID: id(5), Resume: true, State: &prescription},
		"message-received":             MessageReceived{MessageID: id(2), MsgID: id(3), Function: "HE", ReceivedAt: at},
		"receipt-received":             ReceiptReceived{OutboundID: id(4), Outcome: OutcomeRejected, Codes: []string{"E35"}, At: at},
		"answer-command":               AnswerCommand{AnswerID: id(4), Code: AnswerToEnquiry, InReplyTo: id(2), FollowUp: true, Close: true},
		"answer-accepted":              AnswerAccepted{AnswerID: id(4), Status: StatusSending},
		"deliver-to-inbox-input":       DeliverToInboxInput{ClinicID: id(1), DialogueID: id(5), MessageID: id(2)},
		"deliver-to-inbox-output":      DeliverToInboxOutput{Places: 1, Rule: "selected", Fallback: "nobody-active", CaseOpened: true, Clock: clock.Steps, NothingOwed: true},
		"write-journal-input":          WriteJournalEntryInput{ClinicID: id(1), DialogueID: id(5), MessageID: id(2), Direction: Inbound},
		"write-journal-output":         WriteJournalEntryOutput{EntryID: id(6)},
		"send-message-input":           SendMessageInput{ClinicID: id(1), OutboundID: id(4)},
		"send-message-output":          SendMessageOutput{SentAt: at, ReceiptDue: at, Superseded: true},
		"send-receipt-input":           SendReceiptInput{MessageID: id(2)},
		"send-receipt-output":          SendReceiptOutput{SentAt: at},
		"send-refusal-input":           SendRefusalInput{MessageID: id(2)},
		"send-refusal-output":          SendRefusalOutput{SentAt: at},
		"report-error-input":           ReportTransportErrorInput{MessageID: id(2)},
		"report-error-output":          ReportTransportErrorOutput{SentAt: at},
		"load-dialogue-input":          LoadDialogueInput{ClinicID: id(1), DialogueID: id(5)},
		"load-dialogue-output":         LoadDialogueOutput{LatestMessageID: id(2), Messages: 1, Answers: 1, AnswerOwed: true, Ended: true, AnswerID: id(4), AnswerCode: "19", Open: open, LatestAt: at, Seen: []string{id(3)}, Unplaced: []MessageReceived{{MessageID: id(2), MsgID: id(3), Function: "HE", ReceivedAt: at}}, Process: ProcessEConsultation, Clock: &clock, Accepted: []string{id(4)}, Opened: true, Escalated: StepWarn, LastOutboundID: id(4), Troubled: id(4)},
		"close-delivery-input":         CloseDeliveryInput{ClinicID: id(1), DialogueID: id(5), OutboundID: id(4), Outcome: OutcomeOverdue, Reason: "unavailable"},
		"close-delivery-output":        CloseDeliveryOutput{Outcome: OutcomeAcknowledged},
		"open-case-input":              OpenCaseInput{ClinicID: id(1), DialogueID: id(5), MessageID: id(2), Kind: CaseNotJournalled, Reason: "erased"},
		"resolve-command":              ResolveCommand{CaseID: id(7), MessageID: id(4), Code: "19"},
		"resolve-accepted":             ResolveAccepted{Status: StatusAnswered},
		"open-case-output":             OpenCaseOutput{CaseID: id(7)},
	}
}

// TestGolden fails when a stored type changes its form: histories written by
// yesterday's version must still be read.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, v := range samples() {
		got, err := json.MarshalIndent(v, "", "  ")
		require.NoError(t, err)
		file := filepath.Join("testdata", name+".json")
		if *update {
			require.NoError(t, os.WriteFile(file, append(got, '\n'), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err, name)
		require.JSONEq(t, string(want), string(got), name)
		back := reflect.New(reflect.TypeOf(v))
		require.NoError(t, json.Unmarshal(want, back.Interface()), name)
		require.Equal(t, v, back.Elem().Interface(), name)
	}
}

// TestGoldenCoversEveryField fails for a field that no sample sets: its form
// would be unguarded.
func TestGoldenCoversEveryField(t *testing.T) {
	t.Parallel()
	for name, v := range samples() {
		requireSet(t, name, reflect.ValueOf(v))
	}
}

func requireSet(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[time.Time]() {
		return
	}
	for i := range v.NumField() {
		require.Falsef(t, v.Field(i).IsZero(), "%s.%s is not set in its sample", path, v.Type().Field(i).Name)
		requireSet(t, path+"."+v.Type().Field(i).Name, v.Field(i))
	}
}

// TestPayloadsStaySmall holds the largest legal state under the limit: what
// travels over continue-as-new grows only by ids.
func TestPayloadsStaySmall(t *testing.T) {
	t.Parallel()
	uuid := "019ab000-0000-7000-8000-000000000000"
	now := time.Now().UTC()
	s := DialogueState{
		Status: StatusAwaitingReceipt, LatestMessageID: uuid, LatestAt: now, Process: ProcessEConsultation, Escalated: StepAdministrator, Troubled: uuid, LastOutboundID: uuid,
		Clock: &AnswerClock{MessageID: uuid, Steps: []Escalation{{StepWarn, now}, {StepDeputy, now}, {StepAdministrator, now}, {StepOverdue, now}}},
	}
	for range MaxSeenIDs {
		s.Seen, s.Accepted = append(s.Seen, uuid), append(s.Accepted, uuid)
	}
	for range MaxOpenDeliveries {
		s.Open = append(s.Open, Delivery{OutboundID: uuid, Code: "12", SentAt: now, ReceiptDue: now})
	}
	in := DialogueInput{ClinicID: uuid, DialogueID: uuid, Process: ProcessEContact, State: &s}
	for range MaxUntaken {
		in.Untaken = append(in.Untaken, MessageReceived{MessageID: uuid, MsgID: uuid, Function: FunctionUnread, ReceivedAt: now})
	}
	b, err := json.Marshal(in)
	require.NoError(t, err)
	require.Less(t, len(b), MaxPayloadBytes)

	a := AppointmentState{Seen: s.Seen, Accepted: s.Accepted}
	for _, d := range s.Open {
		d.Revision, d.Purpose = 1000, PurposeCancellation
		a.Open = append(a.Open, d)
	}
	for range MaxDecisions {
		a.Decisions = append(a.Decisions, Decision{At: now, Revision: 1000, About: "reminder-plan", Decided: now.Format(time.RFC3339Nano), Rule: "cancellation-deadline"})
	}
	b, err = json.Marshal(AppointmentInput{ClinicID: uuid, AppointmentID: uuid, State: &a})
	require.NoError(t, err)
	require.Less(t, len(b), MaxPayloadBytes)
}

// TestActivityNamesAreUnique: Temporal knows activities by their method name alone.
func TestActivityNamesAreUnique(t *testing.T) {
	t.Parallel()
	var names []string
	for _, group := range []reflect.Type{
		reflect.TypeFor[InboxActivities](), reflect.TypeFor[JournalActivities](),
		reflect.TypeFor[HelsenorgeActivities](), reflect.TypeFor[LedgerActivities](),
		reflect.TypeFor[AppointmentActivities](), reflect.TypeFor[NoticeActivities](),
		reflect.TypeFor[DialogueActivities](), reflect.TypeFor[ActivationActivities](),
	} {
		for i := range group.NumMethod() {
			names = append(names, group.Method(i).Name)
		}
	}
	slices.Sort(names)
	require.Equal(t, slices.Compact(slices.Clone(names)), names)
	require.Equal(t, []string{
		"ApplyActivation", "ApplyChange", "ApplyDialogueChange", "CheckPreconditions", "CloseDelivery", "DecideNotice", "DeliverToInbox",
		"Escalate", "LoadAppointment", "LoadDialogue", "NextHop", "OpenCase", "PlanReminder", "Publish", "PublishMessage", "ReportTransportError", "SendMessage", "SendNotice", "SendReceipt", "SendRefusal",
		"TakeBookingMessage", "WriteJournalEntry",
	}, names, "a name is an API: histories call it for months")
}

// TestNothingNamesAPatient looks at the names of every field that Temporal stores.
func TestNothingNamesAPatient(t *testing.T) {
	t.Parallel()
	suspicious := regexp.MustCompile(`(?i)name$|national|phone|address|email|text|subject|title|body|birth|patient`)
	for name, v := range samples() {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`"([A-Za-z]+)":`).FindAllStringSubmatch(string(b), -1) {
			require.Falsef(t, suspicious.MatchString(m[1]), "%s has the field %s", name, m[1])
		}
	}
	for _, id := range []string{DialogueWorkflowID("x"), PrescriptionWorkflowID("x"), AppointmentWorkflowID("x"), NoticeWorkflowID("x"), ActivationWorkflowID("x", ""), ActivationWorkflowID("c", "x"), ReceiptActivityID("x"), RefusalActivityID("x"), TransportErrorActivityID("x")} {
		require.True(t, strings.HasSuffix(id, "/x"), id)
	}
}

// TestPurposeOf: what is news to the patient is told once, whichever message carries it.
// An installation answers an enquiry in the ways that a GP's clinic has: to close one, and
// to answer for a certificate, is for others (HITS 1217 §3.3.2).
func TestAnswersToAnEnquiryAreThoseOfAClinic(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"19", "26", "30"}, AnswerCodes(ProcessEContact))
}

func TestPurposeOf(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]Purpose{
		AppointmentConfirmed: PurposeConfirmation, AppointmentWithOther: PurposeConfirmation, AppointmentChanged: PurposeChange,
		AppointmentCancelled: PurposeCancellation, AppointmentNotAvailable: "", AppointmentNotCancelled: "", AppointmentPatientMissing: "",
		AnswerRefused: "", AnswerNoAccess: "", "": "",
	} {
		require.Equal(t, want, PurposeOf(code), code)
	}
}

// Every process says in the Temporal UI what it is and how it is acted on.
func TestStaticDetails(t *testing.T) {
	t.Parallel()
	for _, p := range []Process{
		ProcessEContact, ProcessEConsultation, ProcessPrescription, ProcessEDialogue,
		ProcessAppointment, ProcessNotice, ProcessActivation,
	} {
		details := StaticDetails(p)
		require.Contains(t, details, "`helsebro ", p)
		require.Contains(t, details, "Never terminate or reset it", p)
		require.Contains(t, details, "nds ", p) // when it ends
		require.LessOrEqual(t, len(details), MaxDetailsBytes, p)
	}
	require.Empty(t, StaticDetails("no process"))
	require.NotEqual(t, ActivationTitle(""), ActivationTitle("a GP"))
}
