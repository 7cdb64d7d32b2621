package pg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
)

// titleClinic is what staff see of the thread of an appointment that was not made on
// Helsenorge (S94).
const titleClinic = "appointment"

// DraftChange stores a change before the command that applies it; nothing happens by
// it. It is idempotent by the change's id; the same id with other content is a
// duplicate. A change that books makes the appointment, in no calendar yet. The portal
// only books and cancels, for who it is or represents.
func (s *Store) DraftChange(ctx context.Context, by identity.Principal, clinicID string, c Change) (DraftedChange, error) {
	if c.Source == "" {
		c.Source = originClinic
	}
	if c.Kind == ChangeBook && c.AppointmentID == "" {
		// The same change again is the same appointment.
		c.AppointmentID = uuid.NewSHA1(uuid.NameSpaceOID, []byte("appointment/"+c.ID)).String()
	}
	if err := c.check(by); err != nil {
		return DraftedChange{}, err
	}
	var out DraftedChange
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = DraftedChange{AppointmentID: c.AppointmentID, Attempt: 1}
		// Two calls with the same change must meet in one.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('change/' || $1, 0))", c.ID); err != nil {
			return err
		}
		again, err := s.draftedBefore(ctx, tx, by, clinicID, c, &out)
		if err != nil || again {
			return err
		}
		var patientID string
		if c.Kind == ChangeBook {
			patientID, err = c.PatientID, s.draftAppointment(ctx, tx, clinicID, c)
			out.New = true
		} else {
			// The portal says whose appointment it means.
			err = notFound(tx.QueryRow(ctx, "SELECT patient_id FROM appointment WHERE id = $1 AND clinic_id = $2 AND ($3 = '' OR patient_id::text = lower($3))",
				c.AppointmentID, clinicID, c.PatientID).Scan(&patientID), "the clinic has no such appointment")
		}
		if err != nil {
			return err
		}
		if c.ViewerID != "" {
			if err := s.viewer(ctx, tx, clinicID, patientID, c.ViewerID, s.now()); err != nil {
				return err
			}
		}
		key, err := s.cardOf(ctx, tx, clinicID, patientID)
		if err != nil {
			return err
		}
		sealed, err := key.key.seal("appointment_command.content", c.ID, c)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO appointment_command (id, clinic_id, appointment_id, kind, key_id, content, content_hash, author, role, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			c.ID, clinicID, c.AppointmentID, c.Kind, key.key.id, sealed, s.changeHash(clinicID, by, c), by.Subject, string(by.Role), s.now()); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "appointment."+string(c.Kind), "appointment/"+c.AppointmentID, patientID)
	})
	return out, err
}

// changeHash tells whether two changes of one id are the same.
func (s *Store) changeHash(clinicID string, by identity.Principal, c Change) []byte {
	content, _ := json.Marshal(c) // plain data, with instants that check has seen: it cannot fail
	return s.vault.BlindIndex("change", clinicID, strings.Join([]string{c.AppointmentID, string(content), by.Subject}, "\x00"))
}

// draftedBefore finds a change that was stored before.
func (s *Store) draftedBefore(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID string, c Change, out *DraftedChange) (bool, error) {
	var first []byte
	var revision *int
	var status contract.Status
	err := tx.QueryRow(ctx, `UPDATE appointment_command m SET attempt = attempt + 1 FROM appointment a WHERE m.id = $1 AND m.clinic_id = $2 AND a.id = m.appointment_id
		RETURNING m.appointment_id, m.content_hash, m.attempt, m.applied_at IS NOT NULL, m.revision, a.status`, c.ID, clinicID).
		Scan(&out.AppointmentID, &first, &out.Attempt, &out.Applied, &revision, &status)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !bytes.Equal(first, s.changeHash(clinicID, by, c)) {
		return true, apperr.New(apperr.Duplicate, "a change with this id and other content exists: choose a new id")
	}
	if out.Applied {
		out.Accepted = contract.ChangeAccepted{CommandID: c.ID, Revision: *revision, Status: status}
	}
	return true, nil
}

