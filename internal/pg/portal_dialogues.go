package pg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/title"
	"github.com/helsebro/helsebro/internal/identity"
)

// PortalDialogue is an e-dialogue as the patient, or who represents him, sees it in the
// clinic's portal and app. Helsenorge's dialogues and those between colleagues are never
// among them (S19, S20).
type PortalDialogue struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Unread counts the clinic's messages that nobody has opened there.
	Unread    int       `json:"unread"`
	CreatedAt time.Time `json:"createdAt"`
	// LatestAt is when the newest message was shown or received.
	LatestAt time.Time `json:"latestAt"`
}

// PortalMessage is a message of an e-dialogue as the portal shows it.
type PortalMessage struct {
	ID   string    `json:"id"`
	From string    `json:"from"` // clinic or patient
	At   time.Time `json:"at"`
	// Author is the name of the staff member, or of who wrote for the patient.
	Author   string `json:"author,omitempty"`
	Relation string `json:"relation,omitempty"` // of who wrote for the patient (7611)
	Subject  string `json:"subject,omitempty"`
	Text     string `json:"text"`
	// Attachments are the files that go with it.
	Attachments []File `json:"attachments,omitempty"`
	// ReadAt is when a message of the clinic was first opened in portal or app.
	ReadAt time.Time `json:"readAt,omitzero"`
}

// PortalThread is an e-dialogue with its messages, the oldest first.
type PortalThread struct {
	PortalDialogue
	Messages []PortalMessage `json:"messages"`
}

// fromClinic is who wrote a message that staff wrote, as the portal says it.
const fromClinic = "clinic"

// portalDialogues is what the portal shows of the e-dialogues d: those of which something
// has been shown, or written there.
const portalDialogues = `SELECT d.id, d.title, d.key_id, d.created_at, m.latest, m.unread
	FROM dialogue d JOIN LATERAL (SELECT max(at) AS latest, count(*) FILTER (WHERE unread) AS unread FROM (
		SELECT sent_at AS at, read_at IS NULL AS unread FROM outbound_message WHERE dialogue_id = d.id AND kind = 'answer' AND sent_at IS NOT NULL
		UNION ALL SELECT received_at, false FROM inbound_message WHERE dialogue_id = d.id) m) m ON m.latest IS NOT NULL
	WHERE d.clinic_id = $1 AND d.patient_id = $2 AND d.process = 'e-dialogue'`

func (s *Store) collectPortalDialogues(rows pgx.Rows, key sealingKey) ([]PortalDialogue, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (PortalDialogue, error) {
		var d PortalDialogue
		var keyID string
		var sealed []byte
		if err := row.Scan(&d.ID, &sealed, &keyID, &d.CreatedAt, &d.LatestAt, &d.Unread); err != nil {
			return d, err
		}
		d.CreatedAt, d.LatestAt = d.CreatedAt.UTC(), d.LatestAt.UTC()
		return d, key.open("dialogue.title", d.ID, sealed, &d.Title)
	})
}

// PortalDialogues lists the patient's e-dialogues as he or who represents him sees them,
// the newest first (S19, S81): one page of limit rows, after the one whose Next is from.
func (s *Store) PortalDialogues(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string, limit int, from string) (Page[PortalDialogue], error) {
	after, err := readCursor(from, string(SortLatest))
	if err != nil {
		return Page[PortalDialogue]{}, err
	}
	if after == nil {
		after = &cursor{At: s.now().Add(24 * time.Hour), ID: uuid.Max.String()}
	}
	var list []PortalDialogue
	err = s.onPortal(ctx, by, clinicID, patientID, viewerID, "portal.dialogues", "", func(tx pgx.Tx) error {
		c, err := s.cardOf(ctx, tx, clinicID, patientID)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, portalDialogues+" AND (m.latest, d.id) < ($3, $4::uuid) ORDER BY m.latest DESC, d.id DESC LIMIT $5",
			clinicID, patientID, after.At, after.ID, limit+1)
		if err != nil {
			return err
		}
		list, err = s.collectPortalDialogues(rows, c.key)
		return err
	})
	return page(list, limit, func(d PortalDialogue) cursor {
		return cursor{Sort: string(SortLatest), At: d.LatestAt, ID: d.ID}
	}), err
}

