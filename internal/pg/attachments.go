package pg

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/identity"
)

const (
	// filePart is how much of a sealed file one row holds, in bytes: what a file costs in
	// memory on its way in and out, whatever its size.
	filePart = 256 << 10
	// unusedFor is how long an upload waits for the message that carries it.
	unusedFor = 24 * time.Hour
)

// File is an attachment without its content.
type File struct {
	ID string `json:"id"`
	// MIME is the format that the content has, whatever its sender called it.
	MIME        string `json:"mime"`
	Size        int64  `json:"size"`
	Description string `json:"description,omitempty"`
	// SHA256 is of the content, in hexadecimal.
	SHA256 string `json:"sha256,omitempty"`
}

// NewFile is a file that is uploaded for a message to come.
type NewFile struct {
	// ID is the caller's idempotency key, a UUID; empty makes a new one.
	ID string
	// PatientID is whom the message will be about; "" for one between colleagues.
	PatientID string
	// ViewerID is who uploads it in portal or app: the patient, or who represents him. ""
	// is for staff.
	ViewerID string
	// MIME and Description are what the receiver is told of it.
	MIME, Description string
}

// StoreFile stores a file as it is read, sealed under the patient's key or, for
// colleagues, the clinic's. It can be attached once all of it is here and check has
// found nothing wrong with it; check may open the content as often as it needs. A file
// that is refused, or cut off, leaves nothing behind. What the clinic has uploaded
// before and not used for a day is dropped.
//
// The same id, content and author are the same file, as long as it is kept; anything else
// under the id is apperr.Duplicate. The error of content passes as it is.
func (s *Store) StoreFile(ctx context.Context, by identity.Principal, clinicID string, n NewFile, content io.Reader,
	check func(open func() (io.Reader, error)) error,
) (File, error) {
	f := File{ID: cmp.Or(n.ID, newID()), MIME: n.MIME, Description: n.Description}
	var key sealingKey
	var first *File
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if n.ViewerID != "" {
			if err := s.viewer(ctx, tx, clinicID, n.PatientID, n.ViewerID, s.now()); err != nil {
				return err
			}
		}
		if key, err = s.fileKey(ctx, tx, clinicID, n.PatientID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM attachment WHERE clinic_id = $1 AND message_id IS NULL AND outbound_id IS NULL AND uploaded_at < $2",
			clinicID, s.now().Add(-unusedFor)); err != nil {
			return err
		}
		description, err := key.seal("attachment.description", f.ID, f.Description)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `INSERT INTO attachment (id, position, mime, size, sha256, key_id, description, clinic_id, patient_id, author, uploaded_at, ready)
			VALUES ($1, 0, $2, 0, '', $3, $4, $5, $6, $7, $8, false) ON CONFLICT (id) DO NOTHING`,
			f.ID, f.MIME, key.id, description, clinicID, nullable(n.PatientID), by.Subject, s.now())
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			if first, err = s.uploadedBefore(ctx, tx, by, clinicID, n); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, by, clinicID, "attachment.upload", "attachment/"+f.ID, n.PatientID)
	})
	if err != nil {
		return File{}, err
	}
	// Not in that transaction: it must not last as long as a slow caller likes.
	if first != nil {
		return *first, sameContent(*first, content)
	}
	var sum []byte
	f.Size, sum, err = sealFile(ctx, s.pool, key, f.ID, content)
	if err == nil {
		err = check(func() (io.Reader, error) { return openFile(ctx, s.pool, key, f.ID) })
	}
	if err == nil {
		f.SHA256 = hex.EncodeToString(sum)
		_, err = s.pool.Exec(ctx, "UPDATE attachment SET size = $2, sha256 = $3, ready = true WHERE id = $1", f.ID, f.Size, sum)
	}
	if err != nil {
		// The caller may have hung up. What stays nevertheless goes with the unused ones.
		_, _ = s.pool.Exec(context.WithoutCancel(ctx), "DELETE FROM attachment WHERE id = $1", f.ID)
		return File{}, failure(err)
	}
	return f, nil
}

var errOtherFile = apperr.New(apperr.Duplicate, "a file with this id and other content exists: choose a new id")

