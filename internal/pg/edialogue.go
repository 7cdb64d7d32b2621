package pg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/domain/title"
	"github.com/helsebro/helsebro/internal/identity"
)

// EDialogue is the first message of a dialogue that never meets Helsenorge: with a
// patient, in app and portal only (S19), or between colleagues (S20).
type EDialogue struct {
	// ID is the caller's and names the message: the same id again is the same dialogue.
	ID string
	// PatientID is whom it is with; empty for one between colleagues.
	PatientID string
	// Participants are the inboxes in which a dialogue between colleagues lies: those of
	// positions, groups, roles, units or staff members, at most maxParticipants. Its
	// author takes part without being named.
	Participants  []routing.Recipient
	Subject, Text string
	// Attachments are the ids of uploaded files that go with it.
	Attachments []string
}

// maxParticipants bounds whom a dialogue between colleagues is started with.
const maxParticipants = 50

// StartedDialogue is a stored first message with what its command needs.
type StartedDialogue struct {
	DialogueID string
	Drafted
}

func (e EDialogue) check() error {
	var f fields
	f.refuse(uuid.Validate(e.ID) != nil, "id", "a UUID, the caller's own")
	f.refuse(e.PatientID == "" && len(e.Participants) == 0, "participants", "required where no patient is named")
	f.refuse(e.PatientID != "" && len(e.Participants) > 0, "participants", "left out where a patient is named: colleagues read it in their inboxes")
	f.refuse(len(e.Participants) > maxParticipants, "participants", fmt.Sprintf("at most %d", maxParticipants))
	seen := map[routing.Recipient]bool{}
	for i, r := range e.Participants {
		f.refuse(seen[r], fmt.Sprintf("participants[%d]", i), "named once")
		seen[r] = true
	}
	return f.err("the e-dialogue has invalid fields")
}

// StartEDialogue stores an e-dialogue with its first message before the command that
// shows it. Nobody sees anything by it. Its title has no mark of Helsenorge (S94). A
// patient must be known by a full birth number or D number, and nothing else is asked of
// him (A7).
//
// Idempotent by ID; the same id with other content is a duplicate. Invalid names a
// participant behind whom no active colleague of the author is.
func (s *Store) StartEDialogue(ctx context.Context, by identity.Principal, clinicID string, e EDialogue) (StartedDialogue, error) {
	if err := e.check(); err != nil {
		return StartedDialogue{}, err
	}
	var out StartedDialogue
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = StartedDialogue{Drafted: Drafted{Process: contract.ProcessEDialogue, Code: contract.InHouse}}
		// Two calls with the same message must meet in one dialogue.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('start/' || lower($1), 0))", e.ID); err != nil {
			return err
		}
		first := draftRow{id: e.ID, clinicID: clinicID, code: contract.InHouse, author: by.Subject}
		content, err := json.Marshal(e)
		if err != nil {
			return apperr.Wrap(apperr.Internal, err, "a message cannot be encoded")
		}
		first.hash = s.vault.BlindIndex("e-dialogue", clinicID, string(content)+"\x00"+by.Subject)
		err = tx.QueryRow(ctx, "SELECT dialogue_id, key_id FROM outbound_message WHERE id = $1 AND clinic_id = $2 AND kind = 'answer'", e.ID, clinicID).
			Scan(&first.dialogueID, &first.keyID)
		if err == nil {
			out.DialogueID = first.dialogueID
			_, err = s.draft(ctx, tx, first, &out.Drafted)
			return err
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		key, err := s.keyOfEDialogue(ctx, tx, by, clinicID, e)
		if err != nil {
			return err
		}
		out.DialogueID = newID()
		first.dialogueID, first.keyID = out.DialogueID, key.id
		if err := s.insertEDialogue(ctx, tx, key, clinicID, out.DialogueID, e.PatientID, e.Subject, originClinic); err != nil {
			return err
		}
		if e.PatientID == "" {
			if err := s.takePart(ctx, tx, by, clinicID, out.DialogueID, e.Participants); err != nil {
				return err
			}
		}
		if first.content, err = key.seal("outbound_message.content", e.ID, answerContent{Subject: e.Subject, Text: e.Text}); err != nil {
			return err
		}
		if _, err := s.draft(ctx, tx, first, &out.Drafted); err != nil {
			return err
		}
		if err := s.attach(ctx, tx, clinicID, e.PatientID, e.ID, e.Attachments); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "dialogue.start", "dialogue/"+out.DialogueID, e.PatientID)
	})
	return out, err
}

// keyOfEDialogue is the key under which an e-dialogue is sealed: the patient's, or the
// clinic's own where it is about nobody. It refuses whom it may not be with.
func (s *Store) keyOfEDialogue(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID string, e EDialogue) (sealingKey, error) {
	if e.PatientID != "" {
		r, err := s.reachability(ctx, tx, clinicID, e.PatientID, contract.ProcessEDialogue)
		if err != nil {
			return sealingKey{}, err
		}
		if !r.Reachable {
			refusal := apperr.InState(string(r.Reasons[0]), "an e-dialogue needs a patient who is known by a full birth number or D number")
			refusal.Fields = []apperr.Field{{Path: "patientId", Rule: string(r.Reasons[0])}}
			return sealingKey{}, refusal
		}
		c, err := s.cardOf(ctx, tx, clinicID, e.PatientID)
		return c.key, err
	}
	var f fields
	for i, r := range e.Participants {
		var reached bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM staff s, (SELECT $1::text AS kind, $2::text AS id) r
			WHERE s.clinic_id = $3 AND s.active AND s.subject <> $4 AND `+behind+")", string(r.Kind), r.ID, clinicID, by.Subject).Scan(&reached); err != nil {
			return sealingKey{}, err
		}
		f.refuse(!reached, fmt.Sprintf("participants[%d]", i), "a position, group, role, unit or practitioner behind whom an active colleague is")
	}
	if err := f.err("a participant reaches nobody"); err != nil {
		return sealingKey{}, err
	}
	return s.intakeKey(ctx, tx, clinicID)
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

// insertEDialogue opens an e-dialogue. It has no conversation: nothing of it is known on
// the wire.
func (s *Store) insertEDialogue(ctx context.Context, tx pgx.Tx, key sealingKey, clinicID, id, patientID, subject, origin string) error {
	sealed, err := key.seal("dialogue.title", id, title.Own(string(contract.ProcessEDialogue), subject))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO dialogue (id, clinic_id, patient_id, process, title, key_id, origin, created_at, latest_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)`,
		id, clinicID, nullable(patientID), contract.ProcessEDialogue, sealed, key.id, origin, s.now())
	return err
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
		var author, code string
		err = tx.QueryRow(ctx, `SELECT sent_at, coalesce(outcome, ''), author, code FROM outbound_message
			WHERE id = $1 AND dialogue_id = $2 AND kind = 'answer' FOR UPDATE`, in.OutboundID, d.id).Scan(&sentAt, &outcome, &author, &code)
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
