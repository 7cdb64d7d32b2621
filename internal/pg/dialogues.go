package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
)

// Dialogue is a dialogue as staff read it.
type Dialogue struct {
	ID      string           `json:"id"`
	Process contract.Process `json:"process"`
	Status  contract.Status  `json:"status"`
	Title   string           `json:"title"`
	// PatientID and Patient are empty for a dialogue between colleagues, which has
	// Participants instead.
	PatientID    string              `json:"patientId"`
	Patient      string              `json:"patient"`
	Participants []routing.Recipient `json:"participants,omitempty"`
	DialogueFacts
	// LatestMessageID is what an answer refers to.
	LatestMessageID string    `json:"latestMessageId,omitempty"`
	Messages        []Message `json:"messages"`
	Answers         []Answer  `json:"answers"`
	// Changes are what staff have done with it, oldest first.
	Changes []DialogueHandled `json:"changes,omitempty"`
	// Inboxes are those in which it lies.
	Inboxes []string    `json:"inboxes"`
	Journal []JournalID `json:"journal"`
	// Prescriptions are what a renewal request asks for, with what was decided (S59).
	Prescriptions []PrescriptionItem `json:"prescriptions,omitempty"`
	CreatedAt     time.Time          `json:"createdAt"`
}

// Message is a citizen's message.
type Message struct {
	ID         string    `json:"id"`
	Function   string    `json:"function"`
	ReceivedAt time.Time `json:"receivedAt"`
	Content
	Attachments []File `json:"attachments,omitempty"`
}

// Answer is a message of staff.
type Answer struct {
	ID   string `json:"id"`
	Code string `json:"code"`
	// InReplyTo is empty for what answers nothing: the clinic wrote first, or on its own.
	InReplyTo string `json:"inReplyTo,omitempty"`
	// Opens is true for a message that began a conversation on Helsenorge.
	Opens   bool   `json:"opens,omitempty"`
	Author  string `json:"author"`
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
	// Attachments are the files that go with it.
	Attachments []File `json:"attachments,omitempty"`
	// State is drafted, accepted, sent or the terminal outcome.
	State string   `json:"state"`
	Codes []string `json:"codes,omitempty"`
	// Errors are the receipt's own words beside each code, as they came.
	Errors    []string   `json:"errors,omitempty"`
	CreatedAt time.Time  `json:"createdAt"`
	SentAt    *time.Time `json:"sentAt,omitempty"`
	OutcomeAt *time.Time `json:"outcomeAt,omitempty"`
	// ResentAt is when the identical message was sent again.
	ResentAt *time.Time `json:"resentAt,omitempty"`
	// ReadAt is when a patient first opened an e-dialogue's message in portal or app.
	ReadAt *time.Time `json:"readAt,omitempty"`
}

// JournalID names a journal entry and its message.
type JournalID struct {
	ID        string             `json:"id"`
	MessageID string             `json:"messageId"`
	Direction contract.Direction `json:"direction"`
	WrittenAt time.Time          `json:"writtenAt"`
	// Outcome is what became of a message of the clinic's, "" while it is under way:
	// with rejected, error-queue or failed the patient does not have it.
	Outcome contract.Outcome `json:"outcome,omitempty"`
}

// ReadDialogue opens a dialogue, and marks it read in the inboxes.
func (s *Store) ReadDialogue(ctx context.Context, by identity.Principal, clinicID, id string) (Dialogue, error) {
	var d Dialogue
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		d = Dialogue{ID: id, Messages: []Message{}, Answers: []Answer{}, Inboxes: []string{}, Journal: []JournalID{}}
		var keyID string
		var title []byte
		var latest *string
		err := tx.QueryRow(ctx, `SELECT d.process, st.status, d.title, d.key_id, coalesce(d.patient_id::text, ''), d.latest_message_id, d.created_at
			FROM dialogue d JOIN dialogue_status st ON st.id = d.id WHERE d.id = $1 AND d.clinic_id = $2`, id, clinicID).
			Scan(&d.Process, &d.Status, &title, &keyID, &d.PatientID, &latest, &d.CreatedAt)
		if err != nil {
			return notFound(err, "the clinic has no such dialogue")
		}
		d.LatestMessageID = deref(latest)
		if err := s.amongColleagues(ctx, tx, by, clinicID, id, d.PatientID); err != nil {
			return err
		}
		if d.Title, d.Patient, err = s.titleAndName(ctx, tx, id, keyID, d.PatientID, title); err != nil {
			return err
		}
		if d.Title == Erased {
			return apperr.New(apperr.Erased, "the patient is erased: the dialogue cannot be read any more")
		}
		key, err := s.key(ctx, tx, keyID)
		if err != nil {
			return err
		}
		if d.Participants, err = s.participantsOf(ctx, tx, id); err != nil {
			return err
		}
		if d.DialogueFacts, err = dialogueFacts(ctx, tx, id); err != nil {
			return err
		}
		if err := s.readMessages(ctx, tx, key, &d); err != nil {
			return err
		}
		if err := s.readAnswers(ctx, tx, key, &d); err != nil {
			return err
		}
		if err := s.readFiles(ctx, tx, key, &d); err != nil {
			return err
		}
		if d.Prescriptions, err = prescriptionItems(ctx, tx, key, id); err != nil {
			return err
		}
		if d.Changes, err = dialogueHandled(ctx, tx, key, id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT DISTINCT recipient_kind || ':' || recipient_id AS inbox FROM inbox_item WHERE dialogue_id = $1 AND left_at IS NULL ORDER BY inbox", id)
		if err != nil {
			return err
		}
		if d.Inboxes, err = pgx.AppendRows(d.Inboxes, rows, pgx.RowTo[string]); err != nil {
			return err
		}
		rows, err = tx.Query(ctx, `SELECT j.entry_id, j.message_id, j.direction, j.written_at, coalesce(o.outcome, '')
			FROM journal_message j LEFT JOIN outbound_message o ON o.id = j.message_id WHERE j.dialogue_id = $1 ORDER BY j.sent_at, j.id`, id)
		if err != nil {
			return err
		}
		if d.Journal, err = pgx.AppendRows(d.Journal, rows, pgx.RowToStructByPos[JournalID]); err != nil {
			return err
		}
		if err := s.readIn(ctx, tx, by, clinicID, id, d.PatientID); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "dialogue.read", "dialogue/"+id, d.PatientID)
	})
	return d, err
}