// uploadedBefore finds the file that the author has uploaded under the id.
func (s *Store) uploadedBefore(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID string, n NewFile) (*File, error) {
	f := File{ID: n.ID}
	var keyID string
	var sealed, sum []byte
	var same, ready bool
	if err := tx.QueryRow(ctx, `SELECT clinic_id IS NOT DISTINCT FROM $2 AND author = $3 AND patient_id IS NOT DISTINCT FROM $4::uuid, ready, mime, size, sha256, key_id, description
		FROM attachment WHERE id = $1`, n.ID, clinicID, by.Subject, nullable(n.PatientID)).
		Scan(&same, &ready, &f.MIME, &f.Size, &sum, &keyID, &sealed); err != nil {
		return nil, err
	}
	if !same {
		return nil, errOtherFile
	}
	if !ready {
		return nil, apperr.New(apperr.Conflict, "a file with this id is on its way, or broke off: wait for its answer, or choose a new id")
	}
	key, err := s.key(ctx, tx, keyID)
	if err != nil {
		return nil, err
	}
	if err := key.open("attachment.description", f.ID, sealed, &f.Description); err != nil {
		return nil, err
	}
	if f.MIME != n.MIME || f.Description != n.Description {
		return nil, errOtherFile
	}
	f.SHA256 = hex.EncodeToString(sum)
	return &f, nil
}

// sameContent reads content, and refuses what is not that of the file.
func sameContent(f File, content io.Reader) error {
	hash := sha256.New()
	if _, err := io.Copy(hash, content); err != nil {
		return err
	}
	if hex.EncodeToString(hash.Sum(nil)) != f.SHA256 {
		return errOtherFile
	}
	return nil
}

// fileKey is the key that seals what is uploaded for the patient, or for colleagues.
func (s *Store) fileKey(ctx context.Context, tx pgx.Tx, clinicID, patientID string) (sealingKey, error) {
	if patientID == "" {
		return s.intakeKey(ctx, tx, clinicID)
	}
	c, err := s.cardOf(ctx, tx, clinicID, patientID)
	return c.key, err
}

// attach makes uploaded files those of a message of the clinic's, in the order of ids.
// A file goes with one message, about the patient for whom it was uploaded ("" for
// colleagues). Whether all of them fit into a message that Helsenorge takes is checked
// here, before anything is sent. Idempotent.
func (s *Store) attach(ctx context.Context, tx pgx.Tx, clinicID, patientID, outboundID string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	var process contract.Process
	if err := tx.QueryRow(ctx, "SELECT d.process FROM outbound_message o JOIN dialogue d ON d.id = o.dialogue_id WHERE o.id = $1 AND o.clinic_id = $2",
		outboundID, clinicID).Scan(&process); err != nil {
		return notFound(err, "the clinic has no such message")
	}
	if process == contract.ProcessPrescription {
		return refusedFiles(apperr.Field{Path: "attachments", Rule: "must be empty: an answer to a renewal request carries no files"})
	}
	sizes, err := s.claimFiles(ctx, tx, carrier{clinicID: clinicID, patientID: patientID, outboundID: outboundID}, ids)
	if err != nil {
		return err
	}
	if sealed := attachment.SealedBytes(sizes...); process != contract.ProcessEDialogue && sealed > attachment.MaxSealedBytes {
		return apperr.New(apperr.TooLarge, "the files make a message of about %.1f MB and Helsenorge takes at most %d MB: send fewer or smaller ones",
			float64(sealed)/1e6, attachment.MaxSealedBytes/1_000_000)
	}
	return nil
}

// carrier is the message that files go with.
type carrier struct {
	clinicID, patientID string
	// author is who alone may have uploaded them, "" for anybody at the clinic.
	author string
	// messageID is a message of the patient's, outboundID one of the clinic's.
	messageID, outboundID string
}

