package pg

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/representation"
	"github.com/helsebro/helsebro/internal/identity"
)

// Reasons that somebody may not see or book for a patient, beside those of
// domain/representation.
const (
	notRepresented = "not-a-representative"
	birthUnknown   = "date-of-birth-unknown"
)

// viewer is nil when the viewer is the patient himself, or somebody who represents him
// at the instant now; else it is apperr.Forbidden with the reason. Both are patients of
// the clinic. Parents end at 16 (S81), and nobody represents, or is represented, with a
// protected address (D14).
func (s *Store) viewer(ctx context.Context, tx pgx.Tx, clinicID, patientID, viewerID string, now time.Time) error {
	c, err := s.cardOf(ctx, tx, clinicID, patientID)
	if err != nil {
		return err
	}
	if strings.EqualFold(viewerID, patientID) {
		return nil
	}
	var relation representation.Relation
	var protected bool
	var bornOn, sealed []byte
	err = tx.QueryRow(ctx, `SELECT r.relation, p.protected OR v.protected, p.born_on, p.identity
		FROM representation r JOIN patient p ON p.id = r.patient_id JOIN patient v ON v.id = r.representative_id
		WHERE r.patient_id = $1 AND r.representative_id = $2 AND (r.until IS NULL OR r.until > $3)`, patientID, viewerID, now).
		Scan(&relation, &protected, &bornOn, &sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return mayNot(notRepresented)
	}
	if err != nil {
		return err
	}
	born, known, err := birthDate(c.key, patientID, bornOn, sealed)
	if err != nil {
		return err
	}
	if !known {
		return mayNot(birthUnknown)
	}
	if ok, reason := representation.MayAct(relation, born, now, protected); !ok {
		return mayNot(reason)
	}
	return nil
}

func mayNot(reason string) error {
	return apperr.New(apperr.Forbidden, "the viewer may not act for the patient: %s", reason)
}

// onPortal reads for the portal, in one transaction with the audit row that names who
// looked, and at what: about is "" for the whole list, else the thing's name and "/".
func (s *Store) onPortal(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID, action, about string, read func(pgx.Tx) error) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.viewer(ctx, tx, clinicID, patientID, viewerID, s.now()); err != nil {
			return err
		}
		if err := read(tx); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, action, about+"viewer/"+viewerID, patientID)
	})
}

// shown is the condition on an appointment a and its type t that the patient sees it:
// a hidden one is nowhere (S82).
const shown = "a.status IN ('booked', 'cancelled', 'missed') AND NOT t.hidden"

// PortalAppointments lists the patient's appointments, past and to come, wherever they
// were booked, as he or who represents him sees them in the clinic's portal and app
// (S78, S80): the earliest first, hidden ones never.
func (s *Store) PortalAppointments(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string) ([]PatientAppointment, error) {
	var list []PatientAppointment
	err := s.onPortal(ctx, by, clinicID, patientID, viewerID, "portal.appointments", "", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT a.id, a.status, a.starts_at, a.ends_at, a.place, t.summary, t.category, o.name
			FROM appointment a JOIN appointment_type t ON t.id = a.type_id JOIN calendar c ON c.id = a.calendar_id JOIN staff o ON o.id = c.owner_id
			WHERE a.patient_id = $1 AND `+shown+` ORDER BY a.starts_at, a.id`, patientID)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (PatientAppointment, error) {
			var p PatientAppointment
			err := row.Scan(&p.ID, &p.Status, &p.StartsAt, &p.EndsAt, &p.Place, &p.Summary, &p.Category, &p.Practitioner)
			p.StartsAt, p.EndsAt = p.StartsAt.UTC(), p.EndsAt.UTC()
			return p, err
		})
		return err
	})
	return list, err
}

// PortalSlots lists the free slots that the patient, or who represents him, may book in
// the clinic's portal and app, of those that start from one instant, inclusive, to
// another, exclusive, at most 62 days later: by the rules of Offers, but for
// Helsenorge's own switch and registration (S93).
func (s *Store) PortalSlots(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string, from, to time.Time) (PortalOffer, error) {
	var out PortalOffer
	if err := stretch(from, to); err != nil {
		return out, err
	}
	err := s.onPortal(ctx, by, clinicID, patientID, viewerID, "portal.slots", "", func(tx pgx.Tx) error {
		var blocked bool
		var practitionerID *string
		if err := tx.QueryRow(ctx, "SELECT blocked, practitioner_id FROM patient WHERE id = $1", patientID).Scan(&blocked, &practitionerID); err != nil {
			return err
		}
		switch {
		case blocked:
			out = PortalOffer{Reason: OfferBlocked}
			return nil
		case practitionerID == nil:
			out = PortalOffer{Reason: OfferNotOwn}
			return nil
		}
		guards, err := s.guards(ctx, tx, clinicID, []string{*practitionerID})
		if err != nil {
			return err
		}
		g := guards[*practitionerID].onPortal()
		out = PortalOffer{}
		if open, reason := g.open(); !open {
			out.Reason = reason
			return nil
		}
		out.Slots, err = s.freeSlots(ctx, tx, g, from, to)
		return err
	})
	return out, err
}

// noticeText is what an attempt seals: the text as it was sent.
type noticeText struct {
	Subject string `json:"subject,omitempty"`
	Body    string `json:"body"`
}

// noticeRow names an attempt's row for its sealed text.
func noticeRow(noticeID, channel string) string { return noticeID + "/" + channel }

// PortalFeed lists what the clinic itself has told the patient, in the words that were
// sent, each notice and each message of an e-dialogue once, the newest first; at most 200.
// A notice of an appointment that is hidden by now is gone from it (D10).
func (s *Store) PortalFeed(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string) ([]FeedItem, error) {
	var feed []FeedItem
	err := s.onPortal(ctx, by, clinicID, patientID, viewerID, "portal.feed", "", func(tx pgx.Tx) error {
		c, err := s.cardOf(ctx, tx, clinicID, patientID)
		if err != nil {
			return err
		}
		// The words of the push message are made for this place; any other will do.
		rows, err := tx.Query(ctx, `SELECT DISTINCT ON (n.id) n.id, n.appointment_id, n.purpose, t.text, t.channel, t.claimed_at
			FROM appointment a JOIN appointment_type ty ON ty.id = a.type_id AND NOT ty.hidden
			JOIN notice n ON n.appointment_id = a.id JOIN notice_attempt t ON t.notice_id = n.id AND t.state <> 'withheld'
			WHERE a.patient_id = $1 ORDER BY n.id, t.channel = 'push' DESC, t.claimed_at`, patientID)
		if err != nil {
			return err
		}
		feed, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (FeedItem, error) {
			var f FeedItem
			var sealed []byte
			var channel string
			if err := row.Scan(&f.NoticeID, &f.AppointmentID, &f.Purpose, &sealed, &channel, &f.At); err != nil {
				return f, err
			}
			f.At = f.At.UTC()
			var text noticeText
			err := c.key.open("notice_attempt.text", noticeRow(f.NoticeID, channel), sealed, &text)
			f.Subject, f.Body = text.Subject, text.Body
			return f, err
		})
		if err != nil {
			return err
		}
		messages, err := s.publishedFeed(ctx, tx, c)
		if err != nil {
			return err
		}
		feed = append(feed, messages...)
		slices.SortFunc(feed, func(a, b FeedItem) int { return b.At.Compare(a.At) })
		feed = feed[:min(len(feed), maxFeed)]
		return nil
	})
	return feed, err
}

// maxFeed is how many notices the feed goes back.
const maxFeed = 200
