package pg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
)

// OutboundKind is what a message of ours is.
type OutboundKind string

const (
	// KindAnswer is what staff wrote.
	KindAnswer OutboundKind = "answer"
	// KindReceipt is an application receipt; nothing comes back for it.
	KindReceipt OutboundKind = "receipt"
	// KindRefusal is a refusal without a lifecycle (26, 30).
	KindRefusal OutboundKind = "refusal"
	// KindReport is a report on the sender's error queue.
	KindReport OutboundKind = "transport-error"
	// KindAppointment is a pushed Avtale: it answers nothing (HITS 1217 §3.4.1).
	KindAppointment OutboundKind = "appointment"
)

// Draft is an answer as staff wrote it, before a lifecycle accepts it.
type Draft struct {
	// ID is the caller's: the same id again is the same answer.
	ID string
	// Code is the answer's code of 7602; "" for a renewal request's that its decisions tell.
	Code string
	// InReplyTo is the message it answers; empty means the latest.
	InReplyTo string
	Subject   string
	Text      string
	// Close says that the dialogue ends with it on the clinic's side.
	Close bool
	// Attachments are the ids of uploaded files that go with it.
	Attachments []string
	// Items are the decisions on each prescription of a renewal request; none where the
	// code says it of all.
	Items []ItemDecision
}

// Drafted is a stored draft with what its command needs.
type Drafted struct {
	Process   contract.Process
	InReplyTo string
	// Code is the draft's: of a renewal request the one that the decisions come to; an
	// e-consultation that is closed says so (13).
	Code string
	// Accepted is true when a lifecycle has accepted the answer before: the command
	// need not be given again, and Status says where it stands.
	Accepted bool
	Status   contract.Status
	// Attempt counts how often the draft was stored: DropDraft drops no later one.
	Attempt int
}

// answerContent is the sealed content of an answer.
type answerContent struct {
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
	// Items are the decisions on the prescriptions of a renewal request.
	Items []ItemDecision `json:"items,omitempty"`
}

// DraftAnswer stores an answer's text before the command that sends it.
// Idempotent by id; the same id with other content is a duplicate. Nothing leaves
// the clinic by it. In a dialogue that the clinic began it may answer nothing.
func (s *Store) DraftAnswer(ctx context.Context, by identity.Principal, clinicID, dialogueID string, d Draft) (Drafted, error) {
	var out Drafted
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var keyID, patientID, origin string
		err := tx.QueryRow(ctx, `SELECT d.process, d.key_id, coalesce(d.patient_id::text, ''), d.origin, coalesce(m.id::text, '') FROM dialogue d
			LEFT JOIN inbound_message m ON m.dialogue_id = d.id AND m.id = coalesce($3::uuid, d.latest_message_id)
			WHERE d.id = $1 AND d.clinic_id = $2`, dialogueID, clinicID, nullable(d.InReplyTo)).
			Scan(&out.Process, &keyID, &patientID, &origin, &out.InReplyTo)
		if err != nil {
			return notFound(err, "the clinic has no such dialogue")
		}
		if out.InReplyTo == "" && (d.InReplyTo != "" || origin != originClinic) {
			return apperr.New(apperr.NotFound, "the dialogue has no such message to answer")
		}
		if err := s.amongColleagues(ctx, tx, by, clinicID, dialogueID, patientID); err != nil {
			return err
		}
		if err := s.mayAnswer(ctx, tx, d.ID, out.InReplyTo); err != nil {
			return err
		}
		key, err := s.key(ctx, tx, keyID)
		if err != nil {
			return err
		}
		// As the caller said it: "the latest message" may be another one at a retry.
		hash, err := s.draftHash(clinicID, dialogueID, by, d)
		if err != nil {
			return err
		}
		if out.Process == contract.ProcessPrescription {
			if err := s.decideItems(ctx, tx, key, dialogueID, &d); err != nil {
				return err
			}
		}
		out.Code = codeIn(out.Process, d.Code, d.Close)
		sealed, err := key.seal("outbound_message.content", d.ID, answerContent{d.Subject, d.Text, d.Items})
		if err != nil {
			return err
		}
		_, err = s.draft(ctx, tx, draftRow{
			id: d.ID, clinicID: clinicID, dialogueID: dialogueID, inReplyTo: out.InReplyTo, code: out.Code, author: by.Subject, keyID: key.id,
			content: sealed, hash: hash, close: d.Close,
		}, &out)
		if err != nil {
			return err
		}
		if err := s.attach(ctx, tx, clinicID, patientID, d.ID, d.Attachments); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "dialogue.answer", "dialogue/"+dialogueID, patientID)
	})
	return out, err
}

