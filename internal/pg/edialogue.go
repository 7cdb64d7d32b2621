package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
)

// maxParticipants bounds whom a dialogue between colleagues is started with, and any is
// forwarded to.
const maxParticipants = 50

// reachesColleagues refuses an e-dialogue that is with nobody, with a patient and
// colleagues at once, or with a participant behind whom no active colleague of its author
// is.
func (s *Store) reachesColleagues(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID string, n NewDialogue) error {
	var f fields
	colleagues := n.Process == contract.ProcessEDialogue && n.PatientID == ""
	f.refuse(colleagues && len(n.Participants) == 0, "participants", "required where no patient is named")
	f.refuse(!colleagues && len(n.Participants) > 0, "participants", "for an e-dialogue without a patient: colleagues read every other in their inboxes")
	f.refuse(len(n.Participants) > maxParticipants, "participants", fmt.Sprintf("at most %d", maxParticipants))
	if err := f.err("the dialogue has invalid fields"); err != nil || !colleagues {
		return err
	}
	others, err := s.colleagues(ctx, tx, clinicID, by.Subject)
	if err != nil {
		return err
	}
	for i, r := range n.Participants {
		path := fmt.Sprintf("participants[%d]", i)
		f.refuse(slices.Contains(n.Participants[:i], r), path, "named once")
		f.refuse(!others.Staffed(r), path, "a position, group, role, unit or practitioner behind whom a colleague is who works here")
	}
	return f.err("a participant reaches nobody")
}

// colleagues are all who work at the clinic, or have, but for the one with that subject.
func (s *Store) colleagues(ctx context.Context, tx pgx.Tx, clinicID, subject string) (routing.Roster, error) {
	var id string
	err := tx.QueryRow(ctx, "SELECT id FROM staff WHERE clinic_id = $1 AND subject = $2", clinicID, subject).Scan(&id)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, err
	}
	roster, err := s.roster(ctx, tx, clinicID)
	return slices.DeleteFunc(roster, func(m routing.Member) bool { return m.ID == id }), err
}

