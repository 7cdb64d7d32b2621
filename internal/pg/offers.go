package pg

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/booking"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
)

// Codes of 7602 that answer a question for free slots or practitioners.
const (
	offersFree          = "03"
	offersNone          = "04"
	offersPractitioners = "20"
	offersNobody        = "21"
)

// Reasons that a citizen is offered nothing, beside those that booking is closed.
const (
	OfferBlocked        = "patient-blocked"
	OfferUnknownPatient = "patient-unknown"
	OfferNotOwn         = "not-own-practitioner"
	OfferNoSuch         = "practitioner-unknown"
	OfferSpan           = "span-over-four-weeks"
	OfferSpanReversed   = "span-ends-before-it-begins"
	OfferNotRegistered  = "process-not-offered"
)

// refusals are what the citizen reads with 26 and 30: what to do, and nothing that
// tells of the patient.
var refusals = map[string]string{
	OfferBlocked:             "Du har ikke tilgang til denne tjenesten. Ta kontakt med legekontoret.",
	OfferUnknownPatient:      "Legekontoret finner deg ikke som pasient. Ta kontakt med legekontoret.",
	OfferNotOwn:              "Du kan bare bestille time hos din egen fastlege.",
	OfferNoSuch:              "Legekontoret har ingen slik behandler. Ta kontakt med legekontoret.",
	OfferSpan:                "Du kan se ledige timer for høyst fire uker om gangen. Velg en kortere periode.",
	OfferSpanReversed:        "Perioden slutter før den begynner. Velg en annen periode.",
	OfferNotRegistered:       "Legekontoret tilbyr ikke denne tjenesten på Helsenorge. Ta kontakt med legekontoret.",
	BookingSwitchedOff:       "Legekontoret tilbyr ikke timebestilling på Helsenorge. Ta kontakt med legekontoret.",
	BookingNotOffered:        "Fastlegen tilbyr ikke timebestilling på Helsenorge. Ta kontakt med legekontoret.",
	BookingOwnerInactive:     "Fastlegen tar ikke imot timebestilling på Helsenorge nå. Ta kontakt med legekontoret.",
	booking.NoCalendar:       "Fastlegen tar ikke imot timebestilling på Helsenorge nå. Ta kontakt med legekontoret.",
	booking.SeveralCalendars: "Fastlegen tar ikke imot timebestilling på Helsenorge nå. Ta kontakt med legekontoret.",
}

// refuse makes the answer that offers nothing.
func refuse(reason string) Offers {
	code := contract.AnswerRefused
	if reason == OfferBlocked {
		code = contract.AnswerNoAccess
	}
	return Offers{Code: code, Reason: reason, Text: refusals[reason]}
}

// asker is who asks for whom, as far as the small look-ups tell.
type asker struct {
	clinicID, patientID string
	// partyStaffID is the practitioner whose party was asked, practitionerID the
	// patient's own.
	partyStaffID, practitionerID string
	blocked                      bool
}

// helsenorge is the principal of what a citizen asks for without a message that is
// kept.
var helsenorge = identity.Principal{Subject: "helsenorge"}

// asking answers a citizen's question in one transaction with its audit row. A party
// that the installation does not have is apperr.NotFound.
func (s *Store) asking(ctx context.Context, q OfferQuery, process, action string, answer func(pgx.Tx, asker) (Offers, error)) (Offers, error) {
	var out Offers
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var a asker
		var staffID *string
		var offered bool
		err := tx.QueryRow(ctx, `SELECT p.clinic_id, p.staff_id, EXISTS (SELECT FROM offering o WHERE o.her_id = p.her_id AND o.process = $2)
			FROM party p WHERE p.her_id = $1`, q.ToHerID, process).Scan(&a.clinicID, &staffID, &offered)
		if err != nil {
			return notFound(err, "no party of this installation has the receiver's HER-id")
		}
		a.partyStaffID = deref(staffID)
		var practitionerID *string
		err = tx.QueryRow(ctx, "SELECT id, practitioner_id, blocked FROM patient WHERE clinic_id = $1 AND national_id_index = $2",
			a.clinicID, s.vault.BlindIndex(nationalIDIndex, a.clinicID, q.NationalID)).Scan(&a.patientID, &practitionerID, &a.blocked)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		a.practitionerID = deref(practitionerID)
		switch {
		case a.blocked:
			out = refuse(OfferBlocked)
		case !offered:
			out = refuse(OfferNotRegistered)
		case a.patientID == "":
			out = refuse(OfferUnknownPatient)
		default:
			if out, err = answer(tx, a); err != nil {
				return err
			}
		}
		actor, err := s.actor(ctx, tx, a.clinicID, q)
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, helsenorge, a.clinicID, action, "code/"+out.Code+actor, a.patientID)
	})
	return out, err
}

// actor is what the audit says of who asked for the patient, as " FO/<id>": the id of the
// clinic's patient that he is himself, or else the blind index of his national id, by
// which he can be told again and not be named. It is "" for the patient himself.
func (s *Store) actor(ctx context.Context, tx pgx.Tx, clinicID string, q OfferQuery) (string, error) {
	if q.ActorID == "" && q.Relation == "" {
		return "", nil
	}
	index := s.vault.BlindIndex(nationalIDIndex, clinicID, q.ActorID)
	var id string
	err := tx.QueryRow(ctx, "SELECT id FROM patient WHERE clinic_id = $1 AND national_id_index = $2", clinicID, index).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		id, err = hex.EncodeToString(index), nil
	}
	return " " + q.Relation + "/" + id, err
}