// draftRow is a message of staff that no lifecycle has accepted.
type draftRow struct {
	id, clinicID, dialogueID, inReplyTo, code, author, keyID string
	content, hash                                            []byte
	close                                                    bool
}

// draft stores a message of staff, or finds the one that was stored before, and says
// which of the two.
func (s *Store) draft(ctx context.Context, tx pgx.Tx, d draftRow, out *Drafted) (again bool, err error) {
	tag, err := tx.Exec(ctx, `INSERT INTO outbound_message (id, clinic_id, kind, dialogue_id, in_reply_to, code, author, key_id, content, content_hash, close, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING`,
		d.id, d.clinicID, KindAnswer, d.dialogueID, nullable(d.inReplyTo), d.code, d.author, d.keyID, d.content, d.hash, d.close, s.now())
	out.Attempt = 1
	if err != nil || tag.RowsAffected() == 1 {
		return false, err
	}
	var first []byte
	if err := tx.QueryRow(ctx, `UPDATE outbound_message o SET attempt = attempt + 1 FROM dialogue_status st
		WHERE o.id = $1 AND o.clinic_id = $2 AND o.kind = 'answer' AND st.id = o.dialogue_id
		RETURNING o.content_hash, o.prepared_at IS NOT NULL, st.status, coalesce(o.in_reply_to::text, ''), o.attempt`, d.id, d.clinicID).
		Scan(&first, &out.Accepted, &out.Status, &out.InReplyTo, &out.Attempt); err != nil {
		return true, notFound(err, "the message's id is taken: choose a new one")
	}
	if !bytes.Equal(first, d.hash) {
		return true, apperr.New(apperr.Duplicate, "a message with this id and other content exists: choose a new id")
	}
	return true, nil
}

// draftHash tells whether two drafts of one id are the same.
func (s *Store) draftHash(clinicID, dialogueID string, by identity.Principal, d Draft) ([]byte, error) {
	content, err := json.Marshal(d)
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "a draft cannot be encoded")
	}
	return s.vault.BlindIndex("answer", clinicID, strings.Join([]string{dialogueID, string(content), by.Subject}, "\x00")), nil
}

// DropDraft removes a draft that no lifecycle has accepted, unless it was drafted
// again since: the later caller's answer may be accepted. A dialogue that nothing else
// is in goes with it. Idempotent.
func (s *Store) DropDraft(ctx context.Context, clinicID, id string, attempt int) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var dialogueID string
		err := tx.QueryRow(ctx, `DELETE FROM outbound_message WHERE id = $1 AND clinic_id = $2 AND kind = 'answer' AND prepared_at IS NULL AND attempt = $3
			RETURNING dialogue_id`, id, clinicID, attempt).Scan(&dialogueID)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.dropEmptyDialogue(ctx, tx, dialogueID)
	})
}

