package listen

import (
	"slices"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
)

// booking takes over what a citizen's message says of an appointment: the event of
// RT, ART and OAT, and of all four whether another practitioner will do. A wish, OT,
// has words only. It is nil for every other message.
func booking(m *helsenorge.Message) *pg.Booking {
	if processes[m.Head.Process].lifecycle != contract.ProcessAppointment {
		return nil
	}
	b := &pg.Booking{}
	// Official samples lack the mandatory code: nobody is sent to another
	// practitioner without a word of his.
	if c := m.Dialog.Request.Coded; c != nil {
		b.AcceptsOther = c.V == codes.OtherAccepted
	}
	if len(m.Events) > 0 {
		e := m.Events[0]
		b.UID, b.RelatedTo, b.StartsAt, b.EndsAt, b.Contact = e.UID, e.RelatedTo, e.StartsAt, e.EndsAt, herID(e.Contact)
	}
	return b
}

// unusable finds what is wrong with the event of a message that is nothing without
// one, beyond what the standard's reader has said: nothing could be found by it
// (HITS 1217 §3.4.3). Its times are what the citizen saw and decide nothing, so that
// the ends before the start of official samples do no harm.
func unusable(function string, m *helsenorge.Message) []helsenorge.Problem {
	needsEvent := []string{contract.FunctionReserve, contract.FunctionCancel, contract.FunctionWishCancel}
	if processes[m.Head.Process].lifecycle != contract.ProcessAppointment || !slices.Contains(needsEvent, function) || len(m.Events) != 1 {
		return nil // none or several: the reader has said so
	}
	broken := func(element, rule string) []helsenorge.Problem {
		const event = "MsgHead/Document/RefDoc/Content/icalendar/vcalendar/components/vevent/properties/"
		return []helsenorge.Problem{{Code: codes.SchemaBroken, Path: event + element, Rule: rule}}
	}
	e := m.Events[0]
	switch {
	case !storable(e.UID) || !storable(e.RelatedTo):
		return broken("uid", "an identity of the appointment must be text of at most 255 bytes")
	case function == contract.FunctionReserve && e.UID == "":
		return broken("uid", "the slot that is reserved must be named")
	case e.UID == "" && e.RelatedTo == "":
		return broken("uid", "the appointment that is meant must be named")
	case function == contract.FunctionReserve && e.StartsAt.IsZero():
		return broken("dtstart", "the time that is reserved must be given")
	}
	return nil
}
