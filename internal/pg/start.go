package pg

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/domain/title"
	"github.com/helsebro/helsebro/internal/identity"
)

// NewDialogue is a dialogue that the clinic starts, with its first message (S14-S20).
type NewDialogue struct {
	// ID is the first message's, and the caller's: the same id again is the same dialogue.
	ID string `json:"-"`
	// DialogueID is the dialogue's; empty makes it from ID.
	DialogueID string `json:"-"`
	// Process is the kind: e-contact, e-consultation or e-dialogue.
	Process contract.Process
	// PatientID is to whom it goes; empty for an e-dialogue between colleagues, and where
	// TurnedFrom tells it.
	PatientID string
	// Participants are the colleagues of an e-dialogue between them.
	Participants  []routing.Recipient
	Subject, Text string
	// OneWay says that the citizen cannot reply (EKI).
	OneWay bool
	// Attachments are the ids of uploaded files that go with the message.
	Attachments []string
	// TurnedFrom is the renewal request whose answer the dialogue goes on from (S68).
	TurnedFrom string
}

// DraftedDialogue is a stored dialogue with what its command needs.
type DraftedDialogue struct {
	Drafted
	DialogueID string
}

// codeOf is the code with which the dialogue is opened.
func (n NewDialogue) codeOf() string {
	switch {
	case n.Process == contract.ProcessEDialogue:
		return contract.InHouse
	case n.OneWay:
		return contract.OpenOneWay
	}
	return contract.OpenDialogue
}

// DraftDialogue stores a dialogue with its first message before the command that sends
// it; nothing leaves the clinic by it. When a gate is closed (S25-S28) it is
// apperr.Conflict that names each, and nothing is written. It is idempotent by the
// message's id; the same id with other content is a duplicate. A renewal request is
// turned into a dialogue only once it is answered: apperr.Conflict before (S68).
func (s *Store) DraftDialogue(ctx context.Context, by identity.Principal, clinicID string, n NewDialogue) (DraftedDialogue, error) {
	if n.DialogueID == "" {
		// The same message again is the same dialogue.
		n.DialogueID = uuid.NewSHA1(uuid.NameSpaceOID, []byte("dialogue/"+n.ID)).String()
	}
	var out DraftedDialogue
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = DraftedDialogue{DialogueID: n.DialogueID, Drafted: Drafted{Process: n.Process, Code: n.codeOf()}}
		n := n
		if err := s.turning(ctx, tx, clinicID, &n); err != nil {
			return err
		}
		key, err := s.starting(ctx, tx, by, clinicID, n)
		if err != nil {
			return err
		}
		if err := s.begin(ctx, tx, by, clinicID, n, key); err != nil {
			return err
		}
		sealed, err := key.seal("outbound_message.content", n.ID, answerContent{Subject: n.Subject, Text: n.Text})
		if err != nil {
			return err
		}
		content, err := json.Marshal(n)
		if err != nil {
			return apperr.Wrap(apperr.Internal, err, "a dialogue cannot be encoded")
		}
		hash := s.vault.BlindIndex("dialogue", clinicID, strings.Join([]string{n.DialogueID, string(content), by.Subject}, "\x00"))
		if _, err := s.draft(ctx, tx, draftRow{
			id: n.ID, clinicID: clinicID, dialogueID: n.DialogueID, code: out.Code, author: by.Subject, keyID: key.id, content: sealed, hash: hash,
		}, &out.Drafted); err != nil {
			return err
		}
		if err := s.attach(ctx, tx, clinicID, n.PatientID, n.ID, n.Attachments); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "dialogue.start", "dialogue/"+n.DialogueID, n.PatientID)
	})
	return out, err
}