// Job is everything that a message of ours is built from.
type Job struct {
	Kind OutboundKind
	// Original is the stored message that it answers, as opened XML.
	Original []byte
	// Verdict, Codes and Problems are what was decided about the original.
	Verdict  Verdict
	Codes    []string
	Problems []Problem
	// Code, Subject and Text are the answer's.
	Code, Subject, Text string
	// Author is who wrote it.
	Author Author
	// Appointment is set for a message about one: a pushed Avtale, whose Original is
	// empty, and an answer that names a time.
	Appointment *AppointmentJob
	// FromHerID, ToHerID and ProcessCode (8279) are a pushed Avtale's, which has no
	// original to take them from.
	FromHerID, ToHerID int
	ProcessCode        string
	// Opens is true for a message that begins a conversation of its own.
	Opens bool
	// Conversation is the first MsgId of the thread; empty for what opens one.
	Conversation string
	// Parent is the MsgId of the message that it answers or follows.
	Parent string
	// Patient is who it is about, for what has no Original.
	Patient *Patient
	// Attachments are the files that go with it.
	Attachments []JobFile
	// Medicines are the renewed prescriptions of a renewal's answer 14 or 32, one each.
	Medicines []Medicine
	// MsgID is the new message's id: a UUID that every retry reuses.
	MsgID string
	// Now is the instant that the message carries as its own.
	Now time.Time
	// TransportSubject, OriginalTransportID, CorrelationID and ReceivedAt are the
	// original's, for reports.
	TransportSubject, OriginalTransportID, CorrelationID string
	ReceivedAt                                           time.Time
}

// JobFile is a file that goes with a message.
type JobFile struct {
	MIME, Description string
	Content           []byte
}

// Author is the staff member behind an answer.
type Author struct {
	Name, Role, HPR string
	// OwnGP is true for the GP whose party sends, and for the patient's own: anybody else
	// answers in a GP's place (HITS 1217 §2.3.4).
	OwnGP bool
}

// author reads who wrote a message of a dialogue that leaves from a party of the clinic.
func (s *Store) author(ctx context.Context, tx pgx.Tx, clinicID, dialogueID string, herID int, subject string, a *Author) error {
	return tx.QueryRow(ctx, `SELECT s.name, s.role, s.hpr,
			EXISTS (SELECT FROM party p WHERE p.her_id = $3 AND p.staff_id = s.id)
				OR EXISTS (SELECT FROM dialogue d JOIN patient t ON t.id = d.patient_id WHERE d.id = $4 AND t.practitioner_id = s.id)
		FROM staff s WHERE s.clinic_id = $1 AND s.subject = $2`, clinicID, subject, herID, nullable(dialogueID)).
		Scan(&a.Name, &a.Role, &a.HPR, &a.OwnGP)
}

// Build makes a message's XML from its job.
type Build func(context.Context, Job) ([]byte, error)

// Prepared is a message of ours with stored bytes and ids.
type Prepared struct {
	ID string
	// FromHerID is the clinic's party, ToHerID the counterpart's.
	FromHerID, ToHerID int
	// Subject is the transport's message function; Wire the XML; empty for reports.
	Subject     string
	MsgID       string
	TransportID string
	Wire        []byte
	Job         Job
	// SentAt and ReceiptDue are set once it has been sent.
	SentAt, ReceiptDue time.Time
	// Superseded is true when a later message says it all, or it would be of no use any
	// more: it is not to be sent.
	Superseded bool
	// refused is why it is not to be sent at all.
	refused error
}

