package pg

import (
	"time"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/answerclock"
)

// Settings is what a clinic has chosen about appointments, notices and answers. The zero
// value of a number means its default, see Settings.WithDefaults.
type Settings struct {
	// OnlineBooking is the clinic's switch for booking through Helsenorge (S69).
	OnlineBooking bool `json:"onlineBooking"`
	// Notify is the clinic's gate for its own notices (S89).
	Notify bool `json:"notify"`
	// NoticeName and Phone are what a notice shows of the clinic. The name must not
	// reveal health.
	NoticeName string `json:"noticeName,omitempty"`
	Phone      string `json:"phone,omitempty"`
	// Language is nb, nn, en or se, where the patient has chosen none. Default nb.
	Language string `json:"language,omitempty"`
	// VisibleDays is how many days ahead free slots are shown. Default 28.
	VisibleDays int `json:"visibleDays,omitempty"`
	// DeadlineMinutes is how long before its start a slot can no longer be booked
	// online. Default 60.
	DeadlineMinutes int `json:"deadlineMinutes,omitempty"`
	// MaxFutureBookings is how many future appointments a patient may have booked
	// online. Default 3.
	MaxFutureBookings int `json:"maxFutureBookings,omitempty"`
	// GraceMinutes is how long changes are waited for before the last of them is
	// told. Default 5.
	GraceMinutes int `json:"graceMinutes,omitempty"`
	// MinLeadMinutes is how near to its start an appointment is no longer confirmed by
	// the clinic's own channels. Default 45.
	MinLeadMinutes int `json:"minLeadMinutes,omitempty"`
	// CancelHours is how long before the start a patient may cancel without a fee.
	// Default 24. CancelOnWorkingDay asks for the last working day before instead.
	CancelHours        int  `json:"cancelHours,omitempty"`
	CancelOnWorkingDay bool `json:"cancelOnWorkingDay,omitempty"`
	// QuietFrom and QuietTo bound the hours of the day, by the Norwegian clock, in
	// which nobody is reminded, as "21:00" and "08:00". Defaults as these.
	QuietFrom string `json:"quietFrom,omitempty"`
	QuietTo   string `json:"quietTo,omitempty"`
	// MergeHours is how far a reminder must be from the confirmation to be worth
	// anything. Default 12 (F6).
	MergeHours int `json:"mergeHours,omitempty"`
	// FallbackMinutes is what the whole chain of channels may take. Default 120.
	FallbackMinutes int `json:"fallbackMinutes,omitempty"`
	// OfficeOpens and OfficeCloses are when somebody is at the clinic on a working day, by
	// the Norwegian clock: who is late with an answer is told when it opens, and the limit
	// passes when it closes. Defaults "08:00" and "16:00" (F13).
	OfficeOpens  string `json:"officeOpens,omitempty"`
	OfficeCloses string `json:"officeCloses,omitempty"`
	// AnswerClock is how many working days an answer may take, per process: e-consultation,
	// e-contact (and e-dialogues) and prescription. Overdue 0 switches a process's clock off;
	// a process that is not named has answerclock.DefaultLimits (F13).
	AnswerClock map[contract.Process]answerclock.Limits `json:"answerClock,omitempty"`
	// Conversion is how a patient is told that his e-contact became an e-consultation,
	// which costs a fee: tell, or ask, which waits for his word (F14). Default tell.
	Conversion string `json:"conversion,omitempty"`
	// ActivityHours is how old, in hours, what is known of a patient's activity on
	// Helsenorge may be before Helsenorge is asked again when a dialogue is started.
	// Default 24.
	ActivityHours int `json:"activityHours,omitempty"`
}

// Calendar is a calendar of the clinic with its owner. Helsenorge shows the
// calendar of a practitioner who owns exactly one (S71).
type Calendar struct {
	ID      string `json:"id" yaml:"id"`
	OwnerID string `json:"ownerId" yaml:"ownerId"`
	Name    string `json:"name" yaml:"name"`
	// Notify is the calendar's gate (S89).
	Notify   bool `json:"notify,omitempty" yaml:"notify"`
	Inactive bool `json:"inactive,omitempty" yaml:"inactive"`
}

// CalendarState is a calendar with whether it can be booked on Helsenorge, and why
// not (S72): BookingSwitchedOff, BookingNotOffered, BookingOwnerInactive,
// BookingCalendarInactive, booking.NoCalendar or booking.SeveralCalendars.
type CalendarState struct {
	Calendar
	BookingOpen bool   `json:"bookingOpen"`
	Reason      string `json:"reason,omitempty"`
	// Owned is how many active calendars the owner has, FutureAppointments how many
	// booked appointments are still to come in this one.
	Owned              int `json:"owned"`
	FutureAppointments int `json:"futureAppointments"`
}

