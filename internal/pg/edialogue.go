package pg

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
)

// maxParticipants bounds whom a dialogue between colleagues is started with.
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
	for i, r := range n.Participants {
		path := fmt.Sprintf("participants[%d]", i)
		f.refuse(slices.Contains(n.Participants[:i], r), path, "named once")
		var reached bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM staff s, (SELECT $1::text AS kind, $2::text AS id) r
			WHERE s.clinic_id = $3 AND s.active AND s.subject <> $4 AND `+behind+")", string(r.Kind), r.ID, clinicID, by.Subject).Scan(&reached); err != nil {
			return err
		}
		f.refuse(!reached, path, "a position, group, role, unit or practitioner behind whom an active colleague is")
	}
	return f.err("a participant reaches nobody")
}

// behind is the condition that staff member s is behind the recipient r.
const behind = `CASE r.kind
	WHEN 'position' THEN s.position = r.id
	WHEN 'role' THEN s.role = r.id
	WHEN 'unit' THEN r.id = 'clinic' OR s.unit = r.id
	WHEN 'group' THEN EXISTS (SELECT FROM staff_group_member g WHERE g.clinic_id = s.clinic_id AND g.group_id = r.id AND g.staff_id = s.id)
	WHEN 'practitioner' THEN s.id::text = r.id
	ELSE false END`

// participants are those of the dialogue $1: whom it was started with, and whom it was
// forwarded to.
const participants = `(SELECT recipient_kind AS kind, recipient_id AS id FROM dialogue_participant WHERE dialogue_id = $1
	UNION SELECT recipient_kind, recipient_id FROM inbox_item WHERE dialogue_id = $1 AND left_at IS NULL)`

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

// amongColleagues is nil for a dialogue with a patient, and for a caller who takes part in
// one between colleagues: who wrote in it, who is behind a participant, and the clinic's
// record system. Everybody else is apperr.Forbidden (S20).
func (s *Store) amongColleagues(ctx context.Context, tx pgx.Tx, by identity.Principal, dialogueID, patientID string) error {
	if patientID != "" || by.Role == identity.RoleService {
		return nil
	}
	var in bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM outbound_message WHERE dialogue_id = $1 AND author = $2) OR EXISTS (SELECT FROM dialogue d
			JOIN staff s ON s.clinic_id = d.clinic_id AND s.subject = $2 AND s.active, `+participants+" r WHERE d.id = $1 AND "+behind+")",
		dialogueID, by.Subject).Scan(&in); err != nil {
		return err
	}
	if !in {
		return apperr.New(apperr.Forbidden, "the dialogue is between colleagues, and the caller does not take part in it")
	}
	return nil
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
	rows, err := tx.Query(ctx, "SELECT r.kind, r.id FROM "+participants+` r
		WHERE EXISTS (SELECT FROM staff s WHERE s.clinic_id = $2 AND s.active AND s.subject <> $3 AND `+behind+") ORDER BY 1, 2", d.id, d.clinicID, author)
	if err != nil {
		return nil, err
	}
	places, err := pgx.CollectRows(rows, pgx.RowToStructByPos[routing.Recipient])
	if err != nil {
		return nil, err
	}
	if len(places) == 0 {
		return nil, apperr.New(apperr.Conflict, "no colleague who takes part is active any more: start a dialogue with somebody who is")
	}
	inboxes := make([]string, len(places))
	for i, r := range places {
		inboxes[i] = string(r.Kind) + ":" + r.ID
		if _, err := tx.Exec(ctx, `INSERT INTO inbox_item (id, clinic_id, dialogue_id, message_id, recipient_kind, recipient_id, placed_at, via)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 'participant')`, newID(), d.clinicID, d.id, messageID, r.Kind, r.ID, s.now()); err != nil {
			return nil, err
		}
	}
	_, err = tx.Exec(ctx, "UPDATE dialogue SET latest_at = greatest(latest_at, $2) WHERE id = $1", d.id, s.now())
	return inboxes, err
}