// takePart writes who takes part in a dialogue between colleagues, its author with them:
// he is answered in his own inbox.
func (s *Store) takePart(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID, dialogueID string, all []routing.Recipient) error {
	for _, r := range all {
		if _, err := tx.Exec(ctx, "INSERT INTO dialogue_participant (dialogue_id, recipient_kind, recipient_id) VALUES ($1, $2, $3)",
			dialogueID, r.Kind, r.ID); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO dialogue_participant (dialogue_id, recipient_kind, recipient_id)
		SELECT $1, $2, id::text FROM staff WHERE clinic_id = $3 AND subject = $4 AND active ON CONFLICT DO NOTHING`,
		dialogueID, routing.Personal, clinicID, by.Subject)
	return err
}

// participantsOf lists who takes part in a dialogue between colleagues; nobody does in
// one with a patient.
func (s *Store) participantsOf(ctx context.Context, tx pgx.Tx, dialogueID string) ([]routing.Recipient, error) {
	rows, err := tx.Query(ctx, "SELECT recipient_kind, recipient_id FROM dialogue_participant WHERE dialogue_id = $1 ORDER BY 1, 2", dialogueID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[routing.Recipient])
}

// placesOf are the inboxes of a dialogue between colleagues: of whom it was started with,
// and of whom it was forwarded to.
func (s *Store) placesOf(ctx context.Context, tx pgx.Tx, dialogueID string) ([]routing.Recipient, error) {
	rows, err := tx.Query(ctx, `SELECT recipient_kind, recipient_id FROM dialogue_participant WHERE dialogue_id = $1
		UNION SELECT recipient_kind, recipient_id FROM inbox_item WHERE dialogue_id = $1 AND left_at IS NULL ORDER BY 1, 2`, dialogueID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[routing.Recipient])
}

// amongColleagues is nil for a dialogue with a patient, and for a caller who takes part in
// one between colleagues: who wrote in it, whose own inboxes it lies in, and the clinic's
// record system. Everybody else is apperr.Forbidden (S20).
func (s *Store) amongColleagues(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID, dialogueID, patientID string) error {
	if patientID != "" || by.Role == identity.RoleService {
		return nil
	}
	var wrote bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM outbound_message WHERE dialogue_id = $1 AND author = $2)", dialogueID, by.Subject).
		Scan(&wrote); err != nil || wrote {
		return err
	}
	box, err := s.mailboxOf(ctx, tx, by, clinicID)
	if err != nil {
		return err
	}
	places, err := s.placesOf(ctx, tx, dialogueID)
	if err != nil || slices.ContainsFunc(places, func(r routing.Recipient) bool { return slices.Contains(box.own, r) }) {
		return err
	}
	return apperr.New(apperr.Forbidden, "the dialogue is between colleagues, and the caller does not take part in it")
}

// readIn marks a dialogue read where the caller has opened it: in all inboxes, since it is
// one dialogue (A3), but one between colleagues in his own ones only, and not what he wrote
// himself: another has not read what is written to him.
func (s *Store) readIn(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID, dialogueID, patientID string) error {
	if patientID != "" {
		_, err := tx.Exec(ctx, "UPDATE inbox_item SET read_at = $2 WHERE dialogue_id = $1 AND read_at IS NULL", dialogueID, s.now())
		return err
	}
	box, err := s.mailboxOf(ctx, tx, by, clinicID)
	if err != nil {
		return err
	}
	kinds, ids := columns(box.own)
	_, err = tx.Exec(ctx, `UPDATE inbox_item SET read_at = $2 WHERE dialogue_id = $1 AND read_at IS NULL
		AND (recipient_kind, recipient_id) IN (SELECT * FROM unnest($3::text[], $4::text[]))
		AND message_id NOT IN (SELECT id FROM outbound_message WHERE dialogue_id = $1 AND author = $5)`, dialogueID, s.now(), kinds, ids, by.Subject)
	return err
}

// PublishMessage shows an e-dialogue's message to whom it is for, and closes it as done
// with its line on the ledger, in one transaction. The patient finds it in portal and
// app, and its notice in the feed there; no text message, push message or e-mail tells of
// it. Colleagues find it in the inboxes of the participants; the author's own is left
// out. Nothing of it leaves the clinic (S19, S20).
//
// Idempotent by message: a repetition is told the first instant. It is apperr.Conflict
// when nobody active is left to read it, or the message was given up; apperr.Erased when
// the patient is.
func (s *Store) PublishMessage(ctx context.Context, in contract.PublishMessageInput) (contract.PublishMessageOutput, error) {
	s = s.notBefore(in.Now)
	var out contract.PublishMessageOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.PublishMessageOutput{}
		if err := s.lockRouting(ctx, tx, in.ClinicID); err != nil {
			return err
		}
		d, err := s.lockDialogue(ctx, tx, in.ClinicID, in.DialogueID)
		if err != nil {
			return err
		}
		if d.process != contract.ProcessEDialogue {
			return apperr.New(apperr.Invalid, "a message of this %s is Helsenorge's to show", d.process)
		}
		var sentAt *time.Time
		var outcome contract.Outcome
		var author, code, answered string
		err = tx.QueryRow(ctx, `SELECT sent_at, coalesce(outcome, ''), author, code, coalesce(in_reply_to::text, '') FROM outbound_message
			WHERE id = $1 AND dialogue_id = $2 AND kind = 'answer' FOR UPDATE`, in.OutboundID, d.id).Scan(&sentAt, &outcome, &author, &code, &answered)
		if err != nil {
			return notFound(err, "the dialogue has no such message: it was withdrawn")
		}
		if out.At = derefTime(sentAt); !out.At.IsZero() {
			return nil
		}
		if outcome != "" {
			return apperr.New(apperr.Conflict, "the message was given up before it was shown: write it anew")
		}
		if _, err := s.key(ctx, tx, d.keyID); err != nil {
			return err
		}
		why := shownTo{Code: code, To: []string{originPortal, originApp}}
		if d.patientID == "" {
			if why.To, err = s.placeAmongColleagues(ctx, tx, d, in.OutboundID, author); err != nil {
				return err
			}
		}
		out.At = s.now()
		if _, err := tx.Exec(ctx, "UPDATE outbound_message SET prepared_at = coalesce(prepared_at, $2), sent_at = $2 WHERE id = $1", in.OutboundID, out.At); err != nil {
			return err
		}
		if err := s.ledgerLine(ctx, tx, EffectAnswer+"/"+in.OutboundID, in.ClinicID, EffectAnswer, d.id, in.OutboundID, why); err != nil {
			return err
		}
		// What the clinic had ended without a word goes on with it.
		if _, err := tx.Exec(ctx, "UPDATE dialogue SET closed_at = NULL, closed_by = '' WHERE id = $1", d.id); err != nil {
			return err
		}
		if answered == d.latestMessageID {
			if err := s.answerGiven(ctx, tx, d.id); err != nil {
				return err
			}
		}
		return s.closeOutbound(ctx, tx, in.OutboundID, contract.OutcomeDone, nil)
	})
	return out, err
}

// shownTo is the ledger's reason of an e-dialogue's message: where it is shown.
type shownTo struct {
	Code string   `json:"code"`
	To   []string `json:"to"`
}

// placeAmongColleagues puts a colleague's message in the inbox of every participant
// behind whom somebody else is, and returns those inboxes.
func (s *Store) placeAmongColleagues(ctx context.Context, tx pgx.Tx, d dialogueRow, messageID, author string) ([]string, error) {
	others, err := s.colleagues(ctx, tx, d.clinicID, author)
	if err != nil {
		return nil, err
	}
	all, err := s.placesOf(ctx, tx, d.id)
	if err != nil {
		return nil, err
	}
	var inboxes []string
	var places []routing.Place
	for _, r := range all {
		if others.Staffed(r) {
			inboxes, places = append(inboxes, r.String()), append(places, routing.Place{Recipient: r, Via: routing.ViaParticipant})
		}
	}
	if len(places) == 0 {
		return nil, apperr.New(apperr.Conflict, "no colleague who takes part works here any more: start a dialogue with somebody who does")
	}
	if err := s.putInInboxes(ctx, tx, d.clinicID, d.id, messageID, places); err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, "UPDATE dialogue SET latest_at = greatest(latest_at, $2) WHERE id = $1", d.id, s.now())
	return inboxes, err
}
