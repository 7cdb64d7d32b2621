package pg

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
)

// dialogueRow is a dialogue as a change finds it, locked until the change is done.
type dialogueRow struct {
	id, clinicID string
	// patientID is "" for a dialogue between colleagues.
	patientID string
	process   contract.Process
	keyID     string
	// latestMessageID is the citizen's latest message that asks for something, "" for none.
	latestMessageID string
	origin          string
	// ownerID is the staff member who has taken it, "" for nobody.
	ownerID      string
	turnedFrom   string
	replyAllowed bool
	escalated    contract.EscalationStep
	// Instants in UTC; zero where it has not happened.
	closedAt, convertedAt, billableAt, owedSince, answerDue time.Time
}

// lockDialogue reads a dialogue for a change: nothing else changes it meanwhile.
func (s *Store) lockDialogue(ctx context.Context, tx pgx.Tx, clinicID, id string) (dialogueRow, error) {
	d := dialogueRow{id: id, clinicID: clinicID}
	var closed, converted, billable, owed, due *time.Time
	err := tx.QueryRow(ctx, `SELECT coalesce(patient_id::text, ''), process, key_id, coalesce(latest_message_id::text, ''), origin, coalesce(owner_id::text, ''),
			coalesce(turned_from::text, ''), reply_allowed, escalated, closed_at, converted_at, billable_at, owed_since, answer_due
		FROM dialogue WHERE id = $1 AND clinic_id = $2 FOR NO KEY UPDATE`, id, clinicID).
		Scan(&d.patientID, &d.process, &d.keyID, &d.latestMessageID, &d.origin, &d.ownerID, &d.turnedFrom, &d.replyAllowed, &d.escalated,
			&closed, &converted, &billable, &owed, &due)
	if err != nil {
		return d, notFound(err, "the clinic has no such dialogue")
	}
	d.closedAt, d.convertedAt, d.billableAt = derefTime(closed), derefTime(converted), derefTime(billable)
	d.owedSince, d.answerDue = derefTime(owed), derefTime(due)
	return d, nil
}

// storedChange is a stored command with who asked for it and the dialogue, locked.
type storedChange struct {
	DialogueChange
	ClinicID string
	// Author is the subject of whoever asked, Role the role in which he did.
	Author   string
	Role     identity.Role
	dialogue dialogueRow
}

// DraftedDialogueChange is a stored command with what its update needs.
type DraftedDialogueChange struct {
	Process contract.Process
	// Applied is true when the command was applied before: it need not be given again,
	// and Output says what came of it.
	Applied bool
	Output  contract.ApplyDialogueChangeOutput
	// Status is how the dialogue stands.
	Status contract.Status
	// Attempt counts how often the command was stored: DropDialogueChange drops no later one.
	Attempt int
}

// DraftDialogueChange stores a command before the lifecycle is told; nothing happens by
// it. It is idempotent by the command's id; the same id with other content is a
// duplicate.
func (s *Store) DraftDialogueChange(ctx context.Context, by identity.Principal, clinicID string, c DialogueChange) (DraftedDialogueChange, error) {
	if err := c.check(); err != nil {
		return DraftedDialogueChange{}, err
	}
	var out DraftedDialogueChange
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = DraftedDialogueChange{Attempt: 1}
		var keyID, patientID string
		if err := tx.QueryRow(ctx, "SELECT process, key_id, coalesce(patient_id::text, '') FROM dialogue WHERE id = $1 AND clinic_id = $2 AND process <> $3",
			c.DialogueID, clinicID, contract.ProcessAppointment).
			Scan(&out.Process, &keyID, &patientID); err != nil {
			return notFound(err, "the clinic has no such dialogue")
		}
		if err := s.amongColleagues(ctx, tx, by, clinicID, c.DialogueID, patientID); err != nil {
			return err
		}
		key, err := s.key(ctx, tx, keyID)
		if err != nil {
			return err
		}
		sealed, err := key.seal("dialogue_command.content", c.ID, c)
		if err != nil {
			return err
		}
		content, err := json.Marshal(c)
		if err != nil {
			return apperr.Wrap(apperr.Internal, err, "a command cannot be encoded")
		}
		hash := s.vault.BlindIndex("dialogue-change", clinicID, strings.Join([]string{c.DialogueID, string(content), by.Subject}, "\x00"))
		tag, err := tx.Exec(ctx, `INSERT INTO dialogue_command (id, clinic_id, dialogue_id, kind, key_id, content, content_hash, author, role, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING`,
			c.ID, clinicID, c.DialogueID, c.Kind, key.id, sealed, hash, by.Subject, string(by.Role), s.now())
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			var first, output []byte
			if err := tx.QueryRow(ctx, `UPDATE dialogue_command SET attempt = attempt + 1 WHERE id = $1 AND clinic_id = $2
				RETURNING content_hash, attempt, applied_at IS NOT NULL, output`, c.ID, clinicID).
				Scan(&first, &out.Attempt, &out.Applied, &output); err != nil {
				return notFound(err, "the command's id is taken: choose a new one")
			}
			if !bytes.Equal(first, hash) {
				return apperr.New(apperr.Duplicate, "a command with this id and other content exists: choose a new id")
			}
			if err := decodeOutput(output, &out.Output); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, by, clinicID, "dialogue."+string(c.Kind), "dialogue/"+c.DialogueID, patientID)
	})
	return out, err
}

