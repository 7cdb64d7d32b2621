package pg

import (
	"encoding/json"
	"time"

	"github.com/helsebro/helsebro/internal/contract"
)

// Booking is what a citizen's message says of an appointment (xCal), beside the
// text: Arrival.Booking.
type Booking struct {
	// UID is the slot that is reserved, or the appointment that is cancelled; opaque.
	UID string
	// RelatedTo is the appointment, where the message names it.
	RelatedTo string
	// StartsAt and EndsAt are what the citizen saw.
	StartsAt, EndsAt time.Time
	// Contact is the HER-id of the calendar's party.
	Contact int
	// AcceptsOther tells that another practitioner is welcome too (1101).
	AcceptsOther bool
}

// ChangeKind is what is asked of an appointment.
type ChangeKind string

// The kinds.
const (
	// ChangeBook makes an appointment (S76), or one in a free online slot for the
	// portal and the app (S93).
	ChangeBook ChangeKind = "book"
	// ChangeAmend gives it another time, calendar, place or type; a type that is
	// hidden hides it (S82).
	ChangeAmend ChangeKind = "amend"
	// ChangeCancel takes it out of the calendar.
	ChangeCancel ChangeKind = "cancel"
	// ChangeRestore puts a cancelled or missed one back.
	ChangeRestore ChangeKind = "restore"
	// ChangeMissed says that the patient did not come (11).
	ChangeMissed ChangeKind = "missed"
	// ChangeAnswer answers a citizen's wish: Code 05, 06, 10, 08, 09 or 26.
	ChangeAnswer ChangeKind = "answer"
)

// Change is a change of an appointment as its author asks for it. ID is the
// caller's: the same id again is the same change.
type Change struct {
	ID   string     `json:"-"`
	Kind ChangeKind `json:"kind"`
	// AppointmentID is new for ChangeBook: the caller's, or made from ID.
	AppointmentID string `json:"-"`
	// Revision is the revision that the author has seen; 0 does not say.
	Revision int `json:"revision,omitempty"`
	// PatientID, CalendarID, TypeID, SlotID, StartsAt, EndsAt and Place are for
	// ChangeBook and for ChangeAnswer with 05 or 10; ChangeAmend leaves what is zero.
	PatientID  string    `json:"patientId,omitempty"`
	CalendarID string    `json:"calendarId,omitempty"`
	TypeID     string    `json:"typeId,omitempty"`
	SlotID     string    `json:"slotId,omitempty"`
	StartsAt   time.Time `json:"startsAt,omitzero"`
	EndsAt     time.Time `json:"endsAt,omitzero"`
	Place      *string   `json:"place,omitempty"`
	Comment    string    `json:"comment,omitempty"`
	// Source is clinic, portal or app (S93).
	Source string `json:"source,omitempty"`
	// Replaces is the appointment whose place a new one takes: both are one change.
	Replaces string `json:"replaces,omitempty"`
	// ViewerID is who acts in the portal: the patient or a representative.
	ViewerID string `json:"viewerId,omitempty"`
	// Acknowledged says that the author has seen what was already published before
	// hiding it (D10).
	Acknowledged bool `json:"acknowledged,omitempty"`
	// Code and Text are the answer to a wish.
	Code string `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
}

// DraftedChange is a stored change with what its command needs.
type DraftedChange struct {
	AppointmentID string
	// New is true when the appointment was made by this draft.
	New bool
	// Applied is true when the lifecycle has applied it before; then Accepted says so.
	Applied  bool
	Accepted contract.ChangeAccepted
	// Attempt counts how often it was stored: DropChange drops no later one.
	Attempt int
}

// Appointment is an appointment with everything that staff may know of it. Its
// origin is not among it (S92).
type Appointment struct {
	CalendarEntry
	TellAt    time.Time `json:"tellAt,omitzero"`
	RemindAt  time.Time `json:"remindAt,omitzero"`
	MovedFrom string    `json:"movedFrom,omitempty"`
	MovedTo   string    `json:"movedTo,omitempty"`
	// Wish is true for a citizen's wish that staff must answer.
	Wish bool `json:"wish,omitempty"`
	// Published is what Helsenorge was told last, and what became of that.
	Published *Published `json:"published,omitempty"`
}

// Published is a message about an appointment that left for Helsenorge.
type Published struct {
	Code     string           `json:"code"`
	Revision int              `json:"revision"`
	At       time.Time        `json:"at"`
	SentAt   time.Time        `json:"sentAt,omitzero"`
	Outcome  contract.Outcome `json:"outcome,omitempty"`
	Codes    []string         `json:"codes,omitempty"`
}

// AppointmentExplanation is why the patient did or did not get each notice: every
// decision with its inputs, every message, every attempt.
type AppointmentExplanation struct {
	AppointmentID string          `json:"appointmentId"`
	Status        contract.Status `json:"status"`
	Revision      int             `json:"revision"`
	// Origin is where it was booked: for the audit's eyes.
	Origin    string              `json:"origin,omitempty"`
	StartsAt  time.Time           `json:"startsAt,omitzero"`
	Published []Published         `json:"published"`
	Notices   []NoticeExplained   `json:"notices"`
	Decisions []DecisionExplained `json:"decisions"`
	Lines     []LedgerLine        `json:"lines"`
}

// NoticeExplained is an intended notice and what became of it.
type NoticeExplained struct {
	ID        string             `json:"id"`
	Purpose   contract.Purpose   `json:"purpose"`
	Revision  int                `json:"revision"`
	Owner     contract.Owner     `json:"owner"`
	Reason    string             `json:"reason"`
	DecidedAt time.Time          `json:"decidedAt"`
	Outcome   contract.Outcome   `json:"outcome,omitempty"`
	OutcomeAt time.Time          `json:"outcomeAt,omitzero"`
	Attempts  []AttemptExplained `json:"attempts"`
}

// AttemptExplained is a notice on one channel.
type AttemptExplained struct {
	Channel   contract.Channel      `json:"channel"`
	State     contract.AttemptState `json:"state"`
	Reason    string                `json:"reason,omitempty"`
	Template  string                `json:"template"`
	Segments  int                   `json:"segments,omitempty"`
	ClaimedAt time.Time             `json:"claimedAt"`
	StateAt   time.Time             `json:"stateAt"`
}

// DecisionExplained is a decision of the rules with what it was made on.
type DecisionExplained struct {
	contract.Decision
	Inputs json.RawMessage `json:"inputs"`
}

// AppointmentJob is what a message about an appointment is built from: Job.Appointment.
type AppointmentJob struct {
	// UID and RelatedTo identify it as the newest rule has it: the uid is the
	// appointment's id, related-to the slot it was reserved by, or the appointment it
	// takes the place of (protocol-appointment §4.1).
	UID, RelatedTo string
	// Contact is the HER-id of the calendar's party.
	Contact          int
	StartsAt, EndsAt time.Time
	Place            string
	Summary          string
	Category         string
	// Cancelled sets the status of the entry.
	Cancelled bool
	// Practitioner is whose calendar it is in.
	Practitioner Author
	// Patient is whom a pushed message is about.
	Patient Patient
}
