package pg

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/booking"
)

// decidedByCalendar tells whether the calendar alone decides what becomes of the
// message: nobody has to read it.
func decidedByCalendar(function string) bool {
	return function == contract.FunctionReserve || function == contract.FunctionCancel
}

// threadAppointment finds the appointment that a citizen's message is about, or opens
// one of its own. A booking and a wish open one each. A cancellation, or the wish for
// one, belongs to the same patient's appointment that any of its identifiers names
// (§4.1), the living before the dead and the newest first; what names none is kept by
// itself, so that it can be answered. Anything else follows its conversation.
func (s *Store) threadAppointment(ctx context.Context, tx pgx.Tx, a Arrival, out *Arrived, key sealingKey, patientID string) error {
	switch a.Function {
	case contract.FunctionReserve, contract.FunctionWish:
	case contract.FunctionCancel, contract.FunctionWishCancel:
		var uids []string
		if a.Booking != nil {
			uids = []string{a.Booking.UID, a.Booking.RelatedTo}
		}
		err := tx.QueryRow(ctx, `SELECT a.id FROM appointment_identifier i JOIN appointment a ON a.id = i.appointment_id
			WHERE i.clinic_id = $1 AND i.identifier = ANY ($2) AND a.patient_id = $3
			ORDER BY a.status = 'booked' DESC, a.status IN ('received', 'awaiting-clinic') DESC, a.created_at DESC, a.id DESC LIMIT 1`,
			out.ClinicID, nonNil(uids), patientID).Scan(&out.DialogueID)
		if err == nil {
			if err := s.joinDialogue(ctx, tx, a, out); err != nil {
				return err
			}
			return s.mapConversation(ctx, tx, a, out)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
	default:
		if err := s.thread(ctx, tx, a, out, key, patientID); err != nil || !out.NewDialogue {
			return err
		}
		return s.openAppointment(ctx, tx, key, opening{id: out.DialogueID, clinicID: out.ClinicID, patientID: patientID, origin: originHelsenorge})
	}
	if err := s.openDialogue(ctx, tx, a, out, key, patientID); err != nil {
		return err
	}
	o := opening{id: out.DialogueID, clinicID: out.ClinicID, patientID: patientID, origin: originHelsenorge}
	if a.Function == contract.FunctionReserve || a.Function == contract.FunctionWish {
		o.comment = a.Content.Text
	}
	if err := s.openAppointment(ctx, tx, key, o); err != nil {
		return err
	}
	if a.Function != contract.FunctionReserve || a.Booking == nil {
		return nil
	}
	return s.identify(ctx, tx, out.ClinicID, out.DialogueID, a.Booking.UID)
}

// Rules that decide a citizen's message, beside those of domain/booking and the
// reasons of a closed calendar.
const (
	ruleBooked           = "booked"
	ruleNoComment        = "no-comment"           // S74
	ruleOtherGP          = "another-practitioner" // S70
	ruleUnknownSlot      = "unknown-slot"         // no such slot, or one that is not offered
	ruleNotOnline        = "not-online"           // S73
	ruleMustCall         = "must-call"            // free by telephone only
	ruleNotYet           = "not-yet-available"    // x-available-at
	ruleSlotMoved        = "slot-changed"         // the citizen saw another time
	ruleTaken            = "taken"                // another appointment was first (F11)
	ruleCancelled        = "cancelled-by-citizen" // 08
	ruleAlready          = "cancelled-before"     // 08 again: it is true
	ruleTooLate          = "begun-or-over"        // 09
	ruleNotBooked        = "not-booked"           // 09
	ruleHidden           = "hidden"               // 09: nothing of it leaves (S82)
	ruleUnknown          = "unknown-appointment"  // 09 and a case
	ruleWish             = "wish"                 // staff answer
	ruleDecidedOtherwise = "already-decided"      // the appointment is no open booking any more
)

// Texts of answers, in Norwegian: it is the wire's language.
const (
	textNoComment   = "Du må skrive hva timen gjelder. Skriv det, og bestill på nytt."
	textOtherGP     = "Du kan bare bestille time hos din egen fastlege. Ta kontakt med legekontoret på telefon."
	textTooMany     = "Du har allerede så mange timer som kan bestilles på nett. Ta kontakt med legekontoret på telefon."
	textUnavailable = "Timen er ikke ledig lenger. Velg en annen time."
	textClosed      = "Timebestilling på nett er ikke åpen nå. Ta kontakt med legekontoret på telefon."
	textNotCancel   = "Timen kunne ikke avbestilles på nett. Ta kontakt med legekontoret på telefon."
)

// ruling is what becomes of a citizen's message.
type ruling struct {
	// code is the answer, "" while staff must decide; text goes with it.
	code, text, rule string
	// tells is true when the answer tells how the appointment stands.
	tells bool
	inbox bool
	// problem is what an operator must look at, "" for nothing.
	problem contract.CaseKind
	inputs  any
}

// bookingMessage is a citizen's message as it was stored.
type bookingMessage struct {
	id, function string
	toHerID      int
	content      storedContent
}

// TakeBookingMessage does what a citizen's message asks of the calendar, in one
// transaction with its answer (HITS 1217 §3.4.3, §3.5): a reservation is booked (05)
// or not (06, 26), a cancellation done (08) or not (09), a wish left to staff. It is
// idempotent by message: a repetition returns what was decided first, with how the
// appointment stands now.
func (s *Store) TakeBookingMessage(ctx context.Context, in contract.TakeBookingMessageInput) (contract.TakeBookingMessageOutput, error) {
	s = s.notBefore(in.Now)
	var out contract.TakeBookingMessageOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.TakeBookingMessageOutput{}
		a, err := s.lockAppointment(ctx, tx, in.ClinicID, in.AppointmentID)
		if err != nil {
			return err
		}
		key := "message/" + in.MessageID
		again, err := s.decidedBefore(ctx, tx, key, &out)
		if err != nil || again {
			out.Facts = a.facts()
			return err
		}
		m, err := s.bookingMessage(ctx, tx, a, in.MessageID)
		if err != nil {
			return err
		}
		// Helsenorge takes messages from who is there only.
		if err := s.seenActive(ctx, tx, a.patientID, m.content.Actor == ""); err != nil {
			return err
		}
		r, err := s.rule(ctx, tx, &a, m)
		if err != nil {
			return err
		}
		out = contract.TakeBookingMessageOutput{Facts: a.facts(), Code: r.code, Inbox: r.inbox, Rule: r.rule, CaseOpened: r.problem != ""}
		if r.code != "" {
			if out.OutboundID, err = s.answerCitizen(ctx, tx, a, newID(), m.id, r.code, r.text, "", r.rule); err != nil {
				return err
			}
		}
		if r.tells {
			if err := s.published(ctx, tx, a, out.OutboundID, r.code); err != nil {
				return err
			}
		}
		if r.problem != "" {
			if err := s.openCase(ctx, tx, a.clinicID, a.id, m.id, r.problem, r.rule); err != nil {
				return err
			}
		}
		return s.decide(ctx, tx, key, decision{a.id, a.revision, contract.AboutMessage, m.function + " " + r.code, r.rule, r.inputs}, out)
	})
	return out, err
}

