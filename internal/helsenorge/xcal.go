package helsenorge

import (
	"time"
)

// What Event.Categories may hold beside the appointment types of 7617 (HITS 1217
// §2.8.2, §2.8.5). They are plain text on the wire, without the list's OID.
const (
	CategoryUrgent = "Hastetime" // 7617: for what cannot wait
	CategoryVideo  = "Video"     // 7617: by video
	// CategoryMustCall marks a free slot that is booked by telephone only.
	CategoryMustCall = "MustCall"
	// CategoryService precedes the id of a service (see Event.Service).
	CategoryService = "TjenesteId:"
)

// Event.Status (HITS 1217 §2.8.8).
const (
	StatusTentative = "TENTATIVE" // planned
	StatusConfirmed = "CONFIRMED"
	StatusCancelled = "CANCELLED"
)

// Event.CancellationReason: the four that the schema has.
const (
	CancelledByService   = "Avlyst av tjeneste"
	CancelledNotAtHome   = "Avlyst - ikke hjemme"
	CancelledByRecipient = "Avlyst av tjenestemottaker selv"
	CancelledOnBehalf    = "Avlyst på vegne av tjenestemottaker"
)

// Event is a vevent: a free slot, or an appointment (HITS 1217 §2.8, xCal). All
// instants are UTC; a time that the message does not have, or that cannot be
// read, is zero. Text is trimmed.
type Event struct {
	// UID identifies the slot or appointment. Written it is a UUID, except where
	// the event repeats what the other side sent; read it is opaque.
	UID string
	// StartsAt and EndsAt are dtstart and dtend as they stand: official samples
	// have an end years before the start. Whether that matters is for the caller
	// (see Timed).
	StartsAt, EndsAt time.Time
	// Contact is the HER-id of the calendar (timebok) that the event is in: later
	// messages about it are addressed there. 0 when it is absent or no number.
	Contact int
	// RelatedTo is related-to: the other identity of the appointment (HITS 1217
	// §2.8), opaque. An appointment is found by either of UID and RelatedTo.
	RelatedTo string
	// Summary is what the appointment is about, Location where to meet: both are
	// shown to the citizen, as is the free text of Description.
	Summary, Description, Location string
	// Categories are plain texts, such as CategoryVideo; nil when there are none.
	Categories []string
	// Status is one of the Status constants, or ""; read it may be anything.
	Status string
	// CancellationReason stands only beside StatusCancelled.
	CancellationReason string
	// AvailableAt is when a free slot may be booked, zero for at once.
	AvailableAt time.Time
}