func (s *Store) readMessages(ctx context.Context, tx pgx.Tx, key sealingKey, d *Dialogue) error {
	rows, err := tx.Query(ctx, "SELECT id, function, received_at, content FROM inbound_message WHERE dialogue_id = $1 ORDER BY received_at, id", d.ID)
	if err != nil {
		return err
	}
	d.Messages, err = pgx.AppendRows(d.Messages, rows, func(row pgx.CollectableRow) (Message, error) {
		var m Message
		var sealed []byte
		if err := row.Scan(&m.ID, &m.Function, &m.ReceivedAt, &sealed); err != nil {
			return m, err
		}
		return m, key.open("inbound_message.content", m.ID, sealed, &m.Content)
	})
	return err
}

// readFiles lists the files of the messages, both ways.
func (s *Store) readFiles(ctx context.Context, tx pgx.Tx, key sealingKey, d *Dialogue) error {
	files, err := dialogueFiles(ctx, tx, key, d.ID)
	if err != nil {
		return err
	}
	for i := range d.Messages {
		d.Messages[i].Attachments = files[d.Messages[i].ID]
	}
	for i := range d.Answers {
		d.Answers[i].Attachments = files[d.Answers[i].ID]
	}
	return nil
}

func (s *Store) readAnswers(ctx context.Context, tx pgx.Tx, key sealingKey, d *Dialogue) error {
	rows, err := tx.Query(ctx, `SELECT o.id, o.code, coalesce(o.in_reply_to::text, ''), o.opens, coalesce(s.name, o.author), o.content, o.outcome_text, o.created_at, o.sent_at, o.outcome_at,
			o.resent_at, o.read_at, o.outcome_codes,
			CASE WHEN o.outcome IS NOT NULL THEN o.outcome WHEN o.sent_at IS NOT NULL THEN 'sent' WHEN o.prepared_at IS NOT NULL THEN 'accepted' ELSE 'drafted' END
		FROM outbound_message o LEFT JOIN staff s ON s.clinic_id = o.clinic_id AND s.subject = o.author
		WHERE o.dialogue_id = $1 AND o.kind = 'answer' ORDER BY o.created_at, o.id`, d.ID)
	if err != nil {
		return err
	}
	d.Answers, err = pgx.AppendRows(d.Answers, rows, func(row pgx.CollectableRow) (Answer, error) {
		var a Answer
		var sealed, words []byte
		if err := row.Scan(&a.ID, &a.Code, &a.InReplyTo, &a.Opens, &a.Author, &sealed, &words, &a.CreatedAt, &a.SentAt, &a.OutcomeAt,
			&a.ResentAt, &a.ReadAt, &a.Codes, &a.State); err != nil {
			return a, err
		}
		if words != nil {
			if err := key.open("outbound_message.outcome_text", a.ID, words, &a.Errors); err != nil {
				return a, err
			}
		}
		if sealed == nil {
			return a, nil // the calendar's answer needs no words
		}
		var c answerContent
		err := key.open("outbound_message.content", a.ID, sealed, &c)
		a.Subject, a.Text = c.Subject, c.Text
		return a, err
	})
	return err
}

// AuditRow is who did what.
type AuditRow struct {
	ID           int64     `json:"id"`
	At           time.Time `json:"at"`
	Subject      string    `json:"subject"`
	Role         string    `json:"role"`
	Organisation string    `json:"organisation,omitempty"`
	Action       string    `json:"action"`
	Object       string    `json:"object,omitempty"`
	PatientID    string    `json:"patientId,omitempty"`
}

// Audit lists the clinic's audit, newest first.
func (s *Store) Audit(ctx context.Context, by identity.Principal, clinicID string, limit int) ([]AuditRow, error) {
	var out []AuditRow
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.audit(ctx, tx, by, clinicID, "audit.read", "", ""); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT id, at, subject, role, organisation, action, object, coalesce(patient_id::text, '')
			FROM audit WHERE clinic_id = $1 ORDER BY id DESC LIMIT $2`, clinicID, limit)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[AuditRow])
		return err
	})
	return out, err
}

// Refused writes down that somebody was refused for want of a right: what names the
// operation.
func (s *Store) Refused(ctx context.Context, by identity.Principal, what string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error { return s.audit(ctx, tx, by, by.ClinicID, "refused", what, "") })
}