// PortalDialogue opens an e-dialogue for the patient, or for who represents him, and
// marks the clinic's messages read.
func (s *Store) PortalDialogue(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID, id string) (PortalThread, error) {
	var t PortalThread
	err := s.onPortal(ctx, by, clinicID, patientID, viewerID, "portal.dialogue", "dialogue/"+id+"/", func(tx pgx.Tx) error {
		t = PortalThread{}
		c, err := s.cardOf(ctx, tx, clinicID, patientID)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, portalDialogues+" AND d.id = $3", clinicID, patientID, id)
		if err != nil {
			return err
		}
		found, err := s.collectPortalDialogues(rows, c.key)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return apperr.New(apperr.NotFound, "the patient has no such dialogue in the portal")
		}
		// What is opened now counts as unread once more: it is shown as new.
		t.PortalDialogue = found[0]
		if t.Messages, err = s.portalMessages(ctx, tx, c.key, id); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE outbound_message SET read_at = $2 WHERE dialogue_id = $1 AND kind = 'answer' AND sent_at IS NOT NULL AND read_at IS NULL",
			id, s.now())
		return err
	})
	return t, err
}

// portalMessages reads what was shown of an e-dialogue with a patient, and what was
// written in it there, the oldest first.
func (s *Store) portalMessages(ctx context.Context, tx pgx.Tx, key sealingKey, dialogueID string) ([]PortalMessage, error) {
	rows, err := tx.Query(ctx, `SELECT o.id, 'clinic' AS who, o.sent_at AS at, coalesce(s.name, ''), o.content, o.read_at
			FROM outbound_message o LEFT JOIN staff s ON s.clinic_id = o.clinic_id AND s.subject = o.author
			WHERE o.dialogue_id = $1 AND o.kind = 'answer' AND o.sent_at IS NOT NULL
		UNION ALL SELECT id, 'patient', received_at, '', content, NULL FROM inbound_message WHERE dialogue_id = $1
		ORDER BY at, id`, dialogueID)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (PortalMessage, error) {
		var m PortalMessage
		var sealed []byte
		var readAt *time.Time
		if err := row.Scan(&m.ID, &m.From, &m.At, &m.Author, &sealed, &readAt); err != nil {
			return m, err
		}
		m.At, m.ReadAt = m.At.UTC(), derefTime(readAt)
		if m.From == fromClinic {
			var c answerContent
			err := key.open("outbound_message.content", m.ID, sealed, &c)
			m.Subject, m.Text = c.Subject, c.Text
			return m, err
		}
		var c Content
		err := key.open("inbound_message.content", m.ID, sealed, &c)
		m.Subject, m.Text, m.Author, m.Relation = c.Subject, c.Text, c.Actor, c.Relation
		return m, err
	})
	if err != nil {
		return nil, err
	}
	files, err := dialogueFiles(ctx, tx, key, dialogueID)
	for i := range all {
		all[i].Attachments = files[all[i].ID]
	}
	return all, err
}

// PortalAttachment opens a file of an e-dialogue for the patient, or for who represents
// him. The content is read from the database as the caller reads it, as ReadAttachment's.
func (s *Store) PortalAttachment(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID, dialogueID, id string) (File, io.Reader, error) {
	var f File
	var content io.Reader
	err := s.onPortal(ctx, by, clinicID, patientID, viewerID, "portal.attachment", "attachment/"+id+"/", func(tx pgx.Tx) error {
		c, err := s.cardOf(ctx, tx, clinicID, patientID)
		if err != nil {
			return err
		}
		// A file of a message that is not shown yet is none of the portal's.
		var messageID, fileID string
		if err := tx.QueryRow(ctx, `SELECT coalesce(m.id, o.id), a.id FROM attachment a
				LEFT JOIN inbound_message m ON m.id = a.message_id
				LEFT JOIN outbound_message o ON o.id = a.outbound_id AND o.sent_at IS NOT NULL
				JOIN dialogue d ON d.id = coalesce(m.dialogue_id, o.dialogue_id)
			WHERE a.id = $1 AND d.id = $2 AND d.clinic_id = $3 AND d.patient_id = $4 AND d.process = $5`,
			id, dialogueID, clinicID, patientID, contract.ProcessEDialogue).Scan(&messageID, &fileID); err != nil {
			return notFound(err, "the dialogue has no such file")
		}
		files, err := messageFiles(ctx, tx, c.key, messageID)
		if err != nil {
			return err
		}
		f = files[slices.IndexFunc(files, func(f File) bool { return f.ID == fileID })]
		content, err = openFile(ctx, s.pool, c.key, f.ID)
		return err
	})
	return f, content, err
}