// claimFiles makes uploaded files those of one message, in the order of ids, and returns
// their sizes. Idempotent.
func (s *Store) claimFiles(ctx context.Context, tx pgx.Tx, c carrier, ids []string) ([]int64, error) {
	if i := slices.IndexFunc(ids, func(id string) bool { return uuid.Validate(id) != nil }); i >= 0 {
		return nil, refusedFiles(unknownFile(i))
	}
	type upload struct {
		id, patientID, carrierID string
		size                     int64
	}
	rows, err := tx.Query(ctx, `SELECT id::text, coalesce(patient_id::text, ''), coalesce(outbound_id, message_id)::text, size FROM attachment
		WHERE id = ANY ($1::uuid[]) AND clinic_id = $2 AND ready AND uploaded_at IS NOT NULL AND ($3 = '' OR author = $3) ORDER BY id FOR UPDATE`,
		ids, c.clinicID, c.author)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u upload, err error) {
		var carrierID *string
		err = row.Scan(&u.id, &u.patientID, &carrierID, &u.size)
		u.carrierID = deref(carrierID)
		return u, err
	})
	if err != nil {
		return nil, err
	}
	var f fields
	var sizes []int64
	for i, id := range ids {
		at := slices.IndexFunc(found, func(u upload) bool { return uuid.MustParse(u.id) == uuid.MustParse(id) })
		if at < 0 { // unknown, or named before
			f = append(f, unknownFile(i))
			continue
		}
		u := found[at]
		found = slices.Delete(found, at, at+1)
		f.refuse(u.patientID != c.patientID, fmt.Sprintf("attachments[%d]", i), "a file that was uploaded for the same patient")
		if u.carrierID != "" && uuid.MustParse(u.carrierID) != uuid.MustParse(c.messageID+c.outboundID) {
			return nil, apperr.New(apperr.Conflict, "a file goes with one message: upload it again for another")
		}
		sizes = append(sizes, u.size)
	}
	if len(f) > 0 {
		return nil, refusedFiles(f...)
	}
	_, err = tx.Exec(ctx, `UPDATE attachment a SET message_id = $1, outbound_id = $2, position = t.position
		FROM unnest($3::uuid[]) WITH ORDINALITY AS t (id, position) WHERE a.id = t.id`, nullable(c.messageID), nullable(c.outboundID), ids)
	return sizes, err
}

func refusedFiles(f ...apperr.Field) error {
	return apperr.InvalidFields("these files cannot go with the message", f...)
}

func unknownFile(i int) apperr.Field {
	return apperr.Field{Path: fmt.Sprintf("attachments[%d]", i), Rule: "the id of a file that the clinic has uploaded, once"}
}

// messageFiles lists the files of a message, either way, in its order.
func messageFiles(ctx context.Context, tx pgx.Tx, key sealingKey, messageID string) ([]File, error) {
	rows, err := tx.Query(ctx, "SELECT id, mime, size, description, sha256 FROM attachment WHERE message_id = $1 OR outbound_id = $1 ORDER BY position", messageID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (f File, err error) {
		err = f.scan(row, key)
		return f, err
	})
}

// dialogueFiles lists the files of all messages of a dialogue, by message, each in its
// order.
func dialogueFiles(ctx context.Context, tx pgx.Tx, key sealingKey, dialogueID string) (map[string][]File, error) {
	rows, err := tx.Query(ctx, `SELECT a.id, a.mime, a.size, a.description, a.sha256, m.id::text, a.position
			FROM inbound_message m JOIN attachment a ON a.message_id = m.id WHERE m.dialogue_id = $1
		UNION ALL SELECT a.id, a.mime, a.size, a.description, a.sha256, o.id::text, a.position
			FROM outbound_message o JOIN attachment a ON a.outbound_id = o.id WHERE o.dialogue_id = $1
		ORDER BY position`, dialogueID)
	if err != nil {
		return nil, err
	}
	all := map[string][]File{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f File, err error) {
		var messageID string
		var position int
		if err := f.scan(row, key, &messageID, &position); err != nil {
			return f, err
		}
		all[messageID] = append(all[messageID], f)
		return f, nil
	})
	return all, err
}

// scan reads a file's row: the columns of messageFiles, and more after them.
func (f *File) scan(row pgx.CollectableRow, key sealingKey, more ...any) error {
	var sealed, sum []byte
	if err := row.Scan(append([]any{&f.ID, &f.MIME, &f.Size, &sealed, &sum}, more...)...); err != nil {
		return err
	}
	f.SHA256 = hex.EncodeToString(sum)
	return key.open("attachment.description", f.ID, sealed, &f.Description)
}

// jobFiles reads the files of a message that is to be built, whole: the message is.
func jobFiles(ctx context.Context, tx pgx.Tx, key sealingKey, outboundID string) ([]JobFile, error) {
	files, err := messageFiles(ctx, tx, key, outboundID)
	if err != nil {
		return nil, err
	}
	var all []JobFile
	for _, f := range files {
		r, err := openFile(ctx, tx, key, f.ID)
		if err != nil {
			return nil, err
		}
		content := bytes.NewBuffer(make([]byte, 0, f.Size+bytes.MinRead))
		if _, err := content.ReadFrom(r); err != nil {
			return nil, err
		}
		all = append(all, JobFile{MIME: f.MIME, Description: f.Description, Content: content.Bytes()})
	}
	return all, nil
}

