package helsenorge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// productID is the prodid of the calendars that are written.
const productID = "-//Helsebro//Helsebro//NO"

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

// Timed tells whether the event has a start, and an end after it.
func (e Event) Timed() bool { return !e.StartsAt.IsZero() && e.EndsAt.After(e.StartsAt) }

// Has tells whether the event is of a category, such as CategoryMustCall.
func (e Event) Has(category string) bool { return slices.Contains(e.Categories, category) }

// Service is the id of the service that the event is tied to, or "". Official
// samples write its category in either case, and with a blank before the id.
func (e Event) Service() string {
	for _, c := range e.Categories {
		if n := len(CategoryService); len(c) > n && strings.EqualFold(c[:n], CategoryService) {
			return strings.TrimSpace(c[n:])
		}
	}
	return ""
}

// readEvents reads the events of an icalendar, in order; it is empty, not nil,
// when there are none.
func readEvents(n *node) []Event {
	events := []Event{}
	for _, calendar := range n.children(cal("vcalendar")) {
		for _, event := range calendar.child(cal("components")).children(cal("vevent")) {
			events = append(events, readEvent(event.child(cal("properties"))))
		}
	}
	return events
}

func readEvent(n *node) Event {
	text := func(property string) string { return n.child(cal(property)).child(cal("text")).trimmed() }
	e := Event{
		UID:         text("uid"),
		StartsAt:    readTime(n.child(cal("dtstart"))),
		EndsAt:      readTime(n.child(cal("dtend"))),
		Contact:     readHerID(text("contact")),
		Summary:     text("summary"),
		Description: text("description"),
		Location:    text("location"),
		Status:      text("status"), CancellationReason: text("x-cancellation-reason"),
		AvailableAt: readTime(n.child(cal("x-available-at"))),
	}
	// The schema lets it be a uri, a uid or a text; all samples have a uri.
	for _, value := range n.child(cal("related-to")).elements() {
		if value.name != cal("parameters") {
			e.RelatedTo = value.trimmed()
		}
	}
	for _, categories := range n.children(cal("categories")) {
		for _, c := range categories.children(cal("text")) {
			if category := c.trimmed(); category != "" {
				e.Categories = append(e.Categories, category)
			}
		}
	}
	return e
}

// readTime reads a date-time as what the wall clock of Norway shows, unless it
// says Z, and a date as its midnight there. No sentence of the standard states the
// zone: samples are local, and the schema has no offset.
func readTime(property *node) time.Time {
	if t, ok := readInstant(property.child(cal("date-time")).trimmed()); ok {
		return t
	}
	if day := readDate(property.child(cal("date")).trimmed()); !day.IsZero() {
		y, m, d := day.Date()
		return oslo.At(y, m, d, 0, 0, 0)
	}
	return time.Time{}
}

// readHerID reads a HER-id that may have blanks around it, as a sample has. It is
// 0 for anything else.
func readHerID(s string) int {
	if id, err := strconv.Atoi(s); err == nil && id > 0 {
		return id
	}
	return 0
}

func (c *checker) events(m *Message, f function) {
	rule := f.events
	if rule == nil {
		c.check(len(m.Events) == 0, "Events", "must be empty: this code has no iCalendar document")
		return
	}
	c.check(len(m.Events) >= rule.least && (rule.most == 0 || len(m.Events) <= rule.most), "Events", rule.count())
	for i, e := range m.Events {
		c.event(e, rule, fmt.Sprintf("Events[%d]", i))
	}
}

// count says how many events there must be.
func (r *eventRule) count() string {
	switch {
	case r.most == 0:
		return "must be there: this code tells of one or more"
	case r.least == 0:
		return "must be at most one: what was asked for"
	}
	return "must be exactly one: what this code is about"
}

