package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
)

// WriteJournalEntry adds a message to the dialogue's one entry in the patient's
// journal, once per message (S50, F14), and returns the entry's id.
func (s *Store) WriteJournalEntry(ctx context.Context, in contract.WriteJournalEntryInput) (string, error) {
	var entry string
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var clinicID string
		err := tx.QueryRow(ctx, "SELECT clinic_id FROM dialogue WHERE id = $1 AND clinic_id = $2", in.DialogueID, in.ClinicID).Scan(&clinicID)
		if err == nil {
			entry, err = s.journal(ctx, tx, in.DialogueID, in.MessageID, in.Direction)
		}
		return notFound(err, "the clinic has no such message")
	})
	return entry, err
}

// sentBy reads a message with when who wrote it sent it: an entry is in that order. It is
// told in whole seconds, as Helsenorge does (GenDate): what came in the same second stays
// in the order in which it was journalled.
var sentBy = map[contract.Direction]struct{ column, query string }{
	contract.Inbound: {"inbound_message.content", `SELECT d.clinic_id, d.patient_id, m.key_id, m.content, date_trunc('second', coalesce(m.written_at, m.received_at))
		FROM inbound_message m JOIN dialogue d ON d.id = m.dialogue_id WHERE m.id = $1 AND m.dialogue_id = $2`},
	contract.Outbound: {"outbound_message.content", `SELECT d.clinic_id, d.patient_id, m.key_id, m.content, date_trunc('second', coalesce(m.sent_at, m.prepared_at, m.created_at))
		FROM outbound_message m JOIN dialogue d ON d.id = m.dialogue_id WHERE m.id = $1 AND m.dialogue_id = $2`},
}

// addMessage adds a message to a journal entry, once.
const addMessage = `INSERT INTO journal_message (id, clinic_id, patient_id, dialogue_id, message_id, direction, key_id, content, written_at, entry_id, sent_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (message_id) DO NOTHING`

// journal adds a message to the journal entry of its dialogue, with the ledger line that
// says so. Once per message: the entry that has it is returned.
func (s *Store) journal(ctx context.Context, tx pgx.Tx, dialogueID, messageID string, d contract.Direction) (entry string, err error) {
	var clinicID, patientID, keyID string
	var sealed []byte
	var at time.Time
	if err := tx.QueryRow(ctx, sentBy[d].query, messageID, dialogueID).Scan(&clinicID, &patientID, &keyID, &sealed, &at); err != nil {
		return "", err
	}
	key, err := s.key(ctx, tx, keyID)
	if err != nil {
		return "", err
	}
	id := newID()
	content, err := key.resealed(sealed, sentBy[d].column+"/"+messageID, "journal_entry.content/"+id)
	if err != nil {
		return "", err
	}
	if entry, err = s.journalEntry(ctx, tx, clinicID, patientID, dialogueID); err != nil {
		return "", err
	}
	tag, err := tx.Exec(ctx, addMessage, id, clinicID, patientID, dialogueID, messageID, d, key.id, content, s.now(), entry, at)
	if err != nil {
		return "", err
	}
	if tag.RowsAffected() == 0 {
		if err := tx.QueryRow(ctx, "SELECT entry_id FROM journal_message WHERE message_id = $1", messageID).Scan(&entry); err != nil {
			return "", err
		}
	}
	line := EffectJournal + "/" + messageID
	if err := s.ledgerLine(ctx, tx, line, clinicID, EffectJournal, dialogueID, messageID, nil); err != nil {
		return "", err
	}
	return entry, s.ledgerOutcome(ctx, tx, line, contract.OutcomeDone, map[string]string{"entry": entry})
}

// journalEntry returns the dialogue's one entry, which the first message makes.
func (s *Store) journalEntry(ctx context.Context, tx pgx.Tx, clinicID, patientID, dialogueID string) (entry string, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO journal_entry (id, clinic_id, patient_id, dialogue_id, opened_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (dialogue_id) DO UPDATE SET opened_at = journal_entry.opened_at RETURNING id`,
		newID(), clinicID, patientID, dialogueID, s.now()).Scan(&entry)
	return entry, err
}

// journalThread adds every message of a dialogue, both ways, to the entry of a dialogue:
// what the citizen sent, and what has left for him. What is still to leave is added then;
// of another dialogue, whose lifecycle journals nothing, it is added now. A thread may be
// long: it costs a few trips to the database, however many messages it has.
func (s *Store) journalThread(ctx context.Context, tx pgx.Tx, entryOf, dialogueID string) error {
	var clinicID, patientID string
	if err := tx.QueryRow(ctx, "SELECT clinic_id, patient_id FROM dialogue WHERE id = $1", entryOf).Scan(&clinicID, &patientID); err != nil {
		return err
	}
	thread, err := s.threadOf(ctx, tx, dialogueID, dialogueID != entryOf)
	if err != nil || len(thread) == 0 {
		return err
	}
	entry, err := s.journalEntry(ctx, tx, clinicID, patientID, entryOf)
	if err != nil {
		return err
	}
	var all pgx.Batch
	keys := map[string]sealingKey{}
	for _, m := range thread {
		key, ok := keys[m.keyID]
		if !ok {
			if key, err = s.key(ctx, tx, m.keyID); err != nil {
				return err
			}
			keys[m.keyID] = key
		}
		id := newID()
		content, err := key.resealed(m.sealed, sentBy[m.direction].column+"/"+m.id, "journal_entry.content/"+id)
		if err != nil {
			return err
		}
		all.Queue(addMessage, id, clinicID, patientID, entryOf, m.id, m.direction, key.id, content, s.now(), entry, m.at)
		line := EffectJournal + "/" + m.id
		all.Queue(addLine, line, clinicID, EffectJournal, entryOf, m.id, struct{}{}, s.now())
		all.Queue(endLine, line, contract.OutcomeDone, s.now(), map[string]string{"entry": entry})
	}
	return tx.SendBatch(ctx, &all).Close()
}

// threadMessage is a message of a thread as its row has it.
type threadMessage struct {
	id        string
	direction contract.Direction
	keyID     string
	sealed    []byte
	at        time.Time
}

// threadOf reads what a journal has of a dialogue, in the order in which it came and
// left; underWay adds what is still to leave.
func (s *Store) threadOf(ctx context.Context, tx pgx.Tx, dialogueID string, underWay bool) ([]threadMessage, error) {
	rows, err := tx.Query(ctx, `SELECT id, direction, key_id, content, date_trunc('second', sent) FROM (
			SELECT id, 'inbound' AS direction, key_id, content, received_at AS at, coalesce(written_at, received_at) AS sent
				FROM inbound_message WHERE dialogue_id = $1 AND verdict = 'taken' AND function <> 'VUS'
			UNION ALL SELECT id, 'outbound', key_id, content, coalesce(sent_at, prepared_at), coalesce(sent_at, prepared_at)
				FROM outbound_message WHERE dialogue_id = $1 AND kind = 'answer' AND (sent_at IS NOT NULL OR $2 AND prepared_at IS NOT NULL AND outcome IS NULL)) m
		ORDER BY at, id`, dialogueID, underWay)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m threadMessage, err error) {
		err = row.Scan(&m.id, &m.direction, &m.keyID, &m.sealed, &m.at)
		return m, err
	})
}