// AppointmentType is a type of appointment.
type AppointmentType struct {
	ID string `json:"id" yaml:"id"`
	// Name is for staff; no notice shows it.
	Name string `json:"name" yaml:"name"`
	// Category is a value of 7617 such as Hastetime or Video, or "".
	Category string `json:"category,omitempty" yaml:"category"`
	// Summary is what Helsenorge shows as the subject.
	Summary string `json:"summary,omitempty" yaml:"summary"`
	// Hidden keeps the appointment off Helsenorge and every channel (S82).
	Hidden bool `json:"hidden,omitempty" yaml:"hidden"`
	// Notify is the type's gate (S89).
	Notify   bool `json:"notify,omitempty" yaml:"notify"`
	Inactive bool `json:"inactive,omitempty" yaml:"inactive"`
}

// Slot is a piece of a calendar that may be booked.
type Slot struct {
	// ID is also the uid by which Helsenorge reserves it.
	ID         string    `json:"id" yaml:"id"`
	CalendarID string    `json:"calendarId" yaml:"calendarId"`
	TypeID     string    `json:"typeId" yaml:"typeId"`
	StartsAt   time.Time `json:"startsAt" yaml:"startsAt"`
	EndsAt     time.Time `json:"endsAt" yaml:"endsAt"`
	// Online offers it to citizens (S73).
	Online bool `json:"online,omitempty" yaml:"online"`
	// MustCall shows it as free by telephone only.
	MustCall bool `json:"mustCall,omitempty" yaml:"mustCall"`
	// AvailableAt is from when it may be booked; zero is at once.
	AvailableAt time.Time `json:"availableAt,omitzero" yaml:"availableAt"`
	Place       string    `json:"place,omitempty" yaml:"place"`
	// Free is read only: no booked appointment overlaps it.
	Free bool `json:"free,omitempty" yaml:"-"`
}

// Contact is a way to reach a patient.
type Contact struct {
	// ID is made where it is not there.
	ID      string           `json:"id,omitempty"`
	Channel contract.Channel `json:"channel"`
	// Address is an e-mail address, a phone number, or a push subscription (JSON).
	Address string `json:"address"`
	// Relation is "" for the patient's own, else a code of 7611 (FO, VE, FU, TD): a
	// representative's, used only as long as he represents.
	Relation string `json:"relation,omitempty"`
	// ConfirmedAt is when the patient himself confirmed it.
	ConfirmedAt time.Time `json:"confirmedAt,omitzero"`
	// GoneAt is read only: when a provider said that it exists no more.
	GoneAt time.Time `json:"goneAt,omitzero"`
}

// Preference is how a patient wants to be told.
type Preference struct {
	// Channels in order of preference; empty is the clinic's default: e-mail, else
	// SMS, and push in addition.
	Channels []contract.Channel `json:"channels,omitempty"`
	// OptedOut are never used.
	OptedOut []contract.Channel `json:"optedOut,omitempty"`
	// Language is nb, nn, en, se, or "".
	Language string `json:"language,omitempty"`
}

// Representation says who may act for a patient.
type Representation struct {
	// RepresentativeID is a patient of the same clinic.
	RepresentativeID string `json:"representativeId"`
	// Relation is a code of 7611: FO ends on the sixteenth birthday (S81).
	Relation string `json:"relation"`
	// Until is when it ends; zero is never by itself.
	Until time.Time `json:"until,omitzero"`
}

// PatientStatus is what the clinic knows of a patient beside who he is.
type PatientStatus struct {
	// Protected is address code 6 or 7: nobody represents him.
	Protected bool `json:"protected,omitempty"`
	// Deceased suppresses every notice from then on (D14).
	Deceased bool `json:"deceased,omitempty"`
	// NoConsent is true for who does not want to be contacted digitally (S26).
	NoConsent bool `json:"noConsent,omitempty"`
	// BornOn is the date of birth, 2006-01-02; "" derives it from the national id.
	BornOn string `json:"bornOn,omitempty"`
}

// PatientStanding is a patient's status with what is known of his activity on
// Helsenorge.
type PatientStanding struct {
	PatientStatus
	// DeceasedAt is since when the clinic knows of the death; zero is alive.
	DeceasedAt time.Time `json:"deceasedAt,omitzero"`
	// Helsenorge is absent for whom nobody has asked about.
	Helsenorge *KnownActivity `json:"helsenorge,omitempty"`
}