func (s *Store) bookingMessage(ctx context.Context, tx pgx.Tx, a standing, id string) (bookingMessage, error) {
	m := bookingMessage{id: id}
	var keyID string
	var sealed []byte
	err := tx.QueryRow(ctx, "SELECT function, to_her_id, key_id, content FROM inbound_message WHERE id = $1 AND dialogue_id = $2", id, a.id).
		Scan(&m.function, &m.toHerID, &keyID, &sealed)
	if err != nil {
		return m, notFound(err, "the appointment has no such message")
	}
	key, err := s.key(ctx, tx, keyID)
	if err != nil {
		return m, err
	}
	return m, key.open("inbound_message.content", id, sealed, &m.content)
}

// rule decides a message and changes the calendar accordingly.
func (s *Store) rule(ctx context.Context, tx pgx.Tx, a *standing, m bookingMessage) (ruling, error) {
	switch m.function {
	case contract.FunctionReserve:
		r, err := s.reserve(ctx, tx, a, m)
		if err == nil && r.code != contract.AppointmentConfirmed && a.status == contract.StatusReceived {
			err = s.setStatus(ctx, tx, a, contract.StatusRefused)
		}
		return r, err
	case contract.FunctionCancel:
		return s.cancelForCitizen(ctx, tx, a)
	case contract.FunctionWish, contract.FunctionWishCancel:
		if a.status != contract.StatusReceived {
			return ruling{rule: ruleWish, inbox: true}, nil // staff answer it beside what is booked
		}
		return ruling{rule: ruleWish, inbox: true}, s.setStatus(ctx, tx, a, contract.StatusAwaitingClinic)
	}
	return ruling{}, apperr.New(apperr.Unsupported, "function %s asks nothing of the calendar", m.function)
}