// ReadAttachment opens a file of a dialogue, a citizen's or the clinic's own. The
// content is read from the database as the caller reads it: only io.EOF says that
// nothing is missing.
func (s *Store) ReadAttachment(ctx context.Context, by identity.Principal, clinicID, dialogueID, id string) (File, io.Reader, error) {
	var f File
	var content io.Reader
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		f = File{ID: id}
		var keyID, patientID string
		var description, sum []byte
		err := tx.QueryRow(ctx, `SELECT a.mime, a.size, a.description, a.sha256, a.key_id, coalesce(d.patient_id::text, '') FROM attachment a
				LEFT JOIN inbound_message m ON m.id = a.message_id
				LEFT JOIN outbound_message o ON o.id = a.outbound_id
				JOIN dialogue d ON d.id = coalesce(m.dialogue_id, o.dialogue_id)
			WHERE a.id = $1 AND d.id = $2 AND d.clinic_id = $3`, id, dialogueID, clinicID).
			Scan(&f.MIME, &f.Size, &description, &sum, &keyID, &patientID)
		if err != nil {
			return notFound(err, "the dialogue has no such file")
		}
		if err := s.amongColleagues(ctx, tx, by, clinicID, dialogueID, patientID); err != nil {
			return err
		}
		f.SHA256 = hex.EncodeToString(sum)
		key, err := s.key(ctx, tx, keyID)
		if err != nil {
			return err
		}
		if err := key.open("attachment.description", id, description, &f.Description); err != nil {
			return err
		}
		if content, err = openFile(ctx, s.pool, key, id); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "attachment.read", "attachment/"+id, patientID)
	})
	return f, content, err
}

// storeAttachments stores the files of a citizen's message.
func (s *Store) storeAttachments(ctx context.Context, tx pgx.Tx, key sealingKey, messageID string, files []Attachment) error {
	for i, f := range files {
		id := newID()
		description, err := key.seal("attachment.description", id, f.Description)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(f.Content)
		if _, err := tx.Exec(ctx, `INSERT INTO attachment (id, message_id, position, mime, size, sha256, key_id, description)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, id, messageID, i+1, f.MIME, len(f.Content), sum[:], key.id, description); err != nil {
			return err
		}
		if _, _, err := sealFile(ctx, tx, key, id, bytes.NewReader(f.Content)); err != nil {
			return err
		}
	}
	return nil
}

// execer is a transaction or the pool.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// sealFile seals a file into its parts as it is read, and tells its size and its hash.
func sealFile(ctx context.Context, db execer, key sealingKey, id string, content io.Reader) (int64, []byte, error) {
	parts := &partWriter{ctx: ctx, db: db, id: id, buf: make([]byte, 0, filePart)}
	sealed, err := key.SealStream(parts, "attachment.content/"+id)
	if err != nil {
		return 0, nil, err
	}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(sealed, hash), content)
	if err == nil {
		err = sealed.Close()
	}
	if err == nil {
		err = parts.flush()
	}
	return size, hash.Sum(nil), err
}

// openFile reads what sealFile stored.
func openFile(ctx context.Context, db rower, key sealingKey, id string) (io.Reader, error) {
	return key.OpenStream(&partReader{ctx: ctx, db: db, id: id}, "attachment.content/"+id)
}

// partWriter writes a sealed stream as parts of a file.
type partWriter struct {
	ctx      context.Context // it lives as long as the one call that made it
	db       execer
	id       string
	buf      []byte
	position int
}

// Write implements io.Writer.
func (w *partWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(cap(w.buf)-len(w.buf), len(rest))
		w.buf, rest = append(w.buf, rest[:n]...), rest[n:]
		if len(w.buf) == cap(w.buf) {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

func (w *partWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	w.position++
	_, err := w.db.Exec(w.ctx, "INSERT INTO attachment_part (attachment_id, position, content) VALUES ($1, $2, $3)", w.id, w.position, w.buf)
	w.buf = w.buf[:0]
	return err
}

// partReader reads the parts of a file as the sealed stream that they are.
type partReader struct {
	ctx      context.Context // it lives as long as the request that reads
	db       rower
	id       string
	rest     []byte
	position int
}

// Read implements io.Reader.
func (r *partReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.rest) == 0 {
		r.position++
		err := r.db.QueryRow(r.ctx, "SELECT content FROM attachment_part WHERE attachment_id = $1 AND position = $2", r.id, r.position).Scan(&r.rest)
		if errors.Is(err, pgx.ErrNoRows) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, failure(err)
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