// PrepareAnswer stores the bytes and ids of a message of staff, or of a pushed Avtale,
// before it is sent for the first time, and returns the stored ones ever after, so that a
// retry repeats the message and not the intention. What a later message has superseded,
// or what would be of no use any more (F17), is not built. counterpart is Helsenorge's
// HER-id, to which goes what answers nobody.
//
// In which form staff's message leaves is decided here, as the dialogue stands: see
// wireForm. One that begins a conversation while the patient cannot be reached (S27)
// fails for good, with an operator case, and is apperr.Conflict. An e-dialogue's message is
// apperr.NotFound, whoever asks: nothing of one leaves the clinic (S19, S20).
func (s *Store) PrepareAnswer(ctx context.Context, clinicID, id string, counterpart int, build Build) (Prepared, error) {
	p, err := s.prepare(ctx, func(tx pgx.Tx) (string, error) {
		// Who changes a dialogue locks it before its messages.
		if _, err := tx.Exec(ctx, `SELECT FROM dialogue WHERE process <> 'appointment'
			AND id = (SELECT dialogue_id FROM outbound_message WHERE id = $1 AND clinic_id = $2) FOR NO KEY UPDATE`, id, clinicID); err != nil {
			return "", err
		}
		var found string
		err := tx.QueryRow(ctx, `SELECT id FROM outbound_message WHERE id = $1 AND clinic_id = $2 AND kind IN ('answer', 'appointment')
			AND dialogue_id NOT IN (SELECT id FROM dialogue WHERE process = $3) FOR UPDATE`, id, clinicID, contract.ProcessEDialogue).Scan(&found)
		return found, notFound(err, "the clinic has no such message for Helsenorge")
	}, counterpart, build)
	if err == nil && p.refused != nil {
		err = p.refused
	}
	return p, err
}

// PrepareReply is PrepareAnswer for what follows from a stored message without a
// lifecycle: receipt, refusal, report. There is one of each per message.
func (s *Store) PrepareReply(ctx context.Context, kind OutboundKind, messageID string, build Build) (Prepared, error) {
	return s.prepare(ctx, func(tx pgx.Tx) (string, error) {
		_, err := tx.Exec(ctx, `INSERT INTO outbound_message (id, clinic_id, kind, dialogue_id, in_reply_to, code, key_id, created_at)
			SELECT $1, clinic_id, $2, dialogue_id, id, coalesce(codes[1], ''), key_id, $4 FROM inbound_message WHERE id = $3
			ON CONFLICT (kind, in_reply_to) WHERE kind <> 'answer' DO NOTHING`, newID(), kind, messageID, s.now())
		if err != nil {
			return "", err
		}
		var id string
		err = tx.QueryRow(ctx, "SELECT id FROM outbound_message WHERE kind = $1 AND in_reply_to = $2 FOR UPDATE", kind, messageID).Scan(&id)
		return id, notFound(err, "no such message")
	}, 0, build)
}