// turning finds the patient of the renewal request that is turned into a dialogue.
func (s *Store) turning(ctx context.Context, tx pgx.Tx, clinicID string, n *NewDialogue) error {
	if n.TurnedFrom == "" {
		return nil
	}
	var answered bool
	if err := tx.QueryRow(ctx, "SELECT d.patient_id, EXISTS (SELECT FROM outbound_message o WHERE o.dialogue_id = d.id AND "+given+`)
		FROM dialogue d WHERE d.id = $1 AND d.clinic_id = $2 AND d.process = $3`, n.TurnedFrom, clinicID, contract.ProcessPrescription).Scan(&n.PatientID, &answered); err != nil {
		return notFound(err, "the clinic has no such renewal request")
	}
	if !answered {
		return apperr.InState(string(contract.StatusAwaitingClinic), "the renewal request is not answered: only its answer is turned into a dialogue")
	}
	return nil
}

// starting returns the key of a dialogue that may be started: all gates of its kind are
// open, unless it is started already.
func (s *Store) starting(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID string, n NewDialogue) (sealingKey, error) {
	key, err := s.fileKey(ctx, tx, clinicID, n.PatientID)
	if err != nil {
		return key, err
	}
	if started, err := started(ctx, tx, clinicID, n.ID); err != nil || started {
		return key, err
	}
	if err := s.reachesColleagues(ctx, tx, by, clinicID, n); err != nil {
		return key, err
	}
	r, err := s.reachability(ctx, tx, clinicID, n.PatientID, n.Process)
	if err == nil && !r.Reachable {
		err = r.refusal(n.Process)
	}
	return key, err
}

// Started tells whether the clinic has stored the dialogue that a first message begins.
func (s *Store) Started(ctx context.Context, clinicID, messageID string) (bool, error) {
	is, err := started(ctx, s.pool, clinicID, messageID)
	return is, failure(err)
}

func started(ctx context.Context, q rower, clinicID, messageID string) (is bool, err error) {
	err = q.QueryRow(ctx, "SELECT EXISTS (SELECT FROM outbound_message WHERE id = $1 AND clinic_id = $2)", messageID, clinicID).Scan(&is)
	return is, err
}

// begin stores the dialogue, which is its starter's; one that was begun before is left as
// it is.
func (s *Store) begin(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID string, n NewDialogue, key sealingKey) error {
	sealed, err := key.seal("dialogue.title", n.DialogueID, title.Own(string(n.Process), n.Subject))
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `INSERT INTO dialogue (id, clinic_id, patient_id, process, title, key_id, created_at, latest_at, origin, turned_from, reply_allowed, owner_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, (SELECT id FROM staff WHERE clinic_id = $2 AND subject = $11 AND active)) ON CONFLICT (id) DO NOTHING`,
		n.DialogueID, clinicID, nullable(n.PatientID), n.Process, sealed, key.id, s.now(), originClinic, nullable(n.TurnedFrom), !n.OneWay, by.Subject)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		var mine bool
		err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM outbound_message WHERE id = $1 AND dialogue_id = $2 AND clinic_id = $3)", n.ID, n.DialogueID, clinicID).Scan(&mine)
		if err == nil && !mine {
			err = apperr.New(apperr.Conflict, "the dialogue's id is taken: choose a new one")
		}
		return err
	}
	if len(n.Participants) == 0 {
		return nil
	}
	return s.takePart(ctx, tx, by, clinicID, n.DialogueID, n.Participants)
}

// dropEmptyDialogue removes a dialogue that the clinic began and that nothing is in.
func (s *Store) dropEmptyDialogue(ctx context.Context, tx pgx.Tx, dialogueID string) error {
	_, err := tx.Exec(ctx, `DELETE FROM dialogue d WHERE id = $1 AND origin = $2
		AND NOT EXISTS (SELECT FROM outbound_message WHERE dialogue_id = d.id) AND NOT EXISTS (SELECT FROM inbound_message WHERE dialogue_id = d.id)
		AND NOT EXISTS (SELECT FROM dialogue_command WHERE dialogue_id = d.id)`, dialogueID, originClinic)
	return err
}