// KnownActivity is what is known of whether a patient is active on Helsenorge (F3).
type KnownActivity struct {
	// Active: himself, or through a representative.
	Active bool `json:"active"`
	Self   bool `json:"self"`
	Other  bool `json:"other"`
	// At is when it was known, AgeSeconds how long ago that is.
	At         time.Time `json:"at"`
	AgeSeconds int64     `json:"ageSeconds"`
	// Source is ActivityCheck, ActivityRefused, ActivityRecorded, ActivityMessage or
	// ActivityReported.
	Source string `json:"source"`
}

// CalendarEntry is an appointment as the calendar shows it: without where it was
// booked (S92).
type CalendarEntry struct {
	ID         string          `json:"id"`
	CalendarID string          `json:"calendarId"`
	PatientID  string          `json:"patientId"`
	TypeID     string          `json:"typeId"`
	Status     contract.Status `json:"status"`
	Revision   int             `json:"revision"`
	StartsAt   time.Time       `json:"startsAt"`
	EndsAt     time.Time       `json:"endsAt"`
	Place      string          `json:"place,omitempty"`
	Hidden     bool            `json:"hidden,omitempty"`
	// Patient and Comment are for people who treat the patient.
	Patient string `json:"patient"`
	Comment string `json:"comment,omitempty"`
}

// PatientAppointment is an appointment as its patient, or who represents him, sees
// it in the clinic's portal and app (S78).
type PatientAppointment struct {
	ID           string          `json:"id"`
	Status       contract.Status `json:"status"`
	StartsAt     time.Time       `json:"startsAt"`
	EndsAt       time.Time       `json:"endsAt"`
	Place        string          `json:"place,omitempty"`
	Summary      string          `json:"summary,omitempty"`
	Category     string          `json:"category,omitempty"`
	Practitioner string          `json:"practitioner,omitempty"`
}

// FeedItem is a notice, or a message of an e-dialogue, as the feed of portal and app shows
// it to the patient.
type FeedItem struct {
	// NoticeID is the notice's, or the message's.
	NoticeID string `json:"noticeId"`
	// AppointmentID or DialogueID is what it is about.
	AppointmentID string           `json:"appointmentId,omitempty"`
	DialogueID    string           `json:"dialogueId,omitempty"`
	Purpose       contract.Purpose `json:"purpose"`
	Subject       string           `json:"subject"`
	Body          string           `json:"body"`
	At            time.Time        `json:"at"`
}

// OfferQuery is a citizen's question for free slots (HLT), or for practitioners (HB).
type OfferQuery struct {
	// ToHerID is the party asked, NationalID the patient.
	ToHerID    int
	NationalID string
	// ActorID is the national id of who asks for the patient, and Relation the code of
	// 7611 by which; "" is the patient himself. They change nothing but the audit.
	ActorID, Relation string
	// HPR restricts it to one practitioner; "" is the party's own.
	HPR string
	// From and To are calendar dates as midnight UTC, both included.
	From, To time.Time
}

// Offers is the answer: a code of 7602 with what it needs.
type Offers struct {
	// Code is 03, 04, 26 or 30; of practitioners 20, 21, 26 or 30.
	Code string
	// Reason is why, as a stable code, for the log; Text is for the citizen, in
	// Norwegian, with 26 and 30.
	Reason, Text string
	// ContactHerID is the party of the calendar.
	ContactHerID  int
	Slots         []OfferedSlot
	Practitioners []OfferedPractitioner
}

// OfferedSlot is a free slot as a citizen sees it.
type OfferedSlot struct {
	ID       string    `json:"id"`
	StartsAt time.Time `json:"startsAt"`
	EndsAt   time.Time `json:"endsAt"`
	Category string    `json:"category,omitempty"`
	Summary  string    `json:"summary,omitempty"`
	Place    string    `json:"place,omitempty"`
	// MustCall: it is booked by telephone only.
	MustCall bool `json:"mustCall,omitempty"`
	// AvailableAt is from when it can be booked; zero is at once.
	AvailableAt time.Time `json:"availableAt,omitzero"`
}

// PortalOffer is what a patient may book in the clinic's portal and app (S93).
type PortalOffer struct {
	Slots []OfferedSlot `json:"items"`
	// Reason is why nothing can be booked at all, as a stable code: OfferBlocked,
	// OfferNotOwn, BookingOwnerInactive, booking.NoCalendar or booking.SeveralCalendars.
	Reason string `json:"reason,omitempty"`
}

// OfferedPractitioner is a practitioner with a calendar of his own.
type OfferedPractitioner struct {
	Name, HPR string
}