// publishedFeed is the e-dialogue messages of the clinic as the feed tells of them.
func (s *Store) publishedFeed(ctx context.Context, tx pgx.Tx, c card) ([]FeedItem, error) {
	rows, err := tx.Query(ctx, `SELECT o.id, d.id, d.title, o.content, o.sent_at FROM dialogue d JOIN outbound_message o ON o.dialogue_id = d.id
		WHERE d.patient_id = $1 AND d.process = 'e-dialogue' AND o.kind = 'answer' AND o.sent_at IS NOT NULL ORDER BY o.sent_at DESC LIMIT $2`, c.patientID, maxFeed)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (FeedItem, error) {
		f := FeedItem{Purpose: contract.InHouse}
		var sealedTitle, sealed []byte
		if err := row.Scan(&f.NoticeID, &f.DialogueID, &sealedTitle, &sealed, &f.At); err != nil {
			return f, err
		}
		f.At = f.At.UTC()
		if err := c.key.open("dialogue.title", f.DialogueID, sealedTitle, &f.Subject); err != nil {
			return f, err
		}
		var text answerContent
		err := c.key.open("outbound_message.content", f.NoticeID, sealed, &text)
		f.Body = text.Text
		return f, err
	})
}

// WrittenInPortal is what the patient, or who represents him, writes in portal or app.
type WrittenInPortal struct {
	// ID is the portal's: the same id again is the same message.
	ID, PatientID, ViewerID string
	// DialogueID is the e-dialogue that it continues; empty starts one.
	DialogueID string
	// Source is portal or app.
	Source        string
	Subject, Text string
	// Attachments are the ids of uploaded files that go with it.
	Attachments []string
}

// patientBlocked is the state that keeps a blocked patient from writing.
const patientBlocked = "patient-blocked"

// StorePortalMessage stores what was written in portal or app, in one transaction with
// all that must follow from it, as StoreArrival does a message of Helsenorge: an
// e-dialogue takes it, no receipt is owed, and it becomes the one that an answer is owed
// to. Whoever calls hands it over to the lifecycle then.
//
// Idempotent by ID: the same message again returns the first row, so that unfinished work
// can be taken up; other content is a duplicate. Forbidden says why the viewer may not
// act for the patient (S81, D14); conflict, that the patient is blocked; not-found, that
// the dialogue is not one of the portal's.
func (s *Store) StorePortalMessage(ctx context.Context, by identity.Principal, clinicID string, w WrittenInPortal) (Arrived, error) {
	var out Arrived
	w.ID = strings.ToLower(w.ID)
	if err := uuid.Validate(w.ID); err != nil {
		return out, apperr.InvalidFields("the message has invalid fields", apperr.Field{Path: "id", Rule: "a UUID, the caller's own"})
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = Arrived{ID: newID(), ClinicID: clinicID, Verdict: Taken, Process: contract.ProcessEDialogue, Function: contract.InHouse, MsgID: w.ID, ReceivedAt: s.now()}
		if err := s.viewer(ctx, tx, clinicID, w.PatientID, w.ViewerID, s.now()); err != nil {
			return err
		}
		// Two calls with the same message must meet in one.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('portal-message/' || lower($1), 0))", w.ID); err != nil {
			return err
		}
		content, err := json.Marshal(w)
		if err != nil {
			return apperr.Wrap(apperr.Internal, err, "a message cannot be encoded")
		}
		// Not the plain sum: a short text could be guessed by it.
		sum := s.vault.BlindIndex("portal-message", clinicID, string(content))
		again, err := s.writtenBefore(ctx, tx, w.ID, sum, &out)
		if err != nil || again {
			return err
		}
		c, err := s.writer(ctx, tx, clinicID, w)
		if err != nil {
			return err
		}
		if err := s.joinEDialogue(ctx, tx, c, w, &out); err != nil {
			return err
		}
		if err := s.insertWritten(ctx, tx, c, w, content, sum, &out); err != nil {
			return err
		}
		if len(w.Attachments) > 0 {
			// What staff have uploaded for him is not the portal's to send.
			if _, err := s.claimFiles(ctx, tx, carrier{clinicID: clinicID, patientID: c.patientID, author: by.Subject, messageID: out.ID}, w.Attachments); err != nil {
				return err
			}
		}
		a := Arrival{Function: out.Function}
		if err := s.joinDialogue(ctx, tx, a, &out); err != nil {
			return err
		}
		if err := s.intend(ctx, tx, a, &out); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "portal.write", "dialogue/"+out.DialogueID+"/viewer/"+w.ViewerID, w.PatientID)
	})
	return out, err
}