// reserve books what a citizen reserves, or says why not. Everything is read in this
// transaction, so that a calendar that closes at the same moment is either closed or
// not (D15); which of two bookings wins is the exclusion constraint's word (F11).
func (s *Store) reserve(ctx context.Context, tx pgx.Tx, a *standing, m bookingMessage) (ruling, error) {
	if a.status != contract.StatusReceived {
		return ruling{code: contract.AppointmentNotAvailable, text: textUnavailable, rule: ruleDecidedOtherwise}, nil
	}
	if booking.Comment(m.content.Text) != nil {
		return ruling{code: contract.AnswerRefused, text: textNoComment, rule: ruleNoComment}, nil
	}
	var uid string
	var startsAt, endsAt time.Time
	if b := m.content.Booking; b != nil {
		uid, startsAt, endsAt = b.UID, b.StartsAt, b.EndsAt
	}
	o, err := s.offered(ctx, tx, *a, uid, m.toHerID)
	if err != nil {
		return ruling{}, err
	}
	if o.rule == "" && (!startsAt.IsZero() && !startsAt.Equal(o.slot.StartsAt) || !endsAt.IsZero() && !endsAt.Equal(o.slot.EndsAt)) {
		o.rule = ruleSlotMoved
	}
	r := refusal(o.rule)
	r.inputs = o.inputs
	if o.rule != "" {
		return r, nil
	}
	taken, err := s.book(ctx, tx, a, o.slot)
	if err != nil {
		return ruling{}, err
	}
	if taken {
		r := refusal(ruleTaken)
		r.inputs = o.inputs
		return r, nil
	}
	if err := s.revise(ctx, tx, a, originHelsenorge, 0); err != nil {
		return ruling{}, err
	}
	return ruling{code: contract.AppointmentConfirmed, rule: ruleBooked, tells: true, inputs: o.inputs}, nil
}

// refusal is the answer to a reservation that cannot be had for the rule.
func refusal(rule string) ruling {
	switch rule {
	case ruleOtherGP:
		return ruling{code: contract.AnswerRefused, text: textOtherGP, rule: rule}
	case booking.TooManyBookings:
		return ruling{code: contract.AnswerRefused, text: textTooMany, rule: rule}
	case BookingSwitchedOff, BookingNotOffered, BookingOwnerInactive, booking.NoCalendar, booking.SeveralCalendars:
		return ruling{code: contract.AppointmentNotAvailable, text: textClosed, rule: rule}
	}
	return ruling{code: contract.AppointmentNotAvailable, text: textUnavailable, rule: rule}
}