func (s *Store) prepare(ctx context.Context, claim func(pgx.Tx) (string, error), counterpart int, build Build) (Prepared, error) {
	var p Prepared
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		id, err := claim(tx)
		if err != nil {
			return err
		}
		p = Prepared{ID: id}
		var (
			keyID, author, outcome                 string
			originalID, originalKey                *string
			clinicID, dialogueID, msgID, transport *string
			content, wire, raw                     []byte
			process                                *contract.Process
			verdict                                *Verdict
			conversation, subject, theirs, related *string
			sentAt, due, receivedAt                *time.Time
			job                                    Job
		)
		err = tx.QueryRow(ctx, `SELECT o.kind, o.clinic_id, o.dialogue_id, o.code, o.author, o.key_id, o.content, o.msg_id, o.transport_id, o.wire,
				o.sent_at, o.receipt_due, coalesce(o.outcome, ''), i.id, i.key_id, i.raw, i.verdict, i.codes, i.problems,
				coalesce(o.to_her_id, i.from_her_id, 0), coalesce(o.from_her_id, i.to_her_id, 0), coalesce(nullif(o.process, ''), i.process, ''),
				i.conversation, i.subject, i.transport_id, i.correlation_id, i.received_at, d.process
			FROM outbound_message o LEFT JOIN inbound_message i ON i.id = o.in_reply_to LEFT JOIN dialogue d ON d.id = o.dialogue_id WHERE o.id = $1`, id).
			Scan(&job.Kind, &clinicID, &dialogueID, &job.Code, &author, &keyID, &content, &msgID, &transport, &wire,
				&sentAt, &due, &outcome, &originalID, &originalKey, &raw, &verdict, &job.Codes, &job.Problems, &p.ToHerID, &p.FromHerID, &p.Subject,
				&conversation, &subject, &theirs, &related, &receivedAt, &process)
		if err != nil {
			return err
		}
		p.SentAt, p.ReceiptDue = derefTime(sentAt), derefTime(due)
		never := []contract.Outcome{contract.OutcomeSuperseded, contract.OutcomeExpired, contract.OutcomeSuppressed}
		if p.Superseded = slices.Contains(never, contract.Outcome(outcome)) && sentAt == nil; p.Superseded {
			return nil
		}
		if job.Kind == KindAnswer && outcome != "" && msgID == nil {
			p.refused = apperr.InState(ReasonNotReachable, "the message was refused before: write a new one")
			return nil
		}
		if outcome == "" {
			useless, err := s.useless(ctx, tx, id)
			if err != nil {
				return err
			}
			if p.Superseded = useless != ""; p.Superseded {
				return s.closeOutbound(ctx, tx, id, useless, nil)
			}
		}
		if originalID != nil {
			job.Verdict, job.Conversation, job.TransportSubject = *verdict, *conversation, *subject
			job.OriginalTransportID, job.CorrelationID, job.ReceivedAt = *theirs, *related, *receivedAt
		}
		key, err := s.key(ctx, tx, keyID)
		if err != nil {
			return err
		}
		if msgID != nil {
			p.MsgID, p.TransportID, p.Job = *msgID, *transport, job
			p.Wire, err = key.Open(wire, "outbound_message.wire/"+id)
			return err
		}
		if originalID != nil {
			originKey := key
			if *originalKey != keyID {
				if originKey, err = s.key(ctx, tx, *originalKey); err != nil {
					return err
				}
			}
			if job.Original, err = originKey.Open(raw, "inbound_message.raw/"+*originalID); err != nil {
				return err
			}
		}
		if job.Appointment, err = s.appointmentJob(ctx, tx, id); err != nil {
			return err
		}
		if job.Attachments, err = jobFiles(ctx, tx, key, id); err != nil {
			return err
		}
		var form *wireForm
		if process != nil && onWire[*process] != "" && job.Kind == KindAnswer {
			if form, err = s.formed(ctx, tx, &p, &job, deref(clinicID), deref(dialogueID), deref(originalID), counterpart); err != nil || p.refused != nil {
				return err
			}
		}
		job.FromHerID, job.ToHerID, job.ProcessCode = p.FromHerID, p.ToHerID, p.Subject
		if content != nil {
			var c answerContent
			if err := key.open("outbound_message.content", id, content, &c); err != nil {
				return err
			}
			job.Subject, job.Text = c.Subject, c.Text
			if job.Medicines, err = s.recordDecisions(ctx, tx, key, deref(dialogueID), id, c.Items); err != nil {
				return err
			}
			err = s.author(ctx, tx, deref(clinicID), deref(dialogueID), p.FromHerID, author, &job.Author)
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
		}
		job.MsgID, job.Now = uuid.NewString(), s.now().Truncate(time.Second)
		p.MsgID, p.TransportID, p.Job = job.MsgID, newTransportID(), job
		if p.Wire, err = build(ctx, job); err != nil {
			return err
		}
		sealed, err := key.Seal(p.Wire, "outbound_message.wire/"+id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE outbound_message SET msg_id = $2, transport_id = $3, wire = $4, prepared_at = $5 WHERE id = $1",
			id, p.MsgID, p.TransportID, sealed, s.now()); err != nil {
			return err
		}
		if job.Kind != KindAnswer {
			return nil // its line was written with the original
		}
		if form != nil {
			if err := s.keepForm(ctx, tx, id, *form, job); err != nil {
				return err
			}
		}
		if process != nil && *process == contract.ProcessEConsultation {
			if err := s.ledgerLine(ctx, tx, EffectJournal+"/"+id, deref(clinicID), EffectJournal, deref(dialogueID), id, nil); err != nil {
				return err
			}
		}
		why := map[string]any{"code": job.Code}
		if job.Opens {
			why["opens"] = true
		}
		return s.ledgerLine(ctx, tx, EffectAnswer+"/"+id, deref(clinicID), EffectAnswer, deref(dialogueID), id, why)
	})
	return p, err
}