// draftAppointment makes the appointment that a change is to book, with its thread.
func (s *Store) draftAppointment(ctx context.Context, tx pgx.Tx, clinicID string, c Change) error {
	card, err := s.cardOf(ctx, tx, clinicID, c.PatientID)
	if err != nil {
		return err
	}
	sealed, err := card.key.seal("dialogue.title", c.AppointmentID, titleClinic)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO dialogue (id, clinic_id, patient_id, process, title, key_id, created_at, latest_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`, c.AppointmentID, clinicID, c.PatientID, contract.ProcessAppointment, sealed, card.key.id, s.now()); err != nil {
		return err
	}
	return s.openAppointment(ctx, tx, card.key, opening{id: c.AppointmentID, clinicID: clinicID, patientID: c.PatientID, origin: c.Source, comment: c.Comment})
}

// answersTo lists the codes that answer each wish (HITS 1217 §3.5).
var answersTo = map[string][]string{
	contract.FunctionWish:       {contract.AppointmentConfirmed, contract.AppointmentWithOther, contract.AppointmentNotAvailable, contract.AnswerRefused},
	contract.FunctionWishCancel: {contract.AppointmentCancelled, contract.AppointmentNotCancelled, contract.AnswerRefused},
}

// check refuses a change that says too little, or that its author may not make.
func (c Change) check(by identity.Principal) error {
	var f fields
	f.refuse(uuid.Validate(c.ID) != nil, "id", "a UUID, the caller's own")
	f.refuse(uuid.Validate(c.AppointmentID) != nil, "appointmentId", "the appointment's id")
	f.refuse(!slices.Contains([]string{originClinic, originPortal, originApp}, c.Source), "source", "clinic, portal or app")
	f.refuse(!c.StartsAt.IsZero() && !c.EndsAt.IsZero() && !c.EndsAt.After(c.StartsAt), "endsAt", "after startsAt")
	f.instant("startsAt", c.StartsAt)
	f.instant("endsAt", c.EndsAt)
	placed := c.SlotID != "" || c.CalendarID != "" && c.TypeID != "" && !c.StartsAt.IsZero() && !c.EndsAt.IsZero()
	switch c.Kind {
	case ChangeBook:
		f.refuse(uuid.Validate(c.PatientID) != nil, "patientId", "the patient's id")
		f.refuse(!placed, "slotId", "a slot, or calendarId, typeId, startsAt and endsAt")
	case ChangeAnswer:
		all := slices.Concat(answersTo[contract.FunctionWish], answersTo[contract.FunctionWishCancel])
		f.refuse(!slices.Contains(all, c.Code), "code", "05, 06, 10, 08, 09 or 26")
		books := c.Code == contract.AppointmentConfirmed || c.Code == contract.AppointmentWithOther
		f.refuse(books && !placed, "slotId", "a slot, or calendarId, typeId, startsAt and endsAt")
	case ChangeAmend, ChangeCancel, ChangeRestore, ChangeMissed:
	default:
		f.refuse(true, "kind", "book, amend, cancel, restore, missed or answer")
	}
	if by.Role == identity.RolePortal {
		f.refuse(c.Source == originClinic, "source", "portal or app")
		f.refuse(uuid.Validate(c.ViewerID) != nil, "viewerId", "who acts: the patient or a representative")
		f.refuse(c.Kind == ChangeBook && c.SlotID == "", "slotId", "a free slot")
	} else {
		f.refuse(c.Source != originClinic, "source", "clinic")
	}
	if err := f.err("the change has invalid fields"); err != nil {
		return err
	}
	if by.Role == identity.RolePortal && c.Kind != ChangeBook && c.Kind != ChangeCancel {
		return apperr.New(apperr.Forbidden, "the portal books and cancels, and changes nothing else: ask the clinic")
	}
	return nil
}

// DropChange removes a change that was not applied, unless it was stored again since,
// and with it an appointment that nothing else is about. Idempotent.
func (s *Store) DropChange(ctx context.Context, clinicID, id string, attempt int) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var appointmentID string
		var kind ChangeKind
		err := tx.QueryRow(ctx, `DELETE FROM appointment_command WHERE id = $1 AND clinic_id = $2 AND applied_at IS NULL AND attempt = $3
			RETURNING appointment_id, kind`, id, clinicID, attempt).Scan(&appointmentID, &kind)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil || kind != ChangeBook {
			return err
		}
		tag, err := tx.Exec(ctx, `DELETE FROM appointment a WHERE a.id = $1 AND a.status = 'received' AND a.revision = 0
			AND NOT EXISTS (SELECT FROM appointment_command WHERE appointment_id = a.id) AND NOT EXISTS (SELECT FROM inbound_message WHERE dialogue_id = a.id)`, appointmentID)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		_, err = tx.Exec(ctx, "DELETE FROM dialogue WHERE id = $1", appointmentID)
		return err
	})
}

// command is a stored change with who asked for it.
type command struct {
	Change
	author, role string
}

func (s *Store) command(ctx context.Context, tx pgx.Tx, appointmentID, id string) (command, error) {
	var c command
	var keyID string
	var sealed []byte
	err := tx.QueryRow(ctx, "SELECT key_id, content, author, role FROM appointment_command WHERE id = $1 AND appointment_id = $2 FOR UPDATE", id, appointmentID).
		Scan(&keyID, &sealed, &c.author, &c.role)
	if err != nil {
		return c, notFound(err, "the appointment has no such change: it was withdrawn")
	}
	key, err := s.key(ctx, tx, keyID)
	if err != nil {
		return c, err
	}
	err = key.open("appointment_command.content", id, sealed, &c.Change)
	c.ID, c.AppointmentID = id, appointmentID
	return c, err
}

// ApplyChange applies a stored change to the calendar, in one transaction with the
// revision that it makes. It is idempotent by command: a repetition returns what came
// of the first, with how the appointment stands now. What the calendar or the
// appointment's state refuses is apperr.Conflict, and leaves nothing behind.
func (s *Store) ApplyChange(ctx context.Context, in contract.ApplyChangeInput) (contract.ApplyChangeOutput, error) {
	s = s.notBefore(in.Now)
	var out contract.ApplyChangeOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.ApplyChangeOutput{}
		a, err := s.lockAppointment(ctx, tx, in.ClinicID, in.AppointmentID)
		if err != nil {
			return err
		}
		key := "change/" + in.CommandID
		again, err := s.decidedBefore(ctx, tx, key, &out)
		if err != nil || again {
			out.Facts = a.facts()
			return err
		}
		c, err := s.command(ctx, tx, a.id, in.CommandID)
		if err != nil {
			return err
		}
		if c.Revision != 0 && c.Revision != a.revision {
			return apperr.InState(string(a.status), "somebody has changed the appointment: its revision is %d; read it again", a.revision)
		}
		before := a.revision
		rule, err := s.apply(ctx, tx, &a, c, &out)
		if err != nil {
			return err
		}
		out.Facts = a.facts()
		if _, err := tx.Exec(ctx, "UPDATE appointment_command SET applied_at = $2, revision = $3, outbound_id = $4 WHERE id = $1",
			c.ID, s.now(), a.revision, nullable(out.OutboundID)); err != nil {
			return err
		}
		inputs := map[string]any{"kind": c.Kind, "role": c.role, "source": c.Source, "before": before, "acknowledged": c.Acknowledged}
		return s.decide(ctx, tx, key, decision{a.id, a.revision, aboutChange, string(a.status), rule, inputs}, out)
	})
	return out, err
}

// apply does what the change asks, and says by which rule.
func (s *Store) apply(ctx context.Context, tx pgx.Tx, a *standing, c command, out *contract.ApplyChangeOutput) (rule string, err error) {
	if c.ViewerID != "" {
		// Who represents is judged at the instant of the act (S81).
		if err := s.viewer(ctx, tx, a.clinicID, a.patientID, c.ViewerID, s.now()); err != nil {
			return "", err
		}
	}
	if c.Kind == ChangeAnswer {
		return s.answerWish(ctx, tx, a, c, out)
	}
	settings, err := s.settings(ctx, tx, a.clinicID)
	if err != nil {
		return "", err
	}
	grace := time.Duration(settings.GraceMinutes) * time.Minute
	switch c.Kind {
	case ChangeBook:
		err = s.applyBook(ctx, tx, a, c)
	case ChangeAmend:
		changed, caseOpened, err := s.applyAmend(ctx, tx, a, c)
		out.CaseOpened = caseOpened
		if err != nil {
			return "", err
		}
		if !changed {
			return "nothing-to-change", nil
		}
	case ChangeCancel:
		err = s.applyCancel(a, c)
	case ChangeRestore:
		err = s.applyRestore(ctx, tx, a)
	case ChangeMissed:
		switch {
		case a.status != contract.StatusBooked:
			err = apperr.InState(string(a.status), "only who had an appointment can miss it")
		case a.startsAt.After(s.now()):
			err = apperr.InState(string(a.status), "the appointment has not begun: nobody has missed it yet")
		}
		a.status = contract.StatusMissed
	default:
		err = apperr.New(apperr.Unsupported, "no such kind of change")
	}
	if err != nil {
		return "", err
	}
	return string(c.Kind), s.revise(ctx, tx, a, c.author, grace)
}

// applyBook puts a new appointment in the calendar. The clinic books any time in any of
// its calendars; the portal and the app a free online slot, by the rules of online
// booking (S76, S93).
func (s *Store) applyBook(ctx context.Context, tx pgx.Tx, a *standing, c command) error {
	if a.status != contract.StatusReceived || a.revision > 0 {
		return apperr.InState(string(a.status), "the appointment was booked before")
	}
	if c.Source != originClinic {
		o, err := s.offered(ctx, tx, *a, c.SlotID, 0)
		if err != nil {
			return err
		}
		if o.rule != "" {
			return apperr.InState(o.rule, "the slot cannot be booked: %s", o.rule)
		}
		taken, err := s.book(ctx, tx, a, o.slot)
		if err == nil && taken {
			err = apperr.InState(ruleTaken, "the slot is taken: choose another")
		}
		return err
	}
	if err := s.place(ctx, tx, a, c); err != nil {
		return err
	}
	if err := s.enter(ctx, tx, a); err != nil {
		return err
	}
	if c.Replaces == "" {
		return nil
	}
	// The patient is locked: the other appointment cannot be replaced twice.
	var movedTo *string
	if err := tx.QueryRow(ctx, "SELECT moved_to FROM appointment WHERE id = $1 AND clinic_id = $2 AND patient_id = $3 AND revision > 0 AND id <> $4",
		c.Replaces, a.clinicID, a.patientID, a.id).Scan(&movedTo); err != nil {
		return notFound(err, "the patient has no such appointment to replace")
	}
	if movedTo != nil {
		return apperr.New(apperr.Conflict, "the appointment to replace was replaced before")
	}
	a.movedFrom = c.Replaces
	return s.link(ctx, tx, a.clinicID, c.Replaces, a.id)
}

// place sets where and when the change wants the appointment; what it leaves open comes
// from the slot, if it names one, and else stays.
func (s *Store) place(ctx context.Context, tx pgx.Tx, a *standing, c command) error {
	if c.SlotID != "" {
		err := tx.QueryRow(ctx, "SELECT id, calendar_id, type_id, starts_at, ends_at, place FROM slot WHERE id = $1 AND clinic_id = $2", c.SlotID, a.clinicID).
			Scan(&a.slotID, &a.calendarID, &a.typeID, &a.startsAt, &a.endsAt, &a.place)
		if err != nil {
			return notFound(err, "the clinic has no such slot")
		}
	} else if c.CalendarID != "" || !c.StartsAt.IsZero() {
		a.slotID = "" // it leaves its slot
	}
	length := a.endsAt.Sub(a.startsAt)
	if c.CalendarID != "" {
		a.calendarID = c.CalendarID
	}
	if c.TypeID != "" {
		a.typeID = c.TypeID
	}
	if !c.StartsAt.IsZero() {
		a.startsAt = c.StartsAt.UTC()
		a.endsAt = a.startsAt.Add(length) // unless it says
	}
	if !c.EndsAt.IsZero() {
		a.endsAt = c.EndsAt.UTC()
	}
	if c.Place != nil {
		a.place = *c.Place
	}
	a.startsAt, a.endsAt = a.startsAt.UTC(), a.endsAt.UTC()
	var f fields
	f.stay("", a.startsAt, a.endsAt, s.now())
	if err := f.err("the appointment cannot be then"); err != nil {
		return err
	}
	var found string
	if err := tx.QueryRow(ctx, "SELECT id FROM calendar WHERE id = $1 AND clinic_id = $2 AND active", a.calendarID, a.clinicID).Scan(&found); err != nil {
		return notFound(err, "the clinic has no such calendar in use")
	}
	err := tx.QueryRow(ctx, "SELECT id FROM appointment_type WHERE id = $1 AND clinic_id = $2 AND active", a.typeID, a.clinicID).Scan(&found)
	return notFound(err, "the clinic has no such appointment type in use")
}

// applyAmend moves an appointment, or gives it another place or type. A type that is
// hidden hides it: when it was seen before, staff must say that they know (D10). Then
// nothing more is told of it, and no cancellation either, which would itself tell.
func (s *Store) applyAmend(ctx context.Context, tx pgx.Tx, a *standing, c command) (changed, caseOpened bool, err error) {
	if a.status != contract.StatusBooked {
		return false, false, apperr.InState(string(a.status), "only what is booked can be changed")
	}
	before := *a
	if err := s.place(ctx, tx, a, c); err != nil {
		return false, false, err
	}
	if before == *a {
		return false, false, nil
	}
	if err := s.enter(ctx, tx, a); err != nil {
		return false, false, err
	}
	if !a.hidden || before.hidden {
		return true, false, nil
	}
	seen, err := s.seen(ctx, tx, *a)
	if err != nil {
		return false, false, err
	}
	if len(seen) > 0 && !c.Acknowledged {
		return false, false, apperr.InState(string(before.status), "the appointment was seen before: %s. It can be hidden from now on, and cannot be made unseen: "+
			"repeat with acknowledged", strings.Join(seen, ", "))
	}
	if len(seen) == 0 {
		return true, false, nil
	}
	return true, true, s.openCase(ctx, tx, a.clinicID, a.id, c.ID, contract.CaseHiddenAfterPublication, "seen-before")
}

// seen lists what of an appointment has left, in codes and instants.
func (s *Store) seen(ctx context.Context, tx pgx.Tx, a standing) ([]string, error) {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for id := a.id; id != ""; {
		messages, err := s.messages(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		for _, m := range slices.Backward(messages) {
			switch {
			case m.outcome == contract.OutcomeAcknowledged:
				add("%s shown on Helsenorge since %s", m.code, m.outcomeAt.Format(time.RFC3339))
			case m.counts() && !m.sentAt.IsZero():
				add("%s sent to Helsenorge at %s", m.code, m.sentAt.Format(time.RFC3339))
			case m.counts():
				add("%s on its way to Helsenorge since %s", m.code, m.at.Format(time.RFC3339))
			}
		}
		rows, err := tx.Query(ctx, `SELECT n.purpose, x.channel, x.state, x.state_at FROM notice_attempt x JOIN notice n ON n.id = x.notice_id
			WHERE n.appointment_id = $1 AND x.state = ANY ($2) ORDER BY x.state_at`, id,
			mayHave)
		if err != nil {
			return nil, err
		}
		var purpose contract.Purpose
		var channel contract.Channel
		var state contract.AttemptState
		var at time.Time
		if _, err := pgx.ForEachRow(rows, []any{&purpose, &channel, &state, &at}, func() error {
			add("%s by %s %s at %s", purpose, channel, state, at.UTC().Format(time.RFC3339))
			return nil
		}); err != nil {
			return nil, err
		}
		var from *string
		if err := tx.QueryRow(ctx, "SELECT moved_from FROM appointment WHERE id = $1", id).Scan(&from); err != nil {
			return nil, err
		}
		id = deref(from)
	}
	return list, nil
}

// applyCancel takes an appointment out of the calendar. Who acts in the portal cancels
// what has not begun.
func (s *Store) applyCancel(a *standing, c command) error {
	switch {
	case a.status != contract.StatusBooked:
		return apperr.InState(string(a.status), "only what is booked can be cancelled")
	case c.Source != originClinic && a.hidden:
		return apperr.New(apperr.NotFound, "the clinic has no such appointment")
	case c.Source != originClinic && !a.startsAt.After(s.now()):
		return apperr.InState(string(a.status), "the appointment has begun: call the clinic")
	}
	a.status = contract.StatusCancelled
	return nil
}

// applyRestore puts back what was cancelled or missed, if its time is still free. What
// another appointment has taken the place of is booked anew instead: Helsenorge knows
// it as the other.
func (s *Store) applyRestore(ctx context.Context, tx pgx.Tx, a *standing) error {
	switch {
	case a.status != contract.StatusCancelled && a.status != contract.StatusMissed:
		return apperr.InState(string(a.status), "only what was cancelled or missed can be put back")
	case a.movedTo != "":
		return apperr.InState(string(a.status), "it was moved: another appointment has its place; book a new one")
	}
	return s.enter(ctx, tx, a)
}

// answerWish answers a citizen's wish as staff decided: a time that is booked by it
// (05, 10), a cancellation (08), or neither (06, 09, 26) (HITS 1217 §3.5).
func (s *Store) answerWish(ctx context.Context, tx pgx.Tx, a *standing, c command, out *contract.ApplyChangeOutput) (rule string, err error) {
	messageID, function, err := s.openWish(ctx, tx, a.id, c.Code)
	if err != nil {
		return "", err
	}
	if messageID == "" {
		return "", apperr.InState(string(a.status), "no wish of the citizen waits for an answer %s", c.Code)
	}
	if err := s.mayAnswer(ctx, tx, "", messageID); err != nil {
		return "", err
	}
	publishes := false
	switch c.Code {
	case contract.AppointmentConfirmed, contract.AppointmentWithOther:
		if a.status == contract.StatusBooked {
			return "", apperr.InState(string(a.status), "the appointment is booked already")
		}
		if err := s.place(ctx, tx, a, c); err != nil {
			return "", err
		}
		if err := s.enter(ctx, tx, a); err != nil {
			return "", err
		}
		if a.hidden {
			return "", apperr.InvalidFields("a hidden appointment cannot be given in an answer", apperr.Field{Path: "typeId", Rule: "a type that is not hidden"})
		}
		publishes = true
	case contract.AppointmentCancelled:
		if a.status != contract.StatusBooked {
			return "", apperr.InState(string(a.status), "nothing is booked that could be cancelled: answer 09")
		}
		a.status, publishes = contract.StatusCancelled, true
	default:
		if a.status == contract.StatusAwaitingClinic {
			if err := s.setStatus(ctx, tx, a, contract.StatusRefused); err != nil {
				return "", err
			}
		}
	}
	out.Code = c.Code
	if out.OutboundID, err = s.answerCitizen(ctx, tx, *a, newID(), messageID, c.Code, c.Text, c.author, function); err != nil {
		return "", err
	}
	if !publishes {
		return string(c.Kind), nil
	}
	if err := s.revise(ctx, tx, a, c.author, 0); err != nil {
		return "", err
	}
	return string(c.Kind), s.published(ctx, tx, *a, out.OutboundID, c.Code)
}

// openWish finds the oldest wish that the code may answer and nobody has answered; ""
// for none. Any wish for "".
func (s *Store) openWish(ctx context.Context, tx pgx.Tx, appointmentID, code string) (messageID, function string, err error) {
	var functions []string
	for function, codes := range answersTo {
		if code == "" || slices.Contains(codes, code) {
			functions = append(functions, function)
		}
	}
	err = tx.QueryRow(ctx, `SELECT m.id, m.function FROM inbound_message m WHERE m.dialogue_id = $1 AND m.function = ANY ($2) AND m.verdict = 'taken'
			AND NOT EXISTS (SELECT FROM outbound_message o WHERE o.in_reply_to = m.id AND o.kind = 'answer') ORDER BY m.received_at, m.id LIMIT 1`,
		appointmentID, functions).Scan(&messageID, &function)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", "", nil
	}
	return messageID, function, err
}