// book takes the slot's place in the calendar, unless another appointment has it.
func (s *Store) book(ctx context.Context, tx pgx.Tx, a *standing, slot Slot) (taken bool, err error) {
	want := *a
	want.calendarID, want.typeID, want.slotID = slot.CalendarID, slot.TypeID, slot.ID
	want.startsAt, want.endsAt, want.place = slot.StartsAt, slot.EndsAt, slot.Place
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return s.enter(ctx, tx, &want) })
	if overlaps23P01(err) {
		return true, nil
	}
	*a = want
	return false, err
}

// overlaps23P01 tells whether the calendar's exclusion constraint refused it.
func overlaps23P01(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == "23P01"
}

// offer is a slot that a citizen wants, and why he cannot have it.
type offer struct {
	slot   Slot
	rule   string // "" when he can, as far as rules go
	inputs any
}

// offered judges a slot by the rules of online booking, all but whether it is taken.
// toHerID is the party that a message was sent to; 0 is the clinic's own portal, to
// which Helsenorge's switch and registration do not apply.
func (s *Store) offered(ctx context.Context, tx pgx.Tx, a standing, slotID string, toHerID int) (offer, error) {
	settings, err := s.settings(ctx, tx, a.clinicID)
	if err != nil {
		return offer{}, err
	}
	var own, party *string
	var blocked bool
	if err := tx.QueryRow(ctx, `SELECT p.practitioner_id, own.id, p.blocked FROM patient p
		LEFT JOIN party ON party.her_id = $2 LEFT JOIN staff own ON own.id = party.staff_id WHERE p.id = $1`, a.patientID, toHerID).
		Scan(&own, &party, &blocked); err != nil {
		return offer{}, err
	}
	slot, owner, known, err := s.onlineSlot(ctx, tx, a.clinicID, slotID)
	if err != nil {
		return offer{}, err
	}
	if owner == "" {
		owner = deref(party)
	}
	var g guard
	if owner != "" { // nobody's: the slot is unknown, and so is whom the message was for
		guards, err := s.guards(ctx, tx, a.clinicID, []string{owner})
		if err != nil {
			return offer{}, err
		}
		g = guards[owner]
	}
	if toHerID == 0 {
		g = g.onPortal()
	}
	future, err := s.futureOnline(ctx, tx, a.patientID)
	if err != nil {
		return offer{}, err
	}
	// A patient whom the clinic has not registered is the practitioner's whose HER-id
	// Helsenorge chose, as for routing.
	gp := deref(own)
	if gp == "" {
		gp = deref(party)
	}
	o := offer{slot: slot}
	open, why := g.open()
	allowed, limit := settings.BookingLimits().Allows(s.now(), slot.StartsAt, future)
	switch {
	case blocked:
		o.rule = OfferBlocked
	case !known && owner == "":
		o.rule = ruleUnknownSlot
	case gp != owner || gp == "":
		o.rule = ruleOtherGP
	case !open:
		o.rule = why
	case !known:
		o.rule = ruleUnknownSlot
	case !slot.Online:
		o.rule = ruleNotOnline
	case slot.MustCall:
		o.rule = ruleMustCall
	case !allowed:
		o.rule = limit
	case slot.AvailableAt.After(s.now()):
		o.rule = ruleNotYet
	}
	o.inputs = map[string]any{
		"slot": slot.ID, "known": known, "online": slot.Online, "startsAt": slot.StartsAt, "practitioner": gp, "owner": owner,
		"switchedOn": g.online, "offered": g.offered, "calendarsOwned": g.owned, "futureBookings": future, "limits": settings.BookingLimits(),
	}
	return o, nil
}