// newTransportID is the transport's id of a message: another one each time that it is
// intended to be sent (HITS 1216 §2.2.4).
func newTransportID() string { return uuid.NewString() }

// MarkSent records that the transport has accepted the message. Nothing comes
// back for a receipt or a report: that is their terminal outcome; a refusal's may
// still be corrected by its receipt. Idempotent: the first instant stands.
func (s *Store) MarkSent(ctx context.Context, id string, receiptDue time.Duration) (sentAt, due time.Time, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now := s.now()
		var kind OutboundKind
		var original *string
		var reopened bool
		// A message that was superseded while it left has left: its receipt is awaited.
		if err := tx.QueryRow(ctx, `UPDATE outbound_message o SET sent_at = coalesce(o.sent_at, $2), receipt_due = coalesce(o.receipt_due, $3),
				outcome = CASE WHEN o.kind = 'answer' THEN o.outcome WHEN o.kind = 'appointment' THEN nullif(o.outcome, 'superseded') ELSE coalesce(o.outcome, 'sent') END,
				outcome_at = CASE WHEN o.kind = 'answer' THEN o.outcome_at WHEN o.kind = 'appointment' AND o.outcome = 'superseded' THEN NULL
					WHEN o.kind = 'appointment' THEN o.outcome_at ELSE coalesce(o.outcome_at, $2) END
			FROM (SELECT id, coalesce(outcome = 'superseded', false) AS superseded FROM outbound_message WHERE id = $1 FOR UPDATE) before
			WHERE o.id = before.id RETURNING o.kind, o.in_reply_to, o.sent_at, o.receipt_due, before.superseded`, id, now, now.Add(receiptDue)).
			Scan(&kind, &original, &sentAt, &due, &reopened); err != nil {
			return err
		}
		if reopened && kind == KindAppointment {
			_, err := tx.Exec(ctx, "UPDATE ledger SET outcome = NULL, outcome_at = NULL, result = '{}' WHERE key = $1", EffectPublication+"/"+id)
			return err
		}
		if kind == KindAnswer || kind == KindAppointment {
			return nil // its receipt is its outcome
		}
		return s.ledgerOutcome(ctx, tx, lineOf(kind, id, deref(original)), contract.OutcomeSent, nil)
	})
	return sentAt.UTC(), due.UTC(), err
}

// FailReply records that what follows from a stored message without a lifecycle
// cannot be sent, with the operator case that says so. Idempotent; a reply that
// was sent stays sent.
func (s *Store) FailReply(ctx context.Context, kind OutboundKind, messageID, reason string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var clinicID, dialogueID *string
		if err := tx.QueryRow(ctx, "SELECT clinic_id, dialogue_id FROM inbound_message WHERE id = $1", messageID).Scan(&clinicID, &dialogueID); err != nil {
			return notFound(err, "no such message")
		}
		tag, err := tx.Exec(ctx, "UPDATE ledger SET outcome = $2, outcome_at = $3, result = $4 WHERE key = $1 AND outcome IS NULL",
			string(kind)+"/"+messageID, contract.OutcomeFailed, s.now(), map[string]string{"reason": reason})
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE outbound_message SET outcome = $3, outcome_at = $4 WHERE kind = $1 AND in_reply_to = $2 AND outcome IS NULL",
			kind, messageID, contract.OutcomeFailed, s.now()); err != nil {
			return err
		}
		return s.openCase(ctx, tx, deref(clinicID), deref(dialogueID), messageID, contract.CaseNotSent, string(kind)+": "+reason)
	})
}

