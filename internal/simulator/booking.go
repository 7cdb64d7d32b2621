package simulator

import (
	"cmp"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Slot is a free slot, or an appointment, as the wire has it (HITS 1217 §2.8).
type Slot struct {
	UID       string    `json:"uid"`
	RelatedTo string    `json:"relatedTo,omitempty"`
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"`
	// Contact is the party whose calendar it is in.
	Contact    int      `json:"contact"`
	Summary    string   `json:"summary,omitempty"`
	Place      string   `json:"place,omitempty"`
	Categories []string `json:"categories,omitempty"`
	// AvailableAt is from when a free slot may be booked; zero is at once.
	AvailableAt time.Time `json:"availableAt,omitzero"`
}

// Bookable tells whether a citizen can book the slot at that instant by himself.
func (s Slot) Bookable(now time.Time) bool {
	return !event(s).Has(helsenorge.CategoryMustCall) && !s.AvailableAt.After(now)
}

func slotOf(e helsenorge.Event) Slot {
	return Slot{
		UID: e.UID, RelatedTo: e.RelatedTo, StartsAt: e.StartsAt, EndsAt: e.EndsAt, Contact: e.Contact,
		Summary: e.Summary, Place: e.Location, Categories: e.Categories, AvailableAt: e.AvailableAt,
	}
}

// event is what a citizen's message says of a slot or an appointment.
func event(s Slot) helsenorge.Event {
	return helsenorge.Event{
		UID: s.UID, RelatedTo: s.RelatedTo, StartsAt: s.StartsAt, EndsAt: s.EndsAt, Contact: s.Contact,
		Summary: s.Summary, Location: s.Place, Categories: s.Categories,
	}
}

// about is what an action about an appointment says.
type about struct {
	process, function string
	events            []helsenorge.Event
}

// about finds process, function and appointment of an action, and the party that it
// goes to: the one that the calendar is in (HITS 1217 §2.8.1).
func (h *Helsenorge) about(a *Action) (about, error) {
	var out about
	switch a.Kind {
	case Wish:
		return about{process: codes.Timeonske, function: codes.AppointmentWish}, nil
	case Reserve:
		out.process, out.function = codes.Timereservasjon, codes.BookingRequest
	case Cancel:
		out.process, out.function = codes.Timereservasjon, codes.CancellationRequest
		if a.Alone {
			out.process = codes.Avtaleavbestilling
		}
	case WishCancel:
		out.process, out.function = codes.Timeonske, codes.CancellationWish
	default:
		out.process, out.function = codes.Timeonske, codes.ChangeWish
	}
	slot := a.Slot
	if slot == nil && a.Kind != Reserve {
		seen, err := h.appointment(a.Citizen, a.Appointment)
		if err != nil {
			return about{}, err
		}
		slot = &seen.Slot
	}
	if slot == nil {
		return about{}, apperr.InvalidFields("nothing is reserved", apperr.Field{Path: "slot", Rule: "a slot as the question for free slots was answered"})
	}
	e := event(*slot)
	if a.Kind != Reserve {
		// Helsenorge says related-to whether the clinic has given one or not.
		e.RelatedTo = cmp.Or(e.RelatedTo, e.UID)
	}
	a.To = cmp.Or(a.To, e.Contact)
	out.events = []helsenorge.Event{e}
	return out, nil
}

// wished asks for a practitioner. Nothing is known of him here but his number.
func wished(hpr string) []helsenorge.Role {
	professional, ok := helsenorge.Named("Ønsket Behandler", hpr)
	if !ok {
		return nil
	}
	return []helsenorge.Role{{
		RoleToPatient: &helsenorge.Code{V: codes.WishedPractitioner, S: codes.PatientRoles.OID(), DN: codes.Name(codes.PatientRoles, codes.WishedPractitioner)},
		Professional:  &professional,
	}}
}