func (c *checker) event(e Event, rule *eventRule, at string) {
	c.needed(e.UID, at+".UID")
	c.text(e.RelatedTo, at+".RelatedTo")
	c.check(e.RelatedTo != "" || !rule.related, at+".RelatedTo", "must be that of the appointment: it is what the clinic finds it by")
	if rule.own {
		c.check(isUUID(e.UID), at+".UID", "must be a UUID")
		c.check(e.RelatedTo == "" || isUUID(e.RelatedTo), at+".RelatedTo", "must be empty or a UUID")
	}
	c.check(isWritable(e.StartsAt), at+".StartsAt", "must be set")
	c.check(isWritable(e.EndsAt) && e.Timed(), at+".EndsAt", "must be after StartsAt")
	c.check(e.Contact > 0, at+".Contact", "must be the HER-id of the calendar that the event is in")
	c.text(e.Summary, at+".Summary")
	c.text(e.Description, at+".Description")
	c.text(e.Location, at+".Location")
	c.check(e.Status == "" || slices.Contains(rule.statuses, e.Status), at+".Status", "must be empty or one of "+strings.Join(rule.statuses, ", "))
	if e.CancellationReason != "" {
		c.check(e.Status == StatusCancelled, at+".CancellationReason", "must be empty: the status is not CANCELLED")
		c.check(isCancellationReason(e.CancellationReason), at+".CancellationReason", "must be empty or one of the four reasons of the schema")
	}
	for i, category := range e.Categories {
		c.category(category, rule, fmt.Sprintf("%s.Categories[%d]", at, i))
	}
	if e.AvailableAt.IsZero() {
		return
	}
	if c.check(rule.slots, at+".AvailableAt", "must be zero: only a free slot has it") {
		c.check(!e.Has(CategoryMustCall), at+".AvailableAt", "must be zero: the slot is booked by telephone only")
		c.check(isWritable(e.AvailableAt), at+".AvailableAt", "must be zero or an instant")
	}
}

func (c *checker) category(category string, rule *eventRule, at string) {
	switch {
	case category == CategoryMustCall:
		c.check(rule.slots, at, "must not be MustCall: only a free slot is")
	case !rule.own:
		c.needed(category, at)
	case strings.HasPrefix(category, CategoryService):
		c.needed(strings.TrimPrefix(category, CategoryService), at)
	default:
		c.check(codes.Has(codes.AppointmentType, category), at, "must be of list 7617, MustCall, or TjenesteId: with an id")
	}
}

var isCancellationReason = oneOf(CancelledByService, CancelledNotAtHome, CancelledByRecipient, CancelledOnBehalf)

// isWritable tells whether the instant has a year of four digits in any zone.
func isWritable(t time.Time) bool { return t.Year() > 1900 && t.Year() < 9999 }

func (w *writer) events(events []Event) {
	w.open("icalendar", "xmlns", nsCalendar)
	w.open("vcalendar")
	w.open("properties")
	w.property("version", "text", "2.0")
	w.property("prodid", "text", productID)
	w.close("properties")
	w.open("components")
	for _, e := range events {
		w.event(e)
	}
	w.close("components")
	w.close("vcalendar")
	w.close("icalendar")
}

func (w *writer) event(e Event) {
	w.open("vevent")
	w.open("properties")
	w.property("dtstart", "date-time", writeWall(e.StartsAt))
	w.property("dtend", "date-time", writeWall(e.EndsAt))
	w.property("uid", "text", e.UID)
	w.property("contact", "text", strconv.Itoa(e.Contact))
	w.property("related-to", "uri", e.RelatedTo)
	w.property("summary", "text", e.Summary)
	w.property("description", "text", e.Description)
	w.property("location", "text", e.Location)
	w.property("categories", "text", e.Categories...)
	w.property("status", "text", e.Status)
	w.property("x-cancellation-reason", "text", e.CancellationReason)
	if !e.AvailableAt.IsZero() {
		w.property("x-available-at", "date-time", writeWall(e.AvailableAt))
	}
	w.close("properties")
	w.empty("components") // nothing is in it, and the schema demands it
	w.close("vevent")
}

// property writes a property with its values, unless it has none.
func (w *writer) property(name, valueType string, values ...string) {
	if strings.Join(values, "") == "" {
		return
	}
	w.open(name)
	for _, v := range values {
		w.leaf(valueType, v)
	}
	w.close(name)
}