// lineOf is the key of a message's line on the ledger: its own, or that of the message
// that it follows from.
func lineOf(kind OutboundKind, id, original string) string {
	switch kind {
	case KindAnswer:
		return EffectAnswer + "/" + id
	case KindAppointment:
		return EffectPublication + "/" + id
	case KindReceipt, KindRefusal, KindReport:
	}
	return string(kind) + "/" + original
}

// closeOutbound writes a message's terminal outcome and its ledger line's.
func (s *Store) closeOutbound(ctx context.Context, tx pgx.Tx, id string, outcome contract.Outcome, codes []string) error {
	var kind OutboundKind
	var original *string
	// A receipt tells that what was thought not to have left did.
	if err := tx.QueryRow(ctx, `UPDATE outbound_message SET outcome = $2, outcome_at = $3, outcome_codes = $4,
			sent_at = CASE WHEN outcome IN ('superseded', 'expired', 'suppressed', 'failed') THEN coalesce(sent_at, $3) ELSE sent_at END WHERE id = $1 RETURNING kind, in_reply_to`,
		id, outcome, s.now(), nonNil(codes)).Scan(&kind, &original); err != nil {
		return err
	}
	line := lineOf(kind, id, deref(original))
	result := map[string]any{}
	if len(codes) > 0 {
		result["codes"] = codes
	}
	_, err := tx.Exec(ctx, "UPDATE ledger SET outcome = $2, outcome_at = $3, result = $4 WHERE key = $1", line, outcome, s.now(), result)
	return err
}

// CloseDelivery writes the outcome of a message that no receipt closed, with the
// operator case that says so. A receipt that was stored first wins: the outcome
// that stands is returned.
func (s *Store) CloseDelivery(ctx context.Context, in contract.CloseDeliveryInput) (contract.Outcome, error) {
	stands := in.Outcome
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var current *contract.Outcome
		var kind OutboundKind
		// Who changes a dialogue locks it before its messages.
		if _, err := tx.Exec(ctx, "SELECT FROM dialogue WHERE process <> 'appointment' AND id = $1 FOR NO KEY UPDATE", in.DialogueID); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, "SELECT outcome, kind FROM outbound_message WHERE id = $1 AND clinic_id = $2 FOR UPDATE", in.OutboundID, in.ClinicID).Scan(&current, &kind)
		if err != nil {
			return notFound(err, "the clinic has no such message")
		}
		if current != nil {
			stands = *current
			return nil
		}
		// An answer that could not even be prepared has no line yet.
		if kind == KindAnswer {
			if err := s.ledgerLine(ctx, tx, EffectAnswer+"/"+in.OutboundID, in.ClinicID, EffectAnswer, in.DialogueID, in.OutboundID, nil); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, "UPDATE outbound_message SET prepared_at = coalesce(prepared_at, $2) WHERE id = $1", in.OutboundID, s.now()); err != nil {
			return err
		}
		if err := s.answerEnded(ctx, tx, in.OutboundID); err != nil {
			return err
		}
		if err := s.closeOutbound(ctx, tx, in.OutboundID, in.Outcome, nil); err != nil {
			return err
		}
		if in.Outcome == contract.OutcomeFailed {
			// What was not sent is not journalled either.
			if err := s.ledgerOutcome(ctx, tx, EffectJournal+"/"+in.OutboundID, contract.OutcomeSuperseded, map[string]string{"by": string(in.Outcome)}); err != nil {
				return err
			}
		}
		problem := contract.CaseNotSent
		if in.Outcome == contract.OutcomeOverdue {
			problem = contract.CaseReceiptOverdue
		}
		return s.notArrived(ctx, tx, in.ClinicID, in.DialogueID, in.OutboundID, problem, in.Reason)
	})
	return stands, err
}