// writtenBefore finds a message of the portal that was stored before.
func (s *Store) writtenBefore(ctx context.Context, tx pgx.Tx, id string, sum []byte, out *Arrived) (bool, error) {
	var first []byte
	var handedOver *time.Time
	err := tx.QueryRow(ctx, "SELECT id, dialogue_id, received_at, handed_over_at, sha256 FROM inbound_message WHERE from_her_id = 0 AND transport_id = $1",
		portalTransport+id).Scan(&out.ID, &out.DialogueID, &out.ReceivedAt, &handedOver, &first)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err == nil && !bytes.Equal(first, sum) {
		err = apperr.New(apperr.Duplicate, "a message with this id and other content exists: choose a new id")
	}
	out.ReceivedAt, out.HandedOver, out.Again = out.ReceivedAt.UTC(), handedOver != nil, true
	return true, err
}

// portalTransport begins the transport id of what came by no transport.
const portalTransport = "portal/"

// writer is the card of the patient who writes, or is written for; a blocked one may not.
func (s *Store) writer(ctx context.Context, tx pgx.Tx, clinicID string, w WrittenInPortal) (card, error) {
	c, err := s.cardOf(ctx, tx, clinicID, w.PatientID)
	if err != nil {
		return c, err
	}
	var blocked bool
	if err := tx.QueryRow(ctx, "SELECT blocked FROM patient WHERE id = $1", w.PatientID).Scan(&blocked); err != nil {
		return c, err
	}
	if blocked {
		return c, apperr.InState(patientBlocked, "the clinic takes no messages from the patient here: he can call")
	}
	return c, nil
}

// joinEDialogue finds the e-dialogue that a message of the portal continues, locked, or
// opens one.
func (s *Store) joinEDialogue(ctx context.Context, tx pgx.Tx, c card, w WrittenInPortal, out *Arrived) error {
	if w.DialogueID == "" {
		out.DialogueID, out.NewDialogue = newID(), true
		return s.openEDialogue(ctx, tx, c, out.DialogueID, w.Subject, w.Source)
	}
	d, err := s.lockDialogue(ctx, tx, c.clinicID, w.DialogueID)
	if err != nil {
		return err
	}
	if d.process != contract.ProcessEDialogue || !strings.EqualFold(d.patientID, c.patientID) {
		return apperr.New(apperr.NotFound, "the patient has no such dialogue in the portal")
	}
	out.DialogueID = d.id
	return nil
}

// openEDialogue opens an e-dialogue that a patient begins. It has no conversation, since
// nothing of it is known on the wire, and no mark of Helsenorge in its title (S94).
func (s *Store) openEDialogue(ctx context.Context, tx pgx.Tx, c card, id, subject, origin string) error {
	sealed, err := c.key.seal("dialogue.title", id, title.Own(string(contract.ProcessEDialogue), subject))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO dialogue (id, clinic_id, patient_id, process, title, key_id, origin, created_at, latest_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)`,
		id, c.clinicID, c.patientID, contract.ProcessEDialogue, sealed, c.key.id, origin, s.now())
	return err
}

// insertWritten writes the message's row. It has no HER-ids, since it was on no wire.
func (s *Store) insertWritten(ctx context.Context, tx pgx.Tx, c card, w WrittenInPortal, raw, sum []byte, out *Arrived) error {
	said := Content{Subject: w.Subject, Text: w.Text}
	if !strings.EqualFold(w.ViewerID, w.PatientID) {
		p, err := s.openPatient(ctx, tx, w.ViewerID)
		if err != nil {
			return err
		}
		said.Actor = p.Name()
		if err := tx.QueryRow(ctx, "SELECT relation FROM representation WHERE patient_id = $1 AND representative_id = $2", w.PatientID, w.ViewerID).
			Scan(&said.Relation); err != nil {
			return err
		}
	}
	sealedRaw, err := c.key.Seal(raw, "inbound_message.raw/"+out.ID)
	if err != nil {
		return err
	}
	sealed, err := c.key.seal("inbound_message.content", out.ID, storedContent{Content: said})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO inbound_message (id, clinic_id, transport_id, from_her_id, to_her_id, subject, sha256, key_id, raw, content,
			function, msg_id, verdict, patient_id, dialogue_id, received_at, written_at)
		VALUES ($1, $2, $3, 0, 0, '', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)`,
		out.ID, c.clinicID, portalTransport+w.ID, sum, c.key.id, sealedRaw, sealed, out.Function, out.MsgID, out.Verdict, c.patientID, out.DialogueID, out.ReceivedAt)
	return err
}