// onlineSlot reads a slot that a citizen names, with whose calendar it is in. A slot
// of a calendar or type that is not in use, or of a hidden type, is not known.
func (s *Store) onlineSlot(ctx context.Context, tx pgx.Tx, clinicID, id string) (slot Slot, owner string, known bool, err error) {
	if len(id) != len(uuid.Nil.String()) || uuid.Validate(id) != nil { // other spellings of a UUID are no id of ours
		return Slot{}, "", false, nil
	}
	var available *time.Time
	err = tx.QueryRow(ctx, `SELECT s.id, s.calendar_id, s.type_id, s.starts_at, s.ends_at, s.online, s.must_call, s.available_at, s.place, c.owner_id
		FROM slot s JOIN calendar c ON c.id = s.calendar_id JOIN appointment_type t ON t.id = s.type_id
		WHERE s.id = $1 AND s.clinic_id = $2 AND c.active AND t.active AND NOT t.hidden`, id, clinicID).
		Scan(&slot.ID, &slot.CalendarID, &slot.TypeID, &slot.StartsAt, &slot.EndsAt, &slot.Online, &slot.MustCall, &available, &slot.Place, &owner)
	if errors.Is(err, pgx.ErrNoRows) {
		return Slot{}, "", false, nil
	}
	slot.StartsAt, slot.EndsAt, slot.AvailableAt = slot.StartsAt.UTC(), slot.EndsAt.UTC(), derefTime(available)
	return slot, owner, err == nil, err
}

// futureOnline counts the patient's future appointments that were booked online.
func (s *Store) futureOnline(ctx context.Context, tx pgx.Tx, patientID string) (n int, err error) {
	err = tx.QueryRow(ctx, "SELECT count(*) FROM appointment WHERE patient_id = $1 AND starts_at > $2 AND status = 'booked' AND origin <> $3",
		patientID, s.now(), originClinic).Scan(&n)
	return n, err
}

// cancelForCitizen cancels what is booked and has not begun. A hidden appointment is
// cancelled by people: the answer alone would tell that there is one (S82).
func (s *Store) cancelForCitizen(ctx context.Context, tx pgx.Tx, a *standing) (ruling, error) {
	no := func(rule string) ruling {
		return ruling{code: contract.AppointmentNotCancelled, text: textNotCancel, rule: rule}
	}
	switch {
	case a.status == contract.StatusReceived && a.revision == 0:
		var awaited bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM inbound_message WHERE dialogue_id = $1 AND function = ANY ($2))",
			a.id, []string{contract.FunctionReserve, contract.FunctionWish}).Scan(&awaited); err != nil {
			return ruling{}, err
		}
		if awaited {
			return no(ruleNotBooked), nil
		}
		r := no(ruleUnknown)
		r.problem = contract.CaseUnknownAppointment
		return r, s.setStatus(ctx, tx, a, contract.StatusRefused)
	case a.hidden:
		r := no(ruleHidden)
		r.problem = contract.CaseHiddenAfterPublication
		return r, nil
	case a.status == contract.StatusCancelled:
		return ruling{code: contract.AppointmentCancelled, rule: ruleAlready, tells: true}, s.supersedeUnsent(ctx, tx, a.id)
	case a.status != contract.StatusBooked:
		return no(ruleNotBooked), nil
	case !a.startsAt.After(s.now()):
		return no(ruleTooLate), nil
	}
	a.status = contract.StatusCancelled
	if err := s.revise(ctx, tx, a, originHelsenorge, 0); err != nil {
		return ruling{}, err
	}
	return ruling{code: contract.AppointmentCancelled, rule: ruleCancelled, tells: true}, nil
}