// Offers answers a citizen's question for free slots (HLT, HITS 1217 §3.4.2): 03 with
// the slots, 04 without any, 30 for who is blocked, and 26 with the reason where the
// calendar is not his to book: S69 to S73. A slot is shown when it is online, free, and
// starts inside the days asked for, as dates in Norway, and inside the clinic's limits.
// An unknown party is apperr.NotFound. The only effect is the audit row.
func (s *Store) Offers(ctx context.Context, q OfferQuery) (Offers, error) {
	return s.asking(ctx, q, codes.Timereservasjon, "slots.offered", func(tx pgx.Tx, a asker) (Offers, error) {
		if reason := spanOf(q); reason != "" {
			return refuse(reason), nil
		}
		staffID := a.partyStaffID
		if q.HPR != "" {
			err := tx.QueryRow(ctx, "SELECT id FROM staff WHERE clinic_id = $1 AND hpr = $2 AND active", a.clinicID, q.HPR).Scan(&staffID)
			if errors.Is(err, pgx.ErrNoRows) {
				return refuse(OfferNoSuch), nil
			}
			if err != nil {
				return Offers{}, err
			}
		}
		if staffID == "" || staffID != a.practitionerID {
			return refuse(OfferNotOwn), nil
		}
		guards, err := s.guards(ctx, tx, a.clinicID, []string{staffID})
		if err != nil {
			return Offers{}, err
		}
		g := guards[staffID]
		if open, reason := g.open(); !open {
			return refuse(reason), nil
		}
		out := Offers{Code: offersFree, ContactHerID: g.herID}
		if out.Slots, err = s.freeSlots(ctx, tx, g, midnight(q.From, 0), midnight(q.To, 1)); len(out.Slots) == 0 {
			out.Code = offersNone
		}
		return out, err
	})
}

// spanOf says what is wrong with the days that are asked for.
func spanOf(q OfferQuery) string {
	switch {
	case q.To.Before(q.From):
		return OfferSpanReversed
	case q.To.After(q.From.AddDate(0, 0, booking.MaxDays)):
		return OfferSpan
	}
	return ""
}

// freeSlots reads the slots of one calendar that a citizen may book and that start from
// one instant, inclusive, to another, exclusive, inside the clinic's limits: one
// statement, by slot_online and, for each slot, appointment_overlaps.
func (s *Store) freeSlots(ctx context.Context, tx pgx.Tx, g guard, from, until time.Time) ([]OfferedSlot, error) {
	first, last := g.limits.Visible(s.now())
	rows, err := tx.Query(ctx, `SELECT s.id, s.starts_at, s.ends_at, t.category, t.summary, s.place, s.must_call, s.available_at
		FROM slot s JOIN appointment_type t ON t.id = s.type_id AND t.active AND NOT t.hidden
		WHERE s.calendar_id = $1 AND s.online AND s.starts_at >= $2 AND s.starts_at < $3 AND `+free+` ORDER BY s.starts_at`,
		g.calendarID, later(from, first), earlier(until, last))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (OfferedSlot, error) {
		var o OfferedSlot
		var available *time.Time
		err := row.Scan(&o.ID, &o.StartsAt, &o.EndsAt, &o.Category, &o.Summary, &o.Place, &o.MustCall, &available)
		o.StartsAt, o.EndsAt, o.AvailableAt = o.StartsAt.UTC(), o.EndsAt.UTC(), derefTime(available)
		return o, err
	})
}

// midnight is when the calendar date, so many days on, begins in Norway.
func midnight(date time.Time, days int) time.Time {
	y, m, d := date.Date()
	return oslo.At(y, m, d+days, 0, 0, 0)
}

// OfferedPractitioners answers a citizen's question for whom he can book with (HB, HITS
// 1217 §3.11): 20 with his own practitioner, whose calendar is the only one that he can
// book (S70), or 21 with nobody where that calendar is closed; 30 and 26 as Offers. An
// unknown party is apperr.NotFound. The only effect is the audit row.
func (s *Store) OfferedPractitioners(ctx context.Context, q OfferQuery) (Offers, error) {
	return s.asking(ctx, q, codes.Behandleroversikt, "practitioners.offered", func(tx pgx.Tx, a asker) (Offers, error) {
		nobody := Offers{Code: offersNobody}
		if a.practitionerID == "" {
			return nobody, nil
		}
		guards, err := s.guards(ctx, tx, a.clinicID, []string{a.practitionerID})
		if err != nil {
			return nobody, err
		}
		g := guards[a.practitionerID]
		if open, reason := g.open(); !open {
			nobody.Reason = reason
			return nobody, nil
		}
		var p OfferedPractitioner
		err = tx.QueryRow(ctx, "SELECT name, hpr FROM staff WHERE id = $1", a.practitionerID).Scan(&p.Name, &p.HPR)
		if err != nil || p.HPR == "" { // the list names people by their HPR number
			return nobody, err
		}
		return Offers{Code: offersPractitioners, ContactHerID: g.herID, Practitioners: []OfferedPractitioner{p}}, nil
	})
}