// check refuses a command that says too little.
func (c DialogueChange) check() error {
	var f fields
	f.refuse(uuid.Validate(c.ID) != nil, "id", "a UUID, the caller's own")
	f.refuse(uuid.Validate(c.DialogueID) != nil, "dialogueId", "the dialogue's id")
	switch c.Kind {
	case AssignDialogue:
		f.refuse(c.StaffID != "" && uuid.Validate(c.StaffID) != nil, "staffId", "a staff member's id, or empty for everybody")
	case ForwardDialogue:
		f.refuse(len(c.To) == 0 || len(c.To) > maxParticipants, "to", fmt.Sprintf("1 to %d recipients", maxParticipants))
	case ResendMessage:
		f.refuse(uuid.Validate(c.OutboundID) != nil, "outboundId", "the id of a message of the clinic's in the dialogue")
	case SplitRequest:
		f.refuse(len(c.Items) == 0, "items", "at least one prescription")
	case TakeDialogue, CloseDialogue, ConvertDialogue:
	default:
		f.refuse(true, "kind", "take, assign, forward, close, convert, resend or split")
	}
	return f.err("the command has invalid fields")
}

// DropDialogueChange removes a command that was not applied, unless it was stored again
// since. Idempotent.
func (s *Store) DropDialogueChange(ctx context.Context, clinicID, id string, attempt int) error {
	_, err := s.pool.Exec(ctx, "DELETE FROM dialogue_command WHERE id = $1 AND clinic_id = $2 AND applied_at IS NULL AND attempt = $3", id, clinicID, attempt)
	return failure(err)
}

// DialogueChanged reads what came of a command that was applied.
func (s *Store) DialogueChanged(ctx context.Context, clinicID, commandID string) (DraftedDialogueChange, error) {
	var out DraftedDialogueChange
	var output []byte
	err := s.pool.QueryRow(ctx, `SELECT d.process, c.applied_at IS NOT NULL, c.output, st.status, c.attempt FROM dialogue_command c
		JOIN dialogue d ON d.id = c.dialogue_id JOIN dialogue_status st ON st.id = d.id WHERE c.id = $1 AND c.clinic_id = $2`, commandID, clinicID).
		Scan(&out.Process, &out.Applied, &output, &out.Status, &out.Attempt)
	if err != nil {
		return out, failure(notFound(err, "the clinic has no such command: it was withdrawn"))
	}
	return out, decodeOutput(output, &out.Output)
}

// ApplyDialogueChange applies a stored command, in one transaction that records what
// came of it. Idempotent by command: a repetition is told the same. What the dialogue
// as it stands refuses is apperr.Conflict, and leaves nothing behind.
func (s *Store) ApplyDialogueChange(ctx context.Context, in contract.ApplyDialogueChangeInput) (contract.ApplyDialogueChangeOutput, error) {
	s = s.notBefore(in.Now)
	var out contract.ApplyDialogueChangeOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.ApplyDialogueChangeOutput{}
		if err := s.lockRouting(ctx, tx, in.ClinicID); err != nil {
			return err
		}
		d, err := s.lockDialogue(ctx, tx, in.ClinicID, in.DialogueID)
		if err != nil {
			return err
		}
		c := storedChange{ClinicID: in.ClinicID, dialogue: d}
		var keyID string
		var sealed, output []byte
		var applied bool
		err = tx.QueryRow(ctx, `SELECT key_id, content, author, role, applied_at IS NOT NULL, output FROM dialogue_command
			WHERE id = $1 AND dialogue_id = $2 FOR UPDATE`, in.CommandID, d.id).Scan(&keyID, &sealed, &c.Author, &c.Role, &applied, &output)
		if err != nil {
			return notFound(err, "the dialogue has no such command: it was withdrawn")
		}
		if applied {
			return decodeOutput(output, &out)
		}
		key, err := s.key(ctx, tx, keyID)
		if err != nil {
			return err
		}
		if err := key.open("dialogue_command.content", in.CommandID, sealed, &c.DialogueChange); err != nil {
			return err
		}
		c.ID, c.DialogueID = in.CommandID, d.id
		out.Process = d.process
		if err := s.applyDialogueChange(ctx, tx, c, &out); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE dialogue_command SET applied_at = $2, output = $3 WHERE id = $1", c.ID, s.now(), out)
		return err
	})
	return out, err
}

// applyDialogueChange does what the command asks. Each kind writes what it changes and
// says in out what the lifecycle must know.
func (s *Store) applyDialogueChange(ctx context.Context, tx pgx.Tx, c storedChange, out *contract.ApplyDialogueChangeOutput) error {
	switch c.Kind {
	case TakeDialogue:
		return s.applyTake(ctx, tx, c, out)
	case AssignDialogue:
		return s.applyAssign(ctx, tx, c, out)
	case ForwardDialogue:
		return s.applyForward(ctx, tx, c, out)
	case CloseDialogue:
		return s.applyClose(ctx, tx, c, out)
	case ConvertDialogue:
		return s.applyConvert(ctx, tx, c, out)
	case ResendMessage:
		return s.applyResend(ctx, tx, c, out)
	case SplitRequest:
		return s.applySplit(ctx, tx, c, out)
	}
	return apperr.New(apperr.Unsupported, "no such kind of change")
}

// decodeOutput reads what a command that was applied before said; nothing for one that
// was not.
func decodeOutput(stored []byte, out *contract.ApplyDialogueChangeOutput) error {
	if stored == nil {
		return nil
	}
	if err := json.Unmarshal(stored, out); err != nil {
		return apperr.New(apperr.Internal, "a stored command's output does not decode")
	}
	return nil
}