// answerCitizen stores an answer to a citizen's message with its ledger line; it is
// sent by the lifecycle. author is "" where a rule answers.
func (s *Store) answerCitizen(ctx context.Context, tx pgx.Tx, a standing, id, messageID, code, text, author, rule string) (string, error) {
	key, err := s.key(ctx, tx, a.keyID)
	if err != nil {
		return "", err
	}
	var sealed []byte
	if text != "" {
		if sealed, err = key.seal("outbound_message.content", id, answerContent{Text: text}); err != nil {
			return "", err
		}
	}
	if _, err := tx.Exec(ctx, `INSERT INTO outbound_message (id, clinic_id, kind, dialogue_id, in_reply_to, code, author, key_id, content, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		id, a.clinicID, KindAnswer, a.id, messageID, code, author, key.id, sealed, s.now()); err != nil {
		return "", err
	}
	return id, s.ledgerLine(ctx, tx, EffectAnswer+"/"+id, a.clinicID, EffectAnswer, a.id, id, map[string]string{"code": code, "rule": rule})
}

// seenActive keeps that the patient is active on Helsenorge, himself or through
// another: a message came from there.
func (s *Store) seenActive(ctx context.Context, tx pgx.Tx, patientID string, self bool) error {
	column := "active_other"
	if self {
		column = "active_self"
	}
	_, err := tx.Exec(ctx, "UPDATE patient SET "+column+" = true, active_at = $2, active_by = $3 WHERE id = $1 AND erased_at IS NULL", patientID, s.now(), ActivityMessage)
	return err
}

// bookingFunctions ask something of the calendar; any other message is read by people.
var bookingFunctions = []string{contract.FunctionReserve, contract.FunctionCancel, contract.FunctionWish, contract.FunctionWishCancel}

// untaken lists stored messages that no run has taken, oldest first.
func (s *Store) untaken(ctx context.Context, tx pgx.Tx, id string) ([]contract.MessageReceived, error) {
	rows, err := tx.Query(ctx, `SELECT m.id, m.msg_id, m.function, m.received_at FROM inbound_message m
		WHERE m.dialogue_id = $1 AND m.verdict = 'taken' AND NOT EXISTS (SELECT FROM operator_case c WHERE c.message_id = m.id AND c.kind = 'not-in-inbox')
			AND (m.function = ANY ($2) AND NOT EXISTS (SELECT FROM decision d WHERE d.key = 'message/' || m.id)
				OR EXISTS (SELECT FROM ledger l WHERE l.key = 'inbox/' || m.id AND l.outcome IS NULL))
		ORDER BY m.received_at, m.id LIMIT $3`, id, bookingFunctions, contract.MaxSeenIDs)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (contract.MessageReceived, error) {
		var m contract.MessageReceived
		err := row.Scan(&m.MessageID, &m.MsgID, &m.Function, &m.ReceivedAt)
		m.ReceivedAt = m.ReceivedAt.UTC()
		return m, err
	})
}

// LoadAppointment reads what a new run of the appointment's lifecycle must know.
func (s *Store) LoadAppointment(ctx context.Context, in contract.LoadAppointmentInput) (contract.LoadAppointmentOutput, error) {
	var out contract.LoadAppointmentOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		a, err := s.appointment(ctx, tx, in.ClinicID, in.AppointmentID)
		if err != nil {
			return err
		}
		out = contract.LoadAppointmentOutput{Facts: a.facts(), Told: a.told, Planned: a.planned}
		if out.Untaken, err = s.untaken(ctx, tx, a.id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT m.msg_id FROM inbound_message m WHERE m.dialogue_id = $1 AND m.verdict = 'taken'
			ORDER BY m.received_at DESC, m.id DESC LIMIT $2`, a.id, contract.MaxSeenIDs)
		if err != nil {
			return err
		}
		seen, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		slices.Reverse(seen)
		out.Seen = slices.DeleteFunc(seen, func(id string) bool {
			return slices.ContainsFunc(out.Untaken, func(m contract.MessageReceived) bool { return m.MsgID == id })
		})
		rows, err = tx.Query(ctx, `SELECT id FROM (SELECT id, applied_at FROM appointment_command WHERE appointment_id = $1 AND applied_at IS NOT NULL
			ORDER BY applied_at DESC LIMIT $2) newest ORDER BY applied_at`, a.id, contract.MaxSeenIDs)
		if err != nil {
			return err
		}
		if out.Accepted, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		if out.Open, err = s.openDeliveries(ctx, tx, a); err != nil {
			return err
		}
		out.Notices, err = s.pendingNotices(ctx, tx, a, out.Open)
		return err
	})
	return out, err
}
